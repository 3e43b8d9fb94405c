//! The tables of the example installation, sound and with mistakes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::path::Path;

use weir::domain::fault::Fault;
use weir::domain::judgement::Judgement;
use weir::domain::name::Names;
use weir::domain::registry::{Registry, Sampling};
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
    assert!(load.hour_mean.is_some() && load.gross_range.is_some());
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
