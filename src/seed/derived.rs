//! Derived datastreams: made of others by an expression whose units are checked here.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::domain::expression::{Expression, Found, Named, Wrong};
use crate::domain::fault::Fault;
use crate::domain::name::{DatastreamId, NameKind, PropertyId, StationId};
use crate::domain::registry::{Datastream, Feed, Formula, Sampling, Statistic};
use crate::domain::time::Validity;
use crate::domain::unit::UnitIndex;
use crate::seed::cell::nearest;
use crate::seed::draft::Draft;
use crate::seed::fault_in;
use crate::seed::sheet::{Cells, DERIVED, Row, Sheet, Sheets, quoted};

/// How many derived datastreams may stand on one, by way of others too: what a single reading can
/// have worked out.
pub(super) const FEEDS_MAX: usize = 32;

/// What a row is about.
struct Line<'a> {
    row: &'a Row,
    id: DatastreamId,
    station: StationId,
    property: PropertyId,
    validity: Validity,
}

/// Reads `derived.csv`.
pub(super) fn datastreams(sheets: &Sheets, draft: &mut Draft) {
    let sheet = sheets.get(&DERIVED);
    if sheet.file.is_empty() {
        // There is no such table, and it need not be there.
        return;
    }
    let lines = named(sheet, draft);
    let whole = sheet.whole && lines.len() == sheet.rows.len();
    draft.datastreams.whole &= whole;
    let mut formulas: BTreeMap<DatastreamId, Vec<Formula>> = BTreeMap::new();
    let mut sound = true;
    for line in &lines {
        match compiled(sheet, line, draft) {
            Some(formula) => formulas.entry(line.id).or_default().push(formula),
            None => sound = false,
        }
    }
    for of_one in formulas.values_mut() {
        of_one.sort_by_key(|formula| formula.validity.from);
    }
    let ranks = ranks(&formulas);
    let mut told: BTreeSet<DatastreamId> = BTreeSet::new();
    for line in &lines {
        if !ranks.contains_key(&line.id) && told.insert(line.id) {
            circle(sheet, line, &formulas, draft);
        }
    }
    if sound && whole {
        settle(draft, formulas, &ranks);
    }
}

/// Makes the datastream of each row.
fn named<'a>(sheet: &'a Sheet, draft: &mut Draft) -> Vec<Line<'a>> {
    let mut faults = std::mem::take(&mut draft.faults);
    let mut lines: Vec<Line<'a>> = Vec::new();
    let mut times: HashMap<DatastreamId, Vec<Validity>> = HashMap::new();
    for row in &sheet.rows {
        let mut cells = sheet.cells(row, &mut faults);
        cells.required("source");
        let name = cells.text("datastream");
        let parts: Vec<&str> = name.split('/').collect();
        let (station, position, property) = match *parts.as_slice() {
            [station, property] => (station, "", property),
            [station, position, property] if !position.is_empty() => (station, position, property),
            _ => {
                let expected = "`station/property` or `station/position/property`";
                cells.refuse("datastream", expected);
                continue;
            }
        };
        let station = cells.find_part("datastream", station, &draft.stations);
        let property = cells.find_part("datastream", property, &draft.properties);
        let plain = |letter: char| letter.is_alphanumeric() || "._-".contains(letter);
        if !position.chars().all(plain) {
            cells.refuse("datastream", "a position of letters, digits, `.`, `_` and `-`");
        }
        let (Some(station), Some(property)) = (station, property) else { continue };
        let validity = cells.validity(&draft.zone(station));
        let id = match draft.datastreams.ids.get(name) {
            Some(id) if times.contains_key(id) => *id,
            Some(_) => {
                cells.refuse("datastream", "a datastream that no device of devices.csv feeds");
                continue;
            }
            None => datastream(draft, name, position, (station, property)),
        };
        let held = times.entry(id).or_default();
        if held.iter().any(|earlier| earlier.overlaps(&validity)) {
            let found = format!("a second expression of `{name}` at that time");
            cells.fault(found, "one expression of a datastream at a time");
        }
        held.push(validity);
        lines.push(Line { row, id, station, property, validity });
    }
    draft.faults = faults;
    lines
}

