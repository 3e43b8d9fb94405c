//! A storm: ten thousand stations exceed a limit within a minute. What that costs a message beside
//! one that is well, and in how many notices it is told.

use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use weir::domain::alert::AlertChange;
use weir::domain::input::Input;
use weir::domain::time::MINUTE;
use weir::notify::{Letterhead, group, notification};

use crate::Bench;
use crate::fleet;
use crate::process;
use crate::ring::{FIRST, Feed, registry};
use crate::table::Aim;

/// How many stations breach.
const STATIONS: u64 = 10_000;
/// How many minutes it takes until everything that gathers is told. After one more the other
/// datastreams of the stations, of which nothing comes here, would be told to be silent.
const AFTER: i64 = 1;

/// What came of a minute in which every station says something.
#[derive(Default)]
struct Minute {
    spent: Duration,
    fired: usize,
    notices: usize,
    told: usize,
}

pub fn storm(bench: &mut Bench) {
    let (registry, rivers) = registry(STATIONS);
    let mut feed = Feed::new(registry, rivers);
    // The first minute makes the state of every station.
    let minutes: Vec<Minute> = (0..4).map(|minute| hear(&mut feed, minute, minute == 3)).collect();
    let [_, calm, other, storm] = &minutes[..] else { panic!("four minutes") };
    assert_eq!(storm.fired as u64, STATIONS, "every station breaches");
    let gathered: Vec<Minute> = (4..4 + AFTER).map(|minute| wait(&mut feed, minute)).collect();
    let all = || std::iter::once(storm).chain(&gathered);
    let notices: usize = all().map(|one| one.notices).sum();
    let told: usize = all().map(|one| one.told).sum();
    assert_eq!(told as u64, STATIONS, "every alert is told of, or counted");
    let ratio = storm.spent.as_secs_f64() / calm.spent.min(other.spent).as_secs_f64();
    bench.table.add(
        "a message that fires an alert, of the same message without, 10,000 at once",
        ratio,
        "",
        Aim::None,
        format!("{STATIONS} alerts are told in {notices} notices"),
    );
}

/// Every station says one value, and what comes of it is written as the daemon writes it.
fn hear(feed: &mut Feed, minute: i64, bad: bool) -> Minute {
    let (mut topic, mut payload) = (String::new(), String::new());
    let mut came = Minute::default();
    let start = process::own_cpu();
    for station in 0..STATIONS {
        let at = FIRST + minute * MINUTE + i64::try_from(station).unwrap();
        fleet::alarm(station, at, bad, &mut topic, &mut payload);
        feed.hear(at, &topic, &payload);
        tell(feed, &mut came);
    }
    came.spent = process::own_cpu() - start;
    came
}

/// Time passes, by the second.
fn wait(feed: &mut Feed, minute: i64) -> Minute {
    let mut came = Minute::default();
    let begin = Instant::now();
    for second in 0..60 {
        feed.pass(FIRST + minute * MINUTE + second * 1_000);
        feed.process(Input::Tick);
        tell(feed, &mut came);
    }
    came.spent = begin.elapsed();
    came
}

fn tell(feed: &Feed, came: &mut Minute) {
    let (registry, head) = (feed.pipeline.registry(), Letterhead::plain(TimeZone::UTC));
    for event in &feed.processed.alerts {
        came.fired += usize::from(event.change == AlertChange::Fired);
        std::hint::black_box(notification(registry, event, &head).body.to_string());
    }
    for notice in &feed.processed.notices {
        came.notices += 1;
        came.told += notice.entries.len() + notice.unlisted.len();
        std::hint::black_box(group(registry, notice, &head).unwrap().body.to_string());
    }
}
