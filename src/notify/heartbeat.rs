//! The dead man's switch: a beat to somebody outside, who calls when beats no longer come. What
//! beats is asked by `daemon`; here it leaves.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;
use reqwest::Url;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::http::causes;
use crate::domain::fault::SettingFault;
use crate::domain::time::{SECOND, Timestamp};

/// For how many beats the alert of Alertmanager stands: two may be lost.
const STANDS_BEATS: i64 = 3;
/// The longest between two beats, s.
const INTERVAL_S_MAX: u64 = 3_600;
/// The longest that a thread may give no sign of life, s.
const STUCK_AFTER_S_MAX: u64 = 3_600;
/// The longest that a request may take, s.
const TIMEOUT_S_MAX: u64 = 300;

/// How a beat is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// The address alone.
    #[default]
    Get,
    /// With a line about how weir does.
    Post,
}

impl Method {
    /// Gives the word used in the configuration.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// The section `[heartbeat]`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The address that is asked with each beat. It may hold a key, so it is never shown whole.
    pub url: Option<String>,
    /// How it is asked.
    #[serde(default)]
    pub method: Method,
    /// The address of an Alertmanager, which gets an alert that always fires.
    pub alertmanager: Option<String>,
    /// How this weir is called there; each has a name of its own.
    #[serde(default = "name")]
    pub name: String,
    /// How often it beats, s.
    #[serde(default = "interval_s")]
    pub interval_s: u64,
    /// For how long a thread may give no sign of life until weir counts as stuck, s.
    #[serde(default = "stuck_after_s")]
    pub stuck_after_s: u64,
    /// How long a request may take, s.
    #[serde(default = "timeout_s")]
    pub timeout_s: u64,
    /// A certificate authority to trust besides the public ones, PEM.
    pub ca_file: Option<PathBuf>,
}

impl fmt::Debug for Config {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, interval_s, .. } = self;
        let mut shown = out.debug_struct("Config");
        shown.field("name", name).field("interval_s", interval_s).finish_non_exhaustive()
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: None,
            method: Method::Get,
            alertmanager: None,
            name: name(),
            interval_s: interval_s(),
            stuck_after_s: stuck_after_s(),
            timeout_s: timeout_s(),
            ca_file: None,
        }
    }
}

fn name() -> String {
    "weir".to_owned()
}

fn interval_s() -> u64 {
    60
}

/// By default a thread counts as stuck after so many seconds: an engineering value.
#[must_use]
pub fn stuck_after_s() -> u64 {
    60
}

fn timeout_s() -> u64 {
    10
}

impl Config {
    /// Tells everything that is wrong with the section.
    #[must_use]
    pub fn faults(&self) -> Vec<SettingFault> {
        let mut faults = Vec::new();
        if self.url.is_none() && self.alertmanager.is_none() {
            let expected = "url, alertmanager or both";
            faults.push(SettingFault::new("url", "nobody who is told", expected));
        }
        let addresses = [("url", &self.url), ("alertmanager", &self.alertmanager)];
        faults.extend(addresses.into_iter().filter_map(|(key, url)| {
            let fault = address(url.as_deref()?).err()?;
            Some(SettingFault::new(key, format!("{key}: {fault}"), "http://… or https://…"))
        }));
        if self.name.trim().is_empty() {
            faults.push(SettingFault::new("name", "an empty name", "a name of its own"));
        }
        let ranges = [
            ("interval_s", self.interval_s, INTERVAL_S_MAX),
            ("stuck_after_s", self.stuck_after_s, STUCK_AFTER_S_MAX),
            ("timeout_s", self.timeout_s, TIMEOUT_S_MAX),
        ];
        let out = ranges.map(|(key, number, most)| SettingFault::range(key, number, 1..=most));
        faults.extend(out.into_iter().flatten());
        if let Err(fault) = client(self) {
            faults.push(SettingFault::new("ca_file", fault, "a readable certificate, PEM"));
        }
        faults
    }

