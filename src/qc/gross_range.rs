//! Gross range (QARTOD): outside the sensor's span fails, outside the span expected here is
//! suspect. Bounds are inclusive.

use crate::domain::observation::ObservationResult;
use crate::domain::quality::Flag;
use crate::domain::registry::GrossRange;

/// Runs the test. A censored value is judged by its limit: what lies beyond it is not known.
#[must_use]
pub fn test(spans: Option<GrossRange>, result: ObservationResult) -> Flag {
    let Some(value) = result.number() else { return Flag::Missing };
    spans.map_or(Flag::NotEvaluated, |spans| spans.judge(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::observation::NilReason;

    #[track_caller]
    fn check(value: f64, want: Flag) {
        let spans = GrossRange { fail: Some((0.0, 14.0)), suspect: Some((5.5, 9.8)) };
        assert_eq!(test(Some(spans), ObservationResult::Value(value)), want);
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

    #[test]
    fn no_span_is_not_a_pass() {
        assert_eq!(test(None, ObservationResult::Value(1.0)), Flag::NotEvaluated);
    }

    #[test]
    fn no_value_is_missing() {
        assert_eq!(test(None, ObservationResult::Nil(NilReason::Missing)), Flag::Missing);
    }
}
