//! One table as rows of text: which columns it has, how its bytes become cells, and how a cell
//! becomes a value or a fault.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use crate::domain::fault::Fault;
use crate::domain::time::{Timestamp, Validity};
use crate::seed::cell::{self, nearest};
use crate::seed::draft::Known;
use crate::seed::fault_in;
use crate::seed::tables::Tables;

/// The folder of the tables of limits.
pub(super) const LIMITS_FOLDER: &str = "limits";

/// How a line begins that is no row.
const COMMENT: u8 = b'#';

/// What a table looks like.
#[derive(Debug)]
pub(super) struct Schema {
    /// Its file, relative to the folder.
    pub(super) file: &'static str,
    /// Its columns; the order in the file is free.
    pub(super) columns: &'static [&'static str],
    /// Columns among them that a table may lack, because editions of an earlier release do; they
    /// are then empty.
    pub(super) optional: &'static [&'static str],
    /// The columns that tell one row from the others.
    pub(super) key: &'static [&'static str],
    /// Whether an edition must have it.
    pub(super) required: bool,
}

macro_rules! schemas {
    ($($name:ident: $file:literal, $required:literal,
        [$($column:literal)*] $(+ [$($optional:literal)*])?, [$($key:literal)*];)*) => {
        $(pub(super) const $name: Schema = Schema {
            file: $file,
            columns: &[$($column,)* $($($optional),*)?],
            optional: &[$($($optional),*)?],
            key: &[$($key),*],
            required: $required,
        };)*
        /// Every table that has a file of its own name.
        pub(super) const SCHEMAS: &[&Schema] = &[$(&$name),*];
    };
}

