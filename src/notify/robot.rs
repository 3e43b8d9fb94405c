//! Robots of group chats: a text in Markdown by POST, to an address that holds the robot's key.
//! Their houses answer 200 to what they refuse, with a code in the body. What is of one house alone
//! has a file of its own.

use reqwest::header::CONTENT_TYPE;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::config::Kind;
use super::http::{Answer, Http};
use super::text::{Form, Texts, view};
use super::{Config, Error, Sent, dingtalk, feishu, sample, wecom};
use crate::domain::time::Timestamp;

/// Whose robot it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum House {
    /// DingTalk (钉钉).
    Dingtalk,
    /// WeCom (企业微信).
    Wecom,
    /// Feishu (飞书), and Lark.
    Feishu,
}

/// A robot that is ready to send.
#[derive(Debug)]
pub(super) struct Robot {
    house: House,
    pub(super) http: Http,
    secret: Option<SecretString>,
    texts: Texts,
    keyword: Option<String>,
    mention: Vec<String>,
}

/// What a robot says of a notification.
pub(super) struct Message<'a> {
    pub(super) title: String,
    pub(super) text: String,
    /// Whom to call by name; nobody where nothing is to be done.
    pub(super) mention: &'a [String],
    /// The worst severity.
    pub(super) severity: &'static str,
    /// Whether it is over.
    pub(super) over: bool,
    /// Whether it is about alerts, and not a test or a report.
    pub(super) alarms: bool,
}

/// What a house means by the code of its answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Meaning {
    /// The group has the message.
    Taken,
    /// The robot is sent to too often, and silent for so many seconds.
    TooOften(u64),
    /// The house is busy.
    Busy,
    /// Anything else.
    Refused,
}

impl House {
    /// Gives the house of a kind of channel.
    pub(super) fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Dingtalk => Some(Self::Dingtalk),
            Kind::Wecom => Some(Self::Wecom),
            Kind::Feishu => Some(Self::Feishu),
            Kind::Webhook
            | Kind::Http
            | Kind::Command
            | Kind::Alertmanager
            | Kind::Mail
            | Kind::Mqtt => None,
        }
    }

    fn form(self) -> Form {
        match self {
            Self::Dingtalk | Self::Wecom => Form::Markdown,
            Self::Feishu => Form::Card,
        }
    }

    fn text_bytes_max(self) -> usize {
        match self {
            Self::Dingtalk => dingtalk::TEXT_BYTES_MAX,
            Self::Wecom => wecom::TEXT_BYTES_MAX,
            Self::Feishu => feishu::TEXT_BYTES_MAX,
        }
    }

    /// Gives the code of an answer; none if it is no answer of the house.
    fn code(self, body: &[u8]) -> Option<i64> {
        let answer: Value = serde_json::from_slice(body).ok()?;
        let keys: &[&str] = match self {
            Self::Dingtalk | Self::Wecom => &["errcode"],
            // Older addresses answer with the second.
            Self::Feishu => &["code", "StatusCode"],
        };
        keys.iter().find_map(|key| answer.get(key)?.as_i64())
    }

    fn meaning(self, code: i64) -> Meaning {
        match self {
            Self::Dingtalk => dingtalk::meaning(code),
            Self::Wecom => wecom::meaning(code),
            Self::Feishu => feishu::meaning(code),
        }
    }
}

impl Robot {
    pub(super) fn new(house: House, config: &Config) -> Result<Self, Error> {
        let secret = config.secret()?;
        Ok(Self {
            house,
            http: Http::new(config, secret.clone())?,
            secret,
            texts: Texts::new(config),
            keyword: config.keyword.clone(),
            mention: config.mention.clone().unwrap_or_default(),
        })
    }

    /// Gives everything that is wrong with the section; the template is tried on a sample.
    pub(super) fn faults(config: &Config) -> Vec<Error> {
        let mut faults = Http::faults(config);
        faults.extend(config.secret().err());
        let mention = config.mention.as_deref().unwrap_or_default();
        if config.kind == Kind::Wecom && mention.iter().any(|one| one == "all") {
            faults.push(Error::Setting {
                channel: config.name.clone(),
                key: "mention",
                found: "`all`, whom its Markdown can't call".to_owned(),
                expected: "ids of users",
            });
        }
        faults.extend(Texts::try_on(config, &sample(), &serde_json::Map::new()).err());
        faults
    }

    pub(super) async fn send(&self, id: &str, body: &Value, now: Timestamp) -> Sent {
        let message = self.message(id, body);
        let secret = self.secret.as_ref().map(|secret| secret.expose_secret());
        let (url, json) = match self.house {
            House::Dingtalk => {
                (dingtalk::signed(&self.http.url, secret, now), dingtalk::json(&message))
            }
            House::Wecom => (self.http.url.clone(), wecom::json(&message)),
            House::Feishu => (self.http.url.clone(), feishu::json(&message, secret, now)),
        };
        let request = self.http.request(reqwest::Method::POST, url);
        let request = request.header(CONTENT_TYPE, "application/json; charset=utf-8");
        match self.http.ask(request.body(json.to_string())).await {
            Ok(answer) => self.judge(answer),
            Err(sent) => sent,
        }
    }

    fn message(&self, id: &str, body: &Value) -> Message<'_> {
        let over = body["status"] == "resolved";
        let alarms = matches!(view::kind(body), "alerts" | "reminder" | "escalation");
        let mention = if alarms && !over { &*self.mention } else { &[] };
        let title = self.texts.title(body);
        let room = self.house.text_bytes_max();
        let mut text = self.texts.write(id, body, self.house.form(), room);
        if let Some(keyword) = &self.keyword
            && !text.contains(keyword)
            && !title.contains(keyword)
        {
            text.push_str("\n\n");
            text.push_str(keyword);
        }
        Message { title, text, mention, severity: view::worst(body), over, alarms }
    }

    /// Takes an answer for what the house says in its body.
    fn judge(&self, answer: Answer) -> Sent {
        let code = self.house.code(&answer.body);
        if !answer.status.is_success() {
            // A gateway may say with a status of its own that it is asked too often.
            let passes = match code.map(|code| self.house.meaning(code)) {
                Some(Meaning::TooOften(seconds)) => Some(std::time::Duration::from_secs(seconds)),
                Some(Meaning::Busy) => answer.after,
                Some(Meaning::Taken | Meaning::Refused) | None => return answer.sent(),
            };
            let words = format!("{} {}", answer.status.as_u16(), answer.words);
            return Sent::Retry { after: answer.after.max(passes), words };
        }
        let (status, words) = (answer.status.as_u16(), answer.words);
        let Some(code) = code else {
            let words = format!("this is no answer of the robot's house: {words}");
            return Sent::Refused { status: Some(status), words };
        };
        match self.house.meaning(code) {
            Meaning::Taken => Sent::Confirmed { status, words },
            Meaning::TooOften(seconds) => {
                let after = Some(std::time::Duration::from_secs(seconds));
                Sent::Retry { after, words: format!("sent to too often: {words}") }
            }
            Meaning::Busy => Sent::Retry { after: answer.after, words },
            Meaning::Refused => Sent::Refused { status: Some(status), words },
        }
    }
}
