//! Births, data and deaths, and what is read of one after another.

use std::sync::Arc;

use super::*;
use crate::decode::sparkplug_b::node::{ASK_AGAIN_MS, METRICS_MAX, NAME_BYTES_MAX};
use crate::decode::told::{Desk, RECEIVED};
use crate::domain::registry::Format;

/// A payload that is being written.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn number(mut self, field: u64, value: u64) -> Self {
        self.varint(field << 3);
        self.varint(value);
        self
    }

    fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    fn float(mut self, value: f32) -> Self {
        self.varint(12 << 3 | 5);
        self.0.extend(value.to_le_bytes());
        self
    }

    fn double(mut self, value: f64) -> Self {
        self.varint(13 << 3 | 1);
        self.0.extend(value.to_le_bytes());
        self
    }

    fn property(self, key: &str, value: Bytes) -> Self {
        let set = Bytes::default().bytes(1, key.as_bytes()).bytes(2, &value.0);
        self.bytes(9, &set.0)
    }
}

/// A metric with a name, an alias and a type, or an alias alone.
fn metric(name: &str, alias: u64, datatype: u64) -> Bytes {
    let metric = match name {
        "" => Bytes::default(),
        name => Bytes::default().bytes(1, name.as_bytes()),
    };
    let metric = metric.number(2, alias);
    if datatype == 0 { metric } else { metric.number(4, datatype) }
}

fn by_alias(alias: u64) -> Bytes {
    metric("", alias, 0)
}

/// A payload of so many seconds after the arrival.
fn payload(seconds: i64, metrics: &[Bytes]) -> Vec<u8> {
    let at = (RECEIVED + seconds * 1_000).cast_unsigned();
    numbered(0, at, metrics)
}

/// A payload with its number among those of the node.
fn numbered(seq: u64, at: u64, metrics: &[Bytes]) -> Vec<u8> {
    let whole = Bytes::default().number(1, at);
    metrics.iter().fold(whole, |whole, metric| whole.bytes(2, &metric.0)).number(3, seq).0
}

const CHANNELS: &[&str] = &["ph", "do", "count", "text", "on", "other*"];

/// A host that hears what is said on topics, one after another.
struct Host {
    announced: Arc<Announced>,
    /// Whether it may ask for births, and whether the broker had kept what it hears.
    rebirth: bool,
    retained: bool,
}

impl Host {
    fn new() -> Self {
        Self { announced: Arc::default(), rebirth: true, retained: false }
    }

    fn told(&mut self, topic: &'static str, payload: &[u8]) -> String {
        let desk = Desk { topic, ..Desk::new(Format::SparkplugB, CHANNELS) };
        desk.told_after(&mut self.announced, payload)
    }

    /// Gives where a node was asked to be born again for what is said so many seconds after the
    /// arrival of the others.
    fn asks(&mut self, topic: &'static str, payload: &[u8], seconds: i64) -> Vec<Box<str>> {
        let decoded = self.decoded(topic, payload, seconds);
        decoded.replies.into_iter().map(|reply| reply.topic).collect()
    }

    fn decoded(&mut self, topic: &'static str, payload: &[u8], seconds: i64) -> Decoded {
        let mut desk = Desk { topic, ..Desk::new(Format::SparkplugB, CHANNELS) };
        desk.rule.options.rebirth = self.rebirth;
        let plans = crate::decode::plans(&desk.rule, &desk.profile);
        let received = Timestamp(RECEIVED + seconds * 1_000);
        let context = Context { received, retained: self.retained, ..desk.context() };
        let mut decoded = Decoded::default();
        let told = &mut self.announced;
        crate::decode::decode(&plans, context, payload, told, &mut decoded).unwrap();
        decoded
    }

    #[track_caller]
    fn hears(&mut self, topic: &'static str, payload: &[u8], want: &[&str]) {
        assert_eq!(self.told(topic, payload), want.join("\n"));
    }

    #[track_caller]
    fn refuses(&mut self, topic: &'static str, payload: &[u8], words: &str) {
        let told = self.told(topic, payload);
        assert!(told.contains(words), "{told}");
    }
}

const NBIRTH: &str = "spBv1.0/park/NBIRTH/edge";
const NDATA: &str = "spBv1.0/park/NDATA/edge";
const NDEATH: &str = "spBv1.0/park/NDEATH/edge";
const DBIRTH: &str = "spBv1.0/park/DBIRTH/edge/sonde";
const DDATA: &str = "spBv1.0/park/DDATA/edge/sonde";
const DDEATH: &str = "spBv1.0/park/DDEATH/edge/sonde";

