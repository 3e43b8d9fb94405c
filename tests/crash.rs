//! Messages on which weir itself breaks, or its whole process dies, in a real process between real
//! peers. They are of the format `crash`, which only builds with debug assertions know.
#![cfg(debug_assertions)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, reason = "a test asks its own clock")]

mod peer;

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use peer::{Mosquitto, Weir, get, until};
use weir::domain::input::Qos;
use weir::mqtt::publisher::Publisher;

const TOPIC: &str = "water/sonde-01/data";

/// Has the payloads of the sondes read by the format on which weir breaks.
fn let_crash(seeds: &Path) {
    let file = seeds.join("topics.csv");
    let text = fs::read_to_string(&file).unwrap();
    let (before, after) = ("rivers,water/{device}/data,json,", "rivers,water/{device}/data,crash,");
    assert!(text.contains(before), "{text}");
    fs::write(file, text.replace(before, after)).unwrap();
}

fn sonde(second: i64) -> String {
    // One minute for the whole run, so that the same reading is the same; and one of which no
    // hour is given out meanwhile.
    static BEGIN: LazyLock<i64> =
        LazyLock::new(|| jiff::Timestamp::now().as_millisecond() - 60_000);
    let ts = *BEGIN + second * 1_000;
    format!("{{\"ts\":{ts},\"temp\":18.5,\"ph\":7.61,\"do\":7.5,\"ec\":720,\"turb\":12.5}}")
}

/// Publishes as fast as it goes, so that they share batches.
async fn publish(broker: &Mosquitto, payloads: &[String]) {
    let publisher = Publisher::connect(&broker.url(), "station").unwrap();
    for payload in payloads {
        let payload = payload.clone().into_bytes();
        publisher.publish(TOPIC, payload, Qos::AtLeastOnce, false).await.unwrap();
    }
    publisher.flush().await;
    publisher.close().await;
}

/// Gives twenty good messages and a bad one in their middle.
fn around(bad: &str) -> Vec<String> {
    let mut payloads: Vec<String> = (0..20).map(sonde).collect();
    payloads.insert(10, bad.to_owned());
    payloads
}

fn books(weir: &Weir) -> [i64; 4] {
    ["received", "stored", "rejected", "duplicate"]
        .map(|column| weir.count(&format!("/total/messages/{column}")))
}

/// Waits until the books say so; in vain, it shows them and the log.
#[track_caller]
fn until_books(weir: &Weir, what: &str, hold: impl Fn([i64; 4]) -> bool) {
    let held = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        until(what, || hold(books(weir)));
    }));
    assert!(held.is_ok(), "{what}: the books say {:?}; the log:\n{}", books(weir), weir.log());
}

fn crashed(weir: &Weir) -> usize {
    weir.command(&["dead-letters", "ls"]).1.matches("crashed").count()
}

/// Starts weir as a service manager does until it lives; gives how often it died.
fn outlive(weir: &mut Weir, lives: impl Fn(&Weir) -> bool) -> u32 {
    let mut deaths = 0;
    until("a life", || {
        if !weir.process().running() {
            deaths += 1;
            weir.start_with(&[]);
        }
        get(weir.page(), "/ready").0 == 200 && lives(weir)
    });
    deaths
}

