//! The promise under faults of the broker and of weir's own process: the program between real
//! peers, judged by the oracle of `tests/oracle/`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, reason = "a test asks its own clock")]

mod oracle;
mod peer;
mod proxy;

use std::time::{Duration, Instant};

use oracle::control::Control;
use oracle::load::{self, Kind, Pace, Publisher, Sent};
use oracle::{Report, Scene, examine, judge};
use peer::{Hook, Influx, Mosquitto, Weir, get};
use proxy::{Mode, OWN_IDS, Proxy, Rewrite, delivery};

/// A number from the environment.
fn number<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// How weir reaches its broker.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Direct,
    Proxy,
}

/// What is owed at the end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owed {
    /// Everything that the broker confirmed.
    Confirmed,
    /// Where the broker itself loses: everything that weir acknowledged.
    Acknowledged,
}

/// weir at work between its peers, with stations that speak.
struct Site {
    broker: Mosquitto,
    proxy: Proxy,
    influx: Influx,
    hook: Hook,
    weir: Weir,
    control: Control,
    publisher: Publisher,
    kills: usize,
}

impl Site {
    /// Starts all of it; `more` stands in the section of the rivers' broker.
    fn start(way: Way, pace: Pace, more: &str) -> Self {
        let (broker, influx, hook) = (Mosquitto::start(""), Influx::start(), Hook::start());
        let proxy = Proxy::start(broker.port());
        let url = if way == Way::Direct { broker.url() } else { proxy.url() };
        let mut weir = Weir::install(&url, &format!("{}{}", influx.config(), hook.config()));
        let client = "client_id = 'weir-rivers'\n";
        weir.configure(client, &format!("{client}{more}\n"));
        weir.start();
        let control = Control::start(broker.port());
        let publisher = Publisher::start(broker.port(), pace);
        publisher.more(300);
        Self { broker, proxy, influx, hook, weir, control, publisher, kills: 0 }
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
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn ready(&self) -> (u16, String) {
        get(self.weir.page(), "/ready")
    }

    #[track_caller]
    fn until_ready(&self) {
        self.within(90, "readiness", || self.ready().0 == 200);
    }

    #[track_caller]
    fn until_said(&self, words: &str) {
        self.within(90, words, || self.ready().1.contains(words));
        assert_eq!(self.ready().0, 503, "{}", self.ready().1);
    }

    fn metric(&self, name: &str, network: &str) -> Option<f64> {
        let metrics = get(self.weir.page(), "/metrics").1;
        let line = format!("{name}{{network=\"{network}\"}} ");
        metrics.lines().find_map(|one| one.strip_prefix(&line)?.parse().ok())
    }

    /// How often the log says something.
    fn logged(&self, words: &str) -> usize {
        self.weir.log().matches(words).count()
    }

    /// What the webhook was told of a condition of weir itself, in order.
    fn told(&self, condition: &str, network: &str) -> Vec<String> {
        let text = |body: &serde_json::Value, key: &str| {
            body["commonLabels"][key].as_str().unwrap_or("").to_owned()
        };
        let about = |body: &serde_json::Value| {
            text(body, "condition") == condition && text(body, "network") == network
        };
        let got = self.hook.got().into_iter().filter(|(_, body)| about(body));
        got.map(|(_, body)| body["status"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits for the last message, and lets the oracle judge.
    #[track_caller]
    fn judge(self, owed: Owed) -> Report {
        self.judge_with(owed, Vec::new())
    }

    /// The same, with messages that the broker knows nothing of.
    #[track_caller]
    fn judge_with(mut self, owed: Owed, own: Vec<Sent>) -> Report {
        let mut sent = self.publisher.finish();
        let mut control = self.control.finish();
        control.extend(own.iter().map(|sent| (sent.topic.clone(), sent.payload.clone())));
        self.until_ready();
        let mut seen = self.proxy.seen();
        self.within(60, "the last delivery", || {
            std::thread::sleep(Duration::from_millis(1_000));
            let before = std::mem::replace(&mut seen, self.proxy.seen());
            before.acknowledged == seen.acknowledged && before.deliveries == seen.deliveries
        });
        let all = seen.deliveries + own.len() as u64;
        sent.extend(own);
        judge(Scene {
            sent: &sent,
            control: &control,
            weir: &mut self.weir,
            influx: &self.influx,
            hook: &self.hook,
            kills: self.kills,
            acknowledged: (owed == Owed::Acknowledged).then_some(&seen.acknowledged),
            deliveries: (seen.deliveries > 0).then_some(all),
            refused: &[],
        })
    }
}

/// Kills weir again and again under load. `WEIR_CRASH_ROUNDS` says how often.
#[test]
fn a_kill_loses_no_message_and_no_alert_and_tells_none_anew() {
    let kills: usize = number("WEIR_CRASH_ROUNDS").unwrap_or(20);
    let pace = if kills > 100 { Pace::LONG } else { Pace::FAST };
    let mut site = Site::start(Way::Direct, pace, "");
    let mut random = fastrand::Rng::with_seed(0x77_65_69_72);
    for _ in 0..kills {
        std::thread::sleep(Duration::from_millis(random.u64(50..700)));
        site.kill();
    }
    println!("{kills} kills: {}", site.judge(Owed::Confirmed));
}

#[test]
fn a_broker_away_for_a_minute_is_told_once_and_so_is_its_return() {
    let mut site = Site::start(Way::Direct, Pace::CALM, "");
    site.broker.stop();
    site.until_said("broker rivers: ");
    site.until_said("does not answer");
    assert_eq!(site.metric("weir_broker_connected", "rivers"), Some(0.0));
    assert_eq!(get(site.weir.page(), "/health").0, 200, "a restart would not help");
    for network in ["rivers", "parks"] {
        site.within(90, "the alert", || site.told("broker_away", network) == ["firing"]);
    }
    site.broker.start_again(false);
    site.until_ready();
    for network in ["rivers", "parks"] {
        site.within(30, "its end", || site.told("broker_away", network) == ["firing", "resolved"]);
    }
    assert_eq!(site.metric("weir_broker_connected", "rivers"), Some(1.0));
    // Once it was lost, and once it did not answer, of each of both networks.
    assert!(site.logged("weir keeps trying") <= 4, "{}", site.weir.log());
    site.publisher.more(300);
    println!("broker away: {}", site.judge(Owed::Confirmed));
}

#[test]
fn a_broker_that_restarts_with_its_memory_costs_nothing_and_without_it_nothing_acknowledged() {
    let mut site = Site::start(Way::Proxy, Pace::FAST, "");
    for _ in 0..2 {
        site.broker.restart(false);
        site.publisher.more(300);
        site.until_ready();
    }
    assert!(site.logged("session=\"resumed\"") >= 4, "{}", site.weir.log());
    assert_eq!(site.logged("has forgotten weir's session"), 0, "{}", site.weir.log());
    site.broker.restart(true);
    site.within(60, "the loss", || site.logged("has forgotten weir's session") >= 1);
    site.until_ready();
    site.publisher.more(600);
    let report = site.judge(Owed::Acknowledged);
    assert!(report.owed > 900, "{report}");
    println!("broker restarted: {report}");
}

#[test]
fn a_broker_that_forgets_the_session_of_an_absent_weir_is_named() {
    let mut site = Site::start(Way::Proxy, Pace::FAST, "");
    site.weir.stop();
    site.publisher.more(200);
    oracle::control::forget(site.broker.port(), "weir-rivers");
    site.weir.start();
    assert_eq!(site.logged("has forgotten weir's session"), 1, "{}", site.weir.log());
    site.publisher.more(600);
    let report = site.judge(Owed::Acknowledged);
    assert!(report.owed < report.messages, "what had waited is lost: {report}");
    println!("session forgotten: {report}");
}

#[test]
fn a_line_that_falls_silent_is_found_out_and_costs_nothing() {
    let site = Site::start(Way::Proxy, Pace::FAST, "keep_alive_s = 2");
    site.proxy.set(Mode::Freeze);
    site.until_said("broker rivers: the broker gives no sign of life");
    assert_eq!(site.metric("weir_broker_connected", "rivers"), Some(0.0));
    site.proxy.set(Mode::Pass);
    site.until_ready();
    assert_eq!(site.logged("the broker gives no sign of life; weir keeps trying"), 1);
    site.publisher.more(600);
    println!("half-open: {}", site.judge(Owed::Confirmed));
}

#[test]
fn a_slow_line_is_no_fault() {
    let site = Site::start(Way::Proxy, Pace::CALM, "keep_alive_s = 2");
    site.proxy.set(Mode::Slow(40));
    for _ in 0..8 {
        site.publisher.more(30);
        assert_eq!(site.ready(), (200, site.ready().1));
    }
    site.proxy.set(Mode::Pass);
    assert_eq!(site.logged("weir keeps trying"), 0, "{}", site.weir.log());
    println!("slow: {}", site.judge(Owed::Confirmed));
}

#[test]
fn a_wrong_packet_ends_a_line_and_wrong_packets_without_end_are_told_until_they_are_over() {
    let site = Site::start(Way::Proxy, Pace::CALM, "");
    let wrong = "the broker sent what can't be read";
    // One is a line of the log, and weir is back at once.
    site.proxy.inject(&[0, 0]);
    site.within(30, "the line's end", || site.logged(wrong) == 1);
    site.until_ready();
    site.publisher.more(100);
    // A broker that sends one after each beginning is told.
    site.proxy.rewrite(Rewrite { after_suback: Some(vec![0, 0]), ..Rewrite::default() });
    site.proxy.cut();
    site.until_said(&format!("broker rivers: {wrong}"));
    site.within(60, "the alert", || site.told("broker_unreadable", "") == ["firing"]);
    site.within(30, "the other broker", || {
        site.metric("weir_broker_connected", "parks") == Some(1.0)
    });
    site.proxy.rewrite(Rewrite::default());
    site.until_ready();
    site.within(100, "its end", || site.told("broker_unreadable", "") == ["firing", "resolved"]);
    println!("wrong packets: {}", site.judge(Owed::Confirmed));
}

#[test]
fn a_refused_filter_is_said_until_it_is_granted() {
    let site = Site::start(Way::Proxy, Pace::FAST, "");
    let refuse = Some(("water/+/data".to_owned(), 0x87));
    site.proxy.rewrite(Rewrite { refuse, ..Rewrite::default() });
    site.proxy.cut();
    site.until_said("broker rivers refuses `water/+/data`: NotAuthorized");
    assert_eq!(site.metric("weir_broker_refused_filters", "rivers"), Some(1.0));
    assert!(get(site.weir.page(), "/?lang=en").1.contains("NotAuthorized"));
    assert_eq!(site.logged("The broker refuses a filter."), 1, "{}", site.weir.log());
    site.within(30, "the alert", || site.told("filter_refused", "") == ["firing"]);
    site.proxy.rewrite(Rewrite::default());
    site.proxy.cut();
    site.until_ready();
    assert_eq!(site.metric("weir_broker_refused_filters", "rivers"), Some(0.0));
    assert_eq!(site.logged("The broker grants every filter again."), 1, "{}", site.weir.log());
    site.within(30, "its end", || site.told("filter_refused", "") == ["firing", "resolved"]);
    site.publisher.more(300);
    println!("refused filter: {}", site.judge(Owed::Confirmed));
}

#[test]
fn what_a_broker_says_of_keep_alive_and_aliases_at_the_beginning_is_borne() {
    let site = Site::start(Way::Proxy, Pace::FAST, "");
    // Server Keep Alive 0, Topic Alias Maximum 10.
    let connack = Some(vec![0x13, 0, 0, 0x22, 0, 10]);
    site.proxy.rewrite(Rewrite { connack, ..Rewrite::default() });
    site.proxy.cut();
    let before = site.proxy.seen();
    site.publisher.more(300);
    site.until_ready();
    std::thread::sleep(Duration::from_secs(4));
    let seen = site.proxy.seen();
    assert_eq!(seen.connects, before.connects + 1, "{}", site.weir.log());
    // One proves the session, and one a second settles acks.
    assert!(seen.pings - before.pings <= 10, "{} pings", seen.pings - before.pings);
    // Server Keep Alive 2: a silent line is found out by it, not by weir's own 30 s.
    let connack = Some(vec![0x13, 0, 2]);
    site.proxy.rewrite(Rewrite { connack, ..Rewrite::default() });
    site.proxy.cut();
    site.within(30, "another session", || site.proxy.seen().connects > seen.connects);
    site.until_ready();
    let start = Instant::now();
    site.proxy.set(Mode::Freeze);
    site.until_said("the broker gives no sign of life");
    assert!(start.elapsed() < Duration::from_secs(25), "{:?}", start.elapsed());
    site.proxy.set(Mode::Pass);
    site.until_ready();
    site.publisher.more(300);
    println!("keep-alive: {}", site.judge(Owed::Confirmed));
}

#[test]
fn a_packet_id_that_comes_again_without_dup_is_another_message() {
    let site = Site::start(Way::Proxy, Pace::FAST, "");
    // Before all others, so that they change no alert.
    let start = jiff::Timestamp::now().as_millisecond() - 25 * 3_600_000;
    let own: Vec<Sent> = (0..40).map(|n| load::good(4, start + n * 60_000 + 500)).collect();
    let wire = own.iter().map(|sent| delivery(&sent.topic, OWN_IDS + 7, &[], &sent.payload));
    site.proxy.inject(&wire.collect::<Vec<_>>().concat());
    site.within(30, "an ack each", || site.proxy.seen().own_acks.len() == own.len());
    site.publisher.more(300);
    assert_eq!(site.ready().0, 200);
    println!("packet ids again: {}", site.judge_with(Owed::Confirmed, own));
}

#[test]
fn an_alias_that_nobody_agreed_on_costs_no_neighbour() {
    let site = Site::start(Way::Proxy, Pace::FAST, "");
    let start = jiff::Timestamp::now().as_millisecond() - 23 * 3_600_000;
    let own = load::good(4, start + 500);
    // weir agreed on none, so a topic must stand there: what comes is kept as it came.
    let nameless = delivery("", OWN_IDS + 1, &[0x23, 0, 5], &own.payload);
    let payload = String::from_utf8(nameless.clone()).unwrap();
    site.proxy.inject(&nameless);
    site.within(30, "its ack", || site.proxy.seen().own_acks == [OWN_IDS + 1]);
    let own = Sent { kind: Kind::Broken, topic: String::new(), payload, ..own };
    site.publisher.more(300);
    assert_eq!((site.ready().0, site.logged("weir keeps trying")), (200, 0));
    let letters = site.weir.command(&["dead-letters", "ls"]).1;
    assert!(letters.contains("broken_packet"), "{letters}");
    println!("alias: {}", site.judge_with(Owed::Confirmed, vec![own]));
}

/// A second installation with the client id of the first, at one broker.
fn share_client_id(protocol: &str, farewell: Option<Vec<u8>>, said: &str) -> Site {
    let more = format!("protocol = '{protocol}'");
    let site = Site::start(Way::Proxy, Pace::CALM, &more);
    site.proxy.rewrite(Rewrite { farewell, ..Rewrite::default() });
    let mut other = Weir::install(&site.broker.url(), "");
    let client = "client_id = 'weir-rivers'\n";
    other.configure(client, &format!("{client}{more}\n"));
    other.configure("'weir-parks'", "'weir-parks-other'");
    other.start_with(&[]);
    site.until_said(said);
    site.within(60, "the alert", || site.told("session_taken", "") == ["firing"]);
    let connects = site.proxy.seen().connects;
    assert!(connects <= 8, "no fight: {connects} connections");
    assert_eq!(site.logged(said), 1, "{}", site.weir.log());
    other.stop();
    site
}

#[test]
fn another_client_with_the_same_client_id_is_named_or_at_least_suspected() {
    // What mosquitto of Debian does not say, and others do: DISCONNECT with reason 0x8e.
    let farewell = Some(vec![0xe0, 1, 0x8e]);
    let named = "SessionTakenOver; another client uses this client_id";
    let suspected = "does another client use this client_id?";
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let site = share_client_id("5", farewell, named);
            site.until_ready();
            let told = || site.told("session_taken", "");
            site.within(100, "its end", || told() == ["firing", "resolved"]);
            assert_eq!(site.logged(named), 1, "{}", site.weir.log());
            site.publisher.more(300);
            println!("shared client_id: {}", site.judge(Owed::Acknowledged));
        });
        let site = share_client_id("3.1.1", None, suspected);
        println!("shared client_id: {}", site.judge(Owed::Acknowledged));
    });
}

