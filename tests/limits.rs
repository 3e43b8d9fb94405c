//! Limits that show only where parts of the daemon work together, and the table of all of them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may panic, and asks its own clock"
)]

mod peer;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use weir::daemon::clock::Clock;
use weir::daemon::commit::Committer;
use weir::daemon::core::{
    BATCH_MESSAGES_MAX, BATCHES_MAX, Load, SPARES_MAX, Settled, Snapshot, Work,
};
use weir::daemon::status::Status;
use weir::domain::input::{Arrival, Input, Message, Qos};
use weir::domain::name::NetworkId;
use weir::domain::time::{Moment, Timestamp};
use weir::journal;
use weir::journal::read::Reader;
use weir::journal::write::Journal;
use weir::mqtt::publisher::Publisher;

use peer::{Mosquitto, Weir, until};

/// The committing thread on a journal of its own.
struct Desk {
    folder: TempDir,
    work: mpsc::Sender<Work>,
    spare: mpsc::Receiver<Box<Load>>,
    settled: Arc<Settled>,
    committer: JoinHandle<std::io::Result<()>>,
}

impl Desk {
    fn start(journal_bytes_max: u64) -> Self {
        let folder = TempDir::new().unwrap();
        let config = journal::Config { journal_bytes_max, ..journal::Config::at(folder.path()) };
        let (work, work_out) = mpsc::channel(BATCHES_MAX + 1);
        let (spare_in, spare) = mpsc::channel(SPARES_MAX);
        let settled = Arc::new(Settled::default());
        let committer = Committer {
            journal: Journal::open(&config, Timestamp(0)).unwrap(),
            work: work_out,
            notes: mpsc::channel(1).1,
            spare: spare_in,
            settled: Arc::clone(&settled),
            news: watch::channel(0).0,
            conditions: Arc::default(),
            full_notice: None,
            clock: Clock::real(),
            status: Arc::<Status>::default(),
        };
        let committer = std::thread::spawn(move || committer.run());
        Self { folder, work, spare, settled, committer }
    }

    /// Hands in a batch with one message of so many bytes.
    fn commit(&self, bytes: usize) {
        let mut load = Box::<Load>::default();
        let mut random = fastrand::Rng::with_seed(1);
        let payload: Vec<u8> = (0..bytes).map(|_| random.u8(..)).collect();
        let message = Message {
            network: NetworkId(0),
            packet_id: 1,
            dup: false,
            retain: false,
            qos: Qos::AtLeastOnce,
            topic: b"t",
            payload: &payload,
            fault: None,
        };
        let (at, input) = (Moment::default(), Input::Message(message));
        load.batch.inputs.push(&Arrival { at, input });
        let before = self.settled.committed.load(Ordering::Acquire);
        self.work.blocking_send(Work::Load(load)).unwrap();
        until("the commit", || self.settled.committed.load(Ordering::Acquire) > before);
    }

    fn end(self) -> (TempDir, mpsc::Receiver<Box<Load>>) {
        drop(self.work);
        self.committer.join().unwrap().unwrap();
        (self.folder, self.spare)
    }
}

#[test]
fn so_many_emptied_batches_are_kept_and_none_holds_up_the_committer() {
    let desk = Desk::start(64 << 20);
    for _ in 0..3 * SPARES_MAX {
        desk.commit(10);
    }
    let (_folder, mut spare) = desk.end();
    let kept = std::iter::from_fn(|| spare.blocking_recv()).count();
    assert_eq!(kept, SPARES_MAX);
}

#[test]
fn inputs_that_no_snapshot_holds_ask_for_one_before_they_are_many() {
    let desk = Desk::start(8 << 20);
    let wanted = || desk.settled.snapshot_wanted.load(Ordering::Acquire);
    desk.commit(1_000_000);
    assert!(!wanted(), "less than an eighth of the limit");
    desk.commit(100_000);
    assert!(wanted(), "more than an eighth");
    desk.end();
}

#[test]
fn a_snapshot_of_many_stations_is_written_in_slices_and_whole() {
    let desk = Desk::start(64 << 20);
    let stations = vec![Some(Arc::default()); 3 * 50 + 7];
    let count = stations.len();
    let (taken_at, closing) = (Timestamp(0), b"closing".to_vec());
    desk.commit(10);
    let snapshot = Box::new(Snapshot { taken_at, stations, closing });
    desk.work.blocking_send(Work::Snapshot(snapshot)).unwrap();
    // A batch between two slices.
    desk.commit(10);
    let (folder, _) = desk.end();
    let held = Reader::open(folder.path()).unwrap().latest_snapshot().unwrap().unwrap();
    assert_eq!((held.slices.len(), held.sequence), (count, 1));
}

