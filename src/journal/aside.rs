//! A journal that is damaged is set aside: renamed, never deleted, so that what is in it can still
//! be looked at, and a new one can be begun.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use crate::domain::time::Timestamp;
use crate::journal::Error;
use crate::journal::folder::{Folder, JOURNAL};
use crate::journal::read::Reader;

/// How many set-aside journals a folder may hold; beyond, the disk is not one to begin on again.
pub const SET_ASIDE_MAX: usize = 8;
/// What the names of set-aside journals begin with, and end with.
const NAME: (&str, &str) = ("damaged-", ".sqlite");
/// The file that says that a journal was found damaged by a weir at work.
const MARK: &str = "damaged";

/// A journal that was set aside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Aside {
    /// Where it is now.
    pub file: PathBuf,
    /// What of it can still be read; nothing where that can't.
    pub left: Left,
}

/// What a damaged journal still says of itself, as far as it can be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Left {
    /// Its last batch.
    pub last_batch: Option<u64>,
    /// Points that a sink does not have.
    pub points_waiting: Option<u64>,
    /// Notifications that a channel did not confirm.
    pub notifications_due: Option<u64>,
    /// Messages in its ledger.
    pub messages: Option<i64>,
}

/// Sets the journal of a folder aside, with its log; nothing if that was done and only the mark is
/// left.
///
/// # Errors
/// The folder is in use or can't be written, or holds too many of them already.
pub fn set_aside(
    folder: &Path,
    words: &str,
    sink: &str,
    now: Timestamp,
) -> Result<Option<Aside>, Error> {
    let held = Folder::open(folder)?;
    let path = held.path();
    let fault = |fault: io::Error| Error::Folder { path: path.to_owned(), fault };
    if !path.join(JOURNAL).exists() {
        unmark(path).map_err(fault)?;
        return Ok(None);
    }
    if set_aside_files(path).len() >= SET_ASIDE_MAX {
        let fault = format!(
            "{SET_ASIDE_MAX} damaged journals lie here already; look at the disk, and move them \
             to a safe place before weir begins another"
        );
        return Err(Error::File { path: path.to_owned(), fault });
    }
    let left = left(path, sink);
    let time = now.rfc3339(&TimeZone::UTC).replace([':', '+'], "");
    let name = (0..).map(|number| format!("{}{time}-{number}{}", NAME.0, NAME.1));
    let file = name.map(|name| path.join(name)).find(|file| !file.exists()).unwrap_or_default();
    // Without its log the rest would be an older journal that looks whole: whoever dies in between
    // leaves the mark.
    mark(path, words).map_err(fault)?;
    for suffix in ["-wal", "-shm", ""] {
        let from = path.join(format!("{JOURNAL}{suffix}"));
        let mut to = file.clone().into_os_string();
        to.push(suffix);
        match fs::rename(&from, &to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(fault(error)),
            _ => {}
        }
    }
    File::open(path).and_then(|folder| folder.sync_all()).map_err(fault)?;
    unmark(path).map_err(fault)?;
    Ok(Some(Aside { file, left }))
}

/// Gives the journals that were set aside in a folder and are still there.
#[must_use]
pub fn set_aside_files(folder: &Path) -> Vec<PathBuf> {
    let named = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with(NAME.0) && name.ends_with(NAME.1)
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(named).collect();
    files.sort();
    files
}

/// Notes that the journal of a folder was found damaged, for the next start: it may not come across
/// the same page.
///
/// # Errors
/// The file can't be written.
pub fn mark(folder: &Path, words: &str) -> io::Result<()> {
    fs::write(folder.join(MARK), words)
}

fn unmark(folder: &Path) -> io::Result<()> {
    match fs::remove_file(folder.join(MARK)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Gives what was noted.
#[must_use]
pub fn marked(folder: &Path) -> Option<String> {
    let words = fs::read(folder.join(MARK)).ok()?;
    Some(String::from_utf8_lossy(&words).into_owned())
}

fn left(folder: &Path, sink: &str) -> Left {
    let Ok(reader) = Reader::open(folder) else { return Left::default() };
    let due = "SELECT count(*) FROM deliveries WHERE confirmed_at IS NULL";
    let due = reader.connection.query_row(due, [], |row| row.get::<_, i64>(0));
    Left {
        last_batch: reader.sequence().ok(),
        points_waiting: reader.cursor(sink).ok().flatten().map(|cursor| cursor.waiting),
        notifications_due: due.ok().map(i64::cast_unsigned),
        messages: reader.ledger().ok().map(|view| view.total().messages.received),
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::journal::Config;
    use crate::journal::write::Journal;

    #[test]
    fn it_is_renamed_with_its_log_and_the_next_numbers_its_alerts_anew() {
        let folder = TempDir::new().unwrap();
        let now = Timestamp(1_760_000_000_000);
        drop(Journal::open(&Config::at(folder.path()), now).unwrap());
        assert_eq!(Reader::open(folder.path()).unwrap().alerts_after().unwrap(), 0);
        fs::write(folder.path().join("journal.sqlite-wal"), b"log").unwrap();
        mark(folder.path(), "page 7").unwrap();
        assert_eq!(marked(folder.path()).as_deref(), Some("page 7"));
        let aside = set_aside(folder.path(), "page 7", "influx", now).unwrap().unwrap();
        assert_eq!(aside.left.last_batch, Some(0));
        assert_eq!(set_aside_files(folder.path()), [aside.file.canonicalize().unwrap()]);
        assert_eq!(fs::read(format!("{}-wal", aside.file.display())).unwrap(), b"log");
        assert!(!folder.path().join("journal.sqlite").exists());
        assert_eq!(marked(folder.path()), None);
        assert_eq!(set_aside(folder.path(), "", "influx", now).unwrap(), None);
        drop(Journal::open(&Config::at(folder.path()), now).unwrap());
        let reader = Reader::open(folder.path()).unwrap();
        assert_eq!(reader.alerts_after().unwrap(), 1_760_000_000_000);
    }

    #[test]
    fn a_folder_full_of_them_is_no_place_to_begin() {
        let folder = TempDir::new().unwrap();
        for number in 0..SET_ASIDE_MAX {
            fs::write(folder.path().join(format!("damaged-{number}.sqlite")), b"").unwrap();
        }
        fs::write(folder.path().join("journal.sqlite"), b"").unwrap();
        let refused = set_aside(folder.path(), "", "influx", Timestamp(0)).unwrap_err();
        assert!(refused.to_string().contains("look at the disk"), "{refused}");
    }
}
