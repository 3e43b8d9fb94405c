//! Holds an observation against the limits in force at its own time.

pub mod aqi;
pub mod black_odour;
pub mod cwqi;
pub mod energy;
pub mod limit;
pub mod trophic;
pub mod water_class;

use minicbor::{Decode, Encode};

use crate::assess::limit::Case;
use crate::domain::assessment::{Assessment, NotAssessable, Verdict, WaterClass};
use crate::domain::name::PropertyId;
use crate::domain::observation::{NilReason, ObservationResult, Period, QualifiedObservation};
use crate::domain::quality::Flag;
use crate::domain::registry::{Datastream, ObservedProperty, Registry};
use crate::domain::rounding::half_even_but_not_to_zero;

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
    #[n(2)]
    #[cbor(default)]
    near: bool,
}

impl Told {
    fn of(verdict: Verdict, class: Option<WaterClass>, near: bool) -> Self {
        let verdict = match verdict {
            Verdict::Exceeds { limit, .. } => Verdict::Exceeds { limit, multiple: None },
            Verdict::Within { .. } | Verdict::NotAssessable(_) => verdict,
        };
        Self { verdict, class, near }
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

    /// Gives what is remembered of a period.
    #[must_use]
    pub fn alone(&self, period: Period) -> Self {
        let mut alone = Self::default();
        if let Some(told) = self.told(period) {
            alone.tell(period, told);
        }
        alone
    }

    /// Takes in what is remembered of some periods.
    pub fn join(&mut self, other: &Self) {
        self.native = other.native.or(self.native);
        other.averages.iter().for_each(|(period, told)| self.tell(*period, *told));
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

/// Gives the value that another property of the same station has at the time of what is assessed,
/// if one is known.
pub type Beside<'a> = &'a dyn Fn(PropertyId) -> Option<f64>;

/// Assesses one observation and notes the verdict.
pub fn assess(
    registry: &Registry,
    datastream: &Datastream,
    qualified: &QualifiedObservation,
    beside: Beside<'_>,
    last: &mut Last,
) -> Assessment {
    let observation = &qualified.observation;
    let at = observation.phenomenon_time.start();
    let flag = qualified.flag();
    let period = limit::period(datastream, observation.period);
    let result = compared(registry, datastream, period, observation.result);
    let (verdict, class) = match (flag, result) {
        (_, ObservationResult::Nil(NilReason::Incomplete)) => not(NotAssessable::Incomplete),
        (Flag::Missing, _)
        | (
            _,
            ObservationResult::Nil(NilReason::Missing | NilReason::NoInput | NilReason::Undefined),
        ) => not(NotAssessable::Missing),
        (Flag::Fail, _) => not(NotAssessable::Quality),
        (Flag::Pass | Flag::NotEvaluated | Flag::Suspect, result) => {
            let case = Case { period, result, at };
            (
                limit::verdict(registry, datastream, case, beside),
                limit::class(registry, datastream, period, result, at),
            )
        }
    };
    let share = share(registry, verdict, result);
    let near = near(registry, datastream, verdict, share);
    let told = Told::of(verdict, class, near == Some(true));
    let changed = last.told(observation.period) != Some(told);
    last.tell(observation.period, told);
    Assessment {
        datastream: datastream.id,
        period: observation.period,
        phenomenon_time: observation.phenomenon_time,
        value: result.number(),
        verdict,
        class,
        share,
        near,
        unconfirmed: flag == Flag::Suspect,
        changed,
    }
}

fn not(reason: NotAssessable) -> (Verdict, Option<WaterClass>) {
    (Verdict::NotAssessable(reason), None)
}

/// Gives the number that is held against limits: a value of an evaluated period is rounded before,
/// half to even, a real-time value is not (two practices of evaluation, a setting of the edition).
fn compared(
    registry: &Registry,
    datastream: &Datastream,
    period: Period,
    result: ObservationResult,
) -> ObservationResult {
    let ObservationResult::Value(value) = result else { return result };
    if !period.is_evaluated() || !registry.judgement.round_periods {
        return result;
    }
    let property = registry.property(datastream.property);
    let rounded =
        |property: &ObservedProperty| half_even_but_not_to_zero(value, property.decimals_eval);
    property.map_or(result, |property| ObservationResult::Value(rounded(property)))
}

/// Gives the share of the limit named in a verdict that a value uses; what is known only to lie on
/// one side of a number has none.
fn share(registry: &Registry, verdict: Verdict, result: ObservationResult) -> Option<f64> {
    let (Verdict::Within { limit } | Verdict::Exceeds { limit, .. }) = verdict else { return None };
    let ObservationResult::Value(value) = result else { return None };
    registry.limit(limit)?.bound.share(value)
}

fn near(
    registry: &Registry,
    datastream: &Datastream,
    verdict: Verdict,
    share: Option<f64>,
) -> Option<bool> {
    let warning = registry.rule(datastream.exceedance_rule?)?.warning_share?;
    let within = matches!(verdict, Verdict::Within { .. });
    Some(within && share.is_some_and(|share| share >= warning))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::name::LimitId;

    #[test]
    fn a_verdict_that_an_earlier_release_told_can_be_read() {
        let limit = LimitId(7);
        // An array of two: the verdict `Within { limit: 7 }` and the class II.
        let before: Vec<u8> = minicbor::to_vec((Verdict::Within { limit }, 1_u8)).unwrap();
        let told: Told = minicbor::decode(&before).unwrap();
        assert_eq!(told, Told::of(Verdict::Within { limit }, Some(WaterClass::II), false));
        let again: Told = minicbor::decode(&minicbor::to_vec(told).unwrap()).unwrap();
        assert_eq!(again, told);
    }
}
