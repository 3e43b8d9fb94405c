//! What the tests of quality control are asked: QARTOD's, by its names and with its parameters.

use std::sync::Arc;

use crate::domain::name::PropertyId;
use crate::domain::quality::{Flag, Test};

/// From where on a test doubts and from where on it fails.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Thresholds {
    /// Beyond: suspect.
    pub suspect: Option<f64>,
    /// Beyond: fail.
    pub fail: Option<f64>,
}

impl Thresholds {
    /// Judges what is worse the more there is of it; what equals a threshold is not beyond it.
    #[must_use]
    pub fn above(self, found: f64) -> Flag {
        self.judge(|threshold| found > threshold)
    }

    /// Judges what is worse the less there is of it.
    #[must_use]
    pub fn below(self, found: f64) -> Flag {
        self.judge(|threshold| found < threshold)
    }

    fn judge(self, beyond: impl Fn(f64) -> bool) -> Flag {
        match (self.suspect, self.fail) {
            (_, Some(fail)) if beyond(fail) => Flag::Fail,
            (Some(suspect), _) if beyond(suspect) => Flag::Suspect,
            (None, None) => Flag::NotEvaluated,
            _ => Flag::Pass,
        }
    }
}

/// The spans of the gross range test (QARTOD), bounds inclusive, in the canonical unit.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct GrossRange {
    /// Outside: fail. The span of the sensor.
    pub fail: Option<(f64, f64)>,
    /// Outside: suspect. The span expected here.
    pub suspect: Option<(f64, f64)>,
}

impl GrossRange {
    /// Judges a value.
    #[must_use]
    pub fn judge(self, value: f64) -> Flag {
        let outside = |span: Option<(f64, f64)>| {
            span.is_some_and(|(low, high)| !(low..=high).contains(&value))
        };
        if outside(self.fail) {
            Flag::Fail
        } else if outside(self.suspect) {
            Flag::Suspect
        } else {
            Flag::Pass
        }
    }
}

/// How far a value stands out from its two neighbours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SpikeMethod {
    /// From their mean. A great spike makes its neighbours stand out, too.
    #[default]
    Average,
    /// From the nearer of them, where both lie on the same side of it. Its neighbours stay clean.
    Differential,
}

/// The spike test; thresholds in the canonical unit.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Spike {
    /// How far a value stands out.
    pub method: SpikeMethod,
    /// From where on that is too far.
    pub thresholds: Thresholds,
}

/// The rate of change test.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Rate {
    /// The thresholds, in canonical units a second; where relative, in shares of the value before
    /// a second.
    pub thresholds: Thresholds,
    /// Whether a change is held against the value before it.
    pub relative: bool,
    /// A change of no more is the sensor's noise, however fast, in the canonical unit.
    pub noise: f64,
}

/// The flat line test.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct FlatLine {
    /// Values that differ by less, in the canonical unit, are a flat line.
    pub tolerance: f64,
    /// For how long they may be before they are suspect, ms.
    pub suspect_ms: Option<i64>,
    /// For how long before they fail, ms.
    pub fail_ms: Option<i64>,
    /// Values that may stay as they are for as long as they like, both ends inclusive: water that
    /// freezes.
    pub unless: Option<(f64, f64)>,
}

impl FlatLine {
    /// Judges a line by whether it lasts so many milliseconds.
    pub fn judge(self, lasts: impl Fn(i64) -> bool) -> Flag {
        if self.fail_ms.is_some_and(&lasts) {
            Flag::Fail
        } else if self.suspect_ms.is_some_and(&lasts) {
            Flag::Suspect
        } else {
            Flag::Pass
        }
    }

    /// Says whether a value may stay as it is.
    #[must_use]
    pub fn excuses(self, value: Option<f64>) -> bool {
        value.is_some_and(|value| {
            self.unless.is_some_and(|(low, high)| (low..=high).contains(&value))
        })
    }
}

/// What the attenuated signal test takes for the strength of a signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Check {
    /// The standard deviation, of the values as a whole.
    #[default]
    Deviation,
    /// The greatest less the least.
    Range,
}

/// The attenuated signal test: a signal that varies too little.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Attenuated {
    /// What is looked at.
    pub check: Check,
    /// Below which it is too little.
    pub thresholds: Thresholds,
    /// Of how long before a value, ms; of the whole series without.
    pub over_ms: Option<i64>,
    /// How many values that must hold at least.
    pub needs: u32,
}

/// The timing test: what follows a gap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimingGap {
    /// How long between two values is a gap, ms.
    pub fail_ms: i64,
}

/// By what a year or a day is divided; its parts are numbers, as a calendar counts them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Season {
    /// The month, 1 to 12.
    Month,
    /// The quarter, 1 to 4.
    Quarter,
    /// The week of ISO 8601, 1 to 53.
    Week,
    /// The day of the year, 1 to 366.
    DayOfYear,
    /// The day of the week, 0 for Monday to 6.
    DayOfWeek,
    /// The hour of the day, 0 to 23.
    Hour,
}

