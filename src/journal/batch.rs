//! What one transaction takes: plain rows, made by others and only written here.

use std::sync::Arc;

use crate::domain::alert::{AlertChange, AlertId};
use crate::domain::desk::Matcher;
use crate::domain::input::Qos;
use crate::domain::ledger::Ledger;
use crate::domain::name::{Named, NetworkId, RuleId, TopicId};
use crate::domain::observation::Observation;
use crate::domain::reject::Stage;
use crate::domain::time::{Moment, Timestamp};
use crate::journal::damage::DamagedRow;
use crate::journal::inputs::Inputs;
use crate::journal::store::StoredObservation;

/// Everything that is committed together.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// When it was closed.
    pub at: Timestamp,
    /// Names that were given an id; before anything that uses the ids.
    pub names: Vec<Named>,
    /// Editions that came into force.
    pub editions: Vec<EditionRow>,
    /// The inputs.
    pub inputs: Inputs,
    /// The points made of them, as line protocol.
    pub lines: Vec<u8>,
    /// How many lines these are.
    pub line_count: u64,
    /// The points made of them, for the embedded store.
    pub observations: Vec<StoredObservation>,
    /// What checks of instruments gave, of the embedded store.
    pub controls: Vec<Observation>,
    /// What the inputs add to the ledger, by pattern; `None` is "no pattern".
    pub ledger: Vec<(Option<TopicId>, Ledger)>,
    /// How many messages, and how many readings, left the rejected ones because they ended well
    /// when they were run again.
    pub left_rejected: [i64; 2],
    /// Messages and readings that were turned away.
    pub dead_letters: Vec<DeadLetter>,
    /// Changes of alerts.
    pub alerts: Vec<AlertRow>,
    /// What is to be told, and over which channels.
    pub notifications: Vec<NotificationRow>,
    /// What persons did with alerts.
    pub alert_acts: Vec<AlertActRow>,
    /// Dead letters that ended well when they were run again.
    pub retried: Vec<DeadLetterId>,
    /// Messages that are rejected no more, because a reading of theirs was stored after all.
    pub mended: Vec<MessageKey>,
    /// How far a sink came.
    pub cursors: Vec<CursorRow>,
    /// What a sink will never store.
    pub refused: Vec<RefusedRow>,
    /// Batches whose points were found damaged.
    pub damaged: Vec<DamagedRow>,
    /// Notifications that their channel confirmed.
    pub receipts: Vec<Receipt>,
    /// Notifications that could not be given to their channel.
    pub attempts: Vec<Attempt>,
    /// What is to be told that no input caused, such as the morning message.
    pub said: Vec<NotificationRow>,
}

impl Batch {
    /// Empties the batch and keeps its buffers.
    pub fn clear(&mut self) {
        self.at = Timestamp::default();
        self.names.clear();
        self.editions.clear();
        self.inputs.clear();
        self.lines.clear();
        self.line_count = 0;
        self.observations.clear();
        self.ledger.clear();
        self.left_rejected = [0; 2];
        self.dead_letters.clear();
        self.alerts.clear();
        self.notifications.clear();
        self.alert_acts.clear();
        self.retried.clear();
        self.mended.clear();
        self.cursors.clear();
        self.refused.clear();
        self.damaged.clear();
        self.receipts.clear();
        self.attempts.clear();
        self.said.clear();
    }

    /// Says whether it is a row of its own in the journal, and not mere notes.
    #[must_use]
    pub fn is_main(&self) -> bool {
        !self.inputs.is_empty() || self.line_count > 0
    }

    /// Takes over what sinks and channels report, which holds nothing else.
    pub fn take_notes(&mut self, notes: Self) {
        self.cursors.extend(notes.cursors);
        self.refused.extend(notes.refused);
        self.damaged.extend(notes.damaged);
        self.receipts.extend(notes.receipts);
        self.attempts.extend(notes.attempts);
        self.said.extend(notes.said);
    }

    /// Gives back what sinks and channels reported.
    #[must_use]
    pub fn split_notes(&mut self) -> Self {
        Self {
            cursors: std::mem::take(&mut self.cursors),
            refused: std::mem::take(&mut self.refused),
            damaged: std::mem::take(&mut self.damaged),
            receipts: std::mem::take(&mut self.receipts),
            attempts: std::mem::take(&mut self.attempts),
            said: std::mem::take(&mut self.said),
            ..Self::default()
        }
    }
}

/// How much a batch held of what an input causes.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    lines: usize,
    line_count: u64,
    observations: usize,
    dead_letters: usize,
    alerts: usize,
    notifications: usize,
    alert_acts: usize,
}

impl Batch {
    /// Notes how much it holds, before an input's effects are laid into it.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark {
            lines: self.lines.len(),
            line_count: self.line_count,
            observations: self.observations.len(),
            dead_letters: self.dead_letters.len(),
            alerts: self.alerts.len(),
            notifications: self.notifications.len(),
            alert_acts: self.alert_acts.len(),
        }
    }

    /// Takes out what was laid into it since.
    pub fn roll_back(&mut self, mark: Mark) {
        self.lines.truncate(mark.lines);
        self.line_count = mark.line_count;
        self.observations.truncate(mark.observations);
        self.dead_letters.truncate(mark.dead_letters);
        self.alerts.truncate(mark.alerts);
        self.notifications.truncate(mark.notifications);
        self.alert_acts.truncate(mark.alert_acts);
    }
}

