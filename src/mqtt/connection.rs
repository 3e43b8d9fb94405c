//! One connection, from CONNECT to the error that ends it. It gathers what arrives, reads it in
//! one call, and writes the acks of what was committed in one call on a later turn: that is nine
//! tenths of the cost of MQTT. It never waits for the journal.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use bytes::BytesMut;
use secrecy::SecretString;
use tokio::time::{Instant, sleep, timeout};

use crate::domain::input::{Message, Qos};
use crate::domain::name::NetworkId;
use crate::mqtt::acknowledgement::{AckToken, Acknowledger};
use crate::mqtt::config::{Config, Protocol};
use crate::mqtt::stream::Stream;
use crate::mqtt::wire::{Greeting, Packet, Pen, Publish, Welcome, Wire};

/// How much one turn reads.
const TURN_BYTES: usize = 1 << 20;
/// From this much in one turn on, more is waiting already and nothing is gathered.
const BUSY_BYTES: usize = 128 << 10;
/// How long a turn waits when nothing happens,
const IDLE: Duration = Duration::from_millis(100);
/// and when acks may become due meanwhile.
const ACKS_DUE: Duration = Duration::from_millis(20);
/// How soon after an ack the broker is asked for a sign that it has seen it.
const SETTLE_AFTER: Duration = Duration::from_secs(1);
/// How long a write may take before the connection counts as dead.
const WRITE_MAX: Duration = Duration::from_secs(10);
/// How long a good-bye may take.
const FAREWELL_MAX: Duration = Duration::from_secs(5);
/// How many bytes of filters one SUBSCRIBE holds.
const FILTER_BYTES: usize = 8 << 10;

/// Whose session it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Session {
    /// The daemon's: the broker keeps what arrives while it is away.
    Persistent,
    /// A tool's: a client id of its own and nothing kept, so that it never throws the daemon off
    /// or empties its queue.
    Private {
        /// What it is for, part of the client id.
        purpose: &'static str,
    },
}

/// What the broker said at the beginning.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opened {
    /// Whether it knew the session. If not, what came while weir was away is lost.
    pub session_present: bool,
    /// Filters it refuses, and why; all others are subscribed.
    pub refused_filters: Vec<(String, String)>,
}

/// What happened in a turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Turn {
    /// How many messages came.
    pub delivered: usize,
    /// The ordinal up to which the broker has seen every ack, where it grew.
    pub settled: Option<u64>,
    /// How many messages are not acknowledged yet.
    pub outstanding: usize,
}

/// What ends a connection, or keeps it from beginning.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is none.
    #[error("url `{url}` is no address of a broker; expected mqtt://host:1883 or mqtts://…")]
    Url {
        /// As configured.
        url: String,
    },
    /// A file of the configuration can't be used.
    #[error("{key} `{}`: {fault}", path.display())]
    File {
        /// The setting.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        fault: String,
    },
    /// The environment variable is not set.
    #[error("password_env names `{name}`, which is not set")]
    Environment {
        /// The variable.
        name: String,
    },
    /// Nobody listens there.
    #[error("{url} does not answer: {fault}; is the url right and the broker running?")]
    Away {
        /// The address.
        url: String,
        /// The system's words.
        fault: String,
    },
    /// TLS is refused by one of both.
    #[error("{url}: TLS fails: {fault}; check ca_file, certificate_file and the url's host name")]
    Tls {
        /// The address.
        url: String,
        /// What is wrong.
        fault: String,
    },
    /// It took too long.
    #[error("{url} took more than connect_timeout_s = {after_s} s to let weir in")]
    Slow {
        /// The address.
        url: String,
        /// The limit.
        after_s: u64,
    },
    /// The broker refuses the connection.
    #[error("the broker refuses `{client_id}`: {reason}{}", mend(reason))]
    Refused {
        /// The client id.
        client_id: String,
        /// The broker's reason.
        reason: String,
    },
    /// The broker ended the connection and said why.
    #[error("the broker ended the connection: {0}{hint}", hint = taken_over(.0))]
    Farewell(String),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// The broker sends what is not MQTT.
    #[error("the broker sent what can't be read: {0}")]
    Unreadable(String),
    /// Nothing came for too long.
    #[error("the broker gives no sign of life")]
    Silent,
}

/// What an operator can mend, by the broker's words.
fn mend(reason: &str) -> &'static str {
    let says = |word: &str| reason.to_ascii_lowercase().contains(word);
    if says("password") || says("authori") {
        "; mend user and password_file, or the broker's access list"
    } else if says("protocol") {
        "; mend protocol (\"5\" or \"3.1.1\")"
    } else if says("client") || says("identifier") {
        "; mend client_id"
    } else {
        ""
    }
}

