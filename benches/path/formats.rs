//! What reading a payload costs in each format, held against what `serde_json` takes in the same run
//! to read the same number of values into its `Value`: a program that asks nothing of them.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use serde_json::Value;
use weir::decode::{self, Announced, Context, Decoded};
use weir::domain::name::{DeviceId, MarkId, NetworkId, PropertyId, TopicId};
use weir::domain::registry::{
    Channel, ClockTrust, Device, Format, Hj212, Level, Marks, Options, Pointers, Profile,
    Statistic, TimeUnit, TopicRule, Vocabulary, VocabularyIndex,
};
use weir::domain::time::Timestamp;
use weir::domain::unit::{Unit, Units};
use weir::simulate::encode::hj212;
use weir::simulate::encode::sparkplug_b::Proto;

use crate::Bench;
use crate::table::Aim;

/// How many payloads one look takes, and how many looks there are; the shortest counts, since
/// whatever else the machine does only adds.
const PAYLOADS: u32 = 1_000;
const LOOKS: usize = 60;
/// 2026-05-01T00:00:00Z.
const AT: i64 = 1_777_593_600_000;
/// The values of a payload: as many as a station of surface water sends.
const FACTORS: [&str; 12] = [
    "w01001", "w01003", "w01009", "w01010", "w01014", "w01016", "w01018", "w01019", "w19011",
    "w21001", "w21003", "w21011",
];
const VALUES: usize = FACTORS.len();

