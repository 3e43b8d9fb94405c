//! What meters count, through the whole pipeline: when hours, days and months are given out, and
//! what they come to over borders, gaps, exchanges, resets and readings out of line.
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
use weir::domain::quality::Flag;
use weir::domain::time::{DAY, HOUR, MINUTE, SECOND};

use crate::play::run::Run;

/// Midnight of 1 June 2026 in Shenyang.
const START: i64 = 1_780_243_200_000;
const QUARTER: i64 = 15 * MINUTE;

/// A meter that sends each minute, and one that sends each quarter of an hour.
const PROFILES: &str = "\
minutes,test,electricity_energy,,/e,kWh,1,number,continuous,,,total,,60s,,test
quarters,test,electricity_energy,,/e,kWh,1,number,continuous,,,total,,15m,,test
";
const DEVICES: &str = "\
rivers,m1,meter-1,,minutes,device,,,,,,test
rivers,m2,meter-2,,quarters,device,,,,,,test
";
const STATIONS: &str = "\
meter-1,setdz,Meter,电表,,,+08:00,,,,,test
meter-2,setdz,Meter,电表,,,+08:00,,,,,test
";
/// The second meter is exchanged at noon of 13 June for one of less range.
const COUNTERS: &str = "\
meter-1/electricity_energy/total,,9999.9,0.1,1,1,sub,,setdz,,,test
meter-2/electricity_energy/total,A,99999.9,0.1,1,1,sub,,setdz,,2026-06-13 12:00,test
meter-2/electricity_energy/total,B,9999.9,0.1,1,1,sub,,setdz,2026-06-13 12:00,,test
";

const MINUTES: &str = "meter-1/electricity_energy/total";
const QUARTERS: &str = "meter-2/electricity_energy/total";

fn at(start: i64) -> Run {
    let rows = [
        ("profiles.csv", PROFILES),
        ("stations.csv", STATIONS),
        ("devices.csv", DEVICES),
        ("counters.csv", COUNTERS),
    ];
    Run::new(start, &rows)
}

/// Sends a state in tenths of a kWh, a second after its time.
fn send(run: &mut Run, device: &str, time: i64, tenths: i64) {
    run.clock(time + SECOND);
    run.send(device, time, &format!("\"e\":{}.{}", tenths / 10, tenths % 10));
}

/// Sends a state each quarter of an hour, 0.1 kWh more each time, counted from `zero`.
fn quarters(run: &mut Run, zero: i64, from: i64, to: i64) {
    for step in from / QUARTER..to / QUARTER {
        send(run, "m2", step * QUARTER, step - zero / QUARTER);
    }
}

#[test]
fn an_hour_is_given_out_with_the_first_reading_after_it() {
    let mut run = at(START);
    for minute in 0..60 {
        send(&mut run, "m1", START + minute * MINUTE, minute);
    }
    run.clock(START + HOUR);
    assert_eq!(run.take(MINUTES, Period::Hour), []);
    send(&mut run, "m1", START + HOUR, 60);
    run.clock(START + HOUR + 2 * SECOND);
    let hour = [(START, Some(6.0), (60, 60), false)];
    assert_eq!(run.take(MINUTES, Period::Hour), hour);
    for minute in 61..115 {
        send(&mut run, "m1", START + minute * MINUTE, minute);
    }
    assert_eq!(run.take(MINUTES, Period::Hour), [], "nothing is said twice");
}

#[test]
fn an_hour_that_lacks_a_reading_waits_ten_minutes_like_any_other() {
    let mut run = at(START);
    for minute in (0..70).filter(|minute| *minute != 30) {
        send(&mut run, "m1", START + minute * MINUTE, minute);
    }
    assert_eq!(run.take(MINUTES, Period::Hour), []);
    run.clock(START + HOUR + 10 * MINUTE);
    let hour = [(START, Some(6.0), (60, 60), false)];
    assert_eq!(run.take(MINUTES, Period::Hour), hour);
}

#[test]
fn a_meter_of_quarters_is_complete_with_four_readings_and_the_one_after() {
    let mut run = at(START);
    quarters(&mut run, START, START, START + HOUR + QUARTER);
    run.clock(START + HOUR + 2 * SECOND);
    assert_eq!(run.take(QUARTERS, Period::Hour), [(START, Some(0.4), (60, 60), false)]);
}

#[test]
fn a_day_is_given_out_once_and_whole() {
    let mut run = at(START);
    for minute in 0..26 * 60 {
        send(&mut run, "m1", START + minute * MINUTE, minute);
    }
    assert_eq!(run.take(MINUTES, Period::Day), [(START, Some(144.0), (24, 24), false)]);
    let hours = run.take(MINUTES, Period::Hour);
    assert!(hours.iter().all(|hour| hour.1 == Some(6.0) && !hour.3), "{hours:?}");
    assert_eq!(hours.len(), 25);
}

