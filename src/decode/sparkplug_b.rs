//! Sparkplug B (specification 3.0.0): births announce the metrics of an edge node and its devices,
//! data messages name them by alias, deaths end them. What was announced is remembered for devices
//! of the seeds, as long as it may be needed to read what follows.

mod metric;
mod node;
mod rebirth;
mod wire;

use std::sync::Arc;

use self::metric::{Metric, Value};
use self::node::Known;
pub use self::node::{Node, Nodes};
use self::wire::{Fault, Fields};
use crate::decode::named::{Readings, Said};
use crate::decode::{Announced, Context, Decoded};
use crate::domain::name::NetworkId;
use crate::domain::observation::{NilReason, ObservationResult};
use crate::domain::reject::Reason;
use crate::domain::time::Timestamp;

/// The format as it is named to people.
const FORMAT: &str = "Sparkplug B";
/// Metrics that are commands to the device or count its sessions, and no readings.
const CONTROLS: [&str; 3] = ["bdSeq", "Node Control/", "Device Control/"];

/// What a topic says: `spBv1.0/group/kind/node/device`.
#[derive(Clone, Copy, Debug)]
struct Address<'a> {
    kind: Kind,
    group: &'a str,
    node: &'a str,
    /// "" for the node itself.
    device: &'a str,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Birth,
    Data,
    Death,
    /// What a host sends: commands and its state.
    OfHosts,
}

impl<'a> Address<'a> {
    fn read(topic: &'a str) -> Result<Self, Reason> {
        let words: Vec<&str> = topic.split('/').collect();
        let (group, kind, node, device) = match *words.as_slice() {
            [_, group, kind, node] => (group, kind, node, ""),
            [_, group, kind, node, device] => (group, kind, node, device),
            _ => return Err(malformed("a topic of other than four or five levels")),
        };
        let kind = match (kind, device.is_empty()) {
            ("NBIRTH", true) | ("DBIRTH", false) => Kind::Birth,
            ("NDATA", true) | ("DDATA", false) => Kind::Data,
            ("NDEATH", true) | ("DDEATH", false) => Kind::Death,
            ("NCMD", true) | ("DCMD", false) => Kind::OfHosts,
            (kind, _) => {
                let kind = crate::decode::number::cut(kind);
                return Err(malformed(format!(
                    "`{kind}` in the topic, expected NBIRTH, NDATA or NDEATH of a node, DBIRTH, \
                     DDATA or DDEATH of a device"
                )));
            }
        };
        Ok(Self { kind, group, node, device })
    }

    /// Gives what is remembered of the node by: nodes of two groups may be called the same.
    fn key(self, network: NetworkId) -> (NetworkId, Box<str>) {
        (network, [self.group, "/", self.node].concat().into())
    }
}

/// Sparkplug B, compiled: there is nothing to prepare.
#[derive(Debug)]
pub struct Plan;

/// What stands around the metrics.
#[derive(Clone, Copy, Default)]
struct Envelope {
    timestamp: Option<u64>,
    session: Option<u64>,
    /// The number of the message among those of its node, 0 to 255 and again.
    seq: Option<u64>,
}

