//! Rows of cells between separators. A wide row has a column a channel, a long one a column with
//! the channel's name and one with its value.

use std::borrow::Cow;

use csv::StringRecord;

use crate::decode::named::{Readings, Said, apart};
use crate::decode::{Context, Decoded, number, time};
use crate::domain::registry::{Options, TopicRule};
use crate::domain::reject::Reason;
use crate::domain::time::Timestamp;

/// The format as it is named to people.
const FORMAT: &str = "CSV";

/// Rows, compiled for a topic.
#[derive(Debug)]
pub struct Plan {
    options: Options,
}

/// Where a row has what; a column that is not there is `None`.
struct Columns {
    names: Vec<Box<str>>,
    time: Option<usize>,
    device: Option<usize>,
    channel: Option<usize>,
    value: Option<usize>,
    unit: Option<usize>,
}

impl Columns {
    fn new(names: Vec<Box<str>>, rule: &TopicRule) -> Result<Self, Reason> {
        let find = |name: &str| match name {
            "" => Ok(None),
            name => match names.iter().position(|one| **one == *name) {
                Some(at) => Ok(Some(at)),
                None => {
                    Err(malformed(format!("no column `{}` in the first row", number::cut(name))))
                }
            },
        };
        let pointers = &rule.pointers;
        Ok(Self {
            time: find(&pointers.time)?,
            device: find(&pointers.device)?,
            channel: find(&pointers.channel)?,
            value: find(&pointers.value)?,
            unit: find(&pointers.unit)?,
            names,
        })
    }
}

impl Plan {
    /// Prepares the reading of a topic's rows.
    #[must_use]
    pub fn new(rule: &TopicRule) -> Self {
        Self { options: rule.options.clone() }
    }

    /// Decodes one payload.
    ///
    /// # Errors
    /// The payload is no text, or lacks a column that the seeds name.
    pub fn decode(
        &self,
        context: Context<'_>,
        payload: &[u8],
        decoded: &mut Decoded,
    ) -> Result<(), Reason> {
        let text = text(payload)?;
        let mut rows = rows(&text, &self.options);
        let mut readings = Readings::new(FORMAT, context, decoded);
        let mut row = StringRecord::new();
        let Some(columns) = first(&mut rows, &mut row, &self.options, context.rule)? else {
            return Err(malformed("no row at all"));
        };
        let mut speaker: Option<Box<str>> = None;
        let mut more = !self.options.header || next(&mut rows, &mut row)?;
        for record in 0_u32.. {
            if !more {
                break;
            }
            match fits(&columns, &row).and_then(|()| self.same(&columns, &row, &mut speaker)) {
                Ok(()) => take(&mut readings, &columns, &row, record)?,
                Err(reason) => readings.refuse("(row)", record, reason),
            }
            more = next(&mut rows, &mut row)?;
        }
        Ok(())
    }

    /// Refuses a row of another device than the first: a message is of one.
    fn same(
        &self,
        columns: &Columns,
        row: &StringRecord,
        speaker: &mut Option<Box<str>>,
    ) -> Result<(), Reason> {
        let Some(name) = columns.device.and_then(|at| row.get(at)) else { return Ok(()) };
        let first = speaker.get_or_insert_with(|| name.trim().into());
        if **first == *name.trim() {
            return Ok(());
        }
        Err(Reason::DevicesDiffer { payload: number::cut(name.trim()), topic: number::cut(first) })
    }
}

/// Reads the device's name from the first row.
///
/// # Errors
/// There is no row, or no such column.
pub fn device(rule: &TopicRule, payload: &[u8]) -> Result<Box<str>, Reason> {
    let text = text(payload)?;
    let mut rows = rows(&text, &rule.options);
    let mut row = StringRecord::new();
    let columns = first(&mut rows, &mut row, &rule.options, rule)?;
    let there = !rule.options.header || next(&mut rows, &mut row)?;
    let at = columns.and_then(|columns| columns.device).filter(|_| there);
    match at.and_then(|at| row.get(at)).map(str::trim) {
        Some(name) if !name.is_empty() => Ok(name.into()),
        Some(_) | None => Err(Reason::NoDevice { pointer: rule.pointers.device.clone() }),
    }
}

/// Loggers of this country write GB 18030 where they don't write UTF-8.
fn text(payload: &[u8]) -> Result<Cow<'_, str>, Reason> {
    let payload = payload.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(payload);
    if let Ok(text) = std::str::from_utf8(payload) {
        return Ok(Cow::Borrowed(text));
    }
    encoding_rs::GB18030
        .decode_without_bom_handling_and_without_replacement(payload)
        .ok_or_else(|| malformed("bytes that are neither UTF-8 nor GB 18030"))
}

fn rows<'t>(text: &'t str, options: &Options) -> csv::Reader<&'t [u8]> {
    csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(options.separator)
        .from_reader(text.as_bytes())
}

fn next(rows: &mut csv::Reader<&[u8]>, row: &mut StringRecord) -> Result<bool, Reason> {
    rows.read_record(row).map_err(|error| malformed(error.to_string()))
}

/// Reads the first row and names the columns: by it, or by numbers from 1.
fn first(
    rows: &mut csv::Reader<&[u8]>,
    row: &mut StringRecord,
    options: &Options,
    rule: &TopicRule,
) -> Result<Option<Columns>, Reason> {
    if !next(rows, row)? {
        return Ok(None);
    }
    let names = row.iter().enumerate().map(|(at, cell)| match options.header {
        true => cell.trim().into(),
        false => (at + 1).to_string().into(),
    });
    Columns::new(names.collect(), rule).map(Some)
}

/// A row that was cut may end in half a number, so that none of it can be believed.
fn fits(columns: &Columns, row: &StringRecord) -> Result<(), Reason> {
    let (found, expected) = (row.len(), columns.names.len());
    let trailing = found == expected + 1 && row.iter().next_back() == Some("");
    if found == expected || trailing {
        return Ok(());
    }
    Err(malformed(format!("a row of {found} cells, expected {expected} as in the first")))
}

fn take(
    readings: &mut Readings<'_, '_>,
    columns: &Columns,
    row: &StringRecord,
    record: u32,
) -> Result<(), Reason> {
    let context = readings.context;
    let cell = |at: Option<usize>| at.and_then(|at| row.get(at)).map(str::trim);
    let stated = columns.time.map(|_| time_of(cell(columns.time).unwrap_or_default(), context));
    let (time, undated) = apart(stated.as_ref());
    let said = Said { time, undated, unit: cell(columns.unit), record };
    if let Some(value) = cell(columns.value) {
        let name = cell(columns.channel).or(context.channel).unwrap_or_default();
        return readings.take(name, said, |_| number::text(value, true));
    }
    for (at, name) in columns.names.iter().enumerate() {
        if Some(at) != columns.time && Some(at) != columns.device {
            let value = cell(Some(at)).unwrap_or_default();
            readings.take(name, said, |_| number::text(value, true))?;
        }
    }
    Ok(())
}

/// Reads the time of a row. An empty cell is no time: rows of one message would all be of the
/// moment it came.
fn time_of(cell: &str, context: Context<'_>) -> Result<Timestamp, Reason> {
    let unit = context.rule.time_unit;
    let found = if cell.is_empty() { "(nothing)" } else { cell };
    time::device_time(found, unit, context.zone)?
        .ok_or_else(|| Reason::BadTime { found: found.into(), expected: "a time" })
}

fn malformed(fault: impl Into<Box<str>>) -> Reason {
    Reason::Malformed { format: FORMAT, fault: fault.into() }
}

#[cfg(test)]
mod tests;
