//! What is told of alerts, when, together with what, and what a person does with them.

mod flapping;
mod limits;
mod matching;
mod random;

use jiff::tz::TimeZone;

use super::*;
use crate::domain::alert::{Route, WeirCondition};
use crate::domain::alerting::GroupBy;
use crate::domain::cause::TestFlags;
use crate::domain::name::{DatastreamId, PlaceId, PropertyId, StationId};
use crate::domain::registry::{
    Datastream, Persistence, Place, Rule, Station, StationGrade, StationStage,
};
use crate::domain::time::{DAY, HOUR, MINUTE, SECOND, Validity};

const RIVER: RuleId = RuleId(0);
const PROBE: RuleId = RuleId(1);
const QUIET: RuleId = RuleId(2);
const LAKE: RuleId = RuleId(3);

/// Two rivers; the first has two stations of two datastreams each, the second has one of one.
fn registry(alerting: Alerting) -> Registry {
    let mut registry = Registry::empty();
    registry.judgement.alerting = alerting;
    for (index, (name, part_of)) in
        [("city", None), ("hun", Some(0)), ("pu", Some(0))].into_iter().enumerate()
    {
        let id = PlaceId(index as u32);
        let part_of = part_of.map(PlaceId);
        let place = Place {
            id,
            name: name.into(),
            kind: "".into(),
            name_en: name.into(),
            name_zh: name.into(),
            part_of,
            grid: "".into(),
        };
        registry.places.put(index, place);
    }
    for (index, (place, streams)) in [(1, [0, 1]), (1, [2, 3]), (2, [4, 4])].into_iter().enumerate()
    {
        let id = StationId(index as u32);
        let mut station = Station {
            id,
            name: "s".into(),
            place: PlaceId(place),
            name_en: "s".into(),
            name_zh: "s".into(),
            latitude: None,
            longitude: None,
            zone: TimeZone::UTC,
            target_class: "".into(),
            other_classes: Vec::new(),
            section: "".into(),
            do_saturation: false,
            grade: StationGrade::default(),
            stage: StationStage::default(),
            operator: "".into(),
            validity: Validity::default(),
            datastreams: Vec::new(),
        };
        for stream in streams {
            let id = DatastreamId(stream);
            station.datastreams.push(id);
            let of = ("", PropertyId(stream % 2));
            let one = Datastream::plain(id, "s/p", StationId(index as u32), of);
            registry.datastreams.put(stream as usize, one);
        }
        registry.stations.put(index, station);
    }
    put_rules(&mut registry);
    registry
}

fn put_rules(registry: &mut Registry) {
    let pending = Persistence::Values(1);
    let instrument = RuleKind::Instrument { pending, keep: pending, tests: TestFlags::ALL };
    let silence = RuleKind::Silence { intervals: 5.0 };
    for (id, kind, route, severity) in [
        (RIVER, instrument, Route::Environment, Severity::Critical),
        (PROBE, instrument, Route::Instrument, Severity::Warning),
        (QUIET, silence, Route::Instrument, Severity::Warning),
        (LAKE, instrument, Route::Environment, Severity::Notice),
    ] {
        let rule = Rule {
            id,
            name: "".into(),
            kind,
            warning_share: None,
            rises: [].into(),
            route,
            severity,
            advice_en: "".into(),
            advice_zh: "".into(),
        };
        registry.rules.put(id.index(), rule);
    }
}

/// A desk, its edition and the time, with what was told.
struct Run {
    registry: Registry,
    desk: Desk,
    now: i64,
    told: Vec<Notice>,
    alerts: BTreeMap<(RuleId, u32), AlertId>,
    firing: BTreeSet<AlertId>,
    last: u64,
}

impl Run {
    fn new(alerting: Alerting) -> Self {
        let (registry, desk) = (registry(alerting), Desk::default());
        let (told, alerts, firing) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
        Self { registry, desk, now: 0, told, alerts, firing, last: 0 }
    }

    fn at(&self) -> Moment {
        Moment { wall: Timestamp(1_800_000_000_000 + self.now), elapsed_ms: self.now }
    }

    fn change(&mut self, rule: RuleId, subject: Subject, change: AlertChange) -> AlertId {
        let Subject::Datastream(DatastreamId(of)) = subject else { panic!("of a datastream") };
        self.changes(&[(rule, subject, of, change)]);
        self.alerts[&(rule, of)]
    }

    fn changes(&mut self, changes: &[(RuleId, Subject, u32, AlertChange)]) {
        let at = self.at();
        let events: Vec<AlertEvent> = changes
            .iter()
            .map(|(rule, subject, of, change)| {
                if *change == AlertChange::Fired {
                    self.last += 1;
                    self.alerts.insert((*rule, *of), AlertId(self.last));
                }
                let alert = self.alerts[&(*rule, *of)];
                AlertEvent::plain(alert, *rule, *subject, *change, (at.wall, at.wall))
            })
            .collect();
        self.desk.take(&self.registry, &events, at, &mut self.told);
    }

