//! What the core hands to the committer: what one transaction makes safe, and what may be told to
//! brokers and devices then.

use crate::daemon::core::{BATCH_BYTES_MAX, BATCH_MESSAGES_MAX};
use crate::journal::batch::Batch;
use crate::mqtt::acknowledgement::{AckToken, Acknowledger};
use crate::mqtt::outbox::{Outbox, Outgoing};

/// A batch with the right to acknowledge what is in it.
#[derive(Debug, Default)]
pub struct Load {
    /// What is to be committed.
    pub batch: Batch,
    /// What is to be acknowledged afterwards, by connection.
    pub acks: Vec<(Acknowledger, Vec<AckToken>)>,
    /// What devices are told afterwards, each with the way to its broker; no more than may wait
    /// there.
    pub replies: Vec<(Outbox, Outgoing)>,
    /// How many messages are in it.
    pub(super) messages: usize,
    /// How many bytes their topics and payloads have.
    pub(super) bytes: usize,
    /// Whether it waits for nothing more.
    pub(super) urgent: bool,
    /// When its first input came, in elapsed milliseconds.
    pub(super) began_ms: Option<i64>,
}

impl Load {
    /// Empties the load and keeps its buffers.
    pub fn clear(&mut self) {
        self.batch.clear();
        self.acks.clear();
        self.replies.clear();
        (self.messages, self.bytes, self.urgent, self.began_ms) = (0, 0, false, None);
    }

    pub(super) fn is_whole(&self) -> bool {
        self.messages >= BATCH_MESSAGES_MAX || self.bytes >= BATCH_BYTES_MAX
    }

    pub(super) fn is_empty(&self) -> bool {
        self.batch.inputs.is_empty() && self.batch.names.is_empty()
    }
}
