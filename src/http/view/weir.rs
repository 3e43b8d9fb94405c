//! What is shown of weir itself: whether everything that came is accounted for, what waits where,
//! what was turned away, and by which edition and settings it runs. Page and programs see the same.

use serde::Serialize;

use crate::http::view::letter::LettersView;
use crate::http::view::{LedgerView, Text};

/// All of it, but for what the folder of the seeds would change.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct WeirView {
    /// When the numbers were true, RFC 3339 in the zone of weir.
    pub at: String,
    /// How that zone is called, such as `UTC+8`.
    pub zone: String,
    /// weir's version.
    pub version: String,
    /// Why nothing is acknowledged, if so.
    pub full: Option<String>,
    /// Damaged journals that were set aside.
    pub set_aside: Vec<String>,
    /// Why this page lacks what the journal says, if it can't be read.
    pub unread: Option<String>,
    /// The ledger.
    pub ledger: LedgerView,
    /// Where points go.
    pub sinks: Vec<SinkState>,
    /// What the database refused last, newest first.
    pub refusals: Vec<Refusal>,
    /// Dead letters by device, channel and reason, the most first: no more than a person reads.
    pub letters: Vec<LettersView>,
    /// How many kinds of dead letters there are.
    pub letters_of: usize,
    /// The brokers.
    pub brokers: Vec<BrokerState>,
    /// Channels of notification.
    pub channels: Vec<ChannelState>,
    /// The journal.
    pub journal: JournalState,
    /// The edition in force.
    pub edition: EditionState,
    /// The threads that all depends on.
    pub threads: Vec<ThreadState>,
    /// The settings that weir runs by; of secrets only where they come from.
    pub settings: Vec<Setting>,
}

/// Where points go, and how far that is.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct SinkState {
    /// Its name.
    pub name: String,
    /// How many points wait for it.
    pub waiting: u64,
    /// How long the oldest of them has waited, s.
    pub oldest_s: Option<i64>,
    /// How many points it took since the start; nothing of the embedded store.
    pub taken: Option<u64>,
    /// How many fields and points it refused for good.
    pub refused: u64,
    /// What is wrong, if anything.
    pub fault: Option<String>,
}

/// A line that the database refused.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Refusal {
    /// When.
    pub at: String,
    /// The line.
    pub line: String,
    /// The field, where it was one.
    pub field: Option<String>,
    /// The database's words.
    pub words: String,
}

/// How many dead letters there are of a device, channel and reason.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct LetterCount {
    /// The device, empty if unknown.
    pub device: String,
    /// The channel, empty if it is the whole message.
    pub channel: String,
    /// Who turned them away.
    pub stage: String,
    /// The reason, in a word.
    pub code: String,
    /// The reason of the newest one that is kept, in a sentence.
    pub words: String,
    /// How many.
    pub total: u64,
    /// How many are kept with their bytes and can be run again.
    pub kept: u64,
    /// When the last one came.
    pub last_at: String,
}

/// A broker's connection.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct BrokerState {
    /// The network.
    pub network: String,
    /// Where it is.
    pub url: String,
    /// What is wrong; nothing while it is connected.
    pub fault: Option<String>,
    /// What it refuses, in words.
    pub refused: Vec<String>,
    /// How many messages it says it has dropped, of all its clients together.
    pub dropped: Option<u64>,
    /// When the certificate ends that it shows.
    pub certificate_ends: Option<String>,
    /// How many replies to devices were sent, came too late and were dropped, since the start.
    pub replies: [u64; 3],
}

/// A channel of notification.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct ChannelState {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Which alerts it takes.
    pub routes: Vec<String>,
    /// From which step of an escalation on it is told.
    pub step: u8,
    /// How many notifications a minute it is sent at most.
    pub per_minute: Option<u32>,
    /// How many notifications wait for it.
    pub waiting: u64,
    /// The last notification that was tried, and its receiver's answer.
    pub last: Option<LastTold>,
}

/// The last notification that was tried on a channel.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct LastTold {
    /// Since when it was to be told.
    pub at: String,
    /// How often it was tried before it was confirmed.
    pub attempts: u32,
    /// What the receiver said last.
    pub words: String,
    /// When it was confirmed.
    pub confirmed_at: Option<String>,
}

/// The journal.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct JournalState {
    /// How many bytes it takes.
    pub bytes: u64,
    /// How many it may take.
    pub bytes_max: u64,
    /// The share of it, %.
    pub share: u64,
    /// Whether that is so much that an alert says so.
    pub filling: bool,
    /// From when on raw messages are kept.
    pub oldest_input: String,
    /// For how many days they are to be.
    pub raw_keep_days: u32,
    /// How many points were found damaged and set aside.
    pub points_damaged: u64,
    /// How many observations the embedded store holds.
    pub embedded: u64,
}

/// The edition in force.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct EditionState {
    /// Its digest.
    pub digest: String,
    /// How many stations it has.
    pub stations: usize,
    /// How many devices.
    pub devices: usize,
    /// How many datastreams.
    pub datastreams: usize,
    /// How many limits.
    pub limits: usize,
    /// How many rules.
    pub rules: usize,
}

/// What the folder of the seeds would change.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct EditionView {
    /// The edition in force.
    pub digest: String,
    /// The folder.
    pub folder: String,
    /// Rows that it adds, removes or changes: no more than a person reads.
    pub changes: Vec<String>,
    /// How many rows differ.
    pub changes_of: usize,
    /// What is wrong with the folder, so that it would be refused: no more than a person reads.
    pub faults: Vec<String>,
    /// How many faults there are.
    pub faults_of: usize,
}

/// A thread that all depends on.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct ThreadState {
    /// What it does.
    pub name: Text,
    /// For how long it has given no sign of life, s; nothing of one that waits for work.
    pub quiet_s: Option<u64>,
    /// Whether that is longer than it may.
    pub stuck: bool,
}

/// A setting.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Setting {
    /// The section, such as `[[broker]] rivers`.
    pub section: String,
    /// The key.
    pub key: String,
    /// Its value; of a secret where it comes from.
    pub value: String,
}
