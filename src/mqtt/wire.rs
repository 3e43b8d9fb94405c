//! Packets on the wire, of both versions of the protocol, over rumqttc's codec. A PUBLISH that
//! the codec refuses is cut by hand, because it must be acknowledged or the broker sends it for
//! ever; any other broken packet ends the connection.

use bytes::{Buf as _, Bytes, BytesMut};
use rumqttc::mqttbytes::{self as old, v4};
use rumqttc::v5::mqttbytes::v5::{self as new};
use rumqttc::v5::mqttbytes::{Error as CodecError, QoS};
use secrecy::{ExposeSecret as _, SecretString};

use crate::domain::input::{Message, Qos, ReceiveFault};
use crate::domain::name::NetworkId;
use crate::mqtt::config::{Config, Protocol};

/// The longest packet that is taken as a whole; MQTT 5 brokers are told so. 2 MiB.
pub(super) const PACKET_BYTES_MAX: u32 = 2 << 20;
/// The head of a PUBLISH at its longest: topic and packet id, before the payload.
const PUBLISH_HEAD_MAX: usize = 5 + 2 + 65_535 + 2;

/// Why a filter that was granted at QoS 0 counts as refused.
const NO_PROMISE: &str = "granted at QoS 0 only; what is lost before weir nobody can know";

/// What a broker sends.
#[derive(Debug)]
pub(super) enum Packet {
    Publish(Publish),
    /// The broker is done with a QoS 2 message.
    Release(u16),
    Pong,
    /// Answers to a SUBSCRIBE, filter by filter: `None` is granted, else the reason.
    Subscribed {
        packet_id: u16,
        codes: Vec<Option<String>>,
    },
    Connected(Welcome),
    /// The broker ends the connection and says why.
    Farewell(String),
    /// Nothing that weir needs.
    Other,
}

/// What a broker says to a CONNECT.
#[derive(Debug)]
pub(super) struct Welcome {
    pub(super) session_present: bool,
    /// Why it refuses; `None` is welcome.
    pub(super) refused: Option<String>,
    /// Its own keep-alive, s.
    pub(super) keep_alive_s: Option<u16>,
}

/// A message as it came.
#[derive(Debug)]
pub(super) struct Publish {
    dup: bool,
    retain: bool,
    qos: Qos,
    packet_id: u16,
    topic: Bytes,
    payload: Bytes,
    fault: Option<Fault>,
}

#[derive(Debug)]
enum Fault {
    TooLong { bytes: usize, bytes_max: usize },
    Broken(String),
}

impl Publish {
    pub(super) fn qos(&self) -> Qos {
        self.qos
    }

    pub(super) fn packet_id(&self) -> u16 {
        self.packet_id
    }

    /// Refuses what asks for an ack and gives no packet id for it.
    fn numbered(&self) -> Result<(), String> {
        if self.qos != Qos::AtMostOnce && self.packet_id == 0 {
            return Err("a PUBLISH with packet id 0".to_owned());
        }
        Ok(())
    }

    pub(super) fn topic(&self) -> &[u8] {
        &self.topic
    }

    pub(super) fn payload(&self) -> &[u8] {
        &self.payload
    }

    pub(super) fn message(&self, network: NetworkId) -> Message<'_> {
        Message {
            network,
            packet_id: self.packet_id,
            dup: self.dup,
            retain: self.retain,
            qos: self.qos,
            topic: &self.topic,
            payload: &self.payload,
            fault: self.fault.as_ref().map(|fault| match fault {
                Fault::TooLong { bytes, bytes_max } => {
                    ReceiveFault::TooLong { bytes: *bytes, bytes_max: *bytes_max }
                }
                Fault::Broken(words) => ReceiveFault::Broken(words),
            }),
        }
    }
}

/// A body that is too long to be held and streams by: the brokers of 3.1.1 know no limit, and one
/// of 5 that does not heed it would send the packet again for ever.
#[derive(Debug)]
struct Skip {
    publish: Publish,
    kept: BytesMut,
    left: usize,
}

/// The reading side: bytes in, packets out.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) buffer: BytesMut,
    protocol: Protocol,
    payload_bytes_max: usize,
    skip: Option<Skip>,
}

