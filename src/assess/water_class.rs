//! The single-factor class of a section (环办〔2011〕22号): the worst class among its items, each
//! held against the classes of GB 3838-2002, table 1.
//!
//! A real-time or hourly class is made of values as they are; an evaluation of a day and longer
//! rounds each value half to even first. A missing item never counts as clean: it is named, the
//! class says of how many items it is, and where too few have a value there is none.

use crate::domain::assessment::{Bound, Limit, NotAssessable, WaterClass};
use crate::domain::evaluation::{Deciding, Evaluated, Evaluation, Grade, Index, Item, Target};
use crate::domain::name::{DatastreamId, PropertyId, SetId};
use crate::domain::observation::{ObservationResult, Period, Side};
use crate::domain::registry::{IndexItem, Registry, Role, Station, StationGrade};
use crate::domain::rounding::half_even_but_not_to_zero;
use crate::domain::time::{PhenomenonTime, Timestamp};

/// The instrument, as verdicts name it.
const CLAUSE: &str = "GB 3838-2002 table 1";

/// Values that are not rounded are rid of the noise of binary arithmetic in the eighth decimal,
/// which lies behind all that an analyser can show: a mean of 1.5000000000000002 is 1.5.
const NOISE: f64 = 1e8;

/// Whom a class is for, and by which rules.
struct Section<'a> {
    subject: Evaluated,
    /// `river` or `lake`.
    column: &'a str,
    target: Option<WaterClass>,
    saturation: bool,
    legal: bool,
    /// What it measures.
    streams: &'a [DatastreamId],
}

/// Gives the class of a station's section of the items that have a value.
///
/// - `missing` are items that belong to the class and have no value: those that the station
///   measures, those that are given as nil, and those of the minimum set. `items` of `items_of`
///   have one.
/// - `deciding` are the items of the worst class, then those that miss the target, the worst
///   first; their multiples are over the target's limit and over that of class III.
/// - Real-time and hourly classes need the minimum set, else they are `TooFewItems`.
/// - A censored item makes the class undecidable (`Censored`) only where it could change it.
/// - Without a class there is still a target: `Missed` where what is known misses it already.
#[must_use]
pub fn evaluate(
    registry: &Registry,
    station: &Station,
    period: Period,
    span: PhenomenonTime,
    items: &[Item],
) -> Evaluation {
    class_of(registry, &of_station(station), period, span, items)
}

/// Gives the items of a station's section that are worse than class III, by which a river's main
/// pollutants are known, in the order of the seeds.
#[must_use]
pub fn over_iii(
    registry: &Registry,
    station: &Station,
    period: Period,
    span: PhenomenonTime,
    items: &[Item],
) -> Vec<PropertyId> {
    let (section, at) = (of_station(station), span.start());
    let rules = registry.water.items_of(Index::WaterClass, section.column, at);
    let over = |rule: &&IndexItem| {
        let mut mine = items.iter().filter(|item| item.property == rule.property);
        mine.any(|item| {
            let judged = judge(registry, &section, rule, (period, at), item, items);
            judged.is_some_and(|judged| judged.best > WaterClass::III)
        })
    };
    rules.filter(|rule| rule.role == Role::Counted).filter(over).map(|rule| rule.property).collect()
}

/// Gives the class of a set of sections of the means over them, for a river of few sections.
/// `column` is `river` or `lake`, and `target` the class that all of them must meet, if there is
/// one.
#[must_use]
pub fn evaluate_set(
    registry: &Registry,
    set: SetId,
    (column, target): (&str, Option<WaterClass>),
    period: Period,
    span: PhenomenonTime,
    items: &[Item],
) -> Evaluation {
    let section = Section {
        subject: Evaluated::Set(set),
        column,
        target,
        saturation: false,
        legal: true,
        streams: &[],
    };
    class_of(registry, &section, period, span, items)
}

fn of_station(station: &Station) -> Section<'_> {
    Section {
        subject: Evaluated::Station(station.id),
        column: &station.section,
        target: WaterClass::from_name(&station.target_class),
        saturation: station.do_saturation,
        legal: station.grade != StationGrade::Indicative,
        streams: &station.datastreams,
    }
}

/// What is known of one item.
struct Judged<'a> {
    item: &'a Item,
    /// As it was compared.
    result: ObservationResult,
    /// The classes it may have: the same one twice where it is known.
    best: WaterClass,
    worst: WaterClass,
    over_target: Option<f64>,
    over_iii: Option<f64>,
}

