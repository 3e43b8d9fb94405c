//! What records of bytes say, and what is refused.

use crate::decode::told::{Desk, RECEIVED};
use crate::domain::registry::{Format, TimeUnit};

/// A topic of records so long, of a device with these channels.
fn desk(record: u16, channels: &[&str]) -> Desk {
    let mut desk = Desk::new(Format::Binary, channels);
    desk.rule.options.record = record;
    desk
}

/// The same, with the time of each record in its first four bytes.
fn dated(record: u16, channels: &[&str]) -> Desk {
    let mut desk = desk(record, channels);
    desk.rule.pointers.time = "u32be@0".into();
    desk.rule.time_unit = TimeUnit::Seconds;
    desk
}

#[track_caller]
fn check(desk: &Desk, payload: &[u8], want: &[&str]) {
    assert_eq!(desk.told(payload), want.join("\n"));
}

#[test]
fn fields_of_every_type_are_numbers() {
    let channels =
        ["u8@0", "i8@0", "u16be@0", "i16le@0", "u24be@0", "i24be@0", "u64be@0", "i64le@0"];
    let bytes = [0xFE, 0xFF, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01];
    check(
        &desk(8, &channels),
        &bytes,
        &[
            "0 u8@0=254",
            "0 i8@0=-2",
            "0 u16be@0=65279",
            "0 i16le@0=-2",
            "0 u24be@0=16711424",
            "0 i24be@0=-65792",
            "0 u64be@0=18374405004694913000",
            "0 i64le@0=72057594037993470",
        ],
    );
}

#[test]
fn floats_are_the_shortest_number_that_they_mean_and_no_other_than_finite_ones() {
    let desk = desk(8, &["f32be@0", "f32be-swapped@4"]);
    let bytes = [0x40, 0xF3, 0xD7, 0x0A, 0xD7, 0x0A, 0x40, 0xF3];
    check(&desk, &bytes, &["0 f32be@0=7.62", "0 f32be-swapped@4=7.62"]);
    let bytes = [0x7F, 0xC0, 0, 0, 0, 0, 0x7F, 0x80];
    let told = desk.told(bytes);
    assert!(told.starts_with("0 f32be@0 refused: ") && told.contains("NaN"), "{told}");
    assert!(told.contains("\n0 f32be-swapped@4 refused: ") && told.contains("inf"), "{told}");
    check(&self::desk(8, &["f64le@0"]), &7.62_f64.to_le_bytes(), &["0 f64le@0=7.62"]);
}

#[test]
fn a_bit_is_one_or_nothing() {
    let desk = desk(2, &["u16be@0.0", "u16be@0.15", "u8@0.6", "u8@1.7"]);
    let want = ["0 u16be@0.0=1", "0 u16be@0.15=0", "0 u8@0.6=1", "0 u8@1.7=0"];
    check(&desk, &[0x40, 0x01], &want);
}

#[test]
fn a_payload_has_one_record_or_several_with_times_and_no_other_length() {
    let one = desk(2, &["u16be@0"]);
    check(&one, &[1, 2], &["0 u16be@0=258"]);
    let many = dated(6, &["u16be@4"]);
    let at = |after: i64, value: u8| -> Vec<u8> {
        let seconds = u32::try_from(RECEIVED / 1_000 + after).unwrap();
        [&seconds.to_be_bytes()[..], &[0, value]].concat()
    };
    check(&many, &[at(-60, 7), at(0, 8)].concat(), &["0 u16be@4=7 @-60", "1 u16be@4=8 @0"]);
    let length = "not a binary record: 3 bytes, expected 2";
    check(&one, &[1, 2, 3], &[length]);
    check(&one, &[1, 2, 3, 4], &["not a binary record: 4 bytes, expected 2"]);
    check(&many, &at(0, 8)[1..], &["not a binary record: 5 bytes, expected 1 to 1024 times 6"]);
    check(&many, &[], &["the payload is empty; expected a reading"]);
    let long = at(0, 8).repeat(1_025);
    check(&many, &long, &["not a binary record: 6150 bytes, expected 1 to 1024 times 6"]);
    assert_eq!(many.told(at(0, 8).repeat(1_024)).lines().count(), 1_024);
}

#[test]
fn what_stands_before_the_records_is_passed_over() {
    let mut desk = desk(2, &["u16be@0"]);
    desk.rule.options.before = 3;
    check(&desk, &[1, 3, 4, 0, 9], &["0 u16be@0=9"]);
    check(&desk, &[1, 3, 4], &["not a binary record: 3 bytes, expected 3 and 2"]);
    check(&desk, &[1], &["not a binary record: 1 bytes, expected 3 and 2"]);
}

#[test]
fn no_record_is_taken_for_a_packed_one() {
    // As gzip, zlib and zstd begin.
    let desk = desk(4, &["u16be@0"]);
    check(&desk, &[0x1F, 0x8B, 8, 0], &["0 u16be@0=8075"]);
    check(&desk, &[0x78, 0x9C, 8, 0], &["0 u16be@0=30876"]);
    check(&desk, &[0x28, 0xB5, 0x2F, 0xFD], &["0 u16be@0=10421"]);
}

#[test]
fn times_are_counted_in_the_unit_of_the_topic() {
    let mut desk = desk(10, &["u16be@8"]);
    for (time, unit, bytes) in [
        ("u64be@0", TimeUnit::Milliseconds, RECEIVED.to_be_bytes()),
        ("i64le@0", TimeUnit::Nanoseconds, (RECEIVED * 1_000_000).to_le_bytes()),
        ("f64be@0", TimeUnit::Seconds, (RECEIVED as f64 / 1_000.0).to_be_bytes()),
    ] {
        (desk.rule.pointers.time, desk.rule.time_unit) = (time.into(), unit);
        check(&desk, &[&bytes[..], &[0, 5]].concat(), &["0 u16be@8=5 @0"]);
    }
    let nonsense = [&f64::NAN.to_be_bytes()[..], &[0, 5]].concat();
    desk.says(nonsense, "0 u16be@8 refused: time NaN is not a number");
}

#[test]
fn a_profile_of_another_format_is_named_and_so_is_a_field_outside_the_record() {
    desk(4, &["u16be@0", "/ph"]).says([0; 4], "channel `/ph` of the profile is no field; expected");
    let outside = "channel `u32be@2` of the profile ends behind byte 6, and a record has 4";
    desk(4, &["u32be@2"]).says([0; 4], outside);
    check(&desk(2, &["u16be@0", "@rssi", "ignored", "x*"]), &[0, 1], &["0 u16be@0=1"]);
    desk(0, &["u16be@0"]).says([0; 4], "how long a record is");
}
