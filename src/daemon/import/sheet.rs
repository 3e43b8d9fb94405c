//! A table on its way into messages: which device and which channels its columns are, and its rows
//! as parts that [`crate::decode::csv`] reads, each of one natural day of the station at most.

use std::borrow::Cow;
use std::collections::HashSet;

use jiff::tz::TimeZone;

use crate::daemon::table::{self, Faults};
use crate::decode::time::local;
use crate::domain::fault::Fault;
use crate::domain::observation::ObservationResult;
use crate::domain::registry::{Assignment, Channel, Device, IMPORT, Profile, Registry, Station};
use crate::domain::time::{Calendar, Timestamp};
use crate::seed::nearest;

/// How many readings a part has at most,
pub const READINGS_MAX: usize = 2_000;
/// and how many bytes, but for one row beyond.
pub const PART_BYTES_MAX: usize = 128 << 10;
/// How long a cell may be, bytes; what is longer is cut.
pub const CELL_BYTES_MAX: usize = 500;

/// The columns of a part.
const HEAD: [&str; 8] =
    ["time", "channel", "value", "unit", "method", "detection_limit", "person", "said"];
/// The channel of a row that can't be told apart into cells.
const ROW: &str = "(row)";
/// How times are written.
const TIME: &str = "one such as `2026-06-01 08:30`, 2026-06-01 or 2026-06-01T08:30:00+08:00";
/// What a laboratory writes for a value below its detection limit, without saying below what.
const NOT_DETECTED: [&str; 6] = ["nd", "n.d.", "<dl", "<lod", "未检出", "低于检出限"];

/// What a table does not say itself.
#[derive(Clone, Debug)]
pub struct Asked {
    /// How faults name the table.
    pub file: String,
    /// The station.
    pub station: String,
    /// The device; that of the station without.
    pub device: Option<String>,
    /// Columns, and properties of a long table, that are passed over.
    pub ignore: Vec<String>,
}

/// A part of a table, as one message.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Part {
    /// The message.
    pub payload: String,
    /// Where each of its readings stands in the table.
    pub places: Vec<Place>,
}

/// Where a reading stands in the table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// The line.
    pub line: u64,
    /// The column with what stands there, or what is wrong with the row.
    pub found: Box<str>,
    /// Whether that says what was expected, too, since no format can say it better.
    pub is_told: bool,
}

/// A column of values.
#[derive(Clone, PartialEq, Debug)]
struct Column {
    at: usize,
    head: Box<str>,
    channel: Box<str>,
    unit: Box<str>,
    /// Below what a value lies that is only said to be below.
    limit: Option<f64>,
}

/// Where in a row things stand.
#[derive(Clone, PartialEq, Debug, Default)]
struct Columns {
    time: usize,
    station: Option<usize>,
    method: Option<usize>,
    limit: Option<usize>,
    person: Option<usize>,
    /// Of a long table: the property, its value and unit.
    long: Option<(usize, usize, Option<usize>)>,
    wide: Vec<Column>,
}

/// A table that is being cut into parts.
#[derive(Debug)]
pub struct Sheet<'a> {
    registry: &'a Registry,
    station: &'a Station,
    profile: &'a Profile,
    zone: &'a TimeZone,
    columns: Columns,
    /// Properties of a long table that are passed over.
    ignore: Vec<String>,
    head: csv::StringRecord,
    reader: csv::Reader<&'a [u8]>,
    /// The first row of the next part.
    next: Option<Row>,
    /// How many rows were read,
    pub rows: u64,
    /// and how many of them are of other stations.
    pub of_others: u64,
    /// How many bytes were read.
    pub bytes: u64,
    /// The topic of its parts.
    pub topic: String,
}

/// A row as it stands in a part.
#[derive(Debug, Default)]
struct Row {
    day: Option<Timestamp>,
    payload: String,
    places: Vec<Place>,
}

