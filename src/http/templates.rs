//! The templates of the pages, in either language.

use std::io;

use minijinja::value::Serde;
use minijinja::{Environment, Value, context};

use crate::http::pages::Shown;
use crate::http::visit::{Language, Role, Visit};

/// The templates. A name that ends in `.html` has everything escaped: names and words come from
/// outside.
const TEMPLATES: &[(&str, &str)] = &[
    ("base.html", include_str!("pages/base.html")),
    ("words.html", include_str!("pages/words.html")),
    ("fault.html", include_str!("pages/fault.html")),
    ("handover.html", include_str!("pages/handover.html")),
    ("letter.html", include_str!("pages/letter.html")),
    ("now.html", include_str!("pages/now.html")),
    ("audit.html", include_str!("pages/audit.html")),
    ("begin.html", include_str!("pages/begin.html")),
    ("login.html", include_str!("pages/login.html")),
    ("stations.html", include_str!("pages/stations.html")),
    ("deeds.html", include_str!("pages/deeds.html")),
    ("alerts.html", include_str!("pages/alerts.html")),
    ("silences.html", include_str!("pages/silences.html")),
    ("history.html", include_str!("pages/history.html")),
    ("alert.html", include_str!("pages/alert.html")),
    ("weir.html", include_str!("pages/weir.html")),
    ("edition.html", include_str!("pages/edition.html")),
    ("station.html", include_str!("pages/station.html")),
    ("raw.html", include_str!("pages/raw.html")),
];

/// The compiled templates, once for each language.
#[derive(Debug)]
pub(super) struct Templates {
    english: Environment<'static>,
    chinese: Environment<'static>,
}

impl Templates {
    pub(super) fn new() -> Result<Self, minijinja::Error> {
        let [english, chinese] = Language::ALL.map(compiled);
        Ok(Self { english: english?, chinese: chinese? })
    }

    /// Makes the whole page, for a visitor who asked for `here`.
    pub(super) fn render(
        &self,
        shown: &Shown,
        visit: &Visit,
        here: &str,
    ) -> Result<String, minijinja::Error> {
        let environment = self.of(visit.language);
        environment.get_template(shown.template)?.render(content(shown, visit, here))
    }

    /// Makes those blocks of a page that change while it is looked at, each with its name.
    pub(super) fn live(
        &self,
        shown: &Shown,
        visit: &Visit,
        here: &str,
    ) -> Result<Vec<(String, String)>, minijinja::Error> {
        let template = self.of(visit.language).get_template(shown.template)?;
        let mut whole = template.render_captured_to(content(shown, visit, here), io::sink())?;
        let block = |name: &&str| {
            let made = whole.with_state_mut(|state| state.render_block(name))?;
            Ok(((*name).to_owned(), made))
        };
        // The head is on every page.
        shown.live.iter().chain(&["live_strip"]).map(block).collect()
    }

    fn of(&self, language: Language) -> &Environment<'static> {
        match language {
            Language::English => &self.english,
            Language::Chinese => &self.chinese,
        }
    }
}

fn compiled(language: Language) -> Result<Environment<'static>, minijinja::Error> {
    let zh = language == Language::Chinese;
    let mut environment = Environment::new();
    for (name, text) in TEMPLATES.iter().copied() {
        environment.add_template(name, text)?;
    }
    environment.add_global("zh", zh);
    environment.add_global("lang", language.tag());
    environment.add_global("other", if zh { "en" } else { "zh" });
    environment.add_global("version", env!("CARGO_PKG_VERSION"));
    // A text that is there in both languages, and words of the template itself.
    environment.add_function("t", move |text: Value| text.get_attr(if zh { "zh" } else { "en" }));
    environment.add_function(
        "w",
        move |english: String, chinese: String| {
            if zh { chinese } else { english }
        },
    );
    Ok(environment)
}

