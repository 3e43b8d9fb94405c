//! The demonstration: a broker, simulated stations that publish to it over real MQTT, and weir as
//! it runs in production, in one process.

pub mod broker;
mod screen;
pub mod world;

use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, interval, sleep, timeout};

use crate::config::Config;
use crate::daemon::clock::Clock;
use crate::daemon::edition::Edition;
use crate::daemon::page::Observer;
use crate::daemon::run::Daemon;
use crate::demo::broker::EmbeddedBroker;
use crate::demo::world::{Publication, World};
use crate::domain::input::Qos;
use crate::domain::registry::Hj212Edition;
use crate::domain::time::{MINUTE, SECOND, Timestamp};
use crate::http::door::Fallback;
use crate::http::view::LedgerView;
use crate::journal::read::Reader;
use crate::mqtt::publisher::Publisher;
use crate::seed::example;
use crate::simulate;
use crate::simulate::dialect::Dialect;
use crate::simulate::fleet::{Fleet, Schedule};

/// When the story begins: 2026-06-01T06:00:00+08:00.
const START: Timestamp = Timestamp(1_780_264_800_000);
/// How often stations look whether they have something to say.
const BEAT: Duration = Duration::from_millis(50);
/// How often the screen is drawn on a terminal, and how often lines are written elsewhere.
const DRAW: Duration = Duration::from_secs(1);
const REPORT: Duration = Duration::from_secs(10);
/// Stations beside those of the story, whose devices speak otherwise: as a station of HJ 212 does,
/// over LoRaWAN, and a meter.
const GUESTS: [Dialect; 3] =
    [Dialect::Hj212(Hj212Edition::Of2017), Dialect::Chirpstack, Dialect::Tasmota];
/// How many changes of alerts stand on the screen, the newest.
const LINES_MAX: usize = 8;
/// The configuration of a demonstration whose journal is kept, in its folder.
const CONFIGURATION: &str = "demo.toml";
/// The folder of its seeds within its own: what the page says of changes is said of it.
const SEEDS: &str = "seeds";
/// How long connecting and finishing may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is asked of the demonstration.
#[derive(Clone, Debug)]
pub struct Options {
    /// For how long it runs; until Ctrl-C without.
    pub length: Option<Duration>,
    /// How many times as fast as real time.
    pub speed: f64,
    /// Which world.
    pub seed: u64,
    /// Where the journal goes, to be looked at afterwards; else into a folder that is removed.
    pub data: Option<PathBuf>,
    /// A file with sections of the configuration to tell alerts by: `[[channel]]`, `[alerting]`,
    /// `[contacts]`, `[http]`. Paths in it are as seen from where weir is started.
    pub channels: Option<PathBuf>,
}

/// What was seen.
#[derive(Clone, PartialEq, Debug)]
pub struct Outcome {
    /// How many messages the stations published, over all runs that the journal has.
    pub published: i64,
    /// The ledger at the end.
    pub ledger: LedgerView,
    /// How many alerts fired, and how many resolved.
    pub fired: usize,
    /// How many resolved.
    pub resolved: usize,
}

impl Outcome {
    /// Tells what is wrong with it; nothing is as it should be.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        let ledger = &self.ledger;
        if !ledger.balances {
            return Some("the ledger does not balance".to_owned());
        }
        if ledger.messages.stored == 0 || ledger.readings.stored == 0 {
            return Some("nothing was stored".to_owned());
        }
        let (published, received) = (self.published, ledger.messages.received);
        (published != received)
            .then(|| format!("{published} messages were published and {received} received"))
    }
}

/// Runs the demonstration, writes what happens to standard output, and the ledger at the end.
///
/// # Errors
/// A part of it can't be started or broke.
pub async fn run(options: &Options) -> anyhow::Result<Outcome> {
    // Heard from the first moment on, whatever is being started: what comes before somebody listens
    // would end the process where it stands, or nothing.
    let interrupt = signal(SignalKind::interrupt())?;
    let broker = EmbeddedBroker::start().await?;
    let own = std::env::temp_dir().join(format!("weir-demo-{}", std::process::id()));
    let folder = options.data.clone().unwrap_or_else(|| own.clone());
    let outcome = run_in(&folder, &broker, options, interrupt).await;
    broker.stop().await;
    if options.data.is_none()
        && let Err(error) = std::fs::remove_dir_all(&own)
    {
        tracing::debug!(%error, "The folder of the demonstration stays.");
    }
    outcome
}

