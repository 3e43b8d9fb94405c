//! Which property belongs to which index of water, and how.

use std::collections::{BTreeMap, HashMap};

use crate::domain::assessment::WaterClass;
use crate::domain::condition::Condition;
use crate::domain::evaluation::Index;
use crate::domain::name::{LimitId, PropertyId};
use crate::domain::registry::{ClassLimits, IndexItem, Registry, Role};
use crate::domain::time::Validity;
use crate::domain::unit::Conversion;
use crate::seed::draft::{Draft, china};
use crate::seed::quantity::{Units, unit};
use crate::seed::sheet::{Cells, ITEMS, Sheets, UNITS};

/// The columns of numbers, by role.
const NUMBERS: [&str; 9] =
    ["group", "needs", "a", "b", "weight", "light", "heavy", "direction", "border"];

/// A row that was read, and where it stands.
struct Held {
    line: u64,
    item: IndexItem,
}

/// The limits of the classes by instrument, section and property.
type Classes = HashMap<(Box<str>, Box<str>, PropertyId), ClassLimits>;

/// Reads `items.csv`, and gathers the limits of the classes.
pub(super) fn items(sheets: &Sheets, draft: &mut Draft) {
    let sheet = sheets.get(&ITEMS);
    let classes = class_limits(&draft.registry);
    let whole = sheets.get(&UNITS).whole;
    let readable = sheets.limits().all(|sheet| sheet.whole);
    let mut held: Vec<Held> = Vec::new();
    for row in &sheet.rows {
        let mut cells = sheet.cells(row, &mut draft.faults);
        for column in ["clause", "source"] {
            cells.required(column);
        }
        let property = cells.find("property", &draft.properties);
        let section = cells.word("section", ("", ""), &[("river", "river"), ("lake", "lake")]);
        let canonical = property.and_then(|id| draft.registry.properties.get(id.index()));
        let units = Units { units: &draft.registry.units, whole };
        let canonical = canonical.map(|property| property.unit);
        let (index, role) = role(&mut cells, |cells, inward| {
            let Some(stated) = unit(cells, "unit", &units) else { return Conversion::IDENTITY };
            let Some(canonical) = canonical else { return Conversion::IDENTITY };
            let (from, to) = if inward { (stated, canonical) } else { (canonical, stated) };
            units.units.conversion(from, to).unwrap_or_else(|| {
                let name = units.units.get(canonical).map_or("", |unit| &unit.name);
                cells.refuse("unit", format_args!("a unit that can become `{name}`"));
                Conversion::IDENTITY
            })
        });
        let counts = role.is_held_against_classes();
        if counts {
            cells.required("instrument");
        }
        let in_force = cells.validity(&china());
        let Some(property) = property else { continue };
        let instrument = cells.text("instrument");
        let limits = |section: &str| {
            let key = (instrument.into(), section.into(), property);
            classes.get(&key).cloned().unwrap_or_default()
        };
        let item = IndexItem {
            index,
            property,
            section: section.into(),
            role,
            river: limits("river"),
            lake: limits("lake"),
            clause: cells.text("clause").into(),
            in_force,
        };
        rival(&mut cells, &held, &item);
        held.push(Held { line: row.line, item });
        if counts
            && readable
            && let Some(item) = held.last()
            && let Some(hole) = hole(draft, &item.item)
        {
            let mut cells = sheet.cells(row, &mut draft.faults);
            let text = cells.text("property");
            let instrument = cells.text("instrument");
            cells.fault(
                format!("a hole in the classes of `{text}`: {hole}"),
                format!("limits of {instrument} for I, II, III, IV and V, all the time,"),
            );
        }
    }
    minimum(sheet.file.as_ref(), &held, draft);
    draft.registry.water.items = held.into_iter().map(|held| held.item).collect();
}

