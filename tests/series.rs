//! A series on the page: what was written to the database is read back as it was, in each language
//! that it is asked in, and the page says where its numbers come from, down to the bytes.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, reason = "a test asks its own clock")]

mod peer;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use peer::{
    Influx, Mosquitto, TOKEN, Victoria, Weir, escaped, get, request, said_of_it, send_form, until,
};
use weir::domain::judgement::Judgement;
use weir::domain::name::Names;
use weir::domain::observation::{
    Completeness, NilReason, Observation, ObservationResult, Period, QualifiedObservation, Side,
};
use weir::domain::quality::{Flag, Quality, Test};
use weir::domain::registry::{Datastream, Registry};
use weir::domain::time::{HOUR, MINUTE, Timestamp};
use weir::influx::line::{Points, Renderer, place};
use weir::influx::series::{Keep, Read, Stored, read};
use weir::influx::write::{Answer, Writer};
use weir::influx::{Config, Error};
use weir::seed::{Tables, compile};

/// 2026-06-01T00:00:00Z.
const BEGIN: Timestamp = Timestamp(1_780_272_000_000);

fn registry() -> Registry {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let tables = Tables::read(&folder).unwrap();
    let networks = ["rivers".to_owned(), "parks".to_owned()];
    compile(&tables, Judgement::default(), &networks, &mut Names::default()).unwrap()
}

fn config(of: &str) -> Config {
    toml::from_str(of.trim_start_matches("[influx]")).unwrap()
}

fn minute(count: i64) -> Timestamp {
    BEGIN.plus(count * MINUTE)
}

fn time_of(one: &QualifiedObservation) -> Timestamp {
    one.observation.phenomenon_time.start()
}

/// A value that passed.
fn value(stream: &Datastream, at: Timestamp, number: f64) -> QualifiedObservation {
    let observation = Observation {
        datastream: stream.id,
        period: Period::Native,
        phenomenon_time: stream.span_from(at),
        result: ObservationResult::Value(number),
        raw: None,
        clock: Flag::Pass,
        mark: None,
    };
    let quality = Quality::only(Test::GrossRange, Flag::Pass);
    let (revision, completeness, flag_only) = (false, None, false);
    QualifiedObservation { observation, quality, revision, completeness, flag_only }
}

fn flagged(one: QualifiedObservation, flag: Flag) -> QualifiedObservation {
    QualifiedObservation { quality: Quality::only(Test::GrossRange, flag), ..one }
}

/// Values of every kind, in the order in which they came.
fn written(stream: &Datastream) -> Vec<QualifiedObservation> {
    let plain = |count, number| value(stream, minute(count), number);
    let mut below = plain(3, 0.02);
    below.observation.result = ObservationResult::Censored { side: Side::Below, limit: 0.02 };
    let mut nil = flagged(plain(4, 0.0), Flag::Missing);
    nil.observation.result = ObservationResult::Nil(NilReason::Missing);
    let mut calibrated = plain(5, 7.3858);
    calibrated.observation.raw = Some(7.29);
    let revised = QualifiedObservation { revision: true, ..plain(6, 5.5) };
    let mut gone = QualifiedObservation { revision: true, ..flagged(plain(7, 0.0), Flag::Missing) };
    gone.observation.result = ObservationResult::Nil(NilReason::Missing);
    let told = QualifiedObservation { flag_only: true, ..flagged(plain(1, 6.5), Flag::Suspect) };
    let failed = flagged(plain(2, 9_999.0), Flag::Fail);
    vec![
        plain(0, 6.4),
        plain(1, 6.5),
        failed,
        below,
        nil,
        calibrated,
        plain(6, 5.0),
        plain(7, 5.1),
        revised,
        gone,
        told,
    ]
}

/// The same as they are to be read; where only numbers are kept, what is text is lost.
fn stored(keeps_text: bool) -> Vec<Stored> {
    let of = |count: i64, value: f64| Stored {
        at: minute(count),
        value: Some(value),
        flag: 1,
        ..Stored::default()
    };
    vec![
        of(0, 6.4),
        Stored { flag: 3, ..of(1, 6.5) },
        Stored { flag: 4, ..of(2, 9_999.0) },
        Stored { censored: if keeps_text { "<" } else { "" }, ..of(3, 0.02) },
        Stored { value: None, flag: 9, ..of(4, 0.0) },
        Stored { raw: Some(7.29), ..of(5, 7.3858) },
        Stored { revision: true, ..of(6, 5.5) },
        Stored { value: None, flag: 9, revision: keeps_text, ..of(7, 0.0) },
    ]
}

