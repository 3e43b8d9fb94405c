//! The oracle: what was confirmed to a publisher is an obligation, and it judges from outside
//! whether weir has kept it. It asks broker, sink, webhook and the commands of weir, and computes
//! alerts by the pipeline alone.
#![allow(dead_code, unreachable_pub, reason = "no test needs all of it")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, reason = "a test asks its own clock")]

pub mod control;
pub mod load;
pub mod wire;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::tz::TimeZone;
use serde_json::Value;
use weir::domain::input::{Arrival, Condition, Input, Message, Qos};
use weir::domain::judgement::Judgement;
use weir::domain::name::{NameKind, Names, NetworkId};
use weir::domain::time::{Moment, Timestamp};
use weir::notify::{Letterhead, notification};
use weir::pipeline::{Pipeline, Processed};
use weir::seed::{Tables, compile};

use crate::peer::{Hook, Influx, Weir, get, until};
use control::{Acknowledged, Got};
use load::{FIELDS, Kind, STATIONS, Sent};

/// How many faults a report names.
const NAMED: usize = 10;

/// How long weir may take to deal with what it was sent, once nothing is wrong any more.
const PATIENCE: Duration = Duration::from_secs(90);

/// Everything that the oracle looks at.
#[derive(Debug)]
pub struct Scene<'a> {
    pub sent: &'a [Sent],
    pub control: &'a Got,
    pub weir: &'a mut Weir,
    pub influx: &'a Influx,
    pub hook: &'a Hook,
    /// How often weir was killed: as often may a notification be told twice.
    pub kills: usize,
    /// Where the broker itself may lose: what weir acknowledged, and no more is owed.
    pub acknowledged: Option<&'a Acknowledged>,
    /// How many deliveries went to weir, where that was seen: it may count no more.
    pub deliveries: Option<u64>,
    /// Fields that the database refuses, wherever they stand.
    pub refused: &'a [&'a str],
}

/// What the oracle found.
#[derive(Debug, Default)]
pub struct Report {
    pub messages: usize,
    pub owed: usize,
    pub stored: i64,
    pub rejected: i64,
    pub duplicates: i64,
    pub values: usize,
    pub letters: usize,
    pub alerts: usize,
    pub told_twice: usize,
    /// What is missing, wrong or too much.
    pub faults: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { messages, owed, stored, rejected, duplicates, .. } = self;
        let Self { values, letters, alerts, told_twice, .. } = self;
        write!(
            out,
            "{messages} messages confirmed by the broker, {owed} of them owed; {stored} stored as \
             {values} values, {rejected} rejected with {letters} dead letters, {duplicates} \
             duplicates; {alerts} changes of alerts, {told_twice} told twice"
        )?;
        for fault in self.faults.iter().take(NAMED) {
            write!(out, "\n  {fault}")?;
        }
        match self.faults.len().saturating_sub(NAMED) {
            0 => Ok(()),
            more => write!(out, "\n  and {more} more"),
        }
    }
}

/// Waits until weir has dealt with everything, stops it, and fails unless each obligation was kept,
/// no more and no less.
#[track_caller]
pub fn judge(scene: Scene<'_>) -> Report {
    settle(&scene);
    scene.weir.stop();
    let report = examine(&scene);
    assert!(report.faults.is_empty(), "{report}\n--- the log of weir\n{}", scene.weir.log());
    report
}

/// Compares what is there with what is owed.
pub fn examine(scene: &Scene<'_>) -> Report {
    let mut report = Report::default();
    let sink = Sink::read(scene.influx);
    for sent in scene.sent {
        report.messages += 1;
        if !scene.owes(sent) {
            continue;
        }
        report.owed += 1;
        if let Some(words) = sink.lacks(sent, scene.refused) {
            report.faults.push(scene.missing(sent, &words));
        }
    }
    report.values = sink.values.values().flatten().flatten().count();
    sink.too_much(scene.sent, &mut report);
    judge_letters(scene, &mut report);
    judge_ledger(scene, &sink, &mut report);
    judge_alerts(scene, &expected(scene, &sink), &mut report);
    report
}

