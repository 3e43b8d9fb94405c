//! One message: is it held already, what does it say, and where does each of its readings end.

use std::sync::Arc;

use xxhash_rust::xxh3::{xxh3_64, xxh3_128_with_seed};

use crate::decode::{self, Refused, number};
use crate::domain::input::{Act, Input, Message, Qos, ReadingPlace, ReceiveFault};
use crate::domain::ledger::{Counts, Ledger, Outcome};
use crate::domain::name::{DeviceId, TopicId};
use crate::domain::observation::{Observation, Reading};
use crate::domain::quality::Flag;
use crate::domain::registry::{Device, Format, ProfileIndex};
use crate::domain::reject::{Reason, Reject, Stage};
use crate::domain::time::{Moment, Timestamp};
use crate::normalize;
use crate::pipeline::backlog::Backlog;
use crate::pipeline::check::Control;
use crate::pipeline::observe::Hearing;
use crate::pipeline::route::{Named, Speaker, nearest_device};
use crate::pipeline::{Fate, Pipeline, Processed};

/// Why a whole message ends as a dead letter.
struct Refusal {
    stage: Stage,
    device: Option<Box<str>>,
    reason: Reason,
}

/// Who spoke, and on which topic.
#[derive(Clone, Copy)]
struct Spoken {
    topic: TopicId,
    device: DeviceId,
}

/// How a message is read.
#[derive(Clone, Copy)]
struct Manner<'a> {
    now: Moment,
    /// When it came; its readings are of then if they state no time themselves.
    received: Moment,
    /// The one reading that is wanted; `None` for all.
    only: Option<ReadingPlace<'a>>,
    /// Whether it shows that its device is alive: a retained message and one that is run again
    /// don't.
    live: bool,
    /// Whether it was taken before, and is run again.
    again: bool,
    /// Where it may be of its broker's backlog.
    backlog: Option<Backlog>,
    /// Whether it is of a table that is imported.
    imported: bool,
}

impl Manner<'_> {
    fn wants(&self, channel: &str, record: u32) -> bool {
        self.only.is_none_or(|place| place.covers(channel, record))
    }
}

impl Pipeline {
    pub(super) fn take_message(&mut self, message: &Message<'_>, at: Moment, out: &mut Processed) {
        out.changed = true;
        let mut ledger = Ledger::default();
        let mut ordinal = 0;
        let mut duplicate = false;
        let imported = self.registry.is_import(message.network);
        if imported {
            // No broker gave it, and none gives it again.
        } else if message.qos == Qos::AtMostOnce {
            ledger.unprotected = 1;
        } else {
            (ordinal, duplicate) = self.note_packet(message);
        }
        let mut heard = || self.state.network(message.network).hear(at);
        let backlog = if imported { None } else { heard() };
        let live = !message.retain && !imported;
        let (received, only, again) = (at, None, false);
        let manner = Manner { now: at, received, only, live, again, backlog, imported };
        let topic = if duplicate {
            // Its reply may be what was lost.
            self.answer_again(message, manner);
            self.routes
                .find(&self.registry, message.network, message.topic)
                .map(|route| route.topic)
        } else {
            let topic = self.read_message(message, manner, &mut ledger, out);
            self.store_read(manner, &mut ledger, out);
            topic
        };
        // Nobody waits for an answer to what the broker kept.
        if !message.retain {
            out.replies.append(&mut self.decoded.replies);
        }
        let outcome = if duplicate { Outcome::Duplicate } else { fate(&ledger, out) };
        ledger.messages.count(outcome);
        out.fate = Some(Fate { topic, outcome, ledger, ordinal });
    }