#[test]
fn a_reading_after_the_border_that_comes_late_revises_the_hour() {
    let mut run = at(START);
    for minute in 0..60 {
        send(&mut run, "m1", START + minute * MINUTE, minute);
    }
    run.clock(START + HOUR + 10 * MINUTE);
    // Of the last minute nothing is known.
    assert_eq!(run.take(MINUTES, Period::Hour), [(START, None, (59, 60), false)]);
    send(&mut run, "m1", START + HOUR + 19 * MINUTE, 79);
    run.clock(START + HOUR + 20 * MINUTE);
    assert_eq!(run.take(MINUTES, Period::Hour), [(START, Some(6.0), (59, 60), true)]);
    // Measured, and not shared out, since the reading of the border came after all.
    run.send("m1", START + HOUR, "\"e\":6.1");
    run.clock(START + HOUR + 21 * MINUTE);
    assert_eq!(run.take(MINUTES, Period::Hour), [(START, Some(6.1), (60, 60), true)]);
}

#[test]
fn failed_readings_do_not_hide_the_hour_before_them() {
    let mut run = at(START);
    for minute in 0..50 {
        send(&mut run, "m1", START + minute * MINUTE, minute);
    }
    for minute in 50..90 {
        run.clock(START + minute * MINUTE + SECOND);
        run.send("m1", START + minute * MINUTE, "\"e\":null");
    }
    assert_eq!(run.take(MINUTES, Period::Hour), [(START, None, (49, 60), false)]);
    send(&mut run, "m1", START + 90 * MINUTE, 90);
    run.clock(START + 90 * MINUTE + 2 * SECOND);
    assert_eq!(run.take(MINUTES, Period::Hour), [(START, Some(6.0), (49, 60), true)]);
}

#[test]
fn a_spike_at_a_border_is_in_neither_hour() {
    let mut run = at(START);
    for step in 0..17 {
        let spike = if step == 4 { 50_000 } else { 0 };
        send(&mut run, "m2", START + step * QUARTER, step + spike);
    }
    run.clock(START + 5 * HOUR);
    let hours = run.last(QUARTERS, Period::Hour);
    let of = |hour: i64| hours[&(START + hour * HOUR)].0;
    assert_eq!([of(0), of(1), of(2), of(3)], [Some(0.4); 4]);
    assert_eq!(hours[&(START + HOUR)].1, Flag::Suspect);
}

/// What a month of the second meter comes to, of days told last.
fn month(run: &mut Run) -> (play::run::Said, Vec<Option<f64>>) {
    run.clock(START + 30 * DAY + 2 * HOUR);
    let days = run.last(QUARTERS, Period::Day).into_values().map(|day| day.0).collect();
    (run.last(QUARTERS, Period::Month)[&START], days)
}

#[test]
fn what_lies_in_a_long_gap_is_shared_out_and_the_month_is_whole() {
    for hours in [30, 60, 120] {
        let mut run = at(START);
        let from = 4 * 24 + 10;
        quarters(&mut run, START, START, START + from * HOUR);
        quarters(&mut run, START, START + (from + hours) * HOUR, START + 11 * DAY + HOUR);
        run.clock(START + 11 * DAY + 2 * HOUR);
        let days = run.last(QUARTERS, Period::Day);
        assert_eq!(days.len(), 11);
        for (day, (value, flag, of)) in (0..).zip(days.into_values()) {
            let touched = from < (day + 1) * 24 && day * 24 < from + hours;
            let want = if touched { Flag::Suspect } else { Flag::Pass };
            assert_eq!((flag, of), (want, (24, 24)), "{hours} h, day {day}");
            assert!((value.unwrap() - 9.6).abs() < 1e-9, "{hours} h, day {day}: {value:?}");
        }
    }
}

#[test]
fn of_a_gap_without_end_so_many_days_are_shared_out() {
    let mut run = at(START - 80 * DAY);
    quarters(&mut run, START - 90 * DAY, START - 80 * DAY, START - 78 * DAY + 2 * HOUR);
    quarters(&mut run, START - 90 * DAY, START + 2 * HOUR, START + 3 * HOUR);
    run.clock(START + 4 * HOUR);
    let days = run.last(QUARTERS, Period::Day);
    let shared = days.values().filter(|day| day.0.is_some() && day.1 == Flag::Suspect).count();
    // And the day in which it began, which is known.
    assert_eq!(shared, 60 + 1);
}