/// What was to be told: what lies in the sink says what weir has seen.
fn expected(scene: &Scene<'_>, sink: &Sink) -> Vec<String> {
    let seeds = scene.weir.folder().join("seeds");
    alerts(&seeds, scene.sent.iter().filter(|sent| sink.holds(sent)))
}

/// Waits, but not for ever: what is missing then is told with everything else.
fn wait(mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() && start.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn settle(scene: &Scene<'_>) {
    until("weir", || get(scene.weir.page(), "/ready").0 == 200);
    let owed = scene.sent.iter().filter(|sent| scene.owes(sent) && sent.is_stored()).count();
    let mut before = -1;
    wait(|| {
        let ledger = scene.weir.ledger();
        let count = |pointer| number(&ledger, pointer);
        let received = count("/total/messages/received");
        let quiet = std::mem::replace(&mut before, received) == received;
        let stored = count("/total/messages/stored") >= owed as i64;
        quiet && stored && count("/influx/waiting_points") == 0
    });
    let expected = expected(scene, &Sink::read(scene.influx)).len();
    wait(|| told(scene.hook).len() >= expected);
}

fn number(ledger: &Value, pointer: &str) -> i64 {
    ledger.pointer(pointer).and_then(Value::as_i64).unwrap_or(-1)
}

impl Scene<'_> {
    fn owes(&self, sent: &Sent) -> bool {
        // A repeat has the bytes of what it repeats.
        let acks = if sent.kind == Kind::Repeat { 2 } else { 1 };
        let acknowledged = |all: &Acknowledged| {
            all.get(&(sent.topic.clone(), sent.payload.clone())).is_some_and(|had| *had >= acks)
        };
        sent.confirmed && self.acknowledged.is_none_or(acknowledged)
    }

    fn missing(&self, sent: &Sent, words: &str) -> String {
        let got = self.control.contains(&(sent.topic.clone(), sent.payload.clone()));
        let whose = if got { "the control client got it" } else { "the broker lost it" };
        format!("{words}: {} {} ({:?}; {whose})", sent.topic, sent.payload, sent.kind)
    }
}

impl Sent {
    /// Whether it has readings that are stored, and not held before.
    pub fn is_stored(&self) -> bool {
        matches!(self.kind, Kind::Good | Kind::Text)
    }
}

/// What InfluxDB holds: by station and time, a value a field.
struct Sink {
    values: BTreeMap<(i64, i64), [Option<f64>; 5]>,
    /// Points that stand there more than once, and series of others.
    strange: Vec<String>,
}

impl Sink {
    fn read(influx: &Influx) -> Self {
        let (mut values, mut strange) = (BTreeMap::new(), Vec::new());
        let fields = FIELDS.join(", ");
        for (index, station) in STATIONS.iter().enumerate() {
            let query = format!("SELECT {fields} FROM water WHERE station = '{station}'");
            for row in influx.query(&query) {
                let ts = row[0].as_i64().unwrap();
                let point = [1, 2, 3, 4, 5].map(|field| row[field].as_f64());
                if values.insert((index as i64 + 1, ts), point).is_some() {
                    strange.push(format!("two series have a point of {station} at {ts}"));
                }
            }
        }
        let all: usize = influx.query(&format!("SELECT {fields} FROM water")).len();
        if all != values.len() {
            strange.push(format!("{all} points in all, {} of the stations", values.len()));
        }
        Self { values, strange }
    }

    fn holds(&self, sent: &Sent) -> bool {
        sent.is_stored() && self.values.contains_key(&(sent.device, sent.ts))
    }