schemas! {
    UNITS: "units.csv", true,
        ["unit" "dimension" "factor" "offset" "aliases"] + ["base"], ["unit"];
    PROPERTIES: "properties.csv", true,
        ["property" "symbol" "name_en" "name_zh" "medium" "unit" "decimals_hour" "decimals_eval"
         "combine" "hj212" "hj212_2005" "source"], ["property"];
    PLACES: "places.csv", true,
        ["place" "kind" "name_en" "name_zh" "part_of" "source"] + ["grid"], ["place"];
    STATIONS: "stations.csv", true,
        ["station" "place" "name_en" "name_zh" "latitude" "longitude" "zone" "section"
         "target_class" "from" "to" "source"]
        + ["grade" "stage" "operator" "other_classes" "do_saturation"], ["station"];
    MEMBERS: "members.csv", false,
        ["set" "station" "from" "to" "source"], ["set" "station" "from"];
    ITEMS: "items.csv", false,
        ["index" "property" "section" "role" "group" "needs" "a" "b" "weight" "light" "heavy"
         "direction" "border" "unit" "instrument" "clause" "from" "to" "source"],
        ["index" "property" "section" "role" "group" "from"];
    GRADES: "grades.csv", false,
        ["index" "grade" "rule" "quantity" "at_least" "above" "below" "at_most" "clause"
         "from" "to" "source"] + ["colour"], ["index" "grade" "rule" "quantity" "from"];
    REACHES: "reaches.csv", false,
        ["upstream" "downstream" "minutes_low" "minutes_high" "source"],
        ["upstream" "downstream"];
    DEVICE_MARKS: "device_marks.csv", false,
        ["vocabulary" "mark" "quality" "censoring" "cause" "use" "source"],
        ["vocabulary" "mark"];
    PROFILES: "profiles.csv", true,
        ["profile" "sensor" "property" "position" "channel" "unit" "scale" "as" "sampling"
         "cycle" "delay" "statistic" "period" "expected_every" "detection_limit" "source"]
        + ["official" "mark" "marks"], ["profile" "channel"];
    DEVICES: "devices.csv", true,
        ["network" "device" "station" "position" "profile" "clock" "zone" "options" "gateway"
         "from" "to" "source"], ["network" "device" "from"];
    TOPICS: "topics.csv", true,
        ["network" "pattern" "format" "device" "time" "time_unit" "each" "channel" "value"
         "unit" "source"] + ["options" "mark" "marks"], ["network" "pattern"];
    CALIBRATIONS: "calibrations.csv", false,
        ["datastream" "gain" "offset" "certificate" "from" "to" "source"],
        ["datastream" "from"];
    CALENDAR: "calendar.csv", false,
        ["station" "place" "kind" "from" "to" "person" "reason" "source"]
        + ["property" "flag" "without"], ["station" "place" "property" "kind" "from"];
    DERIVED: "derived.csv", false,
        ["datastream" "expression" "from" "to" "source"], ["datastream" "from"];
    COUNTERS: "counters.csv", false,
        ["datastream" "maximum" "resolution" "ct" "pt" "role" "place" "from" "to" "source"]
            + ["meter" "tariff"], ["datastream" "from"];
    FACTORS: "factors.csv", false,
        ["factor" "of" "year" "value" "unit" "source"], ["factor" "of" "year"];
    TARGETS: "targets.csv", false,
        ["place" "what" "value" "unit" "due" "source"] + ["class"],
        ["place" "what" "class" "due"];
    PRODUCTION: "production.csv", false,
        ["place" "period" "value" "unit" "source"], ["place" "period"];
    QC: "qc.csv", true,
        ["scope" "test" "fail_low" "fail_high" "suspect_low" "suspect_high" "source"]
        + ["season" "parameters"], ["scope" "test" "season" "parameters"];
    CROSS_CHECKS: "cross_checks.csv", false,
        ["check" "scope" "test" "expression" "unit" "fail_low" "fail_high" "suspect_low"
         "suspect_high" "samples" "judges" "source"], ["check" "scope"];
    CHECKS: "checks.csv", false,
        ["check" "scope" "tolerance" "span" "recovery" "standard" "covers" "longest" "flag"
         "source"], ["check" "scope"];
    AVERAGES: "averages.csv", true,
        ["medium" "sampling" "period" "needs" "of" "clause" "from" "to" "source"]
        + ["property" "needs_february"], ["medium" "property" "sampling" "period" "from"];
    AQI_EDITIONS: "aqi_editions.csv", false,
        ["instrument" "clause" "incomplete_above" "primary_above" "most" "from" "to" "source"]
        + ["hour_without" "rounding"], ["instrument"];
    AQI: "aqi.csv", false,
        ["instrument" "clause" "property" "period" "report" "iaqi" "concentration" "unit" "above"
         "source"], ["instrument" "property" "period" "iaqi"];
    AQI_GRADES: "aqi_grades.csv", false,
        ["instrument" "clause" "grade" "aqi_up_to" "colour" "name_en" "name_zh" "source"],
        ["instrument" "grade"];
    PERCENTILES: "percentiles.csv", false,
        ["instrument" "clause" "property" "period" "percentile" "from" "to" "source"],
        ["instrument" "property" "from"];
    MOLAR_MASSES: "molar_masses.csv", false,
        ["property" "molar_mass" "source"], ["property"];
    REFERENCE_STATES: "reference_states.csv", false,
        ["instrument" "clause" "temperature" "pressure" "molar_volume" "from" "to" "source"],
        ["instrument" "from"];
    RULES: "rules.csv", true,
        ["rule" "scope" "kind" "of" "level" "pending" "keep" "hysteresis" "intervals"
         "severity" "advice_en" "advice_zh" "source"]
        + ["warning_share" "route" "tests" "rises"], ["rule"];
}

/// A table of limits; there is one an instrument.
pub(super) const LIMITS: Schema = Schema {
    file: "limits/",
    columns: &[
        "instrument",
        "clause",
        "property",
        "class",
        "section",
        "averaging",
        "direction",
        "value",
        "low",
        "high",
        "unit",
        "condition",
        "from",
        "to",
        "source",
        "station",
        "place",
    ],
    optional: &["station", "place"],
    key: &[
        "instrument",
        "clause",
        "property",
        "class",
        "section",
        "averaging",
        "from",
        "condition",
        "station",
        "place",
    ],
    required: false,
};

/// Gives the schema of a table by its name relative to the folder.
pub(super) fn schema(name: &str) -> Option<&'static Schema> {
    if let Some(file) = name.strip_prefix(LIMITS.file) {
        let plain = file.ends_with(".csv") && !file.contains(['/', '\\']) && !file.starts_with('.');
        return plain.then_some(&LIMITS);
    }
    SCHEMAS.iter().copied().find(|schema| schema.file == name)
}

/// One row.
#[derive(Debug)]
pub(super) struct Row {
    /// Its line in the file, counted from 1.
    pub(super) line: u64,
    cells: Vec<Box<str>>,
}

