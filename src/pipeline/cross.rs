//! What other series say of a value: other properties of its station, the next station up and down
//! the river, the calibration that came later.

use std::collections::BTreeSet;

use crate::domain::expression::EXPRESSION_INPUTS_MAX;
use crate::domain::history::{Entry, Held};
use crate::domain::name::DatastreamId;
use crate::domain::observation::{Observation, ObservationResult};
use crate::domain::quality::{Flag, Quality, Test};
use crate::domain::registry::{CrossCheck, CrossKind, Datastream, GrossRange, Neighbour, Registry};
use crate::domain::time::Timestamp;
use crate::pipeline::observe::held;
use crate::pipeline::qualify::{Telling, stands_beside};
use crate::pipeline::weighed;
use crate::pipeline::{Pipeline, Processed};
use crate::qc::{counter, drift, neighbour, stale_analyser, unit_mistake};

/// A value in its own series: the one before it and what was said of that.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct InSeries {
    pub(super) before: Option<(Timestamp, f64)>,
    /// What the neighbour test said of the value before.
    pub(super) neighbour: Flag,
    /// The level that is usual.
    pub(super) level: Option<f64>,
}

impl Pipeline {
    /// Notes what other series say of a value; `quality` holds what its own says.
    pub(super) fn judge_by_others(
        &self,
        registry: &Registry,
        datastream: &Datastream,
        entry: Entry,
        series: InSeries,
        quality: &mut Quality,
    ) {
        let qc = &*datastream.qc;
        let Some(number) = entry.result.number() else { return };
        judge_by_calibration(datastream, entry, quality);
        if let Some(mistake) = qc.unit_mistake {
            quality.set(Test::UnitMistake, unit_mistake::test(mistake, series.level, number));
        }
        if let Some(falls) = qc.counter {
            let counter = registry.energy.counters.get(&datastream.id);
            let flag = counter::test(falls, counter, series.before, (entry.time, number));
            quality.set(Test::Counter, flag);
        }
        for check in datastream.standing.judged_by.iter() {
            let flag = self.checked(registry, check, datastream, entry);
            quality.set(check.test, quality.flag(check.test).or_worse(flag));
        }
        if qc.neighbour.is_some() && !quality.fails_alone() {
            let flag = self.by_neighbours(registry, datastream, (entry.time, number), series);
            quality.set(Test::Neighbour, flag);
        }
    }

    /// Has those judged anew of whom a value that was taken in tells more: what stands beside it at
    /// its station, and what jumped upstream when its water was there.
    pub(super) fn inform(
        &mut self,
        registry: &Registry,
        datastream: &Datastream,
        entry: Entry,
        telling: Telling,
        out: &mut Processed,
    ) {
        for check in datastream.standing.informs.iter() {
            for id in check.judges.iter().filter(|id| **id != datastream.id) {
                let Some(judged) = registry.datastream(*id) else { continue };
                let stands = (entry.time, datastream.stands_for_ms());
                if let Some(span) =
                    self.told_otherwise(registry, (check, datastream), judged, stands)
                {
                    self.requalify(registry, judged, span, telling, out);
                }
            }
        }
        self.inform_far(registry, datastream, (entry.time, entry.time), telling, out);
    }

    /// Has those judged anew that what was observed from one time to another stands beside: whose
    /// climatology goes by it, and what jumped at a neighbour when its water was there.
    pub(super) fn inform_far(
        &mut self,
        registry: &Registry,
        datastream: &Datastream,
        (from, to): (Timestamp, Timestamp),
        telling: Telling,
        out: &mut Processed,
    ) {
        let stands_ms = datastream.stands_for_ms();
        for id in datastream.standing.accompanies.iter() {
            let Some(judged) = registry.datastream(*id) else { continue };
            let newest = self.state.stream(judged).and_then(|stream| stream.history.newest());
            if newest.is_some_and(|newest| from <= newest.time) {
                let span = (from, to.plus(stands_ms).plus(1));
                self.requalify(registry, judged, span, telling, out);
            }
        }
        for neighbour in datastream.standing.neighbours.iter() {
            let Some(other) = registry.datastream(neighbour.datastream) else { continue };
            let doubted = self.state.stream(other).and_then(|stream| stream.qc.doubted);
            // Nearly always nothing was doubted for a day.
            let oldest = from.plus(-registry.judgement.lateness_horizon_ms);
            if doubted.is_none_or(|doubted| doubted < when(*neighbour, oldest).0) {
                continue;
            }
            // By now it is known, too, what stood here in a gap before it.
            let history = self.state.stream(datastream).map(|stream| &stream.history);
            let before = history.and_then(|history| history.at_or_before(from.plus(-1)));
            // What is here now was there so much earlier, and stands for a while.
            let (begin, _) = when(*neighbour, before.map_or(from, |before| before.time));
            let (_, end) = when(*neighbour, to);
            let span = (begin.plus(-stands_ms), end.plus(stands_ms));
            if doubted.is_none_or(|doubted| doubted < span.0) {
                continue;
            }
            let held =
                self.state.stream(other).map(|stream| stream.history.between(span.0, span.1));
            let held = held.unwrap_or_default();
            if self.neighbour_says_otherwise(registry, other, &held) {
                self.requalify(registry, other, span, telling, out);
            }
        }
    }

