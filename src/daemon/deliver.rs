//! Delivery to the database: from the journal, from the sink's own cursor, in order, one lane.
//! There is no queue; what the database can't take now waits where it is safe.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep};

use crate::daemon::outlet::Outlet;
use crate::domain::alert::WeirCondition;
use crate::influx::deliver::{Delivered, Lane, Member, Progress};
use crate::influx::write::Writer;
use crate::influx::{self, query};
use crate::journal::Error;
use crate::journal::batch::{Batch, CursorRow, RefusedRow};
use crate::journal::read::{Lines, Reader};

/// The name of the sink in the journal.
pub const SINK: &str = "influx";
/// How long points gather before a request: few large requests cost less than many small ones.
const GATHER: Duration = Duration::from_millis(200);
/// How many bytes of members one request takes, about.
const REQUEST_BYTES: usize = 1 << 20;
/// The first and the longest wait after a failure.
const AGAIN: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
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

/// Since when the database takes nothing.
#[derive(Default)]
struct Trouble {
    since: Option<Instant>,
    /// What was said last; nothing since the start, so that an alert from before it can end.
    said: Option<bool>,
    words: String,
    failures: u32,
}

impl Deliverer {
    /// Delivers until weir stops; then once more what is there.
    ///
    /// # Errors
    /// The configuration of the database is wrong, or the journal can't be read.
    pub async fn run(mut self) -> anyhow::Result<()> {
        let writer = Writer::new(&self.config)?;
        match query::ensure_bucket(&self.config).await {
            Ok(query::Ensured::Made) => {
                tracing::info!(bucket = self.config.bucket, "The bucket was made.");
            }
            Ok(query::Ensured::Held) => {}
            Err(error) => tracing::warn!("{error}; points wait in the journal."),
        }
        let reader = Reader::open(&self.outlet.data_folder)?;
        let mut cursor = reader.cursor(SINK)?.map_or(0, |cursor| cursor.sequence);
        let (mut lane, mut trouble) = (Lane::default(), Trouble::default());
        loop {
            let stopping = *self.outlet.stop.borrow();
            while let Some(lines) = reader.lines_after(cursor, REQUEST_BYTES)? {
                let sequence = lines.sequence;
                if !self.deliver(&writer, &mut lane, lines, &mut trouble).await {
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

    /// Delivers some batches whole; gives up only when weir stops.
    async fn deliver(
        &mut self,
        writer: &Writer,
        lane: &mut Lane,
        lines: Lines,
        trouble: &mut Trouble,
    ) -> bool {
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
                lane.deliver(writer, &members, self.outlet.clock.now()).await;
            match progress {
                Progress::Done => break refused,
                Progress::More => {}
                Progress::Later { after, fault } => {
                    self.note_trouble(trouble, &fault.to_string());
                    let doubled = AGAIN.0.saturating_mul(1 << trouble.failures.min(10));
                    let wait = after.unwrap_or(doubled).min(AGAIN.1);
                    tokio::select! {
                        () = sleep(wait) => {}
                        _ = self.outlet.stop.wait_for(|stop| *stop) => return false,
                    }
                }
            }
        };
        if asked {
            self.note_success(trouble);
        }
        let at = self.outlet.clock.now().wall;
        let mut notes = Batch { at, ..Batch::default() };
        notes.cursors.push(CursorRow { sink: SINK.into(), sequence: lines.sequence });
        for (batch, points) in lines.damaged {
            tracing::error!(batch, points, "Points of a batch are damaged in the journal.");
            notes.refused.push(RefusedRow {
                sink: SINK.into(),
                at,
                line: format!("batch {batch}, {points} points"),
                field: None,
                words: "damaged in the journal".to_owned(),
            });
        }
        let taken = points.saturating_sub(refused.len() as u64);
        self.outlet.status.points_delivered.fetch_add(taken, Ordering::Relaxed);
        for field in refused {
            tracing::warn!(line = field.line, words = %field.words, "InfluxDB refuses a field.");
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

    fn note_trouble(&self, trouble: &mut Trouble, words: &str) {
        trouble.failures += 1;
        let since = *trouble.since.get_or_insert_with(Instant::now);
        if trouble.words != words {
            tracing::warn!("InfluxDB takes no points: {words}. They wait in the journal.");
            words.clone_into(&mut trouble.words);
            self.outlet.status.sink_fault.store(Some(Arc::new(words.to_owned())));
        }
        if trouble.said != Some(true) && since.elapsed() >= AWAY_AFTER {
            trouble.said = Some(true);
            self.outlet.say(WeirCondition::SinkAway, true);
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
