//! The journal against a model of it: whatever is committed, noted, tidied, killed or restored, in
//! whatever order, what can be read is what the model holds. `PROPTEST_CASES` asks for more cases.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read as _;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use tempfile::TempDir;
use weir::domain::alert::{AlertChange, AlertId};
use weir::domain::input::{Arrival, Input, Message, Qos};
use weir::domain::ledger::{Counts, Ledger};
use weir::domain::name::{DatastreamId, NameKind, Named, NetworkId, RuleId, TopicId};
use weir::domain::observation::{ObservationResult, Period};
use weir::domain::quality::Flag;
use weir::domain::reject::Stage;
use weir::domain::time::{DAY, HOUR, Moment, Timestamp};
use weir::journal::batch::{
    AlertRow, Attempt, Batch, CursorRow, DeadLetter, DeadLetterId, EditionRow, NotificationRow,
    Receipt, RefusedRow,
};
use weir::journal::dead_letter::KEPT_MAX;
use weir::journal::read::Reader;
use weir::journal::store::StoredObservation;
use weir::journal::write::{Journal, SnapshotId};
use weir::journal::{Config, Error, backup};

const START: i64 = 1_760_000_000_000;
const SINKS: [&str; 2] = ["influx", "other"];
const CHANNELS: [&str; 2] = ["duty", "mail"];
/// Of a journal that is never full; of one that soon is; of one that takes notes only.
const LIMITS: [u64; 3] = [8 << 30, 250_000, 1];

/// What sinks and channels report: each number picks one of what there is.
#[derive(Clone, Debug, Default)]
struct Progress {
    cursors: Vec<(usize, u64)>,
    refused: Vec<usize>,
    receipts: Vec<(usize, usize)>,
    attempts: Vec<(usize, usize)>,
}

/// What a batch holds.
#[derive(Clone, Debug, Default)]
struct Plan {
    step_ms: i64,
    payloads: Vec<u16>,
    lines: u64,
    ledger: Vec<(u32, [u8; 6])>,
    letters: Vec<(u8, u8, usize)>,
    alerts: Vec<(u64, u8)>,
    notifications: Vec<(u8, usize)>,
    names: usize,
    edition: Option<u8>,
    observations: Vec<(u32, i64, u8)>,
    retried: Vec<usize>,
    mended: Vec<usize>,
    progress: Progress,
}

#[derive(Clone, Debug)]
enum Act {
    Commit(Box<Plan>),
    Note(Progress),
    /// A snapshot is begun; the one before it may be left unfinished.
    Begin,
    Slices(Vec<(u32, u8)>),
    Finish(u8),
    Tidy {
        hours: i64,
    },
    ForgetSinks(usize),
    /// Closed and opened again, with another limit.
    Restart(usize),
    /// Its files as a kill leaves them.
    Kill,
    Restore,
}

fn progress() -> impl Strategy<Value = Progress> {
    let some = || vec((0_usize..9, 0_usize..2), 0..3);
    let cursors = vec((0_usize..2, 0_u64..99), 0..3);
    (cursors, vec(0_usize..2, 0..3), some(), some()).prop_map(
        |(cursors, refused, receipts, attempts)| Progress { cursors, refused, receipts, attempts },
    )
}