    /// Says whether the neighbour test says something else by now of values that are held.
    fn neighbour_says_otherwise(
        &self,
        registry: &Registry,
        datastream: &Datastream,
        held: &[Entry],
    ) -> bool {
        let mut before: Option<Entry> = None;
        held.iter().any(|entry| {
            let last = before.replace(*entry);
            let last = last.filter(|last| stands_beside(datastream, last.time, entry.time));
            let Some(number) = entry.beside() else { return false };
            let series = InSeries {
                before: last.and_then(|last| Some((last.time, last.beside()?))),
                neighbour: last.map_or(Flag::NotEvaluated, |one| one.quality.flag(Test::Neighbour)),
                level: None,
            };
            let flag = self.by_neighbours(registry, datastream, (entry.time, number), series);
            flag != entry.quality.flag(Test::Neighbour)
        })
    }

    /// Has those judged anew of whom a span tells more, some of whose values are told anew.
    pub(super) fn inform_of_span(
        &mut self,
        registry: &Registry,
        datastream: &Datastream,
        (from, to): (Timestamp, Timestamp),
        telling: Telling,
        out: &mut Processed,
    ) {
        let standing = &datastream.standing;
        let judged = standing.informs.iter().flat_map(|check| check.judges.iter());
        let stands_until = to.plus(datastream.stands_for_ms()).plus(1);
        let others: BTreeSet<DatastreamId> = judged.copied().collect();
        let beside = others.into_iter().map(|id| (id, (from, stands_until)));
        let upstream = standing.neighbours.iter().map(|neighbour| {
            let ((first, _), (_, last)) = (when(*neighbour, from), when(*neighbour, to));
            (neighbour.datastream, (first, last))
        });
        for (id, (from, to)) in beside.chain(upstream) {
            let Some(other) = registry.datastream(id).filter(|_| id != datastream.id) else {
                continue;
            };
            let span = (from.max(self.held_since(other, telling.now)), to);
            self.requalify(registry, other, span, telling, out);
        }
    }

    /// Gives from when to when what a check says of a datastream may be other than it was, by a
    /// value of another one of a time, which stands for so long.
    fn told_otherwise(
        &self,
        registry: &Registry,
        (check, by): (&CrossCheck, &Datastream),
        judged: &Datastream,
        (time, stands_ms): (Timestamp, i64),
    ) -> Option<(Timestamp, Timestamp)> {
        let history = &self.state.stream(judged)?.history;
        let newest = history.newest()?;
        if let CrossKind::Repeats { samples } = check.kind {
            // It is of a cycle that begins a little earlier or later, and so many samples are held
            // against it.
            let half_ms = judged.interval_ms() / 2;
            let samples_of = &self.state.stream(by)?.history;
            let mut last = time;
            for _ in 1..samples {
                last = samples_of.after(last).map_or(last, |after| after.time);
            }
            let last = last.plus(half_ms);
            let from = time.plus(-half_ms);
            return (from <= newest.time).then_some((from, last.plus(1)));
        }
        if newest.time < time {
            return None;
        }
        if newest.time == time {
            // What the message brings is judged with all of it.
            let of_message = |one: &Observation| {
                one.datastream == judged.id && one.phenomenon_time.start() == time
            };
            let flag = || self.checked(registry, check, judged, newest);
            let same =
                self.observed.iter().any(of_message) || flag() == newest.quality.flag(check.test);
            return (!same).then_some((time, time.plus(1)));
        }
        Some((time, time.plus(stands_ms).plus(1)))
    }

