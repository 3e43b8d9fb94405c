//! Limits of law and house limits, and which datastreams they hold for.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::domain::assessment::{Averaging, Bound, Limit, WaterClass};
use crate::domain::condition::{Comparison, Condition};
use crate::domain::name::{DatastreamId, LimitId, NameKind, PlaceId, PropertyId};
use crate::domain::observation::Period;
use crate::domain::registry::{Combine, Datastream, Registry, Station, StationGrade, Statistic};
use crate::domain::time::{Timestamp, Validity};
use crate::domain::unit::Conversion;
use crate::seed::cell::nearest;
use crate::seed::draft::{Draft, Known, china};
use crate::seed::fault_in;
use crate::seed::quantity::{Units, unit};
use crate::seed::sheet::{Cells, LIMITS, STATIONS, Sheet, Sheets, UNITS};

/// How many columns of the key made the lasting name of a limit in the first release.
const NAME_COLUMNS: usize = 7;

/// What two limits have in common that are for the same thing: instrument, property, section,
/// averaging, station and place.
type Key = [Box<str>; 6];

/// Where a limit stands in the tables, in their order.
#[derive(Clone, Debug)]
struct Placed {
    id: LimitId,
    property: PropertyId,
    water_class: Option<WaterClass>,
    from: Option<i64>,
    line: u64,
    file: Box<str>,
    /// What tells limits from others for the same thing.
    key: Key,
}

/// The limits of a target, and those of all water classes.
type Applicable = (Arc<[LimitId]>, Arc<[(WaterClass, LimitId)]>);

/// The same, as lists.
type Lists = (Vec<LimitId>, Vec<(WaterClass, LimitId)>);

/// Reads the tables of limits, and gives every datastream those of its station's target and of
/// all water classes.
pub(super) fn limits(sheets: &Sheets, draft: &mut Draft) {
    let whole = sheets.get(&UNITS).whole;
    let mut placed = Vec::new();
    for sheet in sheets.limits() {
        read(sheet, whole, draft, &mut placed);
    }
    rivals(draft, &placed);
    holes(draft, &placed);
    let readable = sheets.limits().all(|sheet| sheet.whole);
    targets(sheets.get(&STATIONS), draft, readable);
    placed.sort_by_key(|limit| (limit.water_class, limit.from, limit.id));
    give(draft, &placed);
    decidable(sheets.get(&STATIONS), draft);
}

/// Gives every datastream its limits.
fn give(draft: &mut Draft, placed: &[Placed]) {
    let mut of_property: HashMap<PropertyId, Vec<&Placed>> = HashMap::new();
    for limit in placed {
        of_property.entry(limit.property).or_default().push(limit);
    }
    // Shared by all datastreams with the same limits, so that they stay near the processor.
    let mut shared: HashMap<Lists, Applicable> = HashMap::new();
    let ids: Vec<DatastreamId> = draft.datastreams.ids.values().copied().collect();
    for id in ids {
        let registry = &draft.registry;
        let Some(stream) = registry.datastream(id) else { continue };
        let Some(station) = registry.station(stream.station) else { continue };
        if !is_limited(stream, station) {
            continue;
        }
        let here = of_property.get(&stream.property).map_or(&[][..], |limits| limits);
        let here = || {
            let limits = here.iter().filter_map(|one| Some((one, registry.limit(one.id)?)));
            limits.filter(|(_, limit)| stands_at(registry, limit, station))
        };
        let of_target = here().filter(|(_, limit)| is_of_class(limit, station));
        let of_target: Vec<LimitId> = of_target.map(|(one, _)| one.id).collect();
        let everywhere = |limit: &Limit| limit.station.is_none() && limit.place.is_none();
        let of_class =
            here().filter(|(_, limit)| limit.condition == Condition::Always && everywhere(limit));
        let of_class = of_class.filter_map(|(one, _)| Some((one.water_class?, one.id)));
        let of_class: Vec<(WaterClass, LimitId)> = of_class.collect();
        let (limits, class_limits) = shared
            .entry((of_target.clone(), of_class.clone()))
            .or_insert_with(|| (of_target.into(), of_class.into()));
        let (limits, class_limits) = (Arc::clone(limits), Arc::clone(class_limits));
        if let Some(stream) = draft.registry.datastreams.get_mut(id.index()) {
            stream.limits = limits;
            stream.class_limits = class_limits;
        }
    }
}

