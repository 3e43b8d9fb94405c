//! Attenuated signal (QARTOD): values that vary, but too little, as behind a fouled window.

use crate::domain::quality::Flag;
use crate::domain::registry::{Attenuated, Check};

/// Runs the test on the values of a window, missing ones left out.
#[must_use]
pub fn test(attenuated: Attenuated, values: &[f64]) -> Flag {
    if values.is_empty() || values.len() < attenuated.needs as usize {
        return Flag::NotEvaluated;
    }
    attenuated.thresholds.below(strength(attenuated.check, values))
}

/// Gives the strength of a signal, in the unit of its values.
#[must_use]
pub fn strength(check: Check, values: &[f64]) -> f64 {
    match check {
        Check::Deviation => deviation(values),
        Check::Range => {
            let low = values.iter().copied().fold(f64::INFINITY, f64::min);
            let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            high - low
        }
    }
}

/// Gives the standard deviation of the values as a whole, not of a sample.
fn deviation(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::registry::Thresholds;

    #[track_caller]
    fn check(check: Check, values: &[f64], want: Flag) {
        let thresholds = Thresholds { suspect: Some(2.0), fail: Some(1.0) };
        let attenuated = Attenuated { check, thresholds, over_ms: None, needs: 2 };
        assert_eq!(test(attenuated, values), want);
    }

    #[test]
    fn what_equals_a_threshold_passes() {
        // A deviation of 2.
        check(Check::Deviation, &[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0], Flag::Pass);
        check(Check::Deviation, &[1.0, 3.0], Flag::Suspect);
        check(Check::Deviation, &[1.0, 2.0], Flag::Fail);
        check(Check::Range, &[1.0, 3.0], Flag::Pass);
        check(Check::Range, &[1.0, 2.5], Flag::Suspect);
        check(Check::Range, &[1.0, 1.5], Flag::Fail);
    }

    #[test]
    fn too_few_values_say_nothing() {
        check(Check::Range, &[1.0], Flag::NotEvaluated);
        check(Check::Range, &[], Flag::NotEvaluated);
    }
}
