//! The committer: the one thread that writes the journal. One transaction a batch, in order; what
//! is committed may be acknowledged, and nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::daemon::clock::Clock;
use crate::daemon::core::{Load, Snapshot, Work};
use crate::daemon::status::Status;
use crate::domain::alert::WeirCondition;
use crate::domain::input::Condition;
use crate::journal::Error;
use crate::journal::batch::{Batch, NotificationRow};
use crate::journal::write::{Journal, SnapshotId};
use crate::pipeline::snapshot::slice;

/// How long it waits before it tries a failed commit again.
const AGAIN: Duration = Duration::from_secs(1);
/// How many stations of a snapshot are written between two batches.
const STATIONS: usize = 50;
/// How often the journal is tidied.
const TIDY_EVERY: Duration = Duration::from_mins(1);

/// What the committer needs besides the journal.
#[derive(Debug)]
pub struct Committer {
    /// The journal.
    pub journal: Journal,
    /// What is to be done.
    pub work: mpsc::Receiver<Work>,
    /// Where emptied batches go.
    pub spare: mpsc::UnboundedSender<Box<Load>>,
    /// How many batches are committed.
    pub committed: Arc<AtomicU64>,
    /// Raised after every commit: there may be something to deliver or to tell.
    pub news: watch::Sender<u64>,
    /// Conditions for the pipeline.
    pub conditions: mpsc::UnboundedSender<Condition>,
    /// The notification that says that there is no room, made beforehand.
    pub full_notice: Option<NotificationRow>,
    /// The clock.
    pub clock: Clock,
    /// Where it tells how it goes.
    pub status: Arc<Status>,
}

/// A snapshot on its way.
struct Writing {
    id: SnapshotId,
    snapshot: Box<Snapshot>,
    next: usize,
}

impl Committer {
    /// Works until everybody who gives work is gone.
    pub fn run(mut self) {
        let mut writing = None;
        let mut tidied = Instant::now();
        loop {
            let work = match &mut writing {
                None => self.work.blocking_recv(),
                Some(_) => match self.work.try_recv() {
                    Ok(work) => Some(work),
                    Err(mpsc::error::TryRecvError::Empty) => {
                        writing = self.write_on(writing);
                        continue;
                    }
                    Err(mpsc::error::TryRecvError::Disconnected) => None,
                },
            };
            match work {
                None => break,
                Some(Work::Load(load)) => {
                    self.commit_load(load);
                    writing = self.write_on(writing);
                }
                Some(Work::Notes(notes, done)) => {
                    self.commit(&notes);
                    // Who asked may be gone.
                    done.send(()).ok();
                }
                Some(Work::Snapshot(snapshot)) => writing = self.begin(snapshot),
            }
            if tidied.elapsed() >= TIDY_EVERY && !self.tidy() {
                tidied = Instant::now();
            }
        }
        while writing.is_some() {
            writing = self.write_on(writing);
        }
        self.tidy();
    }

    fn commit_load(&mut self, mut load: Box<Load>) {
        self.commit(&load.batch);
        for (acknowledger, tokens) in &mut load.acks {
            acknowledger.acknowledge(tokens);
        }
        self.committed.fetch_add(1, Ordering::Release);
        load.clear();
        // At the end nobody wants it back.
        self.spare.send(load).ok();
    }

    /// Commits, however long it takes: the batch is kept as it is and never processed again.
    fn commit(&mut self, batch: &Batch) {
        let start = Instant::now();
        let mut failed = false;
        loop {
            match self.journal.commit(batch) {
                Ok(_) => break,
                Err(error) => {
                    if !failed {
                        self.say_full(&error);
                        failed = true;
                    }
                    self.tidy();
                    std::thread::sleep(AGAIN);
                }
            }
        }
        if failed {
            self.status.full.store(None);
            tracing::info!("The journal takes batches again.");
            let condition = Condition::Weir { condition: WeirCondition::JournalFull, holds: false };
            self.conditions.send(condition).ok();
        }
        let micros = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.status.commits.fetch_add(1, Ordering::Relaxed);
        self.status.commit_micros.fetch_add(micros, Ordering::Relaxed);
        self.news.send_modify(|count| *count += 1);
    }

    /// Says that nothing can be acknowledged: in the log, in the status, and to the channels from
    /// the room that was set aside for it.
    fn say_full(&mut self, error: &Error) {
        tracing::error!(%error, "The journal takes no batch; nothing is acknowledged meanwhile.");
        self.status.full.store(Some(Arc::new(error.to_string())));
        let condition = Condition::Weir { condition: WeirCondition::JournalFull, holds: true };
        self.conditions.send(condition).ok();
        let Some(notice) = &self.full_notice else { return };
        let at = self.clock.now().wall;
        let id = format!("{}-{}", notice.id, at.millis());
        let notice = NotificationRow { id, ..notice.clone() };
        let batch = Batch { at, notifications: vec![notice], ..Batch::default() };
        match self.journal.commit_from_reserve(&batch) {
            Ok(_) => self.news.send_modify(|count| *count += 1),
            Err(error) => tracing::error!(%error, "Not even the reserve takes the notice of it."),
        }
    }

    /// Does a slice of tidying; says whether there is more to do at once.
    fn tidy(&mut self) -> bool {
        match self.journal.tidy(self.clock.now().wall) {
            Ok(tidied) => tidied.more(),
            Err(error) => {
                tracing::warn!(%error, "The journal can't be tidied.");
                false
            }
        }
    }

    fn begin(&mut self, snapshot: Box<Snapshot>) -> Option<Writing> {
        match self.journal.begin_snapshot(snapshot.taken_at) {
            Ok(id) => Some(Writing { id, snapshot, next: 0 }),
            Err(error) => {
                tracing::warn!(%error, "A snapshot can't be begun; the next one will be tried.");
                None
            }
        }
    }

    fn write_on(&mut self, writing: Option<Writing>) -> Option<Writing> {
        let mut writing = writing?;
        match self.write_slices(&mut writing) {
            Ok(true) => None,
            Ok(false) => Some(writing),
            Err(error) => {
                tracing::warn!(%error, "A snapshot can't be written; the next one will be tried.");
                None
            }
        }
    }

    fn write_slices(&mut self, writing: &mut Writing) -> Result<bool, Error> {
        let stations = writing.snapshot.stations.iter().enumerate().skip(writing.next);
        let slices: Vec<(u32, Vec<u8>)> = stations
            .take(STATIONS)
            .filter_map(|(id, state)| Some((u32::try_from(id).ok()?, slice(state.as_ref()?))))
            .collect();
        self.journal.put_slices(writing.id, &slices)?;
        writing.next += STATIONS;
        if writing.next < writing.snapshot.stations.len() {
            return Ok(false);
        }
        self.journal.finish_snapshot(writing.id, &writing.snapshot.closing)?;
        Ok(true)
    }
}
