//! What a person asks weir to take in, in the words people use: names, times and lengths as text.
//! The shell, the page and the interface of programs ask alike; who takes it in makes ids of names
//! and tells every mistake with its mend.

use serde::{Deserialize, Serialize};

/// What is asked for.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Asked {
    /// That values do not count, or are in doubt.
    Invalidate {
        /// The station.
        station: String,
        /// Of this property only.
        property: Option<String>,
        /// At this position only.
        position: Option<String>,
        /// The first instant: a date, or a date and time, in the station's zone.
        from: String,
        /// The first instant after.
        to: String,
        /// Whether they are only in doubt.
        suspect: bool,
        /// Who says so.
        person: String,
        /// Why.
        reason: String,
    },
    /// That a check found something.
    Check(Entered),
    /// That what was said does not hold.
    Revoke {
        /// Its number.
        id: u64,
        /// Who says so.
        person: String,
        /// Why.
        reason: String,
    },
    /// That the values that alerts are about do not count, or are in doubt, from when each began
    /// until now: it's the sensor.
    Sensor {
        /// Which alerts.
        alerts: Vec<u64>,
        /// Whether the values are only in doubt.
        #[serde(default)]
        suspect: bool,
        /// Who says so.
        person: String,
        /// Why.
        reason: String,
    },
    /// That something is done with alerts.
    Alerts(Work),
}

/// What a person does with alerts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Work {
    /// Who does it.
    pub person: String,
    /// For whom, where somebody else does it.
    pub behalf: Option<String>,
    /// The comment or the reason.
    pub words: String,
    /// What.
    pub deed: Deed,
}

/// The deed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// Look after alerts.
    Acknowledge {
        /// Which.
        alerts: Vec<u64>,
        /// Until when: a length such as `8h`, or a time, of the zone of weir where it states none.
        until: Option<String>,
    },
    /// Say something of alerts.
    Comment {
        /// Which.
        alerts: Vec<u64>,
    },
    /// Take back what was done with alerts.
    Undo {
        /// Which.
        alerts: Vec<u64>,
    },
    /// Tell nobody of alerts for a while.
    Shelve {
        /// Which.
        alerts: Vec<u64>,
        /// Until when.
        until: String,
    },
    /// Tell nobody of what matches for a while.
    Silence {
        /// What matches.
        of: Of,
        /// Until when.
        until: String,
    },
    /// Tell nobody for a while of what alerts are about: each station and property once.
    SilenceEach {
        /// Which alerts.
        alerts: Vec<u64>,
        /// Until when.
        until: String,
    },
    /// End a silence.
    EndSilence {
        /// Its number.
        id: u64,
    },
}

/// Which alerts are meant, by what people call it; without anything, all.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Of {
    /// Of this place, and of what lies in it.
    pub place: Option<String>,
    /// Of this station.
    pub station: Option<String>,
    /// About this property.
    pub property: Option<String>,
    /// By this rule.
    pub rule: Option<String>,
    /// By this route.
    pub route: Option<String>,
    /// No more severe than this.
    #[serde(default)]
    pub severity: Option<String>,
}

/// A check and what it found.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Entered {
    /// The station.
    pub station: String,
    /// The property, by its name, symbol or Chinese name.
    pub property: String,
    /// The position; without, where the station has one.
    pub position: Option<String>,
    /// The word for what was checked.
    pub kind: String,
    /// What was found, in the property's unit.
    pub value: f64,
    /// What should have been found; without, as the seeds say.
    pub standard: Option<f64>,
    /// When it was made, in the station's zone.
    pub at: String,
    /// Who made it.
    pub person: String,
    /// What there is to say of it.
    pub reason: Option<String>,
}
