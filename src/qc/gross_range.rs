//! Gross range (QARTOD): outside the sensor's span fails, outside the span expected here is
//! suspect. Bounds are inclusive.

use crate::domain::quality::Flag;
use crate::domain::registry::GrossRange;

/// Runs the test.
#[must_use]
pub fn test(spans: GrossRange, value: f64) -> Flag {
    spans.judge(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: f64, want: Flag) {
        let spans = GrossRange { fail: Some((0.0, 14.0)), suspect: Some((5.5, 9.8)) };
        assert_eq!(test(spans, value), want);
    }

    #[test]
    fn bounds_are_inclusive() {
        check(5.5, Flag::Pass);
        check(9.8, Flag::Pass);
        check(0.0, Flag::Suspect);
        check(14.0, Flag::Suspect);
    }

    #[test]
    fn outside_the_sensors_span_fails() {
        check(-0.1, Flag::Fail);
        check(14.1, Flag::Fail);
    }
}
