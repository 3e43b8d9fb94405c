//! What HJ 212 reads and refuses: frames as they are met, and the traps in them.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::decode;
use crate::domain::name::{DeviceId, NetworkId, PropertyId, TopicId};
use crate::domain::observation::Side;
use crate::domain::quality::Flag;
use crate::domain::registry::{
    ClockTrust, Device, Format, Hj212Edition, Level, Mark, Marks, Options, Pointers, Profile,
    TimeUnit, TopicRule, Vocabulary,
};
use crate::domain::time::{DAY, HOUR, MINUTE};
use crate::domain::unit::Units;

/// 2026-05-01 11:00:00 in UTC+8.
const ELEVEN: i64 = 1_777_604_400_000;

/// Gives a channel; `ignored NAME`, or a name, a statistic and a period between blanks.
fn channel(words: &str) -> Channel {
    let mut words = words.split(' ');
    let first = words.next().unwrap();
    let ignored = first == "ignored";
    let name = if ignored { words.next().unwrap() } else { first };
    let statistic = match words.next() {
        Some("mean") => Statistic::Mean,
        Some("min") => Statistic::Min,
        Some("total") => Statistic::Total,
        Some("sample") => Statistic::Sample,
        _ => Statistic::Instant,
    };
    let period_ms = match words.next() {
        Some("10m") => Some(10 * MINUTE),
        Some("1h") => Some(HOUR),
        Some("24h") => Some(DAY),
        _ => None,
    };
    Channel {
        name: name.into(),
        property: (!ignored).then_some(PropertyId(0)),
        unit: None,
        scale: 1.0,
        text: false,
        statistic,
        period_ms,
        detection_limit: None,
        mark: "".into(),
        marks: None,
    }
}

/// `N`, `M` and the results of checks; everything else is `?`.
fn marks() -> Marks {
    let mut marks = Marks::default();
    let mut ids = HashMap::new();
    for (id, text) in ["?", "N", "M", "2065", "2062", "2062-StandardValue"].iter().enumerate() {
        let id = MarkId(u32::try_from(id).unwrap());
        let usage = if id.0 > 2 { MarkUse::QualityControl } else { MarkUse::Observation };
        let (vocabulary, text): (Box<str>, Box<str>) = ("v".into(), (*text).into());
        ids.insert(text.clone(), id);
        let (quality, censoring, cause) = (Flag::Pass, None, "".into());
        let mark = Mark { id, vocabulary, text, quality, censoring, cause, usage };
        marks.marks.put(id.index(), mark);
    }
    marks.vocabularies.push(Vocabulary { name: "v".into(), other: MarkId(0), ids });
    marks
}

fn decoded(channels: &[&str], speech: Hj212, payload: &[u8]) -> Result<Decoded, Reason> {
    let profile =
        Profile { name: "p".into(), channels: channels.iter().map(|one| channel(one)).collect() };
    let rule = TopicRule {
        id: TopicId(0),
        network: NetworkId(0),
        pattern: "hj212".into(),
        levels: vec![Level::Literal("hj212".into())],
        formats: vec![Format::Hj212],
        time_unit: TimeUnit::Local,
        pointers: Pointers { device: "MN".into(), ..Pointers::default() },
        options: Options::default(),
        marks: None,
    };
    let device = Device {
        id: DeviceId(0),
        network: NetworkId(0),
        name: "A1".into(),
        assignments: Vec::new(),
        clock: ClockTrust::Device,
        zone: TimeZone::fixed(jiff::tz::offset(8)),
        hj212: Hj212 { marks: Some(VocabularyIndex(0)), ..speech },
    };
    let context = Context {
        profile: &profile,
        rule: &rule,
        zone: &device.zone,
        units: &Units::default(),
        marks: &marks(),
        device: Some(&device),
        channel: None,
        topic: "",
        device_name: "A1",
        kind: None,
        received: Timestamp(0),
        retained: false,
    };
    let mut decoded = Decoded::default();
    let plans = decode::plans(&rule, &profile);
    decode::decode(&plans, context, payload, &mut Arc::default(), &mut decoded)?;
    Ok(decoded)
}

