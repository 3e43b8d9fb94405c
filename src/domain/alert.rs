//! Alerts: a rule that speaks, about whom, and what changed.

use minicbor::{Decode, Encode};

use crate::domain::assessment::{NotAssessable, WaterClass};
use crate::domain::cause::Cause;
use crate::domain::evaluation::{Evaluated, Grade, Index};
use crate::domain::name::{
    DatastreamId, DeviceId, LimitId, NetworkId, PropertyId, RuleId, StationId,
};
use crate::domain::observation::{ObservationResult, Period, Periods, Side};
use crate::domain::time::{PhenomenonTime, Timestamp};

/// How urgent an alert is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum Severity {
    /// Worth knowing.
    #[n(0)]
    Notice,
    /// Somebody should look.
    #[n(1)]
    Warning,
    /// Somebody must act now.
    #[n(2)]
    Critical,
}

impl Severity {
    /// All of them, the mildest first.
    pub const ALL: [Self; 3] = [Self::Notice, Self::Warning, Self::Critical];

    /// Gives the word used in seeds and output.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// Gives the word in Chinese.
    #[must_use]
    pub fn word_zh(self) -> &'static str {
        match self {
            Self::Notice => "提示",
            Self::Warning => "警告",
            Self::Critical => "严重",
        }
    }

    /// Reads the word of a seed.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.word() == word)
    }
}

/// Who is called by an alert.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum Route {
    /// The operator, for the river, the air, the park.
    #[n(0)]
    Environment,
    /// The technician, for the probe, the station, its line.
    #[n(1)]
    Instrument,
    /// Who looks after weir.
    #[n(2)]
    Weir,
}

impl Route {
    /// Every route.
    pub const ALL: [Self; 3] = [Self::Environment, Self::Instrument, Self::Weir];

    /// Gives the word used in seeds, configuration and output.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::Instrument => "instrument",
            Self::Weir => "weir",
        }
    }

    /// Gives the word in Chinese.
    #[must_use]
    pub fn word_zh(self) -> &'static str {
        match self {
            Self::Environment => "环境",
            Self::Instrument => "仪器",
            Self::Weir => "weir",
        }
    }

    /// Reads the word of a seed or a configuration.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.word() == word)
    }
}

/// A condition of weir itself that can raise an alert.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum WeirCondition {
    /// A broker does not answer.
    #[n(0)]
    BrokerAway,
    /// InfluxDB takes no points.
    #[n(1)]
    SinkAway,
    /// The journal can't be written.
    #[n(2)]
    JournalFull,
    /// A notification channel fails.
    #[n(3)]
    ChannelFailing,
    /// The wall clock jumped.
    #[n(4)]
    ClockStepped,
    /// A broker sends again and again what can't be read.
    #[n(5)]
    BrokerUnreadable,
    /// A broker throws weir off again and again, mostly because another client has its client id.
    #[n(6)]
    SessionTaken,
    /// Points in the journal are damaged.
    #[n(7)]
    PointsDamaged,
    /// A journal was damaged and set aside.
    #[n(8)]
    JournalDamaged,
    /// A broker refuses a filter: what fits it does not come.
    #[n(9)]
    FilterRefused,
    /// A broker drops messages, because queues of its clients are full.
    #[n(10)]
    BrokerDropping,
    /// Many messages are turned away.
    #[n(11)]
    DeadLettersRising,
    /// The journal is nearly full.
    #[n(12)]
    JournalFilling,
    /// The certificate ends soon that weir shows a broker.
    #[n(13)]
    CertificateEnding,
    /// The certificate of an authority ends soon that weir knows others by.
    #[n(14)]
    AuthorityEnding,
    /// The certificate ends soon that a broker shows.
    #[n(15)]
    ServerCertificateEnding,
}

impl WeirCondition {
    /// Every condition.
    pub const ALL: [Self; 16] = [
        Self::BrokerAway,
        Self::SinkAway,
        Self::JournalFull,
        Self::ChannelFailing,
        Self::ClockStepped,
        Self::BrokerUnreadable,
        Self::SessionTaken,
        Self::PointsDamaged,
        Self::JournalDamaged,
        Self::FilterRefused,
        Self::BrokerDropping,
        Self::DeadLettersRising,
        Self::JournalFilling,
        Self::CertificateEnding,
        Self::AuthorityEnding,
        Self::ServerCertificateEnding,
    ];