fn hour_mean(stream: &Datastream) -> QualifiedObservation {
    let mut mean = value(stream, BEGIN, 6.41);
    mean.observation.period = Period::Hour;
    let extremes = Some((2.4, 7.5));
    let completeness = Completeness { received: 60, valid: 58, expected: 60, extremes };
    QualifiedObservation { completeness: Some(completeness), ..mean }
}

/// A database, asked as the page does.
struct Asked {
    registry: Registry,
    config: Config,
    runtime: tokio::runtime::Runtime,
}

impl Asked {
    fn new(of: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { registry: registry(), config: config(of), runtime }
    }

    /// Writes what weir would.
    #[track_caller]
    fn write(&self, all: &[QualifiedObservation]) {
        let writer = Writer::new(&self.config).unwrap();
        let mut renderer = Renderer::new(&self.registry);
        let mut lines = Vec::new();
        for one in all {
            let observations = std::slice::from_ref(one);
            let points = Points { observations, ..Points::default() };
            renderer.render(&self.registry, points, &mut lines);
        }
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&lines).unwrap();
        let answer = self.runtime.block_on(writer.send(gzip.finish().unwrap().into()));
        assert_eq!(answer, Answer::Stored, "{}", String::from_utf8_lossy(&lines));
    }

    fn read(&self, stream: &Datastream, period: Period, from: i64, to: i64) -> Result<Read, Error> {
        let place = place(&self.registry, stream, period);
        let span = (minute(from), minute(to));
        self.runtime.block_on(read(&self.config, &place, span, Keep::Newest(50_000)))
    }

    /// Of more than are wanted the ends are read, and where the rest begins is said.
    #[track_caller]
    fn reads_the_first_and_the_newest(&self, stream: &Datastream, whole: &[Stored]) {
        let place = place(&self.registry, stream, Period::Native);
        // Far before and after there is nothing.
        let span = (minute(-60 * 24 * 90), minute(60 * 24 * 300));
        let read = |keep| self.runtime.block_on(read(&self.config, &place, span, keep)).unwrap();
        let first = read(Keep::First(3));
        assert_eq!((&*first.values, first.cut), (&whole[..3], Some(minute(3))));
        let newest = read(Keep::Newest(3));
        assert_eq!((&*newest.values, newest.cut), (&whole[5..], Some(minute(4))));
        let all = read(Keep::First(8));
        assert_eq!((&*all.values, all.cut), (whole, None));
    }

    fn stream(&self, name: &str) -> &Datastream {
        self.registry.datastreams.iter().find(|one| &*one.name == name).unwrap()
    }
}

#[test]
fn influxdb_1_gives_back_what_was_written() {
    let influx = Influx::start();
    influx.query("CREATE DATABASE weir");
    let asked = Asked::new(&influx.config());
    let oxygen = asked.stream("puhe-daoyi/dissolved_oxygen");
    let placed = asked.registry.datastreams.iter().find(|one| !one.position.is_empty()).unwrap();
    for stream in [oxygen, placed] {
        asked.write(&written(stream));
        let whole = asked.read(stream, Period::Native, 0, 60).unwrap();
        assert_eq!(whole, Read { values: stored(true), cut: None }, "{}", stream.name);
        asked.reads_the_first_and_the_newest(stream, &whole.values);
        // From the first instant to before the last.
        let part = asked.read(stream, Period::Native, 1, 5).unwrap();
        assert_eq!(part.values, &whole.values[1..5]);
        assert_eq!(asked.read(stream, Period::Native, 60, 90).unwrap(), Read::default());
    }
    asked.write(&[hour_mean(oxygen)]);
    let mean = Stored { at: BEGIN, value: Some(6.41), flag: 1, ..Stored::default() };
    let mean = Stored { span: Some((2.4, 7.5)), ..mean };
    assert_eq!(asked.read(oxygen, Period::Hour, 0, 60).unwrap().values, [mean]);
}