impl Wire {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            buffer: BytesMut::with_capacity(64 << 10),
            protocol: config.protocol,
            payload_bytes_max: config.payload_bytes_max,
            skip: None,
        }
    }

    /// Gives the next whole packet; `None` if more bytes are needed. Errors end the connection.
    pub(super) fn next(&mut self) -> Result<Option<Packet>, String> {
        if self.skip.is_some() {
            return Ok(self.skip_on());
        }
        let header = match new_check(&self.buffer) {
            Ok(header) => header,
            Err(CodecError::InsufficientBytes(missing)) => {
                return self.begin_skip(missing).map(|()| None);
            }
            Err(error) => return Err(error.to_string()),
        };
        let length = header.frame_length();
        let first = self.buffer.first().copied().unwrap_or_default();
        if length > PACKET_BYTES_MAX as usize && first >> 4 != PUBLISH {
            return Err(format!("a packet of {length} bytes"));
        }
        let frame = self.buffer.split_to(length);
        if first >> 4 == PUBLISH {
            let publish = self.publish(header, frame.freeze())?;
            return Ok(Some(Packet::Publish(publish)));
        }
        match self.protocol {
            Protocol::V5 => read_new(frame),
            Protocol::V311 => read_old(frame),
        }
        .map(Some)
    }

    fn publish(&self, header: new::FixedHeader, whole: Bytes) -> Result<Publish, String> {
        let read = match self.protocol {
            Protocol::V5 => match new::Publish::read(header, whole.clone()) {
                Ok(publish) if publish.topic.is_empty() => {
                    Err("a topic alias, which was not asked for".to_owned())
                }
                Ok(publish) => Ok(Publish {
                    dup: publish.dup,
                    retain: publish.retain,
                    qos: qos_of(publish.qos as u8),
                    packet_id: publish.pkid,
                    topic: publish.topic,
                    payload: publish.payload,
                    fault: None,
                }),
                Err(error) => Err(error.to_string()),
            },
            // The codec of 3.1.1 gives a topic as text only: the plain cut loses nothing.
            Protocol::V311 => cut(&whole).ok_or_else(|| "its lengths don't fit".to_owned()),
        };
        let mut publish = match read {
            Ok(publish) => publish,
            Err(fault) => {
                let cut =
                    cut(&whole).ok_or_else(|| format!("a PUBLISH beyond reading: {fault}"))?;
                Publish { payload: whole, fault: Some(Fault::Broken(fault)), ..cut }
            }
        };
        publish.numbered()?;
        let bytes = publish.payload.len();
        if bytes > self.payload_bytes_max {
            publish.payload.truncate(self.payload_bytes_max);
            let too_long = Fault::TooLong { bytes, bytes_max: self.payload_bytes_max };
            publish.fault.get_or_insert(too_long);
        }
        Ok(publish)
    }

    /// Where a PUBLISH is too long to be held, lets it stream by as soon as its head is there.
    fn begin_skip(&mut self, missing: usize) -> Result<(), String> {
        let length = self.buffer.len() + missing;
        if length <= PACKET_BYTES_MAX as usize {
            return Ok(());
        }
        let first = self.buffer.first().copied().unwrap_or_default();
        if first >> 4 != PUBLISH {
            return Err(format!("a packet of {length} bytes"));
        }
        if self.buffer.len() < PUBLISH_HEAD_MAX {
            return Ok(());
        }
        let head = self.buffer.split().freeze();
        let mut publish = cut(&head).ok_or("a PUBLISH whose lengths don't fit")?;
        publish.numbered()?;
        if self.protocol == Protocol::V5 {
            without_properties(&mut publish.payload);
        }
        let mut kept = BytesMut::from(&*publish.payload);
        let bytes = kept.len() + missing;
        kept.truncate(self.payload_bytes_max);
        let fault = Some(Fault::TooLong { bytes, bytes_max: self.payload_bytes_max });
        self.skip = Some(Skip { publish: Publish { fault, ..publish }, kept, left: missing });
        Ok(())
    }

    fn skip_on(&mut self) -> Option<Packet> {
        let skip = self.skip.as_mut()?;
        let take = skip.left.min(self.buffer.len());
        let room = self.payload_bytes_max.saturating_sub(skip.kept.len());
        skip.kept.extend_from_slice(self.buffer.get(..take.min(room)).unwrap_or_default());
        self.buffer.advance(take);
        skip.left -= take;
        if skip.left > 0 {
            return None;
        }
        let done = self.skip.take()?;
        Some(Packet::Publish(Publish { payload: done.kept.freeze(), ..done.publish }))
    }
}

