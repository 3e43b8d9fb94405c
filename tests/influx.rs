//! Delivery to the database, against a scripted InfluxDB for every answer there is, and against
//! Debian's for what a real one does. Judged by what the database says it was sent.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]
#![expect(clippy::disallowed_methods, reason = "a test asks its own clock")]

mod peer;
mod scripted;

use std::io::Write as _;
use std::time::{Duration, Instant};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use peer::{Influx, Mosquitto, Weir, until};
use scripted::delivery::{Delivery, config, runtime};
use scripted::{Answer, Database, Kind, Rules, short, stands};
use tempfile::TempDir;
use weir::daemon::deliver;
use weir::domain::time::{MINUTE, Moment, Timestamp};
use weir::influx::Config;
use weir::influx::deliver::{Lane, Member, Progress};
use weir::influx::write::Writer;

const A: &str = "water,station=a do=5.0,ph=7.1 1000";
const B: &str = "water,station=b do=6.0,ph=7.2 2000";
const C: &str = "water,station=c do=7.0,ph=7.3 3000";
const D: &str = "water,station=d do=8.0,ph=7.4 4000";
/// Oxygen as text, where the database holds it as a number.
const B_TEXT: &str = "water,station=b do=\"6\",ph=7.2 2000";
/// A tag without a value.
const B_BAD: &str = "water,station=b,x= do=6.0,ph=7.2 2000";

/// Holds that every field of every point is either stored, as it was last, or kept as refused.
#[track_caller]
fn nothing_is_lost(given: &[&str], database: &Database, delivery: &Delivery) {
    let state = database.state();
    let mut found = stands(state.stored.iter().map(String::as_str));
    let refused = delivery.refused();
    for (key, value) in stands(refused.iter().map(|(line, ..)| line.as_str())) {
        assert_eq!(found.insert(key.clone(), value), None, "{key} is stored and refused");
    }
    assert_eq!(found, stands(given.iter().copied()));
}

/// Delivers batches and compares the requests, and what was refused: in short, with words that
/// must be among the server's.
#[track_caller]
fn check(
    rules: Rules,
    first: &[Answer],
    batches: &[&[&str]],
    want: &[&str],
    refused: &[(&str, &str)],
) -> Database {
    let kind = rules.kind;
    let database = Database::start(rules, first);
    let delivery = Delivery::start(config(database.port, kind, ""), batches);
    delivery.until_none_waits();
    assert_eq!(database.requests(), want);
    let kept = delivery.refused();
    let shorts: Vec<String> = kept.iter().map(|(line, ..)| short(line)).collect();
    assert_eq!(shorts, refused.iter().map(|(line, _)| *line).collect::<Vec<_>>());
    for ((line, field, words), (_, part)) in kept.iter().zip(refused) {
        assert!(words.contains(part), "{line}: {words}");
        let of_line = short(line).split_once('.').map(|(_, field)| field.to_owned());
        assert_eq!(*field, of_line, "{line}");
    }
    let seen = delivery.reader().cursor(deliver::SINK).unwrap().unwrap();
    assert_eq!(seen.refused, refused.len() as u64);
    nothing_is_lost(&batches.concat(), &database, &delivery);
    delivery.stop();
    database
}

/// Delivers points over answers that say nothing about them: all are sent until they are taken,
/// and no sooner is anything else.
#[track_caller]
fn check_again(answers: &[Answer]) -> Database {
    let database = Database::start(Rules::of(Kind::Two), answers);
    let delivery = Delivery::start(config(database.port, Kind::Two, ""), &[&[A], &[B, C]]);
    delivery.until_it_fails();
    delivery.commit(&[D]);
    delivery.until_none_waits();
    let mut failed = database.requests();
    let taken = failed.split_off(answers.len());
    assert!(failed.iter().all(|request| request.starts_with("a b c: ")), "{failed:?}");
    assert_eq!(taken, ["a b c: 204", "d: 204"]);
    assert_eq!(delivery.refused(), []);
    assert!(delivery.status.sink_fault.load().is_none());
    nothing_is_lost(&[A, B, C, D], &database, &delivery);
    delivery.stop();
    database
}

