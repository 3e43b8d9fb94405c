//! Mail to a real server (Debian's python3-aiosmtpd), whose mails are read by Python's own package:
//! with and without TLS and a password, threads, repeats, refusals, and what a daemon sends.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may panic, and waits by its own clock"
)]

mod peer;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;
use weir::domain::input::Qos;
use weir::domain::time::Timestamp;
use weir::mqtt::publisher::Publisher;
use weir::notify::{self, Channel, Sent};

use peer::{Mosquitto, Process, Weir, free_port, listens, until};

/// A mail server on a port of its own.
struct Server {
    folder: TempDir,
    port: u16,
    _process: Process,
}

impl Server {
    /// Starts one: `plain`, or with a certificate of its own `starttls` or `tls`.
    fn start(secrecy: &str, login: &[&str]) -> Self {
        let (folder, port) = (TempDir::new().unwrap(), free_port());
        let path = |name: &str| folder.path().join(name).display().to_string();
        if secrecy != "plain" {
            certify(folder.path());
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peer/smtp.py");
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let mut command = Command::new("/usr/bin/python3");
        command.arg(script).args([&port.to_string(), &path("out"), secrecy]);
        if secrecy != "plain" {
            command.args([path("server.pem"), path("server.key")]);
        }
        command.args(login).stdout(log.try_clone().unwrap()).stderr(log);
        let process = Process::start(&mut command);
        let server = Self { folder, port, _process: process };
        until("the mail server (Debian's python3-aiosmtpd)", || listens(server.port));
        server
    }

    /// Gives the mails that it took.
    fn mails(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.folder.path().join("out")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn mail(&self) -> Value {
        self.mails().pop().unwrap()
    }

    /// Has it answer so to every mail, or take them again.
    fn fail(&self, answer: Option<&str>) {
        let file = self.folder.path().join("out.fault");
        match answer {
            Some(answer) => fs::write(file, answer).unwrap(),
            None => fs::remove_file(file).unwrap(),
        }
    }

    /// A channel to it.
    fn settings(&self, scheme: &str, more: &str) -> String {
        format!(
            "name='mail'\nkind='mail'\nurl='{scheme}://localhost:{}'\n\
             from='weir <weir@bureau.example>'\nto=['值班室 <duty@bureau.example>']\n{more}",
            self.port
        )
    }

    fn channel(&self, scheme: &str, more: &str) -> Channel {
        Channel::new(&toml::from_str(&self.settings(scheme, more)).unwrap()).unwrap()
    }

    fn authority(&self) -> String {
        format!("ca_file='{}'\n", self.folder.path().join("ca.pem").display())
    }
}

/// Lays an authority and a certificate for localhost into a folder.
fn certify(folder: &Path) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, "the test's own authority");
    let certificate = params.self_signed(&key).unwrap();
    fs::write(folder.join("ca.pem"), certificate.pem()).unwrap();
    let issuer = rcgen::Issuer::new(params, key);
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    fs::write(folder.join("server.pem"), certificate.pem()).unwrap();
    fs::write(folder.join("server.key"), key.serialize_pem()).unwrap();
}

/// A notice about one alert.
fn notice(status: &str, group: &str, summary: &str) -> Value {
    let annotations = json!({
        "summary_en": summary, "summary_zh": format!("{summary}（氨氮超标）"),
        "advice_en": "Look upstream.", "advice_zh": "检查上游。", "value": "2.5 mg/L",
        "limit": "1.0 mg/L", "clause": "GB 3838-2002 table 1", "severity": "critical",
        "since": "2026-11-29T03:00:00+08:00",
    });
    let alert = json!({
        "status": status, "labels": { "severity": "critical" }, "annotations": annotations,
        "startsAt": "2026-11-29T03:00:00+08:00", "endsAt": "2026-11-29T05:00:00+08:00",
        "generatorURL": "https://weir.bureau.example/alerts/7", "fingerprint": "07",
    });
    json!({
        "version": "4", "groupKey": group, "status": status, "truncatedAlerts": 0,
        "commonLabels": {}, "commonAnnotations": {}, "alerts": [alert],
    })
}

fn header<'a>(mail: &'a Value, name: &str) -> Vec<&'a str> {
    let headers = mail["headers"].as_array().unwrap().iter();
    headers.filter(|one| one[0] == name).map(|one| one[1].as_str().unwrap()).collect()
}

/// Sends, at some time.
async fn send(channel: &Channel, id: &str, body: &Value) -> Sent {
    notify::send(channel, id, body, Timestamp(1_796_000_000_000)).await
}

