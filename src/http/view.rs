//! What the page shows: plain text and numbers, already in the words of people. Who makes it knows
//! the registry; who shows it does not.

pub mod alert;
pub mod alerts;
pub mod audit;
pub mod handover;
pub mod letter;
pub mod now;
pub mod station;
pub mod strip;
pub mod weir;

use serde::Serialize;

use crate::http::visit::Language;

/// A text in both languages.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Text {
    /// English.
    pub en: String,
    /// Chinese.
    pub zh: String,
}

impl Text {
    /// Makes a text of both.
    #[must_use]
    pub fn new(en: impl Into<String>, zh: impl Into<String>) -> Self {
        Self { en: en.into(), zh: zh.into() }
    }

    /// Gives it in one of them.
    pub(in crate::http) fn of(&self, language: Language) -> &str {
        match language {
            Language::English => &self.en,
            Language::Chinese => &self.zh,
        }
    }

    /// Says the same in both: numbers, names of instruments.
    #[must_use]
    pub fn same(text: impl Into<String>) -> Self {
        let en = text.into();
        Self { zh: en.clone(), en }
    }
}

/// Which stations are wanted.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct StationsAsked {
    /// The number of the part, from 1; what is no part is the nearest.
    pub number: usize,
    /// Of this place and what lies in it, by its name in tags; of all where it is empty.
    pub place: String,
    /// In whose names this is found; of all where it is empty.
    pub words: String,
}

/// A part of the stations, and what holds for all.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct PageView {
    /// When the numbers were true, in the zone of weir.
    pub at: String,
    /// How many sections have which class in real time, best first, of all stations.
    pub classes: Vec<TallyView>,
    /// Sets of stations and what they came to last.
    pub sets: Vec<SetView>,
    /// How many sets came to something.
    pub sets_of: usize,
    /// Which stations are wanted.
    pub asked: StationsAsked,
    /// The places that may be asked for: name in tags, and name.
    pub choices: Vec<(String, Text)>,
    /// Which part of the stations `places` holds.
    pub part: PartView,
    /// Places with their stations, a part of them.
    pub places: Vec<PlaceView>,
}

/// What is shown on a terminal: stations, alerts and the ledger.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ScreenView {
    /// The first part of the stations.
    pub stations: PageView,
    /// Alerts that fire, worst first: no more than a person reads.
    pub alerts: Vec<AlertView>,
    /// How many alerts fire.
    pub alerts_of: usize,
    /// The ledger.
    pub ledger: LedgerView,
}

/// An alert that fires.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AlertView {
    /// One sentence that a tired person understands.
    pub sentence: Text,
    /// `critical`, `warning` or `notice`.
    pub severity: String,
    /// Who is called: `environment`, `instrument` or `weir`; empty where nobody knows any more.
    pub route: String,
}

/// Which part of all stations is shown: so many that it is read and made in little time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct PartView {
    /// The number of the part, from 1.
    pub number: usize,
    /// Of how many.
    pub of: usize,
    /// Which of the stations is the first of it, from 1.
    pub first: usize,
    /// Which is the last.
    pub last: usize,
    /// How many stations there are that spoke.
    pub stations: usize,
    /// How many of them have a value that exceeds a limit.
    pub exceeding: usize,
}

/// How many sections have a class.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct TallyView {
    /// The class in words; of those without one, that.
    pub name: Text,
    /// Its colour, such as `#42CC70`.
    pub colour: Option<String>,
    /// How many sections.
    pub count: usize,
}

/// A named set of stations.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct SetView {
    /// Its name in tags.
    pub id: String,
    /// Where its stations stand.
    pub place: Text,
    /// What it came to, by index; of each the period that ended last.
    pub evaluations: Vec<EvaluationView>,
}

