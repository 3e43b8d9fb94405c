//! Quality of an observation: one QARTOD flag a test and their roll-up.

use minicbor::decode::{Decoder, Error as DecodeError};
use minicbor::encode::{Encoder, Error as EncodeError, Write};
use minicbor::{Decode, Encode};

/// A QARTOD flag. The default is "not evaluated", so that a test that did not run can't look
/// like a pass.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Encode, Decode)]
#[cbor(index_only)]
pub enum Flag {
    /// The test passed.
    #[n(1)]
    Pass = 1,
    /// The test did not run or could not decide.
    #[default]
    #[n(2)]
    NotEvaluated = 2,
    /// Doubtful.
    #[n(3)]
    Suspect = 3,
    /// Wrong.
    #[n(4)]
    Fail = 4,
    /// There is no value.
    #[n(9)]
    Missing = 9,
}

impl Flag {
    /// Gives the number that QARTOD gives the flag.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }

    /// Ranks flags for the roll-up: 9 < 2 < 1 < 3 < 4 (QARTOD; ioos_qc `aggregate`).
    fn rank(self) -> u8 {
        match self {
            Self::Missing => 0,
            Self::NotEvaluated => 1,
            Self::Pass => 2,
            Self::Suspect => 3,
            Self::Fail => 4,
        }
    }

    /// Gives the one of two flags that the roll-up keeps.
    #[must_use]
    pub fn or_worse(self, other: Self) -> Self {
        if other.rank() > self.rank() { other } else { self }
    }
}

/// The tests that weir runs on a stream, by QARTOD's names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Test {
    /// Is there a value at all (QARTOD: flag 9).
    Missing = 0,
    /// Sensor span and expected span.
    GrossRange = 1,
    /// The device's clock against the time of arrival.
    Clock = 2,
    /// Of an average: the flags of the values it was made of.
    Members = 3,
    /// What is expected at the time of the year or day.
    Climatology = 4,
    /// How far it stands out from its neighbours.
    Spike = 5,
    /// How fast it changed.
    RateOfChange = 6,
    /// For how long it did not change.
    FlatLine = 7,
    /// How little it varies.
    AttenuatedSignal = 8,
    /// Whether it follows a gap.
    TimingGap = 9,
}

impl Test {
    /// Every test, in the order in which a quality keeps their flags.
    pub const ALL: [Self; 10] = [
        Self::Missing,
        Self::GrossRange,
        Self::Clock,
        Self::Members,
        Self::Climatology,
        Self::Spike,
        Self::RateOfChange,
        Self::FlatLine,
        Self::AttenuatedSignal,
        Self::TimingGap,
    ];

    /// Gives the name under which seeds and output know the test.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::GrossRange => "gross_range",
            Self::Clock => "clock",
            Self::Members => "members",
            Self::Climatology => "climatology",
            Self::Spike => "spike",
            Self::RateOfChange => "rate_of_change",
            Self::FlatLine => "flat_line",
            Self::AttenuatedSignal => "attenuated_signal",
            Self::TimingGap => "timing_gap",
        }
    }
}

/// The flags of all tests on one observation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Quality {
    flags: [Flag; Test::ALL.len()],
}

impl Quality {
    /// Notes the flag that a test gave.
    pub fn set(&mut self, test: Test, flag: Flag) {
        if let Some(place) = self.flags.get_mut(test as usize) {
            *place = flag;
        }
    }

    /// Gives the flag of one test.
    #[must_use]
    pub fn flag(&self, test: Test) -> Flag {
        self.flags.get(test as usize).copied().unwrap_or_default()
    }

    /// Rolls all flags up into one. A value that is missing is missing, whatever else ran.
    #[must_use]
    pub fn roll_up(&self) -> Flag {
        if self.flag(Test::Missing) == Flag::Missing {
            return Flag::Missing;
        }
        self.flags.iter().fold(Flag::Missing, |rolled, flag| rolled.or_worse(*flag))
    }
}

/// As a list, because another release may have more tests or fewer.
impl<C> Encode<C> for Quality {
    fn encode<W: Write>(
        &self,
        out: &mut Encoder<W>,
        context: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        self.flags.as_slice().encode(out, context)
    }
}

impl<'b, C> Decode<'b, C> for Quality {
    fn decode(from: &mut Decoder<'b>, context: &mut C) -> Result<Self, DecodeError> {
        let mut quality = Self::default();
        let flags = Vec::<Flag>::decode(from, context)?;
        for (place, flag) in quality.flags.iter_mut().zip(flags) {
            *place = flag;
        }
        Ok(quality)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(flags: &[(Test, Flag)], want: Flag) {
        let mut quality = Quality::default();
        for (test, flag) in flags {
            quality.set(*test, *flag);
        }
        assert_eq!(quality.roll_up(), want);
    }

    #[test]
    fn a_test_that_did_not_run_is_no_pass() {
        check(&[], Flag::NotEvaluated);
    }

    #[test]
    fn one_pass_lifts_what_was_not_evaluated() {
        check(&[(Test::GrossRange, Flag::Pass)], Flag::Pass);
    }

    #[test]
    fn the_worst_wins() {
        check(&[(Test::GrossRange, Flag::Suspect), (Test::Clock, Flag::Pass)], Flag::Suspect);
        check(&[(Test::GrossRange, Flag::Fail), (Test::Clock, Flag::Suspect)], Flag::Fail);
    }

    #[test]
    fn missing_is_missing_whatever_the_clock_says() {
        check(&[(Test::Missing, Flag::Missing), (Test::Clock, Flag::Suspect)], Flag::Missing);
    }
}
