//! `weir qc`: what the tests of quality control say of the values of a table, by the very functions
//! that judge what stations measure: each series by itself ([`crate::pipeline::series`]), or all of
//! a station by its seeds ([`station`]).

pub mod asked;
pub mod station;

use jiff::tz::TimeZone;

use crate::daemon::qc::asked::{Asked, Column};
use crate::daemon::table::{self, Faults};
use crate::decode::number;
use crate::domain::fault::Fault;
use crate::domain::observation::ObservationResult;
use crate::domain::quality::{Quality, Test};
use crate::domain::time::Timestamp;
use crate::pipeline::series::{Point, judge};

/// What stands behind the column's name in the head of the flag of all its tests.
const ROLLED_UP: &str = "qc";

/// The rows of a table, as they are.
struct Table {
    head: csv::StringRecord,
    rows: Vec<csv::StringRecord>,
}

/// A column and the flags of its tests, row by row.
struct Judged {
    at: usize,
    tests: Vec<Test>,
    flags: Vec<Quality>,
}

/// A table on its way to its flags.
struct Reading<'a> {
    missing: &'a [String],
    faults: Faults,
}

/// Judges the values of a table and gives it back with their flags: CSV, behind each column one
/// for each of its tests and one for all of them together.
///
/// # Errors
/// Every fault of head and rows, up to [`FAULTS_MAX`](crate::daemon::table::FAULTS_MAX); with one
/// there are no flags at all.
pub fn qualify(
    asked: &Asked,
    missing: &[String],
    file: &str,
    bytes: &[u8],
) -> Result<Vec<u8>, Vec<Fault>> {
    let mut reading = Reading { missing, faults: Faults::of(file) };
    let text = reading.faults.text(bytes);
    let out = text.and_then(|text| reading.judged(asked, &text));
    reading.faults.or(out)
}

impl Reading<'_> {
    fn judged(&mut self, asked: &Asked, text: &str) -> Option<Vec<u8>> {
        let table = self.table(text)?;
        let at = |name: &str| table.head.iter().position(|cell| cell == name);
        let Some(time) = at("time") else {
            self.faults.add(Some(1), "no column `time`", "one with the time of each row");
            return None;
        };
        let times: Vec<Timestamp> =
            table.rows.iter().filter_map(|row| self.time(&asked.zone, row, time)).collect();
        let mut judged = Vec::with_capacity(asked.columns.len());
        for (name, column) in &asked.columns {
            let companion = column.companion.as_deref();
            for wanted in [Some(name.as_str()), companion].into_iter().flatten() {
                if at(wanted).is_none() {
                    self.faults.add(
                        Some(1),
                        format!("no column `{wanted}`"),
                        "one, as it is asked for",
                    );
                }
            }
            let Some(of) = at(name) else { continue };
            let values = self.values(&table, of);
            let companions = companion.and_then(at).map(|at| self.values(&table, at));
            if self.faults.is_empty() {
                let companions = companions.unwrap_or_default();
                let flags = flags(asked, column, &times, &values, &companions);
                judged.push(Judged { at: of, tests: column.qc.asked().collect(), flags });
            }
        }
        if self.faults.is_empty() { table.written(&judged) } else { None }
    }

    fn table(&mut self, text: &str) -> Option<Table> {
        let (reader, head) = self.faults.head(text)?;
        let mut rows = Vec::new();
        for row in reader.into_records() {
            match row {
                Ok(row) => rows.push(row),
                Err(error) => self.faults.row(&error, &head),
            }
            if self.faults.is_full() {
                break;
            }
        }
        self.faults.is_empty().then_some(Table { head, rows })
    }

    fn time(
        &mut self,
        zone: &TimeZone,
        row: &csv::StringRecord,
        column: usize,
    ) -> Option<Timestamp> {
        let said = row.get(column).unwrap_or_default();
        let at = table::time(said, zone);
        if at.is_none() && !self.faults.is_full() {
            self.faults.no_time(row.position().map(csv::Position::line), said);
        }
        at
    }

    /// Reads the values of a column; of a censored one its limit.
    fn values(&mut self, table: &Table, column: usize) -> Vec<Option<f64>> {
        let results = self.results(table, column);
        results.into_iter().map(|result| result?.number()).collect()
    }

    /// Reads the results of a column; nothing where one can't be read.
    fn results(&mut self, table: &Table, column: usize) -> Vec<Option<ObservationResult>> {
        let mut results = Vec::with_capacity(table.rows.len());
        for row in &table.rows {
            let cell = row.get(column).unwrap_or_default();
            let is_missing =
                cell.eq_ignore_ascii_case("nan") || self.missing.iter().any(|word| word == cell);
            let read = number::written(if is_missing { "" } else { cell });
            if read.is_none() && !self.faults.is_full() {
                let name = table.head.get(column).unwrap_or_default();
                let line = row.position().map(csv::Position::line);
                let expected = "a number, `<0.025` below detection, or nothing for missing; \
                                --missing names other words for it";
                self.faults.add(line, format!("`{cell}` in column `{name}`"), expected);
            }
            results.push(read);
        }
        results
    }
}

/// Judges the values of a column in order of time, and gives the flags in order of the rows.
fn flags(
    asked: &Asked,
    column: &Column,
    times: &[Timestamp],
    values: &[Option<f64>],
    companions: &[Option<f64>],
) -> Vec<Quality> {
    let mut rows: Vec<(usize, Point)> = times
        .iter()
        .zip(values)
        .enumerate()
        .map(|(row, (time, value))| {
            let companion = companions.get(row).copied().flatten();
            (row, Point { time: *time, value: *value, companion })
        })
        .collect();
    rows.sort_by_key(|(_, point)| point.time);
    let points: Vec<Point> = rows.iter().map(|(_, point)| *point).collect();
    let mut flags = vec![Quality::default(); rows.len()];
    for ((row, _), quality) in rows.iter().zip(judge(&column.qc, &asked.zone, &points)) {
        if let Some(place) = flags.get_mut(*row) {
            *place = quality;
        }
    }
    flags
}

impl Table {
    /// Writes the rows with the flags of some columns behind them.
    fn written(&self, judged: &[Judged]) -> Option<Vec<u8>> {
        let mut out = csv::Writer::from_writer(Vec::new());
        let mut head: Vec<String> = self.head.iter().map(str::to_owned).collect();
        for Judged { at, tests, .. } in judged {
            let name = self.head.get(*at).unwrap_or_default();
            head.extend(tests.iter().map(|test| format!("{name}_{}", test.name())));
            head.push(format!("{name}_{ROLLED_UP}"));
        }
        out.write_record(&head).ok()?;
        for (at, row) in self.rows.iter().enumerate() {
            let mut cells: Vec<String> = row.iter().map(str::to_owned).collect();
            for Judged { tests, flags, .. } in judged {
                let quality = flags.get(at).copied().unwrap_or_default();
                let each = tests.iter().map(|test| quality.flag(*test));
                let all = each.chain([quality.roll_up()]);
                cells.extend(all.map(|flag| flag.number().to_string()));
            }
            out.write_record(&cells).ok()?;
        }
        out.into_inner().ok()
    }
}
