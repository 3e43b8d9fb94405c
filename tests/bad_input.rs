//! Bad input from end to end: each kind through a real broker into the program itself. Where it
//! ended, that its neighbours were stored, and that it was acknowledged.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, reason = "a test asks its own clock")]

mod peer;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use peer::{Mosquitto, Weir, until};
use weir::domain::name::{DatastreamId, NameKind};
use weir::domain::observation::{ObservationResult, Period};
use weir::domain::time::Timestamp;
use weir::journal::read::Reader;
use weir::journal::store::StoredObservation;

const MINUTE: i64 = 60_000;
const YEAR: i64 = 365 * 24 * 60 * MINUTE;

/// Where a message must end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    /// The whole message is a dead letter.
    Letter(&'static str),
    /// All of its one reading is.
    Reading(&'static str, &'static str),
    /// One reading is; its neighbours in the message are stored.
    StoredBeside(&'static str, &'static str),
    Duplicate,
    Revision,
    /// Beyond what weir tells an MQTT 5 broker that it takes, which then does not deliver it; of
    /// an older broker it is a dead letter.
    Undelivered(&'static str),
}

struct Bad {
    topic: Vec<u8>,
    payload: Vec<u8>,
    end: End,
}

fn bad(topic: &str, payload: impl Into<Vec<u8>>, end: End) -> Bad {
    Bad { topic: topic.as_bytes().to_vec(), payload: payload.into(), end }
}

/// A time some hours ago, on a whole minute.
fn hours_ago(hours: i64) -> i64 {
    (jiff::Timestamp::now().as_millisecond() - hours * 60 * MINUTE) / MINUTE * MINUTE
}

const SONDE: &str = "water/sonde-03/data";
/// What a sonde says among the bad ones, so many minutes after the start.
fn good(start: i64, minute: i64) -> String {
    format!("{{\"ts\":{},\"do\":{}}}", start + minute * MINUTE, oxygen(minute))
}

fn oxygen(minute: i64) -> f64 {
    6.0 + minute as f64 / 64.0
}

/// Everything bad that there is, in no order.
fn all(start: i64) -> Vec<Bad> {
    use End::{Duplicate, Letter, Reading, Revision, StoredBeside, Undelivered};
    let sonde = "water/sonde-04/data";
    let at = |ts: i64| format!("{{\"ts\":{ts},\"do\":6.8}}");
    let beside = |minute: i64, value: &str| {
        format!("{{\"ts\":{},\"temp\":18.5,\"do\":{value}}}", start + minute * MINUTE)
    };
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    let long = |bytes: usize| format!("{{\"ts\":{start},\"do\":6.8{}}}", " ".repeat(bytes));
    let records = format!(
        "{{\"time\":{},\"records\":[{{\"name\":\"NO2\",\"value\":\"31\",\"unit\":\"furlong\"}},\
         {{\"name\":\"CO\",\"value\":\"0.4\",\"unit\":\"mg/m3\"}}]}}",
        start * 1_000
    );
    vec![
        bad(sonde, "{\"ts\":17,", Letter("malformed")),
        bad(sonde, beside(0, "\"six\""), StoredBeside("wrong_type", "/do")),
        bad("water/sonde-99/data", at(start), Letter("unknown_device")),
        bad(sonde, format!("{{\"ts\":{start},\"DO\":6.8}}"), Reading("unknown_channel", "/DO")),
        bad("air/air-setdz/records", records, StoredBeside("unknown_unit", "NO2")),
        bad(sonde, beside(1, "1e999"), StoredBeside("out_of_range", "/do")),
        bad(sonde, at(86_400_000), Reading("implausible_time", "/do")),
        bad(sonde, at(4_083_000_000_000), Reading("implausible_time", "/do")),
        bad(sonde, long(300_000), Letter("payload_too_long")),
        bad(sonde, long(3_000_000), Undelivered("payload_too_long")),
        bad(sonde, deep.clone(), Letter("malformed")),
        bad(sonde, beside(2, &deep), Letter("malformed")),
        bad(&format!("water/{}/data", "x".repeat(60_000)), at(start), Letter("unknown_device")),
        bad(sonde, "", Letter("empty_payload")),
        bad(SONDE, good(start, 0), Duplicate),
        bad(SONDE, good(start, 1).replace(&oxygen(1).to_string(), "9.75"), Revision),
    ]
}

/// Publishes all at once, so that weir reads them together: 3.1.1 by hand, because no client
/// sends what is wrong.
fn publish(port: u16, messages: &[(&[u8], &[u8])], retain: bool) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut bytes = frame(0x10, b"\0\x04MQTT\x04\x02\0\x3c\0\x01s");
    for (index, (topic, payload)) in messages.iter().enumerate() {
        let head = if retain { 0x33 } else { 0x32 };
        let packet_id = u16::try_from(index).unwrap() + 1;
        bytes.extend(frame(head, &[&named(topic, packet_id), *payload].concat()));
    }
    stream.write_all(&bytes).unwrap();
    // A CONNACK, and a PUBACK a message.
    let mut answers = vec![0; 4 + 4 * messages.len()];
    stream.read_exact(&mut answers).unwrap();
    stream.write_all(&[0xe0, 0]).unwrap();
}

