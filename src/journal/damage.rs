//! Points that can't be read any more: found by their checksum before they are sent, and set aside
//! as they are, so that the others go on and nothing of them is let go.

use rusqlite::{Transaction, params};

use crate::domain::time::Timestamp;
use crate::journal::Error;
use crate::journal::read::{Reader, time, unsigned};

/// A batch whose points are damaged, to be set aside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DamagedRow {
    /// Its number.
    pub sequence: u64,
    /// When it was found.
    pub at: Timestamp,
}

/// Points of a batch that can't be read any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DamagedPoints {
    /// The batch.
    pub sequence: u64,
    /// How many points it had.
    pub points: u64,
    /// When the last input before it came.
    pub from: Timestamp,
    /// When its own last input came.
    pub to: Timestamp,
}

/// How much is set aside.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SetAside {
    /// Batches.
    pub batches: u64,
    /// Points of theirs.
    pub points: u64,
}

/// Copies the points of damaged batches to where nothing lets go of them.
pub(super) fn write(transaction: &Transaction<'_>, rows: &[DamagedRow]) -> Result<(), Error> {
    for row in rows {
        transaction
            .prepare_cached(
                "INSERT OR IGNORE INTO damaged
                 SELECT sequence, ?2, line_count, lines, lines_sum FROM batches
                 WHERE sequence = ?1 AND lines IS NOT NULL",
            )?
            .execute(params![row.sequence.cast_signed(), row.at.millis()])?;
    }
    Ok(())
}

impl Reader {
    /// Gives how many points were found damaged and set aside, since the journal was made.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn set_aside(&self) -> Result<SetAside, Error> {
        let select = "SELECT count(*), coalesce(sum(points), 0) FROM damaged";
        let mut statement = self.connection.prepare_cached(select)?;
        Ok(statement.query_row([], |row| {
            Ok(SetAside { batches: unsigned(row, 0)?, points: unsigned(row, 1)? })
        })?)
    }

    /// Says what a damaged batch held and when it came.
    pub(super) fn damaged(&self, sequence: u64, points: u64) -> Result<DamagedPoints, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT last_wall, coalesce((SELECT last_wall FROM batches WHERE sequence < ?1
                ORDER BY sequence DESC LIMIT 1), last_wall)
             FROM batches WHERE sequence = ?1",
        )?;
        let times =
            statement.query_row([sequence.cast_signed()], |row| Ok((time(row, 0)?, time(row, 1)?)));
        let (to, from) = times?;
        Ok(DamagedPoints { sequence, points, from, to })
    }
}
