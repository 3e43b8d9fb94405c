//! Channels of notification against receivers that check what they get as their houses document
//! it, and that are slow, busy, refuse, or talk nonsense.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, reason = "a test waits by its own clock")]

mod stand_in;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use stand_in::{Answer, StandIn};
use tempfile::TempDir;
use weir::domain::time::Timestamp;
use weir::notify::{self, Channel, Config, Sent};

/// 2026-06-01 08:00:00.123 UTC.
const NOW: Timestamp = Timestamp(1_780_300_800_123);

fn section(text: &str) -> Config {
    toml::from_str(text).unwrap()
}

/// Makes a channel of a section without fault.
#[track_caller]
fn channel(text: &str) -> Channel {
    let config = section(text);
    assert_eq!(config.faults(), [], "{text}");
    Channel::new(&config).unwrap()
}

/// A notice of one alert.
fn notice(status: &str) -> Value {
    json!({
        "version": "4", "status": status, "truncatedAlerts": 0, "groupKey": "weir/07",
        "commonAnnotations": {
            "summary_en": "Puhe at Daoyi: ammonia nitrogen 2.620 mg/L",
            "summary_zh": "蒲河道义：氨氮2.620 mg/L",
        },
        "commonLabels": { "alertname": "water-class" },
        "notice": { "kind": "alerts", "step": 0 },
        "alerts": [alert(7, status)],
    })
}

fn alert(number: u64, status: &str) -> Value {
    json!({
        "status": status, "fingerprint": format!("{number:016x}"),
        "labels": {
            "alertname": "water-class", "severity": "critical",
            "station": format!("station-{number}"),
        },
        "annotations": {
            "summary_en": "Puhe at Daoyi: ammonia nitrogen 2.620 mg/L",
            "summary_zh": "蒲河道义：氨氮2.620 mg/L", "value": "2.620 mg/L", "limit": "1.5 mg/L",
            "since": "2026-06-01T15:30:00+08:00", "state": status,
        },
        "startsAt": "2026-06-01T15:30:00+08:00", "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "",
    })
}

/// What the built-in text in Chinese is, in Markdown, below its first line.
const BELOW: &str =
    "- 数值：**2.620 mg/L**，限值：1.5 mg/L\n- 时间：自 2026-06-01 15:30 起\n- 级别：严重";

async fn send(channel: &Channel, body: &Value) -> Sent {
    notify::send(channel, "7-firing-0", body, NOW).await
}

