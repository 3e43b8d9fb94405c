//! The state as bytes, and back: a slice a station and a closing part. Self-describing (CBOR with
//! numbered fields), because the next release must read what this one wrote.

use std::collections::BTreeMap;
use std::sync::Arc;

use minicbor::{Decode, Encode};

use crate::alert::desk::Desk;
use crate::alert::lasting::Watched;
use crate::alert::silence::Quiet;
use crate::basin::Basin;
use crate::decode::Announced;
use crate::domain::alert::{AlertId, Subject, WeirCondition};
use crate::domain::evaluation::{Evaluated, Index, Told};
use crate::domain::invalidation::{Invalidation, Invalidations, Word};
use crate::domain::name::{DatastreamId, DeviceId, NetworkId};
use crate::domain::observation::Period;
use crate::domain::registry::Registry;
use crate::domain::time::{Moment, Timestamp};
use crate::pipeline::backlog::Untold;
use crate::pipeline::covered::Covered;
use crate::pipeline::state::{NetworkState, State, StationState};
use crate::pipeline::{Pipeline, Processed};

/// Everything but the stations.
#[derive(Clone, Debug, Encode, Decode)]
struct Closing {
    #[n(0)]
    networks: Vec<NetworkState>,
    #[n(1)]
    basin: Basin,
    #[n(2)]
    weir: BTreeMap<(WeirCondition, Option<NetworkId>), (AlertId, Timestamp)>,
    #[n(3)]
    alerts: u64,
    #[n(4)]
    edition: String,
    #[n(5)]
    at: Moment,
    #[n(6)]
    untold: BTreeMap<DatastreamId, Untold>,
    #[n(7)]
    evaluated: BTreeMap<Evaluated, Vec<Told>>,
    #[n(8)]
    #[cbor(default)]
    untold_faults: BTreeMap<AlertId, Untold>,
    #[n(9)]
    #[cbor(default)]
    invalidations: Invalidations,
    #[n(10)]
    #[cbor(default)]
    announced: Announced,
    #[n(11)]
    #[cbor(default)]
    gone: BTreeMap<DeviceId, i64>,
    /// None where a release without a desk wrote it.
    #[n(12)]
    #[cbor(default)]
    desk: Option<Desk>,
    #[n(13)]
    #[cbor(default)]
    quiet: BTreeMap<Subject, Quiet>,
    #[n(14)]
    #[cbor(default)]
    indexed: BTreeMap<(Evaluated, Index, Period), Watched>,
}

/// What can't be read back.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes are not those of a snapshot.
    #[error("snapshot can't be read: {0}")]
    Damaged(#[from] minicbor::decode::Error),
    /// A station that the edition does not have.
    #[error("snapshot has a station {0}, which its edition does not have")]
    Station(u32),
}

/// A snapshot's closing part, read: which edition it was made under, and when.
#[derive(Clone, Debug)]
pub struct Header {
    /// The digest of the edition.
    pub edition: String,
    /// The moment of the last input in it.
    pub at: Moment,
}

/// Writes one station.
#[must_use]
pub fn slice(station: &StationState) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing into memory can't fail.
    minicbor::encode(station, &mut bytes).unwrap_or_default();
    bytes
}

/// Writes the closing part.
#[must_use]
pub fn closing(state: &State, edition: &str, at: Moment) -> Vec<u8> {
    let closing = Closing {
        networks: state.networks.clone(),
        basin: state.basin.clone(),
        weir: state.weir.clone(),
        alerts: state.alerts,
        edition: edition.to_owned(),
        at,
        untold: state.untold.clone(),
        untold_faults: state.untold_faults.clone(),
        evaluated: BTreeMap::clone(&state.evaluated),
        invalidations: Invalidations::clone(&state.invalidations),
        announced: Announced::clone(&state.announced),
        gone: state.gone.clone(),
        desk: Some(Desk::clone(&state.desk)),
        indexed: state.indexed.clone(),
        quiet: state.quiet.clone(),
    };
    let mut bytes = Vec::new();
    minicbor::encode(closing, &mut bytes).unwrap_or_default();
    bytes
}

/// Reads what a snapshot was made under.
///
/// # Errors
/// The bytes are not a closing part.
pub fn header(closing: &[u8]) -> Result<Header, Error> {
    let closing: Closing = minicbor::decode(closing)?;
    Ok(Header { edition: closing.edition, at: closing.at })
}

/// Reads what devices had announced, for messages of another time.
///
/// # Errors
/// The bytes are not a closing part.
pub fn announced(closing: &[u8]) -> Result<Announced, Error> {
    let closing: Closing = minicbor::decode(closing)?;
    Ok(closing.announced.of_another_time())
}

/// Begins a pipeline aside, for messages of another time: it knows what devices had announced by a
/// snapshot of after that, and what persons had said of values before.
///
/// # Errors
/// The bytes are not a closing part.
pub fn aside(
    registry: &Arc<Registry>,
    at: Moment,
    closing: Option<&[u8]>,
) -> Result<Pipeline, Error> {
    let mut pipeline = Pipeline::new(Arc::clone(registry), at);
    let Some(closing) = closing else { return Ok(pipeline) };
    let closing: Closing = minicbor::decode(closing)?;
    pipeline.state.announced = Arc::new(closing.announced.of_another_time());
    let before = |word: &Word| word.at.elapsed_ms < at.elapsed_ms;
    let mut said = Invalidations::default();
    for one in closing.invalidations.iter().filter(|one| before(&one.said)) {
        let revoked = one.revoked.clone().filter(before);
        said.add(Invalidation { revoked, ..one.clone() });
    }
    pipeline.state.invalidations = Arc::new(said);
    Ok(pipeline)
}

/// Puts a pipeline back into the state of a snapshot, under the edition it was made under.
///
/// # Errors
/// A part can't be read.
pub fn restore(
    registry: &Arc<Registry>,
    slices: &[(u32, Vec<u8>)],
    closing: &[u8],
) -> Result<Pipeline, Error> {
    let closing: Closing = minicbor::decode(closing)?;
    let mut pipeline = Pipeline::new(Arc::clone(registry), closing.at);
    for (station, bytes) in slices {
        let state: StationState = minicbor::decode(bytes)?;
        // The edition is the snapshot's own, so it has every station of it.
        let place = pipeline.state.stations.get_mut(*station as usize);
        *place.ok_or(Error::Station(*station))? = Some(Arc::new(state));
    }
    pipeline.state.networks = closing.networks;
    pipeline.state.basin = closing.basin;
    pipeline.state.weir = closing.weir;
    pipeline.state.alerts = closing.alerts;
    pipeline.adopt(registry, closing.at, &mut Processed::default());
    // Another edition would have told them.
    pipeline.state.untold = closing.untold;
    pipeline.state.untold_faults = closing.untold_faults;
    pipeline.state.evaluated = Arc::new(closing.evaluated);
    pipeline.state.indexed = closing.indexed;
    pipeline.state.invalidations = Arc::new(closing.invalidations);
    pipeline.state.announced = Arc::new(closing.announced);
    pipeline.state.gone = closing.gone;
    pipeline.state.quiet = closing.quiet;
    pipeline.covered = Covered::default();
    let desk = closing.desk.unwrap_or_else(|| {
        Desk::beginning(registry, &pipeline.firing(registry, closing.at), closing.at)
    });
    pipeline.state.desk = Arc::new(desk);
    Ok(pipeline)
}
