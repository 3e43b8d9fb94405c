//! The right to acknowledge a message, and the way it goes back: a token belongs to one
//! connection and can't outlive it, so no ack ever reaches a session that did not deliver.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// The right to acknowledge one message.
#[derive(PartialEq, Eq, Debug)]
pub struct AckToken {
    /// Its place among the messages of its connection.
    pub(super) place: u64,
    pub(super) ordinal: u64,
}

impl AckToken {
    /// Notes the message's ordinal in its network, so that what the broker has seen can be told
    /// in the pipeline's own count.
    #[must_use]
    pub fn numbered(self, ordinal: u64) -> Self {
        Self { ordinal, ..self }
    }
}

/// Where tokens are handed in once their messages are committed; from any thread.
#[derive(Clone, Debug, Default)]
pub struct Acknowledger(Arc<HandedIn>);

#[derive(Debug, Default)]
struct HandedIn {
    tokens: Mutex<Vec<AckToken>>,
    came: Notify,
}

impl Acknowledger {
    /// Hands tokens in. The connection writes the acks on its next turn, in the order in which
    /// the messages came; if it is gone, nothing happens and the broker delivers again.
    pub fn acknowledge(&self, tokens: &mut Vec<AckToken>) {
        self.0.tokens.lock().unwrap_or_else(PoisonError::into_inner).append(tokens);
        self.0.came.notify_one();
    }

    /// Says whether both belong to one connection.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(super) fn take(&self, into: &mut Vec<AckToken>) {
        into.append(&mut self.0.tokens.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Waits until tokens are handed in, or were since the last time.
    pub(super) async fn came(&self) {
        self.0.came.notified().await;
    }
}
