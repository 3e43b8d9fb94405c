//! How often somebody may try to log in: a few times freely, then with waits that double, and all
//! together so often a minute. A name that nobody has is counted like any other.

use std::collections::HashMap;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

/// How many names that were tried in vain are remembered; beyond, the one is forgotten that was
/// tried longest ago.
const TRIED_MAX: usize = 1_000;
/// How often a name may be tried in vain before it must wait.
const FREE: u32 = 5;
/// How long it then waits, each time twice as long as before, to the longest. Not longer: else
/// anybody could keep an operator out by their name.
const WAIT: Duration = Duration::from_secs(2);
const WAIT_MAX: Duration = Duration::from_mins(1);
/// After how long without a try a name is as if never tried.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(15);
/// How many tries there may be a minute, of all names together.
const TRIES_A_MINUTE_MAX: u32 = 60;

#[derive(Clone, Copy, Debug)]
struct Tried {
    count: u32,
    last: Instant,
    until: Instant,
}

/// Tries to log in.
#[derive(Debug, Default)]
pub(super) struct Tries {
    names: HashMap<[u8; 32], Tried>,
    minute: Option<(Instant, u32)>,
}

impl Tries {
    /// Takes a try, as one in vain until it is said that it was not; or says how long to wait.
    pub(super) fn take(&mut self, name: &str, now: Instant) -> Result<(), Duration> {
        let key: [u8; 32] = Sha256::digest(name.as_bytes()).into();
        self.names.retain(|_, tried| now.duration_since(tried.last) < FORGOTTEN_AFTER);
        let held = self.names.get(&key).copied();
        if let Some(wait) = held.and_then(|tried| tried.until.checked_duration_since(now))
            && !wait.is_zero()
        {
            return Err(wait);
        }
        let minute = self.minute.filter(|(began, _)| now.duration_since(*began) < WAIT_MAX);
        let (began, count) = minute.unwrap_or((now, 0));
        if count >= TRIES_A_MINUTE_MAX {
            return Err(WAIT_MAX.saturating_sub(now.duration_since(began)));
        }
        self.minute = Some((began, count + 1));
        let count = held.map_or(0, |tried| tried.count).saturating_add(1);
        let wait = match count.checked_sub(FREE) {
            None => Duration::ZERO,
            Some(doubled) => WAIT_MAX.min(WAIT * 2_u32.pow(doubled.min(10))),
        };
        if held.is_none() && self.names.len() >= TRIED_MAX {
            let oldest = self.names.iter().min_by_key(|(_, tried)| tried.last);
            let oldest = oldest.map(|(key, _)| *key);
            oldest.and_then(|key| self.names.remove(&key));
        }
        self.names.insert(key, Tried { count, last: now, until: now + wait });
        Ok(())
    }

    /// Notes that the last try of a name was good.
    pub(super) fn succeeded(&mut self, name: &str) {
        let key: [u8; 32] = Sha256::digest(name.as_bytes()).into();
        self.names.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tried_in_vain_waits_longer_and_longer_and_not_for_ever() {
        let (mut tries, mut now) = (Tries::default(), Instant::now());
        for _ in 0..FREE {
            assert_eq!(tries.take("li.na", now), Ok(()));
        }
        for wait in [2, 4, 8, 16, 32, 60, 60] {
            let waits = tries.take("li.na", now).unwrap_err();
            assert_eq!(waits, Duration::from_secs(wait));
            assert_eq!(tries.take("wang", now), Ok(()), "others don't wait");
            tries.succeeded("wang");
            now += waits;
            assert_eq!(tries.take("li.na", now), Ok(()));
        }
        tries.succeeded("li.na");
        assert_eq!(tries.take("li.na", now), Ok(()));
    }

    #[test]
    fn a_name_is_forgotten_in_time() {
        let (mut tries, mut now) = (Tries::default(), Instant::now());
        for _ in 0..FREE {
            tries.take("li.na", now).unwrap();
        }
        now += FORGOTTEN_AFTER;
        for _ in 0..FREE {
            assert_eq!(tries.take("li.na", now), Ok(()));
        }
    }

    #[test]
    fn all_names_together_have_so_many_tries_a_minute() {
        let (mut tries, mut now) = (Tries::default(), Instant::now());
        for number in 0..TRIES_A_MINUTE_MAX {
            tries.take(&number.to_string(), now).unwrap();
        }
        now += Duration::from_secs(20);
        assert_eq!(tries.take("li.na", now), Err(Duration::from_secs(40)));
        now += Duration::from_secs(40);
        assert_eq!(tries.take("li.na", now), Ok(()));
    }

    #[test]
    fn so_many_names_are_remembered() {
        let (mut tries, mut now) = (Tries::default(), Instant::now());
        for number in 0..=TRIED_MAX {
            now += Duration::from_millis(800);
            tries.minute = None;
            tries.take(&number.to_string(), now).unwrap();
            assert!(tries.names.len() <= TRIED_MAX);
        }
        assert_eq!(tries.names.len(), TRIED_MAX);
    }
}
