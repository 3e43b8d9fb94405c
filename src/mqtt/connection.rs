//! One connection, from CONNACK to the error that ends it. It gathers what arrives, reads it in
//! one call, and writes the acks of what was committed in one call on a later turn: that is nine
//! tenths of the cost of MQTT. It never waits for the journal.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::BytesMut;
use tokio::time::{Instant, sleep, timeout};

use crate::domain::input::{Message, Qos};
use crate::domain::name::NetworkId;
use crate::domain::time::Timestamp;
use crate::mqtt::Error;
use crate::mqtt::acknowledgement::{AckToken, Acknowledger};
use crate::mqtt::config::{Config, Protocol};
use crate::mqtt::greet::{Greeted, greet};
pub use crate::mqtt::greet::{Opened, Session};
use crate::mqtt::outbox::Outbox;
use crate::mqtt::presence::{Words, warn_of_echo};
use crate::mqtt::stream::Stream;
use crate::mqtt::subscription::{DROPPED, Subscription, fits};
use crate::mqtt::wire::{Packet, Pen, Publish, Wire};

/// How much one turn reads.
const TURN_BYTES: usize = 1 << 20;
/// From this much in one turn on, more is waiting already and nothing is gathered.
const BUSY_BYTES: usize = 128 << 10;
/// How long a turn waits when nothing happens.
const IDLE: Duration = Duration::from_millis(250);
/// How long one waits that may not read: acks may become due meanwhile.
const ACKS_DUE: Duration = Duration::from_millis(20);
/// Fewer messages than these while they gather, and they gather this many times as long: a
/// wake-up costs as much as several messages, and so few are in no hurry.
const FEW: usize = 32;
const LONGER: u32 = 5;
/// How soon after an ack the broker is asked for a sign that it has seen it.
const SETTLE_AFTER: Duration = Duration::from_secs(1);
/// How long a write may take before the connection counts as dead.
const WRITE_MAX: Duration = Duration::from_secs(10);
/// How long a good-bye may take.
const FAREWELL_MAX: Duration = Duration::from_secs(5);
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

/// A message that is not acknowledged yet.
#[derive(Debug)]
struct Outstanding {
    packet_id: u16,
    qos: Qos,
    /// Its ordinal, once it is committed.
    committed: Option<u64>,
}

/// What weir tells others of itself, and the broker of itself.
#[derive(Debug)]
struct Presence {
    /// What others are told of weir, since when, and since when by the clock of the connection.
    words: Option<Words>,
    since: (Timestamp, Instant),
    /// Whether to watch what the broker drops, and how much that was.
    watches: bool,
    dropped: Option<u64>,
    /// Whether weir has said that it is there.
    begun: bool,
}

/// A connection. Its acks die with it.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    wire: Wire,
    pen: Pen,
    url: String,
    network: NetworkId,
    gather: Duration,
    /// For how long the next messages gather.
    patience: Duration,
    keep_alive: Duration,
    /// How long the broker may take to answer for the filters while nothing else comes.
    answer_max: Duration,
    subscription: Subscription,
    presence: Presence,
    acknowledger: Acknowledger,
    /// Where replies to devices wait for a connection.
    outbox: Outbox,
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
    /// Whether the broker has answered a ping.
    heard: bool,
    last_out: Instant,
    last_in: Instant,
    last_delivery: Instant,
    out: BytesMut,
    busy: bool,
    /// Whether messages came in the last turn: more will have come when they have gathered.
    flowing: bool,
}

