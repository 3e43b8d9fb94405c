//! What a topic is likely to be: which format reads its payloads, what the cells of its row would
//! be, and which channels it has. Pure, and only a guess: a person reviews it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::daemon::decode::channel;
use crate::daemon::discover::held::Held;
use crate::daemon::discover::object;
use crate::daemon::discover::survey::{Sample, Topic};
use crate::decode::{self, Announced, Context, Decoded, number};
use crate::domain::name::{NetworkId, TopicId};
use crate::domain::observation::{ObservationResult, Side};
use crate::domain::registry::{
    Format, Level, Marks, Options, Pointers, Profile, TimeUnit, TopicRule,
};
use crate::domain::reject::Reason;
use crate::domain::time::{DAY, Timestamp};
use crate::domain::unit::Units;

/// How many channels of a topic are looked at.
pub(super) const CHANNELS_MAX: usize = 512;
/// No clock in service shows an earlier time: 2000-01-01T00:00:00Z.
const EARLIEST: Timestamp = Timestamp(946_684_800_000);
/// What formats say of the device itself.
const OF_DEVICE: [&str; 5] = ["@online", "@battery", "@rssi", "@snr", "@linkquality"];
/// What names a device in tags and columns, the likeliest first.
const DEVICE_KEYS: [&str; 9] =
    ["device", "device_id", "deviceId", "sn", "id", "station", "site", "host", "meter"];
/// Formats whose payloads may name the device, and by what.
const POINTS: [(Format, &[&str]); 5] = [
    (Format::Hj212, &["MN"]),
    (Format::Senml, &["bn"]),
    (Format::Csv, &DEVICE_KEYS),
    (Format::LineProtocol, &DEVICE_KEYS),
    (Format::Telegraf, &DEVICE_KEYS),
];
/// What a column of times is called.
const TIME_COLUMNS: [&str; 6] = ["time", "timestamp", "ts", "datetime", "date", "时间"];

/// What a topic says of its format.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Shape {
    /// The format has these levels.
    Levels(Vec<Level>),
    /// Its payloads are the format's, and the topic is free.
    Free,
    /// It is the format's, and brings no readings.
    Silent,
}

/// Says whether a topic and a payload are of a format.
type Sign = fn(&[&str], &[u8]) -> Option<Shape>;

/// The formats by their words in `topics.csv`, the strictest first: those that a topic shows, then
/// those that a payload shows. A format more is a line more here.
const SIGNS: &[(&str, Format, Sign)] = &[
    ("sparkplug_b", Format::SparkplugB, sparkplug_b),
    ("chirpstack", Format::Chirpstack, chirpstack),
    ("things_stack", Format::ThingsStack, things_stack),
    ("tasmota", Format::Tasmota, tasmota),
    ("zigbee2mqtt", Format::Zigbee2mqtt, zigbee2mqtt),
    ("shelly", Format::Shelly, shelly),
    ("homie", Format::Homie, homie),
    ("hj212", Format::Hj212, |_, payload| free(is_frame(payload))),
    ("telegraf", Format::Telegraf, |_, payload| free(object::is_telegraf(payload))),
    ("senml", Format::Senml, |_, payload| free(object::is_senml(payload))),
    ("json", Format::Json, |_, payload| free(matches!(payload.first(), Some(b'{' | b'[')))),
    ("plain", Format::Plain, |_, payload| free(is_number(payload))),
    ("line_protocol", Format::LineProtocol, |_, payload| {
        free(!is_frame(payload) && is_lines(payload))
    }),
    ("csv", Format::Csv, |_, payload| free(!is_frame(payload) && is_rows(payload))),
];

/// The cells of a row of `topics.csv` beside network, pattern and format.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct Cells {
    pub(super) device: String,
    pub(super) time: String,
    pub(super) time_unit: &'static str,
    pub(super) each: String,
    pub(super) channel: String,
    pub(super) value: String,
    pub(super) unit: String,
    /// Whether the topic names the channel.
    pub(super) in_topic: bool,
}

/// What was heard of a channel.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Heard {
    /// A value, as it was sent.
    pub(super) sample: String,
    /// The unit, where the payload states one.
    pub(super) unit: Option<String>,
    /// Whether it is a number, a text that is one, or no number at all.
    pub(super) kind: Kind,
}

/// How a value is written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) enum Kind {
    /// As a number.
    #[default]
    Number,
    /// As a text that is one.
    Text,
    /// It is none.
    Nothing,
}

