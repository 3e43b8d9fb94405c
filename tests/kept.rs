//! What programs are told of the past, by the daemon itself: out of the database that it writes to,
//! part by part, with what it remembers over it; and what it says where there is no answer.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, reason = "a test asks its own clock")]

mod described;
mod peer;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use described::differences;
use peer::{Influx, Mosquitto, Victoria, Weir, escaped, get, until};
use serde_json::{Value, json};
use weir::domain::time::{DAY, HOUR, MINUTE};

const OXYGEN: &str = "/observations?datastream=puhe-huishan%2Fdissolved_oxygen";

/// Writes lines with times in ms.
fn write(port: u16, lines: &str) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let length = lines.len();
    let head = format!(
        "POST /write?db=weir&precision=ms HTTP/1.0\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(format!("{head}{lines}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains(" 204 "), "{answer}");
}

/// Now, to the minute, ms.
fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond() / MINUTE * MINUTE
}

fn text(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).unwrap().to_string()
}

/// A key of a query with a time.
fn key(name: &str, ms: i64) -> String {
    format!("&{name}={}", escaped(&text(ms)))
}

fn publish(broker: &Mosquitto, ts: i64, oxygen: f64) {
    let payload = format!("{{\"ts\":{ts},\"do\":{oxygen}}}");
    let port = broker.port().to_string();
    let arguments = ["-p", &port, "-q", "1", "-t", "water/sonde-01/data", "-m", &payload];
    assert!(Command::new("mosquitto_pub").args(arguments).status().unwrap().success());
}

/// A daemon that is asked as a program does.
struct Site {
    weir: Weir,
    document: Value,
}

impl Site {
    fn start(broker: &Mosquitto, influx: &str) -> Self {
        let mut weir = Weir::install(&broker.url(), influx);
        weir.start();
        let document = get(weir.page(), "/api/v1/openapi.json").1;
        Self { weir, document: serde_json::from_str(&document).unwrap() }
    }

    /// Gets a list, held against its description, and follows it to its end.
    #[track_caller]
    fn list(&self, address: &str) -> (Vec<Value>, usize) {
        let path = address.split('?').next().unwrap().replace('/', "~1");
        let schema = format!("/paths/{path}/get/responses/200/content/application~1json/schema");
        let schema = self.document.pointer(&schema).unwrap();
        let (mut all, mut parts, mut next) = (vec![], 0, Some(format!("/api/v1{address}")));
        while let Some(address) = next {
            let (status, body) = get(self.weir.page(), &address);
            assert_eq!(status, 200, "{address}: {body}");
            let part: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(differences(&self.document, schema, &part), [] as [&str; 0], "{body}");
            all.extend(part["value"].as_array().unwrap().iter().cloned());
            next = part["next"].as_str().map(str::to_owned);
            parts += 1;
            assert!(parts < 100, "{address} has no end");
        }
        (all, parts)
    }

    #[track_caller]
    fn refused(&self, address: &str, status: u16, kind: &str, words: &[&str]) {
        let (answered, body) = get(self.weir.page(), &format!("/api/v1{address}"));
        assert_eq!(answered, status, "{address}: {body}");
        let problem: Value = serde_json::from_str(&body).unwrap();
        let schema = self.document.pointer("/components/schemas/Problem").unwrap();
        assert_eq!(differences(&self.document, schema, &problem), [] as [&str; 0], "{body}");
        assert_eq!(problem["type"], format!("/api/v1/problems#{kind}"));
        for word in words {
            assert!(body.contains(word), "{address}: no `{word}` in {body}");
        }
    }
}

fn numbers(list: &[Value]) -> Vec<f64> {
    list.iter().filter_map(|one| one["result"].as_f64()).collect()
}

/// An hour of oxygen for each of so many hours from a time on, as weir writes it.
fn hours(from: i64, count: i64) -> String {
    let tags = "place=puhe,station=puhe-huishan";
    let line = |at: i64| {
        let (time, oxygen) = (from + at * HOUR, 5.0 + at as f64 / 1_000.0);
        format!("water,{tags} dissolved_oxygen={oxygen} {time}\n")
    };
    (0..count).map(line).collect()
}

