//! `weir assess`: what the rows of a table come to.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;

use crate::cli::table;
use crate::daemon::assess::{Asked, Section, assess};
use crate::daemon::check;
use crate::domain::observation::Period;

/// What is asked of `weir assess`.
#[derive(Debug, clap::Args)]
pub struct Assess {
    /// The table; standard input without, or for `-`.
    file: Option<PathBuf>,
    /// Of which period the values are. `real-time` is what is there now; of the air, the hour.
    #[arg(long, value_enum, default_value_t = Of::RealTime)]
    period: Of,
    /// The station of all rows, where the table has no column `station`.
    #[arg(long, value_name = "STATION")]
    station: Option<String>,
    /// Stations that the seeds don't know are sections of a river or points of a lake.
    #[arg(long, value_enum)]
    water: Option<Water>,
    /// Stations that the seeds don't know are of the air.
    #[arg(long, conflicts_with = "water")]
    air: bool,
    /// The class that stations must meet that the seeds don't know: I to V, of the air 1 or 2;
    /// without, none for water and 2 for air.
    #[arg(long, value_name = "CLASS", value_parser = ["I", "II", "III", "IV", "V", "1", "2"])]
    target: Option<String>,
    /// Which instant of its period a time is; at the end, `10:00` is the hour from 09:00.
    #[arg(long, value_enum, default_value_t = Label::Start)]
    label: Label,
    /// Columns to give back as they are, such as the class that was published.
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    keep: Vec<String>,
    /// Cells that mean that there is no value, besides empty ones, such as `--,NA`.
    #[arg(long, value_name = "WORDS", value_delimiter = ',', allow_hyphen_values = true)]
    missing: Vec<String>,
    /// The configuration whose seeds are read.
    #[arg(long, default_value = "config/weir.toml")]
    config: PathBuf,
}

/// The periods that values may be of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Of {
    RealTime,
    #[value(name = "1h")]
    Hour,
    #[value(name = "24h")]
    Day,
    Month,
    Quarter,
    Year,
}

/// What a section is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Water {
    River,
    Lake,
}

/// Which instant of its period a time is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Label {
    /// Its first, or any in it.
    Start,
    /// The first after it.
    End,
}

impl Of {
    fn period(self) -> Period {
        match self {
            Self::RealTime => Period::Native,
            Self::Hour => Period::Hour,
            Self::Day => Period::Day,
            Self::Month => Period::Month,
            Self::Quarter => Period::Quarter,
            Self::Year => Period::Year,
        }
    }
}

/// Judges a table and prints what comes of it.
///
/// # Errors
/// The table can't be read, or the verdicts not written.
pub(super) fn run(command: Assess) -> anyhow::Result<ExitCode> {
    let sound = match check::edition(&command.config) {
        Ok(sound) => sound,
        Err(faults) => return Ok(super::tell(&faults)?),
    };
    let file = command.file.as_deref().filter(|file| *file != Path::new("-"));
    let bytes = table::read(file)?;
    let section = match (command.water, command.air) {
        (Some(Water::River), _) => Some(Section::River),
        (Some(Water::Lake), _) => Some(Section::Lake),
        (None, true) => Some(Section::Air),
        (None, false) => None,
    };
    let usual = if command.air { "2" } else { "" };
    let target = command.target.unwrap_or_else(|| usual.to_owned());
    let of_air = matches!(target.as_str(), "1" | "2");
    if !target.is_empty() && of_air != command.air {
        let classes = if command.air { "of the air 1 or 2" } else { "of water I to V" };
        anyhow::bail!("found --target {target}, expected a class {classes}");
    }
    let asked = Asked {
        file: table::name(file),
        station: command.station,
        section,
        target,
        period: command.period.period(),
        ends: command.label == Label::End,
        keep: command.keep,
        missing: command.missing,
        zone: sound.config.home(),
    };
    match assess(&sound.registry, &asked, &bytes) {
        Ok(verdicts) => {
            io::stdout().lock().write_all(&verdicts)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(faults) => table::refuse(&faults),
    }
}
