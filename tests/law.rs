//! The law on the stream, from the broker to the database: what one river section and one air
//! station say of a day, against arithmetic by hand.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, reason = "a test waits by its own clock")]

mod peer;

use peer::{Influx, Mosquitto, Weir, get, until};
use serde_json::Value;
use weir::domain::input::Qos;
use weir::domain::time::{HOUR, MINUTE};
use weir::mqtt::publisher::Publisher;

/// Midnight of 1 June 2026 in Shenyang.
const DAY_START: i64 = 1_780_243_200_000;
/// When weir's clock starts: an hour and a half after the day, so that it is given out at once.
const CLOCK: &str = "2026-06-02T01:30:00+08:00";

/// Publishes the day of a section: oxygen and pH by the minute, a sample every four hours, of
/// ammonia 1.41, 1.62, 1.83, 1.62, 1.62 and 1.62 mg/L, with a mean of 1.62.
async fn publish_section(publisher: &Publisher) {
    let send = async |topic: &str, payload: String| {
        publisher.publish(topic, payload.into_bytes(), Qos::AtLeastOnce, false).await.unwrap();
    };
    for minute in 0..24 * 60 {
        let at = DAY_START + minute * MINUTE;
        // A probe that never moves would be stuck.
        let oxygen = if minute % 2 == 0 { 6.799 } else { 6.801 };
        let values = format!("\"temp\":18.5,\"ph\":7.6,\"do\":{oxygen},\"ec\":712,\"turb\":12.5");
        send("water/sonde-01/data", format!("{{\"ts\":{at},{values}}}")).await;
    }
    for (sample, ammonia) in [1.41, 1.62, 1.83, 1.62, 1.62, 1.62].into_iter().enumerate() {
        let at = DAY_START + sample as i64 * 4 * HOUR;
        // An analyser that repeats itself would be stale.
        let phosphorus = 120 + sample % 2;
        let values = format!("\"nh3n\":{ammonia},\"codmn\":5.1,\"tp\":{phosphorus},\"tn\":3.1");
        send("water/cabinet-01/data", format!("{{\"ts\":{at},{values}}}")).await;
    }
}

/// Publishes the day of an air station by the minute: SO2 5, NO2 10, CO 0.3, O3 161, PM10 150, and
/// PM2.5 that swings around 75, by the hour and by the day.
async fn publish_air(publisher: &Publisher) {
    for minute in 0..24 * 60_i64 {
        let at = (DAY_START + minute * MINUTE) * 1_000;
        let fine = if minute % 2 == 0 { 70 } else { 80 };
        let record = |(name, value, unit): (&str, &str, &str)| {
            format!("{{\"name\":\"{name}\",\"value\":\"{value}\",\"unit\":\"{unit}\"}}")
        };
        let records = [
            ("SO2", "5", "ug/m3"),
            ("NO2", "10", "ug/m3"),
            ("CO", "0.3", "mg/m3"),
            ("O3", "161", "ug/m3"),
            ("PM10", "150", "ug/m3"),
            ("PM2.5", &fine.to_string(), "ug/m3"),
        ];
        let records = records.map(record).join(",");
        let payload = format!("{{\"time\":{at},\"records\":[{records}]}}").into_bytes();
        publisher.publish("air/air-setdz/records", payload, Qos::AtLeastOnce, false).await.unwrap();
    }
}

