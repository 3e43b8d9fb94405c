//! A section `[[channel]]` of the configuration: what each kind of channel may be told.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::Deserialize;

use super::{Channel, Error, Taker, dingtalk, feishu, wecom};
use crate::domain::alert::Route;
use crate::domain::alerting::STEPS_MAX;
use crate::domain::fault::SettingFault;

/// The longest that a request may take, s.
const TIMEOUT_S_MAX: u64 = 300;
/// The most notifications a minute that a channel may be set to.
pub const PER_MINUTE_MAX: u32 = 600;

/// The kind of a channel.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// JSON by POST.
    Webhook,
    /// A robot of DingTalk.
    Dingtalk,
    /// A robot of WeCom.
    Wecom,
    /// A robot of Feishu.
    Feishu,
    /// A request that the configuration describes.
    Http,
    /// A program.
    Command,
    /// Alertmanager's API v2.
    Alertmanager,
    /// Mail over SMTP.
    Mail,
    /// MQTT, to one of the brokers.
    Mqtt,
}

/// The language of a text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    En,
    /// Chinese.
    #[default]
    Zh,
}

impl Language {
    /// Gives the word of the configuration.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh",
        }
    }
}

/// The settings of every channel.
const ALL: &[&str] = &["name", "kind", "routes", "step", "per_minute", "timeout_s"];
/// Those of every channel that speaks HTTP.
const HTTP: &[&str] = &["url", "proxy", "ca_file"];
/// Those of every channel that has one secret.
const SECRET: &[&str] = &["secret_file", "secret_env"];
/// Those of every channel that writes a text.
const TEXT: &[&str] = &["language", "template"];
/// Those of a described request.
const DESCRIBED: &[&str] = &[
    "method",
    "headers",
    "body",
    "secret_files",
    "success_status",
    "success_pointer",
    "success_value",
];

/// Those of mail.
const MAIL: &[&str] = &["url", "ca_file", "user", "from", "to"];

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Webhook,
        Self::Dingtalk,
        Self::Wecom,
        Self::Feishu,
        Self::Http,
        Self::Command,
        Self::Alertmanager,
        Self::Mail,
        Self::Mqtt,
    ];

    /// Gives the word of the configuration.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Dingtalk => "dingtalk",
            Self::Wecom => "wecom",
            Self::Feishu => "feishu",
            Self::Http => "http",
            Self::Command => "command",
            Self::Alertmanager => "alertmanager",
            Self::Mail => "mail",
            Self::Mqtt => "mqtt",
        }
    }

    /// Gives the settings that it has beside those of every channel.
    fn own(self) -> Vec<&'static str> {
        match self {
            Self::Webhook => [HTTP, SECRET, TEXT].concat(),
            Self::Dingtalk | Self::Feishu => [HTTP, SECRET, TEXT, &["mention", "keyword"]].concat(),
            Self::Wecom => [HTTP, TEXT, &["mention"]].concat(),
            Self::Http => [HTTP, SECRET, TEXT, DESCRIBED].concat(),
            Self::Command => [TEXT, &["command", "environment"]].concat(),
            Self::Alertmanager => [HTTP, SECRET].concat(),
            Self::Mail => [MAIL, SECRET, TEXT].concat(),
            Self::Mqtt => vec!["broker", "topic"],
        }
    }

    /// Whether it has a setting.
    pub(super) fn has(self, key: &str) -> bool {
        ALL.contains(&key) || self.own().contains(&key)
    }

    /// Whether its receiver keeps an account of every alert, and does not just read a notice.
    #[must_use]
    pub fn keeps(self) -> bool {
        matches!(self, Self::Alertmanager | Self::Mqtt)
    }

    /// How many notifications a minute its receiver takes by what it documents; none if it says
    /// nothing.
    #[must_use]
    pub fn per_minute(self) -> Option<u32> {
        match self {
            Self::Dingtalk => Some(dingtalk::PER_MINUTE),
            Self::Wecom => Some(wecom::PER_MINUTE),
            Self::Feishu => Some(feishu::PER_MINUTE),
            Self::Webhook
            | Self::Http
            | Self::Command
            | Self::Alertmanager
            | Self::Mail
            | Self::Mqtt => None,
        }
    }

    /// How many a second.
    #[must_use]
    pub fn per_second(self) -> Option<u32> {
        match self {
            Self::Feishu => Some(feishu::PER_SECOND),
            Self::Webhook
            | Self::Dingtalk
            | Self::Wecom
            | Self::Http
            | Self::Command
            | Self::Alertmanager
            | Self::Mail
            | Self::Mqtt => None,
        }
    }
}