pub fn formats(bench: &mut Bench) {
    let wide: Vec<String> = (0..VALUES).map(|n| format!("\"c{n}\":{}", value(n))).collect();
    let wide = format!("{{\"ts\":{AT},{}}}", wide.join(","));
    let cost = shortest(|| {
        black_box(serde_json::from_slice::<Value>(black_box(wide.as_bytes())).unwrap());
    });
    let mut add = |name: &str, shape: Shape, payload: &[u8], aim: Aim| {
        let ratio = shape.cost(payload, VALUES).as_secs_f64() / cost.as_secs_f64();
        let figure = format!("format: {name}, {VALUES} values");
        let note = "times serde_json reading as many into `Value`".to_owned();
        bench.table.add(&figure, ratio, "", aim, note);
    };
    let named = |begin: &str| -> Vec<String> {
        (0..VALUES).map(|number| format!("{begin}{number}")).collect()
    };
    let pointers = Pointers { time: "/ts".into(), ..Pointers::default() };
    let json = Shape::new(Format::Json, &named("/c"), pointers);
    add("json", json, wide.as_bytes(), Aim::AtMost(1.2));
    let (gateway, list) = several();
    add("json, records of several values", gateway, list.as_bytes(), Aim::None);
    let pointers = Pointers { device: "MN".into(), ..Pointers::default() };
    let hj212 = Shape::new(Format::Hj212, &FACTORS.map(|name| format!("{name}-Rtd")), pointers);
    add("hj212, each with a mark", hj212, &frame(), Aim::AtMost(1.2));
    let records = (0..VALUES).map(|n| format!("{{\"n\":\"c{n}\",\"v\":{}}}", value(n)));
    let records: Vec<String> = records.collect();
    let pack = format!("[{{\"bt\":{},\"bu\":\"mg/L\"}},{}]", AT / 1_000, records.join(","));
    let senml = Shape::new(Format::Senml, &named("c"), Pointers::default());
    add("senml", senml, pack.as_bytes(), Aim::None);
    let mut sparkplug = Shape::new(Format::SparkplugB, &named("c"), Pointers::default());
    sparkplug.hear("spBv1.0/g/DBIRTH/n/d", &metrics(|n| format!("c{n}")));
    sparkplug.topic = "spBv1.0/g/DDATA/n/d";
    add("sparkplug_b, by alias", sparkplug, &metrics(|_| String::new()), Aim::None);
    let (binary, record) = record();
    add("binary", binary, &record, Aim::None);
    for (name, shape, payload) in platforms() {
        add(name, shape, payload.as_bytes(), Aim::None);
    }
    let mut homie = Shape::new(Format::Homie, &["n/p".to_owned()], Pointers::default());
    let property = r#"{"datatype":"float","unit":"mg/L"}"#;
    let description = format!(r#"{{"nodes":{{"n":{{"properties":{{"p":{property}}}}}}}}}"#);
    homie.hear("homie/d/$description", description.as_bytes());
    homie.topic = "homie/d/n/p";
    let one = shortest(|| {
        black_box(serde_json::from_slice::<Value>(black_box(b"7.62")).unwrap());
    });
    let ratio = homie.cost(b"7.62", 1).as_secs_f64() / one.as_secs_f64();
    let note = "times serde_json reading as many into `Value`".to_owned();
    bench.table.add("format: homie, 1 value", ratio, "", Aim::None, note);
}

/// Writes a message of each platform and gateway that has an object of values, or a line of them.
fn platforms() -> Vec<(&'static str, Shape, String)> {
    let pairs = |between: &str, of: &dyn Fn(usize) -> String| -> String {
        (0..VALUES).map(of).collect::<Vec<_>>().join(between)
    };
    let object = format!("{{{}}}", pairs(",", &|n| format!("\"c{n}\":{}", value(n))));
    let fields = pairs(",", &|n| format!("c{n}={}", value(n)));
    let columns = (pairs(",", &|n| format!("c{n}")), pairs(",", &|n| value(n).to_string()));
    let names = |begin: &str| -> Vec<String> {
        (0..VALUES).map(|number| format!("{begin}c{number}")).collect()
    };
    let of = |format, begin: &str| Shape::new(format, &names(begin), Pointers::default());
    let mut csv = of(Format::Csv, "");
    csv.rule.pointers.time = "ts".into();
    let mut tasmota = of(Format::Tasmota, "AM/");
    tasmota.kind = Some("SENSOR");
    let mut shelly = of(Format::Shelly, "em:0/");
    shelly.topic = "d/events/rpc";
    shelly.rule.levels = "{device}/events/rpc".split('/').map(Level::read).collect();
    let time = "\"2026-05-01T00:00:00Z\"";
    vec![
        ("csv", csv, format!("ts,{}\n{AT},{}\n", columns.0, columns.1)),
        ("line_protocol", of(Format::LineProtocol, ""), format!("water {fields} {AT}")),
        ("telegraf", of(Format::Telegraf, ""), {
            format!("{{\"fields\":{object},\"name\":\"w\",\"tags\":{{}},\"timestamp\":{AT}}}")
        }),
        ("chirpstack", of(Format::Chirpstack, ""), {
            format!("{{\"deduplicationId\":\"3ac7\",\"time\":{time},\"object\":{object}}}")
        }),
        ("things_stack", of(Format::ThingsStack, ""), {
            let uplink = format!("{{\"f_cnt\":5,\"decoded_payload\":{object}}}");
            format!("{{\"received_at\":{time},\"uplink_message\":{uplink}}}")
        }),
        ("tasmota", tasmota, format!("{{\"Time\":\"2026-05-01T08:00:00\",\"AM\":{object}}}")),
        ("shelly", shelly, {
            let params = format!("{{\"ts\":{},\"em:0\":{object}}}", AT / 1_000);
            format!("{{\"method\":\"NotifyStatus\",\"params\":{params}}}")
        }),
        ("zigbee2mqtt", of(Format::Zigbee2mqtt, ""), object),
    ]
}

/// Writes three values a record, as a gateway sends them, and what the seeds say of it.
fn several() -> (Shape, String) {
    let parts = ["u", "i", "p"];
    let of_record = |at: usize| {
        let values = (0..).zip(parts).map(|(n, part)| format!("\"{part}\":{}", value(at * 3 + n)));
        format!("{{\"id\":\"m{at}\",{}}}", values.collect::<Vec<_>>().join(","))
    };
    let records: Vec<String> = (0..VALUES / 3).map(of_record).collect();
    let name = |n: usize| format!("m{}/{}", n / 3, parts[n % 3]);
    let names: Vec<String> = (0..VALUES).map(name).collect();
    let pointers = Pointers {
        time: "/ts".into(),
        each: Some("/list".into()),
        channel: "/id".into(),
        value: "/u /i /p".into(),
        ..Pointers::default()
    };
    let payload = format!("{{\"ts\":{AT},\"list\":[{}]}}", records.join(","));
    (Shape::new(Format::Json, &names, pointers), payload)
}

/// Writes a record of 16 bits a value, and what the seeds say of it.
fn record() -> (Shape, Vec<u8>) {
    let names: Vec<String> = (0..VALUES).map(|n| format!("u16be@{}", 2 * n)).collect();
    let mut shape = Shape::new(Format::Binary, &names, Pointers::default());
    shape.rule.options.record = 2 * VALUES as u16;
    let record = (0..VALUES).flat_map(|n| (700 + n as u16).to_be_bytes());
    (shape, record.collect())
}

fn value(number: usize) -> f64 {
    7.0 + number as f64 / 100.0
}

/// Writes a frame of HJ 212 with a mark at each value.
fn frame() -> Vec<u8> {
    let items = FACTORS.iter().enumerate();
    let items = items.map(|(at, name)| format!("{name}-Rtd={},{name}-Flag=N", value(at)));
    let items: Vec<String> = items.collect();
    let data = format!(
        "QN=20260501080000001;ST=21;CN=2011;PW=123456;MN=d;Flag=8;\
         CP=&&DataTime=20260501080000;{}&&",
        items.join(";")
    );
    [hj212::frame(data.as_bytes()), b"\r\n".to_vec()].concat()
}

/// Writes metrics of 64 bits with their names, where they have one, and aliases.
fn metrics(name: impl Fn(usize) -> String) -> Vec<u8> {
    let whole = Proto::default().number(1, AT.cast_unsigned());
    let whole = (0..VALUES).fold(whole, |whole, number| {
        let metric = match name(number).as_str() {
            "" => Proto::default(),
            name => Proto::default().bytes(1, name.as_bytes()).number(4, 10),
        };
        let metric = metric.number(2, number as u64 + 1).double(13, value(number));
        whole.bytes(2, &metric.0)
    });
    whole.0
}

/// A topic, a device, and what it announced.
struct Shape {
    rule: TopicRule,
    profile: Profile,
    units: Units,
    marks: Marks,
    device: Device,
    topic: &'static str,
    kind: Option<&'static str>,
    announced: Arc<Announced>,
}

impl Shape {
    fn new(format: Format, channels: &[String], pointers: Pointers) -> Self {
        let channel = |name: &String| Channel {
            name: name.as_str().into(),
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
        let mut units = Units::default();
        let (name, dimension) = ("mg/L".into(), "mass_concentration".into());
        units.add(Unit { name, dimension, multiply: 1.0, divide: 1.0, add: 0.0 }, &[]).unwrap();
        let ids = [("N".into(), MarkId(1))].into();
        let vocabulary = Vocabulary { name: "v".into(), other: MarkId(0), ids };
        let mark = Some(VocabularyIndex(0));
        let local = format == Format::Hj212;
        let time_unit = if local { TimeUnit::Local } else { TimeUnit::Milliseconds };
        Self {
            rule: TopicRule {
                id: TopicId(0),
                network: NetworkId(0),
                pattern: "water/{device}".into(),
                levels: vec![Level::Literal("water".into()), Level::Device],
                formats: vec![format],
                time_unit,
                pointers,
                options: Options::default(),
                marks: None,
            },
            profile: Profile { name: "p".into(), channels: channels.iter().map(channel).collect() },
            units,
            marks: Marks { vocabularies: vec![vocabulary], ..Marks::default() },
            device: Device {
                id: DeviceId(0),
                network: NetworkId(0),
                name: "d".into(),
                assignments: Vec::new(),
                clock: ClockTrust::Device,
                zone: TimeZone::fixed(jiff::tz::offset(8)),
                hj212: Hj212 { marks: mark, ..Hj212::default() },
            },
            topic: "",
            kind: None,
            announced: Arc::default(),
        }
    }

    fn context(&self) -> Context<'_> {
        Context {
            profile: &self.profile,
            rule: &self.rule,
            zone: &self.device.zone,
            units: &self.units,
            marks: &self.marks,
            device: Some(&self.device),
            channel: None,
            topic: self.topic,
            device_name: &self.device.name,
            kind: self.kind,
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

    fn cost(&self, payload: &[u8], values: usize) -> Duration {
        let plans = decode::plans(&self.rule, &self.profile);
        let (mut announced, mut decoded) = (Arc::clone(&self.announced), Decoded::default());
        let cost = shortest(|| {
            let context = self.context();
            let payload = black_box(payload);
            decode::decode(&plans, context, payload, &mut announced, &mut decoded).unwrap();
            black_box(&decoded);
        });
        assert_eq!((decoded.readings.len(), decoded.rejects.len()), (values, 0));
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