/// A server that answers any request with a page without end.
fn endless() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            stream.read_exact(&mut [0; 4]).ok();
            stream.write_all(b"HTTP/1.1 503 Busy\r\n\r\n").ok();
            // Its reader hangs up.
            while stream.write_all(&[b'w'; 64 << 10]).is_ok() {}
        }
    });
    port
}

#[tokio::test]
async fn answers_without_end_are_read_to_a_limit() {
    use weir::influx::write::{Answer, Fault, Writer};
    use weir::notify::{Channel, Sent};

    let port = endless();
    let text = format!("name='n'\nkind='webhook'\nurl='http://127.0.0.1:{port}/'\n");
    let channel = Channel::new(&toml::from_str(&text).unwrap()).unwrap();
    let sent = weir::notify::send(&channel, "id", &serde_json::Value::Null, Timestamp(0)).await;
    assert!(matches!(&sent, Sent::Retry { words, .. } if words.len() == 4 + 1_024), "{sent:?}");

    let text = format!("url='http://127.0.0.1:{port}'\ndialect='victoria'\n");
    let writer = Writer::new(&toml::from_str(&text).unwrap()).unwrap();
    let answer = writer.send(bytes::Bytes::from_static(b"x")).await;
    let Answer::Later { fault: Fault::Status { status: 503, words }, .. } = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(words.len(), 2_048);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_letters_than_a_batch_holds_are_run_again_in_portions_and_each_once() {
    let broker = Mosquitto::start("");
    let mut weir = Weir::install(&broker.url(), "");
    weir.start();
    let publisher = Publisher::connect(&broker.url(), "stations").unwrap();
    // Kept are a hundred of a kind, so each has a device of its own.
    let count = BATCH_MESSAGES_MAX + 200;
    for number in 0..count {
        let topic = format!("water/nobody-{number}/data");
        publisher.publish(&topic, b"{\"do\":7}".to_vec(), Qos::AtLeastOnce, false).await.unwrap();
    }
    publisher.flush().await;
    publisher.close().await;
    until("every letter", || weir.count("/total/messages/rejected") == count as i64);
    let ids: Vec<String> = (1..=count).chain(1..=count).map(|id| id.to_string()).collect();
    let mut arguments = vec!["dead-letters", "retry"];
    arguments.extend(ids.iter().map(String::as_str));
    let (done, said) = weir.command(&arguments);
    assert!(done && said.contains(&format!("{count} tried, 0 ended well")), "{said}");
    assert_eq!(weir.count("/total/messages/received"), count as i64);
    weir.stop();
}

/// A server that answers every request alike, on connections that stay.
fn answering(status: u16, body: &'static str) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let count = Arc::clone(&count);
            std::thread::spawn(move || answer_on(stream, status, body, &count));
        }
    });
    (port, asked)
}

fn answer_on(stream: TcpStream, status: u16, body: &str, count: &AtomicUsize) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut line, mut length) = (String::new(), 0);
        while line != "\r\n" {
            line.clear();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let lower = line.to_ascii_lowercase();
            let stated = lower.strip_prefix("content-length:");
            length = stated.map_or(length, |stated| stated.trim().parse().unwrap());
        }
        reader.read_exact(&mut vec![0; length]).ok()?;
        count.fetch_add(1, Ordering::SeqCst);
        let answer = format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        reader.get_mut().write_all(answer.as_bytes()).ok()?;
    }
}

#[tokio::test]
async fn one_call_makes_so_many_requests_and_the_next_goes_on() {
    use weir::influx::deliver::{Lane, Member, Progress};
    use weir::influx::write::Writer;

    const FIELDS: usize = 100;
    let (port, asked) = answering(400, "{\"error\":\"field type conflict dropped=1\"}");
    let text = format!("url='http://127.0.0.1:{port}'\ndialect='influx1'\nbucket='b'\n");
    let writer = Writer::new(&toml::from_str(&text).unwrap()).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for number in 0..FIELDS {
        gzip.write_all(format!("water f{number}=1 {number}\n").as_bytes()).unwrap();
    }
    let members = [Member { gzip: gzip.finish().unwrap().into(), points: FIELDS as u64 }];
    let (mut lane, mut calls) = (Lane::default(), 0);
    let refused = loop {
        let before = asked.load(Ordering::SeqCst);
        let delivered = lane.deliver(&writer, &members, Moment::default()).await;
        let made = asked.load(Ordering::SeqCst) - before;
        calls += 1;
        match delivered.progress {
            Progress::More => assert_eq!((made, delivered.refused.len()), (64, 0)),
            Progress::Done => break delivered.refused.len(),
            Progress::Later { .. } => panic!("{delivered:?}"),
        }
    };
    assert!(calls > 1 && refused == FIELDS, "{calls} calls, {refused} refused");
}

