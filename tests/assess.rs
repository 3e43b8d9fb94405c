//! `weir assess`: the program itself, given tables as an analyst would, with values and verdicts by
//! hand from the standards' own tables.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::io::Write as _;
use std::process::{Command, Stdio};

/// Runs the program on a table; whether it went well, what it wrote, and what it complained of.
fn run(table: &[u8], options: &[&str]) -> (bool, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_weir"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .arg("assess")
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(table).unwrap();
    let done = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (done.status.success(), text(done.stdout), text(done.stderr))
}

/// Holds some columns of what comes out against rows that are expected, cells with `|` between.
#[track_caller]
fn check(table: &str, options: &[&str], columns: &[&str], want: &[&str]) {
    let (well, out, said) = run(table.as_bytes(), options);
    assert!(well, "{said}");
    let mut reader = csv::Reader::from_reader(out.as_bytes());
    let head = reader.headers().unwrap().clone();
    let at = |name: &&str| head.iter().position(|cell| cell == *name).unwrap();
    let places: Vec<usize> = columns.iter().map(at).collect();
    let rows = reader.records().map(|row| {
        let row = row.unwrap();
        places.iter().map(|place| row[*place].to_owned()).collect::<Vec<_>>().join("|")
    });
    assert_eq!(rows.collect::<Vec<_>>(), want, "{out}");
}

/// Holds what is complained of against its lines.
#[track_caller]
fn refuse(table: &[u8], options: &[&str], want: &[&str]) {
    let (well, out, said) = run(table, options);
    assert!(!well && out.is_empty(), "{out}");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines, want);
}

const RIVER: [&str; 4] = ["--water", "river", "--target", "IV"];
const CLASS: [&str; 6] = ["verdict", "class", "grade", "deciding", "multiples", "multiples_iii"];

#[test]
fn gb_3838_ammonia_of_1_62_is_class_v() {
    let table = "time,pH,DO,CODMn,NH3-N,TP\n2026-06-01 12:00,7.6,6.8,5.1,1.62,0.12\n";
    let want = "exceeds|V|moderate|ammonia_nitrogen|0.08|0.62";
    check(table, &RIVER, &CLASS, &[want]);
    let rest = ["time", "index", "colour", "items", "items_of", "legal", "instrument"];
    let want = "2026-06-01 12:00|water_class|orange|5|5|true|GB 3838-2002 table 1";
    check(table, &RIVER, &rest, &[want]);
}

#[test]
fn the_example_of_the_help_is_what_it_says() {
    let (_, help, _) = run(b"", &["--help"]);
    let lines = help.lines().map(str::trim);
    let example: Vec<&str> = lines.skip_while(|line| !line.starts_with("time,")).take(2).collect();
    assert_eq!(example.len(), 2, "{help}");
    let options = ["--water", "river", "--target", "IV", "--keep", "published"];
    let columns = ["published", "class", "deciding", "multiples", "multiples_iii"];
    check(&example.join("\n"), &options, &columns, &["V|V|ammonia_nitrogen|0.08|0.62"]);
}

#[test]
fn round_periods_a_month_rounds_first_and_an_instant_does_not() {
    // 6.05 is 6.0 (half to even), so class III over a month; as it is, it is over 6.
    let table = "time,pH,DO,CODMn,NH3-N,TP\n2026-06,7.6,6.8,6.05,0.2,0.12\n";
    check(
        table,
        &["--water", "river", "--period", "month"],
        &["index", "class"],
        &["water_class|III", "cwqi|"],
    );
    let table = table.replace("2026-06", "2026-06-01 12:00");
    check(&table, &["--water", "river"], &["index", "class"], &["water_class|IV"]);
}

#[test]
fn a_lake_has_limits_of_its_own_and_total_nitrogen_worsens_nothing() {
    // TP 0.12 is III in a river and V in a lake.
    let table = "time,ph,dissolved_oxygen,CODMn,NH3-N,TP,TN\n2026-06-01,8,7.5,2,0.15,0.12,9\n";
    check(table, &["--water", "lake"], &["class", "deciding"], &["V|total_phosphorus"]);
    check(table, &["--water", "river"], &["class", "deciding"], &["III|total_phosphorus"]);
}

#[test]
fn the_trophic_state_of_a_lake_is_a_row_of_its_own() {
    let table = "time,chlorophyll_a[mg/L],TP,TN,SD,CODMn,pH,DO\n\
                 2026-06,0.026,0.1,2,0.5,6,7,7.5\n";
    let options = ["--water", "lake", "--period", "month"];
    check(
        table,
        &options,
        &["index", "class", "value", "grade"],
        &["water_class|IV||light", "trophic||59.44|lightly eutrophic", "cwqi|||"],
    );
}

