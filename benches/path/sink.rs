//! A database that says 204 to everything and counts afterwards, and a receiver of webhooks that
//! notes when each came.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use flate2::read::MultiGzDecoder;

use crate::fleet::PROPERTIES;

/// A body as it came.
struct Body {
    at: Instant,
    bytes: Vec<u8>,
}

/// A server that keeps what it is sent.
pub struct Sink {
    port: u16,
    bodies: Arc<Mutex<Vec<Body>>>,
    away: Arc<AtomicBool>,
}

impl Sink {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let away = Arc::new(AtomicBool::new(false));
        let (kept, absent) = (Arc::clone(&bodies), Arc::clone(&away));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (kept, absent) = (Arc::clone(&kept), Arc::clone(&absent));
                std::thread::spawn(move || serve(stream, &kept, &absent));
            }
        });
        Self { port, bodies, away }
    }

    /// While it is away it says 503.
    pub fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::Release);
    }

    pub fn database(&self) -> String {
        format!("[influx]\nurl = 'http://127.0.0.1:{}'\ndialect = 'victoria'\n", self.port)
    }

    pub fn channel(&self) -> String {
        let port = self.port;
        format!("[[channel]]\nname = 'duty'\nkind = 'webhook'\nurl = 'http://127.0.0.1:{port}/a'\n")
    }

    /// Gives the time from the first write that was answered well to the last.
    pub fn span(&self) -> Duration {
        let bodies = self.bodies.lock().unwrap();
        let writes = bodies.iter().filter(|body| body.bytes.starts_with(&[0x1f, 0x8b]));
        let times: Vec<Instant> = writes.map(|body| body.at).collect();
        let span = times.last().zip(times.first()).map(|(last, first)| last.duration_since(*first));
        // One write is no span; it came in less.
        span.unwrap_or_default().max(Duration::from_millis(1))
    }

    /// Gives the requests and the values of raw water quality in them.
    pub fn received(&self) -> (usize, u64) {
        let bodies = self.bodies.lock().unwrap();
        let mut values = 0;
        for body in bodies.iter() {
            let lines = BufReader::new(MultiGzDecoder::new(body.bytes.as_slice())).lines();
            for line in lines.map(Result::unwrap).filter(|line| line.starts_with("water,")) {
                let fields = line.split(' ').nth(1).unwrap_or_default();
                let keys = fields.split(',').filter_map(|field| field.split_once('='));
                let own = |key: &str| PROPERTIES.iter().any(|(name, ..)| *name == key);
                values += keys.filter(|(key, _)| own(key)).count() as u64;
            }
        }
        (bodies.len(), values)
    }

    /// Gives what came as JSON, and when.
    pub fn notices(&self) -> Vec<(Instant, serde_json::Value)> {
        let bodies = self.bodies.lock().unwrap();
        bodies.iter().map(|body| (body.at, serde_json::from_slice(&body.bytes).unwrap())).collect()
    }
}

fn serve(stream: TcpStream, kept: &Mutex<Vec<Body>>, away: &AtomicBool) {
    stream.set_nodelay(true).unwrap();
    let mut reader = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = text.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut bytes = vec![0; length];
        reader.read_exact(&mut bytes).unwrap();
        let answer = if away.load(Ordering::Acquire) {
            "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
        } else {
            if length > 0 {
                kept.lock().unwrap().push(Body { at: Instant::now(), bytes });
            }
            "HTTP/1.1 204 No Content\r\n\r\n"
        };
        if reader.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}
