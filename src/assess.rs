//! Holds an observation against the limits in force at its own time.

pub mod energy;
pub mod limit;

use minicbor::{Decode, Encode};

use crate::domain::assessment::{Assessment, NotAssessable, Verdict, WaterClass};
use crate::domain::observation::{NilReason, ObservationResult, Period, QualifiedObservation};
use crate::domain::quality::Flag;
use crate::domain::registry::{Datastream, Registry};

/// The last verdict on a datastream, by which a change is known.
#[derive(Clone, PartialEq, Debug, Default, Encode, Decode)]
pub struct Last {
    /// On its own values.
    #[n(0)]
    native: Option<Told>,
    /// On its averages.
    #[n(1)]
    averages: Vec<(Period, Told)>,
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
        self.told(period).map(|told| (told.verdict, told.class))
    }

    fn told(&self, period: Period) -> Option<Told> {
        if period == Period::Native {
            return self.native;
        }
        self.averages.iter().find(|(of, _)| *of == period).map(|(_, told)| *told)
    }

    fn tell(&mut self, period: Period, told: Told) {
        if period == Period::Native {
            self.native = Some(told);
            return;
        }
        match self.averages.iter_mut().find(|(of, _)| *of == period) {
            Some((_, place)) => *place = told,
            None => self.averages.push((period, told)),
        }
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
    let told = Told::of(verdict, class);
    let changed = last.told(observation.period) != Some(told);
    last.tell(observation.period, told);
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
