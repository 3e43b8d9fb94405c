//! What decoding costs, format by format, as a share of what `serde_json` takes to read as many
//! numbers into its `Value` in the same run.

use std::hint::black_box;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use weir::decode::{self, Context, Decoded};
use weir::domain::name::{DeviceId, MarkId, NetworkId, PropertyId, TopicId};
use weir::domain::registry::{
    Channel, ClockTrust, Device, Format, Hj212, Level, Marks, Pointers, Profile, Statistic,
    TimeUnit, TopicRule, Vocabulary, VocabularyIndex,
};
use weir::domain::unit::Units;

use crate::Bench;
use crate::table::Aim;

/// How many times a payload is read in one look.
const TIMES: u32 = 2_000;
/// How many looks; the shortest counts, since whatever else the machine does only adds.
const LOOKS: usize = 60;
/// As many as a station of surface water sends.
const FACTORS: [&str; 12] = [
    "w01001", "w01003", "w01009", "w01010", "w01014", "w01016", "w01018", "w01019", "w19011",
    "w21001", "w21003", "w21011",
];

pub fn formats(bench: &mut Bench) {
    let values: Vec<String> = (1..13).map(|n| format!("{}.{:02}", n * 7, n * 5)).collect();
    let members = FACTORS.iter().zip(&values).map(|(name, value)| format!("\"{name}\":{value}"));
    let members: Vec<String> = members.collect();
    let json = format!("{{\"ts\":1780272000000,{}}}", members.join(","));
    let read = shortest(|| {
        let value: serde_json::Value = serde_json::from_slice(black_box(json.as_bytes())).unwrap();
        black_box(value);
    });
    let ratio = hj212(&values).as_secs_f64() / read.as_secs_f64();
    let note = "of serde_json with the same 12 numbers; each also has a mark".to_owned();
    bench.table.add("decode HJ 212, 12 factors", ratio, "", Aim::AtMost(1.2), note);
}

fn shortest(mut once: impl FnMut()) -> Duration {
    let looks = (0..LOOKS).map(|_| {
        let start = Instant::now();
        (0..TIMES).for_each(|_| once());
        start.elapsed()
    });
    looks.min().unwrap_or_default() / TIMES
}

/// The sum as the standard writes it.
fn sum(data: &[u8]) -> u16 {
    data.iter().fold(0xFFFF, |sum: u16, byte| {
        (0..8).fold((sum >> 8) ^ u16::from(*byte), |sum, _| {
            if sum & 1 == 1 { (sum >> 1) ^ 0xA001 } else { sum >> 1 }
        })
    })
}

fn hj212(values: &[String]) -> Duration {
    let items =
        FACTORS.iter().zip(values).map(|(name, value)| format!("{name}-Rtd={value},{name}-Flag=N"));
    let items: Vec<String> = items.collect();
    let data = format!(
        "QN=20260601080000001;ST=21;CN=2011;PW=123456;MN=BENCH1;Flag=8;\
         CP=&&DataTime=20260601080000;{}&&",
        items.join(";")
    );
    let payload = format!("##{:04}{data}{:04X}\r\n", data.len(), sum(data.as_bytes()));
    let channel = |name: &&str| Channel {
        name: format!("{name}-Rtd").into(),
        property: Some(PropertyId(0)),
        unit: None,
        scale: 1.0,
        text: false,
        statistic: Statistic::Instant,
        period_ms: None,
        detection_limit: None,
        mark: "".into(),
        marks: None,
    };
    let profile = Profile { name: "p".into(), channels: FACTORS.iter().map(channel).collect() };
    let rule = TopicRule {
        id: TopicId(0),
        network: NetworkId(0),
        pattern: "hj212/{place}".into(),
        levels: vec![Level::Literal("hj212".into()), Level::Place],
        formats: vec![Format::Hj212],
        time_unit: TimeUnit::Local,
        pointers: Pointers { device: "MN".into(), ..Pointers::default() },
        marks: None,
    };
    let ids = [("N".into(), MarkId(1))].into();
    let vocabulary = Vocabulary { name: "v".into(), other: MarkId(0), ids };
    let marks = Marks { vocabularies: vec![vocabulary], ..Marks::default() };
    let device = Device {
        id: DeviceId(0),
        network: NetworkId(0),
        name: "BENCH1".into(),
        assignments: Vec::new(),
        clock: ClockTrust::Device,
        zone: TimeZone::fixed(jiff::tz::offset(8)),
        hj212: Hj212 { marks: Some(VocabularyIndex(0)), ..Hj212::default() },
    };
    let context = Context {
        profile: &profile,
        rule: &rule,
        zone: &device.zone,
        units: &Units::default(),
        marks: &marks,
        device: Some(&device),
        channel: None,
    };
    let plans = decode::plans(&rule, &profile);
    let mut decoded = Decoded::default();
    let cost = shortest(|| {
        decode::decode(&plans, context, black_box(payload.as_bytes()), &mut decoded).unwrap();
        black_box(&decoded);
    });
    assert_eq!((decoded.readings.len(), decoded.rejects.len()), (FACTORS.len(), 0));
    cost
}
