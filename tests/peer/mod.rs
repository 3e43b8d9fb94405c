//! Real peers for tests, each on a free port of loopback in a folder of its own, stopped by its
//! own process id.
#![allow(dead_code, unreachable_pub, reason = "no test needs all of them")]
#![allow(clippy::disallowed_methods, reason = "a test waits by its own clock")]

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Finds a port that is free now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Waits until something answers, at most 20 s.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(20), "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// Finds a program of the system.
#[track_caller]
fn program(name: &str, package: &str) -> PathBuf {
    let path = std::env::var("PATH").unwrap_or_default();
    let folders = path.split(':').map(Path::new).chain([Path::new("/usr/sbin")]);
    let found = folders.map(|folder| folder.join(name)).find(|file| file.exists());
    found.unwrap_or_else(|| panic!("{name} is missing: install the Debian package {package}"))
}

/// A process that ends with the test.
#[derive(Debug)]
pub struct Process(Child);

impl Process {
    pub fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).spawn().unwrap())
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    pub fn kill(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }

    pub fn terminate(&mut self) -> std::process::ExitStatus {
        let id = self.0.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status().unwrap();
        self.0.wait().unwrap()
    }

    pub fn running(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Debian's mosquitto, with persistence.
#[derive(Debug)]
pub struct Mosquitto {
    process: Process,
    folder: TempDir,
    port: u16,
}

impl Mosquitto {
    pub fn start(more: &str) -> Self {
        let (folder, port) = (TempDir::new().unwrap(), free_port());
        let path = folder.path().display();
        // As root it would drop to a user of its own that can't write this folder.
        let user = if root() { "user root\n" } else { "" };
        let text = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\n{user}persistence true\n\
             persistence_location {path}/\nmax_queued_messages 0\nmax_inflight_messages 0\n{more}\n"
        );
        fs::write(folder.path().join("mosquitto.conf"), text).unwrap();
        let process = Self::spawn(folder.path());
        let broker = Self { process, folder, port };
        until("mosquitto", || listens(broker.port));
        broker
    }

    fn spawn(folder: &Path) -> Process {
        let log = fs::File::options().create(true).append(true).open(folder.join("log")).unwrap();
        Process::start(
            Command::new(program("mosquitto", "mosquitto"))
                .arg("-c")
                .arg(folder.join("mosquitto.conf"))
                .stdout(log.try_clone().unwrap())
                .stderr(log),
        )
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Stops in order and starts again; with `forget`, without what it had kept.
    pub fn restart(&mut self, forget: bool) {
        self.process.terminate();
        if forget {
            fs::remove_file(self.folder.path().join("mosquitto.db")).ok();
        }
        self.process = Self::spawn(self.folder.path());
        until("mosquitto", || listens(self.port));
    }
}

fn root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}
