//! Inputs as the journal keeps them: everything replay needs, in the order of arrival, packed.

use std::sync::Arc;

use crate::domain::alert::WeirCondition;
use crate::domain::check::CheckKind;
use crate::domain::desk::AlertAct;
use crate::domain::input::{
    Act, Arrival, By, Condition, Input, Message, Qos, ReadingPlace, ReceiveFault,
};
use crate::domain::name::{NetworkId, PropertyId, StationId, TopicId};
use crate::domain::packed::{
    push_bytes, push_unsigned, push_varint, take_bytes, take_unsigned, take_varint,
};
use crate::domain::quality::Flag;
use crate::domain::recompute::Recompute;
use crate::domain::time::{Moment, Timestamp};

/// The kinds of entries. The numbers stand in journals and are never changed.
mod kind {
    pub(super) const MESSAGE: u8 = 1;
    pub(super) const TICK: u8 = 2;
    pub(super) const RETRY: u8 = 3;
    pub(super) const EDITION: u8 = 4;
    pub(super) const CONNECTED: u8 = 5;
    pub(super) const DISCONNECTED: u8 = 6;
    pub(super) const SETTLED: u8 = 7;
    pub(super) const WEIR: u8 = 8;
    /// Of one broker, or with a date.
    pub(super) const WEIR_OF: u8 = 9;
    pub(super) const RECOMPUTE: u8 = 16;
    pub(super) const INVALIDATE: u8 = 17;
    pub(super) const REVOKE: u8 = 18;
    pub(super) const CHECK: u8 = 19;
    pub(super) const ALERT_ACT: u8 = 20;
}

/// Bits of a message's head.
mod bit {
    pub(super) const DUP: u8 = 1;
    pub(super) const RETAIN: u8 = 2;
    pub(super) const QOS_SHIFT: u8 = 2;
    pub(super) const FAULT_SHIFT: u8 = 4;
}

/// The inputs of one batch, packed.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    bytes: Vec<u8>,
    count: u64,
    last: Moment,
}

impl Inputs {
    /// Appends an input.
    pub fn push(&mut self, arrival: &Arrival<'_>) {
        let out = &mut self.bytes;
        out.push(kind_of(&arrival.input));
        push_varint(out, arrival.at.wall.millis().wrapping_sub(self.last.wall.millis()));
        push_varint(out, arrival.at.elapsed_ms.wrapping_sub(self.last.elapsed_ms));
        match &arrival.input {
            Input::Message(message) => push_message(out, message),
            Input::Tick => {}
            Input::Act(act) => push_act(out, act),
            Input::Edition(registry) => push_bytes(out, registry.digest.as_bytes()),
            Input::Condition(condition) => push_condition(out, *condition),
            Input::Recompute(recomputed) => push_bytes(out, &recomputed.to_bytes()),
            // Writing into memory can't fail.
            Input::AlertAct(act) => {
                push_bytes(out, &minicbor::to_vec(&**act).unwrap_or_default());
            }
        }
        self.last = arrival.at;
        self.count += 1;
    }

    /// Says whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Gives how many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Gives the moment of the last one.
    #[must_use]
    pub fn last(&self) -> Moment {
        self.last
    }

    /// Gives them packed.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Forgets them and keeps the buffer.
    pub fn clear(&mut self) {
        self.bytes.clear();
        (self.count, self.last) = (0, Moment::default());
    }
}

fn kind_of(input: &Input<'_>) -> u8 {
    match input {
        Input::Message(_) => kind::MESSAGE,
        Input::Tick => kind::TICK,
        Input::Act(Act::Retry { .. }) => kind::RETRY,
        Input::Act(Act::Invalidate { .. }) => kind::INVALIDATE,
        Input::Act(Act::Revoke { .. }) => kind::REVOKE,
        Input::Act(Act::Check { .. }) => kind::CHECK,
        Input::Edition(_) => kind::EDITION,
        Input::Condition(Condition::Connected(_)) => kind::CONNECTED,
        Input::Condition(Condition::Disconnected(_)) => kind::DISCONNECTED,
        Input::Condition(Condition::Settled { .. }) => kind::SETTLED,
        Input::Condition(Condition::Weir { network: None, until: None, .. }) => kind::WEIR,
        Input::Condition(Condition::Weir { .. }) => kind::WEIR_OF,
        Input::Recompute(_) => kind::RECOMPUTE,
        Input::AlertAct(_) => kind::ALERT_ACT,
    }
}

