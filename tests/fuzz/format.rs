//! The formats other than mapped JSON: what each may say of any payload, in the shapes that seeds
//! can state.

use std::sync::{Arc, LazyLock};

use jiff::tz::TimeZone;
use weir::decode::{self, Announced, Context, Decoded, Plan, packed};
use weir::domain::name::{NetworkId, PropertyId, TopicId};
use weir::domain::registry::{
    Channel, Format, Level, Marks, Options, Pointers, Profile, Statistic, TimeUnit, TopicRule,
};
use weir::domain::time::Timestamp;
use weir::domain::unit::{Unit, Units};

use super::{Feed, says_something};

struct Shape {
    rule: TopicRule,
    profile: Profile,
    plans: Vec<Plan>,
    kind: Option<&'static str>,
    topic: &'static str,
    /// What had been announced before.
    announced: Arc<Announced>,
}

impl Shape {
    fn context(&self) -> Context<'_> {
        static ZONE: TimeZone = TimeZone::UTC;
        static MARKS: LazyLock<Marks> = LazyLock::new(Marks::default);
        static UNITS: LazyLock<Units> = LazyLock::new(|| {
            let mut units = Units::default();
            let (name, dimension) = ("mg/L".into(), "mass_concentration".into());
            units.add(Unit { name, dimension, multiply: 1.0, divide: 1.0, add: 0.0 }, &[]).unwrap();
            units
        });
        Context {
            profile: &self.profile,
            rule: &self.rule,
            zone: &ZONE,
            units: &UNITS,
            marks: &MARKS,
            device: None,
            channel: Some("ph"),
            topic: self.topic,
            device_name: "d",
            kind: self.kind,
            received: Timestamp(1_777_593_600_000),
            retained: false,
        }
    }
}

/// Channels of every format, one that comes as text, and some that are not wanted.
const CHANNELS: &[&str] =
    &["ph", "do", "text", "1", "2", "L1/ph", "@online", "@rssi", "@battery", "ignored", "no*"];
const TIMES: [TimeUnit; 4] =
    [TimeUnit::Seconds, TimeUnit::Milliseconds, TimeUnit::Nanoseconds, TimeUnit::Local];

fn shape(format: Format, pointers: Pointers, time_unit: TimeUnit) -> Shape {
    let of_name = |name: &&str| Channel {
        name: (*name).into(),
        property: (!name.contains("ignored") && !name.contains('*')).then_some(PropertyId(0)),
        unit: None,
        scale: 1.0,
        text: name.contains("text"),
        statistic: Statistic::Instant,
        period_ms: None,
        detection_limit: None,
        mark: "".into(),
        marks: None,
    };
    let profile = Profile { name: "p".into(), channels: CHANNELS.iter().map(of_name).collect() };
    let rule = TopicRule {
        id: TopicId(0),
        network: NetworkId(0),
        pattern: "water/{device}".into(),
        levels: vec![Level::Literal("water".into()), Level::Device],
        formats: vec![format],
        time_unit,
        pointers,
        options: Options::default(),
        marks: None,
    };
    Shape {
        plans: decode::plans(&rule, &profile),
        rule,
        profile,
        kind: None,
        topic: "",
        announced: Arc::default(),
    }
}

fn cells(device: &str, time: &str, channel: &str, value: &str) -> Pointers {
    Pointers {
        device: device.into(),
        time: time.into(),
        channel: channel.into(),
        value: value.into(),
        unit: if value.is_empty() { "".into() } else { "u".into() },
        each: None,
        mark: "".into(),
    }
}

/// Holds a payload against the shape that the first byte chooses.
fn hold(shapes: &[Shape], bytes: &[u8]) {
    let mut feed = Feed(bytes);
    let shape = &shapes[usize::from(feed.byte()) % shapes.len()];
    let payload = feed.0;
    let context = shape.context();
    let mut decoded = Decoded::default();
    let read =
        decode::decode(&shape.plans, context, payload, &mut shape.announced.clone(), &mut decoded);
    if let Err(reason) = &read {
        assert!(decoded.readings.is_empty() && decoded.rejects.is_empty(), "half a message");
        says_something(&reason.to_string());
    }
    // Every reading and every reject has at least a byte of the unpacked payload behind it.
    let bytes = packed::unpack(payload).map_or(0, |payload| payload.len()).max(payload.len());
    assert!(decoded.readings.len() + decoded.rejects.len() <= bytes + 1, "more than was sent");
    for reading in &decoded.readings {
        let channel = shape.profile.channels.get(usize::from(reading.channel));
        assert!(channel.is_some_and(|channel| channel.property.is_some()), "{reading:?}");
        assert!(reading.result.number().is_none_or(f64::is_finite), "{reading:?}");
        assert!((reading.record as usize) <= bytes, "{reading:?}");
    }
    for refused in &decoded.rejects {
        says_something(&refused.reason.to_string());
        assert!(refused.channel.len() <= 300, "{refused:?}");
    }
    // The buffers are used again, and nothing of the last message may stay in them.
    let (readings, rejects) = (decoded.readings.clone(), decoded.rejects.clone());
    let again =
        decode::decode(&shape.plans, context, payload, &mut shape.announced.clone(), &mut decoded);
    assert_eq!((again, &decoded.readings, &decoded.rejects), (read, &readings, &rejects));
    match decode::device_name(&shape.rule, payload) {
        Ok(name) => assert!(name.len() <= bytes + 24, "{name}"),
        Err(reason) => says_something(&reason.to_string()),
    }
}

