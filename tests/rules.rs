//! The tests of rules that stand in `tests/rules/` and in `docs/alerts.md`, played as `weir alerts
//! test` plays them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::path::{Path, PathBuf};

use weir::config::Config;
use weir::daemon::alerts::rules;
use weir::daemon::alerts::trial::{Outcome, play};
use weir::daemon::check::{self, Sound};
use weir::domain::registry::Datastream;
use weir::domain::time::Timestamp;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn example() -> Sound {
    check::edition(&root().join("config/weir.toml")).unwrap()
}

fn told(outcome: Result<Outcome, Vec<weir::domain::fault::Fault>>) -> String {
    match outcome {
        Ok(outcome) => {
            assert!(outcome.lists > 0, "nothing is expected");
            outcome.failures.iter().map(|line| format!("{line}\n")).collect()
        }
        Err(faults) => faults.iter().map(|fault| format!("{fault}\n")).collect(),
    }
}

#[test]
fn the_rules_of_the_example_do_what_their_tests_say() {
    let sound = example();
    let entries = std::fs::read_dir(root().join("tests/rules")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
    files.sort();
    assert!(files.len() >= 4, "{files:?}");
    let failures: String = files
        .iter()
        .map(|file| told(play(file, std::fs::read_to_string(file).unwrap(), &sound)))
        .collect();
    assert!(failures.is_empty(), "{failures}");
}

/// Gives the fenced blocks of a document that are in a language, each with its first line.
fn blocks<'a>(document: &'a str, language: &str) -> Vec<(usize, &'a str)> {
    let open = format!("```{language}\n");
    let mut blocks = Vec::new();
    let mut at = 0;
    while let Some(found) = document[at..].find(&open) {
        let start = at + found + open.len();
        let end = start + document[start..].find("\n```").unwrap();
        blocks.push((document[..start].lines().count() + 1, &document[start..=end]));
        at = end;
    }
    blocks
}

#[test]
fn the_examples_of_the_document_are_true() {
    let sound = example();
    let document = std::fs::read_to_string(root().join("docs/alerts.md")).unwrap();
    let examples: Vec<(usize, &str)> =
        blocks(&document, "toml").into_iter().filter(|(_, text)| text.contains("[[at]]")).collect();
    assert!(examples.len() >= 3, "{}", examples.len());
    for (line, text) in examples {
        let failures = told(play(Path::new("docs/alerts.md"), text.to_owned(), &sound));
        assert!(failures.is_empty(), "the block at line {line}:\n{failures}");
    }
}

/// Plays three values of oxygen and what is expected of them.
#[track_caller]
fn check(expected: &str, wants: &[&str]) {
    let series = "[[series]]\nstation = \"puhe-daoyi\"\nevery = \"1m\"\ncsv = '''\n\
                  time,dissolved_oxygen\n2026-06-01 08:00,2.4\n2026-06-01 08:30,2.2\n'''\n";
    let text = format!("{series}{expected}");
    let said = told(play(Path::new("a.toml"), text, &example()));
    for want in wants {
        assert!(said.contains(want), "no `{want}` in\n{said}");
    }
    assert_eq!(wants.is_empty(), said.is_empty(), "{said}");
}

#[test]
fn what_is_otherwise_is_told_with_what_was_found_all_at_once() {
    let at = |time: &str, rest: &str| format!("[[at]]\ntime = \"2026-06-01 {time}\"\n{rest}\n");
    let oxygen = "puhe-daoyi/dissolved_oxygen";
    check(&at("08:10", &format!("firing = [\"{oxygen}\"]")), &[]);
    check(
        &format!(
            "{}{}",
            at("08:05", &format!("pending = []\nfiring = [\"{oxygen}\"]")),
            at("08:10", "firing = []\nresolved = [\"puhe-daoyi\"]")
        ),
        &[
            "a.toml:10: at 2026-06-01T08:05:00+08:00: pending: found puhe-daoyi/dissolved_oxygen",
            "firing: expected puhe-daoyi/dissolved_oxygen; found it pending since \
             2026-06-01T08:00:00+08:00 by water-exceedance",
            "a.toml:14: at 2026-06-01T08:10:00+08:00: firing: found puhe-daoyi/dissolved_oxygen",
            "resolved: expected puhe-daoyi; found nothing of it",
        ],
    );
    let wrong = format!(
        "{{ of = \"{oxygen}\", severity = \"notice\", route = \"weir\", reasons = [\"1h\"], \
         unconfirmed = true, since = \"2026-06-01 08:01\", says = \"lead\" }}"
    );
    check(
        &at("08:10", &format!("notified = [{wrong}]")),
        &[
            "severity is warning, expected notice",
            "route is environment, expected weir",
            "reasons are `raw`, expected `1h`",
            "unconfirmed is false, expected true",
            "since 2026-06-01T08:00:00+08:00, expected 2026-06-01 08:01",
            "expected `lead` in it",
        ],
    );
}

