//! `weir discover`: what publishes on a broker, as rows for the seeds.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use tokio::time::Instant;

use crate::daemon::check::{self, Sound};
use crate::daemon::discover::survey::Survey;
use crate::daemon::discover::{Broker, Found, brokers, carried, found, listen};
use crate::daemon::terminal;
use crate::domain::fault::Fault;
use crate::telemetry;

/// Where the configuration is as a rule.
const CONFIG: &str = "config/weir.toml";
/// The tables that rows are for.
const TABLES: [&str; 3] = ["topics.csv", "profiles.csv", "devices.csv"];
/// The mend where a table can't be written.
const ANOTHER: &str = "name another folder with --out";

/// What is asked of `weir discover`.
#[derive(Debug, clap::Args)]
pub struct Discover {
    /// An MQTT filter such as `site7/#`.
    #[arg(default_value = "#")]
    pattern: String,
    /// For how long, such as 60s or 10m.
    #[arg(long = "for", value_name = "TIME", default_value = "60s", value_parser = super::length)]
    length: Duration,
    /// Another broker than those of the configuration: mqtt://host:1883.
    #[arg(long, value_name = "URL")]
    broker: Option<String>,
    /// The network of the rows; that of the broker without.
    #[arg(long, value_name = "NAME")]
    network: Option<String>,
    /// The station of all devices; without it that cell is left to you.
    #[arg(long, default_value = "")]
    station: String,
    /// Write the rows into new files of this folder instead of printing them.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// The configuration; `config/weir.toml` without. Where that is missing, too, `--broker` alone
    /// is enough: properties and units are then those of the example seeds.
    #[arg(long)]
    config: Option<PathBuf>,
}

/// Listens, then writes what was found, broker by broker.
///
/// # Errors
/// The rows can't be written.
pub(super) async fn run(command: Discover) -> anyhow::Result<ExitCode> {
    let sound = match sound(&command) {
        Ok(sound) => sound,
        Err(faults) => return Ok(tell(&faults)?),
    };
    telemetry::start(&sound.config.log)?;
    let brokers = brokers(&sound, command.broker.as_deref(), command.network.as_deref())?;
    let network =
        |broker: &Broker| command.network.clone().unwrap_or_else(|| broker.network.clone());
    let folder =
        |broker: &Broker| command.out.as_deref().map(|folder| folder.join(network(broker)));
    for folder in brokers.iter().filter_map(folder) {
        free(&folder)?;
    }
    let mut all_reached = true;
    for broker in &brokers {
        let mut survey = Survey::default();
        if !hear(&command, broker, &mut survey).await? && survey.messages == 0 {
            all_reached = false;
            continue;
        }
        let Found { rows, words } = found(&sound, &network(broker), &command.station, &survey);
        for words in &words {
            writeln!(io::stderr(), "{}", terminal::plain(words))?;
        }
        for (table, text) in TABLES.into_iter().zip([rows.topics, rows.profiles, rows.devices]) {
            match folder(broker) {
                Some(folder) => write(&folder, table, &text)?,
                None => print(table, &text)?,
            }
        }
    }
    Ok(if all_reached { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Reads the configuration. An address needs none: without one the properties and units are those
/// that the program carries.
fn sound(command: &Discover) -> Result<Sound, Vec<Fault>> {
    let usual = Path::new(CONFIG);
    match (&command.config, &command.broker) {
        (None, Some(url)) if !usual.exists() => carried(url),
        (config, _) => check::edition(config.as_deref().unwrap_or(usual)),
    }
}

fn tell(faults: &[Fault]) -> io::Result<ExitCode> {
    let mut out = io::stderr().lock();
    for fault in faults {
        writeln!(out, "{}", terminal::plain(&fault.to_string()))?;
    }
    writeln!(out, "{} faults", faults.len())?;
    Ok(ExitCode::FAILURE)
}

/// Listens to a broker; says whether it could as long as was asked, and tells why not.
async fn hear(command: &Discover, broker: &Broker, survey: &mut Survey) -> io::Result<bool> {
    let url = broker.shown_url();
    writeln!(io::stderr(), "listening to {url} for {:?}", command.length)?;
    let begun = Instant::now();
    tokio::select! {
        ended = listen(broker, &command.pattern, survey) => {
            if let Err(error) = ended {
                let fault = error.to_string().replace(&broker.url, &url);
                let after = begun.elapsed().as_secs();
                let words = format!("listening to {url} ended after {after} s: {fault}");
                writeln!(io::stderr(), "{}", terminal::plain(&words))?;
                return Ok(false);
            }
        }
        () = tokio::time::sleep(command.length) => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    Ok(true)
}

/// Makes sure, before anybody listens for long, that the tables can be written into a folder.
fn free(folder: &Path) -> anyhow::Result<()> {
    for table in TABLES {
        let path = folder.join(table);
        let shown = path.display();
        anyhow::ensure!(path.symlink_metadata().is_err(), "{shown} is there already; {ANOTHER}");
    }
    let shown = folder.display();
    std::fs::create_dir_all(folder).with_context(|| format!("{shown} can't be made; {ANOTHER}"))
}

/// Writes a table of its own, and never over another.
fn write(folder: &Path, table: &str, text: &str) -> anyhow::Result<()> {
    let path = folder.join(table);
    let shown = path.display().to_string();
    let file = File::create_new(&path);
    let mut file = file.with_context(|| format!("{shown} can't be made; {ANOTHER}"))?;
    file.write_all(text.as_bytes())?;
    writeln!(io::stderr(), "{shown} is written; review it")?;
    Ok(())
}

fn print(table: &str, text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "== {table}")?;
    for line in text.lines() {
        writeln!(out, "{}", terminal::plain(line))?;
    }
    writeln!(out)
}
