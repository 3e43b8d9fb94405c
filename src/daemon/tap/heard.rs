//! What a device said, as it said it: the readings of a message before anybody knows what they
//! mean. Beside the pipeline, which gives only what they became.

use std::collections::HashMap;
use std::sync::Arc;

use crate::decode::{self, Announced, Context, Decoded, Plan};
use crate::domain::input::Message;
use crate::domain::name::{DatastreamId, DeviceId, MarkId, NetworkId, TopicId};
use crate::domain::observation::ObservationResult;
use crate::domain::registry::{Device, ProfileIndex, Registry, TopicRule, Words};
use crate::domain::time::Timestamp;

/// One reading.
#[derive(Clone, PartialEq, Debug)]
pub(in crate::daemon) struct Heard {
    /// The channel, as the device names it.
    pub(in crate::daemon) channel: Box<str>,
    /// The number as sent.
    pub(in crate::daemon) result: ObservationResult,
    /// The unit as sent, or the one that the profile states.
    pub(in crate::daemon) unit: Box<str>,
    /// The device's own time, if it stated one.
    pub(in crate::daemon) device_time: Option<Timestamp>,
    /// What it marks the value with.
    pub(in crate::daemon) mark: Option<MarkId>,
    /// The device.
    pub(in crate::daemon) device: DeviceId,
    /// The datastream that it is of, if it is not ignored.
    pub(in crate::daemon) datastream: Option<DatastreamId>,
}

/// Decodes what comes by, with the formats compiled once.
#[derive(Debug)]
pub(in crate::daemon) struct Ear {
    registry: Arc<Registry>,
    plans: HashMap<(TopicId, ProfileIndex), Vec<Plan>>,
    /// What devices announced since it listens.
    announced: Arc<Announced>,
    decoded: Decoded,
}

impl Ear {
    pub(in crate::daemon) fn new(registry: Arc<Registry>) -> Self {
        Self {
            registry,
            plans: HashMap::new(),
            announced: Arc::default(),
            decoded: Decoded::default(),
        }
    }

    /// Has it know what devices announced before it listens.
    pub(in crate::daemon) fn knowing(self, announced: Arc<Announced>) -> Self {
        Self { announced, ..self }
    }

    /// Gives the network, of several on one broker, that knows a topic.
    pub(in crate::daemon) fn network(&self, of: &[NetworkId], topic: &[u8]) -> Option<NetworkId> {
        let topic = std::str::from_utf8(topic).ok()?;
        let rules = || self.registry.topics.iter();
        of.iter().copied().find(|network| {
            rules().any(|rule| rule.network == *network && rule.read(topic).is_some())
        })
    }

    /// Gives the readings of a message; none where nobody can tell what it says.
    pub(in crate::daemon) fn hear(&mut self, message: &Message<'_>, at: Timestamp) -> Vec<Heard> {
        self.decoded.clear();
        self.decode(message, at).unwrap_or_default()
    }

    fn decode(&mut self, message: &Message<'_>, at: Timestamp) -> Option<Vec<Heard>> {
        if message.fault.is_some() {
            return None;
        }
        let registry = Arc::clone(&self.registry);
        let topic = std::str::from_utf8(message.topic).ok()?;
        let rules = registry.topics.iter().filter(|rule| rule.network == message.network);
        let (rule, words) = rules.filter_map(|rule| Some((rule, rule.read(topic)?))).next()?;
        let device = device(&registry, rule, &words, message)?;
        let assignment = device.assignment(at)?;
        let profile = registry.profiles.get(usize::from(assignment.profile.0))?;
        let plans = self.plans.entry((rule.id, assignment.profile));
        let plans = plans.or_insert_with(|| decode::plans(rule, profile));
        let context = Context {
            profile,
            rule,
            zone: &device.zone,
            units: &registry.units,
            marks: &registry.marks,
            device: Some(device),
            channel: words.channel,
            topic,
            device_name: &device.name,
            kind: words.kind,
            received: at,
            retained: message.retain,
        };
        decode::decode(plans, context, message.payload, &mut self.announced, &mut self.decoded)
            .ok()?;
        let heard = self.decoded.readings.iter().filter_map(|reading| {
            let channel = profile.channels.get(usize::from(reading.channel))?;
            let unit = reading.unit.or(channel.unit).and_then(|unit| registry.units.get(unit));
            Some(Heard {
                channel: channel.name.clone(),
                result: reading.result,
                unit: unit.map_or_else(Box::default, |unit| unit.name.clone()),
                device_time: reading.device_time,
                mark: reading.mark,
                device: device.id,
                datastream: assignment
                    .streams
                    .get(usize::from(reading.channel))
                    .copied()
                    .flatten()
                    .map(|stream| stream.datastream),
            })
        });
        Some(heard.collect())
    }
}

fn device<'r>(
    registry: &'r Registry,
    rule: &TopicRule,
    words: &Words<'_>,
    message: &Message<'_>,
) -> Option<&'r Device> {
    let name: Box<str> = match words.device {
        Some(name) => name.into(),
        None => decode::device_name(rule, message.payload).ok()?,
    };
    let id = registry.device_ids.get(&(rule.network, name))?;
    registry.devices.get(id.index())
}
