//! `weir ledger`: where every message and reading ended.

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::config::Config;
use crate::daemon::deliver::SINK;
use crate::domain::ledger::{Counts, Ledger};
use crate::domain::name::{NameKind, TopicId};
use crate::journal::read::Reader;

/// Prints the ledger; fails if it does not balance.
///
/// # Errors
/// The journal can't be read.
pub(super) fn run(config: &Config, as_json: bool) -> anyhow::Result<ExitCode> {
    let reader = Reader::open(&config.journal.data_folder)?;
    let view = reader.ledger()?;
    let names: HashMap<u32, Box<str>> = reader
        .names()?
        .into_iter()
        .filter(|named| named.kind == NameKind::Topic)
        .map(|named| (named.id, named.name))
        .collect();
    let name = |topic: Option<TopicId>| {
        topic.and_then(|topic| names.get(&topic.0)).map_or("(no pattern)", |name| &**name)
    };
    let total = view.total();
    let cursor = reader.cursor(SINK)?;
    let letters: u64 = reader.dead_letter_counts()?.iter().map(|count| count.total).sum();
    let embedded = reader.observation_count()?;
    let since = view.since.rfc3339(&config.home());
    let mut out = io::stdout().lock();
    if as_json {
        let patterns: Vec<Value> = view
            .rows
            .iter()
            .map(|(topic, row)| json!({ "pattern": name(*topic), "ledger": ledger(row) }))
            .collect();
        let told = json!({
            "since": since,
            "balances": total.balances(),
            "total": ledger(&total),
            "patterns": patterns,
            "dead_letters": letters,
            "embedded_observations": embedded,
            "influx": cursor.map(|cursor| json!({
                "waiting_points": cursor.waiting, "refused": cursor.refused,
            })),
        });
        writeln!(out, "{told}")?;
    } else {
        writeln!(out, "since {since}\n")?;
        let (received, stored) = ("received", "stored");
        let head = format!("{received:>12}  {stored:>12}  {:>12}  {:>12}", "rejected", "duplicate");
        writeln!(out, "{:<44}{head}", "messages by pattern")?;
        for (topic, row) in &view.rows {
            writeln!(out, "{:<44}{}", name(*topic), columns(row.messages))?;
        }
        writeln!(out, "{:<44}{}", "all messages", columns(total.messages))?;
        writeln!(out, "{:<44}{}\n", "all readings", columns(total.readings))?;
        let share = |part: i64| 100.0 * part as f64 / (total.messages.received.max(1)) as f64;
        writeln!(
            out,
            "{} messages ({:.1} %) came at QoS 0: what was lost of those before weir, nobody knows",
            total.unprotected,
            share(total.unprotected)
        )?;
        writeln!(out, "{} revisions, {} late readings", total.revisions, total.late)?;
        writeln!(out, "{letters} dead letters (weir dead-letters ls)")?;
        match cursor {
            Some(cursor) => writeln!(
                out,
                "{} points wait for InfluxDB, {} were refused by it",
                cursor.waiting, cursor.refused
            )?,
            None => writeln!(out, "{embedded} observations in the embedded store")?,
        }
        let verdict = if total.balances() { "balances" } else { "DOES NOT BALANCE" };
        writeln!(out, "the ledger {verdict}")?;
    }
    Ok(if total.balances() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn columns(counts: Counts) -> String {
    let Counts { received, stored, rejected, duplicate } = counts;
    format!("{received:>12} ={stored:>12} +{rejected:>12} +{duplicate:>12}")
}

fn ledger(row: &Ledger) -> Value {
    let counts = |counts: Counts| {
        let Counts { received, stored, rejected, duplicate } = counts;
        json!({
            "received": received, "stored": stored, "rejected": rejected, "duplicate": duplicate,
        })
    };
    json!({
        "messages": counts(row.messages),
        "readings": counts(row.readings),
        "unprotected": row.unprotected,
        "revisions": row.revisions,
        "late": row.late,
    })
}
