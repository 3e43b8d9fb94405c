//! Alertmanager by its API v2: alerts as they are, each known by its labels. It forgets what it is
//! not told again, so what fires is posted again and again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::tz::TimeZone;
use reqwest::header::CONTENT_TYPE;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};

use super::http::Http;
use super::text::view;
use super::{Config, Error, Sent};
use crate::domain::time::{DAY, MINUTE, Timestamp};

/// How often what fires is posted again: Prometheus does so each minute or sooner.
pub const RENEW_EVERY: Duration = Duration::from_mins(1);
/// For how long an alert stands that is not posted again: a stop of weir is no end of an alert. Its
/// `resolve_timeout` counts only where no end is given.
const STANDS_MS: i64 = 7 * DAY;
/// For how long an end is posted again, as Prometheus does. While Alertmanager's clock is behind an
/// end is ahead for it, and it takes the end of a week instead.
const ENDS_AGAIN_MS: i64 = 15 * MINUTE;
/// For how long a test stands.
const TEST_STANDS_MS: i64 = 5 * MINUTE;
/// How many alerts are posted at once when they are renewed.
const POST_MAX: usize = 500;

/// An Alertmanager that alerts can be posted to.
#[derive(Debug)]
pub(super) struct Alertmanager {
    pub(super) http: Http,
    token: Option<SecretString>,
}

impl Alertmanager {
    pub(super) fn new(config: &Config) -> Result<Self, Error> {
        let token = config.secret()?;
        let mut http = Http::new(config, token.clone())?;
        let path = http.url.path().trim_end_matches('/');
        if !path.ends_with("/api/v2/alerts") {
            let path = format!("{path}/api/v2/alerts");
            http.url.set_path(&path);
        }
        Ok(Self { http, token })
    }

    /// Gives everything that is wrong with the section.
    pub(super) fn faults(config: &Config) -> Vec<Error> {
        let mut faults = Http::faults(config);
        faults.extend(config.secret().err());
        faults
    }

    pub(super) async fn send(&self, body: &Value, now: Timestamp) -> Sent {
        let stands = match view::kind(body) {
            "test" => TEST_STANDS_MS,
            // It says how things stand, whatever is silenced or another's, and is about no change.
            "morning" => return self.post(Vec::new()).await,
            _ => STANDS_MS,
        };
        let alerts = body["alerts"].as_array().map(Vec::as_slice).unwrap_or_default();
        self.post(alerts.iter().map(|alert| posted(alert, stands, now)).collect()).await
    }

    /// Posts what fires once more.
    pub(super) async fn renew(&self, firing: &Firing, now: Timestamp) -> Sent {
        let mut all = firing.all();
        let mut sent = Sent::Confirmed { status: 200, words: String::new() };
        loop {
            let part = all.by_ref().take(POST_MAX).map(|alert| posted(alert, STANDS_MS, now));
            let part: Vec<Value> = part.collect();
            if part.is_empty() {
                return sent;
            }
            sent = self.post(part).await;
            if !matches!(sent, Sent::Confirmed { .. }) {
                return sent;
            }
        }
    }

    /// Posts alerts as they are.
    pub(super) async fn post(&self, alerts: Vec<Value>) -> Sent {
        if alerts.is_empty() {
            return Sent::Confirmed { status: 200, words: "no alert to post".to_owned() };
        }
        let mut request = self.http.post().header(CONTENT_TYPE, "application/json");
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose_secret());
        }
        match self.http.send(request.body(Value::from(alerts).to_string())).await {
            Ok(answer) => answer.sent(),
            Err(sent) => sent,
        }
    }
}

/// Gives an alert of a notification as Alertmanager takes it. What is over ended by now: the clock
/// of played data may be ahead.
fn posted(alert: &Value, stands_ms: i64, now: Timestamp) -> Value {
    let ends = if alert["status"] == "resolved" {
        time(alert, "endsAt").filter(|at| *at < now).unwrap_or(now)
    } else {
        now.plus(stands_ms)
    };
    let starts = time(alert, "startsAt").unwrap_or(now);
    let (starts, labels) = (starts.min(ends), words(&alert["labels"]));
    let mut posted = json!({
        "labels": labels,
        "annotations": words(&alert["annotations"]),
        "startsAt": starts.rfc3339(&TimeZone::UTC),
        "endsAt": ends.rfc3339(&TimeZone::UTC),
    });
    // It is refused where it is no address.
    let link = alert["generatorURL"].as_str().filter(|link| !link.is_empty());
    if let (Some(link), Some(posted)) = (link, posted.as_object_mut()) {
        posted.insert("generatorURL".to_owned(), link.into());
    }
    posted
}

