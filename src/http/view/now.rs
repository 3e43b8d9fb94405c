//! The first page: is something wrong, where, how bad, since when, and who has it.

use serde::Serialize;

use crate::http::view::{TallyView, Text};

/// The first page.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct NowView {
    /// When it was true, hour and minute in the zone of weir.
    pub at: String,
    /// That zone, such as `UTC+8`.
    pub zone: String,
    /// How many alerts fire, of each severity, without those of which nobody is told.
    pub critical: usize,
    /// The same of warnings.
    pub warning: usize,
    /// The same of notices.
    pub notice: usize,
    /// How many of them are about instruments.
    pub instrument: usize,
    /// How many of them nobody looks after.
    pub waiting: usize,
    /// How many more there are of which nobody is told: shelved, silenced, covered by another.
    pub held: usize,
    /// How many silences are in force.
    pub silences: usize,
    /// When an alert changed last; empty where none fires.
    pub changed: String,
    /// How long ago that was, s.
    pub changed_s: i64,
    /// How many stations spoke ever, of how many in service.
    pub stations: usize,
    /// How many of them are not silent.
    pub speaking: usize,
    /// Those in service.
    pub stations_of: usize,
    /// How many of them are silent as a whole.
    pub silent: usize,
    /// How many of those that speak miss their target or a limit, and no alert tells of it.
    pub over_of: usize,
    /// The first of them, by name.
    pub over: Vec<Text>,
    /// Since when no alert fired; empty where one does or that is not known.
    pub quiet_since: String,
    /// What keeps weir from its work.
    pub troubles: Vec<Text>,
    /// The worst alerts.
    pub alerts: Vec<OpenView>,
    /// Rivers and lakes, parks and cities, each with its stations in the order of the flow.
    pub lines: Vec<LineView>,
    /// How many places are not shown.
    pub lines_more: usize,
    /// Sections by their class in real time.
    pub classes: Vec<TallyView>,
    /// When a shift of eight hours that ends now began, as a field for a date and time has it.
    pub shift: String,
}

/// An alert that fires, in one sentence.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct OpenView {
    /// Its number.
    pub id: u64,
    /// `critical`, `warning` or `notice`.
    pub severity: String,
    /// `environment`, `instrument` or `weir`; empty where nobody knows any more.
    pub route: String,
    /// The sentence.
    pub sentence: Text,
    /// Since when.
    pub since: String,
    /// For how long, s.
    pub age_s: i64,
    /// Who looks after it; empty where nobody does.
    pub person: String,
    /// Until when they do, where that was said.
    pub until: String,
    /// Whether it is unconfirmed.
    pub unconfirmed: bool,
}

/// A place with its stations.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct LineView {
    /// Its name in tags.
    pub id: String,
    /// Its name.
    pub name: Text,
    /// Whether water flows along it.
    pub flows: bool,
    /// Where it flows to; empty where nobody says.
    pub to: Text,
    /// Its stations, in the order of the flow; none where there are too many to show.
    pub dots: Vec<DotView>,
    /// Where there are too many: how many of them have which class.
    pub tally: Vec<TallyView>,
    /// How many stations it has.
    pub stations: usize,
    /// How many of them do not meet their target or a limit.
    pub missed: usize,
    /// How many are silent.
    pub silent: usize,
}

/// A station on the map.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct DotView {
    /// Its name in tags.
    pub id: String,
    /// Its name.
    pub name: Text,
    /// Its class or index as people write it, such as `IV` or `74`.
    pub label: Text,
    /// The colour of the class, such as `#42CC70`.
    pub colour: Option<String>,
    /// Whether white is read better on it than black.
    pub white: bool,
    /// What is to be seen at a glance: `missed` where its target or a limit is not met, `silent`
    /// where what it says is its last, `doubted` where a sensor of it is in doubt.
    pub signs: Vec<&'static str>,
    /// All of that in words, with its age and when more is expected.
    pub title: Text,
}
