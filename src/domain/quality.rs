//! Quality of an observation: one QARTOD flag a test and their roll-up.

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

/// The tests of quality control: QARTOD's by its names, and what a station of a bureau needs
/// besides.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum Test {
    /// Is there a value at all (QARTOD: flag 9).
    #[n(0)]
    Missing = 0,
    /// Sensor span and expected span.
    #[n(1)]
    GrossRange = 1,
    /// The device's clock against the time of arrival.
    #[n(2)]
    Clock = 2,
    /// Of an average: the flags of the values it was made of.
    #[n(3)]
    Members = 3,
    /// What is expected at the time of the year or day.
    #[n(4)]
    Climatology = 4,
    /// How far it stands out from its neighbours in time.
    #[n(5)]
    Spike = 5,
    /// How fast it changed.
    #[n(6)]
    RateOfChange = 6,
    /// For how long it did not change.
    #[n(7)]
    FlatLine = 7,
    /// How little it varies.
    #[n(8)]
    AttenuatedSignal = 8,
    /// Whether it follows a gap.
    #[n(9)]
    TimingGap = 9,
    /// What several properties of a station say of each other.
    #[n(10)]
    MultiVariate = 10,
    /// What the station up or down the river says.
    #[n(11)]
    Neighbour = 11,
    /// What the device itself marks its value with.
    #[n(12)]
    DeviceMark = 12,
    /// Several items of an analyser whose samples are the same as before.
    #[n(13)]
    StaleAnalyser = 13,
    /// A probe out of water, or not yet in it.
    #[n(14)]
    OutOfWater = 14,
    /// A value that a mistaken unit would explain: a thousand times too much or too little.
    #[n(15)]
    UnitMistake = 15,
    /// How far the sensor has drifted from its last calibration or check.
    #[n(16)]
    Drift = 16,
    /// A check of the station (zero, span, standard sample …) that failed.
    #[n(17)]
    ControlCheck = 17,
    /// What the site's calendar says: maintenance, ice, flood, works.
    #[n(18)]
    SiteCalendar = 18,
    /// What a person said of it.
    #[n(19)]
    Person = 19,
    /// Whether a state that only rises fell.
    #[n(20)]
    Counter = 20,
}

impl Test {
    /// Every test, in the order in which output names them.
    pub const ALL: [Self; 21] = [
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
        Self::MultiVariate,
        Self::Neighbour,
        Self::DeviceMark,
        Self::StaleAnalyser,
        Self::OutOfWater,
        Self::UnitMistake,
        Self::Drift,
        Self::Counter,
        Self::ControlCheck,
        Self::SiteCalendar,
        Self::Person,
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
            Self::MultiVariate => "multi_variate",
            Self::Neighbour => "neighbour",
            Self::DeviceMark => "device_mark",
            Self::StaleAnalyser => "stale_analyser",
            Self::OutOfWater => "out_of_water",
            Self::UnitMistake => "unit_mistake",
            Self::Drift => "drift",
            Self::ControlCheck => "control_check",
            Self::SiteCalendar => "site_calendar",
            Self::Person => "person",
            Self::Counter => "counter",
        }
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// The tests that tell that nothing was read at all.
const UNREADABLE: u32 = Test::Missing.bit() | Test::GrossRange.bit() | Test::DeviceMark.bit();
/// The tests that tell what was said of a value: by a check, the site's calendar, a person.
const SAID: u32 = Test::ControlCheck.bit() | Test::SiteCalendar.bit() | Test::Person.bit();
/// The tests that doubt a value because it changed. A wave does that, too: where the next station
/// shows the same, they say nothing.
const OF_CHANGE: u32 = Test::Spike.bit() | Test::RateOfChange.bit() | Test::Climatology.bit();

/// A set of tests, walked in the order in which output names them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Tests(u32);

impl Tests {
    /// Puts a test in.
    #[must_use]
    pub fn with(self, test: Test) -> Self {
        Self(self.0 | test.bit())
    }

    /// Puts all tests of another set in.
    #[must_use]
    pub fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Says whether a test is in it.
    #[must_use]
    pub fn holds(self, test: Test) -> bool {
        self.0 & test.bit() != 0
    }

    /// Walks the tests.
    pub fn iter(self) -> impl Iterator<Item = Test> {
        Test::ALL.into_iter().filter(move |test| self.holds(*test))
    }
}

impl FromIterator<Test> for Tests {
    fn from_iter<I: IntoIterator<Item = Test>>(tests: I) -> Self {
        tests.into_iter().fold(Self::default(), Self::with)
    }
}

/// The flags of all tests on one observation: for each flag one bit a test. A test without a bit
/// was not evaluated.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Encode, Decode)]
pub struct Quality {
    #[n(0)]
    pass: u32,
    #[n(1)]
    suspect: u32,
    #[n(2)]
    fail: u32,
    #[n(3)]
    missing: u32,
}

impl Quality {
    /// Gives one in which only one test ran.
    #[must_use]
    pub fn only(test: Test, flag: Flag) -> Self {
        let mut quality = Self::default();
        quality.set(test, flag);
        quality
    }