/// Reads a time of an alert; none where it is not known.
fn time(alert: &Value, key: &str) -> Option<Timestamp> {
    let time: jiff::Timestamp = alert[key].as_str()?.parse().ok()?;
    Some(Timestamp(time.as_millisecond())).filter(|at| at.millis() > 0)
}

/// Gives the words that are there: an empty label is none, and refused.
fn words(words: &Value) -> Map<String, Value> {
    let words = words.as_object().into_iter().flatten();
    let words = words.filter(|(_, word)| word.as_str().is_some_and(|word| !word.is_empty()));
    words.map(|(key, word)| (key.clone(), word.clone())).collect()
}

/// The alerts that a receiver was told of: what fires, by fingerprint, and for some minutes what is
/// over.
#[derive(Clone, Debug, Default)]
pub struct Firing {
    alerts: BTreeMap<String, Value>,
    over: Vec<Over>,
}

/// An alert that is over.
#[derive(Clone, Debug)]
struct Over {
    alert: Value,
    ended: Timestamp,
    /// Whether the receiver knows.
    told: bool,
}

impl Over {
    fn new(mut alert: Value, ended: Timestamp, told: bool) -> Self {
        if let Some(alert) = alert.as_object_mut() {
            alert.insert("status".to_owned(), "resolved".into());
            alert.insert("endsAt".to_owned(), ended.rfc3339(&TimeZone::UTC).into());
        }
        Self { alert, ended, told }
    }

    fn is_fresh(&self, now: Timestamp) -> bool {
        now.since(self.ended) < ENDS_AGAIN_MS
    }
}

impl Firing {
    /// Takes note of a notification that was confirmed.
    pub fn told(&mut self, body: &Value, now: Timestamp) {
        if matches!(view::kind(body), "test" | "morning") {
            return;
        }
        for alert in body["alerts"].as_array().into_iter().flatten() {
            let Some(fingerprint) = alert["fingerprint"].as_str() else { continue };
            // Labels follow the seeds, but a receiver knows an alert by those that it was told.
            let held = self.alerts.remove(fingerprint);
            let other = held.filter(|held| held["labels"] != alert["labels"]);
            let is_over = alert["status"] == "resolved";
            if is_over {
                let ended = time(alert, "endsAt").filter(|at| *at < now).unwrap_or(now);
                let over = Over::new(alert.clone(), ended, true);
                self.over.extend(over.is_fresh(now).then_some(over));
            } else {
                self.alerts.insert(fingerprint.to_owned(), alert.clone());
            }
            self.over.extend(other.map(|other| Over::new(other, now, true)));
        }
    }

    /// Has what fires no longer end, though nobody was told of it: it was silenced, or came and
    /// went too often.
    pub fn end_all_but(&mut self, open: &BTreeSet<String>, now: Timestamp) {
        let over = self.alerts.extract_if(.., |fingerprint, _| !open.contains(fingerprint));
        self.over.extend(over.map(|(_, alert)| Over::new(alert, now, false)));
    }

    /// Notes that all of it was told, and lets go what ended some time ago.
    pub fn let_go(&mut self, now: Timestamp) {
        self.over.retain(|over| over.is_fresh(now));
        self.over.iter_mut().for_each(|over| over.told = true);
    }

    /// Gives everything, as it is.
    fn all(&self) -> impl Iterator<Item = &Value> {
        self.alerts.values().chain(self.over.iter().map(|over| &over.alert))
    }

    /// Gives those that ended and whose end nobody told.
    pub(super) fn ended(&self) -> impl Iterator<Item = &Value> {
        self.over.iter().filter(|over| !over.told).map(|over| &over.alert)
    }

    /// Whether there is nothing to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.alerts.is_empty() && self.over.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_780_300_800_000);

    fn alert(status: &str, starts: &str, ends: &str) -> Value {
        json!({
            "status": status, "startsAt": starts, "endsAt": ends, "fingerprint": "07",
            "labels": { "alertname": "water-class", "station": "puhe-daoyi", "position": "" },
            "annotations": { "summary_en": "class V", "operator": "" }, "generatorURL": "",
        })
    }

