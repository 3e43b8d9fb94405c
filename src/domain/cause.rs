//! What quality control found wrong: which test, its flag, since when, and its numbers. And which
//! flags of which tests speak of an instrument.

use minicbor::{Decode, Encode};

use crate::domain::check::ByCheck;
use crate::domain::name::DatastreamId;
use crate::domain::quality::{Flag, Quality, Test};
use crate::domain::time::Timestamp;

/// The numbers by which a test found something wrong.
#[derive(Clone, Copy, PartialEq, Debug, Default, Encode, Decode)]
pub enum Found {
    /// It has none, or they are not known here.
    #[default]
    #[n(0)]
    Nothing,
    /// The value lies outside a span, bounds inclusive, in the canonical unit.
    #[n(1)]
    Outside(#[n(0)] f64, #[n(1)] f64),
    /// It does not change for so long, ms.
    #[n(2)]
    Unchanged(#[n(0)] i64),
    /// The clock is off by so much, ms; ahead is above 0.
    #[n(3)]
    ClockOff(#[n(0)] i64),
    /// The value is so many times the one before it, or the other way round: a power of ten.
    #[n(4)]
    Times(#[n(0)] f64),
    /// The value lies above what the device can measure, in the canonical unit.
    #[n(5)]
    AboveRange(#[n(0)] f64),
    /// Water is this cold beside it, Cel: it may be ice.
    #[n(6)]
    Cold(#[n(0)] f64),
    /// A check of the instrument failed; in question is what was measured since the check before.
    #[n(7)]
    Check(#[n(0)] ByCheck),
}

/// Why a value is doubted.
#[derive(Clone, Copy, PartialEq, Debug, Encode, Decode)]
pub struct Cause {
    /// The test.
    #[n(0)]
    pub test: Test,
    /// What it gave. A pass is of a value that is sound, but above what the device can measure.
    #[n(1)]
    pub flag: Flag,
    /// Since when it is so: of a line that is flat, since its first value; of a failed check, since
    /// the first instant that it puts in question.
    #[n(2)]
    pub since: Timestamp,
    /// Its numbers.
    #[n(3)]
    pub found: Found,
    /// Whose value it is.
    #[n(4)]
    pub datastream: DatastreamId,
}

impl Cause {
    /// Says whether the range of the device is too small: nothing is wrong with the value.
    #[must_use]
    pub fn is_range(&self) -> bool {
        matches!(self.found, Found::AboveRange(_))
    }
}

/// Every test, the one that says most of what is wrong first: a probe out of water also stands
/// outside its span and does not change.
const TELLING: [Test; 21] = [
    Test::Person,
    Test::SiteCalendar,
    Test::ControlCheck,
    Test::DeviceMark,
    Test::OutOfWater,
    Test::UnitMistake,
    Test::Counter,
    Test::StaleAnalyser,
    Test::Drift,
    Test::GrossRange,
    Test::MultiVariate,
    Test::FlatLine,
    Test::AttenuatedSignal,
    Test::Clock,
    Test::Spike,
    Test::RateOfChange,
    Test::Neighbour,
    Test::Climatology,
    Test::TimingGap,
    Test::Members,
    Test::Missing,
];

/// From which flag on each test speaks of an instrument; one that is not named never does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Encode, Decode)]
pub struct TestFlags {
    /// The tests that do from suspect on, a bit each.
    #[n(0)]
    suspect: u32,
    /// Those that do when they fail.
    #[n(1)]
    fail: u32,
}

impl TestFlags {
    /// Every flag of every test that is not good.
    pub const ALL: Self = Self { suspect: u32::MAX, fail: u32::MAX };

    /// What speaks of an instrument where a rule does not say: outside the span of a sensor, but
    /// not only outside what is expected, which may be the river; a change that is impossible,
    /// but not one that is only fast.
    pub const USUAL: [(Test, Flag); 14] = [
        (Test::GrossRange, Flag::Fail),
        (Test::FlatLine, Flag::Suspect),
        (Test::AttenuatedSignal, Flag::Suspect),
        (Test::Spike, Flag::Suspect),
        (Test::RateOfChange, Flag::Fail),
        (Test::StaleAnalyser, Flag::Suspect),
        (Test::OutOfWater, Flag::Suspect),
        (Test::UnitMistake, Flag::Suspect),
        (Test::Drift, Flag::Suspect),
        (Test::Counter, Flag::Suspect),
        (Test::ControlCheck, Flag::Suspect),
        (Test::DeviceMark, Flag::Suspect),
        (Test::Clock, Flag::Suspect),
        (Test::MultiVariate, Flag::Suspect),
    ];

    /// Adds a test that speaks from a flag on, suspect or fail.
    #[must_use]
    pub fn with(self, test: Test, from: Flag) -> Self {
        let bit = 1 << test as u32;
        let suspect = if from == Flag::Suspect { bit } else { 0 };
        Self { suspect: self.suspect | suspect, fail: self.fail | bit }
    }

    /// Says whether a flag of a test is among them.
    #[must_use]
    pub fn holds(self, test: Test, flag: Flag) -> bool {
        let bit = 1 << test as u32;
        match flag {
            Flag::Suspect => self.suspect & bit != 0,
            Flag::Fail => self.fail & bit != 0,
            Flag::Pass | Flag::NotEvaluated | Flag::Missing => false,
        }
    }

    /// Adds all that another holds.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { suspect: self.suspect | other.suspect, fail: self.fail | other.fail }
    }

    /// Gives the flag that counts and says most of what is wrong with a value; nothing where none
    /// counts.
    #[must_use]
    pub fn most(self, quality: &Quality) -> Option<(Test, Flag)> {
        let [_, suspect, fail, _] = quality.planes();
        // Nearly every value has no such flag.
        if suspect & self.suspect == 0 && fail & self.fail == 0 {
            return None;
        }
        let given = TELLING.into_iter().map(|test| (test, quality.flag(test)));
        given.into_iter().find(|(test, flag)| self.holds(*test, *flag))
    }
}

impl FromIterator<(Test, Flag)> for TestFlags {
    fn from_iter<I: IntoIterator<Item = (Test, Flag)>>(tests: I) -> Self {
        tests.into_iter().fold(Self::default(), |held, (test, from)| held.with(test, from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usual() -> TestFlags {
        TestFlags::USUAL.into_iter().collect()
    }

    #[track_caller]
    fn check(flags: &[(Test, Flag)], want: Option<(Test, Flag)>) {
        let mut quality = Quality::only(Test::Missing, Flag::Pass);
        flags.iter().for_each(|(test, flag)| quality.set(*test, *flag));
        assert_eq!(usual().most(&quality), want);
    }

    #[test]
    fn what_is_only_unexpected_may_be_the_river() {
        check(&[(Test::GrossRange, Flag::Suspect)], None);
        check(&[(Test::RateOfChange, Flag::Suspect)], None);
        check(&[(Test::Climatology, Flag::Fail), (Test::Neighbour, Flag::Fail)], None);
        check(&[(Test::GrossRange, Flag::Fail)], Some((Test::GrossRange, Flag::Fail)));
    }

    #[test]
    fn a_test_that_speaks_when_it_doubts_speaks_when_it_fails() {
        for (test, from) in TestFlags::USUAL {
            assert!(usual().holds(test, from) && usual().holds(test, Flag::Fail));
        }
    }

    #[test]
    fn what_says_most_is_named_whatever_else_failed() {
        let out = (Test::OutOfWater, Flag::Suspect);
        check(&[(Test::GrossRange, Flag::Fail), (Test::FlatLine, Flag::Fail), out], Some(out));
    }

    #[test]
    fn every_test_has_a_place() {
        for test in Test::ALL {
            let quality = Quality::only(test, Flag::Suspect);
            assert_eq!(TestFlags::ALL.most(&quality), Some((test, Flag::Suspect)));
        }
    }
}
