//! Notifications: from the outbox, in order, one task a channel. Confirmed is what has a receipt
//! in the journal; everything else is sent again, with the same id.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use crate::daemon::outlet::Outlet;
use crate::domain::alert::WeirCondition;
use crate::journal::Error;
use crate::journal::batch::{Attempt, Batch, Receipt};
use crate::journal::read::{Due, Reader};
use crate::notify::{self, Channel, RETRY_MAX, Sent};

/// How many notifications are looked at together.
const LOOK: u32 = 100;
/// How many notifications that the receiver refuses may wait apart. With more, the channel waits
/// until one of them may be tried again.
const REFUSED_MAX: usize = 10_000;
/// After how long a channel counts as failing.
const FAILING_AFTER: Duration = Duration::from_mins(1);

/// What the task of one channel works with.
#[derive(Debug)]
pub struct Teller {
    /// The channel.
    pub channel: Channel,
    /// Its ways.
    pub outlet: Outlet,
}

/// When what may be tried again.
#[derive(Default)]
struct Waits {
    /// The whole channel: it is away, so nothing overtakes what waits.
    channel: Option<Instant>,
    /// Single notifications that the receiver refuses as they are; others go on.
    refused: HashMap<String, Instant>,
    failing_since: Option<Instant>,
}

impl Waits {
    fn is_open(&self, now: Instant) -> bool {
        self.refused.len() < REFUSED_MAX && self.channel.is_none_or(|until| until <= now)
    }
}

impl Teller {
    /// Tells until weir stops.
    ///
    /// # Errors
    /// The journal can't be read.
    pub async fn run(mut self) -> anyhow::Result<()> {
        let reader = Reader::open(&self.outlet.data_folder)?;
        let mut waits = Waits::default();
        loop {
            let now = Instant::now();
            waits.refused.retain(|_, until| *until > now);
            if reader.notifications_due(self.channel.name(), 0, 1)?.is_empty() {
                // Who has nothing to tell can't fail.
                self.note(&mut waits, false);
            }
            let next =
                if waits.is_open(now) { next(&reader, self.channel.name(), &waits)? } else { None };
            if let Some(due) = next {
                if !self.tell(&due, &mut waits).await {
                    return Ok(());
                }
                continue;
            }
            if *self.outlet.stop.borrow() {
                return Ok(());
            }
            let until = waits.refused.values().copied().chain(waits.channel).min();
            let until = until.unwrap_or(now + RETRY_MAX);
            tokio::select! {
                changed = self.outlet.news.changed() => if changed.is_err() { return Ok(()) },
                _ = self.outlet.stop.wait_for(|stop| *stop) => {}
                () = sleep_until(until) => {}
            }
        }
    }

    async fn tell(&self, due: &Due, waits: &mut Waits) -> bool {
        let body: Value = serde_json::from_str(&due.body).unwrap_or_default();
        let at = self.outlet.clock.now().wall;
        let (id, channel) = (due.id.clone(), Box::from(self.channel.name()));
        let mut notes = Batch { at, ..Batch::default() };
        match notify::send(&self.channel, &due.id, &body).await {
            Sent::Confirmed { status, words } => {
                let words = format!("{status} {words}");
                notes.receipts.push(Receipt { id, channel, at, words });
                self.outlet.status.notifications_confirmed.fetch_add(1, Ordering::Relaxed);
                waits.channel = None;
                self.note(waits, false);
            }
            Sent::Retry { after, words } => {
                let wait =
                    after.unwrap_or_else(|| notify::retry_after(due.attempts)).min(RETRY_MAX);
                waits.channel = Some(Instant::now() + wait);
                self.failed(due, &words);
                notes.attempts.push(Attempt { id, channel, at, words });
                self.note(waits, true);
            }
            Sent::Refused { status, words } => {
                waits.refused.insert(due.id.clone(), Instant::now() + RETRY_MAX);
                let words = status.map_or(words.clone(), |status| format!("{status} {words}"));
                self.failed(due, &words);
                notes.attempts.push(Attempt { id, channel, at, words });
                self.note(waits, true);
            }
        }
        self.outlet.commit(notes).await
    }

    fn failed(&self, due: &Due, words: &str) {
        self.outlet.status.notifications_failed.fetch_add(1, Ordering::Relaxed);
        if due.attempts.is_power_of_two() || due.attempts == 0 {
            let (channel, attempts) = (self.channel.name(), due.attempts + 1);
            tracing::warn!(channel, id = due.id, attempts, "A notification fails: {words}");
        }
    }

    fn note(&self, waits: &mut Waits, failing: bool) {
        let name = self.channel.name();
        let news = if failing {
            let since = *waits.failing_since.get_or_insert_with(Instant::now);
            if since.elapsed() < FAILING_AFTER {
                return;
            }
            self.outlet.status.channel(name, true)
        } else {
            waits.failing_since = None;
            self.outlet.status.channel(name, false)
        };
        if let Some(holds) = news {
            self.outlet.say(WeirCondition::ChannelFailing, holds);
        }
    }
}

/// Gives the first notification that need not wait, however many do that the receiver refuses.
fn next(reader: &Reader, channel: &str, waits: &Waits) -> Result<Option<Due>, Error> {
    let mut after = 0;
    loop {
        let due = reader.notifications_due(channel, after, LOOK)?;
        let Some(last) = due.last() else { return Ok(None) };
        after = last.number;
        let next = due.into_iter().find(|due| !waits.refused.contains_key(&due.id));
        if next.is_some() {
            return Ok(next);
        }
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::domain::time::Timestamp;
    use crate::journal::Config;
    use crate::journal::batch::NotificationRow;
    use crate::journal::write::Journal;

    #[test]
    fn with_too_many_refused_the_channel_waits() {
        let (now, mut waits) = (Instant::now(), Waits::default());
        let one = |number: usize| (number.to_string(), now + RETRY_MAX);
        waits.refused.extend((1..REFUSED_MAX).map(one));
        assert!(waits.is_open(now));
        waits.refused.extend([one(0)]);
        assert!(!waits.is_open(now));
        waits.refused.remove("0");
        waits.channel = Some(now + RETRY_MAX);
        assert!(!waits.is_open(now) && waits.is_open(now + RETRY_MAX));
    }

    #[test]
    fn many_that_are_refused_keep_no_other_waiting() {
        let folder = TempDir::new().unwrap();
        let mut journal = Journal::open(&Config::at(folder.path()), Timestamp(0)).unwrap();
        let row = |number: u32| NotificationRow {
            id: format!("n{number}"),
            channels: vec!["duty".into()],
            body: "{}".to_owned(),
        };
        let notifications = (0..=2 * LOOK).map(row).collect();
        journal.commit(&Batch { notifications, ..Batch::default() }).unwrap();
        let mut waits = Waits::default();
        waits.refused.extend((0..2 * LOOK).map(|number| (format!("n{number}"), Instant::now())));
        let reader = Reader::open(folder.path()).unwrap();
        let found = next(&reader, "duty", &waits).unwrap().unwrap();
        assert_eq!(found.id, format!("n{}", 2 * LOOK));
        waits.refused.insert(found.id, Instant::now());
        assert_eq!(next(&reader, "duty", &waits).unwrap(), None);
    }
}
