//! The file of the journal: with any of its bytes changed it is read, or an error says so. Nothing
//! is read for ever, and nothing grows with a number that stands in it.

use std::fs;
use std::sync::LazyLock;

use tempfile::TempDir;
use weir::daemon::edition::Edition;
use weir::daemon::recover::recover;
use weir::domain::alert::AlertId;
use weir::domain::input::{Arrival, Condition, Input, Message, Qos};
use weir::domain::judgement::Judgement;
use weir::domain::ledger::{Ledger, Outcome};
use weir::domain::name::{DatastreamId, Names, NetworkId, TopicId};
use weir::domain::observation::Period;
use weir::domain::time::{MINUTE, Moment, Timestamp};
use weir::journal::batch::{Batch, CursorRow, DeadLetterId, EditionRow, NotificationRow};
use weir::journal::read::Reader;
use weir::journal::{Config, Error, write};
use weir::pipeline::{Pipeline, Processed, snapshot};

use super::{Feed, NETWORKS, TABLES, says_something};

/// How many batches the journal has; whoever reads more reads in circles.
const BATCHES: u64 = 6;
const FILE: &str = "journal.sqlite";
const START: Timestamp = Timestamp(1_780_273_800_000);

struct Whole {
    folder: TempDir,
    bytes: Vec<u8>,
}

/// A journal with a little of everything, and its file.
static WHOLE: LazyLock<Whole> = LazyLock::new(|| {
    let folder = TempDir::new().unwrap();
    let mut journal = write::Journal::open(&Config::at(folder.path()), START).unwrap();
    let networks = NETWORKS.map(str::to_owned);
    let edition = Edition {
        judgement: Judgement::default(),
        networks: networks.to_vec(),
        tables: TABLES.clone(),
    };
    let mut names = Names::default();
    let registry = edition.compile(&mut names).unwrap();
    let mut pipeline = Pipeline::new(registry.clone(), Moment::default());
    let mut processed = Processed::default();
    for number in 0..BATCHES as i64 {
        let wall = START.plus(number * MINUTE);
        let at = Moment { wall, elapsed_ms: number * MINUTE };
        let mut batch = Batch { at: wall, names: names.take_fresh(), ..Batch::default() };
        let payload = format!("{{\"ts\":{},\"do\":2.{number},\"ph\":7}}", wall.millis());
        let message = Message {
            network: NetworkId(0),
            packet_id: 1 + number as u16,
            dup: false,
            retain: false,
            qos: Qos::AtLeastOnce,
            topic: b"water/sonde-01/data",
            payload: payload.as_bytes(),
            fault: None,
        };
        let mut inputs = vec![Input::Message(message), Input::Tick];
        if number == 0 {
            let (digest, tables) = (registry.digest.clone(), edition.to_bytes());
            batch.editions.push(EditionRow { digest, taken_at: wall, tables });
            inputs.insert(0, Input::Condition(Condition::Connected(NetworkId(0))));
            inputs.insert(0, Input::Edition(registry.clone()));
        }
        for input in inputs {
            let arrival = Arrival { at, input };
            pipeline.process(&arrival, &mut processed);
            batch.inputs.push(&arrival);
        }
        batch.lines = format!("water,station=a ph=7 {number}\n").into_bytes();
        batch.line_count = 1;
        let mut row = Ledger::default();
        row.messages.count(Outcome::Stored);
        batch.ledger.push((Some(TopicId(0)), row));
        let (id, body) = (number.to_string(), "{}".to_owned());
        let alerts = vec![AlertId(3)];
        batch.notifications.push(NotificationRow { id, channels: vec!["c".into()], body, alerts });
        batch.cursors.push(CursorRow { sink: "influx".into(), sequence: number as u64 });
        journal.commit(&batch).unwrap();
        if number == 3 {
            let state = pipeline.state();
            let stations = state.stations.iter().zip(0_u32..);
            let slices: Vec<(u32, Vec<u8>)> = stations
                .filter_map(|(one, id)| Some((id, snapshot::slice(one.as_deref()?))))
                .collect();
            let snapshot = journal.begin_snapshot(wall).unwrap();
            journal.put_slices(snapshot, &slices).unwrap();
            let closing = snapshot::closing(state, &registry.digest, at);
            journal.finish_snapshot(snapshot, &closing).unwrap();
        }
    }
    drop(journal);
    let bytes = fs::read(folder.path().join(FILE)).unwrap();
    Whole { folder, bytes }
});

pub(crate) fn body(changes: &[u8]) {
    let whole = &*WHOLE;
    let mut bytes = whole.bytes.clone();
    let mut feed = Feed(changes);
    let pages = bytes.len() / 4_096;
    while !feed.is_empty() {
        let page = usize::from(feed.byte()) % pages;
        let place = usize::from(u16::from_le_bytes([feed.byte(), feed.byte()])) % 4_096;
        bytes[page * 4_096 + place] = feed.byte();
    }
    fs::write(whole.folder.path().join(FILE), &bytes).unwrap();
    for beside in ["-wal", "-shm"] {
        fs::remove_file(whole.folder.path().join(format!("{FILE}{beside}"))).ok();
    }
    for outcome in read(whole) {
        if let Err(error) = outcome {
            assert!(!error.to_string().is_empty());
        }
    }
    match recover(whole.folder.path()) {
        Ok(recovered) => assert!(recovered.is_none_or(|one| one.replayed <= 1_000)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    if changes.is_empty() {
        let recovered = recover(whole.folder.path()).unwrap().unwrap();
        assert_eq!(recovered.last.wall, START.plus((BATCHES as i64 - 1) * MINUTE));
        assert!(read(whole).into_iter().all(|outcome| outcome.is_ok()));
    }
}

fn read(whole: &Whole) -> Vec<Result<(), Error>> {
    let reader = match Reader::open(whole.folder.path()) {
        Ok(reader) => reader,
        Err(error) => return vec![Err(error)],
    };
    let mut batches = 0;
    let inputs = reader.inputs_after(0, |_, bytes| {
        batches += 1;
        assert!(batches <= 1_000, "batches are read in circles");
        assert!(bytes.len() <= 1 << 20);
        Ok::<(), Error>(())
    });
    let (from, to) = (Timestamp(i64::MIN), Timestamp(i64::MAX));
    vec![
        inputs,
        reader.names().map(|_| ()),
        reader.sequence().map(|_| ()),
        reader.bytes().map(|_| ()),
        reader.ledger().map(|view| assert!(view.rows.len() <= 1_000)),
        reader.lines_after(0, 1 << 20).map(|_| ()),
        reader.cursor("influx").map(|_| ()),
        reader.first_after(0).map(|_| ()),
        reader.dead_letters(DeadLetterId(0), 100).map(|_| ()),
        reader.dead_letter_counts().map(|_| ()),
        reader.refused(100).map(|_| ()),
        reader.notifications_due("c", 0, 100).map(|due| assert!(due.len() <= 100)),
        reader.open_alerts().map(|_| ()),
        reader.alert_history((None, None), 100).map(|_| ()),
        reader.observations(DatastreamId(0), Period::Native, from, to).map(|_| ()),
        reader.observation_count().map(|_| ()),
        reader.edition("").map(|_| ()),
        reader.latest_snapshot().map(|_| ()),
    ]
    .into_iter()
    .inspect(|outcome| {
        if let Err(error) = outcome {
            says_something(&error.to_string());
        }
    })
    .collect()
}
