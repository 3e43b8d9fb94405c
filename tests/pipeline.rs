//! The way of a reading through the pure core, from bytes to alert, with the example seeds.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

use std::path::Path;
use std::sync::Arc;

use jiff::tz::TimeZone;
use weir::domain::alert::{AlertChange, Subject};
use weir::domain::desk::{AlertAct, Notice, NoticeKind, What};
use weir::domain::input::{Arrival, Condition, Input, Message, Qos, ReceiveFault};
use weir::domain::judgement::Judgement;
use weir::domain::ledger::{Ledger, Outcome};
use weir::domain::name::{NameKind, Names, NetworkId};
use weir::domain::quality::Flag;
use weir::domain::registry::Registry;
use weir::domain::time::{DAY, HOUR, MINUTE, Moment, SECOND, Timestamp};
use weir::influx::line::{Points, Renderer};
use weir::notify::{Letterhead, notification};
use weir::pipeline::{Pipeline, Processed, snapshot};
use weir::seed::{Tables, compile};

/// 2026-06-01T00:00:00Z.
const START: i64 = 1_780_272_000_000;

struct Run {
    registry: Arc<Registry>,
    pipeline: Pipeline,
    out: Processed,
    now: Moment,
    rivers: NetworkId,
    ledger: Ledger,
    packet_id: u16,
}

fn moment(ms: i64) -> Moment {
    Moment { wall: Timestamp(START + ms), elapsed_ms: ms }
}

impl Run {
    fn new() -> Self {
        Self::with(|_| {})
    }

