//! Days played again, aside from the live state, as if what came too late for them had come in
//! time. The inputs of the journal are played twice over: once to find what came late, and once
//! to two pipelines that begin anew, one as it was and one as it should have been. Where the two
//! differ something is to be told.

mod difference;
mod said;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::decode::Announced;
use crate::domain::assessment::Assessment;
use crate::domain::evaluation::{Evaluated, Evaluation, Index};
use crate::domain::input::{Act, Arrival, Input};
use crate::domain::invalidation::{Invalidation, Invalidations};
use crate::domain::ledger::Ledger;
use crate::domain::name::{DatastreamId, StationId};
use crate::domain::observation::{Coverage, Observation, Period, QualifiedObservation};
use crate::domain::quality::Flag;
use crate::domain::recompute::{DaySummary, Recompute};
use crate::domain::registry::Registry;
use crate::domain::time::{HOUR, Moment, PhenomenonTime, Timestamp};
use crate::pipeline::late::{closed_after_ms, concerns};
use crate::pipeline::observe::Hearing;
use crate::pipeline::qualify::look_back_ms;
use crate::pipeline::recompute::difference::differences;
use crate::pipeline::recompute::said::{Played, Said};
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
    let (late, said) = search.found().ok_or(Error::TooMany)?;
    let count = late.iter().filter(|one| task.covers(one.span())).count();
    let mut stage = Stage::new(task, edition, announced, late, &said);
    arrivals(&mut |arrival| stage.take(arrival)).map_err(Error::Arrivals)?;
    let (recomputed, changed) = stage.end();
    let fresh = said.into_iter().filter(|one| one.is_news(task)).map(|one| one.said);
    Ok(Reckoned { recomputed, late: count, said: fresh.collect(), changed })
}

impl Task {
    /// Gives when the playing begins.
    #[must_use]
    pub fn begins(&self) -> Timestamp {
        self.from.plus(-WARM_UP_MS)
    }

    /// Says whether a span has a part in the days.
    fn covers(&self, span: PhenomenonTime) -> bool {
        match span {
            PhenomenonTime::Instant(at) => self.from <= at && at < self.to,
            PhenomenonTime::Interval { start, end } => self.from < end && start < self.to,
        }
    }

    /// Gives what was said as it stood when the last arrival counted had come: what comes later is
    /// for the next recomputation, all of it.
    fn knows(&self, one: &Invalidation) -> Option<Invalidation> {
        let before = |at: Moment| at.elapsed_ms < self.heard_ms;
        let revoked = one.revoked.clone().filter(|word| before(word.at));
        before(one.said.at).then(|| Invalidation { revoked, ..one.clone() })
    }

