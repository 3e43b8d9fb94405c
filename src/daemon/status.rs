//! What the parts of the daemon tell of themselves: numbers for metrics, states for the page.

use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;

use crate::domain::registry::Registry;
use crate::domain::time::Moment;
use crate::pipeline::state::{NetworkState, StationState};

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
}

/// The daemon's own state, written by its parts and read by metrics and page.
#[derive(Debug, Default)]
pub struct Status {
    /// The newest view.
    pub view: ArcSwapOption<View>,
    /// Why nothing is acknowledged, if so.
    pub full: ArcSwapOption<String>,
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
    /// Whether the daemon is stopping.
    pub stopping: AtomicBool,
    /// Whether the committer asks for a snapshot, because much came since the last one.
    pub snapshot_wanted: AtomicBool,
    brokers: Mutex<Vec<Broker>>,
}

/// A broker's connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broker {
    /// The network's name.
    pub network: String,
    /// What is wrong; `None` while it is connected.
    pub fault: Option<String>,
}

impl Status {
    /// Notes the state of a broker's connection.
    pub fn broker(&self, network: &str, fault: Option<String>) {
        let mut brokers = self.brokers.lock().unwrap_or_else(PoisonError::into_inner);
        match brokers.iter_mut().find(|broker| broker.network == network) {
            Some(broker) => broker.fault = fault,
            None => brokers.push(Broker { network: network.to_owned(), fault }),
        }
    }

    /// Gives the brokers.
    #[must_use]
    pub fn brokers(&self) -> Vec<Broker> {
        self.brokers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