    /// Runs a dead letter again: the whole message, or the one reading that was rejected. Its
    /// place in the ledger moves, under the pattern where it was counted; it is not received anew.
    pub(super) fn retry(&mut self, act: &Act<'_>, at: Moment, out: &mut Processed) {
        let Act::Retry { message, reading, received, pattern, rejected } = *act else { return };
        let message = Message { fault: None, ..message };
        let (live, again, backlog) = (false, true, None);
        let imported = self.registry.is_import(message.network);
        let manner = Manner { now: at, received, only: reading, live, again, backlog, imported };
        let mut read = Ledger::default();
        self.read_message(&message, manner, &mut read, out);
        self.store_read(manner, &mut read, out);
        let ignored = reading.is_some_and(|place| self.is_ignored(&message, place))
            // A frame may say nothing that is measured.
            || self.is_frame(&message, reading).is_some();
        let (outcome, ledger) = match reading {
            None => rerun_message(&read, out),
            Some(_) => rerun_reading(&read, ignored, rejected, out),
        };
        out.fate = Some(Fate { topic: pattern, outcome, ledger, ordinal: 0 });
    }

    /// Says whether the seeds say by now that a channel is not wanted.
    fn is_ignored(&mut self, message: &Message<'_>, place: ReadingPlace<'_>) -> bool {
        let Ok((spoken, _)) = self.speaker(message) else { return false };
        let device = self.registry.devices.get(spoken.device.index());
        let mut assignments = device.into_iter().flat_map(|device| &device.assignments);
        assignments.any(|assignment| {
            let profile = self.registry.profiles.get(usize::from(assignment.profile.0));
            let mut channels = profile.into_iter().flat_map(|profile| &profile.channels);
            channels.any(|one| *one.name == *place.channel && one.property.is_none())
        })
    }

    /// Gives the number of the frame, where it is a whole frame that was turned away: all that
    /// stands in it by now is what is wanted.
    fn is_frame(&mut self, message: &Message<'_>, only: Option<ReadingPlace<'_>>) -> Option<u32> {
        let place = only.filter(|place| place.channel == decode::hj212::FRAME)?;
        let route = self.routes.find(&self.registry, message.network, message.topic)?;
        let rule = self.registry.topics.get(route.topic.index())?;
        rule.formats.contains(&Format::Hj212).then_some(place.record)
    }

    /// Counts an acknowledged message of its network and says whether it was committed before.
    fn note_packet(&mut self, message: &Message<'_>) -> (u64, bool) {
        let digest = digest(message);
        let network = self.state.network(message.network);
        let repeated = message.dup && network.is_repeated(message.packet_id, digest);
        (network.note(message.packet_id, digest), repeated)
    }

    /// Leaves the replies in [`Pipeline::decoded`] that a message causes which was taken before,
    /// and changes nothing.
    fn answer_again(&mut self, message: &Message<'_>, manner: Manner<'_>) {
        self.decoded.clear();
        let Ok((spoken, named)) = self.speaker(message) else { return };
        let rule = self.registry.topics.get(spoken.topic.index());
        if rule.is_some_and(|rule| rule.options.ack.is_some()) {
            let manner = Manner { again: true, ..manner };
            // What can't be read has no reply, now as before.
            self.decode(message, spoken, &named, manner).ok();
        }
    }

    /// Reads a message into [`Pipeline::observed`]; gives the pattern it came under.
    fn read_message(
        &mut self,
        message: &Message<'_>,
        manner: Manner<'_>,
        ledger: &mut Ledger,
        out: &mut Processed,
    ) -> Option<TopicId> {
        self.decoded.replies.clear();
        let (topic, read) = match self.speaker(message) {
            Err((topic, refusal)) => {
                self.overhear(message, topic, manner);
                (topic, Err(refusal))
            }
            Ok((spoken, named)) => {
                let read = self.decode(message, spoken, &named, manner);
                (Some(spoken.topic), read.map(|profile| (spoken, profile)))
            }
        };
        match read {
            Err(Refusal { stage, device, reason }) => {
                out.rejects.push(Reject { stage, device, channel: None, record: 0, reason });
            }
            Ok((spoken, profile)) => {
                let fresh = manner.imported && !manner.again;
                let station = self.stands_at(spoken.device, manner.received).filter(|_| fresh);
                let digest = digest(message);
                let known = station.and_then(|station| self.refused(station, digest));
                let known = known.as_deref();
                self.read_readings(message, (spoken.device, profile), manner, known, ledger, out);
                if manner.live {
                    let registry = Arc::clone(&self.registry);
                    self.note_presence(&registry, spoken.device, manner.now);
                }
                if let Some(station) = station {
                    self.note_part(station, digest, out);
                }
            }
        }
        topic
    }

