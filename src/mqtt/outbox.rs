//! Replies to devices on their way: from the commit of what they answer to the connection that is
//! up then. They outlive a connection, but not the patience of the device that waits for them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::domain::reply::Reply;

/// How many replies of one broker may wait; for one more the oldest is dropped, whose device will
/// ask again first.
pub const REPLIES_MAX: usize = 1_000;
/// How long after the message that caused it a reply is still sent. HJ 212 waits 10 s and asks
/// three times more; a later answer is to nobody's question.
pub const EXPIRES_AFTER: Duration = Duration::from_secs(30);
/// The longest topic that MQTT can write, bytes.
const TOPIC_BYTES_MAX: usize = 65_535;

/// A reply and until when it is worth sending.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outgoing {
    pub(super) reply: Reply,
    until: Instant,
}

impl Outgoing {
    /// Takes a reply to a message that was taken in now.
    #[must_use]
    pub fn new(reply: Reply, now: Instant) -> Self {
        Self { reply, until: now + EXPIRES_AFTER }
    }
}

/// What became of replies.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Replied {
    /// Written to the broker.
    pub sent: u64,
    /// Too old when a connection could have taken them.
    pub expired: u64,
    /// Too many at once, or to no topic of MQTT.
    pub dropped: u64,
}

/// Where the replies of one broker wait; from any thread.
#[derive(Clone, Debug, Default)]
pub struct Outbox(Arc<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    replies: Mutex<VecDeque<Outgoing>>,
    came: Notify,
    sent: AtomicU64,
    expired: AtomicU64,
    dropped: AtomicU64,
}

impl Outbox {
    /// Takes a reply whose cause is committed.
    pub fn put(&self, outgoing: Outgoing) {
        let topic = &outgoing.reply.topic;
        if topic.is_empty() || topic.len() > TOPIC_BYTES_MAX || topic.contains(['+', '#', '\0']) {
            return self.drop_one();
        }
        let mut replies = self.0.replies.lock().unwrap_or_else(PoisonError::into_inner);
        if replies.len() >= REPLIES_MAX {
            replies.pop_front();
            self.drop_one();
        }
        replies.push_back(outgoing);
        drop(replies);
        self.0.came.notify_one();
    }

    /// Counts a reply for which there was no room.
    pub fn drop_one(&self) {
        self.0.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// Tells what became of replies since the start.
    #[must_use]
    pub fn replied(&self) -> Replied {
        let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
        Replied {
            sent: count(&self.0.sent),
            expired: count(&self.0.expired),
            dropped: count(&self.0.dropped),
        }
    }

    /// Gives the next reply that is still worth sending, and counts it as sent.
    pub(super) fn next(&self, now: Instant) -> Option<Reply> {
        let mut replies = self.0.replies.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(Outgoing { reply, until }) = replies.pop_front() {
            if now < until {
                self.0.sent.fetch_add(1, Ordering::Relaxed);
                return Some(reply);
            }
            self.0.expired.fetch_add(1, Ordering::Relaxed);
        }
        None
    }

    /// Waits until replies are put in, or were since the last time.
    pub(super) async fn came(&self) {
        self.0.came.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::name::NetworkId;

    fn reply(topic: &str) -> Reply {
        Reply { network: NetworkId(0), topic: topic.into(), payload: Box::from(*b"PW=123456") }
    }

    #[track_caller]
    fn check(outbox: &Outbox, sent: u64, expired: u64, dropped: u64) {
        assert_eq!(outbox.replied(), Replied { sent, expired, dropped });
    }

    #[test]
    fn a_reply_is_sent_within_thirty_seconds_or_not_at_all() {
        let (outbox, now) = (Outbox::default(), Instant::now());
        for topic in ["a", "b"] {
            outbox.put(Outgoing::new(reply(topic), now));
        }
        let just = now + EXPIRES_AFTER - Duration::from_millis(1);
        assert_eq!(outbox.next(just), Some(reply("a")));
        assert_eq!(outbox.next(now + EXPIRES_AFTER), None);
        check(&outbox, 1, 1, 0);
    }

    #[test]
    fn beyond_so_many_the_oldest_is_dropped() {
        let (outbox, now) = (Outbox::default(), Instant::now());
        for number in 0..=REPLIES_MAX {
            outbox.put(Outgoing::new(reply(&number.to_string()), now));
        }
        check(&outbox, 0, 0, 1);
        assert_eq!(outbox.next(now), Some(reply("1")));
    }

    #[test]
    fn what_is_no_topic_reaches_no_broker() {
        let outbox = Outbox::default();
        for topic in ["", "a/+", "#", "a\0", &"x".repeat(TOPIC_BYTES_MAX + 1)] {
            outbox.put(Outgoing::new(reply(topic), Instant::now()));
        }
        check(&outbox, 0, 0, 5);
    }

    #[test]
    fn no_log_line_shows_what_a_device_is_told() {
        let shown = format!("{:?}", Outgoing::new(reply("a"), Instant::now()));
        assert!(!shown.contains("123456") && shown.contains("bytes: 9"), "{shown}");
    }
}
