//! The journal against a real folder.

mod letting_go;

use tempfile::TempDir;

use super::batch::{
    AlertRow, Attempt, Batch, CursorRow, DeadLetter, DeadLetterId, EditionRow, NotificationRow,
    Receipt, RefusedRow,
};
use super::damage::{DamagedPoints, DamagedRow, SetAside};
use super::dead_letter::KINDS_MAX;
use super::inputs::{Kept, Unpacked};
use super::read::Reader;
use super::store::StoredObservation;
use super::write::{Journal, REFUSED_MAX, WAL_BYTES_MAX};
use super::{Config, Error, backup};
use crate::domain::alert::{AlertChange, AlertId};
use crate::domain::input::{Arrival, Input, Message, Qos};
use crate::domain::ledger::{Ledger, Outcome};
use crate::domain::name::{DatastreamId, MarkId, NameKind, Named, NetworkId, RuleId, TopicId};
use crate::domain::observation::{ObservationResult, Period};
use crate::domain::quality::Flag;
use crate::domain::reject::Stage;
use crate::domain::time::{DAY, Moment, Timestamp};

pub(super) fn at(ms: i64) -> Moment {
    Moment { wall: Timestamp(1_760_000_000_000 + ms), elapsed_ms: ms }
}

pub(super) fn open(folder: &TempDir) -> Journal {
    Journal::open(&Config::at(folder.path()), at(0).wall).unwrap()
}

pub(super) fn batch(ms: i64, payload: &[u8]) -> Batch {
    let mut batch = Batch { at: at(ms).wall, ..Batch::default() };
    let message = Message {
        network: NetworkId(0),
        packet_id: 7,
        dup: false,
        retain: false,
        qos: Qos::AtLeastOnce,
        topic: b"water/s/data",
        payload,
        fault: None,
    };
    batch.inputs.push(&Arrival { at: at(ms), input: Input::Message(message) });
    batch.lines.extend_from_slice(b"water ph=7 1\nwater ph=8 2\n");
    batch.line_count = 2;
    let mut ledger = Ledger::default();
    ledger.messages.count(Outcome::Stored);
    batch.ledger.push((Some(TopicId(0)), ledger));
    batch
}

fn letter(device: &str, payload: &[u8]) -> DeadLetter {
    DeadLetter {
        at: at(5).wall,
        network: NetworkId(0),
        topic: b"water/\xff".as_slice().into(),
        payload: payload.into(),
        qos: Qos::AtMostOnce,
        retain: true,
        packet_id: 0,
        stage: Stage::Decode,
        code: "malformed".into(),
        words: "not JSON".to_owned(),
        device: Some(device.to_owned()),
        channel: None,
        record: 0,
        received: at(5),
        pattern: None,
        message_rejected: true,
        more: 0,
    }
}

#[test]
fn what_is_committed_is_there_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let mut journal = open(&folder);
    assert_eq!((journal.sequence(), journal.last_moment()), (0, None));
    let mut first = batch(1, b"one");
    first.names = vec![Named { kind: NameKind::Network, name: "rivers".into(), id: 0 }];
    let edition = EditionRow { digest: "d".into(), taken_at: at(1).wall, tables: vec![1; 9] };
    first.editions = vec![edition];
    assert_eq!(journal.commit(&first).unwrap().sequence, 1);
    assert_eq!(journal.commit(&batch(2, b"two")).unwrap().sequence, 2);
    drop(journal);

    let journal = open(&folder);
    assert_eq!((journal.sequence(), journal.last_moment()), (2, Some(at(2))));
    assert_eq!(journal.names().unwrap(), first.names);
    let reader = Reader::open(folder.path()).unwrap();
    assert_eq!(reader.ledger().unwrap().total().messages.stored, 2);
    assert_eq!(reader.edition("d").unwrap().unwrap().tables, [1; 9]);
    assert_eq!(reader.edition("e").unwrap(), None);
    let mut payloads = Vec::new();
    reader
        .inputs_after(1, |sequence, bytes| {
            for kept in Unpacked::new(bytes) {
                let (moment, kept) = kept.unwrap();
                let Kept::Message(message) = kept else { panic!("{kept:?}") };
                payloads.push((sequence, moment, message.payload.to_vec()));
            }
            Ok::<(), Error>(())
        })
        .unwrap();
    assert_eq!(payloads, [(2, at(2), b"two".to_vec())]);
}