impl<'a> Sheet<'a> {
    /// Finds out what a table is of: every fault of its head at once.
    ///
    /// # Errors
    /// The faults.
    pub fn open(registry: &'a Registry, asked: &Asked, text: &'a str) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::of(&asked.file);
        let made = open(registry, asked, text, &mut faults);
        faults.or(made)
    }

    /// Names each column and what it is read as.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let name = |channel: &str| {
            let channels = self.profile.channels.iter();
            let property = channels.into_iter().find(|one| *one.name == *channel)?.property?;
            Some(&*self.registry.property(property)?.name)
        };
        let wide = self.columns.wide.iter().map(|one| {
            let property = name(&one.channel).unwrap_or_default();
            format!("column `{}` is channel `{}`: {property}", one.head, one.channel)
        });
        let long = self.columns.long.iter().map(|(property, value, _)| {
            let head = |at: usize| self.head.get(at).unwrap_or_default();
            format!("column `{}` is the value of what `{}` names", head(*value), head(*property))
        });
        wide.chain(long).collect()
    }

    /// Gives the next part.
    pub fn part(&mut self) -> Option<Part> {
        let first = self.next.take().or_else(|| self.row())?;
        let mut out = csv::Writer::from_writer(Vec::new());
        out.write_record(HEAD).ok()?;
        let mut payload = String::from_utf8(out.into_inner().ok()?).ok()?;
        payload.push_str(&first.payload);
        let mut part = Part { payload, places: first.places };
        while let Some(row) = self.row() {
            let full = part.places.len() + row.places.len() > READINGS_MAX
                || part.payload.len() + row.payload.len() > PART_BYTES_MAX;
            if full || row.day != first.day {
                self.next = Some(row);
                break;
            }
            part.payload.push_str(&row.payload);
            part.places.extend(row.places);
        }
        Some(part)
    }

    /// Gives the next row that says something of the station.
    fn row(&mut self) -> Option<Row> {
        let mut cells = csv::StringRecord::new();
        loop {
            let read = self.reader.read_record(&mut cells);
            self.bytes = self.reader.position().byte();
            match read {
                Ok(false) => return None,
                Ok(true) => {}
                Err(_) => {
                    self.rows += 1;
                    return Some(self.broken(&cells));
                }
            }
            self.rows += 1;
            let cell = |at: Option<usize>| at.and_then(|at| cells.get(at)).unwrap_or_default();
            if self.columns.station.is_some() && *cell(self.columns.station) != *self.station.name {
                self.of_others += 1;
                continue;
            }
            let row = self.readings(&cells);
            if !row.places.is_empty() {
                return Some(row);
            }
        }
    }

    /// Hands a row on that can't be told apart into cells, so that it ends as a dead letter.
    fn broken(&self, cells: &csv::StringRecord) -> Row {
        let line = cells.position().map_or(0, csv::Position::line);
        let said: Vec<&str> = cells.iter().collect();
        let said = said.join(",");
        let (has, wanted) = (cells.len(), self.head.len());
        let found = format!("a row of {has} cells, expected {wanted}, as in the head").into();
        let mut row = Row { day: None, ..Row::default() };
        row.push(["", ROW, cut(&said), "", "", "", "", ""], Place { line, found, is_told: true });
        row
    }

    fn readings(&self, cells: &csv::StringRecord) -> Row {
        let line = cells.position().map_or(0, csv::Position::line);
        let cell = |at: Option<usize>| at.and_then(|at| cells.get(at)).unwrap_or_default();
        let columns = &self.columns;
        let stated = cell(Some(columns.time));
        let time = time(stated, self.zone);
        let zone = &self.station.zone;
        let day = time.and_then(|time| Some(time.calendar(zone, Calendar::Day)?.0));
        let written = time.map(|time| time.rfc3339(self.zone));
        let written = written.as_deref().unwrap_or(cut(stated));
        let (method, person) = (cut(cell(columns.method)), cut(cell(columns.person)));
        let stated_limit = cut(cell(columns.limit));
        let mut row = Row { day, ..Row::default() };
        let mut take = |head: &str, channel: &str, value: &str, unit: &str, limit: Option<f64>| {
            let value = cut(value);
            if value.is_empty() {
                return;
            }
            let limit = stated_limit.parse().ok().or(limit);
            let read = result(value, limit);
            let said = if *read == *value { "" } else { value };
            let found = match time {
                Some(_) => format!("column `{head}`"),
                None => format!("time {}, expected {TIME}", quoted(stated)),
            };
            let (found, is_told) = (found.into(), time.is_none());
            row.push(
                [written, cut(channel), &read, cut(unit), method, stated_limit, person, said],
                Place { line, found, is_told },
            );
        };
        for column in &columns.wide {
            let Column { at, head, channel, unit, limit } = column;
            take(head, channel, cell(Some(*at)), unit, *limit);
        }
        if let Some((property, value, unit)) = columns.long {
            let head = self.head.get(value).unwrap_or_default();
            let (named, unit) = (cell(Some(property)), cell(unit));
            if self.ignore.iter().any(|ignored| *ignored == *named) {
                return row;
            }
            let known = column(self.registry, self.profile, named).ok();
            let channel = known.as_ref().map_or(named, |known| &known.channel);
            let same = known.as_ref().filter(|_| unit.is_empty());
            let limit = same.and_then(|known| known.limit);
            let unit = known.as_ref().filter(|_| unit.is_empty()).map_or(unit, |known| &known.unit);
            take(head, channel, cell(Some(value)), unit, limit);
        }
        row
    }
}

