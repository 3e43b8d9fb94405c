//! `weir check` as operators run it: everything that is wrong is told in one run, each with its
//! place, and what the peers say can't drive the terminal.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod peer;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use peer::{Influx, Mosquitto, Victoria, Weir};

/// A configuration in which nearly every setting is wrong.
const WRONG: &str = r#"
[[broker]]
network = 'third'
url = 'MQTT://127.0.0.1:1/'
client_id = 'weir-rivers'
password_file = 'absent.password'
connect_timeout_s = 0
payload_bytes_max = 0
gather_ms = 90000

[[broker]]
network = 'fourth'
url = 'mqtts://weir:s3cret@127.0.0.1:8883'
client_id = 'weir-fourth'
user = 'weir'
password_env = 'WEIR_TEST_NOT_SET'
ca_file = 'empty'
certificate_file = 'absent.pem'
key_file = 'empty'
keep_alive_s = 'often'
receive_maximun = 7

[influx]
url = 'nonsense'
token_file = 'absent.token'
token_env = 'WEIR_TEST_NOT_SET'
password_file = 'absent.password'
ca_file = 'empty'
connect_timeout_s = 0
timeout_s = 0

[[channel]]
name = 'duty'
kind = 'webhook'
url = '::'
secret_file = 'empty'
template = 'absent.jinja'
ca_file = 'absent.pem'
timeout_s = 0

[[channel]]
name = 'duty'
kind = 'webhook'
url = 'http://127.0.0.1:9/'
template = 'wrong.jinja'

[log]
level = 'loud'

[judgement]
lateness_horizon_h = 0
clock_ahead_max_s = 7200
clock_ahead_reject_h = 1
settle_hour_min = 100000
"#;

/// Gives the line of a key, the one after `mark`.
fn line_of(text: &str, mark: &str, key: &str) -> usize {
    let start = text.find(mark).unwrap_or_else(|| panic!("no {mark}"));
    let at = text[start..].find(&format!("\n{key}")).unwrap_or_else(|| panic!("no {key}"));
    text[..=start + at].matches('\n').count() + 1
}

#[test]
fn everything_wrong_in_configuration_and_seeds_is_told_in_one_run() {
    let weir = Weir::install("mqtt://127.0.0.1:1", WRONG);
    let file = weir.folder().join("weir.toml");
    let text = fs::read_to_string(&file).unwrap();
    let text = text
        .replace("data_folder = 'data'\n", "data_folder = 'data'\njournal_bytes_max = 1\n")
        .replace("[http]\n", "[http]\ntoken_file = 'empty'\ntoken_env = 'WEIR_TEST_NOT_SET'\n");
    fs::write(&file, &text).unwrap();
    fs::write(weir.folder().join("empty"), "\n").unwrap();
    fs::write(weir.folder().join("wrong.jinja"), "{{ commonLabels.nobody }}").unwrap();
    let units = weir.folder().join("seeds/units.csv");
    fs::write(&units, fs::read_to_string(&units).unwrap().replacen("mg/L,", "mg/L,,,,,,", 1))
        .unwrap();

    let (sound, said) = weir.command(&["check"]);
    assert!(!sound, "{said}");
    for (section, key, found) in [
        ("'third'", "client_id", "one url and client_id"),
        ("'third'", "password_file", "absent.password"),
        ("'third'", "password_file", "without user"),
        ("'third'", "connect_timeout_s", "0"),
        ("'third'", "payload_bytes_max", "0"),
        ("'third'", "gather_ms", "90000"),
        ("'fourth'", "url", "…@127.0.0.1:8883"),
        ("'fourth'", "password_env", "WEIR_TEST_NOT_SET"),
        ("'fourth'", "ca_file", "no certificate"),
        ("'fourth'", "certificate_file", "absent.pem"),
        ("'fourth'", "key_file", "empty"),
        ("'fourth'", "keep_alive_s", "invalid type"),
        ("'fourth'", "receive_maximun", "unknown field"),
        ("data_folder", "journal_bytes_max", "1"),
        ("[http]", "token_env", "token_file"),
        ("[http]", "token_file", "empty"),
        ("[influx]", "url", "nonsense"),
        ("[influx]", "token_env", "token_file"),
        ("[influx]", "token_file", "absent.token"),
        ("[influx]", "password_file", "without user"),
        ("[influx]", "ca_file", "no certificate"),
        ("[influx]", "connect_timeout_s", "0"),
        ("[influx]", "timeout_s", "0"),
        ("[[channel]]", "url", "duty"),
        ("[[channel]]", "secret_file", "no secret"),
        ("[[channel]]", "template", "absent.jinja"),
        ("[[channel]]", "ca_file", "absent.pem"),
        ("[[channel]]", "timeout_s", "0"),
        ("9/'", "template", "wrong.jinja"),
        ("[log]", "level", "loud"),
        ("[judgement]", "lateness_horizon_h", "0"),
        ("[judgement]", "clock_ahead_max_s", "7200"),
        ("[judgement]", "settle_hour_min", "100000"),
    ] {
        let place = format!("weir.toml:{}: ", line_of(&text, section, key));
        let told = said.lines().filter(|line| line.contains(&place));
        let told: Vec<&str> = told.filter(|line| line.contains(found)).collect();
        assert_eq!(told.len(), 1, "{section} {key}: {place}… {found}\n{said}");
        assert!(told[0].contains(", expected "), "{}", told[0]);
    }
    let influx = text.lines().position(|line| line == "[influx]").unwrap() + 1;
    for key in ["org", "bucket"] {
        let told = format!("weir.toml:{influx}: found influx.{key}");
        assert!(said.contains(&told), "{told}\n{said}");
    }
    assert!(said.contains("channel `duty` twice"), "{said}");
    assert!(said.contains("units.csv:"), "the seeds are read all the same\n{said}");
    assert!(!said.contains("s3cret"), "{said}");
}

