//! What each payload format takes from the cells of a row of `topics.csv`, and what it has no use
//! for.

use crate::domain::registry::{FIELD, Field, Format, Level, Options, Pointers, TimeUnit, several};
use crate::seed::hj212;
use crate::seed::reply;
use crate::seed::sheet::Cells;

/// The formats by their words.
const FORMATS: &[(&str, Format)] = &[
    ("json", Format::Json),
    ("hj212", Format::Hj212),
    ("plain", Format::Plain),
    ("csv", Format::Csv),
    ("line_protocol", Format::LineProtocol),
    ("telegraf", Format::Telegraf),
    ("senml", Format::Senml),
    ("sparkplug_b", Format::SparkplugB),
    ("chirpstack", Format::Chirpstack),
    ("things_stack", Format::ThingsStack),
    ("tasmota", Format::Tasmota),
    ("shelly", Format::Shelly),
    ("zigbee2mqtt", Format::Zigbee2mqtt),
    ("homie", Format::Homie),
    ("binary", Format::Binary),
    #[cfg(debug_assertions)]
    ("crash", Format::Crash),
];
/// The cells that say where a format finds things.
const PLACES: [&str; 8] = ["device", "time", "each", "channel", "value", "unit", "mark", "marks"];
/// Those, and the unit of times, where the device alone may have a place.
const NOT_DEVICE: [&str; 8] =
    ["time", "time_unit", "each", "channel", "value", "unit", "mark", "marks"];
/// The units in which time is counted.
const COUNTED: &[(&str, TimeUnit)] = &[
    ("ns", TimeUnit::Nanoseconds),
    ("us", TimeUnit::Microseconds),
    ("ms", TimeUnit::Milliseconds),
    ("s", TimeUnit::Seconds),
];
/// How the array of records is written that is the whole payload.
const WHOLE_PAYLOAD: &str = ".";

/// Finds a format by its word.
pub(crate) fn format(word: &str) -> Option<Format> {
    FORMATS.iter().find(|(known, _)| *known == word).map(|(_, format)| *format)
}

/// What the cells of a row mean to its formats.
#[derive(Debug)]
pub(super) struct Meaning {
    pub(super) formats: Vec<Format>,
    pub(super) pointers: Pointers,
    pub(super) time_unit: TimeUnit,
    pub(super) options: Options,
}

/// Reads the formats of a row and what its cells mean to them. Of several formats the cells are
/// those of JSON, if it is one of them, else of the first.
pub(super) fn meaning(cells: &mut Cells<'_>, levels: &[Level]) -> Meaning {
    let formats = formats(cells);
    let first = formats.first().copied().unwrap_or(Format::Json);
    let format = if formats.contains(&Format::Json) { Format::Json } else { first };
    let (pointers, time_unit) = match format {
        Format::Json => json(cells, levels),
        #[cfg(debug_assertions)]
        Format::Crash => json(cells, levels),
        Format::Hj212 => (hj212::pointers(cells, levels), TimeUnit::Local),
        Format::Plain => plain(cells, levels),
        Format::Csv => rows(cells, levels),
        Format::Binary => binary(cells, levels, formats.len()),
        Format::LineProtocol => tagged(cells, levels, ("ns", TimeUnit::Nanoseconds)),
        Format::Senml => senml(cells, levels),
        Format::Tasmota => of_topic(cells, levels, true),
        Format::Shelly | Format::Zigbee2mqtt => of_topic(cells, levels, false),
        Format::Homie => homie(cells, levels),
        Format::Chirpstack | Format::ThingsStack => fixed(cells, levels),
        Format::SparkplugB => sparkplug_b(cells, levels),
        Format::Telegraf => tagged(cells, levels, ("s", TimeUnit::Seconds)),
    };
    let options = options(cells, format, &pointers);
    Meaning { formats, pointers, time_unit, options }
}

