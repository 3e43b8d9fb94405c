//! What channels are given of a change of alerts: JSON in the shape of Alertmanager's webhook, with
//! what weir knows besides.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::domain::alert::{AlertEvent, Route, Subject};
use crate::domain::assessment::WaterClass;
use crate::domain::cause::{Cause, Found};
use crate::domain::observation::Period;
use crate::domain::registry::{Registry, RuleKind};
use crate::domain::time::Timestamp;
use crate::notify::sentence::Scene;

/// A message about one change of one alert.
#[derive(Clone, PartialEq, Debug)]
pub struct Notification {
    /// The same in every attempt and every replay; another for each change.
    pub id: String,
    /// JSON in the shape of Alertmanager's webhook, version 4.
    pub body: Value,
    /// The sentence, in English: for the log.
    pub words: String,
    /// Who is called; none where the rule is not known any more.
    pub route: Option<Route>,
}

/// What the installation says in every notification.
#[derive(Clone, Debug)]
pub struct Letterhead {
    /// The zone for what is weir's own.
    pub home: TimeZone,
    /// Whom to call of each company that runs stations, by its name in the seeds.
    pub contacts: BTreeMap<String, String>,
    /// The address of the operator page, to which an alert's link leads; empty where there is none
    /// to be told.
    pub page: String,
}

impl Letterhead {
    /// Begins without contacts and address.
    #[must_use]
    pub fn plain(home: TimeZone) -> Self {
        Self { home, contacts: BTreeMap::new(), page: String::new() }
    }

    fn link(&self, event: &AlertEvent) -> String {
        let page = self.page.trim_end_matches('/');
        if page.is_empty() { String::new() } else { format!("{page}/alerts/{}", event.alert.0) }
    }
}

/// Writes the notification of an alert's change. Times in sentences are in the zone of the
/// station.
#[must_use]
pub fn notification(registry: &Registry, event: &AlertEvent, head: &Letterhead) -> Notification {
    let scene = Scene::new(registry, event, &head.home);
    // Alertmanager's receivers know two words; a withdrawn alert no longer fires.
    let fires = event.change.fires();
    let status = if fires { "firing" } else { "resolved" };
    let ends = if fires { NO_END.to_owned() } else { event.at.rfc3339(&scene.zone) };
    let labels = labels(registry, event, &scene);
    let rule = registry.rule(event.rule);
    let words = scene.english();
    let time = |at: Timestamp| at.rfc3339(&scene.zone);
    let reasons: Vec<&str> = event.reasons.iter().map(Period::word).collect();
    let operator = scene.station.map_or("", |station| &station.operator);
    let annotations = json!({
        "summary_en": words,
        "summary_zh": scene.chinese(),
        "advice_en": rule.map_or("", |rule| &*rule.advice_en),
        "advice_zh": rule.map_or("", |rule| &*rule.advice_zh),
        "limit": scene.limit_text(),
        "clause": scene.clause(),
        "value": scene.value_text(),
        "multiple": scene.multiple().unwrap_or_default(),
        "share": scene.share().unwrap_or_default(),
        "class": event.class.map_or("", WaterClass::name),
        "period": if event.span.is_some() { event.period.word() } else { "" },
        "value_from": event.span.map_or(String::new(), |span| time(span.start())),
        "value_to": event.span.map_or(String::new(), |span| time(span.end())),
        "before": scene.before_text(),
        "before_from": event.before.map_or(String::new(), |before| time(before.span.start())),
        "reasons": reasons.join(" "),
        "since": time(event.since),
        "well_since": event.well_since.map_or(String::new(), time),
        "state": event.change.word(),
        "severity": event.severity.or(rule.map(|rule| rule.severity)).map_or("", |one| one.word()),
        "confirmed": if event.confirmed { "true" } else { "" },
        "until": event.until.map_or(String::new(), time),
        "cause": event.cause.map_or("", |cause| cause.test.name()),
        "operator": operator,
        "contact": head.contacts.get(operator).map_or("", String::as_str),
        "acknowledged": "",
        "flaps": "",
        "unconfirmed": if event.unconfirmed { "true" } else { "" },
    });
    let fingerprint = format!("{:016x}", event.alert.0);
    let route = rule.map(|rule| rule.route);
    let told = Told {
        status,
        ends,
        since: event.since.rfc3339(&scene.zone),
        route: route.map_or("", Route::word),
        cause: event.cause.map_or(Value::Null, |cause| cause_of(registry, event, &cause, &scene)),
        page: head.page.clone(),
        link: head.link(event),
    };
    let body = body(&told, &labels, &annotations, &fingerprint);
    let id = format!("{}-{}-{}", event.alert.0, event.change.word(), event.at.millis());
    Notification { id, body, words, route }
}

/// Says what an alert is about that fires, in English and Chinese, for where its severity and since
/// when it lasts stand beside it.
#[must_use]
pub fn in_row(registry: &Registry, event: &AlertEvent, head: &Letterhead) -> [String; 2] {
    let scene = Scene::new(registry, event, &head.home).in_row();
    [scene.english(), scene.chinese()]
}

