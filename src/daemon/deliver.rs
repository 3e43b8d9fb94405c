//! Delivery to the database: from the journal, from the sink's own cursor, in order, one lane.
//! There is no queue; what the database can't take now waits where it is safe.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use jiff::tz::TimeZone;
use tokio::time::{Instant, sleep, sleep_until};

use crate::daemon::outlet::Outlet;
use crate::domain::alert::WeirCondition;
use crate::influx::deliver::{Delivered, Lane, Member, Progress, RefusedField};
use crate::influx::write::{Fault, Writer};
use crate::influx::{self, query};
use crate::journal::Error;
use crate::journal::batch::{Batch, CursorRow, RefusedRow};
use crate::journal::damage::{DamagedPoints, DamagedRow};
use crate::journal::read::{Lines, Reader};

/// The name of the sink in the journal.
pub const SINK: &str = "influx";
/// How long points gather before a request: few large requests cost less than many small ones.
const GATHER: Duration = Duration::from_millis(200);
/// How many bytes of members one request takes, about.
const REQUEST_BYTES: usize = 1 << 20;
/// The first and the longest wait after a failure, where the server asks for none.
const AGAIN: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// For how long it goes on when weir stops; what is not delivered then stays in the journal.
const LAST: Duration = Duration::from_secs(5);
/// How often it is said at most that something was refused; each is counted.
const REFUSALS_TOLD_EVERY: Duration = Duration::from_mins(1);
/// For how long no points must be found damaged until the alert about it ends.
const SOUND_AFTER: Duration = Duration::from_hours(1);
/// How often the log is told at most what is wrong with the database while nothing goes; the page
/// has the newest words.
const TROUBLE_TOLD_EVERY: Duration = Duration::from_mins(1);
/// After how long the database counts as away.
const AWAY_AFTER: Duration = Duration::from_mins(1);

/// What the task works with.
#[derive(Debug)]
pub struct Deliverer {
    /// The database.
    pub config: influx::Config,
    /// Its ways.
    pub outlet: Outlet,
}

/// The way to the database, and how it goes with it.
struct Sink {
    writer: Writer,
    lane: Lane,
    has_bucket: bool,
    trouble: Trouble,
    refusals_told: Option<Instant>,
    damage: Damage,
}

/// When points were found damaged last.
#[derive(Default)]
struct Damage {
    found: Option<Instant>,
    /// What was said last; nothing since the start, so that an alert from before it can end.
    said: Option<bool>,
}

/// Since when the database takes nothing.
#[derive(Default)]
struct Trouble {
    since: Option<Instant>,
    /// What was said last; nothing since the start, so that an alert from before it can end.
    said: Option<bool>,
    words: String,
    /// When the log was told last.
    told: Option<Instant>,
    failures: u32,
}

impl Deliverer {
    /// Delivers until weir stops; then once more what is there, as far as it can be done soon.
    ///
    /// # Errors
    /// The configuration of the database is wrong, or the journal can't be read.
    pub async fn run(self) -> anyhow::Result<()> {
        let mut stop = self.outlet.stop.clone();
        let late = async move {
            // If nobody can say so any more, weir stops too.
            stop.wait_for(|stop| *stop).await.ok();
            sleep(LAST).await;
        };
        tokio::select! {
            ended = self.work() => ended,
            () = late => {
                tracing::info!("What InfluxDB did not take in time waits in the journal.");
                Ok(())
            }
        }
    }

