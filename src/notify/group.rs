//! What channels are given of a notice: one alert as it is told alone, or several under a headline;
//! and in further parts what it only counts, for channels that keep an account of every alert.

use serde_json::{Map, Value, json};

use crate::domain::alert::Route;
use crate::domain::desk::{Entry, Notice, NoticeKind, PART_MAX, Thread};
use crate::domain::registry::Registry;
use crate::domain::time::{HOUR, MINUTE};
use crate::notify::notice::{Letterhead, Notification, notification};

/// The annotations that are the sentence of the notice as a whole.
const HEADLINES: [&str; 2] = ["summary_en", "summary_zh"];

/// Writes a notice. Its id is the same in every attempt and every replay.
#[must_use]
pub fn group(registry: &Registry, notice: &Notice, head: &Letterhead) -> Option<Notification> {
    write(registry, notice, (&notice.entries, 1), head)
}

/// Writes what a notice only counts, in parts, each of which begins where the one before ended.
/// Each is a notification of its own, so that a channel confirms them one by one.
pub fn parts<'a>(
    registry: &'a Registry,
    notice: &'a Notice,
    head: &'a Letterhead,
) -> impl Iterator<Item = (Notification, &'a [Entry])> {
    notice.unlisted.chunks(PART_MAX).zip(2..).filter_map(move |(entries, part)| {
        Some((write(registry, notice, (entries, part), head)?, entries))
    })
}

/// Writes a part of a notice, by its number from 1.
fn write(
    registry: &Registry,
    notice: &Notice,
    (entries, part): (&[Entry], usize),
    head: &Letterhead,
) -> Option<Notification> {
    let told: Vec<(Notification, &Entry)> =
        entries.iter().map(|entry| (notification(registry, &entry.event, head), entry)).collect();
    let (first, entry) = told.first()?;
    let all = notice.entries.len() + notice.unlisted.len();
    let alone = all == 1;
    // One change of one alert keeps the id that it has whatever is grouped.
    let id = if alone && notice.kind == NoticeKind::Alerts && notice.thread == of(entry) {
        first.id.clone()
    } else {
        let (thread, kind) = (notice.thread.name(), notice.kind.word());
        let part = if part == 1 { String::new() } else { format!("-{part}") };
        format!("{thread}-{kind}-{}-{}{part}", notice.at.millis(), notice.number)
    };
    let headline = match part {
        1 => Headline::of(registry, notice, &told),
        _ => Headline::of_part(all, part),
    };
    let alerts: Vec<Value> = told.iter().map(|(one, entry)| alert(one, entry)).collect();
    let firing = notice.firing > 0;
    let mut body = first.body.clone();
    let common = |key: &str| {
        let mut all = alerts.iter().filter_map(|one| one.get(key)?.as_object());
        let mut common = all.next().cloned().unwrap_or_default();
        all.for_each(|one| common.retain(|key, value| one.get(key) == Some(value)));
        common
    };
    let (labels, mut annotations) = (common("labels"), common("annotations"));
    for (key, text) in HEADLINES.into_iter().zip([&headline.english, &headline.chinese]) {
        annotations.insert(key.to_owned(), Value::from(text.as_str()));
    }
    let route = notice.route.map_or("", Route::word);
    let (kind, step) = (notice.kind.word(), notice.step);
    let why = match part {
        1 => json!({ "kind": kind, "step": step }),
        _ => json!({ "kind": kind, "step": step, "part": part }),
    };
    let place = labels.get("place").cloned();
    if let Some(body) = body.as_object_mut() {
        if !alone {
            let mut group = Map::from_iter([("route".to_owned(), Value::from(route))]);
            group.extend(place.map(|place| ("place".to_owned(), place)));
            body.insert("groupLabels".to_owned(), Value::Object(group));
            body.insert("cause".to_owned(), Value::Null);
        }
        let status = if firing { "firing" } else { "resolved" };
        for (key, value) in [
            ("groupKey", json!(format!("weir/{}", thread(notice.thread)))),
            ("truncatedAlerts", json!(all - entries.len())),
            ("status", json!(status)),
            ("commonLabels", Value::Object(labels)),
            ("commonAnnotations", Value::Object(annotations)),
            ("route", json!(route)),
            ("notice", why),
            ("alerts", Value::Array(alerts)),
        ] {
            body.insert(key.to_owned(), value);
        }
    }
    Some(Notification { id, body, words: headline.english, route: notice.route })
}

