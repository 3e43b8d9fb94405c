//! Simulated devices: a plausible world, or a series that is played, published in any of the
//! formats to any broker; and the seeds that have weir read it.

pub mod dialect;
pub mod encode;
pub mod fleet;
pub mod loggers;
mod play;
mod properties;
pub mod seeds;
pub mod weather;
mod world;

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use jiff::tz::TimeZone;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::daemon::clock::Clock;
use crate::domain::input::Qos;
use crate::domain::time::{DAY, SECOND, Timestamp};
use crate::mqtt;
use crate::mqtt::publisher::{Heard, Manner, Publisher};
use crate::simulate::dialect::Dialect;
use crate::simulate::encode::{Publication, sparkplug_b};
use crate::simulate::fleet::{Fleet, Schedule, Spoken};
use crate::simulate::loggers::{Answers, Loggers};
use crate::simulate::play::{Row, Series};
use crate::simulate::properties::Properties;

/// Without a rate each device speaks once in so many ms.
const EVERY: i64 = 10 * SECOND;
/// How long a broker may take to let the simulation in, and then to confirm its last messages.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long loggers wait for their last answers.
const ANSWERS: Duration = Duration::from_secs(5);
/// The longest and the shortest wait between two looks at the clock.
const WAIT: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(500)];
/// How often progress is told on a terminal, and elsewhere, ms.
const TELL: [i64; 2] = [SECOND, 10 * SECOND];

/// What is asked of the simulation.
#[derive(Debug)]
pub struct Options {
    /// The formats.
    pub dialects: Vec<Dialect>,
    /// How many stations each has.
    pub stations: u32,
    /// How many devices speak a second.
    pub rate: Option<f64>,
    /// What is played, instead of the world.
    pub play: Option<Play>,
    /// The broker,
    pub broker: mqtt::config::Config,
    /// and how its section of the configuration is written.
    pub section: String,
    /// For how long it runs; until Ctrl-C without.
    pub length: Option<Duration>,
    /// Which world.
    pub seed: u64,
    /// How messages are published.
    pub qos: Qos,
    /// Whether loggers of HJ 212 ask for acknowledgements.
    pub acknowledge: bool,
    /// Where seeds and configuration are written.
    pub seeds: Option<PathBuf>,
    /// Where everything that is said is written.
    pub told: Option<PathBuf>,
}

/// A file that is played.
#[derive(Debug)]
pub struct Play {
    /// Its name,
    pub file: String,
    /// and what is in it.
    pub bytes: Vec<u8>,
    /// How many times as fast as its own time.
    pub speed: f64,
    /// Whether its first time is now.
    pub shift_to_now: bool,
}

/// What was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Outcome {
    /// How many messages were handed to the broker,
    pub sent: u64,
    /// and how many of them it confirmed.
    pub confirmed: u64,
    /// How often the edge node was born, and how often because a host asked for it.
    pub births: u64,
    /// How often a host asked for a birth.
    pub rebirths: u64,
    /// What loggers were answered.
    pub answers: Answers,
}

/// Runs the simulation; tells its progress on standard output.
///
/// # Errors
/// What is asked for can't be done, or the broker is not reached.
pub async fn run(options: Options) -> anyhow::Result<Outcome> {
    let properties = Properties::of_example()?;
    let series = options.play.as_ref().map(|play| series(play, &properties)).transpose()?;
    let Options { dialects, stations, seed, acknowledge, .. } = &options;
    let fleet = match &series {
        None => Fleet::new(dialects, *stations, *seed, *acknowledge)?,
        Some(series) => Fleet::playing(dialects, *stations, &series.columns, *acknowledge)?,
    };
    let rate = rate(&options, fleet.len())?;
    let every_ms = match &series {
        None => (fleet.len() as f64 / rate * 1_000.0) as i64,
        Some(series) => series.interval_ms(),
    };
    let clock = match (&series, &options.play) {
        (Some(series), Some(play)) if !play.shift_to_now => {
            let start = series.rows.first().map_or(Timestamp::default(), |row| row.at);
            Clock::scaled(start, play.speed)
        }
        _ => Clock::real(),
    };
    if let Some(folder) = &options.seeds {
        seeds::write(folder, &options.section, &seeds::tables(&fleet, every_ms))?;
        say(&next(&options, &series, folder))?;
    }
    let source = match series {
        None => Source::World(Schedule::new(fleet.len(), rate, clock.now().wall)),
        Some(mut series) => {
            if options.play.as_ref().is_some_and(|play| play.shift_to_now) {
                series.shift(clock.now().wall);
            }
            Source::Series { rows: series.rows, at: 0, device: 0 }
        }
    };
    let mut simulation = Simulation::join(&options, clock, fleet, source).await?;
    simulation.run(&options).await?;
    simulation.end(&options).await
}

