//! What holds of the pure core whatever arrives.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod play;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use weir::domain::alert::{AlertChange, AlertId, Subject, WeirCondition};
use weir::domain::assessment::{Assessment, Bound, Verdict};
use weir::domain::history::Entry;
use weir::domain::input::{Condition, Input, Message, Qos, ReceiveFault};
use weir::domain::name::NetworkId;
use weir::domain::registry::{Datastream, Registry};
use weir::domain::time::{HOUR, MINUTE, Moment, SECOND, Timestamp};
use weir::seed::Tables;

use play::{Editions, Player, Sent, lay_table_over, root};

/// 2026-06-01T08:30:00+08:00.
const START: Timestamp = Timestamp(1_780_273_800_000);

/// The world of the properties: few devices, short patience, a gateway for half an hour, a station
/// on two networks and one whose service begins after half an hour.
const WORLD: [(&str, &str); 9] = [
    ("calibrations.csv", "datastream,gain,offset,certificate,from,to,source\n"),
    ("counters.csv", "datastream,maximum,resolution,ct,pt,role,place,from,to,source\n"),
    ("qc.csv.without", "station:nanhu-buoy\n"),
    ("stations.csv.last", "puhe-late,puhe,a,b,,,+08:00,river,IV,2026-06-01 09:00,,test\n"),
    ("topics.csv.last", "parks,water/{device}/data,json,,/ts,ms,,,,,test\n"),
    (
        "profiles.csv.last",
        "probe,s,dissolved_oxygen,,/do,mg/L,1,number,continuous,,,instant,,7s,,test\n\
         probe,s,water_temperature,,/temp,Cel,1,number,continuous,,,instant,,20s,,test\n\
         slow-air,s,nitrogen_dioxide,,no2,ug/m3,1,number,continuous,,,instant,,5m,,test\n",
    ),
    (
        "devices.csv",
        "network,device,station,position,profile,clock,zone,options,gateway,from,to,source\n\
         rivers,p-0,puhe-huishan,,probe,device,,,,,,test\n\
         rivers,p-1,puhe-daoyi,,probe,arrival_if_off,,,p-0,,2026-06-01 09:00,test\n\
         rivers,p-1,puhe-daoyi,,probe,arrival_if_off,,,,2026-06-01 09:00,,test\n\
         parks,p-2,puhe-huishan,b,probe,device,,,,,,test\n\
         rivers,p-3,puhe-late,,probe,device,,,,,,test\n\
         rivers,cabinet-01,puhe-daoyi,,analyser-cabinet,device,,,,,,test\n\
         parks,air-1,hunnan-air,,slow-air,device,,,,,,test\n",
    ),
    (
        "derived.csv",
        "datastream,expression,from,to,source\n\
         puhe-huishan/fluoride,\"dissolved_oxygen / number(water_temperature, \"\"K\"\")\",,,test\n\
         puhe-huishan/zinc,\"fluoride + 3 * at(\"\"b\"\", \"\"dissolved_oxygen\"\")\",,,test\n",
    ),
    (
        "rules.csv.last",
        "quick,station:puhe-daoyi,exceedance,raw 1h 24h,,2/3,1,0.05,,warning,Look.,查看。,test,,,,critical:>V critical:3h\n\
         shaky,station:puhe-daoyi,instrument,,,2,1,,,warning,Look.,查看。,test,,,,\n\
         climbs,place:puhe,rise,,x1.2/1m,1,2,,,warning,Look.,查看。,test,,,,\n\
         dark,station:puhe-daoyi,not_assessable,raw,,2/3,1,,,notice,Look.,查看。,test,,,,\n\
         class,medium:water,index,raw,water_class:not_assessable,1,1,,,notice,Look.,查看。,test,,,,\n\
         hazy,medium:air,index,1h,aqi:not_assessable,1,1,,,notice,Look.,查看。,test,,,,\n",
    ),
];

