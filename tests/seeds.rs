//! The tables of the example installation, sound and with mistakes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::path::Path;
use std::sync::Arc;

use weir::domain::alert::{Route, Severity, Subject};
use weir::domain::assessment::WaterClass;
use weir::domain::check::CheckKind;
use weir::domain::evaluation::{Evaluated, Index};
use weir::domain::fault::Fault;
use weir::domain::judgement::Judgement;
use weir::domain::name::Names;
use weir::domain::quality::{Flag, Test};
use weir::domain::registry::{
    CheckLimit, Persistence, Registry, RuleKind, Sampling, Slope, Threshold, Tolerance, Worse,
    check_row,
};
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
fn a_grid_without_a_factor_is_refused_with_its_line() {
    check(&with("places.csv", ",liaoning", ",atlantis"), "seeds/places.csv:2:");
}

#[test]
fn a_comment_is_no_row_and_moves_no_line() {
    let topics = "\n# to be looked at,once more\nrivers,water";
    compiled(&with("topics.csv", "\nrivers,water", topics)).unwrap();
    let faulty = "\n# one\n# two,\"\nrivulets,water";
    check(&with("topics.csv", "\nrivers,water", faulty), "seeds/topics.csv:4:");
}

#[test]
fn the_row_of_tables_that_are_imported_is_always_the_same() {
    let row = "import,{node}/{device},csv,,time,rfc3339,,channel,value,unit";
    for other in [
        "import,{device},csv,,time,rfc3339,,channel,value,unit",
        "import,{node}/{device},json,,/time,rfc3339,,/channel,/value,/unit",
        "import,{node}/{device},csv,,time,local,,channel,value,unit",
        "import,{node}/{device},csv,,time,rfc3339,,,value,unit",
    ] {
        check(&with("topics.csv", row, other), "seeds/topics.csv:10:");
    }
}

/// Gives the example with one more row in `topics.csv`, which has the optional column.
fn with_topic(row: &str) -> Tables {
    let mut tables = example();
    let head =
        "network,pattern,format,device,time,time_unit,each,channel,value,unit,source,options";
    tables.put("topics.csv", format!("{head}\n{row}\n").into_bytes());
    tables
}

#[test]
fn a_topic_takes_one_format_or_several() {
    for row in [
        "rivers,a/{device}/{channel},plain,,,,,,,,made for a test,",
        "rivers,a/{device},csv,,time,local,,,,,made for a test,separator=; header=none",
        "rivers,a,line_protocol,site,,,,_measurement,,,made for a test,",
        "rivers,a,senml,bn,,,,,,,made for a test,",
        "rivers,spBv1.0/{place}/{kind}/{device},sparkplug_b,,,,,,,,made for a test,\n\
         rivers,spBv1.0/{place}/{kind}/{node}/{device},sparkplug_b,,,,,,,,made for a test,",
        "rivers,application/{place}/device/{device}/event/{kind},chirpstack,,,,,,,,made for a test,",
        "rivers,v3/{place}/devices/{place}/up,things_stack,/end_device_ids/device_id,,,,,,,made for a test,",
        "rivers,tele/{device}/{kind},tasmota,,,,,,,,made for a test,",
        "rivers,shelly/{device}/events/rpc,shelly,,,,,,,,made for a test,",
        "rivers,zigbee2mqtt/{device},zigbee2mqtt,,,,,,,,made for a test,",
        "rivers,a/{device},telegraf line_protocol,,,ms,,,,,made for a test,",
        "rivers,a/{device}/{kind},csv json,,/t,s,,,,,made for a test,",
        "rivers,a,json,/gw,/t,s,/list,/meter /name,/Rtd /Avg,,made for a test,",
        "rivers,homie/5/{device}/{kind},homie,,,,,,,,made for a test,",
        "rivers,homie/5/{device}/{place}/{place},homie,,,,,,,,made for a test,",
        "rivers,a/{device},binary,,u32be@0,s,,,,,made for a test,record=12 header=4",
        "rivers,a/{device},binary,,,,,,,,made for a test,record=12",
    ] {
        compiled(&with_topic(row)).unwrap_or_else(|faults| panic!("{row}: {faults:#?}"));
    }
}

#[test]
fn edge_nodes_of_sparkplug_and_their_devices_are_heard_together_or_not_at_all() {
    let row = |network: &str, pattern: &str| {
        format!("{network},{pattern},sparkplug_b,,,,,,,,made for a test,")
    };
    let check = |rows: &[String], want: &[&str]| {
        let faults = compiled(&with_topic(&rows.join("\n"))).err().unwrap_or_default();
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(faults.len(), want.len(), "{faults:#?}");
        for (fault, want) in faults.iter().zip(want) {
            assert!(fault.contains(want) && fault.contains("a second row"), "{faults:#?}");
        }
    };
    let nodes = row("rivers", "spBv1.0/g/{kind}/{device}");
    let devices = row("rivers", "spBv1.0/g/{kind}/{node}/{device}");
    check(&[nodes.clone(), devices.clone()], &[]);
    check(std::slice::from_ref(&nodes), &["with `spBv1.0/g/{kind}/{node}/{device}`"]);
    check(std::slice::from_ref(&devices), &["seeds/topics.csv:2: "]);
    check(std::slice::from_ref(&devices), &["with `spBv1.0/g/{kind}/{device}`"]);
    // Those of another group or broker are of other nodes.
    let of_all = row("rivers", "spBv1.0/{place}/{kind}/{device}");
    check(
        &[of_all, devices.clone()],
        &["`spBv1.0/{place}/{kind}/{node}/{device}`", "seeds/topics.csv:3: "],
    );
    let elsewhere = row("parks", "spBv1.0/g/{kind}/{device}");
    check(&[elsewhere, devices], &["seeds/topics.csv:2: ", "seeds/topics.csv:3: "]);
}

#[test]
fn cells_that_a_format_has_no_use_for_are_refused() {
    for row in [
        "rivers,a/{device},jsn,,,,,,,,made for a test,",
        "rivers,a/{device},,,,,,,,,made for a test,",
        "rivers,a/{device},json json,,,,,,,,made for a test,",
        "rivers,a/{device},plain,,,,,,,,made for a test,",
        "rivers,a/{device}/{channel},plain,,/t,ms,,,,,made for a test,",
        "rivers,a,csv,,time,local,,,,,made for a test,",
        "rivers,a/{device},csv,,time,local,,,,,made for a test,comma=yes",
        "rivers,a/{device},json,,/time,local,,,,,made for a test,separator=;",
        "rivers,a,line_protocol,,,,,,,,made for a test,",
        "rivers,a/{device},senml,,/t,s,,,,,made for a test,",
        "rivers,a,senml,/bn,,,,,,,made for a test,",
        "rivers,spBv1.0/g/NDATA/{device},sparkplug_b,,,,,,,,made for a test,",
        "rivers,spBv1.0/g/{kind}/n/{device},sparkplug_b,,,,,,,,made for a test,",
        "rivers,a/{device}/{channel},chirpstack,,,,,,,,made for a test,",
        "rivers,a/{device},things_stack,,/t,s,,,,,made for a test,",
        "rivers,tele/{device}/SENSOR,tasmota,,,,,,,,made for a test,",
        "rivers,zigbee2mqtt,zigbee2mqtt,/id,,,,,,,made for a test,",
        "rivers,a/{node}/b/{device},json,,,,,,,,made for a test,",
        "rivers,a/{device},line_protocol,,,local,,,,,made for a test,",
        "rivers,a/{device}/{channel},telegraf,,,,,,,,made for a test,",
        "rivers,a/{device}/{kind}/{kind},json,,,,,,,,made for a test,",
        "rivers,a/{device},json,,,,/list,/name,/Rtd Avg~,,made for a test,",
        "rivers,homie/5/{device},homie,,,,,,,,made for a test,",
        "rivers,homie/5/{device}/{place}/{channel},homie,,,,,,,,made for a test,",
        "rivers,homie/5/{device}/{kind},homie,,/t,s,,,,,made for a test,",
        "rivers,a/{device},binary,,,,,,,,made for a test,",
        "rivers,a/{device},binary,,,,,,,,made for a test,record=0",
        "rivers,a/{device},binary,,,,,,,,made for a test,record=12 header=none",
        "rivers,a/{device},binary,,u32be@10,s,,,,,made for a test,record=12",
        "rivers,a/{device},binary,,u32@0,s,,,,,made for a test,record=12",
        "rivers,a/{device},binary,,u32be@0,local,,,,,made for a test,record=12",
        "rivers,a/{device},binary json,,,,,,,,made for a test,record=12",
        "rivers,a/{device}/{channel},binary,,,,,,,,made for a test,record=12",
        "rivers,a,binary,/id,,,,,,,made for a test,record=12",
        "rivers,a/{device},json,,,,/list,name /id,/Rtd,,made for a test,",
    ] {
        let faults = compiled(&with_topic(row)).expect_err(row);
        assert!(faults.iter().all(|fault| fault.to_string().starts_with("seeds/topics.csv:2: ")));
    }
}