impl Season {
    /// Every division, with the word used in seeds.
    pub const ALL: [(&'static str, Self); 6] = [
        ("month", Self::Month),
        ("quarter", Self::Quarter),
        ("week", Self::Week),
        ("dayofyear", Self::DayOfYear),
        ("dayofweek", Self::DayOfWeek),
        ("hour", Self::Hour),
    ];

    /// Gives the number of its first part and of its last.
    #[must_use]
    pub fn parts(self) -> (i64, i64) {
        match self {
            Self::Month => (1, 12),
            Self::Quarter => (1, 4),
            Self::Week => (1, 53),
            Self::DayOfYear => (1, 366),
            Self::DayOfWeek => (0, 6),
            Self::Hour => (0, 23),
        }
    }
}

/// What is expected at a time: one row of the climatology test.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Climate {
    /// By what time is divided, and from which part to which, both inclusive. Parts do not wrap:
    /// a winter is two rows.
    pub season: (Season, i64, i64),
    /// At which values of the companion (water temperature, depth) it holds, both inclusive;
    /// always without.
    pub companion: Option<(f64, f64)>,
    /// What is expected then.
    pub span: GrossRange,
}

/// How far two values may lie apart: so much, and such a share of what they are held against.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Tolerance {
    /// In the canonical unit.
    pub absolute: f64,
    /// As a share, such as 0.05.
    pub share: f64,
}

impl Tolerance {
    /// Gives how far a value may lie from a reference, in the canonical unit.
    #[must_use]
    pub fn of(self, reference: f64) -> f64 {
        self.absolute + self.share * reference.abs()
    }
}

/// The test for a mistaken unit: a value that is a power of ten too much or too little.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct UnitMistake {
    /// The factor, such as 1000.
    pub factor: f64,
    /// By how many times a value may miss it, such as 2.
    pub within: f64,
}

/// The test for a counter that falls.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Falls {
    /// What a state is that fell.
    pub flag: Flag,
    /// A fall of no more is none, in the canonical unit.
    pub tolerance: f64,
}

/// All that a series is asked.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Qc {
    /// Gross range.
    pub gross_range: Option<GrossRange>,
    /// Climatology; of several rows that fit a value the last counts.
    pub climatology: Option<Arc<[Climate]>>,
    /// The property of the same station by whose values rows of the climatology may hold.
    pub companion: Option<PropertyId>,
    /// Spike.
    pub spike: Option<Spike>,
    /// Rate of change.
    pub rate_of_change: Option<Rate>,
    /// Flat line.
    pub flat_line: Option<FlatLine>,
    /// Attenuated signal.
    pub attenuated_signal: Option<Attenuated>,
    /// Timing.
    pub timing_gap: Option<TimingGap>,
    /// What a zero is that only a probe out of water measures, or one that was taken away.
    pub zero: Option<Flag>,
    /// Mistaken unit.
    pub unit_mistake: Option<UnitMistake>,
    /// How far a sensor may have drifted until its next calibration.
    pub drift: Option<Tolerance>,
    /// What a state is that is lower than the one before.
    pub counter: Option<Falls>,
    /// How far a value may lie outside of what the neighbour measured.
    pub neighbour: Option<Tolerance>,
}

impl Qc {
    /// Has the tests that could take a pulse for a fault doubt at most: what they would call
    /// wrong is suspect. An illegal discharge of two hours is one sample of an analyser.
    #[must_use]
    pub fn doubting(mut self) -> Self {
        let doubt = |thresholds: &mut Thresholds| {
            thresholds.suspect = thresholds.suspect.or(thresholds.fail.take());
            thresholds.fail = None;
        };
        if let Some(spike) = &mut self.spike {
            doubt(&mut spike.thresholds);
        }
        if let Some(rate) = &mut self.rate_of_change {
            doubt(&mut rate.thresholds);
        }
        self.climatology = self.climatology.map(|climates| {
            let milder = climates.iter().map(|climate| {
                let GrossRange { suspect, fail } = climate.span;
                let span = GrossRange { suspect: suspect.or(fail), fail: None };
                Climate { span, ..*climate }
            });
            milder.collect()
        });
        self
    }

    /// Gives the tests that are asked for.
    pub fn asked(&self) -> impl Iterator<Item = Test> {
        let asked = [
            (Test::GrossRange, self.gross_range.is_some()),
            (Test::Climatology, self.climatology.is_some()),
            (Test::Spike, self.spike.is_some()),
            (Test::RateOfChange, self.rate_of_change.is_some()),
            (Test::FlatLine, self.flat_line.is_some()),
            (Test::AttenuatedSignal, self.attenuated_signal.is_some()),
            (Test::TimingGap, self.timing_gap.is_some()),
            (Test::OutOfWater, self.zero.is_some()),
            (Test::UnitMistake, self.unit_mistake.is_some()),
            (Test::Drift, self.drift.is_some()),
            (Test::Counter, self.counter.is_some()),
            (Test::Neighbour, self.neighbour.is_some()),
        ];
        asked.into_iter().filter(|(_, asked)| *asked).map(|(test, _)| test)
    }
}
