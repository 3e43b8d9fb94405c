//! Arrivals played to the pure pipeline as the daemon would, and what they cause as text.
#![allow(dead_code, unreachable_pub, reason = "no test needs all of it")]

pub mod case;
pub mod run;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::tz::{Offset, TimeZone};
use weir::domain::alert::{AlertEvent, AlertId};
use weir::domain::desk::NoticeKind;
use weir::domain::input::{Act, Arrival, Input, Message, ReadingPlace};
use weir::domain::judgement::Judgement;
use weir::domain::ledger::{Counts, Ledger, Outcome};
use weir::domain::name::{NameKind, Names, NetworkId, TopicId};
use weir::domain::recompute::POINTS_MAX;
use weir::domain::registry::Registry;
use weir::domain::reply::Reply;
use weir::domain::time::Moment;
use weir::influx::line::{Points, Renderer};
use weir::journal::inputs::{Inputs, Kept, Unpacked};
use weir::notify::{Letterhead, group, notification};
use weir::pipeline::recompute::{Reckoned, recompute};
use weir::pipeline::state::Standing;
use weir::pipeline::{Pipeline, Processed, late, snapshot};
use weir::seed::{Tables, compile, may_follow};

pub const NETWORKS: [&str; 2] = ["rivers", "parks"];

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Lays a folder, and the folder `limits` in it, over tables. `x.csv` takes the place of a table; `x.csv.first` and `x.csv.last`
/// add rows at its head and end; `x.csv.without` takes out the rows that begin with its lines.
pub fn lay_over(tables: &mut Tables, folder: &Path) {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap();
        if name == "limits" {
            for table in std::fs::read_dir(&file).unwrap() {
                let table = table.unwrap().path();
                let name = format!("limits/{}", table.file_name().unwrap().to_str().unwrap());
                lay_table_over(tables, &name, &std::fs::read_to_string(&table).unwrap());
            }
            continue;
        }
        lay_table_over(tables, name, &std::fs::read_to_string(&file).unwrap());
    }
}

pub fn lay_table_over(tables: &mut Tables, name: &str, text: &str) {
    let (table, how) = match name.split_once(".csv.") {
        Some((table, how)) => (format!("{table}.csv"), how),
        None => (name.to_owned(), ""),
    };
    let held = String::from_utf8(tables.get(&table).unwrap_or_default().to_vec()).unwrap();
    let (head, rows) = held.split_once('\n').unwrap_or((&held, ""));
    let laid = match how {
        "" => text.to_owned(),
        "first" => format!("{head}\n{text}{rows}"),
        "last" => format!("{held}{text}"),
        "without" => {
            let stays = |row: &&str| !text.lines().any(|begin| row.starts_with(begin));
            let rows: Vec<&str> = held.lines().filter(stays).collect();
            format!("{}\n", rows.join("\n"))
        }
        how => panic!("nobody knows what `{how}` does to {table}"),
    };
    tables.put(&table, laid.into_bytes());
}

/// The editions of one installation: they share their names, so ids mean the same in all.
#[derive(Debug, Default)]
pub struct Editions {
    names: Names,
    compiled: BTreeMap<String, Arc<Registry>>,
}

impl Editions {
    /// Compiles an edition and asserts that the ids of what was there before stay.
    pub fn add(&mut self, name: &str, tables: &Tables) -> Result<Arc<Registry>, String> {
        let networks = NETWORKS.map(str::to_owned);
        let told = |faults: Vec<weir::domain::fault::Fault>| {
            faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        let registry = compile(tables, Judgement::default(), &networks, &mut self.names);
        let registry = registry.map_err(told)?;
        for before in self.compiled.values() {
            may_follow(before, &registry).map_err(told)?;
            let ids = ids(before);
            for (of, id) in self::ids(&registry) {
                assert_eq!(*ids.get(&of).unwrap_or(&id), id, "{of:?} moved");
            }
        }
        let registry = Arc::new(registry);
        self.compiled.insert(name.to_owned(), Arc::clone(&registry));
        Ok(registry)
    }

    pub fn network(&mut self, name: &str) -> NetworkId {
        NetworkId(self.names.id(NameKind::Network, name))
    }
}

fn ids(registry: &Registry) -> BTreeMap<(&'static str, String), u32> {
    let mut ids = BTreeMap::new();
    let mut put = |kind, name: &str, id: u32| ids.insert((kind, name.to_owned()), id);
    for one in registry.stations.iter() {
        put("station", &one.name, one.id.0);
    }
    for one in registry.devices.iter() {
        put("device", &one.name, one.id.0);
    }
    for one in registry.datastreams.iter() {
        put("datastream", &one.name, one.id.0);
    }
    for one in registry.rules.iter() {
        put("rule", &one.name, one.id.0);
    }
    for one in registry.topics.iter() {
        put("topic", &one.pattern, one.id.0);
    }
    ids
}

/// A message that outlives its buffer.
#[derive(Clone, Debug)]
pub struct Sent {
    pub network: NetworkId,
    pub packet_id: u16,
    pub dup: bool,
    pub retain: bool,
    pub qos: weir::domain::input::Qos,
    pub topic: Vec<u8>,
    pub payload: Vec<u8>,
}

impl Sent {
    /// What a device of the rivers says of a time, ms, at QoS 0.
    pub fn by(network: NetworkId, device: &str, time: i64, values: &str) -> Self {
        Self {
            network,
            packet_id: 0,
            dup: false,
            retain: false,
            qos: weir::domain::input::Qos::AtMostOnce,
            topic: format!("water/{device}/data").into_bytes(),
            payload: format!("{{\"ts\":{time},{values}}}").into_bytes(),
        }
    }

