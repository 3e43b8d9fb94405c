//! A registry in the making: what the tables gave so far, under which names, and every fault.
//! A faulty cell is noted and stood in for, so that one fault doesn't cause a hundred others.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use crate::domain::fault::Fault;
use crate::domain::name::{DatastreamId, Names, NetworkId, PlaceId, PropertyId, StationId};
use crate::domain::registry::{ProfileIndex, Registry, VocabularyIndex};
use crate::seed::device::Standing;
use crate::seed::profile::Sender;

/// The names of one kind that other tables may use.
#[derive(Debug)]
pub(super) struct Known<T> {
    /// What such a name is, for people: `a station of stations.csv`.
    pub(super) what: &'static str,
    /// The names.
    pub(super) ids: BTreeMap<Box<str>, T>,
    /// Whether these are all. If not, because a table is broken, a name that is not among them
    /// is no fault of its own.
    pub(super) whole: bool,
}

impl<T> Known<T> {
    fn new(what: &'static str) -> Self {
        Self { what, ids: BTreeMap::new(), whole: true }
    }
}

/// What is being compiled.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) faults: Vec<Fault>,
    pub(super) names: Names,
    pub(super) registry: Registry,
    pub(super) networks: Known<NetworkId>,
    pub(super) properties: Known<PropertyId>,
    pub(super) places: Known<PlaceId>,
    pub(super) stations: Known<StationId>,
    pub(super) marks: Known<VocabularyIndex>,
    pub(super) profiles: Known<ProfileIndex>,
    pub(super) datastreams: Known<DatastreamId>,
    /// What the channels of each profile send, as [`Registry::profiles`].
    pub(super) senders: Vec<Vec<Sender>>,
    /// The rows of `devices.csv`.
    pub(super) standings: Vec<Standing>,
}

impl Draft {
    pub(super) fn new(names: Names, faults: Vec<Fault>) -> Self {
        Self {
            faults,
            names,
            registry: Registry::empty(),
            networks: Known::new("a network of the configuration"),
            properties: Known::new("a property of properties.csv"),
            places: Known::new("a place of places.csv"),
            stations: Known::new("a station of stations.csv"),
            marks: Known::new("a vocabulary of device_marks.csv"),
            profiles: Known::new("a profile of profiles.csv"),
            datastreams: Known::new("a datastream of devices.csv and profiles.csv"),
            senders: Vec::new(),
            standings: Vec::new(),
        }
    }

    /// Gives the zone in which a station's dates are meant.
    pub(super) fn zone(&self, station: StationId) -> TimeZone {
        self.registry.station(station).map_or_else(china, |station| station.zone.clone())
    }
}

/// The zone of dates that belong to no station: China has one, without summer time.
pub(super) fn china() -> TimeZone {
    TimeZone::fixed(jiff::tz::offset(8))
}
