//! What the head of every page says: whether weir itself is well.

use serde::Serialize;

use crate::http::view::Text;

/// The head of a page.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct StripView {
    /// How many alerts fire of which somebody is told.
    pub alerts: usize,
    /// The zone of weir, such as `UTC+8`.
    pub zone: String,
    /// How far it is east of UTC, min.
    pub east_min: i32,
    /// Brokers, database and journal, each with its state.
    pub parts: Vec<PartState>,
}

/// A part of weir, and whether it is well.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct PartState {
    /// What it is and how it is.
    pub words: Text,
    /// The page that says more of it.
    pub address: &'static str,
    /// Whether it is as it should be.
    pub well: bool,
}