/// Gives a frame of device A1.
fn frame(cn: u16, parameters: &str) -> String {
    let data = format!("QN=20260501120110456;ST=21;CN={cn};PW=1;MN=A1;Flag=4;CP=&&{parameters}&&");
    framed(data.as_bytes())
}

fn framed(data: &[u8]) -> String {
    let sum = crc::hj212(data);
    format!("##{:04}{}{sum:04X}\r\n", data.len(), String::from_utf8_lossy(data))
}

/// Gives `name@minutes after eleven=value/mark` of each reading and `name:code` of each reject.
fn told(channels: &[&str], decoded: &Decoded) -> String {
    let names: Vec<Channel> = channels.iter().map(|one| channel(one)).collect();
    let mut told = Vec::new();
    for one in &decoded.readings {
        let name = &names[usize::from(one.channel)].name;
        let at = one
            .device_time
            .map_or("-".to_owned(), |at| ((at.millis() - ELEVEN) / MINUTE).to_string());
        let value = match one.result {
            ObservationResult::Value(value) => value.to_string(),
            ObservationResult::Censored { side: Side::Below, limit } => format!("<{limit}"),
            ObservationResult::Censored { side: Side::Above, limit } => format!(">{limit}"),
            ObservationResult::Nil(_) => "nil".to_owned(),
        };
        let all = marks();
        let mark =
            one.mark.map_or(String::new(), |mark| format!("/{}", all.get(mark).unwrap().text));
        told.push(format!("{name}@{at}={value}{mark}"));
    }
    told.extend(decoded.rejects.iter().map(|one| format!("{}:{}", one.channel, one.reason.code())));
    told.join(" ")
}

#[track_caller]
fn check_by(speech: Hj212, channels: &[&str], payload: &str, want: &str) -> Decoded {
    let decoded = decoded(channels, speech, payload.as_bytes()).unwrap();
    assert_eq!(told(channels, &decoded), want);
    decoded
}

#[track_caller]
fn check(channels: &[&str], payload: &str, want: &str) {
    check_by(Hj212::default(), channels, payload, want);
}

#[track_caller]
fn refuse(payload: &[u8], want: &str) {
    let reason = decoded(&["w01001-Rtd"], Hj212::default(), payload).unwrap_err();
    let words = reason.to_string();
    assert!(words.contains(want), "{words}");
}

#[test]
fn an_instant_is_dated_by_its_own_time_and_marked_by_its_own_flag() {
    let said = "DataTime=20260501110500;w01001-Rtd=8.33,w01001-Flag=N;w01009-Rtd=10.15,\
                w01009-Flag=M;w01010-Rtd=9.7";
    let want = "w01001-Rtd@5=8.33/N w01009-Rtd@5=10.15/M w01010-Rtd@5=9.7";
    check(&["w01001-Rtd", "w01009-Rtd", "w01010-Rtd"], &frame(2011, said), want);
}

#[test]
fn the_same_name_is_another_datastream_in_each_command() {
    let channels = &["w01018-Avg mean 1h", "2051:w01018-Avg mean 10m", "2031:w01018-Avg mean 24h"];
    let said = "DataTime=20260501110000;w01018-Avg=7";
    check(channels, &frame(2061, said), "w01018-Avg@60=7");
    check(channels, &frame(2051, said), "2051:w01018-Avg@10=7");
    check(channels, &frame(2031, said), "2031:w01018-Avg@1440=7");
    // The profile's hour is no minute, whatever the device calls it.
    check(&channels[..1], &frame(2051, said), "2051:w01018-Avg:unknown_channel");
}

#[test]
fn a_period_begins_at_its_time_unless_the_device_says_when_it_is_over() {
    let channels = &["w01018-Avg mean 1h", "w01018-Min min 1h", "w01018-Cou total 1h"];
    let said = "DataTime=20260501110000;w01018-Avg=7,w01018-Min=6,w01018-Cou=70,w01018-Flag=N";
    let start = "w01018-Avg@60=7/N w01018-Min@60=6/N w01018-Cou@60=70/N";
    check(channels, &frame(2061, said), start);
    let instant = Hj212 { time: Hj212Time::Instant, ..Hj212::default() };
    let over = "w01018-Avg@0=7/N w01018-Min@0=6/N w01018-Cou@0=70/N";
    check_by(instant, channels, &frame(2061, said), over);
}