#[test]
fn a_file_that_is_no_toml_somewhere_is_read_on() {
    let weir = Weir::install("mqtt://127.0.0.1:1", "[influx]\nurl = 'nonsense'\n");
    let file = weir.folder().join("weir.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("data_folder = 'data'", "data_folder = data")).unwrap();
    fs::write(weir.folder().join("seeds/units.csv"), "unit\n").unwrap();
    let (sound, said) = weir.command(&["check"]);
    assert!(!sound);
    for part in ["weir.toml:11: ", "nonsense", "units.csv"] {
        assert!(said.contains(part), "{part}\n{said}");
    }
}

#[test]
fn an_empty_file_tells_what_it_lacks() {
    let weir = Weir::install("mqtt://127.0.0.1:1", "");
    fs::write(weir.folder().join("weir.toml"), "").unwrap();
    let (sound, said) = weir.command(&["check"]);
    assert!(!sound && said.lines().count() < 6, "{said}");
    for part in ["`seeds`", "`journal`", "no [[broker]]"] {
        assert!(said.contains(part), "{part}\n{said}");
    }
}

/// A peer that answers each connection by what came first on it.
fn scripted(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut asked = [0; 4096];
            let read = stream.read(&mut asked).unwrap_or(0);
            stream.write_all(&answer(&String::from_utf8_lossy(&asked[..read]))).ok();
        }
    });
    port
}

