//! What ten thousand stations remember: the whole horizon of every datastream at one reading a
//! minute, in a process of its own, so that nothing else is counted.

use std::process::{Command, Stdio};
use std::sync::Arc;

use weir::domain::input::{Arrival, Condition, Input, Message, Qos};
use weir::domain::judgement::Judgement;
use weir::domain::name::{NameKind, Names, NetworkId};
use weir::domain::registry::Registry;
use weir::domain::time::{MINUTE, Moment, Timestamp};
use weir::pipeline::{Pipeline, Processed};
use weir::seed::{Tables, compile};

use crate::table::Aim;
use crate::{Bench, fleet, lasting, process};

/// The word that makes a process of the bench the one that is measured.
pub const CHILD: &str = "remember";
const STATIONS: u64 = 10_000;
/// A little more than the horizon, so that it is full.
pub const MINUTES: i64 = 27 * 60;
/// The first minute: a Wednesday at midnight, 2026-06-03 UTC.
pub const FIRST: i64 = 1_780_444_800_000;

pub fn full(bench: &mut Bench) {
    let [resident, copied, waits] = measured_by_a_child(CHILD);
    let streams = (STATIONS * fleet::PROPERTIES.len() as u64) as f64;
    let note = format!(
        "{:.1} kB a datastream, without broker, journal and page",
        resident * 1_024.0 / streams
    );
    let figure = "resident memory, 10,000 stations of 8 datastreams, horizon full";
    bench.table.add(figure, resident, "MB", Aim::AtMost(600.0), note);
    lasting::tell_held_up(bench, [copied, waits]);
}

/// Runs this program as a process of its own, which prints what it measured.
pub fn measured_by_a_child<const FIGURES: usize>(word: &str) -> [f64; FIGURES] {
    let own = std::env::current_exe().unwrap();
    let child = Command::new(own).arg(word).stdout(Stdio::piped()).output().unwrap();
    assert!(child.status.success());
    let said = String::from_utf8(child.stdout).unwrap();
    let figures: Vec<f64> = said.split_whitespace().map(|word| word.parse().unwrap()).collect();
    figures.try_into().unwrap()
}

/// Remembers and says how much memory that takes.
#[expect(clippy::print_stdout, reason = "it is what it is asked")]
pub fn child() {
    let (registry, rivers) = registry(STATIONS);
    let mut feed = Feed::new(registry, rivers);
    for minute in 0..MINUTES {
        for station in 0..STATIONS {
            feed.message(station, FIRST + minute * MINUTE, minute.unsigned_abs() + station);
        }
        feed.process(Input::Tick);
    }
    let resident = process::memory(std::process::id()).0;
    let [copied, waits] = lasting::held_up(&mut feed, STATIONS, FIRST + MINUTES * MINUTE);
    println!("{resident} {copied} {waits}");
}

/// Compiles the example with the stations of the bench beside it.
pub fn registry(stations: u64) -> (Arc<Registry>, NetworkId) {
    registry_without(stations, &[])
}

/// The same without the rows of some tables.
pub fn registry_without(stations: u64, emptied: &[&str]) -> (Arc<Registry>, NetworkId) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let mut tables = Tables::read(&folder).unwrap();
    for (table, rows) in fleet::rows(stations) {
        let held = tables.get(table).unwrap_or_default().to_vec();
        tables.put(table, [held, rows.into_bytes()].concat());
    }
    for table in emptied {
        let held = tables.get(table).unwrap();
        let header = held.split_inclusive(|byte| *byte == b'\n').next().unwrap().to_vec();
        tables.put(table, header);
    }
    let (mut names, networks) = (Names::default(), ["rivers", "parks"].map(str::to_owned));
    let registry = compile(&tables, Judgement::default(), &networks, &mut names).unwrap();
    (Arc::new(registry), NetworkId(names.id(NameKind::Network, "rivers")))
}

/// A pipeline that is fed without a broker, as fast as it goes.
pub struct Feed {
    pub pipeline: Pipeline,
    pub processed: Processed,
    network: NetworkId,
    at: Moment,
    topic: String,
    payload: String,
}

impl Feed {
    pub fn new(registry: Arc<Registry>, network: NetworkId) -> Self {
        let at = Moment { wall: Timestamp(FIRST), elapsed_ms: 0 };
        let mut feed = Self {
            pipeline: Pipeline::new(registry, at),
            processed: Processed::default(),
            network,
            at,
            topic: String::new(),
            payload: String::new(),
        };
        feed.process(Input::Condition(Condition::Connected(network)));
        feed
    }

    pub fn process(&mut self, input: Input<'_>) {
        self.pipeline.process(&Arrival { at: self.at, input }, &mut self.processed);
    }

    /// A station says something, which arrives at once.
    pub fn message(&mut self, station: u64, ts: i64, turn: u64) {
        let (mut topic, mut payload) =
            (std::mem::take(&mut self.topic), std::mem::take(&mut self.payload));
        fleet::message(station, ts, turn, &mut topic, &mut payload);
        self.take(ts, &topic, &payload);
        (self.topic, self.payload) = (topic, payload);
    }

    /// Time passes until then.
    pub fn pass(&mut self, ts: i64) {
        let elapsed_ms = self.at.elapsed_ms + (ts - self.at.wall.millis()).max(0);
        self.at = Moment { wall: Timestamp(ts), elapsed_ms };
    }

    /// A message of any values arrives.
    pub fn hear(&mut self, ts: i64, topic: &str, payload: &str) {
        self.pass(ts);
        self.process(message(self.network, topic, payload));
    }

    /// A message arrives at the time that it states.
    pub fn take(&mut self, ts: i64, topic: &str, payload: &str) {
        self.hear(ts, topic, payload);
        assert_eq!(self.processed.observations.len() % fleet::PROPERTIES.len(), 0);
    }
}

/// Gives a message as an input. At QoS 0 no redelivery is suspected, as when a broker has seen
/// every ack.
pub fn message<'a>(network: NetworkId, topic: &'a str, payload: &'a str) -> Input<'a> {
    Input::Message(Message {
        network,
        packet_id: 1,
        dup: false,
        retain: false,
        qos: Qos::AtMostOnce,
        topic: topic.as_bytes(),
        payload: payload.as_bytes(),
        fault: None,
    })
}
