//! Rows that are laid over a table, to try what is not in the seeds yet.

use crate::seed::sheet::{RULES, SCHEMAS, schema};
use crate::seed::{Tables, nearest, text};

/// Lays rows over a table of some tables: CSV with a head, in any order of columns; a column that
/// it does not name is empty. A rule takes the place of the one of its name; any other row is put
/// behind those of the table.
///
/// # Errors
/// What is wrong with the table's name or with the rows' form. What stands in the cells is looked
/// at when the tables are compiled.
pub fn lay_over(tables: &mut Tables, name: &str, rows: &str) -> Result<(), (String, String)> {
    let Some(known) = schema(name) else {
        let near = nearest(name, SCHEMAS.iter().map(|schema| schema.file));
        let near = near.map_or(String::new(), |near| format!("; the nearest is `{near}`"));
        return Err((format!("table `{name}`"), format!("a table of the seeds{near}")));
    };
    let held = text(tables.get(name).unwrap_or_default());
    let held = held.map_err(|found| (format!("{found} in {name}"), "UTF-8".to_owned()))?;
    let broken = |error: csv::Error| (error.to_string(), format!("rows of {name}, CSV"));
    let mut old = reader(&held);
    let mut head = old.headers().map_err(broken)?.clone();
    let mut new = reader(rows);
    let laid = new.headers().map_err(broken)?.clone();
    for column in &laid {
        if !known.columns.contains(&column) {
            let near = nearest(column, known.columns.iter().copied());
            let near = near.map_or(String::new(), |near| format!("; the nearest is `{near}`"));
            return Err((format!("column `{column}`"), format!("a column of {name}{near}")));
        }
        if !head.iter().any(|held| held == column) {
            head.push_field(column);
        }
    }
    let new: Vec<csv::StringRecord> = new.records().collect::<Result<_, _>>().map_err(broken)?;
    let place = |head: &csv::StringRecord, column: &str| head.iter().position(|one| one == column);
    let cell = |of: &csv::StringRecord, row: &csv::StringRecord, column: &str| {
        place(of, column).and_then(|place| row.get(place)).unwrap_or_default().to_owned()
    };
    let key = |of: &csv::StringRecord, row: &csv::StringRecord| {
        (name == RULES.file).then(|| cell(of, row, "rule"))
    };
    let replaced: Vec<Option<String>> = new.iter().map(|row| key(&laid, row)).collect();
    let mut out = csv::Writer::from_writer(Vec::new());
    out.write_record(&head).map_err(broken)?;
    for row in old.records() {
        let row = row.map_err(broken)?;
        let name = key(&head, &row);
        if name.is_some() && replaced.contains(&name) {
            continue;
        }
        out.write_record(head.iter().map(|column| cell(&head, &row, column))).map_err(broken)?;
    }
    for row in &new {
        out.write_record(head.iter().map(|column| cell(&laid, row, column))).map_err(broken)?;
    }
    // Writing into memory can't fail.
    tables.put(name, out.into_inner().unwrap_or_default());
    Ok(())
}

fn reader(text: &str) -> csv::Reader<&[u8]> {
    let mut builder = csv::ReaderBuilder::new();
    builder.trim(csv::Trim::All).comment(Some(b'#')).from_reader(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laid(table: &str, name: &str, rows: &str) -> Result<String, (String, String)> {
        let mut tables = Tables::default();
        tables.put(name, table.as_bytes().to_vec());
        lay_over(&mut tables, name, rows)?;
        Ok(String::from_utf8(tables.get(name).unwrap().to_vec()).unwrap())
    }

    #[test]
    fn a_rule_takes_the_place_of_its_name_and_other_rows_come_behind() {
        let table = "rule,scope,kind\na,medium:water,silence\nb,medium:air,silence\n";
        let rows = "kind,rule,scope,severity\nexceedance,a,property:ph,notice\n";
        let want =
            "rule,scope,kind,severity\nb,medium:air,silence,\na,property:ph,exceedance,notice\n";
        assert_eq!(laid(table, "rules.csv", rows).unwrap(), want);
        let (table, row) = ("unit,factor\nmg/L,1\n", "unit,factor\nmg/L,2\n");
        assert_eq!(laid(table, "units.csv", row).unwrap(), "unit,factor\nmg/L,1\nmg/L,2\n");
    }

    #[test]
    fn unknown_tables_and_columns_are_refused_with_the_nearest() {
        let (found, expected) = laid("rule\n", "rule.csv", "").unwrap_err();
        assert!(found.contains("`rule.csv`") && expected.contains("`rules.csv`"), "{expected}");
        let (found, expected) = laid("rule\n", "rules.csv", "rule,scop\nx,y\n").unwrap_err();
        assert!(found.contains("`scop`") && expected.contains("`scope`"), "{expected}");
    }
}