fn series(play: &Play, properties: &Properties) -> anyhow::Result<Series> {
    Series::read(&play.file, &play.bytes, properties).map_err(|faults| {
        let list: Vec<String> = faults.iter().map(ToString::to_string).collect();
        anyhow::anyhow!(list.join("\n"))
    })
}

/// Gives how many devices speak a second.
fn rate(options: &Options, devices: usize) -> anyhow::Result<f64> {
    let devices = devices as f64;
    let rate = options.rate.unwrap_or(devices * 1_000.0 / EVERY as f64);
    if rate > devices {
        bail!(
            "--rate {rate}: found more than one a second for each of {devices} devices, expected \
             at most {devices}, since some formats state no part of a second; give more --stations"
        );
    }
    if rate * DAY as f64 / 1_000.0 < devices {
        bail!("--rate {rate}: found less than one a day for each of {devices} devices");
    }
    Ok(rate)
}

/// Says what may be done with the seeds.
fn next(options: &Options, series: &Option<Series>, folder: &std::path::Path) -> String {
    let file = folder.join("weir.toml");
    let file = file.display();
    let run = format!("weir run --config {file}");
    let commands = match (series, &options.play) {
        (Some(series), Some(play)) if !play.shift_to_now => {
            let start = series.rows.first().map_or(Timestamp::default(), |row| row.at);
            let start = start.rfc3339(&TimeZone::UTC);
            let speed = play.speed;
            format!(
                "{run} --clock-start {start} --speed {speed}\n\nThe series begins when weir runs."
            )
        }
        _ => format!("{run}\n  weir tap --config {file}"),
    };
    format!(
        "{file} and the seeds beside it have weir read this. In another terminal:\n\n  {commands}\n"
    )
}

/// Gives the topic on which weir says that it runs, where its clock and that of a series must begin
/// together: a value that is ahead of weir's clock is doubted.
fn awaited(options: &Options) -> Option<String> {
    let own_times = options.play.as_ref().is_some_and(|play| !play.shift_to_now);
    options.broker.status_topic().filter(|_| own_times && options.seeds.is_some())
}

/// What devices say next.
#[derive(Debug)]
enum Source {
    World(Schedule),
    /// Rows of a series, said by one device after another.
    Series {
        rows: Vec<Row>,
        at: usize,
        device: usize,
    },
}

impl Source {
    /// Gives when somebody speaks next; nothing at the end of a series.
    fn due(&self) -> Option<Timestamp> {
        match self {
            Self::World(schedule) => Some(schedule.due()),
            Self::Series { rows, at, .. } => rows.get(*at).map(|row| row.at),
        }
    }

    /// Has the next device speak.
    fn speak(&mut self, fleet: &mut Fleet) -> Spoken {
        match self {
            Self::World(schedule) => {
                let due = schedule.due();
                fleet.speak(schedule.step(), due)
            }
            Self::Series { rows, at, device } => {
                let Some(row) = rows.get(*at) else { return Spoken::default() };
                let spoken = fleet.say(*device, row.at, &row.values);
                *device += 1;
                if *device >= fleet.len() {
                    (*at, *device) = (*at + 1, 0);
                }
                spoken
            }
        }
    }
}

/// A simulation at work.
struct Simulation {
    clock: Clock,
    /// The system's, whatever the series says.
    real: Clock,
    fleet: Fleet,
    source: Source,
    publisher: Publisher,
    heard: mpsc::Receiver<Heard>,
    loggers: Loggers,
    told: Option<BufWriter<File>>,
    sessions: u64,
    outcome: Outcome,
    qos: Qos,
}

