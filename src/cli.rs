//! The command line.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::daemon::check::{self, Sound};
use crate::domain::fault::Fault;
use crate::domain::name::Names;
use crate::seed::{self, Tables};

/// Reads water, air and energy meters over MQTT, judges what they say, and tells who must know.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What weir can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read configuration and seeds whole and tell every fault at once.
    ///
    /// Exits with 1 if there is one. Each line names file and line, what was found and what was
    /// expected.
    Check {
        /// The configuration.
        #[arg(long, default_value = "config/weir.toml")]
        config: PathBuf,
        /// Also try the database and every alert channel; stores nothing, messages nobody.
        #[arg(long)]
        connect: bool,
    },
    /// Compare editions of the seeds.
    #[command(subcommand)]
    Seeds(Seeds),
}

/// What can be done with seeds.
#[derive(Debug, Subcommand)]
pub enum Seeds {
    /// Tell what the seeds of another folder would change.
    Diff {
        /// The folder of the other edition.
        folder: PathBuf,
        /// The configuration whose seeds are in force.
        #[arg(long, default_value = "config/weir.toml")]
        config: PathBuf,
    },
}

/// Does what the command says.
///
/// # Errors
/// Standard output can't be written.
pub async fn run(cli: Cli) -> io::Result<ExitCode> {
    match cli.command {
        Command::Check { config, connect } => run_check(&config, connect).await,
        Command::Seeds(Seeds::Diff { folder, config }) => run_diff(&config, &folder),
    }
}

async fn run_check(file: &Path, connect: bool) -> io::Result<ExitCode> {
    let sound = match check::check(file) {
        Ok(sound) => sound,
        Err(faults) => return tell(&faults),
    };
    let mut out = io::stdout().lock();
    let Sound { config, registry } = &sound;
    writeln!(
        out,
        "{}: sound. {} brokers, {} stations, {} devices, {} datastreams, {} limits, {} rules; \
         edition {}",
        file.display(),
        config.brokers.len(),
        registry.stations.iter().count(),
        registry.devices.iter().count(),
        registry.datastreams.iter().count(),
        registry.limits.iter().count(),
        registry.rules.iter().count(),
        registry.digest,
    )?;
    drop(out);
    if !connect {
        return Ok(ExitCode::SUCCESS);
    }
    let mut code = ExitCode::SUCCESS;
    let tried = check::connect(config).await;
    let mut out = io::stdout().lock();
    if tried.is_empty() {
        writeln!(out, "neither [influx] nor [[channel]] is configured: nothing to reach")?;
    }
    for one in tried {
        match one.outcome {
            Ok(words) => writeln!(out, "{}: reached, {words}", one.what)?,
            Err(words) => {
                writeln!(out, "{}: {words}", one.what)?;
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}

fn run_diff(file: &Path, folder: &Path) -> io::Result<ExitCode> {
    let sound = match check::check(file) {
        Ok(sound) => sound,
        Err(faults) => return tell(&faults),
    };
    let (old, new) = match (Tables::read(&sound.config.seeds), Tables::read(folder)) {
        (Ok(old), Ok(new)) => (old, new),
        (Err(faults), _) | (_, Err(faults)) => return tell(&faults),
    };
    let judgement = sound.config.judgement.judgement();
    let networks = sound.config.networks();
    let compiled = seed::compile(&new, judgement, &networks, &mut Names::default());
    if let Err(faults) = compiled.and_then(|registry| seed::may_follow(&sound.registry, &registry))
    {
        return tell(&faults);
    }
    let mut out = io::stdout().lock();
    let changes = seed::diff(&old, &new);
    for change in &changes {
        writeln!(out, "{change}")?;
    }
    writeln!(out, "{} rows differ", changes.len())?;
    Ok(ExitCode::SUCCESS)
}

fn tell(faults: &[Fault]) -> io::Result<ExitCode> {
    let mut out = io::stderr().lock();
    for fault in faults {
        writeln!(out, "{fault}")?;
    }
    writeln!(out, "{} faults; nothing was changed", faults.len())?;
    Ok(ExitCode::FAILURE)
}
