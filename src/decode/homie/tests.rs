//! Descriptions, states and values.

use std::sync::Arc;

use super::*;
use crate::decode::told::Desk;
use crate::domain::registry::Format;

const CHANNELS: &[&str] = &["p1/u", "p1/i", "p1/on", "p1/mode", "p1/text", "no*", "@online"];
const DESCRIPTION: &str = r##"{"homie":"5.0","version":7,"name":"meter","nodes":{"p1":{"name":"L1",
    "properties":{"u":{"name":"U","datatype":"float","unit":"mg/L"},
    "i":{"datatype":"integer","unit":"#"},"on":{"datatype":"boolean","retained":false},
    "mode":{"datatype":"enum","format":"off,day,night"},"text":{"datatype":"string"},
    "far":{"datatype":"float","unit":"furlong"}}}},"children":[],"extensions":[]}"##;

fn on(topic: &'static str) -> Desk {
    Desk { topic, ..Desk::new(Format::Homie, CHANNELS) }
}

/// What had been described.
fn described() -> Arc<Announced> {
    let mut announced = Arc::default();
    assert_eq!(on("water/d/$description").told_after(&mut announced, DESCRIPTION), "");
    assert_eq!(announced.descriptions.len(), 1);
    announced
}

#[track_caller]
fn check(topic: &'static str, payload: &str, want: &str) {
    assert_eq!(on(topic).told_after(&mut described(), payload), want);
}

#[track_caller]
fn says(topic: &'static str, payload: &[u8], words: &str) {
    let told = on(topic).told_after(&mut described(), payload);
    assert!(told.contains(words), "{told}");
}

#[test]
fn values_are_what_the_description_says() {
    check("water/d/p1/u", "231.4", "0 p1/u=231.4 mg/L");
    check("water/d/p1/i", "-5", "0 p1/i=-5");
    check("water/d/p1/on", "true", "0 p1/on=1");
    check("water/d/p1/on", "false", "0 p1/on=0");
    check("water/d/p1/mode", "night", "0 p1/mode=2");
    says("water/d/p1/u", b"NaN", "0 p1/u refused: found \"NaN\"");
    says("water/d/p1/i", b"5.5", "expected a whole number, as `$description` says");
    says("water/d/p1/on", b"1", "expected `true` or `false`");
    says("water/d/p1/mode", b"dusk", "expected a word of `format`");
    says("water/d/p1/text", b"7", "`$description` says `string`, which is no number");
    says("water/d/p1/u", b"\xff", "no UTF-8");
}

#[test]
fn what_the_description_or_the_profile_does_not_know_is_named() {
    says("water/d/p1/far", b"1", "p1/far refused: the channel is not in the device's profile");
    let mut far = on("water/d/p1/far");
    far.profile.channels[0].name = "p1/far".into();
    let told = far.told_after(&mut described(), "1");
    assert!(told.contains("furlong"), "{told}");
    let mut gone = on("water/d/p1/gone");
    gone.profile.channels[0].name = "p1/gone".into();
    let told = gone.told_after(&mut described(), "1");
    assert!(told.contains("`$description` has no such property"), "{told}");
    check("water/d/no/matter", "1", "");
}

#[test]
fn without_a_description_nothing_is_read_and_the_reason_says_so() {
    on("water/d/p1/u").says("231.4", "not Homie 5: no `$description` of the device was heard");
}

#[test]
fn a_description_takes_the_place_of_the_one_before() {
    let mut announced = described();
    let again = on("water/d/$description");
    let before = Arc::clone(&announced);
    again.told_after(&mut announced, DESCRIPTION);
    assert!(Arc::ptr_eq(&before, &announced), "the same costs nothing");
    let other = r#"{"homie":"5.1","nodes":{"p1":{"properties":{"u":{"datatype":"boolean"}}}}}"#;
    again.told_after(&mut announced, other);
    assert_eq!(on("water/d/p1/u").told_after(&mut announced, "true"), "0 p1/u=1");
}

#[test]
fn a_description_that_cannot_be_read_leaves_the_one_before() {
    let mut announced = described();
    let before = Arc::clone(&announced);
    let desk = on("water/d/$description");
    for (wrong, words) in [
        ("{", "ends in the middle"),
        (r#"{"homie":"4.0","nodes":{}}"#, "`homie` is `4.0` in `$description`, expected 5"),
        (r#"{"nodes":{"a":7}}"#, "byte"),
        (&" ".repeat(DESCRIPTION_BYTES_MAX + 1), "65537 bytes, expected 65536 at most"),
    ] {
        let told = desk.told_after(&mut announced, wrong);
        assert!(told.contains(words), "{told}");
    }
    assert_eq!(before, announced);
}

#[track_caller]
fn stands(state: &str, online: &str, farewell: bool) {
    let desk = on("water/d/$state");
    let mut decoded = Decoded::default();
    Plan.decode(desk.context(), state.as_bytes(), &mut Arc::default(), &mut decoded).unwrap();
    assert_eq!((desk.lines(&decoded).join(" "), decoded.farewell), (online.to_owned(), farewell));
}

#[test]
fn a_state_says_whether_the_device_is_there() {
    stands("ready", "0 @online=1", false);
    stands("lost", "0 @online=0", true);
    stands("disconnected", "0 @online=0", true);
    stands("sleeping", "", false);
    stands("init", "", false);
    says("water/d/$state", b"away", "`$state` is `away`, expected `init`");
    Desk { retained: true, ..on("water/d/$state") }.check("lost", &[]);
}

#[test]
fn what_a_broker_kept_is_of_nobody_knows_when_and_what_is_no_value_is_passed_over() {
    let mut decoded = Decoded::default();
    let kept = Desk { retained: true, ..on("water/d/p1/u") };
    Plan.decode(kept.context(), b"231.4", &mut described(), &mut decoded).unwrap();
    assert_eq!((decoded.readings.len(), decoded.unread), (0, 1));
    for topic in ["water/d/$log/info", "water/d/$alert/low", "water/d/p1/$x", "water/d/$name"] {
        on(topic).check("words", &[]);
    }
}
