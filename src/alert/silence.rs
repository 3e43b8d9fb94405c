//! Nothing comes. Judged by elapsed time, only while the broker is connected, and not before one
//! expected interval after the connection came back.

use minicbor::{Decode, Encode};

use crate::domain::alert::AlertId;

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

/// Gives the elapsed time from which on silence is an alert; `None` while the broker is away.
#[must_use]
pub fn deadline(terms: Terms, heard_ms: i64, connected_since_ms: Option<i64>) -> Option<i64> {
    let connected = connected_since_ms?;
    let patience = terms.patience_ms();
    // The seeds may say that hardly anything is expected.
    let heard = heard_ms.saturating_add(patience);
    Some(heard.max(connected.saturating_add(patience.max(terms.expected_every_ms))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms { expected_every_ms: 60, intervals: 3.0 };

    #[test]
    fn silence_is_not_judged_while_the_broker_is_away() {
        assert_eq!(deadline(TERMS, 0, None), None);
    }

    #[test]
    fn three_intervals_after_the_last_value() {
        assert_eq!(deadline(TERMS, 1_000, Some(0)), Some(1_180));
    }

    #[test]
    fn patience_without_end_never_ends() {
        let terms = Terms { expected_every_ms: i64::MAX, intervals: 1e300 };
        assert_eq!(deadline(terms, 1_000, Some(5)), Some(i64::MAX));
    }

    #[test]
    fn a_connection_that_came_back_gives_everyone_time() {
        assert_eq!(deadline(TERMS, 1_000, Some(5_000)), Some(5_180));
    }
}