const CONNACK: u8 = 2;
const PUBLISH: u8 = 3;
const DISCONNECT: u8 = 14;

fn new_check(buffer: &BytesMut) -> Result<new::FixedHeader, CodecError> {
    new::check(buffer.iter(), None)
}

fn qos_of(number: u8) -> Qos {
    match number {
        0 => Qos::AtMostOnce,
        1 => Qos::AtLeastOnce,
        _ => Qos::ExactlyOnce,
    }
}

/// Cuts a PUBLISH by its lengths alone; of MQTT 5, the payload still begins with properties.
fn cut(frame: &Bytes) -> Option<Publish> {
    let mut rest = frame.clone();
    let first = rest.try_get_u8().ok()?;
    while rest.try_get_u8().ok()? & 0x80 != 0 {}
    let topic_length = usize::from(rest.try_get_u16().ok()?);
    if rest.len() < topic_length {
        return None;
    }
    let topic = rest.split_to(topic_length);
    let qos = qos_of((first >> 1) & 3);
    let packet_id = if qos == Qos::AtMostOnce { 0 } else { rest.try_get_u16().ok()? };
    let (dup, retain) = (first & 8 != 0, first & 1 != 0);
    Some(Publish { dup, retain, qos, packet_id, topic, payload: rest, fault: None })
}

/// Takes properties off the beginning of a payload, if they are there as a whole.
fn without_properties(payload: &mut Bytes) {
    let (mut length, mut rest) = (0, payload.clone());
    for shift in [0, 7, 14, 21] {
        let Ok(byte) = rest.try_get_u8() else { return };
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            if length <= rest.len() {
                rest.advance(length);
                *payload = rest;
            }
            return;
        }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "what else the codec knows is not needed")]
fn read_new(mut frame: BytesMut) -> Result<Packet, String> {
    match (frame.first().map(|first| first >> 4), frame.len()) {
        // The codec knows no DISCONNECT without a reason, which is a plain farewell,
        (Some(DISCONNECT), 2) => return Ok(Packet::Farewell("no reason given".to_owned())),
        // and none without properties, which a reason may do without.
        (Some(DISCONNECT), 3) => {
            let reason = frame.split_off(2);
            frame.clear();
            frame.extend_from_slice(&[DISCONNECT << 4, 2]);
            frame.extend_from_slice(&reason);
            frame.extend_from_slice(&[0]);
        }
        // A broker that knows 3.1.1 only says so in the words of 3.1.1.
        (Some(CONNACK), 4) => {
            let refused = Some("unsupported protocol version".to_owned());
            let welcome = Welcome { session_present: false, refused, keep_alive_s: None };
            return Ok(Packet::Connected(welcome));
        }
        (Some(_) | None, _) => {}
    }
    let packet = new::Packet::read(&mut frame, None).map_err(|error| error.to_string())?;
    Ok(match packet {
        new::Packet::ConnAck(ack) => {
            let refused = (ack.code != new::ConnectReturnCode::Success).then(|| {
                let reason = ack.properties.as_ref().and_then(|said| said.reason_string.clone());
                reason.unwrap_or_else(|| format!("{:?}", ack.code))
            });
            let keep_alive_s = ack.properties.and_then(|said| said.server_keep_alive);
            let session_present = ack.session_present;
            Packet::Connected(Welcome { session_present, refused, keep_alive_s })
        }
        new::Packet::SubAck(ack) => {
            let codes = ack.return_codes.iter().map(|code| match code {
                new::SubscribeReasonCode::Success(QoS::AtMostOnce) => Some(NO_PROMISE.to_owned()),
                new::SubscribeReasonCode::Success(_) => None,
                refusal => Some(format!("{refusal:?}")),
            });
            Packet::Subscribed { packet_id: ack.pkid, codes: codes.collect() }
        }
        new::Packet::PubRel(release) => Packet::Release(release.pkid),
        new::Packet::PingResp(_) => Packet::Pong,
        new::Packet::Disconnect(farewell) => {
            let reason = farewell.properties.and_then(|said| said.reason_string);
            Packet::Farewell(reason.unwrap_or_else(|| format!("{:?}", farewell.reason_code)))
        }
        _ => Packet::Other,
    })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "what else the codec knows is not needed")]
