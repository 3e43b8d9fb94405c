//! Counters: the meters behind a datastream, one after the other, each with its range, its
//! transformers' ratio and what it meters.

use crate::domain::name::{DatastreamId, PlaceId};
use crate::domain::time::{DAY, HOUR, Timestamp, Validity};

/// The parts of a canonical unit in which amounts are exact: resolution has up to six decimals,
/// each ratio three.
pub const PARTS: i128 = 1_000_000_000_000;
/// The most states that a meter may have; a double holds each of them exactly.
const STATES_MAX: f64 = 1e15;
/// The most that a meter may count up to after its ratios, in the canonical unit. A multiple with
/// the milliseconds of centuries still fits the exact arithmetic.
const REACH_MAX: f64 = 1e12;

/// No meter is built to pass its whole range in less time. A fall of the state that would need it
/// to is no rollover.
const RANGE_PASSES_IN_MIN: i64 = DAY;

/// What a meter meters at its place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum MeterRole {
    /// What comes in from the grid or the works.
    Import,
    /// What is given back to the grid.
    Export,
    /// What the place makes itself.
    Generation,
    /// A part of what the main meters meter.
    Sub,
    /// Water taken fresh.
    FreshWater,
    /// Water used once more.
    ReusedWater,
}

impl MeterRole {
    /// Every role.
    pub const ALL: [Self; 6] = [
        Self::Import,
        Self::Export,
        Self::Generation,
        Self::Sub,
        Self::FreshWater,
        Self::ReusedWater,
    ];

    /// Gives the word used in seeds and output.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Export => "export",
            Self::Generation => "generation",
            Self::Sub => "sub",
            Self::FreshWater => "fresh_water",
            Self::ReusedWater => "reused_water",
        }
    }
}

/// One meter for a time: a row of `counters.csv`.
#[derive(Clone, PartialEq, Debug)]
pub struct Meter {
    /// The meter's own number; empty where none is named. Two rows that follow each other without
    /// a gap and name one number are one meter, whose ratio changed.
    pub number: Box<str>,
    /// Its range and what a state is worth.
    pub dial: Dial,
    /// What it meters.
    pub role: MeterRole,
    /// Whose consumption it is.
    pub place: PlaceId,
    /// The class of customer whose power factor is asked for, such as `hv_industry`.
    pub tariff: Box<str>,
    /// From when to when.
    pub validity: Validity,
}

/// The face of a meter: how far it counts, in which steps, and what a step is worth.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Dial {
    /// The highest state it shows; the next one is zero.
    pub maximum: f64,
    /// The step between two states.
    pub resolution: f64,
    /// The ratio of its current transformers.
    pub ct: f64,
    /// The ratio of its voltage transformers.
    pub pt: f64,
    states: i64,
    step: i128,
}

impl Dial {
    /// Stands in for a dial that is refused, while an edition is compiled.
    pub const STAND_IN: Self =
        Self { maximum: 1.0, resolution: 1.0, ct: 1.0, pt: 1.0, states: 2, step: PARTS };

    /// Makes a dial; nothing where the numbers have more decimals than exact amounts, or reach
    /// beyond them.
    #[must_use]
    pub fn new(maximum: f64, resolution: f64, ct: f64, pt: f64) -> Option<Self> {
        let ratio = decimal(ct, 1e3)?.checked_mul(decimal(pt, 1e3)?)?;
        let step = decimal(resolution, 1e6)?.checked_mul(ratio)?;
        let states = (maximum / resolution).round() + 1.0;
        let fits = (2.0..=STATES_MAX).contains(&states) && maximum * ct * pt <= REACH_MAX;
        fits.then_some(Self { maximum, resolution, ct, pt, states: states as i64, step })
    }

    /// Gives how many states there are.
    #[must_use]
    pub fn states(&self) -> i64 {
        self.states
    }

    /// Gives what one step is worth after the ratios, in [`PARTS`] of the canonical unit.
    #[must_use]
    pub fn step(&self) -> i128 {
        self.step
    }

    /// Counts a reading in steps; nothing where the meter has no such state.
    #[must_use]
    pub fn state(&self, value: f64) -> Option<i64> {
        let steps = (value / self.resolution).round();
        (steps >= 0.0 && steps < self.states as f64).then_some(steps as i64)
    }
}

/// Reads a number above zero as a whole number of parts; nothing where that would lose digits.
fn decimal(value: f64, parts: f64) -> Option<i128> {
    let scaled = value * parts;
    let whole = scaled.round();
    let exact = (scaled - whole).abs() <= whole.abs() * 1e-12;
    ((1.0..=STATES_MAX).contains(&whole) && exact).then_some(whole as i128)
}