async fn run_in(
    folder: &Path,
    broker: &EmbeddedBroker,
    options: &Options,
    mut interrupt: Signal,
) -> anyhow::Result<Outcome> {
    let url = format!("mqtt://{}", broker.address());
    std::fs::create_dir_all(folder)?;
    let folder = &std::fs::canonicalize(folder)?;
    let further = match &options.channels {
        Some(file) => std::fs::read_to_string(file)
            .with_context(|| format!("{} can't be read", file.display()))?,
        None => String::new(),
    };
    let text = configuration(&url, folder, &further);
    let mut config = parsed(&text)?;
    // Whoever sits at this machine looks and tries; nothing here is real.
    config.http.guest = Some("demo");
    config.http.data_folder = Some(folder.clone());
    if options.data.is_some() {
        // For the commands that work on what the demonstration does.
        std::fs::write(folder.join(CONFIGURATION), &text)?;
    }
    let networks = config.networks();
    let judgement = config.judgement();
    let mut guests = Fleet::new(&GUESTS, 1, options.seed, false)?;
    let tables = simulate::seeds::beside(&example::tables(), &guests, MINUTE)?;
    // Whoever changed a row here wants to see on the page what that would do.
    if !folder.join(SEEDS).exists() {
        tables.write_to(&folder.join(SEEDS))?;
    }
    let edition = Edition { judgement, networks, tables };
    let start = begin(folder);
    if start > START {
        let at = start.rfc3339(&config.home());
        let folder = folder.display();
        writeln!(
            io::stdout(),
            "The journal in {folder} ends at {at}: the story begins anew there."
        )?;
    }
    let clock = Clock::scaled(start, options.speed);
    let mut daemon = Daemon::start(config, &edition, clock)?;
    daemon.hear_the_shell();
    let address = daemon.serve(Fallback::FreePort).await?.to_string();
    let observer = daemon.observer()?;
    let events = Reader::open(&daemon.data_folder)?;
    until(PATIENCE, || observer.unready().is_empty()).await.context("the broker is not reached")?;

    // Of a journal that was kept the ledger goes on.
    let before = observer.screen().ledger.messages.received;
    let publisher = Publisher::connect(&url, "stations")?;
    let mut show = Show::new(&address);
    let clock = daemon.clock.clone();
    let published = tokio::select! {
        published = play(&publisher, &clock, options, &mut guests, &mut interrupt) => published?,
        error = daemon.failed() => return Err(error),
        error = watch(&observer, &events, &mut show) => return Err(error),
    };
    publisher.flush().await;
    let all = || observer.screen().ledger.messages.received >= before + published;
    // If some never come, the outcome says so.
    until(PATIENCE, all).await.ok();
    publisher.close().await;
    daemon.stop().await?;
    show.events(&events)?;
    let ledger = observer.screen().ledger;
    let mut out = io::stdout().lock();
    write!(out, "\n{published} messages were published.\n{}", screen::ledger(&ledger))?;
    writeln!(out, "{} alerts fired, {} resolved.", show.fired, show.resolved)?;
    Ok(Outcome {
        published: before + published,
        ledger,
        fired: show.fired,
        resolved: show.resolved,
    })
}

/// Gives when the story begins: where a journal of the folder ends, else where it always does. So
/// nothing that is kept is ever of a time to come.
fn begin(folder: &Path) -> Timestamp {
    // Where there is none, or one that is damaged and will be set aside, the story is new.
    let last = Reader::open(folder).and_then(|reader| reader.last_batch_at()).ok().flatten();
    last.map_or(START, |last| last.plus(SECOND).max(START))
}

fn configuration(url: &str, folder: &Path, further: &str) -> String {
    let broker = |network: &str| {
        format!("[[broker]]\nnetwork = '{network}'\nurl = '{url}'\nclient_id = 'weir-{network}'\n")
    };
    let path = |path: &Path| toml::Value::from(path.display().to_string());
    let (data, seeds) = (path(folder), path(&folder.join(SEEDS)));
    let brokers = ["rivers", "parks", simulate::seeds::NETWORK].map(broker).concat();
    format!("seeds = {seeds}\n{brokers}[journal]\ndata_folder = {data}\n\n{further}")
}

fn parsed(text: &str) -> anyhow::Result<Config> {
    Config::parse("demo", text).map_err(|faults| {
        let list: Vec<String> = faults.iter().map(ToString::to_string).collect();
        anyhow::anyhow!(list.join("\n"))
    })
}

