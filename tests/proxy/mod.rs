//! A proxy between weir and its broker, which reads the packets of both directions, remembers what
//! weir acknowledged, and does to the line what the test says.
#![allow(dead_code, unreachable_pub, reason = "no test needs all of it")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, reason = "a test waits by its own clock")]

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::oracle::control::Acknowledged;
use crate::oracle::wire::{self, Delivery, Frames};

/// The connection of weir whose messages are remembered and into whose line bytes are put.
const RIVERS: &str = "weir-rivers";
/// Packet ids from here on are for what the proxy puts in; each of their bytes is one of ASCII.
pub const OWN_IDS: u16 = 0x7f00;

/// What the proxy does with every line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    Pass,
    /// Both directions stay open and silent.
    Freeze,
    /// So many bytes every 20 ms.
    Slow(usize),
    /// Who connects is thrown out at once.
    Refuse,
}

/// What is changed in the broker's answers from now on; MQTT 5 only.
#[derive(Clone, Debug, Default)]
pub struct Rewrite {
    /// The properties of a CONNACK.
    pub connack: Option<Vec<u8>>,
    /// The filter that is refused, and the code.
    pub refuse: Option<(String, u8)>,
    /// What follows each SUBACK of the rivers.
    pub after_suback: Option<Vec<u8>>,
    /// What weir hears before a line that the broker ends.
    pub farewell: Option<Vec<u8>>,
}

/// What was seen on the line of the rivers.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// What weir acknowledged.
    pub acknowledged: Acknowledged,
    /// How many messages were delivered, and how many of them with DUP.
    pub deliveries: u64,
    pub dups: u64,
    /// Acks of what the broker had not sent, in order.
    pub own_acks: Vec<u16>,
    pub connects: u64,
    pub pings: u64,
}

#[derive(Debug)]
struct Shared {
    broker: u16,
    mode: Mutex<Mode>,
    rewrite: Mutex<Rewrite>,
    seen: Mutex<Seen>,
    lines: Mutex<Vec<Arc<Line>>>,
}

/// One connection of weir, and the one to the broker behind it.
#[derive(Debug)]
struct Line {
    weir: TcpStream,
    broker: TcpStream,
    /// Whole packets only go to weir under this lock.
    pen: Mutex<()>,
    known: Mutex<Known>,
}

/// What the packets so far say of the line.
#[derive(Debug, Default)]
struct Known {
    client_id: String,
    new: bool,
    /// By packet id, the filters asked for.
    filters: HashMap<u16, Vec<String>>,
    /// By packet id, what is not acknowledged.
    open: HashMap<u16, (String, String)>,
}

#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

impl Proxy {
    /// Begins between weir and the broker at this port.
    pub fn start(broker: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            broker,
            mode: Mutex::new(Mode::Pass),
            rewrite: Mutex::default(),
            seen: Mutex::default(),
            lines: Mutex::default(),
        });
        let taken = Arc::clone(&shared);
        std::thread::spawn(move || {
            for weir in listener.incoming().flatten() {
                taken.connect(weir);
            }
        });
        Self { port, shared }
    }

    pub fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    pub fn set(&self, mode: Mode) {
        *self.shared.mode.lock().unwrap() = mode;
    }

    pub fn rewrite(&self, rewrite: Rewrite) {
        *self.shared.rewrite.lock().unwrap() = rewrite;
    }

    /// Ends every line.
    pub fn cut(&self) {
        for line in self.shared.lines.lock().unwrap().drain(..) {
            line.end();
        }
    }

    /// Puts bytes into the newest line of the rivers, between two packets.
    pub fn inject(&self, bytes: &[u8]) {
        let lines = self.shared.lines.lock().unwrap();
        let rivers = |line: &&Arc<Line>| line.known.lock().unwrap().client_id == RIVERS;
        let line = lines.iter().rev().find(rivers).unwrap();
        line.give(bytes).unwrap();
    }

    pub fn seen(&self) -> Seen {
        self.shared.seen.lock().unwrap().clone()
    }
}

impl Shared {
    fn connect(self: &Arc<Self>, weir: TcpStream) {
        if self.mode() == Mode::Refuse {
            return;
        }
        let Ok(broker) = TcpStream::connect(("127.0.0.1", self.broker)) else { return };
        for stream in [&weir, &broker] {
            stream.set_nodelay(true).unwrap();
            stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        }
        let line = Line { weir, broker, pen: Mutex::default(), known: Mutex::default() };
        let line = Arc::new(line);
        self.lines.lock().unwrap().push(Arc::clone(&line));
        for up in [true, false] {
            let (shared, line) = (Arc::clone(self), Arc::clone(&line));
            std::thread::spawn(move || {
                shared.carry(&line, up).ok();
                line.end();
            });
        }
    }

    fn mode(&self) -> Mode {
        *self.mode.lock().unwrap()
    }

    /// Carries one direction of a line until it ends.
    fn carry(&self, line: &Line, up: bool) -> std::io::Result<()> {
        let (mut frames, mut bytes) = (Frames::default(), [0; 16_384]);
        let mut from = if up { &line.weir } else { &line.broker };
        loop {
            self.thaw();
            match from.read(&mut bytes) {
                Ok(0) => {
                    let farewell = self.rewrite.lock().unwrap().farewell.clone();
                    return match farewell {
                        Some(bytes) if !up => line.give(&bytes),
                        Some(_) | None => Ok(()),
                    };
                }
                Ok(count) => frames.push(&bytes[..count]),
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => return Err(error),
            }
            while let Some(frame) = frames.next() {
                self.thaw();
                if up {
                    if let Some(frame) = self.heard_of_weir(line, frame) {
                        (&line.broker).write_all(&frame)?;
                    }
                } else {
                    self.slowly(line, &self.heard_of_broker(line, frame))?;
                }
            }
        }
    }

