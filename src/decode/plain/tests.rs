//! What a bare number is, and what is none.

use crate::decode::told::Desk;
use crate::domain::registry::Format;

fn desk() -> Desk {
    Desk { channel: Some("ph"), ..Desk::new(Format::Plain, &["ph", "ignored"]) }
}

#[test]
fn a_number_is_of_the_channel_of_its_topic() {
    desk().check("7.62", &["0 ph=7.62"]);
    desk().check(" -0.5e1\r\n", &["0 ph=-5"]);
    desk().check("7.62\0", &["0 ph=7.62"]);
    let other = Desk { channel: Some("ignored"), ..desk() };
    other.check("on", &[]);
}

#[test]
fn a_unit_may_follow_after_a_space() {
    desk().check("6.85 mg/L", &["0 ph=6.85 mg/L"]);
    desk().says("6.85 mg/l.", "unit `mg/l.` is not in units.csv; the nearest known name is `mg/L`");
}

#[test]
fn below_detection_is_censored_with_and_without_a_space() {
    desk().check("<0.02", &["0 ph=Below 0.02"]);
    desk().check("< 0.02 mg/L", &["0 ph=Below 0.02 mg/L"]);
    desk().check("< 0.02", &["0 ph=Below 0.02"]);
}

#[test]
fn nothing_but_spaces_is_a_missing_value() {
    desk().check(" ", &["0 ph=Missing"]);
}

#[test]
fn words_are_no_numbers() {
    for word in ["NaN", "Infinity", "ERR", "--", "7,62", "0x1F", "7.62mg/L", "true"] {
        desk().says(word, "0 ph refused: found \"");
    }
    desk().says("1e999", "1e999 is beyond any double");
    desk().says(b"7.62\xB0", "not a plain number: byte 4: no UTF-8 text");
}

#[test]
fn a_channel_that_no_profile_names_is_told_with_the_nearest() {
    let other = Desk { channel: Some("pH"), ..desk() };
    other.says("7", "0 pH refused: the channel is not in the device's profile; the nearest known");
}
