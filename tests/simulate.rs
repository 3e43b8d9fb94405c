//! Simulated devices of every format: what they say is what weir reads, told to the pipeline without
//! a broker, and over a real one into a real database.
#![cfg(feature = "demo")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, reason = "a test asks its own clock")]

mod peer;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use peer::{Influx, Mosquitto, Weir, until};
use proptest::prelude::*;
use weir::domain::input::{Arrival, Condition, Input, Message, Qos};
use weir::domain::judgement::Judgement;
use weir::domain::ledger::{Ledger, Outcome};
use weir::domain::name::{NameKind, Names, NetworkId};
use weir::domain::quality::Flag;
use weir::domain::registry::Registry;
use weir::domain::time::{HOUR, Moment, SECOND, Timestamp};
use weir::mqtt::publisher::{Heard, Manner, Publisher};
use weir::pipeline::{Pipeline, Processed};
use weir::seed::compile;
use weir::simulate::dialect::Dialect;
use weir::simulate::encode::sparkplug_b::Proto;
use weir::simulate::encode::{Publication, hj212};
use weir::simulate::fleet::{Fleet, Schedule, Told};
use weir::simulate::seeds::{NETWORK, tables};

/// 2026-05-01T08:00:00+08:00.
const START: Timestamp = Timestamp(1_777_593_600_000);

/// Station, property, time, and the value in the property's own unit to nine digits.
type Value = (String, String, i64, String);

fn canonical(value: f64, unit: &str) -> String {
    let per = if ["W", "Wh", "L/s"].contains(&unit) { 1_000.0 } else { 1.0 };
    format!("{:.8e}", value / per)
}

/// A pipeline that has the seeds of a simulation, and what it made of messages.
struct Reader {
    registry: Arc<Registry>,
    network: NetworkId,
    pipeline: Pipeline,
    out: Processed,
    ledger: Ledger,
    read: Vec<Value>,
    refused: Vec<String>,
    doubted: Vec<String>,
    packet: u16,
}

impl Reader {
    fn new(fleet: &Fleet, start: Timestamp) -> Self {
        let (networks, mut names) = ([NETWORK.to_owned()], Names::default());
        let tables = tables(fleet, 10 * SECOND);
        let registry = compile(&tables, Judgement::default(), &networks, &mut names).unwrap();
        let registry = Arc::new(registry);
        let network = NetworkId(names.id(NameKind::Network, NETWORK));
        let mut pipeline =
            Pipeline::new(Arc::clone(&registry), Moment { wall: start, elapsed_ms: 0 });
        let mut out = Processed::default();
        let input = Input::Condition(Condition::Connected(network));
        let at = Moment { wall: start, elapsed_ms: 0 };
        pipeline.process(&Arrival { at, input }, &mut out);
        Self {
            registry,
            network,
            pipeline,
            out,
            ledger: Ledger::default(),
            read: Vec::new(),
            refused: Vec::new(),
            doubted: Vec::new(),
            packet: 0,
        }
    }

    fn hear(&mut self, publication: &Publication, at: Timestamp) -> Outcome {
        self.packet = self.packet % 60_000 + 1;
        let message = Message {
            network: self.network,
            packet_id: self.packet,
            dup: false,
            retain: false,
            qos: Qos::AtLeastOnce,
            topic: publication.topic.as_bytes(),
            payload: &publication.payload,
            fault: None,
        };
        let at = Moment { wall: at, elapsed_ms: at.since(START).max(0) };
        self.pipeline.process(&Arrival { at, input: Input::Message(message) }, &mut self.out);
        let fate = self.out.fate.unwrap();
        self.ledger += fate.ledger;
        let topic = &publication.topic;
        let refused = self.out.rejects.drain(..);
        self.refused.extend(refused.map(|letter| format!("{topic}: {}", letter.reason)));
        for qualified in self.out.observations.drain(..) {
            let observation = &qualified.observation;
            let Some(value) = observation.result.number() else { continue };
            let stream = self.registry.datastream(observation.datastream).unwrap();
            let station = self.registry.station(stream.station).unwrap().name.to_string();
            let property = self.registry.property(stream.property).unwrap().name.to_string();
            let time = observation.phenomenon_time.start().millis();
            if qualified.quality.roll_up() != Flag::Pass {
                self.doubted.push(format!("{station}/{property}: {:?}", qualified.quality));
            }
            self.read.push((station, property, time, format!("{value:.8e}")));
        }
        fate.outcome
    }
}