/// Lets the stations publish until the time is up or somebody presses Ctrl-C; gives how many
/// messages they published.
async fn play(
    publisher: &Publisher,
    clock: &Clock,
    options: &Options,
    guests: &mut Fleet,
    interrupt: &mut Signal,
) -> anyhow::Result<i64> {
    let end = options.length.map(|length| Instant::now() + length);
    let mut world = World::new(options.seed, clock.now().wall);
    let rate = guests.len() as f64 * 1_000.0 / MINUTE as f64;
    let mut schedule = Schedule::new(guests.len(), rate, clock.now().wall);
    let mut beat = interval(BEAT);
    let mut published = 0;
    loop {
        tokio::select! {
            _ = interrupt.recv() => return Ok(published),
            _ = beat.tick() => {}
        }
        if end.is_some_and(|end| Instant::now() >= end) {
            return Ok(published);
        }
        let mut said: Vec<Publication> = Vec::new();
        let now = clock.now().wall;
        world.until(now, &mut |publication| said.push(publication));
        let mut said: Vec<(String, Vec<u8>)> =
            said.into_iter().map(|one| (one.topic, one.payload)).collect();
        while schedule.due() <= now {
            let due = schedule.due();
            let spoken = guests.speak(schedule.step(), due);
            said.extend(spoken.publications.into_iter().map(|one| (one.topic, one.payload)));
        }
        for (topic, payload) in said {
            publisher.publish(&topic, payload, Qos::AtLeastOnce, false).await?;
            published += 1;
        }
    }
}

/// Shows what is going on, for ever.
async fn watch(observer: &Observer, events: &Reader, show: &mut Show) -> anyhow::Error {
    let mut beat = interval(DRAW);
    loop {
        beat.tick().await;
        if let Err(error) = show.draw(observer, events) {
            return error;
        }
    }
}

/// What was shown so far.
struct Show {
    address: String,
    terminal: bool,
    reported: Option<Instant>,
    told: usize,
    fired: usize,
    resolved: usize,
    /// The last events, for the screen.
    last: Vec<String>,
}

impl Show {
    fn new(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            terminal: io::stdout().is_terminal(),
            reported: None,
            told: 0,
            fired: 0,
            resolved: 0,
            last: Vec::new(),
        }
    }

    fn draw(&mut self, observer: &Observer, events: &Reader) -> anyhow::Result<()> {
        self.events(events)?;
        let due = self.reported.is_none_or(|at| at.elapsed() >= REPORT);
        let seen = observer.screen();
        let ready = !seen.stations.places.is_empty();
        if self.terminal {
            let mut out = io::stdout().lock();
            write!(out, "{}{}", screen::HOME, screen::draw(&seen, &self.address, true))?;
            for line in &self.last {
                writeln!(out, "{line}")?;
            }
        } else if due && ready {
            self.reported = Some(Instant::now());
            write!(io::stdout().lock(), "{}", screen::draw(&seen, &self.address, false))?;
        }
        Ok(())
    }

    /// Tells the changes of alerts since the last call.
    fn events(&mut self, events: &Reader) -> anyhow::Result<()> {
        let mut history = events.alert_history((None, None), 10_000)?;
        history.reverse();
        for event in history.iter().skip(self.told) {
            let body: Value = serde_json::from_str(&event.json).unwrap_or_default();
            let sentence = body.pointer("/commonAnnotations/summary_en").and_then(Value::as_str);
            let line = format!("  {:<9} {}", event.change, sentence.unwrap_or_default());
            match event.change.as_str() {
                "firing" => self.fired += 1,
                "resolved" => self.resolved += 1,
                _ => {}
            }
            if !self.terminal {
                writeln!(io::stdout().lock(), "{line}")?;
            }
            self.last.push(line);
        }
        self.last.drain(..self.last.len().saturating_sub(LINES_MAX));
        self.told = history.len();
        Ok(())
    }
}

async fn until(patience: Duration, holds: impl Fn() -> bool) -> anyhow::Result<()> {
    let waiting = async {
        while !holds() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    if timeout(patience, waiting).await.is_err() {
        bail!("waited {} s in vain", patience.as_secs());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::domain::input::{Arrival, Input};
    use crate::domain::time::{HOUR, Moment};
    use crate::journal::batch::Batch;
    use crate::journal::write::Journal;

    #[test]
    fn a_story_goes_on_after_what_is_kept_and_never_before_it() {
        let folder = TempDir::new().unwrap();
        assert_eq!(begin(folder.path()), START, "nothing is kept");
        let mut journal = Journal::open(&crate::journal::Config::at(folder.path()), START).unwrap();
        assert_eq!(begin(folder.path()), START, "a new journal");
        let last = START.plus(3 * HOUR);
        let mut batch = Batch { at: last, ..Batch::default() };
        let at = Moment { wall: last, elapsed_ms: 3 * HOUR };
        batch.inputs.push(&Arrival { at, input: Input::Tick });
        journal.commit(&batch).unwrap();
        assert_eq!(begin(folder.path()), last.plus(SECOND));
    }

    #[test]
    fn the_seeds_are_those_of_its_own_folder() {
        let text = configuration("mqtt://127.0.0.1:1", Path::new("/tmp/it's"), "");
        let config = parsed(&text).unwrap();
        assert_eq!(config.seeds, Path::new("/tmp/it's/seeds"));
    }
}
