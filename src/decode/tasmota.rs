//! Tasmota's telemetry: `SENSOR` and the answer `StatusSNS` with a channel a way inside
//! (`ENERGY/Power`, of a three-phase meter `ENERGY/Power/0`), `STATE` and `LWT` with what is of the
//! device.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::decode::json::{self, entries};
use crate::decode::named::{RSSI, Readings, Said, apart, presence};
use crate::decode::{Context, Decoded, time};
use crate::domain::registry::TimeUnit;
use crate::domain::reject::Reason;

/// The format as it is named to people.
const FORMAT: &str = "Tasmota's telemetry";
/// What says in which unit others are, and which others.
const UNITS: [(&str, &[&str]); 3] = [
    ("TempUnit", &["Temperature", "DewPoint", "HeatIndex", "FeelsLike"]),
    ("PressureUnit", &["Pressure", "SeaPressure"]),
    ("SpeedUnit", &["Speed"]),
];
/// Texts among the values that say when something began.
const BEGINNINGS: [&str; 1] = ["TotalStartTime"];

/// Tasmota, compiled: there is nothing to prepare.
#[derive(Debug)]
pub struct Plan;

type Entries<'p> = Vec<(Cow<'p, str>, &'p RawValue)>;

impl Plan {
    /// Decodes one message.
    ///
    /// # Errors
    /// The payload is none of Tasmota.
    pub fn decode(
        &self,
        context: Context<'_>,
        payload: &[u8],
        decoded: &mut Decoded,
    ) -> Result<(), Reason> {
        match context.kind.unwrap_or_default() {
            "LWT" => match payload {
                b"Online" => presence(FORMAT, context, true, decoded),
                b"Offline" => presence(FORMAT, context, false, decoded),
                _ => Err(malformed("neither `Online` nor `Offline`")),
            },
            "SENSOR" | "STATUS8" | "STATUS10" => sensor(context, payload, decoded),
            "STATE" => state(context, payload, decoded),
            // INFO1, UPTIME, RESULT …: nothing that is measured.
            _ => Ok(()),
        }
    }
}

fn sensor(context: Context<'_>, payload: &[u8], decoded: &mut Decoded) -> Result<(), Reason> {
    let mut outer = object(json::read(payload)?)?;
    if let [(name, inner)] = outer.as_slice()
        && *name == "StatusSNS"
    {
        outer = object(inner)?;
    }
    let mut readings = Readings::new(FORMAT, context, decoded);
    let stated = dated(&outer, context);
    let (time, undated) = apart(stated.as_ref());
    let said = Said { time, undated, ..Said::default() };
    let units = units(&outer);
    let mut name = String::new();
    for (key, raw) in &outer {
        if *key == "Time" || units.iter().any(|(unit, _)| unit == key) {
            continue;
        }
        // A sensor is an object of values; what is none is the firmware's own.
        let Ok(values) = entries(raw) else {
            name.clear();
            name.push_str(key);
            readings.tree(&mut name, raw, said)?;
            continue;
        };
        for (value, raw) in values {
            if BEGINNINGS.contains(&&*value) {
                continue;
            }
            let of = |(unit, _): &&(&str, Cow<'_, str>)| {
                UNITS.iter().any(|(name, of)| name == unit && of.contains(&&*value))
            };
            let unit = units.iter().find(of).map(|(_, unit)| &**unit);
            name.clear();
            name.extend([key, "/", &*value]);
            readings.tree(&mut name, raw, Said { unit, ..said })?;
        }
    }
    Ok(())
}

/// Gives the units that a message states for all of its sensors.
fn units<'p>(outer: &Entries<'p>) -> Vec<(&'static str, Cow<'p, str>)> {
    let of = |(name, _): &(&'static str, _)| {
        let (_, raw) = outer.iter().find(|(key, _)| key == name)?;
        serde_json::from_str(raw.get()).ok().map(|unit| (*name, unit))
    };
    UNITS.iter().filter_map(of).collect()
}

fn state(context: Context<'_>, payload: &[u8], decoded: &mut Decoded) -> Result<(), Reason> {
    let outer = object(json::read(payload)?)?;
    let stated = dated(&outer, context);
    let (time, undated) = apart(stated.as_ref());
    let said = Said { time, undated, ..Said::default() };
    let inside = |of: &Entries<'_>, name: &str| {
        of.iter().find(|(key, _)| *key == *name).map(|(_, raw)| raw.get().to_owned())
    };
    let wifi = outer.iter().find(|(key, _)| *key == "Wifi");
    let wifi = wifi.and_then(|(_, raw)| entries(raw).ok()).unwrap_or_default();
    // `RSSI` is a share of what is best; `Signal` is in dBm.
    let signal = inside(&wifi, "Signal").and_then(|raw| raw.parse::<f64>().ok());
    match signal {
        Some(signal) => Readings::new(FORMAT, context, decoded).status(RSSI, said, signal),
        None => Ok(()),
    }
}

fn object(raw: &RawValue) -> Result<Entries<'_>, Reason> {
    entries(raw).map_err(|_| malformed("no object"))
}

/// Local time without a zone.
fn dated(
    outer: &Entries<'_>,
    context: Context<'_>,
) -> Option<Result<crate::domain::time::Timestamp, Reason>> {
    let (_, raw) = outer.iter().find(|(key, _)| *key == "Time")?;
    time::device_time(raw.get(), TimeUnit::Local, context.zone).transpose()
}

fn malformed(fault: &str) -> Reason {
    Reason::Malformed { format: FORMAT, fault: fault.into() }
}

#[cfg(test)]
mod tests;
