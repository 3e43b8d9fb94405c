//! Limits of law and house limits, and which datastreams they hold for.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::domain::assessment::{Averaging, Bound, Limit, WaterClass};
use crate::domain::name::{DatastreamId, LimitId, NameKind, PropertyId};
use crate::domain::observation::Period;
use crate::domain::registry::Statistic;
use crate::domain::time::Validity;
use crate::domain::unit::Conversion;
use crate::seed::cell::nearest;
use crate::seed::draft::{Draft, china};
use crate::seed::quantity::{Units, unit};
use crate::seed::sheet::{Cells, LIMITS, STATIONS, Sheet, Sheets, UNITS};

/// A limit and the column that picks it at a river or a lake.
#[derive(Debug)]
struct Placed {
    id: LimitId,
    property: PropertyId,
    class: Box<str>,
    section: Box<str>,
    water_class: Option<WaterClass>,
    from: Option<i64>,
}

/// Where a limit stands and what would be a second one at its side.
type Rivals = HashMap<[Box<str>; 5], Vec<(u64, Box<str>, Validity)>>;

/// The limits of a target, and those of all water classes.
type Applicable = (Arc<[LimitId]>, Arc<[(WaterClass, LimitId)]>);

/// Reads the tables of limits, and gives every datastream those of its station's target and of
/// all water classes.
pub(super) fn limits(sheets: &Sheets, draft: &mut Draft) {
    let whole = sheets.get(&UNITS).whole;
    let mut placed = Vec::new();
    let mut rivals = Rivals::new();
    for sheet in sheets.limits() {
        read(sheet, whole, draft, &mut rivals, &mut placed);
    }
    let readable = sheets.limits().all(|sheet| sheet.whole);
    targets(sheets.get(&STATIONS), draft, &placed, readable);
    placed.sort_by_key(|limit| (limit.water_class, limit.from, limit.id));
    // Shared by all datastreams of one kind of place, so that they stay near the processor.
    let mut shared: HashMap<_, Applicable> = HashMap::new();
    let ids: Vec<DatastreamId> = draft.datastreams.ids.values().copied().collect();
    for id in ids {
        let Some(stream) = draft.registry.datastreams.get_mut(id.index()) else { continue };
        let Some(station) = draft.registry.stations.get(stream.station.index()) else { continue };
        match stream.statistic {
            Statistic::Instant | Statistic::Sample | Statistic::Mean => {}
            // Limits are written for values and means, and not for the extremes of a period.
            Statistic::Min | Statistic::Max | Statistic::Total => continue,
        }
        let section = &station.section;
        let here = |limit: &&Placed| {
            limit.property == stream.property
                && (limit.section.is_empty() || limit.section == *section)
        };
        let kind = (stream.property, section.clone(), station.target_class.clone());
        let (limits, class_limits) = shared.entry(kind).or_insert_with(|| {
            let applies =
                |limit: &&Placed| limit.class.is_empty() || limit.class == station.target_class;
            let of_target = placed.iter().filter(here).filter(applies).map(|limit| limit.id);
            let of_class = |limit: &Placed| Some((limit.water_class?, limit.id));
            (of_target.collect(), placed.iter().filter(here).filter_map(of_class).collect())
        });
        stream.limits = Arc::clone(limits);
        stream.class_limits = Arc::clone(class_limits);
    }
}

fn read(
    sheet: &Sheet,
    whole: bool,
    draft: &mut Draft,
    rivals: &mut Rivals,
    placed: &mut Vec<Placed>,
) {
    for row in &sheet.rows {
        let mut cells = sheet.cells(row, &mut draft.faults);
        let units = Units { units: &draft.registry.units, whole };
        for column in ["instrument", "clause", "source"] {
            cells.required(column);
        }
        cells.empty(&["condition"], "a limit: this release holds none under conditions");
        let property = cells.find("property", &draft.properties);
        let section = cells.word("section", ("", ""), &[("river", "river"), ("lake", "lake")]);
        let class = cells.text("class");
        let averaging = averaging(&mut cells);
        let sent = unit(&mut cells, "unit", &units);
        let canonical = property.and_then(|id| draft.registry.properties.get(id.index()));
        let mut conversion = Conversion::IDENTITY;
        if let (Some(sent), Some(canonical)) = (sent, canonical) {
            match units.units.conversion(sent, canonical.unit) {
                Some(found) => conversion = found,
                None => {
                    let name = units.units.get(canonical.unit).map_or("", |unit| &unit.name);
                    cells.refuse("unit", format_args!("a unit that can become `{name}`"));
                }
            }
        }
        let bound = bound(&mut cells, conversion);
        let in_force = cells.validity(&china());
        rival(&mut cells, rivals, in_force);
        let Some(property) = property else { continue };
        let lasting: Vec<_> = LIMITS.key.iter().map(|column| cells.text(column)).collect();
        let id = LimitId(draft.names.id(NameKind::Limit, &lasting.join("/")));
        let limit = Limit {
            id,
            instrument: cells.text("instrument").into(),
            clause: cells.text("clause").into(),
            property,
            class: class.into(),
            water_class: WaterClass::from_name(class),
            averaging,
            bound,
            in_force,
        };
        placed.push(Placed {
            id,
            property,
            class: class.into(),
            section: section.into(),
            water_class: limit.water_class,
            from: in_force.from.map(|from| from.0),
        });
        draft.registry.limits.put(id.index(), limit);
    }
}