    /// Notes the flag that a test gave, in place of what it gave before.
    pub fn set(&mut self, test: Test, flag: Flag) {
        let bit = test.bit();
        self.pass &= !bit;
        self.suspect &= !bit;
        self.fail &= !bit;
        self.missing &= !bit;
        match flag {
            Flag::Pass => self.pass |= bit,
            Flag::NotEvaluated => {}
            Flag::Suspect => self.suspect |= bit,
            Flag::Fail => self.fail |= bit,
            Flag::Missing => self.missing |= bit,
        }
    }

    /// Gives the flag of one test.
    #[must_use]
    pub fn flag(&self, test: Test) -> Flag {
        let bit = test.bit();
        let held = |plane: u32| plane & bit != 0;
        if held(self.fail) {
            Flag::Fail
        } else if held(self.suspect) {
            Flag::Suspect
        } else if held(self.pass) {
            Flag::Pass
        } else if held(self.missing) {
            Flag::Missing
        } else {
            Flag::NotEvaluated
        }
    }

    /// Rolls all flags up into one. A value that is missing is missing, whatever else ran. What is
    /// suspect because it changed is not, where the neighbour test passed it: the next station on
    /// the river shows the same.
    #[must_use]
    pub fn roll_up(&self) -> Flag {
        if self.missing & Test::Missing.bit() != 0 {
            Flag::Missing
        } else if self.fail != 0 {
            Flag::Fail
        } else if self.suspect & !self.borne_out() != 0 {
            Flag::Suspect
        } else if self.pass != 0 {
            Flag::Pass
        } else {
            Flag::NotEvaluated
        }
    }

    /// Gives the tests whose doubts a neighbour disperses.
    fn borne_out(&self) -> u32 {
        if self.pass & Test::Neighbour.bit() == 0 { 0 } else { OF_CHANGE }
    }

    /// Says whether a test doubts the value, fails it or misses it.
    #[must_use]
    pub fn is_flagged(&self) -> bool {
        (self.suspect | self.fail | self.missing) != 0
    }

    /// Gives the tests that doubt the value, as far as no neighbour disperses their doubts.
    pub fn doubts(&self) -> impl Iterator<Item = Test> + use<> {
        let doubts = self.suspect & !self.borne_out();
        Test::ALL.into_iter().filter(move |test| doubts & test.bit() != 0)
    }

    /// Gives the tests whose doubts the next station on the river disperses.
    pub fn dispersed(&self) -> impl Iterator<Item = Test> + use<> {
        let dispersed = self.suspect & self.borne_out();
        Test::ALL.into_iter().filter(move |test| dispersed & test.bit() != 0)
    }

    /// Says whether it failed by what tells of a value alone that it is none: such a value is no
    /// neighbour that another could be held against.
    #[must_use]
    pub fn fails_alone(&self) -> bool {
        self.is_no_reading() || self.is_taken_out()
    }

    /// Says whether it failed by what tells that the instrument read nothing of what it is there
    /// for.
    #[must_use]
    pub fn is_no_reading(&self) -> bool {
        self.fail & (UNREADABLE | Test::OutOfWater.bit()) != 0
    }

    /// Says whether it failed by what was said of it: by a person, a check, the site's calendar.
    #[must_use]
    pub fn is_taken_out(&self) -> bool {
        self.fail & SAID != 0
    }

    /// Says whether it failed by what tells that nothing was read at all.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        self.fail & UNREADABLE != 0
    }

    /// Gives the tests that gave a flag.
    pub fn tests(&self, flag: Flag) -> impl Iterator<Item = Test> + use<> {
        let quality = *self;
        Test::ALL.into_iter().filter(move |test| quality.flag(*test) == flag)
    }

    /// Gives the flags as four numbers, one for each flag but "not evaluated", in which each test
    /// has a bit.
    #[must_use]
    pub fn planes(&self) -> [u32; 4] {
        [self.pass, self.suspect, self.fail, self.missing]
    }

    /// Takes the flags from such numbers.
    #[must_use]
    pub fn from_planes([pass, suspect, fail, missing]: [u32; 4]) -> Self {
        Self { pass, suspect, fail, missing }
    }
}

