//! What every task works with that carries something out of the journal.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use crate::daemon::clock::Clock;
use crate::daemon::core::Work;
use crate::daemon::status::Status;
use crate::domain::alert::WeirCondition;
use crate::domain::input::Condition;
use crate::journal::batch::Batch;

/// The ways of such a task: it reads the journal, and reports what it did through the committer.
#[derive(Clone, Debug)]
pub struct Outlet {
    /// The folder of the journal.
    pub data_folder: PathBuf,
    /// Where notes for the journal go.
    pub work: mpsc::Sender<Work>,
    /// Rises with every commit.
    pub news: watch::Receiver<u64>,
    /// Conditions for the pipeline.
    pub conditions: mpsc::UnboundedSender<Condition>,
    /// True once weir stops.
    pub stop: watch::Receiver<bool>,
    /// The clock.
    pub clock: Clock,
    /// Where it tells how it goes.
    pub status: Arc<Status>,
}

impl Outlet {
    /// Has notes committed; says whether they are.
    pub async fn commit(&self, notes: Batch) -> bool {
        let (done, safe) = oneshot::channel();
        self.work.send(Work::Notes(Box::new(notes), done)).await.is_ok() && safe.await.is_ok()
    }

    /// Tells the pipeline that a condition began or ended.
    pub fn say(&self, condition: WeirCondition, holds: bool) {
        // At the end nobody listens any more.
        self.conditions.send(Condition::Weir { condition, holds }).ok();
    }
}
