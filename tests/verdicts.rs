//! What holds of classes and air quality indices through the whole pipeline, whatever is measured
//! and in whichever order it arrives.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod play;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use weir::domain::evaluation::{Evaluated, Evaluation, Grade, Index, Target};
use weir::domain::input::{Condition, Input, Qos};
use weir::domain::name::NetworkId;
use weir::domain::observation::Period;
use weir::domain::registry::Registry;
use weir::domain::time::{DAY, HOUR, MINUTE, Moment, SECOND, Timestamp};
use weir::seed::Tables;

use play::{Editions, Player, Sent, lay_table_over, root};

/// Midnights of Shenyang: 15 January 2026, by the editions of 2012, and 1 June 2026.
const DAYS: [i64; 2] = [1_768_406_400_000, 1_780_243_200_000];

/// A river section and a lake's point with an analyser each, and two air stations of one set.
const WORLD: [(&str, &str); 7] = [
    ("calibrations.csv", "datastream,gain,offset,certificate,from,to,source\n"),
    ("counters.csv", "datastream,maximum,resolution,ct,pt,role,place,from,to,source\n"),
    ("derived.csv", "datastream,expression,from,to,source\n"),
    (
        "stations.csv.last",
        "river-1,puhe,a,b,,,+08:00,river,IV,,,test\nlake-1,nanhu,a,b,,,+08:00,lake,IV,,,test\n\
         air-1,setdz,a,b,,,+08:00,,2,,,test\nair-2,setdz,a,b,,,+08:00,,2,,,test\n",
    ),
    ("members.csv.last", "two,air-1,,,test\ntwo,air-2,,,test\nwaters,river-1,,,test\n"),
    (
        "profiles.csv.last",
        "section,t,ph,,/ph,pH,1,number,continuous,,,instant,,1h,,test\n\
         section,t,dissolved_oxygen,,/do,mg/L,1,number,continuous,,,instant,,1h,,test\n\
         section,t,ammonia_nitrogen,,/nh3n,mg/L,1,number,sampled,4h,40m,sample,,4h,,test\n\
         section,t,permanganate_index,,/codmn,mg/L,1,number,sampled,4h,40m,sample,,4h,,test\n\
         section,t,total_phosphorus,,/tp,mg/L,1,number,sampled,4h,40m,sample,,4h,,test\n\
         six,t,sulphur_dioxide,,/0,ug/m3,1,number,continuous,,,instant,,1h,,test\n\
         six,t,nitrogen_dioxide,,/1,ug/m3,1,number,continuous,,,instant,,1h,,test\n\
         six,t,carbon_monoxide,,/2,mg/m3,1,number,continuous,,,instant,,1h,,test\n\
         six,t,ozone,,/3,ug/m3,1,number,continuous,,,instant,,1h,,test\n\
         six,t,pm10,,/4,ug/m3,1,number,continuous,,,instant,,1h,,test\n\
         six,t,pm2_5,,/5,ug/m3,1,number,continuous,,,instant,,1h,,test\n",
    ),
    (
        "devices.csv",
        "network,device,station,position,profile,clock,zone,options,gateway,from,to,source\n\
         rivers,river,river-1,,section,device,,,,,,test\n\
         rivers,lake,lake-1,,section,device,,,,,,test\n\
         rivers,air-a,air-1,,six,device,,,,,,test\n\
         rivers,air-b,air-2,,six,device,,,,,,test\n",
    ),
];

struct World {
    registry: Arc<Registry>,
    rivers: NetworkId,
}

static COMPILED: LazyLock<World> = LazyLock::new(|| compiled(&[]));
/// The same where no value is doubted but for its own span: what is doubted enters no class, and
/// more of one item may make another doubted.
static UNDOUBTED: LazyLock<World> = LazyLock::new(|| {
    compiled(&[
        ("qc.csv", include_str!("replay/seeds/qc.csv")),
        ("cross_checks.csv", include_str!("replay/seeds/cross_checks.csv")),
    ])
});

fn compiled(over: &[(&str, &str)]) -> World {
    let mut tables = Tables::read(&root().join("seeds")).unwrap();
    for (name, text) in WORLD.iter().chain(over) {
        lay_table_over(&mut tables, name, text);
    }
    let mut editions = Editions::default();
    let registry = editions.add("", &tables).unwrap_or_else(|faults| panic!("{faults}"));
    World { registry, rivers: editions.network("rivers") }
}

/// What is measured on a day: by the hour pH and oxygen, every four hours a sample, by the hour the
/// six pollutants of two stations. Concentrations are in thousandths of a reach of their own.
#[derive(Clone, Debug)]
struct Measured {
    sonde: Vec<(f64, f64)>,
    samples: Vec<[u16; 3]>,
    air: [Vec<[u16; 6]>; 2],
}

