//! What the page costs: how long each takes to make with 10,000 stations and 1,000 open alerts, and
//! what a hundred browsers that look on take from the way of messages.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::Bench;
use crate::fleet;
use crate::load::{self, Load, Publisher};
use crate::peer::{TOKEN, get};
use crate::speed::{Bed, STATIONS};
use crate::table::Aim;

/// How many stations have spoken, and how many of them have an open alert.
const SPOKEN: u64 = 10_000;
const OVER: u64 = 1_000;
/// How often each page is asked for.
const ASKED: usize = 60;
/// How long a page may take at the median, ms, and how large it may be, kB.
const MS_MAX: f64 = 100.0;
const KB_MAX: f64 = 150.0;
/// How many browsers look on.
const LISTENERS: usize = 100;

pub fn pages(bench: &mut Bench) {
    made(bench);
    looked_at(bench);
}

/// How long pages take to make, and how large they are.
fn made(bench: &mut Bench) {
    let mut bed = Bed::new(SPOKEN, "");
    let first = jiff::Timestamp::now().as_millisecond() - 120_000;
    load::publish(bed.broker.port(), Load { stations: SPOKEN, count: SPOKEN, rate: None, first });
    breach(bed.broker.port(), first + 60_000);
    bed.until_stored(SPOKEN + OVER);
    let port = bed.weir.page();
    let start = Instant::now();
    let open = loop {
        let (_, body) = get(port, "/alerts");
        let rows = body.matches("id=\"alert-").count();
        if rows > 0 && body.contains(&OVER.to_string()) {
            break body;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "the alerts are not open: {body}");
        std::thread::sleep(Duration::from_millis(100));
    };
    let id = open.split("id=\"alert-").nth(1).unwrap().split('"').next().unwrap();
    for (name, path) in [
        ("Now", "/".to_owned()),
        ("alerts", "/alerts".to_owned()),
        ("one alert", format!("/alerts/{id}")),
        ("history of alerts", "/alerts/history".to_owned()),
        ("stations", "/stations".to_owned()),
        ("a station", "/stations/bench-7".to_owned()),
        ("handover", "/handover".to_owned()),
        ("weir", "/weir".to_owned()),
    ] {
        let (took, bytes) = asked(port, &path);
        let kb = bytes as f64 / 1_024.0;
        let note = format!("{kb:.0} kB; {SPOKEN} stations, {OVER} open alerts, the median");
        assert!(kb <= KB_MAX, "{path} has {bytes} bytes");
        bench.table.add(&format!("a page: {name}"), took, "ms", Aim::AtMost(MS_MAX), note);
    }
    bed.weir.stop();
}

/// Some of the stations exceed a limit of which one value is enough for an alert.
fn breach(port: u16, at: i64) {
    let mut publisher = Publisher::connect(port, "breach");
    let (_, listener) = publisher.count_acks(OVER);
    let (mut topic, mut payload) = (String::new(), String::new());
    for station in 0..OVER {
        fleet::alarm(station, at, true, &mut topic, &mut payload);
        publisher.push(&topic, &payload);
    }
    publisher.flush();
    listener.join().unwrap();
}

/// Gives how long a page takes at the median, ms, and how many bytes it has.
fn asked(port: u16, path: &str) -> (f64, usize) {
    let mut bytes = 0;
    let mut times: Vec<f64> = (0..ASKED)
        .map(|_| {
            let begun = Instant::now();
            let (status, body) = get(port, path);
            assert_eq!(status, 200, "{path}");
            bytes = body.len();
            begun.elapsed().as_secs_f64() * 1_000.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    (times[ASKED / 2], bytes)
}

/// Browsers that look at a page and hear its news.
struct Listeners {
    leave: Arc<AtomicBool>,
    heard: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<()>>,
}

impl Listeners {
    fn sit_down(port: u16, count: usize) -> Self {
        let (leave, heard) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let sit = |_| {
            let (leave, heard) = (Arc::clone(&leave), Arc::clone(&heard));
            std::thread::spawn(move || {
                while !leave.load(Ordering::Acquire) {
                    look_on(port, &leave, &heard);
                }
            })
        };
        let threads = (0..count).map(sit).collect();
        Self { leave, heard, threads }
    }

    /// Waits until each has heard something.
    fn until_all_hear(&self) {
        let start = Instant::now();
        while self.heard.load(Ordering::Acquire) < 2 * self.threads.len() {
            assert!(start.elapsed() < Duration::from_secs(30), "no news come");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn leave(self) -> usize {
        self.leave.store(true, Ordering::Release);
        for thread in self.threads {
            thread.join().unwrap();
        }
        self.heard.load(Ordering::Acquire)
    }
}

/// Hears news until the connection ends or it is time to leave.
fn look_on(port: u16, leave: &AtomicBool, heard: &AtomicUsize) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let head = format!(
        "GET /live?of=%2F HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut lines = BufReader::new(stream.take(u64::MAX)).split(b'\n');
    while let Some(Ok(line)) = lines.next() {
        heard.fetch_add(usize::from(line.starts_with(b"data:")), Ordering::AcqRel);
        if leave.load(Ordering::Acquire) {
            return;
        }
    }
}

/// How fast messages go through while nobody looks, and while many do.
fn looked_at(bench: &mut Bench) {
    let count = bench.messages;
    let run = |listeners: usize| {
        let mut bed = Bed::new(STATIONS, "");
        let seats = Listeners::sit_down(bed.weir.page(), listeners);
        seats.until_all_hear();
        std::thread::sleep(Duration::from_secs(1));
        let start = Instant::now();
        load::publish(bed.broker.port(), Load::of(STATIONS, count, None));
        bed.until_stored(count);
        let took = start.elapsed();
        let heard = seats.leave();
        bed.weir.stop();
        (took.as_secs_f64(), heard)
    };
    // Which of two runs is first has a part in how fast it is.
    let (alone_before, _) = run(0);
    let (watched, heard) = run(LISTENERS);
    let (alone_after, _) = run(0);
    let ratio = (alone_before + alone_after) / 2.0 / watched;
    let note = format!("{LISTENERS} browsers heard {heard} news; {count} messages each");
    let figure = "messages a second, a hundred browsers look on ÷ nobody does";
    bench.table.add(figure, ratio, "", Aim::AtLeast(0.95), note);
}
