//! Limits of law and what comes of holding an observation against them.

use minicbor::{Decode, Encode};

use crate::domain::condition::Condition;
use crate::domain::name::{DatastreamId, LimitId, PlaceId, PropertyId, StationId};
use crate::domain::observation::Period;
use crate::domain::time::{PhenomenonTime, Validity};

/// A water class of GB 3838-2002, best first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
#[cbor(index_only)]
#[expect(missing_docs, reason = "the classes' own names")]
pub enum WaterClass {
    #[n(0)]
    I,
    #[n(1)]
    II,
    #[n(2)]
    III,
    #[n(3)]
    IV,
    #[n(4)]
    V,
    #[n(5)]
    WorseThanV,
}

impl WaterClass {
    /// The five classes that limits are written for, best first.
    pub const WITH_LIMITS: [Self; 5] = [Self::I, Self::II, Self::III, Self::IV, Self::V];

    /// Gives the class as people write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::I => "I",
            Self::II => "II",
            Self::III => "III",
            Self::IV => "IV",
            Self::V => "V",
            Self::WorseThanV => "worse than V",
        }
    }

    /// Gives the class as it is written in Chinese.
    #[must_use]
    pub fn name_zh(self) -> &'static str {
        match self {
            Self::I => "Ⅰ类",
            Self::II => "Ⅱ类",
            Self::III => "Ⅲ类",
            Self::IV => "Ⅳ类",
            Self::V => "Ⅴ类",
            Self::WorseThanV => "劣Ⅴ类",
        }
    }

    /// Gives its number as `grades.csv` counts the classes, 1 to 5, and 6 for worse than V.
    #[must_use]
    pub fn number(self) -> f64 {
        f64::from(self as u8) + 1.0
    }

    /// Reads a class that limits are written for.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::WITH_LIMITS.into_iter().find(|class| class.name() == name)
    }
}

/// What a limit allows. A value equal to the limit meets it (GB 3838-2002).
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Bound {
    /// At most this much.
    Max(f64),
    /// At least this much, such as dissolved oxygen.
    Min(f64),
    /// From the lower to the upper number, both allowed, such as pH.
    Range {
        /// The lower number.
        low: f64,
        /// The upper number.
        high: f64,
    },
}

/// Which values a limit is held against.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Averaging {
    /// Whatever value is assessed: the instrument names no averaging period.
    Any,
    /// Values of this period only; [`Period::Native`] are single values: instants and samples.
    Of(Period),
    /// The mean of a week, which weir makes none of; the row is kept and held against nothing.
    Week,
    /// A share of the values of a longer time, such as 95 % of a week's: one value says nothing.
    Statistical,
}

impl Bound {
    /// Says whether this allows less than another of its kind; nothing where they can't be
    /// compared.
    #[must_use]
    pub fn tighter(self, other: Self) -> Option<bool> {
        match (self, other) {
            (Self::Max(one), Self::Max(other)) => Some(one < other),
            (Self::Min(one), Self::Min(other)) => Some(one > other),
            (Self::Range { low, high }, Self::Range { low: other_low, high: other_high }) => {
                Some(high - low < other_high - other_low)
            }
            (Self::Max(_) | Self::Min(_) | Self::Range { .. }, _) => None,
        }
    }

    /// Gives the share of the limit that a value uses: 1 is at the limit. Of a minimum it is the
    /// limit by the value, of a range how far the value is from the middle.
    #[must_use]
    pub fn share(self, value: f64) -> Option<f64> {
        match self {
            Self::Max(max) if max > 0.0 => Some(value / max),
            Self::Min(min) if min > 0.0 && value > 0.0 => Some(min / value),
            Self::Range { low, high } => {
                let half = (high - low) / 2.0;
                Some((value - low - half).abs() / half)
            }
            Self::Max(_) | Self::Min(_) => None,
        }
    }
}

impl Averaging {
    /// Every averaging and the word for it in seeds and output.
    pub const WORDS: [(&'static str, Self); 10] = [
        ("any", Self::Any),
        ("single", Self::Of(Period::Native)),
        ("1h", Self::Of(Period::Hour)),
        ("8h", Self::Of(Period::DayMaxEightHours)),
        ("day", Self::Of(Period::Day)),
        ("week", Self::Week),
        ("month", Self::Of(Period::Month)),
        ("quarter", Self::Of(Period::Quarter)),
        ("year", Self::Of(Period::Year)),
        ("statistical", Self::Statistical),
    ];

    /// Gives the word used in seeds and output.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::WORDS.into_iter().find(|(_, one)| *one == self).map_or("", |(word, _)| word)
    }

    /// Says whether the limit is held against values of a period.
    #[must_use]
    pub fn covers(self, period: Period) -> bool {
        match self {
            Self::Any => true,
            Self::Of(of) => of == period,
            Self::Week | Self::Statistical => false,
        }
    }
}

