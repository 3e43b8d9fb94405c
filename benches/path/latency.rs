//! From the PUBLISH of a value above its limit to the request at the receiver of alerts, while
//! other stations send 5,000 messages a second.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::Bench;
use crate::fleet;
use crate::load::{self, Load, Publisher};
use crate::sink::Sink;
use crate::speed::{Bed, STATIONS};
use crate::table::Aim;

/// How many changes of alerts are measured.
const ALARMS: u64 = 600;
/// How many stations raise them, beside those of the load.
const RAISING: u64 = 20;
const EVERY: Duration = Duration::from_millis(40);

pub fn delay(bench: &mut Bench) {
    let receiver = Sink::start();
    let mut bed = Bed::new(STATIONS + RAISING, &receiver.channel());
    let port = bed.broker.port();
    let count = 5_000 * (EVERY.as_secs_f64() * ALARMS as f64 + 4.0) as u64;
    let load = Load::of(STATIONS, count, Some(5_000));
    let others = std::thread::spawn(move || load::publish(port, load));
    std::thread::sleep(Duration::from_secs(2));
    let sent = raise(port, load.first);
    others.join().unwrap();
    bed.until_stored(count + ALARMS);
    let start = Instant::now();
    while receiver.notices().len() < sent.len() && start.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(50));
    }
    let notices = receiver.notices();
    assert_eq!(notices.len(), sent.len(), "each change of an alert is told once");
    let mut delays: Vec<f64> = notices
        .iter()
        .map(|(at, notice)| {
            let one = &notice["alerts"][0];
            let key = if one["status"] == "firing" { "startsAt" } else { "endsAt" };
            let ts: jiff::Timestamp = one[key].as_str().unwrap().parse().unwrap();
            at.duration_since(sent[&ts.as_millisecond()]).as_secs_f64() * 1_000.0
        })
        .collect();
    delays.sort_by(f64::total_cmp);
    bed.weir.stop();
    let of = |share: f64| delays[((delays.len() - 1) as f64 * share) as usize];
    let note = || format!("{ALARMS} changes of alerts among 5,000 messages a second");
    bench.table.add("publish → webhook, p50", of(0.5), "ms", Aim::AtMost(20.0), note());
    bench.table.add("publish → webhook, p99", of(0.99), "ms", Aim::AtMost(100.0), note());
}

/// Lets alerts begin and end by turns; gives when each value was published, by its own time.
fn raise(port: u16, first: i64) -> BTreeMap<i64, Instant> {
    let mut publisher = Publisher::connect(port, "alarms");
    let (_, listener) = publisher.count_acks(ALARMS);
    let (mut topic, mut payload, mut sent) = (String::new(), String::new(), BTreeMap::new());
    for number in 0..ALARMS {
        let bad = (number / RAISING).is_multiple_of(2);
        let ts = first + i64::try_from(number).unwrap() * 10;
        fleet::alarm(STATIONS + number % RAISING, ts, bad, &mut topic, &mut payload);
        publisher.push(&topic, &payload);
        sent.insert(ts, Instant::now());
        publisher.flush();
        std::thread::sleep(EVERY);
    }
    listener.join().unwrap();
    sent
}