/// What other editions do to it.
const OTHERS: [&[(&str, &str)]; 3] = [
    &[
        ("stations.csv.first", "a-source,puhe,a,b,,,+08:00,river,II,,,test\n"),
        ("devices.csv.first", "rivers,p-9,a-source,,probe,device,,,,,,test\n"),
        ("rules.csv.without", "quick\nshaky\nclimbs\nhazy\ngateway-silence\n"),
        (
            "rules.csv.last",
            "quick,station:puhe-daoyi,exceedance,24h raw,,2,1/2,0.05,,warning,Look.,查看。,test,0.9,,,\n\
             shaky,station:puhe-daoyi,instrument,,,2,1,,,warning,Look.,查看。,test,,,clock,\n\
             climbs,place:puhe,rise,,-1/1m,1,2,,,warning,Look.,查看。,test,,,,\n",
        ),
    ],
    &[("rules.csv.without", "quick\nwater-silence\nnetwork-\nweir-\nair-exceedance\n")],
    &[
        ("devices.csv.without", "rivers,p-0\nrivers,p-1\nparks,air-1\n"),
        ("profiles.csv.without", "analyser-cabinet,permanganate\n"),
        ("derived.csv.without", "puhe-huishan/\n"),
    ],
];

struct World {
    editions: Vec<Arc<Registry>>,
    networks: [NetworkId; 2],
}

static WORLD_COMPILED: LazyLock<World> = LazyLock::new(|| {
    let mut base = Tables::read(&root().join("seeds")).unwrap();
    for (name, text) in WORLD {
        lay_table_over(&mut base, name, text);
    }
    let mut editions = Editions::default();
    let mut compiled = vec![editions.add("0", &base).unwrap_or_else(|faults| panic!("{faults}"))];
    for (index, changes) in OTHERS.iter().enumerate() {
        let mut tables = base.clone();
        for (name, text) in *changes {
            lay_table_over(&mut tables, name, text);
        }
        let name = (index + 1).to_string();
        compiled.push(editions.add(&name, &tables).unwrap_or_else(|faults| panic!("{faults}")));
    }
    let networks = play::NETWORKS.map(|name| editions.network(name));
    World { editions: compiled, networks }
});

#[derive(Clone, Debug)]
enum Event {
    /// Time passes; the wall may be set meanwhile.
    Wait {
        ms: i64,
        step_ms: i64,
    },
    Tick,
    Probe {
        device: usize,
        oxygen: &'static str,
        ago_ms: i64,
        retain: bool,
    },
    Sample {
        ammonia: &'static str,
        ago_ms: i64,
    },
    /// Records of an hour that began so many hours ago.
    Air {
        value: i64,
        hours_ago: i64,
        count: i64,
    },
    Any {
        topic: Vec<u8>,
        payload: Vec<u8>,
        qos: u8,
        fault: u8,
    },
    /// The last message again, as the broker does.
    Again {
        dup: bool,
    },
    Connected(usize),
    Disconnected(usize),
    Settled(usize),
    Edition(usize),
    Retry(prop::sample::Index),
    Weir(WeirCondition, Option<usize>, bool),
}

const OXYGEN: [&str; 10] =
    ["2.4", "2.4", "6.8", "6.8", "3", "3.1", "55", "null", "\"<2\"", "\"high\""];
const AMMONIA: [&str; 6] = ["0.5", "1.45", "1.62", "\"<0.02\"", "null", "1e999"];
const TOPICS: [&str; 9] = [
    "water/p-0/data",
    "water/p-1/data",
    "water/p-9/data",
    "water/cabinet-01/data",
    "lake/buoy-01/buoy",
    "gauge/gauge-01/stage",
    "air/air-1/list",
    "air/air-setdz/records",
    "meters/water",
];

fn ago() -> impl Strategy<Value = i64> {
    prop_oneof![
        6 => 0..2_000_i64,
        2 => 0..40 * MINUTE,
        1 => 0..30 * HOUR,
        1 => -30 * HOUR..0,
    ]
}

