//! The state that the inputs have made: per station what its datastreams remember, per network
//! which packets may come again. Shared cheaply with views and snapshots: copied where it changes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use minicbor::{Decode, Encode};

use crate::aggregate::hour::Hours;
use crate::alert::{exceedance, silence};
use crate::assess;
use crate::basin::Basin;
use crate::domain::alert::{AlertId, WeirCondition};
use crate::domain::history::{Entry, History};
use crate::domain::name::{DatastreamId, NetworkId, RuleId};
use crate::domain::time::Timestamp;

/// What one datastream remembers.
#[derive(Clone, PartialEq, Debug, Encode, Decode)]
pub struct StreamState {
    /// The datastream.
    #[n(0)]
    pub id: DatastreamId,
    /// Its observations of the last hours.
    #[n(1)]
    pub history: History,
    /// Its hour sums.
    #[n(2)]
    pub hours: Hours,
    /// Its last verdicts.
    #[n(3)]
    pub last: assess::Last,
    /// Its alert about a limit.
    #[n(4)]
    pub exceedance: exceedance::State,
    /// Its alert about silence.
    #[n(5)]
    pub silence: silence::State,
    /// Its newest observation.
    #[n(6)]
    pub newest: Option<Entry>,
    /// When that arrived, by the wall.
    #[n(7)]
    pub received: Timestamp,
    /// The rule by which its exceedance fires, so that an edition can withdraw it.
    #[n(8)]
    pub exceedance_rule: Option<RuleId>,
    /// The rule by which its silence fires.
    #[n(9)]
    pub silence_rule: Option<RuleId>,
}

impl StreamState {
    pub(super) fn new(id: DatastreamId, heard_ms: i64) -> Self {
        Self {
            id,
            history: History::default(),
            hours: Hours::default(),
            last: assess::Last::default(),
            exceedance: exceedance::State::default(),
            silence: silence::State { heard_ms, firing: None },
            newest: None,
            received: Timestamp::default(),
            exceedance_rule: None,
            silence_rule: None,
        }
    }
}

/// What one station remembers.
#[derive(Clone, PartialEq, Debug, Default, Encode, Decode)]
pub struct StationState {
    /// Its datastreams, in the slots of the edition in force.
    #[n(0)]
    pub streams: Vec<StreamState>,
    /// The alert about its silence as a whole.
    #[n(1)]
    pub silence: silence::State,
    /// When it last spoke again after a silence, in elapsed milliseconds.
    #[n(2)]
    pub resumed_ms: i64,
    /// The rule by which its silence fires.
    #[n(3)]
    pub silence_rule: Option<RuleId>,
}

/// A packet whose ack the broker may not have seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub(super) struct Suspect {
    #[n(0)]
    pub(super) digest: (u64, u64),
    #[n(1)]
    pub(super) ordinal: u64,
}

/// What is remembered of one broker.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct NetworkState {
    /// Since when its session is up, in elapsed milliseconds.
    #[n(0)]
    pub connected_since_ms: Option<i64>,
    /// Since when it is away, in elapsed milliseconds.
    #[n(1)]
    pub away_since_ms: Option<i64>,
    /// How many acknowledged messages it delivered.
    #[n(2)]
    pub ordinal: u64,
    /// Packet ids that are suspect; at most the 65,535 that there are.
    #[n(3)]
    pub(super) suspects: HashMap<u16, Suspect>,
}

impl NetworkState {
    pub(super) fn settle(&mut self, ordinal: u64) {
        self.suspects.retain(|_, suspect| suspect.ordinal > ordinal);
    }
}

/// All state.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Stations by id; an id that the edition does not have is empty.
    pub stations: Vec<Option<Arc<StationState>>>,
    /// Networks by id.
    pub networks: Vec<NetworkState>,
    /// What spans stations.
    pub basin: Basin,
    /// Alerts about weir itself that fire, and since when.
    pub weir: BTreeMap<(WeirCondition, Option<NetworkId>), (AlertId, Timestamp)>,
    /// The number of the last alert.
    pub alerts: u64,
}

impl State {
    /// Gives the number of an alert that begins to fire.
    pub(super) fn fresh_alert(&mut self) -> AlertId {
        self.alerts += 1;
        AlertId(self.alerts)
    }

    /// Gives the state of a network, made at first sight.
    pub(super) fn network(&mut self, id: NetworkId) -> &mut NetworkState {
        let index = id.index();
        if self.networks.len() <= index {
            self.networks.resize_with(index + 1, NetworkState::default);
        }
        // The line above made the place.
        #[expect(clippy::indexing_slicing, reason = "resized to hold the index just above")]
        &mut self.networks[index]
    }
}
