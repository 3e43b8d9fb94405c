//! Events of both versions, and the traps of what they leave out.

use std::sync::Arc;

use crate::decode::told::Desk;
use crate::decode::{Decoded, decode, device_name, plans};
use crate::domain::registry::{Format, Pointers};

fn desk() -> Desk {
    let channels = ["ph", "water/do", "pump", "list/1", "ignored", "@rssi", "@snr", "@battery"];
    Desk::new(Format::Chirpstack, &channels)
}

const UP: &str = r#"{"deduplicationId":"3ac7e3c4","time":"2026-05-01T00:00:15.775023242+00:00",
    "deviceInfo":{"deviceName":"sonde","devEui":"0101010101010101"},"dr":1,"fPort":1,"fCnt":4,
    "data":"qg==","object":{"ph":7.62,"water":{"do":6.85},"pump":true,"list":[1,2]},
    "rxInfo":[{"gatewayId":"a","rssi":-97,"snr":3.5},{"gatewayId":"b","rssi":-36,"snr":10.5}]}"#;

#[test]
fn what_the_codec_made_is_a_channel_each() {
    desk().check(UP, &[
        "0 ph=7.62 @15.775",
        "0 water/do=6.85 @15.775",
        "0 pump=1 @15.775",
        "0 list/1=2 @15.775",
        "0 @rssi=-36 @15.775",
        "0 @snr=10.5 @15.775",
        "0 list/0 refused: the channel is not in the device's profile; the nearest known name is \
         `list/1`; add it to profiles.csv, with property `ignored` if it is not wanted",
    ]);
    let plain = Desk::new(Format::Chirpstack, &["ph", "*"]);
    plain.check(UP, &["0 ph=7.62 @15.775"]);
}

#[test]
fn version_3_has_other_names_and_maybe_no_time() {
    desk().check(
        r#"{"applicationID":"1","deviceName":"UC300","devEUI":"24e124","fCnt":12,"fPort":85,
            "data":"AQ==","rxInfo":[{"gatewayID":"x","time":null,"rssi":-57,"loRaSNR":10},
            {"gatewayID":"y","time":"2026-05-01T00:01:00Z","rssi":-60}],
            "objectJSON":"{\"ph\":7.62,\"water\":{\"do\":6.8}}"}"#,
        &["0 ph=7.62 @60", "0 water/do=6.8 @60", "0 @rssi=-57 @60", "0 @snr=10 @60"],
    );
    desk().check(r#"{"fCnt":1,"data":"AQ==","object":{"ph":7}}"#, &["0 ph=7"]);
    desk().check(
        r#"{"fCnt":1,"publishedAt":"2026-05-01T00:00:01Z","object":{"ph":7}}"#,
        &["0 ph=7 @1"],
    );
}

#[test]
fn without_a_codec_nobody_knows_what_was_sent() {
    desk().says(r#"{"data":"qg==","fCnt":4}"#, "no `object`: give the device's profile");
    desk().says(r#"{"data":"qg==","object":7}"#, "`object` is no object");
    desk().says(r#"{"data":"qg==","objectJSON":"{"}"#, "`objectJSON` holds no JSON");
    // The network alone speaks on port 0.
    desk().check(r#"{"data":"","fPort":0}"#, &[]);
}

#[test]
fn status_and_join_are_the_devices() {
    let status = Desk { kind: Some("status"), ..desk() };
    status.check(
        r#"{"deduplicationId":"x","time":"2026-05-01T00:00:00Z","margin":7,"batteryLevel":75.5,
            "batteryLevelUnavailable":false,"externalPowerSource":false}"#,
        &["0 @battery=75.5 @0"],
    );
    status.check(r#"{"batteryLevel":0,"externalPowerSource":true}"#, &[]);
    status.check(r#"{"batteryLevel":0,"batteryLevelUnavailable":true}"#, &[]);
    let joined = Desk { kind: Some("join"), ..Desk::new(Format::Chirpstack, &["@online"]) };
    joined.check(r#"{"devAddr":"00189440"}"#, &["0 @online=1"]);
    Desk { retained: true, ..joined }.check(r#"{"devAddr":"00189440"}"#, &[]);
    for kind in ["join", "ack", "txack", "log", "location", "integration"] {
        Desk { kind: Some(kind), ..desk() }.check(r#"{"devAddr":"00189440"}"#, &[]);
    }
    Desk { kind: Some("upp"), ..desk() }.says("{}", "`upp` in the topic, expected `up`");
}

#[test]
fn an_event_that_is_handed_on_again_is_the_same_by_its_id() {
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
    // Without an id by count and content; after a join the count begins anew.
    let old = r#"{"fCnt":0,"data":"AQ==","object":{"ph":7}}"#;
    assert!(!repeated(old) && repeated(old));
    assert!(!repeated(&old.replace("AQ==", "Ag==")));
    // Eight are remembered.
    for count in 1..=8 {
        assert!(!repeated(&old.replace("\"fCnt\":0", &format!("\"fCnt\":{count}"))));
    }
    assert!(!repeated(UP));
}

#[test]
fn what_is_broken_says_so_and_costs_no_other() {
    desk().says(&UP[..UP.len() - 3], "not JSON: it ends in the middle");
    desk().says("[]", "not JSON: byte");
    let told = desk().told(r#"{"object":{"ph":"ERR","pump":1e999,"water":{"do":6}}}"#);
    assert!(told.starts_with("0 water/do=6\n0 ph refused: found \"ERR\""), "{told}");
    desk().says(
        r#"{"time":"soon","object":{"ph":7}}"#,
        "0 ph refused: time \"soon\" is not RFC 3339",
    );
    let deep = format!(r#"{{"object":{}7{}}}"#, "{\"a\":".repeat(50), "}".repeat(50));
    desk().says(deep, "a/a/a/a/a/a/a/a/a refused: the channel is not in the");
}

#[test]
fn a_pointer_may_name_the_device() {
    let mut desk = desk();
    desk.rule.pointers = Pointers { device: "/deviceInfo/devEui".into(), ..Pointers::default() };
    assert_eq!(device_name(&desk.rule, UP.as_bytes()).as_deref(), Ok("0101010101010101"));
}
