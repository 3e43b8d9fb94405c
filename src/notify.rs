//! Notifications: what an alert's change reads like, and how it leaves. Sends, never decides.

mod sentence;
pub mod webhook;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::domain::alert::{AlertChange, AlertEvent, Route, Subject};
use crate::domain::assessment::WaterClass;
use crate::domain::cause::{Cause, Found};
use crate::domain::fault::SettingFault;
use crate::domain::observation::Period;
use crate::domain::registry::{Registry, RuleKind};
use crate::domain::time::Timestamp;

use self::sentence::Scene;
use self::webhook::Webhook;

/// The first wait after a failure.
pub const RETRY_FIRST: Duration = Duration::from_secs(1);
/// The longest wait between two attempts.
pub const RETRY_MAX: Duration = Duration::from_secs(300);
/// The longest wait that a receiver may ask for. Who asks sooner than it wants is kept out longer.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);

/// The kind of a channel.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// JSON by POST.
    Webhook,
}

/// One `[[channel]]` of the configuration.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Its name, unique among channels.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// Where notifications go. It may hold a secret of the receiver's, so it is never shown whole.
    pub url: String,
    /// The file that holds the secret for signing.
    pub secret_file: Option<PathBuf>,
    /// The environment variable that holds it, where no file does.
    pub secret_env: Option<String>,
    /// Which routes of alerts it takes: `environment`, `instrument`, `weir`.
    #[serde(default = "all_routes")]
    pub routes: Vec<String>,
    /// A minijinja template of the body; without one the body is the JSON itself.
    pub template: Option<PathBuf>,
    /// A certificate authority to trust besides the public ones, PEM.
    pub ca_file: Option<PathBuf>,
    /// How long a request may take, s.
    #[serde(default = "timeout_s")]
    pub timeout_s: u64,
}

impl fmt::Debug for Config {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address of a chat robot holds its key.
        let Self { name, kind, .. } = self;
        out.debug_struct("Config").field("name", name).field("kind", kind).finish_non_exhaustive()
    }
}

fn all_routes() -> Vec<String> {
    Route::ALL.map(|route| route.word().to_owned()).to_vec()
}

fn timeout_s() -> u64 {
    10
}

/// The longest that a request may take, s.
const TIMEOUT_S_MAX: u64 = 300;

impl Config {
    /// Tells everything that is wrong with the section.
    #[must_use]
    pub fn faults(&self) -> Vec<SettingFault> {
        let mut faults = Vec::new();
        if self.name.trim().is_empty() {
            faults.push(SettingFault::new("name", "an empty name", "a name of its own"));
        }
        let found = match self.kind {
            Kind::Webhook => Webhook::faults(self, &sample()),
        };
        faults.extend(found.iter().map(|error| {
            let (key, expected) = error.setting();
            SettingFault::new(key, error.to_string(), expected)
        }));
        faults.extend(SettingFault::range("timeout_s", self.timeout_s, 1..=TIMEOUT_S_MAX));
        let unknown = self.routes.iter().find(|word| Route::from_word(word).is_none());
        let found = match unknown {
            Some(word) => Some(format!("route `{word}`")),
            None => self.routes.is_empty().then(|| "no route".to_owned()),
        };
        let expected = "some of `environment`, `instrument`, `weir`, or no such key for all";
        faults.extend(found.map(|found| SettingFault::new("routes", found, expected)));
        faults
    }

    /// Gives who the channel is and what it takes.
    #[must_use]
    pub fn taker(&self) -> Taker {
        let routes = self.routes.iter().filter_map(|word| Route::from_word(word)).collect();
        Taker { channel: self.name.as_str().into(), routes }
    }
}

/// A channel, and which alerts it takes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Taker {
    /// Its name.
    pub channel: Box<str>,
    /// The routes.
    pub routes: Vec<Route>,
}

impl Taker {
    /// Takes all alerts.
    #[must_use]
    pub fn all(channel: &str) -> Self {
        Self { channel: channel.into(), routes: Route::ALL.to_vec() }
    }
}

/// Gives the channels that take what goes by a route; where nobody knows by which, all of them.
#[must_use]
pub fn takers(all: &[Taker], route: Option<Route>) -> Vec<Box<str>> {
    let takes = |taker: &&Taker| route.is_none_or(|route| taker.routes.contains(&route));
    all.iter().filter(takes).map(|taker| taker.channel.clone()).collect()
}

/// A notification such as a template may be tried on: every part of it is there.
fn sample() -> Value {
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
    let event = Told { status: "firing", ends, since, route: "environment", cause };
    let annotations = json!({
        "summary_en": "sample", "summary_zh": "sample", "advice_en": "sample",
        "advice_zh": "sample", "limit": "3", "clause": "sample", "value": "2.5",
        "multiple": "0.08", "share": "87 %", "class": "V", "period": "1h", "reasons": "native 1h",
        "value_from": NO_END, "value_to": NO_END, "before": "2.4", "before_from": NO_END,
        "since": NO_END, "state": "firing", "cause": "sample",
    });
    body(&event, "sample", &labels, &annotations, "0000000000000000")
}

