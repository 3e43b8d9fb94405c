//! What holds of the flags whatever a sonde says: a stricter threshold never betters one, neither
//! the order of arrival nor how readings are put into messages nor a restart is seen in them, and
//! no value is changed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test may panic"
)]

mod play;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use jiff::tz::TimeZone;
use proptest::prelude::*;
use weir::daemon::qc::station::{OfStation, qualify};
use weir::domain::history::Entry;
use weir::domain::input::Input;
use weir::domain::name::NetworkId;
use weir::domain::observation::{ObservationResult, Period, Side};
use weir::domain::quality::{Flag, Quality, Test};
use weir::domain::registry::{
    Attenuated, Check, Climate, FlatLine, GrossRange, Qc, Rate, Registry, Season, Spike,
    SpikeMethod, Thresholds, TimingGap,
};
use weir::domain::time::{HOUR, MINUTE, Moment, SECOND, Timestamp};
use weir::pipeline::series::{self, Point};
use weir::seed::Tables;

use play::{Editions, Player, Sent, lay_table_over, root};

/// 2026-06-01T08:30:00+08:00.
const START: Timestamp = Timestamp(1_780_273_800_000);

/// The example, with lines that are flat soon, windows that are short, and water that is soon at
/// the next station.
const WORLD: [(&str, &str); 5] = [
    ("calibrations.csv", "datastream,gain,offset,certificate,from,to,source\n"),
    ("reaches.csv.without", "puhe-huishan,puhe-daoyi\n"),
    ("reaches.csv.last", "puhe-huishan,puhe-daoyi,3,6,test\n"),
    (
        "qc.csv.without",
        "property:water_temperature,flat_line\nproperty:ph,flat_line\n\
         property:dissolved_oxygen,flat_line\nproperty:conductivity,flat_line\n",
    ),
    (
        "qc.csv.last",
        "property:water_temperature,flat_line,,,,,,tolerance=0.001 suspect=3m fail=5m,test\n\
         property:ph,flat_line,,,,,,tolerance=0.15 suspect=2m unless=0..7,test\n\
         property:dissolved_oxygen,flat_line,,,,,,tolerance=0.25 suspect=4m,test\n\
         property:conductivity,flat_line,,,,,,tolerance=0.001 suspect=3m fail=4m,test\n\
         property:turbidity,attenuated_signal,,,,,,check=range suspect=2 over=5m needs=3,test\n\
         property:turbidity,timing_gap,,,,,,fail=3m,test\n\
         property:dissolved_oxygen,climatology,,,8,14,month=1..12,within=water_temperature:0..5,\
         test\n",
    ),
];

struct World {
    registry: Arc<Registry>,
    network: NetworkId,
}

static WORLD_COMPILED: LazyLock<World> = LazyLock::new(|| {
    let mut tables = Tables::read(&root().join("seeds")).unwrap();
    for (name, text) in WORLD {
        lay_table_over(&mut tables, name, text);
    }
    let mut editions = Editions::default();
    let registry = editions.add("world", &tables).unwrap_or_else(|faults| panic!("{faults}"));
    World { registry, network: editions.network("rivers") }
});

const DEVICES: [(&str, &str); 3] =
    [("sonde-01", "puhe-huishan"), ("sonde-02", "puhe-daoyi"), ("cabinet-01", "puhe-huishan")];
const SONDE: [(&str, &str, &[&str]); 5] = [
    ("temp", "water_temperature", &["4.1", "4.1", "4.2", "4.3", "7.5", "-9999", "null"]),
    ("ph", "ph", &["7.9", "7.9", "8", "8.1", "9.2", "0", "15", "null", "6.5"]),
    ("do", "dissolved_oxygen", &["9.4", "9.4", "9.5", "9.6", "13", "0", "7", "\"<0.1\"", "null"]),
    ("ec", "conductivity", &["510", "510", "511", "640", "900", "0", "5", "0.51", "-9999"]),
    ("turb", "turbidity", &["3.1", "3.2", "4", "6", "80", "900", "null", "5000"]),
];
const CABINET: [(&str, &str, &[&str]); 4] = [
    ("codmn", "permanganate_index", &["4.2", "4.2", "4.3", "0"]),
    ("nh3n", "ammonia_nitrogen", &["0.5", "0.5", "0.6", "500", "\"<0.02\""]),
    ("tp", "total_phosphorus", &["80", "80", "90"]),
    ("tn", "total_nitrogen", &["1.1", "1.1", "0.3", "9"]),
];

