//! Tables of laboratories and loggers, from the shell to the database: ledgered, known when they
//! come again, without an alert, and the days that they touch are made again.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod peer;

use std::fmt::Write as _;
use std::fs;
use std::process::{Command, Stdio};

use peer::{Hook, Influx, Mosquitto, Weir, until};

const BEGIN: &str = "2026-05-31T12:00:00+08:00";
/// Two days and a half later: the first of June is closed.
const LATER: &str = "2026-06-03T12:00:00+08:00";
const TABLE: &str = "time,NH3-N,TP,Hg,method,person\n\
                     2026-06-01 09:30,2.31,0.12,0.04L,HJ 535-2009,Li Na\n\
                     2026-06-03 08:30,1.82,0.12,ND,HJ 535-2009,Li Na\n";

struct Run {
    weir: Weir,
    influx: Influx,
    hook: Hook,
    _broker: Mosquitto,
}

impl Run {
    fn new() -> Self {
        let (broker, influx, hook) = (Mosquitto::start(""), Influx::start(), Hook::start());
        let more = format!("{}{}", influx.config(), hook.config());
        let mut weir = Weir::install(&broker.url(), &more);
        // The journal begins before what is imported.
        start(&mut weir, BEGIN, "1");
        weir.stop();
        Self { weir, influx, hook, _broker: broker }
    }

