//! `weir qc`: a table in, the same table with flags out, as an analyst runs it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// Runs it with the tests on standard input's table; gives whether it went well, and what it said.
fn qc(config: &str, table: &str, more: &[&str]) -> (bool, String) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("qc.toml");
    fs::write(&file, config).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["qc", "--config"])
        .arg(&file)
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
