//! A copy of a living journal, and the way back.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use crate::journal::Error;
use crate::journal::folder::{Folder, JOURNAL};
use crate::journal::read::Reader;

/// How many pages are copied before the writer is let in.
const PAGES: i32 = 1_000;

/// How far a copy came, in pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Pages copied.
    pub done: u32,
    /// Pages in all.
    pub of: u32,
}

/// Copies a folder's journal into a new file while the daemon writes on.
///
/// # Errors
/// There is no journal, or the file exists or can't be written.
pub fn backup(folder: &Path, file: &Path, tell: &mut dyn FnMut(Progress)) -> Result<(), Error> {
    let reader = Reader::open(folder)?;
    let fault = |fault: String| Error::File { path: file.to_owned(), fault };
    if file.exists() {
        return Err(fault("exists already; name a new file".to_owned()));
    }
    let mut copy = Connection::open(file).map_err(|error| fault(error.to_string()))?;
    // One read transaction: the copy is of one moment, whatever the daemon writes meanwhile.
    let source = &reader.connection;
    source.execute_batch("BEGIN")?;
    let steps = Backup::new(source, &mut copy)?;
    loop {
        let step = steps.step(PAGES)?;
        let progress = steps.progress();
        let done = progress.pagecount - progress.remaining;
        let pages = |pages: i32| u32::try_from(pages).unwrap_or(0);
        tell(Progress { done: pages(done), of: pages(progress.pagecount) });
        match step {
            StepResult::Done => break,
            StepResult::Busy | StepResult::Locked => std::thread::sleep(Duration::from_millis(50)),
            StepResult::More => {}
            _ => {}
        }
    }
    drop(steps);
    source.execute_batch("COMMIT")?;
    copy.pragma_update(None, "journal_mode", "DELETE")?;
    drop(copy);
    fs::File::open(file).and_then(|copy| copy.sync_all()).map_err(|error| fault(error.to_string()))
}

/// Puts a copy into a folder that has no journal.
///
/// # Errors
/// The folder is in use or has a journal; the file is none, is damaged, or of another version.
pub fn restore(file: &Path, folder: &Path) -> Result<(), Error> {
    let fault = |fault: String| Error::File { path: file.to_owned(), fault };
    if !file.exists() {
        return Err(fault("there is no such file".to_owned()));
    }
    let reader = Reader::open_file(file)?;
    let verdict: String =
        reader.connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Err(fault(format!("is damaged: {verdict}")));
    }
    drop(reader);
    let held = Folder::open(folder)?;
    let target = held.path().join(JOURNAL);
    // SQLite would play the log of another journal into the restored one.
    for left in [JOURNAL.to_owned(), format!("{JOURNAL}-wal"), format!("{JOURNAL}-shm")] {
        let path = held.path().join(left);
        if path.exists() {
            let fault = "is left of a journal; restore into an empty folder".to_owned();
            return Err(Error::File { path, fault });
        }
    }
    let whole = |error: std::io::Error| fault(error.to_string());
    let beside = held.path().join("journal.restoring");
    fs::copy(file, &beside).map_err(whole)?;
    fs::File::open(&beside).and_then(|copy| copy.sync_all()).map_err(whole)?;
    fs::rename(&beside, &target).map_err(whole)?;
    // The name is on the disk only with the folder.
    fs::File::open(held.path()).and_then(|folder| folder.sync_all()).map_err(whole)
}
