//! The command line.

mod alerts;
mod assess;
mod audit;
mod decode;
mod discover;
mod explain;
mod import;
mod ledger;
mod letters;
mod limits;
mod notify;
mod qc;
mod recompute;
mod replay;
mod seeds;
#[cfg(feature = "demo")]
mod simulate;
mod table;
mod user;

use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

pub use self::alerts::Alerts;
pub use self::assess::Assess;
pub use self::audit::Audit;
pub use self::decode::Payload;
pub use self::discover::Discover;
pub use self::import::Import;
pub use self::letters::Letters;
pub use self::limits::Limits;
pub use self::notify::Notify;
pub use self::qc::Series;
pub use self::recompute::Recompute;
pub use self::replay::Replay;
pub use self::seeds::Seeds;
#[cfg(feature = "demo")]
pub use self::simulate::Simulate;
pub use self::user::User;
use crate::config::Config;
use crate::daemon::book::by_shell;
use crate::daemon::check::{self, Sound};
use crate::daemon::clock::Clock;
use crate::daemon::run::{Commands, Daemon, Damage};
use crate::daemon::socket::Answer;
use crate::daemon::systemd;
use crate::daemon::tap::{Style, tap};
#[cfg(feature = "demo")]
use crate::demo;
use crate::domain::booked::What;
use crate::domain::fault::Fault;
use crate::domain::time::Timestamp;
use crate::http::door::Fallback;
use crate::journal::backup;
use crate::telemetry;

