//! What flags say of an instrument, from the message to who is called.
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
use serde_json::{Value, json};
use weir::domain::alert::{AlertChange, AlertEvent, Route, Subject};
use weir::domain::cause::Found;
use weir::domain::desk::NoticeKind;
use weir::domain::input::{Condition, Input};
use weir::domain::observation::Period;
use weir::domain::quality::{Flag, Test};
use weir::domain::time::{HOUR, MINUTE, SECOND};
use weir::notify::{Letterhead, Taker, notification, takers};

use play::run::Run;

/// 2026-06-01T08:00:00+08:00.
const START: i64 = 1_780_272_000_000;

struct Watched {
    run: Run,
    alerts: Vec<AlertEvent>,
}

impl Watched {
    fn new() -> Self {
        Self { run: Run::new(START, &[]), alerts: Vec::new() }
    }

    fn gather(&mut self) {
        self.alerts.extend(self.run.player.out.alerts.iter().copied());
    }

    /// Has a sonde say something every minute of a span, as it is.
    fn say(&mut self, minutes: std::ops::Range<i64>, values: &str) {
        for minute in minutes {
            let time = START + minute * MINUTE;
            self.run.clock(time + SECOND);
            self.gather();
            self.run.send("sonde-01", time, values);
            self.gather();
        }
    }

    /// Gives what was told by a rule since it was asked last.
    fn take(&mut self, rule: &str) -> Vec<AlertEvent> {
        let registry = &self.run.registry;
        let by =
            |event: &AlertEvent| registry.rule(event.rule).is_some_and(|one| &*one.name == rule);
        self.alerts.extract_if(.., |event| by(event)).collect()
    }

    fn changes(&mut self, rule: &str) -> Vec<AlertChange> {
        self.take(rule).iter().map(|event| event.change).collect()
    }

    fn body(&self, event: &AlertEvent) -> Value {
        notification(&self.run.registry, event, &Letterhead::plain(TimeZone::UTC)).body
    }
}

#[test]
fn each_of_two_people_is_called_for_his_own() {
    let mut watched = Watched::new();
    watched.say(0..20, "\"do\":2.4,\"ph\":14.2");
    let [river] = watched.take("water-exceedance")[..] else { panic!("one") };
    let [probe] = watched.take("water-instrument")[..] else { panic!("one") };
    let all = [("duty", Route::Environment), ("technician", Route::Instrument)];
    let of = |(name, route): (&str, Route)| {
        let (channel, routes) = (name.into(), vec![route]);
        Taker { channel, routes, step: 0, keeps: false }
    };
    let called = |event: &AlertEvent| {
        let told = notification(&watched.run.registry, event, &Letterhead::plain(TimeZone::UTC));
        takers(&all.map(of), told.route, 0, NoticeKind::Alerts)
    };
    assert_eq!(called(&river), ["duty".into()]);
    assert_eq!(called(&probe), ["technician".into()]);

    let body = watched.body(&probe);
    assert_eq!(body["route"], "instrument");
    assert_eq!(body["commonLabels"]["route"], "instrument");
    assert_eq!(body["commonLabels"]["kind"], "instrument");
    assert_eq!(body["commonLabels"]["property"], "ph");
    assert_eq!(body["commonAnnotations"]["cause"], "gross_range");
    let cause = json!({
        "test": "gross_range", "flag": 4, "since": "2026-06-01T08:00:00+08:00",
        "datastream": "puhe-huishan/ph", "value": 14.2, "unit": "", "low": 0.0, "high": 14.0,
    });
    assert_eq!(body["cause"], cause);
    let river = watched.body(&river);
    assert_eq!((&river["route"], &river["cause"]), (&json!("environment"), &Value::Null));
}