fn content(shown: &Shown, visit: &Visit, here: &str) -> Value {
    let (path, query) = here.split_once('?').unwrap_or((here, ""));
    let other = if visit.language == Language::Chinese { "en" } else { "zh" };
    let pairs = url::form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key != "lang");
    let mut switch = url::form_urlencoded::Serializer::new(String::new());
    switch.extend_pairs(pairs).append_pair("lang", other);
    let nav = path.split('/').nth(1).map_or("/".to_owned(), |first| format!("/{first}"));
    context! {
        view => &shown.view,
        visit => context! {
            person => &visit.person,
            role => Value::from(Serde(visit.role)),
            may_operate => visit.role >= Role::Operate,
            may_admin => visit.role >= Role::Admin,
            token => &visit.token,
            logged_in => visit.logged_in,
            said => &visit.said,
        },
        strip => Value::from(Serde(&shown.strip)),
        here,
        nav,
        switch => format!("{path}?{}", switch.finish()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::view::now::{NowView, OpenView};
    use crate::http::view::strip::StripView;
    use crate::http::view::{
        DecidingView, DoubtView, EvaluationView, PageView, PartView, PlaceView, SetView,
        StationView, TallyView, Text, ValueView,
    };

    fn render(view: &PageView, language: Language) -> String {
        let visit = Visit::anybody(language, Role::View);
        let shown = Shown::new("stations.html", view);
        Templates::new().unwrap().render(&shown, &visit, "/?page=2").unwrap()
    }

    fn view(name: &str) -> PageView {
        let name = Text { en: name.to_owned(), zh: "蒲河".to_owned() };
        let value = ValueView {
            property: Text { en: "dissolved oxygen".to_owned(), zh: "溶解氧".to_owned() },
            value: "2.40".to_owned(),
            unit: "mg/L".to_owned(),
            flag: 3,
            doubts: vec![DoubtView {
                test: Text::new("spike", "尖峰"),
                flag: 3,
                threshold: Text::new("suspect above 2 mg/L", "可疑 高于 2 mg/L"),
            }],
            ..ValueView::default()
        };
        let values = vec![value];
        let stations = vec![StationView { name: name.clone(), values, ..StationView::default() }];
        let places = vec![PlaceView { name, stations, ..PlaceView::default() }];
        PageView { places, ..PageView::default() }
    }

    /// A section of class V by ammonia, without total phosphorus.
    fn class_v() -> EvaluationView {
        let deciding = vec![DecidingView {
            property: Text::new("ammonia nitrogen", "氨氮"),
            symbol: "NH3-N".to_owned(),
            value: "1.62 mg/L".to_owned(),
            alone: Text::new("class V", "Ⅴ类"),
            over_target: "0.08".to_owned(),
            over_iii: "0.62".to_owned(),
        }];
        EvaluationView {
            id: "water_class".to_owned(),
            index: Text::new("water class", "水质类别"),
            period: Text::new("real time", "实时"),
            of: Text::same("06-01 11:04"),
            grade: Text::new("class V", "Ⅴ类"),
            colour: Some("#F5A524".to_owned()),
            target: Text::new("misses the target class IV", "未达目标Ⅳ类"),
            missed: true,
            deciding,
            missing: vec![Text::new("total phosphorus", "总磷")],
            items: 4,
            items_of: 5,
            ..EvaluationView::default()
        }
    }

    fn rendered(evaluation: EvaluationView) -> [String; 2] {
        let mut view = view("Puhe");
        view.places[0].stations[0].evaluations = vec![evaluation];
        [Language::English, Language::Chinese].map(|language| render(&view, language))
    }

    #[track_caller]
    fn check(html: &str, wanted: &[&str]) {
        for wanted in wanted {
            assert!(html.contains(wanted), "`{wanted}` is not in {html}");
        }
    }

    #[test]
    fn a_class_is_its_number_its_colour_and_what_decided_it() {
        let [english, chinese] = rendered(class_v());
        check(&english, &["fill=\"#F5A524\"", "class V", "misses the target class IV"]);
        check(&english, &["4 of 5", "missing: total phosphorus", "real time", "06-01 11:04"]);
        check(
            &english,
            &["ammonia nitrogen 1.62 mg", "0.08 times over the target, 0.62 times over class III"],
        );
        check(&chinese, &["fill=\"#F5A524\"", "Ⅴ类", "未达目标Ⅳ类", "5 项中 4 项", "缺：总磷"]);
        check(&chinese, &["超目标 0.08 倍，超Ⅲ类 0.62 倍"]);
        assert!(!english.contains("style="), "the policy forbids it");
    }

    #[test]
    fn what_could_not_be_evaluated_says_why_and_has_no_colour() {
        let none = EvaluationView {
            grade: Text::default(),
            colour: None,
            reason: Text::new("not assessable: too few items", "无法评价：项目不足"),
            target: Text::default(),
            missed: false,
            deciding: Vec::new(),
            items: 2,
            ..class_v()
        };
        let [english, chinese] = rendered(none);
        check(&english, &["not assessable: too few items", "2 of 5"]);
        check(&chinese, &["无法评价：项目不足", "5 项中 2 项"]);
        assert!(!english.contains("fill=") && !chinese.contains("fill="));
    }

    #[test]
    fn an_index_has_its_number_before_its_grade() {
        let aqi = EvaluationView {
            id: "aqi".to_owned(),
            index: Text::same("AQI"),
            value: Text::same("114"),
            grade: Text::new("lightly polluted", "轻度污染"),
            colour: Some("#FF7E00".to_owned()),
            marks: vec![Text::new("too <old>", "已过时")],
            ..class_v()
        };
        let [english, chinese] = rendered(aqi);
        check(&english, &["AQI <svg", "fill=\"#FF7E00\"", "</svg> 114 lightly polluted"]);
        check(&english, &["<span class=\"mark\">too &lt;old&gt;</span>"]);
        check(&chinese, &["114 轻度污染", "<span class=\"mark\">已过时</span>"]);
    }

    #[test]
    fn a_park_has_its_share_and_a_set_its_grade() {
        let mut view = view("Puhe");
        view.places[0].evaluations = vec![EvaluationView {
            id: "water_reuse".to_owned(),
            index: Text::new("water reuse", "重复用水率"),
            value: Text::same("94.4 %"),
            grade: Text::default(),
            colour: None,
            ..class_v()
        }];
        view.sets = vec![SetView {
            id: "puhe-sections".to_owned(),
            place: Text::new("Puhe <River>", "蒲河"),
            evaluations: vec![class_v()],
        }];
        view.sets_of = 300;
        view.classes = vec![TallyView { name: Text::same("V"), colour: None, count: 7 }];
        let page = render(&view, Language::English);
        check(&page, &["water reuse", "94.4 %", "Puhe &lt;River&gt;", "puhe-sections"]);
        check(&page, &["The first are shown: 1 of 300", "<strong>7</strong>"]);
    }

    #[test]
    fn a_station_that_has_no_evaluation_yet_says_so() {
        let mut view = view("Puhe");
        view.places[0].stations[0].unevaluated = Text::new("no class yet", "尚无类别");
        check(&render(&view, Language::English), &["no class yet"]);
        check(&render(&view, Language::Chinese), &["尚无类别"]);
    }

    #[test]
    fn what_does_not_fit_is_a_page_further() {
        let mut view = view("Puhe");
        view.part =
            PartView { number: 2, of: 3, first: 101, last: 200, stations: 250, exceeding: 0 };
        let page = render(&view, Language::English);
        check(&page, &["Stations 101–200 of 250", "page=1\">Before", "page=3\">After"]);
        check(&page, &["?page=2&amp;lang=zh"]);
    }

    #[test]
    fn what_comes_from_outside_is_escaped() {
        let html = render(&view("<script>alert(1)</script>"), Language::English);
        assert!(!html.contains("<script>") && html.contains("&lt;script&gt;"));
        assert!(html.contains("2.40") && html.contains("flag 3"));
    }

    #[test]
    fn the_tests_behind_a_flag_stand_beside_it_without_a_script() {
        let english = render(&view("Puhe"), Language::English);
        assert!(english.contains("<details><summary>"), "{english}");
        assert!(english.contains("flag 3: spike"), "{english}");
        assert!(english.contains("spike: flag 3 – suspect above 2 mg"), "{english}");
        let chinese = render(&view("Puhe"), Language::Chinese);
        assert!(chinese.contains("尖峰: 标识 3 – 可疑 高于 2 mg"), "{chinese}");
    }

    #[test]
    fn each_language_is_whole() {
        let english = render(&view("Puhe"), Language::English);
        assert!(english.contains("lang=\"en\"") && english.contains("dissolved oxygen"));
        let chinese = render(&view("Puhe"), Language::Chinese);
        assert!(chinese.contains("lang=\"zh\"") && chinese.contains("溶解氧"));
        assert!(!chinese.contains("dissolved oxygen") && chinese.contains("站点"));
    }

    fn now(view: &NowView, language: Language) -> String {
        let shown = Shown::new("now.html", view).with_live(&["live_open"]);
        let visit = Visit::anybody(language, Role::View);
        let templates = Templates::new().unwrap();
        let whole = templates.render(&shown, &visit, "/").unwrap();
        let live = templates.live(&shown, &visit, "/").unwrap();
        assert!(whole.contains(&*live[0].1), "a block is what it is on the page");
        whole
    }

    #[test]
    fn all_well_is_said_and_an_alert_is_one_sentence() {
        let mut view = NowView { stations: 2, speaking: 2, stations_of: 3, ..NowView::default() };
        let all_well = now(&view, Language::English);
        check(&all_well, &["No alert is open", "All well", "2 of 3 stations"]);
        check(&now(&view, Language::Chinese), &["无未解除告警", "一切正常"]);
        view.over = vec![Text::new("Puhe at Huishan", "蒲河辉山")];
        view.over_of = 3;
        let over = now(&view, Language::English);
        check(&over, &["No alert is open", "not for long enough", "Puhe at Huishan", "and 2 more"]);
        assert!(!over.contains("All well"));
        view.critical = 1;
        view.alerts = vec![OpenView {
            id: 7,
            severity: "critical".to_owned(),
            sentence: Text::new("Puhe <b>", "蒲河"),
            person: "Li Na".to_owned(),
            ..OpenView::default()
        }];
        let fires = now(&view, Language::English);
        check(&fires, &["■ 1 critical", "/alerts/7", "Puhe &lt;b&gt;", "looked after by Li Na"]);
        assert!(!fires.contains("All well") && fires.contains("and 2 more"));
    }

    #[test]
    fn nothing_heard_yet_says_what_to_do() {
        check(&now(&NowView::default(), Language::English), &["weir check --connect"]);
    }

    #[test]
    fn the_head_says_the_zone_for_when_weir_is_lost_and_each_silence() {
        let strip = StripView { zone: "UTC+8".to_owned(), east_min: 480, ..StripView::default() };
        let view = NowView { stations: 2, silences: 1, ..NowView::default() };
        let shown = Shown { strip, ..Shown::new("now.html", view) };
        let html = |language| {
            let visit = Visit::anybody(language, Role::View);
            Templates::new().unwrap().render(&shown, &visit, "/").unwrap()
        };
        let english = html(Language::English);
        let silences = "href=\"/alerts/silences\">1 silence in force</a>";
        check(&english, &["data-zone=\"UTC+8\"", "data-east=\"480\"", silences]);
        assert!(!english.contains("All well"), "nobody is told of what is silenced: {english}");
        let chinese = html(Language::Chinese);
        assert!(chinese.contains("1 条静默生效中") && !chinese.contains("一切正常"), "{chinese}");
    }
}