#[test]
fn a_sample_is_of_when_it_was_taken() {
    let channels = &["w21003-Avg sample", "w01009-Avg sample"];
    let said = "DataTime=20260501110000;w21003-SampleTime=20260501104500,w21003-Avg=1.62;\
                w01009-Avg=4.1,w01009-SampleTime=20260501105000";
    check(channels, &frame(2061, said), "w21003-Avg@-15=1.62 w01009-Avg@-10=4.1");
    let odd = "DataTime=20260501110000;w21003-Avg=1.62,w21003-SampleTime=soon";
    check(channels, &frame(2061, odd), "w21003-Avg@0=1.62 w21003-SampleTime:bad_time");
}

#[test]
fn several_frames_and_half_of_them_broken_cost_only_the_broken_ones() {
    let good = |value: u8| frame(2011, &format!("w01001-Rtd={value}"));
    let channels = &["w01001-Rtd"];
    let two = format!("{}{}", good(7), good(8).trim_end());
    check(channels, &two, "w01001-Rtd@-=7 w01001-Rtd@-=8");
    let junk = format!("half##0123QN=1;{}##0400QN={}", good(7), good(8));
    let want = "w01001-Rtd@-=7 w01001-Rtd@-=8 frame:malformed frame:malformed frame:malformed";
    let read = check_by(Hj212::default(), channels, &junk, want);
    let places: Vec<String> = read.rejects.iter().map(|one| one.reason.to_string()).collect();
    assert!(places[0].contains("frame at byte 0: 4 bytes `half`"), "{places:?}");
    assert!(places[1].contains("frame at byte 4: "), "{places:?}");
    // Each has a number of its own, so that each can be run again.
    let records: Vec<u32> = read.rejects.iter().map(|one| one.record).collect();
    assert_eq!(records, [0, 1, 3]);
}

#[test]
fn without_one_frame_in_order_the_message_is_refused_with_the_first_fault() {
    refuse(b"hello", "frame at byte 0: 5 bytes `hello`, expected `##`");
    let broken = frame(2011, "w01001-Rtd=7").replace("=7&&", "=8&&");
    refuse(broken.as_bytes(), "expected");
    refuse(&[0; 4], "no frame in it");
    refuse(framed(b"ST=21;CN=2011;MN=A1").as_bytes(), "no `CP=&&` (at byte 25 of the payload)");
}

#[test]
fn sums_that_somebody_wrote_by_hand_are_refused() {
    for sum in ["4980", "1100", "f9c1"] {
        let good = frame(2011, "w01001-Rtd=7");
        let edited = format!("{}{sum}", &good[..good.len() - 6]);
        refuse(edited.as_bytes(), &format!("CRC {}", sum.to_uppercase()));
    }
}

#[test]
fn a_frame_of_another_device_costs_only_itself() {
    let other = framed(b"ST=21;CN=2011;MN=B2;CP=&&w01001-Rtd=7&&");
    let both = other + &frame(2011, "w01001-Rtd=8");
    check(&["w01001-Rtd"], &both, "w01001-Rtd@-=8 frame:malformed");
}

#[test]
fn the_device_is_the_one_of_the_first_frame_in_order() {
    let both = format!("##junk{}", frame(2011, ""));
    assert_eq!(device(both.as_bytes()).unwrap(), "A1".into());
    assert!(device(b"##").is_err() && device(b" ").is_err());
}

#[test]
fn what_devices_do_in_spite_of_the_standard() {
    let channels = &["w01018-Rtd", "w01001-Rtd", "ele01-Rtd", "B01-Rtd", "ua19004-Rtd", "LA"];
    // No letter, blanks, a separator at the end, and one for the other.
    check(
        channels,
        &frame(2011, " 01018-Rtd = 7 ,w01001-Rtd=8; ;"),
        "w01018-Rtd@-=7 w01001-Rtd@-=8",
    );
    check(channels, &frame(2011, "w01018-Rtd=7;Flag=N"), "w01018-Rtd@-=7/N");
    check(channels, &frame(2011, "w01018-Flag=M,w01018-Rtd=7"), "w01018-Rtd@-=7/M");
    check(
        channels,
        &frame(2011, "w01018-Rtd=,w01001-Rtd=NaN"),
        "w01018-Rtd@-=nil w01001-Rtd@-=nil",
    );
    let seventeen = "DataTime=20260501110017000;ele01-Rtd=1;B01-Rtd=2;ua19004-Rtd=3;LA=60.1";
    check(channels, &frame(2011, seventeen), "ele01-Rtd@0=1 B01-Rtd@0=2 ua19004-Rtd@0=3 LA@0=60.1");
    let joined = framed(b"QN=1,ST=21;CN=2011;MN=A1;Flag=5CP=&&w01001-Rtd=7&&");
    check(channels, &joined, "w01001-Rtd@-=7");
}