impl Row {
    fn push(&mut self, cells: [&str; HEAD.len()], place: Place) {
        let mut out = csv::Writer::from_writer(Vec::new());
        // Writing into memory can't fail, and what was text is text again.
        out.write_record(cells).unwrap_or_default();
        let line = out.into_inner().unwrap_or_default();
        self.payload.push_str(&String::from_utf8_lossy(&line));
        self.places.push(place);
    }
}

fn open<'a>(
    registry: &'a Registry,
    asked: &Asked,
    text: &'a str,
    faults: &mut Faults,
) -> Option<Sheet<'a>> {
    let Some(station) = registry.stations.iter().find(|one| *one.name == *asked.station) else {
        let near = nearest(&asked.station, registry.stations.iter().map(|one| &*one.name));
        let near = near.map_or(String::new(), |near| format!("; the nearest is `{near}`"));
        let found = format!("station `{}`", asked.station);
        faults.add(None, found, format!("a station of stations.csv{near}"));
        return None;
    };
    if registry.import.is_none_or(|of| registry.filters(of).is_empty()) {
        let row = "import,{node}/{device},csv,,time,rfc3339,,channel,value,unit";
        let expected = format!("the row `{row}`, with a source, in topics.csv");
        faults.add(None, "seeds without a topic of the network `import`", expected);
    }
    let (device, assignment) = device(registry, station, asked.device.as_deref(), faults)?;
    let profile = registry.profiles.get(usize::from(assignment.profile.0))?;
    let (reader, head) = faults.head(text)?;
    let columns = columns(registry, profile, asked, &head, faults)?;
    properties(registry, profile, asked, &columns, text, faults);
    let network = registry.networks.get(device.network.index()).map_or("", |name| name);
    let topic = format!("{network}/{}", device.name);
    if device.name.contains('/') {
        let expected = "a device whose name has no `/`, such as one of the network `import`";
        faults.add(None, format!("device `{}`", device.name), expected);
    }
    let (zone, next) = (&device.zone, None);
    let (rows, of_others, bytes, ignore) = (0, 0, 0, asked.ignore.clone());

    Some(Sheet {
        registry,
        station,
        profile,
        zone,
        columns,
        ignore,
        head,
        reader,
        next,
        rows,
        of_others,
        bytes,
        topic,
    })
}

/// Finds the device whose table it is: the one that is named, else the station's only one of the
/// network of imports, else its only one.
fn device<'r>(
    registry: &'r Registry,
    station: &Station,
    named: Option<&str>,
    faults: &mut Faults,
) -> Option<(&'r Device, &'r Assignment)> {
    let there = registry.devices.iter().filter_map(|device| {
        let mut assignments = device.assignments.iter().rev();
        Some((device, assignments.find(|one| one.station == station.id)?))
    });
    let there: Vec<(&Device, &Assignment)> = there.collect();
    let whole = |device: &Device| {
        let network = registry.networks.get(device.network.index()).map_or("", |name| name);
        format!("{network}/{}", device.name)
    };
    let is_named = |device: &Device| {
        named.is_none_or(|named| *device.name == *named || whole(device) == named)
    };
    let meant: Vec<_> = there.iter().filter(|(device, _)| is_named(device)).collect();
    let imported: Vec<_> =
        meant.iter().filter(|(device, _)| registry.is_import(device.network)).collect();
    match (imported.as_slice(), meant.as_slice()) {
        ([one], _) => Some(***one),
        ([], [one]) => Some(**one),
        _ => {
            let names: Vec<String> = there.iter().map(|(device, _)| whole(device)).collect();
            let found = match named {
                Some(named) => format!("--device {named}"),
                None => format!("{} devices", names.len()),
            };
            let laboratory = format!("or a row of devices.csv of the network `{IMPORT}`");
            let expected = format!(
                "--device with one at `{}`: {}; {laboratory}",
                station.name,
                names.join(", ")
            );
            faults.add(None, found, expected);
            None
        }
    }
}

