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

/// Gives the example with one row of a table replaced, which begins with a text.
#[track_caller]
fn with_row(table: &str, begins: &str, row: &str) -> Tables {
    let tables = example();
    let text = String::from_utf8(tables.get(table).unwrap().to_vec()).unwrap();
    let mut found = text.lines().filter(|line| line.starts_with(begins));
    let line = found.next().unwrap();
    assert_eq!(found.next(), None, "`{begins}` begins a second row of {table}");
    with(table, &format!("{line}\n"), row)
}

/// Asserts that the example with one row of a table replaced is refused, and in which words.
#[track_caller]
fn refused(table: &str, begins: &str, row: &str, want: &str) {
    let faults = compiled(&with_row(table, begins, row)).unwrap_err();
    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
    let place = format!("seeds/{table}:");
    let fits = |fault: &&String| fault.starts_with(&place) && fault.contains(want);
    assert!(told.iter().any(|fault| fits(&fault)), "{told:#?}");
    assert!(told.len() < 4, "{told:#?}");
}

/// The breakpoint of PM2.5 at index 100, as HJ 633-2026 has it.
const BREAKPOINT: &str = "HJ 633-2026,table 1,pm2_5,24h,hour day,100,";

#[test]
fn breakpoints_with_a_hole_are_refused() {
    refused("aqi.csv", BREAKPOINT, "", "a breakpoint at 100, as other columns of `HJ 633-2026`");
}

#[test]
fn breakpoints_that_do_not_rise_are_refused() {
    let row = format!("{BREAKPOINT}35,ug/m3,,somebody\n");
    refused("aqi.csv", BREAKPOINT, &row, "more than at the index before");
    let row = "HJ 633-2026,table 1,pm2_5,24h,hour day,50,60,ug/m3,,somebody\n";
    refused("aqi.csv", BREAKPOINT, row, "an index above 50");
}

#[test]
fn a_breakpoint_of_an_unknown_property_is_refused() {
    let row = "HJ 633-2026,table 1,pm2_6,24h,hour day,100,60,ug/m3,,somebody\n";
    refused("aqi.csv", BREAKPOINT, row, "the nearest is `pm2_5`");
}

#[test]
fn a_breakpoint_of_an_unknown_edition_is_refused() {
    let row = "HJ 633-2027,table 1,pm2_5,24h,hour day,100,60,ug/m3,,somebody\n";
    refused("aqi.csv", BREAKPOINT, row, "an edition of aqi_editions.csv");
}

#[test]
fn a_breakpoint_without_clause_or_of_another_clause_is_refused() {
    let row = "HJ 633-2026,,pm2_5,24h,hour day,100,60,ug/m3,,somebody\n";
    refused("aqi.csv", BREAKPOINT, row, "a text in `clause`");
    let row = "HJ 633-2026,table 9,pm2_5,24h,hour day,100,60,ug/m3,,somebody\n";
    refused("aqi.csv", BREAKPOINT, row, "`table 1`, as in the edition's rows before");
}

#[test]
fn a_breakpoint_in_a_unit_that_its_property_is_not_rounded_in_is_refused() {
    let row = format!("{BREAKPOINT}60.5,ug/m3,,somebody\n");
    refused("aqi.csv", BREAKPOINT, &row, "at most 0 decimals");
    let row = format!("{BREAKPOINT}60,Cel,,somebody\n");
    refused("aqi.csv", BREAKPOINT, &row, "a unit that can become `ug/m3`");
    let row = format!("{BREAKPOINT}0.06,mg/m3,,somebody\n");
    compiled(&with_row("aqi.csv", BREAKPOINT, &row)).unwrap();
}

#[test]
fn breakpoints_that_say_nothing_of_what_is_above_them_are_refused() {
    let last = "HJ 633-2026,table 1,pm2_5,24h,hour day,500,";
    let row = format!("{last}500,ug/m3,,somebody\n");
    refused("aqi.csv", last, &row, "the index above the last breakpoint, 500 or more");
    let row = format!("{last}500,ug/m3,400,somebody\n");
    refused("aqi.csv", last, &row, "found `400`");
    let row = format!("{last}500,ug/m3,501,somebody\n");
    refused("aqi.csv", last, &row, "at most 500, as `most` of the edition says");
}

