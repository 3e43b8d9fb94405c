//! What happened since a shift began and what stands at its end, for whom takes over.

use serde::Serialize;

use crate::http::view::alerts::{HappenedView, SilenceView};
use crate::http::view::letter::LettersView;
use crate::http::view::now::{DotView, OpenView};
use crate::http::view::{Text, ValueView};

/// What happened within a time, and what stands at its end.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct HandoverView {
    /// From then on, in the zone of weir.
    pub since: String,
    /// The same as a field for a date and time has it.
    pub field: String,
    /// Until then.
    pub until: String,
    /// That zone.
    pub zone: String,
    /// The alerts that fire at its end and that nobody has acknowledged, the worst first.
    pub open: Vec<OpenView>,
    /// How many these are.
    pub open_of: usize,
    /// Those that fire and that somebody has acknowledged.
    pub taken: Vec<OpenView>,
    /// How many these are.
    pub taken_of: usize,
    /// Those that are shelved.
    pub shelved: Vec<ShelvedView>,
    /// How many these are.
    pub shelved_of: usize,
    /// The silences in force, those first that end first.
    pub silences: Vec<SilenceView>,
    /// How many these are.
    pub silences_of: usize,
    /// Stations that miss their target or a limit, or are silent.
    pub unwell: Vec<UnwellView>,
    /// How many these are.
    pub unwell_of: usize,
    /// How many of them miss their target or a limit.
    pub missed_of: usize,
    /// How many of them are silent.
    pub silent_of: usize,
    /// Sensors whose newest value is in doubt or wrong.
    pub doubted: Vec<DoubtedView>,
    /// How many these are.
    pub doubted_of: usize,
    /// Messages that were turned away within the time, by device and reason.
    pub letters: Vec<LettersView>,
    /// How many devices and reasons there are.
    pub letters_of: usize,
    /// What happened, the newest last.
    pub happened: Vec<HappenedView>,
    /// Whether older things were left out.
    pub cut: bool,
    /// What persons say of values, where that was said within the time or still stands.
    pub said: Vec<SaidView>,
    /// How many these are.
    pub said_of: usize,
}

/// An alert that is shelved.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct ShelvedView {
    /// The alert.
    pub alert: OpenView,
    /// Until when.
    pub until: String,
}

/// A station that is not well.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct UnwellView {
    /// Where it stands.
    pub place: Text,
    /// Its class or index, and what there is to know of it.
    pub dot: DotView,
}

/// A sensor in doubt.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct DoubtedView {
    /// The station's name in tags.
    pub station_id: String,
    /// The station.
    pub station: Text,
    /// Its newest value, with the tests that doubt it.
    pub value: ValueView,
    /// Of when that is.
    pub at: String,
}

/// What a person says of values.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct SaidView {
    /// Its number.
    pub id: u64,
    /// The station.
    pub station: Text,
    /// The station's name in tags.
    pub station_id: String,
    /// Which values; empty where all of them.
    pub property: Text,
    /// Where at the station; empty where everywhere.
    pub position: String,
    /// From when.
    pub from: String,
    /// To before when.
    pub to: String,
    /// Whether they are in doubt only.
    pub suspect: bool,
    /// Who says so.
    pub person: String,
    /// Why.
    pub reason: String,
    /// Who took it back and why; empty where it stands.
    pub revoked: String,
}

#[cfg(test)]
mod tests;
