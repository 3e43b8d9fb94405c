//! `weir replay`: a journal played by the seeds of then and by other ones.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::path::Path;
use std::sync::Arc;

use jiff::tz::TimeZone;
use tempfile::TempDir;
use weir::daemon::alerts::replay::{Asked, Compared, Difference, Error, compare};
use weir::daemon::check;
use weir::daemon::edition::Edition;
use weir::domain::input::{Arrival, Condition, Input, Message, Qos};
use weir::domain::name::{Names, NetworkId};
use weir::domain::time::{DAY, HOUR, MINUTE, Moment, Timestamp};
use weir::journal::Config;
use weir::journal::batch::{Batch, EditionRow};
use weir::journal::write::Journal;
use weir::seed::lay_over;

/// The sonde of `puhe-daoyi`.
const SONDE: &str = "water/sonde-02/data";

fn example() -> Edition {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    check::edition(&root.join("config/weir.toml")).unwrap().edition
}

/// The example with rows laid over its rules.
fn with_rules(rows: &str) -> Edition {
    let mut edition = example();
    let head = "rule,scope,kind,of,pending,keep,hysteresis,intervals,severity,source\n";
    lay_over(&mut edition.tables, "rules.csv", &format!("{head}{rows}")).unwrap();
    edition
}

/// A journal on its way.
struct Past {
    folder: TempDir,
    journal: Journal,
    start: Timestamp,
    rivers: NetworkId,
}

impl Past {
    fn begin(edition: &Edition) -> Self {
        let start =
            Timestamp("2026-06-01T00:00:00Z".parse::<jiff::Timestamp>().unwrap().as_millisecond());
        let folder = TempDir::new().unwrap();
        let journal = Journal::open(&Config::at(folder.path()), start).unwrap();
        let mut names = Names::default();
        let registry = edition.compile(&mut names).unwrap();
        let rivers = registry.network_called("rivers").unwrap();
        let mut past = Self { folder, journal, start, rivers };
        let digest = registry.digest.clone();
        let tables = edition.to_bytes();
        let editions = vec![EditionRow { digest, taken_at: start, tables }];
        let batch = Batch { names: names.take_fresh(), editions, ..Batch::default() };
        past.commit(batch, 0, Input::Edition(Arc::clone(&registry)));
        past.commit(Batch::default(), 0, Input::Condition(Condition::Connected(rivers)));
        past
    }

    fn commit(&mut self, mut batch: Batch, ms: i64, input: Input<'_>) {
        let at = Moment { wall: self.start.plus(ms), elapsed_ms: ms };
        batch.at = at.wall;
        batch.inputs.push(&Arrival { at, input });
        self.journal.commit(&batch).unwrap();
    }

    /// Has a value come at a minute.
    fn say(&mut self, topic: &str, minute: i64, channel: &str, value: f64) {
        let ms = minute * MINUTE;
        let payload = format!("{{\"ts\":{},\"{channel}\":{value}}}", self.start.plus(ms).millis());
        let message = Message {
            network: self.rivers,
            packet_id: 1,
            dup: false,
            retain: false,
            qos: Qos::AtMostOnce,
            topic: topic.as_bytes(),
            payload: payload.as_bytes(),
            fault: None,
        };
        self.commit(Batch::default(), ms, Input::Message(message));
    }

    /// Has oxygen come each minute, low from one minute to another.
    fn oxygen(&mut self, minutes: i64, low: std::ops::Range<i64>) {
        for minute in 0..minutes {
            let value = if low.contains(&minute) { 2.4 } else { 6.0 + 0.01 * minute as f64 };
            self.say(SONDE, minute, "do", value);
        }
    }

    fn compare(&self, edition: &Edition, (from, to): (i64, i64)) -> Result<Compared, Error> {
        let (from, to) = (self.start.plus(from), self.start.plus(to));
        let (data_folder, home) = (self.folder.path(), TimeZone::UTC);
        compare(&Asked { data_folder, edition, from, to, home: &home }, &mut |_| {})
    }

    /// Gives the differences of the stations that spoke, a line each.
    fn told(&self, edition: &Edition) -> Vec<String> {
        let compared = self.compare(edition, (0, DAY)).unwrap();
        let lines = compared.differences.iter().filter(|one| one.episode().of.contains("daoyi"));
        lines
            .map(|one| {
                let episode = one.episode();
                let fired = episode.fired.since(self.start) / MINUTE;
                let differ = match one {
                    Difference::Other(_, differ) => format!(": {}", differ.join("; ")),
                    Difference::New(_) | Difference::NoMore(_) => String::new(),
                };
                format!("{} {} {} {fired}{differ}", one.sign(), episode.of, episode.severity.word())
            })
            .collect()
    }
}

