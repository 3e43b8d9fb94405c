//! Accounts of the page, with the program itself: who comes in, as whom, for how long, and who
//! does not.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may panic, and asks its own clock"
)]

mod peer;

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use peer::{Mosquitto, Process, Weir, escaped, free_port, get, until};

const WEIR: &str = env!("CARGO_BIN_EXE_weir");
const PASSWORD: &str = "willow-river-7";
const OTHER: &str = "heron-at-the-weir";

/// What weir answered.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let mut pairs = self.head.lines().filter_map(|line| line.split_once(": "));
        pairs.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// What a form of the page must bring along.
    #[track_caller]
    fn token(&self) -> String {
        let after = self.body.split("name=\"token\" value=\"").nth(1);
        let token = after.unwrap_or_else(|| panic!("no form in {}", self.body));
        token.split('"').next().unwrap().to_owned()
    }
}

fn read(mut stream: impl std::io::Read) -> Answer {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).ok();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

/// A browser as far as is needed: it holds the cookie and says where its forms come from.
#[derive(Clone, Debug)]
struct Browser {
    port: u16,
    cookie: String,
    more: String,
}

impl Browser {
    fn new(weir: &Weir) -> Self {
        Self { port: weir.page(), cookie: String::new(), more: String::new() }
    }

    fn with(&self, more: &str) -> Self {
        Self { more: more.to_owned(), ..self.clone() }
    }

    fn send(&self, line: &str, more: &str, body: &str) -> Answer {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let (cookie, own, length) = (&self.cookie, &self.more, body.len());
        let head = format!(
            "{line} HTTP/1.0\r\nHost: localhost:{}\r\nCookie: weir={cookie}\r\n{own}{more}\
             Content-Length: {length}\r\n\r\n{body}",
            self.port
        );
        stream.write_all(head.as_bytes()).unwrap();
        read(stream)
    }

    fn get(&self, path: &str) -> Answer {
        self.send(&format!("GET {path}"), "", "")
    }

    fn post(&self, path: &str, pairs: &[(&str, &str)]) -> Answer {
        let origin = format!("Origin: http://localhost:{}\r\n", self.port);
        self.post_from(&origin, path, pairs)
    }

    fn post_from(&self, origin: &str, path: &str, pairs: &[(&str, &str)]) -> Answer {
        let pairs: Vec<String> =
            pairs.iter().map(|(key, value)| format!("{key}={}", escaped(value))).collect();
        let more = format!("{origin}Content-Type: application/x-www-form-urlencoded\r\n");
        self.send(&format!("POST {path}"), &more, &pairs.join("&"))
    }

    fn try_login(&self, name: &str, password: &str) -> Answer {
        self.post("/login", &[("name", name), ("password", password), ("back", "/?page=1")])
    }

    #[track_caller]
    fn login(weir: &Weir, name: &str, password: &str) -> Self {
        let browser = Self::new(weir);
        let answer = browser.try_login(name, password);
        assert_eq!((answer.status, answer.header("location")), (303, Some("/?page=1")));
        let set = answer.header("set-cookie").unwrap();
        assert!(set.contains("; HttpOnly; SameSite=Lax") && !set.contains("Secure"), "{set}");
        let cookie = set.split(';').next().unwrap().strip_prefix("weir=").unwrap().to_owned();
        assert_eq!(cookie.len(), 64);
        Self { cookie, ..browser }
    }

    fn is_in(&self) -> bool {
        self.get("/").status == 200
    }
}

