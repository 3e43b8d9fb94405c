//! The pages of alerts as they are written, of what the daemon may give them.

use super::*;
use crate::http::pages::Shown;
use crate::http::templates::Templates;
use crate::http::view::ValueView;
use crate::http::view::alert::{
    FactView, InvalidationView, NeighbourView, OfView, SparkView, TestView, ToldView, WholeView,
};
use crate::http::visit::{Language, Role, Visit};

const MARKUP: &str = "<b onclick=x>&\"Puhe'";

fn visit(language: Language, role: Role) -> Visit {
    Visit { token: "s3cret".to_owned(), ..Visit::anybody(language, role) }
}

fn render(template: &'static str, view: impl Serialize, visit: &Visit) -> String {
    let shown = Shown::new(template, view);
    Templates::new().unwrap().render(&shown, visit, "/alerts?lang=en").unwrap()
}

#[track_caller]
fn check(html: &str, wanted: &[&str]) {
    for wanted in wanted {
        assert!(html.contains(wanted), "`{wanted}` is not in {html}");
    }
    assert!(!html.contains("<b onclick") && !html.contains("style="), "{html}");
}

fn row(id: u64, name: &str) -> RowView {
    RowView {
        id,
        severity: "critical".to_owned(),
        route: "environment".to_owned(),
        sentence: Text::new(format!("{name}: NH3-N 1.62 mg/L"), format!("{name}：氨氮 1.62 mg/L")),
        since: "06-01 11:00".to_owned(),
        state: Text::new(format!("acknowledged by {name}"), format!("{name} 已确认")),
        ..RowView::default()
    }
}

fn list(rows: Vec<RowView>) -> AlertsView {
    let held =
        CountView { count: 3, address: "/alerts?state=held".to_owned(), ..CountView::default() };
    let (of, last, firing) = (rows.len(), rows.len(), rows.len());
    let zone = "UTC+8".to_owned();
    AlertsView { rows, held, of, last, firing, zone, first: 1, ..AlertsView::default() }
}

fn whole() -> WholeView {
    let text = || Text::new(MARKUP, MARKUP);
    let own = || MARKUP.to_owned();
    let happened = HappenedView { person: own(), words: text(), ..HappenedView::default() };
    let value =
        ValueView { value: "1.62".to_owned(), unit: own(), flag: 1, ..ValueView::default() };
    WholeView {
        id: 7,
        fires: true,
        severity: "warning".to_owned(),
        sentence: text(),
        advice: text(),
        state: text(),
        waits: true,
        undoable: true,
        facts: vec![FactView { name: Text::new("value", "数值"), words: text(), over: true }],
        spark: Some(SparkView {
            width: 480,
            height: 96,
            path: "M0 1.0L2 3.0".to_owned(),
            limits: vec![(12, own())],
            words: text(),
            ..SparkView::default()
        }),
        neighbours: vec![NeighbourView {
            way: Text::new("upstream", "上游"),
            station: own(),
            words: text(),
            value: Some(value),
        }],
        tests: [(3, true), (1, false)]
            .map(|(flag, doubts)| TestView {
                test: text(),
                flag,
                doubts,
                thresholds: vec![text(), text()],
                expressions: vec![own()],
            })
            .to_vec(),
        told: vec![ToldView { channel: own(), answer: own(), ..ToldView::default() }],
        history: vec![happened],
        silences: vec![SilenceView { id: 4, reason: own(), ..SilenceView::default() }],
        invalidations: vec![InvalidationView {
            id: 9,
            reason: own(),
            ..InvalidationView::default()
        }],
        of: OfView { station: own(), values: true, ..OfView::default() },
        ..WholeView::default()
    }
}

