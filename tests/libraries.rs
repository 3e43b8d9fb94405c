//! Libraries of another language, which know nothing of weir: weir reads what they write in
//! Sparkplug B and SenML as they meant it, and they read what weir writes.
#![cfg(feature = "demo")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, reason = "a test waits by its own clock")]

mod peer;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, LazyLock};

use jiff::tz::TimeZone;
use peer::{Mosquitto, Weir, until};
use serde::Deserialize;
use serde_json::{Value, json};
use weir::decode::{self, Announced, Context, Decoded, Plan};
use weir::domain::name::{NetworkId, PropertyId, TopicId};
use weir::domain::observation::{NilReason, ObservationResult};
use weir::domain::registry::{
    Channel, Format, Level, Marks, Options, Pointers, Profile, Statistic, TimeUnit, TopicRule,
};
use weir::domain::reply::Reply;
use weir::domain::time::Timestamp;
use weir::domain::unit::{Unit, Units};
use weir::simulate::dialect::Dialect;
use weir::simulate::encode::Publication;
use weir::simulate::fleet::{Fleet, Told};

/// 2026-05-01T00:00:00Z.
const START: Timestamp = Timestamp(1_777_593_600_000);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// Runs the libraries, which are installed first where they are missing; gives a line each.
fn speak(arguments: &[&str], heard: &str) -> Vec<Value> {
    let folder = root().join("tests/libraries");
    let installed = Command::new(folder.join("install")).output().unwrap();
    assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
    let mut process = Command::new(root().join("target/libraries/bin/python"))
        .arg(folder.join("speak.py"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut ears, heard) = (process.stdin.take().unwrap(), heard.to_owned());
    let writer = std::thread::spawn(move || ears.write_all(heard.as_bytes()));
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success(), "speak.py {arguments:?}: its own words are above");
    writer.join().unwrap().unwrap();
    let lines = std::str::from_utf8(&output.stdout).unwrap().lines();
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Has the libraries hear messages of weir.
fn hear<'m>(format: &str, messages: impl IntoIterator<Item = (&'m str, &'m [u8])>) -> Vec<Value> {
    let line = |(topic, payload): (&str, &[u8])| {
        let payload = payload.iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        });
        let received = START.millis();
        json!({ "format": format, "topic": topic, "payload": payload, "received": received })
    };
    let lines: Vec<String> = messages.into_iter().map(|one| line(one).to_string()).collect();
    let heard = speak(&["hear"], &lines.join("\n"));
    assert_eq!(heard.len(), lines.len());
    heard
}

/// What is said of one channel: its name, the number, the time in ms, the unit.
type Reading = (String, Option<f64>, Option<i64>, Option<String>);

/// A message that a library wrote, and what it says.
#[derive(Deserialize)]
struct Line {
    format: String,
    topic: String,
    payload: String,
    received: i64,
    readings: Vec<Reading>,
    /// The names of what is no number.
    refused: Vec<String>,
    /// Whether the node is to be born again.
    asks: bool,
}

impl Line {
    fn bytes(&self) -> Vec<u8> {
        let digits = self.payload.as_bytes().chunks(2);
        let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.map(byte).collect()
    }
}

/// What weir must know to read one format: each name that the lines have is a channel.
struct Desk {
    rule: TopicRule,
    profile: Profile,
    units: Units,
    plans: Vec<Plan>,
    announced: Arc<Announced>,
}

impl Desk {
    fn new(format: Format, lines: &[Line]) -> Self {
        let said = lines.iter().flat_map(|line| line.readings.iter().map(|(name, ..)| name));
        let refused = lines.iter().flat_map(|line| &line.refused);
        let names: BTreeSet<&String> = said.chain(refused).collect();
        let channel = |name: &&String| Channel {
            name: name.as_str().into(),
            property: Some(PropertyId(0)),
            unit: None,
            scale: 1.0,
            text: name.contains("text"),
            statistic: Statistic::Instant,
            period_ms: None,
            detection_limit: None,
            mark: "".into(),
            marks: None,
        };
        let mut units = Units::default();
        for name in ["Cel", "pH", "mg/L", "m3/s", "%RH"] {
            let (name, dimension) = (name.into(), name.into());
            units.add(Unit { name, dimension, multiply: 1.0, divide: 1.0, add: 0.0 }, &[]).unwrap();
        }
        let profile = Profile { name: "p".into(), channels: names.iter().map(channel).collect() };
        let rule = TopicRule {
            id: TopicId(0),
            network: NetworkId(0),
            pattern: "{device}".into(),
            levels: vec![Level::Device],
            formats: vec![format],
            time_unit: TimeUnit::Milliseconds,
            pointers: Pointers::default(),
            options: Options { rebirth: true, ..Options::default() },
            marks: None,
        };
        let plans = decode::plans(&rule, &profile);
        Self { rule, profile, units, plans, announced: Arc::default() }
    }

