//! The committer: the one thread that writes the journal. One transaction a batch, in order; what
//! is committed may be acknowledged, and nothing else.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until};

use crate::daemon::clock::Clock;
use crate::daemon::conditions::Conditions;
use crate::daemon::core::{Load, Settled, Snapshot, Work};
use crate::daemon::outlet::Notes;
use crate::daemon::status::Status;
use crate::domain::alert::{AlertChange, WeirCondition};
use crate::journal::Error;
use crate::journal::aside::set_aside_files;
use crate::journal::batch::{AlertRow, Batch, NotificationRow};
use crate::journal::write::{Journal, SnapshotId};
use crate::pipeline::snapshot::slice;

/// How long it waits before it tries a failed commit again.
const AGAIN: Duration = Duration::from_secs(1);
/// How many stations of a snapshot are written between two batches.
const STATIONS: usize = 50;
/// How often the journal is tidied.
const TIDY_EVERY: Duration = Duration::from_mins(1);

/// For how long notes wait for a batch to ride on: a transaction of their own wears the disk.
const RIDE: Duration = Duration::from_millis(100);
/// A snapshot is asked for whenever the inputs after the last one are this part of the byte
/// limit: what no snapshot holds can't be let go.
const SNAPSHOT_PART: u64 = 8;

/// What the committer needs besides the journal.
#[derive(Debug)]
pub struct Committer {
    /// The journal.
    pub journal: Journal,
    /// What is to be done.
    pub work: mpsc::Receiver<Work>,
    /// What sinks and channels report. It has a way of its own, because a batch that finds no
    /// room waits for exactly that.
    pub notes: mpsc::Receiver<Notes>,
    /// Where emptied batches go.
    pub spare: mpsc::Sender<Box<Load>>,
    /// How far it came.
    pub settled: Arc<Settled>,
    /// Raised after every commit: there may be something to deliver or to tell.
    pub news: watch::Sender<u64>,
    /// Conditions for the pipeline.
    pub conditions: Arc<Conditions>,
    /// The notification that says that there is no room, made beforehand.
    pub full_notice: Option<NotificationRow>,
    /// The clock.
    pub clock: Clock,
    /// Where it tells how it goes.
    pub status: Arc<Status>,
}

/// From this share of the byte limit on the journal is nearly full: tidying lets go what it may
/// from nine tenths on.
const FILLING: f64 = 0.95;
/// Below this share it is so no more.
const FILLED_LESS: f64 = 0.92;

/// A snapshot on its way.
struct Writing {
    id: SnapshotId,
    snapshot: Box<Snapshot>,
    next: usize,
}

/// Notes that wait for a batch to ride on.
#[derive(Default)]
struct Riding {
    batch: Batch,
    done: Vec<oneshot::Sender<()>>,
    /// When they go without one.
    due: Option<Instant>,
    /// Whether it was said that they can't be committed.
    said: bool,
}

impl Riding {
    fn take(&mut self, notes: Notes) {
        // Who waits for it is not kept waiting.
        let wait = if notes.done.is_some() { Duration::ZERO } else { RIDE };
        let due = Instant::now() + wait;
        self.due = Some(self.due.map_or(due, |before| before.min(due)));
        self.batch.take_notes(*notes.batch);
        self.done.extend(notes.done);
    }

    fn arrive(&mut self) {
        for done in self.done.drain(..) {
            // Who asked may be gone.
            done.send(()).ok();
        }
        self.batch.clear();
        (self.due, self.said) = (None, false);
    }
}

/// What comes next.
enum Next {
    Work(Work),
    Notes(Notes),
    /// Nothing came until something of the committer's own was due.
    Due,
    End,
}

/// The committer at work.
struct Desk {
    of: Committer,
    /// Waits for what comes; the thread's own work blocks on the disk.
    runtime: Runtime,
    riding: Riding,
    writing: Option<Writing>,
    /// Bytes of inputs since the last snapshot was begun.
    unheld: u64,
    /// Whether it was said that the journal takes no batch; nothing since the start, so that an
    /// alert from before it can end.
    said_full: Option<bool>,
    /// Whether it was said that a damaged journal lies in the folder.
    said_aside: Option<bool>,
    /// Whether it was said that the journal is nearly full.
    said_filling: Option<bool>,
}