#[track_caller]
fn taken(sent: &Sent) {
    assert!(matches!(sent, Sent::Confirmed { status: 250, .. }), "{sent:?}");
}

#[tokio::test]
async fn a_mail_is_in_both_languages_and_in_text_and_html() {
    let server = Server::start("plain", &[]);
    let channel = server.channel("smtp+plain", "");
    notify::probe(&channel).await.unwrap();
    taken(&send(&channel, "7-fired-1", &notice("firing", "weir/07", "South <b>")).await);
    let mail = server.mail();
    assert_eq!(mail["sender"], "weir@bureau.example");
    assert_eq!(mail["recipients"], json!(["duty@bureau.example"]));
    assert_eq!(mail["defects"], json!([]));
    assert_eq!(mail["ascii"], true);
    assert!(mail["longest"].as_u64().unwrap() <= 998, "{mail}");
    let subject = header(&mail, "subject")[0];
    assert!(
        subject.starts_with("【严重告警】South ") && subject.contains("（氨氮超标） / [critical]")
    );
    assert_eq!(header(&mail, "to"), ["值班室 <duty@bureau.example>"]);
    assert_eq!(header(&mail, "auto-submitted"), ["auto-generated"]);
    assert_eq!(header(&mail, "x-weir-notification-id"), ["7-fired-1"]);
    assert_eq!(header(&mail, "date"), ["Mon, 30 Nov 2026 00:53:20 +0000"]);
    let plain = mail["plain"].as_str().unwrap();
    for part in ["检查上游。", "Look upstream.", "2.5 mg/L", "1.0 mg/L", "2026-11-29 03:00"] {
        assert!(plain.contains(part), "{part}: {plain}");
    }
    let html = mail["html"].as_str().unwrap();
    assert!(html.contains("检查上游。") && html.contains("Look upstream."), "{html}");
    assert!(html.contains("<a href=\"https:&#x2f;&#x2f;weir.bureau.example&#x2f;alerts&#x2f;7\""));
    assert!(!html.contains("South <b>"), "{html}");
}

#[tokio::test]
async fn a_language_writes_one_and_a_template_the_part_that_it_is_named_for() {
    let server = Server::start("plain", &[]);
    let body = notice("firing", "weir/07", "South");
    let channel = server.channel("smtp+plain", "language='en'");
    taken(&send(&channel, "7-fired-1", &body).await);
    let mail = server.mail();
    assert_eq!(header(&mail, "subject"), ["[critical] South"]);
    let plain = mail["plain"].as_str().unwrap();
    assert!(plain.contains("Look upstream.") && !plain.contains("检查上游。"), "{plain}");
    let template = |name: &str, text: &str| {
        let file = server.folder.path().join(name);
        fs::write(&file, text).unwrap();
        format!("language='en'\ntemplate='{}'", file.display())
    };
    let more = template("own.txt", "{{ headline }}, says the house.");
    taken(&send(&server.channel("smtp+plain", &more), "7-fired-1", &body).await);
    let mail = server.mail();
    assert_eq!(mail["plain"].as_str().unwrap().trim(), "South, says the house.");
    assert_eq!(mail["html"], Value::Null);
    let more = template("own.html", "<h1>{{ headline }}</h1>");
    taken(&send(&server.channel("smtp+plain", &more), "7-fired-1", &body).await);
    let mail = server.mail();
    assert_eq!(mail["html"].as_str().unwrap().trim(), "<h1>South</h1>");
    assert!(mail["plain"].as_str().unwrap().contains("Look upstream."));
    // One that fails costs no mail.
    let more = template("own.html", "{{ nothing.of_it }}");
    taken(&send(&server.channel("smtp+plain", &more), "7-fired-1", &body).await);
    let mail = server.mail();
    assert_eq!(mail["html"], Value::Null);
    let plain = mail["plain"].as_str().unwrap();
    assert!(plain.contains("Look upstream.") && plain.contains("The template fails"), "{plain}");
}

