//! A scripted InfluxDB: takes requests as a real one does and judges their lines by rules; before
//! that it gives whatever answers a test wants, half ones and none at all. It remembers everything.
#![allow(dead_code, unreachable_pub, reason = "a module of a test")]

pub mod delivery;

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use flate2::read::MultiGzDecoder;

/// Whose manners it has.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Kind {
    /// InfluxDB 1: stores what it can and answers 400.
    One,
    /// InfluxDB 2: stores nothing of a body with a malformed line; else what it can, and 422.
    Two,
}

/// What it thinks of lines.
#[derive(Clone, Debug)]
pub struct Rules {
    pub kind: Kind,
    /// Fields that it holds already, and whether as text; as anything else they are refused.
    pub held: Vec<(&'static str, bool)>,
    /// Before this time it keeps nothing, ms.
    pub keeps_from: i64,
    /// More lines than these are too large a body.
    pub lines_max: usize,
    /// More lines than these are not answered while anybody waits.
    pub lines_in_time: usize,
    /// Who may write, if not everybody.
    pub token: Option<&'static str>,
    /// Whether the bucket is there.
    pub has_bucket: bool,
    /// What stands behind the words of a refusal.
    pub words_end: &'static str,
}

impl Rules {
    pub fn of(kind: Kind) -> Self {
        Self {
            kind,
            held: Vec::new(),
            keeps_from: i64::MIN,
            lines_max: usize::MAX,
            lines_in_time: usize::MAX,
            token: None,
            has_bucket: true,
            words_end: "",
        }
    }
}

/// An answer out of turn.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Status, further lines of the head, body.
    Full(u16, &'static str, &'static str),
    /// These bytes, and the connection ends.
    Broken(&'static str),
    /// Nothing, for as long as anybody waits.
    Never,
}

/// A write as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub at: Instant,
    pub head: String,
    pub lines: Vec<String>,
    /// What it was answered; 0 if not in full.
    pub status: u16,
}

#[derive(Debug)]
pub struct State {
    pub rules: Rules,
    pub first: VecDeque<Answer>,
    pub seen: Vec<Seen>,
    /// Every line that was stored, as often as it was.
    pub stored: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct Database {
    pub port: u16,
    state: Arc<Mutex<State>>,
}

struct Request {
    head: String,
    body: Vec<u8>,
}

impl Database {
    pub fn start(rules: Rules, first: &[Answer]) -> Self {
        Self::start_on(crate::peer::free_port(), rules, first)
    }

