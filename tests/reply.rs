//! Replies to devices over a real broker: after the commit, to those who ask again, and to nobody
//! who has given up.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, clippy::panic, reason = "a test waits by its own clock")]

mod peer;

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use peer::{Mosquitto, Process, Weir, get, until};
use rusqlite::Connection;
use sm4::Sm4;
use sm4::cipher::{BlockEncrypt as _, KeyInit as _};
use tempfile::TempDir;
use weir::domain::input::Qos;
use weir::mqtt::publisher::Publisher;

/// The station, and the topics on which it speaks and listens.
const MN: &str = "PUHE0000000000000000DY01";
const UP: &str = "hj212/PUHE0000000000000000DY01/up";
const DOWN: &str = "hj212/+/down";
/// How long nothing comes where nothing should.
const QUIET: Duration = Duration::from_millis(1_500);

/// A device's ear: what is said on a topic, as the broker delivers it.
struct Ear {
    _process: Process,
    folder: TempDir,
}

impl Ear {
    fn new(broker: &Mosquitto, topic: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let heard = fs::File::create(folder.path().join("heard")).unwrap();
        let process = Process::start(
            Command::new("stdbuf")
                .args(["-oL", "mosquitto_sub", "-p", &broker.port().to_string(), "-t", topic])
                .args(["-F", "%t %x", "-d"])
                .stdout(heard)
                .stderr(Stdio::null()),
        );
        let ear = Self { _process: process, folder };
        until("the ear", || ear.text().contains("SUBACK"));
        ear
    }

    fn text(&self) -> String {
        fs::read_to_string(self.folder.path().join("heard")).unwrap()
    }

    /// Gives what was heard: topic and payload.
    fn heard(&self) -> Vec<(String, Vec<u8>)> {
        let text = self.text();
        let of_messages = text.lines().filter_map(|line| line.split_once(' '));
        let messages = of_messages.filter(|(topic, _)| topic.contains('/'));
        let bytes = |hex: &str| {
            let digits: Vec<char> = hex.trim().chars().collect();
            let byte = |two: &[char]| u8::from_str_radix(&two.iter().collect::<String>(), 16).ok();
            digits.chunks(2).map(byte).collect::<Option<Vec<u8>>>()
        };
        messages.filter_map(|(topic, hex)| Some((topic.to_owned(), bytes(hex)?))).collect()
    }

    /// Gives the numbers under which frames were answered, each with the command of the answer.
    fn answers(&self) -> Vec<String> {
        let field = |frame: &str, name: &str| -> String {
            let rest = frame.split_once(name).unwrap().1;
            rest.split(';').next().unwrap().to_owned()
        };
        let frames = self.heard().into_iter().map(|(topic, payload)| {
            assert_eq!(topic, format!("hj212/{MN}/down"));
            String::from_utf8(payload).unwrap()
        });
        frames.map(|frame| field(&frame, "QN=") + " " + &field(&frame, "CN=")).collect()
    }

    #[track_caller]
    fn hears(&self, want: &[&str]) {
        until(&format!("{want:?}"), || self.answers().len() >= want.len());
        assert_eq!(self.answers(), want);
    }

    /// Nothing else comes.
    fn hears_no_more(&self, want: &[&str]) {
        std::thread::sleep(QUIET);
        assert_eq!(self.answers(), want);
    }
}

fn crc(data: &[u8]) -> u16 {
    data.iter().fold(0xFFFF, |sum: u16, byte| {
        (0..8).fold((sum >> 8) ^ u16::from(*byte), |sum, _| match sum & 1 {
            1 => (sum >> 1) ^ 0xA001,
            _ => sum >> 1,
        })
    })
}

/// A frame of the station with its number and flag, of so many minutes ago.
fn frame(qn: u32, flag: u8, minutes_ago: i64) -> String {
    let now = jiff::Timestamp::now().as_millisecond() - minutes_ago * 60_000;
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(8));
    let at: String = weir::domain::time::Timestamp(now).rfc3339(&zone);
    let at: String = at.chars().filter(char::is_ascii_digit).take(14).collect();
    let data = format!(
        "QN={qn};ST=21;CN=2011;PW=123456;MN={MN};Flag={flag};CP=&&DataTime={at};w01001-Rtd=7.6&&"
    );
    format!("##{:04}{data}{:04X}\r\n", data.len(), crc(data.as_bytes()))
}

