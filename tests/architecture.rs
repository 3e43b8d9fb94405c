//! Who may name whom, what the pure rooms may not touch, and tidiness.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const STAGES: &[&str] = &["decode", "normalize", "qc", "aggregate", "assess", "basin", "alert"];

/// Each room that is no stage and the rooms it may name. A room that is not here may not exist.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("pipeline", &["domain", "decode", "normalize", "qc", "aggregate", "assess", "basin", "alert"]),
    ("mqtt", &["domain"]),
    ("journal", &["domain"]),
    ("influx", &["domain"]),
    ("notify", &["domain"]),
    ("http", &["domain"]),
    ("seed", &["domain"]),
    ("telemetry", &["domain"]),
    ("config", &["domain", "mqtt", "journal", "influx", "notify", "http", "telemetry"]),
    (
        "daemon",
        &[
            "domain",
            "decode",
            "pipeline",
            "mqtt",
            "journal",
            "influx",
            "notify",
            "http",
            "seed",
            "telemetry",
            "config",
        ],
    ),
    ("simulate", &["domain", "mqtt", "seed", "daemon"]),
    (
        "demo",
        &["domain", "pipeline", "mqtt", "journal", "http", "seed", "config", "daemon", "simulate"],
    ),
    (
        "cli",
        &["daemon", "demo", "simulate", "config", "domain", "http", "journal", "seed", "telemetry"],
    ),
];

/// Crates that one room alone, or two, may name.
const ONLY: &[(&str, &[&str])] = &[
    ("x509_parser", &["mqtt"]),
    ("rumqttc", &["mqtt"]),
    ("rusqlite", &["journal"]),
    ("influxdb2", &["influx"]),
    ("reqwest", &["influx", "notify"]),
    ("lettre", &["notify"]),
    ("axum", &["http"]),
    ("hyper", &["http"]),
    ("hyper_util", &["http"]),
    ("cel", &["domain"]),
    ("sm4", &["decode"]),
];

/// What may not stand in domain, the stages and the pipeline.
const IMPURE: &[&str] = &[
    "tokio",
    "async fn",
    ".await",
    "std::fs",
    "std::net",
    "std::env",
    "std::thread",
    "SystemTime",
    "Instant::now",
    "tracing::",
];

struct Source {
    room: String,
    path: PathBuf,
    text: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let below = path.strip_prefix(&root).unwrap();
                let first = below.components().next().unwrap();
                let room = first.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned();
                let text = fs::read_to_string(&path).unwrap();
                found.push(Source { room, path: below.to_owned(), text });
            }
        }
    }
    assert!(found.len() > 50, "the sources were not found");
    found.retain(|source| source.room != "main" && source.room != "lib");
    found
}

#[track_caller]
fn none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

fn word(text: &str) -> &str {
    let end = text.find(|one: char| !one.is_alphanumeric() && one != '_');
    &text[..end.unwrap_or(text.len())]
}

#[test]
fn rooms_name_only_the_rooms_below() {
    let mut may: BTreeMap<&str, &[&str]> = MAY_NAME.iter().copied().collect();
    may.extend(STAGES.iter().map(|stage| (*stage, &["domain"] as &[&str])));
    let mut faults = Vec::new();
    for Source { room, path, text } in sources() {
        let Some(allowed) = may.get(room.as_str()) else {
            faults.push(format!("{}: no such room in MAY_NAME", path.display()));
            continue;
        };
        for (number, line) in text.lines().enumerate() {
            for rest in line.split("crate::").skip(1) {
                let named = word(rest);
                if named != room && !allowed.contains(&named) && !named.is_empty() {
                    let place = format!("{}:{}", path.display(), number + 1);
                    faults.push(format!("{place}: `{room}` names `{named}`"));
                }
            }
        }
    }
    none(&faults);
}

#[test]
fn a_crate_of_the_outside_is_named_in_its_room_only() {
    let mut faults = Vec::new();
    for Source { room, path, text } in sources() {
        for (name, rooms) in ONLY {
            if !rooms.contains(&room.as_str()) && text.contains(&format!("{name}::")) {
                faults.push(format!("{}: names {name}", path.display()));
            }
        }
    }
    none(&faults);
}

#[test]
fn the_core_asks_no_clock_no_file_and_no_socket() {
    let mut faults = Vec::new();
    for Source { room, path, text } in sources() {
        if room != "domain" && room != "pipeline" && !STAGES.contains(&room.as_str()) {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            for impure in IMPURE.iter().filter(|impure| line.contains(**impure)) {
                faults.push(format!("{}:{}: {impure}", path.display(), number + 1));
            }
        }
    }
    none(&faults);
}

#[test]
fn every_file_is_tidy() {
    let mut faults = Vec::new();
    for Source { path, text, .. } in sources() {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if ["mod", "utils", "util", "helpers", "common", "types", "manager"].contains(&&*name) {
            faults.push(format!("{}: a name that says nothing", path.display()));
        }
        if !text.starts_with("//!") {
            faults.push(format!("{}: does not say what lives there", path.display()));
        }
        if text.lines().count() > 600 {
            faults.push(format!("{}: more than 600 lines", path.display()));
        }
        for (number, line) in text.lines().enumerate() {
            if line.chars().count() > 100 || line.contains("FIXME") || line.contains("TODO") {
                faults.push(format!("{}:{}: too long, or unfinished", path.display(), number + 1));
            }
        }
    }
    none(&faults);
}
