//! Alerts as MQTT messages: what stands, retained by alert, and what happens. What is published is
//! written here; `daemon` hands it to a connection, for this room knows of none.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::alertmanager::Firing;
use super::text::view::kind;
use super::{Config, Error, Sent};

/// How many notices may wait for the connection: a channel sends one after the other.
const PARCELS_MAX: usize = 1;
/// The longest prefix of topics, bytes.
const PREFIX_BYTES_MAX: usize = 200;

/// One message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Leaf {
    /// Its topic.
    pub topic: String,
    /// Its payload; an empty one takes back what was retained.
    pub payload: Vec<u8>,
    /// Whether the broker keeps it for who comes later.
    pub retain: bool,
}

/// The messages of one notice, and whom to tell what became of them.
#[derive(Debug)]
pub struct Parcel {
    /// The messages, in order.
    pub leaves: Vec<Leaf>,
    /// Told once the broker has confirmed each (PUBACK), or why it has not.
    pub done: oneshot::Sender<Result<(), Undone>>,
}

/// Why a broker has not confirmed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Undone {
    /// It is away.
    Away(String),
    /// It does not want it.
    Refused(String),
}

/// A channel of MQTT that is ready to send.
pub(super) struct Mqtt {
    network: String,
    prefix: String,
    way: mpsc::Sender<Parcel>,
    parcels: Option<mpsc::Receiver<Parcel>>,
    timeout: Duration,
}

impl fmt::Debug for Mqtt {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Mqtt").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl Mqtt {
    pub(super) fn new(config: &Config) -> Result<Self, Error> {
        if let Some(error) = Self::faults(config).into_iter().next() {
            return Err(error);
        }
        let (way, parcels) = mpsc::channel(PARCELS_MAX);
        let timeout = Duration::from_secs(config.timeout_s);
        let network = config.broker.clone().unwrap_or_default();
        Ok(Self {
            network,
            prefix: prefix(config).to_owned(),
            way,
            parcels: Some(parcels),
            timeout,
        })
    }

    /// Gives everything that is wrong with a channel of MQTT.
    pub(super) fn faults(config: &Config) -> Vec<Error> {
        let fault = |key, found: &str, expected| Error::Setting {
            channel: config.name.clone(),
            key,
            found: found.to_owned(),
            expected,
        };
        let mut faults = Vec::new();
        if config.broker.is_none() {
            let expected = "the network of the [[broker]] that it publishes to";
            faults.push(fault("broker", "there is none", expected));
        }
        let prefix = prefix(config);
        let wrong = |one: char| matches!(one, '+' | '#') || one.is_control();
        let empty = prefix.split('/').any(str::is_empty);
        let long = prefix.len() > PREFIX_BYTES_MAX;
        if empty || long || prefix.starts_with('$') || prefix.contains(wrong) {
            let expected = "the beginning of topics such as bureau/weir, of 200 bytes at most";
            faults.push(fault("topic", &format!("`{prefix}`"), expected));
        }
        faults
    }

    /// Gives what is to be published, to whoever has a connection to the network's broker; once.
    pub(super) fn parcels(&mut self) -> Option<(String, mpsc::Receiver<Parcel>)> {
        Some((self.network.clone(), self.parcels.take()?))
    }

    pub(super) async fn send(&self, id: &str, body: &Value) -> Sent {
        self.hand_over(leaves(&self.prefix, id, body)).await
    }

    /// Takes back what no longer stands though no notice told of its end. What stands the broker
    /// keeps by itself.
    pub(super) async fn renew(&self, firing: &Firing) -> Sent {
        let leaves: Vec<Leaf> = firing
            .ended()
            .filter_map(|alert| standing(&self.prefix, "", &Value::Null, alert))
            .collect();
        if leaves.is_empty() {
            return Sent::Confirmed { status: 0, words: String::new() };
        }
        self.hand_over(leaves).await
    }

    async fn hand_over(&self, leaves: Vec<Leaf>) -> Sent {
        let (done, told) = oneshot::channel();
        let parcel = Parcel { leaves, done };
        let handed = async {
            self.way.send(parcel).await.ok()?;
            told.await.ok()
        };
        let retry = |words: String| Sent::Retry { after: None, words };
        match tokio::time::timeout(self.timeout, handed).await {
            Ok(Some(Ok(()))) => {
                Sent::Confirmed { status: 0, words: "the broker has confirmed it".to_owned() }
            }
            Ok(Some(Err(Undone::Away(words)))) => retry(words),
            Ok(Some(Err(Undone::Refused(words)))) => Sent::Refused { status: None, words },
            Ok(None) => retry("there is no connection to its broker".to_owned()),
            Err(_) => {
                let seconds = self.timeout.as_secs();
                retry(format!("the broker has not confirmed within timeout_s = {seconds} s"))
            }
        }
    }
}

