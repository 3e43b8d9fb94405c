//! Zigbee2MQTT: a flat object a device, with the time of its last message if that is switched on,
//! and whether it can be reached.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::decode::json::{self, entries};
use crate::decode::named::{BATTERY, Readings, Said, apart, presence};
use crate::decode::{Context, Decoded, time};
use crate::domain::registry::TimeUnit;
use crate::domain::reject::Reason;

/// The format as it is named to people.
const FORMAT: &str = "Zigbee2MQTT's message";
/// What the bridge calls itself.
const BRIDGE: &str = "bridge";
/// How well a device is received, 0 to 255.
const LINK: &str = "@linkquality";

/// Zigbee2MQTT, compiled: there is nothing to prepare.
#[derive(Debug)]
pub struct Plan;

impl Plan {
    /// Decodes one message.
    ///
    /// # Errors
    /// The payload is none of Zigbee2MQTT.
    pub fn decode(
        &self,
        context: Context<'_>,
        payload: &[u8],
        decoded: &mut Decoded,
    ) -> Result<(), Reason> {
        // The pattern may have the word itself in the place of `{kind}`.
        let written = context.topic.ends_with("/availability").then_some("availability");
        match context.kind.or(written) {
            None => state(context, payload, decoded),
            Some("availability") => available(context, payload, decoded),
            Some("state") if context.device_name == BRIDGE => available(context, payload, decoded),
            // `set`, `get`: said to the device.
            Some(_) => Ok(()),
        }
    }
}

fn state(context: Context<'_>, payload: &[u8], decoded: &mut Decoded) -> Result<(), Reason> {
    let outer: &RawValue = json::read(payload)?;
    let mut readings = Readings::new(FORMAT, context, decoded);
    let outer = entries(outer).map_err(|_| readings.malformed("no object"))?;
    let seen = outer.iter().find(|(key, _)| *key == "last_seen");
    let stated = seen.and_then(|(_, raw)| {
        // Text or milliseconds, as `last_seen` is configured.
        let text = raw.get().starts_with('"');
        let unit = if text { TimeUnit::Rfc3339 } else { TimeUnit::Milliseconds };
        time::device_time(raw.get(), unit, context.zone).transpose()
    });
    let (time, undated) = apart(stated.as_ref());
    let said = Said { time, undated, ..Said::default() };
    let mut name = String::new();
    for (key, raw) in &outer {
        let of_device = match &**key {
            "last_seen" => continue,
            "linkquality" => LINK,
            "battery" if !readings.knows("battery") => BATTERY,
            key => {
                name.clear();
                name.push_str(key);
                readings.tree(&mut name, raw, said)?;
                continue;
            }
        };
        if let Ok(value) = raw.get().parse() {
            readings.status(of_device, said, value)?;
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct Availability {
    state: String,
}

/// `online` and `offline`, bare or in an object.
fn available(context: Context<'_>, payload: &[u8], decoded: &mut Decoded) -> Result<(), Reason> {
    let state = match payload {
        [b'{', ..] => json::read::<Availability>(payload)?.state,
        bare => String::from_utf8_lossy(bare).into_owned(),
    };
    match &*state {
        "online" => presence(FORMAT, context, true, decoded),
        "offline" => presence(FORMAT, context, false, decoded),
        _ => {
            let fault = "neither `online` nor `offline`".into();
            Err(Reason::Malformed { format: FORMAT, fault })
        }
    }
}

#[cfg(test)]
mod tests;