fn http(status: &str, body: &str) -> Vec<u8> {
    let head = "Content-Type: application/json\r\nConnection: close";
    format!("HTTP/1.1 {status}\r\n{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

fn influx2(port: u16) -> String {
    format!(
        "[influx]\nurl = 'http://127.0.0.1:{port}'\norg = 'o'\nbucket = 'b'\n\
         token_file = 'token'\n"
    )
}

/// What a sick or hostile peer says, with an escape sequence that would clear the screen.
const HOSTILE: &str = "go\u{1b}[2J\u{202e}away";

#[test]
fn what_peers_say_cannot_drive_the_terminal() {
    let broker = scripted(|_| {
        let words = HOSTILE.as_bytes();
        let length = u8::try_from(words.len()).unwrap();
        // CONNACK of MQTT 5: not authorized, with a reason string.
        let head = [0x20, length + 6, 0, 0x87, length + 3, 0x1f, 0, length];
        [&head[..], words].concat()
    });
    let database = scripted(|asked| match asked.split(' ').nth(1).unwrap_or_default() {
        "/health" => http("200 OK", r#"{"name":"influxdb","status":"pass","version":"v2.7.4"}"#),
        "/ready" => http("200 OK", r#"{"status":"ready"}"#),
        _ => http("401 Unauthorized", HOSTILE),
    });
    let weir = Weir::install(&format!("mqtt://127.0.0.1:{broker}"), &influx2(database));
    fs::write(weir.folder().join("token"), "t").unwrap();
    let (reached, said) = weir.command(&["check", "--connect"]);
    assert!(!reached);
    assert!(said.contains("401") && said.contains("mend the token"), "{said}");
    assert!(said.contains("go") && said.contains("away"), "{said}");
    assert!(!said.contains(['\u{1b}', '\u{202e}']), "{said:?}");
}

#[test]
fn a_database_that_is_not_ready_is_said_with_its_version() {
    let database = scripted(|asked| match asked.split(' ').nth(1).unwrap_or_default() {
        "/health" => http("200 OK", r#"{"name":"influxdb","status":"fail","version":"v2.7.4"}"#),
        "/ready" => http("200 OK", r#"{"status":"ready"}"#),
        _ => http("204 No Content", ""),
    });
    let broker = Mosquitto::start("");
    let weir = Weir::install(&broker.url(), &influx2(database));
    fs::write(weir.folder().join("token"), "t").unwrap();
    let (reached, said) = weir.command(&["check", "--connect"]);
    assert!(!reached && said.contains("v2.7.4") && said.contains("not ready"), "{said}");
    assert!(said.contains("filters are granted"), "{said}");
}

#[test]
fn versions_are_told_where_they_are_known() {
    let (broker, influx, victoria) = (Mosquitto::start(""), Influx::start(), Victoria::start());
    let (reached, said) =
        Weir::install(&broker.url(), &influx.config()).command(&["check", "--connect"]);
    // The database itself is made by `weir run`, so a write to it is answered 404 before.
    assert!(!reached && said.contains("404"), "{said}");
    influx.query("CREATE DATABASE weir");
    let (reached, said) =
        Weir::install(&broker.url(), &influx.config()).command(&["check", "--connect"]);
    assert!(reached && said.contains("influx1 1.6"), "{said}");
    let (reached, said) =
        Weir::install(&broker.url(), &victoria.config()).command(&["check", "--connect"]);
    assert!(reached && said.contains("reached, victoria, the credentials may write"), "{said}");
}

#[test]
fn limits_prints_what_is_in_force_at_a_date() {
    let weir = Weir::install("mqtt://127.0.0.1:1", "");
    let at = |date: &str| weir.command(&["limits", "--at", date, "--property", "PM10"]);
    for (date, instrument, day, until) in [
        ("2026-02-28", "GB 3095-2012", "<= 150 ug/m3", "2026-03-01"),
        ("2026-03-01", "GB 3095-2026", "<= 120 ug/m3", "2031-01-01"),
        ("2031-01-01", "GB 3095-2026", "<= 100 ug/m3", "2031-01-01"),
    ] {
        let (sound, said) = at(date);
        assert!(sound, "{said}");
        let rows: Vec<&str> = said.lines().filter(|line| line.starts_with("GB ")).collect();
        assert_eq!(rows.len(), 4, "{said}");
        assert!(rows.iter().all(|row| row.starts_with(instrument)), "{said}");
        let day = rows.iter().find(|row| row.contains(day)).unwrap_or_else(|| panic!("{said}"));
        assert!(day.contains("  2  ") && day.contains("  day  "), "class and averaging: {day}");
        assert!(day.contains(until) && day.contains("[") && day.contains("table 1"), "{day}");
    }
    assert!(!at("2026/3/1").0, "no date");
    assert!(!weir.command(&["limits", "--property", "nothing"]).0);
    assert!(!weir.command(&["limits", "--station", "nowhere"]).0);
    assert!(weir.command(&["limits", "--at", "1990-01-01"]).1.contains("\nnone"));
}

#[test]
fn limits_of_a_station_name_the_stricter_and_what_each_class_allows() {
    let weir = Weir::install("mqtt://127.0.0.1:1", "");
    let local = weir.folder().join("seeds/limits/DB.csv");
    let head = "instrument,clause,property,class,section,averaging,direction,value,low,high,unit,\
                condition,from,to,source,station,place\n";
    let rows = "permit,1,ammonia_nitrogen,,,any,max,1.2,,,mg/L,,,,made for a test,puhe-huishan,\n\
                local,1,permanganate_index,,,single,max,12,,,mg/L,,,,made for a test,,shenyang\n\
                local,2,permanganate_index,,,single,max,9,,,mg/L,water_temperature<=12,,,made for a \
                test,,puhe\n\
                local,3,total_phosphorus,,,any,max,0.1,,,mg/L,,,,made for a test,,hunhe\n";
    fs::write(local, format!("{head}{rows}")).unwrap();
    let (sound, said) = weir.command(&["limits", "--station", "puhe-huishan"]);
    assert!(sound, "{said}");
    let row = |words: &[&str]| {
        let mut lines = said.lines();
        let found = lines.find(|line| words.iter().all(|word| line.contains(word)));
        found.unwrap_or_else(|| panic!("{words:?}\n{said}"))
    };
    assert!(said.contains("section river, target class IV"), "{said}");
    assert!(row(&["permit", "NH3-N"]).contains("<= 1.2 mg/L *"), "{said}");
    assert!(!row(&["GB 3838", "NH3-N"]).contains('*'), "{said}");
    let cold = row(&["local", "9 mg/L"]);
    assert!(cold.contains("9 mg/L *") && cold.contains("water_temperature <= 12 °C"), "{said}");
    assert!(!row(&["local", "12 mg/L"]).contains('*') && said.contains("\n* "), "{said}");
    assert!(row(&["GB 3838", "10 mg/L"]).contains("10 mg/L *"), "while it is warm\n{said}");
    let other_river = said.lines().any(|line| line.starts_with("local         3"));
    assert!(!other_river, "{said}");
    let mut lines = said.lines();
    let class = lines.find(|line| line.starts_with("ammonia_nitrogen")).unwrap();
    assert!(class.contains("<= 0.15 mg/L") && class.contains("<= 2 mg/L"), "{said}");
}
