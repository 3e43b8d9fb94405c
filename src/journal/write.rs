//! The one writer: a batch is one transaction, and on the disk when [`Journal::commit`] returns.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::domain::ledger::Ledger;
use crate::domain::name::{NameKind, Named, TopicId};
use crate::domain::time::{Moment, Timestamp};
use crate::journal::aside::set_aside_files;
use crate::journal::batch::Batch;
use crate::journal::blob::{Packer, sum};
use crate::journal::dead_letter::{Change, Tallies};
use crate::journal::folder::{Folder, JOURNAL};
use crate::journal::ledger::{self, Sums};
use crate::journal::tidy::HELD;
use crate::journal::{Config, Error, damage, schema, store, told};

/// How many refused lines are kept with their words; beyond, they are counted.
pub const REFUSED_MAX: i64 = 10_000;
/// Under which keys it stands how many messages and readings left the rejected ones.
pub(super) const LEFT_REJECTED: [&str; 2] = ["messages_left_rejected", "readings_left_rejected"];
/// This part of the byte limit may be gone past by what only a snapshot lets go.
const MARGIN_PART: u64 = 4;
/// What a log that a large transaction or a slow reader made longer is cut to, once it is in the
/// journal.
pub(super) const WAL_BYTES_MAX: i64 = 64 << 20;
/// For how long another connection's lock is waited for.
const BUSY: Duration = Duration::from_secs(10);

/// The journal, open for writing. There is one in the process and one on the folder.
#[derive(Debug)]
pub struct Journal {
    pub(super) connection: Connection,
    pub(super) folder: Folder,
    pub(super) bytes_max: u64,
    pub(super) raw_keep_ms: i64,
    packer: Packer,
    sequence: u64,
    last: Moment,
    lines_total: u64,
    sums: Sums,
    tallies: Tallies,
}

/// The number of a batch that is safe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Committed {
    /// The last batch's number; a batch of mere notes has none of its own.
    pub sequence: u64,
}

/// The number of a snapshot that is being written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SnapshotId(i64);

impl Journal {
    /// Opens the journal of a folder, or makes one. Only one can be open on a folder.
    ///
    /// # Errors
    /// The folder can't be used, is in use, or holds a journal of a newer weir.
    pub fn open(config: &Config, now: Timestamp) -> Result<Self, Error> {
        let folder = Folder::open(&config.data_folder)?;
        refuse_emptied(folder.path())?;
        let mut connection = Connection::open(folder.path().join(JOURNAL))?;
        connection.busy_timeout(BUSY)?;
        // Before the first table, or it never holds.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // What was acknowledged must survive a loss of power, not only of the process.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "journal_size_limit", WAL_BYTES_MAX)?;
        connection.set_prepared_statement_cache_capacity(64);
        schema::migrate(&mut connection)?;
        drop_unfinished(&connection)?;
        note_birth(&mut connection, folder.path(), now)?;
        let last = connection
            .query_row(
                "SELECT sequence, last_wall, last_elapsed, lines_total, ledger FROM batches
                 ORDER BY sequence DESC LIMIT 1",
                [],
                |row| {
                    let wall = Timestamp(row.get(1)?);
                    let last = Moment { wall, elapsed_ms: row.get(2)? };
                    Ok((row.get::<_, i64>(0)?, last, row.get::<_, i64>(3)?, row.get(4)?))
                },
            )
            .optional()?;
        let (sequence, last, lines_total, sums): (i64, Moment, i64, Vec<u8>) =
            last.unwrap_or_default();
        let sums = ledger::from_bytes(&sums)
            .ok_or_else(|| Error::Damaged { what: format!("the ledger of batch {sequence}") })?;
        folder.fill_reserve();
        Ok(Self {
            tallies: Tallies::load(&connection)?,
            connection,
            folder,
            bytes_max: config.journal_bytes_max,
            raw_keep_ms: i64::from(config.raw_keep_days) * crate::domain::time::DAY,
            packer: Packer::new().map_err(Error::Pack)?,
            sequence: sequence.cast_unsigned(),
            last,
            lines_total: lines_total.cast_unsigned(),
            sums,
        })
    }

