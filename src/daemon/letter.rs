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
            Input::Act(_) | Input::Tick | Input::Edition(_) | Input::Condition(_) => return None,
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
