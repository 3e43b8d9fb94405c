//! Counters: the meters behind the datastreams that count.

use crate::domain::name::{DatastreamId, PlaceId};
use crate::domain::registry::{Combine, Counter, Datastream, Dial, Meter, MeterRole, Statistic};
use crate::seed::draft::{Draft, china};
use crate::seed::fault_in;
use crate::seed::sheet::{COUNTERS, Cells, DEVICES, PROFILES, Sheets};

/// From how many expected intervals on two readings of a counter are a gap.
const GAP_INTERVALS: i64 = 3;
/// The classes of customers that the rule of the power factor knows.
pub(super) const TARIFFS: [&str; 3] = ["hv_industry", "industry", "farm"];

/// Reads `counters.csv`. Every counter must have a row, because without its maximum nobody can
/// tell a rollover from a reset.
pub(super) fn counters(sheets: &Sheets, draft: &mut Draft) {
    let sheet = sheets.get(&COUNTERS);
    for row in &sheet.rows {
        let name = sheet.text(row, "datastream");
        let held = draft.datastreams.ids.get(name).and_then(|id| draft.registry.datastream(*id));
        let held = held.map(|held| (held.station, held.expected_every_ms));
        let zone = held.map_or_else(china, |(station, _)| draft.zone(station));
        let counts = held.is_none()
            || draft.registry.datastreams.iter().any(|one| *one.name == *name && is_total(one));
        let usual = held.and_then(|(station, _)| draft.registry.station(station));
        let usual = usual.map(|station| station.place);
        let mut cells = sheet.cells(row, &mut draft.faults);
        let datastream = cells.find("datastream", &draft.datastreams);
        if !counts {
            cells.refuse("datastream", "a datastream of statistic `total` and no period");
        }
        cells.required("source");
        let dial = dial(&mut cells);
        let place = match cells.text("place") {
            "" => usual,
            _ => cells.find("place", &draft.places),
        };
        let meter = Meter {
            number: cells.text("meter").into(),
            dial: dial.unwrap_or(Dial::STAND_IN),
            role: role(&mut cells),
            place: place.unwrap_or(PlaceId(0)),
            tariff: tariff(&mut cells, "tariff").into(),
            validity: cells.validity(&zone),
        };
        let (Some(id), Some((_, every))) = (datastream, held) else { continue };
        let gap_ms = every.saturating_mul(GAP_INTERVALS);
        let counters = &mut draft.registry.energy.counters;
        let counter = counters.entry(id).or_insert(Counter { meters: Vec::new(), gap_ms });
        if counter.meters.iter().any(|earlier| earlier.validity.overlaps(&meter.validity)) {
            let found = format!("a second meter of `{name}` at that time");
            cells.fault(found, "one meter of a datastream at a time");
        }
        let other = |earlier: &&Meter| earlier.number == meter.number && !meter.number.is_empty();
        if let Some(earlier) = counter.meters.iter().find(other)
            && (earlier.dial.maximum, earlier.dial.resolution)
                != (meter.dial.maximum, meter.dial.resolution)
        {
            cells.refuse("meter", "one maximum and resolution of a meter, or another number");
        }
        counter.meters.push(meter);
        counter.meters.sort_by_key(|meter| meter.validity.from);
    }
    if sheet.whole || sheet.rows.is_empty() {
        without_a_row(sheets, draft);
    }
}

fn dial(cells: &mut Cells<'_>) -> Option<Dial> {
    let before = cells.faults.len();
    let mut above = |column: &str, what: &str| {
        let number = cells.text(column).parse::<f64>().ok().filter(|number| number.is_finite());
        if number.is_none_or(|number| number <= 0.0) {
            cells.refuse(column, what);
        }
        number.unwrap_or(1.0)
    };
    let maximum = above("maximum", "the highest state that the meter shows, such as `999999.99`,");
    let resolution = above("resolution", "the step of its last digit, such as `0.01`,");
    let ct = above("ct", "the ratio of the current transformers, 1 where there are none,");
    let pt = above("pt", "the ratio of the voltage transformers, 1 where there are none,");
    if cells.faults.len() > before {
        return None;
    }
    let dial = Dial::new(maximum, resolution, ct, pt);
    if dial.is_none() {
        let found = format!("maximum {maximum}, resolution {resolution}, ct {ct}, pt {pt}");
        cells.fault(
            found,
            "a resolution below the maximum with at most 6 decimals, ratios with at most 3, and a \
             range up to 1e12 after them",
        );
    }
    dial
}

fn role(cells: &mut Cells<'_>) -> MeterRole {
    let [first, rest @ ..] = MeterRole::ALL.map(|role| (role.word(), role));
    cells.word("role", first, &rest)
}

/// Reads a class of customers, or an empty cell.
pub(super) fn tariff<'a>(cells: &mut Cells<'a>, column: &str) -> &'a str {
    let [one, two, three] = TARIFFS.map(|word| (word, ()));
    cells.word(column, ("", ()), &[one, two, three]);
    cells.text(column)
}

fn is_total(stream: &Datastream) -> bool {
    stream.statistic == Statistic::Total && stream.period_ms.is_none()
}

/// Refuses a counter that no row speaks of, at the device that sends it.
fn without_a_row(sheets: &Sheets, draft: &mut Draft) {
    let mut absent: Vec<(DatastreamId, &'static str, u64, String)> = Vec::new();
    for id in draft.datastreams.ids.values() {
        let Some(stream) = draft.registry.datastream(*id) else { continue };
        let Some(property) = draft.registry.property(stream.property) else { continue };
        let held = draft.registry.energy.counters.contains_key(id);
        if property.combine != Combine::Counter || !is_total(stream) || held {
            continue;
        }
        let station = draft.registry.station(stream.station).map_or("", |station| &station.name);
        let (table, line) = sender(sheets, station, &property.name);
        absent.push((*id, table, line, stream.name.to_string()));
    }
    for (_, table, line, name) in absent {
        let found = format!("`{name}`, a counter that no row of `counters.csv` speaks of");
        let expected = "a row there with its `maximum`, so that a rollover can be told";
        draft.faults.push(fault_in(table, Some(line).filter(|line| *line > 0), found, expected));
    }
}

/// Finds the row of the device at a station that sends totals of a property.
fn sender(sheets: &Sheets, station: &str, property: &str) -> (&'static str, u64) {
    let (devices, profiles) = (sheets.get(&DEVICES), sheets.get(&PROFILES));
    let sends = |profile: &str| {
        profiles.rows.iter().any(|row| {
            profiles.text(row, "profile") == profile
                && profiles.text(row, "property") == property
                && profiles.text(row, "statistic") == "total"
        })
    };
    let mine = devices
        .rows
        .iter()
        .find(|row| devices.text(row, "station") == station && sends(devices.text(row, "profile")));
    (DEVICES.file, mine.map_or(0, |row| row.line))
}
