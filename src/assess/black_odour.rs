//! Black and odorous water, the step below class V (guide to its treatment, 2015).
//!
//! One reading gives an indication only, by its worst item. A state is made of many: the share
//! of an item's readings that lie in a grade or a worse one, held against `grades.csv`.

use crate::domain::assessment::NotAssessable;
use crate::domain::evaluation::{Deciding, Evaluation, Grade, Index, Item};
use crate::domain::name::PropertyId;
use crate::domain::observation::{ObservationResult, Period, Side};
use crate::domain::registry::{Quantity, Registry, Role, Station};
use crate::domain::time::{PhenomenonTime, Timestamp};

/// Lightly black and odorous.
const LIGHT: u8 = 1;
/// Heavily.
const HEAVY: u8 = 2;

/// How the readings of one item fell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tally {
    /// The property.
    pub property: PropertyId,
    /// Its readings with a grade.
    pub readings: u32,
    /// Those that are light or worse.
    pub light: u32,
    /// Those that are heavy.
    pub heavy: u32,
}

impl Tally {
    /// Begins to count.
    #[must_use]
    pub fn new(property: PropertyId) -> Self {
        Self { property, readings: 0, light: 0, heavy: 0 }
    }

    /// Counts a reading by its grade; one without a grade doesn't count.
    pub fn count(&mut self, grade: Option<u8>) {
        let Some(grade) = grade else { return };
        self.readings = self.readings.saturating_add(1);
        self.light = self.light.saturating_add(u32::from(grade >= LIGHT));
        self.heavy = self.heavy.saturating_add(u32::from(grade >= HEAVY));
    }

    fn share(&self, grade: u8) -> f64 {
        let of = if grade >= HEAVY { self.heavy } else { self.light };
        100.0 * f64::from(of) / f64::from(self.readings.max(1))
    }
}

/// Gives the grade of one item's reading: 0 not black and odorous, 1 lightly, 2 heavily; nothing
/// where the property is no indicator or a censored value may be of several grades.
#[must_use]
pub fn grade(
    registry: &Registry,
    station: &Station,
    property: PropertyId,
    result: ObservationResult,
    at: Timestamp,
) -> Option<u8> {
    let mut rules = registry.water.items_of(Index::BlackOdour, &station.section, at);
    rules.find(|rule| rule.property == property).and_then(|rule| of_role(&rule.role, result))
}

fn of_role(role: &Role, result: ObservationResult) -> Option<u8> {
    let Role::Indicator { light, heavy, less_is_worse, light_includes, heavy_includes } = role
    else {
        return None;
    };
    let worse = |value: f64, border: f64, includes: bool| {
        let beyond = if *less_is_worse { value < border } else { value > border };
        beyond || (includes && value.total_cmp(&border).is_eq())
    };
    let of = |value: f64| {
        u8::from(worse(value, *light, *light_includes))
            + u8::from(worse(value, *heavy, *heavy_includes))
    };
    match result {
        ObservationResult::Value(value) if value.is_finite() => Some(of(value)),
        // The number is the one end of what the value may be; the other is the best or the worst.
        ObservationResult::Censored { side, limit } if limit.is_finite() => {
            let end = if (side == Side::Below) == *less_is_worse { HEAVY } else { 0 };
            Some(of(limit)).filter(|grade| *grade == end)
        }
        ObservationResult::Value(_)
        | ObservationResult::Censored { .. }
        | ObservationResult::Nil(_) => None,
    }
}

/// Gives the indication of one reading of a station: the worst grade among its items. It has no
/// legal weight. An item that is missing may be the worst, so the grade is at least this one, and
/// without all items nothing is said to be clean.
#[must_use]
pub fn indication(
    registry: &Registry,
    station: &Station,
    span: PhenomenonTime,
    items: &[Item],
) -> Evaluation {
    let mut found = Found::default();
    let at = span.start();
    for rule in registry.water.items_of(Index::BlackOdour, &station.section, at) {
        found.clause = &rule.clause;
        let item = items.iter().find(|item| item.property == rule.property);
        let graded = item.and_then(|item| Some((item, of_role(&rule.role, item.result)?)));
        match graded {
            Some((item, grade)) => found.graded.push((item.property, item.result, grade)),
            None => found.missing.push(rule.property),
        }
    }
    let grade = found.graded.iter().map(|(_, _, grade)| *grade).max();
    let grade = grade.filter(|grade| *grade > 0 || found.missing.is_empty());
    let decides = |item: &&Item| {
        let mut graded = found.graded.iter();
        graded.any(|(property, _, of)| *property == item.property && Some(*of) == grade)
    };
    let unconfirmed = items.iter().filter(decides).any(|item| item.suspect);
    let evaluation = found.evaluation(station, Period::Native, span, grade);
    Evaluation { legal: false, unconfirmed, ..evaluation }
}

