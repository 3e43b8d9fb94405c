//! A proxy between weir and a database or a receiver of notifications, which passes requests and
//! answers, or answers itself, or misbehaves as the test says. A request has a connection of its
//! own, so a change of mode holds at once.
#![allow(dead_code, unreachable_pub, reason = "no test needs all of it")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, reason = "a test waits by its own clock")]

use std::io::{BufReader, ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flate2::read::MultiGzDecoder;

const BEAT: Duration = Duration::from_millis(10);

/// What the proxy does with a request.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Mode {
    Pass,
    /// Nobody listens.
    Refuse,
    /// Each request waits so long before it is passed.
    Slow(Duration),
    /// The request is read, passed to nobody and never answered.
    Hang,
    /// The request is passed, and half of its answer comes.
    HangInAnswer,
    /// It is answered so, and passed to nobody: status, headers, body, in which `{n}` is another
    /// number each time.
    Answer(&'static str, &'static str, &'static str),
    /// What contains both of these is answered 400, and all else is passed.
    RefuseOne([&'static str; 2]),
    /// It is passed for a database that is not there: how it is when one is renamed.
    Renamed,
    /// Longer bodies are answered 413, as nginx does.
    Limit(usize),
    /// The first half of several lines is passed, and the answer is 422 as of InfluxDB 2.
    Half,
}

/// A request: its head up to the empty line, and its body.
struct Request {
    head: Vec<String>,
    body: Vec<u8>,
}

#[derive(Debug)]
struct Shared {
    behind: u16,
    mode: Mutex<Mode>,
    /// How many requests were taken, and how many of them met with something else than passing.
    taken: AtomicUsize,
    odd: AtomicUsize,
}

#[derive(Debug)]
pub struct HttpProxy {
    port: u16,
    shared: Arc<Shared>,
}

impl HttpProxy {
    /// Begins before whatever listens at this port.
    pub fn start(behind: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (mode, taken, odd) = (Mutex::new(Mode::Pass), AtomicUsize::new(0), AtomicUsize::new(0));
        let shared = Arc::new(Shared { behind, mode, taken, odd });
        let listening = Arc::clone(&shared);
        std::thread::spawn(move || listening.listen(listener, port));
        Self { port, shared }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn set(&self, mode: Mode) {
        *self.shared.mode.lock().unwrap() = mode;
    }

    pub fn requests(&self) -> usize {
        self.shared.taken.load(Ordering::Acquire)
    }

    /// How many of them were not simply passed.
    pub fn odd(&self) -> usize {
        self.shared.odd.load(Ordering::Acquire)
    }
}

impl Shared {
    fn mode(&self) -> Mode {
        *self.mode.lock().unwrap()
    }

    fn listen(self: &Arc<Self>, mut listener: TcpListener, port: u16) {
        loop {
            listener.set_nonblocking(true).unwrap();
            while self.mode() != Mode::Refuse {
                match listener.accept() {
                    Ok((stream, _)) => {
                        let shared = Arc::clone(self);
                        // A client that goes away in the midst is none of the proxy's faults.
                        std::thread::spawn(move || shared.serve(stream).ok());
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        std::thread::sleep(BEAT);
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            drop(listener);
            while self.mode() == Mode::Refuse {
                std::thread::sleep(BEAT);
            }
            listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        }
    }

    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        let Some(request) = read(&stream)? else { return Ok(()) };
        let number = self.taken.fetch_add(1, Ordering::AcqRel);
        let mode = self.mode();
        let short = matches!(mode, Mode::Limit(bytes) if request.body.len() <= bytes);
        let text = String::from_utf8_lossy(&request.body);
        let fits = |words: [&str; 2]| words.iter().all(|word| text.contains(word));
        let another = matches!(mode, Mode::RefuseOne(words) if !fits(words));
        if short || another || mode == Mode::Pass {
            return stream.write_all(&self.pass(&request)?);
        }
        self.odd.fetch_add(1, Ordering::AcqRel);
        match mode {
            Mode::Pass | Mode::Refuse => Ok(()),
            Mode::Slow(wait) => {
                std::thread::sleep(wait);
                stream.write_all(&self.pass(&request)?)
            }
            Mode::Hang => self.stay(mode),
            Mode::HangInAnswer => {
                let answer = self.pass(&request)?;
                stream.write_all(&answer[..answer.len() / 2])?;
                self.stay(mode)
            }
            Mode::Answer(status, headers, body) => {
                let body = body.replace("{n}", &number.to_string());
                stream.write_all(&answer(status, headers, &body))
            }
            Mode::RefuseOne(_) => stream.write_all(&answer("400 Bad Request", "", "not this")),
            Mode::Renamed => {
                let mut request = request;
                request.head[0] = request.head[0].replace("db=weir", "db=renamed");
                stream.write_all(&self.pass(&request)?)
            }
            Mode::Limit(_) => {
                let words = "<html><h1>413 Request Entity Too Large</h1></html>";
                stream.write_all(&answer("413 Request Entity Too Large", "", words))
            }
            Mode::Half => stream.write_all(&self.half(request)?),
        }
    }

    /// Stays silent until something else is asked for.
    fn stay(&self, mode: Mode) -> std::io::Result<()> {
        while self.mode() == mode {
            std::thread::sleep(BEAT);
        }
        Ok(())
    }

    /// Passes a request and gives the whole answer.
    fn pass(&self, request: &Request) -> std::io::Result<Vec<u8>> {
        let mut behind = TcpStream::connect(("127.0.0.1", self.behind))?;
        let own = |line: &&String| !line.to_ascii_lowercase().starts_with("connection:");
        let mut head: Vec<&str> = request.head.iter().filter(own).map(String::as_str).collect();
        head.push("Connection: close");
        behind.write_all(format!("{}\r\n\r\n", head.join("\r\n")).as_bytes())?;
        behind.write_all(&request.body)?;
        let mut reader = BufReader::new(behind);
        let head = read_head(&mut reader)?.unwrap_or_default();
        let mut body = Vec::new();
        let status = head.first().and_then(|line| line.split(' ').nth(1)).unwrap_or("");
        match length(&head) {
            _ if status == "204" => {}
            Some(length) => {
                body.resize(length, 0);
                reader.read_exact(&mut body)?;
            }
            None => drop(reader.read_to_end(&mut body)?),
        }
        let mut head: Vec<&str> = head.iter().filter(own).map(String::as_str).collect();
        head.push("Connection: close");
        let mut answer = format!("{}\r\n\r\n", head.join("\r\n")).into_bytes();
        answer.extend(body);
        Ok(answer)
    }

    fn half(&self, mut request: Request) -> std::io::Result<Vec<u8>> {
        let mut text = String::new();
        MultiGzDecoder::new(&*request.body).read_to_string(&mut text)?;
        let lines: Vec<&str> = text.lines().collect();
        let (passed, dropped) = lines.split_at(lines.len() / 2);
        if passed.is_empty() {
            return self.pass(&request);
        }
        let body = format!("{}\n", passed.join("\n")).into_bytes();
        let named = |line: &String, names: [&str; 2]| {
            names.iter().any(|name| line.to_ascii_lowercase().starts_with(name))
        };
        request.head.retain(|line| !named(line, ["content-length:", "content-encoding:"]));
        request.head.push(format!("Content-Length: {}", body.len()));
        self.pass(&Request { head: request.head, body })?;
        let words = format!(
            "{{\"code\":\"unprocessable entity\",\"message\":\"failure writing points to \
             database: partial write: field type conflict: dropped={}\"}}",
            dropped.len()
        );
        Ok(answer("422 Unprocessable Entity", "Content-Type: application/json\r\n", &words))
    }
}

fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

fn read(stream: &TcpStream) -> std::io::Result<Option<Request>> {
    let mut reader = BufReader::new(stream);
    let Some(head) = read_head(&mut reader)? else { return Ok(None) };
    let mut body = vec![0; length(&head).unwrap_or(0)];
    reader.read_exact(&mut body)?;
    Ok(Some(Request { head, body }))
}

/// Reads the lines of a head; none if nothing comes.
fn read_head(reader: &mut impl std::io::BufRead) -> std::io::Result<Option<Vec<String>>> {
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if line == "\r\n" {
            return Ok(Some(head));
        }
        head.push(line.trim_end().to_owned());
    }
}

fn length(head: &[String]) -> Option<usize> {
    head.iter().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    })
}