fn plan() -> impl Strategy<Value = Plan> {
    let step = prop_oneof![8 => 0_i64..60_000, 1 => -HOUR..0, 1 => HOUR..3 * DAY];
    let main = (vec(0_u16..3_000, 0..3), 0_u64..4, vec((0_u32..3, any::<[u8; 6]>()), 0..3));
    let letters = vec((0_u8..2, 0_u8..2, prop_oneof![3 => 1_usize..4, 1 => 30_usize..60]), 0..2);
    let told = (vec((1_u64..4, 0_u8..4), 0..3), vec((0_u8..9, 0_usize..4), 0..3));
    let world = (0_usize..3, proptest::option::of(0_u8..3));
    let rows = vec((0_u32..2, 0_i64..4, 0_u8..9), 0..3);
    let again = (vec(0_usize..99, 0..3), vec(0_usize..99, 0..2));
    (step, main, letters, told, world, rows, again, progress()).prop_map(
        |(step_ms, main, letters, told, world, observations, again, progress)| Plan {
            step_ms,
            payloads: main.0,
            lines: main.1,
            ledger: main.2,
            letters,
            alerts: told.0,
            notifications: told.1,
            names: world.0,
            edition: world.1,
            observations,
            retried: again.0,
            mended: again.1,
            progress,
        },
    )
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => plan().prop_map(|plan| Act::Commit(Box::new(plan))),
        3 => progress().prop_map(Act::Note),
        2 => Just(Act::Begin),
        2 => vec((0_u32..3, any::<u8>()), 0..3).prop_map(Act::Slices),
        2 => any::<u8>().prop_map(Act::Finish),
        2 => (0_i64..40 * 24).prop_map(|hours| Act::Tidy { hours }),
        1 => (0_usize..4).prop_map(Act::ForgetSinks),
        1 => (0_usize..3).prop_map(Act::Restart),
        1 => Just(Act::Kill),
        1 => Just(Act::Restore),
    ]
}

#[derive(Clone, Debug)]
struct BatchHeld {
    sequence: u64,
    at: i64,
    inputs: Option<Vec<u8>>,
    lines: Option<Vec<u8>>,
    line_count: u64,
    lines_total: u64,
}

#[derive(Clone, Debug, Default)]
struct CursorHeld {
    sequence: u64,
    lines_total: u64,
    refused: u64,
}

#[derive(Clone, Debug)]
struct Told {
    id: String,
    at: i64,
    body: String,
    /// By channel: attempts, and whether it is confirmed.
    deliveries: BTreeMap<&'static str, (u32, bool)>,
}

#[derive(Clone, Debug)]
struct SnapshotKept {
    sequence: u64,
    taken_at: i64,
    slices: BTreeMap<u32, Vec<u8>>,
    closing: Option<Vec<u8>>,
}

/// What a journal should hold.
#[derive(Clone, Debug, Default)]
struct Model {
    now: i64,
    limit: u64,
    sequence: u64,
    last: Option<Moment>,
    lines_total: u64,
    batches: Vec<BatchHeld>,
    ledger: BTreeMap<Option<TopicId>, Ledger>,
    names: Vec<Named>,
    editions: BTreeMap<String, Vec<u8>>,
    cursors: BTreeMap<&'static str, CursorHeld>,
    refused: Vec<(String, String)>,
    told: Vec<Told>,
    alerts: Vec<(u64, AlertChange, String)>,
    letters: Vec<(DeadLetter, Option<i64>)>,
    /// By device and reason: all, and those that are kept.
    counts: BTreeMap<(String, String), (u64, u64)>,
    observations: BTreeMap<(u32, i64), StoredObservation>,
    snapshots: Vec<SnapshotKept>,
}

fn pick<T>(of: &[T], number: usize) -> Option<&T> {
    if of.is_empty() { None } else { of.get(number % of.len()) }
}

fn noise(seed: u16) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(u64::from(seed));
    (0..seed).map(|_| random.u8(..)).collect()
}

fn letter(at: i64, device: u8, code: u8, number: usize) -> DeadLetter {
    DeadLetter {
        at: Timestamp(at),
        network: NetworkId(0),
        topic: b"water/\xff".as_slice().into(),
        payload: vec![device, (number % 3) as u8].into(),
        qos: Qos::AtLeastOnce,
        retain: false,
        packet_id: 7,
        stage: Stage::Decode,
        code: format!("c{code}").into(),
        words: "not JSON".to_owned(),
        device: (device > 0).then(|| format!("d{device}")),
        channel: None,
        record: number as u32,
        received: Moment { wall: Timestamp(at), elapsed_ms: 1 },
        pattern: None,
        message_rejected: true,
        more: u32::from(number % 5 == 4),
    }
}