fn channels(device: usize) -> &'static [(&'static str, &'static str, &'static [&'static str])] {
    if device == 2 { &CABINET } else { &SONDE }
}

/// A message: the channels of a device that it brings, and which values.
#[derive(Clone, Debug)]
struct Said {
    device: usize,
    time: Timestamp,
    values: Vec<(usize, &'static str)>,
}

impl Said {
    fn sent(&self) -> Sent {
        let channels = channels(self.device);
        let cell = |(at, value): &(usize, &str)| format!("\"{}\":{value}", channels[*at].0);
        let values: Vec<String> = self.values.iter().map(cell).collect();
        let (network, device) = (WORLD_COMPILED.network, DEVICES[self.device].0);
        Sent::by(network, device, self.time.millis(), &values.join(","))
    }

    fn parts(&self) -> impl Iterator<Item = Self> + '_ {
        self.values.iter().map(|one| Self { values: vec![*one], ..*self })
    }
}

/// Messages of a device: wide ones, some of them without some channels, one a time.
fn of_device(device: usize) -> impl Strategy<Value = Vec<Said>> {
    let cells: Vec<_> = channels(device)
        .iter()
        .map(|(_, _, values)| prop::option::weighted(0.85, prop::sample::select(*values)))
        .collect();
    let (length, count) = if device == 2 { (4 * HOUR, 5_i64) } else { (MINUTE, 30_i64) };
    prop::collection::btree_map(0..count, cells, 1..count as usize).prop_map(move |said| {
        let message = |(turn, cells): (i64, Vec<Option<&'static str>>)| Said {
            device,
            time: START.plus(turn * length - 22 * HOUR),
            values: cells
                .into_iter()
                .enumerate()
                .filter_map(|(at, one)| Some((at, one?)))
                .collect(),
        };
        said.into_iter().map(message).filter(|said| !said.values.is_empty()).collect()
    })
}

/// Messages of all devices in order of time.
fn messages() -> impl Strategy<Value = Vec<Said>> {
    (of_device(0), of_device(1), of_device(2)).prop_map(|(a, b, c)| {
        let mut all = [a, b, c].concat();
        all.sort_by_key(|said| said.time);
        all
    })
}

/// What was sent, by datastream and time.
type Results = BTreeMap<(String, Timestamp), ObservationResult>;

fn results(said: &[Said]) -> Results {
    let of = |said: &Said| {
        let Said { device, time, values } = said.clone();
        values.into_iter().map(move |(at, value)| {
            let name = format!("{}/{}", DEVICES[device].1, channels(device)[at].1);
            let number = |text: &str| -> f64 {
                let number: f64 = text.parse().unwrap();
                if name.ends_with("total_phosphorus") { number / 1000.0 } else { number }
            };
            let result = match value.trim_matches('"') {
                "null" => ObservationResult::Nil(weir::domain::observation::NilReason::Missing),
                text => match text.strip_prefix('<') {
                    Some(limit) => {
                        ObservationResult::Censored { side: Side::Below, limit: number(limit) }
                    }
                    None => ObservationResult::Value(number(text)),
                },
            };
            ((name, time), result)
        })
    };
    said.iter().flat_map(of).collect()
}

fn moment(ms: i64) -> Moment {
    Moment { wall: START.plus(ms), elapsed_ms: ms }
}

/// Plays messages, all of which come within a minute.
fn play(registry: &Arc<Registry>, said: &[Said], restart_after: impl Fn(usize) -> bool) -> Player {
    let mut player = Player::new(registry, moment(0));
    let sent = results(said);
    for (index, said) in said.iter().enumerate() {
        player.take(moment(index as i64), Input::Message(said.sent().message()));
        for one in &player.out.observations {
            if one.observation.period != Period::Native {
                continue;
            }
            let stream = registry.datastream(one.observation.datastream).unwrap();
            let key = (stream.name.to_string(), one.observation.phenomenon_time.start());
            // What is derived was sent by nobody.
            if stream.formulas.is_empty() {
                assert_eq!(sent.get(&key), Some(&one.observation.result), "{key:?}");
            }
        }
        if restart_after(index) {
            player.restart();
        }
    }
    player
}

/// Gives what the rings hold.
fn held(player: &Player) -> BTreeMap<String, Vec<Entry>> {
    let registry = player.pipeline.registry();
    let stations: BTreeSet<&str> = DEVICES.iter().map(|(_, station)| *station).collect();
    let of_them = |name: &str| stations.iter().any(|station| name.starts_with(*station));
    let streams = registry.datastreams.iter().filter(|stream| of_them(&stream.name));
    let entries = streams.map(|stream| {
        let held = player.pipeline.state().stream(stream);
        (stream.name.to_string(), held.map(|held| held.history.since(Timestamp(0))))
    });
    entries.map(|(name, held)| (name, held.unwrap_or_default())).collect()
}

