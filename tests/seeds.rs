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

/// Gives the example with one line taken out of one table.
#[track_caller]
fn without(table: &str, line: &str) -> Tables {
    let mut tables = example();
    let text = String::from_utf8(tables.get(table).unwrap().to_vec()).unwrap();
    let kept: Vec<&str> = text.lines().filter(|kept| !kept.starts_with(line)).collect();
    assert_eq!(kept.len() + 1, text.lines().count(), "{table} has one line `{line}`");
    tables.put(table, (kept.join("\n") + "\n").into_bytes());
    tables
}

#[test]
fn a_class_table_with_a_hole_is_refused_where_its_item_is_counted() {
    let line = "GB 3838-2002,table 1 item 8,total_phosphorus,III,lake,";
    let faults = compiled(&without("limits/GB3838-2002.csv", line)).unwrap_err();
    let told = faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(told.contains("seeds/items.csv:"), "{told}");
    assert!(told.contains("class III has no limit for a lake"), "{told}");
}

#[test]
fn a_class_table_that_ends_leaves_a_hole() {
    let old = "ammonia_nitrogen,II,,any,max,0.5,,,mg/L,,2002-06-01,,";
    let new = "ammonia_nitrogen,II,,any,max,0.5,,,mg/L,,2002-06-01,2026-03-01,";
    let faults = compiled(&with("limits/GB3838-2002.csv", old, new)).unwrap_err();
    let told = faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(told.contains("class II has no limit for a river at some time"), "{told}");
}

#[test]
fn an_item_without_its_clause_is_refused() {
    let old = "counted,,,,,,,,,,,GB 3838-2002,GB 3838-2002 table 1,";
    check(&with("items.csv", old, "counted,,,,,,,,,,,GB 3838-2002,,"), "seeds/items.csv:2:");
}

#[test]
fn an_item_of_no_known_property_or_index_is_refused() {
    check(&with("items.csv", "water_class,ph,", "water_class,phh,"), "seeds/items.csv:2:");
    check(&with("items.csv", "water_class,ph,", "water_klass,ph,"), "seeds/items.csv:2:");
    check(&with("items.csv", "ph,,counted", "ph,sea,counted"), "seeds/items.csv:2:");
}

#[test]
fn two_rows_of_an_item_at_one_time_are_refused() {
    let second =
        "water_class,ph,lake,shown,,,,,,,,,,,GB 3838-2002,x,2020-01-01,,x\nwater_class,ph,,";
    check(&with("items.csv", "water_class,ph,,", second), "seeds/items.csv:3:");
}

#[test]
fn a_group_that_needs_more_than_it_has_is_refused() {
    let mut tables = example();
    let text = String::from_utf8(tables.get("items.csv").unwrap().to_vec()).unwrap();
    tables.put("items.csv", text.replace("automatic,3,", "automatic,6,").into_bytes());
    check(&tables, "seeds/items.csv:");
    check(&with("items.csv", "automatic,3,", "automatic,2,"), "seeds/items.csv:");
}

#[test]
fn a_grade_whose_border_is_no_number_or_crossed_is_refused() {
    check(&with("grades.csv", "good_share,75,,90,", "good_share,75,,sixty,"), "seeds/grades.csv:");
    check(&with("grades.csv", "good_share,75,,90,", "good_share,75,,60,"), "seeds/grades.csv:");
    check(&with("grades.csv", "good_share,75,,90,", "good_share,,,,"), "seeds/grades.csv:");
}

#[test]
fn an_edition_without_the_tables_of_water_is_sound() {
    let mut tables = Tables::default();
    for (name, bytes) in example().iter().filter(|(name, _)| *name != "items.csv") {
        if name != "grades.csv" && name != "members.csv" {
            tables.put(name, bytes.to_vec());
        }
    }
    assert!(compiled(&tables).unwrap().water.items.is_empty());
}
