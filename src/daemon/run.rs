//! The daemon: its threads and tasks, the ways between them, start and stop.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::config::Config;
use crate::daemon::act::Answered;
use crate::daemon::carry;
use crate::daemon::clock::Clock;
use crate::daemon::commit::Committer;
use crate::daemon::conditions::Conditions;
use crate::daemon::core::{BATCHES_MAX, Core, SPARES_MAX, Settings, Settled, Store, Ways};
use crate::daemon::deliver::{self, Deliverer};
use crate::daemon::edition::Edition;
use crate::daemon::expiry::Expiry;
use crate::daemon::heartbeat::Beater;
use crate::daemon::import::Taken;
use crate::daemon::in_hand::InHand;
use crate::daemon::ingest::{COMMANDS_MAX, Command, Ingest};
use crate::daemon::keys;
use crate::daemon::morning::Caller;
use crate::daemon::outlet::{NOTES_MAX, Outlet};
use crate::daemon::page::Observer;
use crate::daemon::recompute::{ORDERS_MAX, Orders, Recomputer};
use crate::daemon::recover::{self, Recovered};
use crate::daemon::socket;
use crate::daemon::status::Status;
use crate::daemon::systemd;
use crate::daemon::tell::Teller;
use crate::domain::alert::{AlertChange, AlertEvent, AlertId, Subject, WeirCondition};
use crate::domain::asked::Asked;
use crate::domain::fault::Fault;
use crate::domain::input::Input;
use crate::domain::name::Names;
use crate::domain::recompute::Recompute;
use crate::domain::registry::Registry;
use crate::domain::time::Moment;
use crate::http::door::{Fallback, Server};
use crate::journal::aside::{self, Aside};
use crate::journal::batch::{DeadLetter, DeadLetterId, NotificationRow};
use crate::journal::read::Reader;
use crate::journal::write::Journal;
use crate::notify::heartbeat::stuck_after_s;
use crate::notify::{self, Channel};
use crate::pipeline::Pipeline;

/// How often who waits for commits looks.
const SETTLE_LOOK: Duration = Duration::from_millis(100);

/// A daemon at work.
#[derive(Debug)]
pub struct Daemon {
    /// What it tells of itself.
    pub status: Arc<Status>,
    /// The folder of its journal.
    pub data_folder: PathBuf,
    /// Its clock.
    pub clock: Clock,
    /// The configuration it runs by.
    pub config: Config,
    commands: Commands,
    orders: Orders,
    settled: Arc<Settled>,
    stop: watch::Sender<bool>,
    ingest: JoinHandle<std::io::Result<()>>,
    committer: JoinHandle<std::io::Result<()>>,
    tasks: JoinSet<anyhow::Result<()>>,
}

/// The way to the pipeline of a daemon at work.
#[derive(Clone, Debug)]
pub struct Commands {
    way: mpsc::Sender<Command>,
    settled: Arc<Settled>,
}

impl Commands {
    /// Gives how many batches are committed.
    #[must_use]
    pub fn committed(&self) -> u64 {
        self.settled.committed.load(Ordering::Acquire)
    }

    /// Runs dead letters again, which were read after so many batches were committed, and says how
    /// many ended well.
    ///
    /// # Errors
    /// The daemon has ended.
    pub async fn retry(
        &self,
        letters: Vec<(DeadLetterId, DeadLetter)>,
        committed: u64,
    ) -> anyhow::Result<usize> {
        let (answer, answered) = oneshot::channel();
        self.give(Command::Retry { letters, committed, answer }).await?;
        answered.await.context("weir has ended")
    }

    /// Has what a person says of values taken in and committed, and says what comes of it.
    ///
    /// # Errors
    /// The daemon has ended. The inner result: what is wrong with what is asked.
    pub async fn act(&self, asked: Asked) -> anyhow::Result<Answered> {
        let (answer, answered) = oneshot::channel();
        self.give(Command::Act(Box::new(asked), answer)).await?;
        let answered = answered.await.context("weir has ended")?;
        if answered.is_ok() {
            self.settle().await?;
        }
        Ok(answered)
    }

    /// Has an edition taken; says whether it was another one than that in force.
    ///
    /// # Errors
    /// The daemon has ended. The inner result: what is wrong with the edition.
    pub async fn take(&self, edition: Edition) -> anyhow::Result<Result<bool, Vec<Fault>>> {
        let (answer, answered) = oneshot::channel();
        self.give(Command::Take(Box::new(edition), answer)).await?;
        answered.await.context("weir has ended")
    }