fn datastream(
    draft: &mut Draft,
    name: &str,
    position: &str,
    (station, property): (StationId, PropertyId),
) -> DatastreamId {
    let id = DatastreamId(draft.names.id(NameKind::Datastream, name));
    draft.datastreams.ids.insert(name.into(), id);
    let mut slot = 0;
    if let Some(held) = draft.registry.stations.get_mut(station.index()) {
        slot = u16::try_from(held.datastreams.len()).unwrap_or(u16::MAX);
        held.datastreams.push(id);
    }
    // Sampling and interval come with the order in which the expressions are worked out.
    draft.registry.datastreams.put(
        id.index(),
        Datastream { slot, ..Datastream::plain(id, name, station, (position, property)) },
    );
    id
}

fn compiled(sheet: &Sheet, line: &Line<'_>, draft: &mut Draft) -> Option<Formula> {
    let mut faults = std::mem::take(&mut draft.faults);
    let mut cells = sheet.cells(line.row, &mut faults);
    let text = cells.required("expression");
    let unit = draft.registry.property(line.property).map_or(UnitIndex(0), |held| held.unit);
    let mut find = |named: Named<'_>| input(draft, line.station, named);
    let expression = if text.is_empty() {
        None
    } else {
        match Expression::compile(text, &draft.registry.units, unit, &mut find) {
            Ok(expression) => Some(expression),
            Err(wrongs) => {
                tell(&mut cells, wrongs);
                None
            }
        }
    };
    draft.faults = faults;
    expression.map(|expression| Formula { validity: line.validity, expression, leader: 0 })
}

fn tell(cells: &mut Cells<'_>, wrongs: Vec<Wrong>) {
    for Wrong { found, expected } in wrongs {
        cells.fault(found, format!("in `expression` {expected}"));
    }
}

/// Looks the datastream up that an expression names.
fn input(draft: &Draft, station: StationId, named: Named<'_>) -> Found {
    let station = draft.registry.station(station).map_or("", |station| &station.name);
    let name = match named {
        Named::Property(property) => format!("{station}/{property}"),
        Named::At(position, property) => format!("{station}/{position}/{property}"),
        Named::Whole(name) => name.to_owned(),
    };
    let Some(id) = draft.datastreams.ids.get(name.as_str()) else {
        let near = nearest(&name, draft.datastreams.ids.keys().map(|name| &**name));
        let near = near.map_or(String::new(), |near| format!("; the nearest is `{near}`"));
        let expected =
            format!("a datastream of devices.csv and profiles.csv or of this table{near}");
        return Err(draft.datastreams.whole.then(|| Wrong { found: quoted(&name), expected }));
    };
    let stream = draft.registry.datastream(*id).ok_or(None)?;
    match stream.statistic {
        Statistic::Instant | Statistic::Sample => {}
        Statistic::Mean | Statistic::Min | Statistic::Max | Statistic::Total => {
            let expected = "a datastream of instants or samples, not of stated means or totals";
            return Err(Some(Wrong { found: quoted(&name), expected: expected.into() }));
        }
    }
    let property = draft.registry.property(stream.property).ok_or(None)?;
    Ok((*id, property.unit))
}

type Formulas = BTreeMap<DatastreamId, Vec<Formula>>;

fn inputs(formulas: &Formulas, of: DatastreamId) -> impl Iterator<Item = DatastreamId> {
    let of_one = formulas.get(&of).into_iter().flatten();
    of_one.flat_map(|formula| formula.expression.inputs().iter().copied())
}

/// Gives each derived datastream a number above those of all it is made of; those that are made
/// of themselves, and what is made of these, get none.
fn ranks(formulas: &Formulas) -> HashMap<DatastreamId, u16> {
    let mut ranks: HashMap<DatastreamId, u16> = HashMap::new();
    // Beyond it too many stand on one, which is told of those that stand lower.
    for _ in 0..=FEEDS_MAX {
        let known = |id: DatastreamId| match formulas.contains_key(&id) {
            true => ranks.get(&id).map(|rank| rank.saturating_add(1)),
            false => Some(0),
        };
        let next = |id: &DatastreamId| {
            let below: Option<Vec<u16>> = inputs(formulas, *id).map(known).collect();
            Some((*id, below?.into_iter().max().unwrap_or(0)))
        };
        let fresh: Vec<(DatastreamId, u16)> =
            formulas.keys().filter(|id| !ranks.contains_key(id)).filter_map(next).collect();
        if fresh.is_empty() {
            break;
        }
        ranks.extend(fresh);
    }
    ranks
}