    /// Gives those who are told.
    ///
    /// # Errors
    /// An address or the authority's file is not what it should be.
    pub fn hearts(&self) -> Result<Vec<Heart>, String> {
        let client = client(self)?;
        let heart = |to: To| Heart {
            to,
            client: client.clone(),
            name: self.name.clone(),
            interval_s: self.interval_s,
        };
        let mut hearts = Vec::new();
        if let Some(url) = &self.url {
            hearts.push(heart(To::Url(address(url)?, self.method)));
        }
        if let Some(url) = &self.alertmanager {
            let mut url = address(url)?;
            let path = format!("{}/api/v2/alerts", url.path().trim_end_matches('/'));
            url.set_path(&path);
            hearts.push(heart(To::Alertmanager(url)));
        }
        Ok(hearts)
    }
}

/// One who is told that weir lives.
pub struct Heart {
    to: To,
    client: reqwest::Client,
    name: String,
    interval_s: u64,
}

enum To {
    Url(Url, Method),
    Alertmanager(Url),
}

impl fmt::Debug for Heart {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Heart").field("host", &self.host()).finish_non_exhaustive()
    }
}

impl Heart {
    /// Gives host and port; all else of the address may be a key.
    #[must_use]
    pub fn host(&self) -> String {
        let (To::Url(url, _) | To::Alertmanager(url)) = &self.to;
        let host = url.host_str().unwrap_or_default();
        format!("{host}:{}", url.port_or_known_default().unwrap_or(80))
    }

    /// Beats once. `since` is when weir began, `words` a line about how it does.
    ///
    /// # Errors
    /// What kept the beat from being taken.
    pub async fn beat(&self, since: Timestamp, now: Timestamp, words: &str) -> Result<(), String> {
        let request = match &self.to {
            To::Url(url, Method::Get) => self.client.get(url.clone()),
            To::Url(url, Method::Post) => {
                self.client.post(url.clone()).body(format!("{}: {words}\n", self.name))
            }
            To::Alertmanager(url) => {
                let alert = self.alert(since, now, words).to_string();
                let kind = (reqwest::header::CONTENT_TYPE, "application/json");
                self.client.post(url.clone()).header(kind.0, kind.1).body(alert)
            }
        };
        let answer = request.send().await.map_err(|error| causes(&error.without_url()))?;
        let status = answer.status();
        if status.is_success() { Ok(()) } else { Err(format!("it answers {status}")) }
    }

    /// Reaches the host without a beat, which would hide that weir is dead.
    ///
    /// # Errors
    /// The host can't be reached, or its certificate not trusted.
    pub async fn probe(&self) -> Result<(), String> {
        let (To::Url(url, _) | To::Alertmanager(url)) = &self.to;
        let mut page = url.clone();
        page.set_path("/");
        page.set_query(None);
        let answer = self.client.head(page).send().await;
        answer.map(|_| ()).map_err(|error| causes(&error.without_url()))
    }

    /// Writes the alert that always fires, in the words of Alertmanager's API, version 2.
    fn alert(&self, since: Timestamp, now: Timestamp, words: &str) -> Value {
        let interval = i64::try_from(self.interval_s).unwrap_or(i64::MAX);
        let stands = interval.saturating_mul(STANDS_BEATS).saturating_mul(SECOND);
        let time = |at: Timestamp| at.rfc3339(&TimeZone::UTC);
        json!([{
            "labels": { "alertname": "Watchdog", "severity": "none", "instance": self.name },
            "annotations": {
                "summary_en": "weir lives; this alert always fires, and its end means that weir \
                    is dead or stuck",
                "summary_zh": "weir 运行正常；本告警始终触发，一旦结束即表示 weir 已停止或卡死",
                "status": words,
            },
            "startsAt": time(since),
            "endsAt": time(now.plus(stands)),
        }])
    }
}

