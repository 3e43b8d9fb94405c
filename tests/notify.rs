//! `weir notify`, and channels as the daemon sends by them: each at its own pace, with texts that
//! fail, and to an Alertmanager that forgets.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, reason = "a test waits by its own clock")]

mod alertmanager;
mod peer;
mod stand_in;

use std::fs;
use std::time::Duration;

use alertmanager::Alertmanager;
use peer::{Hook, Mosquitto, Weir, until};
use serde_json::{Value, json};
use stand_in::{Answer, StandIn};
use weir::domain::input::Qos;
use weir::domain::time::Timestamp;
use weir::mqtt::publisher::Publisher;

use weir::notify::{self, Channel, Sent};

fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// Publishes oxygen of a station, a value every five minutes, the last one so many minutes ago.
async fn publish(broker: &Mosquitto, topic: &str, oxygen: &[f64], minutes_ago: i64) {
    let publisher = Publisher::connect(&broker.url(), "station").unwrap();
    let last = (now() / 60_000 - minutes_ago) * 60_000;
    for (ago, oxygen) in (0..oxygen.len() as i64).rev().zip(oxygen) {
        let time = last - ago * 300_000;
        let payload = format!("{{\"ts\":{time},\"temp\":18.5,\"ph\":7.6,\"do\":{oxygen}}}");
        publisher.publish(topic, payload.into_bytes(), Qos::AtLeastOnce, false).await.unwrap();
    }
    publisher.flush().await;
    publisher.close().await;
}

