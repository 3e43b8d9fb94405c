//! What the journal lets go of, and what pins it.

use super::*;

#[test]
fn tidying_keeps_what_a_sink_or_a_recovery_needs() {
    let folder = TempDir::new().unwrap();
    let mut journal = open(&folder);
    let cursor = |sequence| Batch {
        cursors: vec![CursorRow { sink: "influx".into(), sequence }],
        ..Batch::default()
    };
    journal.commit(&cursor(0)).unwrap();
    for ms in 1..=10 {
        journal.commit(&batch(ms, b"x")).unwrap();
    }
    let late = at(40 * DAY).wall;
    journal.tidy(late).unwrap();
    let reader = Reader::open(folder.path()).unwrap();
    let whole = |after| {
        let mut count = 0;
        reader
            .inputs_after(after, |_, _| {
                count += 1;
                Ok::<(), Error>(())
            })
            .unwrap();
        (count, reader.lines_after(0, 1 << 20).unwrap().unwrap().members.len())
    };
    assert_eq!(whole(0), (10, 10), "no snapshot, no delivery");
    for _ in 0..2 {
        let snapshot = journal.begin_snapshot(late).unwrap();
        journal.finish_snapshot(snapshot, b"c").unwrap();
    }
    journal.tidy(late).unwrap();
    assert_eq!(whole(0), (0, 10), "points wait for the sink");
    journal.commit(&cursor(4)).unwrap();
    assert!(!journal.tidy(late).unwrap().more());
    assert_eq!(reader.lines_after(0, 1 << 20).unwrap().unwrap().members.len(), 6);
    journal.commit(&cursor(10)).unwrap();
    journal.tidy(late).unwrap();
    assert_eq!(reader.sequence().unwrap(), 10, "the last row carries the ledger");
    assert_eq!(reader.ledger().unwrap().total().messages.received, 10);
    assert_eq!(reader.cursor("influx").unwrap().unwrap().waiting, 0);
}

#[test]
fn a_log_that_grew_is_cut_again() {
    let folder = TempDir::new().unwrap();
    let mut journal = open(&folder);
    let log = folder.path().join("journal.sqlite-wal");
    let bytes = || std::fs::metadata(&log).unwrap().len().cast_signed();
    let noise: Vec<u8> = {
        let mut random = fastrand::Rng::with_seed(1);
        std::iter::repeat_with(|| random.u64(..).to_le_bytes()).take(9 << 20).flatten().collect()
    };
    journal.commit(&batch(1, &noise)).unwrap();
    assert!(bytes() > WAL_BYTES_MAX, "{}", bytes());
    for ms in 2..4 {
        journal.commit(&batch(ms, b"x")).unwrap();
    }
    assert!(bytes() <= WAL_BYTES_MAX, "{}", bytes());
}

#[test]
fn a_sink_that_is_gone_pins_nothing() {
    let folder = TempDir::new().unwrap();
    let mut journal = open(&folder);
    let cursors = ["influx", "other"].map(|sink| CursorRow { sink: sink.into(), sequence: 0 });
    journal.commit(&Batch { cursors: cursors.to_vec(), ..Batch::default() }).unwrap();
    assert_eq!(journal.forget_sinks(&["influx"]).unwrap(), ["other"]);
    assert_eq!(journal.forget_sinks(&["influx"]).unwrap(), [""; 0]);
    let reader = Reader::open(folder.path()).unwrap();
    assert!(reader.cursor("influx").unwrap().is_some());
    assert_eq!(reader.cursor("other").unwrap(), None);
}
