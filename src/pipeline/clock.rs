//! What happens because time passes: hours are given out, silence is noticed.

use std::sync::Arc;

use crate::alert::silence::{Heard, Terms, deadline};
use crate::domain::alert::{AlertChange, AlertEvent, Subject, WeirCondition};
use crate::domain::name::{DatastreamId, NetworkId, RuleId, StationId};
use crate::domain::registry::{Registry, RuleKind, Station};
use crate::domain::time::{DAY, MINUTE, Moment};
use crate::pipeline::average::earlier;
use crate::pipeline::state::StreamState;
use crate::pipeline::{Pipeline, Processed};

/// How long a broker may be away before somebody is told.
const BROKER_AWAY_MS: i64 = MINUTE;
/// How often a station without any deadline is looked at again.
const IDLE_MS: i64 = MINUTE;
/// How long an exceedance that is over is remembered for the stations downstream.
const BASIN_KEPT_MS: i64 = 7 * DAY;

/// A datastream that is expected to speak.
#[derive(Clone, Copy)]
struct Watched {
    slot: u16,
    rule: RuleId,
    terms: Terms,
    /// Since when its broker is connected, in elapsed milliseconds.
    connected_ms: i64,
    /// Since when its device is gone, in elapsed milliseconds.
    gone_ms: Option<i64>,
}

impl Pipeline {
    pub(super) fn tick(&mut self, at: Moment, out: &mut Processed) {
        if self.averages_due.is_some_and(|due| due <= at.wall) {
            self.give_due(at, out);
        }
        self.tell_untold(at.elapsed_ms, out);
        self.judge_lines(at, out);
        self.judge_silence(at, out);
        self.judge_brokers(at, out);
        out.changed |= !out.alerts.is_empty();
    }

    pub(super) fn give_due(&mut self, at: Moment, out: &mut Processed) {
        let registry = Arc::clone(&self.registry);
        self.averages_due = None;
        for datastream in registry.datastreams.iter() {
            let mut due = self.state.stream(datastream).and_then(StreamState::due);
            if due.is_some_and(|due| due <= at.wall) {
                due = self.give_averages(&registry, datastream, at, out);
            }
            self.averages_due = earlier(self.averages_due, due);
        }
        self.evaluate_touched(&registry, at, out);
        self.state.basin.forget_before(at.wall.plus(-BASIN_KEPT_MS));
        out.changed = true;
    }

    fn judge_brokers(&mut self, at: Moment, out: &mut Processed) {
        for index in 0..self.state.networks.len() {
            let network = NetworkId(u32::try_from(index).unwrap_or(u32::MAX));
            if self.registry.networks.get(network.index()).is_none() {
                continue;
            }
            let away = self.state.networks.get(index).and_then(|network| {
                let since = network.away_since_ms.filter(|_| network.connected_since_ms.is_none());
                since.filter(|since| at.elapsed_ms - since >= BROKER_AWAY_MS)
            });
            if let Some(since_ms) = away {
                let since = Some(at.wall_of(since_ms));
                let away = (WeirCondition::BrokerAway, Some(network));
                self.weir_condition(away, since, None, at, out);
            }
        }
    }

    fn judge_silence(&mut self, at: Moment, out: &mut Processed) {
        for index in 0..self.silence_due_ms.len() {
            if self.silence_due_ms.get(index).is_some_and(|due| *due <= at.elapsed_ms) {
                let registry = Arc::clone(&self.registry);
                let due = match registry.stations.get(index) {
                    Some(station) if station.validity.holds(at.wall) => {
                        self.judge_station(&registry, station, at, out)
                    }
                    // The wall says when its service begins, and the wall may be set.
                    Some(_) => Some(at.elapsed_ms),
                    None => None,
                };
                if let Some(place) = self.silence_due_ms.get_mut(index) {
                    *place = due.unwrap_or(at.elapsed_ms + IDLE_MS).max(at.elapsed_ms + 1);
                }
            }
        }
    }

