//! The section `[judgement]`: settings that verdicts depend on.

use serde::Deserialize;

use crate::domain::alerting::Alerting;
use crate::domain::fault::SettingFault;
use crate::domain::judgement::Judgement;
use crate::domain::time::{DAY, HOUR, MINUTE, SECOND};

/// The section `[judgement]`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JudgementSection {
    /// For how many hours single observations are remembered: duplicates, revisions and late
    /// data are recognised within them. Default 26.
    pub lateness_horizon_h: u32,
    /// By how many seconds a device's clock may be ahead before its time is flagged. Default 300.
    pub clock_ahead_max_s: u32,
    /// By how many hours ahead a time is rejected. Default 24.
    pub clock_ahead_reject_h: u32,
    /// By how many days a device's clock may be behind before its time is flagged: data that waited
    /// in a logger for less is late and good. Default 31.
    pub clock_behind_max_d: u32,
    /// How many minutes after its end an hour that is not complete is given out. Default 10.
    pub settle_hour_min: u32,
    /// Whether the mean of a day and longer is rounded to the decimals of its evaluation, half to
    /// even, before it is held against a limit. Default true.
    pub round_periods: bool,
    /// Whether suspect values enter means beside those that passed. Default false: only where a
    /// mean has too few values without them, and it is suspect itself.
    pub suspect_in_means: bool,
    /// Whether suspect values and means enter classes, indices, grades and states. Default false.
    pub suspect_in_class: bool,
}

impl Default for JudgementSection {
    fn default() -> Self {
        Self {
            lateness_horizon_h: 26,
            clock_ahead_max_s: 300,
            clock_ahead_reject_h: 24,
            clock_behind_max_d: 31,
            settle_hour_min: 10,
            round_periods: true,
            suspect_in_means: false,
            suspect_in_class: false,
        }
    }
}

impl JudgementSection {
    /// Gives the settings in milliseconds.
    pub(super) fn judgement(self, alerting: Alerting) -> Judgement {
        Judgement {
            lateness_horizon_ms: i64::from(self.lateness_horizon_h) * HOUR,
            clock_ahead_max_ms: i64::from(self.clock_ahead_max_s) * SECOND,
            clock_ahead_reject_ms: i64::from(self.clock_ahead_reject_h) * HOUR,
            clock_behind_max_ms: i64::from(self.clock_behind_max_d) * DAY,
            settle_hour_ms: i64::from(self.settle_hour_min) * MINUTE,
            round_periods: self.round_periods,
            suspect_in_means: self.suspect_in_means,
            suspect_in_class: self.suspect_in_class,
            alerting,
        }
    }

    /// Tells everything that is wrong with the section.
    pub(super) fn faults(&self) -> Vec<SettingFault> {
        let Self {
            lateness_horizon_h,
            clock_ahead_max_s,
            clock_ahead_reject_h,
            clock_behind_max_d,
            settle_hour_min,
            round_periods: _,
            suspect_in_means: _,
            suspect_in_class: _,
        } = *self;
        let ahead_max_s = u64::from(clock_ahead_reject_h).saturating_mul(3_600);
        let ranges = [
            ("lateness_horizon_h", lateness_horizon_h, 1..=720),
            // A clock that is flagged only where it is rejected already is never flagged.
            ("clock_ahead_max_s", clock_ahead_max_s, 1..=ahead_max_s.max(1)),
            ("clock_ahead_reject_h", clock_ahead_reject_h, 1..=8_760),
            ("clock_behind_max_d", clock_behind_max_d, 1..=36_500),
            ("settle_hour_min", settle_hour_min, 0..=1_440),
        ];
        let faults =
            ranges.map(|(key, number, range)| SettingFault::range(key, u64::from(number), range));
        faults.into_iter().flatten().collect()
    }
}