    fn fire(&mut self, rule: RuleId, stream: u32) -> AlertId {
        self.change(rule, Subject::Datastream(DatastreamId(stream)), AlertChange::Fired)
    }

    /// One that fires is more urgent now.
    fn worsen(&mut self, rule: RuleId, stream: u32, severity: Severity) {
        let (at, subject) = (self.at(), Subject::Datastream(DatastreamId(stream)));
        let (alert, change) = (self.alerts[&(rule, stream)], AlertChange::Changed);
        let event = AlertEvent::plain(alert, rule, subject, change, (at.wall, at.wall));
        let event = AlertEvent { severity: Some(severity), ..event };
        self.desk.take(&self.registry, &[event], at, &mut self.told);
    }

    fn end(&mut self, rule: RuleId, stream: u32) -> AlertId {
        self.change(rule, Subject::Datastream(DatastreamId(stream)), AlertChange::Resolved)
    }

    fn act(&mut self, what: What) {
        let (person, words) = ("Li Na".to_owned(), "there".to_owned());
        let act = AlertAct { what, person, words, behalf: None };
        let at = self.at();
        self.desk.act(&self.registry, &act, at, &mut self.told);
    }

    /// Lets time pass, with a tick a second.
    fn wait(&mut self, millis: i64) {
        let end = self.now + millis;
        while self.now < end {
            self.now = (self.now + SECOND).min(end);
            self.tick();
        }
    }

    /// Lets much time pass at once.
    fn leap(&mut self, millis: i64) {
        self.now += millis;
        self.tick();
    }

    fn tick(&mut self) {
        let (at, before) = (self.at(), self.desk.clone());
        let due = self.desk.is_due(&self.registry, at);
        let told = self.told.len();
        let changed = self.desk.tick(&self.registry, at, &mut self.told);
        // What is not due changes nothing, and what changes nothing is not told.
        assert!(due || !changed);
        assert_eq!(changed || told != self.told.len(), self.desk != before);
    }

    /// Gives what was told since it was asked last: a letter for why, the step where it is not 0,
    /// and the alerts, with a minus where one ended.
    fn told(&mut self) -> String {
        let said = self.told.drain(..).map(|notice| {
            let why = match notice.kind {
                NoticeKind::Alerts => "",
                NoticeKind::Reminder => "again ",
                NoticeKind::Escalation => "passed on ",
                NoticeKind::Acknowledged => "seen ",
            };
            let step = if notice.step > 0 { format!("({}) ", notice.step) } else { String::new() };
            let entries = notice.entries.iter().map(|one| {
                let fires = matches!(one.event.change, AlertChange::Fired | AlertChange::Changed);
                let flaps = one.flaps.map_or_else(String::new, |count| format!("~{count}"));
                format!("{}{}{flaps}", if fires { "" } else { "-" }, one.event.alert.0)
            });
            let more = match notice.unlisted.len() {
                0 => String::new(),
                more => format!(" and {more}"),
            };
            format!("{why}{step}{}{more}", entries.collect::<Vec<_>>().join(" "))
        });
        said.collect::<Vec<_>>().join("; ")
    }

    #[track_caller]
    fn check(&mut self, want: &str) {
        assert_eq!(self.told(), want);
    }
}

fn terms() -> Alerting {
    Alerting { flap_fires: 0, repeat_ms: 0, ..Alerting::default() }
}

#[test]
fn the_first_of_a_group_is_told_at_once_and_what_follows_together() {
    let mut run = Run::new(terms());
    run.fire(RIVER, 0);
    run.check("1");
    run.wait(10 * SECOND);
    run.fire(RIVER, 1);
    run.fire(RIVER, 2);
    run.end(RIVER, 0);
    run.check("");
    run.wait(49 * SECOND);
    run.check("");
    run.wait(SECOND);
    run.check("2 3 -1");
    run.wait(2 * MINUTE);
    run.end(RIVER, 1);
    run.check("-2");
}

#[test]
fn another_river_and_another_route_wait_for_nobody() {
    let mut run = Run::new(terms());
    run.fire(RIVER, 0);
    run.fire(RIVER, 4);
    run.fire(PROBE, 1);
    run.check("1; 2; 3");
}

#[test]
fn what_one_input_changes_is_told_together() {
    let mut run = Run::new(terms());
    let of =
        |stream| (RIVER, Subject::Datastream(DatastreamId(stream)), stream, AlertChange::Fired);
    run.changes(&[of(0), of(1), of(4)]);
    run.check("1 2; 3");
}