/// Finds out what the columns are.
fn columns(
    registry: &Registry,
    profile: &Profile,
    asked: &Asked,
    head: &csv::StringRecord,
    faults: &mut Faults,
) -> Option<Columns> {
    let find = |names: &[&str]| {
        head.iter().position(|cell| names.iter().any(|name| cell.eq_ignore_ascii_case(name)))
    };
    let time = find(&["time", "时间", "采样时间"]);
    if time.is_none() {
        faults.add(Some(1), "no column `time`", "one with the time of each row");
    }
    let value = find(&["value", "值", "结果"]);
    let long = find(&["property", "项目", "参数"]).zip(value);
    let mut columns = Columns {
        time: time.unwrap_or_default(),
        station: find(&["station", "断面", "站点"]),
        method: find(&["method", "方法", "分析方法"]),
        limit: find(&["detection_limit", "检出限"]),
        person: find(&["person", "人员", "分析人"]),
        long: long.map(|(property, value)| (property, value, find(&["unit", "单位"]))),
        wide: Vec::new(),
    };
    let Columns { station, method, limit, person, .. } = columns;
    let mut taken: Vec<usize> =
        [time, station, method, limit, person].into_iter().flatten().collect();
    if let Some((property, value, unit)) = columns.long {
        taken.extend([property, value].into_iter().chain(unit));
    }
    for (at, name) in head.iter().enumerate() {
        if taken.contains(&at) || asked.ignore.iter().any(|ignored| **ignored == *name) {
            continue;
        }
        if columns.long.is_some() {
            let expected = format!("a column of a long table, or `--ignore {name}`");
            faults.add(Some(1), format!("column `{name}`"), expected);
            continue;
        }
        match column(registry, profile, name) {
            Ok(found) if columns.wide.iter().any(|one| one.channel == found.channel) => {
                let found = format!("a second column of channel `{}`: `{name}`", found.channel);
                faults.add(Some(1), found, "one a channel");
            }
            Ok(found) => columns.wide.push(Column { at, ..found }),
            Err(expected) => {
                let expected = format!("{expected}, or `--ignore {name}`");
                faults.add(Some(1), format!("column `{name}`"), expected);
            }
        }
    }
    if columns.wide.is_empty() && columns.long.is_none() && faults.is_empty() {
        faults.add(Some(1), "no column of values", "one a property, or `property` and `value`");
    }
    if columns.limit.is_some() && columns.wide.len() > 1 {
        let expected =
            "a long table, or cells such as `<0.025`: nobody knows of which column it is";
        faults.add(Some(1), "a column `detection_limit` beside several properties", expected);
    }
    faults.is_empty().then_some(columns)
}

/// Refuses each property of a long table that is none, where it stands first: in one message too
/// many of them would turn the values beside them away.
fn properties(
    registry: &Registry,
    profile: &Profile,
    asked: &Asked,
    columns: &Columns,
    text: &str,
    faults: &mut Faults,
) {
    let Some((property, value, _)) = columns.long else { return };
    let Some((mut reader, _)) = faults.head(text) else { return };
    let mut known: HashSet<String> = asked.ignore.iter().cloned().collect();
    for row in reader.records() {
        // What can't be told apart into cells costs itself.
        let Ok(row) = row else { continue };
        let cell = |at: usize| row.get(at).unwrap_or_default();
        let of_another = columns.station.is_some_and(|at| *cell(at) != *asked.station);
        let name = cell(property);
        if of_another || cell(value).is_empty() || known.contains(name) {
            continue;
        }
        known.insert(name.to_owned());
        if let Err(expected) = column(registry, profile, name) {
            let line = row.position().map(csv::Position::line);
            let name = cut(name);
            let expected = format!("{expected}, or `--ignore {name}`");
            faults.add(line, format!("property {}", quoted(name)), expected);
        }
        if faults.is_full() {
            return;
        }
    }
}

