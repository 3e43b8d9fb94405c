//! What quality control, averages, limits of periods and evaluations cost beside everything else,
//! what a station keeps of a year, and whether a snapshot of ten thousand stations holds anything
//! up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use weir::domain::input::Input;
use weir::domain::quality::{Flag, Test};
use weir::domain::time::{DAY, HOUR, MINUTE, Timestamp};
use weir::journal;
use weir::journal::write::Journal;
use weir::pipeline::snapshot::slice;
use weir::pipeline::state::StationState;

use crate::Bench;
use crate::fleet;
use crate::process;
use crate::ring::{FIRST, Feed, MINUTES, measured_by_a_child, registry, registry_without};
use crate::speed::{STATIONS, full_speed};
use crate::table::Aim;

/// The word that makes a process of the bench the one that keeps a year.
pub const CHILD: &str = "keep-a-year";
/// How many stations keep a year.
const YEARLY: u64 = 500;
/// How many days before the minutes of the horizon; more than a year's and less than what days are
/// kept for.
const DAYS: i64 = 380;
/// How many hours are compared, with a midnight of the stations' zone and an hour after it.
const HOURS: i64 = 30;
/// How often they are; the cheapest counts, since whatever else the machine does only adds.
const LOOKS: usize = 3;
/// As many stations as the committer writes between two batches.
const SLICES: usize = 50;
/// The messages of a whole batch.
const BATCH: u64 = 1_000;

/// What evaluations cost a message. Rules look at averages; nobody is alerted in either.
pub fn evaluations(bench: &mut Bench) {
    let with = ["rules.csv"];
    let without = ["rules.csv", "averages.csv", "items.csv"];
    let more = cost_of(&with, &without, &|feeds| {
        assert_eq!(feeds.map(|feed| evaluated(&feed)), [STATIONS, 0]);
    });
    let figure = "averages and evaluations, of weir's CPU per message at full speed";
    let note = format!("{:.2} us a message of 8 values, once a minute; the aim is 1.5", more * 1e6);
    tell_share(bench, figure, more, note);
}

/// What the tests of quality cost an observation, all that the example's seeds ask for, and what
/// stands around them.
pub fn quality(bench: &mut Bench) {
    let with = ["rules.csv"];
    let without = ["rules.csv", "qc.csv", "cross_checks.csv"];
    let more = cost_of(&with, &without, &|feeds| {
        let [with, without] = feeds.map(|feed| tests(&feed));
        assert!(without <= 2 && 4 < with, "{without} and {with} tests said something");
    });
    let each = more / fleet::PROPERTIES.len() as f64;
    let figure = "quality control, of weir's CPU per message at full speed";
    let note =
        format!("{:.3} us a value of 8 a message, once a minute; the aim is 0.15", each * 1e6);
    tell_share(bench, figure, more, note);
}

/// Gives what a message costs more, s, by the same pipeline with the rows of tables than without
/// those of more of them, in turns, an hour each. `hold` looks at what came of it.
fn cost_of(with: &[&str], without: &[&str], hold: &dyn Fn([Feed; 2])) -> f64 {
    let looks = (0..LOOKS).map(|_| {
        let asked = [with, without].map(|emptied| registry_without(STATIONS, emptied));
        let mut feeds = asked.map(|(registry, rivers)| Feed::new(registry, rivers));
        let mut spent = [Duration::ZERO; 2];
        for hour in 0..HOURS {
            for (feed, spent) in feeds.iter_mut().zip(&mut spent) {
                let start = process::own_cpu();
                minutes(feed, STATIONS, FIRST + hour * HOUR, 60);
                *spent += process::own_cpu() - start;
            }
        }
        hold(feeds);
        let messages = (STATIONS * u64::try_from(HOURS * 60).unwrap()) as f64;
        spent.map(|spent| spent.as_secs_f64() / messages)
    });
    let least = |a: [f64; 2], b: [f64; 2]| [a[0].min(b[0]), a[1].min(b[1])];
    let [with, without] = looks.reduce(least).unwrap();
    with - without
}

/// Puts what a message costs more into the table, as a share of all that it costs.
fn tell_share(bench: &mut Bench, figure: &str, more: f64, note: String) {
    let whole = full_speed(bench.messages);
    bench.table.add(figure, more / whole.as_secs_f64() * 100.0, "%", Aim::None, note);
}

/// Gives how many tests said something of the newest values of the last station.
fn tests(feed: &Feed) -> usize {
    let station = feed.pipeline.state().stations.iter().flatten().next_back().unwrap();
    let newest = station.streams.iter().filter_map(|stream| stream.newest);
    let said =
        |test: &&Test| newest.clone().any(|entry| entry.quality.flag(**test) != Flag::NotEvaluated);
    Test::ALL.iter().filter(said).count()
}

