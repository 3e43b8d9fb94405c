//! Writing down what persons do that is no input: on the page, and in the shell beside a daemon or
//! without one.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::daemon::clock::Clock;
use crate::domain::booked::{Booked, Way, What};
use crate::journal::booked::book;

/// Writes down what somebody did on the page; that it can't be is in the log.
pub(super) fn by_page(folder: &Path, what: What, person: &str, about: &str, words: &str) {
    note(folder, (what, Way::Page), person, about, words);
}

/// Writes down what somebody did by either way; that it can't be is in the log.
pub(super) fn note(folder: &Path, did: (What, Way), person: &str, about: &str, words: &str) {
    if let Err(error) = book(folder, &booked(did, person, about, words)) {
        tracing::warn!(%error, what = did.0.words().0, "The audit list can't be written on.");
    }
}

/// Writes down what the user of the machine did in the shell.
///
/// # Errors
/// The list can't be written on.
pub fn by_shell(folder: &Path, what: What, (about, words): (&str, &str)) -> io::Result<()> {
    book(folder, &booked((what, Way::Shell), &user(), about, words))
}

fn booked((what, way): (What, Way), person: &str, about: &str, words: &str) -> Booked {
    let [person, about, words] = [person, about, words].map(str::to_owned);
    let at_ms = Clock::real().now().wall.millis();
    Booked { at_ms, person, way, what, about, words }
}

/// Names the user of the machine: who became root by sudo is named, and not root.
fn user() -> String {
    let named = |key: &&str| std::env::var(key).ok().filter(|name| !name.is_empty());
    let name = ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(named);
    let number = || std::fs::metadata("/proc/self").map_or(0, |own| own.uid());
    name.unwrap_or_else(|| format!("user {}", number()))
}