/// One `[[channel]]` of the configuration. What belongs to some kinds only is refused in others.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Its name, unique among channels.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// Which routes of alerts it takes: `environment`, `instrument`, `weir`.
    #[serde(default = "all_routes")]
    pub routes: Vec<String>,
    /// From which step of an escalation on it is told; 0 is at once.
    #[serde(default)]
    pub step: u8,
    /// How many notifications a minute it is sent at most; by default what its receiver takes.
    pub per_minute: Option<u32>,
    /// How long a request may take, s.
    #[serde(default = "timeout_s")]
    pub timeout_s: u64,
    /// Where notifications go. It may hold a secret of the receiver's, so it is never shown whole.
    pub url: Option<String>,
    /// The HTTP proxy through which requests go. It may hold a password, so it is never shown.
    pub proxy: Option<String>,
    /// A certificate authority to trust besides the public ones, PEM.
    pub ca_file: Option<PathBuf>,
    /// The file that holds the secret for signing.
    pub secret_file: Option<PathBuf>,
    /// The environment variable that holds it, where no file does.
    pub secret_env: Option<String>,
    /// The language of its texts.
    pub language: Option<Language>,
    /// A minijinja template of what is sent, instead of weir's own text.
    pub template: Option<PathBuf>,
    /// Whom a robot calls by name: mobile numbers or `all` (DingTalk), open ids or `all` (Feishu),
    /// ids of users (WeCom).
    pub mention: Option<Vec<String>>,
    /// A word that the robot asks of each message.
    pub keyword: Option<String>,
    /// The method of a described request.
    pub method: Option<String>,
    /// Its headers, by name; templates.
    pub headers: Option<BTreeMap<String, String>>,
    /// Its body, a template.
    pub body: Option<String>,
    /// Files that hold secrets, by the name that templates give them.
    pub secret_files: Option<BTreeMap<String, PathBuf>>,
    /// Which statuses are success; without it those from 200 to 299.
    pub success_status: Option<Vec<u16>>,
    /// Which part of the answer tells of success, a JSON pointer.
    pub success_pointer: Option<String>,
    /// What it says then.
    pub success_value: Option<String>,
    /// The path of a program, and its arguments.
    pub command: Option<Vec<String>>,
    /// The variables of weir's environment that it is given.
    pub environment: Option<Vec<String>>,
    /// The user of a mail server.
    pub user: Option<String>,
    /// From whom mails are.
    pub from: Option<String>,
    /// To whom they go.
    pub to: Option<Vec<String>>,
    /// The network of the broker to which a channel of MQTT publishes.
    pub broker: Option<String>,
    /// The beginning of its topics.
    pub topic: Option<String>,
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

impl Config {
    /// Gives each setting that only some kinds have, and whether it is there.
    fn given(&self) -> Vec<(&'static str, bool)> {
        vec![
            ("url", self.url.is_some()),
            ("proxy", self.proxy.is_some()),
            ("ca_file", self.ca_file.is_some()),
            ("secret_file", self.secret_file.is_some()),
            ("secret_env", self.secret_env.is_some()),
            ("language", self.language.is_some()),
            ("template", self.template.is_some()),
            ("mention", self.mention.is_some()),
            ("keyword", self.keyword.is_some()),
            ("method", self.method.is_some()),
            ("headers", self.headers.is_some()),
            ("body", self.body.is_some()),
            ("secret_files", self.secret_files.is_some()),
            ("success_status", self.success_status.is_some()),
            ("success_pointer", self.success_pointer.is_some()),
            ("success_value", self.success_value.is_some()),
            ("command", self.command.is_some()),
            ("environment", self.environment.is_some()),
            ("user", self.user.is_some()),
            ("from", self.from.is_some()),
            ("to", self.to.is_some()),
            ("broker", self.broker.is_some()),
            ("topic", self.topic.is_some()),
        ]
    }

