//! The stations of the bench, each with a device of eight properties, and what they send.

use std::fmt::Write as _;

/// The properties of a message: name, channel, unit, a value within all limits of class IV.
pub const PROPERTIES: [(&str, &str, &str, f64); 8] = [
    ("water_temperature", "temp", "Cel", 18.2),
    ("ph", "ph", "pH", 7.61),
    ("dissolved_oxygen", "do", "mg/L", 6.84),
    ("conductivity", "ec", "uS/cm", 712.0),
    ("turbidity", "turb", "NTU", 23.4),
    ("ammonia_nitrogen", "nh3n", "mg/L", 0.512),
    ("permanganate_index", "codmn", "mg/L", 4.31),
    ("total_phosphorus", "tp", "mg/L", 0.121),
];

/// Gives the rows that put this many stations beside those of the example, by table.
pub fn rows(stations: u64) -> [(&'static str, String); 3] {
    let source = "made for the bench";
    let (mut places, mut devices, mut profiles) = (String::new(), String::new(), String::new());
    for number in 0..stations {
        writeln!(
            places,
            "bench-{number},puhe,Bench {number},{number},41.9,123.4,+08:00,river,IV,,,{source}"
        )
        .unwrap();
        writeln!(devices, "rivers,b{number},bench-{number},,bench,device,,,,,,{source}").unwrap();
    }
    for (property, channel, unit, _) in PROPERTIES {
        writeln!(
            profiles,
            "bench,sonde,{property},,/{channel},{unit},1,number,continuous,,,instant,,60s,,{source}"
        )
        .unwrap();
    }
    [("stations.csv", places), ("devices.csv", devices), ("profiles.csv", profiles)]
}

/// Writes the topic and the payload of a station's message. `turn` varies its values by up to
/// 1.6 %: none leaves its class, as hardly one does from one minute to the next.
pub fn message(station: u64, ts: i64, turn: u64, topic: &mut String, payload: &mut String) {
    topic.clear();
    payload.clear();
    write!(topic, "water/b{station}/data").unwrap();
    write!(payload, "{{\"ts\":{ts}").unwrap();
    for (property, channel, _, value) in PROPERTIES {
        let decimals = match property {
            "conductivity" => 0,
            "total_phosphorus" => 3,
            _ => 2,
        };
        let value = value * (1.0 + (turn % 17) as f64 / 1_000.0);
        write!(payload, ",\"{channel}\":{value:.decimals$}").unwrap();
    }
    payload.push('}');
}

/// The same with ammonia far above class IV (1.5 mg/L), or far below.
pub fn alarm(station: u64, ts: i64, bad: bool, topic: &mut String, payload: &mut String) {
    topic.clear();
    payload.clear();
    write!(topic, "water/b{station}/data").unwrap();
    let ammonia = if bad { 3.0 } else { 0.2 };
    write!(payload, "{{\"ts\":{ts},\"nh3n\":{ammonia}}}").unwrap();
}
