//! Dead letters: the first hundred of each device, channel and reason with their bytes, beyond
//! that their number.

use std::collections::HashMap;

use rusqlite::{Connection, Transaction, params};

use crate::domain::input::Qos;
use crate::domain::reject::Stage;
use crate::domain::time::Timestamp;
use crate::journal::Error;
use crate::journal::batch::{DeadLetter, DeadLetterId, MessageKey};

/// How many of one device, channel and reason are kept with their bytes.
pub const KEPT_MAX: i64 = 100;
/// How many kinds (device, channel, reason) are told apart: a publisher can invent devices for
/// ever. Beyond, what is new is counted under its reason alone.
pub const KINDS_MAX: usize = 10_000;
/// How many bytes of kept letters there may be; beyond, they are counted only.
pub const BYTES_MAX: i64 = 256 << 20;

/// Device, channel and reason.
type Kind = (String, String, String);

/// What is counted so far.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    total: i64,
    kept: i64,
}

/// The tallies, held in memory so that a flood of broken messages costs no questions.
#[derive(Debug)]
pub(super) struct Tallies {
    kinds: HashMap<Kind, Tally>,
    bytes: i64,
}

/// What a batch changes in them, to be taken over once it is committed.
#[derive(Debug, Default)]
pub(super) struct Change {
    kinds: HashMap<Kind, Tally>,
    bytes: i64,
}

impl Tallies {
    pub(super) fn load(connection: &Connection) -> Result<Self, Error> {
        let mut statement = connection
            .prepare("SELECT device, channel, code, total, kept FROM dead_letter_counts")?;
        let rows = statement.query_map([], |row| {
            let kind = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok((kind, Tally { total: row.get(3)?, kept: row.get(4)? }))
        })?;
        let kinds = rows.collect::<Result<_, _>>()?;
        let sum = "SELECT coalesce(sum(length(topic) + length(payload)), 0) FROM dead_letters";
        let bytes = connection.query_row(sum, [], |row| row.get(0))?;
        Ok(Self { kinds, bytes })
    }

    pub(super) fn take_over(&mut self, change: Change) {
        self.kinds.extend(change.kinds);
        self.bytes += change.bytes;
    }

    /// Writes the letters of a batch.
    pub(super) fn write(
        &self,
        transaction: &Transaction<'_>,
        letters: &[DeadLetter],
    ) -> Result<Change, Error> {
        let mut change = Change::default();
        for letter in letters {
            let kind = self.kind(&change, letter);
            let mut tally = change
                .kinds
                .get(&kind)
                .or_else(|| self.kinds.get(&kind))
                .copied()
                .unwrap_or_default();
            tally.total += 1 + i64::from(letter.more);
            let bytes = i64::try_from(letter.topic.len() + letter.payload.len()).unwrap_or(0);
            if tally.kept < KEPT_MAX && self.bytes + change.bytes + bytes <= BYTES_MAX {
                keep(transaction, letter)?;
                tally.kept += 1;
                change.bytes += bytes;
            }
            transaction
                .prepare_cached(
                    "INSERT INTO dead_letter_counts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                     ON CONFLICT DO UPDATE SET total = ?5, kept = ?6, last_at = ?7",
                )?
                .execute(params![
                    kind.0,
                    kind.1,
                    kind.2,
                    letter.stage.word(),
                    tally.total,
                    tally.kept,
                    letter.at.millis()
                ])?;
            change.kinds.insert(kind, tally);
        }
        Ok(change)
    }

    /// Notes that messages are rejected no more, in the letters that are left of them.
    pub(super) fn write_mended(
        transaction: &Transaction<'_>,
        messages: &[MessageKey],
    ) -> Result<(), Error> {
        for message in messages {
            transaction
                .prepare_cached(
                    "UPDATE dead_letters SET message_rejected = 0
                     WHERE received_wall = ?1 AND network = ?2 AND packet_id = ?3 AND topic = ?4
                     AND payload = ?5",
                )?
                .execute(params![
                    message.received,
                    message.network.0,
                    message.packet_id,
                    &*message.topic,
                    &*message.payload
                ])?;
        }
        Ok(())
    }

    fn kind(&self, change: &Change, letter: &DeadLetter) -> Kind {
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        let kind = (text(&letter.device), text(&letter.channel), letter.code.to_string());
        let known = self.kinds.contains_key(&kind) || change.kinds.contains_key(&kind);
        if known || self.kinds.len() + change.kinds.len() < KINDS_MAX {
            kind
        } else {
            (String::new(), String::new(), kind.2)
        }
    }

