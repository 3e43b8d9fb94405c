//! Packets: whatever a broker sends, in whatever portions it comes.

use weir::domain::input::{Message, Qos, ReceiveFault};
use weir::mqtt::capture;
use weir::mqtt::config::{Config, Protocol};

use super::{Feed, says_something};

/// The payload limit of the target: small, so that it is met.
const PAYLOAD_MAX: usize = 48;

pub(crate) fn broker(port: u16, protocol: Protocol) -> Config {
    let text = format!(
        "network='n'\nurl='mqtt://127.0.0.1:{port}'\nclient_id='w'\ngather_ms=0\n\
         watch_dropped=false\nstatus_topic=''\npayload_bytes_max={PAYLOAD_MAX}"
    );
    Config { protocol, ..toml::from_str(&text).unwrap() }
}

/// How a stream ended, and every message of it.
type Read = (Vec<String>, Result<capture::Capture, String>);

fn read<'a>(config: &Config, portions: impl IntoIterator<Item = &'a [u8]>) -> Read {
    let mut messages = Vec::new();
    let outcome = capture::read(config, portions, &mut |message| {
        check(&message);
        messages.push(format!("{message:?}"));
    });
    (messages, outcome.map_err(|error| error.to_string()))
}

/// What holds of every message that a connection hands on.
pub(crate) fn check(message: &Message<'_>) {
    assert!(message.topic.len() <= 65_535);
    assert_eq!(message.qos == Qos::AtMostOnce, message.packet_id == 0, "{message:?}");
    assert!(message.payload.len() <= PAYLOAD_MAX, "{message:?}");
    match message.fault {
        Some(ReceiveFault::TooLong { bytes, bytes_max }) => {
            assert!(bytes > bytes_max && bytes_max == PAYLOAD_MAX, "{message:?}");
        }
        Some(ReceiveFault::Broken(words)) => says_something(words),
        Some(ReceiveFault::Crashed(_)) => panic!("nothing crashed yet: {message:?}"),
        None => {}
    }
}

/// Makes megabytes of a few bytes: two bytes `fe n` are n times 64 KiB of zeros.
fn blown_up(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        match (byte, tail.split_first()) {
            (0xfe, Some((times, tail))) if out.len() < 4 << 20 => {
                out.resize(out.len() + usize::from(times % 40) * (64 << 10), 0);
                rest = tail;
            }
            (byte, _) => out.push(*byte),
        }
    }
    out
}

pub(crate) fn body(bytes: &[u8]) {
    let mut feed = Feed(bytes);
    let how = feed.byte();
    let protocol = if how & 1 == 0 { Protocol::V5 } else { Protocol::V311 };
    let step = usize::from(feed.byte()) + 1;
    let config = broker(1_883, protocol);
    let whole = if how & 2 == 0 { feed.0.to_vec() } else { blown_up(feed.0) };
    let step = if how & 2 == 0 { step } else { step << 10 };
    let (messages, outcome) = read(&config, [whole.as_slice()]);
    assert!(messages.len() <= whole.len() / 2, "a message of no bytes");
    match &outcome {
        Ok(capture) => {
            assert!(capture.packets >= messages.len() && capture.packets <= whole.len() / 2);
            // What is held is less than the longest packet and one portion.
            assert!(capture.held <= (2 << 20) + whole.len());
        }
        Err(words) => says_something(words),
    }
    // In portions the same comes, up to where the bytes of a skipped body are let go.
    let (in_portions, ended) = read(&config, whole.chunks(step));
    let longest = whole.len() > 2 << 20;
    if !longest {
        assert_eq!((in_portions, ended), (messages, outcome));
    }
}
