//! What is sent to weir: four stations that cross a limit and come back, and what is wrong
//! between. A publisher of the test's own, which notes what the broker confirmed to it.

use std::collections::HashMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::wire::{self, Frames};

/// How many messages may be under way without the broker's word.
const WINDOW: usize = 60;
/// weir keeps the bytes of the first hundred dead letters of a kind.
const BAD_MAX: usize = 80;
/// How long the broker may be away.
const PATIENCE: Duration = Duration::from_secs(150);

/// What a message is, and so where it must end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// All of its readings are stored.
    Good,
    /// The acidity is a text: a dead letter, and its neighbours are stored.
    Text,
    /// A sound message in bytes that break off: a dead letter.
    Broken,
    /// No device of the seeds: a dead letter.
    Unknown,
    /// The bytes of the message before, once more: a duplicate.
    Repeat,
}

/// One message.
#[derive(Clone, PartialEq, Debug)]
pub struct Sent {
    pub kind: Kind,
    /// 1 to 4.
    pub device: i64,
    /// What the device says when it is.
    pub ts: i64,
    pub topic: String,
    pub payload: String,
    /// How often it was given to the broker: again where its word did not come.
    pub copies: u64,
    pub confirmed: bool,
}

/// The pace of the load.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How far the devices' time goes from one message to the next, ms.
    pub step_ms: i64,
    /// How long it takes.
    pub pause: Duration,
    /// How long ago it begins in the devices' time, h; what is older than 26 h is late.
    pub ago_h: i64,
}

impl Pace {
    /// An hour of the devices in three seconds: many changes of alerts.
    pub const FAST: Self = Self { step_ms: 10_000, pause: Duration::from_millis(8), ago_h: 24 };
    /// For a minute or two.
    pub const CALM: Self = Self { step_ms: 10_000, pause: Duration::from_millis(60), ago_h: 24 };
    /// For runs of half an hour, within the time that is not late.
    pub const LONG: Self = Self { step_ms: 1_000, pause: Duration::from_millis(25), ago_h: 24 };
}

/// What a station measures.
pub const FIELDS: [&str; 5] =
    ["water_temperature", "ph", "dissolved_oxygen", "conductivity", "turbidity"];
pub const STATIONS: [&str; 4] = ["puhe-huishan", "puhe-daoyi", "puhe-pudong", "puhe-pingluo"];

/// Gives the station's values, as the device says them.
pub fn values(device: i64, ts: i64) -> [f64; 5] {
    let minute = ts / 60_000;
    let second = (ts / 1_000 % 600) as f64;
    // Each device has a bad 20 minutes of 60, one after the other: below 3 mg/L of Class IV.
    let into = (minute + device * 15) % 60;
    let oxygen = if into < 20 { 2.0 + into as f64 / 100.0 } else { 6.5 + second / 1_000.0 };
    [18.0 + second / 100.0, 7.61, oxygen, 700.0 + second, 12.5]
}

/// Gives what must stand in the sink of a message, a value a field.
pub fn points(sent: &Sent) -> [Option<f64>; 5] {
    let mut values = values(sent.device, sent.ts).map(Some);
    if sent.device == 2 {
        // The calibration of this station in the example seeds.
        values[2] = values[2].map(|oxygen| oxygen * 1.02 - 0.05);
    }
    if sent.kind == Kind::Text {
        values[1] = None;
    }
    values
}

fn message(kind: Kind, device: i64, ts: i64) -> Sent {
    let [temperature, ph, oxygen, conductivity, turbidity] = values(device, ts);
    let ph = if kind == Kind::Text { "\"seven\"".to_owned() } else { ph.to_string() };
    let mut payload = format!(
        "{{\"ts\":{ts},\"temp\":{temperature},\"ph\":{ph},\"do\":{oxygen},\"ec\":{conductivity},\
         \"turb\":{turbidity},\"battery\":12.6}}"
    );
    if kind == Kind::Broken {
        payload.truncate(payload.len() / 2);
    }
    let number = if kind == Kind::Unknown { 90 + device } else { device };
    let topic = format!("water/sonde-{number:02}/data");
    Sent { kind, device, ts, topic, payload, copies: 0, confirmed: false }
}

/// A sound message that a broker is said to have confirmed.
pub fn good(device: i64, ts: i64) -> Sent {
    Sent { confirmed: true, copies: 1, ..message(Kind::Good, device, ts) }
}

/// What all devices send at one step.
fn at_step(step: usize, ts: i64, bad: &mut usize) -> Vec<Sent> {
    let mut messages = Vec::new();
    for device in 1..=4 {
        let ts = ts + device;
        let place = step * 4 + device as usize;
        let more = |messages: &mut Vec<Sent>, kind| messages.push(message(kind, device, ts));
        match place % 101 {
            17 if *bad < BAD_MAX => {
                *bad += 1;
                more(&mut messages, Kind::Broken);
                more(&mut messages, Kind::Unknown);
                more(&mut messages, Kind::Text);
            }
            50 => {
                more(&mut messages, Kind::Good);
                more(&mut messages, Kind::Repeat);
            }
            _ => more(&mut messages, Kind::Good),
        }
    }
    messages
}

