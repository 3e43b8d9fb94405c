//! Broken messages of devices of the example seeds, out of a real journal.

use tempfile::TempDir;

use super::*;
use crate::daemon::page::tests::{NOW, home, view};
use crate::domain::input::Qos;
use crate::domain::name::NetworkId;
use crate::domain::reject::Stage;
use crate::domain::time::{HOUR, Moment};
use crate::journal::batch::{Batch, DeadLetter};
use crate::journal::{Config, write::Journal};

fn letter(hours_ago: i64, device: &str, (code, words): (&str, &str)) -> DeadLetter {
    let at = NOW.plus(-hours_ago * HOUR);
    DeadLetter {
        at,
        network: NetworkId(0),
        topic: b"water/x/data".as_slice().into(),
        payload: b"{\"ph\":\xff\x01".as_slice().into(),
        qos: Qos::AtLeastOnce,
        retain: false,
        packet_id: 0,
        stage: Stage::Decode,
        code: code.into(),
        words: words.to_owned(),
        device: Some(device.to_owned()).filter(|device| !device.is_empty()),
        channel: None,
        record: 0,
        received: Moment { wall: at, elapsed_ms: 0 },
        pattern: None,
        message_rejected: true,
        more: 0,
    }
}

const CUT_OFF: (&str, &str) = ("malformed", "not JSON: it ends in the middle, after 41 bytes");
const WRONG: (&str, &str) = ("wrong_type", "found \"---\", expected a number");

fn journal(letters: Vec<DeadLetter>) -> (TempDir, Reader) {
    let folder = TempDir::new().unwrap();
    let mut journal = Journal::open(&Config::at(folder.path()), NOW).unwrap();
    let batch = Batch { at: NOW, dead_letters: letters, ..Batch::default() };
    journal.commit(&batch).unwrap();
    let reader = Reader::open(folder.path()).unwrap();
    (folder, reader)
}

#[test]
fn a_shift_names_the_station_of_each_device_and_why() {
    let (_folder, reader) = journal(vec![
        letter(9, "sonde-02", CUT_OFF),
        letter(3, "sonde-02", WRONG),
        letter(2, "sonde-02", WRONG),
        letter(1, "sonde-03", CUT_OFF),
        letter(1, "sonde-99", ("unknown_device", "the device is not in devices.csv")),
    ]);
    let view = view(0);
    let found = since(&reader, &view.registry, NOW.plus(-8 * HOUR)).unwrap();
    let told: Vec<(&str, &str, u64, bool)> = found
        .iter()
        .map(|one| (&*one.station_id, &*one.count.device, one.count.total, one.mendable))
        .collect();
    let want = [
        ("puhe-daoyi", "sonde-02", 2, true),
        ("puhe-pudong", "sonde-03", 1, false),
        ("", "sonde-99", 1, true),
    ];
    assert_eq!(told, want);
    assert_eq!(&*found[1].why.zh, "报文不完整，中途截断");
    assert_eq!(counted_since(&reader, NOW.plus(-8 * HOUR)).unwrap(), (4, false));
    assert_eq!(counted_since(&reader, NOW).unwrap(), (0, false), "what is old hurries nobody");
}

#[test]
fn beyond_what_is_kept_there_is_more_than_is_counted() {
    let flood = (0..130).map(|_| letter(1, "sonde-02", WRONG)).collect();
    let (_folder, reader) = journal(flood);
    let since_then = NOW.plus(-8 * HOUR);
    assert_eq!(counted_since(&reader, since_then).unwrap(), (100, true));
    let found = since(&reader, &view(0).registry, since_then).unwrap();
    assert_eq!((found.len(), found[0].more, found[0].count.total), (1, true, 100));
}

#[test]
fn a_broken_message_is_shown_down_to_its_bytes() {
    let (_folder, reader) = journal(vec![letter(1, "sonde-03", CUT_OFF), letter(1, "", WRONG)]);
    let view = view(0);
    let held = |id| reader.dead_letter(DeadLetterId(id)).unwrap().unwrap();
    let shown = page(Some(&view.registry), &held(1), &home());
    assert_eq!((&*shown.station_id, &*shown.topic), ("puhe-pudong", "water/x/data"));
    assert_eq!((&*shown.at, &*shown.zone), ("2026-06-01T10:04:00+08:00", "UTC+8"));
    assert_eq!((&*shown.text, shown.bytes), ("", 8), "what is no text is shown as bytes alone");
    assert_eq!(&*shown.hex[0][1], "7b 22 70 68 22 3a ff 01");
    assert_eq!((&*shown.code, shown.mendable), ("malformed", false));
    let nobodys = page(Some(&view.registry), &held(2), &home());
    assert!(nobodys.device.is_empty() && nobodys.station_id.is_empty() && nobodys.mendable);
}