#[tokio::test]
async fn a_repeat_has_the_same_id_and_a_thread_follows_one_mail() {
    let server = Server::start("plain", &[]);
    let channel = server.channel("smtp+plain", "");
    for (id, status, group) in [
        ("7-fired-1", "firing", "weir/07"),
        ("7-fired-1", "firing", "weir/07"),
        ("7-resolved-2", "resolved", "weir/07"),
        ("8-fired-1", "firing", "weir/08"),
    ] {
        taken(&send(&channel, id, &notice(status, group, "South")).await);
    }
    let mails = server.mails();
    let ids: Vec<&str> = mails.iter().map(|mail| header(mail, "message-id")[0]).collect();
    assert_eq!(ids[0], ids[1]);
    assert!(ids[0] != ids[2] && ids[0] != ids[3], "{ids:?}");
    assert!(ids[0].starts_with("<7-fired-1.") && ids[0].ends_with("@bureau.example>"), "{ids:?}");
    for name in ["references", "in-reply-to"] {
        let threads: Vec<&str> = mails.iter().map(|mail| header(mail, name)[0]).collect();
        assert_eq!(threads[0], threads[2], "{name}");
        assert_ne!(threads[0], threads[3], "{name}");
    }
    assert!(header(&mails[2], "subject")[0].starts_with("【解除】"));
}

#[tokio::test]
async fn what_a_name_holds_becomes_no_header_and_no_recipient() {
    let server = Server::start("plain", &[]);
    let channel = server.channel("smtp+plain", "");
    let name = "South\r\nBcc: other@example.com\r\n\r\n.\r\nQUIT\r\n\u{0}\u{1b}[2J";
    let mut body = notice("firing", "weir/\r\nBcc: other@example.com", name);
    body["commonAnnotations"] = json!({ "summary_en": name, "summary_zh": name });
    let id = "7-fired-1\r\nBcc: other@example.com";
    taken(&send(&channel, id, &body).await);
    let mail = server.mail();
    assert_eq!(header(&mail, "bcc"), Vec::<&str>::new());
    assert_eq!(mail["recipients"], json!(["duty@bureau.example"]));
    assert_eq!(header(&mail, "subject").len(), 1);
    assert!(header(&mail, "subject")[0].contains("South Bcc: other@example.com . QUIT"), "{mail}");
    assert!(mail["html"].as_str().unwrap().contains("what to do"));
    assert_eq!(server.mails().len(), 1);
}

#[tokio::test]
async fn starttls_and_tls_with_a_password_and_none_without() {
    for (secrecy, scheme) in [("starttls", "smtp"), ("tls", "smtps")] {
        let server = Server::start(secrecy, &["weir", "s3cret-of-mail"]);
        let secret = server.folder.path().join("secret");
        fs::write(&secret, "s3cret-of-mail\n").unwrap();
        let login = format!("user='weir'\nsecret_file='{}'\n", secret.display());
        let more = server.authority() + &login;
        let channel = server.channel(scheme, &more);
        notify::probe(&channel).await.unwrap();
        let body = notice("firing", "weir/07", "South");
        taken(&send(&channel, "7-fired-1", &body).await);
        let mail = server.mail();
        assert_eq!(mail["authenticated"], true, "{secrecy}");
        assert!(secrecy == "tls" || mail["secure"] == true, "{mail}");
        // A wrong password is refused, and not shown.
        fs::write(&secret, "another-one-of-mail").unwrap();
        let sent = send(&server.channel(scheme, &more), "7-fired-1", &body).await;
        let Sent::Refused { status: Some(535), words } = &sent else { panic!("{sent:?}") };
        assert!(!words.contains("another-one"), "{words}");
        let error = notify::probe(&server.channel(scheme, &more)).await.unwrap_err().to_string();
        assert!(error.contains("535") && !error.contains("another-one"), "{error}");
        // Without the authority nobody is trusted, and the password not given.
        let sent = send(&server.channel(scheme, &login), "7-fired-1", &body).await;
        assert!(matches!(&sent, Sent::Retry { .. }), "{sent:?}");
        assert_eq!(server.mails().len(), 1);
    }
    // A server that offers no STARTTLS gets nothing, least of all the password.
    let server = Server::start("plain", &[]);
    let body = notice("firing", "", "S");
    let sent = send(&server.channel("smtp", ""), "7-fired-1", &body).await;
    assert!(matches!(&sent, Sent::Refused { status: None, .. }), "{sent:?}");
    assert_eq!(server.mails().len(), 0);
}

