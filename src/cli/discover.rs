//! `weir discover`: what publishes on a broker, as rows for the seeds.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;

use crate::daemon::check;
use crate::daemon::discover::survey::Survey;
use crate::daemon::discover::{Found, brokers, found, listen};
use crate::daemon::terminal;
use crate::telemetry;

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
    /// The configuration.
    #[arg(long, default_value = "config/weir.toml")]
    config: PathBuf,
}

/// Listens, then writes what was found.
///
/// # Errors
/// A broker can't be reached, or the rows not be written.
pub(super) async fn run(command: Discover) -> anyhow::Result<ExitCode> {
    let sound = match check::edition(&command.config) {
        Ok(sound) => sound,
        Err(faults) => return Ok(super::tell(&faults)?),
    };
    telemetry::start(&sound.config.log)?;
    let mut written = Vec::new();
    for broker in brokers(&sound, command.broker.as_deref(), command.network.as_deref())? {
        let url = broker.shown_url();
        let mut survey = Survey::default();
        writeln!(io::stderr(), "listening to {url} for {:?}", command.length)?;
        tokio::select! {
            ended = listen(&broker, &command.pattern, &mut survey) => {
                // What was heard before a broker went is worth its rows.
                if let Err(error) = ended
                    && survey.messages == 0
                {
                    let fault = error.to_string().replace(&broker.url, &url);
                    anyhow::bail!("{}", terminal::plain(&fault));
                }
            }
            () = tokio::time::sleep(command.length) => {}
            interrupted = tokio::signal::ctrl_c() => interrupted?,
        }
        let network = command.network.as_deref().unwrap_or(&broker.network);
        let Found { rows, words } = found(&sound, network, &command.station, &survey);
        for words in &words {
            writeln!(io::stderr(), "{}", terminal::plain(words))?;
        }
        written.push((network.to_owned(), rows));
    }
    for (network, rows) in written {
        let tables = [
            ("topics.csv", rows.topics),
            ("profiles.csv", rows.profiles),
            ("devices.csv", rows.devices),
        ];
        for (table, text) in tables {
            match &command.out {
                Some(folder) => write(&folder.join(&network), table, &text)?,
                None => print(table, &text)?,
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes a table of its own, and never over another.
fn write(folder: &Path, table: &str, text: &str) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    let path = folder.join(table);
    let shown = path.display().to_string();
    let mut file = File::create_new(&path).with_context(|| format!("{shown} can't be made"))?;
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