/// An edition as the journal keeps it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EditionRow {
    /// Its digest.
    pub digest: Box<str>,
    /// When it came into force.
    pub taken_at: Timestamp,
    /// Its tables and settings, in the daemon's own encoding.
    pub tables: Vec<u8>,
}

/// The number of a kept dead letter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DeadLetterId(pub i64);

/// A message, or one reading of it, that was turned away, with its original bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeadLetter {
    /// When it was turned away.
    pub at: Timestamp,
    /// The broker.
    pub network: NetworkId,
    /// The topic, shared by the letters of one message.
    pub topic: Arc<[u8]>,
    /// The payload, shared alike.
    pub payload: Arc<[u8]>,
    /// How it was delivered.
    pub qos: Qos,
    /// Whether the broker had kept it.
    pub retain: bool,
    /// Its packet id.
    pub packet_id: u16,
    /// Who turned it away.
    pub stage: Stage,
    /// The reason, for counting.
    pub code: Box<str>,
    /// The reason, for reading.
    pub words: String,
    /// The device, as far as it is known.
    pub device: Option<String>,
    /// The channel, if it is one reading.
    pub channel: Option<String>,
    /// The number of its record in the payload, from 0.
    pub record: u32,
    /// When the message arrived.
    pub received: Moment,
    /// The pattern under which the ledger counted the message.
    pub pattern: Option<TopicId>,
    /// Whether the ledger counts the message itself as rejected; one of its readings may be
    /// stored all the same.
    pub message_rejected: bool,
    /// How many more of this kind the message had, which are counted only.
    pub more: u32,
}

/// Which message a dead letter is of.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct MessageKey {
    /// The broker.
    pub network: NetworkId,
    /// The topic.
    pub topic: Arc<[u8]>,
    /// The payload.
    pub payload: Arc<[u8]>,
    /// Its packet id.
    pub packet_id: u16,
    /// When it arrived, by the wall, ms.
    pub received: i64,
}

impl DeadLetter {
    /// Gives the message it is of.
    #[must_use]
    pub fn message(&self) -> MessageKey {
        MessageKey {
            network: self.network,
            topic: Arc::clone(&self.topic),
            payload: Arc::clone(&self.payload),
            packet_id: self.packet_id,
            received: self.received.wall.millis(),
        }
    }
}

/// A change of an alert.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AlertRow {
    /// The alert.
    pub alert: AlertId,
    /// Its rule.
    pub rule: RuleId,
    /// Whom it is about, as `datastream 7`, `station 3` or a condition's word.
    pub subject: String,
    /// What happened.
    pub change: AlertChange,
    /// Since when the state lasts.
    pub since: Timestamp,
    /// When it changed.
    pub at: Timestamp,
    /// All of it, as it is told.
    pub json: String,
    /// Its sentence, for the log; the journal has it in `json`.
    pub words: String,
}

/// What is to be told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NotificationRow {
    /// Its lasting id; one that is known already is not taken again.
    pub id: String,
    /// The channels to tell it by.
    pub channels: Vec<Box<str>>,
    /// What is said, JSON.
    pub body: String,
    /// The alerts that it is about.
    pub alerts: Vec<AlertId>,
}

/// What a person did with alerts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AlertActRow {
    /// The alert, where it is about one.
    pub alert: Option<AlertId>,
    /// The silence, where it is about one.
    pub silence: Option<u64>,
    /// When.
    pub at: Timestamp,
    /// What, in a word.
    pub what: &'static str,
    /// Who.
    pub person: String,
    /// For whom, where somebody else did it.
    pub behalf: Option<String>,
    /// The comment or the reason.
    pub words: String,
    /// Until when it lasts, where that was said.
    pub until: Option<Timestamp>,
    /// What a silence covers, where one began.
    pub matcher: Option<Matcher>,
}

/// How far a sink came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CursorRow {
    /// The sink.
    pub sink: Box<str>,
    /// The last batch whose points it has; 0 registers a sink that has none yet.
    pub sequence: u64,
}

/// What a sink will never store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefusedRow {
    /// The sink.
    pub sink: Box<str>,
    /// When it refused.
    pub at: Timestamp,
    /// The line.
    pub line: String,
    /// The field, where it is one field's fault.
    pub field: Option<String>,
    /// The sink's words.
    pub words: String,
}

/// A notification that its channel confirmed: it is never sent again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Receipt {
    /// The notification.
    pub id: String,
    /// The channel.
    pub channel: Box<str>,
    /// When.
    pub at: Timestamp,
    /// What the channel said.
    pub words: String,
}

/// A notification that could not be given to its channel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attempt {
    /// The notification.
    pub id: String,
    /// The channel.
    pub channel: Box<str>,
    /// When.
    pub at: Timestamp,
    /// What went wrong.
    pub words: String,
}
