//! Derived datastreams: what an observation touches is noted, and worked out once for a message
//! from what the inputs' histories hold then, so that the order of arrival doesn't matter. The
//! result goes the way of any observation.

use crate::domain::expression::EXPRESSION_INPUTS_MAX;
use crate::domain::history::{Entry, Held};
use crate::domain::ledger::Ledger;
use crate::domain::name::DatastreamId;
use crate::domain::observation::{NilReason, Observation, ObservationResult, Period, Side};
use crate::domain::quality::{Flag, Test};
use crate::domain::registry::{Datastream, Formula, Registry};
use crate::domain::time::{PhenomenonTime, Timestamp};
use crate::pipeline::observe::Hearing;
use crate::pipeline::state::StreamState;
use crate::pipeline::{Pipeline, Processed};

/// How many values of its leader one input of a derived datastream has worked out anew, newest
/// first: a sample of four hours and a leader of one value a minute are less.
const ANEW_MAX: usize = 1440;
/// How many values of an input are looked at for one that counts.
const LOOK_BACK_MAX: usize = 4;

/// A value that is to be worked out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Due {
    /// What stands lower comes first.
    rank: u16,
    derived: DatastreamId,
    time: Timestamp,
}

impl Pipeline {
    /// Notes what an observation that was stored touches.
    pub(super) fn touch(&mut self, registry: &Registry, input: &Datastream, time: Timestamp) {
        for feed in input.feeds.iter() {
            let Some(derived) = registry.datastream(feed.derived) else { continue };
            for formula in derived.formulas.iter() {
                let Some(leader) = leader(registry, formula) else { continue };
                let mut note = |time| {
                    if formula.validity.holds(time) {
                        let due = Due { rank: feed.rank, derived: feed.derived, time };
                        self.due.insert(due);
                    }
                };
                if leader.id == input.id {
                    note(time);
                    continue;
                }
                let uses = formula.expression.inputs().contains(&input.id);
                let Some(held) = self.state.stream(leader).filter(|_| uses) else { continue };
                match held.history.newest().map(|newest| newest.time) {
                    Some(newest) if newest == time => note(time),
                    Some(newest) if newest > time => {
                        // The value stands for those that come after it, until it is too old.
                        let until = time.plus(input.stands_for_ms());
                        let mut times = held.history.since(time);
                        times.retain(|entry| entry.time <= until);
                        times.iter().rev().take(ANEW_MAX).for_each(|entry| note(entry.time));
                    }
                    Some(_) | None => {}
                }
            }
        }
    }

    /// Works out all that is due, and what becomes due by it.
    pub(super) fn derive(&mut self, registry: &Registry, hearing: Hearing, out: &mut Processed) {
        while let Some(due) = self.due.pop_first() {
            let Some(derived) = registry.datastream(due.derived) else { continue };
            let Some((result, members)) = self.derived(registry, derived, due.time) else {
                continue;
            };
            let observation = Observation {
                datastream: derived.id,
                period: Period::Native,
                phenomenon_time: PhenomenonTime::Instant(due.time),
                result,
                raw: None,
                clock: Flag::NotEvaluated,
                mark: None,
            };
            // The ledger counts what devices sent.
            let hearing = Hearing { live: false, members, ..hearing };
            self.observe(registry, observation, hearing, &mut Ledger::default(), out);
        }
    }

    /// Gives the result of a derived datastream at a time, and the worst flag of what it was made
    /// of; nothing where its leader has no value or no formula holds.
    fn derived(
        &self,
        registry: &Registry,
        derived: &Datastream,
        time: Timestamp,
    ) -> Option<(ObservationResult, Flag)> {
        let formula = derived.formulas.iter().find(|formula| formula.validity.holds(time))?;
        let mut results = [ObservationResult::Nil(NilReason::NoInput); EXPRESSION_INPUTS_MAX];
        let mut members = Flag::Missing;
        let inputs = formula.expression.inputs();
        for (place, id) in inputs.iter().enumerate() {
            let input = registry.datastream(*id)?;
            let stream = self.state.stream(input)?;
            let entry = if place == usize::from(formula.leader) {
                let entry = stream.history.at_or_before(time)?;
                if entry.time != time {
                    return None;
                }
                Some(entry).filter(Entry::is_usable)
            } else {
                standing(stream, input, time)
            };
            if let (Some(entry), Some(result)) = (entry, results.get_mut(place)) {
                members = members.or_worse(entry.flag());
                *result = entry.result;
            }
        }
        let results = results.get(..inputs.len())?;
        let result = result(formula, results);
        let nil = matches!(result, ObservationResult::Nil(_));
        Some((result, if nil { Flag::NotEvaluated } else { members }))
    }
}

/// Says what a derived datastream holds of an observation. One that is as it was, but of a more
/// or less doubtful input, is another; and each of its times is of a value of its leader, so that
/// none is a repeat.
pub(super) fn held_derived(stream: &StreamState, observation: &Observation, members: Flag) -> Held {
    let time = observation.phenomenon_time.start();
    let entry = stream.history.at_or_before(time).filter(|entry| entry.time == time);
    let Some(entry) = entry else { return Held::Nothing };
    let same = entry.result == observation.result && entry.quality.flag(Test::Members) == members;
    if same { Held::Same(entry) } else { Held::Other(entry) }
}

fn leader<'a>(registry: &'a Registry, formula: &Formula) -> Option<&'a Datastream> {
    let id = formula.expression.inputs().get(usize::from(formula.leader))?;
    registry.datastream(*id)
}

/// Gives the latest value that counts at a time and is not too old.
fn standing(stream: &StreamState, input: &Datastream, time: Timestamp) -> Option<Entry> {
    let mut at = time;
    for _ in 0..LOOK_BACK_MAX {
        let entry = stream.history.at_or_before(at)?;
        if time.since(entry.time) > input.stands_for_ms() {
            return None;
        }
        if entry.is_usable() {
            return Some(entry);
        }
        at = entry.time.plus(-1);
    }
    None
}

/// Works a formula out. Where an input is known to one side only, so is the result: the formula is
/// taken to rise or to fall with that input, which half the limit, or twice of it, tells.
fn result(formula: &Formula, inputs: &[ObservationResult]) -> ObservationResult {
    let mut numbers = [f64::NAN; EXPRESSION_INPUTS_MAX];
    for (number, input) in numbers.iter_mut().zip(inputs) {
        let Some(known) = input.number() else {
            return ObservationResult::Nil(NilReason::NoInput);
        };
        *number = known;
    }
    let evaluate = |numbers: &[f64]| formula.expression.evaluate(numbers);
    let undefined = ObservationResult::Nil(NilReason::Undefined);
    let Some(value) = evaluate(&numbers) else { return undefined };
    let mut side = None;
    for (place, input) in inputs.iter().enumerate() {
        let ObservationResult::Censored { side: of, limit } = *input else { continue };
        let mut beyond = numbers;
        if let Some(number) = beyond.get_mut(place) {
            *number = match of {
                Side::Below => limit / 2.0,
                Side::Above => limit * 2.0,
            };
        }
        let Some(there) = evaluate(&beyond) else { return undefined };
        let towards = match there.total_cmp(&value) {
            std::cmp::Ordering::Less => Side::Below,
            std::cmp::Ordering::Greater => Side::Above,
            std::cmp::Ordering::Equal => continue,
        };
        // One input that lowers it and one that raises it leave nothing known.
        if side.is_some_and(|held| held != towards) {
            return undefined;
        }
        side = Some(towards);
    }
    match side {
        Some(side) => ObservationResult::Censored { side, limit: value },
        None => ObservationResult::Value(value),
    }
}