fn formats(cells: &mut Cells<'_>) -> Vec<Format> {
    let mut found = Vec::new();
    for word in cells.text("format").split_whitespace() {
        match format(word) {
            Some(format) if !found.contains(&format) => found.push(format),
            Some(_) => cells.refuse("format", "each format once"),
            None => {}
        }
    }
    let words = cells.text("format").split_whitespace().count();
    if words == 0 || cells.text("format").split_whitespace().any(unknown) {
        let words: Vec<_> = FORMATS.iter().map(|(name, _)| format!("`{name}`")).collect();
        cells.refuse("format", words.join(" or "));
    }
    found
}

fn unknown(word: &str) -> bool {
    format(word).is_none()
}

fn json(cells: &mut Cells<'_>, levels: &[Level]) -> (Pointers, TimeUnit) {
    let each = match cells.text("each") {
        "" => None,
        WHOLE_PAYLOAD => Some("".into()),
        _ => Some(pointer(cells, "each")),
    };
    let pointers = Pointers {
        device: pointer(cells, "device"),
        time: pointer(cells, "time"),
        each,
        channel: pointers(cells, "channel"),
        value: pointers(cells, "value"),
        unit: pointer(cells, "unit"),
        mark: pointer(cells, "mark"),
    };
    named_device(cells, levels, "a JSON pointer");
    long_record(cells, levels, &pointers, "a JSON pointer");
    (pointers, stated_time(cells))
}

/// The topic says all that a bare number does not.
fn plain(cells: &mut Cells<'_>, levels: &[Level]) -> (Pointers, TimeUnit) {
    cells.empty(&PLACES, "a plain number");
    for (level, word) in [(Level::Device, "{device}"), (Level::Channel, "{channel}")] {
        if !levels.contains(&level) {
            cells.refuse("pattern", format_args!("a level `{word}` for plain numbers"));
        }
    }
    cells.empty(&["time_unit"], "a payload without a time");
    (Pointers::default(), TimeUnit::Milliseconds)
}

/// The cells name columns.
fn rows(cells: &mut Cells<'_>, levels: &[Level]) -> (Pointers, TimeUnit) {
    let pointers = Pointers {
        device: cells.text("device").into(),
        time: cells.text("time").into(),
        each: None,
        channel: cells.text("channel").into(),
        value: cells.text("value").into(),
        unit: cells.text("unit").into(),
        mark: Box::default(),
    };
    cells.empty(&["each", "mark", "marks"], "CSV");
    named_device(cells, levels, "a column");
    long_record(cells, levels, &pointers, "a column");
    if levels.contains(&Level::Channel) && pointers.value.is_empty() {
        cells.refuse("value", "a column, since the pattern has `{channel}`,");
    }
    (pointers, stated_time(cells))
}

/// Fields stand in the profile; the time may be one, and tells records of one payload apart.
fn binary(cells: &mut Cells<'_>, levels: &[Level], formats: usize) -> (Pointers, TimeUnit) {
    let of = "binary records";
    cells.empty(&["device", "each", "channel", "value", "unit", "mark", "marks"], of);
    if formats > 1 {
        cells.refuse("format", "`binary` alone, since any bytes of the right length are a record");
    }
    if !levels.contains(&Level::Device) || levels.contains(&Level::Channel) {
        cells.refuse("pattern", format_args!("`{{device}}` and no `{{channel}}` for {of}"));
    }
    let time = cells.text("time");
    if time.is_empty() {
        cells.empty(&["time_unit"], "a payload without a time");
        return (Pointers::default(), TimeUnit::Milliseconds);
    }
    if Field::read(time).is_none_or(|field| field.bit.is_some()) {
        cells.refuse("time", FIELD);
    }
    let time_unit = cells.word("time_unit", ("ms", TimeUnit::Milliseconds), COUNTED);
    (Pointers { time: time.into(), ..Pointers::default() }, time_unit)
}