impl Plan {
    /// Decodes one payload, and remembers what it announces.
    ///
    /// # Errors
    /// The payload is none of Sparkplug, or the topic names no kind of message.
    pub fn decode(
        &self,
        context: Context<'_>,
        payload: &[u8],
        announced: &mut Arc<Announced>,
        decoded: &mut Decoded,
    ) -> Result<(), Reason> {
        let address = Address::read(context.topic)?;
        if address.kind == Kind::OfHosts {
            return Ok(());
        }
        let envelope = envelope(payload, address.kind)?;
        let key = address.key(context.rule.network);
        let nodes = &mut Arc::make_mut(announced).nodes;
        let of_node = address.device.is_empty() && address.kind != Kind::Data;
        if address.kind == Kind::Death {
            let mut node = nodes.get_mut(&key);
            if let Some(node) = node.as_mut().filter(|_| !of_node) {
                node.follow(envelope.seq);
            }
            // Who was born again since is not gone.
            if of_node && node.as_ref().is_some_and(|node| node.outlived(envelope)) {
                return Ok(());
            }
            let born = node.and_then(|node| node.die(address, envelope));
            return died(context, born, address, envelope, decoded);
        }
        let node = nodes.entry(key).or_default();
        // The birth of a node begins to count anew.
        let gap = !of_node && !context.retained && node.follow(envelope.seq);
        if address.kind == Kind::Birth {
            node.be_born(address, payload, envelope)?;
        }
        let known = node.known(address.device);
        let lost = Metrics { known, envelope, past: None, number: 0, likely: 0, lost: false }
            .take(context, payload, decoded)?;
        let asks = (gap || lost) && context.rule.options.rebirth && !context.retained;
        if asks && node.ask(context.received) {
            let network = context.rule.network;
            decoded.replies.extend(rebirth::rebirth(network, context.topic, context.received));
        }
        Ok(())
    }
}

/// Takes in what a message says of its edge node although the seeds don't know who sent it: the
/// node counts it among its own. Nothing is remembered of nodes that the seeds know nothing of.
pub fn overhear(network: NetworkId, topic: &str, payload: &[u8], announced: &mut Arc<Announced>) {
    let Ok(address) = Address::read(topic) else { return };
    let key = address.key(network);
    if !announced.nodes.contains_key(&key) {
        return;
    }
    let Ok(envelope) = envelope(payload, address.kind) else { return };
    if let Some(node) = Arc::make_mut(announced).nodes.get_mut(&key) {
        node.overhear(address, payload, envelope);
    }
}

/// The metrics of one payload on their way to readings.
struct Metrics<'n> {
    known: &'n [Known],
    envelope: Envelope,
    past: Option<Timestamp>,
    number: u32,
    /// Where the next metric will be if the device keeps the order of its birth.
    likely: usize,
    /// Whether a metric means nothing without a birth that was not heard.
    lost: bool,
}

impl Metrics<'_> {
    /// Takes all of them; says whether one means nothing without a birth that was not heard.
    fn take(
        mut self,
        context: Context<'_>,
        payload: &[u8],
        decoded: &mut Decoded,
    ) -> Result<bool, Reason> {
        let mut readings = Readings::new(FORMAT, context, decoded);
        metrics(payload, |read| {
            match read {
                Ok(metric) => self.metric(&mut readings, &metric)?,
                Err(fault) => {
                    let reason = malformed(format!(
                        "metric {}, byte {}: {}",
                        self.number, fault.at, fault.words
                    ));
                    readings.refuse("(metric)", self.number, reason);
                }
            }
            self.number += 1;
            Ok(())
        })?;
        decoded.past = self.past;
        Ok(self.lost)
    }

    fn metric(
        &mut self,
        readings: &mut Readings<'_, '_>,
        metric: &Metric<'_>,
    ) -> Result<(), Reason> {
        let is_this = |known: &Known| match (metric.name, metric.alias) {
            (Some(name), _) => *known.name == *name,
            (None, alias) => alias.is_some() && known.alias == alias,
        };
        let at = match self.known.get(self.likely) {
            Some(known) if is_this(known) => Some(self.likely),
            Some(_) | None => self.known.iter().position(is_this),
        };
        self.likely = at.map_or(self.likely, |at| at + 1);
        let announced = at.and_then(|at| self.known.get(at));
        let name = metric.name.or(announced.map(|known| &*known.name));
        let Some(name) = name else {
            let alias =
                metric.alias.map_or("(metric)".to_owned(), |alias| format!("alias {alias}"));
            let fault = "neither its name nor a birth, with no gap in `seq` since, that says \
                         what the alias means; the edge node must be born again";
            readings.refuse(&alias, self.number, malformed(fault));
            self.lost |= metric.alias.is_some();
            return Ok(());
        };
        if is_control(name) {
            return Ok(());
        }
        let time = metric.timestamp.or(self.envelope.timestamp).and_then(timestamp);
        if metric.historical {
            self.past = self.past.max(time);
        }
        let unit = metric.unit.or(announced.and_then(|known| known.unit.as_deref()));
        let said = Said { time, undated: None, unit, record: self.number };
        let born = announced.map_or(0, |known| known.datatype);
        let untyped = metric.datatype == 0 && announced.is_none();
        self.lost |= untyped && matches!(metric.value, Some(Value::Whole(_)));
        let mark = metric.quality.and_then(|quality| readings.mark_of(name, quality));
        let count = readings.count();
        readings.take(name, said, |declared| metric.result(born, declared, mark.is_some()))?;
        readings.mark(count, mark);
        Ok(())
    }
}