/// Reads water, air and energy meters over MQTT, judges what they say, and tells who must know.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What weir can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what weir does: an embedded broker, simulated stations of Shenyang, and weir itself.
    ///
    /// A pollution wave goes down a river, a probe sticks, a station falls silent, messages are
    /// broken. Nothing of it was measured. At the end the ledger is printed; exits with 1 if it
    /// does not balance, nothing was stored, or a message was lost.
    #[cfg(feature = "demo")]
    Demo {
        /// For how long, such as 30s or 5m; until Ctrl-C without.
        #[arg(long = "for", value_name = "TIME", value_parser = length)]
        length: Option<Duration>,
        /// How many times as fast as real time.
        #[arg(long, default_value_t = 300.0, value_parser = speed)]
        speed: f64,
        /// Which world: the same number is the same world.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Keep the journal in this folder, to look at it afterwards.
        #[arg(long, value_name = "FOLDER")]
        data: Option<PathBuf>,
        /// Tell the alerts by the channels of this file: sections `[[channel]]`, and if wanted
        /// `[alerting]` and `[contacts]`, as in weir.toml. With --data its commands work on the
        /// demonstration, too: weir alerts ls --config FOLDER/demo.toml.
        #[arg(long, value_name = "FILE")]
        channels: Option<PathBuf>,
    },
    /// Publish what devices of any format would, to any broker: an invented world, or your series.
    ///
    /// Each station has a device: sondes and cabinets of a river, outfalls of a works, meters of
    /// electricity. Nothing of it was measured. What is published follows from the seed number and
    /// the time. With `--seeds` it also writes what weir needs to read it. Exits with 1 if the
    /// broker did not confirm all of it. No daemon need be at work.
    #[cfg(feature = "demo")]
    #[command(after_long_help = simulate::EXAMPLE)]
    Simulate(Simulate),
    /// Run the daemon: subscribe, judge, store, alert, until SIGTERM or Ctrl-C.
    ///
    /// A message is acknowledged only after the journal holds it and all it caused. SIGHUP takes
    /// the seeds anew; an edition with a fault is refused and the one in force stays.
    Run {
        /// The configuration.
        #[arg(long, default_value = "config/weir.toml")]
        config: PathBuf,
        /// Run by a clock that starts at this time (RFC 3339), for data that is played.
        #[arg(long, value_name = "TIME")]
        clock_start: Option<jiff::Timestamp>,
        /// How many times as fast as real time that clock runs.
        #[arg(long, default_value_t = 1.0, requires = "clock_start", value_parser = speed)]
        speed: f64,
    },
    /// Read configuration and seeds whole and tell every fault at once.
    ///
    /// Exits with 1 if there is one. Each line names file and line, what was found and what was
    /// expected.
    Check {
        /// The configuration.
        #[arg(long, default_value = "config/weir.toml")]
        config: PathBuf,
        /// Also try brokers, database and alert channels; stores nothing, messages nobody.
        #[arg(long)]
        connect: bool,
    },
    /// Show what comes in and what weir makes of it, message by message.
    ///
    /// A client of its own: a daemon at work is not touched, and nothing is stored. Classes,
    /// indices and grades of stations and sets are shown where they change, of what it heard since
    /// it began: of how many items they are, what decided and what is missing.
    Tap {
        /// An MQTT filter such as `water/+/data`; without it, what the seeds subscribe to.
        pattern: Option<String>,
        /// One JSON object a message.
        #[arg(long)]
        json: bool,
        /// The configuration.
        #[arg(long, default_value = "config/weir.toml")]
        config: PathBuf,
    },
    /// Listen to what nobody has described yet, and write rows for the seeds, to review.
    ///
    /// A client of its own: a daemon at work is not touched. For each topic the format is guessed,
    /// each device with its channels, a sample value of each, the likely property and unit. Topics
    /// that differ in a level are one pattern. Printed, or written to `--out`, are rows of
    /// topics.csv, profiles.csv and devices.csv; a channel that nobody can tell is a comment. Fill
    /// in the stations, add the rows to the seeds, and `weir check` says what is still missing.
    ///
    /// Example: `weir discover 'site7/#' --for 5m --out /tmp/site7`
    Discover(Discover),
    /// Print where every message and reading ended: received = stored + rejected + duplicate.
    ///
    /// Works while the daemon runs. Exits with 1 if the ledger does not balance, or if InfluxDB
    /// holds other points than it was given.
    Ledger {
        /// Also ask InfluxDB how many values it holds, and name what differs.
        #[arg(long)]
        reconcile: bool,
        /// As JSON.
        #[arg(long)]
        json: bool,
        /// The configuration.
        #[arg(long, default_value = "config/weir.toml")]
        config: PathBuf,
    },
    /// List the channels of notification, and send a test to one.
    #[command(subcommand)]
    Notify(Notify),
    /// Look at what was turned away, and run it again.
    #[command(subcommand)]
    DeadLetters(Letters),
    /// Compare and change editions of the seeds.
    #[command(subcommand)]
    Seeds(Seeds),
    /// Print which limits are in force: instrument, clause, class, averaging, number, condition.
    ///
    /// A limit is looked up by the time of the reading, so `--at 2026-02-28` and `--at 2026-03-01`
    /// differ. With `--station` only what holds there, the stricter of two marked, and below it
    /// what each water class allows. `averaging` says which values are held against a limit: `any`
    /// value, a `single` one, means of an hour (`1h`), a `day` … or, `statistical`, only the share
    /// of many. Reads configuration and seeds only; no daemon need be at work.
    Limits(Limits),
    /// Say what the values of a table come to: water class, air quality index, trophic state.
    ///
    /// For comparing with what was published. The functions are those of the daemon, each row is
    /// judged by its own time, and the limits and editions are those of the seeds; no daemon need
    /// be at work. The table is CSV: a column `time` (local, or with an offset), `station` where
    /// there are several, and one a property, named as in properties.csv or by its symbol, with
    /// another unit in brackets: `NH3-N[ug/L]`. Nothing in a cell is a missing value, `<0.025` one
    /// below detection, `/` an item that the monitoring scheme leaves out. `ozone` of a day is the
    /// daily maximum of eight hours.
    ///
    /// Out comes a row for each index of each row: class or value, grade, colour, what decided
    /// (of air the primary pollutants), multiples over the target and over class III, k of n
    /// items, what is missing and the instrument. With a fault there is no verdict, but every
    /// fault with line and column.
    ///
    /// Example: `weir assess --water river --target IV --keep published table.csv`, of
    ///
    ///   time,pH,DO,CODMn,NH3-N,TP,published
    ///   2026-06-01 12:00,7.6,6.8,5.1,1.62,0.12,V
    ///
    /// says class V by ammonia nitrogen, 0.08 times over IV and 0.62 times over III.
    #[command(verbatim_doc_comment)]
    Assess(Assess),
    /// Flag the values of a table by QARTOD's tests, CSV in, CSV out; say what values don't count.
    ///
    /// The table has a column `time` and one for each series, in any order of time; an empty cell
    /// or NaN is a missing value. It comes back with a column for each test of a series, such as
    /// `ph_spike`, and `ph_qc` for all of them: 1 passed, 2 not evaluated, 3 suspect, 4 failed,
    /// 9 missing. Thresholds are in the unit of the column, times are seconds or such as `24h`.
    ///
    /// The other method of a spike is `differential`, the other check of a signal `std`. Seasons
    /// are month, quarter, week, dayofyear, dayofweek (0 for Monday) and hour; `within = [0, 4]`
    /// has a row hold where the column named by `companion` is so. The names of ioos_qc and its
    /// parameters, `spike_test` with `suspect_threshold`, are understood as well; what weir does
    /// otherwise stands in docs/qc.md.
    ///
    /// With `--station` the tests are those of the seeds, and `--config` is the configuration of
    /// weir: each row is taken as a message of the station, one after the other in order of time,
    /// and flagged as the daemon would. A column is a property of the station, `position/property`
    /// where it has several, in the property's own unit or with another in brackets.
    ///
    /// `weir qc invalidate`, `check`, `revoke` and `list` are about the values of a daemon at work:
    /// what a person says of them, what a check of the instrument showed. `weir qc explain` tells
    /// why one has its flag, and `days` which share of them passed.
    #[command(after_long_help = qc::EXAMPLE)]
    Qc(Series),
    /// Work off what fires; see which rules watch what, and test them.
    #[command(subcommand)]
    Alerts(Alerts),
    /// Read one payload from standard input and print its readings, or why it has none.
    ///
    /// With --topic by the seeds, as the daemon would: channels of the device's profile, units,
    /// marks, times. Without it everything that the payload names is shown. Exits with 1 if it
    /// would be a dead letter. Example: `weir decode --format hj212 < frame.txt`.
    Decode(Payload),
    /// Take in a table of a laboratory or a logger, as history.
    ///
    /// The table is CSV: a column `time` (local, or with an offset), and one a property, named as
    /// in properties.csv, by its symbol or as a channel of the profile, with another unit in
    /// brackets: `NH3-N[ug/L]`. Or it is long: `time`, `property`, `value`, and if need be `unit`.
    /// Both may have `method`, `person`, `detection_limit` and `station`. `<0.025` and `0.025L` are
    /// below detection, as is `ND` with a limit; an empty cell is no value.
    ///
    /// The device is the station's one of the network `import` (devices.csv), or the one that is
    /// named, such as a logger whose file this is. What is read goes through the daemon at work as
    /// its messages do: each value ends stored, as a dead letter, or as a duplicate, so a table may
    /// be imported again. No alert is raised; the days are recomputed once they are closed, 35
    /// hours after their end. Exits with 1 if something was rejected. See docs/import.md.
    ///
    /// Example: `weir import june.csv --station hunhe-dongling --dry-run`
    #[command(verbatim_doc_comment)]
    Import(Import),
    /// Have past days reckoned again, as if what came late had come in time.
    ///
    /// The daemon does so itself for each day of which values came too late, once nothing can come
    /// in time for it any more: 35 hours after its end. By hand it is for an audit. The raw
    /// messages of the journal are played aside; averages, classes and indices that come out
    /// otherwise are stored as revisions, verdicts that changed are named in the log, and no alert
    /// is raised or ended. The answer says what is begun; `recomputed` in the log says what came of
    /// it. Days whose raw messages are gone (`raw_keep_days`) stay as they are.
    Recompute(Recompute),
    /// Show which alerts other seeds would have given: `+` new, `-` no more, `~` otherwise.
    ///
    /// The raw messages of the journal are played aside, from 26 hours before `--from` on, by the
    /// seeds that were in force and by the other ones. A daemon at work is not touched, nothing is
    /// written. See docs/alerts.md. Example: `weir replay --from 2026-06-01 --to 2026-06-08`
    Replay(Replay),
    /// Show who did what: with alerts, values, dead letters, channels, seeds and accounts.
    ///
    /// And who logged in, or tried to in vain. The list of the page `/audit`, the newest last, also
    /// where no daemon is at work. Each line has time, person, what was done, with what, and the
    /// reason or what came of it; `(shell)` where it was done on this machine, by the user of the
    /// machine or whom `--person` named. What was done with alerts and values lasts as long as the
    /// journal keeps it; the rest is in `acts.jsonl` and `logins.jsonl` of the data folder. See
    /// docs/accounts.md.
    ///
    /// Example: `weir audit --from 2026-06-01 --person li.na`
    Audit(Audit),
    /// Say who may come to the page, and what they may do there.
    ///
    /// The accounts are in `users.toml` of the data folder, or where `users_file` of `[http]` says;
    /// a weir at work reads the file again within a second. See docs/accounts.md.
    #[command(subcommand, after_help = user::ROLES)]
    User(User),
    /// Copy the journal into a file while the daemon writes on.
    Backup {
        /// The new file.
        file: PathBuf,
        /// The configuration.
        #[arg(long, default_value = "config/weir.toml")]
        config: PathBuf,
    },
    /// Put a copy of a journal into a data folder that has none.
    Restore {
        /// The file that `weir backup` wrote.
        file: PathBuf,
        /// The configuration.
        #[arg(long, default_value = "config/weir.toml")]
        config: PathBuf,
    },
}

