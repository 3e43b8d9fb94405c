//! From what a device said (a reading) to what it means (an observation) to how far it can be
//! trusted (a qualified observation).

use jiff::tz::TimeZone;
use minicbor::{Decode, Encode};

use crate::domain::name::{DatastreamId, MarkId};
use crate::domain::quality::{Flag, Flagged, Quality};
use crate::domain::time::{Calendar, HOUR, PhenomenonTime, Timestamp};
use crate::domain::unit::UnitIndex;

/// Which side of the stated limit a censored value lies on (WaterML `censoredReason`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum Side {
    /// Below the detection limit, written `<0.02`.
    #[n(0)]
    Below,
    /// Above the span, written `>50`.
    #[n(1)]
    Above,
}

/// Why there is no value (WaterML `nilReason`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum NilReason {
    /// The device sent null or an empty value.
    #[n(0)]
    Missing,
    /// A mean without enough valid values in its interval.
    #[n(1)]
    Incomplete,
    /// A derived value whose inputs are missing, failed or too old.
    #[n(2)]
    NoInput,
    /// A derived value whose expression has no finite number, or bounds on both sides.
    #[n(3)]
    Undefined,
}

/// A result: below the detection limit is not zero and not missing.
#[derive(Clone, Copy, PartialEq, Debug, Encode, Decode)]
pub enum ObservationResult {
    /// A finite number in the datastream's unit.
    #[n(0)]
    Value(#[n(0)] f64),
    /// Known only to lie on one side of a number.
    #[n(1)]
    Censored {
        /// The side.
        #[n(0)]
        side: Side,
        /// The number, in the datastream's unit.
        #[n(1)]
        limit: f64,
    },
    /// No value, and why.
    #[n(2)]
    Nil(#[n(0)] NilReason),
}

impl ObservationResult {
    /// Gives the number to draw or compare: the value, or the limit of a censored one.
    #[must_use]
    pub fn number(self) -> Option<f64> {
        match self {
            Self::Value(value) | Self::Censored { limit: value, .. } => Some(value),
            Self::Nil(_) => None,
        }
    }

    /// Converts the number, whatever kind of result it stands in.
    #[must_use]
    pub fn map(self, convert: impl Fn(f64) -> f64) -> Self {
        match self {
            Self::Value(value) => Self::Value(convert(value)),
            Self::Censored { side, limit } => Self::Censored { side, limit: convert(limit) },
            Self::Nil(reason) => Self::Nil(reason),
        }
    }
}

/// What a device said of one channel, before anybody knows what it means.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Reading {
    /// The channel, as an index into the device's profile.
    pub channel: u16,
    /// The number as sent, in the unit as sent.
    pub result: ObservationResult,
    /// The device's own time, if the payload states one.
    pub device_time: Option<Timestamp>,
    /// The unit, if the payload states one; else the profile's holds.
    pub unit: Option<UnitIndex>,
    /// The number of its record in the payload, from 0.
    pub record: u32,
    /// What the device marks it with, if it marks it.
    pub mark: Option<MarkId>,
}

/// Which value of a datastream this is: its own, or an average that weir made of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Encode, Decode)]
#[cbor(index_only)]
pub enum Period {
    /// The datastream's own value: an instant, a sample, or a mean that the device states.
    #[default]
    #[n(0)]
    Native,
    /// The mean of a natural hour, or the total of a meter over it.
    #[n(1)]
    Hour,
    /// The running mean of eight hours.
    #[n(2)]
    EightHours,
    /// The mean of a natural day, 00:00 to 24:00 of the place, or the total over it.
    #[n(3)]
    Day,
    /// The largest running mean of eight hours of a natural day, of ozone.
    #[n(4)]
    DayMaxEightHours,
    /// The mean of a calendar month, or the total over it.
    #[n(5)]
    Month,
    /// The mean of a quarter of a year.
    #[n(6)]
    Quarter,
    /// The mean of a calendar year.
    #[n(7)]
    Year,
}

impl Period {
    /// Every period that weir averages over, the shortest first.
    pub const AVERAGED: [Self; 7] = [
        Self::Hour,
        Self::EightHours,
        Self::Day,
        Self::DayMaxEightHours,
        Self::Month,
        Self::Quarter,
        Self::Year,
    ];

    /// Reads the word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        std::iter::once(Self::Native).chain(Self::AVERAGED).find(|one| one.word() == word)
    }

    /// Gives the word used in seeds and output.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Hour => "1h",
            Self::EightHours => "8h",
            Self::Day => "24h",
            Self::DayMaxEightHours => "24h_max_8h",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }

    /// Gives the number under which it is kept.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }

    /// Reads the number under which it is kept.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        std::iter::once(Self::Native).chain(Self::AVERAGED).find(|one| one.number() == number)
    }

    /// Says whether a value of this period is an evaluation's, which is rounded before it is held
    /// against a limit; a value of an instant or an hour is compared as it is.
    #[must_use]
    pub fn is_evaluated(self) -> bool {
        match self {
            Self::Native | Self::Hour | Self::EightHours => false,
            Self::Day | Self::DayMaxEightHours | Self::Month | Self::Quarter | Self::Year => true,
        }
    }

    /// Gives the natural period of a zone in which a time lies, first instant and first after;
    /// nothing for a native value. A running mean of eight hours is known by its last hour.
    #[must_use]
    pub fn around(self, at: Timestamp, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
        let hour = at.hour_start(zone);
        match self {
            Self::Native => None,
            Self::Hour => Some((hour, hour.plus(HOUR))),
            Self::EightHours => Some((hour.plus(-7 * HOUR), hour.plus(HOUR))),
            Self::Day | Self::DayMaxEightHours => at.calendar(zone, Calendar::Day),
            Self::Month => at.calendar(zone, Calendar::Months(1)),
            Self::Quarter => at.calendar(zone, Calendar::Months(3)),
            Self::Year => at.calendar(zone, Calendar::Months(12)),
        }
    }
}

