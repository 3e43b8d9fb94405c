//! What persons say of values, from the shell to the database: it is judged at once, it is in the
//! journal before the shell hears of it, and it can be taken back.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod peer;

use weir::domain::input::Qos;
use weir::domain::time::MINUTE;
use weir::mqtt::publisher::Publisher;

use peer::{Influx, Mosquitto, Weir, until};

/// Half past eleven of a June morning in Shenyang.
const START: &str = "2026-06-02T11:30:00+08:00";
const INVALIDATE: [&str; 14] = [
    "qc",
    "invalidate",
    "--station",
    "puhe-huishan",
    "--property",
    "DO",
    "--from",
    "2026-06-02T11:02",
    "--to",
    "2026-06-02T11:05",
    "--person",
    "Li Na",
    "--reason",
    "probe in the bucket",
];

struct Run {
    weir: Weir,
    influx: Influx,
    publisher: Publisher,
    _broker: Mosquitto,
}

impl Run {
    async fn new() -> Self {
        let (broker, influx) = (Mosquitto::start(""), Influx::start());
        let mut weir = Weir::install(&broker.url(), &influx.config());
        start(&mut weir);
        let publisher = Publisher::connect(&broker.url(), "station").unwrap();
        Self { weir, influx, publisher, _broker: broker }
    }

    /// Sends the oxygen of so many minutes after eleven.
    async fn send(&self, minutes: std::ops::Range<i64>) {
        let eleven = at("2026-06-02T11:00:00+08:00");
        for minute in minutes {
            let payload = format!("{{\"ts\":{},\"do\":7.1}}", eleven + minute * MINUTE);
            let topic = "water/sonde-01/data";
            let sent = payload.into_bytes();
            self.publisher.publish(topic, sent, Qos::AtLeastOnce, false).await.unwrap();
        }
        self.publisher.flush().await;
    }

    /// Gives the flag of each minute after eleven that has a value; what has none of its own passed.
    fn flags(&self) -> Vec<i64> {
        let rows = self.influx.query(
            "SELECT dissolved_oxygen, dissolved_oxygen_qc FROM water \
             WHERE station='puhe-huishan' ORDER BY time",
        );
        rows.iter().map(|row| row[2].as_i64().unwrap_or(1)).collect()
    }

    #[track_caller]
    fn shows(&self, want: &[i64]) {
        until(&format!("{want:?}, not {:?}", self.flags()), || self.flags() == want);
    }

    #[track_caller]
    fn says(&self, arguments: &[&str], done: bool, words: &[&str]) {
        let (succeeded, told) = self.weir.command(arguments);
        assert_eq!(succeeded, done, "{told}");
        for word in words {
            assert!(told.contains(word), "no `{word}` in: {told}");
        }
    }
}