#[test]
fn a_mark_is_of_all_values_of_its_factor_wherever_they_stand() {
    let channels = &["w01018-Rtd", "w01018-Avg", "w01001-Rtd"];
    let apart = "w01018-Rtd=1;w01001-Rtd=2;w01018-Flag=M;w01001-Flag=N";
    check(channels, &frame(2011, apart), "w01018-Rtd@-=1/M w01001-Rtd@-=2/N");
    let again = "w01018-Rtd=1;w01001-Rtd=2,w01001-Flag=N;w01018-Avg=3,w01018-Flag=M";
    let want = "w01018-Rtd@-=1/M w01001-Rtd@-=2/N w01018-Avg@-=3/M";
    check(channels, &frame(2011, again), want);
}

#[test]
fn a_value_that_is_none_costs_only_itself() {
    let said = "w01001-Rtd=7;w01018-Rtd=high;w01009-Rtd=1e999;w01018-Rtd=8;w01018-Rtd=9";
    let want = "w01001-Rtd@-=7 w01018-Rtd@-=8 w01018-Rtd:wrong_type w01009-Rtd:out_of_range \
                w01018-Rtd:repeated_channel";
    check(&["w01001-Rtd", "w01018-Rtd", "w01009-Rtd"], &frame(2011, said), want);
}

#[test]
fn an_unknown_factor_is_named_with_the_nearest_and_its_mark_marks_nothing_else() {
    let read = check_by(
        Hj212::default(),
        &["w01018-Avg mean 1h"],
        &frame(2061, "DataTime=20260501110000;w01018-Avg=1;w01019-Avg=2,w01019-Flag=M"),
        "w01018-Avg@60=1 2061:w01019-Avg:unknown_channel",
    );
    assert!(read.rejects[0].reason.to_string().contains("`w01018-Avg`"));
}

#[test]
fn what_is_not_wanted_is_said_by_name_command_or_ending() {
    let channels = &["w01018-Avg mean 1h", "ignored *-Min", "ignored 2051:*", "ignored w01008-Rtd"];
    let said = "DataTime=20260501110000;w01018-Avg=7,w01018-Min=1,w01018-Flag=N";
    check(channels, &frame(2061, said), "w01018-Avg@60=7/N");
    check(channels, &frame(2051, said), "");
    check(channels, &frame(2011, "w01008-Rtd=0,w01008-Flag=N"), "");
}

#[test]
fn results_of_checks_are_marked_as_such_whatever_their_channel() {
    let water = Hj212 { edition: Hj212Edition::SurfaceWater, ..Hj212::default() };
    let channels = &["w21003-Avg sample"];
    let zero = frame(2065, "DataTime=20260501110000;w21003-Check=0.01,w21003-Flag=N");
    check_by(water, channels, &zero, "w21003-Avg@0=0.01/2065");
    let standard = "DataTime=20260501110000;w21003-Check=1.02,w21003-StandardValue=1,w21003-X=9";
    let want = "w21003-Avg@0=1.02/2062 w21003-Avg@0=1/2062-StandardValue";
    assert_eq!(check_by(water, channels, &frame(2062, standard), want).unread, 1);
    check_by(water, channels, &frame(2066, "w21003-Check=1"), "w21003-Check:malformed");
    check_by(water, channels, &frame(2065, "w99-Check=1"), "2065:w99-Check:unknown_channel");
    // Of a device that is not said to send them they are no water either.
    refuse(frame(2065, "w21003-Check=1").as_bytes(), "edition=surface-water");
}

