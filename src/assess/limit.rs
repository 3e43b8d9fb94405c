//! One value against one limit, and a value's place among the classes of GB 3838-2002.

use std::cmp::Ordering;

use crate::assess::Beside;
use crate::domain::assessment::{Bound, Limit, NotAssessable, Verdict, WaterClass};
use crate::domain::condition::{Condition, around};
use crate::domain::name::{LimitId, PropertyId};
use crate::domain::observation::{ObservationResult, Period, Side};
use crate::domain::registry::{Datastream, Registry, StationGrade, Statistic};
use crate::domain::time::{DAY, HOUR, Timestamp};

/// Whether a value meets a limit, as far as it can be known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Meets {
    Yes,
    No,
    Unknown,
}

/// What is held against limits.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Case {
    /// Which values' limits hold for it.
    pub period: Period,
    /// The value.
    pub result: ObservationResult,
    /// Its own time.
    pub at: Timestamp,
}

/// Gives the period whose limits hold for a value: a mean that a device states is one of the
/// period that it states.
#[must_use]
pub fn period(datastream: &Datastream, period: Period) -> Period {
    if period != Period::Native || datastream.statistic != Statistic::Mean {
        return period;
    }
    match datastream.period_ms {
        Some(HOUR) => Period::Hour,
        Some(DAY) => Period::Day,
        Some(_) | None => period,
    }
}

/// Gives the verdict by the limits of the station's target. Where several are in force, the one
/// that is exceeded most counts: a section meets its class only if every limit is met
/// (GB 3838-2002, 5.1). Where all are met, or exceeded alike, the stricter is named.
///
/// A limit under a condition that can't be known makes no verdict, unless the verdict is the same
/// either way; then the limit is named of which it is true either way.
#[must_use]
pub fn verdict(
    registry: &Registry,
    datastream: &Datastream,
    case: Case,
    beside: Beside<'_>,
) -> Verdict {
    if datastream.limits.is_empty() {
        let station = registry.station(datastream.station);
        let indicative = station.is_some_and(|of| of.grade == StationGrade::Indicative);
        return Verdict::NotAssessable(match indicative {
            true => NotAssessable::Indicative,
            false => NotAssessable::NoLimit,
        });
    }
    worst(registry, datastream, case, beside)
        .unwrap_or_else(|unknown| either_way(registry, datastream, case, beside, unknown))
}

/// Gives the worst verdict of all limits, or the property without which it can't be known.
fn worst(
    registry: &Registry,
    datastream: &Datastream,
    case: Case,
    beside: Beside<'_>,
) -> Result<Verdict, PropertyId> {
    let zone = || registry.station(datastream.station).map(|station| &station.zone);
    let mut worst = NotAssessable::NoLimit;
    let mut named: Option<(&Limit, Verdict)> = None;
    for limit in datastream.limits.iter().filter_map(|id| registry.limit(*id)) {
        if !limit.averaging.covers(case.period) {
            continue;
        }
        worst = NotAssessable::NoneInForce;
        if !limit.in_force.holds(case.at) {
            continue;
        }
        if limit.condition != Condition::Always {
            match (limit.condition, limit.condition.holds(case.at, zone(), beside)) {
                (_, Some(true)) => {}
                (_, Some(false)) => continue,
                (Condition::Beside { property, .. }, None) => return Err(property),
                // A time that no calendar has.
                (Condition::Always | Condition::Hours { .. }, None) => continue,
            }
        }
        let verdict = held_against(limit, case.result);
        if named.is_none_or(|before| counts_more((limit, verdict), before, case.result)) {
            named = Some((limit, verdict));
        }
    }
    Ok(named.map_or(Verdict::NotAssessable(worst), |(_, verdict)| verdict))
}

/// Gives the verdict that is the same whatever the value of a property, if it is.
fn either_way(
    registry: &Registry,
    datastream: &Datastream,
    case: Case,
    beside: Beside<'_>,
    unknown: PropertyId,
) -> Verdict {
    let no_verdict = Verdict::NotAssessable(NotAssessable::ConditionUnknown);
    let limits = datastream.limits.iter().filter_map(|id| registry.limit(*id));
    let numbers = limits.filter_map(|limit| match limit.condition {
        Condition::Beside { property, number, .. } if property == unknown => Some(number),
        Condition::Always | Condition::Beside { .. } | Condition::Hours { .. } => None,
    });
    let mut same: Option<Verdict> = None;
    for value in numbers.flat_map(around) {
        let with = |property| if property == unknown { Some(value) } else { beside(property) };
        let Ok(verdict) = worst(registry, datastream, case, &with) else { return no_verdict };
        same = Some(match (same, verdict) {
            (None, verdict) => verdict,
            (Some(Verdict::Within { limit: a }), Verdict::Within { limit: b }) => {
                Verdict::Within { limit: stricter(registry, a, b, case.result) }
            }
            (
                Some(one @ Verdict::Exceeds { limit: a, .. }),
                other @ Verdict::Exceeds { limit: b, .. },
            ) => {
                // At least this much is true.
                if a == stricter(registry, a, b, case.result) { other } else { one }
            }
            (Some(one), other) if one == other => one,
            (Some(_), _) => return no_verdict,
        });
    }
    same.unwrap_or(no_verdict)
}