    pub fn start_on(port: u16, rules: Rules, first: &[Answer]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let first = first.iter().cloned().collect();
        let state = State { rules, first, seen: Vec::new(), stored: Vec::new() };
        let database = Self { port, state: Arc::new(Mutex::new(state)) };
        let serving = database.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serving = serving.clone();
                std::thread::spawn(move || serving.serve(stream));
            }
        });
        database
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Gives the requests in short: what was sent, and what was answered.
    pub fn requests(&self) -> Vec<String> {
        let state = self.state();
        let each = state.seen.iter().map(|seen| {
            let lines: Vec<String> = seen.lines.iter().map(|line| short(line)).collect();
            format!("{}: {}", lines.join(" "), seen.status)
        });
        each.collect()
    }

    fn serve(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream);
        while let Some(request) = receive(&mut reader) {
            let answer = if request.head.starts_with("POST") && request.head.contains("/write?") {
                self.take(&request)
            } else {
                self.open_door(&request)
            };
            let bytes = match answer {
                Answer::Full(204, more, _) => format!("HTTP/1.1 204 No Content\r\n{more}\r\n"),
                Answer::Full(status, more, body) => {
                    let length = body.len();
                    format!("HTTP/1.1 {status} X\r\n{more}Content-Length: {length}\r\n\r\n{body}")
                }
                Answer::Broken(bytes) => {
                    reader.get_mut().write_all(bytes.as_bytes()).ok();
                    return;
                }
                Answer::Never => {
                    // Ends when the other side has had enough.
                    reader.read_to_end(&mut Vec::new()).ok();
                    return;
                }
            };
            if reader.get_mut().write_all(bytes.as_bytes()).is_err() {
                return;
            }
        }
    }

    /// Says what buckets there are, or makes the database of InfluxDB 1.
    fn open_door(&self, request: &Request) -> Answer {
        let mut state = self.state();
        if request.head.contains("CREATE+DATABASE") {
            state.rules.has_bucket = true;
            return Answer::Full(200, "", r#"{"results":[{"statement_id":0}]}"#);
        }
        assert!(request.head.starts_with("GET /api/v2/buckets?"), "{}", request.head);
        Answer::Full(200, "", r#"{"buckets":[{"name":"b","retentionRules":[]}]}"#)
    }

    fn take(&self, request: &Request) -> Answer {
        let mut text = String::new();
        if !request.body.is_empty() {
            MultiGzDecoder::new(&*request.body).read_to_string(&mut text).unwrap();
        }
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let mut state = self.state();
        let answer = match state.first.pop_front() {
            Some(answer) => answer,
            None => state.judge(&request.head, &lines),
        };
        let status = match &answer {
            Answer::Full(status, ..) => *status,
            Answer::Broken(_) | Answer::Never => 0,
        };
        let head = request.head.clone();
        state.seen.push(Seen { at: Instant::now(), head, lines, status });
        answer
    }
}

impl State {
    fn judge(&mut self, head: &str, lines: &[String]) -> Answer {
        let rules = self.rules.clone();
        if rules.token.is_some_and(|token| !head.contains(&format!("Token {token}\r\n"))) {
            return Answer::Full(401, "", r#"{"code":"unauthorized","message":"unauthorized"}"#);
        }
        if !rules.has_bucket {
            return Answer::Full(404, "", r#"{"error":"database not found: \"b\""}"#);
        }
        if lines.len() > rules.lines_max {
            return Answer::Full(413, "", "<html>413 Request Entity Too Large</html>");
        }
        if lines.len() > rules.lines_in_time {
            return Answer::Never;
        }
        let (good, malformed): (Vec<_>, Vec<_>) = lines
            .iter()
            .cloned()
            .partition(|line| influxdb_line_protocol::parse_lines(line).all(|line| line.is_ok()));
        if let (Some(line), Kind::Two) = (malformed.first(), rules.kind) {
            let message = format!("unable to parse '{line}': missing tag value");
            return refusal(400, serde_json::json!({"code": "invalid", "message": message}));
        }
        let (timely, late): (Vec<_>, Vec<_>) =
            good.into_iter().partition(|line| time(line) >= rules.keeps_from);
        let (sound, unsound): (Vec<_>, Vec<_>) =
            timely.into_iter().partition(|line| rules.conflict(line).is_none());
        self.stored.extend(sound);
        let end = rules.words_end;
        let words = if let Some(field) = unsound.first().and_then(|line| rules.conflict(line)) {
            format!(
                "partial write: field type conflict: input field \"{field}\" on measurement \
                 \"water\" is type string, already exists as type float dropped={}{end}",
                unsound.len()
            )
        } else if !late.is_empty() {
            late_words(rules.kind, &late)
        } else if let Some(line) = malformed.first() {
            format!("partial write: unable to parse '{line}': missing tag value dropped=0")
        } else {
            return Answer::Full(204, "", "");
        };
        match rules.kind {
            Kind::One => refusal(400, serde_json::json!({ "error": words })),
            Kind::Two => {
                let message = format!("failure writing points to database: {words}");
                let code = "unprocessable entity";
                refusal(422, serde_json::json!({"code": code, "message": message}))
            }
        }
    }
}

impl Rules {
    /// Finds a field of a line that is held as something else.
    fn conflict<'a>(&self, line: &'a str) -> Option<&'a str> {
        let fields = line.split(' ').nth(1).unwrap_or_default().split(',');
        let mut fields = fields.filter_map(|field| field.split_once('='));
        let (key, _) = fields.find(|(key, value)| {
            let is_text = value.starts_with('"');
            self.held.iter().any(|(held, as_text)| held == key && *as_text != is_text)
        })?;
        Some(key)
    }
}

fn time(line: &str) -> i64 {
    line.rsplit(' ').next().unwrap_or_default().parse().unwrap_or(i64::MAX)
}

/// The words of InfluxDB 1.6 and of 2.7.
fn late_words(kind: Kind, late: &[String]) -> String {
    let count = late.len();
    match kind {
        Kind::One => format!("partial write: points beyond retention policy dropped={count}"),
        Kind::Two => format!(
            "partial write: dropped {count} points outside retention policy of duration 24h0m0s - \
             oldest point {} at 1970-01-01T00:00:01Z dropped because it violates a Retention \
             Policy Lower Bound at 2026-11-23T00:00:00Z, newest point … dropped={count} for \
             database: 9f282d63c7d3a5c0 for retention policy: autogen",
            late[0].split(' ').next().unwrap()
        ),
    }
}

fn refusal(status: u16, body: serde_json::Value) -> Answer {
    // A test is short; its words may stay.
    Answer::Full(status, "Content-Type: application/json\r\n", body.to_string().leak())
}

fn receive(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return None;
        }
        if let Some(rest) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = rest.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { head, body })
}

/// A line in short: its station, and its field if it has one only.
pub fn short(line: &str) -> String {
    let mut parts = line.split(' ');
    let station = parts.next().unwrap().split([',', '=']).nth(2).unwrap_or(line);
    let fields = parts.next().unwrap_or_default();
    match fields.split_once('=') {
        Some((key, _)) if !fields.contains(',') => format!("{station}.{key}"),
        _ => station.to_owned(),
    }
}

/// What would stand in a database after these lines: the last value of each field of each point.
pub fn stands<'a>(lines: impl Iterator<Item = &'a str>) -> BTreeMap<String, String> {
    let mut stands = BTreeMap::new();
    for line in lines {
        let parts: Vec<&str> = line.split(' ').collect();
        let [head, fields, time] = parts[..] else {
            stands.insert(line.to_owned(), String::new());
            continue;
        };
        for (key, value) in fields.split(',').map(|field| field.split_once('=').unwrap()) {
            stands.insert(format!("{head} {key} {time}"), value.to_owned());
        }
    }
    stands
}