    /// Has a part of a table taken in, and says what came of it; nothing where the edition in force
    /// has no network for it. It is committed once [`Commands::settle`] returns.
    ///
    /// # Errors
    /// The daemon has ended.
    pub async fn import(&self, topic: String, part: String) -> anyhow::Result<Option<Taken>> {
        let (answer, answered) = oneshot::channel();
        self.give(Command::Import { topic, part, answer }).await?;
        answered.await.context("weir has ended")
    }

    /// Hands in what past days come to.
    ///
    /// # Errors
    /// The daemon has ended.
    pub async fn recompute(&self, recomputed: Recompute) -> anyhow::Result<()> {
        self.give(Command::Recompute(Box::new(recomputed))).await
    }

    /// Waits until all that was taken in so far is committed.
    ///
    /// # Errors
    /// The daemon has ended.
    pub async fn settle(&self) -> anyhow::Result<()> {
        let (answer, answered) = oneshot::channel();
        self.give(Command::HandOver(answer)).await?;
        let handed = answered.await.context("weir has ended")?;
        while self.committed() < handed {
            anyhow::ensure!(!self.settled.given_up.load(Ordering::Acquire), "weir has ended");
            tokio::time::sleep(SETTLE_LOOK).await;
        }
        Ok(())
    }

    async fn give(&self, command: Command) -> anyhow::Result<()> {
        self.way.send(command).await.ok().context("weir has ended")
    }
}

/// The pipeline as it begins: recovered, or new under the folder's edition.
struct Beginning {
    pipeline: Pipeline,
    names: Names,
    last: Moment,
    is_new: bool,
}

impl Daemon {
    /// Starts: recovers the state, takes the edition, connects, delivers.
    ///
    /// # Errors
    /// The journal can't be used, or the edition may not follow the one in force.
    pub fn start(config: Config, edition: &Edition, mut clock: Clock) -> anyhow::Result<Self> {
        let (mut journal, beginning) = open(&config, edition, &mut clock)?;
        let channels: Vec<Channel> =
            config.channels.iter().map(Channel::new).collect::<Result<_, _>>()?;
        let settings = Settings {
            store: if config.influx.is_some() { Store::Influx } else { Store::Embedded },
            channels: config.channels.iter().map(notify::Config::taker).collect(),
            letterhead: config.letterhead(),
            data_folder: journal.folder().to_owned(),
        };
        register_sinks(&mut journal, &config)?;
        let data_folder = journal.folder().to_owned();
        let status = Arc::new(Status::default());
        let (work, work_out) = mpsc::channel(BATCHES_MAX + 1);
        let (notes, notes_out) = mpsc::channel(NOTES_MAX);
        let (spare_in, spare) = mpsc::channel(SPARES_MAX);
        let (commands_in, commands) = mpsc::channel(COMMANDS_MAX);
        let conditions = Arc::<Conditions>::default();
        let (news_in, news) = watch::channel(0);
        let (stop, stopped) = watch::channel(false);
        let settled = Arc::new(Settled::default());
        let full_notice = full_notice(beginning.pipeline.registry(), &settings, clock.now());
        let ways = Ways { work, spare, settled: Arc::clone(&settled) };
        let pipeline_way = Commands { way: commands_in, settled: Arc::clone(&settled) };
        let core = core(beginning, settings, ways, (edition, &config), &clock)?;

        let committer = Committer {
            journal,
            work: work_out,
            notes: notes_out,
            spare: spare_in,
            settled: Arc::clone(&settled),
            news: news_in,
            conditions: Arc::clone(&conditions),
            full_notice,
            clock: clock.clone(),
            status: Arc::clone(&status),
        };
        let committer = std::thread::Builder::new()
            .name("weir-commit".to_owned())
            .spawn(move || committer.run())?;
        let outlet = Outlet {
            data_folder: data_folder.clone(),
            notes,
            news,
            conditions: Arc::clone(&conditions),
            stop: stopped,
            clock: clock.clone(),
            status: Arc::clone(&status),
        };
        let mut tasks = outlets(&config, channels, &outlet)?;
        let ingest_status = Arc::clone(&status);
        let (brokers, ingest_clock) = (config.brokers.clone(), clock.clone());
        // The pipeline and what it shares are made on the thread that works with them.
        let ingest =
            std::thread::Builder::new().name("weir-ingest".to_owned()).spawn(move || {
                let status = ingest_status;
                Ingest { core, brokers, clock: ingest_clock, commands, conditions, status }.run()
            })?;
        let orders = recompute(&mut tasks, &pipeline_way, &outlet);
        Ok(Self {
            status,
            data_folder,
            clock,
            config,
            commands: pipeline_way,
            orders,
            settled,
            stop,
            ingest,
            committer,
            tasks,
        })
    }

