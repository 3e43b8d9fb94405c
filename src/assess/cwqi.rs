//! The city water quality index CWQI of the ranking rule of 2017 (trial): the sum over the items
//! of their shares of the limit of class III. Lower is better.
//!
//! A sum over fewer items is lower without being better, so with an item missing there is none
//! (`TooFewItems`); the shares of the items that are there still show. A value below the
//! detection limit counts half of it, and none is rounded: pH would be a whole number.

use crate::domain::assessment::{Bound, NotAssessable, WaterClass};
use crate::domain::evaluation::{Deciding, Evaluation, Index, Item};
use crate::domain::observation::{ObservationResult, Period, Side};
use crate::domain::registry::{Registry, Role, Station};
use crate::domain::time::PhenomenonTime;

use super::water_class::in_force;

/// Gives the index of one section. `deciding` holds every item with its own share, the highest
/// first.
#[must_use]
pub fn evaluate(
    registry: &Registry,
    station: &Station,
    period: Period,
    span: PhenomenonTime,
    items: &[Item],
) -> Evaluation {
    let at = span.start();
    let (mut deciding, mut missing, mut clause) = (Vec::new(), Vec::new(), "");
    let mut unconfirmed = false;
    for rule in registry.water.items_of(Index::Cwqi, &station.section, at) {
        clause = &rule.clause;
        let mut limits = in_force(registry, rule, &station.section, period, at);
        let of_iii = limits.find(|(class, _)| *class == WaterClass::III);
        let share = items.iter().find(|item| item.property == rule.property).and_then(|item| {
            let result = item.result;
            let share = share(&rule.role, of_iii?.1.bound, result)?;
            Some((item, result, share))
        });
        let Some((item, result, share)) = share else {
            missing.push(rule.property);
            continue;
        };
        unconfirmed |= item.suspect;
        deciding.push(Deciding {
            property: rule.property,
            result,
            class: None,
            index: Some(share),
            over_target: None,
            over_iii: None,
        });
    }
    let share = |one: &Deciding| one.index.unwrap_or(0.0);
    let value = (missing.is_empty() && !deciding.is_empty())
        .then(|| deciding.iter().map(share).sum::<f64>());
    let reason = match (deciding.is_empty() && missing.is_empty(), value) {
        (true, _) => Some(NotAssessable::NoLimit),
        (false, None) => Some(NotAssessable::TooFewItems),
        (false, Some(_)) => None,
    };
    deciding.sort_by(|x, y| share(y).total_cmp(&share(x)).then(x.property.cmp(&y.property)));
    let (of, items) = ((period, span), (deciding.len(), missing));
    let evaluation = Evaluation::of_station(station, Index::Cwqi, of, clause, items);
    Evaluation { value, reason, deciding, unconfirmed, ..evaluation }
}

/// Gives the index of a city of the means over its river sections and over its lake points, each
/// weighted by how many there are.
#[must_use]
pub fn city(rivers: (f64, u32), lakes: (f64, u32)) -> Option<f64> {
    let (rivers, sections) = (rivers.0, f64::from(rivers.1));
    let (lakes, points) = (lakes.0, f64::from(lakes.1));
    let all = sections + points;
    // What nobody counted may be no number.
    let part = |index: f64, count: f64| if count > 0.0 { index * count } else { 0.0 };
    (all > 0.0).then(|| (part(rivers, sections) + part(lakes, points)) / all)
}

/// Gives the share of class III that an item has.
fn share(role: &Role, of_iii: Bound, result: ObservationResult) -> Option<f64> {
    let value = match result {
        ObservationResult::Value(value) => value,
        ObservationResult::Censored { side: Side::Below, limit } => limit / 2.0,
        // Nobody knows by how much.
        ObservationResult::Censored { side: Side::Above, .. } | ObservationResult::Nil(_) => {
            return None;
        }
    };
    let share = match (role, of_iii) {
        (Role::Share, Bound::Max(limit)) => value / limit,
        (Role::ShareOf, Bound::Min(limit)) => limit / value,
        (Role::Distance { neutral }, Bound::Range { low, high }) => {
            if value <= *neutral {
                (neutral - value) / (neutral - low)
            } else {
                (value - neutral) / (high - neutral)
            }
        }
        _ => return None,
    };
    (share.is_finite() && share >= 0.0).then_some(share)
}
