//! What another property of a station was at the time of an observation: limits may depend on it.

use crate::assess;
use crate::domain::assessment::Assessment;
use crate::domain::history::Entry;
use crate::domain::name::PropertyId;
use crate::domain::observation::{ObservationResult, QualifiedObservation};
use crate::domain::registry::{Datastream, Registry};
use crate::domain::time::{PhenomenonTime, Timestamp};
use crate::pipeline::Pipeline;
use crate::pipeline::state::StreamState;

impl Pipeline {
    /// Assesses an observation with what is known beside it.
    pub(super) fn assess(
        &self,
        registry: &Registry,
        datastream: &Datastream,
        qualified: &QualifiedObservation,
        last: &mut assess::Last,
    ) -> Assessment {
        let time = qualified.observation.phenomenon_time;
        let beside = |property| self.beside(registry, datastream, time, property);
        assess::assess(registry, datastream, qualified, &beside, last)
    }

    /// Gives the value of a property at the station of a datastream: at an instant the latest
    /// valid one that is not too old, over an interval the mean of the valid ones in it. Nothing
    /// is known of an interval longer than single observations are remembered.
    pub(super) fn beside(
        &self,
        registry: &Registry,
        datastream: &Datastream,
        time: PhenomenonTime,
        property: PropertyId,
    ) -> Option<f64> {
        let station = registry.station(datastream.station)?;
        let streams = station.datastreams.iter().filter_map(|id| registry.datastream(*id));
        let of = streams.filter(|stream| stream.property == property);
        // What stands at the same position is meant before what stands elsewhere.
        let of = of.min_by_key(|stream| (stream.position != datastream.position, stream.slot))?;
        let state = self.state.stream(of)?;
        match time {
            PhenomenonTime::Instant(at) => {
                let oldest = at.plus(-of.stands_for_ms());
                let fits = |entry: &Entry| entry.time <= at && entry.time >= oldest;
                let newest = state.newest.filter(fits).and_then(|entry| valid(&entry));
                let earlier = || {
                    let entries = state.history.since(oldest).into_iter().rev().filter(fits);
                    entries.filter_map(|entry| valid(&entry)).next()
                };
                newest.or_else(earlier)
            }
            PhenomenonTime::Interval { start, end } => {
                if end.since(start) > registry.judgement.lateness_horizon_ms {
                    return None;
                }
                mean(state, start, end)
            }
        }
    }
}

fn mean(state: &StreamState, start: Timestamp, end: Timestamp) -> Option<f64> {
    let entries = state.history.since(start);
    let inside = entries.iter().filter(|entry| entry.time < end).filter_map(valid);
    let (sum, count) = inside.fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

/// Gives the number of a usable entry that is known to more than one side.
fn valid(entry: &Entry) -> Option<f64> {
    match entry.result {
        ObservationResult::Value(value) if entry.is_usable() => Some(value),
        ObservationResult::Value(_)
        | ObservationResult::Censored { .. }
        | ObservationResult::Nil(_) => None,
    }
}
