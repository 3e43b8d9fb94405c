//! Notifications: from the outbox, in order, one task a channel. Confirmed is what has a receipt
//! in the journal; everything else is sent again, with the same id.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use crate::daemon::clock::Clock;
use crate::daemon::outlet::Outlet;
use crate::daemon::renew::Renewal;
use crate::domain::alert::WeirCondition;
use crate::domain::time::Timestamp;
use crate::journal::Error;
use crate::journal::batch::{Attempt, Batch, Receipt};
use crate::journal::read::{Due, Reader};
use crate::notify::{self, Channel, RETRY_FIRST, RETRY_MAX, Sent};

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
    /// Single notifications that the receiver refused as they are; others go on.
    refused: HashMap<String, Refusal>,
    /// Whether the last attempt was refused: then it may be the channel and not the notification.
    doubted: bool,
    /// Whether the oldest was asked about since.
    asked: bool,
    failing_since: Option<Instant>,
}

/// A notification that was refused.
#[derive(Clone, Copy)]
struct Refusal {
    until: Instant,
    /// Whether another was taken since: then it is not the channel that fails.
    alone: bool,
}

impl Waits {
    fn is_open(&self, now: Instant) -> bool {
        // What may be tried again comes before anything new.
        let waiting = self.refused.values().filter(|refusal| refusal.until > now).count();
        waiting < REFUSED_MAX && self.channel.is_none_or(|until| until <= now)
    }

    fn refused(&mut self, id: &str) -> Refusal {
        let until = Instant::now() + RETRY_MAX;
        let refusal = self.refused.entry(id.to_owned());
        let refusal = refusal.or_insert(Refusal { until, alone: false });
        refusal.until = until;
        *refusal
    }

    fn waits(&self, id: &str, now: Instant) -> bool {
        self.refused.get(id).is_some_and(|refusal| refusal.until > now)
    }

    /// Gives when to look again, if nothing new comes.
    fn until(&self, now: Instant) -> Instant {
        let failing = self.failing_since.map(|since| since + FAILING_AFTER);
        let refused = self.refused.values().map(|refusal| refusal.until);
        let waits = refused.chain(self.channel).chain(failing);
        waits.filter(|until| *until > now).min().unwrap_or(now + RETRY_MAX)
    }
}

impl Teller {
    /// Tells until weir stops.
    ///
    /// # Errors
    /// The journal can't be read.
    pub async fn run(mut self) -> anyhow::Result<()> {
        let reader = Reader::open(&self.outlet.data_folder)?;
        let (mut waits, mut pace) = (Waits::default(), self.channel.pace());
        let mut renewal = Renewal::begin(&self.channel, &reader, wall())?;
        loop {
            if let Some(renewal) = &mut renewal {
                let full = self.outlet.status.full.load().is_some();
                renewal.renew(&self.channel, &reader, full, wall()).await?;
            }
            let now = Instant::now();
            if reader.notifications_due(self.channel.name(), 0, 1)?.is_empty() {
                // Who has nothing to tell can't fail.
                self.note(&mut waits, false);
            } else if waits.failing_since.is_some() {
                self.note(&mut waits, true);
            }
            // Who may not be sent more for now doesn't fail.
            let paced = pace.until(now);
            let open = paced.is_none() && waits.is_open(now);
            let next = if open { next(&reader, self.channel.name(), &mut waits)? } else { None };
            if let Some(due) = next {
                pace.sent(now);
                if !self.tell(&due, &mut waits, renewal.as_mut()).await {
                    return Ok(());
                }
                continue;
            }
            if *self.outlet.stop.borrow() {
                return Ok(());
            }
            let others = paced.into_iter().chain(renewal.as_ref().map(|renewal| renewal.due));
            let until = others.fold(waits.until(now), Instant::min);
            tokio::select! {
                changed = self.outlet.news.changed() => if changed.is_err() { return Ok(()) },
                _ = self.outlet.stop.wait_for(|stop| *stop) => {}
                () = sleep_until(until) => {}
            }
        }
    }