/// A set of periods, walked the shortest first.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct Periods(#[n(0)] u8);

impl Periods {
    /// Puts a period in.
    #[must_use]
    pub fn with(self, period: Period) -> Self {
        Self(self.0 | Self::bit(period))
    }

    /// Says whether a period is in it.
    #[must_use]
    pub fn holds(self, period: Period) -> bool {
        self.0 & Self::bit(period) != 0
    }

    /// Gives the place of a period among those of the set, from 0; nothing if it is not in it.
    #[must_use]
    pub fn place(self, period: Period) -> Option<usize> {
        let shorter = self.0 & (Self::bit(period) - 1);
        self.holds(period).then_some(shorter.count_ones() as usize)
    }

    /// Walks the periods.
    pub fn iter(self) -> impl Iterator<Item = Period> {
        std::iter::once(Period::Native)
            .chain(Period::AVERAGED)
            .filter(move |period| self.holds(*period))
    }

    fn bit(period: Period) -> u8 {
        1 << period.number()
    }
}

impl FromIterator<Period> for Periods {
    fn from_iter<I: IntoIterator<Item = Period>>(periods: I) -> Self {
        periods.into_iter().fold(Self::default(), Self::with)
    }
}

/// What a reading means: one datastream, one time, one canonical unit (O&M observation).
#[derive(Clone, Copy, PartialEq, Debug, Encode, Decode)]
pub struct Observation {
    /// The datastream.
    #[n(0)]
    pub datastream: DatastreamId,
    /// Native value or average.
    #[n(1)]
    pub period: Period,
    /// What it is about.
    #[n(2)]
    pub phenomenon_time: PhenomenonTime,
    /// The result in the canonical unit, calibrated.
    #[n(3)]
    pub result: ObservationResult,
    /// The number before calibration, where calibration changed it.
    #[n(4)]
    pub raw: Option<f64>,
    /// Whether the device's clock can be believed.
    #[n(5)]
    pub clock: Flag,
    /// What the device marks it with, if it marks it.
    #[n(6)]
    pub mark: Option<MarkId>,
}

/// What an average was made of: values, or shorter averages.
#[derive(Clone, Copy, PartialEq, Debug, Encode, Decode)]
pub struct Completeness {
    /// How many there are.
    #[n(0)]
    pub received: u32,
    /// How many of them are valid.
    #[n(1)]
    pub valid: u32,
    /// How many there should be.
    #[n(2)]
    pub expected: u32,
    /// The least and the greatest valid one, where they are told.
    #[n(3)]
    pub extremes: Option<(f64, f64)>,
}

/// How many of a datastream's own values came of those of a day.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Coverage {
    /// The datastream.
    #[n(0)]
    pub datastream: DatastreamId,
    /// The natural day.
    #[n(1)]
    pub phenomenon_time: PhenomenonTime,
    /// Values that should have come; samples, where sampled.
    #[n(2)]
    pub expected: u32,
    /// Values that came.
    #[n(3)]
    pub received: u32,
    /// Values that came and are valid.
    #[n(4)]
    pub valid: u32,
    /// Values that tests flagged.
    #[n(5)]
    #[cbor(default)]
    pub flagged: Flagged,
}

/// An observation and its quality.
#[derive(Clone, Copy, PartialEq, Debug, Encode, Decode)]
pub struct QualifiedObservation {
    /// The observation.
    #[n(0)]
    pub observation: Observation,
    /// The flag of every test.
    #[n(1)]
    pub quality: Quality,
    /// Whether it takes the place of another result of the same time.
    #[n(2)]
    pub revision: bool,
    /// For an average: how complete it is.
    #[n(3)]
    pub completeness: Option<Completeness>,
    /// Whether it revises nothing but the quality: what is observed is as it was.
    #[n(4)]
    #[cbor(default)]
    pub flag_only: bool,
}

impl QualifiedObservation {
    /// Gives the rolled-up flag.
    #[must_use]
    pub fn flag(&self) -> Flag {
        self.quality.roll_up()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_stand_in_their_own_order_whatever_the_order_they_came_in() {
        let periods: Periods = [Period::Year, Period::Native, Period::Day].into_iter().collect();
        assert_eq!(periods.iter().collect::<Vec<_>>(), [Period::Native, Period::Day, Period::Year]);
        let places = [Period::Native, Period::Hour, Period::Day, Period::Year];
        assert_eq!(places.map(|one| periods.place(one)), [Some(0), None, Some(1), Some(2)]);
    }
}
