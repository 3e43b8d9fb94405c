//! Where things stand: places, stations, named sets of stations, and the water's way between them.

use jiff::tz::TimeZone;

use crate::domain::evaluation::Evaluated;
use crate::domain::name::{DatastreamId, PlaceId, SetId, StationId};
use crate::domain::registry::Registry;
use crate::domain::time::{Timestamp, Validity};

/// A named set of stations: those of a city's air quality index, the sections of a river.
#[derive(Clone, Debug)]
pub struct StationSet {
    /// Its id.
    pub id: SetId,
    /// Its name.
    pub name: Box<str>,
    /// Its stations, in the order of the seeds, and from when to when each belongs to it.
    pub members: Vec<(StationId, Validity)>,
}

impl StationSet {
    /// Gives the stations that belong to it at a time, in the order of the seeds.
    pub fn members_at(&self, at: Timestamp) -> impl Iterator<Item = StationId> {
        self.members.iter().filter(move |(_, held)| held.holds(at)).map(|(station, _)| *station)
    }
}

/// What a station's verdicts are worth.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum StationGrade {
    /// Of the standard method: its verdicts have legal weight.
    #[default]
    Reference,
    /// Of small sensors and the like: it shows what is going on, and gets no legal verdict.
    Indicative,
}

/// In which state of its life a station is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum StationStage {
    /// On trial: watched, but nobody on duty is called for it.
    Trial,
    /// In formal service.
    #[default]
    Formal,
}

/// A river, lake, park or city.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its id.
    pub id: PlaceId,
    /// Its name in topics and tags.
    pub name: Box<str>,
    /// `river`, `lake`, `park` …
    pub kind: Box<str>,
    /// English name.
    pub name_en: Box<str>,
    /// Chinese name.
    pub name_zh: Box<str>,
    /// The place it lies in.
    pub part_of: Option<PlaceId>,
    /// The region of the electric grid that feeds it, as factors.csv calls it; empty where it is
    /// that of the place it lies in.
    pub grid: Box<str>,
}

/// A station (SensorThings: Thing).
#[derive(Clone, Debug)]
pub struct Station {
    /// Its id.
    pub id: StationId,
    /// Its name in tags.
    pub name: Box<str>,
    /// Where it stands.
    pub place: PlaceId,
    /// English name.
    pub name_en: Box<str>,
    /// Chinese name.
    pub name_zh: Box<str>,
    /// Degrees north, if known.
    pub latitude: Option<f64>,
    /// Degrees east, if known.
    pub longitude: Option<f64>,
    /// The zone of its hours and days.
    pub zone: TimeZone,
    /// The class it must meet, empty where it has none.
    pub target_class: Box<str>,
    /// Further classes whose limits hold for it, such as `drinking-source` or a discharge permit.
    pub other_classes: Vec<Box<str>>,
    /// Which column of GB 3838-2002 holds for it: `river` or `lake`; empty where neither.
    pub section: Box<str>,
    /// Whether 90 % of saturation also meet class I of dissolved oxygen here.
    pub do_saturation: bool,
    /// What its verdicts are worth.
    pub grade: StationGrade,
    /// In which state of its life it is.
    pub stage: StationStage,
    /// The company that runs it; empty where none is named.
    pub operator: Box<str>,
    /// When it is in service.
    pub validity: Validity,
    /// Its datastreams, in the order of their ids. The place in this list is the datastream's
    /// slot in the state of the station.
    pub datastreams: Vec<DatastreamId>,
}

/// The water's way between two stations: a row of `reaches.csv`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reach {
    /// The station upstream.
    pub upstream: StationId,
    /// The station downstream.
    pub downstream: StationId,
    /// The shortest travel time, ms.
    pub low_ms: i64,
    /// The longest travel time, ms.
    pub high_ms: i64,
}

impl Registry {
    /// Gives the name of whom an evaluation is about; nothing if the edition doesn't know it.
    #[must_use]
    pub fn evaluated_name(&self, subject: Evaluated) -> &str {
        match subject {
            Evaluated::Station(id) => self.station(id).map_or("", |one| &one.name),
            Evaluated::Set(id) => self.sets.get(id.index()).map_or("", |one| &one.name),
            Evaluated::Place(id) => self.places.get(id.index()).map_or("", |one| &one.name),
        }
    }

    /// Gives its zone: of a set or place that of its first station.
    #[must_use]
    pub fn evaluated_zone(&self, subject: Evaluated) -> &TimeZone {
        const UTC: &TimeZone = &TimeZone::UTC;
        let first = match subject {
            Evaluated::Station(id) => self.station(id),
            Evaluated::Set(id) => {
                let first = self.sets.get(id.index()).and_then(|set| set.members.first());
                first.and_then(|(station, _)| self.station(*station))
            }
            Evaluated::Place(id) => self.stations.iter().find(|station| station.place == id),
        };
        first.map_or(UTC, |station| &station.zone)
    }
}
