//! What a message costs weir, from PUBLISH to the database's 204, held against what the same
//! message costs mosquitto in the same run. A ratio of two costs on one machine carries to another;
//! a time does not.
//!
//! `cargo bench --bench path`; `WEIR_BENCH_MESSAGES` says how many at full speed.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench may panic, and prints"
)]
#![expect(clippy::disallowed_methods, reason = "a bench measures by the system's clock")]

#[path = "../tests/peer/mod.rs"]
mod peer;

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use flate2::read::MultiGzDecoder;
use peer::{Mosquitto, Weir};

/// How many stations send, each with eight properties.
const STATIONS: u64 = 100;
/// How many messages may be on the way to the broker, so that it is not flooded.
const WINDOW: u64 = 1_000;
/// The properties of a message: name, channel, unit, a value within all limits of class IV.
const PROPERTIES: [(&str, &str, &str, f64); 8] = [
    ("water_temperature", "temp", "Cel", 18.2),
    ("ph", "ph", "pH", 7.61),
    ("dissolved_oxygen", "do", "mg/L", 6.84),
    ("conductivity", "ec", "uS/cm", 712.0),
    ("turbidity", "turb", "NTU", 23.4),
    ("ammonia_nitrogen", "nh3n", "mg/L", 0.512),
    ("permanganate_index", "codmn", "mg/L", 4.31),
    ("total_phosphorus", "tp", "mg/L", 0.121),
];

fn main() {
    let many = std::env::var("WEIR_BENCH_MESSAGES").ok().and_then(|text| text.parse().ok());
    let many: u64 = many.unwrap_or(400_000);
    println!("QoS 1, MQTT 5, 8 values a message, {STATIONS} stations, limits and checks on");
    run("full speed", many, None);
    run("5,000 messages a second", 100_000, Some(5_000));
}

/// Sends messages through broker and weir into a sink and prints what they cost.
fn run(name: &str, count: u64, rate: Option<u64>) {
    let (broker, sink) = (Mosquitto::start(""), Sink::start());
    let mut weir = Weir::install(&broker.url(), &sink.config());
    write_seeds(&weir.folder().join("seeds"));
    weir.start();
    let ids = [weir.process().id(), broker.id()];
    let before = ids.map(cpu);
    let start = Instant::now();
    publish(broker.port(), count, rate);
    until_stored(&weir, count);
    let took = start.elapsed();
    let [weir_cpu, broker_cpu] = [0, 1].map(|one: usize| cpu(ids[one]) - before[one]);
    let (now, most) = memory(ids[0]);
    weir.stop();
    let (requests, values) = sink.received();
    assert_eq!(values, count * PROPERTIES.len() as u64, "every value reached the sink once");
    let micros = |cpu: Duration| cpu.as_secs_f64() * 1e6 / count as f64;
    println!(
        "{name}: weir costs {:.2} of mosquitto ({:.1} us of CPU a message to {:.1}); \
         {:.0} messages a second, {requests} requests; resident {now} MB, {most} MB at most",
        weir_cpu.as_secs_f64() / broker_cpu.as_secs_f64(),
        micros(weir_cpu),
        micros(broker_cpu),
        count as f64 / took.as_secs_f64(),
    );
}

