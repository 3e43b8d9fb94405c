//! Whether many messages are turned away: told while those that send them may still be mended.

use crate::domain::time::MINUTE;

/// The stretch of time over which messages are counted.
const STRETCH_MS: i64 = 10 * MINUTE;
/// So many messages that are turned away in a stretch, in whole or in part, are many,
const TURNED_AWAY_MIN: u64 = 20;
/// if they are this share of all or more.
const SHARE_MIN: f64 = 0.1;
/// It is over after a stretch with less than half of either.
const OVER: f64 = 0.5;

/// Counts messages, and those that are turned away.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rising {
    /// When the stretch began, in elapsed milliseconds.
    began_ms: Option<i64>,
    messages: u64,
    turned_away: u64,
    /// What was said last; nothing since the start, so that an alert from before it can end.
    said: Option<bool>,
}

impl Rising {
    /// Counts a message, of which some or all was turned away or nothing.
    pub fn count(&mut self, turned_away: bool) {
        self.messages += 1;
        self.turned_away += u64::from(turned_away);
    }

    /// Says whether many are turned away, if that is news.
    pub fn look(&mut self, elapsed_ms: i64) -> Option<bool> {
        let began_ms = *self.began_ms.get_or_insert(elapsed_ms);
        let (count, of) = (self.turned_away as f64, self.messages as f64);
        let (count_min, share_min) = (TURNED_AWAY_MIN as f64, of * SHARE_MIN);
        let is_many = count >= count_min && count >= share_min;
        let is_few = count < count_min * OVER || count < share_min * OVER;
        let is_over = elapsed_ms - began_ms >= STRETCH_MS;
        if is_over {
            *self = Self { began_ms: Some(elapsed_ms), said: self.said, ..Self::default() };
        }
        let holds = if is_many { Some(true) } else { (is_over && is_few).then_some(false) };
        holds.filter(|holds| self.said.replace(*holds) != Some(*holds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each stretch is what came in it: messages, and how many of them were turned away.
    #[track_caller]
    fn check(stretches: &[(u64, u64)], want: &[(i64, bool)]) {
        let mut rising = Rising::default();
        assert_eq!(rising.look(0), None);
        let mut said = Vec::new();
        for (at, (messages, turned_away)) in (1..).zip(stretches) {
            (0..*messages).for_each(|number| rising.count(number < *turned_away));
            let within = at * STRETCH_MS - MINUTE;
            said.extend(rising.look(within).map(|holds| (at, holds)));
            said.extend(rising.look(at * STRETCH_MS).map(|holds| (at, holds)));
        }
        assert_eq!(said, want);
    }

    #[test]
    fn many_are_told_at_once_and_few_end_it_after_a_stretch() {
        check(&[(200, 9), (200, 19), (200, 20), (200, 30)], &[(1, false), (3, true)]);
        check(&[(200, 20), (200, 11), (200, 9)], &[(1, true), (3, false)]);
    }

    #[test]
    fn a_small_share_of_very_many_is_not_many() {
        check(&[(10_000, 900), (10_000, 1_000)], &[(2, true)]);
        check(&[(10_000, 1_000), (10_000, 600), (10_000, 400)], &[(1, true), (3, false)]);
    }

    #[test]
    fn where_nothing_comes_it_is_over() {
        check(&[(20, 20), (0, 0)], &[(1, true), (2, false)]);
    }
}