/// How many values of a natural day are flagged, by roll-up and by test.
#[derive(Clone, Copy, Debug, Default, Encode, Decode)]
pub struct Flagged {
    /// Suspect.
    #[n(0)]
    pub suspect: u32,
    /// Failed.
    #[n(1)]
    pub failed: u32,
    /// Missing.
    #[n(2)]
    pub missing: u32,
    /// By each test that flagged one, suspect or failed, at the place of its bit.
    #[n(3)]
    by_test: [u32; u32::BITS as usize],
    /// The tests that flagged one at some time, if only for a while: a bit each.
    #[n(4)]
    told: u32,
}

/// What was flagged for a while only makes no other counts.
impl PartialEq for Flagged {
    fn eq(&self, other: &Self) -> bool {
        let counts = |of: &Self| (of.suspect, of.failed, of.missing, of.by_test);
        counts(self) == counts(other)
    }
}

impl Eq for Flagged {}

impl Flagged {
    /// Counts a value in.
    pub fn take_in(&mut self, quality: &Quality) {
        self.told |= quality.suspect | quality.fail;
        self.each(quality, |count| *count = count.saturating_add(1));
    }

    /// Takes a value out whose flags are told anew.
    pub fn take_out(&mut self, quality: &Quality) {
        self.each(quality, |count| *count = count.saturating_sub(1));
    }

    fn each(&mut self, quality: &Quality, change: impl Fn(&mut u32)) {
        match quality.roll_up() {
            Flag::Suspect => change(&mut self.suspect),
            Flag::Fail => change(&mut self.failed),
            Flag::Missing => change(&mut self.missing),
            Flag::Pass | Flag::NotEvaluated => {}
        }
        let flagged = quality.suspect | quality.fail;
        for (bit, count) in self.by_test.iter_mut().enumerate() {
            if flagged & (1 << bit) != 0 {
                change(count);
            }
        }
    }

    /// Gives the tests that flagged a value at some time, each with how many it flags now.
    pub fn tests(&self) -> impl Iterator<Item = (Test, u32)> + use<> {
        let Self { told, by_test, .. } = *self;
        let tests = Test::ALL.into_iter().filter(move |test| told & test.bit() != 0);
        tests.map(move |test| (test, by_test.get(test as usize).copied().unwrap_or(0)))
    }

    /// Names those tests, too, that were told of the same day before.
    pub fn name_also(&mut self, before: &Self) {
        self.told |= before.told;
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

    #[test]
    fn what_a_test_gives_last_counts() {
        let mut quality = Quality::default();
        for flag in [Flag::Fail, Flag::Missing, Flag::Pass, Flag::Suspect, Flag::NotEvaluated] {
            quality.set(Test::Person, flag);
            assert_eq!(quality.flag(Test::Person), flag);
            assert_eq!(Quality::from_planes(quality.planes()), quality);
        }
        assert_eq!(quality, Quality::default());
    }

    #[test]
    fn a_doubt_that_the_neighbour_disperses_is_named_apart() {
        let mut quality = Quality::only(Test::Spike, Flag::Suspect);
        quality.set(Test::FlatLine, Flag::Suspect);
        let names = |tests: &mut dyn Iterator<Item = Test>| tests.collect::<Vec<_>>();
        assert_eq!(names(&mut quality.doubts()), [Test::Spike, Test::FlatLine]);
        assert_eq!(names(&mut quality.dispersed()), []);
        quality.set(Test::Neighbour, Flag::Pass);
        assert_eq!(names(&mut quality.doubts()), [Test::FlatLine]);
        assert_eq!(names(&mut quality.dispersed()), [Test::Spike]);
    }

    #[test]
    fn a_flag_that_is_told_anew_moves_from_one_count_to_the_other() {
        let mut flagged = Flagged::default();
        let doubted = Quality::only(Test::Spike, Flag::Suspect);
        let mut failed = doubted;
        failed.set(Test::GrossRange, Flag::Fail);
        flagged.take_in(&doubted);
        flagged.take_in(&failed);
        let of = |flagged: &Flagged| flagged.tests().collect::<Vec<_>>();
        assert_eq!((flagged.suspect, flagged.failed, flagged.missing), (1, 1, 0));
        assert_eq!(of(&flagged), [(Test::GrossRange, 1), (Test::Spike, 2)]);
        flagged.take_out(&failed);
        flagged.take_in(&Quality::only(Test::Missing, Flag::Missing));
        assert_eq!((flagged.suspect, flagged.failed, flagged.missing), (1, 0, 1));
        // What was told is to be told again, if it is 0 now.
        assert_eq!(of(&flagged), [(Test::GrossRange, 0), (Test::Spike, 1)]);
    }
}