/// How long it was between the first request and the second.
fn first_wait(database: &Database) -> Duration {
    let state = database.state();
    state.seen[1].at - state.seen[0].at
}

fn held(kind: Kind) -> Rules {
    Rules { held: vec![("do", false)], ..Rules::of(kind) }
}

#[test]
fn batches_share_a_request_and_each_line_goes_once() {
    for (kind, door) in [
        (Kind::Two, "POST /api/v2/write?precision=ms&org=o&bucket=b "),
        (Kind::One, "POST /write?precision=ms&db=b "),
    ] {
        let database = check(Rules::of(kind), &[], &[&[A], &[B, C], &[D]], &["a b c d: 204"], &[]);
        let head = database.state().seen[0].head.clone();
        assert!(head.starts_with(door) && head.contains("content-encoding: gzip"), "{head}");
    }
}

#[test]
fn any_success_is_success() {
    for status in [200, 201] {
        let want = format!("a: {status}");
        let database = Database::start(Rules::of(Kind::Two), &[Answer::Full(status, "", "")]);
        let delivery = Delivery::start(config(database.port, Kind::Two, ""), &[&[A]]);
        delivery.until_none_waits();
        delivery.stop();
        assert_eq!(database.requests(), [want]);
    }
}

#[test]
fn a_success_in_part_is_taken_apart() {
    let words = r#"{"code":"unprocessable entity","message":"partial write: … dropped=1"}"#;
    let want = ["a b: 201", "a: 204", "b: 204"];
    check(Rules::of(Kind::Two), &[Answer::Full(201, "", words)], &[&[A, B]], &want, &[]);
}

#[test]
fn a_page_is_no_success_whatever_its_status() {
    check_again(&[Answer::Full(200, "", "<!DOCTYPE html><p>Your credit is used up.")]);
}

#[test]
fn who_refuses_a_request_without_lines_too_refuses_none_of_them() {
    let words = r#"{"code":400,"error":"Bad Request"}"#;
    let no = Answer::Full(400, "", words);
    let database = Database::start(Rules::of(Kind::Two), &[no.clone(), no]);
    let delivery = Delivery::start(config(database.port, Kind::Two, ""), &[&[A], &[B, C]]);
    delivery.until_none_waits();
    assert_eq!(database.requests(), ["a b c: 400", ": 400", "a b c: 204"]);
    assert_eq!(delivery.refused(), []);
    delivery.stop();
}

#[test]
fn who_takes_a_request_without_lines_refuses_those_that_were_in_it() {
    let words = r#"{"code":"invalid","message":"a field of this name is not wanted"}"#;
    let (no, yes) = (Answer::Full(400, "", words), Answer::Full(204, "", ""));
    // The line, and then its field; the other is taken.
    let database = Database::start(Rules::of(Kind::Two), &[no.clone(), yes.clone(), no, yes]);
    let delivery = Delivery::start(config(database.port, Kind::Two, ""), &[&[A]]);
    delivery.until_none_waits();
    assert_eq!(delivery.refused().len(), 1);
    assert_eq!(database.requests(), ["a: 400", ": 204", "a.do: 400", ": 204", "a.ph: 204"]);
    delivery.stop();
}

