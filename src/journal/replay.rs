//! What a restart reads: the newest snapshot that is whole, the inputs after it, their editions.

use rusqlite::OptionalExtension as _;

use crate::domain::time::Timestamp;
use crate::journal::Error;
use crate::journal::blob::{sum, unzstd};
use crate::journal::read::{Reader, time, unsigned};

/// An edition that was in force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EditionHeld {
    /// Its digest.
    pub digest: String,
    /// When it came into force.
    pub taken_at: Timestamp,
    /// Its tables and settings, in the daemon's own encoding.
    pub tables: Vec<u8>,
}

/// A snapshot, whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SnapshotHeld {
    /// The last batch in it.
    pub sequence: u64,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// The stations by id.
    pub slices: Vec<(u32, Vec<u8>)>,
    /// The closing part.
    pub closing: Vec<u8>,
}

/// That an edition came into force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Taking {
    /// When.
    pub at: Timestamp,
    /// Its digest.
    pub digest: String,
}

/// Since when raw messages are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RawSince {
    /// When the first batch that has them was closed.
    pub at: Timestamp,
    /// Whether that is the first of the journal, so that none was let go.
    pub all: bool,
}

impl Reader {
    /// Hands on the inputs of every batch after one, in order. A batch whose raw messages were
    /// let go is skipped: a snapshot holds what they did.
    ///
    /// # Errors
    /// The journal can't be read, a batch is damaged, or `take` says so.
    pub fn inputs_after<E: From<Error>>(
        &self,
        sequence: u64,
        mut take: impl FnMut(u64, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut after = sequence;
        while let Some((sequence, inputs)) = self.next_inputs(after)? {
            // A broken index may lead back to what was read.
            if sequence <= after {
                let what = format!("the order after batch {after}");
                return Err(Error::Damaged { what }.into());
            }
            take(sequence, &inputs)?;
            after = sequence;
        }
        Ok(())
    }

    fn next_inputs(&self, after: u64) -> Result<Option<(u64, Vec<u8>)>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT sequence, inputs, inputs_sum FROM batches
             WHERE sequence > ?1 AND inputs IS NOT NULL ORDER BY sequence LIMIT 1",
        )?;
        let row = statement.query_row([after.cast_signed()], |row| {
            Ok((unsigned(row, 0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, i64>(2)?))
        });
        let Some((sequence, packed, checksum)) = row.optional()? else { return Ok(None) };
        let damaged = || Error::Damaged { what: format!("batch {sequence}") };
        if sum(&packed) != checksum {
            return Err(damaged());
        }
        Ok(Some((sequence, unzstd(&packed).map_err(|_| damaged())?)))
    }

    /// Gives an edition that was once in force.
    ///
    /// # Errors
    /// The journal can't be read, or the edition is damaged.
    pub fn edition(&self, digest: &str) -> Result<Option<EditionHeld>, Error> {
        let select = "SELECT digest, taken_at, tables, tables_sum FROM editions WHERE digest = ?1";
        let row = self.connection.query_row(select, [digest], |row| {
            let held =
                EditionHeld { digest: row.get(0)?, taken_at: time(row, 1)?, tables: row.get(2)? };
            Ok((held, row.get::<_, i64>(3)?))
        });
        let Some((mut held, checksum)) = row.optional()? else { return Ok(None) };
        let damaged = || Error::Damaged { what: format!("edition {}", held.digest) };
        if sum(&held.tables) != checksum {
            return Err(damaged());
        }
        held.tables = unzstd(&held.tables).map_err(|_| damaged())?;
        Ok(Some(held))
    }