#[test]
fn whom_the_seeds_do_not_know_and_rows_that_are_none_are_refused() {
    let at = "[[at]]\ntime = \"2026-06-01 08:10\"\n";
    check(
        &format!("{at}firing = [\"puhe-daoyi/dissolved_oxigen\"]\n"),
        &["a.toml:10: found `puhe-daoyi/dissolved_oxigen`", "nearest is `puhe-daoyi/dissolved_oxy"],
    );
    check(
        &format!("{at}firing = [{{ of = \"puhe-daoyi\", rule = \"water-silenc\" }}]\n"),
        &["nearest is `water-silence`"],
    );
    check(
        &format!("[[at]]\ntime = \"08:10\"\n{at}{at}"),
        &["found time `08:10`", "expected one after the one before"],
    );
    check("[[at]]\ntime = \"2028-06-01\"\n", &["found 730 days from first", "at most 400"]);
    let rows = "[rows]\n\"rule.csv\" = \"rule,scope\"\n";
    check(&format!("{at}{rows}"), &["found table `rule.csv`", "nearest is `rules.csv`"]);
    // Rows that can't be compiled are refused as the seeds are.
    let rows = "[rows]\n\"rules.csv\" = \"rule,scope,kind\\na,medium:wate,exceedance\"\n";
    check(&format!("{at}{rows}"), &["seeds/rules.csv:", "found `wate`"]);
}

#[test]
fn the_rule_that_watches_is_told_with_those_that_stand_back() {
    let sound = example();
    let registry = &*sound.registry;
    let text = "seeds = '.'\n[journal]\ndata_folder = '.'\n[[broker]]\nnetwork = 'rivers'\n\
                url = 'mqtt://127.0.0.1'\nclient_id = 'a'\n[[channel]]\nname = 'duty'\n\
                kind = 'webhook'\nurl = 'http://127.0.0.1/a'\nroutes = ['environment']\n";
    let config = Config::parse("weir.toml", text).unwrap();
    let at = |text: &str| Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond());
    let at = at("2026-06-01T00:00:00Z");
    let asked = rules::Asked { config: &config, tables: &sound.edition.tables, registry, at };
    let station = registry.stations.iter().find(|one| &*one.name == "puhe-daoyi").unwrap();
    let streams: Vec<&Datastream> = registry
        .datastreams
        .iter()
        .filter(|one| &*one.name == "puhe-daoyi/ammonia_nitrogen")
        .collect();
    let lines = rules::lines(&asked, station, &streams);
    let place = |words: &str| lines.find(words).unwrap_or_else(|| panic!("no `{words}`: {lines}"));
    let winner =
        place("  * exceedance  ammonia-exceedance (property:ammonia_nitrogen, rules.csv:3)");
    let wider = place("    exceedance  water-exceedance (medium:water, rules.csv:2)");
    assert!(winner < wider);
    place("of raw 24h month; fires after 1 value, ends after 1 value at least 5 % better");
    place("critical, route environment: duty");
    place("notice, route instrument: no channel");
    place("limit <= 1.5 mg/L, GB 3838-2002 table 1 item 7 class IV");
    let json = rules::json(&asked, station, &streams);
    let rules = json["datastreams"][0]["rules"].as_array().unwrap();
    let watching: Vec<&str> = rules
        .iter()
        .filter(|one| one["watches"] == true)
        .map(|one| one["rule"].as_str().unwrap())
        .collect();
    let want =
        ["ammonia-exceedance", "ammonia-instrument", "water-not-assessable", "water-silence"];
    assert_eq!(watching, want);
    assert_eq!(json["datastreams"][0]["limits"][0]["clause"], "table 1 item 7");
}
