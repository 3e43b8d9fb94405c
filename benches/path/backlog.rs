//! The database is away for ten minutes' worth of messages and comes back while others come.

use std::time::{Duration, Instant};

use crate::Bench;
use crate::load::{self, Load};
use crate::speed::{Bed, STATIONS};
use crate::table::Aim;

/// What comes in a second.
const RATE: u64 = 2_000;

pub fn catch_up(bench: &mut Bench) {
    // Ten minutes of them where the whole bench is asked for.
    let backlog = bench.messages * 3;
    let mut bed = Bed::new(STATIONS, "");
    bed.sink.set_away(true);
    let port = bed.broker.port();
    let live_count = RATE * 60;
    let whole = Load::of(STATIONS, backlog + live_count, None);
    load::publish(port, Load { count: backlog, ..whole });
    let first = whole.first + i64::try_from(backlog / STATIONS).unwrap() * 1_000;
    let live = Load { count: live_count, rate: Some(RATE), first, ..whole };
    let others = std::thread::spawn(move || load::publish(port, live));
    std::thread::sleep(Duration::from_secs(2));
    let stored = |bed: &Bed| bed.weir.count("/total/messages/stored");
    let (start, before) = (Instant::now(), stored(&bed));
    bed.sink.set_away(false);
    // weir waits longer and longer between two attempts.
    while bed.weir.count("/influx/waiting_points") > i64::try_from(RATE).unwrap() {
        assert!(start.elapsed() < Duration::from_secs(300), "the backlog does not shrink");
        std::thread::sleep(Duration::from_millis(20));
    }
    let took = bed.sink.span().as_secs_f64();
    // As long as others look at it, at the least.
    std::thread::sleep(Duration::from_secs(5).saturating_sub(start.elapsed()));
    let live_rate = (stored(&bed) - before) as f64 / start.elapsed().as_secs_f64();
    others.join().unwrap();
    bed.weir.stop();
    let ratio = backlog as f64 / took / RATE as f64;
    let note = format!(
        "{backlog} messages behind; meanwhile {:.2} of the live ones were taken in",
        live_rate / RATE as f64
    );
    let figure = "catching up ÷ live rate of 2,000/s";
    bench.table.add(figure, ratio, "", Aim::AtLeast(10.0), note);
}
