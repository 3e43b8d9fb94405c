//! Both generations.

use crate::decode::told::Desk;
use crate::domain::registry::{Format, Level};

fn on(topic: &'static str, pattern: &str, channels: &[&str]) -> Desk {
    let mut desk = Desk { topic, ..Desk::new(Format::Shelly, channels) };
    desk.rule.levels = pattern.split('/').map(Level::read).collect();
    desk
}

const GEN_2: &[&str] =
    &["em:0/a_current", "em:0/a_pf", "em:0/n_current", "emdata:0/total_act", "em:0/*", "@online"];

fn rpc() -> Desk {
    on("meter/events/rpc", "{device}/events/rpc", GEN_2)
}

#[test]
fn a_notification_tells_what_changed_at_its_time() {
    rpc().check(
        r#"{"src":"shellypro3em-aabb","dst":"shelly/events","method":"NotifyStatus","params":
            {"ts":1777593600.12,"em:0":{"id":0,"a_current":4.029,"a_voltage":236.1,"a_pf":0.72,
            "n_current":null,"a_errors":["out_of_range:voltage"],"errors":["x"]},
            "emdata:0":{"id":0,"total_act":2589773.39}}}"#,
        &[
            "0 em:0/a_current=4.029 @0.12",
            "0 em:0/a_pf=0.72 @0.12",
            "0 em:0/n_current=Missing @0.12",
            "0 emdata:0/total_act=2589773.39 @0.12",
        ],
    );
    rpc()
        .check(r#"{"method":"NotifyFullStatus","params":{"em:0":{"a_pf":1}}}"#, &["0 em:0/a_pf=1"]);
}

#[test]
fn events_and_answers_are_no_readings() {
    rpc().check(r#"{"method":"NotifyEvent","params":{"ts":1,"events":[]}}"#, &[]);
    rpc().check(r#"{"id":1,"src":"x","result":{"em:0":{"a_pf":1}}}"#, &[]);
    rpc().says(r#"{"method":"NotifyStatus"}"#, "no `params`");
    rpc().says(r#"{"method":"NotifyStatus","params":7}"#, "no `params`");
    rpc().says("x", "not JSON: byte 0");
}

#[test]
fn the_state_of_a_component_has_no_time() {
    on("meter/status/em:0", "{device}/status/{kind}", GEN_2)
        .check(r#"{"id":0,"a_current":4,"a_pf":0.7}"#, &["0 em:0/a_current=4", "0 em:0/a_pf=0.7"]);
}

#[test]
fn the_first_generation_has_a_topic_a_value() {
    let channels = ["emeter/0/power", "relay/0/energy", "relay/0"];
    let on_emeter = |topic| on(topic, "shellies/{device}/{place}/{kind}/x", &channels);
    on_emeter("shellies/em-1/emeter/0/power").check("-12.5", &["0 emeter/0/power=-12.5"]);
    on_emeter("shellies/em-1/relay/0/energy").check("18435", &["0 relay/0/energy=18435"]);
    on_emeter("shellies/em-1/relay/0").says("on", "0 relay/0 refused: found \"on\"");
    on_emeter("shellies/em-1/emeter/1/power").says("1", "0 emeter/1/power refused: the channel");
    on_emeter("shellies/em-1/info").check(r#"{"wifi_sta":{}}"#, &[]);
    on_emeter("shellies/em-1/announce").check("x", &[]);
}

#[test]
fn presence_is_true_or_false() {
    let online = || on("meter/online", "{device}/online", GEN_2);
    online().check("true", &["0 @online=1"]);
    online().check("false", &["0 @online=0"]);
    online().says("yes", "neither `true` nor `false`");
    Desk { retained: true, ..online() }.check("false", &[]);
}

#[test]
fn a_bad_value_costs_no_other() {
    let told = rpc().told(r#"{"method":"NotifyStatus","params":{"ts":"x","em:0":{"a_pf":1}}}"#);
    assert!(told.starts_with("0 em:0/a_pf refused: time \"x\""), "{told}");
    let told = rpc().told(
        r#"{"method":"NotifyStatus","params":
            {"em:0":{"a_pf":"x","a_current":1},"sys":{"uptime":5}}}"#,
    );
    assert!(told.starts_with("0 em:0/a_current=1\n0 em:0/a_pf refused: found \"x\""), "{told}");
    assert!(told.contains("0 sys/uptime refused: the channel is not"), "{told}");
}