#[test]
fn one_daemon_a_folder() {
    let folder = TempDir::new().unwrap();
    let _journal = open(&folder);
    let second = Journal::open(&Config::at(folder.path()), at(0).wall);
    assert!(matches!(second, Err(Error::Locked { .. })));
    assert!(matches!(Reader::open(&folder.path().join("none")), Err(Error::Absent { .. })));
}

#[test]
fn a_sink_reads_in_order_and_its_cursor_counts_what_waits() {
    let folder = TempDir::new().unwrap();
    let mut journal = open(&folder);
    let cursor = |sequence| Batch {
        cursors: vec![CursorRow { sink: "influx".into(), sequence }],
        ..Batch::default()
    };
    assert_eq!(journal.commit(&cursor(0)).unwrap().sequence, 0);
    for ms in 1..=3 {
        journal.commit(&batch(ms, b"x")).unwrap();
    }
    let reader = Reader::open(folder.path()).unwrap();
    let lines = reader.lines_after(0, 1).unwrap().unwrap();
    assert_eq!((lines.sequence, lines.members.len(), lines.damaged.len()), (1, 1, 0));
    let lines = reader.lines_after(1, 1 << 20).unwrap().unwrap();
    assert_eq!((lines.sequence, lines.members.len()), (3, 2));
    assert_eq!(reader.lines_after(3, 1).unwrap(), None);
    assert_eq!(reader.cursor("influx").unwrap().unwrap().waiting, 6);
    let mut moved = cursor(2);
    let sink = "influx".into();
    let (line, words) = ("water ph=7 1".to_owned(), "type conflict".to_owned());
    moved.refused.push(RefusedRow { sink, at: at(9).wall, line, field: None, words });
    journal.commit(&moved).unwrap();
    let held = reader.cursor("influx").unwrap().unwrap();
    assert_eq!((held.sequence, held.waiting, held.refused), (2, 2, 1));
    assert_eq!(reader.refused(10).unwrap().len(), 1);
    assert_eq!(reader.first_after(2).unwrap(), Some(at(3).wall));
    assert_eq!(reader.cursor("other").unwrap(), None);
}

#[test]
fn refusals_are_counted_once_however_many_notes_ride_together() {
    let folder = TempDir::new().unwrap();
    let mut journal = open(&folder);
    for ms in 1..=2 {
        journal.commit(&batch(ms, b"x")).unwrap();
    }
    let note = |sequence: u64| {
        let (sink, line, words) = ("influx", format!("water ph={sequence} 1"), "no".to_owned());
        let refused = RefusedRow { sink: sink.into(), at: at(9).wall, line, field: None, words };
        let cursors = vec![CursorRow { sink: sink.into(), sequence }];
        Batch { cursors, refused: vec![refused], ..Batch::default() }
    };
    let mut riding = note(1);
    riding.take_notes(note(2));
    journal.commit(&riding).unwrap();
    let reader = Reader::open(folder.path()).unwrap();
    assert_eq!(reader.cursor("influx").unwrap().unwrap().refused, 2);
    assert_eq!(reader.refused(9).unwrap().len(), 2);
}

#[test]
fn points_that_were_let_go_are_no_damage_to_a_sink_that_is_configured_again() {
    let folder = TempDir::new().unwrap();
    let mut journal = open(&folder);
    for ms in 1..=2 {
        journal.commit(&batch(ms * DAY, b"x")).unwrap();
    }
    // No sink has a cursor, so nobody waits for the points of the first.
    journal.tidy(at(2 * DAY + 5).wall).unwrap();
    let reader = Reader::open(folder.path()).unwrap();
    let lines = reader.lines_after(0, 1 << 20).unwrap().unwrap();
    assert_eq!((lines.sequence, lines.members.len(), lines.damaged), (2, 1, Vec::new()));
    assert_eq!(lines.let_go, Some(1));
}