/// One table.
#[derive(Debug)]
pub(super) struct Sheet {
    /// Its name relative to the folder.
    pub(super) file: Box<str>,
    /// What it looks like.
    pub(super) schema: &'static Schema,
    /// Its rows.
    pub(super) rows: Vec<Row>,
    /// Whether all of it could be read.
    pub(super) whole: bool,
}

/// Every table of an edition.
#[derive(Debug)]
pub(super) struct Sheets {
    sheets: BTreeMap<Box<str>, Sheet>,
    absent: Sheet,
}

impl Sheets {
    pub(super) fn read(tables: &Tables, faults: &mut Vec<Fault>) -> Self {
        let mut sheets = BTreeMap::new();
        for schema in SCHEMAS.iter().filter(|schema| schema.required) {
            if tables.get(schema.file).is_none() {
                let expected = format!("a table with the columns {}", schema.columns.join(","));
                faults.push(fault_in(schema.file, None, "no such file", expected));
            }
        }
        for (name, bytes) in tables.iter() {
            if let Some(schema) = schema(name) {
                sheets.insert(name.into(), Sheet::read(name, bytes, schema, faults));
            }
        }
        let absent = Sheet { file: "".into(), schema: &LIMITS, rows: Vec::new(), whole: false };
        Self { sheets, absent }
    }

    /// Gives one table; one that the edition doesn't have is without rows, and whole if it need
    /// not be there.
    pub(super) fn get(&self, schema: &Schema) -> &Sheet {
        self.sheets.get(schema.file).unwrap_or(&self.absent)
    }

    /// Walks the tables of limits.
    pub(super) fn limits(&self) -> impl Iterator<Item = &Sheet> {
        self.sheets.values().filter(|sheet| sheet.file.starts_with(LIMITS.file))
    }
}

impl Sheet {
    pub(super) fn read(
        name: &str,
        bytes: &[u8],
        schema: &'static Schema,
        faults: &mut Vec<Fault>,
    ) -> Self {
        let mut sheet = Self { file: name.into(), schema, rows: Vec::new(), whole: false };
        let before = faults.len();
        match text(bytes) {
            Ok(text) => sheet.read_text(&text, faults),
            Err(found) => {
                faults.push(fault_in(name, None, found, "CSV as UTF-8 or GB 18030 text"));
            }
        }
        sheet.whole = faults.len() == before;
        sheet
    }

    /// Says whether its rows are all that there are: it was read whole, or the edition does
    /// without it.
    pub(super) fn has_all_rows(&self) -> bool {
        self.whole || self.file.is_empty()
    }

    /// Opens the cells of a row.
    pub(super) fn cells<'a>(&'a self, row: &'a Row, faults: &'a mut Vec<Fault>) -> Cells<'a> {
        Cells { sheet: self, row, faults }
    }

    /// Gives a cell as it stands.
    pub(super) fn text<'a>(&self, row: &'a Row, column: &str) -> &'a str {
        let place = self.schema.columns.iter().position(|known| *known == column);
        place.and_then(|place| row.cells.get(place)).map_or("", |cell| cell)
    }

    fn read_text(&mut self, text: &str, faults: &mut Vec<Fault>) {
        // One kind of line end, because the reader counts lines by line feeds.
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(false)
            .comment(Some(COMMENT))
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let mut places: Option<Vec<usize>> = None;
        for record in reader.records() {
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    faults.push(self.broken(&error, &text));
                    continue;
                }
            };
            let Some(places) = &places else {
                let Some(found) = self.header(&record, faults) else { return };
                places = Some(found);
                continue;
            };
            // A spreadsheet leaves rows of nothing but commas behind.
            if record.iter().all(str::is_empty) {
                continue;
            }
            let cell = |place: &usize| Box::from(record.get(*place).unwrap_or_default());
            let cells = places.iter().map(cell).collect();
            self.rows.push(Row { line: line(&text, record.position()), cells });
        }
        if places.is_none() {
            let expected = format!("the columns {}", self.schema.columns.join(","));
            faults.push(fault_in(&self.file, None, "an empty table", expected));
        }
    }

    /// Finds the place of each column; nothing if the header is not as it should be.
    fn header(&self, record: &csv::StringRecord, faults: &mut Vec<Fault>) -> Option<Vec<usize>> {
        let columns = self.schema.columns;
        let before = faults.len();
        let mut fault = |found: String, expected: String| {
            faults.push(fault_in(&self.file, Some(1), found, expected));
        };
        for (place, found) in record.iter().enumerate() {
            if !columns.contains(&found) {
                let near = nearest(found, columns.iter().copied());
                let near = near.map_or(String::new(), |near| format!("; the nearest is `{near}`"));
                let expected = format!("one of {}{near}", columns.join(","));
                fault(format!("column `{found}`"), expected);
            } else if record.iter().take(place).any(|earlier| earlier == found) {
                fault(format!("column `{found}` again"), "each column once".into());
            }
        }
        let place = |column: &&str| record.iter().position(|found| found == *column);
        let absent = |column: &&&str| place(column).is_none();
        let needed = |column: &&&str| !self.schema.optional.contains(*column);
        for column in columns.iter().filter(absent).filter(needed) {
            fault(format!("no column `{column}`"), format!("the columns {}", columns.join(",")));
        }
        let place = |column: &&str| place(column).unwrap_or(usize::MAX);
        (faults.len() == before).then(|| columns.iter().map(place).collect())
    }

    fn broken(&self, error: &csv::Error, text: &str) -> Fault {
        if let csv::ErrorKind::UnequalLengths { pos, expected_len, len } = error.kind() {
            let line = line(text, pos.as_ref());
            let expected = format!("{expected_len}, as in the header");
            return fault_in(&self.file, Some(line), format!("{len} cells"), expected);
        }
        let line = error.position().map(csv::Position::line);
        fault_in(&self.file, line, error.to_string(), "a row of CSV")
    }
}