fn until_stored(weir: &Weir, count: u64) {
    let count = i64::try_from(count).unwrap();
    let start = Instant::now();
    loop {
        let ledger = weir.ledger();
        let number = |pointer: &str| ledger.pointer(pointer).and_then(|one| one.as_i64());
        if number("/total/messages/stored") == Some(count)
            && number("/influx/waiting_points") == Some(0)
        {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(300), "not stored in time: {ledger}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Puts the stations of the bench beside those of the example.
fn write_seeds(folder: &Path) {
    let source = "made for the bench";
    let (mut stations, mut devices, mut profiles) = (String::new(), String::new(), String::new());
    for number in 0..STATIONS {
        writeln!(
            stations,
            "bench-{number},puhe,Bench {number},{number},41.9,123.4,+08:00,river,IV,,,{source}"
        )
        .unwrap();
        writeln!(devices, "rivers,b{number},bench-{number},,bench,device,,,,,,{source}").unwrap();
    }
    for (property, channel, unit, _) in PROPERTIES {
        writeln!(
            profiles,
            "bench,sonde,{property},,/{channel},{unit},1,number,continuous,,,instant,,60s,,{source}"
        )
        .unwrap();
    }
    let tables = [("stations", stations), ("devices", devices), ("profiles", profiles)];
    for (table, rows) in tables {
        let path = folder.join(format!("{table}.csv"));
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, text.trim_end().to_owned() + "\n" + &rows).unwrap();
    }
}

/// Publishes at QoS 1 and returns when the broker has acknowledged every message.
fn publish(port: u16, count: u64, rate: Option<u64>) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.write_all(b"\x10\x11\x00\x04MQTT\x04\x02\x00\x00\x00\x05bench").unwrap();
    let mut welcome = [0; 4];
    stream.read_exact(&mut welcome).unwrap();
    assert_eq!(welcome, [0x20, 2, 0, 0]);
    let acknowledged = Arc::new(AtomicU64::new(0));
    let (mut reader, counter) = (stream.try_clone().unwrap(), Arc::clone(&acknowledged));
    let listener = std::thread::spawn(move || {
        let (mut buffer, mut bytes) = ([0; 65_536], 0);
        while bytes < count * 4 {
            bytes += reader.read(&mut buffer).unwrap() as u64;
            counter.store(bytes / 4, Ordering::Release);
        }
    });
    // A second between the values of a station, and all of it over: nothing is of the future.
    let seconds = i64::try_from(count / STATIONS).unwrap();
    let first = (jiff::Timestamp::now().as_second() - seconds - 60) * 1_000;
    let (start, mut out) = (Instant::now(), Vec::new());
    let burst = rate.map_or(100, |rate| rate / 1_000);
    for number in 0..count {
        push_publish(&mut out, number, first);
        if (number + 1) % burst == 0 || number + 1 == count {
            stream.write_all(&out).unwrap();
            out.clear();
            if let Some(rate) = rate {
                let due = Duration::from_secs_f64(number as f64 / rate as f64);
                std::thread::sleep(due.saturating_sub(start.elapsed()));
            }
            while number + 1 - acknowledged.load(Ordering::Acquire) > WINDOW {
                std::thread::sleep(Duration::from_micros(200));
            }
        }
    }
    listener.join().unwrap();
}

fn push_publish(out: &mut Vec<u8>, number: u64, first: i64) {
    let (station, step) = (number % STATIONS, number / STATIONS);
    let topic = format!("water/b{station}/data");
    let mut payload = format!("{{\"ts\":{}", first + i64::try_from(step).unwrap() * 1_000);
    for (property, channel, _, value) in PROPERTIES {
        let decimals = if property == "conductivity" { 0 } else { 2 };
        let value = value + (number % 17) as f64 / 100.0;
        write!(payload, ",\"{channel}\":{value:.decimals$}").unwrap();
    }
    payload.push('}');
    let mut left = 2 + topic.len() + 2 + payload.len();
    out.push(0x32);
    while left > 127 {
        out.push((left & 0x7f) as u8 | 0x80);
        left >>= 7;
    }
    out.push(left as u8);
    out.extend_from_slice(&(topic.len() as u16).to_be_bytes());
    out.extend_from_slice(topic.as_bytes());
    out.extend_from_slice(&((number % 65_535) as u16 + 1).to_be_bytes());
    out.extend_from_slice(payload.as_bytes());
}

/// Gives what a process has spent of CPU.
fn cpu(id: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    let after_name = stat.rsplit_once(") ").unwrap().1;
    let ticks = after_name.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().unwrap());
    // Linux counts them in hundredths of a second on every machine that it runs on.
    Duration::from_millis(ticks.sum::<u64>() * 10)
}

/// Gives what a process has resident now, and the most it had, MB.
fn memory(id: u32) -> (u64, u64) {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1_024
    };
    (field("VmRSS:"), field("VmHWM:"))
}

/// A database that says 204 to everything and counts afterwards.
struct Sink {
    port: u16,
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Sink {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&bodies);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || serve(stream, &kept));
            }
        });
        Self { port, bodies }
    }

    fn config(&self) -> String {
        format!("[influx]\nurl = 'http://127.0.0.1:{}'\ndialect = 'victoria'\n", self.port)
    }

    /// Gives the requests and the values of raw water quality in them.
    fn received(&self) -> (usize, u64) {
        let bodies = self.bodies.lock().unwrap();
        let mut values = 0;
        for body in bodies.iter() {
            let lines = BufReader::new(MultiGzDecoder::new(body.as_slice())).lines();
            for line in lines.map(Result::unwrap).filter(|line| line.starts_with("water,")) {
                let fields = line.split(' ').nth(1).unwrap_or_default();
                values += fields.split(',').filter(|field| !field.contains('_')).count() as u64;
                let named = PROPERTIES.iter().filter(|(name, ..)| name.contains('_'));
                values +=
                    named.filter(|(name, ..)| fields.contains(&format!("{name}="))).count() as u64;
            }
        }
        (bodies.len(), values)
    }
}

fn serve(stream: TcpStream, kept: &Mutex<Vec<Vec<u8>>>) {
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
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        if length > 0 {
            kept.lock().unwrap().push(body);
        }
        if reader.get_mut().write_all(b"HTTP/1.1 204 No Content\r\n\r\n").is_err() {
            return;
        }
    }
}