impl Model {
    /// Makes what sinks and channels report about what there is.
    fn notes(&self, progress: &Progress, batch: &mut Batch) {
        let at = Timestamp(self.now);
        let mut fresh: BTreeSet<&str> = SINKS.into();
        fresh.retain(|sink| !self.cursors.contains_key(sink));
        for (sink, back) in &progress.cursors {
            let sink = SINKS[*sink];
            // A sink is registered before it has any.
            let sequence = if fresh.remove(sink) { 0 } else { self.sequence.saturating_sub(*back) };
            batch.cursors.push(CursorRow { sink: sink.into(), sequence });
        }
        for sink in &progress.refused {
            let line = format!("water ph={} 1", self.refused.len() + batch.refused.len());
            let (sink, words) = (SINKS[*sink].into(), "no".to_owned());
            batch.refused.push(RefusedRow { sink, at, line, field: None, words });
        }
        let of = |(told, channel): &(usize, usize)| {
            Some((pick(&self.told, *told)?.id.clone(), CHANNELS[*channel].into()))
        };
        for (id, channel) in progress.receipts.iter().filter_map(of) {
            batch.receipts.push(Receipt { id, channel, at, words: "200".to_owned() });
        }
        for (id, channel) in progress.attempts.iter().filter_map(of) {
            batch.attempts.push(Attempt { id, channel, at, words: "503".to_owned() });
        }
    }

    fn batch(&self, plan: &Plan) -> Batch {
        let mut batch = Batch { at: Timestamp(self.now), ..Batch::default() };
        self.lay_messages(plan, &mut batch);
        self.lay_alerts(plan, &mut batch);
        for number in 0..plan.names {
            let id = (self.names.len() + number) as u32;
            batch.names.push(Named { kind: NameKind::Topic, name: format!("t {id}").into(), id });
        }
        if let Some(edition) = plan.edition {
            let (digest, taken_at) = (format!("e{edition}").into(), batch.at);
            batch.editions.push(EditionRow { digest, taken_at, tables: vec![edition; 99] });
        }
        for (datastream, time, value) in &plan.observations {
            batch.observations.push(StoredObservation {
                datastream: DatastreamId(*datastream),
                period: Period::Native,
                time: Timestamp(START + time),
                result: ObservationResult::Value(f64::from(*value)),
                raw: None,
                flag: Flag::Pass,
                revision: false,
                flag_only: false,
                mark: None,
            });
        }
        let id = |number: &usize| {
            (!self.letters.is_empty()).then(|| (number % self.letters.len()) as i64 + 1)
        };
        batch.retried = plan.retried.iter().filter_map(id).map(DeadLetterId).collect();
        let key = |number: &usize| pick(&self.letters, *number).map(|held| held.0.message());
        batch.mended = plan.mended.iter().filter_map(key).collect();
        self.notes(&plan.progress, &mut batch);
        batch
    }

    fn lay_messages(&self, plan: &Plan, batch: &mut Batch) {
        for (number, payload) in plan.payloads.iter().enumerate() {
            let wall = Timestamp(self.now + number as i64);
            let message = Message {
                network: NetworkId(0),
                packet_id: number as u16,
                dup: false,
                retain: false,
                qos: Qos::AtLeastOnce,
                topic: b"water/s/data",
                payload: &noise(*payload),
                fault: None,
            };
            let at = Moment { wall, elapsed_ms: number as i64 };
            batch.inputs.push(&Arrival { at, input: Input::Message(message) });
        }
        for number in 0..plan.lines {
            batch.lines.extend(format!("water ph={number} {}\n", self.now).bytes());
        }
        batch.line_count = plan.lines;
        for (topic, [a, b, c, d, e, f]) in &plan.ledger {
            let counts = |stored: u8, rejected: u8| Counts {
                received: i64::from(stored) + i64::from(rejected),
                stored: i64::from(stored),
                rejected: i64::from(rejected),
                duplicate: 0,
            };
            let (unprotected, late) = (i64::from(*e), i64::from(*f));
            let (messages, readings) = (counts(*a, *b), counts(*c, *d));
            let row = Ledger { messages, readings, unprotected, revisions: 0, late };
            batch.ledger.push((topic.checked_sub(1).map(TopicId), row));
        }
        for (device, code, count) in &plan.letters {
            let letters = (0..*count).map(|number| letter(self.now, *device, *code, number));
            batch.dead_letters.extend(letters);
        }
    }

