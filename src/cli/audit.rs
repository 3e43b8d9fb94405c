//! `weir audit`: who did what.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use crate::daemon::audit;
use crate::daemon::socket::{self, Answer, Request};
use crate::http::view::audit::AuditAsked;

/// Which acts are wanted.
#[derive(Debug, clap::Args)]
pub struct Audit {
    /// From this day or time on, in the zone of weir: 2026-06-01, or 2026-06-01T08:00.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// To before this day or time.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// By this person only, or for them.
    #[arg(long, value_name = "NAME")]
    person: Option<String>,
    /// One list of JSON: at, person, for, way, what, about, alert, until, words.
    #[arg(long)]
    json: bool,
    /// The configuration.
    #[arg(long, default_value = "config/weir.toml")]
    config: PathBuf,
}

pub(super) async fn run(command: Audit) -> anyhow::Result<ExitCode> {
    let Audit { from, to, person, json, config } = command;
    let config = super::read(&config)?;
    let text = |text: Option<String>| text.unwrap_or_default();
    let asked = AuditAsked { from: text(from), to: text(to), person: text(person) };
    let request = Request::Audit { asked: asked.clone(), json };
    let answered = socket::ask(&config.journal.data_folder, &request).await?;
    if answered.is_some() {
        return super::answer(answered, "");
    }
    writeln!(io::stderr(), "no weir is at work; this is how it stopped")?;
    let answer = match audit::lines(&audit::at_rest(&config, asked)?, json) {
        Ok(words) => Answer { done: true, words },
        Err(words) => Answer { done: false, words },
    };
    super::answer(Some(answer), "")
}
