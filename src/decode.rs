//! From bytes to readings: what a device said, before anybody knows what it means. One file a
//! format; a format that is compiled for a topic and a profile is a [`Plan`].

pub mod binary;
pub mod chirpstack;
#[cfg(debug_assertions)]
mod crash;
pub mod csv;
pub mod hj212;
pub mod homie;
pub mod json;
pub mod line_protocol;
mod named;
pub mod number;
pub mod packed;
pub mod plain;
pub mod senml;
pub mod shelly;
pub mod sparkplug_b;
pub mod tasmota;
pub mod telegraf;
pub mod things_stack;
pub mod time;
#[cfg(test)]
mod told;
pub mod uplink;
pub mod zigbee2mqtt;

use std::sync::Arc;

use jiff::tz::TimeZone;
use minicbor::Encode;

use crate::domain::name::NetworkId;
use crate::domain::observation::Reading;
use crate::domain::registry::{Device, Format, Marks, Profile, Registry, TopicRule};
use crate::domain::reject::Reason;
use crate::domain::reply::Reply;
use crate::domain::time::Timestamp;
use crate::domain::unit::Units;

/// A format, compiled for the payloads of one topic pattern and one profile.
#[derive(Debug)]
pub enum Plan {
    /// JSON mapped by pointers.
    Json(json::Plan),
    /// A number as text.
    Plain(plain::Plan),
    /// Rows of cells.
    Csv(csv::Plan),
    /// InfluxDB's line protocol.
    LineProtocol(line_protocol::Plan),
    /// Telegraf's JSON.
    Telegraf(telegraf::Plan),
    /// SenML, as JSON or CBOR.
    Senml(senml::Plan),
    /// Sparkplug B.
    SparkplugB(sparkplug_b::Plan),
    /// ChirpStack.
    Chirpstack(chirpstack::Plan),
    /// The Things Stack.
    ThingsStack(things_stack::Plan),
    /// Tasmota.
    Tasmota(tasmota::Plan),
    /// Shelly.
    Shelly(shelly::Plan),
    /// Zigbee2MQTT.
    Zigbee2mqtt(zigbee2mqtt::Plan),
    /// Homie 5.
    Homie(homie::Plan),
    /// HJ 212.
    Hj212(hj212::Plan),
    /// Records of bytes.
    Binary(binary::Plan),
    /// The same, but for payloads on which weir breaks: for tests of what holds then.
    #[cfg(debug_assertions)]
    Crash(json::Plan),
}

/// What a payload was decoded into; the buffers are used again.
#[derive(Debug, Default)]
pub struct Decoded {
    /// The readings, in the order of the payload.
    pub readings: Vec<Reading>,
    /// What could not become a reading.
    pub rejects: Vec<Refused>,
    /// Whether the message says that its device is gone.
    pub farewell: bool,
    /// Whether the message says that its device is there.
    pub greeting: bool,
    /// Up to when the readings are history that the device kept, if some of them are.
    pub past: Option<Timestamp>,
    /// Whether the device's message was taken before: a network server or a bridge sent it again.
    pub repeated: bool,
    /// What is no reading, and nobody asked for: states of equipment, serial numbers.
    pub unread: u32,
    /// Frames whose check sum is not the standard's, but the one their device may send.
    pub odd_crcs: u32,
    /// What the device is to be told.
    pub replies: Vec<Reply>,
}

/// What devices announced of themselves, without which what they send later can't be read. It is of
/// devices of the seeds alone.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, minicbor::Decode)]
pub struct Announced {
    /// The edge nodes of Sparkplug B.
    #[n(0)]
    pub nodes: sparkplug_b::Nodes,
    /// The last messages of devices behind a LoRaWAN network server, by what makes each one.
    #[n(1)]
    #[cbor(default)]
    pub uplinks: uplink::Uplinks,
    /// What devices of Homie describe.
    #[n(2)]
    #[cbor(default)]
    pub descriptions: homie::Descriptions,
}

impl Announced {
    /// Gives what holds for messages of another time: what was announced, but not how far devices
    /// had counted their messages.
    #[must_use]
    pub fn of_another_time(mut self) -> Self {
        self.nodes.values_mut().for_each(sparkplug_b::Node::lose_count);
        self
    }