    /// Holds what weir reads in a message against what its writer meant; gives weir's replies.
    fn hold(&mut self, line: &Line) -> Vec<Reply> {
        static MARKS: LazyLock<Marks> = LazyLock::new(Marks::default);
        let context = Context {
            profile: &self.profile,
            rule: &self.rule,
            zone: &TimeZone::UTC,
            units: &self.units,
            marks: &MARKS,
            device: None,
            channel: None,
            topic: &line.topic,
            device_name: "device",
            kind: None,
            received: Timestamp(line.received),
            retained: false,
        };
        let (bytes, mut decoded) = (line.bytes(), Decoded::default());
        let whole = || format!("{} {} {}", line.format, line.topic, line.payload);
        decode::decode(&self.plans, context, &bytes, &mut self.announced, &mut decoded)
            .unwrap_or_else(|reason| panic!("{reason}: {}", whole()));
        let read: Vec<Reading> = decoded
            .readings
            .iter()
            .map(|reading| {
                let value = match reading.result {
                    ObservationResult::Value(value) => Some(value),
                    ObservationResult::Nil(NilReason::Missing) => None,
                    ObservationResult::Nil(_) | ObservationResult::Censored { .. } => {
                        panic!("{reading:?}: {}", whole())
                    }
                };
                let name = self.profile.channels[usize::from(reading.channel)].name.to_string();
                let unit = reading.unit.and_then(|unit| self.units.get(unit));
                let time = reading.device_time.map(Timestamp::millis);
                (name, value, time, unit.map(|unit| unit.name.to_string()))
            })
            .collect();
        assert_eq!(read, line.readings, "{}", whole());
        let refused: Vec<&str> = decoded.rejects.iter().map(|one| &*one.channel).collect();
        assert_eq!(refused, line.refused, "{}", whole());
        assert_eq!(!decoded.replies.is_empty(), line.asks, "{}", whole());
        decoded.replies
    }
}

/// What the libraries say in one format, of two worlds.
fn said(format: &str) -> Vec<Vec<Line>> {
    let world = |seed: &str| -> Vec<Line> {
        let lines = speak(&["say", seed], "");
        let lines = lines.into_iter().map(|line| serde_json::from_value(line).unwrap());
        lines.filter(|line: &Line| line.format == format).collect()
    };
    ["1", "2"].map(world).into()
}

#[test]
fn what_pysparkplug_writes_is_read_as_it_was_meant_and_it_understands_the_question() {
    let (mut readings, mut kinds) = (0, BTreeSet::new());
    let mut replies = Vec::new();
    for lines in said("sparkplug_b") {
        let mut desk = Desk::new(Format::SparkplugB, &lines);
        for line in &lines {
            replies.extend(desk.hold(line).into_iter().map(|reply| (line.received, reply)));
            readings += line.readings.len();
            kinds.insert(line.topic.split('/').nth(2).unwrap().to_owned());
        }
    }
    assert!(readings > 5_000, "{readings}");
    assert_eq!(
        kinds.iter().map(String::as_str).collect::<Vec<_>>(),
        ["DBIRTH", "DDATA", "DDEATH", "NBIRTH", "NDATA", "NDEATH"]
    );
    // Three nodes of each world lost a message.
    assert_eq!(replies.len(), 6);
    let heard = hear("sparkplug_b", replies.iter().map(|(_, one)| (&*one.topic, &*one.payload)));
    for (number, (heard, (at, _))) in heard.iter().zip(&replies).enumerate() {
        let want = json!({
            "node": format!("edge-{}", number % 3 + 1), "device": null, "time": at, "seq": null,
            "readings": [["Node Control/Rebirth", true, at]],
        });
        assert_eq!(*heard, want);
    }
}

#[test]
fn what_two_libraries_write_in_senml_is_read_as_it_was_meant() {
    let (mut readings, mut sums, mut packed) = (0, 0, 0);
    for lines in said("senml") {
        let mut desk = Desk::new(Format::Senml, &lines);
        for line in &lines {
            desk.hold(line);
            readings += line.readings.len();
            sums += line.readings.iter().filter(|(name, ..)| name.ends_with("#sum")).count();
            packed += usize::from(!line.payload.starts_with("5b"));
        }
    }
    assert!(readings > 5_000 && sums > 500 && packed == 600, "{readings} {sums} {packed}");
}

/// Numbers with their times, in order.
type Numbers = Vec<(String, i64)>;

fn meant(told: &[Told]) -> Numbers {
    let mut numbers: Numbers =
        told.iter().map(|one| (one.value.to_string(), one.at.millis())).collect();
    numbers.sort();
    numbers
}