    /// Gives the way to the pipeline.
    #[must_use]
    pub fn commands(&self) -> Commands {
        self.commands.clone()
    }

    /// Gives eyes on the daemon, for page and terminal.
    ///
    /// # Errors
    /// The journal can't be opened.
    pub fn observer(&self) -> Result<Observer, crate::journal::Error> {
        let config = self.config.clone();
        Observer::new(Arc::clone(&self.status), config, self.commands())
    }

    /// Serves the page while the daemon runs.
    ///
    /// # Errors
    /// The address is taken, the token can't be read, or the journal not be opened.
    pub async fn serve(&mut self, fallback: Fallback) -> anyhow::Result<SocketAddr> {
        let server = Server::bind(&self.config.http, fallback).await?;
        let address = server.address();
        let source = self.observer()?.source();
        let mut stopped = self.stop.subscribe();
        self.tasks.spawn_local(async move {
            let until = async move {
                stopped.wait_for(|stop| *stop).await.ok();
            };
            server.serve(source, until).await;
            Ok(())
        });
        Ok(address)
    }

    /// Takes requests from the shell over a socket in the data folder. Without one, all else
    /// works.
    pub fn hear_the_shell(&mut self) {
        let listener = match socket::listen(&self.data_folder) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::warn!(%error, "No requests from the shell: the socket can't be made.");
                return;
            }
        };
        let (config, commands) = (self.config.clone(), self.commands());
        let orders = self.orders.clone();
        let (mut stopped, data_folder) = (self.stop.subscribe(), self.data_folder.clone());
        self.tasks.spawn_local(async move {
            tokio::select! {
                () = socket::serve(listener, config, commands, orders) => {}
                _ = stopped.wait_for(|stop| *stop) => {}
            }
            socket::leave(&data_folder);
            Ok(())
        });
    }

    /// Tells systemd, if it started weir, that weir is ready, and from now on that it lives.
    pub fn tell_systemd(&self) {
        systemd::ready();
        let stuck_after = stuck_after(&self.config);
        // As long as the program: a stop that takes its time is no reason to be shot.
        tokio::task::spawn_local(systemd::watch(Arc::clone(&self.status), stuck_after));
    }

    /// Waits until a part of the daemon ends that should not.
    pub async fn failed(&mut self) -> anyhow::Error {
        let mut beat = tokio::time::interval(std::time::Duration::from_millis(200));
        loop {
            tokio::select! {
                _ = beat.tick() => {
                    if let Some(words) = self.settled.damaged.get() {
                        return Damage(words.clone()).into();
                    }
                    if self.ingest.is_finished() || self.committer.is_finished() {
                        return anyhow::anyhow!("a thread of weir has ended");
                    }
                }
                Some(ended) = self.tasks.join_next() => match ended {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => return damage(&error).map_or(error, Into::into),
                    Err(error) => return error.into(),
                }
            }
        }
    }

    /// Notes for the next start that the journal is damaged and is to be set aside. This weir must
    /// end without another word to it.
    ///
    /// # Errors
    /// The note can't be written.
    pub fn mark(&self, damage: &Damage) -> std::io::Result<()> {
        aside::mark(&self.data_folder, &damage.0)
    }

    /// Stops in order: what was read is committed and acknowledged, connections are closed, what
    /// is committed is delivered once more, the state is written.
    ///
    /// # Errors
    /// A part of the daemon broke.
    pub async fn stop(self) -> anyhow::Result<()> {
        let Self { status, commands, stop, ingest, committer, mut tasks, .. } = self;
        status.stopping.store(true, Ordering::Release);
        // If it is gone already, joining it says so.
        commands.give(Command::Stop).await.ok();
        let joined = tokio::task::spawn_blocking(move || ingest.join()).await?;
        let ended = joined.map_err(|_| anyhow::anyhow!("the ingest thread broke"));
        stop.send(true).ok();
        while let Some(task) = tasks.join_next().await {
            task??;
        }
        // The last who could give it work is gone.
        let joined = tokio::task::spawn_blocking(move || committer.join()).await?;
        joined.map_err(|_| anyhow::anyhow!("the committing thread broke"))??;
        ended??;
        Ok(())
    }
}