#[test]
fn a_channel_that_is_meant_as_a_field_of_bytes_must_be_one() {
    let tables = with("profiles.csv", ",/temp,", ",u16@4,");
    check(&tables, "seeds/profiles.csv:2: found `u16@4`, expected a field such as `u16be@4`");
    let none = "`u16be@4`, expected a topic of `rivers` in topics.csv with the format `binary`";
    let tables = with("profiles.csv", ",/temp,", ",u16be@4,");
    check(&tables, &format!("seeds/profiles.csv:2: found {none}"));
    let records = |bytes: u16| {
        let mut tables = with("profiles.csv", ",/temp,", ",u16be@4,");
        let topics = String::from_utf8(tables.get("topics.csv").unwrap().to_vec()).unwrap();
        let mut lines: Vec<String> = topics.lines().map(|line| format!("{line},")).collect();
        lines[0].push_str("options");
        lines.push(format!("rivers,b/{{device}},binary,,,,,,,,made for a test,record={bytes}"));
        tables.put("topics.csv", lines.join("\n").into_bytes());
        tables
    };
    let outside =
        "`u16be@4`, expected a field inside the 5 bytes of the longest record of `rivers`";
    check(&records(5), &format!("seeds/profiles.csv:2: found {outside}"));
    compiled(&records(6)).unwrap_or_else(|faults| panic!("{faults:#?}"));
}