#[test]
fn points_without_inputs_move_no_clock_back() {
    let folder = TempDir::new().unwrap();
    let mut journal = open(&folder);
    journal.commit(&batch(1, b"x")).unwrap();
    let (lines, at_two) = (b"water ph=7 1\n".to_vec(), at(2).wall);
    journal.commit(&Batch { at: at_two, lines, line_count: 1, ..Batch::default() }).unwrap();
    assert_eq!(journal.last_moment(), Some(at(1)));
    drop(journal);
    assert_eq!(open(&folder).last_moment(), Some(at(1)));
}

#[test]
fn an_unfinished_snapshot_goes_with_the_next() {
    let folder = TempDir::new().unwrap();
    let mut journal = open(&folder);
    for _ in 0..3 {
        let snapshot = journal.begin_snapshot(at(1).wall).unwrap();
        journal.put_slices(snapshot, &[(0, vec![1; 300])]).unwrap();
    }
    let count: i64 =
        journal.connection.query_row("SELECT count(*) FROM slices", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 1);
}

#[test]
fn a_sink_that_comes_back_waits_for_the_points_that_are_still_there() {
    let folder = TempDir::new().unwrap();
    let mut journal = open(&folder);
    for ms in 1..=3 {
        journal.commit(&batch(ms, b"x")).unwrap();
    }
    let mut waiting_without = |gone: u64| {
        let let_go = format!("UPDATE batches SET lines = NULL WHERE sequence <= {gone}");
        journal.connection.execute(&let_go, []).unwrap();
        journal.forget_sinks(&[]).unwrap();
        let cursors = vec![CursorRow { sink: "influx".into(), sequence: 0 }];
        journal.commit(&Batch { cursors, ..Batch::default() }).unwrap();
        Reader::open(folder.path()).unwrap().cursor("influx").unwrap().unwrap().waiting
    };
    assert_eq!([0, 2, 3].map(&mut waiting_without), [6, 2, 0]);
}

#[test]
fn damaged_points_are_named_and_not_sent() {
    let folder = TempDir::new().unwrap();
    let mut journal = open(&folder);
    journal.commit(&batch(1, b"x")).unwrap();
    journal.commit(&batch(2, b"x")).unwrap();
    journal
        .connection
        .execute(
            "UPDATE batches SET lines = zeroblob(9), inputs = zeroblob(9) WHERE sequence = 1",
            [],
        )
        .unwrap();
    let reader = Reader::open(folder.path()).unwrap();
    let lines = reader.lines_after(0, 1 << 20).unwrap().unwrap();
    let damaged = DamagedPoints { sequence: 1, points: 2, from: at(1).wall, to: at(1).wall };
    assert_eq!((lines.members.len(), lines.damaged), (1, vec![damaged]));
    // Set aside once, they stay when their batch is let go.
    for _ in 0..2 {
        let rows = vec![DamagedRow { sequence: 1, at: at(9).wall }];
        journal.commit(&Batch { damaged: rows, ..Batch::default() }).unwrap();
    }
    journal.tidy(at(40 * DAY).wall).unwrap();
    assert_eq!(reader.set_aside().unwrap(), SetAside { batches: 1, points: 2 });
    let kept: Vec<u8> =
        journal.connection.query_row("SELECT lines FROM damaged", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, [0; 9]);
    let read = reader.inputs_after(0, |_, _| Ok::<(), Error>(()));
    assert!(matches!(read, Err(Error::Damaged { .. })));
}

