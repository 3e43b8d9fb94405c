//! One observation: held already, revised, or new; judged, averaged, held against limits.

use std::sync::Arc;

use crate::domain::alert::{AlertChange, AlertEvent, AlertId, Subject};
use crate::domain::history::{Entry, Held};
use crate::domain::ledger::{Ledger, Outcome};
use crate::domain::name::{RuleId, StationId};
use crate::domain::observation::{Observation, QualifiedObservation};
use crate::domain::quality::{Flag, Quality, Test};
use crate::domain::registry::{Datastream, Mark, Registry, Sampling};
use crate::domain::time::{HOUR, Moment, Timestamp};
use crate::pipeline::average::{earlier, note_hour};
use crate::pipeline::backlog::Backlog;
use crate::pipeline::derive::held_derived;
use crate::pipeline::qualify::{Judged, Telling};
use crate::pipeline::state::{StationState, StreamState};
use crate::pipeline::{Pipeline, Processed};
use crate::qc::{self, Memory};

/// When an observation came, and whether it shows that its device is alive.
#[derive(Clone, Copy)]
pub(super) struct Hearing {
    pub(super) now: Moment,
    pub(super) live: bool,
    pub(super) backlog: Option<Backlog>,
    /// Whether it is of a table that is imported: history, however young it is.
    pub(super) imported: bool,
    /// Of a derived value: the worst flag of what it was made of.
    pub(super) members: Flag,
}

impl Pipeline {
    /// Takes one observation in and says where it ended.
    pub(super) fn observe(
        &mut self,
        registry: &Registry,
        observation: Observation,
        hearing: Hearing,
        ledger: &mut Ledger,
        out: &mut Processed,
    ) -> Outcome {
        let Some(datastream) = registry.datastream(observation.datastream) else {
            return Outcome::Rejected;
        };
        let Hearing { now, live, backlog, imported, members } = hearing;
        let time = observation.phenomenon_time.start();
        let beyond = time.since(now.wall) < -registry.judgement.lateness_horizon_ms;
        let late = beyond || imported;
        if live {
            self.hear(datastream, now, out);
        }
        let Some(stream) = self.state.stream(datastream) else { return Outcome::Rejected };
        let mark = observation.mark.and_then(|mark| registry.marks.get(mark));
        let held = match beyond {
            true => Held::Nothing,
            false if !datastream.formulas.is_empty() => held_derived(stream, &observation, members),
            false => held(stream, datastream, &observation, mark),
        };
        let old = match held {
            Held::Same(_) => return Outcome::Duplicate,
            Held::Other(old) => Some(old),
            Held::Nothing => None,
        };
        let newer = stream.history.newest().is_none_or(|held| held.time < time);
        let before = newest(stream, registry, &observation, now.wall);
        let news = before.is_none_or(|before| before <= time);
        let mut quality = qc::begin(&observation, mark);
        quality.set(Test::Members, members);
        self.hear_said(datastream, time, &mut quality);
        let Observation { result, mark, .. } = observation;
        let mut entry = Entry { time, result, quality, mark };
        ledger.revisions += i64::from(old.is_some());
        ledger.late += i64::from(late);
        let mut memory = None;
        if late {
            entry.quality = Self::judge_alone(registry, datastream, entry);
        } else {
            (entry.quality, memory) =
                self.judge_in_place(registry, datastream, entry, newer, hearing, out);
        }
        let qualified = QualifiedObservation {
            observation,
            quality: entry.quality,
            revision: old.is_some(),
            completeness: None,
            flag_only: false,
        };
        out.observations.push(qualified);
        if late {
            self.note_late(registry, datastream, time, now);
            return Outcome::Stored;
        }
        let before = old.map(|old| old.quality);
        self.tally(registry, datastream, entry, before, now.wall);
        let Some(stream) = self.stream_mut(datastream) else { return Outcome::Rejected };
        let due = note_hour(stream, registry, datastream, (entry, old.is_some()), now.wall);
        stream.qc = memory.unwrap_or(stream.qc);
        remember(stream, registry, entry, news, now.wall);
        self.averages_due = earlier(self.averages_due, due);
        if let Some(backlog) = backlog.filter(|backlog| time < backlog.until) {
            self.note_kept(datastream.station, backlog.until);
        }
        let telling = Telling { now, backlog };
        self.inform(registry, datastream, entry, telling, out);
        self.touch(registry, datastream, time);
        if news {
            self.judge(registry, datastream, &qualified, backlog, out);
            self.instrument(registry, datastream, &qualified, Telling { now, backlog }, out);
        }
        Outcome::Stored
    }

    /// Judges an observation by what stands around it, and what stands around it by the
    /// observation. Gives its quality, and what is to be remembered with it.
    fn judge_in_place(
        &mut self,
        registry: &Registry,
        datastream: &Datastream,
        entry: Entry,
        newer: bool,
        hearing: Hearing,
        out: &mut Processed,
    ) -> (Quality, Option<Memory>) {
        let telling = Telling { now: hearing.now, backlog: hearing.backlog };
        if !newer {
            return (self.judge_between(registry, datastream, entry, telling, out), None);
        }
        let Judged { quality, memory, last } = self.judge_newest(registry, datastream, entry);
        if let Some(last) = last {
            self.tell_flag(registry, datastream, last, telling, out);
        }
        (quality, Some(memory))
    }