    /// Forgets what is of no device any more.
    pub fn retain(&mut self, registry: &Registry) {
        self.nodes.retain(|(network, of_group), _| {
            let Some((_, node)) = of_group.split_once('/') else { return false };
            let of_network = registry.devices.iter().filter(|device| device.network == *network);
            of_network.into_iter().any(|device| {
                let rest = device.name.strip_prefix(node);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
        });
        let known = |of: &(NetworkId, Box<str>)| registry.device_ids.contains_key(of);
        self.uplinks.retain(|of, _| known(of));
        self.descriptions.retain(|of, _| known(of));
    }
}

/// What could not become a reading.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    /// The channel as the device names it.
    pub channel: Box<str>,
    /// The number of its record in the payload, from 0.
    pub record: u32,
    /// What is wrong.
    pub reason: Reason,
}

impl Decoded {
    /// Empties the buffers.
    pub fn clear(&mut self) {
        self.readings.clear();
        self.rejects.clear();
        self.farewell = false;
        self.greeting = false;
        self.past = None;
        self.repeated = false;
        self.unread = 0;
        self.odd_crcs = 0;
        self.replies.clear();
    }
}

/// What decoding may look at besides the payload.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The device's profile.
    pub profile: &'a Profile,
    /// How the topic writes time.
    pub rule: &'a TopicRule,
    /// The zone of the device's local times.
    pub zone: &'a TimeZone,
    /// The unit table.
    pub units: &'a Units,
    /// What devices mark their values with.
    pub marks: &'a Marks,
    /// The device, where it is known.
    pub device: Option<&'a Device>,
    /// The channel that the topic names, if it names one.
    pub channel: Option<&'a str>,
    /// The topic.
    pub topic: &'a str,
    /// The device, as the seeds name it.
    pub device_name: &'a str,
    /// The kind of message that the topic names, if it names one.
    pub kind: Option<&'a str>,
    /// When the message came.
    pub received: Timestamp,
    /// Whether the broker had kept it.
    pub retained: bool,
}

/// Compiles the formats of a topic for a profile, in the order they are to be tried.
#[must_use]
pub fn plans(rule: &TopicRule, profile: &Profile) -> Vec<Plan> {
    let compile = |format: &Format| match format {
        Format::Json => Plan::Json(json::Plan::new(rule, profile)),
        Format::Plain => Plan::Plain(plain::Plan),
        Format::Csv => Plan::Csv(csv::Plan::new(rule)),
        Format::LineProtocol => Plan::LineProtocol(line_protocol::Plan),
        Format::Telegraf => Plan::Telegraf(telegraf::Plan),
        Format::Senml => Plan::Senml(senml::Plan),
        Format::SparkplugB => Plan::SparkplugB(sparkplug_b::Plan),
        Format::Chirpstack => Plan::Chirpstack(chirpstack::Plan),
        Format::ThingsStack => Plan::ThingsStack(things_stack::Plan),
        Format::Tasmota => Plan::Tasmota(tasmota::Plan),
        Format::Shelly => Plan::Shelly(shelly::Plan),
        Format::Zigbee2mqtt => Plan::Zigbee2mqtt(zigbee2mqtt::Plan),
        Format::Homie => Plan::Homie(homie::Plan),
        Format::Hj212 => Plan::Hj212(hj212::Plan::new(profile)),
        Format::Binary => Plan::Binary(binary::Plan::new(rule, profile)),
        #[cfg(debug_assertions)]
        Format::Crash => Plan::Crash(json::Plan::new(rule, profile)),
    };
    rule.formats.iter().map(compile).collect()
}