#[test]
fn at_the_byte_limit_only_notes_are_taken_and_what_the_reserve_is_for() {
    let folder = TempDir::new().unwrap();
    let config = Config { journal_bytes_max: 1, ..Config::at(folder.path()) };
    let mut journal = Journal::open(&config, at(0).wall).unwrap();
    assert!(matches!(journal.commit(&batch(1, b"x")), Err(Error::Full { .. })));
    assert_eq!(journal.sequence(), 0);
    let row = NotificationRow {
        id: "n".into(),
        channels: vec!["c".into()],
        body: "{}".into(),
        alerts: Vec::new(),
    };
    let notes = Batch { notifications: vec![row], ..Batch::default() };
    journal.commit_from_reserve(&notes).unwrap();
    let reader = Reader::open(folder.path()).unwrap();
    assert_eq!(reader.notifications_due("c", 0, 9).unwrap().len(), 1);
    // Two notes that ride on one batch.
    let cursors = vec![CursorRow { sink: "influx".into(), sequence: 0 }; 2];
    journal.commit(&Batch { cursors, ..Batch::default() }).unwrap();
    assert!(reader.cursor("influx").unwrap().is_some());
}

#[test]
fn snapshots_and_inputs_that_wait_for_one_go_past_the_byte_limit() {
    let folder = TempDir::new().unwrap();
    let config = Config { journal_bytes_max: 400_000, ..Config::at(folder.path()) };
    let mut journal = Journal::open(&config, at(0).wall).unwrap();
    let mut random = fastrand::Rng::with_seed(1);
    let mut noise = |bytes: usize| (0..bytes).map(|_| random.u8(..)).collect::<Vec<u8>>();
    let snapshot = journal.begin_snapshot(at(1).wall).unwrap();
    journal.put_slices(snapshot, &[(0, noise(500_000))]).unwrap();
    journal.finish_snapshot(snapshot, b"c").unwrap();
    // The fresh journal's own pages take some of the limit, inputs may take a quarter more.
    let mut taken = 0;
    while journal.commit(&batch(2, &noise(10_000))).is_ok() {
        taken += 1;
    }
    assert!((25..=42).contains(&taken), "{taken}");
    for _ in 0..2 {
        let snapshot = journal.begin_snapshot(at(3).wall).unwrap();
        journal.finish_snapshot(snapshot, b"c").unwrap();
    }
    assert!(matches!(journal.commit(&batch(4, b"x")), Err(Error::Full { .. })));
    journal.tidy(at(5).wall).unwrap();
    journal.commit(&batch(4, b"x")).unwrap();
}

#[test]
fn a_full_disk_leaves_the_batch_to_be_committed_again() {
    let folder = TempDir::new().unwrap();
    let mut journal = open(&folder);
    journal.commit(&batch(1, b"x")).unwrap();
    let pages: i64 =
        journal.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    journal.connection.pragma_update(None, "max_page_count", pages).unwrap();
    let noise: Vec<u8> = (0..500_000_u32).flat_map(|x| (x ^ (x << 7)).to_le_bytes()).collect();
    let big = batch(2, &noise);
    assert!(matches!(journal.commit(&big), Err(Error::Full { .. })));
    assert!(matches!(journal.commit(&big), Err(Error::Full { .. })));
    journal.connection.pragma_update(None, "max_page_count", 1_000_000).unwrap();
    assert_eq!(journal.commit(&big).unwrap().sequence, 2);
    let reader = Reader::open(folder.path()).unwrap();
    assert_eq!(reader.ledger().unwrap().total().messages.received, 2);
}

#[test]
fn the_first_hundred_dead_letters_are_kept_and_the_rest_counted() {
    let folder = TempDir::new().unwrap();
    let mut journal = open(&folder);
    let mut many = batch(1, b"x");
    many.dead_letters = (0..150).map(|_| letter("s1", b"{")).collect();
    many.dead_letters.push(letter("s2", b"\x00\xff"));
    journal.commit(&many).unwrap();
    let reader = Reader::open(folder.path()).unwrap();
    let kept = reader.dead_letters(DeadLetterId(0), 1_000).unwrap();
    assert_eq!(kept.len(), 101);
    assert_eq!(kept.last().unwrap().letter, letter("s2", b"\x00\xff"));
    let counts = reader.dead_letter_counts().unwrap();
    assert_eq!((counts[0].total, counts[0].kept, counts[1].total), (150, 100, 1));

    let id = kept.last().unwrap().id;
    let mut retried = batch(2, b"y");
    retried.retried = vec![id, id];
    journal.commit(&retried).unwrap();
    assert_eq!(reader.dead_letters(DeadLetterId(0), 1_000).unwrap().len(), 100);
    assert_eq!(reader.dead_letter(id).unwrap().unwrap().retried_at, Some(at(2).wall));
    assert_eq!(reader.dead_letter_counts().unwrap().len(), 1);
    drop(journal);
    let mut journal = open(&folder);
    let mut more = batch(3, b"z");
    more.dead_letters = vec![letter("s1", b"{")];
    journal.commit(&more).unwrap();
    assert_eq!(reader.dead_letter_counts().unwrap()[0].total, 151);
}