fn birth() -> Vec<u8> {
    let unit = || Bytes::default().number(1, 12).bytes(8, b"mg/L");
    payload(
        0,
        &[
            metric("bdSeq", 0, 8).number(11, 7),
            metric("ph", 1, 10).double(7.62),
            metric("do", 2, 9).float(6.85).property("engUnit", unit()),
            metric("count", 3, 3).number(10, 5),
            metric("Node Control/Rebirth", 4, 11).number(14, 0),
        ],
    )
}

#[test]
fn a_birth_says_what_the_aliases_of_data_mean() {
    let mut host = Host::new();
    host.hears(DBIRTH, &birth(), &["1 ph=7.62 @0", "2 do=6.85 mg/L @0", "3 count=5 @0"]);
    let minus_two = u64::from((-2_i32).cast_unsigned());
    let data = [by_alias(2).float(6.9), by_alias(3).number(10, minus_two)];
    host.hears(DDATA, &payload(60, &data), &["0 do=6.9 mg/L @60", "1 count=-2 @60"]);
}

#[test]
fn data_of_no_birth_is_refused_unless_it_names_its_metrics() {
    let data = [by_alias(1).double(7.6), metric("do", 2, 9).float(6.9)];
    let told = Host::new().told(DDATA, &payload(60, &data));
    assert!(
        told.starts_with("1 do=6.9 @60\n0 alias 1 refused: not Sparkplug B: neither"),
        "{told}"
    );
    let mut host = Host::new();
    host.told(DBIRTH, &birth());
    host.refuses(DDATA, &payload(60, &[by_alias(9).double(1.0)]), "alias 9 refused");
    // Another device of the node has announced nothing.
    host.refuses(
        "spBv1.0/park/DDATA/edge/other",
        &payload(60, &[by_alias(1).double(1.0)]),
        "alias 1",
    );
    host.refuses(
        "spBv1.0/park/DDATA/edge2/sonde",
        &payload(60, &[by_alias(1).double(1.0)]),
        "alias 1",
    );
    host.refuses(DDATA, &payload(60, &[Bytes::default().double(1.0)]), "(metric) refused");
}

#[test]
fn whole_numbers_mean_what_their_type_says() {
    let bits = |value: i64| value.cast_unsigned();
    for (datatype, field, sent, want) in [
        (1, 10, 0xFF, "-1"),
        (1, 10, 0xFFFF_FFFF, "-1"),
        (2, 10, 0xFFFE, "-2"),
        (3, 10, 0xFFFF_FFFD, "-3"),
        (3, 11, bits(-3), "-3"),
        (4, 11, bits(-4), "-4"),
        (5, 10, 200, "200"),
        (6, 10, 65_535, "65535"),
        (7, 11, 4_294_967_295, "4294967295"),
        (8, 11, u64::MAX, "18446744073709552000"),
        (11, 14, 1, "1"),
    ] {
        let one = metric("count", 1, datatype).number(field, sent);
        let want = format!("0 count={want} @0");
        Host::new().hears(DDATA, &payload(0, &[one]), &[&want]);
    }
    let one = metric("count", 1, 0).number(10, 5);
    Host::new().refuses(DDATA, &payload(0, &[one]), "5 without a type, whose sign nobody knows");
    let one = metric("count", 1, 10).number(10, 5);
    Host::new().refuses(DDATA, &payload(0, &[one]), "whole bits of type 10");
}

#[test]
fn what_is_no_number_is_named_and_costs_no_other() {
    let mut host = Host::new();
    let metrics = [
        metric("ph", 1, 16).bytes(17, b"\x08\x01"),
        metric("do", 2, 12).bytes(15, b"6.9"),
        metric("text", 3, 12).bytes(15, b"6.9"),
        metric("on", 4, 11).number(14, 1),
        metric("count", 5, 19).bytes(18, b""),
        metric("unknown", 6, 10).double(1.0),
        metric("others", 7, 10).double(1.0),
        metric("ph", 8, 9).float(f32::NAN),
        metric("ph", 9, 17).bytes(16, b"\x00"),
        metric("ph", 9, 10),
    ];
    let told = host.told(DDATA, &payload(0, &metrics));
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(&lines[..2], ["2 text=6.9 @0", "3 on=1 @0"]);
    for (line, begin) in lines[2..].iter().zip([
        "0 ph refused: found a DataSet, expected a number",
        "1 do refused: found \"6.9\"",
        "4 count refused: found a Template",
        "5 unknown refused: the channel is not",
        "7 ph refused: NaN is beyond",
        "8 ph refused: found bytes",
        "9 ph refused: found no value, and no is_null",
    ]) {
        assert!(line.starts_with(begin), "{line}");
    }
    assert_eq!(lines.len(), 9);
}

