//! One message: is it held already, what does it say, and where does each of its readings end.

use std::sync::Arc;

use xxhash_rust::xxh3::{xxh3_64, xxh3_128_with_seed};

use crate::decode::{self, number};
use crate::domain::input::{Message, Qos, ReceiveFault};
use crate::domain::ledger::{Ledger, Outcome};
use crate::domain::name::{DeviceId, TopicId};
use crate::domain::reject::{Reason, Reject, Stage};
use crate::domain::time::Moment;
use crate::normalize;
use crate::pipeline::route::{Speaker, nearest_device};
use crate::pipeline::state::Suspect;
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

/// When a message came, and when its readings are of if they state no time themselves.
#[derive(Clone, Copy)]
pub(super) struct Times {
    pub(super) now: Moment,
    pub(super) received: Moment,
    /// Whether its device speaks now: what a broker kept, or a dead letter, breaks no silence.
    pub(super) live: bool,
}

impl Pipeline {
    pub(super) fn take_message(&mut self, message: &Message<'_>, at: Moment, out: &mut Processed) {
        out.changed = true;
        let mut ledger = Ledger::default();
        let mut ordinal = 0;
        let mut duplicate = false;
        if message.qos == Qos::AtMostOnce {
            ledger.unprotected = 1;
        } else {
            (ordinal, duplicate) = self.note_packet(message);
        }
        let times = Times { now: at, received: at, live: !message.retain };
        let topic = if duplicate {
            self.routes
                .find(&self.registry, message.network, message.topic)
                .map(|route| route.topic)
        } else {
            self.read_message(message, None, times, &mut ledger, out)
        };
        let outcome = if duplicate { Outcome::Duplicate } else { fate(&ledger, out) };
        ledger.messages.count(outcome);
        out.fate = Some(Fate { topic, outcome, ledger, ordinal });
    }

    /// Runs a dead letter again: the whole message, or the one reading that was rejected. Its
    /// place in the ledger moves, if it moves; it is not received anew.
    pub(super) fn retry(
        &mut self,
        message: &Message<'_>,
        channel: Option<&str>,
        received: Moment,
        at: Moment,
        out: &mut Processed,
    ) {
        out.changed = true;
        let mut ledger = Ledger::default();
        let times = Times { now: at, received, live: false };
        let message = Message { fault: None, ..*message };
        let topic = self.read_message(&message, channel, times, &mut ledger, out);
        let outcome = fate(&ledger, out);
        if channel.is_some() && !out.rejects.is_empty() {
            // It is a dead letter still.
            ledger = Ledger::default();
        } else if channel.is_some() {
            ledger.readings.received -= 1;
            ledger.readings.rejected -= 1;
        } else {
            ledger.messages.move_to(Outcome::Rejected, -1);
            ledger.messages.move_to(outcome, 1);
        }
        out.fate = Some(Fate { topic, outcome, ledger, ordinal: 0 });
    }

    /// Counts an acknowledged message of its network and says whether it was committed before.
    fn note_packet(&mut self, message: &Message<'_>) -> (u64, bool) {
        let digest = xxh3_128_with_seed(message.payload, xxh3_64(message.topic));
        let digest = ((digest >> 64) as u64, digest as u64);
        let network = self.state.network(message.network);
        network.ordinal += 1;
        let ordinal = network.ordinal;
        let before = network.suspects.insert(message.packet_id, Suspect { digest, ordinal });
        (ordinal, message.dup && before.is_some_and(|before| before.digest == digest))
    }

    /// Reads a message and stores its readings; gives the pattern it came under.
    fn read_message(
        &mut self,
        message: &Message<'_>,
        only: Option<&str>,
        times: Times,
        ledger: &mut Ledger,
        out: &mut Processed,
    ) -> Option<TopicId> {
        let (topic, read) = match self.speaker(message) {
            Err((topic, refusal)) => (topic, Err(refusal)),
            Ok((spoken, channel)) => {
                let read = self.decode(message, spoken, channel.as_deref(), times);
                (Some(spoken.topic), read.map(|profile| (spoken, profile)))
            }
        };
        match read {
            Err(Refusal { stage, device, reason }) => {
                out.rejects.push(Reject { stage, device, channel: None, reason });
            }
            Ok((spoken, profile)) => {
                self.store_readings(message, spoken, profile, only, times, ledger, out);
            }
        }
        topic
    }

