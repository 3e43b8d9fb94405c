//! The settings that verdicts depend on besides the seeds; part of an edition.

use crate::domain::alerting::Alerting;
use crate::domain::time::{DAY, HOUR, MINUTE};

/// The settings of the configuration that decoding, QC, windows or verdicts read: part of the
/// edition, because replay must see them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Judgement {
    /// How long a datastream remembers single observations: duplicates, revisions and late data
    /// are recognised within it, ms.
    pub lateness_horizon_ms: i64,
    /// How far a device's clock may be ahead before its time is flagged, ms.
    pub clock_ahead_max_ms: i64,
    /// How far ahead a time is no clock's any more and the reading is rejected, ms.
    pub clock_ahead_reject_ms: i64,
    /// How far behind a device's clock may be before its time is flagged: data that waited in a
    /// logger for less is late and good, ms.
    pub clock_behind_max_ms: i64,
    /// How long after its end an hour that is not complete is given out, ms.
    pub settle_hour_ms: i64,
    /// Whether a value of an evaluated period is rounded before it is held against a limit.
    pub round_periods: bool,
    /// Whether suspect values enter means beside those that passed. Where not, they do only in a
    /// mean that without them would have too few values, and it is suspect itself.
    pub suspect_in_means: bool,
    /// Whether suspect values and means enter classes, indices, grades and states.
    pub suspect_in_class: bool,
    /// How alerts are told.
    pub alerting: Alerting,
}

/// What editions of releases before meant by the settings that they did not have, in the order of
/// [`Judgement::settings`], and how many settings the first release had.
const BEFORE: [i64; 16] = [0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0];
const FIRST: usize = 5;
/// Where those of alerting begin.
const ALERTING: usize = 8;

impl Default for Judgement {
    fn default() -> Self {
        Self {
            lateness_horizon_ms: 26 * HOUR,
            clock_ahead_max_ms: 5 * MINUTE,
            clock_ahead_reject_ms: DAY,
            clock_behind_max_ms: 31 * DAY,
            settle_hour_ms: 10 * MINUTE,
            round_periods: true,
            suspect_in_means: false,
            suspect_in_class: false,
            alerting: Alerting::default(),
        }
    }
}

impl Judgement {
    /// Gives the settings in a lasting order. The last ones are left out as long as they say what
    /// releases without them did, so that an edition of those keeps its digest.
    #[must_use]
    pub fn settings(&self) -> Vec<i64> {
        let Self {
            lateness_horizon_ms,
            clock_ahead_max_ms,
            clock_ahead_reject_ms,
            settle_hour_ms,
            clock_behind_max_ms,
            round_periods,
            suspect_in_means,
            suspect_in_class,
            alerting,
        } = *self;
        let mut settings = vec![
            lateness_horizon_ms,
            clock_ahead_max_ms,
            clock_ahead_reject_ms,
            settle_hour_ms,
            clock_behind_max_ms,
            i64::from(round_periods),
            i64::from(suspect_in_means),
            i64::from(suspect_in_class),
        ];
        settings.extend(alerting.settings());
        let said = |(at, setting): (usize, &i64)| BEFORE.get(at) != Some(setting);
        let last = settings.iter().enumerate().rposition(said).map_or(0, |at| at + 1);
        settings.truncate(last.max(FIRST));
        settings
    }

    /// Reads what [`Judgement::settings`] gave, of this release or one before.
    #[must_use]
    pub fn from_settings(settings: &[i64]) -> Self {
        let setting = |at: usize| {
            let before = || BEFORE.get(at).copied().unwrap_or_default();
            settings.get(at).copied().unwrap_or_else(before)
        };
        Self {
            lateness_horizon_ms: setting(0),
            clock_ahead_max_ms: setting(1),
            clock_ahead_reject_ms: setting(2),
            settle_hour_ms: setting(3),
            clock_behind_max_ms: setting(4),
            round_periods: setting(5) != 0,
            suspect_in_means: setting(6) != 0,
            suspect_in_class: setting(7) != 0,
            alerting: Alerting::from_settings(settings.get(ALERTING..).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_survive_their_way_through_the_journal() {
        for said in 0..8_u8 {
            let judgement = Judgement {
                round_periods: said & 1 != 0,
                suspect_in_means: said & 2 != 0,
                suspect_in_class: said & 4 != 0,
                ..Judgement::default()
            };
            assert_eq!(Judgement::from_settings(&judgement.settings()), judgement);
        }
    }

    #[test]
    fn an_edition_of_a_release_without_a_setting_keeps_its_meaning_and_its_settings() {
        let before = [93_600_000, 300_000, 86_400_000, 600_000, 2_678_400_000];
        let judgement = Judgement::from_settings(&before);
        let meant = Judgement {
            round_periods: false,
            suspect_in_means: true,
            suspect_in_class: true,
            alerting: Alerting::AT_ONCE,
            ..Judgement::default()
        };
        assert_eq!(judgement, meant);
        assert_eq!(judgement.settings(), before);
    }
}
