//! Rows, wide and long, as loggers write them and as they break.

use crate::decode::told::Desk;
use crate::decode::{csv, device_name};
use crate::domain::registry::{Format, Options, Pointers, TimeUnit};

fn wide() -> Desk {
    let mut desk = Desk::new(Format::Csv, &["ph", "do", "ignored"]);
    desk.rule.pointers = Pointers { time: "time".into(), ..Pointers::default() };
    desk.rule.time_unit = TimeUnit::Local;
    desk
}

fn long() -> Desk {
    let mut desk = Desk::new(Format::Csv, &["ph", "do"]);
    desk.rule.pointers = Pointers {
        time: "t".into(),
        channel: "what".into(),
        value: "v".into(),
        unit: "u".into(),
        ..Pointers::default()
    };
    desk.rule.time_unit = TimeUnit::Seconds;
    desk
}

#[test]
fn a_column_is_a_channel_and_a_row_a_record() {
    wide().check(
        "time,ph,do,ignored\r\n2026-05-01 08:00:00,7.62,<0.2,x\r\n2026-05-01 08:05:00,,6.9,y\r\n",
        &["0 ph=7.62 @0", "0 do=Below 0.2 @0", "1 ph=Missing @300", "1 do=6.9 @300"],
    );
}

#[test]
fn a_long_row_names_its_channel_and_unit() {
    long().check(
        "t,what,v,u,quality\n1777593600,do,6.85,mg/L,ok\n1777593660,ph,7.6,,ok\n",
        &["0 do=6.85 mg/L @0", "1 ph=7.6 @60"],
    );
}

#[test]
fn half_a_row_is_none_and_costs_no_other() {
    let payload = "time,ph,do,ignored\n2026-05-01 08:00:00,7.62,6.9,x\n2026-05-01 08:05:00,7.";
    let told = wide().told(payload);
    assert!(told.starts_with("0 ph=7.62 @0\n0 do=6.9 @0\n1 (row) refused: not CSV: a row of 2"));
    wide().says("time,ph\n2026-05-01 08:00:00,7,8,9\n", "a row of 4 cells, expected 2");
    wide().check("time,ph\n2026-05-01 08:00:00,7,\n", &["0 ph=7 @0"]);
}

#[test]
fn a_bad_cell_costs_no_other() {
    wide().says("time,ph,do\n2026-05-01 08:00:00,ERR,6.9\n", "0 do=6.9 @0\n0 ph refused: found");
}

#[test]
fn a_row_without_its_time_is_refused_since_rows_would_fall_on_one_moment() {
    wide().says("time,ph\n,7\n", "0 ph refused: time (nothing) is not local time");
    wide().says("time,ph\n2026-13-01 08:00:00,7\n", "0 ph refused: time 2026-13-01");
}

#[test]
fn without_a_header_columns_are_numbered() {
    let mut desk = Desk::new(Format::Csv, &["2", "3"]);
    desk.rule.options = Options { separator: b';', header: false, ..Options::default() };
    desk.rule.pointers = Pointers { time: "1".into(), ..Pointers::default() };
    desk.rule.time_unit = TimeUnit::Seconds;
    desk.check(
        "1777593600;7.62;6.9\n1777593601;7.63;7\n",
        &["0 2=7.62 @0", "0 3=6.9 @0", "1 2=7.63 @1", "1 3=7 @1"],
    );
}

#[test]
fn a_byte_order_mark_and_gb_18030_are_read() {
    let mut desk = Desk::new(Format::Csv, &["氨氮"]);
    desk.check("\u{FEFF}氨氮\n1.5\n", &["0 氨氮=1.5"]);
    let (bytes, _, _) = encoding_rs::GB18030.encode("氨氮\n1.5\n");
    desk.check(bytes, &["0 氨氮=1.5"]);
    desk.rule.formats = vec![Format::Csv];
    desk.says(b"\xFF\xFF\n", "not CSV: bytes that are neither UTF-8 nor GB 18030");
}

#[test]
fn a_column_that_the_seeds_name_must_be_there() {
    wide().says("ts,ph\n1,7\n", "not CSV: no column `time` in the first row");
    wide().says("\n", "not CSV: no row at all");
}

#[test]
fn a_message_is_of_the_device_of_its_first_row() {
    let mut desk = wide();
    desk.rule.pointers = Pointers { device: "logger".into(), ..Pointers::default() };
    let payload = "logger,ph\nL1,7\nL2,8\nL1,9\n";
    assert_eq!(csv::device(&desk.rule, payload.as_bytes()).as_deref(), Ok("L1"));
    assert_eq!(device_name(&desk.rule, payload.as_bytes()).as_deref(), Ok("L1"));
    desk.check(
        payload,
        &["0 ph=7", "2 ph=9", "1 (row) refused: the payload says device `L2`, the topic says `L1`"],
    );
    assert!(device_name(&desk.rule, b"logger,ph\n,7\n").is_err());
    assert!(device_name(&desk.rule, b"logger,ph\n").is_err());
}

#[test]
fn a_flood_of_unknown_columns_is_one_reject() {
    let names: Vec<String> = (0..100).map(|n| format!("c{n}")).collect();
    let zeros = vec!["0"; 100].join(",");
    let payload = format!("{}\n{zeros}\n", names.join(","));
    Desk::new(Format::Csv, &["ph"]).says(&payload, "more than 64 unknown channels");
    Desk::new(Format::Csv, &["c*"]).check(payload, &[]);
}
