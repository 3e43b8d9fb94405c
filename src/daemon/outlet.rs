//! What every task works with that carries something out of the journal.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use crate::daemon::clock::Clock;
use crate::daemon::conditions::Conditions;
use crate::daemon::status::Status;
use crate::domain::alert::WeirCondition;
use crate::journal::batch::Batch;

/// How many notes may wait for the committer.
pub const NOTES_MAX: usize = 64;

/// What a sink or a channel reports.
#[derive(Debug)]
pub struct Notes {
    /// Cursors, refusals, receipts and attempts; nothing else.
    pub batch: Box<Batch>,
    /// Whom to tell when it is safe; without anybody it may wait for the next batch.
    pub done: Option<oneshot::Sender<()>>,
}

/// The ways of such a task: it reads the journal, and reports what it did through the committer.
#[derive(Clone, Debug)]
pub struct Outlet {
    /// The folder of the journal.
    pub data_folder: PathBuf,
    /// Where notes for the journal go.
    pub notes: mpsc::Sender<Notes>,
    /// Rises with every commit.
    pub news: watch::Receiver<u64>,
    /// Conditions for the pipeline.
    pub conditions: Arc<Conditions>,
    /// True once weir stops.
    pub stop: watch::Receiver<bool>,
    /// The clock.
    pub clock: Clock,
    /// Where it tells how it goes.
    pub status: Arc<Status>,
}

impl Outlet {
    /// Has notes committed and waits for it; says whether they are.
    pub async fn commit(&self, notes: Batch) -> bool {
        let (done, safe) = oneshot::channel();
        let notes = Notes { batch: Box::new(notes), done: Some(done) };
        self.notes.send(notes).await.is_ok() && safe.await.is_ok()
    }

    /// Hands notes in that are harmless to lose, because what they tell would only be done once
    /// more; says whether there is still somebody to take them.
    pub async fn note(&self, notes: Batch) -> bool {
        self.notes.send(Notes { batch: Box::new(notes), done: None }).await.is_ok()
    }

    /// Tells the pipeline that a condition began or ended.
    pub fn say(&self, condition: WeirCondition, holds: bool) {
        self.conditions.say(condition, holds);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn who_has_more_notes_than_may_wait_waits_himself() {
        let (notes, mut taken) = mpsc::channel(NOTES_MAX);
        let outlet = Outlet {
            data_folder: PathBuf::new(),
            notes,
            news: watch::channel(0).1,
            conditions: Arc::default(),
            stop: watch::channel(false).1,
            clock: Clock::real(),
            status: Arc::default(),
        };
        for _ in 0..NOTES_MAX {
            assert!(outlet.note(Batch::default()).await);
        }
        let mut one_more = std::pin::pin!(outlet.note(Batch::default()));
        assert!(timeout(Duration::from_millis(20), &mut one_more).await.is_err());
        taken.recv().await.unwrap();
        assert!(one_more.await);
    }
}
