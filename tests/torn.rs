//! A write-ahead log that ends in the middle of a write, as a loss of power or a kill leaves it: what
//! was committed before the tear is there, nothing is said, and the journal goes on.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::fs;

use proptest::prelude::*;
use tempfile::TempDir;
use weir::domain::input::{Arrival, Input, Message, Qos};
use weir::domain::name::NetworkId;
use weir::domain::time::{Moment, Timestamp};
use weir::journal::batch::Batch;
use weir::journal::read::Reader;
use weir::journal::write::Journal;
use weir::journal::{Config, Error};

const START: i64 = 1_760_000_000_000;

fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..bytes).map(|_| random.u8(..)).collect()
}

fn batch(number: u64, bytes: usize) -> Batch {
    let wall = Timestamp(START + number as i64);
    let mut batch = Batch { at: wall, ..Batch::default() };
    let message = Message {
        network: NetworkId(0),
        packet_id: 7,
        dup: false,
        retain: false,
        qos: Qos::AtLeastOnce,
        topic: b"water/s/data",
        payload: &noise(number, bytes),
        fault: None,
    };
    let at = Moment { wall, elapsed_ms: number as i64 };
    batch.inputs.push(&Arrival { at, input: Input::Message(message) });
    batch.lines = format!("water ph=7 {number}\n").into_bytes();
    batch.line_count = 1;
    batch
}

/// How the log is torn at a place.
#[derive(Clone, Copy, Debug)]
enum Tear {
    Cut,
    /// The rest is what lay on the disk before.
    Garbage,
    /// One byte is another.
    Flip,
    /// Something follows the last commit, which is whole.
    Behind,
}

fn tear() -> impl Strategy<Value = Tear> {
    prop_oneof![Just(Tear::Cut), Just(Tear::Garbage), Just(Tear::Flip), Just(Tear::Behind)]
}

/// Reads all of a folder's journal; gives how many batches it has.
fn read(folder: &std::path::Path) -> u64 {
    let reader = Reader::open(folder).unwrap();
    let mut count = 0;
    reader
        .inputs_after(0, |sequence, bytes| {
            count += 1;
            assert_eq!((sequence, bytes.is_empty()), (count, false));
            Ok::<(), Error>(())
        })
        .unwrap();
    if let Some(lines) = reader.lines_after(0, usize::MAX).unwrap() {
        assert_eq!((lines.members.len() as u64, lines.damaged.len()), (count, 0));
    }
    count
}

fn check(sizes: &[usize], kind: Tear, place: f64) {
    let (folder, left) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let open = |folder: &TempDir| Journal::open(&Config::at(folder.path()), Timestamp(START));
    // What a stop in order leaves is in the file itself.
    let mut journal = open(&folder).unwrap();
    journal.commit(&batch(0, 10)).unwrap();
    drop(journal);
    let mut journal = open(&folder).unwrap();
    let log = folder.path().join("journal.sqlite-wal");
    let mut ends = Vec::new();
    for (number, bytes) in sizes.iter().enumerate() {
        journal.commit(&batch(number as u64 + 1, *bytes)).unwrap();
        ends.push(fs::metadata(&log).unwrap().len() as usize);
    }
    let mut torn = fs::read(&log).unwrap();
    let at = (((torn.len() - 1) as f64) * place) as usize;
    let whole = match kind {
        Tear::Cut => {
            torn.truncate(at);
            at
        }
        Tear::Garbage => {
            let rest = noise(at as u64, torn.len() - at);
            torn[at..].copy_from_slice(&rest);
            at
        }
        Tear::Flip => {
            torn[at] ^= 0x40;
            at
        }
        Tear::Behind => {
            torn.extend(noise(at as u64, at % 9_000));
            usize::MAX
        }
    };
    fs::copy(folder.path().join("journal.sqlite"), left.path().join("journal.sqlite")).unwrap();
    fs::write(left.path().join("journal.sqlite-wal"), torn).unwrap();
    let want = 1 + ends.iter().filter(|end| **end <= whole).count() as u64;
    let mut journal = open(&left).unwrap();
    assert_eq!(journal.sequence(), want, "{ends:?} torn at {at}");
    assert_eq!(read(left.path()), want);
    assert_eq!(journal.commit(&batch(999, 10)).unwrap().sequence, want + 1);
    drop(journal);
    drop(open(&left).unwrap());
    assert_eq!(read(left.path()), want + 1);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(32),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_was_committed_before_a_tear_of_the_log_is_there(
        sizes in proptest::collection::vec(0_usize..20_000, 1..6),
        kind in tear(),
        place in 0.0..1.0,
    ) {
        check(&sizes, kind, place);
    }
}
