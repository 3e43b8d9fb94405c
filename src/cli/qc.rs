//! `weir qc`: what the tests of quality control say of the values of a table, and of those that the
//! daemon holds; and what persons say of values that it holds or has stored.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use jiff::tz::TimeZone;

use crate::cli::explain::{self, Explain};
use crate::cli::table;
use crate::daemon::check;
use crate::daemon::days;
use crate::daemon::qc::station::{self, OfStation};
use crate::daemon::qc::{asked, qualify};
use crate::daemon::socket::{self, Request};
use crate::domain::asked::{Asked, Entered};

/// The configuration of weir where none is named.
const WEIR: &str = "config/weir.toml";

/// What a file of tests looks like.
pub(super) const EXAMPLE: &str = "\
Tests of a column, in the file of --config, without --station:

  zone = \"+08:00\"
  [ph]
  gross_range = { suspect = [5.5, 9.8], fail = [0, 14] }
  spike = { suspect = 0.5, fail = 1, method = \"average\" }
  rate_of_change = { suspect = 0.5, per = \"1h\" }
  flat_line = { suspect = \"12h\", fail = \"24h\", tolerance = 0.01 }
  attenuated_signal = { suspect = 0.1, check = \"range\", over = \"24h\", needs = 10 }
  timing_gap = { fail = \"2h\" }
  climatology = [{ season = \"month\", parts = [1, 2], suspect = [6.5, 8.5] }]

A year of a station's logger, by the seeds of an installation:

  weir qc --station puhe-huishan --config config/weir.toml --missing=-9999 < sonde.csv

  time,water_temperature,conductivity[mS/cm],dissolved_oxygen,note
  2026-03-01 08:00,4.1,0.512,9.8,   (with --keep note)";

/// What is asked of `weir qc`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Series {
    #[command(subcommand)]
    said: Option<Said>,

    /// The table; standard input without, or for `-`.
    file: Option<PathBuf>,
    /// The tests of each column and their parameters; with --station the configuration of weir
    /// whose seeds are read, without it config/weir.toml.
    #[arg(long, value_name = "FILE", required_unless_present = "station")]
    config: Option<PathBuf>,
    /// The station of the seeds whose values they are: they are judged as if it had sent them.
    #[arg(long, value_name = "STATION")]
    station: Option<String>,
    /// The zone of times that state none, such as -07:00; without it the station's own.
    #[arg(long, value_name = "ZONE", requires = "station", allow_hyphen_values = true,
          value_parser = zone)]
    zone: Option<TimeZone>,
    /// Columns that are given back and not judged.
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',', requires = "station")]
    keep: Vec<String>,
    /// Cells that mean that there is no value, besides empty ones and NaN, such as `-9999,NA`.
    #[arg(long, value_name = "WORDS", value_delimiter = ',', allow_hyphen_values = true)]
    missing: Vec<String>,
}

/// What is asked of values that the daemon holds, and what persons say of values.
#[derive(Debug, clap::Subcommand)]
enum Said {
    /// Tell of one value what each test saw, from where on it doubts, and what it says.
    ///
    /// Of each test: its verdict, the numbers that it saw, its thresholds; of those that could not
    /// decide, why ("the next value has not come"); at the end those that no row of the seeds asks
    /// for. weir remembers 26 hours of each datastream and a little more; of what is older it says
    /// so. Where no weir is at work its journal is read, which may take a while.
    ///
    /// Example: weir qc explain puhe-daoyi DO 2026-06-01T08:05
    Explain(Explain),
    /// Tell which share of yesterday's and today's values passed, and which tests flagged others.
    ///
    /// A line for each datastream of a station and day: how many values came, which shares of them
    /// passed, are suspect, failed and missing, and how many each test flagged, suspect or failed.
    /// A flag that is told anew moves from one count to the other. Days that are over stand in
    /// `coverage` of the database.
    Days {
        /// The station.
        station: String,
        /// As JSON, in numbers of values.
        #[arg(long)]
        json: bool,
        /// The configuration.
        #[arg(long, default_value = "config/weir.toml")]
        config: PathBuf,
    },
    /// Say that values of a station do not count, also of weeks ago, or of a time to come.
    ///
    /// They are flagged as failed by `person`, or as suspect; those that come late are, too. What
    /// the daemon holds, 26 hours, is judged anew at once: hours, days, classes and alerts follow.
    /// Older days are recomputed, each once it is closed, 35 hours after its end. Who said it, why
    /// and when stands in the journal.
    ///
    /// Example: weir qc invalidate --station puhe-daoyi --property NH3-N --from 2026-06-01
    /// --to 2026-06-01T08:30 --person "Li Na" --reason "standard solution out of date"
    Invalidate {
        /// The station.
        #[arg(long)]
        station: String,
        /// Of this property only, by its name, symbol or Chinese name.
        #[arg(long)]
        property: Option<String>,
        /// At this position only, such as `inlet`.
        #[arg(long)]
        position: Option<String>,
        /// The first instant: a date or a date and time, in the station's zone.
        #[arg(long, value_name = "TIME")]
        from: String,
        /// The first instant that counts again, or `now`; a year later at most.
        #[arg(long, value_name = "TIME")]
        to: String,
        /// What is made of the values.
        #[arg(long, value_parser = ["fail", "suspect"], default_value = "fail")]
        flag: String,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Who says so.
        #[arg(long, value_name = "NAME")]
        person: String,
        /// The configuration.
        #[arg(long, default_value = "config/weir.toml")]
        config: PathBuf,
    },
    /// Enter the result of a check of an instrument: zero, span, standard sample, recovery …
    ///
    /// It is judged by `checks.csv` as one that the station sends. If it fails, what was measured
    /// since the check of its kind before it is in question until the one after it; `list` shows
    /// it, `revoke` takes it back. What follows is as with `invalidate`, weeks back too. Of a
    /// recovery the value is what was found again, the standard what was added; of a parallel
    /// sample the standard is the first value.
    ///
    /// Example: weir qc check --station puhe-daoyi --property NH3-N --kind span --value 1.62
    /// --standard 2.0 --at 2026-06-02T02:30 --person "Li Na"
    Check(Box<Check>),
    /// Take back what was said: values, means, classes come out as if it had not been.
    Revoke {
        /// Its number, as `list` prints it.
        id: u64,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Who says so.
        #[arg(long, value_name = "NAME")]
        person: String,
        /// The configuration.
        #[arg(long, default_value = "config/weir.toml")]
        config: PathBuf,
    },
    /// List what is said of values: number, station, property, span, flag, person, time, reason.
    List {
        /// Of this station only.
        #[arg(long)]
        station: Option<String>,
        /// Also what was revoked in the last half year.
        #[arg(long)]
        all: bool,
        /// The configuration.
        #[arg(long, default_value = "config/weir.toml")]
        config: PathBuf,
    },
}

/// A check that was made by hand.
#[derive(Debug, clap::Args)]
struct Check {
    /// The station.
    #[arg(long)]
    station: String,
    /// The property, by its name, symbol or Chinese name.
    #[arg(long)]
    property: String,
    /// The position, where the station measures it at several, such as `inlet`.
    #[arg(long)]
    position: Option<String>,
    /// What was checked.
    #[arg(long, value_parser =
          ["zero", "span", "standard_sample", "spike_recovery", "parallel_sample"])]
    kind: String,
    /// What was found, in the property's unit.
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true, value_parser = number)]
    value: f64,
    /// What should have been found; without, what `checks.csv` says, of `zero` 0.
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true, value_parser = number)]
    standard: Option<f64>,
    /// When it was made: a date and time in the station's zone.
    #[arg(long, value_name = "TIME")]
    at: String,
    /// Who made it.
    #[arg(long, value_name = "NAME")]
    person: String,
    /// What there is to say of it.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// The configuration.
    #[arg(long, default_value = "config/weir.toml")]
    config: PathBuf,
}

