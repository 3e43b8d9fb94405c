//! What spans stations: a wave of pollution that comes down a river. Stations of one place share
//! one such state; nothing else is shared between them.

pub mod balance;
pub mod city;
pub mod grade;

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use crate::domain::alert::Upstream;
use crate::domain::name::{PropertyId, StationId};
use crate::domain::registry::Registry;
use crate::domain::time::Timestamp;

/// An exceedance at a station, while it lasts and as long as its water may still travel.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
struct Exceedance {
    #[n(0)]
    since: Timestamp,
    #[n(1)]
    until: Option<Timestamp>,
}

/// Which stations exceed which limits.
#[derive(Clone, PartialEq, Debug, Default, Encode, Decode)]
pub struct Basin {
    #[n(0)]
    exceedances: BTreeMap<(StationId, PropertyId), Exceedance>,
}

impl Basin {
    /// Notes that a station exceeds a limit, and says whether that is new.
    pub fn began(&mut self, station: StationId, property: PropertyId, since: Timestamp) -> bool {
        let lasts = |exceedance: &Exceedance| exceedance.until.is_none();
        let new = !self.exceedances.get(&(station, property)).is_some_and(lasts);
        if new {
            self.exceedances.insert((station, property), Exceedance { since, until: None });
        }
        new
    }

    /// Notes that it is over.
    pub fn ended(&mut self, station: StationId, property: PropertyId, at: Timestamp) {
        if let Some(exceedance) = self.exceedances.get_mut(&(station, property)) {
            exceedance.until.get_or_insert(at);
        }
    }

    /// Finds the station upstream whose water, by its travel time, is what now arrives here with
    /// the same property over its limit. The nearest in the order of the seeds wins.
    #[must_use]
    pub fn upstream(
        &self,
        registry: &Registry,
        station: StationId,
        property: PropertyId,
        since: Timestamp,
    ) -> Option<Upstream> {
        let into = registry.reaches.iter().filter(|reach| reach.downstream == station);
        into.filter_map(|reach| {
            let exceedance = self.exceedances.get(&(reach.upstream, property))?;
            let first = exceedance.since.plus(reach.low_ms);
            let last = exceedance.until.map(|until| until.plus(reach.high_ms));
            let fits = first <= since && last.is_none_or(|last| since <= last);
            let Exceedance { since, until } = *exceedance;
            fits.then_some(Upstream { station: reach.upstream, since, until })
        })
        .next()
    }

    /// Forgets what ended before a time.
    pub fn forget_before(&mut self, time: Timestamp) {
        self.exceedances.retain(|_, exceedance| exceedance.until.is_none_or(|until| until >= time));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ended_long_ago_is_forgotten_and_what_lasts_is_not() {
        let mut basin = Basin::default();
        for station in 0..4 {
            assert!(basin.began(StationId(station), PropertyId(0), Timestamp(0)));
        }
        assert!(!basin.began(StationId(0), PropertyId(0), Timestamp(1)), "it lasts already");
        basin.ended(StationId(0), PropertyId(0), Timestamp(9));
        basin.ended(StationId(1), PropertyId(0), Timestamp(10));
        basin.forget_before(Timestamp(10));
        let held: Vec<u32> = basin.exceedances.keys().map(|(station, _)| station.0).collect();
        assert_eq!(held, [1, 2, 3]);
    }
}