impl Committer {
    /// Works until everybody who gives work is gone.
    ///
    /// # Errors
    /// The thread's runtime can't be made.
    pub fn run(self) -> io::Result<()> {
        let runtime = Builder::new_current_thread().enable_time().build()?;
        let riding = Riding::default();
        Desk {
            of: self,
            runtime,
            riding,
            writing: None,
            unheld: 0,
            said_full: None,
            said_aside: None,
            said_filling: None,
        }
        .work();
        Ok(())
    }
}

impl Desk {
    fn work(mut self) {
        let mut tidied = Instant::now();
        self.look_aside();
        self.look_at_size();
        loop {
            match self.next() {
                Next::End => break,
                Next::Notes(notes) => self.riding.take(notes),
                Next::Due => {
                    let due = self.riding.due.is_some_and(|due| due <= Instant::now());
                    if due && !self.commit_notes() && self.is_last() {
                        break;
                    }
                    self.write_on();
                }
                // After a batch that was given up nothing may follow that builds on it.
                Next::Work(_) if self.has_given_up() => {}
                Next::Work(Work::Load(load)) => {
                    self.commit_load(load);
                    self.write_on();
                }
                Next::Work(Work::Snapshot(snapshot)) => self.begin(snapshot),
            }
            if tidied.elapsed() >= TIDY_EVERY && !self.tidy() {
                tidied = Instant::now();
                self.look_aside();
                self.look_at_size();
            }
        }
        self.finish_writing();
        self.tidy();
    }

    fn next(&mut self) -> Next {
        let due = if self.writing.is_some() { Some(Instant::now()) } else { self.riding.due };
        let (notes, work) = (&mut self.of.notes, &mut self.of.work);
        let pulse = &self.of.status.pulse;
        pulse.commit_waits();
        let next = self.runtime.block_on(async {
            tokio::select! {
                biased;
                Some(notes) = notes.recv() => Next::Notes(notes),
                Some(work) = work.recv() => Next::Work(work),
                () = until(due), if due.is_some() => Next::Due,
                else => Next::End,
            }
        });
        pulse.commit_begins();
        next
    }

    /// Says whether nobody is left who could give work.
    fn is_last(&self) -> bool {
        self.of.work.is_closed() && self.of.notes.is_closed()
    }

    fn has_given_up(&self) -> bool {
        self.of.settled.given_up.load(Ordering::Acquire)
    }

    fn commit_load(&mut self, mut load: Box<Load>) {
        if self.commit(&mut load.batch) {
            for (acknowledger, tokens) in &mut load.acks {
                acknowledger.acknowledge(tokens);
            }
            for (outbox, reply) in load.replies.drain(..) {
                outbox.put(reply);
            }
            load.batch.alerts.iter().for_each(log);
            self.of.settled.committed.fetch_add(1, Ordering::Release);
        } else {
            tracing::error!("A batch is given up; the broker will deliver what is in it again.");
            self.of.settled.given_up.store(true, Ordering::Release);
        }
        load.clear();
        // At the end nobody wants it back, and of so many none more is needed.
        self.of.spare.try_send(load).ok();
    }

    /// Commits, however long it takes: the batch is kept as it is and never processed again. Only
    /// when weir stops it is given up; nothing in it was acknowledged.
    fn commit(&mut self, batch: &mut Batch) -> bool {
        let start = Instant::now();
        batch.take_notes(std::mem::take(&mut self.riding.batch));
        if self.of.journal.commit(batch).is_ok() {
            self.riding.arrive();
        } else {
            // The notes don't wait for the room that they make.
            self.riding.batch = batch.split_notes();
            if !self.commit_when_there_is_room(batch) {
                return false;
            }
        }
        self.say_free();
        self.unheld += batch.inputs.bytes().len() as u64;
        if self.unheld > self.of.journal.bytes_max() / SNAPSHOT_PART {
            self.of.settled.snapshot_wanted.store(true, Ordering::Release);
        }
        let micros = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.of.status.commits.fetch_add(1, Ordering::Relaxed);
        self.of.status.commit_micros.fetch_add(micros, Ordering::Relaxed);
        self.of.news.send_modify(|count| *count += 1);
        true
    }

