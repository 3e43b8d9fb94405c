//! The ledger as each batch carries it: the sums since the journal was made, by pattern.

use std::collections::BTreeMap;

use crate::domain::ledger::{Counts, Ledger};
use crate::domain::name::TopicId;
use crate::domain::packed::{push_varint, take_varint};

/// The sums, by pattern; `None` is "no pattern".
pub(super) type Sums = BTreeMap<Option<TopicId>, Ledger>;

pub(super) fn add(sums: &mut Sums, rows: &[(Option<TopicId>, Ledger)]) {
    for (topic, row) in rows {
        *sums.entry(*topic).or_default() += *row;
    }
}

pub(super) fn to_bytes(sums: &Sums) -> Vec<u8> {
    let mut out = Vec::with_capacity(sums.len() * 16);
    for (topic, row) in sums {
        push_varint(&mut out, topic.map_or(0, |topic| i64::from(topic.0) + 1));
        for number in numbers(row) {
            push_varint(&mut out, number);
        }
    }
    out
}

pub(super) fn from_bytes(mut bytes: &[u8]) -> Option<Sums> {
    let mut sums = Sums::new();
    while !bytes.is_empty() {
        let topic = match take_varint(&mut bytes)? {
            0 => None,
            number => Some(TopicId(u32::try_from(number - 1).ok()?)),
        };
        let counts = |bytes: &mut &[u8]| {
            let received = take_varint(bytes)?;
            let stored = take_varint(bytes)?;
            let rejected = take_varint(bytes)?;
            Some(Counts { received, stored, rejected, duplicate: take_varint(bytes)? })
        };
        let messages = counts(&mut bytes)?;
        let readings = counts(&mut bytes)?;
        let unprotected = take_varint(&mut bytes)?;
        let revisions = take_varint(&mut bytes)?;
        let late = take_varint(&mut bytes)?;
        sums.insert(topic, Ledger { messages, readings, unprotected, revisions, late });
    }
    Some(sums)
}

fn numbers(row: &Ledger) -> [i64; 11] {
    let Ledger { messages, readings, unprotected, revisions, late } = *row;
    let of = |counts: Counts| [counts.received, counts.stored, counts.rejected, counts.duplicate];
    let [a, b, c, d] = of(messages);
    let [e, f, g, h] = of(readings);
    [a, b, c, d, e, f, g, h, unprotected, revisions, late]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ledger::Outcome;

    #[test]
    fn sums_come_back() {
        let mut row = Ledger { unprotected: 3, revisions: 4, late: 5, ..Ledger::default() };
        row.messages.count(Outcome::Stored);
        row.readings.count(Outcome::Rejected);
        row.readings.count(Outcome::Duplicate);
        let mut sums = Sums::new();
        add(&mut sums, &[(None, row), (Some(TopicId(0)), row), (Some(TopicId(0)), row)]);
        assert_eq!(from_bytes(&to_bytes(&sums)).unwrap(), sums);
        assert_eq!(sums.get(&Some(TopicId(0))).unwrap().late, 10);
        assert_eq!(from_bytes(&[1, 2]), None);
    }
}
