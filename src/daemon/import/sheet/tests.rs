//! Tables as laboratories and loggers write them.

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::daemon::check;
use crate::daemon::import::{Sum, Trial};

fn registry() -> Arc<Registry> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/weir.toml");
    check::edition(&file).unwrap().registry
}

fn asked(station: &str, device: Option<&str>) -> Asked {
    let device = device.map(str::to_owned);
    let ignore = vec!["remark".to_owned()];
    Asked { file: "t.csv".to_owned(), station: station.to_owned(), device, ignore }
}

/// Gives the rows of all parts of a table of the laboratory.
#[track_caller]
fn rows(text: &str) -> Vec<String> {
    let registry = registry();
    let mut sheet = Sheet::open(&registry, &asked("hunhe-dongling", None), text).unwrap();
    let parts: Vec<Part> = std::iter::from_fn(|| sheet.part()).collect();
    parts.iter().flat_map(|part| part.payload.lines().skip(1).map(str::to_owned)).collect()
}

#[track_caller]
fn refused(asked: &Asked, text: &str, want: &[&str]) {
    let faults = Sheet::open(&registry(), asked, text).err().unwrap_or_default();
    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
    for want in want {
        assert!(told.iter().any(|one| one.contains(want)), "no `{want}` in {told:#?}");
    }
}

#[test]
fn a_column_is_a_channel_by_its_property_or_its_own_name_and_has_a_unit() {
    assert_eq!(
        rows("time,氨氮,Cu[mg/L],total_phosphorus,remark\n2026-06-01 09:30,0.42,0.004,0.1,fine\n"),
        [
            "2026-06-01T09:30:00+08:00,NH3-N,0.42,,,,,",
            "2026-06-01T09:30:00+08:00,Cu,0.004,mg/L,,,,",
            "2026-06-01T09:30:00+08:00,TP,0.1,,,,,",
        ]
    );
}

#[test]
fn a_long_table_has_method_person_and_limit_in_each_row() {
    assert_eq!(
        rows(
            "property,time,value,unit,method,detection_limit,person\n\
             Hg,2026-06-01T00:30:00Z,ND,ug/L,HJ 694-2014,0.04,Li Na\n\
             remark,2026-06-01,fine,,,,\n\
             总磷,2026-06-01,1,,,,\n"
        ),
        [
            "2026-06-01T08:30:00+08:00,Hg,<0.04,ug/L,HJ 694-2014,0.04,Li Na,ND",
            "2026-06-01T00:00:00+08:00,TP,1,,,,,",
        ]
    );
}

#[test]
fn what_a_laboratory_writes_below_detection_is_a_bound() {
    for (cell, limit, want) in [
        ("0.025L", None, "<0.025"),
        ("＜0.02", None, "<0.02"),
        ("<0.02", None, "<0.02"),
        ("ND", Some(0.04), "<0.04"),
        ("未检出", Some(0.04), "<0.04"),
        ("0.01", Some(0.04), "<0.04"),
        ("0.04", Some(0.04), "0.04"),
        ("ND", None, "ND"),
        ("7.6", None, "7.6"),
        ("L", None, "L"),
        (">50", Some(0.04), ">50"),
    ] {
        assert_eq!(result(cell, limit), want, "{cell} {limit:?}");
    }
    // The limit of the profile is in the unit of the channel, so it says nothing in another.
    assert_eq!(rows("time,Hg\n2026-06-01,ND\n")[0], "2026-06-01T00:00:00+08:00,Hg,<0.04,,,,,ND");
    let other = rows("time,Hg[mg/L]\n2026-06-01,ND\n");
    assert_eq!(other[0], "2026-06-01T00:00:00+08:00,Hg,ND,mg/L,,,,");
}

#[test]
fn a_part_is_of_one_day_and_holds_so_many_readings() {
    let registry = registry();
    let mut text = String::from("time,TP\n2026-06-01 23:59,0.1\n2026-06-02 00:00,0.1\n");
    for _ in 0..READINGS_MAX {
        text.push_str("2026-06-02 08:00,0.1\n");
    }
    let mut sheet = Sheet::open(&registry, &asked("hunhe-dongling", None), &text).unwrap();
    let sizes: Vec<usize> =
        std::iter::from_fn(|| sheet.part()).map(|part| part.places.len()).collect();
    assert_eq!(sizes, [1, READINGS_MAX, 1]);
    let long = "x".repeat(3 * CELL_BYTES_MAX);
    let mut text = String::from("time,TP,method,person\n");
    let wide = PART_BYTES_MAX / (2 * CELL_BYTES_MAX);
    for _ in 0..=wide {
        text.push_str(&format!("2026-06-02 08:00,0.1,{long},{long}\n"));
    }
    let mut sheet = Sheet::open(&registry, &asked("hunhe-dongling", None), &text).unwrap();
    let parts: Vec<Part> = std::iter::from_fn(|| sheet.part()).collect();
    assert!(parts.len() > 1 && parts.iter().all(|part| part.payload.len() <= PART_BYTES_MAX));
}