/// The cells name tags; values and time stand where the format says.
fn tagged(
    cells: &mut Cells<'_>,
    levels: &[Level],
    usual: (&str, TimeUnit),
) -> (Pointers, TimeUnit) {
    let format = cells.text("format");
    cells.empty(&["time", "each", "value", "unit", "mark", "marks"], format);
    let device = cells.text("device").into();
    let channel = cells.text("channel").into();
    named_device(cells, levels, "a tag");
    if levels.contains(&Level::Channel) {
        cells.refuse("pattern", format_args!("no `{{channel}}` for {format}"));
    }
    let time_unit = match cells.text("time_unit") {
        "" => usual.1,
        _ => cells.word("time_unit", ("ns", TimeUnit::Nanoseconds), COUNTED),
    };
    (Pointers { device, channel, ..Pointers::default() }, time_unit)
}

/// All stands in the payload; the base name may be the device's.
fn senml(cells: &mut Cells<'_>, levels: &[Level]) -> (Pointers, TimeUnit) {
    cells.empty(&NOT_DEVICE, "SenML");
    if !matches!(cells.text("device"), "" | "bn") {
        cells.refuse("device", "`bn`, if the base name is the device's name, or nothing");
    }
    named_device(cells, levels, "`bn`");
    if levels.contains(&Level::Channel) {
        cells.refuse("pattern", "no `{channel}` for SenML");
    }
    let device = cells.text("device").into();
    (Pointers { device, ..Pointers::default() }, TimeUnit::Seconds)
}

/// The topic is the specification's, and says all that stands around the metrics.
fn sparkplug_b(cells: &mut Cells<'_>, levels: &[Level]) -> (Pointers, TimeUnit) {
    cells.empty(&PLACES, "Sparkplug B");
    cells.empty(&["time_unit"], "Sparkplug B");
    let rest = match levels {
        [Level::Literal(space), Level::Literal(_) | Level::Place, rest @ ..]
            if **space == *"spBv1.0" =>
        {
            rest
        }
        _ => &[],
    };
    if !matches!(rest, [Level::Kind, Level::Device] | [Level::Kind, Level::Node, Level::Device]) {
        let of_node = "`spBv1.0/GROUP/{kind}/{device}` for edge nodes";
        let of_device = "`spBv1.0/GROUP/{kind}/{node}/{device}` for their devices";
        cells.refuse(
            "pattern",
            format_args!("{of_node} or {of_device}, with a group or `{{place}}`"),
        );
    }
    (Pointers::default(), TimeUnit::Milliseconds)
}

/// The shape is the format's own; the device may be named by a pointer.
fn fixed(cells: &mut Cells<'_>, levels: &[Level]) -> (Pointers, TimeUnit) {
    let format = cells.text("format");
    cells.empty(&NOT_DEVICE, format);
    named_device(cells, levels, "a JSON pointer");
    if levels.contains(&Level::Channel) {
        cells.refuse("pattern", format_args!("no `{{channel}}` for {format}"));
    }
    let device = pointer(cells, "device");
    (Pointers { device, ..Pointers::default() }, TimeUnit::Milliseconds)
}

/// The topic names the device, and what kind of message it is.
fn of_topic(cells: &mut Cells<'_>, levels: &[Level], kind: bool) -> (Pointers, TimeUnit) {
    let format = cells.text("format");
    cells.empty(&PLACES, format);
    cells.empty(&["time_unit"], format);
    if !levels.contains(&Level::Device) || levels.contains(&Level::Channel) {
        cells.refuse("pattern", format_args!("`{{device}}` and no `{{channel}}` for {format}"));
    }
    if kind && !levels.contains(&Level::Kind) {
        cells.refuse("pattern", format_args!("a level `{{kind}}` for {format}"));
    }
    (Pointers::default(), TimeUnit::Local)
}

/// One level behind the device for what is said of it, two for its values.
fn homie(cells: &mut Cells<'_>, levels: &[Level]) -> (Pointers, TimeUnit) {
    let device = levels.iter().position(|level| *level == Level::Device);
    if device.is_some_and(|at| !matches!(levels.len() - at, 2 | 3)) {
        let of_values = "`{device}/{place}/{place}` for values";
        cells.refuse("pattern", format_args!("`{{device}}/{{kind}}` for `$state`, {of_values}"));
    }
    of_topic(cells, levels, false)
}