    /// Gives the digest of the edition that was in force before a batch; of the first one where
    /// none was. An edition that comes into force again counts again.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn edition_before(&self, sequence: u64) -> Result<Option<String>, Error> {
        let select = "SELECT digest FROM takings
             ORDER BY sequence < ?1 DESC, CASE WHEN sequence < ?1 THEN -number ELSE number END
             LIMIT 1";
        let mut statement = self.connection.prepare_cached(select)?;
        Ok(statement.query_row([sequence.cast_signed()], |row| row.get(0)).optional()?)
    }

    /// Gives when which edition came in force, the oldest first, the last so many.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn takings(
        &self,
        (from, to): (Option<Timestamp>, Option<Timestamp>),
        count_max: u32,
    ) -> Result<Vec<Taking>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT taken_at, digest FROM
                (SELECT * FROM takings WHERE taken_at >= ?1 AND taken_at < ?2
                 ORDER BY number DESC LIMIT ?3)
             ORDER BY number",
        )?;
        let from = from.map_or(i64::MIN, Timestamp::millis);
        let to = to.map_or(i64::MAX, Timestamp::millis);
        let rows = statement.query_map((from, to, count_max), |row| {
            Ok(Taking { at: time(row, 0)?, digest: row.get(1)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Gives since when raw messages are kept.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn raw_since(&self) -> Result<RawSince, Error> {
        let first = |select: &str| {
            let mut statement = self.connection.prepare_cached(select)?;
            let row = statement.query_row([], |row| Ok((unsigned(row, 0)?, time(row, 1)?)));
            row.optional()
        };
        let select = "SELECT sequence, at FROM batches WHERE inputs IS NOT NULL
             ORDER BY sequence LIMIT 1";
        let last = "SELECT sequence, at FROM batches ORDER BY sequence DESC LIMIT 1";
        let kept = match first(select)? {
            Some((sequence, at)) => RawSince { at, all: sequence == 1 },
            None => RawSince {
                at: first(last)?.map_or_else(Timestamp::default, |(_, at)| at),
                all: false,
            },
        };
        Ok(kept)
    }

    /// Gives the last batch that was closed before a time, or before the first that is kept: what
    /// arrived since is in those after it.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn batch_before(&self, at: Timestamp) -> Result<u64, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT sequence, at FROM batches WHERE sequence >= ?1 ORDER BY sequence LIMIT 1",
        )?;
        // Halves, because the times of batches have no index: it would cost each commit.
        let (mut before, mut after) = (0, self.sequence()? + 1);
        while after - before > 1 {
            let middle = before + (after - before) / 2;
            let row = statement
                .query_row([middle.cast_signed()], |row| Ok((unsigned(row, 0)?, time(row, 1)?)));
            match row.optional()? {
                Some((sequence, closed)) if closed < at && sequence < after => before = sequence,
                Some(_) | None => after = middle,
            }
        }
        Ok(before)
    }

    /// Gives the newest snapshot that is whole; a damaged one is said and passed over.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn latest_snapshot(&self) -> Result<Option<SnapshotHeld>, Error> {
        let mut statement = self
            .connection
            .prepare("SELECT id FROM snapshots WHERE closing IS NOT NULL ORDER BY id DESC")?;
        let ids: Vec<i64> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        for id in ids {
            match self.snapshot(id) {
                Ok(snapshot) => return Ok(Some(snapshot)),
                Err(Error::Damaged { what }) => tracing::error!(what, "A snapshot is damaged."),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Gives the closing part of the first snapshot that was taken at a batch or after it, else of
    /// the newest; nothing if there is none, or if it is damaged.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn closing_from(&self, sequence: u64) -> Result<Option<Vec<u8>>, Error> {
        let mut statement = self.connection.prepare(
            "SELECT closing, closing_sum FROM snapshots WHERE closing IS NOT NULL
             ORDER BY sequence < ?1, CASE WHEN sequence < ?1 THEN -id ELSE id END LIMIT 1",
        )?;
        let row = statement.query_row([sequence.cast_signed()], |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, i64>(1)?))
        });
        let whole = row.optional()?.filter(|(packed, checksum)| sum(packed) == *checksum);
        Ok(whole.and_then(|(packed, _)| unzstd(&packed).ok()))
    }

    fn snapshot(&self, id: i64) -> Result<SnapshotHeld, Error> {
        let damaged = || Error::Damaged { what: format!("snapshot {id}") };
        let open = |packed: Vec<u8>, checksum: i64| {
            if sum(&packed) == checksum {
                unzstd(&packed).map_err(|_| damaged())
            } else {
                Err(damaged())
            }
        };
        let select = "SELECT sequence, taken_at, closing, closing_sum FROM snapshots WHERE id = ?1";
        let (sequence, taken_at, closing, checksum) =
            self.connection.query_row(select, [id], |row| {
                Ok((unsigned(row, 0)?, time(row, 1)?, row.get(2)?, row.get(3)?))
            })?;
        let mut statement = self.connection.prepare(
            "SELECT station, state, state_sum FROM slices WHERE snapshot = ?1 ORDER BY station",
        )?;
        let rows = statement.query_map([id], |row| {
            Ok((row.get::<_, u32>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, i64>(2)?))
        })?;
        let mut slices = Vec::new();
        for row in rows {
            let (station, packed, checksum) = row?;
            slices.push((station, open(packed, checksum)?));
        }
        Ok(SnapshotHeld { sequence, taken_at, slices, closing: open(closing, checksum)? })
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::journal::batch::EditionRow;
    use crate::journal::tests::{at, batch, open};
    use crate::journal::write::Journal;

    fn take(journal: &mut Journal, ms: i64, digest: &str) {
        let mut one = batch(ms, b"x");
        let taken_at = at(ms).wall;
        one.editions = vec![EditionRow { digest: digest.into(), taken_at, tables: vec![1] }];
        journal.commit(&one).unwrap();
    }

    #[test]
    fn an_edition_that_comes_into_force_again_is_the_last_one() {
        let folder = TempDir::new().unwrap();
        let mut journal = open(&folder);
        for (ms, digest) in [(1, "a"), (2, "b"), (3, "a")] {
            take(&mut journal, ms, digest);
        }
        let reader = Reader::open(folder.path()).unwrap();
        let before = |sequence| reader.edition_before(sequence).unwrap().unwrap();
        assert_eq!((1..=5).map(before).collect::<Vec<_>>(), ["a", "a", "b", "a", "a"]);
    }

    #[test]
    fn what_was_announced_is_of_the_next_snapshot_else_of_the_newest() {
        let folder = TempDir::new().unwrap();
        let mut journal = open(&folder);
        let closing = |sequence| {
            let reader = Reader::open(folder.path()).unwrap();
            reader.closing_from(sequence).unwrap().map(|bytes| String::from_utf8(bytes).unwrap())
        };
        assert_eq!(closing(1), None);
        for (ms, bytes) in [(1, "one"), (2, "two"), (3, "three")] {
            journal.commit(&batch(ms, b"x")).unwrap();
            let snapshot = journal.begin_snapshot(at(ms).wall).unwrap();
            journal.finish_snapshot(snapshot, bytes.as_bytes()).unwrap();
        }
        let given = [0, 1, 2, 3, 4].map(|sequence| closing(sequence).unwrap());
        assert_eq!(given, ["one", "one", "two", "three", "three"]);
    }

    #[test]
    fn what_arrived_since_a_time_begins_after_a_batch() {
        let folder = TempDir::new().unwrap();
        let mut journal = open(&folder);
        let before = |ms| Reader::open(folder.path()).unwrap().batch_before(at(ms).wall).unwrap();
        assert_eq!(before(7), 0);
        for ms in [10, 20, 20, 30] {
            journal.commit(&batch(ms, b"x")).unwrap();
        }
        assert_eq!([5, 10, 11, 20, 21, 30, 31].map(before), [0, 0, 1, 1, 3, 3, 4]);
        let kept = Reader::open(folder.path()).unwrap().raw_since().unwrap();
        assert_eq!(kept, RawSince { at: at(10).wall, all: true });
    }
}