    fn lacks(&self, sent: &Sent, refused: &[&str]) -> Option<String> {
        if !sent.is_stored() {
            return None;
        }
        let Some(found) = self.values.get(&(sent.device, sent.ts)) else {
            return Some("not in the sink".to_owned());
        };
        let near = |(found, want): (&Option<f64>, &Option<f64>)| match (found, want) {
            (Some(found), Some(want)) => (found - want).abs() < 1e-9,
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        let mut want = load::points(sent);
        for (value, _) in want.iter_mut().zip(FIELDS).filter(|(_, field)| refused.contains(field)) {
            *value = None;
        }
        let same = found.iter().zip(&want).all(near);
        (!same).then(|| format!("the sink has {found:?} for {want:?}"))
    }

    fn too_much(&self, sent: &[Sent], report: &mut Report) {
        let stored = sent.iter().filter(|sent| sent.is_stored());
        let known: HashSet<(i64, i64)> = stored.map(|sent| (sent.device, sent.ts)).collect();
        let unknown = self.values.keys().filter(|key| !known.contains(key));
        report.faults.extend(unknown.map(|(device, ts)| {
            let station = STATIONS[*device as usize - 1];
            format!("nobody sent the point of {station} at {ts}")
        }));
        report.faults.extend(self.strange.iter().cloned());
    }
}

/// Each message that must be turned away has a dead letter with its bytes, as often as the broker
/// may have got it, and nothing else has one.
fn judge_letters(scene: &Scene<'_>, report: &mut Report) {
    let (_, export) = scene.weir.command(&["dead-letters", "export"]);
    let mut letters: HashMap<(String, Vec<u8>), u64> = HashMap::new();
    for line in export.lines() {
        let letter: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{export}"));
        let text = |key: &str| letter[key].as_str().unwrap().to_owned();
        let payload = STANDARD.decode(text("payload_base64")).unwrap();
        *letters.entry((text("topic"), payload)).or_default() += 1;
        report.letters += 1;
    }
    let bad = |sent: &&Sent| matches!(sent.kind, Kind::Broken | Kind::Unknown | Kind::Text);
    for sent in scene.sent.iter().filter(bad) {
        let bytes = (sent.topic.clone(), sent.payload.clone().into_bytes());
        match letters.remove(&bytes).unwrap_or(0) {
            0 if scene.owes(sent) => report.faults.push(scene.missing(sent, "no dead letter")),
            count if count > sent.copies => {
                report.faults.push(format!("{count} dead letters of {}", sent.payload));
            }
            _ => {}
        }
    }
    report.faults.extend(letters.into_keys().map(|(topic, payload)| {
        format!("a dead letter of what is sound: {topic} {}", String::from_utf8_lossy(&payload))
    }));
}

/// The ledger of weir against the oracle's own count.
fn judge_ledger(scene: &Scene<'_>, sink: &Sink, report: &mut Report) {
    let ledger = scene.weir.ledger();
    let count = |pointer: &str| number(&ledger, pointer);
    let mut check = |what: &str, found: i64, least: u64, most: u64| {
        if !(least as i64..=most as i64).contains(&found) {
            let words = format!("the ledger says {found} {what}, not {least} to {most}");
            report.faults.push(words);
        }
    };
    let there: Vec<&Sent> = scene.sent.iter().filter(|sent| sink.holds(sent)).collect();
    let stored = there.len() as u64;
    let readings = there.iter().map(|sent| load::points(sent).iter().flatten().count() as u64);
    let readings = readings.sum();
    check("messages stored", count("/total/messages/stored"), stored, stored);
    check("readings stored", count("/total/readings/stored"), readings, readings);
    let of = |kinds: &[Kind]| {
        let kinds = kinds.to_vec();
        scene.sent.iter().filter(move |sent| kinds.contains(&sent.kind))
    };
    let owed = |kinds: &[Kind]| of(kinds).filter(|sent| scene.owes(sent)).count() as u64;
    let bad = [Kind::Broken, Kind::Unknown];
    // What the publisher had to send again is turned away again, a text beside what is held too.
    let again: u64 = of(&[Kind::Text]).map(|sent| sent.copies - 1).sum();
    let most = of(&bad).map(|sent| sent.copies).sum::<u64>() + again;
    check("messages rejected", count("/total/messages/rejected"), owed(&bad), most);
    let (texts, repeats) = (owed(&[Kind::Text]), owed(&[Kind::Repeat]));
    let rejected = count("/total/readings/rejected");
    check("readings rejected", rejected, texts, of(&[Kind::Text]).map(|sent| sent.copies).sum());
    check("messages duplicate", count("/total/messages/duplicate"), repeats, u64::MAX >> 1);
    let most = scene.deliveries.unwrap_or(u64::MAX >> 1);
    check("messages received", count("/total/messages/received"), stored, most);
    if ledger["balances"] != true {
        report.faults.push(format!("the ledger does not balance: {ledger}"));
    }
    report.stored = count("/total/messages/stored");
    report.rejected = count("/total/messages/rejected");
    report.duplicates = count("/total/messages/duplicate");
}

/// What a notification is about, without its number: alerts about weir itself stand between.
fn told_of(body: &Value) -> Option<String> {
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or("-");
    (text("/commonLabels/kind") == "exceedance").then(|| {
        let (station, property) = (text("/commonLabels/station"), text("/commonLabels/property"));
        let (since, until) = (text("/alerts/0/startsAt"), text("/alerts/0/endsAt"));
        let (status, value) = (text("/status"), text("/commonAnnotations/value"));
        format!("{station} {property} {status} with {value}, {since} to {until}")
    })
}

/// Gives what reached the webhook about limits, each id once.
fn told(hook: &Hook) -> Vec<String> {
    let mut ids = HashSet::new();
    let once = hook.got().into_iter().filter(|(id, _)| ids.insert(id.clone()));
    once.filter_map(|(_, body)| told_of(&body)).collect()
}

fn judge_alerts(scene: &Scene<'_>, expected: &[String], report: &mut Report) {
    let told = told(scene.hook);
    report.alerts = expected.len();
    if told != expected {
        let place = told.iter().zip(expected).take_while(|(told, want)| told == want).count();
        report.faults.push(format!(
            "{} changes of alerts were told, {} expected; at place {place} {:?}, not {:?}",
            told.len(),
            expected.len(),
            told.get(place),
            expected.get(place)
        ));
    }
    let mut bodies: HashMap<String, Value> = HashMap::new();
    for (id, body) in scene.hook.got() {
        match bodies.get(&id) {
            None => drop(bodies.insert(id, body)),
            Some(first) if *first == body => report.told_twice += 1,
            Some(first) => report.faults.push(format!("{id} says {body} and said {first}")),
        }
    }
    if report.told_twice > scene.kills {
        let (twice, kills) = (report.told_twice, scene.kills);
        report.faults.push(format!("{twice} notifications came twice at {kills} kills"));
    }
}

/// What the pipeline alone makes of the same messages: the changes of alerts, in order.
pub fn alerts<'a>(seeds: &Path, sent: impl Iterator<Item = &'a Sent>) -> Vec<String> {
    let networks = ["rivers".to_owned(), "parks".to_owned()];
    let mut names = Names::default();
    let tables = Tables::read(seeds).unwrap();
    let registry = compile(&tables, Judgement::default(), &networks, &mut names).unwrap();
    let registry = Arc::new(registry);
    let rivers = NetworkId(names.id(NameKind::Network, "rivers"));
    let now = jiff::Timestamp::now().as_millisecond();
    let at = Moment { wall: Timestamp(now), elapsed_ms: 0 };
    let mut pipeline = Pipeline::new(Arc::clone(&registry), at);
    let (mut out, mut told) = (Processed::default(), Vec::new());
    let connected = Input::Condition(Condition::Connected(rivers));
    pipeline.process(&Arrival { at, input: connected }, &mut out);
    for sent in sent {
        let message = Message {
            network: rivers,
            packet_id: 1,
            dup: false,
            retain: false,
            qos: Qos::AtLeastOnce,
            topic: sent.topic.as_bytes(),
            payload: sent.payload.as_bytes(),
            fault: None,
        };
        pipeline.process(&Arrival { at, input: Input::Message(message) }, &mut out);
        let told_now = out.alerts.iter().filter_map(|event| {
            told_of(&notification(&registry, event, &Letterhead::plain(TimeZone::UTC)).body)
        });
        told.extend(told_now);
    }
    told
}
