//! The journal of inputs: one SQLite file that holds all of what a batch caused in one
//! transaction, before anything of it is acknowledged. The only room that names rusqlite.

pub mod aside;
pub mod backup;
pub mod batch;
pub mod blob;
pub mod booked;
pub mod damage;
pub mod dead_letter;
mod folder;
pub mod inputs;
mod ledger;
pub mod read;
pub mod replay;
mod schema;
pub mod store;
#[cfg(test)]
mod tests;
mod tidy;
mod told;
pub mod write;

use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::domain::fault::SettingFault;

/// The section `[journal]` of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The folder of the journal, on a disk of this machine.
    pub data_folder: PathBuf,
    /// How many bytes it may take; at the limit nothing is acknowledged any more.
    #[serde(default = "journal_bytes_max")]
    pub journal_bytes_max: u64,
    /// For how many days raw messages are kept.
    #[serde(default = "raw_keep_days")]
    pub raw_keep_days: u32,
}

/// The least that a journal may be limited to, bytes: an empty one takes a part of it.
const JOURNAL_BYTES_MIN: u64 = 1 << 20;

fn journal_bytes_max() -> u64 {
    8 << 30
}

fn raw_keep_days() -> u32 {
    30
}

impl Config {
    /// Tells everything that is wrong with the section.
    #[must_use]
    pub fn faults(&self) -> Vec<SettingFault> {
        let mut faults = Vec::new();
        if self.data_folder.as_os_str().is_empty() || self.data_folder.is_file() {
            let found = format!("data_folder `{}`", self.data_folder.display());
            faults.push(SettingFault::new("data_folder", found, "a folder"));
        }
        if self.journal_bytes_max < JOURNAL_BYTES_MIN {
            let found = format!("journal_bytes_max = {}", self.journal_bytes_max);
            let expected = format!("{JOURNAL_BYTES_MIN} or more");
            faults.push(SettingFault::new("journal_bytes_max", found, expected));
        }
        let days = u64::from(self.raw_keep_days);
        faults.extend(SettingFault::range("raw_keep_days", days, 1..=36_500));
        faults
    }

    /// A journal in a folder, all else as by default.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Self {
            data_folder: folder.to_owned(),
            journal_bytes_max: journal_bytes_max(),
            raw_keep_days: raw_keep_days(),
        }
    }
}

/// What goes wrong with a journal, and how it is mended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder can't be used.
    #[error("data folder `{}` can't be used: {fault}; mend journal.data_folder", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        fault: io::Error,
    },
    /// Another daemon is at work in it.
    #[error("data folder `{}` is in use by another weir; stop it first", path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// It lies on a file system of another machine.
    #[error(
        "data folder `{}` is on {kind}, where a journal is not safe; mend journal.data_folder \
         to name a disk of this machine",
        path.display()
    )]
    Remote {
        /// The folder.
        path: PathBuf,
        /// The file system.
        kind: String,
    },
    /// There is no journal.
    #[error("there is no journal in `{}`; has `weir run` been started with this configuration?",
        path.display())]
    Absent {
        /// The folder.
        path: PathBuf,
    },
    /// The file is a database of something else.
    #[error("the file is a database, but no journal of weir")]
    Foreign,
    /// The journal is of another version.
    #[error("the journal is of version {found}, this weir knows version {known}; {}",
        if found > known { "use a newer weir" } else { "start `weir run` once to migrate it" })]
    Version {
        /// Its version.
        found: usize,
        /// The version this weir writes.
        known: usize,
    },
    /// There is no room for more.
    #[error("no room for more: {limit}")]
    Full {
        /// Which limit it is, and the mend.
        limit: String,
    },
    /// What was written is not what is read.
    #[error("{what} of the journal is damaged")]
    Damaged {
        /// Where.
        what: String,
    },
    /// A file that should hold a backup, or take one.
    #[error("`{}`: {fault}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        fault: String,
    },
    /// Compression failed.
    #[error("a batch can't be packed: {0}")]
    Pack(io::Error),
    /// SQLite's own words.
    #[error("the journal can't be read or written: {0}")]
    Sqlite(rusqlite::Error),
}

impl Error {
    /// Says whether the file itself is damaged, so that no other try will go better. A disk that
    /// can't be read is not: it may be read again.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged { .. } => true,
            Self::Sqlite(error) => {
                let code = error.sqlite_error_code();
                let garbled = matches!(
                    error,
                    rusqlite::Error::InvalidColumnType(..)
                        | rusqlite::Error::FromSqlConversionFailure(..)
                        | rusqlite::Error::IntegralValueOutOfRange(..)
                );
                let codes =
                    [rusqlite::ErrorCode::DatabaseCorrupt, rusqlite::ErrorCode::NotADatabase];
                garbled || code.is_some_and(|code| codes.contains(&code))
            }
            Self::Folder { .. }
            | Self::Locked { .. }
            | Self::Remote { .. }
            | Self::Absent { .. }
            | Self::Foreign
            | Self::Version { .. }
            | Self::Full { .. }
            | Self::File { .. }
            | Self::Pack(_) => false,
        }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull) {
            let limit = "the disk of journal.data_folder is full; free some of it".to_owned();
            return Self::Full { limit };
        }
        Self::Sqlite(error)
    }
}