    async fn work(mut self) -> anyhow::Result<()> {
        let writer = Writer::new(&self.config)?;
        let has_bucket = self.ensure_bucket().await.unwrap_or_else(|error| {
            tracing::warn!(
                "Whether the bucket is there is not known: {error}. Points are sent all the same."
            );
            false
        });
        let (lane, trouble) = (Lane::default(), Trouble::default());
        let (refusals_told, damage) = (None, Damage::default());
        let mut sink = Sink { writer, lane, has_bucket, trouble, refusals_told, damage };
        let reader = Reader::open(&self.outlet.data_folder)?;
        let mut cursor = reader.cursor(SINK)?.map_or(0, |cursor| cursor.sequence);
        loop {
            let stopping = *self.outlet.stop.borrow();
            while let Some(lines) = reader.lines_after(cursor, REQUEST_BYTES)? {
                let sequence = lines.sequence;
                if !self.deliver(&mut sink, lines).await {
                    break;
                }
                cursor = sequence;
            }
            if stopping {
                return Ok(());
            }
            tokio::select! {
                changed = self.outlet.news.changed() => if changed.is_err() { return Ok(()) },
                _ = self.outlet.stop.wait_for(|stop| *stop) => continue,
            }
            tokio::select! {
                () = sleep(GATHER) => {}
                _ = self.outlet.stop.wait_for(|stop| *stop) => {}
            }
        }
    }

    async fn ensure_bucket(&self) -> Result<bool, influx::Error> {
        if query::ensure_bucket(&self.config).await? == query::Ensured::Made {
            tracing::info!(bucket = self.config.bucket, "The bucket was made.");
        }
        Ok(true)
    }

    /// Delivers some batches whole; gives up only when weir stops.
    async fn deliver(&mut self, sink: &mut Sink, lines: Lines) -> bool {
        let members: Vec<Member> = lines
            .members
            .into_iter()
            .map(|(gzip, points)| Member { gzip: Bytes::from(gzip), points })
            .collect();
        let points: u64 = members.iter().map(|member| member.points).sum();
        // Without points nobody is asked, and nothing is known.
        let asked = !members.is_empty();
        let refused = loop {
            if !asked {
                break Vec::new();
            }
            let Delivered { refused, progress } =
                sink.lane.deliver(&sink.writer, &members, self.outlet.clock.now()).await;
            match progress {
                Progress::Done => break refused,
                Progress::More => {}
                Progress::Later { after, fault } => {
                    self.note_trouble(&mut sink.trouble, &fault.to_string());
                    if !self.wait(&mut sink.trouble, after).await {
                        return false;
                    }
                    self.mend(sink, &fault).await;
                }
            }
        };
        if asked {
            self.note_success(&mut sink.trouble);
        }
        let at = self.outlet.clock.now().wall;
        let mut notes = Batch { at, ..Batch::default() };
        notes.cursors.push(CursorRow { sink: SINK.into(), sequence: lines.sequence });
        self.note_damage(&mut sink.damage, &lines.damaged);
        notes
            .damaged
            .extend(lines.damaged.iter().map(|one| DamagedRow { sequence: one.sequence, at }));
        let taken = points.saturating_sub(refused.len() as u64);
        self.outlet.status.points_delivered.fetch_add(taken, Ordering::Relaxed);
        tell_refusals(&mut sink.refusals_told, &refused);
        for field in refused {
            notes.refused.push(RefusedRow {
                sink: SINK.into(),
                at,
                line: field.line,
                field: field.field,
                words: field.words.to_string(),
            });
        }
        self.outlet.note(notes).await
    }

    /// Says which points are lost to the database. The alert ends once nothing was found damaged
    /// for a while.
    fn note_damage(&self, damage: &mut Damage, found: &[DamagedPoints]) {
        for one in found {
            let (batch, points) = (one.sequence, one.points);
            let [from, to] = [one.from, one.to].map(|time| time.rfc3339(&TimeZone::UTC));
            tracing::error!(
                batch,
                points,
                from,
                to,
                "Points of a batch are damaged in the journal: set aside there, not sent. Check \
                 the disk."
            );
            damage.found = Some(Instant::now());
        }
        let holds = damage.found.is_some_and(|found| found.elapsed() < SOUND_AFTER);
        if damage.said != Some(holds) {
            damage.said = Some(holds);
            self.outlet.say(WeirCondition::PointsDamaged, holds);
        }
    }