#[test]
fn failed_readings_through_a_long_gap_do_not_lose_what_lies_in_it() {
    let mut run = at(START);
    quarters(&mut run, START, START, START + 3 * DAY);
    for step in 3 * 96..9 * 96 {
        run.clock(START + step * QUARTER + SECOND);
        run.send("m2", START + step * QUARTER, "\"e\":null");
    }
    quarters(&mut run, START, START + 9 * DAY, START + 12 * DAY);
    run.clock(START + 12 * DAY + 2 * HOUR);
    let days = run.last(QUARTERS, Period::Day);
    // The last day lacks what comes after its last reading.
    assert_eq!(days.len(), 12, "{days:?}");
    assert!(days.values().take(11).all(|day| day.0.is_some()), "{days:?}");
    let known: f64 = days.values().take(11).filter_map(|day| day.0).sum();
    assert!((known - 11.0 * 9.6).abs() < 1e-9, "{known}");
    assert_eq!(days[&(START + 5 * DAY)].1, Flag::Suspect);
}

#[test]
fn a_month_with_an_exchange_is_what_was_measured_and_says_so() {
    let mut run = at(START);
    let noon = START + 12 * DAY + 12 * HOUR;
    quarters(&mut run, START, START, noon);
    // The new one begins at 5.0 three hours later.
    let zero = noon + 3 * HOUR - 50 * QUARTER;
    quarters(&mut run, zero, noon + 3 * HOUR, START + 30 * DAY + HOUR);
    let (month, days) = month(&mut run);
    // From the old one's last reading at 11:45 to the new one's first at 15:00 nothing is known.
    let lost = 1.3;
    assert!((days[12].unwrap() - (9.6 - lost)).abs() < 1e-9, "{days:?}");
    assert!((month.0.unwrap() - (30.0 * 9.6 - lost)).abs() < 1e-9, "{month:?}");
    assert_eq!((month.1, month.2), (Flag::Suspect, (29, 30)));
}

#[test]
fn a_day_with_a_reset_is_what_was_measured_and_says_so() {
    let mut run = at(START);
    quarters(&mut run, START - 5_000 * QUARTER, START, START + 10 * HOUR);
    quarters(&mut run, START + 10 * HOUR, START + 10 * HOUR, START + DAY + HOUR);
    run.clock(START + DAY + 2 * HOUR);
    let days = run.last(QUARTERS, Period::Day);
    let (value, flag, of) = days[&START];
    // The quarter before 10:00 is lost.
    assert!((value.unwrap() - 9.5).abs() < 1e-9, "{value:?}");
    assert_eq!((flag, of), (Flag::Suspect, (23, 24)));
}

#[test]
fn an_hour_whose_end_nobody_knows_is_none_though_a_meter_was_exchanged_in_it() {
    let mut run = at(START + 12 * DAY);
    let noon = START + 12 * DAY + 12 * HOUR;
    quarters(&mut run, START, noon - HOUR, noon);
    quarters(&mut run, noon, noon + 2 * QUARTER, noon + 3 * QUARTER);
    run.clock(noon + 2 * HOUR);
    assert_eq!(run.last(QUARTERS, Period::Hour)[&noon].0, None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever comes first within the horizon, hours and day are the same to the last bit: over a
    /// rollover, a spike and a fall to zero, too.
    #[test]
    fn order_of_arrival_changes_no_bit(
        rises in proptest::collection::vec(0..400_i64, 97),
        odd in proptest::collection::vec((8..90_usize, prop_oneof![Just(0), 0..99_999_i64]), 0..3),
        order in Just((0..97_usize).collect::<Vec<_>>()).prop_shuffle(),
        apart in prop_oneof![Just(QUARTER), Just(5 * MINUTE)],
    ) {
        let mut states: Vec<i64> = rises
            .iter()
            .scan(85_000, |state, rise| { *state = (*state + rise) % 100_000; Some(*state) })
            .collect();
        for (at, state) in odd {
            states[at] = state;
        }
        let last = |order: &[usize]| {
            let mut run = at(START + DAY);
            for (step, at) in order.iter().enumerate() {
                run.clock(START + DAY + step as i64 * MINUTE);
                let time = START + *at as i64 * apart;
                run.send("m1", time, &format!("\"e\":{}.{}", states[*at] / 10, states[*at] % 10));
            }
            run.clock(START + DAY + 3 * HOUR);
            let bits = |(start, said): (i64, play::run::Said)| {
                (start, said.0.map(f64::to_bits), said.1, said.2)
            };
            let hours = run.last(MINUTES, Period::Hour).into_iter().map(bits);
            let days = run.last(MINUTES, Period::Day);
            (hours.take(24).collect::<Vec<_>>(), days.get(&START).map(|day| bits((0, *day))))
        };
        let straight: Vec<usize> = (0..97).collect();
        prop_assert_eq!(last(&order), last(&straight));
    }
}