#[test]
fn states_of_equipment_and_other_commands_are_no_readings() {
    let channels = &["w01001-Rtd"];
    let states = frame(2021, "DataTime=20260501110000;SB1-RS=1;SB2-RS=0");
    assert_eq!(check_by(Hj212::default(), channels, &states, "").unread, 2);
    for cn in [9014, 9015, 1013, 3020] {
        check(channels, &frame(cn, "RtdInterval=30;w01001-Info=//ok//"), "");
    }
    // A profile may name a state as a channel.
    check_by(Hj212::default(), &["SB1-RS"], &states, "SB1-RS@0=1");
}

#[test]
fn a_period_without_a_time_has_no_place() {
    let channels = &["w01018-Avg mean 1h"];
    check(channels, &frame(2061, "w01018-Avg=7"), "w01018-Avg:bad_time");
    check(channels, &frame(2061, "DataTime=2026-13-01;w01018-Avg=7"), "w01018-Avg:bad_time");
}

#[test]
fn packets_of_a_split_and_what_is_sent_again_stand_by_themselves() {
    let data = "QN=2;ST=21;CN=2011;PW=1;MN=A1;Flag=9;RF=1;PNUM=2;PNO=2;\
                CP=&&DataTime=20260501104500;w01001-Rtd=7.6,w01001-Flag=M&&";
    check(&["w01001-Rtd"], &framed(data.as_bytes()), "w01001-Rtd@-15=7.6/M");
}

#[test]
fn text_may_be_gb_18030_and_the_sum_is_of_the_bytes() {
    let (said, _, _) = encoding_rs::GB18030.encode("w01001-Rtd=7;w01001-Info=//仪器正常//");
    let mut data = b"ST=21;CN=2011;MN=A1;CP=&&".to_vec();
    data.extend_from_slice(&said);
    data.extend_from_slice(b"&&");
    let mut payload = format!("##{:04}", data.len()).into_bytes();
    payload.extend_from_slice(&data);
    payload.extend_from_slice(format!("{:04x}", crc::hj212(&data)).as_bytes());
    let read = decoded(&["w01001-Rtd"], Hj212::default(), &payload).unwrap();
    assert_eq!((told(&["w01001-Rtd"], &read), read.unread), ("w01001-Rtd@-=7".to_owned(), 1));
}

#[test]
fn a_swapped_modbus_sum_is_counted() {
    let good = frame(2011, "w01001-Rtd=7");
    let data = &good[6..good.len() - 6];
    let sent = format!("##{:04}{data}{:04X}", data.len(), crc::modbus_swapped(data.as_bytes()));
    refuse(sent.as_bytes(), "crc=modbus-swapped");
    let speech = Hj212 { crc: Hj212Crc::ModbusSwapped, ..Hj212::default() };
    assert_eq!(check_by(speech, &["w01001-Rtd"], &sent, "w01001-Rtd@-=7").odd_crcs, 1);
}

#[test]
fn floods_are_one_reject() {
    let unknown: String = (0..80).map(|factor| format!("x{factor}-Rtd=1;")).collect();
    refuse(frame(2011, &unknown).as_bytes(), "more than 64 unknown channels");
    refuse("##junk".repeat(70).as_bytes(), "more than 64 broken frames");
    refuse(frame(9015, "").repeat(1_100).as_bytes(), "more than 1024 frames");
}

proptest! {
    #[test]
    fn what_is_written_is_read(values in proptest::collection::vec(-1e6..1e6_f64, 1..60)) {
        let names: Vec<String> = (0..values.len()).map(|n| format!("w{n:05}-Rtd")).collect();
        let said: Vec<String> = names
            .iter()
            .zip(&values)
            .map(|(name, value)| format!("{name}={value},{}Flag=N", &name[..7]))
            .collect();
        let channels: Vec<&str> = names.iter().map(String::as_str).collect();
        let payload = frame(2011, &format!("DataTime=20260501110000;{}", said.join(";")));
        let read = decoded(&channels, Hj212::default(), payload.as_bytes()).unwrap();
        let results = read.readings.iter().filter_map(|one| one.result.number());
        let results: Vec<f64> = results.collect();
        prop_assert_eq!(results, values);
        prop_assert!(read.readings.iter().all(|one| one.mark == Some(MarkId(1))));
        prop_assert!(read.rejects.is_empty());
    }
}