#[test]
fn victoria_metrics_gives_back_the_numbers_that_were_written() {
    let victoria = Victoria::start();
    let asked = Asked::new(&victoria.config());
    let oxygen = asked.stream("puhe-daoyi/dissolved_oxygen");
    // It promises no revision of what stands there already: each moment is written once.
    let mut all = written(oxygen);
    all.retain(|one| !one.flag_only);
    let again: Vec<_> = all.iter().filter(|one| one.revision).map(time_of).collect();
    all.retain(|one| one.revision || !again.contains(&time_of(one)));
    all.push(hour_mean(oxygen));
    asked.write(&all);
    // It shows what it took once it has put it away.
    victoria.export("{__name__!=\"\"}");
    let mut want = stored(false);
    want[1].flag = 1;
    assert_eq!(asked.read(oxygen, Period::Native, 0, 60).unwrap().values, want);
    asked.reads_the_first_and_the_newest(oxygen, &want);
    let mean = asked.read(oxygen, Period::Hour, 0, 60).unwrap().values.remove(0);
    assert_eq!((mean.value, mean.span), (Some(6.41), Some((2.4, 7.5))));
}

/// Answers a question in Flux with tables of three fields; notes what was asked.
fn flux() -> (u16, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, asked) = (listener.local_addr().unwrap().port(), Arc::new(Mutex::default()));
    let noted = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream);
            let (_, body) = request(&mut reader);
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            *noted.lock().unwrap() = body["query"].as_str().unwrap().to_owned();
            let table = |kind: &str, number: u8, rows: &[(&str, &str, &str)]| {
                let head = format!(
                    "#datatype,string,long,dateTime:RFC3339,string,{kind}\r\n\
                     #group,false,false,false,true,false\r\n#default,_result,,,,\r\n\
                     ,result,table,_time,_field,_value\r\n"
                );
                let row = |(at, field, value): &(&str, &str, &str)| {
                    format!(",,{number},2026-06-01T00:0{at}:00Z,{field},{value}\r\n")
                };
                head + &rows.iter().map(row).collect::<String>() + "\r\n"
            };
            let (oxygen, flag) = ("dissolved_oxygen", "dissolved_oxygen_qc");
            let answer = table("double", 0, &[("1", oxygen, "6.5"), ("0", oxygen, "6.4")])
                + &table("long", 1, &[("2", flag, "9"), ("1", flag, "3")])
                + &table("string", 2, &[("0", "dissolved_oxygen_censored", "<")]);
            let length = answer.len();
            let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/csv";
            let answer = format!("{head}\r\nContent-Length: {length}\r\n\r\n{answer}");
            reader.get_mut().write_all(answer.as_bytes()).ok();
        }
    });
    (port, asked)
}

#[test]
fn influxdb_2_is_asked_by_flux_and_its_tables_are_put_together() {
    let (port, asked) = flux();
    let of = format!("[influx]\nurl = 'http://127.0.0.1:{port}'\norg = 'o'\nbucket = 'b'\n");
    let database = Asked::new(&of);
    let oxygen = database.stream("puhe-daoyi/dissolved_oxygen");
    let found = database.read(oxygen, Period::Native, 0, 60).unwrap();
    let of = |count, value: f64| Stored {
        at: minute(count),
        value: Some(value),
        flag: 1,
        ..Stored::default()
    };
    let want = [
        Stored { censored: "<", ..of(0, 6.4) },
        Stored { flag: 3, ..of(1, 6.5) },
        Stored { value: None, flag: 9, ..of(2, 0.0) },
    ];
    assert_eq!(found.values, want);
    let asked = asked.lock().unwrap().clone();
    for part in [
        "range(start: 2026-06-01T00:00:00+00:00, stop: 2026-06-01T01:00:00+00:00)",
        "r._measurement == \"water\"",
        "r.station == \"puhe-daoyi\" and not exists r.position",
        "r._field == \"dissolved_oxygen_raw\"",
    ] {
        assert!(asked.contains(part), "{part}: {asked}");
    }
}

#[test]
fn who_is_away_or_has_no_such_database_says_so() {
    let ask = |of: &str| {
        let asked = Asked::new(of);
        asked.read(asked.stream("puhe-daoyi/dissolved_oxygen"), Period::Native, 0, 60)
    };
    let away = "[influx]\nurl = 'http://127.0.0.1:9'\ndialect = 'influx1'\nbucket = 'weir'\n";
    assert!(matches!(ask(away), Err(Error::Away { .. })));
    let influx = Influx::start();
    let other = influx.config().replace("'weir'", "'no_such'");
    assert!(
        matches!(ask(&other), Err(Error::Unreadable { fault, .. }) if fault.contains("no_such"))
    );
}

