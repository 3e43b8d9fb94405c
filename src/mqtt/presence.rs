//! What others are told of weir's own presence, kept by the broker: `online` and `offline`, or the
//! state of a host of Sparkplug (3.0.0), JSON with the time of the session's beginning.

use crate::domain::time::Timestamp;
use crate::mqtt::config::Config;
use crate::mqtt::subscription::fits;

/// What stands on the status topic while weir is there,
const ONLINE: &[u8] = b"online";
/// and when it is gone.
const OFFLINE: &[u8] = b"offline";

/// The words of one session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Words {
    pub(super) topic: String,
    /// Whether they are those of a host of Sparkplug.
    pub(super) of_host: bool,
    pub(super) online: Vec<u8>,
    /// The last will, whose time is that of the birth.
    pub(super) offline: Vec<u8>,
}

impl Words {
    /// Gives the words of a session that begins now; nothing where none are wanted.
    pub(super) fn new(config: &Config, now: Timestamp) -> Option<Self> {
        let topic = config.status_topic()?;
        let of_host = config.sparkplug_host.is_some();
        let (online, offline) = match of_host {
            true => (state(true, now), state(false, now)),
            false => (ONLINE.to_vec(), OFFLINE.to_vec()),
        };
        Some(Self { topic, of_host, online, offline })
    }

    /// Gives what is said when weir goes in order.
    pub(super) fn farewell(&self, now: Timestamp) -> Vec<u8> {
        if self.of_host { state(false, now) } else { self.offline.clone() }
    }

    /// Says whether others are told that this host is gone: by the will of a session before, or by
    /// another host of the same name. Nothing of what it says of itself does.
    pub(super) fn is_contradicted(&self, topic: &[u8], payload: &[u8]) -> bool {
        let online =
            || serde_json::from_slice::<serde_json::Value>(payload).ok()?.get("online")?.as_bool();
        self.of_host && topic == self.topic.as_bytes() && online() == Some(false)
    }
}

/// Says that others are told nothing where weir would hear that as a message: seeds that were
/// changed since the start may have a filter for it.
pub(super) fn warn_of_echo(config: &Config, filters: &[String]) {
    let Some(topic) = config.status_topic() else { return };
    if let Some(filter) = filters.iter().find(|filter| fits(filter, &topic)) {
        let (setting, expected) = config.status_setting();
        tracing::warn!(
            network = config.network,
            "Nobody is told on `{topic}` ({setting}) whether weir is there, since the filter \
             `{filter}` of the seeds fits it; expected {expected}."
        );
    }
}

fn state(online: bool, at: Timestamp) -> Vec<u8> {
    serde_json::json!({ "online": online, "timestamp": at.millis() }).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(more: &str) -> Option<Words> {
        let text = format!("network='n'\nurl='mqtt://b'\nclient_id='weir'\n{more}");
        Words::new(&toml::from_str(&text).unwrap(), Timestamp(1_777_593_600_000))
    }

    #[test]
    fn a_host_says_when_its_session_began_and_when_it_goes() {
        let words = words("sparkplug_host='bureau'").unwrap();
        assert_eq!(words.topic, "spBv1.0/STATE/bureau");
        assert_eq!(words.online, br#"{"online":true,"timestamp":1777593600000}"#);
        assert_eq!(words.offline, br#"{"online":false,"timestamp":1777593600000}"#);
        let farewell = words.farewell(Timestamp(1_777_593_660_000));
        assert_eq!(farewell, br#"{"online":false,"timestamp":1777593660000}"#);
        let topic = words.topic.clone().into_bytes();
        assert!(words.is_contradicted(&topic, &words.offline));
        assert!(!words.is_contradicted(&topic, &words.online));
        assert!(!words.is_contradicted(&topic, b"OFFLINE"));
        assert!(!words.is_contradicted(b"spBv1.0/STATE/other", &words.offline));
    }

    #[test]
    fn others_are_told_in_a_word_or_not_at_all() {
        let plain = words("").unwrap();
        assert_eq!((&*plain.topic, &*plain.online), ("weir/weir/status", ONLINE));
        assert_eq!(plain.farewell(Timestamp(0)), OFFLINE);
        assert!(!plain.is_contradicted(b"weir/weir/status", br#"{"online":false}"#));
        assert_eq!(words("status_topic=''"), None);
    }
}