fn class_of(
    registry: &Registry,
    section: &Section<'_>,
    period: Period,
    span: PhenomenonTime,
    items: &[Item],
) -> Evaluation {
    let at = span.start();
    let rules = || registry.water.items_of(Index::WaterClass, section.column, at);
    let mut judged = Vec::with_capacity(items.len());
    let (mut missing, mut with, mut of) = (Vec::new(), 0_u8, 0_u8);
    for rule in rules().filter(|rule| rule.role == Role::Counted) {
        let before = judged.len();
        for item in items.iter().filter(|item| item.property == rule.property) {
            judged.extend(judge(registry, section, rule, (period, at), item, items));
        }
        if judged.len() > before {
            with = with.saturating_add(1);
        } else if measures(registry, section, rule.property)
            || is_minimum(rules(), rule.property)
            || items.iter().any(|item| item.property == rule.property)
        {
            missing.push(rule.property);
        } else {
            continue;
        }
        of = of.saturating_add(1);
    }
    let known = judged.iter().map(|one| one.best).max();
    let possible = judged.iter().map(|one| one.worst).max();
    let class = known.filter(|class| Some(*class) == possible);
    let reason = if judged.is_empty() {
        Some(nothing(registry, section, items))
    } else if !period.is_evaluated() && too_few(rules(), &judged) {
        Some(NotAssessable::TooFewItems)
    } else {
        class.is_none().then_some(NotAssessable::Censored)
    };
    let target = match (section.target, known, possible) {
        (Some(target), Some(known), _) if known > target => Target::Missed,
        // Items that are not there could miss it, so only a class can meet it.
        (Some(target), _, Some(possible)) if possible <= target => match reason {
            None | Some(NotAssessable::Censored) => Target::Met,
            Some(_) => Target::None,
        },
        _ => Target::None,
    };
    let decides = |one: &&Judged<'_>| Some(one.best) == known;
    let unconfirmed = judged.iter().filter(decides).any(|one| one.item.suspect);
    Evaluation {
        subject: section.subject,
        index: Index::WaterClass,
        period,
        phenomenon_time: span,
        value: None,
        grade: class.filter(|_| reason.is_none()).map(Grade::Water),
        reason,
        target,
        deciding: deciding(&judged, known, section.target),
        missing,
        items: with,
        items_of: of,
        clause: CLAUSE.into(),
        unconfirmed,
        legal: section.legal,
        changed: false,
        singles: Vec::new(),
    }
}

/// Says why nothing could be judged: there is no value, or nothing to hold it against.
fn nothing(registry: &Registry, section: &Section<'_>, items: &[Item]) -> NotAssessable {
    let counted = |item: &Item| {
        let mut rules = registry.water.items.iter();
        item.result.number().is_some()
            && rules.any(|rule| rule.role == Role::Counted && rule.property == item.property)
    };
    if !matches!(section.column, "river" | "lake") || registry.water.items.is_empty() {
        NotAssessable::NoLimit
    } else if items.iter().any(counted) {
        NotAssessable::NoneInForce
    } else {
        NotAssessable::Missing
    }
}

fn measures(registry: &Registry, section: &Section<'_>, property: PropertyId) -> bool {
    let mut streams = section.streams.iter().filter_map(|id| registry.datastream(*id));
    streams.any(|stream| stream.property == property)
}

fn is_minimum<'a>(mut rules: impl Iterator<Item = &'a IndexItem>, property: PropertyId) -> bool {
    rules.any(|rule| rule.property == property && matches!(rule.role, Role::Minimum { .. }))
}

/// Says whether a group has fewer items with a value than it needs.
fn too_few<'a>(rules: impl Iterator<Item = &'a IndexItem>, judged: &[Judged<'_>]) -> bool {
    let mut groups: Vec<(&str, u8, u8)> = Vec::new();
    for rule in rules {
        let Role::Minimum { group, needs } = &rule.role else { continue };
        let has = judged.iter().any(|one| one.item.property == rule.property);
        match groups.iter_mut().find(|(name, ..)| **name == **group) {
            Some((.., have)) => *have = have.saturating_add(u8::from(has)),
            None => groups.push((group, *needs, u8::from(has))),
        }
    }
    groups.iter().any(|(_, needs, have)| have < needs)
}

/// Holds one item against the classes; nothing where it has no value or no limit is in force.
fn judge<'a>(
    registry: &Registry,
    section: &Section<'_>,
    rule: &IndexItem,
    (period, at): (Period, Timestamp),
    item: &'a Item,
    items: &[Item],
) -> Option<Judged<'a>> {
    item.result.number().filter(|number| number.is_finite())?;
    let result = compared(registry, item, period);
    let limits = in_force(registry, rule, section.column, period, at);
    let (mut best, mut worst) = classes(limits.clone(), result)?;
    let is_oxygen = || limits.clone().any(|(_, limit)| matches!(limit.bound, Bound::Min(_)));
    if section.saturation && is_oxygen() && is_saturated(registry, section, at, result, items) {
        (best, worst) = (WaterClass::I, WaterClass::I);
    }
    let over = |class: WaterClass| {
        let bound = limits.clone().find(|(of, _)| *of == class).map(|(_, limit)| limit.bound)?;
        multiple(bound, result)
    };
    Some(Judged {
        item,
        result,
        best,
        worst,
        over_target: section.target.and_then(over),
        over_iii: over(WaterClass::III),
    })
}