/// Gives how many stations have an evaluation.
fn evaluated(feed: &Feed) -> u64 {
    let stations = feed.pipeline.state().stations.iter().flatten();
    stations.filter(|station| !station.evaluated.is_empty()).count() as u64
}

/// Every station says something every minute.
fn minutes(feed: &mut Feed, stations: u64, from: i64, count: i64) {
    for minute in 0..count {
        for station in 0..stations {
            feed.message(station, from + minute * MINUTE, minute.unsigned_abs() + station);
        }
        feed.process(Input::Tick);
    }
}

/// What a station keeps after a year.
pub fn year(bench: &mut Bench) {
    let [resident, bytes] = measured_by_a_child(CHILD);
    let note = format!(
        "{:.1} kB in a snapshot; 8 datastreams, an hourly value for {DAYS} days, then one a minute",
        bytes / 1_024.0
    );
    let figure = "memory of a station after a year";
    bench.table.add(figure, resident / 1_024.0, "kB", Aim::None, note);
}

/// Keeps a year and says what that takes a station, in bytes of memory and of a snapshot.
#[expect(clippy::print_stdout, reason = "it is what it is asked")]
pub fn child() {
    let (registry, rivers) = registry(YEARLY);
    let mut feed = Feed::new(registry, rivers);
    let before = process::memory_kb(std::process::id());
    for hour in 0..DAYS * 24 {
        for station in 0..YEARLY {
            let ts = FIRST + hour * HOUR;
            feed.message(station, ts, hour.unsigned_abs() + station);
        }
        feed.process(Input::Tick);
    }
    minutes(&mut feed, YEARLY, FIRST + DAYS * DAY, MINUTES);
    let resident = (process::memory_kb(std::process::id()) - before) * 1_024 / YEARLY;
    let stations = feed.pipeline.state().stations.iter().flatten();
    let bytes: usize = stations.map(|state| slice(state).len()).sum();
    println!("{resident} {}", bytes as u64 / YEARLY);
}

/// Whether a snapshot holds up what comes in, measured where all stations are full: what a message
/// costs while the snapshot holds the state as it was (each station is copied once) against what
/// it costs else, and how long a batch waits at most for what the committer writes between two,
/// against what the pipeline spends on the messages of a batch.
pub fn held_up(feed: &mut Feed, stations: u64, from: i64) -> [f64; 2] {
    let mut at = from;
    let mut round = |feed: &mut Feed| {
        at += MINUTE;
        let start = Instant::now();
        minutes(feed, stations, at, 1);
        start.elapsed().as_secs_f64() / stations as f64
    };
    let least = |costs: [f64; LOOKS]| costs.into_iter().fold(f64::INFINITY, f64::min);
    let free = least([(); LOOKS].map(|()| round(feed)));
    let held = least([(); LOOKS].map(|()| {
        let held = feed.pipeline.state().stations.clone();
        let cost = round(feed);
        drop(held);
        cost
    }));
    let folder = tempfile::TempDir::new().unwrap();
    let place = journal::Config::at(folder.path());
    let mut journal = Journal::open(&place, Timestamp(at)).unwrap();
    let snapshot = journal.begin_snapshot(Timestamp(at)).unwrap();
    let states: Vec<_> = (0u32..).zip(feed.pipeline.state().stations.iter()).collect();
    let waits = states.chunks(SLICES).map(|states| {
        let start = Instant::now();
        let of =
            |(id, state): &(u32, &Option<Arc<StationState>>)| Some((*id, slice(state.as_ref()?)));
        let slices: Vec<(u32, Vec<u8>)> = states.iter().filter_map(of).collect();
        journal.put_slices(snapshot, &slices).unwrap();
        start.elapsed().as_secs_f64()
    });
    let mut waits: Vec<f64> = waits.collect();
    waits.sort_by(f64::total_cmp);
    [held / free, waits[waits.len() / 2] / (free * BATCH as f64)]
}

/// Puts what was measured of a snapshot into the table.
pub fn tell_held_up(bench: &mut Bench, [copied, waits]: [f64; 2]) {
    let note = "10,000 stations, horizon full, each copied once".to_owned();
    let figure = "CPU per message while a snapshot is written ÷ else";
    bench.table.add(figure, copied, "", Aim::None, note);
    let note = format!("{SLICES} stations between two batches, the median");
    let figure = "a batch's wait for a snapshot ÷ the pipeline's time for its thousand messages";
    bench.table.add(figure, waits, "", Aim::None, note);
}