    /// Takes in what a message says although the seeds don't know who sent it.
    fn overhear(&mut self, message: &Message<'_>, topic: Option<TopicId>, manner: Manner<'_>) {
        let rule = topic.and_then(|topic| self.registry.topics.get(topic.index()));
        if let (Some(rule), Ok(topic)) = (rule, std::str::from_utf8(message.topic))
            && message.fault.is_none()
            && !message.retain
            && !manner.again
        {
            decode::overhear(rule, topic, message.payload, &mut self.state.announced);
        }
    }

    /// Gives the observations that a message brings, or one that is run again, and stores nothing.
    pub(super) fn observations_of(
        &mut self,
        input: &Input<'_>,
        at: Moment,
        out: &mut Processed,
    ) -> &mut Vec<Observation> {
        let nothing = &mut Ledger::default();
        let (now, live, backlog) = (at, false, None);
        let imported = input.network().is_some_and(|network| self.registry.is_import(network));
        match input {
            Input::Message(message) => {
                let noted = !imported && message.qos != Qos::AtMostOnce;
                let repeated = noted && self.note_packet(message).1;
                if !repeated {
                    let (received, only, again) = (at, None, false);
                    let manner = Manner { now, received, only, live, again, backlog, imported };
                    self.read_message(message, manner, nothing, out);
                }
            }
            Input::Act(Act::Retry { message, reading, received, .. }) => {
                let message = Message { fault: None, ..*message };
                let (received, only, again) = (*received, *reading, true);
                let manner = Manner { now, received, only, live, again, backlog, imported };
                self.read_message(&message, manner, nothing, out);
            }
            Input::Act(Act::Invalidate { .. } | Act::Revoke { .. } | Act::Check { .. })
            | Input::Tick
            | Input::Edition(_)
            | Input::Condition(_)
            | Input::Recompute(_)
            | Input::AlertAct(_) => {}
        }
        &mut self.observed
    }

    /// Finds who speaks; the topic is known even of a refused message.
    fn speaker(
        &mut self,
        message: &Message<'_>,
    ) -> Result<(Spoken, Named), (Option<TopicId>, Refusal)> {
        let refuse = |stage, reason| Refusal { stage, device: None, reason };
        let registry = &self.registry;
        let route = self.routes.find(registry, message.network, message.topic);
        let topic = route.as_ref().map(|route| route.topic);
        if let Some(fault) = message.fault {
            return Err((topic, received_fault(fault)));
        }
        if std::str::from_utf8(message.topic).is_err() {
            return Err((None, refuse(Stage::Receive, Reason::TopicNotText)));
        }
        let Some(route) = route else {
            return Err((None, refuse(Stage::Receive, Reason::UnknownTopic)));
        };
        let rule = registry.topics.get(route.topic.index());
        let in_payload = rule.is_some_and(|rule| !rule.pointers.device.is_empty());
        let named = match rule.filter(|_| in_payload) {
            None => None,
            Some(rule) => match decode::device_name(rule, message.payload) {
                Ok(name) => Some(name),
                Err(reason) => return Err((topic, refuse(Stage::Decode, reason))),
            },
        };
        let unknown = |name: Box<str>, nearest: Option<Box<str>>| {
            let reason = Reason::UnknownDevice { nearest };
            (topic, Refusal { stage: Stage::Normalize, device: Some(name), reason })
        };
        let device = match (&route.speaker, named) {
            (Speaker::Known(device), None) => *device,
            (Speaker::Known(device), Some(payload)) => {
                let known = registry.devices.get(device.index());
                let said = known.map_or_else(Box::default, |known| known.name.clone());
                if said != payload {
                    let payload = number::cut(&payload);
                    let reason = Reason::DevicesDiffer { payload, topic: said };
                    return Err((topic, refuse(Stage::Decode, reason)));
                }
                *device
            }
            (Speaker::Unknown { name, nearest }, _) => {
                return Err(unknown(name.clone(), nearest.clone()));
            }
            (Speaker::InPayload, Some(name)) => {
                match registry.device_ids.get(&(message.network, name.clone())) {
                    Some(device) => *device,
                    None => {
                        let name = number::cut(&name);
                        let nearest = nearest_device(registry, message.network, &name);
                        return Err(unknown(name, nearest));
                    }
                }
            }
            (Speaker::InPayload, None) => {
                let reason = Reason::NoDevice { pointer: Box::default() };
                return Err((topic, refuse(Stage::Decode, reason)));
            }
        };
        Ok((Spoken { topic: route.topic, device }, route.named.clone()))
    }