/// Writes what quality control found, with its numbers.
fn cause_of(registry: &Registry, event: &AlertEvent, cause: &Cause, scene: &Scene<'_>) -> Value {
    let datastream = registry.datastream(cause.datastream);
    let mut said = json!({
        "test": cause.test.name(),
        "flag": cause.flag.number(),
        "since": cause.since.rfc3339(&scene.zone),
        "datastream": datastream.map_or("", |datastream| &datastream.name),
        "value": event.value,
        "unit": scene.unit,
    });
    let seconds = |millis: i64| Value::from(millis as f64 / 1e3);
    let numbers = match cause.found {
        Found::Nothing => Vec::new(),
        Found::Outside(low, high) => vec![("low", low.into()), ("high", high.into())],
        Found::Unchanged(millis) => vec![("unchanged_s", seconds(millis))],
        Found::ClockOff(millis) => vec![("clock_off_s", seconds(millis))],
        Found::Times(times) => vec![("times", times.into())],
        Found::AboveRange(limit) => vec![("above", limit.into())],
        Found::Cold(temperature) => vec![("water_temperature", temperature.into())],
        Found::Check(check) => vec![
            ("check", check.kind.word().into()),
            ("checked", check.at.rfc3339(&scene.zone).into()),
            ("found", check.value.into()),
            ("standard", check.standard.into()),
            ("low", check.low.into()),
            ("high", check.high.into()),
        ],
    };
    if let Some(said) = said.as_object_mut() {
        said.extend(numbers.into_iter().map(|(key, number)| (key.to_owned(), number)));
    }
    said
}

/// What Alertmanager writes for an end that is not known.
const NO_END: &str = "0001-01-01T00:00:00Z";

/// What is told of a change.
struct Told {
    status: &'static str,
    since: String,
    ends: String,
    route: &'static str,
    cause: Value,
    page: String,
    link: String,
}

fn body(told: &Told, labels: &Value, annotations: &Value, fingerprint: &str) -> Value {
    let Told { status, since, ends, route, cause, page, link } = told;
    let alertname = labels.get("alertname").cloned().unwrap_or_default();
    json!({
        "version": "4",
        "groupKey": format!("weir/{fingerprint}"),
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "weir",
        "groupLabels": { "alertname": alertname },
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": page,
        "route": route,
        "notice": { "kind": "alerts", "step": 0 },
        "cause": cause,
        "alerts": [{
            "status": status,
            "labels": labels,
            "annotations": annotations,
            "startsAt": since,
            "endsAt": ends,
            "generatorURL": link,
            "fingerprint": fingerprint,
        }],
    })
}

/// Labels are the same when an alert fires and when it resolves: receivers match them.
fn labels(registry: &Registry, event: &AlertEvent, scene: &Scene<'_>) -> Value {
    let rule = registry.rule(event.rule);
    let number = event.rule.0.to_string();
    let mut labels = serde_json::Map::new();
    let mut put = |key: &str, value: &str| {
        if !value.is_empty() {
            labels.insert(key.to_owned(), Value::from(value));
        }
    };
    put("alertname", rule.map_or(&number, |rule| &rule.name));
    put("severity", rule.map_or("warning", |rule| rule.severity.word()));
    put("place", scene.place.map_or("", |place| &place.name));
    put("station", scene.station.map_or("", |station| &station.name));
    put("position", scene.datastream.map_or("", |datastream| &datastream.position));
    let property = scene.property.filter(|_| scene.datastream.is_some());
    put("property", property.map_or("", |property| &property.name));
    match event.subject {
        Subject::Weir { condition, network } => {
            put("condition", condition.word());
            let network = network.and_then(|id| registry.networks.get(id.index()));
            put("network", network.map_or("", |network| network));
        }
        Subject::Evaluated { index, .. } => {
            put("index", index.word());
            put("set", scene.set.map_or("", |set| &set.name));
        }
        Subject::Device(_) | Subject::Network(_) => {
            put("gateway", scene.gateway.unwrap_or_default());
            put("network", scene.network.unwrap_or_default());
        }
        Subject::Datastream(_) | Subject::Station(_) => {}
    }
    put(
        "kind",
        match rule.map(|rule| rule.kind) {
            Some(RuleKind::Exceedance { .. }) => "exceedance",
            Some(RuleKind::Silence { .. }) => "silence",
            Some(RuleKind::Instrument { .. }) => "instrument",
            Some(RuleKind::Rise { .. }) => "rise",
            Some(RuleKind::NotAssessable { .. }) => "not_assessable",
            Some(RuleKind::Index { .. }) => "index",
            Some(RuleKind::Weir(_)) => "weir",
            None => "",
        },
    );
    put("route", rule.map_or("", |rule| rule.route.word()));
    Value::Object(labels)
}

/// A notification such as a template may be tried on: every part of it is there.
pub(super) fn sample() -> Value {
    let labels = json!({
        "alertname": "sample", "severity": "warning", "place": "sample", "station": "sample",
        "position": "sample", "property": "sample", "condition": "sample", "network": "sample",
        "kind": "sample", "route": "environment",
    });
    let cause = json!({
        "test": "gross_range", "flag": 4, "since": NO_END, "datastream": "sample", "value": 14.2,
        "unit": "sample", "low": 0, "high": 14, "unchanged_s": 0, "clock_off_s": 0, "times": 1,
        "above": 0, "water_temperature": 0,
    });
    let (ends, since) = (NO_END.to_owned(), NO_END.to_owned());
    let (page, link) = (String::new(), String::new());
    let event = Told { status: "firing", ends, since, route: "environment", cause, page, link };
    let annotations = json!({
        "summary_en": "sample", "summary_zh": "sample", "advice_en": "sample",
        "advice_zh": "sample", "limit": "3", "clause": "sample", "value": "2.5",
        "multiple": "0.08", "share": "87 %", "class": "V", "period": "1h", "reasons": "native 1h",
        "value_from": NO_END, "value_to": NO_END, "before": "2.4", "before_from": NO_END,
        "since": NO_END, "state": "firing", "cause": "sample", "severity": "warning",
        "operator": "sample", "contact": "sample", "acknowledged": "sample", "flaps": "4",
        "unconfirmed": "true", "confirmed": "true",
        "until": NO_END,
    });
    body(&event, &labels, &annotations, "0000000000000000")
}