#[test]
fn with_nothing_gathered_each_change_is_told_by_itself() {
    let mut run = Run::new(Alerting::AT_ONCE);
    run.fire(RIVER, 0);
    run.fire(RIVER, 1);
    run.end(RIVER, 0);
    run.check("1; 2; -1");
}

#[test]
fn groups_are_what_the_settings_say() {
    for (group_by, want) in [
        (GroupBy::Place, "1; 3; 2"),
        (GroupBy::Station, "1; 2; 3"),
        (GroupBy::Route, "1; 2 3"),
        (GroupBy::Alert, "1; 2; 3"),
    ] {
        let mut run = Run::new(Alerting { group_by, ..terms() });
        for stream in [0, 2, 4] {
            run.fire(RIVER, stream);
        }
        run.wait(MINUTE);
        run.check(want);
    }
}

#[test]
fn who_acknowledges_is_told_of_and_hears_no_more_until_it_gets_worse() {
    let steps_ms = [15 * MINUTE, 0, 0];
    let mut run = Run::new(Alerting { repeat_ms: HOUR, steps_ms, ..terms() });
    let alert = run.fire(RIVER, 0);
    run.check("1");
    run.wait(5 * MINUTE);
    run.act(What::Acknowledge { alert, until: None });
    run.check("seen 1");
    run.leap(3 * HOUR);
    run.check("");
    run.change(RIVER, Subject::Datastream(DatastreamId(0)), AlertChange::Changed);
    run.check("1");
    run.leap(HOUR);
    run.end(RIVER, 0);
    run.check("-1");
}

#[test]
fn what_nobody_acknowledges_is_told_again_and_passed_on() {
    let steps_ms = [15 * MINUTE, 60 * MINUTE, 0];
    let mut run = Run::new(Alerting { repeat_ms: 24 * HOUR, steps_ms, ..terms() });
    run.fire(RIVER, 0);
    run.fire(RIVER, 4);
    run.check("1; 2");
    run.wait(15 * MINUTE);
    run.check("passed on (1) 1; passed on (1) 2");
    run.wait(45 * MINUTE);
    run.check("passed on (2) 1; passed on (2) 2");
    run.leap(23 * HOUR);
    run.check("again (2) 1; again (2) 2");
    // Who was woken is told that it is over.
    run.end(RIVER, 4);
    run.check("(2) -2");
}

#[test]
fn a_notice_is_neither_told_again_nor_passed_on() {
    let steps_ms = [15 * MINUTE, 0, 0];
    let mut run = Run::new(Alerting { repeat_ms: HOUR, steps_ms, ..terms() });
    run.fire(LAKE, 0);
    run.check("1");
    run.leap(2 * DAY);
    run.check("");
}

#[test]
fn an_acknowledgement_that_ends_is_said_and_counts_anew() {
    let steps_ms = [15 * MINUTE, 0, 0];
    let mut run = Run::new(Alerting { steps_ms, ..terms() });
    let alert = run.fire(RIVER, 0);
    let until = Some(run.at().wall.plus(2 * HOUR));
    run.wait(MINUTE);
    run.act(What::Acknowledge { alert, until });
    run.check("1; seen 1");
    run.leap(2 * HOUR);
    run.check("again 1");
    run.wait(15 * MINUTE);
    run.check("passed on (1) 1");
}

#[test]
fn who_looks_after_a_warning_hears_that_it_is_critical_and_so_do_the_next() {
    let mut run = Run::new(Alerting { steps_ms: [15 * MINUTE, 0, 0], ..terms() });
    let alert = run.fire(PROBE, 0);
    run.wait(MINUTE);
    run.act(What::Acknowledge { alert, until: None });
    run.check("1; seen 1");
    run.leap(2 * HOUR);
    run.worsen(PROBE, 0, Severity::Critical);
    run.check("1");
    run.wait(15 * MINUTE);
    run.check("passed on (1) 1");
}

#[test]
fn after_a_silence_it_goes_from_step_to_step_and_not_through_all() {
    let mut run = Run::new(Alerting { steps_ms: [15 * MINUTE, HOUR, 4 * HOUR], ..terms() });
    run.fire(RIVER, 0);
    let matcher = Matcher { rule: Some(RIVER), ..Matcher::default() };
    run.act(What::Silence { id: 1, matcher, until: run.at().wall.plus(8 * HOUR) });
    run.check("1");
    run.leap(8 * HOUR);
    run.check("passed on (1) 1");
    run.wait(44 * MINUTE);
    run.check("");
    run.wait(MINUTE);
    run.check("passed on (2) 1");
}

