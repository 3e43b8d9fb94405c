//! Sentences about alerts that fire: whole, as channels, shell and log say them, and as a row of the
//! page says them, where severity and since when stand beside.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    dead_code,
    reason = "a test may panic, and does not need all of the play"
)]

mod play;

use jiff::tz::TimeZone;
use weir::domain::alert::{AlertChange, AlertEvent, AlertId, Severity, Subject, WeirCondition};
use weir::domain::evaluation::{Evaluated, Grade, Index};
use weir::domain::name::RuleId;
use weir::domain::observation::Period;
use weir::domain::registry::Registry;
use weir::domain::time::{HOUR, MINUTE, SECOND, Timestamp};
use weir::notify::{Letterhead, in_row, notification};

use play::run::Run;

/// 2026-06-01T08:00:00+08:00.
const START: i64 = 1_780_272_000_000;

fn rule(registry: &Registry, name: &str) -> RuleId {
    registry.rules.iter().find(|rule| &*rule.name == name).unwrap().id
}

/// Gives an alert by a rule that fires since eight, told ten minutes later.
fn fires(registry: &Registry, name: &str, subject: Subject) -> AlertEvent {
    let times = (Timestamp(START + 10 * MINUTE), Timestamp(START));
    AlertEvent::plain(AlertId(1), rule(registry, name), subject, AlertChange::Fired, times)
}

/// What stands beside is left out, in English and Chinese, and nothing else.
#[track_caller]
fn check(registry: &Registry, event: &AlertEvent, cut: [&[&str]; 2]) {
    let head = Letterhead::plain(TimeZone::fixed(jiff::tz::offset(8)));
    let body = notification(registry, event, &head).body;
    let row = in_row(registry, event, &head);
    for (at, key) in ["summary_en", "summary_zh"].into_iter().enumerate() {
        let mut want = body["commonAnnotations"][key].as_str().unwrap().to_owned();
        for words in cut[at] {
            assert!(want.contains(words), "`{words}` is not in `{want}`");
            want = want.replacen(words, "", 1);
        }
        assert_eq!(row[at], want);
    }
}

/// Has oxygen be too low for twenty minutes; gives the registry, and the alert about it.
fn river() -> (std::sync::Arc<Registry>, AlertEvent) {
    let (mut run, mut alerts) = (Run::new(START, &[]), Vec::new());
    for minute in 0..20 {
        let time = START + minute * MINUTE;
        run.clock(time + SECOND);
        run.send("sonde-01", time, "\"do\":2.4");
        alerts.extend(run.player.out.alerts.iter().copied());
    }
    let registry = std::sync::Arc::clone(&run.registry);
    let water = rule(&registry, "water-exceedance");
    let event = alerts.into_iter().find(|event| event.rule == water).unwrap();
    (registry, event)
}

#[test]
fn a_row_says_neither_severity_nor_since_when_an_exceedance_lasts() {
    let (registry, event) = river();
    check(&registry, &event, [&[", since 08:00"], &["；自08:00起"]]);
    let severe = AlertEvent { severity: Some(Severity::Critical), confirmed: true, ..event };
    check(&registry, &severe, [&[", critical", ", since 08:00"], &["严重，", "；自08:00起"]]);
    let [english, chinese] = in_row(&registry, &severe, &Letterhead::plain(TimeZone::UTC));
    assert!(english.contains(", confirmed"), "{english}");
    assert!(chinese.contains("（已证实）"), "{chinese}");
    // Of what is over the span is what there is to say.
    let (change, at) = (AlertChange::Resolved, Timestamp(START + HOUR));
    check(&registry, &AlertEvent { change, at, ..event }, [&[], &[]]);
}

#[test]
fn so_it_is_with_all_that_has_no_limit() {
    let (registry, river) = river();
    let Subject::Datastream(id) = river.subject else { panic!() };
    let station = registry.datastream(id).unwrap().station;
    let network = registry.network_called("rivers").unwrap();
    for (name, subject, english, chinese) in [
        ("water-silence", Subject::Station(station), " since 08:00", "自08:00起"),
        ("water-silence", Subject::Datastream(id), " since 08:00", "自08:00起"),
        ("network-silence", Subject::Network(network), " since 08:00", "自08:00起，"),
        ("water-instrument", Subject::Datastream(id), ", since 08:00", "；自08:00起"),
        ("water-not-assessable", Subject::Datastream(id), ", since 08:00", "；自08:00起"),
        (
            "weir-broker-away",
            Subject::Weir { condition: WeirCondition::BrokerAway, network: Some(network) },
            ", since 08:00",
            "，自08:00起",
        ),
    ] {
        check(&registry, &fires(&registry, name, subject), [&[english], &[chinese]]);
    }
    let of = Evaluated::Station(station);
    let subject = Subject::Evaluated { of, index: Index::BlackOdour, period: Period::Month };
    let odour = fires(&registry, "black-odour", subject);
    let odour = AlertEvent { grade: Some(Grade::BlackOdour(1)), ..odour };
    check(&registry, &odour, [&[", since 08:00"], &["；自08:00起"]]);
}
