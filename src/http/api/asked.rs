//! What programs ask for, and what they are answered: the words between the door and whoever knows.

use serde_json::Value;

use crate::domain::asked::Of;
use crate::domain::observation::Period;

/// Which part of a list is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// The key of the last one that is known already; from the beginning without.
    pub after: Option<String>,
    /// How many at most.
    pub count: usize,
}

/// Within which time, and how many at most.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Within {
    /// From when on: a time with its offset, or of the zone that fits.
    pub from: Option<String>,
    /// Until before when.
    pub to: Option<String>,
    /// How many at most.
    pub count: usize,
}

/// What is asked for.
#[derive(Clone, PartialEq, Debug)]
pub enum Wanted {
    /// The stations, of a place or of all.
    Stations {
        /// Of this place and what lies in it.
        place: Option<String>,
        /// Which part.
        part: Part,
    },
    /// One station.
    Station(String),
    /// The datastreams of a station.
    Datastreams(String),
    /// One datastream.
    Datastream(String),
    /// Values of a datastream.
    Observations {
        /// The datastream's name.
        datastream: String,
        /// Single values, or the means of a period.
        period: Period,
        /// Whether those that are stored, or only what weir remembers itself.
        stored: bool,
        /// When.
        within: Within,
    },
    /// What the values of a station come to now: verdicts and evaluations.
    Assessments(String),
    /// What the database keeps of what they came to.
    Judged {
        /// The station's name.
        station: String,
        /// Of this subject only.
        subject: Option<String>,
        /// When.
        within: Within,
    },
    /// The alerts that fire.
    Alerts {
        /// Which.
        of: Of,
        /// Also those of which nobody is told.
        all: bool,
        /// Which part.
        part: Part,
    },
    /// One alert, whole.
    Alert(u64),
    /// What happened with alerts.
    History {
        /// Of this station.
        station: Option<String>,
        /// When.
        within: Within,
    },
    /// The silences.
    Silences,
    /// What persons did.
    Acts(Within),
    /// Where every message and reading ended.
    Ledger,
    /// Dead letters that are kept.
    Letters(Part),
    /// How many dead letters there are, by device, channel and reason.
    LetterCounts,
    /// The brokers.
    Brokers,
    /// Where points go.
    Sinks,
    /// Channels of notification.
    Channels,
    /// The edition in force.
    Edition,
    /// How weir does.
    Status,
}

/// What is answered.
#[derive(Clone, PartialEq, Debug)]
pub enum Found {
    /// One thing.
    One(Value),
    /// A list, or a part of one.
    List {
        /// What is in it.
        value: Vec<Value>,
        /// What the query must have for the next part, where there is one.
        next: Option<(&'static str, String)>,
    },
}

/// Why there is no answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refused {
    /// Nothing is called so.
    Unknown(String),
    /// What is asked is wrong.
    Wrong(Vec<String>),
    /// There is no view of the state yet.
    NotYet,
    /// The journal can't be read.
    Broken(String),
    /// The database can't be asked.
    Away(String),
    /// Nothing of the kind is kept.
    NotKept(String),
}

/// What is answered, or why there is no answer.
pub type Answer = Result<Found, Refused>;
