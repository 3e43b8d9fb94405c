//! What another edition would change, for people.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::seed::sheet::{LIMITS, Sheet, schema};
use crate::seed::tables::Tables;

/// A row that an edition adds, removes or changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// The table, such as `stations.csv`.
    pub table: String,
    /// The row, by the columns that tell it from the others.
    pub key: String,
    /// What happens to it.
    pub kind: ChangeKind,
    /// For a limit: the dates whose verdicts it touches.
    pub touches: Option<String>,
}

/// What happens to a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It is there no more.
    Removed,
    /// Some of its cells differ.
    Changed(Vec<CellChange>),
}

/// A cell that differs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CellChange {
    /// Its column.
    pub column: &'static str,
    /// What stood there.
    pub old: String,
    /// What stands there now.
    pub new: String,
}

impl fmt::Display for Change {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, key, kind, touches } = self;
        match kind {
            ChangeKind::Added => write!(out, "{table}: added {key}")?,
            ChangeKind::Removed => write!(out, "{table}: removed {key}")?,
            ChangeKind::Changed(cells) => {
                write!(out, "{table}: changed {key}:")?;
                for (place, cell) in cells.iter().enumerate() {
                    let comma = if place == 0 { "" } else { "," };
                    write!(out, "{comma} {} `{}` to `{}`", cell.column, cell.old, cell.new)?;
                }
            }
        }
        touches.as_ref().map_or(Ok(()), |dates| write!(out, "; touches verdicts {dates}"))
    }
}

/// Gives what differs between two editions, table by table in the order of their names and row by
/// row in the order of their keys. Rows that can't be read are left out: compile both first.
#[must_use]
pub fn diff(old: &Tables, new: &Tables) -> Vec<Change> {
    let names: BTreeSet<&str> = old.iter().chain(new.iter()).map(|(name, _)| name).collect();
    let mut changes = Vec::new();
    for name in names {
        let (before, after) = (rows(old, name), rows(new, name));
        let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for key in keys {
            let kind = match (before.get(key), after.get(key)) {
                (None, Some(_)) => ChangeKind::Added,
                (Some(_), None) => ChangeKind::Removed,
                (Some(before), Some(after)) => match cells(name, before, after) {
                    cells if cells.is_empty() => continue,
                    cells => ChangeKind::Changed(cells),
                },
                (None, None) => continue,
            };
            let held: Vec<_> = before.get(key).into_iter().chain(after.get(key)).collect();
            let touches = name.starts_with(LIMITS.file).then(|| dates(&held));
            changes.push(Change { table: name.into(), key: key.clone(), kind, touches });
        }
    }
    changes
}

type Cells = Vec<String>;

/// Reads the rows of a table by their keys.
fn rows(tables: &Tables, name: &str) -> BTreeMap<String, Cells> {
    let (Some(bytes), Some(schema)) = (tables.get(name), schema(name)) else {
        return BTreeMap::new();
    };
    let sheet = Sheet::read(name, bytes, schema, &mut Vec::new());
    let cells = |row, columns: &[&str]| -> Cells {
        columns.iter().map(|column| sheet.text(row, column).to_owned()).collect()
    };
    let row = |row| {
        (
            cells(row, schema.key).join("/").trim_end_matches('/').to_owned(),
            cells(row, schema.columns),
        )
    };
    sheet.rows.iter().map(row).collect()
}

fn cells(name: &str, before: &Cells, after: &Cells) -> Vec<CellChange> {
    let columns = schema(name).map_or(&[][..], |schema| schema.columns);
    let pairs = columns.iter().zip(before.iter().zip(after));
    pairs
        .filter(|(_, (old, new))| old != new)
        .map(|(column, (old, new))| CellChange { column, old: old.clone(), new: new.clone() })
        .collect()
}

/// Writes the dates that the rows of a limit cover, from the first to the last.
fn dates(rows: &[&Cells]) -> String {
    let column = |name: &str| LIMITS.columns.iter().position(|column| *column == name);
    let cells = |name: &str| -> Vec<&str> {
        let place = column(name);
        rows.iter().filter_map(|row| row.get(place?).map(String::as_str)).collect()
    };
    let (from, to) = (cells("from"), cells("to"));
    // An empty cell is open, whichever row it stands in.
    let from = if from.contains(&"") { None } else { from.into_iter().min() };
    let to = if to.contains(&"") { None } else { to.into_iter().max() };
    match (from, to) {
        (Some(from), Some(to)) => format!("from {from} to before {to}"),
        (Some(from), None) => format!("from {from} on"),
        (None, Some(to)) => format!("before {to}"),
        (None, None) => "of any date".into(),
    }
}
