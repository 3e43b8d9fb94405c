//! Days of which values came too late are recomputed: aside, from what the journal keeps, one task
//! at a time, and with half of a core at most, so that nothing that comes now waits for it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};

use crate::daemon::recover;
use crate::daemon::run::Commands;
use crate::daemon::said;
use crate::daemon::status::{Status, View};
use crate::domain::evaluation::{Evaluation, Grade};
use crate::domain::input::Arrival;
use crate::domain::invalidation::{Invalidation, Invalidations, Word};
use crate::domain::name::{Names, StationId};
use crate::domain::recompute::{POINTS_MAX, Recompute};
use crate::domain::registry::Registry;
use crate::domain::time::{Calendar, PhenomenonTime, Timestamp};
use crate::journal;
use crate::journal::inputs::Unpacked;
use crate::journal::read::Reader;
use crate::journal::replay::RawSince;
use crate::pipeline::recompute::{Changed, Error, Reckoned, Task, WARM_UP_MS, recompute};
use crate::pipeline::{late, snapshot};

/// How often it is looked whether something is to be recomputed.
const LOOK: Duration = Duration::from_secs(2);
/// For how long it works before it rests as long.
const WORK: Duration = Duration::from_millis(50);
/// How soon the same days are recomputed again.
const AGAIN: Duration = Duration::from_mins(10);
/// How many requests of the shell wait at most.
pub const ORDERS_MAX: usize = 4;
/// How many days the shell may ask for at once.
const DAYS_ASKED_MAX: i32 = 31;
/// How many verdicts that changed are named in the log.
const NAMED_MAX: usize = 20;

/// What recomputes.
#[derive(Debug)]
pub struct Recomputer {
    /// The folder of the journal.
    pub data_folder: PathBuf,
    /// The way to the pipeline.
    pub commands: Commands,
    /// Where it sees what came late.
    pub status: Arc<Status>,
    /// What the shell asks for.
    pub orders: mpsc::Receiver<Vec<Task>>,
    /// True once weir stops.
    pub stop: watch::Receiver<bool>,
}

/// What came of a task.
enum Played {
    /// It was played.
    Whole(Box<Reckoned>),
    /// Not all of its raw messages are kept.
    Gone(RawSince),
    /// weir stops.
    Stopped,
}

/// Why arrivals are read no further.
enum Halt {
    /// No more of them are needed.
    Enough,
    /// weir stops.
    Stopped,
    /// They can't be read.
    Fault(recover::Error),
}