fn named(topic: &[u8], packet_id: u16) -> Vec<u8> {
    let length = u16::try_from(topic.len()).unwrap();
    [&length.to_be_bytes(), topic, &packet_id.to_be_bytes()].concat()
}

fn frame(head: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![head];
    let mut length = body.len();
    loop {
        frame.push((length & 0x7f) as u8 | if length > 0x7f { 0x80 } else { 0 });
        length >>= 7;
        if length == 0 {
            break;
        }
    }
    frame.extend(body);
    frame
}

fn install(url: &str, protocol: &str) -> Weir {
    let weir = Weir::install(url, "");
    let path = weir.folder().join("weir.toml");
    let text = fs::read_to_string(&path).unwrap();
    let spoken = text.replace("client_id", &format!("protocol = '{protocol}'\nclient_id"));
    fs::write(path, spoken).unwrap();
    weir
}

fn held(weir: &Weir, datastream: &str) -> Vec<StoredObservation> {
    let reader = Reader::open(&weir.folder().join("data")).unwrap();
    let names = reader.names().unwrap();
    let is = |kind, name: &str| kind == NameKind::Datastream && name == datastream;
    let named = names.into_iter().find(|named| is(named.kind, &named.name)).unwrap();
    let (from, to) = (Timestamp(0), Timestamp(i64::MAX));
    reader.observations(DatastreamId(named.id), Period::Native, from, to).unwrap()
}

/// A dead letter: the beginning of its topic, its reason, its channel and its original bytes.
type Letter = (String, String, String, Vec<u8>);

fn letter(topic: &[u8], code: &str, channel: &str, payload: &[u8]) -> Letter {
    let topic = String::from_utf8_lossy(topic).chars().take(40).collect();
    // The default of `payload_bytes_max`.
    let payload = &payload[..payload.len().min(256 << 10)];
    (topic, code.to_owned(), channel.to_owned(), payload.to_vec())
}

fn letters(weir: &Weir) -> Vec<Letter> {
    let (_, said) = weir.command(&["dead-letters", "export"]);
    let read = |line: &str| {
        let told: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| told[key].as_str().unwrap_or_default().to_owned();
        let bytes = |key: &str| STANDARD.decode(text(key)).unwrap();
        letter(&bytes("topic_base64"), &text("code"), &text("channel"), &bytes("payload_base64"))
    };
    said.lines().map(read).collect()
}

/// Asserts that the dead letters are these; two networks come in any order.
#[track_caller]
fn check_letters(weir: &Weir, mut wanted: Vec<Letter>) {
    let mut got = letters(weir);
    got.sort();
    wanted.sort();
    let names = |letters: &[Letter]| -> Vec<String> {
        letters
            .iter()
            .map(|(topic, code, channel, _)| format!("{topic} {code} {channel}"))
            .collect()
    };
    assert_eq!(names(&got), names(&wanted));
    assert!(got == wanted, "the original bytes are kept");
}

/// What all of it must add to the ledger.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sum {
    received: i64,
    stored: i64,
    rejected: i64,
    duplicate: i64,
    revisions: i64,
    late: i64,
}

impl Sum {
    fn of(weir: &Weir) -> Self {
        let ledger = weir.ledger();
        assert_eq!(ledger["balances"], true, "{ledger}");
        let count = |pointer: &str| ledger.pointer(pointer).unwrap().as_i64().unwrap();
        Self {
            received: count("/total/messages/received"),
            stored: count("/total/messages/stored"),
            rejected: count("/total/messages/rejected"),
            duplicate: count("/total/messages/duplicate"),
            revisions: count("/total/revisions"),
            late: count("/total/late"),
        }
    }

