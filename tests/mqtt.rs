//! The connection against a scripted broker, for what no real one can be made to do, and against
//! mosquitto, for what a real one does.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
#![allow(clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, reason = "a test asks its own clock")]

mod peer;

use std::time::Duration;

use peer::{Hook, Mosquitto, Weir, get, until};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use weir::domain::input::{Message, Qos, ReceiveFault};
use weir::domain::name::NetworkId;
use weir::domain::time::Timestamp;
use weir::mqtt::Error;
use weir::mqtt::acknowledgement::{AckToken, Acknowledger};
use weir::mqtt::config::Config;
use weir::mqtt::connection::{Connection, Opened, Session, Turn};
use weir::mqtt::publisher::Publisher;

fn config(port: u16, more: &str) -> Config {
    let text = format!(
        "network='n'\nurl='mqtt://127.0.0.1:{port}'\nclient_id='weir-test'\ngather_ms=1\n\
         watch_dropped=false\n{more}"
    );
    toml::from_str(&text).unwrap()
}

/// For how long a test waits for a packet.
const PATIENCE: Duration = Duration::from_secs(10);

/// A broker that does what the test says, byte by byte.
struct Script {
    listener: TcpListener,
}

struct Peer {
    stream: TcpStream,
    /// Whether the ping that follows the filters came; it is answered beside the script.
    proven: bool,
}

impl Script {
    async fn new() -> (Self, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        (Self { listener }, port)
    }

    /// Lets a client in and grants every filter.
    async fn welcome(&self) -> Peer {
        let mut peer = self.accept().await;
        assert_eq!(peer.receive().await.0 >> 4, 1, "CONNECT");
        peer.send(&[0x20, 3, 0, 0, 0]).await;
        peer.grant().await;
        peer
    }

    /// Treats every client alike.
    fn play<F: Future<Output = ()> + Send + 'static>(
        self,
        act: impl Fn(Peer) -> F + Send + 'static,
    ) {
        tokio::spawn(async move {
            loop {
                let peer = self.accept().await;
                tokio::spawn(act(peer));
            }
        });
    }

    async fn accept(&self) -> Peer {
        Peer { stream: self.listener.accept().await.unwrap().0, proven: false }
    }
}

impl Peer {
    async fn receive(&mut self) -> (u8, Vec<u8>) {
        loop {
            let received = tokio::time::timeout(PATIENCE, self.receive_slowly());
            let received = received.await.expect("a packet from weir");
            if received.0 != 0xc0 || self.proven {
                return received;
            }
            self.proven = true;
            self.send(&[0xd0, 0]).await;
        }
    }

    async fn receive_slowly(&mut self) -> (u8, Vec<u8>) {
        let kind = self.stream.read_u8().await.unwrap();
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            let byte = self.stream.read_u8().await.unwrap();
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.unwrap();
        (kind, body)
    }

    /// Answers every ping, until weir says good-bye or goes.
    async fn stay(mut self) {
        while let Ok(kind) = self.stream.read_u8().await {
            let length = self.stream.read_u8().await.unwrap_or(0);
            self.stream.read_exact(&mut vec![0; length.into()]).await.ok();
            match kind {
                0xc0 => self.stream.write_all(&[0xd0, 0]).await.unwrap_or_default(),
                0xe0 => return,
                _ => {}
            }
        }
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    async fn grant(&mut self) {
        let (kind, body) = self.receive().await;
        assert_eq!(kind, 0x82, "SUBSCRIBE");
        assert_ne!((body[0], body[1]), (0, 0), "a packet id");
        self.send(&[0x90, 4, body[0], body[1], 0, 1]).await;
    }

    /// Lets the daemon in and answers for every filter; gives its client id.
    async fn welcome_daemon(&mut self, session_present: bool, code: u8) -> String {
        let (_, connect) = self.receive().await;
        // Name, version, flags, keep-alive, and properties of weir's own: none is longer than 127.
        let id = 11 + usize::from(connect[10]);
        let length = usize::from(connect[id + 1]);
        let client_id = String::from_utf8_lossy(&connect[id + 2..id + 2 + length]).into_owned();
        self.send(&[0x20, 3, session_present.into(), 0, 0]).await;
        let (_, subscribe) = self.receive().await;
        let (mut at, mut codes) = (3, vec![subscribe[0], subscribe[1], 0]);
        while at < subscribe.len() {
            at += 3 + usize::from(u16::from_be_bytes([subscribe[at], subscribe[at + 1]]));
            codes.push(code);
        }
        self.send(&[&[0x90, codes.len() as u8], &*codes].concat()).await;
        client_id
    }
}

fn publish(head: u8, topic: &[u8], packet_id: u16, properties: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut body = u16::try_from(topic.len()).unwrap().to_be_bytes().to_vec();
    body.extend(topic);
    if head & 6 != 0 {
        body.extend(packet_id.to_be_bytes());
    }
    body.extend(properties);
    body.extend(payload);
    let mut frame = vec![0x30 | head];
    let mut length = body.len();
    loop {
        let more = if length > 0x7f { 0x80 } else { 0 };
        frame.push((length & 0x7f) as u8 | more);
        length >>= 7;
        if length == 0 {
            break;
        }
    }
    frame.extend(body);
    frame
}

#[derive(Debug, PartialEq)]
struct Got {
    topic: Vec<u8>,
    payload: Vec<u8>,
    packet_id: u16,
    dup: bool,
    fault: Option<String>,
}

impl From<Message<'_>> for Got {
    fn from(message: Message<'_>) -> Self {
        let fault = message.fault.map(|fault| match fault {
            ReceiveFault::TooLong { bytes, bytes_max } => format!("{bytes} > {bytes_max}"),
            ReceiveFault::Broken(words) | ReceiveFault::Crashed(words) => words.to_owned(),
        });
        Self {
            topic: message.topic.to_vec(),
            payload: message.payload.to_vec(),
            packet_id: message.packet_id,
            dup: message.dup,
            fault,
        }
    }
}