fn taken_over(reason: &str) -> &'static str {
    let taken = reason.to_ascii_lowercase().replace([' ', '_'], "").contains("takenover");
    if taken { "; another client uses this client_id, give each weir its own" } else { "" }
}

/// A message that is not acknowledged yet.
#[derive(Debug)]
struct Outstanding {
    packet_id: u16,
    qos: Qos,
    /// Its ordinal, once it is committed.
    committed: Option<u64>,
}

/// A connection. Its acks die with it.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    wire: Wire,
    pen: Pen,
    network: NetworkId,
    gather: Duration,
    keep_alive: Duration,
    acknowledger: Acknowledger,
    tokens: Vec<AckToken>,
    /// In the order of their arrival; the first has place `acked`.
    outstanding: VecDeque<Outstanding>,
    acked: u64,
    /// The ordinal of the last message whose ack was written, and how far the broker has seen.
    last_acked: u64,
    settled: u64,
    /// Pings that are not answered yet: what had been acknowledged before each.
    pings: VecDeque<u64>,
    pinged: Instant,
    last_out: Instant,
    last_in: Instant,
    out: BytesMut,
    early: Vec<Publish>,
    busy: bool,
}

impl Connection {
    /// Connects and subscribes; all of it within `connect_timeout_s`.
    ///
    /// # Errors
    /// What keeps the connection from beginning, and the setting to mend.
    pub async fn open(
        config: &Config,
        session: Session,
        filters: &[String],
        network: NetworkId,
    ) -> Result<(Self, Opened), Error> {
        let after_s = config.connect_timeout_s;
        let opening = Self::open_slowly(config, session, filters, network);
        match timeout(Duration::from_secs(after_s), opening).await {
            Ok(opened) => opened,
            Err(_) => Err(Error::Slow { url: config.url.clone(), after_s }),
        }
    }

    async fn open_slowly(
        config: &Config,
        session: Session,
        filters: &[String],
        network: NetworkId,
    ) -> Result<(Self, Opened), Error> {
        let now = Instant::now();
        let mut connection = Self {
            stream: Stream::connect(config).await?,
            wire: Wire::new(config),
            pen: Pen(config.protocol),
            network,
            gather: Duration::from_millis(config.gather_ms),
            keep_alive: Duration::from_secs(config.keep_alive_s.into()),
            acknowledger: Acknowledger::default(),
            tokens: Vec::new(),
            outstanding: VecDeque::new(),
            acked: 0,
            last_acked: 0,
            settled: 0,
            pings: VecDeque::new(),
            pinged: now,
            last_out: now,
            last_in: now,
            out: BytesMut::new(),
            early: Vec::new(),
            // More than the CONNACK may have come already.
            busy: true,
        };
        let session_present = connection.greet(config, session).await?;
        let refused_filters = connection.subscribe(filters).await?;
        Ok((connection, Opened { session_present, refused_filters }))
    }

    async fn greet(&mut self, config: &Config, session: Session) -> Result<bool, Error> {
        let password = password(config)?;
        let clean = session != Session::Persistent;
        let client_id = match session {
            Session::Persistent => config.client_id.clone(),
            Session::Private { purpose } => {
                format!("{}-{purpose}-{:08x}", config.client_id, fastrand::u32(..))
            }
        };
        let greeting = Greeting {
            client_id: &client_id,
            clean,
            session_expiry_s: if clean { 0 } else { config.session_expiry_s },
            receive_maximum: config.receive_maximum,
            keep_alive_s: config.keep_alive_s,
            login: config.user.as_deref().map(|user| (user, &password)),
        };
        self.pen.connect(&greeting, &mut self.out).map_err(Error::Unreadable)?;
        self.write().await?;
        let welcome = match self.answer().await? {
            Packet::Connected(Welcome { refused: Some(reason), .. }) | Packet::Farewell(reason) => {
                return Err(Error::Refused { client_id, reason });
            }
            Packet::Connected(welcome) => welcome,
            Packet::Publish(_)
            | Packet::Release(_)
            | Packet::Pong
            | Packet::Subscribed { .. }
            | Packet::Other => {
                return Err(Error::Unreadable("something else than a CONNACK".to_owned()));
            }
        };
        // 0 is "none asked for": our own holds, as a sign of life for us.
        if let Some(seconds) = welcome.keep_alive_s.filter(|seconds| *seconds > 0) {
            self.keep_alive = Duration::from_secs(seconds.into());
        }
        Ok(welcome.session_present)
    }

