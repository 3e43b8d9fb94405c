//! The ingest thread: every broker's connection and the pipeline, on one thread and without a
//! lock. Messages go from the socket through the pipeline into the batch as plain calls.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;
use tokio::time::{Instant, interval};

use crate::daemon::clock::Clock;
use crate::daemon::core::Core;
use crate::daemon::edition::Edition;
use crate::daemon::status::{Status, View};
use crate::domain::alert::WeirCondition;
use crate::domain::fault::Fault;
use crate::domain::input::{Condition, Input};
use crate::domain::name::NetworkId;
use crate::domain::time::Moment;
use crate::journal::batch::{DeadLetter, DeadLetterId};
use crate::mqtt::backoff::Backoff;
use crate::mqtt::config::Config;
use crate::mqtt::connection::{Connection, Error, Session};

/// How often a batch that waits is handed over: it is at most twice as old then.
const BEAT: Duration = Duration::from_millis(50);
/// How often the pipeline hears the clock; a scaled clock is heard at every beat.
const TICK: Duration = Duration::from_secs(1);
/// How often the state is written to the journal.
const SNAPSHOT_EVERY: Duration = Duration::from_mins(10);
/// A wall clock that jumps by more is said.
const STEP_MS: i64 = 10_000;
/// How long stopping waits for the journal.
const STOP_MAX: Duration = Duration::from_secs(30);

/// What the outside asks of the pipeline.
#[derive(Debug)]
pub enum Command {
    /// Run dead letters again; the answer says how many ended well.
    Retry(Vec<(DeadLetterId, DeadLetter)>, oneshot::Sender<usize>),
    /// Take an edition; the answer says whether it was another one, or what is wrong with it.
    Take(Box<Edition>, oneshot::Sender<Result<bool, Vec<Fault>>>),
    /// Hand over what is in hand, end the connections in order, write a snapshot, end.
    Stop,
}

/// What the thread works with.
pub struct Ingest {
    /// The pipeline and its batch.
    pub core: Core,
    /// The brokers.
    pub brokers: Vec<Config>,
    /// The clock.
    pub clock: Clock,
    /// What the outside asks.
    pub commands: mpsc::UnboundedReceiver<Command>,
    /// What the other parts of the daemon report.
    pub conditions: mpsc::UnboundedReceiver<Condition>,
    /// Where it tells how it goes.
    pub status: Arc<Status>,
}

/// What the tasks of the thread share.
struct Shared {
    core: RefCell<Core>,
    clock: Clock,
    status: Arc<Status>,
    stopping: Cell<bool>,
    /// Counts editions, so that connections subscribe anew.
    edition: Cell<u64>,
}

impl std::fmt::Debug for Ingest {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Ingest").field("brokers", &self.brokers.len()).finish_non_exhaustive()
    }
}

impl Ingest {
    /// Works until it is told to stop.
    ///
    /// # Errors
    /// The thread's runtime can't be made, or the task of a connection broke: a broker that nobody
    /// serves is worse than a restart.
    pub fn run(self) -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        LocalSet::new().block_on(&runtime, self.work())
    }

    async fn work(self) -> std::io::Result<()> {
        let Self { core, brokers, clock, mut commands, mut conditions, status } = self;
        let shared = Rc::new(Shared {
            core: RefCell::new(core),
            clock,
            status,
            stopping: Cell::new(false),
            edition: Cell::new(0),
        });
        let mut connections = Vec::new();
        for config in brokers {
            let network = shared.core.borrow_mut().network(&config.network);
            // Nothing is known of a broker before its session is up.
            shared.take(Input::Condition(Condition::Disconnected(network)));
            connections.push(tokio::task::spawn_local(keep(Rc::clone(&shared), config, network)));
        }
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut times = Times::new(&shared);
        while !shared.stopping.get() {
            tokio::select! {
                _ = beat.tick() => {
                    if connections.iter().any(tokio::task::JoinHandle::is_finished) {
                        return Err(std::io::Error::other("the task of a connection ended"));
                    }
                    times.beat(&shared);
                }
                Some(condition) = conditions.recv() => shared.take(Input::Condition(condition)),
                command = commands.recv() => match command {
                    Some(Command::Retry(letters, answer)) => {
                        answer.send(shared.retry(&letters)).ok();
                    }
                    Some(Command::Take(edition, answer)) => {
                        answer.send(shared.take_edition(&edition)).ok();
                    }
                    Some(Command::Stop) | None => shared.stopping.set(true),
                },
            }
        }
        for connection in connections {
            connection.await.ok();
        }
        wait_settled(&shared).await;
        let mut core = shared.core.borrow_mut();
        core.hand_over_snapshot();
        core.end();
        Ok(())
    }
}

impl Shared {
    fn take(&self, input: Input<'_>) {
        self.core.borrow_mut().take(self.clock.now(), input);
    }

    fn retry(&self, letters: &[(DeadLetterId, DeadLetter)]) -> usize {
        let mut core = self.core.borrow_mut();
        let at = self.clock.now();
        letters.iter().filter(|(id, letter)| core.retry(at, letter, *id)).count()
    }

    fn take_edition(&self, edition: &Edition) -> Result<bool, Vec<Fault>> {
        let taken = self.core.borrow_mut().take_edition(self.clock.now(), edition)?;
        if taken {
            self.edition.set(self.edition.get() + 1);
        }
        Ok(taken)
    }
}

/// When what is due.
struct Times {
    tick: Instant,
    view: Instant,
    snapshot: Instant,
    last: Moment,
    /// What was said of the clock last; nothing since the start, so that an alert from before it
    /// can end.
    stepped: Option<bool>,
}

