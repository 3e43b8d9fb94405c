//! A series that is played: CSV with a column `time` and one a property, in order of time.

use jiff::tz::TimeZone;

use crate::daemon::table::{self, Faults};
use crate::domain::fault::Fault;
use crate::domain::time::{SECOND, Timestamp};
use crate::seed::nearest;
use crate::simulate::properties::Properties;

/// The most columns beside the time.
const COLUMNS_MAX: usize = 256;

/// A column of values.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Column {
    pub(super) property: String,
    pub(super) unit: String,
}

/// A time and its values, a place a column.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Row {
    pub(super) at: Timestamp,
    pub(super) values: Vec<Option<f64>>,
}

/// A file that is played.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Series {
    pub(super) columns: Vec<Column>,
    /// At least one, in order of time.
    pub(super) rows: Vec<Row>,
}

impl Series {
    /// Reads a series.
    ///
    /// # Errors
    /// Every fault of it, with its line.
    pub(super) fn read(file: &str, bytes: &[u8], known: &Properties) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::of(file);
        let read = faults.text(bytes).and_then(|text| Self::table(&text, known, &mut faults));
        faults.or(read)
    }

    fn table(text: &str, known: &Properties, faults: &mut Faults) -> Option<Self> {
        let (mut reader, head) = faults.head(text)?;
        let time = head.iter().position(|name| name == "time");
        let Some(time) = time else {
            faults.add(Some(1), "no column `time`", "one, and a column a property");
            return None;
        };
        let names: Vec<(usize, &str)> =
            head.iter().enumerate().filter(|(at, _)| *at != time).collect();
        if names.is_empty() || names.len() > COLUMNS_MAX {
            let found = format!("{} columns beside `time`", names.len());
            faults.add(Some(1), found, format!("1 to {COLUMNS_MAX}"));
            return None;
        }
        let columns: Vec<Option<Column>> =
            names.iter().map(|(_, name)| column(name, known, faults)).collect();
        let mut rows: Vec<Row> = Vec::new();
        for row in reader.records() {
            if faults.is_full() {
                return None;
            }
            let row = match row {
                Ok(row) => row,
                Err(error) => {
                    faults.row(&error, &head);
                    continue;
                }
            };
            let line = row.position().map(csv::Position::line);
            let at = at(row.get(time).unwrap_or_default(), line, rows.last(), faults);
            let cells = names.iter().map(|(at, name)| (*name, row.get(*at).unwrap_or_default()));
            let values = cells.map(|(name, cell)| value(name, cell, line, faults)).collect();
            rows.extend(at.map(|at| Row { at, values }));
        }
        if rows.is_empty() && faults.is_empty() {
            faults.add(None, "no row", "at least one");
        }
        let columns = columns.into_iter().collect::<Option<Vec<Column>>>()?;
        Some(Self { columns, rows })
    }

    /// Moves all times so that the first is this one.
    pub(super) fn shift(&mut self, to: Timestamp) {
        let first = self.rows.first().map_or(to, |row| row.at);
        let by = to.since(first);
        self.rows.iter_mut().for_each(|row| row.at = row.at.plus(by));
    }

    /// Gives how long it usually is between two rows, ms: the longest of the first hundred.
    pub(super) fn interval_ms(&self) -> i64 {
        let pairs = self.rows.windows(2).take(100);
        let longest = pairs.filter_map(|two| match two {
            [one, other] => Some(other.at.since(one.at)),
            _ => None,
        });
        longest.max().unwrap_or(SECOND)
    }
}

fn column(head: &str, known: &Properties, faults: &mut Faults) -> Option<Column> {
    let whole = known.find(head).map(|property| (property, None));
    let found = whole.or_else(|| {
        let (name, unit) = table::in_brackets(head)?;
        Some((known.find(name)?, Some(unit)))
    });
    let Some((property, unit)) = found else {
        let near = nearest(head, known.names()).map(|near| format!("; `{near}`?"));
        let expected = format!(
            "a property or its symbol, with its unit in brackets where it is another{}",
            near.unwrap_or_default()
        );
        faults.add(Some(1), format!("column `{head}`"), expected);
        return None;
    };
    let unit = unit.unwrap_or(&property.unit).to_owned();
    Some(Column { property: property.name.clone(), unit })
}

fn at(cell: &str, line: Option<u64>, last: Option<&Row>, faults: &mut Faults) -> Option<Timestamp> {
    let zone = TimeZone::fixed(jiff::tz::offset(8));
    let Some(at) = table::time(cell, &zone) else {
        faults.no_time(line, cell);
        return None;
    };
    let at = Timestamp(at.millis().div_euclid(SECOND) * SECOND);
    if last.is_some_and(|row| row.at >= at) {
        faults.add(line, format!("time `{cell}`"), "one a second later than the row before");
        return None;
    }
    Some(at)
}

fn value(name: &str, cell: &str, line: Option<u64>, faults: &mut Faults) -> Option<f64> {
    if cell.is_empty() {
        return None;
    }
    let value = cell.parse().ok().filter(|value: &f64| value.is_finite());
    if value.is_none() {
        faults.add(line, format!("`{cell}` in column `{name}`"), "a number, or nothing");
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Series, Vec<String>> {
        let known = Properties::of_example().unwrap();
        Series::read("a.csv", text.as_bytes(), &known)
            .map_err(|faults| faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn columns_are_properties_or_their_symbols_in_any_unit() {
        let series = read("time,ph,NH3-N[ug/L]\n2026-05-01 08:00,7.6,620\n2026-05-01 08:05,,\n");
        let series = series.unwrap();
        let columns = series.columns.iter().map(|one| format!("{} {}", one.property, one.unit));
        assert_eq!(columns.collect::<Vec<_>>(), ["ph pH", "ammonia_nitrogen ug/L"]);
        assert_eq!(series.rows[0].at, Timestamp(1_777_593_600_000));
        assert_eq!(series.rows[0].values, [Some(7.6), Some(620.0)]);
        assert_eq!(series.rows[1].values, [None, None]);
        assert_eq!(series.interval_ms(), 300 * SECOND);
    }

    #[track_caller]
    fn refuses(text: &str, words: &[&str]) {
        let faults = read(text).unwrap_err();
        assert_eq!(faults.len(), words.len(), "{faults:?}");
        for (fault, words) in faults.iter().zip(words) {
            assert!(fault.contains(words), "{fault}");
        }
    }

    #[test]
    fn everything_wrong_with_a_series_is_told_at_once() {
        refuses("ph\n7.6\n", &["a.csv:1: found no column `time`"]);
        refuses("time,ph\n", &["found no row"]);
        let many = "ph,".repeat(COLUMNS_MAX + 1);
        refuses(&format!("{many}time\n"), &["found 257 columns beside `time`, expected 1 to 256"]);
        refuses(
            "time,acidity\nyesterday,7.6\n2026-05-01 08:00,much\n2026-05-01 08:00,7.6\n",
            &["a.csv:1: found column `acidity`", "a.csv:2", ":3: found `much`", ":4: found time"],
        );
    }
}
