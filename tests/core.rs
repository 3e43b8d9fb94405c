//! The core of the daemon without its threads: what a batch holds when it is handed over.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod play;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::tz::TimeZone;
use tempfile::TempDir;
use tokio::sync::mpsc;
use weir::daemon::core::{
    BATCH_BYTES_MAX, BATCH_MESSAGES_MAX, BATCHES_MAX, Core, Load, Settings, Store, Ways, Work,
};
use weir::daemon::edition::Edition;
use weir::daemon::in_hand::InHand;
use weir::daemon::recover::recover;
use weir::domain::input::{Input, Message, Qos};
use weir::domain::judgement::Judgement;
use weir::domain::ledger::Ledger;
use weir::domain::name::{Names, NetworkId};
use weir::domain::time::{MINUTE, Moment, Timestamp};
use weir::journal;
use weir::journal::batch::DeadLetterId;
use weir::journal::write::Journal;
use weir::mqtt::outbox::{REPLIES_MAX, Replied};
use weir::notify::Letterhead;
use weir::pipeline::Pipeline;
use weir::seed::Tables;

use play::{NETWORKS, lay_table_over, root};

/// 2026-06-01T08:00:00+08:00.
const START: Timestamp = Timestamp(1_780_272_000_000);

fn edition(changes: &[(&str, &str)]) -> Edition {
    let mut tables = Tables::read(&root().join("seeds")).unwrap();
    for (name, text) in changes {
        lay_table_over(&mut tables, name, text);
    }
    Edition {
        judgement: Judgement::default(),
        networks: NETWORKS.map(str::to_owned).into(),
        tables,
    }
}

struct Bench {
    core: Core,
    rivers: NetworkId,
    work: mpsc::Receiver<Work>,
    journal: Journal,
    folder: TempDir,
    now: Moment,
}

impl Bench {
    fn new() -> Self {
        Self::with(&[])
    }

    fn with(changes: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().unwrap();
        let now = Moment { wall: START, elapsed_ms: 0 };
        let journal = Journal::open(&journal::Config::at(folder.path()), now.wall).unwrap();
        let (work_in, work) = mpsc::channel(BATCHES_MAX + 1);
        let (_, spare) = mpsc::channel(1);
        let ways = Ways { work: work_in, spare, settled: Arc::default() };
        let settings = Settings {
            store: Store::Influx,
            channels: vec![weir::notify::Taker::all("duty")],
            letterhead: Letterhead::plain(TimeZone::UTC),
            data_folder: folder.path().to_owned(),
        };
        let (edition, mut names) = (edition(changes), Names::default());
        let registry = edition.compile(&mut names).unwrap();
        let pipeline = Pipeline::new(Arc::clone(&registry), now);
        let in_hand = InHand::begin(folder.path());
        let mut core = Core::new(pipeline, names, settings, ways, in_hand, now);
        core.note_edition(now, &edition, &registry);
        core.take(now, Input::Edition(registry));
        let rivers = core.network("rivers");
        Self { core, rivers, work, journal, folder, now }
    }

    fn send(&mut self, topic: &str, payload: &str) {
        let message = Message {
            network: self.rivers,
            packet_id: 1,
            dup: false,
            retain: false,
            qos: Qos::AtLeastOnce,
            topic: topic.as_bytes(),
            payload: payload.as_bytes(),
            fault: None,
        };
        self.core.take_message(self.now, message, None);
    }

    fn wait(&mut self, ms: i64) {
        self.now = Moment { wall: self.now.wall.plus(ms), elapsed_ms: self.now.elapsed_ms + ms };
    }

    /// Hands over what is in hand and commits it.
    fn commit(&mut self) -> Box<Load> {
        assert!(self.core.hand_over());
        match self.work.try_recv() {
            Ok(Work::Load(load)) => {
                self.journal.commit(&load.batch).unwrap();
                load
            }
            other => panic!("no batch but {other:?}"),
        }
    }
}

fn total(load: &Load) -> Ledger {
    let mut total = Ledger::default();
    for (_, row) in &load.batch.ledger {
        total += *row;
    }
    total
}

#[test]
fn a_batch_has_so_many_replies_and_those_beyond_are_counted() {
    let topics = "network,pattern,format,device,time,time_unit,each,channel,value,unit,options,source\n\
                  rivers,h/{device}/up,hj212,,,,,,,,ack=h/{device}/down,made for a test\n";
    let device = "rivers,A1,puhe-huishan,,a1,device,,,,,,made for a test\n";
    let profile =
        "a1,sonde,ph,a1,w01001-Rtd,pH,1,number,continuous,,,instant,,5m,,made for a test\n";
    let changes =
        [("topics.csv", topics), ("devices.csv.last", device), ("profiles.csv.last", profile)];
    let mut bench = Bench::with(&changes);
    let outbox = bench.core.outbox(bench.rivers);
    bench.commit();
    // A heartbeat that asks to be answered.
    let beat = "##0039QN=1;ST=91;CN=9015;MN=A1;Flag=9;CP=&&&&E381";
    bench.send("h/A1/up", &beat.repeat(1_024));
    let load = bench.commit();
    assert_eq!(load.replies.len(), REPLIES_MAX);
    assert_eq!(outbox.replied(), Replied { sent: 0, expired: 0, dropped: 1_024 - 1_000 });
}