#[track_caller]
fn same(a: &Player, b: &Player) -> Result<(), TestCaseError> {
    for ((name, one), (_, other)) in held(a).iter().zip(&held(b)) {
        prop_assert_eq!(one.len(), other.len(), "{}", name);
        for (one, other) in one.iter().zip(other) {
            prop_assert_eq!(one, other, "{} at {}", name, one.time.since(START) / MINUTE);
        }
    }
    Ok(())
}

fn rank(flag: Flag) -> u8 {
    match flag {
        Flag::Missing | Flag::NotEvaluated => 0,
        Flag::Pass => 1,
        Flag::Suspect => 2,
        Flag::Fail => 3,
    }
}

/// By how much the threshold of a test is tightened: a share.
#[derive(Clone, Copy, Debug)]
struct Stricter {
    test: Test,
    by: f64,
}

impl Stricter {
    fn spans(self, GrossRange { fail, suspect }: GrossRange) -> GrossRange {
        let narrow = |span: Option<(f64, f64)>| {
            span.map(|(low, high)| {
                let part = (high - low) * self.by / 2.0;
                (low + part, high - part)
            })
        };
        GrossRange { fail: narrow(fail), suspect: narrow(suspect) }
    }

    fn scaled(self, thresholds: &mut Thresholds, by: f64) {
        thresholds.suspect = thresholds.suspect.map(|one| one * by);
        thresholds.fail = thresholds.fail.map(|one| one * by);
    }

    fn of(self, qc: &Qc) -> Qc {
        let mut qc = qc.clone();
        let (less, more) = (1.0 - self.by, 1.0 + self.by);
        let sooner = |ms: i64| (ms as f64 * less) as i64;
        match self.test {
            Test::GrossRange => qc.gross_range = qc.gross_range.map(|spans| self.spans(spans)),
            Test::Climatology => {
                qc.climatology = qc.climatology.map(|rows| {
                    let narrow = |row: &Climate| Climate { span: self.spans(row.span), ..*row };
                    rows.iter().map(narrow).collect()
                });
            }
            Test::Spike => {
                if let Some(spike) = &mut qc.spike {
                    self.scaled(&mut spike.thresholds, less);
                }
            }
            Test::RateOfChange => {
                if let Some(rate) = &mut qc.rate_of_change {
                    self.scaled(&mut rate.thresholds, less);
                    rate.noise *= less;
                }
            }
            Test::FlatLine => {
                if let Some(flat) = &mut qc.flat_line {
                    flat.suspect_ms = flat.suspect_ms.map(sooner);
                    flat.fail_ms = flat.fail_ms.map(sooner);
                    flat.tolerance *= more;
                }
            }
            Test::AttenuatedSignal => {
                if let Some(signal) = &mut qc.attenuated_signal {
                    self.scaled(&mut signal.thresholds, more);
                }
            }
            Test::TimingGap => {
                if let Some(gap) = &mut qc.timing_gap {
                    gap.fail_ms = sooner(gap.fail_ms);
                }
            }
            other => panic!("{other:?} has no threshold of its own here"),
        }
        qc
    }

    /// Holds flags against those by the milder threshold.
    fn hold(self, mild: &Quality, strict: &Quality) -> Result<(), TestCaseError> {
        let flags = |quality: &Quality| quality.flag(self.test);
        let (was, is) = (flags(mild), flags(strict));
        prop_assert!(rank(was) <= rank(is), "{:?}: {:?} was {:?}", self, is, was);
        // A value that fails by itself is no neighbour of others, so that these may be bettered.
        if self.test != Test::GrossRange {
            prop_assert!(rank(mild.roll_up()) <= rank(strict.roll_up()));
        }
        Ok(())
    }
}

fn stricter() -> impl Strategy<Value = Stricter> {
    const TESTS: [Test; 7] = [
        Test::GrossRange,
        Test::Climatology,
        Test::Spike,
        Test::RateOfChange,
        Test::FlatLine,
        Test::AttenuatedSignal,
        Test::TimingGap,
    ];
    (prop::sample::select(&TESTS[..]), 0.0..0.9_f64).prop_map(|(test, by)| Stricter { test, by })
}

