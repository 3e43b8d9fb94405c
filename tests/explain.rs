//! Why a value has its flag: what is told of every value that the ring holds is what was told when
//! it was judged; and `weir qc explain` of a daemon at work and at rest.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may panic and asks its own clock"
)]

mod peer;
mod play;

use std::collections::BTreeMap;

use proptest::prelude::*;
use weir::domain::history::Entry;
use weir::domain::input::Qos;
use weir::domain::observation::Period;
use weir::domain::quality::{Flag, Flagged, Quality, Test};
use weir::domain::time::{DAY, HOUR, MINUTE, Timestamp};
use weir::mqtt::publisher::Publisher;
use weir::pipeline::Pipeline;
use weir::pipeline::explain::{Explanation, Looked, explain};

use peer::{Mosquitto, Weir, until};
use play::case::{self, Between};
use play::run::Run;

/// Gives the flags that the tests of an explanation come to.
fn flags(explanation: &Explanation) -> Quality {
    let mut quality = Quality::default();
    for test in Test::ALL {
        let of_test = explanation.tests.iter().filter(|one| one.test == test);
        let worst = of_test.map(|one| one.flag).reduce(Flag::or_worse);
        quality.set(test, worst.unwrap());
    }
    quality
}

/// Holds every value of every ring against its explanation; gives how many there were and which
/// tests flagged one of them.
#[track_caller]
fn check(pipeline: &Pipeline, of: &str) -> (usize, Vec<Test>) {
    let (mut count, mut flagged) = (0, Vec::new());
    let (registry, state) = (pipeline.registry(), pipeline.state());
    let (stations, invalidations) = (&*state.stations, &state.invalidations);
    let looked = Looked { registry, stations, invalidations };
    for state in stations.iter().flatten() {
        for stream in &state.streams {
            let name = registry.datastream(stream.id).map_or("", |one| &*one.name);
            for entry in stream.history.since(Timestamp(i64::MIN)) {
                let told = explain(looked, stream.id, entry.time).unwrap();
                assert_eq!(told.held, entry);
                let at = format!("{of}: {name} at {}", entry.time.millis());
                same(&entry, &flags(&told), &at);
                count += 1;
                flagged.extend(
                    Test::ALL.into_iter().filter(|test| entry.quality.flag(*test) == Flag::Suspect),
                );
            }
        }
    }
    (count, flagged)
}

/// That the spike test passed is not always kept.
#[track_caller]
fn same(entry: &Entry, explained: &Quality, at: &str) {
    for test in Test::ALL {
        let (held, told) = (entry.quality.flag(test), explained.flag(test));
        let let_go = test == Test::Spike && told == Flag::Pass && held == Flag::NotEvaluated;
        // What is older than the horizon is recomputed aside, and the ring keeps what was told.
        // A late value may jump, and what it says of those after it is not told anew.
        let late = test == Test::Neighbour && at.starts_with("random");
        let aside = [
            (Test::Person, "invalidation-of-days-ago"),
            (Test::Person, "invalidation-takes-back-yesterdays-class"),
            (Test::ControlCheck, "late-checks-of-days-ago"),
        ];
        let aside = aside.iter().any(|(of, case)| test == *of && at.starts_with(case));
        assert!(
            held == told || let_go || aside || late,
            "{at}: {} is {held:?}, told {told:?}",
            test.name()
        );
    }
}

#[test]
fn every_value_of_every_case_is_explained_as_it_was_judged() {
    let (mut values, mut flagged) = (0, Vec::new());
    for folder in case::all() {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let (count, tests) = check(&case::play(&folder, Between::Nothing).pipeline, &name);
        values += count;
        flagged.extend(tests);
    }
    assert!(values > 500, "{values}");
    for test in [Test::GrossRange, Test::Spike, Test::RateOfChange, Test::FlatLine] {
        assert!(flagged.contains(&test), "no case has {}", test.name());
    }
}

