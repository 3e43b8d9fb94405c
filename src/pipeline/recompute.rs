//! Days played again, aside from the live state, as if what came too late for them had come in
//! time. The inputs of the journal are played twice over: once to find what came late, and once
//! to pipelines that begin anew: one as it should have been, and one for each time at which some of
//! the days were told, as it was then. Where they differ something is to be told.

mod difference;
mod said;
mod side;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::decode::Announced;
use crate::domain::assessment::Assessment;
use crate::domain::evaluation::Evaluation;
use crate::domain::input::{Act, Arrival, Input};
use crate::domain::invalidation::{Invalidation, Invalidations};
use crate::domain::name::{DatastreamId, StationId};
use crate::domain::observation::Observation;
use crate::domain::recompute::Recompute;
use crate::domain::registry::Registry;
use crate::domain::time::{HOUR, Moment, PhenomenonTime, Timestamp};
use crate::pipeline::concern;
use crate::pipeline::late::closed_after_ms;
use crate::pipeline::recompute::difference::differences;
use crate::pipeline::recompute::said::Recomputed;
use crate::pipeline::recompute::side::{Results, Side, Telling};
use crate::pipeline::{Pipeline, Processed};

/// How long before the days the playing begins: the longest that an average, a sample that stands
/// or a counter's reading looks back.
pub const WARM_UP_MS: i64 = 26 * HOUR;
/// How many values that came late are held in memory.
pub const LATE_MAX: usize = 1 << 20;
/// How many single values of each side are held of which a person said something; the flags of
/// those beyond stay as they were stored.
pub const SAID_MAX: usize = 1 << 18;

/// What is to be recomputed: closed days of some stations.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Task {
    /// The stations.
    pub stations: Vec<StationId>,
    /// The first instant of the days.
    pub from: Timestamp,
    /// The first instant after them.
    pub to: Timestamp,
    /// What arrived before this is counted, in elapsed milliseconds.
    pub heard_ms: i64,
}

/// What came of a recomputation.
#[derive(Clone, PartialEq, Debug)]
pub struct Reckoned {
    /// What is to be taken in.
    pub recomputed: Recompute,
    /// How many values were counted that had come late.
    pub late: usize,
    /// What persons said of these days that was not counted before, or was and is taken back.
    pub said: Vec<Invalidation>,
    /// Verdicts that are other ones now.
    pub changed: Vec<Changed>,
}

/// A verdict that is another one now.
#[derive(Clone, PartialEq, Debug)]
pub enum Changed {
    /// On an average.
    Verdict {
        /// What had been told, if anything.
        before: Option<Assessment>,
        /// What holds.
        after: Assessment,
    },
    /// On several items together.
    Evaluation {
        /// What had been told, if anything.
        before: Option<Evaluation>,
        /// What holds.
        after: Evaluation,
    },
}

/// What keeps days from being recomputed.
#[derive(Debug, thiserror::Error)]
pub enum Error<E> {
    /// The arrivals can't be read.
    #[error(transparent)]
    Arrivals(E),
    /// There are more late values than are held.
    #[error("more than {LATE_MAX} values came late")]
    TooMany,
}

