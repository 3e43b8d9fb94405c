//! What the journal lets go of, in slices between batches: raw messages that are old enough,
//! points that every sink has, snapshots that newer ones replace. Never points that a sink needs,
//! and never inputs that the newest snapshot does not hold.

use rusqlite::{OptionalExtension as _, Transaction, params};

use crate::domain::time::{DAY, Timestamp};
use crate::journal::Error;
use crate::journal::write::Journal;

/// How many rows one slice touches.
const SLICE: usize = 200;
/// How many pages one slice gives back to the disk.
const PAGES: u32 = 500;
/// From this share of the byte limit on, raw messages go before their time.
const PRESSING: f64 = 0.9;
/// The newest snapshots are kept in any case, should one of them be damaged.
const SNAPSHOTS_MIN: i64 = 2;
/// Beyond that, one a day is kept for a week.
const SNAPSHOTS_KEEP_MS: i64 = 7 * DAY;

/// The last batch whose inputs snapshots hold: the oldest snapshot that is kept against damage
/// needs those after it.
pub(super) const HELD: &str = "(SELECT coalesce(min(sequence), 0) FROM
    (SELECT sequence FROM snapshots WHERE closing IS NOT NULL ORDER BY id DESC LIMIT 2))";

/// The last batch whose points every sink has.
const DELIVERED: &str = "(SELECT coalesce(min(sequence), 9223372036854775807) FROM cursors)";

/// What is let go of a batch before the batch itself: the fact that says up to which batch it is
/// gone already, and how it goes. A slice begins there, so it never looks through what is behind
/// it, however long the journal.
const PARTS: [(&str, &str); 2] = [
    ("inputs_gone", "UPDATE batches SET inputs = NULL WHERE sequence BETWEEN ?1 AND ?2"),
    ("lines_gone", "UPDATE batches SET lines = NULL WHERE sequence BETWEEN ?1 AND ?2"),
];
const BATCHES: &str = "SELECT sequence, at FROM batches WHERE sequence > ?1
    ORDER BY sequence LIMIT ?2";
const BATCHES_TO_DELETE: &str = "DELETE FROM batches WHERE sequence BETWEEN ?1 AND ?2";

/// A notification goes whole, once every channel has confirmed it.
const DELIVERIES_TO_DELETE: &str = "DELETE FROM deliveries WHERE number IN
    (SELECT number FROM notifications AS told WHERE at < ?1
        AND EXISTS (SELECT 1 FROM deliveries WHERE number = told.number)
        AND NOT EXISTS (SELECT 1 FROM deliveries
            WHERE number = told.number AND confirmed_at IS NULL)
     ORDER BY at LIMIT ?2)";
const NOTIFICATIONS_TO_DELETE: &str = "DELETE FROM notifications WHERE number IN
    (SELECT number FROM notifications AS told WHERE at < ?1
        AND NOT EXISTS (SELECT 1 FROM deliveries WHERE number = told.number)
     ORDER BY at LIMIT ?2)";

/// How many changes of alerts are kept. Beyond, the oldest go, but for alerts that still fire.
const ALERTS_MAX: i64 = 100_000;
const ALERTS_TO_DELETE: &str = "DELETE FROM alerts WHERE number IN
    (SELECT number FROM alerts AS old WHERE number <= (SELECT max(number) FROM alerts) - ?1
        AND (change NOT IN ('firing', 'changed') OR EXISTS (SELECT 1 FROM alerts
            WHERE alert = old.alert AND number > old.number))
     ORDER BY number LIMIT ?2)";
/// How many acts of persons on alerts are kept. Beyond, the oldest go.
const ALERT_ACTS_MAX: i64 = 100_000;
const ALERT_ACTS_TO_DELETE: &str = "DELETE FROM alert_acts WHERE number IN
    (SELECT number FROM alert_acts WHERE number <= (SELECT max(number) FROM alert_acts) - ?1
     ORDER BY number LIMIT ?2)";

/// What one slice did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tidied {
    /// How many rows were changed or deleted.
    pub rows: usize,
}

impl Tidied {
    /// Says whether there may be more to do at once.
    #[must_use]
    pub fn more(self) -> bool {
        self.rows >= SLICE
    }
}