/// Says whether a datastream is held against limits: they are written for values and means, not
/// for the extremes of a period, and an indicative station gets no legal verdict.
fn is_limited(stream: &Datastream, station: &Station) -> bool {
    let value = match stream.statistic {
        Statistic::Instant | Statistic::Sample | Statistic::Mean => true,
        Statistic::Min | Statistic::Max | Statistic::Total => false,
    };
    value && station.grade == StationGrade::Reference
}

/// Says whether a limit holds where a station stands, whatever its class.
fn stands_at(registry: &Registry, limit: &Limit, station: &Station) -> bool {
    let mut place = Some(station.place);
    let mut within = |wanted: PlaceId| {
        while let Some(id) = place.filter(|id| *id != wanted) {
            place = registry.places.get(id.index()).and_then(|place| place.part_of);
        }
        place.is_some()
    };
    (limit.section.is_empty() || limit.section == station.section)
        && limit.station.is_none_or(|wanted| wanted == station.id)
        && limit.place.is_none_or(&mut within)
}

/// Says whether a limit is of a class that a station must meet.
fn is_of_class(limit: &Limit, station: &Station) -> bool {
    limit.class.is_empty()
        || limit.class == station.target_class
        || station.other_classes.contains(&limit.class)
}

fn read(sheet: &Sheet, whole: bool, draft: &mut Draft, placed: &mut Vec<Placed>) {
    for row in &sheet.rows {
        let mut cells = sheet.cells(row, &mut draft.faults);
        let units = Units { units: &draft.registry.units, whole };
        for column in ["instrument", "clause", "source"] {
            cells.required(column);
        }
        let property = cells.find("property", &draft.properties);
        let section = cells.word("section", ("", ""), &[("river", "river"), ("lake", "lake")]);
        let class = cells.text("class");
        let [first, rest @ ..] = Averaging::WORDS;
        let averaging = cells.word("averaging", first, &rest);
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
        let condition = condition(&mut cells, &draft.registry, &draft.properties);
        fits(&mut cells, averaging, condition);
        let station = named(&mut cells, "station", &draft.stations);
        let place = named(&mut cells, "place", &draft.places);
        let zone = station.and_then(|id| draft.registry.station(id)).map(|of| of.zone.clone());
        let in_force = cells.validity(&zone.unwrap_or_else(china));
        let Some(property) = property else { continue };
        let limit = Limit {
            id: LimitId(draft.names.id(NameKind::Limit, &lasting_name(&cells))),
            instrument: cells.text("instrument").into(),
            clause: cells.text("clause").into(),
            property,
            class: class.into(),
            water_class: WaterClass::from_name(class),
            section: section.into(),
            station,
            place,
            condition,
            averaging,
            bound,
            in_force,
            source: cells.text("source").into(),
        };
        placed.push(Placed {
            id: limit.id,
            property,
            water_class: limit.water_class,
            from: in_force.from.map(Timestamp::millis),
            line: row.line,
            file: sheet.file.clone(),
            key: ["instrument", "property", "section", "averaging", "station", "place"]
                .map(|column| Box::from(cells.text(column))),
        });
        draft.registry.limits.put(limit.id.index(), limit);
    }
}

/// Gives the lasting name of a limit: its first columns as ever, the others where they are used.
fn lasting_name(cells: &Cells<'_>) -> String {
    let (first, rest) = LIMITS.key.split_at(NAME_COLUMNS.min(LIMITS.key.len()));
    let text = |columns: &[&str]| -> Vec<&str> {
        columns.iter().map(|column| cells.text(column)).collect()
    };
    let (first, rest) = (text(first), text(rest));
    let used = rest.iter().any(|cell| !cell.is_empty());
    let rest = if used { rest } else { Vec::new() };
    [first, rest].concat().join("/")
}

fn named<T: Copy>(cells: &mut Cells<'_>, column: &str, known: &Known<T>) -> Option<T> {
    if cells.text(column).is_empty() { None } else { cells.find(column, known) }
}

