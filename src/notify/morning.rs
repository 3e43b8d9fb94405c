//! The morning message: how things stand, also when all is well, so that a day without one is news.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::domain::desk::ENTRIES_MAX;
use crate::domain::fault::SettingFault;
use crate::domain::time::{SECOND, Timestamp};

/// The section `[morning]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// At what time of the day, in the zone of the configuration, such as `08:00`.
    pub at: String,
    /// By which channels, by name.
    pub channels: Vec<String>,
}

impl Config {
    fn time(&self) -> Option<Time> {
        self.at.parse().ok()
    }

    /// Tells everything that is wrong with the section; `channels` are the names there are.
    #[must_use]
    pub fn faults(&self, channels: &[&str]) -> Vec<SettingFault> {
        let mut faults = Vec::new();
        if self.time().is_none() {
            let found = format!("at `{}`", self.at);
            faults.push(SettingFault::new("at", found, "a time of the day such as 08:00"));
        }
        let unknown = self.channels.iter().find(|name| !channels.contains(&name.as_str()));
        let found = match unknown {
            Some(name) => Some(format!("channel `{name}`")),
            None => self.channels.is_empty().then(|| "no channel".to_owned()),
        };
        faults.extend(found.map(|found| {
            SettingFault::new("channels", found, "names of [[channel]] sections, one at least")
        }));
        faults
    }

    /// Gives when the next message is due after a time, and the day that it is of.
    #[must_use]
    pub fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<(Timestamp, Date)> {
        let time = self.time()?;
        let now = jiff::Timestamp::from_millisecond(after.millis()).ok()?;
        let today = zone.to_datetime(now).date();
        let days = [today, today.tomorrow().ok()?];
        days.into_iter().find_map(|day| {
            // Where the clock is set forth over it, the message comes when the clock is there.
            let due = zone.to_ambiguous_timestamp(day.to_datetime(time)).compatible().ok()?;
            let due = Timestamp(due.as_millisecond());
            (due > after).then_some((due, day))
        })
    }
}

/// How things stand.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Standing {
    /// Alerts that fire, each as a notification tells it, the most urgent first.
    pub alerts: Vec<Value>,
    /// How many of them nobody looks after.
    pub unheeded: usize,
    /// How many stations there are in service.
    pub stations: usize,
    /// How many of them said something within the last hour.
    pub speaking: usize,
}

/// Writes the message of a day: its lasting id and its body.
#[must_use]
pub fn morning(standing: Standing, day: Date, now: Timestamp, zone: &TimeZone) -> (String, Value) {
    let Standing { mut alerts, unheeded, stations, speaking } = standing;
    let firing = alerts.len();
    let more = firing.saturating_sub(ENTRIES_MAX);
    alerts.truncate(ENTRIES_MAX);
    let (well, state) = match firing {
        0 => ("no alert fires".to_owned(), "无未解除告警".to_owned()),
        1 => (
            format!("1 alert fires, {}", if unheeded == 1 { "unheeded" } else { "heeded" }),
            format!("1 条告警未解除（{}）", if unheeded == 1 { "未确认" } else { "已确认" }),
        ),
        _ => (
            format!("{firing} alerts fire, {unheeded} of them unheeded"),
            format!("{firing} 条告警未解除，其中 {unheeded} 条未确认"),
        ),
    };
    let english = format!("{well}; {speaking} of {stations} stations spoke within the last hour");
    let chinese = format!("{state}；{stations} 个站点中 {speaking} 个在最近一小时内有数据");
    let at = Timestamp(now.millis() / SECOND * SECOND).rfc3339(zone);
    let status = if firing == 0 { "resolved" } else { "firing" };
    let body = json!({
        "version": "4",
        "groupKey": "weir/morning",
        "truncatedAlerts": more,
        "status": status,
        "receiver": "weir",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": { "summary_en": english, "summary_zh": chinese, "at": at },
        "externalURL": "",
        "route": "weir",
        "cause": Value::Null,
        "notice": { "kind": "morning", "step": 0 },
        "alerts": alerts,
    });
    (format!("morning-{day}"), body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::{DAY, HOUR};

    fn config(at: &str) -> Config {
        Config { at: at.to_owned(), channels: vec!["duty".to_owned()] }
    }

    #[test]
    fn it_is_due_once_a_day_at_its_time() {
        let zone = TimeZone::fixed(jiff::tz::offset(8));
        // 2026-06-01T07:59:59+08:00.
        let before = Timestamp(1_780_271_999_000);
        let (due, day) = config("08:00").next(before, &zone).unwrap();
        assert_eq!((due.0 - before.0, day.to_string()), (SECOND, "2026-06-01".to_owned()));
        let (next, day) = config("08:00").next(due, &zone).unwrap();
        assert_eq!((next.0 - due.0, day.to_string()), (DAY, "2026-06-02".to_owned()));
        let (due, _) = config("07:30").next(before, &zone).unwrap();
        assert_eq!(due.0 - before.0, 23 * HOUR + 30 * 60_000 + SECOND);
    }

    #[test]
    fn what_is_wrong_with_the_section_is_told() {
        let found = |config: &Config| -> Vec<String> {
            config.faults(&["duty"]).into_iter().map(|fault| fault.found).collect()
        };
        assert_eq!(found(&config("08:00")), [""; 0]);
        assert_eq!(found(&config("eight")), ["at `eight`"]);
        let channels = vec!["chief".to_owned()];
        assert_eq!(found(&Config { channels, ..config("8:61") }).len(), 2);
        assert_eq!(found(&Config { channels: Vec::new(), ..config("08:00") }), ["no channel"]);
    }

    #[test]
    fn it_says_how_things_stand() {
        let zone = TimeZone::fixed(jiff::tz::offset(8));
        let say = |firing: usize, unheeded| {
            let alerts = vec![json!({}); firing];
            let standing = Standing { alerts, unheeded, stations: 24, speaking: 23 };
            let day = Date::constant(2026, 6, 1);
            let (id, body) = morning(standing, day, Timestamp(1_780_272_000_500), &zone);
            assert_eq!(id, "morning-2026-06-01");
            let common = &body["commonAnnotations"];
            assert_eq!(common["at"], "2026-06-01T08:00:00+08:00");
            [&common["summary_en"], &common["summary_zh"]]
                .map(|text| text.as_str().unwrap().to_owned())
        };
        let spoke = "23 of 24 stations spoke within the last hour";
        let [english, chinese] = say(0, 0);
        assert_eq!(english, format!("no alert fires; {spoke}"));
        assert_eq!(chinese, "无未解除告警；24 个站点中 23 个在最近一小时内有数据");
        assert_eq!(say(1, 0)[0], format!("1 alert fires, heeded; {spoke}"));
        assert_eq!(say(3, 2)[0], format!("3 alerts fire, 2 of them unheeded; {spoke}"));
        let standing = Standing { alerts: vec![json!({}); 60], ..Standing::default() };
        let (_, body) = morning(standing, Date::constant(2026, 6, 1), Timestamp(0), &zone);
        assert_eq!(body["truncatedAlerts"], 60 - ENTRIES_MAX);
    }
}
