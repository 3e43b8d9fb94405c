//! Editions that come into force while messages flow: nothing is lost, and each message is judged by
//! the edition in force at its turn.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, reason = "a test asks its own clock")]

mod peer;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use peer::{Mosquitto, Weir, until};
use weir::domain::input::Qos;
use weir::mqtt::publisher::Publisher;

const ROW: &str = "rivers,sonde-99,nanyun-longtan,spare,river-sonde,device,,,,,,made for a test\n";

/// Puts the device into the seeds, or takes it out.
fn know(seeds: &Path, known: bool) {
    let file = seeds.join("devices.csv");
    let text = fs::read_to_string(&file).unwrap().replace(ROW, "");
    fs::write(file, if known { text + ROW } else { text }).unwrap();
}

/// Publishes as a device that all editions know and as one that comes and goes, by turns.
async fn load(url: String, stop: Arc<AtomicBool>) -> i64 {
    let publisher = Publisher::connect(&url, "load").unwrap();
    let start = jiff::Timestamp::now().as_millisecond() - 20 * 3_600_000;
    let mut sent = 0;
    while !stop.load(Ordering::Acquire) {
        for device in ["01", "99"] {
            let payload = format!("{{\"ts\":{},\"ph\":7.61}}", start + sent * 500).into_bytes();
            let topic = format!("water/sonde-{device}/data");
            publisher.publish(&topic, payload, Qos::AtLeastOnce, false).await.unwrap();
        }
        sent += 1;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    publisher.flush().await;
    publisher.close().await;
    sent
}

#[tokio::test(flavor = "multi_thread")]
async fn editions_under_load_lose_nothing_and_judge_each_message_at_its_turn() {
    let broker = Mosquitto::start("");
    let mut weir = Weir::install(&broker.url(), "");
    weir.start();
    let stop = Arc::new(AtomicBool::new(false));
    let load = tokio::spawn(load(broker.url(), Arc::clone(&stop)));
    let column = |weir: &Weir, name: &str| weir.count(&format!("/total/messages/{name}"));
    let rejected = |weir: &Weir| column(weir, "rejected");
    let (mut known, other) = (false, weir.folder().join("other"));
    for round in 0..6 {
        known = !known;
        let taken = weir.log().matches("edition of the seeds is in force").count();
        if round % 2 == 0 {
            know(&weir.folder().join("seeds"), known);
            let id = weir.process().id().to_string();
            assert!(Command::new("kill").args(["-HUP", &id]).status().unwrap().success());
            until("the edition", || {
                weir.log().matches("edition of the seeds is in force").count() > taken
            });
        } else {
            fs::remove_dir_all(&other).ok();
            peer::copy(&weir.folder().join("seeds"), &other);
            know(&other, known);
            let (applied, said) = weir.command(&["seeds", "apply", &other.display().to_string()]);
            assert!(applied, "{said}");
        }
        // What is in force decides, from some message on: only one of the two counts rises.
        std::thread::sleep(Duration::from_millis(600));
        let before = (rejected(&weir), column(&weir, "stored"));
        std::thread::sleep(Duration::from_millis(600));
        let after = (rejected(&weir), column(&weir, "stored"));
        assert!(after.1 > before.1, "{before:?} {after:?}");
        assert_eq!(after.0 > before.0, !known, "round {round}: {before:?} {after:?}");
    }
    stop.store(true, Ordering::Release);
    let sent = load.await.unwrap();
    until("every message", || column(&weir, "received") >= 2 * sent);
    weir.stop();
    let ledger = weir.ledger();
    assert_eq!(ledger["balances"], true, "{ledger}");
    assert_eq!(column(&weir, "received"), 2 * sent, "{ledger}");
    assert_eq!(column(&weir, "duplicate"), 0, "{ledger}");
    assert!(column(&weir, "stored") > sent && rejected(&weir) > 0, "{ledger}");
    // A replay, with the editions at their places, ends in the same state.
    weir.start();
    assert_eq!(column(&weir, "received"), 2 * sent);
    weir.stop();
}
