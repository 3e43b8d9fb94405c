//! How long to wait before a broker is tried again.

use std::time::Duration;

/// The first wait.
const FIRST: Duration = Duration::from_millis(200);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(30);
/// A connection that lasted this long was healthy: the next wait is the first again.
pub const HEALTHY: Duration = Duration::from_mins(1);

/// Waits that double, with a random share taken off so that many clients don't come at once.
#[derive(Clone, Debug, Default)]
pub struct Backoff {
    doublings: u32,
}

impl Backoff {
    /// Begins with the first wait.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the next wait.
    pub fn wait(&mut self) -> Duration {
        let wait = FIRST.saturating_mul(1 << self.doublings.min(20)).min(LONGEST);
        self.doublings += 1;
        wait.mul_f64(1.0 - fastrand::f64() / 2.0)
    }

    /// Notes how long a connection lasted.
    pub fn connected(&mut self, lasted: Duration) {
        if lasted >= HEALTHY {
            self.doublings = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_limit_and_begin_anew_after_health() {
        let mut backoff = Backoff::new();
        assert!(backoff.wait() <= FIRST);
        let longest = (0..100).map(|_| backoff.wait()).max().unwrap();
        assert!(longest <= LONGEST && longest > LONGEST / 2);
        backoff.connected(Duration::from_secs(5));
        assert!(backoff.wait() > FIRST);
        backoff.connected(HEALTHY);
        assert!(backoff.wait() <= FIRST);
    }
}
