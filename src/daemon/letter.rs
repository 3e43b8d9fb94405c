//! Dead letters of what was rejected: which message, where it was counted, its bytes held once.

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::input::{Act, Arrival, Input, Message};
use crate::domain::ledger::Outcome;
use crate::domain::name::TopicId;
use crate::domain::reject::Reject;
use crate::domain::time::Moment;
use crate::journal::batch::DeadLetter;
use crate::pipeline::Fate;

/// How many dead letters of one channel and reason one message can make; more are counted.
const LETTERS_OF_A_KIND_MAX: usize = 100;

/// What dead letters come of.
pub(super) struct Cause<'a> {
    at: Moment,
    received: Moment,
    message: Message<'a>,
    pattern: Option<TopicId>,
    message_rejected: bool,
}

impl<'a> Cause<'a> {
    /// A message, or one that was run again and can be read by now. A reading that was run again
    /// has its letter already.
    pub(super) fn of(
        arrival: &Arrival<'a>,
        fate: Option<&Fate>,
        rejects: &[Reject],
    ) -> Option<Self> {
        let at = arrival.at;
        let pattern = fate.and_then(|fate| fate.topic);
        let message_rejected = fate.is_some_and(|fate| fate.outcome == Outcome::Rejected);
        let (message, received) = match arrival.input {
            Input::Message(message) => (message, at),
            Input::Act(Act::Retry { message, reading: None, received, .. })
                if rejects.iter().all(|reject| reject.channel.is_some()) =>
            {
                (message, received)
            }
            Input::Act(_)
            | Input::Tick
            | Input::Edition(_)
            | Input::Condition(_)
            | Input::Recompute(_)
            | Input::AlertAct(_) => return None,
        };
        Some(Self { at, received, message, pattern, message_rejected })
    }
}

/// Makes dead letters of what was rejected of one message: the first of each channel and reason
/// with its bytes, and how many more there were.
pub(super) fn lay(cause: &Cause<'_>, rejects: &[Reject], letters: &mut Vec<DeadLetter>) {
    let (topic, payload): (Arc<[u8]>, Arc<[u8]>) =
        (cause.message.topic.into(), cause.message.payload.into());
    let first = letters.len();
    let mut of_kind: HashMap<(Option<&str>, &str), (usize, usize)> = HashMap::new();
    for reject in rejects {
        let kind = (reject.channel.as_deref(), reject.reason.code());
        let (count, last) = of_kind.entry(kind).or_insert((0, first));
        *count += 1;
        if *count > LETTERS_OF_A_KIND_MAX {
            if let Some(letter) = letters.get_mut(*last) {
                letter.more += 1;
            }
            continue;
        }
        *last = letters.len();
        letters.push(DeadLetter {
            at: cause.at.wall,
            network: cause.message.network,
            topic: Arc::clone(&topic),
            payload: Arc::clone(&payload),
            qos: cause.message.qos,
            retain: cause.message.retain,
            packet_id: cause.message.packet_id,
            stage: reject.stage,
            code: reject.reason.code().into(),
            words: reject.reason.to_string(),
            device: reject.device.as_deref().map(str::to_owned),
            channel: reject.channel.as_deref().map(str::to_owned),
            record: reject.record,
            received: cause.received,
            pattern: cause.pattern,
            message_rejected: cause.message_rejected,
            more: 0,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::input::Qos;
    use crate::domain::name::NetworkId;
    use crate::domain::reject::{Reason, Stage};

    #[test]
    fn of_one_kind_a_message_makes_so_many_letters_and_the_last_counts_the_rest() {
        let message = Message {
            network: NetworkId(0),
            packet_id: 1,
            dup: false,
            retain: false,
            qos: Qos::AtLeastOnce,
            topic: b"t",
            payload: b"p",
            fault: None,
        };
        let (at, pattern, message_rejected) = (Moment::default(), None, true);
        let cause = Cause { at, received: at, message, pattern, message_rejected };
        let reject = |channel: &str, record| Reject {
            stage: Stage::Decode,
            reason: Reason::OutOfRange { found: "1e999".into() },
            device: None,
            channel: Some(channel.into()),
            record,
        };
        let many = 2 * LETTERS_OF_A_KIND_MAX as u32 + 50;
        let mut rejects: Vec<Reject> = (0..many).map(|record| reject("/a", record)).collect();
        rejects.push(reject("/b", 0));
        let mut letters = Vec::new();
        lay(&cause, &rejects, &mut letters);
        assert_eq!(letters.len(), LETTERS_OF_A_KIND_MAX + 1);
        let more: Vec<u32> = letters.iter().map(|letter| letter.more).collect();
        assert_eq!(more[LETTERS_OF_A_KIND_MAX - 1], many - LETTERS_OF_A_KIND_MAX as u32);
        assert_eq!(more.iter().sum::<u32>() + letters.len() as u32, many + 1);
        assert!(letters.iter().all(|one| Arc::ptr_eq(&one.payload, &letters[0].payload)));
    }
}