/// Recomputes days. `arrivals` hands on all that arrived since [`Task::begins`], in order, until
/// it is told to stop; `edition` was in force before the first of them, and `announced` is what
/// devices had announced. `said` is what persons have said of values until [`Task::heard_ms`].
///
/// # Errors
/// What came late is too much to be held, or what arrived can't be read.
pub fn recompute<E>(
    task: &Task,
    edition: &Arc<Registry>,
    announced: &Arc<Announced>,
    said: &Invalidations,
    mut arrivals: impl FnMut(&mut dyn FnMut(&Arrival<'_>) -> ControlFlow<()>) -> Result<(), E>,
) -> Result<Reckoned, Error<E>> {
    let mut search = Search::new(task, edition, announced, said);
    arrivals(&mut |arrival| search.take(arrival)).map_err(Error::Arrivals)?;
    let Found { late, mut said, before } = search.found().ok_or(Error::TooMany)?;
    let count = late.iter().filter(|one| task.covers(one.span())).count();
    let mut stage = Stage::new(task, edition, announced, (late, &said, &before));
    arrivals(&mut |arrival| stage.take(arrival)).map_err(Error::Arrivals)?;
    let (recomputed, changed) = stage.end();
    said.retain(|one| before.is_news(task, one));
    Ok(Reckoned { recomputed, late: count, said, changed })
}

impl Task {
    /// Gives when the playing begins.
    #[must_use]
    pub fn begins(&self) -> Timestamp {
        self.from.plus(-WARM_UP_MS)
    }

    /// Says whether a span has a part in the days.
    fn covers(&self, time: PhenomenonTime) -> bool {
        covers((self.from, self.to), time)
    }

    /// Gives what was said as it stood when the last arrival counted had come: what comes later is
    /// for the next recomputation, all of it.
    fn knows(&self, one: &Invalidation) -> Option<Invalidation> {
        let before = |at: Moment| at.elapsed_ms < self.heard_ms;
        let revoked = one.revoked.clone().filter(|word| before(word.at));
        before(one.said.at).then(|| Invalidation { revoked, ..one.clone() })
    }
}

/// Says whether a time has a part in a span.
fn covers((from, to): (Timestamp, Timestamp), time: PhenomenonTime) -> bool {
    match time {
        PhenomenonTime::Instant(at) => from <= at && at < to,
        PhenomenonTime::Interval { start, end } => from < end && start < to,
    }
}

/// Reads what inputs say of some stations, and remembers nothing of it.
struct Reader<'t> {
    task: &'t Task,
    pipeline: Pipeline,
    concerned: BTreeSet<StationId>,
    out: Processed,
}

impl<'t> Reader<'t> {
    fn new(task: &'t Task, edition: &Arc<Registry>, announced: &Arc<Announced>) -> Self {
        let mut pipeline = Pipeline::new(Arc::clone(edition), Moment::default());
        pipeline.state.announced = Arc::clone(announced);
        let concerned = concern::stations(edition, &task.stations);
        Self { task, pipeline, concerned, out: Processed::default() }
    }

    /// Gives the observations that an input brings, and whether each is late.
    fn read(&mut self, arrival: &Arrival<'_>) -> Vec<(Observation, StationId, bool)> {
        let Arrival { at, input } = arrival;
        self.out.clear();
        match input {
            Input::Message(_) | Input::Act(_) => {}
            Input::Edition(registry) => {
                self.pipeline.process(arrival, &mut self.out);
                self.concerned = concern::stations(registry, &self.task.stations);
                return Vec::new();
            }
            Input::Condition(_) => {
                self.pipeline.process(arrival, &mut self.out);
                return Vec::new();
            }
            Input::Tick | Input::Recompute(_) | Input::AlertAct(_) => return Vec::new(),
        }
        let registry = Arc::clone(self.pipeline.registry());
        let horizon = at.wall.plus(-registry.judgement.lateness_horizon_ms);
        let imported = input.network().is_some_and(|network| registry.is_import(network));
        let read = self.pipeline.observations_of(input, *at, &mut self.out);
        let known = read.drain(..).filter_map(|observation| {
            let station = registry.datastream(observation.datastream)?.station;
            let late = imported || observation.phenomenon_time.start() < horizon;
            self.concerned.contains(&station).then_some((observation, station, late))
        });
        known.collect()
    }
}

/// Of which time and datastream a value is, and which input brought it.
type Key = (Timestamp, DatastreamId, usize);

/// A value that came late.
struct Late {
    observation: Observation,
    arrived_ms: i64,
    /// Which input brought it, by their order.
    input: usize,
}

impl Late {
    fn span(&self) -> PhenomenonTime {
        self.observation.phenomenon_time
    }

    /// Gives what it takes the place of, and in which order.
    fn key(&self) -> Key {
        (self.span().start(), self.observation.datastream, self.input)
    }

    /// Gives when it would have come in time.
    fn in_time(&self) -> Timestamp {
        self.span().end()
    }
}

/// Finds what came late.
struct Search<'t> {
    reader: Reader<'t>,
    ends: Timestamp,
    found: Found,
    input: usize,
}