/// What a topic is likely to be, for one device.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Guess {
    pub(super) topic: String,
    pub(super) word: &'static str,
    /// The levels that the format has; nothing where they are free.
    pub(super) levels: Option<Vec<Level>>,
    pub(super) cells: Cells,
    /// The device, where format or payload names it.
    pub(super) device: Option<String>,
    pub(super) channels: BTreeMap<String, Heard>,
    /// How often a message comes, ms; nothing where one came.
    pub(super) every_ms: Option<i64>,
}

/// What the topics of a broker are likely to be.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Guessed {
    pub(super) guesses: Vec<Guess>,
    /// Topics that no format reads, with a beginning of what they carry.
    pub(super) unread: Vec<(String, String)>,
    /// Topics that formats use for something else than readings.
    pub(super) silent: usize,
    /// Which limits were reached.
    pub(super) reached: Vec<String>,
}

/// Says in which order what announces goes; nothing where a topic announces nothing.
fn birth(name: &str) -> Option<u8> {
    let says = |kind: &str| name.split('/').any(|word| word == kind);
    if says("NBIRTH") { Some(0) } else { (says("DBIRTH") || says("$description")).then_some(1) }
}

/// Guesses what was heard on topics. Births go before what they announce.
pub(super) fn guess(mut topics: Vec<(&str, &Topic)>, units: &Units) -> Guessed {
    topics.sort_by_key(|(name, _)| birth(name).unwrap_or(2));
    let mut guessed = Guessed::default();
    let mut reader = Reader { units, announced: Arc::default(), held: Held::default() };
    for (name, topic) in topics {
        let before = guessed.guesses.len();
        match reader.topic(name, topic, &mut guessed.guesses) {
            Some(true) => guessed.silent += usize::from(guessed.guesses.len() == before),
            Some(false) => {}
            None => {
                let payload = topic.samples.first().map_or(&[][..], |sample| &*sample.payload);
                guessed.unread.push((name.to_owned(), beginning(payload)));
            }
        }
    }
    guessed.reached = reader.held.reached();
    guessed
}

/// Shows how a payload begins, but not the password that a frame of HJ 212 carries.
fn beginning(payload: &[u8]) -> String {
    let text = String::from_utf8_lossy(payload);
    let password = text.to_ascii_uppercase().find("PW=");
    match password.and_then(|at| text.get(..at)) {
        Some(before) => format!("{}…", number::cut(before).trim_end_matches('…')),
        None => number::cut(&text).into(),
    }
}

/// Reads samples as if every channel that they name were known.
struct Reader<'u> {
    units: &'u Units,
    announced: Arc<Announced>,
    held: Held,
}

