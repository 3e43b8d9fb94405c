//! `weir dead-letters`: what was turned away, with its bytes and the reason, and the way back.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Subcommand;
use serde_json::{Value, json};

use crate::config::Config;
use crate::daemon::socket::{self, Request};
use crate::domain::booked::What;
use crate::journal::batch::DeadLetterId;
use crate::journal::read::{LetterHeld, Reader};

/// How many letters are read at once.
const PAGE: usize = 500;

/// What can be done with dead letters.
#[derive(Debug, Subcommand)]
pub enum Letters {
    /// List how many there are of each device, channel and reason, and the newest of them.
    Ls {
        /// The configuration.
        #[arg(long, default_value = "config/weir.toml")]
        config: PathBuf,
    },
    /// Show one: topic, time, stage, reason, and the bytes as they came.
    Show {
        /// Its number, as `ls` prints it.
        id: i64,
        /// The configuration.
        #[arg(long, default_value = "config/weir.toml")]
        config: PathBuf,
    },
    /// Write all of them as JSON lines; payloads in base64, and as text where they are text.
    Export {
        /// The configuration.
        #[arg(long, default_value = "config/weir.toml")]
        config: PathBuf,
    },
    /// Run some through the pipeline of the daemon again, after the seeds were mended.
    ///
    /// What ends well moves its place in the ledger and is a dead letter no more.
    Retry {
        /// Their numbers.
        #[arg(required_unless_present = "all")]
        ids: Vec<i64>,
        /// All that are kept.
        #[arg(long)]
        all: bool,
        /// The configuration.
        #[arg(long, default_value = "config/weir.toml")]
        config: PathBuf,
    },
}

pub(super) async fn run(letters: Letters) -> anyhow::Result<ExitCode> {
    match letters {
        Letters::Ls { config } => list(&super::read(&config)?),
        Letters::Show { id, config } => show(&super::read(&config)?, id),
        Letters::Export { config } => export(&super::read(&config)?),
        Letters::Retry { ids, all, config } => retry(&super::read(&config)?, ids, all).await,
    }
}

fn list(config: &Config) -> anyhow::Result<ExitCode> {
    let reader = Reader::open(&config.journal.data_folder)?;
    let mut out = io::stdout().lock();
    let counts = reader.dead_letter_counts()?;
    if counts.is_empty() {
        writeln!(out, "no dead letters")?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(
        out,
        "{:>8} {:>6}  {:<20} {:<20} {:<20} last",
        "count", "kept", "reason", "device", "channel"
    )?;
    for count in counts {
        let none = |text: &str| if text.is_empty() { "-".to_owned() } else { printable(text) };
        writeln!(
            out,
            "{:>8} {:>6}  {:<20} {:<20} {:<20} {}",
            count.total,
            count.kept,
            count.code,
            none(&count.device),
            none(&count.channel),
            count.last_at.rfc3339(&config.home())
        )?;
    }
    writeln!(out)?;
    each(&reader, |held| {
        let letter = &held.letter;
        let topic = printable(&String::from_utf8_lossy(&letter.topic));
        writeln!(out, "{:>6}  {topic}  {}", held.id.0, printable(&letter.words))
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Walks all kept letters, oldest first.
fn each(
    reader: &Reader,
    mut take: impl FnMut(&LetterHeld) -> io::Result<()>,
) -> anyhow::Result<()> {
    let mut after = DeadLetterId(0);
    loop {
        let page = reader.dead_letters(after, PAGE)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.id;
        for held in &page {
            take(held)?;
        }
    }
}

/// Keeps what a publisher wrote from driving the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|one| if one.is_control() { '\u{fffd}' } else { one }).collect()
}

fn show(config: &Config, id: i64) -> anyhow::Result<ExitCode> {
    let reader = Reader::open(&config.journal.data_folder)?;
    let mut out = io::stdout().lock();
    let Some(held) = reader.dead_letter(DeadLetterId(id))? else {
        writeln!(io::stderr().lock(), "there is no dead letter {id}")?;
        return Ok(ExitCode::FAILURE);
    };
    let letter = &held.letter;
    let home = config.home();
    writeln!(out, "topic    {}", printable(&String::from_utf8_lossy(&letter.topic)))?;
    writeln!(out, "received {}", letter.received.wall.rfc3339(&home))?;
    writeln!(out, "stage    {}", letter.stage.word())?;
    writeln!(out, "reason   {} ({})", printable(&letter.words), letter.code)?;
    writeln!(out, "device   {}", printable(letter.device.as_deref().unwrap_or("-")))?;
    writeln!(
        out,
        "channel  {}",
        printable(letter.channel.as_deref().unwrap_or("(whole message)"))
    )?;
    if let Some(at) = held.retried_at {
        writeln!(out, "retried  {}, and ended well", at.rfc3339(&home))?;
    }
    writeln!(out, "payload  {} bytes:", letter.payload.len())?;
    match std::str::from_utf8(&letter.payload) {
        Ok(text) => writeln!(out, "{}", printable(text))?,
        Err(_) => dump(&mut out, &letter.payload)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn dump(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    for (row, chunk) in bytes.chunks(16).enumerate() {
        let hex: Vec<String> = chunk.iter().map(|byte| format!("{byte:02x}")).collect();
        let text: String = chunk
            .iter()
            .map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' })
            .collect();
        writeln!(out, "{:08x}  {:<47}  {text}", row * 16, hex.join(" "))?;
    }
    Ok(())
}

fn export(config: &Config) -> anyhow::Result<ExitCode> {
    let reader = Reader::open(&config.journal.data_folder)?;
    let mut out = io::stdout().lock();
    each(&reader, |held| writeln!(out, "{}", as_json(held)))?;
    Ok(ExitCode::SUCCESS)
}

fn as_json(held: &LetterHeld) -> Value {
    let letter = &held.letter;
    json!({
        "id": held.id.0,
        "received_ms": letter.received.wall.millis(),
        "topic": String::from_utf8_lossy(&letter.topic),
        "topic_base64": STANDARD.encode(&letter.topic),
        "payload_base64": STANDARD.encode(&letter.payload),
        "payload_text": std::str::from_utf8(&letter.payload).ok(),
        "stage": letter.stage.word(),
        "code": &*letter.code,
        "words": letter.words,
        "device": letter.device,
        "channel": letter.channel,
    })
}

async fn retry(config: &Config, ids: Vec<i64>, all: bool) -> anyhow::Result<ExitCode> {
    let mut ids = ids;
    if all {
        let reader = Reader::open(&config.journal.data_folder)?;
        each(&reader, |held| {
            ids.push(held.id.0);
            Ok(())
        })?;
    }
    let folder = &config.journal.data_folder;
    let named = if all { "all dead letters".to_owned() } else { format!("dead letters {ids:?}") };
    let answered = socket::ask(folder, &Request::Retry { ids }).await?;
    if let Some(answer) = answered.as_ref().filter(|answer| answer.done) {
        let words = answer.words.join("; ");
        super::book(folder, What::LettersRetried, (&named, &words))?;
    }
    let nobody = "no weir is at work here; letters are run again by the daemon (weir run)";
    super::answer(answered, nobody)
}