/// Does what the command says.
///
/// # Errors
/// What the command can't go on without.
pub async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    Ok(match cli.command {
        #[cfg(feature = "demo")]
        Command::Demo { length, speed, seed, data, channels } => {
            return run_demo(&demo::Options { length, speed, seed, data, channels }).await;
        }
        #[cfg(feature = "demo")]
        Command::Simulate(command) => return simulate::run(command).await,
        Command::Run { config, clock_start, speed } => {
            let clock = match clock_start {
                None => Clock::real(),
                Some(start) => Clock::scaled(Timestamp(start.as_millisecond()), speed),
            };
            return run_daemon(&config, clock).await;
        }
        Command::Check { config, connect } => run_check(&config, connect).await?,
        Command::Tap { pattern, json, config } => {
            return run_tap(&config, pattern.as_deref(), json).await;
        }
        Command::Discover(command) => return discover::run(command).await,
        Command::Ledger { reconcile, json, config } => {
            ledger::run(&read(&config)?, json, reconcile).await?
        }
        Command::Notify(command) => notify::run(command).await?,
        Command::DeadLetters(letters) => letters::run(letters).await?,
        Command::Limits(limits) => limits::run(&limits)?,
        Command::Assess(command) => assess::run(command)?,
        Command::Qc(command) => qc::run(command).await?,
        Command::Alerts(asked) => alerts::run(asked).await?,
        Command::Decode(command) => decode::run(&command)?,
        Command::Import(table) => import::run(table).await?,
        Command::Replay(asked) => replay::run(&asked)?,
        Command::Recompute(days) => recompute::run(days).await?,
        Command::Seeds(seeds) => seeds::run(seeds).await?,
        Command::Audit(asked) => audit::run(asked).await?,
        Command::User(asked) => user::run(asked)?,
        Command::Backup { file, config } => run_backup(&read(&config)?, &file)?,
        Command::Restore { file, config } => {
            let config = read(&config)?;
            backup::restore(&file, &config.journal.data_folder)?;
            let (data, from) = (&config.journal.data_folder, file.display().to_string());
            book(data, What::JournalRestored, (&from, ""))?;
            let folder = data.display();
            writeln!(io::stdout(), "{} is the journal of {folder} now", file.display())?;
            ExitCode::SUCCESS
        }
    })
}