impl Reader<'_> {
    /// Guesses one topic; says whether it is silent, and nothing where no format reads it.
    fn topic(&mut self, name: &str, topic: &Topic, out: &mut Vec<Guess>) -> Option<bool> {
        let levels: Vec<&str> = name.split('/').collect();
        let samples: Vec<(&Sample, Vec<u8>)> = topic
            .samples
            .iter()
            .filter(|sample| !sample.payload.is_empty())
            .filter_map(|sample| Some((sample, self.held.unpack(&sample.payload)?)))
            .collect();
        let last = samples.last().map(|(sample, _)| sample.at).unwrap_or(topic.last);
        for (word, format, sign) in SIGNS {
            let shapes = samples.iter().filter_map(|(_, payload)| sign(&levels, payload));
            let shapes: Vec<Shape> = shapes.collect();
            // Strictly: all of them, or it is something else.
            let Some(shape) = shapes.first().filter(|_| shapes.len() == samples.len()) else {
                continue;
            };
            if *shape == Shape::Silent {
                return Some(true);
            }
            let fixed = match shape {
                Shape::Levels(levels) => Some(levels.clone()),
                Shape::Free | Shape::Silent => None,
            };
            let live = topic.live > 1;
            let every_ms =
                live.then(|| topic.last.since(topic.first) / i64::from(topic.live.max(2) - 1));
            let base = Guess {
                topic: name.to_owned(),
                word,
                levels: fixed,
                cells: Cells::default(),
                device: None,
                channels: BTreeMap::new(),
                every_ms,
            };
            let payloads: Vec<&[u8]> = samples.iter().map(|(_, payload)| &**payload).collect();
            let found = if *format == Format::Json {
                object::json(base, &payloads, last)
            } else {
                self.decoded(base, *format, &payloads, last)
            };
            if !found.is_empty() {
                out.extend(found);
                return Some(false);
            }
        }
        samples.is_empty().then_some(true)
    }

    /// Reads samples by the format itself, of each device that they name.
    fn decoded(
        &mut self,
        base: Guess,
        format: Format,
        payloads: &[&[u8]],
        last: Timestamp,
    ) -> Vec<Guess> {
        let mut of_devices: BTreeMap<Option<String>, Guess> = BTreeMap::new();
        for payload in payloads {
            let mut rule = rule(&base, format);
            let pointed = pointed(&mut rule, format, payload);
            let topic = base.topic.clone();
            let words = rule.read(&topic).unwrap_or_default();
            let device = pointed.or_else(|| words.device.map(str::to_owned));
            let Some(channels) = self.read(&rule, &base.topic, payload, last) else { continue };
            let guess = of_devices.entry(device.clone()).or_insert_with(|| Guess {
                device,
                cells: cells(&rule),
                ..base.clone()
            });
            for (name, heard) in channels {
                merge(&mut guess.channels, name, heard);
            }
        }
        of_devices.into_values().collect()
    }

    /// Gives the channels of a payload; nothing where the format can't read it.
    fn read(
        &mut self,
        rule: &TopicRule,
        topic: &str,
        payload: &[u8],
        last: Timestamp,
    ) -> Option<BTreeMap<String, Heard>> {
        let (marks, zone) = (Marks::default(), TimeZone::fixed(jiff::tz::offset(8)));
        let words = rule.read(topic).unwrap_or_default();
        let mut profile = Profile {
            name: "".into(),
            channels: OF_DEVICE.map(|name| channel(name.into())).into(),
        };
        let mut decoded = Decoded::default();
        let mut read = |profile: &Profile, announced: &mut Arc<Announced>| {
            let context = Context {
                profile,
                rule,
                zone: &zone,
                units: self.units,
                marks: &marks,
                device: None,
                // A plain number is of the channel that the topic names, which nobody knows yet.
                channel: Some(words.channel.unwrap_or(NAMELESS)),
                topic,
                device_name: words.device.unwrap_or_default(),
                kind: words.kind,
                received: last,
                retained: false,
            };
            let plans = decode::plans(rule, profile);
            let ended = decode::decode(&plans, context, payload, announced, &mut decoded);
            let unknown = decoded.rejects.iter();
            let unknown = unknown.filter(|one| matches!(one.reason, Reason::UnknownChannel { .. }));
            let names: BTreeSet<Box<str>> = unknown.map(|one| one.channel.clone()).collect();
            ended.ok().map(|()| names)
        };
        // What is beyond is read by itself, and forgotten.
        let forgets = birth(topic).is_some() && !self.held.learns(payload.len());
        let mut nothing = Arc::default();
        let announced = if forgets { &mut nothing } else { &mut self.announced };
        let names = read(&profile, announced)?;
        profile.channels.extend(names.iter().take(CHANNELS_MAX).cloned().map(channel));
        read(&profile, announced)?;
        let mut channels = BTreeMap::new();
        for reading in &decoded.readings {
            let known = profile.channels.get(usize::from(reading.channel))?;
            // Readings at times that no clock shows are of another format.
            let off = |at: Timestamp| at < EARLIEST || at.since(last) > 2 * DAY;
            if reading.device_time.is_some_and(off) {
                return None;
            }
            let sample = written(reading.result);
            let unit = reading.unit.and_then(|unit| self.units.get(unit));
            let unit = unit.map(|unit| unit.name.to_string());
            merge(
                &mut channels,
                known.name.to_string(),
                Heard { sample, unit, kind: Kind::Number },
            );
        }
        for refused in &decoded.rejects {
            if names.contains(&refused.channel) && !channels.contains_key(&*refused.channel) {
                let nothing = Heard { kind: Kind::Nothing, ..Heard::default() };
                merge(&mut channels, refused.channel.to_string(), nothing);
            }
        }
        Some(channels)
    }
}

/// The channel of a plain number, before it is known which level of the topic names it.
pub(super) const NAMELESS: &str = "(topic)";