#[test]
fn a_success_that_has_something_to_say_is_none() {
    check_again(&[Answer::Full(200, "", r#"{"status":"pass"}"#)]);
    check_again(&[Answer::Full(202, "", "ok")]);
    check_again(&[Answer::Broken("HTTP/1.1 200 X\r\nContent-Length: 90\r\n\r\n")]);
}

#[test]
fn a_malformed_line_costs_only_itself() {
    let answers =
        ["a b c: 400", "a: 204", "b c: 400", "b: 400", "b.do: 400", "b.ph: 400", "c: 204"];
    let refused = [("b.do", "unable to parse"), ("b.ph", "missing tag value")];
    check(Rules::of(Kind::Two), &[], &[&[A, B_BAD, C]], &answers, &refused);
    check(Rules::of(Kind::One), &[], &[&[A, B_BAD, C]], &answers, &refused);
}

#[test]
fn a_line_that_is_none_is_kept_whole() {
    let refused = [("rubbish", "unable to parse 'rubbish'")];
    let answers = ["a rubbish: 400", "a: 204", "rubbish: 400"];
    check(Rules::of(Kind::Two), &[], &[&[A, "rubbish"]], &answers, &refused);
}

#[test]
fn a_conflicting_field_costs_only_itself() {
    for (kind, status) in [(Kind::Two, 422), (Kind::One, 400)] {
        let refused = |what: &str| format!("{what}: {status}");
        let want = [
            refused("a b c"),
            "a: 204".to_owned(),
            refused("b c"),
            refused("b"),
            refused("b.do"),
            "b.ph: 204".to_owned(),
            // What was refused once goes apart, so that it costs the others nothing.
            "c.ph: 204".to_owned(),
            "c.do: 204".to_owned(),
        ];
        let want: Vec<&str> = want.iter().map(String::as_str).collect();
        let kept = [("b.do", "field type conflict")];
        check(held(kind), &[], &[&[A, B_TEXT, C]], &want, &kept);
        check(held(kind), &[], &[&[A], &[B_TEXT], &[C]], &want, &kept);
    }
}

#[test]
fn a_conflict_of_a_whole_request_is_no_late_request() {
    // InfluxDB 2.7 ends its words on late points so; a policy's name makes no point late.
    let words_end = " for database: weir for retention policy: autogen";
    let rules = Rules { held: vec![("do", true)], words_end, ..Rules::of(Kind::Two) };
    let want = ["a b: 422", "a: 422", "a.do: 422", "a.ph: 204", "b.ph: 204", "b.do: 422"];
    let kept = [("a.do", "field type conflict"), ("b.do", "field type conflict")];
    check(rules, &[], &[&[A, B]], &want, &kept);
}

fn gzip(text: &str) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap().into()
}

#[test]
fn a_refused_field_goes_apart_for_an_hour() {
    let rules = Rules { held: vec![("do", true)], ..Rules::of(Kind::Two) };
    let database = Database::start(rules, &[]);
    let writer = Writer::new(&config(database.port, Kind::Two, "")).unwrap();
    let (mut lane, runtime) = (Lane::default(), runtime());
    let mut check = |line: &str, elapsed_ms: i64, want: &[&str]| {
        let member = Member { gzip: gzip(line), points: 1 };
        let now = Moment { wall: Timestamp(0), elapsed_ms };
        let delivered = runtime.block_on(lane.deliver(&writer, &[member], now));
        assert_eq!((delivered.progress, delivered.refused.len()), (Progress::Done, 1));
        assert_eq!(database.requests(), want);
        database.state().seen.clear();
    };
    check(A, 0, &["a: 422", "a.do: 422", "a.ph: 204"]);
    check(B, 59 * MINUTE, &["b.ph: 204", "b.do: 422"]);
    check(C, 118 * MINUTE, &["c.ph: 204", "c.do: 422"]);
    check(D, 179 * MINUTE, &["d: 422", "d.do: 422", "d.ph: 204"]);
}

/// So many lines, of which each takes the next minute or, one in `one_in`, one long ago.
fn many(count: i64, one_in: i64) -> Vec<String> {
    let line = |number: i64| {
        let time = if number % one_in == 0 { number } else { 1_000_000 + number * MINUTE };
        format!("water,station=s{} do=5.0,ph=7.1 {time}", number % 20)
    };
    (0..count).map(line).collect()
}

/// Delivers many lines in few requests.
#[track_caller]
fn check_many(rules: Rules, lines: &[String], requests_max: usize, refused: usize) {
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let batches: Vec<&[&str]> = lines.chunks(1_000).collect();
    let kind = rules.kind;
    let database = Database::start(rules, &[]);
    let delivery = Delivery::start(config(database.port, kind, ""), &batches);
    delivery.until_none_waits();
    assert_eq!(delivery.refused().len(), refused);
    nothing_is_lost(&lines, &database, &delivery);
    let sent = database.state().seen.len();
    assert!(sent <= requests_max, "{sent} requests");
    delivery.stop();
}

#[test]
fn thousands_of_points_outside_the_retention_are_one_request() {
    for kind in [Kind::One, Kind::Two] {
        let rules = Rules { keeps_from: i64::MAX - 1, ..Rules::of(kind) };
        check_many(rules, &many(3_000, 2), 1, 3_000);
    }
}

#[test]
fn points_outside_the_retention_among_others_are_few_requests() {
    for kind in [Kind::One, Kind::Two] {
        let rules = Rules { keeps_from: 1_000_000, ..Rules::of(kind) };
        check_many(rules, &many(3_000, 20), 3, 150);
    }
}

#[test]
fn thousands_of_conflicts_are_few_requests() {
    for kind in [Kind::One, Kind::Two] {
        let rules = Rules { held: vec![("do", true)], ..Rules::of(kind) };
        check_many(rules, &many(3_000, 2), 50, 3_000);
    }
}

#[test]
fn refused_credentials_and_a_missing_bucket_discard_nothing() {
    let unauthorized = r#"{"code":"unauthorized","message":"unauthorized access"}"#;
    let forbidden = r#"{"code":"forbidden","message":"insufficient permissions for write"}"#;
    let missing = r#"{"code":"not found","message":"bucket \"b\" not found"}"#;
    for (status, words) in [(401, unauthorized), (403, forbidden), (404, missing)] {
        check_again(&[Answer::Full(status, "", words), Answer::Full(status, "", words)]);
    }
}

#[test]
fn a_server_that_fails_discards_nothing() {
    let words = r#"{"code":"internal error","message":"An internal error has occurred"}"#;
    check_again(&[Answer::Full(500, "", words)]);
    check_again(&[Answer::Full(502, "", "<html><h1>502 Bad Gateway</h1></html>")]);
    check_again(&[Answer::Full(301, "Location: /elsewhere\r\n", "")]);
    // A proxy's word on a request is not the database's word on its lines.
    check_again(&[Answer::Full(400, "", "<html>400 Bad Request</html>")]);
}

#[test]
fn an_answer_that_breaks_off_discards_nothing() {
    check_again(&[Answer::Broken("")]);
    check_again(&[Answer::Broken("HTTP/1.1 20")]);
    check_again(&[Answer::Broken("HTTP/1.1 500 X\r\nContent-Length: 90\r\n\r\n{\"code\":")]);
    check_again(&[Answer::Broken("HTTP/1.1 400 X\r\nContent-Length: 90\r\n\r\n")]);
}

#[test]
fn a_refusal_that_breaks_off_refuses_nothing() {
    check_again(&[Answer::Broken(
        "HTTP/1.1 422 X\r\nContent-Length: 90\r\n\r\n{\"code\":\"unprocessable entity\",\"mess",
    )]);
    check_again(&[Answer::Broken("HTTP/1.1 201 X\r\nContent-Length: 90\r\n\r\n")]);
}

#[test]
fn a_server_that_wants_time_is_given_it() {
    for status in [429, 503] {
        let database = check_again(&[Answer::Full(status, "Retry-After: 1\r\n", "")]);
        let wait = first_wait(&database);
        assert!((1..3).contains(&wait.as_secs()), "{wait:?}");
    }
    let database = check_again(&[Answer::Full(503, "Retry-After: 0\r\n", "")]);
    assert!(first_wait(&database) > Duration::from_millis(450), "not without a pause");
}

#[test]
fn a_body_too_large_is_halved() {
    let rules = Rules { lines_max: 2, ..Rules::of(Kind::Two) };
    let want = ["a b c d: 413", "a b: 204", "c d: 204"];
    check(rules.clone(), &[], &[&[A], &[B], &[C], &[D]], &want, &[]);
    check(rules, &[], &[&[A, B, C, D]], &want, &[]);
}

#[test]
fn a_proxy_that_takes_no_body_at_all_discards_nothing() {
    let too_large = || Answer::Full(413, "", "");
    let want = ["a: 413", "a.do: 413", "a.do: 204", "a.ph: 204"];
    check(Rules::of(Kind::Two), &[too_large(), too_large()], &[&[A]], &want, &[]);
}

#[test]
fn what_takes_too_long_goes_in_halves() {
    let rules = Rules { lines_in_time: 1_000, ..Rules::of(Kind::Two) };
    let lines = many(2_000, 2_000);
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let database = Database::start(rules, &[]);
    let batches: Vec<&[&str]> = lines.chunks(500).collect();
    let config = Config { timeout_s: 2, ..config(database.port, Kind::Two, "") };
    let delivery = Delivery::start(config, &batches);
    delivery.until_none_waits();
    let sent: Vec<usize> = database.state().seen.iter().map(|seen| seen.lines.len()).collect();
    assert_eq!(sent, [2_000, 1_000, 1_000]);
    nothing_is_lost(&lines, &database, &delivery);
    delivery.stop();
}

#[test]
fn a_server_that_never_answers_is_asked_again() {
    let database = Database::start(Rules::of(Kind::Two), &[Answer::Never]);
    let config = Config { timeout_s: 2, ..config(database.port, Kind::Two, "") };
    let delivery = Delivery::start(config, &[&[A]]);
    delivery.until_it_fails();
    delivery.commit(&[B]);
    delivery.until_none_waits();
    assert_eq!(database.requests(), ["a: 0", "a: 204", "b: 204"]);
    nothing_is_lost(&[A, B], &database, &delivery);
    delivery.stop();
}

#[test]
fn a_stop_does_not_wait_for_a_server_that_never_answers() {
    let database = Database::start(Rules::of(Kind::Two), &[Answer::Never, Answer::Never]);
    let config = Config { timeout_s: 60, ..config(database.port, Kind::Two, "") };
    let delivery = Delivery::start(config, &[&[A]]);
    until("the request", || !database.state().seen.is_empty());
    let stopped = Instant::now();
    delivery.stop();
    assert!(stopped.elapsed() < Duration::from_secs(10), "{:?}", stopped.elapsed());
}

#[test]
fn nothing_listening_costs_nothing() {
    let port = peer::free_port();
    let delivery = Delivery::start(config(port, Kind::Two, ""), &[&[A], &[B]]);
    delivery.until_it_fails();
    delivery.commit(&[C]);
    let database = Database::start_on(port, Rules::of(Kind::Two), &[]);
    delivery.until_none_waits();
    assert_eq!(database.requests(), ["a b: 204", "c: 204"]);
    nothing_is_lost(&[A, B, C], &database, &delivery);
    delivery.stop();
}

#[test]
fn a_database_that_comes_after_weir_gets_its_bucket() {
    let port = peer::free_port();
    let delivery = Delivery::start(config(port, Kind::One, ""), &[&[A]]);
    delivery.until_it_fails();
    let rules = Rules { has_bucket: false, ..Rules::of(Kind::One) };
    let database = Database::start_on(port, rules, &[]);
    delivery.until_none_waits();
    nothing_is_lost(&[A], &database, &delivery);
    delivery.stop();
}

#[test]
fn a_token_that_is_mended_is_read_again() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "old").unwrap();
    let rules = Rules { token: Some("new"), ..Rules::of(Kind::Two) };
    let database = Database::start(rules, &[]);
    let config = config(database.port, Kind::Two, &format!("token_file='{}'", file.display()));
    let delivery = Delivery::start(config, &[&[A]]);
    delivery.until_it_fails();
    std::fs::write(&file, "new").unwrap();
    delivery.until_none_waits();
    assert!(database.requests().ends_with(&["a: 401".to_owned(), "a: 204".to_owned()]));
    nothing_is_lost(&[A], &database, &delivery);
    delivery.stop();
}

