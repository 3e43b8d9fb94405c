//! Holds an observation against the limits in force at its own time.

pub mod limit;

use minicbor::{Decode, Encode};

use crate::domain::assessment::{Assessment, NotAssessable, Verdict, WaterClass};
use crate::domain::observation::{NilReason, ObservationResult, Period, QualifiedObservation};
use crate::domain::quality::Flag;
use crate::domain::registry::{Datastream, Registry};

/// The last verdict on a datastream, by which a change is known.
#[derive(Clone, Copy, PartialEq, Debug, Default, Encode, Decode)]
pub struct Last {
    /// On its own values.
    #[n(0)]
    native: Option<Told>,
    /// On its hour means.
    #[n(1)]
    hour: Option<Told>,
}

/// What was told of a verdict: a higher multiple of the same limit is no news.
#[derive(Clone, Copy, PartialEq, Debug, Encode, Decode)]
struct Told {
    #[n(0)]
    verdict: Verdict,
    #[n(1)]
    class: Option<WaterClass>,
}

impl Told {
    fn of(verdict: Verdict, class: Option<WaterClass>) -> Self {
        let verdict = match verdict {
            Verdict::Exceeds { limit, .. } => Verdict::Exceeds { limit, multiple: None },
            Verdict::Within { .. } | Verdict::NotAssessable(_) => verdict,
        };
        Self { verdict, class }
    }
}

impl Last {
    /// Gives the last verdict and class on values of a period, for people to see.
    #[must_use]
    pub fn verdict(&self, period: Period) -> Option<(Verdict, Option<WaterClass>)> {
        match period {
            Period::Native => self.native,
            Period::Hour => self.hour,
        }
        .map(|told| (told.verdict, told.class))
    }
}

/// Assesses one observation and notes the verdict.
pub fn assess(
    registry: &Registry,
    datastream: &Datastream,
    qualified: &QualifiedObservation,
    last: &mut Last,
) -> Assessment {
    let observation = &qualified.observation;
    let at = observation.phenomenon_time.start();
    let flag = qualified.flag();
    let (verdict, class) = match (flag, observation.result) {
        (_, ObservationResult::Nil(NilReason::Incomplete)) => not(NotAssessable::Incomplete),
        (Flag::Missing, _) | (_, ObservationResult::Nil(NilReason::Missing)) => {
            not(NotAssessable::Missing)
        }
        (Flag::Fail, _) => not(NotAssessable::Quality),
        (Flag::Pass | Flag::NotEvaluated | Flag::Suspect, result) => (
            limit::verdict(registry, datastream, observation.period, result, at),
            limit::class(registry, datastream, observation.period, result, at),
        ),
    };
    let told = Some(Told::of(verdict, class));
    let place = match observation.period {
        Period::Native => &mut last.native,
        Period::Hour => &mut last.hour,
    };
    let changed = *place != told;
    *place = told;
    Assessment {
        datastream: datastream.id,
        period: observation.period,
        phenomenon_time: observation.phenomenon_time,
        value: observation.result.number(),
        verdict,
        class,
        unconfirmed: flag == Flag::Suspect,
        changed,
    }
}

fn not(reason: NotAssessable) -> (Verdict, Option<WaterClass>) {
    (Verdict::NotAssessable(reason), None)
}
