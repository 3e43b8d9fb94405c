//! `weir recompute`: past days are reckoned again by the daemon at work.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::daemon::socket::{self, Request};
use crate::domain::booked::What;

/// Which days are to be recomputed.
#[derive(Debug, Args)]
pub struct Recompute {
    /// The first day, in the station's own zone, such as 2026-03-01.
    #[arg(long, value_name = "DATE")]
    from: String,
    /// The last day; a month at most is done at once.
    #[arg(long, value_name = "DATE")]
    to: String,
    /// Of this station only; of all without.
    #[arg(long)]
    station: Option<String>,
    /// The configuration.
    #[arg(long, default_value = "config/weir.toml")]
    config: PathBuf,
}

pub(super) async fn run(days: Recompute) -> anyhow::Result<ExitCode> {
    let Recompute { from, to, station, config } = days;
    let config = super::read(&config)?;
    let named = station.as_deref().unwrap_or("all stations");
    let about = format!("{named}, {from} to {to}");
    let request = Request::Recompute { from, to, station };
    let folder = &config.journal.data_folder;
    let answered = socket::ask(folder, &request).await?;
    if let Some(answer) = answered.as_ref().filter(|answer| answer.done) {
        let said = (&*about, &*answer.words.join("; "));
        super::book(folder, What::DaysRecomputed, said)?;
    }
    super::answer(answered, "no weir is at work on this data folder; start it, then ask again")
}