fn at(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

fn start(weir: &mut Weir) {
    weir.start_with(&["--clock-start", START]);
    until("weir", || peer::get(weir.page(), "/ready").0 == 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_says_is_judged_at_once_outlives_a_kill_and_is_taken_back() {
    let mut run = Run::new().await;
    run.send(0..8).await;
    run.shows(&[1; 8]);
    let said = ["invalidation 1 of puhe-huishan", "3 values that are held"];
    run.says(&INVALIDATE, true, &said);
    run.shows(&[1, 1, 4, 4, 4, 1, 1, 1]);

    // It was committed before the shell heard of it.
    run.weir.kill();
    start(&mut run.weir);
    let list = ["Li Na", "probe in the bucket", "dissolved_oxygen", "fail"];
    until("the view", || run.weir.command(&["qc", "list"]).1.contains("Li Na"));
    run.says(&["qc", "list", "--station", "puhe-huishan"], true, &list);
    run.says(&["qc", "list", "--station", "puhe-daoyi"], true, &["nothing is said"]);
    let revoke = ["qc", "revoke", "1", "--person", "Li Na", "--reason", "it was sonde 2"];
    run.says(&revoke, true, &["1 of puhe-huishan is revoked", "3 values that are held"]);
    run.shows(&[1; 8]);
    run.says(&revoke, false, &["revoked already, by Li Na"]);
    until("the view", || run.weir.command(&["qc", "list"]).1.contains("nothing is said"));
    run.says(&["qc", "list", "--all"], true, &["revoked by Li Na", "it was sonde 2"]);

    // In doubt, and for a time to come; a whole day of weeks ago, of which nothing is kept.
    let mut doubted = INVALIDATE.to_vec();
    doubted[9] = "2026-06-02T11:20";
    doubted.extend(["--flag", "suspect"]);
    run.says(&doubted, true, &["invalidation 2", "6 values"]);
    doubted[7] = "2026-06-02T11:07";
    run.says(&doubted, true, &["invalidation 3"]);
    run.send(8..10).await;
    run.shows(&[1, 1, 3, 3, 3, 3, 3, 3, 3, 3]);
    let mut old = INVALIDATE.to_vec();
    (old[7], old[9]) = ("2026-05-01", "2026-05-02");
    let words = ["0 values", "2026-04-30 to 2026-05-03 are recomputed", "stay as they are"];
    run.says(&old, true, &words);
    what_is_wrong_is_told_with_its_mend(&run);
    run.weir.stop();
    run.says(&INVALIDATE, false, &["no weir is at work"]);
}

fn what_is_wrong_is_told_with_its_mend(run: &Run) {
    for (place, text, words) in [
        (3, "puhe-huisan", "the nearest is `puhe-huishan`"),
        (5, "gold", "no property is called `gold`"),
        (5, "PM10", "nothing of it is measured; puhe-huishan has puhe-huishan/"),
        (7, "yesterday", "expected a time"),
        (9, "2026-06-02T11:02", "the end is not after the beginning"),
        (9, "2028-06-02", "more than 366 days"),
        (11, " ", "the person is a line of 1 to 180 bytes"),
        (13, "two\nlines", "the reason is a line of 1 to 900 bytes"),
    ] {
        let mut wrong = INVALIDATE.to_vec();
        wrong[place] = text;
        run.says(&wrong, false, &[words]);
    }
    let revoke = ["qc", "revoke", "77", "--person", "Li Na", "--reason", "none"];
    run.says(&revoke, false, &["there is no invalidation 77"]);
    run.says(&["qc", "list", "--station", "puhe-huisan"], false, &["`puhe-huishan`"]);
}

/// A check of the oxygen at Huishan, with what it found and when.
fn check<'a>(value: &'a str, at: &'a str) -> Vec<&'a str> {
    let of = ["qc", "check", "--station", "puhe-huishan", "--property", "DO"];
    let found = ["--kind", "standard_sample", "--value", value, "--standard", "7.1"];
    [&of[..], &found, &["--at", at, "--person", "Li Na"]].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_entered_by_hand_puts_values_in_question_until_the_next_one_passes() {
    let mut run = Run::new().await;
    run.send(0..6).await;
    run.shows(&[1; 6]);
    let sound = check("7.4", "2026-06-02T11:02");
    run.says(&sound, true, &["standard sample of 2026-06-02T11:02:00+08:00", "passed", "0 values"]);
    let mut failed = check("7.9", "2026-06-02T11:05:30");
    failed.extend(["--reason", "a fresh bottle"]);
    let words = ["7.9 against 7.1 ± 0.3 mg/L: failed; invalidation 1: from 2026-06-02T11:02"];
    run.says(&failed, true, &[words[0], "4 values that are held"]);
    run.shows(&[1, 1, 3, 3, 3, 3]);

    // It was committed before the shell heard of it; what comes until the next check is doubted.
    run.weir.kill();
    start(&mut run.weir);
    run.send(6..8).await;
    run.shows(&[1, 1, 3, 3, 3, 3, 3, 3]);
    let list = || run.weir.command(&["qc", "list"]).1;
    until("the view", || list().contains("a fresh bottle"));
    let words = ["standard sample of 2026-06-02T11:05:30+08:00 failed", "suspect", "Li Na"];
    run.says(&["qc", "list"], true, &words);
    let explain = ["qc", "explain", "puhe-huishan", "DO", "2026-06-02T11:03"];
    run.says(&explain, true, &["control_check: 3 suspect – 1 of", "7.9 against 7.1 ± 0.3 mg/L"]);
    let again = check("7.9", "2026-06-02T11:05:30");
    run.says(&again, true, &["invalidation 1", "0 values that are held"]);
    run.says(&check("7.0", "2026-06-02T11:06:30"), true, &["passed", "1 values that are held"]);
    run.shows(&[1, 1, 3, 3, 3, 3, 3, 1]);
    let revoke = ["qc", "revoke", "1", "--person", "Wang", "--reason", "not shaken"];
    run.says(&revoke, true, &["1 of puhe-huishan is revoked", "5 values"]);
    run.shows(&[1; 8]);

    // Weeks ago, of which nothing is kept.
    let old = check("9.9", "2026-05-01T08:00");
    run.says(&old, true, &["failed; invalidation 2", "2026-03-31 to 2026-06-02 are"]);
    for (place, text, words) in [
        (3, "puhe-huisan", "the nearest is `puhe-huishan`"),
        (5, "gold", "no property is called `gold`"),
        (5, "PM10", "it is not measured there"),
        (5, "TP", "give --standard"),
        (7, "zero", "no row of checks.csv says how a zero check of dissolved_oxygen is judged"),
        (9, "NaN", "expected a number"),
        (13, "yesterday", "expected a time"),
        (13, "2026-06-02T11:59", "yet to come"),
        (13, "2020-01-01", "more than 800 days ago"),
        (15, " ", "the person is a line of 1 to 180 bytes"),
    ] {
        let mut wrong = sound.clone();
        wrong[place] = text;
        if text == "TP" {
            wrong.drain(10..12);
        }
        run.says(&wrong, false, &[words]);
    }
    run.weir.stop();
    run.says(&sound, false, &["no weir is at work"]);
}
