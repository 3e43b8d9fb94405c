//! QARTOD's tests, by the series that its reference implementation is tested with (ioos_qc,
//! `tests/test_qartod.py`).

use jiff::tz::TimeZone;
use weir::domain::quality::{Flag, Test};
use weir::domain::registry::{
    Attenuated, Check, FlatLine, GrossRange, Qc, Rate, Spike, SpikeMethod, Thresholds, TimingGap,
};
use weir::domain::time::{HOUR, MINUTE, SECOND, Timestamp};
use weir::pipeline::series::{Point, judge};

/// A value that is missing.
const MISSING: f64 = f64::NAN;

/// Judges values that come every quarter of an hour.
#[track_caller]
fn check(qc: &Qc, test: Test, values: &[f64], want: &[u8]) {
    let points: Vec<Point> = (0i64..)
        .zip(values)
        .map(|(at, value)| Point {
            time: Timestamp(at * 15 * MINUTE),
            value: Some(*value).filter(|value| !value.is_nan()),
            companion: None,
        })
        .collect();
    let judged = judge(qc, &TimeZone::UTC, &points);
    let flags: Vec<u8> = judged.iter().map(|quality| quality.flag(test).number()).collect();
    assert_eq!(flags, want);
}

fn thresholds(suspect: f64, fail: f64) -> Thresholds {
    Thresholds { suspect: Some(suspect), fail: Some(fail) }
}

fn spike(method: SpikeMethod, suspect: f64, fail: f64) -> Qc {
    let spike = Spike { method, thresholds: thresholds(suspect, fail) };
    Qc { spike: Some(spike), ..Qc::default() }
}

#[test]
fn spike_by_the_mean_of_the_neighbours() {
    let qc = spike(SpikeMethod::Average, 25.0, 50.0);
    let values = [10.0, 12.0, 999.99, 13.0, 15.0, 40.0, 9.0, 9.0];
    check(&qc, Test::Spike, &values, &[2, 4, 4, 4, 1, 3, 1, 2]);
    let gap = [MISSING, 10.0, 10.0, 999.99, 10.0, MISSING];
    let values = [&values[..], &gap[..]].concat();
    check(&qc, Test::Spike, &values, &[2, 4, 4, 4, 1, 3, 1, 2, 9, 2, 4, 4, 2, 9]);
}

const HARDER: [f64; 18] = [
    3.0, 4.99, 5.0, 6.0, 8.0, 6.0, 6.0, 6.75, 6.0, 6.0, 5.3, 6.0, 6.0, 9.0, 5.0, MISSING, 4.0, 4.0,
];

#[test]
fn spike_by_both_methods() {
    let qc = spike(SpikeMethod::Average, 0.5, 1.0);
    let want = [2, 3, 1, 1, 4, 3, 1, 3, 1, 1, 3, 1, 4, 4, 2, 9, 2, 2];
    check(&qc, Test::Spike, &HARDER, &want);
    let qc = spike(SpikeMethod::Differential, 0.5, 1.0);
    let want = [2, 1, 1, 1, 4, 1, 1, 3, 1, 1, 3, 1, 1, 4, 2, 9, 2, 2];
    check(&qc, Test::Spike, &HARDER, &want);
}

#[test]
fn rate_of_change_of_5_in_15_minutes() {
    let rate = Rate {
        thresholds: Thresholds { suspect: Some(5.0 / (15.0 * 60.0)), fail: None },
        ..Rate::default()
    };
    let qc = Qc { rate_of_change: Some(rate), ..Qc::default() };
    let values = [2.0, 10.0, 2.0, 3.0, MISSING, MISSING, 7.0, 10.0];
    check(&qc, Test::RateOfChange, &values, &[1, 3, 3, 1, 9, 9, 1, 1]);
}

#[test]
fn flat_line_of_3_and_5_intervals() {
    let (suspect_ms, fail_ms) = (Some(3_000 * SECOND), Some(4_800 * SECOND));
    let flat = FlatLine { tolerance: 0.01, suspect_ms, fail_ms, unless: None };
    let qc = Qc { flat_line: Some(flat), ..Qc::default() };
    let values =
        [1.0, 2.0, 2.0001, 2.0, 2.0001, 2.0, 2.0001, 2.0, 4.0, 5.0, 3.0, 3.0001, 3.0005, 3.00001];
    check(&qc, Test::FlatLine, &values, &[1, 1, 1, 1, 3, 3, 4, 4, 1, 1, 1, 1, 1, 3]);
    check(&qc, Test::FlatLine, &[1.0, 1.0], &[1, 1]);
}

#[test]
fn gross_range_is_inclusive() {
    let spans = GrossRange { fail: Some((0.0, 100.0)), suspect: Some((10.0, 90.0)) };
    let qc = Qc { gross_range: Some(spans), ..Qc::default() };
    let values = [-0.1, 0.0, 9.9, 10.0, 50.0, 90.0, 90.1, 100.0, 100.1, MISSING];
    check(&qc, Test::GrossRange, &values, &[4, 3, 3, 1, 1, 1, 3, 3, 4, 9]);
}

#[test]
fn attenuated_signal_over_the_series_and_over_an_hour() {
    let asked = Attenuated {
        check: Check::Range,
        thresholds: thresholds(0.15, 0.1),
        over_ms: None,
        needs: 1,
    };
    let qc = |over_ms| {
        let attenuated_signal = Some(Attenuated { over_ms, ..asked });
        Qc { attenuated_signal, ..Qc::default() }
    };
    check(&qc(None), Test::AttenuatedSignal, &[1.0, 1.05, MISSING, 1.02], &[4, 4, 2, 4]);
    check(&qc(None), Test::AttenuatedSignal, &[1.0, 1.125, 1.0], &[3, 3, 3]);
    check(&qc(None), Test::AttenuatedSignal, &[1.0, 1.25, 1.0], &[1, 1, 1]);
    // Four quarters to the hour: the fifth value looks back at itself and three more.
    let values = [1.0, 2.0, 2.0, 2.0, 2.0, 2.0];
    check(&qc(Some(HOUR)), Test::AttenuatedSignal, &values, &[4, 1, 1, 1, 4, 4]);
}

#[test]
fn what_follows_a_gap_fails_and_the_first_is_as_the_second() {
    let gap = |fail_ms| Qc { timing_gap: Some(TimingGap { fail_ms }), ..Qc::default() };
    check(&gap(15 * MINUTE), Test::TimingGap, &[1.0, 1.0, 1.0], &[1, 1, 1]);
    check(&gap(15 * MINUTE - 1), Test::TimingGap, &[1.0, 1.0, 1.0], &[4, 4, 4]);
    check(&gap(HOUR), Test::TimingGap, &[1.0], &[1]);
}

#[test]
fn flags_roll_up_to_the_worst_and_what_is_missing_to_missing() {
    let spans = GrossRange { fail: Some((0.0, 100.0)), suspect: None };
    let qc = Qc { gross_range: Some(spans), ..spike(SpikeMethod::Differential, 5.0, 50.0) };
    let point = |at: i64, value| Point { time: Timestamp(at), value, companion: None };
    let points = [Some(1.0), Some(20.0), Some(2.0), None, Some(300.0)];
    let points: Vec<Point> = (0..).zip(points).map(|(at, value)| point(at, value)).collect();
    let rolled: Vec<Flag> =
        judge(&qc, &TimeZone::UTC, &points).iter().map(|quality| quality.roll_up()).collect();
    assert_eq!(rolled, [Flag::Pass, Flag::Suspect, Flag::Pass, Flag::Missing, Flag::Fail]);
}
