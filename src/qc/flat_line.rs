//! Flat line (QARTOD): values that for too long differ by less than the sensor's noise.

use crate::domain::quality::Flag;
use crate::domain::registry::FlatLine;

/// The longest series up to now whose values all lie closer together than the tolerance. Kept from
/// value to value, so that none looks back over a day.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Run {
    /// How many values, missing ones among them counted.
    count: u32,
    /// The least and the greatest.
    span: Option<(f64, f64)>,
}

impl Run {
    /// Gives the run that ends at the next value. `back` gives the values before it, the newest
    /// first; it is asked only where the value breaks the run, and only as far as the new run goes.
    #[must_use]
    pub fn next(
        self,
        tolerance: f64,
        value: Option<f64>,
        back: impl Iterator<Item = Option<f64>>,
    ) -> Self {
        if let Some(run) = self.with(tolerance, value) {
            return run;
        }
        let mut run = Self { count: 1, span: value.map(|value| (value, value)) };
        for before in back {
            let Some(longer) = run.with(tolerance, before) else { break };
            run = longer;
        }
        run
    }

    /// Gives the run with one value more, unless that breaks it. A missing one is neither flat nor
    /// not.
    fn with(self, tolerance: f64, value: Option<f64>) -> Option<Self> {
        let span = match (self.span, value) {
            (span, None) => span,
            (None, Some(value)) => Some((value, value)),
            (Some((low, high)), Some(value)) => Some((low.min(value), high.max(value))),
        };
        let flat = span.is_none_or(|(low, high)| high - low < tolerance);
        flat.then_some(Self { count: self.count.saturating_add(1), span })
    }

    /// Runs the test on the value that ends the run, where values come at an interval, ms.
    ///
    /// A line is flat over a time if all values of `time ÷ interval` intervals, cut to whole ones,
    /// are: one value more than intervals.
    #[must_use]
    pub fn test(self, flat: FlatLine, interval_ms: i64) -> Flag {
        let lasts = |ms: Option<i64>| {
            let intervals = ms.map(|ms| ms / interval_ms.max(1));
            intervals.is_some_and(|intervals| i64::from(self.count) > intervals)
        };
        if lasts(flat.fail_ms) {
            Flag::Fail
        } else if lasts(flat.suspect_ms) {
            Flag::Suspect
        } else {
            Flag::Pass
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Gives how long the run is that ends at each value.
    fn counts(tolerance: f64, values: &[Option<f64>]) -> Vec<u32> {
        let mut run = Run::default();
        let each = values.iter().enumerate().map(|(at, value)| {
            run = run.next(tolerance, *value, values[..at].iter().rev().copied());
            run.count
        });
        each.collect()
    }

    #[test]
    fn values_as_far_apart_as_the_tolerance_are_no_line() {
        let values = [1.0, 1.25, 1.5, 1.5].map(Some);
        assert_eq!(counts(0.5, &values), [1, 2, 2, 3]);
        assert_eq!(counts(0.0, &values), [1, 1, 1, 1], "nothing is flat by no tolerance");
    }

    #[test]
    fn what_is_missing_ends_no_line() {
        let values = [None, Some(1.0), None, Some(1.0), None, Some(2.0)];
        assert_eq!(counts(0.5, &values), [1, 2, 3, 4, 5, 2]);
    }

    proptest! {
        /// The run is what a look at every window finds.
        #[test]
        fn a_run_is_the_longest_window(
            values in proptest::collection::vec(0_u8..6, 1..60), tolerance in 0_u8..5
        ) {
            let tolerance = f64::from(tolerance);
            let values: Vec<f64> = values.into_iter().map(f64::from).collect();
            let flat = |window: &[f64]| {
                let low = window.iter().copied().fold(f64::INFINITY, f64::min);
                let high = window.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                high - low < tolerance
            };
            let longest = |end: usize| {
                let flat = (0..=end).find(|start| flat(&values[*start..=end]));
                flat.map_or(1, |start| u32::try_from(end - start + 1).unwrap())
            };
            let want: Vec<u32> = (0..values.len()).map(longest).collect();
            let some: Vec<Option<f64>> = values.iter().copied().map(Some).collect();
            prop_assert_eq!(counts(tolerance, &some), want);
        }
    }
}