/// A fault that is drawn at random. Another one is a variant, a place in `ALL`, and an arm in
/// `begin` and in `heal`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    KillWeir,
    RestartBroker,
    StopBroker,
    Cut,
    Freeze,
    Slow,
    Refuse,
    StopInflux,
    FailWebhook,
}

impl Fault {
    const ALL: [Self; 9] = [
        Self::KillWeir,
        Self::RestartBroker,
        Self::StopBroker,
        Self::Cut,
        Self::Freeze,
        Self::Slow,
        Self::Refuse,
        Self::StopInflux,
        Self::FailWebhook,
    ];

    fn begin(self, site: &mut Site) {
        match self {
            Self::KillWeir => site.kill(),
            Self::RestartBroker => site.broker.restart(false),
            Self::StopBroker => site.broker.stop(),
            Self::Cut => site.proxy.cut(),
            Self::Freeze => site.proxy.set(Mode::Freeze),
            Self::Slow => site.proxy.set(Mode::Slow(200)),
            Self::Refuse => {
                site.proxy.set(Mode::Refuse);
                site.proxy.cut();
            }
            Self::StopInflux => site.influx.stop(),
            Self::FailWebhook => site.hook.fail(true),
        }
    }

    fn heal(self, site: &mut Site) {
        match self {
            Self::KillWeir | Self::RestartBroker | Self::Cut => {}
            Self::StopBroker => site.broker.start_again(false),
            Self::Freeze | Self::Slow | Self::Refuse => site.proxy.set(Mode::Pass),
            Self::StopInflux => site.influx.start_again(),
            Self::FailWebhook => site.hook.fail(false),
        }
    }