pub(crate) fn packed(bytes: &[u8]) {
    match packed::unpack(bytes) {
        Ok(unpacked) => assert!(unpacked.len() <= (4 << 20).min(bytes.len() * 200)),
        Err(reason) => says_something(&reason.to_string()),
    }
}

pub(crate) fn plain(bytes: &[u8]) {
    static SHAPES: LazyLock<Vec<Shape>> =
        LazyLock::new(|| vec![shape(Format::Plain, Pointers::default(), TimeUnit::Milliseconds)]);
    hold(&SHAPES, bytes);
}

pub(crate) fn csv(bytes: &[u8]) {
    static SHAPES: LazyLock<Vec<Shape>> = LazyLock::new(|| {
        let mut shapes = Vec::new();
        for time_unit in TIMES {
            shapes.push(shape(Format::Csv, cells("id", "t", "", ""), time_unit));
            shapes.push(shape(Format::Csv, cells("", "t", "n", "v"), time_unit));
            let mut bare = shape(Format::Csv, cells("", "3", "", ""), time_unit);
            bare.rule.options = Options { separator: b';', header: false, ..Options::default() };
            bare.plans = decode::plans(&bare.rule, &bare.profile);
            shapes.push(bare);
        }
        shapes
    });
    hold(&SHAPES, bytes);
}

pub(crate) fn line_protocol(bytes: &[u8]) {
    static SHAPES: LazyLock<Vec<Shape>> = LazyLock::new(|| tagged(Format::LineProtocol));
    hold(&SHAPES, bytes);
}

pub(crate) fn telegraf(bytes: &[u8]) {
    static SHAPES: LazyLock<Vec<Shape>> = LazyLock::new(|| tagged(Format::Telegraf));
    hold(&SHAPES, bytes);
}

pub(crate) fn senml(bytes: &[u8]) {
    static SHAPES: LazyLock<Vec<Shape>> = LazyLock::new(|| {
        let of = |device| shape(Format::Senml, cells(device, "", "", ""), TimeUnit::Seconds);
        vec![of(""), of("bn")]
    });
    hold(&SHAPES, bytes);
}

/// Each kind of message, of a node and of a device that was born.
pub(crate) fn sparkplug_b(bytes: &[u8]) {
    static SHAPES: LazyLock<Vec<Shape>> = LazyLock::new(|| {
        let topics = [
            "spBv1.0/g/NBIRTH/n",
            "spBv1.0/g/NDATA/n",
            "spBv1.0/g/NDEATH/n",
            "spBv1.0/g/DBIRTH/n/d",
            "spBv1.0/g/DDATA/n/d",
            "spBv1.0/g/DDEATH/n/d",
            "spBv1.0/g/NCMD/n",
            "spBv1.0/g/OTHER/n",
        ];
        // Two metrics, `ph` of alias 1 and 64 bits, `do` of alias 2 and a whole number.
        let birth = b"\x12\x08\x0a\x02ph\x10\x01\x20\x0a\x12\x08\x0a\x02do\x10\x02\x20\x03";
        let mut announced = Arc::default();
        for topic in ["spBv1.0/g/NBIRTH/n", "spBv1.0/g/DBIRTH/n/d"] {
            let born = Shape { topic, ..bare(Format::SparkplugB) };
            let mut decoded = Decoded::default();
            let read =
                decode::decode(&born.plans, born.context(), birth, &mut announced, &mut decoded);
            assert!(read.is_ok() && !announced.nodes.is_empty());
        }
        let of =
            |topic| Shape { topic, announced: Arc::clone(&announced), ..bare(Format::SparkplugB) };
        topics.map(of).into()
    });
    hold(&SHAPES, bytes);
}

