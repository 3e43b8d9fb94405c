//! A receiver that remembers each request as it came and answers as the test says: for robots and
//! gateways that nobody can start on a machine of tests.
#![allow(dead_code, unreachable_pub, reason = "no test needs all of it")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A request as it came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    pub method: String,
    /// Path and query, or the whole address where a proxy is asked.
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(one, _)| one == name).map(|(_, value)| &**value)
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Gives a value of the query as it is meant.
    pub fn query(&self, name: &str) -> Option<String> {
        let query = self.target.split_once('?')?.1;
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}

/// An answer: status line, headers, body, and after how long. `{n}` in the body is what was asked.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: &'static str,
    pub headers: &'static str,
    pub body: String,
    pub after: Duration,
}

impl Answer {
    pub fn ok(body: &str) -> Self {
        Self { status: "200 OK", headers: "", body: body.to_owned(), after: Duration::ZERO }
    }

    pub fn with(status: &'static str, headers: &'static str, body: &str) -> Self {
        Self { status, headers, ..Self::ok(body) }
    }
}

#[derive(Debug)]
pub struct StandIn {
    port: u16,
    answer: Arc<Mutex<Answer>>,
    got: Arc<Mutex<Vec<Request>>>,
}

impl StandIn {
    pub fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (answer, got) = (Arc::new(Mutex::new(answer)), Arc::new(Mutex::new(Vec::new())));
        let (says, takes) = (Arc::clone(&answer), Arc::clone(&got));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (says, takes) = (Arc::clone(&says), Arc::clone(&takes));
                // A client that goes away in the midst is none of the receiver's faults.
                std::thread::spawn(move || serve(stream, &says, &takes).ok());
            }
        });
        Self { port, answer, got }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn says(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    pub fn got(&self) -> Vec<Request> {
        self.got.lock().unwrap().clone()
    }

    #[track_caller]
    pub fn last(&self) -> Request {
        self.got().pop().unwrap()
    }
}

fn serve(
    mut stream: TcpStream,
    says: &Mutex<Answer>,
    takes: &Mutex<Vec<Request>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(()) };
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        let (name, value) = line.split_once(':').unwrap();
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request = Request { method, target, headers, body: String::new() };
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    request.body = String::from_utf8(body).unwrap();
    let asked = format!("{} {:?} {}", request.target, request.headers, request.body);
    takes.lock().unwrap().push(request);
    let Answer { status, headers, body, after } = says.lock().unwrap().clone();
    std::thread::sleep(after);
    let body = body.replace("{n}", &asked);
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n");
    stream.write_all(format!("{head}Connection: close\r\n\r\n{body}").as_bytes())
}