/// A payload that is nearly one.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..60),
        "[\\[{]{0,3}(\"(ts|do|temp|time|records|name|value|unit|n|t|v|buoy|id|water|ph)\":\
         ([0-9eE.+-]{1,12}|null|\"[<>0-9a-z.:TZ /-]{0,12}\"|[\\[{]),?){0,5}[\\]}]{0,3}"
            .prop_map(String::into_bytes),
    ]
}

fn any_message() -> impl Strategy<Value = Event> {
    let topic = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        prop::sample::select(&TOPICS[..]).prop_map(|topic| topic.as_bytes().to_vec()),
        "[a-z/{}+#]{0,20}".prop_map(String::into_bytes),
    ];
    (topic, payload(), 0..3_u8, 0..16_u8).prop_map(|(topic, payload, qos, fault)| Event::Any {
        topic,
        payload,
        qos,
        fault,
    })
}

fn event() -> impl Strategy<Value = Event> {
    let wait = prop_oneof![
        6 => (1..30 * SECOND).prop_map(|ms| (ms, 0)),
        2 => (MINUTE..20 * MINUTE).prop_map(|ms| (ms, 0)),
        1 => (HOUR..30 * HOUR).prop_map(|ms| (ms, 0)),
        1 => (0..MINUTE, -2 * HOUR..2 * HOUR),
    ];
    let probe = (0..4_usize, prop::sample::select(&OXYGEN[..]), ago(), prop::bool::weighted(0.1));
    prop_oneof![
        6 => wait.prop_map(|(ms, step_ms)| Event::Wait { ms, step_ms }),
        6 => Just(Event::Tick),
        12 => probe.prop_map(|(device, oxygen, ago_ms, retain)| {
            Event::Probe { device, oxygen, ago_ms, retain }
        }),
        2 => (prop::sample::select(&AMMONIA[..]), ago())
            .prop_map(|(ammonia, ago_ms)| Event::Sample { ammonia, ago_ms }),
        2 => (prop::sample::select(&[40_i64, 60, 210, 260][..]), 0..4_i64, 1..13_i64)
            .prop_map(|(value, hours_ago, count)| Event::Air { value, hours_ago, count }),
        2 => any_message(),
        1 => any::<bool>().prop_map(|dup| Event::Again { dup }),
        2 => (0..2_usize).prop_map(Event::Connected),
        1 => (0..2_usize).prop_map(Event::Disconnected),
        1 => (0..2_usize).prop_map(Event::Settled),
        2 => (0..4_usize).prop_map(Event::Edition),
        1 => any::<prop::sample::Index>().prop_map(Event::Retry),
        1 => (prop::sample::select(&WeirCondition::ALL[..]), prop::option::of(0..2_usize), any::<bool>())
            .prop_map(|(condition, of, holds)| Event::Weir(condition, of, holds)),
    ]
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    prop::collection::vec(event(), 1..120)
}

struct Stage {
    player: Player,
    at: Moment,
    packet_id: u16,
    last: Option<Sent>,
}

impl Stage {
    fn new() -> Self {
        let at = Moment { wall: START, elapsed_ms: 0 };
        let player = Player::new(&WORLD_COMPILED.editions[0], at);
        let mut stage = Self { player, at, packet_id: 0, last: None };
        for network in WORLD_COMPILED.networks {
            stage.condition(Condition::Connected(network));
        }
        stage
    }

    fn condition(&mut self, condition: Condition) {
        self.player.take(self.at, Input::Condition(condition));
    }

    fn send(&mut self, network: usize, topic: &[u8], payload: &[u8], retain: bool, qos: Qos) {
        self.packet_id = self.packet_id % 20 + 1;
        let sent = Sent {
            network: WORLD_COMPILED.networks[network],
            packet_id: self.packet_id,
            dup: false,
            retain,
            qos,
            topic: topic.to_vec(),
            payload: payload.to_vec(),
        };
        self.take(&sent, None);
        self.last = Some(sent);
    }

