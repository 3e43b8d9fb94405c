//! The promise under faults of the broker and of weir's own process: the program between real
//! peers, judged by the oracle of `tests/oracle/`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, reason = "a test asks its own clock")]

mod oracle;
mod peer;

use std::time::Duration;

use oracle::control::Control;
use oracle::load::{self, Kind, Pace, Publisher, Sent};
use oracle::{Scene, examine, judge};
use peer::{Hook, Influx, Mosquitto, Weir};

/// A number from the environment.
fn number<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Kills weir again and again under load. `WEIR_CRASH_ROUNDS` says how often.
#[test]
fn a_kill_loses_no_message_and_no_alert_and_tells_none_anew() {
    let kills: usize = number("WEIR_CRASH_ROUNDS").unwrap_or(20);
    let (broker, influx, hook) = (Mosquitto::start(""), Influx::start(), Hook::start());
    let mut weir = Weir::install(&broker.url(), &format!("{}{}", influx.config(), hook.config()));
    weir.start();
    let control = Control::start(broker.port());
    let pace = if kills > 100 { Pace::LONG } else { Pace::FAST };
    let publisher = Publisher::start(broker.port(), pace);
    let mut random = fastrand::Rng::with_seed(0x77_65_69_72);
    for _ in 0..kills {
        std::thread::sleep(Duration::from_millis(random.u64(50..700)));
        weir.kill();
        weir.start_with(&[]);
    }
    let (sent, control) = (publisher.finish(), control.finish());
    let report = judge(Scene {
        sent: &sent,
        control: &control,
        weir: &mut weir,
        influx: &influx,
        hook: &hook,
        kills,
        acknowledged: None,
    });
    println!("{kills} kills: {report}");
}

#[test]
fn the_oracle_sees_what_is_missing_and_what_is_too_much() {
    let (broker, influx, hook) = (Mosquitto::start(""), Influx::start(), Hook::start());
    let mut weir = Weir::install(&broker.url(), &format!("{}{}", influx.config(), hook.config()));
    weir.start();
    let control = Control::start(broker.port());
    let publisher = Publisher::start(broker.port(), Pace::FAST);
    publisher.more(1_500);
    let (mut sent, control) = (publisher.finish(), control.finish());
    let (weir, influx, hook, kills, acknowledged) = (&mut weir, &influx, &hook, 0, None);
    judge(Scene { sent: &sent, control: &control, weir, influx, hook, kills, acknowledged });
    let all = |sent: &[Sent], weir: &mut Weir| {
        let scene = Scene { sent, control: &control, weir, influx, hook, kills, acknowledged };
        examine(&scene).faults.join("\n")
    };
    assert_eq!(all(&sent, weir), "");
    let first = |sent: &[Sent], kind| sent.iter().position(|one| one.kind == kind).unwrap();
    // Without a message that was sent, its point is one that nobody sent;
    let good = first(&sent, Kind::Good);
    let taken = sent.remove(good);
    let said = all(&sent, weir);
    assert!(said.contains("nobody sent the point") && said.contains("messages stored"), "{said}");
    sent.insert(good, taken.clone());
    // with one that was not, a point is missing, which the control client has not got either;
    sent.push(Sent { ts: taken.ts + 5, payload: "{}".to_owned(), ..taken });
    let said = all(&sent, weir);
    assert!(said.contains("not in the sink") && said.contains("the broker lost it"), "{said}");
    sent.pop();
    // so it is with what is turned away,
    let bad = first(&sent, Kind::Broken);
    let taken = sent.remove(bad);
    let said = all(&sent, weir);
    assert!(said.contains("a dead letter of what is sound"), "{said}");
    sent.insert(bad, taken.clone());
    sent.push(Sent { payload: "{".to_owned(), ..taken });
    let said = all(&sent, weir);
    assert!(said.contains("no dead letter") && said.contains("messages rejected"), "{said}");
    sent.pop();
    // and an alert that nobody expects.
    assert_eq!(all(&sent, weir), "");
    let well = |sent: &Sent| sent.device != 3 || load::points(sent)[2] > Some(3.0);
    let said = all(&sent.iter().filter(|sent| well(sent)).cloned().collect::<Vec<_>>(), weir);
    assert!(said.contains("changes of alerts were told"), "{said}");
    influx.query("DROP SERIES FROM water WHERE station = 'puhe-pudong'");
    let said = all(&sent, weir);
    assert!(said.contains("not in the sink") && said.contains("control client got it"), "{said}");
}