impl Simulation {
    async fn join(
        options: &Options,
        clock: Clock,
        fleet: Fleet,
        source: Source,
    ) -> anyhow::Result<Self> {
        let told = options.told.as_ref().map(|file| {
            let made = File::create(file).map(BufWriter::new);
            made.with_context(|| format!("{} can't be written", file.display()))
        });
        let mut told = told.transpose()?;
        if let Some(told) = &mut told {
            writeln!(told, "time,dated_by,station,property,value,unit")?;
        }
        let mut manner = Manner::default();
        if options.acknowledge {
            manner.hears.push("hj212/+/down".to_owned());
        }
        manner.hears.extend(awaited(options));
        if fleet.has_node() {
            manner.hears.push(sparkplug_b::commands());
            manner.will = Some(|session| {
                let death = Fleet::death(session);
                Heard { topic: death.topic, payload: death.payload }
            });
        }
        let (publisher, heard) = Publisher::join(&options.broker, manner)?;
        let url = options.broker.shown_url();
        let inside = async {
            while publisher.sessions() == 0 {
                sleep(WAIT[1] / 10).await;
            }
        };
        if timeout(PATIENCE, inside).await.is_err() {
            let fault = publisher.fault().map_or_else(String::new, |fault| format!(": {fault}"));
            bail!(
                "{url} does not let the simulation in{fault}; is a broker running there? \
                 `mosquitto` starts one, --broker names another"
            );
        }
        let (real, loggers) = (Clock::real(), Loggers::default());
        let (sessions, outcome, qos) = (0, Outcome::default(), options.qos);
        Ok(Self {
            clock,
            real,
            fleet,
            source,
            publisher,
            heard,
            loggers,
            told,
            sessions,
            outcome,
            qos,
        })
    }

    /// Publishes until the time is up, the series at its end, or somebody has it stop.
    async fn run(&mut self, options: &Options) -> anyhow::Result<()> {
        let end = options.length.map(|length| length.as_millis() as i64);
        let mut progress = Progress::new(self.outcome);
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let asked = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        tokio::pin!(asked);
        if let Some(topic) = awaited(options) {
            tokio::select! {
                () = &mut asked => return Ok(()),
                () = self.await_weir(&topic) => {}
            }
            let first = self.source.due().unwrap_or_default();
            self.clock = Clock::scaled(first, self.clock.speed());
        }
        let start = self.real.now().elapsed_ms;
        loop {
            let passed = self.real.now().elapsed_ms - start;
            progress.tell(passed, self.seen())?;
            let Some(due) = self.source.due() else { return Ok(()) };
            if end.is_some_and(|end| passed >= end) {
                return Ok(());
            }
            self.live().await?;
            let wait = due.since(self.clock.now().wall);
            if wait <= 0 {
                let spoken = self.source.speak(&mut self.fleet);
                self.say(spoken).await?;
                if timeout(Duration::ZERO, &mut asked).await.is_ok() {
                    return Ok(());
                }
                continue;
            }
            let wait = Duration::from_secs_f64(wait as f64 / 1_000.0 / self.clock.speed());
            tokio::select! {
                () = &mut asked => return Ok(()),
                heard = self.heard.recv() => self.hear(heard).await?,
                () = sleep(wait.clamp(WAIT[0], WAIT[1])) => {}
            }
        }
    }

    /// Waits until weir says that it runs.
    async fn await_weir(&mut self, topic: &str) {
        while let Some(heard) = self.heard.recv().await {
            if heard.topic == topic && heard.payload == b"online" {
                return;
            }
        }
    }

    /// Does what is due beside speaking: births of a new session, frames that are sent again.
    async fn live(&mut self) -> anyhow::Result<()> {
        while let Ok(heard) = self.heard.try_recv() {
            self.hear(Some(heard)).await?;
        }
        let sessions = self.publisher.sessions();
        if sessions != self.sessions {
            self.sessions = sessions;
            self.birth().await?;
        }
        for publication in self.loggers.again(Timestamp(self.real.now().elapsed_ms)) {
            self.publish(publication).await?;
        }
        Ok(())
    }

    async fn birth(&mut self) -> anyhow::Result<()> {
        let session = self.sessions.saturating_sub(1);
        if let Some(birth) = self.fleet.birth(session, self.clock.now().wall) {
            self.outcome.births += 1;
            self.publish(birth).await?;
        }
        Ok(())
    }

    async fn hear(&mut self, heard: Option<Heard>) -> anyhow::Result<()> {
        let Some(Heard { topic, payload }) = heard else { return Ok(()) };
        if topic == sparkplug_b::commands() {
            if sparkplug_b::asks_for_rebirth(&payload) {
                self.outcome.rebirths += 1;
                self.birth().await?;
            }
        } else {
            self.loggers.hear(&self.fleet, &topic, &payload);
        }
        Ok(())
    }

