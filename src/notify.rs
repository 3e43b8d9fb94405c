//! Notifications: what an alert's change reads like, and how it leaves. Sends, never decides.

pub mod alertmanager;
mod command;
pub mod config;
mod described;
mod dingtalk;
mod error;
mod feishu;
mod group;
pub mod heartbeat;
mod http;
mod mail;
pub mod morning;
pub mod mqtt;
mod notice;
pub mod pace;
mod robot;
mod sentence;
pub mod text;
mod trial;
pub mod webhook;
mod wecom;

use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;

use crate::domain::alert::Route;
use crate::domain::desk::{Notice, NoticeKind};
use crate::domain::time::Timestamp;

use self::alertmanager::{Alertmanager, Firing};
use self::command::Runner;
pub use self::config::{Config, Kind, Language};
use self::described::Described;
pub use self::error::Error;
pub use self::group::{group, parts};
use self::http::Http;
use self::mail::Mail;
use self::mqtt::{Mqtt, Parcel};
use self::notice::sample;
pub use self::notice::{Letterhead, Notification, in_row, notification};
use self::pace::Pace;
use self::robot::{House, Robot};
pub use self::sentence::clause_zh;
pub use self::trial::trial;
use self::webhook::Webhook;

/// The first wait after a failure.
pub const RETRY_FIRST: Duration = Duration::from_secs(1);
/// The longest wait between two attempts.
pub const RETRY_MAX: Duration = Duration::from_secs(300);
/// The longest wait that a receiver may ask for. Who asks sooner than it wants is kept out longer.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);

/// A channel, and which alerts it takes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Taker {
    /// Its name.
    pub channel: Box<str>,
    /// The routes.
    pub routes: Vec<Route>,
    /// From which step of an escalation on it is told; 0 is at once.
    pub step: u8,
    /// Whether it keeps an account of every alert: it is told of those, too, that a notice only
    /// counts.
    pub keeps: bool,
}

impl Taker {
    /// Takes all alerts, and keeps no account.
    #[must_use]
    pub fn all(channel: &str) -> Self {
        Self { channel: channel.into(), routes: Route::ALL.to_vec(), step: 0, keeps: false }
    }

    fn takes(&self, route: Option<Route>, step: u8, kind: NoticeKind) -> bool {
        let reached = match kind {
            NoticeKind::Escalation => self.step == step,
            NoticeKind::Alerts | NoticeKind::Reminder | NoticeKind::Acknowledged => {
                self.step <= step
            }
        };
        reached && route.is_none_or(|route| self.routes.contains(&route))
    }
}

/// Gives the channels that take what goes by a route; where nobody knows by which, all of them.
/// What is passed on to a step goes to the channels of the step, everything else to those of all
/// steps that it reached.
#[must_use]
pub fn takers(all: &[Taker], route: Option<Route>, step: u8, kind: NoticeKind) -> Vec<Box<str>> {
    let takes = all.iter().filter(|taker| taker.takes(route, step, kind));
    takes.map(|taker| taker.channel.clone()).collect()
}

/// Gives those of them that keep an account of every alert of a notice.
#[must_use]
pub fn keepers(all: &[Taker], notice: &Notice) -> Vec<Box<str>> {
    let (route, step, kind) = (notice.route, notice.step, notice.kind);
    let keeps = all.iter().filter(|taker| taker.keeps && taker.takes(route, step, kind));
    keeps.map(|taker| taker.channel.clone()).collect()
}

/// A channel, ready to send.
#[derive(Debug)]
pub struct Channel {
    name: String,
    routes: Vec<String>,
    rates: (Option<u32>, Option<u32>),
    way: Way,
}

/// How a channel sends.
#[derive(Debug)]
enum Way {
    Webhook(Webhook),
    Robot(Robot),
    Described(Described),
    Command(Runner),
    Alertmanager(Alertmanager),
    Mail(Box<Mail>),
    Mqtt(Mqtt),
}

impl Channel {
    /// Reads secrets and template and sets up the client; sends nothing. With a template that is
    /// broken, weir's own text is sent instead.
    ///
    /// # Errors
    /// Whatever else of the configuration is wrong.
    pub fn new(config: &Config) -> Result<Self, Error> {
        let way = match (config.kind, House::of(config.kind)) {
            (_, Some(house)) => Way::Robot(Robot::new(house, config)?),
            (Kind::Http, None) => Way::Described(Described::new(config)?),
            (Kind::Command, None) => Way::Command(Runner::new(config)?),
            (Kind::Alertmanager, None) => Way::Alertmanager(Alertmanager::new(config)?),
            (Kind::Mail, None) => Way::Mail(Box::new(Mail::new(config)?)),
            (Kind::Mqtt, None) => Way::Mqtt(Mqtt::new(config)?),
            (Kind::Webhook | Kind::Dingtalk | Kind::Wecom | Kind::Feishu, None) => {
                Way::Webhook(Webhook::new(config)?)
            }
        };
        let (name, routes) = (config.name.clone(), config.routes.clone());
        Ok(Self { name, routes, rates: config.rates(), way })
    }

