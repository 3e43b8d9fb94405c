//! The section `[[broker]]` of the configuration.

use std::fmt;
use std::path::{Path, PathBuf};

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde::Deserialize;
use url::Url;

use crate::domain::fault::SettingFault;
use crate::domain::secret::shown_address;

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

impl Protocol {
    /// Gives the word used in the configuration.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::V5 => "5",
            Self::V311 => "3.1.1",
        }
    }
}

/// One broker.
#[derive(Clone, Deserialize)]
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
    /// The id under which weir announces itself as a host of Sparkplug, if it is to; its state then
    /// takes the place of the status topic, for a session has one will.
    pub sparkplug_host: Option<String>,
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
    /// The file with the keys of devices that encrypt what they say (HJ 212-2025).
    pub hj212_keys_file: Option<PathBuf>,
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

impl fmt::Debug for Config {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { network, client_id, .. } = self;
        out.debug_struct("Config")
            .field("network", network)
            .field("url", &self.shown_url())
            .field("client_id", client_id)
            .finish_non_exhaustive()
    }
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

/// The longest payload that may be taken, bytes: a batch with some of them must be read again.
const PAYLOAD_BYTES_MAX: u64 = 64 << 20;
/// The longest wait for a connection, s.
const CONNECT_TIMEOUT_S_MAX: u64 = 300;
/// The longest that messages may gather, ms: they are not acknowledged meanwhile.
const GATHER_MS_MAX: u64 = 1_000;
/// The longest client id, bytes, as MQTT writes its length.
const CLIENT_ID_BYTES_MAX: usize = 65_535;

impl Config {
    /// Gives the topic that says whether weir lives, if there is to be one.
    #[must_use]
    pub fn status_topic(&self) -> Option<String> {
        if let Some(host) = &self.sparkplug_host {
            return Some(format!("spBv1.0/STATE/{host}"));
        }
        match &self.status_topic {
            None => Some(format!("weir/{}/status", self.client_id)),
            Some(topic) => Some(topic.clone()).filter(|topic| !topic.is_empty()),
        }
    }

    /// Gives the setting that [`Config::status_topic`] is of, and what it may be where that topic
    /// must not be heard.
    #[must_use]
    pub fn status_setting(&self) -> (&'static str, &'static str) {
        match self.sparkplug_host {
            Some(_) => ("sparkplug_host", "no pattern that fits spBv1.0/STATE/, or no such host"),
            None => ("status_topic", "a topic that no pattern fits, or \"\" for none"),
        }
    }

    /// Tells everything that is wrong with the section.
    #[must_use]
    pub fn faults(&self) -> Vec<SettingFault> {
        let mut faults = Vec::new();
        let mut fault = |key: &'static str, found: String, expected: &str| {
            faults.push(SettingFault::new(key, found, expected));
        };
        let address = "mqtt://host:1883 or mqtts://host:8883, and no more";
        let mut secure = false;
        match Url::parse(&self.url) {
            Ok(url) if is_address(&url) => secure = url.scheme() == "mqtts",
            Ok(_) | Err(_) => fault("url", format!("url `{}`", self.shown_url()), address),
        }
        if self.network.trim().is_empty() {
            fault(
                "network",
                "an empty network".to_owned(),
                "the name under which the seeds know it",
            );
        }
        if let Some(topic) = self.status_topic().filter(|topic| topic.contains(['+', '#'])) {
            fault("status_topic", format!("`{topic}`"), "a topic without + and #");
        }
        if let Some(host) = &self.sparkplug_host {
            if host.is_empty() || host.contains(['/', '+', '#']) {
                fault("sparkplug_host", format!("`{host}`"), "a name without /, + and #");
            }
            if self.status_topic.as_ref().is_some_and(|topic| !topic.is_empty()) {
                fault(
                    "status_topic",
                    "status_topic beside sparkplug_host".to_owned(),
                    "one of both: a session has one last will",
                );
            }
        }
        if self.client_id.is_empty() || self.client_id.len() > CLIENT_ID_BYTES_MAX {
            let found = if self.client_id.is_empty() { "an empty" } else { "a too long" };
            fault("client_id", format!("{found} client_id"), "a stable name, one a broker");
        }
        if secure && self.ca_file.is_none() {
            fault("url", "mqtts without ca_file".to_owned(), "the authority to trust, PEM");
        }
        faults.extend(self.secret_faults());
        faults.extend(self.file_faults());
        let ranges = [
            ("keep_alive_s", u64::from(self.keep_alive_s), 1..=u64::from(u16::MAX)),
            ("connect_timeout_s", self.connect_timeout_s, 1..=CONNECT_TIMEOUT_S_MAX),
            ("receive_maximum", u64::from(self.receive_maximum), 1..=u64::from(u16::MAX)),
            ("payload_bytes_max", self.payload_bytes_max as u64, 1..=PAYLOAD_BYTES_MAX),
            ("gather_ms", self.gather_ms, 0..=GATHER_MS_MAX),
        ];
        let out = |(key, number, range)| SettingFault::range(key, number, range);
        faults.extend(ranges.into_iter().filter_map(out));
        faults
    }

    /// Gives host and port, however the address is written; none of one that is no broker's.
    #[must_use]
    pub fn host(&self) -> Option<(String, u16)> {
        let url = Url::parse(&self.url).ok().filter(is_address)?;
        let port = if url.scheme() == "mqtts" { 8_883 } else { 1_883 };
        Some((url.host_str()?.to_ascii_lowercase(), url.port().unwrap_or(port)))
    }

    /// Gives the address without what might be a password.
    #[must_use]
    pub fn shown_url(&self) -> String {
        shown_address(&self.url)
    }

    fn secret_faults(&self) -> Vec<SettingFault> {
        let mut faults = Vec::new();
        let key = if self.password_file.is_some() { "password_file" } else { "password_env" };
        if self.password_file.is_some() && self.password_env.is_some() {
            let found = "password_file and password_env";
            faults.push(SettingFault::new(
                "password_env",
                found,
                "one place that holds the password",
            ));
        }
        if self.user.is_none() && (self.password_file.is_some() || self.password_env.is_some()) {
            faults.push(SettingFault::new(key, format!("{key} without user"), "the user it is of"));
        }
        let secret = match (&self.password_file, &self.password_env) {
            (Some(path), _) => std::fs::read_to_string(path)
                .map_err(|error| format!("`{}`: {error}", path.display())),
            (None, Some(name)) => {
                std::env::var(name).map_err(|_| format!("`{name}`, which is not set"))
            }
            (None, None) => return faults,
        };
        let fault = match secret {
            Ok(secret) if secret.trim().is_empty() => Some("no password: it is empty".to_owned()),
            Ok(_) => None,
            Err(fault) => Some(fault),
        };
        let expected = "a password, where weir may read it";
        faults
            .extend(fault.map(|fault| SettingFault::new(key, format!("{key} {fault}"), expected)));
        faults
    }

    fn file_faults(&self) -> Vec<SettingFault> {
        let mut faults = Vec::new();
        if self.certificate_file.is_some() != self.key_file.is_some() {
            let found = "one of certificate_file and key_file";
            let key = if self.key_file.is_some() { "key_file" } else { "certificate_file" };
            faults.push(SettingFault::new(key, found, "both or neither"));
        }
        let unusable = |key: &'static str, path: &Path, fault: &str| {
            let found = format!("{key} `{}`: {fault}", path.display());
            SettingFault::new(key, found, "a PEM file that weir may read")
        };
        for (key, path) in
            [("ca_file", &self.ca_file), ("certificate_file", &self.certificate_file)]
        {
            let Some(path) = path else { continue };
            let read = CertificateDer::pem_file_iter(path)
                .and_then(|certificates| certificates.collect::<Result<Vec<_>, _>>());
            match read {
                Ok(certificates) if certificates.is_empty() => {
                    faults.push(unusable(key, path, "no certificate in it"));
                }
                Ok(_) => {}
                Err(error) => faults.push(unusable(key, path, &error.to_string())),
            }
        }
        if let Some(path) = &self.key_file
            && let Err(error) = PrivateKeyDer::from_pem_file(path)
        {
            faults.push(unusable("key_file", path, &error.to_string()));
        }
        faults
    }
}