    /// Gives the folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Gives how many bytes it may take.
    #[must_use]
    pub fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    /// Gives the number of the last batch; 0 of a new journal.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Gives the moment of the last input; nothing of a new journal.
    #[must_use]
    pub fn last_moment(&self) -> Option<Moment> {
        (self.sequence > 0).then_some(self.last)
    }

    /// Gives every name that has an id.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn names(&self) -> Result<Vec<Named>, Error> {
        names(&self.connection)
    }

    /// Gives the ledger's sums.
    pub fn ledger(&self) -> impl Iterator<Item = (Option<TopicId>, Ledger)> {
        self.sums.iter().map(|(topic, row)| (*topic, *row))
    }

    /// Makes a batch safe. When it returns, what is in it may be acknowledged.
    ///
    /// # Errors
    /// [`Error::Full`] where there is no room; whatever the error, nothing of the batch is in the
    /// journal and it can be committed again as it is. The byte limit is held against inputs and
    /// points only: notes are small, and a cursor that moves frees more than it takes.
    pub fn commit(&mut self, batch: &Batch) -> Result<Committed, Error> {
        let held = self.bytes()?;
        if batch.is_main() && held >= self.bytes_max && held >= self.bytes_max + self.margin()? {
            let limit = format!(
                "the journal holds {held} bytes, journal.journal_bytes_max is {}",
                self.bytes_max
            );
            return Err(Error::Full { limit });
        }
        self.write(batch)
    }

    /// Gives how far the limit may be gone past. Snapshots don't count: without them nothing can be
    /// let go. Nor do, up to a share, inputs that none holds yet: the snapshot that lets them go
    /// waits behind the batch that finds no room.
    fn margin(&self) -> Result<u64, Error> {
        let number = |select: &str| -> Result<u64, Error> {
            let mut statement = self.connection.prepare_cached(select)?;
            Ok(statement.query_row([], |row| row.get::<_, i64>(0))?.cast_unsigned())
        };
        let unheld = number(&format!(
            "SELECT coalesce(sum(length(inputs)), 0) FROM batches
             WHERE inputs IS NOT NULL AND sequence > {HELD}"
        ))?;
        let slices = number("SELECT coalesce(sum(length(state)), 0) FROM slices")?;
        let closings = number("SELECT coalesce(sum(length(closing)), 0) FROM snapshots")?;
        Ok(unheld.min(self.bytes_max / MARGIN_PART) + slices + closings)
    }

    /// Makes a small batch safe in room that was set aside for it: how weir says that there is
    /// none.
    ///
    /// # Errors
    /// Not even that room is there.
    pub fn commit_from_reserve(&mut self, batch: &Batch) -> Result<Committed, Error> {
        self.folder.free_reserve();
        self.write(batch)
    }

    /// Sets room aside again after [`Self::commit_from_reserve`]; says whether there is so much.
    /// Until then the disk counts as full: what the reserve left is no room for batches, or the end
    /// of it would be said at once and the beginning again and again.
    pub fn refill_reserve(&mut self) -> bool {
        self.folder.fill_reserve()
    }

    fn write(&mut self, batch: &Batch) -> Result<Committed, Error> {
        let main = batch.is_main();
        let sequence = self.sequence + u64::from(main);
        let number = sequence.cast_signed();
        let mut sums = None;
        let last = if batch.inputs.is_empty() { self.last } else { batch.inputs.last() };
        let transaction = self.connection.transaction()?;
        write_names(&transaction, &batch.names)?;
        for edition in &batch.editions {
            let tables = self.packer.zstd(&edition.tables).map_err(Error::Pack)?;
            transaction.execute(
                "INSERT OR IGNORE INTO editions VALUES (?1, ?2, ?3, ?4, ?5)",
                params![&*edition.digest, number, edition.taken_at.millis(), tables, sum(&tables)],
            )?;
            transaction.execute(
                "INSERT INTO takings (sequence, taken_at, digest) VALUES (?1, ?2, ?3)",
                params![number, edition.taken_at.millis(), &*edition.digest],
            )?;
        }
        if main {
            let mut after = self.sums.clone();
            ledger::add(&mut after, &batch.ledger);
            let lines_total = self.lines_total + batch.line_count;
            let total = Total { last, lines: lines_total, sums: &after };
            write_main(&transaction, &mut self.packer, batch, number, &total).map_err(|fault| {
                match fault {
                    Fault::Pack(error) => Error::Pack(error),
                    Fault::Sqlite(error) => error.into(),
                }
            })?;
            sums = Some(after);
        }
        let change = write_rows(&transaction, &self.tallies, batch)?;
        transaction.commit()?;
        self.tallies.take_over(change);
        if let Some(sums) = sums {
            self.sums = sums;
            self.lines_total += batch.line_count;
            self.sequence = sequence;
            self.last = last;
        }
        Ok(Committed { sequence: self.sequence })
    }

    /// Gives how many bytes the journal takes, free pages not counted.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn bytes(&self) -> Result<u64, Error> {
        bytes(&self.connection)
    }

    /// Forgets how far the sinks came that are not among these, and names them: points that wait
    /// for nobody are let go.
    ///
    /// # Errors
    /// The journal can't be read or written.
    pub fn forget_sinks(&mut self, held: &[&str]) -> Result<Vec<String>, Error> {
        let mut statement = self.connection.prepare("SELECT sink FROM cursors ORDER BY sink")?;
        let sinks = statement.query_map([], |row| row.get::<_, String>(0))?;
        let mut gone: Vec<String> = sinks.collect::<Result<_, _>>()?;
        gone.retain(|sink| !held.contains(&&**sink));
        for sink in &gone {
            self.connection.execute("DELETE FROM cursors WHERE sink = ?1", [sink])?;
        }
        Ok(gone)
    }

    /// Loses every snapshot, as damage would.
    ///
    /// # Errors
    /// The journal can't be written.
    #[cfg(test)]
    pub(crate) fn forget_snapshots(&mut self) -> Result<(), Error> {
        Ok(self.connection.execute_batch("DELETE FROM slices; DELETE FROM snapshots")?)
    }

    /// Begins a snapshot of the state after the last batch. One that was left unfinished goes: it
    /// will never be of use, and would take room until the next start.
    ///
    /// # Errors
    /// The journal can't be written.
    pub fn begin_snapshot(&mut self, taken_at: Timestamp) -> Result<SnapshotId, Error> {
        let transaction = self.connection.transaction()?;
        drop_unfinished(&transaction)?;
        transaction.execute(
            "INSERT INTO snapshots (sequence, taken_at) VALUES (?1, ?2)",
            params![self.sequence.cast_signed(), taken_at.millis()],
        )?;
        let id = SnapshotId(transaction.last_insert_rowid());
        transaction.commit()?;
        Ok(id)
    }

    /// Writes some stations of a snapshot.
    ///
    /// # Errors
    /// The journal can't be written.
    pub fn put_slices(
        &mut self,
        snapshot: SnapshotId,
        slices: &[(u32, Vec<u8>)],
    ) -> Result<(), Error> {
        let transaction = self.connection.transaction()?;
        for (station, state) in slices {
            let state = self.packer.zstd(state).map_err(Error::Pack)?;
            transaction
                .prepare_cached("INSERT INTO slices VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![snapshot.0, station, state, sum(&state)])?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Closes a snapshot; only now it can be used.
    ///
    /// # Errors
    /// The journal can't be written.
    pub fn finish_snapshot(&mut self, snapshot: SnapshotId, closing: &[u8]) -> Result<(), Error> {
        let closing = self.packer.zstd(closing).map_err(Error::Pack)?;
        self.connection.execute(
            "UPDATE snapshots SET closing = ?2, closing_sum = ?3 WHERE id = ?1",
            params![snapshot.0, closing, sum(&closing)],
        )?;
        Ok(())
    }
}

/// What a batch's row says of all batches up to it.
struct Total<'a> {
    last: Moment,
    lines: u64,
    sums: &'a Sums,
}

/// What can fail while the main row is made.
enum Fault {
    Pack(io::Error),
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// SQLite takes an empty file for a new journal, and throws the log beside it away.
fn refuse_emptied(folder: &Path) -> Result<(), Error> {
    let bytes = |name: &str| fs::metadata(folder.join(name)).map(|held| held.len()).ok();
    let log = bytes(&format!("{JOURNAL}-wal")).unwrap_or(0);
    if bytes(JOURNAL) == Some(0) && log > 0 {
        return Err(Error::Damaged { what: "the head".to_owned() });
    }
    Ok(())
}

/// Notes when a new journal was made. Where others were set aside, their alerts' numbers must not
/// come again: it begins beyond any of them, by the time.
fn note_birth(connection: &mut Connection, folder: &Path, now: Timestamp) -> Result<(), Error> {
    let transaction = connection.transaction()?;
    let insert = "INSERT OR IGNORE INTO facts VALUES (?1, ?2)";
    let is_new = transaction.execute(insert, params!["made_at", now.millis()])? > 0;
    if is_new && !set_aside_files(folder).is_empty() {
        transaction.execute(insert, params!["alerts_after", now.millis()])?;
    }
    transaction.commit()?;
    Ok(())
}

fn drop_unfinished(connection: &Connection) -> Result<(), Error> {
    connection.execute_batch(
        "DELETE FROM slices WHERE snapshot IN (SELECT id FROM snapshots WHERE closing IS NULL);
         DELETE FROM snapshots WHERE closing IS NULL",
    )?;
    Ok(())
}

fn write_main(
    transaction: &Transaction<'_>,
    packer: &mut Packer,
    batch: &Batch,
    number: i64,
    total: &Total<'_>,
) -> Result<(), Fault> {
    let inputs = packer.zstd(batch.inputs.bytes()).map_err(Fault::Pack)?;
    let lines = packer.gzip(&batch.lines).map_err(Fault::Pack)?;
    transaction
        .prepare_cached(
            "INSERT INTO batches VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?
        .execute(params![
            number,
            batch.at.millis(),
            total.last.wall.millis(),
            total.last.elapsed_ms,
            inputs,
            sum(&inputs),
            batch.inputs.count().cast_signed(),
            lines,
            sum(lines),
            batch.line_count.cast_signed(),
            total.lines.cast_signed(),
            ledger::to_bytes(total.sums),
        ])?;
    Ok(())
}

fn write_names(transaction: &Transaction<'_>, names: &[Named]) -> Result<(), Error> {
    for named in names {
        transaction.prepare_cached("INSERT INTO names VALUES (?1, ?2, ?3)")?.execute(params![
            named.kind.word(),
            named.id,
            &*named.name
        ])?;
    }
    Ok(())
}

fn write_rows(
    transaction: &Transaction<'_>,
    tallies: &Tallies,
    batch: &Batch,
) -> Result<Change, Error> {
    for row in &batch.observations {
        store::put(transaction, row)?;
    }
    for control in &batch.controls {
        store::put_control(transaction, control)?;
    }
    for (key, count) in LEFT_REJECTED.into_iter().zip(batch.left_rejected) {
        if count > 0 {
            transaction
                .prepare_cached(
                    "INSERT INTO facts VALUES (?1, ?2)
                     ON CONFLICT DO UPDATE SET value = value + excluded.value",
                )?
                .execute(params![key, count])?;
        }
    }
    let mut change = tallies.write(transaction, &batch.dead_letters)?;
    tallies.write_retried(transaction, &batch.retried, batch.at, &mut change)?;
    Tallies::write_mended(transaction, &batch.mended)?;
    for row in &batch.alerts {
        transaction
            .prepare_cached(
                "INSERT INTO alerts (alert, rule, subject, change, since, at, json)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                row.alert.0.cast_signed(),
                row.rule.0,
                row.subject,
                row.change.word(),
                row.since.millis(),
                row.at.millis(),
                row.json,
            ])?;
    }
    told::write_alert_acts(transaction, batch)?;
    told::write_notifications(transaction, batch)?;
    write_progress(transaction, batch)?;
    damage::write(transaction, &batch.damaged)?;
    Ok(change)
}

fn count_refused(transaction: &Transaction<'_>) -> Result<i64, Error> {
    let mut count = transaction.prepare_cached("SELECT count(*) FROM refused")?;
    Ok(count.query_row([], |row| row.get(0))?)
}

fn write_progress(transaction: &Transaction<'_>, batch: &Batch) -> Result<(), Error> {
    // Counted once: thousands may be refused together.
    let room = if batch.refused.is_empty() { 0 } else { REFUSED_MAX - count_refused(transaction)? };
    for row in batch.refused.iter().take(usize::try_from(room).unwrap_or(0)) {
        transaction
            .prepare_cached(
                "INSERT INTO refused (sink, at, line, field, words) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![&*row.sink, row.at.millis(), row.line, row.field, row.words])?;
    }
    for row in &batch.cursors {
        transaction
            .prepare_cached(
                // Whoever begins waits for the points that are still there, not for all there were.
                "INSERT INTO cursors VALUES (?1, ?2, coalesce(
                    (SELECT lines_total FROM batches WHERE sequence = ?2),
                    (SELECT lines_total - line_count FROM batches
                     WHERE ?2 = 0 AND lines IS NOT NULL ORDER BY sequence LIMIT 1),
                    (SELECT lines_total FROM batches
                     WHERE ?2 = 0 ORDER BY sequence DESC LIMIT 1),
                    0), 0)
                 ON CONFLICT DO UPDATE SET sequence = excluded.sequence,
                    lines_total = max(lines_total, excluded.lines_total)
                 WHERE excluded.sequence >= sequence",
            )?
            .execute(params![&*row.sink, row.sequence.cast_signed()])?;
    }
    // Apart from the cursors, of which notes that ride together hold several.
    let mut refused: BTreeMap<&str, i64> = BTreeMap::new();
    for row in &batch.refused {
        *refused.entry(&row.sink).or_default() += 1;
    }
    for (sink, count) in refused {
        transaction
            .prepare_cached("UPDATE cursors SET refused = refused + ?2 WHERE sink = ?1")?
            .execute(params![sink, count])?;
    }
    Ok(())
}

/// How many ids may have gone to no name; ids are given one after the other.
const IDS_UNUSED_MAX: u32 = 65_536;

pub(super) fn names(connection: &Connection) -> Result<Vec<Named>, Error> {
    let mut statement = connection.prepare("SELECT kind, id, name FROM names ORDER BY kind, id")?;
    let rows = statement.query_map([], |row| {
        Ok((row.get::<_, String>(0)?, row.get(1)?, row.get::<_, String>(2)?))
    })?;
    let mut names = Vec::new();
    for row in rows {
        let (word, id, name) = row?;
        let kind = NameKind::from_word(&word)
            .ok_or_else(|| Error::Damaged { what: format!("a name of kind `{word}`") })?;
        names.push(Named { kind, name: name.into(), id });
    }
    // Ids are places in tables: a broken one must not make such a table.
    let id_max = u32::try_from(names.len()).unwrap_or(u32::MAX).saturating_add(IDS_UNUSED_MAX);
    match names.iter().find(|named| named.id >= id_max) {
        Some(named) => Err(Error::Damaged { what: format!("the id of `{}`", named.name) }),
        None => Ok(names),
    }
}

pub(super) fn bytes(connection: &Connection) -> Result<u64, Error> {
    let pragma = |name: &str| -> Result<u64, Error> {
        let mut statement = connection.prepare_cached(&format!("PRAGMA {name}"))?;
        Ok(statement.query_row([], |row| row.get::<_, i64>(0))?.cast_unsigned())
    };
    let pages = pragma("page_count")?.saturating_sub(pragma("freelist_count")?);
    Ok(pages * pragma("page_size")?)
}
