//! Real peers for tests, each on a free port of loopback in a folder of its own, stopped by its
//! own process id.
#![allow(dead_code, unreachable_pub, reason = "no test needs all of them")]
#![allow(clippy::disallowed_methods, reason = "a test waits by its own clock")]

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use weir::domain::input::Qos;
use weir::mqtt::publisher::Publisher;

/// Finds a port that is free now, below those that the system gives to connections that leave it:
/// one of these could be taken until it is listened on.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begin = std::process::id() as u16 % 20_000;
    loop {
        let port = 10_000 + begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Has oxygen of a sonde be too low for twenty minutes, an hour ago.
pub async fn bad_water(broker: &Mosquitto, sonde: &str) {
    let now = jiff::Timestamp::now().as_millisecond();
    let start = (now - 3_600_000) / 60_000 * 60_000;
    let publisher = Publisher::connect(&broker.url(), sonde).unwrap();
    for minute in 0..20 {
        let (ts, oxygen) = (start + minute * 60_000, 2.0 + minute as f64 / 100.0);
        let payload = format!("{{\"ts\":{ts},\"do\":{oxygen}}}").into_bytes();
        let topic = format!("water/{sonde}/data");
        publisher.publish(&topic, payload, Qos::AtLeastOnce, false).await.unwrap();
    }
    publisher.flush().await;
    publisher.close().await;
}

/// Waits until something answers, at most 60 s: a sink is tried again after 30 s at the latest.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(60), "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// Finds a program of the system.
#[track_caller]
pub fn program(name: &str, package: &str) -> PathBuf {
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
        self.stop();
        self.start_again(forget);
    }

    pub fn stop(&mut self) {
        self.process.terminate();
    }

    pub fn start_again(&mut self, forget: bool) {
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

/// The token of the account `tester`, an administrator that every installation has; pages and
/// `/api/` are asked for with it.
pub const TOKEN: &str = "weir_0000000000000000000000000000000000000000000000000000000000000000";
const USERS: &str = "[[user]]\nname = 'tester'\nrole = 'admin'\n[[user.token]]\n\
    label = 'tests'\n\
    digest = '60e05bd1b195af2f94112fa7197a5c88289058840ce7c6df9693756bc6250f55'\n";

/// Asks over HTTP and gives status and body.
pub fn get(port: u16, path: &str) -> (u16, String) {
    use std::io::{Read as _, Write as _};
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return (0, String::new()) };
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let is_open = ["/health", "/ready", "/metrics"].contains(&path);
    let own = if is_open { String::new() } else { format!("Authorization: Bearer {TOKEN}\r\n") };
    let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n{own}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned();
    (status, body)
}

/// Sends a form of the page, in a language, and gives the whole answer.
pub fn send_form(port: u16, language: &str, fields: &[(&str, &str)]) -> String {
    use std::io::{Read as _, Write as _};
    let pairs = fields.iter().map(|(name, value)| format!("{name}={}", escaped(value)));
    let body = pairs.collect::<Vec<_>>().join("&");
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let head = format!(
        "POST /act HTTP/1.0\r\nHost: localhost\r\nContent-Length: {}\r\n\
         Authorization: Bearer {TOKEN}\r\nCookie: lang={language}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Reads what the next page says of a form that was sent.
pub fn said_of_it(answer: &str) -> String {
    let said = answer.split("set-cookie: said=").nth(1).unwrap();
    let lines = url::form_urlencoded::parse(said.split(';').next().unwrap().as_bytes());
    lines.map(|(_, words)| words.into_owned()).collect::<Vec<_>>().join("\n")
}

/// Reads a request: its first line and its body, of which the head says how long it is.
pub fn request(reader: &mut impl std::io::BufRead) -> (String, Vec<u8>) {
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).unwrap();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(rest) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = rest.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (first, body)
}

/// Escapes what stands in a query.
pub fn escaped(text: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let each = text
        .bytes()
        .map(|byte| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") });
    each.collect()
}

/// Debian's InfluxDB 1.6.7 with one database, `weir`.
#[derive(Debug)]
pub struct Influx {
    process: Process,
    folder: TempDir,
    port: u16,
}

impl Influx {
    pub fn start() -> Self {
        let (folder, port, rpc) = (TempDir::new().unwrap(), free_port(), free_port());
        let path = folder.path().display();
        let text = format!(
            "reporting-disabled = true\nbind-address = \"127.0.0.1:{rpc}\"\n\
             [meta]\ndir = \"{path}/meta\"\n[data]\ndir = \"{path}/data\"\n\
             wal-dir = \"{path}/wal\"\n[http]\nbind-address = \"127.0.0.1:{port}\"\n\
             log-enabled = false\n[logging]\nlevel = \"error\"\n"
        );
        fs::write(folder.path().join("influx.conf"), text).unwrap();
        let process = Self::spawn(folder.path());
        let influx = Self { process, folder, port };
        until("influxd", || get(influx.port, "/ping").0 == 204);
        influx
    }

    fn spawn(folder: &Path) -> Process {
        let config = folder.join("influx.conf");
        Process::start(
            Command::new(program("influxd", "influxdb"))
                .arg("-config")
                .arg(config)
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
        )
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn stop(&mut self) {
        self.process.terminate();
    }

    pub fn start_again(&mut self) {
        self.process = Self::spawn(self.folder.path());
        until("influxd", || get(self.port, "/ping").0 == 204);
    }

    /// Gives the rows of a query, each a list of values.
    pub fn query(&self, query: &str) -> Vec<Vec<serde_json::Value>> {
        let path = format!("/query?db=weir&epoch=ms&q={}", escaped(query));
        let (status, body) = get(self.port, &path);
        assert_eq!(status, 200, "{body}");
        let answer: serde_json::Value = serde_json::from_str(&body).unwrap();
        let series = answer.pointer("/results/0/series").and_then(|series| series.as_array());
        let rows = series.into_iter().flatten().flat_map(|one| {
            one.get("values").and_then(|values| values.as_array()).cloned().unwrap_or_default()
        });
        rows.map(|row| row.as_array().cloned().unwrap_or_default()).collect()
    }

    /// Writes a line with its time in ns.
    pub fn write(&self, line: &str) {
        use std::io::{Read as _, Write as _};
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let length = line.len();
        let head = format!("POST /write?db=weir HTTP/1.0\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all(format!("{head}{line}").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.contains(" 204 "), "{answer}");
    }

    pub fn config(&self) -> String {
        format!(
            "[influx]\nurl = 'http://127.0.0.1:{}'\ndialect = 'influx1'\nbucket = 'weir'\n",
            self.port
        )
    }
}

/// Debian's VictoriaMetrics.
#[derive(Debug)]
pub struct Victoria {
    _process: Process,
    _folder: TempDir,
    port: u16,
}

impl Victoria {
    pub fn start() -> Self {
        let (folder, port) = (TempDir::new().unwrap(), free_port());
        let process = Process::start(
            Command::new(program("victoria-metrics", "victoria-metrics"))
                .arg(format!("-httpListenAddr=127.0.0.1:{port}"))
                .arg(format!("-storageDataPath={}", folder.path().display()))
                .arg("-retentionPeriod=100y")
                .arg("-dedup.minScrapeInterval=1ms")
                .arg("-loggerLevel=ERROR")
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
        );
        let victoria = Self { _process: process, _folder: folder, port };
        until("victoria-metrics", || get(victoria.port, "/health").0 == 200);
        victoria
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Gives every value of a metric with its time, ms.
    pub fn export(&self, metric: &str) -> Vec<(i64, f64)> {
        get(self.port, "/internal/force_flush");
        let (_, body) = get(self.port, &format!("/api/v1/export?match[]={}", escaped(metric)));
        let mut samples = Vec::new();
        for line in body.lines() {
            let series: serde_json::Value = serde_json::from_str(line).unwrap();
            let list = |key: &str| series.get(key).and_then(|list| list.as_array()).cloned();
            let times = list("timestamps").unwrap_or_default();
            let values = list("values").unwrap_or_default();
            samples.extend(
                times
                    .iter()
                    .zip(&values)
                    .filter_map(|(at, value)| Some((at.as_i64()?, value.as_f64()?))),
            );
        }
        samples
    }

    pub fn config(&self) -> String {
        format!("[influx]\nurl = 'http://127.0.0.1:{}'\ndialect = 'victoria'\n", self.port)
    }
}

/// A receiver of webhooks that remembers ids and bodies in the order in which they came.
#[derive(Debug)]
pub struct Hook {
    port: u16,
    failing: std::sync::Arc<std::sync::atomic::AtomicBool>,
    got: std::sync::Arc<std::sync::Mutex<Vec<(String, serde_json::Value)>>>,
}

impl Hook {
    pub fn start() -> Self {
        use std::io::{BufRead as _, BufReader, Read as _, Write as _};
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let got = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let failing = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let (taken, fails) = (std::sync::Arc::clone(&got), std::sync::Arc::clone(&failing));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let taken = std::sync::Arc::clone(&taken);
                let fails = std::sync::Arc::clone(&fails);
                std::thread::spawn(move || {
                    let mut reader = BufReader::new(stream);
                    loop {
                        let (mut length, mut id, mut lines) = (0, String::new(), 0);
                        loop {
                            let mut line = String::new();
                            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                                return;
                            }
                            lines += 1;
                            let lower = line.to_ascii_lowercase();
                            if let Some(rest) = lower.strip_prefix("content-length:") {
                                length = rest.trim().parse().unwrap_or(0);
                            }
                            if lower.starts_with("x-weir-notification-id:") {
                                id = line.split_once(':').unwrap().1.trim().to_owned();
                            }
                            if line == "\r\n" {
                                break;
                            }
                        }
                        if lines == 0 {
                            return;
                        }
                        let mut body = vec![0; length];
                        if reader.read_exact(&mut body).is_err() {
                            return;
                        }
                        let fails = fails.load(std::sync::atomic::Ordering::Acquire);
                        let word = if fails { "500 Internal Server Error" } else { "200 OK" };
                        if let Ok(body) = serde_json::from_slice(&body)
                            && !fails
                        {
                            taken.lock().unwrap().push((id, body));
                        }
                        let answer = format!("HTTP/1.1 {word}\r\nContent-Length: 0\r\n\r\n");
                        if reader.get_mut().write_all(answer.as_bytes()).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { port, failing, got }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Answers 500 from now on and remembers nothing, or goes on.
    pub fn fail(&self, fails: bool) {
        self.failing.store(fails, std::sync::atomic::Ordering::Release);
    }

    pub fn got(&self) -> Vec<(String, serde_json::Value)> {
        self.got.lock().unwrap().clone()
    }

    pub fn config(&self) -> String {
        format!(
            "[[channel]]\nname = 'duty'\nkind = 'webhook'\nurl = 'http://127.0.0.1:{}/a'\n",
            self.port
        )
    }
}

/// An installation of weir in a folder of its own, with the example seeds.
#[derive(Debug)]
pub struct Weir {
    folder: TempDir,
    page: u16,
    process: Option<Process>,
    environment: Vec<(String, String)>,
}

impl Weir {
    /// Writes the configuration; starts nothing.
    pub fn install(url: &str, more: &str) -> Self {
        let (folder, page) = (TempDir::new().unwrap(), free_port());
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds"), &folder.path().join("seeds"));
        let broker = |network: &str| {
            format!(
                "[[broker]]\nnetwork = '{network}'\nurl = '{url}'\nclient_id = 'weir-{network}'\n"
            )
        };
        // A test sees each change by itself, unless it is about what is told together.
        let alerting = if more.contains("[alerting]") {
            ""
        } else {
            "[alerting]\ngather_s = 0\nflap_fires = 0\n"
        };
        let text = format!(
            "seeds = 'seeds'\n{}{}[journal]\ndata_folder = 'data'\n\
             [http]\nlisten = '127.0.0.1:{page}'\nusers_file = 'users.toml'\n{alerting}{more}",
            broker("rivers"),
            broker("parks")
        );
        fs::write(folder.path().join("users.toml"), USERS).unwrap();
        fs::write(folder.path().join("weir.toml"), text).unwrap();
        Self { folder, page, process: None, environment: Vec::new() }
    }

    /// Changes the configuration.
    #[track_caller]
    pub fn configure(&self, before: &str, after: &str) {
        let file = self.folder.path().join("weir.toml");
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(before), "{text}");
        fs::write(file, text.replace(before, after)).unwrap();
    }

    /// Has the daemon started with these variables from now on.
    pub fn surround(&mut self, environment: Vec<(String, String)>) {
        self.environment = environment;
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn page(&self) -> u16 {
        self.page
    }

    /// Starts the daemon and waits until it is ready.
    pub fn start(&mut self) {
        self.start_with(&[]);
        until("weir", || {
            assert!(self.process.as_mut().unwrap().running(), "{}", self.log());
            get(self.page, "/ready").0 == 200
        });
    }

    pub fn start_with(&mut self, arguments: &[&str]) {
        let path = self.folder.path().join("log");
        let log = fs::File::options().create(true).append(true).open(path).unwrap();
        self.process = Some(Process::start(
            Command::new(env!("CARGO_BIN_EXE_weir"))
                .arg("run")
                .args(["--config".as_ref(), self.folder.path().join("weir.toml").as_os_str()])
                .args(arguments)
                .envs(self.environment.iter().cloned())
                .stderr(log),
        ));
    }

    /// Starts the daemon with a file system of its own as its data folder, in memory and of so many
    /// bytes; gives the way to it. It goes with the process.
    pub fn start_on_a_small_disk(&mut self, bytes: u64) -> PathBuf {
        let data = self.folder.path().join("data");
        fs::create_dir_all(&data).unwrap();
        let ways = ["-Urm", "-m"];
        let may = |way: &&&str| {
            let mount = "mount -t tmpfs tmpfs \"$0\"";
            let mut tried = Command::new("unshare");
            tried.arg(**way).args(["sh", "-c", mount]).arg(&data);
            tried.output().is_ok_and(|output| output.status.success())
        };
        let way = ways.iter().find(may).unwrap_or_else(|| {
            panic!(
                "a file system of its own can't be mounted: allow user namespaces \
                 (kernel.unprivileged_userns_clone, \
                 kernel.apparmor_restrict_unprivileged_userns), or run this test as root"
            )
        });
        let path = self.folder.path().join("log");
        let log = fs::File::options().create(true).append(true).open(path).unwrap();
        let script = "mount -t tmpfs -o size=$0 tmpfs \"$1\" && exec \"$2\" run --config \"$3\"";
        self.process = Some(Process::start(
            Command::new("unshare")
                .arg(way)
                .args(["sh", "-c", script, &bytes.to_string()])
                .arg(&data)
                .arg(env!("CARGO_BIN_EXE_weir"))
                .arg(self.folder.path().join("weir.toml"))
                .stderr(log),
        ));
        until("weir", || {
            assert!(self.process.as_mut().unwrap().running(), "{}", self.log());
            get(self.page, "/ready").0 == 200
        });
        let root = PathBuf::from(format!("/proc/{}/root", self.process().id()));
        root.join(data.strip_prefix("/").unwrap())
    }

    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().unwrap()
    }

    pub fn kill(&mut self) {
        self.process().kill();
    }

    /// Stops it as a service manager does.
    #[track_caller]
    pub fn stop(&mut self) {
        let status = self.process().terminate();
        assert!(status.success(), "{status}\n{}", self.log());
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Runs another command of weir and gives whether it succeeded and what it said.
    pub fn command(&self, arguments: &[&str]) -> (bool, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_weir"))
            .args(arguments)
            .args(["--config".as_ref(), self.folder.path().join("weir.toml").as_os_str()])
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    /// Gives the ledger as the command tells it.
    #[track_caller]
    pub fn ledger(&self) -> serde_json::Value {
        let (_, said) = self.command(&["ledger", "--json"]);
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
    }

    /// Gives a number of the ledger, such as `/total/messages/stored`.
    #[track_caller]
    pub fn count(&self, pointer: &str) -> i64 {
        self.ledger().pointer(pointer).and_then(|count| count.as_i64()).unwrap_or(-1)
    }
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}
