//! The pages of a station, made of what the door is given.

use super::*;
use crate::http::templates::Templates;
use crate::http::view::station::{LatestView, RawMessage, SaidView};
use crate::http::view::{DoubtView, EvaluationView, ValueView};
use crate::http::visit::{Language, Role, Visit};

/// 2026-06-01T00:00:00+08:00.
const BEGIN: Timestamp = Timestamp(1_780_243_200_000);

fn series(minutes: i64, spike: Option<usize>) -> Series {
    let point = |minute: i64| {
        let at = BEGIN.plus(minute * 60_000);
        Point { at, until: at, value: Some(6.5), flag: 1, ..Point::default() }
    };
    let mut points: Vec<Point> = (0..minutes).map(point).collect();
    if let Some(point) = spike.and_then(|at| points.get_mut(at)) {
        point.value = Some(2.1);
    }
    let to = BEGIN.plus(minutes * 60_000);
    Series {
        series: "puhe/<b>/oxygen".to_owned(),
        property: Text::new("dissolved <oxygen>", "溶解氧"),
        position: String::new(),
        kind: Text::new("raw value", "原始值"),
        statistic: "instant".to_owned(),
        sensed: true,
        unit: "mg/L".to_owned(),
        decimals: 2,
        zone: TimeZone::fixed(jiff::tz::offset(8)),
        from: BEGIN,
        to,
        now: to,
        gap_ms: 120_000,
        points,
        limits: vec![LimitLine {
            name: Text::same("≥ 3 mg/L GB 3838-2002 IV"),
            low: Some(3.0),
            ..LimitLine::default()
        }],
        choices: Vec::new(),
        periods: vec![Choice { id: "native".to_owned(), chosen: true, ..Choice::default() }],
        notes: vec![Text::new("the database is away", "数据库无法访问")],
    }
}

fn station() -> StationPage {
    let value = ValueView {
        property: Text::new("dissolved oxygen", "溶解氧"),
        value: "–".to_owned(),
        at: "2026-06-01T00:00:00+08:00".to_owned(),
        flag: 9,
        ..ValueView::default()
    };
    let missing = Text::new("the device sent no value", "设备未发送数值");
    let latest = LatestView { value, missing, ..LatestView::default() };
    let said = SaidView { id: 7, person: "<i>Li</i>".to_owned(), ..SaidView::default() };
    let name = Text::new("Puhe <script>", "蒲河");
    let id = "puhe".to_owned();
    let index = Text::new("water class", "水质类别");
    let evaluations = vec![EvaluationView { index, ..EvaluationView::default() }];
    StationPage {
        evaluations,
        id,
        name,
        values: vec![latest],
        said: vec![said],
        ..StationPage::default()
    }
}

fn rendered(found: &Series, query: &str, language: Language, role: Role) -> String {
    let series = Some(series_view(found, &Query::of(query)));
    let whole = Whole { station: station(), series, strip: StripView::default() };
    let shown = Shown::new("station.html", whole).with_live(&["live_station"]);
    let visit = Visit::anybody(language, role);
    let here = format!("/stations/puhe?{query}");
    Templates::new().unwrap().render(&shown, &visit, &here).unwrap()
}

#[track_caller]
fn check(html: &str, wanted: &[&str], unwanted: &[&str]) {
    for wanted in wanted {
        assert!(html.contains(wanted), "`{wanted}` is not in {html}");
    }
    for unwanted in unwanted {
        assert!(!html.contains(unwanted), "`{unwanted}` is in {html}");
    }
}

#[test]
fn a_month_of_minutes_is_a_page_of_a_hundred_and_fifty_kilobytes_with_its_spike() {
    let found = series(31 * 24 * 60, Some(20_000));
    for query in ["span=31d", "span=31d&table=1", "span=31d&table=2&lang=zh"] {
        let html = rendered(&found, query, Language::English, Role::Operate);
        assert!(html.len() < 150_000, "{query}: {}", html.len());
        check(
            &html,
            &["2.10", "role=\"img\"", "aria-labelledby=\"plot-title plot-desc\""],
            &["NaN", "style=\""],
        );
    }
}

