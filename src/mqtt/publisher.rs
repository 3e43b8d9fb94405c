//! Publishing, over rumqttc's own client: alerts and simulated stations.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Filter, LastWill, PubAckReason};
use rumqttc::v5::{AsyncClient, Event, EventLoop, Incoming, MqttOptions, Request};
use rumqttc::{TlsConfiguration, Transport};
use secrecy::ExposeSecret as _;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use url::Url;

use crate::domain::input::Qos;
use crate::mqtt::Error;
use crate::mqtt::backoff::Backoff;
use crate::mqtt::config::Config;
use crate::mqtt::greet::password;
use crate::mqtt::stream;

/// How many publishes may wait or be under way; more wait in [`Publisher::publish`].
const WINDOW: u16 = 100;
/// How many messages above QoS 0 may be without a confirmation, over any number of connections;
/// more wait in [`Publisher::publish`].
const UNCONFIRMED_MAX: u64 = 2 * WINDOW as u64;
/// How many messages that it heard may wait; more are dropped.
const HEARD_MAX: usize = 1_000;
/// A connection that lasted this long was none that the broker drops at once: the next wait is the
/// first again.
const HELD: Duration = Duration::from_secs(1);

/// A client that publishes.
#[derive(Debug)]
pub struct Publisher {
    client: AsyncClient,
    task: JoinHandle<()>,
    sent: AtomicU64,
    told: Arc<Told>,
}

/// What the broker said.
#[derive(Debug, Default)]
struct Told {
    confirmed: AtomicU64,
    /// How many messages it does not want, and why the last.
    refused: AtomicU64,
    refusal: ArcSwapOption<String>,
    /// How many times it let the client in.
    sessions: AtomicU64,
    /// Why the connection is away.
    fault: ArcSwapOption<String>,
    changed: Notify,
}

/// What a publisher does beside publishing.
#[derive(Debug, Default)]
pub struct Manner {
    /// What the broker publishes when the connection breaks, for the number of
    /// the session, from 0.
    pub will: Option<fn(u64) -> Heard>,
    /// The filters of what it hears.
    pub hears: Vec<String>,
}

/// A message, heard or left as a will.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Heard {
    /// The topic.
    pub topic: String,
    /// The payload.
    pub payload: Vec<u8>,
}

impl Publisher {
    /// Connects to `mqtt://host:port`; keeps trying in the background.
    ///
    /// # Errors
    /// The address is none.
    pub fn connect(url: &str, client_id: &str) -> Result<Self, Error> {
        let (options, manner) = (options(url, client_id)?, Manner::default());
        Ok(Self::start(options, manner).0)
    }

    /// Connects to a broker as the configuration says it, under a client id of its own; keeps
    /// trying in the background. What it hears comes from the receiver.
    ///
    /// # Errors
    /// The address is none, or a file of the configuration can't be used.
    pub fn join(config: &Config, manner: Manner) -> Result<(Self, mpsc::Receiver<Heard>), Error> {
        let client_id = format!("{}-{:08x}", config.client_id, fastrand::u32(..));
        let mut options = options(&config.url, &client_id)?;
        options.set_connection_timeout(config.connect_timeout_s);
        if let Some(user) = &config.user {
            options.set_credentials(user, password(config)?.expose_secret());
        }
        if config.url.starts_with("mqtts:") {
            let client = TlsConfiguration::Rustls(Arc::new(stream::client(config)?));
            options.set_transport(Transport::tls_with_config(client));
        }
        Ok(Self::start(options, manner))
    }

    fn start(options: MqttOptions, manner: Manner) -> (Self, mpsc::Receiver<Heard>) {
        let (client, events) = AsyncClient::new(options, WINDOW.into());
        let told = Arc::new(Told::default());
        let (hear, heard) = mpsc::channel(HEARD_MAX);
        let session =
            Session { events, client: client.clone(), told: Arc::clone(&told), hear, manner };
        let task = tokio::spawn(session.run());
        (Self { client, task, sent: AtomicU64::new(0), told }, heard)
    }

    /// Hands a message to the client; waits while its window is full.
    ///
    /// # Errors
    /// The client has ended.
    pub async fn publish(
        &self,
        topic: &str,
        payload: Vec<u8>,
        qos: Qos,
        retain: bool,
    ) -> Result<(), Error> {
        let level = match qos {
            Qos::AtMostOnce => QoS::AtMostOnce,
            Qos::AtLeastOnce | Qos::ExactlyOnce => QoS::AtLeastOnce,
        };
        if level == QoS::AtLeastOnce {
            self.settle_to(UNCONFIRMED_MAX - 1).await;
        }
        let handed = self.client.publish(topic, level, retain, payload).await;
        handed.map_err(|error| Error::Broken(error.to_string()))?;
        if level == QoS::AtLeastOnce {
            self.sent.fetch_add(1, Ordering::Release);
        }
        Ok(())
    }

    /// Says how many messages above QoS 0 the broker has confirmed.
    #[must_use]
    pub fn confirmed(&self) -> u64 {
        self.told.confirmed.load(Ordering::Acquire)
    }

    /// Says why the broker did not want a message, if it did not.
    #[must_use]
    pub fn refusal(&self) -> Option<Arc<String>> {
        self.told.refusal.load_full()
    }

    /// Says how many times the broker has let it in.
    #[must_use]
    pub fn sessions(&self) -> u64 {
        self.told.sessions.load(Ordering::Acquire)
    }

    /// Says why the connection is away, if it is.
    #[must_use]
    pub fn fault(&self) -> Option<Arc<String>> {
        self.told.fault.load_full()
    }