/// Says that the metrics of the dead are missing from now on.
fn died(
    context: Context<'_>,
    born: Option<Vec<Known>>,
    address: Address<'_>,
    envelope: Envelope,
    decoded: &mut Decoded,
) -> Result<(), Reason> {
    decoded.farewell = true;
    // A last will was written when its session began: it knows no time.
    let of_device = envelope.timestamp.filter(|_| !address.device.is_empty());
    let time = of_device.and_then(timestamp);
    let mut readings = Readings::new(FORMAT, context, decoded);
    for (record, announced) in (0_u32..).zip(born.unwrap_or_default()) {
        if readings.knows(&announced.name) {
            let said = Said { time, undated: None, unit: None, record };
            readings
                .take(&announced.name, said, |_| Ok(ObservationResult::Nil(NilReason::Missing)))?;
        }
    }
    Ok(())
}

fn is_control(name: &str) -> bool {
    CONTROLS.iter().any(|control| match control.ends_with('/') {
        true => name.starts_with(control),
        false => name == *control,
    })
}

fn timestamp(millis: u64) -> Option<Timestamp> {
    // No clock shows the year 287,396; what is beyond is read as that, and refused.
    Some(Timestamp(i64::try_from(millis).unwrap_or(i64::MAX).min(9_000_000_000_000_000)))
}

/// Reads what stands around the metrics; the session stands among them, of births and deaths.
fn envelope(payload: &[u8], kind: Kind) -> Result<Envelope, Reason> {
    let mut envelope = Envelope::default();
    let mut fields = Fields::new(payload);
    while let Some((number, field)) = fields.next().map_err(broken)? {
        match number {
            1 => envelope.timestamp = field.varint(),
            3 => envelope.seq = field.varint(),
            2 if kind != Kind::Data => {
                let metric = field.bytes().map(Metric::read);
                if let Some(Ok(Metric { name: Some("bdSeq"), value, .. })) = metric {
                    envelope.session = match value {
                        Some(metric::Value::Whole(session)) => Some(session),
                        Some(_) | None => None,
                    };
                }
            }
            _ => {}
        }
    }
    Ok(envelope)
}

/// Calls `take` with each metric, or with what is wrong with it.
fn metrics<'p>(
    payload: &'p [u8],
    mut take: impl FnMut(Result<Metric<'p>, Fault>) -> Result<(), Reason>,
) -> Result<(), Reason> {
    let mut fields = Fields::new(payload);
    while let Some((number, field)) = fields.next().map_err(broken)? {
        if let (2, Some(bytes)) = (number, field.bytes()) {
            take(Metric::read(bytes))?;
        }
    }
    Ok(())
}

fn broken(fault: Fault) -> Reason {
    malformed(format!("byte {}: {}", fault.at, fault.words))
}

fn malformed(fault: impl Into<Box<str>>) -> Reason {
    Reason::Malformed { format: FORMAT, fault: fault.into() }
}

#[cfg(test)]
mod tests;
