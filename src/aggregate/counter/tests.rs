//! Rollover, exchange, reset, gaps and ratios of counters, with pencil and paper.

use proptest::prelude::*;

use super::*;
use crate::domain::history::History;
use crate::domain::name::PlaceId;
use crate::domain::observation::NilReason;
use crate::domain::quality::{Quality, Test};
use crate::domain::registry::{Dial, Meter, MeterRole};
use crate::domain::time::HOUR;
use crate::domain::time::Validity;

/// A meter of four digits and one decimal.
const DIAL: (f64, f64) = (9_999.9, 0.1);

fn meter(number: &str, ratio: (f64, f64), from: Option<i64>, to: Option<i64>) -> Meter {
    Meter {
        number: number.into(),
        dial: Dial::new(DIAL.0, DIAL.1, ratio.0, ratio.1).unwrap(),
        role: MeterRole::Import,
        place: PlaceId(0),
        tariff: "".into(),
        validity: Validity { from: from.map(at), to: to.map(at) },
    }
}

fn counter(meters: Vec<Meter>) -> Counter {
    Counter { meters, gap_ms: 3 * MINUTE }
}

fn plain() -> Counter {
    counter(vec![meter("", (1.0, 1.0), None, None)])
}

fn at(minute: i64) -> Timestamp {
    Timestamp(minute * MINUTE)
}

fn entry(minute: i64, value: f64) -> Entry {
    Entry {
        time: at(minute),
        result: ObservationResult::Value(value),
        quality: Quality::only(Test::GrossRange, Flag::Pass),
        mark: None,
    }
}

/// What is used from one minute to another, by readings of (minute, state).
fn used(counter: &Counter, readings: &[(i64, f64)], span: (i64, i64)) -> Consumption {
    let entries = readings.iter().map(|(minute, value)| entry(*minute, *value));
    consumption(entries, (at(span.0), at(span.1)), counter)
}

#[track_caller]
fn check(readings: &[(i64, f64)], span: (i64, i64), want: f64) {
    assert_eq!(used(&plain(), readings, span).total(), Some(want));
}

#[test]
fn an_hour_is_the_difference_of_its_states() {
    check(&[(0, 100.0), (1, 100.1), (59, 105.9), (60, 106.0)], (0, 60), 6.0);
}

#[test]
fn what_lies_over_a_border_is_shared_out_by_time() {
    // Two minutes over the border, 0.4 in them: one minute each.
    let readings = [(-1, 99.8), (1, 100.2), (59, 105.9), (61, 106.3)];
    check(&readings, (0, 60), 6.1);
    let hour = used(&plain(), &[(-1, 99.8), (1, 100.2), (3, 100.4)], (0, 3));
    assert_eq!((hour.measured_ms, hour.shared_ms, hour.missing_ms), (3 * MINUTE, 0, 0));
}

#[test]
fn a_counter_that_rolls_over_goes_on() {
    // 9999.9 is followed by 0.0: 0.4 to the end, 0.1 over it, 0.5 after.
    let readings = [(0, 9_999.5), (1, 0.5), (2, 1.0)];
    check(&readings, (0, 2), 1.5);
    let hour = used(&plain(), &readings, (0, 2));
    assert_eq!((hour.rollovers, hour.reset, hour.flag()), (1, false, Flag::Pass));
}

#[test]
fn a_fall_that_is_no_rollover_is_a_reset_and_counts_nothing() {
    let hour = used(&plain(), &[(0, 5_000.0), (1, 5_000.2), (2, 0.0), (3, 0.3)], (0, 3));
    assert_eq!(hour.total(), Some(0.5));
    assert_eq!((hour.reset, hour.flag(), hour.missing_ms), (true, Flag::Suspect, MINUTE));
    assert_eq!(hour.completeness().valid, 2);
}

#[test]
fn a_small_fall_is_never_a_whole_round() {
    let hour = used(&plain(), &[(0, 5_000.2), (1, 5_000.1), (2, 5_000.1)], (0, 2));
    assert_eq!((hour.total(), hour.reset), (Some(0.0), true));
}