/// Gives the state of a station of the readings of a longer time.
#[must_use]
pub fn state(
    registry: &Registry,
    station: &Station,
    period: Period,
    span: PhenomenonTime,
    tallies: &[Tally],
) -> Evaluation {
    let mut found = Found::default();
    let at = span.start();
    let mut counted: Vec<&Tally> = Vec::new();
    for rule in registry.water.items_of(Index::BlackOdour, &station.section, at) {
        found.clause = &rule.clause;
        let mine = |tally: &&Tally| tally.property == rule.property && tally.readings > 0;
        match tallies.iter().find(mine) {
            Some(tally) => counted.push(tally),
            None => found.missing.push(rule.property),
        }
    }
    let shares = |grade: u8| {
        let mut shares: Vec<f64> = counted.iter().map(|tally| tally.share(grade)).collect();
        shares.sort_by(|a, b| b.total_cmp(a));
        let names = [Quantity::FirstItem, Quantity::SecondItem];
        names.into_iter().zip(shares).collect::<Vec<_>>()
    };
    let is = |grade: u8| {
        let rule = registry.water.grades.iter().filter(|rule| {
            rule.index == Index::BlackOdour && rule.grade == grade && rule.in_force.holds(at)
        });
        let shares = shares(grade);
        let holds = |condition: &crate::domain::registry::Span| {
            let share = shares.iter().find(|(name, _)| *name == condition.quantity);
            share.is_some_and(|(_, share)| condition.holds(*share))
        };
        rule.map(|rule| rule.conditions.iter().all(holds)).max() == Some(true)
    };
    let grade = [HEAVY, LIGHT].into_iter().find(|grade| is(*grade));
    let grade = grade.or((found.missing.is_empty() && !counted.is_empty()).then_some(0));
    let of = grade.unwrap_or(LIGHT).max(LIGHT);
    for tally in counted {
        let own = grade.filter(|grade| *grade > 0 && tally.share(*grade) > 0.0).unwrap_or(0);
        let share = ObservationResult::Value(tally.share(of) / 100.0);
        found.graded.push((tally.property, share, own));
    }
    found.evaluation(station, period, span, grade)
}

/// What the items came to.
#[derive(Default)]
struct Found<'a> {
    graded: Vec<(PropertyId, ObservationResult, u8)>,
    missing: Vec<PropertyId>,
    clause: &'a str,
}

impl Found<'_> {
    fn evaluation(
        self,
        station: &Station,
        period: Period,
        span: PhenomenonTime,
        grade: Option<u8>,
    ) -> Evaluation {
        let none = self.graded.is_empty() && self.missing.is_empty();
        let reason = match (grade, none) {
            (Some(_), _) => None,
            (None, true) => Some(NotAssessable::NoLimit),
            (None, false) => Some(NotAssessable::TooFewItems),
        };
        let decides = |(_, _, of): &&(PropertyId, ObservationResult, u8)| {
            grade.is_some_and(|grade| grade > 0 && *of == grade)
        };
        let of = |(property, result, _): &(PropertyId, ObservationResult, u8)| Deciding {
            property: *property,
            result: *result,
            class: None,
            index: None,
            over_target: None,
            over_iii: None,
        };
        let deciding = self.graded.iter().filter(decides).map(of).collect();
        let (of, items) = ((period, span), (self.graded.len(), self.missing));
        let evaluation = Evaluation::of_station(station, Index::BlackOdour, of, self.clause, items);
        Evaluation { grade: grade.map(Grade::BlackOdour), reason, deciding, ..evaluation }
    }
}
