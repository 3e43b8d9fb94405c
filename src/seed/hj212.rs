//! How devices speak HJ 212: `options` of `devices.csv`, and what a topic of it may state.

use crate::domain::registry::{Hj212, Hj212Crc, Hj212Edition, Hj212Time, Level, Marks, Pointers};
use crate::seed::sheet::Cells;

/// How `device` of `topics.csv` says that the frames name the device.
const NAMED_IN_FRAMES: &str = "MN";

/// What `options` may say.
const OPTIONS: &str = "words such as `edition=2017` (`2005`, `surface-water`, `2025`), \
                       `crc=standard` (`modbus-swapped`), `time=start` (`instant`)";

/// Reads the options of a device.
pub(super) fn options(cells: &mut Cells<'_>, marks: &Marks) -> Hj212 {
    let mut options = Hj212::default();
    let text = cells.text("options");
    let mut named = Vec::new();
    for word in text.split_whitespace() {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        let edition = Hj212Edition::WORDS.into_iter().find(|(word, _)| *word == value);
        match (name, value, edition) {
            ("edition", _, Some((_, edition))) => options.edition = edition,
            ("crc", "standard", _) => options.crc = Hj212Crc::Standard,
            ("crc", "modbus-swapped", _) => options.crc = Hj212Crc::ModbusSwapped,
            ("time", "start", _) => options.time = Hj212Time::Start,
            ("time", "instant", _) => options.time = Hj212Time::Instant,
            _ => {
                cells.refuse("options", OPTIONS);
                return options;
            }
        }
        if named.contains(&name) {
            cells.refuse("options", "each option once");
        }
        named.push(name);
    }
    options.marks = marks.vocabulary(options.edition.vocabulary());
    options
}

/// Reads what a topic of HJ 212 states: where the device's name is, and nothing else.
pub(super) fn pointers(cells: &mut Cells<'_>, levels: &[Level]) -> Pointers {
    let of = "HJ 212, whose frames say it themselves";
    cells.empty(&["time", "time_unit", "each", "channel", "value", "unit", "mark"], of);
    if levels.contains(&Level::Channel) {
        cells.refuse("pattern", "no `{channel}`: frames of HJ 212 name it");
    }
    let in_topic = levels.contains(&Level::Device);
    match cells.text("device") {
        NAMED_IN_FRAMES => {}
        "" if in_topic => return Pointers::default(),
        _ => cells.refuse("device", "`MN`, or nothing where the pattern has `{device}`,"),
    }
    Pointers { device: NAMED_IN_FRAMES.into(), ..Pointers::default() }
}
