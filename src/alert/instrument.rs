//! The flags of a datastream's values say for long enough that its instrument is at fault, or for
//! long enough that it is not. Silence and missing values say nothing of it.

use minicbor::{Decode, Encode};

use crate::alert::exceedance::{self, Outcome, State, Turn};
use crate::domain::alert::{AlertChange, AlertId};
use crate::domain::name::RuleId;
use crate::domain::quality::{Flag, Test};
use crate::domain::registry::Persistence;
use crate::domain::time::{PhenomenonTime, Timestamp};

/// What a rule asks for.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Terms {
    /// How long values must be at fault before the alert fires.
    pub pending: Persistence,
    /// How long they must be sound before it resolves.
    pub keep: Persistence,
}

/// What a value says of its instrument.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Finding {
    /// It is at fault: the test that says most, and its flag. A pass is of a range that is too
    /// small.
    Fault(Test, Flag),
    /// It is sound.
    Sound,
    /// Nothing.
    Unknown,
}

/// What is remembered of a datastream whose instrument is at fault; of a sound one, nothing. It
/// takes 88 bytes.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Watch {
    /// The rule that it is watched by.
    #[n(0)]
    pub rule: RuleId,
    /// Whether the alert is about the station: what is wrong is wrong with all of its probes.
    #[n(1)]
    pub of_station: bool,
    #[n(2)]
    state: State,
    /// Which tests it was told of, a bit each: as suspect, or worse,
    #[n(3)]
    suspect: u32,
    /// and as failed.
    #[n(4)]
    fail: u32,
    /// What it was told of last.
    #[n(5)]
    cause: Option<(Test, Flag)>,
    /// When it changed last.
    #[n(6)]
    last: Timestamp,
    /// The rule by which the alert is told: of a station's, that of who told it first.
    #[n(7)]
    pub told_by: RuleId,
}

/// A change of the alert.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Change {
    /// The alert.
    pub alert: AlertId,
    /// What happened.
    pub change: AlertChange,
    /// When: the start of the value's time, but later than what happened last.
    pub at: Timestamp,
    /// Since when the instrument is at fault.
    pub since: Timestamp,
    /// Of one that ended by values that are well: since when they are.
    pub well_since: Option<Timestamp>,
    /// What is wrong; of one that ended, what was told last.
    pub cause: (Test, Flag),
}

impl Watch {
    /// Begins to watch by a rule.
    #[must_use]
    pub fn new(rule: RuleId) -> Self {
        Self {
            rule,
            of_station: false,
            state: State::Inactive,
            suspect: 0,
            fail: 0,
            cause: None,
            last: Timestamp::default(),
            told_by: rule,
        }
    }

    /// Says whether nothing is wrong, so that nothing needs to be remembered.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.state == State::Inactive
    }

    /// Gives the alert while it fires, and since when it lasts.
    #[must_use]
    pub fn firing(&self) -> Option<(AlertId, Timestamp)> {
        self.state.firing()
    }

    /// Gives since when values are at fault, while that is not for long enough.
    #[must_use]
    pub fn pending(&self) -> Option<Timestamp> {
        self.state.pending()
    }

    /// Says whether a test was told of.
    #[must_use]
    pub fn told_of(&self, test: Test) -> bool {
        self.suspect & 1 << test as u32 != 0
    }

    /// Makes what fires a part of another datastream's alert, and takes over what was told of it.
    pub fn join(&mut self, other: &Self) {
        if let (State::Firing { alert, since, .. }, Some((of, first))) =
            (&mut self.state, other.firing())
        {
            *alert = of;
            *since = first.min(*since);
        }
        self.learn(other);
        self.told_by = other.told_by;
        self.of_station = true;
    }

    /// Notes that what fires began earlier than its values were doubted: a line is one only once it
    /// is long.
    pub fn begun(&mut self, at: Timestamp) {
        if let State::Firing { since, .. } = &mut self.state {
            *since = at.min(*since);
        }
    }

    /// Takes over what was told of the same alert.
    pub fn learn(&mut self, other: &Self) {
        self.suspect |= other.suspect;
        self.fail |= other.fail;
        self.last = self.last.max(other.last);
    }

    /// Notes that a cause is told; says whether it is news.
    fn tell(&mut self, (test, flag): (Test, Flag)) -> bool {
        let bit = 1 << test as u32;
        let before = (self.suspect, self.fail);
        self.suspect |= bit;
        self.fail |= if flag == Flag::Fail { bit } else { 0 };
        let news = before != (self.suspect, self.fail);
        if news {
            self.cause = Some((test, flag));
        }
        news
    }
}