    fn lay_alerts(&self, plan: &Plan, batch: &mut Batch) {
        for (number, (alert, change)) in plan.alerts.iter().enumerate() {
            let changes = [
                AlertChange::Fired,
                AlertChange::Changed,
                AlertChange::Resolved,
                AlertChange::Withdrawn,
            ];
            batch.alerts.push(AlertRow {
                alert: AlertId(*alert),
                rule: RuleId(1),
                subject: "station 3".to_owned(),
                change: changes[usize::from(*change)],
                since: batch.at,
                at: batch.at,
                json: format!("{{\"n\":{}}}", self.alerts.len() + number),
                words: String::new(),
            });
        }
        for (id, channels) in &plan.notifications {
            let of = CHANNELS.iter().enumerate().filter(|(bit, _)| channels & (1 << bit) != 0);
            let channels = of.map(|(_, channel)| (*channel).into()).collect();
            let body = format!("{{\"at\":{}}}", self.now);
            let (id, alerts) = (format!("n{id}"), vec![AlertId(1)]);
            batch.notifications.push(NotificationRow { id, channels, body, alerts });
        }
    }

    /// Takes over what was committed.
    fn take(&mut self, batch: &Batch) {
        if batch.is_main() {
            self.sequence += 1;
            self.lines_total += batch.line_count;
            self.batches.push(BatchHeld {
                sequence: self.sequence,
                at: batch.at.millis(),
                inputs: Some(batch.inputs.bytes().to_vec()),
                lines: Some(batch.lines.clone()),
                line_count: batch.line_count,
                lines_total: self.lines_total,
            });
            let last = self.last.unwrap_or_default();
            self.last = Some(if batch.inputs.is_empty() { last } else { batch.inputs.last() });
            for (topic, row) in &batch.ledger {
                *self.ledger.entry(*topic).or_default() += *row;
            }
        }
        self.names.extend(batch.names.iter().cloned());
        for edition in &batch.editions {
            self.editions.entry(edition.digest.to_string()).or_insert(edition.tables.clone());
        }
        for row in &batch.observations {
            self.observations.insert((row.datastream.0, row.time.millis()), *row);
        }
        self.take_letters(batch);
        let alerts = batch.alerts.iter();
        self.alerts.extend(alerts.map(|row| (row.alert.0, row.change, row.json.clone())));
        self.take_told(batch);
        self.take_progress(batch);
    }

    fn take_letters(&mut self, batch: &Batch) {
        let kind = |letter: &DeadLetter| {
            (letter.device.clone().unwrap_or_default(), letter.code.to_string())
        };
        for letter in &batch.dead_letters {
            let count = self.counts.entry(kind(letter)).or_default();
            count.0 += 1 + u64::from(letter.more);
            if count.1 < KEPT_MAX as u64 {
                count.1 += 1;
                self.letters.push((DeadLetter { more: 0, ..letter.clone() }, None));
            }
        }
        for id in &batch.retried {
            let (letter, retried_at) = &mut self.letters[id.0 as usize - 1];
            if retried_at.is_none() {
                *retried_at = Some(batch.at.millis());
                let count = self.counts.get_mut(&kind(letter)).unwrap();
                (count.0, count.1) = (count.0 - 1, count.1 - 1);
            }
        }
        for (letter, _) in &mut self.letters {
            if batch.mended.contains(&letter.message()) {
                letter.message_rejected = false;
            }
        }
    }