fn expected(told: &Told, arrival: Timestamp) -> Value {
    let at = if told.dated { told.at } else { arrival };
    let value = canonical(told.value, &told.unit);
    (told.station.clone(), told.property.to_string(), at.millis(), value)
}

/// Has stations of these formats speak so many times each, and gives what they said and what weir
/// read.
fn spoken(dialects: &[Dialect], stations: u32, seed: u64, start: Timestamp, turns: u64) -> Reader {
    let mut fleet = Fleet::new(dialects, stations, seed, false).unwrap();
    let mut reader = Reader::new(&fleet, start);
    let mut want = Vec::new();
    if let Some(birth) = fleet.birth(0, start) {
        reader.hear(&birth, start);
    }
    let mut schedule = Schedule::new(fleet.len(), fleet.len() as f64 / 10.0, start);
    for _ in 0..turns * fleet.len() as u64 {
        let due = schedule.due();
        let said = fleet.speak(schedule.step(), due);
        assert!(!said.publications.is_empty());
        for publication in &said.publications {
            assert_eq!(reader.hear(publication, due), Outcome::Stored, "{}", publication.topic);
        }
        want.extend(said.told.iter().map(|told| expected(told, due)));
    }
    assert_eq!(reader.refused, [] as [String; 0]);
    assert!(reader.ledger.balances());
    want.sort();
    reader.read.sort();
    assert_eq!(reader.read, want);
    reader
}

