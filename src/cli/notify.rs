//! `weir notify`: the channels of notification, and a test of one.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use crate::daemon::channels::{self, Listed};
use crate::domain::booked::What;

/// What can be done with channels.
#[derive(Debug, Subcommand)]
pub enum Notify {
    /// List the channels: name, kind, routes, step of escalation, notifications a minute at most.
    Ls {
        /// As JSON.
        #[arg(long)]
        json: bool,
        /// The configuration.
        #[arg(long, default_value = "config/weir.toml")]
        config: PathBuf,
    },
    /// Send one test to a channel and show what its receiver answers.
    ///
    /// It goes at once and not through the journal; no daemon need be at work. Exits with 1 if the
    /// receiver did not confirm it.
    Test {
        /// The channel's name.
        channel: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
        /// The configuration.
        #[arg(long, default_value = "config/weir.toml")]
        config: PathBuf,
    },
}

pub(super) async fn run(command: Notify) -> anyhow::Result<ExitCode> {
    match command {
        Notify::Ls { json, config } => list(&channels::list(&super::read(&config)?), json),
        Notify::Test { channel, json, config } => {
            let config = super::read(&config)?;
            let tested = channels::test(&config, &channel).await?;
            let said = (&*tested.channel, tested.outcome);
            super::book(&config.journal.data_folder, What::ChannelTested, said)?;
            let mut out = io::stdout().lock();
            if json {
                writeln!(out, "{}", serde_json::to_string(&tested)?)?;
            } else {
                let status = tested.status.map_or(String::new(), |status| format!(" {status}"));
                let words = match tested.words.trim() {
                    "" => String::new(),
                    words => format!(": {words}"),
                };
                writeln!(out, "{}: {}{status}{words}", tested.channel, tested.outcome)?;
            }
            let done = tested.outcome == "confirmed";
            Ok(if done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
    }
}

fn list(channels: &[Listed], json: bool) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string(channels)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    if channels.is_empty() {
        writeln!(out, "there is no channel; docs/channels.md shows how to describe one")?;
    }
    let width = |cell: fn(&Listed) -> &str| {
        channels.iter().map(|one| cell(one).chars().count()).max().unwrap_or(0)
    };
    let (names, kinds) = (width(|one| &one.name), width(|one| one.kind));
    for one in channels {
        let pace = one.per_minute.map_or("as they come".to_owned(), |most| format!("{most}/min"));
        let (name, kind, routes) = (&one.name, one.kind, one.routes.join(" "));
        writeln!(out, "{name:names$}  {kind:kinds$}  step {}  {pace}  {routes}", one.step)?;
    }
    Ok(ExitCode::SUCCESS)
}
