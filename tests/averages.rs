//! Hours, running eight hours, days, months and years, as they are given out in event time: the
//! completeness rules with their clauses, what late values change, and what a silent day says.
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
use weir::domain::observation::Period;
use weir::domain::time::{DAY, HOUR, MINUTE, SECOND, Timestamp};

use crate::play::run::Run;

/// Midnight of 1 June 2026 in Shenyang.
const START: i64 = 1_780_243_200_000;
/// Midnight of 1 January 2026 in Shenyang.
const YEAR: i64 = 1_767_196_800_000;

/// Devices that send once an hour, and one whose analyser draws a sample every four hours.
const PROFILES: &str = "\
hourly,test,pm10,,/pm10,ug/m3,1,number,continuous,,,instant,,1h,,test
hourly,test,ozone,,/o3,ug/m3,1,number,continuous,,,instant,,1h,,test
hourly,test,wind_direction,,/wd,deg,1,number,continuous,,,instant,,1h,,test
outfall,test,flow,,/q,m3/s,1,number,continuous,,,instant,,1h,,test
outfall,test,ammonia_nitrogen,,/nh3n,mg/L,1,number,continuous,,,instant,,1h,,test
quarters,test,pm10,,/pm10,ug/m3,1,number,continuous,,,instant,,15m,,test
";
const DEVICES: &str = "\
rivers,h1,air-1,,hourly,device,,,,,,test
rivers,q1,air-2,,quarters,device,,,,,,test
rivers,o1,outfall-1,,outfall,device,,,,,,test
";
const STATIONS: &str = "\
outfall-1,puhe,Outfall,排口,,,+08:00,outfall,,,,test
air-1,setdz,Air,空气,,,+08:00,,2,,,test
air-2,setdz,Air,空气,,,+08:00,,2,,,test
";

fn at(start: i64) -> Run {
    let rows = [("profiles.csv", PROFILES), ("stations.csv", STATIONS), ("devices.csv", DEVICES)];
    Run::new(start, &rows)
}

/// Sends a value of PM10 at each of some hours of the day that begins at `day`.
fn send_day(run: &mut Run, day: i64, hours: impl Iterator<Item = i64>, value: f64) {
    for hour in hours {
        let time = day + hour * HOUR;
        run.clock(time + SECOND);
        run.send("h1", time, &format!("\"pm10\":{value}"));
    }
}

const PM10: &str = "air-1/pm10";

#[test]
fn an_hour_waits_for_its_end_and_ten_minutes() {
    let mut run = at(START);
    for quarter in 0..3 {
        run.clock(START + quarter * 15 * MINUTE + SECOND);
        run.send("q1", START + quarter * 15 * MINUTE, &format!("\"pm10\":{}", quarter + 1));
    }
    run.clock(START + HOUR + 10 * MINUTE - SECOND);
    assert_eq!(run.take("air-2/pm10", Period::Hour), []);
    run.clock(START + HOUR + 10 * MINUTE);
    let hour = [(START, Some(2.0), (3, 4), false)];
    assert_eq!(run.take("air-2/pm10", Period::Hour), hour);
    run.clock(START + 3 * HOUR);
    assert_eq!(run.take("air-2/pm10", Period::Hour), []);
}

#[test]
fn a_complete_hour_is_given_at_its_end_and_one_that_is_over_at_once() {
    let mut run = at(START + 5 * HOUR);
    let send = |run: &mut Run, hour: i64| {
        for quarter in 0..4 {
            run.send("q1", START + hour * HOUR + quarter * 15 * MINUTE, "\"pm10\":8");
        }
    };
    run.clock(START + 5 * HOUR + 50 * MINUTE);
    send(&mut run, 5);
    run.clock(START + 6 * HOUR - SECOND);
    assert_eq!(run.take("air-2/pm10", Period::Hour), []);
    run.clock(START + 6 * HOUR);
    assert_eq!(run.take("air-2/pm10", Period::Hour).len(), 1);
    send(&mut run, 3);
    run.clock(START + 6 * HOUR + SECOND);
    let over = [(START + 3 * HOUR, Some(8.0), (4, 4), false)];
    assert_eq!(run.take("air-2/pm10", Period::Hour), over);
}

#[test]
fn gb_3095_table_4_a_day_needs_twenty_hours() {
    let mut run = at(START);
    send_day(&mut run, START, 0..19, 60.0);
    send_day(&mut run, START + DAY, 0..20, 60.0);
    run.clock(START + 2 * DAY + HOUR);
    let days = run.take(PM10, Period::Day);
    let (missed, valid) = ((19, 24), (20, 24));
    let want = [(START, None, missed, false), (START + DAY, Some(60.0), valid, false)];
    assert_eq!(days, want);
}

