//! From values and a time to topic and payload, as real devices write them: one file a family of
//! formats. Pure; what a device must remember between messages is handed in.

pub(super) mod flat;
pub(super) mod gateways;
pub mod hj212;
pub(super) mod home;
pub(super) mod homie;
pub(super) mod lorawan;
pub(super) mod senml;
pub mod sparkplug_b;

use crate::domain::time::Timestamp;
use crate::simulate::dialect::Dialect;
use crate::simulate::world::{Channel, Device};

/// What a device publishes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Publication {
    /// The topic.
    pub topic: String,
    /// The payload.
    pub payload: Vec<u8>,
    /// Whether the broker is to keep it.
    pub retain: bool,
    /// The `QN` that an acknowledgement must bear, where the device asks for one.
    pub asks: Option<String>,
}

impl Publication {
    pub(super) fn new(topic: String, payload: impl Into<Vec<u8>>) -> Self {
        Self { topic, payload: payload.into(), retain: false, asks: None }
    }
}

/// What a device has to say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said<'a> {
    pub(super) device: &'a Device,
    /// In whole seconds: that is what all formats can state.
    pub(super) at: Timestamp,
    /// At least one.
    pub(super) values: &'a [(&'a Channel, f64)],
    /// How many times the device has spoken before.
    pub(super) turn: u64,
}

/// Writes what a device says; of Sparkplug B and Homie what comes after its birth or description.
pub(super) fn encode(
    said: &Said<'_>,
    node: &mut sparkplug_b::Node,
    acknowledge: bool,
) -> Vec<Publication> {
    match said.device.dialect {
        Dialect::Hj212(edition) => hj212::encode(said, edition, acknowledge),
        Dialect::Json => vec![flat::json(said)],
        Dialect::Plain => flat::plain(said),
        Dialect::Csv => vec![flat::csv(said)],
        Dialect::LineProtocol => vec![flat::line_protocol(said)],
        Dialect::Telegraf => vec![flat::telegraf(said)],
        Dialect::SenmlJson => vec![senml::json(said)],
        Dialect::SenmlCbor => vec![senml::cbor(said)],
        Dialect::SparkplugB => vec![node.data(said)],
        Dialect::Chirpstack => vec![lorawan::chirpstack(said)],
        Dialect::ThingsStack => vec![lorawan::things_stack(said)],
        Dialect::Tasmota => vec![home::tasmota(said)],
        Dialect::ShellyGen1 => home::shelly_gen1(said),
        Dialect::ShellyGen2 => vec![home::shelly_gen2(said)],
        Dialect::Zigbee2mqtt => vec![home::zigbee2mqtt(said)],
        Dialect::Homie => homie::values(said),
        Dialect::Binary => vec![gateways::binary(said)],
        Dialect::Usr => vec![gateways::usr(said)],
        Dialect::Paramid => vec![gateways::paramid(said)],
    }
}

/// Writes local time at UTC+8, as `strftime` has it.
fn local(at: Timestamp, how: &str) -> String {
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(8));
    let at = jiff::Timestamp::from_millisecond(at.millis()).unwrap_or_default();
    zone.to_datetime(at).strftime(how).to_string()
}

/// Writes a time as network servers do.
fn utc(at: Timestamp) -> String {
    at.rfc3339(&jiff::tz::TimeZone::UTC)
}
