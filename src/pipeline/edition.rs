//! Another edition of the seeds takes over between two inputs: ids stay, so does what the
//! datastreams remember; alerts that nobody can judge any more are withdrawn.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::alert::exceedance;
use crate::alert::lasting::Watched;
use crate::alert::silence::Quiet;
use crate::basin::Basin;
use crate::decode::Announced;
use crate::domain::alert::{AlertChange, AlertEvent, AlertId, Subject};
use crate::domain::cause::TestFlags;
use crate::domain::evaluation::{Evaluated, Index};
use crate::domain::name::{DatastreamId, RuleId, StationId};
use crate::domain::observation::{Period, Periods};
use crate::domain::quality::Flag;
use crate::domain::registry::{Persistence, Registry, RuleKind, Station};
use crate::domain::time::{Moment, Timestamp};
use crate::pipeline::above;
use crate::pipeline::covered::Covered;
use crate::pipeline::evaluate;
use crate::pipeline::observe::Hearing;
use crate::pipeline::route::Routes;
use crate::pipeline::state::{State, StationState, StreamState};
use crate::pipeline::{Pipeline, Processed, weir_rule};

impl Pipeline {
    pub(super) fn adopt(&mut self, registry: &Arc<Registry>, at: Moment, out: &mut Processed) {
        // They are of the edition that goes.
        self.tell_untold(i64::MAX, out);
        let mut left: HashMap<DatastreamId, StreamState> = HashMap::new();
        let mut before: HashMap<StationId, StationState> = HashMap::new();
        for (index, station) in std::mem::take(&mut self.state.stations).into_iter().enumerate() {
            let Some(station) = station else { continue };
            let mut station = Arc::unwrap_or_clone(station);
            left.extend(station.streams.drain(..).map(|stream| (stream.id, stream)));
            before.insert(StationId(u32::try_from(index).unwrap_or(u32::MAX)), station);
        }
        let State { stations, basin, weir, indexed, quiet, .. } = &mut self.state;
        let instruments = BTreeMap::new();
        let mut withdrawal = Withdrawal { old: &self.registry, basin, at, out, instruments };
        stations.resize_with(registry.stations.len(), || None);
        for station in registry.stations.iter() {
            let held = before.remove(&station.id);
            let state = settle(registry, station, held, &mut left, &mut withdrawal);
            if let Some(place) = stations.get_mut(station.id.index()) {
                *place = Some(Arc::new(state));
            }
        }
        // Withdrawn in the order of ids, so that a replay says the same.
        let mut gone: Vec<StreamState> = left.into_values().collect();
        gone.sort_by_key(|stream| stream.id);
        for mut stream in gone {
            withdrawal.exceedance(&mut stream);
            withdrawal.silence(&mut stream);
            withdrawal.instrument(&mut stream);
            withdrawal.watched(&mut stream, |_| false);
        }
        let mut gone: Vec<(StationId, StationState)> = before.into_iter().collect();
        gone.sort_by_key(|(id, _)| *id);
        for (id, mut station) in gone {
            withdrawal.station(id, &mut station);
        }
        withdrawal.instruments(stations);
        withdrawal.indexed(registry, indexed);
        weir.retain(|(condition, network), (alert, since)| {
            let known = network.is_none_or(|of| registry.networks.get(of.index()).is_some());
            let watched = known && weir_rule(registry, *condition).is_some();
            if let Some(rule) = weir_rule(withdrawal.old, *condition).filter(|_| !watched) {
                let subject = Subject::Weir { condition: *condition, network: *network };
                withdrawal.push(*alert, rule, subject, *since);
            }
            watched
        });
        let mut freed = Vec::new();
        quiet.retain(|line, Quiet { alert, rule, heard_ms }| {
            let watched = registry.line_rules.get(line) == Some(rule);
            if !watched {
                freed.extend(above::members(&self.lines, *line));
                withdrawal.push(*alert, *rule, *line, at.wall_of(*heard_ms));
            }
            watched
        });
        if *self.state.announced != Announced::default() {
            Arc::make_mut(&mut self.state.announced).retain(registry);
        }
        self.state.gone.retain(|device, _| registry.devices.get(device.index()).is_some());
        self.routes = Routes::new(registry);
        self.plans = evaluate::plans(registry);
        self.lines = above::lines(registry).into();
        self.covered = Covered::default();
        self.registry = Arc::clone(registry);
        self.silence_due_ms = vec![0; registry.stations.len()];
        self.give_time(&freed, at);
        self.averages_due = self.state.stations.iter().flatten().fold(None, |due, station| {
            let of_station = station.streams.iter().filter_map(|stream| stream.due()).min();
            [due, of_station].into_iter().flatten().min()
        });
    }