    /// Decodes the payload into [`Pipeline::decoded`] by the profile in force when it arrived.
    fn decode(
        &mut self,
        message: &Message<'_>,
        spoken: Spoken,
        named: &Named,
        Manner { received, again, .. }: Manner<'_>,
    ) -> Result<ProfileIndex, Refusal> {
        self.decoded.clear();
        self.controls.clear();
        let registry = &self.registry;
        let device = registry.devices.get(spoken.device.index());
        let refuse = |stage, reason| Refusal {
            stage,
            device: device.map(|device| device.name.clone()),
            reason,
        };
        let assignment = device.and_then(|device| device.assignment(received.wall));
        let rule = registry.topics.get(spoken.topic.index());
        let (Some(device), Some(assignment), Some(rule)) = (device, assignment, rule) else {
            return Err(refuse(Stage::Normalize, Reason::NotInService));
        };
        let Some(profile) = registry.profiles.get(usize::from(assignment.profile.0)) else {
            return Err(refuse(Stage::Normalize, Reason::NotInService));
        };
        let context = decode::Context {
            profile,
            rule,
            zone: &device.zone,
            units: &registry.units,
            marks: &registry.marks,
            device: Some(device),
            channel: named.channel.as_deref(),
            topic: std::str::from_utf8(message.topic).unwrap_or_default(),
            device_name: &device.name,
            kind: named.kind.as_deref(),
            received: received.wall,
            retained: message.retain,
        };
        let plans = self.routes.plans(spoken.topic, assignment.profile);
        // What a message announced that is run again is long known, or past.
        let mut before = again.then(|| decode::before(rule, &self.state.announced));
        let announced = before.as_mut().unwrap_or(&mut self.state.announced);
        decode::decode(plans, context, message.payload, announced, &mut self.decoded)
            .map_err(|reason| refuse(Stage::Decode, reason))?;
        self.decoded.repeated &= !again;
        Ok(assignment.profile)
    }

    /// Normalizes what was decoded into [`Pipeline::observed`]. Of a part of a table that is known,
    /// `refused` are the rows that are not held.
    fn read_readings(
        &mut self,
        message: &Message<'_>,
        (device, profile): (DeviceId, ProfileIndex),
        manner: Manner<'_>,
        refused: Option<&[u32]>,
        ledger: &mut Ledger,
        out: &mut Processed,
    ) {
        let registry = Arc::clone(&self.registry);
        let (Some(device), Some(known)) =
            (registry.devices.get(device.index()), registry.profiles.get(usize::from(profile.0)))
        else {
            return;
        };
        let frame = self.is_frame(message, manner.only);
        let wants = |channel: &str, record: u32| match frame {
            Some(frame) => record == frame,
            None => manner.wants(channel, record),
        };
        let is_held = |record: &u32| refused.is_some_and(|refused| !refused.contains(record));
        for refused in self.decoded.rejects.drain(..) {
            if wants(&refused.channel, refused.record) {
                ledger.readings.count(Outcome::Rejected);
                out.rejects.push(reading_reject(Stage::Decode, &device.name, refused));
            }
        }
        let context = normalize::Context {
            registry: &registry,
            device,
            profile,
            channels: &known.channels,
            received: manner.received.wall,
            // The times of a table are those of its rows, whatever clock is trusted.
            retain: message.retain || manner.imported,
        };
        self.fetch(device, &self.decoded.readings, manner.received.wall);
        for reading in self.decoded.readings.drain(..) {
            let channel = known.channels.get(usize::from(reading.channel));
            let name = channel.map_or("", |channel| &*channel.name);
            if !wants(name, reading.record) {
                continue;
            }
            match normalize::normalize(context, &reading) {
                Ok(None) => {}
                Ok(Some(_)) if self.decoded.repeated || is_held(&reading.record) => {
                    ledger.readings.count(Outcome::Duplicate);
                }
                Ok(Some(observation)) if registry.marks.is_control(observation.mark) => {
                    ledger.readings.count(Outcome::Stored);
                    out.controls.push(observation);
                    let (device, record) = (device.id, reading.record);
                    self.controls.push(Control { device, record, observation });
                }
                Ok(Some(mut observation)) => {
                    if manner.imported && observation.phenomenon_time.start() < manner.now.wall {
                        // No clock is wrong because a table is old.
                        observation.clock = Flag::NotEvaluated;
                    }
                    self.observed.push(observation);
                }
                Err(reason) => {
                    ledger.readings.count(Outcome::Rejected);
                    let refused = Refused { channel: name.into(), record: reading.record, reason };
                    out.rejects.push(reading_reject(Stage::Normalize, &device.name, refused));
                }
            }
        }
    }

