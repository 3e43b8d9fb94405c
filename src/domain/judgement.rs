//! The settings that verdicts depend on besides the seeds; part of an edition.

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
}

impl Default for Judgement {
    fn default() -> Self {
        Self {
            lateness_horizon_ms: 26 * HOUR,
            clock_ahead_max_ms: 5 * MINUTE,
            clock_ahead_reject_ms: DAY,
            clock_behind_max_ms: 31 * DAY,
            settle_hour_ms: 10 * MINUTE,
        }
    }
}

impl Judgement {
    /// Gives the settings in a lasting order.
    #[must_use]
    pub fn settings(&self) -> [i64; 5] {
        let Self {
            lateness_horizon_ms,
            clock_ahead_max_ms,
            clock_ahead_reject_ms,
            settle_hour_ms,
            clock_behind_max_ms,
        } = *self;
        [
            lateness_horizon_ms,
            clock_ahead_max_ms,
            clock_ahead_reject_ms,
            settle_hour_ms,
            clock_behind_max_ms,
        ]
    }

    /// Reads what [`Judgement::settings`] gave.
    #[must_use]
    pub fn from_settings(settings: [i64; 5]) -> Self {
        let [
            lateness_horizon_ms,
            clock_ahead_max_ms,
            clock_ahead_reject_ms,
            settle_hour_ms,
            clock_behind_max_ms,
        ] = settings;
        Self {
            lateness_horizon_ms,
            clock_ahead_max_ms,
            clock_ahead_reject_ms,
            clock_behind_max_ms,
            settle_hour_ms,
        }
    }
}