#[test]
fn a_month_of_a_year_ago_is_read_out_of_influxdb() {
    let (broker, mut influx) = (Mosquitto::start(""), Influx::start());
    influx.query("CREATE DATABASE weir");
    let site = Site::start(&broker, &influx.config());
    let begin = now() - 365 * DAY;
    write(influx.port(), &hours(begin, 720));
    let tags = "place=puhe,station=puhe-huishan";
    let (marked, missing) = (begin + HOUR, begin + 2 * HOUR);
    write(
        influx.port(),
        &format!(
            "water,{tags} dissolved_oxygen_qc=3i,dissolved_oxygen_mark=\"D\",\
             dissolved_oxygen_censored=\"<\" {marked}\n\
             water,{tags} dissolved_oxygen_qc=9i {missing}\n\
             water_1h,{tags} dissolved_oxygen=5.5,dissolved_oxygen_qc=3i {begin}\n"
        ),
    );
    until("the datastream", || get(site.weir.page(), "/api/v1/status").0 == 200);
    let month = format!("{OXYGEN}{}{}", key("from", begin), key("to", begin + 30 * DAY));
    let (whole, parts) = site.list(&format!("{month}&limit=100"));
    assert_eq!((whole.len(), parts), (720, 8));
    assert_eq!(site.list(&format!("{month}&limit=1000")), (whole.clone(), 1));
    assert_eq!(numbers(&whole)[..2], [5.0, 5.001]);
    assert_eq!(numbers(&whole).last(), Some(&5.719));
    assert_eq!(whole[1]["result_quality"], json!({ "flag": 3, "doubts": null }));
    assert_eq!((&whole[1]["mark"], &whole[1]["censored"]), (&json!("D"), &json!("<")));
    assert_eq!(
        (&whole[2]["result"], &whole[2]["result_quality"]["flag"]),
        (&json!(null), &json!(9))
    );
    let (means, _) = site.list(&format!("{month}&period=1h"));
    assert_eq!(numbers(&means), [5.5]);
    let time = means[0]["phenomenon_time"].as_str().unwrap();
    assert!(time.contains('/') && means[0]["result_quality"]["flag"] == 3, "{time}");

    verdicts_are_read_part_by_part(&site, &influx, begin);
    what_is_remembered_lies_over_it(&site, &influx, &broker);

    let long =
        format!("{OXYGEN}{}{}", key("from", begin - 365 * DAY), key("to", begin + 100 * DAY));
    site.refused(&long, 400, "wrong", &["at most 400 days", "ask from", "go on from there"]);
    let maximum = format!("{OXYGEN}&period=24h_max_8h{}", key("from", begin - 365 * DAY));
    site.refused(&maximum, 400, "wrong", &["has no such means", "native, 1h"]);
    site.refused(&format!("{month}&limit=2000"), 400, "wrong", &["1 to 1000", "`next`"]);
    site.refused(&format!("{month}&stored=no"), 400, "wrong", &["expected true or false"]);

    influx.stop();
    site.refused(&month, 503, "away", &["does not answer", "stored=false"]);
    let history = format!("/assessments/history?station=puhe-huishan{}", key("from", begin));
    site.refused(&history, 503, "away", &["does not answer", "/api/v1/assessments"]);
    assert_eq!(site.list(&format!("{month}&stored=false")).0, [] as [Value; 0]);
}

