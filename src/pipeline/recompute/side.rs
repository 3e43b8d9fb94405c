//! A pipeline that plays days aside, and what they come to in it: as they should have been, or as
//! some of them were told.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::assessment::Assessment;
use crate::domain::evaluation::{Evaluated, Evaluation, Index};
use crate::domain::input::{Act, Arrival, Input};
use crate::domain::invalidation::{Invalidation, Invalidations};
use crate::domain::ledger::Ledger;
use crate::domain::name::{DatastreamId, StationId};
use crate::domain::observation::{Coverage, Observation, Period, QualifiedObservation};
use crate::domain::quality::Flag;
use crate::domain::recompute::DaySummary;
use crate::domain::registry::Registry;
use crate::domain::time::{Moment, Timestamp};
use crate::pipeline::concern::{self, Together, look_back_ms};
use crate::pipeline::observe::Hearing;
use crate::pipeline::recompute::said::{Heard, Recomputed};
use crate::pipeline::recompute::{SAID_MAX, Task};
use crate::pipeline::{Pipeline, Processed};

/// What days came to, by what it is of.
#[derive(Default)]
pub(super) struct Results {
    pub(super) observations: BTreeMap<(DatastreamId, Period, Timestamp), QualifiedObservation>,
    pub(super) coverage: BTreeMap<(DatastreamId, Timestamp), (Coverage, Option<DaySummary>)>,
    pub(super) assessments: BTreeMap<(DatastreamId, Period, Timestamp), Assessment>,
    pub(super) evaluations: BTreeMap<(Evaluated, Index, Period, Timestamp), Evaluation>,
}

impl Results {
    /// Adds what other days came to.
    pub(super) fn with(mut self, other: Self) -> Self {
        self.observations.extend(other.observations);
        self.coverage.extend(other.coverage);
        self.assessments.extend(other.assessments);
        self.evaluations.extend(other.evaluations);
        self
    }
}

/// By what some of the days were told.
#[derive(Clone, Copy)]
pub(super) struct Telling<'t> {
    pub(super) before: &'t Recomputed,
    pub(super) heard: Heard,
}

/// A pipeline aside, and what the days came to in it.
pub(super) struct Side<'t> {
    /// The days that it is of; all of the task without.
    telling: Option<Telling<'t>>,
    pipeline: Pipeline,
    out: Processed,
    pub(super) results: Results,
    /// All that was ever said of the days: the single values that it is of are looked at.
    said: Arc<Invalidations>,
    /// How many of them there are.
    single: usize,
    /// Which stations are evaluated together.
    together: Together,
}

impl<'t> Side<'t> {
    /// Begins with what of all that was said was known from the first on.
    pub(super) fn new(
        edition: &Arc<Registry>,
        said: &Arc<Invalidations>,
        telling: Option<Telling<'t>>,
        known: impl Fn(&Invalidation) -> bool,
    ) -> Self {
        let mut pipeline = Pipeline::new(Arc::clone(edition), Moment::default());
        let mut from_first = Invalidations::default();
        for one in said.iter().filter(|one| known(one)) {
            from_first.add(Invalidation { revoked: None, ..one.clone() });
        }
        pipeline.state.invalidations = Arc::new(from_first);
        let (out, results) = (Processed::default(), Results::default());
        let (said, together) = (Arc::clone(said), concern::together(edition));
        Self { telling, pipeline, out, results, said, single: 0, together }
    }

    /// Says whether it was told live, so that what comes while it is played is news to it.
    pub(super) fn is_live(&self) -> bool {
        self.telling.is_some_and(|telling| telling.heard.is_none())
    }

    /// Says whether something that came late was counted, by when it arrived.
    pub(super) fn counts(&self, arrived_ms: i64) -> bool {
        self.telling.is_none_or(|telling| telling.heard > Some(arrived_ms))
    }

    /// Has a person say something at its time, unless it was known from the first on.
    pub(super) fn act(&mut self, task: &Task, act: &Act<'_>, at: Timestamp) {
        self.run_until(task, at);
        self.out.clear();
        self.pipeline.act(act, moment(at), &mut self.out);
        self.collect(task);
    }

    /// Has checks show something at their time, and take it back; all at once, as they came.
    pub(super) fn say(&mut self, task: &Task, said: &[Invalidation], at: Timestamp) {
        self.run_until(task, at);
        self.out.clear();
        self.pipeline.say(said, moment(at), &mut self.out);
        self.collect(task);
    }

    /// Gives out what is due until a time, each at the moment when it is due.
    pub(super) fn run_until(&mut self, task: &Task, until: Timestamp) {
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
    pub(super) fn store(&mut self, task: &Task, observations: &[Observation], at: Timestamp) {
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

    pub(super) fn adopt(&mut self, task: &Task, registry: &Arc<Registry>, at: Timestamp) {
        self.run_until(task, at);
        self.out.clear();
        let input = Input::Edition(Arc::clone(registry));
        self.pipeline.process(&Arrival { at: moment(at), input }, &mut self.out);
        self.together = concern::together(registry);
    }

    /// Keeps what is of the days: averages up to a day and what is made of them, and derived
    /// values. A device's own values were stored when they came, and are looked at where a person
    /// said something of them or of one beside them; nothing is said of their verdicts, as of any
    /// value that comes after a newer one. What is made of days is the live state's.
    fn collect(&mut self, task: &Task) {
        let Self { telling, pipeline, out, results, said, single, together } = self;
        let registry = pipeline.registry();
        let told = |stations: &[StationId], time| {
            let of = |telling: &Telling<'_>| telling.before.told(stations, time) == telling.heard;
            task.covers(time) && telling.as_ref().is_none_or(of)
        };
        let of_task = |station| task.stations.contains(&station);
        let datastream = |id, time| {
            let of_task = |station| of_task(station) && told(&[station], time);
            registry.datastream(id).filter(|one| of_task(one.station))
        };
        for one in &out.observations {
            let Observation { datastream: id, period, phenomenon_time: time, .. } = one.observation;
            let Some(of) = datastream(id, time) else { continue };
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
            if is_short(period) && datastream(id, time).is_some() {
                results.assessments.insert((id, period, time.start()), *one);
            }
        }
        for one in &out.coverage {
            let (id, start) = (one.datastream, one.phenomenon_time.start());
            let Some(of) = datastream(id, one.phenomenon_time) else { continue };
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
            let members: Vec<StationId> = match one.subject {
                Evaluated::Station(station) => vec![station],
                // Of those without a station of the task not all are played.
                Evaluated::Set(_) | Evaluated::Place(_) => {
                    together.get(&one.subject).into_iter().flatten().copied().collect()
                }
            };
            let of_task = members.iter().any(|station| of_task(*station));
            if of_task && told(&members, one.phenomenon_time) && is_short(one.period) {
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
