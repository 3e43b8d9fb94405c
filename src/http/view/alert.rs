//! What the page of one alert shows.

use serde::Serialize;

use crate::http::view::alerts::{HappenedView, NamedView, SilenceView};
use crate::http::view::{Text, ValueView};

/// All there is of one alert.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct WholeView {
    /// Its number.
    pub id: u64,
    /// When this was true.
    pub at: String,
    /// The zone of the times.
    pub zone: String,
    /// Whether it fires.
    pub fires: bool,
    /// `critical`, `warning` or `notice`.
    pub severity: String,
    /// The route; empty where nobody knows any more.
    pub route: String,
    /// One sentence.
    pub sentence: Text,
    /// What to do.
    pub advice: Text,
    /// Who looks after it and why nobody is told; of one that ended, how.
    pub state: Text,
    /// Whether it waits for somebody.
    pub waits: bool,
    /// For how long it fires; empty where it does not.
    pub lasts: Text,
    /// Whether it is acknowledged or shelved, so that this can be undone.
    pub undoable: bool,
    /// The evidence, in the order in which people ask.
    pub facts: Vec<FactView>,
    /// How the value moved.
    pub spark: Option<SparkView>,
    /// What stations upstream and downstream show.
    pub neighbours: Vec<NeighbourView>,
    /// The tests that ran on a value, those first that doubt it.
    pub tests: Vec<TestView>,
    /// Of which time that value is.
    pub tested: String,
    /// What was told by which channel.
    pub told: Vec<ToldView>,
    /// What changed and what persons did, the oldest first.
    pub history: Vec<HappenedView>,
    /// How many older ones are left out.
    pub history_more: usize,
    /// Silences that cover it.
    pub silences: Vec<SilenceView>,
    /// What persons say of the values in question.
    pub invalidations: Vec<InvalidationView>,
    /// Whom it is about, for links and forms.
    pub of: OfView,
    /// Whom it can be given to.
    pub people: Vec<NamedView>,
}

/// Whom an alert is about, by the names of the seeds.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct OfView {
    /// The station; empty where it is about none.
    pub station: String,
    /// The station in words.
    pub station_words: Text,
    /// The place.
    pub place: String,
    /// The property, where it is about one.
    pub property: String,
    /// Where at the station.
    pub position: String,
    /// The rule.
    pub rule: String,
    /// Since when its values are in question, in the zone of the station.
    pub from: String,
    /// Whether its values can be called wrong.
    pub values: bool,
}

/// A piece of evidence.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct FactView {
    /// What it is.
    pub name: Text,
    /// What is found.
    pub words: Text,
    /// Whether it is beyond what is allowed.
    pub over: bool,
}

/// The values of the last hours as a small drawing, in its own lengths.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct SparkView {
    /// How wide.
    pub width: u32,
    /// How high.
    pub height: u32,
    /// The path of the values; gaps are gaps.
    pub path: String,
    /// Where values are suspect or wrong.
    pub doubted: Vec<u32>,
    /// The limits that lie within: how high, and their words.
    pub limits: Vec<(u32, String)>,
    /// Where the alert began; nothing where that lies before.
    pub begins: Option<u32>,
    /// The least value with its unit.
    pub low: String,
    /// The greatest.
    pub high: String,
    /// From when.
    pub from: String,
    /// Until when.
    pub to: String,
    /// What is drawn, for who can't see it.
    pub words: Text,
}

/// A station beside, and what it shows.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct NeighbourView {
    /// Where: upstream, downstream, in the same place.
    pub way: Text,
    /// The station in tags.
    pub station: String,
    /// The station in words.
    pub words: Text,
    /// What it shows; nothing where it has nothing.
    pub value: Option<ValueView>,
}

/// A test that ran on a value, with all that it asks of it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct TestView {
    /// The test.
    pub test: Text,
    /// Its QARTOD flag.
    pub flag: u8,
    /// Whether by that the value is suspect or wrong.
    pub doubts: bool,
    /// From where on it doubts, each of its checks; empty where it has no threshold.
    pub thresholds: Vec<Text>,
    /// What its checks reckon, for technicians.
    pub expressions: Vec<String>,
}

/// A notification on one channel.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct ToldView {
    /// When.
    pub at: String,
    /// The channel.
    pub channel: String,
    /// What came of it.
    pub came: Text,
    /// What the channel answered.
    pub answer: String,
    /// Whether the channel has it.
    pub confirmed: bool,
}

/// What a person says of values.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct InvalidationView {
    /// Its number.
    pub id: u64,
    /// From when to before when.
    pub span: String,
    /// Whether they are only in doubt.
    pub suspect: bool,
    /// Who says so.
    pub person: String,
    /// Why.
    pub reason: String,
}