impl Times {
    fn new(shared: &Shared) -> Self {
        let now = Instant::now();
        let last = shared.clock.now();
        Self { tick: now, view: now, snapshot: now, last, stepped: None }
    }

    fn beat(&mut self, shared: &Shared) {
        let now = Instant::now();
        let scaled = shared.clock.speed() > 1.0;
        if scaled || now.duration_since(self.tick) >= TICK {
            self.tick = now;
            self.watch_clock(shared);
            shared.take(Input::Tick);
        }
        let mut core = shared.core.borrow_mut();
        core.beat();
        if now.duration_since(self.view) >= TICK || shared.status.view.load().is_none() {
            self.view = now;
            let state = core.pipeline().state();
            shared.status.view.store(Some(Arc::new(View {
                at: shared.clock.now(),
                registry: Arc::clone(core.registry()),
                stations: state.stations.clone(),
                networks: state.networks.clone(),
            })));
        }
        if now.duration_since(self.snapshot) >= SNAPSHOT_EVERY {
            self.snapshot = now;
            core.hand_over_snapshot();
        }
    }

    /// Elapsed time can't jump; if the wall moved otherwise, somebody set the clock.
    fn watch_clock(&mut self, shared: &Shared) {
        let now = shared.clock.now();
        let elapsed = now.elapsed_ms - self.last.elapsed_ms;
        let step = now.wall.since(self.last.wall) - elapsed;
        let stepped = step.abs() > STEP_MS;
        if stepped {
            tracing::warn!(step_ms = step, "The system's clock was set.");
        }
        if self.stepped != Some(stepped) {
            let condition = WeirCondition::ClockStepped;
            shared.take(Input::Condition(Condition::Weir { condition, holds: stepped }));
        }
        (self.last, self.stepped) = (now, Some(stepped));
    }
}

/// Why a connection is no longer served.
enum End {
    Stop,
    NewFilters,
    Lost(Error),
}

/// Keeps the connection to one broker, for as long as weir runs.
async fn keep(shared: Rc<Shared>, config: Config, network: NetworkId) {
    let mut backoff = Backoff::new();
    let mut told = String::new();
    while !shared.stopping.get() {
        let filters = shared.core.borrow().registry().filters(network);
        let edition = shared.edition.get();
        let opened = Connection::open(&config, Session::Persistent, &filters, network).await;
        let error = match opened {
            Err(error) => error,
            Ok((connection, opened)) => {
                told.clear();
                let since = Instant::now();
                let name = &*config.network;
                tracing::info!(
                    network = name,
                    session = if opened.session_present { "resumed" } else { "new" },
                    filters = filters.len(),
                    "Connected to {}.",
                    config.url
                );
                for (filter, reason) in &opened.refused_filters {
                    tracing::error!(network = name, filter, reason, "The broker refuses a filter.");
                }
                shared.status.broker(name, None);
                shared.take(Input::Condition(Condition::Connected(network)));
                let end = serve(&shared, connection, network, edition).await;
                shared.take(Input::Condition(Condition::Disconnected(network)));
                backoff.connected(since.elapsed());
                match end {
                    End::Stop => break,
                    End::NewFilters => continue,
                    End::Lost(error) => error,
                }
            }
        };
        let words = error.to_string();
        if words != told {
            tracing::warn!(network = config.network, "{words}; weir keeps trying.");
            told.clone_from(&words);
        }
        shared.status.broker(&config.network, Some(words));
        let until = Instant::now() + backoff.wait();
        while !shared.stopping.get() && Instant::now() < until {
            tokio::time::sleep(BEAT.min(until - Instant::now())).await;
        }
    }
}

async fn serve(
    shared: &Shared,
    mut connection: Connection,
    network: NetworkId,
    edition: u64,
) -> End {
    let acknowledger = connection.acknowledger();
    let small_window = connection.small_window();
    loop {
        if shared.stopping.get() || shared.edition.get() != edition {
            return leave(shared, connection).await;
        }
        let may_read = shared.core.borrow().has_room();
        let mut take = |message: crate::domain::input::Message<'_>, token: Option<_>| {
            let ack = token.map(|token| (token, &acknowledger));
            shared.core.borrow_mut().take_message(shared.clock.now(), message, ack);
        };
        match connection.turn(may_read, &mut take).await {
            Ok(turn) => {
                if let Some(ordinal) = turn.settled {
                    shared.take(Input::Condition(Condition::Settled { network, ordinal }));
                }
                shared.core.borrow_mut().hand_over_if_urgent(small_window);
            }
            Err(error) => return End::Lost(error),
        }
    }
}

/// Reads no more, waits until what was read is committed, writes its acks and says good-bye.
async fn leave(shared: &Shared, mut connection: Connection) -> End {
    let until = Instant::now() + STOP_MAX;
    loop {
        shared.core.borrow_mut().hand_over();
        let settled = shared.core.borrow().is_settled();
        match connection.turn(false, &mut |_, _| ()).await {
            Ok(turn) if turn.outstanding > 0 && !settled && Instant::now() < until => {}
            Ok(_) => break,
            Err(error) => return End::Lost(error),
        }
    }
    connection.close().await;
    if shared.stopping.get() { End::Stop } else { End::NewFilters }
}

async fn wait_settled(shared: &Shared) {
    let until = Instant::now() + STOP_MAX;
    loop {
        shared.core.borrow_mut().hand_over();
        if shared.core.borrow().is_settled() {
            return;
        }
        if Instant::now() > until {
            tracing::error!("Not everything could be committed; the broker will deliver it again.");
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
