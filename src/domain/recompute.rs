//! What past days come to once values are counted that came too late for them. A recomputation is
//! played aside; what it found enters as an input, so that a replay need not play it again.

use minicbor::{Decode, Encode};

use crate::domain::assessment::Assessment;
use crate::domain::evaluation::Evaluation;
use crate::domain::name::{DatastreamId, StationId};
use crate::domain::observation::{Coverage, QualifiedObservation};
use crate::domain::time::Timestamp;

/// How many points one input holds; what is more is in several.
pub const POINTS_MAX: usize = 10_000;

/// What a natural day of a datastream came to. Months, quarters and years are made of it.
#[derive(Clone, Copy, PartialEq, Debug, Encode, Decode)]
pub struct DaySummary {
    /// The datastream.
    #[n(0)]
    pub datastream: DatastreamId,
    /// The first instant of the day.
    #[n(1)]
    pub start: Timestamp,
    /// Its mean or total; `None` if it has too few valid values.
    #[n(2)]
    pub value: Option<f64>,
    /// Whether one of its values is suspect.
    #[n(3)]
    pub suspect: bool,
    /// How many of the datastream's own values arrived.
    #[n(4)]
    pub received: u32,
    /// How many of them were valid.
    #[n(5)]
    pub valid: u32,
    /// Of a meter: whether an exchange or a reset lost a part that nobody will ever know.
    #[n(6)]
    pub partial: bool,
}

/// What days of some stations come to, as far as it is other than what was told of them. All of it
/// is of the past: it fires and ends no alert.
#[derive(Clone, PartialEq, Debug, Default, Encode, Decode)]
pub struct Recompute {
    /// The first instant of the days.
    #[n(0)]
    pub from: Timestamp,
    /// The first instant after them.
    #[n(1)]
    pub to: Timestamp,
    /// The stations.
    #[n(2)]
    pub stations: Vec<StationId>,
    /// Values that arrived before this are counted, in elapsed milliseconds; `None` where more of
    /// the same recomputation follows.
    #[n(3)]
    pub heard_ms: Option<i64>,
    /// Averages, and derived values; each a revision.
    #[n(4)]
    pub observations: Vec<QualifiedObservation>,
    /// How many values came.
    #[n(5)]
    pub coverage: Vec<Coverage>,
    /// Verdicts on averages.
    #[n(6)]
    pub assessments: Vec<Assessment>,
    /// Classes, indices and states, of stations and sets.
    #[n(7)]
    pub evaluations: Vec<Evaluation>,
    /// The days.
    #[n(8)]
    pub days: Vec<DaySummary>,
}

impl Recompute {
    /// Splits it into inputs of a size that a batch can hold. The last one says what is counted.
    #[must_use]
    pub fn parts(mut self, points_max: usize) -> Vec<Self> {
        let heard_ms = self.heard_ms.take();
        let (from, to, stations) = (self.from, self.to, self.stations.clone());
        let fresh = || Self { from, to, stations: stations.clone(), ..Self::default() };
        let mut parts = vec![fresh()];
        let mut room = points_max;
        macro_rules! share_out {
            ($($of:ident),*) => {$(
                for one in self.$of {
                    if room == 0 {
                        parts.push(fresh());
                        room = points_max;
                    }
                    if let Some(part) = parts.last_mut() {
                        part.$of.push(one);
                        room -= 1;
                    }
                }
            )*};
        }
        share_out!(observations, coverage, assessments, evaluations, days);
        if let Some(last) = parts.last_mut() {
            last.heard_ms = heard_ms;
        }
        parts
    }

    /// Writes it for the journal.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // Writing into memory can't fail.
        minicbor::to_vec(self).unwrap_or_default()
    }

    /// Reads what [`Recompute::to_bytes`] wrote.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        minicbor::decode(bytes).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::observation::{
        Completeness, NilReason, Observation, ObservationResult, Period,
    };
    use crate::domain::quality::{Flag, Quality, Test};
    use crate::domain::time::{HOUR, PhenomenonTime};

    fn day(number: u32) -> DaySummary {
        let (datastream, start) = (DatastreamId(number), Timestamp(-1));
        let (value, suspect, partial) = (None, true, true);
        DaySummary { datastream, start, value, suspect, received: 9, valid: 8, partial }
    }

    #[test]
    fn it_survives_its_way_through_the_journal() {
        let mut quality = Quality::default();
        quality.set(Test::Members, Flag::Suspect);
        let span = PhenomenonTime::Interval { start: Timestamp(0), end: Timestamp(HOUR) };
        let observation = Observation {
            datastream: DatastreamId(7),
            period: Period::Hour,
            phenomenon_time: span,
            result: ObservationResult::Nil(NilReason::Incomplete),
            raw: Some(1.5),
            clock: Flag::Pass,
            mark: None,
        };
        let extremes = Some((0.1, 0.3));
        let completeness = Some(Completeness { received: 3, valid: 2, expected: 4, extremes });
        let flag_only = true;
        let one =
            QualifiedObservation { observation, quality, revision: true, completeness, flag_only };
        let recomputed = Recompute {
            stations: vec![StationId(3)],
            heard_ms: Some(-5),
            observations: vec![one],
            days: vec![day(1)],
            ..Recompute::default()
        };
        assert_eq!(Recompute::from_bytes(&recomputed.to_bytes()), Some(recomputed));
    }

    #[test]
    fn it_is_split_into_parts_of_which_only_the_last_counts() {
        let days: Vec<DaySummary> = (0..7).map(day).collect();
        let whole = Recompute { heard_ms: Some(5), days: days.clone(), ..Recompute::default() };
        let parts = whole.parts(3);
        assert_eq!(parts.iter().map(|part| part.days.len()).collect::<Vec<_>>(), [3, 3, 1]);
        let heard: Vec<Option<i64>> = parts.iter().map(|part| part.heard_ms).collect();
        assert_eq!(heard, [None, None, Some(5)]);
        assert_eq!(parts.into_iter().flat_map(|part| part.days).collect::<Vec<_>>(), days);
        assert_eq!(Recompute::default().parts(3).len(), 1, "nothing is an answer, too");
    }
}