#[test]
fn silence_and_missing_values_end_no_fault() {
    let mut watched = Watched::new();
    watched.say(0..20, "\"ph\":14.2");
    assert_eq!(watched.changes("water-instrument"), [AlertChange::Fired]);
    watched.say(20..60, "\"ph\":null");
    watched.run.clock(START + 5 * HOUR);
    watched.gather();
    assert_eq!(watched.changes("water-instrument"), []);
    watched.say(300..331, "\"ph\":7.2");
    assert_eq!(watched.changes("water-instrument"), [AlertChange::Resolved]);
}

#[test]
fn what_is_only_unexpected_calls_the_river_side_alone_and_says_why() {
    let mut watched = Watched::new();
    // pH above 9 exceeds every class, and above 9.8 is not expected here.
    watched.say(0..20, "\"ph\":9.9");
    assert_eq!(watched.changes("water-instrument"), []);
    let [river] = watched.take("water-exceedance")[..] else { panic!("one") };
    let cause = river.cause.unwrap();
    assert!(river.unconfirmed);
    assert_eq!((cause.test, cause.flag), (Test::GrossRange, Flag::Suspect));
    assert_eq!(cause.found, Found::Outside(5.5, 9.8));
    let told = watched.body(&river);
    let words = told["commonAnnotations"]["summary_en"].as_str().unwrap();
    assert!(words.ends_with("(unconfirmed, suspect: outside what is expected here, 5.5 to 9.8)"));
    let words = told["commonAnnotations"]["summary_zh"].as_str().unwrap();
    assert!(words.ends_with("（待核实，数值存疑：超出本站预期范围（5.5～9.8））"), "{words}");
}

#[test]
fn a_range_that_is_too_small_is_told_and_the_value_stays_sound() {
    let mut watched = Watched::new();
    watched.say(0..20, "\"turb\":\">1000\"");
    let [probe] = watched.take("water-instrument")[..] else { panic!("one") };
    let cause = probe.cause.unwrap();
    assert_eq!((cause.test, cause.flag), (Test::DeviceMark, Flag::Pass));
    assert_eq!(cause.found, Found::AboveRange(1_000.0));
}

#[test]
fn another_rule_withdraws_the_alert_and_its_own_fires_anew() {
    let mut watched = Watched::new();
    watched.say(0..20, "\"ph\":14.2");
    assert_eq!(watched.changes("water-instrument"), [AlertChange::Fired]);
    let row =
        "huishan-instrument,station:puhe-huishan,instrument,,,2,2,,,critical,Look.,看。,a test\n";
    watched.run.adopt("b", &[("rules.csv", row)]);
    watched.gather();
    assert_eq!(watched.changes("water-instrument"), [AlertChange::Withdrawn]);
    watched.say(20..23, "\"ph\":14.2");
    assert_eq!(watched.changes("huishan-instrument"), [AlertChange::Fired]);
}

#[test]
fn a_clock_that_is_wrong_is_one_alert_of_the_station() {
    let mut watched = Watched::new();
    let values = "\"ph\":7.2,\"do\":6.8,\"temp\":18.5,\"ec\":700,\"turb\":20";
    for minute in 0..20 {
        watched.run.clock(START + minute * MINUTE);
        watched.run.send("sonde-01", START + minute * MINUTE + 3 * HOUR, values);
        watched.gather();
    }
    let [clock] = watched.take("water-instrument")[..] else { panic!("one") };
    assert!(matches!(clock.subject, Subject::Station(_)), "{clock:?}");
    assert_eq!(clock.cause.unwrap().found, Found::ClockOff(3 * HOUR));
    assert_eq!((clock.value, clock.since.millis()), (None, START));
    // Told of the station, whoever of it says so: labels stay the same.
    let labels = watched.body(&clock)["commonLabels"].clone();
    assert_eq!((&labels["station"], &labels["property"]), (&json!("puhe-huishan"), &Value::Null));
}

