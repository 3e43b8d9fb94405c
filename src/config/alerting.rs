//! The section `[alerting]`: how alerts are told.

use serde::Deserialize;

use crate::domain::alerting::{Alerting, GroupBy, STEPS_MAX};
use crate::domain::fault::SettingFault;
use crate::domain::time::{HOUR, MINUTE, SECOND};

/// How many beginnings may be asked for until an alert flaps.
const FLAP_FIRES_MAX: u32 = 16;

/// The section `[alerting]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlertingSection {
    /// For how many seconds after a notice further changes of its group gather. Default 60; 0
    /// tells each change at once and by itself.
    pub gather_s: u32,
    /// What makes a group: `place`, `station`, `route`, `alert`. Default `place`.
    pub group_by: String,
    /// After how many hours an alert that nobody acknowledged is told again. Default 24; 0 never.
    pub repeat_h: u32,
    /// After how many minutes without acknowledgement the channels of step 1, 2, 3 are told.
    /// Default none.
    pub escalate_after_min: Vec<u32>,
    /// With which beginning within the window an alert flaps: it is said once, and then no more
    /// until a window has passed without a beginning. Default 4; 0 never.
    pub flap_fires: u32,
    /// The window, minutes. Default 60.
    pub flap_window_min: u32,
}

impl Default for AlertingSection {
    fn default() -> Self {
        Self {
            gather_s: 60,
            group_by: "place".to_owned(),
            repeat_h: 24,
            escalate_after_min: Vec::new(),
            flap_fires: 4,
            flap_window_min: 60,
        }
    }
}

impl AlertingSection {
    fn group_by(&self) -> Option<GroupBy> {
        GroupBy::ALL.into_iter().find(|(word, _)| *word == self.group_by).map(|(_, one)| one)
    }

    /// Gives the settings in milliseconds.
    #[must_use]
    pub fn alerting(&self) -> Alerting {
        let mut steps_ms = [0; STEPS_MAX];
        for (step, after) in steps_ms.iter_mut().zip(&self.escalate_after_min) {
            *step = i64::from(*after) * MINUTE;
        }
        Alerting {
            gather_ms: i64::from(self.gather_s) * SECOND,
            group_by: self.group_by().unwrap_or_default(),
            repeat_ms: i64::from(self.repeat_h) * HOUR,
            steps_ms,
            flap_fires: i64::from(self.flap_fires),
            flap_window_ms: i64::from(self.flap_window_min) * MINUTE,
        }
    }

    /// Tells everything that is wrong with the section.
    pub(super) fn faults(&self) -> Vec<SettingFault> {
        let ranges = [
            ("gather_s", self.gather_s, 0..=3_600),
            ("repeat_h", self.repeat_h, 0..=8_760),
            ("flap_fires", self.flap_fires, 0..=u64::from(FLAP_FIRES_MAX)),
            ("flap_window_min", self.flap_window_min, 1..=1_440),
        ];
        let mut faults: Vec<SettingFault> = ranges
            .into_iter()
            .filter_map(|(key, number, range)| SettingFault::range(key, u64::from(number), range))
            .collect();
        if self.flap_fires == 1 {
            let expected = "2 to 16, or 0 for never";
            faults.push(SettingFault::new("flap_fires", "flap_fires = 1", expected));
        }
        if self.group_by().is_none() {
            let found = format!("group_by `{}`", self.group_by);
            let expected = "one of `place`, `station`, `route`, `alert`";
            faults.push(SettingFault::new("group_by", found, expected));
        }
        let steps = &self.escalate_after_min;
        let rise = steps.is_sorted_by(|one, next| one < next) && !steps.contains(&0);
        if steps.len() > STEPS_MAX || !rise {
            let expected = "at most three numbers of minutes, each more than the one before";
            let found = format!("escalate_after_min = {steps:?}");
            faults.push(SettingFault::new("escalate_after_min", found, expected));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &[&str]) {
        let section: AlertingSection = toml::from_str(text).unwrap();
        let found: Vec<String> = section.faults().into_iter().map(|fault| fault.found).collect();
        assert_eq!(found, want);
    }

    #[test]
    fn what_is_left_out_is_the_default() {
        let section: AlertingSection = toml::from_str("").unwrap();
        assert_eq!(section.alerting(), Alerting::default());
        check("", &[]);
    }

    #[test]
    fn steps_rise_and_are_three_at_most() {
        check("escalate_after_min = [15, 60, 240]", &[]);
        check("escalate_after_min = [15, 15]", &["escalate_after_min = [15, 15]"]);
        check("escalate_after_min = [0]", &["escalate_after_min = [0]"]);
        check("escalate_after_min = [1, 2, 3, 4]", &["escalate_after_min = [1, 2, 3, 4]"]);
    }

    #[test]
    fn a_group_is_one_that_there_is() {
        check("group_by = 'river'", &["group_by `river`"]);
        check("group_by = 'alert'\ngather_s = 0", &[]);
    }
}
