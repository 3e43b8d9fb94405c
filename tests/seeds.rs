//! The tables of the example installation, sound and with mistakes.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

use weir::domain::fault::Fault;
use weir::domain::judgement::Judgement;
use weir::domain::name::Names;
use weir::domain::registry::Registry;
use weir::seed::{Tables, compile, diff};

fn example() -> Tables {
    Tables::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds")).unwrap()
}

fn compiled(tables: &Tables) -> Result<Registry, Vec<Fault>> {
    let networks = ["rivers".to_owned(), "parks".to_owned()];
    compile(tables, Judgement::default(), &networks, &mut Names::default())
}

/// Gives the example with one text replaced in one table.
#[track_caller]
fn with(table: &str, old: &str, new: &str) -> Tables {
    let mut tables = example();
    let text = String::from_utf8(tables.get(table).unwrap().to_vec()).unwrap();
    assert!(text.contains(old), "{table} does not hold `{old}`");
    tables.put(table, text.replacen(old, new, 1).into_bytes());
    tables
}

/// Asserts that a faulty edition is refused, and that one fault names the table's line.
#[track_caller]
fn check(tables: &Tables, want: &str) {
    let faults = compiled(tables).unwrap_err();
    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert!(told.iter().any(|fault| fault.starts_with(want)), "{told:#?}");
}

#[test]
fn the_example_is_sound() {
    let registry = compiled(&example()).unwrap();
    assert!(registry.datastreams.iter().count() > 50);
}

#[test]
fn an_unknown_unit_is_refused_with_its_line() {
    check(&with("properties.csv", ",mg/L,", ",mg/bucket,"), "seeds/properties.csv:");
}

#[test]
fn an_unknown_broker_is_refused_with_its_line() {
    check(&with("topics.csv", "\nrivers,", "\nrivulets,"), "seeds/topics.csv:2:");
}

#[test]
fn a_missing_column_is_refused() {
    check(&with("stations.csv", "latitude", "lattitude"), "seeds/stations.csv:1:");
}

#[test]
fn what_is_no_number_is_refused() {
    let tables = example();
    let text = String::from_utf8(tables.get("limits/GB3838-2002.csv").unwrap().to_vec()).unwrap();
    assert!(text.contains(",0.15,"), "the limit of class I is not there");
    check(&with("limits/GB3838-2002.csv", ",0.15,", ",O.15,"), "seeds/limits/GB3838-2002.csv:");
}

#[test]
fn several_mistakes_are_told_at_once() {
    let mut tables = with("properties.csv", ",mg/L,", ",mg/bucket,");
    let text = String::from_utf8(tables.get("topics.csv").unwrap().to_vec()).unwrap();
    tables.put("topics.csv", text.replacen("\nrivers,", "\nrivulets,", 1).into_bytes());
    check(&tables, "seeds/properties.csv:");
    check(&tables, "seeds/topics.csv:2:");
}

#[test]
fn a_spreadsheets_byte_order_mark_and_line_ends_change_nothing() {
    let mut tables = example();
    let text = String::from_utf8(tables.get("stations.csv").unwrap().to_vec()).unwrap();
    let damaged = format!("\u{feff}{}", text.replace('\n', "\r\n"));
    tables.put("stations.csv", damaged.into_bytes());
    compiled(&tables).unwrap();
    assert_eq!(diff(&example(), &tables), []);
}

#[test]
fn an_edition_survives_its_way_through_the_journal() {
    let tables = example();
    let back = Tables::from_bytes(&tables.to_bytes()).unwrap();
    let judgement = Judgement::default();
    assert_eq!(back.digest(&judgement), tables.digest(&judgement));
}