impl From<journal::Error> for Halt {
    fn from(error: journal::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl Recomputer {
    /// Works until weir stops.
    ///
    /// # Errors
    /// What reckons broke, or weir has ended and was not told to.
    pub async fn run(self) -> anyhow::Result<()> {
        let status = Arc::clone(&self.status);
        match self.look().await {
            // Whoever takes results is the first to go.
            Err(_) if status.stopping.load(Ordering::Acquire) => Ok(()),
            ended => ended,
        }
    }

    async fn look(mut self) -> anyhow::Result<()> {
        let mut last: Option<(Task, Instant)> = None;
        loop {
            let ordered = tokio::select! {
                _ = self.stop.wait_for(|stop| *stop) => return Ok(()),
                Some(tasks) = self.orders.recv() => tasks,
                () = sleep(LOOK) => Vec::new(),
            };
            for task in ordered {
                let Some(view) = self.status.view.load_full() else { break };
                let heard_ms = view.at.elapsed_ms;
                self.work(Task { heard_ms, ..task }, &view).await?;
            }
            let Some(view) = self.status.view.load_full() else { continue };
            let Some(task) = late::due(&view.registry, &view.stations, view.at) else { continue };
            // The view may be from before the last one, and a broken one must not go round.
            let same = |(before, at): &(Task, Instant)| {
                let days = |task: &Task| (task.stations.clone(), task.from, task.to);
                days(before) == days(&task) && at.elapsed() < AGAIN
            };
            if !last.as_ref().is_some_and(same) {
                last = Some((task.clone(), Instant::now()));
                self.work(task, &view).await?;
            }
        }
    }

    async fn work(&self, task: Task, view: &View) -> anyhow::Result<()> {
        // What is noted must be in the journal before it is read.
        self.commands.settle().await?;
        let mut waiting = vec![task];
        while let Some(mut task) = waiting.pop() {
            let (folder, stop, of) = (self.data_folder.clone(), self.stop.clone(), task.clone());
            let said = Arc::clone(&view.invalidations);
            let playing = tokio::task::spawn_blocking(move || play(&folder, &of, &said, &stop));
            match playing.await? {
                Ok(Played::Stopped) => return Ok(()),
                Ok(Played::Whole(outcome)) => {
                    tell(&task, view, &outcome);
                    self.hand_in(outcome.recomputed).await?;
                }
                Ok(Played::Gone(since)) => waiting.extend(self.leave(&task, view, since).await?),
                Err(Error::TooMany) if task.stations.len() > 1 => {
                    let stations = task.stations.split_off(task.stations.len() / 2);
                    waiting.push(Task { stations, ..task.clone() });
                    waiting.push(task);
                }
                Err(error) if is_lasting(&error) => {
                    tracing::error!(%error, "{} stay as they are.", named(&task, view));
                    self.hand_in(nothing(&task)).await?;
                }
                Err(error) => {
                    tracing::warn!(%error, "{} can't be recomputed yet.", named(&task, view));
                }
            }
        }
        Ok(())
    }

    /// Says of which days the raw messages are gone, and gives what is left to be recomputed.
    async fn leave(
        &self,
        task: &Task,
        view: &View,
        since: RawSince,
    ) -> anyhow::Result<Option<Task>> {
        let first = first_whole_day(&zone(task, view), since).min(task.to);
        let gone = Task { to: first, ..task.clone() };
        tracing::warn!(
            "{} can't be recomputed: raw messages are kept since {}. What came late is stored; \
             averages and verdicts of these days stay as they are.",
            named(&gone, view),
            since.at.rfc3339(&zone(task, view)),
        );
        self.hand_in(nothing(&gone)).await?;
        Ok((first < task.to).then(|| Task { from: first, ..task.clone() }))
    }

    async fn hand_in(&self, recomputed: Recompute) -> anyhow::Result<()> {
        for part in recomputed.parts(POINTS_MAX) {
            self.commands.recompute(part).await?;
        }
        Ok(())
    }
}

/// Says whether no other try will go better. Damage among old messages costs these days only: what
/// a start needs may be whole.
fn is_lasting(error: &Error<recover::Error>) -> bool {
    match error {
        Error::TooMany => true,
        Error::Arrivals(error) => error.is_damage() || matches!(error, recover::Error::Faults(_)),
    }
}

/// What is handed in where nothing is changed: the days are looked at no more.
fn nothing(task: &Task) -> Recompute {
    let Task { stations, from, to, heard_ms } = task.clone();
    Recompute { from, to, stations, heard_ms: Some(heard_ms), ..Recompute::default() }
}

/// Gives from when days can be played whole. Before the journal began nobody knows what came: a day
/// of then would come out with the late values alone, and take the place of a better one.
pub(super) fn whole_since(since: RawSince) -> Timestamp {
    if since.all { since.at } else { since.at.plus(WARM_UP_MS) }
}

fn first_whole_day(zone: &TimeZone, since: RawSince) -> Timestamp {
    let begins = whole_since(since);
    begins.calendar(zone, Calendar::Day).map_or(begins, |(_, next)| next)
}

fn play(
    folder: &Path,
    task: &Task,
    said: &Invalidations,
    stop: &watch::Receiver<bool>,
) -> Result<Played, Error<recover::Error>> {
    let fault = |error: journal::Error| Error::Arrivals(error.into());
    let reader = Reader::open(folder).map_err(fault)?;
    let since = reader.raw_since().map_err(fault)?;
    if task.from < whole_since(since) {
        return Ok(Played::Gone(since));
    }
    let after = reader.batch_before(task.begins()).map_err(fault)?;
    let names = Names::from_journal(reader.names().map_err(fault)?);
    let mut editions = Editions::new(&reader, names);
    let first = reader.edition_before(after + 1).map_err(fault)?.unwrap_or_default();
    let first = editions.get(&first).map_err(Error::Arrivals)?;
    // By the next snapshot: what was announced up to a day after the playing began is still before
    // the days, and what is announced while it plays goes before.
    let closing = reader.closing_from(after).map_err(fault)?;
    let announced = closing.map(|closing| snapshot::announced(&closing)).transpose();
    let announced = Arc::new(announced.unwrap_or_default().unwrap_or_default());
    let mut pace = Instant::now();
    let outcome = recompute(task, &first, &announced, said, |take| {
        let ended = reader.inputs_after(after, |sequence, bytes| {
            if *stop.borrow() {
                return Err(Halt::Stopped);
            }
            if pace.elapsed() >= WORK {
                std::thread::sleep(WORK);
                pace = Instant::now();
            }
            for kept in Unpacked::new(bytes) {
                let torn = |torn| Halt::Fault(recover::Error::Torn(sequence, torn));
                let (at, kept) = kept.map_err(torn)?;
                let input = recover::input(kept, |digest| editions.get(digest));
                let input = input.map_err(Halt::Fault)?;
                if take(&Arrival { at, input }).is_break() {
                    return Err(Halt::Enough);
                }
            }
            Ok(())
        });
        match ended {
            Ok(()) | Err(Halt::Enough) => Ok(()),
            Err(Halt::Stopped) => Err(None),
            Err(Halt::Fault(error)) => Err(Some(error)),
        }
    });
    match outcome {
        Ok(outcome) => Ok(Played::Whole(Box::new(outcome))),
        Err(Error::TooMany) => Err(Error::TooMany),
        Err(Error::Arrivals(None)) => Ok(Played::Stopped),
        Err(Error::Arrivals(Some(error))) => Err(Error::Arrivals(error)),
    }
}

/// Editions of the journal, each compiled once.
pub(super) struct Editions<'r> {
    reader: &'r Reader,
    names: Names,
    compiled: HashMap<String, Arc<Registry>>,
}

impl<'r> Editions<'r> {
    pub(super) fn new(reader: &'r Reader, names: Names) -> Self {
        Self { reader, names, compiled: HashMap::new() }
    }