    /// Judges what the ring holds anew where the site's calendar says something else now.
    pub(super) fn hear_calendar(
        &mut self,
        before: &Registry,
        registry: &Registry,
        at: Moment,
        out: &mut Processed,
    ) {
        let (backlog, members) = (None, Flag::NotEvaluated);
        let hearing = Hearing { now: at, live: false, backlog, imported: false, members };
        let told = out.observations.len();
        for datastream in registry.datastreams.iter() {
            let known = before.datastream(datastream.id);
            let differs = known.and_then(|known| known.calendar.differs(&datastream.calendar));
            let Some((from, to)) = differs else { continue };
            let span = (from.max(self.held_since(datastream, at)), to);
            self.judge_span(registry, datastream, span, at, out);
        }
        if out.observations.len() > told {
            self.derive(registry, hearing, out);
            self.evaluate_assessed(registry, at, out);
        }
    }
}

/// Puts a station's datastreams into the slots of the edition.
fn settle(
    registry: &Registry,
    station: &Station,
    held: Option<StationState>,
    left: &mut HashMap<DatastreamId, StreamState>,
    withdrawal: &mut Withdrawal<'_>,
) -> StationState {
    let now_ms = withdrawal.at.elapsed_ms;
    let mut state = held.unwrap_or_else(|| {
        let mut fresh = StationState::default();
        fresh.silence.heard_ms = now_ms;
        fresh
    });
    state.streams = station
        .datastreams
        .iter()
        .map(|id| left.remove(id).unwrap_or_else(|| StreamState::new(*id, now_ms)))
        .collect();
    for stream in &mut state.streams {
        let datastream = registry.datastream(stream.id);
        let rule = datastream.and_then(|one| one.exceedance_rule);
        let of = |of: &Registry| watched(of, stream.exceedance_rule);
        if rule != stream.exceedance_rule || of(registry) != of(withdrawal.old) {
            withdrawal.exceedance(stream);
        }
        if datastream.and_then(|one| one.silence_rule) != stream.silence_rule {
            withdrawal.silence(stream);
        }
        let held = stream.instrument.as_ref().map(|watch| watch.rule);
        let rule = datastream.and_then(|one| one.instrument_rule);
        let tests = |of: &Registry| told_by(of, held);
        if held.is_some() && (rule != held || tests(registry) != tests(withdrawal.old)) {
            withdrawal.instrument(stream);
        }
        let same = |rule: RuleId| {
            let rules = datastream.map(|one| [one.rise_rule, one.not_assessable_rule]);
            rules.is_some_and(|rules| rules.contains(&Some(rule)))
                && asked(registry, rule) == asked(withdrawal.old, rule)
        };
        let held: Vec<RuleId> =
            stream.watched.iter().map(|one| one.rule).filter(|one| same(*one)).collect();
        withdrawal.watched(stream, |rule| held.contains(&rule));
    }
    let watches = |rule: RuleId| {
        let mut datastreams = station.datastreams.iter().filter_map(|id| registry.datastream(*id));
        datastreams.any(|datastream| datastream.silence_rule == Some(rule))
    };
    if state.silence_rule.is_some_and(|rule| !watches(rule)) {
        withdrawal.station(station.id, &mut state);
    }
    state
}

/// Gives the periods that a rule about limits looks at.
fn watched(registry: &Registry, rule: Option<RuleId>) -> Option<Periods> {
    match registry.rule(rule?)?.kind {
        RuleKind::Exceedance { of, .. } => Some(of),
        RuleKind::Silence { .. }
        | RuleKind::Instrument { .. }
        | RuleKind::Rise { .. }
        | RuleKind::NotAssessable { .. }
        | RuleKind::Index { .. }
        | RuleKind::Weir(_) => None,
    }
}

/// Gives what a rule without a limit asks, but for how long.
fn asked(registry: &Registry, rule: RuleId) -> Option<RuleKind> {
    let once = Persistence::Values(1);
    let (pending, keep) = (once, once);
    Some(match registry.rule(rule)?.kind {
        RuleKind::Rise { slope, over_ms, .. } => RuleKind::Rise { slope, over_ms, pending, keep },
        RuleKind::NotAssessable { of, .. } => RuleKind::NotAssessable { of, pending, keep },
        RuleKind::Index { index, of, worse, .. } => {
            RuleKind::Index { index, of, worse, pending, keep }
        }
        other @ (RuleKind::Exceedance { .. }
        | RuleKind::Silence { .. }
        | RuleKind::Instrument { .. }
        | RuleKind::Weir(_)) => other,
    })
}

