//! States and availability.

use crate::decode::told::Desk;
use crate::domain::registry::Format;

fn desk() -> Desk {
    let channels = ["power", "energy", "open", "@linkquality", "@online", "@battery", "update*"];
    Desk::new(Format::Zigbee2mqtt, &channels)
}

fn availability() -> Desk {
    Desk { kind: Some("availability"), ..desk() }
}

#[test]
fn a_key_is_a_channel_and_last_seen_the_time() {
    desk().check(
        r#"{"power":36.9,"energy":12.34,"open":true,"linkquality":140,"battery":87,
            "update":{"state":"idle"},"last_seen":"2026-05-01T08:00:05+08:00"}"#,
        &[
            "0 power=36.9 @5",
            "0 energy=12.34 @5",
            "0 open=1 @5",
            "0 @linkquality=140 @5",
            "0 @battery=87 @5",
        ],
    );
    desk().check(r#"{"power":1,"last_seen":1777593660000}"#, &["0 power=1 @60"]);
    desk().check(r#"{"power":1}"#, &["0 power=1"]);
    desk().says(r#"{"power":1,"last_seen":"now"}"#, "0 power refused: time \"now\"");
}

#[test]
fn a_kept_state_has_its_own_time_or_none() {
    let kept = Desk { retained: true, ..desk() };
    kept.check(r#"{"power":1,"last_seen":1777593660000}"#, &["0 power=1 @60"]);
    // What has none is refused when it is dated.
    kept.check(r#"{"power":1}"#, &["0 power=1"]);
}

#[test]
fn availability_is_text_or_an_object() {
    availability().check("online", &["0 @online=1"]);
    availability().check(r#"{"state":"offline"}"#, &["0 @online=0"]);
    Desk { topic: "z/socket/availability", ..desk() }.check("online", &["0 @online=1"]);
    availability().says("away", "neither `online` nor `offline`");
    availability().says(r#"{"state":7}"#, "not JSON: byte");
    Desk { retained: true, ..availability() }.check("offline", &[]);
}

#[test]
fn what_is_said_to_a_device_is_no_reading() {
    Desk { kind: Some("set"), ..desk() }.check(r#"{"state":"ON"}"#, &[]);
    // What it says of its own state is none of the bridge's.
    Desk { kind: Some("state"), ..desk() }.check("ON", &[]);
}

#[test]
fn what_is_broken_says_so_and_costs_no_other() {
    desk().says("7", "no object");
    let told = desk().told(r#"{"power":"ERR","energy":1,"state":"ON"}"#);
    assert!(told.starts_with("0 energy=1\n0 power refused: found \"ERR\""), "{told}");
    assert!(told.contains("\n0 state refused: the channel is not"), "{told}");
}
