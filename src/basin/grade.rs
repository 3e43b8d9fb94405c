//! The grade of water quality of a river or a basin over a set of sections (环办〔2011〕22号).
//!
//! The cut: this room doesn't name `assess`, so it asks for each section's class as data. Of a
//! set of five sections and more [`grade`] makes the evaluation of the shares of sections itself.
//! Of fewer it gives the means of the items over the sections; the pipeline has them classed
//! (`assess::water_class::evaluate_set`) and hands the outcome to [`of_class`].
//!
//! Which way is taken depends on how many sections the set has at the time, and not on how many
//! of them have a class, so that an outage doesn't change the method. Shares are of the sections
//! that have a class: one without is neither clean nor polluted, and `items` of `items_of` says
//! how many there are.

use crate::domain::assessment::{NotAssessable, WaterClass};
use crate::domain::evaluation::{Deciding, Evaluated, Evaluation, Grade, Index, Item, Target};
use crate::domain::name::{PropertyId, SetId, StationId};
use crate::domain::observation::{ObservationResult, Period, Side};
use crate::domain::registry::{Combine, Quantity, Registry, StationGrade, StationSet};
use crate::domain::time::PhenomenonTime;

/// What one section gave over the period.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Sectioned<'a> {
    /// The section.
    pub station: StationId,
    /// Its class, where it has one.
    pub class: Option<WaterClass>,
    /// Whether the class is unconfirmed.
    pub unconfirmed: bool,
    /// Its items, which are averaged over few sections.
    pub items: &'a [Item],
    /// Which of them are worse than class III (`assess::water_class::over_iii`).
    pub over_iii: &'a [PropertyId],
}

/// What becomes of a set.
#[derive(Clone, PartialEq, Debug)]
pub enum Graded {
    /// Of few sections: what the water class is to be made of.
    Means(Means),
    /// Of many: the grade by shares.
    Shares(Evaluation),
}

/// The items of few sections together.
#[derive(Clone, PartialEq, Debug)]
pub struct Means {
    /// `river` or `lake`; empty where the set has both, so that no limits hold for it.
    pub column: Box<str>,
    /// The class that every section must meet, if it is the same.
    pub target: Option<WaterClass>,
    /// Each item's mean over the sections that have it.
    pub items: Vec<Item>,
    /// How many sections have a value.
    pub sections: u8,
    /// Of how many.
    pub sections_of: u8,
    /// Whether the verdict has legal weight: not where an indicative station takes part.
    pub legal: bool,
}

