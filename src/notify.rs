//! Notifications: what an alert's change reads like, and how it leaves. Sends, never decides.

mod group;
mod notice;
mod sentence;
pub mod webhook;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::domain::alert::Route;
use crate::domain::alerting::STEPS_MAX;
use crate::domain::desk::NoticeKind;
use crate::domain::fault::SettingFault;

pub use self::group::group;
use self::notice::sample;
pub use self::notice::{Letterhead, Notification, notification};
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
    /// From which step of an escalation on it is told; 0 is at once.
    #[serde(default)]
    pub step: u8,
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
        faults.extend(SettingFault::range("step", u64::from(self.step), 0..=STEPS_MAX as u64));
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
        Taker { channel: self.name.as_str().into(), routes, step: self.step }
    }
}

/// A channel, and which alerts it takes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Taker {
    /// Its name.
    pub channel: Box<str>,
    /// The routes.
    pub routes: Vec<Route>,
    /// From which step of an escalation on it is told; 0 is at once.
    pub step: u8,
}

impl Taker {
    /// Takes all alerts.
    #[must_use]
    pub fn all(channel: &str) -> Self {
        Self { channel: channel.into(), routes: Route::ALL.to_vec(), step: 0 }
    }
}

/// Gives the channels that take what goes by a route; where nobody knows by which, all of them.
/// What is passed on to a step goes to the channels of the step, everything else to those of all
/// steps that it reached.
#[must_use]
pub fn takers(all: &[Taker], route: Option<Route>, step: u8, kind: NoticeKind) -> Vec<Box<str>> {
    let takes = |taker: &&Taker| {
        let reached = match kind {
            NoticeKind::Escalation => taker.step == step,
            NoticeKind::Alerts | NoticeKind::Reminder | NoticeKind::Acknowledged => {
                taker.step <= step
            }
        };
        reached && route.is_none_or(|route| taker.routes.contains(&route))
    };
    all.iter().filter(takes).map(|taker| taker.channel.clone()).collect()
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
            takers(&[config.taker()], route, 0, NoticeKind::Alerts).len()
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