/// Holds a row of the database against words and numbers; numbers to 12 digits.
#[track_caller]
fn check(row: &[Value], want: &[&str]) {
    let words: Vec<String> = row[1..]
        .iter()
        .map(|value| match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => {
                let rounded = format!("{:.12}", number.as_f64().unwrap());
                rounded.trim_end_matches('0').trim_end_matches('.').to_owned()
            }
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
        })
        .collect();
    assert_eq!(words, want);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_of_a_section_and_an_air_station_is_judged_as_by_hand() {
    let (broker, influx) = (Mosquitto::start(""), Influx::start());
    let mut weir = Weir::install(&broker.url(), &influx.config());
    weir.start_with(&["--clock-start", CLOCK]);
    until("weir", || get(weir.page(), "/ready").0 == 200);
    let publisher = Publisher::connect(&broker.url(), "stations").unwrap();
    publish_section(&publisher).await;
    publish_air(&publisher).await;
    publisher.flush().await;
    let messages = 2 * 24 * 60 + 6;
    until("all messages", || weir.count("/total/messages/received") == messages);

    let class = |period: &str| {
        influx.query(&format!(
            "SELECT verdict, class, deciding, multiple, multiple_iii, items, items_of, missing, \
             legal, \"limit\" FROM assessment WHERE station = 'puhe-huishan' AND \
             subject = 'water_class' AND period = '{period}'"
        ))
    };
    // 1.62 of a limit of 1.5 in class IV and 2.0 in V; (1.62 - 1.5) / 1.5 and (1.62 - 1) / 1.
    let v = ["exceeds", "V", "ammonia_nitrogen", "0.08", "0.62", "5", "5", "", "true"];
    let v: Vec<&str> = v.into_iter().chain(["GB 3838-2002 table 1"]).collect();
    until("the class of the day", || {
        class("24h").first().is_some_and(|row| row[4] != Value::Null && row[6] == 5)
    });
    let day = class("24h");
    assert_eq!((day.len(), day[0][0].as_i64()), (1, Some(DAY_START)));
    check(&day[0], &v);
    // The first sample, 1.41, is of class IV and meets it; the second of four o'clock is V.
    until("every hour", || class("1h").len() == 24);
    let hours = class("1h");
    let hour = |hour: i64| &hours[usize::try_from(hour).unwrap()];
    assert_eq!(hour(3)[0].as_i64(), Some(DAY_START + 3 * HOUR));
    let iv = ["within", "IV", "ammonia_nitrogen", "null", "0.41", "5", "5", "", "true"];
    let iv: Vec<&str> = iv.into_iter().chain(["GB 3838-2002 table 1"]).collect();
    check(hour(3), &iv);
    check(hour(4), &v);
    let found =
        influx.query("SELECT ammonia_nitrogen FROM water_24h WHERE station = 'puhe-huishan'");
    assert!((found[0][1].as_f64().unwrap() - 1.62).abs() < 1e-12, "{found:?}");

    let aqi = |period: &str| {
        influx.query(&format!(
            "SELECT verdict, class, value, deciding, multiple, items, items_of, \"limit\" FROM \
             assessment WHERE station = 'setdz-air' AND subject = 'aqi' AND period = '{period}'"
        ))
    };
    // PM2.5 75: 100 + (75 - 60) / (115 - 60) * 50 = 113.6, up 114. PM10 150: 111.5. Ozone 161 over
    // eight hours: 100.9. Its limit is 60: (75 - 60) / 60 = 0.25.
    until("the index of the day", || aqi("24h").first().is_some_and(|row| row[6] == 6));
    let day = aqi("24h");
    assert_eq!((day.len(), day[0][0].as_i64()), (1, Some(DAY_START)));
    let edition = "HJ 633-2026 table 1";
    check(&day[0], &["exceeds", "light", "114", "pm2_5", "0.25", "6", "6", edition]);
    // Of the hour there is no limit of particles, and 161 is within the 200 of ozone.
    until("every hour", || aqi("1h").len() == 24);
    for row in aqi("1h") {
        check(&row, &["within", "light", "114", "pm2_5", "null", "6", "6", edition]);
    }

    until("everything is stored", || weir.count("/influx/waiting_points") == 0);
    weir.stop();
    assert_eq!(weir.ledger()["balances"], true);
    assert_eq!(weir.count("/total/messages/stored"), messages);
    assert_eq!(weir.count("/total/messages/rejected"), 0);
    // Five values of each minute of the sonde, four a sample, six of each minute of the air.
    let readings = 24 * 60 * (5 + 6) + 6 * 4;
    assert_eq!(weir.count("/total/readings/stored"), readings);
    publisher.close().await;
}