#[test]
fn rows_of_other_stations_are_passed_over() {
    let registry = registry();
    let text = "time,station,TP\n2026-06-01,puhe-daoyi,0.1\n2026-06-01,hunhe-dongling,0.2\n";
    let mut sheet = Sheet::open(&registry, &asked("hunhe-dongling", None), text).unwrap();
    let part = sheet.part().unwrap();
    assert!(part.payload.contains(",TP,0.2,") && !part.payload.contains(",TP,0.1,"));
    assert_eq!((sheet.rows, sheet.of_others), (2, 1));
}

#[test]
fn what_cannot_be_read_ends_in_the_ledger_with_its_place() {
    let registry = registry();
    let text = "time,TP,TN\n2026-06-01,0.1,x\nyesterday,0.1,\n2026-06-01,0.1\n,0.3,\n";
    let mut sheet = Sheet::open(&registry, &asked("hunhe-dongling", None), text).unwrap();
    let mut trial = Trial::new(&registry, Timestamp(1_790_000_000_000)).unwrap();
    let (mut sum, mut told) = (Sum::default(), Vec::new());
    while let Some(part) = sheet.part() {
        let taken = trial.take(&sheet.topic, &part);
        told.extend(sum.add("t.csv", &part, &taken));
    }
    assert_eq!(sum.words(), "5 read = 1 stored + 4 rejected + 0 duplicate");
    let want = [
        "t.csv:2: column `TN`: found \"x\", expected a number",
        "t.csv:3: found time `yesterday`, expected one such as",
        "t.csv:4: found a row of 2 cells, expected 3, as in the head",
        "t.csv:5: found time nothing, expected one such as",
    ];
    for (told, want) in told.iter().zip(want) {
        assert!(told.starts_with(want), "{told}, not {want}");
    }
    assert_eq!(told.len(), want.len(), "{told:#?}");
}

#[test]
fn a_loggers_file_is_of_the_logger_by_its_channels() {
    let registry = registry();
    let asked = asked("puhe-daoyi", Some("rivers/sonde-02"));
    let text = "time,pH,do,turb\n2026-06-01 08:00,7.6,6.8,12\n";
    let mut sheet = Sheet::open(&registry, &asked, text).unwrap();
    assert_eq!(sheet.topic, "rivers/sonde-02");
    let part = sheet.part().unwrap();
    let channels: Vec<&str> =
        part.payload.lines().skip(1).filter_map(|line| line.split(',').nth(1)).collect();
    assert_eq!(channels, ["/ph", "/do", "/turb"]);
    let taken = Trial::new(&registry, Timestamp(1_790_000_000_000)).unwrap();
    let taken = { taken }.take(&sheet.topic, &part);
    assert_eq!((taken.stored, taken.rejected), (3, 0), "{taken:?}");
}

#[test]
fn nothing_is_taken_of_a_table_whose_head_is_not_understood() {
    let laboratory = &asked("hunhe-dongling", None);
    refused(laboratory, "date,TP\n", &["t.csv:1: found no column `time`"]);
    refused(
        laboratory,
        "time,TP,gold,Cu[mg],total_phosphorus,DO\n",
        &[
            "column `gold`, expected a channel of profile `laboratory`",
            "--ignore gold",
            "column `Cu[mg]`, expected a unit of units.csv",
            "a second column of channel `TP`",
            "column `DO`",
        ],
    );
    refused(laboratory, "time,remark\n", &["no column of values"]);
    refused(laboratory, "time,TP,TN,detection_limit\n", &["a long table"]);
    refused(laboratory, "time,property,value,TP\n", &["column `TP`, expected a column of a long"]);
    let mut long = String::from("time,property,value\n");
    for _ in 0..70 {
        long.push_str("2026-06-01,TP,0.1\n2026-06-01,Hgg,1\n2026-06-01,,1\n2026-06-01,gold,\n");
    }
    let want = [
        "t.csv:3: found property `Hgg`, expected a channel of profile `laboratory`, such as `Hg`",
        "or `--ignore Hgg`",
        "t.csv:4: found property nothing",
    ];
    refused(laboratory, &long, &want);
    let faults = Sheet::open(&registry(), laboratory, &long).err().unwrap();
    assert_eq!(faults.len(), 2, "each once: {faults:#?}");
    refused(&asked("hunhe-donglin", None), "time,TP\n", &["the nearest is `hunhe-dongling`"]);
    let several = ["2 devices, expected --device with one at `puhe-daoyi`: rivers/sonde-02"];
    refused(&asked("puhe-daoyi", None), "time,TP\n", &several);
    refused(&asked("puhe-daoyi", Some("sonde-01")), "time,TP\n", &["--device sonde-01, expected"]);
    let meter = &asked("setdz-power", Some("000012340007"));
    refused(meter, "time,/phase/0/u\n", &["a channel without a scale"]);
    refused(meter, "time,U\n", &["one of the channels `/phase/0/u`, `/phase/1/u`"]);
}
