//! Nothing comes. Judged by elapsed time, only while the broker is connected, and not before one
//! expected interval after the connection came back.

use minicbor::{Decode, Encode};

use crate::domain::alert::AlertId;
use crate::domain::name::RuleId;
use crate::domain::time::MINUTE;

/// Where silence stands, of a datastream or a whole station.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct State {
    /// When something was last heard, in elapsed milliseconds.
    #[n(0)]
    pub heard_ms: i64,
    /// The alert, while it fires.
    #[n(1)]
    pub firing: Option<AlertId>,
}

/// The alert about a gateway or network that is silent as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Quiet {
    /// The alert.
    #[n(0)]
    pub alert: AlertId,
    /// The rule by which it fires, so that an edition can withdraw it.
    #[n(1)]
    pub rule: RuleId,
    /// When something by way of it was heard last, in elapsed milliseconds.
    #[n(2)]
    pub heard_ms: i64,
}

/// What a datastream may expect.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Terms {
    /// How often a value should come, ms.
    pub expected_every_ms: i64,
    /// After how many expected intervals silence is an alert.
    pub intervals: f64,
}

impl Terms {
    /// Gives for how long nothing may come, ms.
    #[must_use]
    pub fn patience_ms(&self) -> i64 {
        (self.expected_every_ms as f64 * self.intervals) as i64
    }
}

/// When something was heard last, and since when who should speak is gone, where that was said; in
/// elapsed milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Heard {
    /// When something was heard last.
    pub last_ms: i64,
    /// Since when it is gone.
    pub gone_ms: Option<i64>,
}

/// How long one that said good-bye may stay away at least: what is restarted is back sooner [M].
const AWAY_MS: i64 = MINUTE;
/// So many expected intervals, too: what comes again without a word has spoken by then.
const AWAY_INTERVALS: i64 = 2;

/// Gives the elapsed time from which on silence is an alert; `None` while the broker is away. One
/// that is gone is not waited for longer than one that says nothing.
#[must_use]
pub fn deadline(terms: Terms, heard: Heard, connected_since_ms: Option<i64>) -> Option<i64> {
    let connected = connected_since_ms?;
    let patience = terms.patience_ms();
    // The seeds may say that hardly anything is expected.
    let last = heard.last_ms.saturating_add(patience);
    let usual = last.max(connected.saturating_add(patience.max(terms.expected_every_ms)));
    let away = terms.expected_every_ms.saturating_mul(AWAY_INTERVALS).max(AWAY_MS);
    let gone = heard.gone_ms.map(|gone| gone.max(connected).saturating_add(away));
    Some(gone.map_or(usual, |gone| gone.min(usual)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms { expected_every_ms: 60, intervals: 3.0 };

    fn heard(last_ms: i64) -> Heard {
        Heard { last_ms, gone_ms: None }
    }

    /// Of one that speaks every five minutes, ten of which are waited for.
    #[track_caller]
    fn gone(gone_ms: i64, connected_ms: i64, want: i64) {
        let terms = Terms { expected_every_ms: 5 * MINUTE, intervals: 10.0 };
        let heard = Heard { last_ms: 0, gone_ms: Some(gone_ms) };
        assert_eq!(deadline(terms, heard, Some(connected_ms)), Some(want));
    }

    #[test]
    fn who_is_gone_has_two_intervals_to_come_back() {
        gone(2 * MINUTE, 0, 12 * MINUTE);
        // And so has one whose broker was away meanwhile.
        gone(2 * MINUTE, 30 * MINUTE, 40 * MINUTE);
        // It is not waited for longer than one that says nothing.
        gone(45 * MINUTE, 0, 50 * MINUTE);
    }

    #[test]
    fn who_speaks_often_has_a_minute_to_come_back() {
        let terms = Terms { expected_every_ms: 5_000, intervals: 100.0 };
        let heard = Heard { last_ms: 0, gone_ms: Some(1_000) };
        assert_eq!(deadline(terms, heard, Some(0)), Some(1_000 + MINUTE));
    }

    #[test]
    fn silence_is_not_judged_while_the_broker_is_away() {
        assert_eq!(deadline(TERMS, heard(0), None), None);
    }

    #[test]
    fn three_intervals_after_the_last_value() {
        assert_eq!(deadline(TERMS, heard(1_000), Some(0)), Some(1_180));
    }

    #[test]
    fn patience_without_end_never_ends() {
        let terms = Terms { expected_every_ms: i64::MAX, intervals: 1e300 };
        assert_eq!(deadline(terms, heard(1_000), Some(5)), Some(i64::MAX));
    }

    #[test]
    fn a_connection_that_came_back_gives_everyone_time() {
        assert_eq!(deadline(TERMS, heard(1_000), Some(5_000)), Some(5_180));
    }
}
