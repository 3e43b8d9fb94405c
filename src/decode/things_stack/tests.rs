//! Messages of The Things Stack, and what they leave out.

use std::sync::Arc;

use crate::decode::told::Desk;
use crate::decode::{Decoded, decode, plans};
use crate::domain::registry::Format;

fn desk() -> Desk {
    Desk::new(Format::ThingsStack, &["ph", "rain", "ignored", "@rssi", "@snr", "@battery"])
}

const UP: &str = r#"{"end_device_ids":{"device_id":"dev1","dev_eui":"0004A30B001C0530"},
    "received_at":"2026-05-01T00:00:09.787Z","uplink_message":{"f_port":1,"f_cnt":5,
    "frm_payload":"AQ==","decoded_payload":{"ph":7.62,"rain":0},
    "rx_metadata":[{"time":"2026-05-01T00:00:00Z","rssi":-35,"snr":8},{"rssi":-80}],
    "received_at":"2026-05-01T00:00:05.572Z","last_battery_percentage":{"f_cnt":3,"value":94.5}}}"#;

#[test]
fn what_the_formatter_made_is_a_channel_each_at_the_network_servers_time() {
    desk().check(
        UP,
        &[
            "0 ph=7.62 @5.572",
            "0 rain=0 @5.572",
            "0 @rssi=-35 @5.572",
            "0 @snr=8 @5.572",
            "0 @battery=94.5 @5.572",
        ],
    );
    desk().check(
        r#"{"received_at":"2026-05-01T00:00:01Z","uplink_message":{"decoded_payload":{"ph":7}}}"#,
        &["0 ph=7 @1"],
    );
    desk().check(r#"{"uplink_message":{"decoded_payload":{"ph":7}}}"#, &["0 ph=7"]);
}

#[test]
fn what_is_left_out_of_the_message_is_zero() {
    desk().check(
        r#"{"uplink_message":{"decoded_payload":{},"rx_metadata":[{"rssi":-90}],
            "last_battery_percentage":{"f_cnt":3}}}"#,
        &["0 @rssi=-90", "0 @snr=0", "0 @battery=0"],
    );
}

#[test]
fn a_simulated_uplink_is_no_measurement() {
    let simulated = UP.replacen('{', "{\"simulated\":true,", 1);
    desk().says(simulated, "a simulated uplink, which nobody measured");
}

#[test]
fn without_a_formatter_nobody_knows_what_was_sent() {
    desk().says(
        r#"{"uplink_message":{"f_port":1,"frm_payload":"AQ=="}}"#,
        "no `decoded_payload`: give the device a payload formatter",
    );
    desk().says(r#"{"uplink_message":{"decoded_payload":[1]}}"#, "`decoded_payload` is no object");
    desk().says(r#"{"join_accept":{}}"#, "no `uplink_message`");
    desk().check(r#"{"uplink_message":{}}"#, &[]);
}

#[test]
fn joins_and_downlinks_are_no_readings() {
    for kind in ["join", "down", "location", "service"] {
        Desk { kind: Some(kind), ..desk() }.check(r#"{"join_accept":{}}"#, &[]);
    }
    Desk { kind: Some("up"), ..desk() }.says(UP, "0 ph=7.62");
    let joined = Desk { kind: Some("join"), ..Desk::new(Format::ThingsStack, &["@online"]) };
    joined.check(r#"{"join_accept":{}}"#, &["0 @online=1"]);
}

#[test]
fn an_uplink_again_is_the_same_also_with_a_count_of_zero() {
    let desk = desk();
    let plans = plans(&desk.rule, &desk.profile);
    let mut announced = Arc::default();
    let mut repeated = |payload: &str| {
        let mut decoded = Decoded::default();
        let payload = payload.as_bytes();
        decode(&plans, desk.context(), payload, &mut announced, &mut decoded).unwrap();
        decoded.repeated
    };
    assert!(!repeated(UP) && repeated(UP));
    let first = UP.replace("\"f_cnt\":5,", "");
    assert!(!repeated(&first) && repeated(&first));
}

#[test]
fn a_bad_field_costs_no_other() {
    let told = desk().told(r#"{"uplink_message":{"decoded_payload":{"ph":"x","rain":1}}}"#);
    assert!(told.starts_with("0 rain=1\n0 ph refused: found \"x\""), "{told}");
    desk().says(
        r#"{"received_at":"x","uplink_message":{"decoded_payload":{"ph":7}}}"#,
        "0 ph refused: time \"x\"",
    );
}