    /// Takes letters that ended well out of the count.
    pub(super) fn write_retried(
        &self,
        transaction: &Transaction<'_>,
        ids: &[DeadLetterId],
        at: Timestamp,
        change: &mut Change,
    ) -> Result<(), Error> {
        for id in ids {
            let taken = transaction
                .prepare_cached(
                    "UPDATE dead_letters SET retried_at = ?2 WHERE id = ?1 AND retried_at IS NULL",
                )?
                .execute(params![id.0, at.millis()])?;
            if taken == 0 {
                continue;
            }
            let kind: Kind = transaction
                .prepare_cached(
                    "SELECT coalesce(device, ''), coalesce(channel, ''), code FROM dead_letters
                     WHERE id = ?1",
                )?
                .query_row([id.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            let tally = change.kinds.get(&kind).or_else(|| self.kinds.get(&kind)).copied();
            let Some(mut tally) = tally else { continue };
            tally.total -= 1;
            tally.kept -= 1;
            transaction
                .prepare_cached(
                    "UPDATE dead_letter_counts SET total = ?4, kept = ?5
                     WHERE device = ?1 AND channel = ?2 AND code = ?3",
                )?
                .execute(params![kind.0, kind.1, kind.2, tally.total, tally.kept])?;
            change.kinds.insert(kind, tally);
        }
        Ok(())
    }
}

fn keep(transaction: &Transaction<'_>, letter: &DeadLetter) -> Result<(), Error> {
    transaction
        .prepare_cached(
            "INSERT INTO dead_letters (at, network, topic, payload, qos, retain, packet_id, stage,
                code, words, device, channel, record, received_wall, received_elapsed, pattern,
                message_rejected)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
        )?
        .execute(params![
            letter.at.millis(),
            letter.network.0,
            &*letter.topic,
            &*letter.payload,
            qos_number(letter.qos),
            letter.retain,
            letter.packet_id,
            letter.stage.word(),
            &*letter.code,
            letter.words,
            letter.device,
            letter.channel,
            letter.record,
            letter.received.wall.millis(),
            letter.received.elapsed_ms,
            letter.pattern.map(|pattern| pattern.0),
            letter.message_rejected,
        ])?;
    Ok(())
}

fn qos_number(qos: Qos) -> u8 {
    match qos {
        Qos::AtMostOnce => 0,
        Qos::AtLeastOnce => 1,
        Qos::ExactlyOnce => 2,
    }
}

pub(super) fn qos_of(number: u8) -> Qos {
    match number {
        0 => Qos::AtMostOnce,
        1 => Qos::AtLeastOnce,
        _ => Qos::ExactlyOnce,
    }
}

pub(super) fn stage_of(word: &str) -> Stage {
    let stages = [Stage::Receive, Stage::Decode, Stage::Normalize];
    stages.into_iter().find(|stage| stage.word() == word).unwrap_or(Stage::Crashed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::name::NetworkId;
    use crate::domain::time::Moment;
    use crate::journal::schema;

    fn letter(device: &str, payload: &[u8]) -> DeadLetter {
        DeadLetter {
            at: Timestamp(0),
            network: NetworkId(0),
            topic: b"t".as_slice().into(),
            payload: payload.into(),
            qos: Qos::AtLeastOnce,
            retain: false,
            packet_id: 0,
            stage: Stage::Decode,
            code: "malformed".into(),
            words: String::new(),
            device: Some(device.to_owned()),
            channel: None,
            record: 0,
            received: Moment::default(),
            pattern: None,
            message_rejected: true,
            more: 0,
        }
    }

    #[test]
    fn beyond_the_most_bytes_letters_are_counted_only() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection).unwrap();
        let mut tallies = Tallies { kinds: HashMap::new(), bytes: BYTES_MAX - 15 };
        let transaction = connection.transaction().unwrap();
        let letters = [letter("a", &[b'x'; 10]), letter("a", &[b'x'; 10]), letter("b", &[b'x'; 2])];
        let change = tallies.write(&transaction, &letters).unwrap();
        tallies.take_over(change);
        let of = |device: &str| {
            let kind = (device.to_owned(), String::new(), "malformed".to_owned());
            (tallies.kinds[&kind].total, tallies.kinds[&kind].kept)
        };
        assert_eq!((of("a"), of("b")), ((2, 1), (1, 1)), "what still fits is kept");
        assert_eq!(tallies.bytes, BYTES_MAX - 1);
        let count = "SELECT count(*) FROM dead_letters";
        assert_eq!(transaction.query_row(count, [], |row| row.get(0)), Ok(2));
    }
}
