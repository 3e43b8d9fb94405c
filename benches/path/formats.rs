//! What reading a payload costs in each format, held against what serde_json takes to read the same
//! number of values into its `Value`: a program that asks nothing of them.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use serde_json::Value;
use weir::decode::{self, Announced, Context, Decoded};
use weir::domain::name::{NetworkId, PropertyId, TopicId};
use weir::domain::registry::{
    Channel, Format, Level, Options, Pointers, Profile, Statistic, TimeUnit, TopicRule,
};
use weir::domain::time::Timestamp;
use weir::domain::unit::{Unit, Units};

use crate::Bench;
use crate::table::Aim;

/// How many values a payload has.
const VALUES: usize = 12;
/// How many payloads one look takes, and how many looks there are; the shortest counts.
const PAYLOADS: u32 = 1_000;
const LOOKS: usize = 60;
/// 2026-05-01T00:00:00Z.
const AT: i64 = 1_777_593_600_000;

pub fn formats(bench: &mut Bench) {
    let value = |number: usize| 7.0 + number as f64 / 100.0;
    let wide: Vec<String> = (0..VALUES).map(|n| format!("\"c{n}\":{}", value(n))).collect();
    let wide = format!("{{\"ts\":{AT},{}}}", wide.join(","));
    let cost = shortest(|| {
        black_box(serde_json::from_slice::<Value>(black_box(wide.as_bytes())).unwrap());
    });
    let mut add = |name: &str, shape: Shape, payload: &[u8], aim: Aim| {
        let ratio = shape.cost(payload).as_secs_f64() / cost.as_secs_f64();
        let figure = format!("format: {name}, {VALUES} values");
        let note = "times serde_json reading as many into `Value`".to_owned();
        bench.table.add(&figure, ratio, "", aim, note);
    };
    let pointers = Pointers { time: "/ts".into(), ..Pointers::default() };
    add("json", Shape::new(Format::Json, "/c", pointers), wide.as_bytes(), Aim::AtMost(1.2));
    let records = (0..VALUES).map(|n| format!("{{\"n\":\"c{n}\",\"v\":{}}}", value(n)));
    let records: Vec<String> = records.collect();
    let pack = format!("[{{\"bt\":{},\"bu\":\"mg/L\"}},{}]", AT / 1_000, records.join(","));
    let senml = Shape::new(Format::Senml, "c", Pointers::default());
    add("senml", senml, pack.as_bytes(), Aim::None);
    let mut sparkplug = Shape::new(Format::SparkplugB, "c", Pointers::default());
    sparkplug.hear("spBv1.0/g/DBIRTH/n/d", &metrics(|n| format!("c{n}"), value));
    sparkplug.topic = "spBv1.0/g/DDATA/n/d";
    add("sparkplug_b, by alias", sparkplug, &metrics(|_| String::new(), value), Aim::None);
}

/// Writes metrics of 64 bits with their names, where they have one, and aliases.
fn metrics(name: impl Fn(usize) -> String, value: impl Fn(usize) -> f64) -> Vec<u8> {
    let mut payload = vec![0x08];
    let mut at = AT.cast_unsigned();
    while at >= 0x80 {
        payload.push(at as u8 | 0x80);
        at >>= 7;
    }
    payload.push(at as u8);
    for number in 0..VALUES {
        let name = name(number);
        let mut metric = Vec::new();
        if !name.is_empty() {
            metric.extend([0x0A, name.len() as u8]);
            metric.extend(name.as_bytes());
            metric.extend([0x20, 10]);
        }
        metric.extend([0x10, number as u8 + 1, 0x69]);
        metric.extend(value(number).to_le_bytes());
        payload.extend([0x12, metric.len() as u8]);
        payload.extend(metric);
    }
    payload
}

/// A topic, a device, and what it announced.
struct Shape {
    rule: TopicRule,
    profile: Profile,
    units: Units,
    topic: &'static str,
    announced: Arc<Announced>,
}

impl Shape {
    fn new(format: Format, begin: &str, pointers: Pointers) -> Self {
        let channel = |number| Channel {
            name: format!("{begin}{number}").into(),
            property: Some(PropertyId(0)),
            unit: None,
            scale: 1.0,
            text: false,
            statistic: Statistic::Instant,
            period_ms: None,
        };
        let mut units = Units::default();
        let (name, dimension) = ("mg/L".into(), "mass_concentration".into());
        units.add(Unit { name, dimension, multiply: 1.0, divide: 1.0, add: 0.0 }, &[]).unwrap();
        Self {
            rule: TopicRule {
                id: TopicId(0),
                network: NetworkId(0),
                pattern: "water/{device}".into(),
                levels: vec![Level::Literal("water".into()), Level::Device],
                formats: vec![format],
                time_unit: TimeUnit::Milliseconds,
                pointers,
                options: Options::default(),
            },
            profile: Profile { name: "p".into(), channels: (0..VALUES).map(channel).collect() },
            units,
            topic: "",
            announced: Arc::default(),
        }
    }

    fn context(&self) -> Context<'_> {
        static ZONE: TimeZone = TimeZone::UTC;
        Context {
            profile: &self.profile,
            rule: &self.rule,
            zone: &ZONE,
            units: &self.units,
            channel: None,
            topic: self.topic,
            device: "d",
            kind: None,
            received: Timestamp(AT),
            retained: false,
        }
    }

    fn hear(&mut self, topic: &'static str, payload: &[u8]) {
        self.topic = topic;
        let mut announced = Arc::clone(&self.announced);
        let mut decoded = Decoded::default();
        let plans = decode::plans(&self.rule, &self.profile);
        decode::decode(&plans, self.context(), payload, &mut announced, &mut decoded).unwrap();
        self.announced = announced;
    }

    fn cost(&self, payload: &[u8]) -> Duration {
        let plans = decode::plans(&self.rule, &self.profile);
        let (mut announced, mut decoded) = (Arc::clone(&self.announced), Decoded::default());
        let cost = shortest(|| {
            let context = self.context();
            let payload = black_box(payload);
            decode::decode(&plans, context, payload, &mut announced, &mut decoded).unwrap();
            black_box(&decoded);
        });
        assert_eq!((decoded.readings.len(), decoded.rejects.len()), (VALUES, 0));
        cost
    }
}

/// Gives what one call costs, of the shortest of several looks.
fn shortest(mut call: impl FnMut()) -> Duration {
    let looks = (0..LOOKS).map(|_| {
        let start = Instant::now();
        (0..PAYLOADS).for_each(|_| call());
        start.elapsed()
    });
    looks.min().unwrap_or_default() / PAYLOADS
}
