//! Alert rules: what is watched, for how long it must last, and who is called.

use crate::domain::alert::{Route, Severity, WeirCondition};
use crate::domain::cause::TestFlags;
use crate::domain::name::RuleId;
use crate::domain::observation::Periods;

/// For how long, or for how many values, something must last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Persistence {
    /// This many consecutive values (samples, where sampled).
    Values(u32),
    /// This long, ms.
    Millis(i64),
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
    /// What to do, in English.
    pub advice_en: Box<str>,
    /// What to do, in Chinese.
    pub advice_zh: Box<str>,
}
