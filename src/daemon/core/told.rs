//! Changes of alerts and notices, in the names of an edition, laid into a batch.
//!
//! What a notice only counts goes to channels that keep an account of every alert, in parts behind
//! it: each is confirmed by itself, so that a kill in between costs at most one that comes again.

use crate::daemon::core::Settings;
use crate::domain::alert::AlertEvent;
use crate::domain::desk::{Entry, Notice};
use crate::domain::registry::Registry;
use crate::journal::batch::{AlertRow, Batch, NotificationRow};
use crate::notify;

/// Lays what is told of alerts into a batch: the row of each change, and each notice that a
/// channel takes.
pub(super) fn lay(
    settings: &Settings,
    registry: &Registry,
    (alerts, notices): (&[AlertEvent], &[Notice]),
    batch: &mut Batch,
) {
    for event in alerts {
        let told = notify::notification(registry, event, &settings.letterhead);
        batch.alerts.push(alert_row(event, &told));
    }
    for notice in notices {
        let channels = notify::takers(&settings.channels, notice.route, notice.step, notice.kind);
        if channels.is_empty() {
            continue;
        }
        if let Some(told) = notify::group(registry, notice, &settings.letterhead) {
            batch.notifications.push(row(told, channels, &notice.entries));
        }
        let keepers = notify::keepers(&settings.channels, notice);
        if keepers.is_empty() {
            continue;
        }
        for (told, entries) in notify::parts(registry, notice, &settings.letterhead) {
            batch.notifications.push(row(told, keepers.clone(), entries));
        }
    }
}

fn row(told: notify::Notification, channels: Vec<Box<str>>, entries: &[Entry]) -> NotificationRow {
    let alerts = entries.iter().map(|entry| entry.event.alert).collect();
    NotificationRow { id: told.id, channels, body: told.body.to_string(), alerts }
}

fn alert_row(event: &AlertEvent, told: &notify::Notification) -> AlertRow {
    AlertRow {
        alert: event.alert,
        rule: event.rule,
        subject: event.subject.numbered(),
        change: event.change,
        since: event.since,
        at: event.at,
        json: told.body.to_string(),
        words: told.words.clone(),
    }
}
