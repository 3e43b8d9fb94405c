//! `weir alerts`: working off what fires; which rules watch a station, and the tests of rules.

mod work;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;

use crate::cli::alerts::work::{Deeds, History, Open, Silence};
use crate::daemon::alerts::rules::{self, Asked};
use crate::daemon::alerts::trial;
use crate::daemon::check;
use crate::daemon::clock::Clock;
use crate::domain::registry::Datastream;
use crate::seed::nearest;

/// What a file of tests looks like.
const EXAMPLE: &str = "\
A file, played by `weir alerts test oxygen.toml`:

  about = \"Oxygen below the limit for ten minutes fires, and not before\"
  # seeds = \"../seeds\"            the folder of the seeds; without, that of --config

  [rows]                          # rows laid over the seeds, to try them; a rule by its name
  \"rules.csv\" = '''
  rule,scope,kind,of,pending,keep,hysteresis,severity,source
  daoyi-oxygen,datastream:puhe-daoyi/dissolved_oxygen,exceedance,raw,10m,30m,0,critical,trial
  '''

  [[series]]
  station = \"puhe-daoyi\"
  csv = '''
  time,dissolved_oxygen
  2026-06-01 08:00,2.4
  2026-06-01 08:05,2.3
  2026-06-01 08:10,2.2
  '''                             # or: file = \"june.csv\"

  [[at]]
  time = \"2026-06-01 08:05\"
  pending = [\"puhe-daoyi/dissolved_oxygen\"]
  firing = []

  [[at]]
  time = \"2026-06-01 08:10\"
  firing = [{ of = \"puhe-daoyi/dissolved_oxygen\", severity = \"critical\" }]
  notified = [
    { of = \"puhe-daoyi/dissolved_oxygen\", change = \"firing\", route = \"environment\" },
  ]

A list that is there is all of it: what is found and not in it is a failure. `pending` and `firing`
are of that time; `resolved` and `notified` are of the time since the one before. Of an alert may be
said: of, rule, severity, route, reasons, unconfirmed, change, since, says.";

/// What can be done with alerts.
#[derive(Debug, clap::Subcommand)]
pub enum Alerts {
    /// List the alerts that fire: those that nobody looks after first, then the most urgent, then
    /// the oldest.
    ///
    /// Of each its number, severity, age, whom it is about, who looks after it, and the sentence
    /// that is told of it. Coloured on a terminal, unless `NO_COLOR` is set. Where no weir is at
    /// work its journal is read.
    ///
    /// Example: weir alerts ls --place puhe --route environment
    Ls(Open),
    /// Show all there is of one alert, also of one that ended.
    ///
    /// What is told of it and what to do; its value, limit and clause, rule and route; who looks
    /// after it, which silences cover it; what happened and what persons did; the notifications
    /// with what their channels answered.
    Show {
        /// Its number.
        id: u64,
        /// As JSON.
        #[arg(long)]
        json: bool,
        /// The configuration.
        #[arg(long, default_value = "config/weir.toml")]
        config: PathBuf,
    },
    /// Say that somebody looks after alerts: they are neither said again nor passed on.
    ///
    /// Until they end, or until the end that is given: then they wait for somebody again. One that
    /// gets worse is told all the same.
    ///
    /// Example: weir alerts ack 12 13 --person "Li Na" --comment "on the way" --until 8h
    Ack {
        /// Which, and by whom.
        #[command(flatten)]
        deeds: Deeds,
        /// Until then: a length such as 8h or 2d, or a time in the configured zone.
        #[arg(long, value_name = "END")]
        until: Option<String>,
    },
    /// Say something of alerts.
    ///
    /// Example: weir alerts comment 12 --person "Li Na" --comment "sample taken at 09:10"
    Comment(Deeds),
    /// Take back that alerts are acknowledged or shelved.
    Undo(Deeds),
    /// Have nobody told of alerts for a while; they fire on, and are told when the end comes.
    ///
    /// Example: weir alerts shelve 12 --until 2d --person "Li Na" --comment "probe is in repair"
    Shelve {
        /// Which, and by whom.
        #[command(flatten)]
        deeds: Deeds,
        /// Until then: a length such as 8h or 2d, or a time in the configured zone.
        #[arg(long, value_name = "END")]
        until: String,
    },
    /// Have nobody told of what matches for a while, also of what is still to come.
    ///
    /// All that is said must fit; at least one thing is said. The alerts fire, and are listed with
    /// `ls --all`.
    ///
    /// Example: weir alerts silence --station puhe-daoyi --route instrument --until 8h
    /// --person "Li Na" --reason "works at the intake"
    Silence(Box<Silence>),
    /// Show what happened: alerts as they fired and ended, and what persons did, the newest last.
    History(History),
    /// Tell which rule watches each datastream of a station, and why that one.
    ///
    /// Of each datastream the rules in whose scope it is, the narrowest first: datastream, station,
    /// place and what it lies in, property, medium. Of each kind the first one watches, marked `*`,
    /// with what it asks for, whom it calls and by which channels. Then the limits in force, with
    /// their clauses. Reads configuration and seeds only; no daemon need be at work.
    ///
    /// Example: weir alerts rules --station puhe-daoyi --property NH3-N
    Rules {
        /// The station.
        #[arg(long)]
        station: String,
        /// Only this property, by its name, symbol or Chinese name.
        #[arg(long)]
        property: Option<String>,
        /// The seeds of this folder instead of those of the configuration.
        #[arg(long, value_name = "FOLDER")]
        seeds: Option<PathBuf>,
        /// As JSON.
        #[arg(long)]
        json: bool,
        /// The configuration.
        #[arg(long, default_value = "config/weir.toml")]
        config: PathBuf,
    },
    /// Test rules: play values of stations, and compare what alerts come of them.
    ///
    /// The values go through quality control, averages and rules as if devices sent them at their
    /// time, and the clock is heard every ten seconds, so that hours are given out and silence is
    /// noticed. Every failure of every file is told, with what was found; exits with 1 if there is
    /// one. No daemon need be at work, and nothing is stored or sent.
    #[command(after_long_help = EXAMPLE)]
    Test {
        /// The files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// The configuration: its networks and settings, and its seeds where a file names none.
        #[arg(long, default_value = "config/weir.toml")]
        config: PathBuf,
    },
}

/// Does what is asked.
///
/// # Errors
/// What the command can't go on without.
pub(super) async fn run(asked: Alerts) -> anyhow::Result<ExitCode> {
    match asked {
        Alerts::Ls(asked) => work::open(asked).await,
        Alerts::Show { id, json, config } => work::show(id, json, &config).await,
        Alerts::Ack { deeds, until } => work::acknowledge(deeds, until).await,
        Alerts::Comment(deeds) => work::comment(deeds).await,
        Alerts::Undo(deeds) => work::undo(deeds).await,
        Alerts::Shelve { deeds, until } => work::shelve(deeds, &until).await,
        Alerts::Silence(asked) => work::silence(*asked).await,
        Alerts::History(asked) => work::history(asked).await,
        Alerts::Rules { station, property, seeds, json, config } => {
            let seeds = seeds.as_deref();
            let sound = match check::edition_of(&config, seeds) {
                Ok(sound) => sound,
                Err(faults) => return Ok(super::tell(&faults)?),
            };
            let told = rules_of(&sound, (&station, property.as_deref()), json)?;
            io::stdout().lock().write_all(told.as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
        Alerts::Test { files, config } => test(&files, &config),
    }
}

fn rules_of(
    sound: &check::Sound,
    (name, property): (&str, Option<&str>),
    json: bool,
) -> anyhow::Result<String> {
    let registry = &*sound.registry;
    let mut stations = registry.stations.iter();
    let station = stations.find(|one| *one.name == *name).with_context(|| {
        let near = nearest(name, registry.stations.iter().map(|one| &*one.name));
        let near = near.map_or(String::new(), |near| format!("; the nearest is `{near}`"));
        format!("no station is called `{name}`{near}")
    })?;
    let property = property.map(|name| {
        let found = registry.property_called(name).map(|one| one.id);
        found.with_context(|| format!("no property is called `{name}`; see properties.csv"))
    });
    let property = property.transpose()?;
    let all = station.datastreams.iter().filter_map(|id| registry.datastream(*id));
    let streams: Vec<&Datastream> =
        all.filter(|one| property.is_none_or(|of| of == one.property)).collect();
    anyhow::ensure!(!streams.is_empty(), "`{name}` has no such datastream");
    let (config, tables) = (&sound.config, &sound.edition.tables);
    let at = Clock::real().now().wall;
    let asked = Asked { config, tables, registry, at };
    Ok(match json {
        true => format!("{:#}\n", rules::json(&asked, station, &streams)),
        false => rules::lines(&asked, station, &streams),
    })
}

fn test(files: &[PathBuf], config: &std::path::Path) -> anyhow::Result<ExitCode> {
    let sound = match check::edition(config) {
        Ok(sound) => sound,
        Err(faults) => return Ok(super::tell(&faults)?),
    };
    let mut failed = 0;
    for file in files {
        let name = file.display();
        let text =
            std::fs::read_to_string(file).with_context(|| format!("{name} can't be read"))?;
        match trial::play(file, text, &sound) {
            Ok(outcome) if outcome.failures.is_empty() => {
                let trial::Outcome { times, lists, .. } = outcome;
                writeln!(io::stdout(), "{name}: as expected, {lists} lists at {times} times")?;
            }
            Ok(outcome) => {
                failed += outcome.failures.len();
                for words in &outcome.failures {
                    writeln!(io::stdout(), "{words}")?;
                }
            }
            Err(faults) => {
                failed += faults.len();
                for fault in &faults {
                    writeln!(io::stdout(), "{fault}")?;
                }
            }
        }
    }
    if failed == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(io::stdout(), "{failed} failures")?;
    Ok(ExitCode::FAILURE)
}