    /// Whether it is told of alerts of a route.
    #[must_use]
    pub fn takes(&self, route: &str) -> bool {
        self.routes.iter().any(|one| one == route)
    }

    /// Gives everything that is wrong with what belongs to its kind.
    fn faults(config: &Config) -> Vec<Error> {
        match config.kind {
            Kind::Webhook => Webhook::faults(config),
            Kind::Dingtalk | Kind::Wecom | Kind::Feishu => Robot::faults(config),
            Kind::Http => Described::faults(config),
            Kind::Command => Runner::faults(config),
            Kind::Alertmanager => Alertmanager::faults(config),
            Kind::Mail => Mail::faults(config),
            Kind::Mqtt => Mqtt::faults(config),
        }
    }

    /// Gives its way by HTTP, if it has one.
    fn http(&self) -> Option<&Http> {
        match &self.way {
            Way::Webhook(webhook) => Some(&webhook.http),
            Way::Robot(robot) => Some(&robot.http),
            Way::Described(described) => Some(&described.http),
            Way::Alertmanager(alertmanager) => Some(&alertmanager.http),
            Way::Command(_) | Way::Mail(_) | Way::Mqtt(_) => None,
        }
    }

    /// Gives what a channel of MQTT publishes, once, and the network of the broker for it.
    pub fn parcels(&mut self) -> Option<(String, mpsc::Receiver<Parcel>)> {
        match &mut self.way {
            Way::Mqtt(mqtt) => mqtt.parcels(),
            Way::Webhook(_)
            | Way::Robot(_)
            | Way::Described(_)
            | Way::Command(_)
            | Way::Alertmanager(_)
            | Way::Mail(_) => None,
        }
    }

    /// Gives the channel's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Gives how fast it may be sent to.
    #[must_use]
    pub fn pace(&self) -> Pace {
        let (per_minute, per_second) = self.rates;
        Pace::new(per_minute, per_second)
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
/// can know a repetition. `now` is the time of the world, whatever clock weir runs by: signatures
/// hold for an hour of it.
pub async fn send(channel: &Channel, id: &str, body: &Value, now: Timestamp) -> Sent {
    match &channel.way {
        Way::Webhook(webhook) => webhook.send(id, body).await,
        Way::Robot(robot) => robot.send(id, body, now).await,
        Way::Described(described) => described.send(id, body, now).await,
        Way::Command(command) => command.send(id, body).await,
        Way::Alertmanager(alertmanager) => alertmanager.send(body, now).await,
        Way::Mail(mail) => mail.send(id, body, now).await,
        Way::Mqtt(mqtt) => mqtt.send(id, body).await,
    }
}

/// Gives how often a channel must be told of what fires and what no longer does, beside notices;
/// none if it keeps no account of it.
#[must_use]
pub fn renews_every(channel: &Channel) -> Option<Duration> {
    let keeps = matches!(channel.way, Way::Alertmanager(_) | Way::Mqtt(_));
    keeps.then_some(alertmanager::RENEW_EVERY)
}

/// Tells a channel again of what fires, where it forgets, and of ends that no notice told.
pub async fn renew(channel: &Channel, firing: &Firing, now: Timestamp) -> Option<Sent> {
    match &channel.way {
        Way::Alertmanager(alertmanager) => Some(alertmanager.renew(firing, now).await),
        Way::Mqtt(mqtt) => Some(mqtt.renew(firing).await),
        Way::Webhook(_) | Way::Robot(_) | Way::Described(_) | Way::Command(_) | Way::Mail(_) => {
            None
        }
    }
}

/// Posts alerts of Alertmanager's API v2 as they are, such as one that says weir is alive; none
/// where the channel is no Alertmanager.
pub async fn post_alerts(channel: &Channel, alerts: Vec<Value>) -> Option<Sent> {
    match &channel.way {
        Way::Alertmanager(alertmanager) => Some(alertmanager.post(alerts).await),
        Way::Webhook(_)
        | Way::Robot(_)
        | Way::Described(_)
        | Way::Command(_)
        | Way::Mail(_)
        | Way::Mqtt(_) => None,
    }
}

/// Reaches the channel's host without messaging anybody.
///
/// # Errors
/// The host can't be reached, or its certificate not trusted; a program can't be run.
pub async fn probe(channel: &Channel) -> Result<(), Error> {
    match (&channel.way, channel.http()) {
        (Way::Command(command), _) => command.probe(&channel.name),
        (Way::Mail(mail), _) => mail.probe().await,
        (_, Some(http)) => http.probe().await,
        (_, None) => Ok(()),
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
}