fn register_sinks(journal: &mut Journal, config: &Config) -> Result<(), crate::journal::Error> {
    let sinks: &[&str] = if config.influx.is_some() { &[deliver::SINK] } else { &[] };
    for sink in journal.forget_sinks(sinks)? {
        tracing::warn!(sink, "A sink is configured no more; what waited for it may go.");
    }
    if config.influx.is_some() { deliver::register(journal) } else { Ok(()) }
}

fn outlets(
    config: &Config,
    channels: Vec<Channel>,
    outlet: &Outlet,
) -> anyhow::Result<JoinSet<anyhow::Result<()>>> {
    let mut tasks = JoinSet::new();
    beat(&mut tasks, config, outlet)?;
    if let Some(influx) = &config.influx {
        let deliverer = Deliverer { config: influx.clone(), outlet: outlet.clone() };
        tasks.spawn_local(deliverer.run());
    }
    for channel in &channels {
        outlet.status.channel_begins(channel.name());
    }
    for mut channel in channels {
        carry::begin(&mut channel, &config.brokers);
        tasks.spawn_local(Teller { channel, outlet: outlet.clone() }.run());
    }
    if let Some(morning) = config.morning.clone() {
        let (zone, outlet) = (config.home(), outlet.clone());
        tasks.spawn_local(Caller { config: morning, zone, outlet }.run());
    }
    tasks.spawn_local(Expiry::new(config, outlet.clone()).run());
    Ok(tasks)
}

/// Begins a task for each who is told that weir lives.
fn beat(
    tasks: &mut JoinSet<anyhow::Result<()>>,
    config: &Config,
    outlet: &Outlet,
) -> anyhow::Result<()> {
    let Some(heartbeat) = &config.heartbeat else { return Ok(()) };
    let hearts = heartbeat.hearts().map_err(anyhow::Error::msg).context("[heartbeat]")?;
    for heart in hearts {
        let every = Duration::from_secs(heartbeat.interval_s);
        let (stuck_after, outlet) = (stuck_after(config), outlet.clone());
        tasks.spawn_local(Beater { heart, every, stuck_after, outlet }.run());
    }
    Ok(())
}

fn stuck_after(config: &Config) -> Duration {
    let section = config.heartbeat.as_ref();
    Duration::from_secs(section.map_or_else(stuck_after_s, |section| section.stuck_after_s))
}

/// Begins the task that recomputes past days, and gives the way to it.
fn recompute(
    tasks: &mut JoinSet<anyhow::Result<()>>,
    commands: &Commands,
    outlet: &Outlet,
) -> Orders {
    let (way, orders) = mpsc::channel(ORDERS_MAX);
    let (data_folder, status) = (outlet.data_folder.clone(), Arc::clone(&outlet.status));
    let recomputer = Recomputer {
        data_folder: data_folder.clone(),
        commands: commands.clone(),
        status: Arc::clone(&status),
        orders,
        stop: outlet.stop.clone(),
    };
    tasks.spawn_local(recomputer.run());
    Orders { way, status, data_folder }
}

/// The journal is damaged, and how that showed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the journal is damaged: {0}")]
pub struct Damage(String);

fn damage(error: &anyhow::Error) -> Option<Damage> {
    let read = error.downcast_ref::<crate::journal::Error>().is_some_and(|one| one.is_damage());
    let state = error.downcast_ref::<recover::Error>().is_some_and(recover::Error::is_damage);
    (read || state).then(|| Damage(format!("{error:#}")))
}

/// Opens the journal and recovers its state. A damaged one is set aside and a new one begun.
fn open(
    config: &Config,
    edition: &Edition,
    clock: &mut Clock,
) -> anyhow::Result<(Journal, Beginning)> {
    let folder = &config.journal.data_folder;
    let words = match aside::marked(folder) {
        Some(words) => words,
        None => match open_sound(config, edition, clock) {
            Ok(opened) => return Ok(opened),
            Err(error) => match damage(&error) {
                Some(Damage(words)) => words,
                None => return Err(error),
            },
        },
    };
    if let Some(aside) = aside::set_aside(folder, &words, deliver::SINK, clock.now().wall)? {
        say_set_aside(&aside, &words);
    }
    open_sound(config, edition, clock)
}

