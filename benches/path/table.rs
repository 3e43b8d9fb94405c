//! The table of what was measured.

use std::fmt::Write as _;

use serde_json::json;

/// What a figure is to be.
#[derive(Clone, Copy)]
pub enum Aim {
    AtMost(f64),
    AtLeast(f64),
    /// It explains another.
    None,
}

/// One figure.
struct Row {
    figure: String,
    value: f64,
    unit: &'static str,
    aim: Aim,
    note: String,
}

#[derive(Default)]
pub struct Table {
    rows: Vec<Row>,
}

impl Table {
    pub fn add(&mut self, figure: &str, value: f64, unit: &'static str, aim: Aim, note: String) {
        eprintln!("  {figure}: {} {unit} {note}", rounded(value));
        self.rows.push(Row { figure: figure.to_owned(), value, unit, aim, note });
    }

    pub fn markdown(&self) -> String {
        let mut text =
            "| figure | measured | aim | beside it |\n| --- | --- | --- | --- |\n".to_owned();
        for Row { figure, value, unit, aim, note } in &self.rows {
            let aim = match aim {
                Aim::AtMost(most) => format!("≤ {most}"),
                Aim::AtLeast(least) => format!("≥ {least}"),
                Aim::None => String::new(),
            };
            let space = if unit.is_empty() { "" } else { " " };
            writeln!(text, "| {figure} | {}{space}{unit} | {aim} | {note} |", rounded(*value))
                .unwrap();
        }
        text
    }

    /// Writes the figures into the target folder, for whoever compares runs.
    pub fn write_json(&self) {
        let rows: Vec<_> = self
            .rows
            .iter()
            .map(|row| {
                let (at_most, at_least) = match row.aim {
                    Aim::AtMost(most) => (Some(most), None),
                    Aim::AtLeast(least) => (None, Some(least)),
                    Aim::None => (None, None),
                };
                json!({
                    "figure": row.figure, "value": row.value, "unit": row.unit,
                    "at_most": at_most, "at_least": at_least, "note": row.note,
                })
            })
            .collect();
        // The bench lies in its target folder, two below it.
        let own = std::env::current_exe().unwrap();
        let file = own.ancestors().nth(3).unwrap().join("performance.json");
        std::fs::write(&file, serde_json::to_string_pretty(&rows).unwrap()).unwrap();
        println!("written to {}", file.display());
    }
}

fn rounded(value: f64) -> String {
    if value.abs() >= 10.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}
