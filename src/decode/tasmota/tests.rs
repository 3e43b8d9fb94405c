//! Telemetry of plugs and meters. The zone of the tests is UTC+8.

use crate::decode::told::Desk;
use crate::decode::{Decoded, decode, plans};
use crate::domain::registry::Format;

const CHANNELS: &[&str] = &[
    "ENERGY/Power",
    "ENERGY/Total",
    "ENERGY/Power/0",
    "ENERGY/Power/2",
    "AM2301/Temperature",
    "BME280/Pressure",
    "@online",
    "@rssi",
    "ENERGY/*",
];

fn desk(kind: &'static str) -> Desk {
    Desk { kind: Some(kind), ..Desk::new(Format::Tasmota, CHANNELS) }
}

#[test]
fn a_value_is_a_channel_by_its_way_and_time_is_local() {
    let payload = r#"{"Time":"2026-05-01T08:01:00","ENERGY":{"TotalStartTime":"2021-10-25T15:22:04",
        "Total":9098.245,"Yesterday":1.2,"Period":9,"Power":170,"Factor":0.94}}"#;
    desk("SENSOR").check(payload, &["0 ENERGY/Total=9098.245 @60", "0 ENERGY/Power=170 @60"]);
}

#[test]
fn three_phases_are_an_array() {
    let meter = Desk {
        kind: Some("SENSOR"),
        ..Desk::new(Format::Tasmota, &["ENERGY/Power/0", "ENERGY/Power/2", "ENERGY/*"])
    };
    let payload = r#"{"Time":"2026-05-01T08:00:00","ENERGY":{"Power":[170,0,20],"Total":1}}"#;
    meter.check(payload, &["0 ENERGY/Power/0=170 @0", "0 ENERGY/Power/2=20 @0"]);
}

#[test]
fn the_answer_to_a_question_says_the_same() {
    let payload = r#"{"StatusSNS":{"Time":"2026-05-01T08:00:00","ENERGY":{"Power":170}}}"#;
    desk("STATUS10").check(payload, &["0 ENERGY/Power=170 @0"]);
    desk("STATUS8").check(payload, &["0 ENERGY/Power=170 @0"]);
}

#[test]
fn units_hold_for_the_values_that_they_are_of() {
    let payload = r#"{"Time":"2026-05-01T08:00:00","AM2301":{"Temperature":21.5},
        "ENERGY":{"Power":1},"TempUnit":"Cel"}"#;
    desk("SENSOR").check(payload, &["0 AM2301/Temperature=21.5 Cel @0", "0 ENERGY/Power=1 @0"]);
    let payload = payload.replace("Cel", "Rankine");
    desk("SENSOR").says(payload, "AM2301/Temperature refused: unit `Rankine` is not in units.csv");
}

#[test]
fn presence_is_the_will_and_a_kept_one_says_nothing() {
    desk("LWT").check("Online", &["0 @online=1"]);
    desk("LWT").check("Offline", &["0 @online=0"]);
    desk("LWT").says("gone", "neither `Online` nor `Offline`");
    Desk { retained: true, ..desk("LWT") }.check("Online", &[]);
    Desk { kind: Some("LWT"), ..Desk::new(Format::Tasmota, &["x"]) }.check("Offline", &[]);
    let desk = desk("LWT");
    let mut decoded = Decoded::default();
    for (payload, farewell) in [(&b"Offline"[..], true), (b"Online", false)] {
        let plans = plans(&desk.rule, &desk.profile);
        let announced = &mut std::sync::Arc::default();
        decode(&plans, desk.context(), payload, announced, &mut decoded).unwrap();
        assert_eq!(decoded.farewell, farewell);
    }
}

#[test]
fn state_is_the_devices() {
    let payload = r#"{"Time":"2026-05-01T08:00:00","Vcc":3.4,"POWER":"ON",
        "Wifi":{"AP":1,"RSSI":100,"Signal":-48}}"#;
    desk("STATE").check(payload, &["0 @rssi=-48 @0"]);
    desk("STATE").check("{}", &[]);
    desk("RESULT").check("any", &[]);
}

#[test]
fn what_is_broken_says_so_and_costs_no_other() {
    desk("SENSOR").says("[]", "no object");
    desk("SENSOR").says(r#"{"Time":"x","ENERGY":{"Power":1}}"#, "ENERGY/Power refused: time \"x\"");
    let told = desk("SENSOR").told(r#"{"ENERGY":{"Power":"ERR","Total":1},"Switch1":"ON"}"#);
    assert!(told.starts_with("0 ENERGY/Total=1\n0 ENERGY/Power refused: found \"ERR\""), "{told}");
    assert!(told.contains("\n0 Switch1 refused: the channel is not"), "{told}");
}