/// Has a station of HJ 212 among the devices, which is acknowledged.
fn seed(weir: &Weir) {
    let add = |table: &str, row: &str| {
        let file = weir.folder().join("seeds").join(table);
        let text = fs::read_to_string(&file).unwrap();
        fs::write(file, format!("{text}{row}\n")).unwrap();
    };
    add(
        "devices.csv",
        &format!("rivers,{MN},puhe-daoyi,,frames,device,,edition=surface-water,,,,made for a test"),
    );
    add(
        "profiles.csv",
        "frames,sonde,ph,frames,w01001-Rtd,pH,1,number,continuous,,,instant,,5m,,made for a test",
    );
    add("devices.csv", "rivers,edge,puhe-huishan,,edge-node,device,,,,,,made for a test");
    add("devices.csv", "rivers,edge/sonde,puhe-huishan,,edge-sonde,device,,,,,,made for a test");
    add("profiles.csv", "edge-node,logger,ignored,,*,,,,,,,,,,,made for a test");
    add(
        "profiles.csv",
        "edge-sonde,probe,ph,edge,ph,pH,1,number,continuous,,,instant,,5m,,made for a test",
    );
    let row = "rivers,hj212/{device}/up,hj212,MN,,,,,,,ack=hj212/{device}/down,made for a test";
    let head =
        "network,pattern,format,device,time,time_unit,each,channel,value,unit,options,source";
    let energy = "parks,pulses/{device},json,,,,,,,,,made for a test";
    let topics = weir.folder().join("seeds/topics.csv");
    let node = "rivers,spBv1.0/park/{kind}/{device},sparkplug_b,,,,,,,,,made for a test";
    let sonde = "rivers,spBv1.0/park/{kind}/{node}/{device},sparkplug_b,,,,,,,,,made for a test";
    fs::write(topics, format!("{head}\n{row}\n{energy}\n{node}\n{sonde}\n")).unwrap();
}

async fn say(publisher: &Publisher, payload: &str) {
    publisher.publish(UP, payload.as_bytes().to_vec(), Qos::AtLeastOnce, false).await.unwrap();
    publisher.flush().await;
}

/// Keeps the journal from taking a batch, for as long as it is held.
fn block(weir: &Weir) -> Connection {
    let journal = Connection::open(weir.folder().join("data/journal.sqlite")).unwrap();
    journal.execute_batch("BEGIN IMMEDIATE").unwrap();
    journal
}