fn prefix(config: &Config) -> &str {
    config.topic.as_deref().unwrap_or("weir")
}

/// Gives topics such as a channel publishes on; no pattern of the seeds may fit them, or weir would
/// hear itself.
#[must_use]
pub fn topics(config: &Config) -> [String; 2] {
    let prefix = prefix(config);
    [state(prefix, "0000000000000000"), format!("{prefix}/events")]
}

fn state(prefix: &str, fingerprint: &str) -> String {
    format!("{prefix}/alerts/{fingerprint}")
}

/// Writes the messages of a notice: first what stands of each of its alerts, then the notice.
fn leaves(prefix: &str, id: &str, body: &Value) -> Vec<Leaf> {
    // A test and a morning's message are about no change of what stands.
    let is_state = !matches!(kind(body), "test" | "morning");
    let alerts = body["alerts"].as_array().map(Vec::as_slice).unwrap_or_default();
    let states = alerts.iter().filter(|_| is_state);
    let states = states.filter_map(|alert| standing(prefix, id, body, alert));
    let mut leaves: Vec<Leaf> = states.collect();
    // The notice is told once; its further parts are only what stands.
    if body.pointer("/notice/part").is_none() {
        let (topic, payload) = (format!("{prefix}/events"), with(body, [("id", json!(id))]));
        leaves.push(Leaf { topic, payload, retain: false });
    }
    leaves
}

/// Writes what stands of an alert; nothing of one without a number that fits into a topic.
fn standing(prefix: &str, id: &str, body: &Value, alert: &Value) -> Option<Leaf> {
    let fingerprint = alert["fingerprint"].as_str()?;
    let fits = |one: char| one.is_ascii_alphanumeric();
    if fingerprint.is_empty() || !fingerprint.chars().all(fits) {
        return None;
    }
    let payload = if alert["status"] == "resolved" {
        Vec::new()
    } else {
        with(alert, [("id", json!(id)), ("groupKey", body["groupKey"].clone())])
    };
    Some(Leaf { topic: state(prefix, fingerprint), payload, retain: true })
}