#[test]
fn each_format_alone_is_read_as_it_was_said() {
    for (word, dialect) in Dialect::WORDS {
        let reader = spoken(&[dialect], 2, 1, START, 3);
        assert!(reader.read.len() >= 24, "{word}: {}", reader.read.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn what_is_said_at_any_time_of_any_world_is_what_is_read(
        seed: u64,
        stations in 1_u32..4,
        start in 0_i64..365 * 24 * 3_600_000,
    ) {
        let all: Vec<Dialect> = Dialect::WORDS.iter().map(|(_, dialect)| *dialect).collect();
        spoken(&all, stations, seed, START.plus(start), 3);
    }
}

#[test]
fn an_analyser_tells_a_sample_and_the_next_after_four_hours() {
    let dialects = Dialect::named("hj212-surface-water");
    let mut fleet = Fleet::new(&dialects, 1, 1, false).unwrap();
    let frames = |fleet: &mut Fleet, at: i64| fleet.speak(0, START.plus(at)).publications.len();
    // 08:00 begins a cycle; so does 12:00.
    assert_eq!(frames(&mut fleet, 0), 2);
    assert_eq!(frames(&mut fleet, 10 * SECOND), 1);
    assert_eq!(frames(&mut fleet, 4 * HOUR - SECOND), 1);
    assert_eq!(frames(&mut fleet, 4 * HOUR), 2);
    // With the seventh message it is told again, and is a duplicate to who heard it.
    assert_eq!(frames(&mut fleet, 4 * HOUR + 10 * SECOND), 1);
    assert_eq!(frames(&mut fleet, 4 * HOUR + 20 * SECOND), 1);
    let mut reader = Reader::new(&fleet, START);
    let at = START.plus(4 * HOUR + 30 * SECOND);
    let again = fleet.speak(0, at);
    assert_eq!((again.publications.len(), again.told.len()), (2, 5));
    let outcomes = |reader: &mut Reader| {
        again.publications.iter().map(|one| reader.hear(one, at)).collect::<Vec<_>>()
    };
    assert_eq!(outcomes(&mut reader), [Outcome::Stored, Outcome::Stored]);
    assert_eq!(outcomes(&mut reader), [Outcome::Duplicate, Outcome::Duplicate]);
}

#[test]
fn the_same_number_is_the_same_world_and_another_is_another() {
    let all = Dialect::named("all");
    let said = |seed| {
        let mut fleet = Fleet::new(&all, 2, seed, true).unwrap();
        (0..fleet.len()).map(|index| fleet.speak(index, START)).collect::<Vec<_>>()
    };
    assert_eq!(said(7), said(7));
    assert_ne!(said(7), said(8));
}

#[test]
fn an_invented_world_passes_every_test_and_meets_every_limit() {
    let all = Dialect::named("all");
    let mut fleet = Fleet::new(&all, 1, 3, false).unwrap();
    let mut reader = Reader::new(&fleet, START);
    reader.hear(&fleet.birth(0, START).unwrap(), START);
    // Two days, each device every half an hour.
    let mut schedule = Schedule::new(fleet.len(), fleet.len() as f64 / 1_800.0, START);
    for _ in 0..96 * fleet.len() {
        let due = schedule.due();
        for publication in fleet.speak(schedule.step(), due).publications {
            reader.hear(&publication, due);
            assert!(reader.out.alerts.is_empty(), "{:?}", reader.out.alerts);
        }
    }
    assert!(reader.read.len() > 8_000);
    assert_eq!(reader.doubted, [] as [String; 0]);
}

/// Runs `weir simulate` and gives what it said.
#[track_caller]
fn simulate(broker: &Mosquitto, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["simulate", "--broker", &broker.url()])
        .args(arguments)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// An installation that has the seeds that the simulation wrote.
fn install(broker: &Mosquitto, trial: &Path, more: &str) -> Weir {
    let weir = Weir::install(&broker.url(), "");
    fs::remove_dir_all(weir.folder().join("seeds")).unwrap();
    peer::copy(&trial.join("seeds"), &weir.folder().join("seeds"));
    let text = fs::read_to_string(trial.join("weir.toml")).unwrap();
    let text = format!("{text}[http]\nlisten = '127.0.0.1:{}'\n{more}", weir.page());
    fs::write(weir.folder().join("weir.toml"), text).unwrap();
    weir
}

/// Gives what was told of each station and property: times, ms, and values in canonical units; and
/// whether the times are the devices'.
fn told(file: &Path) -> BTreeMap<(String, String, bool), Vec<(i64, f64)>> {
    let mut told: BTreeMap<_, Vec<(i64, f64)>> = BTreeMap::new();
    for row in csv::Reader::from_path(file).unwrap().records() {
        let row = row.unwrap();
        let at: jiff::Timestamp = row[0].parse().unwrap();
        let value = canonical(row[4].parse().unwrap(), &row[5]).parse().unwrap();
        let key = (row[2].to_owned(), row[3].to_owned(), &row[1] == "device");
        told.entry(key).or_default().push((at.as_millisecond(), value));
    }
    told
}

#[test]
fn every_format_at_once_arrives_in_the_database_as_it_was_said() {
    let (broker, influx) = (Mosquitto::start(""), Influx::start());
    let folder = tempfile::TempDir::new().unwrap();
    let (trial, log) = (folder.path().join("trial"), folder.path().join("told.csv"));
    let [trial_word, log_word] = [&trial, &log].map(|path| path.to_str().unwrap());
    let all = ["--format", "all", "--rate", "22", "--acknowledge"];
    let all = [&all[..], &["--seeds", trial_word, "--told", log_word]].concat();
    let (fine, said) = simulate(&broker, &[&all[..], &["--for", "0s"]].concat());
    assert!(fine && said.contains("weir run --config"), "{said}");
    let mut weir = install(&broker, &trial, &influx.config());
    let (sound, words) = weir.command(&["check"]);
    assert!(sound && words.contains("22 stations, 23 devices"), "{words}");
    weir.start();

    // The seeds are there already, and the same.
    let (fine, said) = simulate(&broker, &[&all[..], &["--for", "8s"]].concat());
    assert!(fine && said.contains("sparkplug_b: born 1 times, asked for 0"), "{said}");
    // Each logger was acknowledged after the commit, each frame once.
    let [asked, acknowledged, others @ ..] = answers(&said);
    assert!(asked > 28 && acknowledged == asked && others == [0; 4], "{said}");
    let told = told(&log);
    let values: usize = told.values().map(Vec::len).sum();
    assert!(told.len() >= 108 && values > 600, "{} series, {values} values", told.len());
    // Of Sparkplug, the death of the node says that its values are missing.
    until("all values", || weir.count("/total/readings/stored") >= values as i64);
    until("all points", || weir.count("/influx/waiting_points") == 0);
    for ((station, property, dated), said) in &told {
        let medium = if said_by_meter(station) { "energy" } else { "water" };
        let total = if property == "electricity_energy" { "_total" } else { "" };
        let query =
            format!("SELECT \"{property}{total}\" FROM \"{medium}\" WHERE station = '{station}'");
        let rows = influx.query(&query);
        let found: Vec<(i64, f64)> =
            rows.iter().map(|row| (row[0].as_i64().unwrap(), row[1].as_f64().unwrap())).collect();
        assert_eq!(found.len(), said.len(), "{station}/{property}: {found:?}, said {said:?}");
        for ((at, value), (said_at, said_value)) in found.iter().zip(said) {
            assert!((value - said_value).abs() <= 1e-7 * said_value.abs(), "{station}/{property}");
            let apart = if *dated { 0 } else { 2_000 };
            assert!((at - said_at).abs() <= apart, "{station}/{property} at {at}, {said_at}");
        }
    }
    weir.stop();
    let ledger = weir.ledger();
    assert_eq!(ledger["balances"], true);
    let count = |of: &str| weir.count(&format!("/total/messages/{of}"));
    // A cabinet told its sample twice.
    assert_eq!((count("rejected"), count("duplicate")), (0, 1), "{ledger}");
    assert_eq!(weir.count("/total/readings/rejected"), 0, "{ledger}");
    let sent = said.lines().find_map(|line| line.split_once(" messages sent, ")).unwrap().0;
    assert_eq!(count("received").to_string(), sent.rsplit(' ').next().unwrap());
}

/// Gives what loggers tell at the end: how many frames asked, were acknowledged, once more, were sent
/// again and given up, and how many answers were not understood.
#[track_caller]
fn answers(said: &str) -> [u64; 6] {
    let line = said.lines().find_map(|line| line.strip_prefix("hj212: ")).unwrap();
    let numbers = line.split(|one: char| !one.is_ascii_digit());
    let numbers: Vec<u64> = numbers.filter_map(|number| number.parse().ok()).collect();
    numbers.try_into().unwrap()
}

#[test]
fn a_lost_birth_is_asked_for_again_and_a_description_was_kept() {
    let broker = Mosquitto::start("");
    let folder = tempfile::TempDir::new().unwrap();
    let trial = folder.path().join("trial");
    let (url, word) = (broker.url(), trial.display().to_string());
    let station = std::thread::spawn(move || {
        Command::new(env!("CARGO_BIN_EXE_weir"))
            .args(["simulate", "--broker", &url, "--format", "sparkplug_b", "--format", "homie"])
            .args(["--stations", "2", "--rate", "4", "--for", "12s", "--seeds", &word])
            .output()
            .unwrap()
    });
    // Nodes and devices are born, and say what they are, before weir hears anything.
    std::thread::sleep(Duration::from_secs(3));
    let mut weir = install(&broker, &trial, "");
    weir.start();
    let output = station.join().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("born 2 times, asked for 1 times"), "{said}");
    until("the last message", || weir.count("/total/messages/received") > 60);
    weir.stop();
    let ledger = weir.ledger();
    assert_eq!(ledger["balances"], true);
    let readings = |pattern: &str, of: &str| -> i64 {
        let patterns = ledger["patterns"].as_array().unwrap();
        let found = patterns.iter().find(|one| one["pattern"].as_str().unwrap().contains(pattern));
        found.unwrap()["ledger"]["readings"][of].as_i64().unwrap()
    };
    // Two devices of each, five values a second; what came by alias before the birth is refused.
    let sparkplug = "spBv1.0/weir/{kind}/{node}/{device}";
    assert!(readings(sparkplug, "stored") > 40 && readings(sparkplug, "rejected") <= 20);
    let homie = "homie/5/{device}/{place}/{place}";
    assert!(readings(homie, "stored") > 40 && readings(homie, "rejected") == 0, "{ledger}");
}

fn said_by_meter(station: &str) -> bool {
    ["tasmota", "shelly", "zigbee", "usr"].iter().any(|meter| station.contains(meter))
}

/// A platform that answers each frame of HJ 212 it hears, from the second on, and has the node of
/// Sparkplug be born again once; gives how many times each was heard.
async fn platform(broker: &Mosquitto, length: Duration) -> BTreeMap<String, usize> {
    let text = format!("network = 'n'\nurl = '{}'\nclient_id = 'platform'", broker.url());
    let config = toml::from_str(&text).unwrap();
    let hears = vec!["hj212/+/up".to_owned(), "spBv1.0/weir/#".to_owned()];
    let (platform, mut heard) =
        Publisher::join(&config, Manner { hears, ..Manner::default() }).unwrap();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let listening = async {
        while let Some(Heard { topic, payload }) = heard.recv().await {
            let text = String::from_utf8_lossy(&payload).into_owned();
            let field = |name: &str| {
                let from = text.split_once(&format!("{name}=")).map_or("", |(_, rest)| rest);
                from.split(';').next().unwrap_or("").to_owned()
            };
            let what = topic.split('/').nth(2).unwrap().to_owned();
            *seen.entry(what.clone()).or_default() += 1;
            let answer = if what == "up" {
                let (qn, mn) = (field("QN"), field("MN"));
                let flag = field("Flag").parse::<u8>().unwrap();
                assert_eq!(flag & 1, 1, "it asks: {text}");
                let data =
                    format!("QN={qn};ST=91;CN=9014;PW=123456;MN={mn};Flag={};CP=&&&&", flag & !3);
                let topic = topic.replace("/up", "/down");
                (seen["up"] > 1).then(|| (topic, hj212::frame(data.as_bytes())))
            } else {
                let rebirth = Proto::default().bytes(1, b"Node Control/Rebirth").number(14, 1);
                let command = Proto::default().bytes(2, &rebirth.0).0;
                let first = what == "DDATA" && seen[&what] == 1;
                first.then(|| ("spBv1.0/weir/NCMD/sim".to_owned(), command))
            };
            if let Some((topic, payload)) = answer {
                platform.publish(&topic, payload, Qos::AtLeastOnce, false).await.unwrap();
            }
        }
    };
    tokio::time::timeout(length, listening).await.ok();
    platform.close().await;
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn loggers_hear_their_acknowledgements_and_the_node_is_born_again_when_asked() {
    let broker = Mosquitto::start("");
    let url = broker.url();
    let station = tokio::task::spawn_blocking(move || {
        std::thread::sleep(Duration::from_secs(1));
        Command::new(env!("CARGO_BIN_EXE_weir"))
            .args(["simulate", "--broker", &url, "--acknowledge", "--rate", "5", "--for", "14s"])
            .args(["--format", "hj212", "--format", "sparkplug_b"])
            .output()
            .unwrap()
    });
    let seen = platform(&broker, Duration::from_secs(18)).await;
    let output = station.await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("born 2 times, asked for 1 times"), "{said}");
    // The first was not answered, and was sent again.
    let [asked, acknowledged, others @ ..] = answers(&said);
    assert_eq!((acknowledged, others), (asked, [0, 1, 0, 0]), "{said}");
    assert_eq!(seen["up"] as u64, asked + 1, "{seen:?}");
    assert_eq!((seen["NBIRTH"], seen["DBIRTH"], seen["NDEATH"]), (2, 2, 1), "{seen:?}");
}

#[test]
fn a_node_that_is_killed_leaves_its_death_to_the_broker() {
    let broker = Mosquitto::start("");
    let port = broker.port().to_string();
    let mut hearing = Command::new("mosquitto_sub")
        .args(["-p", &port, "-t", "spBv1.0/weir/NDEATH/sim", "-C", "1", "-W", "30", "-F", "%t %x"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut node = peer::Process::start(
        Command::new(env!("CARGO_BIN_EXE_weir"))
            .args(["simulate", "--broker", &broker.url(), "--format", "sparkplug_b"])
            .stdout(std::process::Stdio::null()),
    );
    std::thread::sleep(Duration::from_secs(2));
    node.kill();
    assert!(hearing.wait().unwrap().success());
    let mut said = String::new();
    std::io::Read::read_to_string(&mut hearing.stdout.unwrap(), &mut said).unwrap();
    // One metric: `bdSeq`, of type 8 (UInt64), 0.
    assert_eq!(said.trim(), "spBv1.0/weir/NDEATH/sim 120b0a05626453657120085800");
}

#[test]
fn a_series_is_played_with_its_own_times_or_from_now() {
    let broker = Mosquitto::start("");
    let folder = tempfile::TempDir::new().unwrap();
    let (series, log) = (folder.path().join("series.csv"), folder.path().join("told.csv"));
    let rows = "time,ph,NH3-N[ug/L]\n2026-05-01 08:00:00,7.61,620\n\
                2026-05-01 08:05:00,7.62,\n2026-05-01 08:10:00,,640\n";
    fs::write(&series, rows).unwrap();
    let [series, log_word] = [&series, &log].map(|path| path.to_str().unwrap());
    let play = |more: &[&str]| {
        let formats = ["--format", "json", "--format", "hj212-2017", "--format", "sparkplug_b"];
        let play = ["--play", series, "--told", log_word];
        simulate(&broker, &[&formats[..], &play[..], more].concat())
    };
    let (fine, said) = play(&["--speed", "300"]);
    assert!(fine, "{said}");
    let minute = 60_000;
    let want = [(START.0, 7.61), (START.0 + 5 * minute, 7.62)];
    let heard = told(&log);
    assert_eq!(heard.len(), 6);
    for station in ["sim-json-1", "sim-hj212-2017-1", "sim-sparkplug-b-1"] {
        assert_eq!(heard[&(station.to_owned(), "ph".to_owned(), true)], want);
    }

    let (fine, said) = play(&["--shift-to-now", "--for", "1s"]);
    assert!(fine, "{said}");
    let first = told(&log)[&("sim-json-1".to_owned(), "ph".to_owned(), true)][0];
    let now = jiff::Timestamp::now().as_millisecond();
    assert!((now - 10_000..=now).contains(&first.0), "{first:?}");
    assert!(told(&log).values().all(|said| said.len() == 1), "the second row is not due yet");

    let (fine, said) = simulate(&broker, &["--format", "shelly", "--play", series]);
    assert!(!fine && said.contains("shelly-gen1 has no word for ph"), "{said}");
}

#[test]
fn a_series_that_is_played_waits_for_weir_whose_clock_is_its_own() {
    let (broker, influx) = (Mosquitto::start(""), Influx::start());
    let folder = tempfile::TempDir::new().unwrap();
    let (series, trial) = (folder.path().join("series.csv"), folder.path().join("trial"));
    let rows = (0..60).map(|minute| format!("2026-05-01T08:{minute:02}:00+08:00,7.{minute:02}\n"));
    fs::write(&series, format!("time,pH\n{}", rows.collect::<String>())).unwrap();
    let [series, word] = [&series, &trial].map(|path| path.display().to_string());
    let url = broker.url();
    let station = std::thread::spawn(move || {
        Command::new(env!("CARGO_BIN_EXE_weir"))
            .args(["simulate", "--broker", &url, "--format", "tasmota", "--play", &series])
            .args(["--speed", "600", "--seeds", &word])
            .output()
            .unwrap()
    });
    until("the seeds", || trial.join("weir.toml").exists());
    let mut weir = install(&broker, &trial, &influx.config());
    std::thread::sleep(Duration::from_secs(2));
    weir.start_with(&["--clock-start", "2026-05-01T00:00:00Z", "--speed", "600"]);
    let output = station.join().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("--clock-start 2026-05-01T00:00:00+00:00 --speed 600"), "{said}");
    let points = || influx.query("SELECT ph, ph_qc FROM water WHERE station = 'sim-tasmota-1'");
    until("60 points", || points().len() == 60);
    for (minute, row) in points().iter().enumerate() {
        let at = START.0 + minute as i64 * 60_000;
        let value = 7.0 + minute as f64 / 100.0;
        assert_eq!(row[0].as_i64(), Some(at));
        assert!((row[1].as_f64().unwrap() - value).abs() < 1e-9 && row[2].is_null(), "{row:?}");
    }
    weir.stop();
}

#[test]
fn what_can_not_be_is_refused_with_what_to_do() {
    let broker = Mosquitto::start("");
    let folder = tempfile::TempDir::new().unwrap();
    let trial = folder.path().to_str().unwrap();
    let check = |arguments: &[&str], words: &str| {
        let (fine, said) = simulate(&broker, arguments);
        assert!(!fine && said.contains(words), "{said}");
    };
    check(&["--format", "hj211"], "expected `all` or of json, hj212-2005");
    check(&["--format", "json", "--rate", "3"], "give more --stations");
    check(&["--format", "json", "--stations", "10001"], "10000");
    check(&["--format", "json", "--rate", "0.00001"], "less than one a day");
    check(&["--format", "json", "--user", "u", "--password-env", "NOT_THERE"], "NOT_THERE");
    check(&["--format", "json", "--password-file", "x"], "--user");
    fs::write(folder.path().join("weir.toml"), "# mine\n").unwrap();
    check(&["--format", "json", "--seeds", trial], "name another folder");
    assert_eq!(fs::read_to_string(folder.path().join("weir.toml")).unwrap(), "# mine\n");
}

/// Makes an authority and a certificate of `localhost` by it: `ca.pem`, `broker.pem`, `broker.key`.
fn certify(folder: &Path) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).unwrap();
    fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
    let issuer = rcgen::Issuer::new(params, key);
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    fs::write(folder.join("broker.pem"), certificate.pem()).unwrap();
    fs::write(folder.join("broker.key"), key.serialize_pem()).unwrap();
}