    pub fn message(&self) -> Message<'_> {
        Message {
            network: self.network,
            packet_id: self.packet_id,
            dup: self.dup,
            retain: self.retain,
            qos: self.qos,
            topic: &self.topic,
            payload: &self.payload,
            fault: None,
        }
    }

    fn of(message: &Message<'_>) -> Self {
        Self {
            network: message.network,
            packet_id: message.packet_id,
            dup: message.dup,
            retain: message.retain,
            qos: message.qos,
            topic: message.topic.to_vec(),
            payload: message.payload.to_vec(),
        }
    }
}

/// A dead letter, kept as the daemon keeps it.
#[derive(Clone, Debug)]
pub struct Letter {
    pub sent: Sent,
    pub channel: Option<String>,
    pub record: u32,
    pub received: Moment,
    pub pattern: Option<TopicId>,
    /// Whether the ledger counts the message itself as rejected.
    pub rejected: bool,
    pub open: bool,
}

/// A pipeline and what the daemon does around it.
#[derive(Debug)]
pub struct Player {
    pub pipeline: Pipeline,
    pub out: Processed,
    pub letters: Vec<Letter>,
    pub ledger: BTreeMap<Option<TopicId>, Ledger>,
    /// Everything that was caused, as text.
    pub told: String,
    /// The inputs that the journal would keep.
    pub kept: Inputs,
    /// What each of them caused.
    pub caused: Vec<String>,
    /// Every change of an alert.
    pub alerts: Vec<AlertEvent>,
    editions: BTreeMap<Box<str>, Arc<Registry>>,
    labels: BTreeMap<AlertId, String>,
    renderer: Renderer,
    last: Moment,
    zone: TimeZone,
}

impl Player {
    pub fn new(registry: &Arc<Registry>, at: Moment) -> Self {
        let mut player = Self {
            pipeline: Pipeline::new(Arc::clone(registry), at),
            out: Processed::default(),
            letters: Vec::new(),
            ledger: BTreeMap::new(),
            told: String::new(),
            kept: Inputs::default(),
            caused: Vec::new(),
            alerts: Vec::new(),
            editions: BTreeMap::new(),
            labels: BTreeMap::new(),
            renderer: Renderer::new(registry),
            last: at,
            zone: TimeZone::fixed(Offset::from_hours(8).unwrap()),
        };
        player.take(at, Input::Edition(Arc::clone(registry)));
        player
    }

