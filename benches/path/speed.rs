//! Runs through broker, weir and sink: what a message costs, what is written, how a restart goes.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Bench;
use crate::fleet::{self, PROPERTIES};
use crate::load::{self, Load};
use crate::peer::{Mosquitto, Weir, get};
use crate::process;
use crate::sink::Sink;
use crate::table::Aim;

/// How many stations send where nothing else is said.
pub const STATIONS: u64 = 100;

/// What a run cost.
struct Cost {
    weir: Duration,
    broker: Duration,
    took: Duration,
    written: u64,
    memory_most: u64,
    requests: usize,
}

/// A broker, a sink and a weir between them.
pub struct Bed {
    pub broker: Mosquitto,
    pub sink: Sink,
    pub weir: Weir,
}

impl Bed {
    pub fn new(stations: u64, more: &str) -> Self {
        let (broker, sink) = (Mosquitto::start(""), Sink::start());
        let more = format!("{}{more}", sink.database());
        let mut weir = Weir::install(&broker.url(), &more);
        write_seeds(&weir.folder().join("seeds"), stations);
        weir.start();
        Self { broker, sink, weir }
    }

    /// Waits until so many messages are stored and none of their points waits.
    pub fn until_stored(&self, count: u64) {
        let count = i64::try_from(count).unwrap();
        let start = Instant::now();
        loop {
            let ledger = self.weir.ledger();
            let number = |pointer: &str| ledger.pointer(pointer).and_then(|one| one.as_i64());
            if number("/total/messages/stored") == Some(count)
                && number("/influx/waiting_points") == Some(0)
            {
                return;
            }
            assert!(start.elapsed() < Duration::from_secs(600), "not stored in time: {ledger}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

/// Puts the stations of the bench beside those of the example.
pub fn write_seeds(folder: &Path, stations: u64) {
    for (table, rows) in fleet::rows(stations) {
        let path = folder.join(table);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, text.trim_end().to_owned() + "\n" + &rows).unwrap();
    }
}

/// Sends messages through broker and weir into a sink.
fn run(stations: u64, count: u64, rate: Option<u64>) -> Cost {
    let mut bed = Bed::new(stations, "");
    // What a start costs is no part of it.
    std::thread::sleep(Duration::from_secs(1));
    let ids = [bed.weir.process().id(), bed.broker.id()];
    let before = ids.map(process::cpu);
    let written_before = process::written(ids[0]);
    let start = Instant::now();
    load::publish(bed.broker.port(), Load::of(stations, count, rate));
    bed.until_stored(count);
    let took = start.elapsed();
    let [weir, broker] = [0, 1].map(|one: usize| process::cpu(ids[one]) - before[one]);
    let written = process::written(ids[0]) - written_before;
    let (_, memory_most) = process::memory(ids[0]);
    bed.weir.stop();
    let (requests, values) = bed.sink.received();
    assert_eq!(values, count * PROPERTIES.len() as u64, "every value reached the sink once");
    Cost { weir, broker, took, written, memory_most, requests }
}

impl Cost {
    fn ratio(&self) -> f64 {
        self.weir.as_secs_f64() / self.broker.as_secs_f64()
    }
}

/// Gives what weir spends on a message at full speed.
pub fn full_speed(messages: u64) -> Duration {
    let cost = run(STATIONS, messages, None);
    Duration::from_secs_f64(cost.weir.as_secs_f64() / messages as f64)
}

/// The first rows: at full speed and at two rates.
pub fn ratios(bench: &mut Bench) {
    let runs = [
        ("full speed", bench.messages, None, 0.3, 1.6),
        ("5,000/s", 100_000, Some(5_000), 0.35, 1.8),
        ("500/s", 20_000, Some(500), 0.6, 4.0),
    ];
    for (name, count, rate, cost_most, written_most) in runs {
        let cost = run(STATIONS, count, rate);
        let note = format!("{count} messages, {} requests to the database", cost.requests);
        let figure = format!("CPU per message ÷ mosquitto's, {name}");
        bench.table.add(&figure, cost.ratio(), "", Aim::AtMost(cost_most), note);
        let payload = (count * Load::of(STATIONS, count, rate).payload_bytes()) as f64;
        let figure = format!("bytes written ÷ bytes of payload, {name}");
        let written = cost.written as f64 / payload;
        bench.table.add(&figure, written, "", Aim::AtMost(written_most), String::new());
        if rate.is_none() {
            let (figure, most) = ("resident memory, full speed", cost.memory_most as f64);
            bench.table.add(figure, most, "MB", Aim::AtMost(40.0), "the most it had".to_owned());
        }
    }
}

/// What a hundred times as many stations cost.
pub fn many_stations(bench: &mut Bench) {
    let few = run(STATIONS, bench.messages, None);
    let many = run(STATIONS * 100, bench.messages, None);
    let speed = few.took.as_secs_f64() / many.took.as_secs_f64();
    let note = format!(
        "CPU per message ÷ mosquitto's: {:.2} with 10,000, {:.2} with 100",
        many.ratio(),
        few.ratio()
    );
    let figure = "messages a second, 10,000 stations ÷ 100";
    bench.table.add(figure, speed, "", Aim::AtLeast(0.9), note);
}

/// How a restart after a kill compares with the time that the same inputs took.
pub fn restart(bench: &mut Bench) {
    let mut bed = Bed::new(STATIONS, "");
    let start = Instant::now();
    load::publish(bed.broker.port(), Load::of(STATIONS, bench.messages, None));
    bed.until_stored(bench.messages);
    let live = start.elapsed();
    bed.weir.kill();
    let start = Instant::now();
    bed.weir.start_with(&[]);
    while get(bed.weir.page(), "/ready").0 != 200 {
        assert!(start.elapsed() < live * 2, "{}", bed.weir.log());
        std::thread::sleep(Duration::from_millis(5));
    }
    let again = start.elapsed();
    bed.weir.stop();
    let note = format!("{} messages, no snapshot", bench.messages);
    let figure = "restart after a kill ÷ the time that its inputs took at full speed";
    let ratio = again.as_secs_f64() / live.as_secs_f64();
    bench.table.add(figure, ratio, "", Aim::AtMost(0.5), note);
}