/// What is known of the days besides what came in time.
struct Found {
    /// What came late, in the order in which it would have come.
    late: VecDeque<Late>,
    /// What was said of them.
    said: Vec<Invalidation>,
    /// Which of them were recomputed before.
    before: Recomputed,
}

impl<'t> Search<'t> {
    fn new(
        task: &'t Task,
        edition: &Arc<Registry>,
        announced: &Arc<Announced>,
        said: &Invalidations,
    ) -> Self {
        let ends = task.to.plus(closed_after_ms(&edition.judgement));
        let reader = Reader::new(task, edition, announced);
        let begins = task.begins();
        let known = said.iter().filter_map(|one| task.knows(one));
        let of_days = known.filter(|one| {
            reader.concerned.contains(&one.scope.station) && one.touches(begins, ends)
        });
        let (late, said, before) = (VecDeque::new(), of_days.collect(), Recomputed::default());
        Self { reader, ends, found: Found { late, said, before }, input: 0 }
    }

    fn take(&mut self, arrival: &Arrival<'_>) -> ControlFlow<()> {
        let task = self.reader.task;
        let arrived_ms = arrival.at.elapsed_ms;
        if arrived_ms >= task.heard_ms || self.found.late.len() > LATE_MAX {
            return ControlFlow::Break(());
        }
        self.input += 1;
        if let Input::Recompute(before) = &arrival.input {
            self.found.before.note(task, before);
        }
        for (observation, _, late) in self.reader.read(arrival) {
            let one = Late { observation, arrived_ms, input: self.input };
            if late && task.begins() <= one.in_time() && one.in_time() < self.ends {
                self.found.late.push_back(one);
            }
        }
        ControlFlow::Continue(())
    }

    /// Gives what it found; nothing if it is too much.
    fn found(mut self) -> Option<Found> {
        let late = self.found.late.make_contiguous();
        late.sort_by_key(|one| (one.in_time(), one.input));
        (self.found.late.len() <= LATE_MAX).then_some(self.found)
    }
}

/// The pipelines, and what is still to come late.
struct Stage<'t> {
    reader: Reader<'t>,
    ends: Timestamp,
    late: VecDeque<Late>,
    /// What came late and was played, as long as what it revises may still come in time.
    played: BTreeMap<Key, Late>,
    /// What checks showed, still to be played.
    by_checks: VecDeque<Invalidation>,
    /// As it was, for each time at which some of the days were told.
    told: Vec<Side<'t>>,
    /// As it should have been.
    in_time: Side<'t>,
}

impl<'t> Stage<'t> {
    fn new(
        task: &'t Task,
        edition: &Arc<Registry>,
        announced: &Arc<Announced>,
        (late, said, before): (VecDeque<Late>, &[Invalidation], &'t Recomputed),
    ) -> Self {
        let ends = task.to.plus(closed_after_ms(&edition.judgement));
        let reader = Reader::new(task, edition, announced);
        let mut all = Invalidations::default();
        for one in said {
            all.add(one.clone());
        }
        let (all, begins) = (Arc::new(all), task.begins());
        let told = before.tellings(task, &concern::together(edition)).into_iter().map(|heard| {
            let telling = Some(Telling { before, heard });
            Side::new(edition, &all, telling, |one| said::stood(one, heard, begins))
        });
        let told = told.collect();
        let in_time = Side::new(edition, &all, None, |one| one.revoked.is_none());
        let by_checks = said::by_checks(said, begins);
        let played = BTreeMap::new();
        Self { reader, ends, late, played, by_checks, told, in_time }
    }

    fn take(&mut self, arrival: &Arrival<'_>) -> ControlFlow<()> {
        let task = self.reader.task;
        let at = arrival.at.wall;
        if at >= self.ends {
            return ControlFlow::Break(());
        }
        self.play_late(at);
        let read = self.reader.read(arrival);
        if let Input::Edition(registry) = &arrival.input {
            self.sides().for_each(|side| side.adopt(task, registry, at));
        }
        // What was said before the playing begins is known, and what a check made of values is
        // played by itself.
        if let Input::Act(act @ (Act::Invalidate { .. } | Act::Revoke { .. })) = &arrival.input
            && at >= task.begins()
        {
            let live = self.told.iter_mut().filter(|side| side.is_live());
            live.for_each(|side| side.act(task, act, at));
        }
        let in_time = read.into_iter().filter(|(_, _, late)| !late);
        let observations: Vec<Observation> = in_time.map(|(observation, ..)| observation).collect();
        self.sides().for_each(|side| side.store(task, &observations, at));
        self.play_again(&observations, arrival.at);
        self.play_checks(arrival.at);
        ControlFlow::Continue(())
    }

    fn sides(&mut self) -> impl Iterator<Item = &mut Side<'t>> {
        self.told.iter_mut().chain([&mut self.in_time])
    }

