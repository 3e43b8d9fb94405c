//! Derived datastreams on their way through the pipeline, where that is more than a case of
//! `tests/replay/derived-load` shows.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod play;

use std::sync::Arc;

use weir::domain::alert::AlertChange;
use weir::domain::history::Entry;
use weir::domain::input::{Condition, Input, Qos};
use weir::domain::observation::{NilReason, ObservationResult, Period, Side};
use weir::domain::quality::Flag;
use weir::domain::registry::Registry;
use weir::domain::time::{HOUR, MINUTE, Moment, SECOND, Timestamp};
use weir::seed::Tables;

use play::{Editions, Player, Sent, lay_over, lay_table_over, root};

/// 2026-06-01T08:00:00+08:00.
const START: Timestamp = Timestamp(1_780_272_000_000);
const DEVICES: &str = "rivers,p,puhe-daoyi,,probe,device,,,,,,test\n\
                       rivers,cabinet-02,puhe-daoyi,,analyser-cabinet,device,,,,,,test\n";
const PROFILES: &str = "probe,s,dissolved_oxygen,,/do,mg/L,1,number,continuous,,,instant,,7s,,test\n\
                        probe,s,water_temperature,,/temp,Cel,1,number,continuous,,,instant,,60s,,\
                        test\n";

/// A station with a probe and an analyser, and what is derived there.
struct Stage {
    player: Player,
    registry: Arc<Registry>,
    editions: Editions,
    base: Tables,
    at: Moment,
    packet_id: u16,
}

impl Stage {
    fn new(derived: &str) -> Self {
        let mut base = Tables::read(&root().join("seeds")).unwrap();
        lay_over(&mut base, &root().join("tests/replay/seeds"));
        lay_table_over(&mut base, "devices.csv.last", DEVICES);
        lay_table_over(&mut base, "profiles.csv.last", PROFILES);
        let mut tables = base.clone();
        lay_table_over(&mut tables, "derived.csv.last", derived);
        let mut editions = Editions::default();
        let registry = editions.add("0", &tables).unwrap_or_else(|faults| panic!("{faults}"));
        let at = Moment { wall: START, elapsed_ms: 0 };
        let player = Player::new(&registry, at);
        let mut stage = Self { player, registry, editions, base, at, packet_id: 0 };
        let network = stage.editions.network("rivers");
        stage.player.take(at, Input::Condition(Condition::Connected(network)));
        stage
    }

    /// Has a device say something of a time so long after the start.
    fn say(&mut self, device: &str, after_ms: i64, fields: &str) {
        self.packet_id = self.packet_id % 60_000 + 1;
        let network = self.editions.network("rivers");
        let payload = format!("{{\"ts\":{},{fields}}}", START.plus(after_ms).millis());
        let (dup, retain, qos) = (false, false, Qos::AtLeastOnce);
        let topic = format!("water/{device}/data").into_bytes();
        let payload = payload.into_bytes();
        let packet_id = self.packet_id;
        let sent = Sent { network, packet_id, dup, retain, qos, topic, payload };
        self.player.take(self.at, Input::Message(sent.message()));
    }

    /// Has a device say something now.
    fn now(&mut self, device: &str, after_ms: i64, fields: &str) {
        self.at = Moment { wall: START.plus(after_ms), elapsed_ms: after_ms };
        self.say(device, after_ms, fields);
    }

    fn edition(&mut self, name: &str, derived: &str) {
        let mut tables = self.base.clone();
        lay_table_over(&mut tables, "derived.csv.last", derived);
        self.registry = self.editions.add(name, &tables).unwrap();
        self.player.take(self.at, Input::Edition(Arc::clone(&self.registry)));
    }

    /// Gives what a datastream of the station remembers.
    fn held(&self, property: &str) -> Vec<Entry> {
        let name = format!("puhe-daoyi/{property}");
        let stream = self.registry.datastreams.iter().find(|one| *one.name == *name).unwrap();
        let station = self.player.pipeline.state().stations[stream.station.index()].as_ref();
        station.unwrap().streams[usize::from(stream.slot)].history.since(Timestamp(0))
    }

    fn last(&self, property: &str) -> (ObservationResult, Flag) {
        let entry = *self.held(property).last().unwrap();
        (entry.result, entry.flag())
    }
}

const PRODUCT: &str = "puhe-daoyi/zinc,\"ammonia_nitrogen * number(dissolved_oxygen, \"\"mg/L\"\")\
                       \",,,test\n";

#[test]
fn a_derived_value_is_held_against_limits_and_fires() {
    let mut stage = Stage::new(PRODUCT);
    stage.now("cabinet-02", 0, "\"nh3n\":1");
    let mut changes = Vec::new();
    for minute in 0..15 {
        stage.now("p", minute * MINUTE, "\"do\":6.5");
        changes.extend(stage.player.out.alerts.iter().map(|alert| (alert.change, alert.value)));
    }
    assert_eq!(changes, [(AlertChange::Fired, Some(6.5))], "zinc has a limit of 2 mg/L");
}