fn of(entry: &Entry) -> Thread {
    Thread::Alert(entry.event.alert)
}

/// An alert that is told alone has its fingerprint for a key.
fn thread(thread: Thread) -> String {
    match thread {
        Thread::Alert(alert) => format!("{:016x}", alert.0),
        Thread::Place(..) | Thread::Station(..) | Thread::Route(_) => thread.name(),
    }
}

/// Gives what is said of one alert, with what the desk knows of it.
fn alert(told: &Notification, entry: &Entry) -> Value {
    let mut alert = told.body.pointer("/alerts/0").cloned().unwrap_or_default();
    if let Some(annotations) = alert.get_mut("annotations").and_then(Value::as_object_mut) {
        let mut put = |key: &str, text: String| annotations.insert(key.to_owned(), text.into());
        put("severity", entry.severity.word().to_owned());
        put("acknowledged", entry.acknowledged.clone().unwrap_or_default());
        put("flaps", entry.flaps.map_or_else(String::new, |count| count.to_string()));
    }
    alert
}

/// What is said of a notice as a whole.
struct Headline {
    english: String,
    chinese: String,
}

impl Headline {
    fn of(registry: &Registry, notice: &Notice, told: &[(Notification, &Entry)]) -> Self {
        let said = |key: &str| {
            let first = told.first().map(|(one, _)| &one.body);
            let text = first.and_then(|body| body.get("commonAnnotations")?.get(key)?.as_str());
            text.unwrap_or_default().to_owned()
        };
        let mut headline = Self { english: said("summary_en"), chinese: said("summary_zh") };
        let all = told.len() + notice.unlisted.len();
        if all > 1 {
            headline.count(place_of(registry, notice.thread), notice.firing, all);
        }
        let Some((_, entry)) = told.first() else { return headline };
        if let Some(count) = entry.flaps {
            headline.comes_and_goes(count, registry.judgement.alerting.flap_window_ms / MINUTE);
        }
        headline.say_why(notice, entry);
        headline
    }

    /// Says of which notice it is a further part.
    fn of_part(all: usize, part: usize) -> Self {
        let english = format!("{all} alerts, part {part}");
        Self { english, chinese: format!("共 {all} 条告警，第 {part} 部分") }
    }

    /// Says how many alerts there are, before what is said of the first.
    fn count(&mut self, place: Option<(&str, &str)>, firing: usize, all: usize) {
        let (at, of) = match place {
            Some((english, chinese)) => (format!(" at {english}"), format!("{chinese}有 ")),
            None => (String::new(), "共 ".to_owned()),
        };
        let (how, state) = match firing {
            0 => (", all over".to_owned(), "，均已结束".to_owned()),
            _ if firing == all => (String::new(), String::new()),
            _ => (format!(", {firing} of them firing"), format!("，其中 {firing} 条未结束")),
        };
        self.english = format!("{all} alerts{at}{how}. The most urgent: {}", self.english);
        self.chinese = format!("{of}{all} 条告警{state}。最紧急的一条：{}", self.chinese);
    }

    fn comes_and_goes(&mut self, count: u32, window_min: i64) {
        self.english.push_str(&format!(
            ". It comes and goes, {count} times of late: no more is said of it until it has stayed \
             away or stayed on for {window_min} min"
        ));
        self.chinese.push_str(&format!(
            "。该告警近期反复出现 {count} 次：在 {window_min} 分钟内状态稳定之前不再通知"
        ));
    }