#[test]
fn a_missing_item_is_named_and_never_counts_as_clean() {
    let columns = ["verdict", "class", "items", "items_of", "missing", "reason"];
    let table = "time,pH,DO,CODMn,NH3-N,TP,COD\n\
                 2026-06-01 12:00,7.6,6.8,,0.2,0.1,\n\
                 2026-06-01 16:00,7.6,6.8,,,,\n\
                 2026-06-01 20:00,,,,,,\n";
    check(
        table,
        &RIVER,
        &columns,
        &[
            "within|II|4|6|permanganate_index;chemical_oxygen_demand|",
            "not_assessable||2|6|permanganate_index;chemical_oxygen_demand;ammonia_nitrogen;\
         total_phosphorus|too_few_items",
            "not_assessable||0|6|ph;dissolved_oxygen;permanganate_index;chemical_oxygen_demand;\
         ammonia_nitrogen;total_phosphorus|missing",
        ],
    );
}

#[test]
fn below_detection_is_undecidable_only_where_it_could_change_the_class() {
    let table = "time,pH,DO,CODMn,NH3-N,TP\n\
                 2026-06-01 12:00,7.6,6.8,2.1,<0.025,0.1\n\
                 2026-06-01 16:00,7.6,7.6,1.1,<0.3,0.01\n";
    check(table, &RIVER, &["class", "reason"], &["II|", "|censored"]);
}

const AIR: [&str; 4] = ["value", "grade", "colour", "deciding"];

#[test]
fn hj_633_the_edition_is_that_of_the_rows_own_time() {
    // The worked example of docs/law.md: indices 5, 13, 8, 101, 112, 114; by the edition before
    // PM10 and PM2.5 are 100 each.
    let table = "time,SO2,NO2,CO,O3,PM10,PM2.5\n\
                 2026-02-28,5,10,0.3,161,150,75\n\
                 2026-03-01,5,10,0.3,161,150,75\n";
    let options = ["--air", "--period", "24h"];
    check(table, &options, &AIR, &["101|light|#FF7E00|ozone", "114|light|#FF7E00|pm2_5"]);
    let columns = ["verdict", "multiples", "instrument", "items", "items_of"];
    check(
        table,
        &options,
        &columns,
        &["exceeds|0.0062|HJ 633-2012 table 1|6|6", "exceeds|0.25|HJ 633-2026 table 1|6|6"],
    );
}

#[test]
fn hj_633_an_hour_that_is_named_by_its_end_is_of_the_edition_before() {
    let table = "time,SO2,NO2,CO,O3,PM10,PM2.5\n2026-03-01 00:00,5,10,0.3,60,20,60\n";
    check(table, &["--air"], &["value", "from"], &["100|2026-03-01T00:00:00+08:00"]);
    let ends = ["--air", "--label", "end"];
    check(table, &ends, &["value", "from"], &["82|2026-02-28T23:00:00+08:00"]);
}

#[test]
fn hj_633_2026_an_item_missing_leaves_no_index_up_to_100() {
    let table = "time,SO2,NO2,CO,O3,PM10,PM2.5\n\
                 2026-02-28,5,10,,100,50,30\n2026-03-01,5,10,,100,50,30\n2026-03-01,5,10,,100,50,90\n";
    let columns = ["value", "missing", "reason"];
    check(
        table,
        &["--air", "--period", "24h"],
        &columns,
        &["50|carbon_monoxide|", "|carbon_monoxide|missing", "128|carbon_monoxide|"],
    );
}

#[test]
fn units_in_the_head_are_converted_and_ppb_by_the_state_of_the_day() {
    let table = "time,pH,DO,CODMn,NH3-N[ug/L],TP[ug/L]\n2026-06-01 12:00,7.6,6.8,5.1,1620,120\n";
    check(table, &RIVER, &["class", "multiples"], &["V|0.08"]);
    // 82 ppb of ozone are 82 * 48 / 24.465 = 160.9 ug/m3 at 298.15 K and 175.7 at 273.15 K.
    let table = "time,O3[ppb],PM2.5\n2018-08-31,82,10\n2018-09-01,82,10\n";
    check(table, &["--air", "--period", "24h"], &["value"], &["115", "101"]);
}

#[test]
fn stations_of_the_seeds_have_their_own_section_target_and_weight() {
    let table = "time,station,pH,DO,CODMn,NH3-N,TP\n\
                 2026-06-01T04:00:00Z,nanhu-buoy,7.6,6.8,5.1,0.2,0.08\n\
                 2026/6/1 12:00,somewhere,7.6,6.8,5.1,0.2,0.08\n";
    let columns = ["station", "verdict", "class"];
    check(table, &["--water", "river"], &columns, &["nanhu-buoy|within|IV", "somewhere|none|III"]);
    let table = "time,pH,DO,CODMn,NH3-N,TP\n2026-06-01 12:00,7.6,6.8,5.1,0.2,0.08\n";
    check(table, &["--station", "puhe-daoyi"], &columns, &["puhe-daoyi|within|III"]);
}