    async fn tell(&self, due: &Due, waits: &mut Waits, renewal: Option<&mut Renewal>) -> bool {
        let body: Value = serde_json::from_str(&due.body).unwrap_or_default();
        let at = self.outlet.clock.now().wall;
        let (id, channel) = (due.id.clone(), Box::from(self.channel.name()));
        let mut notes = Batch { at, ..Batch::default() };
        let sent = notify::send(&self.channel, &due.id, &body, wall()).await;
        match sent {
            Sent::Confirmed { status, words } => {
                if let Some(renewal) = renewal {
                    renewal.told(&body, wall());
                }
                let words = format!("{status} {words}");
                notes.receipts.push(Receipt { id, channel, at, words });
                self.outlet.status.notifications_confirmed.fetch_add(1, Ordering::Relaxed);
                waits.channel = None;
                waits.doubted = false;
                let again = waits.refused.remove(&due.id).is_some();
                for refusal in waits.refused.values_mut() {
                    refusal.alone = true;
                    if again {
                        // Refused before and taken now: so may be the others.
                        refusal.until = Instant::now();
                    }
                }
                if waits.failing_since.is_some() {
                    tracing::info!(channel = self.channel.name(), "Notifications go out again.");
                }
                self.note(waits, false);
            }
            Sent::Retry { after, words } => {
                let wait = after.map_or_else(
                    || notify::retry_after(due.attempts),
                    // Never without a pause.
                    |after| after.max(RETRY_FIRST),
                );
                waits.channel = Some(Instant::now() + wait);
                self.failed(due, &words);
                notes.attempts.push(Attempt { id, channel, at, words });
                self.note(waits, true);
            }
            Sent::Refused { status, words } => {
                let Refusal { alone, .. } = waits.refused(&due.id);
                waits.doubted = true;
                let words = status.map_or(words.clone(), |status| format!("{status} {words}"));
                self.failed(due, &format!("{words}; mend the channel's url, secret or template"));
                notes.attempts.push(Attempt { id, channel, at, words });
                if !alone {
                    self.note(waits, true);
                }
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

/// Gives the time by the clock on the wall: receivers know no other.
fn wall() -> Timestamp {
    Clock::real().now().wall
}

/// Gives the first notification that need not wait, however many do that the receiver refuses.
/// Nothing overtakes an earlier change of the same alert. After a refusal the oldest is asked about
/// before anything new: if it is taken now, everything goes in order.
fn next(reader: &Reader, channel: &str, waits: &mut Waits) -> Result<Option<Due>, Error> {
    let (mut after, now) = (0, Instant::now());
    let (mut behind, mut oldest) = (HashSet::new(), None);
    loop {
        let due = reader.notifications_due(channel, after, LOOK)?;
        let Some(last) = due.last() else { return Ok(None) };
        after = last.number;
        for one in due {
            if behind.contains(alert(&one.id)) {
                continue;
            }
            if waits.waits(&one.id, now) {
                behind.insert(alert(&one.id).to_owned());
                oldest.get_or_insert(one);
                continue;
            }
            let ask = waits.doubted && !waits.asked;
            waits.asked = ask && oldest.is_some();
            return Ok(Some(oldest.filter(|_| ask).unwrap_or(one)));
        }
    }
}

/// Gives the alert that a notification is about: its id begins with it.
fn alert(id: &str) -> &str {
    id.split('-').next().unwrap_or(id)
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
        let refusal = Refusal { until: now + RETRY_MAX, alone: false };
        let one = |number: usize| (number.to_string(), refusal);
        waits.refused.extend((1..REFUSED_MAX).map(one));
        assert!(waits.is_open(now));
        waits.refused.extend([one(0)]);
        assert!(!waits.is_open(now) && waits.is_open(now + RETRY_MAX));
        waits.refused.remove("0");
        waits.channel = Some(now + RETRY_MAX);
        assert!(!waits.is_open(now) && waits.is_open(now + RETRY_MAX));
    }

    /// A journal with these notifications.
    fn journal(ids: impl Iterator<Item = String>) -> (TempDir, Reader) {
        let folder = TempDir::new().unwrap();
        let mut journal = Journal::open(&Config::at(folder.path()), Timestamp(0)).unwrap();
        let row = |id| NotificationRow {
            id,
            channels: vec!["duty".into()],
            body: "{}".to_owned(),
            alerts: Vec::new(),
        };
        let notifications = ids.map(row).collect();
        journal.commit(&Batch { notifications, ..Batch::default() }).unwrap();
        let reader = Reader::open(folder.path()).unwrap();
        (folder, reader)
    }

    fn next_id(reader: &Reader, waits: &mut Waits) -> Option<String> {
        next(reader, "duty", waits).unwrap().map(|due| due.id)
    }

    #[test]
    fn many_that_are_refused_keep_no_other_waiting() {
        let (_folder, reader) = journal((0..=2 * LOOK).map(|number| format!("{number}-fired-0")));
        let mut waits = Waits::default();
        (0..2 * LOOK).for_each(|number| {
            waits.refused(&format!("{number}-fired-0"));
        });
        let last = format!("{}-fired-0", 2 * LOOK);
        assert_eq!(next_id(&reader, &mut waits), Some(last.clone()));
        waits.refused(&last);
        assert_eq!(next_id(&reader, &mut waits), None);
    }

    #[test]
    fn an_end_never_overtakes_a_beginning_that_is_refused() {
        let ids = ["1-fired-5", "2-fired-6", "1-resolved-9"].map(str::to_owned);
        let (_folder, reader) = journal(ids.into_iter());
        let mut waits = Waits::default();
        waits.refused("1-fired-5");
        assert_eq!(next_id(&reader, &mut waits).unwrap(), "2-fired-6");
        waits.refused("2-fired-6");
        assert_eq!(next_id(&reader, &mut waits), None);
    }

    #[test]
    fn after_a_refusal_the_oldest_is_asked_about_before_anything_new() {
        let (_folder, reader) = journal(["1-fired-5", "2-fired-6"].map(str::to_owned).into_iter());
        let mut waits = Waits { doubted: true, ..Waits::default() };
        waits.refused("1-fired-5");
        assert_eq!(next_id(&reader, &mut waits).unwrap(), "1-fired-5");
        // Once: it may be its own fault.
        assert_eq!(next_id(&reader, &mut waits).unwrap(), "2-fired-6");
        assert_eq!(next_id(&reader, &mut waits).unwrap(), "1-fired-5");
    }
}