    fn take(&mut self, sent: &Sent, fault: Option<ReceiveFault<'_>>) {
        let message = Message { fault, ..sent.message() };
        self.player.take(self.at, Input::Message(message));
        assert!(self.player.out.fate.is_some(), "every message ends somewhere");
    }

    fn play(&mut self, event: &Event) {
        let wall = self.at.wall;
        let networks = WORLD_COMPILED.networks;
        match event {
            Event::Wait { ms, step_ms } => {
                self.at.elapsed_ms += ms;
                self.at.wall = wall.plus(ms + step_ms);
            }
            Event::Tick => self.player.take(self.at, Input::Tick),
            Event::Probe { device, oxygen, ago_ms, retain } => {
                let time = wall.plus(-ago_ms).millis();
                let payload = format!("{{\"ts\":{time},\"do\":{oxygen},\"temp\":18.5}}");
                let topic = format!("water/p-{device}/data");
                let network = usize::from(*device == 2);
                let (topic, payload) = (topic.as_bytes(), payload.as_bytes());
                self.send(network, topic, payload, *retain, Qos::AtLeastOnce);
            }
            Event::Sample { ammonia, ago_ms } => {
                let time = wall.plus(-ago_ms).millis();
                let payload =
                    format!("{{\"ts\":{time},\"nh3n\":{ammonia},\"codmn\":4.2,\"tn\":1}}");
                let topic = b"water/cabinet-01/data";
                self.send(0, topic, payload.as_bytes(), false, Qos::AtLeastOnce);
            }
            Event::Air { value, hours_ago, count } => {
                let hour = (wall.millis() - hours_ago * HOUR).div_euclid(HOUR) * HOUR;
                let record = |index: i64| {
                    let time = (hour + index * 5 * MINUTE) * 1_000_000;
                    format!("{{\"n\":\"no2\",\"t\":{time},\"v\":{value}}}")
                };
                let records: Vec<String> = (0..*count).map(record).collect();
                let payload = format!("[{}]", records.join(","));
                self.send(1, b"air/air-1/list", payload.as_bytes(), false, Qos::AtLeastOnce);
            }
            Event::Any { topic, payload, qos, fault } => self.any(topic, payload, *qos, *fault),
            Event::Again { dup } => {
                if let Some(sent) = self.last.clone() {
                    self.take(&Sent { dup: *dup, ..sent }, None);
                }
            }
            Event::Connected(index) => self.condition(Condition::Connected(networks[*index])),
            Event::Disconnected(index) => self.condition(Condition::Disconnected(networks[*index])),
            Event::Settled(index) => {
                let network = networks[*index];
                let ordinal = self.player.pipeline.state().networks[network.index()].ordinal;
                self.condition(Condition::Settled { network, ordinal });
            }
            Event::Edition(index) => {
                let registry = Arc::clone(&WORLD_COMPILED.editions[*index]);
                self.player.take(self.at, Input::Edition(registry));
            }
            Event::Retry(index) => {
                let count = self.player.letters.len();
                if count > 0 {
                    self.player.retry(self.at, index.index(count));
                }
            }
            Event::Weir(condition, of, holds) => {
                let (condition, holds) = (*condition, *holds);
                let network = of.map(|index| networks[index]);
                self.condition(Condition::Weir { condition, network, until: None, holds });
            }
        }
    }

    fn any(&mut self, topic: &[u8], payload: &[u8], qos: u8, fault: u8) {
        let fault = match fault {
            0 => Some(ReceiveFault::TooLong { bytes: 300_000, bytes_max: 262_144 }),
            1 => Some(ReceiveFault::Broken("cut")),
            2 => Some(ReceiveFault::Crashed("boom")),
            _ => None,
        };
        let qos = [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce][usize::from(qos)];
        self.packet_id = self.packet_id % 20 + 1;
        let sent = Sent {
            network: WORLD_COMPILED.networks[topic.len() % 2],
            packet_id: self.packet_id,
            dup: false,
            retain: false,
            qos,
            topic: topic.to_vec(),
            payload: payload.to_vec(),
        };
        self.take(&sent, fault);
        self.last = fault.is_none().then_some(sent);
    }
}

