//! `weir ledger --reconcile`: does the database hold what the journal delivered to it? Compared are
//! values, one field of one series at one time each, by measurement, and where they differ by hour.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::Config;
use crate::daemon::deliver::SINK;
use crate::domain::time::{HOUR, MINUTE, Timestamp};
use crate::influx::query::{self, Hours};
use crate::influx::tally::{Pass, Share, Tally, TooMany};
use crate::journal::read::{Cursor, Reader};

/// How much of the journal is read at once, bytes.
const READ_BYTES: usize = 4 << 20;
/// How many refused lines are known by heart.
const REFUSED_MAX: u32 = 100_000;
/// How many hours that differ are named of one measurement.
const HOURS_TOLD: usize = 20;
/// What was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reconciled {
    /// The period that was compared, from and to before; none if nothing was delivered in it.
    pub period: Option<(Timestamp, Timestamp)>,
    /// Every measurement.
    pub measurements: Vec<Compared>,
    /// Values of before the period that were delivered since: others of their time have left the
    /// journal, so nobody can say how many there should be.
    pub older: u64,
    /// Values that the database is known to have refused.
    pub refused: u64,
    /// Points that wait for the database,
    pub waiting: u64,
    /// and since when.
    pub waiting_since: Option<Timestamp>,
}

impl Reconciled {
    /// Whether the database holds what it was given.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.measurements.iter().all(|one| one.differ == 0)
    }
}

/// One measurement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Compared {
    /// Its name.
    pub measurement: String,
    /// How many values were delivered,
    pub journal: u64,
    /// and how many the database holds.
    pub database: u64,
    /// In how many hours they differ,
    pub differ: u64,
    /// and the first of them.
    pub hours: Vec<Hour>,
}

/// An hour that differs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hour {
    /// When it begins.
    pub start: Timestamp,
    /// How many values were delivered,
    pub journal: u64,
    /// and how many the database holds.
    pub database: u64,
}

/// Compares. Reads the journal beside a daemon at work and changes nothing.
///
/// # Errors
/// There is no database, it can't be asked, or the journal can't be read.
pub async fn reconcile(config: &Config) -> anyhow::Result<Reconciled> {
    let Some(influx) = &config.influx else {
        anyhow::bail!("no [influx] is configured, so there is nothing to reconcile with");
    };
    let reader = &Reader::open(&config.journal.data_folder)?;
    let cursor = reader.cursor(SINK)?.unwrap_or(Cursor { sequence: 0, waiting: 0, refused: 0 });
    let from_hour = first_whole_hour(reader, cursor)?;
    let tally = count(reader, cursor, from_hour)?;
    let hours = || tally.counts.keys().map(|(_, hour)| *hour);
    let period = hours().min().zip(hours().max()).map(|(first, last)| (first, last + 1));
    // From where on all is in the journal, the database holds nothing else.
    let period = period.map(|(first, last)| (from_hour.unwrap_or(first), last));
    let mut held = BTreeMap::new();
    if let Some((first, last)) = period {
        let names: BTreeSet<&str> = tally.counts.keys().map(|(name, _)| &**name).collect();
        for name in names {
            held.insert(name.to_owned(), query::count(influx, name, first, last).await?);
        }
    }
    let mut measurements = compare(&tally, &tally, &held);
    if measurements.iter().any(|one| one.differ > 0) {
        // A daemon at work delivers meanwhile: what the journal has by now may be there too.
        measurements = compare(&tally, &count(reader, cursor, from_hour)?, &held);
    }
    Ok(Reconciled {
        period: period.map(|(first, last)| (Timestamp(first * HOUR), Timestamp(last * HOUR))),
        measurements,
        older: tally.older,
        refused: tally.refused,
        waiting: cursor.waiting,
        waiting_since: if cursor.waiting == 0 {
            None
        } else {
            reader.first_after(cursor.sequence)?
        },
    })
}

/// Finds the hour from which on every value that was delivered is still in the journal; `None` if
/// nothing has left it. A value is of no later than its arrival, so what came before that hour is
/// of before it; only one of a clock that ran ahead is not, and shows as more than was delivered.
fn first_whole_hour(reader: &Reader, cursor: Cursor) -> anyhow::Result<Option<i64>> {
    let mut gone = None;
    let first = reader.first_after(0)?;
    let made = reader.ledger()?.since;
    if first.is_some_and(|first| first.since(made) > MINUTE) {
        gone = first;
    }
    let mut at = 0;
    while at < cursor.sequence
        && let Some(lines) = reader.lines_after(at, READ_BYTES)?
    {
        at = lines.sequence;
        let last = lines.damaged.iter().map(|damaged| damaged.sequence).chain(lines.let_go);
        if let Some(batch) = last.filter(|batch| *batch <= cursor.sequence).max() {
            gone = reader.first_after(batch - 1)?;
        }
    }
    Ok(gone.map(|gone| gone.millis().div_euclid(HOUR) + 1))
}

/// Counts what the journal holds, in as many passes as memory asks for.
fn count(reader: &Reader, cursor: Cursor, from_hour: Option<i64>) -> anyhow::Result<Tally> {
    let until = reader.sequence()?;
    let refused = reader.refused(REFUSED_MAX)?;
    let mut shares = Share::WHOLE;
    'again: loop {
        let mut tally = Tally::default();
        for held in refused.iter().filter(|held| held.sink == SINK) {
            tally.note_refused(&held.line, held.field.as_deref());
        }
        let mut share = Some(shares);
        while let Some(one) = share {
            tally.turn();
            let pass = Pass { share: one, from_hour };
            if pass_over(reader, cursor, until, pass, &mut tally)?.is_err() {
                shares = shares.halved();
                continue 'again;
            }
            share = one.next();
        }
        return Ok(tally);
    }
}

