//! Another edition of the seeds takes over between two inputs: ids stay, so does what the
//! datastreams remember; alerts that nobody can judge any more are withdrawn.

use std::collections::HashMap;
use std::sync::Arc;

use crate::alert::exceedance;
use crate::domain::alert::{AlertChange, Subject};
use crate::domain::name::{DatastreamId, StationId};
use crate::domain::registry::{Registry, Station};
use crate::domain::time::Moment;
use crate::pipeline::route::Routes;
use crate::pipeline::state::{StationState, StreamState};
use crate::pipeline::{Pipeline, Processed, plain_event};

impl Pipeline {
    pub(super) fn adopt(&mut self, registry: &Arc<Registry>, at: Moment, out: &mut Processed) {
        let mut left: HashMap<DatastreamId, StreamState> = HashMap::new();
        let mut before: HashMap<StationId, StationState> = HashMap::new();
        for (index, station) in std::mem::take(&mut self.state.stations).into_iter().enumerate() {
            let Some(station) = station else { continue };
            let mut station = Arc::unwrap_or_clone(station);
            left.extend(station.streams.drain(..).map(|stream| (stream.id, stream)));
            before.insert(StationId(u32::try_from(index).unwrap_or(u32::MAX)), station);
        }
        self.state.stations.resize_with(registry.stations.len(), || None);
        for station in registry.stations.iter() {
            let held = before.remove(&station.id);
            let state = settle(registry, station, held, &mut left, at, out);
            if let Some(place) = self.state.stations.get_mut(station.id.index()) {
                *place = Some(Arc::new(state));
            }
        }
        // Withdrawn in the order of ids, so that a replay says the same.
        let mut gone: Vec<StreamState> = left.into_values().collect();
        gone.sort_by_key(|stream| stream.id);
        for mut stream in gone {
            withdraw_exceedance(&mut stream, at, out);
            withdraw_silence(&mut stream, at, out);
        }
        let mut gone: Vec<(StationId, StationState)> = before.into_iter().collect();
        gone.sort_by_key(|(id, _)| *id);
        for (id, mut station) in gone {
            withdraw_station(id, &mut station, at, out);
        }
        self.withdraw_weir(registry, at, out);
        self.routes = Routes::new(registry);
        self.registry = Arc::clone(registry);
        self.silence_due_ms = vec![0; registry.stations.len()];
        self.hours_due = self.state.stations.iter().flatten().fold(None, |due, station| {
            let of_station = station.streams.iter().filter_map(|stream| stream.hours.due()).min();
            [due, of_station].into_iter().flatten().min()
        });
    }
}

impl Pipeline {
    /// Withdraws alerts about brokers that left the configuration, and those without a rule.
    fn withdraw_weir(&mut self, registry: &Registry, at: Moment, out: &mut Processed) {
        let firing = std::mem::take(&mut self.state.weir);
        for ((condition, network), (alert, since)) in firing {
            let rule_of = |registry: &Registry| {
                let rules = &registry.weir_rules;
                rules.iter().find(|(of, _)| *of == condition).map(|(_, rule)| *rule)
            };
            let known =
                network.is_none_or(|network| registry.networks.get(network.index()).is_some());
            if known && rule_of(registry).is_some() {
                self.state.weir.insert((condition, network), (alert, since));
            } else if let Some(rule) = rule_of(&self.registry) {
                let subject = Subject::Weir { condition, network };
                let change = AlertChange::Withdrawn;
                out.alerts.push(plain_event(alert, rule, subject, change, at.wall, since));
            }
        }
    }
}

/// Puts a station's datastreams into the slots of the edition.
fn settle(
    registry: &Registry,
    station: &Station,
    held: Option<StationState>,
    left: &mut HashMap<DatastreamId, StreamState>,
    at: Moment,
    out: &mut Processed,
) -> StationState {
    let mut state = held.unwrap_or_else(|| {
        let mut fresh = StationState::default();
        fresh.silence.heard_ms = at.elapsed_ms;
        fresh
    });
    state.streams = station
        .datastreams
        .iter()
        .map(|id| left.remove(id).unwrap_or_else(|| StreamState::new(*id, at.elapsed_ms)))
        .collect();
    for stream in &mut state.streams {
        let datastream = registry.datastream(stream.id);
        if datastream.and_then(|one| one.exceedance_rule) != stream.exceedance_rule {
            withdraw_exceedance(stream, at, out);
        }
        if datastream.and_then(|one| one.silence_rule) != stream.silence_rule {
            withdraw_silence(stream, at, out);
        }
    }
    if state.silence_rule.is_some_and(|rule| registry.rule(rule).is_none()) {
        withdraw_station(station.id, &mut state, at, out);
    }
    state
}

fn withdraw_exceedance(stream: &mut StreamState, at: Moment, out: &mut Processed) {
    let firing = std::mem::take(&mut stream.exceedance);
    if let (exceedance::State::Firing { alert, since, .. }, Some(rule)) =
        (firing, stream.exceedance_rule.take())
    {
        let subject = Subject::Datastream(stream.id);
        let change = AlertChange::Withdrawn;
        out.alerts.push(plain_event(alert, rule, subject, change, at.wall, since));
    }
}

fn withdraw_silence(stream: &mut StreamState, at: Moment, out: &mut Processed) {
    if let (Some(alert), Some(rule)) = (stream.silence.firing.take(), stream.silence_rule.take()) {
        let subject = Subject::Datastream(stream.id);
        let change = AlertChange::Withdrawn;
        out.alerts.push(plain_event(alert, rule, subject, change, at.wall, at.wall));
    }
}

fn withdraw_station(id: StationId, station: &mut StationState, at: Moment, out: &mut Processed) {
    if let (Some(alert), Some(rule)) = (station.silence.firing.take(), station.silence_rule.take())
    {
        let change = AlertChange::Withdrawn;
        out.alerts.push(plain_event(alert, rule, Subject::Station(id), change, at.wall, at.wall));
    }
}
