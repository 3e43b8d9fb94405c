//! The pipeline and the batch it fills: what an input caused is rendered, counted and laid beside
//! the input, until the committer takes it all in one transaction.

mod again;
mod load;
mod replies;
mod told;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::tz::TimeZone;
use tokio::sync::mpsc;

pub use self::load::Load;
use crate::daemon::edition::Edition;
use crate::daemon::import::{self, Taken};
use crate::daemon::in_hand::{DIED, InHand, words};
use crate::daemon::letter::{self, Cause};
use crate::daemon::recover;
use crate::daemon::rising::Rising;
use crate::daemon::unknown_mark::UnknownMarks;
use crate::decode::hj212::Keys;
use crate::domain::desk::{AlertAct, What};
use crate::domain::input::{Arrival, Input, Message, ReceiveFault};
use crate::domain::ledger::Ledger;
use crate::domain::name::{NameKind, Names, NetworkId, TopicId};
use crate::domain::registry::{Level, Registry, filter};
use crate::domain::time::{Moment, Timestamp};
use crate::influx::line::{Points, Renderer};
use crate::journal::batch::{AlertActRow, DeadLetterId, EditionRow, MessageKey};
use crate::journal::store::StoredObservation;
use crate::mqtt::acknowledgement::{AckToken, Acknowledger};
use crate::mqtt::outbox::Outbox;
use crate::notify;
use crate::pipeline::act::Judged;
use crate::pipeline::{Fate, Pipeline, Processed, snapshot};

/// A batch is handed over when it holds this many messages,
pub const BATCH_MESSAGES_MAX: usize = 1_000;
/// or this many bytes of topics and payloads.
pub const BATCH_BYTES_MAX: usize = 4 << 20;
/// or when it is so old, ms: at once if it changes an alert, soon if it holds many messages, and
/// later if it holds few. What a commit costs is the cost of many messages, and wears out the disk.
const SOON_MS: i64 = 80;
const LATER_MS: i64 = 250;
/// So many messages are many.
const MANY: usize = 250;
/// How many batches may wait for the committer; at the limit nothing more is read from brokers.
pub const BATCHES_MAX: usize = 8;
/// How many emptied batches are kept to be filled again; one more is let go.
pub const SPARES_MAX: usize = 4;

/// How often a rebuild looks whether it can go on.
const REBUILD_AGAIN: Duration = Duration::from_millis(20);

/// What the committer is given to do.
#[derive(Debug)]
pub enum Work {
    /// A batch.
    Load(Box<Load>),
    /// A snapshot of the state after all batches before it.
    Snapshot(Box<Snapshot>),
}

/// How far the committer came.
#[derive(Debug, Default)]
pub struct Settled {
    /// How many batches are committed and their acks on their way.
    pub committed: AtomicU64,
    /// Whether a batch was given up because weir stops and the journal takes none: nothing that
    /// was handed over since is committed either.
    pub given_up: AtomicBool,
    /// Whether a snapshot is to follow the next batch.
    pub snapshot_wanted: AtomicBool,
    /// What was found when the journal turned out to be damaged: nothing goes on with it.
    pub damaged: OnceLock<String>,
}

/// The parts of a snapshot, cheap clones of the state.
#[derive(Debug)]
pub struct Snapshot {
    /// When it was taken.
    pub taken_at: Timestamp,
    /// The stations, by id.
    pub stations: Vec<Option<Arc<crate::pipeline::state::StationState>>>,
    /// The closing part.
    pub closing: Vec<u8>,
}

/// Where points go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Store {
    /// As lines, to InfluxDB.
    Influx,
    /// As rows, into the journal itself.
    Embedded,
}

/// The facts of the installation that the core needs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where points go.
    pub store: Store,
    /// The channels of notification.
    pub channels: Vec<notify::Taker>,
    /// What every notification says of the installation.
    pub letterhead: notify::Letterhead,
    /// The folder of the journal, from which a broken state is rebuilt.
    pub data_folder: PathBuf,
}

