//! Uplinks as LoRaWAN network servers publish them: ChirpStack 4 and The Things Stack 3.

use base64::Engine as _;
use serde_json::{Value, json};

use super::{Publication, Said, flat, utc};

/// How long the network server takes, ms.
const UNDER_WAY: i64 = 200;

/// What the device sent over the air, before its codec: here no more than the count.
fn raw(said: &Said<'_>) -> String {
    base64::engine::general_purpose::STANDARD.encode(said.turn.to_be_bytes())
}

pub(super) fn chirpstack(said: &Said<'_>) -> Publication {
    let name = &said.device.name;
    let unique = xxhash_rust::xxh3::xxh3_128(format!("{name} {}", said.at.millis()).as_bytes());
    let hex = format!("{unique:032x}");
    // Five groups of hex digits, as the server writes it.
    let groups = [0..8, 8..12, 12..16, 16..20, 20..32].map(|group| hex.get(group));
    let id: Vec<&str> = groups.into_iter().flatten().collect();
    let body = json!({
        "deduplicationId": id.join("-"),
        "time": utc(said.at),
        "deviceInfo": { "applicationName": "weir", "deviceName": said.device.station,
                        "devEui": name },
        "devAddr": "00189440",
        "dr": 5,
        "fCnt": said.turn,
        "fPort": 2,
        "data": raw(said),
        "object": flat::object(said),
        "rxInfo": [{ "gatewayId": "0016c001f153a14c", "rssi": -71, "snr": 9.5 }],
    });
    Publication::new(format!("application/weir/device/{name}/event/up"), body.to_string())
}

pub(super) fn things_stack(said: &Said<'_>) -> Publication {
    let name = &said.device.name;
    let mut uplink = json!({
        "f_port": 2,
        "frm_payload": raw(said),
        "decoded_payload": flat::object(said),
        "rx_metadata": [{ "gateway_ids": { "gateway_id": "gw" }, "rssi": -71, "snr": 9.5 }],
        "received_at": utc(said.at),
    });
    // What is 0 is left out.
    if let (Some(uplink), 1..) = (uplink.as_object_mut(), said.turn) {
        uplink.insert("f_cnt".to_owned(), Value::from(said.turn));
    }
    let body = json!({
        "end_device_ids": { "device_id": name, "application_ids": { "application_id": "weir" } },
        "received_at": utc(said.at.plus(UNDER_WAY)),
        "uplink_message": uplink,
    });
    Publication::new(format!("v3/weir@ttn/devices/{name}/up"), body.to_string())
}
