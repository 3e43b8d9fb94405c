//! Shelly's devices. The first generation has a topic a value below `shellies/ID`; later ones send
//! notifications (`events/rpc`), of what changed or of all, and the state of one component
//! (`status/em:0`). A channel is the way to a value: `emeter/0/power`, `em:0/a_act_power`.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::decode::json::{self, entries};
use crate::decode::named::{Readings, Said, apart, presence, way};
use crate::decode::{Context, Decoded, number, time};
use crate::domain::registry::TimeUnit;
use crate::domain::reject::Reason;
use crate::domain::time::Timestamp;

/// The format as it is named to people.
const FORMAT: &str = "Shelly's message";

/// Shelly, compiled: there is nothing to prepare.
#[derive(Debug)]
pub struct Plan;

/// A notification of the later generations.
#[derive(Deserialize)]
struct Notification<'p> {
    #[serde(borrow)]
    method: Option<Cow<'p, str>>,
    #[serde(borrow)]
    params: Option<&'p RawValue>,
}

impl Plan {
    /// Decodes one message.
    ///
    /// # Errors
    /// The payload is none of Shelly.
    pub fn decode(
        &self,
        context: Context<'_>,
        payload: &[u8],
        decoded: &mut Decoded,
    ) -> Result<(), Reason> {
        let way = way(context);
        match way.as_str() {
            "online" => match payload {
                b"true" => presence(FORMAT, context, true, decoded),
                b"false" => presence(FORMAT, context, false, decoded),
                _ => Err(malformed("neither `true` nor `false`")),
            },
            "events/rpc" => notified(context, payload, decoded),
            way if way.starts_with("status/") => component(context, way, payload, decoded),
            // `info`, `announce`, `command`, `debug/log` …: nothing that is measured.
            way if payload.starts_with(b"{") || !way.contains('/') => Ok(()),
            way => value(context, way, payload, decoded),
        }
    }
}

/// A value of the first generation, of the moment it came.
fn value(
    context: Context<'_>,
    way: &str,
    payload: &[u8],
    decoded: &mut Decoded,
) -> Result<(), Reason> {
    let words = std::str::from_utf8(payload).map_err(|_| malformed("no UTF-8 text"))?;
    let mut readings = Readings::new(FORMAT, context, decoded);
    readings.take(way, Said::default(), |_| number::text(words, true))
}

fn notified(context: Context<'_>, payload: &[u8], decoded: &mut Decoded) -> Result<(), Reason> {
    let notification: Notification<'_> = json::read(payload)?;
    match notification.method.as_deref() {
        Some("NotifyStatus" | "NotifyFullStatus") => {}
        // Answers, and events such as a pressed button.
        Some(_) | None => return Ok(()),
    }
    let params = notification.params.and_then(|params| entries(params).ok());
    let params = params.ok_or_else(|| malformed("no `params`"))?;
    let stated = dated(params.iter().find(|(key, _)| *key == "ts"), context);
    let mut readings = Readings::new(FORMAT, context, decoded);
    let mut name = String::new();
    for (key, raw) in params.iter().filter(|(key, _)| *key != "ts") {
        name.clear();
        name.push_str(key);
        inside(&mut readings, &mut name, raw, stated.as_ref())?;
    }
    Ok(())
}

/// The state of one component; it states no time.
fn component(
    context: Context<'_>,
    way: &str,
    payload: &[u8],
    decoded: &mut Decoded,
) -> Result<(), Reason> {
    let raw: &RawValue = json::read(payload)?;
    let mut name = way.trim_start_matches("status/").to_owned();
    inside(&mut Readings::new(FORMAT, context, decoded), &mut name, raw, None)
}

/// Takes the values of one component. Its number, and what it says of its errors, are no readings:
/// a value with an error is null.
fn inside(
    readings: &mut Readings<'_, '_>,
    name: &mut String,
    raw: &RawValue,
    stated: Option<&Result<Timestamp, Reason>>,
) -> Result<(), Reason> {
    let (time, undated) = apart(stated);
    let said = Said { time, undated, ..Said::default() };
    let Ok(values) = entries(raw) else { return readings.tree(name, raw, said) };
    let length = name.len();
    for (key, raw) in values {
        if key == "id" || key == "errors" || key.ends_with("_errors") {
            continue;
        }
        name.push('/');
        name.push_str(&key);
        readings.tree(name, raw, said)?;
        name.truncate(length);
    }
    Ok(())
}

fn dated(
    entry: Option<&(Cow<'_, str>, &RawValue)>,
    context: Context<'_>,
) -> Option<Result<Timestamp, Reason>> {
    time::device_time(entry?.1.get(), TimeUnit::Seconds, context.zone).transpose()
}

fn malformed(fault: &str) -> Reason {
    Reason::Malformed { format: FORMAT, fault: fault.into() }
}

#[cfg(test)]
mod tests;