#[test]
fn what_comes_from_outside_is_escaped_on_every_page_of_alerts() {
    for language in Language::ALL {
        let visit = visit(language, Role::Admin);
        let wanted = Wanted { search: MARKUP.to_owned(), ..Wanted::default() };
        let listed = AlertsView { wanted, ..list(vec![row(7, MARKUP)]) };
        check(&render("alerts.html", listed, &visit), &["&lt;b onclick=x&gt;&amp;&quot;Puhe"]);
        check(&render("alert.html", whole(), &visit), &["&lt;b onclick=x&gt;", "%3Cb%20onclick"]);
        let silence = SilenceView { reason: MARKUP.to_owned(), ..SilenceView::default() };
        let silences = SilencesView { rows: vec![silence], ..SilencesView::default() };
        check(&render("silences.html", silences, &visit), &["&lt;b onclick=x&gt;"]);
        let happened = HappenedView { words: Text::new(MARKUP, MARKUP), ..HappenedView::default() };
        let history = HistoryView { rows: vec![happened], ..HistoryView::default() };
        check(&render("history.html", history, &visit), &["&lt;b onclick=x&gt;"]);
    }
}

#[test]
fn each_language_is_whole() {
    let english =
        render("alerts.html", list(vec![row(7, "Puhe")]), &visit(Language::English, Role::Admin));
    check(&english, &["■ critical", "Acknowledge", "hidden, nobody is told", "times in UTC+8"]);
    let chinese =
        render("alerts.html", list(vec![row(7, "蒲河")]), &visit(Language::Chinese, Role::Admin));
    check(&chinese, &["■ 严重", "确认", "已隐藏（不通知）", "氨氮 1.62"]);
    assert!(!chinese.contains("Acknowledge") && !chinese.contains("nobody"), "{chinese}");
    let one = render("alert.html", whole(), &visit(Language::Chinese, Role::Admin));
    check(&one, &["是仪器问题…", "静默…", "质控检验", "3 可疑", "上游"]);
    assert!(!one.contains("the sensor") && !one.contains("Evidence"), "{one}");
}

#[test]
fn who_may_only_look_finds_nothing_to_press() {
    let looks = visit(Language::English, Role::View);
    let acts = visit(Language::English, Role::Operate);
    let both = |template, view: &dyn erased::View| {
        [view.html(template, &looks), view.html(template, &acts)]
    };
    for [looks, acts] in [
        both("alerts.html", &list(vec![row(7, "Puhe")])),
        both("alert.html", &whole()),
        both("silences.html", &SilencesView::default()),
    ] {
        assert!(!looks.contains("name=\"deed\""), "{looks}");
        check(&acts, &["name=\"deed\"", "name=\"token\" value=\"s3cret\""]);
    }
}

/// Views of any kind in one list.
mod erased {
    use super::*;

    pub(super) trait View {
        fn html(&self, template: &'static str, visit: &Visit) -> String;
    }