#[test]
fn null_is_missing_and_a_metric_has_a_time_of_its_own() {
    let at = (RECEIVED - 30_000).cast_unsigned();
    let metrics = [metric("ph", 1, 10).number(7, 1), metric("do", 2, 10).double(6.0).number(3, at)];
    Host::new().hears(DDATA, &payload(0, &metrics), &["0 ph=Missing @0", "1 do=6 @-30"]);
}

#[test]
fn a_value_that_its_device_calls_bad_or_stale_is_missing() {
    for (quality, want) in [(0, "0 ph=Missing @0"), (192, "0 ph=7 @0"), (500, "0 ph=Missing @0")] {
        let property = Bytes::default().number(1, 3).number(3, quality);
        let one = metric("ph", 1, 10).double(7.0).property("Quality", property);
        Host::new().hears(DDATA, &payload(0, &[one]), &[want]);
    }
}

#[test]
fn history_is_told_as_such() {
    let desk = Desk { topic: DDATA, ..Desk::new(Format::SparkplugB, CHANNELS) };
    let at = |seconds: i64| (RECEIVED + seconds * 1_000).cast_unsigned();
    let past = |seconds| metric("ph", 1, 10).double(7.0).number(3, at(seconds)).number(5, 1);
    let bytes = payload(0, &[past(-600), past(-300), metric("do", 2, 10).double(6.0)]);
    let mut decoded = Decoded::default();
    let plans = crate::decode::plans(&desk.rule, &desk.profile);
    let mut announced = Arc::default();
    crate::decode::decode(&plans, desk.context(), &bytes, &mut announced, &mut decoded).unwrap();
    assert_eq!(decoded.past, Some(Timestamp(RECEIVED - 300_000)));
    assert_eq!(decoded.readings.len(), 3);
    decoded.clear();
    assert_eq!(decoded.past, None);
}

#[test]
fn a_death_makes_all_that_was_announced_missing() {
    let mut host = Host::new();
    host.told(NBIRTH, &birth());
    host.told(DBIRTH, &birth());
    let gone = ["0 ph=Missing @90", "1 do=Missing @90", "2 count=Missing @90"];
    host.hears(DDEATH, &payload(90, &[]), &gone);
    host.refuses(DDATA, &payload(99, &[by_alias(1).double(7.0)]), "alias 1 refused");
    host.hears(DDEATH, &payload(99, &[]), &[]);
    // The last will of a node was written when its session began: its time says nothing.
    let will = payload(-900, &[metric("bdSeq", 0, 8).number(11, 7)]);
    host.hears(NDEATH, &will, &["0 ph=Missing", "1 do=Missing", "2 count=Missing"]);
    host.refuses(NDATA, &payload(99, &[by_alias(1).double(7.0)]), "alias 1 refused");
}

#[test]
fn the_last_will_of_an_earlier_session_says_nothing() {
    let mut host = Host::new();
    host.told(NBIRTH, &birth());
    let will = |session| payload(9, &[metric("bdSeq", 0, 8).number(11, session)]);
    host.hears(NDEATH, &will(6), &[]);
    assert!(!host.decoded(NDEATH, &will(6), 0).farewell);
    host.hears(NDATA, &payload(9, &[by_alias(1).double(7.0)]), &["0 ph=7 @9"]);
    assert!(host.decoded(NDEATH, &will(7), 0).farewell);
}

#[test]
fn a_birth_of_the_node_ends_what_its_devices_announced() {
    let mut host = Host::new();
    host.told(NBIRTH, &birth());
    host.told(DBIRTH, &birth());
    host.told(NBIRTH, &birth());
    host.refuses(DDATA, &payload(9, &[by_alias(1).double(7.0)]), "alias 1 refused");
    host.hears(NDATA, &payload(9, &[by_alias(1).double(7.0)]), &["0 ph=7 @9"]);
}

#[test]
fn commands_are_no_readings_and_other_topics_are_refused() {
    let mut host = Host::new();
    host.hears("spBv1.0/park/NCMD/edge", &birth(), &[]);
    host.hears("spBv1.0/park/DCMD/edge/sonde", &birth(), &[]);
    host.refuses("spBv1.0/park/NDATUM/edge", &birth(), "`NDATUM` in the topic, expected NBIRTH");
    host.refuses("spBv1.0/park/NDATA/edge/sonde", &birth(), "`NDATA` in the topic");
    host.refuses("spBv1.0/park/NDATA", &birth(), "other than four or five levels");
}

