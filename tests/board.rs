//! Alerts on a real broker: what stands is retained, what ended is gone, what happens is told, and
//! nothing counts as told before the broker has confirmed it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may panic, and waits by its own clock"
)]

mod peer;

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use weir::domain::input::Qos;
use weir::mqtt::publisher::Publisher;

use peer::{Mosquitto, Process, Weir, until};

const CHANNEL: &str = "[[channel]]\nname = 'board'\nkind = 'mqtt'\nbroker = 'rivers'\n\
    topic = 'bureau/weir'\ntimeout_s = 3\n[alerting]\ngather_s = 0\n";

/// Somebody who hears the board, from now on.
struct Listener {
    folder: TempDir,
    _process: Process,
}

/// A message as it was heard: whether it was retained, its topic and its payload.
type Heard = (bool, String, Value);

impl Listener {
    fn listen(broker: &Mosquitto) -> Self {
        let folder = TempDir::new().unwrap();
        let out = fs::File::create(folder.path().join("out")).unwrap();
        let mut command = Command::new("mosquitto_sub");
        command
            .args(["-p", &broker.port().to_string(), "-q", "1", "-t", "bureau/weir/#"])
            .args(["-F", "%r %t %p"])
            .stdout(out)
            .stderr(Stdio::inherit());
        Self { folder, _process: Process::start(&mut command) }
    }

    fn heard(&self) -> Vec<Heard> {
        read(&fs::read_to_string(self.folder.path().join("out")).unwrap())
    }
}

/// Gives what a broker retains.
fn retained(broker: &Mosquitto) -> Vec<Heard> {
    let output = Command::new("mosquitto_sub")
        .args(["-p", &broker.port().to_string(), "-t", "bureau/weir/#", "-F", "%r %t %p"])
        .args(["--retained-only", "-W", "1"])
        .output()
        .unwrap();
    read(&String::from_utf8(output.stdout).unwrap())
}

fn read(text: &str) -> Vec<Heard> {
    let read = |line: &str| {
        let mut parts = line.splitn(3, ' ');
        let is_retained = parts.next()? == "1";
        let topic = parts.next()?.to_owned();
        let payload = serde_json::from_str(parts.next().unwrap_or_default());
        Some((is_retained, topic, payload.unwrap_or(Value::Null)))
    };
    text.lines().filter_map(read).collect()
}

/// Has a sonde say its oxygen for some minutes, beginning an hour and a half ago.
async fn say(publisher: &Publisher, minutes: std::ops::Range<i64>, oxygen: f64) {
    let now = jiff::Timestamp::now().as_millisecond();
    let start = (now - 90 * 60_000) / 60_000 * 60_000;
    for minute in minutes {
        let at = start + minute * 60_000;
        let payload = format!(
            "{{\"ts\":{at},\"temp\":18.5,\"ph\":7.61,\"do\":{oxygen},\"ec\":720,\"turb\":12.5}}"
        );
        let topic = "water/sonde-02/data";
        publisher.publish(topic, payload.into_bytes(), Qos::AtLeastOnce, false).await.unwrap();
    }
    publisher.flush().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_is_retained_until_it_ends_and_each_change_is_told() {
    let broker = Mosquitto::start("");
    let mut weir = Weir::install(&broker.url(), CHANNEL);
    weir.start();
    let listener = Listener::listen(&broker);
    let publisher = Publisher::connect(&broker.url(), "station").unwrap();
    say(&publisher, 0..20, 2.0).await;
    let states = || -> Vec<Heard> {
        let heard = retained(&broker).into_iter();
        heard.filter(|(_, topic, _)| topic.starts_with("bureau/weir/alerts/")).collect()
    };
    until("what stands", || !states().is_empty());
    let (_, topic, standing) = states().remove(0);
    assert_eq!(standing["status"], "firing");
    assert_eq!(topic, format!("bureau/weir/alerts/{}", standing["fingerprint"].as_str().unwrap()));
    assert!(standing["annotations"]["summary_zh"].as_str().is_some(), "{standing}");
    let events = || -> Vec<Heard> {
        let heard = listener.heard().into_iter();
        heard.filter(|(_, topic, _)| topic == "bureau/weir/events").collect()
    };
    until("the event", || !events().is_empty());
    let (is_retained, _, event) = events().remove(0);
    assert!(!is_retained);
    assert_eq!(event["id"], standing["id"]);
    assert_eq!(event["alerts"][0]["fingerprint"], standing["fingerprint"]);
    say(&publisher, 20..85, 8.5).await;
    until("nothing stands", || states().is_empty());
    until("the end", || events().iter().any(|(_, _, event)| event["status"] == "resolved"));
    publisher.close().await;
    weir.stop();
    assert_eq!(weir.count("/total/messages/rejected"), 0, "{}", weir.log());
}

#[test]
fn a_broker_that_is_away_or_does_not_allow_it_has_confirmed_nothing() {
    let folder = TempDir::new().unwrap();
    let list = folder.path().join("acl");
    fs::write(&list, "topic read #\ntopic write water/#\n").unwrap();
    // Without a limit of its own this mosquitto ends a connection on which it forbids something.
    let more = format!("max_inflight_messages 20\nacl_file {}", list.display());
    let broker = Mosquitto::start(&more);
    let weir = Weir::install(&broker.url(), CHANNEL);
    let (done, said) = weir.command(&["notify", "test", "board"]);
    assert!(!done && said.contains("board: refused"), "{said}");
    assert!(said.contains("the broker refuses it: NotAuthorized"), "{said}");
    let open = Mosquitto::start("");
    weir.configure(&format!("url = '{}'", broker.url()), &format!("url = '{}'", open.url()));
    let (done, said) = weir.command(&["notify", "test", "board"]);
    assert!(done && said.contains("board: confirmed"), "{said}");
    // A test is told, and stands nowhere.
    assert_eq!(retained(&open), []);
    let (_, said) = weir.command(&["check", "--connect"]);
    assert!(said.contains("channel board: reached, broker rivers lets it in"), "{said}");
    drop(open);
    let (done, said) = weir.command(&["notify", "test", "board"]);
    assert!(!done && said.contains("board: later"), "{said}");
    let (_, said) = weir.command(&["check", "--connect"]);
    assert!(said.contains("channel board: ") && !said.contains("board: reached"), "{said}");
}

#[test]
fn what_weir_would_hear_itself_and_a_broker_that_is_none_are_refused() {
    let check = |before: &str, after: &str, want: &str| {
        let weir = Weir::install("mqtt://127.0.0.1:1", CHANNEL);
        weir.configure(before, after);
        let (done, said) = weir.command(&["check"]);
        assert!(!done && said.contains(want), "{said}");
    };
    check("broker = 'rivers'", "broker = 'lakes'", "no [[broker]] of network `lakes`");
    check("topic = 'bureau/weir'", "topic = '#'", "topic of channel `board`: `#`");
    check(
        "topic = 'bureau/weir'",
        "topic = 'gauge'",
        "channel `board` with topic `gauge/alerts/0000000000000000`, which fits the seeds' filter \
         `gauge/+/+`",
    );
    check(
        "network = 'rivers'",
        "protocol = '3.1.1'\nnetwork = 'rivers'",
        "broker `rivers` of protocol 3.1.1",
    );
}