/// Tells that a datastream is made of itself, if it is.
fn circle(sheet: &Sheet, line: &Line<'_>, formulas: &Formulas, draft: &mut Draft) {
    let mut seen: BTreeMap<DatastreamId, DatastreamId> = BTreeMap::new();
    let mut next = vec![line.id];
    while let Some(of) = next.pop() {
        for input in inputs(formulas, of) {
            if seen.contains_key(&input) || !formulas.contains_key(&input) {
                continue;
            }
            seen.insert(input, of);
            next.push(input);
        }
    }
    if !seen.contains_key(&line.id) {
        return;
    }
    let name = |id: DatastreamId| draft.registry.datastream(id).map_or("", |held| &held.name);
    let mut way = format!("`{}`", name(line.id));
    let (mut at, mut steps) = (line.id, 0);
    while let Some(from) = seen.get(&at).filter(|_| steps < seen.len()) {
        way = format!("`{}` from {way}", name(*from));
        (at, steps) = (*from, steps + 1);
        if at == line.id {
            break;
        }
    }
    let fault = fault_in(
        &sheet.file,
        Some(line.row.line),
        format!("a circle: {way}"),
        "an expression that needs no value of its own datastream",
    );
    draft.faults.push(fault);
}

/// Puts the formulas into force: who leads, how often a value comes, and who feeds whom.
fn settle(draft: &mut Draft, formulas: Formulas, ranks: &HashMap<DatastreamId, u16>) {
    let mut feeds: BTreeMap<DatastreamId, Vec<Feed>> = BTreeMap::new();
    for (derived, rank) in ranks {
        let of: BTreeSet<DatastreamId> = inputs(&formulas, *derived).collect();
        for input in of {
            feeds.entry(input).or_default().push(Feed { derived: *derived, rank: *rank });
        }
    }
    too_many(draft, &feeds);
    let mut ordered: Vec<(DatastreamId, Vec<Formula>)> = formulas.into_iter().collect();
    ordered.sort_by_key(|(id, _)| (ranks.get(id).copied(), *id));
    for (id, mut of_one) in ordered {
        let mut last = None;
        for formula in &mut of_one {
            let streams = formula.expression.inputs().iter();
            let every = streams
                .map(|id| draft.registry.datastream(*id).map_or(i64::MAX, Datastream::interval_ms));
            let leader = every.enumerate().min_by_key(|(place, every)| (*every, *place));
            let place = leader.map_or(0, |(place, _)| place);
            formula.leader = u8::try_from(place).unwrap_or(0);
            last = formula.expression.inputs().get(place).copied();
        }
        let leader = last.and_then(|id| draft.registry.datastream(id));
        let leads = leader.map(|held| (held.sampling, held.expected_every_ms));
        let Some(stream) = draft.registry.datastreams.get_mut(id.index()) else { continue };
        if let Some((sampling, expected_every_ms)) = leads {
            stream.sampling = sampling;
            stream.expected_every_ms = expected_every_ms;
            stream.statistic = match sampling {
                Sampling::Continuous => Statistic::Instant,
                Sampling::Sampled { .. } => Statistic::Sample,
            };
        }
        stream.formulas = of_one.into();
    }
    for (input, mut of_one) in feeds {
        of_one.sort_by_key(|feed| (feed.rank, feed.derived));
        if let Some(stream) = draft.registry.datastreams.get_mut(input.index()) {
            stream.feeds = of_one.into();
        }
    }
}

fn too_many(draft: &mut Draft, feeds: &BTreeMap<DatastreamId, Vec<Feed>>) {
    let mut faults: Vec<Fault> = Vec::new();
    for input in feeds.keys() {
        let mut all: BTreeSet<DatastreamId> = BTreeSet::new();
        let mut next = vec![*input];
        while let Some(of) = next.pop() {
            let fed = feeds.get(&of).into_iter().flatten().map(|feed| feed.derived);
            next.extend(fed.filter(|derived| all.insert(*derived)));
        }
        if all.len() > FEEDS_MAX {
            let name = draft.registry.datastream(*input).map_or("", |held| &held.name);
            let found = format!("{} derived datastreams that stand on `{name}`", all.len());
            let expected = format!("at most {FEEDS_MAX}, by way of others too");
            faults.push(fault_in(DERIVED.file, None, found, expected));
        }
    }
    draft.faults.extend(faults);
}
