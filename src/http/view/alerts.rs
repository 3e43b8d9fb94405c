//! What the pages of alerts show: the list of those that fire, the silences, what happened lately.

use std::fmt;

use serde::Serialize;
use url::form_urlencoded;

use crate::http::pages::Query;
use crate::http::view::Text;
use crate::http::view::alert::WholeView;

/// Where the pages of alerts get what they show.
pub struct Source {
    /// The alerts that fire and are wanted.
    pub list: Box<dyn Fn(&Wanted) -> AlertsView + Send + Sync>,
    /// The silences.
    pub silences: Box<dyn Fn() -> SilencesView + Send + Sync>,
    /// What happened before a time, ms since 1970; without one, what happened last.
    pub history: Box<dyn Fn(Option<i64>) -> HistoryView + Send + Sync>,
    /// One alert, by its number; nothing where there is none.
    pub one: Box<dyn Fn(u64) -> Option<WholeView> + Send + Sync>,
}

impl fmt::Debug for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Source").finish_non_exhaustive()
    }
}

/// Which alerts are wanted, as the address of the list says it; what is empty is not asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Wanted {
    /// Of this place, and of what lies in it.
    pub place: String,
    /// Of this station.
    pub station: String,
    /// About this property.
    pub property: String,
    /// As urgent as this.
    pub severity: String,
    /// By this route.
    pub route: String,
    /// In this state: `waiting`, `acknowledged`, `held`; without, all of which somebody is told.
    pub state: String,
    /// With these words in a name.
    pub search: String,
    /// In this order: `newest`, `oldest`, `name`; without, the most pressing first.
    pub sort: String,
    /// The number of the part, from 1.
    pub page: usize,
}

impl Wanted {
    pub(in crate::http) fn of(query: &Query) -> Self {
        let text = |name: &str| query.get(name).unwrap_or_default().to_owned();
        Self {
            place: text("place"),
            station: text("station"),
            property: text("property"),
            severity: text("severity"),
            route: text("route"),
            state: text("state"),
            search: text("search"),
            sort: text("sort"),
            page: query.number("page", 1),
        }
    }

    /// Gives the address of their list.
    #[must_use]
    pub fn address(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let page = if self.page > 1 { self.page.to_string() } else { String::new() };
        for (name, value) in [
            ("place", &self.place),
            ("station", &self.station),
            ("property", &self.property),
            ("severity", &self.severity),
            ("route", &self.route),
            ("state", &self.state),
            ("search", &self.search),
            ("sort", &self.sort),
            ("page", &page),
        ] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        let query = query.finish();
        if query.is_empty() { "/alerts".to_owned() } else { format!("/alerts?{query}") }
    }

    /// Says whether anything is asked for that leaves some out.
    #[must_use]
    pub fn narrows(&self) -> bool {
        *self != Self { sort: self.sort.clone(), page: self.page, ..Self::default() }
    }
}

/// The list of alerts that fire.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct AlertsView {
    /// When it was true, in the zone of weir.
    pub at: String,
    /// The zone of the times, such as `UTC+8`.
    pub zone: String,
    /// What is wanted.
    pub wanted: Wanted,
    /// Whether anything is asked for that leaves some out.
    pub narrowed: bool,
    /// How many of those that are told and fit are how urgent.
    pub counts: Vec<CountView>,
    /// How many of them wait for somebody.
    pub waiting: CountView,
    /// How many that fit are hidden, because nobody is told of them.
    pub held: CountView,
    /// How many fire, whether they fit or not.
    pub firing: usize,
    /// What the list can be narrowed by.
    pub choices: Vec<ChoiceView>,
    /// The alerts of this part.
    pub rows: Vec<RowView>,
    /// Which of them is the first of this part, from 1.
    pub first: usize,
    /// Which is the last.
    pub last: usize,
    /// How many are listed in all parts.
    pub of: usize,
    /// The address of the part before; empty where there is none.
    pub before: String,
    /// The address of the part after; empty where there is none.
    pub after: String,
    /// How many stations spoke.
    pub stations: usize,
    /// Whom an alert can be given to.
    pub people: Vec<NamedView>,
}

/// So many of something, and where they are listed.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct CountView {
    /// What, as a word of the address.
    pub word: String,
    /// How many.
    pub count: usize,
    /// The address of their list.
    pub address: String,
}

/// Something that the list can be narrowed by.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct ChoiceView {
    /// Its name in the address.
    pub name: String,
    /// The same in words.
    pub label: Text,
    /// What was chosen; empty where nothing was.
    pub chosen: String,
    /// What can be chosen.
    pub options: Vec<NamedView>,
}

/// A name of the seeds, and what people call it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct NamedView {
    /// The name.
    pub name: String,
    /// What people call it.
    pub words: Text,
    /// Of how many alerts, where they are counted.
    pub count: usize,
}

/// An alert in the list.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct RowView {
    /// Its number.
    pub id: u64,
    /// `critical`, `warning` or `notice`.
    pub severity: String,
    /// `environment`, `instrument` or `weir`; empty where nobody knows any more.
    pub route: String,
    /// One sentence that a tired person understands.
    pub sentence: Text,
    /// The station in tags; empty where it is about none.
    pub station: String,
    /// Since when, in the zone of the station.
    pub since: String,
    /// The same as RFC 3339.
    pub since_full: String,
    /// Who looks after it, and why nobody is told.
    pub state: Text,
    /// Whether it waits for somebody.
    pub waits: bool,
    /// Whether a suspect value says so.
    pub unconfirmed: bool,
}

/// The silences.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct SilencesView {
    /// The zone of the times.
    pub zone: String,
    /// Those that did not end, the one that ends first before.
    pub rows: Vec<SilenceView>,
    /// How many there are.
    pub of: usize,
    /// Names for the form.
    pub names: NamesView,
}

/// What a silence can be of, for its form: the first of each, others are written.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct NamesView {
    /// Places.
    pub places: Vec<NamedView>,
    /// Properties.
    pub properties: Vec<NamedView>,
    /// Rules.
    pub rules: Vec<NamedView>,
}

/// A silence.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct SilenceView {
    /// Its number.
    pub id: u64,
    /// What matches.
    pub of: Text,
    /// How many alerts that fire it covers.
    pub covers: usize,
    /// Since when.
    pub from: String,
    /// Until when.
    pub until: String,
    /// Who wants it.
    pub person: String,
    /// Why.
    pub reason: String,
}

/// What happened.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct HistoryView {
    /// The zone of the times.
    pub zone: String,
    /// Changes and deeds, the newest first.
    pub rows: Vec<HappenedView>,
    /// The address of what happened before; empty where that is all.
    pub older: String,
    /// Whether this is not what happened last.
    pub past: bool,
}

/// A change of an alert, or what a person did.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct HappenedView {
    /// When.
    pub at: String,
    /// The alert; nothing where it is about a silence.
    pub alert: Option<u64>,
    /// The silence, where it is about one.
    pub silence: Option<u64>,
    /// What, in a word.
    pub what: Text,
    /// Who; empty where nobody did.
    pub person: String,
    /// For whom, where somebody else did it.
    pub behalf: String,
    /// Until when; empty where that was not said.
    pub until: String,
    /// The sentence, the comment, the reason.
    pub words: Text,
    /// Whether it ended an alert.
    pub ended: bool,
}

#[cfg(test)]
mod tests;
