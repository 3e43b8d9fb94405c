//! Telegraf's metrics, alone and in batches.

use crate::decode::device_name;
use crate::decode::told::Desk;
use crate::domain::registry::{Format, Pointers, TimeUnit};

fn desk() -> Desk {
    let mut desk = Desk::new(Format::Telegraf, &["ph", "do", "pump", "ignored"]);
    desk.rule.time_unit = TimeUnit::Seconds;
    desk
}

#[test]
fn a_metric_alone_and_a_batch_are_read() {
    desk().check(
        r#"{"fields":{"ph":7.62,"do":null,"pump":true},"name":"water","tags":{"host":"x"},
            "timestamp":1777593600}"#,
        &["0 ph=7.62 @0", "0 do=Missing @0", "0 pump=1 @0"],
    );
    desk().check(
        r#"{"metrics":[{"fields":{"ph":7},"name":"w","tags":{},"timestamp":1777593600},
            {"fields":{"do":6,"ignored":{"a":[1]}},"name":"w","tags":{},"timestamp":1777593660}]}"#,
        &["0 ph=7 @0", "1 do=6 @60"],
    );
}

#[test]
fn the_unit_of_time_is_agreed() {
    let mut millis = desk();
    millis.rule.time_unit = TimeUnit::Milliseconds;
    millis.check(r#"{"fields":{"ph":7},"timestamp":1777593600500}"#, &["0 ph=7 @0.5"]);
    desk().check(r#"{"fields":{"ph":7}}"#, &["0 ph=7"]);
    desk().says(r#"{"fields":{"ph":7},"timestamp":"soon"}"#, "0 ph refused: time \"soon\"");
}

#[test]
fn a_bad_field_or_metric_costs_no_other() {
    desk().check(r#"{"fields":{"ph":"ERR","do":1e999,"pump":0}}"#, &[
        "0 pump=0",
        "0 ph refused: found \"ERR\", expected a number; if this device sends numbers as text, say \
         `text` in the `as` column of profiles.csv",
        "0 do refused: 1e999 is beyond any double",
    ]);
    desk().check(
        r#"{"metrics":[{"name":"w"},7,{"fields":{"ph":7}}]}"#,
        &[
            "2 ph=7",
            "0 (metric) refused: not Telegraf's JSON: metrics/0 has no `fields`",
            "1 (metric) refused: not Telegraf's JSON: metrics/1 has no `fields`",
        ],
    );
    desk().says(r#"{"fields":[1]}"#, "`fields` is no object");
}

#[test]
fn what_is_no_metric_says_so() {
    desk().says(r#"{"ph":7}"#, "not Telegraf's JSON: neither `fields` nor `metrics`");
    desk().says(r#"{"fields":{"ph":7}"#, "not JSON: it ends in the middle");
}

#[test]
fn tags_name_the_device_and_stand_before_the_channel() {
    let mut desk = Desk::new(Format::Telegraf, &["L1/u", "m/u"]);
    desk.rule.pointers =
        Pointers { device: "host".into(), channel: "phase".into(), ..Pointers::default() };
    let payload = r#"{"metrics":[{"fields":{"u":231},"tags":{"phase":"L1","host":"a"}},
        {"fields":{"u":230},"tags":{"phase":"L1","host":"b"}}]}"#;
    assert_eq!(device_name(&desk.rule, payload.as_bytes()).as_deref(), Ok("a"));
    desk.check(
        payload,
        &["0 L1/u=231", "1 (metric) refused: the payload says device `b`, the topic says `a`"],
    );
    desk.rule.pointers = Pointers { channel: "_measurement".into(), ..Pointers::default() };
    desk.check(r#"{"name":"m","fields":{"u":5}}"#, &["0 m/u=5"]);
}
