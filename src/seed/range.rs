//! The spans of the gross range test.

use std::collections::HashMap;

use crate::domain::name::{DatastreamId, PropertyId, StationId};
use crate::domain::quality::Test;
use crate::domain::registry::GrossRange;
use crate::seed::draft::Draft;
use crate::seed::sheet::{Cells, QC, Sheets};

/// What a row is about, the widest first: the last that fits a datastream wins.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Scope {
    Property(PropertyId),
    Station(StationId, PropertyId),
    Datastream(DatastreamId),
}

/// Reads `qc.csv` and gives every datastream the row of the narrowest scope.
pub(super) fn gross_ranges(sheets: &Sheets, draft: &mut Draft) {
    let sheet = sheets.get(&QC);
    let mut ranges = HashMap::new();
    let mut faults = std::mem::take(&mut draft.faults);
    for row in &sheet.rows {
        let mut cells = sheet.cells(row, &mut faults);
        let scope = scope(&mut cells, draft);
        cells.required("source");
        cells.word("test", (Test::GrossRange.name(), ()), &[]);
        let fail = span(&mut cells, "fail_low", "fail_high");
        let suspect = span(&mut cells, "suspect_low", "suspect_high");
        if let (Some(fail), Some(suspect)) = (fail, suspect)
            && (suspect.0 < fail.0 || fail.1 < suspect.1)
        {
            cells.refuse("suspect_low", "a suspect span inside the fail span");
        }
        if fail.is_none() && suspect.is_none() {
            cells.fault("no span", "`fail_low` and `fail_high`, or the suspect ones");
        }
        let Some(scope) = scope else { continue };
        if ranges.insert(scope, GrossRange { fail, suspect }).is_some() {
            cells.refuse("scope", "each scope once");
        }
    }
    draft.faults = faults;
    let ids: Vec<DatastreamId> = draft.datastreams.ids.values().copied().collect();
    for id in ids {
        let Some(stream) = draft.registry.datastreams.get_mut(id.index()) else { continue };
        let scopes = [
            Scope::Datastream(id),
            Scope::Station(stream.station, stream.property),
            Scope::Property(stream.property),
        ];
        stream.gross_range = scopes.iter().find_map(|scope| ranges.get(scope)).copied();
    }
}

fn scope(cells: &mut Cells<'_>, draft: &Draft) -> Option<Scope> {
    match cells.text("scope").split_once(':') {
        Some(("property", name)) => {
            cells.find_part("scope", name, &draft.properties).map(Scope::Property)
        }
        Some(("datastream", name)) => {
            cells.find_part("scope", name, &draft.datastreams).map(Scope::Datastream)
        }
        Some(("station", names)) => {
            let (station, property) = names.split_once('/').unwrap_or((names, ""));
            let station = cells.find_part("scope", station, &draft.stations);
            let property = cells.find_part("scope", property, &draft.properties);
            Some(Scope::Station(station?, property?))
        }
        Some(_) | None => {
            cells.refuse("scope", "`property:NAME`, `station:NAME/property` or `datastream:NAME`");
            None
        }
    }
}

/// Reads the two ends of a span, or none of both.
fn span(cells: &mut Cells<'_>, low: &str, high: &str) -> Option<(f64, f64)> {
    match (cells.optional_number(low), cells.optional_number(high)) {
        (Some(from), Some(to)) => {
            if to <= from {
                cells.refuse(high, format_args!("more than `{low}`"));
            }
            Some((from, to))
        }
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => {
            cells.refuse(high, format_args!("both ends of the span or none, as `{low}`,"));
            None
        }
    }
}
