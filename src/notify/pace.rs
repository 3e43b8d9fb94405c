//! How fast a channel may be sent to: a robot that gets more than it takes is silenced for minutes
//! by its own house.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::config::PER_MINUTE_MAX;

/// When the last notifications of a channel were sent: attempts count, too. In no span of a minute
/// there are more than it may have, wherever the span begins. A start of weir knows of nothing.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    per_minute: Option<usize>,
    per_second: Option<usize>,
    /// The newest last; no more than are asked for.
    sent: VecDeque<Instant>,
}

impl Pace {
    /// Gives a pace of so many a minute and a second at most.
    #[must_use]
    pub fn new(per_minute: Option<u32>, per_second: Option<u32>) -> Self {
        let count = |most: u32| usize::try_from(most.clamp(1, PER_MINUTE_MAX)).unwrap_or(1);
        Self {
            per_minute: per_minute.map(count),
            per_second: per_second.map(count),
            sent: VecDeque::new(),
        }
    }

    /// Gives when the next may be sent, where that is not at once.
    #[must_use]
    pub fn until(&self, now: Instant) -> Option<Instant> {
        let spans =
            [(self.per_minute, Duration::from_mins(1)), (self.per_second, Duration::from_secs(1))];
        let free = spans.into_iter().filter_map(|(most, span)| {
            let first = self.sent.len().checked_sub(most?)?;
            Some(*self.sent.get(first)? + span)
        });
        free.max().filter(|at| *at > now)
    }

    /// Notes that one is sent now.
    pub fn sent(&mut self, now: Instant) {
        let kept = self.per_minute.max(self.per_second).unwrap_or(0);
        self.sent.push_back(now);
        while self.sent.len() > kept {
            self.sent.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends as fast as the pace lets, and gives after how many ms each went.
    fn sent(mut pace: Pace, count: usize) -> Vec<u128> {
        let begun = Instant::now();
        let mut now = begun;
        let each = (0..count).map(|_| {
            now = pace.until(now).unwrap_or(now);
            pace.sent(now);
            (now - begun).as_millis()
        });
        each.collect()
    }

    #[test]
    fn so_many_go_at_once_and_the_next_when_the_first_is_a_minute_old() {
        let twenty = sent(Pace::new(Some(20), None), 41);
        assert_eq!(twenty[..20], [0; 20]);
        assert_eq!(twenty[20..40], [60_000; 20]);
        assert_eq!(twenty[40], 120_000);
    }

    #[test]
    fn a_second_has_its_limit_too() {
        let hundred = sent(Pace::new(Some(100), Some(5)), 101);
        assert_eq!(hundred[4..6], [0, 1_000]);
        assert_eq!(hundred[99..], [19_000, 60_000]);
    }

    #[test]
    fn without_limits_nothing_waits_and_nothing_is_kept() {
        assert_eq!(sent(Pace::new(None, None), 1_000), [0; 1_000]);
        let mut pace = Pace::new(Some(PER_MINUTE_MAX), None);
        let now = Instant::now();
        (0..10_000).for_each(|_| pace.sent(now));
        assert_eq!(pace.sent.len(), PER_MINUTE_MAX as usize);
    }
}
