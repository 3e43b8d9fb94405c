//! Places, stations and the water's way between them.

use std::collections::HashSet;

use crate::domain::name::{NameKind, PlaceId, SetId, StationId};
use crate::domain::registry::{Place, Reach, Station, StationGrade, StationSet, StationStage};
use crate::domain::time::MINUTE;
use crate::seed::draft::{Draft, china};
use crate::seed::sheet::{Cells, MEMBERS, PLACES, REACHES, STATIONS, Sheets};

/// Reads `places.csv`. A place may lie in one that a later row names.
pub(super) fn places(sheets: &Sheets, draft: &mut Draft) {
    let sheet = sheets.get(&PLACES);
    draft.places.whole = sheet.whole;
    for row in &sheet.rows {
        let mut cells = sheet.cells(row, &mut draft.faults);
        let name = cells.name("place");
        let id = PlaceId(draft.names.id(NameKind::Place, name));
        if draft.places.ids.insert(name.into(), id).is_some() {
            cells.refuse("place", "each place once");
        }
        let place = Place {
            id,
            name: name.into(),
            kind: cells.name("kind").into(),
            name_en: cells.text("name_en").into(),
            name_zh: cells.text("name_zh").into(),
            part_of: None,
            grid: cells.text("grid").into(),
        };
        draft.registry.places.put(id.index(), place);
    }
    for row in &sheet.rows {
        let mut cells = sheet.cells(row, &mut draft.faults);
        if cells.text("part_of").is_empty() {
            continue;
        }
        let Some(part_of) = cells.find("part_of", &draft.places) else { continue };
        let Some(id) = draft.places.ids.get(cells.text("place")) else { continue };
        // Every earlier row hangs together without a circle, so the walk ends.
        let mut above = Some(part_of);
        while let Some(place) = above.filter(|place| place != id) {
            above = draft.registry.places.get(place.index()).and_then(|place| place.part_of);
        }
        if above.is_some() {
            cells.refuse("part_of", "a place that does not lie in this one");
        } else if let Some(place) = draft.registry.places.get_mut(id.index()) {
            place.part_of = Some(part_of);
        }
    }
}

/// Reads `stations.csv`.
pub(super) fn stations(sheets: &Sheets, draft: &mut Draft) {
    let sheet = sheets.get(&STATIONS);
    draft.stations.whole = sheet.whole;
    for row in &sheet.rows {
        let mut cells = sheet.cells(row, &mut draft.faults);
        let name = cells.name("station");
        let place = cells.find("place", &draft.places);
        let zone = cells.zone(china());
        let section = cells.word(
            "section",
            ("", ""),
            &[("river", "river"), ("lake", "lake"), ("outfall", "outfall")],
        );
        let station = Station {
            id: StationId(draft.names.id(NameKind::Station, name)),
            name: name.into(),
            place: place.unwrap_or(PlaceId(0)),
            name_en: cells.text("name_en").into(),
            name_zh: cells.text("name_zh").into(),
            latitude: degrees(&mut cells, "latitude", 90.0),
            longitude: degrees(&mut cells, "longitude", 180.0),
            validity: cells.validity(&zone),
            zone,
            target_class: cells.text("target_class").into(),
            other_classes: cells.text("other_classes").split_whitespace().map(Box::from).collect(),
            section: section.into(),
            do_saturation: cells.word(
                "do_saturation",
                ("", false),
                &[("yes", true), ("no", false)],
            ),
            grade: cells.word(
                "grade",
                ("", StationGrade::Reference),
                &[("reference", StationGrade::Reference), ("indicative", StationGrade::Indicative)],
            ),
            stage: cells.word(
                "stage",
                ("", StationStage::Formal),
                &[("formal", StationStage::Formal), ("trial", StationStage::Trial)],
            ),
            operator: cells.text("operator").into(),
            datastreams: Vec::new(),
        };
        let id = station.id;
        if draft.stations.ids.insert(name.into(), id).is_some() {
            cells.refuse("station", "each station once");
        }
        draft.registry.stations.put(id.index(), station);
    }
}

fn degrees(cells: &mut Cells<'_>, column: &str, most: f64) -> Option<f64> {
    let degrees = cells.optional_number(column)?;
    if degrees.abs() > most {
        cells.refuse(column, format_args!("degrees from -{most} to {most}"));
    }
    Some(degrees)
}

/// Reads `members.csv`.
pub(super) fn members(sheets: &Sheets, draft: &mut Draft) {
    let sheet = sheets.get(&MEMBERS);
    for row in &sheet.rows {
        let zone = draft.stations.ids.get(sheet.text(row, "station")).copied();
        let zone = zone.map_or_else(china, |station| draft.zone(station));
        let mut cells = sheet.cells(row, &mut draft.faults);
        let name = cells.name("set");
        cells.required("source");
        let station = cells.find("station", &draft.stations);
        let validity = cells.validity(&zone);
        let id = SetId(draft.names.id(NameKind::Set, name));
        let Some(station) = station else { continue };
        if draft.registry.sets.get(id.index()).is_none() {
            let set = StationSet { id, name: name.into(), members: Vec::new() };
            draft.registry.sets.put(id.index(), set);
        }
        let Some(set) = draft.registry.sets.get_mut(id.index()) else { continue };
        let again =
            set.members.iter().any(|(other, held)| *other == station && held.overlaps(&validity));
        if again {
            cells.refuse("station", "each station of a set once at a time");
        }
        set.members.push((station, validity));
    }
}

/// Reads `reaches.csv`.
pub(super) fn reaches(sheets: &Sheets, draft: &mut Draft) {
    let sheet = sheets.get(&REACHES);
    let mut seen = HashSet::new();
    for row in &sheet.rows {
        let mut cells = sheet.cells(row, &mut draft.faults);
        let upstream = cells.find("upstream", &draft.stations);
        let downstream = cells.find("downstream", &draft.stations);
        let (low, high) = (minutes(&mut cells, "minutes_low"), minutes(&mut cells, "minutes_high"));
        if high < low {
            cells.refuse("minutes_high", "no less than `minutes_low`");
        }
        let (Some(upstream), Some(downstream)) = (upstream, downstream) else { continue };
        if upstream == downstream {
            cells.refuse("downstream", "another station than upstream");
        }
        if !seen.insert((upstream, downstream)) {
            cells.refuse("downstream", "each reach once");
        }
        // Every earlier row is without a circle, so the walk ends.
        let (mut next, mut below) = (vec![downstream], HashSet::new());
        while let Some(station) = next.pop() {
            if below.insert(station) {
                let into = draft.registry.reaches.iter();
                next.extend(into.filter(|one| one.upstream == station).map(|one| one.downstream));
            }
        }
        if upstream != downstream && below.contains(&upstream) {
            let expected = "a river that does not flow in a circle: the rows above lead from there \
                            to `upstream`";
            cells.refuse("downstream", expected);
            continue;
        }
        let reach = Reach { upstream, downstream, low_ms: low, high_ms: high };
        draft.registry.reaches.push(reach);
    }
}

fn minutes(cells: &mut Cells<'_>, column: &str) -> i64 {
    let minutes = cells.text(column).parse::<u32>().ok();
    if minutes.is_none() {
        cells.refuse(column, "whole minutes");
    }
    i64::from(minutes.unwrap_or(0)) * MINUTE
}
