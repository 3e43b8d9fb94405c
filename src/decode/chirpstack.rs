//! ChirpStack's events, version 4 and 3: what its codec made of an uplink is a channel each, by its
//! way inside `object`.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::decode::named::{BATTERY, RSSI, Readings, SNR, Said, apart, presence};
use crate::decode::{Announced, Context, Decoded, json, time, uplink};
use crate::domain::registry::TimeUnit;
use crate::domain::reject::Reason;
use crate::domain::time::Timestamp;

/// The format as it is named to people.
const FORMAT: &str = "ChirpStack's event";
/// Events that say nothing of what a device measures.
const SILENT: [&str; 5] = ["ack", "txack", "log", "location", "integration"];
/// The margin of the last request for the device's status, dB.
const MARGIN: &str = "@margin";

/// ChirpStack, compiled: there is nothing to prepare.
#[derive(Debug)]
pub struct Plan;

/// An event; what only one version has, or leaves out, is optional.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event<'p> {
    #[serde(borrow)]
    deduplication_id: Option<Cow<'p, str>>,
    #[serde(borrow)]
    time: Option<&'p RawValue>,
    /// Version 3.
    #[serde(borrow)]
    published_at: Option<&'p RawValue>,
    #[serde(borrow)]
    f_cnt: Option<&'p RawValue>,
    #[serde(borrow)]
    data: Option<Cow<'p, str>>,
    #[serde(borrow)]
    object: Option<&'p RawValue>,
    /// Version 3, as text.
    #[serde(borrow, rename = "objectJSON")]
    object_json: Option<Cow<'p, str>>,
    #[serde(borrow)]
    rx_info: Option<Vec<Reception<'p>>>,
    battery_level: Option<f64>,
    #[serde(default)]
    battery_level_unavailable: bool,
    #[serde(default)]
    external_power_source: bool,
    margin: Option<f64>,
}

#[derive(Deserialize)]
struct Reception<'p> {
    #[serde(borrow)]
    time: Option<&'p RawValue>,
    rssi: Option<f64>,
    #[serde(alias = "loRaSNR")]
    snr: Option<f64>,
}

impl Plan {
    /// Decodes one event.
    ///
    /// # Errors
    /// The payload is no event, or an uplink that no codec has read.
    pub fn decode(
        &self,
        context: Context<'_>,
        payload: &[u8],
        announced: &mut Arc<Announced>,
        decoded: &mut Decoded,
    ) -> Result<(), Reason> {
        let kind = context.kind.unwrap_or("up");
        if SILENT.contains(&kind) {
            return Ok(());
        }
        if kind == "join" {
            return presence(FORMAT, context, true, decoded);
        }
        let event: Event<'_> = json::read(payload)?;
        let stated = event.time(context);
        let (time, undated) = apart(stated.as_ref());
        let said = Said { time, undated, ..Said::default() };
        let mut readings = Readings::new(FORMAT, context, decoded);
        match kind {
            "up" => event.uplink(&mut readings, said)?,
            "status" => event.status(&mut readings, said)?,
            kind => {
                let kind = crate::decode::number::cut(kind);
                return Err(readings.malformed(format!("`{kind}` in the topic, expected `up`")));
            }
        }
        decoded.repeated = uplink::is_repeated(context, announced, &event.identity(kind));
        Ok(())
    }
}

impl<'p> Event<'p> {
    /// What makes it this event and no other: its id, or the count that a session gives it, with
    /// what it brought, since a count begins anew when the device joins.
    fn identity<'e>(&'e self, kind: &'e str) -> [&'e [u8]; 4] {
        let raw = |raw: Option<&'p RawValue>| raw.map_or(&b""[..], |raw| raw.get().as_bytes());
        match &self.deduplication_id {
            Some(id) if !id.is_empty() => [kind.as_bytes(), id.as_bytes(), b"", b""],
            Some(_) | None => [
                kind.as_bytes(),
                raw(self.f_cnt),
                self.data.as_ref().map_or(&b""[..], |data| data.as_bytes()),
                raw(self.time.or(self.published_at)),
            ],
        }
    }

    /// Gives its time: the server's, else the first of a gateway, else when it was published.
    fn time(&self, context: Context<'_>) -> Option<Result<Timestamp, Reason>> {
        let mut received = self.rx_info.iter().flatten().filter_map(|one| one.time);
        let stated = self.time.filter(|raw| raw.get() != "null");
        let raw = stated.or_else(|| received.find(|raw| raw.get() != "null"));
        let raw = raw.or(self.published_at)?;
        time::device_time(raw.get(), TimeUnit::Rfc3339, context.zone).transpose()
    }

    fn uplink(&self, readings: &mut Readings<'_, '_>, said: Said<'_>) -> Result<(), Reason> {
        let text = self.object_json.as_deref().filter(|text| !text.is_empty());
        let parsed = text.map(serde_json::from_str::<&RawValue>).transpose();
        let parsed = parsed.map_err(|_| readings.malformed("`objectJSON` holds no JSON"))?;
        let object = self.object.filter(|raw| raw.get() != "null").or(parsed);
        match object {
            Some(object) if object.get().starts_with('{') => {
                readings.tree(&mut String::new(), object, said)?;
            }
            Some(_) => return Err(readings.malformed("`object` is no object")),
            None if self.data.as_ref().is_some_and(|data| !data.is_empty()) => {
                return Err(readings.malformed(
                    "no `object`: give the device's profile in ChirpStack a codec, or nobody knows \
                     what `data` means",
                ));
            }
            None => {}
        }
        let all = || self.rx_info.iter().flatten();
        // The best reception counts: the others are farther away.
        if let Some(rssi) = all().filter_map(|one| one.rssi).reduce(f64::max) {
            readings.status(RSSI, said, rssi)?;
        }
        if let Some(snr) = all().filter_map(|one| one.snr).reduce(f64::max) {
            readings.status(SNR, said, snr)?;
        }
        Ok(())
    }

    fn status(&self, readings: &mut Readings<'_, '_>, said: Said<'_>) -> Result<(), Reason> {
        // Zero stands in for both.
        let known = !self.battery_level_unavailable && !self.external_power_source;
        if let Some(level) = self.battery_level.filter(|_| known) {
            readings.status(BATTERY, said, level)?;
        }
        if let Some(margin) = self.margin {
            readings.status(MARGIN, said, margin)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