    fn take_told(&mut self, batch: &Batch) {
        for row in &batch.notifications {
            if self.told.iter().any(|told| told.id == row.id) {
                continue;
            }
            let channels =
                CHANNELS.iter().filter(|name| row.channels.iter().any(|c| **c == ***name));
            let deliveries = channels.map(|channel| (*channel, (0, false))).collect();
            let (id, body) = (row.id.clone(), row.body.clone());
            self.told.push(Told { id, at: batch.at.millis(), body, deliveries });
        }
        let attempts = batch.attempts.iter().map(|row| (&row.id, &row.channel, false));
        let receipts = batch.receipts.iter().map(|row| (&row.id, &row.channel, true));
        for (id, channel, confirmed) in attempts.chain(receipts) {
            let Some(told) = self.told.iter_mut().find(|told| told.id == *id) else { continue };
            if let Some(delivery) = told.deliveries.get_mut(&**channel) {
                *delivery = (delivery.0 + 1, delivery.1 || confirmed);
            }
        }
    }

    fn take_progress(&mut self, batch: &Batch) {
        for row in &batch.refused {
            self.refused.push((row.sink.to_string(), row.line.clone()));
        }
        for row in &batch.cursors {
            let sink = *SINKS.iter().find(|sink| ***sink == *row.sink).unwrap();
            let held = self.cursors.entry(sink).or_default();
            // Who begins waits for the points that are still there.
            let mut batches = self.batches.iter();
            let of = if row.sequence == 0 {
                let first = batches.find(|batch| batch.lines.is_some());
                let before = first.map(|batch| batch.lines_total - batch.line_count);
                before.or(self.batches.last().map(|batch| batch.lines_total))
            } else {
                let of = batches.find(|batch| batch.sequence == row.sequence);
                of.map(|batch| batch.lines_total)
            };
            held.lines_total = held.lines_total.max(of.unwrap_or(0));
            held.sequence = held.sequence.max(row.sequence);
        }
        for row in &batch.refused {
            // Only a sink that is registered has a count.
            if let Some(cursor) = self.cursors.get_mut(&*row.sink) {
                cursor.refused += 1;
            }
        }
    }

    fn tidy(&mut self, now: i64, pressing: bool) {
        let before = |keep_ms: i64| if pressing { now + 1 } else { now - keep_ms };
        let closed = |one: &&SnapshotKept| one.closing.is_some();
        let newest: Vec<u64> =
            self.snapshots.iter().filter(closed).rev().take(2).map(|one| one.sequence).collect();
        let held = newest.into_iter().min().unwrap_or(0);
        let delivered = self.cursors.values().map(|one| one.sequence).min().unwrap_or(u64::MAX);
        let last = self.sequence;
        self.batches.retain(|batch| {
            let needed = batch.sequence > held || batch.sequence > delivered;
            needed || batch.sequence == last || batch.at >= before(30 * DAY)
        });
        for batch in &mut self.batches {
            if batch.at < before(30 * DAY) && batch.sequence <= held {
                batch.inputs = None;
            }
            if batch.at < before(DAY) && batch.sequence <= delivered {
                batch.lines = None;
            }
        }
        self.told.retain(|told| {
            told.at >= now - 30 * DAY || told.deliveries.values().any(|delivery| !delivery.1)
        });
        self.tidy_snapshots(before(7 * DAY));
    }

    fn tidy_snapshots(&mut self, daily_before: i64) {
        let closed: Vec<usize> = (0..self.snapshots.len())
            .filter(|index| self.snapshots[*index].closing.is_some())
            .collect();
        let newest: Vec<usize> = closed.iter().rev().take(2).copied().collect();
        let goes = |index: usize| {
            let one = &self.snapshots[index];
            let earlier = closed.iter().any(|other| {
                *other < index && self.snapshots[*other].taken_at / DAY == one.taken_at / DAY
            });
            one.closing.is_some()
                && !newest.contains(&index)
                && (one.taken_at < daily_before || earlier)
        };
        let kept: Vec<SnapshotKept> = (0..self.snapshots.len())
            .filter(|index| !goes(*index))
            .map(|index| self.snapshots[index].clone())
            .collect();
        self.snapshots = kept;
    }
}

/// The journal beside its model.
struct Run {
    model: Model,
    journal: Option<Journal>,
    folder: TempDir,
    writing: Option<SnapshotId>,
}

impl Run {
    fn new() -> Self {
        let (folder, limit) = (folder(), LIMITS[0]);
        let model = Model { now: START, limit, ..Model::default() };
        let mut run = Self { model, journal: None, folder, writing: None };
        run.open();
        run
    }

