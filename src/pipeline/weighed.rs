//! What the checks across datastreams come to with what one message brings, worked out once for all
//! of its values that are judged by them.

use crate::domain::expression::{EXPRESSION_INPUTS_MAX, Expression};
use crate::domain::history::Entry;
use crate::domain::observation::Observation;
use crate::domain::quality::Flag;
use crate::domain::registry::{CrossCheck, CrossKind, Datastream, OneSided, Registry};
use crate::domain::time::Timestamp;
use crate::pipeline::Pipeline;
use crate::qc::multi_variate;

/// How many checks are remembered of a message; those beyond are worked out for each value.
const WEIGHED_MAX: usize = 16;

/// The number of each input of an expression; NaN for one of which nothing stands.
type Numbers = [f64; EXPRESSION_INPUTS_MAX];

/// What a check came to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weighed {
    /// Where the check lies: the edition stays while a message is read.
    check: usize,
    time: Timestamp,
    numbers: Numbers,
    flag: Flag,
}

impl Pipeline {
    /// Works out what the checks on one of the observations of a message come to at its time. They
    /// come to the same for the others of that time, until something that is held is judged anew.
    pub(super) fn weigh(&mut self, registry: &Registry, observation: &Observation) {
        let time = observation.phenomenon_time.start();
        if self.weighed.first().is_some_and(|one| one.time != time) {
            self.weighed.clear();
        }
        let Some(datastream) = registry.datastream(observation.datastream) else { return };
        for one in datastream.standing.judged_by.iter() {
            let CrossKind::Expression { expression, fail, suspect } = &one.kind else { continue };
            let check = place(one);
            if self.weighed.len() >= WEIGHED_MAX || self.weighed.iter().any(|of| of.check == check)
            {
                continue;
            }
            let mut numbers = [f64::NAN; EXPRESSION_INPUTS_MAX];
            for (number, id) in numbers.iter_mut().zip(expression.inputs()) {
                *number = self.standing_beside(registry, *id, time).unwrap_or(f64::NAN);
            }
            let flag = flag(expression, (*fail, *suspect), &numbers);
            self.weighed.push(Weighed { check, time, numbers, flag });
        }
    }

    /// Gives what a check came to for a value, if that was worked out and the value itself was what
    /// stood for it.
    pub(super) fn weighed(
        &self,
        check: &CrossCheck,
        datastream: &Datastream,
        entry: Entry,
    ) -> Option<Flag> {
        let place = place(check);
        let of = |one: &&Weighed| one.check == place && one.time == entry.time;
        let weighed = self.weighed.iter().find(of)?;
        let own = check.inputs().iter().position(|id| *id == datastream.id);
        let Some(number) = own.and_then(|own| weighed.numbers.get(own)) else {
            return Some(weighed.flag);
        };
        let known = entry.result.number().filter(|_| !entry.quality.is_unreadable())?;
        (known.to_bits() == number.to_bits()).then_some(weighed.flag)
    }
}

/// Gives the flag of numbers; none where one is not known.
pub(super) fn flag(
    expression: &Expression,
    (fail, suspect): (OneSided, OneSided),
    numbers: &Numbers,
) -> Flag {
    let numbers = numbers.get(..expression.inputs().len()).unwrap_or_default();
    if numbers.iter().any(|number| number.is_nan()) {
        return Flag::NotEvaluated;
    }
    let value = expression.evaluate(numbers);
    value.map_or(Flag::NotEvaluated, |value| multi_variate::test(fail, suspect, value))
}

fn place(check: &CrossCheck) -> usize {
    std::ptr::from_ref(check).addr()
}