    impl<T: Serialize> View for T {
        fn html(&self, template: &'static str, visit: &Visit) -> String {
            render(template, self, visit)
        }
    }
}

#[test]
fn who_has_a_name_is_not_asked_for_it() {
    let named = Visit { person: "Li Na".to_owned(), ..visit(Language::English, Role::Operate) };
    for html in [
        render("alerts.html", list(vec![row(7, "Puhe")]), &named),
        render("alert.html", whole(), &named),
    ] {
        assert!(!html.contains("name=\"person\""), "{html}");
    }
}

#[test]
fn nothing_that_fires_is_said_as_what_it_is() {
    let visit = visit(Language::English, Role::View);
    let html = |view| render("alerts.html", view, &visit);
    let well = AlertsView { stations: 42, ..AlertsView::default() };
    check(&html(well), &["Nothing fires", "42"]);
    check(&html(AlertsView::default()), &["No station has spoken yet", "weir check --connect"]);
    let narrowed = AlertsView { narrowed: true, firing: 5, ..AlertsView::default() };
    check(
        &html(narrowed),
        &["No open alert is like this", "Show all</a>".trim_end_matches("</a>"), "(5)"],
    );
    let held = CountView { count: 2, ..CountView::default() };
    check(
        &html(AlertsView { held, ..AlertsView::default() }),
        &["hidden, nobody is told", "<b>2</b>"],
    );
    check(&render("silences.html", SilencesView::default(), &visit), &["Nothing is silenced"]);
    check(&render("history.html", HistoryView::default(), &visit), &["Nothing happened yet"]);
}

#[test]
fn tests_that_doubt_a_value_are_shown_and_the_others_are_folded() {
    let html = render("alert.html", whole(), &visit(Language::English, Role::View));
    let tests = html.split("id=\"tests\"").nth(1).unwrap().split("</section>").next().unwrap();
    let (open, folded) = tests.split_once("Passed or not evaluated (1)</summary>").unwrap();
    assert!(open.contains("3 suspect") && !open.contains("1 passed"), "{open}");
    assert!(folded.contains("1 passed") && !folded.contains("3 suspect"), "{folded}");
    let happened = "aria-labelledby=\"happened\"><table class=\"stack\">";
    assert!(html.contains(happened), "on a phone each entry stands below the other: {html}");
    let none = WholeView { tests: whole().tests.split_off(1), ..whole() };
    let html = render("alert.html", none, &visit(Language::Chinese, Role::View));
    assert!(html.contains("该数值未被任何检验判为可疑或错误"), "{html}");
}

#[test]
fn what_is_kept_up_is_of_no_single_person() {
    let visit = Visit { person: "Li Na".to_owned(), ..visit(Language::English, Role::Admin) };
    for (shown, names) in [
        (Shown::new("alerts.html", list(vec![row(7, "Puhe")])), &["live_counts", "live_rows"][..]),
        (Shown::new("alert.html", whole()), &["live_head", "live_evidence", "live_happened"][..]),
    ] {
        let templates = Templates::new().unwrap();
        let shown = Shown { live: Box::leak(names.to_vec().into_boxed_slice()), ..shown };
        let page = templates.render(&shown, &visit, "/alerts").unwrap();
        let blocks = templates.live(&shown, &visit, "/alerts").unwrap();
        let kept: Vec<&str> = blocks.iter().map(|(name, _)| &**name).collect();
        assert!(names.iter().all(|name| kept.contains(name)), "{kept:?}");
        for (name, html) in blocks.iter().filter(|(name, _)| names.contains(&&**name)) {
            assert!(page.contains(&format!("<div id=\"{name}\">{html}</div>")), "{name}: {html}");
            assert!(!html.contains("s3cret") && !html.contains("Li Na"), "{name}: {html}");
        }
    }
    let rows = render("alerts.html", list(vec![row(7, "Puhe")]), &visit);
    check(&rows, &["id=\"alert-7\" data-row", "name=\"alert\" value=\"7\""]);
}

#[test]
fn the_longest_list_has_no_more_than_150_kb() {
    let long = "Hunhe at a bridge with a long name, 浑河一座名字很长的桥";
    let rows = (0..50).map(|id| row(id, &long.repeat(4))).collect();
    let option =
        |n: usize| NamedView { name: format!("station-{n}"), words: Text::same(long), count: 9 };
    let choice = || ChoiceView { options: (0..60).map(option).collect(), ..ChoiceView::default() };
    let choices = vec![choice(), choice(), choice(), choice()];
    let view = AlertsView { choices, of: 1_000, ..list(rows) };
    let html = render("alerts.html", view, &visit(Language::Chinese, Role::Admin));
    assert!(html.len() < 150_000, "{} bytes", html.len());
}

#[test]
fn an_address_says_what_is_wanted_and_nothing_else() {
    let query = Query::of("place=puhe&search=a+%26b&page=3&state=&x=1&sort=newest");
    let wanted = Wanted::of(&query);
    assert_eq!(wanted.address(), "/alerts?place=puhe&search=a+%26b&sort=newest&page=3");
    assert!(wanted.narrows());
    assert!(!Wanted { sort: "name".to_owned(), page: 9, ..Wanted::default() }.narrows());
    assert_eq!(Wanted::default().address(), "/alerts");
}
