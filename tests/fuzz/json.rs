//! Mapped JSON: every shape that seeds can state, over any payload.

use std::sync::{Arc, LazyLock};

use jiff::tz::TimeZone;
use weir::decode::{self, Context, Decoded, Plan, packed};
use weir::domain::name::{MarkId, NetworkId, PropertyId, TopicId};
use weir::domain::registry::{
    Channel, Format, Level, Marks, Options, Pointers, Profile, Statistic, TimeUnit, TopicRule,
    Vocabulary, VocabularyIndex,
};
use weir::domain::time::Timestamp;
use weir::domain::unit::{Unit, Units};

use super::{Feed, says_something};

struct Shape {
    rule: TopicRule,
    profile: Profile,
    plans: Vec<Plan>,
    channel: Option<&'static str>,
}

const TIMES: [TimeUnit; 6] = [
    TimeUnit::Milliseconds,
    TimeUnit::Seconds,
    TimeUnit::Microseconds,
    TimeUnit::Nanoseconds,
    TimeUnit::Rfc3339,
    TimeUnit::Local,
];

/// Wide, wide and deep in an array of records, long, and one value a topic; in every time. And long
/// with a name of parts and several values.
static SHAPES: LazyLock<Vec<Shape>> = LazyLock::new(|| {
    let wide = Pointers {
        time: "/ts".into(),
        device: "/id".into(),
        mark: "/m".into(),
        ..Pointers::default()
    };
    let records = Pointers { each: Some("/data/list".into()), ..wide.clone() };
    let long = Pointers {
        time: "/t".into(),
        each: Some("".into()),
        channel: "/n".into(),
        value: "/v".into(),
        unit: "/u".into(),
        mark: "/m".into(),
        ..Pointers::default()
    };
    let of_topic = Pointers::default();
    let paths = ["/ph", "/a/do_text", "/a/0", "/a/ignored", "/x~1y~0"];
    let names = ["ph", "do_text", "ignored"];
    let mut shapes = Vec::new();
    for time_unit in TIMES {
        shapes.push(shape(wide.clone(), &paths, None, time_unit));
        shapes.push(shape(records.clone(), &paths, None, time_unit));
        shapes.push(shape(long.clone(), &names, None, time_unit));
        shapes.push(shape(of_topic.clone(), &names, Some("ph"), time_unit));
    }
    let several = Pointers { channel: "/n /p".into(), value: "/v /w".into(), ..long };
    let names = ["ph/1/v", "ph/1/w", "do_text/1/v", "do*"];
    shapes.push(shape(several, &names, None, TimeUnit::Milliseconds));
    shapes
});

fn shape(
    pointers: Pointers,
    names: &[&str],
    channel: Option<&'static str>,
    time_unit: TimeUnit,
) -> Shape {
    let of_name = |name: &&str| Channel {
        name: (*name).into(),
        property: (!name.contains("ignored") && !name.ends_with('*')).then_some(PropertyId(0)),
        unit: None,
        scale: 1.0,
        text: name.contains("text"),
        statistic: Statistic::Instant,
        period_ms: None,
        detection_limit: None,
        mark: if *name == "/ph" { "/a/mark".into() } else { "".into() },
        marks: None,
    };
    let profile = Profile { name: "p".into(), channels: names.iter().map(of_name).collect() };
    let mut levels = vec![Level::Literal("water".into()), Level::Device];
    levels.extend(channel.map(|_| Level::Channel));
    let rule = TopicRule {
        id: TopicId(0),
        network: NetworkId(0),
        pattern: "water/{device}".into(),
        levels,
        formats: vec![Format::Json],
        time_unit,
        pointers,
        options: Options::default(),
        marks: Some(VocabularyIndex(0)),
    };
    Shape { plans: decode::plans(&rule, &profile), rule, profile, channel }
}

pub(crate) fn body(bytes: &[u8]) {
    static UNITS: LazyLock<Units> = LazyLock::new(|| {
        let mut units = Units::default();
        let (name, dimension) = ("mg/L".into(), "mass_concentration".into());
        units.add(Unit { name, dimension, multiply: 1.0, divide: 1.0, add: 0.0 }, &[]).unwrap();
        units
    });
    static MARKS: LazyLock<Marks> = LazyLock::new(|| Marks {
        vocabularies: vec![Vocabulary {
            name: "v".into(),
            other: MarkId(0),
            ids: [("M".into(), MarkId(1))].into(),
        }],
        ..Marks::default()
    });
    let mut feed = Feed(bytes);
    let shape = &SHAPES[usize::from(feed.byte()) % SHAPES.len()];
    let payload = feed.0;
    let context = Context {
        profile: &shape.profile,
        rule: &shape.rule,
        zone: &TimeZone::UTC,
        units: &UNITS,
        marks: &MARKS,
        device: None,
        channel: shape.channel,
        topic: "",
        device_name: "",
        kind: None,
        received: Timestamp(0),
        retained: false,
    };
    let mut decoded = Decoded::default();
    let unpacked = &*packed::unpack(payload).unwrap_or_default();
    let read = decode::decode(&shape.plans, context, payload, &mut Arc::default(), &mut decoded);
    if let Err(reason) = &read {
        assert!(decoded.readings.is_empty() && decoded.rejects.is_empty(), "half a message");
        says_something(&reason.to_string());
    } else {
        let json = serde_json::from_slice::<serde::de::IgnoredAny>(unpacked);
        assert!(json.is_ok(), "read as JSON: {json:?}");
    }
    // Every reading and every reject has at least a byte of the payload behind it.
    assert!(decoded.readings.len() + decoded.rejects.len() <= unpacked.len());
    for reading in &decoded.readings {
        let channel = shape.profile.channels.get(usize::from(reading.channel));
        assert!(channel.is_some_and(|channel| channel.property.is_some()), "{reading:?}");
        assert!(reading.result.number().is_none_or(f64::is_finite), "{reading:?}");
        assert!((reading.record as usize) < unpacked.len(), "{reading:?}");
    }
    for refused in &decoded.rejects {
        says_something(&refused.reason.to_string());
        assert!(refused.channel.len() <= 300, "{refused:?}");
    }
    // The buffers are used again, and nothing of the last message may stay in them.
    let (readings, rejects) = (decoded.readings.clone(), decoded.rejects.clone());
    let again = decode::decode(&shape.plans, context, payload, &mut Arc::default(), &mut decoded);
    assert_eq!((again, &decoded.readings, &decoded.rejects), (read, &readings, &rejects));
    match decode::device_name(&shape.rule, payload) {
        Ok(name) => assert!(name.len() <= unpacked.len() + 24, "{name}"),
        Err(reason) => says_something(&reason.to_string()),
    }
}