fn push_act(out: &mut Vec<u8>, act: &Act<'_>) {
    match act {
        Act::Retry { message, reading, received, pattern, rejected } => {
            push_varint(out, received.wall.millis());
            push_varint(out, received.elapsed_ms);
            push_varint(out, pattern.map_or(-1, |pattern| i64::from(pattern.0)));
            out.push(u8::from(*rejected));
            push_varint(out, reading.map_or(-1, |place| i64::from(place.record)));
            push_bytes(out, reading.map_or("", |place| place.channel).as_bytes());
            push_message(out, message);
        }
        Act::Invalidate { id, station, property, position, from, to, flag, by } => {
            push_unsigned(out, *id);
            push_varint(out, i64::from(station.0));
            push_varint(out, property.map_or(-1, |property| i64::from(property.0)));
            out.push(u8::from(position.is_some()));
            push_bytes(out, position.unwrap_or_default().as_bytes());
            push_varint(out, from.millis());
            push_varint(out, to.millis());
            out.push(flag.number());
            push_by(out, *by);
        }
        Act::Revoke { id, by } => {
            push_unsigned(out, *id);
            push_by(out, *by);
        }
        Act::Check { station, property, position, kind, value, standard, at, by } => {
            push_varint(out, i64::from(station.0));
            push_varint(out, i64::from(property.0));
            push_bytes(out, position.as_bytes());
            push_bytes(out, kind.word().as_bytes());
            out.extend_from_slice(&value.to_le_bytes());
            out.push(u8::from(standard.is_some()));
            out.extend_from_slice(&standard.unwrap_or_default().to_le_bytes());
            push_varint(out, at.millis());
            push_by(out, *by);
        }
    }
}

fn push_by(out: &mut Vec<u8>, by: By<'_>) {
    push_bytes(out, by.person.as_bytes());
    push_bytes(out, by.reason.as_bytes());
}

fn push_message(out: &mut Vec<u8>, message: &Message<'_>) {
    let qos = match message.qos {
        Qos::AtMostOnce => 0,
        Qos::AtLeastOnce => 1,
        Qos::ExactlyOnce => 2,
    };
    let fault = match message.fault {
        None => 0,
        Some(ReceiveFault::TooLong { .. }) => 1,
        Some(ReceiveFault::Broken(_)) => 2,
        Some(ReceiveFault::Crashed(_)) => 3,
    };
    let dup = if message.dup { bit::DUP } else { 0 };
    let retain = if message.retain { bit::RETAIN } else { 0 };
    out.push(dup | retain | (qos << bit::QOS_SHIFT) | (fault << bit::FAULT_SHIFT));
    push_varint(out, i64::from(message.network.0));
    push_varint(out, i64::from(message.packet_id));
    push_bytes(out, message.topic);
    push_bytes(out, message.payload);
    match message.fault {
        None => {}
        Some(ReceiveFault::TooLong { bytes, bytes_max }) => {
            push_varint(out, i64::try_from(bytes).unwrap_or(i64::MAX));
            push_varint(out, i64::try_from(bytes_max).unwrap_or(i64::MAX));
        }
        Some(ReceiveFault::Broken(words) | ReceiveFault::Crashed(words)) => {
            push_bytes(out, words.as_bytes());
        }
    }
}