#[test]
fn a_late_hour_makes_a_day_valid_within_the_horizon_and_not_beyond() {
    let mut run = at(START);
    send_day(&mut run, START, 0..19, 60.0);
    run.clock(START + DAY + HOUR);
    assert_eq!(run.take(PM10, Period::Day), [(START, None, (19, 24), false)]);
    // The hour of 20:00 comes two hours after the end of the day.
    run.clock(START + DAY + 2 * HOUR);
    run.send("h1", START + 20 * HOUR, "\"pm10\":160");
    run.clock(START + DAY + 2 * HOUR + SECOND);
    assert_eq!(run.take(PM10, Period::Day), [(START, Some(65.0), (20, 24), true)]);
    // At the horizon of the first hour of the day its other hours are still known.
    run.clock(START + DAY + 22 * HOUR);
    run.send("h1", START + 22 * HOUR, "\"pm10\":65");
    run.clock(START + DAY + 22 * HOUR + SECOND);
    assert_eq!(run.take(PM10, Period::Day), [(START, Some(65.0), (21, 24), true)]);
    run.clock(START + 2 * DAY + HOUR + SECOND);
    run.given.clear();
    run.send("h1", START + 21 * HOUR, "\"pm10\":65");
    run.clock(START + 2 * DAY + HOUR + 2 * SECOND);
    assert_eq!(run.take(PM10, Period::Day), []);
}

#[test]
fn hours_are_kept_as_long_as_a_day_may_be_revised() {
    let mut run = at(START);
    send_day(&mut run, START, 0..23, 60.0);
    // The last hour of the day, at the very horizon: the first is 49 hours old by then.
    let late = START + 23 * HOUR + 26 * HOUR;
    run.clock(late);
    run.given.clear();
    run.send("h1", START + 23 * HOUR, "\"pm10\":84");
    run.clock(late + SECOND);
    assert_eq!(run.take(PM10, Period::Day), [(START, Some(61.0), (24, 24), true)]);
}

#[test]
fn a_silent_day_is_told_as_such() {
    let mut run = at(START);
    send_day(&mut run, START, 0..24, 60.0);
    run.clock(START + 3 * DAY + HOUR);
    let days = run.take(PM10, Period::Day);
    assert_eq!(days.len(), 3);
    assert_eq!(days[2], (START + 2 * DAY, None, (0, 24), false));
    let of_pm10 = run.coverage.iter().filter(|(name, ..)| name == PM10);
    let told: Vec<_> = of_pm10.map(|(_, expected, ..)| *expected).collect();
    assert_eq!(told, [24, 24, 24]);
    assert_eq!(run.coverage.last().unwrap(), &(PM10.to_owned(), 24, 0, 0));
}

#[test]
fn after_a_long_time_without_a_clock_few_silent_days_are_told() {
    let mut run = at(START);
    send_day(&mut run, START, 0..24, 60.0);
    run.clock(START + 20_000 * DAY + HOUR);
    assert_eq!(run.take(PM10, Period::Day).len(), 1 + 8);
}

#[test]
fn a_year_at_the_completeness_border() {
    // 27 days of each month, 25 of February, and 324 of the year (GB 3095-2026 table 4).
    let mut run = at(YEAR);
    let mut days = 0;
    for day in 0..365 {
        let start = Timestamp(YEAR + day * DAY);
        let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(8));
        let (month, _) = Period::Month.around(start, &zone).unwrap();
        let of_month = start.since(month) / DAY;
        let february = month.millis() == YEAR + 31 * DAY;
        // In March one day too few.
        let march = month.millis() == YEAR + 59 * DAY;
        let most = if february {
            25
        } else if march {
            26
        } else {
            27
        };
        if of_month < most {
            send_day(&mut run, YEAR + day * DAY, 0..24, 40.0 + (day % 2) as f64);
            days += 1;
        }
    }
    run.clock(YEAR + 365 * DAY + HOUR);
    assert_eq!(days, 321);
    let months = run.take(PM10, Period::Month);
    let valid: Vec<_> = months.iter().map(|(_, value, ..)| value.is_some()).collect();
    assert_eq!(months.len(), 12, "{months:?}");
    assert_eq!(valid.iter().filter(|valid| **valid).count(), 11);
    assert!(!valid[2], "{months:?}");
    assert_eq!((months[1].2, months[2].2), ((25, 28), (26, 31)));
    let years = run.take(PM10, Period::Year);
    assert_eq!(years, [(YEAR, None, (321, 365), false)]);
}

#[test]
fn three_hundred_and_twenty_four_days_are_a_year() {
    let mut run = at(YEAR);
    for day in 41..365 {
        send_day(&mut run, YEAR + day * DAY, 2..22, 40.0);
    }
    run.clock(YEAR + 365 * DAY + HOUR);
    assert_eq!(run.take(PM10, Period::Year), [(YEAR, Some(40.0), (324, 365), false)]);
}