#[test]
fn a_new_meter_starts_with_its_own_state() {
    let rows = vec![meter("A", (1.0, 1.0), None, Some(10)), meter("B", (1.0, 1.0), Some(12), None)];
    // 1.0 of the old meter, 0.6 of the new one; nothing from minute 9 to minute 12.
    let readings = [(0, 700.0), (3, 700.3), (6, 700.6), (9, 701.0), (12, 20.0), (15, 20.6)];
    let hour = used(&counter(rows), &readings, (0, 15));
    assert_eq!(hour.total(), Some(1.6));
    assert_eq!((hour.exchanged, hour.reset, hour.missing_ms), (true, false, 3 * MINUTE));
}

#[test]
fn a_new_meter_of_the_next_row_is_no_rollover() {
    let rows = vec![meter("", (1.0, 1.0), None, Some(2)), meter("", (1.0, 1.0), Some(2), None)];
    let hour = used(&counter(rows), &[(0, 9_999.0), (1, 9_999.9), (2, 0.2), (3, 0.4)], (0, 3));
    assert_eq!(hour.total(), Some(1.1));
    assert_eq!((hour.exchanged, hour.rollovers, hour.missing_ms), (true, 0, MINUTE));
}

#[test]
fn what_the_old_meter_says_between_two_rows_is_not_looked_at() {
    let rows = vec![meter("A", (1.0, 1.0), None, Some(2)), meter("B", (1.0, 1.0), Some(4), None)];
    let hour = used(&counter(rows), &[(0, 7.0), (1, 7.1), (3, 9.0), (4, 0.0), (5, 0.2)], (0, 5));
    assert_eq!((hour.total(), hour.readings), (Some(0.3), 3));
}

#[test]
fn a_ratio_holds_from_its_date_on() {
    let rows =
        vec![meter("A", (30.0, 1.0), None, Some(1)), meter("A", (40.0, 100.0), Some(1), None)];
    // 0.1 by 30 in the first minute, 0.2 by 4000 in the second.
    let readings = [(0, 10.0), (1, 10.1), (2, 10.3)];
    let hour = used(&counter(rows), &readings, (0, 2));
    assert_eq!((hour.total(), hour.exchanged), (Some(3.0 + 800.0), false));
}

#[test]
fn a_ratio_that_changes_between_two_readings_weighs_each_stretch() {
    let rows = vec![meter("A", (10.0, 1.0), None, Some(1)), meter("A", (20.0, 1.0), Some(1), None)];
    // 0.8 in four minutes: one quarter by 10, three quarters by 20.
    let counter = counter(rows);
    let of = |span| used(&counter, &[(0, 1.0), (4, 1.8)], span).total();
    assert_eq!(of((0, 4)), Some(2.0 + 12.0));
    assert_eq!(of((0, 2)), Some(2.0 + 4.0));
    assert_eq!(of((2, 4)), Some(8.0));
}

#[test]
fn a_gap_is_shared_out_and_said_to_be() {
    let readings = [(0, 10.0), (1, 10.1), (31, 13.1), (60, 16.0)];
    let half = used(&plain(), &readings, (0, 30));
    assert_eq!(half.total(), Some(3.0));
    assert_eq!((half.measured_ms, half.shared_ms), (MINUTE, 29 * MINUTE));
    let said = half.completeness();
    assert_eq!((said.received, said.valid, said.expected), (30, 1, 30));
    assert!((half.measured_share() - 1.0 / 30.0).abs() < 1e-12);
}

#[test]
fn what_nothing_is_known_of_is_not_zero() {
    for readings in [&[][..], &[(30, 10.0)], &[(-9, 1.0), (-8, 2.0)]] {
        let hour = used(&plain(), readings, (0, 60));
        assert_eq!((hour.total(), hour.missing_ms), (None, HOUR), "{readings:?}");
        assert_eq!(hour.flag(), Flag::Missing);
    }
}

#[test]
fn what_is_missing_at_the_end_is_not_made_up() {
    let hour = used(&plain(), &[(0, 10.0), (30, 13.0)], (0, 60));
    assert_eq!((hour.total(), hour.missing_ms), (Some(3.0), 30 * MINUTE));
}

