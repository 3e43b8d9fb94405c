//! `weir ledger --reconcile`: a database that lost or gained a value is found, by measurement and
//! hour, whichever language it is asked in.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, reason = "a test asks its own clock")]

mod peer;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;
use std::sync::{Arc, Mutex};

use peer::{Influx, Mosquitto, Victoria, Weir, request, until};

fn publish(broker: &Mosquitto, qos: &str, ts: i64) {
    let payload =
        format!("{{\"ts\":{ts},\"temp\":18.5,\"ph\":7.61,\"do\":6.5,\"ec\":720,\"turb\":12.5}}");
    let port = broker.port().to_string();
    let arguments = ["-p", &port, "-q", qos, "-t", "water/sonde-01/data", "-m", &payload];
    assert!(Command::new("mosquitto_pub").args(arguments).status().unwrap().success());
}

/// A time some hours ago, on the hour.
fn hours_ago(hours: i64) -> i64 {
    (jiff::Timestamp::now().as_millisecond() / 3_600_000 - hours) * 3_600_000
}

fn reconciled(weir: &Weir) -> (bool, serde_json::Value) {
    let (agrees, said) = weir.command(&["ledger", "--reconcile", "--json"]);
    let told: serde_json::Value =
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
    (agrees, told["reconciliation"].clone())
}

/// Gives what is told of one measurement: delivered, held, and the hours that differ.
fn water(told: &serde_json::Value) -> (i64, i64, Vec<String>) {
    let measurements = told["measurements"].as_array().unwrap();
    let one = measurements.iter().find(|one| one["measurement"] == "water").unwrap();
    let hours = one["hours_that_differ"].as_array().unwrap().iter();
    let hours = hours.map(|hour| hour["start"].as_str().unwrap().to_owned()).collect();
    (one["journal_values"].as_i64().unwrap(), one["database_values"].as_i64().unwrap(), hours)
}

/// Publishes six messages of five values, one of them revised and one at QoS 0, and waits until
/// the database took them.
fn deliver(broker: &Mosquitto, weir: &mut Weir) -> i64 {
    weir.start();
    let start = hours_ago(5);
    for hour in 0..4 {
        publish(broker, "1", start + hour * 3_600_000);
    }
    publish(broker, "0", start + 60_000);
    publish(broker, "1", start + 120_000);
    until("delivery", || {
        weir.count("/total/messages/stored") == 6 && weir.count("/influx/waiting_points") == 0
    });
    start
}

#[test]
fn what_influxdb_1_lost_or_gained_is_named_with_its_hour() {
    let (broker, influx) = (Mosquitto::start(""), Influx::start());
    let mut weir = Weir::install(&broker.url(), &influx.config());
    let start = deliver(&broker, &mut weir);
    let (agrees, told) = reconciled(&weir);
    assert!(agrees, "{told}");
    assert_eq!(water(&told), (30, 30, Vec::new()));
    let (agrees, said) = weir.command(&["ledger", "--reconcile"]);
    assert!(agrees && said.contains("InfluxDB holds just what"), "{said}");
    let pattern = said.lines().find(|line| line.contains("water/{device}/data")).unwrap();
    assert!(pattern.ends_with("16.7 %"), "one of six came at QoS 0: {pattern}");

    let lost = start + 2 * 3_600_000;
    influx.query(&format!("DELETE FROM water WHERE time = {lost}ms"));
    let (agrees, told) = reconciled(&weir);
    assert!(!agrees, "{told}");
    let (journal, database, hours) = water(&told);
    assert_eq!((journal, database, hours.len()), (30, 25, 1));
    let hour: jiff::Timestamp = hours[0].parse().unwrap();
    assert_eq!(hour.as_millisecond(), lost);
    let (agrees, said) = weir.command(&["ledger", "--reconcile"]);
    assert!(!agrees && said.contains("DIFFERS"), "{said}");

    // What another program writes there is named too, though the sum is right again.
    let other = lost + 3_600_000;
    let line = format!("water,station=elsewhere ph=7,a=1,b=2,c=3,d=4 {other}000000");
    let door = format!("http://127.0.0.1:{}/write?db=weir", influx.port());
    let status = Command::new("curl").args(["-s", "-f", "-d", &line, &door]).status();
    assert!(status.unwrap().success());
    let (agrees, told) = reconciled(&weir);
    let (journal, database, hours) = water(&told);
    assert!(!agrees);
    assert_eq!((journal, database, hours.len()), (30, 30, 2));
    weir.stop();
}

