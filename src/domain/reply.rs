//! What is said back to a device: an acknowledgement it asked for, a request to begin anew.

use std::fmt;

use crate::domain::name::NetworkId;

/// A reply to a device. Whoever sends it does so after the commit of the message that caused it,
/// and never on replay.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    /// The broker.
    pub network: NetworkId,
    /// The topic on which the device listens.
    pub topic: Box<str>,
    /// What it is told.
    pub payload: Box<[u8]>,
}

impl fmt::Debug for Reply {
    // The payload may repeat a password of the device's.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { network, topic, payload } = self;
        out.debug_struct("Reply")
            .field("network", network)
            .field("topic", topic)
            .field("bytes", &payload.len())
            .finish()
    }
}