/// What several items together came to: a class, an index, a state.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct EvaluationView {
    /// What was evaluated, as points name it.
    pub id: String,
    /// The same in words.
    pub index: Text,
    /// Over what: in real time, the hour, the day …
    pub period: Text,
    /// Of when: `unchanged since 06-01 11:04`, `06-01 10:00–11:00`, `2026-06-01`.
    pub of: Text,
    /// The class or grade in words, empty where none could be given.
    pub grade: Text,
    /// The number of the index with its unit, empty where it has none.
    pub value: Text,
    /// The colour of the grade, such as `#42CC70`; never where there is no grade, nor where the
    /// evaluation is too old to stand for now.
    pub colour: Option<String>,
    /// Why there is no grade, empty where there is one.
    pub reason: Text,
    /// Whether the target is met, in words; empty where nothing is asked or nobody can say.
    pub target: Text,
    /// Whether it misses its target.
    pub missed: bool,
    /// The items that decided, worst first; of air, the primary pollutants.
    pub deciding: Vec<DecidingView>,
    /// The items without a valid value.
    pub missing: Vec<Text>,
    /// How many items had a value.
    pub items: u8,
    /// Of how many.
    pub items_of: u8,
    /// What takes from its weight, in words: that it is indicative, of a suspect value, too old to
    /// stand for now.
    pub marks: Vec<Text>,
}

/// An item that decided.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct DecidingView {
    /// The property.
    pub property: Text,
    /// The symbol people write.
    pub symbol: String,
    /// Its value with its unit, as it was compared.
    pub value: String,
    /// Its own class or index, empty where it has none.
    pub alone: Text,
    /// How many times it is over the target, empty where it has no multiple.
    pub over_target: String,
    /// The same over class III.
    pub over_iii: String,
}

/// A river, lake or park.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct PlaceView {
    /// Its name.
    pub name: Text,
    /// What it came to itself: a park's balance, its reuse of water.
    pub evaluations: Vec<EvaluationView>,
    /// Its stations.
    pub stations: Vec<StationView>,
}

/// A station.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct StationView {
    /// Its name in tags.
    pub id: String,
    /// Its name.
    pub name: Text,
    /// The class it must meet, empty if none.
    pub target: String,
    /// What it came to: of a section its class in real time first, of air the hour.
    pub evaluations: Vec<EvaluationView>,
    /// Why there is none, empty where there is one or is none to be.
    pub unevaluated: Text,
    /// Whether a value exceeds a limit.
    pub exceeds: bool,
    /// Whether it is silent as a whole.
    pub silent: bool,
    /// Its newest values.
    pub values: Vec<ValueView>,
}

/// A test that doubts a value or calls it wrong.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct DoubtView {
    /// The test.
    pub test: Text,
    /// Its QARTOD flag.
    pub flag: u8,
    /// From where on it doubts, empty where it has no threshold.
    pub threshold: Text,
}

/// The newest value of a datastream.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct ValueView {
    /// The property.
    pub property: Text,
    /// The symbol people write.
    pub symbol: String,
    /// Where at the station.
    pub position: String,
    /// The number as people write it, "–" if there is none.
    pub value: String,
    /// The unit.
    pub unit: String,
    /// The QARTOD flag.
    pub flag: u8,
    /// The tests by which it is so, the failed ones first.
    pub doubts: Vec<DoubtView>,
    /// The verdict in words, empty where nothing is limited.
    pub verdict: Text,
    /// The class that this value alone would be, empty where it has none.
    pub class: Text,
    /// Whether it exceeds a limit.
    pub exceeds: bool,
    /// Whether it is silent.
    pub silent: bool,
    /// Its time.
    pub at: String,
    /// How old it is, s.
    pub age_s: i64,
}

/// One column of the ledger.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[expect(missing_docs, reason = "the ledger's own words")]
pub struct CountsView {
    pub received: i64,
    pub stored: i64,
    pub rejected: i64,
    pub duplicate: i64,
}

/// The ledger.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct LedgerView {
    /// Since when it counts.
    pub since: String,
    /// Messages.
    pub messages: CountsView,
    /// Readings.
    pub readings: CountsView,
    /// Messages that came at QoS 0.
    pub unprotected: i64,
    /// Whether received = stored + rejected + duplicate, in both columns.
    pub balances: bool,
}
