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
    let text = String::from_utf8(tables.get(table).unwrap().to_vec()).unwrap();
    let laid = text.lines().enumerate().map(|(at, line)| {
        let first = line.split(',').next().unwrap();
        let cell = if at == 0 {
            column
        } else if first == row {
            cell
        } else {
            ""
        };
        format!("{line},{cell}\n")
    });
    tables.put(table, laid.collect::<String>().into_bytes());
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

#[test]
fn a_rule_of_hour_means_needs_them_only_where_a_value_is_held_against_a_limit() {
    let row = |averaging: &str| {
        with_limits(&format!("A,1,wind_direction,,,{averaging},max,9,,,deg,,,,a test,,\n"))
    };
    compiled(&row("statistical")).unwrap();
    check(&row("single"), "seeds/rules.csv:");
}
