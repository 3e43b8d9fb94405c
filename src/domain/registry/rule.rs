//! Alert rules: what is watched, for how long it must last, and who is called.

use crate::domain::alert::{Route, Severity, WeirCondition};
use crate::domain::assessment::WaterClass;
use crate::domain::cause::TestFlags;
use crate::domain::evaluation::Index;
use crate::domain::name::RuleId;
use crate::domain::observation::{Period, Periods};

/// For how long, or for how many values, something must last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Persistence {
    /// This many consecutive values (samples, where sampled).
    Values(u32),
    /// This long, ms.
    Millis(i64),
    /// In so many of the last values, whatever the others are.
    Of {
        /// How many, from 1 to `of`.
        need: u8,
        /// Of how many, 32 at most.
        of: u8,
    },
}

/// From where on an alert is more severe than its rule says.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Threshold {
    /// The value is of this class or a worse one, of an item that has classes.
    Class(WaterClass),
    /// The limit is exceeded by so many times, of an item without classes.
    Multiple(f64),
    /// It lasts so long, ms.
    Lasts(i64),
    /// An index comes to this grade or a worse one.
    Grade(u8),
}

/// A step of severity.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Rise {
    /// To which severity.
    pub to: Severity,
    /// From where on.
    pub from: Threshold,
}

/// Gives the severity that an exceedance rises to; nothing where it is as its rule says.
#[must_use]
pub fn risen(
    rises: &[Rise],
    (class, multiple): (Option<WaterClass>, Option<f64>),
    lasts_ms: i64,
) -> Option<Severity> {
    let reached = rises.iter().filter(|rise| match rise.from {
        Threshold::Class(from) => class.is_some_and(|class| class >= from),
        Threshold::Multiple(from) => {
            class.is_none() && multiple.is_some_and(|multiple| multiple >= from)
        }
        Threshold::Lasts(from) => lasts_ms >= from,
        Threshold::Grade(_) => false,
    });
    reached.map(|rise| rise.to).max()
}

/// Gives the severity that an index rises to by its worst grade; nothing where it is as its rule
/// says.
#[must_use]
pub fn risen_by_grade(rises: &[Rise], worst: u8) -> Option<Severity> {
    let reached = |rise: &&Rise| matches!(rise.from, Threshold::Grade(from) if from <= worst);
    rises.iter().filter(reached).map(|rise| rise.to).max()
}

/// By how much a value must change.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Slope {
    /// It rises by more than this, in the canonical unit.
    Rises(f64),
    /// It falls by more than this, in the canonical unit.
    Falls(f64),
    /// It is more than so many times what it was.
    Times(f64),
}

/// What of an evaluation is bad.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Worse {
    /// A grade or class of this number, or a worse one.
    Grade(u8),
    /// A number above this.
    Above(f64),
    /// A number below this.
    Below(f64),
    /// The target is missed.
    Missed,
    /// Nobody can say what it comes to.
    NotAssessable,
}

/// What a rule watches.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum RuleKind {
    /// A limit is exceeded.
    Exceedance {
        /// Which values it looks at: each may be a reason of the one alert about an item.
        of: Periods,
        /// How long it must last before the alert fires.
        pending: Persistence,
        /// How long it must be over before the alert resolves.
        keep: Persistence,
        /// By which share of the limit a value must be better for it to count as over.
        hysteresis: f64,
    },
    /// Nothing comes.
    Silence {
        /// After how many expected intervals.
        intervals: f64,
    },
    /// The flags of values say that an instrument is at fault.
    Instrument {
        /// Which flags of which tests do.
        tests: TestFlags,
        /// How long they must before the alert fires.
        pending: Persistence,
        /// How long they must not, in values that came, before it resolves.
        keep: Persistence,
    },
    /// A value changes fast.
    Rise {
        /// By how much.
        slope: Slope,
        /// Within which time, ms.
        over_ms: i64,
        /// How long it must before the alert fires.
        pending: Persistence,
        /// How long it must not before it ends.
        keep: Persistence,
    },
    /// Values come, and none of them can be held against a limit.
    NotAssessable {
        /// Which values.
        of: Period,
        /// How long they must be so before the alert fires.
        pending: Persistence,
        /// How long they must have a verdict before it ends.
        keep: Persistence,
    },
    /// What several items together come to is bad.
    Index {
        /// What is evaluated.
        index: Index,
        /// Over which period.
        of: Period,
        /// What is bad.
        worse: Worse,
        /// For how long before the alert fires.
        pending: Persistence,
        /// For how long it must be good before it ends.
        keep: Persistence,
    },
    /// weir itself is in trouble.
    Weir(WeirCondition),
}

/// One alert rule: a row of `rules.csv`.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its id.
    pub id: RuleId,
    /// Its name.
    pub name: Box<str>,
    /// What it watches.
    pub kind: RuleKind,
    /// From which share of a limit on a value that meets it is near it, such as 0.8.
    pub warning_share: Option<f64>,
    /// Who is called.
    pub route: Route,
    /// How urgent.
    pub severity: Severity,
    /// From where on it is more urgent.
    pub rises: Box<[Rise]>,
    /// What to do, in English.
    pub advice_en: Box<str>,
    /// What to do, in Chinese.
    pub advice_zh: Box<str>,
}
