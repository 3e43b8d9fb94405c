//! What persons do with alerts, and what is told of them: the nouns of the duty desk.

use minicbor::{Decode, Encode};

use crate::domain::alert::{AlertEvent, AlertId, Route, Severity, Subject};
use crate::domain::evaluation::Evaluated;
use crate::domain::name::{PlaceId, PropertyId, RuleId, StationId};
use crate::domain::registry::Registry;
use crate::domain::time::{DAY, Timestamp};

/// How many silences are held. At the limit none is taken until one has ended.
pub const SILENCES_MAX: usize = 1_000;
/// How far ahead an end may lie: of a silence, of shelving, of an acknowledgement.
pub const END_MAX_MS: i64 = 366 * DAY;
/// How many alerts one notice lists; it says how many more there are.
pub const ENTRIES_MAX: usize = 50;
/// How many of the others are told together to a channel that keeps an account of every alert: a
/// notification of 100 has about 150 KB.
pub const PART_MAX: usize = 100;

/// What a person does with an alert, or with all that match something.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct AlertAct {
    /// What.
    #[n(0)]
    pub what: What,
    /// Who.
    #[n(1)]
    pub person: String,
    /// The comment or the reason; may be empty where none is asked for.
    #[n(2)]
    pub words: String,
    /// For whom, where somebody else does it.
    #[n(3)]
    pub behalf: Option<String>,
}

/// The deed.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum What {
    /// Somebody looks after it: it is neither said again nor passed on, unless it gets worse.
    #[n(0)]
    Acknowledge {
        /// The alert.
        #[n(0)]
        alert: AlertId,
        /// Until then; without it as long as it fires.
        #[n(1)]
        until: Option<Timestamp>,
    },
    /// Something is to be known of it.
    #[n(1)]
    Comment(#[n(0)] AlertId),
    /// It is neither acknowledged nor shelved any more.
    #[n(2)]
    Undo(#[n(0)] AlertId),
    /// Nobody is told of it for a while.
    #[n(3)]
    Shelve {
        /// The alert.
        #[n(0)]
        alert: AlertId,
        /// Until then.
        #[n(1)]
        until: Timestamp,
    },
    /// Nobody is told of what matches for a while.
    #[n(4)]
    Silence {
        /// The number that it gets.
        #[n(0)]
        id: u64,
        /// What matches.
        #[n(1)]
        matcher: Matcher,
        /// Until then.
        #[n(2)]
        until: Timestamp,
    },
    /// A silence ends now.
    #[n(5)]
    EndSilence(#[n(0)] u64),
}

impl What {
    /// Gives the word used in output.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Acknowledge { .. } => "acknowledged",
            Self::Comment(_) => "comment",
            Self::Undo(_) => "undone",
            Self::Shelve { .. } => "shelved",
            Self::Silence { .. } => "silenced",
            Self::EndSilence(_) => "silence ended",
        }
    }

    /// Gives the alert that it is about, where it is about one.
    #[must_use]
    pub fn alert(&self) -> Option<AlertId> {
        match self {
            Self::Acknowledge { alert, .. } | Self::Shelve { alert, .. } => Some(*alert),
            Self::Comment(alert) | Self::Undo(alert) => Some(*alert),
            Self::Silence { .. } | Self::EndSilence(_) => None,
        }
    }

    /// Gives the silence that it is about, where it is about one.
    #[must_use]
    pub fn silence(&self) -> Option<u64> {
        match self {
            Self::Silence { id, .. } | Self::EndSilence(id) => Some(*id),
            Self::Acknowledge { .. } | Self::Comment(_) | Self::Undo(_) | Self::Shelve { .. } => {
                None
            }
        }
    }

    /// Gives until when it lasts, where that is said.
    #[must_use]
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Acknowledge { until, .. } => *until,
            Self::Shelve { until, .. } | Self::Silence { until, .. } => Some(*until),
            Self::Comment(_) | Self::Undo(_) | Self::EndSilence(_) => None,
        }
    }
}

/// Which alerts are meant: those that everything of it fits. It says at least one thing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct Matcher {
    /// Of this place, and of what lies in it.
    #[n(0)]
    pub place: Option<PlaceId>,
    /// Of this station.
    #[n(1)]
    pub station: Option<StationId>,
    /// About this property.
    #[n(2)]
    pub property: Option<PropertyId>,
    /// By this rule.
    #[n(3)]
    pub rule: Option<RuleId>,
    /// By this route.
    #[n(4)]
    pub route: Option<Route>,
    /// No more severe than this: what rises above it is not meant any more.
    #[n(5)]
    pub severity: Option<Severity>,
}

