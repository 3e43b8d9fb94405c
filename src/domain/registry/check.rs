//! How checks of instruments are judged, and what one that failed puts in question: rows of
//! `checks.csv`.

use crate::domain::check::CheckKind;
use crate::domain::name::{PropertyId, StationId};
use crate::domain::quality::Flag;
use crate::domain::registry::{Datastream, Registry, Tolerance};

/// How far what a check finds may lie from what it should find.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum CheckLimit {
    /// So far; a share is of the measuring span, in the canonical unit, or of the standard without.
    Within {
        /// How far.
        tolerance: Tolerance,
        /// The measuring span.
        span: Option<f64>,
    },
    /// Shares of the standard, such as 0.8 to 1.2.
    Recovery {
        /// The least.
        low: f64,
        /// The most.
        high: f64,
    },
}

/// How far a check that failed reaches, besides the checks of its kind before and after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CheckCovers {
    /// The local day of the check.
    Day,
    /// Back to the check before it and on to the one after it, for so long at most, ms.
    LastPass(i64),
}

/// Of which checks a row holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CheckScope {
    /// All.
    All,
    /// Those of a property.
    Property(PropertyId),
    /// Those of a property of a station.
    Station(StationId, PropertyId),
}

impl CheckScope {
    /// Ranks it among those that hold for a datastream: the narrowest counts. Nothing if it does
    /// not hold.
    fn rank(self, of: &Datastream) -> Option<u8> {
        let (rank, holds) = match self {
            Self::All => (0, true),
            Self::Property(property) => (1, property == of.property),
            Self::Station(station, property) => {
                (2, (station, property) == (of.station, of.property))
            }
        };
        holds.then_some(rank)
    }
}

/// A row of `checks.csv`; numbers in the canonical unit.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct CheckRow {
    /// What is checked.
    pub kind: CheckKind,
    /// Of which checks it holds.
    pub scope: CheckScope,
    /// What passes.
    pub limit: CheckLimit,
    /// What should be found, where the check does not say.
    pub standard: Option<f64>,
    /// What a check that failed puts in question.
    pub covers: CheckCovers,
    /// What it makes of it: fail or suspect.
    pub flag: Flag,
}

impl Registry {
    /// Finds the datastream by which checks of a property at a position are known: the values
    /// themselves before means that a device states.
    #[must_use]
    pub fn checked_stream(
        &self,
        station: StationId,
        property: PropertyId,
        position: &str,
    ) -> Option<&Datastream> {
        let ids = self.station(station).map_or(&[][..], |station| &station.datastreams);
        let streams = ids.iter().filter_map(|id| self.datastream(*id));
        let fits = streams.filter(|one| one.property == property && *one.position == *position);
        fits.min_by_key(|one| one.period_ms.is_some())
    }
}

/// Finds the row that holds for a check of a datastream's property.
#[must_use]
pub fn check_row<'r>(
    rows: &'r [CheckRow],
    kind: CheckKind,
    datastream: &Datastream,
) -> Option<&'r CheckRow> {
    let of_kind = rows.iter().filter(|row| row.kind == kind);
    let ranked = of_kind.filter_map(|row| Some((row.scope.rank(datastream)?, row)));
    ranked.max_by_key(|(rank, _)| *rank).map(|(_, row)| row)
}
