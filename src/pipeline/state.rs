//! The state that the inputs have made: per station what its datastreams remember, per network
//! which packets may come again. Shared cheaply with views and snapshots: copied where it changes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use minicbor::{Decode, Encode};

use crate::aggregate::counter::Latest;
use crate::aggregate::window::Windows;
pub use crate::alert::desk::{Desk, Held, Silence, Standing, severity};
use crate::alert::lasting::Watched;
use crate::alert::{exceedance, instrument, silence};
use crate::assess;
use crate::basin::Basin;
use crate::decode::Announced;
use crate::domain::alert::{AlertId, Subject, WeirCondition};
use crate::domain::check::CheckSeries;
use crate::domain::evaluation::{Evaluated, Index, Told};
use crate::domain::history::{Entry, History};
use crate::domain::invalidation::Invalidations;
use crate::domain::name::{DatastreamId, DeviceId, NetworkId, RuleId};
use crate::domain::observation::Period;
use crate::domain::registry::Datastream;
use crate::domain::time::{Moment, Timestamp};
use crate::pipeline::backlog::{self, Backlog, Untold};
use crate::pipeline::import::Imported;
use crate::pipeline::late::LateDays;
use crate::pipeline::tally::Tally;
use crate::qc;

/// What one datastream remembers.
#[derive(Clone, PartialEq, Debug, Encode, Decode)]
pub struct StreamState {
    /// The datastream.
    #[n(0)]
    pub id: DatastreamId,
    /// Its observations of the last hours.
    #[n(1)]
    pub history: History,
    /// Its hours.
    #[n(2)]
    pub hours: Windows,
    /// Its last verdicts.
    #[n(3)]
    pub last: assess::Last,
    /// The first reason of its alert about a limit: the shortest period of the rule.
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
    /// Its natural days.
    #[n(10)]
    pub days: Windows,
    /// Its months, quarters and years, once there is one.
    #[n(11)]
    pub longer: Vec<Windows>,
    /// What is remembered of a counter beside its ring.
    #[n(12)]
    pub meter: Option<Box<Latest>>,
    /// What its alert about a limit remembers besides its first reason.
    #[n(13)]
    #[cbor(default)]
    pub further: exceedance::Further,
    /// What quality control remembers of it beside its ring.
    #[n(14)]
    #[cbor(default)]
    pub qc: qc::Memory,
    /// What its flags say of its instrument, while they say anything.
    #[n(15)]
    pub instrument: Option<Box<instrument::Watch>>,
    /// How many values of the last days are flagged.
    #[n(16)]
    #[cbor(default)]
    pub tally: Tally,
    /// What else of it is wrong by a rule.
    #[n(17)]
    #[cbor(default)]
    pub watched: Vec<Watched>,
}

impl StreamState {
    /// Gives when something of it is to be given out next.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        let windows = [&self.hours, &self.days].into_iter().chain(&self.longer);
        windows.filter_map(Windows::due).min()
    }

    /// Reads a little of everything that the next observation will need.
    pub(super) fn touch(&self) -> i64 {
        let newest = self.newest.map_or(0, |newest| newest.time.millis());
        self.silence.heard_ms ^ newest ^ self.history.touch() ^ self.hours.touch()
    }

    pub(super) fn new(id: DatastreamId, heard_ms: i64) -> Self {
        Self {
            id,
            history: History::default(),
            hours: Windows::default(),
            days: Windows::default(),
            longer: Vec::new(),
            meter: None,
            last: assess::Last::default(),
            exceedance: exceedance::State::default(),
            further: exceedance::Further::default(),
            silence: silence::State { heard_ms, firing: None },
            newest: None,
            received: Timestamp::default(),
            qc: qc::Memory::default(),
            tally: Tally::default(),
            exceedance_rule: None,
            silence_rule: None,
            instrument: None,
            watched: Vec::new(),
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
    /// What it came to last, by index and period.
    #[n(4)]
    pub evaluated: Vec<Told>,
    /// Until when the values of the real-time evaluation stand for what is there.
    #[n(5)]
    pub stands_until: Timestamp,
    /// Days of which values came too late, to be recomputed; apart and in order of time.
    #[n(6)]
    #[cbor(default)]
    pub late: Vec<LateDays>,
    /// The parts of tables that were imported.
    #[n(7)]
    #[cbor(default, with = "imported")]
    pub imported: Arc<Imported>,
    /// Checks of its instruments.
    #[n(8)]
    #[cbor(default)]
    pub checks: Vec<CheckSeries>,
    /// When the last backlog of it was delivered: what it said of times before was kept until then.
    #[n(9)]
    #[cbor(default)]
    pub kept_until: Timestamp,
}

/// Writes and reads what a clone shares.
mod imported {
    use minicbor::decode::{Decoder, Error};
    use minicbor::encode::{self, Encoder, Write};

    use super::{Arc, Imported};

    pub(super) fn encode<C, W: Write>(
        imported: &Arc<Imported>,
        out: &mut Encoder<W>,
        context: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        minicbor::Encode::encode(&**imported, out, context)
    }

    pub(super) fn decode<C>(
        input: &mut Decoder<'_>,
        context: &mut C,
    ) -> Result<Arc<Imported>, Error> {
        minicbor::Decode::decode(input, context).map(Arc::new)
    }
}

/// A packet whose ack the broker may not have seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
struct Suspect {
    #[n(0)]
    packet_id: u16,
    #[n(1)]
    digest: (u64, u64),
    #[n(2)]
    ordinal: u64,
}

/// How many suspect packets of one broker are remembered: as many as there are packet ids.
const SUSPECTS_MAX: usize = 65_535;

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
    /// Packets that are suspect, in the order of their arrival. The last of an id counts: those
    /// before it are of an id that was used again.
    #[n(3)]
    suspects: VecDeque<Suspect>,
    /// When it delivered something last, in elapsed milliseconds.
    #[n(4)]
    heard_ms: Option<i64>,
    /// When it was back after it had been away for long: what is older comes of its backlog.
    #[n(5)]
    back_at: Option<Timestamp>,
}