    /// Notes that a datastream and its station were heard; what was silent is so no more.
    fn hear(&mut self, datastream: &Datastream, now: Moment, out: &mut Processed) {
        if !self.state.quiet.is_empty() {
            self.hear_lines(datastream, now, out);
        }
        let due = self.silence_due_ms.get_mut(datastream.station.index());
        let Some(station) = self.state.stations.get_mut(datastream.station.index()) else { return };
        let Some(station) = station.as_mut().map(Arc::make_mut) else { return };
        let heard_ms = std::mem::replace(&mut station.silence.heard_ms, now.elapsed_ms);
        if let (Some(alert), Some(rule)) = (station.silence.firing.take(), station.silence_rule) {
            station.resumed_ms = now.elapsed_ms;
            let subject = Subject::Station(datastream.station);
            out.alerts.push(resolved(alert, rule, subject, now.wall, now.wall_of(heard_ms)));
            // While it was silent nothing else of it was judged.
            if let Some(due) = due {
                *due = 0;
            }
        }
        let Some(stream) = station.streams.get_mut(usize::from(datastream.slot)) else { return };
        let heard_ms = std::mem::replace(&mut stream.silence.heard_ms, now.elapsed_ms);
        if let (Some(alert), Some(rule)) = (stream.silence.firing.take(), stream.silence_rule) {
            let subject = Subject::Datastream(datastream.id);
            // The station as a whole may be silent sooner now.
            if let Some(due) = self.silence_due_ms.get_mut(datastream.station.index()) {
                *due = 0;
            }
            out.alerts.push(resolved(alert, rule, subject, now.wall, now.wall_of(heard_ms)));
        }
    }

    pub(super) fn station_mut(&mut self, id: StationId) -> Option<&mut StationState> {
        let station = self.state.stations.get_mut(id.index())?.as_mut()?;
        Some(Arc::make_mut(station))
    }

    pub(super) fn stream_mut(&mut self, datastream: &Datastream) -> Option<&mut StreamState> {
        let station = self.station_mut(datastream.station)?;
        station.streams.get_mut(usize::from(datastream.slot))
    }

    /// Assesses an observation that is the newest of its period, also one that is revised; its
    /// alert may change.
    pub(super) fn judge(
        &mut self,
        registry: &Registry,
        datastream: &Datastream,
        qualified: &QualifiedObservation,
        backlog: Option<Backlog>,
        out: &mut Processed,
    ) {
        let Some(stream) = self.state.stream(datastream) else { return };
        let mut last = stream.last.alone(qualified.observation.period);
        let assessment = self.assess(registry, datastream, qualified, &mut last);
        // Hardly ever another one; what is shared with a view would be looked at for each write.
        if assessment.changed
            && let Some(stream) = self.stream_mut(datastream)
        {
            stream.last.join(&last);
        }
        out.assessments.push(assessment);
        self.alert(registry, datastream, (qualified, &assessment), backlog, out);
        self.watch(registry, datastream, (qualified, &assessment), backlog, out);
    }
}

fn resolved(
    alert: AlertId,
    rule: RuleId,
    subject: Subject,
    at: Timestamp,
    since: Timestamp,
) -> AlertEvent {
    AlertEvent::plain(alert, rule, subject, AlertChange::Resolved, (at, since))
}

/// Says what a datastream holds of an observation. What a logger repeats of a sample before the
/// next one is due is that sample. The same value is another once its device judges it otherwise.
pub(super) fn held(
    stream: &StreamState,
    datastream: &Datastream,
    observation: &Observation,
    mark: Option<&Mark>,
) -> Held {
    let time = observation.phenomenon_time.start();
    let flag = qc::device_mark::test(mark, observation.result);
    // Nearly every observation is newer than all before it.
    let last = stream.history.newest();
    let newer = last.is_none_or(|last| last.time < time);
    if let Sampling::Sampled { cycle_ms, .. } = datastream.sampling {
        let sample = if newer { last } else { stream.history.at_or_before(time) };
        let repeats = |sample: &Entry| {
            let judged = sample.quality.flag(Test::DeviceMark) != flag;
            let another = judged && sample.time == time;
            sample.result == observation.result && time.since(sample.time) < cycle_ms && !another
        };
        if let Some(sample) = sample.filter(repeats) {
            return Held::Same(sample);
        }
    }
    if newer {
        return Held::Nothing;
    }
    match stream.history.held(time, observation.result) {
        Held::Same(entry) if entry.quality.flag(Test::DeviceMark) != flag => Held::Other(entry),
        held @ (Held::Same(_) | Held::Nothing | Held::Other(_)) => held,
    }
}

/// Gives the time of the newest observation, which an older one is no news after. A time that
/// only a clock ahead can have said counts no more once a clock can be believed again.
fn newest(
    stream: &StreamState,
    registry: &Registry,
    observation: &Observation,
    now: Timestamp,
) -> Option<Timestamp> {
    let newest = stream.newest?.time;
    let ahead = newest.since(now) > registry.judgement.clock_ahead_max_ms;
    (!ahead || observation.clock == Flag::Suspect).then_some(newest)
}

fn remember(
    stream: &mut StreamState,
    registry: &Registry,
    entry: Entry,
    news: bool,
    now: Timestamp,
) {
    stream.history.put(entry);
    if stream.history.just_sealed() {
        let horizon = now.plus(-registry.judgement.lateness_horizon_ms);
        // An hour that waits to be given out is made of what was remembered.
        let waits = stream.hours.first_waiting().map_or(horizon, |hour| hour.min(horizon));
        stream.history.forget_before(waits.plus(-HOUR));
    }
    if news {
        stream.newest = Some(entry);
        stream.received = now;
    }
}