/// What is wrong with a channel.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is none.
    #[error("the url of channel `{channel}` is not an http or https address: {fault}")]
    Url {
        /// The channel.
        channel: String,
        /// What is wrong.
        fault: String,
    },
    /// A file can't be read.
    #[error("{key} `{}` of channel `{channel}` can't be read: {source}", path.display())]
    File {
        /// The channel.
        channel: String,
        /// The setting.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The secret is empty.
    #[error("{key} of channel `{channel}` holds no secret: it is empty")]
    Secret {
        /// The channel.
        channel: String,
        /// The setting.
        key: &'static str,
    },
    /// Two settings say the same thing.
    #[error("secret_file and secret_env of channel `{channel}` are both set, one may be")]
    BothSecrets {
        /// The channel.
        channel: String,
    },
    /// The environment variable is not set.
    #[error("secret_env of channel `{channel}` names `{name}`, which is not set")]
    Environment {
        /// The channel.
        channel: String,
        /// The variable.
        name: String,
    },
    /// The template has a fault.
    #[error("template `{}` of channel `{channel}`: {fault}", path.display())]
    Template {
        /// The channel.
        channel: String,
        /// The file.
        path: PathBuf,
        /// What is wrong and where.
        fault: String,
    },
    /// The certificate authority's file is no PEM certificate.
    #[error("ca_file `{}` of channel `{channel}` is no certificate: {fault}", path.display())]
    Certificate {
        /// The channel.
        channel: String,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        fault: String,
    },
    /// The HTTP client can't be made.
    #[error("the HTTP client of channel `{channel}` can't be made: {fault}")]
    Client {
        /// The channel.
        channel: String,
        /// Why.
        fault: String,
    },
    /// The host can't be reached.
    #[error("channel `{channel}` does not reach {host}: {fault}")]
    Away {
        /// The channel.
        channel: String,
        /// Host and port.
        host: String,
        /// What the connection says.
        fault: String,
    },
}

impl Error {
    /// Gives the setting to mend, and what was expected of it.
    fn setting(&self) -> (&'static str, &'static str) {
        match self {
            Self::Url { .. } | Self::Client { .. } | Self::Away { .. } => {
                ("url", "an address such as https://host/path")
            }
            Self::File { key, .. } => (key, "a file that weir may read"),
            Self::Secret { key, .. } => (key, "a secret"),
            Self::BothSecrets { .. } => ("secret_env", "one place that holds the secret"),
            Self::Environment { .. } => ("secret_env", "a variable that is set"),
            Self::Template { .. } => {
                ("template", "a template of minijinja that names what a notification has")
            }
            Self::Certificate { .. } => ("ca_file", "a certificate, PEM"),
        }
    }
}

/// A channel, ready to send.
#[derive(Debug)]
pub enum Channel {
    /// JSON by POST.
    Webhook(Webhook),
}

impl Channel {
    /// Reads secret and template and sets up the client; sends nothing.
    ///
    /// # Errors
    /// Whatever of the configuration is wrong.
    pub fn new(config: &Config) -> Result<Self, Error> {
        match config.kind {
            Kind::Webhook => Webhook::new(config).map(Self::Webhook),
        }
    }

    /// Gives the channel's name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Webhook(webhook) => webhook.name(),
        }
    }
}

/// What came of an attempt. A notification is never dropped: what is not confirmed is sent again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Sent {
    /// The receiver has it.
    Confirmed {
        /// The status.
        status: u16,
        /// The receiver's words.
        words: String,
    },
    /// The receiver is away or busy: again after [`retry_after`], or when it asks to.
    Retry {
        /// How long the receiver asks to wait.
        after: Option<Duration>,
        /// What is wrong.
        words: String,
    },
    /// The receiver does not want it as it is: again every [`RETRY_MAX`], because an operator may
    /// mend address, secret or template.
    Refused {
        /// The status; none if it never left, because the template fails on it.
        status: Option<u16>,
        /// What is wrong.
        words: String,
    },
}

/// Sends one notification. The id stays the same however often it is sent, so that the receiver
/// can know a repetition.
pub async fn send(channel: &Channel, id: &str, body: &Value) -> Sent {
    match channel {
        Channel::Webhook(webhook) => webhook.send(id, body).await,
    }
}

/// Reaches the channel's host without messaging anybody.
///
/// # Errors
/// The host can't be reached, or its certificate not trusted.
pub async fn probe(channel: &Channel) -> Result<(), Error> {
    match channel {
        Channel::Webhook(webhook) => webhook.probe().await,
    }
}

/// Gives the wait after the failed attempt of this number, counted from 0: 1 s, doubling up to
/// [`RETRY_MAX`], less up to a half, so that channels that failed together don't come together.
#[must_use]
pub fn retry_after(attempt: u32) -> Duration {
    let doubled = RETRY_FIRST.saturating_mul(1_u32.checked_shl(attempt).unwrap_or(u32::MAX));
    doubled.min(RETRY_MAX).mul_f64(1.0 - fastrand::f64() / 2.0)
}

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