/// Runs `weir user …`, with a password on standard input.
fn user(weir: &Weir, arguments: &[&str], password: &str) -> (bool, String) {
    let mut command = Command::new(WEIR);
    command.arg("user").args(arguments).arg("--config").arg(weir.folder().join("weir.toml"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(password.as_bytes()).ok();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.success(), said)
}

#[track_caller]
fn done(weir: &Weir, arguments: &[&str], password: &str) -> String {
    let (sound, said) = user(weir, arguments, password);
    assert!(sound, "{arguments:?}: {said}");
    said
}

fn house() -> (Mosquitto, Weir) {
    let broker = Mosquitto::start("");
    let weir = Weir::install(&broker.url(), "");
    fs::remove_file(weir.folder().join("users.toml")).unwrap();
    (broker, weir)
}

/// What to do first is said, and nothing is shown.
fn nothing_is_shown_without_an_account(weir: &Weir, stranger: &Browser) {
    for path in ["/", "/login", "/?lang=en"] {
        let first = stranger.get(path);
        assert_eq!(first.status, 403, "{path}");
        assert!(first.body.contains("weir user add") && !first.body.contains("<form"), "{path}");
    }
    assert!(stranger.get("/?lang=zh").body.contains("尚无任何账号"));
    assert_eq!(stranger.get("/api/v1/status").status, 401);
    assert_eq!(stranger.get("/health").status, 200);
    assert_eq!((stranger.get("/ready").status, stranger.get("/metrics").status), (200, 200));
    assert_eq!(get(weir.page(), "/").0, 401, "a token that is none");
}

#[test]
fn people_come_in_by_name_and_password_and_go_when_they_are_sent() {
    let (_broker, mut weir) = house();
    weir.start();
    let stranger = Browser::new(&weir);
    nothing_is_shown_without_an_account(&weir, &stranger);

    // An account works at once, and the first tries were none.
    done(&weir, &["add", "li.na", "--role", "operate"], PASSWORD);
    let file = weir.folder().join("users.toml");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    until("the account", || stranger.get("/").status == 303);
    let led = stranger.get("/alerts/3?lang=zh");
    assert_eq!(led.header("location"), Some("/login?back=%2Falerts%2F3%3Flang%3Dzh"));
    let page = stranger.get("/login?back=%2Falerts%2F3");
    assert!(page.body.contains("value=\"&#x2f;alerts&#x2f;3\""), "{}", page.body);
    assert!(page.body.contains("type=\"password\""));
    let elsewhere = stranger.get("/login?back=%2F%2Fevil.example");
    let back = "name=\"back\" value=\"&#x2f;\"";
    assert!(elsewhere.body.contains(back), "{}", elsewhere.body);
    let wrong = stranger.try_login("li.na", OTHER);
    assert_eq!(wrong.status, 403);
    assert!(wrong.body.contains("Name or password is wrong") && !wrong.body.contains(OTHER));
    assert_eq!(wrong.header("set-cookie"), None);
    let nobody = stranger.try_login("lina", PASSWORD);
    assert!(nobody.status == 403 && nobody.body.contains("Name or password is wrong"));
    assert_eq!(
        stranger.post_from("Origin: http://evil.example\r\n", "/login", &[]).status,
        403,
        "nobody is logged in by another page"
    );

    let first = Browser::login(&weir, "li.na", PASSWORD);
    let shown = first.get("/?lang=en").body;
    assert!(shown.contains("li.na") && shown.contains("may operate"), "{shown}");
    assert!(first.is_in() && !stranger.is_in());
    let forged = Browser { cookie: "0".repeat(64), ..first.clone() };
    assert!(!forged.is_in());

    // A restart logs nobody out.
    weir.stop();
    weir.start();
    assert!(first.is_in());
    let sessions = fs::read_to_string(weir.folder().join("data/sessions.json")).unwrap();
    assert!(!sessions.contains(&first.cookie));

    // Logging out ends this session and no other; a form without its token does not.
    let second = Browser::login(&weir, "li.na", PASSWORD);
    assert_eq!(first.post("/logout", &[]).status, 403);
    let token = first.get("/").token();
    assert_ne!(token, second.get("/").token());
    let out = first.post("/logout", &[("token", &token)]);
    assert_eq!((out.status, out.header("location")), (303, Some("/login")));
    assert!(out.header("set-cookie").unwrap().starts_with("weir=; Path=/; Max-Age=0"));
    assert!(!first.is_in() && second.is_in());

    // Another password ends sessions, and so does the end of the account.
    done(&weir, &["passwd", "li.na"], OTHER);
    until("the other password", || !second.is_in());
    assert_eq!(stranger.try_login("li.na", PASSWORD).status, 403);
    let third = Browser::login(&weir, "li.na", OTHER);
    done(&weir, &["add", "admin", "--role", "admin"], PASSWORD);
    done(&weir, &["rm", "li.na"], "");
    until("the end of the account", || !third.is_in());
    assert_eq!(stranger.try_login("li.na", OTHER).status, 403);

    let log = weir.log();
    for words in ["Logged in.", "Logged out.", "the password is wrong", "there is no such name"] {
        assert!(log.contains(words), "{words}");
    }
    for secret in [PASSWORD, OTHER, "argon2", &first.cookie, &second.cookie, &token, "lina\""] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    weir.stop();
}

#[test]
fn a_role_is_what_somebody_may_and_a_form_is_of_its_own_session() {
    let (_broker, mut weir) = house();
    done(&weir, &["add", "viewer", "--role", "view"], PASSWORD);
    done(&weir, &["add", "worker", "--role", "operate"], PASSWORD);
    weir.start();
    let [viewer, worker] = ["viewer", "worker"].map(|name| Browser::login(&weir, name, PASSWORD));
    let [first, second] = [&viewer, &worker].map(|browser| browser.get("/").token());
    let comment = |token| [("token", token), ("deed", "comment"), ("alert", "7"), ("words", "x")];
    let seen = viewer.post("/act", &comment(&first));
    assert!(seen.status == 403 && seen.body.contains("may look, not act"), "{seen:?}");
    let led = worker.post("/act", &comment(&second));
    assert_eq!(led.status, 303, "{led:?}");
    for wrong in [first.as_str(), "", &second[1..]] {
        assert_eq!(worker.post("/act", &comment(wrong)).status, 403, "{wrong}");
    }
    let others = ["Origin: http://evil.example\r\n", "Origin: null\r\n"];
    for other in others.into_iter().chain(["Sec-Fetch-Site: cross-site\r\n"]) {
        let refused = worker.post_from(other, "/act", &comment(&second));
        assert_eq!(refused.status, 403, "{other}");
    }
    // Another role counts at once, without another login.
    done(&weir, &["role", "viewer", "operate"], "");
    until("the role", || viewer.post("/act", &comment(&first)).status == 303);

    // A program comes by its token, which is printed once and ends alone.
    let said = done(&weir, &["token", "worker", "--label", "script"], "");
    let token = said.lines().find(|line| line.starts_with("weir_")).unwrap().to_owned();
    let bare = Browser::new(&weir);
    let program = bare.with(&format!("Authorization: Bearer {token}\r\n"));
    until("the token", || program.get("/api/v1/status").status == 200);
    assert_eq!(program.post_from("", "/act", &comment("")).status, 303);
    let listed = done(&weir, &["ls"], "");
    assert!(listed.contains("script") && !listed.contains("weir_"), "{listed}");
    done(&weir, &["token", "worker", "--label", "script", "--remove"], "");
    until("its end", || program.get("/api/v1/status").status == 401);
    assert!(worker.is_in(), "the account has not ended");
    assert!(!weir.log().contains(&token));
    weir.stop();
}

#[test]
fn administrators_read_who_did_what_and_take_it_along_as_a_table() {
    let (_broker, mut weir) = house();
    done(&weir, &["add", "worker", "--role", "operate"], PASSWORD);
    done(&weir, &["add", "chief", "--role", "admin"], PASSWORD);
    weir.start();
    let [worker, chief] = ["worker", "chief"].map(|name| Browser::login(&weir, name, PASSWORD));
    let token = worker.get("/").token();
    let said = worker.post(
        "/act",
        &[
            ("token", &token),
            ("deed", "invalidate"),
            ("station", "puhe-daoyi"),
            ("from", "2026-06-01"),
            ("to", "2026-06-02"),
            ("words", "=the probe was dry"),
        ],
    );
    assert_eq!(said.status, 303, "{said:?}");
    until("the act", || chief.get("/audit.csv").body.contains("invalidated"));
    let table = chief.get("/audit.csv?person=worker");
    assert_eq!(table.header("content-type"), Some("text/csv; charset=utf-8"));
    let row = table.body.lines().find(|row| row.contains("invalidated")).unwrap();
    for part in ["worker,", "invalidated", "puhe-daoyi", "'=the probe was dry"] {
        assert!(row.contains(part), "{part} is not in {row}");
    }
    let list = chief.get("/audit?lang=zh").body;
    assert!(list.contains("判为无效") && list.contains("worker"), "{list}");
    for none in ["?person=nobody", "?to=2026-01-01"] {
        assert_eq!(chief.get(&format!("/audit.csv{none}")).body.lines().count(), 1, "{none}");
    }
    assert_eq!(chief.get("/audit.csv?from=soon").status, 400);
    assert!(chief.get("/audit?from=soon&lang=en").body.contains("is no day and no time"));
    for path in ["/audit", "/audit.csv"] {
        assert_eq!(worker.get(path).status, 403, "{path}");
    }
    weir.stop();
}

#[test]
fn who_guesses_must_wait_and_others_need_not() {
    let (_broker, mut weir) = house();
    done(&weir, &["add", "li.na", "--role", "view"], PASSWORD);
    done(&weir, &["add", "wang", "--role", "view"], PASSWORD);
    weir.start();
    let browser = Browser::new(&weir);
    let tried = |name: &str| {
        let answers = (0..7).map(|_| browser.try_login(name, OTHER).status);
        answers.collect::<Vec<u16>>()
    };
    for name in ["li.na", "no-such-name"] {
        let statuses = tried(name);
        assert_eq!(statuses[..5], [403; 5], "{name}");
        assert!(statuses[5..].contains(&429), "{name}: {statuses:?}");
    }
    until("the wait", || browser.try_login("li.na", PASSWORD).status != 429);
    let limited = (0..3).map(|_| browser.try_login("no-such-name", OTHER));
    let limited = limited.into_iter().find(|answer| answer.status == 429).unwrap();
    assert!(limited.header("retry-after").is_some() && limited.body.contains("Too many tries"));
    Browser::login(&weir, "wang", PASSWORD);
    weir.stop();
}

#[test]
fn only_the_proxy_that_is_trusted_says_who_somebody_is() {
    let (_broker, mut weir) = house();
    done(&weir, &["add", "li.na", "--role", "operate", "--no-password"], "");
    let header = "[http]\ntrusted_header = 'X-Forwarded-User'\n";
    weir.configure("[http]\n", &format!("{header}trusted_proxies = ['192.0.2.7']\n"));
    weir.start();
    let sent = Browser::new(&weir).with("X-Forwarded-User: li.na\r\n");
    assert_eq!(sent.get("/").status, 303, "from a stranger it says nothing");
    weir.stop();

    weir.configure("trusted_proxies = ['192.0.2.7']\n", "");
    weir.start();
    let shown = sent.get("/?lang=en");
    assert!(shown.status == 200 && shown.body.contains("may operate"), "{shown:?}");
    let unknown = sent.with("X-Forwarded-User: wang\r\n").get("/?lang=en");
    assert!(unknown.body.contains("wang") && unknown.body.contains("may look"), "{unknown:?}");
    let twice = sent.with("X-Forwarded-User: wang\r\nX-Forwarded-User: li.na\r\n").get("/");
    assert_eq!(twice.status, 303, "somebody added one");
    assert_eq!(sent.with("X-Forwarded-User: li na\r\n").get("/").status, 303);
    // A form still needs what only the page has.
    assert_eq!(sent.post("/act", &[("deed", "comment"), ("alert", "7")]).status, 403);
    assert_eq!(sent.try_login("li.na", "").status, 403, "it has no password");
    weir.stop();
}

#[test]
fn the_demonstration_needs_no_account_and_has_forms_of_its_own() {
    let port = free_port();
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("more.toml");
    fs::write(&file, format!("[http]\nlisten = '127.0.0.1:{port}'\n")).unwrap();
    let mut command = Command::new(WEIR);
    let said = folder.path().join("said");
    command.args(["demo", "--for", "1h", "--channels"]).arg(&file);
    command.stdout(fs::File::create(&said).unwrap());
    let mut demo = Process::start(&mut command);
    let browser = Browser { port, cookie: String::new(), more: String::new() };
    until("the demonstration", || {
        TcpStream::connect(("127.0.0.1", port)).is_ok() && browser.get("/health").status == 200
    });
    let shown = browser.get("/?lang=en");
    assert!(shown.body.contains("demo") && shown.body.contains("administrator"), "{shown:?}");
    assert!(!shown.body.contains("/logout"));
    assert_eq!(browser.post("/act", &[("deed", "comment"), ("alert", "1")]).status, 403);
    Command::new("kill").args(["-INT", &demo.id().to_string()]).status().unwrap();
    let start = Instant::now();
    while demo.running() {
        let said = || fs::read_to_string(&said).unwrap();
        assert!(start.elapsed() < Duration::from_secs(60), "it does not end: {}", said());
        sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_page_speaks_tls_by_a_certificate_of_its_own() {
    let (_broker, weir) = house();
    done(&weir, &["add", "li.na", "--role", "view"], PASSWORD);
    let key = rcgen::KeyPair::generate().unwrap();
    let made = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let made = made.self_signed(&key).unwrap();
    fs::write(weir.folder().join("page.pem"), made.pem()).unwrap();
    fs::write(weir.folder().join("page.key"), key.serialize_pem()).unwrap();
    weir.configure("[http]\n", "[http]\ncertificate_file = 'page.pem'\nkey_file = 'page.key'\n");
    let mut command = Command::new(WEIR);
    let config = weir.folder().join("weir.toml");
    let log = fs::File::create(weir.folder().join("own-log")).unwrap();
    command.args(["run", "--config"]).arg(config).stderr(log);
    let mut process = Process::start(&mut command);
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.der().clone()).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ));
    let client = client.with_safe_default_protocol_versions().unwrap();
    let client = Arc::new(client.with_root_certificates(roots).with_no_client_auth());
    let ask = |request: &str| -> Option<Answer> {
        let name = "localhost".try_into().unwrap();
        let connection = rustls::ClientConnection::new(Arc::clone(&client), name).unwrap();
        let stream = TcpStream::connect(("127.0.0.1", weir.page())).ok()?;
        let mut stream = rustls::StreamOwned::new(connection, stream);
        stream.write_all(request.as_bytes()).unwrap();
        Some(read(stream))
    };
    let page = "GET /login HTTP/1.0\r\nHost: localhost\r\n\r\n";
    until("the page", || ask(page).is_some_and(|answer| answer.status == 200));
    let shown = ask(page).unwrap();
    assert_eq!(shown.header("strict-transport-security"), Some("max-age=31536000"));
    let body = format!("name=li.na&password={PASSWORD}");
    let login = format!(
        "POST /login HTTP/1.0\r\nHost: localhost\r\nOrigin: https://localhost\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let set = ask(&login).unwrap();
    let set = set.header("set-cookie").unwrap();
    assert!(set.ends_with("; Secure"), "{set}");
    let plain = TcpStream::connect(("127.0.0.1", weir.page())).map(|mut stream| {
        stream.write_all(page.as_bytes()).unwrap();
        read(stream).status
    });
    assert_ne!(plain.unwrap(), 200);
    process.terminate();
}

#[test]
fn every_answer_forbids_the_browser_what_no_page_needs() {
    let (_broker, mut weir) = house();
    done(&weir, &["add", "li.na", "--role", "view"], PASSWORD);
    weir.start();
    let browser = Browser::login(&weir, "li.na", PASSWORD);
    for path in ["/", "/login", "/nothing", "/style.css", "/live.js", "/api/v1/status", "/health"] {
        let answer = browser.get(path);
        let policy = answer.header("content-security-policy").unwrap();
        for part in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{path}: {policy}");
        assert!(answer.header("permissions-policy").unwrap().contains("camera=()"));
        assert_eq!(answer.header("cross-origin-opener-policy"), Some("same-origin"));
        assert_eq!(answer.header("cross-origin-resource-policy"), Some("same-origin"));
        // By `no-referrer` browsers would send forms as from nowhere.
        assert_eq!(answer.header("referrer-policy"), Some("same-origin"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("strict-transport-security"), None, "not over plain HTTP");
        let kept = path.ends_with(".css") || path.ends_with(".js");
        let wanted = if kept { "no-cache" } else { "no-store" };
        assert_eq!(answer.header("cache-control"), Some(wanted), "{path}");
    }
    let tag = browser.get("/style.css").header("etag").unwrap().to_owned();
    let again = browser.with(&format!("If-None-Match: {tag}\r\n")).get("/style.css");
    assert!(again.status == 304 && again.body.is_empty(), "{again:?}");
    weir.stop();
}
