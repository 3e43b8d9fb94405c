//! Tables that a command reads from a file or standard input.

use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;

use crate::daemon::table::TABLE_BYTES_MAX;
use crate::domain::fault::Fault;

/// Reads a table, at most one byte more than may be, so that it is seen.
///
/// # Errors
/// The file can't be read.
pub(super) fn read(file: Option<&Path>) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = TABLE_BYTES_MAX + 1;
    match file {
        Some(file) => {
            let opened = std::fs::File::open(file);
            let opened = opened.with_context(|| format!("{} can't be read", file.display()))?;
            opened.take(most).read_to_end(&mut bytes)?
        }
        None => io::stdin().lock().take(most).read_to_end(&mut bytes)?,
    };
    Ok(bytes)
}

/// Gives how faults name the table.
pub(super) fn name(file: Option<&Path>) -> String {
    file.map_or_else(|| "standard input".to_owned(), |file| file.display().to_string())
}

/// Tells what is wrong with a table.
///
/// # Errors
/// It can't be written.
pub(super) fn refuse(faults: &[Fault]) -> anyhow::Result<ExitCode> {
    let mut out = io::stderr().lock();
    for fault in faults {
        writeln!(out, "{fault}")?;
    }
    writeln!(out, "{} faults; nothing was judged", faults.len())?;
    Ok(ExitCode::FAILURE)
}