    /// Runs a check for a value of one of its datastreams.
    pub(super) fn checked(
        &self,
        registry: &Registry,
        check: &CrossCheck,
        datastream: &Datastream,
        entry: Entry,
    ) -> Flag {
        match &check.kind {
            CrossKind::Expression { expression, fail, suspect } => {
                if let Some(flag) = self.weighed(check, datastream, entry) {
                    return flag;
                }
                let mut numbers = [f64::NAN; EXPRESSION_INPUTS_MAX];
                for (number, id) in numbers.iter_mut().zip(expression.inputs()) {
                    let found = if *id == datastream.id {
                        entry.result.number().filter(|_| !entry.quality.is_unreadable())
                    } else {
                        self.standing_beside(registry, *id, entry.time)
                    };
                    let Some(found) = found else { return Flag::NotEvaluated };
                    *number = found;
                }
                weighed::flag(expression, (*fail, *suspect), &numbers)
            }
            CrossKind::Repeats { samples } => {
                self.repeats(registry, (check, *samples), datastream, entry)
            }
        }
    }

    /// Gives what a datastream says at a time: what the message that is read brings, else what the
    /// ring holds; nothing where that is too old or was no reading at all.
    pub(super) fn standing_beside(
        &self,
        registry: &Registry,
        id: DatastreamId,
        time: Timestamp,
    ) -> Option<f64> {
        let of = registry.datastream(id)?;
        let stands = |at: Timestamp| at <= time && time.since(at) <= of.stands_for_ms();
        let start = |one: &Observation| one.phenomenon_time.start();
        let brought = self.observed.iter();
        let brought = brought.filter(|one| one.datastream == id && stands(start(one)));
        let brought = match self.observed.iter().rev().find(|one| one.datastream == id) {
            // Nearly always it is of the same time, and nothing that is held is younger.
            Some(last) if start(last) == time => Some(last),
            Some(_) => brought.max_by_key(|one| start(one)),
            None => None,
        };
        let held = match brought {
            Some(one) if start(one) == time => None,
            Some(_) | None => self.state.stream(of)?.history.at_or_before(time),
        };
        let (result, unreadable) = match (brought, held) {
            (Some(one), held) if held.is_none_or(|held| held.time <= start(one)) => {
                let failed = |spans: GrossRange| {
                    one.result.number().is_some_and(|number| spans.judge(number) == Flag::Fail)
                };
                (one.result, of.qc.gross_range.is_some_and(failed))
            }
            (_, held) => {
                let held = held.filter(|held| stands(held.time))?;
                (held.result, held.quality.is_unreadable())
            }
        };
        result.number().filter(|_| !unreadable)
    }

    /// Runs the test for a stale analyser.
    fn repeats(
        &self,
        registry: &Registry,
        (check, samples): (&CrossCheck, usize),
        datastream: &Datastream,
        entry: Entry,
    ) -> Flag {
        let own = self.last_samples(registry, datastream, (entry.time, entry.result), samples);
        // Nearly always a sample is another one than the last.
        if stale_analyser::test(samples, std::slice::from_ref(&own)) == Flag::Pass {
            return Flag::Pass;
        }
        let mut items = vec![own];
        for id in check.judges.iter().filter(|id| **id != datastream.id) {
            let Some(item) = registry.datastream(*id) else { return Flag::NotEvaluated };
            let Some(sample) = self.sample_of_cycle(registry, item, entry.time) else {
                return Flag::NotEvaluated;
            };
            items.push(self.last_samples(registry, item, sample, samples));
        }
        stale_analyser::test(samples, &items)
    }

    /// Gives the samples of an item that the message brings and the ring has not taken in: what is
    /// only a repeat of the sample that is held is none.
    fn samples_brought(
        &self,
        registry: &Registry,
        item: &Datastream,
    ) -> impl DoubleEndedIterator<Item = (Timestamp, ObservationResult)> {
        let stream = self.state.stream(item);
        let of_item = self.observed.iter().filter(|one| one.datastream == item.id);
        let fresh = of_item.filter(move |one| {
            let mark = one.mark.and_then(|mark| registry.marks.get(mark));
            stream.is_none_or(|stream| !matches!(held(stream, item, one, mark), Held::Same(_)))
        });
        fresh.map(|one| (one.phenomenon_time.start(), one.result))
    }