    fn table(&self, name: &str, text: &str) -> String {
        let path = self.weir.folder().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    #[track_caller]
    fn says(&self, arguments: &[&str], done: bool, words: &[&str]) {
        let (succeeded, told) = self.weir.command(arguments);
        assert_eq!(succeeded, done, "{told}");
        for word in words {
            assert!(told.contains(word), "no `{word}` in: {told}");
        }
    }

    fn class_of_the_first(&self) -> Vec<String> {
        let query = "SELECT class FROM assessment WHERE subject='water_class' AND \
                     station='hunhe-dongling' AND period='24h' AND \
                     time >= '2026-05-31T16:00:00Z' AND time < '2026-06-01T16:00:00Z'";
        self.influx.query(query).iter().map(|row| row[1].as_str().unwrap().to_owned()).collect()
    }
}

fn start(weir: &mut Weir, at: &str, speed: &str) {
    weir.start_with(&["--clock-start", at, "--speed", speed]);
    until("weir", || peer::get(weir.page(), "/ready").0 == 200);
}

#[test]
fn a_laboratorys_table_is_history_and_known_when_it_comes_again() {
    let mut run = Run::new();
    let file = run.table("june.csv", TABLE);
    let import = ["import", &file, "--station", "hunhe-dongling"];
    run.says(&import, false, &["no weir is at work", "then import again"]);
    let mut dry = import.to_vec();
    dry.push("--dry-run");
    let words = ["column `Hg` is channel `Hg`: mercury", "6 read = 6 stored"];
    run.says(&dry, true, &words);

    start(&mut run.weir, LATER, "200");
    run.says(&import, true, &["2 rows, 6 read = 6 stored + 0 rejected + 0 duplicate"]);
    run.says(&import, true, &["2 rows, 6 read = 0 stored + 0 rejected + 6 duplicate"]);
    let query = "SELECT ammonia_nitrogen, mercury, mercury_censored FROM water \
                 WHERE station='hunhe-dongling' ORDER BY time";
    until("two points", || run.influx.query(query).len() == 2);
    let points = run.influx.query(query);
    assert_eq!((points[0][1].as_f64(), points[1][1].as_f64()), (Some(2.31), Some(1.82)));
    assert_eq!(points[0][3].as_str(), Some("<"));
    // 2.31 mg/L is worse than class V; the day is made again, as the seeds have it.
    until("the class of the day", || run.class_of_the_first() == ["worse than V"]);
    run.says(&import, true, &["6 duplicate"]);
    let told: Vec<String> =
        run.hook.got().iter().map(|(_, body)| body["commonLabels"].to_string()).collect();
    assert!(!told.iter().any(|labels| labels.contains("exceedance")), "{told:?}");
    run.weir.stop();
    assert_eq!(run.weir.ledger()["balances"], true);
    assert_eq!(run.weir.count("/total/readings/stored"), 6);
    assert_eq!(run.weir.count("/total/readings/duplicate"), 12);
}

#[test]
fn a_bad_table_ends_as_dead_letters_that_say_where_and_can_be_run_again() {
    let mut run = Run::new();
    start(&mut run.weir, LATER, "1");
    let text = "time,property,value,unit\n2026-06-01 09:30,NH3-N,2.31,\n\
                2026-06-01 09:30,TP,lost,\n2026-06-01 09:30,Hg,1,ppq\n2026-06-01,TP\n";
    let file = run.table("bad.csv", text);
    let import = ["import", &file, "--station", "hunhe-dongling"];
    let words = [
        "bad.csv:3: column `value`: found \"lost\"",
        "bad.csv:4: column `value`: unit `ppq`",
        "bad.csv:5: found a row of 2 cells, expected 4, as in the head",
        "4 rows, 4 read = 1 stored + 3 rejected + 0 duplicate",
    ];
    run.says(&import, false, &words);
    run.says(&import, false, &["4 read = 0 stored + 3 rejected + 1 duplicate"]);
    let head = run.table("head.csv", "time,gold\n2026-06-01,1\n");
    let import = ["import", &head, "--station", "hunhe-dongling"];
    run.says(&import, false, &["head.csv:1: found column `gold`", "nothing was imported"]);
    let long = run.table("long.csv", "time,property,value\n2026-06-01,gold,1\n2026-06-01,TN,1\n");
    let import = ["import", &long, "--station", "hunhe-dongling"];
    run.says(&import, false, &["long.csv:2: found property `gold`", "nothing was imported"]);
    let ignoring = [&import[..], &["--ignore", "gold"]].concat();
    run.says(&ignoring, true, &["2 rows, 1 read = 1 stored"]);

    // The seeds learn the unit; what was turned away is run again and stored.
    let seeds = run.weir.folder().join("seeds");
    let path = seeds.join("units.csv");
    let row = "ppq,mass_concentration,0.000001,0,,\n";
    fs::write(&path, fs::read_to_string(&path).unwrap() + row).unwrap();
    let folder = seeds.display().to_string();
    run.says(&["seeds", "apply", &folder], true, &["the edition is in force"]);
    run.says(&["dead-letters", "retry", "--all"], true, &["6 tried, 2 ended well"]);
    let query = "SELECT mercury FROM water WHERE station='hunhe-dongling'";
    until("the point", || run.influx.query(query).len() == 1);
    assert_eq!(run.weir.ledger()["balances"], true);
    run.weir.stop();
}

#[test]
fn an_import_that_a_kill_ended_goes_on_where_it_was() {
    let mut run = Run::new();
    start(&mut run.weir, LATER, "1");
    let mut text = String::from("time,pH,do\n");
    let begin: jiff::civil::DateTime = "2025-06-01T00:00:00".parse().unwrap();
    for minute in 0..30_000_i64 {
        let at = begin + jiff::Span::new().minutes(minute);
        writeln!(text, "{at},7.{},6.{}", minute % 89, minute % 97).unwrap();
    }
    let file = run.table("logger.csv", &text);
    let config = run.weir.folder().join("weir.toml");
    let import = ["import", &file, "--station", "puhe-daoyi", "--device", "sonde-02"];
    let begun = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(import)
        .args(["--config".as_ref(), config.as_os_str()])
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // A request has eight parts: four days, of 2,880 values each.
    until("an answer", || run.weir.count("/total/readings/stored") > 11_520);
    run.weir.kill();
    let ended = begun.wait_with_output().unwrap();
    assert!(!ended.status.success(), "it was through before the kill");
    let told = String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat()).into_owned();
    for words in ["so far: ", " stored + 0 rejected + 0 duplicate", "import again: what "] {
        assert!(told.contains(words), "no `{words}` in {told}");
    }
    start(&mut run.weir, LATER, "1");
    let before = run.weir.count("/total/readings/stored");
    assert!(before < 60_000, "{before}");
    let (done, told) = run.weir.command(&import);
    assert!(done, "{told}");
    let stored = 60_000 - before;
    assert!(
        told.contains(&format!("60000 read = {stored} stored + 0 rejected + {before}")),
        "{told}"
    );
    run.says(&import, true, &["60000 read = 0 stored + 0 rejected + 60000 duplicate"]);
    assert_eq!(run.weir.count("/total/readings/stored"), 60_000);
    run.weir.stop();
    assert_eq!(run.weir.ledger()["balances"], true);
}
