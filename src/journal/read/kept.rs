//! What the journal says of dead letters by their kind, and of how channels do.

use rusqlite::{OptionalExtension as _, params};

use super::{LETTER, LetterHeld, Reader, letter, time, unsigned};
use crate::domain::time::Timestamp;
use crate::journal::Error;
use crate::journal::batch::DeadLetterId;

/// Of how many dead letters, the newest, the reason is looked up in words.
const WORDS_MAX: i64 = 10_000;

/// Which dead letters: of a device, channel and reason; of any where one is not given.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LetterKind<'k> {
    /// The device; empty of an unknown one.
    pub device: Option<&'k str>,
    /// The channel; empty where it is the whole message.
    pub channel: Option<&'k str>,
    /// The reason, in a word.
    pub code: Option<&'k str>,
}

/// The reason of the newest dead letter of a kind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LetterWords {
    /// The number of that letter.
    pub id: i64,
    /// The device, empty if unknown.
    pub device: String,
    /// The channel, empty if the whole message.
    pub channel: String,
    /// The reason, in a word.
    pub code: String,
    /// The reason, in a sentence.
    pub words: String,
}

/// A dead letter that came since a time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LetterSince {
    /// Its number.
    pub id: i64,
    /// When it came.
    pub at: Timestamp,
    /// The device, empty if unknown.
    pub device: String,
    /// The reason, in a word.
    pub code: String,
    /// The reason, in a sentence.
    pub words: String,
}

/// The last notification that a channel tried.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LastTried {
    /// Since when it was to be told.
    pub at: Timestamp,
    /// How often it was tried in vain.
    pub attempts: u32,
    /// What the channel said last.
    pub words: String,
    /// When the channel confirmed it.
    pub confirmed_at: Option<Timestamp>,
}

impl Reader {
    /// Gives the numbers of the kept dead letters of a kind after a number, the oldest first.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn letter_numbers(
        &self,
        LetterKind { device, channel, code }: LetterKind<'_>,
        after: DeadLetterId,
        count_max: u32,
    ) -> Result<Vec<i64>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id FROM dead_letters WHERE id > ?1 AND retried_at IS NULL
                AND (?2 IS NULL OR coalesce(device, '') = ?2)
                AND (?3 IS NULL OR coalesce(channel, '') = ?3) AND (?4 IS NULL OR code = ?4)
             ORDER BY id LIMIT ?5",
        )?;
        let of = params![after.0, device, channel, code, count_max];
        let rows = statement.query_map(of, |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Gives the number of the last kept dead letter of a kind before a number.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn letter_before(
        &self,
        LetterKind { device, channel, code }: LetterKind<'_>,
        before: DeadLetterId,
    ) -> Result<Option<i64>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id FROM dead_letters WHERE id < ?1 AND retried_at IS NULL
                AND (?2 IS NULL OR coalesce(device, '') = ?2)
                AND (?3 IS NULL OR coalesce(channel, '') = ?3) AND (?4 IS NULL OR code = ?4)
             ORDER BY id DESC LIMIT 1",
        )?;
        let of = params![before.0, device, channel, code];
        Ok(statement.query_row(of, |row| row.get(0)).optional()?)
    }

    /// Gives the newest dead letters that are kept and came since a time, the newest first, without
    /// those that ended well when they were run again.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn letters_since(
        &self,
        since: Timestamp,
        count_max: u32,
    ) -> Result<Vec<LetterSince>, Error> {
        // Numbers grow with time; the first that is older ends it, so that few are read.
        let mut statement = self.connection.prepare_cached(
            "SELECT id, at, coalesce(device, ''), code, words FROM dead_letters
             WHERE retried_at IS NULL ORDER BY id DESC LIMIT ?1",
        )?;
        let rows = statement.query_map([count_max], |row| {
            Ok(LetterSince {
                id: row.get(0)?,
                at: time(row, 1)?,
                device: row.get(2)?,
                code: row.get(3)?,
                words: row.get(4)?,
            })
        })?;
        let in_time = rows.take_while(|one| one.as_ref().map_or(true, |one| one.at >= since));
        Ok(in_time.collect::<Result<_, _>>()?)
    }

    /// Gives the kept dead letters before a number, the newest first, without those that ended well
    /// when they were run again.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn dead_letters_before(
        &self,
        before: DeadLetterId,
        count_max: u32,
    ) -> Result<Vec<LetterHeld>, Error> {
        let select = format!(
            "SELECT {LETTER} FROM dead_letters WHERE id < ?1 AND retried_at IS NULL
             ORDER BY id DESC LIMIT ?2"
        );
        let mut statement = self.connection.prepare_cached(&select)?;
        let rows = statement.query_map(params![before.0, count_max], letter)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Gives of each kind of dead letters the reason of the newest one that is kept, as far as the
    /// newest of all reach.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn letter_words(&self) -> Result<Vec<LetterWords>, Error> {
        // SQLite gives the other columns of the row that has the greatest number.
        let mut statement = self.connection.prepare_cached(
            "SELECT coalesce(device, ''), coalesce(channel, ''), code, words, max(id)
             FROM dead_letters
             WHERE retried_at IS NULL AND id > (SELECT coalesce(max(id), 0) FROM dead_letters) - ?1
             GROUP BY 1, 2, 3",
        )?;
        let rows = statement.query_map([WORDS_MAX], |row| {
            Ok(LetterWords {
                id: row.get(4)?,
                device: row.get(0)?,
                channel: row.get(1)?,
                code: row.get(2)?,
                words: row.get(3)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Gives how many notifications wait for a channel.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn notifications_waiting(&self, channel: &str) -> Result<u64, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT count(*) FROM deliveries INDEXED BY deliveries_due
             WHERE channel = ?1 AND confirmed_at IS NULL",
        )?;
        Ok(statement.query_row([channel], |row| unsigned(row, 0))?)
    }

    /// Gives the last notification that a channel tried, with its answer.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn last_tried(&self, channel: &str) -> Result<Option<LastTried>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT n.at, d.attempts, d.words, d.confirmed_at
             FROM deliveries d JOIN notifications n USING (number)
             WHERE d.channel = ?1 AND (d.attempts > 0 OR d.confirmed_at IS NOT NULL)
             ORDER BY d.number DESC LIMIT 1",
        )?;
        let last = statement.query_row([channel], |row| {
            Ok(LastTried {
                at: time(row, 0)?,
                attempts: row.get(1)?,
                words: row.get(2)?,
                confirmed_at: row.get::<_, Option<i64>>(3)?.map(Timestamp),
            })
        });
        Ok(last.optional()?)
    }
}
