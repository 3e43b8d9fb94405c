//! What a message costs that is the same on every machine: how often memory is asked for, and how
//! many bytes the journal grows by. It may fall; when it grows, somebody is to say why. Times are
//! the bench's (`benches/path/`).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test may panic, and shows what it measured"
)]

#[allow(dead_code, unreachable_pub, reason = "shared with the bench")]
#[path = "../benches/path/fleet.rs"]
mod fleet;

use std::path::Path;
use std::sync::Arc;

use jiff::tz::TimeZone;
use tempfile::TempDir;
use tokio::sync::mpsc;
use weir::daemon::core::{BATCHES_MAX, Core, Load, SPARES_MAX, Settings, Store, Ways, Work};
use weir::daemon::edition::Edition;
use weir::daemon::in_hand::InHand;
use weir::domain::input::Input;
use weir::domain::judgement::Judgement;
use weir::domain::name::Names;
use weir::domain::time::{Moment, SECOND, Timestamp};
use weir::journal;
use weir::journal::write::Journal;
use weir::mqtt::capture;
use weir::mqtt::config::Config;
use weir::notify::Letterhead;
use weir::pipeline::Pipeline;
use weir::seed::Tables;

/// 2026-06-03T08:00:00Z.
const START: i64 = 1_780_473_600_000;
const STATIONS: u64 = 100;
/// How many messages come together: those of 20 ms at 5,000 a second.
const TOGETHER: u64 = 100;
/// So many are sent until buffers are as long as they get, and so many are measured.
const WARM: u64 = 20_000;
const MEASURED: u64 = 20_000;

/// What was measured when this was written, and a little: 0.169 and 20.7.
const ALLOCATIONS_MAX: f64 = 0.18;
const JOURNAL_BYTES_MAX: f64 = 21.0;
/// The same of a meter's message: 0.054.
const METER_ALLOCATIONS_MAX: f64 = 0.06;
/// How much oftener a message of eight values may ask for memory because they are tested: all tests
/// together 0.015, and none where gross range, spike, rate, flat line, zeros, unit or neighbour is
/// the only one.
const QC_ALLOCATIONS_MAX: f64 = 0.02;
/// What quality control remembers of a datastream beside its ring.
const QC_BYTES_MAX: usize = 72;

/// The core between a broker's bytes and the journal, on one thread.
struct Way {
    core: Core,
    work: mpsc::Receiver<Work>,
    spare: mpsc::Sender<Box<Load>>,
    journal: Journal,
    _folder: TempDir,
}

impl Way {
    /// Begins with the example's seeds and rows behind some of its tables.
    fn new(more: &[(&str, String)], without: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let now = Moment { wall: Timestamp(START), elapsed_ms: 0 };
        let journal = Journal::open(&journal::Config::at(folder.path()), now.wall).unwrap();
        let (work_in, work) = mpsc::channel(BATCHES_MAX + 1);
        let (spare_in, spare) = mpsc::channel(SPARES_MAX);
        let ways = Ways { work: work_in, spare, settled: Arc::default() };
        let settings = Settings {
            store: Store::Influx,
            channels: vec![weir::notify::Taker::all("duty")],
            letterhead: Letterhead::plain(TimeZone::UTC),
            data_folder: folder.path().to_owned(),
        };
        let mut tables =
            Tables::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds")).unwrap();
        for (table, rows) in more {
            let held = tables.get(table).unwrap_or_default().to_vec();
            tables.put(table, [held, rows.clone().into_bytes()].concat());
        }
        for table in without {
            let text = String::from_utf8(tables.get(table).unwrap().to_vec()).unwrap();
            tables.put(table, text.lines().next().unwrap().to_owned().into_bytes());
        }
        let networks = ["rivers", "parks"].map(str::to_owned).into();
        let edition = Edition { judgement: Judgement::default(), networks, tables };
        let mut names = Names::default();
        let registry = edition.compile(&mut names).unwrap();
        let pipeline = Pipeline::new(Arc::clone(&registry), now);
        let in_hand = InHand::begin(folder.path());
        let mut core = Core::new(pipeline, names, settings, ways, in_hand, now);
        core.note_edition(now, &edition, &registry);
        core.take(now, Input::Edition(registry));
        assert_eq!(core.network("rivers").0, 0, "the network that a capture is of");
        Self { core, work, spare: spare_in, journal, _folder: folder }
    }

    /// Takes messages in as they come from a broker, and commits batch after batch.
    fn take(&mut self, config: &Config, portions: &[(Moment, Vec<u8>)]) {
        let mut times =
            portions.iter().flat_map(|(at, _)| std::iter::repeat_n(*at, TOGETHER as usize));
        let bytes = portions.iter().map(|(_, bytes)| &**bytes);
        let read = capture::read(config, bytes, &mut |message| {
            self.core.take_message(times.next().unwrap(), message, None);
            while let Ok(Work::Load(mut load)) = self.work.try_recv() {
                self.journal.commit(&load.batch).unwrap();
                load.clear();
                self.spare.try_send(load).unwrap();
            }
        });
        assert_eq!(read.unwrap().held, 0);
    }
}

/// Writes topic and payload of a station's message: its time, and which message it is.
type Says = fn(u64, i64, u64, &mut String, &mut String);

