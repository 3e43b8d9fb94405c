//! What fires is told again to a channel that forgets (Alertmanager): what it confirmed and what is
//! not over, as the journal has it, so that neither a restart of weir nor one of the receiver ends
//! an alert.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::domain::time::{DAY, Timestamp};
use crate::journal::Error;
use crate::journal::read::Reader;
use crate::notify::alertmanager::Firing;
use crate::notify::{self, Channel, Sent};

/// How many notifications are looked at together.
const LOOK: u32 = 100;
/// How much younger than the oldest notification the oldest of a channel is that was there before:
/// it may take few of them.
const THERE_MS: i64 = 7 * DAY;
/// The number of the one alert that has none, which says that the journal is full.
const UNNUMBERED: u64 = 0;

/// When a channel is told again, and of what.
#[derive(Debug)]
pub(super) struct Renewal {
    firing: Firing,
    every: Duration,
    /// When next.
    pub(super) due: Instant,
    /// Whether the last time failed, so that it is said once.
    fails: bool,
}

impl Renewal {
    /// Gathers what the channel was told; `None` for one that remembers by itself.
    pub(super) fn begin(
        channel: &Channel,
        reader: &Reader,
        now: Timestamp,
    ) -> Result<Option<Self>, Error> {
        let Some(every) = notify::renews_every(channel) else { return Ok(None) };
        let mut firing = Firing::default();
        // What fires for longer than notifications are kept was told, too: to a channel that was
        // there, and takes it.
        if let Some(since) = told_before(channel, reader)? {
            for held in reader.open_alerts()?.iter().filter(|held| held.at < since) {
                let body = read(&held.json);
                let route = body.get("route").and_then(Value::as_str);
                if route.is_some_and(|route| channel.takes(route)) {
                    firing.told(&body, now);
                }
            }
        }
        let mut after = 0;
        loop {
            let told = reader.notifications_told(channel.name(), after, LOOK)?;
            let Some(last) = told.last() else { break };
            after = last.number;
            told.iter().for_each(|one| firing.told(&read(&one.body), now));
        }
        Ok(Some(Self { firing, every, due: Instant::now(), fails: false }))
    }

    /// Takes note of a notification that was confirmed.
    pub(super) fn told(&mut self, body: &Value, now: Timestamp) {
        self.firing.told(body, now);
    }

    /// Tells of what fires, if it is time. That the journal is full fires as long as it is: no
    /// alert with a number can be written then.
    pub(super) async fn renew(
        &mut self,
        channel: &Channel,
        reader: &Reader,
        full: bool,
        now: Timestamp,
    ) -> Result<(), Error> {
        if self.due > Instant::now() {
            return Ok(());
        }
        if !self.firing.is_empty() {
            let open = reader.open_alert_numbers()?;
            let open = open.iter().copied().chain(full.then_some(UNNUMBERED));
            let open: BTreeSet<String> = open.map(|one| format!("{one:016x}")).collect();
            self.firing.end_all_but(&open, now);
        }
        let sent = if self.firing.is_empty() {
            None
        } else {
            notify::renew(channel, &self.firing, now).await
        };
        match sent {
            Some(Sent::Retry { words, .. } | Sent::Refused { words, .. }) => {
                if !self.fails {
                    let channel = channel.name();
                    tracing::warn!(channel, "What fires can't be told again: {words}");
                }
                self.fails = true;
            }
            Some(Sent::Confirmed { .. }) | None => {
                self.firing.let_go(now);
                self.fails = false;
            }
        }
        self.due = Instant::now() + self.every;
        Ok(())
    }
}

/// Gives before when a channel may have been told what is not kept any more; none where it can't.
fn told_before(channel: &Channel, reader: &Reader) -> Result<Option<Timestamp>, Error> {
    let (since, first) = (reader.notifications_since()?, reader.channel_since(channel.name())?);
    let was_there = |since: &Timestamp| first.is_some_and(|first| first.since(*since) < THERE_MS);
    Ok(since.filter(was_there))
}

fn read(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_default()
}
