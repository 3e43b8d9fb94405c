//! The promise under faults of the database, of the receiver of notifications and of the clock:
//! the program between real peers, judged by the oracle of `tests/oracle/`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, reason = "a test asks its own clock")]

mod faked_clock;
mod http_proxy;
mod oracle;
mod peer;
mod proxy;

use std::time::{Duration, Instant};

use faked_clock::{FakedClock, Stepped};
use http_proxy::{HttpProxy, Mode};
use oracle::control::Control;
use oracle::load::{Pace, Publisher, STATIONS, Sent};
use oracle::{Report, Scene, judge};
use peer::{Hook, Influx, Mosquitto, Weir, get};
use proxy::Proxy;

/// A number from the environment.
fn number<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Enough for a run in which hours pass, and within what is late.
const EARLIER: Pace = Pace { ago_h: 20, ..Pace::CALM };

/// weir at work between its peers, with stations that speak.
struct Site {
    broker: Mosquitto,
    line: Proxy,
    influx: Influx,
    database: HttpProxy,
    hook: Hook,
    receiver: HttpProxy,
    weir: Weir,
    control: Control,
    publisher: Option<Publisher>,
    sent: Vec<Sent>,
    clock: Option<FakedClock>,
    kills: usize,
}

impl Site {
    fn start(pace: Pace, stepped: Option<Stepped>) -> Self {
        let (broker, influx, hook) = (Mosquitto::start(""), Influx::start(), Hook::start());
        Self::between(broker, influx, hook, pace, stepped)
    }

    fn between(
        broker: Mosquitto,
        influx: Influx,
        hook: Hook,
        pace: Pace,
        stepped: Option<Stepped>,
    ) -> Self {
        let line = Proxy::start(broker.port());
        let (database, receiver) = (HttpProxy::start(influx.port()), HttpProxy::start(hook.port()));
        let through = |config: String, from: u16, to: u16, timeout_s: u32| {
            let ports = config.replace(&format!(":{from}"), &format!(":{to}"));
            format!("{ports}timeout_s = {timeout_s}\n")
        };
        let more = [
            through(influx.config(), influx.port(), database.port(), 2),
            through(hook.config(), hook.port(), receiver.port(), 2),
        ];
        let mut weir = Weir::install(&line.url(), &more.concat());
        let clock = stepped.map(FakedClock::new);
        if let Some(clock) = &clock {
            weir.surround(clock.environment());
        }
        weir.start();
        let control = Control::start(broker.port());
        let publisher = Publisher::start(broker.port(), pace);
        publisher.more(200);
        let (publisher, sent, kills) = (Some(publisher), Vec::new(), 0);
        Self {
            broker,
            line,
            influx,
            database,
            hook,
            receiver,
            weir,
            control,
            publisher,
            sent,
            clock,
            kills,
        }
    }

    /// Waits for so many more messages.
    #[track_caller]
    fn more(&self, count: usize) {
        self.publisher.as_ref().unwrap().more(count);
    }

    /// Sends no more.
    fn hush(&mut self) {
        if let Some(mut publisher) = self.publisher.take() {
            self.sent.extend(publisher.finish());
        }
    }

    /// Sets the clock forth. A request that is under way would time out by that, and be made again:
    /// what was caused so far is answered first.
    fn step(&self, seconds: i64) {
        std::thread::sleep(Duration::from_millis(500));
        self.clock.as_ref().unwrap().step(seconds);
    }

    fn kill(&mut self) {
        self.weir.kill();
        self.weir.start_with(&[]);
        self.kills += 1;
    }