/// What a thousand comes to: a bit over the last border of each item, within what QC passes.
const OF_SAMPLES: [f64; 3] = [2.4, 18.0, 0.5];
const OF_AIR: [f64; 6] = [780.0, 390.0, 19.0, 480.0, 560.0, 450.0];

impl Measured {
    /// Gives the payloads: the device, the hour, and the JSON without its braces and time.
    fn payloads(&self) -> Vec<(&'static str, i64, String)> {
        let mut payloads = Vec::new();
        let part = |thousandths: u16, of: f64| f64::from(thousandths) * of / 1_000.0;
        for hour in 0..24 {
            let (ph, oxygen) = self.sonde[hour];
            let mut section = format!("\"ph\":{ph},\"do\":{oxygen}");
            if hour % 4 == 0 {
                let sample = self.samples[hour / 4];
                for (name, at) in ["nh3n", "codmn", "tp"].into_iter().zip(0..) {
                    section += &format!(",\"{name}\":{}", part(sample[at], OF_SAMPLES[at]));
                }
            }
            payloads.push(("river", hour as i64, section.clone()));
            payloads.push(("lake", hour as i64, section));
            for (device, values) in ["air-a", "air-b"].into_iter().zip(&self.air) {
                let value = |at: usize| part(values[hour][at], OF_AIR[at]);
                let six: Vec<String> = (0..6).map(|at| format!("\"{at}\":{}", value(at))).collect();
                payloads.push((device, hour as i64, six.join(",")));
            }
        }
        payloads
    }
}

fn measured() -> impl Strategy<Value = Measured> {
    use proptest::collection::vec;
    // Clean air and water are rarer in numbers than in the world.
    let thousandths = || prop_oneof![0_u16..120, 0_u16..1_000];
    let air = || vec(proptest::array::uniform6(thousandths()), 24);
    let sonde = vec((6.1..8.9_f64, 1.0..11.0_f64), 24);
    (sonde, vec(proptest::array::uniform3(thousandths()), 6), [air(), air()])
        .prop_map(|(sonde, samples, air)| Measured { sonde, samples, air })
}

/// One item at one time that is raised.
#[derive(Clone, Copy, Debug)]
enum Raised {
    Sample { at: usize, item: usize },
    Air { station: usize, hour: usize, item: usize },
}

fn raised() -> impl Strategy<Value = Raised> {
    prop_oneof![
        (0..6_usize, 0..3_usize).prop_map(|(at, item)| Raised::Sample { at, item }),
        (0..2_usize, 0..24_usize, 0..6_usize).prop_map(|(station, hour, item)| Raised::Air {
            station,
            hour,
            item
        }),
    ]
}

/// By whom, index, period and start.
type Key = (Evaluated, Index, Period, Timestamp);

/// A pipeline on a day, and what it told last of each period.
struct Run {
    player: Player,
    rivers: NetworkId,
    now: Moment,
    packet_id: u16,
    last: BTreeMap<Key, Evaluation>,
    /// What was told of the class of now, by station.
    class_of_now: BTreeMap<Evaluated, Vec<Evaluation>>,
}

impl Run {
    fn at(world: &World, start: i64) -> Self {
        let now = Moment { wall: Timestamp(start), elapsed_ms: 0 };
        let player = Player::new(&world.registry, now);
        let (last, class_of_now) = (BTreeMap::new(), BTreeMap::new());
        let mut run = Self { player, rivers: world.rivers, now, packet_id: 0, last, class_of_now };
        run.input(Input::Condition(Condition::Connected(world.rivers)));
        run
    }

    fn input(&mut self, input: Input<'_>) {
        self.player.take(self.now, input);
        for evaluation in &self.player.out.evaluations {
            let Evaluation { subject, index, period, phenomenon_time, .. } = *evaluation;
            if period == Period::Native {
                self.class_of_now.entry(subject).or_default().push(evaluation.clone());
                continue;
            }
            // Whether it was news is not what it comes to.
            let evaluation = Evaluation { changed: false, ..evaluation.clone() };
            self.last.insert((subject, index, period, phenomenon_time.start()), evaluation);
        }
    }

    /// Hears the clock every ten minutes until a time.
    fn clock(&mut self, at: i64) {
        while self.now.wall.millis() < at {
            let step = (at - self.now.wall.millis()).min(10 * MINUTE);
            self.now.elapsed_ms += step;
            self.now.wall = self.now.wall.plus(step);
            self.input(Input::Tick);
        }
    }

    fn send(&mut self, device: &str, time: i64, values: &str) {
        self.packet_id += 1;
        let (packet_id, qos) = (self.packet_id, Qos::AtLeastOnce);
        let sent = Sent { packet_id, qos, ..Sent::by(self.rivers, device, time, values) };
        self.input(Input::Message(sent.message()));
    }

    /// A day as it happens.
    fn live(day: i64, measured: &Measured) -> Self {
        Self::live_in(&COMPILED, day, measured)
    }