#[tokio::test]
async fn who_never_answers_a_notification_is_left_in_time() {
    use weir::notify::{Channel, Sent};

    // It takes connections, and nobody ever reads.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let text = format!("name='n'\nkind='webhook'\nurl='http://127.0.0.1:{port}/'\ntimeout_s=1\n");
    let channel = Channel::new(&toml::from_str(&text).unwrap()).unwrap();
    let begun = Instant::now();
    let sent = weir::notify::send(&channel, "id", &serde_json::Value::Null, Timestamp(0)).await;
    assert!(matches!(sent, Sent::Retry { .. }), "{sent:?}");
    let took = begun.elapsed();
    assert!(took > Duration::from_millis(900) && took < Duration::from_secs(20), "{took:?}");
}

// The table.

/// A row of the table: names, files, and the tests that reach the limit.
struct Row {
    names: Vec<String>,
    files: Vec<String>,
    tests: Vec<String>,
}

/// Gives what stands between backticks.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn table() -> Vec<Row> {
    let promise = fs::read_to_string(root().join("docs/promise.md")).unwrap();
    let section = promise.split("\n## Limits\n").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let lines = section.lines().filter(|line| line.starts_with("| ")).skip(2);
    let rows = lines.map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").collect();
        assert_eq!(cells.len(), 5, "{line}");
        assert!(!cells[4].trim().is_empty(), "{line}");
        Row { names: quoted(cells[0]), files: quoted(cells[2]), tests: quoted(cells[4]) }
    });
    let rows: Vec<Row> = rows.collect();
    assert!(rows.len() > 60, "the table was not found");
    rows
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Gives the sources of a folder, each with its path from the project's and without its tests.
fn sources(folder: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders: Vec<PathBuf> = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root()).unwrap().display().to_string();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".rs") {
                found.insert(name, fs::read_to_string(path).unwrap());
            }
        }
    }
    found
}

fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap()
}

fn constants(text: &str) -> impl Iterator<Item = &str> {
    let after = without_tests(text).lines().filter_map(|line| line.split_once("const "));
    after.filter_map(|(_, rest)| rest.split_once(':')).map(|(name, _)| name)
}

#[test]
fn every_limit_of_the_sources_stands_in_the_table() {
    let rows = table();
    let mut faults = Vec::new();
    for (file, text) in sources("src") {
        for name in constants(&text).filter(|name| name.ends_with("_MAX")) {
            let stands =
                |row: &Row| row.files.contains(&file) && row.names.iter().any(|one| one == name);
            if !rows.iter().any(stands) {
                faults.push(format!("{file}: {name} is missing in docs/promise.md, \"Limits\""));
            }
        }
        for (number, line) in without_tests(&text).lines().enumerate() {
            let literal = |call: &str| {
                let mut arguments = line.split(call).skip(1);
                arguments.any(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
            };
            let calls =
                ["mpsc::channel(", "broadcast::channel(", "Semaphore::new(", "sync_channel("];
            // One place for the newest of a count is no queue.
            if calls.iter().any(|call| literal(call)) || line.contains("unbounded") {
                faults.push(format!("{file}:{}: a queue without a named limit", number + 1));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn what_the_table_names_is_there() {
    let (sources, tests) = (sources("src"), sources("tests"));
    let mut faults = Vec::new();
    for Row { names, files, tests: reached } in table() {
        let named: BTreeSet<&str> = files
            .iter()
            .filter(|file| file.ends_with(".rs"))
            .filter_map(|file| sources.get(file))
            .flat_map(|text| constants(text))
            .collect();
        let is_constant =
            |name: &&String| name.bytes().all(|byte| byte == b'_' || byte.is_ascii_uppercase());
        for name in names.iter().filter(is_constant).filter(|name| !named.contains(name.as_str())) {
            faults.push(format!("{name} is not in {files:?}"));
        }
        let mut text = "";
        for one in &reached {
            if one.starts_with("tests/replay/") {
                if !root().join(one).is_dir() {
                    faults.push(format!("{one} is no case"));
                }
            } else if one.contains('/') {
                text = sources.get(one).or_else(|| tests.get(one)).map_or("", String::as_str);
            } else if !text.contains(&format!("fn {one}(")) {
                faults
                    .push(format!("{one}, which is to reach {names:?}, is not where it should be"));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}