#[test]
fn the_running_eight_hours_and_the_largest_of_a_day() {
    let mut run = at(START);
    for hour in 0..24 {
        run.clock(START + hour * HOUR + SECOND);
        let ozone = if (12..20).contains(&hour) { 170 } else { 50 };
        run.send("h1", START + hour * HOUR, &format!("\"o3\":{ozone}"));
    }
    run.clock(START + DAY + HOUR);
    let eight = run.take("air-1/ozone", Period::EightHours);
    assert_eq!(eight.len(), 24);
    let ending = |hour: i64| {
        let start = START + (hour - 8) * HOUR;
        *eight.iter().find(|one| one.0 == start).unwrap()
    };
    // Five hours are too few, six are enough.
    assert_eq!((ending(5).1, ending(5).2), (None, (5, 8)));
    assert_eq!((ending(6).1, ending(6).2), (Some(50.0), (6, 8)));
    assert_eq!(ending(20).1, Some(170.0));
    assert!(eight.iter().all(|one| !one.3));
    let largest = run.take("air-1/ozone", Period::DayMaxEightHours);
    assert_eq!(largest, [(START, Some(170.0), (17, 17), false)]);
    // A late value revises the windows it belongs to, and the day.
    run.send("h1", START + 19 * HOUR, "\"o3\":178");
    run.clock(START + DAY + HOUR + SECOND);
    let again = run.take("air-1/ozone", Period::EightHours);
    let starts: Vec<i64> = again.iter().map(|one| (one.0 - START) / HOUR + 8).collect();
    assert_eq!(starts, [20, 21, 22, 23, 24]);
    assert!(again.iter().all(|one| one.3));
    let largest = run.take("air-1/ozone", Period::DayMaxEightHours);
    assert_eq!(largest, [(START, Some(171.0), (17, 17), true)]);
}

#[test]
fn directions_of_a_day_are_averaged_as_vectors() {
    let mut run = at(START);
    for hour in 0..24 {
        run.clock(START + hour * HOUR + SECOND);
        let direction = if hour % 2 == 0 { 350 } else { 20 };
        run.send("h1", START + hour * HOUR, &format!("\"wd\":{direction}"));
    }
    run.clock(START + DAY + HOUR);
    let day = run.take("air-1/wind_direction", Period::Day);
    assert!((day[0].1.unwrap() - 5.0).abs() < 1e-9, "{day:?}");
}

#[test]
fn an_outfalls_day_is_weighted_by_its_flow() {
    let mut run = at(START);
    for hour in 0..24 {
        run.clock(START + hour * HOUR + SECOND);
        let (flow, ammonia) = if hour < 12 { (3, 4) } else { (1, 12) };
        run.send("o1", START + hour * HOUR, &format!("\"q\":{flow},\"nh3n\":{ammonia}"));
    }
    run.clock(START + DAY + HOUR);
    let day = run.take("outfall-1/ammonia_nitrogen", Period::Day);
    assert_eq!(day, [(START, Some(6.0), (24, 24), false)]);
    assert_eq!(run.take("outfall-1/flow", Period::Day)[0].1, Some(2.0));
}

/// An analyser draws a sample every four hours, and the logger repeats it every five minutes.
#[test]
fn repeats_are_one_sample_and_a_day_counts_samples() {
    let mut run = at(START);
    for step in 0..24 * 12 {
        let time = START + step * 5 * MINUTE;
        run.clock(time + SECOND);
        // 0.5, 0.6 … 1.0; the third analysis failed to come and the second was repeated.
        let sample = match step / 48 {
            2 => 1,
            sample => sample,
        };
        run.send("cabinet-01", time, &format!("\"nh3n\":{}", 0.5 + sample as f64 / 10.0));
    }
    run.clock(START + DAY + HOUR);
    let day = run.take("puhe-huishan/ammonia_nitrogen", Period::Day);
    // After four hours the repeated value counts as the next sample.
    let mean = (0.5 + 0.6 + 0.6 + 0.8 + 0.9 + 1.0) / 6.0;
    assert_eq!(day.len(), 1);
    assert!((day[0].1.unwrap() - mean).abs() < 1e-12, "{day:?}");
    assert_eq!(day[0].2, (6, 6));
    let covered = run.coverage.iter().find(|(name, ..)| name.ends_with("ammonia_nitrogen"));
    assert_eq!(covered.unwrap(), &("puhe-huishan/ammonia_nitrogen".to_owned(), 6, 6, 6));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever the order of arrival within the horizon, the day is the same to the last bit.
    #[test]
    fn order_of_arrival_changes_no_bit_of_a_day(
        values in proptest::collection::vec(0.0..500.0_f64, 24),
        order in Just((0..24_i64).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let last = |order: &[i64]| {
            let mut run = at(START + DAY);
            for (step, hour) in order.iter().enumerate() {
                run.clock(START + DAY + step as i64 * 4 * MINUTE);
                let value = values[*hour as usize];
                run.send("h1", START + hour * HOUR, &format!("\"pm10\":{value},\"o3\":{value}"));
            }
            run.clock(START + DAY + 3 * HOUR);
            let day = *run.take(PM10, Period::Day).last().unwrap();
            let largest = *run.take("air-1/ozone", Period::DayMaxEightHours).last().unwrap();
            (day.1, largest.1, day.2)
        };
        let straight: Vec<i64> = (0..24).collect();
        prop_assert_eq!(last(&order), last(&straight));
    }
}
