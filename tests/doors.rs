//! Doors: what listens and for whom, who is let in, what slow and greedy clients get, and that no
//! secret is written anywhere.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may panic, and asks its own clock"
)]

mod peer;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;

use peer::{Hook, Influx, Mosquitto, Process, Weir, free_port, get, listens, until};

const WEIR: &str = env!("CARGO_BIN_EXE_weir");

// Who may come in.

/// Gives the addresses on which a process listens, as the kernel writes them.
fn listening(process: u32) -> Vec<String> {
    let mut sockets = Vec::new();
    for entry in fs::read_dir(format!("/proc/{process}/fd")).unwrap() {
        let Ok(target) = fs::read_link(entry.unwrap().path()) else { continue };
        let target = target.display().to_string();
        let socket = target.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']'));
        sockets.extend(socket.map(str::to_owned));
    }
    let mut found = Vec::new();
    for table in ["tcp", "tcp6", "udp", "udp6"] {
        let text = fs::read_to_string(format!("/proc/{process}/net/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let listens = table.starts_with("udp") || words[3] == "0A";
            if listens && sockets.iter().any(|socket| socket == words[9]) {
                found.push(words[1].split(':').next().unwrap().to_owned());
            }
        }
    }
    found
}

/// 127.0.0.1 as the kernel writes it.
const LOOPBACK: &str = "0100007F";

#[test]
fn nothing_listens_beyond_loopback() {
    let broker = Mosquitto::start("");
    let mut weir = Weir::install(&broker.url(), "");
    weir.start();
    assert_eq!(listening(weir.process().id()), [LOOPBACK], "the page alone");
    weir.stop();

    let mut command = Command::new(WEIR);
    command.args(["demo", "--for", "20s"]).stdout(Stdio::null());
    let mut demo = Process::start(&mut command);
    until("page and broker of the demonstration", || listening(demo.id()).len() >= 2);
    assert_eq!(listening(demo.id()), [LOOPBACK, LOOPBACK]);
    let id = demo.id().to_string();
    Command::new("kill").args(["-INT", &id]).status().unwrap();
    until("its end", || !demo.running());
}

#[test]
fn a_page_for_others_without_a_token_is_refused_by_check_and_by_run() {
    let weir = Weir::install("mqtt://127.0.0.1:1", "");
    fs::remove_file(weir.folder().join("users.toml")).unwrap();
    let port = weir.page();
    let own = format!("127.0.0.1:{port}");
    let mut before = own.clone();
    for address in [
        "0.0.0.0",
        "192.0.2.7",
        "[::]",
        "[2001:db8::7]",
        "[::ffff:0.0.0.0]",
        "[::ffff:192.0.2.7]",
        "[::ffff:127.0.0.1]",
    ] {
        let listen = format!("{address}:{port}");
        weir.configure(&before, &listen);
        before.clone_from(&listen);
        for verb in ["check", "run"] {
            let (sound, said) = weir.command(&[verb]);
            assert!(!sound, "{verb} {listen}: {said}");
            let found = format!("found listen `{listen}` without a token");
            assert!(said.contains(&found) && said.contains("token_file"), "{verb}: {said}");
        }
        assert!(!listens(port), "{listen}");
    }
    // With a token it may, but not with an empty one.
    let token = weir.folder().join("token");
    fs::write(&token, "\n").unwrap();
    let setting = format!("listen = '0.0.0.0:{port}'\ntoken_file = '{}'", token.display());
    weir.configure(&format!("listen = '{before}'"), &setting);
    let (sound, said) = weir.command(&["check"]);
    assert!(!sound && said.contains("it is empty"), "{said}");
    fs::write(&token, "a token of some length\n").unwrap();
    let (sound, said) = weir.command(&["check"]);
    assert!(!sound && said.contains("without TLS"), "{said}");
    weir.configure("[http]\n", "[http]\nbehind_proxy = true\n");
    assert!(weir.command(&["check"]).0);
}

// What slow and greedy clients get.

fn connect(port: u16, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(bytes).unwrap();
    stream
}

