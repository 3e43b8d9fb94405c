//! `weir alerts ls`, `show`, `ack` and their like: working off what fires, beside a daemon at work.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;

use crate::config::Config;
use crate::daemon::alerts::shown::{self, What};
use crate::daemon::alerts::work::length;
use crate::daemon::socket::{self, Answer, Request};
use crate::domain::asked::{Asked, Deed, Of, Work};
use crate::domain::time::Timestamp;

/// What nobody can do without a daemon.
const NOBODY: &str = "no weir is at work on this data folder; start it, then do it again";

/// Who does something, and to which alerts.
#[derive(Debug, clap::Args)]
pub struct Deeds {
    /// The alerts, by the numbers that `ls` prints.
    #[arg(required = true)]
    ids: Vec<u64>,
    #[command(flatten)]
    by: By,
}

/// Who does something.
#[derive(Debug, clap::Args)]
pub(super) struct By {
    /// Who does it.
    #[arg(long, value_name = "NAME")]
    person: String,
    /// For whom, where somebody else does it.
    #[arg(long = "for", value_name = "NAME")]
    behalf: Option<String>,
    /// What there is to say of it.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    comment: String,
    /// The configuration.
    #[arg(long, default_value = "config/weir.toml")]
    config: PathBuf,
}

/// What is listed.
#[derive(Debug, clap::Args)]
pub struct Open {
    /// Of this station only.
    #[arg(long)]
    station: Option<String>,
    /// Of this place only, and of what lies in it.
    #[arg(long)]
    place: Option<String>,
    /// Of this route only: environment, instrument, weir.
    #[arg(long)]
    route: Option<String>,
    /// Also those of which nobody is told: shelved, silenced, part of what is silent as a whole.
    #[arg(long)]
    all: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
    /// The configuration.
    #[arg(long, default_value = "config/weir.toml")]
    config: PathBuf,
}

/// What happened.
#[derive(Debug, clap::Args)]
pub struct History {
    /// Of this station only.
    #[arg(long)]
    station: Option<String>,
    /// From this time on: a date or a date and time, in the configured zone.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Until before this time.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// As JSON.
    #[arg(long)]
    json: bool,
    /// The configuration.
    #[arg(long, default_value = "config/weir.toml")]
    config: PathBuf,
}

/// A silence, or what is done with silences.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Silence {
    #[command(subcommand)]
    other: Option<Silences>,
    /// Of this station.
    #[arg(long)]
    station: Option<String>,
    /// Of this place, and of what lies in it.
    #[arg(long)]
    place: Option<String>,
    /// About this property, by its name, symbol or Chinese name.
    #[arg(long)]
    property: Option<String>,
    /// By this rule.
    #[arg(long)]
    rule: Option<String>,
    /// By this route: environment, instrument, weir.
    #[arg(long)]
    route: Option<String>,
    /// No more severe than this: notice, warning, critical. What rises above it is told.
    #[arg(long)]
    severity: Option<String>,
    /// Until then: a length such as 8h or 2d, or a time in the configured zone.
    #[arg(long, value_name = "END", required = true)]
    until: Option<String>,
    /// Why.
    #[arg(long, value_name = "TEXT", required = true)]
    reason: Option<String>,
    /// Who does it.
    #[arg(long, value_name = "NAME", required = true)]
    person: Option<String>,
    /// For whom, where somebody else does it.
    #[arg(long = "for", value_name = "NAME")]
    behalf: Option<String>,
    /// The configuration.
    #[arg(long, default_value = "config/weir.toml")]
    config: PathBuf,
}

/// What is done with silences.
#[derive(Debug, clap::Subcommand)]
enum Silences {
    /// List the silences: number, what they cover, since when, until when, who, why.
    Ls {
        /// As JSON.
        #[arg(long)]
        json: bool,
        /// The configuration.
        #[arg(long, default_value = "config/weir.toml")]
        config: PathBuf,
    },
    /// End a silence now.
    End {
        /// Its number.
        id: u64,
        #[command(flatten)]
        by: By,
    },
}

pub(super) async fn open(asked: Open) -> anyhow::Result<ExitCode> {
    let Open { station, place, route, all, json, config } = asked;
    let of = Of { station, place, route, ..Of::default() };
    look(&config, What::Open { of, all }, json).await
}

pub(super) async fn show(id: u64, json: bool, config: &Path) -> anyhow::Result<ExitCode> {
    look(config, What::One { id }, json).await
}

