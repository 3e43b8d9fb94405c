//! `weir qc`: what the tests of quality control say of the values of a table.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;

use crate::cli::table;
use crate::daemon::assess::TABLE_BYTES_MAX;
use crate::daemon::qc::{asked, qualify};

/// What is asked of `weir qc`.
#[derive(Debug, clap::Args)]
pub struct Series {
    /// The table; standard input without, or for `-`.
    file: Option<PathBuf>,
    /// The tests of each column and their parameters.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Cells that mean that there is no value, besides empty ones and NaN, such as `-9999,NA`.
    #[arg(long, value_name = "WORDS", value_delimiter = ',', allow_hyphen_values = true)]
    missing: Vec<String>,
}

/// Judges a table and prints it with its flags.
///
/// # Errors
/// The table or the tests can't be read, or the flags not written.
pub(super) fn run(command: &Series) -> anyhow::Result<ExitCode> {
    let config = command.config.display();
    let said = std::fs::read_to_string(&command.config);
    let said = said.with_context(|| format!("{config} can't be read"))?;
    let file = command.file.as_deref().filter(|file| *file != Path::new("-"));
    let asked = match asked::read(&config.to_string(), &said) {
        Ok(asked) => asked,
        Err(faults) => return table::refuse(&faults),
    };
    let bytes = table::read(file, TABLE_BYTES_MAX)?;
    match qualify(&asked, &command.missing, &table::name(file), &bytes) {
        Ok(flags) => {
            io::stdout().lock().write_all(&flags)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(faults) => table::refuse(&faults),
    }
}