#[test]
fn a_zero_between_two_states_is_left_out() {
    let hour = used(&plain(), &[(0, 100.0), (1, 0.0), (2, 100.2), (3, 100.3)], (0, 3));
    assert_eq!((hour.total(), hour.reset, hour.flag()), (Some(0.3), false, Flag::Suspect));
    let two = used(&plain(), &[(0, 100.0), (1, 0.0), (2, 0.0), (3, 100.3)], (0, 3));
    assert_eq!((two.total(), two.reset, two.flag()), (Some(0.3), false, Flag::Suspect));
}

#[test]
fn a_longer_run_out_of_line_is_a_reset() {
    let readings = [(0, 100.0), (1, 0.0), (2, 0.0), (3, 0.0), (4, 0.0), (5, 0.1)];
    let hour = used(&plain(), &readings, (0, 5));
    assert_eq!((hour.total(), hour.reset, hour.missing_ms), (Some(0.1), true, MINUTE));
    let three = [(0, 100.0), (1, 0.0), (2, 0.0), (3, 0.0), (4, 100.4)];
    assert_eq!(used(&plain(), &three, (0, 4)).total(), Some(0.4));
}

#[test]
fn a_spike_is_left_out() {
    let hour = used(&plain(), &[(0, 100.0), (1, 9_000.0), (2, 100.2), (3, 100.3)], (0, 3));
    assert_eq!((hour.total(), hour.flag()), (Some(0.3), Flag::Suspect));
}

#[test]
fn a_state_that_the_meter_does_not_have_is_left_out() {
    let hour = used(&plain(), &[(0, 100.0), (1, 10_000.0), (2, -1.0), (3, 100.3)], (0, 3));
    assert_eq!((hour.total(), hour.flag()), (Some(0.3), Flag::Suspect));
}

#[test]
fn a_rise_faster_than_any_meter_is_suspect() {
    let hour = used(&plain(), &[(0, 100.0), (1, 900.0)], (0, 1));
    assert_eq!((hour.total(), hour.flag()), (Some(800.0), Flag::Suspect));
}

#[test]
fn failed_and_absent_readings_are_skipped_and_suspect_ones_said() {
    let with = |flag, result| {
        let odd = Entry {
            time: at(1),
            result,
            quality: Quality::only(Test::GrossRange, flag),
            mark: None,
        };
        let entries = [entry(0, 10.0), odd, entry(2, 10.2)];
        consumption(entries.into_iter(), (at(0), at(2)), &plain())
    };
    let value = ObservationResult::Value(10.1);
    let failed = with(Flag::Fail, value);
    assert_eq!((failed.total(), failed.readings, failed.flag()), (Some(0.2), 1, Flag::Pass));
    let nil = with(Flag::Missing, ObservationResult::Nil(NilReason::Missing));
    assert_eq!((nil.total(), nil.readings), (Some(0.2), 1));
    let suspect = with(Flag::Suspect, value);
    assert_eq!((suspect.total(), suspect.flag()), (Some(0.2), Flag::Suspect));
}

#[test]
fn an_amount_of_another_span_is_added_exactly() {
    let readings = [(0, 0.0), (7, 0.1), (14, 0.2), (21, 0.3)];
    let of = |span| used(&plain(), &readings, span);
    let sum = (0..7).map(|third| of((third * 3, third * 3 + 3)));
    let sum = sum.fold(Consumption::default(), Consumption::and);
    assert_eq!(sum.parts, of((0, 21)).parts);
    assert_eq!(sum.total(), Some(0.3));
}

/// Readings of one meter over four hours, from any state of its dial, each step small.
fn readings() -> impl Strategy<Value = (Vec<Entry>, i64)> {
    let steps = proptest::collection::vec((1_000..1_200_000_i64, 0..100_i64), 2..60);
    // Half of the cases roll over or nearly do.
    let start = prop_oneof![0..100_000_i64, 97_000..100_000_i64];
    (start, steps).prop_map(|(start, steps)| {
        let (mut time, mut state, mut sum) = (0, start, 0);
        let mut entries = vec![entry_of(time, state)];
        for (millis, rise) in steps {
            (time, state, sum) = (time + millis, (state + rise) % 100_000, sum + rise);
            entries.push(entry_of(time, state));
        }
        (entries, sum)
    })
}

fn entry_of(millis: i64, steps: i64) -> Entry {
    let result = ObservationResult::Value(steps as f64 / 10.0);
    Entry {
        time: Timestamp(millis),
        result,
        quality: Quality::only(Test::GrossRange, Flag::Pass),
        mark: None,
    }
}