#[test]
fn full_batches_are_handed_over_and_with_eight_waiting_nothing_more_is_read() {
    let mut bench = Bench::new();
    bench.commit();
    for _ in 1..BATCH_MESSAGES_MAX {
        bench.send("water/sonde-01/data", "{}");
    }
    assert!(bench.work.try_recv().is_err(), "one is missing");
    bench.send("water/sonde-01/data", "{}");
    assert!(matches!(bench.work.try_recv(), Ok(Work::Load(_))));

    // By bytes, and with nobody who takes them.
    let megabyte = format!("{{\"x\":\"{}\"}}", "x".repeat(1 << 20));
    let mut sent = 0;
    while bench.core.has_room() {
        bench.send("water/sonde-01/data", &megabyte);
        sent += 1;
        assert!(sent < 1_000);
    }
    let in_a_batch = (BATCH_BYTES_MAX >> 20) as i32;
    assert_eq!(sent, in_a_batch * (BATCHES_MAX as i32 + 1), "eight, and the one in hand");
    let waiting = std::iter::from_fn(|| bench.work.try_recv().ok()).count();
    assert_eq!(waiting, BATCHES_MAX);
    assert!(bench.core.has_room());
}

#[test]
fn two_editions_in_one_batch_are_both_kept() {
    let mut bench = Bench::new();
    bench.commit();
    let station = "puhe-source,puhe,a,b,,,+08:00,river,III,,,made for a test\n";
    let once = edition(&[("stations.csv.first", station)]);
    let twice = edition(&[("stations.csv.last", &station.replace("source", "mouth"))]);
    assert!(bench.core.take_edition(bench.now, &once).unwrap());
    assert!(bench.core.take_edition(bench.now, &twice).unwrap());
    bench.commit();
    let digest = bench.core.registry().digest.clone();
    let recovered = recover(bench.folder.path()).unwrap().unwrap();
    assert_eq!(recovered.pipeline.registry().digest, digest);
}

#[test]
fn an_alert_ends_in_the_names_that_it_fired_in() {
    let mut bench = Bench::new();
    for _ in 0..4 {
        bench.wait(5 * MINUTE);
        let time = bench.now.wall.millis();
        bench.send("water/sonde-01/data", &format!("{{\"ts\":{time},\"do\":2.4}}"));
    }
    let without = edition(&[
        ("rules.csv.without", "water-exceedance\n"),
        ("devices.csv.without", "rivers,sonde-01\nrivers,cabinet-01\n"),
    ]);
    bench.core.take_edition(bench.now, &without).unwrap();
    let load = bench.commit();
    let changes: Vec<&str> = load.batch.alerts.iter().map(|row| row.change.word()).collect();
    assert_eq!(changes, ["firing", "withdrawn"]);
    let labels = load.batch.notifications.iter().map(|told| {
        let body: serde_json::Value = serde_json::from_str(&told.body).unwrap();
        body["commonLabels"].to_string()
    });
    let labels: BTreeSet<String> = labels.collect();
    assert_eq!(labels.len(), 1, "receivers match them: {labels:?}");
    let lines = String::from_utf8(load.batch.lines.clone()).unwrap();
    let series = |line: &str| line.split(' ').next().unwrap().to_owned();
    let alerts = lines.lines().filter(|line| line.starts_with("alert,")).map(series);
    assert_eq!(alerts.clone().count(), 2);
    assert_eq!(alerts.collect::<BTreeSet<_>>().len(), 1, "one series: {lines}");
}