/// Writes the notification of an alert's change. Times in sentences are in the zone of the
/// station; `home` is the zone for what is weir's own.
#[must_use]
pub fn notification(
    registry: &Registry,
    event: &AlertEvent,
    receiver: &str,
    home: &TimeZone,
) -> Notification {
    let scene = Scene::new(registry, event, home);
    // Alertmanager's receivers know two words; a withdrawn alert no longer fires.
    let status = match event.change {
        AlertChange::Fired | AlertChange::Changed => "firing",
        AlertChange::Resolved | AlertChange::Withdrawn | AlertChange::Past => "resolved",
    };
    let ends = match event.change {
        AlertChange::Fired | AlertChange::Changed => NO_END.to_owned(),
        AlertChange::Resolved | AlertChange::Withdrawn | AlertChange::Past => {
            event.at.rfc3339(&scene.zone)
        }
    };
    let labels = labels(registry, event, &scene);
    let rule = registry.rule(event.rule);
    let words = scene.english();
    let time = |at: Timestamp| at.rfc3339(&scene.zone);
    let reasons: Vec<&str> = event.reasons.iter().map(Period::word).collect();
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
        "state": event.change.word(),
        "cause": event.cause.map_or("", |cause| cause.test.name()),
    });
    let fingerprint = format!("{:016x}", event.alert.0);
    let route = rule.map(|rule| rule.route);
    let told = Told {
        status,
        ends,
        since: event.since.rfc3339(&scene.zone),
        route: route.map_or("", Route::word),
        cause: event.cause.map_or(Value::Null, |cause| cause_of(registry, event, &cause, &scene)),
    };
    let body = body(&told, receiver, &labels, &annotations, &fingerprint);
    let id = format!("{}-{}-{}", event.alert.0, event.change.word(), event.at.millis());
    Notification { id, body, words, route }
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
}

fn body(
    told: &Told,
    receiver: &str,
    labels: &Value,
    annotations: &Value,
    fingerprint: &str,
) -> Value {
    let Told { status, since, ends, route, cause } = told;
    let alertname = labels.get("alertname").cloned().unwrap_or_default();
    json!({
        "version": "4",
        "groupKey": format!("weir/{fingerprint}"),
        "truncatedAlerts": 0,
        "status": status,
        "receiver": receiver,
        "groupLabels": { "alertname": alertname },
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": "",
        "route": route,
        "cause": cause,
        "alerts": [{
            "status": status,
            "labels": labels,
            "annotations": annotations,
            "startsAt": since,
            "endsAt": ends,
            "generatorURL": "",
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
        Subject::Datastream(_) | Subject::Station(_) => {}
    }
    put(
        "kind",
        match rule.map(|rule| rule.kind) {
            Some(RuleKind::Exceedance { .. }) => "exceedance",
            Some(RuleKind::Silence { .. }) => "silence",
            Some(RuleKind::Instrument { .. }) => "instrument",
            Some(RuleKind::Weir(_)) => "weir",
            None => "",
        },
    );
    put("route", rule.map_or("", |rule| rule.route.word()));
    Value::Object(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_a_limit() {
        for attempt in 0..=u32::from(u8::MAX) {
            let whole = RETRY_FIRST.saturating_mul(2_u32.saturating_pow(attempt)).min(RETRY_MAX);
            let wait = retry_after(attempt);
            assert!(wait <= whole && wait >= whole / 2, "{attempt}: {wait:?}");
        }
    }

    #[test]
    fn a_channel_takes_the_routes_that_it_names_or_all() {
        let config = |routes: &str| {
            let text = format!("name='n'\nkind='webhook'\nurl='http://h'\n{routes}");
            toml::from_str::<Config>(&text).unwrap()
        };
        let takes = |routes: &str, route| {
            let config = config(routes);
            assert_eq!(config.faults(), [], "{routes}");
            takers(&[config.taker()], route).len()
        };
        for route in Route::ALL {
            assert_eq!(takes("", Some(route)), 1);
            let named = usize::from(route == Route::Instrument);
            assert_eq!(takes("routes=['instrument']", Some(route)), named);
        }
        assert_eq!(takes("routes=['environment', 'weir']", None), 1, "of a rule nobody knows");
        let found = |routes: &str| config(routes).faults()[0].found.clone();
        assert_eq!(found("routes=['environment', 'duty']"), "route `duty`");
        assert_eq!(found("routes=[]"), "no route");
    }

    #[test]
    fn a_request_may_not_take_for_ever() {
        let faults = |timeout_s: u64| {
            let text = format!("name='n'\nkind='webhook'\nurl='http://h'\ntimeout_s={timeout_s}");
            toml::from_str::<Config>(&text).unwrap().faults()
        };
        assert_eq!(faults(TIMEOUT_S_MAX), []);
        assert_eq!(faults(TIMEOUT_S_MAX + 1)[0].found, "timeout_s = 301");
    }
}
