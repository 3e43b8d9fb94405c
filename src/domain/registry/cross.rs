//! What several properties of a station say of each other: rows of `cross_checks.csv`, and who
//! stands up and down the river.

use std::sync::Arc;

use crate::domain::expression::Expression;
use crate::domain::name::DatastreamId;
use crate::domain::quality::Test;

/// A span whose ends may be open, bounds inclusive.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct OneSided {
    /// The least value within.
    pub low: Option<f64>,
    /// The greatest value within.
    pub high: Option<f64>,
}

impl OneSided {
    /// Says whether a value lies outside.
    #[must_use]
    pub fn excludes(self, value: f64) -> bool {
        self.low.is_some_and(|low| value < low) || self.high.is_some_and(|high| value > high)
    }
}

/// What a check asks.
#[derive(Clone, PartialEq, Debug)]
pub enum CrossKind {
    /// What an expression comes to, in the unit of the row.
    Expression {
        /// The expression.
        expression: Expression,
        /// Outside: fail.
        fail: OneSided,
        /// Outside: suspect.
        suspect: OneSided,
    },
    /// That not all of its datastreams repeat themselves over so many samples.
    Repeats {
        /// How many samples, one after the other, are alike; two at least.
        samples: usize,
    },
}

/// A check of several properties at one position of one station.
#[derive(Clone, PartialEq, Debug)]
pub struct CrossCheck {
    /// Its name in the seeds.
    pub name: Box<str>,
    /// The test that its flag is noted for.
    pub test: Test,
    /// What it asks.
    pub kind: CrossKind,
    /// Its expression as the seeds have it.
    pub text: Box<str>,
    /// Whose values it flags.
    pub judges: Box<[DatastreamId]>,
}

impl CrossCheck {
    /// Gives the datastreams that it looks at.
    #[must_use]
    pub fn inputs(&self) -> &[DatastreamId] {
        match &self.kind {
            CrossKind::Expression { expression, .. } => expression.inputs(),
            CrossKind::Repeats { .. } => &self.judges,
        }
    }
}

/// The same property at the next station up or down the river.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Neighbour {
    /// Its datastream.
    pub datastream: DatastreamId,
    /// How much earlier, at least, the water of here was there, ms; below zero downstream.
    pub low_ms: i64,
    /// How much earlier at most, ms.
    pub high_ms: i64,
}

/// What stands around a datastream outside of its own series.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Standing {
    /// The checks that flag its values.
    pub judged_by: Arc<[Arc<CrossCheck>]>,
    /// The checks that look at its values to flag others.
    pub informs: Arc<[Arc<CrossCheck>]>,
    /// Who stands up and down the river, where its seeds ask for the neighbour test.
    pub neighbours: Arc<[Neighbour]>,
    /// By whose values rows of its climatology hold.
    pub companion: Option<DatastreamId>,
    /// The datastreams whose companion it is.
    pub accompanies: Arc<[DatastreamId]>,
}
