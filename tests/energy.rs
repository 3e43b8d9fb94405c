//! What the meters of an invented park come to, through the whole pipeline, against numbers by
//! hand: balance, water used again, power factor, supply quality, coal, carbon and intensity.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::float_cmp,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may panic"
)]

mod play;

use proptest::prelude::*;
use weir::domain::assessment::NotAssessable;
use weir::domain::evaluation::{Evaluated, Evaluation, Index, Target};
use weir::domain::observation::Period;
use weir::domain::time::{DAY, HOUR, MINUTE, SECOND};

use crate::play::run::Run;

/// Midnight of 1 June 2026 in Shenyang.
const START: i64 = 1_780_243_200_000;

const PLACES: &str = "mill,park,Mill,工厂,shenyang,test\n";
const PROFILES: &str = "\
energies,test,electricity_energy,,/e,kWh,1,number,continuous,,,total,,1h,,test
energies,test,reactive_energy,,/q,kvarh,1,number,continuous,,,total,,1h,,test
energy,test,electricity_energy,,/e,kWh,1,number,continuous,,,total,,1h,,test
volume,test,water_volume,,/v,m3,1,number,continuous,,,total,,1h,,test
supply,test,voltage,L1,/u1,V,1,number,continuous,,,instant,,10m,,test
supply,test,voltage,L2,/u2,V,1,number,continuous,,,instant,,10m,,test
supply,test,voltage,L3,/u3,V,1,number,continuous,,,instant,,10m,,test
supply,test,frequency,,/f,Hz,1,number,continuous,,,instant,,10m,,test
";
const STATIONS: &str = "\
mill-power,mill,Power,电,,,+08:00,,220V,,,test
mill-water,mill,Water,水,,,+08:00,,,,,test
";
const DEVICES: &str = "\
rivers,main,mill-power,,energies,device,,,,,,test
rivers,sub-1,mill-power,sub-1,energy,device,,,,,,test
rivers,sub-2,mill-power,sub-2,energy,device,,,,,,test
rivers,fresh,mill-water,,volume,device,,,,,,test
rivers,reused,mill-water,reused,volume,device,,,,,,test
rivers,supply,mill-power,,supply,device,,,,,,test
";
const COUNTERS: &str = "\
mill-power/electricity_energy/total,,99999.9,0.1,1,1,import,hv_industry,mill,,,test
mill-power/reactive_energy/total,,99999.9,0.1,1,1,import,hv_industry,mill,,,test
mill-power/sub-1/electricity_energy/total,,99999.9,0.1,1,1,sub,,mill,,,test
mill-power/sub-2/electricity_energy/total,,99999.9,0.1,1,1,sub,,mill,,,test
mill-water/water_volume/total,,99999.9,0.1,1,1,fresh_water,,mill,,,test
mill-water/reused/water_volume/total,,99999.9,0.1,1,1,reused_water,,mill,,,test
";
const PRODUCTION: &str = "mill,2026-06,12,10^4CNY,test\n";

fn mill() -> Run {
    let rows = [
        ("places.csv", PLACES),
        ("profiles.csv", PROFILES),
        ("stations.csv", STATIONS),
        ("devices.csv", DEVICES),
        ("counters.csv", COUNTERS),
        ("production.csv", PRODUCTION),
    ];
    Run::new(START, &rows)
}

