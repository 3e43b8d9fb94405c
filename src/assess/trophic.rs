//! The trophic level index TLI of a lake, and its state (环办〔2011〕22号).
//!
//! The index is a sum of five levels by weights that belong to these five: with a part missing it
//! would be another index, so it is `TooFewItems` then. A value below the detection limit counts
//! half of it, and none is rounded, since nothing is held against a limit item by item. Nothing
//! has no logarithm: zero and what is below it is no value.

use crate::domain::assessment::NotAssessable;
use crate::domain::evaluation::{Deciding, Evaluation, Grade, Index, Item};
use crate::domain::observation::{ObservationResult, Period, Side};
use crate::domain::registry::{Quantity, Registry, Role, Station};
use crate::domain::time::PhenomenonTime;

/// Gives the index of a point of a lake and its state. `deciding` holds every item with the level
/// of its own, the highest first.
#[must_use]
pub fn evaluate(
    registry: &Registry,
    station: &Station,
    period: Period,
    span: PhenomenonTime,
    items: &[Item],
) -> Evaluation {
    let at = span.start();
    let (mut deciding, mut missing) = (Vec::new(), Vec::new());
    let (mut sum, mut weights, mut clause) = (0.0, 0.0, "");
    let (mut unconfirmed, mut censored) = (false, false);
    for rule in registry.water.items_of(Index::Trophic, &station.section, at) {
        let Role::Level { a, b, weight, conversion } = rule.role else { continue };
        clause = &rule.clause;
        let item = items.iter().find(|item| item.property == rule.property);
        let result = item.map(|item| (item, item.result));
        let level = result.and_then(|(item, result)| {
            let number = match result {
                ObservationResult::Value(value) => value,
                ObservationResult::Censored { side: Side::Below, limit } => limit / 2.0,
                ObservationResult::Censored { side: Side::Above, .. } => {
                    censored = true;
                    return None;
                }
                ObservationResult::Nil(_) => return None,
            };
            let level = 10.0 * (a + b * conversion.apply(number).ln());
            level.is_finite().then_some((item, result, level))
        });
        let Some((item, result, level)) = level else {
            missing.push(rule.property);
            continue;
        };
        unconfirmed |= item.suspect;
        sum += weight * level;
        weights += weight;
        deciding.push(Deciding {
            property: rule.property,
            result,
            class: None,
            index: Some(level),
            over_target: None,
            over_iii: None,
        });
    }
    let level = |one: &Deciding| one.index.unwrap_or(f64::NEG_INFINITY);
    deciding.sort_by(|x, y| level(y).total_cmp(&level(x)).then(x.property.cmp(&y.property)));
    let value = (missing.is_empty() && weights > 0.0).then(|| sum / weights);
    let state = value
        .and_then(|value| registry.water.grade(Index::Trophic, at, &[(Quantity::Value, value)]));
    let reason = match (deciding.is_empty() && missing.is_empty(), value) {
        (true, _) => Some(NotAssessable::NoLimit),
        (false, None) if censored => Some(NotAssessable::Censored),
        (false, None) => Some(NotAssessable::TooFewItems),
        (false, Some(_)) => state.is_none().then_some(NotAssessable::NoneInForce),
    };
    let grade = state.map(|state| Grade::Trophic(state.grade));
    let (of, items) = ((period, span), (deciding.len(), missing));
    let evaluation = Evaluation::of_station(station, Index::Trophic, of, clause, items);
    Evaluation { value, grade, reason, deciding, unconfirmed, ..evaluation }
}
