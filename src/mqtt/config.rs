//! The section `[[broker]]` of the configuration.

use std::path::PathBuf;

use serde::Deserialize;
use url::Url;

/// The version of the protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
pub enum Protocol {
    /// MQTT 5: the window is ours to say (Receive Maximum), so commits are large.
    #[default]
    #[serde(rename = "5")]
    V5,
    /// MQTT 3.1.1, for old brokers: the broker's own small window bounds what is under way.
    #[serde(rename = "3.1.1")]
    V311,
}

/// One broker.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The name under which the seeds know it.
    pub network: String,
    /// `mqtt://host:1883`, or `mqtts://host:8883` with TLS.
    pub url: String,
    /// The client id: stable, or the broker forgets what it kept for an absent weir.
    pub client_id: String,
    /// The retained topic that says `online` or `offline`; `weir/{client_id}/status` where it is
    /// not given, none where it is empty.
    pub status_topic: Option<String>,
    /// Whether to watch how many messages the broker drops.
    #[serde(default = "watch_dropped")]
    pub watch_dropped: bool,
    /// The version of the protocol: `"5"` or `"3.1.1"`.
    #[serde(default)]
    pub protocol: Protocol,
    /// The user, where the broker asks for one.
    pub user: Option<String>,
    /// The file that holds the user's password.
    pub password_file: Option<PathBuf>,
    /// The environment variable that holds the password, where no file does.
    pub password_env: Option<String>,
    /// The certificate authority to trust, PEM; needed for `mqtts`.
    pub ca_file: Option<PathBuf>,
    /// weir's own certificate, PEM.
    pub certificate_file: Option<PathBuf>,
    /// The key of weir's own certificate, PEM.
    pub key_file: Option<PathBuf>,
    /// After how many seconds of silence a sign of life is asked for.
    #[serde(default = "keep_alive_s")]
    pub keep_alive_s: u16,
    /// How long connecting may take, s.
    #[serde(default = "connect_timeout_s")]
    pub connect_timeout_s: u64,
    /// For how long the broker keeps what arrives while weir is away, s.
    #[serde(default = "session_expiry_s")]
    pub session_expiry_s: u32,
    /// How many messages may be under way and not acknowledged (MQTT 5).
    #[serde(default = "receive_maximum")]
    pub receive_maximum: u16,
    /// Payloads of more bytes become dead letters.
    #[serde(default = "payload_bytes_max")]
    pub payload_bytes_max: usize,
    /// For how long messages gather before they are read together, ms.
    #[serde(default = "gather_ms")]
    pub gather_ms: u64,
}

fn watch_dropped() -> bool {
    true
}

fn keep_alive_s() -> u16 {
    30
}

fn connect_timeout_s() -> u64 {
    10
}

fn session_expiry_s() -> u32 {
    7 * 24 * 3_600
}

fn receive_maximum() -> u16 {
    2_000
}

fn payload_bytes_max() -> usize {
    256 << 10
}

fn gather_ms() -> u64 {
    20
}

impl Config {
    /// Gives the topic that says whether weir lives, if there is to be one.
    #[must_use]
    pub fn status_topic(&self) -> Option<String> {
        match &self.status_topic {
            None => Some(format!("weir/{}/status", self.client_id)),
            Some(topic) => Some(topic.clone()).filter(|topic| !topic.is_empty()),
        }
    }

    /// Tells everything that is wrong with the section: what was found, what was expected.
    #[must_use]
    pub fn faults(&self) -> Vec<(String, &'static str)> {
        let mut faults = Vec::new();
        // What stands in a url stands in every log line and on the page.
        if self.url.contains('@') {
            let found = "a url with a user in it".to_owned();
            faults.push((found, "mqtt://host:1883, and the keys user and password_file"));
            return faults;
        }
        let secure = match Url::parse(&self.url) {
            Ok(url) if matches!(url.scheme(), "mqtt" | "mqtts") && url.has_host() => {
                url.scheme() == "mqtts"
            }
            Ok(_) | Err(_) => {
                let found = format!("url `{}`", self.url);
                faults.push((found, "mqtt://host:1883 or mqtts://host:8883"));
                return faults;
            }
        };
        if self.client_id.is_empty() {
            faults.push(("an empty client_id".to_owned(), "a stable name, one a broker"));
        }
        if let Some(topic) = self.status_topic().filter(|topic| topic.contains(['+', '#'])) {
            faults.push((format!("status_topic `{topic}`"), "a topic without + and #"));
        }
        if self.password_file.is_some() && self.password_env.is_some() {
            let found = "password_file and password_env".to_owned();
            faults.push((found, "one place that holds the password"));
        }
        if self.certificate_file.is_some() != self.key_file.is_some() {
            let found = "one of certificate_file and key_file".to_owned();
            faults.push((found, "both or neither"));
        }
        if secure && self.ca_file.is_none() {
            faults.push(("mqtts without ca_file".to_owned(), "the authority to trust, PEM"));
        }
        if self.receive_maximum == 0 || self.keep_alive_s == 0 {
            let found = "0 for receive_maximum or keep_alive_s".to_owned();
            faults.push((found, "at least 1"));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &[&str]) {
        let config: Config = toml::from_str(text).unwrap();
        let found: Vec<String> = config.faults().into_iter().map(|(found, _)| found).collect();
        assert_eq!(found, want);
    }

    #[test]
    fn a_plain_broker_is_sound() {
        check("network='n'\nurl='mqtt://localhost:1883'\nclient_id='weir'", &[]);
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        check(
            "network='n'\nurl='mqtts://b'\nclient_id=''\nkey_file='k'",
            &[
                "an empty client_id",
                "one of certificate_file and key_file",
                "mqtts without ca_file",
            ],
        );
    }

    #[test]
    fn no_secret_stands_in_an_address() {
        for url in ["mqtt://weir:secret@b", "mqtt://weir@b", "http://weir:secret@b:x"] {
            let text = format!("network='n'\nurl='{url}'\nclient_id='w'");
            check(&text, &["a url with a user in it"]);
        }
    }

    #[test]
    fn an_address_of_another_kind_is_refused() {
        check("network='n'\nurl='http://b'\nclient_id='w'", &["url `http://b`"]);
    }
}
