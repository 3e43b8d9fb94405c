//! Signs of life of the two threads that all depends on. A thread that hangs can't say so; that it
//! no longer turns is seen from outside.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// When the threads last showed that they live.
#[derive(Debug)]
pub struct Pulse {
    start: Instant,
    /// When the pipeline last heard the clock, ms since the start.
    ingest_ms: AtomicU64,
    /// Since when the committer is at one piece of work, ms since the start; [`IDLE`] while it
    /// waits for some.
    commit_ms: AtomicU64,
}

const IDLE: u64 = u64::MAX;

impl Default for Pulse {
    fn default() -> Self {
        let (ingest_ms, commit_ms) = (AtomicU64::new(0), AtomicU64::new(IDLE));
        Self { start: Instant::now(), ingest_ms, commit_ms }
    }
}

impl Pulse {
    /// Notes that the pipeline heard the clock.
    pub fn ingest_turns(&self) {
        self.ingest_ms.store(self.elapsed_ms(), Ordering::Relaxed);
    }

    /// Notes that the committer begins another piece of work.
    pub fn commit_begins(&self) {
        self.commit_ms.store(self.elapsed_ms(), Ordering::Relaxed);
    }

    /// Notes that the committer waits for work.
    pub fn commit_waits(&self) {
        self.commit_ms.store(IDLE, Ordering::Relaxed);
    }

    /// Gives how long the pipeline has not heard the clock, and how long the committer is at one
    /// piece of work; nothing while that waits for some.
    #[must_use]
    pub fn quiet(&self) -> [Option<Duration>; 2] {
        let now = self.elapsed_ms();
        [&self.ingest_ms, &self.commit_ms].map(|since| {
            let since = since.load(Ordering::Relaxed);
            (since != IDLE).then(|| Duration::from_millis(now.saturating_sub(since)))
        })
    }

    /// Says which thread has given no sign of life for longer than it may, and for how long.
    #[must_use]
    pub fn stuck(&self, longest: Duration) -> Option<String> {
        let words =
            ["the pipeline has not heard the clock", "the committer has been at one piece of work"];
        self.quiet().into_iter().zip(words).find_map(|(passed, what)| {
            let passed = passed.filter(|passed| *passed > longest)?;
            Some(format!("{what} for {} s", passed.as_secs()))
        })
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(IDLE - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_secs(60);

    /// A pulse that began so many seconds ago.
    fn begun(ago_s: u64) -> Pulse {
        Pulse { start: Instant::now() - Duration::from_secs(ago_s), ..Pulse::default() }
    }

    #[track_caller]
    fn check(pulse: &Pulse, want: Option<&str>) {
        assert_eq!(pulse.stuck(LONGEST).as_deref(), want);
    }

    #[test]
    fn who_turns_is_not_stuck() {
        let pulse = begun(600);
        pulse.ingest_turns();
        check(&pulse, None);
        pulse.commit_begins();
        check(&pulse, None);
    }

    #[test]
    fn a_pipeline_that_no_longer_hears_the_clock_is_stuck() {
        check(&begun(59), None);
        check(&begun(61), Some("the pipeline has not heard the clock for 61 s"));
    }

    #[test]
    fn a_committer_that_comes_to_no_end_is_stuck_and_one_without_work_is_not() {
        let pulse = begun(120);
        pulse.ingest_turns();
        pulse.commit_ms.store(30_000, Ordering::Relaxed);
        check(&pulse, Some("the committer has been at one piece of work for 90 s"));
        pulse.commit_begins();
        check(&pulse, None);
        pulse.commit_waits();
        check(&pulse, None);
    }
}
