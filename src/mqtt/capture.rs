//! What a broker sent, read apart from any connection: bytes that were captured on the way.

use crate::domain::input::Message;
use crate::domain::name::NetworkId;
use crate::mqtt::Error;
use crate::mqtt::config::Config;
use crate::mqtt::wire::{Packet, Wire};

/// What a capture held.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Capture {
    /// How many whole packets.
    pub packets: usize,
    /// How many bytes were held at the end, because a packet was not whole yet.
    pub held: usize,
}

/// Reads what a broker sent, in the portions in which it came, and hands on every message.
///
/// # Errors
/// The bytes are not MQTT; what came before them was handed on.
pub fn read<'a>(
    config: &Config,
    portions: impl IntoIterator<Item = &'a [u8]>,
    take: &mut dyn FnMut(Message<'_>),
) -> Result<Capture, Error> {
    let mut wire = Wire::new(config);
    let mut capture = Capture::default();
    for portion in portions {
        wire.buffer.extend_from_slice(portion);
        while let Some(packet) = wire.next().map_err(Error::Unreadable)? {
            capture.packets += 1;
            if let Packet::Publish(publish) = packet {
                take(publish.message(NetworkId(0)));
            }
        }
    }
    capture.held = wire.buffer.len();
    Ok(capture)
}
