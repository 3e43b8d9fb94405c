//! What a counter's states say was used in a span: differences of neighbouring states, exact and
//! whole, shared out by time where the span's borders or a gap lie between two readings.

mod latest;

use crate::domain::history::Entry;
use crate::domain::observation::{Completeness, ObservationResult};
use crate::domain::quality::{Flag, Test};
use crate::domain::registry::{Counter, PARTS, is_credible};
use crate::domain::time::{MINUTE, Timestamp};

pub use self::latest::Latest;

/// How many readings in a row may be out of line with those around them and are left out.
const OUT_OF_LINE_MAX: usize = 3;

/// What was used in a span, and how well that is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Consumption {
    /// The amount that is known of, in [`PARTS`] of the canonical unit; never negative.
    pub parts: i128,
    /// How much of the span lies between readings that follow each other as they should, ms.
    pub measured_ms: i64,
    /// How much lies in gaps whose amount was shared out by time, ms.
    pub shared_ms: i64,
    /// How much nothing is known of, ms: no reading around it, an exchange or a reset. What was
    /// used in it is not in the amount.
    pub missing_ms: i64,
    /// How much of what is missing lies over an exchange or a reset, ms: nobody will ever know it.
    pub cut_ms: i64,
    /// How many readings lie in the span.
    pub readings: u32,
    /// How often the counter rolled over.
    pub rollovers: u32,
    /// Whether a meter was exchanged: nothing is counted from the old one's last reading to the
    /// new one's first.
    pub exchanged: bool,
    /// Whether the state fell and that was no rollover: nothing is counted over the fall.
    pub reset: bool,
    /// Whether something is doubtful: a reset, a reading out of line, a rise faster than any
    /// meter's, a reading that quality control suspects.
    pub suspect: bool,
}

impl Consumption {
    /// Gives the amount in the canonical unit; nothing where nothing is known, which is not zero.
    #[must_use]
    pub fn total(&self) -> Option<f64> {
        // Through decimal text, so that 0.1 is the 0.1 that everybody writes.
        let number = || format!("{}.{:012}", self.parts / PARTS, self.parts % PARTS).parse().ok();
        (self.measured_ms + self.shared_ms > 0).then(number).flatten()
    }

    /// Gives the share of the span that was measured: neither shared out nor missing.
    #[must_use]
    pub fn measured_share(&self) -> f64 {
        let whole = self.measured_ms + self.shared_ms + self.missing_ms;
        if whole > 0 { self.measured_ms as f64 / whole as f64 } else { 0.0 }
    }

    /// Says how complete it is, in minutes: received is what lies between readings, valid what was
    /// measured.
    #[must_use]
    pub fn completeness(&self) -> Completeness {
        let minutes = |millis: i64| u32::try_from(millis / MINUTE).unwrap_or(u32::MAX);
        Completeness {
            received: minutes(self.measured_ms + self.shared_ms),
            valid: minutes(self.measured_ms),
            expected: minutes(self.measured_ms + self.shared_ms + self.missing_ms),
            extremes: None,
        }
    }

    /// Gives the flag of the amount.
    #[must_use]
    pub fn flag(&self) -> Flag {
        match self.total() {
            None => Flag::Missing,
            Some(_) if self.suspect => Flag::Suspect,
            Some(_) => Flag::Pass,
        }
    }

    /// Adds what was used in another span, exactly.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            parts: self.parts.saturating_add(other.parts),
            measured_ms: self.measured_ms.saturating_add(other.measured_ms),
            shared_ms: self.shared_ms.saturating_add(other.shared_ms),
            missing_ms: self.missing_ms.saturating_add(other.missing_ms),
            cut_ms: self.cut_ms.saturating_add(other.cut_ms),
            readings: self.readings.saturating_add(other.readings),
            rollovers: self.rollovers.saturating_add(other.rollovers),
            exchanged: self.exchanged || other.exchanged,
            reset: self.reset || other.reset,
            suspect: self.suspect || other.suspect,
        }
    }
}

/// One usable state.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct State {
    time: Timestamp,
    steps: i64,
    /// Its row in [`Counter::meters`].
    meter: usize,
    suspect: bool,
}

/// Says what was used in a span, from the readings in it and some before and after it, as
/// [`Latest::around`] gives them. What the readings are decides alone: neither their order nor when
/// they came.
///
/// What was used between two readings is the same whichever span asks for its part, so adjoining
/// spans sum up to the difference of the states.
pub fn consumption(
    entries: impl Iterator<Item = Entry>,
    span: (Timestamp, Timestamp),
    counter: &Counter,
) -> Consumption {
    let mut sum = Consumption::default();
    let states = states(entries, span, counter, &mut sum);
    let states = in_line(states, span, counter, &mut sum);
    for two in states.windows(2) {
        if let [before, after] = two {
            count(*before, *after, span, counter, &mut sum);
        }
    }
    let whole = span.1.since(span.0).max(0);
    sum.missing_ms = (whole - sum.measured_ms - sum.shared_ms).max(0);
    sum
}

