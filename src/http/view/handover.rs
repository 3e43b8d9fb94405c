//! What happened since a shift began, for whom takes over.

use serde::Serialize;

use crate::http::view::Text;
use crate::http::view::alerts::HappenedView;
use crate::http::view::now::OpenView;

/// What happened within a time.
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
    /// The alerts that fire at its end, as the first page orders them.
    pub open: Vec<OpenView>,
    /// How many fire.
    pub open_of: usize,
    /// What happened, the newest last.
    pub happened: Vec<HappenedView>,
    /// Whether older things were left out.
    pub cut: bool,
    /// What persons say of values, where that was said within the time or still stands.
    pub said: Vec<SaidView>,
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
    /// Which values, of when.
    pub of: String,
    /// Who says so.
    pub person: String,
    /// Why.
    pub reason: String,
}