#[test]
fn a_sonde_out_of_water_is_one_alert_by_its_conductivity() {
    let mut watched = Watched::new();
    watched.say(0..20, "\"temp\":18.5,\"ph\":7.2,\"do\":8.1,\"ec\":4,\"turb\":1");
    let [air] = watched.take("water-instrument")[..] else { panic!("one") };
    let cause = air.cause.unwrap();
    assert_eq!((cause.test, cause.found), (Test::OutOfWater, Found::Nothing));
    assert!(matches!(air.subject, Subject::Station(_)));
    let words = watched.body(&air)["commonAnnotations"]["summary_en"].clone();
    let want = "Puhe at Huishan: out of water: electrical conductivity 4.0 uS/cm (value of";
    assert!(words.as_str().unwrap().starts_with(want), "{words}");
    watched.say(20..60, "\"temp\":18.5,\"ph\":7.2,\"do\":8.1,\"ec\":700,\"turb\":20");
    assert_eq!(watched.changes("water-instrument"), [AlertChange::Resolved]);
}

#[test]
fn a_sonde_in_ice_is_told_as_such() {
    let mut watched = Watched::new();
    watched.say(0..20, "\"temp\":-0.1,\"ph\":7.2,\"do\":8.1,\"ec\":4,\"turb\":1");
    let [ice] = watched.take("water-instrument")[..] else { panic!("one") };
    assert_eq!(ice.cause.unwrap().found, Found::Cold(-0.1));
    let words = watched.body(&ice)["commonAnnotations"]["summary_zh"].clone();
    assert!(words.as_str().unwrap().contains("探头结冰或露出水面：电导率"), "{words}");
}

#[test]
fn what_was_at_fault_in_a_backlog_is_told_once_as_past() {
    let mut watched = Watched::new();
    watched.say(0..5, "\"ph\":7.2");
    let rivers = weir::domain::name::NetworkId(0);
    watched.run.input(Input::Condition(Condition::Disconnected(rivers)));
    watched.run.clock(START + 3 * HOUR);
    watched.run.input(Input::Condition(Condition::Connected(rivers)));
    watched.gather();
    for minute in 5..80 {
        let ph = if minute < 30 { "14.2" } else { "7.2" };
        watched.run.send("sonde-01", START + minute * MINUTE, &format!("\"ph\":{ph}"));
        watched.gather();
    }
    assert_eq!(watched.changes("water-instrument"), [AlertChange::Past]);
}

/// An hour of oxygen: so many minutes that pass, that are suspect (over 20 mg/L) and that fail
/// (over 50 mg/L). Gives the hour.
#[track_caller]
fn check_hour(minutes: [i64; 3], want: (Option<f64>, Flag, (u32, u32))) {
    let mut watched = Watched::new();
    let [passed, suspect, failed] = minutes;
    watched.say(0..passed, "\"do\":6");
    watched.say(passed..passed + suspect, "\"do\":21");
    watched.say(passed + suspect..passed + suspect + failed, "\"do\":60");
    watched.run.clock(START + HOUR + 20 * MINUTE);
    let hour = watched.run.last("puhe-huishan/dissolved_oxygen", Period::Hour)[&START];
    assert_eq!(hour, want);
}

#[test]
fn what_passed_makes_the_mean_and_suspect_values_help_out() {
    check_hour([60, 0, 0], (Some(6.0), Flag::Pass, (60, 60)));
    check_hour([50, 10, 0], (Some(6.0), Flag::Pass, (50, 60)));
    check_hour([30, 30, 0], (Some(13.5), Flag::Suspect, (30, 60)));
    check_hour([0, 60, 0], (Some(21.0), Flag::Suspect, (0, 60)));
}

#[test]
fn what_failed_enters_no_mean() {
    check_hour([50, 0, 10], (Some(6.0), Flag::Pass, (50, 60)));
    check_hour([30, 0, 30], (None, Flag::Missing, (30, 60)));
    check_hour([30, 10, 20], (None, Flag::Missing, (30, 60)));
}
