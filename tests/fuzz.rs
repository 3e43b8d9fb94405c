//! Any bytes, held against every target of `tests/fuzz/`: each file of `fuzz/corpus`, and a random
//! run of a fixed seed. `WEIR_FUZZ_SEED` is another seed, `WEIR_FUZZ_RUNS` another number of runs
//! a target. The search that is guided by coverage is `fuzz/run`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]
#![allow(clippy::indexing_slicing, reason = "a test may panic")]
#![allow(clippy::print_stderr, reason = "how far it came is for people")]

#[path = "fuzz/mutate.rs"]
mod mutate;
#[path = "fuzz/targets.rs"]
mod targets;

use std::fs;
use std::path::PathBuf;

use mutate::Mutator;
use targets::{TARGETS, root};

fn folder(target: &str) -> PathBuf {
    root().join("fuzz/corpus").join(target)
}

/// The files of a target, in the order of their names.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder(target)).unwrap_or_else(|e| panic!("{target}: {e}"));
    let mut files: Vec<(String, Vec<u8>)> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} = `{text}` is no number")))
}

/// Holds an input against a target; what breaks it is printed, to be kept as a case.
fn hold(target: &str, body: fn(&[u8]), name: &str, bytes: &[u8]) {
    let broken = std::panic::catch_unwind(|| body(bytes));
    if let Err(panic) = broken {
        let path = std::env::temp_dir().join(format!("weir-fuzz-{target}-{}", std::process::id()));
        fs::write(&path, bytes).unwrap();
        eprintln!("{target} breaks on {name}; the input is {}", path.display());
        std::panic::resume_unwind(panic);
    }
}

fn run(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let files = corpus(name);
    hold(name, target.body, "no bytes", &[]);
    for (file, bytes) in &files {
        hold(name, target.body, &format!("fuzz/corpus/{name}/{file}"), bytes);
    }
    let seed = number("WEIR_FUZZ_SEED").unwrap_or(1);
    let runs = number("WEIR_FUZZ_RUNS").unwrap_or(target.runs);
    let cases: Vec<Vec<u8>> = files.into_iter().map(|(_, bytes)| bytes).collect();
    let mut mutator = Mutator::new(seed, &cases);
    for count in 0..runs {
        let bytes = mutator.next();
        hold(name, target.body, &format!("run {count} of seed {seed}"), &bytes);
    }
    eprintln!("{name}: {} cases, {runs} random runs of seed {seed}", cases.len());
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            run(stringify!($name));
        })*

        const RUN: &[&str] = &[$(stringify!($name)),*];
    };
}

targets!(
    binary chirpstack config connection csv file hj212 homie inputs json line line_protocol packed plain
    seeds senml shelly snapshot sparkplug_b tasmota telegraf things_stack topic wire zigbee2mqtt
);

#[test]
fn every_target_is_run_and_has_a_small_corpus() {
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(names, RUN);
    let mut total = 0;
    for name in names {
        let files = corpus(name);
        assert!((1..=40).contains(&files.len()), "{name} has {} cases", files.len());
        for (file, bytes) in files {
            assert!(bytes.len() <= 4_096, "{name}/{file} has {} bytes", bytes.len());
            total += bytes.len();
        }
    }
    assert!(total <= 200 << 10, "{total} bytes of cases");
    let folders = fs::read_dir(root().join("fuzz/corpus")).unwrap().count();
    assert_eq!(folders, TARGETS.len(), "a corpus of no target");
}

/// A format is a file of `src/decode` that has a plan, and a word of `decode::Plan`.
#[test]
fn every_format_has_a_target() {
    let mut formats = 0;
    for entry in fs::read_dir(root().join("src/decode")).unwrap() {
        let path = entry.unwrap().path();
        let Some(name) = path.file_stem().and_then(|name| name.to_str()) else { continue };
        // No format: what formats share, and the one on which weir is to break, of debug builds.
        let others = ["number", "time", "named", "packed", "told", "uplink", "crash"];
        if path.extension().is_some_and(|end| end == "rs") && !others.contains(&name) {
            formats += 1;
            let has = TARGETS.iter().any(|target| target.name == name);
            assert!(has, "src/decode/{name}.rs has no target; fuzz/README.md says how to add it");
        }
    }
    let text = fs::read_to_string(root().join("src/decode.rs")).unwrap();
    let (_, after) = text.split_once("pub enum Plan {").unwrap();
    let plans = after.split('}').next().unwrap();
    let plans = plans.matches("::Plan)").count() - plans.matches("Crash(").count();
    assert!(formats == plans && plans > 0, "{formats} files of formats, {plans} plans");
}
