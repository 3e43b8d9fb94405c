//! Something without a limit of its own lasts for long enough, or is over for long enough: a value
//! that rises fast, values that can't be assessed, an index that is bad.

use minicbor::{Decode, Encode};

use crate::alert::exceedance::{self, Outcome, State, Turn};
use crate::domain::alert::{AlertChange, AlertId};
use crate::domain::name::RuleId;
use crate::domain::registry::Persistence;
use crate::domain::time::{PhenomenonTime, Timestamp};

/// What is remembered of it while something is wrong; else nothing. It takes 72 bytes.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Watched {
    /// The rule by which it is watched.
    #[n(0)]
    pub rule: RuleId,
    #[n(1)]
    state: State,
    /// When it changed last.
    #[n(2)]
    last: Timestamp,
    /// The worst grade that was told, where it has grades.
    #[n(3)]
    worst: u8,
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
    /// Since when it lasts.
    pub since: Timestamp,
    /// Of one that ended by values that are well: since when they are.
    pub well_since: Option<Timestamp>,
}

impl Watched {
    /// Begins to watch by a rule.
    #[must_use]
    pub fn new(rule: RuleId) -> Self {
        Self { rule, state: State::Inactive, last: Timestamp::default(), worst: 0 }
    }

    /// Says whether nothing is wrong, so that nothing needs to be remembered.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.state == State::Inactive
    }

    /// Gives since when it lasts, while that is not for long enough.
    #[must_use]
    pub fn pending(&self) -> Option<Timestamp> {
        self.state.pending()
    }

    /// Gives the worst grade that was told, where it has grades; else 0.
    #[must_use]
    pub fn worst(&self) -> u8 {
        self.worst
    }

    /// Gives the alert while it fires, and since when it lasts.
    #[must_use]
    pub fn firing(&self) -> Option<(AlertId, Timestamp)> {
        self.state.firing()
    }
}

/// Takes a value in. The alert fires once it was wrong for long enough, says when its grade is
/// worse than it ever was, and ends when it was right for long enough. What nobody knows changes
/// nothing.
pub fn judge(
    (pending, keep): (Persistence, Persistence),
    watched: &mut Watched,
    (outcome, grade): (Outcome, u8),
    span: PhenomenonTime,
    fresh: impl FnOnce() -> AlertId,
) -> Option<Change> {
    let terms =
        exceedance::Terms { pending, keep, hysteresis: 0.0, warning_share: None, rises: &[] };
    let held = watched.firing();
    let Turn { change, well_since } =
        exceedance::turn(terms, &mut watched.state, outcome, span, fresh);
    let (alert, since) = watched.firing().or(held)?;
    let worse = outcome == Outcome::Exceeds && grade > watched.worst;
    let news = change.or(worse.then_some(AlertChange::Changed))?;
    if outcome == Outcome::Exceeds {
        watched.worst = watched.worst.max(grade);
    }
    let at = span.start().max(watched.last.plus(1));
    watched.last = at;
    Some(Change { alert, change: news, at, since, well_since })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Runs letters, one a minute: a digit is that grade, `.` is right, `?` unknown. Gives what
    /// changed at which.
    fn run(letters: &str) -> String {
        let terms = (Persistence::Values(2), Persistence::Values(2));
        let mut watched = Watched::new(RuleId(0));
        let each = letters.chars().enumerate().map(|(minute, letter)| {
            let (outcome, grade) = match letter {
                '.' => (Outcome::Clear, 0),
                '?' => (Outcome::Unknown, 0),
                grade => (Outcome::Exceeds, grade.to_digit(10).unwrap() as u8),
            };
            let span = PhenomenonTime::Instant(Timestamp(minute as i64));
            let change = judge(terms, &mut watched, (outcome, grade), span, || AlertId(1));
            match change.map(|one| one.change) {
                Some(AlertChange::Fired) => 'F',
                Some(AlertChange::Changed) => '+',
                Some(AlertChange::Resolved) => 'R',
                Some(AlertChange::Withdrawn | AlertChange::Past) => '!',
                None => '.',
            }
        });
        each.collect()
    }

    #[test]
    fn it_fires_gets_worse_once_and_ends() {
        let check = |letters, want: &str| assert_eq!(run(letters), want, "{letters}");
        check("4.44..", "...F.R");
        check("4445456..", ".F.+..+.R");
        check("44???.?.", ".F.....R");
        check("44.4..", ".F...R");
    }

    #[test]
    fn it_takes_as_much_as_is_said() {
        assert_eq!(size_of::<Watched>(), 72);
    }

    proptest! {
        #[test]
        fn fired_and_ended_take_turns(letters in "[1-6.?]{0,60}") {
            let told: String = run(&letters).chars().filter(|one| "FR".contains(*one)).collect();
            prop_assert!(told.starts_with("FR") || told.len() < 2);
            prop_assert!(!told.contains("FF") && !told.contains("RR"));
        }
    }
}
