//! An edge node of Sparkplug B and its devices: births with names, aliases, types and units, data
//! by alias, numbers that go round from 0 to 255, and the death that the broker tells as a will.

use crate::domain::time::Timestamp;
use crate::simulate::dialect::{GROUP, NODE};
use crate::simulate::encode::{Publication, Said};

/// Of a device, so many aliases are its own.
const ALIASES: u64 = 1_000;
/// The metric by which a host asks that all be born again.
const REBIRTH: &str = "Node Control/Rebirth";
/// Types of metrics and of properties.
const UINT64: u64 = 8;
const DOUBLE: u64 = 10;
const BOOLEAN: u64 = 11;
const STRING: u64 = 12;

/// A message of Protocol Buffers that is being written.
#[derive(Clone, Debug, Default)]
pub struct Proto(pub Vec<u8>);

impl Proto {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    /// Adds a whole number.
    #[must_use]
    pub fn number(mut self, field: u64, value: u64) -> Self {
        self.varint(field << 3);
        self.varint(value);
        self
    }

    /// Adds text, bytes or another message.
    #[must_use]
    pub fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.varint((field << 3) | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    /// Adds a number of 64 bits.
    #[must_use]
    pub fn double(mut self, field: u64, value: f64) -> Self {
        self.varint((field << 3) | 1);
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }
}

/// A metric with its name, alias and type.
fn metric(name: &str, alias: Option<u64>, datatype: u64) -> Proto {
    let metric = Proto::default().bytes(1, name.as_bytes());
    let metric = alias.map_or(metric.clone(), |alias| metric.number(2, alias));
    metric.number(4, datatype)
}

fn topic(kind: &str, device: &str) -> String {
    match device {
        "" => format!("spBv1.0/{GROUP}/{kind}/{NODE}"),
        device => format!("spBv1.0/{GROUP}/{kind}/{device}"),
    }
}

/// Gives the topic on which the node is told what to do.
pub(in crate::simulate) fn commands() -> String {
    topic("NCMD", "")
}

/// Gives the payload of the node's death in a session.
pub(in crate::simulate) fn death(session: u64) -> Publication {
    let metric = metric("bdSeq", None, UINT64).number(11, session);
    Publication::new(topic("NDEATH", ""), Proto::default().bytes(2, &metric.0).0)
}

/// Says whether a command asks that the node be born again: the metric of this name, or of its
/// alias 0, is true (fields 1, 2 and 14 of a metric, which is field 2 of a payload).
pub(in crate::simulate) fn asks_for_rebirth(payload: &[u8]) -> bool {
    let asks = |metric: &[u8]| {
        let (mut named, mut holds) = (false, false);
        for (field, value) in Fields(metric) {
            match (field, value) {
                (1, Value::Bytes(name)) => named |= name == REBIRTH.as_bytes(),
                (2, Value::Number(alias)) => named |= alias == 0,
                (14, Value::Number(value)) => holds = value == 1,
                _ => {}
            }
        }
        named && holds
    };
    Fields(payload).any(|(field, value)| match value {
        Value::Bytes(metric) => field == 2 && asks(metric),
        Value::Number(_) => false,
    })
}

/// The node's state.
#[derive(Clone, Debug, Default)]
pub struct Node {
    next: u8,
}

impl Node {
    fn numbered(&mut self, at: Timestamp, metrics: &[Proto]) -> Vec<u8> {
        let whole = Proto::default().number(1, at.millis().cast_unsigned());
        let whole = metrics.iter().fold(whole, |whole, metric| whole.bytes(2, &metric.0));
        let whole = whole.number(3, self.next.into());
        self.next = self.next.wrapping_add(1);
        whole.0
    }

    /// Is born in a session: what it says of itself.
    pub(in crate::simulate) fn birth(&mut self, session: u64, at: Timestamp) -> Publication {
        self.next = 0;
        let metrics = [
            metric("bdSeq", None, UINT64).number(11, session),
            metric(REBIRTH, Some(0), BOOLEAN).number(14, 0),
        ];
        Publication::new(topic("NBIRTH", ""), self.numbered(at, &metrics))
    }

    /// Has a device be born, with all that it measures.
    pub(in crate::simulate) fn device_birth(&mut self, said: &Said<'_>) -> Publication {
        let metrics = said.device.channels.iter().zip(first_alias(said)..);
        let metrics: Vec<Proto> = metrics
            .map(|(channel, alias)| {
                let unit = Proto::default().number(1, STRING).bytes(8, channel.unit.as_bytes());
                let set = Proto::default().bytes(1, b"engUnit").bytes(2, &unit.0);
                let metric = metric(&channel.name, Some(alias), DOUBLE);
                let metric = metric.number(3, said.at.millis().cast_unsigned());
                // What has no value yet is null, or its alias would never be known.
                match said.values.iter().find(|(one, _)| *one == channel) {
                    Some((_, value)) => metric.bytes(9, &set.0).double(13, *value),
                    None => metric.number(7, 1).bytes(9, &set.0),
                }
            })
            .collect();
        Publication::new(topic("DBIRTH", &said.device.name), self.numbered(said.at, &metrics))
    }

    /// Has a device say its values, by alias alone.
    pub(super) fn data(&mut self, said: &Said<'_>) -> Publication {
        let metrics: Vec<Proto> = said
            .values
            .iter()
            .filter_map(|(channel, value)| {
                let at = said.device.channels.iter().position(|one| one == *channel)?;
                let alias = first_alias(said) + at as u64;
                let metric = Proto::default().number(2, alias);
                Some(metric.number(3, said.at.millis().cast_unsigned()).double(13, *value))
            })
            .collect();
        Publication::new(topic("DDATA", &said.device.name), self.numbered(said.at, &metrics))
    }
}

fn first_alias(said: &Said<'_>) -> u64 {
    u64::from(said.device.number) * ALIASES
}

enum Value<'p> {
    Number(u64),
    Bytes(&'p [u8]),
}

/// Walks the fields of a message; ends at what it can't read.
struct Fields<'p>(&'p [u8]);

impl Fields<'_> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

impl<'p> Iterator for Fields<'p> {
    type Item = (u64, Value<'p>);

    fn next(&mut self) -> Option<Self::Item> {
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Value::Number(self.varint()?),
            kind => {
                let length = match kind {
                    1 => 8,
                    2 => usize::try_from(self.varint()?).ok()?,
                    5 => 4,
                    _ => return None,
                };
                let (bytes, rest) = self.0.split_at_checked(length)?;
                self.0 = rest;
                Value::Bytes(bytes)
            }
        };
        Some((key >> 3, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rebirth_is_asked_for_by_name_or_alias_and_by_true_alone() {
        let by_name = |value| Proto::default().bytes(1, REBIRTH.as_bytes()).number(14, value);
        let command =
            |metric: Proto| Proto::default().number(1, 1_777_593_600_000).bytes(2, &metric.0).0;
        assert!(asks_for_rebirth(&command(by_name(1))));
        assert!(asks_for_rebirth(&command(Proto::default().number(2, 0).number(14, 1))));
        assert!(!asks_for_rebirth(&command(by_name(0))));
        assert!(!asks_for_rebirth(&command(Proto::default().bytes(1, b"Reboot").number(14, 1))));
        assert!(!asks_for_rebirth(b"\xff\xff"));
    }
}