impl Matcher {
    /// Says whether it says nothing: nothing is more severe than the most severe.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let severity = self.severity.filter(|severity| *severity < Severity::Critical);
        Self { severity, ..*self } == Self::default()
    }

    /// Says whether an alert is meant that is as severe as it is now.
    #[must_use]
    pub fn fits(&self, registry: &Registry, event: &AlertEvent, severity: Severity) -> bool {
        self.severity.is_none_or(|most| severity <= most)
            && self.covers(registry, event.rule, event.subject)
    }

    /// Says whether alerts about a station may be meant: about it, its datastreams, and what it
    /// comes to, by the rules that watch them.
    #[must_use]
    pub fn concerns(&self, registry: &Registry, station: StationId) -> bool {
        let Some(of) = registry.station(station) else { return false };
        if self.station == Some(station) {
            return true;
        }
        let mut datastreams = of.datastreams.iter().filter_map(|id| registry.datastream(*id));
        let mut evaluated = registry.evaluated_rules.iter();
        datastreams.any(|one| {
            let whole = [one.silence_rule, one.instrument_rule];
            let rules = [one.exceedance_rule, one.rise_rule, one.not_assessable_rule];
            let covers = |rule, subject| self.covers(registry, rule, subject);
            let of_station = Subject::Station(station);
            whole.iter().flatten().any(|rule| covers(*rule, of_station))
                || rules
                    .iter()
                    .chain(&whole)
                    .flatten()
                    .any(|rule| covers(*rule, Subject::Datastream(one.id)))
        }) || evaluated.any(|((of, index, period), rule)| {
            let subject = Subject::Evaluated { of: *of, index: *index, period: *period };
            *of == Evaluated::Station(station) && self.covers(registry, *rule, subject)
        })
    }

    /// Says whether an alert is meant, however severe it is.
    fn covers(&self, registry: &Registry, rule: RuleId, subject: Subject) -> bool {
        let datastream = match subject {
            Subject::Datastream(id) => registry.datastream(id),
            Subject::Station(_)
            | Subject::Evaluated { .. }
            | Subject::Weir { .. }
            | Subject::Device(_)
            | Subject::Network(_) => None,
        };
        let station = station_of(registry, subject);
        let place = place_of(registry, subject);
        let lies_in = |of: PlaceId| {
            let mut next = place;
            std::iter::from_fn(|| {
                let here = next?;
                next = registry.places.get(here.index()).and_then(|place| place.part_of);
                Some(here)
            })
            // Places that lie in each other in a ring are refused with the seeds.
            .any(|here| here == of)
        };
        self.place.is_none_or(lies_in)
            && self.station.is_none_or(|of| station == Some(of))
            && self.property.is_none_or(|of| datastream.is_some_and(|one| one.property == of))
            && self.rule.is_none_or(|of| of == rule)
            && self.route.is_none_or(|of| registry.rule(rule).is_some_and(|one| one.route == of))
    }
}

/// Gives the station that an alert is about, where it is about one.
#[must_use]
pub fn station_of(registry: &Registry, subject: Subject) -> Option<StationId> {
    match subject {
        Subject::Datastream(id) => registry.datastream(id).map(|datastream| datastream.station),
        Subject::Station(id) | Subject::Evaluated { of: Evaluated::Station(id), .. } => Some(id),
        Subject::Evaluated { of: Evaluated::Set(_) | Evaluated::Place(_), .. }
        | Subject::Weir { .. }
        | Subject::Device(_)
        | Subject::Network(_) => None,
    }
}

/// Gives the place that an alert is about, or in which its station stands.
#[must_use]
pub fn place_of(registry: &Registry, subject: Subject) -> Option<PlaceId> {
    match subject {
        Subject::Evaluated { of: Evaluated::Place(id), .. } => Some(id),
        Subject::Datastream(_)
        | Subject::Station(_)
        | Subject::Evaluated { of: Evaluated::Station(_) | Evaluated::Set(_), .. }
        | Subject::Weir { .. }
        | Subject::Device(_)
        | Subject::Network(_) => {
            let station = station_of(registry, subject).and_then(|id| registry.station(id));
            station.map(|station| station.place)
        }
    }
}

/// What is told together, and follows in one thread of mails.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
pub enum Thread {
    /// One alert.
    #[n(0)]
    Alert(#[n(0)] AlertId),
    /// A river, a lake, a park, and a route.
    #[n(1)]
    Place(#[n(0)] PlaceId, #[n(1)] Route),
    /// A station and a route.
    #[n(2)]
    Station(#[n(0)] StationId, #[n(1)] Route),
    /// A route.
    #[n(3)]
    Route(#[n(0)] Route),
}

impl Thread {
    /// Gives its lasting name, in ids and group keys.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Alert(alert) => alert.0.to_string(),
            Self::Place(place, route) => format!("{}_p{}", route.word(), place.0),
            Self::Station(station, route) => format!("{}_s{}", route.word(), station.0),
            Self::Route(route) => route.word().to_owned(),
        }
    }
}

/// Why something is told now.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum NoticeKind {
    /// Alerts changed.
    Alerts,
    /// They fire still, and nobody acknowledged them.
    Reminder,
    /// Nobody acknowledged them for so long that the next are told.
    Escalation,
    /// Somebody looks after them.
    Acknowledged,
}

impl NoticeKind {
    /// Gives the word used in output.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Alerts => "alerts",
            Self::Reminder => "reminder",
            Self::Escalation => "escalation",
            Self::Acknowledged => "acknowledged",
        }
    }
}

/// One alert of a notice.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// Its last change.
    pub event: AlertEvent,
    /// How urgent it is.
    pub severity: Severity,
    /// Who acknowledged it, if somebody did.
    pub acknowledged: Option<String>,
    /// How often it began within the window of flapping, where it flaps.
    pub flaps: Option<u32>,
    /// Since when nobody looks after it, if nobody does.
    pub unheeded_since: Timestamp,
}

/// What is to be told.
#[derive(Clone, PartialEq, Debug)]
pub struct Notice {
    /// Its number among the notices of this journal.
    pub number: u64,
    /// Why.
    pub kind: NoticeKind,
    /// In which thread.
    pub thread: Thread,
    /// By which route; none where the rule is not known any more.
    pub route: Option<Route>,
    /// The step of escalation: channels of further steps are not told.
    pub step: u8,
    /// When.
    pub at: Timestamp,
    /// The alerts, the most urgent first, then the oldest.
    pub entries: Vec<Entry>,
    /// How many of all of them fire.
    pub firing: usize,
    /// Those that are only counted, in the same order.
    pub unlisted: Vec<Entry>,
}
