//! What the parts of the daemon tell of themselves: numbers for metrics, states for the page.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::Notify;
use tokio::time::{Duration, Instant, sleep};

use crate::daemon::pulse::Pulse;
use crate::domain::evaluation::{Evaluated, Told};
use crate::domain::invalidation::Invalidations;
use crate::domain::name::DeviceId;
use crate::domain::registry::Registry;
use crate::domain::time::{Moment, Timestamp};
use crate::mqtt::outbox::Outbox;
use crate::pipeline::state::{Desk, NetworkState, StationState};

/// How long the next view is waited for, and how often it is looked for. One is there each second.
const LOOK_MAX: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// An immutable view of the pipeline's state, made once a second.
#[derive(Clone, Debug)]
pub struct View {
    /// When it was made.
    pub at: Moment,
    /// The edition in force.
    pub registry: Arc<Registry>,
    /// The stations, by id.
    pub stations: Vec<Option<Arc<StationState>>>,
    /// The networks, by id.
    pub networks: Vec<NetworkState>,
    /// What sets of stations and places came to last.
    pub evaluated: Arc<BTreeMap<Evaluated, Vec<Told>>>,
    /// What persons say of values.
    pub invalidations: Arc<Invalidations>,
    /// What persons did with alerts, and what was told of them.
    pub desk: Arc<Desk>,
    /// Devices that are gone, as they or their broker said, since when in elapsed milliseconds.
    pub gone: BTreeMap<DeviceId, i64>,
}

/// The daemon's own state, written by its parts and read by metrics and page.
#[derive(Debug, Default)]
pub struct Status {
    /// The newest view.
    pub view: ArcSwapOption<View>,
    /// Why nothing is acknowledged, if so.
    pub full: ArcSwapOption<String>,
    /// Journals that were damaged and set aside, as long as they lie in the data folder.
    pub set_aside: ArcSwap<Vec<PathBuf>>,
    /// What is wrong with the database, if anything.
    pub sink_fault: ArcSwapOption<String>,
    /// Batches committed.
    pub commits: AtomicU64,
    /// Time spent in commits, us.
    pub commit_micros: AtomicU64,
    /// Points that the database took.
    pub points_delivered: AtomicU64,
    /// Notifications confirmed by their channel.
    pub notifications_confirmed: AtomicU64,
    /// Notifications that could not be given to their channel, attempts.
    pub notifications_failed: AtomicU64,
    /// When the threads last showed that they live.
    pub pulse: Pulse,
    /// Beats of the dead man's switch that were taken.
    pub beats_taken: AtomicU64,
    /// Beats that could not be given, attempts.
    pub beats_failed: AtomicU64,
    /// Whether the daemon is stopping.
    pub stopping: AtomicBool,
    /// A broker has shown a certificate.
    pub certificate_shown: Notify,
    brokers: Mutex<Vec<Broker>>,
    channels: Mutex<Channels>,
}

/// Which channels of notification fail. One alert stands for all of them.
#[derive(Debug, Default)]
struct Channels {
    /// Those that fail, and after a start those of which nothing is known yet: an alert that was
    /// firing then ends only when each of them is known to work.
    failing: BTreeSet<String>,
    /// What was said last; nothing since the start.
    said: Option<bool>,
}

/// A broker's connection.
#[derive(Clone, Debug, Default)]
pub struct Broker {
    /// The network's name.
    pub network: String,
    /// What is wrong; `None` while it is connected.
    pub fault: Option<String>,
    /// Filters that it refuses, each with its reason.
    pub refused: Vec<(String, String)>,
    /// How many messages it says it has dropped, of all its clients together.
    pub dropped: Option<u64>,
    /// When the certificate ends that it shows.
    pub certificate_ends: Option<Timestamp>,
    /// The way of replies to its devices, and what became of them.
    pub replies: Outbox,
}

impl Status {
    /// Waits for the next view, so that a person sees what they did; not for ever.
    pub async fn looked_again(&self) {
        let (begun, before) = (Instant::now(), self.view.load_full());
        let is_old = || match (&*self.view.load(), &before) {
            (Some(now), Some(before)) => Arc::ptr_eq(now, before),
            (now, before) => now.is_none() && before.is_none(),
        };
        while is_old() && begun.elapsed() < LOOK_MAX {
            sleep(LOOK_EVERY).await;
        }
    }

    /// Notes the state of a broker's connection.
    pub fn broker(&self, network: &str, fault: Option<String>) {
        self.with_broker(network, |broker| broker.fault = fault);
    }

    /// Notes which filters a broker refuses; says whether it refused some before.
    pub fn refused(&self, network: &str, refused: &[(String, String)]) -> bool {
        self.with_broker(network, |broker| {
            !std::mem::replace(&mut broker.refused, refused.to_vec()).is_empty()
        })
    }

    /// Notes the way of replies to the devices of a broker.
    pub fn replies_through(&self, network: &str, outbox: Outbox) {
        self.with_broker(network, |broker| broker.replies = outbox);
    }

    /// Notes how many messages a broker says it has dropped; gives what it said before.
    pub fn dropped(&self, network: &str, count: u64) -> Option<u64> {
        self.with_broker(network, |broker| broker.dropped.replace(count))
    }

    /// Notes when the certificate ends that a broker shows.
    pub fn shows(&self, network: &str, certificate_ends: Option<Timestamp>) {
        self.with_broker(network, |broker| broker.certificate_ends = certificate_ends);
        self.certificate_shown.notify_one();
    }

    fn with_broker<T>(&self, network: &str, change: impl FnOnce(&mut Broker) -> T) -> T {
        let mut brokers = self.brokers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(broker) = brokers.iter_mut().find(|broker| broker.network == network) {
            return change(broker);
        }
        let mut broker = Broker { network: network.to_owned(), ..Broker::default() };
        let changed = change(&mut broker);
        brokers.push(broker);
        changed
    }

    /// Notes a channel of which nothing is known yet.
    pub fn channel_begins(&self, channel: &str) {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        channels.failing.insert(channel.to_owned());
    }

    /// Notes whether a channel fails; gives what is to be said of all of them, if it is news.
    pub fn channel(&self, channel: &str, fails: bool) -> Option<bool> {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        if fails {
            channels.failing.insert(channel.to_owned());
        } else {
            channels.failing.remove(channel);
        }
        if !fails && !channels.failing.is_empty() {
            return None;
        }
        (channels.said.replace(fails) != Some(fails)).then_some(fails)
    }

    /// Gives the brokers.
    #[must_use]
    pub fn brokers(&self) -> Vec<Broker> {
        self.brokers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_fail_while_one_of_them_does() {
        let status = Status::default();
        ["a", "b"].into_iter().for_each(|name| status.channel_begins(name));
        assert_eq!(status.channel("a", true), Some(true));
        assert_eq!(status.channel("b", true), None);
        assert_eq!(status.channel("a", false), None);
        assert_eq!(status.channel("b", false), Some(false));
        assert_eq!(status.channel("b", false), None);
    }

    #[test]
    fn after_a_start_channels_work_once_each_of_them_did() {
        let status = Status::default();
        ["a", "b"].into_iter().for_each(|name| status.channel_begins(name));
        assert_eq!(status.channel("a", false), None);
        assert_eq!(status.channel("b", false), Some(false));
        assert_eq!(status.channel("a", true), Some(true));
    }
}