    /// Gives the word used in seeds and output.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::BrokerAway => "broker_away",
            Self::SinkAway => "sink_away",
            Self::JournalFull => "journal_full",
            Self::ChannelFailing => "channel_failing",
            Self::ClockStepped => "clock_stepped",
            Self::BrokerUnreadable => "broker_unreadable",
            Self::SessionTaken => "session_taken",
            Self::PointsDamaged => "points_damaged",
            Self::JournalDamaged => "journal_damaged",
            Self::FilterRefused => "filter_refused",
            Self::BrokerDropping => "broker_dropping",
            Self::DeadLettersRising => "dead_letters_rising",
            Self::JournalFilling => "journal_filling",
            Self::CertificateEnding => "certificate_ending",
            Self::AuthorityEnding => "authority_ending",
            Self::ServerCertificateEnding => "server_certificate_ending",
        }
    }
}

/// Whom an alert is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
pub enum Subject {
    /// One datastream.
    #[n(0)]
    Datastream(#[n(0)] DatastreamId),
    /// A whole station.
    #[n(1)]
    Station(#[n(0)] StationId),
    /// weir itself.
    #[n(2)]
    Weir {
        /// What is wrong.
        #[n(0)]
        condition: WeirCondition,
        /// The broker, where it is one broker's.
        #[n(1)]
        network: Option<NetworkId>,
    },
    /// What several items of somebody come to.
    #[n(4)]
    Evaluated {
        /// Of whom.
        #[n(0)]
        of: Evaluated,
        /// The index.
        #[n(1)]
        index: Index,
        /// Over which period.
        #[n(2)]
        period: Period,
    },
    /// A gateway, and with it all that speaks by way of it.
    #[n(5)]
    Device(#[n(0)] DeviceId),
    /// All devices of a broker that is connected.
    #[n(6)]
    Network(#[n(0)] NetworkId),
}

impl Subject {
    /// Gives it by its number, as the journal's table of alerts names it.
    #[must_use]
    pub fn numbered(&self) -> String {
        match self {
            Self::Datastream(id) => format!("datastream {}", id.0),
            Self::Station(id) => format!("station {}", id.0),
            Self::Device(id) => format!("device {}", id.0),
            Self::Network(id) => format!("network {}", id.0),
            Self::Evaluated { of, index, .. } => match of {
                Evaluated::Station(id) => format!("{} of station {}", index.word(), id.0),
                Evaluated::Set(id) => format!("{} of set {}", index.word(), id.0),
                Evaluated::Place(id) => format!("{} of place {}", index.word(), id.0),
            },
            Self::Weir { condition, network: None } => condition.word().to_owned(),
            Self::Weir { condition, network: Some(id) } => format!("{} {}", condition.word(), id.0),
        }
    }
}

/// An alert's number, unique in a journal and the same in every replay of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct AlertId(#[n(0)] pub u64);

/// What happened to an alert.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Encode, Decode)]
pub enum AlertChange {
    /// It began to fire.
    #[n(0)]
    Fired,
    /// What it warned of is over.
    #[n(1)]
    Resolved,
    /// Its rule or subject left with an edition, so nobody can say whether it is over.
    #[n(2)]
    Withdrawn,
    /// What it would have warned of was over before anybody could be told.
    #[n(3)]
    Past,
    /// It fires still, and for one reason or cause more or for a worse one.
    #[n(4)]
    Changed,
}

impl AlertChange {
    /// Says whether the alert fires once this has happened.
    #[must_use]
    pub fn fires(self) -> bool {
        match self {
            Self::Fired | Self::Changed => true,
            Self::Resolved | Self::Withdrawn | Self::Past => false,
        }
    }

    /// Gives the word used in output.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Fired => "firing",
            Self::Resolved => "resolved",
            Self::Withdrawn => "withdrawn",
            Self::Past => "past",
            Self::Changed => "changed",
        }
    }
}

/// A station upstream where the same property exceeded its limit shortly before.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Upstream {
    /// The station.
    #[n(0)]
    pub station: StationId,
    /// Since when it exceeds.
    #[n(1)]
    pub since: Timestamp,
    /// Until when it did, if that is over.
    #[n(2)]
    pub until: Option<Timestamp>,
}

/// The value of an item before the one in question: the sample or mean before it.
#[derive(Clone, Copy, PartialEq, Debug, Encode, Decode)]
pub struct Before {
    /// The value, in the canonical unit.
    #[n(0)]
    pub result: ObservationResult,
    /// Its time.
    #[n(1)]
    pub span: PhenomenonTime,
}

/// A change of an alert's state, to be stored and told.
#[derive(Clone, Copy, PartialEq, Debug, Encode, Decode)]
pub struct AlertEvent {
    /// The alert.
    #[n(0)]
    pub alert: AlertId,
    /// The rule that speaks.
    #[n(1)]
    pub rule: RuleId,
    /// Whom it is about.
    #[n(2)]
    pub subject: Subject,
    /// What happened.
    #[n(3)]
    pub change: AlertChange,
    /// When it happened: the time of the observation that did it, or the clock's. No two changes
    /// of one alert share it, and a later one is later.
    #[n(4)]
    pub at: Timestamp,
    /// Since when the state lasts that the alert is about.
    #[n(5)]
    pub since: Timestamp,
    /// The value that did it, in the canonical unit.
    #[n(6)]
    pub value: Option<f64>,
    /// The limit that was exceeded.
    #[n(7)]
    pub limit: Option<LimitId>,
    /// By how many times.
    #[n(8)]
    pub multiple: Option<f64>,
    /// Whether the value is suspect, or one sample alone says so; of an alert that ended, whether
    /// nothing confirmed it.
    #[n(9)]
    pub unconfirmed: bool,
    /// The wave it may be part of.
    #[n(10)]
    pub upstream: Option<Upstream>,
    /// Which values it was that did it; a mean that a device states is of the period it states.
    #[n(11)]
    #[cbor(default)]
    pub period: Period,
    /// The best water class that the value meets, where its item has classes.
    #[n(12)]
    pub class: Option<WaterClass>,
    /// The value of the same period before it.
    #[n(13)]
    pub before: Option<Before>,
    /// The time of the value: of a sample, an hour, a day; none where there is no value.
    #[n(14)]
    pub span: Option<PhenomenonTime>,
    /// For which reasons it fires once this has happened: the periods of its rule whose values
    /// exceed a limit.
    #[n(15)]
    #[cbor(default)]
    pub reasons: Periods,
    /// Which share of the limit the value uses, where it meets it and is told as a warning.
    #[n(16)]
    pub share: Option<f64>,
    /// On which side of the number the value lies, where it is censored.
    #[n(17)]
    pub side: Option<Side>,
    /// What quality control found: of an instrument the fault, of an exceedance why it is
    /// unconfirmed.
    #[n(18)]
    pub cause: Option<Cause>,
    /// Of silence: since when the device is offline, where it or its broker said so.
    #[n(19)]
    pub offline: Option<Timestamp>,
    /// How urgent it became at most, where that is more than its rule says.
    #[n(20)]
    pub severity: Option<Severity>,
    /// Whether this value confirms what was told as unconfirmed.
    #[n(21)]
    #[cbor(default)]
    pub confirmed: bool,
    /// Of an index: the grade.
    #[n(22)]
    pub grade: Option<Grade>,
    /// Of an index: the item that decided first.
    #[n(23)]
    pub deciding: Option<PropertyId>,
    /// Why nobody can assess it.
    #[n(24)]
    pub reason: Option<NotAssessable>,
    /// Whether it is a value that was another before, or came late.
    #[n(25)]
    #[cbor(default)]
    pub revised: bool,
    /// Of a certificate: when it ends.
    #[n(26)]
    pub until: Option<Timestamp>,
    /// Of one that ended by values that are well: since when they are. It ended later, by as long
    /// as its rule keeps it.
    #[n(27)]
    pub well_since: Option<Timestamp>,
}

impl AlertEvent {
    /// Begins an event without a value, as of silence and of weir's own conditions: the time of
    /// the change, and since when it lasts.
    #[must_use]
    pub fn plain(
        alert: AlertId,
        rule: RuleId,
        subject: Subject,
        change: AlertChange,
        (at, since): (Timestamp, Timestamp),
    ) -> Self {
        Self {
            alert,
            rule,
            subject,
            change,
            at,
            since,
            value: None,
            limit: None,
            multiple: None,
            unconfirmed: false,
            upstream: None,
            period: Period::Native,
            class: None,
            before: None,
            span: None,
            reasons: Periods::default(),
            share: None,
            side: None,
            cause: None,
            offline: None,
            severity: None,
            confirmed: false,
            grade: None,
            deciding: None,
            reason: None,
            revised: false,
            until: None,
            well_since: None,
        }
    }
}
