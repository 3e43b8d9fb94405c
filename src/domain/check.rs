//! Checks of an instrument: zero, span, standard sample, recovery of a spike, parallel sample. What
//! one found is held against what it should have found.

use minicbor::{Decode, Encode};

use crate::domain::name::PropertyId;
use crate::domain::time::Timestamp;

/// How many checks of one kind are remembered of a property at a position: those of a week, if
/// there is one a day, and one more. Beyond, the oldest is let go.
pub const CHECKS_MAX: usize = 8;

/// What is checked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum CheckKind {
    /// What is measured where there is nothing.
    #[n(0)]
    Zero,
    /// What is measured near the upper end of the range.
    #[n(1)]
    Span,
    /// What is measured of a sample of known content.
    #[n(2)]
    StandardSample,
    /// How much of what was added to a sample is found again.
    #[n(3)]
    SpikeRecovery,
    /// What is measured of a second part of a sample.
    #[n(4)]
    ParallelSample,
}

impl CheckKind {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::Zero, Self::Span, Self::StandardSample, Self::SpikeRecovery, Self::ParallelSample];

    /// Gives the word by which seeds and the shell name it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Zero => "zero",
            Self::Span => "span",
            Self::StandardSample => "standard_sample",
            Self::SpikeRecovery => "spike_recovery",
            Self::ParallelSample => "parallel_sample",
        }
    }

    /// Gives the cause of `device_marks.csv` that a result of it is marked with.
    #[must_use]
    pub fn cause(self) -> &'static str {
        match self {
            Self::Zero => "zero_check",
            Self::Span => "span_check",
            Self::StandardSample | Self::SpikeRecovery | Self::ParallelSample => self.word(),
        }
    }
}

/// What a marked value has to do with a check.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CheckPart {
    /// It is what was found.
    Result(CheckKind),
    /// It is what should have been found: nothing that was measured.
    Standard,
}

/// The cause of `device_marks.csv` that a standard value is marked with.
pub const STANDARD_VALUE: &str = "standard_value";

/// A check that failed; numbers in the canonical unit.
#[derive(Clone, Copy, PartialEq, Debug, Encode, Decode)]
pub struct ByCheck {
    /// What was checked.
    #[n(0)]
    pub kind: CheckKind,
    /// When.
    #[n(1)]
    pub at: Timestamp,
    /// What it found.
    #[n(2)]
    pub value: f64,
    /// What it should have found.
    #[n(3)]
    pub standard: f64,
    /// The least that passes,
    #[n(4)]
    pub low: f64,
    /// and the most.
    #[n(5)]
    pub high: f64,
}

impl ByCheck {
    /// Gives the shares of the standard, in percent, that were found and that pass, where a check
    /// is about shares.
    #[must_use]
    pub fn shares(&self) -> Option<(f64, f64, f64)> {
        let of = |value: f64| value / self.standard * 100.0;
        let is_share = self.kind == CheckKind::SpikeRecovery && self.standard != 0.0;
        is_share.then(|| (of(self.value), of(self.low), of(self.high)))
    }
}

/// One check as it is remembered.
#[derive(Clone, Copy, PartialEq, Debug, Encode, Decode)]
pub struct HeldCheck {
    /// When it was made.
    #[n(0)]
    pub at: Timestamp,
    /// What it found.
    #[n(1)]
    pub value: f64,
    /// What it should have found.
    #[n(2)]
    pub standard: f64,
    /// The number of the invalidation that it made, if it failed.
    #[n(3)]
    pub failed: Option<u64>,
}

/// The checks of one kind of a property at a position.
#[derive(Clone, PartialEq, Debug, Encode, Decode)]
pub struct CheckSeries {
    /// The property.
    #[n(0)]
    pub property: PropertyId,
    /// The position; empty where the station has none.
    #[n(1)]
    pub position: String,
    /// The kind.
    #[n(2)]
    pub kind: CheckKind,
    /// The checks in the order of their times, each time once.
    #[n(3)]
    pub held: Vec<HeldCheck>,
}

impl CheckSeries {
    /// Takes a check in; beyond the most the oldest is let go.
    pub fn put(&mut self, check: HeldCheck) {
        self.held.retain(|held| held.at != check.at);
        let place = self.held.partition_point(|held| held.at < check.at);
        self.held.insert(place, check);
        if self.held.len() > CHECKS_MAX {
            self.held.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_checks_are_remembered_in_the_order_of_their_times() {
        let check = |at, value| HeldCheck { at: Timestamp(at), value, standard: 2.0, failed: None };
        let (property, position) = (PropertyId(1), String::new());
        let mut series = CheckSeries { property, position, kind: CheckKind::Span, held: vec![] };
        for at in [5, 3, 9, 3] {
            series.put(check(at, at as f64));
        }
        let times = |series: &CheckSeries| -> Vec<i64> {
            series.held.iter().map(|held| held.at.millis()).collect()
        };
        assert_eq!(times(&series), [3, 5, 9]);
        for at in 10..=15 {
            series.put(check(at, 1.0));
        }
        assert_eq!(times(&series), [5, 9, 10, 11, 12, 13, 14, 15]);
        assert_eq!(series.held.len(), CHECKS_MAX);
        let bytes = minicbor::to_vec(&series).unwrap();
        assert_eq!(minicbor::decode::<CheckSeries>(&bytes).unwrap(), series);
    }
}
