//! Quality control: every test that a datastream's seeds ask for, each in a file with QARTOD's
//! name for it. A test flags; it never changes or drops a value.

pub mod attenuated_signal;
pub mod climatology;
pub mod flat_line;
pub mod gross_range;
pub mod rate_of_change;
pub mod spike;
pub mod timing_gap;

use crate::domain::observation::{Observation, ObservationResult, QualifiedObservation};
use crate::domain::quality::{Flag, Quality, Test};
use crate::domain::registry::Datastream;

/// Runs the tests on one observation.
#[must_use]
pub fn qualify(
    datastream: &Datastream,
    observation: Observation,
    revision: bool,
) -> QualifiedObservation {
    let mut quality = Quality::default();
    quality.set(Test::Clock, observation.clock);
    match observation.result {
        ObservationResult::Nil(_) => quality.set(Test::Missing, Flag::Missing),
        ObservationResult::Value(_) | ObservationResult::Censored { .. } => {
            quality.set(Test::Missing, Flag::Pass);
        }
    }
    quality.set(Test::GrossRange, gross_range::test(datastream.gross_range, observation.result));
    QualifiedObservation { observation, quality, revision, completeness: None }
}