    /// Takes an input in as the daemon does, and tells what it caused.
    pub fn take(&mut self, at: Moment, input: Input<'_>) {
        let arrival = Arrival { at, input };
        let old = Arc::clone(self.pipeline.registry());
        self.pipeline.process(&arrival, &mut self.out);
        self.last = at;
        if matches!(arrival.input, Input::Tick) && !self.out.changed {
            assert_eq!(self.lines(&old, 0), "", "a tick that is not kept caused something");
            return;
        }
        self.kept.push(&arrival);
        if let Some(fate) = self.out.fate {
            *self.ledger.entry(fate.topic).or_default() += fate.ledger;
            let total = self.total();
            assert!(total.balances(), "{total:?}");
            for Counts { stored, rejected, duplicate, .. } in [total.messages, total.readings] {
                assert!(stored >= 0 && rejected >= 0 && duplicate >= 0, "{total:?}");
            }
        }
        // What an edition ends is told in the names of the one before.
        let (ended, registry) = (self.out.ended, Arc::clone(self.pipeline.registry()));
        let mut caused = self.ended_lines(&old, ended.alerts);
        if let Input::Edition(registry) = &arrival.input {
            self.editions.insert(registry.digest.clone(), Arc::clone(registry));
            self.renderer = Renderer::new(registry);
        }
        caused.push_str(&self.lines(&registry, ended.alerts));
        for reject in &self.out.rejects {
            let channel = reject.channel.as_deref().unwrap_or("the message");
            let (stage, code) = (reject.stage.word(), reject.reason.code());
            writeln!(caused, "  dead letter: {channel}: {stage} {code}: {}", reject.reason)
                .unwrap();
        }
        for Reply { topic, payload, .. } in &self.out.replies {
            writeln!(caused, "  reply on {topic}: {}", payload.escape_ascii()).unwrap();
        }
        self.keep_letters(&arrival);
        self.say(&old, 0..ended.alerts, &mut caused);
        self.say(&registry, ended.alerts..self.out.alerts.len(), &mut caused);
        self.say_notices(&old, 0..ended.notices, &mut caused);
        self.say_notices(&registry, ended.notices..self.out.notices.len(), &mut caused);
        self.alerts.extend(&self.out.alerts);
        self.told.push_str(&caused);
        self.caused.push(caused);
    }

    /// Writes what is told of the alerts. Receivers match the end of an alert with its beginning
    /// by the labels.
    fn say(&mut self, registry: &Registry, which: Range<usize>, caused: &mut String) {
        for event in &self.out.alerts[which] {
            let body = notification(registry, event, &self.letterhead()).body;
            let labels = body["commonLabels"].to_string();
            let fired = self.labels.entry(event.alert).or_insert_with(|| labels.clone());
            assert_eq!(*fired, labels, "{event:?}");
            for language in ["en", "zh"] {
                let sentence = body["commonAnnotations"][format!("summary_{language}")].as_str();
                writeln!(caused, "  {language}: {}", sentence.unwrap()).unwrap();
            }
        }
    }

    fn letterhead(&self) -> Letterhead {
        Letterhead::plain(self.zone.clone())
    }

    /// Writes what is told otherwise than one change at once.
    fn say_notices(&self, registry: &Registry, which: Range<usize>, caused: &mut String) {
        for notice in &self.out.notices[which] {
            let told = self.out.alerts.iter().map(|event| event.alert).collect::<Vec<_>>();
            let alone = matches!(&notice.entries[..], [one] if told.contains(&one.event.alert));
            if alone && notice.kind == NoticeKind::Alerts && notice.entries[0].flaps.is_none() {
                continue;
            }
            let body = group(registry, notice, &self.letterhead()).unwrap().body;
            let alerts = notice.entries.iter().map(|one| one.event.alert.0.to_string());
            let alerts = alerts.collect::<Vec<_>>().join(" ");
            writeln!(caused, "  told together: {alerts}").unwrap();
            for language in ["en", "zh"] {
                let sentence = body["commonAnnotations"][format!("summary_{language}")].as_str();
                writeln!(caused, "    {language}: {}", sentence.unwrap()).unwrap();
            }
        }
    }

    fn keep_letters(&mut self, arrival: &Arrival<'_>) {
        let (message, received, whole) = match &arrival.input {
            Input::Message(message) => (message, arrival.at, true),
            Input::Act(Act::Retry { message, reading, received, .. }) => {
                (message, *received, reading.is_none())
            }
            Input::Act(Act::Invalidate { .. } | Act::Revoke { .. } | Act::Check { .. })
            | Input::Tick
            | Input::Edition(_)
            | Input::Condition(_)
            | Input::Recompute(_)
            | Input::AlertAct(_) => return,
        };
        let anew = matches!(arrival.input, Input::Message(_));
        let rejects = self.out.rejects.iter().filter(|one| anew || one.channel.is_some());
        for reject in rejects.filter(|_| whole) {
            let fate = self.out.fate.unwrap();
            self.letters.push(Letter {
                sent: Sent::of(message),
                channel: reject.channel.as_deref().map(str::to_owned),
                record: reject.record,
                received,
                pattern: fate.topic,
                rejected: fate.outcome == Outcome::Rejected,
                open: true,
            });
        }
    }

    /// What an edition ends, in the names of the one before.
    fn ended_lines(&mut self, old: &Registry, ended: usize) -> String {
        let alerts = &self.out.alerts[..ended];
        Self::written(&mut self.renderer, old, Points { alerts, ..Points::default() })
    }

