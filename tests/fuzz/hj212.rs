//! HJ 212: every way in which seeds can say that it is spoken, over any payload, and over any data in
//! frames whose length and sum are right.

use std::sync::{Arc, LazyLock};

use jiff::tz::TimeZone;
use weir::decode::hj212::Keys;
use weir::decode::{self, Context, Decoded, Plan};
use weir::domain::name::{DeviceId, MarkId, NetworkId, PropertyId, Table, TopicId};
use weir::domain::quality::Flag;
use weir::domain::registry::{
    Channel, ClockTrust, Device, Format, Hj212, Hj212Crc, Hj212Edition, Hj212Time, Level, Mark,
    MarkUse, Marks, Options, Pointers, Profile, Statistic, TimeUnit, TopicRule, Vocabulary,
    VocabularyIndex,
};
use weir::domain::reply::Reply;
use weir::domain::time::Timestamp;
use weir::domain::unit::Units;
use weir::simulate::encode::hj212;

use super::{Feed, says_something};

/// Name, statistic, and period in minutes.
const CHANNELS: [(&str, Statistic, i64); 9] = [
    ("w01001-Rtd", Statistic::Instant, 0),
    ("w21003-Avg", Statistic::Sample, 0),
    ("w01018-Avg", Statistic::Mean, 60),
    ("2051:w01018-Avg", Statistic::Mean, 10),
    ("2031:w01018-Avg", Statistic::Mean, 1_440),
    ("w01018-Cou", Statistic::Total, 60),
    ("LA", Statistic::Instant, 0),
    ("*-Min", Statistic::Instant, 0),
    ("2041:*", Statistic::Instant, 0),
];

static PROFILE: LazyLock<Profile> = LazyLock::new(|| {
    let channel = |(name, statistic, minutes): &(&str, Statistic, i64)| Channel {
        name: (*name).into(),
        property: (!name.contains('*')).then_some(PropertyId(0)),
        unit: None,
        scale: 1.0,
        text: false,
        statistic: *statistic,
        period_ms: (*minutes > 0).then_some(minutes * 60_000),
        detection_limit: None,
        mark: "".into(),
        marks: None,
    };
    Profile { name: "p".into(), channels: CHANNELS.iter().map(channel).collect() }
});

static RULE: LazyLock<TopicRule> = LazyLock::new(|| TopicRule {
    id: TopicId(0),
    network: NetworkId(0),
    pattern: "h/{place}".into(),
    levels: vec![Level::Literal("h".into()), Level::Place],
    formats: vec![Format::Hj212],
    time_unit: TimeUnit::Local,
    pointers: Pointers { device: "MN".into(), ..Pointers::default() },
    options: Options { ack: Some("d/{device}".into()), ..Options::default() },
    marks: None,
});

static PLANS: LazyLock<Vec<Plan>> = LazyLock::new(|| decode::plans(&RULE, &PROFILE));

static MARKS: LazyLock<Marks> = LazyLock::new(|| {
    let mut marks: Table<Mark> = Table::default();
    let texts = ["?", "N", "2062", "2062-StandardValue", "2065"];
    for (index, text) in texts.iter().enumerate() {
        let usage = if index > 1 { MarkUse::QualityControl } else { MarkUse::Observation };
        let (vocabulary, text, cause) = ("v".into(), (*text).into(), "".into());
        let (quality, censoring) = (Flag::Pass, None);
        let id = MarkId(index as u32);
        marks.put(index, Mark { id, vocabulary, text, quality, censoring, cause, usage });
    }
    let ids = texts.iter().enumerate().map(|(id, text)| ((*text).into(), MarkId(id as u32)));
    let vocabulary = Vocabulary { name: "v".into(), other: MarkId(0), ids: ids.collect() };
    Marks { vocabularies: vec![vocabulary], marks }
});

/// Puts data between zero bytes into frames.
fn framed(bytes: &[u8]) -> Vec<u8> {
    let parts = bytes.split(|byte| *byte == 0).filter(|data| data.len() < 10_000);
    parts.flat_map(hj212::frame).collect()
}

fn device(how: u8) -> Device {
    let edition = Hj212Edition::WORDS[usize::from(how & 3)].1;
    let crc = if how & 4 == 0 { Hj212Crc::Standard } else { Hj212Crc::ModbusSwapped };
    let time = if how & 8 == 0 { Hj212Time::Start } else { Hj212Time::Instant };
    Device {
        id: DeviceId(0),
        network: NetworkId(0),
        name: "A1".into(),
        assignments: Vec::new(),
        clock: ClockTrust::Device,
        zone: TimeZone::UTC,
        hj212: Hj212 { edition, crc, time, marks: Some(VocabularyIndex(0)) },
    }
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys::read("A1 0000000000000000").unwrap());

pub(crate) fn body(bytes: &[u8]) {
    let mut feed = Feed(bytes);
    let how = feed.byte();
    let payload = if how & 16 == 0 { feed.0.to_vec() } else { framed(feed.0) };
    let device = device(how);
    let context = Context {
        profile: &PROFILE,
        rule: &RULE,
        zone: &TimeZone::UTC,
        units: &Units::default(),
        marks: &MARKS,
        device: Some(&device),
        channel: None,
        topic: "",
        device_name: "",
        kind: None,
        received: Timestamp(0),
        retained: false,
    };
    if let Some(opened) = KEYS.open(&payload) {
        assert!(opened.len() <= payload.len(), "a key makes nothing longer");
    }
    let mut decoded = Decoded::default();
    let read = decode::decode(&PLANS, context, &payload, &mut Arc::default(), &mut decoded);
    match &read {
        Err(reason) => {
            assert!(decoded.readings.is_empty() && decoded.rejects.is_empty(), "half a message");
            says_something(&reason.to_string());
        }
        // Some frame was in order, and so names its device.
        Ok(()) => assert!(decode::device_name(&RULE, &payload).is_ok()),
    }
    assert!(decoded.readings.len() + decoded.rejects.len() <= payload.len());
    assert!(decoded.replies.len() <= 1_024 && read.is_ok() | decoded.replies.is_empty());
    for Reply { topic, payload, .. } in &decoded.replies {
        assert!(&**topic == "d/" && payload.starts_with(b"##") && payload.len() < 300);
    }
    for reading in &decoded.readings {
        let channel = &PROFILE.channels[usize::from(reading.channel)];
        assert!(channel.property.is_some(), "{reading:?}");
        assert!(reading.result.number().is_none_or(f64::is_finite), "{reading:?}");
        assert!(channel.period_ms.is_none() || reading.device_time.is_some(), "{reading:?}");
    }
    for refused in &decoded.rejects {
        says_something(&refused.reason.to_string());
        assert!(refused.channel.len() <= 300, "{refused:?}");
    }
    let (readings, rejects) = (decoded.readings.clone(), decoded.rejects.clone());
    let again = decode::decode(&PLANS, context, &payload, &mut Arc::default(), &mut decoded);
    assert_eq!((again, &decoded.readings, &decoded.rejects), (read, &readings, &rejects));
}