    /// Whether both can be at once.
    fn goes_with(self, other: Self) -> bool {
        let of_line = |one| matches!(one, Self::Freeze | Self::Slow | Self::Refuse);
        let of_broker = |one| matches!(one, Self::RestartBroker | Self::StopBroker);
        let same = |of: &dyn Fn(Self) -> bool| of(self) && of(other);
        self != other && !same(&of_line) && !same(&of_broker)
    }
}

/// Draws one fault or two, and for how long they last, ms.
fn draw(random: &mut fastrand::Rng) -> (Vec<Fault>, u64) {
    let one = |random: &mut fastrand::Rng| Fault::ALL[random.usize(..Fault::ALL.len())];
    let mut faults = vec![one(random)];
    let second = one(random);
    if random.bool() && second.goes_with(faults[0]) {
        faults.push(second);
    }
    (faults, random.u64(200..3_000))
}

/// `WEIR_FAULTS_ROUNDS` says how many draws, `WEIR_FAULTS_SEED` repeats them.
#[test]
fn faults_drawn_together() {
    let rounds: usize = number("WEIR_FAULTS_ROUNDS").unwrap_or(10);
    let seed: u64 = number("WEIR_FAULTS_SEED").unwrap_or(4);
    println!("faults drawn together: WEIR_FAULTS_SEED={seed} WEIR_FAULTS_ROUNDS={rounds}");
    let mut random = fastrand::Rng::with_seed(seed);
    let pace = if rounds > 150 { Pace::LONG } else { Pace::CALM };
    let mut site = Site::start(Way::Proxy, pace, "keep_alive_s = 2");
    for round in 1..=rounds {
        let (faults, lasting) = draw(&mut random);
        println!("{round}: {faults:?} for {lasting} ms");
        faults.iter().for_each(|fault| fault.begin(&mut site));
        std::thread::sleep(Duration::from_millis(lasting));
        faults.iter().for_each(|fault| fault.heal(&mut site));
        std::thread::sleep(Duration::from_millis(random.u64(..500)));
    }
    site.publisher.more(100);
    println!("seed {seed}, {rounds} rounds: {}", site.judge(Owed::Confirmed));
}

