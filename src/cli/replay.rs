//! `weir replay`: which alerts other seeds would have given.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::daemon::alerts::replay::{Asked, Compared, Difference, Episode, Progress, compare};
use crate::daemon::check::{self, Sound};
use crate::domain::time::Timestamp;

/// What is asked of `weir replay`.
#[derive(Debug, clap::Args)]
pub struct Replay {
    /// The first instant: a date or a date and time, in the configured zone.
    #[arg(long, value_name = "TIME")]
    from: String,
    /// The first instant that is not played any more.
    #[arg(long, value_name = "TIME")]
    to: String,
    /// The folder of the other seeds; without, that of the configuration, as it is now.
    #[arg(long, value_name = "FOLDER")]
    seeds: Option<PathBuf>,
    /// As JSON.
    #[arg(long)]
    json: bool,
    /// The configuration: the journal, the networks, the settings.
    #[arg(long, default_value = "config/weir.toml")]
    config: PathBuf,
}

pub(super) fn run(asked: &Replay) -> anyhow::Result<ExitCode> {
    let sound = match check::edition_of(&asked.config, asked.seeds.as_deref()) {
        Ok(sound) => sound,
        Err(faults) => return Ok(super::tell(&faults)?),
    };
    let Sound { config, edition, .. } = &sound;
    let home = config.home();
    let time = |text: &str| {
        Timestamp::of_text_or_offset(text, &home)
            .with_context(|| format!("`{text}` is no time such as 2026-06-01 or 2026-06-01T08:30"))
    };
    let (from, to) = (time(&asked.from)?, time(&asked.to)?);
    let data_folder = &config.journal.data_folder;
    let terminal = io::stderr().is_terminal();
    let mut tell = |progress: Progress| {
        if terminal {
            let Progress { messages, at, share } = progress;
            let (at, share) = (at.rfc3339(&home), (share * 100.0).clamp(0.0, 100.0));
            write!(io::stderr(), "\r{messages} messages, {at}, {share:.0} %  ").ok();
        }
    };
    let all = Asked { data_folder, edition, from, to, home: &home };
    let compared = compare(&all, &mut tell);
    if terminal {
        write!(io::stderr(), "\r\u{1b}[K").ok();
    }
    let compared = compared?;
    let told = if asked.json {
        format!("{:#}\n", as_json(&compared, to, &home))
    } else {
        lines(&compared, to, &home)
    };
    io::stdout().lock().write_all(told.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn lines(compared: &Compared, to: Timestamp, home: &TimeZone) -> String {
    let Compared { from, raw_since, differences, same, messages } = compared;
    let clock = |at: Timestamp| at.rfc3339(home);
    let mut out = String::new();
    if let Some(since) = raw_since {
        let (since, from) = (clock(*since), clock(*from));
        out.push_str(&format!(
            "Raw messages are kept since {since} only: alerts are compared from {from} on.\n"
        ));
    }
    for one in differences {
        let episode = one.episode();
        let ended = episode
            .ended
            .map_or("still firing".to_owned(), |at| format!("{} {}", episode.state, clock(at)));
        let Episode { of, rule, severity, fired, words, .. } = episode;
        let (sign, fired, severity) = (one.sign(), clock(*fired), severity.word());
        out.push_str(&format!("{sign} {fired} {of}: {severity}, {rule}, {ended}\n"));
        match one {
            Difference::Other(_, differ) => out.push_str(&format!("    {}\n", differ.join("; "))),
            Difference::New(_) | Difference::NoMore(_) => {
                out.push_str(&format!("    {words}\n"));
            }
        }
    }
    let count = |sign: char| differences.iter().filter(|one| one.sign() == sign).count();
    let (from, to) = (clock(*from), clock(to));
    out.push_str(&format!(
        "{} new, {} no more, {} otherwise, {same} the same; {messages} messages, {from} to before \
         {to}\n",
        count('+'),
        count('-'),
        count('~'),
    ));
    out
}

fn as_json(compared: &Compared, to: Timestamp, home: &TimeZone) -> Value {
    let clock = |at: Timestamp| at.rfc3339(home);
    let of = |one: &Episode| {
        json!({
            "of": one.of, "kind": one.kind, "rule": one.rule, "severity": one.severity.word(),
            "route": one.route, "reasons": one.reasons, "unconfirmed": one.unconfirmed,
            "since": clock(one.since), "fired": clock(one.fired), "ended": one.ended.map(clock),
            "state": one.state, "summary_en": one.words,
        })
    };
    let differences = compared.differences.iter().map(|one| match one {
        Difference::New(one) => json!({ "sign": "+", "alert": of(one) }),
        Difference::NoMore(one) => json!({ "sign": "-", "was": of(one) }),
        Difference::Other(both, differ) => {
            json!({ "sign": "~", "was": of(&both.0), "alert": of(&both.1), "differ": differ })
        }
    });
    json!({
        "from": clock(compared.from), "to": clock(to),
        "raw_since": compared.raw_since.map(clock),
        "differences": differences.collect::<Vec<_>>(),
        "same": compared.same, "messages": compared.messages,
    })
}