/// Plays events; after the one of that number, and after every one with `None`, the state goes
/// through a snapshot.
/// One reading of a probe, alone in its message.
#[derive(Clone, Debug)]
struct Part {
    device: usize,
    oxygen: bool,
    second: i64,
    value: &'static str,
}

fn part() -> impl Strategy<Value = Part> {
    const VALUES: [&str; 8] = ["6.8", "6.8", "3", "3.1", "21", "55", "null", "\"<2\""];
    let device = prop::sample::select(&[0_usize, 0, 2][..]);
    (device, any::<bool>(), 0..60_i64, prop::sample::select(&VALUES[..]))
        .prop_map(|(device, oxygen, second, value)| Part { device, oxygen, second, value })
}

/// Gives what the derived datastreams of a station hold after such messages.
fn derived(parts: &[&Part]) -> Vec<Vec<Entry>> {
    let mut stage = Stage::new();
    stage.at.wall = stage.at.wall.plus(HOUR);
    let start = stage.at.wall.plus(-5 * MINUTE);
    for Part { device, oxygen, second, value } in parts {
        let channel = if *oxygen { "do" } else { "temp" };
        let time = start.plus(second * 3 * SECOND).millis();
        let payload = format!("{{\"ts\":{time},\"{channel}\":{value}}}");
        let topic = format!("water/p-{device}/data");
        let network = usize::from(*device == 2);
        stage.send(network, topic.as_bytes(), payload.as_bytes(), false, Qos::AtLeastOnce);
    }
    stage.player.replay();
    let registry = &WORLD_COMPILED.editions[0];
    let names = ["puhe-huishan/fluoride", "puhe-huishan/zinc"];
    let of = |name: &str| {
        let stream = registry.datastreams.iter().find(|stream| *stream.name == *name).unwrap();
        let stations = &stage.player.pipeline.state().stations;
        let station = stations[stream.station.index()].as_ref().unwrap();
        station.streams[usize::from(stream.slot)].history.since(Timestamp(0))
    };
    names.map(of).to_vec()
}

fn play(events: &[Event], restart_after: impl Fn(usize) -> bool) -> Player {
    let mut stage = Stage::new();
    for (index, event) in events.iter().enumerate() {
        stage.play(event);
        if restart_after(index) {
            stage.player.restart();
        }
    }
    stage.player
}

/// Gives an edition whose limits ask for less than those of another.
fn loosened(tight: &Registry, by: f64) -> Registry {
    let mut loose = tight.clone();
    for index in 0..loose.limits.len() {
        let Some(limit) = loose.limits.get_mut(index) else { continue };
        limit.bound = match limit.bound {
            Bound::Max(max) => Bound::Max(max + by),
            Bound::Min(min) => Bound::Min(min - by),
            Bound::Range { low, high } => Bound::Range { low: low - by, high: high + by },
        };
    }
    loose
}

/// Plays what a sonde and an analyser say, one value every four hours and then an hour of them.
fn assessed(registry: &Arc<Registry>, values: &[String]) -> Vec<Assessment> {
    let mut at = Moment { wall: START, elapsed_ms: 0 };
    let mut player = Player::new(registry, at);
    let mut assessments = Vec::new();
    for (index, value) in values.iter().enumerate() {
        let step = if index < values.len() / 2 { 4 * HOUR } else { MINUTE };
        at = Moment { wall: at.wall.plus(step), elapsed_ms: at.elapsed_ms + step };
        let time = at.wall.millis();
        for (topic, payload) in [
            ("water/sonde-01/data", format!("{{\"ts\":{time},\"do\":{value},\"ph\":{value}}}")),
            ("water/cabinet-01/data", format!("{{\"ts\":{time},\"nh3n\":{value}}}")),
        ] {
            let sent = Sent {
                network: WORLD_COMPILED.networks[0],
                packet_id: 1,
                dup: false,
                retain: false,
                qos: Qos::AtMostOnce,
                topic: topic.as_bytes().to_vec(),
                payload: payload.into_bytes(),
            };
            player.take(at, Input::Message(sent.message()));
            assessments.append(&mut player.out.assessments);
        }
        player.take(at, Input::Tick);
        assessments.append(&mut player.out.assessments);
    }
    assessments
}