    #[track_caller]
    fn within(&self, seconds: u64, what: &str, mut holds: impl FnMut() -> bool) {
        let start = Instant::now();
        while !holds() {
            let in_time = start.elapsed() < Duration::from_secs(seconds);
            assert!(in_time, "waited in vain for {what}; the log of weir:\n{}", self.weir.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What the page says is wrong with the database.
    fn said(&self) -> String {
        let sinks = get(self.weir.page(), "/api/v1/sinks").1;
        let sinks: serde_json::Value = serde_json::from_str(&sinks).unwrap_or_default();
        sinks.pointer("/value/0/fault").and_then(|fault| fault.as_str()).unwrap_or("").to_owned()
    }

    fn metric(&self, name: &str) -> f64 {
        let metrics = get(self.weir.page(), "/metrics").1;
        let line = format!("{name}{{}} ");
        let found = metrics.lines().find_map(|one| one.strip_prefix(&line)?.parse().ok());
        found.unwrap_or_else(|| panic!("no metric {name} in {metrics}"))
    }

    /// How often the log says something.
    fn logged(&self, words: &str) -> usize {
        self.weir.log().matches(words).count()
    }

    /// What the webhook was told of something, in order.
    fn told(&self, label: &str, value: &str) -> Vec<String> {
        let about = |body: &serde_json::Value| body["commonLabels"][label] == value;
        let got = self.hook.got().into_iter().filter(|(_, body)| about(body));
        got.map(|(_, body)| body["status"].as_str().unwrap().to_owned()).collect()
    }

    /// Who was told to be silent, station or network, but for the parks, of which nothing comes.
    fn silent(&self) -> Vec<String> {
        let text = |of: &serde_json::Value, key: &str| of[key].as_str().map(str::to_owned);
        let of_silence = |(_, body): (String, serde_json::Value)| {
            let of = &body["commonLabels"];
            (of["kind"] == "silence").then(|| text(of, "station").or(text(of, "network")))?
        };
        let got = self.hook.got().into_iter().filter_map(of_silence);
        got.filter(|who| who != "parks").collect()
    }

    /// Waits until a condition of weir itself was told so often, each beginning with its end.
    #[track_caller]
    fn until_told(&self, condition: &str, changes: usize) {
        self.within(60, condition, || self.told("condition", condition).len() >= changes);
        self.tells(condition, changes);
    }

    #[track_caller]
    fn tells(&self, condition: &str, changes: usize) {
        let turns = ["firing", "resolved"].into_iter().cycle().take(changes).collect::<Vec<_>>();
        assert_eq!(self.told("condition", condition), turns, "{}", self.weir.log());
    }

    #[track_caller]
    fn until_delivered(&self) {
        self.within(90, "the database", || self.said().is_empty());
    }

    /// Waits for the last message, and lets the oracle judge.
    #[track_caller]
    fn judge(self) -> Report {
        self.judge_without(&[]).0
    }

    /// The same, where the database refuses some fields; gives the ledger too.
    #[track_caller]
    fn judge_without(mut self, refused: &[&str]) -> (Report, serde_json::Value) {
        self.hush();
        let control = self.control.finish();
        let report = judge(Scene {
            sent: &self.sent,
            control: &control,
            weir: &mut self.weir,
            influx: &self.influx,
            hook: &self.hook,
            kills: self.kills,
            acknowledged: None,
            deliveries: None,
            refused,
        });
        (report, self.weir.ledger())
    }
}

/// One fault of a database that takes nothing: what it does, and what weir says of it.
type Taking = (Mode, &'static str);

/// One after the other: each is said once in the log with what to do, stands on the page, is told
/// after a minute, and so is its end.
#[track_caller]
fn check_taking_nothing(faults: &[Taking]) -> Report {
    let site = Site::start(EARLIER, Some(Stepped::Both));
    for (place, (mode, said)) in faults.iter().enumerate() {
        site.more(40);
        site.until_delivered();
        let logged = site.logged("InfluxDB takes no points");
        site.database.set(*mode);
        site.within(60, said, || site.said().contains(said));
        assert_eq!(site.logged("InfluxDB takes no points"), logged + 1, "{}", site.weir.log());
        site.within(60, said, || site.logged(said) == 1);
        site.more(40);
        site.within(30, "points that wait", || site.metric("weir_points_waiting") > 0.0);
        // What weir takes is safe, so it goes on taking.
        for door in ["/health", "/ready", "/?lang=en"] {
            site.within(30, door, || get(site.weir.page(), door).0 == 200);
        }
        assert_eq!(site.told("condition", "sink_away").len(), 2 * place);
        site.step(61);
        site.until_told("sink_away", 2 * place + 1);
        site.database.set(Mode::Pass);
        // It may have asked for minutes.
        site.step(601);
        site.until_told("sink_away", 2 * place + 2);
        site.within(60, "its end", || site.logged("InfluxDB takes points again") == place + 1);
        site.within(60, "points", || site.said().is_empty());
    }
    site.more(100);
    site.tells("sink_away", 2 * faults.len());
    site.judge()
}

#[test]
fn a_database_that_answers_no_discards_nothing_and_is_told() {
    let json = "Content-Type: application/json\r\n";
    let report = check_taking_nothing(&[
        (Mode::Answer("400 Bad Request", "", "<h1>What?</h1>"), "What?</h1>`; look at influx.url"),
        (Mode::Answer("400 Bad Request", json, r#"{"error":"Bad Request {n}"}"#), "Bad Request "),
        (
            Mode::Answer("401 Unauthorized", json, r#"{"error":"authorization failed"}"#),
            "mend the token (influx.token_file)",
        ),
        (
            Mode::Answer("403 Forbidden", json, r#"{"error":"\"u\" user is not authorized"}"#),
            "give the token leave",
        ),
        (Mode::Renamed, "database not found: \\\"renamed\\\"\"}`; mend influx.bucket"),
        (Mode::Limit(0), "takes no bodies of this size"),
    ]);
    println!("the database answers no: {report}");
}

#[test]
fn a_database_that_is_ill_discards_nothing_and_is_told() {
    let json = "Content-Type: application/json\r\n";
    let report = check_taking_nothing(&[
        (
            Mode::Answer("429 Too Many Requests", "Retry-After: 600\r\n", "{n} is too many"),
            "it wants fewer requests",
        ),
        (
            Mode::Answer("500 Internal Server Error", json, r#"{"error":"timeout {n}"}"#),
            "look at the log of the database",
        ),
        (
            Mode::Answer("503 Service Unavailable", "Retry-After: 1\r\n", "<h1>{n}</h1>"),
            "answered 503",
        ),
        (
            Mode::Answer("200 OK", "Content-Type: text/html\r\n", "<p>Your credit is used up."),
            "so answers no database to points",
        ),
        (Mode::Answer("200 OK", json, r#"{"status":"pass"}"#), "{\"status\":\"pass\"}"),
    ]);
    println!("the database is ill: {report}");
}

#[test]
fn a_database_that_is_not_heard_discards_nothing_and_is_told() {
    let report = check_taking_nothing(&[
        (Mode::Refuse, "is influx.url right and the database running?"),
        (Mode::Hang, "no answer in time; look at"),
    ]);
    println!("the database is not heard: {report}");
}

#[test]
fn an_answer_that_stops_half_way_is_no_answer() {
    let faults = [(Mode::HangInAnswer, "no answer in time; look at")];
    println!("half an answer: {}", check_taking_nothing(&faults));
}

#[test]
fn a_database_that_takes_a_part_gets_the_rest() {
    let site = Site::start(Pace::CALM, None);
    for (mode, more) in [
        // A proxy that takes small bodies only,
        (Mode::Limit(300), 100),
        // one that takes a part and says how much it did not,
        (Mode::Half, 60),
        // and one that takes its time.
        (Mode::Slow(Duration::from_millis(800)), 200),
    ] {
        site.database.set(mode);
        let before = site.database.odd();
        site.more(more);
        site.within(30, "an answer", || site.database.odd() > before);
        assert_eq!(site.said(), "", "{mode:?}");
        site.database.set(Mode::Pass);
        site.within(30, "all of it", || site.metric("weir_points_waiting") < 50.0);
    }
    assert_eq!(site.logged("InfluxDB takes no points"), 0, "{}", site.weir.log());
    assert!(site.metric("weir_points_refused_total") < 0.5, "nothing was refused for good");
    assert_eq!(site.told("condition", "sink_away"), [""; 0]);
    println!("in part: {}", site.judge());
}

#[test]
fn a_field_that_the_database_refuses_in_every_line_costs_only_itself() {
    let (broker, influx, hook) = (Mosquitto::start(""), Influx::start(), Hook::start());
    influx.query("CREATE DATABASE weir");
    // A field has one type for a week, and the load may stand in two of them.
    let now = jiff::Timestamp::now().as_second();
    for at in [now - 25 * 3_600, now] {
        influx.write(&format!("water,station=elsewhere turbidity=\"murky\" {at}000000000"));
    }
    let site = Site::between(broker, influx, hook, Pace::CALM, None);
    site.more(400);
    let said = "InfluxDB refuses fields";
    site.within(30, said, || site.logged(said) == 1);
    let log = site.weir.log();
    let line = log.lines().find(|line| line.contains(said)).unwrap();
    for words in ["turbidity", "field type conflict", "look at its type in the bucket"] {
        assert!(line.contains(words), "{words}: {line}");
    }
    site.within(30, "its count", || site.metric("weir_points_refused_total") > 300.0);
    assert_eq!((site.said(), site.told("condition", "sink_away")), (String::new(), vec![]));
    assert!(site.logged(said) <= 2, "{}", site.weir.log());
    site.influx.query("DROP SERIES FROM water WHERE station = 'elsewhere'");
    let (report, ledger) = site.judge_without(&["turbidity"]);
    assert_eq!(ledger["influx"]["refused"], report.stored, "each one once: {ledger}");
    println!("a field refused: {report}");
}

/// How much time passes after a fault of the receiver: the longest wait between two attempts.
const WAITED_S: i64 = 301;

#[test]
fn a_receiver_that_is_away_is_told_everything_once_and_in_order() {
    let pace = Pace { pause: Duration::from_millis(24), ..EARLIER };
    let site = Site::start(pace, Some(Stepped::Both));
    let faults = [
        (Mode::Refuse, "Connection refused"),
        (Mode::Hang, "timed out"),
        (Mode::Answer("500 Internal Server Error", "", "ill"), "500 ill"),
        (Mode::Answer("400 Bad Request", "", "what?"), "400 what?; mend the channel's url"),
        (Mode::Answer("429 Too Many Requests", "Retry-After: 0\r\n", "now"), "429 now"),
    ];
    for (place, (mode, said)) in faults.into_iter().enumerate() {
        let before = site.hook.got().len();
        site.receiver.set(mode);
        site.within(60, said, || site.logged(said) > 0);
        let requests = site.receiver.requests();
        std::thread::sleep(Duration::from_secs(3));
        let requests = site.receiver.requests() - requests;
        assert!(requests <= 20, "{requests} requests in 3 s at {said}");
        site.step(61);
        site.within(30, "the alert", || {
            get(site.weir.page(), "/api/v1/alerts?route=weir").1.contains("channel_failing")
        });
        assert_eq!(site.hook.got().len(), before, "{said}");
        site.receiver.set(Mode::Pass);
        site.step(WAITED_S);
        // What failed begins and ends while nobody can be told: both are told after it.
        site.until_told("channel_failing", 2 * place + 2);
        assert_eq!(site.logged("Notifications go out again"), place + 1, "{}", site.weir.log());
        site.more(200);
    }
    site.tells("channel_failing", 2 * faults.len());
    println!("receiver away: {}", site.judge());
}

#[test]
fn a_receiver_is_asked_no_sooner_than_it_wants_and_that_it_fails_is_said_in_time() {
    let pace = Pace { pause: Duration::from_millis(24), ..EARLIER };
    let site = Site::start(pace, Some(Stepped::Both));
    site.receiver.set(Mode::Answer("429 Too Many Requests", "Retry-After: 900\r\n", "later"));
    site.within(60, "the refusal", || site.logged("429 later") == 1);
    let requests = site.receiver.requests();
    site.step(61);
    site.within(30, "the alert", || {
        get(site.weir.page(), "/api/v1/alerts?route=weir").1.contains("channel_failing")
    });
    site.step(800);
    site.more(200);
    assert_eq!(site.receiver.requests(), requests, "it asked for 900 s");
    site.receiver.set(Mode::Pass);
    site.step(60);
    site.until_told("channel_failing", 2);
    println!("receiver busy: {}", site.judge());
}

#[test]
fn a_notification_that_is_refused_for_itself_keeps_only_its_alert_and_is_no_failing_channel() {
    let pace = Pace { pause: Duration::from_millis(24), ..EARLIER };
    let mut site = Site::start(pace, Some(Stepped::Both));
    let limits = |station: &str, site: &Site| {
        let about = |of: &serde_json::Value| of["station"] == station && of["kind"] != "silence";
        let got = site.hook.got().into_iter().filter(|(_, body)| about(&body["commonLabels"]));
        got.map(|(_, body)| body["status"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    site.receiver.set(Mode::RefuseOne(["puhe-daoyi", "\"status\":\"firing\""]));
    site.within(60, "the refusal", || site.logged("400 not this") > 0);
    for _ in 0..4 {
        site.step(61);
        site.more(400);
        site.step(WAITED_S);
    }
    site.within(60, "others", || limits("puhe-huishan", &site).len() >= 2);
    assert_eq!(limits("puhe-daoyi", &site), [""; 0], "its end waits for its beginning");
    assert!(site.logged("attempts=5") > 0, "it is tried again: {}", site.weir.log());
    // With nothing else to tell, it is tried alone. What is refused for the first time may be the
    // channel's fault, and is known not to be once the alert about that is told.
    site.hush();
    let failing = || site.told("condition", "channel_failing");
    let tried = || {
        for seconds in [WAITED_S, 61] {
            site.step(seconds);
            std::thread::sleep(Duration::from_secs(1));
        }
        failing().len()
    };
    let before = [tried(), tried()][1];
    assert_eq!([tried(), tried(), tried()], [before; 3], "{:?} of a channel that works", failing());
    site.receiver.set(Mode::Pass);
    site.step(WAITED_S);
    site.within(60, "all of it", || limits("puhe-daoyi", &site).len() >= 2);
    let turns = ["firing", "resolved"].into_iter().cycle();
    let told = limits("puhe-daoyi", &site);
    assert!(told.iter().eq(turns.take(told.len())), "{told:?}");
    site.control.finish();
}

/// Lets time pass in steps that no connection takes for a silent broker.
fn pass(site: &Site, minutes: i64) {
    for _ in 0..minutes * 3 {
        site.step(20);
        std::thread::sleep(Duration::from_millis(300));
    }
}

#[test]
fn an_hour_without_the_broker_is_told_once_and_no_station_is_called_silent_for_it() {
    let mut site = Site::start(EARLIER, Some(Stepped::Both));
    site.line.set(proxy::Mode::Refuse);
    site.line.cut();
    site.within(60, "the loss", || get(site.weir.page(), "/ready").0 == 503);
    site.more(400);
    site.step(3_600);
    let networks = |status: &'static str| vec![status; 2];
    site.within(60, "the alert", || site.told("condition", "broker_away") == networks("firing"));
    site.line.set(proxy::Mode::Pass);
    site.step(31);
    site.within(60, "readiness", || get(site.weir.page(), "/ready").0 == 200);
    site.within(60, "its end", || {
        site.told("condition", "broker_away") == [networks("firing"), networks("resolved")].concat()
    });
    site.more(100);
    pass(&site, 4);
    assert_eq!(site.silent(), [""; 0], "{}", site.weir.log());
    // Who falls silent while the broker is there is told of: all stations as one.
    site.hush();
    pass(&site, 7);
    let told = |who: &str| site.silent().iter().filter(|one| *one == who).count();
    site.within(60, "their silence", || told("rivers") == 1);
    assert_eq!(STATIONS.map(told), [0; 4], "{}", site.weir.log());
    println!("an hour without the broker: {}", site.judge());
}

#[test]
fn a_clock_that_is_set_forth_and_back_is_said_and_costs_nothing() {
    let mut site = Site::start(EARLIER, Some(Stepped::Wall));
    for (place, hours) in [2, -1].into_iter().enumerate() {
        site.more(100);
        site.step(hours * 3_600);
        site.within(30, "the step", || site.logged("clock was set") == place + 1);
        site.until_told("clock_stepped", 2 * place + 2);
        site.more(100);
        if place == 1 {
            site.kill();
        }
    }
    site.within(60, "readiness", || get(site.weir.page(), "/ready").0 == 200);
    site.more(100);
    site.tells("clock_stepped", 4);
    assert_eq!(site.silent(), [""; 0], "{}", site.weir.log());
    assert_eq!(site.told("condition", "broker_away"), [""; 0], "{}", site.weir.log());
    println!("the clock set: {}", site.judge());
}

/// A fault that is drawn at random: those of the broker, too.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Fault {
    KillWeir,
    CutLine,
    Line(proxy::Mode),
    RestartBroker,
    StopBroker,
    StopInflux,
    Database(Mode),
    Receiver(Mode),
}

const ALL: [Fault; 24] = [
    Fault::KillWeir,
    Fault::CutLine,
    Fault::Line(proxy::Mode::Freeze),
    Fault::Line(proxy::Mode::Slow(200)),
    Fault::Line(proxy::Mode::Refuse),
    Fault::RestartBroker,
    Fault::StopBroker,
    Fault::StopInflux,
    Fault::Database(Mode::Refuse),
    Fault::Database(Mode::Slow(Duration::from_millis(300))),
    Fault::Database(Mode::Hang),
    Fault::Database(Mode::HangInAnswer),
    Fault::Database(Mode::Renamed),
    Fault::Database(Mode::Limit(200)),
    Fault::Database(Mode::Half),
    Fault::Database(Mode::Answer("401 Unauthorized", "", "{\"error\":\"who?\"}")),
    Fault::Database(Mode::Answer("429 Too Many Requests", "Retry-After: 2\r\n", "")),
    Fault::Database(Mode::Answer("503 Service Unavailable", "", "ill")),
    Fault::Database(Mode::Answer("200 OK", "", "<p>Welcome</p>")),
    Fault::Receiver(Mode::Refuse),
    Fault::Receiver(Mode::Hang),
    Fault::Receiver(Mode::Answer("500 Internal Server Error", "", "ill")),
    Fault::Receiver(Mode::Answer("400 Bad Request", "", "what?")),
    Fault::Receiver(Mode::Answer("429 Too Many Requests", "Retry-After: 2\r\n", "")),
];

impl Fault {
    fn begin(self, site: &mut Site) {
        match self {
            Self::KillWeir => site.kill(),
            Self::CutLine => site.line.cut(),
            Self::Line(mode) => {
                site.line.set(mode);
                if mode == proxy::Mode::Refuse {
                    site.line.cut();
                }
            }
            Self::RestartBroker => site.broker.restart(false),
            Self::StopBroker => site.broker.stop(),
            Self::StopInflux => site.influx.stop(),
            Self::Database(mode) => site.database.set(mode),
            Self::Receiver(mode) => site.receiver.set(mode),
        }
    }

    fn heal(self, site: &mut Site) {
        match self {
            Self::KillWeir | Self::CutLine | Self::RestartBroker => {}
            Self::Line(_) => site.line.set(proxy::Mode::Pass),
            Self::StopBroker => site.broker.start_again(false),
            Self::StopInflux => site.influx.start_again(),
            Self::Database(_) => site.database.set(Mode::Pass),
            Self::Receiver(_) => site.receiver.set(Mode::Pass),
        }
    }

    /// Whether both can be at once.
    fn goes_with(self, other: Self) -> bool {
        match (self, other) {
            (Self::Database(_), Self::Database(_))
            | (Self::Receiver(_), Self::Receiver(_))
            | (Self::Line(_), Self::Line(_))
            | (Self::RestartBroker, Self::StopBroker)
            | (Self::StopBroker, Self::RestartBroker) => false,
            _ => self != other,
        }
    }
}

/// Draws one fault to three, and for how long they last, ms.
fn draw(random: &mut fastrand::Rng) -> (Vec<Fault>, u64) {
    let mut faults: Vec<Fault> = Vec::new();
    for _ in 0..random.usize(1..=3) {
        let one = ALL[random.usize(..ALL.len())];
        if faults.iter().all(|other| one.goes_with(*other)) {
            faults.push(one);
        }
    }
    (faults, random.u64(200..3_000))
}

/// `WEIR_FAULTS_ROUNDS` says how many draws, `WEIR_FAULTS_SEED` repeats them.
#[test]
fn faults_of_every_peer_drawn_together() {
    let rounds: usize = number("WEIR_FAULTS_ROUNDS").unwrap_or(8);
    let seed: u64 = number("WEIR_FAULTS_SEED").unwrap_or(4);
    println!("faults of every peer: WEIR_FAULTS_SEED={seed} WEIR_FAULTS_ROUNDS={rounds}");
    let mut random = fastrand::Rng::with_seed(seed);
    let pace = if rounds > 150 { Pace::LONG } else { Pace::CALM };
    let mut site = Site::start(pace, Some(Stepped::Both));
    for round in 1..=rounds {
        let (faults, lasting) = draw(&mut random);
        println!("{round}: {faults:?} for {lasting} ms");
        faults.iter().for_each(|fault| fault.begin(&mut site));
        std::thread::sleep(Duration::from_millis(lasting));
        faults.iter().for_each(|fault| fault.heal(&mut site));
        std::thread::sleep(Duration::from_millis(random.u64(..500)));
    }
    site.more(100);
    // What was refused is tried again after minutes.
    site.step(WAITED_S);
    println!("seed {seed}, {rounds} rounds: {}", site.judge());
}