#[test]
fn devices_that_a_publisher_invents_are_told_apart_up_to_a_limit() {
    let folder = TempDir::new().unwrap();
    let mut journal = open(&folder);
    let mut flood = batch(1, b"x");
    flood.dead_letters =
        (0..KINDS_MAX + 150).map(|number| letter(&format!("s{number}"), b"{")).collect();
    journal.commit(&flood).unwrap();
    let reader = Reader::open(folder.path()).unwrap();
    let counts = reader.dead_letter_counts().unwrap();
    assert_eq!(counts.len(), KINDS_MAX + 1);
    let others: Vec<_> = counts.iter().filter(|count| count.device.is_empty()).collect();
    assert_eq!((others.len(), others[0].total, others[0].kept), (1, 150, 100));
    let kept = reader.dead_letters(DeadLetterId(0), 20_000).unwrap();
    assert_eq!(kept.len(), KINDS_MAX + 100);
}

#[test]
fn so_many_refused_fields_are_kept_and_the_others_counted() {
    let folder = TempDir::new().unwrap();
    let mut journal = open(&folder);
    let refused = |count: i64| {
        let row = |number: i64| RefusedRow {
            sink: "influx".into(),
            at: at(2).wall,
            line: format!("water do={number} 1"),
            field: Some("do".to_owned()),
            words: "conflict".to_owned(),
        };
        // Two notes that ride on one batch.
        let cursors = vec![CursorRow { sink: "influx".into(), sequence: 0 }; 2];
        Batch { refused: (0..count).map(row).collect(), cursors, ..Batch::default() }
    };
    journal.commit(&refused(REFUSED_MAX - 1)).unwrap();
    journal.commit(&refused(3)).unwrap();
    journal.commit(&refused(3)).unwrap();
    let reader = Reader::open(folder.path()).unwrap();
    assert_eq!(reader.refused(20_000).unwrap().len() as i64, REFUSED_MAX);
    let counted = reader.cursor("influx").unwrap().unwrap().refused;
    assert_eq!(counted.cast_signed(), REFUSED_MAX + 5);
}