async fn open(config: &Config) -> Result<(Connection, Opened), Error> {
    Connection::open(
        config,
        Session::Persistent { now: Timestamp(0) },
        &["#".to_owned()],
        NetworkId(0),
    )
    .await
}

/// Turns until so many messages came, or it is clear that they won't.
async fn gather(connection: &mut Connection, count: usize) -> (Vec<Got>, Vec<AckToken>) {
    let (mut got, mut tokens) = (Vec::new(), Vec::new());
    for _ in 0..100 {
        let mut take = |message: Message<'_>, token: Option<AckToken>| {
            got.push(Got::from(message));
            tokens.extend(token);
        };
        connection.turn(true, &mut take).await.unwrap();
        if got.len() >= count {
            break;
        }
    }
    (got, tokens)
}

async fn idle(connection: &mut Connection) -> Result<Turn, Error> {
    connection.turn(true, &mut |_, _| panic!("nothing more was sent")).await
}

fn settle(acknowledger: &Acknowledger, tokens: Vec<AckToken>) {
    let numbered = tokens.into_iter().enumerate();
    let mut numbered: Vec<AckToken> =
        numbered.map(|(index, token)| token.numbered(index as u64 + 1)).collect();
    acknowledger.acknowledge(&mut numbered);
}

#[tokio::test]
async fn acks_leave_in_the_order_of_arrival_and_only_after_they_are_handed_in() {
    let (script, port) = Script::new().await;
    let config = config(port, "");
    let (opened, mut peer) = tokio::join!(open(&config), script.welcome());
    let mut connection = opened.unwrap().0;
    for packet_id in [7, 3, 9] {
        peer.send(&publish(2, b"t", packet_id, &[0], b"x")).await;
    }
    let (got, mut tokens) = gather(&mut connection, 3).await;
    assert_eq!(got.iter().map(|one| one.packet_id).collect::<Vec<_>>(), [7, 3, 9]);
    let acknowledger = connection.acknowledger();
    settle(&acknowledger, vec![tokens.remove(2)]);
    idle(&mut connection).await.unwrap();
    settle(&acknowledger, tokens);
    assert_eq!(idle(&mut connection).await.unwrap().outstanding, 0);
    for packet_id in [7, 3, 9] {
        assert_eq!(peer.receive().await, (0x40, vec![0, packet_id]));
    }
}

#[tokio::test]
async fn an_ack_dies_with_its_connection() {
    let (script, port) = Script::new().await;
    let config = config(port, "");
    let (opened, mut peer) = tokio::join!(open(&config), script.welcome());
    let mut first = opened.unwrap().0;
    peer.send(&publish(2, b"t", 1, &[0], b"old")).await;
    let (_, tokens) = gather(&mut first, 1).await;
    let acknowledger = first.acknowledger();
    drop((first, peer));
    // The session is lost: packet id 1 is another message now.
    let (opened, mut peer) = tokio::join!(open(&config), script.welcome());
    let mut second = opened.unwrap().0;
    peer.send(&publish(2, b"t", 1, &[0], b"new")).await;
    let (got, fresh) = gather(&mut second, 1).await;
    assert_eq!(got[0].payload, b"new");
    assert!(!acknowledger.same_as(&second.acknowledger()));
    settle(&acknowledger, tokens);
    assert_eq!(idle(&mut second).await.unwrap().outstanding, 1, "no ack left");
    settle(&second.acknowledger(), fresh);
    assert_eq!(idle(&mut second).await.unwrap().outstanding, 0);
    assert_eq!(peer.receive().await, (0x40, vec![0, 1]));
}

#[tokio::test]
async fn what_comes_before_the_suback_is_kept() {
    let (script, port) = Script::new().await;
    let config = config(port, "");
    let broker = async {
        let mut peer = script.accept().await;
        peer.receive().await;
        peer.send(&[0x20, 3, 1, 0, 0]).await;
        peer.send(&publish(0xa, b"t", 5, &[0], b"early")).await;
        peer.grant().await;
        peer
    };
    let (opened, _peer) = tokio::join!(open(&config), broker);
    let (mut connection, opened) = opened.unwrap();
    assert!(opened.session_present);
    let (got, tokens) = gather(&mut connection, 1).await;
    assert_eq!((got[0].packet_id, got[0].dup, tokens.len()), (5, true, 1));
}

