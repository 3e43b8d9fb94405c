//! The plain ones: a flat JSON object, a number a topic, rows of cells, InfluxDB's line protocol
//! and Telegraf's JSON.

use serde_json::{Map, Value, json};

use super::{Publication, Said, local};

/// The measurement of lines.
const MEASUREMENT: &str = "weir";

pub(super) fn object(said: &Said<'_>) -> Map<String, Value> {
    let entries = said.values.iter().map(|(channel, value)| {
        let name = channel.name.trim_start_matches('/');
        (name.to_owned(), Value::from(*value))
    });
    entries.collect()
}

pub(super) fn json(said: &Said<'_>) -> Publication {
    let mut body = object(said);
    body.insert("ts".to_owned(), said.at.millis().into());
    Publication::new(format!("json/{}", said.device.name), Value::Object(body).to_string())
}

pub(super) fn plain(said: &Said<'_>) -> Vec<Publication> {
    let each = said.values.iter().map(|(channel, value)| {
        let topic = format!("plain/{}/{}", said.device.name, channel.name);
        Publication::new(topic, value.to_string())
    });
    each.collect()
}

pub(super) fn csv(said: &Said<'_>) -> Publication {
    let (mut head, mut row) = ("time".to_owned(), local(said.at, "%Y-%m-%d %H:%M:%S"));
    for (channel, value) in said.values {
        head.push(',');
        head.push_str(&channel.name);
        row.push_str(&format!(",{value}"));
    }
    Publication::new(format!("csv/{}", said.device.name), format!("{head}\n{row}\n"))
}

pub(super) fn line_protocol(said: &Said<'_>) -> Publication {
    let fields = said.values.iter().map(|(channel, value)| format!("{}={value}", channel.name));
    let fields = fields.collect::<Vec<_>>().join(",");
    let nanos = i128::from(said.at.millis()) * 1_000_000;
    let line = format!("{MEASUREMENT},site={} {fields} {nanos}\n", said.device.station);
    Publication::new(format!("lines/{}", said.device.name), line)
}

pub(super) fn telegraf(said: &Said<'_>) -> Publication {
    let body = json!({
        "fields": object(said),
        "name": MEASUREMENT,
        "tags": { "host": said.device.station },
        "timestamp": said.at.millis() / 1_000,
    });
    Publication::new(format!("telegraf/{}", said.device.name), body.to_string())
}
