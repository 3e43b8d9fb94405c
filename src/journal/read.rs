//! Reading the journal, also while the daemon writes it. Reads are short: a long one would keep
//! SQLite's write-ahead log from being folded back.

mod alerts;
mod kept;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row, params};

use crate::domain::ledger::Ledger;
use crate::domain::name::{DatastreamId, MarkId, Named, NetworkId, TopicId};
use crate::domain::observation::Period;
use crate::domain::time::{Moment, Timestamp};
use crate::journal::batch::{DeadLetter, DeadLetterId};
use crate::journal::blob::sum;
use crate::journal::damage::DamagedPoints;
use crate::journal::dead_letter::{qos_of, stage_of};
use crate::journal::folder::JOURNAL;
use crate::journal::store::{StoredObservation, flag_of, period_number, period_of, result_of};
use crate::journal::{Error, ledger, schema, write};

/// A connection that can't write.
#[derive(Debug)]
pub struct Reader {
    pub(super) connection: Connection,
}

/// The ledger, by pattern.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LedgerView {
    /// Since when it counts: since the journal was made.
    pub since: Timestamp,
    /// The sums, by pattern; `None` is "no pattern".
    pub rows: Vec<(Option<TopicId>, Ledger)>,
}

impl LedgerView {
    /// Gives the sums over all patterns.
    #[must_use]
    pub fn total(&self) -> Ledger {
        let mut total = Ledger::default();
        for (_, row) in &self.rows {
            total += *row;
        }
        total
    }
}

/// The points of some batches, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lines {
    /// The last batch.
    pub sequence: u64,
    /// One gzip member a batch that has points, with the number of its lines.
    pub members: Vec<(Vec<u8>, u64)>,
    /// Batches whose points can't be read any more.
    pub damaged: Vec<DamagedPoints>,
    /// The last batch whose points were let go: whoever reads them now comes too late.
    pub let_go: Option<u64>,
}

/// How far a sink came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cursor {
    /// The last batch whose points it has.
    pub sequence: u64,
    /// How many points wait for it.
    pub waiting: u64,
    /// How many it refused.
    pub refused: u64,
}

/// A dead letter that is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LetterHeld {
    /// Its number.
    pub id: DeadLetterId,
    /// The letter.
    pub letter: DeadLetter,
    /// When it was run again and ended well.
    pub retried_at: Option<Timestamp>,
}

/// How many dead letters there are of a device, channel and reason.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LetterCount {
    /// The device, empty if unknown.
    pub device: String,
    /// The channel, empty if the whole message.
    pub channel: String,
    /// The reason.
    pub code: String,
    /// Who turned them away.
    pub stage: String,
    /// How many.
    pub total: u64,
    /// How many are kept with their bytes.
    pub kept: u64,
    /// When the last one came.
    pub last_at: Timestamp,
}

/// What a sink refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefusedHeld {
    /// The sink.
    pub sink: String,
    /// When.
    pub at: Timestamp,
    /// The line.
    pub line: String,
    /// The field.
    pub field: Option<String>,
    /// The sink's words.
    pub words: String,
}

/// A notification that its channel has not confirmed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Due {
    /// Its number, by which it comes in order.
    pub number: i64,
    /// Its lasting id.
    pub id: String,
    /// What is said, JSON.
    pub body: String,
    /// How often it was tried.
    pub attempts: u32,
}

pub use self::alerts::{AlertActHeld, AlertHeld, ToldHeld};
pub use self::kept::{LastTried, LetterKind, LetterSince, LetterWords};