fn push_condition(out: &mut Vec<u8>, condition: Condition) {
    match condition {
        Condition::Connected(network) | Condition::Disconnected(network) => {
            push_varint(out, i64::from(network.0));
        }
        Condition::Settled { network, ordinal } => {
            push_varint(out, i64::from(network.0));
            push_varint(out, i64::try_from(ordinal).unwrap_or(i64::MAX));
        }
        Condition::Weir { condition, network, until, holds } => {
            push_bytes(out, condition.word().as_bytes());
            out.push(u8::from(holds));
            if network.is_some() || until.is_some() {
                out.push(u8::from(network.is_some()) | u8::from(until.is_some()) << 1);
                push_varint(out, network.map_or(0, |network| i64::from(network.0)));
                push_varint(out, until.map_or(0, Timestamp::millis));
            }
        }
    }
}

/// An input as read from the journal. An edition is its digest; its tables stand elsewhere.
#[derive(Clone, PartialEq, Debug)]
pub enum Kept<'a> {
    /// A broker's delivery.
    Message(Message<'a>),
    /// The clock, where it changed something.
    Tick,
    /// An operator's deed.
    Act(Act<'a>),
    /// Another edition came into force.
    Edition(&'a str),
    /// A change of weir's own state.
    Condition(Condition),
    /// What past days come to by values that came too late for them.
    Recompute(Arc<Recompute>),
    /// What a person does with alerts.
    AlertAct(Arc<AlertAct>),
}

/// Reads what [`Inputs::push`] wrote, in order. Ends with [`Torn`] where the bytes do not.
#[derive(Clone, Debug)]
pub struct Unpacked<'a> {
    rest: &'a [u8],
    last: Moment,
}

/// The bytes end in the middle of an input, or say what no weir wrote.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("inputs of the journal can't be read")]
pub struct Torn;

impl<'a> Unpacked<'a> {
    /// Begins to read.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, last: Moment::default() }
    }

    fn take(&mut self) -> Option<(Moment, Kept<'a>)> {
        let rest = &mut self.rest;
        let kind = take_byte(rest)?;
        let wall = self.last.wall.millis().wrapping_add(take_varint(rest)?);
        let elapsed_ms = self.last.elapsed_ms.wrapping_add(take_varint(rest)?);
        self.last = moment(wall, elapsed_ms)?;
        let network = |rest: &mut &[u8]| take_network(rest);
        let kept = match kind {
            kind::MESSAGE => Kept::Message(take_message(rest)?),
            kind::TICK => Kept::Tick,
            kind::RETRY => {
                let received = moment(take_varint(rest)?, take_varint(rest)?)?;
                let pattern = u32::try_from(take_varint(rest)?).ok().map(TopicId);
                let rejected = take_byte(rest)? != 0;
                let record = u32::try_from(take_varint(rest)?).ok();
                let channel = take_text(rest)?;
                let reading = record.map(|record| ReadingPlace { channel, record });
                let message = take_message(rest)?;
                Kept::Act(Act::Retry { message, reading, received, pattern, rejected })
            }
            kind::INVALIDATE => Kept::Act(take_invalidate(rest)?),
            kind::REVOKE => {
                let id = take_unsigned(rest)?;
                Kept::Act(Act::Revoke { id, by: take_by(rest)? })
            }
            kind::CHECK => Kept::Act(take_check(rest)?),
            kind::EDITION => Kept::Edition(take_text(rest)?),
            kind::CONNECTED => Kept::Condition(Condition::Connected(network(rest)?)),
            kind::DISCONNECTED => Kept::Condition(Condition::Disconnected(network(rest)?)),
            kind::SETTLED => {
                let network = network(rest)?;
                let ordinal = u64::try_from(take_varint(rest)?).ok()?;
                Kept::Condition(Condition::Settled { network, ordinal })
            }
            kind::WEIR | kind::WEIR_OF => {
                let word = take_text(rest)?;
                let condition = WeirCondition::ALL.into_iter().find(|one| one.word() == word)?;
                let holds = take_byte(rest)? != 0;
                let of = if kind == kind::WEIR_OF { take_byte(rest)? } else { 0 };
                let (mut network, mut until) = (None, None);
                if kind == kind::WEIR_OF {
                    network = Some(take_network(rest)?).filter(|_| of & 1 != 0);
                    until = Some(moment(take_varint(rest)?, 0)?.wall).filter(|_| of & 2 != 0);
                }
                Kept::Condition(Condition::Weir { condition, network, until, holds })
            }
            kind::ALERT_ACT => Kept::AlertAct(Arc::new(take_alert_act(rest)?)),
            kind::RECOMPUTE => Kept::Recompute(Arc::new(Recompute::from_bytes(take_bytes(rest)?)?)),
            _ => return None,
        };
        Some((self.last, kept))
    }
}

