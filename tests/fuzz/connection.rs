//! A real connection over a socket: a broker that lets weir in and then sends any bytes.

use std::sync::LazyLock;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use weir::domain::input::Qos;
use weir::domain::name::NetworkId;
use weir::domain::time::Timestamp;
use weir::mqtt::config::Protocol;
use weir::mqtt::connection::{Connection, Session};

use super::{Feed, says_something, wire};

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().unwrap());

/// What was delivered and is to be acknowledged, in order.
type Owed = Vec<(Qos, u16)>;

pub(crate) fn body(bytes: &[u8]) {
    let mut feed = Feed(bytes);
    let protocol = if feed.byte() & 1 == 0 { Protocol::V5 } else { Protocol::V311 };
    let first = usize::from(feed.byte()).min(feed.0.len());
    let (first, then) = feed.0.split_at(first);
    let (owed, written) = RUNTIME.block_on(meet(protocol, first, then));
    check_acks(&owed, &written);
}

/// Lets a client in, sends it both parts and hears it out: what is delivered of the first part is
/// committed before the second comes, so that its acks are written.
async fn meet(protocol: Protocol, first: &[u8], then: &[u8]) -> (Owed, Vec<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = wire::broker(listener.local_addr().unwrap().port(), protocol);
    let (sent, next) = tokio::sync::oneshot::channel::<()>();
    let broker = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut heard = Vec::new();
        stream.read_buf(&mut heard).await.unwrap();
        let connack: &[u8] =
            if protocol == Protocol::V5 { &[0x20, 3, 0, 0, 0] } else { &[0x20, 2, 0, 0] };
        // Whatever ends the connection at weir's side ends it at this one.
        stream.write_all(&[connack, first].concat()).await.ok();
        next.await.ok();
        stream.write_all(then).await.ok();
        stream.shutdown().await.ok();
        stream.read_to_end(&mut heard).await.ok();
        heard
    };
    let client = async {
        let filters = ["#".to_owned()];
        let opened = Connection::open(
            &config,
            Session::Persistent { now: Timestamp(0) },
            &filters,
            NetworkId(0),
        )
        .await;
        let (mut connection, _) = opened.unwrap();
        let mut owed = Owed::new();
        let mut sent = Some(sent);
        // The first part came with the welcome. The other turns are for acks and for the end.
        for turn in 0..6 {
            let mut tokens = Vec::new();
            let mut delivered = 0;
            let turned = connection
                .turn(true, &mut |message, token| {
                    wire::check(&message);
                    delivered += 1;
                    assert_eq!(token.is_some(), message.qos != Qos::AtMostOnce, "{message:?}");
                    if let Some(token) = token {
                        owed.push((message.qos, message.packet_id));
                        tokens.push(token);
                    }
                })
                .await;
            connection.acknowledger().acknowledge(&mut tokens);
            match turned {
                Ok(turn) => {
                    assert_eq!(turn.delivered, delivered);
                    assert!(turn.outstanding <= owed.len());
                }
                Err(error) => {
                    says_something(&error.to_string());
                    break;
                }
            }
            if turn == 0 {
                sent.take().map(|sent| sent.send(()));
            }
        }
        drop(sent);
        drop(connection);
        owed
    };
    let (heard, owed) = tokio::join!(broker, client);
    (owed, heard)
}

/// What weir wrote is whole packets, and its acks are those of the messages, in their order.
fn check_acks(owed: &[(Qos, u16)], written: &[u8]) {
    let mut owed = owed.iter();
    let mut rest = written;
    while let [kind, length, body @ ..] = rest {
        assert!(*length < 0x80, "weir wrote a long packet: {written:02x?}");
        let (body, tail) = body.split_at_checked(usize::from(*length)).expect("a whole packet");
        rest = tail;
        let qos = match kind {
            0x40 => Qos::AtLeastOnce,
            0x50 => Qos::ExactlyOnce,
            0x10 | 0x70 | 0x82 | 0xc0 | 0xe0 => continue,
            kind => panic!("weir wrote a packet of kind {kind:02x}"),
        };
        let packet_id = u16::from_be_bytes([body[0], body[1]]);
        assert_eq!(owed.next(), Some(&(qos, packet_id)), "an ack that nobody is owed");
    }
    assert!(rest.is_empty(), "weir wrote half a packet: {written:02x?}");
}
