//! Damage to what the journal holds, with the program itself between real peers: what it says, what
//! goes on, and what is lost.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, reason = "a test asks its own clock")]

mod peer;

use std::collections::BTreeSet;
use std::fs;
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

/// The same, with too little oxygen.
fn bad(minute: i64) -> String {
    sonde(minute).replace("7.5", "2.5")
}

async fn publish(broker: &Mosquitto, minutes: std::ops::Range<i64>) {
    publish_as(broker, minutes, sonde).await;
}

async fn publish_as(broker: &Mosquitto, minutes: std::ops::Range<i64>, says: fn(i64) -> String) {
    let publisher = Publisher::connect(&broker.url(), "station").unwrap();
    for minute in minutes {
        let payload = says(minute).into_bytes();
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

/// Lays garbage over a page; pages count from 1.
fn spoil_page(journal: &Path, page: usize) {
    let mut bytes = fs::read(journal).unwrap();
    let mut random = fastrand::Rng::with_seed(page as u64);
    bytes[(page - 1) * 4_096..page * 4_096].fill_with(|| random.u8(..));
    fs::write(journal, bytes).unwrap();
}

/// Gives the first page of a table or index.
fn root_page(journal: &Path, name: &str) -> usize {
    let select = "SELECT rootpage FROM sqlite_master WHERE name = ?1";
    let page: i64 =
        Connection::open(journal).unwrap().query_row(select, [name], |row| row.get(0)).unwrap();
    page as usize
}

fn set_aside(weir: &Weir) -> Vec<PathBuf> {
    weir::journal::aside::set_aside_files(&weir.folder().join("data"))
}

/// Has an alert fire and points wait, spoils what it is told to of the stopped journal, and sees
/// what comes of it.
async fn a_spoiled_journal_is_set_aside(name: Option<&str>, shows_by: &str) {
    let (broker, mut influx, hook) = (Mosquitto::start(""), Influx::start(), Hook::start());
    let mut weir = Weir::install(&broker.url(), &format!("{}{}", influx.config(), hook.config()));
    weir.start();
    until("the database", || influx.query("SHOW DATABASES").iter().any(|row| row[0] == "weir"));
    publish_as(&broker, 0..20, bad).await;
    until("points", || influx.query("SELECT ph FROM water").len() == 20);
    until("the alert", || told(&hook, "water-exceedance").len() == 1);
    influx.stop();
    publish_as(&broker, 20..25, bad).await;
    until("what waits", || weir.count("/total/messages/stored") == 25);
    weir.stop();
    let page = name.map_or(1, |name| root_page(&journal(&weir), name));
    spoil_page(&journal(&weir), page);
    influx.start_again();
    weir.start();
    if shows_by == "commit" {
        // The alert ends, which is to be told.
        publish(&broker, 25..70).await;
    }
    let shows = || !told(&hook, "weir-journal-damaged").is_empty();
    until("the alert about it", shows);
    assert_eq!(set_aside(&weir).len(), 1);
    until("the metric", || metric(&weir, "weir_journals_set_aside") > 0.5);
    assert!(get(weir.page(), "/?lang=en").1.contains("was damaged and set aside"));
    let said = weir.log();
    let line = said.lines().find(|line| line.contains("It was set aside")).unwrap();
    assert!(line.contains("damaged-20") && line.contains("points_not_delivered="), "{line}");
    assert!(line.contains("sqlite3") && line.contains("ledger begins anew"), "{line}");

    // It goes on, and the alert that holds fires again, under a number that never was.
    assert_eq!(said.contains("weir starts anew"), shows_by != "start", "{said}");
    publish_as(&broker, 70..95, bad).await;
    until("the alert again", || told(&hook, "water-exceedance").len() == 2);
    until("new points", || influx.query("SELECT ph FROM water").len() >= 40);
    let ids: Vec<String> = hook.got().into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
    let numbers: BTreeSet<&str> = ids.iter().map(|id| id.split('-').next().unwrap()).collect();
    assert!(numbers.len() >= 3, "{ids:?}");
    assert_eq!(weir.ledger()["balances"], true);

    // A restart says nothing anew, and the alert ends once the file was moved away.
    weir.kill();
    weir.start();
    assert_eq!(weir.log().matches("It was set aside").count(), 1);
    weir.stop();
    for file in set_aside(&weir) {
        fs::rename(&file, weir.folder().join("kept.sqlite")).unwrap();
    }
    weir.start();
    until("its end", || told(&hook, "weir-journal-damaged").len() == 2);
    let statuses: Vec<String> =
        told(&hook, "weir-journal-damaged").into_iter().map(|one| one.0).collect();
    assert_eq!(statuses, ["firing", "resolved"]);
    weir.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_with_a_broken_head_is_set_aside_and_a_new_one_begun() {
    a_spoiled_journal_is_set_aside(None, "start").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_with_broken_batches_is_set_aside_and_a_new_one_begun() {
    a_spoiled_journal_is_set_aside(Some("batches"), "start").await;
}

/// No start reads this page; the channel does once weir is at work.
#[tokio::test(flavor = "multi_thread")]
async fn damage_that_shows_to_a_reader_at_work_sets_the_journal_aside_too() {
    a_spoiled_journal_is_set_aside(Some("deliveries_due"), "read").await;
}

/// Nobody reads this page before the next notification is committed.
#[tokio::test(flavor = "multi_thread")]
async fn damage_that_shows_to_the_committer_sets_the_journal_aside_and_loses_nothing_new() {
    a_spoiled_journal_is_set_aside(Some("notifications_by_at"), "commit").await;
}

/// Whatever page is broken, the journal is read or found damaged, and never refused or misread.
#[tokio::test(flavor = "multi_thread")]
async fn any_broken_page_is_no_matter_or_is_damage() {
    let (broker, hook) = (Mosquitto::start(""), Hook::start());
    let mut weir = Weir::install(&broker.url(), &hook.config());
    weir.start();
    for round in 0..4 {
        publish_as(&broker, round * 10..round * 10 + 10, if round % 2 == 0 { bad } else { sonde })
            .await;
        until("the batch", || weir.count("/total/messages/received") == (round + 1) * 10);
    }
    weir.stop();
    let whole = fs::read(journal(&weir)).unwrap();
    let (mut sound, mut damaged) = (0, 0);
    for page in 1..=whole.len() / 4_096 {
        let folder = tempfile::TempDir::new().unwrap();
        fs::write(folder.path().join("journal.sqlite"), &whole).unwrap();
        spoil_page(&folder.path().join("journal.sqlite"), page);
        match read_all(folder.path()) {
            Ok(received) => {
                assert_eq!(received, 40, "page {page}");
                sound += 1;
            }
            Err(words) => {
                assert!(words.starts_with("damage"), "page {page}: {words}");
                damaged += 1;
            }
        }
    }
    assert!(sound > 0 && damaged > 10, "{sound} {damaged}");
}

fn read_all(folder: &Path) -> Result<i64, String> {
    use weir::daemon::recover;
    use weir::journal::{self, Config, Error, batch, read::Reader, write::Journal};
    let told =
        |error: Error| format!("{} {error}", if error.is_damage() { "damage" } else { "fault" });
    let now = weir::domain::time::Timestamp(jiff::Timestamp::now().as_millisecond());
    let mut journal = Journal::open(&Config::at(folder), now).map_err(told)?;
    recover::recover(folder).map_err(|error| {
        format!("{} {error}", if error.is_damage() { "damage" } else { "fault" })
    })?;
    let reader = Reader::open(folder).map_err(told)?;
    reader.inputs_after(0, |_, _| Ok::<(), journal::Error>(())).map_err(told)?;
    reader.lines_after(0, usize::MAX).map_err(told)?;
    reader.notifications_due("duty", 0, 100).map_err(told)?;
    reader.open_alerts().map_err(told)?;
    reader.dead_letters(batch::DeadLetterId(0), 100).map_err(told)?;
    journal.tidy(now).map_err(told)?;
    Ok(reader.ledger().map_err(told)?.total().messages.received)
}