#[test]
fn marks_have_places_in_json_alone() {
    let marked = |row: &str, cells: &str| {
        let mut tables = with_topic(&format!("{row},{cells}"));
        let text = String::from_utf8(tables.get("topics.csv").unwrap().to_vec()).unwrap();
        tables.put("topics.csv", text.replacen("options", "options,mark,marks", 1).into_bytes());
        compiled(&tables)
    };
    let mark = "/flag,hj212-2017";
    for (row, mark) in [
        ("rivers,a/{device},json,,,,,,,,made for a test,", mark),
        ("rivers,a/{device},csv json hj212,,,,,,,,made for a test,", mark),
        ("rivers,a/{place},hj212,MN,,,,,,,made for a test,", ","),
    ] {
        marked(row, mark).unwrap_or_else(|faults| panic!("{row}: {faults:#?}"));
    }
    for row in [
        "rivers,a/{device},csv,,time,local,,,,,made for a test,",
        "rivers,a/{device}/{channel},plain,,,,,,,,made for a test,",
        "rivers,a,senml,bn,,,,,,,made for a test,",
        "rivers,a/{device},telegraf,,,,,,,,made for a test,",
        "rivers,a/{device},things_stack,,,,,,,,made for a test,",
        "rivers,shelly/{device}/events/rpc,shelly,,,,,,,,made for a test,",
        "rivers,a/{place},hj212,MN,,,,,,,made for a test,",
    ] {
        let faults = marked(row, mark).expect_err(row);
        let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert!(told.iter().any(|fault| fault.contains("in `mark`")), "{row}: {told:#?}");
    }
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
    let row = "HJ 633-2026,a clause,100,,,50,500,2026-02-28,,somebody\n";
    let want = "dates that do not overlap those of `HJ 633-2012`";
    refused("aqi_editions.csv", "HJ 633-2026,", row, want);
    let row = "HJ 633-2026,items,100,pm100,,50,500,2026-03-01,,test";
    refused("aqi_editions.csv", "HJ 633-2026,", row, "in `hour_without`; the nearest is `pm10`");
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

/// The head of a table of limits with the columns that one may lack.
const LIMITS: &str = "instrument,clause,property,class,section,averaging,direction,value,low,high,\
                      unit,condition,from,to,source,station,place\n";

/// Gives the example with a table of limits of its own, its rows from line 2 on.
fn with_limits(rows: &str) -> Tables {
    let mut tables = example();
    tables.put("limits/own.csv", format!("{LIMITS}{rows}").into_bytes());
    tables
}

/// Asserts that rows of limits are refused with a fault that names a line and says some words.
#[track_caller]
fn check_limits(rows: &str, line: u64, words: &str) {
    let faults = compiled(&with_limits(rows)).unwrap_err();
    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
    let place = format!("seeds/limits/own.csv:{line}: ");
    let there = told.iter().any(|fault| fault.starts_with(&place) && fault.contains(words));
    assert!(there, "{told:#?}");
    assert_eq!(told.len(), 1, "one mistake is one fault: {told:#?}");
}

#[test]
fn limits_that_overlap_in_time_are_refused() {
    let row = |from: &str, to: &str| format!("A,1,ph,,,any,max,9,,,pH,,{from},{to},a test,,\n");
    let rows = |second: &str| row("2020-01-01", "2026-03-01") + second;
    check_limits(&rows(&row("2026-02-28", "")), 3, "own.csv:2");
    compiled(&with_limits(&rows(&row("2026-03-01", "")))).unwrap();
    // The same day begins both.
    check_limits(&rows(&row("2020-01-01", "")), 3, "own.csv:2");
}

#[test]
fn conditions_that_overlap_are_refused_and_those_that_exclude_each_other_are_not() {
    let row = |condition: &str| {
        format!("A,1,turbidity,,,single,max,9,,,NTU,{condition},,,a test,puhe-huishan,\n")
    };
    let both = |one: &str, other: &str| row(one) + &row(other);
    for (one, other) in [
        ("water_temperature<=12", "water_temperature>12"),
        ("water_temperature<12", "water_temperature>=12"),
        ("day", "night"),
        ("06:30-18:00", "18:00-06:30"),
    ] {
        compiled(&with_limits(&both(one, other))).unwrap();
    }
    for (one, other) in [
        ("", "water_temperature>12"),
        ("water_temperature<=12", "water_temperature>=12"),
        ("water_temperature<=12", "day"),
        ("day", "20:00-23:00"),
    ] {
        check_limits(&both(one, other), 3, "conditions that exclude each other");
    }
}

#[test]
fn a_limit_without_its_clause_or_source_is_refused() {
    check_limits("A,,ph,,,any,max,9,,,pH,,,,a test,,\n", 2, "in `clause`");
    check_limits("A,1,ph,,,any,max,9,,,pH,,,,,,\n", 2, "in `source`");
}

#[test]
fn an_unknown_condition_is_refused() {
    let row = |condition: &str| format!("A,1,ph,,,single,max,9,,,pH,{condition},,,a test,,\n");
    for condition in ["summer", "water_temperature=12", "water_temperature<=warm", "24:00-06:00"] {
        check_limits(&row(condition), 2, "in `condition`");
    }
    check_limits(&row("watr_temperature<=12"), 2, "the nearest is `water_temperature`");
    // The mean of an hour of a direction, or of pH, is not what a condition asks for.
    check_limits(&row("wind_direction<=12"), 2, "`combine` is `mean`");
}

#[test]
fn a_condition_that_no_value_of_an_averaging_can_be_judged_by_is_refused() {
    let row = |averaging: &str, condition: &str| {
        format!("A,1,turbidity,,,{averaging},max,9,,,NTU,{condition},,,a test,puhe-huishan,\n")
    };
    for averaging in ["single", "1h"] {
        compiled(&with_limits(&row(averaging, "night"))).unwrap();
    }
    compiled(&with_limits(&row("day", "water_temperature<=12"))).unwrap();
    for averaging in ["any", "day", "month", "year", "statistical"] {
        check_limits(&row(averaging, "night"), 2, "in `averaging`");
    }
    for averaging in ["any", "week", "month", "quarter", "year"] {
        check_limits(&row(averaging, "water_temperature<=12"), 2, "in `averaging`");
    }
}

#[test]
fn a_condition_on_what_no_channel_of_the_station_measures_is_refused() {
    let rows = "A,1,pm10,,,1h,max,9,,,ug/m3,water_temperature<=12,,,a test,setdz-air,\n";
    check(&with_limits(rows), "seeds/stations.csv:14: found a station without `water_temperature`");
    compiled(&with_limits(&rows.replace("water_temperature", "air_temperature"))).unwrap();
}

#[test]
fn a_class_table_with_a_hole_is_refused() {
    let row = |class: &str, value: &str, from: &str, to: &str| {
        format!("A,1,turbidity,{class},,any,max,{value},,,NTU,,{from},{to},a test,,\n")
    };
    let ends = row("II", "1", "", "") + &row("IV", "3", "", "");
    check_limits(&ends, 3, "without class III");
    compiled(&with_limits(&(ends.clone() + &row("III", "2", "", "")))).unwrap();
    // A hole of some years is one.
    let later = row("III", "2", "2020-01-01", "");
    check_limits(&(ends.clone() + &later), 3, "without class III");
    let before = row("III", "2", "", "2020-01-01");
    compiled(&with_limits(&(ends + &later + &before))).unwrap();
}

#[test]
fn an_unknown_station_or_place_of_a_limit_is_refused() {
    check_limits("A,1,ph,,,any,max,9,,,pH,,,,a test,puhe,\n", 2, "in `station`");
    check_limits("A,1,ph,,,any,max,9,,,pH,,,,a test,,atlantis\n", 2, "in `place`");
}

/// Gives the example with one more column in one table, empty but for one row.
fn with_column(table: &str, column: &str, row: &str, cell: &str) -> Tables {
    let mut tables = example();
    let mut read =
        csv::ReaderBuilder::new().has_headers(false).from_reader(tables.get(table).unwrap());
    let rows: Vec<csv::StringRecord> = read.records().map(Result::unwrap).collect();
    let held = rows[0].iter().position(|name| name == column);
    let mut write = csv::Writer::from_writer(Vec::new());
    for (at, cells) in rows.iter().enumerate() {
        let said = match at {
            0 => column,
            _ if &cells[0] == row => cell,
            _ => held.map_or("", |held| &cells[held]),
        };
        let place = held.unwrap_or(cells.len());
        let before = cells.iter().take(place).chain([said]);
        write.write_record(before.chain(cells.iter().skip(place + 1))).unwrap();
    }
    tables.put(table, write.into_inner().unwrap());
    tables
}

#[test]
fn an_indicative_station_has_no_limits_and_one_on_trial_no_rules() {
    let of = |tables: &Tables| {
        let registry = compiled(tables).unwrap();
        let stream = registry.datastreams.iter().find(|one| &*one.name == "puhe-huishan/ph");
        let stream = stream.unwrap();
        let rules = [stream.exceedance_rule, stream.silence_rule].map(|rule| rule.is_some());
        (stream.limits.len(), stream.class_limits.len(), rules)
    };
    assert_eq!(of(&example()), (1, 5, [true, true]));
    let stations = |column, cell| with_column("stations.csv", column, "puhe-huishan", cell);
    assert_eq!(of(&stations("grade", "indicative")), (0, 0, [true, true]));
    assert_eq!(of(&stations("stage", "trial")), (1, 5, [false, false]));
}

#[test]
fn an_unknown_further_class_is_refused() {
    let tables = with_column("stations.csv", "other_classes", "puhe-huishan", "drinkin-source");
    check(&tables, "seeds/stations.csv:2: found `drinkin-source`");
}

#[test]
fn a_warning_share_is_a_share() {
    let rules = |cell| with_column("rules.csv", "warning_share", "water-exceedance", cell);
    compiled(&rules("0.8")).unwrap();
    for wrong in ["0", "1", "80", "80%", "-0.1"] {
        check(&rules(wrong), "seeds/rules.csv:2:");
    }
    let silence = with_column("rules.csv", "warning_share", "water-silence", "0.8");
    check(&silence, "seeds/rules.csv:");
}

#[test]
fn a_rule_asks_for_so_many_values_so_many_of_the_last_or_a_time() {
    let of = |cell: &str| with_column("rules.csv", "pending", "water-exceedance", cell);
    let pending = |cell: &str| {
        let registry = compiled(&of(cell)).unwrap();
        let rule = registry.rules.iter().find(|one| &*one.name == "water-exceedance").unwrap();
        let RuleKind::Exceedance { pending, .. } = rule.kind else { panic!("{rule:?}") };
        pending
    };
    assert_eq!(pending("3"), Persistence::Values(3));
    assert_eq!(pending("10m"), Persistence::Millis(600_000));
    assert_eq!(pending("3/5"), Persistence::Of { need: 3, of: 5 });
    assert_eq!(pending("32/32"), Persistence::Of { need: 32, of: 32 });
    for wrong in ["", "0", "0/5", "6/5", "3/33", "3 of 5", "3/", "/5", "-1/5"] {
        check(&of(wrong), "seeds/rules.csv:2:");
    }
}

#[test]
fn a_rule_rises_by_class_by_how_many_times_and_by_how_long() {
    let of = |rule: &str, cell: &str| with_column("rules.csv", "rises", rule, cell);
    let rises = |cell: &str| {
        let registry = compiled(&of("water-exceedance", cell)).unwrap();
        let rule = registry.rules.iter().find(|one| &*one.name == "water-exceedance").unwrap();
        rule.rises.iter().map(|rise| (rise.to, rise.from)).collect::<Vec<_>>()
    };
    let critical = |from| (Severity::Critical, from);
    assert_eq!(rises(""), []);
    assert_eq!(
        rises("critical:>V critical:0.5x critical:24h"),
        [
            critical(Threshold::Class(WaterClass::WorseThanV)),
            critical(Threshold::Multiple(0.5)),
            critical(Threshold::Lasts(86_400_000)),
        ]
    );
    assert_eq!(rises("critical:V"), [critical(Threshold::Class(WaterClass::V))]);
    let nine = (1..=9).map(|hours| format!("critical:{hours}h")).collect::<Vec<_>>().join(" ");
    let eight = nine.rsplit_once(' ').unwrap().0.to_owned();
    assert_eq!(rises(&eight).len(), 8);
    for wrong in [
        "warning:V",
        "notice:>V",
        "critical",
        "critical:VI",
        "critical:-1x",
        "critical:x",
        "critical:1h critical:1h",
        "critical:1h,critical:V",
        &nine,
    ] {
        check(&of("water-exceedance", wrong), "seeds/rules.csv:2:");
    }
    check(&of("water-silence", "critical:1h"), "seeds/rules.csv:16:");
}

#[test]
fn a_rule_about_an_index_rises_by_a_worse_grade() {
    let of = |rule: &str, cell: &str| with_column("rules.csv", "rises", rule, cell);
    let rises = |rule: &str, cell: &str| {
        let registry = compiled(&of(rule, cell)).unwrap();
        let rule = registry.rules.iter().find(|one| &*one.name == rule).unwrap();
        rule.rises.iter().map(|rise| (rise.to, rise.from)).collect::<Vec<_>>()
    };
    assert_eq!(rises("air-quality", ""), []);
    assert_eq!(rises("air-quality", "critical:6"), [(Severity::Critical, Threshold::Grade(6))]);
    assert_eq!(rises("black-odour", "critical:2"), [(Severity::Critical, Threshold::Grade(2))]);
    // Bad is the fifth grade of six already, and classes, times and durations are those of limits.
    for wrong in
        ["critical:5", "critical:7", "warning:6", "critical:V", "critical:1x", "critical:24h"]
    {
        check(&of("air-quality", wrong), "seeds/rules.csv:22:");
    }
    // A share, a target and a class that nobody can give have no grades.
    check(&of("power-factor", "warning:2"), "seeds/rules.csv:25:");
}

/// Gives the example with one more rule, of a kind with a scope, `of`, `level` and `pending`.
fn with_rule(kind: &str, scope: &str, [of, level, pending]: [&str; 3]) -> Tables {
    let mut tables = example();
    let mut text = String::from_utf8(tables.get("rules.csv").unwrap().to_vec()).unwrap();
    text.push_str(&format!(
        "here,{scope},{kind},{of},{level},{pending},1,,,notice,Look.,查看。,made for a test,,,,\n"
    ));
    tables.put("rules.csv", text.into_bytes());
    tables
}

#[test]
fn a_rule_about_a_change_says_how_much_within_which_time() {
    let of = |level: &str| with_rule("rise", "station:puhe-huishan", ["", level, "1"]);
    let read = |level: &str| {
        let registry = compiled(&of(level)).unwrap();
        let rule = registry.rules.iter().find(|one| &*one.name == "here").unwrap();
        let streams = registry.datastreams.iter().filter(|one| one.rise_rule == Some(rule.id));
        assert!(streams.count() > 0);
        let RuleKind::Rise { slope, over_ms, .. } = rule.kind else { panic!("{rule:?}") };
        (slope, over_ms / 60_000)
    };
    assert_eq!(read("+0.5/1h"), (Slope::Rises(0.5), 60));
    assert_eq!(read("-2/90m"), (Slope::Falls(2.0), 90));
    assert_eq!(read("x2.5/36h"), (Slope::Times(2.5), 36 * 60));
    for wrong in ["", "0.5/1h", "+0/1h", "x1/4h", "+-1/1h", "x2", "x2/37h", "+1/hour", "*2/4h"] {
        check(&of(wrong), "seeds/rules.csv:42:");
    }
}

#[test]
fn a_rule_about_an_index_says_which_and_from_where_on_it_is_bad() {
    let of = |of: &str, level: &str| with_rule("index", "place:hunnan", [of, level, "1"]);
    let read = |period: &str, level: &str| {
        let registry = compiled(&of(period, level)).unwrap();
        let rule = registry.rules.iter().find(|one| &*one.name == "here").unwrap();
        let RuleKind::Index { index, of, worse, .. } = rule.kind else { panic!("{rule:?}") };
        let station = registry.stations.iter().find(|one| &*one.name == "hunnan-air").unwrap();
        let key = (Evaluated::Station(station.id), index, of);
        assert_eq!(registry.evaluated_rules.get(&key), Some(&rule.id));
        (index, worse)
    };
    assert_eq!(read("1h", "aqi:4"), (Index::Aqi, Worse::Grade(4)));
    assert_eq!(read("raw", "water_class:V"), (Index::WaterClass, Worse::Grade(5)));
    assert_eq!(read("month", "water_class:>V"), (Index::WaterClass, Worse::Grade(6)));
    assert_eq!(read("month", "power_factor<0.9"), (Index::PowerFactor, Worse::Below(0.9)));
    assert_eq!(read("24h", "balance>5"), (Index::Balance, Worse::Above(5.0)));
    assert_eq!(read("year", "intensity:target"), (Index::Intensity, Worse::Missed));
    assert_eq!(read("1h", "aqi:not_assessable"), (Index::Aqi, Worse::NotAssessable));
    for (period, wrong) in [
        ("1h", ""),
        ("1h", "aqi"),
        ("1h", "aqi:7"),
        ("1h", "aqi:0"),
        ("1h", "api:4"),
        ("1h", "power_factor:2"),
        ("1h", "aqi>much"),
        ("raw", "aqi:4"),
        ("1h 24h", "aqi:4"),
        ("", "aqi:4"),
    ] {
        check(&of(period, wrong), "seeds/rules.csv:42:");
    }
    check(&with_rule("index", "raw:puhe", ["1h", "aqi:4", "1"]), "seeds/rules.csv:42:");
    check(&with_rule("index", "property:ozone", ["1h", "aqi:4", "1"]), "seeds/rules.csv:42:");
    check(&with_rule("index", "set:nobody", ["1h", "aqi:4", "1"]), "seeds/rules.csv:42:");
    let often = with_rule("index", "medium:water", ["raw", "water_class:V", "2"]);
    check(&often, "seeds/rules.csv:42:");
    compiled(&with_rule("index", "set:shenyang-air", ["24h", "aqi:3", "2/3"])).unwrap();
}

#[test]
fn a_rule_about_what_nobody_can_assess_looks_at_one_period() {
    let of = |of: &str, level: &str| with_rule("not_assessable", "place:puhe", [of, level, "6h"]);
    compiled(&of("raw", "")).unwrap();
    compiled(&of("24h", "")).unwrap();
    check(&of("raw 1h", ""), "seeds/rules.csv:42:");
    check(&of("", ""), "seeds/rules.csv:42:");
    check(&of("raw", "3"), "seeds/rules.csv:42:");
}

#[test]
fn of_several_scopes_the_narrowest_has_the_rule() {
    let row = |scope: &str| {
        format!("here,{scope},exceedance,raw,,1,1,0,,notice,Look.,查看。,made for a test,,,,\n")
    };
    let rule = |scopes: &[&str]| {
        let mut tables = example();
        let mut text = String::from_utf8(tables.get("rules.csv").unwrap().to_vec()).unwrap();
        let before = text.lines().filter(|line| !line.starts_with("ammonia-exceedance"));
        text = before.map(|line| format!("{line}\n")).collect();
        for (at, scope) in scopes.iter().enumerate() {
            text.push_str(&row(scope).replacen("here", &format!("here-{at}"), 1));
        }
        tables.put("rules.csv", text.into_bytes());
        let registry = compiled(&tables).unwrap();
        let name = "puhe-huishan/ammonia_nitrogen";
        let stream = registry.datastreams.iter().find(|one| &*one.name == name).unwrap();
        registry.rule(stream.exceedance_rule.unwrap()).unwrap().name.to_string()
    };
    // Each before all that stand behind it, whatever the order of the rows.
    let scopes = [
        "datastream:puhe-huishan/ammonia_nitrogen",
        "station:puhe-huishan",
        "place:puhe",
        "place:shenyang",
        "property:ammonia_nitrogen",
    ];
    for at in 0..scopes.len() {
        assert_eq!(rule(&scopes[at..]), "here-0", "{}", scopes[at]);
        let turned: Vec<&str> = scopes[at..].iter().rev().copied().collect();
        assert_eq!(rule(&turned), format!("here-{}", turned.len() - 1), "{}", scopes[at]);
    }
    assert_eq!(rule(&[]), "water-exceedance");
}

#[test]
fn a_rule_says_who_is_called_or_its_kind_does() {
    let route = |tables: &Tables, rule: &str| {
        let registry = compiled(tables).unwrap();
        registry.rules.iter().find(|one| &*one.name == rule).unwrap().route
    };
    let usual = [
        ("water-exceedance", Route::Environment),
        ("water-silence", Route::Instrument),
        ("water-instrument", Route::Instrument),
        ("weir-sink-away", Route::Weir),
    ];
    for (rule, want) in usual {
        assert_eq!(route(&example(), rule), want, "{rule}");
    }
    let rules = |cell| with_column("rules.csv", "route", "water-silence", cell);
    assert_eq!(route(&rules("weir"), "water-silence"), Route::Weir);
    check(&rules("duty"), "seeds/rules.csv:16: found `duty`");
}

/// The example with a sonde by way of which another one speaks.
fn with_gateway() -> Tables {
    let row = "rivers,sonde-02,puhe-daoyi,,river-sonde,device,,,";
    with("devices.csv", row, &format!("{row}sonde-01"))
}

#[test]
fn gateways_and_networks_are_watched_by_the_narrowest_rule() {
    let last = |rows: &str| {
        let mut tables = with_gateway();
        let text = String::from_utf8(tables.get("rules.csv").unwrap().to_vec()).unwrap();
        tables.put("rules.csv", format!("{text}{rows}").into_bytes());
        tables
    };
    let watched = |rows: &str| {
        let registry = compiled(&last(rows)).unwrap_or_else(|faults| panic!("{faults:#?}"));
        let name = |subject: &Subject| match subject {
            Subject::Device(id) => registry.devices.get(id.index()).unwrap().name.to_string(),
            Subject::Network(id) => registry.networks.get(id.index()).unwrap().to_string(),
            Subject::Datastream(_)
            | Subject::Station(_)
            | Subject::Evaluated { .. }
            | Subject::Weir { .. } => {
                panic!("{subject:?}")
            }
        };
        let rule = |rule| registry.rule(rule).unwrap().name.to_string();
        let lines = registry.line_rules.iter();
        lines.map(|(line, by)| format!("{} by {}", name(line), rule(*by))).collect::<Vec<_>>()
    };
    let usual = ["sonde-01 by gateway-silence", "rivers by network-silence"];
    let parks = "parks by network-silence";
    assert_eq!(watched(""), [usual[0], usual[1], parks]);
    let row = |scope: &str, of: &str| {
        format!("own,{scope},silence,{of},,,,,2,notice,Look.,查看。,x,,,,\n")
    };
    let own = "sonde-01 by own";
    assert_eq!(watched(&row("gateway:rivers/sonde-01", "gateway")), [own, usual[1], parks]);
    assert_eq!(watched(&row("network:rivers", "gateway")), [own, usual[1], parks]);
    assert_eq!(watched(&row("network:parks", "network")), [usual[0], usual[1], "parks by own"]);
    let refused = |scope: &str, of: &str, words: &str| {
        let faults = compiled(&last(&row(scope, of))).unwrap_err();
        let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert!(told.len() == 1 && told[0].contains(words), "{told:?} does not say {words}");
    };
    refused("property:ph", "gateways", "expected `gateway`, `network`, or nothing");
    refused("medium:water", "gateway", "expected `networks`, `network:` and a name, or `gateway:`");
    refused("gateway:rivers/sonde-01", "network", "expected `networks`, or `network:` and a name");
    refused("network:seas", "network", "network of the configuration");
    refused("gateway:rivers/sonde-99", "gateway", "network and device of a row of devices.csv");
    refused("gateway:rivers/sonde-02", "gateway", "by way of which no device speaks");
    refused("networks", "network", "one rule of a kind for each scope");
}

#[test]
fn a_rule_about_instruments_names_tests_and_from_which_flag_they_count() {
    let rules = |cell: &str| with_column("rules.csv", "tests", "water-instrument", cell);
    let holds = |cell: &str, test, flag| {
        let registry = compiled(&rules(cell)).unwrap();
        let rule = registry.rules.iter().find(|one| &*one.name == "water-instrument").unwrap();
        let RuleKind::Instrument { tests, .. } = rule.kind else { panic!("{rule:?}") };
        tests.holds(test, flag)
    };
    assert!(holds("", Test::FlatLine, Flag::Suspect) && holds("", Test::GrossRange, Flag::Fail));
    assert!(!holds("", Test::GrossRange, Flag::Suspect), "it may be the river");
    let one = "gross_range:suspect spike:fail clock";
    assert!(holds(one, Test::GrossRange, Flag::Suspect) && holds(one, Test::Clock, Flag::Suspect));
    assert!(holds(one, Test::Spike, Flag::Fail) && !holds(one, Test::Spike, Flag::Suspect));
    assert!(!holds(one, Test::FlatLine, Flag::Fail), "what is not named");
    for wrong in ["flatline", "spike:3", "spike, clock", "person"] {
        check(&rules(wrong), "seeds/rules.csv:9:");
    }
    let exceedance = with_column("rules.csv", "tests", "water-exceedance", "spike");
    check(&exceedance, "seeds/rules.csv:2:");
}

#[test]
fn a_rule_looks_at_periods_each_once() {
    let of = |cell: &str| with("rules.csv", "exceedance,1h 24h 24h_max_8h,", cell);
    compiled(&of("exceedance,24h raw month,")).unwrap();
    for wrong in ["", "hour", "\"1h,24h\"", "1h 1h", "raw  24h", "native"] {
        let tables = of(&format!("exceedance,{wrong},"));
        check(&tables, "seeds/rules.csv:7:");
    }
}

#[test]
fn the_new_columns_move_no_limit() {
    let of = |tables: &Tables| {
        let mut names = Names::default();
        let networks = ["rivers".to_owned(), "parks".to_owned()];
        compile(tables, Judgement::default(), &networks, &mut names).unwrap();
        names.id(
            weir::domain::name::NameKind::Limit,
            "GB 3838-2002/table 1 item 2/ph/I//any/2002-06-01",
        )
    };
    let fresh = compiled(&example()).unwrap();
    let found = fresh.limit(weir::domain::name::LimitId(of(&example())));
    assert!(found.is_some_and(|limit| &*limit.class == "I"), "the name of the first release");
}

/// Gives the example with one line taken out of one table.
#[track_caller]
fn without_row(table: &str, line: &str) -> Tables {
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
    let faults = compiled(&without_row("limits/GB3838-2002.csv", line)).unwrap_err();
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

/// Gives the example with rows added to its derived datastreams.
fn derived(rows: &str) -> Tables {
    let mut tables = example();
    let held = String::from_utf8(tables.get("derived.csv").unwrap().to_vec()).unwrap();
    tables.put("derived.csv", format!("{held}{rows}").into_bytes());
    tables
}

/// Asserts that a row of `derived.csv` is refused where it stands, after the example's three, and
/// what a fault says of it.
#[track_caller]
fn refuses(rows: &str, line: u64, words: &str) {
    let faults = compiled(&derived(rows)).unwrap_err();
    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
    let place = format!("seeds/derived.csv:{line}:");
    assert!(told.iter().any(|one| one.starts_with(&place) && one.contains(words)), "{told:#?}");
}

#[test]
fn a_derived_datastream_is_as_quick_as_its_quickest_input() {
    let registry = compiled(&example()).unwrap();
    let stream = |name: &str| {
        registry.datastreams.iter().find(|stream| *stream.name == *name).unwrap().clone()
    };
    let load = stream("hunhe-changqing/ammonia_nitrogen_load");
    assert_eq!((load.expected_every_ms, load.formulas.len()), (300_000, 1));
    assert_eq!(load.sampling, Sampling::Continuous);
    assert!(load.hour_mean.is_some() && load.qc.gross_range.is_some());
    let flow = stream("hunhe-changqing/flow");
    assert_eq!(flow.feeds.iter().map(|feed| feed.derived).collect::<Vec<_>>(), [load.id]);
    assert_eq!(stream("hunhe-changqing/unionised_ammonia").expected_every_ms, 60_000);
}

#[test]
fn units_that_are_mixed_are_refused_with_their_line() {
    let sum = "puhe-daoyi/zinc,dissolved_oxygen + water_temperature,,,test\n";
    refuses(sum, 5, "mass_concentration `+` temperature");
    refuses(sum, 5, "in `expression` two of one dimension");
    let load = "hunhe-changqing/zinc,ammonia_nitrogen * flow,,,test\n";
    refuses(load, 5, "in `expression` a result in `mg/L` (mass_concentration)");
}

#[test]
fn an_unknown_name_in_an_expression_is_refused_with_the_nearest() {
    let row = "puhe-daoyi/zinc,disolved_oxygen * 2,,,test\n";
    refuses(row, 5, "the nearest is `puhe-daoyi/dissolved_oxygen`");
    refuses("puhe-nowhere/zinc,dissolved_oxygen,,,test\n", 5, "a station of stations.csv");
    refuses("puhe-daoyi/zync,dissolved_oxygen,,,test\n", 5, "a property of properties.csv");
    refuses("zinc,dissolved_oxygen,,,test\n", 5, "`station/property`");
}

#[test]
fn without_derived_datastreams_an_unknown_one_is_refused_still() {
    let mut tables = Tables::default();
    for (name, bytes) in example().iter().filter(|(name, _)| *name != "derived.csv") {
        tables.put(name, bytes.to_vec());
    }
    compiled(&tables).unwrap();
    let text = String::from_utf8(tables.get("calibrations.csv").unwrap().to_vec()).unwrap();
    let row = "puhe-daoyi/phh,1,0,c,,,test\n";
    tables.put("calibrations.csv", format!("{text}{row}").into_bytes());
    check(&tables, "seeds/calibrations.csv:4:");
    let text = String::from_utf8(tables.get("qc.csv").unwrap().to_vec()).unwrap();
    let row = "datastream:puhe-daoyi/phh,gross_range,0,14,,,test\n";
    tables.put("qc.csv", format!("{text}{row}").into_bytes());
    check(&tables, &format!("seeds/qc.csv:{}:", text.lines().count() + 1));
}

#[test]
fn a_circle_of_derived_datastreams_is_refused() {
    refuses("puhe-daoyi/zinc,zinc * 2,,,test\n", 5, "`puhe-daoyi/zinc` from `puhe-daoyi/zinc`");
    let three = "puhe-daoyi/zinc,copper + lead,,,test\n\
                 puhe-daoyi/copper,dissolved_oxygen + lead,,,test\n\
                 puhe-daoyi/lead,zinc * 2,,,test\n\
                 puhe-daoyi/arsenic,lead * 2,,,test\n";
    refuses(three, 5, "a circle: ");
    refuses(three, 6, "a circle: ");
    refuses(three, 7, "a circle: ");
    let faults = compiled(&derived(three)).unwrap_err();
    assert_eq!(faults.len(), 3, "what only stands on a circle is no fault: {faults:#?}");
}

#[test]
fn a_derived_datastream_has_one_source_at_a_time() {
    refuses("puhe-daoyi/ph,ph,,,test\n", 5, "that no device of devices.csv feeds");
    let twice = "puhe-daoyi/zinc,dissolved_oxygen,,2026-03-01,test\n\
                 puhe-daoyi/zinc,dissolved_oxygen * 2,2026-02-01,,test\n";
    refuses(twice, 6, "a second expression of `puhe-daoyi/zinc` at that time");
    let after = "puhe-daoyi/zinc,dissolved_oxygen,,2026-03-01,test\n\
                 puhe-daoyi/zinc,dissolved_oxygen * 2,2026-03-01,,test\n";
    compiled(&derived(after)).unwrap();
}

#[test]
fn what_is_stated_over_a_period_is_no_input() {
    let row = "setdz-power/frequency,\"datastream(\"\"setdz-power/electricity_energy/total\"\") \
               / quantity(1, \"\"kWh\"\") * quantity(1, \"\"Hz\"\")\",,,test\n";
    refuses(&row.replace("frequency", "power"), 5, "a property of properties.csv");
    refuses(&row.replace("/frequency", "/a/frequency"), 5, "instants or samples");
}

#[test]
fn so_many_derived_datastreams_may_stand_on_one() {
    let rows = |count: usize| -> String {
        let row = |number| format!("puhe-daoyi/p{number}/zinc,dissolved_oxygen,,,test\n");
        (0..count).map(row).collect()
    };
    compiled(&derived(&rows(32))).unwrap();
    let faults = compiled(&derived(&rows(33))).unwrap_err();
    assert_eq!(faults.len(), 1, "{faults:#?}");
    assert!(faults[0].to_string().contains("33 derived datastreams"), "{}", faults[0]);
}

#[test]
fn all_faults_of_derived_datastreams_are_told_at_once() {
    let rows = "puhe-daoyi/zinc,tan(dissolved_oxygen) + nothing + ph,,,test\n\
                puhe-daoyi/copper,,,,test\n\
                puhe-daoyi/lead,ph >,,,\n";
    let faults = compiled(&derived(rows)).unwrap_err();
    let lines: Vec<Option<u64>> = faults.iter().map(|fault| fault.line).collect();
    for line in [5, 6, 7] {
        assert!(lines.contains(&Some(line)), "{faults:#?}");
    }
    assert!(faults.len() >= 5, "{faults:#?}");
}

#[test]
fn a_base_that_contradicts_another_is_refused() {
    check(&with("units.csv", "1000,0,g/l,", "1000,0,g/l,g m-2"), "seeds/units.csv:5:");
    check(
        &with("units.csv", "K,temperature,1,-273.15,,", "K,temperature,1,-273.15,,g"),
        "seeds/units.csv:11:",
    );
    check(&with("units.csv", "m3 s-1", "m3 per s"), "seeds/units.csv:");
}

#[test]
fn a_rule_of_hour_means_needs_them_only_where_a_value_is_held_against_a_limit() {
    let row = |averaging: &str| {
        let limits = format!("A,1,wind_direction,,,{averaging},max,9,,,deg,,,,a test,,\n");
        let mut tables = with_limits(&limits);
        // A property of which no mean is made.
        let properties = with("properties.csv", "deg,0,0,vector", "deg,0,0,none");
        tables.put("properties.csv", properties.get("properties.csv").unwrap().to_vec());
        tables
    };
    compiled(&row("statistical")).unwrap();
    check(&row("single"), "seeds/rules.csv:");
}

#[test]
fn a_counter_without_a_maximum_is_refused_with_its_line() {
    check(&with("counters.csv", ",99999999.99,", ",,"), "seeds/counters.csv:2: found nothing");
}

#[test]
fn a_counter_that_no_row_speaks_of_is_refused_at_its_device() {
    let gone = with("counters.csv", "hunnan-power/electricity_energy/total", "#");
    check(&gone, "seeds/devices.csv:27: found `hunnan-power/electricity_energy/total`, a counter");
    let mut tables = example();
    tables.put("counters.csv", b"".to_vec());
    check(&tables, "seeds/counters.csv: found an empty table");
}

#[test]
fn an_edition_of_an_earlier_release_has_no_counters_and_is_sound() {
    let text = String::from_utf8(example().get("properties.csv").unwrap().to_vec()).unwrap();
    let mut before = Tables::default();
    let newer = ["counters.csv", "factors.csv", "targets.csv", "production.csv"];
    for (name, bytes) in example().iter().filter(|(name, _)| !newer.contains(name)) {
        before.put(name, bytes.to_vec());
    }
    before.put("properties.csv", text.replace(",counter,", ",none,").into_bytes());
    assert!(compiled(&before).unwrap().energy.counters.is_empty());
}

#[test]
fn two_meters_of_a_datastream_at_a_time_are_refused() {
    let row = "setdz-water/water_volume/total,,99999999.999,0.001,1,1,fresh_water,,setdz,,,";
    let again = format!("{row}a\n{}b\n", row.replace(",,,", ",2026-01-01,,"));
    let tables = with("counters.csv", row, &again);
    check(&tables, "seeds/counters.csv:5: found a second meter");
}

#[test]
fn a_meter_may_follow_another_after_a_gap() {
    let row = "setdz-water/water_volume/total,,99999999.999,0.001,1,1,fresh_water,,setdz,";
    let old = format!("{row},2026-01-01 08:00,old\n{row}2026-01-01 10:00");
    let registry = compiled(&with("counters.csv", &format!("{row},"), &format!("{old},"))).unwrap();
    let longest = registry.energy.counters.values().map(|one| one.meters.len()).max();
    assert_eq!(longest, Some(2));
}

#[test]
fn faults_of_a_counter_are_told_with_what_was_expected() {
    let row = ",0.01,1,1,import,hv_industry,setdz,";
    let at = "seeds/counters.csv:2: found";
    for (new, want) in [
        (",0,1,1,import,hv_industry,setdz,", "`0`, expected the step"),
        (",0.01,0,1,import,hv_industry,setdz,", "`0`, expected the ratio of the current"),
        (",0.01,1,x,import,hv_industry,setdz,", "`x`, expected the ratio of the voltage"),
        (",0.0000001,1,1,import,hv_industry,setdz,", "maximum 99999999.99"),
        (",0.01,1,1,imports,hv_industry,setdz,", "`imports`, expected `import`"),
        (",0.01,1,1,import,hv,setdz,", "`hv`, expected nothing or `hv_industry`"),
        (",0.01,1,1,import,hv_industry,stedz,", "`stedz`, expected a place"),
    ] {
        check(&with("counters.csv", row, new), &format!("{at} {want}"));
    }
    let instant =
        with("counters.csv", "setdz-power/electricity_energy/total", "setdz-power/L1/voltage");
    check(&instant, &format!("{at} `setdz-power/L1/voltage`, expected a datastream of statistic"));
    let unknown = with("counters.csv", "setdz-power/electricity_energy", "setdz-power/energy");
    check(&unknown, &format!("{at} `setdz-power/energy/total`, expected a datastream"));
}

#[test]
fn faults_of_factors_targets_and_production_are_told_with_their_lines() {
    for (table, old, new, want) in [
        (
            "factors.csv",
            ",0.1229,kgce/kWh",
            ",0.1229,tce/kWh",
            "2: found `tce/kWh`, expected `kgce/`",
        ),
        ("factors.csv", ",0.1229,kgce/kWh", ",-1,kgce/kWh", "2: found `-1`"),
        ("factors.csv", "national,2021", "national,", "11: found nothing, expected a year"),
        ("factors.csv", "national,2022", "national,2021", "14: found `national`, expected each"),
        ("factors.csv", "coal_calorific", "coal", "10: found `coal`"),
        ("targets.csv", "shenyang,", "shenyan,", "2: found `shenyan`"),
        ("targets.csv", "tce/10^4CNY", "tce", "2: found `tce`, expected `tce/10^4CNY`"),
        ("targets.csv", "2015-12-31", "2015/12/31", "2: found `2015/12/31`, expected a date"),
        ("targets.csv", "2020-12-31", "2015-12-31", "3: found `energy_intensity`, expected each"),
        ("targets.csv", ",90,%", ",900,%", "4: found `900`, expected at most 100"),
        ("production.csv", "setdz,2025,", "setdz,2025-Q5,", "2: found `2025-Q5`, expected a year"),
        ("production.csv", "hunnan,2025,", "setdz,2025,", "4: found `2025`, expected each"),
        ("production.csv", "10^4CNY", "CNY", "2: found `CNY`, expected `10^4CNY`"),
    ] {
        check(&with(table, old, new), &format!("seeds/{table}:{want}"));
    }
}

/// The example's tests with rows of a test more, which begin at the line that comes with them.
fn qc_rows(rows: &str) -> (Tables, u64) {
    let mut tables = example();
    let head = "scope,test,fail_low,fail_high,suspect_low,suspect_high,season,parameters,source\n";
    tables.put("qc.csv", format!("{head}{rows}").into_bytes());
    (tables, 2)
}

/// Checks that the first of some rows of `qc.csv` is refused with words.
#[track_caller]
fn refuses_qc(rows: &str, words: &str) {
    let (tables, line) = qc_rows(rows);
    let faults = compiled(&tables).unwrap_err();
    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
    let place = format!("seeds/qc.csv:{line}:");
    assert!(told.iter().any(|one| one.starts_with(&place) && one.contains(words)), "{told:#?}");
    assert_eq!(told.len(), 1, "{told:#?}");
}

#[test]
fn a_test_that_makes_no_sense_is_refused_with_what_was_expected() {
    refuses_qc("property:ph,gross_rang,0,14,,,,,test\n", "`climatology`");
    refuses_qc("property:ph,gross_range,0,14,5,15,,,test\n", "a suspect span inside the fail span");
    refuses_qc("property:ph,spike,,,,,,suspect=2 fail=1,test\n", "no milder than `suspect`");
    refuses_qc("property:ph,spike,,,,,,suspect=-2,test\n", "a threshold of 0 or more");
    refuses_qc("property:ph,spike,,,,,,method=mean suspect=2,test\n", "`differential`");
    refuses_qc("property:ph,spike,,,,,,,test\n", "`suspect=…` or `fail=…`");
    refuses_qc("property:ph,spike,1,,,,,suspect=2,test\n", "nothing for spike in `fail_low`");
    refuses_qc("property:ph,rate_of_change,,,,,,suspect=2,test\n", "such as `2/h`");
    refuses_qc("property:ph,rate_of_change,,,,,,suspect=2/h fail=30%/h,test\n", "both in %");
    refuses_qc("property:ph,flat_line,,,,,,suspect=24h,test\n", "`tolerance=…`");
    refuses_qc("property:ph,flat_line,,,,,,tolerance=0 suspect=24h,test\n", "above 0");
    refuses_qc("property:ph,flat_line,,,,,,tolerance=1 suspect=-4h,test\n", "a duration");
    refuses_qc("property:ph,flat_line,,,,,,tolerance=1 suspect=2d fail=1d,test\n", "no longer");
    refuses_qc("property:ph,timing_gap,,,,,,fail=0h,test\n", "a duration");
    refuses_qc("property:ph,timing_gap,,,,,,fail=2h suspect=1h,test\n", "(`fail`)");
    refuses_qc("property:ph,climatology,,,6,9,month=11..2,,test\n", "`month=6..8`");
    refuses_qc("property:ph,climatology,,,6,9,,,test\n", "`month=6..8`");
    refuses_qc("property:ph,climatology,,,6,9,month=1,within=phh:0..4,test\n", "`ph`");
    refuses_qc("property:ph,unit_mistake,,,,,,factor=10 within=5,test\n", "below its root");
    refuses_qc("property:ph,neighbour,,,,,,suspect=-1,test\n", "`0.2+5%`");
    refuses_qc("property:water_volume,counter,,,,,,,test\n", "`fall=…`");
    refuses_qc("property:water_volume,counter,,,,,,fall=pass,test\n", "`suspect` or `fail`");
    refuses_qc("property:water_volume,counter,,,,,,fall=fail tolerance=-1,test\n", "0 or more");
    refuses_qc("property:ph,out_of_water,,,,,,zero=pass,test\n", "`suspect` or `fail`");
    refuses_qc("property:ph,spike,,,,,,suspect=2 suspect=3,test\n", "each parameter once");
    let twice = "property:ph,spike,,,,,,suspect=2,test\nproperty:ph,spike,,,,,,suspect=3,test\n";
    let faults = compiled(&qc_rows(twice).0).unwrap_err();
    assert!(faults[0].to_string().contains("each scope once"), "{faults:#?}");
}

#[test]
fn a_scope_has_so_many_rows_of_the_climatology() {
    let rows = |count: usize| -> String {
        let row = |at: usize| {
            format!("property:ph,climatology,,,6,{},dayofyear={},,test\n", 7 + at, at % 366 + 1)
        };
        (0..count).map(row).collect()
    };
    let registry = compiled(&qc_rows(&rows(512)).0).unwrap();
    let ph = registry.datastreams.iter().find(|one| &*one.name == "puhe-daoyi/ph").unwrap();
    assert_eq!(ph.qc.climatology.as_ref().map(|rows| rows.len()), Some(512));
    let faults = compiled(&qc_rows(&rows(513)).0).unwrap_err();
    assert!(faults[0].to_string().contains("at most 512"), "{faults:#?}");
}

#[test]
fn the_narrowest_scope_counts_test_by_test_and_a_pulse_is_doubted_at_most() {
    let rows = "property:ph,gross_range,0,14,5.5,9.8,,,test\n\
                property:ph,spike,,,,,,fail=1,test\n\
                property:ph,rate_of_change,,,,,,suspect=0.5/h fail=2/h,test\n\
                station:puhe-daoyi/ph,gross_range,1,13,,,,,test\n\
                property:conductivity,rate_of_change,,,,,,suspect=30%/h fail=60%/h,test\n";
    let registry = compiled(&qc_rows(rows).0).unwrap();
    let qc = |name: &str| {
        let mut streams = registry.datastreams.iter();
        streams.find(|one| *one.name == *name).unwrap().qc.clone()
    };
    let (here, there) = (qc("puhe-daoyi/ph"), qc("puhe-huishan/ph"));
    assert_eq!(here.gross_range.unwrap().fail, Some((1.0, 13.0)));
    assert_eq!(there.gross_range.unwrap().suspect, Some((5.5, 9.8)));
    // pH has a limit: what the seeds call wrong may be a discharge.
    let spike = here.spike.unwrap().thresholds;
    assert_eq!((spike.suspect, spike.fail), (Some(1.0), None));
    let rate = here.rate_of_change.unwrap().thresholds;
    assert_eq!((rate.suspect, rate.fail), (Some(0.5 / 3600.0), None));
    // Conductivity has none.
    let rate = qc("puhe-daoyi/conductivity").rate_of_change.unwrap();
    assert!(rate.relative && rate.thresholds.fail == Some(0.6 / 3600.0), "{rate:?}");
    assert!(Arc::ptr_eq(&there, &qc("puhe-pudong/ph")), "what is the same is shared");
}

/// The example's tables with these checks of several properties.
fn cross_rows(rows: &str) -> Tables {
    let mut tables = example();
    let head = "check,scope,test,expression,unit,fail_low,fail_high,suspect_low,suspect_high,\
                samples,judges,source\n";
    tables.put("cross_checks.csv", format!("{head}{rows}").into_bytes());
    tables
}

/// Checks that one row of `cross_checks.csv` is refused with words.
#[track_caller]
fn refuses_cross(row: &str, words: &str) {
    let faults = compiled(&cross_rows(row)).unwrap_err();
    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
    let place = "seeds/cross_checks.csv:2:";
    assert!(told.iter().any(|one| one.starts_with(place) && one.contains(words)), "{told:#?}");
    assert_eq!(told.len(), 1, "{told:#?}");
}

#[test]
fn a_check_that_makes_no_sense_is_refused_with_what_was_expected() {
    let low = "a,all,multi_variate,ph - conductivity,uS/cm,,,0,,,,test\n";
    refuses_cross(low, "acidity `-` conductivity");
    refuses_cross("a,all,multi_variate,phh,pH,,,0,,,,test\n", "a property of properties.csv");
    refuses_cross("a,all,multi_variate,ph,pH,,,,,,,test\n", "no bound");
    refuses_cross("a,all,multi_variate,ph,pH,5,,4,,,,test\n", "inside the fail bounds");
    refuses_cross("a,all,multi_variate,ph,pHH,,,0,,,,test\n", "a unit of units.csv");
    refuses_cross("a,all,multi_variate,ph,pH,,,0,,2,,test\n", "nothing for multi_variate");
    refuses_cross("a,all,spike,ph,pH,,,0,,,,test\n", "`out_of_water`");
    refuses_cross("a,everywhere,multi_variate,ph,pH,,,0,,,,test\n", "`all`, or `place:`");
    refuses_cross("a,place:setdz,multi_variate,ph,pH,,,0,,,,test\n", "that has all that the check");
    refuses_cross("a,all,multi_variate,ph,pH,,,0,,,phh,test\n", "the nearest is `ph`");
    refuses_cross("a,all,stale_analyser,,,,,,,2,ammonia_nitrogen,test\n", "two at least");
    let once = "a,all,stale_analyser,,,,,,,1,ammonia_nitrogen total_phosphorus,test\n";
    refuses_cross(once, "from 2 to 48");
    let twice = "a,all,multi_variate,ph,pH,,,0,,,,test\na,all,multi_variate,ph,pH,,,1,,,,test\n";
    assert_eq!(compiled(&cross_rows(twice)).unwrap_err().len(), 1);
}

#[test]
fn a_check_stands_at_every_position_that_has_what_it_names() {
    let rows = "a,all,multi_variate,ph,pH,,,0,,,ph dissolved_oxygen,test\n\
                b,all,multi_variate,\"at(\"\"L1\"\", \"\"voltage\"\") * at(\"\"L1\"\", \"\"current\"\")\",\
                W,,,0,,,,test\n";
    let registry = compiled(&cross_rows(rows)).unwrap();
    let judged = |name: &str| {
        let mut streams = registry.datastreams.iter();
        let checks = streams.find(|one| *one.name == *name).unwrap().standing.judged_by.clone();
        checks.iter().map(|check| check.name.to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(judged("puhe-daoyi/dissolved_oxygen"), "a");
    assert_eq!(judged("nanhu-buoy/0.5m/dissolved_oxygen"), "a");
    assert_eq!(judged("nanhu-buoy/0.5m/water_temperature"), "");
    assert_eq!(judged("setdz-power/L1/voltage"), "b");
    assert_eq!(judged("setdz-power/sub-1-L1/current"), "b", "of the meter's own phase");
    assert_eq!(judged("setdz-power/L2/current"), "");
}

#[test]
fn so_many_checks_may_look_at_a_datastream() {
    let rows = |count: usize| -> String {
        let row = |at| format!("c{at},station:puhe-daoyi,multi_variate,ph,pH,,,0,,,,test\n");
        (0..count).map(row).collect()
    };
    compiled(&cross_rows(&rows(16))).unwrap();
    let faults = compiled(&cross_rows(&rows(17))).unwrap_err();
    assert!(faults[0].to_string().contains("17 checks"), "{faults:#?}");
}

#[test]
fn a_river_that_flows_in_a_circle_is_refused() {
    let mut tables = example();
    let text = String::from_utf8(tables.get("reaches.csv").unwrap().to_vec()).unwrap();
    let row = "puhe-pingluo,puhe-huishan,10,20,test\n";
    tables.put("reaches.csv", format!("{text}{row}").into_bytes());
    let line = text.lines().count() + 1;
    check(&tables, &format!("seeds/reaches.csv:{line}:"));
}

#[test]
fn marks_that_contradict_themselves_are_refused() {
    let row = |rest: &str| format!("surface-water,M,{rest},made for a test\n");
    let refuse = |rest: &str, want: &str| {
        refused("device_marks.csv", "surface-water,M,", &row(rest), want);
    };
    refuse("fail,,,observation", "a word that says why");
    refuse("fail,below,maintenance,observation", "it bounds nothing");
    refuse("bad,,maintenance,observation", "`pass` or `suspect` or `fail`");
    refuse("fail,under,maintenance,observation", "`below` or `above`");
    refuse("fail,,Being Serviced,observation", "a word of small letters");
    refuse("fail,,maintenance,river", "`observation` or `quality_control`");
    let unknown = "surface-water,?,fail,,maintenance,observation,made for a test\n";
    refused("device_marks.csv", "surface-water,M,", unknown, "`*` for every other one");
    let twice = "surface-water,N,fail,,maintenance,observation,made for a test\n";
    refused("device_marks.csv", "surface-water,M,", twice, "each mark of a vocabulary once");
}

#[test]
fn what_hj_212_has_no_place_for_is_refused() {
    let told = |tables: &Tables| -> Vec<String> {
        compiled(tables).unwrap_err().iter().map(ToString::to_string).collect()
    };
    #[track_caller]
    fn topic(row: &str, want: &str, told: impl Fn(&Tables) -> Vec<String>) {
        let mut tables = example();
        let mut text = String::from_utf8(tables.get("topics.csv").unwrap().to_vec()).unwrap();
        text.push_str(row);
        tables.put("topics.csv", text.into_bytes());
        let told = told(&tables);
        assert!(told.iter().any(|fault| fault.contains(want)), "{told:#?}");
    }
    topic("rivers,h/{place},hj212,,,,,,,,x\n", "`MN`, or nothing where", told);
    topic("rivers,h/{place},hj212,/mn,,,,,,,x\n", "`MN`, or nothing where", told);
    topic("rivers,h/{device},hj212,,/t,,,,,,x\n", "whose frames say it themselves", told);
    topic("rivers,h/{device}/{channel},hj212,,,,,,,,x\n", "no `{channel}`", told);
    let options = |options: &str, want: &str| {
        let mut tables = example();
        let head = "network,pattern,format,device,time,time_unit,each,channel,value,unit,options,\
                    source";
        let row = format!("rivers,h/{{device}}/up,hj212,MN,,,,,,,{options},x");
        let other = "rivers,h/{place}/up/{device},hj212,,,,,,,,,x";
        tables.put("topics.csv", format!("{head}\n{row}\n{other}\n").into_bytes());
        let faults = compiled(&tables).err().unwrap_or_default();
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        let of_options = faults.iter().filter(|fault| fault.contains("in `options`"));
        let found: Vec<&String> = of_options.collect();
        match want {
            "" => assert!(found.is_empty(), "{found:#?}"),
            want => assert!(found.iter().any(|fault| fault.contains(want)), "{faults:#?}"),
        }
    };
    options("ack=h/{device}/down", "");
    let sparkplug = |options: &str| {
        let mut tables = example();
        let row = format!("rivers,spBv1.0/g/{{kind}}/{{device}},sparkplug_b,,,,,,,,{options},x");
        let head = "network,pattern,format,device,time,time_unit,each,channel,value,unit,options,\
                    source";
        tables.put("topics.csv", format!("{head}\n{row}\n").into_bytes());
        let faults = compiled(&tables).err().unwrap_or_default();
        faults.iter().any(|fault| fault.to_string().contains("`rebirth=yes` or `rebirth=no`"))
    };
    assert_eq!(["", "rebirth=no", "rebirth=yes"].map(sparkplug), [false; 3]);
    assert!(sparkplug("rebirth=maybe") && sparkplug("ack=a/{device}"));
    for wrong in ["ack=h/down", "ack=h/{device}/+", "ack=h/{place}/{device}", "ack=", "down"] {
        options(wrong, "`ack=` with a topic of plain words and `{device}`");
    }
    options("ack=h//{device}", "`ack=` with a topic of plain words and `{device}`");
    options("ack=h/{device}/up", "seeds/topics.csv:2: ");
    options("ack=h/{device}/up", "fits no pattern, unlike that of line 2");
    options("ack=h/x/up/{device}", "fits no pattern, unlike that of line 3");
    let device = |options: &str| {
        format!("rivers,sonde-01,puhe-huishan,,river-sonde,device,,{options},,,,made for a test\n")
    };
    let refuse = |options: &str, want: &str| {
        refused("devices.csv", "rivers,sonde-01,", &device(options), want);
    };
    refuse("edition=2018", "words such as `edition=2017`");
    refuse("crc=none", "words such as `edition=2017`");
    refuse("fast", "words such as `edition=2017`");
    refuse("time=start time=instant", "each option once");
}

const CALENDAR: &str = "station,place,kind,from,to,person,reason,source,property,flag,without\n";

fn with_calendar(rows: &str) -> Tables {
    let mut tables = example();
    tables.put("calendar.csv", format!("{CALENDAR}{rows}").into_bytes());
    tables
}

#[track_caller]
fn check_calendar(row: &str, words: &str) {
    let faults = compiled(&with_calendar(&format!("{row}\n"))).unwrap_err();
    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
    let there = |fault: &String| fault.starts_with("seeds/calendar.csv:2: ");
    assert!(told.iter().any(|fault| there(fault) && fault.contains(words)), "{told:#?}");
    assert_eq!(told.len(), 1, "one mistake is one fault: {told:#?}");
}

#[test]
fn a_row_of_the_calendar_that_is_wrong_is_refused_with_its_line() {
    let good = ["puhe-huishan", "", "ice", "2026-01-01", "2026-03-01", "Li Na", "frozen", "test"];
    let with = |places: &[(usize, &str)], rest: &str| {
        let mut cells = good.to_vec();
        places.iter().for_each(|(place, cell)| cells[*place] = cell);
        format!("{},{rest}", cells.join(","))
    };
    compiled(&with_calendar(&format!("{}\n", with(&[], "ph,,")))).unwrap();
    check_calendar(&with(&[(0, "")], ",,"), "one of `station` and `place`");
    check_calendar(&with(&[(1, "puhe")], ",,"), "nothing beside a station");
    check_calendar(&with(&[(0, "puhe-huisan")], ",,"), "the nearest is `puhe-huishan`");
    check_calendar(&with(&[(2, "snow")], ",,"), "`maintenance` or `ice` or `flood` or `works`");
    check_calendar(&with(&[(3, "")], ",,"), "a date or a date and time in `from`");
    check_calendar(&with(&[(4, "2025-12-31")], ",,"), "a time after `2026-01-01`");
    check_calendar(&with(&[(5, "")], ",,"), "a text in `person`");
    check_calendar(&with(&[(6, "")], ",,"), "a text in `reason`");
    check_calendar(&with(&[], "gold,,"), "a property of properties.csv");
    check_calendar(&with(&[], "pm10,,"), "a property that is measured there in `property`");
    check_calendar(&with(&[], ",doubt,"), "`fail` or `suspect` or `none`");
    check_calendar(&with(&[], ",,flat_line clock"), "tests, with spaces between");
}

#[test]
fn the_calendar_of_a_place_is_that_of_every_station_in_it() {
    use weir::domain::quality::{Flag, Test};
    use weir::domain::time::Timestamp;
    let rows = ",shenyang,ice,2026-01-01,2026-03-01,Li Na,frozen,test,water_temperature,,\n\
                puhe-huishan,,flood,2026-02-01,,Wang Wei,dam opened,test,,,neighbour\n";
    let registry = compiled(&with_calendar(rows)).unwrap();
    let at = |text: &str| Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond());
    let said = |name: &str, time: &str| {
        let datastream = registry.datastreams.iter().find(|one| &*one.name == name).unwrap();
        let entry = datastream.calendar.at(at(time))?;
        Some((entry.flag, entry.without.iter().collect::<Vec<_>>()))
    };
    let (begin, flood) = ("2025-12-31T16:00:00Z", "2026-02-01T00:00:00+08:00");
    let ice = (Flag::NotEvaluated, vec![Test::FlatLine, Test::AttenuatedSignal]);
    let both = vec![Test::FlatLine, Test::AttenuatedSignal, Test::Neighbour];
    for station in ["puhe-huishan", "puhe-daoyi"] {
        let temperature = format!("{station}/water_temperature");
        assert_eq!(said(&temperature, begin), Some(ice.clone()));
        assert_eq!(said(&temperature, "2025-12-31T15:59:59Z"), None);
    }
    let flat = said("puhe-huishan/water_temperature", flood);
    assert_eq!(flat, Some((Flag::NotEvaluated, both)));
    let ph = said("puhe-huishan/ph", "2036-01-01T00:00:00Z");
    assert_eq!(ph, Some((Flag::NotEvaluated, vec![Test::Neighbour])), "without an end");
    assert_eq!(said("puhe-daoyi/ph", flood), None);
}

const CHECKS: &str = "check,scope,tolerance,span,recovery,standard,covers,longest,flag,source\n";

fn with_checks(rows: &str) -> Tables {
    let mut tables = example();
    tables.put("checks.csv", format!("{CHECKS}{rows}").into_bytes());
    tables
}

#[track_caller]
fn check_checks(row: &str, words: &str) {
    let faults = compiled(&with_checks(&format!("{row}\n"))).unwrap_err();
    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
    let there = |fault: &String| fault.starts_with("seeds/checks.csv:2: ");
    assert!(told.iter().any(|fault| there(fault) && fault.contains(words)), "{told:#?}");
    assert_eq!(told.len(), 1, "one mistake is one fault: {told:#?}");
}

#[test]
fn a_row_of_the_checks_that_is_wrong_is_refused_with_its_line() {
    let nh3n = "property:ammonia_nitrogen";
    check_checks(&format!("blank,{nh3n},0.1,,,,day,,fail,test"), "`zero` or `span` or");
    check_checks("span,river,0.1,,,,day,,fail,test", "`all`, `property:NAME`");
    check_checks("span,property:gold,0.1,,,,day,,fail,test", "a property of properties.csv");
    let elsewhere = "span,station:puhe-huishan/pm10,0.1,,,,day,,fail,test";
    check_checks(elsewhere, "a property that is measured there");
    check_checks(&format!("span,{nh3n},,,,,day,,fail,test"), "`0.05`, `10%` or `0.02+5%`");
    check_checks(&format!("span,{nh3n},-1,,,,day,,fail,test"), "`0.05`, `10%` or `0.02+5%`");
    check_checks(&format!("span,{nh3n},0,,,,day,,fail,test"), "a distance above 0");
    check_checks(&format!("zero,{nh3n},5%,,,,day,,fail,test"), "a share of `span`");
    check_checks(&format!("zero,{nh3n},5%,0,,,day,,fail,test"), "a number above 0 in `span`");
    check_checks(&format!("zero,{nh3n},0.1,8,,,day,,fail,test"), "without a share in `span`");
    check_checks("span,all,0.1,,,,day,,fail,test", "a share such as `10%` for `all`");
    check_checks("span,all,10%,4,,,day,,fail,test", "nothing for `all` properties in `span`");
    check_checks(&format!("span,{nh3n},10%,,80..120%,,day,,fail,test"), "in `recovery`");
    check_checks(&format!("spike_recovery,{nh3n},,,80..120,,day,,fail,test"), "`80..120%`");
    check_checks(&format!("spike_recovery,{nh3n},,,120..80%,,day,,fail,test"), "`80..120%`");
    check_checks(&format!("span,{nh3n},10%,,,two,day,,fail,test"), "a number in `standard`");
    check_checks(&format!("span,{nh3n},10%,,,,week,,fail,test"), "`day` or `last_pass`");
    check_checks(&format!("span,{nh3n},10%,,,,day,2d,fail,test"), "nothing for `day`");
    check_checks(&format!("span,{nh3n},10%,,,,last_pass,,fail,test"), "a duration");
    check_checks(&format!("span,{nh3n},10%,,,,last_pass,200d,fail,test"), "`1h` to `183d`");
    check_checks(&format!("span,{nh3n},10%,,,,day,,pass,test"), "`fail` or `suspect`");
    check_checks(&format!("span,{nh3n},10%,,,,day,,fail,"), "a text in `source`");
    let twice = format!("span,{nh3n},10%,,,,day,,fail,test\nspan,{nh3n},5%,,,,day,,fail,test\n");
    assert_eq!(compiled(&with_checks(&twice)).unwrap_err().len(), 1);
}

#[test]
fn the_narrowest_row_of_the_checks_counts() {
    let rows = "span,property:ph,0.2,,,,day,,fail,test\nspan,all,10%,,,,day,,suspect,test\n\
                span,station:puhe-daoyi/ph,0.1,,,7,last_pass,2d,fail,test\n\
                spike_recovery,all,,,80..120%,,day,,fail,test\n";
    let registry = compiled(&with_checks(rows)).unwrap();
    let row = |kind, name: &str| {
        let of = registry.datastreams.iter().find(|one| *one.name == *name).unwrap();
        check_row(&registry.checks, kind, of).copied()
    };
    let limit = |name| row(CheckKind::Span, name).unwrap().limit;
    let within = |absolute, share| CheckLimit::Within {
        tolerance: Tolerance { absolute, share },
        span: None,
    };
    assert_eq!(limit("puhe-daoyi/ph"), within(0.1, 0.0));
    assert_eq!(limit("puhe-huishan/ph"), within(0.2, 0.0));
    assert_eq!(limit("puhe-daoyi/conductivity"), within(0.0, 0.1));
    let recovery = row(CheckKind::SpikeRecovery, "puhe-daoyi/ph").unwrap();
    assert_eq!(recovery.limit, CheckLimit::Recovery { low: 0.8, high: 1.2 });
    assert_eq!(row(CheckKind::Zero, "puhe-daoyi/ph"), None);
}