    fn commit_when_there_is_room(&mut self, batch: &Batch) -> bool {
        loop {
            self.of.status.pulse.commit_begins();
            while let Ok(notes) = self.of.notes.try_recv() {
                self.riding.take(notes);
            }
            self.commit_notes();
            self.finish_writing();
            while self.tidy() {}
            if self.said_full != Some(true) || self.of.journal.refill_reserve() {
                match self.of.journal.commit(batch) {
                    Ok(_) => return true,
                    Err(error) if self.is_damage(&error) => {}
                    Err(error) if self.said_full != Some(true) => self.say_full(&error),
                    Err(_) => {}
                }
            }
            if self.of.status.stopping.load(Ordering::Acquire) {
                return false;
            }
            self.wait_for_notes();
        }
    }

    /// Says whether a fault is damage to the journal, which ends this weir; the next one sets it
    /// aside.
    fn is_damage(&self, error: &Error) -> bool {
        if error.is_damage() {
            self.of.settled.damaged.get_or_init(|| error.to_string());
        }
        error.is_damage()
    }

    /// Says whether damaged journals lie in the folder; the alert ends once they were moved away.
    fn look_aside(&mut self) {
        let files = set_aside_files(self.of.journal.folder());
        let holds = !files.is_empty();
        self.of.status.set_aside.store(Arc::new(files));
        if self.said_aside.replace(holds) != Some(holds) {
            self.of.conditions.say(WeirCondition::JournalDamaged, holds);
        }
    }

    /// Says whether the journal is nearly full.
    fn look_at_size(&mut self) {
        let Ok(bytes) = self.of.journal.bytes() else { return };
        let share = bytes as f64 / self.of.journal.bytes_max() as f64;
        if let Some(holds) = filling(share, self.said_filling) {
            self.said_filling = Some(holds);
            self.of.conditions.say(WeirCondition::JournalFilling, holds);
        }
    }

    fn say_free(&mut self) {
        match self.said_full.replace(false) {
            Some(false) => return,
            Some(true) => {
                self.of.status.full.store(None);
                tracing::info!("The journal takes batches again.");
            }
            None => {}
        }
        self.of.conditions.say(WeirCondition::JournalFull, false);
    }

    fn wait_for_notes(&mut self) {
        let notes = &mut self.of.notes;
        let came = self.runtime.block_on(async {
            tokio::select! {
                Some(notes) = notes.recv() => Some(notes),
                () = sleep(AGAIN) => None,
            }
        });
        if let Some(notes) = came {
            self.riding.take(notes);
        }
    }

    /// Commits what waits for a batch to ride on without one; says whether nothing waits now.
    fn commit_notes(&mut self) -> bool {
        if self.riding.due.is_none() {
            return true;
        }
        match self.of.journal.commit(&self.riding.batch) {
            Ok(_) => {
                self.riding.arrive();
                self.of.status.commits.fetch_add(1, Ordering::Relaxed);
                self.of.news.send_modify(|count| *count += 1);
                true
            }
            Err(error) => {
                self.is_damage(&error);
                if !self.riding.said {
                    tracing::warn!(%error, "What sinks and channels report can't be noted yet.");
                }
                self.riding.said = true;
                self.riding.due = Some(Instant::now() + AGAIN);
                false
            }
        }
    }

    /// Says that nothing can be acknowledged: in the log, in the status, and to the channels from
    /// the room that was set aside for it.
    fn say_full(&mut self, error: &Error) {
        self.said_full = Some(true);
        tracing::error!(%error, "The journal takes no batch; nothing is acknowledged meanwhile.");
        self.of.status.full.store(Some(Arc::new(error.to_string())));
        self.of.conditions.say(WeirCondition::JournalFull, true);
        let Some(notice) = &self.of.full_notice else { return };
        let at = self.of.clock.now().wall;
        let id = format!("{}-{}", notice.id, at.millis());
        let notice = NotificationRow { id, ..notice.clone() };
        let batch = Batch { at, notifications: vec![notice], ..Batch::default() };
        match self.of.journal.commit_from_reserve(&batch) {
            Ok(_) => self.of.news.send_modify(|count| *count += 1),
            Err(error) => tracing::error!(%error, "Not even the reserve takes the notice of it."),
        }
    }

