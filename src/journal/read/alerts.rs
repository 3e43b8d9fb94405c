//! What the journal has of alerts: changes, what persons did, what was told by which channel.

use rusqlite::{OptionalExtension as _, Row, params};

use super::{Due, Reader, due, time, unsigned};
use crate::domain::desk::Matcher;
use crate::domain::time::Timestamp;
use crate::journal::Error;

/// A change of an alert, as it was told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AlertHeld {
    /// The alert's number.
    pub alert: u64,
    /// What happened: `firing`, `changed`, `resolved`, `withdrawn`, `past`.
    pub change: String,
    /// Whom it is about.
    pub subject: String,
    /// When.
    pub at: Timestamp,
    /// All of it, as it was told.
    pub json: String,
}

/// What a person did with alerts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AlertActHeld {
    /// The alert's number, where it is about one.
    pub alert: Option<u64>,
    /// The silence, where it is about one.
    pub silence: Option<u64>,
    /// When.
    pub at: Timestamp,
    /// What, in a word.
    pub what: String,
    /// Who.
    pub person: String,
    /// For whom, where somebody else did it.
    pub behalf: Option<String>,
    /// The comment or the reason.
    pub words: String,
    /// Until when it lasts, where that was said.
    pub until: Option<Timestamp>,
    /// What the silence covers that it begins or ends, as far as that was written.
    pub matcher: Option<Matcher>,
}

/// A notification on one channel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ToldHeld {
    /// Its lasting id.
    pub id: String,
    /// When it was to be told.
    pub at: Timestamp,
    /// The channel.
    pub channel: String,
    /// How often it was tried.
    pub attempts: u32,
    /// What the channel said last.
    pub words: String,
    /// When the channel confirmed it.
    pub confirmed_at: Option<Timestamp>,
}

/// From when on, and until when; without end where there is none.
type Within = (Option<Timestamp>, Option<Timestamp>);

fn begin(from: Option<Timestamp>) -> i64 {
    from.map_or(i64::MIN, Timestamp::millis)
}

fn end(to: Option<Timestamp>) -> i64 {
    to.map_or(i64::MAX, Timestamp::millis)
}