/// Holds the counts of each day against the flags of all its values.
#[track_caller]
fn counted(pipeline: &Pipeline, now: i64) {
    let registry = pipeline.registry();
    for stream in pipeline.state().stations.iter().flatten().flat_map(|state| &state.streams) {
        let station = registry.station(registry.datastream(stream.id).unwrap().station).unwrap();
        let mut days: BTreeMap<Timestamp, Flagged> = BTreeMap::new();
        for entry in stream.history.since(Timestamp(now - 2 * DAY)) {
            let (start, _) = Period::Day.around(entry.time, &station.zone).unwrap();
            days.entry(start).or_default().take_in(&entry.quality);
        }
        // Of the first day not all may be looked at.
        for (start, recounted) in days.into_iter().skip(1) {
            let told = stream.tally.of(start);
            let counts = |of: Flagged| (of.suspect, of.failed, of.missing);
            assert_eq!(counts(told), counts(recounted));
            let flagged = told.tests().filter(|(_, count)| *count > 0);
            assert_eq!(flagged.collect::<Vec<_>>(), recounted.tests().collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_day_is_told_with_how_many_values_each_test_flagged() {
    let mut run = Run::new(START, &[]);
    for minute in 0..30 {
        let at = START + minute * MINUTE;
        run.clock(at);
        // The fifth stands out, and one is no oxygen at all.
        let oxygen = if minute == 20 { -9999.0 } else { oxygen(minute) };
        run.send("sonde-02", at, &format!("\"do\":{oxygen}"));
        if minute % 7 == 0 {
            run.player.restart();
        }
    }
    // What was no spike stands out once a late one is known: the count moves.
    run.send("sonde-02", START + 28 * MINUTE + 30_000, "\"do\":2.0");
    let of = |run: &Run| {
        let oxygen = run.registry.datastreams.iter();
        let oxygen = oxygen.into_iter().find(|one| &*one.name == "puhe-daoyi/dissolved_oxygen");
        let told = run.player.out.coverage.iter().find(|one| one.datastream == oxygen.unwrap().id);
        told.copied()
    };
    let mut told = None;
    for hour in 1..6 {
        run.clock(START + DAY + hour * HOUR);
        told = told.or(of(&run));
    }
    let told = told.unwrap();
    let flagged = told.flagged;
    assert_eq!(told.received, 31);
    assert_eq!((flagged.suspect, flagged.failed, flagged.missing), (4, 1, 0));
    let tests: Vec<(Test, u32)> = flagged.tests().filter(|(_, count)| *count > 0).collect();
    // A value beside a spike rises or falls too fast; one that is none does, too, and stands out.
    assert_eq!(tests, [(Test::GrossRange, 1), (Test::Spike, 3), (Test::RateOfChange, 5)]);
}

/// Midnight of 1 June 2026 in Shenyang.
const START: i64 = 1_780_243_200_000;

/// Tests of oxygen that the example does not have.
const ASKED: &str = "\
station:puhe-daoyi/dissolved_oxygen,timing_gap,,,,,,fail=20m,test
station:puhe-daoyi/dissolved_oxygen,climatology,,,4,12,month=6..8,,test
station:puhe-daoyi/dissolved_oxygen,flat_line,,,,,,tolerance=0.01 suspect=15m,test
";

/// A message of the sonde: after how many minutes it is measured, by how many it is late, and what
/// it says; quantities of few steps, so that lines are flat, spikes are high and zeros come.
#[derive(Clone, Debug)]
struct Said {
    /// The station up the river says it instead.
    upstream: bool,
    after_min: i64,
    late_min: i64,
    oxygen: Option<u8>,
    acid: Option<u8>,
    conductivity: Option<u16>,
}

fn said() -> impl Strategy<Value = Said> {
    (
        prop::bool::weighted(0.2),
        prop_oneof![8 => Just(5_i64), 1 => 1_i64..90],
        prop_oneof![6 => Just(0_i64), 1 => 1_i64..60],
        prop::option::weighted(0.9, prop_oneof![3 => 5_u8..9, 1 => 0_u8..30]),
        prop::option::weighted(0.8, prop_oneof![4 => 6_u8..9, 1 => 0_u8..15]),
        prop::option::weighted(0.8, prop_oneof![4 => 700_u16..900, 1 => 0_u16..2]),
    )
        .prop_map(|(upstream, after_min, late_min, oxygen, acid, conductivity)| Said {
            upstream,
            after_min,
            late_min,
            oxygen,
            acid,
            conductivity,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn what_is_explained_is_what_was_judged(messages in prop::collection::vec(said(), 1..60)) {
        let mut run = Run::new(START, &[("qc.csv", ASKED)]);
        let mut at = START;
        let mut times = std::collections::BTreeSet::new();
        for one in &messages {
            at += one.after_min * MINUTE;
            let time = at - one.late_min * MINUTE;
            // A device says once what it measured at a time.
            if !times.insert((one.upstream, time)) {
                continue;
            }
            run.clock(at);
            let number = |name: &str, value: Option<f64>| {
                value.map_or(String::new(), |value| format!(",\"{name}\":{value}"))
            };
            let values = [
                number("do", one.oxygen.map(f64::from)),
                number("ph", one.acid.map(f64::from)),
                number("ec", one.conductivity.map(f64::from)),
            ]
            .concat();
            let device = if one.upstream { "sonde-01" } else { "sonde-02" };
            run.send(device, time, &format!("\"temp\":18.5{values}"));
        }
        check(&run.player.pipeline, "random");
        counted(&run.player.pipeline, at);
    }
}

/// Stands in for a spike: oxygen of the fifth minute.
fn oxygen(minute: i64) -> f64 {
    if minute == 5 { 2.45 } else { 6.5 + minute as f64 / 100.0 }
}

fn line<'a>(said: &'a str, test: &str) -> &'a str {
    let begins = format!("  {test}: ");
    said.lines().find(|line| line.starts_with(&begins)).unwrap_or_else(|| panic!("{said}"))
}

/// What is said of the spike, by a daemon at work and of one that has stopped.
fn spike_is_explained(weir: &Weir, start: i64) {
    let time = |minute: i64| {
        jiff::Timestamp::from_millisecond(start + minute * MINUTE).unwrap().to_string()
    };
    let of = |minute: i64, more: &[&str]| {
        let at = time(minute);
        let asked = ["qc", "explain", "puhe-daoyi", "DO", &at];
        weir.command(&[&asked, more].concat())
    };
    let (well, told) = of(5, &[]);
    assert!(well, "{told}");
    // The calibration of the example: 1.02 x - 0.05.
    assert!(told.contains("flag 3 suspect: the worst flag counts; suspect: spike"), "{told}");
    let spike = line(&told, "spike");
    for part in [
        "3 suspect – 2.449 stands 4.1718 below the nearer neighbour (6.6208 at ",
        ", 6.6412 at ",
        "; suspect above 2 mg/L (differential)",
    ] {
        assert!(spike.contains(part), "{spike}");
    }
    assert!(line(&told, "gross_range").contains("1 passed – 2.449; fail outside 0 to 50 mg/L"));
    assert!(told.contains("not asked of it (no row in qc.csv"), "{told}");
    let (well, told) = of(9, &["--json"]);
    assert!(well, "{told}");
    let told = told.lines().find(|line| line.starts_with('{')).unwrap();
    let told: serde_json::Value = serde_json::from_str(told).unwrap();
    let tests = told["tests"].as_array().unwrap();
    let spike = tests.iter().find(|one| one["test"] == "spike").unwrap();
    assert_eq!((spike["flag"].as_i64(), told["flag"].as_i64()), (Some(2), Some(1)));
    assert_eq!(spike["words"], "the next value has not come");
    let (_, days) = weir.command(&["qc", "days", "puhe-daoyi", "--json"]);
    // The values may lie on both sides of a midnight.
    if let Ok(days) = serde_json::from_str::<serde_json::Value>(days.trim()) {
        let of = days.as_array().unwrap().iter();
        let of = of.filter(|day| day["datastream"] == "puhe-daoyi/dissolved_oxygen");
        let count = |key: &str| of.clone().map(|day| day[key].as_i64().unwrap()).sum::<i64>();
        assert_eq!([count("values"), count("passed"), count("suspect")], [10, 8, 2]);
        // The value after the spike rises too fast.
        let spikes = of.clone().filter_map(|day| day["flagged"]["spike"].as_i64());
        assert_eq!(spikes.sum::<i64>(), 1);
    } else {
        assert!(days.contains("no weir is at work"), "{days}");
    }
    assert_eq!(spike["inputs"]["before"]["time_ms"], start + 8 * MINUTE);
    let (well, told) = of(-60 * 24 * 3, &[]);
    assert!(!well && told.contains("weir remembers puhe-daoyi/dissolved_oxygen from "), "{told}");
    let (well, told) = weir.command(&["qc", "explain", "puhe-daoi", "DO", "newest"]);
    assert!(!well && told.contains("the nearest is `puhe-daoyi`"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_tells_why_a_value_has_its_flag_at_work_and_at_rest() {
    let broker = Mosquitto::start("");
    let mut weir = Weir::install(&broker.url(), "");
    weir.start();
    let start = jiff::Timestamp::now().as_millisecond() / MINUTE * MINUTE - 20 * MINUTE;
    let publisher = Publisher::connect(&broker.url(), "station").unwrap();
    for minute in 0..10 {
        let (at, oxygen) = (start + minute * MINUTE, oxygen(minute));
        let said = format!("{{\"ts\":{at},\"temp\":18.5,\"ph\":7.6,\"do\":{oxygen}}}");
        let topic = "water/sonde-02/data";
        publisher.publish(topic, said.into_bytes(), Qos::AtLeastOnce, false).await.unwrap();
    }
    publisher.flush().await;
    let newest = ["qc", "explain", "puhe-daoyi", "DO", "newest", "--json"];
    let last = format!("\"time_ms\":{}", start + 9 * MINUTE);
    until("the last value", || weir.command(&newest).1.contains(&last));
    spike_is_explained(&weir, start);
    weir.stop();
    let (_, told) = weir.command(&newest);
    assert!(told.contains("no weir is at work; this is how it stopped"), "{told}");
    spike_is_explained(&weir, start);
    publisher.close().await;
}
