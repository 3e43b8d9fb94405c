//! The daemon as its users run it: the program itself, between a real broker, real databases and
//! a receiver of alerts.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, reason = "a test asks its own clock")]

mod peer;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use peer::{Hook, Influx, Mosquitto, Victoria, Weir, get, until};
use weir::domain::input::{Condition, Qos};
use weir::journal::inputs::{Kept, Unpacked};
use weir::journal::read::Reader;
use weir::mqtt::publisher::Publisher;

/// A time a few hours ago, on a whole minute.
fn hours_ago(hours: i64) -> i64 {
    let now = jiff::Timestamp::now().as_millisecond();
    (now - hours * 3_600_000) / 60_000 * 60_000
}

fn sonde(ts: i64, oxygen: f64) -> String {
    format!(
        "{{\"ts\":{ts},\"temp\":18.5,\"ph\":7.61,\"do\":{oxygen},\"ec\":720,\"turb\":12.5,\
         \"battery\":12.6}}"
    )
}

fn publish(broker: &Mosquitto, topic: &str, payload: &str) {
    let port = broker.port().to_string();
    let status = Command::new("mosquitto_pub")
        .args(["-p", &port, "-q", "1", "-t", topic, "-m", payload])
        .status()
        .unwrap();
    assert!(status.success());
}

/// Oxygen of a bad hour: below Class IV (3 mg/L) for 20 minutes, then well again for 40.
fn bad_hour(minute: i64) -> f64 {
    if (0..20).contains(&minute) { 2.0 + minute as f64 / 100.0 } else { 6.5 }
}