#[tokio::test]
async fn a_window_that_comes_slowly_before_the_suback_is_delivered_and_acknowledged_at_once() {
    let (script, port) = Script::new().await;
    let config = config(port, "connect_timeout_s = 1");
    let broker = async {
        let mut peer = script.accept().await;
        peer.receive().await;
        peer.send(&[0x20, 3, 1, 0, 0]).await;
        let (_, body) = peer.receive().await;
        for packet_id in 1..=8 {
            peer.send(&publish(0xa, b"t", packet_id, &[0], b"slow")).await;
            while peer.receive().await.0 != 0x40 {}
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        peer.send(&[0x90, 4, body[0], body[1], 0, 1]).await;
        peer
    };
    let weir = async {
        let (mut connection, opened) = open(&config).await.unwrap();
        assert!(opened.session_present);
        for _ in 1..=8 {
            assert_eq!(connection.refused_filters(), None);
            let (_, tokens) = gather(&mut connection, 1).await;
            settle(&connection.acknowledger(), tokens);
        }
        while connection.refused_filters().is_none() {
            idle(&mut connection).await.unwrap();
        }
    };
    let ((), _peer) = tokio::join!(weir, broker);
}

#[tokio::test]
async fn a_suback_that_never_comes_ends_the_connection() {
    let (script, port) = Script::new().await;
    let config = config(port, "connect_timeout_s = 1");
    let broker = async {
        let mut peer = script.accept().await;
        peer.receive().await;
        peer.send(&[0x20, 3, 0, 0, 0]).await;
        peer
    };
    let (opened, _peer) = tokio::join!(open(&config), broker);
    let mut connection = opened.unwrap().0;
    let error = loop {
        if let Err(error) = idle(&mut connection).await {
            break error;
        }
    };
    assert!(matches!(error, Error::Slow { .. }), "{error}");
}

#[tokio::test]
async fn what_comes_with_the_suback_waits_for_no_further_byte() {
    let (script, port) = Script::new().await;
    let config = config(port, "");
    let broker = async {
        let mut peer = script.accept().await;
        peer.receive().await;
        peer.send(&[0x20, 3, 0, 0, 0]).await;
        let (_, body) = peer.receive().await;
        let mut segment = vec![0x90, 4, body[0], body[1], 0, 1];
        segment.extend(publish(2, b"t", 5, &[0], b"in the same segment"));
        peer.send(&segment).await;
        peer
    };
    let (opened, _peer) = tokio::join!(open(&config), broker);
    let mut connection = opened.unwrap().0;
    let (got, _) = gather(&mut connection, 1).await;
    assert_eq!(got[0].payload, b"in the same segment");
}

#[tokio::test]
async fn a_broken_publish_is_handed_on_and_the_connection_goes_on() {
    let (script, port) = Script::new().await;
    let config = config(port, "payload_bytes_max = 10");
    let (opened, mut peer) = tokio::join!(open(&config), script.welcome());
    let mut connection = opened.unwrap().0;
    // A property that is cut short, an alias never asked for, a topic that is no text, too long.
    let cut = publish(2, b"t", 1, &[5, 0x23, 0], b"");
    peer.send(&cut).await;
    peer.send(&publish(2, b"", 2, &[3, 0x23, 0, 1], b"x")).await;
    peer.send(&publish(2, b"\xff\xfe", 3, &[0], b"x")).await;
    peer.send(&publish(2, b"t", 4, &[0], b"01234567890")).await;
    peer.send(&publish(0, b"t", 0, &[0], b"whole")).await;
    let (got, tokens) = gather(&mut connection, 5).await;
    assert_eq!(tokens.len(), 4);
    assert!(got[0].fault.is_some() && got[0].payload == cut);
    assert!(got[1].fault.as_ref().unwrap().contains("alias"));
    assert_eq!((got[2].topic.as_slice(), &got[2].fault), (&b"\xff\xfe"[..], &None));
    assert_eq!(
        (got[3].payload.as_slice(), got[3].fault.as_deref()),
        (&b"0123456789"[..], Some("11 > 10"))
    );
    assert_eq!((got[4].payload.as_slice(), &got[4].fault), (&b"whole"[..], &None));
}

#[tokio::test]
async fn an_old_brokers_endless_payload_streams_by() {
    let (script, port) = Script::new().await;
    let config = config(port, "protocol = '3.1.1'");
    let broker = async {
        let mut peer = script.accept().await;
        let (_, connect) = peer.receive().await;
        assert_eq!(connect[6], 4, "3.1.1");
        peer.send(&[0x20, 2, 0, 0]).await;
        let (_, body) = peer.receive().await;
        peer.send(&[0x90, 3, body[0], body[1], 1]).await;
        peer
    };
    let (opened, mut peer) = tokio::join!(open(&config), broker);
    let mut connection = opened.unwrap().0;
    assert!(connection.small_window());
    let long = publish(2, b"\xfft", 1, &[], &vec![7; 5 << 20]);
    let sender = tokio::spawn(async move {
        peer.send(&long).await;
        peer.send(&publish(2, b"t", 2, &[], b"next")).await;
        peer
    });
    let (got, tokens) = gather(&mut connection, 2).await;
    assert_eq!((got[0].payload.len(), got[0].topic.as_slice()), (256 << 10, &b"\xfft"[..]));
    assert_eq!(got[0].fault.as_deref(), Some("5242880 > 262144"));
    assert_eq!((got[1].payload.as_slice(), tokens.len()), (&b"next"[..], 2));
    sender.await.unwrap();
}

#[tokio::test]
async fn a_broker_that_does_not_heed_the_longest_packet_is_read_all_the_same() {
    let (script, port) = Script::new().await;
    let config = config(port, "");
    let (opened, mut peer) = tokio::join!(open(&config), script.welcome());
    let mut connection = opened.unwrap().0;
    // With a property, which is no part of the payload.
    let long = publish(2, b"t", 1, &[5, 2, 0, 0, 0, 60], &vec![7; 3 << 20]);
    let sender = tokio::spawn(async move {
        peer.send(&long).await;
        peer.send(&publish(2, b"t", 2, &[0], b"next")).await;
        peer
    });
    let (got, tokens) = gather(&mut connection, 2).await;
    assert_eq!(got[0].payload, vec![7; 256 << 10]);
    assert_eq!(got[0].fault.as_deref(), Some("3145728 > 262144"));
    assert_eq!((got[1].payload.as_slice(), tokens.len()), (&b"next"[..], 2));
    sender.await.unwrap();
}

#[tokio::test]
async fn a_refusal_names_the_setting_to_mend() {
    let (script, port) = Script::new().await;
    let config = config(port, "");
    let broker = async {
        let mut peer = script.accept().await;
        peer.receive().await;
        peer.send(&[0x20, 3, 0, 0x86, 0]).await;
        peer
    };
    let (opened, _peer) = tokio::join!(open(&config), broker);
    let words = opened.unwrap_err().to_string();
    assert!(words.contains("password_file"), "{words}");

    let broker = async {
        let mut peer = script.accept().await;
        peer.receive().await;
        peer.send(&[0x20, 3, 0, 0, 0]).await;
        let (_, body) = peer.receive().await;
        peer.send(&[0x90, 4, body[0], body[1], 0, 0x87]).await;
        peer
    };
    let (opened, _peer) = tokio::join!(open(&config), broker);
    let mut connection = opened.unwrap().0;
    idle(&mut connection).await.unwrap();
    let refused = connection.refused_filters().unwrap();
    assert_eq!(refused, [("#".to_owned(), "NotAuthorized".to_owned())]);
}

#[tokio::test]
async fn the_refusal_of_an_old_broker_names_the_protocol() {
    let (script, port) = Script::new().await;
    let config = config(port, "");
    let broker = async {
        let mut peer = script.accept().await;
        peer.receive().await;
        peer.send(&[0x20, 2, 0, 1]).await;
        peer
    };
    let (opened, _peer) = tokio::join!(open(&config), broker);
    let words = opened.unwrap_err().to_string();
    assert!(words.contains("mend protocol"), "{words}");
}

#[tokio::test]
async fn a_farewell_may_do_without_properties_and_without_a_reason() {
    let (script, port) = Script::new().await;
    let config = config(port, "");
    let farewells = [
        (&[0xe0, 1, 0x8e][..], "SessionTakenOver; another client"),
        (&[0xe0, 2, 0x8b, 0], "ServerShuttingDown"),
        (&[0xe0, 1, 0x87], "NotAuthorized; does its access list allow status_topic"),
        (&[0xe0, 0], "no reason given"),
    ];
    for (bytes, want) in farewells {
        let (opened, mut peer) = tokio::join!(open(&config), script.welcome());
        let mut connection = opened.unwrap().0;
        peer.send(bytes).await;
        let error = loop {
            if let Err(error) = idle(&mut connection).await {
                break error;
            }
        };
        let words = error.to_string();
        assert!(matches!(error, Error::Farewell(_)) && words.contains(want), "{words}");
    }
}

#[tokio::test]
async fn a_filter_granted_at_qos_0_or_not_answered_for_is_refused() {
    for (protocol, head) in [("5", &[0_u8][..]), ("3.1.1", &[])] {
        let (script, port) = Script::new().await;
        let config = config(port, &format!("protocol = '{protocol}'"));
        let filters = ["a".to_owned(), "b".to_owned(), "c".to_owned()];
        let broker = async {
            let mut peer = script.accept().await;
            peer.receive().await;
            peer.send(&[&[0x20, 2 + head.len() as u8, 0, 0], head].concat()).await;
            let (_, body) = peer.receive().await;
            let answer = [&[body[0], body[1]], head, &[1, 0]].concat();
            peer.send(&[&[0x90, answer.len() as u8], &*answer].concat()).await;
            peer
        };
        let opening = Connection::open(
            &config,
            Session::Persistent { now: Timestamp(0) },
            &filters,
            NetworkId(0),
        );
        let (opened, _peer) = tokio::join!(opening, broker);
        let mut connection = opened.unwrap().0;
        idle(&mut connection).await.unwrap();
        let refused = connection.refused_filters().unwrap();
        let words: Vec<String> =
            refused.iter().map(|(filter, reason)| format!("{filter}: {reason}")).collect();
        assert_eq!(
            words,
            [
                "b: granted at QoS 0 only; what is lost before weir nobody can know",
                "c: the broker gave no answer for it"
            ]
        );
    }
}

#[tokio::test]
async fn nobody_there_and_a_silent_broker_are_told_apart() {
    let (script, port) = Script::new().await;
    let slow = config(port, "connect_timeout_s = 1");
    let (opened, _peer) = tokio::join!(open(&slow), script.accept());
    assert!(matches!(opened, Err(Error::Slow { .. })));
    drop(script);
    assert!(matches!(open(&slow).await, Err(Error::Away { .. })));
}

#[tokio::test]
async fn a_late_connack_is_waited_for_and_no_keep_alive_is_no_storm_of_pings() {
    let (script, port) = Script::new().await;
    let config = config(port, "");
    let broker = async {
        let mut peer = script.accept().await;
        peer.receive().await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        peer.send(&[0x20, 6, 0, 0, 3, 0x13, 0, 0]).await;
        peer.grant().await;
        peer
    };
    let (opened, mut peer) = tokio::join!(open(&config), broker);
    let mut connection = opened.unwrap().0;
    for _ in 0..10 {
        idle(&mut connection).await.unwrap();
    }
    let quiet = tokio::time::timeout(Duration::from_millis(100), peer.receive()).await;
    assert!(quiet.is_err(), "{quiet:?}");
}

#[tokio::test]
async fn a_ping_after_the_ack_settles_it_and_silence_ends_the_connection() {
    let (script, port) = Script::new().await;
    let config = config(port, "keep_alive_s = 2");
    let (opened, mut peer) = tokio::join!(open(&config), script.welcome());
    let mut connection = opened.unwrap().0;
    peer.send(&publish(2, b"t", 1, &[0], b"x")).await;
    let (_, tokens) = gather(&mut connection, 1).await;
    settle(&connection.acknowledger(), tokens);
    let broker = async {
        assert_eq!(peer.receive().await.0, 0x40);
        assert_eq!(peer.receive().await.0, 0xc0, "PINGREQ");
        peer.send(&[0xd0, 0]).await;
        peer
    };
    let turns = async {
        loop {
            if let Some(ordinal) = idle(&mut connection).await.unwrap().settled {
                return ordinal;
            }
        }
    };
    let (settled, _peer) = tokio::join!(turns, broker);
    assert_eq!(settled, 1);
    let error = loop {
        if let Err(error) = idle(&mut connection).await {
            break error;
        }
    };
    assert!(matches!(error, Error::Silent));
}

#[tokio::test]
async fn pings_go_on_while_nothing_is_read_and_settle_only_what_they_cover() {
    let (script, port) = Script::new().await;
    let config = config(port, "keep_alive_s = 1");
    let (opened, mut peer) = tokio::join!(open(&config), script.welcome());
    let mut connection = opened.unwrap().0;
    for packet_id in [1, 2] {
        peer.send(&publish(2, b"t", packet_id, &[0], b"x")).await;
    }
    let (_, tokens) = gather(&mut connection, 2).await;
    let mut tokens: Vec<AckToken> =
        tokens.into_iter().zip(1..).map(|(token, ordinal)| token.numbered(ordinal)).collect();
    let mut last = vec![tokens.pop().unwrap()];
    connection.acknowledger().acknowledge(&mut tokens);
    let until = tokio::time::Instant::now() + Duration::from_millis(2_500);
    while tokio::time::Instant::now() < until {
        connection.turn(false, &mut |_, _| panic!("nothing is read")).await.unwrap();
    }
    assert_eq!(peer.receive().await, (0x40, vec![0, 1]));
    for _ in 0..4 {
        assert_eq!(peer.receive().await.0, 0xc0, "a PINGREQ each half of the keep-alive");
    }
    // Each of them covers the first ack alone.
    connection.acknowledger().acknowledge(&mut last);
    connection.turn(false, &mut |_, _| ()).await.unwrap();
    assert_eq!(peer.receive().await, (0x40, vec![0, 2]));
    peer.send(&[0xd0, 0, 0xd0, 0, 0xd0, 0, 0xd0, 0]).await;
    assert_eq!(idle(&mut connection).await.unwrap().settled, Some(1));
}

#[tokio::test]
async fn what_an_old_session_holds_at_qos_2_is_answered() {
    let (script, port) = Script::new().await;
    let config = config(port, "");
    let (opened, mut peer) = tokio::join!(open(&config), script.welcome());
    let mut connection = opened.unwrap().0;
    peer.send(&publish(4, b"t", 6, &[0], b"x")).await;
    let (_, tokens) = gather(&mut connection, 1).await;
    settle(&connection.acknowledger(), tokens);
    idle(&mut connection).await.unwrap();
    assert_eq!(peer.receive().await, (0x50, vec![0, 6]));
    peer.send(&[0x62, 2, 0, 6]).await;
    for _ in 0..4 {
        idle(&mut connection).await.unwrap();
    }
    assert_eq!(peer.receive().await, (0x70, vec![0, 6]));
}

#[tokio::test]
async fn what_is_no_mqtt_ends_the_connection() {
    let (script, port) = Script::new().await;
    let config = config(port, "");
    for bytes in
        [&b"HTTP/1.1 400 Bad Request\r\n"[..], &[0x30, 0xff, 0xff, 0xff, 0xff], &[0xf0, 1, 0]]
    {
        let (opened, mut peer) = tokio::join!(open(&config), script.welcome());
        let mut connection = opened.unwrap().0;
        peer.send(bytes).await;
        drop(peer);
        let error = loop {
            if let Err(error) = connection.turn(true, &mut |_, _| ()).await {
                break error;
            }
        };
        assert!(matches!(error, Error::Unreadable(_) | Error::Broken(_)), "{error}");
    }
}

#[tokio::test]
async fn mosquitto_delivers_again_what_was_not_acknowledged_and_nothing_else() {
    let broker = Mosquitto::start("");
    let config = config(broker.port(), "");
    let (mut first, opened) = open(&config).await.unwrap();
    assert!(!opened.session_present);
    let publisher = Publisher::connect(&config.url, "station").unwrap();
    for number in 0..300_u32 {
        let payload = number.to_string().into_bytes();
        publisher.publish("t", payload, Qos::AtLeastOnce, false).await.unwrap();
    }
    let collect = async {
        let (got, tokens) = gather(&mut first, 300).await;
        publisher.flush().await;
        (got, tokens)
    };
    let (got, mut tokens) = collect.await;
    assert_eq!(got.len(), 300);
    let rest = tokens.split_off(100);
    settle(&first.acknowledger(), tokens);
    idle(&mut first).await.unwrap();
    drop((rest, first));

    let (mut second, opened) = open(&config).await.unwrap();
    assert!(opened.session_present);
    let (again, tokens) = gather(&mut second, 200).await;
    assert_eq!(again.len(), 200);
    for (again, before) in again.iter().zip(&got[100..]) {
        assert!(again.dup);
        assert_eq!((again.packet_id, &again.payload), (before.packet_id, &before.payload));
    }
    settle(&second.acknowledger(), tokens);
    second.close().await;

    let (mut third, opened) = open(&config).await.unwrap();
    assert!(opened.session_present);
    for _ in 0..5 {
        idle(&mut third).await.unwrap();
    }
    publisher.close().await;
}

#[tokio::test]
async fn a_tools_session_leaves_the_daemons_alone() {
    let broker = Mosquitto::start("");
    let config = config(broker.port(), "");
    let (mut daemon, _) = open(&config).await.unwrap();
    weir::mqtt::connection::probe(&config, &["#".to_owned()]).await.unwrap();
    for _ in 0..5 {
        idle(&mut daemon).await.unwrap();
    }
}

fn sonde(minutes_ago: i64) -> String {
    let now = jiff::Timestamp::now().as_millisecond();
    format!("{{\"ts\":{},\"ph\":7.6}}", now - minutes_ago * 60_000)
}

async fn send(publisher: &Publisher, topic: &str, payload: String) {
    publisher.publish(topic, payload.into_bytes(), Qos::AtLeastOnce, false).await.unwrap();
    publisher.flush().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pattern_that_left_the_seeds_is_no_longer_delivered() {
    let broker = Mosquitto::start("");
    let mut weir = Weir::install(&broker.url(), "");
    let [narrow, wider] = ["narrow", "wider"].map(|name| weir.folder().join(name));
    for folder in [&narrow, &wider] {
        peer::copy(&weir.folder().join("seeds"), folder);
    }
    let topics = std::fs::read_to_string(wider.join("topics.csv")).unwrap();
    let line = topics.lines().find(|line| line.contains("water/{device}/data")).unwrap();
    let more = line.replace("water/{device}/data", "former/{device}/data");
    std::fs::write(wider.join("topics.csv"), format!("{topics}{more}\n")).unwrap();
    weir.start();
    let apply = |folder: &std::path::Path| {
        let (applied, said) = weir.command(&["seeds", "apply", &folder.display().to_string()]);
        assert!(applied, "{said}");
    };
    let publisher = Publisher::connect(&broker.url(), "station").unwrap();
    let received = |count| weir.count("/total/messages/received") == count;
    apply(&wider);
    let resumed = |count| {
        let sessions = weir.log().matches("session=\"resumed\"").count();
        sessions == count && get(weir.page(), "/ready").0 == 200
    };
    until("the wider edition", || resumed(2));
    send(&publisher, "former/sonde-01/data", sonde(3)).await;
    until("one of the wider edition", || received(1));
    apply(&narrow);
    until("the narrower edition", || resumed(4));
    send(&publisher, "former/sonde-01/data", sonde(2)).await;
    send(&publisher, "water/sonde-01/data", sonde(1)).await;
    until("the second", || received(2));
    // What is kept for an absent weir is kept by the same filters.
    weir.stop();
    send(&publisher, "former/sonde-01/data", sonde(1)).await;
    weir.start();
    send(&publisher, "water/sonde-01/data", sonde(0)).await;
    until("the third", || weir.count("/total/messages/received") == 3);
    assert_eq!(weir.count("/total/messages/stored"), 3);
    publisher.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poisoned_session_is_never_called_connected_and_raises_an_alert() {
    let (script, port) = Script::new().await;
    let hook = Hook::start();
    let mut weir = Weir::install(&format!("mqtt://127.0.0.1:{port}"), &hook.config());
    script.play(|mut peer| async move {
        if peer.welcome_daemon(true, 1).await == "weir-rivers" {
            // A packet of a type that there is none of, before anything else.
            peer.send(&[0x00, 0]).await;
        }
        peer.stay().await;
    });
    weir.start_with(&[]);
    let told = |word: &str| hook.got().iter().any(|(_, body)| body.to_string().contains(word));
    until("the other broker", || connected(&weir, "parks"));
    until("the alert", || {
        assert!(!connected(&weir, "rivers"));
        told("can't be read")
    });
    let (status, body) = get(weir.page(), "/ready");
    assert!(status == 503 && body.contains("broker rivers: the broker sent"), "{body}");
    assert!(!told("broker_away"));
    weir.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_waits_for_no_broker_that_does_not_answer() {
    let (script, port) = Script::new().await;
    let mut weir = Weir::install(&format!("mqtt://127.0.0.1:{port}"), "");
    weir.start_with(&[]);
    let _silent = [script.accept().await, script.accept().await];
    let start = std::time::Instant::now();
    weir.stop();
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

/// What the broker keeps under a topic.
fn kept(broker: &Mosquitto, topic: &str) -> String {
    let port = broker.port().to_string();
    let output = std::process::Command::new("mosquitto_sub")
        .args(["-p", &port, "-t", topic, "-C", "1", "-W", "2"])
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn others_see_whether_weir_lives() {
    let broker = Mosquitto::start("");
    let mut weir = Weir::install(&broker.url(), "");
    let status = || kept(&broker, "weir/weir-rivers/status");
    assert_eq!(status(), "");
    weir.start();
    until("the birth", || status() == "online");
    weir.kill();
    until("the will", || status() == "offline");
    weir.start();
    until("the second birth", || status() == "online");
    weir.stop();
    assert_eq!((status().as_str(), weir.count("/total/messages/received")), ("offline", 0));
}

#[tokio::test]
async fn birth_and_will_are_kept_at_qos_1_and_only_where_no_filter_fits_them() {
    for (protocol, filter, want) in
        [("5", "water/#", true), ("3.1.1", "water/#", true), ("5", "weir/+/status", false)]
    {
        let broker = Mosquitto::start("");
        let config = config(broker.port(), &format!("protocol = '{protocol}'"));
        let filters = [filter.to_owned()];
        let opening = Connection::open(
            &config,
            Session::Persistent { now: Timestamp(0) },
            &filters,
            NetworkId(0),
        );
        let mut connection = opening.await.unwrap().0;
        for _ in 0..5 {
            idle(&mut connection).await.unwrap();
        }
        let status = || kept(&broker, "weir/weir-test/status");
        assert_eq!(status(), if want { "online" } else { "" });
        drop(connection);
        if want {
            until("the will", || status() == "offline");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_broker_drops_is_seen_and_is_no_message() {
    let broker = Mosquitto::start("sys_interval 1\nmax_queued_messages 10");
    let port = broker.port().to_string();
    // Somebody who is away and whose queue is short.
    let absent = ["-p", &port, "-c", "-i", "absent", "-q", "1", "-t", "other", "-E"];
    let left = std::process::Command::new("mosquitto_sub").args(absent).status().unwrap();
    assert!(left.success());
    let mut weir = Weir::install(&broker.url(), "");
    weir.start();
    let dropped = || {
        let metrics = get(weir.page(), "/metrics").1;
        let head = "weir_broker_dropped_messages{network=\"rivers\"} ";
        let line = metrics.lines().find_map(|line| line.strip_prefix(head))?;
        line.parse::<f64>().ok()
    };
    until("the broker's count", || dropped().is_some());
    let publisher = Publisher::connect(&broker.url(), "station").unwrap();
    for _ in 0..50 {
        send(&publisher, "other", String::new()).await;
    }
    until("what was dropped", || dropped().is_some_and(|count| count >= 40.0));
    until("the log", || weir.log().contains("The broker drops messages"));
    assert_eq!(weir.count("/total/messages/received"), 0);
    weir.stop();
    publisher.close().await;
}

/// A certificate authority and what it signs, as PEM files in a folder.
struct Authority {
    folder: tempfile::TempDir,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let folder = tempfile::TempDir::new().unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "the test's own authority");
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(folder.path().join("ca.pem"), certificate.pem()).unwrap();
        Self { folder, issuer: rcgen::Issuer::new(params, key) }
    }

    /// Signs a certificate and lays it and its key into the folder.
    fn sign(&self, name: &str, host: &str) {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.folder.path().join(format!("{name}.pem")), certificate.pem()).unwrap();
        std::fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

#[tokio::test]
async fn tls_with_an_authority_and_a_certificate_of_our_own() {
    let ours = Authority::new();
    ours.sign("broker", "localhost");
    ours.sign("weir", "weir");
    let broker = Mosquitto::start(&format!(
        "cafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true",
        ours.path("ca.pem"),
        ours.path("broker.pem"),
        ours.path("broker.key")
    ));
    let config = |host: &str, authority: &Authority, own: bool| {
        let mut config = config(broker.port(), "");
        config.url = format!("mqtts://{host}:{}", broker.port());
        config.ca_file = Some(authority.path("ca.pem").into());
        if own {
            config.certificate_file = Some(ours.path("weir.pem").into());
            config.key_file = Some(ours.path("weir.key").into());
        }
        config
    };
    let with = config("localhost", &ours, true);
    let (mut connection, _) = open(&with).await.unwrap();
    let (port, payload) = (broker.port().to_string(), ours.path("payload"));
    std::fs::write(&payload, vec![b'x'; 200_000]).unwrap();
    // More than a turn reads.
    for _ in 0..8 {
        let (ca, own, key) = (ours.path("ca.pem"), ours.path("weir.pem"), ours.path("weir.key"));
        let files = ["--cafile", &ca, "--cert", &own, "--key", &key, "-f", &payload];
        let sent = std::process::Command::new("mosquitto_pub")
            .args(["-h", "localhost", "-p", &port, "-q", "1", "-t", "t"])
            .args(files)
            .status()
            .unwrap();
        assert!(sent.success());
    }
    let (got, tokens) = gather(&mut connection, 8).await;
    assert_eq!(got.iter().map(|one| one.payload.len()).collect::<Vec<_>>(), [200_000; 8]);
    settle(&connection.acknowledger(), tokens);
    assert_eq!(idle(&mut connection).await.unwrap().outstanding, 0);
    connection.close().await;

    // Another host, another authority, no certificate: each is said.
    let theirs = Authority::new();
    let refused = [
        config("127.0.0.1", &ours, true),
        config("localhost", &theirs, true),
        config("localhost", &ours, false),
    ];
    for config in refused {
        let error = match open(&config).await {
            Err(error) => error,
            Ok((mut connection, _)) => loop {
                if let Err(error) = idle(&mut connection).await {
                    break error;
                }
            },
        };
        let words = error.to_string();
        assert!(matches!(error, Error::Tls { .. } | Error::Broken(_)), "{words}");
    }
}

#[tokio::test]
async fn a_user_and_a_password_file() {
    let folder = tempfile::TempDir::new().unwrap();
    let (users, secret) = (folder.path().join("users"), folder.path().join("secret"));
    let made = std::process::Command::new("mosquitto_passwd")
        .args(["-b".as_ref(), "-c".as_ref(), users.as_os_str(), "weir".as_ref()])
        .arg("correct horse")
        .status()
        .unwrap();
    assert!(made.success());
    let more = format!("allow_anonymous false\npassword_file {}", users.display());
    let broker = Mosquitto::start(&more);
    let more = format!("user = 'weir'\npassword_file = '{}'", secret.display());
    for protocol in ["5", "3.1.1"] {
        let config = config(broker.port(), &format!("{more}\nprotocol = '{protocol}'"));
        std::fs::write(&secret, "correct horse\n").unwrap();
        let (mut connection, _) = open(&config).await.unwrap();
        idle(&mut connection).await.unwrap();
        std::fs::write(&secret, "wrong horse\n").unwrap();
        let words = open(&config).await.unwrap_err().to_string();
        assert!(words.contains("password_file") && !words.contains("horse"), "{words}");
    }
}

#[tokio::test]
async fn an_old_protocols_session_lasts_and_outlives_the_broker() {
    let mut broker = Mosquitto::start("");
    let config = config(broker.port(), "protocol = '3.1.1'");
    let (mut first, opened) = open(&config).await.unwrap();
    assert!(!opened.session_present);
    idle(&mut first).await.unwrap();
    let publisher = Publisher::connect(&config.url, "station").unwrap();
    send(&publisher, "t", "unacknowledged".to_owned()).await;
    let (got, _) = gather(&mut first, 1).await;
    assert!(!got[0].dup);
    drop(first);
    send(&publisher, "t", "while away".to_owned()).await;
    publisher.close().await;
    broker.restart(false);
    let (mut second, opened) = open(&config).await.unwrap();
    assert!(opened.session_present);
    let (again, tokens) = gather(&mut second, 2).await;
    let payloads: Vec<&[u8]> = again.iter().map(|one| one.payload.as_slice()).collect();
    assert_eq!(payloads, [&b"unacknowledged"[..], b"while away"]);
    assert!(again[0].dup);
    settle(&second.acknowledger(), tokens);
    second.close().await;
    let (mut third, opened) = open(&config).await.unwrap();
    assert!(opened.session_present);
    for _ in 0..5 {
        idle(&mut third).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_longer_than_we_said_does_not_end_the_connection() {
    let broker = Mosquitto::start("");
    let config = config(broker.port(), "");
    let (mut connection, _) = open(&config).await.unwrap();
    idle(&mut connection).await.unwrap();
    let publisher = Publisher::connect(&config.url, "station").unwrap();
    for bytes in [1, 3 << 20, 2] {
        send(&publisher, "t", "x".repeat(bytes)).await;
    }
    let (got, _) = gather(&mut connection, 2).await;
    assert_eq!(got.iter().map(|one| one.payload.len()).collect::<Vec<_>>(), [1, 2]);
    publisher.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packet_id_used_again_for_an_equal_payload_is_no_duplicate() {
    let mut broker = Mosquitto::start("");
    let mut weir = Weir::install(&broker.url(), "");
    // Without a time of its own, each message is a reading of the time at which it came.
    let file = weir.folder().join("seeds/topics.csv");
    let topics = std::fs::read_to_string(&file).unwrap();
    let line = "rivers,plain/{device}/data,json,,,,,,,,made for a test\n";
    std::fs::write(&file, format!("{topics}{line}")).unwrap();
    weir.start();
    let stored = |count| weir.count("/total/messages/stored") == count;
    let publisher = Publisher::connect(&broker.url(), "station").unwrap();
    send(&publisher, "plain/sonde-01/data", "{\"ph\":7.6}".to_owned()).await;
    until("the first", || stored(1));
    publisher.close().await;
    // A broker that forgets counts its packets from 1 again.
    broker.restart(true);
    let sessions = || weir.log().matches("session=\"new\"").count();
    until("new sessions", || sessions() == 4 && get(weir.page(), "/ready").0 == 200);
    let publisher = Publisher::connect(&broker.url(), "station").unwrap();
    send(&publisher, "plain/sonde-01/data", "{\"ph\":7.6}".to_owned()).await;
    until("the second", || stored(2));
    assert_eq!(weir.count("/total/messages/duplicate"), 0);
    weir.stop();
    publisher.close().await;
}

/// Says whether the metrics call a broker connected.
fn connected(weir: &Weir, network: &str) -> bool {
    let line = format!("weir_broker_connected{{network=\"{network}\"}} 1");
    get(weir.page(), "/metrics").1.contains(&line)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_lost_again_and_again_is_not_called_connected() {
    let (script, port) = Script::new().await;
    let mut weir = Weir::install(&format!("mqtt://127.0.0.1:{port}"), "");
    script.play(|mut peer| async move {
        if peer.welcome_daemon(true, 1).await == "weir-rivers" {
            // The answer to the ping is its last word, and a moment later it is gone.
            peer.receive_slowly().await;
            peer.send(&[0xd0, 0]).await;
            tokio::time::sleep(Duration::from_millis(300)).await;
            return;
        }
        peer.stay().await;
    });
    weir.start_with(&[]);
    let sessions = || weir.log().matches("network=\"rivers\" session").count();
    until("two sessions", || sessions() == 2);
    until("five sessions", || {
        assert!(!connected(&weir, "rivers"));
        sessions() == 5
    });
    assert!(connected(&weir, "parks"));
    assert!(weir.log().matches("closed by the broker").count() <= 2, "{}", weir.log());
    weir.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_filter_is_seen_by_whoever_looks() {
    let (script, port) = Script::new().await;
    let mut weir = Weir::install(&format!("mqtt://127.0.0.1:{port}"), "");
    script.play(|mut peer| async move {
        peer.welcome_daemon(true, 0x87).await;
        peer.stay().await;
    });
    weir.start_with(&[]);
    until("both sessions", || connected(&weir, "rivers") && connected(&weir, "parks"));
    let refusal = "refuses `water/+/data`: NotAuthorized";
    let (status, ready) = get(weir.page(), "/ready");
    assert!(status == 503 && ready.contains(&format!("broker rivers {refusal}")), "{ready}");
    assert!(get(weir.page(), "/?lang=en").1.contains("NotAuthorized"));
    let metrics = get(weir.page(), "/metrics").1;
    assert!(metrics.contains("weir_broker_refused_filters{network=\"rivers\"} 3"), "{metrics}");
    weir.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_session_delivers_nothing_again() {
    let (script, port) = Script::new().await;
    let mut weir = Weir::install(&format!("mqtt://127.0.0.1:{port}"), "");
    // Without a time of its own, each message is a reading of the time at which it came.
    let file = weir.folder().join("seeds/topics.csv");
    let topics = std::fs::read_to_string(&file).unwrap();
    let line = "rivers,plain/{device}/data,json,,,,,,,,made for a test\n";
    std::fs::write(&file, format!("{topics}{line}")).unwrap();
    script.play(|mut peer| async move {
        if peer.welcome_daemon(false, 1).await == "weir-rivers" {
            let one = publish(0xa, b"plain/sonde-01/data", 1, &[0], b"{\"ph\":7.6}");
            peer.send(&one).await;
            while peer.receive().await.0 != 0x40 {}
            return;
        }
        peer.stay().await;
    });
    weir.start_with(&[]);
    until("weir", || connected(&weir, "parks"));
    until("three messages", || weir.count("/total/messages/received") >= 3);
    assert_eq!(weir.count("/total/messages/duplicate"), 0);
    weir.stop();
}

#[tokio::test]
async fn no_more_is_under_way_than_weir_said() {
    let broker = Mosquitto::start("");
    let config = config(broker.port(), "receive_maximum = 5");
    let (mut connection, _) = open(&config).await.unwrap();
    idle(&mut connection).await.unwrap();
    let publisher = Publisher::connect(&config.url, "station").unwrap();
    for number in 0..12 {
        send(&publisher, "t", number.to_string()).await;
    }
    let (got, tokens) = gather(&mut connection, 5).await;
    // The broker has more, and holds it back.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!((got.len(), idle(&mut connection).await.unwrap().outstanding), (5, 5));
    settle(&connection.acknowledger(), tokens);
    // Mosquitto heeds the window in its first round only, so what comes now comes as it likes.
    let (rest, _) = gather(&mut connection, 7).await;
    assert_eq!(rest.len(), 7);
    publisher.close().await;
}

#[tokio::test]
async fn what_a_publisher_had_under_way_is_published_again_to_a_broker_that_forgot_it() {
    let (script, port) = Script::new().await;
    let publisher = Publisher::connect(&format!("mqtt://127.0.0.1:{port}"), "station").unwrap();
    let mut peer = script.accept().await;
    assert_eq!(peer.receive().await.0 >> 4, 1, "CONNECT");
    peer.send(&[0x20, 3, 0, 0, 0]).await;
    for number in 0..3 {
        let payload = number.to_string().into_bytes();
        publisher.publish("t", payload, Qos::AtLeastOnce, false).await.unwrap();
    }
    let (head, first) = peer.receive().await;
    assert_eq!((head >> 4, first.last()), (3, Some(&b'0')));
    drop(peer);
    let mut peer = script.accept().await;
    assert_eq!(peer.receive().await.0 >> 4, 1, "CONNECT");
    peer.send(&[0x20, 3, 0, 0, 0]).await;
    for number in *b"012" {
        let (head, body) = peer.receive().await;
        assert_eq!((head >> 4, body.last()), (3, Some(&number)));
        peer.send(&[0x40, 2, body[3], body[4]]).await;
    }
    tokio::time::timeout(PATIENCE, publisher.flush()).await.expect("all are confirmed");
    publisher.close().await;
}