    fn live_in(world: &World, day: i64, measured: &Measured) -> Self {
        let mut run = Self::at(world, day);
        for (device, hour, values) in measured.payloads() {
            run.clock(day + hour * HOUR + SECOND);
            run.send(device, day + hour * HOUR, &values);
        }
        run.clock(day + DAY + 4 * HOUR);
        run
    }

    /// The same day when it is over, in another order, within the horizon.
    fn late(day: i64, measured: &Measured, order: &[usize]) -> Self {
        let mut run = Self::at(&COMPILED, day + DAY);
        let payloads = measured.payloads();
        for (step, at) in order.iter().enumerate() {
            run.clock(day + DAY + step as i64 * MINUTE);
            let (device, hour, values) = &payloads[*at];
            run.send(device, day + hour * HOUR, values);
        }
        run.clock(day + DAY + 4 * HOUR);
        run
    }
}

/// How bad an evaluation is: more is worse.
fn badness(evaluation: &Evaluation) -> Option<f64> {
    match (evaluation.index, evaluation.grade) {
        (Index::WaterClass, Some(Grade::Water(class))) => Some(class.number()),
        (Index::RiverGrade, Some(Grade::River(grade))) => Some(f64::from(grade)),
        (Index::Aqi, _) => evaluation.value,
        _ => None,
    }
}

/// Holds that nothing of `worse` is better than in `base`; gives how many were compared.
fn never_better(base: &Run, worse: &Run) -> Result<usize, TestCaseError> {
    prop_assert_eq!(base.last.len(), worse.last.len());
    let mut compared = 0;
    for (key, evaluation) in &base.last {
        let other = &worse.last[key];
        let was = badness(evaluation);
        prop_assert_eq!(was.is_some(), badness(other).is_some(), "{:?}\n{:?}", evaluation, other);
        prop_assert!(badness(other) >= was, "{:?}\n{:?}", evaluation, other);
        let misses = |one: &Evaluation| one.target == Target::Missed;
        prop_assert!(!misses(evaluation) || misses(other), "{:?}\n{:?}", evaluation, other);
        compared += usize::from(was.is_some());
    }
    Ok(compared)
}

/// `PROPTEST_CASES` says how many cases; without it there are as many as a build can wait for. A day
/// is long, so what fails is not made small for ever.
fn cases() -> ProptestConfig {
    let default =
        ProptestConfig { max_shrink_iters: 64, failure_persistence: None, ..Default::default() };
    let asked = std::env::var_os("PROPTEST_CASES").is_some();
    if asked { default } else { ProptestConfig { cases: 8, ..default } }
}

proptest! {
    #![proptest_config(cases())]

    /// Of oxygen and pH it is not so: more of them may be better.
    #[test]
    fn raising_a_concentration_never_betters_a_class_or_lowers_an_index(
        measured in measured(), raised in raised(), by in 1_u16..900, day in 0..2_usize,
    ) {
        let mut worse = measured.clone();
        let value = match raised {
            Raised::Sample { at, item } => &mut worse.samples[at][item],
            Raised::Air { station, hour, item } => &mut worse.air[station][hour][item],
        };
        *value = (*value + by).min(1_000);
        let live = |measured| Run::live_in(&UNDOUBTED, DAYS[day], measured);
        let (base, worse) = (live(&measured), live(&worse));
        let compared = never_better(&base, &worse)?;
        // Hours and the day of four stations and the set of two, and the day's grade of a river.
        prop_assert!(compared >= 5 * 24, "only {} could be compared", compared);
        for (subject, told) in &base.class_of_now {
            // The class of the last hour is of the last sample and the last values.
            let last = |run: &Run| badness(run.class_of_now[subject].last().unwrap());
            prop_assert!(told.is_empty() || last(&worse) >= last(&base));
        }
    }

    #[test]
    fn order_of_arrival_within_the_horizon_changes_no_bit_of_an_evaluation(
        measured in measured(),
        order in Just((0..96_usize).collect::<Vec<_>>()).prop_shuffle(),
        day in 0..2_usize,
    ) {
        let live = Run::live(DAYS[day], &measured);
        let late = Run::late(DAYS[day], &measured, &order);
        let straight: Vec<usize> = (0..96).collect();
        let late_in_order = Run::late(DAYS[day], &measured, &straight);
        for other in [&late, &late_in_order] {
            for (key, evaluation) in &live.last {
                // What is written differs by a bit if that bit differs.
                let (was, is) = (format!("{evaluation:?}"), format!("{:?}", other.last.get(key)));
                prop_assert_eq!(format!("Some({was})"), is, "{:?}", key);
            }
            prop_assert_eq!(live.last.len(), other.last.len());
        }
    }

    #[test]
    fn replay_equals_live_for_evaluations(
        measured in measured(),
        order in Just((0..96_usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let live = Run::live(DAYS[1], &measured);
        prop_assert!(live.last.len() > 100);
        live.player.replay();
        Run::late(DAYS[1], &measured, &order).player.replay();
    }
}