/// Judges a table and prints it with its flags, or asks the daemon at work.
///
/// # Errors
/// The table or the tests can't be read, the flags not written, or the daemon does not answer.
pub(super) async fn run(command: Series) -> anyhow::Result<ExitCode> {
    match command.said {
        Some(said) => ask(said).await,
        None => judge(command),
    }
}

async fn ask(said: Said) -> anyhow::Result<ExitCode> {
    let (config, request) = match said {
        Said::Explain(asked) => return explain::run(asked).await,
        Said::Days { station, json, config } => {
            (config, Request::Days(days::Asked { station, json }))
        }
        Said::Invalidate {
            station,
            property,
            position,
            from,
            to,
            flag,
            reason,
            person,
            config,
        } => {
            let suspect = flag == "suspect";
            let asked = Asked::Invalidate {
                station,
                property,
                position,
                from,
                to,
                suspect,
                person,
                reason,
            };
            (config, Request::Act(asked))
        }
        Said::Check(check) => {
            let Check { station, property, position, kind, value, standard, .. } = *check;
            let Check { at, person, reason, config, .. } = *check;
            let entered =
                Entered { station, property, position, kind, value, standard, at, person, reason };
            (config, Request::Act(Asked::Check(entered)))
        }
        Said::Revoke { id, reason, person, config } => {
            (config, Request::Act(Asked::Revoke { id, person, reason }))
        }
        Said::List { station, all, config } => (config, Request::Said { station, all }),
    };
    let config = super::read(&config)?;
    let answered = socket::ask(&config.journal.data_folder, &request).await?;
    super::answer(answered, "no weir is at work on this data folder; start it, then ask again")
}

fn number(text: &str) -> Result<f64, &'static str> {
    text.parse().ok().filter(|number: &f64| number.is_finite()).ok_or("expected a number")
}

fn zone(text: &str) -> Result<TimeZone, &'static str> {
    asked::zone_of(text).ok_or("an offset such as +08:00, or a name such as Asia/Shanghai")
}

fn judge(command: Series) -> anyhow::Result<ExitCode> {
    let Series { file, config, station, zone, keep, missing, .. } = command;
    let config = config.unwrap_or_else(|| PathBuf::from(WEIR));
    let file = file.as_deref().filter(|file| *file != Path::new("-"));
    let flags = if let Some(station) = station {
        let sound = match check::edition(&config) {
            Ok(sound) => sound,
            Err(faults) => return Ok(super::tell(&faults)?),
        };
        let asked = OfStation { file: table::name(file), station, missing, keep, zone };
        station::qualify(&sound.registry, &asked, &table::read(file)?)
    } else {
        let shown = config.display().to_string();
        let said = std::fs::read_to_string(&config);
        let said = said.with_context(|| format!("{shown} can't be read"))?;
        let asked = match asked::read(&shown, &said) {
            Ok(asked) => asked,
            Err(faults) => return table::refuse(&faults),
        };
        qualify(&asked, &missing, &table::name(file), &table::read(file)?)
    };
    match flags {
        Ok(flags) => {
            io::stdout().lock().write_all(&flags)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(faults) => table::refuse(&faults),
    }
}