    async fn say(&mut self, spoken: Spoken) -> anyhow::Result<()> {
        let now = Timestamp(self.real.now().elapsed_ms);
        for publication in spoken.publications {
            self.loggers.ask(&publication, now);
            self.publish(publication).await?;
        }
        let Some(out) = &mut self.told else { return Ok(()) };
        for told in spoken.told {
            let at = told.at.rfc3339(&TimeZone::UTC);
            let by = if told.dated { "device" } else { "arrival" };
            let (station, property, value) = (told.station, told.property, told.value);
            writeln!(out, "{at},{by},{station},{property},{value},{}", told.unit)?;
        }
        Ok(())
    }

    async fn publish(&mut self, publication: Publication) -> anyhow::Result<()> {
        let Publication { topic, payload, retain, .. } = publication;
        self.publisher.publish(&topic, payload, self.qos, retain).await?;
        self.outcome.sent += 1;
        Ok(())
    }

    fn seen(&self) -> Outcome {
        let confirmed = self.publisher.confirmed();
        Outcome { confirmed, answers: self.loggers.answers, ..self.outcome }
    }

    /// Waits for what is under way, and says good-bye: who leaves in order says so itself.
    async fn end(mut self, options: &Options) -> anyhow::Result<Outcome> {
        let answers = async {
            while self.loggers.wait() {
                let heard = self.heard.recv().await;
                self.hear(heard).await?;
            }
            anyhow::Ok(())
        };
        if let Ok(waited) = timeout(ANSWERS, answers).await {
            waited?;
        }
        for farewell in self.fleet.farewells(self.sessions.saturating_sub(1)) {
            self.publish(farewell).await?;
        }
        timeout(PATIENCE, self.publisher.flush()).await.ok();
        let outcome = self.seen();
        self.publisher.close().await;
        if let Some(mut told) = self.told {
            told.flush()?;
        }
        say(&last(options, outcome, self.loggers.fault.as_deref()))?;
        Ok(outcome)
    }
}

/// Tells how far the simulation is.
struct Progress {
    terminal: bool,
    told_ms: i64,
    before: Outcome,
}

impl Progress {
    fn new(before: Outcome) -> Self {
        Self { terminal: io::stdout().is_terminal(), told_ms: 0, before }
    }

    fn tell(&mut self, passed_ms: i64, seen: Outcome) -> io::Result<()> {
        let between = passed_ms - self.told_ms;
        let [on_terminal, elsewhere] = TELL;
        if between < if self.terminal { on_terminal } else { elsewhere } {
            return Ok(());
        }
        let a_second = (seen.sent - self.before.sent) as f64 * 1_000.0 / between as f64;
        (self.told_ms, self.before) = (passed_ms, seen);
        let mut out = io::stdout().lock();
        let (begin, end) = if self.terminal { ("\r\x1b[2K", "") } else { ("", "\n") };
        write!(
            out,
            "{begin}{} s: {} messages sent, {} confirmed, {a_second:.1} a second{end}",
            passed_ms / SECOND,
            seen.sent,
            seen.confirmed
        )?;
        out.flush()
    }
}

fn last(options: &Options, outcome: Outcome, fault: Option<&str>) -> String {
    let begin = if io::stdout().is_terminal() { "\r\x1b[2K" } else { "" };
    let mut words = format!("{begin}{} messages sent", outcome.sent);
    if options.qos != Qos::AtMostOnce {
        words.push_str(&format!(", {} confirmed by the broker", outcome.confirmed));
    }
    words.push_str(".\n");
    if outcome.births > 0 {
        let Outcome { births, rebirths, .. } = outcome;
        words.push_str(&format!("sparkplug_b: born {births} times, asked for {rebirths} times.\n"));
    }
    if options.acknowledge {
        let Answers { asked, acknowledged, unasked, repeated, given_up, refused } = outcome.answers;
        words.push_str(&format!(
            "hj212: {asked} frames asked, {acknowledged} were acknowledged, {unasked} once more; \
             {repeated} were sent again, {given_up} given up, {refused} answers not understood\n"
        ));
    }
    if let Some(fault) = fault {
        words.push_str(&format!("The last answer not understood: {fault}\n"));
    }
    words
}

fn say(words: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", words.trim_end())?;
    out.flush()
}
