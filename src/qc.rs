//! Quality control: every test that a datastream's seeds ask for, each in a file with QARTOD's
//! name for it. A test flags; it never changes or drops a value.

pub mod attenuated_signal;
pub mod climatology;
pub mod control_check;
pub mod counter;
pub mod device_mark;
pub mod drift;
pub mod flat_line;
pub mod gross_range;
pub mod multi_variate;
pub mod neighbour;
pub mod rate_of_change;
pub mod spike;
pub mod stale_analyser;
pub mod timing_gap;
pub mod unit_mistake;

use jiff::tz::TimeZone;
use minicbor::{Decode, Encode};

use crate::domain::observation::{Observation, ObservationResult};
use crate::domain::quality::{Flag, Quality, Test};
use crate::domain::registry::{Mark, Qc};
use crate::domain::time::Timestamp;
use crate::qc::flat_line::Run;

/// What quality control remembers of a series beside its ring: enough to judge the next value
/// without a look back.
#[derive(Clone, Copy, PartialEq, Debug, Default, Encode, Decode)]
pub struct Memory {
    /// The value before the newest, where the newest stands beside it.
    #[n(0)]
    pub before: Option<f64>,
    /// The flat line that ends at the newest.
    #[n(1)]
    pub run: Run,
    /// When a value was last doubted that a neighbour may bear out, or neighbours were asked.
    #[n(2)]
    pub doubted: Option<Timestamp>,
}

/// What stands around a value in its own series, as far as it is known.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Around {
    /// The value before it and its time.
    pub before: Option<(Timestamp, f64)>,
    /// The value after it.
    pub after: Option<f64>,
    /// The time of what came before it, whatever it was.
    pub last: Option<Timestamp>,
    /// What the climatology's companion says at its time.
    pub companion: Option<f64>,
    /// Whether it ends a flat line.
    pub flat_line: Flag,
    /// How much the values up to it vary.
    pub attenuated_signal: Flag,
}

/// Begins the quality of an observation: what it says of itself, before anything is tested; `mark`
/// is what its mark means.
#[must_use]
pub fn begin(observation: &Observation, mark: Option<&Mark>) -> Quality {
    let mut quality = Quality::only(Test::Clock, observation.clock);
    let missing = match observation.result {
        ObservationResult::Nil(_) => Flag::Missing,
        ObservationResult::Value(_) | ObservationResult::Censored { .. } => Flag::Pass,
    };
    quality.set(Test::Missing, missing);
    quality.set(Test::DeviceMark, device_mark::test(mark, observation.result));
    quality
}

/// Runs the tests of a series on one value. A censored value is judged by its limit: what lies
/// beyond it is not known.
pub fn judge(
    qc: &Qc,
    (time, zone): (Timestamp, &TimeZone),
    number: Option<f64>,
    around: &Around,
    quality: &mut Quality,
) {
    if let Some(gap) = qc.timing_gap {
        quality.set(Test::TimingGap, timing_gap::test(gap, around.last, time));
    }
    if qc.attenuated_signal.is_some() {
        quality.set(Test::AttenuatedSignal, around.attenuated_signal);
    }
    let Some(number) = number else {
        missing(qc, quality);
        return;
    };
    quality.set(Test::Missing, Flag::Pass);
    if let Some(spans) = qc.gross_range {
        quality.set(Test::GrossRange, gross_range::test(spans, number));
    }
    if let Some(removed) = qc.zero {
        quality.set(Test::OutOfWater, if number == 0.0 { removed } else { Flag::Pass });
    }
    if let Some(climates) = &qc.climatology {
        let flag = climatology::test(climates, (time, zone), around.companion, number);
        quality.set(Test::Climatology, flag);
    }
    if let Some(spike) = qc.spike {
        let before = around.before.map(|(_, before)| before);
        quality.set(Test::Spike, spike::test(spike, [before, Some(number), around.after]));
    }
    if let Some(rate) = qc.rate_of_change {
        let flag = rate_of_change::test(rate, around.before, (time, number));
        quality.set(Test::RateOfChange, flag);
    }
    if qc.flat_line.is_some() {
        quality.set(Test::FlatLine, around.flat_line);
    }
}

/// What is missing is missing for every test that looks at single values.
fn missing(qc: &Qc, quality: &mut Quality) {
    let of_values = |test: &Test| !matches!(test, Test::AttenuatedSignal | Test::TimingGap);
    for test in qc.asked().filter(of_values).chain([Test::Missing]) {
        quality.set(test, Flag::Missing);
    }
}
