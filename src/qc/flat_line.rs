//! Flat line (QARTOD): values that for too long differ by less than the sensor's noise.

use minicbor::{Decode, Encode};

use crate::domain::quality::Flag;
use crate::domain::registry::FlatLine;
use crate::domain::time::Timestamp;

/// A value of a series and its time; none where it is missing.
pub type Timed = (Timestamp, Option<f64>);

/// The fewest values that are a line where values come on a stream.
const LINE_MIN: u32 = 3;

/// The longest series up to now whose values all lie closer together than the tolerance. Kept from
/// value to value, so that none looks back over a day.
#[derive(Clone, Copy, PartialEq, Debug, Default, Encode, Decode)]
pub struct Run {
    /// How many values, missing ones among them counted.
    #[n(0)]
    count: u32,
    /// The least and the greatest.
    #[n(1)]
    span: Option<(f64, f64)>,
    /// The time of the first.
    #[n(2)]
    since: Timestamp,
}

impl Run {
    /// Gives the run that ends at the next value. `back` gives the values before it, the newest
    /// first; it is asked only where the value breaks the run, and only as far as the new run goes.
    #[must_use]
    pub fn next(self, flat: FlatLine, value: Timed, back: impl Iterator<Item = Timed>) -> Self {
        if flat.excuses(value.1) {
            return Self::default();
        }
        let begun = if self.count == 0 { None } else { self.with(flat, value, self.since) };
        if let Some(run) = begun {
            return run;
        }
        let span = value.1.map(|value| (value, value));
        let mut run = Self { count: 1, span, since: value.0 };
        for before in back.take_while(|before| !flat.excuses(before.1)) {
            let Some(longer) = run.with(flat, before, before.0) else { break };
            run = longer;
        }
        run
    }

    /// Gives the run with one value more, unless that breaks it. A missing one is neither flat nor
    /// not.
    fn with(self, flat: FlatLine, (_, value): Timed, since: Timestamp) -> Option<Self> {
        let span = match (self.span, value) {
            (span, None) => span,
            (None, Some(value)) => Some((value, value)),
            (Some((low, high)), Some(value)) => Some((low.min(value), high.max(value))),
        };
        let close = span.is_none_or(|(low, high)| high - low < flat.tolerance);
        close.then_some(Self { count: self.count.saturating_add(1), span, since })
    }

    /// Runs the test on the value that ends the run, of a whole series whose values come at an
    /// interval, ms.
    ///
    /// A line is flat over a time if all values of `time ÷ interval` intervals, cut to whole ones,
    /// are: one value more than intervals.
    #[must_use]
    pub fn test(self, flat: FlatLine, interval_ms: i64) -> Flag {
        flat.judge(|ms| i64::from(self.count) > ms / interval_ms.max(1))
    }

    /// Runs the test on the value that ends the run, at its time, where values are expected at an
    /// interval, ms, and may come more often, or some of them not at all: a line lasts as long as
    /// its time, cut to whole intervals, and has three values.
    #[must_use]
    pub fn test_at(self, flat: FlatLine, time: Timestamp, interval_ms: i64) -> Flag {
        let lasted = time.since(self.since);
        flat.judge(|ms| {
            self.count >= LINE_MIN && lasted >= ms.saturating_sub(ms % interval_ms.max(1))
        })
    }

    /// Gives since when the line lasts.
    #[must_use]
    pub fn since(self) -> Timestamp {
        self.since
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Gives how long the run is that ends at each value.
    fn counts(tolerance: f64, values: &[Option<f64>]) -> Vec<u32> {
        runs(FlatLine { tolerance, ..FlatLine::default() }, values)
            .iter()
            .map(|run| run.count)
            .collect()
    }

    /// Gives the run that ends at each value; one comes a second.
    fn runs(flat: FlatLine, values: &[Option<f64>]) -> Vec<Run> {
        let timed = |at: usize| (Timestamp(at as i64 * 1_000), values[at]);
        let mut run = Run::default();
        let each = (0..values.len()).map(|at| {
            run = run.next(flat, timed(at), (0..at).rev().map(timed));
            run
        });
        each.collect()
    }

    #[test]
    fn on_a_stream_a_line_lasts_as_long_as_its_time() {
        let flat = FlatLine {
            tolerance: 0.5,
            suspect_ms: Some(2_500),
            fail_ms: Some(4_000),
            ..FlatLine::default()
        };
        let values = [1.0, 5.0, 5.0, 5.0, 5.0, 5.0, 6.0].map(Some);
        let flags = |interval_ms: i64| -> Vec<u8> {
            let timed = (0..).map(|at: i64| Timestamp(at * 1_000));
            let judged = runs(flat, &values).into_iter().zip(timed);
            judged.map(|(run, time)| run.test_at(flat, time, interval_ms).number()).collect()
        };
        // 2.5 s are two whole intervals of a second.
        assert_eq!(flags(1_000), [1, 1, 1, 3, 3, 4, 1]);
        assert_eq!(flags(100), [1, 1, 1, 1, 3, 4, 1]);
    }

    #[test]
    fn what_is_excused_is_no_line() {
        let flat = FlatLine { tolerance: 0.5, unless: Some((-0.5, 0.5)), ..FlatLine::default() };
        let runs = runs(flat, &[0.1, 0.1, 0.6, 0.6, 0.5, 0.6].map(Some));
        let counts: Vec<u32> = runs.iter().map(|run| run.count).collect();
        assert_eq!(counts, [0, 0, 1, 2, 0, 1]);
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
