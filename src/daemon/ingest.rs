//! The ingest thread: every broker's connection and the pipeline, on one thread and without a
//! lock. Messages go from the socket through the pipeline into the batch as plain calls.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, interval};

use crate::daemon::act::{self, Answered};
use crate::daemon::clock::Clock;
use crate::daemon::conditions::{Conditions, Report};
use crate::daemon::core::Core;
use crate::daemon::edition::Edition;
use crate::daemon::import::Taken;
use crate::daemon::status::{Status, View};
use crate::daemon::trouble::{Drops, Troubles};
use crate::domain::alert::WeirCondition;
use crate::domain::asked::Asked;
use crate::domain::fault::Fault;
use crate::domain::input::{Condition, Input};
use crate::domain::name::NetworkId;
use crate::domain::recompute::Recompute;
use crate::domain::time::Moment;
use crate::journal::batch::{DeadLetter, DeadLetterId};
use crate::mqtt::Error;
use crate::mqtt::backoff::{Backoff, HEALTHY};
use crate::mqtt::config::Config;
use crate::mqtt::connection::{Connection, Session};

/// How often it is looked whether something is due while no message comes.
const BEAT: Duration = Duration::from_millis(250);
/// The same where the clock is scaled; the pipeline hears such a clock at every beat.
const SCALED_BEAT: Duration = Duration::from_millis(50);
/// How often the pipeline hears the clock.
const TICK: Duration = Duration::from_secs(1);
/// How often the state is written to the journal.
const SNAPSHOT_EVERY: Duration = Duration::from_mins(10);
/// A wall clock that jumps by more is said.
const STEP_MS: i64 = 10_000;
/// How often what waits for a broker looks whether weir stops.
const STOP_LOOK: Duration = Duration::from_millis(50);
/// How long stopping waits for the journal.
const STOP_MAX: Duration = Duration::from_secs(30);

/// How long a session that follows one that was soon lost must hold before it counts.
const PROOF: Duration = Duration::from_secs(3);
/// How many connections in a row that end at the same unreadable place raise an alert.
const UNREADABLE_MAX: u32 = 3;
/// How many sessions in a row that another client takes over raise an alert,
const TAKEN_MAX: u32 = 3;
/// and how many that a broker which says no reason ends soon after their beginning.
const THROWN_MAX: u32 = 5;

/// How many commands may wait for the pipeline; who asks beyond waits with it.
pub const COMMANDS_MAX: usize = 4;