pub(super) async fn history(asked: History) -> anyhow::Result<ExitCode> {
    let History { station, from, to, json, config } = asked;
    let home = super::super::read(&config)?.home();
    let time = |text: Option<String>| {
        let read = text.map(|text| {
            let at = Timestamp::of_text_or_offset(&text, &home).map(Timestamp::millis);
            at.with_context(|| {
                format!("`{text}` is no time such as 2026-06-01 or 2026-06-01T08:30")
            })
        });
        read.transpose()
    };
    let (from, to) = (time(from)?, time(to)?);
    look(&config, What::History { station, from, to }, json).await
}

/// Asks the daemon at work, or the journal of one that is not.
async fn look(file: &Path, what: What, json: bool) -> anyhow::Result<ExitCode> {
    let config = super::super::read(file)?;
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|set| !set.is_empty());
    let colour = io::stdout().is_terminal() && !no_colour;
    let asked = shown::Asked { what, json, colour };
    let folder = &config.journal.data_folder;
    if let Some(answer) = socket::ask(folder, &Request::Alerts(asked.clone())).await? {
        return super::super::answer(Some(answer), "");
    }
    let answer = shown::at_rest(&config, &asked)?;
    writeln!(io::stderr(), "no weir is at work; this is how it stopped")?;
    let answer = match answer {
        Ok(words) => Answer { done: true, words },
        Err(words) => Answer { done: false, words },
    };
    super::super::answer(Some(answer), "")
}

pub(super) async fn acknowledge(asked: Deeds, until: Option<String>) -> anyhow::Result<ExitCode> {
    let config = super::super::read(&asked.by.config)?;
    let until = until.map(|text| end(&text, &config)).transpose()?;
    act(&config, asked.by, Deed::Acknowledge { alerts: asked.ids, until }).await
}

pub(super) async fn shelve(asked: Deeds, until: &str) -> anyhow::Result<ExitCode> {
    let config = super::super::read(&asked.by.config)?;
    let until = end(until, &config)?;
    act(&config, asked.by, Deed::Shelve { alerts: asked.ids, until }).await
}

pub(super) async fn comment(asked: Deeds) -> anyhow::Result<ExitCode> {
    let config = super::super::read(&asked.by.config)?;
    act(&config, asked.by, Deed::Comment { alerts: asked.ids }).await
}

pub(super) async fn undo(asked: Deeds) -> anyhow::Result<ExitCode> {
    let config = super::super::read(&asked.by.config)?;
    act(&config, asked.by, Deed::Undo { alerts: asked.ids }).await
}

pub(super) async fn silence(asked: Silence) -> anyhow::Result<ExitCode> {
    match asked.other {
        Some(Silences::Ls { json, config }) => return look(&config, What::Silences, json).await,
        Some(Silences::End { id, by }) => {
            let config = super::super::read(&by.config)?;
            return act(&config, by, Deed::EndSilence { id }).await;
        }
        None => {}
    }
    let Silence { station, place, property, rule, route, severity, .. } = asked;
    let (behalf, file) = (asked.behalf, asked.config);
    let config = super::super::read(&file)?;
    // clap asks for them.
    let needed = |text: Option<String>| text.unwrap_or_default();
    let (person, comment) = (needed(asked.person), needed(asked.reason));
    let until = end(&needed(asked.until), &config)?;
    let of = Of { place, station, property, rule, route, severity };
    let by = By { person, behalf, comment, config: file };
    act(&config, by, Deed::Silence { of, until }).await
}

async fn act(config: &Config, by: By, deed: Deed) -> anyhow::Result<ExitCode> {
    let By { person, behalf, comment: words, .. } = by;
    let asked = Asked::Alerts(Work { person, behalf, words, deed });
    let answered = socket::ask(&config.journal.data_folder, &Request::Act(asked)).await?;
    super::super::answer(answered, NOBODY)
}

/// Gives a time its offset; a length from now on is of the daemon's clock.
fn end(text: &str, config: &Config) -> anyhow::Result<String> {
    if length(text).is_some() {
        return Ok(text.to_owned());
    }
    let home = config.home();
    let at = Timestamp::of_text_or_offset(text, &home);
    let at =
        at.with_context(|| format!("`{text}`: expected an end: 8h, 2d or 2026-06-01T08:30"))?;
    Ok(at.rfc3339(&home))
}