    /// Gives the sample of an item that was drawn in the same cycle as one at a time.
    pub(super) fn sample_of_cycle(
        &self,
        registry: &Registry,
        item: &Datastream,
        time: Timestamp,
    ) -> Option<(Timestamp, ObservationResult)> {
        let half_ms = item.interval_ms() / 2;
        let near = |at: Timestamp| at.since(time).abs() <= half_ms;
        let brought = self.samples_brought(registry, item).rev().find(|(at, _)| near(*at));
        if brought.is_some() {
            return brought;
        }
        let held = self.state.stream(item)?.history.at_or_before(time.plus(half_ms))?;
        near(held.time).then_some((held.time, held.result))
    }

    /// Gives a sample and those before it, the newest first.
    pub(super) fn last_samples(
        &self,
        registry: &Registry,
        item: &Datastream,
        (time, result): (Timestamp, ObservationResult),
        samples: usize,
    ) -> Vec<ObservationResult> {
        let mut last = vec![result];
        let mut at = time;
        while let Some(stream) = self.state.stream(item).filter(|_| last.len() < samples) {
            let held = stream.history.at_or_before(at.plus(-1));
            let held = held.map(|before| (before.time, before.result));
            let brought = self.samples_brought(registry, item).filter(|(start, _)| *start < at);
            let before = held.into_iter().chain(brought).max_by_key(|(time, _)| *time);
            let Some((time, before)) = before else { break };
            last.push(before);
            at = time;
        }
        last
    }

    /// Runs the neighbour test on a value that jumped, or goes on where one jumped.
    fn by_neighbours(
        &self,
        registry: &Registry,
        datastream: &Datastream,
        (time, number): (Timestamp, f64),
        series: InSeries,
    ) -> Flag {
        let Some(tolerance) = datastream.qc.neighbour else { return Flag::NotEvaluated };
        if !asks_neighbours(datastream, number, series) {
            return Flag::NotEvaluated;
        }
        let neighbours = datastream.standing.neighbours.iter();
        let spans = neighbours.filter_map(|one| self.shown_by(registry, *one, time));
        let spans: Vec<(f64, f64)> = spans.collect();
        neighbour::test(tolerance, number, &spans)
    }

    /// Gives the least and the greatest value of a neighbour while its water was that of a time
    /// here.
    pub(super) fn shown_by(
        &self,
        registry: &Registry,
        neighbour: Neighbour,
        time: Timestamp,
    ) -> Option<(f64, f64)> {
        let other = registry.datastream(neighbour.datastream)?;
        let history = &self.state.stream(other)?.history;
        let (from, to) = when(neighbour, time);
        let mut held = history.between(from, to);
        // What stands where the water goes is not known before the water is there.
        let known = from <= time || history.newest().is_some_and(|one| one.time >= from);
        let standing = history.at_or_before(from).filter(|_| known);
        held.extend(standing.filter(|one| from.since(one.time) <= other.stands_for_ms()));
        let numbers = held.iter().filter_map(Entry::beside);
        numbers.fold(None, |span: Option<(f64, f64)>, number| {
            let (low, high) = span.unwrap_or((number, number));
            Some((low.min(number), high.max(number)))
        })
    }
}

/// Says whether neighbours are asked about a value: where it jumped, or goes on where one jumped.
pub(super) fn asks_neighbours(datastream: &Datastream, number: f64, series: InSeries) -> bool {
    let Some(tolerance) = datastream.qc.neighbour else { return false };
    let jumped = |(_, before): (Timestamp, f64)| (number - before).abs() > tolerance.of(before);
    series.before.is_some_and(jumped) || series.neighbour == Flag::Suspect
}

/// Notes what the calibration that came after a value says of it.
pub(super) fn judge_by_calibration(datastream: &Datastream, entry: Entry, quality: &mut Quality) {
    if let (Some(tolerance), Some(number)) = (datastream.qc.drift, entry.result.number()) {
        let flag = drift::test(tolerance, &datastream.calibrations, (entry.time, number));
        quality.set(Test::Drift, flag);
    }
}

/// Gives from when to before when a neighbour's water was the same as that of a time here.
pub(super) fn when(neighbour: Neighbour, time: Timestamp) -> (Timestamp, Timestamp) {
    (time.plus(-neighbour.high_ms), time.plus(1 - neighbour.low_ms))
}