#[test]
fn a_notification_is_due_until_its_receipt() {
    let folder = TempDir::new().unwrap();
    let mut journal = open(&folder);
    let row = |id: &str| NotificationRow {
        id: id.to_owned(),
        channels: vec!["a".into(), "b".into()],
        body: "{}".to_owned(),
        alerts: vec![AlertId(7)],
    };
    let mut first = batch(1, b"x");
    first.notifications = vec![row("n1"), row("n2"), row("n1")];
    let alert = |change, json: &str| AlertRow {
        alert: AlertId(4),
        rule: RuleId(1),
        subject: "station 3".to_owned(),
        change,
        since: at(0).wall,
        at: at(1).wall,
        json: json.to_owned(),
        words: String::new(),
    };
    first.alerts = vec![alert(AlertChange::Fired, "{\"a\":1}")];
    journal.commit(&first).unwrap();
    let reader = Reader::open(folder.path()).unwrap();
    assert_eq!(reader.open_alerts().unwrap()[0].json, "{\"a\":1}");
    let changed = alert(AlertChange::Changed, "{\"a\":2}");
    journal.commit(&Batch { alerts: vec![changed], ..Batch::default() }).unwrap();
    let open = reader.open_alerts().unwrap();
    assert_eq!((open.len(), &*open[0].json), (1, "{\"a\":2}"), "it fires as it was told last");
    let (id, channel) = ("n1".to_owned(), "a".into());
    let attempt = Attempt { id, channel, at: at(2).wall, words: "503".to_owned() };
    journal.commit(&Batch { attempts: vec![attempt], ..Batch::default() }).unwrap();
    let due = reader.notifications_due("a", 0, 9).unwrap();
    assert_eq!((due.len(), &*due[0].id, due[0].attempts), (2, "n1", 1));
    let (id, channel) = ("n1".to_owned(), "a".into());
    let receipt = Receipt { id, channel, at: at(3).wall, words: "200".to_owned() };
    journal.commit(&Batch { receipts: vec![receipt], ..Batch::default() }).unwrap();
    assert_eq!(&*reader.notifications_due("a", 0, 9).unwrap()[0].id, "n2");
    assert_eq!(reader.notifications_due("b", 0, 9).unwrap().len(), 2);
    let mut last = batch(4, b"x");
    last.alerts = vec![alert(AlertChange::Resolved, "{}")];
    journal.commit(&last).unwrap();
    assert_eq!(reader.open_alerts().unwrap(), []);
    assert_eq!(reader.alert_history((None, None), 9).unwrap().len(), 3);
}

#[test]
fn a_notification_is_kept_until_every_channel_has_it_and_its_days_are_over() {
    let folder = TempDir::new().unwrap();
    let mut journal = open(&folder);
    let channels = vec!["a".into(), "b".into()];
    let mut first = batch(1, b"x");
    let row = NotificationRow { id: "n".into(), channels, body: "{}".into(), alerts: Vec::new() };
    first.notifications = vec![row];
    journal.commit(&first).unwrap();
    let confirm = |channel: &str| Receipt {
        id: "n".to_owned(),
        channel: channel.into(),
        at: at(2).wall,
        words: "200".to_owned(),
    };
    let count = |journal: &Journal, table: &str| -> i64 {
        let select = format!("SELECT count(*) FROM {table}");
        journal.connection.query_row(&select, [], |row| row.get(0)).unwrap()
    };
    journal.commit(&Batch { receipts: vec![confirm("a")], ..Batch::default() }).unwrap();
    journal.tidy(at(40 * DAY).wall).unwrap();
    assert_eq!((count(&journal, "notifications"), count(&journal, "deliveries")), (1, 2));
    journal.commit(&Batch { receipts: vec![confirm("b")], ..Batch::default() }).unwrap();
    journal.tidy(at(20 * DAY).wall).unwrap();
    assert_eq!((count(&journal, "notifications"), count(&journal, "deliveries")), (1, 2));
    journal.tidy(at(40 * DAY).wall).unwrap();
    assert_eq!((count(&journal, "notifications"), count(&journal, "deliveries")), (0, 0));
}

#[test]
fn what_a_broken_input_caused_is_taken_out_of_the_batch() {
    let mut held = batch(1, b"x");
    held.dead_letters = vec![letter("s1", b"{")];
    let (before, mark) = (format!("{held:?}"), held.mark());
    held.lines.extend_from_slice(b"water ph=9 3");
    held.line_count += 1;
    held.dead_letters.push(letter("s2", b"{"));
    let row = NotificationRow {
        id: "n".into(),
        channels: Vec::new(),
        body: "{}".into(),
        alerts: Vec::new(),
    };
    held.notifications.push(row);
    held.roll_back(mark);
    assert_eq!(format!("{held:?}"), before);
}