/// One limit of one instrument: a row of `seeds/limits/`.
#[derive(Clone, PartialEq, Debug)]
pub struct Limit {
    /// Its lasting id.
    pub id: LimitId,
    /// The instrument, such as `GB 3838-2002`.
    pub instrument: Box<str>,
    /// Where in it, such as `table 1`.
    pub clause: Box<str>,
    /// The property it limits.
    pub property: PropertyId,
    /// The class or zone it belongs to, empty if the instrument has none.
    pub class: Box<str>,
    /// The same as a water class, where it is one.
    pub water_class: Option<WaterClass>,
    /// The column of GB 3838-2002 it stands in: `river` or `lake`; empty where neither.
    pub section: Box<str>,
    /// The station it holds for alone, such as a discharge permit.
    pub station: Option<StationId>,
    /// The place it holds in alone, with what lies in it: a local instrument.
    pub place: Option<PlaceId>,
    /// Under which condition it holds.
    pub condition: Condition,
    /// Which values it is held against.
    pub averaging: Averaging,
    /// What it allows, in the property's canonical unit.
    pub bound: Bound,
    /// From when to when it is in force, by the observation's own time.
    pub in_force: Validity,
    /// Where the row is from, and how sure.
    pub source: Box<str>,
}

/// Why no verdict was possible.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum NotAssessable {
    /// The station or its rule names no class that limits this property.
    #[n(0)]
    NoLimit,
    /// There are limits, but none in force at the observation's time.
    #[n(1)]
    NoneInForce,
    /// The value failed quality control.
    #[n(2)]
    Quality,
    /// There is no value.
    #[n(3)]
    Missing,
    /// The censored range reaches to both sides of the limit.
    #[n(4)]
    Censored,
    /// An average without enough valid values.
    #[n(5)]
    Incomplete,
    /// Whether a limit holds depends on another property, of which there is no value.
    #[n(7)]
    ConditionUnknown,
    /// The station is indicative and gets no legal verdict.
    #[n(8)]
    Indicative,
    /// Fewer items have a value than the evaluation needs.
    #[n(6)]
    TooFewItems,
}

impl NotAssessable {
    /// Every reason.
    pub const ALL: [Self; 9] = [
        Self::NoLimit,
        Self::NoneInForce,
        Self::Quality,
        Self::Missing,
        Self::Censored,
        Self::Incomplete,
        Self::ConditionUnknown,
        Self::Indicative,
        Self::TooFewItems,
    ];

    /// Gives the word used in output.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::NoLimit => "no_limit",
            Self::NoneInForce => "none_in_force",
            Self::Quality => "quality",
            Self::Missing => "missing",
            Self::Censored => "censored",
            Self::Incomplete => "incomplete",
            Self::ConditionUnknown => "condition_unknown",
            Self::Indicative => "indicative",
            Self::TooFewItems => "too_few_items",
        }
    }
}

/// The outcome of an assessment.
#[derive(Clone, Copy, PartialEq, Debug, Encode, Decode)]
pub enum Verdict {
    /// The limit is met.
    #[n(0)]
    Within {
        /// The limit.
        #[n(0)]
        limit: LimitId,
    },
    /// The limit is exceeded.
    #[n(1)]
    Exceeds {
        /// The limit.
        #[n(0)]
        limit: LimitId,
        /// By how many times, `(C - Cs) / Cs`; none for a minimum or a range (环办〔2011〕22号:
        /// temperature, pH and dissolved oxygen have no multiple).
        #[n(1)]
        multiple: Option<f64>,
    },
    /// Nothing can be said, and why.
    #[n(2)]
    NotAssessable(#[n(0)] NotAssessable),
}

impl Verdict {
    /// Gives the word of the output.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Within { .. } => "within",
            Self::Exceeds { .. } => "exceeds",
            Self::NotAssessable(_) => "not_assessable",
        }
    }
}

/// One observation held against the limits in force at its own time.
#[derive(Clone, Copy, PartialEq, Debug, Encode, Decode)]
pub struct Assessment {
    /// The datastream.
    #[n(0)]
    pub datastream: DatastreamId,
    /// Native value or average.
    #[n(1)]
    pub period: Period,
    /// The time of the observation.
    #[n(2)]
    pub phenomenon_time: PhenomenonTime,
    /// The number that was held against the limit, if there was one; that of an evaluated period
    /// is rounded.
    #[n(3)]
    pub value: Option<f64>,
    /// The outcome.
    #[n(4)]
    pub verdict: Verdict,
    /// The best water class this one value meets, where its property has classes.
    #[n(5)]
    pub class: Option<WaterClass>,
    /// Which share of the limit the value uses: 1 is at the limit.
    #[n(6)]
    pub share: Option<f64>,
    /// Whether the limit is met, but the share used is one that the datastream's rule warns of;
    /// nothing where it warns of none.
    #[n(7)]
    pub near: Option<bool>,
    /// Whether the value is suspect, so that an exceedance is unconfirmed.
    #[n(8)]
    pub unconfirmed: bool,
    /// Whether the verdict or class differs from the one before; only changes are stored.
    #[n(9)]
    pub changed: bool,
}
