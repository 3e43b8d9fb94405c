//! Publishers at QoS 1, fast enough to be no part of what is measured.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::fleet;

/// How many messages may be on the way to the broker, so that it is not flooded.
const WINDOW: u64 = 1_000;

/// What is to be published.
#[derive(Clone, Copy)]
pub struct Load {
    /// How many stations take turns.
    pub stations: u64,
    /// How many messages.
    pub count: u64,
    /// How many a second; as fast as the broker takes them without.
    pub rate: Option<u64>,
    /// The time that the first ones state, ms; a station's next message is a second later.
    pub first: i64,
}

impl Load {
    /// A load of the past, which ends a minute ago: nothing is of the future.
    pub fn of(stations: u64, count: u64, rate: Option<u64>) -> Self {
        let seconds = i64::try_from(count / stations).unwrap();
        let first = (jiff::Timestamp::now().as_second() - seconds - 60) * 1_000;
        Self { stations, count, rate, first }
    }

    /// How long a payload is on average, bytes.
    pub fn payload_bytes(&self) -> u64 {
        let (mut topic, mut payload) = (String::new(), String::new());
        let lengths = (0..17).map(|turn| {
            fleet::message(turn, self.first, turn, &mut topic, &mut payload);
            payload.len() as u64
        });
        lengths.sum::<u64>() / 17
    }
}

/// A session at the broker.
pub struct Publisher {
    stream: TcpStream,
    packet_id: u16,
    out: Vec<u8>,
}

impl Publisher {
    pub fn connect(port: u16, name: &str) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        let length = u8::try_from(name.len()).unwrap();
        let mut out = vec![0x10, 12 + length];
        out.extend_from_slice(b"\x00\x04MQTT\x04\x02\x00\x00\x00");
        out.push(length);
        out.extend_from_slice(name.as_bytes());
        stream.write_all(&out).unwrap();
        let mut welcome = [0; 4];
        stream.read_exact(&mut welcome).unwrap();
        assert_eq!(welcome, [0x20, 2, 0, 0]);
        Self { stream, packet_id: 0, out: Vec::new() }
    }

    /// Lays a message down; [`Self::flush`] sends it.
    pub fn push(&mut self, topic: &str, payload: &str) {
        self.packet_id = self.packet_id.checked_add(1).unwrap_or(1);
        let out = &mut self.out;
        let mut left = 2 + topic.len() + 2 + payload.len();
        out.push(0x32);
        while left > 127 {
            out.push((left & 0x7f) as u8 | 0x80);
            left >>= 7;
        }
        out.push(left as u8);
        out.extend_from_slice(&(topic.len() as u16).to_be_bytes());
        out.extend_from_slice(topic.as_bytes());
        out.extend_from_slice(&self.packet_id.to_be_bytes());
        out.extend_from_slice(payload.as_bytes());
    }

    pub fn flush(&mut self) {
        self.stream.write_all(&self.out).unwrap();
        self.out.clear();
    }

    /// Counts acknowledgements on a thread of its own until so many came.
    pub fn count_acks(&self, count: u64) -> (Arc<AtomicU64>, std::thread::JoinHandle<()>) {
        let acknowledged = Arc::new(AtomicU64::new(0));
        let (mut reader, counter) = (self.stream.try_clone().unwrap(), Arc::clone(&acknowledged));
        let thread = std::thread::spawn(move || {
            let (mut buffer, mut bytes) = ([0; 65_536], 0);
            while bytes < count * 4 {
                bytes += reader.read(&mut buffer).unwrap() as u64;
                counter.store(bytes / 4, Ordering::Release);
            }
        });
        (acknowledged, thread)
    }
}

/// Publishes and returns when the broker has acknowledged every message.
pub fn publish(port: u16, load: Load) {
    let mut publisher = Publisher::connect(port, "bench");
    let (acknowledged, listener) = publisher.count_acks(load.count);
    let (mut topic, mut payload) = (String::new(), String::new());
    let start = Instant::now();
    let burst = load.rate.map_or(100, |rate| (rate / 1_000).max(1));
    for number in 0..load.count {
        let (station, step) = (number % load.stations, number / load.stations);
        let ts = load.first + i64::try_from(step).unwrap() * 1_000;
        fleet::message(station, ts, number, &mut topic, &mut payload);
        publisher.push(&topic, &payload);
        if (number + 1) % burst == 0 || number + 1 == load.count {
            publisher.flush();
            if let Some(rate) = load.rate {
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