/// Decodes a payload, unpacked if it is packed, by the first plan that can read it.
///
/// # Errors
/// The reason of the first format, if none can read the payload.
pub fn decode(
    plans: &[Plan],
    context: Context<'_>,
    payload: &[u8],
    announced: &mut Arc<Announced>,
    decoded: &mut Decoded,
) -> Result<(), Reason> {
    if payload.is_empty() {
        return Err(Reason::EmptyPayload);
    }
    decoded.clear();
    // Its first bytes may be those of a packing.
    if let [Plan::Binary(plan)] = plans {
        return plan.decode(context, payload, decoded).inspect_err(|_| decoded.clear());
    }
    let payload = &*packed::unpack(payload)?;
    let mut first = None;
    for plan in plans {
        decoded.clear();
        let read = match plan {
            Plan::Json(plan) => plan.decode(context, payload, decoded),
            Plan::Plain(plan) => plan.decode(context, payload, decoded),
            Plan::Csv(plan) => plan.decode(context, payload, decoded),
            Plan::LineProtocol(plan) => plan.decode(context, payload, decoded),
            Plan::Telegraf(plan) => plan.decode(context, payload, decoded),
            Plan::Senml(plan) => plan.decode(context, payload, decoded),
            Plan::SparkplugB(plan) => plan.decode(context, payload, announced, decoded),
            Plan::Chirpstack(plan) => plan.decode(context, payload, announced, decoded),
            Plan::ThingsStack(plan) => plan.decode(context, payload, announced, decoded),
            Plan::Tasmota(plan) => plan.decode(context, payload, decoded),
            Plan::Shelly(plan) => plan.decode(context, payload, decoded),
            Plan::Zigbee2mqtt(plan) => plan.decode(context, payload, decoded),
            Plan::Homie(plan) => plan.decode(context, payload, announced, decoded),
            Plan::Hj212(plan) => plan.decode(context, payload, decoded),
            Plan::Binary(plan) => plan.decode(context, payload, decoded),
            #[cfg(debug_assertions)]
            Plan::Crash(plan) => {
                crash::obey(payload);
                plan.decode(context, payload, decoded)
            }
        };
        match read {
            Ok(()) => return Ok(()),
            Err(reason) => first = first.or(Some(reason)),
        }
    }
    decoded.clear();
    Err(first.unwrap_or(Reason::UnknownTopic))
}

/// Gives what a message of a topic that is run again may know of what was announced. Only of
/// Sparkplug B it is another, without the count of its nodes: all else is shared, however much.
#[must_use]
pub fn before(rule: &TopicRule, announced: &Arc<Announced>) -> Arc<Announced> {
    if rule.formats.contains(&Format::SparkplugB) {
        Arc::new(Announced::clone(announced).of_another_time())
    } else {
        Arc::clone(announced)
    }
}

/// Takes in what a message says although the seeds don't know who sent it: formats count.
pub fn overhear(rule: &TopicRule, topic: &str, payload: &[u8], announced: &mut Arc<Announced>) {
    if rule.formats.contains(&Format::SparkplugB)
        && let Ok(payload) = packed::unpack(payload)
    {
        sparkplug_b::overhear(rule.network, topic, &payload, announced);
    }
}

/// Reads the device's name from a payload, where the seeds say that it stands there.
///
/// # Errors
/// The payload can't be read, or names none.
pub fn device_name(rule: &TopicRule, payload: &[u8]) -> Result<Box<str>, Reason> {
    if payload.is_empty() {
        return Err(Reason::EmptyPayload);
    }
    let payload = &*packed::unpack(payload)?;
    let mut first = None;
    for format in &rule.formats {
        let named = match format {
            Format::Json | Format::Chirpstack | Format::ThingsStack => {
                json::text_at(&rule.pointers.device, payload)
            }
            // They have no place for a name, and the seeds refuse one.
            Format::Plain
            | Format::Binary
            | Format::SparkplugB
            | Format::Tasmota
            | Format::Shelly
            | Format::Zigbee2mqtt
            | Format::Homie => Err(Reason::NoDevice { pointer: Box::default() }),
            Format::Hj212 => hj212::device(payload),
            Format::Csv => csv::device(rule, payload),
            Format::LineProtocol => line_protocol::device(rule, payload),
            Format::Telegraf => telegraf::device(rule, payload),
            Format::Senml => senml::device(rule, payload),
            #[cfg(debug_assertions)]
            Format::Crash => json::text_at(&rule.pointers.device, payload),
        };
        match named {
            Ok(name) => return Ok(name),
            Err(reason) => first = first.or(Some(reason)),
        }
    }
    Err(first.unwrap_or(Reason::UnknownTopic))
}
