//! A table that a command reads, CSV as an analyst has it, and what is wrong with it.

use std::borrow::Cow;

use jiff::tz::TimeZone;

use crate::decode::time::local;
use crate::domain::fault::Fault;
use crate::domain::registry::{ObservedProperty, Registry};
use crate::domain::time::Timestamp;
use crate::domain::unit::Conversion;
use crate::seed::text;

/// The longest table that is read.
pub const TABLE_BYTES_MAX: u64 = 64 << 20;
/// So many faults are told of one table; the rows after the last of them are not looked at.
pub const FAULTS_MAX: usize = 100;

/// What is wrong with a table so far.
#[derive(Debug)]
pub(crate) struct Faults {
    /// How faults name the table.
    file: String,
    told: Vec<Fault>,
}

impl Faults {
    pub(crate) fn of(file: &str) -> Self {
        Self { file: file.to_owned(), told: Vec::new() }
    }

    pub(crate) fn add(
        &mut self,
        line: Option<u64>,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) {
        let (file, found, expected) = (self.file.clone(), found.into(), expected.into());
        self.told.push(Fault { file, line, found, expected });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    /// Says whether so many were told that nothing more is looked at.
    pub(crate) fn is_full(&self) -> bool {
        self.told.len() >= FAULTS_MAX
    }

    /// Gives what was made of the table, if nothing is wrong with it; else the faults by line.
    pub(crate) fn or<T>(mut self, made: Option<T>) -> Result<T, Vec<Fault>> {
        self.told.sort_by_key(|fault| fault.line);
        made.filter(|_| self.told.is_empty()).ok_or(self.told)
    }

    /// Reads the bytes of a table.
    pub(crate) fn text<'a>(&mut self, bytes: &'a [u8]) -> Option<Cow<'a, str>> {
        if bytes.len() as u64 > TABLE_BYTES_MAX {
            let found = format!("more than {} MiB", TABLE_BYTES_MAX >> 20);
            self.add(None, found, "a table in parts");
            return None;
        }
        let read = text(bytes);
        read.inspect_err(|found| self.add(None, *found, "a table in UTF-8 or GB 18030")).ok()
    }

    /// Reads the head of a table; its rows come from the reader.
    pub(crate) fn head<'t>(
        &mut self,
        text: &'t str,
    ) -> Option<(csv::Reader<&'t [u8]>, csv::StringRecord)> {
        let mut reader =
            csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
        match reader.headers() {
            Ok(head) => {
                let head = head.clone();
                Some((reader, head))
            }
            Err(error) => {
                self.add(Some(1), error.to_string(), "a head of column names");
                None
            }
        }
    }

    /// Tells that a row can't be read.
    pub(crate) fn row(&mut self, error: &csv::Error, head: &csv::StringRecord) {
        let found = if let csv::ErrorKind::UnequalLengths { len, .. } = error.kind() {
            format!("{len} cells")
        } else {
            error.to_string()
        };
        let line = error.position().map(csv::Position::line);
        self.add(line, found, format!("{}, as in the head", head.len()));
    }

    /// Tells that a row has no time that can be read.
    pub(crate) fn no_time(&mut self, line: Option<u64>, said: &str) {
        let expected = "a time such as `2026-03-01 08:00` or 2026-03-01T08:00:00+08:00";
        self.add(line, format!("`{said}` in column `time`"), expected);
    }
}

/// Reads the bytes of a table, or says why they are none.
///
/// # Errors
/// It is too long, or no text.
pub fn whole<'a>(file: &str, bytes: &'a [u8]) -> Result<Cow<'a, str>, Vec<Fault>> {
    let mut faults = Faults::of(file);
    let text = faults.text(bytes);
    faults.or(text)
}

/// Reads a time as people and loggers write it, in a zone unless it says another.
pub(crate) fn time(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    Timestamp::of_text_or_offset(text, zone).or_else(|| local(text, zone))
}

/// Takes a unit in brackets of any kind from the end of a head.
pub(crate) fn in_brackets(head: &str) -> Option<(&str, &str)> {
    let pairs = [('[', ']'), ('(', ')'), ('（', '）')];
    let (name, unit) = pairs.into_iter().find_map(|(open, close)| {
        head.strip_suffix(close).and_then(|head| head.rsplit_once(open))
    })?;
    Some((name.trim(), unit.trim()))
}

/// Gives how values in a unit become those of a property's own, the same for none; and whether what
/// comes of it is still to be divided by the molar volume of its time.
pub(crate) fn conversion(
    registry: &Registry,
    property: &ObservedProperty,
    unit: &str,
) -> Option<(Conversion, bool)> {
    let units = &registry.units;
    let unit = if unit.is_empty() { property.unit } else { units.find(unit)? };
    let plain = units.conversion(unit, property.unit).map(|one| (one, false));
    plain.or_else(|| {
        let mass = registry.air.molar_mass(property.id)?;
        Some((units.by_volume(unit, property.unit, mass)?, true))
    })
}