impl Connection {
    /// Connects and asks for the filters. The broker answers for them in a later turn, since a
    /// session that it resumes may fill the line before.
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
        let (is_daemon, since) = match session {
            Session::Persistent { now } => (true, now),
            Session::Private { .. } => (false, Timestamp(0)),
        };
        // What weir says of itself must not come back as a message.
        let words = Words::new(config, since)
            .filter(|words| is_daemon && !filters.iter().any(|filter| fits(filter, &words.topic)));
        let greeting = greet(config, session, words.as_ref());
        let greeted = timeout(Duration::from_secs(after_s), greeting).await;
        let slow = || Error::Slow { url: config.url.clone(), after_s };
        let Greeted { stream, wire, pen, opened, keep_alive } = greeted.map_err(|_| slow())??;
        if is_daemon {
            warn_of_echo(config, filters);
        }
        let now = Instant::now();
        let mut connection = Self {
            stream,
            wire,
            pen,
            url: config.url.clone(),
            network,
            gather: Duration::from_millis(config.gather_ms),
            patience: Duration::from_millis(config.gather_ms),
            keep_alive,
            answer_max: Duration::from_secs(after_s),
            subscription: Subscription::default(),
            presence: Presence {
                words,
                since: (since, now),
                watches: is_daemon && config.watch_dropped,
                dropped: None,
                begun: false,
            },
            acknowledger: Acknowledger::default(),
            outbox: Outbox::default(),
            tokens: Vec::new(),
            outstanding: VecDeque::new(),
            acked: 0,
            last_acked: 0,
            settled: 0,
            pings: VecDeque::new(),
            pinged: now,
            heard: false,
            last_out: now,
            last_in: now,
            last_delivery: now,
            out: BytesMut::new(),
            // More than the CONNACK may have come already.
            busy: true,
            flowing: false,
        };
        connection.subscription.ask(pen, filters, &mut connection.out)?;
        // The answer to it proves the session, behind whatever the broker sends before.
        connection.ping();
        connection.write().await?;
        Ok((connection, opened))
    }

    /// Asks for no more of filters that the session had asked for earlier.
    ///
    /// # Errors
    /// They don't fit into packets.
    pub fn leave_filters(&mut self, filters: &[String]) -> Result<(), Error> {
        self.subscription.leave(self.pen, filters, &mut self.out)
    }

    /// Sends from now on the replies that wait there, and those that will.
    pub fn answer_from(&mut self, outbox: Outbox) {
        self.outbox = outbox;
    }

    /// Gives the filters that the broker refuses, each with its reason; all others are
    /// subscribed. `None` until it has answered for all of them.
    #[must_use]
    pub fn refused_filters(&self) -> Option<&[(String, String)]> {
        self.subscription.refused()
    }

    /// Says whether the broker has answered the ping that follows the filters.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        self.heard
    }

    /// Gives how many messages the broker says it has dropped, of all its clients together;
    /// `None` if it does not say.
    #[must_use]
    pub fn dropped(&self) -> Option<u64> {
        self.presence.dropped
    }

    /// Gives when the certificate ends that the broker shows; `None` without TLS.
    #[must_use]
    pub fn certificate_end(&self) -> Option<Timestamp> {
        self.stream.certificate_end()
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
        self.collect_replies()?;
        self.ping_if_due();
        self.write().await?;
        let mut turn = Turn::default();
        if may_read {
            self.read(&mut turn, take).await?;
        } else {
            // What is not read can't be missed.
            self.last_in = Instant::now();
            self.last_delivery = self.last_in;
            sleep(ACKS_DUE).await;
        }
        if self.refused_filters().is_none() && self.last_delivery.elapsed() >= self.answer_max {
            let after_s = self.answer_max.as_secs();
            return Err(Error::Slow { url: self.url.clone(), after_s });
        }
        turn.outstanding = self.outstanding.len();
        Ok(turn)
    }

    async fn read(
        &mut self,
        turn: &mut Turn,
        take: &mut dyn FnMut(Message<'_>, Option<AckToken>),
    ) -> Result<(), Error> {
        let given = self.sort(turn, take)?;
        // What rests inside TLS makes no socket readable, so after much nothing is waited for.
        if given || self.busy {
            tokio::task::yield_now().await;
        } else if !self.flowing {
            tokio::select! {
                readable = self.stream.readable() => readable.map_err(broken)?,
                () = self.acknowledger.came(), if !self.outstanding.is_empty() => return Ok(()),
                () = self.outbox.came() => return Ok(()),
                () = sleep(IDLE) => return self.missed(),
            }
        }
        let gathers = !given && !self.busy && !self.gather.is_zero();
        if gathers {
            sleep(self.patience).await;
        }
        let before = self.wire.buffer.len();
        let open = self.stream.drain(&mut self.wire.buffer, TURN_BYTES).await.map_err(broken)?;
        let came = self.wire.buffer.len() - before;
        self.busy = came >= BUSY_BYTES;
        if came > 0 {
            self.last_in = Instant::now();
            self.sort(turn, take)?;
        }
        if gathers {
            self.learn(turn.delivered);
        }
        if open { Ok(()) } else { Err(Error::Broken("closed by the broker".to_owned())) }
    }

    /// Learns from how many messages gathered how long the next ones are to.
    fn learn(&mut self, delivered: usize) {
        self.flowing = delivered > 0;
        let longer = self.patience > self.gather;
        let few = delivered < if longer { FEW * LONGER as usize } else { FEW };
        // A small window is open again only once what is in it was read.
        let patient = few && !self.small_window();
        self.patience = if patient { self.gather * LONGER } else { self.gather };
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
                Packet::Publish(publish) => self.deliver(&publish, turn, take)?,
                Packet::Release(packet_id) => self.pen.complete(packet_id, &mut self.out),
                Packet::Pong => {
                    self.heard = true;
                    if let Some(covered) = self.pings.pop_front()
                        && covered > self.settled
                    {
                        self.settled = covered;
                        turn.settled = Some(covered);
                    }
                }
                Packet::Farewell(reason) => return Err(Error::Farewell(reason)),
                Packet::Subscribed { packet_id, codes } => {
                    self.subscription.answer(packet_id, codes);
                    self.begin()?;
                }
                Packet::Other => {}
                Packet::Connected(_) => {
                    return Err(Error::Unreadable("a second CONNACK".to_owned()));
                }
            }
        }
        Ok(given)
    }

    /// Says that weir is there, once it is: when every filter is answered for.
    fn begin(&mut self) -> Result<(), Error> {
        if self.presence.begun || self.refused_filters().is_none() {
            return Ok(());
        }
        self.presence.begun = true;
        if let Some(words) = self.presence.words.as_ref().filter(|words| words.of_host) {
            self.subscription.watch(self.pen, &words.topic, &mut self.out)?;
        }
        self.say(true)?;
        if self.presence.watches {
            self.subscription.watch(self.pen, DROPPED, &mut self.out)?;
        }
        Ok(())
    }

    /// Says that weir is there, or that it goes.
    fn say(&mut self, online: bool) -> Result<(), Error> {
        let Presence { words: Some(words), since: (since, then), .. } = &self.presence else {
            return Ok(());
        };
        let now = since.plus(i64::try_from(then.elapsed().as_millis()).unwrap_or(0));
        let said = if online { words.online.clone() } else { words.farewell(now) };
        let packet_id = self.subscription.fresh_packet_id();
        let said = self.pen.publish_retained(packet_id, &words.topic, &said, &mut self.out);
        said.map_err(Error::Unreadable)
    }

    /// Hears what others are told of weir, which is no message; who is told that it is gone is told
    /// otherwise (Sparkplug 3.0.0).
    fn note_state(&mut self, publish: &Publish) -> Result<bool, Error> {
        let words = self.presence.words.as_ref().filter(|words| words.of_host);
        let Some(words) = words.filter(|words| words.topic.as_bytes() == publish.topic()) else {
            return Ok(false);
        };
        if self.presence.begun && words.is_contradicted(publish.topic(), publish.payload()) {
            self.say(true)?;
        }
        Ok(true)
    }

    /// Takes what the broker tells of itself; that is no message.
    fn note_dropped(&mut self, publish: &Publish) -> bool {
        let is_it = self.presence.watches && publish.topic() == DROPPED.as_bytes();
        if is_it {
            let text = std::str::from_utf8(publish.payload()).ok();
            self.presence.dropped =
                text.and_then(|text| text.trim().parse().ok()).or(self.presence.dropped);
        }
        is_it
    }

    fn deliver(
        &mut self,
        publish: &Publish,
        turn: &mut Turn,
        take: &mut dyn FnMut(Message<'_>, Option<AckToken>),
    ) -> Result<(), Error> {
        // Asked for at QoS 0, it asks for no ack.
        if publish.qos() == Qos::AtMostOnce
            && (self.note_dropped(publish) || self.note_state(publish)?)
        {
            return Ok(());
        }
        turn.delivered += 1;
        self.last_delivery = Instant::now();
        let (qos, packet_id) = (publish.qos(), publish.packet_id());
        let token = (qos != Qos::AtMostOnce).then(|| {
            let place = self.acked + self.outstanding.len() as u64;
            self.outstanding.push_back(Outstanding { packet_id, qos, committed: None });
            AckToken { place, ordinal: 0 }
        });
        take(publish.message(self.network), token);
        Ok(())
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

    /// Writes the replies that wait, at QoS 0: a device that misses one asks again, and one that
    /// the broker kept for it would answer nothing that it still asks.
    fn collect_replies(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        while let Some(reply) = self.outbox.next(now) {
            let written = self.pen.publish(&reply.topic, &reply.payload, &mut self.out);
            written.map_err(Error::Unreadable)?;
        }
        Ok(())
    }

    /// Pings after silence on our side, whether or not the last one was answered: while nothing is
    /// read no answer is either, and a broker counts what it gets. One at a time is to settle.
    fn ping_if_due(&mut self) {
        let now = Instant::now();
        let quiet = now.duration_since(self.last_out) >= self.keep_alive / 2;
        let unsettled = self.pings.is_empty() && self.last_acked > self.settled;
        if quiet || unsettled && now.duration_since(self.pinged) >= SETTLE_AFTER {
            self.ping();
        }
    }

    fn ping(&mut self) {
        self.pen.ping(&mut self.out);
        self.pings.push_back(self.last_acked);
        self.pinged = Instant::now();
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
        // What does not fit into a packet was refused before.
        self.collect_replies().ok();
        self.say(false).ok();
        let topic = self.presence.words.take().filter(|words| words.of_host);
        if let Some(Words { topic, .. }) = topic {
            self.subscription.leave(self.pen, &[topic], &mut self.out).ok();
        }
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

pub(super) fn broken(error: std::io::Error) -> Error {
    Error::Broken(error.to_string())
}

/// Connects and subscribes as a tool would, leaves again, and gives the filters that are refused.
///
/// # Errors
/// What keeps weir from it, and the setting to mend.
pub async fn probe(config: &Config, filters: &[String]) -> Result<Vec<(String, String)>, Error> {
    let session = Session::Private { purpose: "check" };
    let (mut connection, _) = Connection::open(config, session, filters, NetworkId(0)).await?;
    let refused = loop {
        connection.turn(true, &mut |_, _| ()).await?;
        if let Some(refused) = connection.refused_filters() {
            break refused.to_vec();
        }
    };
    connection.close().await;
    Ok(refused)
}
