//! One value against one limit, and a value's place among the classes of GB 3838-2002.

use crate::domain::assessment::{Bound, Limit, NotAssessable, Verdict, WaterClass};
use crate::domain::name::LimitId;
use crate::domain::observation::{ObservationResult, Period, Side};
use crate::domain::registry::{Datastream, Registry};
use crate::domain::time::Timestamp;

/// Whether a value meets a limit, as far as it can be known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Meets {
    Yes,
    No,
    Unknown,
}

/// Gives the verdict by the limits of the station's target. Where several are in force, the one
/// that is exceeded most counts: a section meets its class only if every limit is met
/// (GB 3838-2002, 5.1).
#[must_use]
pub fn verdict(
    registry: &Registry,
    datastream: &Datastream,
    period: Period,
    result: ObservationResult,
    at: Timestamp,
) -> Verdict {
    let applicable = || {
        let limits = datastream.limits.iter().filter_map(|id| registry.limit(*id));
        limits.filter(|limit| limit.averaging.covers(period))
    };
    if applicable().next().is_none() {
        return Verdict::NotAssessable(NotAssessable::NoLimit);
    }
    let mut worst = Verdict::NotAssessable(NotAssessable::NoneInForce);
    for limit in applicable().filter(|limit| limit.in_force.holds(at)) {
        let verdict = held_against(limit, result);
        if rank(verdict) > rank(worst) {
            worst = verdict;
        }
    }
    worst
}

fn rank(verdict: Verdict) -> f64 {
    match verdict {
        Verdict::NotAssessable(NotAssessable::NoneInForce) => -2.0,
        Verdict::Within { .. } => -1.0,
        Verdict::NotAssessable(_) => -0.5,
        Verdict::Exceeds { multiple, .. } => multiple.unwrap_or(0.0),
    }
}

fn held_against(limit: &Limit, result: ObservationResult) -> Verdict {
    match meets(limit.bound, result) {
        Meets::Yes => Verdict::Within { limit: limit.id },
        Meets::No => Verdict::Exceeds { limit: limit.id, multiple: multiple(limit.bound, result) },
        Meets::Unknown => Verdict::NotAssessable(NotAssessable::Censored),
    }
}

/// Gives the exceedance multiple 超标倍数, `(C - Cs) / Cs`; temperature, pH and dissolved oxygen
/// have none (环办[2011]22号), and neither has a value known only to lie above a number.
fn multiple(bound: Bound, result: ObservationResult) -> Option<f64> {
    match (bound, result) {
        (Bound::Max(limit), ObservationResult::Value(value)) if limit > 0.0 => {
            Some((value - limit) / limit)
        }
        (Bound::Max(_) | Bound::Min(_) | Bound::Range { .. }, _) => None,
    }
}

fn meets(bound: Bound, result: ObservationResult) -> Meets {
    let known = |holds| if holds { Meets::Yes } else { Meets::No };
    match (bound, result) {
        (_, ObservationResult::Nil(_)) => Meets::Unknown,
        (Bound::Max(max), ObservationResult::Value(value)) => known(value <= max),
        (Bound::Min(min), ObservationResult::Value(value)) => known(value >= min),
        (Bound::Range { low, high }, ObservationResult::Value(value)) => {
            known((low..=high).contains(&value))
        }
        // Below a detection limit that is within the limit: met, whatever the true value.
        (Bound::Max(max), ObservationResult::Censored { side: Side::Below, limit }) => {
            if limit <= max { Meets::Yes } else { Meets::Unknown }
        }
        (Bound::Max(max), ObservationResult::Censored { side: Side::Above, limit }) => {
            if limit >= max { Meets::No } else { Meets::Unknown }
        }
        (Bound::Min(min), ObservationResult::Censored { side: Side::Below, limit }) => {
            if limit <= min { Meets::No } else { Meets::Unknown }
        }
        (Bound::Min(min), ObservationResult::Censored { side: Side::Above, limit }) => {
            if limit >= min { Meets::Yes } else { Meets::Unknown }
        }
        (Bound::Range { low, .. }, ObservationResult::Censored { side: Side::Below, limit }) => {
            if limit <= low {
                Meets::No
            } else {
                Meets::Unknown
            }
        }
        (Bound::Range { high, .. }, ObservationResult::Censored { side: Side::Above, limit }) => {
            if limit >= high {
                Meets::No
            } else {
                Meets::Unknown
            }
        }
    }
}

/// Gives the best class whose limit the value meets; where neighbouring classes share a limit,
/// that is the better one. `None` where the property has no classes or nothing can be known.
#[must_use]
pub fn class(
    registry: &Registry,
    datastream: &Datastream,
    period: Period,
    result: ObservationResult,
    at: Timestamp,
) -> Option<WaterClass> {
    let in_force = |id: LimitId| {
        let limit = registry.limit(id)?;
        (limit.in_force.holds(at) && limit.averaging.covers(period)).then_some(limit)
    };
    let mut seen = false;
    for (class, id) in datastream.class_limits.iter() {
        let Some(limit) = in_force(*id) else { continue };
        seen = true;
        match meets(limit.bound, result) {
            Meets::Yes => return Some(*class),
            Meets::No => {}
            Meets::Unknown => return None,
        }
    }
    seen.then_some(WaterClass::WorseThanV)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BELOW: Side = Side::Below;

    #[track_caller]
    fn check(bound: Bound, result: ObservationResult, want: Meets) {
        assert_eq!(meets(bound, result), want);
    }

    #[test]
    fn a_value_equal_to_the_limit_meets_it() {
        check(Bound::Max(1.5), ObservationResult::Value(1.5), Meets::Yes);
        check(Bound::Min(3.0), ObservationResult::Value(3.0), Meets::Yes);
        check(Bound::Range { low: 6.0, high: 9.0 }, ObservationResult::Value(9.0), Meets::Yes);
        check(Bound::Max(1.5), ObservationResult::Value(1.51), Meets::No);
    }

    #[test]
    fn below_detection_meets_a_limit_above_the_detection_limit() {
        let result = ObservationResult::Censored { side: BELOW, limit: 0.05 };
        check(Bound::Max(1.5), result, Meets::Yes);
        check(Bound::Max(0.02), result, Meets::Unknown);
    }

    #[test]
    fn above_the_span_exceeds_where_the_span_reaches_the_limit() {
        let result = ObservationResult::Censored { side: Side::Above, limit: 10.0 };
        check(Bound::Max(1.5), result, Meets::No);
        check(Bound::Max(20.0), result, Meets::Unknown);
    }

    #[test]
    fn ammonia_of_1_62_is_0_08_times_over_1_5() {
        let multiple = multiple(Bound::Max(1.5), ObservationResult::Value(1.62)).unwrap();
        assert!((multiple - 0.08).abs() < 1e-9);
    }

    #[test]
    fn oxygen_and_ph_have_no_multiple() {
        assert_eq!(multiple(Bound::Min(3.0), ObservationResult::Value(1.0)), None);
        let band = Bound::Range { low: 6.0, high: 9.0 };
        assert_eq!(multiple(band, ObservationResult::Value(9.5)), None);
    }
}
