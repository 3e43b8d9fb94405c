//! What is told of alerts, how far that is, and what persons did with them, as rows.

use rusqlite::{Transaction, params};

use crate::domain::time::Timestamp;
use crate::journal::Error;
use crate::journal::batch::Batch;

/// Writes what persons did.
pub(super) fn write_alert_acts(transaction: &Transaction<'_>, batch: &Batch) -> Result<(), Error> {
    for row in &batch.alert_acts {
        let matcher = row.matcher.map(|matcher| {
            let mut bytes = Vec::new();
            // Writing into memory can't fail.
            minicbor::encode(matcher, &mut bytes).unwrap_or_default();
            bytes
        });
        transaction
            .prepare_cached(
                "INSERT INTO alert_acts
                    (alert, silence, at, what, person, behalf, words, until, matcher)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                row.alert.map(|alert| alert.0.cast_signed()),
                row.silence.map(u64::cast_signed),
                row.at.millis(),
                row.what,
                row.person,
                row.behalf,
                row.words,
                row.until.map(Timestamp::millis),
                matcher,
            ])?;
    }
    Ok(())
}

/// Writes what is to be told, and how far it is.
pub(super) fn write_notifications(
    transaction: &Transaction<'_>,
    batch: &Batch,
) -> Result<(), Error> {
    for row in batch.notifications.iter().chain(&batch.said) {
        let made = transaction
            .prepare_cached(
                "INSERT OR IGNORE INTO notifications (id, at, body) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![row.id, batch.at.millis(), row.body])?;
        if made == 0 {
            continue;
        }
        let number = transaction.last_insert_rowid();
        for channel in &row.channels {
            transaction
                .prepare_cached("INSERT INTO deliveries VALUES (?1, ?2, 0, '', NULL)")?
                .execute(params![&**channel, number])?;
        }
        for alert in &row.alerts {
            transaction
                .prepare_cached("INSERT OR IGNORE INTO told VALUES (?1, ?2)")?
                .execute(params![alert.0.cast_signed(), number])?;
        }
    }
    for row in &batch.attempts {
        transaction
            .prepare_cached(
                "UPDATE deliveries SET attempts = attempts + 1, words = ?3 WHERE channel = ?2
                 AND number = (SELECT number FROM notifications WHERE id = ?1)",
            )?
            .execute(params![row.id, &*row.channel, row.words])?;
    }
    for row in &batch.receipts {
        transaction
            .prepare_cached(
                "UPDATE deliveries SET attempts = attempts + 1, words = ?3, confirmed_at = ?4
                 WHERE channel = ?2
                 AND number = (SELECT number FROM notifications WHERE id = ?1)",
            )?
            .execute(params![row.id, &*row.channel, row.words, row.at.millis()])?;
    }
    Ok(())
}
