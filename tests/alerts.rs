//! Alerts worked off from the shell: the program itself, between a real broker and a receiver.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, reason = "a test asks its own clock")]

mod peer;

use peer::{Hook, Mosquitto, Weir, bad_water, until};
use serde_json::Value;

/// Asks for what must be answered.
#[track_caller]
fn done(weir: &Weir, arguments: &[&str]) -> String {
    let all: Vec<&str> = ["alerts"].iter().chain(arguments).copied().collect();
    let (done, said) = weir.command(&all);
    assert!(done, "{arguments:?}: {said}");
    said
}

/// Asks for what must be refused.
#[track_caller]
fn refused(weir: &Weir, arguments: &[&str], wants: &[&str]) {
    let all: Vec<&str> = ["alerts"].iter().chain(arguments).copied().collect();
    let (done, said) = weir.command(&all);
    assert!(!done, "{arguments:?}: {said}");
    for want in wants {
        assert!(said.contains(want), "no `{want}` in\n{said}");
    }
}

fn open(weir: &Weir, arguments: &[&str]) -> Vec<(u64, String)> {
    let all: Vec<&str> = ["ls", "--json"].iter().chain(arguments).copied().collect();
    let json: Value = serde_json::from_str(&done(weir, &all)).unwrap();
    let alerts = json["alerts"].as_array().unwrap();
    let of = |one: &Value| (one["id"].as_u64().unwrap(), one["of"].as_str().unwrap().to_owned());
    alerts.iter().map(of).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_works_off_what_fires_and_a_kill_changes_nothing() {
    let (broker, hook) = (Mosquitto::start(""), Hook::start());
    let mut weir = Weir::install(&broker.url(), &hook.config());
    refused(&weir, &["ls"], &["no journal"]);
    weir.start();
    bad_water(&broker, "sonde-01").await;
    until("the first alert", || open(&weir, &[]).len() == 1);
    bad_water(&broker, "sonde-02").await;
    until("both alerts", || open(&weir, &[]).len() == 2);
    let (first, second) = ("puhe-huishan/dissolved_oxygen", "puhe-daoyi/dissolved_oxygen");
    assert_eq!(open(&weir, &[]), [(1, first.to_owned()), (2, second.to_owned())]);
    let list = done(&weir, &["ls"]);
    assert!(list.contains("warning") && list.contains("nobody looks after it"), "{list}");
    assert!(list.contains("2 alerts fire") && !list.contains('\u{1b}'), "{list}");
    let one = ["--station", "puhe-daoyi", "--place", "puhe", "--route", "environment"];
    assert_eq!(open(&weir, &one), [(2, second.to_owned())]);
    assert_eq!(open(&weir, &["--place", "hunhe"]), []);
    refused(&weir, &["ls", "--place", "puh"], &["no place is called `puh`", "is `puhe`"]);

    let by = ["--person", "Li Na"];
    let said =
        done(&weir, &[&["ack", "1", "--comment", "on the way", "--until", "8h"], &by[..]].concat());
    assert!(said.contains("1 is acknowledged"), "{said}");
    // Who is looked after comes last.
    until("the view", || open(&weir, &[])[0].0 == 2);
    assert!(done(&weir, &["ls"]).contains("acknowledged by Li Na until "));
    refused(
        &weir,
        &[&["ack", "1", "99", "--until", "1970-01-01"], &by[..]].concat(),
        &["no alert 99 is open", "the end is in the past"],
    );
    refused(&weir, &[&["comment", "1"], &by[..]].concat(), &["the comment is a line of 1 to"]);
    done(
        &weir,
        &["comment", "1", "--person", "Wang Wei", "--for", "Zhao", "--comment", "no outfall"],
    );

    done(&weir, &[&["shelve", "2", "--until", "2d"], &by[..]].concat());
    until("it is shelved", || open(&weir, &[]).len() == 1);
    assert!(done(&weir, &["ls"]).contains("1 more of which nobody is told"));
    assert!(done(&weir, &["ls", "--all"]).contains("shelved until "));
    done(&weir, &[&["undo", "2"], &by[..]].concat());
    until("it is not", || open(&weir, &[]).len() == 2);
    refused(&weir, &[&["undo", "2"], &by[..]].concat(), &["neither acknowledged nor shelved"]);

    silences(&weir);
    until("it is told", || !hook.got().is_empty());
    shown(&weir);

    let before = (done(&weir, &["history"]), open(&weir, &["--all"]));
    assert!(before.0.contains("silence ended") && before.0.contains("no outfall"), "{}", before.0);
    let of_station = done(&weir, &["history", "--station", "puhe-daoyi"]);
    assert!(of_station.contains("shelved") && !of_station.contains("no outfall"), "{of_station}");
    // Silences that concern it, by their property or without a station, and their ends.
    for (station, silences, ends) in [("puhe-daoyi", 2, 2), ("puhe-huishan", 1, 1)] {
        let history = done(&weir, &["history", "--station", station]);
        let count = |words: &str| history.matches(words).count();
        assert_eq!((count("silenced"), count("silence ended")), (silences, ends), "{history}");
        let of = "by Li Na of place puhe, property dissolved_oxygen, severity up to warning until";
        assert!(history.contains(of), "{history}");
    }
    let elsewhere = done(&weir, &["history", "--station", "hunhe-dongling"]);
    assert!(elsewhere.contains("nothing happened"), "{elsewhere}");
    assert!(done(&weir, &["history", "--from", "2100-01-01"]).contains("nothing happened"));
    weir.kill();
    assert!(done(&weir, &["show", "1"]).contains("acknowledged by Li Na until "));
    refused(&weir, &[&["undo", "1"], &by[..]].concat(), &["no weir is at work"]);
    weir.start();
    until("the view", || weir.command(&["alerts", "ls"]).0);
    assert_eq!(before, (done(&weir, &["history"]), open(&weir, &["--all"])));
    replayed(&weir);
    weir.stop();
}

fn silences(weir: &Weir) {
    let why = ["--until", "8h", "--person", "Li Na", "--reason", "works at the intake"];
    refused(weir, &[&["silence"], &why[..]].concat(), &["a silence of everything"]);
    refused(weir, &["silence", "--station", "puhe-daoyi"], &["--until", "--person", "--reason"]);
    let daoyi = ["silence", "--station", "puhe-daoyi", "--property", "DO"];
    let said = done(weir, &[&daoyi[..], &why].concat());
    assert!(said.contains("silence 1: station puhe-daoyi, property dissolved_oxygen"), "{said}");
    until("it is silenced", || open(weir, &[]).len() == 1);
    assert!(done(weir, &["ls", "--all"]).contains("silenced by 1"));
    let list = done(weir, &["silence", "ls"]);
    assert!(list.contains("Li Na: works at the intake"), "{list}");
    assert!(done(weir, &["show", "2"]).contains("works at the intake"));
    refused(weir, &["silence", "end", "7", "--person", "Li Na"], &["there is no silence 7"]);
    done(weir, &["silence", "end", "1", "--person", "Li Na"]);
    until("it is silenced no more", || open(weir, &[]).len() == 2);
    assert!(done(weir, &["silence", "ls"]).contains("nothing is silenced"));
    let most = ["silence", "--severity", "critical"];
    refused(weir, &[&most[..], &why].concat(), &["a `--severity` less than critical"]);
    let wrong = ["silence", "--place", "puhe", "--severity", "warnings"];
    refused(weir, &[&wrong[..], &why].concat(), &["no severity is called", "is `warning`"]);
    let puhe = ["silence", "--place", "puhe", "--property", "DO", "--severity", "warning"];
    done(weir, &[&puhe[..], &why].concat());
    until("both are silenced", || open(weir, &[]).is_empty());
    done(weir, &["silence", "end", "2", "--person", "Li Na"]);
    until("they are silenced no more", || open(weir, &[]).len() == 2);
}

fn shown(weir: &Weir) {
    until("the answer is kept", || done(weir, &["show", "1"]).contains("  confirmed "));
    let shown = done(weir, &["show", "1"]);
    for want in [
        "alert 1, warning: acknowledged by Li Na until ",
        "Puhe at Huishan",
        "蒲河辉山",
        "water-exceedance, route environment",
        "3 mg/L GB 3838-2002 table 1",
        "acknowledged  by Li Na until ",
        ": on the way",
        "comment       by Wang Wei for Zhao: no outfall",
    ] {
        assert!(shown.contains(want), "no `{want}` in\n{shown}");
    }
    let json: Value = serde_json::from_str(&done(weir, &["show", "1", "--json"])).unwrap();
    assert_eq!(json["acts"].as_array().unwrap().len(), 2);
    assert_eq!(json["open"]["acknowledged"]["person"], "Li Na");
    refused(weir, &["show", "77"], &["the journal has no alert 77"]);
}

/// The same seeds would have given the same alerts; the daemon works on meanwhile.
fn replayed(weir: &Weir) {
    let hours =
        |hours: i64| (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(hours)).to_string();
    let (from, to) = (hours(-2), hours(1));
    let (done, said) = weir.command(&["replay", "--from", &from, "--to", &to]);
    assert!(done, "{said}");
    assert!(
        said.contains("0 new, 0 no more, 0 otherwise, ") && said.contains("; 40 messages"),
        "{said}"
    );
    let (_, said) = weir.command(&["replay", "--from", &from, "--to", &to, "--json"]);
    let json: Value = serde_json::from_str(&said).unwrap();
    assert!(json["same"].as_u64().unwrap() >= 2 && json["differences"] == serde_json::json!([]));
    let seeds = weir.folder().join("other");
    peer::copy(&weir.folder().join("seeds"), &seeds);
    let rules = std::fs::read_to_string(seeds.join("rules.csv")).unwrap();
    let longer = rules.replace("water,exceedance,raw,,10m", "water,exceedance,raw,,15m");
    assert_ne!(rules, longer);
    std::fs::write(seeds.join("rules.csv"), longer).unwrap();
    let seeds = seeds.display().to_string();
    let (_, said) = weir.command(&["replay", "--from", &from, "--to", &to, "--seeds", &seeds]);
    assert!(
        said.contains("0 new, 0 no more, 2 otherwise") && said.contains("\n    fired "),
        "{said}"
    );
}
