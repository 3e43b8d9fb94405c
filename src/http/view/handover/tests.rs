//! The handover as it is written, of what the daemon may give it.

use super::*;
use crate::http::pages::Shown;
use crate::http::templates::Templates;
use crate::http::view::DoubtView;
use crate::http::view::weir::LetterCount;
use crate::http::visit::{Language, Role, Visit};

const MARKUP: &str = "<b onclick=x>&";

fn render(view: &HandoverView, language: Language) -> String {
    let shown = Shown::new("handover.html", view);
    let visit = Visit::anybody(language, Role::Operate);
    Templates::new().unwrap().render(&shown, &visit, "/handover").unwrap()
}

#[track_caller]
fn check(html: &str, wanted: &[&str]) {
    for wanted in wanted {
        assert!(html.contains(wanted), "`{wanted}` is not in {html}");
    }
    assert!(!html.contains("<b onclick") && !html.contains("style="), "{html}");
}

/// Gives a handover with so many of everything that lists some of it, each with these words.
fn full(count: usize, words: &str) -> HandoverView {
    let text = || Text::same(words);
    let own = || words.to_owned();
    let alert = |id: u64| OpenView {
        id,
        severity: "warning".to_owned(),
        sentence: text(),
        since: "06-01 11:04".to_owned(),
        person: "Li Na".to_owned(),
        ..OpenView::default()
    };
    let silence = SilenceView { id: 4, of: text(), reason: own(), ..SilenceView::default() };
    let dot = DotView { label: text(), name: text(), title: text(), ..DotView::default() };
    let doubts = vec![DoubtView { test: text(), flag: 3, threshold: text() }];
    let value =
        ValueView { property: text(), value: own(), flag: 4, doubts, ..ValueView::default() };
    let count_of = LetterCount { device: own(), total: 3, ..LetterCount::default() };
    let letters =
        LettersView { count: count_of, why: text(), newest: Some(9), ..LettersView::default() };
    let said = SaidView {
        station: text(),
        property: text(),
        reason: own(),
        revoked: own(),
        ..SaidView::default()
    };
    let shelved = |id| ShelvedView { alert: alert(id), until: "06-01 19:04".to_owned() };
    let happened = HappenedView { alert: Some(7), words: text(), ..HappenedView::default() };
    let few = count.min(10) as u64;
    HandoverView {
        open: (0..20).take(count).map(alert).collect(),
        open_of: 1_000,
        taken: (0..few).map(alert).collect(),
        taken_of: 500,
        shelved: (0..few).map(shelved).collect(),
        shelved_of: 300,
        silences: vec![silence; count.min(15)],
        silences_of: 99,
        unwell: vec![UnwellView { place: text(), dot }; count.min(30)],
        unwell_of: 10_000,
        doubted: vec![
            DoubtedView { value, station: text(), ..DoubtedView::default() };
            count.min(20)
        ],
        doubted_of: 4_000,
        letters: vec![letters; count.min(20)],
        letters_of: 80,
        happened: vec![happened; count.min(80)],
        cut: true,
        said: vec![said; count.min(20)],
        said_of: 40,
        ..HandoverView::default()
    }
}

#[test]
fn everything_that_is_handed_over_is_said_in_both_languages() {
    let view = full(1, "Puhe");
    let english = render(&view, Language::English);
    for words in [
        "Acknowledged, still open</h2>".trim_end_matches("</h2>"),
        "What nobody is told of",
        "Silences in force",
        "Stations that are not well",
        "Sensors in doubt",
        "Values that persons took out or doubt",
        "taken back by",
        "Broken messages",
        "/weir/letters/9",
        "Handed over by (name, time)",
        "999 more",
    ] {
        check(&english, &[words]);
    }
    let chinese = render(&view, Language::Chinese);
    check(&chinese, &["已确认、仍未解除", "生效中的静默", "异常站点", "存疑的传感器", "异常报文"]);
    check(&chinese, &["已撤销", "交班人（签名、时间）", "另有 999 条"]);
    assert!(!chinese.contains("in force") && !chinese.contains("死信"), "{chinese}");
}

#[test]
fn what_there_is_none_of_is_said_to_be_none() {
    let english = render(&HandoverView::default(), Language::English);
    check(&english, &["Silences in force (0)", "no station is without data", "Nothing."]);
    assert!(!english.contains("Shelved"), "{english}");
}

#[test]
fn what_comes_from_outside_is_escaped() {
    check(&render(&full(1, MARKUP), Language::English), &["&lt;b onclick=x&gt;"]);
}

#[test]
fn the_longest_handover_has_no_more_than_150_kb() {
    // As long as the sentences of alerts are: 80 signs.
    let html = render(&full(100, &"浑河东陵大桥溶解氧实测值".repeat(5)), Language::Chinese);
    assert!(html.len() < 150_000, "{} bytes", html.len());
}