#[test]
fn an_alert_that_an_edition_fires_is_told_in_its_names_and_one_that_it_ends_in_those_before() {
    let head = "station,place,kind,from,to,person,reason,source,property,flag,without\n";
    let works = "puhe-huishan,,maintenance,2026-06-01 08:00,,Li Na,the probe,made for a test,,,\n";
    let calendar = format!("{head}{works}");
    let mut bench = Bench::with(&[("calendar.csv", &calendar)]);
    for _ in 0..4 {
        bench.wait(5 * MINUTE);
        let time = bench.now.wall.millis();
        for device in ["sonde-01", "sonde-02"] {
            let topic = format!("water/{device}/data");
            bench.send(&topic, &format!("{{\"ts\":{time},\"do\":2.4}}"));
        }
    }
    // The first station was not worked at after all, and another rule watches.
    let rule = "oxygen,property:dissolved_oxygen,exceedance,raw,,1,1,0.05,,critical,,,made for a test,,,,\n";
    let after = edition(&[
        ("calendar.csv", head),
        ("rules.csv.without", "water-exceedance\n"),
        ("rules.csv.last", rule),
    ]);
    bench.core.take_edition(bench.now, &after).unwrap();
    // What an edition ends was told in the same thread a moment ago.
    bench.wait(MINUTE);
    bench.core.take(bench.now, Input::Tick);
    let load = bench.commit();
    let alerts = load.batch.alerts.iter();
    let told = alerts.map(|row| {
        let body: serde_json::Value = serde_json::from_str(&row.json).unwrap();
        let labels = &body["commonLabels"];
        let label = |name: &str| labels[name].as_str().unwrap_or_default().to_owned();
        (row.change.word(), label("alertname"), label("severity"), label("station"))
    });
    let want = |change, rule: &str, severity: &str, station: &str| {
        (change, rule.to_owned(), severity.to_owned(), station.to_owned())
    };
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            want("firing", "water-exceedance", "warning", "puhe-daoyi"),
            want("withdrawn", "water-exceedance", "warning", "puhe-daoyi"),
            want("firing", "oxygen", "critical", "puhe-huishan"),
        ]
    );
    let notices = load.batch.notifications.iter().map(|told| {
        let body: serde_json::Value = serde_json::from_str(&told.body).unwrap();
        body["commonLabels"]["alertname"].as_str().unwrap_or_default().to_owned()
    });
    assert_eq!(notices.collect::<Vec<_>>(), ["water-exceedance", "water-exceedance", "oxygen"]);
    let lines = String::from_utf8(load.batch.lines.clone()).unwrap();
    let alerts = lines.lines().filter(|line| line.starts_with("alert,"));
    let rules = alerts.map(|line| line.contains("rule=oxygen,"));
    assert_eq!(rules.collect::<Vec<_>>(), [false, false, true], "{lines}");
}

#[test]
fn a_letter_that_was_run_again_is_remembered_until_the_journal_says_so() {
    let mut bench = Bench::new();
    bench.send("water/sonde-99/data", &format!("{{\"ts\":{},\"do\":6.8}}", START.millis()));
    let (letter, id) = (bench.commit().batch.dead_letters[0].clone(), DeadLetterId(1));
    let row = "rivers,sonde-99,nanyun-longtan,spare,river-sonde,device,,,,,,made for a test\n";
    bench.core.take_edition(bench.now, &edition(&[("devices.csv.last", row)])).unwrap();
    assert!(bench.core.retry(bench.now, &letter, id));
    // It was read again before the second batch, with which it goes, was committed.
    bench.core.forget_retried(1);
    assert!(bench.core.retry(bench.now, &letter, id));
    assert_eq!(bench.commit().batch.retried, [id]);
    bench.core.forget_retried(1);
    assert!(bench.core.retry(bench.now, &letter, id));
    assert!(bench.core.is_settled() || bench.core.hand_over(), "nothing is in hand");
    assert!(bench.work.try_recv().is_err(), "it was not run once more");
    // Who reads it from now on finds it run.
    bench.core.forget_retried(2);
    assert!(bench.core.retry(bench.now, &letter, id));
    assert_eq!(bench.commit().batch.retried, [id], "nothing is remembered for ever");
}

#[test]
fn a_letter_that_ends_well_in_part_is_one_no_more_and_its_bad_reading_is() {
    let mut bench = Bench::new();
    let time = START.millis();
    bench.send("water/sonde-99/data", &format!("{{\"ts\":{time},\"do\":6.8,\"chl\":4.5}}"));
    let first = bench.commit();
    let (letter, id) = (first.batch.dead_letters[0].clone(), DeadLetterId(1));
    bench.wait(MINUTE);
    assert!(!bench.core.retry(bench.now, &letter, id), "nothing was mended");
    let row = "rivers,sonde-99,nanyun-longtan,spare,river-sonde,device,,,,,,made for a test\n";
    bench.core.take_edition(bench.now, &edition(&[("devices.csv.last", row)])).unwrap();
    assert!(bench.core.retry(bench.now, &letter, id));
    assert!(bench.core.retry(bench.now, &letter, id), "once is enough");
    let load = bench.commit();
    assert_eq!(load.batch.retried, [id]);
    let made = &load.batch.dead_letters;
    assert_eq!(made.len(), 1);
    assert_eq!((made[0].channel.as_deref(), &*made[0].code), (Some("/chl"), "unknown_channel"));
    assert_eq!((made[0].received, made[0].at), (letter.received, bench.now.wall));
    let mut sum = total(&first);
    sum += total(&load);
    assert!(sum.balances());
    assert_eq!((sum.messages.received, sum.messages.stored, sum.messages.rejected), (1, 1, 0));
    assert_eq!((sum.readings.received, sum.readings.stored, sum.readings.rejected), (2, 1, 1));
}