impl Journal {
    /// Does one slice of tidying.
    ///
    /// # Errors
    /// The journal can't be written.
    pub fn tidy(&mut self, now: Timestamp) -> Result<Tidied, Error> {
        let pressing = self.bytes()? as f64 >= self.bytes_max as f64 * PRESSING;
        let older = |ms: i64| if pressing { now.plus(1) } else { now.plus(-ms) };
        let (raw_before, lines_before) = (older(self.raw_keep_ms), older(DAY));
        let told_before = now.plus(-self.raw_keep_ms);
        let slice = i64::try_from(SLICE).unwrap_or(i64::MAX);
        let transaction = self.connection.transaction()?;
        let mut rows = 0;
        let number = |select: &str| transaction.query_row(select, [], |row| row.get::<_, i64>(0));
        let (held, delivered) =
            (number(&format!("SELECT {HELD}"))?, number(&format!("SELECT {DELIVERED}"))?);
        let last = number("SELECT coalesce(max(sequence), 0) FROM batches")?;
        let ends = [(raw_before, held), (lines_before, delivered)];
        let whole = (raw_before, held.min(delivered).min(last - 1));
        if let Some((first, last)) = old_batches(&transaction, 0, whole)? {
            rows += transaction.execute(BATCHES_TO_DELETE, [first, last])?;
        }
        for ((fact, statement), end) in PARTS.into_iter().zip(ends) {
            let gone = format!("SELECT value FROM facts WHERE key = '{fact}'");
            let gone = transaction.query_row(&gone, [], |row| row.get(0)).optional()?;
            if let Some((first, last)) = old_batches(&transaction, gone.unwrap_or(0), end)? {
                rows += transaction.execute(statement, [first, last])?;
                let noted = "INSERT OR REPLACE INTO facts VALUES (?1, ?2)";
                transaction.execute(noted, params![fact, last])?;
            }
        }
        for statement in [DELIVERIES_TO_DELETE, NOTIFICATIONS_TO_DELETE] {
            let statement = &mut transaction.prepare_cached(statement)?;
            rows += statement.execute(params![told_before.millis(), slice])?;
        }
        rows +=
            transaction.prepare_cached(ALERTS_TO_DELETE)?.execute(params![ALERTS_MAX, slice])?;
        rows += transaction
            .prepare_cached(ALERT_ACTS_TO_DELETE)?
            .execute(params![ALERT_ACTS_MAX, slice])?;
        let old = "SELECT id FROM snapshots AS one WHERE closing IS NOT NULL
            AND id NOT IN (SELECT id FROM snapshots WHERE closing IS NOT NULL
                ORDER BY id DESC LIMIT ?1)
            AND (taken_at < ?2 OR EXISTS (SELECT 1 FROM snapshots AS other
                WHERE other.closing IS NOT NULL AND other.id < one.id
                    AND other.taken_at / ?3 = one.taken_at / ?3))";
        let daily_before = if pressing { now.plus(1) } else { now.plus(-SNAPSHOTS_KEEP_MS) };
        let keep = params![SNAPSHOTS_MIN, daily_before.millis(), DAY];
        transaction.execute(&format!("DELETE FROM slices WHERE snapshot IN ({old})"), keep)?;
        transaction.execute(&format!("DELETE FROM snapshots WHERE id IN ({old})"), keep)?;
        transaction.commit()?;
        self.connection.execute_batch(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
        self.folder.fill_reserve();
        Ok(Tidied { rows })
    }
}

/// Gives the first and the last of the batches after one that were closed before a time and are
/// not beyond an end, as many as a slice takes.
fn old_batches(
    transaction: &Transaction<'_>,
    after: i64,
    (before, end): (Timestamp, i64),
) -> Result<Option<(i64, i64)>, Error> {
    let mut statement = transaction.prepare_cached(BATCHES)?;
    let mut rows = statement.query(params![after, i64::try_from(SLICE).unwrap_or(i64::MAX)])?;
    let mut span = None;
    while let Some(row) = rows.next()? {
        let (sequence, at): (i64, i64) = (row.get(0)?, row.get(1)?);
        if at >= before.millis() || sequence > end {
            break;
        }
        span = Some((span.map_or(sequence, |(first, _)| first), sequence));
    }
    Ok(span)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::journal::Config;
    use crate::journal::read::Reader;
    use crate::journal::tests::{at, batch, open};

    #[test]
    fn each_statement_is_a_search() {
        let folder = TempDir::new().unwrap();
        let journal = Journal::open(&Config::at(folder.path()), Timestamp(0)).unwrap();
        let parts = PARTS.map(|(_, statement)| statement);
        let statements = [
            BATCHES,
            BATCHES_TO_DELETE,
            DELIVERIES_TO_DELETE,
            NOTIFICATIONS_TO_DELETE,
            ALERTS_TO_DELETE,
            ALERT_ACTS_TO_DELETE,
        ];
        for statement in statements.into_iter().chain(parts) {
            let explain = format!("EXPLAIN QUERY PLAN {statement}");
            let mut explained = journal.connection.prepare(&explain).unwrap();
            let steps = explained.query_map(params![1, 1], |row| row.get::<_, String>(3)).unwrap();
            for step in steps.map(Result::unwrap) {
                let small = ["SCAN snapshots", "SCAN cursors", "SCAN (subquery"];
                let scan =
                    step.starts_with("SCAN") && !small.iter().any(|one| step.starts_with(one));
                assert!(!scan && !step.contains("TEMP B-TREE"), "{step}: {statement}");
            }
        }
    }

    #[test]
    fn a_slice_of_tidying_is_short_and_what_presses_goes_before_its_time() {
        let folder = TempDir::new().unwrap();
        let limited = Config { journal_bytes_max: 4 << 20, ..Config::at(folder.path()) };
        let mut journal = Journal::open(&limited, at(0).wall).unwrap();
        let mut random = fastrand::Rng::with_seed(1);
        let mut commit = |journal: &mut Journal, ms: i64, bytes: usize| {
            let payload: Vec<u8> = (0..bytes).map(|_| random.u8(..)).collect();
            journal.commit(&batch(ms, &payload)).unwrap();
        };
        for ms in 1..=500 {
            commit(&mut journal, ms, 10);
        }
        let snapshots = |journal: &mut Journal| {
            for _ in 0..2 {
                let snapshot = journal.begin_snapshot(at(600).wall).unwrap();
                journal.finish_snapshot(snapshot, b"c").unwrap();
            }
        };
        snapshots(&mut journal);
        let with_inputs = |journal: &Journal| -> i64 {
            let count = "SELECT count(*) FROM batches WHERE inputs IS NOT NULL";
            journal.connection.query_row(count, [], |row| row.get(0)).unwrap()
        };
        // Young and far from the limit, everything stays.
        assert!(!journal.tidy(at(700).wall).unwrap().more());
        assert_eq!(with_inputs(&journal), 500);
        let mut slices = Vec::new();
        while journal.bytes().unwrap() < (4 << 20) / 10 * 9 + 100_000 {
            commit(&mut journal, 650, 100_000);
        }
        snapshots(&mut journal);
        loop {
            let before = with_inputs(&journal);
            let more = journal.tidy(at(700).wall).unwrap().more();
            slices.push(before - with_inputs(&journal));
            if !more {
                break;
            }
        }
        assert!(slices.len() > 2 && slices.iter().all(|gone| *gone <= 2 * 200), "{slices:?}");
        assert_eq!(with_inputs(&journal), 0);
    }

    #[test]
    fn so_many_changes_of_alerts_are_kept_and_those_that_fire() {
        let folder = TempDir::new().unwrap();
        let mut journal = open(&folder);
        // The first alert fires still, the others began and ended one after the other.
        let insert = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x <= ?1)
            INSERT INTO alerts (alert, rule, subject, change, since, at, json)
            SELECT (x + 1) / 2, 0, '', CASE WHEN x % 2 = 1 THEN 'firing' ELSE 'resolved' END,
                x, x, ''
            FROM n WHERE x <> 2";
        journal.connection.execute(insert, [ALERTS_MAX + 500]).unwrap();
        let mut slices = 1;
        while journal.tidy(at(0).wall).unwrap().more() {
            slices += 1;
        }
        let numbers = "SELECT count(*), min(number) FROM alerts WHERE alert > 1";
        let held: (i64, i64) = journal
            .connection
            .query_row(numbers, [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        assert_eq!((held, slices), ((ALERTS_MAX, 501), 3));
        let open = Reader::open(folder.path()).unwrap().open_alerts().unwrap();
        assert!(open.iter().any(|alert| alert.alert == 1), "it fires still");
    }

    #[test]
    fn so_many_acts_on_alerts_are_kept() {
        let folder = TempDir::new().unwrap();
        let mut journal = open(&folder);
        let insert = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < ?1)
            INSERT INTO alert_acts (at, what, person, words) SELECT x, '', '', '' FROM n";
        journal.connection.execute(insert, [ALERT_ACTS_MAX + 300]).unwrap();
        while journal.tidy(at(0).wall).unwrap().more() {}
        let held: (i64, i64) = journal
            .connection
            .query_row("SELECT count(*), min(number) FROM alert_acts", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .unwrap();
        assert_eq!(held, (ALERT_ACTS_MAX, 301));
    }

    #[test]
    fn of_snapshots_the_two_newest_stay_and_one_a_day_for_a_week() {
        let folder = TempDir::new().unwrap();
        let mut journal = open(&folder);
        journal.commit(&batch(1, b"x")).unwrap();
        for hour in 0..20 * 24 {
            let taken_at = at(hour * DAY / 24).wall;
            let snapshot = journal.begin_snapshot(taken_at).unwrap();
            journal.finish_snapshot(snapshot, b"c").unwrap();
            journal.tidy(taken_at).unwrap();
        }
        let mut statement =
            journal.connection.prepare("SELECT taken_at FROM snapshots ORDER BY id DESC").unwrap();
        let rows = statement.query_map([], |row| row.get::<_, i64>(0)).unwrap();
        let held: Vec<i64> = rows.map(Result::unwrap).collect();
        assert_eq!(held[0] - held[1], DAY / 24, "the two newest");
        let days: std::collections::BTreeSet<i64> = held[2..].iter().map(|at| at / DAY).collect();
        assert_eq!(days.len(), held.len() - 2, "one a day: {held:?}");
        assert!((7..=8).contains(&days.len()), "{days:?}");
    }
}
