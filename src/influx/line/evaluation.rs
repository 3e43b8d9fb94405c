//! Points of what several items together come to.

use crate::domain::evaluation::{Evaluated, Evaluation};
use crate::domain::name::PropertyId;
use crate::domain::registry::Registry;

use super::verdict::{Fields, place_name};
use super::{end_line, push_tag};

/// Appends an evaluation: tags `place` (or `set`), `station`, `subject` and `period`; fields
/// `verdict` (`within` or `exceeds` its target, `none` without one, or `not_assessable`), `class`
/// (the class, grade or state), `limit` (instrument and clause), `reason`, `deciding` and `missing`
/// (properties, the worst first), `items`, `items_of`, `unconfirmed`, `legal`, `edition`, and
/// where there are such `value` (the index itself), `multiple` (of the item that decides, over the
/// target), `multiple_iii` (over class III) and, of air, `iaqi_` with each item's name.
pub(super) fn push_evaluation(registry: &Registry, evaluation: &Evaluation, out: &mut Vec<u8>) {
    out.extend_from_slice(b"assessment");
    push_tag(out, "period", evaluation.period.word());
    match evaluation.subject {
        Evaluated::Station(id) => {
            let station = registry.station(id);
            push_tag(out, "place", place_name(registry, station));
            push_tag(out, "station", station.map_or("", |station| &station.name));
        }
        Evaluated::Set(id) => {
            push_tag(out, "set", registry.sets.get(id.index()).map_or("", |set| &set.name));
        }
        Evaluated::Place(id) => {
            let place = registry.places.get(id.index());
            push_tag(out, "place", place.map_or("", |place| &place.name));
        }
    }
    push_tag(out, "subject", evaluation.index.word());
    let first = evaluation.deciding.first();
    let mut fields = Fields::new(out);
    fields.text("verdict", evaluation.verdict());
    fields.text("class", evaluation.grade.map_or("", |grade| grade.word()));
    fields.text("limit", &evaluation.clause);
    fields.text("reason", evaluation.reason.map_or("", |reason| reason.word()));
    fields.text("deciding", &names(registry, evaluation.deciding.iter().map(|one| one.property)));
    fields.text("missing", &names(registry, evaluation.missing.iter().copied()));
    fields.integer("items", i64::from(evaluation.items));
    fields.integer("items_of", i64::from(evaluation.items_of));
    fields.float("value", evaluation.value);
    fields.float("multiple", first.and_then(|one| one.over_target));
    fields.float("multiple_iii", first.and_then(|one| one.over_iii));
    for (property, index) in &evaluation.singles {
        let name = registry.property(*property).map_or("", |property| &*property.name);
        fields.float(&format!("iaqi_{name}"), Some(*index));
    }
    fields.truth("unconfirmed", evaluation.unconfirmed);
    fields.truth("legal", evaluation.legal);
    fields.text("edition", &registry.digest);
    end_line(out, evaluation.phenomenon_time.start().millis());
}

fn names(registry: &Registry, properties: impl Iterator<Item = PropertyId>) -> String {
    let name = |id| registry.property(id).map_or("", |property| &*property.name);
    properties.map(name).collect::<Vec<_>>().join(",")
}
