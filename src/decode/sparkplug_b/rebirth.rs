//! The command that asks an edge node to announce itself and its devices anew: NCMD with the metric
//! `Node Control/Rebirth`, true, by Sparkplug 3.0.0.

use crate::domain::name::NetworkId;
use crate::domain::reply::Reply;
use crate::domain::time::Timestamp;

/// The metric.
const REBIRTH: &str = "Node Control/Rebirth";
/// The type of a truth value.
const BOOLEAN: u64 = 11;

/// Gives the command for the node whose message stands on a topic.
pub(super) fn rebirth(network: NetworkId, topic: &str, now: Timestamp) -> Option<Reply> {
    let mut words = topic.split('/');
    let (space, group, _, node) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let topic = format!("{space}/{group}/NCMD/{node}").into();
    let at = now.millis().cast_unsigned();
    let mut metric = Vec::new();
    bytes(&mut metric, 1, REBIRTH.as_bytes());
    number(&mut metric, 3, at);
    number(&mut metric, 4, BOOLEAN);
    number(&mut metric, 14, 1);
    let mut payload = Vec::new();
    number(&mut payload, 1, at);
    bytes(&mut payload, 2, &metric);
    Some(Reply { network, topic, payload: payload.into() })
}

fn number(out: &mut Vec<u8>, field: u64, value: u64) {
    varint(out, field << 3);
    varint(out, value);
}

fn bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    varint(out, field << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7F) as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::sparkplug_b::metric::{Metric, Value};
    use crate::decode::sparkplug_b::wire::{Field, Fields};

    #[test]
    fn the_command_reads_as_one_true_metric_for_the_node_alone() {
        let topic = "spBv1.0/park/DDATA/edge/sonde";
        let reply = rebirth(NetworkId(3), topic, Timestamp(1_777_593_600_000)).unwrap();
        assert_eq!((reply.network, &*reply.topic), (NetworkId(3), "spBv1.0/park/NCMD/edge"));
        let mut fields = Fields::new(&reply.payload);
        let (first, at) = fields.next().unwrap().unwrap();
        assert_eq!((first, at.varint()), (1, Some(1_777_593_600_000)));
        let (second, Field::Bytes(metric)) = fields.next().unwrap().unwrap() else {
            unreachable!("a message inside")
        };
        assert_eq!((second, fields.next().unwrap().is_none()), (2, true));
        let metric = Metric::read(metric).unwrap();
        assert_eq!((metric.name, metric.datatype), (Some(REBIRTH), 11));
        assert!(matches!(metric.value, Some(Value::Truth(true))));
    }

    #[test]
    fn a_topic_without_a_node_has_none() {
        assert_eq!(rebirth(NetworkId(0), "spBv1.0/park/NDATA", Timestamp(0)), None);
    }
}