fn address(url: &str) -> Result<Url, String> {
    let url = Url::parse(url).map_err(|error| format!("no address: {error}"))?;
    let fits = matches!(url.scheme(), "http" | "https") && url.host_str().is_some();
    if fits { Ok(url) } else { Err("no http or https address".to_owned()) }
}

fn client(config: &Config) -> Result<reqwest::Client, String> {
    let mut client = reqwest::Client::builder()
        .user_agent(concat!("weir/", env!("CARGO_PKG_VERSION")))
        .timeout(Duration::from_secs(config.timeout_s))
        // What redirects has taken no beat.
        .redirect(reqwest::redirect::Policy::none());
    if let Some(path) = &config.ca_file {
        let fault = |fault: String| format!("ca_file `{}`: {fault}", path.display());
        let pem = std::fs::read(path).map_err(|error| fault(error.to_string()))?;
        let held = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
        if held.map_err(|error| fault(error.to_string()))?.is_empty() {
            return Err(fault("there is no certificate in it".to_owned()));
        }
        let authority =
            reqwest::Certificate::from_pem(&pem).map_err(|error| fault(error.to_string()))?;
        client = client.add_root_certificate(authority);
    }
    client.build().map_err(|error| causes(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &[(&str, &str)]) {
        let config: Config = toml::from_str(text).unwrap();
        let faults = config.faults();
        let told: Vec<(&str, &str)> =
            faults.iter().map(|fault| (fault.key, &*fault.found)).collect();
        assert_eq!(told, want);
    }

    #[test]
    fn an_address_is_enough_and_one_is_needed() {
        check("url = 'https://h/key'", &[]);
        check("alertmanager = 'http://h:9093'", &[]);
        check("", &[("url", "nobody who is told")]);
    }

    #[test]
    fn everything_wrong_is_told_at_once_and_no_key_of_an_address() {
        let text = "url = 'ftp://h/key'\nalertmanager = 'h'\nname = ' '\ninterval_s = 0\n\
            stuck_after_s = 4000\ntimeout_s = 301\nca_file = '/nowhere'";
        check(
            text,
            &[
                ("url", "url: no http or https address"),
                ("alertmanager", "alertmanager: no address: relative URL without a base"),
                ("name", "an empty name"),
                ("interval_s", "interval_s = 0"),
                ("stuck_after_s", "stuck_after_s = 4000"),
                ("timeout_s", "timeout_s = 301"),
                ("ca_file", "ca_file `/nowhere`: No such file or directory (os error 2)"),
            ],
        );
    }

    #[test]
    fn what_is_shown_of_an_address_is_its_host() {
        let text = "url = 'https://u:p@h/key?k=key'\nalertmanager = 'http://am/below/'";
        let config: Config = toml::from_str(text).unwrap();
        let hearts = config.hearts().unwrap();
        let shown = format!("{config:?} {hearts:?}");
        assert!(!shown.contains("key") && !shown.contains("u:p"), "{shown}");
        let hosts: Vec<String> = hearts.iter().map(Heart::host).collect();
        assert_eq!(hosts, ["h:443", "am:80"]);
        let To::Alertmanager(url) = &hearts[1].to else { panic!("{hearts:?}") };
        assert_eq!(url.path(), "/below/api/v2/alerts");
    }

    #[test]
    fn the_alert_stands_for_three_beats() {
        let config: Config = toml::from_str("alertmanager = 'http://h'\ninterval_s = 20").unwrap();
        let alert = config.hearts().unwrap()[0].alert(Timestamp(0), Timestamp(3_600_000), "well");
        let alert = &alert[0];
        assert_eq!(alert["labels"]["alertname"], "Watchdog");
        assert_eq!(alert["labels"]["instance"], "weir");
        assert_eq!(alert["startsAt"], "1970-01-01T00:00:00+00:00");
        assert_eq!(alert["endsAt"], "1970-01-01T01:01:00+00:00");
        assert_eq!(alert["annotations"]["status"], "well");
    }
}