    /// What was caused, but for the first changes of alerts.
    fn lines(&mut self, registry: &Registry, ended: usize) -> String {
        let Processed {
            observations, controls, coverage, assessments, evaluations, alerts, ..
        } = &self.out;
        let alerts = &alerts[ended..];
        let points = Points { observations, controls, coverage, assessments, evaluations, alerts };
        Self::written(&mut self.renderer, registry, points)
    }

    fn written(renderer: &mut Renderer, registry: &Registry, points: Points<'_>) -> String {
        let mut lines = Vec::new();
        renderer.render(registry, points, &mut lines);
        let text = String::from_utf8(lines).unwrap();
        for line in influxdb_line_protocol::parse_lines(&text) {
            line.unwrap_or_else(|error| panic!("{error}: {text}"));
        }
        let text = text.replace(&*registry.digest, "…");
        text.lines().map(|line| format!("  {line}\n")).collect()
    }

    /// Runs a dead letter again as the daemon does.
    pub fn retry(&mut self, at: Moment, index: usize) {
        let Letter { sent, channel, record, received, pattern, rejected, open } =
            self.letters[index].clone();
        if !open {
            return;
        }
        let reading = channel.as_deref().map(|channel| ReadingPlace { channel, record });
        let message = sent.message();
        self.take(at, Input::Act(Act::Retry { message, reading, received, pattern, rejected }));
        let fate = self.out.fate.unwrap();
        let whole = reading.is_none() && self.out.rejects.iter().all(|one| one.channel.is_some());
        self.letters[index].open = !whole && fate.outcome == Outcome::Rejected;
        if reading.is_some() && fate.ledger.messages.stored > 0 {
            let same = |letter: &&mut Letter| {
                (letter.received, &letter.sent.payload) == (received, &sent.payload)
            };
            self.letters.iter_mut().filter(same).for_each(|letter| letter.rejected = false);
        }
    }

    pub fn total(&self) -> Ledger {
        let mut total = Ledger::default();
        for row in self.ledger.values() {
            total += *row;
        }
        total
    }

    /// Puts the pipeline into bytes, as a release without a desk would, takes it out of them again,
    /// and asserts that what fires stands on the desk all the same.
    pub fn find_desk_again(&self) {
        let registry = self.pipeline.registry();
        let (slices, closing) = self.snapshot();
        let closing = without_desk(&closing);
        let found = snapshot::restore(registry, &slices, &closing).unwrap();
        let standing = |pipeline: &Pipeline| {
            let desk = Arc::clone(&pipeline.state().desk);
            let firing = desk.standing().filter(|(_, one)| one.fires());
            let of = |(id, one): (AlertId, &Standing)| (id, one.event.rule, one.event.subject);
            firing.map(of).collect::<Vec<_>>()
        };
        assert_eq!(standing(&found), standing(&self.pipeline), "{}", self.clock(self.last));
    }

    fn snapshot(&self) -> (Vec<(u32, Vec<u8>)>, Vec<u8>) {
        let state = self.pipeline.state();
        let stations = state.stations.iter().enumerate();
        let slices = stations
            .filter_map(|(id, station)| Some((id as u32, snapshot::slice(station.as_deref()?))))
            .collect();
        let digest = &self.pipeline.registry().digest;
        (slices, snapshot::closing(state, digest, self.last))
    }

    /// Puts the pipeline into bytes and takes it out of them again.
    pub fn restart(&mut self) {
        let registry = self.pipeline.registry();
        let (slices, closing) = self.snapshot();
        let header = snapshot::header(&closing).unwrap();
        assert_eq!((&*header.edition, header.at), (&*registry.digest, self.last));
        let restored = snapshot::restore(registry, &slices, &closing).unwrap();
        let before = std::mem::replace(&mut self.pipeline, restored);
        assert_same_state(&before, &self.pipeline);
        self.renderer = Renderer::new(self.pipeline.registry());
    }

    /// Replays the inputs that the journal would have kept, through its bytes, and asserts that
    /// each causes what it caused.
    pub fn replay(&self) {
        let mut again: Option<Self> = None;
        for kept in Unpacked::new(self.kept.bytes()) {
            let (at, kept) = kept.unwrap();
            let input = self.input(kept);
            match (&mut again, &input) {
                (Some(again), _) => again.take(at, input),
                (None, Input::Edition(registry)) => again = Some(Self::new(registry, at)),
                (None, _) => panic!("nothing comes before the first edition"),
            }
        }
        let again = again.unwrap();
        for (index, (was, is)) in self.caused.iter().zip(&again.caused).enumerate() {
            assert_eq!(was, is, "input {index} in replay");
        }
        assert_eq!(self.ledger, again.ledger);
        assert_same_state(&self.pipeline, &again.pipeline);
    }