/// Reads until the other side ends; gives what came and after how long it ended.
fn rest(mut stream: TcpStream) -> (String, Duration) {
    let (begun, mut answer) = (Instant::now(), Vec::new());
    let ended = stream.read_to_end(&mut answer);
    let away = |error: &std::io::Error| error.kind() == std::io::ErrorKind::ConnectionReset;
    assert!(ended.is_ok() || ended.as_ref().is_err_and(away), "{ended:?}");
    (String::from_utf8_lossy(&answer).into_owned(), begun.elapsed())
}

const UNFINISHED: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ";

/// The page is there for others, at once.
#[track_caller]
fn others_are_served(port: u16) {
    let begun = Instant::now();
    assert_eq!(get(port, "/health").0, 200);
    assert!(get(port, "/").1.contains("</html>"));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

fn files(process: u32) -> usize {
    fs::read_dir(format!("/proc/{process}/fd")).unwrap().count()
}

#[test]
fn slow_and_greedy_clients_end_and_others_are_served_meanwhile() {
    let broker = Mosquitto::start("");
    let mut weir = Weir::install(&broker.url(), "");
    weir.start();
    let (port, process) = (weir.page(), weir.process().id());
    let before = files(process);

    // Heads that never end, more of them than there are places: the first give way.
    let slow: Vec<TcpStream> = (0..280).map(|_| connect(port, UNFINISHED)).collect();
    others_are_served(port);
    assert!(files(process) <= before + 256 + 1, "{} {before}", files(process));
    let waits: Vec<Duration> = slow.into_iter().map(|stream| rest(stream).1).collect();
    assert!(waits[0] < Duration::from_secs(5), "{waits:?}");
    let longest = waits.iter().max().unwrap();
    assert!((5..15).contains(&longest.as_secs()), "10 s a head: {waits:?}");

    // A connection on which nothing more is asked, and one on which nothing ever was.
    let idle = connect(port, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let silent = connect(port, b"");
    others_are_served(port);
    for one in [idle, silent] {
        let (_, after) = rest(one);
        assert!(after < Duration::from_secs(15), "{after:?}");
    }

    // A body that is promised and comes drop by drop is not waited for.
    let promise = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n";
    let mut bodies: Vec<TcpStream> = (0..280).map(|_| connect(port, promise)).collect();
    for body in &mut bodies {
        // Who is let go hears it here.
        body.write_all(b"drop").ok();
    }
    others_are_served(port);
    let answer = rest(bodies.pop().unwrap()).0;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    drop(bodies);

    // One that sends a body without end.
    let mut flood =
        connect(port, b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    let chunk = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
    let (begun, mut sent) = (Instant::now(), 0_usize);
    flood.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
    while flood.write_all(&chunk).is_ok() {
        sent += chunk.len();
        assert!(begun.elapsed() < Duration::from_secs(20), "{sent} bytes are taken");
    }
    others_are_served(port);
    until("all of them to be gone", || files(process) <= before);
    weir.stop();
}

#[test]
fn heads_have_a_limit_in_bytes_and_in_headers() {
    let broker = Mosquitto::start("");
    let mut weir = Weir::install(&broker.url(), "");
    weir.start();
    let ask = |path: &str, headers: &str| {
        let head =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}");
        let mut stream = connect(weir.page(), head.as_bytes());
        stream.write_all(b"\r\n").ok();
        let answer = rest(stream).0;
        answer.split(' ').nth(1).unwrap_or_default().to_owned()
    };
    let some = |count: usize| -> String { (0..count).map(|n| format!("X-{n}: x\r\n")).collect() };
    assert_eq!(ask("/health", &some(62)), "200", "64 with the two above");
    assert_eq!(ask("/health", &some(63)), "431");
    assert_eq!(ask("/health", &format!("X-Long: {}\r\n", "x".repeat(31 << 10))), "200");
    // So long a head need not be read to its end, and its answer need not be either.
    assert_ne!(ask("/health", &format!("X-Long: {}\r\n", "x".repeat(40 << 10))), "200");
    assert_ne!(ask(&format!("/{}", "x".repeat(40 << 10)), ""), "404");
    others_are_served(weir.page());
    weir.stop();
}

#[test]
fn the_shells_socket_takes_no_request_without_end_and_waits_for_no_silent_client() {
    let broker = Mosquitto::start("");
    let mut weir = Weir::install(&broker.url(), "");
    weir.start();
    let enter = || {
        let stream = UnixStream::connect(weir.folder().join("data/weir.sock")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    };
    let ask = |request: &[u8]| {
        let (mut stream, mut answer) = (enter(), String::new());
        stream.write_all(request).ok();
        stream.read_to_string(&mut answer).ok();
        answer
    };
    let retry = |ids: &[u32]| format!("{{\"verb\":\"retry\",\"ids\":{ids:?}}}\n").into_bytes();
    assert!(ask(&retry(&[1])).contains("0 tried"));
    // As long as it may be, and one byte longer.
    let most = 4 << 20;
    let mut long = retry(&[1, 2]);
    let line_end = long.pop().unwrap();
    long.resize(most - 1, b' ');
    long.push(line_end);
    assert!(ask(&long).contains("0 tried"));
    long.insert(most - 1, b' ');
    assert!(ask(&long).contains("more than 4194304 bytes"), "{}", ask(&long));

    let (silent, mut deaf) = (enter(), enter());
    deaf.write_all(&retry(&[1])).unwrap();
    let mut half = enter();
    half.write_all(b"{\"verb\":").unwrap();
    let begun = Instant::now();
    assert!(ask(&retry(&[1])).contains("0 tried"));
    // Two are waited for, 5 s each.
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    drop((silent, deaf, half));
    weir.stop();
}

// Secrets.

/// What each of the secrets below begins with.
const MARK: &str = "Kr0k0d1l";

fn secret(place: &str) -> String {
    format!("{MARK}-{place}-q7Zx")
}

/// Says with how a secret may be written down besides as it is.
fn forms(secrets: &[String]) -> Vec<Vec<u8>> {
    let mut forms = vec![MARK.as_bytes().to_vec()];
    for one in secrets {
        forms.push(STANDARD.encode(one).trim_end_matches('=').as_bytes().to_vec());
        forms.push(STANDARD.encode(format!("weir:{one}")).trim_end_matches('=').into());
        // Bytes as Rust's Debug lists them.
        forms.push(format!("{:?}", &one.as_bytes()[..8]).trim_matches(['[', ']']).into());
    }
    forms
}

/// A place of words and where they stood.
type Written = Vec<(String, Vec<u8>)>;

fn read_all(folder: &Path, written: &mut Written) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("secrets") {
            read_all(&path, written);
        } else if path.is_file() && !path.ends_with("weir.toml") {
            written.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
}

#[track_caller]
fn none_in(forms: &[Vec<u8>], written: &Written) {
    for (place, bytes) in written {
        for form in forms {
            if let Some(at) = bytes.windows(form.len()).position(|window| window == form) {
                let around = &bytes[at.saturating_sub(200)..bytes.len().min(at + 100)];
                panic!("a secret in {place}: {}", String::from_utf8_lossy(around));
            }
        }
    }
}

/// A server that answers every request with one status and the request itself, as a proxy's page
/// may.
struct Echo {
    port: u16,
    asked: Arc<AtomicUsize>,
}

impl Echo {
    fn start(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if answer(stream, status).is_some() {
                    count.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        Self { port, asked }
    }

    fn was_asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst) > 0
    }
}

fn answer(mut stream: TcpStream, status: u16) -> Option<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let lower = line.to_ascii_lowercase();
        length =
            lower.strip_prefix("content-length:").map_or(length, |n| n.trim().parse().unwrap());
        if line == "\r\n" {
            break;
        }
        head.push_str(&line);
    }
    reader.read_exact(&mut vec![0; length]).ok()?;
    let body = format!("<html>you said: {head}</html>");
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status} No\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(answer.as_bytes()).ok()?;
    stream.shutdown(Shutdown::Write).ok()
}