    /// Subscribes whatever the broker remembers. A resumed session may deliver meanwhile.
    async fn subscribe(&mut self, filters: &[String]) -> Result<Vec<(String, String)>, Error> {
        let mut refused_filters = Vec::new();
        let mut rest = filters;
        let mut packet_id = 0;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = rest.iter().take_while(|filter| {
                bytes += filter.len() + 3;
                bytes <= FILTER_BYTES
            });
            let (now, later) = rest.split_at(fits.count().max(1));
            rest = later;
            packet_id += 1;
            self.pen.subscribe(packet_id, now, &mut self.out).map_err(Error::Unreadable)?;
            self.write().await?;
            loop {
                match self.answer().await? {
                    Packet::Subscribed { packet_id: of, refused } if of == packet_id => {
                        let refusals = now.iter().zip(refused).filter_map(|(filter, reason)| {
                            reason.map(|reason| (filter.clone(), reason))
                        });
                        refused_filters.extend(refusals);
                        break;
                    }
                    Packet::Publish(publish) => self.early.push(publish),
                    Packet::Release(packet_id) => self.pen.complete(packet_id, &mut self.out),
                    Packet::Farewell(reason) => return Err(Error::Farewell(reason)),
                    Packet::Pong | Packet::Subscribed { .. } | Packet::Other => {}
                    Packet::Connected(_) => {
                        return Err(Error::Unreadable("a second CONNACK".to_owned()));
                    }
                }
            }
        }
        Ok(refused_filters)
    }

    /// Waits for the next packet.
    async fn answer(&mut self) -> Result<Packet, Error> {
        loop {
            if let Some(packet) = self.wire.next().map_err(Error::Unreadable)? {
                return Ok(packet);
            }
            let read = self.stream.read(&mut self.wire.buffer).await.map_err(broken)?;
            if read == 0 {
                return Err(Error::Broken("closed by the broker".to_owned()));
            }
        }
    }

    /// Does one round: writes what is due, waits a little, reads what came and hands it on.
    /// Without `may_read` nothing is read: what came waits in the socket and the broker's window.
    ///
    /// # Errors
    /// What ended the connection.
    pub async fn turn(
        &mut self,
        may_read: bool,
        take: &mut dyn FnMut(Message<'_>, Option<AckToken>),
    ) -> Result<Turn, Error> {
        self.collect_acks();
        self.ping_if_due();
        self.write().await?;
        let mut turn = Turn::default();
        if may_read {
            self.read(&mut turn, take).await?;
        } else {
            // What is not read can't be missed.
            self.last_in = Instant::now();
            sleep(ACKS_DUE).await;
        }
        turn.outstanding = self.outstanding.len();
        Ok(turn)
    }

    async fn read(
        &mut self,
        turn: &mut Turn,
        take: &mut dyn FnMut(Message<'_>, Option<AckToken>),
    ) -> Result<(), Error> {
        for publish in std::mem::take(&mut self.early) {
            self.deliver(&publish, turn, take);
        }
        let given = self.sort(turn, take)?;
        // What rests inside TLS makes no socket readable, so after much nothing is waited for.
        if given || self.busy {
            tokio::task::yield_now().await;
        } else {
            let wait = if self.outstanding.is_empty() { IDLE } else { ACKS_DUE };
            match timeout(wait, self.stream.readable()).await {
                Err(_) => return self.missed(),
                Ok(readable) => readable.map_err(broken)?,
            }
            if !self.gather.is_zero() {
                sleep(self.gather).await;
            }
        }
        let before = self.wire.buffer.len();
        let open = self.stream.drain(&mut self.wire.buffer, TURN_BYTES).await.map_err(broken)?;
        let came = self.wire.buffer.len() - before;
        self.busy = came >= BUSY_BYTES;
        if came > 0 {
            self.last_in = Instant::now();
            self.sort(turn, take)?;
        }
        if open { Ok(()) } else { Err(Error::Broken("closed by the broker".to_owned())) }
    }

    /// Hands on every whole packet that is there; says whether there was one.
    fn sort(
        &mut self,
        turn: &mut Turn,
        take: &mut dyn FnMut(Message<'_>, Option<AckToken>),
    ) -> Result<bool, Error> {
        let mut given = false;
        while let Some(packet) = self.wire.next().map_err(Error::Unreadable)? {
            given = true;
            match packet {
                Packet::Publish(publish) => self.deliver(&publish, turn, take),
                Packet::Release(packet_id) => self.pen.complete(packet_id, &mut self.out),
                Packet::Pong => {
                    if let Some(covered) = self.pings.pop_front()
                        && covered > self.settled
                    {
                        self.settled = covered;
                        turn.settled = Some(covered);
                    }
                }
                Packet::Farewell(reason) => return Err(Error::Farewell(reason)),
                Packet::Subscribed { .. } | Packet::Other => {}
                Packet::Connected(_) => {
                    return Err(Error::Unreadable("a second CONNACK".to_owned()));
                }
            }
        }
        Ok(given)
    }

    fn deliver(
        &mut self,
        publish: &Publish,
        turn: &mut Turn,
        take: &mut dyn FnMut(Message<'_>, Option<AckToken>),
    ) {
        turn.delivered += 1;
        let (qos, packet_id) = (publish.qos(), publish.packet_id());
        let token = (qos != Qos::AtMostOnce).then(|| {
            let place = self.acked + self.outstanding.len() as u64;
            self.outstanding.push_back(Outstanding { packet_id, qos, committed: None });
            AckToken { place, ordinal: 0 }
        });
        take(publish.message(self.network), token);
    }

    /// Writes the acks of what was committed, in the order of arrival (MQTT-4.6.0-2): one that
    /// came early waits for those before it.
    fn collect_acks(&mut self) {
        self.acknowledger.take(&mut self.tokens);
        for token in self.tokens.drain(..) {
            let index = token.place.checked_sub(self.acked).map(usize::try_from);
            if let Some(Ok(index)) = index
                && let Some(outstanding) = self.outstanding.get_mut(index)
            {
                outstanding.committed = Some(token.ordinal);
            }
        }
        while let Some(Outstanding { packet_id, qos, committed: Some(ordinal) }) =
            self.outstanding.front()
        {
            self.pen.acknowledge(*qos, *packet_id, &mut self.out);
            self.last_acked = self.last_acked.max(*ordinal);
            self.acked += 1;
            self.outstanding.pop_front();
        }
    }

    /// Pings after silence on our side, whether or not the last one was answered: while nothing is
    /// read no answer is either, and a broker counts what it gets. To settle, one at a time is enough.
    fn ping_if_due(&mut self) {
        let now = Instant::now();
        let quiet = now.duration_since(self.last_out) >= self.keep_alive / 2;
        let unsettled = self.pings.is_empty() && self.last_acked > self.settled;
        if quiet || unsettled && now.duration_since(self.pinged) >= SETTLE_AFTER {
            self.pen.ping(&mut self.out);
            self.pings.push_back(self.last_acked);
            self.pinged = now;
        }
    }

    fn missed(&self) -> Result<(), Error> {
        let silent = self.last_in.elapsed() >= self.keep_alive.mul_f64(1.5);
        if silent && !self.pings.is_empty() { Err(Error::Silent) } else { Ok(()) }
    }

    async fn write(&mut self) -> Result<(), Error> {
        if self.out.is_empty() {
            return Ok(());
        }
        let written = timeout(WRITE_MAX, self.stream.write(&self.out)).await;
        written.map_err(|_| Error::Silent)?.map_err(broken)?;
        self.out.clear();
        self.last_out = Instant::now();
        Ok(())
    }

    /// Gives where tokens of this connection are handed in.
    #[must_use]
    pub fn acknowledger(&self) -> Acknowledger {
        self.acknowledger.clone()
    }

    /// Says whether the broker's own small window bounds what is under way (MQTT 3.1.1), so that
    /// what came should be committed at once.
    #[must_use]
    pub fn small_window(&self) -> bool {
        self.pen.0 == Protocol::V311
    }

    /// Writes the acks that are due and says good-bye; the broker keeps the session. Waits for
    /// the broker to close: mosquitto lets go of acks that it has not read when the socket ends.
    pub async fn close(mut self) {
        self.collect_acks();
        self.pen.farewell(&mut self.out);
        if let Err(error) = self.write().await {
            tracing::debug!(%error, "A connection could not be closed in order.");
            return;
        }
        let closed = async {
            while self.stream.read(&mut self.wire.buffer).await.is_ok_and(|read| read > 0) {
                self.wire.buffer.clear();
            }
            self.stream.shutdown().await.ok();
        };
        timeout(FAREWELL_MAX, closed).await.ok();
    }
}

fn broken(error: std::io::Error) -> Error {
    Error::Broken(error.to_string())
}

fn password(config: &Config) -> Result<SecretString, Error> {
    if let Some(path) = &config.password_file {
        let text = std::fs::read_to_string(path).map_err(|error| Error::File {
            key: "password_file",
            path: path.clone(),
            fault: error.to_string(),
        })?;
        return Ok(SecretString::from(text.trim_end_matches(['\r', '\n'])));
    }
    match &config.password_env {
        None => Ok(SecretString::from("")),
        Some(name) => std::env::var(name)
            .map(SecretString::from)
            .map_err(|_| Error::Environment { name: name.clone() }),
    }
}

/// Connects and subscribes as a tool would, and leaves again.
///
/// # Errors
/// What keeps weir from it, and the setting to mend.
pub async fn probe(config: &Config, filters: &[String]) -> Result<Opened, Error> {
    let session = Session::Private { purpose: "check" };
    let (connection, opened) = Connection::open(config, session, filters, NetworkId(0)).await?;
    connection.close().await;
    Ok(opened)
}