    fn note_trouble(&self, trouble: &mut Trouble, words: &str) {
        trouble.failures += 1;
        trouble.since.get_or_insert_with(Instant::now);
        if trouble.words != words {
            words.clone_into(&mut trouble.words);
            self.outlet.status.sink_fault.store(Some(Arc::new(words.to_owned())));
            // Some say another number each time.
            if trouble.told.is_none_or(|told| told.elapsed() >= TROUBLE_TOLD_EVERY) {
                trouble.told = Some(Instant::now());
                tracing::warn!("InfluxDB takes no points: {words}. They wait in the journal.");
            }
        }
    }

    /// Waits before it is tried again; `false` if weir stops.
    async fn wait(&mut self, trouble: &mut Trouble, after: Option<Duration>) -> bool {
        let now = Instant::now();
        let until = now + pause(after, trouble.failures);
        // A server may ask for an hour; that it is away is said in time all the same.
        let away = trouble.since.unwrap_or(now) + AWAY_AFTER;
        for step in [away.min(until), until] {
            tokio::select! {
                () = sleep_until(step) => {}
                _ = self.outlet.stop.wait_for(|stop| *stop) => return false,
            }
            if trouble.said != Some(true) && away <= Instant::now() {
                trouble.said = Some(true);
                self.outlet.say(WeirCondition::SinkAway, true);
            }
        }
        true
    }

    /// Does what weir itself can about a fault: an operator may have changed the token, and the
    /// bucket can't have been made while there was no database.
    async fn mend(&self, sink: &mut Sink, fault: &Fault) {
        let Fault::Status { status, .. } = fault else { return };
        match *status {
            401 | 403 => {
                if let Ok(writer) = Writer::new(&self.config) {
                    sink.writer = writer;
                }
            }
            404 if !sink.has_bucket => {
                sink.has_bucket = self.ensure_bucket().await.unwrap_or(false);
            }
            _ => {}
        }
    }

    fn note_success(&self, trouble: &mut Trouble) {
        if trouble.since.is_some() {
            tracing::info!("InfluxDB takes points again.");
            self.outlet.status.sink_fault.store(None);
        }
        if trouble.said != Some(false) {
            self.outlet.say(WeirCondition::SinkAway, false);
        }
        *trouble = Trouble { said: Some(false), ..Trouble::default() };
    }
}

/// Gives how long to wait after so many failures: as long as the server asks for, or longer each
/// time.
fn pause(after: Option<Duration>, failures: u32) -> Duration {
    let doubled = AGAIN.0.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(AGAIN.1);
    after.map_or(doubled, |after| after.max(AGAIN.0))
}

fn tell_refusals(told: &mut Option<Instant>, refused: &[RefusedField]) {
    let Some(RefusedField { line, words, .. }) = refused.first() else { return };
    if told.is_none_or(|told| told.elapsed() >= REFUSALS_TOLD_EVERY) {
        *told = Some(Instant::now());
        let count = refused.len();
        tracing::warn!(
            count,
            line,
            %words,
            "InfluxDB refuses fields; they are counted and kept, all else is delivered. Of a \
             conflict: look at its type in the bucket."
        );
    }
}

/// Registers the sink before there are points, so that none is let go before it has them.
///
/// # Errors
/// The journal can't be read or written.
pub fn register(journal: &mut crate::journal::write::Journal) -> Result<(), Error> {
    if Reader::open(journal.folder())?.cursor(SINK)?.is_some() {
        return Ok(());
    }
    let cursors = vec![CursorRow { sink: SINK.into(), sequence: 0 }];
    journal.commit(&Batch { cursors, ..Batch::default() }).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_given_the_time_it_asks_for_and_never_asked_without_a_pause() {
        assert_eq!(pause(Some(Duration::from_secs(600)), 1), Duration::from_secs(600));
        assert_eq!(pause(Some(Duration::ZERO), 1), AGAIN.0);
        assert_eq!(pause(None, 1), AGAIN.0);
        assert_eq!(pause(None, 2), AGAIN.0 * 2);
        assert_eq!(pause(None, u32::MAX), AGAIN.1);
    }
}