/// Puts what was heard of a channel together.
pub(super) fn merge(into: &mut BTreeMap<String, Heard>, name: String, heard: Heard) {
    let full = into.len() >= CHANNELS_MAX && !into.contains_key(&name);
    if name.is_empty() || full {
        return;
    }
    let held = into.entry(name).or_insert_with(|| heard.clone());
    held.kind = held.kind.max(heard.kind);
    if held.sample.is_empty() {
        held.sample = heard.sample;
    }
    held.unit = held.unit.take().or(heard.unit);
}

pub(super) fn written(result: ObservationResult) -> String {
    match result {
        ObservationResult::Value(value) => value.to_string(),
        ObservationResult::Censored { side: Side::Below, limit } => format!("<{limit}"),
        ObservationResult::Censored { side: Side::Above, limit } => format!(">{limit}"),
        ObservationResult::Nil(_) => String::new(),
    }
}

/// Makes the row by which samples are read.
fn rule(base: &Guess, format: Format) -> TopicRule {
    let literal = || base.topic.split('/').map(|word| Level::Literal(word.into())).collect();
    let counts =
        [(Format::LineProtocol, TimeUnit::Nanoseconds), (Format::Telegraf, TimeUnit::Seconds)];
    let time_unit = counts.iter().find(|(of, _)| *of == format);
    let time_unit = time_unit.map_or(TimeUnit::Local, |(_, unit)| *unit);
    TopicRule {
        id: TopicId(0),
        network: NetworkId(0),
        pattern: "".into(),
        levels: base.levels.clone().unwrap_or_else(literal),
        formats: vec![format],
        time_unit,
        pointers: Pointers::default(),
        options: Options::default(),
        marks: None,
    }
}

/// Finds what of the payload names the device, and points the row at it.
fn pointed(rule: &mut TopicRule, format: Format, payload: &[u8]) -> Option<String> {
    let named = |rule: &mut TopicRule, key: &str| {
        rule.pointers.device = key.into();
        let name = decode::device_name(rule, payload).ok();
        if name.is_none() {
            rule.pointers.device = Box::default();
        }
        name.map(String::from)
    };
    let keys: &[&str] = match POINTS.iter().find(|(of, _)| *of == format) {
        Some((_, keys)) => keys,
        None => return None,
    };
    if format == Format::Csv {
        let text = String::from_utf8_lossy(payload);
        let head: Vec<&str> = text.lines().next()?.split(',').map(str::trim).collect();
        let time = TIME_COLUMNS.iter().find(|name| head.contains(name));
        rule.pointers.time = time.copied().unwrap_or_default().into();
    }
    keys.iter().find_map(|key| named(rule, key))
}

fn cells(rule: &TopicRule) -> Cells {
    let format = rule.formats.first();
    let stated = !rule.pointers.time.is_empty();
    Cells {
        device: rule.pointers.device.to_string(),
        time: rule.pointers.time.to_string(),
        time_unit: if stated { "local" } else { "" },
        in_topic: format == Some(&Format::Plain),
        ..Cells::default()
    }
}

fn free(holds: bool) -> Option<Shape> {
    holds.then_some(Shape::Free)
}

/// Makes levels of words, of which `{…}` are those that vary.
fn levels(words: &[&str]) -> Option<Shape> {
    Some(Shape::Levels(words.iter().map(|word| Level::read(word)).collect()))
}

fn sparkplug_b(topic: &[&str], _: &[u8]) -> Option<Shape> {
    match topic {
        ["spBv1.0", "STATE", ..] => Some(Shape::Silent),
        ["spBv1.0", _, "NCMD" | "DCMD", ..] => Some(Shape::Silent),
        ["spBv1.0", group, _, _] => levels(&["spBv1.0", group, "{kind}", "{device}"]),
        ["spBv1.0", group, _, _, _] => levels(&["spBv1.0", group, "{kind}", "{node}", "{device}"]),
        _ => None,
    }
}

fn chirpstack(topic: &[&str], _: &[u8]) -> Option<Shape> {
    match topic {
        ["application", _, "device", _, "event", _] => {
            levels(&["application", "{place}", "device", "{device}", "event", "{kind}"])
        }
        ["application", _, "device", ..] => Some(Shape::Silent),
        _ => None,
    }
}

fn things_stack(topic: &[&str], _: &[u8]) -> Option<Shape> {
    match topic {
        ["v3", _, "devices", _, _] => levels(&["v3", "{place}", "devices", "{device}", "{kind}"]),
        ["v3", _, "devices", ..] => Some(Shape::Silent),
        _ => None,
    }
}

