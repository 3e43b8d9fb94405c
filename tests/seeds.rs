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
