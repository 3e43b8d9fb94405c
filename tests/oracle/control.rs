//! A subscriber beside weir, with a session of its own, that confirms what it gets: what it did
//! not get either was lost by the broker.

use std::collections::{HashMap, HashSet};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::wire::{self, Delivery, Frames};

/// What it got: topic and payload.
pub type Got = HashSet<(String, String)>;
/// What weir acknowledged: topic and payload, and how often.
pub type Acknowledged = HashMap<(String, String), u64>;

#[derive(Debug)]
pub struct Control {
    stop: Arc<AtomicBool>,
    got: Arc<Mutex<Got>>,
    work: Option<JoinHandle<()>>,
}

impl Control {
    /// Subscribes to what the stations say, and returns when the broker has granted it.
    pub fn start(port: u16) -> Self {
        let (stop, got, granted) =
            (Arc::default(), Arc::default(), Arc::new(AtomicBool::new(false)));
        let line = Line {
            port,
            stop: Arc::clone(&stop),
            got: Arc::clone(&got),
            granted: Arc::clone(&granted),
        };
        let work = std::thread::spawn(move || line.work());
        crate::peer::until("the control client", || granted.load(Ordering::Acquire));
        Self { stop, got, work: Some(work) }
    }

    /// Waits a moment for the last, and gives what it got.
    pub fn finish(&mut self) -> Got {
        let mut before = usize::MAX;
        loop {
            let count = self.got.lock().unwrap().len();
            if count == before {
                break;
            }
            before = count;
            std::thread::sleep(Duration::from_millis(500));
        }
        self.stop.store(true, Ordering::Release);
        self.work.take().unwrap().join().unwrap();
        std::mem::take(&mut *self.got.lock().unwrap())
    }
}

struct Line {
    port: u16,
    stop: Arc<AtomicBool>,
    got: Arc<Mutex<Got>>,
    granted: Arc<AtomicBool>,
}

impl Line {
    fn work(self) {
        while !self.stop.load(Ordering::Acquire) {
            if let Ok(stream) = TcpStream::connect(("127.0.0.1", self.port)) {
                // A broker that went is tried again.
                self.serve(stream).ok();
            }
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_millis(50)))?;
        stream.write_all(&wire::connect("control", false))?;
        stream.write_all(&wire::subscribe("water/+/data"))?;
        let (mut frames, mut bytes) = (Frames::default(), [0; 16_384]);
        while !self.stop.load(Ordering::Acquire) {
            match stream.read(&mut bytes) {
                Ok(0) => return Ok(()),
                Ok(count) => frames.push(&bytes[..count]),
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => return Err(error),
            }
            let mut acks = Vec::new();
            while let Some(frame) = frames.next() {
                match frame[0] >> 4 {
                    wire::SUBACK => self.granted.store(true, Ordering::Release),
                    wire::PUBLISH => {
                        let Delivery { packet_id, topic, payload, .. } =
                            Delivery::read(&frame, false);
                        let payload = String::from_utf8(payload).unwrap();
                        self.got.lock().unwrap().insert((topic, payload));
                        acks.extend(wire::puback(packet_id));
                    }
                    _ => {}
                }
            }
            stream.write_all(&acks)?;
        }
        Ok(())
    }
}

/// Lets the broker forget the session of a client, and what waits for it.
pub fn forget(port: u16, client_id: &str) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(&wire::connect(client_id, true)).unwrap();
    stream.read_exact(&mut [0; 4]).unwrap();
    stream.write_all(&[0xe0, 0]).unwrap();
    // The broker closes when it has let go.
    stream.read_to_end(&mut Vec::new()).unwrap();
}
