//! A disk that is full and free again, with the program itself between real peers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]
#![allow(clippy::indexing_slicing, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, reason = "a test asks its own clock")]

mod peer;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use peer::{Hook, Mosquitto, Weir, get, until};
use weir::domain::input::Qos;
use weir::mqtt::publisher::Publisher;

fn stored(weir: &Weir) -> i64 {
    let metrics = get(weir.page(), "/metrics").1;
    let start = "weir_messages_total{outcome=\"stored\"} ";
    let line = metrics.lines().find_map(|line| line.strip_prefix(start));
    line.map_or(-1, |number| number.parse::<f64>().unwrap() as i64)
}

fn is_full(weir: &Weir) -> bool {
    let (status, said) = get(weir.page(), "/ready");
    status == 503 && said.contains("nothing is acknowledged") && said.contains("disk")
}

/// Takes all the room that is left.
fn fill(disk: &Path) {
    let mut file = fs::File::create(disk.join("filler")).unwrap();
    for bytes in [1 << 16, 1 << 12, 1] {
        while file.write_all(&vec![7; bytes]).is_ok() {}
    }
}

struct Station {
    publisher: Publisher,
    start: i64,
    sent: i64,
}

impl Station {
    async fn publish(&mut self, count: i64) {
        for _ in 0..count {
            let ts = self.start + self.sent * 500;
            let payload = format!("{{\"ts\":{ts},\"ph\":7.61,\"do\":7.{}}}", self.sent % 97 + 1);
            let (topic, payload) = ("water/sonde-01/data", payload.into_bytes());
            self.publisher.publish(topic, payload, Qos::AtLeastOnce, false).await.unwrap();
            self.sent += 1;
        }
        self.publisher.flush().await;
    }
}

/// Gives status and id of what was told of the full journal.
fn told(hook: &Hook) -> Vec<(String, String)> {
    let got = hook.got().into_iter();
    got.filter(|(_, body)| body["commonLabels"]["alertname"] == "weir-journal-full")
        .map(|(id, body)| (body["status"].as_str().unwrap().to_owned(), id))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_said_once_and_costs_nothing_and_its_end_is_said_too() {
    let (broker, hook) = (Mosquitto::start(""), Hook::start());
    let mut weir = Weir::install(&broker.url(), &hook.config());
    let disk = weir.start_on_a_small_disk(16 << 20);
    let publisher = Publisher::connect(&broker.url(), "station").unwrap();
    let start = jiff::Timestamp::now().as_millisecond() - 20 * 3_600_000;
    let mut station = Station { publisher, start, sent: 0 };
    station.publish(100).await;
    until("what came before", || stored(&weir) == 100);

    fill(&disk);
    while !is_full(&weir) {
        assert!(station.sent < 60_000, "the disk is never full");
        station.publish(200).await;
    }
    until("the notice from the reserve", || !told(&hook).is_empty());
    let (mut before, mut quiet) = (stored(&weir), 0);
    // What the reserve left may take some more; then nothing goes.
    until("a full disk", || {
        std::thread::sleep(Duration::from_millis(500));
        let now = stored(&weir);
        quiet = if now == before && is_full(&weir) { quiet + 1 } else { 0 };
        before = now;
        quiet == 6
    });
    station.publish(500).await;
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(stored(&weir), before, "nothing is taken while the disk is full");
    assert!(before < station.sent);
    assert!(get(weir.page(), "/metrics").1.contains("weir_journal_full{} 1"));
    let firing = told(&hook);
    assert_eq!(firing.len(), 1, "{firing:?}\n{}", weir.log());
    assert_eq!(weir.log().matches("The journal takes no batch").count(), 1, "{}", weir.log());

    fs::remove_file(disk.join("filler")).unwrap();
    until("all of them", || stored(&weir) == station.sent);
    until("ready", || get(weir.page(), "/ready").0 == 200);
    until("its end", || told(&hook).iter().any(|(status, _)| status == "resolved"));
    assert_eq!(weir.log().matches("The journal takes batches again").count(), 1);
    let metrics = get(weir.page(), "/metrics").1;
    assert!(metrics.contains("weir_messages_total{outcome=\"rejected\"} 0"), "{metrics}");
    let observations = format!("weir_readings_total{{outcome=\"stored\"}} {}.0", station.sent * 2);
    assert!(metrics.contains(&observations), "{metrics}");
    weir.stop();
    station.publisher.close().await;
}