    fn open(&mut self) {
        let config =
            Config { journal_bytes_max: self.model.limit, ..Config::at(self.folder.path()) };
        self.journal = Some(Journal::open(&config, Timestamp(self.model.now)).unwrap());
        self.writing = None;
        self.model.snapshots.retain(|one| one.closing.is_some());
    }

    fn journal(&mut self) -> &mut Journal {
        self.journal.as_mut().unwrap()
    }

    fn reader(&self) -> Reader {
        Reader::open(self.folder.path()).unwrap()
    }

    fn commit(&mut self, batch: &Batch) {
        let bytes = self.reader().bytes().unwrap();
        match self.journal().commit(batch) {
            Ok(committed) => {
                self.model.take(batch);
                assert_eq!(committed.sequence, self.model.sequence);
            }
            Err(Error::Full { .. }) => {
                assert!(batch.is_main() && bytes >= self.model.limit, "{bytes}");
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Commit(plan) => {
                self.model.now += plan.step_ms;
                let batch = self.model.batch(plan);
                self.commit(&batch);
            }
            Act::Note(progress) => {
                let at = Timestamp(self.model.now);
                let mut notes = Batch { at, ..Batch::default() };
                self.model.notes(progress, &mut notes);
                self.commit(&notes);
            }
            Act::Begin => {
                let taken_at = self.model.now;
                self.writing = Some(self.journal().begin_snapshot(Timestamp(taken_at)).unwrap());
                let (sequence, slices) = (self.model.sequence, BTreeMap::new());
                self.model.snapshots.retain(|one| one.closing.is_some());
                let begun = SnapshotKept { sequence, taken_at, slices, closing: None };
                self.model.snapshots.push(begun);
            }
            Act::Slices(slices) => self.put_slices(slices),
            Act::Finish(number) => {
                let Some(id) = self.writing.take() else { return };
                let closing = vec![*number; 200];
                self.journal().finish_snapshot(id, &closing).unwrap();
                self.model.snapshots.last_mut().unwrap().closing = Some(closing);
            }
            Act::Tidy { hours } => {
                let now = self.model.now + hours * HOUR;
                let bytes = self.reader().bytes().unwrap();
                let pressing = bytes as f64 >= self.model.limit as f64 * 0.9;
                assert!(!self.journal().tidy(Timestamp(now)).unwrap().more());
                self.model.tidy(now, pressing);
            }
            Act::ForgetSinks(keep) => {
                let of = SINKS.iter().enumerate().filter(|(bit, _)| keep & (1 << bit) != 0);
                let held: Vec<&str> = of.map(|(_, sink)| *sink).collect();
                self.journal().forget_sinks(&held).unwrap();
                self.model.cursors.retain(|sink, _| held.contains(sink));
            }
            Act::Restart(limit) => {
                self.journal = None;
                self.model.limit = LIMITS[*limit];
                self.open();
            }
            Act::Kill => self.kill(),
            Act::Restore => {
                let elsewhere = folder();
                let (file, data) = (elsewhere.path().join("copy"), elsewhere.path().join("data"));
                backup::backup(self.folder.path(), &file, &mut |_| ()).unwrap();
                self.journal = None;
                self.folder = folder();
                backup::restore(&file, &data).unwrap();
                copy_journal(&data, self.folder.path());
                self.open();
            }
        }
    }

    fn put_slices(&mut self, slices: &[(u32, u8)]) {
        let Some(id) = self.writing else { return };
        let held = &mut self.model.snapshots.last_mut().unwrap().slices;
        let mut fresh = Vec::new();
        for (station, number) in slices {
            // Each station is written once.
            if !held.contains_key(station) {
                held.insert(*station, vec![*number; 300]);
                fresh.push((*station, vec![*number; 300]));
            }
        }
        self.journal().put_slices(id, &fresh).unwrap();
    }

    /// What a killed process leaves are the files as they are, its log not folded back.
    fn kill(&mut self) {
        let left = folder();
        copy_journal(self.folder.path(), left.path());
        self.journal = None;
        self.folder = left;
        self.open();
    }
}

/// Makes a folder in memory, where there is one: a kill of the process loses nothing there either,
/// and each commit waits for no disk.
fn folder() -> TempDir {
    TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap()
}

fn copy_journal(from: &Path, to: &Path) {
    for file in ["journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm"] {
        if from.join(file).exists() {
            fs::copy(from.join(file), to.join(file)).unwrap();
        }
    }
}

/// Everything that can be read.
impl Run {
    fn check(&self) {
        let (model, journal, reader) = (&self.model, self.journal.as_ref().unwrap(), self.reader());
        assert_eq!((journal.sequence(), journal.last_moment()), (model.sequence, model.last));
        assert_eq!(reader.sequence().unwrap(), model.sequence);
        let names: BTreeSet<_> = reader.names().unwrap().into_iter().map(|one| one.name).collect();
        assert_eq!(names, model.names.iter().map(|one| one.name.clone()).collect());
        let ledger = reader.ledger().unwrap();
        assert_eq!(ledger.rows.into_iter().collect::<BTreeMap<_, _>>(), model.ledger);
        assert_eq!(journal.ledger().collect::<BTreeMap<_, _>>(), model.ledger);
        for number in 0..3 {
            let digest = format!("e{number}");
            let held = reader.edition(&digest).unwrap().map(|held| held.tables);
            assert_eq!(held.as_ref(), model.editions.get(&digest));
        }
        self.check_batches(&reader);
        self.check_told(&reader);
        self.check_letters(&reader);
        let newest = model.snapshots.iter().rfind(|one| one.closing.is_some());
        let held = reader.latest_snapshot().unwrap();
        assert_eq!(held.is_some(), newest.is_some());
        if let (Some(held), Some(newest)) = (held, newest) {
            assert_eq!((held.sequence, held.taken_at.millis()), (newest.sequence, newest.taken_at));
            assert_eq!(held.slices.into_iter().collect::<BTreeMap<_, _>>(), newest.slices);
            assert_eq!(Some(held.closing), newest.closing);
        }
        let mut observations = Vec::new();
        for datastream in [DatastreamId(0), DatastreamId(1)] {
            let (from, to) = (Timestamp(START), Timestamp(START + 99));
            let of = reader.observations(datastream, Period::Native, from, to);
            observations.extend(of.unwrap());
        }
        assert_eq!(observations, model.observations.values().copied().collect::<Vec<_>>());
    }