fn thresholds(suspect: f64, fail: Option<f64>) -> Thresholds {
    Thresholds { suspect: Some(suspect), fail }
}

/// Tests of a series of values about 5.
fn of_series() -> impl Strategy<Value = Qc> {
    let method = prop::sample::select(&[SpikeMethod::Average, SpikeMethod::Differential][..]);
    let check = prop::sample::select(&[Check::Range, Check::Deviation][..]);
    (method, check, any::<bool>(), any::<bool>()).prop_map(|(method, check, relative, whole)| Qc {
        gross_range: Some(GrossRange { fail: Some((0.0, 9.0)), suspect: Some((2.0, 7.0)) }),
        climatology: Some(Arc::new([
            Climate {
                season: (Season::Month, 1, 12),
                companion: None,
                span: GrossRange { fail: Some((-1.0, 11.0)), suspect: Some((1.0, 8.0)) },
            },
            Climate {
                season: (Season::Hour, 8, 9),
                companion: Some((0.0, 3.0)),
                span: GrossRange { fail: None, suspect: Some((4.0, 6.0)) },
            },
        ])),
        spike: Some(Spike { method, thresholds: thresholds(1.0, Some(3.0)) }),
        rate_of_change: Some(Rate {
            thresholds: thresholds(0.01, Some(0.05)),
            relative,
            noise: 0.5,
        }),
        flat_line: Some(FlatLine {
            suspect_ms: Some(3 * MINUTE),
            fail_ms: Some(6 * MINUTE),
            tolerance: 0.3,
            ..FlatLine::default()
        }),
        attenuated_signal: Some(Attenuated {
            check,
            thresholds: Thresholds { suspect: Some(1.0), fail: Some(0.5) },
            over_ms: (!whole).then_some(5 * MINUTE),
            needs: 2,
        }),
        timing_gap: Some(TimingGap { fail_ms: 2 * MINUTE }),
        ..Qc::default()
    })
}

fn points() -> impl Strategy<Value = Vec<Point>> {
    let number = || prop::option::weighted(0.9, (0..120_i32).prop_map(|one| f64::from(one) / 10.0));
    let flat = prop::option::weighted(0.9, (48..53_i32).prop_map(|one| f64::from(one) / 10.0));
    let value = prop_oneof![number(), flat];
    prop::collection::vec((1..200_i64, value, number()), 1..60).prop_map(|steps| {
        let mut time = START;
        let point = |(seconds, value, companion): (i64, Option<f64>, Option<f64>)| {
            time = time.plus(seconds * SECOND);
            Point { time, value, companion: companion.map(|one| one / 2.0) }
        };
        steps.into_iter().map(point).collect()
    })
}

/// `PROPTEST_CASES` says how many cases; without it there are as many as a build can wait for.
fn cases(count: u32) -> ProptestConfig {
    let default = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let asked = std::env::var_os("PROPTEST_CASES").is_some();
    if asked { default } else { ProptestConfig { cases: count, ..default } }
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn a_stricter_threshold_betters_no_flag_of_a_table(
        qc in of_series(),
        points in points(),
        stricter in stricter(),
    ) {
        let mild = series::judge(&qc, &TimeZone::UTC, &points);
        let strict = series::judge(&stricter.of(&qc), &TimeZone::UTC, &points);
        for (mild, strict) in mild.iter().zip(&strict) {
            stricter.hold(mild, strict)?;
        }
    }
}

