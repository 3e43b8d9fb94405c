//! `weir qc`: what the tests of quality control say of the values of a table.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;

use crate::cli::table;
use crate::daemon::qc::{asked, qualify};

/// What a file of tests looks like.
pub(super) const EXAMPLE: &str = "\
Tests of a column, in the file of --config:

  zone = \"+08:00\"
  [ph]
  gross_range = { suspect = [5.5, 9.8], fail = [0, 14] }
  spike = { suspect = 0.5, fail = 1, method = \"average\" }
  rate_of_change = { suspect = 0.5, per = \"1h\" }
  flat_line = { suspect = \"12h\", fail = \"24h\", tolerance = 0.01 }
  attenuated_signal = { suspect = 0.1, check = \"range\", over = \"24h\", needs = 10 }
  timing_gap = { fail = \"2h\" }
  climatology = [{ season = \"month\", parts = [1, 2], suspect = [6.5, 8.5] }]";

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
    let bytes = table::read(file)?;
    match qualify(&asked, &command.missing, &table::name(file), &bytes) {
        Ok(flags) => {
            io::stdout().lock().write_all(&flags)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(faults) => table::refuse(&faults),
    }
}