fn severity(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Within { .. } => 0,
        Verdict::NotAssessable(_) => 1,
        Verdict::Exceeds { .. } => 2,
    }
}

static EXAMPLE: LazyLock<Arc<Registry>> = LazyLock::new(|| {
    let tables = Tables::read(&root().join("seeds")).unwrap();
    Editions::default().add("seeds", &tables).unwrap_or_else(|faults| panic!("{faults}"))
});

/// Each alert fires once and ends at most once, and a subject has one alert of a kind at a time.
fn check_alerts(player: &Player) {
    let mut open: BTreeMap<(Subject, u8), AlertId> = BTreeMap::new();
    // One that waits for its end in a backlog is told after others that began later.
    let mut given: BTreeSet<AlertId> = BTreeSet::new();
    for event in &player.alerts {
        // An exceedance names its limit when it fires, an instrument its cause; what is withdrawn
        // is known by its number.
        let kind = match event.change {
            AlertChange::Fired | AlertChange::Past => match (event.limit, event.cause) {
                (Some(_), _) => 2,
                (None, Some(_)) => 1,
                // What can't be assessed says why, what changes fast has a value.
                (None, None) if event.reason.is_some() => 3,
                (None, None) if event.value.is_some() => 4,
                (None, None) => 0,
            },
            AlertChange::Changed | AlertChange::Resolved | AlertChange::Withdrawn => {
                let held = |kind: &u8| open.get(&(event.subject, *kind)) == Some(&event.alert);
                (0..5).find(held).unwrap_or(0)
            }
        };
        let key = (event.subject, kind);
        match event.change {
            AlertChange::Fired => {
                assert!(given.insert(event.alert), "a number is given once: {event:?}");
                let before = open.insert(key, event.alert);
                assert_eq!(before, None, "fired while it fires: {event:?}");
            }
            AlertChange::Changed => {
                assert_eq!(open.get(&key), Some(&event.alert), "changed, not begun: {event:?}");
            }
            AlertChange::Past => {
                assert!(given.insert(event.alert), "a number is given once: {event:?}");
                assert_eq!(open.get(&key), None, "past while it fires: {event:?}");
            }
            AlertChange::Resolved | AlertChange::Withdrawn => {
                assert_eq!(open.remove(&key), Some(event.alert), "ended, not begun: {event:?}");
            }
        }
    }
    // What fires is watched: of the edition in force, by a rule of it.
    let registry = player.pipeline.registry();
    for (subject, kind) in open.keys() {
        let watched = match subject {
            Subject::Datastream(id) => registry.datastream(*id).is_some(),
            Subject::Station(id) => registry.station(*id).is_some_and(|station| {
                let streams = station.datastreams.iter().filter_map(|id| registry.datastream(*id));
                let rules = |stream: &Datastream| match kind {
                    1 => stream.instrument_rule,
                    _ => stream.silence_rule,
                };
                streams.clone().any(|stream| rules(stream).is_some())
            }),
            Subject::Evaluated { of, index, period } => {
                registry.evaluated_rules.contains_key(&(*of, *index, *period))
            }
            Subject::Device(_) | Subject::Network(_) => registry.line_rules.contains_key(subject),
            Subject::Weir { condition, .. } => {
                registry.weir_rules.iter().any(|(of, _)| of == condition)
            }
        };
        assert!(watched, "{subject:?} fires and nobody can judge it");
    }
}