/// Says whether a reading can be subtracted from another: it is a value that did not fail, of a
/// meter that was there then and has such a state.
#[must_use]
pub fn is_state(entry: &Entry, counter: &Counter) -> bool {
    state(entry, counter).is_some_and(|state| state.is_some())
}

/// Gives the state that a value that did not fail tells of the meter that was there then, and
/// nothing within where the meter has no such state.
fn state(entry: &Entry, counter: &Counter) -> Option<Option<State>> {
    // What falls, the differences tell by themselves.
    let mut quality = entry.quality;
    quality.set(Test::Counter, Flag::NotEvaluated);
    let suspect = match quality.roll_up() {
        Flag::Pass | Flag::NotEvaluated => false,
        Flag::Suspect => true,
        Flag::Fail | Flag::Missing => return None,
    };
    let ObservationResult::Value(value) = entry.result else { return None };
    let meter = counter.at(entry.time)?;
    let steps = counter.meters.get(meter).and_then(|meter| meter.dial.state(value));
    Some(steps.map(|steps| State { time: entry.time, steps, meter, suspect }))
}

/// Gives the usable states in order of time, one a time.
fn states(
    entries: impl Iterator<Item = Entry>,
    span: (Timestamp, Timestamp),
    counter: &Counter,
    sum: &mut Consumption,
) -> Vec<State> {
    let mut states = Vec::new();
    for entry in entries {
        let Some(state) = state(&entry, counter) else { continue };
        let within = span.0 <= entry.time && entry.time < span.1;
        let Some(state) = state else {
            sum.suspect |= within;
            continue;
        };
        sum.readings += u32::from(within);
        states.push(state);
    }
    states.sort_unstable();
    states.dedup_by_key(|state| state.time);
    states
}

/// Leaves readings out that those around them contradict: a zero between two states, a spike.
fn in_line(
    states: Vec<State>,
    span: (Timestamp, Timestamp),
    counter: &Counter,
    sum: &mut Consumption,
) -> Vec<State> {
    let mut kept: Vec<State> = Vec::with_capacity(states.len());
    for (place, state) in states.iter().enumerate() {
        let after = states.iter().skip(place + 1).take(OUT_OF_LINE_MAX);
        let contradicted = kept.last().is_some_and(|before| {
            after.clone().any(|after| {
                let one = counter.goes_on(before.meter, after.meter);
                let rises = before.steps <= after.steps;
                one && rises && (state.steps < before.steps || state.steps > after.steps)
            })
        });
        if contradicted {
            sum.suspect |= span.0 <= state.time && state.time < span.1;
        } else {
            kept.push(*state);
        }
    }
    kept
}

/// Adds the part of the span that lies between two readings.
fn count(
    before: State,
    after: State,
    span: (Timestamp, Timestamp),
    counter: &Counter,
    sum: &mut Consumption,
) {
    let (from, to) = (before.time.max(span.0), after.time.min(span.1));
    if from >= to {
        return;
    }
    if !counter.goes_on(before.meter, after.meter) {
        sum.exchanged = true;
        sum.cut_ms += to.since(from);
        return;
    }
    let gap = after.time.since(before.time);
    let states = counter.meters.get(before.meter).map_or(0, |meter| meter.dial.states());
    let steps = (after.steps - before.steps).rem_euclid(states.max(1));
    let fell = after.steps < before.steps;
    let credible = is_credible(steps, states, gap);
    if fell && !credible {
        (sum.reset, sum.suspect) = (true, true);
        sum.cut_ms += to.since(from);
        return;
    }
    let until = |time: Timestamp| used(before, after, steps, time, counter);
    let Some((low, high)) = until(from).zip(until(to)) else {
        sum.suspect = true;
        return;
    };
    sum.parts = sum.parts.saturating_add(high - low);
    sum.rollovers += u32::from(fell);
    sum.suspect |= !credible || before.suspect || after.suspect;
    if gap > counter.gap_ms {
        sum.shared_ms += to.since(from);
    } else {
        sum.measured_ms += to.since(from);
    }
}

/// Gives what was used from the first of two readings to a time between them, in parts. The steps
/// are spread evenly over the time; each row of the meter weighs its own stretch.
fn used(
    before: State,
    after: State,
    steps: i64,
    until: Timestamp,
    counter: &Counter,
) -> Option<i128> {
    let gap = i128::from(after.time.since(before.time));
    let rows = counter.meters.get(before.meter..=after.meter)?;
    let mut sum = 0_i128;
    for row in rows {
        let from = row.validity.from.map_or(before.time, |from| from.max(before.time));
        let to = row.validity.to.map_or(until, |to| to.min(until));
        if from >= to {
            continue;
        }
        let worth = row.dial.step().checked_mul(i128::from(steps))?;
        let share = |time: Timestamp| {
            Some(worth.checked_mul(i128::from(time.since(before.time)))?.div_euclid(gap))
        };
        sum = sum.checked_add(share(to)? - share(from)?)?;
    }
    Some(sum)
}

#[cfg(test)]
mod tests;
