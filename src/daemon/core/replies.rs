//! What devices are to be told, on its way beside the batch.

use tokio::time::Instant;

use crate::daemon::core::Core;
use crate::domain::name::NetworkId;
use crate::mqtt::outbox::{Outbox, Outgoing, REPLIES_MAX};

impl Core {
    /// Gives where the replies of a network wait for its connection.
    pub fn outbox(&mut self, network: NetworkId) -> Outbox {
        if let Some((_, outbox)) = self.outboxes.iter().find(|(of, _)| *of == network) {
            return outbox.clone();
        }
        let outbox = Outbox::default();
        self.outboxes.push((network, outbox.clone()));
        outbox
    }

    /// Lays beside the batch what devices are to be told once it is committed.
    pub(super) fn answer(&mut self) {
        let now = Instant::now();
        for reply in self.processed.replies.drain(..) {
            // The broker may have left the configuration.
            let outbox = self.outboxes.iter().find(|(of, _)| *of == reply.network);
            let Some((_, outbox)) = outbox else { continue };
            if self.load.replies.len() < REPLIES_MAX {
                self.load.replies.push((outbox.clone(), Outgoing::new(reply, now)));
            } else {
                outbox.drop_one();
            }
        }
    }
}