fn tasmota(topic: &[&str], _: &[u8]) -> Option<Shape> {
    let is_kind =
        |word: &str| word.bytes().all(|one| one.is_ascii_uppercase() || one.is_ascii_digit());
    match topic {
        ["tele" | "stat", _, kind] if is_kind(kind) => {
            levels(&[topic.first()?, "{device}", "{kind}"])
        }
        ["cmnd", ..] | ["tasmota", "discovery", ..] => Some(Shape::Silent),
        _ => None,
    }
}

fn zigbee2mqtt(topic: &[&str], _: &[u8]) -> Option<Shape> {
    match topic {
        ["zigbee2mqtt", "bridge", ..] => Some(Shape::Silent),
        ["zigbee2mqtt", _] => levels(&["zigbee2mqtt", "{device}"]),
        ["zigbee2mqtt", _, "availability"] => levels(&["zigbee2mqtt", "{device}", "availability"]),
        ["zigbee2mqtt", ..] => Some(Shape::Silent),
        _ => None,
    }
}

/// The later generations have any prefix, under which the device is the last level of it. Without
/// one a pattern would share its topics with all others.
fn shelly(topic: &[&str], payload: &[u8]) -> Option<Shape> {
    let of = |prefix: &[&str], rest: &[&str]| {
        let (_, before) = prefix.split_last()?;
        (!before.is_empty()).then(|| levels(&[before, &["{device}"], rest].concat()))?
    };
    let text = std::str::from_utf8(payload).unwrap_or_default();
    match topic {
        ["shellies", _] | ["shellies", _, "info" | "announce" | "command"] => Some(Shape::Silent),
        ["shellies", _, "online"] => levels(&["shellies", "{device}", "online"]),
        ["shellies", _, between @ .., _] => {
            let places = vec!["{place}"; between.len()];
            levels(&[&["shellies", "{device}"], &*places, &["{kind}"]].concat())
        }
        [prefix @ .., "events", "rpc"] if text.contains("\"Notify") => {
            of(prefix, &["events", "rpc"])
        }
        [prefix @ .., "status", component] if component.contains(':') => {
            of(prefix, &["status", "{kind}"])
        }
        [prefix @ .., "online"] if matches!(text, "true" | "false") => of(prefix, &["online"]),
        _ => None,
    }
}

/// A device tells of itself in topics that begin with `$`, and of its values two levels below it.
fn homie(topic: &[&str], _: &[u8]) -> Option<Shape> {
    match topic {
        ["homie", "5", device, ..] if device.starts_with('$') => Some(Shape::Silent),
        ["homie", "5", _, kind] if kind.starts_with('$') => {
            levels(&["homie", "5", "{device}", "{kind}"])
        }
        ["homie", "5", _, _, property] if !property.starts_with('$') => {
            levels(&["homie", "5", "{device}", "{place}", "{place}"])
        }
        ["homie", ..] => Some(Shape::Silent),
        _ => None,
    }
}

/// One number, perhaps with a unit.
fn is_number(payload: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(payload) else { return false };
    let mut words = text.split_whitespace();
    let is_value =
        |word: &str| matches!(number::written(word), Some(value) if value.number().is_some());
    words.next().is_some_and(is_value) && words.count() <= 1
}

/// `##` and the length in four digits. One that HJ 212 can't read is of no other format.
fn is_frame(payload: &[u8]) -> bool {
    let length = payload.strip_prefix(b"##").and_then(|rest| rest.get(..4));
    length.is_some_and(|length| length.iter().all(u8::is_ascii_digit))
}

fn is_lines(payload: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(payload) else { return false };
    let mut lines = text.lines().filter(|line| !line.trim().is_empty()).peekable();
    let is_line = |line: &str| line.split_whitespace().nth(1).is_some_and(|two| two.contains('='));
    lines.peek().is_some() && lines.all(|line| is_line(line) || line.starts_with('#'))
}

/// A first row of names, and others with as many cells.
fn is_rows(payload: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(payload) else { return false };
    let mut rows = csv::ReaderBuilder::new().from_reader(text.as_bytes());
    let Ok(head) = rows.headers().cloned() else { return false };
    let named = |cell: &str| !cell.trim().is_empty() && number::written(cell).is_none();
    let rows: Vec<_> = rows.records().collect();
    head.len() > 1 && head.iter().all(named) && !rows.is_empty() && rows.iter().all(Result::is_ok)
}