impl Reader {
    /// Opens the journal of a folder.
    ///
    /// # Errors
    /// There is none, or not one that this weir understands.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let file = folder.join(JOURNAL);
        if !file.exists() {
            return Err(Error::Absent { path: folder.to_owned() });
        }
        Self::open_file(&file)
    }

    pub(super) fn open_file(file: &Path) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(file, flags)?;
        connection.busy_timeout(Duration::from_secs(10))?;
        schema::check(&connection)?;
        Ok(Self { connection })
    }

    /// Gives the file.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.connection.path().unwrap_or_default().into()
    }

    /// Gives the number of the last batch; 0 of a new journal.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn sequence(&self) -> Result<u64, Error> {
        let mut statement =
            self.connection.prepare_cached("SELECT coalesce(max(sequence), 0) FROM batches")?;
        Ok(statement.query_row([], |row| unsigned(row, 0))?)
    }

    /// Gives when the last batch was made, by the clock that told it; nothing of a new journal.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn last_batch_at(&self) -> Result<Option<Timestamp>, Error> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT at FROM batches ORDER BY sequence DESC LIMIT 1")?;
        Ok(statement.query_row([], |row| time(row, 0)).optional()?)
    }

    /// Gives every name that has an id.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn names(&self) -> Result<Vec<Named>, Error> {
        write::names(&self.connection)
    }

    /// Gives the number after which this journal numbers alerts: 0, unless others were set aside
    /// before it.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn alerts_after(&self) -> Result<u64, Error> {
        let select = "SELECT value FROM facts WHERE key = 'alerts_after'";
        let after = self.connection.query_row(select, [], |row| unsigned(row, 0)).optional()?;
        Ok(after.unwrap_or(0))
    }

    /// Gives how many messages, and how many readings, are rejected no more because they ended well
    /// when they were run again.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn left_rejected(&self) -> Result<[i64; 2], Error> {
        let select = "SELECT value FROM facts WHERE key = ?1";
        let mut statement = self.connection.prepare_cached(select)?;
        let mut count = |key: &str| statement.query_row([key], |row| row.get(0)).optional();
        let [messages, readings] = write::LEFT_REJECTED;
        Ok([count(messages)?.unwrap_or(0), count(readings)?.unwrap_or(0)])
    }

    /// Gives how many bytes the journal takes.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn bytes(&self) -> Result<u64, Error> {
        write::bytes(&self.connection)
    }

    /// Gives the ledger as of the last batch.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn ledger(&self) -> Result<LedgerView, Error> {
        let last = "SELECT ledger FROM batches ORDER BY sequence DESC LIMIT 1";
        let mut statement = self.connection.prepare_cached(last)?;
        let bytes: Vec<u8> =
            statement.query_row([], |row| row.get(0)).optional()?.unwrap_or_default();
        let sums = ledger::from_bytes(&bytes)
            .ok_or_else(|| Error::Damaged { what: "the ledger".to_owned() })?;
        Ok(LedgerView { since: self.made_at()?, rows: sums.into_iter().collect() })
    }

    /// Gives when the journal was made.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn made_at(&self) -> Result<Timestamp, Error> {
        let select = "SELECT value FROM facts WHERE key = 'made_at'";
        let at: Option<i64> = self.connection.query_row(select, [], |row| row.get(0)).optional()?;
        Ok(Timestamp(at.unwrap_or_default()))
    }

    /// Gives the points of the batches after one, about `bytes_max` of them; `None` if there are
    /// no such batches.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn lines_after(&self, sequence: u64, bytes_max: usize) -> Result<Option<Lines>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT sequence, lines, lines_sum, line_count FROM batches WHERE sequence > ?1
             ORDER BY sequence LIMIT 10000",
        )?;
        let mut rows = statement.query([sequence.cast_signed()])?;
        let mut lines = Lines { sequence, members: Vec::new(), damaged: Vec::new(), let_go: None };
        let mut bytes = 0;
        while bytes < bytes_max
            && let Some(row) = rows.next()?
        {
            lines.sequence = unsigned(row, 0)?;
            let count = unsigned(row, 3)?;
            if count == 0 {
                continue;
            }
            let Some(member) = row.get::<_, Option<Vec<u8>>>(1)? else {
                lines.let_go = Some(lines.sequence);
                continue;
            };
            if row.get::<_, i64>(2)? == sum(&member) {
                bytes += member.len();
                lines.members.push((member, count));
            } else {
                lines.damaged.push(self.damaged(lines.sequence, count)?);
            }
        }
        Ok((lines.sequence > sequence).then_some(lines))
    }

    /// Says how far a sink came; `None` of a sink that was never registered.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn cursor(&self, sink: &str) -> Result<Option<Cursor>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT sequence, coalesce((SELECT lines_total FROM batches
                ORDER BY sequence DESC LIMIT 1), 0) - lines_total, refused
             FROM cursors WHERE sink = ?1",
        )?;
        let cursor = statement.query_row([sink], |row| {
            let (sequence, waiting) = (unsigned(row, 0)?, unsigned(row, 1)?);
            Ok(Cursor { sequence, waiting, refused: unsigned(row, 2)? })
        });
        Ok(cursor.optional()?)
    }

    /// Gives when the first batch after one was closed: how far a sink is behind.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn first_after(&self, sequence: u64) -> Result<Option<Timestamp>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT at FROM batches WHERE sequence > ?1 ORDER BY sequence LIMIT 1",
        )?;
        Ok(statement.query_row([sequence.cast_signed()], |row| time(row, 0)).optional()?)
    }

    /// Gives kept dead letters with a higher number than one, oldest first, without those that
    /// ended well when they were run again.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn dead_letters(
        &self,
        after: DeadLetterId,
        count_max: usize,
    ) -> Result<Vec<LetterHeld>, Error> {
        let select = format!(
            "SELECT {LETTER} FROM dead_letters WHERE id > ?1 AND retried_at IS NULL
             ORDER BY id LIMIT ?2"
        );
        let mut statement = self.connection.prepare_cached(&select)?;
        let count_max = i64::try_from(count_max).unwrap_or(i64::MAX);
        let rows = statement.query_map([after.0, count_max], letter)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Gives one dead letter.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn dead_letter(&self, id: DeadLetterId) -> Result<Option<LetterHeld>, Error> {
        let select = format!("SELECT {LETTER} FROM dead_letters WHERE id = ?1");
        Ok(self.connection.prepare_cached(&select)?.query_row([id.0], letter).optional()?)
    }

    /// Gives how many dead letters there are, by device, channel and reason, most first.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn dead_letter_counts(&self) -> Result<Vec<LetterCount>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT device, channel, code, stage, total, kept, last_at FROM dead_letter_counts
             WHERE total > 0 ORDER BY total DESC, device, channel, code",
        )?;
        let rows = statement.query_map([], |row| {
            Ok(LetterCount {
                device: row.get(0)?,
                channel: row.get(1)?,
                code: row.get(2)?,
                stage: row.get(3)?,
                total: unsigned(row, 4)?,
                kept: unsigned(row, 5)?,
                last_at: time(row, 6)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Gives what sinks refused, newest first.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn refused(&self, count_max: u32) -> Result<Vec<RefusedHeld>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT sink, at, line, field, words FROM refused ORDER BY number DESC LIMIT ?1",
        )?;
        let rows = statement.query_map([count_max], |row| {
            Ok(RefusedHeld {
                sink: row.get(0)?,
                at: time(row, 1)?,
                line: row.get(2)?,
                field: row.get(3)?,
                words: row.get(4)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Gives what a channel is still to be told after a number, in order.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn notifications_due(
        &self,
        channel: &str,
        after: i64,
        count_max: u32,
    ) -> Result<Vec<Due>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT number, n.id, n.body, d.attempts
             FROM deliveries d INDEXED BY deliveries_due JOIN notifications n USING (number)
             WHERE d.channel = ?1 AND d.number > ?2 AND d.confirmed_at IS NULL
             ORDER BY d.number LIMIT ?3",
        )?;
        let rows = statement.query_map(params![channel, after, count_max], due)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Gives the embedded store's observations of a datastream, from a time on to another.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn observations(
        &self,
        datastream: DatastreamId,
        period: Period,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<StoredObservation>, Error> {
        self.first_observations((datastream, period), (from, to), u32::MAX)
    }

    /// Gives the first so many of them.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn first_observations(
        &self,
        (datastream, period): (DatastreamId, Period),
        (from, to): (Timestamp, Timestamp),
        count_max: u32,
    ) -> Result<Vec<StoredObservation>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT datastream, period, time, kind, number, raw, flag, revision, mark
             FROM observations
             WHERE datastream = ?1 AND period = ?2 AND time >= ?3 AND time < ?4
             ORDER BY time LIMIT ?5",
        )?;
        let (from, to) = (from.millis(), to.millis());
        let of = params![datastream.0, period_number(period), from, to, count_max];
        let rows = statement.query_map(of, observation)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Gives so many of the embedded store's observations of a time, the newest, in order.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn newest_observations(
        &self,
        datastream: DatastreamId,
        period: Period,
        (from, to): (Timestamp, Timestamp),
        most: usize,
    ) -> Result<Vec<StoredObservation>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT datastream, period, time, kind, number, raw, flag, revision, mark
             FROM observations
             WHERE datastream = ?1 AND period = ?2 AND time >= ?3 AND time < ?4
             ORDER BY time DESC LIMIT ?5",
        )?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let of = params![datastream.0, period_number(period), from.millis(), to.millis(), most];
        let rows = statement.query_map(of, observation)?;
        let mut found: Vec<StoredObservation> = rows.collect::<Result<_, _>>()?;
        found.reverse();
        Ok(found)
    }

    /// Gives how many observations the embedded store holds.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn observation_count(&self) -> Result<u64, Error> {
        let select = "SELECT count(*) FROM observations";
        Ok(self.connection.query_row(select, [], |row| unsigned(row, 0))?)
    }
}