#[test]
fn hours_are_made_of_derived_values() {
    let mut stage = Stage::new(PRODUCT);
    stage.now("cabinet-02", 0, "\"nh3n\":0.1");
    for value in 0..600 {
        stage.now("p", value * 7 * SECOND, "\"do\":6");
    }
    stage.at = Moment { wall: START.plus(2 * HOUR), elapsed_ms: 2 * HOUR };
    stage.player.take(stage.at, Input::Tick);
    let zinc = stage.held("zinc").len();
    assert_eq!(zinc, 600, "a value wherever the quickest input has one");
    let means = stage.player.out.observations.iter().filter(|one| {
        let stream = stage.registry.datastream(one.observation.datastream).unwrap();
        one.observation.period == Period::Hour && *stream.name == *"puhe-daoyi/zinc"
    });
    let means: Vec<_> = means.map(|one| one.observation.result.number().unwrap()).collect();
    assert!(means.iter().all(|mean| (mean - 0.6).abs() < 1e-12) && !means.is_empty());
}

#[test]
fn one_input_has_so_many_values_worked_out_anew() {
    let mut stage = Stage::new(PRODUCT);
    for value in 0..1_500 {
        stage.now("p", value * 7 * SECOND, "\"do\":6");
    }
    stage.say("cabinet-02", 0, "\"nh3n\":0.1");
    let known: Vec<bool> =
        stage.held("zinc").iter().map(|entry| entry.result.number().is_some()).collect();
    assert_eq!(known.len(), 1_500);
    assert_eq!(known.iter().filter(|known| **known).count(), 1_440, "the newest");
    assert!(known[60..].iter().all(|known| *known));
}

#[test]
fn so_many_values_of_an_input_are_looked_at_for_one_that_counts() {
    let mut stage = Stage::new(
        "puhe-daoyi/zinc,\"dissolved_oxygen * number(water_temperature, \"\"Cel\"\")\",,,test\n",
    );
    stage.now("p", 0, "\"temp\":10");
    for second in 1..=3 {
        stage.now("p", second * SECOND, "\"temp\":null");
    }
    stage.now("p", 5 * SECOND, "\"do\":0.1");
    assert_eq!(stage.last("zinc"), (ObservationResult::Value(1.0), Flag::Pass));
    stage.now("p", 6 * SECOND, "\"temp\":null");
    stage.now("p", 12 * SECOND, "\"do\":0.1");
    assert_eq!(stage.last("zinc").0, ObservationResult::Nil(NilReason::NoInput));
}

#[test]
fn a_value_that_is_too_old_stands_for_nothing() {
    let mut stage = Stage::new(
        "puhe-daoyi/zinc,\"dissolved_oxygen * number(water_temperature, \"\"Cel\"\")\",,,test\n",
    );
    stage.now("p", 0, "\"temp\":10");
    stage.now("p", 2 * MINUTE, "\"do\":0.1");
    assert_eq!(stage.last("zinc").0, ObservationResult::Value(1.0), "two expected intervals");
    stage.now("p", 2 * MINUTE + 1, "\"do\":0.1");
    assert_eq!(stage.last("zinc").0, ObservationResult::Nil(NilReason::NoInput));
}

#[test]
fn what_is_known_to_one_side_is_derived_to_one_side() {
    let quotient = "puhe-daoyi/zinc,\"dissolved_oxygen / number(ammonia_nitrogen, \"\"mg/L\"\")\
                    \",,,test\n";
    let mut stage = Stage::new(quotient);
    stage.now("cabinet-02", 0, "\"nh3n\":\"<0.5\"");
    stage.now("p", SECOND, "\"do\":4");
    let above = ObservationResult::Censored { side: Side::Above, limit: 8.0 };
    assert_eq!(stage.last("zinc").0, above, "less than half is more than twice");
    stage.now("p", 8 * SECOND, "\"do\":\"<4\"");
    let nothing = ObservationResult::Nil(NilReason::Undefined);
    assert_eq!(stage.last("zinc").0, nothing, "below by below may be anything");
}

#[test]
fn a_formula_holds_for_its_time_and_another_edition_has_another() {
    let until = "puhe-daoyi/zinc,dissolved_oxygen,,2026-06-01 08:01,test\n";
    let mut stage = Stage::new(until);
    stage.now("p", 59 * SECOND, "\"do\":4");
    stage.now("p", 60 * SECOND, "\"do\":4");
    assert_eq!(stage.held("zinc").len(), 1);
    stage.edition("1", "puhe-daoyi/zinc,dissolved_oxygen * 2,,,test\n");
    stage.now("p", 67 * SECOND, "\"do\":4");
    assert_eq!(stage.last("zinc").0, ObservationResult::Value(8.0));
    assert_eq!(stage.held("zinc").len(), 2, "what the old one made stays");
    stage.player.replay();
}

#[test]
fn a_doubtful_input_makes_a_doubtful_value_until_it_is_revised() {
    let mut stage = Stage::new(PRODUCT);
    stage.now("cabinet-02", 0, "\"nh3n\":0.1");
    stage.now("p", SECOND, "\"do\":21");
    assert_eq!(stage.last("zinc").1, Flag::Suspect);
    stage.say("p", SECOND, "\"do\":6");
    assert_eq!(stage.last("zinc").1, Flag::Pass);
    let revised = stage.player.out.observations.iter().all(|one| one.revision);
    assert!(revised && stage.player.out.observations.len() == 2);
}
