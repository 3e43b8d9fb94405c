//! The morning message, by a real weir whose clock is set shortly before its time.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may panic, and asks its own clock"
)]

mod peer;

use std::thread::sleep;
use std::time::Duration;

use peer::{Hook, Mosquitto, Weir, until};
use weir::journal::read::Reader;

/// 2026-06-01, in the zone of the configuration.
const BEFORE: &str = "2026-05-31T23:59:57Z";

#[test]
fn it_comes_at_its_time_and_once_whatever_is_started_again() {
    let (broker, hook) = (Mosquitto::start(""), Hook::start());
    let more = format!("{}[morning]\nat = '08:00'\nchannels = ['duty']\n", hook.config());
    let mut weir = Weir::install(&broker.url(), &more);
    weir.start_with(&["--clock-start", BEFORE]);
    until("the message", || hook.got().len() == 1);
    let (id, body) = hook.got().remove(0);
    assert_eq!((&*id, &body["notice"]["kind"]), ("morning-2026-06-01", &"morning".into()));
    let text = body["commonAnnotations"]["summary_en"].as_str().unwrap();
    let want = "no alert fires; 0 of ";
    assert!(
        text.starts_with(want) && text.ends_with("stations spoke within the last hour"),
        "{text}"
    );

    // The same morning again: its message is known. What was taken and is not noted yet would be
    // sent again with the same id, as everything is.
    let reader = Reader::open(&weir.folder().join("data")).unwrap();
    until("the receipt", || reader.notifications_due("duty", 0, 1).unwrap().is_empty());
    weir.kill();
    weir.start_with(&["--clock-start", BEFORE]);
    until("weir", || peer::get(weir.page(), "/ready").0 == 200);
    sleep(Duration::from_secs(4));
    assert_eq!(hook.got().len(), 1);
}