/// Finds the channel that a name means: its own, or that of the one property of a name, symbol or
/// Chinese name, `position/property` where there are several; with another unit in brackets.
fn column(registry: &Registry, profile: &Profile, head: &str) -> Result<Column, String> {
    let wanted = |one: &&Channel| one.property.is_some();
    let exact = |name: &str| {
        let mut channels = profile.channels.iter().filter(wanted);
        channels.find(|one| *one.name == *name || one.name.strip_prefix('/') == Some(name))
    };
    let called = |name: &str| {
        let channels = profile.channels.iter().filter(wanted);
        let is_called = |one: &&Channel| {
            let property = one.property.and_then(|id| registry.property(id));
            property.is_some_and(|of| {
                let same = |text: &str| text.eq_ignore_ascii_case(name);
                same(&of.name) || same(&of.symbol) || *of.name_zh == *name
            })
        };
        channels.filter(is_called).collect::<Vec<&Channel>>()
    };
    let is_known = |name: &str| exact(name).is_some() || !called(name).is_empty();
    let (name, unit) = match is_known(head) {
        true => (head, ""),
        false => table::in_brackets(head).unwrap_or((head, "")),
    };
    let found = match (exact(name), called(name).as_slice()) {
        (Some(one), _) => one,
        (None, [one]) => *one,
        (None, []) => {
            let names = profile.channels.iter().filter(wanted).map(|one| &*one.name);
            let near = nearest(name, names).map(|near| format!(", such as `{near}`"));
            let near = near.unwrap_or_default();
            return Err(format!("a channel of profile `{}`{near}", profile.name));
        }
        (None, several) => {
            let names: Vec<String> = several.iter().map(|one| format!("`{}`", one.name)).collect();
            return Err(format!("one of the channels {}", names.join(", ")));
        }
    };
    if (found.scale - 1.0).abs() > f64::EPSILON {
        let scale = found.scale;
        return Err(format!("a channel without a scale: `{}` has {scale}", found.name));
    }
    let known = |unit: &str| registry.units.find(unit);
    if !unit.is_empty() && known(unit).is_none() {
        return Err(format!("a unit of units.csv in brackets, not `{unit}`"));
    }
    let same = unit.is_empty() || known(unit) == found.unit;
    let limit = found.detection_limit.filter(|_| same);
    let (head, channel, unit) = (head.into(), found.name.clone(), unit.into());
    Ok(Column { at: 0, head, channel, unit, limit })
}

/// Reads the time of a row, with or without an offset; a date alone is its first instant.
fn time(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    table::time(text, zone).or_else(|| local(&format!("{text} 00:00"), zone))
}

/// Writes a result as the format has it: `0.025L` of a laboratory is `<0.025`, and so is what it
/// calls not detected, or what is less than its own limit.
fn result(text: &str, limit: Option<f64>) -> Cow<'_, str> {
    let text = text.trim();
    let below = |limit: f64| Cow::Owned(format!("<{limit}"));
    if let Some(number) = text.strip_suffix(['L', 'l'])
        && number.trim().parse::<f64>().is_ok_and(f64::is_finite)
    {
        return Cow::Owned(format!("<{}", number.trim()));
    }
    if let Some(number) = text.strip_prefix('＜') {
        return Cow::Owned(format!("<{}", number.trim()));
    }
    let Some(limit) = limit.filter(|limit| limit.is_finite() && *limit > 0.0) else {
        return Cow::Borrowed(text);
    };
    if NOT_DETECTED.contains(&text.to_lowercase().as_str()) {
        return below(limit);
    }
    match crate::decode::number::written(text) {
        Some(ObservationResult::Value(value)) if value < limit => below(limit),
        Some(_) | None => Cow::Borrowed(text),
    }
}

fn quoted(text: &str) -> String {
    if text.is_empty() { "nothing".to_owned() } else { format!("`{}`", cut(text)) }
}

/// Cuts a cell to what a part holds.
fn cut(text: &str) -> &str {
    let mut end = CELL_BYTES_MAX.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests;