#[test]
fn channels_are_listed_and_one_is_tried() {
    let robot = StandIn::start(Answer::ok("{\"errcode\":0,\"errmsg\":\"ok\"}"));
    let port = robot.port();
    let more = format!(
        "[[channel]]\nname='duty'\nkind='dingtalk'\nurl='http://127.0.0.1:{port}/r?t=key-012345'\n\
         [[channel]]\nname='chief'\nkind='webhook'\nstep=2\nroutes=['weir']\nper_minute=6\n\
         url='http://127.0.0.1:1/a'\n\
         [[channel]]\nname='wrong'\nkind='wecom'\nurl='http://127.0.0.1:{port}'\nkeyword='w'\n"
    );
    let weir = Weir::install("mqtt://127.0.0.1:1", &more);
    let (done, said) = weir.command(&["notify", "ls"]);
    assert!(done, "{said}");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "duty   dingtalk  step 0  20/min  environment instrument weir");
    assert_eq!(lines[1], "chief  webhook   step 2  6/min  weir");
    let (_, said) = weir.command(&["notify", "ls", "--json"]);
    let listed: Value = serde_json::from_str(said.trim()).unwrap();
    let chief = json!({
        "name": "chief", "kind": "webhook", "routes": ["weir"], "step": 2, "per_minute": 6,
    });
    assert_eq!(listed[1], chief);

    let (done, said) = weir.command(&["notify", "test", "duty"]);
    assert!(done, "{said}");
    assert_eq!(said.trim(), "duty: confirmed 200: {\"errcode\":0,\"errmsg\":\"ok\"}");
    let text = robot.last().json()["markdown"]["text"].as_str().unwrap().to_owned();
    assert!(text.starts_with("**【测试】weir：这是通知渠道duty的测试消息，并无异常**"), "{text}");

    robot.says(Answer::ok("{\"errcode\":310000,\"errmsg\":\"\u{202e}sign, key-012345\"}"));
    let (done, said) = weir.command(&["notify", "test", "duty", "--json"]);
    assert!(!done);
    let tested: Value = serde_json::from_str(said.trim()).unwrap();
    let want = json!({
        "channel": "duty", "outcome": "refused", "status": 200,
        "words": "{\"errcode\":310000,\"errmsg\":\"sign, …\"}",
    });
    assert_eq!(tested, want);
    for (name, found) in [
        ("chief", "chief: later: error sending request"),
        ("wrong", "found keyword in a channel of kind `wecom`, expected what this kind has"),
        ("nobody", "there is no channel `nobody`; there are: duty, chief, wrong"),
    ] {
        let (done, said) = weir.command(&["notify", "test", name]);
        assert!(!done && said.contains(found), "{name}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_at_its_limit_keeps_no_other_waiting_and_a_broken_template_none_at_all() {
    let (broker, slow, fast) = (Mosquitto::start(""), Hook::start(), Hook::start());
    let channel = |name: &str, hook: &Hook, more: &str| {
        let port = hook.port();
        format!(
            "[[channel]]\nname='{name}'\nkind='webhook'\nurl='http://127.0.0.1:{port}/a'\n{more}"
        )
    };
    let more = format!(
        "{}{}{}[alerting]\ngather_s = 0\nescalate_after_min = [60]\n",
        channel("slow", &slow, "per_minute=1\n"),
        channel("fast", &fast, "template='broken.jinja'\n"),
        channel("later", &fast, "step=1\n"),
    );
    let mut weir = Weir::install(&broker.url(), &more);
    fs::write(weir.folder().join("broken.jinja"), "a\n{% if %}").unwrap();
    let (sound, said) = weir.command(&["check"]);
    assert!(!sound && said.contains("template `") && said.contains("broken.jinja:2"), "{said}");
    weir.start();
    assert!(weir.log().contains("The template is broken, weir's own text is sent"));
    let oxygen = [2.0, 2.0, 2.0, 2.0, 2.0, 6.5, 6.5, 6.5, 6.5, 6.5, 6.5, 6.5, 6.5, 6.5];
    publish(&broker, "water/sonde-02/data", &oxygen, 0).await;
    until("both on the fast one", || fast.got().len() == 2);
    for (_, body) in fast.got() {
        let fault = body["templateFault"].as_str().unwrap();
        assert!(fault.contains("syntax error"), "{fault}");
    }
    until("the first on the slow one", || slow.got().len() == 1);
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!((slow.got().len(), fast.got().len()), (1, 2));
    // Who waits for its turn doesn't fail, and what waits outlasts a kill.
    assert!(!weir.log().contains("A notification fails"), "{}", weir.log());
    weir.kill();
    weir.start();
    until("the second", || slow.got().len() == 2);
    let ids: Vec<String> = fast.got().into_iter().map(|(id, _)| id).collect();
    assert_eq!(slow.got().into_iter().map(|(id, _)| id).collect::<Vec<_>>(), ids);
}

fn notice(status: &str, ends: &str) -> Value {
    json!({
        "status": status,
        "alerts": [{
            "status": status, "fingerprint": "0000000000000007",
            "labels": { "alertname": "water-class", "station": "蒲河-1", "position": "" },
            "annotations": { "summary_zh": "氨氮超标", "operator": "" },
            "startsAt": "2026-06-01T15:30:00+08:00", "endsAt": ends, "generatorURL": "",
        }],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn alertmanager_holds_an_alert_until_it_is_told_of_its_end() {
    let hook = Hook::start();
    let manager = Alertmanager::start(hook.port());
    let text = format!("name='am'\nkind='alertmanager'\nurl='{}'\n", manager.url());
    let channel = Channel::new(&toml::from_str(&text).unwrap()).unwrap();
    notify::probe(&channel).await.unwrap();
    let firing = notice("firing", "0001-01-01T00:00:00Z");
    let sent = notify::send(&channel, "7-firing-0", &firing, Timestamp(now())).await;
    assert!(matches!(sent, Sent::Confirmed { status: 200, .. }), "{sent:?}");
    until("the alert", || manager.alerts().len() == 1);
    // Its own time-out is a second.
    std::thread::sleep(Duration::from_secs(3));
    let alerts = manager.alerts();
    assert_eq!(alerts[0]["labels"], json!({ "alertname": "water-class", "station": "蒲河-1" }));
    assert_eq!(alerts[0]["annotations"], json!({ "summary_zh": "氨氮超标" }));
    assert_eq!(alerts[0]["startsAt"], "2026-06-01T07:30:00.000Z");
    assert_eq!(alerts[0]["status"]["state"], "active");
    let over = notice("resolved", &jiff::Timestamp::now().to_string());
    let sent = notify::send(&channel, "7-resolved-1", &over, Timestamp(now())).await;
    assert!(matches!(sent, Sent::Confirmed { .. }), "{sent:?}");
    until("its end", || manager.alerts().is_empty());
    until("both on the hook", || hook.got().len() == 2);
    let told: Vec<String> =
        hook.got().iter().map(|(_, body)| body["status"].as_str().unwrap().to_owned()).collect();
    assert_eq!(told, ["firing", "resolved"]);

    // What it can't take is refused, in its own words.
    let bare = json!({ "alerts": [{ "status": "firing", "labels": {} }] });
    let sent = notify::send(&channel, "8", &bare, Timestamp(now())).await;
    let Sent::Refused { status: Some(400), words } = sent else { panic!("{sent:?}") };
    assert!(words.contains("label"), "{words}");
    // A test and a sign of life go by themselves.
    let (id, test) = notify::trial("am", Timestamp(now()), &jiff::tz::TimeZone::UTC);
    notify::send(&channel, &id, &test, Timestamp(now())).await;
    let alive = json!({ "labels": { "alertname": "Watchdog" }, "annotations": {} });
    let sent = notify::post_alerts(&channel, vec![alive]).await;
    assert!(matches!(sent, Some(Sent::Confirmed { .. })), "{sent:?}");
    until("both", || manager.alerts().len() == 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alertmanager_that_forgot_is_told_again_of_what_fires() {
    let (broker, hook) = (Mosquitto::start(""), Hook::start());
    let mut manager = Alertmanager::start(hook.port());
    let more = format!("{}[alerting]\ngather_s = 0\n", manager.config("am"));
    let mut weir = Weir::install(&broker.url(), &more);
    weir.start();
    publish(&broker, "water/sonde-02/data", &[2.0; 6], 60).await;
    let held = |manager: &Alertmanager| {
        let mut labels: Vec<Value> =
            manager.alerts().iter().map(|alert| alert["labels"].clone()).collect();
        labels.retain(|labels| labels["station"] == "puhe-daoyi");
        labels
    };
    until("the alert", || held(&manager).len() == 1);
    let labels = held(&manager);
    assert_eq!(labels[0]["property"], "dissolved_oxygen");
    weir.kill();
    manager.forget();
    assert_eq!(held(&manager), Vec::<Value>::new());
    // Everything is confirmed: nothing is due, and yet it is told again.
    weir.start();
    until("the alert again", || held(&manager) == labels);
    // Its end is known by the same labels; after another start nothing is told again.
    publish(&broker, "water/sonde-02/data", &[6.5; 12], 0).await;
    until("its end", || held(&manager).is_empty());
    weir.kill();
    weir.start();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(held(&manager), Vec::<Value>::new());
}

/// How many stations breach at once: more than a notice lists, and than two parts have.
const STATIONS: usize = 230;

/// Adds a river with stations to the seeds, each with a probe for oxygen, of which one value that is
/// too low is enough, and one that is well again.
fn add_river(weir: &Weir) {
    let add = |table: &str, rows: &str| {
        let path = weir.folder().join("seeds").join(table);
        let before = fs::read_to_string(&path).unwrap();
        fs::write(path, before + rows).unwrap();
    };
    add("places.csv", "long,river,Long River,长河,shenyang,made for a test,\n");
    let each = |row: fn(usize) -> String| (0..STATIONS).map(row).collect::<String>();
    add(
        "stations.csv",
        &each(|n| format!("long-{n},long,Long {n},长河{n},,,+08:00,river,IV,,,made for a test\n")),
    );
    add(
        "devices.csv",
        &each(|n| format!("rivers,long-{n},long-{n},,river-sonde,device,,,,,,made for a test\n")),
    );
    add(
        "rules.csv",
        "long,place:long,exceedance,raw,,1,1,0,,warning,Look.,查看。,\
         made for a test,,,,\n",
    );
}

/// Has every station of the river say its oxygen of so many minutes ago.
async fn breathe(broker: &Mosquitto, oxygen: f64, minutes_ago: i64) {
    let publisher = Publisher::connect(&broker.url(), "river").unwrap();
    let time = (now() / 60_000 - minutes_ago) * 60_000;
    for n in 0..STATIONS {
        let payload = format!("{{\"ts\":{time},\"do\":{oxygen}}}").into_bytes();
        let topic = format!("water/long-{n}/data");
        publisher.publish(&topic, payload, Qos::AtLeastOnce, false).await.unwrap();
    }
    publisher.flush().await;
    publisher.close().await;
}

/// Counts the alerts of the river that a broker retains.
fn retained(broker: &Mosquitto) -> usize {
    let output = std::process::Command::new("mosquitto_sub")
        .args(["-p", &broker.port().to_string(), "-t", "bureau/weir/alerts/+"])
        .args(["--retained-only", "-W", "1"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let alerts = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    alerts.filter(|alert| alert["labels"]["place"] == "long").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_alert_of_a_large_notice_reaches_an_alertmanager_and_so_does_its_end() {
    let (broker, people, heard) = (Mosquitto::start(""), Hook::start(), Hook::start());
    let manager = Alertmanager::start(heard.port());
    // Two notifications a minute: what is on its way when weir is killed comes after it.
    let more = format!(
        "{}{}per_minute = 2\n{}[alerting]\ngather_s = 5\nflap_fires = 0\n",
        people.config(),
        manager.config("am"),
        "[[channel]]\nname='board'\nkind='mqtt'\nbroker='rivers'\ntopic='bureau/weir'\n"
    );
    let mut weir = Weir::install(&broker.url(), &more);
    add_river(&weir);
    weir.start();
    let held = || {
        let mut stations: Vec<String> = manager
            .alerts()
            .iter()
            .filter(|alert| alert["labels"]["place"] == "long")
            .map(|alert| alert["labels"]["station"].as_str().unwrap().to_owned())
            .collect();
        stations.sort();
        stations.dedup();
        stations.len()
    };
    let listed = |ends: bool| {
        let status = if ends { "resolved" } else { "firing" };
        let of = |(_, body): (String, Value)| {
            let of_river = body["commonLabels"]["place"] == "long" && body["status"] == status;
            of_river.then(|| {
                let more = body["truncatedAlerts"].as_u64().unwrap();
                (body["alerts"].as_array().unwrap().len() as u64, more)
            })
        };
        people.got().into_iter().filter_map(of).collect::<Vec<_>>()
    };
    let counted = |ends| listed(ends).iter().map(|(some, more)| some + more).sum::<u64>();
    breathe(&broker, 2.0, 20).await;
    until("all of them told to people", || counted(false) == STATIONS as u64);
    assert!(listed(false).len() <= 3, "{:?}", listed(false));
    assert!(listed(false).iter().any(|(some, more)| (*some, *more > 100) == (50, true)));
    until("some of them", || held() > 0);
    assert!(held() < STATIONS);
    // Each start has two more sent.
    for _ in 0..3 {
        weir.kill();
        weir.start();
        std::thread::sleep(Duration::from_millis(500));
    }
    until("each of them", || held() == STATIONS);
    until("each of them on the board", || retained(&broker) == STATIONS);
    weir.kill();
    weir.configure("per_minute = 2\n", "");
    weir.start();
    breathe(&broker, 6.5, 10).await;
    until("all of their ends told to people", || counted(true) == STATIONS as u64);
    assert!(listed(true).len() <= 3, "{:?}", listed(true));
    until("the end of each of them", || held() == 0);
    until("nothing of it on the board", || retained(&broker) == 0);
    weir.kill();
    weir.start();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(held(), 0);
}