#[test]
fn the_oracle_sees_what_is_missing_and_what_is_too_much() {
    let (broker, influx, hook) = (Mosquitto::start(""), Influx::start(), Hook::start());
    let mut weir = Weir::install(&broker.url(), &format!("{}{}", influx.config(), hook.config()));
    weir.start();
    let mut control = Control::start(broker.port());
    let mut publisher = Publisher::start(broker.port(), Pace::FAST);
    publisher.more(1_500);
    let (mut sent, control) = (publisher.finish(), control.finish());
    let (weir, influx, hook, kills) = (&mut weir, &influx, &hook, 0);
    let (acknowledged, refused): (_, &[&str]) = (None, &[]);
    let (deliveries, control) = (Some(sent.len() as u64), &control);
    let given = Scene {
        sent: &sent,
        control,
        weir,
        influx,
        hook,
        kills,
        acknowledged,
        deliveries,
        refused,
    };
    judge(given);
    let all_of = |sent: &[Sent], weir: &mut Weir, deliveries| {
        let given =
            Scene { sent, control, weir, influx, hook, kills, acknowledged, deliveries, refused };
        examine(&given).faults.join("\n")
    };
    let said = all_of(&sent, weir, deliveries.map(|count| count - 1));
    assert!(said.contains("messages received"), "{said}");
    let all = |sent: &[Sent], weir: &mut Weir| all_of(sent, weir, deliveries);
    assert_eq!(all(&sent, weir), "");
    let first = |sent: &[Sent], kind| sent.iter().position(|one| one.kind == kind).unwrap();
    // Without a message that was sent, its point is one that nobody sent;
    let good = first(&sent, Kind::Good);
    let taken = sent.remove(good);
    let said = all(&sent, weir);
    assert!(said.contains("nobody sent the point") && said.contains("messages stored"), "{said}");
    sent.insert(good, taken.clone());
    // with one that was not, a point is missing, which the control client has not got either;
    sent.push(Sent { ts: taken.ts + 5, payload: "{}".to_owned(), ..taken });
    let said = all(&sent, weir);
    assert!(said.contains("not in the sink") && said.contains("the broker lost it"), "{said}");
    sent.pop();
    // so it is with what is turned away,
    let bad = first(&sent, Kind::Broken);
    let taken = sent.remove(bad);
    let said = all(&sent, weir);
    assert!(said.contains("a dead letter of what is sound"), "{said}");
    sent.insert(bad, taken.clone());
    sent.push(Sent { payload: "{".to_owned(), ..taken });
    let said = all(&sent, weir);
    assert!(said.contains("no dead letter") && said.contains("messages rejected"), "{said}");
    sent.pop();
    // and an alert that nobody expects.
    assert_eq!(all(&sent, weir), "");
    let well = |sent: &Sent| sent.device != 3 || load::points(sent)[2] > Some(3.0);
    let said = all(&sent.iter().filter(|sent| well(sent)).cloned().collect::<Vec<_>>(), weir);
    assert!(said.contains("changes of alerts were told"), "{said}");
    influx.query("DROP SERIES FROM water WHERE station = 'puhe-pudong'");
    let said = all(&sent, weir);
    assert!(said.contains("not in the sink") && said.contains("control client got it"), "{said}");
}
