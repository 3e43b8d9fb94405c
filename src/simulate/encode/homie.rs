//! Homie 5: a device describes itself, says that it is ready, and has a topic a value. Description
//! and state are kept by the broker, as the convention demands; values are said not to be.

use serde_json::{Map, Value, json};

use super::{Publication, Said};
use crate::simulate::world::Device;

fn kept(device: &Device, attribute: &str, payload: &str) -> Publication {
    let topic = format!("homie/5/{}/${attribute}", device.name);
    Publication { retain: true, ..Publication::new(topic, payload) }
}

/// Describes a device, and says that it is ready.
pub(in crate::simulate) fn birth(device: &Device) -> Vec<Publication> {
    let mut nodes: Map<String, Value> = Map::new();
    for channel in &device.channels {
        let (node, name) = channel.name.split_once('/').unwrap_or(("", &channel.name));
        let node = nodes.entry(node).or_insert_with(|| json!({ "properties": {} }));
        if let Some(Value::Object(properties)) = node.get_mut("properties") {
            let unit = &channel.unit;
            let property = json!({ "datatype": "float", "unit": unit, "retained": false });
            properties.insert(name.to_owned(), property);
        }
    }
    let description = json!({ "homie": "5.0", "version": 1, "nodes": nodes });
    vec![kept(device, "description", &description.to_string()), kept(device, "state", "ready")]
}

/// Says that a device is gone.
pub(in crate::simulate) fn farewell(device: &Device) -> Publication {
    kept(device, "state", "disconnected")
}

pub(super) fn values(said: &Said<'_>) -> Vec<Publication> {
    let each = said.values.iter().map(|(channel, value)| {
        let topic = format!("homie/5/{}/{}", said.device.name, channel.name);
        Publication::new(topic, value.to_string())
    });
    each.collect()
}
