//! Timing (QARTOD): a value that comes after a gap.

use crate::domain::quality::Flag;
use crate::domain::registry::TimingGap;
use crate::domain::time::Timestamp;

/// Runs the test. Of the first value of a series nobody knows.
#[must_use]
pub fn test(gap: TimingGap, before: Option<Timestamp>, at: Timestamp) -> Flag {
    match before {
        None => Flag::NotEvaluated,
        Some(before) if at.since(before) > gap.fail_ms => Flag::Fail,
        Some(_) => Flag::Pass,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_gap_fails() {
        let gap = TimingGap { fail_ms: 7_200_000 };
        let after = |before: Option<i64>| test(gap, before.map(Timestamp), Timestamp(10_000_000));
        assert_eq!(after(None), Flag::NotEvaluated);
        assert_eq!(after(Some(2_800_000)), Flag::Pass);
        assert_eq!(after(Some(2_799_999)), Flag::Fail);
    }
}
