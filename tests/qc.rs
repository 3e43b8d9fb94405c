//! `weir qc`: a table in, the same table with flags out, as an analyst runs it: by tests of their
//! own, or by the seeds as the daemon would.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// Runs it with the tests on standard input's table; gives whether it went well, and what it said.
fn qc(config: &str, table: &str, more: &[&str]) -> (bool, String) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("qc.toml");
    fs::write(&file, config).unwrap();
    run(&file, table, more)
}

fn run(config: &Path, table: &str, more: &[&str]) -> (bool, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["qc", "--config"])
        .arg(config)
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(table.as_bytes()).ok();
    let output = child.wait_with_output().unwrap();
    let said = if output.status.success() { output.stdout } else { output.stderr };
    (output.status.success(), String::from_utf8(said).unwrap())
}

const RIVER: &str = "\
zone = '+08:00'

[do]
companion = 'temp'
gross_range = { suspect = [0, 20], fail = [0, 50] }
spike = { suspect = 1, fail = 3 }
rate_of_change = { suspect = 3, per = '1h' }
climatology = [
    { season = 'month', parts = [1, 12], suspect = [2, 16] },
    { season = 'month', parts = [1, 2], within = [-1, 4], suspect = [10, 16] },
]

[temp]
flat_line = { suspect = '45m', fail = '75m', tolerance = 0.01 }
timing_gap = { fail = '20m' }
";

#[test]
fn flags_stand_behind_the_values_in_the_order_of_the_rows() {
    // The second row is the newest; the one of 08:15 has no oxygen; 07:30 is a gap after 07:00.
    let table = "\
time,site,do,temp
2026-02-01 07:00,a,9.5,4.1
2026-02-01 08:30,b,14.9,3.2
2026-02-01 07:30,c,11.9,3.2
2026-02-01 07:45,d,12.0,3.2
2026-02-01 08:00,e,16.1,3.2
2026-02-01 08:15,f,,3.2
";
    let (well, said) = qc(RIVER, table, &[]);
    assert!(well, "{said}");
    let want = "\
time,site,do,temp,do_gross_range,do_climatology,do_spike,do_rate_of_change,do_qc,\
temp_flat_line,temp_timing_gap,temp_qc
2026-02-01 07:00,a,9.5,4.1,1,1,2,1,1,1,4,4
2026-02-01 08:30,b,14.9,3.2,1,1,2,1,1,3,1,3
2026-02-01 07:30,c,11.9,3.2,1,1,3,3,3,1,4,4
2026-02-01 07:45,d,12.0,3.2,1,1,3,1,3,1,1,1
2026-02-01 08:00,e,16.1,3.2,1,3,2,3,3,1,1,1
2026-02-01 08:15,f,,3.2,9,9,9,9,9,3,1,3
";
    assert_eq!(said, want);
}

#[test]
fn other_words_for_missing_are_named() {
    let config = "[x]\ngross_range = { fail = [0, 10] }\n";
    let table = "time,x\n2026-01-01T00:00:00Z,-9999\n2026-01-01T00:01:00Z,NaN\n";
    let flags = |more: &[&str]| -> Vec<String> {
        let (well, said) = qc(config, table, more);
        assert!(well, "{said}");
        said.lines().skip(1).map(|line| line.rsplit(',').next().unwrap().to_owned()).collect()
    };
    assert_eq!(flags(&[]), ["4", "9"]);
    assert_eq!(flags(&["--missing=-9999"]), ["9", "9"]);
}