fn rank(verdict: Verdict) -> f64 {
    match verdict {
        Verdict::Within { .. } => -1.0,
        Verdict::NotAssessable(_) => -0.5,
        Verdict::Exceeds { multiple, .. } => multiple.unwrap_or(0.0),
    }
}

/// Says whether a verdict by one limit counts more than one by another.
fn counts_more(
    (limit, verdict): (&Limit, Verdict),
    (other, before): (&Limit, Verdict),
    result: ObservationResult,
) -> bool {
    match rank(verdict).total_cmp(&rank(before)) {
        Ordering::Greater => true,
        Ordering::Equal => is_stricter(limit, other, result),
        Ordering::Less => false,
    }
}

/// Says whether a limit is stricter than another: it allows less, or where the two can't be
/// compared the value uses more of it. Of two that are alike, the one in force longer counts.
fn is_stricter(limit: &Limit, other: &Limit, result: ObservationResult) -> bool {
    if limit.bound == other.bound {
        return (limit.in_force.from, limit.id) < (other.in_force.from, other.id);
    }
    limit.bound.tighter(other.bound).unwrap_or_else(|| {
        let share = |limit: &Limit| limit.bound.share(result.number()?);
        share(limit) > share(other)
    })
}

fn stricter(registry: &Registry, a: LimitId, b: LimitId, result: ObservationResult) -> LimitId {
    match (registry.limit(a), registry.limit(b)) {
        (Some(one), Some(other)) if is_stricter(other, one, result) => b,
        (Some(_), _) | (None, _) => a,
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
    use crate::domain::assessment::Averaging;
    use crate::domain::time::Validity;

    const BELOW: Side = Side::Below;

    fn limit(id: u32, bound: Bound, from: Option<i64>) -> Limit {
        Limit {
            id: LimitId(id),
            instrument: "A".into(),
            clause: "1".into(),
            property: PropertyId(0),
            class: "".into(),
            water_class: None,
            section: "".into(),
            station: None,
            place: None,
            condition: Condition::Always,
            averaging: Averaging::Any,
            bound,
            in_force: Validity { from: from.map(Timestamp), to: None },
            source: "a test".into(),
        }
    }

    /// Asserts which of two limits counts for a value, in whichever order they stand.
    #[track_caller]
    fn check_pair(value: f64, [one, other]: [Bound; 2], want: Bound) {
        let result = ObservationResult::Value(value);
        let named = |bounds: [Bound; 2]| {
            let [first, second] = [0, 1].map(|id| limit(id, bounds[id as usize], None));
            let (a, b) = (held_against(&first, result), held_against(&second, result));
            if counts_more((&second, b), (&first, a), result) { bounds[1] } else { bounds[0] }
        };
        assert_eq!(named([one, other]), want);
        assert_eq!(named([other, one]), want);
    }

    #[test]
    fn of_two_limits_that_are_met_the_stricter_counts() {
        let max = [Bound::Max(5.0), Bound::Max(20.0)];
        for value in [-1.0, 0.0, 3.0, 5.0] {
            check_pair(value, max, Bound::Max(5.0));
        }
        check_pair(9.0, [Bound::Min(3.0), Bound::Min(5.0)], Bound::Min(5.0));
        let (wide, narrow) =
            (Bound::Range { low: 6.0, high: 9.0 }, Bound::Range { low: 6.5, high: 8.5 });
        check_pair(7.0, [wide, narrow], narrow);
        // What can't be compared is by how much of it is used.
        check_pair(8.9, [Bound::Max(20.0), wide], wide);
    }

    #[test]
    fn of_two_limits_the_one_exceeded_more_counts_and_one_exceeded_before_one_met() {
        check_pair(6.0, [Bound::Max(5.0), Bound::Max(20.0)], Bound::Max(5.0));
        check_pair(30.0, [Bound::Max(5.0), Bound::Max(20.0)], Bound::Max(5.0));
        check_pair(1.0, [Bound::Min(3.0), Bound::Min(5.0)], Bound::Min(5.0));
        check_pair(4.0, [Bound::Min(3.0), Bound::Min(5.0)], Bound::Min(5.0));
    }

    #[test]
    fn of_two_that_allow_the_same_the_one_in_force_longer_counts() {
        let (old, new) = (limit(7, Bound::Max(5.0), Some(1)), limit(2, Bound::Max(5.0), Some(2)));
        let result = ObservationResult::Value(3.0);
        assert!(is_stricter(&old, &new, result) && !is_stricter(&new, &old, result));
    }

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
