//! What the mapped JSON reads and refuses.

use std::sync::Arc;

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::decode;
use crate::domain::name::{MarkId, NetworkId, PropertyId, TopicId};
use crate::domain::observation::Side;
use crate::domain::registry::{
    Channel, Format, Level, Marks, Options, Pointers, Profile, Statistic, TimeUnit, TopicRule,
    Vocabulary, VocabularyIndex, several,
};
use crate::domain::unit::{Unit, Units};

fn profile(names: &[&str]) -> Profile {
    let channel = |name: &&str| Channel {
        name: (*name).into(),
        property: (!name.contains("ignored") && !name.ends_with('*')).then_some(PropertyId(0)),
        unit: None,
        scale: 1.0,
        text: name.contains("text"),
        statistic: Statistic::Instant,
        period_ms: None,
        detection_limit: None,
        mark: if *name == "/ph" { "/flags/ph".into() } else { "".into() },
        marks: None,
    };
    Profile { name: "test".into(), channels: names.iter().map(channel).collect() }
}

fn rule(pointers: Pointers) -> TopicRule {
    TopicRule {
        id: TopicId(0),
        network: NetworkId(0),
        pattern: "water/{device}/data".into(),
        levels: vec![Level::Literal("water".into()), Level::Device],
        formats: vec![Format::Json],
        time_unit: TimeUnit::Milliseconds,
        pointers,
        options: Options::default(),
        marks: Some(VocabularyIndex(0)),
    }
}

/// Letters and numbers: `M` is 1, `7` is 2, everything else 0.
fn marks() -> Marks {
    let ids = [("M".into(), MarkId(1)), ("7".into(), MarkId(2))].into();
    let vocabulary = Vocabulary { name: "v".into(), other: MarkId(0), ids };
    Marks { vocabularies: vec![vocabulary], ..Marks::default() }
}

type Read = (Vec<Reading>, Vec<(String, String)>);

fn decode_with(pointers: Pointers, channels: &[&str], payload: &[u8]) -> Result<Read, Reason> {
    let (rule, profile) = (rule(pointers), profile(channels));
    let mut units = Units::default();
    let (name, dimension) = ("mg/L".into(), "mass_concentration".into());
    units.add(Unit { name, dimension, multiply: 1.0, divide: 1.0, add: 0.0 }, &[]).unwrap();
    let mut decoded = Decoded::default();
    let context = Context {
        profile: &profile,
        rule: &rule,
        zone: &TimeZone::UTC,
        units: &units,
        marks: &marks(),
        device: None,
        channel: None,
        topic: "",
        device_name: "",
        kind: None,
        received: Timestamp(0),
        retained: false,
    };
    decode::decode(
        &decode::plans(&rule, &profile),
        context,
        payload,
        &mut Arc::default(),
        &mut decoded,
    )?;
    let rejects =
        decoded.rejects.iter().map(|one| (one.channel.to_string(), one.reason.code().to_owned()));
    Ok((decoded.readings.clone(), rejects.collect()))
}

fn wide() -> Pointers {
    Pointers { time: "/ts".into(), ..Pointers::default() }
}

fn long() -> Pointers {
    Pointers {
        time: "/t".into(),
        each: Some("/data".into()),
        channel: "/n".into(),
        value: "/v".into(),
        unit: "/u".into(),
        ..Pointers::default()
    }
}

/// Reads and gives `channel@time=value` of each reading, and `channel:code` of each reject.
#[track_caller]
fn check(pointers: Pointers, channels: &[&str], payload: &str, want: &str) {
    let (readings, rejects) = decode_with(pointers, channels, payload.as_bytes()).unwrap();
    let mut got: Vec<String> = Vec::new();
    for reading in readings {
        let time = reading.device_time.map_or("-".to_owned(), |at| at.millis().to_string());
        let value = match reading.result {
            ObservationResult::Value(value) => value.to_string(),
            ObservationResult::Censored { side: Side::Below, limit } => format!("<{limit}"),
            ObservationResult::Censored { side: Side::Above, limit } => format!(">{limit}"),
            ObservationResult::Nil(_) => "nil".to_owned(),
        };
        got.push(format!("{}@{time}={value}", reading.channel));
    }
    got.extend(rejects.into_iter().map(|(name, code)| format!("{name}:{code}")));
    assert_eq!(got.join(" "), want);
}

#[track_caller]
fn refuse(payload: &[u8], want: &str) {
    let reason = decode_with(wide(), &["/ph", "/do"], payload).unwrap_err();
    let words = reason.to_string();
    assert!(words.contains(want), "{words}");
}

