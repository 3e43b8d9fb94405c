//! A weir at work behind the page: a broker, the devices of the demonstration with its story, and
//! the daemon itself, as they would stand in a bureau.

use std::path::PathBuf;

use tokio::runtime::Runtime;
use weir::demo::world::World;
use weir::domain::input::Qos;
use weir::domain::time::{MINUTE, Timestamp};
use weir::mqtt::publisher::Publisher;

use crate::peer::{Mosquitto, Weir};

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
        change(&weir);
        weir.start();
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
        let mut said = Vec::new();
        self.world.until(self.start.plus(minute * MINUTE), &mut |one| said.push(one));
        self.runtime.block_on(async {
            for one in said {
                let sent = self.publisher.publish(&one.topic, one.payload, Qos::AtLeastOnce, false);
                sent.await.unwrap();
            }
            self.publisher.flush().await;
        });
    }

    /// Gives the whole address of a page.
    pub fn at(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.weir.page())
    }
}

/// Changes a table of an installation's seeds.
#[track_caller]
pub fn reword(weir: &Weir, table: &str, before: &str, after: &str) {
    let file: PathBuf = weir.folder().join("seeds").join(table);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(before), "{before} is not in {table}");
    std::fs::write(file, text.replace(before, after)).unwrap();
}