    fn check_batches(&self, reader: &Reader) {
        let model = &self.model;
        let after = model.sequence / 2;
        for after in [0, after] {
            let mut inputs = Vec::new();
            reader
                .inputs_after(after, |sequence, bytes| {
                    inputs.push((sequence, bytes.to_vec()));
                    Ok::<(), Error>(())
                })
                .unwrap();
            let held = model.batches.iter().filter(|batch| batch.sequence > after);
            let held = held.filter_map(|one| Some((one.sequence, one.inputs.clone()?)));
            assert_eq!(inputs, held.collect::<Vec<_>>());
        }
        for sink in SINKS {
            let cursor = reader.cursor(sink).unwrap();
            let held = model.cursors.get(sink);
            let numbers = held
                .map(|held| (held.sequence, model.lines_total - held.lines_total, held.refused));
            assert_eq!(cursor.map(|one| (one.sequence, one.waiting, one.refused)), numbers);
            let after = held.map_or(0, |held| held.sequence);
            let next = model.batches.iter().find(|batch| batch.sequence > after);
            let first = reader.first_after(after).unwrap().map(Timestamp::millis);
            assert_eq!(first, next.map(|batch| batch.at));
            self.check_lines(reader, after);
        }
        let refused: Vec<_> =
            reader.refused(999).unwrap().into_iter().map(|one| (one.sink, one.line)).collect();
        assert_eq!(refused, model.refused.iter().rev().cloned().collect::<Vec<_>>());
    }

