//! Damage to what the journal holds, with the program itself between real peers: what it says, what
//! goes on, and what is lost.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, reason = "a test asks its own clock")]

mod peer;

use std::path::{Path, PathBuf};

use peer::{Hook, Influx, Mosquitto, Weir, get, until};
use rusqlite::Connection;
use weir::domain::input::Qos;
use weir::mqtt::publisher::Publisher;

fn sonde(minute: i64) -> String {
    let now = jiff::Timestamp::now().as_millisecond();
    let ts = (now - 7_200_000) / 3_600_000 * 3_600_000 + minute * 60_000;
    format!("{{\"ts\":{ts},\"temp\":18.5,\"ph\":7.61,\"do\":7.5,\"ec\":720,\"turb\":12.5}}")
}

async fn publish(broker: &Mosquitto, minutes: std::ops::Range<i64>) {
    let publisher = Publisher::connect(&broker.url(), "station").unwrap();
    for minute in minutes {
        let payload = sonde(minute).into_bytes();
        let topic = "water/sonde-01/data";
        publisher.publish(topic, payload, Qos::AtLeastOnce, false).await.unwrap();
    }
    publisher.flush().await;
    publisher.close().await;
}

fn journal(weir: &Weir) -> PathBuf {
    weir.folder().join("data/journal.sqlite")
}

/// Gives status and id of what the webhook got of a rule.
fn told(hook: &Hook, rule: &str) -> Vec<(String, String)> {
    let got = hook.got().into_iter();
    got.filter(|(_, body)| body["commonLabels"]["alertname"] == rule)
        .map(|(id, body)| (body["status"].as_str().unwrap().to_owned(), id))
        .collect()
}

fn metric(weir: &Weir, name: &str) -> f64 {
    let metrics = get(weir.page(), "/metrics").1;
    let line = metrics.lines().find(|line| line.starts_with(&format!("{name}{{}} ")));
    line.unwrap_or_else(|| panic!("{name}: {metrics}")).rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_blob_is_told_and_set_aside_and_the_rest_is_delivered() {
    let (broker, mut influx, hook) = (Mosquitto::start(""), Influx::start(), Hook::start());
    let mut weir = Weir::install(&broker.url(), &format!("{}{}", influx.config(), hook.config()));
    weir.start();
    until("the database", || influx.query("SHOW DATABASES").iter().any(|row| row[0] == "weir"));
    influx.stop();
    for minute in 0..3 {
        publish(&broker, minute..minute + 1).await;
        until("the batch", || weir.count("/total/messages/stored") == minute + 1);
    }
    weir.stop();
    let (sequence, points) = spoil_lines(&journal(&weir));
    influx.start_again();
    weir.start();
    until("the rest", || weir.count("/influx/waiting_points") == 0);
    assert_eq!(influx.query("SELECT ph FROM water").len(), 2);
    until("the alert", || !told(&hook, "weir-points-damaged").is_empty());
    publish(&broker, 3..4).await;
    until("what comes after", || influx.query("SELECT ph FROM water").len() == 3);

    let said = weir.log();
    let line = said.lines().find(|line| line.contains("are damaged in the journal")).unwrap();
    assert!(line.contains(&format!("batch={sequence}")), "{line}");
    assert!(line.contains(&format!("points={points}")), "{line}");
    assert!(line.contains("from=\"20") && line.contains("to=\"20"), "{line}");
    assert_eq!(said.matches("are damaged in the journal").count(), 1, "once: {said}");
    assert!((metric(&weir, "weir_points_damaged_total") - points as f64).abs() < 0.5);
    weir.stop();
    assert_eq!(weir.count("/influx/damaged_batches"), 1);
    assert_eq!(weir.count("/influx/damaged_points"), points);
    assert_eq!(weir.count("/influx/refused"), 0);
    assert!(weir.command(&["ledger"]).1.contains("of 1 batches are damaged"));
    assert_eq!(told(&hook, "weir-points-damaged").len(), 1);
}

/// Changes one byte of the points of the second batch that has a reading; gives its number and how
/// many points it had.
fn spoil_lines(journal: &Path) -> (i64, i64) {
    let connection = Connection::open(journal).unwrap();
    let select = "SELECT sequence, line_count, lines FROM batches WHERE line_count > 0
        ORDER BY sequence LIMIT 1 OFFSET 1";
    let (sequence, points, mut lines): (i64, i64, Vec<u8>) = connection
        .query_row(select, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap();
    let middle = lines.len() / 2;
    lines[middle] ^= 0x10;
    let update = "UPDATE batches SET lines = ?1 WHERE sequence = ?2";
    connection.execute(update, rusqlite::params![lines, sequence]).unwrap();
    (sequence, points)
}