    fn add(&mut self, end: End, old: bool) {
        let undelivered = matches!(end, End::Undelivered(_)) && !old;
        self.received += i64::from(!undelivered);
        match end {
            End::Undelivered(_) if undelivered => {}
            End::Letter(_) | End::Reading(..) | End::Undelivered(_) => self.rejected += 1,
            End::StoredBeside(..) => self.stored += 1,
            End::Duplicate => self.duplicate += 1,
            End::Revision => {
                self.stored += 1;
                self.revisions += 1;
            }
        }
    }
}

fn check(protocol: &str) {
    let (broker, old) = (Mosquitto::start(""), protocol == "3.1.1");
    let mut weir = install(&broker.url(), protocol);
    let start = hours_ago(6);

    // What the broker has kept since last year is there before weir is.
    let last_year = format!("{{\"ts\":{},\"do\":2.1}}", start - YEAR);
    let kept: [(&[u8], &[u8]); 2] = [
        (b"water/sonde-05/data", last_year.as_bytes()),
        (b"pulses/pulse-hunnan-1", b"{\"litres\":12}"),
    ];
    publish(broker.port(), &kept, true);
    let mut expected = Sum { received: 2, stored: 1, rejected: 1, late: 1, ..Sum::default() };
    let mut wanted = vec![letter(kept[1].0, "retained_without_time", "/litres", kept[1].1)];
    weir.start();
    until("what the broker kept", || weir.count("/total/messages/received") == 2);

    // Each bad one between two good ones, all written at once.
    let bad = all(start);
    let good: Vec<String> =
        (0..=bad.len()).map(|minute| self::good(start, minute as i64 + 2)).collect();
    let first = [self::good(start, 0), self::good(start, 1)];
    let mut sent: Vec<(&[u8], &[u8])> =
        first.iter().map(|payload| (SONDE.as_bytes(), payload.as_bytes())).collect();
    for (bad, good) in bad.iter().zip(&good) {
        sent.push((SONDE.as_bytes(), good.as_bytes()));
        sent.push((&bad.topic, &bad.payload));
        expected.add(bad.end, old);
        let (code, channel) = match bad.end {
            End::Letter(code) => (code, ""),
            End::Undelivered(code) if old => (code, ""),
            End::Reading(code, channel) | End::StoredBeside(code, channel) => (code, channel),
            End::Duplicate | End::Revision | End::Undelivered(_) => continue,
        };
        wanted.push(letter(&bad.topic, code, channel, &bad.payload));
    }
    sent.push((SONDE.as_bytes(), good[bad.len()].as_bytes()));
    let neighbours = (first.len() + good.len()) as i64;
    expected.received += neighbours;
    expected.stored += neighbours;
    publish(broker.port(), &sent, false);
    until("all of them", || Sum::of(&weir).received >= expected.received);
    assert_eq!(Sum::of(&weir), expected);
    check_letters(&weir, wanted);
    check_stored(&weir, start, bad.len() as i64 + 3);

    // All of it was acknowledged: a new start is given nothing again, except what a broker of
    // 3.1.1 keeps, which it says at every subscription.
    weir.stop();
    weir.start();
    if old {
        expected.received += 2;
        expected.stored += 1;
        expected.rejected += 1;
        expected.late += 1;
    }
    until("the new start", || Sum::of(&weir).received >= expected.received);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(Sum::of(&weir), expected);
    weir.stop();
}

/// Every neighbour stands in the store with its value; so do the good readings of bad messages,
/// and what revised.
fn check_stored(weir: &Weir, start: i64, minutes: i64) {
    let neighbours = held(weir, "puhe-pudong/dissolved_oxygen");
    let times: Vec<i64> = neighbours.iter().map(|one| one.time.millis()).collect();
    assert_eq!(times, (0..minutes).map(|minute| start + minute * MINUTE).collect::<Vec<_>>());
    for (minute, one) in neighbours.iter().enumerate() {
        let value = if minute == 1 { 9.75 } else { oxygen(minute as i64) };
        assert_eq!((one.result, one.revision), (ObservationResult::Value(value), minute == 1));
    }
    let temperature = held(weir, "puhe-pingluo/water_temperature");
    assert_eq!(temperature.len(), 2, "beside what is no number, and what is beyond any");
    assert_eq!(held(weir, "setdz-air/carbon_monoxide").len(), 1);
    assert_eq!(held(weir, "puhe-pingluo/dissolved_oxygen"), []);
    let last_year = held(weir, "hunhe-dongling/dissolved_oxygen");
    assert_eq!(last_year[0].time, Timestamp(start - YEAR));
}

#[test]
fn every_bad_input_over_mqtt_5_ends_where_it_should_and_costs_no_neighbour() {
    check("5");
}

