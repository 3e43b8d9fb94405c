//! The audit list, of the program itself: whatever a person does by page, program or shell is in one
//! list, which page, table and shell show alike, with a weir at work or without.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, reason = "a test asks its own clock")]

mod peer;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use peer::{Hook, Mosquitto, TOKEN, Weir, copy, escaped, get, until};
use serde_json::Value;

const PASSWORD: &str = "willow-river-7";

/// Posts, and gives status and head of the answer.
fn post(weir: &Weir, path: &str, head: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", weir.page())).unwrap();
    let port = weir.page();
    let head = format!(
        "POST {path} HTTP/1.0\r\nHost: localhost:{port}\r\n{head}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
    (status, answer)
}

fn by_program(weir: &Weir, path: &str, body: &str) {
    let head = format!("Authorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n");
    let (status, said) = post(weir, path, &head, body);
    assert_eq!(status, 200, "{path}: {said}");
}

/// Sends a form of the page to log in on, or to log out.
fn form(weir: &Weir, path: &str, cookie: &str, pairs: &[(&str, &str)]) -> (u16, String) {
    let pairs: Vec<String> =
        pairs.iter().map(|(key, value)| format!("{key}={}", escaped(value))).collect();
    let head = format!(
        "Origin: http://localhost:{}\r\nCookie: {cookie}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n",
        weir.page()
    );
    post(weir, path, &head, &pairs.join("&"))
}

fn log_in(weir: &Weir, name: &str, password: &str) -> (u16, String) {
    form(weir, "/login", "", &[("name", name), ("password", password), ("back", "/")])
}

#[track_caller]
fn shell(weir: &Weir, arguments: &[&str]) -> String {
    let (done, said) = weir.command(arguments);
    assert!(done, "{arguments:?}: {said}");
    said
}

/// Gives person, way, act and object of each act, the oldest first, but for editions in force.
fn listed(weir: &Weir, more: &[&str]) -> Vec<[String; 4]> {
    let said = shell(weir, &[&["audit", "--json"], more].concat());
    let list = said.lines().find(|line| line.starts_with('[')).unwrap();
    let list: Vec<Value> = serde_json::from_str(list).unwrap();
    let text = |one: &Value, key: &str| one[key].as_str().unwrap_or("-").to_owned();
    let each = list.iter().map(|one| ["person", "way", "what", "about"].map(|key| text(one, key)));
    each.filter(|[.., what, _]| what != "edition in force").collect()
}

/// Does something of each kind, in the shell and on the page.
fn everything(weir: &Weir, broker: &Mosquitto) {
    let folder = weir.folder().display().to_string();
    fs::write(weir.folder().join("password"), PASSWORD).unwrap();
    let secret = format!("{folder}/password");
    shell(weir, &["user", "add", "li.na", "--role", "view", "--password-file", &secret]);
    shell(weir, &["user", "role", "li.na", "operate"]);
    shell(weir, &["user", "token", "li.na", "--label", "board"]);
    shell(weir, &["user", "token", "li.na", "--label", "board", "--remove"]);
    until("the account", || log_in(weir, "li.na", PASSWORD).0 == 303);
    assert_eq!(log_in(weir, "li.na", "heron").0, 403);
    assert_eq!(log_in(weir, PASSWORD, "heron").0, 403);

    let port = broker.port().to_string();
    let arguments = ["-p", &port, "-q", "1", "-t", "water/sonde-99/data", "-m", "{\"do\":7}"];
    assert!(Command::new("mosquitto_pub").args(arguments).status().unwrap().success());
    until("the dead letter", || weir.count("/total/messages/rejected") == 1);
    by_program(weir, "/api/v1/dead-letters/retry", "{\"ids\":[1]}");
    by_program(weir, "/api/v1/channels/duty/test", "{}");
    shell(weir, &["dead-letters", "retry", "1"]);
    shell(weir, &["notify", "test", "duty"]);

    let kind = ["--property", "NH3-N", "--kind", "span", "--value", "2.01", "--standard", "2.0"];
    let hour_ago = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(1);
    let hour_ago = hour_ago.in_tz("Asia/Shanghai").unwrap().strftime("%Y-%m-%dT%H:%M").to_string();
    let when = ["--at", &hour_ago, "--person", "Li Na"];
    shell(weir, &[&["qc", "check", "--station", "puhe-daoyi"], &kind[..], &when].concat());
    let table = format!("{folder}/june.csv");
    fs::write(&table, "time,NH3-N\n2026-06-01 09:30,2.31\n").unwrap();
    shell(weir, &["import", &table, "--station", "hunhe-dongling"]);
    let seeds = format!("{folder}/other");
    copy(&weir.folder().join("seeds"), seeds.as_ref());
    let stations = format!("{seeds}/stations.csv");
    let rows = fs::read_to_string(&stations).unwrap();
    fs::write(&stations, rows.replace("Puhe at Daoyi", "Puhe by Daoyi")).unwrap();
    shell(weir, &["seeds", "apply", &seeds]);
    let silence = ["alerts", "silence", "--station", "puhe-daoyi", "--until", "8h"];
    let by = ["--reason", "dredging", "--person", "Li Na"];
    shell(weir, &[&silence[..], &by].concat());
    shell(weir, &["user", "rm", "li.na"]);
}

#[test]
fn whatever_a_person_does_is_in_one_list() {
    let (broker, hook) = (Mosquitto::start(""), Hook::start());
    let mut weir = Weir::install(&broker.url(), &hook.config());
    weir.surround(vec![("USER".to_owned(), "nobody".to_owned())]);
    weir.start();
    everything(&weir, &broker);
    // What is done on the page is written down before it is answered, but for logins.
    until("the logins", || listed(&weir, &[]).iter().any(|act| act[1] == "page" && act[0] == "-"));

    let acts = listed(&weir, &[]);
    let me = acts[0][0].clone();
    let folder = weir.folder().display().to_string();
    let want = [
        [&*me, "shell", "account added", "li.na"],
        [&*me, "shell", "role set", "li.na"],
        [&*me, "shell", "token made", "li.na"],
        [&*me, "shell", "token removed", "li.na"],
        ["li.na", "page", "logged in", "-"],
        ["li.na", "page", "login refused", "-"],
        ["-", "page", "login refused", "-"],
        ["tester", "page", "dead letters run again", "dead letters 1"],
        ["tester", "page", "channel tested", "duty"],
        [&*me, "shell", "dead letters run again", "dead letters [1]"],
        [&*me, "shell", "channel tested", "duty"],
        ["Li Na", "shell", "check entered", "puhe-daoyi"],
        [&*me, "shell", "table imported", &format!("hunhe-dongling, {folder}/june.csv")],
        [&*me, "shell", "edition applied", &format!("{folder}/other")],
        ["Li Na", "-", "silenced", "silence 1"],
        [&*me, "shell", "account removed", "li.na"],
    ];
    for act in want {
        assert!(acts.iter().any(|one| one == &act.map(str::to_owned)), "no {act:?} in {acts:#?}");
    }
    // The account may not be known yet when it is first tried.
    let count = acts.iter().filter(|[_, _, what, _]| !what.starts_with("log")).count();
    assert_eq!(count, want.len() - 3, "{acts:#?}");
    assert!(!me.is_empty() && me != "-", "{me}");

    let persons = listed(&weir, &["--person", "Li Na"]);
    assert_eq!(persons.len(), 2, "{persons:?}");
    assert_eq!(listed(&weir, &["--to", "2026-01-01"]).len(), 0);
    let (done, said) = weir.command(&["audit", "--from", "soon"]);
    assert!(!done && said.contains("is no day and no time"), "{said}");
    let lines = shell(&weir, &["audit"]);
    assert!(lines.contains("Li Na  silenced  silence 1, until ") && lines.contains(": dredging"));
    assert!(lines.contains("edition in force") && lines.contains("(shell)"), "{lines}");
    assert!(!lines.contains(PASSWORD), "what was written where the name belongs is no name");

    let table = get(weir.page(), "/audit.csv").1;
    assert_eq!(table.lines().skip(1).count(), lines.lines().count(), "{table}");
    assert!(table.contains(",Li Na,,check entered,puhe-daoyi,"), "{table}");
    let page = get(weir.page(), "/audit?lang=zh").1;
    for words in ["重新解析异常报文", "登录被拒", "命令行", "版本生效", "新增账号"]
    {
        assert!(page.contains(words), "no {words} in {page}");
    }

    weir.stop();
    let (_, at_rest) = weir.command(&["audit", "--json"]);
    assert!(at_rest.contains("no weir is at work"), "{at_rest}");
    assert_eq!(listed(&weir, &[]), acts);
    shell(&weir, &["user", "passwd", "tester", "--password-file", &format!("{folder}/password")]);
    let last = listed(&weir, &[]).pop().unwrap();
    assert_eq!(last, [&*me, "shell", "password set", "tester"]);
}