fn open_sound(
    config: &Config,
    edition: &Edition,
    clock: &mut Clock,
) -> anyhow::Result<(Journal, Beginning)> {
    let journal = Journal::open(&config.journal, clock.now().wall)?;
    let beginning = begin(&journal, edition, clock)?;
    Ok((journal, beginning))
}

fn say_set_aside(aside: &Aside, fault: &str) {
    let said = |number: Option<u64>| number.map_or("unknown".to_owned(), |one| one.to_string());
    let (file, left) = (aside.file.display(), aside.left);
    tracing::error!(
        %file,
        fault,
        last_batch = said(left.last_batch),
        messages = said(left.messages.and_then(|count| u64::try_from(count).ok())),
        points_not_delivered = said(left.points_waiting),
        notifications_not_confirmed = said(left.notifications_due),
        "The journal is damaged. It was set aside, and a new one is begun: the ledger begins anew, \
         alerts that hold fire again under new numbers, and what was not delivered yet is in the \
         file only. Check the disk, and move the file to a safe place. To look at it: `sqlite3` \
         with the file, or `weir ledger` on a folder that has it as journal.sqlite."
    );
}

fn begin(journal: &Journal, edition: &Edition, clock: &mut Clock) -> anyhow::Result<Beginning> {
    if let Some(recovered) =
        recover::recover(journal.folder()).context("the state can't be recovered")?
    {
        let Recovered { pipeline, names, last, replayed } = recovered;
        clock.resume(last);
        tracing::info!(batch = journal.sequence(), replayed, "The state is recovered.");
        return Ok(Beginning { pipeline, names, last, is_new: false });
    }
    let mut names = Names::from_journal(journal.names()?);
    let registry = edition.compile(&mut names).map_err(|faults| refused(&faults))?;
    let last = clock.now();
    let mut pipeline = Pipeline::new(registry, last);
    pipeline.number_alerts_after(Reader::open(journal.folder())?.alerts_after()?);
    Ok(Beginning { pipeline, names, last, is_new: true })
}

fn core(
    beginning: Beginning,
    settings: Settings,
    ways: Ways,
    (edition, config): (&Edition, &Config),
    clock: &Clock,
) -> anyhow::Result<Core> {
    let Beginning { pipeline, names, last, is_new } = beginning;
    let registry = Arc::clone(pipeline.registry());
    let in_hand = InHand::begin(&settings.data_folder);
    let mut core = Core::new(pipeline, names, settings, ways, in_hand, last);
    keys::open_with(&mut core, config)?;
    let now = clock.now();
    if is_new {
        core.note_edition(now, edition, &registry);
        core.take(now, Input::Edition(registry));
    } else if core.take_edition(now, edition).map_err(|faults| refused(&faults))? {
        tracing::info!(edition = %core.registry().digest, "The folder's edition is in force.");
    }
    Ok(core)
}

fn refused(faults: &[Fault]) -> anyhow::Error {
    let list: Vec<String> = faults.iter().map(ToString::to_string).collect();
    anyhow::anyhow!("the seeds are refused:\n{}", list.join("\n"))
}

/// Makes the notification that there is no room, while there is.
fn full_notice(registry: &Registry, settings: &Settings, at: Moment) -> Option<NotificationRow> {
    let full = WeirCondition::JournalFull;
    let (_, rule) = registry.weir_rules.iter().find(|(condition, _)| *condition == full)?;
    let subject = Subject::Weir { condition: full, network: None };
    let (change, times) = (AlertChange::Fired, (at.wall, at.wall));
    let event = AlertEvent::plain(AlertId(0), *rule, subject, change, times);
    let told = notify::notification(registry, &event, &settings.letterhead);
    let channels =
        notify::takers(&settings.channels, told.route, 0, crate::domain::desk::NoticeKind::Alerts);
    let (id, body, alerts) = ("journal-full".to_owned(), told.body.to_string(), Vec::new());
    Some(NotificationRow { id, channels, body, alerts })
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn who_asks_beyond_the_most_commands_waits_and_hears_of_the_end() {
        let (way, taken) = mpsc::channel(COMMANDS_MAX);
        let commands = Commands { way, settled: Arc::default() };
        for _ in 0..COMMANDS_MAX {
            commands.give(Command::Stop).await.unwrap();
        }
        let mut one_more = std::pin::pin!(commands.retry(Vec::new(), 0));
        assert!(timeout(Duration::from_millis(20), &mut one_more).await.is_err());
        drop(taken);
        assert_eq!(one_more.await.unwrap_err().to_string(), "weir has ended");
    }
}