/// Gives the flags by which a rule about instruments goes.
fn told_by(registry: &Registry, rule: Option<RuleId>) -> Option<TestFlags> {
    match registry.rule(rule?)?.kind {
        RuleKind::Instrument { tests, .. } => Some(tests),
        RuleKind::Exceedance { .. }
        | RuleKind::Silence { .. }
        | RuleKind::Rise { .. }
        | RuleKind::NotAssessable { .. }
        | RuleKind::Index { .. }
        | RuleKind::Weir(_) => None,
    }
}

/// Alerts on their way out, told in the names of the edition that they fired under.
struct Withdrawal<'a> {
    old: &'a Registry,
    basin: &'a mut Basin,
    at: Moment,
    out: &'a mut Processed,
    /// Alerts about instruments, which several datastreams may have together.
    instruments: BTreeMap<AlertId, (RuleId, Subject, Timestamp)>,
}

impl Withdrawal<'_> {
    fn push(&mut self, alert: AlertId, rule: RuleId, subject: Subject, since: Timestamp) {
        let (change, times) = (AlertChange::Withdrawn, (self.at.wall, since));
        self.out.alerts.push(AlertEvent::plain(alert, rule, subject, change, times));
    }

    fn exceedance(&mut self, stream: &mut StreamState) {
        let firing = exceedance::withdraw(&mut stream.exceedance, &mut stream.further);
        if let (Some((alert, since)), Some(rule)) = (firing, stream.exceedance_rule.take()) {
            self.push(alert, rule, Subject::Datastream(stream.id), since);
            // What nobody judges any more is no wave for the stations downstream.
            if let Some(datastream) = self.old.datastream(stream.id) {
                self.basin.ended(datastream.station, datastream.property, self.at.wall);
            }
        }
    }

    fn silence(&mut self, stream: &mut StreamState) {
        let since = self.at.wall_of(stream.silence.heard_ms);
        if let (Some(alert), Some(rule)) =
            (stream.silence.firing.take(), stream.silence_rule.take())
        {
            self.push(alert, rule, Subject::Datastream(stream.id), since);
        }
    }

    fn instrument(&mut self, stream: &mut StreamState) {
        let Some(watch) = stream.forget_instrument() else { return };
        let (Some((alert, since)), Some(datastream)) =
            (watch.firing(), self.old.datastream(stream.id))
        else {
            return;
        };
        let subject = match watch.of_station {
            true => Subject::Station(datastream.station),
            false => Subject::Datastream(stream.id),
        };
        let held = self.instruments.entry(alert).or_insert((watch.told_by, subject, since));
        held.2 = held.2.min(since);
    }

    /// Withdraws the alerts about instruments that no datastream has any more.
    fn instruments(&mut self, stations: &[Option<Arc<StationState>>]) {
        let gone = std::mem::take(&mut self.instruments);
        if gone.is_empty() {
            return;
        }
        let streams = stations.iter().flatten().flat_map(|station| &station.streams);
        let firing = streams.filter_map(|stream| stream.instrument.as_ref()?.firing());
        let lasting: BTreeSet<AlertId> = firing.map(|(alert, _)| alert).collect();
        for (alert, (rule, subject, since)) in gone {
            if !lasting.contains(&alert) {
                self.push(alert, rule, subject, since);
            }
        }
    }

    /// Withdraws what else fires of a datastream, but for the rules that stay.
    fn watched(&mut self, stream: &mut StreamState, stays: impl Fn(RuleId) -> bool) {
        let subject = Subject::Datastream(stream.id);
        for gone in stream.watched.extract_if(.., |one| !stays(one.rule)) {
            if let Some((alert, since)) = gone.firing() {
                self.push(alert, gone.rule, subject, since);
            }
        }
    }

    /// Withdraws the alerts about indices whose rule or subject is another.
    fn indexed(
        &mut self,
        registry: &Registry,
        indexed: &mut BTreeMap<(Evaluated, Index, Period), Watched>,
    ) {
        indexed.retain(|key, held| {
            let rule = registry.evaluated_rules.get(key);
            let stays = rule == Some(&held.rule)
                && asked(registry, held.rule) == asked(self.old, held.rule);
            if let Some((alert, since)) = held.firing().filter(|_| !stays) {
                let subject = Subject::Evaluated { of: key.0, index: key.1, period: key.2 };
                self.push(alert, held.rule, subject, since);
            }
            stays
        });
    }

    fn station(&mut self, id: StationId, station: &mut StationState) {
        let since = self.at.wall_of(station.silence.heard_ms);
        if let (Some(alert), Some(rule)) =
            (station.silence.firing.take(), station.silence_rule.take())
        {
            self.push(alert, rule, Subject::Station(id), since);
        }
    }
}
