//! `weir qc explain`: why a value has its flag.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::daemon::explain::{Asked, at_rest};
use crate::daemon::socket::{self, Answer, Request};

/// Which value is to be explained.
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The station.
    station: String,
    /// The property, by its name, symbol or Chinese name; or the datastream's whole name.
    property: String,
    /// The time of the value: a date and time in the station's zone, or with an offset; to the
    /// minute is enough. `newest` for the newest value.
    time: String,
    /// At this position, such as `inlet`.
    #[arg(long)]
    position: Option<String>,
    /// As JSON.
    #[arg(long)]
    json: bool,
    /// The configuration.
    #[arg(long, default_value = "config/weir.toml")]
    config: PathBuf,
}

pub(super) async fn run(asked: Explain) -> anyhow::Result<ExitCode> {
    let Explain { station, property, time, position, json, config } = asked;
    let config = super::read(&config)?;
    let asked = Asked { station, property, position, time, json };
    let folder = &config.journal.data_folder;
    if let Some(answer) = socket::ask(folder, &Request::Explain(asked.clone())).await? {
        return super::answer(Some(answer), "");
    }
    let words = at_rest(folder, &asked)?;
    writeln!(io::stderr(), "no weir is at work; this is how it stopped")?;
    let answer = match words {
        Ok(words) => Answer { done: true, words },
        Err(words) => Answer { done: false, words },
    };
    super::answer(Some(answer), "")
}
