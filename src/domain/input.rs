//! The inputs: everything that can change weir's state, one enum. The journal of inputs is the
//! ground state; all else is a function of it.

use std::sync::Arc;

use crate::domain::alert::WeirCondition;
use crate::domain::check::CheckKind;
use crate::domain::desk::AlertAct;
use crate::domain::name::{NetworkId, PropertyId, StationId, TopicId};
use crate::domain::quality::Flag;
use crate::domain::recompute::Recompute;
use crate::domain::registry::Registry;
use crate::domain::time::{Moment, Timestamp};

/// The quality of service a message was delivered with. weir subscribes at 1 at most; 2 is what
/// an old session may still hold.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Qos {
    /// At most once: what is lost before weir, nobody can know.
    AtMostOnce,
    /// At least once.
    AtLeastOnce,
    /// Exactly once.
    ExactlyOnce,
}

/// What a broker delivered. Topic and payload are slices of the read buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message<'a> {
    /// The broker.
    pub network: NetworkId,
    /// The packet id; 0 at QoS 0.
    pub packet_id: u16,
    /// Whether the broker says that it may have sent this before.
    pub dup: bool,
    /// Whether the broker had kept it.
    pub retain: bool,
    /// How it was delivered.
    pub qos: Qos,
    /// The topic, which any publisher controls and which need not be UTF-8.
    pub topic: &'a [u8],
    /// The payload.
    pub payload: &'a [u8],
    /// Why the message can't be looked at further, found before the pipeline: too long, broken.
    pub fault: Option<ReceiveFault<'a>>,
}

/// What the connection found wrong with a packet that it must acknowledge all the same, or the
/// broker would send it for ever.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReceiveFault<'a> {
    /// The payload is longer than the limit; what is handed on is its beginning.
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// The codec refuses the packet; the payload is the whole frame.
    Broken(&'a str),
    /// The pipeline broke on it before; it must not meet it again.
    Crashed(&'a str),
}

/// An operator's deed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Act<'a> {
    /// Run a dead letter through the pipeline again.
    Retry {
        /// The original message.
        message: Message<'a>,
        /// The reading that was rejected; `None` if the whole message was.
        reading: Option<ReadingPlace<'a>>,
        /// When the original message arrived; its readings are of that time, not of now.
        received: Moment,
        /// The pattern under which the ledger counted it.
        pattern: Option<TopicId>,
        /// Whether the ledger still counts the message itself as rejected.
        rejected: bool,
    },
    /// Say that a span of values does not count, or is in doubt.
    Invalidate {
        /// The number that it gets.
        id: u64,
        /// The station.
        station: StationId,
        /// Of this property; of all without.
        property: Option<PropertyId>,
        /// At this position; at all without.
        position: Option<&'a str>,
        /// The first instant.
        from: Timestamp,
        /// The first instant after.
        to: Timestamp,
        /// What it makes of the values: fail or suspect.
        flag: Flag,
        /// Who says so, and why.
        by: By<'a>,
    },
    /// Say what a check of an instrument found.
    Check {
        /// The station.
        station: StationId,
        /// The property.
        property: PropertyId,
        /// The position; empty where the station has none.
        position: &'a str,
        /// What was checked.
        kind: CheckKind,
        /// What was found, in the canonical unit.
        value: f64,
        /// What should have been found, where the seeds do not say it.
        standard: Option<f64>,
        /// When it was made.
        at: Timestamp,
        /// Who made it, and what there is to say of it.
        by: By<'a>,
    },
    /// Take that back.
    Revoke {
        /// Its number.
        id: u64,
        /// Who says so, and why.
        by: By<'a>,
    },
}

/// Who did something, and why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct By<'a> {
    /// The person.
    pub person: &'a str,
    /// The reason.
    pub reason: &'a str,
}

/// Where in a message a reading stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReadingPlace<'a> {
    /// Its channel.
    pub channel: &'a str,
    /// The number of its record, from 0; 0 if the message is one record.
    pub record: u32,
}

impl ReadingPlace<'_> {
    /// Says whether a reading is the one that stood here. What was an unknown object may be
    /// several channels now, each below it.
    #[must_use]
    pub fn covers(&self, channel: &str, record: u32) -> bool {
        let below = channel.strip_prefix(self.channel);
        record == self.record && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// weir's own state, where rules and duplicates depend on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Condition {
    /// A broker's session is up: subscriptions are confirmed.
    Connected(NetworkId),
    /// A broker's connection ended.
    Disconnected(NetworkId),
    /// The broker has seen every ack up to this message of its network, counted from 1.
    Settled {
        /// The broker.
        network: NetworkId,
        /// The ordinal of the last message whose ack it has seen.
        ordinal: u64,
    },
    /// A condition of weir itself began (`true`) or ended.
    Weir {
        /// Which one.
        condition: WeirCondition,
        /// The broker, where it is one broker's.
        network: Option<NetworkId>,
        /// When it comes to an end what the condition is about: a certificate.
        until: Option<Timestamp>,
        /// Whether it holds now.
        holds: bool,
    },
}

/// Everything that can change weir's state.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// A broker's delivery.
    Message(Message<'a>),
    /// The clock. Kept in the journal only where it changed something.
    Tick,
    /// An operator's deed.
    Act(Act<'a>),
    /// Another edition of the seeds, already found to be sound.
    Edition(Arc<Registry>),
    /// A change of weir's own state.
    Condition(Condition),
    /// What past days come to by values that came too late for them.
    Recompute(Arc<Recompute>),
    /// What a person does with alerts.
    AlertAct(Arc<AlertAct>),
}

impl Input<'_> {
    /// Gives the network that a message is of, or one that is run again.
    #[must_use]
    pub fn network(&self) -> Option<NetworkId> {
        match self {
            Self::Message(message) | Self::Act(Act::Retry { message, .. }) => Some(message.network),
            Self::Act(Act::Invalidate { .. } | Act::Revoke { .. } | Act::Check { .. })
            | Self::Tick
            | Self::Edition(_)
            | Self::Condition(_)
            | Self::Recompute(_)
            | Self::AlertAct(_) => None,
        }
    }
}

/// An input and when it came.
#[derive(Clone, Debug)]
pub struct Arrival<'a> {
    /// When it came.
    pub at: Moment,
    /// What came.
    pub input: Input<'a>,
}
