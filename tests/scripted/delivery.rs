//! The part of the daemon that delivers, in a test's own threads.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use weir::daemon::clock::Clock;
use weir::daemon::commit::Committer;
use weir::daemon::conditions::Conditions;
use weir::daemon::core::{BATCHES_MAX, Load, Settled, Work};
use weir::daemon::deliver::{self, Deliverer};
use weir::daemon::outlet::{NOTES_MAX, Outlet};
use weir::daemon::status::Status;
use weir::domain::time::Timestamp;
use weir::influx::Config;
use weir::journal;
use weir::journal::batch::Batch;
use weir::journal::read::Reader;
use weir::journal::write::Journal;

use super::Kind;
use crate::peer::until;

pub fn config(port: u16, kind: Kind, more: &str) -> Config {
    let dialect = match kind {
        Kind::One => "influx1",
        Kind::Two => "influx2",
    };
    let text = format!(
        "url='http://127.0.0.1:{port}'\ndialect='{dialect}'\norg='o'\nbucket='b'\ntimeout_s=20\n\
         connect_timeout_s=20\n{more}"
    );
    toml::from_str(&text).unwrap()
}

/// The part of the daemon that delivers, from a journal of its own.
pub struct Delivery {
    folder: TempDir,
    pub status: Arc<Status>,
    work: mpsc::Sender<Work>,
    settled: Arc<Settled>,
    stop: watch::Sender<bool>,
    committer: JoinHandle<std::io::Result<()>>,
    deliverer: JoinHandle<anyhow::Result<()>>,
}

impl Delivery {
    /// Starts with batches of lines in the journal, so that they go out together.
    pub fn start(config: Config, batches: &[&[&str]]) -> Self {
        Self::start_in(TempDir::new().unwrap(), config, batches)
    }

    /// Starts on what another left.
    pub fn start_in(folder: TempDir, config: Config, batches: &[&[&str]]) -> Self {
        let place = journal::Config::at(folder.path());
        let mut journal = Journal::open(&place, Timestamp(0)).unwrap();
        deliver::register(&mut journal).unwrap();
        for lines in batches {
            journal.commit(&batch(lines)).unwrap();
        }
        let status = Arc::new(Status::default());
        let (work, work_out) = mpsc::channel(BATCHES_MAX);
        let (notes, notes_out) = mpsc::channel(NOTES_MAX);
        let settled = Arc::new(Settled::default());
        let (news_in, news) = watch::channel(0);
        let conditions = Arc::<Conditions>::default();
        let (stop, stopped) = watch::channel(false);
        let committer = Committer {
            journal,
            work: work_out,
            notes: notes_out,
            spare: mpsc::channel(1).0,
            settled: Arc::clone(&settled),
            news: news_in,
            conditions: Arc::clone(&conditions),
            full_notice: None,
            clock: Clock::real(),
            status: Arc::clone(&status),
        };
        let committer = std::thread::spawn(move || committer.run());
        let outlet = Outlet {
            data_folder: folder.path().to_owned(),
            notes,
            news,
            conditions,
            stop: stopped,
            clock: Clock::real(),
            status: Arc::clone(&status),
        };
        let deliverer = std::thread::spawn(move || runtime().block_on(run(config, outlet)));
        Self { folder, status, work, settled, stop, committer, deliverer }
    }

    pub fn commit(&self, lines: &[&str]) {
        let mut load = Box::<Load>::default();
        load.batch = batch(lines);
        let committed = || self.settled.committed.load(Ordering::Acquire);
        let before = committed();
        self.work.blocking_send(Work::Load(load)).unwrap();
        until("the commit", || committed() > before);
    }

    pub fn reader(&self) -> Reader {
        Reader::open(self.folder.path()).unwrap()
    }

    #[track_caller]
    pub fn until_none_waits(&self) {
        let reader = self.reader();
        let waiting = || reader.cursor(deliver::SINK).unwrap().unwrap().waiting;
        until("the points", || waiting() == 0);
    }

    #[track_caller]
    pub fn until_it_fails(&self) {
        until("a fault", || self.status.sink_fault.load().is_some());
    }

    /// What was refused, oldest first: line, field, and the server's words.
    pub fn refused(&self) -> Vec<(String, Option<String>, String)> {
        let held = self.reader().refused(u32::MAX).unwrap();
        held.into_iter().rev().map(|one| (one.line, one.field, one.words)).collect()
    }

    /// Stops in order and gives the folder of the journal.
    pub fn stop(self) -> TempDir {
        self.stop.send(true).unwrap();
        self.deliverer.join().unwrap().unwrap();
        drop(self.work);
        self.committer.join().unwrap().unwrap();
        self.folder
    }
}

async fn run(config: Config, outlet: Outlet) -> anyhow::Result<()> {
    Deliverer { config, outlet }.run().await
}

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn batch(lines: &[&str]) -> Batch {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    Batch { lines: text.into_bytes(), line_count: lines.len() as u64, ..Batch::default() }
}
