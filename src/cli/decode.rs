//! `weir decode`: one payload, read.

use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use crate::daemon::check;
use crate::daemon::clock::Clock;
use crate::daemon::decode::{Asked, decode};
use crate::daemon::terminal;
use crate::domain::registry::Format;
use crate::seed;

/// How much of standard input is read, bytes.
const PAYLOAD_BYTES_MAX: u64 = 64 << 20;

/// What is asked of `weir decode`.
#[derive(Debug, clap::Args)]
pub struct Payload {
    /// The format, as in topics.csv, such as `json` or `hj212`; that of the topic without.
    #[arg(long, value_name = "FORMAT", value_parser = format, required_unless_present = "topic")]
    format: Option<Format>,
    /// The topic it came on, by which the seeds know the device and its profile.
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    /// The configuration, of which only the seeds are read, and only with --topic.
    #[arg(long, default_value = "config/weir.toml")]
    config: PathBuf,
}

fn format(word: &str) -> Result<Format, String> {
    seed::format(word).ok_or_else(|| "no format of topics.csv".to_owned())
}

/// Reads a payload from standard input and prints what it says.
///
/// # Errors
/// It can't be read from there, or nothing be written.
pub(super) fn run(command: &Payload) -> anyhow::Result<ExitCode> {
    let mut payload = Vec::new();
    io::stdin().lock().take(PAYLOAD_BYTES_MAX).read_to_end(&mut payload)?;
    let sound = match &command.topic {
        None => None,
        Some(_) => match check::edition(&command.config) {
            Ok(sound) => Some(sound),
            Err(faults) => return Ok(super::tell(&faults)?),
        },
    };
    let topic = command.topic.as_deref().zip(sound.as_ref().map(|sound| &*sound.registry));
    let asked = Asked { format: command.format, topic, at: Clock::real().now().wall };
    match decode(asked, &payload) {
        Ok(shown) => {
            let lines = shown.lines().map(|line| format!("{}\n", terminal::plain(line)));
            io::stdout().lock().write_all(lines.collect::<String>().as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
        Err(reason) => {
            writeln!(io::stderr().lock(), "{}", terminal::plain(&reason))?;
            Ok(ExitCode::FAILURE)
        }
    }
}
