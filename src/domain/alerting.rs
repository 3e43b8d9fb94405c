//! How alerts are told: what is gathered into one notice, what is said again, who is told next.
//! Part of an edition beside [`crate::domain::judgement::Judgement`], because replay must see it.

/// How many steps an escalation may have after the first.
pub const STEPS_MAX: usize = 3;

/// What goes into one notice.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum GroupBy {
    /// The alerts of a river, a lake, a park, by route.
    #[default]
    Place,
    /// Those of a station, by route.
    Station,
    /// Those of a route.
    Route,
    /// One alert.
    Alert,
}

impl GroupBy {
    /// Every one, with its word in the configuration.
    pub const ALL: [(&'static str, Self); 4] = [
        ("place", Self::Place),
        ("station", Self::Station),
        ("route", Self::Route),
        ("alert", Self::Alert),
    ];
}

/// The settings of `[alerting]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Alerting {
    /// For how long after a notice further changes of its group gather, ms; 0 tells each change at
    /// once and by itself.
    pub gather_ms: i64,
    /// What makes a group.
    pub group_by: GroupBy,
    /// After how long an alert that nobody acknowledged is told again, ms; 0 never.
    pub repeat_ms: i64,
    /// After how long without acknowledgement the channels of each further step are told, ms; 0
    /// where there is no such step.
    pub steps_ms: [i64; STEPS_MAX],
    /// With which beginning within the window an alert flaps; 0 never.
    pub flap_fires: i64,
    /// The window, ms.
    pub flap_window_ms: i64,
}

/// How many numbers [`Alerting::settings`] gives.
const SETTINGS: usize = 5 + STEPS_MAX;

impl Default for Alerting {
    fn default() -> Self {
        use crate::domain::time::{DAY, HOUR, MINUTE};
        Self {
            gather_ms: MINUTE,
            group_by: GroupBy::Place,
            repeat_ms: DAY,
            steps_ms: [0; STEPS_MAX],
            flap_fires: 4,
            flap_window_ms: HOUR,
        }
    }
}

impl Alerting {
    /// Every change at once and by itself, none again: as releases did that had no such settings.
    pub const AT_ONCE: Self = Self {
        gather_ms: 0,
        group_by: GroupBy::Place,
        repeat_ms: 0,
        steps_ms: [0; STEPS_MAX],
        flap_fires: 0,
        flap_window_ms: 0,
    };

    /// Gives the settings in a lasting order; of [`Self::AT_ONCE`] all are 0.
    #[must_use]
    pub fn settings(&self) -> [i64; SETTINGS] {
        let Self { gather_ms, group_by, repeat_ms, steps_ms, flap_fires, flap_window_ms } = *self;
        let place = GroupBy::ALL.iter().position(|(_, one)| *one == group_by);
        let group_by = place.and_then(|place| i64::try_from(place).ok()).unwrap_or_default();
        let [first, second, third] = steps_ms;
        [gather_ms, group_by, repeat_ms, first, second, third, flap_fires, flap_window_ms]
    }

    /// Reads what [`Self::settings`] gave; what is missing is 0.
    #[must_use]
    pub fn from_settings(settings: &[i64]) -> Self {
        let setting = |at: usize| settings.get(at).copied().unwrap_or_default();
        let place = usize::try_from(setting(1)).ok();
        let group_by = place.and_then(|place| GroupBy::ALL.get(place));
        Self {
            gather_ms: setting(0),
            group_by: group_by.map_or(GroupBy::Place, |(_, group_by)| *group_by),
            repeat_ms: setting(2),
            steps_ms: [setting(3), setting(4), setting(5)],
            flap_fires: setting(6),
            flap_window_ms: setting(7),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_survive_their_way_through_the_journal() {
        let usual = Alerting::default();
        let other = Alerting { group_by: GroupBy::Alert, steps_ms: [1, 2, 3], ..usual };
        for alerting in [usual, other, Alerting::AT_ONCE] {
            assert_eq!(Alerting::from_settings(&alerting.settings()), alerting);
        }
        assert_eq!(Alerting::from_settings(&[]), Alerting::AT_ONCE);
    }
}
