//! Simulated days through the real program, in scaled time: what it holds in memory, in open files
//! and on the disk does not grow.
#![cfg(feature = "demo")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test may panic, asks its own clock, and shows what it measured"
)]

mod peer;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use weir::daemon::clock::Clock;
use weir::demo::world::{Publication, World};
use weir::domain::input::Qos;
use weir::domain::time::{DAY, HOUR, Timestamp};
use weir::mqtt::publisher::Publisher;

use peer::{Influx, Mosquitto, Process, Weir, get, until};

/// 2026-06-01T06:00:00+08:00.
const START: Timestamp = Timestamp(1_780_264_800_000);
/// Two hours a second.
const SPEED: f64 = 7_200.0;
/// How much later than the test's own weir's clock may be, of real time: it starts after it.
const AHEAD: Duration = Duration::from_millis(300);
/// The limit of the journal, so small that it is reached.
const JOURNAL_BYTES_MAX: u64 = 2 << 20;
/// `WAL_BYTES_MAX` of the journal.
const WAL_BYTES_MAX: u64 = 64 << 20;

/// What weir holds at a time.
#[derive(Clone, Copy, Debug)]
struct Held {
    at: Timestamp,
    /// Memory of its own, KiB.
    memory: u64,
    files: u64,
    threads: u64,
    journal: u64,
    log: u64,
}

