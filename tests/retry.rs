//! Dead letters that are run again after the seeds were mended: each reading ends in one place,
//! and the ledger balances whatever is retried, in whatever order.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use weir::domain::input::{Act, Arrival, Condition, Input, Message, Qos, ReadingPlace};
use weir::domain::judgement::Judgement;
use weir::domain::ledger::{Ledger, Outcome};
use weir::domain::name::{NameKind, Names, NetworkId, TopicId};
use weir::domain::registry::Registry;
use weir::domain::time::{Moment, Timestamp};
use weir::pipeline::{Pipeline, Processed};
use weir::seed::{Tables, compile};

/// 2026-06-01T00:00:00Z.
const START: i64 = 1_780_272_000_000;

struct Run {
    names: Names,
    pipeline: Pipeline,
    out: Processed,
    now: Moment,
    rivers: NetworkId,
    ledger: Ledger,
}

fn registry(names: &mut Names, mended: &[(&str, &str)]) -> Arc<Registry> {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let folder = tempfile::TempDir::new().unwrap();
    fs::create_dir(folder.path().join("limits")).unwrap();
    for part in ["", "limits"] {
        for entry in fs::read_dir(from.join(part)).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_file() {
                let to = folder.path().join(part).join(entry.file_name());
                fs::copy(entry.path(), to).unwrap();
            }
        }
    }
    for (table, row) in mended {
        let path = folder.path().join(table);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, format!("{}\n{row}\n", text.trim_end())).unwrap();
    }
    let tables = Tables::read(folder.path()).unwrap();
    let networks = ["rivers".to_owned(), "parks".to_owned()];
    Arc::new(compile(&tables, Judgement::default(), &networks, names).unwrap())
}

impl Run {
    fn new() -> Self {
        let mut names = Names::default();
        let registry = registry(&mut names, &[]);
        let rivers = NetworkId(names.id(NameKind::Network, "rivers"));
        let now = Moment { wall: Timestamp(START), elapsed_ms: 0 };
        let pipeline = Pipeline::new(registry, now);
        let (out, ledger) = (Processed::default(), Ledger::default());
        let mut run = Self { names, pipeline, out, now, rivers, ledger };
        run.input(Input::Condition(Condition::Connected(rivers)));
        run
    }

    fn input(&mut self, input: Input<'_>) {
        self.pipeline.process(&Arrival { at: self.now, input }, &mut self.out);
    }

    fn mend(&mut self, rows: &[(&str, &str)]) {
        let registry = registry(&mut self.names, rows);
        self.input(Input::Edition(registry));
    }

    /// Takes a message in; gives where it ended and its pattern.
    fn take(&mut self, message: Message<'_>) -> (Outcome, Option<TopicId>) {
        self.input(Input::Message(message));
        self.book()
    }

    fn book(&mut self) -> (Outcome, Option<TopicId>) {
        let fate = self.out.fate.unwrap();
        self.ledger += fate.ledger;
        assert!(self.ledger.balances(), "{:?}", self.ledger);
        (fate.outcome, fate.topic)
    }

    fn retry(&mut self, message: Message<'_>, channel: Option<&str>, rejected: bool) -> Outcome {
        self.retry_at(message, channel.map(|channel| ReadingPlace { channel, record: 0 }), rejected)
    }

    fn retry_at(
        &mut self,
        message: Message<'_>,
        reading: Option<ReadingPlace<'_>>,
        rejected: bool,
    ) -> Outcome {
        let (received, pattern) = (self.now, None);
        self.input(Input::Act(Act::Retry { message, reading, received, pattern, rejected }));
        self.book().0
    }

    /// Gives (received, stored, rejected, duplicate) of readings and (stored, rejected) messages.
    fn counts(&self) -> ([i64; 4], [i64; 2]) {
        let (readings, messages) = (self.ledger.readings, self.ledger.messages);
        (
            [readings.received, readings.stored, readings.rejected, readings.duplicate],
            [messages.stored, messages.rejected],
        )
    }
}

fn message<'a>(network: NetworkId, topic: &'a str, payload: &'a str) -> Message<'a> {
    let (topic, payload) = (topic.as_bytes(), payload.as_bytes());
    let (packet_id, qos) = (1, Qos::AtLeastOnce);
    Message { network, packet_id, dup: false, retain: false, qos, topic, payload, fault: None }
}

