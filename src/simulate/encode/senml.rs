//! SenML, RFC 8428, as JSON and as CBOR: a pack a message, base name and base time in its first
//! record.

use minicbor::Encoder;
use serde_json::{Value, json};

use super::{Publication, Said};

/// The units among those of the seeds that SenML has by the same name, the secondary ones among
/// them. Where it has none, the profile says the unit.
const UNITS: [&str; 11] = ["Cel", "pH", "mg/L", "m", "m3/s", "m/s", "V", "A", "W", "kWh", "Hz"];

fn unit(unit: &str) -> Option<&str> {
    UNITS.into_iter().find(|one| *one == unit)
}

fn base(said: &Said<'_>) -> (String, i64) {
    (format!("urn:dev:ops:{}/", said.device.name), said.at.millis() / 1_000)
}

fn topic(said: &Said<'_>) -> String {
    format!("senml/{}", said.device.name)
}

pub(super) fn json(said: &Said<'_>) -> Publication {
    let (name, time) = base(said);
    let mut records = vec![json!({ "bn": name, "bt": time })];
    for (channel, value) in said.values {
        let mut record = json!({ "n": channel.name, "v": value });
        if let (Some(unit), Some(record)) = (unit(&channel.unit), record.as_object_mut()) {
            record.insert("u".to_owned(), unit.into());
        }
        records.push(record);
    }
    Publication::new(topic(said), Value::Array(records).to_string())
}

pub(super) fn cbor(said: &Said<'_>) -> Publication {
    // Writing into memory can't fail.
    Publication::new(topic(said), pack(said).unwrap_or_default())
}

/// Writes the records, with the labels of RFC 8428 table 4: bn -2, bt -3, n 0, u 1, v 2.
fn pack(said: &Said<'_>) -> Result<Vec<u8>, minicbor::encode::Error<std::convert::Infallible>> {
    let (name, time) = base(said);
    let mut out = Encoder::new(Vec::new());
    out.array(said.values.len() as u64 + 1)?;
    out.map(2)?.i8(-2)?.str(&name)?.i8(-3)?.i64(time)?;
    for (channel, value) in said.values {
        let unit = unit(&channel.unit);
        out.map(2 + u64::from(unit.is_some()))?.i8(0)?.str(&channel.name)?;
        if let Some(unit) = unit {
            out.i8(1)?.str(unit)?;
        }
        out.i8(2)?.f64(*value)?;
    }
    Ok(out.into_writer())
}