fn pass_over(
    reader: &Reader,
    cursor: Cursor,
    until: u64,
    pass: Pass,
    tally: &mut Tally,
) -> anyhow::Result<Result<(), TooMany>> {
    let mut at = 0;
    while at < until {
        // What is delivered and what waits is told apart by batch, so neither read spans both.
        let Some(lines) = reader.lines_after(at, READ_BYTES)? else { break };
        let delivered = lines.sequence <= cursor.sequence;
        if !delivered && at < cursor.sequence {
            if let Err(many) = up_to(reader, at, cursor.sequence, pass, tally)? {
                return Ok(Err(many));
            }
            at = cursor.sequence;
            continue;
        }
        for (member, _) in &lines.members {
            if let Err(many) = tally.take(member, delivered, pass)? {
                return Ok(Err(many));
            }
        }
        at = lines.sequence;
    }
    Ok(Ok(()))
}

/// Counts batch by batch, up to the last that was delivered.
fn up_to(
    reader: &Reader,
    mut at: u64,
    last: u64,
    pass: Pass,
    tally: &mut Tally,
) -> anyhow::Result<Result<(), TooMany>> {
    while at < last
        && let Some(lines) = reader.lines_after(at, 1)?
    {
        at = lines.sequence;
        if at > last {
            break;
        }
        for (member, _) in &lines.members {
            if let Err(many) = tally.take(member, true, pass)? {
                return Ok(Err(many));
            }
        }
    }
    Ok(Ok(()))
}

/// Holds what the database has against what was delivered before it was asked, and what the
/// journal had in all after it was.
fn compare(before: &Tally, after: &Tally, held: &BTreeMap<String, Hours>) -> Vec<Compared> {
    held.iter()
        .map(|(measurement, held)| {
            let of = |tally: &Tally, hour: i64| {
                tally.counts.get(&(measurement.as_str().into(), hour)).copied().unwrap_or_default()
            };
            let counted = before.counts.iter().filter(|((name, _), _)| **name == **measurement);
            let mut compared = Compared {
                measurement: measurement.clone(),
                journal: counted.clone().map(|(_, count)| count.delivered).sum(),
                database: held.values().sum(),
                differ: 0,
                hours: Vec::new(),
            };
            let hours = counted.map(|((_, hour), _)| hour).chain(held.keys());
            for hour in hours.copied().collect::<BTreeSet<i64>>() {
                let (journal, most) = (of(before, hour).delivered, of(after, hour));
                let database = held.get(&hour).copied().unwrap_or_default();
                if (journal..=most.delivered + most.waiting).contains(&database) {
                    continue;
                }
                compared.differ += 1;
                if compared.hours.len() < HOURS_TOLD {
                    let start = Timestamp(hour * HOUR);
                    compared.hours.push(Hour { start, journal, database });
                }
            }
            compared
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::domain::time::DAY;
    use crate::journal;
    use crate::journal::batch::{Batch, CursorRow};
    use crate::journal::write::Journal;

    use super::*;

    fn batch(at: i64) -> Batch {
        let lines = format!("water,station=a ph=7,do=8 {at}\n").into_bytes();
        Batch { at: Timestamp(at), lines, line_count: 1, ..Batch::default() }
    }

    #[test]
    fn compared_is_only_what_is_whole_in_the_journal() {
        let folder = tempfile::TempDir::new().unwrap();
        let start = 20_000 * DAY;
        let config = journal::Config::at(folder.path());
        let mut journal = Journal::open(&config, Timestamp(start)).unwrap();
        journal.commit(&batch(start)).unwrap();
        journal.commit(&batch(start + DAY)).unwrap();
        let sequence = journal.commit(&batch(start + DAY + 2 * HOUR)).map(|_| journal.sequence());
        let cursors = vec![CursorRow { sink: SINK.into(), sequence: sequence.unwrap() }];
        journal.commit(&Batch { cursors, ..batch(start + DAY + 3 * HOUR) }).unwrap();
        // A late value of a day before.
        journal.commit(&Batch { at: Timestamp(start + DAY), ..batch(start + HOUR) }).unwrap();

        let reader = Reader::open(folder.path()).unwrap();
        let cursor = reader.cursor(SINK).unwrap().unwrap();
        assert_eq!(first_whole_hour(&reader, cursor).unwrap(), None);
        let tally = count(&reader, cursor, None).unwrap();
        let sum = |tally: &Tally| {
            let of = tally.counts.values();
            of.fold((0, 0), |sum, one| (sum.0 + one.delivered, sum.1 + one.waiting))
        };
        assert_eq!((sum(&tally), tally.older), ((6, 4), 0));

        while journal.tidy(Timestamp(start + 2 * DAY + HOUR)).unwrap().more() {}
        let whole = first_whole_hour(&reader, cursor).unwrap();
        assert_eq!(whole, Some((start + DAY) / HOUR + 1));
        let tally = count(&reader, cursor, whole).unwrap();
        assert_eq!((sum(&tally), tally.older), ((2, 2), 2));
    }
}
