//! Packs of RFC 8428 and the traps of its base fields.

use crate::decode::device_name;
use crate::decode::told::Desk;
use crate::domain::registry::{Format, Pointers};

/// The absolute time of the tests is the arrival, 1777593600.
fn desk() -> Desk {
    Desk::new(Format::Senml, &["temp", "ph", "do", "on", "text", "energy#sum", "ignored*"])
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |two: &[u8]| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

#[test]
fn base_fields_hold_from_their_record_on_until_changed() {
    desk().check(
        r#"[{"bn":"urn:dev:mac:0024befffe804ff1/","bt":1777593600,"bu":"Cel","n":"temp","v":16.4},
            {"n":"ph","u":"","v":7.62},{"n":"do","u":"mg/L","v":6.85,"t":-60},
            {"bt":1777593660,"bv":10,"n":"temp","v":6.5},{"bn":"","n":"temp","v":7}]"#,
        &[
            "0 temp=16.4 Cel @0",
            "1 ph=7.62 @0",
            "2 do=6.85 mg/L @-60",
            "3 temp=16.5 Cel @60",
            "4 temp=17 Cel @60",
        ],
    );
}

#[test]
fn small_times_are_relative_to_the_arrival_and_none_is_now() {
    desk().check(
        r#"[{"n":"temp","v":1},{"n":"temp","v":2,"t":-5},{"bt":-3600,"n":"temp","v":3,"t":10.5},
            {"bt":268435455,"n":"temp","v":4},{"bt":0,"n":"temp","v":5}]"#,
        &["0 temp=1", "1 temp=2 @-5", "2 temp=3 @-3589.5", "3 temp=4 @268435455", "4 temp=5"],
    );
    // From 2^28 on it is a time of day: in 1978.
    desk().check(r#"[{"n":"temp","v":4,"t":268435456}]"#, &["0 temp=4 @-1509158144"]);
    let retained = Desk { retained: true, ..desk() };
    retained.says(r#"[{"n":"temp","v":2,"t":-5}]"#, "refused: a retained message");
    retained.check(r#"[{"n":"temp","v":2,"t":1777593600}]"#, &["0 temp=2 @0"]);
}

#[test]
fn every_kind_of_value_is_read_or_named() {
    desk().check(
        r#"[{"n":"on","vb":true},{"n":"on","vb":false},{"n":"text","vs":"7.5"}]"#,
        &["0 on=1", "1 on=0", "2 text=7.5"],
    );
    desk().says(r#"[{"n":"ph","vs":"7.5"}]"#, "say `text` in the `as` column");
    desk().says(r#"[{"n":"ph","vd":"AAE"}]"#, "found opaque bytes (vd), expected a number");
    desk().says(r#"[{"n":"on","vb":1}]"#, "found 1, expected true or false");
    desk().says(r#"[{"n":"ph","v":{}}]"#, "found an object, expected a number");
    desk().check(r#"[{"n":"ph","v":null}]"#, &["0 ph=Missing"]);
    desk().check(r#"[{"bv":1,"n":"do","v":"<0.2"}]"#, &["0 do=Below 1.2"]);
}

#[test]
fn a_sum_is_a_channel_of_its_own_and_adds_its_base() {
    desk().check(
        r#"[{"bs":100,"n":"energy","u":"W","s":20.5},{"n":"energy","s":1,"bs":0}]"#,
        &["0 energy#sum=120.5", "1 energy#sum=1"],
    );
    desk().says(r#"[{"n":"ph","v":7,"s":1}]"#, "0 ph=7\n0 ph#sum refused: the channel");
}

#[test]
fn a_record_is_one_value_with_a_name() {
    let told = desk().told(r#"[{"n":"ph","v":7,"vs":"7"},{"v":1},{"n":"do"},{"n":"temp","v":2}]"#);
    assert_eq!(
        told,
        [
            "3 temp=2",
            "0 ph refused: not SenML: record 0 has more than one of v, vs, vb and vd",
            "1 (record) refused: not SenML: record 1 has no name",
            "2 do refused: not SenML: record 2 has neither a value nor a sum",
        ]
        .join("\n")
    );
}

#[test]
fn a_base_that_can_not_be_read_spoils_what_rests_on_it_until_it_is_changed() {
    let told = desk().told(
        r#"[{"n":"ph","v":7},{"bt":"soon","n":"temp","v":1},{"n":"temp","v":2},
            {"bt":1777593600,"n":"temp","v":3}]"#,
    );
    assert!(told.starts_with("0 ph=7\n3 temp=3 @0\n1 temp refused: found \"soon\""), "{told}");
    assert!(told.contains("\n2 temp refused: found \"soon\", expected a number"), "{told}");
    let told = desk().told(r#"[{"bv":[],"bu":7,"n":"on","vb":true},{"bu":"","n":"ph","v":1}]"#);
    assert!(told.contains("0 on refused: found 7, expected a text"), "{told}");
    assert!(told.contains("1 ph refused: found an array, expected a number"), "{told}");
}

#[test]
fn unknown_fields_are_left_out_unless_they_must_be_understood() {
    desk().check(r#"[{"n":"ph","v":7,"quality":"good","ut":5}]"#, &["0 ph=7"]);
    desk().says(
        r#"[{"n":"ph","v":7},{"n":"ph","v":7,"cal_":1}]"#,
        "not SenML: record 1: field `cal_` must be understood, and is not known",
    );
}

#[test]
fn a_version_beyond_the_known_is_refused() {
    desk().check(r#"[{"bver":10,"n":"ph","v":7}]"#, &["0 ph=7"]);
    // RFC 9100: 26 is 10 with the feature of secondary units.
    desk().check(r#"[{"bver":26,"n":"ph","v":7}]"#, &["0 ph=7"]);
    for version in ["11", "12", "27", "\"10\"", "10.5", "-1"] {
        desk().says(format!(r#"[{{"bver":{version},"n":"ph","v":7}}]"#), "record 0: bver");
    }
}

#[test]
fn coulomb_is_no_degree_and_an_unknown_unit_costs_one_reading() {
    let told = desk().told(
        r#"[{"n":"temp","u":"C","v":16},{"n":"do","u":"mg/l!","v":1},
        {"n":"ph","v":7}]"#,
    );
    assert!(told.starts_with("2 ph=7\n0 temp refused: found unit C, which is coulomb"), "{told}");
    assert!(told.contains("1 do refused: unit `mg/l!` is not in units.csv"), "{told}");
}

#[test]
fn a_channel_is_named_with_its_base_or_without() {
    let desk = Desk::new(Format::Senml, &["urn:dev:ow:10e2073a01080063", "dev/water/ph", "do"]);
    desk.check(
        r#"[{"bn":"urn:dev:ow:10e2073a01080063","v":23.1},{"bn":"dev/water/","n":"ph","v":7},
            {"n":"do","v":6}]"#,
        &["0 urn:dev:ow:10e2073a01080063=23.1", "1 dev/water/ph=7", "2 do=6"],
    );
}

#[test]
fn the_base_name_may_be_the_devices() {
    let mut desk = desk();
    desk.rule.pointers = Pointers { device: "bn".into(), ..Pointers::default() };
    let payload =
        r#"[{"bn":"urn:dev:mac:01/","n":"ph","v":7},{"bn":"urn:dev:mac:02/","n":"ph","v":8}]"#;
    assert_eq!(device_name(&desk.rule, payload.as_bytes()).as_deref(), Ok("urn:dev:mac:01"));
    desk.check(payload, &[
        "0 ph=7",
        "1 ph refused: the payload says device `urn:dev:mac:02`, the topic says `urn:dev:mac:01`",
    ]);
    assert_eq!(device_name(&desk.rule, br#"[{"n":"ph","v":7}]"#).unwrap_err().code(), "no_device");
    let cbor = hex("81 a3 21 67 75726e3a616263 00 61 78 02 01");
    assert_eq!(device_name(&desk.rule, &cbor).as_deref(), Ok("urn:abc"));
}

#[test]
fn cbor_says_the_same_by_small_numbers() {
    // [{-2: "urn:dev:ow:10e2/", -3: 1777593600, -4: "Cel", 0: "temp", 2: 16.4},
    //  {0: "ph", 2: 4([-2, 762]), 6: -60}, {0: "on", 4: true}]
    let pack = hex(
        "83 a5 21 70 75726e3a6465763a6f773a313065322f 22 1a 69f3ed00 23 63 43656c 00 64 74656d70
         02 fb4030666666666666
         a3 00 62 7068 02 c4 82 21 1902fa 06 383b
         a2 00 62 6f6e 04 f5",
    );
    desk().check(pack, &["0 temp=16.4 Cel @0", "1 ph=7.62 Cel @-60", "2 on=1 Cel @0"]);
}

#[test]
fn cbor_numbers_of_every_width_mean_what_they_say() {
    // 16 bits 1.5, 32 bits 7.62, 64 bits, an integer, a negative one.
    let each = [
        ("f93e00", "1.5"),
        ("fa40f3d70a", "7.62"),
        // A whole number is itself: as few bytes as hold it, RFC 8949 §4.2.
        ("facf77739c", "-4151548928"),
        ("fb401e7ae147ae147b", "7.62"),
        ("1864", "100"),
        ("3863", "-100"),
        ("f90001", "0.00000005960464477539063"),
        ("c4822119 02fa", "7.62"),
    ];
    for (bytes, want) in each {
        let pack = hex(&format!("81 a2 00 62 7068 02 {bytes}"));
        desk().check(pack, &[&format!("0 ph={want}")]);
    }
    // 256 s after the arrival, a time in 32 bits.
    let dated = hex("81 a3 22 fa4ed3e7dc 00 62 7068 02 07");
    desk().check(dated, &["0 ph=7 @256"]);
    let far = hex("81 a2 00 62 7068 02 c4 82 1b 7fffffffffffffff 01");
    desk().says(far, "ph refused: inf is beyond any double");
    desk().says(hex("81 a2 00 62 7068 02 f97e00"), "ph refused: NaN is beyond any double");
    desk().says(hex("81 a2 00 62 7068 02 f97c00"), "ph refused: inf is beyond any double");
    desk().says(hex("81 a2 00 62 7068 08 43 010203"), "found opaque bytes (vd)");
}

#[test]
fn cbor_of_unknown_length_and_with_a_tag_of_its_own_is_read() {
    desk().check(hex("9f bf 00 62 7068 02 07 ff ff"), &["0 ph=7"]);
    desk().check(hex("d9d9f7 81 a2 00 7f 61 70 61 68 ff 02 07"), &["0 ph=7"]);
    desk().check(hex("81 a3 00 62 7068 02 07 18 63 9f 01 02 ff"), &["0 ph=7"]);
    desk().says(hex("81 a3 00 62 7068 02 07 63 78795f f6"), "field `xy_` must be understood");
}

#[test]
fn a_pack_that_was_cut_or_is_none_says_where() {
    desk().says(hex("82 a2 00 62 7068 02 07 a2 00"), "CBOR ends in the middle, after 10 bytes");
    desk().says(hex("81 a2 00 62 7068 02 07 00"), "CBOR, byte 8: bytes after the pack");
    desk().says(hex("81 07"), "not SenML: CBOR, byte 1: ");
    desk().says(hex("d9d9f8 80"), "tag 55800, expected an array");
    desk().says(hex("9b ffffffffffffffff"), "CBOR ends in the middle");
    desk().says(r#"{"n":"ph","v":7}"#, "not JSON: byte");
    desk().says(r#"[{"n":"ph","v":7}"#, "not JSON: it ends in the middle");
    desk().says(r#"[{"n":"ph","v":7}] x"#, "not JSON: byte 19");
    desk().says("[7]", "not JSON: byte 1: invalid type: integer `7`, expected a record");
    desk().check("[]", &[]);
    desk().check("[{}]", &[]);
}

#[test]
fn a_number_beyond_any_double_costs_its_own_reading() {
    desk().says(r#"[{"n":"ph","v":1e999},{"n":"do","v":1}]"#, "1 do=1\n0 ph refused: 1e999");
    desk().says(r#"[{"bv":1e308,"n":"ph","v":1e308}]"#, "ph refused: 1000");
    desk().says(r#"[{"bt":1e300,"n":"ph","v":1}]"#, "ph refused: time 1000");
}