/// Takes a value in. The alert fires once its values were at fault for long enough, says when
/// another test speaks or one fails that doubted, each once, and ends when they were sound for
/// long enough.
pub fn judge(
    terms: Terms,
    watch: &mut Watch,
    finding: Finding,
    span: PhenomenonTime,
    fresh: impl FnOnce() -> AlertId,
) -> Option<Change> {
    let outcome = match finding {
        Finding::Fault(..) => Outcome::Exceeds,
        Finding::Sound => Outcome::Clear,
        Finding::Unknown => Outcome::Unknown,
    };
    let Terms { pending, keep } = terms;
    let terms =
        exceedance::Terms { pending, keep, hysteresis: 0.0, warning_share: None, rises: &[] };
    let held = watch.firing();
    let Turn { change, well_since } =
        exceedance::turn(terms, &mut watch.state, outcome, span, fresh);
    let (alert, since) = watch.firing().or(held)?;
    let news = match finding {
        Finding::Fault(test, flag) => watch.tell((test, flag)),
        Finding::Sound | Finding::Unknown => false,
    };
    let change = change.or(news.then_some(AlertChange::Changed))?;
    let at = span.start().max(watch.last.plus(1));
    watch.last = at;
    Some(Change { alert, change, at, since, well_since, cause: watch.cause? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TERMS: Terms = Terms { pending: Persistence::Values(2), keep: Persistence::Values(2) };

    fn finding(letter: char) -> Finding {
        match letter {
            'g' => Finding::Fault(Test::GrossRange, Flag::Fail),
            'f' => Finding::Fault(Test::FlatLine, Flag::Suspect),
            'F' => Finding::Fault(Test::FlatLine, Flag::Fail),
            '.' => Finding::Sound,
            _ => Finding::Unknown,
        }
    }

    /// Runs letters, one a minute: `g` outside its span, `f` a flat line that is suspect and `F`
    /// that fails, `.` sound, `?` missing. Gives what changed at which.
    fn run(letters: &str) -> (String, Watch) {
        let mut watch = Watch::new(RuleId(0));
        let told = letters.chars().enumerate().map(|(minute, letter)| {
            let span = PhenomenonTime::Instant(Timestamp(minute as i64 * 60_000));
            let change = judge(TERMS, &mut watch, finding(letter), span, || AlertId(1));
            match change.map(|one| one.change) {
                Some(AlertChange::Fired) => 'F',
                Some(AlertChange::Changed) => '+',
                Some(AlertChange::Resolved) => 'R',
                Some(AlertChange::Withdrawn | AlertChange::Past) => '?',
                None => '.',
            }
        });
        (told.collect(), watch)
    }

    #[track_caller]
    fn check(letters: &str, want: &str) {
        assert_eq!(run(letters).0, want);
    }

    #[test]
    fn one_value_at_fault_is_none() {
        check("g.g.", "....");
    }

    #[test]
    fn it_fires_and_ends_after_so_many_values() {
        check("ggg..", ".F..R");
        check("gg.g..", ".F...R");
    }

    #[test]
    fn what_is_missing_neither_fires_nor_ends_it() {
        check("g?g", "..F");
        check("gg????.?.", ".F......R");
    }

    #[test]
    fn another_cause_and_a_worse_one_are_told_once_each() {
        check("ggfgfFf..gg", ".F+..+..R.F");
    }

    #[test]
    fn a_milder_flag_of_what_was_told_is_no_news() {
        check("FFfff", ".F...");
    }

    #[test]
    fn its_end_says_what_was_told_last() {
        let mut watch = run("ggf.").1;
        let span = PhenomenonTime::Instant(Timestamp(240_000));
        let end = judge(TERMS, &mut watch, Finding::Sound, span, || AlertId(2)).unwrap();
        assert_eq!((end.alert, end.since), (AlertId(1), Timestamp(0)));
        assert_eq!(end.cause, (Test::FlatLine, Flag::Suspect));
        assert!(watch.is_idle());
    }

    #[test]
    fn two_changes_never_share_a_time() {
        let mut watch = Watch::new(RuleId(0));
        let mut told = |letter, at| {
            let span = PhenomenonTime::Instant(Timestamp(at));
            judge(TERMS, &mut watch, finding(letter), span, || AlertId(1)).map(|one| one.at.0)
        };
        assert_eq!((told('g', 0), told('g', 9)), (None, Some(9)));
        assert_eq!(told('f', 9), Some(10), "a revision of the same value");
    }

    #[test]
    fn it_takes_as_much_as_is_said() {
        assert_eq!(size_of::<Watch>(), 88);
    }

    #[test]
    fn it_survives_a_snapshot() {
        let watch = run("ggf.").1;
        let bytes = minicbor::to_vec(&watch).unwrap();
        assert_eq!(minicbor::decode::<Watch>(&bytes).unwrap(), watch);
    }

    proptest! {
        #[test]
        fn fired_and_ended_take_turns(letters in "[gfF.?]{0,60}") {
            let told: String = run(&letters).0.chars().filter(|one| "FR".contains(*one)).collect();
            prop_assert!(told.starts_with("FR") || told.len() < 2);
            prop_assert!(!told.contains("FF") && !told.contains("RR"));
        }

        /// However often what is known changes, each cause is told at most twice an alert.
        #[test]
        fn an_alert_changes_no_more_often_than_there_are_causes(letters in "[gfF]{0,60}") {
            prop_assert!(run(&letters).0.matches('+').count() <= 2);
        }
    }
}