impl<'a> Iterator for Unpacked<'a> {
    type Item = Result<(Moment, Kept<'a>), Torn>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let taken = self.take().ok_or(Torn);
        if taken.is_err() {
            self.rest = &[];
        }
        Some(taken)
    }
}

/// The last millisecond of any clock, before or after the epoch: in the year 287,396. Far from the
/// ends of the range, so that spans can be added to it.
const MILLIS_MAX: u64 = 1 << 53;

fn moment(wall: i64, elapsed_ms: i64) -> Option<Moment> {
    let shown = wall.unsigned_abs() <= MILLIS_MAX && elapsed_ms.unsigned_abs() <= MILLIS_MAX;
    shown.then_some(Moment { wall: Timestamp(wall), elapsed_ms })
}

fn take_invalidate<'a>(rest: &mut &'a [u8]) -> Option<Act<'a>> {
    let id = take_unsigned(rest)?;
    let station = StationId(u32::try_from(take_varint(rest)?).ok()?);
    let property = u32::try_from(take_varint(rest)?).ok().map(PropertyId);
    let has_position = take_byte(rest)? != 0;
    let position = Some(take_text(rest)?).filter(|_| has_position);
    let (from, to) = (moment(take_varint(rest)?, 0)?.wall, moment(take_varint(rest)?, 0)?.wall);
    let number = take_byte(rest)?;
    let flag = [Flag::Fail, Flag::Suspect].into_iter().find(|flag| flag.number() == number)?;
    let by = take_by(rest)?;
    Some(Act::Invalidate { id, station, property, position, from, to, flag, by })
}

fn take_check<'a>(rest: &mut &'a [u8]) -> Option<Act<'a>> {
    let station = StationId(u32::try_from(take_varint(rest)?).ok()?);
    let property = PropertyId(u32::try_from(take_varint(rest)?).ok()?);
    let position = take_text(rest)?;
    let word = take_text(rest)?;
    let kind = CheckKind::ALL.into_iter().find(|kind| kind.word() == word)?;
    let value = take_number(rest)?;
    let has_standard = take_byte(rest)? != 0;
    let standard = Some(take_number(rest)?).filter(|_| has_standard);
    let at = moment(take_varint(rest)?, 0)?.wall;
    let by = take_by(rest)?;
    Some(Act::Check { station, property, position, kind, value, standard, at, by })
}

fn take_alert_act(rest: &mut &[u8]) -> Option<AlertAct> {
    let act: AlertAct = minicbor::decode(take_bytes(rest)?).ok()?;
    moment(act.what.until().unwrap_or_default().millis(), 0)?;
    Some(act)
}

fn take_number(rest: &mut &[u8]) -> Option<f64> {
    let (bytes, tail) = rest.split_first_chunk::<8>()?;
    *rest = tail;
    Some(f64::from_le_bytes(*bytes)).filter(|number| number.is_finite())
}

fn take_by<'a>(rest: &mut &'a [u8]) -> Option<By<'a>> {
    let person = take_text(rest)?;
    Some(By { person, reason: take_text(rest)? })
}

fn take_byte(rest: &mut &[u8]) -> Option<u8> {
    let (byte, tail) = rest.split_first()?;
    *rest = tail;
    Some(*byte)
}