fn observation(row: &Row<'_>) -> rusqlite::Result<StoredObservation> {
    Ok(StoredObservation {
        datastream: DatastreamId(row.get(0)?),
        period: period_of(row.get(1)?),
        time: time(row, 2)?,
        result: result_of(row.get(3)?, row.get(4)?),
        raw: row.get(5)?,
        flag: flag_of(row.get(6)?),
        revision: row.get(7)?,
        flag_only: false,
        mark: row.get::<_, Option<u32>>(8)?.map(MarkId),
    })
}

const LETTER: &str = "id, at, network, topic, payload, qos, retain, packet_id, stage, code, words, \
    device, channel, received_wall, received_elapsed, retried_at, record, pattern, \
    message_rejected";
fn letter(row: &Row<'_>) -> rusqlite::Result<LetterHeld> {
    let wall = time(row, 13)?;
    let letter = DeadLetter {
        at: time(row, 1)?,
        network: NetworkId(row.get(2)?),
        topic: row.get::<_, Vec<u8>>(3)?.into(),
        payload: row.get::<_, Vec<u8>>(4)?.into(),
        qos: qos_of(row.get(5)?),
        retain: row.get(6)?,
        packet_id: row.get(7)?,
        stage: stage_of(&row.get::<_, String>(8)?),
        code: row.get::<_, String>(9)?.into(),
        words: row.get(10)?,
        device: row.get(11)?,
        channel: row.get(12)?,
        record: row.get(16)?,
        received: Moment { wall, elapsed_ms: row.get(14)? },
        pattern: row.get::<_, Option<u32>>(17)?.map(TopicId),
        message_rejected: row.get(18)?,
        more: 0,
    };
    let retried_at = row.get::<_, Option<i64>>(15)?.map(Timestamp);
    Ok(LetterHeld { id: DeadLetterId(row.get(0)?), letter, retried_at })
}

fn due(row: &Row<'_>) -> rusqlite::Result<Due> {
    let (number, id, body) = (row.get(0)?, row.get(1)?, row.get(2)?);
    Ok(Due { number, id, body, attempts: row.get(3)? })
}

pub(super) fn time(row: &Row<'_>, index: usize) -> rusqlite::Result<Timestamp> {
    row.get(index).map(Timestamp)
}

pub(super) fn unsigned(row: &Row<'_>, index: usize) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(index)?.cast_unsigned())
}