#[tokio::test]
async fn who_is_refused_costs_the_others_nothing() {
    let server = Server::start("plain", &[]);
    let channel = |to: &str| {
        let settings = server.settings("smtp+plain", "");
        let settings = settings.replace("['值班室 <duty@bureau.example>']", to);
        Channel::new(&toml::from_str(&settings).unwrap()).unwrap()
    };
    let body = notice("firing", "weir/07", "South");
    let all = channel("['nobody@h.example', 'duty@h.example', 'busy@h.example', 'two@h.example']");
    let sent = send(&all, "7-fired-1", &body).await;
    let Sent::Confirmed { words, .. } = &sent else { panic!("{sent:?}") };
    assert!(words.contains("not to nobody@h.example") && words.contains("busy@h.example: "));
    let mail = server.mail();
    assert_eq!(mail["recipients"], json!(["duty@h.example", "two@h.example"]));
    assert_eq!(header(&mail, "to").len(), 1);
    let sent = send(&channel("['nobody@h.example']"), "7-fired-1", &body).await;
    assert!(matches!(&sent, Sent::Refused { .. }), "{sent:?}");
    let both = channel("['nobody@h.example', 'busy@h.example']");
    let sent = send(&both, "7-fired-1", &body).await;
    assert!(matches!(&sent, Sent::Retry { .. }), "{sent:?}");
    assert_eq!(server.mails().len(), 1);
}

#[tokio::test]
async fn four_hundred_is_tried_again_and_five_hundred_refused() {
    let server = Server::start("plain", &[]);
    let channel = server.channel("smtp+plain", "");
    let body = notice("firing", "weir/07", "South");
    server.fail(Some("452 4.3.1 no room"));
    let sent = send(&channel, "7-fired-1", &body).await;
    let Sent::Retry { words, .. } = &sent else { panic!("{sent:?}") };
    assert!(words.contains("452") && words.contains("no room"), "{words}");
    server.fail(Some("554 5.7.1 looks like spam"));
    let sent = send(&channel, "7-fired-1", &body).await;
    let Sent::Refused { status: Some(554), words } = &sent else { panic!("{sent:?}") };
    assert!(words.contains("spam"), "{words}");
    server.fail(None);
    taken(&send(&channel, "7-fired-1", &body).await);
}

/// Listens, and does with each connection what is asked.
fn server_that(act: fn(std::net::TcpStream)) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || act(stream));
        }
    });
    format!(
        "name='mail'\nkind='mail'\nurl='smtp+plain://127.0.0.1:{port}'\nfrom='w@h.example'\n\
         to=['d@h.example']\ntimeout_s=2\n"
    )
}

#[tokio::test]
async fn who_says_nothing_or_without_end_is_left_and_tried_again() {
    let body = notice("firing", "weir/07", "South");
    let silent = server_that(|mut stream| {
        stream.read_to_end(&mut Vec::new()).ok();
    });
    let endless = server_that(|mut stream| {
        stream.write_all(b"220 ").ok();
        while stream.write_all(&[b'w'; 64 << 10]).is_ok() {}
    });
    let nonsense = server_that(|mut stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok();
        stream.read_to_end(&mut Vec::new()).ok();
    });
    for (settings, said) in [
        (silent, "no answer within timeout_s = 2 s"),
        (endless, "the server says more than 262144 bytes"),
        (nonsense, ""),
    ] {
        let channel = Channel::new(&toml::from_str(&settings).unwrap()).unwrap();
        let sent = send(&channel, "7-fired-1", &body).await;
        let Sent::Retry { words, .. } = &sent else { panic!("{sent:?}") };
        assert!(words.contains(said), "{words}");
        assert!(notify::probe(&channel).await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_of_the_daemon_is_a_mail_and_check_reaches_the_server() {
    let (broker, server) = (Mosquitto::start(""), Server::start("plain", &[]));
    let channel = format!("[[channel]]\n{}", server.settings("smtp+plain", ""));
    let mut weir = Weir::install(&broker.url(), &channel);
    let (done, said) = weir.command(&["check", "--connect"]);
    assert!(done && said.contains("channel mail: reached"), "{said}");
    weir.start();
    let publisher = Publisher::connect(&broker.url(), "station").unwrap();
    // Oxygen below every class for twenty minutes.
    let start = jiff::Timestamp::now().as_millisecond() - 3_600_000;
    for minute in 0..20 {
        let at = start + minute * 60_000;
        let payload = format!(
            "{{\"ts\":{at},\"temp\":18.5,\"ph\":7.61,\"do\":2.0,\"ec\":720,\"turb\":12.5}}"
        );
        publisher
            .publish("water/sonde-02/data", payload.into(), Qos::AtLeastOnce, false)
            .await
            .unwrap();
    }
    publisher.flush().await;
    until("the mail", || !server.mails().is_empty());
    let mail = server.mail();
    assert!(header(&mail, "subject")[0].starts_with('【'), "{mail}");
    assert_eq!(header(&mail, "x-weir-notification-id").len(), 1);
    publisher.close().await;
    weir.stop();
}