proptest! {
    #![proptest_config(cases(32))]

    #[test]
    fn a_stricter_threshold_betters_no_flag_of_the_stream(
        said in messages(),
        stricter in stricter(),
    ) {
        let registry = &WORLD_COMPILED.registry;
        let mut tight = Registry::clone(registry);
        for index in 0..tight.datastreams.len() {
            let Some(stream) = tight.datastreams.get_mut(index) else { continue };
            stream.qc = Arc::new(stricter.of(&stream.qc));
        }
        let mild = held(&play(registry, &said, |_| false));
        let strict = held(&play(&Arc::new(tight), &said, |_| false));
        for ((name, mild), (_, strict)) in mild.iter().zip(&strict) {
            // Of what is derived the members fail sooner, so that there is nothing to judge.
            if results(&said).keys().any(|(of, _)| of == name) {
                for (mild, strict) in mild.iter().zip(strict) {
                    stricter.hold(&mild.quality, &strict.quality)?;
                }
            }
        }
    }

    #[test]
    fn the_order_of_arrival_is_not_seen_in_the_flags(
        (said, shuffled) in messages().prop_flat_map(|said| {
            (Just(said.clone()), Just(said).prop_shuffle())
        }),
    ) {
        let registry = &WORLD_COMPILED.registry;
        same(&play(registry, &said, |_| false), &play(registry, &shuffled, |_| false))?;
    }

    #[test]
    fn how_readings_are_put_into_messages_is_not_seen_in_the_flags(
        (said, parts) in messages().prop_flat_map(|said| {
            let parts: Vec<Said> = said.iter().flat_map(Said::parts).collect();
            (Just(said), prop_oneof![Just(parts.clone()).boxed(), Just(parts).prop_shuffle().boxed()])
        }),
    ) {
        let registry = &WORLD_COMPILED.registry;
        same(&play(registry, &said, |_| false), &play(registry, &parts, |_| false))?;
    }

    #[test]
    fn a_repeat_is_not_seen_in_the_flags(
        (said, more) in messages().prop_flat_map(|said| {
            let twice = [said.clone(), said.clone()].concat();
            (Just(said), Just(twice).prop_shuffle())
        }),
    ) {
        let registry = &WORLD_COMPILED.registry;
        same(&play(registry, &said, |_| false), &play(registry, &more, |_| false))?;
    }

    #[test]
    fn a_restart_anywhere_changes_no_flag(
        said in messages().prop_shuffle(),
        at in any::<prop::sample::Index>(),
    ) {
        let registry = &WORLD_COMPILED.registry;
        let whole = play(registry, &said, |_| false);
        let cut = at.index(said.len());
        for torn in [
            play(registry, &said, |index| index == cut),
            play(registry, &said, |_| true),
        ] {
            prop_assert_eq!(&whole.told, &torn.told);
            same(&whole, &torn)?;
            play::assert_same_state(&whole.pipeline, &torn.pipeline);
        }
        whole.replay();
    }

    #[test]
    fn what_was_sent_is_what_is_held(said in messages().prop_shuffle()) {
        let player = play(&WORLD_COMPILED.registry, &said, |_| false);
        let sent = results(&said);
        let held = held(&player);
        for ((name, time), result) in &sent {
            let entry = held[name].iter().find(|entry| entry.time == *time);
            prop_assert_eq!(entry.map(|entry| entry.result), Some(*result), "{} {:?}", name, time);
        }
    }

    #[test]
    fn a_table_is_judged_as_the_messages_are(said in of_device(0)) {
        let registry = &WORLD_COMPILED.registry;
        let station = DEVICES[0].1;
        let mut table = format!("time,{}\n", SONDE.map(|(_, property, _)| property).join(","));
        // Where a message brings no value, there would be a missing one.
        let whole = |said: &Said| {
            let given = |at: usize| said.values.iter().find(|(of, _)| *of == at).map(|(_, one)| *one);
            let values = (0..SONDE.len()).map(|at| (at, given(at).unwrap_or("null"))).collect();
            Said { values, ..said.clone() }
        };
        let said: Vec<Said> = said.iter().map(whole).collect();
        for Said { time, values, .. } in &said {
            let cell = |(_, value): &(usize, &str)| value.trim_matches('"').replace("null", "");
            let cells: Vec<String> = values.iter().map(cell).collect();
            table += &format!("{},{}\n", time.rfc3339(&TimeZone::UTC), cells.join(","));
        }
        let asked = OfStation {
            file: "table".to_owned(),
            station: station.to_owned(),
            missing: Vec::new(),
            keep: Vec::new(),
            zone: None,
        };
        let flags = qualify(registry, &asked, table.as_bytes());
        let flags = flags.unwrap_or_else(|faults| panic!("{faults:?}"));
        let mut reader = csv::Reader::from_reader(&*flags);
        let head = reader.headers().unwrap().clone();
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        let held = held(&play(registry, &said, |_| false));
        for (_, property, _) in SONDE {
            let entries = &held[&format!("{station}/{property}")];
            prop_assert_eq!(entries.len(), rows.len());
            for (entry, row) in entries.iter().zip(&rows) {
                let cell = |name: &str| -> Option<String> {
                    let at = head.iter().position(|one| *one == format!("{property}_{name}"))?;
                    Some(row[at].to_owned())
                };
                for test in Test::ALL {
                    let flag = entry.quality.flag(test).number().to_string();
                    prop_assert!(cell(test.name()).is_none_or(|cell| cell == flag), "{test:?}");
                }
                let rolled = entry.quality.roll_up().number().to_string();
                prop_assert_eq!(cell("qc"), Some(rolled));
            }
        }
    }
}