    fn input<'a>(&self, kept: Kept<'a>) -> Input<'a> {
        match kept {
            Kept::Message(message) => Input::Message(message),
            Kept::Tick => Input::Tick,
            Kept::Act(act) => Input::Act(act),
            Kept::Condition(condition) => Input::Condition(condition),
            Kept::Recompute(recomputed) => Input::Recompute(recomputed),
            Kept::AlertAct(act) => Input::AlertAct(act),
            Kept::Edition(digest) => Input::Edition(Arc::clone(&self.editions[digest])),
        }
    }

    /// Recomputes what is due, from what the journal would keep, as the daemon does.
    pub fn recompute(&mut self, at: Moment) -> Option<Reckoned> {
        let registry = self.pipeline.registry();
        let task = late::due(registry, &self.pipeline.state().stations, at)?;
        let said = Arc::clone(&self.pipeline.state().invalidations);
        let kept = || Unpacked::new(self.kept.bytes()).map(Result::unwrap);
        // The editions before the first message that is played are those that were in force.
        let (_, Kept::Edition(first)) = kept().next()? else { panic!("no edition") };
        let announced = &self.pipeline.state().announced;
        let outcome = recompute(&task, &self.editions[first], announced, &said, |take| {
            for (at, kept) in kept() {
                let before = at.wall < task.begins() && !matches!(kept, Kept::Edition(_));
                if !before && take(&Arrival { at, input: self.input(kept) }).is_break() {
                    break;
                }
            }
            Ok::<(), Infallible>(())
        });
        let outcome = outcome.unwrap();
        for part in outcome.recomputed.clone().parts(POINTS_MAX) {
            self.take(at, Input::Recompute(Arc::new(part)));
        }
        Some(outcome)
    }

    pub fn clock(&self, at: Moment) -> String {
        at.wall.rfc3339(&self.zone).trim_end_matches("+08:00").replace('T', " ")
    }

    /// Writes the ledger as a table.
    pub fn ledger_text(&self) -> String {
        let registry = self.pipeline.registry();
        let mut text = String::new();
        let counts = |of: &Counts| {
            let Counts { received, stored, rejected, duplicate } = of;
            format!("{received} = {stored} stored + {rejected} rejected + {duplicate} duplicate")
        };
        let mut row = |name: &str, of: &Ledger| {
            writeln!(text, "{name}").unwrap();
            writeln!(text, "  messages {}", counts(&of.messages)).unwrap();
            writeln!(text, "  readings {}", counts(&of.readings)).unwrap();
            let rest = [("unprotected", of.unprotected), ("revisions", of.revisions)];
            for (word, count) in rest.into_iter().chain([("late", of.late)]) {
                if count != 0 {
                    writeln!(text, "  {word} {count}").unwrap();
                }
            }
        };
        for (topic, of) in &self.ledger {
            let rule = topic.and_then(|topic| registry.topics.get(topic.index()));
            row(rule.map_or("(no pattern)", |rule| &rule.pattern), of);
        }
        if self.ledger.len() > 1 {
            row("total", &self.total());
        }
        text
    }
}

/// Takes the desk out of the closing part of a snapshot.
pub fn without_desk(closing: &[u8]) -> Vec<u8> {
    const DESK: usize = 12;
    const NULL: u8 = 0xf6;
    let mut decoder = minicbor::Decoder::new(closing);
    decoder.array().unwrap();
    for _ in 0..DESK {
        decoder.skip().unwrap();
    }
    let from = decoder.position();
    decoder.skip().unwrap();
    [&closing[..from], &[NULL], &closing[decoder.position()..]].concat()
}

#[track_caller]
pub fn assert_same_state(a: &Pipeline, b: &Pipeline) {
    let (a, b) = (a.state(), b.state());
    assert_eq!(a.stations, b.stations);
    assert_eq!(a.networks, b.networks);
    assert_eq!(a.basin, b.basin);
    assert_eq!(a.weir, b.weir);
    assert_eq!(a.announced, b.announced);
    assert_eq!(a.alerts, b.alerts);
    assert_eq!(a.invalidations, b.invalidations);
}
