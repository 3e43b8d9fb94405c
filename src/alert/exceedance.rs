//! A limit is exceeded for long enough, or is met again for long enough.

use minicbor::{Decode, Encode};

use crate::domain::alert::{AlertChange, AlertId};
use crate::domain::assessment::{Assessment, Bound, Verdict};
use crate::domain::registry::{Persistence, Registry};
use crate::domain::time::Timestamp;

/// What a rule asks for.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Terms {
    /// How long it must last before the alert fires.
    pub pending: Persistence,
    /// How long it must be over before the alert resolves.
    pub keep: Persistence,
    /// By which share of the limit a value must be better to count as over.
    pub hysteresis: f64,
}

/// How long something lasts already.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Run {
    /// The time of its first value.
    #[n(0)]
    pub since: Timestamp,
    /// How many values.
    #[n(1)]
    pub values: u32,
}

impl Run {
    fn extended(run: Option<Self>, at: Timestamp) -> Self {
        // What began at the time of a clock that was ahead began at the latest now.
        run.map_or(Self { since: at, values: 1 }, |run| Self {
            since: run.since.min(at),
            values: run.values + 1,
        })
    }

    fn lasts(self, at: Timestamp, persistence: Persistence) -> bool {
        match persistence {
            Persistence::Values(values) => self.values >= values,
            Persistence::Millis(millis) => at.since(self.since) >= millis,
        }
    }
}

/// Where an alert stands. Acknowledged is a fact of its own, kept elsewhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub enum State {
    /// Nothing is wrong.
    #[default]
    #[n(0)]
    Inactive,
    /// Something is wrong, not for long enough.
    #[n(1)]
    Pending(#[n(0)] Run),
    /// Somebody is to know.
    #[n(2)]
    Firing {
        /// The alert.
        #[n(0)]
        alert: AlertId,
        /// Since when the limit is exceeded.
        #[n(1)]
        since: Timestamp,
        /// Since when it is met again, if it is.
        #[n(2)]
        over: Option<Run>,
    },
}

/// What an assessment means for an alert.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The limit is exceeded.
    Exceeds,
    /// The limit is met, but not by enough to say that it is over.
    Close,
    /// The limit is met clearly.
    Clear,
    /// Nobody knows.
    Unknown,
}

/// Reads an assessment by a rule's hysteresis.
#[must_use]
pub fn outcome(registry: &Registry, assessment: &Assessment, hysteresis: f64) -> Outcome {
    let limit = match assessment.verdict {
        Verdict::Exceeds { .. } => return Outcome::Exceeds,
        Verdict::NotAssessable(_) => return Outcome::Unknown,
        Verdict::Within { limit } => registry.limit(limit),
    };
    let clear = match (limit.map(|limit| limit.bound), assessment.value) {
        (Some(Bound::Max(max)), Some(value)) => value <= max - max.abs() * hysteresis,
        (Some(Bound::Min(min)), Some(value)) => value >= min + min.abs() * hysteresis,
        (Some(Bound::Range { low, high }), Some(value)) => {
            let margin = (high - low) / 2.0 * hysteresis;
            (low + margin..=high - margin).contains(&value)
        }
        (None, _) | (_, None) => false,
    };
    if clear { Outcome::Clear } else { Outcome::Close }
}

/// Goes from state to state. `fresh` gives the number of an alert that begins to fire.
pub fn next(
    terms: Terms,
    state: State,
    outcome: Outcome,
    at: Timestamp,
    fresh: impl FnOnce() -> AlertId,
) -> (State, Option<AlertChange>) {
    match (state, outcome) {
        // No verdict is no news: a silent sensor must not clear an alert.
        (state, Outcome::Unknown) => (state, None),
        (State::Inactive | State::Pending(_), Outcome::Exceeds) => {
            let run = Run::extended(
                match state {
                    State::Pending(run) => Some(run),
                    State::Inactive | State::Firing { .. } => None,
                },
                at,
            );
            if run.lasts(at, terms.pending) {
                let firing = State::Firing { alert: fresh(), since: run.since, over: None };
                (firing, Some(AlertChange::Fired))
            } else {
                (State::Pending(run), None)
            }
        }
        (State::Inactive | State::Pending(_), Outcome::Close | Outcome::Clear) => {
            (State::Inactive, None)
        }
        (State::Firing { alert, since, .. }, Outcome::Exceeds | Outcome::Close) => {
            (State::Firing { alert, since, over: None }, None)
        }
        (State::Firing { alert, since, over }, Outcome::Clear) => {
            let over = Run::extended(over, at);
            if over.lasts(at, terms.keep) {
                (State::Inactive, Some(AlertChange::Resolved))
            } else {
                (State::Firing { alert, since, over: Some(over) }, None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TERMS: Terms =
        Terms { pending: Persistence::Values(2), keep: Persistence::Values(2), hysteresis: 0.05 };

    /// Runs letters (`x` exceeds, `c` clear, `h` within the hysteresis, `?` unknown), one a
    /// minute, and gives what changed at which.
    fn run(terms: Terms, letters: &str) -> String {
        let mut state = State::default();
        let mut changes = String::new();
        for (minute, letter) in letters.chars().enumerate() {
            let outcome = match letter {
                'x' => Outcome::Exceeds,
                'c' => Outcome::Clear,
                'h' => Outcome::Close,
                _ => Outcome::Unknown,
            };
            let at = Timestamp(minute as i64 * 60_000);
            let (next, change) = super::next(terms, state, outcome, at, AlertId::default);
            state = next;
            changes.push_str(match change {
                Some(AlertChange::Fired) => "F",
                Some(AlertChange::Resolved) => "R",
                Some(AlertChange::Withdrawn) => "W",
                Some(AlertChange::Past) => "P",
                None => ".",
            });
        }
        changes
    }

    #[track_caller]
    fn check(letters: &str, want: &str) {
        assert_eq!(run(TERMS, letters), want);
    }

    #[test]
    fn one_value_is_not_enough() {
        check("xcxc", "....");
    }

    #[test]
    fn two_values_fire_and_two_clear_ones_resolve() {
        check("xxxcc", ".F..R");
    }

    #[test]
    fn a_value_within_the_hysteresis_keeps_an_alert_firing() {
        check("xxchcc", ".F...R");
    }

    #[test]
    fn no_verdict_neither_fires_nor_resolves() {
        check("x?x", "..F");
        check("xx???c?c", ".F.....R");
    }

    #[test]
    fn a_run_that_began_ahead_of_time_is_no_endless_one() {
        let terms = Terms { pending: Persistence::Millis(60_000), ..TERMS };
        let ahead = State::Pending(Run { since: Timestamp(9_000_000), values: 1 });
        let (state, _) = next(terms, ahead, Outcome::Exceeds, Timestamp(0), AlertId::default);
        let (_, change) = next(terms, state, Outcome::Exceeds, Timestamp(60_000), AlertId::default);
        assert_eq!(change, Some(AlertChange::Fired));
    }

    #[test]
    fn a_duration_counts_from_the_first_value() {
        let terms = Terms { pending: Persistence::Millis(120_000), ..TERMS };
        assert_eq!(run(terms, "xxx"), "..F");
    }

    proptest! {
        #[test]
        fn fired_and_resolved_take_turns(letters in "[xch?]{0,60}") {
            let changes: String = run(TERMS, &letters).chars().filter(|c| *c != '.').collect();
            prop_assert!(changes.starts_with("FR") || changes.len() < 2);
            prop_assert!(!changes.contains("FF") && !changes.contains("RR"));
        }
    }
}