/// An installation with secrets in its files and in its environment.
struct House {
    folder: TempDir,
    page: u16,
    env: Vec<(String, String)>,
    secrets: Vec<String>,
    text: String,
}

impl House {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("secrets")).unwrap();
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
        peer::copy(&seeds, &folder.path().join("seeds"));
        let text = "seeds = 'seeds'\n[journal]\ndata_folder = 'data'\n".to_owned();
        Self { folder, page: free_port(), env: Vec::new(), secrets: Vec::new(), text }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn section(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// Makes a secret of a place and gives the setting that names its file.
    fn in_file(&mut self, key: &str, place: &str) -> String {
        let secret = secret(place);
        fs::write(self.path("secrets").join(place), format!("{secret}\n")).unwrap();
        self.secrets.push(secret);
        format!("{key}_file = 'secrets/{place}'\n")
    }

    /// Makes a secret of a place and gives the setting that names its variable.
    fn in_environment(&mut self, key: &str, place: &str) -> String {
        let (secret, name) = (secret(place), format!("TEST_{}", place.to_uppercase()));
        self.env.push((name.clone(), secret.clone()));
        self.secrets.push(secret);
        format!("{key}_env = '{name}'\n")
    }

    /// Gives an address with keys wherever an address may have some.
    fn address(&mut self, place: &str, port: u16) -> String {
        let part = |part: &str| secret(&format!("{place}{part}"));
        let [user, password, path, key] = ["user", "password", "path", "key"].map(part);
        self.secrets.extend([password.clone(), path.clone(), key.clone()]);
        self.secrets.push(format!("{user}:{password}"));
        format!("http://{user}:{password}@127.0.0.1:{port}/hook/{path}?access_token={key}&v=1")
    }

    fn write(&self) {
        fs::write(self.path("weir.toml"), &self.text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(WEIR);
        let config = self.path("weir.toml");
        command.args(arguments).args(["--config".as_ref(), config.as_os_str()]);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    fn start(&self) -> Process {
        let log = fs::File::create(self.path("log")).unwrap();
        let mut command = self.command(&["run"]);
        let mut process = Process::start(command.stdout(log.try_clone().unwrap()).stderr(log));
        until("weir", || {
            assert!(process.running(), "{}", self.log());
            get(self.page, "/health").0 == 200
        });
        process
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Runs every command that tells something, and gives what each said.
    fn all_commands(&self) -> Written {
        let copy = self.path("copy.sqlite").display().to_string();
        let seeds = self.path("seeds").display().to_string();
        let commands: &[&[&str]] = &[
            &["check"],
            &["check", "--connect"],
            &["ledger"],
            &["ledger", "--json"],
            &["ledger", "--reconcile"],
            &["dead-letters", "ls"],
            &["dead-letters", "show", "1"],
            &["dead-letters", "export"],
            &["dead-letters", "retry", "1"],
            &["seeds", "diff", &seeds],
            &["seeds", "apply", &seeds],
            &["backup", &copy],
            &["run"],
        ];
        let said = commands.iter().map(|arguments| {
            let output = self.command(arguments).output().unwrap();
            let said = [output.stdout, output.stderr].concat();
            assert!(!said.is_empty() || arguments[0] == "dead-letters", "{arguments:?}");
            (format!("weir {}", arguments.join(" ")), said)
        });
        said.collect()
    }

    /// Asks every address of the page, with the token, with another and without.
    fn all_answers(&self, token: &str) -> Written {
        let mut answers = Written::new();
        let paths = ["/", "/?lang=zh", "/weir", "/weir/edition", "/health", "/ready", "/metrics"];
        let programs = ["/api/v1/status", "/api/v1/channels", "/api/v1/brokers", "/nothing"];
        for path in paths.into_iter().chain(programs) {
            for offered in [token, "another", ""] {
                let head = format!(
                    "GET {path} HTTP/1.0\r\nHost: localhost\r\nAuthorization: Bearer {offered}\r\n\r\n"
                );
                let (answer, _) = rest(connect(self.page, head.as_bytes()));
                let comes_in = offered == token || path == "/health";
                // Who offers nothing is told how to get an account.
                let refused = ["HTTP/1.0 401", "HTTP/1.0 403"].map(|one| answer.starts_with(one));
                assert_eq!(refused.contains(&true), !comes_in, "{path} {offered}: {answer}");
                answers.push((format!("{path} with `{offered}`"), answer.into_bytes()));
            }
        }
        answers
    }

    /// Looks for the secrets in all that was written.
    fn search(&self, mut written: Written, more: &[Vec<u8>]) {
        read_all(self.folder.path(), &mut written);
        assert!(written.iter().any(|(place, _)| place.ends_with("journal.sqlite")), "no journal");
        let forms: Vec<Vec<u8>> = forms(&self.secrets).into_iter().chain(more.to_vec()).collect();
        none_in(&forms, &written);
    }
}

/// Makes a user of mosquitto's and gives the settings.
fn users(folder: &Path, passwords: &[&str]) -> String {
    let file = folder.join("users");
    for (number, password) in passwords.iter().enumerate() {
        let mut command = Command::new("mosquitto_passwd");
        command.arg("-b").args((number == 0).then_some("-c")).arg(&file);
        let made = command.args([&format!("weir{number}"), *password]).output().unwrap();
        assert!(made.status.success(), "{made:?}");
    }
    format!("password_file {}\n", file.display())
}

fn publish(port: u16, password: &str, topic: &str, payload: &str) {
    let status = Command::new("mosquitto_pub")
        .args(["-p", &port.to_string(), "-u", "weir0", "-P", password])
        .args(["-q", "1", "-t", topic, "-m", payload])
        .status()
        .unwrap();
    assert!(status.success());
}

/// A bad message, and oxygen below Class IV until it is alerted.
fn publish_a_breach(port: u16, password: &str) {
    let now = jiff::Timestamp::now().as_millisecond() / 60_000 * 60_000;
    publish(port, password, "water/sonde-99/data", "{\"ts\":");
    for minute in (0..12).rev() {
        let time = now - minute * 5 * 60_000;
        let payload = format!("{{\"ts\":{time},\"temp\":18.5,\"ph\":7.6,\"do\":2.0}}");
        publish(port, password, "water/sonde-01/data", &payload);
    }
}

/// A certificate authority, one certificate for the broker and one for weir.
fn certificates(folder: &Path) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, "the test's own authority");
    let authority = params.self_signed(&key).unwrap();
    fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
    let issuer = rcgen::Issuer::new(params, key);
    for (name, host) in [("broker", "localhost"), ("weir", "weir")] {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let certificate = params.signed_by(&key, &issuer).unwrap();
        fs::write(folder.join(format!("{name}.pem")), certificate.pem()).unwrap();
        fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }
}

/// What of a key in PEM could only have come from its file.
fn core_of_key(file: &Path) -> Vec<u8> {
    let pem = fs::read_to_string(file).unwrap();
    pem.lines().nth(1).unwrap().as_bytes()[24..48].to_vec()
}

/// Listens to what comes in until it has shown something.
fn tap(house: &House, password: &str, port: u16) -> Written {
    let shown = house.path("tapped");
    let file = fs::File::create(&shown).unwrap();
    let mut command = house.command(&["tap", "--json"]);
    let mut tap = Process::start(command.stdout(file.try_clone().unwrap()).stderr(file));
    until("tap", || {
        publish(port, password, "water/sonde-01/data", "{\"ts\":1,\"do\":7.0}");
        fs::read_to_string(&shown).unwrap().contains("sonde-01")
    });
    tap.kill();
    vec![("weir tap".to_owned(), fs::read(shown).unwrap())]
}

#[test]
fn no_secret_is_written_where_all_goes_well() {
    let mut house = House::new();
    let (hook, influx) = (Hook::start(), Influx::start());
    let (password, other) = (secret("rivers"), secret("parks"));
    let secrets = house.path("secrets");
    certificates(&secrets);
    let tls = free_port();
    let file = |name: &str| secrets.join(name).display().to_string();
    let broker = Mosquitto::start(&format!(
        "{}listener {tls} 127.0.0.1\ncafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true",
        users(&secrets, &[&password, &other]),
        file("ca.pem"),
        file("broker.pem"),
        file("broker.key")
    ));
    let first = house.in_file("password", "rivers");
    let second = house.in_environment("password", "parks");
    house.section(&format!(
        "[[broker]]\nnetwork='rivers'\nurl='{}'\nclient_id='a'\nuser='weir0'\n{first}\
         [[broker]]\nnetwork='parks'\nurl='mqtts://localhost:{tls}'\nclient_id='b'\nuser='weir1'\n\
         ca_file='secrets/ca.pem'\ncertificate_file='secrets/weir.pem'\n\
         key_file='secrets/weir.key'\n{second}",
        broker.url()
    ));
    let third = house.in_file("password", "influx");
    house.section(&format!("{}user='weir'\n{third}", influx.config()));
    let port = hook.config().split("127.0.0.1:").nth(1).unwrap()[..5].trim_end_matches('/').parse();
    let address = house.address("duty", port.unwrap());
    let fourth = house.in_file("secret", "signing");
    house.section(&format!("[[channel]]\nname='duty'\nkind='webhook'\nurl='{address}'\n{fourth}"));
    let (fifth, page) = (house.in_file("token", "page"), house.page);
    house.section(&format!("[http]\nlisten='127.0.0.1:{page}'\n{fifth}[log]\nlevel='trace'"));
    house.write();

    let mut process = house.start();
    publish_a_breach(broker.port(), &password);
    until("the notification", || !hook.got().is_empty());
    let mut written = tap(&house, &password, broker.port());
    written.extend(house.all_answers(&secret("page")));
    written.extend(house.all_commands());
    let said = |verb: &str| {
        let one = written.iter().find(|(place, _)| place == verb).unwrap();
        String::from_utf8_lossy(&one.1).into_owned()
    };
    let reached = said("weir check --connect");
    assert_eq!(reached.matches("reached").count(), 4, "{reached}");
    assert!(process.terminate().success());
    assert!(house.log().contains("TRACE"), "all that there is to log was logged");
    let keys = [core_of_key(&secrets.join("weir.key")), core_of_key(&secrets.join("broker.key"))];
    house.search(written, &keys);
}

#[test]
fn no_secret_is_written_where_everybody_refuses_and_quotes_what_was_said() {
    let mut house = House::new();
    let secrets = house.path("secrets");
    let password = secret("rivers");
    let broker = Mosquitto::start(&users(&secrets, &[&password, "quite another"]));
    let (influx, gone, busy) = (Echo::start(401), Echo::start(404), Echo::start(503));
    let first = house.in_file("password", "rivers");
    let second = house.in_environment("password", "parks");
    let url = broker.url();
    house.section(&format!(
        "[[broker]]\nnetwork='rivers'\nurl='{url}'\nclient_id='a'\nuser='weir0'\n{first}\
         [[broker]]\nnetwork='parks'\nurl='{url}'\nclient_id='b'\nuser='weir1'\n{second}",
    ));
    let third = house.in_environment("token", "influx");
    let port = influx.port;
    house
        .section(&format!("[influx]\nurl='http://127.0.0.1:{port}'\norg='o'\nbucket='b'\n{third}"));
    for (name, echo) in [("gone", &gone), ("busy", &busy)] {
        let (fourth, address) =
            (house.in_environment("secret", name), house.address(name, echo.port));
        house.section(&format!(
            "[[channel]]\nname='{name}'\nkind='webhook'\nurl='{address}'\n{fourth}"
        ));
    }
    let (fifth, page) = (house.in_environment("token", "page"), house.page);
    house.section(&format!("[http]\nlisten='127.0.0.1:{page}'\n{fifth}[log]\nshape='json'"));
    house.env.push(("WEIR_LOG".to_owned(), "trace".to_owned()));
    house.write();

    let mut process = house.start();
    publish_a_breach(broker.port(), &password);
    until("every refusal", || gone.was_asked() && busy.was_asked() && influx.was_asked());
    until("the words of it", || house.log().matches("A notification fails").count() >= 2);
    let mut written = tap(&house, &password, broker.port());
    written.extend(house.all_answers(&secret("page")));
    written.extend(house.all_commands());
    assert!(process.terminate().success());
    let log = house.log();
    assert!(log.contains("\"level\":\"TRACE\""), "all that there is to log was logged");
    for words in ["you said", "mend user and password_file", "mend the token"] {
        assert!(log.contains(words), "{words} is missing: what is hidden is the secret alone");
    }
    house.search(written, &[]);
}

#[test]
fn what_is_wrong_is_said_without_the_secrets_in_it() {
    let mut house = House::new();
    let address = house.address("duty", 1);
    // A path may be shown here: it belongs to no broker, and to a database behind a proxy.
    let influx = address.replace(&secret("dutypath"), "path");
    let url = influx.replace("http", "mqtt");
    house.section(&format!(
        "[[broker]]\nnetwork='rivers'\nurl='{url}'\nclient_id='a'\npassword='{}'\n\
         [influx]\nurl='{influx}'\ntoken='{}'\n\
         [[channel]]\nname='duty'\nkind='webhook'\nurl='{}'\nsecret='{}'\n\
         [http]\ntoken='{}'",
        secret("password"),
        secret("token"),
        address.replace("http", "gopher"),
        secret("secret"),
        secret("page"),
    ));
    house.write();
    let mut written = Written::new();
    for arguments in [&["check"] as &[&str], &["check", "--connect"], &["run"], &["ledger"]] {
        let output = house.command(arguments).output().unwrap();
        assert!(!output.status.success());
        written.push((arguments.join(" "), [output.stdout, output.stderr].concat()));
    }
    // A file that breaks off in the middle of a secret.
    let text = house.text.clone();
    let within = text.find(&secret("token")).unwrap() + 12;
    fs::write(house.path("weir.toml"), &text[..within]).unwrap();
    let output = house.command(&["check"]).output().unwrap();
    written.push(("broken off".to_owned(), [output.stdout, output.stderr].concat()));
    for (place, said) in &written {
        assert!(String::from_utf8_lossy(said).contains("weir.toml"), "{place}");
    }
    none_in(&forms(&house.secrets), &written);
}

#[test]
fn debug_shows_no_secret() {
    use weir::config::Config;
    use weir::http::door::{Fallback, Server};
    use weir::influx::write::Writer;
    use weir::notify::Channel;

    let mut house = House::new();
    let (first, second) = (house.in_file("password", "rivers"), house.in_file("token", "influx"));
    let (third, fourth) = (house.in_file("secret", "signing"), house.in_file("token", "page"));
    let address = house.address("duty", 1);
    house.section(&format!(
        "[[broker]]\nnetwork='rivers'\nurl='mqtt://weir:{}@b'\nclient_id='a'\nuser='weir'\n{first}\
         [influx]\nurl='http://127.0.0.1:1'\norg='o'\nbucket='b'\n{second}\
         [[channel]]\nname='duty'\nkind='webhook'\nurl='{address}'\n{third}\
         [http]\nlisten='127.0.0.1:0'\n{fourth}",
        secret("url"),
    ));
    house.write();
    let config = Config::read(&house.path("weir.toml")).unwrap();
    let writer = Writer::new(config.influx.as_ref().unwrap()).unwrap();
    let channel = Channel::new(&config.channels[0]).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = runtime.block_on(Server::bind(&config.http, Fallback::Refuse)).unwrap();
    let shown = [
        ("config", format!("{config:#?}{config:?}")),
        ("writer", format!("{writer:#?}{writer:?}")),
        ("channel", format!("{channel:#?}{channel:?}")),
        ("server", format!("{server:#?}{server:?}")),
    ];
    let written = shown.map(|(place, text)| (place.to_owned(), text.into_bytes()));
    none_in(&forms(&house.secrets), &written.to_vec());
}