fn replies(weir: &Weir, outcome: &str) -> u64 {
    let (_, text) = get(weir.page(), "/metrics");
    let name = format!("weir_replies_total{{network=\"rivers\",outcome=\"{outcome}\"}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&name));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).trim_end_matches(".0").parse().unwrap()
}

fn install(broker: &Mosquitto) -> Weir {
    let mut weir = Weir::install(&broker.url(), "");
    seed(&weir);
    weir.start();
    weir
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_is_acknowledged_after_its_commit_and_again_when_it_comes_again() {
    let broker = Mosquitto::start("");
    let mut weir = install(&broker);
    let ear = Ear::new(&broker, DOWN);
    let publisher = Publisher::connect(&broker.url(), "station").unwrap();
    let first = frame(1, 9, 20);
    say(&publisher, &first).await;
    ear.hears(&["1 9014"]);
    say(&publisher, &first).await;
    ear.hears(&["1 9014", "1 9014"]);
    // One that does not ask, and one that is damaged.
    say(&publisher, &frame(2, 8, 15)).await;
    say(&publisher, &frame(3, 9, 10).replace("7.6", "7.7")).await;
    ear.hears_no_more(&["1 9014", "1 9014"]);
    let journal = block(&weir);
    say(&publisher, &frame(4, 9, 5)).await;
    ear.hears_no_more(&["1 9014", "1 9014"]);
    drop(journal);
    ear.hears(&["1 9014", "1 9014", "4 9014"]);
    assert_eq!(replies(&weir, "sent"), 3);
    let log = weir.log();
    weir.stop();
    assert!(!log.contains("123456"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_nothing_is_answered_that_was_before_and_what_comes_again_is() {
    let broker = Mosquitto::start("");
    let mut weir = install(&broker);
    let ear = Ear::new(&broker, DOWN);
    let publisher = Publisher::connect(&broker.url(), "station").unwrap();
    let first = frame(1, 9, 20);
    say(&publisher, &first).await;
    ear.hears(&["1 9014"]);
    let journal = block(&weir);
    say(&publisher, &frame(2, 9, 10)).await;
    std::thread::sleep(Duration::from_millis(500));
    weir.kill();
    drop(journal);
    ear.hears_no_more(&["1 9014"]);
    // The journal has the first frame; the second the broker delivers again.
    weir.start();
    ear.hears(&["1 9014", "2 9014"]);
    ear.hears_no_more(&["1 9014", "2 9014"]);
    assert_eq!((replies(&weir, "sent"), weir.count("/total/messages/received")), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_is_too_late_is_not_sent() {
    let mut broker = Mosquitto::start("");
    let mut weir = install(&broker);
    let ear = Ear::new(&broker, DOWN);
    let publisher = Publisher::connect(&broker.url(), "station").unwrap();
    let journal = block(&weir);
    say(&publisher, &frame(1, 9, 20)).await;
    std::thread::sleep(Duration::from_secs(31));
    drop(journal);
    until("the reply's end", || replies(&weir, "expired") == 1);
    say(&publisher, &frame(2, 9, 10)).await;
    ear.hears(&["2 9014"]);
    drop(ear);
    // While the broker is away a reply waits for it.
    let journal = block(&weir);
    say(&publisher, &frame(3, 9, 5)).await;
    std::thread::sleep(Duration::from_millis(500));
    broker.stop();
    drop(journal);
    until("the commit", || weir.count("/total/messages/received") == 3);
    broker.start_again(false);
    until("the reply", || replies(&weir, "sent") == 2);
    weir.stop();
}

/// A field of protocol buffers: a number, or bytes.
fn number(field: u8, mut value: u64) -> Vec<u8> {
    let mut out = vec![field << 3];
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

fn bytes(field: u8, bytes: &[u8]) -> Vec<u8> {
    [&[field << 3 | 2, bytes.len() as u8], bytes].concat()
}

/// A payload of Sparkplug with one metric, by name and alias or by alias alone.
fn payload(seq: u64, name: &str, alias: u64, value: f64) -> Vec<u8> {
    let name = if name.is_empty() { Vec::new() } else { bytes(1, name.as_bytes()) };
    let double = [&[13 << 3 | 1][..], &value.to_le_bytes()].concat();
    let metric = [name, number(2, alias), number(4, 10), double].concat();
    let now = jiff::Timestamp::now().as_millisecond().cast_unsigned();
    [number(1, now), bytes(2, &metric), number(3, seq)].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_birth_that_was_lost_is_asked_for_and_what_follows_it_is_read() {
    let broker = Mosquitto::start("");
    let mut weir = install(&broker);
    let ear = Ear::new(&broker, "spBv1.0/+/NCMD/+");
    let publisher = Publisher::connect(&broker.url(), "edge").unwrap();
    let say = async |kind: &str, payload: Vec<u8>| {
        let topic = format!("spBv1.0/park/{kind}");
        publisher.publish(&topic, payload, Qos::AtLeastOnce, false).await.unwrap();
        publisher.flush().await;
    };
    say("DDATA/edge/sonde", payload(7, "", 1, 7.6)).await;
    until("the question", || ear.heard().len() == 1);
    let (topic, asked) = ear.heard().remove(0);
    assert_eq!(topic, "spBv1.0/park/NCMD/edge");
    let words = String::from_utf8_lossy(&asked).into_owned();
    assert!(words.contains("Node Control/Rebirth") && asked.ends_with(&[4 << 3, 11, 14 << 3, 1]));
    say("NBIRTH/edge", payload(0, "bdSeq", 0, 1.0)).await;
    say("DBIRTH/edge/sonde", payload(1, "ph", 1, 7.5)).await;
    say("DDATA/edge/sonde", payload(2, "", 1, 7.6)).await;
    until("the readings", || weir.count("/total/readings/stored") == 2);
    // A gap after the births, soon after the first question.
    say("DDATA/edge/sonde", payload(9, "", 1, 7.7)).await;
    until("the gap", || weir.count("/total/readings/rejected") == 2);
    std::thread::sleep(QUIET);
    assert_eq!(ear.heard().len(), 1, "it was asked just now");
    // What weir is told of its own question is no reading, and a restart asks nothing again.
    weir.kill();
    weir.start();
    std::thread::sleep(QUIET);
    assert_eq!((ear.heard().len(), weir.count("/total/readings/received")), (1, 4));
    weir.stop();
}

/// What the broker keeps of a host's state.
fn state(broker: &Mosquitto) -> serde_json::Value {
    let output = Command::new("mosquitto_sub")
        .args(["-p", &broker.port().to_string(), "-t", "spBv1.0/STATE/bureau"])
        .args(["-C", "1", "-W", "2"])
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_of_sparkplug_is_online_while_it_is_there_and_says_since_when() {
    for protocol in ["5", "3.1.1"] {
        let broker = Mosquitto::start("");
        let mut weir = Weir::install(&broker.url(), "");
        let id = "client_id = 'weir-parks'\n";
        let host = format!("{id}sparkplug_host = 'bureau'\nprotocol = '{protocol}'\n");
        weir.configure(id, &host);
        weir.start();
        let began = jiff::Timestamp::now().as_millisecond();
        until("the birth", || state(&broker)["online"] == true);
        let birth = state(&broker)["timestamp"].as_i64().unwrap();
        assert!((began - birth).abs() < 60_000, "{birth}");
        // Somebody says that it is gone, such as the will of a session before.
        let publisher = Publisher::connect(&broker.url(), "somebody").unwrap();
        let gone = br#"{"online":false,"timestamp":1}"#.to_vec();
        let topic = "spBv1.0/STATE/bureau";
        publisher.publish(topic, gone, Qos::AtLeastOnce, true).await.unwrap();
        publisher.flush().await;
        until("the contradiction", || state(&broker)["timestamp"] == birth);
        assert_eq!(state(&broker)["online"], true);
        weir.kill();
        until("the will", || state(&broker)["online"] == false);
        assert_eq!(state(&broker)["timestamp"], birth, "the will is of its birth");
        weir.start();
        until("the second birth", || state(&broker)["online"] == true);
        assert!(state(&broker)["timestamp"].as_i64().unwrap() > birth);
        weir.stop();
        assert_eq!(state(&broker)["online"], false);
        assert_eq!(weir.count("/total/messages/received"), 0, "it is no message");
    }
}

/// The frame, its parameters encrypted by a key: length and CRC stay those of the plain one.
fn sealed(frame: &str, key: &[u8; 16]) -> String {
    let (head, rest) = frame.split_once("CP=&&").unwrap();
    let (parameters, end) = rest.split_once("&&").unwrap();
    let whole = parameters.len() / 16 * 16;
    let mut blocks = parameters.as_bytes()[..whole].to_vec();
    let cipher = Sm4::new(key.into());
    for block in blocks.chunks_exact_mut(16) {
        cipher.encrypt_block(block.into());
    }
    let hex: Vec<String> = blocks.iter().map(|byte| format!("0x{byte:02X}")).collect();
    format!("{head}CP=&&{{{}}}{}&&{end}", hex.join(","), &parameters[whole..])
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_station_encrypts_is_read_by_its_key_and_played_again_without() {
    let (key, word) = (b"0123456789abcdef", "30313233343536373839616263646566");
    let broker = Mosquitto::start("");
    let mut weir = Weir::install(&broker.url(), "");
    seed(&weir);
    let id = "client_id = 'weir-rivers'\n";
    let with_keys = format!("{id}hj212_keys_file = 'keys'\n");
    weir.configure(id, &with_keys);
    let file = weir.folder().join("keys");
    fs::write(&file, format!("{MN} {word}0\n")).unwrap();
    let (sound, said) = weir.command(&["check"]);
    assert!(!sound && said.contains("keys:1: ") && !said.contains(word), "{said}");
    fs::write(&file, format!("{MN} {word}\n")).unwrap();
    let (sound, said) = weir.command(&["check"]);
    assert!(sound, "{said}");
    weir.start();
    let ear = Ear::new(&broker, DOWN);
    let publisher = Publisher::connect(&broker.url(), "station").unwrap();
    let first = sealed(&frame(1, 9, 20), key);
    assert!(!first.contains("w01001"), "{first}");
    say(&publisher, &first).await;
    ear.hears(&["1 9014"]);
    say(&publisher, &first).await;
    ear.hears(&["1 9014", "1 9014"]);
    say(&publisher, &sealed(&frame(2, 9, 10), b"another key of16")).await;
    until("the dead letter", || weir.count("/total/messages/rejected") == 1);
    let (_, letters) = weir.command(&["dead-letters", "ls"]);
    assert!(letters.contains("encrypted (SM4"), "{letters}");
    // What was opened stands open in the journal: a start without the key comes to the same.
    let counted = weir.ledger()["total"].clone();
    weir.kill();
    weir.configure(&with_keys, id);
    weir.start();
    assert_eq!(weir.ledger()["total"], counted);
    say(&publisher, &frame(3, 9, 5)).await;
    ear.hears(&["1 9014", "1 9014", "3 9014"]);
    assert_eq!(weir.count("/total/readings/stored"), 2);
    // What no key opened, alone or beside what was sound, is taken once its key is there.
    let late = sealed(&frame(5, 8, 3), b"another key of16");
    say(&publisher, &format!("{}{late}", frame(4, 8, 4))).await;
    until("its plain half", || weir.count("/total/readings/stored") == 3);
    weir.stop();
    fs::write(&file, format!("{MN} {word}\n{MN} another key of16\n")).unwrap();
    weir.configure(id, &with_keys);
    weir.start();
    let (_, said) = weir.command(&["dead-letters", "retry", "1", "2"]);
    assert!(said.contains("2 ended well"), "{said}");
    until("both", || weir.count("/total/readings/stored") == 5);
    assert_eq!(weir.count("/total/readings/rejected"), 0);
    let log = weir.log();
    assert!(!log.contains(word) && !log.contains("0123456789abcdef"), "{log}");
    weir.stop();
}