    /// With the tables changed.
    fn with(change: impl FnOnce(&mut Tables)) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
        let networks = ["rivers".to_owned(), "parks".to_owned()];
        let mut names = Names::default();
        let mut tables = Tables::read(&folder).unwrap();
        change(&mut tables);
        let registry = compile(&tables, Judgement::default(), &networks, &mut names).unwrap();
        let registry = Arc::new(registry);
        let rivers = NetworkId(names.id(NameKind::Network, "rivers"));
        let now = moment(0);
        let pipeline = Pipeline::new(Arc::clone(&registry), now);
        let out = Processed::default();
        let ledger = Ledger::default();
        let mut run = Self { registry, pipeline, out, now, rivers, ledger, packet_id: 0 };
        run.input(Input::Condition(Condition::Connected(rivers)));
        run
    }

    fn input(&mut self, input: Input<'_>) {
        self.pipeline.process(&Arrival { at: self.now, input }, &mut self.out);
    }

    fn message(&self, topic: &'static [u8], payload: &'static [u8]) -> Message<'static> {
        Message {
            network: self.rivers,
            packet_id: self.packet_id,
            dup: false,
            retain: false,
            qos: Qos::AtLeastOnce,
            topic,
            payload,
            fault: None,
        }
    }

    /// Takes one message in and says where it ended.
    fn take(&mut self, message: Message<'_>) -> Outcome {
        self.input(Input::Message(message));
        let fate = self.out.fate.expect("every message ends somewhere");
        self.ledger += fate.ledger;
        assert!(self.ledger.balances(), "{:?}", self.ledger);
        fate.outcome
    }

    fn send(&mut self, topic: &str, payload: &str) -> Outcome {
        self.packet_id = self.packet_id % 60_000 + 1;
        let base = self.message(b"", b"");
        self.take(Message { topic: topic.as_bytes(), payload: payload.as_bytes(), ..base })
    }

    /// Sends what the sonde at Huishan says at this minute.
    fn oxygen(&mut self, minute: i64, oxygen: &str) -> Outcome {
        self.now = moment(minute * MINUTE + SECOND);
        let time = START + minute * MINUTE;
        self.send("water/sonde-01/data", &format!(r#"{{"ts":{time},"do":{oxygen},"temp":18.5}}"#))
    }

    fn snapshot(&self) -> (Vec<(u32, Vec<u8>)>, Vec<u8>) {
        let state = self.pipeline.state();
        let stations = state.stations.iter().enumerate();
        let slices = stations
            .filter_map(|(id, station)| Some((id as u32, snapshot::slice(station.as_deref()?))))
            .collect();
        (slices, snapshot::closing(state, &self.registry.digest, self.now))
    }

    /// Asserts that a message becomes a dead letter with this reason.
    #[track_caller]
    fn rejected(&mut self, topic: &str, payload: &str, words: &str) {
        assert_eq!(self.send(topic, payload), Outcome::Rejected, "{payload}");
        let told: Vec<String> =
            self.out.rejects.iter().map(|reject| reject.reason.to_string()).collect();
        assert!(told.iter().any(|told| told.contains(words)), "{told:?} does not say {words}");
    }
}

#[test]
fn a_breach_is_alerted_and_resolved_and_its_lines_are_well_formed() {
    let mut run = Run::new();
    let mut changes = Vec::new();
    let (mut lines, registry) = (Vec::new(), Arc::clone(&run.registry));
    let mut renderer = Renderer::new(&registry);
    for minute in 0..120 {
        // Class IV asks for at least 3 mg/L.
        let oxygen = if (20..60).contains(&minute) { "2.4" } else { "6.8" };
        assert_eq!(run.oxygen(minute, oxygen), Outcome::Stored);
        let Processed {
            observations, controls, coverage, assessments, evaluations, alerts, ..
        } = &run.out;
        let points = Points { observations, controls, coverage, assessments, evaluations, alerts };
        renderer.render(&registry, points, &mut lines);
        for event in alerts {
            let limit = registry.limit(event.limit.unwrap()).unwrap();
            assert_eq!(&*limit.instrument, "GB 3838-2002");
            changes.push((event.change, minute));
        }
    }
    let kinds: Vec<AlertChange> = changes.iter().map(|(change, _)| *change).collect();
    assert_eq!(kinds, [AlertChange::Fired, AlertChange::Resolved], "{changes:?}");
    assert!((30..32).contains(&changes[0].1), "pending for 10 minutes: {changes:?}");
    assert!((90..92).contains(&changes[1].1), "kept for 30 minutes: {changes:?}");
    let text = String::from_utf8(lines).unwrap();
    let lines: Vec<_> =
        influxdb_line_protocol::parse_lines(&text).map(|line| line.unwrap()).collect();
    let of =
        |name: &str| lines.iter().filter(|line| line.series.measurement.as_str() == name).count();
    assert_eq!((of("water"), of("alert")), (120, 2), "{text}");
    assert_eq!(run.ledger.readings.stored, 240);
}

#[test]
fn a_snapshot_and_what_came_after_it_equal_the_run() {
    let mut whole = Run::new();
    let mut half = Run::new();
    for minute in 0..40 {
        whole.oxygen(minute, "2.4");
        half.oxygen(minute, "2.4");
    }
    let (slices, closing) = half.snapshot();
    half.pipeline = snapshot::restore(&half.registry, &slices, &closing).unwrap();
    for minute in 40..160 {
        whole.oxygen(minute, "6.8");
        half.oxygen(minute, "6.8");
        assert_eq!(format!("{:?}", whole.out), format!("{:?}", half.out), "minute {minute}");
    }
    assert_eq!(whole.ledger, half.ledger);
}

#[test]
fn what_fired_under_a_release_without_a_desk_can_be_worked_off() {
    let mut run = Run::new();
    for minute in 0..20 {
        run.oxygen(minute, "2.4");
    }
    let (slices, closing) = run.snapshot();
    // Such a release wrote twelve fields: the thirteenth is the desk.
    let mut decoder = minicbor::Decoder::new(&closing);
    decoder.array().unwrap();
    let first = decoder.position();
    for _ in 0..12 {
        decoder.skip().unwrap();
    }
    let closing = [&[0x8c], &closing[first..decoder.position()]].concat();
    run.pipeline = snapshot::restore(&run.registry, &slices, &closing).unwrap();
    let desk = Arc::clone(&run.pipeline.state().desk);
    let standing: Vec<_> = desk.standing().filter(|(_, one)| one.event.value.is_some()).collect();
    let [(alert, one)] = standing[..] else { panic!("{standing:?}") };
    assert!(one.fires() && one.told && one.acknowledged.is_none());
    let head = Letterhead::plain(TimeZone::UTC);
    let words = notification(&run.registry, &one.event, &head).words;
    let said = "2.40 mg/L, below class IV (GB 3838-2002 table 1 item 3, limit 3 mg/L)";
    assert!(words.contains(said), "{words}");
    // Nobody is told of it anew; somebody looks after it for an hour, and then it is said again.
    run.oxygen(20, "2.4");
    run.input(Input::Tick);
    let told = |run: &Run| {
        let of = |notice: &&Notice| notice.entries.iter().any(|one| one.event.alert == alert);
        run.out.notices.iter().filter(of).map(|notice| notice.kind).collect::<Vec<_>>()
    };
    assert_eq!(told(&run), []);
    let act = |what| {
        let (person, words) = ("Li Na".to_owned(), String::new());
        AlertAct { what, person, words, behalf: None }
    };
    let until = Some(run.now.wall.plus(HOUR));
    run.input(Input::AlertAct(Arc::new(act(What::Acknowledge { alert, until }))));
    assert_eq!(told(&run), [NoticeKind::Acknowledged]);
    run.oxygen(90, "2.4");
    run.input(Input::Tick);
    assert_eq!(told(&run), [NoticeKind::Reminder]);
}

#[test]
fn bad_input_becomes_a_dead_letter_that_says_why() {
    let mut run = Run::new();
    let sonde = "water/sonde-01/data";
    run.rejected(sonde, "{\"ts\":1780272000000,", "");
    run.rejected(sonde, "", "");
    run.rejected(sonde, r#"{"ts":1780272000000,"do":NaN}"#, "NaN");
    run.rejected(sonde, r#"{"ts":1780272000000,"do":1e999}"#, "");
    run.rejected(sonde, r#"{"ts":1780272000000,"do":"six"}"#, "");
    run.rejected(sonde, &"[".repeat(10_000), "");
    run.rejected("water/sonde01/data", r#"{"ts":1780272000000,"do":6}"#, "sonde-01");
    run.rejected("elsewhere", "{}", "");
    // 2099: a day ahead is more than a clock may be.
    let late = START + 73 * 365 * DAY;
    run.rejected(sonde, &format!(r#"{{"ts":{late},"do":6}}"#), "");
    let broken = Message {
        fault: Some(ReceiveFault::Broken("topic is not UTF-8")),
        topic: b"water/\xff",
        ..run.message(b"", b"frame")
    };
    assert_eq!(run.take(broken), Outcome::Rejected);
    let long = Message {
        fault: Some(ReceiveFault::TooLong { bytes: 300_000, bytes_max: 262_144 }),
        ..run.message(b"water/sonde-01/data", b"{")
    };
    assert_eq!(run.take(long), Outcome::Rejected);
    assert_eq!(run.ledger.messages.stored, 0);
}

#[test]
fn a_name_without_end_is_neither_remembered_nor_repeated() {
    let mut run = Run::new();
    let name = "x".repeat(60_000);
    run.rejected(&format!("water/{name}/data"), "{}", "not in devices.csv");
    assert!(run.out.rejects[0].device.as_ref().unwrap().len() < 100);
    run.rejected(&format!("gauge/gauge-01/{name}"), r#"{"t":1780272000,"v":1}"#, "channel");
    assert!(run.out.rejects[0].channel.as_ref().unwrap().len() < 100);
    let payload = format!(r#"{{"buoy":{{"id":"{name}"}},"water":{{"ph":8}}}}"#);
    run.rejected("lake/buoy-01/buoy", &payload, "the payload says device");
    assert!(run.out.rejects[0].reason.to_string().len() < 200);
    assert!(!format!("{:?}", run.pipeline).contains(&"x".repeat(1_000)));
}

#[test]
fn the_nearest_name_may_differ_in_its_case() {
    let mut run = Run::new();
    run.rejected("water/sonde-01/data", r#"{"ts":1780272000000,"DO":6}"#, "`/do`");
}

#[test]
fn one_bad_reading_does_not_cost_its_neighbours() {
    let mut run = Run::new();
    let payload = format!(r#"{{"ts":{START},"do":"six","temp":18.5,"ph":null,"odd":1}}"#);
    assert_eq!(run.send("water/sonde-01/data", &payload), Outcome::Stored);
    let flags: Vec<Flag> = run.out.observations.iter().map(|one| one.flag()).collect();
    assert!(flags.contains(&Flag::Missing), "null is missing, never 0: {flags:?}");
    assert!(run.ledger.readings.stored >= 1 && run.ledger.readings.rejected >= 1);
}

#[test]
fn the_same_time_again_is_a_duplicate_and_another_result_a_revision() {
    let mut run = Run::new();
    assert_eq!(run.oxygen(1, "6.8"), Outcome::Stored);
    assert_eq!(run.oxygen(1, "6.8"), Outcome::Duplicate);
    assert_eq!(run.ledger.revisions, 0);
    assert_eq!(run.oxygen(1, "6.9"), Outcome::Stored);
    assert_eq!(run.ledger.revisions, 1);
}

#[test]
fn a_redelivery_of_a_suspect_packet_is_a_duplicate() {
    let mut run = Run::new();
    let payload = br#"{"ts":1780272000000,"do":6.8}"#;
    let first = Message { packet_id: 7, ..run.message(b"water/sonde-01/data", payload) };
    assert_eq!(run.take(first), Outcome::Stored);
    assert_eq!(run.take(Message { dup: true, ..first }), Outcome::Duplicate);
}

/// Gives what stands above a subject, by name, where sonde-02 speaks by way of sonde-01 and that by
/// way of sonde-03, which names sonde-02 as its gateway.
#[track_caller]
fn check_above(of: impl Fn(&Registry) -> Subject, want: &[&str]) {
    let run = Run::with(|tables| {
        let text = String::from_utf8(tables.get("devices.csv").unwrap().to_vec()).unwrap();
        let by_way_of = |text: String, name: &str, gateway: &str| {
            let begin = format!("rivers,{name},");
            let row = text.lines().find(|row| row.starts_with(&begin)).unwrap();
            let changed = row.replace(",device,,,,", &format!(",device,,,{gateway},"));
            text.replace(row, &changed)
        };
        let text = by_way_of(text, "sonde-02", "sonde-01");
        let text = by_way_of(text, "sonde-01", "sonde-03");
        let text = by_way_of(text, "sonde-03", "sonde-02");
        let text = by_way_of(text, "cabinet-01", "sonde-03");
        tables.put("devices.csv", text.into_bytes());
    });
    let registry = &*run.registry;
    let above = registry.above(of(registry), run.now.wall).into_iter().map(|one| match one {
        Subject::Station(id) => registry.station(id).unwrap().name.to_string(),
        Subject::Device(id) => registry.devices.get(id.index()).unwrap().name.to_string(),
        Subject::Network(id) => registry.networks.get(id.index()).unwrap().to_string(),
        other @ (Subject::Datastream(_) | Subject::Evaluated { .. } | Subject::Weir { .. }) => {
            format!("{other:?}")
        }
    });
    assert_eq!(above.collect::<Vec<_>>(), want);
}

#[test]
fn what_covers_a_silence_is_all_by_way_of_which_anything_of_it_comes() {
    let stream = |name: &'static str| {
        move |registry: &Registry| {
            let mut streams = registry.datastreams.iter();
            Subject::Datastream(streams.find(|one| *one.name == *name).unwrap().id)
        }
    };
    let station = |name: &'static str| {
        move |registry: &Registry| {
            let mut stations = registry.stations.iter();
            Subject::Station(stations.find(|one| *one.name == *name).unwrap().id)
        }
    };
    let device = |name: &'static str| {
        move |registry: &Registry| {
            let mut devices = registry.devices.iter();
            Subject::Device(devices.find(|one| *one.name == *name).unwrap().id)
        }
    };
    // Three that name each other in a circle cover each other, and no search goes on for ever.
    let ph = ["puhe-daoyi", "sonde-02", "sonde-01", "sonde-03", "rivers"];
    check_above(stream("puhe-daoyi/ph"), &ph);
    check_above(stream("puhe-daoyi/ammonia_nitrogen"), &["puhe-daoyi", "rivers"]);
    // Of a station with two devices only what both have in common.
    check_above(station("puhe-daoyi"), &["rivers"]);
    check_above(station("puhe-huishan"), &["sonde-01", "sonde-03", "sonde-02", "rivers"]);
    check_above(device("sonde-01"), &["sonde-03", "sonde-02", "rivers"]);
    check_above(|registry| Subject::Network(registry.network_called("rivers").unwrap()), &[]);
}