/// What the meters say at an hour: 100 kWh, 50 kvarh, 60 and 35 kWh behind it, 2 m3 fresh and 38
/// m3 used again in each. The main meter rolls over on the first day.
fn states(hour: i64) -> [(&'static str, String); 5] {
    let of = |key, zero: i64, each: i64| format!("\"{key}\":{}", (zero + each * hour) % 100_000);
    [
        ("main", format!("{},{}", of("e", 99_000, 100), of("q", 7, 50))),
        ("sub-1", of("e", 500, 60)),
        ("sub-2", of("e", 20_000, 35)),
        ("fresh", of("v", 10, 2)),
        ("reused", of("v", 0, 38)),
    ]
}

/// Sends the states of some hours, each when it is.
fn hours(run: &mut Run, hours: std::ops::RangeInclusive<i64>, silent: &[&str]) {
    for hour in hours {
        run.clock(START + hour * HOUR + SECOND);
        for (device, values) in states(hour).iter().filter(|(one, _)| !silent.contains(one)) {
            run.send(device, START + hour * HOUR, values);
        }
    }
}

/// Takes what was said last of an index over a period.
fn last(run: &Run, index: Index, period: Period, start: i64) -> Option<&Evaluation> {
    let mill = run.registry.places.iter().find(|place| &*place.name == "mill").unwrap().id;
    let mine = |one: &&Evaluation| match one.subject {
        Evaluated::Place(place) => place == mill,
        Evaluated::Station(id) => run.registry.station(id).unwrap().place == mill,
        Evaluated::Set(_) => false,
    };
    let of = |one: &&Evaluation| {
        let time = one.phenomenon_time.start().millis();
        (one.index, one.period, time) == (index, period, start)
    };
    run.evaluations.iter().filter(mine).rfind(of)
}

#[track_caller]
fn check(run: &Run, index: Index, period: Period, want: (f64, Target), clause: &str) {
    let found = last(run, index, period, START).unwrap();
    let value = found.value.unwrap_or_else(|| panic!("{found:?}"));
    assert!((value - want.0).abs() < 1e-6, "{value} for {}", want.0);
    assert_eq!((found.target, found.reason), (want.1, None), "{found:?}");
    assert!(found.clause.contains(clause), "{}", found.clause);
    assert!(found.missing.is_empty() && found.items == found.items_of);
}

#[test]
fn a_day_of_a_park() {
    let mut run = mill();
    hours(&mut run, 0..=24, &[]);
    run.clock(START + DAY + HOUR - SECOND);
    assert_eq!(last(&run, Index::Balance, Period::Day, START), None, "an hour after the day");
    run.clock(START + DAY + HOUR);
    // 100 kWh less 60 and 35 are 5 %.
    check(&run, Index::Balance, Period::Hour, (5.0, Target::None), "import - export");
    check(&run, Index::Balance, Period::Day, (5.0, Target::None), "import - export");
    // 38 of 40 m3 are 95 %, and equality meets.
    let target = "water_reuse 95 % by 2020-12-31";
    check(&run, Index::WaterReuse, Period::Day, (95.0, Target::Met), target);
    // 2,400 kWh x 0.1229 and 48 m3 x 0.2571 are 294.96 and 12.3408 kgce.
    let by = "equivalent value 当量值: electricity 0.1229 kgce/kWh, fresh_water 0.2571 kgce/m3";
    check(&run, Index::StandardCoal, Period::Day, (0.307_300_8, Target::None), by);
    // 2,400 kWh x 0.5626 are 1,350.24 kg.
    let by = "grid_co2 liaoning 2022: 0.5626 kgCO2/kWh, the latest before 2026";
    check(&run, Index::CarbonDioxide, Period::Day, (1.350_24, Target::None), by);
    assert_eq!(last(&run, Index::Intensity, Period::Day, START), None, "no production of a day");
    let told = run.evaluations.iter().filter(|one| one.index == Index::Balance);
    assert_eq!(told.filter(|one| one.period == Period::Hour).count(), 24, "each hour once");
}

#[test]
fn a_month_of_a_park() {
    let mut run = mill();
    hours(&mut run, 0..=30 * 24, &[]);
    run.clock(START + 30 * DAY + HOUR);
    check(&run, Index::Balance, Period::Month, (5.0, Target::None), "sub-meters");
    let target = "water_reuse 95 % by 2020-12-31";
    check(&run, Index::WaterReuse, Period::Month, (95.0, Target::Met), target);
    // 72,000 kWh and 36,000 kvarh: 2 / sqrt(5) = 0.8944, which is 0.89.
    let factor = 2.0 / 5.0_f64.sqrt();
    check(&run, Index::PowerFactor, Period::Month, (factor, Target::Missed), "power_factor 0.9");
    // 72,000 x 0.1229 + 1,440 x 0.2571 = 8,848.8 + 370.224 kgce.
    check(&run, Index::StandardCoal, Period::Month, (9.219_024, Target::None), "当量值");
    // Over 12 x 10^4 RMB.
    let target = "energy_intensity 0.68 tce/10^4CNY by 2020-12-31";
    check(&run, Index::Intensity, Period::Month, (0.768_252, Target::Missed), target);
    check(&run, Index::CarbonDioxide, Period::Month, (40.507_2, Target::None), "liaoning 2022");
}

#[test]
fn production_that_is_named_after_its_period_is_reckoned_the_next_day_and_once() {
    let mut run = mill();
    hours(&mut run, 0..=62 * 24, &[]);
    // The production of July comes in August.
    let july = START + 30 * DAY;
    assert_eq!(last(&run, Index::Intensity, Period::Month, july), None);
    let rows = "mill,2026-07,24.8,10^4CNY,test\nmill,2020-07,9,10^4CNY,test\n";
    run.adopt("with July", &[("production.csv", rows)]);
    run.evaluations.clear();
    hours(&mut run, 62 * 24 + 1..=65 * 24, &[]);
    // 74,400 kWh x 0.1229 + 1,488 m3 x 0.2571 = 9,526.3248 kgce, over 24.8.
    let found = last(&run, Index::Intensity, Period::Month, july).unwrap();
    assert_eq!((found.value, found.target), (Some(0.384_126), Target::Met));
    let told = run.evaluations.iter().filter(|one| one.index == Index::Intensity);
    assert_eq!(told.count(), 1, "nor is 2020 told, of which no meter says anything");
}

#[test]
fn a_silent_meter_is_not_zero_and_its_gap_revises_the_day() {
    let mut run = mill();
    hours(&mut run, 0..=5, &[]);
    hours(&mut run, 6..=25, &["sub-2", "reused"]);
    run.clock(START + DAY + HOUR + MINUTE);
    for (index, items) in [(Index::Balance, (2, 3)), (Index::WaterReuse, (1, 2))] {
        let day = last(&run, index, Period::Day, START).unwrap();
        assert_eq!((day.value, day.reason), (None, Some(NotAssessable::Missing)), "{day:?}");
        assert_eq!((day.items, day.items_of, day.missing.len()), (items.0, items.1, 1));
    }
    hours(&mut run, 26..=26, &[]);
    run.clock(START + DAY + 2 * HOUR + MINUTE);
    check(&run, Index::Balance, Period::Day, (5.0, Target::None), "");
    assert!(last(&run, Index::Balance, Period::Day, START).unwrap().unconfirmed);
    check(&run, Index::WaterReuse, Period::Day, (95.0, Target::Met), "");
}

/// Sends a day of ten-minute values of the supply; in the first `odd` the second phase is at 240 V.
fn supply(run: &mut Run, day: i64, odd: i64) {
    for step in 0..144 {
        let time = START + day * DAY + step * 10 * MINUTE;
        let volts = if step < odd { 240 } else { 220 };
        run.clock(time + SECOND);
        run.send("supply", time, &format!("\"u1\":220,\"u2\":{volts},\"u3\":220,\"f\":50.0"));
    }
}

#[test]
fn a_day_has_one_verdict_on_supply_and_one_on_unbalance() {
    let mut run = mill();
    supply(&mut run, 0, 7);
    supply(&mut run, 1, 8);
    run.clock(START + 2 * DAY + HOUR);
    let told = |index| run.evaluations.iter().filter(move |one| one.index == index).count();
    assert_eq!((told(Index::SupplyQuality), told(Index::VoltageUnbalance)), (2, 2));
    // 7 of 144 outside are 95.14 % within, 8 are 94.44 %; 235.4 V is the limit.
    let of = |day: i64, index| last(&run, index, Period::Day, START + day * DAY).unwrap();
    let met = of(0, Index::SupplyQuality);
    assert_eq!((met.value, met.target, met.items), (Some(95.138_889), Target::Met, 4));
    assert!(met.clause.contains("GB/T 12325-2008; GB/T 15945-2008; L2 95.14 %"), "{}", met.clause);
    let missed = of(1, Index::SupplyQuality);
    assert_eq!((missed.value, missed.target), (Some(94.444_444), Target::Missed));
    let voltage = run.registry.properties.iter().find(|one| &*one.name == "voltage").unwrap().id;
    assert_eq!(missed.deciding[0].property, voltage);
    // 220, 240, 220: 13.33 from the mean of 226.67 are 5.9 %, and 2 % is the most.
    assert_eq!(of(0, Index::VoltageUnbalance).target, Target::Met);
    let uneven = of(1, Index::VoltageUnbalance);
    assert_eq!((uneven.value, uneven.target), (Some(94.444_444), Target::Missed));
    assert!(uneven.clause.contains("estimate") && !uneven.legal, "{}", uneven.clause);
}

#[test]
fn a_phase_without_values_is_no_met_supply() {
    let mut run = mill();
    for step in 0..144 {
        let time = START + step * 10 * MINUTE;
        run.clock(time + SECOND);
        run.send("supply", time, "\"u1\":220,\"u2\":null,\"u3\":220,\"f\":50.0");
    }
    run.clock(START + DAY + HOUR);
    let day = last(&run, Index::SupplyQuality, Period::Day, START).unwrap();
    assert_eq!((day.target, day.reason), (Target::None, Some(NotAssessable::Missing)));
    assert_eq!((day.items, day.items_of), (3, 4));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Whatever comes first within the horizon, the day's evaluations are the same to the last bit.
    #[test]
    fn order_of_arrival_changes_no_bit_of_a_days_evaluations(
        order in Just((0..25_i64 * 5).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let told = |order: &[i64]| {
            let mut run = mill();
            for (step, one) in order.iter().enumerate() {
                run.clock(START + DAY + step as i64 * 10 * SECOND);
                let (hour, device) = (one / 5, one % 5);
                let (device, values) = &states(hour)[device as usize];
                run.send(device, START + hour * HOUR, values);
            }
            run.clock(START + DAY + 2 * HOUR);
            let of = |index| format!("{:?}", last(&run, index, Period::Day, START));
            let all = [Index::Balance, Index::WaterReuse, Index::StandardCoal, Index::CarbonDioxide];
            all.map(of)
        };
        let straight: Vec<i64> = (0..25 * 5).collect();
        prop_assert_eq!(told(&order), told(&straight));
    }
}