    /// Finds who speaks.
    #[expect(clippy::type_complexity, reason = "the topic is known even of a refused message")]
    fn speaker(
        &mut self,
        message: &Message<'_>,
    ) -> Result<(Spoken, Option<Box<str>>), (Option<TopicId>, Refusal)> {
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
        let unknown = |name: &str| {
            let name = number::cut(name);
            let nearest = nearest_device(registry, message.network, &name);
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
            (Speaker::Unknown(name), _) => return Err(unknown(name)),
            (Speaker::InPayload, Some(name)) => {
                match registry.device_ids.get(&(message.network, name.clone())) {
                    Some(device) => *device,
                    None => return Err(unknown(&name)),
                }
            }
            (Speaker::InPayload, None) => {
                let reason = Reason::NoDevice { pointer: Box::default() };
                return Err((topic, refuse(Stage::Decode, reason)));
            }
        };
        Ok((Spoken { topic: route.topic, device }, route.channel.clone()))
    }

    /// Decodes the payload into [`Pipeline::decoded`] by the profile in force when it arrived.
    fn decode(
        &mut self,
        message: &Message<'_>,
        spoken: Spoken,
        channel: Option<&str>,
        times: Times,
    ) -> Result<crate::domain::registry::ProfileIndex, Refusal> {
        self.decoded.clear();
        let registry = &self.registry;
        let device = registry.devices.get(spoken.device.index());
        let refuse = |stage, reason| Refusal {
            stage,
            device: device.map(|device| device.name.clone()),
            reason,
        };
        let assignment = device.and_then(|device| device.assignment(times.received.wall));
        let rule = registry.topics.get(spoken.topic.index());
        let (Some(device), Some(assignment), Some(rule)) = (device, assignment, rule) else {
            return Err(refuse(Stage::Normalize, Reason::NotInService));
        };
        let Some(profile) = registry.profiles.get(usize::from(assignment.profile.0)) else {
            return Err(refuse(Stage::Normalize, Reason::NotInService));
        };
        let context =
            decode::Context { profile, rule, zone: &device.zone, units: &registry.units, channel };
        let plans = self.routes.plans(spoken.topic, assignment.profile);
        decode::decode(plans, context, message.payload, &mut self.decoded)
            .map_err(|reason| refuse(Stage::Decode, reason))?;
        Ok(assignment.profile)
    }

    #[expect(clippy::too_many_arguments, reason = "one message's facts, used nowhere else")]
    fn store_readings(
        &mut self,
        message: &Message<'_>,
        spoken: Spoken,
        profile: crate::domain::registry::ProfileIndex,
        only: Option<&str>,
        times: Times,
        ledger: &mut Ledger,
        out: &mut Processed,
    ) {
        let registry = Arc::clone(&self.registry);
        let (Some(device), Some(known)) = (
            registry.devices.get(spoken.device.index()),
            registry.profiles.get(usize::from(profile.0)),
        ) else {
            return;
        };
        let wanted = |channel: &str| only.is_none_or(|only| only == channel);
        for (channel, reason) in self.decoded.rejects.drain(..) {
            if wanted(&channel) {
                ledger.readings.count(Outcome::Rejected);
                out.rejects.push(reading_reject(Stage::Decode, &device.name, channel, reason));
            }
        }
        let context = normalize::Context {
            registry: &registry,
            device,
            profile,
            channels: &known.channels,
            received: times.received.wall,
            retain: message.retain,
        };
        let mut readings = std::mem::take(&mut self.readings);
        std::mem::swap(&mut readings, &mut self.decoded.readings);
        for reading in &readings {
            let channel = known.channels.get(usize::from(reading.channel));
            let name = channel.map_or("", |channel| &*channel.name);
            if !wanted(name) {
                continue;
            }
            match normalize::normalize(context, reading) {
                Ok(None) => {}
                Ok(Some(observation)) => {
                    let outcome = self.observe(&registry, observation, times, ledger, out);
                    ledger.readings.count(outcome);
                }
                Err(reason) => {
                    ledger.readings.count(Outcome::Rejected);
                    let (stage, name) = (Stage::Normalize, name.into());
                    out.rejects.push(reading_reject(stage, &device.name, name, reason));
                }
            }
        }
        readings.clear();
        self.readings = readings;
    }
}

fn reading_reject(stage: Stage, device: &str, channel: Box<str>, reason: Reason) -> Reject {
    Reject { stage, device: Some(device.into()), channel: Some(channel), reason }
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