/// Reads a time span such as `30s`.
fn length(text: &str) -> Result<Duration, String> {
    let expected = || "expected a time such as 30s, 5m or 1h".to_owned();
    let span: jiff::SignedDuration = text.parse().map_err(|_| expected())?;
    Duration::try_from(span).map_err(|_| expected())
}

#[cfg(feature = "demo")]
async fn run_demo(options: &demo::Options) -> anyhow::Result<ExitCode> {
    // Log lines would run through the picture; what goes wrong is still said.
    let log = telemetry::Config { level: "error".to_owned(), ..telemetry::Config::default() };
    telemetry::start(&log)?;
    let outcome = demo::run(options).await?;
    Ok(match outcome.fault() {
        None => ExitCode::SUCCESS,
        Some(fault) => {
            writeln!(io::stderr().lock(), "{fault}")?;
            ExitCode::FAILURE
        }
    })
}

/// Reads how fast a clock runs.
fn speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    let fits = (1.0..=100_000.0).contains(&speed);
    if fits { Ok(speed) } else { Err("expected 1 to 100000".to_owned()) }
}

/// Reads a configuration for a command that needs no seeds.
fn read(file: &Path) -> anyhow::Result<Config> {
    Config::read(file).map_err(|faults| {
        let list: Vec<String> = faults.iter().map(ToString::to_string).collect();
        anyhow::anyhow!(list.join("\n"))
    })
}

