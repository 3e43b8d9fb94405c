//! The door of a daemon at work, met with raw sockets.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, reason = "a test asks its own clock")]

mod peer;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use peer::{Mosquitto, Weir, get};

#[test]
fn requests_that_are_never_finished_hold_up_neither_others_nor_the_stop() {
    let broker = Mosquitto::start("");
    let mut weir = Weir::install(&broker.url(), "");
    weir.start();
    let open = |_| {
        let mut stream = TcpStream::connect(("127.0.0.1", weir.page())).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").unwrap();
        stream
    };
    // More than there are places: those who came first give way, and others get in.
    let slow: Vec<TcpStream> = (0..280).map(open).collect();
    let begun = Instant::now();
    let mut stream = TcpStream::connect(("127.0.0.1", weir.page())).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(25))).unwrap();
    stream.write_all(b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    drop(slow);

    let slow: Vec<TcpStream> = (0..3).map(open).collect();
    assert_eq!(get(weir.page(), "/health").0, 200);
    let begun = Instant::now();
    weir.stop();
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    drop(slow);
}