#[test]
fn two_columns_of_a_property_for_one_report_are_refused() {
    let mut tables = example();
    let mut text = String::from_utf8(tables.get("aqi.csv").unwrap().to_vec()).unwrap();
    text.push_str("HJ 633-2026,table 1,pm2_5,1h,hour,0,0,ug/m3,,somebody\n");
    text.push_str("HJ 633-2026,table 1,pm2_5,1h,hour,50,70,ug/m3,50,somebody\n");
    tables.put("aqi.csv", text.into_bytes());
    check(&tables, "seeds/aqi.csv:153: found a second column for the report");
}

#[test]
fn editions_of_the_index_that_overlap_are_refused() {
    let row = "HJ 633-2026,a clause,100,50,500,2026-02-28,,somebody\n";
    let want = "dates that do not overlap those of `HJ 633-2012`";
    refused("aqi_editions.csv", "HJ 633-2026,", row, want);
}

#[test]
fn an_edition_without_breakpoints_or_grades_is_refused() {
    let tables = with("aqi_editions.csv", "HJ 633-2026,", "HJ 633-2027,");
    check(&tables, "seeds/aqi_editions.csv:3: found no breakpoints");
    check(&tables, "seeds/aqi_editions.csv:3: found no grade");
}

/// Gives the example without one table.
fn without(table: &str) -> Tables {
    let mut tables = Tables::default();
    for (name, bytes) in example().iter().filter(|(name, _)| *name != table) {
        tables.put(name, bytes.to_vec());
    }
    tables
}

#[test]
fn half_of_the_tables_of_the_index_is_refused() {
    check(&without("aqi_editions.csv"), "seeds/aqi.csv:2: found `HJ 633-2012`");
    check(&without("aqi.csv"), "seeds/aqi_editions.csv:2: found no breakpoints");
    check(&without("aqi_grades.csv"), "seeds/aqi_editions.csv:2: found no grade");
}

#[test]
fn gases_without_a_state_to_be_stated_for_are_refused() {
    check(&without("reference_states.csv"), "seeds/reference_states.csv: found no state of today");
}

#[test]
fn grades_that_leave_one_out_or_do_not_rise_are_refused() {
    let third = "HJ 633-2026,table 2,3,";
    refused("aqi_grades.csv", third, "", "`3`, the best first");
    let row = format!("{third}100,#FF7E00,lightly polluted,轻度污染,somebody\n");
    refused("aqi_grades.csv", third, &row, "more than the grade before has");
    let row = format!("{third}150,orange,lightly polluted,轻度污染,somebody\n");
    refused("aqi_grades.csv", third, &row, "such as `#FF7E00`");
}

#[test]
fn a_channel_in_ppb_is_taken_for_a_gas_of_known_mass_only() {
    let ppb = with("profiles.csv", ",no2,ug/m3,", ",no2,ppb,");
    compiled(&ppb).unwrap();
    let ppb = with("profiles.csv", ",pm10,ug/m3,", ",pm10,ppb,");
    check(&ppb, "seeds/profiles.csv:35: found `ppb`, expected a unit that can become `ug/m3`");
}

#[test]
fn a_molar_mass_in_another_unit_is_refused() {
    let row = "ozone,0.048,somebody\n";
    refused("molar_masses.csv", "ozone,", row, "g/mol, from 2 to 1000");
}

#[test]
fn a_molar_volume_of_another_state_is_refused() {
    let row = "GB 3095-2026,reference state,298.15,1013.25,22.4,2026-03-01,,somebody\n";
    refused("reference_states.csv", "GB 3095-2026,", row, "about 24.465 L/mol");
}

#[test]
fn reference_states_with_a_gap_or_at_one_time_are_refused() {
    let row = |from: &str| {
        format!("GB 3095-2026,reference state,298.15,1013.25,24.465,{from},,somebody\n")
    };
    refused("reference_states.csv", "GB 3095-2026,", &row("2026-03-02"), "no time without a state");
    refused("reference_states.csv", "GB 3095-2026,", &row("2026-02-28"), "one state at a time");
    let tables = with_row("reference_states.csv", "GB 3095-2026,", "");
    check(&tables, "seeds/reference_states.csv: found no state of today");
}

#[test]
fn two_percentiles_of_a_property_at_one_time_are_refused() {
    let begins = "HJ 663-2026,table 1,pm10,";
    let row = format!("{begins}24h,95,2026-02-01,,somebody\n");
    refused("percentiles.csv", begins, &row, "one percentile of a property at a time");
    let row = format!("{begins}24h,0.95,2026-03-01,,somebody\n");
    refused("percentiles.csv", begins, &row, "a whole number from 1 to 99");
}