    /// Waits until the broker has confirmed or refused everything above QoS 0.
    pub async fn flush(&self) {
        self.settle_to(0).await;
    }

    /// Waits until no more than so many are without an answer.
    async fn settle_to(&self, unanswered: u64) {
        loop {
            let changed = self.told.changed.notified();
            let refused = self.told.refused.load(Ordering::Acquire);
            let answered = self.confirmed() + refused;
            if answered + unanswered >= self.sent.load(Ordering::Acquire) {
                return;
            }
            changed.await;
        }
    }

    /// Ends at once, with what is under way.
    pub fn abandon(self) {
        self.task.abort();
    }

    /// Says good-bye.
    pub async fn close(self) {
        self.client.disconnect().await.ok();
        tokio::time::sleep(Duration::from_millis(50)).await;
        self.task.abort();
    }
}

fn options(url: &str, client_id: &str) -> Result<MqttOptions, Error> {
    let bad = || Error::Url { url: url.to_owned() };
    let parsed = Url::parse(url).map_err(|_| bad())?;
    let host = parsed.host_str().ok_or_else(bad)?.trim_matches(['[', ']']).to_owned();
    let port = if parsed.scheme() == "mqtts" { 8_883 } else { 1_883 };
    let mut options = MqttOptions::new(client_id, host, parsed.port().unwrap_or(port));
    options.set_keep_alive(Duration::from_secs(30));
    options.set_outgoing_inflight_upper_limit(WINDOW);
    options.set_max_packet_size(Some(4 << 20));
    Ok(options)
}

/// One client's connections, one after another.
struct Session {
    events: EventLoop,
    client: AsyncClient,
    told: Arc<Told>,
    hear: mpsc::Sender<Heard>,
    manner: Manner,
}

impl Session {
    async fn run(mut self) {
        self.leave_a_will();
        let (mut backoff, mut connected) = (Backoff::new(), None::<Instant>);
        let mut unsent = VecDeque::new();
        loop {
            match self.events.poll().await {
                Ok(Event::Incoming(packet)) => {
                    if matches!(packet, Incoming::ConnAck(_)) {
                        connected = Some(Instant::now());
                        self.events.pending.extend(unsent.drain(..));
                    }
                    self.take(packet);
                }
                Ok(Event::Outgoing(_)) => {}
                Err(error) => {
                    tracing::debug!(%error, "A publisher's connection failed.");
                    // What came with the end came before it.
                    while let Some(event) = self.events.state.events.pop_front() {
                        if let Event::Incoming(packet) = event {
                            self.take(packet);
                        }
                    }
                    // The client forgets what is under way where the broker has forgotten the
                    // session.
                    let under_way = self.events.pending.drain(..);
                    unsent.extend(under_way.filter(|request| {
                        matches!(request, Request::Publish(one) if one.qos != QoS::AtMostOnce)
                    }));
                    self.told.fault.store(Some(Arc::new(error.to_string())));
                    self.leave_a_will();
                    if connected.take().is_some_and(|since| since.elapsed() >= HELD) {
                        backoff = Backoff::new();
                    }
                    // Some brokers shut out who comes too often, for example with a password that
                    // was changed.
                    tokio::time::sleep(backoff.wait()).await;
                }
            }
        }
    }

    fn take(&self, packet: Incoming) {
        match packet {
            Incoming::PubAck(acknowledged) => {
                use PubAckReason::{NoMatchingSubscribers, Success};
                if matches!(acknowledged.reason, Success | NoMatchingSubscribers) {
                    self.told.confirmed.fetch_add(1, Ordering::Release);
                } else {
                    let reason = format!("{:?}", acknowledged.reason);
                    self.told.refusal.store(Some(Arc::new(reason)));
                    self.told.refused.fetch_add(1, Ordering::Release);
                }
                self.told.changed.notify_waiters();
            }
            Incoming::ConnAck(_) => {
                self.told.fault.store(None);
                self.told.sessions.fetch_add(1, Ordering::Release);
                let filters = self.manner.hears.iter();
                let filters: Vec<Filter> =
                    filters.map(|filter| Filter::new(filter, QoS::AtLeastOnce)).collect();
                let client = self.client.clone();
                if !filters.is_empty() {
                    // Its window may be full of publishes that only this loop sends.
                    tokio::spawn(async move { client.subscribe_many(filters).await.ok() });
                }
            }
            Incoming::Publish(publish) => {
                let topic = String::from_utf8_lossy(&publish.topic).into_owned();
                let heard = Heard { topic, payload: publish.payload.to_vec() };
                self.hear.try_send(heard).ok();
            }
            Incoming::Connect(..)
            | Incoming::PubRec(_)
            | Incoming::PubRel(_)
            | Incoming::PubComp(_)
            | Incoming::Subscribe(_)
            | Incoming::SubAck(_)
            | Incoming::Unsubscribe(_)
            | Incoming::UnsubAck(_)
            | Incoming::PingReq(_)
            | Incoming::PingResp(_)
            | Incoming::Disconnect(_)
            | Incoming::Auth(_) => {}
        }
    }

    /// Leaves the will of the session that comes next.
    fn leave_a_will(&mut self) {
        if let Some(will) = self.manner.will {
            let Heard { topic, payload } = will(self.told.sessions.load(Ordering::Acquire));
            let will = LastWill::new(topic, payload, QoS::AtLeastOnce, false, None);
            self.events.options.set_last_will(will);
        }
    }
}