    fn say_why(&mut self, notice: &Notice, entry: &Entry) {
        let (english, chinese) = match notice.kind {
            NoticeKind::Alerts => return,
            NoticeKind::Reminder => {
                let lasting = notice.at.since(entry.unheeded_since);
                let (number, unit, of) = match lasting {
                    // Who did said until when.
                    millis if millis < MINUTE => {
                        self.english = format!("Nobody looks after it any more: {}", self.english);
                        self.chinese = format!("已无人负责处理：{}", self.chinese);
                        return;
                    }
                    millis if millis < 2 * HOUR => (millis / MINUTE, "min", "分钟"),
                    millis => (millis / HOUR, "h", "小时"),
                };
                (
                    format!("Nobody has acknowledged it for {number} {unit}"),
                    format!("已 {number} {of}无人确认"),
                )
            }
            NoticeKind::Escalation => {
                let step = notice.step;
                (
                    format!("Passed on to step {step}, because nobody acknowledged it"),
                    format!("无人确认，升级至第 {step} 级"),
                )
            }
            NoticeKind::Acknowledged => {
                let who = entry.acknowledged.as_deref().unwrap_or_default();
                (format!("{who} looks after it"), format!("{who}已确认并处理"))
            }
        };
        self.english = format!("{english}: {}", self.english);
        self.chinese = format!("{chinese}：{}", self.chinese);
    }
}

/// Gives the names of the place that a thread is about.
fn place_of(registry: &Registry, thread: Thread) -> Option<(&str, &str)> {
    match thread {
        Thread::Place(place, _) => {
            let place = registry.places.get(place.index())?;
            Some((&place.name_en, &place.name_zh))
        }
        Thread::Station(station, _) => {
            let station = registry.station(station)?;
            Some((&station.name_en, &station.name_zh))
        }
        Thread::Alert(_) | Thread::Route(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::domain::alert::{AlertChange, AlertEvent, AlertId, Severity, Subject};
    use crate::domain::desk::ENTRIES_MAX;
    use crate::domain::name::{DatastreamId, RuleId};
    use crate::domain::time::Timestamp;

    const AT: Timestamp = Timestamp(1_780_272_000_000);

    fn entry(number: u64) -> Entry {
        let subject = Subject::Datastream(DatastreamId(number as u32));
        let (alert, change) = (AlertId(number), AlertChange::Fired);
        let event = AlertEvent::plain(alert, RuleId(0), subject, change, (AT, AT));
        let severity = Severity::Warning;
        Entry { event, severity, acknowledged: None, flaps: None, unheeded_since: AT }
    }

    /// A notice of so many alerts.
    fn notice(count: u64) -> Notice {
        let mut entries: Vec<Entry> = (1..=count).map(entry).collect();
        let unlisted = entries.split_off(entries.len().min(ENTRIES_MAX));
        let (kind, route) = (NoticeKind::Alerts, Some(Route::Environment));
        let (thread, firing) = (Thread::Route(Route::Environment), count as usize);
        Notice { number: 7, kind, thread, route, step: 0, at: AT, entries, firing, unlisted }
    }

    /// Gives of each part its id, the first and the last of its alerts, and how many it has not.
    fn told(count: u64) -> Vec<(String, String, String, u64)> {
        let (registry, notice) = (Registry::empty(), notice(count));
        let head = Letterhead::plain(TimeZone::UTC);
        let whole = group(&registry, &notice, &head).unwrap();
        let rest = parts(&registry, &notice, &head).map(|(told, entries)| {
            assert_eq!(told.body["alerts"].as_array().unwrap().len(), entries.len());
            told
        });
        let each = std::iter::once(whole).chain(rest).map(|told| {
            let alerts = told.body["alerts"].as_array().unwrap().clone();
            let of = |alert: &Value| alert["fingerprint"].as_str().unwrap().to_owned();
            let more = told.body["truncatedAlerts"].as_u64().unwrap();
            (told.id, of(&alerts[0]), of(&alerts[alerts.len() - 1]), more)
        });
        each.collect()
    }

    #[test]
    fn what_a_notice_only_counts_follows_in_parts_without_a_gap() {
        let part = |id: &str, first: u64, last: u64, more| {
            let at = format!("environment-alerts-{}-7{id}", AT.millis());
            (at, format!("{first:016x}"), format!("{last:016x}"), more)
        };
        assert_eq!(told(50), [part("", 1, 50, 0)]);
        assert_eq!(told(51), [part("", 1, 50, 1), part("-2", 51, 51, 50)]);
        let want = [
            part("", 1, 50, 201),
            part("-2", 51, 150, 151),
            part("-3", 151, 250, 151),
            part("-4", 251, 251, 250),
        ];
        assert_eq!(told(251), want);
    }
}
