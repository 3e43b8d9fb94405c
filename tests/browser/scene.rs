//! A weir at work behind the page: a broker, the devices of the demonstration with its story, and
//! the daemon itself, as they would stand in a bureau.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use weir::demo::world::World;
use weir::domain::input::Qos;
use weir::domain::time::{MINUTE, Timestamp};
use weir::mqtt::publisher::Publisher;

use crate::driver::Browser;
use crate::peer::{Mosquitto, Weir, get};

/// The number of the world.
const SEED: u64 = 1;

pub struct Scene {
    pub weir: Weir,
    world: World,
    start: Timestamp,
    publisher: Publisher,
    runtime: Runtime,
    _broker: Mosquitto,
}

impl Scene {
    /// Begins a story of which so many minutes are over by now, and nothing is told yet.
    pub fn new(minutes: i64, more: &str) -> Self {
        Self::with(minutes, more, |_| {})
    }

    /// The same, once the installation is changed.
    pub fn with(minutes: i64, more: &str, change: impl FnOnce(&Weir)) -> Self {
        let broker = Mosquitto::start("");
        let mut weir = Weir::install(&broker.url(), more);
        accounts(&weir);
        change(&weir);
        start(&mut weir);
        let now = Timestamp(jiff::Timestamp::now().as_millisecond());
        let start = now.plus(-minutes * MINUTE);
        let runtime = Runtime::new().unwrap();
        let publisher = {
            let _inside = runtime.enter();
            Publisher::connect(&broker.url(), "stations").unwrap()
        };
        Self { weir, world: World::new(SEED, start), start, publisher, runtime, _broker: broker }
    }

    /// Has the devices say what they have to say until a minute of the story.
    pub fn tell(&mut self, minute: i64) {
        self.tell_but(minute, "");
    }

    /// The same, but for one device of which nothing comes any more.
    pub fn tell_but(&mut self, minute: i64, silent: &str) {
        let mut said = Vec::new();
        self.world.until(self.start.plus(minute * MINUTE), &mut |one| said.push(one));
        said.retain(|one| silent.is_empty() || !one.topic.contains(silent));
        let text = |payload| String::from_utf8(payload).unwrap();
        self.say(said.into_iter().map(|one| (one.topic, text(one.payload))));
    }

    /// Gives when a minute of the story is, ms.
    pub fn minute(&self, minute: i64) -> i64 {
        self.start.plus(minute * MINUTE).millis()
    }

    /// Has devices say something, each on its topic.
    pub fn say(&self, said: impl IntoIterator<Item = (String, String)>) {
        self.runtime.block_on(async {
            for (topic, payload) in said {
                let payload = payload.into_bytes();
                self.publisher.publish(&topic, payload, Qos::AtLeastOnce, false).await.unwrap();
            }
            self.publisher.flush().await;
        });
    }

    /// Opens a browser in which somebody has logged in who reads this language.
    #[track_caller]
    pub fn seat(&self, person: &str, language: &str) -> Browser {
        let browser = Browser::open(language);
        browser.go(&self.at("/login"));
        self.log_in(&browser, person, PASSWORD);
        browser.waits(&format!("{person} to be in"), || browser.text("header").contains(person));
        browser
    }

    /// Has somebody fill in the page to log in on.
    #[track_caller]
    pub fn log_in(&self, browser: &Browser, person: &str, password: &str) {
        browser.run("document.querySelector('#name').value = '';", &[]);
        browser.write("#name", person);
        browser.write("#password", password);
        browser.press("form.login button");
    }

    /// Gives the whole address of a page.
    pub fn at(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.weir.page())
    }
}

/// Starts a weir that may have many stations to read, by an unoptimised program.
fn start(weir: &mut Weir) {
    let begun = Instant::now();
    weir.start_with(&[]);
    while get(weir.page(), "/ready").0 != 200 {
        assert!(weir.process().running(), "{}", weir.log());
        assert!(begun.elapsed() < Duration::from_mins(5), "weir is not ready");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What everybody logs in with.
pub const PASSWORD: &str = "oxygen below three";
/// What it is told by.
const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$bSbXexknlUSqkuJFZwJ/UQ$\
    HBj91m2yK7Cx0B65tNIthGIzaNR+OAACg+CPYBv0MEs";

/// Gives the people of a bureau an account each, beside the one that every test has.
fn accounts(weir: &Weir) {
    let file = weir.folder().join("users.toml");
    let mut text = std::fs::read_to_string(&file).unwrap();
    for (name, role) in
        [("li.na", "operate"), ("wang.lei", "operate"), ("guest", "view"), ("chief", "admin")]
    {
        write!(text, "[[user]]\nname = '{name}'\nrole = '{role}'\npassword = '{HASH}'\n").unwrap();
    }
    std::fs::write(file, text).unwrap();
}

/// Changes a table of an installation's seeds.
#[track_caller]
pub fn reword(weir: &Weir, table: &str, before: &str, after: &str) {
    let file: PathBuf = weir.folder().join("seeds").join(table);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(before), "{before} is not in {table}");
    std::fs::write(file, text.replace(before, after)).unwrap();
}

/// Adds rows to a table of an installation's seeds.
#[track_caller]
pub fn add(weir: &Weir, table: &str, rows: &str) {
    let file: PathBuf = weir.folder().join("seeds").join(table);
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(file, text + rows).unwrap();
}

/// Puts many sondes of one kind beside the others: `many-7` at a station of that name.
pub fn many(weir: &Weir, count: usize) {
    let source = "made for a test of many";
    let (mut stations, mut devices) = (String::new(), String::new());
    for number in 0..count {
        writeln!(
            stations,
            "many-{number},puhe,Many {number},众多 {number},41.9,123.4,+08:00,river,IV,,,{source}"
        )
        .unwrap();
        writeln!(devices, "rivers,many-{number},many-{number},,many,device,,,,,,{source}").unwrap();
    }
    let channel = |property: &str, channel: &str| {
        format!(
            "many,sonde,{property},,/{channel},mg/L,1,number,continuous,,,instant,,60s,,{source}\n"
        )
    };
    add(weir, "stations.csv", &stations);
    add(weir, "devices.csv", &devices);
    add(weir, "profiles.csv", &channel("dissolved_oxygen", "do"));
    add(weir, "profiles.csv", &channel("ammonia_nitrogen", "nh3n"));
}
