//! Meters of the home: Tasmota, both generations of Shelly, Zigbee2MQTT.

use serde_json::{Map, Value, json};

use super::{Publication, Said, flat, local};

/// Puts values where the names of their channels lead: `ENERGY/Power` into `ENERGY`.
fn nested(said: &Said<'_>) -> Map<String, Value> {
    let mut outer: Map<String, Value> = Map::new();
    for (channel, value) in said.values {
        let (of, name) = channel.name.split_once('/').unwrap_or(("", &channel.name));
        let inner = outer.entry(of).or_insert_with(|| json!({}));
        if let Some(inner) = inner.as_object_mut() {
            inner.insert(name.to_owned(), (*value).into());
        }
    }
    outer
}

pub(super) fn tasmota(said: &Said<'_>) -> Publication {
    let mut body = nested(said);
    body.insert("Time".to_owned(), local(said.at, "%Y-%m-%dT%H:%M:%S").into());
    let topic = format!("tele/{}/SENSOR", said.device.name);
    Publication::new(topic, Value::Object(body).to_string())
}

pub(super) fn shelly_gen1(said: &Said<'_>) -> Vec<Publication> {
    let each = said.values.iter().map(|(channel, value)| {
        let topic = format!("shellies/{}/{}", said.device.name, channel.name);
        Publication::new(topic, value.to_string())
    });
    each.collect()
}

pub(super) fn shelly_gen2(said: &Said<'_>) -> Publication {
    let mut params = nested(said);
    for inner in params.values_mut() {
        if let Some(inner) = inner.as_object_mut() {
            inner.insert("id".to_owned(), 0.into());
        }
    }
    params.insert("ts".to_owned(), (said.at.millis() as f64 / 1_000.0).into());
    let name = &said.device.name;
    let body = json!({
        "src": name,
        "dst": format!("shelly/{name}/events"),
        "method": "NotifyStatus",
        "params": params,
    });
    Publication::new(format!("shelly/{name}/events/rpc"), body.to_string())
}

pub(super) fn zigbee2mqtt(said: &Said<'_>) -> Publication {
    let mut body = flat::object(said);
    body.insert("linkquality".to_owned(), 140.into());
    body.insert("last_seen".to_owned(), local(said.at, "%Y-%m-%dT%H:%M:%S+08:00").into());
    let topic = format!("zigbee2mqtt/{}", said.device.name);
    Publication::new(topic, Value::Object(body).to_string())
}