fn take_text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    std::str::from_utf8(take_bytes(rest)?).ok()
}

/// The most networks of a journal. Their ids are places in a table, which a broken one must not
/// make.
const NETWORKS_MAX: u32 = 65_536;

fn take_network(rest: &mut &[u8]) -> Option<NetworkId> {
    let id = u32::try_from(take_varint(rest)?).ok()?;
    (id < NETWORKS_MAX).then_some(NetworkId(id))
}

fn take_message<'a>(rest: &mut &'a [u8]) -> Option<Message<'a>> {
    let head = take_byte(rest)?;
    let network = take_network(rest)?;
    let packet_id = u16::try_from(take_varint(rest)?).ok()?;
    let topic = take_bytes(rest)?;
    let payload = take_bytes(rest)?;
    let fault = match head >> bit::FAULT_SHIFT {
        0 => None,
        1 => {
            let bytes = usize::try_from(take_varint(rest)?).ok()?;
            let bytes_max = usize::try_from(take_varint(rest)?).ok()?;
            Some(ReceiveFault::TooLong { bytes, bytes_max })
        }
        2 => Some(ReceiveFault::Broken(take_text(rest)?)),
        3 => Some(ReceiveFault::Crashed(take_text(rest)?)),
        _ => return None,
    };
    let qos = match (head >> bit::QOS_SHIFT) & 3 {
        0 => Qos::AtMostOnce,
        1 => Qos::AtLeastOnce,
        2 => Qos::ExactlyOnce,
        _ => return None,
    };
    Some(Message {
        network,
        packet_id,
        dup: head & bit::DUP != 0,
        retain: head & bit::RETAIN != 0,
        qos,
        topic,
        payload,
        fault,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::alert::AlertId;
    use crate::domain::desk::What;

    fn message<'a>(topic: &'a [u8], payload: &'a [u8]) -> Message<'a> {
        Message {
            network: NetworkId(3),
            packet_id: 65_535,
            dup: true,
            retain: false,
            qos: Qos::AtLeastOnce,
            topic,
            payload,
            fault: Some(ReceiveFault::Crashed("index 7 of 3")),
        }
    }

    const BY: By<'_> = By { person: "李娜", reason: "probe in the bucket" };

    fn invalidate<'a>(
        property: Option<PropertyId>,
        position: Option<&'a str>,
        flag: Flag,
    ) -> Input<'a> {
        let (id, station) = (7, StationId(3));
        let (from, to, by) = (Timestamp(-5), Timestamp(1 << 41), BY);
        Input::Act(Act::Invalidate { id, station, property, position, from, to, flag, by })
    }

    fn check(standard: Option<f64>) -> Input<'static> {
        let (station, property, position) = (StationId(3), PropertyId(9), "inlet");
        let (kind, value, at, by) = (CheckKind::Span, -1.62, Timestamp(1 << 41), BY);
        Input::Act(Act::Check { station, property, position, kind, value, standard, at, by })
    }

    #[test]
    fn every_kind_is_read_as_written() {
        let at = |ms| Moment { wall: Timestamp(1_700_000_000_000 + ms), elapsed_ms: ms };
        let whole = Message { fault: None, retain: true, dup: false, ..message(b"t", b"{}") };
        let too_long = Some(ReceiveFault::TooLong { bytes: 3_000_000, bytes_max: 262_144 });
        let condition = WeirCondition::CertificateEnding;
        let weir = |network, until| Condition::Weir { condition, network, until, holds: true };
        let end = Timestamp(1 << 41);
        let inputs = [
            Input::Message(message(&[0xff, 0], b"")),
            Input::Message(Message { fault: too_long, qos: Qos::ExactlyOnce, ..whole }),
            Input::Message(Message { fault: Some(ReceiveFault::Broken("cut")), ..whole }),
            Input::Tick,
            Input::Act(Act::Retry {
                message: whole,
                reading: Some(ReadingPlace { channel: "/do", record: 3 }),
                received: at(-5),
                pattern: Some(TopicId(7)),
                rejected: true,
            }),
            Input::Act(Act::Retry {
                message: whole,
                reading: None,
                received: at(-5),
                pattern: None,
                rejected: false,
            }),
            invalidate(Some(PropertyId(9)), Some("inlet"), Flag::Fail),
            invalidate(None, None, Flag::Suspect),
            Input::Act(Act::Revoke { id: u64::MAX, by: BY }),
            check(Some(2.0)),
            check(None),
            Input::Condition(Condition::Connected(NetworkId(0))),
            Input::Condition(Condition::Disconnected(NetworkId(1))),
            Input::Condition(Condition::Settled { network: NetworkId(1), ordinal: 1 << 40 }),
            Input::Condition(weir(None, None)),
            Input::Condition(weir(Some(NetworkId(0)), None)),
            Input::Condition(weir(Some(NetworkId(3)), Some(end))),
            Input::Condition(weir(None, Some(end))),
            Input::Recompute(Arc::new(Recompute { heard_ms: Some(7), ..Recompute::default() })),
            Input::AlertAct(Arc::new(AlertAct {
                what: What::Shelve { alert: AlertId(7), until: Timestamp(-1) },
                person: "李娜".to_owned(),
                words: String::new(),
                behalf: Some("王伟".to_owned()),
            })),
        ];
        let mut packed = Inputs::default();
        for (index, input) in inputs.iter().enumerate() {
            // The wall clock may be set back.
            let at = at(if index == 3 { -10_000 } else { index as i64 });
            packed.push(&Arrival { at, input: input.clone() });
        }
        let read: Vec<Kept<'_>> =
            Unpacked::new(packed.bytes()).map(|kept| kept.unwrap().1).collect();
        assert_eq!(read.len(), inputs.len());
        for (read, input) in read.into_iter().zip(inputs) {
            match (read, input) {
                (Kept::Message(a), Input::Message(b)) => assert_eq!(a, b),
                (Kept::Act(a), Input::Act(b)) => assert_eq!(a, b),
                (Kept::Condition(a), Input::Condition(b)) => assert_eq!(a, b),
                (Kept::Recompute(a), Input::Recompute(b)) => assert_eq!(a, b),
                (Kept::AlertAct(a), Input::AlertAct(b)) => assert_eq!(a, b),
                (Kept::Tick, Input::Tick) => {}
                (read, wrote) => panic!("{read:?} for {wrote:?}"),
            }
        }
        let times: Vec<Moment> =
            Unpacked::new(packed.bytes()).map(|kept| kept.unwrap().0).collect();
        assert_eq!(times.get(3), Some(&at(-10_000)));
        assert_eq!(times.last(), Some(&packed.last()));
    }

    #[test]
    fn what_is_cut_off_is_said() {
        let mut packed = Inputs::default();
        let input = Input::Message(message(b"topic", b"payload"));
        packed.push(&Arrival { at: Moment::default(), input });
        for end in 1..packed.bytes().len() {
            let bytes = packed.bytes().get(..end).unwrap();
            assert_eq!(Unpacked::new(bytes).last(), Some(Err(Torn)), "cut at {end}");
        }
    }

    #[test]
    fn what_no_clock_shows_and_no_weir_numbers_is_torn() {
        let far = Moment { wall: Timestamp(0), elapsed_ms: i64::MAX };
        let tick = Arrival { at: far, input: Input::Tick };
        let network = Input::Condition(Condition::Connected(NetworkId(u32::MAX)));
        for arrival in [tick, Arrival { at: Moment::default(), input: network }] {
            let mut packed = Inputs::default();
            packed.push(&arrival);
            assert_eq!(Unpacked::new(packed.bytes()).last(), Some(Err(Torn)), "{arrival:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(bytes: Vec<u8>) {
            assert!(Unpacked::new(&bytes).count() <= bytes.len());
        }
    }
}
