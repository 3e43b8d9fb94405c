//! What topics mean.

use crate::domain::name::{NameKind, NetworkId, TopicId};
use crate::domain::registry::{Format, Level, Pointers, TimeUnit, TopicRule};
use crate::seed::draft::Draft;
use crate::seed::hj212;
use crate::seed::sheet::{Cells, Sheets, TOPICS};

/// How the array of records is written that is the whole payload.
const WHOLE_PAYLOAD: &str = ".";

/// Formats besides JSON.
const OTHER_FORMATS: &[(&str, Format)] = &[
    ("hj212", Format::Hj212),
    #[cfg(debug_assertions)]
    ("crash", Format::Crash),
];

/// Finds a format by its word.
pub(crate) fn format(word: &str) -> Option<Format> {
    let mut words = std::iter::once(&("json", Format::Json)).chain(OTHER_FORMATS);
    words.find(|(known, _)| *known == word).map(|(_, format)| *format)
}

/// Reads `topics.csv`.
pub(super) fn topics(sheets: &Sheets, draft: &mut Draft) {
    let sheet = sheets.get(&TOPICS);
    let mut earlier: Vec<(u64, NetworkId, Vec<Level>)> = Vec::new();
    for row in &sheet.rows {
        let mut cells = sheet.cells(row, &mut draft.faults);
        let network = cells.find("network", &draft.networks);
        let pattern = cells.required("pattern");
        let levels = levels(&mut cells, pattern);
        let format = cells.word("format", ("json", Format::Json), OTHER_FORMATS);
        let (pointers, time_unit) = if format == Format::Hj212 {
            (hj212::pointers(&mut cells, &levels), TimeUnit::Local)
        } else {
            (pointers(&mut cells, &levels), time_unit(&mut cells))
        };
        let marks = match cells.text("marks") {
            "" => None,
            _ => cells.find("marks", &draft.marks),
        };
        if !pointers.mark.is_empty() && cells.text("marks").is_empty() {
            cells.refuse("marks", "a vocabulary of device_marks.csv, since `mark` has a pointer,");
        }
        let Some(network) = network else { continue };
        let overlaps = |(_, held, other): &&(u64, NetworkId, Vec<Level>)| {
            *held == network && overlap(other, &levels)
        };
        if let Some((line, _, _)) = earlier.iter().find(overlaps) {
            let found = format!("`{pattern}`, which shares topics with line {line}");
            cells.fault(found, "patterns of one network that no topic fits twice");
        }
        earlier.push((row.line, network, levels.clone()));
        let lasting = format!("{} {pattern}", cells.text("network"));
        let id = TopicId(draft.names.id(NameKind::Topic, &lasting));
        let rule = TopicRule {
            id,
            network,
            pattern: pattern.into(),
            levels,
            formats: vec![format],
            time_unit,
            pointers,
            marks,
        };
        draft.registry.topics.put(id.index(), rule);
    }
}

fn levels(cells: &mut Cells<'_>, pattern: &str) -> Vec<Level> {
    let levels: Vec<Level> = pattern.split('/').map(Level::read).collect();
    let odd = |level: &Level| match level {
        Level::Literal(word) => word.contains(['{', '}', '+', '#']),
        Level::Device | Level::Channel | Level::Place => false,
    };
    if levels.iter().any(odd) {
        cells.refuse("pattern", "levels of plain words, `{device}`, `{channel}` and `{place}`");
    }
    for once in [Level::Device, Level::Channel] {
        if levels.iter().filter(|level| **level == once).count() > 1 {
            cells.refuse("pattern", "one `{device}` and one `{channel}`");
        }
    }
    levels
}

fn pointers(cells: &mut Cells<'_>, levels: &[Level]) -> Pointers {
    let each = match cells.text("each") {
        "" => None,
        WHOLE_PAYLOAD => Some("".into()),
        _ => Some(pointer(cells, "each")),
    };
    let pointers = Pointers {
        device: pointer(cells, "device"),
        time: pointer(cells, "time"),
        each,
        channel: pointer(cells, "channel"),
        value: pointer(cells, "value"),
        unit: pointer(cells, "unit"),
        mark: pointer(cells, "mark"),
    };
    if pointers.device.is_empty() && !levels.contains(&Level::Device) {
        cells.refuse("device", "a JSON pointer, since the pattern has no `{device}`,");
    }
    let in_topic = levels.contains(&Level::Channel);
    if in_topic && !pointers.channel.is_empty() {
        cells.refuse("channel", "nothing, since the pattern has `{channel}`,");
    }
    if !in_topic && !pointers.channel.is_empty() && pointers.value.is_empty() {
        cells.refuse("value", "a JSON pointer, since `channel` has one,");
    }
    if !in_topic && pointers.channel.is_empty() {
        cells.empty(&["value", "unit"], "a record that names no channel");
    }
    pointers
}

/// Reads a JSON pointer or an empty cell.
pub(super) fn pointer(cells: &mut Cells<'_>, column: &str) -> Box<str> {
    let text = cells.text(column);
    let escaped = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    if !text.is_empty() && (!text.starts_with('/') || !escaped) {
        cells.refuse(column, "a JSON pointer such as `/data/value`");
    }
    text.into()
}

fn time_unit(cells: &mut Cells<'_>) -> TimeUnit {
    if cells.text("time").is_empty() {
        cells.empty(&["time_unit"], "a payload without a time");
        return TimeUnit::Milliseconds;
    }
    cells.word(
        "time_unit",
        ("ms", TimeUnit::Milliseconds),
        &[
            ("s", TimeUnit::Seconds),
            ("us", TimeUnit::Microseconds),
            ("ns", TimeUnit::Nanoseconds),
            ("rfc3339", TimeUnit::Rfc3339),
            ("local", TimeUnit::Local),
        ],
    )
}

/// Says whether one topic can fit both patterns.
fn overlap(one: &[Level], other: &[Level]) -> bool {
    let may_meet = |(one, other): (&Level, &Level)| match (one, other) {
        (Level::Literal(one), Level::Literal(other)) => one == other,
        (Level::Literal(_) | Level::Device | Level::Channel | Level::Place, _) => true,
    };
    one.len() == other.len() && one.iter().zip(other).all(may_meet)
}
