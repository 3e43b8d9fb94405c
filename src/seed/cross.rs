//! Checks of several properties of a station (`cross_checks.csv`), and who is whose neighbour on a
//! river.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::expression::{Expression, Found, Named, Wrong};
use crate::domain::name::{DatastreamId, PlaceId, StationId};
use crate::domain::quality::Test;
use crate::domain::registry::{
    CrossCheck, CrossKind, Datastream, Neighbour, OneSided, Sampling, Station, Statistic,
};
use crate::domain::unit::UnitIndex;
use crate::seed::draft::Draft;
use crate::seed::fault_in;
use crate::seed::sheet::{CROSS_CHECKS, Cells, Sheets, quoted};

/// How many checks may flag, or look at, one datastream: what a single value can have worked out.
pub(super) const CHECKS_MAX: usize = 16;
/// How many samples of an analyser may have to be alike.
const SAMPLES_MAX: usize = 48;

/// Where a row holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Scope {
    Everywhere,
    Place(PlaceId),
    Station(StationId),
}

/// A row, before it is made one of a station.
struct Line<'a> {
    name: &'a str,
    scope: Scope,
    test: Test,
    text: &'a str,
    unit: UnitIndex,
    fail: OneSided,
    suspect: OneSided,
    samples: usize,
    judges: Vec<&'a str>,
}

/// Reads `cross_checks.csv`. A row is a check at every station in its scope, and there at every
/// position, that has all that it names.
pub(super) fn checks(sheets: &Sheets, draft: &mut Draft) {
    let sheet = sheets.get(&CROSS_CHECKS);
    let mut faults = std::mem::take(&mut draft.faults);
    let mut made: Vec<Arc<CrossCheck>> = Vec::new();
    let mut seen = BTreeSet::new();
    for row in &sheet.rows {
        let mut cells = sheet.cells(row, &mut faults);
        let Some(line) = line(&mut cells, draft) else { continue };
        if !seen.insert((line.name.to_owned(), cells.text("scope").to_owned())) {
            cells.refuse("check", "each check once for a scope");
            continue;
        }
        let mut found = 0;
        for station in draft.registry.stations.iter().filter(|one| covers(draft, line.scope, one)) {
            for position in positions(draft, station) {
                match made_at(draft, &line, station, &position) {
                    Ok(Some(check)) => {
                        found += 1;
                        made.push(Arc::new(check));
                    }
                    Ok(None) => {}
                    Err(wrongs) => {
                        found += 1;
                        for Wrong { found, expected } in wrongs {
                            cells.fault(found, format!("in `expression` {expected}"));
                        }
                        break;
                    }
                }
            }
            // What is wrong is wrong at every station.
            if cells.faults.iter().any(|fault| fault.line == Some(row.line)) {
                break;
            }
        }
        if found == 0 && line.scope != Scope::Everywhere && draft.datastreams.whole {
            cells.refuse("scope", "a place or station that has all that the check names");
        }
    }
    draft.faults = faults;
    hand_out(draft, &made);
}

fn line<'a>(cells: &mut Cells<'a>, draft: &Draft) -> Option<Line<'a>> {
    let name = cells.name("check");
    cells.required("source");
    let scope = scope(cells, draft);
    let test = cells.word(
        "test",
        (Test::MultiVariate.name(), Test::MultiVariate),
        &[
            (Test::OutOfWater.name(), Test::OutOfWater),
            (Test::StaleAnalyser.name(), Test::StaleAnalyser),
        ],
    );
    let judges: Vec<&str> = cells.text("judges").split_whitespace().collect();
    for judged in &judges {
        cells.find_part("judges", judged, &draft.properties);
    }
    let side = |cells: &mut Cells<'_>, low: &str, high: &str| OneSided {
        low: cells.optional_number(low),
        high: cells.optional_number(high),
    };
    let fail = side(cells, "fail_low", "fail_high");
    let suspect = side(cells, "suspect_low", "suspect_high");
    let mut line = Line {
        name,
        scope: scope?,
        test,
        text: cells.text("expression"),
        unit: UnitIndex(0),
        fail,
        suspect,
        samples: 0,
        judges,
    };
    if test == Test::StaleAnalyser {
        let unused = ["expression", "unit", "fail_low", "fail_high", "suspect_low", "suspect_high"];
        cells.empty(&unused, test.name());
        if line.judges.len() < 2 {
            cells.refuse("judges", "the items of an analyser, two at least,");
        }
        let samples = cells.text("samples").parse::<usize>().unwrap_or(0);
        if !(2..=SAMPLES_MAX).contains(&samples) {
            cells.refuse("samples", format_args!("a number from 2 to {SAMPLES_MAX}"));
        }
        line.samples = samples;
        return Some(line);
    }
    cells.empty(&["samples"], test.name());
    cells.required("expression");
    if fail == OneSided::default() && suspect == OneSided::default() {
        cells.fault("no bound", "one of `fail_low`, `fail_high`, `suspect_low`, `suspect_high`");
    }
    let outside = |suspect: Option<f64>| suspect.is_some_and(|one| fail.excludes(one));
    if outside(suspect.low) || outside(suspect.high) {
        cells.refuse("suspect_low", "suspect bounds inside the fail bounds");
    }
    let unit = cells.text("unit");
    let Some(known) = draft.registry.units.find(unit) else {
        cells.refuse("unit", "a unit of units.csv, that of the expression,");
        return None;
    };
    line.unit = known;
    Some(line)
}

