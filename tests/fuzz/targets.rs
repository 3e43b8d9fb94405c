//! What is held of any bytes, a target each: run by `tests/fuzz.rs` over the corpus, and by
//! `fuzz/run` guided by coverage. A body breaks where something does not hold.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a target may panic")]
#![allow(clippy::panic, clippy::indexing_slicing, reason = "a target may panic")]

mod config;
mod connection;
mod file;
mod format;
mod hj212;
mod inputs;
mod json;
mod line;
mod seeds;
mod snapshot;
mod topic;
mod wire;

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use weir::domain::judgement::Judgement;
use weir::domain::name::Names;
use weir::domain::registry::Registry;
use weir::seed::{Tables, compile};

/// One target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    /// Its name, and that of its folder in `fuzz/corpus`.
    pub(crate) name: &'static str,
    /// What is held of any bytes.
    pub(crate) body: fn(&[u8]),
    /// How often the plain test runs it when nothing else is said.
    pub(crate) runs: u64,
}

/// Every target. A format of `src/decode` has one of its own name.
pub(crate) const TARGETS: &[Target] = &[
    Target { name: "binary", body: format::binary, runs: 20_000 },
    Target { name: "chirpstack", body: format::chirpstack, runs: 20_000 },
    Target { name: "config", body: config::body, runs: 5_000 },
    Target { name: "connection", body: connection::body, runs: 2_000 },
    Target { name: "csv", body: format::csv, runs: 20_000 },
    Target { name: "file", body: file::body, runs: 60 },
    Target { name: "hj212", body: hj212::body, runs: 20_000 },
    Target { name: "homie", body: format::homie, runs: 20_000 },
    Target { name: "inputs", body: inputs::body, runs: 3_000 },
    Target { name: "json", body: json::body, runs: 30_000 },
    Target { name: "line", body: line::body, runs: 4_000 },
    Target { name: "line_protocol", body: format::line_protocol, runs: 20_000 },
    Target { name: "packed", body: format::packed, runs: 20_000 },
    Target { name: "plain", body: format::plain, runs: 10_000 },
    Target { name: "seeds", body: seeds::body, runs: 30 },
    Target { name: "senml", body: format::senml, runs: 20_000 },
    Target { name: "shelly", body: format::shelly, runs: 20_000 },
    Target { name: "snapshot", body: snapshot::body, runs: 1_500 },
    Target { name: "sparkplug_b", body: format::sparkplug_b, runs: 20_000 },
    Target { name: "tasmota", body: format::tasmota, runs: 20_000 },
    Target { name: "telegraf", body: format::telegraf, runs: 20_000 },
    Target { name: "things_stack", body: format::things_stack, runs: 20_000 },
    Target { name: "topic", body: topic::body, runs: 10_000 },
    Target { name: "wire", body: wire::body, runs: 3_000 },
    Target { name: "zigbee2mqtt", body: format::zigbee2mqtt, runs: 20_000 },
];

/// The folder of the project.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let holds = |folder: &&Path| folder.join("seeds/units.csv").is_file();
    here.ancestors().find(holds).unwrap().to_owned()
}

pub(crate) const NETWORKS: [&str; 2] = ["rivers", "parks"];

/// The tables of the example.
pub(crate) static TABLES: LazyLock<Tables> =
    LazyLock::new(|| Tables::read(&root().join("seeds")).unwrap());

/// The example, compiled.
pub(crate) static EXAMPLE: LazyLock<Arc<Registry>> = LazyLock::new(|| {
    let networks = NETWORKS.map(str::to_owned);
    let compiled = compile(&TABLES, Judgement::default(), &networks, &mut Names::default());
    Arc::new(compiled.unwrap_or_else(|faults| panic!("{faults:?}")))
});

/// Takes what a body needs off the front of its bytes. What is not there is zero or empty, so
/// that any bytes mean something.
#[derive(Debug)]
pub(crate) struct Feed<'a>(pub(crate) &'a [u8]);

impl<'a> Feed<'a> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let Some((byte, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *byte
    }

    pub(crate) fn eight(&mut self) -> [u8; 8] {
        std::array::from_fn(|_| self.byte())
    }

    pub(crate) fn double(&mut self) -> f64 {
        f64::from_le_bytes(self.eight())
    }

    /// Takes as many bytes as the next one says.
    pub(crate) fn bytes(&mut self) -> &'a [u8] {
        let length = usize::from(self.byte()).min(self.0.len());
        let (bytes, rest) = self.0.split_at(length);
        self.0 = rest;
        bytes
    }

    pub(crate) fn text(&mut self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }
}

/// Words for people must be there, and must not grow with what somebody sent.
#[track_caller]
pub(crate) fn says_something(words: &str) {
    assert!(!words.trim().is_empty(), "nothing is said");
    assert!(words.len() <= WORDS_MAX, "{} bytes are said: {words}", words.len());
}

/// The most bytes of what is said about one fault. Quotes are cut at 60 letters.
const WORDS_MAX: usize = 800;