/// Reads a condition: nothing, `day`, `night`, hours such as `07:00-19:00`, or how another property
/// of the station compares with a number in its canonical unit, such as `water_temperature<=12`.
fn condition(
    cells: &mut Cells<'_>,
    registry: &Registry,
    properties: &Known<PropertyId>,
) -> Condition {
    let text = cells.text("condition");
    match text {
        "" => return Condition::Always,
        "day" => return Condition::DAY,
        "night" => return Condition::NIGHT,
        _ => {}
    }
    if let Some((from, to)) = text.split_once('-')
        && let (Some(from), Some(to)) = (minute(from), minute(to))
    {
        return Condition::Hours { from, to };
    }
    let split = |comparison: &Comparison| text.split_once(comparison.sign());
    let found = Comparison::ALL.iter().find_map(|one| Some((*one, split(one)?)));
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    let Some((comparison, name, number)) =
        found.and_then(|(comparison, (name, rest))| Some((comparison, name, number(rest)?)))
    else {
        cells.refuse(
            "condition",
            "nothing, `day`, `night`, hours such as `07:00-19:00`, or another property and a \
             number such as `water_temperature<=12`",
        );
        return Condition::Always;
    };
    let Some(property) = cells.find_part("condition", name.trim(), properties) else {
        return Condition::Always;
    };
    if registry.property(property).is_some_and(|held| held.combine != Combine::Mean) {
        cells.refuse("condition", "a property whose `combine` is `mean`");
        return Condition::Always;
    }
    Condition::Beside { property, comparison, number }
}

/// Refuses a condition that no value of an averaging can be judged by: a mean of a day is of no
/// hour, and what another property was is known of a day at most.
fn fits(cells: &mut Cells<'_>, averaging: Averaging, condition: Condition) {
    let (periods, expected): (&[Period], _) = match condition {
        Condition::Always => return,
        Condition::Hours { .. } => {
            (&[Period::Native, Period::Hour], "`single` or `1h` under a condition of hours")
        }
        Condition::Beside { .. } => (
            &[Period::Native, Period::Hour, Period::Day, Period::DayMaxEightHours],
            "`single`, `1h`, `8h` or `day` under a condition of another property",
        ),
    };
    let fits = match averaging {
        Averaging::Of(period) => periods.contains(&period),
        Averaging::Any | Averaging::Week | Averaging::Statistical => false,
    };
    if !fits {
        cells.refuse("averaging", expected);
    }
}

/// Reads a time of day, in minutes.
fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let digits = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(hours) || !digits(minutes) {
        return None;
    }
    let (hours, minutes) = (hours.parse::<u16>().ok()?, minutes.parse::<u16>().ok()?);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
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

/// Refuses two limits of one instrument for the same thing at one time, whose conditions may hold
/// at one time.
fn rivals(draft: &mut Draft, placed: &[Placed]) {
    type Held<'a> = Vec<(&'a Placed, &'a Limit)>;
    let mut held: HashMap<(&Key, &str), Held<'_>> = HashMap::new();
    let (registry, faults) = (&draft.registry, &mut draft.faults);
    for one in placed {
        let Some(limit) = registry.limit(one.id) else { continue };
        let others = held.entry((&one.key, &limit.class)).or_default();
        let rival = others.iter().find(|(_, other)| {
            other.in_force.overlaps(&limit.in_force) && other.condition.overlaps(limit.condition)
        });
        if let Some((other, _)) = rival {
            let [instrument, property, ..] = &one.key;
            let found = format!(
                "a second limit of {instrument} for `{property}`, at the time of seeds/{}:{},",
                other.file, other.line
            );
            let expected = "one limit in force at a time, or conditions that exclude each other";
            faults.push(fault_in(&one.file, Some(one.line), found, expected));
        }
        others.push((one, limit));
    }
}

