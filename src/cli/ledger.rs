//! `weir ledger`: where every message and reading ended, and whether the database has the points.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::config::Config;
use crate::daemon::deliver::SINK;
use crate::daemon::reconcile::{self, Reconciled};
use crate::domain::ledger::{Counts, Ledger};
use crate::domain::name::{NameKind, TopicId};
use crate::journal::damage::SetAside;
use crate::journal::read::{Cursor, LedgerView, Reader};

/// What the journal says.
struct Held {
    view: LedgerView,
    since: String,
    names: HashMap<u32, Box<str>>,
    cursor: Option<Cursor>,
    aside: SetAside,
    letters: u64,
    embedded: u64,
}

/// Prints the ledger, and with `reconcile` what the database holds of it; fails if it does not
/// balance, or if the database differs.
///
/// # Errors
/// The journal can't be read, or the database not be asked.
pub(super) async fn run(
    config: &Config,
    as_json: bool,
    reconcile: bool,
) -> anyhow::Result<ExitCode> {
    let held = Held::read(config)?;
    let reconciled = if reconcile { Some(reconcile::reconcile(config).await?) } else { None };
    let home = config.home();
    let told = if as_json {
        let mut told = held.json();
        if let (Some(found), Some(told)) = (&reconciled, told.as_object_mut()) {
            told.insert("reconciliation".to_owned(), reconciliation(found, &home));
        }
        format!("{told}\n")
    } else {
        let mut told = held.text()?;
        if let Some(found) = &reconciled {
            write_reconciliation(&mut told, found, &home)?;
        }
        told
    };
    io::stdout().lock().write_all(told.as_bytes())?;
    let agrees = reconciled.as_ref().is_none_or(Reconciled::agrees);
    let sound = held.view.total().balances() && agrees;
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Held {
    fn read(config: &Config) -> anyhow::Result<Self> {
        let reader = Reader::open(&config.journal.data_folder)?;
        let view = reader.ledger()?;
        let names = reader
            .names()?
            .into_iter()
            .filter(|named| named.kind == NameKind::Topic)
            .map(|named| (named.id, named.name))
            .collect();
        Ok(Self {
            since: view.since.rfc3339(&config.home()),
            view,
            names,
            cursor: reader.cursor(SINK)?,
            aside: reader.set_aside()?,
            letters: reader.dead_letter_counts()?.iter().map(|count| count.total).sum(),
            embedded: reader.observation_count()?,
        })
    }

    fn name(&self, topic: Option<TopicId>) -> &str {
        topic.and_then(|topic| self.names.get(&topic.0)).map_or("(no pattern)", |name| name)
    }

    fn json(&self) -> Value {
        let total = self.view.total();
        let rows = self.view.rows.iter();
        let patterns: Vec<Value> = rows
            .map(|(topic, row)| json!({ "pattern": self.name(*topic), "ledger": ledger(row) }))
            .collect();
        json!({
            "since": self.since,
            "balances": total.balances(),
            "total": ledger(&total),
            "patterns": patterns,
            "dead_letters": self.letters,
            "embedded_observations": self.embedded,
            "influx": self.cursor.map(|cursor| json!({
                "waiting_points": cursor.waiting, "refused": cursor.refused,
                "damaged_batches": self.aside.batches, "damaged_points": self.aside.points,
            })),
        })
    }

    fn text(&self) -> Result<String, std::fmt::Error> {
        let total = self.view.total();
        let mut out = String::new();
        writeln!(out, "since {}\n", self.since)?;
        let (received, stored) = ("received", "stored");
        let head = format!("{received:>12}  {stored:>12}  {:>12}  {:>12}", "rejected", "duplicate");
        writeln!(out, "{:<44}{head}  {:>9}", "messages by pattern", "at QoS 0")?;
        for (topic, row) in &self.view.rows {
            let share = share(row);
            writeln!(out, "{:<44}{}  {share:>9}", self.name(*topic), columns(row.messages))?;
        }
        let all = share(&total);
        writeln!(out, "{:<44}{}  {all:>9}", "all messages", columns(total.messages))?;
        writeln!(out, "{:<44}{}\n", "all readings", columns(total.readings))?;
        writeln!(
            out,
            "{} messages ({all}) came at QoS 0: what was lost of those before weir, nobody knows",
            total.unprotected,
        )?;
        writeln!(out, "{} revisions, {} late readings", total.revisions, total.late)?;
        writeln!(out, "{} dead letters (weir dead-letters ls)", self.letters)?;
        match self.cursor {
            Some(cursor) => writeln!(
                out,
                "{} points wait for InfluxDB, {} were refused by it",
                cursor.waiting, cursor.refused
            )?,
            None => writeln!(out, "{} observations in the embedded store", self.embedded)?,
        }
        if self.aside.batches > 0 {
            let SetAside { batches, points } = self.aside;
            writeln!(out, "{points} points of {batches} batches are damaged and were set aside")?;
        }
        let verdict = if total.balances() { "balances" } else { "DOES NOT BALANCE" };
        writeln!(out, "the ledger {verdict}")?;
        Ok(out)
    }
}

/// Gives the share of a pattern's messages that came at QoS 0.
fn share(row: &Ledger) -> String {
    let received = row.messages.received.max(1) as f64;
    format!("{:.1} %", 100.0 * row.unprotected as f64 / received)
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

fn reconciliation(found: &Reconciled, home: &TimeZone) -> Value {
    let measurements = found.measurements.iter().map(|one| {
        let hours = one.hours.iter().map(|hour| {
            json!({
                "start": hour.start.rfc3339(home),
                "journal_values": hour.journal,
                "database_values": hour.database,
            })
        });
        json!({
            "measurement": one.measurement,
            "journal_values": one.journal,
            "database_values": one.database,
            "differs_in_hours": one.differ,
            "hours_that_differ": hours.collect::<Vec<_>>(),
        })
    });
    json!({
        "agrees": found.agrees(),
        "from": found.period.map(|(from, _)| from.rfc3339(home)),
        "to": found.period.map(|(_, to)| to.rfc3339(home)),
        "measurements": measurements.collect::<Vec<_>>(),
        "older_values": found.older,
        "refused_values": found.refused,
        "waiting_points": found.waiting,
        "waiting_since": found.waiting_since.map(|since| since.rfc3339(home)),
    })
}

fn write_reconciliation(out: &mut String, found: &Reconciled, home: &TimeZone) -> std::fmt::Result {
    match found.period {
        None => writeln!(out, "\nnothing to reconcile: the journal holds no delivered points")?,
        Some((from, to)) => {
            let (from, to) = (from.rfc3339(home), to.rfc3339(home));
            writeln!(out, "\nreconciled with InfluxDB: values of {from} to {to}, one a field")?;
        }
    }
    if !found.measurements.is_empty() {
        writeln!(out, "{:<44}{:>12}  {:>12}", "measurement", "delivered", "InfluxDB")?;
    }
    for one in &found.measurements {
        let mark = match one.differ {
            0 => String::new(),
            hours => format!("  DIFFERS in {hours} hours"),
        };
        let (name, journal, database) = (&one.measurement, one.journal, one.database);
        writeln!(out, "{name:<44}{journal:>12}  {database:>12}{mark}")?;
        for hour in &one.hours {
            let start = format!("  the hour of {}", hour.start.rfc3339(home));
            writeln!(out, "{start:<44}{:>12}  {:>12}", hour.journal, hour.database)?;
        }
    }
    if found.older > 0 {
        let older = found.older;
        writeln!(out, "{older} older values are not compared: others of then left the journal")?;
    }
    if found.refused > 0 {
        writeln!(out, "{} values are not looked for: InfluxDB refused them", found.refused)?;
    }
    if found.waiting > 0 {
        let since = found.waiting_since.map_or_else(String::new, |at| at.rfc3339(home));
        writeln!(out, "{} points wait since {since} and need not be there yet", found.waiting)?;
    }
    let verdict = if found.agrees() { "holds just what" } else { "DIFFERS from what" };
    writeln!(out, "InfluxDB {verdict} the journal delivered")
}