/// A datastream that counts.
#[derive(Clone, PartialEq, Debug)]
pub struct Counter {
    /// Its meters, in order of time.
    pub meters: Vec<Meter>,
    /// From which distance on two readings are a gap: what was used between them is shared out by
    /// time, and said to be.
    pub gap_ms: i64,
}

impl Counter {
    /// Gives the place in [`Counter::meters`] of the one that is there at a time.
    #[must_use]
    pub fn at(&self, time: Timestamp) -> Option<usize> {
        self.meters.iter().position(|meter| meter.validity.holds(time))
    }

    /// Says whether one meter goes on from one row to a later one: each follows the one before
    /// without a gap and names the same number.
    #[must_use]
    pub fn goes_on(&self, from: usize, to: usize) -> bool {
        let rows = self.meters.get(from..=to).unwrap_or_default();
        let follows = rows.windows(2).all(|two| match two {
            [before, after] => {
                !before.number.is_empty()
                    && before.number == after.number
                    && before.validity.to.is_some()
                    && before.validity.to == after.validity.from
                    && before.dial.states == after.dial.states
            }
            _ => false,
        });
        !rows.is_empty() && follows
    }

    /// Says whether it is known why a state is lower than one before it: the meter passed its
    /// highest state, or was exchanged.
    #[must_use]
    pub fn explains_fall(&self, before: (Timestamp, f64), after: (Timestamp, f64)) -> bool {
        let Some((was, is)) = self.at(before.0).zip(self.at(after.0)) else { return false };
        if !self.goes_on(was, is) {
            return true;
        }
        let dials = self.meters.get(was).zip(self.meters.get(is));
        let Some((was, is)) = dials.map(|(was, is)| (was.dial, is.dial)) else { return false };
        let states = was.state(before.1).zip(is.state(after.1));
        states.is_some_and(|(low, high)| {
            let steps = (high - low).rem_euclid(was.states.max(1));
            is_credible(steps, was.states, after.0.since(before.0))
        })
    }

    /// Gives the row that holds last within a span.
    #[must_use]
    pub fn last_in(&self, span: (Timestamp, Timestamp)) -> Option<&Meter> {
        let span = Validity { from: Some(span.0), to: Some(span.1) };
        self.meters.iter().rev().find(|meter| meter.validity.overlaps(&span))
    }
}

/// Says whether a meter of so many states could have counted so many in a time, ms. An hour's worth
/// always passes, for what a meter saves up and tells at once; more than half of the range never
/// does.
#[must_use]
pub fn is_credible(steps: i64, states: i64, gap: i64) -> bool {
    let time = i128::from(gap.clamp(HOUR, RANGE_PASSES_IN_MIN / 2));
    i128::from(steps) * i128::from(RANGE_PASSES_IN_MIN) <= i128::from(states) * time
}

/// What one meter metered over a period.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Metered {
    /// The datastream.
    pub datastream: DatastreamId,
    /// What the meter meters.
    pub role: MeterRole,
    /// The amount in the canonical unit; nothing where it is not known, which is not zero.
    pub amount: Option<f64>,
    /// Whether it is suspect.
    pub suspect: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dial_rolls_over_after_its_highest_state() {
        let dial = Dial::new(999_999.99, 0.01, 1.0, 1.0).unwrap();
        assert_eq!(dial.states(), 100_000_000);
        assert_eq!(dial.state(999_999.99), Some(99_999_999));
        assert_eq!(dial.state(1_000_000.0), None);
        assert_eq!(dial.state(-0.01), None);
        assert_eq!(dial.state(f64::NAN), None);
    }

    #[test]
    fn a_step_is_worth_its_ratios() {
        let dial = Dial::new(999_999.99, 0.01, 30.0, 100.0).unwrap();
        assert_eq!(dial.step(), 30 * PARTS);
    }

    #[test]
    fn what_no_exact_amount_can_hold_is_no_dial() {
        for (maximum, resolution, ct, pt) in [
            (0.0, 1.0, 1.0, 1.0),
            (999.0, 0.0, 1.0, 1.0),
            (999.0, -1.0, 1.0, 1.0),
            (999.0, 1.0 / 3.0, 1.0, 1.0),
            (999.0, 1.0, 0.0, 1.0),
            (1e15, 1.0, 1.0, 1.0),
            (1e9, 1e9, 1e12, 1e12),
            (999.0, f64::INFINITY, 1.0, 1.0),
            (f64::NAN, 1.0, 1.0, 1.0),
        ] {
            assert_eq!(Dial::new(maximum, resolution, ct, pt), None, "{maximum} {resolution}");
        }
    }
}