#[test]
fn a_daemon_at_work_agrees_while_it_delivers() {
    let (broker, influx) = (Mosquitto::start(""), Influx::start());
    let mut weir = Weir::install(&broker.url(), &influx.config());
    weir.start();
    let port = broker.port().to_string();
    let mut publisher = Command::new("mosquitto_pub")
        .args(["-p", &port, "-q", "1", "-t", "water/sonde-01/data", "-l"])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = publisher.stdin.take().unwrap();
    let feed = std::thread::spawn(move || {
        for step in 0..4_000 {
            let ts = jiff::Timestamp::now().as_millisecond() - 10_000 + step % 7;
            writeln!(lines, "{{\"ts\":{ts},\"ph\":7.5,\"do\":6.5}}").unwrap();
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    });
    until("the first points", || weir.count("/influx/waiting_points") == 0);
    let mut seen = BTreeSet::new();
    while !feed.is_finished() {
        let (agrees, told) = reconciled(&weir);
        assert!(agrees, "{told}");
        if told["measurements"].as_array().is_some_and(|all| !all.is_empty()) {
            seen.insert(water(&told).1);
        }
    }
    assert!(seen.len() > 2, "it was not asked while it delivered: {seen:?}");
    feed.join().unwrap();
    publisher.wait().unwrap();
    weir.stop();
}

#[test]
fn what_influxdb_refused_is_not_looked_for() {
    let (broker, influx) = (Mosquitto::start(""), Influx::start());
    let mut weir = Weir::install(&broker.url(), &influx.config());
    weir.start();
    // In this hour ph is a text already, so no number is taken as ph.
    let start = hours_ago(2);
    let door = format!("http://127.0.0.1:{}/write?db=weir", influx.port());
    peer::until("the database", || {
        let line = format!("water,station=elsewhere ph=\"sour\" {}000000", start + 60_000);
        Command::new("curl").args(["-s", "-f", "-d", &line, &door]).status().unwrap().success()
    });
    publish(&broker, "1", start);
    publish(&broker, "1", start + 120_000);
    until("delivery", || {
        weir.count("/total/messages/stored") == 2 && weir.count("/influx/waiting_points") == 0
    });
    influx.query("DELETE FROM water WHERE station = 'elsewhere'");
    let (agrees, told) = reconciled(&weir);
    assert!(agrees, "{told}");
    assert!(told["refused_values"].as_i64().unwrap() >= 1, "{told}");
    weir.stop();
}

/// The values that a scripted InfluxDB 2 holds: series with field, and time.
type Values = Arc<Mutex<BTreeSet<(String, i64)>>>;

/// An InfluxDB 2 that takes lines and answers the one question that is asked of it.
fn influx2() -> (u16, Values) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let values = Values::default();
    let held = Arc::clone(&values);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream);
            let (first, body) = request(&mut reader);
            let (status, kind, answer) = answer(&first, &body, &held);
            let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: {kind}");
            let answer = format!("{head}\r\nContent-Length: {}\r\n\r\n{answer}", answer.len());
            reader.get_mut().write_all(answer.as_bytes()).ok();
        }
    });
    (port, values)
}