#[test]
fn a_snapshot_counts_only_when_it_is_closed_and_whole() {
    let folder = TempDir::new().unwrap();
    let mut journal = open(&folder);
    journal.commit(&batch(1, b"x")).unwrap();
    let first = journal.begin_snapshot(at(1).wall).unwrap();
    journal.put_slices(first, &[(0, vec![1; 300]), (5, vec![2])]).unwrap();
    journal.finish_snapshot(first, b"closing").unwrap();
    journal.commit(&batch(2, b"x")).unwrap();
    let second = journal.begin_snapshot(at(2).wall).unwrap();
    journal.put_slices(second, &[(0, vec![9])]).unwrap();
    let reader = Reader::open(folder.path()).unwrap();
    let held = reader.latest_snapshot().unwrap().unwrap();
    assert_eq!((held.sequence, held.slices.len(), &*held.closing), (1, 2, &b"closing"[..]));
    journal.finish_snapshot(second, b"later").unwrap();
    assert_eq!(reader.latest_snapshot().unwrap().unwrap().sequence, 2);
    journal.connection.execute("UPDATE slices SET state = x'00' WHERE snapshot = 2", []).unwrap();
    assert_eq!(reader.latest_snapshot().unwrap().unwrap().sequence, 1);
}

#[test]
fn another_result_of_one_time_takes_its_place() {
    let folder = TempDir::new().unwrap();
    let mut journal = open(&folder);
    let row = |value, revision| StoredObservation {
        datastream: DatastreamId(3),
        period: Period::Native,
        time: at(1).wall,
        result: ObservationResult::Value(value),
        raw: None,
        flag: Flag::Pass,
        revision,
        flag_only: false,
        mark: Some(MarkId(3)),
    };
    let mut first = batch(1, b"x");
    first.observations = vec![row(7.0, false), row(7.5, true)];
    journal.commit(&first).unwrap();
    let reader = Reader::open(folder.path()).unwrap();
    let held =
        reader.observations(DatastreamId(3), Period::Native, at(0).wall, at(9).wall).unwrap();
    assert_eq!(held, [row(7.5, true)]);
    assert_eq!(reader.observation_count().unwrap(), 1);
}

#[test]
fn a_backup_of_a_living_journal_is_restored_elsewhere() {
    let folder = TempDir::new().unwrap();
    let mut journal = open(&folder);
    journal.commit(&batch(1, b"x")).unwrap();
    let elsewhere = TempDir::new().unwrap();
    let file = elsewhere.path().join("copy.sqlite");
    let mut told = 0;
    backup::backup(folder.path(), &file, &mut |_| told += 1).unwrap();
    assert!(told > 0);
    assert!(backup::backup(folder.path(), &file, &mut |_| ()).is_err(), "never over a file");
    journal.commit(&batch(2, b"y")).unwrap();
    assert!(backup::restore(&file, folder.path()).is_err(), "never over a journal");
    let fresh = elsewhere.path().join("data");
    backup::restore(&file, &fresh).unwrap();
    let mut restored = Journal::open(&Config::at(&fresh), at(0).wall).unwrap();
    assert_eq!(restored.commit(&batch(3, b"z")).unwrap().sequence, 2);
    for stale in ["journal.sqlite-wal", "journal.sqlite-shm"] {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join(stale), b"of another").unwrap();
        let refused = backup::restore(&file, folder.path()).unwrap_err();
        assert!(refused.to_string().contains(stale), "{refused}");
        assert!(!folder.path().join("journal.sqlite").exists());
    }
    std::fs::write(&file, b"no database").unwrap();
    assert!(backup::restore(&file, &elsewhere.path().join("other")).is_err());
}

#[test]
fn an_id_that_was_never_given_makes_no_table_of_its_size() {
    let folder = TempDir::new().unwrap();
    let mut journal = open(&folder);
    let named = |name: &str, id| Named { kind: NameKind::Station, name: name.into(), id };
    let sound = vec![named("a", 0), named("b", 1)];
    journal.commit(&Batch { names: sound.clone(), ..batch(1, b"x") }).unwrap();
    let reader = Reader::open(folder.path()).unwrap();
    assert_eq!(reader.names().unwrap(), sound);
    journal.commit(&Batch { names: vec![named("c", u32::MAX)], ..batch(2, b"y") }).unwrap();
    assert!(matches!(reader.names(), Err(Error::Damaged { what }) if what == "the id of `c`"));
}
