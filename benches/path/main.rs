//! What a message costs weir, from PUBLISH to the database's 204, held against what the same
//! message costs mosquitto in the same run; and what follows from it: memory, delay, catching up,
//! what is written to disk, restarts. A ratio of two costs on one machine carries to another; a
//! time does not. `docs/performance.md` explains each row.
//!
//! `cargo bench --bench path` measures all rows; `cargo bench --bench path -- speed disk` those
//! whose name holds one of the words. `WEIR_BENCH_MESSAGES` says how many messages a run at full
//! speed has (400,000). The table goes to standard output, and as JSON to
//! `target/performance.json`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    unreachable_pub,
    missing_debug_implementations,
    reason = "a bench may panic, prints, and is nobody's library"
)]
#![expect(clippy::disallowed_methods, reason = "a bench measures by the system's clock")]

mod backlog;
mod fleet;
mod formats;
mod lasting;
mod latency;
mod load;
mod pages;
#[path = "../../tests/peer/mod.rs"]
mod peer;
mod process;
mod ring;
mod sink;
mod speed;
mod stages;
mod storm;
mod table;

use table::Table;

/// What the rows share.
pub struct Bench {
    /// How many messages a run at full speed has.
    pub messages: u64,
    /// What was measured so far.
    pub table: Table,
}

/// A part of the bench: the word that asks for it, and what measures it.
type Part = (&'static str, fn(&mut Bench));

const PARTS: [Part; 13] = [
    ("speed", speed::ratios),
    ("stations", speed::many_stations),
    ("restart", speed::restart),
    ("delay", latency::delay),
    ("backlog", backlog::catch_up),
    ("memory", ring::full),
    ("stages", stages::stages),
    ("formats", formats::formats),
    ("evaluations", lasting::evaluations),
    ("quality", lasting::quality),
    ("year", lasting::year),
    ("storm", storm::storm),
    ("pages", pages::pages),
];

fn main() {
    let words: Vec<String> =
        std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    if words.first().is_some_and(|word| word == ring::CHILD) {
        return ring::child();
    }
    if words.first().is_some_and(|word| word == lasting::CHILD) {
        return lasting::child();
    }
    let messages = std::env::var("WEIR_BENCH_MESSAGES").ok().and_then(|text| text.parse().ok());
    let mut bench = Bench { messages: messages.unwrap_or(400_000), table: Table::default() };
    for (name, part) in PARTS {
        if words.is_empty() || words.iter().any(|word| name.contains(&**word)) {
            eprintln!("measuring: {name}");
            part(&mut bench);
        }
    }
    println!("\n{}", bench.table.markdown());
    bench.table.write_json();
}