    /// Stores the observations that were read, and works out what is made of them.
    fn store_read(&mut self, manner: Manner<'_>, ledger: &mut Ledger, out: &mut Processed) {
        let Manner { now, live, backlog, imported, .. } = manner;
        // Who only says whether it is there measures nothing.
        let live = live && !self.decoded.farewell && !self.decoded.greeting;
        // What the device kept while it could not speak is as a broker's backlog.
        let kept = self.decoded.past.map(|past| Backlog { now, until: past.plus(1) });
        let backlog = [backlog, kept].into_iter().flatten().max_by_key(|one| one.until);
        let hearing = Hearing { now, live, backlog, imported, members: Flag::NotEvaluated };
        self.store_observed(hearing, ledger, out);
        self.take_checks(now, out);
    }

    /// Takes in what was observed at a station, as if one message had brought it: what a table has
    /// in a row.
    pub fn take_row(&mut self, row: &[Observation], at: Moment, out: &mut Processed) {
        out.clear();
        let members = Flag::NotEvaluated;
        let hearing = Hearing { now: at, live: false, backlog: None, imported: false, members };
        self.store(row, hearing, &mut Ledger::default(), out);
    }

    /// Does the same of what devices send just now, so that it shows that they are alive.
    pub fn hear_row(&mut self, row: &[Observation], at: Moment, out: &mut Processed) {
        out.clear();
        let members = Flag::NotEvaluated;
        let hearing = Hearing { now: at, live: true, backlog: None, imported: false, members };
        self.store(row, hearing, &mut Ledger::default(), out);
    }

    /// Stores the observations of one message, and works out what is made of them.
    pub(super) fn store(
        &mut self,
        observations: &[Observation],
        hearing: Hearing,
        ledger: &mut Ledger,
        out: &mut Processed,
    ) {
        self.observed.clear();
        self.observed.extend_from_slice(observations);
        self.store_observed(hearing, ledger, out);
    }

    fn store_observed(&mut self, hearing: Hearing, ledger: &mut Ledger, out: &mut Processed) {
        let registry = Arc::clone(&self.registry);
        let mut at = 0;
        // They stay where they are meanwhile: what a message brings is judged by all of it.
        while let Some(observation) = self.observed.get(at).copied() {
            if self.observed.len() > 1 {
                self.weigh(&registry, &observation);
            }
            let outcome = self.observe(&registry, observation, hearing, ledger, out);
            ledger.readings.count(outcome);
            at += 1;
        }
        // What is derived is held beside what the message brings.
        self.weighed.clear();
        self.derive(&registry, Hearing { live: false, ..hearing }, out);
        self.evaluate_assessed(&registry, hearing.now, out);
        self.observed.clear();
    }