    fn thaw(&self) {
        while self.mode() == Mode::Freeze {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn slowly(&self, line: &Line, bytes: &[u8]) -> std::io::Result<()> {
        let _whole = line.pen.lock().unwrap();
        let mut rest = bytes;
        while let Mode::Slow(count) = self.mode()
            && rest.len() > count
        {
            let (now, later) = rest.split_at(count);
            (&line.weir).write_all(now)?;
            rest = later;
            std::thread::sleep(Duration::from_millis(20));
        }
        (&line.weir).write_all(rest)
    }

    /// Notes what weir says; gives what the broker is to hear of it.
    fn heard_of_weir(&self, line: &Line, frame: Vec<u8>) -> Option<Vec<u8>> {
        let mut known = line.known.lock().unwrap();
        match frame[0] >> 4 {
            1 => {
                (known.client_id, known.new) = client_id(&frame);
                if known.client_id == RIVERS {
                    self.seen.lock().unwrap().connects += 1;
                }
            }
            8 => {
                let filters = filters(&frame, known.new);
                known.filters.insert(wire::packet_id(&frame), filters);
            }
            12 if known.client_id == RIVERS => self.seen.lock().unwrap().pings += 1,
            wire::PUBACK => {
                let packet_id = wire::packet_id(&frame);
                let mut seen = self.seen.lock().unwrap();
                let Some(message) = known.open.remove(&packet_id) else {
                    // The broker is not to hear of what it did not send.
                    seen.own_acks.push(packet_id);
                    return None;
                };
                if known.client_id == RIVERS {
                    *seen.acknowledged.entry(message).or_default() += 1;
                }
            }
            _ => {}
        }
        Some(frame)
    }

    /// Notes what the broker says; gives what weir is to hear of it.
    fn heard_of_broker(&self, line: &Line, mut frame: Vec<u8>) -> Vec<u8> {
        let mut known = line.known.lock().unwrap();
        let rewrite = self.rewrite.lock().unwrap().clone();
        match frame[0] >> 4 {
            wire::CONNACK if known.new => {
                if let Some(properties) = rewrite.connack {
                    let (body, length) = (wire::body(&frame), properties.len() as u8);
                    frame = wire::frame(0x20, &[&body[..2], &[length], &properties].concat());
                }
            }
            wire::SUBACK if known.new => {
                let filters = known.filters.remove(&wire::packet_id(&frame)).unwrap_or_default();
                if let Some((refused, code)) = rewrite.refuse {
                    let codes = frame.len() - filters.len();
                    let each = filters.iter().enumerate();
                    for (index, _) in each.filter(|(_, filter)| **filter == refused) {
                        frame[codes + index] = code;
                    }
                }
                if known.client_id == RIVERS {
                    frame.extend(rewrite.after_suback.unwrap_or_default());
                }
            }
            wire::PUBLISH => {
                let Delivery { dup, qos, packet_id, topic, payload } =
                    Delivery::read(&frame, known.new);
                if qos > 0 && known.client_id == RIVERS {
                    let mut seen = self.seen.lock().unwrap();
                    seen.deliveries += 1;
                    seen.dups += u64::from(dup);
                }
                let payload = String::from_utf8_lossy(&payload).into_owned();
                known.open.insert(packet_id, (topic, payload));
            }
            _ => {}
        }
        frame
    }
}

impl Line {
    fn give(&self, bytes: &[u8]) -> std::io::Result<()> {
        let _whole = self.pen.lock().unwrap();
        (&self.weir).write_all(bytes)
    }

    fn end(&self) {
        // One that ended already is no fault.
        self.weir.shutdown(Shutdown::Both).ok();
        self.broker.shutdown(Shutdown::Both).ok();
    }
}

/// Gives the client id of a CONNECT, and whether it is MQTT 5.
fn client_id(frame: &[u8]) -> (String, bool) {
    let body = wire::body(frame);
    let new = body[6] == 5;
    // Name, version, flags and keep-alive; weir's properties are not longer than 127 bytes.
    let at = if new { 11 + usize::from(body[10]) } else { 10 };
    let length = usize::from(u16::from_be_bytes([body[at], body[at + 1]]));
    (String::from_utf8_lossy(&body[at + 2..at + 2 + length]).into_owned(), new)
}

/// Gives the filters of a SUBSCRIBE.
fn filters(frame: &[u8], new: bool) -> Vec<String> {
    let mut rest = &wire::body(frame)[if new { 3 } else { 2 }..];
    let mut filters = Vec::new();
    while rest.len() > 2 {
        let length = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
        filters.push(String::from_utf8_lossy(&rest[2..2 + length]).into_owned());
        rest = &rest[3 + length..];
    }
    filters
}

/// A PUBLISH of MQTT 5 at QoS 1, as a broker sends it.
pub fn delivery(topic: &str, packet_id: u16, properties: &[u8], payload: &str) -> Vec<u8> {
    let length = u16::try_from(topic.len()).unwrap().to_be_bytes();
    let (packet_id, count) = (packet_id.to_be_bytes(), [properties.len() as u8]);
    let body = [&length[..], topic.as_bytes(), &packet_id, &count, properties, payload.as_bytes()];
    wire::frame(0x32, &body.concat())
}