#[test]
fn of_many_that_are_over_none_is_said_to_fire() {
    let mut run = Run::new(terms());
    let of = |number: u32, change| {
        (RIVER, Subject::Datastream(DatastreamId(number % 4)), number, change)
    };
    let changes = |change| (0..60).map(|number| of(number, change)).collect::<Vec<_>>();
    run.changes(&changes(AlertChange::Fired));
    run.wait(2 * MINUTE);
    run.changes(&changes(AlertChange::Resolved));
    let firing: Vec<usize> = run.told.iter().map(|notice| notice.firing).collect();
    assert_eq!(firing, [60, 0]);
}

#[test]
fn what_is_undone_is_as_if_nobody_had() {
    let mut run = Run::new(Alerting { repeat_ms: HOUR, ..terms() });
    let alert = run.fire(RIVER, 0);
    run.wait(MINUTE);
    run.act(What::Acknowledge { alert, until: None });
    run.act(What::Undo(alert));
    run.check("1; seen 1");
    run.leap(2 * HOUR);
    run.check("again 1");
    assert!(run.desk.get(alert).unwrap().acknowledged.is_none());
}

#[test]
fn what_is_shelved_is_told_when_that_ends_and_lasts_meanwhile() {
    let mut run = Run::new(terms());
    let alert = run.fire(PROBE, 0);
    run.check("1");
    run.act(What::Shelve { alert, until: run.at().wall.plus(HOUR) });
    run.change(PROBE, Subject::Datastream(DatastreamId(0)), AlertChange::Changed);
    run.leap(HOUR - SECOND);
    run.check("");
    assert_eq!(run.desk.held(&run.registry, alert, run.at().wall), Some(Held::Shelved));
    run.leap(SECOND);
    run.check("1");
}

#[test]
fn a_silence_is_of_what_matches_until_it_ends() {
    let place = Matcher { place: Some(PlaceId(1)), ..Matcher::default() };
    let mut run = Run::new(terms());
    let until = run.at().wall.plus(HOUR);
    run.act(What::Silence { id: run.desk.next_silence(), matcher: place, until });
    run.fire(RIVER, 0);
    run.fire(RIVER, 1);
    run.fire(RIVER, 4);
    run.check("3");
    // What began and ended in silence is never told.
    run.end(RIVER, 0);
    run.leap(HOUR);
    run.check("2");
    assert_eq!(run.desk.silences(run.at().wall).count(), 0);
}

#[test]
fn who_was_told_that_it_began_is_told_that_it_ended_in_a_silence_too() {
    let mut run = Run::new(terms());
    run.fire(RIVER, 0);
    let matcher = Matcher { route: Some(Route::Environment), ..Matcher::default() };
    run.act(What::Silence { id: 1, matcher, until: run.at().wall.plus(HOUR) });
    run.wait(2 * MINUTE);
    run.end(RIVER, 0);
    run.check("1; -1");
    run.act(What::EndSilence(1));
    assert_eq!(run.desk.silences(run.at().wall).count(), 0);
}

#[test]
fn a_station_that_is_silent_as_a_whole_says_it_for_its_parts() {
    let mut run = Run::new(terms());
    let station = Subject::Station(StationId(0));
    let stream = Subject::Datastream(DatastreamId(0));
    run.changes(&[
        (QUIET, stream, 0, AlertChange::Fired),
        (QUIET, station, 100, AlertChange::Fired),
    ]);
    run.fire(PROBE, 1);
    run.check("2");
    run.wait(MINUTE);
    // A fault of a probe is no silence.
    run.check("3");
    run.wait(2 * MINUTE);
    // The station speaks again, but for one.
    run.changes(&[(QUIET, station, 100, AlertChange::Resolved)]);
    run.wait(MINUTE);
    run.check("-2; 1");
}

#[test]
fn an_end_of_what_an_earlier_release_began_is_told() {
    let mut run = Run::new(terms());
    run.alerts.insert((RIVER, 0), AlertId(7));
    run.end(RIVER, 0);
    run.check("-7");
    assert_eq!(run.desk.standing().count(), 0);
}

#[test]
fn what_is_over_already_is_told_unless_it_is_silent() {
    for (silent, want) in [(false, "1"), (true, "")] {
        let mut run = Run::new(terms());
        if silent {
            let matcher = Matcher { station: Some(StationId(0)), ..Matcher::default() };
            run.act(What::Silence { id: 1, matcher, until: run.at().wall.plus(HOUR) });
        }
        run.alerts.insert((RIVER, 0), AlertId(1));
        run.change(RIVER, Subject::Datastream(DatastreamId(0)), AlertChange::Past);
        run.check(&want.replace('1', "-1"));
        assert_eq!(run.desk.standing().count(), 0);
    }
}
