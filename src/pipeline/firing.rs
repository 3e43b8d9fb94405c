//! What fires, read off the state: a desk begins with it where a release without one wrote the
//! state.

use std::collections::{BTreeMap, BTreeSet};

use crate::alert::exceedance;
use crate::assess::Last;
use crate::domain::alert::{AlertChange, AlertEvent, AlertId, Subject};
use crate::domain::assessment::Verdict;
use crate::domain::history::Entry;
use crate::domain::name::RuleId;
use crate::domain::observation::Period;
use crate::domain::registry::{Datastream, Registry};
use crate::domain::time::{Moment, Timestamp};
use crate::pipeline::qualify::told_again;
use crate::pipeline::state::StreamState;
use crate::pipeline::{Pipeline, weir_rule};

impl Pipeline {
    /// Gives the alerts that fire and were told, as far as the state knows them.
    pub(super) fn firing(&self, registry: &Registry, at: Moment) -> Vec<AlertEvent> {
        let mut found: BTreeMap<AlertId, AlertEvent> = BTreeMap::new();
        let mut put = |alert, rule, subject, since| {
            let plain = AlertEvent::plain(alert, rule, subject, AlertChange::Fired, (since, since));
            // Several datastreams may have one about their instruments together.
            let event = found.entry(alert).or_insert(plain);
            (event.at, event.since) = (event.at.min(since), event.since.min(since));
        };
        for ((condition, network), (alert, since)) in &self.state.weir {
            if let Some(rule) = weir_rule(registry, *condition) {
                let subject = Subject::Weir { condition: *condition, network: *network };
                put(*alert, rule, subject, *since);
            }
        }
        for (line, quiet) in &self.state.quiet {
            put(quiet.alert, quiet.rule, *line, at.wall_of(quiet.heard_ms));
        }
        for (key, watched) in &self.state.indexed {
            if let Some((alert, since)) = watched.firing() {
                let subject = Subject::Evaluated { of: key.0, index: key.1, period: key.2 };
                put(alert, watched.rule, subject, since);
            }
        }
        for station in registry.stations.iter() {
            let state = self.state.stations.get(station.id.index());
            let Some(state) = state.and_then(Option::as_ref) else { continue };
            if let (Some(alert), Some(rule)) = (state.silence.firing, state.silence_rule) {
                let since = at.wall_of(state.silence.heard_ms);
                put(alert, rule, Subject::Station(station.id), since);
            }
        }
        for datastream in registry.datastreams.iter() {
            if let Some(stream) = self.state.stream(datastream) {
                of_stream(datastream, stream, at, &mut put);
            }
        }
        // What waits for its end in a backlog was told to nobody.
        let untold = self.state.untold.values().chain(self.state.untold_faults.values());
        let untold: BTreeSet<AlertId> = untold.map(|one| one.alert()).collect();
        let told = found.into_values().filter(|event| !untold.contains(&event.alert));
        told.map(|event| self.with_value(registry, event)).collect()
    }

    /// Adds to an exceedance the newest value, if that exceeds the limit: no other is remembered.
    fn with_value(&self, registry: &Registry, event: AlertEvent) -> AlertEvent {
        let Subject::Datastream(id) = event.subject else { return event };
        let Some(datastream) = registry.datastream(id) else { return event };
        let Some(stream) = self.state.stream(datastream) else { return event };
        let fires = exceedance::firing(&stream.exceedance, &stream.further);
        if fires.is_none_or(|(alert, _)| alert != event.alert) {
            return event;
        }
        let event = AlertEvent { severity: stream.further.severity(), ..event };
        let Some(newest) = stream.newest.filter(Entry::is_usable) else { return event };
        let qualified = told_again(datastream, newest);
        let assessment = self.assess(registry, datastream, &qualified, &mut Last::default());
        let Verdict::Exceeds { limit, multiple } = assessment.verdict else { return event };
        AlertEvent {
            value: assessment.value,
            limit: Some(limit),
            multiple,
            period: Period::Native,
            class: assessment.class,
            span: Some(assessment.phenomenon_time),
            ..event
        }
    }
}

fn of_stream(
    datastream: &Datastream,
    stream: &StreamState,
    at: Moment,
    put: &mut impl FnMut(AlertId, RuleId, Subject, Timestamp),
) {
    let subject = Subject::Datastream(datastream.id);
    let exceeds = exceedance::firing(&stream.exceedance, &stream.further);
    if let (Some((alert, since)), Some(rule)) = (exceeds, stream.exceedance_rule) {
        put(alert, rule, subject, since);
    }
    if let (Some(alert), Some(rule)) = (stream.silence.firing, stream.silence_rule) {
        put(alert, rule, subject, at.wall_of(stream.silence.heard_ms));
    }
    if let Some(watch) = stream.instrument.as_deref()
        && let Some((alert, since)) = watch.firing()
    {
        let of = if watch.of_station { Subject::Station(datastream.station) } else { subject };
        put(alert, watch.told_by, of, since);
    }
    for one in &stream.watched {
        if let Some((alert, since)) = one.firing() {
            put(alert, one.rule, subject, since);
        }
    }
}