#[test]
fn a_broken_metric_costs_itself_and_a_broken_payload_says_where() {
    let mut host = Host::new();
    let broken = Bytes::default().bytes(1, b"do").number(4, 10).0;
    let broken = Bytes(broken[..broken.len() - 1].to_vec());
    let told = host.told(DDATA, &payload(0, &[metric("ph", 1, 10).double(7.0), broken]));
    let want = "0 ph=7 @0\n1 (metric) refused: not Sparkplug B: metric 1, byte 5: it ends in the";
    assert!(told.starts_with(want), "{told}");
    let whole = birth();
    host.refuses(DDATA, &whole[..whole.len() - 5], "not Sparkplug B: byte");
    host.refuses(DDATA, b"{\"ph\":7}", "no field of protocol buffers");
    host.refuses(
        DDATA,
        &[0x08, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1],
        "a number of more than ten bytes",
    );
    host.refuses(DDATA, &[0x00, 0x01], "byte 0: a field with the number 0");
    host.refuses(DDATA, &[0x12, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F], "it ends in the middle");
}

#[test]
fn a_birth_without_end_is_remembered_in_part() {
    let mut host = Host::new();
    let many: Vec<Bytes> = (0..3_000).map(|n| metric("other", n, 10)).collect();
    host.told(DBIRTH, &payload(0, &many));
    let born = |host: &Host| host.announced.nodes.values().next().unwrap().born["sonde"].len();
    assert_eq!(born(&host), METRICS_MAX);
    let long = "x".repeat(NAME_BYTES_MAX + 1);
    host.told(DBIRTH, &payload(0, &[metric(&long, 1, 10), metric("ph", 2, 10)]));
    assert_eq!(born(&host), 1);
}

#[test]
fn what_was_announced_goes_through_a_snapshot() {
    let mut host = Host::new();
    host.told(NBIRTH, &birth());
    host.told(DBIRTH, &birth());
    let bytes = minicbor::to_vec(&*host.announced).unwrap();
    assert_eq!(minicbor::decode::<Announced>(&bytes).unwrap(), *host.announced);
}

#[test]
fn nodes_of_two_groups_that_are_called_the_same_are_two() {
    let mut host = born();
    let other = "spBv1.0/works/DDATA/edge/sonde";
    host.refuses(other, &data(200), "alias 1 refused");
    host.hears(DDATA, &data(3), &["0 ph=7 @0"]);
}

const NCMD: &str = "spBv1.0/park/NCMD/edge";

/// A message of the node's sonde by alias, with its number.
fn data(seq: u64) -> Vec<u8> {
    numbered(seq, RECEIVED.cast_unsigned(), &[by_alias(1).double(7.0)])
}

/// The births of node and sonde, and one message: numbers 0 to 2.
fn born() -> Host {
    let mut host = Host::new();
    host.told(NBIRTH, &birth());
    host.told(DBIRTH, &[&birth()[..birth().len() - 1], &[1]].concat());
    host.hears(DDATA, &data(2), &["0 ph=7 @0"]);
    host
}

#[test]
fn after_a_gap_no_alias_is_trusted_until_the_next_birth() {
    let mut host = born();
    host.refuses(DDATA, &data(4), "alias 1 refused");
    host.refuses(DDATA, &data(5), "alias 1 refused");
    let named = numbered(6, RECEIVED.cast_unsigned(), &[metric("ph", 1, 10).double(7.0)]);
    host.hears(DDATA, &named, &["0 ph=7 @0"]);
    host.refuses(NDATA, &data(7), "alias 1 refused");
    // Born anew with another alias: what was in doubt is gone.
    let at = RECEIVED.cast_unsigned();
    host.told(NBIRTH, &numbered(0, at, &[metric("bdSeq", 0, 8).number(11, 7)]));
    host.told(DBIRTH, &numbered(1, at, &[metric("ph", 9, 10).double(7.1)]));
    let other = numbered(2, at, &[by_alias(9).double(7.2)]);
    host.hears(DDATA, &other, &["0 ph=7.2 @0"]);
    host.refuses(DDATA, &data(3), "alias 1 refused");
}