#[tokio::test(flavor = "multi_thread")]
async fn readings_stand_in_influxdb_and_the_alert_reaches_the_webhook() {
    let (broker, influx, hook) = (Mosquitto::start(""), Influx::start(), Hook::start());
    let mut weir = Weir::install(&broker.url(), &format!("{}{}", influx.config(), hook.config()));
    weir.start();
    let start = hours_ago(2);
    let publisher = Publisher::connect(&broker.url(), "station").unwrap();
    for minute in 0..60 {
        let payload = sonde(start + minute * 60_000, bad_hour(minute)).into_bytes();
        publisher.publish("water/sonde-02/data", payload, Qos::AtLeastOnce, false).await.unwrap();
    }
    publisher.flush().await;
    let query = "SELECT dissolved_oxygen, conductivity, ph FROM water";
    until("60 points", || influx.query(query).len() == 60);
    for (minute, row) in influx.query(query).iter().enumerate() {
        let minute = minute as i64;
        assert_eq!(row[0].as_i64(), Some(start + minute * 60_000));
        // The calibration of this station in the example seeds: 1.02 x - 0.05.
        let want = bad_hour(minute) * 1.02 - 0.05;
        assert!((row[1].as_f64().unwrap() - want).abs() < 1e-12, "{row:?}");
        assert_eq!((row[2].as_f64(), row[3].as_f64()), (Some(720.0), Some(7.61)));
    }
    until("both alerts", || hook.got().len() == 2);
    let told: Vec<String> =
        hook.got().iter().map(|(_, body)| body["status"].as_str().unwrap().to_owned()).collect();
    assert_eq!(told, ["firing", "resolved"]);
    let log = weir.log();
    assert!(log.contains("Alert: Puhe") && log.contains("Alert resolved: Puhe"), "{log}");
    let labels = &hook.got()[0].1["commonLabels"];
    assert_eq!(
        (labels["station"].as_str(), labels["property"].as_str()),
        (Some("puhe-daoyi"), Some("dissolved_oxygen"))
    );
    assert!(influx.query("SELECT * FROM alert").len() == 2);
    until("the page", || {
        let page = get(weir.page(), "/stations?lang=en").1;
        page.contains("Puhe at Daoyi") && page.contains("6.58")
    });
    assert!(get(weir.page(), "/metrics").1.contains("weir_readings_total{outcome=\"stored\"} 300"));

    weir.stop();
    let ledger = weir.ledger();
    assert_eq!(ledger["balances"], true);
    assert_eq!(weir.count("/total/messages/stored"), 60);
    assert_eq!(weir.count("/total/readings/stored"), 300);
    assert_eq!(weir.count("/influx/waiting_points"), 0);
    // Everything was acknowledged: a new start is given nothing again.
    weir.start();
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(weir.count("/total/messages/received"), 60);
    publisher.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn victoria_metrics_takes_the_lines_of_influxdb_2() {
    let (broker, victoria) = (Mosquitto::start(""), Victoria::start());
    let mut weir = Weir::install(&broker.url(), &victoria.config());
    let (sound, said) = weir.command(&["check", "--connect"]);
    assert!(sound, "{said}");
    weir.start();
    let start = hours_ago(1);
    for minute in 0..5 {
        let payload = sonde(start + minute * 60_000, 7.0 + minute as f64 / 8.0);
        publish(&broker, "water/sonde-01/data", &payload);
    }
    let metric = "water_dissolved_oxygen";
    until("5 points", || victoria.export(metric).len() == 5);
    let want: Vec<(i64, f64)> =
        (0..5).map(|minute| (start + minute * 60_000, 7.0 + minute as f64 / 8.0)).collect();
    assert_eq!(victoria.export(metric), want);
    weir.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn influxdb_away_loses_nothing_and_is_said() {
    let (broker, mut influx) = (Mosquitto::start(""), Influx::start());
    let mut weir = Weir::install(&broker.url(), &influx.config());
    weir.start();
    let start = hours_ago(1);
    publish(&broker, "water/sonde-01/data", &sonde(start, 7.0));
    until("the first point", || influx.query("SELECT ph FROM water").len() == 1);
    influx.stop();
    for minute in 1..20 {
        publish(&broker, "water/sonde-01/data", &sonde(start + minute * 60_000, 7.0));
    }
    until("the ledger", || weir.count("/total/messages/stored") == 20);
    until("points that wait", || weir.count("/influx/waiting_points") >= 19);
    until("the page", || get(weir.page(), "/").1.contains("takes no points"));
    influx.start_again();
    until("all points", || influx.query("SELECT ph FROM water").len() == 20);
    until("none waits", || weir.count("/influx/waiting_points") == 0);
    weir.stop();
}

/// Publishes until weir says that its journal is full; gives how many messages.
async fn fill(weir: &Weir, publisher: &Publisher) -> i64 {
    let start = hours_ago(20);
    let mut sent = 0;
    let full = || get(weir.page(), "/ready").1.contains("nothing is acknowledged");
    while !full() {
        assert!(sent < 500_000, "the journal is never full");
        for _ in 0..200 {
            let payload = sonde(start + sent * 500, 7.0 + (sent % 97) as f64 / 89.0).into_bytes();
            let topic = "water/sonde-01/data";
            publisher.publish(topic, payload, Qos::AtLeastOnce, false).await.unwrap();
            sent += 1;
        }
        // What the broker still keeps when the journal is full must come afterwards.
        publisher.flush().await;
    }
    sent
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_was_full_goes_on_alone_when_the_database_is_back() {
    let (broker, mut influx) = (Mosquitto::start(""), Influx::start());
    let mut weir = Weir::install(&broker.url(), &influx.config());
    weir.configure("data_folder = 'data'", "data_folder = 'data'\njournal_bytes_max = 1200000");
    weir.start();
    until("the database", || influx.query("SHOW DATABASES").iter().any(|row| row[0] == "weir"));
    let publisher = Publisher::connect(&broker.url(), "station").unwrap();
    influx.stop();
    let sent = fill(&weir, &publisher).await;
    assert!(weir.count("/total/messages/stored") < sent);
    influx.start_again();
    until("every message", || weir.count("/total/messages/stored") == sent);
    until("every point", || weir.count("/influx/waiting_points") == 0);
    let points = influx.query("SELECT count(ph) FROM water");
    assert_eq!(points[0][1].as_i64(), Some(sent));
    until("ready", || get(weir.page(), "/ready").0 == 200);
    weir.stop();
    let ledger = weir.ledger();
    assert_eq!(ledger["balances"], true, "{ledger}");
    assert_eq!(weir.count("/total/messages/stored"), sent, "{ledger}");
    publisher.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_while_the_journal_is_full_ends_soon_and_loses_nothing() {
    let (broker, mut influx) = (Mosquitto::start(""), Influx::start());
    let mut weir = Weir::install(&broker.url(), &influx.config());
    weir.configure("data_folder = 'data'", "data_folder = 'data'\njournal_bytes_max = 1200000");
    weir.start();
    until("the database", || influx.query("SHOW DATABASES").iter().any(|row| row[0] == "weir"));
    let publisher = Publisher::connect(&broker.url(), "station").unwrap();
    influx.stop();
    let sent = fill(&weir, &publisher).await;
    let start = std::time::Instant::now();
    weir.stop();
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    weir.start_with(&[]);
    influx.start_again();
    until("every message", || weir.count("/total/messages/stored") == sent);
    until("every point", || weir.count("/influx/waiting_points") == 0);
    let points = influx.query("SELECT count(ph) FROM water");
    assert_eq!(points[0][1].as_i64(), Some(sent));
    weir.stop();
    assert_eq!(weir.ledger()["balances"], true);
    publisher.close().await;
}

/// What was fired before a restart can only end if its end is said after it.
#[test]
fn after_a_start_each_part_says_once_that_nothing_is_wrong_with_it() {
    let (broker, influx, hook) = (Mosquitto::start(""), Influx::start(), Hook::start());
    let mut weir = Weir::install(&broker.url(), &format!("{}{}", influx.config(), hook.config()));
    weir.start();
    for minute in 0..3 {
        publish(&broker, "water/sonde-01/data", &sonde(hours_ago(1) + minute * 60_000, 7.0));
        until("the point", || {
            influx.query("SELECT ph FROM water").len() as i64 == minute + 1
                && weir.count("/influx/waiting_points") == 0
        });
    }
    let mut said = Vec::new();
    until("each part", || {
        said.clear();
        let reader = Reader::open(&weir.folder().join("data")).unwrap();
        let read = reader.inputs_after(0, |_, bytes| {
            for kept in Unpacked::new(bytes) {
                if let Kept::Condition(Condition::Weir { condition, holds, .. }) = kept.unwrap().1 {
                    said.push((condition.word(), holds));
                }
            }
            Ok::<(), weir::journal::Error>(())
        });
        read.unwrap();
        said.len() >= 16
    });
    weir.stop();
    said.sort_unstable();
    // Of certificates for each broker and the page, and for all else once.
    let want = [
        "authority_ending",
        "authority_ending",
        "authority_ending",
        "certificate_ending",
        "certificate_ending",
        "certificate_ending",
        "channel_failing",
        "clock_stepped",
        "filter_refused",
        "journal_damaged",
        "journal_filling",
        "journal_full",
        "points_damaged",
        "server_certificate_ending",
        "server_certificate_ending",
        "sink_away",
    ];
    assert_eq!(said, want.map(|condition| (condition, false)));
}

/// Writes an authority of a hundred years, a broker's certificate and one of weir, which end in so
/// many days; gives when they do, as a notification has it.
fn certificates(folder: &Path, days: i64) -> String {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, "the test's own authority");
    fs::write(folder.join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
    let issuer = rcgen::Issuer::new(params, key);
    let day = jiff::tz::TimeZone::UTC.to_datetime(jiff::Timestamp::now()).date();
    let day = day.checked_add(jiff::Span::new().days(days)).unwrap();
    let (year, month, of_month) = (day.year(), day.month().unsigned_abs(), day.day());
    for name in ["localhost", "weir"] {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.not_after = rcgen::date_time_ymd(year.into(), month, of_month.unsigned_abs());
        let certificate = params.signed_by(&key, &issuer).unwrap();
        fs::write(folder.join(format!("{name}.pem")), certificate.pem()).unwrap();
        fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }
    format!("{day}T08:00:00+08:00")
}

/// Certificates that end, messages that are turned away, and what a broker drops: each is told by
/// the name of its broker, once.
#[test]
fn what_goes_wrong_with_brokers_and_messages_is_told_by_name() {
    let (hook, files) = (Hook::start(), tempfile::tempdir().unwrap());
    let end = certificates(files.path(), 10);
    let tls = peer::free_port();
    let file = |name: &str| files.path().join(name).display().to_string();
    let mut broker = Mosquitto::start(&format!(
        "sys_interval 1\nmax_queued_messages 1\nlistener {tls} 127.0.0.1\nallow_anonymous true\n\
         cafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true",
        file("ca.pem"),
        file("localhost.pem"),
        file("localhost.key")
    ));
    let mut weir = Weir::install(&broker.url(), &hook.config());
    weir.configure(
        &format!("network = 'parks'\nurl = '{}'\n", broker.url()),
        &format!(
            "network = 'parks'\nurl = 'mqtts://localhost:{tls}'\nca_file = '{}'\n\
             certificate_file = '{}'\nkey_file = '{}'\n",
            file("ca.pem"),
            file("weir.pem"),
            file("weir.key")
        ),
    );
    weir.start();
    let text = |body: &serde_json::Value, of: &str, key: &str| {
        body[of][key].as_str().unwrap_or_default().to_owned()
    };
    let told = |condition: &str| {
        let got = hook.got().into_iter().map(|(_, body)| body);
        let of = got.filter(|body| text(body, "commonLabels", "condition") == condition);
        let name = |body: serde_json::Value| {
            let network = text(&body, "commonLabels", "network");
            let until = text(&body, "commonAnnotations", "until");
            [network, text(&body, "commonAnnotations", "state"), until].join(" ").trim().to_owned()
        };
        of.map(name).collect::<Vec<_>>()
    };
    let fired = format!("parks firing {end}");
    let ending = ["certificate_ending", "server_certificate_ending"];
    until("the certificates", || ending.iter().all(|one| !told(one).is_empty()));
    ending.iter().for_each(|one| assert_eq!(told(one), std::slice::from_ref(&fired), "{one}"));

    (0..25).for_each(|_| publish(&broker, "water/sonde-01/data", "{"));
    until("the dead letters", || told("dead_letters_rising") == ["firing"]);

    let port = broker.port().to_string();
    let slow = ["-p", &port, "-q", "1", "-c", "-i", "slow", "-t", "elsewhere", "-E"];
    assert!(Command::new("mosquitto_sub").args(slow).status().unwrap().success());
    // The broker's first count is what it dropped before.
    until("the broker's count", || {
        get(weir.page(), "/metrics").1.contains("weir_broker_dropped_messages{network=\"rivers\"}")
    });
    (0..10).for_each(|_| publish(&broker, "elsewhere", "x"));
    let mut networks = Vec::new();
    until("what is dropped", || {
        networks = told("broker_dropping");
        networks.len() == 2
    });
    networks.sort_unstable();
    assert_eq!(networks, ["parks firing", "rivers firing"]);

    certificates(files.path(), 1_000);
    broker.restart(false);
    let over = [fired, "parks resolved".to_owned()];
    until("the new certificates", || ending.iter().all(|one| told(one) == over));
    weir.stop();
    assert_eq!(told("authority_ending"), [""; 0], "{}", weir.log());
    assert_eq!(told("dead_letters_rising"), ["firing"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_restarts_with_or_without_its_memory_costs_nothing_acknowledged() {
    let mut broker = Mosquitto::start("");
    let mut weir = Weir::install(&broker.url(), "");
    weir.start();
    let start = hours_ago(3);
    let send = |broker: &Mosquitto, from: i64, to: i64| {
        for minute in from..to {
            publish(broker, "water/sonde-01/data", &sonde(start + minute * 60_000, 7.0));
        }
    };
    send(&broker, 0, 10);
    until("ten", || weir.count("/total/messages/stored") == 10);
    broker.restart(false);
    until("weir", || get(weir.page(), "/ready").0 == 200);
    send(&broker, 10, 20);
    until("twenty", || weir.count("/total/messages/stored") == 20);
    // While weir is away the broker keeps what comes.
    weir.stop();
    send(&broker, 20, 30);
    broker.restart(false);
    weir.start();
    until("thirty", || weir.count("/total/messages/stored") == 30);
    let sessions = || weir.log().matches("session=\"new\"").count();
    let before = sessions();
    broker.restart(true);
    // Until weir is back, a broker that forgot keeps nothing for it.
    until("new sessions", || sessions() == before + 2);
    send(&broker, 30, 40);
    until("forty", || weir.count("/total/messages/stored") == 40);
    weir.stop();
    // Redelivered is what was committed and whose ack the broker had not seen: a duplicate.
    let ledger = weir.ledger();
    assert_eq!(ledger["balances"], true);
    assert_eq!(weir.count("/total/messages/stored"), 40, "{ledger}");
    assert_eq!(weir.count("/total/readings/stored"), 200, "{ledger}");
    // Means of an hour that is over may stand beside them.
    assert!(weir.count("/embedded_observations") >= 200);
}

#[test]
fn every_command_does_what_its_help_says() {
    let broker = Mosquitto::start("");
    let mut weir = Weir::install(&broker.url(), "");
    let (there, said) = weir.command(&["ledger"]);
    assert!(!there && said.contains("no journal"), "{said}");
    weir.start();
    let start = hours_ago(1);
    publish(&broker, "water/sonde-01/data", &sonde(start, 7.0));
    publish(&broker, "water/sonde-99/data", &sonde(start, 7.0));
    publish(&broker, "water/sonde-01/data", "{\"ts\":");
    until("three", || weir.count("/total/messages/received") == 3);
    assert!(weir.command(&["ledger"]).1.contains("the ledger balances"));

    let (_, list) = weir.command(&["dead-letters", "ls"]);
    assert!(list.contains("unknown_device") && list.contains("malformed"), "{list}");
    let (_, shown) = weir.command(&["dead-letters", "show", "1"]);
    assert!(shown.contains("water/sonde-99/data") && shown.contains("\"do\":7"), "{shown}");
    assert!(!weir.command(&["dead-letters", "show", "77"]).0);
    assert_eq!(weir.command(&["dead-letters", "export"]).1.lines().count(), 2);

    // The device is put into the seeds: no restart, and its letter ends well.
    let mended = weir.folder().join("mended");
    peer::copy(&weir.folder().join("seeds"), &mended);
    let devices = fs::read_to_string(mended.join("devices.csv")).unwrap();
    let line = "rivers,sonde-99,nanyun-longtan,spare,river-sonde,device,,,,,,made for a test\n";
    fs::write(mended.join("devices.csv"), format!("{devices}{line}")).unwrap();
    let path = mended.display().to_string();
    assert!(weir.command(&["seeds", "diff", &path]).1.contains("sonde-99"));
    let (applied, said) = weir.command(&["seeds", "apply", &path]);
    assert!(applied && said.contains("in force"), "{said}");
    let (retried, said) = weir.command(&["dead-letters", "retry", "1", "2"]);
    assert!(retried && said.contains("2 tried, 1 ended well"), "{said}");
    until("the retried one", || weir.count("/total/messages/stored") == 2);
    assert_eq!(weir.count("/total/messages/received"), 3);
    // The ledger moves it; a counter never falls.
    let rejected = "weir_messages_total{outcome=\"rejected\"} 2.0";
    until("the counter", || get(weir.page(), "/metrics").1.contains(rejected));
    assert!(weir.command(&["dead-letters", "retry", "1"]).1.contains("0 tried"));
    publish(&broker, "water/sonde-99/data", &sonde(start + 60_000, 7.0));
    until("the new device", || weir.count("/total/messages/stored") == 3);

    // A faulty edition is refused and changes nothing.
    fs::write(mended.join("units.csv"), "unit\n").unwrap();
    let (applied, said) = weir.command(&["seeds", "apply", &path]);
    assert!(!applied && said.contains("units.csv"), "{said}");
    publish(&broker, "water/sonde-99/data", &sonde(start + 120_000, 7.0));
    until("it goes on", || weir.count("/total/messages/stored") == 4);

    // Two datastreams that would write one field are refused as `weir check` refuses them.
    fs::remove_dir_all(&mended).unwrap();
    peer::copy(&weir.folder().join("seeds"), &mended);
    let more = [
        ("properties.csv", "ph_raw,pHr,pH,pH,water,pH,2,0,mean,,,made for a test"),
        (
            "profiles.csv",
            "river-sonde,sonde,ph_raw,,/ph2,pH,1,number,continuous,,,instant,,60s,,made for a test",
        ),
    ];
    for (table, line) in more {
        let held = fs::read_to_string(mended.join(table)).unwrap();
        fs::write(mended.join(table), format!("{held}{line}\n")).unwrap();
    }
    for verb in ["apply", "diff"] {
        let (applied, said) = weir.command(&["seeds", verb, &path]);
        assert!(!applied && said.contains("in one field"), "{verb}: {said}");
    }
    let socket = fs::metadata(weir.folder().join("data/weir.sock")).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&socket) & 0o777, 0o600);

    let copy = weir.folder().join("copy.sqlite").display().to_string();
    assert!(weir.command(&["backup", &copy]).0);
    assert!(!weir.command(&["backup", &copy]).0, "never over a file");
    assert!(!weir.command(&["restore", &copy]).0, "never over a journal at work");
    weir.stop();
    fs::remove_dir_all(weir.folder().join("data")).unwrap();
    let (restored, said) = weir.command(&["restore", &copy]);
    assert!(restored, "{said}");
    weir.start();
    assert_eq!(weir.count("/total/messages/stored"), 4);
    weir.stop();
}

/// Gives what a station comes to.
fn station(weir: &Weir) -> serde_json::Value {
    let assessed = get(weir.page(), "/api/v1/assessments?station=puhe-daoyi").1;
    serde_json::from_str(&assessed).unwrap_or_default()
}

#[test]
fn the_page_shows_the_evaluated_class_and_not_the_worst_single_value() {
    let broker = Mosquitto::start("");
    let mut weir = Weir::install(&broker.url(), "");
    weir.start();
    // A sample of class V, which no longer stands for what is there now.
    let old = format!("{{\"ts\":{},\"nh3n\":1.62}}", hours_ago(6));
    publish(&broker, "water/cabinet-02/data", &old);
    until("the sample", || {
        let first = &station(&weir)["evaluations"][0];
        first["reason"] == "too_few_items" && first["items"] == 1
    });
    let html = get(weir.page(), "/stations?lang=en").1;
    assert!(html.contains("not assessable: too few items"), "{html}");
    let heading = html.split("Puhe at Daoyi</a>").nth(1).unwrap().split("</h3>").next().unwrap();
    assert!(!heading.contains("fill="), "no class, no colour: {heading}");

    let now = hours_ago(0);
    let cabinet = format!("{{\"ts\":{now},\"codmn\":5.0,\"tp\":100}}");
    publish(&broker, "water/cabinet-02/data", &cabinet);
    publish(&broker, "water/sonde-02/data", &sonde(now, 7.8));
    until("the class", || station(&weir)["evaluations"][0]["grade"] == "III");
    let station = station(&weir);
    let singles = station["verdicts"].as_array().unwrap().iter();
    let worst = singles.filter_map(|verdict| verdict["class"].as_str()).max();
    assert_eq!(worst, Some("V"), "the worst single value: {station}");
    let first = &station["evaluations"][0];
    assert_eq!(first["deciding"][0]["observed_property"], "permanganate_index");
    assert_eq!(first["missing"][0], "ammonia_nitrogen");
    let chinese = get(weir.page(), "/stations?lang=zh").1;
    let heading = chinese.split("蒲河道义</a>").nth(1).unwrap().split("</h3>").next().unwrap();
    assert!(heading.contains("fill=\"#42CC70\"") && heading.contains("Ⅲ类"), "{heading}");
    weir.stop();
}

#[test]
fn tap_shows_each_message_and_leaves_the_daemon_alone() {
    let broker = Mosquitto::start("");
    let mut weir = Weir::install(&broker.url(), "");
    weir.start();
    let mut tap = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["tap", "water/+/data", "--json", "--config"])
        .arg(weir.folder().join("weir.toml"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = tap.stdout.take().unwrap();
    let (said, hears) = mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).unwrap();
        said.send(line).unwrap();
    });
    // Nobody says when the tap listens; what comes again is one message.
    let payload = sonde(hours_ago(1), 2.5);
    let line = loop {
        publish(&broker, "water/sonde-01/data", &payload);
        if let Ok(line) = hears.recv_timeout(Duration::from_millis(500)) {
            break line;
        }
    };
    tap.kill().unwrap();
    tap.wait().unwrap();
    let shown: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(shown["topic"], "water/sonde-01/data");
    let oxygen = shown["observations"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["datastream"].as_str().unwrap().contains("dissolved_oxygen"));
    assert!(oxygen.unwrap()["verdict"].as_str().unwrap().starts_with("exceeds GB 3838-2002"));
    let evaluation = &shown["evaluations"][0];
    assert_eq!(
        (&evaluation["subject"], &evaluation["reason"]),
        (&"puhe-huishan".into(), &"too_few_items".into())
    );
    until("the daemon", || weir.count("/total/messages/stored") == 1);
    weir.stop();
}

#[test]
fn tap_goes_on_without_a_dead_broker_and_shows_a_message_once() {
    let broker = Mosquitto::start("");
    let dead = "[[broker]]\nnetwork = 'dead'\nurl = 'mqtt://127.0.0.1:1'\nclient_id = 'x'\n";
    let weir = Weir::install(&broker.url(), dead);
    let mut tap = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["tap", "#", "--json", "--config"])
        .arg(weir.folder().join("weir.toml"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(1_000));
    let start = hours_ago(1);
    publish(&broker, "air/air-setdz/records", &sonde(start, 7.0));
    publish(&broker, "water/sonde-01/data", &sonde(start + 1, 7.0));
    let mut out = std::io::BufReader::new(tap.stdout.take().unwrap());
    let mut shown = || {
        let mut line = String::new();
        std::io::BufRead::read_line(&mut out, &mut line).unwrap();
        let shown: serde_json::Value = serde_json::from_str(&line).unwrap();
        (shown["network"].as_str().unwrap().to_owned(), shown["topic"].as_str().unwrap().to_owned())
    };
    // Two networks are on this broker, and each message is of one of them.
    assert_eq!(shown(), ("parks".to_owned(), "air/air-setdz/records".to_owned()));
    assert_eq!(shown(), ("rivers".to_owned(), "water/sonde-01/data".to_owned()));
    tap.kill().unwrap();
    tap.wait().unwrap();
}

#[test]
fn a_second_daemon_on_one_journal_is_refused() {
    let broker = Mosquitto::start("");
    let mut weir = Weir::install(&broker.url(), "");
    weir.start();
    let (ran, said) = weir.command(&["run"]);
    assert!(!ran && said.contains("in use by another weir"), "{said}");
    weir.stop();
}
