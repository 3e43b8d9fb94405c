//! The audit list: who did what, when, to what, and what they said of it.

use serde::{Deserialize, Serialize};

use crate::http::view::Text;

/// What is asked of the list; nothing leaves all in.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct AuditAsked {
    /// From this day or time on, in the zone of weir.
    pub from: String,
    /// To before this day or time.
    pub to: String,
    /// By this person only.
    pub person: String,
}

/// The list.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct AuditView {
    /// What was asked.
    pub asked: AuditAsked,
    /// What is wrong with that; empty where nothing is.
    pub fault: Text,
    /// The zone of the times, as it is called.
    pub zone: String,
    /// The acts, the newest first.
    pub acts: Vec<ActView>,
    /// How many there are.
    pub of: usize,
    /// Whether there are older ones that were not looked at.
    pub cut: bool,
}

/// An act.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct ActView {
    /// When, in the zone of weir.
    pub at: String,
    /// Who.
    pub person: String,
    /// For whom, where somebody else did it.
    pub behalf: String,
    /// By which way, where that is known: `page` or `shell`.
    pub way: String,
    /// What, in a word.
    pub what: Text,
    /// With what: an alert, a silence, values of a station, an account, a channel, a table.
    pub about: Text,
    /// The alert, where it is about one.
    pub alert: Option<u64>,
    /// Until when it lasts, where that was said.
    pub until: String,
    /// The comment or the reason.
    pub words: String,
}