/// Publishes a record of the sonde at Huishan.
fn publish(broker: &Mosquitto, ts: i64, oxygen: f64) {
    let payload = format!(
        "{{\"ts\":{ts},\"temp\":18.5,\"ph\":7.61,\"do\":{oxygen},\"ec\":720,\"turb\":12.5}}"
    );
    let port = broker.port().to_string();
    let arguments = ["-p", &port, "-q", "1", "-t", "water/sonde-01/data", "-m", &payload];
    assert!(Command::new("mosquitto_pub").args(arguments).status().unwrap().success());
}

/// Publishes some minutes until now, and gives the time of the first.
fn publish_minutes(broker: &Mosquitto, weir: &Weir, count: i64) -> i64 {
    let now = jiff::Timestamp::now().as_millisecond() / 60_000 * 60_000;
    let first = now - count * 60_000;
    for at in 0..count {
        publish(broker, first + at * 60_000, 6.5 + at as f64 / 10.0);
    }
    until("messages", || weir.count("/total/messages/stored") == count);
    first
}

const STATION: &str = "/stations/puhe-huishan";
const OXYGEN: &str = "series=puhe-huishan%2Fdissolved_oxygen";

#[test]
fn without_the_database_the_page_shows_what_is_remembered_and_says_so() {
    let (broker, mut influx) = (Mosquitto::start(""), Influx::start());
    influx.query("CREATE DATABASE weir");
    let mut weir = Weir::install(&broker.url(), &influx.config());
    weir.start();
    publish_minutes(&broker, &weir, 3);
    until("delivery", || weir.count("/influx/waiting_points") == 0);
    // A value of long ago, which only the database has.
    let old = (jiff::Timestamp::now().as_millisecond() - 50 * HOUR) * 1_000_000;
    influx.write(&format!("water,place=puhe,station=puhe-huishan dissolved_oxygen=3.21 {old}"));
    let csv = |weir: &Weir| {
        let from =
            escaped(&(jiff::Timestamp::now() - jiff::SignedDuration::from_hours(60)).to_string());
        let path = format!("{STATION}/series.csv?{OXYGEN}&from={from}");
        let (status, body) = get(weir.page(), &path);
        assert_eq!(status, 200, "{body}");
        body.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    until("the view", || csv(&weir).len() == 4);
    assert!(csv(&weir)[0].contains(",3.21,mg/L,1,0,3.21,instant,puhe-huishan"), "{:?}", csv(&weir));
    let page = get(weir.page(), &format!("{STATION}?{OXYGEN}&span=7d&table=1")).1;
    assert!(page.contains("3.21") && !page.contains("can&#x27;t be asked"), "{page}");
    influx.stop();
    let asked = || get(weir.page(), &format!("{STATION}?{OXYGEN}&span=7d&table=1"));
    // What is remembered is looked at once a second.
    until("what is remembered", || asked().1.contains("6.70"));
    let (status, page) = asked();
    let said = page.contains("The database can&#x27;t be asked");
    assert!(status == 200 && said && page.contains("shown is what weir remembers"), "{page}");
    assert!(!page.contains("3.21"), "{page}");
    assert_eq!(csv(&weir).len(), 3);
}

#[test]
fn a_database_that_does_not_answer_holds_no_page_up() {
    let (broker, listener) = (Mosquitto::start(""), TcpListener::bind("127.0.0.1:0").unwrap());
    let port = listener.local_addr().unwrap().port();
    let of = format!(
        "[influx]\nurl = 'http://127.0.0.1:{port}'\ndialect = 'influx1'\nbucket = 'weir'\n"
    );
    let mut weir = Weir::install(&broker.url(), &of);
    weir.start();
    publish_minutes(&broker, &weir, 1);
    let asked = || get(weir.page(), &format!("{STATION}?{OXYGEN}"));
    until("the view", || asked().1.contains("6.50"));
    let begun = std::time::Instant::now();
    let (status, page) = asked();
    assert!(status == 200 && page.contains("no answer in 3 s"), "{page}");
    assert!(begun.elapsed() < std::time::Duration::from_secs(6), "{:?}", begun.elapsed());
}

#[test]
fn a_value_is_followed_down_to_the_bytes_of_its_message() {
    let broker = Mosquitto::start("");
    let mut weir = Weir::install(&broker.url(), "");
    weir.start();
    let first = publish_minutes(&broker, &weir, 3);
    // A revision of the first.
    publish(&broker, first, 5.25);
    until("the view", || {
        let page = get(weir.page(), &format!("{STATION}/series.csv?{OXYGEN}")).1;
        page.contains(",5.25,mg/L,1,1,5.25,instant") && page.lines().count() == 4
    });
    let raw = |at: i64| get(weir.page(), &format!("{STATION}/raw?{OXYGEN}&at={at}"));
    let (status, page) = raw(first);
    assert_eq!(status, 200);
    for part in [
        "water&#x2f;sonde-01&#x2f;data",
        "QoS 1",
        "rivers, sonde-01",
        "7b 22 74 73 22 3a",
        "<code>&#x2f;do</code>: <strong>6.5 mg&#x2f;L</strong>",
        "A later message of the same time",
        "5.25 mg&#x2f;L",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let (_, page) = raw(first + 1);
    assert!(page.contains("says this value") && !page.contains("7b 22"), "{page}");
    let (_, page) = get(weir.page(), &format!("{STATION}/raw?{OXYGEN}&at=x"));
    assert!(page.contains("This is no time."), "{page}");
    let absent = [
        "/stations/no-such".to_owned(),
        format!("{STATION}?series=no%2Fsuch"),
        format!("{STATION}/raw?series=x&at=1"),
        format!("{STATION}/series.csv?series=x"),
        "/stations/no-such/series.csv".to_owned(),
    ];
    for path in absent {
        assert_eq!(get(weir.page(), &path).0, 404, "{path}");
    }
}

/// Gives the fields of the form of a page that holds a text, as a browser would send them if nobody
/// wrote anything.
fn form(page: &str, holds: &str) -> Vec<(String, String)> {
    let forms = page.split("<form").skip(1).map(|form| form.split("</form>").next().unwrap());
    let form = forms.filter(|form| form.contains(holds)).last().unwrap();
    let of = |field: &str, name: &str| {
        let value = field.split(&format!(" {name}=\"")).nth(1)?;
        Some(value.split('"').next().unwrap().replace("&#x2f;", "/"))
    };
    let fields = form.split(['<', '>']).filter(|part| {
        part.starts_with("select") || (part.starts_with("input") && !part.contains("checkbox"))
    });
    let pair = |field: &str| Some((of(field, "name")?, of(field, "value").unwrap_or_default()));
    fields.filter_map(pair).collect()
}

/// Fills in a form of a station's page and sends it; gives what is said of it.
fn send(weir: &Weir, holds: &str, filled: &[(&str, &str)]) -> String {
    let mut fields = form(&get(weir.page(), &format!("{STATION}?lang=en")).1, holds);
    for (name, value) in filled {
        let field = fields.iter_mut().find(|(held, _)| held == name);
        let (_, held) = field.unwrap_or_else(|| panic!("the form has no field {name}"));
        (*value).clone_into(held);
    }
    let fields: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (&**name, &**value)).collect();
    let answer = send_form(weir.page(), "en", &fields);
    let back = answer.contains(&format!("location: {STATION}#said"));
    assert!(answer.starts_with("HTTP/1.0 303") && back, "{answer}");
    said_of_it(&answer)
}

#[test]
fn values_are_judged_by_the_forms_of_their_station_and_taken_back() {
    let broker = Mosquitto::start("");
    let mut weir = Weir::install(&broker.url(), "");
    weir.start();
    let first = publish_minutes(&broker, &weir, 3);
    let flags = || {
        let csv = get(weir.page(), &format!("{STATION}/series.csv?{OXYGEN}")).1;
        let flag = |line: &str| line.split(',').nth(3).unwrap().to_owned();
        csv.lines().skip(1).map(flag).collect::<Vec<_>>()
    };
    until("the view", || flags() == ["1", "1", "1"]);
    let local = |minute: i64| {
        let at = jiff::Timestamp::from_millisecond(first + minute * 60_000).unwrap();
        jiff::tz::offset(8).to_datetime(at).strftime("%Y-%m-%dT%H:%M").to_string()
    };
    let invalidate = "value=\"invalidate\"";
    let (from, to) = (local(1), local(2));
    let filled = [("property", "dissolved_oxygen"), ("from", &from), ("to", &to)];
    assert!(send(&weir, invalidate, &filled).contains("the reason is a line"));
    let said = send(&weir, invalidate, &[&filled[..], &[("words", "in a <bucket>")]].concat());
    assert!(said.contains("invalidation 1 of puhe-huishan: from "), "{said}");
    assert!(said.contains("1 values that are held are of another quality now"), "{said}");
    until("the flag", || flags() == ["1", "4", "1"]);
    let page = get(weir.page(), &format!("{STATION}?lang=en")).1;
    for part in ["does not count", "tester", "in a &lt;bucket&gt;"] {
        assert!(page.contains(part), "{part}: {page}");
    }

    let said = send(&weir, "value=\"revoke\"", &[("words", "it was another one")]);
    assert!(said.contains("1 of puhe-huishan is revoked"), "{said}");
    until("the flag of before", || flags() == ["1", "1", "1"]);
    assert!(get(weir.page(), &format!("{STATION}?lang=en")).1.contains("Nothing stands."));
    let list = get(weir.page(), "/audit.csv").1;
    for act in ["in a <bucket>", "it was another one"] {
        let line = list.lines().find(|line| line.contains(act));
        assert!(line.is_some_and(|line| line.contains(",tester,")), "{act}: {list}");
    }
}

/// A database that has nothing; counts the questions about the oxygen of the station.
fn empty_database() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, asked) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                if reader.read_line(&mut head).unwrap_or(0) == 0 {
                    break;
                }
            }
            if head.starts_with("GET") && head.contains("dissolved_oxygen_qc") {
                counted.fetch_add(1, Ordering::Relaxed);
            }
            let body = "{\"results\":[{\"statement_id\":0}]}";
            let answer = format!(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            );
            reader.get_mut().write_all(answer.as_bytes()).ok();
        }
    });
    (port, asked)
}