/// Gives the line a record begins in. The reader's position is before the blank lines and comments
/// that it skips.
fn line(text: &str, position: Option<&csv::Position>) -> u64 {
    let Some(position) = position else { return 1 };
    let start = usize::try_from(position.byte()).unwrap_or(usize::MAX);
    let rest = text.get(start..).unwrap_or_default();
    let skipped = |line: &&str| line.is_empty() || line.as_bytes().first() == Some(&COMMENT);
    position.line() + rest.split('\n').take_while(skipped).count() as u64
}

/// Reads bytes as UTF-8 with or without a byte order mark, or as GB 18030.
pub(crate) fn text(bytes: &[u8]) -> Result<Cow<'_, str>, &'static str> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err("UTF-16 text");
    }
    let bytes = bytes.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Ok(Cow::Borrowed(text));
    }
    encoding_rs::GB18030
        .decode_without_bom_handling_and_without_replacement(bytes)
        .ok_or("bytes that are neither UTF-8 nor GB 18030")
}

/// The cells of one row. Every reading of a cell notes its fault and gives something to go on
/// with; the registry is thrown away at the end if there was one.
#[derive(Debug)]
pub(super) struct Cells<'a> {
    pub(super) sheet: &'a Sheet,
    pub(super) row: &'a Row,
    pub(super) faults: &'a mut Vec<Fault>,
}