    pub(super) fn get(&mut self, digest: &str) -> Result<Arc<Registry>, recover::Error> {
        if let Some(registry) = self.compiled.get(digest) {
            return Ok(Arc::clone(registry));
        }
        let registry = recover::edition(self.reader, digest, &mut self.names)?;
        self.compiled.insert(digest.to_owned(), Arc::clone(&registry));
        Ok(registry)
    }
}

/// Says what came of a task, and which verdicts are other ones.
fn tell(task: &Task, view: &View, outcome: &Reckoned) {
    let Reckoned { recomputed, late, said, changed } = outcome;
    tracing::info!(
        late,
        averages = recomputed.observations.len(),
        verdicts = changed.len(),
        "Recomputed: {}.",
        named(task, view)
    );
    for one in said.iter().take(NAMED_MAX) {
        let words = said_words(&view.registry, one);
        tracing::info!("It counts what was said of these days: {words}.");
    }
    for one in changed.iter().take(NAMED_MAX) {
        tracing::info!("A past verdict is another one: {}", words(one, view));
    }
    if changed.len() > NAMED_MAX {
        let more = changed.len() - NAMED_MAX;
        tracing::info!("{more} more verdicts are other ones.");
    }
}

/// Says who said what of values, or took it back.
fn said_words(registry: &Registry, one: &Invalidation) -> String {
    match &one.revoked {
        None => {
            let (person, reason) = (&one.said.person, said::reason(registry, one));
            format!("invalidation {} by {person} ({reason})", one.id)
        }
        Some(Word { person, reason, .. }) => {
            format!("invalidation {} is revoked by {person} ({reason})", one.id)
        }
    }
}

fn words(changed: &Changed, view: &View) -> String {
    let registry = &view.registry;
    let dated = |zone: &TimeZone, time: PhenomenonTime| time.start().rfc3339(zone);
    match changed {
        Changed::Verdict { before, after } => {
            let datastream = registry.datastream(after.datastream);
            let station = datastream.and_then(|one| registry.station(one.station));
            let name = datastream.map_or("", |one| &*one.name);
            let zone = station.map_or(TimeZone::UTC, |one| one.zone.clone());
            let at = dated(&zone, after.phenomenon_time);
            let before = before.as_ref().map_or("none", |one| one.verdict.word());
            format!("{name} {} {at}: {}, was {before}", after.period.word(), after.verdict.word())
        }
        Changed::Evaluation { before, after } => {
            let name = registry.evaluated_name(after.subject);
            let at = dated(registry.evaluated_zone(after.subject), after.phenomenon_time);
            let grade = |one: &Evaluation| one.grade.map_or("none", Grade::word);
            let before = before.as_ref().map_or("none", grade);
            let index = after.index.word();
            format!("{name} {index} {} {at}: {}, was {before}", after.period.word(), grade(after))
        }
    }
}

fn zone(task: &Task, view: &View) -> TimeZone {
    let station = task.stations.first().and_then(|id| view.registry.station(*id));
    station.map_or(TimeZone::UTC, |station| station.zone.clone())
}

pub(super) fn date(at: Timestamp, zone: &TimeZone) -> String {
    at.rfc3339(zone).chars().take(10).collect()
}

/// Names days and stations for people.
fn named(task: &Task, view: &View) -> String {
    let zone = zone(task, view);
    let (from, to) = (date(task.from, &zone), date(task.to.plus(-1), &zone));
    let names = task.stations.iter().filter_map(|id| view.registry.station(*id));
    let mut names: Vec<&str> = names.map(|station| &*station.name).collect();
    let more = names.len().saturating_sub(NAMED_MAX);
    names.truncate(NAMED_MAX);
    let mut of = names.join(", ");
    if more > 0 {
        of.push_str(&format!(" and {more} more"));
    }
    if from == to { format!("{from} of {of}") } else { format!("{from} to {to} of {of}") }
}

/// The way on which the shell asks for days to be recomputed.
#[derive(Clone, Debug)]
pub struct Orders {
    /// The way to the one who does it.
    pub way: mpsc::Sender<Vec<Task>>,
    /// Where the stations and their clock are seen.
    pub status: Arc<Status>,
    /// The folder of the journal.
    pub data_folder: PathBuf,
}

impl Orders {
    /// Has natural days of a station, or of all, recomputed, and says what is begun.
    ///
    /// # Errors
    /// Why it can't be done, and what can.
    pub fn ask(&self, from: &str, to: &str, station: Option<&str>) -> Result<String, String> {
        let date = |text: &str| {
            text.parse::<Date>().map_err(|_| format!("`{text}`: expected a date: 2026-03-01"))
        };
        let (from, to) = (date(from)?, date(to)?);
        let days = from.until(to).map_or(i32::MAX, |span| span.get_days()).saturating_add(1);
        if !(1..=DAYS_ASKED_MAX).contains(&days) {
            return Err(format!("{from} to {to}: expected 1 to {DAYS_ASKED_MAX} days, in order"));
        }
        let view = self.status.view.load_full();
        let view = view.ok_or("weir has only just begun; ask again in some seconds")?;
        let after = to.tomorrow().map_err(|_| format!("`{to}`: no day follows it"))?;
        let mut by_zone: Vec<(&TimeZone, Vec<StationId>)> = Vec::new();
        let wanted = |name: &str| station.is_none_or(|wanted| wanted == name);
        for one in view.registry.stations.iter().filter(|one| wanted(&one.name)) {
            match by_zone.iter_mut().find(|(zone, _)| **zone == one.zone) {
                Some((_, stations)) => stations.push(one.id),
                None => by_zone.push((&one.zone, vec![one.id])),
            }
        }
        if by_zone.is_empty() {
            let name = station.unwrap_or_default();
            return Err(format!("no station is called `{name}`; see stations.csv in the seeds"));
        }
        let raw_since = Reader::open(&self.data_folder).and_then(|reader| reader.raw_since());
        let raw_since = raw_since.map_err(|error| error.to_string())?;
        let mut tasks = Vec::new();
        for (zone, stations) in by_zone {
            let start = |date: Date| {
                let start = Timestamp::midnight(date, zone);
                start.ok_or_else(|| format!("`{date}`: no day of {zone:?}"))
            };
            let span = (start(from)?, start(after)?);
            refuse(span, zone, raw_since, &view)?;
            tasks.extend(late::tasks(&stations, zone, span));
        }
        let count = tasks.len();
        match self.way.try_send(tasks) {
            Ok(()) => Ok(format!(
                "{days} days are being recomputed ({count} parts); the log says \
                what comes of it"
            )),
            Err(_) => Err("so much waits to be recomputed already; ask again later".to_owned()),
        }
    }
}

/// Refuses days of which something may still come in time, and such whose messages are gone.
fn refuse(
    (from, to): (Timestamp, Timestamp),
    zone: &TimeZone,
    raw_since: RawSince,
    view: &View,
) -> Result<(), String> {
    let closed = late::closed_until(&view.registry.judgement, zone, view.at.wall);
    if to > closed {
        let last = date(closed.plus(-1), zone);
        return Err(format!("values may still come in time; ask for days up to {last}"));
    }
    if from >= whole_since(raw_since) {
        return Ok(());
    }
    let (first, since) = (date(first_whole_day(zone, raw_since), zone), raw_since.at.rfc3339(zone));
    Err(format!("raw messages are kept since {since} only; ask for days from {first} on"))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::domain::input::Input;
    use crate::domain::time::{DAY, HOUR, Moment};
    use crate::journal::Config;
    use crate::journal::batch::Batch;
    use crate::journal::write::Journal;

    /// A day begins at eight in the evening, UTC.
    fn zone() -> TimeZone {
        TimeZone::fixed(jiff::tz::offset(4))
    }

    #[test]
    fn the_first_whole_day_begins_after_a_day_of_playing() {
        let evening = 20 * HOUR;
        let first =
            |at, all| first_whole_day(&zone(), RawSince { at: Timestamp(at), all }).millis();
        assert_eq!(first(evening - 26 * HOUR - 1, false), evening);
        assert_eq!(first(evening - 26 * HOUR, false), evening + DAY);
        assert_eq!(first(evening - 1, true), evening, "nothing came before a journal began");
    }

    #[test]
    fn days_whose_raw_messages_are_gone_are_not_played() {
        let folder = TempDir::new().unwrap();
        let mut journal = Journal::open(&Config::at(folder.path()), Timestamp(0)).unwrap();
        let commit = |journal: &mut Journal, ms: i64| {
            let mut batch = Batch { at: Timestamp(ms), ..Batch::default() };
            let at = Moment { wall: Timestamp(ms), elapsed_ms: ms };
            batch.inputs.push(&Arrival { at, input: Input::Tick });
            journal.commit(&batch).unwrap();
        };
        commit(&mut journal, 1);
        commit(&mut journal, DAY);
        for _ in 0..2 {
            let snapshot = journal.begin_snapshot(Timestamp(DAY)).unwrap();
            journal.finish_snapshot(snapshot, b"c").unwrap();
        }
        commit(&mut journal, 40 * DAY);
        journal.tidy(Timestamp(50 * DAY)).unwrap();
        let task = Task {
            stations: vec![StationId(0)],
            from: Timestamp(5 * DAY),
            to: Timestamp(6 * DAY),
            heard_ms: i64::MAX,
        };
        let (_stop, stopped) = watch::channel(false);
        let played = play(folder.path(), &task, &Invalidations::default(), &stopped);
        let Ok(Played::Gone(since)) = played else { panic!("it was played") };
        assert_eq!(since, RawSince { at: Timestamp(40 * DAY), all: false });
    }
}
