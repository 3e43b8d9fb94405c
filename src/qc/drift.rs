//! Drift: a value that the next calibration puts elsewhere. The sensor had drifted by then, nobody
//! knows since when, so that what it said since the calibration before is in doubt.

use crate::domain::quality::Flag;
use crate::domain::registry::{Calibration, Tolerance};
use crate::domain::time::Timestamp;

/// Runs the test on a calibrated value. It passes where the next calibration bears the value out,
/// and can't decide before there is one.
#[must_use]
pub fn test(
    tolerance: Tolerance,
    calibrations: &[Calibration],
    (time, value): (Timestamp, f64),
) -> Flag {
    let Some((_, by_next)) = by_next(calibrations, (time, value)) else {
        return Flag::NotEvaluated;
    };
    if (by_next - value).abs() > tolerance.of(by_next) { Flag::Suspect } else { Flag::Pass }
}

/// Gives when the calibration after a value took place, and what the value is by it.
#[must_use]
pub fn by_next(
    calibrations: &[Calibration],
    (time, value): (Timestamp, f64),
) -> Option<(Timestamp, f64)> {
    let mut later = calibrations.iter().filter_map(|one| Some((one.validity.from?, one)));
    let (from, next) = later.find(|(from, _)| *from > time)?;
    let held = calibrations.iter().find(|one| one.validity.holds(time));
    let raw = held.map_or(value, |one| (value - one.offset) / one.gain);
    Some((from, raw * next.gain + next.offset))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Validity;

    fn calibration(offset: f64, from: i64, to: Option<i64>) -> Calibration {
        let validity = Validity { from: Some(Timestamp(from)), to: to.map(Timestamp) };
        Calibration { gain: 1.0, offset, validity }
    }

    #[track_caller]
    fn check(offsets: [f64; 2], time: i64, want: Flag) {
        let [first, second] = offsets;
        let calibrations = [calibration(first, 0, Some(10)), calibration(second, 10, None)];
        let tolerance = Tolerance { absolute: 0.25, share: 0.0 };
        assert_eq!(test(tolerance, &calibrations, (Timestamp(time), 7.0)), want);
    }

    #[test]
    fn what_equals_the_tolerance_passes() {
        check([0.0, 0.25], 5, Flag::Pass);
        check([0.0, 0.5], 5, Flag::Suspect);
        check([0.5, 0.0], 5, Flag::Suspect);
    }

    #[test]
    fn the_last_calibration_leaves_it_open() {
        check([0.0, 0.5], 10, Flag::NotEvaluated);
    }

    #[test]
    fn before_the_first_calibration_a_value_is_as_it_was_measured() {
        check([0.5, 0.0], -5, Flag::Suspect);
        check([0.1, 0.0], -5, Flag::Pass);
    }
}