proptest! {
    #[test]
    fn the_hours_sum_up_to_the_difference_of_the_states(
        (entries, steps) in readings(),
        quarter in 1..100_i64,
    ) {
        let counter = plain();
        let last = entries.last().unwrap().time;
        let width = quarter * MINUTE / 2;
        let mut sum = Consumption::default();
        let mut from = Timestamp(-width);
        while from < last {
            let span = (from, from.plus(width));
            sum = sum.and(consumption(entries.iter().copied(), span, &counter));
            from = span.1;
        }
        prop_assert_eq!(sum.parts, i128::from(steps) * (PARTS / 10));
        prop_assert!(!sum.reset && !sum.suspect);
        prop_assert_eq!(sum.measured_ms + sum.shared_ms, last.millis());
    }

    #[test]
    fn the_order_of_arrival_changes_nothing(
        (entries, _) in readings(),
        order in any::<u64>(),
    ) {
        let counter = plain();
        let span = (Timestamp(10 * MINUTE), Timestamp(70 * MINUTE));
        let whole = consumption(entries.iter().copied(), span, &counter);
        let mut shuffled = entries;
        shuffled.sort_by_key(|entry| entry.time.millis().wrapping_mul(order as i64 | 1));
        let mut ring = History::default();
        shuffled.iter().for_each(|entry| ring.put(*entry));
        let held = consumption(ring.since(Timestamp(0)).into_iter(), span, &counter);
        prop_assert_eq!(whole, held, "as the ring gives it");
        let again = consumption(shuffled.into_iter(), span, &counter);
        prop_assert_eq!(whole, again);
        prop_assert_eq!(whole.total().map(f64::to_bits), again.total().map(f64::to_bits));
    }

    #[test]
    fn no_readings_make_a_negative_amount_or_more_time_than_there_is(
        raw in proptest::collection::vec((0..200_i64, -10.0..11_000.0_f64, 0..4_usize), 0..40),
        border in 20..120_i64,
    ) {
        let rows = vec![
            meter("A", (3.0, 1.0), None, Some(border)),
            meter("A", (5.5, 2.0), Some(border), Some(border + 20)),
            meter("B", (1.0, 1.0), Some(border + 25), None),
        ];
        let flags = [Flag::Pass, Flag::Suspect, Flag::Fail, Flag::Missing];
        let entries = raw.iter().map(|(minute, value, flag)| Entry {
            time: at(*minute),
            result: ObservationResult::Value(*value),
            quality: Quality::only(Test::GrossRange, flags[*flag]),
            mark: None,
        });
        let hour = consumption(entries, (at(60), at(120)), &counter(rows));
        prop_assert!(hour.parts >= 0);
        let parts = [hour.measured_ms, hour.shared_ms, hour.missing_ms];
        prop_assert!(parts.iter().all(|part| *part >= 0));
        prop_assert_eq!(parts.iter().sum::<i64>(), HOUR);
    }
}

#[test]
fn a_late_reading_gives_the_hours_that_it_would_have_given_in_time() {
    let in_time = [(0, 9_998.0), (30, 9_999.0), (70, 0.5), (118, 2.9), (122, 3.1)];
    let late: Vec<(i64, f64)> = in_time.iter().copied().filter(|one| one.0 != 70).collect();
    let hour = |readings: &[(i64, f64)], from| used(&plain(), readings, (from, from + 60));
    // Without it the hour's border lies in a gap from minute 30 to 118, with 3.9 over it.
    assert_eq!(hour(&late, 0).shared_ms, 60 * MINUTE);
    assert!((hour(&late, 0).total().unwrap() - (1.0 + 3.9 * 30.0 / 88.0)).abs() < 1e-9);
    // With it from minute 30 to 70, with 1.5 over it: three quarters of that.
    assert_eq!(hour(&in_time, 0).total(), Some(1.0 + 1.125));
    assert_eq!(hour(&in_time, 60).total(), Some(0.375 + 2.4 + 0.1));
    let sum = |readings: &[(i64, f64)]| hour(readings, 0).and(hour(readings, 60)).parts;
    assert_eq!(sum(&late), sum(&in_time), "the two hours together are what they were");
}
