//! Spike (QARTOD): a value that stands out from the one before and the one after it. The one after
//! is known only when it comes; until then the test has not run.

use crate::domain::quality::Flag;
use crate::domain::registry::{Spike, SpikeMethod};

/// Runs the test on the middle one of three values. At an end of the series, and beside a missing
/// value, it can't decide.
#[must_use]
pub fn test(spike: Spike, [before, value, after]: [Option<f64>; 3]) -> Flag {
    let Some(value) = value else { return Flag::Missing };
    let (Some(before), Some(after)) = (before, after) else { return Flag::NotEvaluated };
    spike.thresholds.above(height(spike.method, [before, value, after]))
}

/// Gives how far a value stands out from the one before and the one after it.
#[must_use]
pub fn height(method: SpikeMethod, [before, value, after]: [f64; 3]) -> f64 {
    match method {
        SpikeMethod::Average => (value - f64::midpoint(before, after)).abs(),
        SpikeMethod::Differential => {
            let (up, down) = (value - before, value - after);
            if up * down > 0.0 { up.abs().min(down.abs()) } else { 0.0 }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::registry::Thresholds;

    #[track_caller]
    fn check(method: SpikeMethod, values: [Option<f64>; 3], want: Flag) {
        let thresholds = Thresholds { suspect: Some(1.0), fail: Some(2.0) };
        assert_eq!(test(Spike { method, thresholds }, values), want);
    }

    #[test]
    fn what_equals_a_threshold_passes() {
        for method in [SpikeMethod::Average, SpikeMethod::Differential] {
            check(method, [Some(5.0), Some(6.0), Some(5.0)], Flag::Pass);
            check(method, [Some(5.0), Some(7.0), Some(5.0)], Flag::Suspect);
            check(method, [Some(5.0), Some(2.9), Some(5.0)], Flag::Fail);
        }
    }

    #[test]
    fn a_step_is_no_spike_by_differences() {
        let step = [Some(5.0), Some(9.0), Some(9.0)];
        check(SpikeMethod::Differential, step, Flag::Pass);
        check(SpikeMethod::Average, step, Flag::Suspect);
    }

    #[test]
    fn without_a_neighbour_nobody_knows() {
        for method in [SpikeMethod::Average, SpikeMethod::Differential] {
            check(method, [None, Some(9.0), Some(5.0)], Flag::NotEvaluated);
            check(method, [Some(5.0), Some(9.0), None], Flag::NotEvaluated);
            check(method, [Some(5.0), None, Some(5.0)], Flag::Missing);
        }
    }
}