fn oxygen(line: &str) -> Option<f64> {
    let (_, rest) = line.split_once(" do=")?;
    rest.split([',', ' ']).next()?.parse().ok()
}

/// One point and its revisions.
fn revisions(count: usize) -> Vec<String> {
    let each = (0..count).map(|number| {
        let other = number % 3;
        format!("water,station=a do={number}.0,do_qc=1i,ph{other}=7.1 1000")
    });
    each.collect()
}

#[test]
fn a_revision_never_comes_before_what_it_revises() {
    let lines = revisions(24);
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let words = r#"{"code":"internal error","message":"An internal error has occurred"}"#;
    let broken = [
        Answer::Full(500, "", words),
        Answer::Full(413, "", ""),
        Answer::Broken(""),
        Answer::Full(413, "", ""),
        Answer::Never,
        Answer::Full(413, "", ""),
    ];
    // A field is refused as well, so that whole lines, halves and single fields are mixed.
    let rules = Rules { held: vec![("ph1", true)], ..Rules::of(Kind::Two) };
    let database = Database::start(rules, &broken);
    let batches: Vec<&[&str]> = lines.chunks(3).collect();
    let config = Config { timeout_s: 2, ..config(database.port, Kind::Two, "") };
    let delivery = Delivery::start(config, &batches);
    delivery.until_it_fails();
    delivery.commit(&["water,station=a do=99.0,do_qc=1i 1000"]);
    delivery.until_none_waits();
    let mut sent = Vec::new();
    for seen in database.state().seen.iter().filter(|seen| matches!(seen.status, 204 | 422)) {
        sent.extend(seen.lines.iter().filter_map(|line| oxygen(line)));
    }
    // Halves of what was refused in part are sent again; what is new comes in order all the same.
    let mut new: Vec<f64> = Vec::new();
    for number in &sent {
        if new.last().is_none_or(|last| number > last) {
            new.push(*number);
        }
    }
    let want: Vec<f64> = (0..24).map(f64::from).chain([99.0]).collect();
    assert_eq!(new, want);
    // The last revision is sent once, when all before it has arrived.
    assert_eq!(sent.iter().filter(|number| **number > 98.0).count(), 1);
    assert_eq!(sent.last(), Some(&99.0));
    let stored = stands(database.state().stored.iter().map(String::as_str));
    assert_eq!(stored["water,station=a do 1000"], "99.0");
    delivery.stop();
}