fn found(heard: &Value) -> Numbers {
    let readings = heard["readings"].as_array().unwrap().iter();
    let mut numbers: Numbers = readings
        .filter_map(|one| Some((one[1].as_f64()?.to_string(), one[2].as_i64().unwrap())))
        .collect();
    numbers.sort();
    numbers
}

/// Has simulated devices of a format speak, and gives each message with what it says.
fn simulated(format: &str, fleet: &mut Fleet) -> Vec<(Publication, Numbers)> {
    let mut messages = Vec::new();
    if let Some(birth) = fleet.birth(7, START) {
        messages.push((birth, Vec::new()));
    }
    for turn in 0..100 {
        for index in 0..fleet.len() {
            let mut spoken = fleet.speak(index, START.plus(turn * 10_000));
            assert_eq!(spoken.publications.len(), 1, "{format}");
            messages.push((spoken.publications.remove(0), meant(&spoken.told)));
        }
    }
    messages.extend(fleet.farewells(7).into_iter().map(|one| (one, Vec::new())));
    messages
}

/// Has the libraries read what is simulated in a format; gives what they found.
#[track_caller]
fn check(format: &str, family: &str) -> Vec<Value> {
    let mut fleet = Fleet::new(&Dialect::named(format), 3, 1, false).unwrap();
    let messages = simulated(format, &mut fleet);
    let heard = hear(family, messages.iter().map(|(one, _)| (&*one.topic, &*one.payload)));
    let mut numbers = 0;
    for ((publication, meant), heard) in messages.iter().zip(&heard) {
        // A birth and a death of the node say nothing that was measured.
        if !meant.is_empty() {
            assert_eq!(found(heard), *meant, "{format} {}: {heard}", publication.topic);
        }
        numbers += meant.len();
    }
    assert!(numbers > 1_000, "{format}: {numbers}");
    heard
}

#[test]
fn what_is_simulated_in_senml_is_read_by_a_library() {
    check("senml-json", "senml");
    check("senml-cbor", "senml");
}

#[test]
fn what_is_simulated_in_sparkplug_is_read_by_pysparkplug() {
    let mut heard = check("sparkplug_b", "sparkplug_b");
    let death = heard.pop().unwrap();
    assert_eq!(death, json!({ "node": "sim", "readings": [["bdSeq", 7, null]] }));
    let birth = &heard[0];
    let readings = json!([["bdSeq", 7, null], ["Node Control/Rebirth", false, null]]);
    assert_eq!((&birth["node"], &birth["readings"]), (&json!("sim"), &readings));
    for (number, one) in heard.iter().enumerate() {
        assert_eq!(one["seq"], number % 256, "{one}");
    }
    // By its births the library knows a name for each alias.
    let mut names: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for one in &heard[1..] {
        let of = names.entry(one["device"].as_str().unwrap()).or_default();
        of.extend(one["readings"].as_array().unwrap().iter().map(|one| one[0].as_str().unwrap()));
    }
    assert_eq!(names.len(), 3);
    assert!(names.values().all(|of| of.len() >= 4), "{names:?}");
}

/// What the broker keeps of a host, as the library finds it.
fn host(broker: &Mosquitto) -> Value {
    let kept = Command::new("mosquitto_sub")
        .args(["-p", &broker.port().to_string(), "-t", "spBv1.0/STATE/+", "-F", "%t %p"])
        .args(["-C", "1", "-W", "2"])
        .output()
        .unwrap();
    let kept = String::from_utf8(kept.stdout).unwrap();
    let Some((topic, payload)) = kept.trim_end().split_once(' ') else { return Value::Null };
    hear("sparkplug_b", [(topic, payload.as_bytes())]).remove(0)
}

#[test]
fn a_host_that_comes_and_goes_is_seen_by_pysparkplug() {
    let broker = Mosquitto::start("");
    let mut weir = Weir::install(&broker.url(), "");
    let id = "client_id = 'weir-parks'\n";
    weir.configure(id, &format!("{id}sparkplug_host = 'bureau'\n"));
    let before = jiff::Timestamp::now().as_millisecond();
    weir.start();
    until("the birth", || !host(&broker).is_null());
    let birth = host(&broker);
    assert_eq!((&birth["host"], &birth["online"]), (&json!("bureau"), &json!(true)));
    let now = jiff::Timestamp::now().as_millisecond();
    assert!((before..=now).contains(&birth["time"].as_i64().unwrap()), "{birth}");
    weir.stop();
    let farewell = host(&broker);
    assert_eq!((&farewell["host"], &farewell["online"]), (&json!("bureau"), &json!(false)));
    assert!(farewell["time"].as_i64() >= birth["time"].as_i64(), "{birth} {farewell}");
}
