//! The tables of the journal, and how an older one becomes a newer one.

use rusqlite::Connection;

use crate::journal::Error;

/// One step a version: the first makes a new journal. Steps are only ever appended.
const STEPS: &[&str] = &[
    "
    CREATE TABLE facts (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE names (
        kind TEXT NOT NULL, id INTEGER NOT NULL, name TEXT NOT NULL,
        PRIMARY KEY (kind, id)
    ) WITHOUT ROWID;
    CREATE TABLE editions (
        digest TEXT PRIMARY KEY, sequence INTEGER NOT NULL, taken_at INTEGER NOT NULL,
        tables BLOB NOT NULL, tables_sum INTEGER NOT NULL
    );
    CREATE TABLE batches (
        sequence INTEGER PRIMARY KEY,
        at INTEGER NOT NULL, last_wall INTEGER NOT NULL, last_elapsed INTEGER NOT NULL,
        inputs BLOB, inputs_sum INTEGER NOT NULL, input_count INTEGER NOT NULL,
        lines BLOB, lines_sum INTEGER NOT NULL, line_count INTEGER NOT NULL,
        lines_total INTEGER NOT NULL, ledger BLOB NOT NULL
    );
    CREATE TABLE dead_letters (
        id INTEGER PRIMARY KEY, at INTEGER NOT NULL, network INTEGER NOT NULL,
        topic BLOB NOT NULL, payload BLOB NOT NULL, qos INTEGER NOT NULL, retain INTEGER NOT NULL,
        packet_id INTEGER NOT NULL, stage TEXT NOT NULL, code TEXT NOT NULL, words TEXT NOT NULL,
        device TEXT, channel TEXT, record INTEGER NOT NULL, received_wall INTEGER NOT NULL,
        received_elapsed INTEGER NOT NULL, pattern INTEGER, message_rejected INTEGER NOT NULL,
        retried_at INTEGER
    );
    CREATE TABLE dead_letter_counts (
        device TEXT NOT NULL, channel TEXT NOT NULL, code TEXT NOT NULL, stage TEXT NOT NULL,
        total INTEGER NOT NULL, kept INTEGER NOT NULL, last_at INTEGER NOT NULL,
        PRIMARY KEY (device, channel, code)
    ) WITHOUT ROWID;
    CREATE TABLE alerts (
        number INTEGER PRIMARY KEY, alert INTEGER NOT NULL, rule INTEGER NOT NULL,
        subject TEXT NOT NULL, change TEXT NOT NULL, since INTEGER NOT NULL, at INTEGER NOT NULL,
        json TEXT NOT NULL
    );
    CREATE INDEX alerts_by_alert ON alerts (alert, number);
    CREATE TABLE notifications (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, at INTEGER NOT NULL,
        body TEXT NOT NULL
    );
    CREATE TABLE deliveries (
        channel TEXT NOT NULL, number INTEGER NOT NULL, attempts INTEGER NOT NULL,
        words TEXT NOT NULL, confirmed_at INTEGER,
        PRIMARY KEY (channel, number)
    ) WITHOUT ROWID;
    CREATE INDEX deliveries_due ON deliveries (channel, number) WHERE confirmed_at IS NULL;
    CREATE TABLE cursors (
        sink TEXT PRIMARY KEY, sequence INTEGER NOT NULL, lines_total INTEGER NOT NULL,
        refused INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE refused (
        number INTEGER PRIMARY KEY, sink TEXT NOT NULL, at INTEGER NOT NULL, line TEXT NOT NULL,
        field TEXT, words TEXT NOT NULL
    );
    CREATE TABLE observations (
        datastream INTEGER NOT NULL, period INTEGER NOT NULL, time INTEGER NOT NULL,
        kind INTEGER NOT NULL, number REAL, raw REAL, flag INTEGER NOT NULL,
        revision INTEGER NOT NULL,
        PRIMARY KEY (datastream, period, time)
    ) WITHOUT ROWID;
    CREATE TABLE snapshots (
        id INTEGER PRIMARY KEY, sequence INTEGER NOT NULL, taken_at INTEGER NOT NULL,
        closing BLOB, closing_sum INTEGER
    );
    CREATE TABLE slices (
        snapshot INTEGER NOT NULL, station INTEGER NOT NULL, state BLOB NOT NULL,
        state_sum INTEGER NOT NULL,
        PRIMARY KEY (snapshot, station)
    ) WITHOUT ROWID;
",
    "
    CREATE INDEX batches_by_at ON batches (at);
    CREATE INDEX batches_with_inputs ON batches (at) WHERE inputs IS NOT NULL;
    CREATE INDEX batches_with_lines ON batches (at) WHERE lines IS NOT NULL;
    CREATE INDEX notifications_by_at ON notifications (at);
    CREATE INDEX deliveries_by_number ON deliveries (number, confirmed_at);
",
    // Three pages more for every batch, to find what the order of the batches gives as well.
    "
    DROP INDEX batches_by_at;
    DROP INDEX batches_with_inputs;
    DROP INDEX batches_with_lines;
",
    "
    CREATE TABLE damaged (
        sequence INTEGER PRIMARY KEY, found_at INTEGER NOT NULL, points INTEGER NOT NULL,
        lines BLOB NOT NULL, lines_sum INTEGER NOT NULL
    );
",
    // An edition may come into force again; a recomputation must know when which one was.
    "
    CREATE TABLE takings (
        number INTEGER PRIMARY KEY, sequence INTEGER NOT NULL, taken_at INTEGER NOT NULL,
        digest TEXT NOT NULL
    );
    INSERT INTO takings (sequence, taken_at, digest)
        SELECT sequence, taken_at, digest FROM editions ORDER BY sequence;
",
    // What devices mark their values with, by the id of the mark's name; checks of instruments are
    // kept apart.
    "
    ALTER TABLE observations ADD COLUMN mark INTEGER;
    CREATE TABLE controls (
        datastream INTEGER NOT NULL, time INTEGER NOT NULL, mark INTEGER NOT NULL,
        kind INTEGER NOT NULL, number REAL, raw REAL,
        PRIMARY KEY (datastream, time, mark)
    ) WITHOUT ROWID;
",
    // What persons do with alerts, and which alerts a notification is about.
    "
    CREATE TABLE alert_acts (
        number INTEGER PRIMARY KEY, alert INTEGER, silence INTEGER, at INTEGER NOT NULL,
        what TEXT NOT NULL, person TEXT NOT NULL, behalf TEXT, words TEXT NOT NULL, until INTEGER
    );
    CREATE INDEX alert_acts_by_alert ON alert_acts (alert, number);
    CREATE TABLE told (
        alert INTEGER NOT NULL, notification INTEGER NOT NULL,
        PRIMARY KEY (alert, notification)
    ) WITHOUT ROWID;
    CREATE INDEX told_by_notification ON told (notification);
    CREATE TRIGGER told_goes AFTER DELETE ON notifications
        BEGIN DELETE FROM told WHERE notification = OLD.number; END;
",
    // What a silence covers, in the row of its beginning, so that a station's history has it.
    "
    ALTER TABLE alert_acts ADD COLUMN matcher BLOB;
    CREATE INDEX alert_acts_by_silence ON alert_acts (silence) WHERE silence IS NOT NULL;
",
];

/// Marks a file as a journal of weir ("weir" in ASCII).
const APPLICATION: i64 = 0x7765_6972;

/// Brings a journal to this weir's version.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), Error> {
    migrate_by(connection, STEPS)
}

/// Refuses what a reader can't understand.
pub(super) fn check(connection: &Connection) -> Result<(), Error> {
    let found = version(connection)?;
    let known = STEPS.len();
    if found == known { Ok(()) } else { Err(Error::Version { found, known }) }
}

fn version(connection: &Connection) -> Result<usize, Error> {
    let application: i64 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
    if application != APPLICATION && tables > 0 {
        return Err(Error::Foreign);
    }
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

fn migrate_by(connection: &mut Connection, steps: &[&str]) -> Result<(), Error> {
    let found = version(connection)?;
    let known = steps.len();
    let Some(missing) = steps.get(found..) else {
        return Err(Error::Version { found, known });
    };
    for (index, step) in missing.iter().enumerate() {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        let version = i64::try_from(found + index + 1).unwrap_or(i64::MAX);
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_journal_is_migrated_and_a_newer_one_refused() {
        let steps = ["CREATE TABLE a (x)", "ALTER TABLE a ADD COLUMN y"];
        let mut connection = Connection::open_in_memory().unwrap();
        migrate_by(&mut connection, &steps[..1]).unwrap();
        connection.execute("INSERT INTO a VALUES (7)", []).unwrap();
        migrate_by(&mut connection, &steps).unwrap();
        connection.execute("INSERT INTO a VALUES (8, 9)", []).unwrap();
        let count: i64 =
            connection.query_row("SELECT count(*) FROM a", [], |row| row.get(0)).unwrap();
        assert_eq!(count, 2);
        let refused = migrate_by(&mut connection, &steps[..1]).unwrap_err();
        assert!(matches!(refused, Error::Version { found: 2, known: 1 }));
    }

    #[test]
    fn a_journal_of_the_first_version_is_read_on() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate_by(&mut connection, &STEPS[..1]).unwrap();
        let row = "INSERT INTO batches VALUES (1, 2, 3, 4, x'05', 6, 7, x'08', 9, 10, 11, x'12')";
        connection.execute(row, []).unwrap();
        assert!(matches!(check(&connection), Err(Error::Version { found: 1, .. })));
        migrate(&mut connection).unwrap();
        check(&connection).unwrap();
        let found: i64 =
            connection.query_row("SELECT sequence FROM batches", [], |row| row.get(0)).unwrap();
        assert_eq!(found, 1);
    }

    #[test]
    fn another_programs_database_is_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute("CREATE TABLE theirs (x)", []).unwrap();
        assert!(matches!(migrate(&mut connection), Err(Error::Foreign)));
    }
}
