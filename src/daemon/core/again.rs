//! Dead letters that are run again.

use crate::daemon::core::Core;
use crate::daemon::in_hand::DIED;
use crate::domain::input::{Act, Input, Message, ReadingPlace};
use crate::domain::ledger::Outcome;
use crate::domain::time::Moment;
use crate::journal::batch::{DeadLetter, DeadLetterId};

impl Core {
    /// Runs a dead letter through the pipeline again; it is none any more if it ends well.
    pub fn retry(&mut self, at: Moment, letter: &DeadLetter, id: DeadLetterId) -> bool {
        if self.retried.contains_key(&id) {
            return true;
        }
        let message = Message {
            network: letter.network,
            packet_id: 0,
            dup: false,
            retain: letter.retain,
            qos: letter.qos,
            topic: &letter.topic,
            payload: &letter.payload,
            fault: None,
        };
        if self.in_hand.look_at_letter(at, &message) {
            tracing::error!(letter = id.0, "A dead letter is not run again: {DIED}.");
            return false;
        }
        let opened = self.opened(letter.network, &letter.payload);
        let message = Message { payload: opened.as_deref().unwrap_or(&letter.payload), ..message };
        let channel = letter.channel.as_deref();
        let reading = channel.map(|channel| ReadingPlace { channel, record: letter.record });
        let key = letter.message();
        let rejected = letter.message_rejected && !self.mended.contains_key(&key);
        let (received, pattern) = (letter.received, letter.pattern);
        let act = Act::Retry { message, reading, received, pattern, rejected };
        self.load.urgent = true;
        let went = self.process(at, Input::Act(act));
        self.in_hand.look_away();
        let Ok(()) = went else { return false };
        self.load.messages += 1;
        self.load.bytes += letter.topic.len() + letter.payload.len();
        let fate = self.processed.fate;
        if reading.is_some() && fate.is_some_and(|fate| fate.ledger.messages.stored > 0) {
            self.load.batch.mended.push(key.clone());
            self.mended.insert(key, self.handed + 1);
        }
        // A message that can be read by now is no dead letter; what is wrong in it has its own.
        let whole =
            reading.is_none() && self.processed.rejects.iter().all(|one| one.channel.is_some());
        let ended = whole || fate.is_some_and(|fate| fate.outcome != Outcome::Rejected);
        if ended {
            self.load.batch.retried.push(id);
            self.retried.insert(id, self.handed + 1);
        }
        // Many letters are no one batch.
        if self.load.is_whole() {
            self.hand_over();
        }
        ended
    }
}
