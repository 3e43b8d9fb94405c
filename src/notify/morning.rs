//! The morning message: how things stand, also when all is well, so that a day without one is news.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::domain::desk::ENTRIES_MAX;
use crate::domain::fault::SettingFault;
use crate::domain::time::{HOUR, MINUTE, SECOND, Timestamp};

/// How long after its time the message of a day is still said, as late. Beyond, that day has none.
pub const LATE_MAX_MS: i64 = 4 * HOUR;
/// How long after its time it is not late.
pub const ON_TIME_MS: i64 = MINUTE;

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
        let today = day_of(after, zone)?;
        let days = [today, today.tomorrow().ok()?];
        days.into_iter().find_map(|day| self.due(day, zone).filter(|(due, _)| *due > after))
    }

    /// Gives when the last message was due up to a time, and the day that it is of.
    #[must_use]
    pub fn last(&self, until: Timestamp, zone: &TimeZone) -> Option<(Timestamp, Date)> {
        let today = day_of(until, zone)?;
        let days = [today, today.yesterday().ok()?];
        days.into_iter().find_map(|day| self.due(day, zone).filter(|(due, _)| *due <= until))
    }

    fn due(&self, day: Date, zone: &TimeZone) -> Option<(Timestamp, Date)> {
        // Where the clock is set forth over it, the message comes when the clock is there.
        let due = zone.to_ambiguous_timestamp(day.to_datetime(self.time()?)).compatible().ok()?;
        Some((Timestamp(due.as_millisecond()), day))
    }
}

fn day_of(time: Timestamp, zone: &TimeZone) -> Option<Date> {
    let time = jiff::Timestamp::from_millisecond(time.millis()).ok()?;
    Some(zone.to_datetime(time).date())
}

/// Gives the lasting id of the message of a day.
#[must_use]
pub fn id(day: Date) -> String {
    format!("morning-{day}")
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

/// Writes the message of a day that was due at a time: its lasting id and its body.
#[must_use]
pub fn morning(
    standing: Standing,
    (due, day): (Timestamp, Date),
    now: Timestamp,
    zone: &TimeZone,
) -> (String, Value) {
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
    let [english, chinese] = as_late([english, chinese], due, now, zone);
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
    (id(day), body)
}

/// Says before a message that it is late, if it is.
fn as_late(words: [String; 2], due: Timestamp, now: Timestamp, zone: &TimeZone) -> [String; 2] {
    if now.since(due) <= ON_TIME_MS {
        return words;
    }
    let [english, chinese] = words;
    // Both are dates that a calendar has; what is no date stands as its number.
    let at = jiff::Timestamp::from_millisecond(due.millis());
    let at = at.map_or_else(
        |_| due.millis().to_string(),
        |at| zone.to_datetime(at).strftime("%H:%M").to_string(),
    );
    [
        format!("late, weir could not say it at {at}: {english}"),
        format!("补发（{at}未能发出）：{chinese}"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::DAY;

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
        // Up to its time the last one is that of the day before.
        let (last, of) = config("08:00").last(before, &zone).unwrap();
        assert_eq!((due.0 - last.0, of.to_string()), (DAY, "2026-05-31".to_owned()));
        assert_eq!(config("08:00").last(due, &zone), Some((due, day)));
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
        let say = |firing: usize, unheeded, late_ms: i64| {
            let alerts = vec![json!({}); firing];
            let standing = Standing { alerts, unheeded, stations: 24, speaking: 23 };
            let (due, day) = (Timestamp(1_780_272_000_000), Date::constant(2026, 6, 1));
            let (id, body) = morning(standing, (due, day), due.plus(late_ms + 500), &zone);
            assert_eq!(id, "morning-2026-06-01");
            let common = &body["commonAnnotations"];
            if late_ms == 0 {
                assert_eq!(common["at"], "2026-06-01T08:00:00+08:00");
            }
            [&common["summary_en"], &common["summary_zh"]]
                .map(|text| text.as_str().unwrap().to_owned())
        };
        let spoke = "23 of 24 stations spoke within the last hour";
        let [english, chinese] = say(0, 0, 0);
        assert_eq!(english, format!("no alert fires; {spoke}"));
        assert_eq!(chinese, "无未解除告警；24 个站点中 23 个在最近一小时内有数据");
        assert_eq!(say(1, 0, 0)[0], format!("1 alert fires, heeded; {spoke}"));
        assert_eq!(say(3, 2, 0)[0], format!("3 alerts fire, 2 of them unheeded; {spoke}"));
        assert_eq!(say(0, 0, 59 * SECOND)[0], format!("no alert fires; {spoke}"));
        let [english, chinese] = say(0, 0, 3 * HOUR);
        let late = "late, weir could not say it at 08:00";
        assert_eq!(english, format!("{late}: no alert fires; {spoke}"));
        assert!(chinese.starts_with("补发（08:00未能发出）：无未解除告警；"), "{chinese}");
        let standing = Standing { alerts: vec![json!({}); 60], ..Standing::default() };
        let of = (Timestamp(0), Date::constant(2026, 6, 1));
        let (_, body) = morning(standing, of, Timestamp(0), &zone);
        assert_eq!(body["truncatedAlerts"], 60 - ENTRIES_MAX);
    }
}