impl<'a> Cells<'a> {
    /// Gives a cell as it stands.
    pub(super) fn text(&self, column: &str) -> &'a str {
        self.sheet.text(self.row, column)
    }

    /// Notes a fault of this row.
    pub(super) fn fault(&mut self, found: impl Into<String>, expected: impl Into<String>) {
        self.faults.push(fault_in(&self.sheet.file, Some(self.row.line), found, expected));
    }

    /// Notes that a cell is not what it should be.
    pub(super) fn refuse(&mut self, column: &str, expected: impl std::fmt::Display) {
        let found = quoted(self.text(column));
        self.fault(found, format!("{expected} in `{column}`"));
    }

    /// Gives a cell that must not be empty.
    pub(super) fn required(&mut self, column: &str) -> &'a str {
        let text = self.text(column);
        if text.is_empty() {
            self.refuse(column, "a text");
        }
        text
    }

    /// Refuses cells that have no meaning in this row.
    pub(super) fn empty(&mut self, columns: &[&str], of: &str) {
        for column in columns {
            if !self.text(column).is_empty() {
                self.refuse(column, format_args!("nothing for {of}"));
            }
        }
    }

    /// Gives a name of weir's own, which is part of tags and of other names.
    pub(super) fn name(&mut self, column: &str) -> &'a str {
        let text = self.identifier(column);
        let plain = |letter: char| letter.is_alphanumeric() || "._-".contains(letter);
        if !text.chars().all(plain) {
            self.refuse(column, "letters, digits, `.`, `_` and `-`");
        }
        text
    }

    /// Gives a name that others gave; what a spreadsheet makes of numbers is refused.
    pub(super) fn identifier(&mut self, column: &str) -> &'a str {
        let text = self.required(column);
        if cell::is_scientific(text) {
            let likely = cell::plain_number(text);
            self.refuse(
                column,
                format_args!(
                    "an identifier, which a spreadsheet took for a number and rounded; likely \
                     {likely}: copy it anew"
                ),
            );
        } else if text.chars().any(char::is_control) {
            self.refuse(column, "an identifier without control characters");
        }
        text
    }

    /// Looks a cell up among the names of another table.
    pub(super) fn find<T: Copy>(&mut self, column: &str, known: &Known<T>) -> Option<T> {
        let text = self.text(column);
        self.find_part(column, text, known)
    }

    /// Looks a part of a cell up among the names of another table.
    pub(super) fn find_part<T: Copy>(
        &mut self,
        column: &str,
        part: &str,
        known: &Known<T>,
    ) -> Option<T> {
        let id = known.ids.get(part).copied();
        if id.is_none() && known.whole {
            let near = nearest(part, known.ids.keys().map(|name| &**name));
            let near = near.map_or(String::new(), |near| format!("; the nearest is `{near}`"));
            self.fault(quoted(part), format!("{} in `{column}`{near}", known.what));
        }
        id
    }

    /// Reads one of a few words; the first stands in for a word that is not among them.
    pub(super) fn word<T: Copy>(
        &mut self,
        column: &str,
        first: (&str, T),
        rest: &[(&str, T)],
    ) -> T {
        let text = self.text(column);
        let words = || std::iter::once(&first).chain(rest);
        let found = words().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let list: Vec<_> = words().map(|(word, _)| quoted(word)).collect();
            self.refuse(column, list.join(" or "));
        }
        found.unwrap_or(first.1)
    }

    /// Reads a finite number.
    pub(super) fn number(&mut self, column: &str) -> f64 {
        let number = self.text(column).parse::<f64>().ok().filter(|number| number.is_finite());
        if number.is_none() {
            self.refuse(column, "a number");
        }
        number.unwrap_or(1.0)
    }

    /// Reads a finite number or an empty cell.
    pub(super) fn optional_number(&mut self, column: &str) -> Option<f64> {
        (!self.text(column).is_empty()).then(|| self.number(column))
    }

    /// Reads a duration, ms.
    pub(super) fn duration(&mut self, column: &str) -> i64 {
        let duration = cell::duration(self.text(column));
        if duration.is_none() {
            self.refuse(column, "a duration such as `60s`, `5m`, `4h` or `1d`");
        }
        duration.unwrap_or(60_000)
    }

    /// Reads a duration or an empty cell, ms.
    pub(super) fn optional_duration(&mut self, column: &str) -> Option<i64> {
        (!self.text(column).is_empty()).then(|| self.duration(column))
    }

    /// Reads the zone of a row; an empty cell is the one given.
    pub(super) fn zone(&mut self, usual: TimeZone) -> TimeZone {
        let text = self.text("zone");
        if text.is_empty() {
            return usual;
        }
        cell::zone(text).unwrap_or_else(|| {
            self.refuse("zone", "an offset such as `+08:00` or a name such as `Asia/Shanghai`");
            usual
        })
    }

    /// Reads `from` and `to` in a zone.
    pub(super) fn validity(&mut self, zone: &TimeZone) -> Validity {
        let validity = Validity { from: self.time("from", zone), to: self.time("to", zone) };
        if let (Some(from), Some(to)) = (validity.from, validity.to)
            && to <= from
        {
            let from = self.text("from");
            self.refuse("to", format_args!("a time after `{from}`"));
        }
        validity
    }

    fn time(&mut self, column: &str, zone: &TimeZone) -> Option<Timestamp> {
        let text = self.text(column);
        if text.is_empty() {
            return None;
        }
        let time = Timestamp::of_text(text, zone);
        if time.is_none() {
            let expected = match cell::likely_date(text) {
                Some(date) => format!("`{date}`, if a spreadsheet rewrote it,"),
                None => "a date such as `2026-03-01` or `2026-03-01 08:30`".into(),
            };
            self.refuse(column, expected);
        }
        time
    }
}

/// Quotes what was found; nothing is called so.
pub(super) fn quoted(text: &str) -> String {
    if text.is_empty() { "nothing".into() } else { format!("`{text}`") }
}
