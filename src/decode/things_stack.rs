//! The Things Stack, version 3: what its payload formatter made of an uplink is a channel each, by
//! its way inside `decoded_payload`. Fields of the message that are zero, false or empty are left
//! out by it.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::decode::named::{BATTERY, RSSI, Readings, SNR, Said, apart, presence};
use crate::decode::{Announced, Context, Decoded, json, time, uplink};
use crate::domain::registry::TimeUnit;
use crate::domain::reject::Reason;

/// The format as it is named to people.
const FORMAT: &str = "The Things Stack's message";

/// The Things Stack, compiled: there is nothing to prepare.
#[derive(Debug)]
pub struct Plan;

#[derive(Deserialize)]
struct Message<'p> {
    #[serde(borrow)]
    received_at: Option<&'p RawValue>,
    #[serde(borrow)]
    uplink_message: Option<Uplink<'p>>,
    #[serde(default)]
    simulated: bool,
}

#[derive(Deserialize)]
struct Uplink<'p> {
    /// Left out where it is 0.
    #[serde(default)]
    f_cnt: u64,
    #[serde(borrow)]
    frm_payload: Option<Cow<'p, str>>,
    #[serde(borrow)]
    decoded_payload: Option<&'p RawValue>,
    #[serde(borrow)]
    received_at: Option<&'p RawValue>,
    #[serde(default)]
    rx_metadata: Vec<Reception>,
    last_battery_percentage: Option<Battery>,
}

#[derive(Deserialize)]
struct Reception {
    /// Left out where it is 0.
    #[serde(default)]
    rssi: f64,
    /// Left out where it is 0.
    #[serde(default)]
    snr: f64,
}

#[derive(Deserialize)]
struct Battery {
    /// Left out where it is 0: empty.
    #[serde(default)]
    value: f64,
}

impl Plan {
    /// Decodes one message.
    ///
    /// # Errors
    /// The payload is no message, or an uplink that nobody measured or no formatter has read.
    pub fn decode(
        &self,
        context: Context<'_>,
        payload: &[u8],
        announced: &mut Arc<Announced>,
        decoded: &mut Decoded,
    ) -> Result<(), Reason> {
        if context.kind == Some("join") {
            return presence(FORMAT, context, true, decoded);
        }
        if context.kind.is_some_and(|kind| kind != "up") {
            // `down`, `location`, `service`: nothing that is measured.
            return Ok(());
        }
        let message: Message<'_> = json::read(payload)?;
        let mut readings = Readings::new(FORMAT, context, decoded);
        if message.simulated {
            return Err(readings.malformed("a simulated uplink, which nobody measured"));
        }
        let Some(uplink) = &message.uplink_message else {
            return Err(readings.malformed("no `uplink_message`"));
        };
        // The network server's clock is right, a gateway's may be none.
        let raw = uplink.received_at.or(message.received_at);
        let stated = raw.map(|raw| time::device_time(raw.get(), TimeUnit::Rfc3339, context.zone));
        let stated = stated.and_then(Result::transpose);
        let (time, undated) = apart(stated.as_ref());
        let said = Said { time, undated, ..Said::default() };
        let payload = uplink.frm_payload.as_deref().unwrap_or_default();
        match uplink.decoded_payload.filter(|raw| raw.get() != "null") {
            Some(object) if object.get().starts_with('{') => {
                readings.tree(&mut String::new(), object, said)?;
            }
            Some(_) => return Err(readings.malformed("`decoded_payload` is no object")),
            None if !payload.is_empty() => {
                return Err(readings.malformed(
                    "no `decoded_payload`: give the device a payload formatter, or nobody knows \
                     what `frm_payload` means",
                ));
            }
            None => {}
        }
        uplink.status(&mut readings, said)?;
        let at = raw.map_or("", RawValue::get);
        let count = uplink.f_cnt.to_le_bytes();
        let identity = [&count[..], payload.as_bytes(), at.as_bytes()];
        decoded.repeated = uplink::is_repeated(context, announced, &identity);
        Ok(())
    }
}

impl Uplink<'_> {
    fn status(&self, readings: &mut Readings<'_, '_>, said: Said<'_>) -> Result<(), Reason> {
        // The best reception counts: the others are farther away.
        if let Some(rssi) = self.rx_metadata.iter().map(|one| one.rssi).reduce(f64::max) {
            readings.status(RSSI, said, rssi)?;
        }
        if let Some(snr) = self.rx_metadata.iter().map(|one| one.snr).reduce(f64::max) {
            readings.status(SNR, said, snr)?;
        }
        match &self.last_battery_percentage {
            Some(battery) => readings.status(BATTERY, said, battery.value),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