#[test]
fn a_wide_record_gives_a_reading_a_key() {
    check(wide(), &["/ph", "/do"], r#"{"ts":5,"ph":7.1,"do":null}"#, "0@5=7.1 1@5=nil");
}

#[test]
fn time_may_come_last_or_not_at_all() {
    check(wide(), &["/ph"], r#"{"ph":7.1,"ts":5}"#, "0@5=7.1");
    check(wide(), &["/ph"], r#"{"ph":7.1}"#, "0@-=7.1");
}

#[test]
fn channels_may_be_nested_and_indexed() {
    check(
        Pointers { time: "/head/ts".into(), ..Pointers::default() },
        &["/a/b/ph", "/u/0", "/u/2"],
        r#"{"head":{"ts":9},"a":{"b":{"ph":7}},"u":[220,230,240]}"#,
        "0@9=7 1@9=220 2@9=240",
    );
}

/// Reads and gives the mark of each reading, `-` for none.
#[track_caller]
fn marked(pointers: Pointers, channels: &[&str], payload: &str, want: &str) {
    let (readings, _) = decode_with(pointers, channels, payload.as_bytes()).unwrap();
    let mark = |reading: &Reading| reading.mark.map_or("-".to_owned(), |mark| mark.0.to_string());
    assert_eq!(readings.iter().map(mark).collect::<Vec<_>>().join(" "), want);
}

#[test]
fn a_wide_records_mark_is_of_all_values_that_have_none_of_their_own() {
    let of_record = Pointers { mark: "/err".into(), ..wide() };
    let channels = &["/ph", "/do"];
    let both = r#"{"err":7,"ph":1,"do":2,"flags":{"ph":"M"}}"#;
    marked(of_record.clone(), channels, both, "1 2");
    marked(of_record, channels, r#"{"ph":1,"do":2,"err":"7"}"#, "2 2");
    marked(wide(), channels, r#"{"flags":{"ph":"M"},"ph":1,"do":2}"#, "1 -");
}

#[test]
fn a_long_record_has_the_mark_that_stands_in_it() {
    let pointers = Pointers { mark: "/f".into(), ..long() };
    let records = r#"{"n":"ph","v":1,"f":"M"},{"n":"ph","v":2},{"n":"ph","v":3,"f":"N"}"#;
    marked(pointers, &["ph"], &format!("{{\"data\":[{records}]}}"), "1 - 0");
}

#[test]
fn null_and_nothing_are_no_mark_and_anything_else_is_an_unknown_one() {
    let pointers = Pointers { mark: "/err".into(), ..wide() };
    for (mark, want) in
        [("null", "-"), ("\" \"", "-"), ("[7]", "0"), ("true", "0"), ("\" M \"", "1")]
    {
        let payload = format!("{{\"err\":{mark},\"do\":2}}");
        marked(pointers.clone(), &["/do"], &payload, want);
    }
}

#[test]
fn a_text_costs_only_its_own_reading() {
    check(wide(), &["/ph", "/do"], r#"{"ts":5,"ph":"high","do":8}"#, "1@5=8 /ph:wrong_type");
}

#[test]
fn a_number_beyond_any_double_costs_only_its_own_reading() {
    check(wide(), &["/ph", "/do"], r#"{"ts":5,"ph":1e999,"do":8}"#, "1@5=8 /ph:out_of_range");
}

#[test]
fn an_unknown_key_is_named_and_an_ignored_one_is_not() {
    check(
        wide(),
        &["/ph", "/ignored"],
        r#"{"ts":5,"ph":7,"ignored":[1],"pH":8,"x":{"y":1}}"#,
        "0@5=7 /pH:unknown_channel /x:unknown_channel",
    );
}

#[test]
fn a_key_that_stands_twice_is_read_once() {
    check(wide(), &["/ph"], r#"{"ts":5,"ph":7,"ph":8}"#, "0@5=7 /ph:repeated_channel");
}

#[test]
fn records_have_times_of_their_own_or_the_payloads() {
    let pointers = Pointers { each: Some("/data".into()), ..wide() };
    check(pointers, &["/ph"], r#"{"data":[{"ts":1,"ph":7},{"ph":8}],"ts":3}"#, "0@1=7 0@3=8");
    let pointers = Pointers { each: Some("".into()), ..wide() };
    check(pointers, &["/ph"], r#"[{"ts":1,"ph":7},{"ts":2,"ph":8}]"#, "0@1=7 0@2=8");
}

#[test]
fn a_bad_time_costs_its_record_only() {
    let pointers = Pointers { each: Some("".into()), ..wide() };
    check(pointers, &["/ph"], r#"[{"ts":"x","ph":7},{"ts":2,"ph":8}]"#, "0@2=8 /ph:bad_time");
}

#[test]
fn long_records_name_channel_value_and_unit() {
    check(
        long(),
        &["ph", "do_text", "ignored"],
        r#"{"data":[{"n":"ph","v":7.5,"t":1},{"n":"do_text","v":"8.1","u":"mg/L","t":2},
            {"n":"ignored","v":1},{"n":"oxygen","v":1},{"n":"ph","v":1,"u":"furlong"}]}"#,
        "0@1=7.5 1@2=8.1 oxygen:unknown_channel ph:unknown_unit",
    );
}

fn each(each: &str, channel: &str, value: &str) -> Pointers {
    Pointers {
        each: Some(each.into()),
        channel: channel.into(),
        value: value.into(),
        ..Pointers::default()
    }
}

#[test]
fn a_long_record_may_have_several_values_each_a_channel_behind_its_name() {
    let factors = Pointers { time: "/time".into(), ..each("/list", "/id", "/rtd /avg") };
    let channels = &["so2/rtd", "so2/avg", "pm10/rtd"];
    check(
        factors.clone(),
        channels,
        r#"{"time":5,"list":[{"avg":11,"id":"so2","rtd":12},{"id":"pm10","rtd":null,"x":1}]}"#,
        "0@5=12 1@5=11 2@5=nil",
    );
    // A record without any of them is none; one with another name is asked after by both.
    check(
        factors.clone(),
        &channels[..2],
        r#"{"list":[{"id":"so2","x":1}]}"#,
        "so2/rtd:wrong_type",
    );
    check(
        factors,
        &channels[..1],
        r#"{"list":[{"id":"co","rtd":1,"avg":2}]}"#,
        "co/rtd:unknown_channel co/avg:unknown_channel",
    );
}

#[test]
fn a_long_records_name_may_have_parts() {
    let meters = each("", "/meter /name", "/value");
    check(
        meters.clone(),
        &["7/kwh", "8/kwh"],
        r#"[{"name":"kwh","meter":7,"value":1.5},{"meter":"8","value":2,"name":"kwh"}]"#,
        "0@-=1.5 1@-=2",
    );
    check(meters, &["7/kwh"], r#"[{"name":"kwh","value":1}]"#, "kwh:unknown_channel");
    let both = each("", "/meter /phase", "/u /i");
    check(both, &["7/A/u", "7/A/i"], r#"[{"i":5,"u":230,"phase":"A","meter":7}]"#, "0@-=230 1@-=5");
}

#[test]
fn what_begins_as_an_ignored_row_says_is_not_wanted_of_long_records() {
    let points = each("", "/n", "/v");
    let payload =
        r#"[{"n":"DI1","v":1},{"n":"DI2_ignored","v":1},{"n":"ph","v":7},{"n":"d","v":1}]"#;
    check(points, &["ph", "ignored", "DI1*", "DI2_ignored*"], payload, "0@-=7 d:unknown_channel");
}

#[test]
fn pointers_of_one_cell_may_have_spaces_in_them() {
    let apart = |cell: &'static str| -> Vec<&str> { several(cell).collect() };
    assert_eq!(apart("/Rtd  /Avg"), ["/Rtd", "/Avg"]);
    assert_eq!(apart("/the value /b"), ["/the value", "/b"]);
    assert_eq!(apart(" /a "), ["/a"]);
    assert!(apart("").is_empty() && apart("  ").is_empty());
}

#[test]
fn censored_values_are_read_from_text() {
    check(wide(), &["/ph"], r#"{"ph":"<0.02"}"#, "0@-=<0.02");
}

#[test]
fn what_json_forbids_is_called_by_its_name() {
    refuse(br#"{"ph":NaN}"#, "NaN");
    refuse(br#"{"ph":-Infinity}"#, "Infinity");
    refuse(br#"{"ph":7,}"#, "a comma before the closing bracket");
    refuse(b"\xEF\xBB\xBF{}", "byte order mark");
    refuse(br#"{"ph":.5}"#, "begins with a point");
    refuse(br#"{"ph":07}"#, "leading zero");
    refuse(br#"{"ph":7"#, "ends in the middle");
    refuse(br#"{"ph":7} x"#, "byte 9");
    refuse(br#"[1,2]"#, "byte");
    refuse(b"", "empty");
    refuse(b"{\"ph\":\"\xff\"}", "byte");
}

#[test]
fn depth_is_limited_wherever_it_stands() {
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    refuse(deep.as_bytes(), "byte");
    refuse(format!(r#"{{"ph":{deep}}}"#).as_bytes(), "nested deeper than 64");
    refuse(format!(r#"{{"unknown":{deep}}}"#).as_bytes(), "nested deeper than 64");
}

#[test]
fn a_flood_of_unknown_channels_is_one_reject() {
    let keys: Vec<String> = (0..1000).map(|key| format!("\"k{key}\":1")).collect();
    refuse(format!("{{{}}}", keys.join(",")).as_bytes(), "more than 64 unknown channels");
    let records: Vec<String> =
        (0..1000).map(|key| format!("{{\"n\":\"k{key}\",\"v\":1}}")).collect();
    let payload = format!("{{\"data\":[{}]}}", records.join(","));
    let refused = decode_with(long(), &["ph"], payload.as_bytes()).unwrap_err();
    assert!(refused.to_string().contains("more than 64 unknown channels"), "{refused}");
}

proptest! {
    #[test]
    fn any_bytes_never_panic(payload in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(decode_with(long(), &["ph"], &payload).is_err()
            || serde_json::from_slice::<serde::de::IgnoredAny>(&payload).is_ok());
    }

    #[test]
    fn any_json_never_panics(
        payload in r#"[\[{]("(data|ts|ph|n|v)":)?([0-9"\[{}\],:]{0,30})[\]}]"#,
    ) {
        for pointers in [wide(), long()] {
            prop_assert!(decode_with(pointers, &["/ph", "/data"], payload.as_bytes()).is_err()
                || serde_json::from_str::<serde::de::IgnoredAny>(&payload).is_ok());
        }
    }
}