    /// Plays what checks had shown until a moment; a message's check comes after its values.
    fn play_checks(&mut self, until: Moment) {
        let task = self.reader.task;
        let due = |one: &Invalidation| said::said_at(one).elapsed_ms <= until.elapsed_ms;
        let mut said = Vec::new();
        while let Some(one) = self.by_checks.pop_front_if(|one| due(one)) {
            said.push(one);
        }
        if !said.is_empty() {
            let live = self.told.iter_mut().filter(|side| side.is_live());
            live.for_each(|side| side.say(task, &said, until.wall));
        }
    }

    /// Plays what would have come until a time, message by message.
    fn play_late(&mut self, until: Timestamp) {
        let task = self.reader.task;
        while let Some(first) = self.late.front().filter(|one| one.in_time() <= until) {
            let (at, input) = (first.in_time(), first.input);
            let same = |one: &Late| one.in_time() == at && one.input == input;
            let count = self.late.iter().take_while(|one| same(one)).count();
            let of_message: Vec<Late> = self.late.drain(..count).collect();
            for side in self.sides() {
                let counted = of_message.iter().filter(|one| side.counts(one.arrived_ms));
                let counted: Vec<Observation> = counted.map(|one| one.observation).collect();
                side.store(task, &counted, at);
            }
            self.played.extend(of_message.into_iter().map(|one| (one.key(), one)));
        }
    }

    /// Plays again what came late in the place of values that came just now, in time.
    fn play_again(&mut self, in_time: &[Observation], now: Moment) {
        let task = self.reader.task;
        let horizon_ms = self.reader.pipeline.registry().judgement.lateness_horizon_ms;
        let oldest = (now.wall.plus(-horizon_ms), DatastreamId(0), 0);
        self.played = self.played.split_off(&oldest);
        for one in in_time {
            let at = (one.phenomenon_time.start(), one.datastream);
            let later: Vec<(Observation, i64)> = self
                .played
                .range((at.0, at.1, 0)..=(at.0, at.1, usize::MAX))
                .map(|(_, late)| (late.observation, late.arrived_ms))
                .filter(|(_, arrived_ms)| now.elapsed_ms < *arrived_ms)
                .collect();
            for (late, arrived_ms) in later {
                let counts = self.sides().filter(|side| side.counts(arrived_ms));
                counts.for_each(|side| side.store(task, &[late], now.wall));
            }
        }
    }

    /// Gives out all that is due, and what is other than it was.
    fn end(mut self) -> (Recompute, Vec<Changed>) {
        let task = self.reader.task;
        self.play_late(self.ends.plus(-1));
        let ends = self.ends;
        self.sides().for_each(|side| side.run_until(task, ends));
        let told = self.told.into_iter().map(|side| side.results);
        let told = told.reduce(Results::with).unwrap_or_default();
        differences(task, told, self.in_time.results)
    }
}
