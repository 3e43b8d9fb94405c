//! What the journal lets go of, in slices between batches: raw messages that are old enough,
//! points that every sink has, snapshots that newer ones replace. Never points that a sink needs,
//! and never inputs that the newest snapshot does not hold.

use rusqlite::params;

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

/// Every statement is a search by an index, however long the journal: it runs each minute.
fn batches_to_delete() -> String {
    format!(
        "DELETE FROM batches WHERE sequence IN (SELECT sequence FROM batches
         WHERE at < ?1 AND sequence <= {HELD} AND sequence <= {DELIVERED}
            AND sequence < (SELECT max(sequence) FROM batches)
         ORDER BY at LIMIT ?2)"
    )
}

fn inputs_to_let_go() -> String {
    format!(
        "UPDATE batches SET inputs = NULL WHERE sequence IN
            (SELECT sequence FROM batches INDEXED BY batches_with_inputs
             WHERE at < ?1 AND inputs IS NOT NULL AND sequence <= {HELD} ORDER BY at LIMIT ?2)"
    )
}

fn lines_to_let_go() -> String {
    format!(
        "UPDATE batches SET lines = NULL WHERE sequence IN
            (SELECT sequence FROM batches INDEXED BY batches_with_lines
             WHERE at < ?1 AND lines IS NOT NULL AND sequence <= {DELIVERED} ORDER BY at LIMIT ?2)"
    )
}

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
pub(super) const ALERTS_MAX: i64 = 100_000;
const ALERTS_TO_DELETE: &str = "DELETE FROM alerts WHERE number IN
    (SELECT number FROM alerts AS old WHERE number <= (SELECT max(number) FROM alerts) - ?1
        AND (change <> 'firing' OR EXISTS (SELECT 1 FROM alerts
            WHERE alert = old.alert AND number > old.number))
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
        let raw_before = if pressing { now.plus(1) } else { now.plus(-self.raw_keep_ms) };
        let lines_before = if pressing { now.plus(1) } else { now.plus(-DAY) };
        let told_before = now.plus(-self.raw_keep_ms);
        let slice = i64::try_from(SLICE).unwrap_or(i64::MAX);
        let transaction = self.connection.transaction()?;
        let mut rows = 0;
        for (statement, before) in [
            (batches_to_delete(), raw_before),
            (inputs_to_let_go(), raw_before),
            (lines_to_let_go(), lines_before),
            (DELIVERIES_TO_DELETE.to_owned(), told_before),
            (NOTIFICATIONS_TO_DELETE.to_owned(), told_before),
        ] {
            let statement = &mut transaction.prepare_cached(&statement)?;
            rows += statement.execute(params![before.millis(), slice])?;
        }
        rows +=
            transaction.prepare_cached(ALERTS_TO_DELETE)?.execute(params![ALERTS_MAX, slice])?;
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

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::journal::Config;

    #[test]
    fn each_statement_is_a_search() {
        let folder = TempDir::new().unwrap();
        let journal = Journal::open(&Config::at(folder.path()), Timestamp(0)).unwrap();
        let statements = [
            batches_to_delete(),
            inputs_to_let_go(),
            lines_to_let_go(),
            DELIVERIES_TO_DELETE.to_owned(),
            NOTIFICATIONS_TO_DELETE.to_owned(),
            ALERTS_TO_DELETE.to_owned(),
        ];
        for statement in statements {
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
}