/// The ways between the core and the committer.
#[derive(Debug)]
pub struct Ways {
    /// What is to be committed.
    pub work: mpsc::Sender<Work>,
    /// Batches whose buffers can be used again.
    pub spare: mpsc::Receiver<Box<Load>>,
    /// How far the committer came.
    pub settled: Arc<Settled>,
}

/// The pipeline, its names, and the batch in hand.
#[derive(Debug)]
pub struct Core {
    pipeline: Pipeline,
    names: Names,
    settings: Settings,
    renderer: Renderer,
    unknown_marks: UnknownMarks,
    processed: Processed,
    load: Box<Load>,
    ways: Ways,
    /// How many batches were handed to the committer.
    handed: u64,
    /// Dead letters that were run again, so that none is counted as retried twice, each with the
    /// number of the batch after whose commit the journal says so itself.
    retried: HashMap<DeadLetterId, u64>,
    /// Messages that are rejected no more since a reading of theirs was run again, likewise.
    mended: HashMap<MessageKey, u64>,
    in_hand: InHand,
    /// Whether many messages are turned away.
    rising: Rising,
    last: Moment,
    /// The ways of replies, by broker.
    outboxes: Vec<(NetworkId, Outbox)>,
    /// The keys of devices, by broker.
    keys: Vec<(NetworkId, Keys)>,
}

impl Core {
    /// Begins with a recovered pipeline.
    #[must_use]
    pub fn new(
        pipeline: Pipeline,
        names: Names,
        settings: Settings,
        ways: Ways,
        in_hand: InHand,
        last: Moment,
    ) -> Self {
        Self {
            renderer: Renderer::new(pipeline.registry()),
            unknown_marks: UnknownMarks::default(),
            pipeline,
            names,
            settings,
            processed: Processed::default(),
            load: Box::default(),
            ways,
            handed: 0,
            retried: HashMap::new(),
            mended: HashMap::new(),
            in_hand,
            rising: Rising::default(),
            last,
            outboxes: Vec::new(),
            keys: Vec::new(),
        }
    }

    /// Gives the edition in force.
    #[must_use]
    pub fn registry(&self) -> &Arc<Registry> {
        self.pipeline.registry()
    }

    /// Gives the zone of weir, in which a time is read that states none.
    #[must_use]
    pub fn home(&self) -> &TimeZone {
        &self.settings.letterhead.home
    }

    /// Gives the pipeline, for views.
    #[must_use]
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// Says whether more may be read from brokers: whether the batch in hand can be handed over.
    #[must_use]
    pub fn has_room(&self) -> bool {
        if self.in_hand.singly() && !self.is_settled() {
            return false;
        }
        !self.load.is_whole() || self.ways.work.capacity() > 1
    }