#[test]
fn a_broker_with_tls_and_users_takes_a_simulation_and_weir_the_same_settings() {
    let folder = tempfile::TempDir::new().unwrap();
    certify(folder.path());
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("secret"), "correct horse\n").unwrap();
    let made = Command::new("mosquitto_passwd")
        .args(["-b", "-c", &path("users"), "meter", "correct horse"])
        .status()
        .unwrap();
    assert!(made.success());
    let broker = Mosquitto::start(&format!(
        "allow_anonymous false\npassword_file {}\ncafile {}\ncertfile {}\nkeyfile {}",
        path("users"),
        path("ca.pem"),
        path("broker.pem"),
        path("broker.key")
    ));
    let (url, trial) = (format!("mqtts://localhost:{}", broker.port()), path("trial"));
    let simulate = || {
        Command::new(env!("CARGO_BIN_EXE_weir"))
            .args(["simulate", "--format", "csv", "--for", "1s", "--broker", &url])
            .args(["--user", "meter", "--password-file", &path("secret"), "--seeds", &trial])
            .args(["--ca-file", &path("ca.pem")])
            .output()
            .unwrap()
    };
    let output = simulate();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let check = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["check", "--connect", "--config", &format!("{trial}/weir.toml")])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&check.stdout);
    assert!(check.status.success() && said.contains("reached"), "{said}");
    assert!(!fs::read_to_string(format!("{trial}/weir.toml")).unwrap().contains("horse"));
    fs::write(path("secret"), "wrong horse\n").unwrap();
    let output = simulate();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("does not let the simulation in"), "{said}");
}

#[test]
fn a_broker_that_comes_back_hears_another_birth_and_loses_nothing() {
    let mut broker = Mosquitto::start("");
    let url = broker.url();
    let station = std::thread::spawn(move || {
        Command::new(env!("CARGO_BIN_EXE_weir"))
            .args(["simulate", "--broker", &url, "--rate", "2", "--for", "8s"])
            .args(["--format", "json", "--format", "sparkplug_b"])
            .output()
            .unwrap()
    });
    std::thread::sleep(Duration::from_secs(3));
    broker.stop();
    std::thread::sleep(Duration::from_secs(1));
    broker.start_again(false);
    let output = station.join().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "not all were confirmed: {said}");
    assert!(said.contains("born 2 times"), "{said}");
}
