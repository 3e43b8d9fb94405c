//! The journal of inputs. So far: what the configuration says of it.

use std::path::{Path, PathBuf};

use serde::Deserialize;

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

fn journal_bytes_max() -> u64 {
    8 << 30
}

fn raw_keep_days() -> u32 {
    30
}

impl Config {
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
