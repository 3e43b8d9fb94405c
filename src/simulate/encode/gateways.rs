//! What gateways send in front of meters and loggers: records of bytes, lists of points, records a
//! factor.

use serde_json::{Value, json};

use super::{Publication, Said, local};

/// A time in seconds, and field by field in the order of their places.
pub(super) fn binary(said: &Said<'_>) -> Publication {
    let mut record = ((said.at.millis() / 1_000) as u32).to_be_bytes().to_vec();
    for (channel, value) in said.values {
        let raw = channel.raw(*value);
        match channel.name.split('@').next() {
            Some("u16be") => record.extend((raw as u16).to_be_bytes()),
            Some("i16be") => record.extend((raw as i16).to_be_bytes()),
            // Of its two words the lower one first.
            _ => {
                let [a, b, c, d] = (raw as f32).to_be_bytes();
                record.extend([c, d, a, b]);
            }
        }
    }
    Publication::new(format!("bin/{}/up", said.device.name), record)
}

pub(super) fn usr(said: &Said<'_>) -> Publication {
    let points = said.values.iter().map(|(channel, value)| {
        let value = channel.raw(*value).to_string();
        json!({ "name": channel.name, "value": value, "err": "0" })
    });
    let points: Vec<Value> = points.collect();
    let body = json!({
        "rw_prot": { "Ver": "1.0.1", "dir": "up", "id": said.device.name, "r_data": points },
    });
    Publication::new(format!("dtu/{}/up", said.device.name), body.to_string())
}

pub(super) fn paramid(said: &Said<'_>) -> Publication {
    let factors = said.values.iter().map(|(channel, value)| {
        json!({ "ParamID": channel.name, "Rtd": value.to_string(), "Flag": "N" })
    });
    let factors: Vec<Value> = factors.collect();
    let time = local(said.at, "%Y-%m-%d %H:%M:%S");
    let body = json!({ "DataTime": time, "Data": factors });
    Publication::new(format!("factors/{}", said.device.name), body.to_string())
}