/// Grades a set, or gives what its grade is to be made of. Sections that don't belong to the set
/// at the time are left out.
#[must_use]
pub fn grade(
    registry: &Registry,
    set: &StationSet,
    period: Period,
    span: PhenomenonTime,
    sections: &[Sectioned<'_>],
) -> Graded {
    let at = span.start();
    let members: Vec<StationId> =
        set.members.iter().filter(|(_, held)| held.holds(at)).map(|(id, _)| *id).collect();
    // In the order of the seeds, whatever order they came in.
    let belongs =
        members.iter().filter_map(|id| sections.iter().find(|section| section.station == *id));
    let sections: Vec<&Sectioned<'_>> = belongs.collect();
    let number = count(members.len());
    let many = f64::from(number);
    if registry.water.looks_at(Index::RiverGrade, at, Quantity::Sections, many) {
        return Graded::Shares(shares(registry, set.id, period, span, &members, &sections));
    }
    let one = |of: &dyn Fn(StationId) -> Option<Box<str>>| {
        let mut all = members.iter().map(|id| of(*id));
        let first = all.next().flatten();
        first.filter(|first| all.all(|other| other.as_ref() == Some(first)))
    };
    let target = one(&|id| Some(registry.station(id)?.target_class.clone()));
    let means = Means {
        column: one(&|id| Some(registry.station(id)?.section.clone())).unwrap_or_default(),
        target: target.and_then(|target| WaterClass::from_name(&target)),
        items: means(registry, &sections),
        sections: count(sections.iter().filter(|section| !section.items.is_empty()).count()),
        sections_of: number,
        legal: !sections
            .iter()
            .any(|section| !section.items.is_empty() && is_indicative(registry, section.station)),
    };
    Graded::Means(means)
}

/// Makes the class of the means of few sections their grade.
#[must_use]
pub fn of_class(registry: &Registry, means: &Means, class: Evaluation) -> Evaluation {
    let number = match class.grade {
        Some(Grade::Water(class)) => Some(class.number()),
        _ => None,
    };
    let at = class.phenomenon_time.start();
    let rule = number.and_then(|number| {
        registry.water.grade(Index::WaterClass, at, &[(Quantity::Class, number)])
    });
    Evaluation {
        index: Index::RiverGrade,
        value: None,
        grade: rule.map(|rule| Grade::River(rule.grade)),
        reason: class.reason.or(rule.is_none().then_some(NotAssessable::NoneInForce)),
        clause: rule.map_or(class.clause, |rule| rule.clause.clone()),
        items: means.sections,
        items_of: means.sections_of,
        legal: class.legal && means.legal,
        ..class
    }
}

fn shares(
    registry: &Registry,
    set: SetId,
    period: Period,
    span: PhenomenonTime,
    members: &[StationId],
    sections: &[&Sectioned<'_>],
) -> Evaluation {
    let at = span.start();
    let classes: Vec<WaterClass> = sections.iter().filter_map(|section| section.class).collect();
    let share = |holds: &dyn Fn(&WaterClass) -> bool| {
        let of = classes.iter().filter(|class| holds(class)).count();
        // A whole number of per cent comes out whole, so that a border is met.
        100.0 * f64::from(count(of)) / f64::from(count(classes.len()).max(1))
    };
    let good = share(&|class| *class <= WaterClass::III);
    let bad = share(&|class| *class == WaterClass::WorseThanV);
    let numbers = [
        (Quantity::Sections, f64::from(count(members.len()))),
        (Quantity::GoodShare, good),
        (Quantity::BadShare, bad),
    ];
    let rule = (!classes.is_empty())
        .then(|| registry.water.grade(Index::RiverGrade, at, &numbers))
        .flatten();
    let reason = match (rule, classes.is_empty()) {
        (Some(_), _) => None,
        (None, true) => Some(NotAssessable::Missing),
        (None, false) => Some(NotAssessable::NoneInForce),
    };
    let graded = sections.iter().filter(|section| section.class.is_some());
    Evaluation {
        subject: Evaluated::Set(set),
        index: Index::RiverGrade,
        period,
        phenomenon_time: span,
        value: (!classes.is_empty()).then_some(good),
        grade: rule.map(|rule| Grade::River(rule.grade)),
        reason,
        target: Target::None,
        deciding: pollutants(sections, classes.len()),
        missing: Vec::new(),
        items: count(classes.len()),
        items_of: count(members.len()),
        clause: rule.map_or_else(|| "".into(), |rule| rule.clause.clone()),
        unconfirmed: graded.clone().any(|section| section.unconfirmed),
        legal: !graded.clone().any(|section| is_indicative(registry, section.station)),
        changed: false,
        singles: Vec::new(),
    }
}

fn is_indicative(registry: &Registry, station: StationId) -> bool {
    registry.station(station).is_some_and(|station| station.grade == StationGrade::Indicative)
}

fn count(length: usize) -> u8 {
    u8::try_from(length).unwrap_or(u8::MAX)
}

/// Gives the main pollutants 主要污染指标 of a river: the items that are worse than class III, by
/// the share of its classed sections where they are, the highest first. `result` and `index` are
/// that share, from 0 to 1 and in per cent.
fn pollutants(sections: &[&Sectioned<'_>], classed: usize) -> Vec<Deciding> {
    let classed = f64::from(count(classed).max(1));
    let mut found: Vec<(PropertyId, u32)> = Vec::new();
    let with_class = sections.iter().filter(|section| section.class.is_some());
    for property in with_class.flat_map(|section| section.over_iii) {
        match found.iter_mut().find(|(of, _)| of == property) {
            Some((_, sections)) => *sections += 1,
            None => found.push((*property, 1)),
        }
    }
    found.sort_by_key(|(property, sections)| (std::cmp::Reverse(*sections), *property));
    let deciding = |(property, sections): (PropertyId, u32)| Deciding {
        property,
        result: ObservationResult::Value(f64::from(sections) / classed),
        class: None,
        index: Some(100.0 * f64::from(sections) / classed),
        over_target: None,
        over_iii: None,
    };
    found.into_iter().map(deciding).collect()
}

/// Averages each item over the sections that have it.
fn means(registry: &Registry, sections: &[&Sectioned<'_>]) -> Vec<Item> {
    let mut properties: Vec<PropertyId> = Vec::new();
    for item in sections.iter().flat_map(|section| section.items) {
        if !properties.contains(&item.property) {
            properties.push(item.property);
        }
    }
    properties.sort_unstable();
    let of = |property: PropertyId| {
        let items = sections.iter().flat_map(|section| section.items);
        let items: Vec<&Item> = items.filter(|item| item.property == property).collect();
        let combine = registry.property(property)?.combine;
        let result = mean(combine, &items)?;
        Some(Item { property, result, suspect: items.iter().any(|item| item.suspect) })
    };
    properties.into_iter().filter_map(of).collect()
}

/// Averages one item: pH as hydrogen ions, half the detection limit for what is below it. If all
/// are below their detection limits, the mean is below the mean of these; if one is above its
/// span, the mean is above the number.
fn mean(combine: Combine, items: &[&Item]) -> Option<ObservationResult> {
    let (mut sum, mut number, mut below, mut above) = (0.0, 0_u32, 0_u32, false);
    let all_below = items
        .iter()
        .all(|item| matches!(item.result, ObservationResult::Censored { side: Side::Below, .. }));
    for item in items {
        let value = match item.result {
            ObservationResult::Value(value) => value,
            ObservationResult::Censored { side: Side::Below, limit } => {
                below += 1;
                if all_below || combine == Combine::HydrogenIon { limit } else { limit / 2.0 }
            }
            ObservationResult::Censored { side: Side::Above, limit } => {
                above = true;
                limit
            }
            ObservationResult::Nil(_) => continue,
        };
        number += 1;
        sum += match combine {
            Combine::Mean => value,
            Combine::HydrogenIon => 10.0_f64.powf(-value),
            Combine::NoMean | Combine::Vector | Combine::Sum | Combine::Counter => return None,
        };
    }
    if number == 0 {
        return None;
    }
    let mean = sum / f64::from(number);
    let mean = if combine == Combine::HydrogenIon { -mean.log10() } else { mean };
    Some(match (above, below == number) {
        (true, _) => ObservationResult::Censored { side: Side::Above, limit: mean },
        (false, true) => ObservationResult::Censored { side: Side::Below, limit: mean },
        (false, false) => ObservationResult::Value(mean),
    })
}
