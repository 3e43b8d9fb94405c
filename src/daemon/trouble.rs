//! What is wrong with brokers, until it is told.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::alert::WeirCondition;
use crate::domain::name::NetworkId;
use crate::domain::time::MINUTE;

/// What is wrong with brokers. One alert stands for all of them; one of an earlier start ends when
/// nothing is wrong with any.
#[derive(Debug, Default)]
pub struct Troubles {
    /// Those that hold, or of which nothing is known since the start.
    pub open: BTreeSet<(WeirCondition, NetworkId)>,
    /// What was said last.
    said: BTreeMap<WeirCondition, bool>,
}

impl Troubles {
    /// Says whether it is news.
    pub fn note(&mut self, condition: WeirCondition, network: NetworkId, holds: bool) -> bool {
        if holds {
            self.open.insert((condition, network));
        } else {
            self.open.remove(&(condition, network));
            if self.open.iter().any(|(one, _)| *one == condition) {
                return false;
            }
        }
        self.said.insert(condition, holds) != Some(holds)
    }
}

/// So long a broker must have dropped nothing for it to be over.
const QUIET_MS: i64 = 10 * MINUTE;

/// Whether a broker drops messages, by its own count of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Drops {
    /// When it rose last, or when it was looked at first, in elapsed milliseconds.
    rose_ms: Option<i64>,
    /// What was said last; nothing since the start, so that an alert from before it can end.
    said: Option<bool>,
}

impl Drops {
    /// Says whether the broker drops messages, if that is news; `rose` says that its count did.
    pub fn look(&mut self, elapsed_ms: i64, rose: bool) -> Option<bool> {
        let rose_ms = *self.rose_ms.get_or_insert(elapsed_ms);
        if rose {
            self.rose_ms = Some(elapsed_ms);
        }
        let holds = if rose { Some(true) } else { None };
        let holds = holds.or((elapsed_ms - rose_ms >= QUIET_MS).then_some(false));
        holds.filter(|holds| self.said.replace(*holds) != Some(*holds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(looks: &[(i64, bool)], want: &[(i64, bool)]) {
        let mut drops = Drops::default();
        let said = looks
            .iter()
            .filter_map(|(minute, rose)| Some((*minute, drops.look(minute * MINUTE, *rose)?)));
        assert_eq!(said.collect::<Vec<_>>(), want);
    }

    #[test]
    fn it_is_told_once_and_over_after_ten_quiet_minutes() {
        let looks = [(0, false), (1, true), (2, true), (11, false), (12, false), (30, false)];
        check(&looks, &[(1, true), (12, false)]);
    }

    #[test]
    fn an_alert_from_before_the_start_ends_too() {
        check(&[(0, false), (9, false), (10, false), (11, false)], &[(10, false)]);
    }
}