/// Writes an object with some more in it.
fn with<const N: usize>(value: &Value, more: [(&str, Value); N]) -> Vec<u8> {
    let mut object = value.as_object().cloned().unwrap_or_default();
    object.extend(more.map(|(key, value)| (key.to_owned(), value)));
    Value::Object(object).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;

    fn config(settings: &str) -> Config {
        toml::from_str(&format!("name='board'\nkind='mqtt'\n{settings}")).unwrap()
    }

    fn notice() -> Value {
        let labels = json!({ "station": "s" });
        let alert = |id: &str, status: &str| {
            let mut alert = json!({ "fingerprint": id, "labels": labels });
            alert["status"] = json!(status);
            alert
        };
        let alerts = [alert("0a", "firing"), alert("0b", "resolved"), alert("a/#", "firing")];
        json!({ "status": "firing", "groupKey": "weir/0a", "alerts": alerts })
    }

    #[test]
    fn what_stands_is_retained_what_ended_is_taken_back_and_all_is_told() {
        let leaves = leaves("weir", "7-fired-1", &notice());
        let told: Vec<(&str, bool, bool)> = leaves
            .iter()
            .map(|leaf| (&*leaf.topic, leaf.payload.is_empty(), leaf.retain))
            .collect();
        let want = [
            ("weir/alerts/0a", false, true),
            ("weir/alerts/0b", true, true),
            ("weir/events", false, false),
        ];
        assert_eq!(told, want);
        let standing: Value = serde_json::from_slice(&leaves[0].payload).unwrap();
        assert_eq!(standing["id"], "7-fired-1");
        assert_eq!(standing["labels"]["station"], "s");
        let event: Value = serde_json::from_slice(&leaves[2].payload).unwrap();
        assert_eq!((&event["id"], &event["status"]), (&json!("7-fired-1"), &json!("firing")));
    }

    #[test]
    fn a_test_changes_nothing_that_stands() {
        for kind in ["test", "morning"] {
            let mut body = notice();
            body["notice"] = json!({ "kind": kind });
            let leaves = leaves("weir", "test-1", &body);
            assert_eq!(leaves.len(), 1, "{kind}");
            assert_eq!(leaves[0].topic, "weir/events");
        }
    }

    #[test]
    fn a_further_part_of_a_notice_says_what_stands_and_is_no_event_of_its_own() {
        for (why, events) in [
            (json!({ "kind": "alerts", "step": 0 }), 1),
            (json!({ "kind": "alerts", "step": 0, "part": 2 }), 0),
        ] {
            let mut body = notice();
            body["notice"] = why;
            let leaves = leaves("weir", "water_p1-alerts-1-1", &body);
            let of_events = leaves.iter().filter(|leaf| leaf.topic == "weir/events").count();
            assert_eq!((leaves.len(), of_events), (2 + events, events));
        }
    }

    #[tokio::test]
    async fn an_end_that_nobody_was_told_of_empties_what_stood() {
        let mut mqtt = Mqtt::new(&config("broker='rivers'")).unwrap();
        let (_, mut parcels) = mqtt.parcels().unwrap();
        let mut firing = Firing::default();
        firing.told(&notice(), Timestamp(0));
        // While it stands there is nothing to say.
        assert!(matches!(mqtt.renew(&firing).await, Sent::Confirmed { .. }));
        firing.end_all_but(&["a/#".to_owned()].into(), Timestamp(0));
        let carried = tokio::spawn(async move {
            let parcel: Parcel = parcels.recv().await.unwrap();
            parcel.done.send(Ok(())).unwrap();
            parcel.leaves
        });
        assert!(matches!(mqtt.renew(&firing).await, Sent::Confirmed { .. }));
        let topic = "weir/alerts/0a".to_owned();
        assert_eq!(carried.await.unwrap(), [Leaf { topic, payload: Vec::new(), retain: true }]);
    }

    #[track_caller]
    fn check(settings: &str, want: &[&str]) {
        let found: Vec<String> =
            Mqtt::faults(&config(settings)).iter().map(ToString::to_string).collect();
        assert_eq!(found, want, "{settings}");
    }

    #[test]
    fn a_broker_is_needed_and_a_topic_is_the_beginning_of_one() {
        check("broker='rivers'", &[]);
        check("broker='rivers'\ntopic='bureau/weir'", &[]);
        check("", &["broker of channel `board`: there is none"]);
        for wrong in ["", "a/", "/a", "a//b", "a/+", "#", "$SYS", "a\u{7}"] {
            let settings = format!("broker='rivers'\ntopic=\"{}\"", wrong.escape_default());
            let settings = settings.replace("\\u{7}", "\\u0007");
            check(&settings, &[&format!("topic of channel `board`: `{wrong}`")]);
        }
        let long = "a".repeat(PREFIX_BYTES_MAX);
        check(&format!("broker='rivers'\ntopic='{long}'"), &[]);
        check(
            &format!("broker='rivers'\ntopic='{long}b'"),
            &[&format!("topic of channel `board`: `{long}b`")],
        );
    }

    #[tokio::test]
    async fn what_the_connection_says_is_what_came_of_it() {
        let mut mqtt = Mqtt::new(&config("broker='rivers'\ntimeout_s=1")).unwrap();
        let (network, mut parcels) = mqtt.parcels().unwrap();
        assert_eq!(network, "rivers");
        assert!(mqtt.parcels().is_none());
        let answers = tokio::spawn(async move {
            let away = Undone::Away("away".to_owned());
            for answer in [Ok(()), Err(away), Err(Undone::Refused("no".to_owned()))] {
                let parcel: Parcel = parcels.recv().await.unwrap();
                parcel.done.send(answer).unwrap();
            }
            // Of one nothing is heard, until who sends gives up.
            let mut parcel = parcels.recv().await.unwrap();
            parcel.done.closed().await;
        });
        let notice = notice();
        let send = || mqtt.send("7-fired-1", &notice);
        let confirmed = send().await;
        assert!(matches!(confirmed, Sent::Confirmed { status: 0, .. }), "{confirmed:?}");
        assert_eq!(send().await, Sent::Retry { after: None, words: "away".to_owned() });
        assert_eq!(send().await, Sent::Refused { status: None, words: "no".to_owned() });
        let Sent::Retry { words, .. } = send().await else { panic!() };
        assert_eq!(words, "the broker has not confirmed within timeout_s = 1 s");
        answers.await.unwrap();
        let Sent::Retry { words, .. } = send().await else { panic!() };
        assert_eq!(words, "there is no connection to its broker");
    }
}