fn answer(first: &str, body: &[u8], held: &Values) -> (&'static str, &'static str, String) {
    let path = first.split([' ', '?']).nth(1).unwrap();
    match path {
        "/api/v2/write" => {
            let mut text = String::new();
            flate2::read::MultiGzDecoder::new(body).read_to_string(&mut text).ok();
            for line in text.lines() {
                let [series, fields, time] = split(line, ' ')[..] else { panic!("{line}") };
                for field in split(fields, ',') {
                    let name = format!("{series} {}", field.split('=').next().unwrap());
                    held.lock().unwrap().insert((name, time.parse().unwrap()));
                }
            }
            ("204 No Content", "text/plain", String::new())
        }
        "/api/v2/query" => {
            let asked: serde_json::Value = serde_json::from_slice(body).unwrap();
            let flux = asked["query"].as_str().unwrap();
            let part = |before: &str, after: &str| {
                let rest = flux.split_once(before).unwrap().1;
                rest.split_once(after).unwrap().0.to_owned()
            };
            let millis = |text: String| text.parse::<jiff::Timestamp>().unwrap().as_millisecond();
            let range = millis(part("start: ", ","))..millis(part("stop: ", ")"));
            let measurement = format!("{},", part("_measurement == \"", "\""));
            let mut hours: BTreeMap<i64, usize> = BTreeMap::new();
            for (name, time) in held.lock().unwrap().iter() {
                if name.starts_with(&measurement) && range.contains(time) {
                    *hours.entry(time / 3_600_000 * 3_600_000).or_default() += 1;
                }
            }
            let head = "#datatype,string,long,dateTime:RFC3339,long\r\n\
                        #group,false,false,true,false\r\n#default,_result,,,\r\n\
                        ,result,table,_start,_value\r\n";
            let rows = hours.iter().enumerate().map(|(table, (hour, count))| {
                let start = jiff::Timestamp::from_millisecond(*hour).unwrap();
                format!(",,{table},{start},{count}\r\n")
            });
            let rows: String = rows.collect();
            ("200 OK", "text/csv; charset=utf-8", format!("{head}{rows}\r\n"))
        }
        _ => ("200 OK", "application/json", "{\"buckets\":[]}".to_owned()),
    }
}

/// Splits a line of points where it is neither escaped nor quoted.
fn split(text: &str, at: char) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(|letter| {
        let ends = letter == at && !quoted && !escaped;
        quoted ^= letter == '"' && !escaped;
        escaped = letter == '\\' && !escaped;
        ends
    })
    .collect()
}

#[test]
fn influxdb_2_is_asked_by_flux() {
    let (broker, (port, values)) = (Mosquitto::start(""), influx2());
    let more = format!(
        "[influx]\nurl = 'http://127.0.0.1:{port}'\norg = 'o'\nbucket = 'b'\ntoken_file = 'token'\n"
    );
    let mut weir = Weir::install(&broker.url(), &more);
    std::fs::write(weir.folder().join("token"), "t").unwrap();
    let start = deliver(&broker, &mut weir);
    let (agrees, told) = reconciled(&weir);
    assert!(agrees, "{told}");
    assert_eq!(water(&told), (30, 30, Vec::new()));
    let lost = start + 3_600_000;
    values.lock().unwrap().retain(|(name, time)| *time != lost || !name.ends_with(" ph"));
    let (agrees, told) = reconciled(&weir);
    let (journal, database, hours) = water(&told);
    assert!(!agrees);
    assert_eq!((journal, database), (30, 29));
    assert_eq!(hours.len(), 1);
    assert_eq!(hours[0].parse::<jiff::Timestamp>().unwrap().as_millisecond(), lost);
    weir.stop();
}

#[test]
fn who_cannot_be_asked_is_said() {
    let (broker, victoria) = (Mosquitto::start(""), Victoria::start());
    let mut weir = Weir::install(&broker.url(), &victoria.config());
    deliver(&broker, &mut weir);
    let (asked, said) = weir.command(&["ledger", "--reconcile"]);
    assert!(!asked && said.contains("victoria has no Flux, so it can't be asked"), "{said}");
    weir.stop();

    let mut weir = Weir::install(&broker.url(), "");
    weir.start();
    let (asked, said) = weir.command(&["ledger", "--reconcile"]);
    assert!(!asked && said.contains("no [influx] is configured"), "{said}");
    weir.stop();
}