/// Two verdicts at each of five instants: they stay together.
fn verdicts_are_read_part_by_part(site: &Site, influx: &Influx, begin: i64) {
    let lines = (0..5).map(|at| {
        let tags = "place=puhe,station=puhe-huishan";
        let time = begin + at * HOUR;
        format!(
            "assessment,period=native,{tags},subject=dissolved_oxygen verdict=\"exceeds\",\
             limit=\"GB 3838-2002 table 1 item 3 IV\",class=\"\",multiple=0.5,value=2.{at},\
             reason=\"\",unconfirmed=true,edition=\"e1\" {time}\n\
             assessment,period=24h,{tags},subject=water_class verdict=\"not_assessable\",\
             class=\"\",limit=\"\",reason=\"missing\",items=3i,unconfirmed=false {time}\n"
        )
    });
    write(influx.port(), &lines.collect::<String>());
    let history = format!("/assessments/history?station=puhe-huishan{}", key("from", begin));
    let history = format!("{history}{}", key("to", begin + DAY));
    let (all, _) = site.list(&history);
    assert_eq!(all.len(), 10);
    for (limit, want) in [(1, 5), (2, 5), (3, 5), (4, 3), (9, 2), (10, 1)] {
        let (cut, parts) = site.list(&format!("{history}&limit={limit}"));
        assert_eq!((cut.len(), parts), (10, want), "{limit} at once");
    }
    let (oxygen, _) = site.list(&format!("{history}&subject=dissolved_oxygen"));
    let values: Vec<&Value> = oxygen.iter().map(|one| &one["value"]).collect();
    assert_eq!(values, [&json!(2.0), &json!(2.1), &json!(2.2), &json!(2.3), &json!(2.4)]);
    let (verdict, limit) = (&oxygen[0]["verdict"], &oxygen[0]["limit"]);
    assert_eq!((verdict, limit), (&json!("exceeds"), &json!("GB 3838-2002 table 1 item 3 IV")));
    let said = (&oxygen[0]["unconfirmed"], &oxygen[0]["class"], &oxygen[0]["multiple"]);
    assert_eq!(said, (&json!(true), &json!(null), &json!(0.5)));
    let (class, _) = site.list(&format!("{history}&subject=water_class"));
    assert_eq!((&class[0]["reason"], &class[0]["period"]), (&json!("missing"), &json!("24h")));
}

fn what_is_remembered_lies_over_it(site: &Site, influx: &Influx, broker: &Mosquitto) {
    let begin = now() - 3 * HOUR;
    for minute in 0..3 {
        publish(broker, begin + minute * MINUTE, 6.5 + minute as f64 / 10.0);
    }
    until("delivery", || {
        site.weir.count("/total/messages/stored") == 3
            && site.weir.count("/influx/waiting_points") == 0
    });
    // One of before, which only the database has.
    write(influx.port(), &hours(begin - 40 * MINUTE, 1));
    let ask = format!("{OXYGEN}{}&limit=2", key("from", begin - HOUR));
    // What is remembered is looked at once a second.
    until("the view", || site.list(&format!("{ask}&stored=false")).0.len() == 3);
    let (all, parts) = site.list(&ask);
    assert_eq!(numbers(&all), [5.0, 6.5, 6.6, 6.7]);
    assert_eq!(parts, 2);
    let doubts = |one: &Value| one["result_quality"]["doubts"].clone();
    assert_eq!((doubts(&all[0]), doubts(&all[1])), (Value::Null, json!([])));
    let (held, _) = site.list(&format!("{ask}&stored=false"));
    assert_eq!(held, all[1..]);
}

#[test]
fn victoria_metrics_is_read_as_far_as_a_time_goes() {
    let (broker, victoria) = (Mosquitto::start(""), Victoria::start());
    let site = Site::start(&broker, &victoria.config());
    // A week, then nothing for most of a year, then a week.
    let begin = now() - 360 * DAY;
    write(victoria.port(), &hours(begin, 168));
    write(victoria.port(), &hours(begin + 300 * DAY, 168));
    victoria.export("{__name__!=\"\"}");
    let year = format!("{OXYGEN}{}{}", key("from", begin), key("to", begin + 350 * DAY));
    let (whole, parts) = site.list(&format!("{year}&limit=50"));
    assert_eq!((whole.len(), parts), (336, 7));
    assert_eq!(numbers(&whole)[166..170], [5.166, 5.167, 5.0, 5.001]);
    let history = "/assessments/history?station=puhe-huishan";
    site.refused(history, 404, "not_kept", &["VictoriaMetrics keeps numbers and no verdicts"]);

    // It keeps no classes, and the page of a station makes them of the days' means.
    let midnight = (now() + 8 * HOUR) / DAY * DAY - 8 * HOUR;
    let tags = "place=puhe,station=puhe-huishan";
    let day = |ago: i64, oxygen: f64| {
        format!("water_24h,{tags} dissolved_oxygen={oxygen} {}\n", midnight - ago * DAY)
    };
    write(victoria.port(), &[day(5, 6.4), day(4, 1.2)].concat());
    victoria.export("{__name__!=\"\"}");
    let page = get(site.weir.page(), "/stations/puhe-huishan?lang=en").1;
    for words in ["Made of the means of days", "<strong>II</strong>", "<strong>&gt;V</strong>"] {
        assert!(page.contains(words), "no `{words}` in {page}");
    }
}