/// `PROPTEST_CASES` says how many cases; without it there are as many as a build can wait for.
fn cases(count: u32) -> ProptestConfig {
    let default = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let asked = std::env::var_os("PROPTEST_CASES").is_some();
    if asked { default } else { ProptestConfig { cases: count, ..default } }
}

proptest! {
    #![proptest_config(cases(16))]

    #[test]
    fn a_snapshot_anywhere_and_the_rest_equal_the_run(
        events in events(),
        at in any::<prop::sample::Index>(),
    ) {
        let whole = play(&events, |_| false);
        let cut = at.index(events.len());
        for torn in [play(&events, |index| index == cut), play(&events, |_| true)] {
            for (index, (was, is)) in whole.caused.iter().zip(&torn.caused).enumerate() {
                prop_assert_eq!(was, is, "input {}", index);
            }
            prop_assert_eq!(&whole.told, &torn.told);
            prop_assert_eq!(&whole.ledger, &torn.ledger);
            play::assert_same_state(&whole.pipeline, &torn.pipeline);
        }
    }
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn any_bytes_end_in_one_place(messages in prop::collection::vec(any_message(), 1..40)) {
        // That the ledger balances and that lines parse, the player asserts at every input.
        let player = play(&messages, |_| false);
        let total = player.total();
        prop_assert_eq!(total.messages.received, messages.len() as i64);
    }

    #[test]
    fn the_same_inputs_cause_the_same(events in events()) {
        let (once, twice) = (play(&events, |_| false), play(&events, |_| false));
        prop_assert_eq!(once.told, twice.told);
        prop_assert_eq!(once.ledger, twice.ledger);
        play::assert_same_state(&once.pipeline, &twice.pipeline);
    }

    #[test]
    fn what_is_derived_does_not_depend_on_the_order_of_arrival(
        parts in prop::collection::vec(part(), 1..60).prop_shuffle()
    ) {
        let mut once: BTreeMap<(usize, bool, i64), &Part> = BTreeMap::new();
        let mut arrived: Vec<&Part> = Vec::new();
        for part in &parts {
            let key = (part.device, part.oxygen, part.second);
            if let std::collections::btree_map::Entry::Vacant(place) = once.entry(key) {
                place.insert(part);
                arrived.push(part);
            }
        }
        let sorted: Vec<&Part> = once.values().copied().collect();
        let (a, b) = (derived(&arrived), derived(&sorted));
        prop_assert_eq!(&a, &b);
        let leads = |part: &&&Part| part.device == 0 && part.oxygen;
        prop_assert_eq!(a.first().map_or(0, Vec::len), arrived.iter().filter(leads).count());
    }

    #[test]
    fn what_the_journal_keeps_replays_to_the_same(events in events()) {
        play(&events, |_| false).replay();
    }

    #[test]
    fn a_limit_that_is_raised_makes_no_verdict_worse(
        values in prop::collection::vec(
            prop_oneof![
                (0..1_200_i32).prop_map(|value| (f64::from(value) / 100.0).to_string()),
                (0..120_u8).prop_map(|value| format!("\"<{}\"", f64::from(value) / 10.0)),
                (0..120_u8).prop_map(|value| format!("\">{}\"", f64::from(value) / 10.0)),
            ],
            1..24,
        ),
        by in prop_oneof![Just(0.0), 0.0..3.0_f64],
    ) {
        let tight = assessed(&EXAMPLE, &values);
        let loose = assessed(&Arc::new(loosened(&EXAMPLE, by)), &values);
        prop_assert_eq!(tight.len(), loose.len());
        for (tight, loose) in tight.iter().zip(&loose) {
            prop_assert_eq!(tight.datastream, loose.datastream);
            prop_assert!(severity(loose.verdict) <= severity(tight.verdict), "{tight:?} {loose:?}");
            if let (Some(tight), Some(loose)) = (tight.class, loose.class) {
                prop_assert!(loose <= tight);
            }
        }
    }

    #[test]
    fn fired_and_ended_take_turns(events in events()) {
        check_alerts(&play(&events, |_| false));
    }
}
