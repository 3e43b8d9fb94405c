//! What is remembered of an edge node: what it and its devices announced, how far it has counted
//! its messages, and whether it was asked to announce itself anew.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};

use crate::decode::sparkplug_b::metric::Metric;
use crate::decode::sparkplug_b::{Address, Envelope, Kind, is_control, metrics};
use crate::domain::name::NetworkId;
use crate::domain::reject::Reason;
use crate::domain::time::{SECOND, Timestamp};

/// How many metrics of one device or edge node are remembered.
pub(super) const METRICS_MAX: usize = 2_000;
/// How long the name or the unit of a metric may be to be remembered.
pub(super) const NAME_BYTES_MAX: usize = 256;
/// How long a node has for its birth before it is asked again, ms [M].
pub(super) const ASK_AGAIN_MS: i64 = 30 * SECOND;

/// What a birth says of one metric.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub(super) struct Known {
    #[n(0)]
    pub(super) name: Box<str>,
    #[n(1)]
    pub(super) alias: Option<u64>,
    #[n(2)]
    pub(super) datatype: u32,
    #[n(3)]
    pub(super) unit: Option<Box<str>>,
}

/// What an edge node and its devices announced.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct Node {
    /// The number of its session, by which its death is told from that of an earlier one.
    #[n(0)]
    session: Option<u64>,
    /// By device, "" being the node itself: its metrics.
    #[n(1)]
    pub(super) born: BTreeMap<Box<str>, Vec<Known>>,
    /// The number of its last message; nothing where that is not known.
    #[n(2)]
    #[cbor(default)]
    seq: Option<u8>,
    /// Those whose birth may have been followed by another one that was lost.
    #[n(3)]
    #[cbor(default)]
    doubted: BTreeSet<Box<str>>,
    /// When it was asked last to be born again.
    #[n(4)]
    #[cbor(default)]
    asked: Option<Timestamp>,
}

/// What edge nodes announced, by network and `group/node`.
pub type Nodes = BTreeMap<(NetworkId, Box<str>), Node>;

impl Node {
    /// Gives what is known of the metrics of a device, if nothing after its birth was lost.
    pub(super) fn known(&self, device: &str) -> &[Known] {
        let known = self.born.get(device).filter(|_| !self.doubted.contains(device));
        known.map_or(&[], Vec::as_slice)
    }

    /// Notes the number of a message; says whether one before it is missing. What is missing may
    /// be a birth, so what was announced is in doubt from then on. The same number again is the
    /// same message again.
    pub(super) fn follow(&mut self, seq: Option<u64>) -> bool {
        let Some(seq) = seq.and_then(|seq| u8::try_from(seq).ok()) else { return false };
        let last = self.seq.replace(seq);
        let gap = last.is_some_and(|last| seq != last && seq != last.wrapping_add(1));
        if gap {
            self.doubted = self.born.keys().cloned().collect();
        }
        gap
    }

    /// Forgets how far it has counted, and what is in doubt for that.
    pub(in crate::decode) fn lose_count(&mut self) {
        self.seq = None;
        self.doubted.clear();
    }

    /// Takes a birth: of a node it ends what its devices announced, since they are born anew.
    pub(super) fn be_born(
        &mut self,
        address: Address<'_>,
        payload: &[u8],
        envelope: Envelope,
    ) -> Result<(), Reason> {
        let mut born = Vec::new();
        metrics(payload, |read| {
            let Ok(Metric { name: Some(name), alias, datatype, unit, .. }) = read else {
                return Ok(());
            };
            if born.len() < METRICS_MAX && name.len() <= NAME_BYTES_MAX && !is_control(name) {
                let unit = unit.filter(|unit| unit.len() <= NAME_BYTES_MAX).map(Box::from);
                born.push(Known { name: name.into(), alias, datatype, unit });
            }
            Ok(())
        })?;
        if address.device.is_empty() {
            self.born.clear();
            self.session = envelope.session;
            self.lose_count();
            self.follow(envelope.seq);
        }
        self.doubted.remove(address.device);
        self.born.insert(address.device.into(), born);
        Ok(())
    }

    /// Says whether another session has followed the one that a death of the node is of.
    pub(super) fn outlived(&self, envelope: Envelope) -> bool {
        self.session.is_some() && envelope.session.is_some() && self.session != envelope.session
    }

    /// Takes a death, and gives what had been announced. The last will of a session that another
    /// has followed says nothing.
    pub(super) fn die(&mut self, address: Address<'_>, envelope: Envelope) -> Option<Vec<Known>> {
        if !address.device.is_empty() {
            return self.born.remove(address.device);
        }
        if self.outlived(envelope) {
            return None;
        }
        self.lose_count();
        let born = self.born.remove("");
        self.born.clear();
        born
    }

    /// Takes in what a message says of the node alone: one of a device, or of the node itself,
    /// that the seeds don't know.
    pub(super) fn overhear(&mut self, address: Address<'_>, payload: &[u8], envelope: Envelope) {
        match (address.kind, address.device) {
            // A birth that can't be read announces nothing, and was counted.
            (Kind::Birth, "") => self.be_born(address, payload, envelope).unwrap_or_default(),
            (Kind::Death, "") => {
                self.die(address, envelope);
            }
            (Kind::Birth | Kind::Data | Kind::Death, _) => {
                self.follow(envelope.seq);
            }
            (Kind::OfHosts, _) => {}
        }
    }

    /// Says whether it may be asked to be born again, and notes that it is. Who was asked just now
    /// may be about to answer.
    pub(super) fn ask(&mut self, now: Timestamp) -> bool {
        let may = self.asked.is_none_or(|asked| now.since(asked).abs() >= ASK_AGAIN_MS);
        if may {
            self.asked = Some(now);
        }
        may
    }
}