/// Follows what is new of a page for so long, as a browser does: it comes back when a connection
/// ends, and says that it does.
fn news(port: u16, page: &str, length: Duration) -> String {
    let (begun, mut all) = (Instant::now(), String::new());
    while begun.elapsed() < length {
        let back = if all.is_empty() { "" } else { "Last-Event-ID: 1\r\n" };
        let head = format!(
            "GET /live?of={} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\
             {back}\r\n",
            escaped(page)
        );
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        let (mut bytes, mut part) = (Vec::new(), [0; 4_096]);
        while begun.elapsed() < length {
            match stream.read(&mut part) {
                Ok(0) => break,
                Ok(count) => bytes.extend_from_slice(&part[..count]),
                Err(_) => {}
            }
        }
        all += &String::from_utf8_lossy(&bytes);
    }
    all
}

#[test]
fn a_drawing_that_is_looked_at_asks_the_database_once_a_minute_for_all_who_look() {
    let (broker, (database, asked)) = (Mosquitto::start(""), empty_database());
    let of = format!(
        "[influx]\nurl = 'http://127.0.0.1:{database}'\ndialect = 'influx1'\nbucket = 'weir'\n"
    );
    let mut weir = Weir::install(&broker.url(), &of);
    weir.start();
    let first = publish_minutes(&broker, &weir, 3);
    let page = format!("{STATION}?{OXYGEN}&lang=en");
    until("the view", || get(weir.page(), &page).1.contains("3 values"));
    let before = asked.load(Ordering::Relaxed);
    get(weir.page(), &format!("{STATION}/series.csv?{OXYGEN}"));
    let once = asked.load(Ordering::Relaxed) - before;
    assert!(once > 0, "a series is asked for");
    let before = asked.load(Ordering::Relaxed);
    let (port, of_old) = (weir.page(), format!("{page}&until=2026-01-01"));
    let length = Duration::from_secs(75);
    let seen = std::thread::scope(|all| {
        let lookers = [&page, &page, &of_old].map(|page| all.spawn(|| news(port, page, length)));
        std::thread::sleep(Duration::from_secs(5));
        publish(&broker, first + 3 * 60_000, 7.25);
        lookers.map(|one| one.join().unwrap())
    });
    // Two look at one drawing; what ended long ago does not go on.
    assert_eq!(asked.load(Ordering::Relaxed) - before, once);
    for one in &seen[..2] {
        assert!(one.contains("7.25") && one.contains("live_series"), "{one}");
        assert!(one.contains("4 values"), "{one}");
    }
    assert!(!seen[2].contains("live_series") && seen[2].contains("7.25"), "{}", seen[2]);
}