impl Reader {
    /// Gives what a channel confirmed after a number, in order.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn notifications_told(
        &self,
        channel: &str,
        after: i64,
        count_max: u32,
    ) -> Result<Vec<Due>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT number, n.id, n.body, d.attempts
             FROM deliveries d JOIN notifications n USING (number)
             WHERE d.channel = ?1 AND d.number > ?2 AND d.confirmed_at IS NOT NULL
             ORDER BY d.number LIMIT ?3",
        )?;
        let rows = statement.query_map(params![channel, after, count_max], due)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Says whether a notification was written, by its id, and is still kept.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn is_written(&self, id: &str) -> Result<bool, Error> {
        let select = "SELECT EXISTS (SELECT 1 FROM notifications WHERE id = ?1)";
        Ok(self.connection.prepare_cached(select)?.query_row([id], |row| row.get(0))?)
    }

    /// Gives from when on notifications are kept; none if none was ever let go, so that whatever
    /// was told is there.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn notifications_since(&self) -> Result<Option<Timestamp>, Error> {
        let oldest = "SELECT number, at FROM notifications ORDER BY number LIMIT 1";
        let mut statement = self.connection.prepare_cached(oldest)?;
        let oldest = statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?)));
        let oldest: Option<(i64, i64)> = oldest.optional()?;
        Ok(oldest.filter(|(number, _)| *number > 1).map(|(_, at)| Timestamp(at)))
    }

    /// Gives from when the oldest notification is that a channel was to be told.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn channel_since(&self, channel: &str) -> Result<Option<Timestamp>, Error> {
        let oldest = "SELECT at FROM deliveries JOIN notifications USING (number)
             WHERE channel = ?1 ORDER BY number LIMIT 1";
        let mut statement = self.connection.prepare_cached(oldest)?;
        let at: Option<i64> = statement.query_row([channel], |row| row.get(0)).optional()?;
        Ok(at.map(Timestamp))
    }

    /// Gives the alerts that fire, oldest first.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn open_alerts(&self) -> Result<Vec<AlertHeld>, Error> {
        let select = format!(
            "SELECT {ALERT} FROM alerts a WHERE change IN ('firing', 'changed') AND NOT EXISTS
                (SELECT 1 FROM alerts b WHERE b.alert = a.alert AND b.number > a.number)
             ORDER BY number"
        );
        let mut statement = self.connection.prepare_cached(&select)?;
        let rows = statement.query_map([], alert)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Gives the numbers of the alerts that fire.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn open_alert_numbers(&self) -> Result<Vec<u64>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT alert FROM alerts a WHERE change IN ('firing', 'changed') AND NOT EXISTS
                (SELECT 1 FROM alerts b WHERE b.alert = a.alert AND b.number > a.number)",
        )?;
        let rows = statement.query_map([], |row| row.get::<_, i64>(0))?;
        let numbers: Vec<i64> = rows.collect::<Result<_, _>>()?;
        Ok(numbers.into_iter().map(i64::cast_unsigned).collect())
    }

    /// Gives the last changes of alerts within some time, newest first.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn alert_history(
        &self,
        (from, to): Within,
        count_max: u32,
    ) -> Result<Vec<AlertHeld>, Error> {
        let select = format!(
            "SELECT {ALERT} FROM alerts WHERE at >= ?1 AND at < ?2 ORDER BY number DESC LIMIT ?3"
        );
        let mut statement = self.connection.prepare_cached(&select)?;
        let rows = statement.query_map(params![begin(from), end(to), count_max], alert)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Gives what persons did within some time: with one alert, or with all that matched something,
    /// where none is named; the oldest first, the last so many.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn alert_acts(
        &self,
        alert: Option<u64>,
        (from, to): Within,
        count_max: u32,
    ) -> Result<Vec<AlertActHeld>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT alert, silence, at, what, person, behalf, words, until, coalesce(matcher,
                (SELECT b.matcher FROM alert_acts b
                 WHERE b.silence = a.silence AND b.matcher IS NOT NULL LIMIT 1)) FROM
                (SELECT * FROM alert_acts WHERE (?1 IS NULL OR alert = ?1) AND at >= ?2 AND at < ?3
                 ORDER BY number DESC LIMIT ?4) a
             ORDER BY number",
        )?;
        let alert = alert.map(u64::cast_signed);
        let rows = statement.query_map(params![alert, begin(from), end(to), count_max], |row| {
            Ok(AlertActHeld {
                alert: row.get::<_, Option<i64>>(0)?.map(i64::cast_unsigned),
                silence: row.get::<_, Option<i64>>(1)?.map(i64::cast_unsigned),
                at: time(row, 2)?,
                what: row.get(3)?,
                person: row.get(4)?,
                behalf: row.get(5)?,
                words: row.get(6)?,
                until: row.get::<_, Option<i64>>(7)?.map(Timestamp),
                matcher: row.get::<_, Option<Vec<u8>>>(8)?.map(|bytes| read(&bytes)).transpose()?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Gives the changes of one alert, the oldest first.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn changes_of_alert(&self, of: u64) -> Result<Vec<AlertHeld>, Error> {
        let select = format!("SELECT {ALERT} FROM alerts WHERE alert = ?1 ORDER BY number");
        let mut statement = self.connection.prepare_cached(&select)?;
        let rows = statement.query_map([of.cast_signed()], alert)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Gives what was told of an alert by which channel, the oldest first.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn told_of_alert(&self, of: u64) -> Result<Vec<ToldHeld>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT n.id, n.at, d.channel, d.attempts, d.words, d.confirmed_at
             FROM told t JOIN notifications n ON n.number = t.notification
                JOIN deliveries d ON d.number = n.number
             WHERE t.alert = ?1 ORDER BY n.number, d.channel",
        )?;
        let rows = statement.query_map([of.cast_signed()], |row| {
            Ok(ToldHeld {
                id: row.get(0)?,
                at: time(row, 1)?,
                channel: row.get(2)?,
                attempts: row.get(3)?,
                words: row.get(4)?,
                confirmed_at: row.get::<_, Option<i64>>(5)?.map(Timestamp),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn read(bytes: &[u8]) -> rusqlite::Result<Matcher> {
    let wrong = |error| {
        rusqlite::Error::FromSqlConversionFailure(8, rusqlite::types::Type::Blob, Box::new(error))
    };
    minicbor::decode(bytes).map_err(wrong)
}

const ALERT: &str = "alert, change, subject, at, json";

fn alert(row: &Row<'_>) -> rusqlite::Result<AlertHeld> {
    Ok(AlertHeld {
        alert: unsigned(row, 0)?,
        change: row.get(1)?,
        subject: row.get(2)?,
        at: time(row, 3)?,
        json: row.get(4)?,
    })
}