fn scope(cells: &mut Cells<'_>, draft: &Draft) -> Option<Scope> {
    match cells.text("scope").split_once(':') {
        None if cells.text("scope") == "all" => Some(Scope::Everywhere),
        Some(("place", name)) => cells.find_part("scope", name, &draft.places).map(Scope::Place),
        Some(("station", name)) => {
            cells.find_part("scope", name, &draft.stations).map(Scope::Station)
        }
        Some(_) | None => {
            cells.refuse("scope", "`all`, or `place:` or `station:` and a name");
            None
        }
    }
}

fn covers(draft: &Draft, scope: Scope, station: &Station) -> bool {
    match scope {
        Scope::Everywhere => true,
        Scope::Station(id) => id == station.id,
        Scope::Place(id) => {
            let up = |place: &PlaceId| draft.registry.places.get(place.index())?.part_of;
            std::iter::successors(Some(station.place), up).any(|place| place == id)
        }
    }
}

/// Gives the positions of a station, the empty one among them.
fn positions(draft: &Draft, station: &Station) -> BTreeSet<Box<str>> {
    let streams = station.datastreams.iter().filter_map(|id| draft.registry.datastream(*id));
    streams.map(|stream| stream.position.clone()).collect()
}

/// Makes the check of a row at a position of a station; nothing if it lacks a datastream of it.
fn made_at(
    draft: &Draft,
    line: &Line<'_>,
    station: &Station,
    position: &str,
) -> Result<Option<CrossCheck>, Vec<Wrong>> {
    let own = |property: &str| at(draft, station, position, property);
    let mut judges = Vec::new();
    let kind = if line.test == Test::StaleAnalyser {
        let sampled = |id: &DatastreamId| {
            let sampling = draft.registry.datastream(*id).map(|stream| stream.sampling);
            matches!(sampling, Some(Sampling::Sampled { .. }))
        };
        judges.extend(line.judges.iter().filter_map(|one| own(one)).filter(sampled));
        let here = |id: &DatastreamId| {
            draft.registry.datastream(*id).is_some_and(|stream| *stream.position == *position)
        };
        if judges.len() < line.judges.len() || !judges.iter().any(here) {
            return Ok(None);
        }
        CrossKind::Repeats { samples: line.samples }
    } else {
        let (mut lacks, mut local) = (false, position.is_empty());
        let mut find = |named: Named<'_>| {
            let (found, here) = input(draft, station, position, named);
            lacks |= matches!(found, Err(None));
            local |= here;
            found
        };
        let units = &draft.registry.units;
        let compiled = Expression::compile(line.text, units, line.unit, &mut find);
        // A check of what stands without a position, or at positions that it names, is made once.
        if lacks || !local {
            return Ok(None);
        }
        let expression = compiled?;
        let inputs = expression.inputs();
        if line.judges.is_empty() {
            judges.extend(inputs);
        } else {
            judges.extend(line.judges.iter().filter_map(|one| own(one)));
        }
        CrossKind::Expression { expression, fail: line.fail, suspect: line.suspect }
    };
    judges.sort_unstable();
    judges.dedup();
    let (name, text, judges) = (line.name.into(), line.text.into(), judges.into());
    Ok(Some(CrossCheck { name, test: line.test, kind, text, judges }))
}

/// Finds the instants or samples of a property at a position; those of the station as a whole where
/// the position has none.
fn at(draft: &Draft, station: &Station, position: &str, property: &str) -> Option<DatastreamId> {
    let name = match position {
        "" => format!("{}/{property}", station.name),
        _ => format!("{}/{position}/{property}", station.name),
    };
    let whole = || draft.datastreams.ids.get(format!("{}/{property}", station.name).as_str());
    let id = draft.datastreams.ids.get(name.as_str()).or_else(whole).copied()?;
    let stream = draft.registry.datastream(id)?;
    matches!(stream.statistic, Statistic::Instant | Statistic::Sample).then_some(id)
}