    /// Does a slice of tidying; says whether there is more to do at once.
    fn tidy(&mut self) -> bool {
        self.of.status.pulse.commit_begins();
        match self.of.journal.tidy(self.of.clock.now().wall) {
            Ok(tidied) => tidied.more(),
            Err(error) => {
                self.is_damage(&error);
                tracing::warn!(%error, "The journal can't be tidied.");
                false
            }
        }
    }

    fn begin(&mut self, snapshot: Box<Snapshot>) {
        self.finish_writing();
        self.unheld = 0;
        match self.of.journal.begin_snapshot(snapshot.taken_at) {
            Ok(id) => self.writing = Some(Writing { id, snapshot, next: 0 }),
            Err(error) => {
                self.is_damage(&error);
                tracing::warn!(%error, "A snapshot can't be begun; the next one will be tried.");
            }
        }
    }

    fn write_on(&mut self) {
        self.of.status.pulse.commit_begins();
        let Some(mut writing) = self.writing.take() else { return };
        match self.write_slices(&mut writing) {
            Ok(true) => {}
            Ok(false) => self.writing = Some(writing),
            Err(error) => {
                self.is_damage(&error);
                tracing::warn!(%error, "A snapshot can't be written; the next one will be tried.");
            }
        }
    }

    fn finish_writing(&mut self) {
        while self.writing.is_some() {
            self.write_on();
        }
    }

    fn write_slices(&mut self, writing: &mut Writing) -> Result<bool, Error> {
        let stations = writing.snapshot.stations.iter().enumerate().skip(writing.next);
        let slices: Vec<(u32, Vec<u8>)> = stations
            .take(STATIONS)
            .filter_map(|(id, state)| Some((u32::try_from(id).ok()?, slice(state.as_ref()?))))
            .collect();
        self.of.journal.put_slices(writing.id, &slices)?;
        writing.next += STATIONS;
        if writing.next < writing.snapshot.stations.len() {
            return Ok(false);
        }
        self.of.journal.finish_snapshot(writing.id, &writing.snapshot.closing)?;
        Ok(true)
    }
}

/// Says whether a journal is nearly full that uses this share of its limit, if that is news.
fn filling(share: f64, said: Option<bool>) -> Option<bool> {
    let bound = if said == Some(true) { FILLED_LESS } else { FILLING };
    let holds = share >= bound;
    (said != Some(holds)).then_some(holds)
}

async fn until(due: Option<Instant>) {
    if let Some(due) = due {
        sleep_until(due).await;
    }
}

/// Writes a change of an alert into the log, which is a channel that is always there.
fn log(row: &AlertRow) {
    let (alert, words) = (row.alert.0, &row.words);
    match row.change {
        AlertChange::Fired => tracing::warn!(alert, "Alert: {words}"),
        AlertChange::Changed => tracing::warn!(alert, "Alert changed: {words}"),
        AlertChange::Resolved => tracing::info!(alert, "Alert resolved: {words}"),
        AlertChange::Past => tracing::warn!(alert, "Alert, past: {words}"),
        AlertChange::Withdrawn => tracing::info!(alert, "Alert withdrawn: {words}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_that_is_nearly_full_is_told_once_and_when_there_is_room_again() {
        let mut said = None;
        let shares = [0.5, 0.94, 0.96, 0.94, 0.92, 0.91, 0.94, 1.1];
        let told = shares.map(|share| {
            let news = filling(share, said);
            said = news.or(said);
            news
        });
        let (on, off) = (Some(true), Some(false));
        assert_eq!(told, [off, None, on, None, None, off, None, on]);
    }
}