const CHLOROPHYLL: (&str, &str) = (
    "profiles.csv",
    "river-sonde,sonde,chlorophyll_a,,/extra/chl,ug/L,1,number,continuous,,,instant,,60s,,test",
);
const SONDE_99: (&str, &str) =
    ("devices.csv", "rivers,sonde-99,nanyun-longtan,spare,river-sonde,device,,,,,,test");

#[test]
fn what_is_not_found_again_has_not_ended_well() {
    let mut run = Run::new();
    let message = message(
        run.rivers,
        "water/sonde-01/data",
        r#"{"ts":1780272000000,"do":7.1,"extra":{"chl":12.5}}"#,
    );
    run.take(message);
    assert_eq!(run.counts(), ([2, 1, 1, 0], [1, 0]));
    // Nothing was mended: refused again, nothing moves.
    assert_eq!(run.retry(message, Some("/extra"), false), Outcome::Rejected);
    assert_eq!(run.counts(), ([2, 1, 1, 0], [1, 0]));
    // A channel of another name: the reading is not there.
    assert_eq!(run.retry(message, Some("/other"), false), Outcome::Rejected);
    assert_eq!(run.counts(), ([2, 1, 1, 0], [1, 0]));
    run.mend(&[CHLOROPHYLL]);
    assert_eq!(run.retry(message, Some("/extra"), false), Outcome::Stored);
    assert_eq!(run.counts(), ([2, 2, 0, 0], [1, 0]));
    assert_eq!(run.out.observations.len(), 1, "its neighbour is not run again");
}

#[test]
fn what_the_seeds_ignore_by_now_was_never_a_reading() {
    let mut run = Run::new();
    let payload = r#"{"ts":1780272000000,"do":7.1,"rssi":-70}"#;
    let message = message(run.rivers, "water/sonde-01/data", payload);
    run.take(message);
    run.mend(&[("profiles.csv", "river-sonde,sonde,ignored,,/rssi,,,,,,,,,,,test")]);
    assert_eq!(run.retry(message, Some("/rssi"), false), Outcome::Stored);
    assert_eq!(run.counts(), ([1, 1, 0, 0], [1, 0]));
}

#[test]
fn a_message_follows_its_first_stored_reading_and_moves_once() {
    let mut run = Run::new();
    let payload = r#"{"ts":1780272000000,"extra":{"chl":12.5},"more":1}"#;
    let message = message(run.rivers, "water/sonde-01/data", payload);
    assert_eq!(run.take(message).0, Outcome::Rejected);
    assert_eq!(run.counts(), ([2, 0, 2, 0], [0, 1]));
    let oxygen_demand = "river-sonde,sonde,chemical_oxygen_demand,,/more,mg/L,1,number,continuous,,,instant,,60s,,t";
    run.mend(&[CHLOROPHYLL, ("profiles.csv", oxygen_demand)]);
    assert_eq!(run.retry(message, Some("/extra"), true), Outcome::Stored);
    assert_eq!(run.counts(), ([2, 1, 1, 0], [1, 0]));
    assert_eq!(run.retry(message, Some("/more"), false), Outcome::Stored);
    assert_eq!(run.counts(), ([2, 2, 0, 0], [1, 0]));
}

#[test]
fn a_whole_message_is_counted_reading_by_reading_and_what_is_wrong_in_it_has_its_own_letter() {
    let mut run = Run::new();
    let payload = r#"{"ts":1780272000000,"do":7.1,"ph":"seven","temp":18}"#;
    let message = message(run.rivers, "water/sonde-99/data", payload);
    assert_eq!(run.take(message).0, Outcome::Rejected);
    assert_eq!(run.retry(message, None, true), Outcome::Rejected);
    assert_eq!(run.counts(), ([0, 0, 0, 0], [0, 1]));
    run.mend(&[SONDE_99]);
    assert_eq!(run.retry(message, None, true), Outcome::Stored);
    assert_eq!(run.counts(), ([3, 2, 1, 0], [1, 0]));
    assert_eq!(run.out.rejects[0].channel.as_deref(), Some("/ph"));
    // Its letter of the reading, retried in vain as often as one likes.
    assert_eq!(run.retry(message, Some("/ph"), false), Outcome::Rejected);
    assert_eq!(run.counts(), ([3, 2, 1, 0], [1, 0]));
}