impl Held {
    fn look(process: u32, data: &Path, at: Timestamp) -> Self {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let number = |key: &str| -> u64 {
            let line = status.lines().find(|line| line.starts_with(key)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        let bytes = |name: &str| fs::metadata(data.join(name)).map_or(0, |held| held.len());
        Self {
            at,
            memory: number("RssAnon:"),
            files: fs::read_dir(format!("/proc/{process}/fd")).unwrap().count() as u64,
            threads: number("Threads:"),
            journal: bytes("journal.sqlite"),
            log: bytes("journal.sqlite-wal"),
        }
    }
}

/// Gives what was held of something over a time, the least first.
fn over(all: &[Held], from: i64, to: i64, of: impl Fn(&Held) -> u64) -> Vec<u64> {
    let within = |held: &&Held| (from..to).contains(&held.at.since(START));
    let mut held: Vec<u64> = all.iter().filter(within).map(of).collect();
    assert!(held.len() >= 20, "weir was looked at too seldom: {}", held.len());
    held.sort_unstable();
    held
}

fn most(all: &[Held], from: i64, to: i64, of: impl Fn(&Held) -> u64) -> u64 {
    over(all, from, to, of).last().copied().unwrap()
}

/// Gives the middle one: how much is under way in a moment depends on how busy the machine is.
fn median(all: &[Held], from: i64, to: i64, of: impl Fn(&Held) -> u64) -> u64 {
    let held = over(all, from, to, of);
    held[held.len() / 2]
}

/// Lets the simulated stations speak until a time, and looks at weir every now and then.
async fn play(
    process: u32,
    data: &Path,
    url: &str,
    clock: &Clock,
    until: Timestamp,
) -> (Vec<Held>, i64) {
    let publisher = Publisher::connect(url, "stations").unwrap();
    let mut world = World::new(1, START);
    let (mut held, mut published, mut looked) = (Vec::new(), 0, Instant::now());
    let mut beat = tokio::time::interval(Duration::from_millis(20));
    while clock.now().wall < until {
        beat.tick().await;
        let mut said: Vec<Publication> = Vec::new();
        world.until(clock.now().wall, &mut |publication| said.push(publication));
        for Publication { topic, payload, .. } in said {
            publisher.publish(&topic, payload, Qos::AtLeastOnce, false).await.unwrap();
            published += 1;
        }
        if looked.elapsed() >= Duration::from_millis(100) {
            looked = Instant::now();
            held.push(Held::look(process, data, clock.now().wall));
        }
    }
    publisher.flush().await;
    publisher.close().await;
    (held, published)
}

fn print(held: &[Held]) {
    for hour in held.chunk_by(|a, b| a.at.since(START) / HOUR == b.at.since(START) / HOUR) {
        let Held { at, memory, files, threads, journal, log } = hour[hour.len() / 2];
        println!(
            "soak: hour {:>4}: {memory} KiB, {files} files, {threads} threads, journal {} KiB, \
             log {} KiB",
            at.since(START) / HOUR,
            journal >> 10,
            log >> 10
        );
    }
}

/// `WEIR_SOAK_HOURS` says for how many simulated hours it runs once it is warm; 48 without it.
///
/// It is warm when everything is full that is to fill: what datastreams remember
/// (`lateness_horizon_h`, here 2, in the long form as by default), the sums of hours (50 h), and the
/// journal with what SQLite holds of it. From the first day on, in which snapshots came and went,
/// the memory of any half day is not a twentieth above that of that day.
#[tokio::test(flavor = "multi_thread")]
async fn weir_grows_no_more_once_what_is_to_fill_is_full() {
    let hours: Option<i64> = std::env::var("WEIR_SOAK_HOURS").ok().and_then(|t| t.parse().ok());
    let horizon = if hours.is_none() { "[judgement]\nlateness_horizon_h = 2\n" } else { "" };
    let (warm, length) = (60 * HOUR, hours.unwrap_or(48).max(48) * HOUR);
    let (broker, influx) = (Mosquitto::start(""), Influx::start());
    let weir = Weir::install(&broker.url(), &format!("{}{horizon}", influx.config()));
    let data = weir.folder().join("data");
    let folder = "data_folder = 'data'\n";
    weir.configure(folder, &format!("{folder}journal_bytes_max = {JOURNAL_BYTES_MAX}\n"));

    // What weir does every 50 ms it does here every six minutes: nobody is silent for that.
    let rules = weir.folder().join("seeds/rules.csv");
    let text = fs::read_to_string(&rules).unwrap();
    let usual =
        ["silence,,,,,,5,", "silence,,,,,,10,", "silence,gateway,,,,,4,", "silence,network,,,,,3,"];
    let patient = usual.into_iter().fold(text, |text, usual| {
        assert!(text.contains(usual), "{usual}");
        let (cells, _) = usual.trim_end_matches(',').rsplit_once(',').unwrap();
        text.replace(usual, &format!("{cells},90,"))
    });
    fs::write(&rules, patient).unwrap();

    let clock = Clock::scaled(START, SPEED);
    let ahead = (AHEAD.as_secs_f64() * SPEED * 1_000.0) as i64;
    let begin = jiff::Timestamp::from_millisecond(clock.now().wall.plus(ahead).millis()).unwrap();
    let speed = SPEED.to_string();
    let log = fs::File::create(weir.folder().join("log")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command
        .args(["run", "--clock-start", &begin.to_string(), "--speed", &speed, "--config"])
        .arg(weir.folder().join("weir.toml"))
        // What is free is given back at once, so that what is held is what weir holds.
        .envs([("MALLOC_ARENA_MAX", "1"), ("MALLOC_TOP_PAD_", "65536")])
        .envs([("MALLOC_TRIM_THRESHOLD_", "131072"), ("MALLOC_MMAP_THRESHOLD_", "131072")])
        .stderr(log);
    let mut process = Process::start(&mut command);
    until("weir", || get(weir.page(), "/ready").0 == 200);
    let last = START.plus(warm + length);
    let (held, published) = play(process.id(), &data, &broker.url(), &clock, last).await;
    until("every message", || weir.count("/total/messages/received") >= published);
    until("every point", || weir.count("/influx/waiting_points") == 0);
    assert!(process.terminate().success());
    print(&held);
    let messages = weir.ledger()["total"]["messages"].clone();
    println!("soak: {published} messages published, {messages}");
    assert_eq!(weir.count("/total/messages/received"), published);
    let log = weir.log();
    assert!(!log.contains("takes no batch"), "the journal is full of what can't go:\n{log}");

    for from in (warm + DAY..warm + length).step_by((DAY / 2) as usize) {
        let to = from + DAY / 2;
        let memory = median(&held, from, to, |one| one.memory) as f64
            / median(&held, warm, warm + DAY, |one| one.memory) as f64;
        let grown = |of: &dyn Fn(&Held) -> u64| {
            most(&held, from, to, of) > most(&held, warm, warm + DAY, of)
        };
        println!("soak: hour {}: memory {memory:.3}", (from - warm) / HOUR);
        assert!(memory <= 1.05, "{memory}");
        assert!(!grown(&|one| one.files), "files");
        assert!(!grown(&|one| one.threads), "threads");
    }
    // Beyond the limit stand a quarter that only a snapshot lets go, and three snapshots.
    let end = warm + length;
    assert!(most(&held, 0, end, |one| one.journal) <= 3 * JOURNAL_BYTES_MAX);
    assert!(most(&held, 0, end, |one| one.log) <= WAL_BYTES_MAX);
}