/// Reads what a property is, by the index. `conversion` reads the unit: into the canonical one, or
/// out of it.
fn role(
    cells: &mut Cells<'_>,
    mut conversion: impl FnMut(&mut Cells<'_>, bool) -> Conversion,
) -> (Index, Role) {
    let (index, kind) = cells.word(
        "index",
        ("water_class", (Index::WaterClass, 'c')),
        &[
            ("trophic", (Index::Trophic, 't')),
            ("black_odour", (Index::BlackOdour, 'b')),
            ("cwqi", (Index::Cwqi, 'q')),
        ],
    );
    let (role, used): (Role, &[&str]) = match kind {
        't' => {
            cells.word("role", ("level", ()), &[]);
            let (a, b, weight) =
                (cells.number("a"), cells.number("b"), above_zero(cells, "weight"));
            (
                Role::Level { a, b, weight, conversion: conversion(cells, false) },
                &["a", "b", "weight"],
            )
        }
        'b' => {
            cells.word("role", ("indicator", ()), &[]);
            let unit = conversion(cells, true);
            let (light, heavy) = (cells.number("light"), cells.number("heavy"));
            let less_is_worse = cells.word("direction", ("min", true), &[("max", false)]);
            if (heavy < light) != less_is_worse || heavy.total_cmp(&light).is_eq() {
                let expected =
                    if less_is_worse { "less than `light`" } else { "more than `light`" };
                cells.refuse("heavy", expected);
            }
            let (light_includes, heavy_includes) = cells.word(
                "border",
                ("light", (true, false)),
                &[("better", (false, false)), ("worse", (true, true))],
            );
            let (light, heavy) = (unit.apply(light), unit.apply(heavy));
            (
                Role::Indicator { light, heavy, less_is_worse, light_includes, heavy_includes },
                &["light", "heavy", "direction", "border"],
            )
        }
        'q' => match cells.word("role", ("share", 's'), &[("share_of", 'o'), ("distance", 'd')]) {
            'o' => (Role::ShareOf, &[]),
            'd' => (Role::Distance { neutral: cells.number("a") }, &["a"]),
            _ => (Role::Share, &[]),
        },
        _ => class_role(cells, &mut conversion),
    };
    let unused: Vec<&str> =
        NUMBERS.iter().copied().filter(|column| !used.contains(column)).collect();
    let name = cells.text("role");
    cells.empty(&unused, &format!("role `{name}`"));
    (index, role)
}

fn class_role(
    cells: &mut Cells<'_>,
    conversion: &mut impl FnMut(&mut Cells<'_>, bool) -> Conversion,
) -> (Role, &'static [&'static str]) {
    let words = [("shown", 's'), ("minimum", 'm'), ("saturation", 't')];
    match cells.word("role", ("counted", 'c'), &words) {
        's' => (Role::Shown, &[]),
        'm' => {
            let group = cells.name("group").into();
            let needs = cells.text("needs").parse::<u8>().ok().filter(|needs| *needs > 0);
            if needs.is_none() {
                cells.refuse("needs", "a whole number above 0");
            }
            (Role::Minimum { group, needs: needs.unwrap_or(1) }, &["group", "needs"])
        }
        't' => {
            let (a, b) = (above_zero(cells, "a"), cells.number("b"));
            let share = above_zero(cells, "weight");
            if share > 1.0 {
                cells.refuse("weight", "a share of saturation up to 1");
            }
            let conversion = conversion(cells, false);
            (Role::Saturation { a, b, share, conversion }, &["a", "b", "weight"])
        }
        _ => (Role::Counted, &[]),
    }
}

fn above_zero(cells: &mut Cells<'_>, column: &str) -> f64 {
    let number = cells.number(column);
    if number <= 0.0 {
        cells.refuse(column, "a number above zero");
        return 1.0;
    }
    number
}

/// Refuses two rows that say what a property is to an index at one time.
fn rival(cells: &mut Cells<'_>, held: &[Held], item: &IndexItem) {
    let other = held.iter().find(|Held { item: other, .. }| {
        let apart = match (&other.role, &item.role) {
            (Role::Minimum { group, .. }, Role::Minimum { group: mine, .. }) => group != mine,
            (Role::Minimum { .. }, _) | (_, Role::Minimum { .. }) => true,
            _ => false,
        };
        let sections = [&*other.section, &*item.section];
        other.index == item.index
            && other.property == item.property
            && !apart
            && (sections.contains(&"") || other.section == item.section)
            && other.in_force.overlaps(&item.in_force)
    });
    if let Some(other) = other {
        let (index, property) = (cells.text("index"), cells.text("property"));
        let (line, file) = (other.line, &cells.sheet.file);
        let found = format!(
            "a second row of {index} for `{property}`, at the time of seeds/{file}:{line},"
        );
        cells.fault(found, "one row in force at a time");
    }
}

/// Refuses a group whose rows differ in what it needs, or that needs more than it has.
fn minimum(file: &str, held: &[Held], draft: &mut Draft) {
    let mut groups: BTreeMap<&str, (u8, u8, u64)> = BTreeMap::new();
    for Held { line, item } in held {
        let Role::Minimum { group, needs } = &item.role else { continue };
        let (wanted, members, _) = groups.entry(group).or_insert((*needs, 0, *line));
        *members = members.saturating_add(1);
        if wanted != needs {
            let found = format!("`needs` of {needs} in group `{group}`");
            let expected = format!("{wanted}, as in the rows before");
            draft.faults.push(crate::seed::fault_in(file, Some(*line), found, expected));
        }
    }
    for (group, (needs, members, line)) in groups {
        if needs > members {
            let found = format!("group `{group}` of {members}");
            let expected = format!("as many properties as it needs, {needs}");
            draft.faults.push(crate::seed::fault_in(file, Some(line), found, expected));
        }
    }
}

/// Gathers the limits of the classes of every instrument, those under no condition and of no
/// place of their own.
fn class_limits(registry: &Registry) -> Classes {
    type Held = Vec<(WaterClass, Option<i64>, LimitId)>;
    let mut gathered: HashMap<(Box<str>, Box<str>, PropertyId), Held> = HashMap::new();
    for limit in registry.limits.iter() {
        let everywhere = limit.station.is_none() && limit.place.is_none();
        let Some(class) = limit.water_class.filter(|_| everywhere) else { continue };
        if limit.condition != Condition::Always {
            continue;
        }
        let from = limit.in_force.from.map(|from| from.0);
        let section = &*limit.section;
        let both: &[&str] = if section.is_empty() { &["river", "lake"] } else { &[section] };
        for section in both {
            let key = (limit.instrument.clone(), (*section).into(), limit.property);
            gathered.entry(key).or_default().push((class, from, limit.id));
        }
    }
    let sorted = gathered.into_iter().map(|(key, mut limits)| {
        limits.sort_unstable();
        (key, limits.into_iter().map(|(class, _, id)| (class, id)).collect())
    });
    sorted.collect()
}

/// Finds a class that has no limit for an item, at some time or at all.
fn hole(draft: &Draft, item: &IndexItem) -> Option<String> {
    let sections: &[&str] =
        if item.section.is_empty() { &["river", "lake"] } else { &[&item.section] };
    for section in sections {
        let limits = item.class_limits(section);
        for class in WaterClass::WITH_LIMITS {
            let of = limits.iter().filter(|(of, _)| *of == class);
            let times = of.filter_map(|(_, id)| draft.registry.limit(*id));
            let times: Vec<Validity> = times.map(|limit| limit.in_force).collect();
            if !covered(item.in_force, &times) {
                let name = class.name();
                let when = if times.is_empty() { "" } else { " at some time" };
                return Some(format!("class {name} has no limit for a {section}{when}"));
            }
        }
    }
    None
}

/// Says whether some spans leave no hole in another.
fn covered(whole: Validity, parts: &[Validity]) -> bool {
    let (first, end) =
        (whole.from.map_or(i64::MIN, |at| at.0), whole.to.map_or(i64::MAX, |at| at.0));
    let mut reached = first;
    while reached < end {
        let next = parts.iter().filter(|part| part.from.is_none_or(|from| from.0 <= reached));
        let next = next.map(|part| part.to.map_or(i64::MAX, |to| to.0)).max();
        match next {
            Some(next) if next > reached => reached = next,
            _ => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;

    fn span(from: i64, to: i64) -> Validity {
        Validity { from: Some(Timestamp(from)), to: Some(Timestamp(to)) }
    }

    #[test]
    fn spans_that_meet_leave_no_hole() {
        assert!(covered(span(0, 10), &[span(5, 20), span(-5, 5)]));
        assert!(!covered(span(0, 10), &[span(6, 20), span(-5, 5)]));
        assert!(!covered(span(0, 10), &[]));
        assert!(!covered(Validity::default(), &[span(0, 10)]));
        assert!(covered(Validity::default(), &[Validity::default()]));
    }
}