#[test]
fn the_same_seeds_give_the_same_alerts_and_nothing_is_written() {
    let edition = example();
    let mut past = Past::begin(&edition);
    past.oxygen(120, 20..60);
    let compared = past.compare(&edition, (0, DAY)).unwrap();
    assert_eq!(compared.differences, []);
    assert!(compared.same > 0, "the alert about oxygen is in both");
    assert_eq!(compared.messages, 120);
    let before = past.journal_bytes();
    past.compare(&with_rules(""), (0, DAY)).unwrap();
    assert_eq!(before, past.journal_bytes());
}

impl Past {
    fn journal_bytes(&self) -> Vec<u8> {
        std::fs::read(self.folder.path().join("journal.sqlite")).unwrap()
    }
}

#[test]
fn other_rules_give_more_alerts_none_or_others() {
    let mut past = Past::begin(&example());
    past.oxygen(180, 20..60);
    let longer = "water-exceedance,medium:water,exceedance,raw,2h,30m,0.05,,warning,a test\n";
    assert_eq!(past.told(&with_rules(longer)), ["- puhe-daoyi/dissolved_oxygen warning 30"]);
    let sooner = "puhe,place:puhe,exceedance,raw,5m,30m,0.05,,critical,a test\n";
    let told = past.told(&with_rules(sooner));
    assert_eq!(told.len(), 1, "{told:?}");
    let want = "~ puhe-daoyi/dissolved_oxygen critical 25: fired 2026-06-01T00:25:00+00:00, was \
                2026-06-01T00:30:00+00:00; rule puhe, was water-exceedance; severity critical, was \
                warning";
    assert_eq!(told[0], want);
}

#[test]
fn a_silence_that_nobody_had_asked_for_is_found() {
    let mut past = Past::begin(&example());
    past.oxygen(30, 0..0);
    for minute in 33..60 {
        past.say(SONDE, minute, "do", 7.0);
    }
    let sooner = "daoyi,datastream:puhe-daoyi/dissolved_oxygen,silence,,,,,2,notice,a test\n";
    let told = past.told(&with_rules(sooner));
    assert!(told.iter().any(|line| line.starts_with("+ puhe-daoyi notice 31")), "{told:?}");
}

#[test]
fn what_the_journal_has_let_go_is_said() {
    let edition = example();
    let mut past = Past::begin(&edition);
    past.say(SONDE, 1, "do", 7.0);
    for _ in 0..2 {
        let snapshot = past.journal.begin_snapshot(past.start.plus(DAY)).unwrap();
        past.journal.finish_snapshot(snapshot, &closing(&edition)).unwrap();
    }
    let later = 40 * DAY / MINUTE;
    for minute in 0..180 {
        past.say(SONDE, later + 27 * 60 + minute, "do", if minute < 60 { 2.4 } else { 7.0 });
    }
    past.journal.tidy(past.start.plus(50 * DAY)).unwrap();
    let gone = past.compare(&edition, (DAY, 2 * DAY));
    let words = gone.unwrap_err().to_string();
    assert!(
        words.contains("raw messages are kept since 2026-07-12T03:00:00+00:00 only"),
        "{words}"
    );
    assert!(words.contains("from 2026-07-13T05:00:00+00:00 on"), "{words}");
    let part = past.compare(&edition, (DAY, 50 * DAY));
    let part = part.map_err(|error| error.to_string()).unwrap();
    assert_eq!(part.raw_since, Some(past.start.plus(41 * DAY + 3 * HOUR)));
    assert_eq!(part.from, past.start.plus(42 * DAY + 5 * HOUR));
    let words = past.compare(&edition, (DAY, DAY)).unwrap_err().to_string();
    assert!(words.contains("`--from` before `--to`"), "{words}");
}

/// What a snapshot of a weir without history closes with.
fn closing(edition: &Edition) -> Vec<u8> {
    let registry = edition.compile(&mut Names::default()).unwrap();
    let pipeline = weir::pipeline::Pipeline::new(Arc::clone(&registry), Moment::default());
    weir::pipeline::snapshot::closing(pipeline.state(), &registry.digest, Moment::default())
}