#[test]
fn what_is_wrong_with_a_table_is_told_at_once_and_nothing_is_judged() {
    let config = "[x]\ngross_range = { fail = [0, 10] }\n[y]\ngross_range = { fail = [0, 1] }\n";
    let table = "time,x\n2026-01-01,1\nyesterday,2\n2026-01-03,much\n";
    let (well, said) = qc(config, table, &[]);
    assert!(!well);
    for part in [
        "standard input:1: found no column `y`",
        "standard input:3: found `yesterday` in column `time`",
        "standard input:4: found `much` in column `x`",
        "3 faults; nothing was judged",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn what_is_wrong_with_the_tests_is_told() {
    let (well, said) = qc("[x]\nspike = { suspect = 3, fail = 1 }\n", "time,x\n", &[]);
    assert!(!well && said.contains("x.spike: `suspect` above `fail`"), "{said}");
}

/// Gives what the example's seeds say of a table of a station: some columns of each row.
#[track_caller]
fn check(table: &str, more: &[&str], columns: &[&str], want: &[&str]) {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/weir.toml");
    let (well, said) = run(&config, table, &[&["--station", "puhe-huishan"], more].concat());
    assert!(well, "{said}");
    let mut lines = said.lines();
    let head: Vec<&str> = lines.next().unwrap().split(',').collect();
    let at = |column: &&str| head.iter().position(|one| one == column);
    let places: Vec<usize> =
        columns.iter().map(|one| at(one).unwrap_or_else(|| panic!("{one}: {head:?}"))).collect();
    let rows = lines.map(|line| {
        let cells: Vec<&str> = line.split(',').collect();
        places
            .iter()
            .map(|at| cells.get(*at).copied().unwrap_or("none"))
            .collect::<Vec<_>>()
            .join(" ")
    });
    assert_eq!(rows.collect::<Vec<_>>(), want);
}

/// Writes a table of a column, a value a minute from 08:00 on.
fn minutes(column: &str, values: impl IntoIterator<Item = f64>) -> String {
    let row = |(minute, value): (usize, f64)| {
        format!("2026-03-01 {:02}:{:02},{value}\n", 8 + minute / 60, minute % 60)
    };
    let rows: String = values.into_iter().enumerate().map(row).collect();
    format!("time,{column}\n{rows}")
}

#[test]
fn a_sonde_that_hangs_in_the_air_fails_whatever_it_reads() {
    // The conductivity says so of all that the sonde reads, and of nothing a minute later.
    check(
        "time,water_temperature,conductivity[mS/cm],ph,note\n\
         2026-03-01 08:00,21.5,0.004,0,dry\n\
         2026-03-01 08:01,4.1,0.512,7.9,wet\n\
         2026-03-01 08:02,4.1,0.511,,\n",
        &["--keep", "note"],
        &[
            "note",
            "water_temperature_out_of_water",
            "water_temperature_qc",
            "conductivity[mS/cm]_gross_range",
            "conductivity[mS/cm]_qc",
            "ph_gross_range",
            "ph_qc",
        ],
        &["dry 4 4 3 4 3 4", "wet 1 1 1 1 1 1", " 1 1 1 1 9 9"],
    );
}

#[test]
fn a_spike_is_told_by_the_next_value_and_a_step_is_none() {
    check(
        &minutes("conductivity", [510.0, 512.0, 650.0, 511.0, 513.0, 640.0, 641.0]),
        &[],
        &["conductivity_spike", "conductivity_rate_of_change", "conductivity_qc"],
        &["2 1 1", "2 1 1", "3 3 3", "2 3 3", "2 1 1", "2 3 3", "2 1 1"],
    );
}

#[test]
fn the_order_of_the_rows_is_no_matter_and_a_repeat_is_as_what_it_repeats() {
    check(
        "time,conductivity\n\
         2026-03-01 08:03,511\n\
         2026-03-01 08:02,650\n\
         2026-03-01 08:02,650\n\
         2026-03-01T00:01:00Z,512\n\
         2026-03-01 08:00,510\n",
        &[],
        &["conductivity_spike", "conductivity_qc"],
        &["2 3", "3 3", "3 3", "2 1", "2 1"],
    );
}

#[test]
fn a_flat_line_is_doubted_after_half_a_day_and_as_long_as_it_lasts() {
    // The first value of another level, then 12 h and a minute of the same, then another.
    let values = [9.1].into_iter().chain(std::iter::repeat_n(9.4, 722)).chain([9.6]);
    let mut want = vec!["1 1"; 721];
    want.extend(["3 3", "3 3", "1 1"]);
    check(
        &minutes("dissolved_oxygen", values),
        &[],
        &["dissolved_oxygen_flat_line", "dissolved_oxygen_qc"],
        &want,
    );
}

#[test]
fn a_wave_is_no_fault() {
    // A quarter more conductivity and turbidity in an hour, and away again.
    let wave = (0..=120).map(|minute: i32| {
        let part = f64::from(60 - (minute - 60).abs()) / 60.0;
        (480.0 + 120.0 * part).round()
    });
    check(&minutes("conductivity", wave), &[], &["conductivity_qc"], &["1"; 121]);
}

#[test]
fn words_for_missing_and_results_below_detection_are_understood() {
    check(
        "time,turbidity,dissolved_oxygen\n\
         2026-03-01 08:00,-9999,<0.02\n\
         2026-03-01 08:01,,-9999\n",
        &["--missing=-9999", "--zone", "-07:00"],
        &["turbidity_gross_range", "turbidity_qc", "dissolved_oxygen_qc"],
        &["9 9 1", "9 9 9"],
    );
    // Without a word for it, it is a number that can't be.
    check("time,turbidity\n2026-03-01 08:00,-9999\n", &[], &["turbidity_qc"], &["4"]);
}

#[test]
fn an_analyser_says_nothing_between_its_samples() {
    check(
        "time,ammonia_nitrogen[ug/L],total_nitrogen\n\
         2026-03-01 08:00,420,2.1\n\
         2026-03-01 09:00,,\n\
         2026-03-01 12:00,2900,2.2\n",
        &[],
        &["ammonia_nitrogen[ug/L]_multi_variate", "ammonia_nitrogen[ug/L]_qc", "total_nitrogen_qc"],
        &["1 1 1", "2 9 9", "3 3 3"],
    );
}

#[test]
fn what_is_wrong_with_a_stations_table_is_told_with_line_and_column() {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/weir.toml");
    let table = "time,conductvity,ph[mg/L],turbidity,Turbidity\n\
                 2026-03-01 08:00,1,7,high,1\n\
                 today,1,7,2,1\n";
    let (well, said) = run(&config, table, &["--station", "puhe-huishan"]);
    assert!(!well);
    for part in [
        "standard input:1: found column `conductvity`, expected such as `conductivity`, or `--keep",
        "standard input:1: found column `ph[mg/L]`, expected a unit like pH in brackets",
        "standard input:1: found column `Turbidity`, a second of `puhe-huishan/turbidity`",
        "standard input:2: found `high` in column `turbidity`",
        "standard input:3: found `today` in column `time`",
        "5 faults; nothing was judged",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let (well, said) = run(&config, table, &["--station", "puhe-huishn"]);
    assert!(!well && said.contains("expected a station of stations.csv, such as `puhe-huishan`"));
}

#[test]
fn what_belongs_to_a_station_asks_for_one() {
    let (well, said) = qc("[x]\n", "time,x\n", &["--zone", "+08:00"]);
    assert!(!well && said.contains("--station"), "{said}");
}