    /// Gives the elapsed time at which the station is to be looked at again.
    fn judge_station(
        &mut self,
        registry: &Registry,
        station: &Station,
        at: Moment,
        out: &mut Processed,
    ) -> Option<i64> {
        let state = self.state.stations.get(station.id.index())?.as_ref()?;
        let of_stream = |id| {
            let datastream = registry.datastream(id)?;
            let rule = datastream.silence_rule.and_then(|rule| registry.rule(rule))?;
            let RuleKind::Silence { intervals } = rule.kind else { return None };
            let expected_every_ms = datastream.expected_every_ms;
            let terms = Terms { expected_every_ms, intervals };
            let connected_ms = self.connected_since(id)?;
            let gone_ms = self.gone_since(registry, id, at.wall);
            Some(Watched { slot: datastream.slot, rule: rule.id, terms, connected_ms, gone_ms })
        };
        // A datastream whose broker is away or whose gateway is silent is not judged.
        let ids = station.datastreams.iter().copied();
        let open = ids.filter(|id| !self.covered.whole(*id));
        let watched: Vec<Watched> = open.filter_map(of_stream).collect();
        // One that had fallen silent before says nothing of the station.
        let is_alive = |one: &&Watched| {
            let stream = state.streams.get(usize::from(one.slot));
            let last_ms = stream.map_or(0, |stream| stream.silence.heard_ms);
            last_ms.saturating_add(one.terms.patience_ms()) > state.silence.heard_ms
        };
        let alive = watched.iter().filter(is_alive);
        let shortest = alive.min_by_key(|one| one.terms.patience_ms()).copied();
        let connected_ms = watched.iter().map(|one| one.connected_ms).max();
        // It is gone as a whole only if all are.
        let gone: Option<Vec<i64>> = watched.iter().map(|one| one.gone_ms).collect();
        let gone_ms = gone.and_then(|gone| gone.into_iter().max());
        let last_ms = state.silence.heard_ms.max(state.resumed_ms);
        let heard = Heard { last_ms, gone_ms };
        let mut next = None;
        if let Some(Watched { rule, terms, .. }) = shortest {
            next = deadline(terms, heard, connected_ms);
            if next.is_some_and(|whole| whole <= at.elapsed_ms) {
                self.silence_station(station.id, (rule, gone_ms), at, out);
                return Some(at.elapsed_ms + IDLE_MS);
            }
        }
        let mut silent = Vec::new();
        for Watched { slot, rule, terms, connected_ms, gone_ms } in watched {
            let Some(stream) = state.streams.get(usize::from(slot)) else { continue };
            let last_ms = stream.silence.heard_ms.max(state.resumed_ms);
            let heard = Heard { last_ms, gone_ms };
            let Some(due) = deadline(terms, heard, Some(connected_ms)) else { continue };
            if due > at.elapsed_ms {
                next = Some(next.map_or(due, |next| due.min(next)));
            } else if stream.silence.firing.is_none() {
                silent.push((slot, rule, gone_ms));
            }
        }
        for (slot, rule, gone_ms) in silent {
            self.silence_stream((station.id, slot), (rule, gone_ms), at, out);
        }
        next
    }

    /// Gives since when a datastream's broker is connected; `None` if none is.
    fn connected_since(&self, datastream: DatastreamId) -> Option<i64> {
        let networks = self.routes.networks(datastream).iter();
        let since = |id: &NetworkId| self.state.networks.get(id.index())?.connected_since_ms;
        networks.filter_map(since).max()
    }

    fn silence_station(
        &mut self,
        id: StationId,
        (rule, gone_ms): (RuleId, Option<i64>),
        at: Moment,
        out: &mut Processed,
    ) {
        let firing = self.station_mut(id).is_none_or(|station| station.silence.firing.is_some());
        if firing {
            return;
        }
        let alert = self.state.fresh_alert();
        let Some(station) = self.station_mut(id) else { return };
        station.silence.firing = Some(alert);
        station.silence_rule = Some(rule);
        let since = at.wall_of(station.silence.heard_ms);
        let subject = Subject::Station(id);
        let (change, times) = (AlertChange::Fired, (at.wall, since));
        let event = AlertEvent::plain(alert, rule, subject, change, times);
        out.alerts.push(AlertEvent { offline: gone_ms.map(|ms| at.wall_of(ms)), ..event });
    }

    fn silence_stream(
        &mut self,
        (station, slot): (StationId, u16),
        (rule, gone_ms): (RuleId, Option<i64>),
        at: Moment,
        out: &mut Processed,
    ) {
        let alert = self.state.fresh_alert();
        let Some(station) = self.station_mut(station) else { return };
        let Some(stream) = station.streams.get_mut(usize::from(slot)) else { return };
        stream.silence.firing = Some(alert);
        stream.silence_rule = Some(rule);
        let since = at.wall_of(stream.silence.heard_ms);
        let subject = Subject::Datastream(stream.id);
        let (change, times) = (AlertChange::Fired, (at.wall, since));
        let event = AlertEvent::plain(alert, rule, subject, change, times);
        out.alerts.push(AlertEvent { offline: gone_ms.map(|ms| at.wall_of(ms)), ..event });
    }
}