    #[track_caller]
    fn check(alert: &Value, starts: &str, ends: &str) {
        let posted = posted(alert, STANDS_MS, NOW);
        assert_eq!(posted["startsAt"], starts);
        assert_eq!(posted["endsAt"], ends);
        assert_eq!(posted["labels"], json!({"alertname": "water-class", "station": "puhe-daoyi"}));
        assert_eq!(posted["annotations"], json!({ "summary_en": "class V" }));
        assert_eq!(posted.get("generatorURL"), None);
    }

    #[test]
    fn what_fires_stands_for_a_week_and_what_is_over_ended() {
        let (began, none) = ("2026-06-01T08:00:00+08:00", "0001-01-01T00:00:00Z");
        check(
            &alert("firing", began, none),
            "2026-06-01T00:00:00+00:00",
            "2026-06-08T08:00:00+00:00",
        );
        let over = alert("resolved", began, "2026-06-01T12:00:00+08:00");
        check(&over, "2026-06-01T00:00:00+00:00", "2026-06-01T04:00:00+00:00");
    }

    #[test]
    fn a_clock_that_is_ahead_leaves_no_alert_without_end() {
        let over = alert("resolved", "2027-01-01T00:00:00Z", "2027-01-02T00:00:00Z");
        check(&over, "2026-06-01T08:00:00+00:00", "2026-06-01T08:00:00+00:00");
    }

    fn body(status: &str) -> Value {
        json!({ "alerts": [alert(status, "2026-06-01T00:00:00Z", "")] })
    }

    #[test]
    fn what_was_told_is_told_again_until_it_is_over_and_its_end_for_some_minutes() {
        let mut firing = Firing::default();
        firing.told(&body("firing"), NOW);
        firing.end_all_but(&["07".to_owned()].into(), NOW);
        firing.let_go(NOW);
        assert_eq!(firing.alerts.len(), 1);
        firing.told(&body("resolved"), NOW);
        assert!(firing.alerts.is_empty() && firing.ended().next().is_none());
        let later = |minutes: i64| NOW.plus(minutes * MINUTE);
        firing.let_go(later(14));
        let [over] = &*firing.all().collect::<Vec<_>>() else { panic!("{firing:?}") };
        // It is the first end, however often it is posted.
        assert_eq!(posted(over, STANDS_MS, later(14))["endsAt"], "2026-06-01T08:00:00+00:00");
        firing.let_go(later(15));
        assert!(firing.is_empty());
        firing.told(&body("resolved"), later(15));
        let past = json!({ "alerts": [alert("resolved", "", "2026-06-01T04:00:00Z")] });
        firing.let_go(later(30));
        firing.told(&past, NOW);
        assert!(firing.is_empty(), "what ended long ago ended for every clock");
        for kind in ["test", "morning"] {
            let alerts = [alert("firing", "", "")];
            firing.told(&json!({ "notice": { "kind": kind }, "alerts": alerts }), NOW);
            assert!(firing.is_empty(), "a message of kind {kind} is no alert");
        }
    }

    #[test]
    fn an_end_that_nobody_was_told_of_is_told_until_it_is_known() {
        let mut firing = Firing::default();
        firing.told(&body("firing"), NOW);
        firing.end_all_but(&BTreeSet::new(), NOW);
        let over = firing.ended().next().unwrap();
        check(over, "2026-06-01T00:00:00+00:00", "2026-06-01T08:00:00+00:00");
        firing.let_go(NOW);
        assert!(firing.ended().next().is_none() && !firing.is_empty());
    }

    #[test]
    fn an_alert_ends_by_the_labels_that_it_was_told_with() {
        for status in ["firing", "resolved"] {
            let mut firing = Firing::default();
            firing.told(&body("firing"), NOW);
            let mut other = body(status);
            other["alerts"][0]["labels"]["severity"] = "critical".into();
            firing.told(&other, NOW);
            let all: Vec<Value> = firing.all().map(|one| posted(one, STANDS_MS, NOW)).collect();
            assert_eq!(all.len(), 2, "{status}");
            assert_eq!(all[0]["labels"]["severity"], "critical");
            assert_eq!(all[1]["labels"].get("severity"), None);
            assert_eq!(all[1]["endsAt"], "2026-06-01T08:00:00+00:00");
        }
    }
}