/// Writes down for the audit list what was done. That it can't be is told, and fails nothing: it is
/// done.
fn book(folder: &Path, what: What, (about, words): (&str, &str)) -> io::Result<()> {
    // Where no weir has been there is no list, and a folder made here might not be weir's own.
    if !folder.is_dir() {
        return Ok(());
    }
    match by_shell(folder, what, (about, words)) {
        Ok(()) => Ok(()),
        Err(error) => writeln!(
            io::stderr(),
            "it is done, but the audit list of {} can't be written on: {error}",
            folder.display()
        ),
    }
}

/// Prints what a daemon answered.
fn answer(answer: Option<Answer>, nobody: &str) -> anyhow::Result<ExitCode> {
    let Some(answer) = answer else { anyhow::bail!("{nobody}") };
    for words in &answer.words {
        if answer.done {
            writeln!(io::stdout(), "{words}")?;
        } else {
            writeln!(io::stderr(), "{words}")?;
        }
    }
    Ok(if answer.done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn run_tap(file: &Path, pattern: Option<&str>, json: bool) -> anyhow::Result<ExitCode> {
    let sound = match check::edition(file) {
        Ok(sound) => sound,
        Err(faults) => return Ok(tell(&faults)?),
    };
    telemetry::start(&sound.config.log)?;
    let style =
        if json { Style::Json } else { Style::Human { colour: io::stdout().is_terminal() } };
    tokio::select! {
        ended = tap(&sound, pattern, style) => ended?,
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    Ok(ExitCode::SUCCESS)
}

fn run_backup(config: &Config, file: &Path) -> anyhow::Result<ExitCode> {
    let terminal = io::stderr().is_terminal();
    let mut tell = |progress: backup::Progress| {
        if terminal {
            write!(io::stderr(), "\r{} of {} pages", progress.done, progress.of).ok();
        }
    };
    backup::backup(&config.journal.data_folder, file, &mut tell)?;
    if terminal {
        writeln!(io::stderr())?;
    }
    writeln!(io::stdout(), "the journal is copied to {}", file.display())?;
    Ok(ExitCode::SUCCESS)
}

async fn run_daemon(file: &Path, clock: Clock) -> anyhow::Result<ExitCode> {
    let sound = match check::to_run(file) {
        Ok(sound) => sound,
        Err(faults) => return Ok(tell(&faults)?),
    };
    telemetry::start(&sound.config.log)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut daemon = Daemon::start(sound.config, &sound.edition, clock)?;
    daemon.hear_the_shell();
    let page = daemon.serve(Fallback::Refuse).await?;
    tracing::info!("The page is at http://{page}/");
    daemon.tell_systemd();
    let failed = loop {
        tokio::select! {
            _ = terminate.recv() => break None,
            _ = interrupt.recv() => break None,
            _ = hang_up.recv() => reload(file, &daemon.commands()).await?,
            error = daemon.failed() => break Some(error),
        }
    };
    if let Some(damage) = failed.as_ref().and_then(|error| error.downcast_ref::<Damage>()) {
        tracing::error!("{damage}. weir starts anew and sets it aside.");
        daemon.mark(damage)?;
        return Err(start_anew());
    }
    systemd::stopping();
    tracing::info!("Stopping: what was read is committed and acknowledged first.");
    let stopped = daemon.stop().await;
    match failed {
        Some(error) => Err(error),
        None => stopped.map(|()| ExitCode::SUCCESS),
    }
}

/// Becomes the same program with the same arguments. Nothing is stopped in order, as in a kill:
/// with a damaged journal nothing can be. Comes back only if that can't be done; then whoever
/// watches over weir starts it.
fn start_anew() -> anyhow::Error {
    use std::os::unix::process::CommandExt as _;
    match std::env::current_exe() {
        Ok(program) => {
            std::process::Command::new(program).args(std::env::args_os().skip(1)).exec().into()
        }
        Err(error) => error.into(),
    }
}

/// Takes the seeds of the folder, and the settings that belong to the edition, anew.
async fn reload(file: &Path, commands: &Commands) -> anyhow::Result<()> {
    let faults = match check::edition(file) {
        Ok(sound) => match commands.take(sound.edition).await? {
            Ok(true) => {
                tracing::info!("Another edition of the seeds is in force.");
                return Ok(());
            }
            Ok(false) => {
                tracing::info!("The seeds are those in force already.");
                return Ok(());
            }
            Err(faults) => faults,
        },
        Err(faults) => faults,
    };
    for fault in &faults {
        tracing::error!("{fault}");
    }
    tracing::error!(faults = faults.len(), "The seeds are refused; those in force stay.");
    Ok(())
}

async fn run_check(file: &Path, connect: bool) -> io::Result<ExitCode> {
    let sound = match check::check(file) {
        Ok(sound) => sound,
        Err(faults) => return tell(&faults),
    };
    let mut out = io::stdout().lock();
    let Sound { config, registry, .. } = &sound;
    writeln!(
        out,
        "{}: sound. {} brokers, {} stations, {} devices, {} datastreams, {} limits, {} rules; \
         edition {}",
        file.display(),
        config.brokers.len(),
        registry.stations.iter().count(),
        registry.devices.iter().count(),
        registry.datastreams.iter().count(),
        registry.limits.iter().count(),
        registry.rules.iter().count(),
        registry.digest,
    )?;
    drop(out);
    if !connect {
        return Ok(ExitCode::SUCCESS);
    }
    let mut code = ExitCode::SUCCESS;
    let tried = check::connect(&sound).await;
    let mut out = io::stdout().lock();
    for one in tried {
        match one.outcome {
            Ok(words) => writeln!(out, "{}: reached, {words}", one.what)?,
            Err(words) => {
                writeln!(out, "{}: {words}", one.what)?;
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}

fn tell(faults: &[Fault]) -> io::Result<ExitCode> {
    let mut out = io::stderr().lock();
    for fault in faults {
        writeln!(out, "{fault}")?;
    }
    writeln!(out, "{} faults; nothing was changed", faults.len())?;
    Ok(ExitCode::FAILURE)
}
