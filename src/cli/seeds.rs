//! `weir seeds`: what another edition would change, and its taking.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;

use crate::daemon::check;
use crate::daemon::edition::Edition;
use crate::daemon::socket::{self, Request};
use crate::domain::booked::What;
use crate::seed::{self, Tables};

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
    /// Put the seeds of another folder in force, without a gap, and into the configured folder.
    ///
    /// An edition with a fault is refused whole and the one in force stays.
    Apply {
        /// The folder of the other edition.
        folder: PathBuf,
        /// The configuration whose seeds are in force.
        #[arg(long, default_value = "config/weir.toml")]
        config: PathBuf,
    },
}

pub(super) async fn run(seeds: Seeds) -> anyhow::Result<ExitCode> {
    match seeds {
        Seeds::Diff { folder, config } => Ok(run_diff(&config, &folder)?),
        Seeds::Apply { folder, config } => run_apply(&config, &folder).await,
    }
}

/// Has a daemon at work take an edition; without one, checks it and installs it.
async fn run_apply(file: &Path, folder: &Path) -> anyhow::Result<ExitCode> {
    let config = super::read(file)?;
    let folder = folder.canonicalize()?;
    let request = Request::Apply { folder: folder.clone() };
    let data = &config.journal.data_folder;
    let named = folder.display().to_string();
    let answered = socket::ask(data, &request).await?;
    if let Some(answer) = &answered {
        if answer.done {
            let said = (&*named, &*answer.words.join("; "));
            super::book(data, What::EditionApplied, said)?;
        }
        return super::answer(answered, "");
    }
    let changed = run_diff(file, &folder)?;
    if changed == ExitCode::SUCCESS {
        let tables = Tables::read(&folder)
            .map_err(|faults| anyhow::anyhow!("{} faults in the seeds", faults.len()))?;
        tables.write_to(&config.seeds)?;
        let words = "no weir is at work; it takes them when it starts";
        super::book(data, What::EditionApplied, (&named, words))?;
        writeln!(io::stdout(), "{words}")?;
    }
    Ok(changed)
}

fn run_diff(file: &Path, folder: &Path) -> io::Result<ExitCode> {
    let sound = match check::edition(file) {
        Ok(sound) => sound,
        Err(faults) => return super::tell(&faults),
    };
    let (old, new) = match (Tables::read(&sound.config.seeds), Tables::read(folder)) {
        (Ok(old), Ok(new)) => (old, new),
        (Err(faults), _) | (_, Err(faults)) => return super::tell(&faults),
    };
    let changes = seed::diff(&old, &new);
    let edition = Edition { tables: new, ..sound.edition };
    let compiled = check::compiled(&edition);
    if let Err(faults) = compiled.and_then(|registry| seed::may_follow(&sound.registry, &registry))
    {
        return super::tell(&faults);
    }
    let mut out = io::stdout().lock();
    for change in &changes {
        writeln!(out, "{change}")?;
    }
    writeln!(out, "{} rows differ", changes.len())?;
    Ok(ExitCode::SUCCESS)
}
