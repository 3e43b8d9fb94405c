//! The air quality index of HJ 633: from the concentrations of an hour or a day to the index of
//! each item, the greatest of them, its grade and the primary pollutants. Which edition's
//! breakpoints hold, the observation's own time says.

use crate::domain::assessment::{Bound, NotAssessable};
use crate::domain::evaluation::{Deciding, Evaluated, Evaluation, Grade, Index, Item, Target};
use crate::domain::name::PropertyId;
use crate::domain::observation::{ObservationResult, Period, Side};
use crate::domain::registry::{AqiColumn, AqiEdition, AqiReport, Registry, StationGrade};
use crate::domain::rounding::{counted, half_even};
use crate::domain::time::{PhenomenonTime, Timestamp};

/// What a value below its detection limit counts in an index: this share of the limit.
const BELOW_COUNTS: f64 = 0.5;

/// The index of one item alone (IAQI). It is published also where the index of all can't be.
#[derive(Clone, Copy, Debug)]
struct Single {
    /// The property.
    property: PropertyId,
    /// Its concentration, rounded as the index was reckoned from it.
    result: ObservationResult,
    /// Its index.
    iaqi: u16,
    /// Whether the value is suspect, or known only to be above a number.
    unconfirmed: bool,
}

/// Evaluates the air of an hour or a day: HJ 633 for the index, and the limits of the class in
/// force for the target. Nothing if no edition is in force at the start of the span, or the period
/// is none of the two. [`Evaluation::changed`] is left true: who knows the evaluation before says.
///
/// The target is met if no item exceeds its limit; where none does but an item that has a limit is
/// missing, or known only to lie on one side of a number, nobody can say, and it is
/// [`Target::None`].
#[must_use]
pub fn evaluate(
    registry: &Registry,
    subject: Evaluated,
    target_class: &str,
    period: Period,
    span: PhenomenonTime,
    items: &[Item],
) -> Option<Evaluation> {
    evaluate_scheme(registry, subject, target_class, period, span, items, &[])
}

/// Evaluates the air where the monitoring scheme leaves out some items, which are published as `/`
/// (HJ 633-2026): they are not missing, and the index is that of the others.
#[must_use]
pub fn evaluate_scheme(
    registry: &Registry,
    subject: Evaluated,
    target_class: &str,
    period: Period,
    span: PhenomenonTime,
    items: &[Item],
    left_out: &[PropertyId],
) -> Option<Evaluation> {
    let report = AqiReport::of(period)?;
    let at = span.start();
    let edition = registry.air.edition(at)?;
    let mut present = Vec::new();
    let mut missing = Vec::new();
    let mut target = Target::None;
    let mut unknown = false;
    for column in edition.columns(report).filter(|one| !left_out.contains(&one.property)) {
        let held = worst(column, items);
        let limit = limit(registry, column, target_class, period, at);
        let over = held.map(|(single, item)| over(limit, period, &single, &item));
        match (limit, over) {
            (None, _) => {}
            (Some(_), Some(Over::By(_))) => target = Target::Missed,
            (Some(_), Some(Over::No)) if target == Target::None => target = Target::Met,
            (Some(_), Some(Over::No)) => {}
            (Some(_), Some(Over::Unknown) | None) => unknown = true,
        }
        match held {
            Some((single, _)) => present.push((single, over.unwrap_or(Over::Unknown))),
            None => missing.push(column.property),
        }
    }
    if unknown && target == Target::Met {
        target = Target::None;
    }
    let spared = edition.hour_without.filter(|_| report == AqiReport::Hour);
    let incomplete = missing.iter().any(|property| Some(*property) != spared);
    let value = index(edition, &present, incomplete);
    let primary = value.filter(|value| *value > edition.primary_above);
    let is_primary = |single: &Single| primary.is_some_and(|value| single.iaqi.max(1) >= value);
    let deciding = present.iter().filter(|(single, _)| is_primary(single));
    let count = |count: usize| u8::try_from(count).unwrap_or(u8::MAX);
    Some(Evaluation {
        subject,
        index: Index::Aqi,
        period,
        phenomenon_time: span,
        value: value.map(f64::from),
        grade: value.and_then(|value| edition.grade(value)).map(|grade| Grade::Air(grade.grade)),
        reason: value.is_none().then_some(NotAssessable::Missing),
        target,
        deciding: deciding.map(|(single, over)| deciding_item(single, *over)).collect(),
        items: count(present.len()),
        items_of: count(present.len() + missing.len()),
        missing,
        clause: format!("{} {}", edition.instrument, edition.clause).into(),
        unconfirmed: present.iter().any(|(single, _)| single.unconfirmed),
        legal: is_legal(registry, subject, at),
        changed: true,
        singles: present
            .iter()
            .map(|(single, _)| (single.property, f64::from(single.iaqi)))
            .collect(),
    })
}

/// Gives the greatest index of those present, where the edition gives one.
fn index(edition: &AqiEdition, present: &[(Single, Over)], incomplete: bool) -> Option<u16> {
    let greatest = present.iter().map(|(single, _)| single.iaqi).max()?;
    let least = edition.incomplete_above.filter(|_| incomplete);
    let given = least.is_none_or(|least| greatest > least);
    given.then(|| greatest.clamp(1, edition.most.max(1)))
}

