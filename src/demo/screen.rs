//! What the demonstration shows on a terminal.

use std::fmt::Write as _;

use crate::http::view::{LedgerView, ScreenView, StationView};

/// How many values of a station fit on its line.
const VALUES: usize = 5;
const RED: &str = "\x1b[31m";
const DIM: &str = "\x1b[2m";
const PLAIN: &str = "\x1b[0m";
/// Goes to the top left corner and clears what was there.
pub(super) const HOME: &str = "\x1b[H\x1b[2J";

/// Draws stations and open alerts; `colour` only on a terminal.
pub(super) fn draw(view: &ScreenView, address: &str, colour: bool) -> String {
    let paint = |code: &'static str| if colour { code } else { "" };
    let mut out = String::new();
    // Writing into memory can't fail.
    writeln!(out, "weir demo   {}   page: http://{address}/", view.stations.at).unwrap_or_default();
    for place in &view.stations.places {
        writeln!(out, "\n{}", place.name.en).unwrap_or_default();
        for station in &place.stations {
            let code = if station.exceeds || station.silent { RED } else { "" };
            let line = station_line(station);
            writeln!(out, "  {}{line}{}", paint(code), paint(PLAIN)).unwrap_or_default();
        }
    }
    writeln!(out, "\nOpen alerts: {}", view.alerts_of).unwrap_or_default();
    for alert in &view.alerts {
        let (red, plain) = (paint(RED), paint(PLAIN));
        writeln!(out, "  {red}{}{plain}: {}", alert.severity, alert.sentence.en)
            .unwrap_or_default();
    }
    let (dim, plain) = (paint(DIM), paint(PLAIN));
    let messages = view.ledger.messages;
    writeln!(
        out,
        "\n{dim}messages: {} received, {} stored, {} rejected, {} duplicate{plain}",
        messages.received, messages.stored, messages.rejected, messages.duplicate
    )
    .unwrap_or_default();
    out
}

fn station_line(station: &StationView) -> String {
    let mut state = String::new();
    if station.silent {
        state.push_str("silent");
    } else if let Some(first) = station.evaluations.first() {
        let mark = if first.missed { "!" } else { "" };
        let number = if first.id == "aqi" { &*first.value.en } else { "" };
        let text = match (&*first.grade.en, number) {
            ("", _) => format!("{} of {} items", first.items, first.items_of),
            (grade, "") => grade.to_owned(),
            (grade, number) => format!("AQI {number} {grade}"),
        };
        write!(state, "{text}{mark}").unwrap_or_default();
    }
    let mut line = format!("{:<42}{state:<24}", station.name.en);
    for value in station.values.iter().take(VALUES) {
        let flag = if value.flag == 1 { String::new() } else { format!(" flag {}", value.flag) };
        let mark = if value.exceeds { "!" } else { "" };
        let position = if value.position.is_empty() { "" } else { &*value.position };
        let symbol =
            format!("{}{}{position}", value.symbol, if position.is_empty() { "" } else { " " });
        let unit = if value.unit.is_empty() { "" } else { &*format!(" {}", value.unit) };
        write!(line, " {symbol} {}{mark}{unit}{flag} ", value.value).unwrap_or_default();
    }
    line.trim_end().to_owned()
}

/// Writes the ledger.
pub(super) fn ledger(ledger: &LedgerView) -> String {
    let row = |name: &str, counts: &crate::http::view::CountsView| {
        format!(
            "{name:<10}{:>10} ={:>10} +{:>10} +{:>10}\n",
            counts.received, counts.stored, counts.rejected, counts.duplicate
        )
    };
    let head = format!(
        "{:<10}{:>10}  {:>10}  {:>10}  {:>10}\n",
        "", "received", "stored", "rejected", "duplicate"
    );
    let verdict =
        if ledger.balances { "the ledger balances" } else { "THE LEDGER DOES NOT BALANCE" };
    format!(
        "{head}{}{}{verdict}; {} messages came at QoS 0\n",
        row("messages", &ledger.messages),
        row("readings", &ledger.readings),
        ledger.unprotected
    )
}