/// Looks a datastream up that an expression names, and says whether it is one of the position
/// because it stands there. What a station lacks is no fault: nothing is found then.
fn input(draft: &Draft, station: &Station, position: &str, named: Named<'_>) -> (Found, bool) {
    let mut here = false;
    let id = match named {
        Named::Property(property) => {
            if draft.properties.whole && !draft.properties.ids.contains_key(property) {
                let expected = "a property of properties.csv".to_owned();
                return (Err(Some(Wrong { found: quoted(property), expected })), false);
            }
            at(draft, station, position, property)
        }
        Named::At(part, property) => {
            // Of a meter at a position, its own phase.
            here = true;
            let whole = match position {
                "" => part.to_owned(),
                _ => format!("{position}-{part}"),
            };
            let name = format!("{}/{whole}/{property}", station.name);
            draft.datastreams.ids.get(name.as_str()).copied()
        }
        Named::Whole(name) => draft.datastreams.ids.get(name).copied(),
    };
    let stream = id.and_then(|id| draft.registry.datastream(id));
    let Some(stream) = stream else { return (Err(None), false) };
    let Some(property) = draft.registry.property(stream.property) else {
        return (Err(None), false);
    };
    here |= matches!(named, Named::Property(_)) && *stream.position == *position;
    (Ok((stream.id, property.unit)), here)
}

/// Gives every datastream the checks that flag it and those that look at it to flag others.
fn hand_out(draft: &mut Draft, made: &[Arc<CrossCheck>]) {
    let mut judged: BTreeMap<DatastreamId, Vec<Arc<CrossCheck>>> = BTreeMap::new();
    let mut informs: BTreeMap<DatastreamId, Vec<Arc<CrossCheck>>> = BTreeMap::new();
    for check in made {
        for id in &check.judges {
            judged.entry(*id).or_default().push(Arc::clone(check));
        }
        for id in check.inputs() {
            if check.judges.iter().any(|judged| judged != id) {
                informs.entry(*id).or_default().push(Arc::clone(check));
            }
        }
    }
    for (id, checks) in judged.iter().chain(&informs) {
        if checks.len() > CHECKS_MAX {
            let name = draft.registry.datastream(*id).map_or("", |stream| &stream.name);
            let found = format!("{} checks that flag or look at `{name}`", checks.len());
            let expected = format!("at most {CHECKS_MAX}");
            draft.faults.push(fault_in(CROSS_CHECKS.file, None, found, expected));
        }
    }
    for (id, checks) in judged {
        if let Some(stream) = draft.registry.datastreams.get_mut(id.index()) {
            stream.standing.judged_by = checks.into();
        }
    }
    for (id, checks) in informs {
        if let Some(stream) = draft.registry.datastreams.get_mut(id.index()) {
            stream.standing.informs = checks.into();
        }
    }
}

/// Gives every datastream whose climatology goes by another property that property's datastream: at
/// its position before elsewhere.
pub(super) fn companions(draft: &mut Draft) {
    let registry = &draft.registry;
    let mut found: BTreeMap<DatastreamId, Vec<DatastreamId>> = BTreeMap::new();
    for stream in registry.datastreams.iter() {
        let Some(property) = stream.qc.companion else { continue };
        let ids = registry.station(stream.station).map_or(&[][..], |one| &one.datastreams);
        let streams = ids.iter().filter_map(|id| registry.datastream(*id));
        let of = streams.filter(|one| one.property == property && one.id != stream.id);
        let of = of.min_by_key(|one| (one.position != stream.position, one.slot));
        if let Some(of) = of {
            found.entry(of.id).or_default().push(stream.id);
        }
    }
    for (companion, of) in found {
        for id in &of {
            if let Some(stream) = draft.registry.datastreams.get_mut(id.index()) {
                stream.standing.companion = Some(companion);
            }
        }
        if let Some(stream) = draft.registry.datastreams.get_mut(companion.index()) {
            stream.standing.accompanies = of.into();
        }
    }
}

/// Gives every datastream whose seeds ask for it the same property up and down the river.
pub(super) fn neighbours(draft: &mut Draft) {
    let mut found: BTreeMap<DatastreamId, Vec<Neighbour>> = BTreeMap::new();
    let registry = &draft.registry;
    let of_station = |station: StationId, like: &Datastream| {
        let ids = registry.station(station).map_or(&[][..], |one| &one.datastreams);
        let streams = ids.iter().filter_map(|id| registry.datastream(*id));
        let same = streams.filter(|one| {
            (one.property, one.statistic) == (like.property, like.statistic)
                && one.period_ms == like.period_ms
        });
        same.min_by_key(|one| (one.position != like.position, one.slot)).map(|one| one.id)
    };
    for stream in registry.datastreams.iter().filter(|stream| stream.qc.neighbour.is_some()) {
        for reach in &registry.reaches {
            let (station, low_ms, high_ms) = if reach.downstream == stream.station {
                (reach.upstream, reach.low_ms, reach.high_ms)
            } else if reach.upstream == stream.station {
                (reach.downstream, -reach.high_ms, -reach.low_ms)
            } else {
                continue;
            };
            let Some(datastream) = of_station(station, stream) else { continue };
            let neighbour = Neighbour { datastream, low_ms, high_ms };
            found.entry(stream.id).or_default().push(neighbour);
        }
    }
    for (id, neighbours) in found {
        if let Some(stream) = draft.registry.datastreams.get_mut(id.index()) {
            stream.standing.neighbours = neighbours.into();
        }
    }
}