fn named_device(cells: &mut Cells<'_>, levels: &[Level], what: &str) {
    if cells.text("device").is_empty() && !levels.contains(&Level::Device) {
        cells.refuse("device", format_args!("{what}, since the pattern has no `{{device}}`,"));
    }
}

fn long_record(cells: &mut Cells<'_>, levels: &[Level], pointers: &Pointers, what: &str) {
    let in_topic = levels.contains(&Level::Channel);
    if in_topic && !pointers.channel.is_empty() {
        cells.refuse("channel", "nothing, since the pattern has `{channel}`,");
    }
    if !in_topic && !pointers.channel.is_empty() && pointers.value.is_empty() {
        cells.refuse("value", format_args!("{what}, since `channel` has one,"));
    }
    if !in_topic && pointers.channel.is_empty() {
        cells.empty(&["value", "unit"], "a record that names no channel");
    }
}

/// Reads a JSON pointer or an empty cell.
pub(super) fn pointer(cells: &mut Cells<'_>, column: &str) -> Box<str> {
    let text = cells.text(column);
    if !text.is_empty() && !is_pointer(text) {
        cells.refuse(column, "a JSON pointer such as `/data/value`");
    }
    text.into()
}

/// Reads JSON pointers with spaces between, or an empty cell.
fn pointers(cells: &mut Cells<'_>, column: &str) -> Box<str> {
    let text = cells.text(column);
    if !several(text).all(is_pointer) {
        cells.refuse(column, "JSON pointers such as `/data/value`, with spaces between");
    }
    text.into()
}

fn is_pointer(text: &str) -> bool {
    text.starts_with('/') && text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']))
}

fn stated_time(cells: &mut Cells<'_>) -> TimeUnit {
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

/// Reads `name=value` with spaces between.
fn options(cells: &mut Cells<'_>, format: Format, pointers: &Pointers) -> Options {
    if let Some(options) = reply::options(cells, format) {
        return options;
    }
    let mut options = Options::default();
    if format == Format::Binary {
        return lengths(cells, pointers);
    }
    if format != Format::Csv {
        cells.empty(&["options"], cells.text("format"));
        return options;
    }
    for word in cells.text("options").split_whitespace() {
        match word.split_once('=') {
            Some(("header", "none")) => options.header = false,
            Some(("separator", "tab")) => options.separator = b'\t',
            Some(("separator", ";")) => options.separator = b';',
            Some(("separator", "|")) => options.separator = b'|',
            Some(("separator", ",")) => options.separator = b',',
            Some(_) | None => {
                cells.refuse("options", "`header=none`, `separator=;`, `|` or `tab`");
            }
        }
    }
    options
}

/// Reads how long a binary record is, and what stands before the first.
fn lengths(cells: &mut Cells<'_>, pointers: &Pointers) -> Options {
    let mut options = Options::default();
    for word in cells.text("options").split_whitespace() {
        let (name, bytes) = word.split_once('=').unwrap_or((word, ""));
        match (name, bytes.parse::<u16>()) {
            ("record", Ok(bytes)) if bytes > 0 && options.record == 0 => options.record = bytes,
            ("header", Ok(bytes)) if bytes > 0 && options.before == 0 => options.before = bytes,
            (_, Ok(_) | Err(_)) => {
                cells.refuse("options", "`record=` and the bytes of a record, perhaps `header=`");
                return options;
            }
        }
    }
    if options.record == 0 {
        cells.refuse("options", "`record=` and the bytes of a record, such as `record=12`");
    } else if Field::read(&pointers.time)
        .is_some_and(|field| field.end() > usize::from(options.record))
    {
        cells.refuse(
            "time",
            format_args!("a field inside the {} bytes of a record", options.record),
        );
    }
    options
}
