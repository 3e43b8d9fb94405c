//! The site's calendar: what is done or happens at a station, or in a place and what lies in it,
//! and what that makes of the values of its time.

use std::collections::BTreeMap;

use crate::domain::name::{DatastreamId, PlaceId, PropertyId, StationId};
use crate::domain::quality::{Flag, Test, Tests};
use crate::domain::registry::{
    CalendarEntry, CalendarRow, Datastream, Registry, SiteCalendar, SiteState,
};
use crate::domain::time::{Timestamp, Validity};
use crate::seed::draft::{Draft, china};
use crate::seed::sheet::{CALENDAR, Cells, Sheets};

/// The tests that a row may leave out: those that are about the water and the sensor in it. That
/// there is no value, what a clock or the device itself says, and what persons and checks say,
/// nobody can switch off.
const LEFT_OUT: [Test; 14] = [
    Test::GrossRange,
    Test::Climatology,
    Test::Spike,
    Test::RateOfChange,
    Test::FlatLine,
    Test::AttenuatedSignal,
    Test::TimingGap,
    Test::MultiVariate,
    Test::Neighbour,
    Test::StaleAnalyser,
    Test::OutOfWater,
    Test::UnitMistake,
    Test::Drift,
    Test::Counter,
];

/// Where a row holds.
#[derive(Clone, Copy)]
enum Site {
    Station(StationId),
    Place(PlaceId),
}

/// Reads `calendar.csv` and gives every datastream what is said of it.
pub(super) fn calendar(sheets: &Sheets, draft: &mut Draft) {
    let sheet = sheets.get(&CALENDAR);
    let mut entries: BTreeMap<DatastreamId, Vec<CalendarEntry>> = BTreeMap::new();
    let mut faults = std::mem::take(&mut draft.faults);
    for row in &sheet.rows {
        let mut cells = sheet.cells(row, &mut faults);
        let site = site(&mut cells, draft);
        let state = cells.word("kind", SITE_STATES.0, SITE_STATES.1);
        let property = match cells.text("property") {
            "" => None,
            _ => cells.find("property", &draft.properties),
        };
        let (person, reason) = (cells.required("person"), cells.required("reason"));
        cells.required("source");
        let (flag, without) = made_of(&mut cells, state);
        let zone = match site {
            Some(Site::Station(station)) => draft.zone(station),
            Some(Site::Place(place)) => {
                let mut there = draft.registry.stations.iter();
                let first = there.find(|one| lies_in(&draft.registry, one.place, place));
                first.map_or_else(china, |station| station.zone.clone())
            }
            None => china(),
        };
        let Validity { from, to } = cells.validity(&zone);
        if cells.text("from").is_empty() {
            cells.refuse("from", "a date or a date and time");
        }
        let (Some(site), Some(from)) = (site, from) else { continue };
        let to = to.unwrap_or(Timestamp(i64::MAX));
        let number = u32::try_from(draft.registry.calendar.len()).unwrap_or(u32::MAX);
        let rows = [number].into();
        let entry = CalendarEntry { from, to, flag, without, rows };
        let mut none = true;
        for datastream in draft.registry.datastreams.iter() {
            if holds(&draft.registry, site, property, datastream) {
                none = false;
                // What a device states of an interval is about every instant of it.
                let stated_ms = datastream.period_ms.unwrap_or(0);
                let from = from.plus(-(stated_ms - 1).max(0));
                let of = entries.entry(datastream.id).or_default();
                of.push(CalendarEntry { from, ..entry.clone() });
            }
        }
        let mut all = draft.registry.datastreams.iter();
        // Not everywhere in a place all of it is measured.
        let station = matches!(site, Site::Station(_)) && property.is_some();
        if station
            && none
            && draft.datastreams.whole
            && all.any(|datastream| holds(&draft.registry, site, None, datastream))
        {
            cells.refuse("property", "a property that is measured there");
        }
        let (person, reason) = (person.into(), reason.into());
        draft.registry.calendar.push(CalendarRow { state, person, reason });
    }
    draft.faults = faults;
    for (id, entries) in entries {
        if let Some(stream) = draft.registry.datastreams.get_mut(id.index()) {
            stream.calendar = SiteCalendar::of(&entries);
        }
    }
}

/// The words for kinds, as [`Cells::word`] takes them.
const SITE_STATES: ((&str, SiteState), &[(&str, SiteState)]) = {
    let [first, ref rest @ ..] = SiteState::ALL;
    (first, rest)
};

fn site(cells: &mut Cells<'_>, draft: &Draft) -> Option<Site> {
    match (cells.text("station"), cells.text("place")) {
        ("", "") => {
            cells.fault("neither station nor place", "one of `station` and `place`");
            None
        }
        (_, "") => cells.find("station", &draft.stations).map(Site::Station),
        ("", _) => cells.find("place", &draft.places).map(Site::Place),
        (_, _) => {
            cells.refuse("place", "nothing beside a station");
            None
        }
    }
}

/// Reads what a row makes of values: its own words, or what is usual for its kind.
fn made_of(cells: &mut Cells<'_>, state: SiteState) -> (Flag, Tests) {
    let (flag, without) = state.usual();
    let own = cells.text("without");
    let flag = match (cells.text("flag"), own) {
        ("", "") => return (flag, without),
        // Who leaves tests out doubts no value.
        ("", _) => Flag::NotEvaluated,
        (_, _) => cells.word(
            "flag",
            ("fail", Flag::Fail),
            &[("suspect", Flag::Suspect), ("none", Flag::NotEvaluated)],
        ),
    };
    let mut tests = Tests::default();
    for word in own.split_whitespace() {
        match LEFT_OUT.into_iter().find(|test| test.name() == word) {
            Some(test) => tests = tests.with(test),
            None => {
                let known = LEFT_OUT.map(Test::name).join(" ");
                cells.refuse("without", format_args!("tests, with spaces between, of: {known};"));
                break;
            }
        }
    }
    (flag, tests)
}

fn holds(
    registry: &Registry,
    site: Site,
    property: Option<PropertyId>,
    datastream: &Datastream,
) -> bool {
    let there = match site {
        Site::Station(station) => datastream.station == station,
        Site::Place(place) => registry
            .station(datastream.station)
            .is_some_and(|station| lies_in(registry, station.place, place)),
    };
    there && property.is_none_or(|property| datastream.property == property)
}

/// Says whether a place is another or lies in it.
fn lies_in(registry: &Registry, place: PlaceId, other: PlaceId) -> bool {
    let above = |place: &PlaceId| registry.places.get(place.index()).and_then(|one| one.part_of);
    std::iter::successors(Some(place), above).any(|one| one == other)
}