#[test]
fn the_table_is_one_link_away_and_each_row_leads_to_its_message() {
    let found = series(700, None);
    let drawn = rendered(&found, "span=24h", Language::English, Role::View);
    check(&drawn, &["&amp;table=1#numbers", "the database is away", "series.csv?"], &["<caption"]);
    let table = rendered(&found, "span=24h&table=1", Language::English, Role::View);
    let raw = "raw?series=puhe%2F%3Cb%3E%2Foxygen&amp;at=";
    check(&table, &[raw, "1 / 3", "table=2#numbers"], &["<title>06-01"]);
    assert_eq!(table.matches("aria-label=\"raw message of").count(), ROWS_SHOWN_MAX);
    let beyond = rendered(&found, "table=99", Language::English, Role::View);
    check(&beyond, &["3 / 3"], &[]);
}

#[test]
fn what_comes_from_outside_is_escaped_and_both_languages_are_whole() {
    let found = series(60, None);
    let english = rendered(&found, "", Language::English, Role::Operate);
    check(
        &english,
        &["Puhe &lt;script&gt;", "&lt;i&gt;Li&lt;", "dissolved &lt;oxygen&gt;"],
        &["<script>", "<i>", "<b>", "原始"],
    );
    check(&english, &["the device sent no value", "≥ 3 mg"], &[]);
    let chinese = rendered(&found, "", Language::Chinese, Role::Operate);
    check(
        &chinese,
        &["设备未发送数值", "数据库无法访问", "最新数值", "判定数值无效"],
        &["Latest", "least", "the device"],
    );
}

#[test]
fn who_may_only_look_has_no_form_that_changes_anything() {
    let found = series(60, None);
    let forms =
        |role| rendered(&found, "", Language::English, role).matches("action=\"/act\"").count();
    assert_eq!((forms(Role::View), forms(Role::Operate), forms(Role::Admin)), (0, 2, 2));
}

#[test]
fn the_time_goes_on_as_far_as_there_is_one() {
    let mut found = series(24 * 60, None);
    let of = |found: &Series, query: &str| series_view(found, &Query::of(query));
    let newest = of(&found, "span=24h");
    assert_eq!(newest.later, "");
    assert!(newest.earlier.contains("until=2026-06-01T00%3A00%3A00%2B08%3A00"), "{newest:?}");
    found.now = found.to.plus(HOUR);
    assert!(!of(&found, "span=24h").later.contains("until"), "the day after is not over");
    found.now = found.to.plus(5 * DAY);
    let later = of(&found, "span=24h").later;
    assert!(later.contains("span=24h") && later.contains("until=2026-06-03"), "{later}");
}

#[test]
fn a_page_that_is_kept_up_makes_its_live_block_only() {
    let whole = Whole { station: station(), series: None, strip: StripView::default() };
    let shown = Shown::new("station.html", whole).with_live(&["live_station"]);
    let visit = Visit::anybody(Language::English, Role::Operate);
    let live = Templates::new().unwrap().live(&shown, &visit, "/stations/puhe").unwrap();
    let (_, html) = live.iter().find(|(name, _)| name == "live_station").unwrap();
    check(html, &["id=\"value-1\" data-row", "the device sent no value"], &["token", "<form"]);
}

#[test]
fn a_message_is_shown_as_text_and_byte_by_byte() {
    let message = RawMessage {
        topic: "water/<x>/data".to_owned(),
        text: "{\"do\":6.5}".to_owned(),
        hex: vec![["0000".to_owned(), "7b 22".to_owned(), "{\"".to_owned()]],
        value: "6.5 mg/L".to_owned(),
        ..RawMessage::default()
    };
    let page = RawPage { messages: vec![message], ..RawPage::default() };
    let render = |page: &RawPage, language| {
        let shown = Shown::new("raw.html", page);
        let visit = Visit::anybody(language, Role::View);
        Templates::new().unwrap().render(&shown, &visit, "/stations/puhe/raw").unwrap()
    };
    let html = render(&page, Language::English);
    check(&html, &["&lt;x&gt;", "0000  7b 22", "none in force"], &["<x>"]);
    check(&html, &["weir no longer remembers"], &["flag 3"]);
    let text = |words: &str| Text::same(words);
    let doubt = DoubtView { test: text("spike"), flag: 3, threshold: text("above 2 mg/L") };
    let judged = RawPage { flag: Some(3), doubts: vec![doubt], ..page };
    check(
        &render(&judged, Language::English),
        &["flag 3 in doubt", "spike (flag 3): above 2 mg"],
        &[],
    );
    let absent = Text::new("gone since May", "五月前的已删除");
    let page = RawPage { absent, ..RawPage::default() };
    check(&render(&page, Language::Chinese), &["五月前的已删除"], &["gone since May"]);
}