fn read_old(mut frame: BytesMut) -> Result<Packet, String> {
    let limit = PACKET_BYTES_MAX as usize;
    let packet = v4::Packet::read(&mut frame, limit).map_err(|error| error.to_string())?;
    Ok(match packet {
        v4::Packet::ConnAck(ack) => {
            let refused = ack.code != v4::ConnectReturnCode::Success;
            let refused = refused.then(|| format!("{:?}", ack.code));
            let session_present = ack.session_present;
            Packet::Connected(Welcome { session_present, refused, keep_alive_s: None })
        }
        v4::Packet::SubAck(ack) => {
            let codes = ack.return_codes.iter().map(|code| match code {
                v4::SubscribeReasonCode::Success(old::QoS::AtMostOnce) => {
                    Some(NO_PROMISE.to_owned())
                }
                v4::SubscribeReasonCode::Success(_) => None,
                v4::SubscribeReasonCode::Failure => Some("refused by the broker".to_owned()),
            });
            Packet::Subscribed { packet_id: ack.pkid, codes: codes.collect() }
        }
        v4::Packet::PubRel(release) => Packet::Release(release.pkid),
        v4::Packet::PingResp => Packet::Pong,
        v4::Packet::Disconnect => Packet::Farewell("no reason given".to_owned()),
        _ => Packet::Other,
    })
}

/// The writing side, in the packets of one version.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pen(pub(super) Protocol);

/// What a CONNECT says.
pub(super) struct Greeting<'a> {
    pub(super) client_id: &'a str,
    pub(super) clean: bool,
    pub(super) session_expiry_s: u32,
    pub(super) receive_maximum: u16,
    pub(super) keep_alive_s: u16,
    pub(super) login: Option<(&'a str, &'a SecretString)>,
    /// On which topic the broker says that weir is gone, and how.
    pub(super) will: Option<(&'a str, &'a [u8])>,
}

impl Pen {
    pub(super) fn connect(self, greeting: &Greeting<'_>, out: &mut BytesMut) -> Result<(), String> {
        let login = greeting.login.map(|(user, word)| (user, word.expose_secret().to_owned()));
        match self.0 {
            Protocol::V5 => {
                let mut properties = new::ConnectProperties::new();
                properties.session_expiry_interval = Some(greeting.session_expiry_s);
                properties.receive_maximum = Some(greeting.receive_maximum);
                properties.max_packet_size = Some(PACKET_BYTES_MAX);
                let connect = new::Connect {
                    keep_alive: greeting.keep_alive_s,
                    client_id: greeting.client_id.to_owned(),
                    clean_start: greeting.clean,
                    properties: Some(properties),
                };
                let login = login.map(|(user, password)| new::Login::new(user, password));
                let will = greeting.will.map(|(topic, words)| {
                    new::LastWill::new(topic, words.to_vec(), QoS::AtLeastOnce, true, None)
                });
                written(new::Packet::Connect(connect, will, login).write(out, None))
            }
            Protocol::V311 => {
                let mut connect = v4::Connect::new(greeting.client_id);
                connect.keep_alive = greeting.keep_alive_s;
                connect.clean_session = greeting.clean;
                connect.last_will = greeting.will.map(|(topic, words)| {
                    v4::LastWill::new(topic, words.to_vec(), old::QoS::AtLeastOnce, true)
                });
                if let Some((user, password)) = login {
                    connect.set_login(user, password);
                }
                written(connect.write(out))
            }
        }
    }

    pub(super) fn subscribe(
        self,
        packet_id: u16,
        filters: &[String],
        out: &mut BytesMut,
    ) -> Result<(), String> {
        match self.0 {
            Protocol::V5 => {
                let filters = filters.iter().map(|filter| {
                    let mut filter = new::Filter::new(filter, QoS::AtLeastOnce);
                    filter.retain_forward_rule = new::RetainForwardRule::OnNewSubscribe;
                    filter
                });
                let mut subscribe = new::Subscribe::new_many(filters, None);
                subscribe.pkid = packet_id;
                written(new::Packet::Subscribe(subscribe).write(out, None))
            }
            Protocol::V311 => {
                let filters = filters
                    .iter()
                    .map(|filter| v4::SubscribeFilter::new(filter.clone(), old::QoS::AtLeastOnce));
                let mut subscribe = v4::Subscribe::new_many(filters);
                subscribe.pkid = packet_id;
                written(subscribe.write(out))
            }
        }
    }