#[test]
fn a_birth_that_was_lost_is_not_read_by_the_one_before() {
    let mut host = born();
    // The node began anew unheard, and its aliases mean something else now.
    host.refuses(DDATA, &data(1), "alias 1 refused");
    // A death tells no gap, and what was announced is missing from then on.
    host.hears(
        DDEATH,
        &numbered(2, (RECEIVED + 9_000).cast_unsigned(), &[]),
        &["0 ph=Missing @9", "1 do=Missing @9", "2 count=Missing @9"],
    );
}

#[test]
fn numbers_go_on_after_255_and_a_repetition_is_no_gap() {
    let mut host = born();
    for seq in (3..=255).chain([0, 1, 1, 2]) {
        host.hears(DDATA, &data(seq), &["0 ph=7 @0"]);
    }
    // A message without a number says nothing of the order.
    let bare = Bytes::default().bytes(2, &by_alias(1).double(7.0).0).0;
    host.hears(DDATA, &bare, &["0 ph=7"]);
    host.hears(DDATA, &data(3), &["0 ph=7 @0"]);
}

#[test]
fn a_node_is_asked_to_be_born_again_where_something_is_missing_and_not_too_often() {
    let mut host = Host::new();
    let asked = vec![Box::<str>::from(NCMD)];
    assert_eq!(host.asks(DDATA, &data(7), 0), asked, "no birth");
    let again = ASK_AGAIN_MS / 1_000;
    assert!(host.asks(DDATA, &data(8), again - 1).is_empty(), "it may be about to answer");
    assert_eq!(host.asks(DDATA, &data(9), again), asked, "it does not answer");
    assert!(host.asks(NBIRTH, &birth(), again + 1).is_empty());
    assert!(host.asks(DBIRTH, &[&birth()[..birth().len() - 1], &[1]].concat(), 99).is_empty());
    assert!(host.asks(DDATA, &data(2), 99).is_empty());
    assert_eq!(host.asks(DDATA, &data(4), 99), asked, "a gap");
    let unknown = numbered(5, 0, &[by_alias(77).double(1.0)]);
    assert_eq!(host.asks(DDATA, &unknown, 200), asked, "an alias of no birth");
    let untyped = numbered(6, 0, &[metric("count", 5, 0).number(10, 1)]);
    assert_eq!(host.asks(DDATA, &untyped, 300), asked, "a type of no birth");
}

#[test]
fn nobody_is_asked_where_the_seeds_say_so_nor_for_what_the_broker_kept() {
    let mut host = Host { rebirth: false, ..Host::new() };
    assert!(host.asks(DDATA, &data(7), 0).is_empty());
    let mut host = Host { retained: true, ..born() };
    assert!(host.asks(DDATA, &data(99), 0).is_empty(), "its number is of another time");
    host.hears(DDATA, &data(3), &["0 ph=7 @0"]);
}

#[test]
fn who_is_not_in_the_seeds_is_counted_all_the_same() {
    let mut host = born();
    let network = NetworkId(0);
    let overhear = |host: &mut Host, topic: &str, payload: &[u8]| {
        overhear(network, topic, payload, &mut host.announced);
    };
    overhear(&mut host, "spBv1.0/park/DDATA/edge/pump", &data(3));
    host.hears(DDATA, &data(4), &["0 ph=7 @0"]);
    overhear(&mut host, "spBv1.0/park/DDATA/edge/pump", &data(6));
    host.refuses(DDATA, &data(7), "alias 1 refused");
    // The birth of a node that has no row ends what its devices announced.
    let mut host = born();
    overhear(&mut host, NBIRTH, &birth());
    host.refuses(DDATA, &data(1), "alias 1 refused");
    let mut host = born();
    overhear(&mut host, NDEATH, &payload(0, &[metric("bdSeq", 0, 8).number(11, 7)]));
    host.refuses(DDATA, &data(0), "alias 1 refused");
    // Of nodes of which the seeds know nothing nothing is remembered.
    let mut host = Host::new();
    overhear(&mut host, NBIRTH, &birth());
    overhear(&mut host, "spBv1.0/park", b"\xFF");
    assert!(host.announced.nodes.is_empty());
}

#[test]
fn messages_of_another_time_are_read_without_their_order() {
    let mut host = born();
    host.refuses(DDATA, &data(9), "alias 1 refused");
    let rule = |format| Desk::new(format, CHANNELS).rule;
    for other in [Format::Json, Format::Hj212, Format::Homie] {
        let shared = crate::decode::before(&rule(other), &host.announced);
        assert!(Arc::ptr_eq(&shared, &host.announced), "what does not count is not copied");
    }
    host.announced = crate::decode::before(&rule(Format::SparkplugB), &host.announced);
    host.hears(DDATA, &data(200), &["0 ph=7 @0"]);
}