#[tokio::test(flavor = "multi_thread")]
async fn what_panics_is_a_dead_letter_at_once_and_costs_no_neighbour() {
    let broker = Mosquitto::start("");
    let mut weir = Weir::install(&broker.url(), "");
    let_crash(&weir.folder().join("seeds"));
    weir.start();
    publish(&broker, &around("!panic now")).await;
    until_books(&weir, "all of them", |books| books[0] == 21);
    assert_eq!(books(&weir), [21, 20, 1, 0]);
    assert_eq!(weir.count("/embedded_observations"), 100);
    let said = weir.log();
    assert_eq!(said.matches("weir broke on an input").count(), 1, "{said}");
    assert!(said.contains("broken by a payload that asks for it"), "{said}");
    let (_, shown) = weir.command(&["dead-letters", "show", "1"]);
    assert!(shown.contains("!panic now") && shown.contains("crashed"), "{shown}");
    let metrics = get(weir.page(), "/metrics").1;
    let letters = metrics.lines().find(|line| line.contains("reason=\"crashed\""));
    assert!(
        letters.is_some_and(|line| line.ends_with(" 1") || line.ends_with(" 1.0")),
        "{metrics}"
    );

    // The state was rebuilt: what is held is known.
    publish(&broker, &[sonde(3), sonde(15)]).await;
    until_books(&weir, "two more", |books| books[0] == 23);
    assert_eq!(books(&weir), [23, 20, 1, 2]);

    // It breaks again when it is asked for, and nothing else does.
    let (_, said) = weir.command(&["dead-letters", "retry", "1"]);
    assert!(said.contains("1 tried, 0 ended well"), "{said}");
    assert_eq!(weir.log().matches("weir broke on an input").count(), 2);

    // A replay refuses it before anybody looks inside.
    weir.kill();
    weir.start();
    assert_eq!(weir.log().matches("weir broke on an input").count(), 2);
    let [_, stored, rejected, _] = books(&weir);
    assert_eq!((stored, rejected, crashed(&weir)), (20, 1, 1));
    publish(&broker, &[sonde(30)]).await;
    // What was not acknowledged when it was killed comes again, as a duplicate.
    until_books(&weir, "the last", |books| books[1] == 21);
    weir.stop();
    let [received, stored, rejected, duplicate] = books(&weir);
    assert_eq!((stored, rejected, received - duplicate), (21, 1, 22));
    assert_eq!(weir.ledger()["balances"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_kills_the_process_is_a_dead_letter_in_the_end_and_costs_no_neighbour() {
    let broker = Mosquitto::start("");
    let mut weir = Weir::install(&broker.url(), "");
    let_crash(&weir.folder().join("seeds"));
    weir.start();
    publish(&broker, &around("!abort now")).await;
    // What was committed before a death, but not acknowledged, is a duplicate after it.
    let ended = |weir: &Weir| [1, 2].map(|column| books(weir)[column]);
    let deaths = outlive(&mut weir, |weir| ended(weir) == [20, 1]);
    // Twice among others, twice alone; then it is known.
    assert_eq!(deaths, 4, "{}", weir.log());
    let said = weir.log();
    assert!(said.contains("messages go singly"), "{said}");
    assert_eq!((ended(&weir), crashed(&weir)), ([20, 1], 1), "{said}");
    assert_eq!(weir.count("/embedded_observations"), 100);
    let (_, shown) = weir.command(&["dead-letters", "show", "1"]);
    assert!(shown.contains("!abort now") && shown.contains("died on it twice"), "{shown}");

    weir.stop();
    assert!(!weir.folder().join("data/in-hand").exists());
    weir.start();
    assert_eq!((ended(&weir), crashed(&weir)), ([20, 1], 1));
    weir.stop();
    assert_eq!(weir.ledger()["balances"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_kills_the_process_twice_is_not_run_again() {
    let broker = Mosquitto::start("");
    let mut weir = Weir::install(&broker.url(), "");
    weir.start();
    publish(&broker, &around("!abort when run again")).await;
    until_books(&weir, "all of them", |books| books == [21, 20, 1, 0]);
    let other = weir.folder().join("other");
    peer::copy(&weir.folder().join("seeds"), &other);
    let_crash(&other);
    let (applied, said) = weir.command(&["seeds", "apply", &other.display().to_string()]);
    assert!(applied, "{said}");
    for death in 1..=2 {
        assert!(!weir.command(&["dead-letters", "retry", "1"]).0, "death {death}");
        until("its death", || !weir.process().running());
        weir.start();
        assert_eq!(books(&weir), [21, 20, 1, 0]);
    }
    let (_, said) = weir.command(&["dead-letters", "retry", "1"]);
    assert!(said.contains("1 tried, 0 ended well"), "{said}");
    assert!(weir.log().contains("A dead letter is not run again"), "{}", weir.log());
    publish(&broker, &[sonde(30)]).await;
    until_books(&weir, "the next", |books| books[1] == 21);
    weir.stop();
    assert_eq!(weir.ledger()["balances"], true);
}