#[test]
fn one_record_of_many_is_run_again_alone() {
    let mut run = Run::new();
    let parks = NetworkId(run.names.id(NameKind::Network, "parks"));
    let payload = r#"{"time":1780272000000000,"records":[
        {"name":"PM2.5","value":31,"unit":"ug/m3"},{"name":"PM2.5","value":"x","unit":"ug/m3"}]}"#;
    let message = message(parks, "air/air-setdz/records", payload);
    run.take(message);
    assert_eq!(run.counts(), ([2, 1, 1, 0], [1, 0]));
    assert_eq!(run.out.rejects[0].record, 1);
    let place = ReadingPlace { channel: "PM2.5", record: 1 };
    assert_eq!(run.retry_at(message, Some(place), false), Outcome::Rejected);
    assert_eq!(run.counts(), ([2, 1, 1, 0], [1, 0]), "the good record is not counted anew");
}

/// A frame of HJ 212 with these parameters and their CRC.
fn frame(parameters: &str, crc: &str) -> String {
    let data = format!("QN=1;ST=21;CN=2011;PW=1;MN=A1;Flag=8;CP=&&{parameters}&&");
    format!("##{:04}{data}{crc}\r\n", data.len())
}

#[test]
fn a_frame_that_is_opened_by_now_is_all_that_stands_in_it() {
    let mut run = Run::new();
    run.mend(&[
        ("topics.csv", "rivers,hj212/{place},hj212,MN,,,,,,,test"),
        ("devices.csv", "rivers,A1,puhe-daoyi,spare,frames,device,,,,,,test"),
        ("profiles.csv", "frames,sonde,ph,,w01001-Rtd,pH,1,number,continuous,,,instant,,5m,,test"),
        (
            "profiles.csv",
            "frames,sonde,dissolved_oxygen,,w01009-Rtd,mg/L,1,number,continuous,,,instant,,5m,,t",
        ),
    ]);
    let plain = frame("DataTime=20260601080000;w01001-Rtd=7.62", "DBC1");
    let opened = frame("DataTime=20260601075500;w01001-Rtd=7.61;w01009-Rtd=6.8", "3FC0");
    let heartbeat = frame("", "3180");
    let sealed = frame("{0xE4,0x3E,0xA4}=7.6", "0000");
    let came = format!("{plain}{sealed}{sealed}");
    let came = message(run.rivers, "hj212/a", &came);
    assert_eq!(run.take(came).0, Outcome::Stored, "{:?}", run.out.rejects);
    assert_eq!(run.counts(), ([3, 1, 2, 0], [1, 0]), "{:?}", run.out.rejects);
    let frame_at = |record| Some(ReadingPlace { channel: "frame", record });
    assert_eq!(run.retry_at(came, frame_at(1), false), Outcome::Rejected);
    assert_eq!(run.counts(), ([3, 1, 2, 0], [1, 0]));
    let by_now = format!("{plain}{opened}{heartbeat}");
    let by_now = message(run.rivers, "hj212/a", &by_now);
    assert_eq!(run.retry_at(by_now, frame_at(1), false), Outcome::Stored, "{:?}", run.out.rejects);
    assert_eq!(run.counts(), ([4, 3, 1, 0], [1, 0]), "the other frame is not counted anew");
    // What says nothing that is measured leaves nothing to be held.
    assert_eq!(run.retry_at(by_now, frame_at(2), false), Outcome::Stored);
    assert_eq!(run.counts(), ([3, 3, 0, 0], [1, 0]));
}

#[test]
fn a_letter_that_is_run_again_does_not_wake_a_silent_station() {
    let mut run = Run::new();
    let payload = r#"{"ts":1780272000000,"do":7.1}"#;
    let message = message(run.rivers, "water/sonde-99/data", payload);
    run.take(message);
    run.mend(&[SONDE_99]);
    run.now = Moment { wall: Timestamp(START + 3_600_000), elapsed_ms: 3_600_000 };
    run.input(Input::Tick);
    let silent = run.out.alerts.len();
    assert!(silent > 0, "an hour without a word");
    run.retry(message, None, true);
    assert!(run.out.alerts.is_empty(), "{:?}", run.out.alerts);
    let retained = Message { retain: true, packet_id: 2, ..message };
    run.take(retained);
    assert!(run.out.alerts.is_empty(), "a retained message is no sign of life");
}