#[test]
fn what_a_stop_leaves_is_delivered_after_the_next_start() {
    let port = peer::free_port();
    let delivery = Delivery::start(config(port, Kind::Two, ""), &[&[A], &[B]]);
    delivery.until_it_fails();
    let folder = delivery.stop();
    let database = Database::start_on(port, held(Kind::Two), &[]);
    let delivery = Delivery::start_in(folder, config(port, Kind::Two, ""), &[&[C]]);
    delivery.until_none_waits();
    let folder = delivery.stop();
    let delivery = Delivery::start_in(folder, config(port, Kind::Two, ""), &[&[D]]);
    delivery.until_none_waits();
    assert_eq!(database.requests(), ["a b c: 204", "d: 204"]);
    nothing_is_lost(&[A, B, C, D], &database, &delivery);
    delivery.stop();
}

#[test]
fn a_real_influxdb_keeps_the_good_fields_of_a_conflict() {
    let now = jiff::Timestamp::now().as_millisecond();
    let line =
        |station: &str, fields: &str, time: i64| format!("water,station={station} {fields} {time}");
    let first = line("a", "do=5.0,ph=7.1", now);
    let lines = [
        line("b", "do=\"6\",ph=7.2", now + 1),
        line("c", "do=7.0,ph=7.3", now + 2),
        line("d", "do=8.0,ph=7.4", 1_000),
        line("e,x=", "do=9.0,ph=7.5", now),
        line("f", "do=9.5,ph=7.6", now + 3),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let influx = Influx::start();
    influx.query("CREATE DATABASE weir WITH DURATION 1d");
    let config = Config { bucket: "weir".to_owned(), ..config(influx.port(), Kind::One, "") };
    let delivery = Delivery::start(config, &[&[&first]]);
    delivery.until_none_waits();
    delivery.commit(&lines);
    delivery.until_none_waits();
    let rows = influx.query("SELECT station, do, ph FROM water");
    let shown: Vec<String> = rows
        .iter()
        .map(|row| format!("{} {} {}", row[1].as_str().unwrap(), row[2], row[3]))
        .collect();
    assert_eq!(shown, ["a 5 7.1", "b null 7.2", "c 7 7.3", "f 9.5 7.6"]);
    let why = |words: &str| {
        let parts = ["field type conflict", "beyond retention policy", "missing tag value"];
        parts.into_iter().find(|part| words.contains(part)).unwrap()
    };
    let refused = delivery.refused();
    let mut refused: Vec<String> =
        refused.iter().map(|(line, _, words)| format!("{}: {}", short(line), why(words))).collect();
    refused.sort();
    let want = [
        "b.do: field type conflict",
        "d.do: beyond retention policy",
        "d.ph: beyond retention policy",
        "e.do: missing tag value",
        "e.ph: missing tag value",
    ];
    assert_eq!(refused, want);
    delivery.stop();
}

fn publish(broker: &Mosquitto, topic: &str, payload: &str) {
    let port = broker.port().to_string();
    let status = std::process::Command::new("mosquitto_pub")
        .args(["-p", &port, "-q", "1", "-t", topic, "-m", payload])
        .status()
        .unwrap();
    assert!(status.success());
}

/// The daemon itself: a field that InfluxDB holds as text costs the others nothing, is counted,
/// and is not complained of at each message.
#[test]
fn a_conflict_is_counted_and_said_once() {
    let (broker, influx) = (Mosquitto::start(""), Influx::start());
    influx.query("CREATE DATABASE weir");
    let start = jiff::Timestamp::now().as_millisecond() / 60_000 * 60_000 - 3_600_000;
    let text = [start, start + 19 * MINUTE].map(|at| format!("water ph=\"acid\" {at}\n")).concat();
    let writer =
        Writer::new(&toml::from_str(influx.config().trim_start_matches("[influx]")).unwrap());
    let sent = runtime().block_on(writer.unwrap().send(gzip(&text)));
    assert_eq!(sent, weir::influx::write::Answer::Stored);

    let mut weir = Weir::install(&broker.url(), &influx.config());
    weir.start();
    for minute in 0..20 {
        let at = start + minute * MINUTE;
        let payload = format!("{{\"ts\":{at},\"ph\":7.5,\"do\":8.0}}");
        publish(&broker, "water/sonde-01/data", &payload);
    }
    until("20 points", || influx.query("SELECT dissolved_oxygen FROM water").len() == 20);
    until("none waits", || weir.count("/influx/waiting_points") == 0);
    assert_eq!(weir.count("/influx/refused"), 20);
    weir.stop();
    assert_eq!(weir.log().matches("InfluxDB refuses").count(), 1, "{}", weir.log());
}