/// The publisher at work.
#[derive(Debug)]
pub struct Publisher {
    stop: Arc<AtomicBool>,
    confirmed: Arc<AtomicUsize>,
    work: Option<JoinHandle<Vec<Sent>>>,
}

impl Publisher {
    /// Begins to send, as of a whole minute some hours ago.
    pub fn start(port: u16, pace: Pace) -> Self {
        let (stop, confirmed) = (Arc::default(), Arc::default());
        let line = Line {
            port,
            stream: None,
            frames: Frames::default(),
            next_id: 0,
            under_way: HashMap::new(),
            sent: Vec::new(),
            confirmed: Arc::clone(&confirmed),
        };
        let told = Arc::clone(&stop);
        let work = std::thread::spawn(move || line.work(pace, &told));
        Self { stop, confirmed, work: Some(work) }
    }

    /// Gives how many messages the broker has confirmed.
    pub fn confirmed(&self) -> usize {
        self.confirmed.load(Ordering::Acquire)
    }

    /// Waits until the broker has confirmed so many more.
    #[track_caller]
    pub fn more(&self, count: usize) {
        let until = self.confirmed() + count;
        crate::peer::until("the publisher", || self.confirmed() >= until);
    }

    /// Sends no more, waits for the broker's word for everything, and gives it.
    pub fn finish(&mut self) -> Vec<Sent> {
        self.stop.store(true, Ordering::Release);
        self.work.take().unwrap().join().unwrap()
    }
}

struct Line {
    port: u16,
    stream: Option<TcpStream>,
    frames: Frames,
    next_id: u16,
    /// By packet id, what the broker has not confirmed.
    under_way: HashMap<u16, usize>,
    sent: Vec<Sent>,
    confirmed: Arc<AtomicUsize>,
}

impl Line {
    fn work(mut self, pace: Pace, stop: &AtomicBool) -> Vec<Sent> {
        let now = jiff::Timestamp::now().as_millisecond();
        let start = (now - pace.ago_h * 3_600_000) / 60_000 * 60_000;
        let (mut step, mut bad) = (0, 0);
        while !stop.load(Ordering::Acquire) {
            let ts = start + step as i64 * pace.step_ms;
            assert!(ts < now, "the load has caught up with the clock: take smaller steps");
            for sent in at_step(step, ts, &mut bad) {
                self.sent.push(sent);
                self.give(self.sent.len() - 1);
                self.listen(WINDOW);
            }
            step += 1;
            std::thread::sleep(pace.pause);
        }
        self.listen(0);
        self.sent
    }

    /// Writes one message; if the line breaks, everything that is not confirmed, in order.
    fn give(&mut self, index: usize) {
        self.next_id = self.next_id % 60_000 + 1;
        let sent = &mut self.sent[index];
        sent.copies += 1;
        self.under_way.insert(self.next_id, index);
        let frame = wire::publish(&sent.topic, self.next_id, sent.payload.as_bytes());
        if self.stream.as_mut().is_none_or(|stream| stream.write_all(&frame).is_err()) {
            self.again();
        }
    }

    /// Waits for the broker's word until no more than so many lack it.
    fn listen(&mut self, lacking: usize) {
        let start = Instant::now();
        let mut bytes = [0; 4_096];
        while self.under_way.len() > lacking {
            assert!(start.elapsed() < PATIENCE, "the broker does not confirm what it is given");
            match self.stream.as_mut().map(|stream| stream.read(&mut bytes)) {
                Some(Ok(count)) if count > 0 => self.frames.push(&bytes[..count]),
                Some(Err(error))
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                _ => self.again(),
            }
            while let Some(frame) = self.frames.next() {
                self.note(&frame);
            }
        }
    }

    fn note(&mut self, frame: &[u8]) {
        if frame[0] >> 4 != wire::PUBACK {
            return;
        }
        if let Some(index) = self.under_way.remove(&wire::packet_id(frame)) {
            self.sent[index].confirmed = true;
            self.confirmed.fetch_add(1, Ordering::AcqRel);
        }
    }

    fn again(&mut self) {
        let start = Instant::now();
        self.frames = Frames::default();
        loop {
            assert!(start.elapsed() < PATIENCE, "the broker does not come back");
            let connected = TcpStream::connect(("127.0.0.1", self.port));
            let greeted = connected.and_then(|mut stream| {
                stream.set_nodelay(true)?;
                stream.write_all(&wire::connect("stations", true))?;
                stream.set_read_timeout(Some(Duration::from_secs(5)))?;
                let mut answer = [0; 4];
                stream.read_exact(&mut answer)?;
                stream.set_read_timeout(Some(Duration::from_millis(20)))?;
                Ok(stream)
            });
            if let Ok(stream) = greeted {
                self.stream = Some(stream);
                break;
            }
            std::thread::sleep(Duration::from_millis(30));
        }
        let mut left: Vec<usize> = std::mem::take(&mut self.under_way).into_values().collect();
        left.sort_unstable();
        for index in left {
            self.give(index);
        }
    }
}