#[test]
fn every_bad_input_over_mqtt_3_1_1_ends_where_it_should_and_costs_no_neighbour() {
    check("3.1.1");
}

/// A broker that lets through what mosquitto refuses: a topic that is no text.
struct Script {
    port: u16,
    acked: Arc<Mutex<Vec<u16>>>,
}

impl Script {
    fn start(messages: Vec<(Vec<u8>, Vec<u8>)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let acked = Arc::new(Mutex::new(Vec::new()));
        let (seen, messages) = (Arc::clone(&acked), Arc::new(Mutex::new(messages)));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, messages) = (Arc::clone(&seen), Arc::clone(&messages));
                // It ends with its connection.
                std::thread::spawn(move || serve(stream, &messages, &seen).ok());
            }
        });
        Self { port, acked }
    }
}

fn receive(stream: &mut TcpStream) -> std::io::Result<(u8, Vec<u8>)> {
    let mut byte = [0];
    stream.read_exact(&mut byte)?;
    let kind = byte[0] >> 4;
    let (mut length, mut shift) = (0_usize, 0);
    loop {
        stream.read_exact(&mut byte)?;
        length |= usize::from(byte[0] & 0x7f) << shift;
        shift += 7;
        if byte[0] & 0x80 == 0 {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok((kind, body))
}

/// Grants everything, sends its messages once to whoever wants rivers, and notes the acks.
fn serve(
    mut stream: TcpStream,
    messages: &Mutex<Vec<(Vec<u8>, Vec<u8>)>>,
    acked: &Mutex<Vec<u16>>,
) -> std::io::Result<()> {
    let (_, connect) = receive(&mut stream)?;
    let old = connect[6] == 4;
    let rivers = connect.windows(11).any(|part| part == b"weir-rivers");
    stream.write_all(if old { &[0x20, 2, 0, 0] } else { &[0x20, 3, 0, 0, 0] })?;
    loop {
        let (kind, body) = receive(&mut stream)?;
        match kind {
            4 => acked.lock().unwrap().push(u16::from_be_bytes([body[0], body[1]])),
            8 => {
                let mut answer = vec![body[0], body[1]];
                answer.extend(if old { None } else { Some(0) });
                // As many as there are at most: one a pattern.
                let mut rest = &body[if old { 2 } else { 3 }..];
                while rest.len() > 2 {
                    let length = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
                    rest = &rest[length + 3..];
                    answer.push(1);
                }
                stream.write_all(&frame(0x90, &answer))?;
                let due =
                    if rivers { std::mem::take(&mut *messages.lock().unwrap()) } else { vec![] };
                let mut bytes = Vec::new();
                for (index, (topic, payload)) in due.iter().enumerate() {
                    let head = named(topic, u16::try_from(index).unwrap() + 1);
                    let properties: &[u8] = if old { &[] } else { &[0] };
                    bytes.extend(frame(0x32, &[&head, properties, payload].concat()));
                }
                stream.write_all(&bytes)?;
            }
            12 => stream.write_all(&[0xd0, 0])?,
            14 => return Ok(()),
            _ => {}
        }
    }
}

fn check_topic_that_is_no_text(protocol: &str) {
    let start = hours_ago(6);
    let (sonde, topic) = (SONDE.as_bytes().to_vec(), b"water/\xff\xfe/data");
    let script = Script::start(vec![
        (sonde.clone(), good(start, 0).into_bytes()),
        (topic.to_vec(), good(start, 1).into_bytes()),
        (sonde, good(start, 2).into_bytes()),
    ]);
    let mut weir = install(&format!("mqtt://127.0.0.1:{}", script.port), protocol);
    weir.start();
    until("all three", || *script.acked.lock().unwrap() == [1, 2, 3]);
    let expected = Sum { received: 3, stored: 2, rejected: 1, ..Sum::default() };
    assert_eq!(Sum::of(&weir), expected);
    let payload = good(start, 1);
    check_letters(&weir, vec![letter(topic, "topic_not_text", "", payload.as_bytes())]);
    assert_eq!(held(&weir, "puhe-pudong/dissolved_oxygen").len(), 2);
    weir.stop();
}

#[test]
fn a_topic_that_is_no_text_is_a_dead_letter_and_acknowledged_over_mqtt_5() {
    check_topic_that_is_no_text("5");
}

#[test]
fn a_topic_that_is_no_text_is_a_dead_letter_and_acknowledged_over_mqtt_3_1_1() {
    check_topic_that_is_no_text("3.1.1");
}