    /// Says whether everything that was handed over is committed, or will never be.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let settled = &self.ways.settled;
        settled.given_up.load(Ordering::Acquire)
            || self.load.is_empty() && settled.committed.load(Ordering::Acquire) == self.handed
    }

    /// Gives how many batches were handed to the committer.
    #[must_use]
    pub fn handed(&self) -> u64 {
        self.handed
    }

    /// Gives the id of a network of the configuration.
    pub fn network(&mut self, name: &str) -> NetworkId {
        NetworkId(self.names.id(NameKind::Network, name))
    }

    /// Opens from now on what devices of a network encrypt, by their keys.
    pub fn open_with(&mut self, network: NetworkId, keys: Keys) {
        self.keys.push((network, keys));
    }

    /// Gives the payload of a message with all of it opened that is encrypted; nothing where that
    /// changes nothing, or where weir breaks on it: what stays encrypted is turned away by itself.
    fn opened(&self, network: NetworkId, payload: &[u8]) -> Option<Vec<u8>> {
        let (_, keys) = self.keys.iter().find(|(of, _)| *of == network)?;
        catch_unwind(AssertUnwindSafe(|| keys.open(payload))).unwrap_or_else(|panic| {
            let fault = words(panic.as_ref());
            tracing::error!(fault, "weir broke on an encrypted payload. Report this.");
            None
        })
    }

    /// Gives the filters that earlier editions asked a broker for and the one in force does not:
    /// a session that the broker keeps still has them. The names of the journal know them all.
    #[must_use]
    pub fn left_filters(&self, name: &str, filters: &[String]) -> Vec<String> {
        let lasting = self.names.of(NameKind::Topic);
        let patterns = lasting.filter_map(|lasting| lasting.strip_prefix(name)?.strip_prefix(' '));
        let mut left: Vec<String> = patterns
            .map(|pattern| filter(&pattern.split('/').map(Level::read).collect::<Vec<_>>()))
            .filter(|filter| !filters.contains(filter))
            .collect();
        left.sort();
        left.dedup();
        left
    }

    /// Takes a message in, with the right to acknowledge it.
    pub fn take_message(
        &mut self,
        at: Moment,
        message: Message<'_>,
        ack: Option<(AckToken, &Acknowledger)>,
    ) {
        let died = self.in_hand.look_at(at, &message);
        let opened = if died { None } else { self.opened(message.network, message.payload) };
        let payload = opened.as_deref().unwrap_or(message.payload);
        let mut message = Message { payload, ..message };
        if died {
            message.fault = Some(ReceiveFault::Crashed(DIED));
        }
        let taken = self.process(at, Input::Message(message)).or_else(|fault| {
            let fault = Some(ReceiveFault::Crashed(&fault));
            // It is refused before anybody looks inside again, now and in every replay.
            self.process(at, Input::Message(Message { fault, ..message }))
        });
        self.in_hand.look_away();
        if taken.is_err() {
            // Not in the journal, so never acknowledged.
            return;
        }
        self.rising.count(!self.processed.rejects.is_empty());
        self.load.messages += 1;
        self.load.bytes += message.topic.len() + message.payload.len();
        if let Some((token, acknowledger)) = ack {
            let ordinal = self.processed.fate.map_or(0, |fate| fate.ordinal);
            let token = token.numbered(ordinal);
            match self.load.acks.last_mut().filter(|(of, _)| of.same_as(acknowledger)) {
                Some((_, tokens)) => tokens.push(token),
                None => self.load.acks.push((acknowledger.clone(), vec![token])),
            }
        }
        if self.load.is_whole() || self.in_hand.singly() {
            self.hand_over();
        }
    }

    /// Takes any other input in.
    pub fn take(&mut self, at: Moment, input: Input<'_>) {
        if let Err(fault) = self.process(at, input) {
            tracing::error!(fault, "An input that is no message was left out.");
        }
    }

    /// Takes a part of a table in, as a message that no broker gave. Nothing where the edition has
    /// no network for it.
    pub fn import(&mut self, at: Moment, topic: &str, part: &str) -> Option<Taken> {
        let network = self.registry().import?;
        (self.processed.fate, self.processed.rejects) = (None, Vec::new());
        self.take_message(at, import::message(network, topic, part), None);
        Some(Taken::of(&self.processed))
    }

    /// Says whether many messages are turned away, if that is news.
    pub fn look_at_rejects(&mut self, now: Moment) -> Option<bool> {
        self.rising.look(now.elapsed_ms)
    }

    /// Gives what came at once of what a person said last.
    #[must_use]
    pub fn judged(&self) -> Option<Judged> {
        self.processed.judged
    }

    /// Forgets which letters were run again in the first so many batches: from what was read after
    /// their commit they are missing already.
    pub fn forget_retried(&mut self, committed: u64) {
        self.retried.retain(|_, batch| *batch > committed);
        self.mended.retain(|_, batch| *batch > committed);
    }

    /// Takes another edition in, if it is sound and may follow the one in force.
    ///
    /// # Errors
    /// Everything that is wrong with it; the one in force stays.
    pub fn take_edition(
        &mut self,
        at: Moment,
        edition: &Edition,
    ) -> Result<bool, Vec<crate::domain::fault::Fault>> {
        let registry = edition.compile(&mut self.names)?;
        crate::seed::may_follow(self.pipeline.registry(), &registry)?;
        if registry.digest == self.pipeline.registry().digest {
            return Ok(false);
        }
        self.note_edition(at, edition, &registry);
        self.take(at, Input::Edition(registry));
        self.renderer = Renderer::new(self.pipeline.registry());
        self.load.urgent = true;
        Ok(true)
    }

    /// Lays an edition beside its names into the batch.
    pub fn note_edition(&mut self, at: Moment, edition: &Edition, registry: &Registry) {
        self.load.batch.names.extend(self.names.take_fresh());
        self.load.batch.editions.push(EditionRow {
            digest: registry.digest.clone(),
            taken_at: at.wall,
            tables: edition.to_bytes(),
        });
    }

    fn process(&mut self, at: Moment, input: Input<'_>) -> Result<(), String> {
        let arrival = Arrival { at, input };
        let old = matches!(arrival.input, Input::Edition(_))
            .then(|| Arc::clone(self.pipeline.registry()));
        let mark = self.load.batch.mark();
        let went = catch_unwind(AssertUnwindSafe(|| {
            self.pipeline.process(&arrival, &mut self.processed);
            let keep = !matches!(arrival.input, Input::Tick) || self.processed.changed;
            if keep {
                self.lay(&arrival, old.as_ref());
            }
            keep
        }));
        match went {
            Ok(keep) => {
                self.last = at;
                if keep {
                    // Only now: an input never stands in the journal without what it caused.
                    self.load.batch.inputs.push(&arrival);
                    self.answer();
                    self.load.began_ms.get_or_insert(at.elapsed_ms);
                    if let Some(fate) = &self.processed.fate {
                        count(&mut self.load.batch.ledger, fate);
                        let Ledger { messages, readings, .. } = fate.ledger;
                        let left = &mut self.load.batch.left_rejected;
                        for (left, counts) in left.iter_mut().zip([messages, readings]) {
                            *left += (-counts.rejected).max(0);
                        }
                    }
                }
                Ok(())
            }
            Err(panic) => {
                let fault = words(panic.as_ref());
                tracing::error!(
                    fault,
                    "weir broke on an input; its state is rebuilt. Report this."
                );
                self.load.batch.roll_back(mark);
                self.rebuild();
                Err(fault)
            }
        }
    }

    /// Lays what an input caused into the batch. Alerts that an edition ends are told in the names
    /// of the old one: the new one may not know them.
    fn lay(&mut self, arrival: &Arrival<'_>, old: Option<&Arc<Registry>>) {
        let Processed {
            observations,
            controls,
            coverage,
            assessments,
            evaluations,
            alerts,
            notices,
            ended,
            rejects,
            fate,
            ..
        } = &self.processed;
        let registry = self.pipeline.registry();
        if old.is_some() {
            self.renderer = Renderer::new(registry);
        }
        let (gone, alerts) = alerts.split_at(ended.alerts.min(alerts.len()));
        let (gone_notices, notices) = notices.split_at(ended.notices.min(notices.len()));
        self.unknown_marks.note(registry, observations);
        let batch = &mut self.load.batch;
        match self.settings.store {
            Store::Influx => {
                let lines = &mut batch.lines;
                if let Some(old) = old {
                    let points = Points { alerts: gone, ..Points::default() };
                    batch.line_count += self.renderer.render(old, points, lines) as u64;
                }
                let points =
                    Points { observations, controls, coverage, assessments, evaluations, alerts };
                let count = self.renderer.render(registry, points, lines);
                batch.line_count += count as u64;
            }
            Store::Embedded => {
                batch.observations.extend(observations.iter().map(StoredObservation::from));
                batch.controls.extend(controls);
            }
        }
        if !rejects.is_empty()
            && let Some(cause) = Cause::of(arrival, fate.as_ref(), rejects)
        {
            letter::lay(&cause, rejects, &mut batch.dead_letters);
        }
        self.load.urgent |= !gone.is_empty() || !alerts.is_empty();
        self.load.urgent |= !gone_notices.is_empty() || !notices.is_empty();
        if let Some(old) = old {
            told::lay(&self.settings, old, (gone, gone_notices), batch);
        }
        told::lay(&self.settings, registry, (alerts, notices), batch);
        if let Input::AlertAct(act) = &arrival.input {
            self.load.urgent = true;
            batch.alert_acts.push(act_row(act, arrival.at));
        }
    }

    /// Hands the batch over if it is due: after each turn of a connection and whatever else may
    /// have changed it. A small window is open again only once what is in it was committed.
    pub fn hand_over_if_due(&mut self, now: Moment, small_window: bool) {
        let age = self.load.began_ms.map_or(0, |began| now.elapsed_ms - began);
        let messages = self.load.messages;
        let old = age >= LATER_MS || age >= SOON_MS && messages >= MANY;
        if self.load.urgent || small_window && messages > 0 || old {
            self.hand_over();
        }
    }

    /// Notes that time passes without a death.
    pub fn beat(&mut self) {
        self.in_hand.beat(self.last);
    }

    /// Hands the batch to the committer; it stays in hand if the committer is behind.
    pub fn hand_over(&mut self) -> bool {
        if self.load.is_empty() {
            return true;
        }
        // The last place is kept for a snapshot, which may be what makes room for the others.
        if self.ways.work.capacity() <= 1 {
            return false;
        }
        let Ok(place) = self.ways.work.try_reserve() else { return false };
        let next = self.ways.spare.try_recv().unwrap_or_default();
        self.handed += 1;
        self.load.batch.at = self.last.wall;
        place.send(Work::Load(std::mem::replace(&mut self.load, next)));
        if self.ways.settled.snapshot_wanted.load(Ordering::Acquire) {
            self.send_snapshot();
        }
        true
    }

    /// Hands the state over as it is after the batch in hand, which goes before it; if the
    /// committer is behind, it follows the next batch.
    pub fn hand_over_snapshot(&mut self) {
        self.ways.settled.snapshot_wanted.store(true, Ordering::Release);
        if self.load.is_empty() {
            self.send_snapshot();
        } else {
            self.hand_over();
        }
    }

    fn send_snapshot(&mut self) {
        let Ok(place) = self.ways.work.try_reserve() else { return };
        let state = self.pipeline.state();
        place.send(Work::Snapshot(Box::new(Snapshot {
            taken_at: self.last.wall,
            stations: state.stations.clone(),
            closing: snapshot::closing(state, &self.pipeline.registry().digest, self.last),
        })));
        self.ways.settled.snapshot_wanted.store(false, Ordering::Release);
    }

    /// Notes that weir stops in order.
    pub fn end(&self) {
        self.in_hand.end();
    }

    /// Puts the state back to what the journal says, because a panic may have left half of it
    /// changed. Nothing else goes on meanwhile: what is not read waits in the broker.
    fn rebuild(&mut self) {
        let mut said = false;
        loop {
            self.hand_over();
            if self.is_settled() {
                match recover::recover(&self.settings.data_folder) {
                    Ok(Some(recovered)) => {
                        self.pipeline = recovered.pipeline;
                        self.renderer = Renderer::new(self.pipeline.registry());
                        return;
                    }
                    Ok(None) => return,
                    Err(error) if error.is_damage() => {
                        // It is set aside by others, and this weir with it.
                        self.ways.settled.damaged.get_or_init(|| error.to_string());
                    }
                    Err(error) if !said => {
                        said = true;
                        tracing::error!(%error, "The state can't be rebuilt yet.");
                    }
                    Err(_) => {}
                }
            }
            std::thread::sleep(REBUILD_AGAIN);
        }
    }
}

fn count(ledger: &mut Vec<(Option<TopicId>, Ledger)>, fate: &Fate) {
    match ledger.iter_mut().find(|(topic, _)| *topic == fate.topic) {
        Some((_, row)) => *row += fate.ledger,
        None => ledger.push((fate.topic, fate.ledger)),
    }
}

fn act_row(act: &AlertAct, at: Moment) -> AlertActRow {
    AlertActRow {
        alert: act.what.alert(),
        silence: act.what.silence(),
        at: at.wall,
        what: act.what.word(),
        person: act.person.clone(),
        behalf: act.behalf.clone(),
        words: act.words.clone(),
        until: act.what.until(),
        matcher: match act.what {
            What::Silence { matcher, .. } => Some(matcher),
            What::Acknowledge { .. }
            | What::Comment(_)
            | What::Undo(_)
            | What::Shelve { .. }
            | What::EndSilence(_) => None,
        },
    }
}
