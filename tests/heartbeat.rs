//! The dead man's switch against real listeners: beats, and what systemd hears, stop when weir
//! does nothing any more, whatever keeps it from it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may panic, and waits by its own clock"
)]

mod alertmanager;
mod peer;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use weir::domain::input::Qos;
use weir::mqtt::publisher::Publisher;

use alertmanager::Alertmanager;
use peer::{Hook, Mosquitto, Weir, until};

/// The words of a service manager, as it hears them.
struct Manager {
    socket: UnixDatagram,
    heard: Vec<String>,
}

impl Manager {
    /// Listens in a folder.
    fn listen(folder: &Path) -> Self {
        let socket = UnixDatagram::bind(folder.join("notify")).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        Self { socket, heard: Vec::new() }
    }

    fn environment(folder: &Path, watchdog: Duration) -> Vec<(String, String)> {
        let socket = folder.join("notify").display().to_string();
        let micros = watchdog.as_micros().to_string();
        vec![("NOTIFY_SOCKET".to_owned(), socket), ("WATCHDOG_USEC".to_owned(), micros)]
    }

    /// Hears what was said since.
    fn hear(&mut self) -> &[String] {
        let from = self.heard.len();
        let mut datagram = [0; 4_096];
        while let Ok(length) = self.socket.recv(&mut datagram) {
            let text = String::from_utf8(datagram[..length].to_vec()).unwrap();
            self.heard.extend(text.lines().map(str::to_owned));
        }
        &self.heard[from..]
    }

    fn heard(&mut self, word: &str) -> bool {
        self.hear();
        self.heard.iter().any(|said| said.contains(word))
    }

    /// Says whether a word comes within some time.
    fn hears_within(&mut self, word: &str, time: Duration) -> bool {
        self.hear();
        let start = std::time::Instant::now();
        while start.elapsed() < time {
            if self.hear().iter().any(|said| said.contains(word)) {
                return true;
            }
        }
        false
    }
}

/// Someone outside, who takes each beat and remembers what it asked and said.
struct Outside {
    port: u16,
    asked: Arc<Mutex<Vec<(String, String)>>>,
}