/// What the outside asks of the pipeline.
#[derive(Debug)]
pub enum Command {
    /// Run dead letters again.
    Retry {
        /// The letters.
        letters: Vec<(DeadLetterId, DeadLetter)>,
        /// How many batches were committed when they were read.
        committed: u64,
        /// Says how many ended well.
        answer: oneshot::Sender<usize>,
    },
    /// Take in what a person says of values; the answer says what comes of it, or what is wrong.
    Act(Box<Asked>, oneshot::Sender<Answered>),
    /// Take an edition; the answer says whether it was another one, or what is wrong with it.
    Take(Box<Edition>, oneshot::Sender<Result<bool, Vec<Fault>>>),
    /// Take in a part of a table; the answer says what came of it.
    Import {
        /// The topic under which it comes.
        topic: String,
        /// The part.
        part: String,
        /// Says what came of it; nothing where the edition has no network for it.
        answer: oneshot::Sender<Option<Taken>>,
    },
    /// Take in what past days come to.
    Recompute(Box<Recompute>),
    /// Hand over what is in hand; the answer says which batch holds the last of it.
    HandOver(oneshot::Sender<u64>),
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
    pub commands: mpsc::Receiver<Command>,
    /// What the other parts of the daemon report.
    pub conditions: Arc<Conditions>,
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
    /// What is wrong with which broker.
    troubles: RefCell<Troubles>,
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
        let Self { core, brokers, clock, mut commands, conditions, status } = self;
        let shared = Rc::new(Shared {
            core: RefCell::new(core),
            clock,
            status,
            stopping: Cell::new(false),
            edition: Cell::new(0),
            troubles: RefCell::default(),
        });
        let mut connections = JoinSet::new();
        for config in brokers {
            let network = shared.core.borrow_mut().network(&config.network);
            shared.status.broker(&config.network, Some("not connected yet".to_owned()));
            let outbox = shared.core.borrow_mut().outbox(network);
            shared.status.replies_through(&config.network, outbox);
            // Nothing is known of a broker before its session is up.
            shared.take(Input::Condition(Condition::Disconnected(network)));
            shared.troubles.borrow_mut().open.insert((WeirCondition::FilterRefused, network));
            connections.spawn_local(keep(Rc::clone(&shared), config, network));
        }
        let scaled = shared.clock.speed() > 1.0;
        let mut beat = interval(if scaled { SCALED_BEAT } else { BEAT });
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut times = Times::new(&shared);
        while !shared.stopping.get() {
            tokio::select! {
                _ = beat.tick() => times.beat(&shared),
                report = conditions.next() => shared.take_report(report),
                command = commands.recv(), if shared.may_command() => match command {
                    Some(Command::Retry { letters, committed, answer }) => {
                        answer.send(shared.retry(&letters, committed)).ok();
                    }
                    Some(Command::Act(asked, answer)) => {
                        let mut core = shared.core.borrow_mut();
                        answer.send(act::act(&mut core, shared.clock.now(), &asked)).ok();
                    }
                    Some(Command::Take(edition, answer)) => {
                        answer.send(shared.take_edition(&edition)).ok();
                    }
                    Some(Command::Import { topic, part, answer }) => {
                        let mut core = shared.core.borrow_mut();
                        answer.send(core.import(shared.clock.now(), &topic, &part)).ok();
                    }
                    Some(Command::Recompute(recomputed)) => {
                        shared.take(Input::Recompute(Arc::from(recomputed)));
                    }
                    Some(Command::HandOver(answer)) => {
                        let mut core = shared.core.borrow_mut();
                        let waits = !core.hand_over();
                        answer.send(core.handed() + u64::from(waits)).ok();
                    }
                    Some(Command::Stop) | None => shared.stopping.set(true),
                },
                // None ends before it is told to, unless it breaks.
                Some(ended) = connections.join_next() => ended?,
            }
            shared.core.borrow_mut().hand_over_if_due(shared.clock.now(), false);
        }
        while let Some(ended) = connections.join_next().await {
            ended?;
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

    fn take_report(&self, report: Report) {
        let Report { condition, network, until, holds } = report;
        let network = network.map(|name| self.core.borrow_mut().network(&name));
        self.take(Input::Condition(Condition::Weir { condition, network, until, holds }));
    }

    /// Tells that a condition of weir, or of one broker, began or ended.
    fn say(&self, condition: WeirCondition, network: Option<NetworkId>, holds: bool) {
        let until = None;
        self.take(Input::Condition(Condition::Weir { condition, network, until, holds }));
    }

    /// A broker that has forgotten the session delivers nothing again. Says whether there was one.
    fn forget_packets(&self, network: NetworkId) -> bool {
        let core = self.core.borrow();
        let state = core.pipeline().state().networks.get(network.index());
        let ordinal = state.map_or(0, |state| state.ordinal);
        drop(core);
        if ordinal > 0 {
            self.take(Input::Condition(Condition::Settled { network, ordinal }));
        }
        ordinal > 0
    }

    /// What a command causes finds no room either while the committer is behind.
    fn may_command(&self) -> bool {
        self.core.borrow().has_room() || self.status.stopping.load(Ordering::Acquire)
    }

    async fn stopped(&self) {
        while !self.stopping.get() {
            tokio::time::sleep(STOP_LOOK).await;
        }
    }

    /// Notes that something is wrong with a broker, or no longer.
    fn trouble(&self, condition: WeirCondition, network: NetworkId, holds: bool) {
        if self.troubles.borrow_mut().note(condition, network, holds) {
            self.say(condition, None, holds);
        }
    }

    fn retry(&self, letters: &[(DeadLetterId, DeadLetter)], committed: u64) -> usize {
        let mut core = self.core.borrow_mut();
        core.forget_retried(committed);
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
            let rejects = shared.core.borrow_mut().look_at_rejects(shared.clock.now());
            if let Some(holds) = rejects {
                shared.say(WeirCondition::DeadLettersRising, None, holds);
            }
            shared.take(Input::Tick);
        }
        shared.status.pulse.ingest_turns();
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
                evaluated: Arc::clone(&state.evaluated),
                invalidations: Arc::clone(&state.invalidations),
                desk: Arc::clone(&state.desk),
                gone: state.gone.clone(),
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
            shared.say(WeirCondition::ClockStepped, None, stepped);
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

/// How the earlier connections to a broker went.
#[derive(Default)]
struct Past {
    /// How the last one ended, how often in a row, and whether the log says so.
    words: String,
    times: u32,
    told: bool,
    /// Whether it ended soon after it had begun.
    shaky: bool,
    /// How many sessions in a row the broker ended soon after it had let weir in, and whether
    /// weir is in.
    thrown: u32,
    welcomed: bool,
    /// What is known of messages that the broker drops.
    drops: Drops,
}

impl Past {
    /// Counts sessions that end soon.
    fn thrown(&mut self, error: &Error) {
        let (taken, thrown) = (error.is_taken_over(), matches!(error, Error::Broken(_)));
        self.thrown = if self.welcomed && (taken || thrown) { self.thrown + 1 } else { 0 };
        self.welcomed = false;
        if taken && self.thrown >= TAKEN_MAX {
            self.thrown = self.thrown.max(THROWN_MAX);
        }
    }

    /// Says whether another client seems to take the sessions.
    fn is_taken(&self) -> bool {
        self.thrown >= THROWN_MAX
    }

    fn lost(&mut self, error: &Error, network: &str) {
        let mut words = error.to_string();
        if self.is_taken() && !error.is_taken_over() {
            words.push_str(", soon after each beginning; does another client use this client_id?");
        }
        if words != self.words {
            (self.words, self.times, self.told) = (words, 0, false);
        }
        self.times += 1;
        if !self.told {
            tracing::warn!(network, "{}; weir keeps trying.", self.words);
            self.told = true;
        }
    }
}

/// Keeps the connection to one broker, for as long as weir runs.
async fn keep(shared: Rc<Shared>, config: Config, network: NetworkId) {
    let mut backoff = Backoff::new();
    let mut past = Past::default();
    while !shared.stopping.get() {
        let since = Instant::now();
        let error = match connect(&shared, &config, network, &mut past).await {
            End::Stop => break,
            End::NewFilters => {
                let words = "the filters of another edition are not granted yet";
                shared.status.broker(&config.network, Some(words.to_owned()));
                continue;
            }
            End::Lost(error) => error,
        };
        backoff.connected(since.elapsed());
        past.shaky = since.elapsed() < HEALTHY;
        past.thrown(&error);
        if past.is_taken() {
            shared.trouble(WeirCondition::SessionTaken, network, true);
        }
        past.lost(&error, &config.network);
        shared.status.broker(&config.network, Some(past.words.clone()));
        if matches!(error, Error::Unreadable(_)) && past.times >= UNREADABLE_MAX {
            shared.trouble(WeirCondition::BrokerUnreadable, network, true);
        }
        let until = Instant::now() + backoff.wait();
        while !shared.stopping.get() && Instant::now() < until {
            tokio::time::sleep(STOP_LOOK.min(until - Instant::now())).await;
        }
    }
}

/// Serves one connection from its beginning to its end.
async fn connect(shared: &Shared, config: &Config, network: NetworkId, past: &mut Past) -> End {
    let name = &*config.network;
    let filters = shared.core.borrow().registry().filters(network);
    let edition = shared.edition.get();
    let session = Session::Persistent { now: shared.clock.now().wall };
    let opened = tokio::select! {
        opened = Connection::open(config, session, &filters, network) => opened,
        () = shared.stopped() => return End::Stop,
    };
    let (mut connection, opened) = match opened {
        Ok(opened) => opened,
        Err(error) => return End::Lost(error),
    };
    past.welcomed = true;
    connection.answer_from(shared.core.borrow_mut().outbox(network));
    tracing::info!(
        network = name,
        session = if opened.session_present { "resumed" } else { "new" },
        filters = filters.len(),
        "Connected to {}.",
        config.url
    );
    if opened.session_present {
        let left = shared.core.borrow().left_filters(name, &filters);
        if let Err(error) = connection.leave_filters(&left) {
            return End::Lost(error);
        }
    } else if shared.forget_packets(network) {
        tracing::warn!(
            network = name,
            "The broker has forgotten weir's session, and with it whatever waited for weir. Look \
             at its persistence and for how long it keeps sessions."
        );
    }
    let since = Instant::now();
    let (answered, proven, healthy) = (false, false, false);
    let mut standing = Standing { shared, name, network, since, answered, proven, healthy };
    let end = serve(&mut standing, connection, edition, past).await;
    if standing.proven {
        shared.take(Input::Condition(Condition::Disconnected(network)));
    }
    end
}

/// What is known of a session.
struct Standing<'a> {
    shared: &'a Shared,
    name: &'a str,
    network: NetworkId,
    since: Instant,
    /// Whether the broker has answered for the filters.
    answered: bool,
    /// Whether the session is more than one of a row that are lost at once: only then do alerts
    /// and silence hear of it.
    proven: bool,
    /// Whether it has lasted so long that what was before it counts no more.
    healthy: bool,
}

impl Standing<'_> {
    fn look(&mut self, connection: &Connection, past: &mut Past) {
        let (shared, network) = (self.shared, self.name);
        if !self.answered
            && let Some(refused) = connection.refused_filters()
        {
            self.answered = true;
            for (filter, reason) in refused {
                tracing::error!(network, filter, reason, "The broker refuses a filter.");
            }
            if shared.status.refused(network, refused) && refused.is_empty() {
                tracing::info!(network, "The broker grants every filter again.");
            }
            shared.trouble(WeirCondition::FilterRefused, self.network, !refused.is_empty());
        }
        if let Some(count) = connection.dropped() {
            let before = shared.status.dropped(network, count);
            let dropped = before.map_or(0, |before| count.saturating_sub(before));
            if dropped > 0 {
                tracing::warn!(network, dropped, "The broker drops messages: its queues are full.");
            }
            if let Some(holds) = past.drops.look(shared.clock.now().elapsed_ms, dropped > 0) {
                shared.say(WeirCondition::BrokerDropping, Some(self.network), holds);
            }
        }
        let age = self.since.elapsed();
        let holds = age >= PROOF || connection.is_heard() && !past.shaky;
        if self.answered && holds && !self.proven {
            self.proven = true;
            past.told &= past.is_taken();
            shared.status.broker(network, None);
            shared.status.shows(network, connection.certificate_end());
            shared.take(Input::Condition(Condition::Connected(self.network)));
        }
        if age >= HEALTHY && !self.healthy {
            (self.healthy, past.times, past.thrown, past.told) = (true, 0, 0, false);
            for condition in [WeirCondition::BrokerUnreadable, WeirCondition::SessionTaken] {
                shared.trouble(condition, self.network, false);
            }
        }
    }
}

async fn serve(
    standing: &mut Standing<'_>,
    mut connection: Connection,
    edition: u64,
    past: &mut Past,
) -> End {
    let (shared, network) = (standing.shared, standing.network);
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
                standing.look(&connection, past);
                let now = shared.clock.now();
                shared.core.borrow_mut().hand_over_if_due(now, small_window);
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
