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

/// Gives the English of the morning messages that came.
fn said(hook: &Hook) -> Vec<String> {
    let of = |(_, body): (String, serde_json::Value)| {
        let text = body["commonAnnotations"]["summary_en"].as_str().unwrap().to_owned();
        (body["notice"]["kind"] == "morning").then_some(text)
    };
    hook.got().into_iter().filter_map(of).collect()
}

#[test]
fn one_that_nobody_could_say_is_said_late_the_same_morning_and_once() {
    let (broker, hook) = (Mosquitto::start(""), Hook::start());
    let more = format!("{}[morning]\nat = '08:00'\nchannels = ['duty']\n", hook.config());
    let mut weir = Weir::install(&broker.url(), &more);
    let mut run = |from: &str, seconds: u64| {
        // A minute a second.
        weir.start_with(&["--clock-start", from, "--speed", "60"]);
        until("weir", || peer::get(weir.page(), "/ready").0 == 200);
        sleep(Duration::from_secs(seconds));
        weir.kill();
    };
    // A journal that is made after eight owes nothing of this day.
    run("2026-05-31T00:30:00Z", 4);
    assert_eq!(said(&hook), [""; 0]);
    // Down at eight of 1 June, up at eleven: said after two minutes, and never again.
    run("2026-06-01T03:00:00Z", 5);
    let [late] = &said(&hook)[..] else { panic!("{:?}", hook.got()) };
    let (begin, end) = ("late, weir could not say it at 08:00: ", "spoke within the last hour");
    assert!(late.starts_with(begin) && late.ends_with(end), "{late}");
    run("2026-06-01T03:10:00Z", 4);
    assert_eq!(said(&hook).len(), 1);
    // Up at noon of the next day: nobody wants to know any more how it was in the morning.
    run("2026-06-02T04:05:00Z", 4);
    assert_eq!(said(&hook).len(), 1);
}