fn averaging(cells: &mut Cells<'_>) -> Averaging {
    cells.word(
        "averaging",
        ("any", Averaging::Any),
        &[
            ("single", Averaging::Of(Period::Native)),
            ("1h", Averaging::Of(Period::Hour)),
            ("8h", Averaging::Of(Period::DayMaxEightHours)),
            ("day", Averaging::Of(Period::Day)),
            ("week", Averaging::Week),
            ("month", Averaging::Of(Period::Month)),
            ("quarter", Averaging::Of(Period::Quarter)),
            ("year", Averaging::Of(Period::Year)),
        ],
    )
}

fn bound(cells: &mut Cells<'_>, conversion: Conversion) -> Bound {
    match cells.word("direction", ("max", 'a'), &[("min", 'i'), ("range", 'r')]) {
        'r' => {
            cells.empty(&["value"], "a range");
            let (low, high) = (cells.number("low"), cells.number("high"));
            if high <= low {
                cells.refuse("high", "more than `low`");
            }
            Bound::Range { low: conversion.apply(low), high: conversion.apply(high) }
        }
        direction => {
            cells.empty(&["low", "high"], "a limit that is no range");
            let value = conversion.apply(cells.number("value"));
            if direction == 'i' { Bound::Min(value) } else { Bound::Max(value) }
        }
    }
}

/// Refuses two limits of one instrument for the same thing at one time.
fn rival(cells: &mut Cells<'_>, rivals: &mut Rivals, in_force: Validity) {
    let key = ["instrument", "property", "class", "section", "averaging"]
        .map(|column| Box::from(cells.text(column)));
    let held = rivals.entry(key).or_default();
    if let Some((line, file, _)) = held.iter().find(|(_, _, other)| other.overlaps(&in_force)) {
        let (instrument, property) = (cells.text("instrument"), cells.text("property"));
        let found = format!(
            "a second limit of {instrument} for `{property}`, at the time of seeds/{file}:{line},"
        );
        cells.fault(found, "one limit in force at a time");
    }
    held.push((cells.row.line, cells.sheet.file.clone(), in_force));
}

/// Refuses target classes that no limit has, and stations of which nobody knows which column
/// of the limits holds for them.
fn targets(sheet: &Sheet, draft: &mut Draft, placed: &[Placed], readable: bool) {
    let classes: HashSet<&str> = placed.iter().map(|limit| &*limit.class).collect();
    let divided: HashSet<&str> = placed
        .iter()
        .filter(|limit| !limit.section.is_empty())
        .map(|limit| &*limit.class)
        .collect();
    for row in &sheet.rows {
        let mut cells = sheet.cells(row, &mut draft.faults);
        let class = cells.text("target_class");
        if class.is_empty() {
            continue;
        }
        if readable && !classes.contains(class) {
            let mut known: Vec<_> = classes.iter().copied().filter(|c| !c.is_empty()).collect();
            known.sort_unstable();
            let near = nearest(class, known.into_iter());
            let near = near.map_or(String::new(), |near| format!("; the nearest is `{near}`"));
            cells
                .fault(format!("`{class}`"), format!("a class of limits/ in `target_class`{near}"));
        } else if divided.contains(class) && cells.text("section").is_empty() {
            let expected = format!("`river` or `lake`, since limits of class {class} differ,");
            cells.refuse("section", expected);
        }
    }
}