impl Outside {
    fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let taken = Arc::clone(&asked);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let (mut first, mut length) = (String::new(), 0);
                reader.read_line(&mut first).unwrap();
                loop {
                    let mut line = String::new();
                    if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
                        break;
                    }
                    if let Some(stated) = line.to_ascii_lowercase().strip_prefix("content-length:")
                    {
                        length = stated.trim().parse().unwrap();
                    }
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                let body = String::from_utf8(body).unwrap();
                taken.lock().unwrap().push((first.trim().to_owned(), body));
                let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                stream.write_all(answer.as_bytes()).ok();
            }
        });
        Self { port, asked }
    }

    fn asked(&self) -> Vec<(String, String)> {
        self.asked.lock().unwrap().clone()
    }

    /// Says whether two more beats come within some time.
    fn hears_within(&self, time: Duration) -> bool {
        let (start, before) = (std::time::Instant::now(), self.asked().len());
        while start.elapsed() < time {
            if self.asked().len() >= before + 2 {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }
}

#[test]
fn systemd_hears_that_weir_is_ready_lives_and_stops() {
    let broker = Mosquitto::start("");
    let mut weir = Weir::install(&broker.url(), "");
    let mut manager = Manager::listen(weir.folder());
    weir.surround(Manager::environment(weir.folder(), Duration::from_millis(400)));
    weir.start();
    until("ready", || manager.heard("READY=1"));
    for _ in 0..3 {
        assert!(manager.hears_within("WATCHDOG=1", Duration::from_secs(2)));
    }
    until("how it does", || manager.heard("STATUS=2 of 2 brokers connected"));
    assert!(!manager.heard("STOPPING=1"));
    weir.stop();
    assert!(manager.heard("STOPPING=1"), "{:?}", manager.heard);
    let at = |word: &str| manager.heard.iter().position(|said| said == word).unwrap();
    assert!(at("READY=1") < at("WATCHDOG=1") && at("WATCHDOG=1") < at("STOPPING=1"));
}

#[test]
fn without_a_watchdog_systemd_hears_of_none() {
    let broker = Mosquitto::start("");
    let mut weir = Weir::install(&broker.url(), "");
    let mut manager = Manager::listen(weir.folder());
    let mut environment = Manager::environment(weir.folder(), Duration::ZERO);
    environment.truncate(1);
    weir.surround(environment);
    weir.start();
    until("how it does", || manager.heard("STATUS="));
    weir.stop();
    assert!(manager.heard("READY=1") && manager.heard("STOPPING=1"));
    assert!(!manager.heard("WATCHDOG=1"));
}

#[test]
fn beats_come_while_weir_is_well_and_no_more_when_it_is_killed_or_hangs() {
    let (broker, outside) = (Mosquitto::start(""), Outside::listen());
    let more = format!(
        "[heartbeat]\nurl = 'http://127.0.0.1:{0}/key'\nmethod = 'POST'\nname = 'north'\n\
         alertmanager = 'http://127.0.0.1:{0}/am'\ninterval_s = 1\n",
        outside.port
    );
    let mut weir = Weir::install(&broker.url(), &more);
    weir.start();
    let of = |path: &str| {
        let asked = outside.asked();
        asked.into_iter().filter(|(first, _)| first.contains(path)).collect::<Vec<_>>()
    };
    until("beats at both", || of(" /key ").len() >= 3 && of(" /am/api/v2/alerts ").len() >= 3);
    let (first, body) = of(" /key ").pop().unwrap();
    assert!(first.starts_with("POST "), "{first}");
    assert_eq!(body, "north: 2 of 2 brokers connected\n");
    let alerts: Vec<serde_json::Value> = of(" /am/")
        .iter()
        .map(|(_, body)| serde_json::from_str::<serde_json::Value>(body).unwrap()[0].clone())
        .collect();
    let [one, .., other] = &*alerts else { panic!("{alerts:?}") };
    assert_eq!(one["labels"], other["labels"]);
    assert_eq!(
        (&one["labels"]["alertname"], &one["labels"]["instance"]),
        (&"Watchdog".into(), &"north".into())
    );
    assert_eq!(one["startsAt"], other["startsAt"]);
    assert!(one["endsAt"].as_str() < other["endsAt"].as_str());
    let (_, said) = weir.command(&["check", "--connect"]);
    assert!(said.contains(&format!("heartbeat 127.0.0.1:{}: reached", outside.port)), "{said}");
    let id = weir.process().id().to_string();
    let signal = |word: &str| {
        std::process::Command::new("kill").args([word, &id]).status().unwrap();
    };
    signal("-STOP");
    std::thread::sleep(Duration::from_millis(200));
    assert!(!outside.hears_within(Duration::from_secs(3)));
    signal("-CONT");
    assert!(outside.hears_within(Duration::from_secs(10)));
    weir.kill();
    assert!(!outside.hears_within(Duration::from_secs(3)));
    drop(broker);
}

#[test]
fn a_real_alertmanager_tells_of_a_weir_that_is_killed() {
    let (broker, hook) = (Mosquitto::start(""), Hook::start());
    let alertmanager = Alertmanager::start(hook.port());
    let url = alertmanager.url();
    let more = format!("[heartbeat]\nalertmanager = '{url}'\nname = 'north'\ninterval_s = 1\n");
    let mut weir = Weir::install(&broker.url(), &more);
    weir.start();
    until("the alert", || !alertmanager.alerts().is_empty());
    // Longer than it stands without another beat.
    std::thread::sleep(Duration::from_secs(5));
    let alerts = alertmanager.alerts();
    assert_eq!(alerts[0]["labels"]["alertname"], "Watchdog");
    assert_eq!(alerts[0]["labels"]["instance"], "north");
    let told = |status: &str| hook.got().iter().any(|(_, body)| body["status"] == status);
    assert!(told("firing") && !told("resolved"), "{:?}", hook.got());
    weir.kill();
    until("its end", || told("resolved"));
    assert_eq!(alertmanager.alerts(), Vec::<serde_json::Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_takes_nothing_stops_the_beat_but_not_the_watchdog() {
    let (broker, outside) = (Mosquitto::start(""), Outside::listen());
    let more =
        format!("[heartbeat]\nurl = 'http://127.0.0.1:{}/key'\ninterval_s = 1\n", outside.port);
    let mut weir = Weir::install(&broker.url(), &more);
    let mut manager = Manager::listen(weir.folder());
    weir.surround(Manager::environment(weir.folder(), Duration::from_millis(400)));
    weir.start();
    assert!(outside.hears_within(Duration::from_secs(10)), "{}", weir.log());
    // Somebody else writes the journal and comes to no end.
    let journal = weir.folder().join("data/journal.sqlite");
    let other = rusqlite::Connection::open(journal).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let publisher = Publisher::connect(&broker.url(), "station").unwrap();
    let (topic, payload) = ("water/nobody/data", b"{}".to_vec());
    publisher.publish(topic, payload, Qos::AtLeastOnce, false).await.unwrap();
    publisher.flush().await;
    until("it is said", || manager.heard("STATUS=the journal takes no batch"));
    assert!(!outside.hears_within(Duration::from_secs(4)));
    assert!(manager.hears_within("WATCHDOG=1", Duration::from_secs(2)));
    other.execute_batch("ROLLBACK").unwrap();
    assert!(outside.hears_within(Duration::from_secs(20)));
    weir.stop();
    publisher.close().await;
}

/// Gives the settings of the sample unit.
fn unit() -> Vec<(String, String)> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/weir.service");
    let text = std::fs::read_to_string(file).unwrap();
    let pairs = text.lines().filter(|line| !line.starts_with('#'));
    let pairs = pairs.filter_map(|line| line.split_once('='));
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

#[test]
fn the_sample_unit_watches_and_starts_again() {
    let unit = unit();
    let check = |key: &str, want: &str| {
        let found: Vec<&str> =
            unit.iter().filter(|(one, _)| one == key).map(|(_, value)| &**value).collect();
        assert_eq!(found, [want], "{key}");
    };
    check("Type", "notify");
    check("NotifyAccess", "main");
    check("WatchdogSec", "60");
    check("Restart", "always");
    check("ExecStart", "/usr/local/bin/weir run --config /etc/weir/weir.toml");
    check("ExecReload", "/bin/kill -HUP $MAINPID");
}