    /// What a sink reads: in order, and whatever was let go is no damage.
    fn check_lines(&self, reader: &Reader, after: u64) {
        let held = self.model.batches.iter().filter(|batch| batch.sequence > after);
        let held = held.filter(|batch| batch.line_count > 0);
        let gone = held.clone().filter(|batch| batch.lines.is_none()).map(|batch| batch.sequence);
        let want: Vec<(Vec<u8>, u64)> =
            held.filter_map(|one| Some((one.lines.clone()?, one.line_count))).collect();
        let lines = reader.lines_after(after, usize::MAX).unwrap();
        let last = self.model.batches.last().map_or(0, |batch| batch.sequence);
        assert_eq!(lines.as_ref().map(|lines| lines.sequence), (last > after).then_some(last));
        let Some(lines) = lines else { return };
        assert_eq!((lines.damaged, lines.let_go), (Vec::new(), gone.max()));
        let read = lines.members.iter().map(|(member, count)| {
            let mut text = Vec::new();
            flate2::read::MultiGzDecoder::new(&**member).read_to_end(&mut text).unwrap();
            (text, *count)
        });
        assert_eq!(read.collect::<Vec<_>>(), want);
    }

    fn check_told(&self, reader: &Reader) {
        let model = &self.model;
        for channel in CHANNELS {
            let due = reader.notifications_due(channel, 0, 999).unwrap();
            assert!(due.is_sorted_by_key(|one| one.number));
            let due: Vec<_> = due.into_iter().map(|one| (one.id, one.body, one.attempts)).collect();
            let waits = |told: &Told| {
                let (attempts, confirmed) = *told.deliveries.get(channel)?;
                (!confirmed).then(|| (told.id.clone(), told.body.clone(), attempts))
            };
            assert_eq!(due, model.told.iter().filter_map(waits).collect::<Vec<_>>());
        }
        let history: Vec<_> = reader
            .alert_history((None, None), 999)
            .unwrap()
            .into_iter()
            .map(|one| one.json)
            .collect();
        let want: Vec<_> = model.alerts.iter().rev().map(|one| one.2.clone()).collect();
        assert_eq!(history, want);
        let is_last = |index: usize, alert: u64| {
            model.alerts.iter().skip(index + 1).all(|(other, ..)| *other != alert)
        };
        let open = model.alerts.iter().enumerate().filter(|(index, (alert, change, _))| {
            let fires = matches!(change, AlertChange::Fired | AlertChange::Changed);
            fires && is_last(*index, *alert)
        });
        let open: Vec<_> = open.map(|(_, one)| one.2.clone()).collect();
        let read: Vec<_> = reader.open_alerts().unwrap().into_iter().map(|one| one.json).collect();
        assert_eq!(read, open);
    }

    fn check_letters(&self, reader: &Reader) {
        let model = &self.model;
        let read = reader.dead_letters(DeadLetterId(0), 9_999).unwrap();
        let read: Vec<_> = read.into_iter().map(|held| (held.id.0, held.letter)).collect();
        let held = model.letters.iter().enumerate().filter(|(_, held)| held.1.is_none());
        let held = held.map(|(index, held)| (index as i64 + 1, held.0.clone()));
        assert_eq!(read, held.collect::<Vec<_>>());
        if let Some((letter, retried_at)) = model.letters.first() {
            let read = reader.dead_letter(DeadLetterId(1)).unwrap().unwrap();
            assert_eq!(read.letter, *letter);
            assert_eq!(read.retried_at.map(Timestamp::millis), *retried_at);
        }
        let counts = reader.dead_letter_counts().unwrap().into_iter();
        let counts: BTreeMap<_, _> =
            counts.map(|one| ((one.device, one.code), (one.total, one.kept))).collect();
        let want = model.counts.iter().filter(|(_, count)| count.0 > 0);
        assert_eq!(counts, want.map(|(kind, count)| (kind.clone(), *count)).collect());
    }
}

fn run(acts: &[Act]) {
    let mut run = Run::new();
    for act in acts {
        run.act(act);
        run.check();
    }
    run.kill();
    run.check();
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(24)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(),
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_happens_the_journal_reads_as_its_model(acts in vec(act(), 1..40)) {
        run(&acts);
    }
}