fn deciding_item(single: &Single, over: Over) -> Deciding {
    Deciding {
        property: single.property,
        result: single.result,
        class: None,
        index: Some(f64::from(single.iaqi)),
        over_target: match over {
            Over::By(multiple) => Some(multiple),
            Over::No | Over::Unknown => None,
        },
        over_iii: None,
    }
}

/// Finds the value of a column's property with the greatest index.
fn worst(column: &AqiColumn, items: &[Item]) -> Option<(Single, Item)> {
    let mine = items.iter().filter(|item| item.property == column.property);
    let indexed = mine.filter_map(|item| Some((of_column(column, item)?, *item)));
    indexed.max_by(|(one, held), (other, beside)| {
        let number = |item: &Item| item.result.number().unwrap_or(0.0);
        one.iaqi.cmp(&other.iaqi).then(number(held).total_cmp(&number(beside)))
    })
}

fn of_column(column: &AqiColumn, item: &Item) -> Option<Single> {
    let round = |value: f64| half_even(value, column.decimals);
    let (concentration, result, above) = match item.result {
        ObservationResult::Value(value) => (value, ObservationResult::Value(round(value)), false),
        ObservationResult::Censored { side: Side::Below, limit } => {
            (limit * BELOW_COUNTS, item.result, false)
        }
        ObservationResult::Censored { side: Side::Above, limit } => (limit, item.result, true),
        ObservationResult::Nil(_) => return None,
    };
    let iaqi = iaqi(column, concentration)?;
    let unconfirmed = item.suspect || above;
    Some(Single { property: column.property, result, iaqi, unconfirmed })
}

/// Interpolates between two breakpoints (HJ 633 formula 1). The concentration is rounded first,
/// then the index up (HJ 633-2026, 4.2.6); both are whole numbers, so that what is exactly 100 is
/// not 101.
fn iaqi(column: &AqiColumn, concentration: f64) -> Option<u16> {
    if concentration.is_nan() {
        return None;
    }
    let Some(count) = counted(concentration, column.decimals) else {
        return Some(if concentration > 0.0 { column.above } else { 0 });
    };
    let mut low = (0_u16, 0_i64);
    for (index, breakpoint) in column.breakpoints.iter().copied() {
        if count <= low.1 {
            return Some(low.0);
        }
        if count <= breakpoint {
            let rise = i128::from(index - low.0) * i128::from(count - low.1);
            let run = i128::from(breakpoint - low.1);
            // Rounded up; what is above zero is.
            let up = (rise + run - 1) / run;
            return Some(low.0.saturating_add(u16::try_from(up).unwrap_or(u16::MAX)));
        }
        low = (index, breakpoint);
    }
    Some(column.above)
}

/// How a concentration stands to its limit.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Over {
    /// It is above, by this multiple of the limit.
    By(f64),
    /// It is not above.
    No,
    /// There is no limit, or the value lies on both sides of it.
    Unknown,
}

/// Finds the strictest limit of the class for a column's property over a period.
fn limit(
    registry: &Registry,
    column: &AqiColumn,
    class: &str,
    period: Period,
    at: Timestamp,
) -> Option<f64> {
    // Particles of an hour are looked up among the breakpoints of a day; a limit of a day is not
    // for them.
    let period = if period == Period::Day { column.period } else { period };
    let holds = registry.limits.iter().filter(|limit| {
        limit.property == column.property
            && (limit.class.is_empty() || *limit.class == *class)
            && limit.averaging.covers(period)
            && limit.in_force.holds(at)
    });
    let most = holds.filter_map(|limit| match limit.bound {
        Bound::Max(value) => Some(value),
        Bound::Min(_) | Bound::Range { .. } => None,
    });
    most.min_by(f64::total_cmp)
}

/// Holds a value against a limit; what is of a day is rounded first, what is of an hour is taken
/// as it is. A value equal to the limit meets it.
fn over(limit: Option<f64>, period: Period, single: &Single, item: &Item) -> Over {
    let Some(limit) = limit else { return Over::Unknown };
    let result = if period.is_evaluated() { single.result } else { item.result };
    match result {
        ObservationResult::Value(value) if value > limit => Over::By((value - limit) / limit),
        ObservationResult::Value(_) => Over::No,
        ObservationResult::Censored { side: Side::Below, limit: most } if most <= limit => Over::No,
        ObservationResult::Censored { side: Side::Above, limit: least } if least >= limit => {
            Over::By((least - limit) / limit)
        }
        ObservationResult::Censored { .. } | ObservationResult::Nil(_) => Over::Unknown,
    }
}

/// Says whether every station that takes part is one of the standard method.
fn is_legal(registry: &Registry, subject: Evaluated, at: Timestamp) -> bool {
    let reference =
        |id| registry.station(id).is_none_or(|station| station.grade == StationGrade::Reference);
    match subject {
        Evaluated::Station(id) => reference(id),
        Evaluated::Set(id) => {
            registry.sets.get(id.index()).is_none_or(|set| set.members_at(at).all(reference))
        }
        Evaluated::Place(_) => true,
    }
}