impl NetworkState {
    pub(super) fn connect(&mut self, at: Moment) {
        self.connected_since_ms = Some(at.elapsed_ms);
        if self.heard_ms.is_some_and(|heard| at.elapsed_ms - heard >= backlog::AWAY_MS) {
            self.back_at = Some(at.wall);
        }
    }

    /// Notes that it delivers something, which may be of its backlog.
    pub(super) fn hear(&mut self, now: Moment) -> Option<Backlog> {
        self.heard_ms = Some(now.elapsed_ms);
        self.back_at.map(|until| Backlog { now, until })
    }

    pub(super) fn settle(&mut self, ordinal: u64) {
        while self.suspects.front().is_some_and(|suspect| suspect.ordinal <= ordinal) {
            self.suspects.pop_front();
        }
    }

    /// Notes a packet and gives its ordinal.
    pub(super) fn note(&mut self, packet_id: u16, digest: (u64, u64)) -> u64 {
        self.ordinal += 1;
        if self.suspects.len() >= SUSPECTS_MAX {
            self.suspects.pop_front();
        }
        self.suspects.push_back(Suspect { packet_id, digest, ordinal: self.ordinal });
        self.ordinal
    }

    /// Says whether a packet that may be a repetition was committed before.
    pub(super) fn is_repeated(&self, packet_id: u16, digest: (u64, u64)) -> bool {
        let last = self.suspects.iter().rev().find(|suspect| suspect.packet_id == packet_id);
        last.is_some_and(|suspect| suspect.digest == digest)
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
    /// Alerts that fired in a backlog and are not told yet.
    pub untold: BTreeMap<DatastreamId, Untold>,
    /// Alerts about instruments and indices that did.
    pub untold_faults: BTreeMap<AlertId, Untold>,
    /// What sets of stations and places came to last.
    pub evaluated: Arc<BTreeMap<Evaluated, Vec<Told>>>,
    /// What of that is bad by a rule.
    pub indexed: BTreeMap<(Evaluated, Index, Period), Watched>,
    /// What devices announced of themselves.
    pub announced: Arc<Announced>,
    /// Devices that are gone, as they or their broker said, since when in elapsed milliseconds.
    pub gone: BTreeMap<DeviceId, i64>,
    /// Gateways and networks that are told to be silent as a whole.
    pub quiet: BTreeMap<Subject, silence::Quiet>,
    /// The number of the last alert.
    pub alerts: u64,
    /// What is said of spans of values.
    pub invalidations: Arc<Invalidations>,
    /// What persons did with alerts, and what was told of them.
    pub desk: Arc<Desk>,
}

impl State {
    /// Gives what a datastream remembers.
    #[must_use]
    pub fn stream(&self, datastream: &Datastream) -> Option<&StreamState> {
        let station = self.stations.get(datastream.station.index())?.as_ref()?;
        station.streams.get(usize::from(datastream.slot))
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_packets_are_in_doubt_as_there_are_ids() {
        let mut network = NetworkState::default();
        for packet_id in 1..=u16::MAX {
            network.note(packet_id, (u64::from(packet_id), 0));
        }
        assert_eq!(network.suspects.len(), SUSPECTS_MAX);
        assert!(network.is_repeated(1, (1, 0)));
        network.note(1, (9, 9));
        assert_eq!(network.suspects.len(), SUSPECTS_MAX);
        assert!(!network.is_repeated(1, (1, 0)) && network.is_repeated(1, (9, 9)));
        assert!(network.is_repeated(2, (2, 0)), "the others are still there");
    }
}