/// HMAC-SHA-256 in base64, as the robots' houses compute it.
fn proof(key: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

fn secret(folder: &Path, text: &str) -> String {
    let path = folder.join("secret");
    fs::write(&path, format!("{text}\n")).unwrap();
    format!("secret_file='{}'\n", path.display())
}

#[tokio::test]
async fn dingtalk_gets_markdown_signed_by_time_and_secret() {
    let (folder, house) = (TempDir::new().unwrap(), StandIn::start(Answer::ok("{\"errcode\":0}")));
    let secret_file = secret(folder.path(), "SEC-0123456789");
    let robot = channel(&format!(
        "name='duty'\nkind='dingtalk'\nmention=['13800000000','all']\n{secret_file}\
         url='http://127.0.0.1:{}/robot/send?access_token=abc'",
        house.port()
    ));
    let sent = send(&robot, &notice("firing")).await;
    assert!(matches!(sent, Sent::Confirmed { status: 200, .. }), "{sent:?}");
    let got = house.last();
    assert_eq!(got.method, "POST");
    assert!(got.target.starts_with("/robot/send?access_token=abc&"), "{}", got.target);
    assert_eq!(got.query("timestamp").unwrap(), "1780300800123");
    let sign = proof("SEC-0123456789", "1780300800123\nSEC-0123456789");
    assert_eq!(got.query("sign").unwrap(), sign);
    assert_eq!(got.header("content-type"), Some("application/json; charset=utf-8"));
    let text = format!("**【严重告警】蒲河道义：氨氮2.620 mg/L**\n\n{BELOW}\n\n@13800000000");
    let want = json!({
        "msgtype": "markdown",
        "markdown": { "title": "【严重告警】蒲河道义：氨氮2.620 mg/L", "text": text },
        "at": { "atMobiles": ["13800000000"], "isAtAll": true },
    });
    assert_eq!(got.json(), want);
    // What is over calls nobody.
    send(&robot, &notice("resolved")).await;
    assert_eq!(house.last().json()["at"], json!({ "atMobiles": [], "isAtAll": false }));
}

#[tokio::test]
async fn wecom_gets_markdown_of_no_more_than_it_takes() {
    let house = StandIn::start(Answer::ok("{\"errcode\":0,\"errmsg\":\"ok\"}"));
    let port = house.port();
    let robot = channel(&format!(
        "name='duty'\nkind='wecom'\nmention=['li']\nlanguage='en'\n\
         url='http://127.0.0.1:{port}/cgi-bin/webhook/send?key=abc'",
    ));
    send(&robot, &notice("firing")).await;
    let want = "**[critical] Puhe at Daoyi: ammonia nitrogen 2.620 mg/L**\n\n\
                - Value: **2.620 mg/L**, limit: 1.5 mg/L\n- Time: since 2026-06-01 15:30\n\
                - Severity: critical\n\n<@li>";
    let json = json!({ "msgtype": "markdown", "markdown": { "content": want } });
    assert_eq!(house.last().json(), json);
    let mut many = notice("firing");
    many["alerts"] = (0..50).map(|number| alert(number, "firing")).collect();
    many["commonAnnotations"]["summary_en"] = "w".repeat(2_500).into();
    send(&robot, &many).await;
    let content = house.last().json()["markdown"]["content"].as_str().unwrap().to_owned();
    assert!(content.len() <= 4_096, "{}", content.len());
    assert!(content.contains("more alerts are not listed."), "{content}");
}

#[tokio::test]
async fn feishu_gets_a_card_signed_in_its_body() {
    let (folder, house) = (TempDir::new().unwrap(), StandIn::start(Answer::ok("{\"code\":0}")));
    let secret_file = secret(folder.path(), "s3cret-of-the-robot");
    let robot = channel(&format!(
        "name='duty'\nkind='feishu'\nmention=['ou_1']\nkeyword='监测'\n{secret_file}\
         url='http://127.0.0.1:{}/open-apis/bot/v2/hook/abc'",
        house.port()
    ));
    send(&robot, &notice("firing")).await;
    let content = format!("{BELOW}\n\n监测\n\n<at id=ou_1></at>");
    let want = json!({
        "timestamp": "1780300800",
        "sign": proof("1780300800\ns3cret-of-the-robot", ""),
        "msg_type": "interactive",
        "card": {
            "config": { "wide_screen_mode": true },
            "header": {
                "title": {
                    "tag": "plain_text", "content": "【严重告警】蒲河道义：氨氮2.620 mg/L",
                },
                "template": "red",
            },
            "elements": [{ "tag": "markdown", "content": content }],
        },
    });
    assert_eq!(house.last().json(), want);
    let colour = |house: &StandIn| house.last().json()["card"]["header"]["template"].clone();
    send(&robot, &notice("resolved")).await;
    assert_eq!(colour(&house), "green");
    let (id, test) = notify::trial("duty", NOW, &jiff::tz::TimeZone::UTC);
    notify::send(&robot, &id, &test, NOW).await;
    assert_eq!(colour(&house), "blue");
}

/// What came of an attempt, in a word.
fn word(sent: &Sent) -> (&'static str, Option<u64>, &str) {
    match sent {
        Sent::Confirmed { words, .. } => ("taken", None, words),
        Sent::Retry { after, words } => ("later", after.map(|after| after.as_secs()), words),
        Sent::Refused { words, .. } => ("refused", None, words),
    }
}

#[tokio::test]
async fn what_a_house_answers_is_understood() {
    let house = StandIn::start(Answer::ok(""));
    let port = house.port();
    let ok = Answer::ok;
    for (kind, answer, want) in [
        ("dingtalk", ok("{\"errcode\":0,\"errmsg\":\"ok\"}"), ("taken", None)),
        ("dingtalk", ok("{\"errcode\":310000,\"errmsg\":\"sign not match\"}"), ("refused", None)),
        ("dingtalk", ok("{\"errcode\":130101,\"errmsg\":\"too fast\"}"), ("later", Some(600))),
        ("dingtalk", ok("{\"errcode\":-1}"), ("later", None)),
        ("dingtalk", ok("<html>welcome to the hotel</html>"), ("refused", None)),
        ("dingtalk", ok("{}"), ("refused", None)),
        ("dingtalk", Answer::with("302 Found", "Location: /\r\n", ""), ("refused", None)),
        ("wecom", ok("{\"errcode\":0}"), ("taken", None)),
        ("wecom", ok("{\"errcode\":45009}"), ("later", Some(60))),
        ("wecom", ok("{\"errcode\":93000,\"errmsg\":\"invalid url\"}"), ("refused", None)),
        ("feishu", ok("{\"code\":0,\"msg\":\"success\"}"), ("taken", None)),
        ("feishu", ok("{\"StatusCode\":0}"), ("taken", None)),
        ("feishu", ok("{\"code\":19021,\"msg\":\"sign match fail\"}"), ("refused", None)),
        ("feishu", ok("{\"code\":11232}"), ("later", Some(60))),
        ("webhook", ok("whatever"), ("taken", None)),
        (
            "wecom",
            Answer::with("429 Too Many Requests", "Retry-After: 17\r\n", "{\"errcode\":0}"),
            ("later", Some(17)),
        ),
        (
            "feishu",
            Answer::with("400 Bad Request", "", "{\"code\":99991400,\"msg\":\"frequency limit\"}"),
            ("later", Some(60)),
        ),
        ("feishu", Answer::with("400 Bad Request", "", "{\"code\":9499}"), ("refused", None)),
        ("feishu", Answer::with("502 Bad Gateway", "", "{\"code\":0}"), ("later", None)),
        ("alertmanager", Answer::with("400 Bad Request", "", "\"bad labels\""), ("refused", None)),
    ] {
        house.says(answer.clone());
        let text = format!("name='duty'\nkind='{kind}'\nurl='http://127.0.0.1:{port}/a'");
        let sent = send(&channel(&text), &notice("firing")).await;
        let (outcome, after, words) = word(&sent);
        assert_eq!((outcome, after), want, "{kind} {answer:?}: {sent:?}");
        assert!(words.contains(&answer.body), "{kind}: {words}");
    }
}

#[tokio::test]
async fn an_answer_without_end_is_no_success() {
    let words = format!("{{\"words\":\"{}\",\"errcode\":0}}", "w".repeat(100 << 10));
    let house = StandIn::start(Answer::ok(&words));
    let text = format!("name='d'\nkind='wecom'\nurl='http://127.0.0.1:{}'", house.port());
    let sent = send(&channel(&text), &notice("firing")).await;
    assert!(matches!(&sent, Sent::Refused { words, .. } if words.len() < 1_200), "{sent:?}");
}

#[tokio::test]
async fn who_is_slow_or_away_is_asked_again() {
    let answer = Answer { after: Duration::from_secs(5), ..Answer::ok("{\"errcode\":0}") };
    let house = StandIn::start(answer);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = silent.local_addr().unwrap().port();
    drop(silent);
    for port in [house.port(), gone] {
        let text = format!("name='d'\nkind='dingtalk'\ntimeout_s=1\nurl='http://127.0.0.1:{port}'");
        let begun = Instant::now();
        let sent = send(&channel(&text), &notice("firing")).await;
        assert!(matches!(sent, Sent::Retry { after: None, .. }), "{sent:?}");
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn a_gateway_of_short_messages_is_described() {
    let folder = TempDir::new().unwrap();
    let gateway = StandIn::start(Answer::ok("{\"result\":{\"code\":\"OK\"}}"));
    let port = gateway.port();
    let key = folder.path().join("key");
    fs::write(&key, "k&y-0123456789\n").unwrap();
    let secret_file = secret(folder.path(), "token-0123456789");
    let described = channel(&format!(
        "name='sms'\nkind='http'\n{secret_file}secret_files={{ app='{key}' }}\n\
         url='http://127.0.0.1:{port}/send?app={{{{ secrets.app | urlencode }}}}'\n\
         headers={{ Authorization = 'Bearer {{{{ secret }}}}', X-Time = '{{{{ timestamp }}}}' }}\n\
         body='{{\"to\":[\"138\"],\"text\":{{{{ title | tojson }}}},\"id\":\"{{{{ id }}}}\"}}'\n\
         success_pointer='/result/code'\nsuccess_value='OK'\n",
        key = key.display(),
    ));
    let sent = send(&described, &notice("firing")).await;
    assert_eq!(word(&sent).0, "taken", "{sent:?}");
    let got = gateway.last();
    assert_eq!(got.query("app").unwrap(), "k&y-0123456789");
    assert_eq!(got.header("authorization"), Some("Bearer token-0123456789"));
    assert_eq!(got.header("x-time"), Some("1780300800"));
    assert_eq!(got.header("content-type"), Some("application/json"));
    let text = "【严重告警】蒲河道义：氨氮2.620 mg/L";
    assert_eq!(got.json(), json!({ "to": ["138"], "text": text, "id": "7-firing-0" }));
    // A refusal in a 200, and one that quotes all that it was told.
    gateway.says(Answer::ok("{\"result\":{\"code\":\"BLACK\"}} {n}"));
    let sent = send(&described, &notice("firing")).await;
    let (outcome, _, words) = word(&sent);
    assert_eq!(outcome, "refused");
    assert!(words.contains("BLACK") && words.contains("app=…"), "{words}");
    for secret in ["k&y", "k%26y", "token-0123456789"] {
        assert!(!words.contains(secret), "{words}");
    }
    assert!(!format!("{described:?}").contains("0123456789"));
}

#[tokio::test]
async fn no_template_leads_a_secret_to_another_host() {
    let gateway = StandIn::start(Answer::ok(""));
    let port = gateway.port();
    let url = format!("http://127.0.0.1:{port}{{{{ '@example.invalid/' if id == '7' else '/' }}}}");
    let text = format!("name='sms'\nkind='http'\nurl=\"{url}\"\n");
    let faults = section(&text).faults();
    assert_eq!((faults[0].key, faults.len()), ("url", 1), "{faults:?}");
    assert!(faults[0].found.contains("it leads to another host"), "{faults:?}");
    let described = Channel::new(&section(&text)).unwrap();
    let sent = send(&described, &notice("firing")).await;
    let (outcome, _, words) = word(&sent);
    assert_eq!(outcome, "refused");
    assert!(words.contains("the template of url fails: it leads to another host"), "{words}");
    assert_eq!(gateway.got(), []);
}

#[tokio::test]
async fn a_gateway_may_be_asked_by_get_and_say_success_by_status() {
    let gateway = StandIn::start(Answer::with("202 Accepted", "", "queued"));
    let described = |more: &str| {
        channel(&format!(
            "name='sms'\nkind='http'\nmethod='GET'\nlanguage='en'\n{more}\n\
             url='http://127.0.0.1:{}/call?to=138&text={{{{ headline | urlencode }}}}'\n",
            gateway.port()
        ))
    };
    let sent = send(&described("success_status=[202]"), &notice("firing")).await;
    assert_eq!(word(&sent), ("taken", None, "queued"));
    let got = gateway.last();
    assert_eq!((&*got.method, &*got.body), ("GET", ""));
    assert_eq!(got.query("text").unwrap(), "Puhe at Daoyi: ammonia nitrogen 2.620 mg/L");
    let sent = send(&described("success_status=[200]"), &notice("firing")).await;
    assert_eq!(word(&sent).0, "refused", "{sent:?}");
    gateway.says(Answer::with("503 Busy", "Retry-After: 9\r\n", ""));
    let sent = send(&described("success_status=[200]"), &notice("firing")).await;
    assert_eq!((word(&sent).0, word(&sent).1), ("later", Some(9)));
}

#[tokio::test]
async fn a_template_that_fails_on_a_notification_costs_it_nothing() {
    let folder = TempDir::new().unwrap();
    let house = StandIn::start(Answer::ok("{\"errcode\":0}"));
    let path = folder.path().join("text.jinja");
    // It is sound on the sample, which has all there is.
    fs::write(&path, "{{ alerts[0].annotations.multiple }} times").unwrap();
    for (kind, at) in [
        ("dingtalk", "/markdown/text"),
        ("wecom", "/markdown/content"),
        ("webhook", "/templateFault"),
        ("http", ""),
    ] {
        let robot = channel(&format!(
            "name='duty'\nkind='{kind}'\nlanguage='en'\ntemplate='{}'\n\
             url='http://127.0.0.1:{}/a'",
            path.display(),
            house.port(),
        ));
        let sent = send(&robot, &notice("firing")).await;
        assert_eq!(word(&sent).0, "taken", "{kind}: {sent:?}");
        let got = house.last();
        let said = match at {
            "" => got.body.clone(),
            at => got.json().pointer(at).unwrap().as_str().unwrap().to_owned(),
        };
        assert!(said.contains("undefined value"), "{kind}: {said}");
        if kind == "webhook" {
            assert_eq!(got.json()["alerts"], notice("firing")["alerts"]);
        } else {
            assert!(said.contains("ammonia nitrogen 2.620 mg/L"), "{kind}: {said}");
            assert!(said.contains("The template fails"), "{kind}: {said}");
        }
    }
}

#[tokio::test]
async fn requests_go_through_the_proxy_that_is_named() {
    let proxy = StandIn::start(Answer::ok("{\"errcode\":0}"));
    let robot = channel(&format!(
        "name='duty'\nkind='dingtalk'\nurl='http://robot.invalid/send?access_token=abc'\n\
         proxy='http://weir:pass-0123456789@127.0.0.1:{}'",
        proxy.port()
    ));
    let sent = send(&robot, &notice("firing")).await;
    assert_eq!(word(&sent).0, "taken", "{sent:?}");
    let got = proxy.last();
    assert_eq!(got.target, "http://robot.invalid/send?access_token=abc");
    let pair = STANDARD.encode("weir:pass-0123456789");
    assert_eq!(got.header("proxy-authorization"), Some(&*format!("Basic {pair}")));
    notify::probe(&robot).await.unwrap();
    // Over TLS it is asked for a tunnel, and hears nothing of what goes through.
    let tls = channel(&format!(
        "name='duty'\nkind='dingtalk'\nurl='https://robot.invalid/send?access_token=abc'\n\
         proxy='http://weir:pass-0123456789@127.0.0.1:{}'",
        proxy.port()
    ));
    proxy.says(Answer::with("502 Bad Gateway", "", ""));
    assert_eq!(word(&send(&tls, &notice("firing")).await).0, "later");
    let got = proxy.last();
    assert_eq!((&*got.method, &*got.target), ("CONNECT", "robot.invalid:443"));
    assert_eq!(got.header("proxy-authorization"), Some(&*format!("Basic {pair}")));
    // A proxy that refuses and quotes is no receipt and gives nothing away.
    proxy.says(Answer::with("407 Proxy Authentication Required", "", "{n}"));
    let sent = send(&robot, &notice("firing")).await;
    let (outcome, _, words) = word(&sent);
    assert_eq!(outcome, "refused");
    assert!(!words.contains(&pair) && !words.contains("pass-0123456789"), "{words}");
    assert!(!words.contains("access_token=abc"), "{words}");
    assert!(!format!("{robot:?}").contains("0123456789"));
}

fn script(folder: &Path, text: &str) -> String {
    let path = folder.join("tell");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

fn command(folder: &Path, text: &str, more: &str) -> Channel {
    let path = script(folder, text);
    channel(&format!("name='c'\nkind='command'\ncommand=['{path}', '$HOME', 'a b']\n{more}"))
}

#[tokio::test]
async fn a_command_reads_the_text_and_knows_nothing_else() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("out");
    let text = format!(
        "PATH=/usr/bin:/bin\n{{ echo \"$#|$1|$2\"; env | sort | grep -v '^PWD\\|^_\\|^SHLVL'; cat; }} \
         > '{}'\necho called 138; echo quietly >&2",
        out.display()
    );
    let program = command(folder.path(), &text, "environment=['HOME','NOBODY']\nlanguage='en'");
    let sent = send(&program, &notice("firing")).await;
    assert_eq!(sent, Sent::Confirmed { status: 0, words: "called 138\nquietly".to_owned() });
    let home = std::env::var("HOME").unwrap();
    let want = format!(
        "2|$HOME|a b\nHOME={home}\nWEIR_NOTIFICATION_ID=7-firing-0\n\
         WEIR_STATUS=firing\n\
         WEIR_TITLE=[critical] Puhe at Daoyi: ammonia nitrogen 2.620 mg/L\n\
         [critical] Puhe at Daoyi: ammonia nitrogen 2.620 mg/L\n\
         Value: 2.620 mg/L, limit: 1.5 mg/L\nTime: since 2026-06-01 15:30\nSeverity: critical\n"
    );
    assert_eq!(fs::read_to_string(out).unwrap(), want);
}

#[tokio::test]
async fn a_command_says_by_its_code_what_came_of_it() {
    let folder = TempDir::new().unwrap();
    for (text, want) in [
        ("exit 0", ("taken", "")),
        ("echo busy; exit 75", ("later", "exit status: 75: busy")),
        ("echo no such number >&2; exit 3", ("refused", "(exit status: 3) no such number")),
        ("kill -9 $$", ("later", "signal: 9 (SIGKILL): ")),
    ] {
        let sent = send(&command(folder.path(), text, ""), &notice("firing")).await;
        let (outcome, _, words) = word(&sent);
        assert_eq!((outcome, words), want, "{text}");
    }
    let gone = command(folder.path(), "exit 0", "");
    fs::remove_file(folder.path().join("tell")).unwrap();
    let sent = send(&gone, &notice("firing")).await;
    assert!(matches!(&sent, Sent::Retry { words, .. } if words.contains("can't be started")));
    assert!(notify::probe(&gone).await.is_err());
}

/// Whether a process is there and no zombie.
fn lives(id: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", id.trim())).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

#[tokio::test]
async fn a_command_that_hangs_is_ended_with_what_it_started() {
    let folder = TempDir::new().unwrap();
    let ids = folder.path().join("ids");
    let text = format!("sleep 600 &\necho $! > '{0}'; echo $$ >> '{0}'; wait", ids.display());
    let begun = Instant::now();
    let sent = send(&command(folder.path(), &text, "timeout_s=1"), &notice("firing")).await;
    assert!(
        matches!(&sent, Sent::Retry { words, .. } if words == "ended after 1 s without an answer"),
        "{sent:?}"
    );
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let ids = fs::read_to_string(ids).unwrap();
    assert_eq!(ids.lines().count(), 2);
    let end = Instant::now() + Duration::from_secs(5);
    while ids.lines().any(lives) {
        assert!(Instant::now() < end, "still there: {ids}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test]
async fn a_command_may_talk_without_end_and_read_nothing() {
    let folder = TempDir::new().unwrap();
    let mut large = notice("firing");
    large["commonAnnotations"]["summary_zh"] = "w".repeat(1 << 20).into();
    let text =
        "i=0; while [ $i -lt 2000 ]; do echo 0123456789012345678901234567890; i=$((i+1)); done";
    let sent = send(&command(folder.path(), text, ""), &large).await;
    // A line has 32 bytes, and the end of the last is cut off.
    assert!(matches!(&sent, Sent::Confirmed { words, .. } if words.len() == 1_023), "{sent:?}");
    // What it leaves behind keeps nobody waiting, though it holds the output.
    let begun = Instant::now();
    let sent = send(&command(folder.path(), "sleep 600 & echo done", ""), &large).await;
    assert_eq!(sent, Sent::Confirmed { status: 0, words: "done".to_owned() });
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn what_a_url_or_header_names_and_is_not_there_costs_no_notification() {
    let gateway = StandIn::start(Answer::ok("{}"));
    let described = channel(&format!(
        "name='call'\nkind='http'\nlanguage='en'\nheaders={{ X-Text = '{{{{ text }}}}' }}\n\
         url='http://127.0.0.1:{}/call?say={{{{ commonLabels.station }}}}&at=1'",
        gateway.port()
    ));
    assert_eq!(word(&send(&described, &notice("firing")).await).0, "taken");
    let got = gateway.last();
    assert_eq!(got.target, "/call?say=&at=1");
    let text = got.header("x-text").unwrap();
    assert!(text.contains("2.620 mg/L Value: 2.620 mg/L, limit"), "{text}");
}

#[test]
fn what_is_wrong_with_a_section_is_told_with_what_was_expected() {
    let folder = TempDir::new().unwrap();
    let plain = folder.path().join("plain");
    fs::write(&plain, "x").unwrap();
    let plain = plain.display();
    for (text, key, found) in [
        ("kind='dingtalk'", "url", "there is none"),
        ("kind='dingtalk'\nurl='http://h'\nproxy='socks5://h'", "proxy", "proxy of channel"),
        ("kind='wecom'\nurl='http://h'\nsecret_env='HOME'", "secret_env", "of kind `wecom`"),
        ("kind='wecom'\nurl='http://h'\nmention=['li','all']", "mention", "`all`"),
        ("kind='alertmanager'\nurl='http://h'\nlanguage='en'", "language", "`alertmanager`"),
        ("kind='command'", "command", "there is none"),
        ("kind='command'\ncommand=['true']", "command", "no path from the root"),
        ("kind='command'\ncommand=['/nowhere/x']", "command", "`/nowhere/x`"),
        (&format!("kind='command'\ncommand=['{plain}']"), "command", "no program"),
        ("kind='command'\ncommand=['/bin/true']\nurl='http://h'", "url", "of kind `command`"),
        ("kind='http'\nurl='http://h'\nmethod='HEAD'", "method", "method `HEAD`"),
        ("kind='http'\nurl='http://h'\nbody='{{ nobody }}'", "body", "undefined"),
        ("kind='http'\nurl='http://h'\nheaders={X='{% if %}'}", "headers", "syntax error"),
        ("kind='http'\nurl='http://h'\nheaders={'X Y'='a'}", "headers", "`X Y`"),
        ("kind='http'\nurl='http://h/{{ secrets.app }}'", "url", "undefined"),
        ("kind='http'\nurl='http://h'\nsecret_files={a='/nowhere'}", "secret_files", "/nowhere"),
        ("kind='http'\nurl='http://h'\nsuccess_pointer='code'", "success_pointer", "`code`"),
        ("kind='http'\nurl='http://h'\nsuccess_value='0'", "success_value", "success_pointer"),
        ("kind='http'\nurl='http://h'\nsuccess_status=[7]", "success_status", "status 7"),
    ] {
        let faults = section(&format!("name='n'\n{text}")).faults();
        let [fault] = &*faults else { panic!("{text}: {faults:#?}") };
        assert_eq!(fault.key, key, "{text}");
        assert!(fault.found.contains(found) && !fault.expected.is_empty(), "{text}: {fault:?}");
    }
}

#[test]
fn the_sections_of_the_document_are_sound() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(root.join("docs/channels.md")).unwrap();
    let sections: Vec<&str> = document.split("```toml\n[[channel]]\n").skip(1).collect();
    let mut kinds = Vec::new();
    for text in sections {
        let config = section(text.split("```").next().unwrap());
        // Their secrets and programs are on no machine of tests.
        let absent = ["secret_file", "secret_files", "password_file", "command"];
        let mut faults = config.faults();
        faults.retain(|fault| !absent.contains(&fault.key));
        // Without its secret no template that names it can be tried.
        faults.retain(|fault| !fault.found.contains("undefined value"));
        assert_eq!(faults, [], "{text}");
        kinds.push(config.kind);
    }
    for kind in notify::Kind::ALL {
        assert!(kinds.contains(&kind), "{kind:?}");
    }
}
