//! `weir decode`: one payload in, its readings out, as somebody who sets a device up runs it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]
#![allow(clippy::indexing_slicing, reason = "a test may panic")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs it on a payload; gives whether it went well, and what it said.
fn decode(words: &[&str], payload: &[u8]) -> (bool, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_weir"))
        .arg("decode")
        .args(words)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(payload).ok();
    let output = child.wait_with_output().unwrap();
    let said = if output.status.success() { output.stdout } else { output.stderr };
    (output.status.success(), String::from_utf8(said).unwrap())
}

/// Half a frame and a whole one.
const FRAMES: &str = "##0200QN=2026##0109ST=32;CN=2061;PW=1;MN=OUTFALL1;CP=&&DataTime=20260601080000;\
    w01018-Avg=31.5,w01018-Flag=N;w21003-Avg=<0.025&&C741";

#[test]
fn without_seeds_a_frame_is_shown_whole_and_a_broken_one_with_its_place() {
    let (well, said) = decode(&["--format", "hj212"], FRAMES.as_bytes());
    assert!(well, "{said}");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "2061:w01018-Avg = 31.5, 2026-06-01T08:00:00+08:00");
    assert_eq!(lines[1], "2061:w21003-Avg = <0.025, 2026-06-01T08:00:00+08:00");
    assert!(lines[2].starts_with("frame rejected: not HJ 212: frame at byte 0: "), "{said}");
    let (well, said) = decode(&["--format", "hj212"], &FRAMES.as_bytes()[1..]);
    assert!(well && said.contains("12 bytes `#0200QN=2026`"), "{said}");
    let (well, said) = decode(&["--format", "hj212"], &FRAMES.as_bytes()[..99]);
    assert!(!well && said.contains("at byte 0"), "{said}");
}

#[test]
fn a_record_of_bytes_needs_the_topic_that_says_how_long_it_is() {
    let (well, said) = decode(&["--format", "binary"], &[1, 2]);
    assert!(!well && said.contains("not a binary record: its topic says how long"), "{said}");
}

#[test]
fn by_a_topic_the_seeds_say_what_it_means() {
    let payload = br#"{"ts":1780272000000,"temp":18.5,"salt":1}"#;
    let (well, said) = decode(&["--topic", "water/sonde-01/data"], payload);
    assert!(well, "{said}");
    assert!(said.contains("/temp = 18.5 Cel, 2026-06-01T08:00:00+08:00\n"), "{said}");
    assert!(said.contains("/salt rejected: the channel is not in the device's profile"), "{said}");
    let (well, said) = decode(&["--topic", "nowhere"], payload);
    assert!(!well && said.contains("no pattern of topics.csv"), "{said}");
    let (well, said) = decode(&["--topic", "water/nobody/data"], payload);
    assert!(!well && said.contains("`nobody`: the device is not in devices.csv"), "{said}");
}