    /// Asks for what the broker tells of itself: at QoS 0, with what it kept, every time.
    pub(super) fn watch(
        self,
        packet_id: u16,
        topic: &str,
        out: &mut BytesMut,
    ) -> Result<(), String> {
        match self.0 {
            Protocol::V5 => {
                let filter = new::Filter::new(topic, QoS::AtMostOnce);
                let mut subscribe = new::Subscribe::new(filter, None);
                subscribe.pkid = packet_id;
                written(new::Packet::Subscribe(subscribe).write(out, None))
            }
            Protocol::V311 => {
                let mut subscribe = v4::Subscribe::new(topic, old::QoS::AtMostOnce);
                subscribe.pkid = packet_id;
                written(subscribe.write(out))
            }
        }
    }

    /// Publishes what the broker is to keep, at QoS 1.
    pub(super) fn publish_retained(
        self,
        packet_id: u16,
        topic: &str,
        payload: &[u8],
        out: &mut BytesMut,
    ) -> Result<(), String> {
        let payload = payload.to_vec();
        match self.0 {
            Protocol::V5 => {
                let mut publish = new::Publish::new(topic, QoS::AtLeastOnce, payload, None);
                (publish.pkid, publish.retain) = (packet_id, true);
                written(publish.write(out))
            }
            Protocol::V311 => {
                let mut publish = v4::Publish::new(topic, old::QoS::AtLeastOnce, payload);
                (publish.pkid, publish.retain) = (packet_id, true);
                written(publish.write(out))
            }
        }
    }

    /// Publishes what is for those who listen now, at QoS 0.
    pub(super) fn publish(
        self,
        topic: &str,
        payload: &[u8],
        out: &mut BytesMut,
    ) -> Result<(), String> {
        let payload = payload.to_vec();
        match self.0 {
            Protocol::V5 => {
                written(new::Publish::new(topic, QoS::AtMostOnce, payload, None).write(out))
            }
            Protocol::V311 => {
                written(v4::Publish::new(topic, old::QoS::AtMostOnce, payload).write(out))
            }
        }
    }

    pub(super) fn unsubscribe(
        self,
        packet_id: u16,
        filters: &[String],
        out: &mut BytesMut,
    ) -> Result<(), String> {
        match self.0 {
            Protocol::V5 => {
                let filters = filters.to_vec();
                let unsubscribe = new::Unsubscribe { pkid: packet_id, filters, properties: None };
                written(unsubscribe.write(out))
            }
            Protocol::V311 => {
                let unsubscribe = v4::Unsubscribe { pkid: packet_id, topics: filters.to_vec() };
                written(unsubscribe.write(out))
            }
        }
    }

    /// Acknowledges a message: PUBACK, or the first half of a QoS 2 exchange. Both versions write
    /// success in the same bytes.
    pub(super) fn acknowledge(self, qos: Qos, packet_id: u16, out: &mut BytesMut) {
        let kind = if qos == Qos::ExactlyOnce { 0x50 } else { 0x40 };
        let [high, low] = packet_id.to_be_bytes();
        out.extend_from_slice(&[kind, 2, high, low]);
    }

    /// Ends a QoS 2 exchange.
    pub(super) fn complete(self, packet_id: u16, out: &mut BytesMut) {
        let [high, low] = packet_id.to_be_bytes();
        out.extend_from_slice(&[0x70, 2, high, low]);
    }

    pub(super) fn ping(self, out: &mut BytesMut) {
        out.extend_from_slice(&[0xc0, 0]);
    }

    /// Says good-bye. Without a reason it is a normal one, and the session is kept.
    pub(super) fn farewell(self, out: &mut BytesMut) {
        out.extend_from_slice(&[0xe0, 0]);
    }
}

fn written<E: std::fmt::Display>(outcome: Result<usize, E>) -> Result<(), String> {
    outcome.map(|_| ()).map_err(|error| error.to_string())
}