/// Says what a meter of active and of reactive energy does.
fn meters(station: u64, ts: i64, turn: u64, topic: &mut String, payload: &mut String) {
    *topic = format!("water/m{station}/data");
    *payload = format!("{{\"ts\":{ts},\"e\":{}.5,\"q\":{}}}", turn / STATIONS, turn / STATIONS / 3);
}

fn meter_rows() -> [(&'static str, String); 4] {
    let each = |row: fn(u64) -> String| (0..STATIONS).map(row).collect::<String>();
    let profile = |property, channel, unit| {
        format!(
            "metering,meter,{property},,/{channel},{unit},1,number,continuous,,,total,,60s,,test\n"
        )
    };
    let counters = |station| {
        let row = |property| {
            format!("bench-{station}/{property}/total,,99999999.9,0.1,1,1,import,,setdz,,,test\n")
        };
        row("electricity_energy") + &row("reactive_energy")
    };
    [
        ("stations.csv", each(|one| format!("bench-{one},setdz,Bench,Bench,,,+08:00,,,,,test\n"))),
        (
            "devices.csv",
            each(|one| format!("rivers,m{one},bench-{one},,metering,device,,,,,,test\n")),
        ),
        (
            "profiles.csv",
            profile("electricity_energy", "e", "kWh") + &profile("reactive_energy", "q", "kvarh"),
        ),
        ("counters.csv", (0..STATIONS).map(counters).collect()),
    ]
}

/// Gives what a broker sends from one message on to another, in portions.
fn portions(says: Says, from: u64, count: u64) -> Vec<(Moment, Vec<u8>)> {
    let (mut topic, mut payload) = (String::new(), String::new());
    let mut portion = |first: u64| {
        let ts = START + i64::try_from(first / STATIONS).unwrap() * SECOND;
        let mut bytes = Vec::new();
        for number in first..first + TOGETHER {
            says(number % STATIONS, ts, number, &mut topic, &mut payload);
            push_publish(&mut bytes, number, &topic, &payload);
        }
        (Moment { wall: Timestamp(ts), elapsed_ms: ts - START }, bytes)
    };
    (from..from + count).step_by(usize::try_from(TOGETHER).unwrap()).map(&mut portion).collect()
}

fn push_publish(out: &mut Vec<u8>, number: u64, topic: &str, payload: &str) {
    let length = 2 + topic.len() + 2 + 1 + payload.len();
    match length {
        ..128 => out.extend_from_slice(&[0x32, length as u8]),
        _ => out.extend_from_slice(&[0x32, (length & 0x7f) as u8 | 0x80, (length >> 7) as u8]),
    }
    out.extend_from_slice(&(topic.len() as u16).to_be_bytes());
    out.extend_from_slice(topic.as_bytes());
    out.extend_from_slice(&((number % 65_535) as u16 + 1).to_be_bytes());
    out.push(0);
    out.extend_from_slice(payload.as_bytes());
}

/// Gives how often a message asks for memory, and by how many bytes the journal grows for it.
fn measure(rows: &[(&str, String)], without: &[&str], says: Says) -> (f64, f64) {
    let text = "network = 'rivers'\nurl = 'mqtt://127.0.0.1'\nclient_id = 'weir'";
    let config: Config = toml::from_str(text).unwrap();
    let mut path = Way::new(rows, without);
    path.take(&config, &portions(says, 0, WARM));
    let measured = portions(says, WARM, MEASURED);
    let payload: usize = measured.iter().map(|(_, bytes)| bytes.len()).sum();
    let before = path.journal.bytes().unwrap();
    let counted = allocation_counter::measure(|| path.take(&config, &measured));
    let grown = path.journal.bytes().unwrap() - before;
    let each = |count: u64| count as f64 / MEASURED as f64;
    println!(
        "a message: {:.3} allocations of {:.0} bytes together; the journal grows by {:.1} bytes \
         for {:.1} on the wire",
        each(counted.count_total),
        each(counted.bytes_total),
        each(grown),
        each(payload as u64),
    );
    (each(counted.count_total), each(grown))
}

#[test]
fn a_message_asks_for_memory_less_than_once_and_takes_few_bytes() {
    let (allocations, grown) = measure(&fleet::rows(STATIONS), &[], fleet::message);
    assert!(allocations <= ALLOCATIONS_MAX, "{allocations:.3}");
    assert!(grown <= JOURNAL_BYTES_MAX, "{grown:.1}");
}

#[test]
fn a_meters_reading_does_not_unpack_what_is_remembered() {
    let (allocations, _) = measure(&meter_rows(), &[], meters);
    assert!(allocations <= METER_ALLOCATIONS_MAX, "{allocations:.3}");
}

#[test]
fn the_tests_of_values_in_order_ask_for_hardly_any_memory() {
    let rows = fleet::rows(STATIONS);
    let (tested, _) = measure(&rows, &[], fleet::message);
    let (untested, _) = measure(&rows, &["qc.csv", "cross_checks.csv"], fleet::message);
    assert!(tested - untested <= QC_ALLOCATIONS_MAX, "{tested:.3}, without tests {untested:.3}");
    let bytes = size_of::<weir::qc::Memory>();
    println!("quality control remembers {bytes} bytes of a datastream");
    assert!(bytes <= QC_BYTES_MAX, "{bytes}");
}