    /// Gives every file that the section names, to make relative paths absolute.
    pub fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let files = [&mut self.secret_file, &mut self.template, &mut self.ca_file];
        let named = self.secret_files.iter_mut().flat_map(BTreeMap::values_mut);
        files.into_iter().flatten().chain(named)
    }

    /// Tells everything that is wrong with the section.
    #[must_use]
    pub fn faults(&self) -> Vec<SettingFault> {
        let mut faults = Vec::new();
        if self.name.trim().is_empty() {
            faults.push(SettingFault::new("name", "an empty name", "a name of its own"));
        }
        faults.extend(self.foreign());
        faults.extend(Channel::faults(self).iter().map(|error| {
            let (key, expected) = error.setting();
            SettingFault::new(key, error.to_string(), expected)
        }));
        faults.extend(SettingFault::range("timeout_s", self.timeout_s, 1..=TIMEOUT_S_MAX));
        faults.extend(SettingFault::range("step", self.step.into(), 0..=STEPS_MAX as u64));
        if let Some(count) = self.per_minute {
            let range = 1..=u64::from(PER_MINUTE_MAX);
            faults.extend(SettingFault::range("per_minute", count.into(), range));
        }
        let unknown = self.routes.iter().find(|word| Route::from_word(word).is_none());
        let found = match unknown {
            Some(word) => Some(format!("route `{word}`")),
            None => self.routes.is_empty().then(|| "no route".to_owned()),
        };
        let expected = "some of `environment`, `instrument`, `weir`, or no such key for all";
        faults.extend(found.map(|found| SettingFault::new("routes", found, expected)));
        faults
    }

    /// Tells what is wrong but for a template that is broken: without it weir's own text is sent.
    #[must_use]
    pub fn faults_to_run(&self) -> Vec<SettingFault> {
        let mut faults = self.faults();
        faults.retain(|fault| fault.key != "template" || !self.kind.has("template"));
        faults
    }

    /// Tells which settings are of another kind.
    fn foreign(&self) -> Vec<SettingFault> {
        let kind = self.kind.word();
        let foreign = self.given().into_iter().filter(|(key, is)| *is && !self.kind.has(key));
        let told = foreign.map(|(key, _)| {
            let keys = [ALL.to_vec(), self.kind.own()].concat().join("`, `");
            let found = format!("{key} in a channel of kind `{kind}`");
            SettingFault::new(key, found, format!("what this kind has: `{keys}`"))
        });
        told.collect()
    }

    /// Gives who the channel is and what it takes.
    #[must_use]
    pub fn taker(&self) -> Taker {
        let routes = self.routes.iter().filter_map(|word| Route::from_word(word)).collect();
        let (channel, keeps) = (self.name.as_str().into(), self.kind.keeps());
        Taker { channel, routes, step: self.step, keeps }
    }

    /// How many notifications it is sent at most, a minute and a second.
    pub(super) fn rates(&self) -> (Option<u32>, Option<u32>) {
        (self.per_minute.or(self.kind.per_minute()), self.kind.per_second())
    }

    /// Reads the secret, if there is one.
    pub(super) fn secret(&self) -> Result<Option<SecretString>, Error> {
        let channel = self.name.clone();
        let (key, text) = match (&self.secret_file, &self.secret_env) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => return Err(Error::BothSecrets { channel }),
            (Some(path), None) => ("secret_file", self.read("secret_file", path)?),
            (None, Some(name)) => match std::env::var(name) {
                Ok(text) => ("secret_env", text),
                Err(_) => return Err(Error::Environment { channel, name: name.clone() }),
            },
        };
        match text.trim() {
            "" => Err(Error::Secret { channel, key }),
            text => Ok(Some(SecretString::from(text))),
        }
    }

    /// Reads a file that a setting names.
    pub(super) fn read(&self, key: &'static str, path: &Path) -> Result<String, Error> {
        std::fs::read_to_string(path).map_err(|source| Error::File {
            channel: self.name.clone(),
            key,
            path: path.to_owned(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::takers;
    use super::*;
    use crate::domain::desk::NoticeKind;

    fn config(settings: &str) -> Config {
        let text = format!("name='n'\nkind='webhook'\nurl='http://h'\n{settings}");
        toml::from_str::<Config>(&text).unwrap()
    }

    #[test]
    fn a_channel_takes_the_routes_that_it_names_or_all() {
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
    fn numbers_have_their_ranges() {
        let faults = |settings: &str| config(settings).faults();
        for (sound, wrong, found) in [
            (format!("timeout_s={TIMEOUT_S_MAX}"), "timeout_s=301", "timeout_s = 301"),
            (format!("per_minute={PER_MINUTE_MAX}"), "per_minute=601", "per_minute = 601"),
            ("per_minute=1".to_owned(), "per_minute=0", "per_minute = 0"),
            (format!("step={STEPS_MAX}"), "step=4", "step = 4"),
        ] {
            assert_eq!(faults(&sound), [], "{sound}");
            assert_eq!(faults(wrong)[0].found, found);
        }
    }

    #[test]
    fn each_setting_belongs_to_some_kind() {
        let known = config("").given();
        for kind in Kind::ALL {
            let text = format!("name='n'\nkind='{}'\nurl='http://h'", kind.word());
            assert_eq!(toml::from_str::<Config>(&text).unwrap().kind, kind);
            for key in kind.own() {
                assert!(known.iter().any(|(known, _)| *known == key), "{key}");
            }
        }
        for (key, _) in known {
            assert!(Kind::ALL.iter().any(|kind| kind.has(key)), "{key} belongs to no kind");
        }
    }

    #[test]
    fn what_belongs_to_another_kind_is_refused_by_name() {
        let faults = config("keyword='weir'").faults();
        let [fault] = &*faults else { panic!("{faults:?}") };
        assert_eq!(fault.key, "keyword");
        assert_eq!(fault.found, "keyword in a channel of kind `webhook`");
        assert!(fault.expected.contains("`secret_env`, `language`, `template`"), "{fault:?}");
    }
}