    /// Touches what the readings of a message will need. It lies far apart and is seldom near the
    /// processor when messages come singly; asked for together, it comes together.
    fn fetch(&self, device: &Device, readings: &[Reading], received: Timestamp) {
        let Some(assignment) = device.assignment(received) else { return };
        let touched = readings.iter().filter_map(|reading| {
            let stream = assignment.streams.get(usize::from(reading.channel))?.as_ref()?;
            let datastream = self.registry.datastream(stream.datastream)?;
            let station = self.state.stations.get(datastream.station.index())?.as_ref()?;
            Some(station.streams.get(usize::from(datastream.slot))?.touch())
        });
        std::hint::black_box(touched.fold(0, |all, one| all ^ one));
    }
}

/// Gives what tells a message from others.
fn digest(message: &Message<'_>) -> (u64, u64) {
    let digest = xxh3_128_with_seed(message.payload, xxh3_64(message.topic));
    ((digest >> 64) as u64, digest as u64)
}

fn reading_reject(stage: Stage, device: &str, refused: Refused) -> Reject {
    let Refused { channel, record, reason } = refused;
    Reject { stage, device: Some(device.into()), channel: Some(channel), record, reason }
}

/// Books a whole message that was run again: it leaves its place if it can be read by now, and its
/// readings are counted for the first time.
fn rerun_message(read: &Ledger, out: &Processed) -> (Outcome, Ledger) {
    let outcome = fate(read, out);
    if out.rejects.iter().any(|reject| reject.channel.is_none()) {
        return (Outcome::Rejected, Ledger::default());
    }
    let mut ledger = *read;
    ledger.messages.move_to(Outcome::Rejected, -1);
    ledger.messages.move_to(outcome, 1);
    (outcome, ledger)
}

/// Books one reading that was run again. It leaves its place if nothing of it is refused any more
/// and it was found, or is not wanted; what was stored takes its message along.
fn rerun_reading(
    read: &Ledger,
    ignored: bool,
    message_rejected: bool,
    out: &Processed,
) -> (Outcome, Ledger) {
    let found = read.readings.stored + read.readings.duplicate > 0;
    let ended = out.rejects.is_empty() && (found || ignored);
    let mut ledger = Ledger { revisions: read.revisions, late: read.late, ..Ledger::default() };
    ledger.readings.stored = read.readings.stored;
    if ended {
        ledger.readings.rejected = -1;
        ledger.readings.duplicate = i64::from(found && read.readings.stored == 0);
    }
    let Counts { stored, rejected, duplicate, .. } = ledger.readings;
    ledger.readings.received = stored + rejected + duplicate;
    if message_rejected && read.readings.stored > 0 {
        ledger.messages.move_to(Outcome::Rejected, -1);
        ledger.messages.move_to(Outcome::Stored, 1);
    }
    let outcome = match (ended, found && read.readings.stored == 0) {
        (true, true) => Outcome::Duplicate,
        (true, false) => Outcome::Stored,
        (false, _) => Outcome::Rejected,
    };
    (outcome, ledger)
}

fn received_fault(fault: ReceiveFault<'_>) -> Refusal {
    let (stage, reason) = match fault {
        ReceiveFault::TooLong { bytes, bytes_max } => {
            (Stage::Receive, Reason::PayloadTooLong { bytes, bytes_max })
        }
        ReceiveFault::Broken(fault) => {
            (Stage::Receive, Reason::BrokenPacket { fault: fault.into() })
        }
        ReceiveFault::Crashed(fault) => (Stage::Crashed, Reason::Panicked { fault: fault.into() }),
    };
    Refusal { stage, device: None, reason }
}

/// A message is stored if any of its readings is, or if it is well-formed and has none; else
/// rejected if any reading is; else duplicate.
fn fate(ledger: &Ledger, out: &Processed) -> Outcome {
    if out.rejects.iter().any(|reject| reject.channel.is_none()) {
        Outcome::Rejected
    } else if ledger.readings.stored > 0 || ledger.readings.received == 0 {
        Outcome::Stored
    } else if ledger.readings.rejected > 0 {
        Outcome::Rejected
    } else {
        Outcome::Duplicate
    }
}
