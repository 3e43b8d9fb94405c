//! Rate of change (QARTOD): a value that differs from the one before by more than the time between
//! them allows.

use crate::domain::quality::Flag;
use crate::domain::registry::Rate;
use crate::domain::time::{SECOND, Timestamp};

/// Runs the test. The first value, and the first after a missing one, pass: nothing says that they
/// changed.
#[must_use]
pub fn test(rate: Rate, before: Option<(Timestamp, f64)>, (time, value): (Timestamp, f64)) -> Flag {
    let Some((earlier, before)) = before else { return Flag::Pass };
    rate.thresholds.above(found(rate, (earlier, before), (time, value)))
}

/// Gives how fast a value changed, a second, in the unit of the thresholds; 0 within the noise.
#[must_use]
pub fn found(
    rate: Rate,
    (earlier, before): (Timestamp, f64),
    (time, value): (Timestamp, f64),
) -> f64 {
    let seconds = time.since(earlier) as f64 / SECOND as f64;
    let change = (value - before).abs();
    // Two values of one instant change infinitely fast, or not at all.
    let share = if rate.relative { before.abs() } else { 1.0 };
    let changed = change > rate.noise;
    if changed { change / share / seconds } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::registry::Thresholds;

    #[track_caller]
    fn check(before: Option<(i64, f64)>, at: (i64, f64), want: Flag) {
        let rate = Rate {
            thresholds: Thresholds { suspect: Some(0.5), fail: Some(1.0) },
            relative: false,
            noise: 0.0,
        };
        let at_second = |(second, value)| (Timestamp(second * SECOND), value);
        assert_eq!(test(rate, before.map(at_second), at_second(at)), want);
    }

    #[test]
    fn what_equals_a_threshold_passes() {
        check(Some((0, 1.0)), (4, 3.0), Flag::Pass);
        check(Some((0, 1.0)), (4, 3.1), Flag::Suspect);
        check(Some((0, 5.0)), (4, 0.9), Flag::Fail);
    }

    #[test]
    fn the_first_passes() {
        check(None, (0, 100.0), Flag::Pass);
    }

    #[test]
    fn two_values_of_one_instant() {
        check(Some((5, 1.0)), (5, 1.0), Flag::Pass);
        check(Some((5, 1.0)), (5, 1.1), Flag::Fail);
    }

    #[test]
    fn what_is_noise_is_no_change() {
        let rate = Rate {
            thresholds: Thresholds { suspect: Some(0.5), fail: None },
            noise: 2.0,
            ..Rate::default()
        };
        let flag = |value| test(rate, Some((Timestamp(0), 1.0)), (Timestamp(SECOND), value));
        assert_eq!((flag(3.0), flag(3.1)), (Flag::Pass, Flag::Suspect));
    }

    #[test]
    fn a_relative_rate_is_of_the_value_before() {
        let thresholds = Thresholds { suspect: Some(0.5), fail: None };
        let rate = Rate { thresholds, relative: true, noise: 0.0 };
        let flag = |value| test(rate, Some((Timestamp(0), 4.0)), (Timestamp(SECOND), value));
        assert_eq!((flag(6.0), flag(6.1), flag(1.9)), (Flag::Pass, Flag::Suspect, Flag::Suspect));
    }
}