    /// Gives the stations whose values matter: those of the task, and those that are in a set
    /// with one of them.
    fn concerned(&self, registry: &Registry) -> BTreeSet<StationId> {
        let mut stations: BTreeSet<StationId> = self.stations.iter().copied().collect();
        for set in registry.sets.iter() {
            if set.members.iter().any(|(station, _)| self.stations.contains(station)) {
                stations.extend(set.members.iter().map(|(station, _)| *station));
            }
        }
        stations
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
        let concerned = task.concerned(edition);
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
                self.concerned = self.task.concerned(registry);
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

/// A value that came late.
struct Late {
    observation: Observation,
    station: StationId,
    arrived_ms: i64,
    /// Which input brought it, by their order.
    input: usize,
    /// Whether an earlier recomputation counted it.
    told: bool,
}

impl Late {
    fn span(&self) -> PhenomenonTime {
        self.observation.phenomenon_time
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
    late: Vec<Late>,
    said: Vec<Said>,
    input: usize,
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
        let said = of_days.map(|one| Said::new(&one, begins)).collect();
        Self { reader, ends, late: Vec::new(), said, input: 0 }
    }

    fn take(&mut self, arrival: &Arrival<'_>) -> ControlFlow<()> {
        let task = self.reader.task;
        let arrived_ms = arrival.at.elapsed_ms;
        if arrived_ms >= task.heard_ms || self.late.len() > LATE_MAX {
            return ControlFlow::Break(());
        }
        self.input += 1;
        if let Input::Recompute(before) = &arrival.input
            && let Some(heard_ms) = before.heard_ms
        {
            let counted = |one: &&mut Late| {
                one.arrived_ms < heard_ms && concerns(before, one.station, one.span().start())
            };
            self.late.iter_mut().filter(counted).for_each(|one| one.told = true);
            self.said.iter_mut().for_each(|one| one.count(before, heard_ms));
        }
        for (observation, station, late) in self.reader.read(arrival) {
            let (input, told) = (self.input, false);
            let one = Late { observation, station, arrived_ms, input, told };
            if late && task.begins() <= one.in_time() && one.in_time() < self.ends {
                self.late.push(one);
            }
        }
        ControlFlow::Continue(())
    }

    /// Gives it in the order in which it would have come, and what was said; nothing if it is too
    /// much.
    fn found(mut self) -> Option<(VecDeque<Late>, Vec<Said>)> {
        self.late.sort_by_key(|one| (one.in_time(), one.input));
        (self.late.len() <= LATE_MAX).then(|| (self.late.into(), self.said))
    }
}

/// What days came to, by what it is of.
#[derive(Default)]
struct Results {
    observations: BTreeMap<(DatastreamId, Period, Timestamp), QualifiedObservation>,
    coverage: BTreeMap<(DatastreamId, Timestamp), (Coverage, Option<DaySummary>)>,
    assessments: BTreeMap<(DatastreamId, Period, Timestamp), Assessment>,
    evaluations: BTreeMap<(Evaluated, Index, Period, Timestamp), Evaluation>,
}

/// A pipeline aside, and what the days came to in it.
struct Side {
    pipeline: Pipeline,
    out: Processed,
    results: Results,
    /// All that was ever said of the days: the single values that it is of are looked at.
    said: Arc<Invalidations>,
    /// How many of them there are.
    single: usize,
}

impl Side {
    /// Begins with what was known from the first on.
    fn new(
        edition: &Arc<Registry>,
        said: &Arc<Invalidations>,
        known: impl Iterator<Item = Invalidation>,
    ) -> Self {
        let mut pipeline = Pipeline::new(Arc::clone(edition), Moment::default());
        let mut from_first = Invalidations::default();
        known.for_each(|one| {
            from_first.add(one);
        });
        pipeline.state.invalidations = Arc::new(from_first);
        let (out, results) = (Processed::default(), Results::default());
        Self { pipeline, out, results, said: Arc::clone(said), single: 0 }
    }

    /// Has a person say something at its time, unless it was known from the first on.
    fn act(&mut self, task: &Task, act: &Act<'_>, at: Timestamp) {
        self.run_until(task, at);
        self.out.clear();
        self.pipeline.act(act, moment(at), &mut self.out);
        self.collect(task);
    }

    /// Has checks show something at their time, and take it back; all at once, as they came.
    fn say(&mut self, task: &Task, said: &[Invalidation], at: Timestamp) {
        self.run_until(task, at);
        self.out.clear();
        self.pipeline.say(said, moment(at), &mut self.out);
        self.collect(task);
    }

    /// Gives out what is due until a time, each at the moment when it is due.
    fn run_until(&mut self, task: &Task, until: Timestamp) {
        let mut last = None;
        while let Some(due) = self.pipeline.averages_due.filter(|due| *due <= until) {
            // What can't be given out stays due; it must not stop the others.
            let due = last.map_or(due, |last: Timestamp| due.max(last.plus(1))).min(until);
            if last == Some(due) {
                break;
            }
            self.out.clear();
            self.pipeline.give_due(moment(due), &mut self.out);
            self.collect(task);
            last = Some(due);
        }
    }

    /// Stores the observations of one message at a time.
    fn store(&mut self, task: &Task, observations: &[Observation], at: Timestamp) {
        if observations.is_empty() {
            return;
        }
        self.run_until(task, at);
        self.out.clear();
        let members = Flag::NotEvaluated;
        let hearing =
            Hearing { now: moment(at), live: false, backlog: None, imported: false, members };
        self.pipeline.store(observations, hearing, &mut Ledger::default(), &mut self.out);
        self.collect(task);
    }

    fn adopt(&mut self, task: &Task, registry: &Arc<Registry>, at: Timestamp) {
        self.run_until(task, at);
        self.out.clear();
        let input = Input::Edition(Arc::clone(registry));
        self.pipeline.process(&Arrival { at: moment(at), input }, &mut self.out);
    }

    /// Keeps what is of the days: averages up to a day and what is made of them, and derived
    /// values. A device's own values were stored when they came, and are looked at where a person
    /// said something of them or of one beside them; nothing is said of their verdicts, as of any
    /// value that comes after a newer one. What is made of days is the live state's.
    fn collect(&mut self, task: &Task) {
        let Self { pipeline, out, results, said, single } = self;
        let registry = pipeline.registry();
        let datastream = |id| {
            let of_task = |station| task.stations.contains(station);
            registry.datastream(id).filter(|one| of_task(&one.station))
        };
        for one in &out.observations {
            let Observation { datastream: id, period, phenomenon_time: time, .. } = one.observation;
            let Some(of) = datastream(id).filter(|_| task.covers(time)) else { continue };
            let key = (id, period, time.start());
            let wanted = if period != Period::Native {
                is_short(period)
            } else if of.formulas.is_empty() {
                let is_said = said.concerns(of, time.start(), look_back_ms(of));
                let held = results.observations.contains_key(&key);
                *single += usize::from(is_said && !held);
                is_said && (held || *single <= SAID_MAX)
            } else {
                true
            };
            match results.observations.get_mut(&key).filter(|_| one.flag_only) {
                Some(held) => held.quality = one.quality,
                None if wanted => {
                    results.observations.insert(key, *one);
                }
                None => {}
            }
        }
        for one in &out.assessments {
            let Assessment { datastream: id, period, phenomenon_time: time, .. } = *one;
            if is_short(period) && task.covers(time) && datastream(id).is_some() {
                results.assessments.insert((id, period, time.start()), *one);
            }
        }
        for one in &out.coverage {
            let (id, start) = (one.datastream, one.phenomenon_time.start());
            let Some(of) = datastream(id).filter(|_| task.covers(one.phenomenon_time)) else {
                continue;
            };
            let kept = pipeline.state.stream(of).and_then(|stream| stream.days.at(start));
            let day = kept.map(|kept| DaySummary {
                datastream: id,
                start,
                value: kept.value,
                suspect: kept.suspect,
                partial: kept.partial,
                received: kept.received,
                valid: kept.valid,
            });
            results.coverage.insert((id, start), (*one, day));
        }
        for one in &out.evaluations {
            let of_task = match one.subject {
                Evaluated::Station(station) => task.stations.contains(&station),
                Evaluated::Set(_) | Evaluated::Place(_) => true,
            };
            if of_task && is_short(one.period) && task.covers(one.phenomenon_time) {
                let key = (one.subject, one.index, one.period, one.phenomenon_time.start());
                results.evaluations.insert(key, one.clone());
            }
        }
    }
}

/// Says whether an average is of a day at most.
fn is_short(period: Period) -> bool {
    match period {
        Period::Hour | Period::EightHours | Period::Day | Period::DayMaxEightHours => true,
        Period::Native | Period::Month | Period::Quarter | Period::Year => false,
    }
}

/// Aside nobody is silent and no broker away, so elapsed time says nothing.
fn moment(wall: Timestamp) -> Moment {
    Moment { wall, elapsed_ms: 0 }
}

/// The two pipelines, and what is still to come late.
struct Stage<'t> {
    reader: Reader<'t>,
    ends: Timestamp,
    late: VecDeque<Late>,
    /// What of persons' words is still to be played.
    played: Played,
    /// What checks showed, still to be played.
    by_checks: VecDeque<Invalidation>,
    /// As it was.
    told: Side,
    /// As it should have been.
    in_time: Side,
}

impl<'t> Stage<'t> {
    fn new(
        task: &'t Task,
        edition: &Arc<Registry>,
        announced: &Arc<Announced>,
        late: VecDeque<Late>,
        said: &[Said],
    ) -> Self {
        let ends = task.to.plus(closed_after_ms(&edition.judgement));
        let reader = Reader::new(task, edition, announced);
        let mut all = Invalidations::default();
        for one in said {
            all.add(one.said.clone());
        }
        let all = Arc::new(all);
        let (played, known) = Played::new(said, task.begins());
        let told = Side::new(edition, &all, known.into_iter());
        let stands = said.iter().filter(|one| one.said.revoked.is_none());
        let in_time = Side::new(edition, &all, stands.map(|one| one.said.clone()));
        let by_checks = said::by_checks(said, task.begins());
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
            self.told.adopt(task, registry, at);
            self.in_time.adopt(task, registry, at);
        }
        if let Input::Act(act) = &arrival.input {
            for act in self.played.acts(act, at) {
                self.told.act(task, &act, at);
            }
        }
        let in_time = read.into_iter().filter(|(_, _, late)| !late);
        let observations: Vec<Observation> = in_time.map(|(observation, ..)| observation).collect();
        self.told.store(task, &observations, at);
        self.in_time.store(task, &observations, at);
        self.play_checks(arrival.at);
        ControlFlow::Continue(())
    }

    /// Plays what checks had shown until a moment; a message's check comes after its values.
    fn play_checks(&mut self, until: Moment) {
        let task = self.reader.task;
        let due = |one: &Invalidation| said::said_at(one).elapsed_ms <= until.elapsed_ms;
        let mut said = Vec::new();
        while let Some(one) = self.by_checks.pop_front_if(|one| due(one)) {
            said.extend(self.played.said(&one));
        }
        if !said.is_empty() {
            self.told.say(task, &said, until.wall);
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
            let all: Vec<Observation> = of_message.iter().map(|one| one.observation).collect();
            let told = of_message.iter().filter(|one| one.told);
            let told: Vec<Observation> = told.map(|one| one.observation).collect();
            self.told.store(task, &told, at);
            self.in_time.store(task, &all, at);
        }
    }

    /// Gives out all that is due, and what is other than it was.
    fn end(mut self) -> (Recompute, Vec<Changed>) {
        let task = self.reader.task;
        self.play_late(self.ends.plus(-1));
        self.told.run_until(task, self.ends);
        self.in_time.run_until(task, self.ends);
        differences(task, self.told.results, self.in_time.results)
    }
}