/// Records without a time and with one, of fields of every kind.
pub(crate) fn binary(bytes: &[u8]) {
    static SHAPES: LazyLock<Vec<Shape>> = LazyLock::new(|| {
        let of = |fields: &[&str], (record, before), time: &str| {
            let mut shape = shape(Format::Binary, cells("", time, "", ""), TimeUnit::Seconds);
            shape.profile.channels.truncate(fields.len());
            for (channel, field) in shape.profile.channels.iter_mut().zip(fields) {
                channel.name = (*field).into();
            }
            shape.rule.options = Options { record, before, ..Options::default() };
            shape.plans = decode::plans(&shape.rule, &shape.profile);
            shape
        };
        let fields = ["f32be@0", "f64le@0", "u8@1.7", "i24be@2", "u64be-swapped@0", "i16le@6"];
        vec![
            of(&fields, (8, 0), ""),
            of(&fields, (8, 3), "u32be@4"),
            of(&["u8@0"], (1, 0), "u8@0"),
            of(&["f32be-swapped@1", "u16be@2"], (5, 2), "f32le@0"),
            of(&["u16be@1"], (2, 0), ""),
            of(&["ph"], (2, 0), ""),
        ]
    });
    hold(&SHAPES, bytes);
}

pub(crate) fn chirpstack(bytes: &[u8]) {
    static SHAPES: LazyLock<Vec<Shape>> = LazyLock::new(|| {
        kinds(Format::Chirpstack, "", &[None, Some("up"), Some("status"), Some("join")])
    });
    hold(&SHAPES, bytes);
}

pub(crate) fn things_stack(bytes: &[u8]) {
    static SHAPES: LazyLock<Vec<Shape>> =
        LazyLock::new(|| kinds(Format::ThingsStack, "", &[None, Some("up"), Some("join")]));
    hold(&SHAPES, bytes);
}

pub(crate) fn tasmota(bytes: &[u8]) {
    static SHAPES: LazyLock<Vec<Shape>> = LazyLock::new(|| {
        let words = [Some("SENSOR"), Some("STATE"), Some("LWT"), Some("STATUS10"), Some("RESULT")];
        kinds(Format::Tasmota, "", &words)
    });
    hold(&SHAPES, bytes);
}

pub(crate) fn zigbee2mqtt(bytes: &[u8]) {
    static SHAPES: LazyLock<Vec<Shape>> =
        LazyLock::new(|| kinds(Format::Zigbee2mqtt, "", &[None, Some("availability")]));
    hold(&SHAPES, bytes);
}

/// A description, a state, and values of a device that was described.
pub(crate) fn homie(bytes: &[u8]) {
    static SHAPES: LazyLock<Vec<Shape>> = LazyLock::new(|| {
        let properties = r#"{"ph":{"datatype":"float","unit":"mg/L"},"do":{"datatype":"boolean"},
            "x":{"datatype":"enum","format":"a,b"}}"#;
        let description =
            format!(r#"{{"homie":"5.0","nodes":{{"L1":{{"properties":{properties}}}}}}}"#);
        let bytes = description.as_bytes();
        let of = |topic| Shape { topic, ..bare(Format::Homie) };
        let (mut announced, mut decoded) = (Arc::default(), Decoded::default());
        let own = of("a/d/$description");
        decode::decode(&own.plans, own.context(), bytes, &mut announced, &mut decoded).unwrap();
        let topics =
            ["a/d/$description", "a/d/$state", "a/d/L1/ph", "a/d/L1/do", "a/d/L1/x", "a/d/x"];
        topics.map(|topic| Shape { announced: Arc::clone(&announced), ..of(topic) }).into()
    });
    hold(&SHAPES, bytes);
}

/// The device is the second level of the shapes.
pub(crate) fn shelly(bytes: &[u8]) {
    static SHAPES: LazyLock<Vec<Shape>> = LazyLock::new(|| {
        let topics = ["a/d/events/rpc", "a/d/status/L1", "a/d/L1/ph", "a/d/online", "a/d/info"];
        topics.iter().flat_map(|topic| kinds(Format::Shelly, topic, &[None])).collect()
    });
    hold(&SHAPES, bytes);
}

fn kinds(format: Format, topic: &'static str, kinds: &[Option<&'static str>]) -> Vec<Shape> {
    kinds.iter().map(|kind| Shape { kind: *kind, topic, ..bare(format) }).collect()
}

fn bare(format: Format) -> Shape {
    shape(format, Pointers::default(), TimeUnit::Milliseconds)
}

fn tagged(format: Format) -> Vec<Shape> {
    let of =
        |(device, channel): (&str, &str), unit| shape(format, cells(device, "", channel, ""), unit);
    let (bare, full) = (("", ""), ("id", "phase"));
    vec![
        of(bare, TimeUnit::Nanoseconds),
        of(full, TimeUnit::Seconds),
        of(("", "_measurement"), TimeUnit::Milliseconds),
    ]
}