/// Refuses a table of water classes that lacks one between others at some time.
fn holes(draft: &mut Draft, placed: &[Placed]) {
    type Rows<'a> = Vec<(&'a Placed, WaterClass, Validity)>;
    let mut tables: BTreeMap<&Key, Rows<'_>> = BTreeMap::new();
    let (registry, faults) = (&draft.registry, &mut draft.faults);
    for one in placed {
        let Some(class) = one.water_class else { continue };
        let Some(limit) = registry.limit(one.id) else { continue };
        tables.entry(&one.key).or_default().push((one, class, limit.in_force));
    }
    for (key, rows) in tables {
        // Between two of these times nothing changes.
        let times = rows.iter().flat_map(|(_, _, held)| [held.from, held.to]);
        let first = Some(Timestamp(i64::MIN));
        let mut told = HashSet::new();
        for at in times.chain([first]).flatten() {
            let mut in_force: Vec<_> = rows.iter().filter(|(_, _, held)| held.holds(at)).collect();
            in_force.sort_by_key(|(_, class, _)| *class);
            for pair in in_force.windows(2) {
                let [(_, before, _), (row, class, _)] = pair else { continue };
                let classes = WaterClass::WITH_LIMITS.iter();
                let missing = classes.filter(|one| **one > *before && **one < *class);
                for missing in missing {
                    let (missing, class) = (missing.name(), class.name());
                    let [instrument, property, ..] = key;
                    if told.insert((row.line, missing)) {
                        let found = format!(
                            "class {class} of {instrument} for `{property}` without class {missing}"
                        );
                        let expected = "every class between the best and the worst";
                        faults.push(fault_in(&row.file, Some(row.line), found, expected));
                    }
                }
            }
        }
    }
}

/// Refuses classes that no limit has, and stations of which nobody knows which column of the
/// limits holds for them.
fn targets(sheet: &Sheet, draft: &mut Draft, readable: bool) {
    let limits = || draft.registry.limits.iter();
    let classes: HashSet<&str> = limits().map(|limit| &*limit.class).collect();
    let divided = limits().filter(|limit| !limit.section.is_empty());
    let divided: HashSet<&str> = divided.map(|limit| &*limit.class).collect();
    for row in &sheet.rows {
        let mut cells = sheet.cells(row, &mut draft.faults);
        for column in ["target_class", "other_classes"] {
            let text = cells.text(column);
            let wanted: Vec<&str> = match column {
                "target_class" => vec![text],
                _ => text.split_whitespace().collect(),
            };
            for class in wanted.into_iter().filter(|class| !class.is_empty()) {
                if readable && !classes.contains(class) {
                    let mut known: Vec<_> =
                        classes.iter().copied().filter(|known| !known.is_empty()).collect();
                    known.sort_unstable();
                    let near = nearest(class, known.into_iter());
                    let near =
                        near.map_or(String::new(), |near| format!("; the nearest is `{near}`"));
                    let expected = format!("a class of limits/ in `{column}`{near}");
                    cells.fault(format!("`{class}`"), expected);
                } else if divided.contains(class) && cells.text("section").is_empty() {
                    let expected =
                        format!("`river` or `lake`, since limits of class {class} differ,");
                    cells.refuse("section", expected);
                }
            }
        }
    }
}

/// Refuses a station where a limit depends on a property that nothing measures there: no verdict
/// by it would ever be sure.
fn decidable(sheet: &Sheet, draft: &mut Draft) {
    if !draft.datastreams.whole {
        return;
    }
    for row in &sheet.rows {
        let mut cells = sheet.cells(row, &mut draft.faults);
        let Some(id) = draft.stations.ids.get(cells.text("station")) else { continue };
        let Some(station) = draft.registry.station(*id) else { continue };
        let streams = || station.datastreams.iter().filter_map(|id| draft.registry.datastream(*id));
        let limits = streams().flat_map(|stream| stream.limits.iter());
        let mut told = HashSet::new();
        for limit in limits.filter_map(|id| draft.registry.limit(*id)) {
            let Condition::Beside { property, .. } = limit.condition else { continue };
            if streams().any(|stream| stream.property == property) || !told.insert(property) {
                continue;
            }
            let name = |id| draft.registry.property(id).map_or("", |held| &held.name);
            let found = format!(
                "a station without `{}`, on which the limit of {} for `{}` depends",
                name(property),
                limit.instrument,
                name(limit.property)
            );
            let expected = "a channel for it in profiles.csv, or a class whose limit has none";
            cells.fault(found, expected);
        }
    }
}