/// Gives a value as it is compared.
fn compared(registry: &Registry, item: &Item, period: Period) -> ObservationResult {
    let ObservationResult::Value(value) = item.result else { return item.result };
    if period.is_evaluated()
        && let Some(property) = registry.property(item.property)
    {
        return ObservationResult::Value(half_even_but_not_to_zero(value, property.decimals_eval));
    }
    let clear = (value * NOISE).round() / NOISE;
    ObservationResult::Value(if clear.is_finite() { clear } else { value })
}

/// Gives the limits of an item's classes that hold for a period at a time, best class first.
pub(super) fn in_force<'a>(
    registry: &'a Registry,
    rule: &'a IndexItem,
    column: &str,
    period: Period,
    at: Timestamp,
) -> impl Iterator<Item = (WaterClass, &'a Limit)> + Clone + use<'a> {
    let limits = rule.class_limits(column).iter();
    let limits = limits.filter_map(|(class, id)| Some((*class, registry.limit(*id)?)));
    limits.filter(move |(_, limit)| limit.in_force.holds(at) && limit.averaging.covers(period))
}

/// Gives the best and the worst class that a result may have.
fn classes<'a>(
    limits: impl Iterator<Item = (WaterClass, &'a Limit)> + Clone,
    result: ObservationResult,
) -> Option<(WaterClass, WaterClass)> {
    limits.clone().next()?;
    // Neighbours may share a limit: the first that holds is the better class.
    let first = |holds: &dyn Fn(Bound) -> bool| {
        let found = limits.clone().find(|(_, limit)| holds(limit.bound));
        found.map_or(WaterClass::WorseThanV, |(class, _)| class)
    };
    Some(match result {
        ObservationResult::Nil(_) => return None,
        ObservationResult::Value(value) => {
            let class = first(&|bound| match bound {
                Bound::Max(max) => value <= max,
                Bound::Min(min) => value >= min,
                Bound::Range { low, high } => (low..=high).contains(&value),
            });
            (class, class)
        }
        // Anything less than the number.
        ObservationResult::Censored { side: Side::Below, limit } => (
            first(&|bound| match bound {
                Bound::Max(_) => true,
                Bound::Min(low) | Bound::Range { low, .. } => low < limit,
            }),
            first(&|bound| matches!(bound, Bound::Max(max) if limit <= max)),
        ),
        // Anything more than it.
        ObservationResult::Censored { side: Side::Above, limit } => (
            first(&|bound| match bound {
                Bound::Min(_) => true,
                Bound::Max(high) | Bound::Range { high, .. } => high > limit,
            }),
            first(&|bound| matches!(bound, Bound::Min(min) if limit >= min)),
        ),
    })
}

/// Says whether dissolved oxygen meets class I by its saturation, for which the water must have a
/// valid temperature.
fn is_saturated(
    registry: &Registry,
    section: &Section<'_>,
    at: Timestamp,
    result: ObservationResult,
    items: &[Item],
) -> bool {
    let ObservationResult::Value(value) = result else { return false };
    let mut rules = registry.water.items_of(Index::WaterClass, section.column, at);
    rules.any(|rule| {
        let Role::Saturation { a, b, share, conversion } = rule.role else { return false };
        let temperature = items.iter().find(|item| item.property == rule.property);
        let Some(Item { result: ObservationResult::Value(temperature), suspect: false, .. }) =
            temperature
        else {
            return false;
        };
        let below = b + conversion.apply(*temperature);
        below > 0.0 && value >= share * a / below
    })
}

/// Gives how many times a value is over a limit, `(C - Cs) / Cs`; oxygen and pH have none, nor
/// has what meets it or is known only to lie above a number.
fn multiple(bound: Bound, result: ObservationResult) -> Option<f64> {
    match (bound, result) {
        (Bound::Max(limit), ObservationResult::Value(value)) if limit > 0.0 && value > limit => {
            Some((value - limit) / limit)
        }
        (Bound::Max(_) | Bound::Min(_) | Bound::Range { .. }, _) => None,
    }
}

/// Sorts out the items of the worst class, and those that miss the target, the worst first.
fn deciding(
    judged: &[Judged<'_>],
    known: Option<WaterClass>,
    target: Option<WaterClass>,
) -> Vec<Deciding> {
    let decides = |one: &&Judged<'_>| {
        Some(one.best) == known || target.is_some_and(|target| one.best > target)
    };
    let mut deciding: Vec<&Judged<'_>> = judged.iter().filter(decides).collect();
    let over = |one: &Judged<'_>| one.over_target.or(one.over_iii).unwrap_or(0.0);
    deciding.sort_by(|a, b| {
        let order = b.best.cmp(&a.best).then(over(b).total_cmp(&over(a)));
        let value = |one: &Judged<'_>| one.result.number().unwrap_or(0.0);
        order.then(a.item.property.cmp(&b.item.property)).then(value(a).total_cmp(&value(b)))
    });
    let of = |one: &Judged<'_>| Deciding {
        property: one.item.property,
        result: one.result,
        class: (one.best == one.worst).then_some(one.best),
        index: None,
        over_target: one.over_target,
        over_iii: one.over_iii,
    };
    deciding.into_iter().map(of).collect()
}