#[test]
fn what_is_published_is_given_back_and_other_words_for_missing_are_named() {
    let table = "time,断面,pH,溶解氧,高锰酸盐指数,氨氮,总磷,水质类别\n\
                 2026-06-01 12:00,甲,7.6,6.8,--,*,0.12,Ⅲ\n";
    let options = ["--water", "river", "--keep", "断面,水质类别", "--missing", "--,*"];
    let columns = ["断面", "水质类别", "class", "missing"];
    let want = "甲|Ⅲ|III|permanganate_index;ammonia_nitrogen";
    check(table, &options, &columns, &[want]);
    // As a spreadsheet saves it in China.
    let (bytes, _, _) = encoding_rs::GB18030.encode(table);
    let (well, out, said) = run(&bytes, &options);
    assert!(well && out.contains("甲,Ⅲ,water_class"), "{out}{said}");
}

#[test]
fn a_fault_names_line_and_column_and_nothing_is_judged() {
    let table = "time,pH,DO,NH3-N\n\
                 2026-06-01 12:00,7.6,6.8,0.2\n\
                 yesterday,7.6,6.8,0.2\n\
                 2026-06-01 16:00,7.6,n/a,-9999\n\
                 2026-06-01 20:00,7.6\n";
    let number = "expected a number from 0 on, `<0.025` below detection, or nothing for missing; \
                  --missing names other words for it";
    refuse(
        table.as_bytes(),
        &RIVER,
        &[
            "standard input:3: found `yesterday` in column `time`, expected a time such as `2026-03-01 \
         08:00` or 2026-03-01T08:00:00+08:00",
            &format!("standard input:4: found `n/a` in column `DO`, {number}"),
            &format!("standard input:4: found `-9999` in column `NH3-N`, {number}"),
            "standard input:5: found 2 cells, expected 4, as in the head",
            "4 faults; nothing was judged",
        ],
    );
}

#[test]
fn a_head_that_nobody_understands_is_told_whole() {
    refuse(
        b"time,amonia_nitrogen,DO[Cel],class,DO,dissolved_oxygen\n",
        &RIVER,
        &[
            "standard input:1: found column `amonia_nitrogen`, expected a property of properties.csv, \
         such as `ammonia_nitrogen`, or `--keep amonia_nitrogen`",
            "standard input:1: found column `DO[Cel]`, expected a unit like mg/L in brackets",
            "standard input:1: found column `class`, expected a property of properties.csv, or `--keep \
         class`",
            "standard input:1: found a second column `dissolved_oxygen`, expected one a property",
            "4 faults; nothing was judged",
        ],
    );
    refuse(
        b"when,DO\n",
        &RIVER,
        &[
            "standard input:1: found no column `time`, expected one with the time of each row",
            "1 faults; nothing was judged",
        ],
    );
}

#[test]
fn a_station_that_nobody_knows_needs_to_be_said_what_it_is() {
    let table = "time,station,DO\n2026-06-01 12:00,somewhere,6.8\n";
    refuse(
        table.as_bytes(),
        &[],
        &[
            "standard input:2: found station `somewhere`, expected a station of stations.csv, or \
         --water or --air for all others",
            "1 faults; nothing was judged",
        ],
    );
    let month = ["--air", "--period", "month"];
    refuse(
        b"time,PM2.5\n2026-06,6.8\n",
        &month,
        &[
            "standard input:2: found --period month, expected 1h or 24h for an air quality index",
            "1 faults; nothing was judged",
        ],
    );
    refuse(
        b"time,PM2.5\n2026-06-01,6.8\n",
        &["--water", "river"],
        &[
            "standard input:2: found no column for ``, expected one of an item that it is judged by",
            "1 faults; nothing was judged",
        ],
    );
}

#[test]
fn faults_without_end_end() {
    let mut table = String::from("time,DO\n");
    for _ in 0..500 {
        table.push_str("never,1\n");
    }
    let (well, _, said) = run(table.as_bytes(), &RIVER);
    assert!(!well && said.lines().count() == 101, "{said}");
    assert!(said.ends_with("100 faults; nothing was judged\n"), "{said}");
}

#[test]
fn a_table_without_end_is_refused() {
    let table = vec![b'\n'; (64 << 20) + 1];
    refuse(
        &table,
        &RIVER,
        &[
            "standard input: found more than 64 MiB, expected a table in parts",
            "1 faults; nothing was judged",
        ],
    );
}