/// Whether an address is a broker's. What else an address may hold would not be looked at, and a
/// password in it would be shown in log lines.
fn is_address(url: &Url) -> bool {
    matches!(url.scheme(), "mqtt" | "mqtts")
        && url.host_str().is_some_and(|host| !host.is_empty())
        && url.username().is_empty()
        && url.password().is_none()
        && matches!(url.path(), "" | "/")
        && url.query().is_none()
        && url.fragment().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &[&str]) {
        let config: Config = toml::from_str(text).unwrap();
        let found: Vec<String> = config.faults().into_iter().map(|fault| fault.found).collect();
        assert_eq!(found, want);
    }

    #[test]
    fn a_plain_broker_is_sound() {
        check("network='n'\nurl='mqtt://localhost:1883'\nclient_id='weir'", &[]);
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        check(
            "network='n'\nurl='mqtts://b'\nclient_id=''\nkeep_alive_s=0\npassword_env='PATH'",
            &[
                "an empty client_id",
                "mqtts without ca_file",
                "password_env without user",
                "keep_alive_s = 0",
            ],
        );
    }

    #[test]
    fn what_is_more_than_may_be_is_told() {
        let most = format!(
            "payload_bytes_max={PAYLOAD_BYTES_MAX}\nconnect_timeout_s={CONNECT_TIMEOUT_S_MAX}\n\
             gather_ms={GATHER_MS_MAX}\nclient_id='{}'\n",
            "c".repeat(CLIENT_ID_BYTES_MAX)
        );
        let broker = "network='n'\nurl='mqtt://b'\n";
        check(&format!("{broker}{most}"), &[]);
        let more = format!(
            "payload_bytes_max={}\nconnect_timeout_s={}\ngather_ms={}\nclient_id='{}'\n",
            PAYLOAD_BYTES_MAX + 1,
            CONNECT_TIMEOUT_S_MAX + 1,
            GATHER_MS_MAX + 1,
            "c".repeat(CLIENT_ID_BYTES_MAX + 1)
        );
        check(
            &format!("{broker}{more}"),
            &[
                "a too long client_id",
                "connect_timeout_s = 301",
                "payload_bytes_max = 67108865",
                "gather_ms = 1001",
            ],
        );
    }

    #[test]
    fn a_host_of_sparkplug_has_a_name_and_no_other_status() {
        let broker = "network='n'\nurl='mqtt://b'\nclient_id='w'\n";
        check(&format!("{broker}sparkplug_host='bureau'\nstatus_topic=''"), &[]);
        check(&format!("{broker}sparkplug_host='a/b'"), &["`a/b`"]);
        let both = "status_topic beside sparkplug_host";
        check(&format!("{broker}sparkplug_host='a'\nstatus_topic='s'"), &[both]);
    }

    #[test]
    fn an_address_of_another_kind_is_refused() {
        check("network='n'\nurl='http://b'\nclient_id='w'", &["url `http://b`"]);
        check("network='n'\nurl='mqtt://b/a?c=1'\nclient_id='w'", &["url `mqtt://b/a?…`"]);
        // What stands in a url stands in every log line and on the page.
        check("network='n'\nurl='mqtt://u:p@b'\nclient_id='w'", &["url `…@b`"]);
    }
}
