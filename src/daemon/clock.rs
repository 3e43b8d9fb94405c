//! The one clock of the daemon: real, or scaled from a start for a demonstration or played data.
//! Ticks, times of arrival and simulated devices read it; nothing else may ask the system.

use std::time::{Instant, SystemTime};

use crate::domain::time::{Moment, Timestamp};

/// A clock. Elapsed time goes on from where the journal ended; the time weir was down counts.
#[derive(Clone, Debug)]
pub struct Clock {
    start: Instant,
    wall_start: Timestamp,
    elapsed_start_ms: i64,
    speed: Option<f64>,
}

#[expect(clippy::disallowed_methods, reason = "the one place that asks the system")]
fn system() -> (Instant, Timestamp) {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    (Instant::now(), Timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)))
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn real() -> Self {
        let (start, wall_start) = system();
        Self { start, wall_start, elapsed_start_ms: 0, speed: None }
    }

    /// A clock that begins at a time and runs `speed` times as fast as the system's.
    #[must_use]
    pub fn scaled(wall_start: Timestamp, speed: f64) -> Self {
        let (start, _) = system();
        Self { start, wall_start, elapsed_start_ms: 0, speed: Some(speed) }
    }

    /// Lets elapsed time go on from the journal's last moment: what the wall says has passed since
    /// then has passed, but never less than nothing.
    pub fn resume(&mut self, last: Moment) {
        let now = self.now();
        self.elapsed_start_ms += last.elapsed_ms + now.wall.since(last.wall).max(0);
    }

    /// Gives the time.
    #[must_use]
    pub fn now(&self) -> Moment {
        let (instant, wall) = system();
        let passed = instant.duration_since(self.start).as_secs_f64() * 1_000.0;
        match self.speed {
            None => Moment { wall, elapsed_ms: self.elapsed_start_ms + passed as i64 },
            Some(speed) => {
                let passed = (passed * speed) as i64;
                let wall = self.wall_start.plus(passed);
                Moment { wall, elapsed_ms: self.elapsed_start_ms + passed }
            }
        }
    }

    /// Says how many times as fast as the system's clock it runs.
    #[must_use]
    pub fn speed(&self) -> f64 {
        self.speed.unwrap_or(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_spent_down_counts_and_never_below_zero() {
        let mut clock = Clock::scaled(Timestamp(10_000), 1.0);
        clock.resume(Moment { wall: Timestamp(4_000), elapsed_ms: 500 });
        assert!((6_500..7_500).contains(&clock.now().elapsed_ms));
        let mut clock = Clock::scaled(Timestamp(10_000), 1.0);
        clock.resume(Moment { wall: Timestamp(99_000), elapsed_ms: 500 });
        assert!((500..1_500).contains(&clock.now().elapsed_ms));
    }
}
