//! What weir was doing when the process died: a small file in the data folder, because what kills
//! a process (its stack, its memory) can't be caught, and the broker delivers it again.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::domain::input::Message;
use crate::domain::time::{MINUTE, Moment};

/// The file.
const FILE: &str = "in-hand";
/// After this many deaths in a row messages go singly, each noted before it is looked at.
const DEATHS_MAX: u32 = 2;
/// A message in whose hands weir died this often is not looked at again. Not the first time:
/// somebody may have killed weir just then.
const DEATHS_OF_ONE_MAX: u32 = 2;
/// A process that has taken messages for so long has outlived what killed the one before it.
const OUTLIVED_MS: i64 = MINUTE;
/// How many suspects are remembered.
const SUSPECTS_MAX: usize = 100;

/// What is said of a message that is not looked at again.
pub const DIED: &str = "the process died on it twice";

/// Gives what a panic said.
pub(super) fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "no words".to_owned())
}

/// What stands in the file. That it is there says that a process began and did not stop in order.
#[derive(Default, Debug, Deserialize, Serialize)]
struct Kept {
    /// How many processes died in a row, none of which lived long.
    deaths: u32,
    /// The message that is looked at now.
    in_hand: Option<String>,
    /// How often weir died on which message.
    suspects: BTreeMap<String, u32>,
}

/// The file of a process at work.
#[derive(Debug)]
pub struct InHand {
    path: PathBuf,
    kept: Kept,
    /// When the first message was taken.
    since: Option<Moment>,
    singly: bool,
}

impl InHand {
    /// Reads what the process before this one left, and notes that this one began.
    #[must_use]
    pub fn begin(folder: &Path) -> Self {
        let path = folder.join(FILE);
        let mut kept = match fs::read(&path) {
            // It may have died while it wrote.
            Ok(left) => {
                let mut kept: Kept = serde_json::from_slice(&left).unwrap_or_default();
                kept.deaths += 1;
                kept
            }
            Err(_) => Kept::default(),
        };
        if let Some(digest) = kept.in_hand.take()
            && (kept.suspects.len() < SUSPECTS_MAX || kept.suspects.contains_key(&digest))
        {
            *kept.suspects.entry(digest).or_default() += 1;
        }
        let singly = kept.deaths >= DEATHS_MAX;
        if singly {
            let deaths = kept.deaths;
            tracing::warn!(deaths, "weir died again and again; messages go singly for a while.");
        }
        let begun = Self { path, kept, since: None, singly };
        begun.write();
        begun
    }

    /// Says whether messages go singly.
    #[must_use]
    pub fn singly(&self) -> bool {
        self.singly
    }

    /// Notes that a message is looked at; says whether weir died on it and it must not be.
    pub fn look_at(&mut self, at: Moment, message: &Message<'_>) -> bool {
        self.since.get_or_insert(at);
        if !self.singly && self.kept.suspects.is_empty() {
            return false;
        }
        let digest = digest(message);
        if self.kept.suspects.get(&digest).is_some_and(|deaths| *deaths >= DEATHS_OF_ONE_MAX) {
            return true;
        }
        if self.singly {
            self.kept.in_hand = Some(digest);
            self.write();
        }
        false
    }

    /// Notes that the message of a dead letter is looked at again; says whether weir died on it
    /// and it must not be. Always noted, for nobody delivers it again: an operator asked, and will
    /// ask again.
    pub fn look_at_letter(&mut self, at: Moment, message: &Message<'_>) -> bool {
        if self.look_at(at, message) {
            return true;
        }
        self.kept.in_hand = Some(digest(message));
        self.write();
        false
    }

    /// Notes that weir survived the message.
    pub fn look_away(&mut self) {
        if self.kept.in_hand.take().is_some() {
            self.write();
        }
    }

    /// Goes back to whole batches after a while.
    pub fn beat(&mut self, at: Moment) {
        let lived_ms = self.since.map_or(0, |since| at.elapsed_ms - since.elapsed_ms);
        let outlived = lived_ms >= OUTLIVED_MS;
        if outlived && self.kept.deaths > 0 {
            (self.kept.deaths, self.singly) = (0, false);
            self.write();
        }
    }

    /// Notes a stop in order.
    pub fn end(&self) {
        if let Err(error) = fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "The file `in-hand` can't be removed.");
        }
    }

    /// Not synced: it is there for the death of the process, not of the machine.
    fn write(&self) {
        let written = serde_json::to_vec(&self.kept)
            .map_err(io::Error::from)
            .and_then(|text| fs::write(&self.path, text));
        if let Err(error) = written {
            tracing::warn!(%error, "The file `in-hand` can't be written.");
        }
    }
}

/// Gives what tells a message from others, also when it is delivered again.
#[must_use]
pub fn digest(message: &Message<'_>) -> String {
    let mut hash = Sha256::new();
    hash.update(message.network.0.to_le_bytes());
    hash.update((message.topic.len() as u64).to_le_bytes());
    hash.update(message.topic);
    hash.update(message.payload);
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::domain::input::Qos;
    use crate::domain::name::NetworkId;

    fn message(payload: &[u8]) -> Message<'_> {
        let (network, qos) = (NetworkId(0), Qos::AtLeastOnce);
        let (packet_id, dup, retain, fault) = (1, false, false, None);
        Message { network, packet_id, dup, retain, qos, topic: b"t", payload, fault }
    }

    /// A process that takes good messages and then dies on a bad one, or refuses to look at it.
    fn life(folder: &TempDir) -> (bool, bool) {
        let mut begun = InHand::begin(folder.path());
        for good in [b"1", b"2"] {
            assert!(!begun.look_at(Moment::default(), &message(good)));
            begun.look_away();
        }
        (begun.singly(), begun.look_at(Moment::default(), &message(b"bad")))
    }

    #[test]
    fn after_two_deaths_messages_go_singly_and_the_one_that_kills_is_refused() {
        let folder = TempDir::new().unwrap();
        let lives = [(); 5].map(|()| life(&folder));
        let whole = (false, false);
        assert_eq!(lives, [whole, whole, (true, false), (true, false), (true, true)]);
    }

    #[test]
    fn a_letter_that_kills_twice_is_not_run_again() {
        let folder = TempDir::new().unwrap();
        let tried = [(); 3].map(|()| {
            let mut begun = InHand::begin(folder.path());
            assert!(!begun.look_at_letter(Moment::default(), &message(b"good")));
            begun.look_away();
            begun.look_at_letter(Moment::default(), &message(b"bad"))
        });
        assert_eq!(tried, [false, false, true]);
    }

    #[test]
    fn a_stop_in_order_is_no_death() {
        let folder = TempDir::new().unwrap();
        for _ in 0..4 {
            let begun = InHand::begin(folder.path());
            assert!(!begun.singly());
            begun.end();
        }
    }

    #[test]
    fn no_more_messages_are_remembered_than_may_be() {
        let folder = TempDir::new().unwrap();
        let die_on = |digest: &str| {
            let mut begun = InHand::begin(folder.path());
            begun.kept.in_hand = Some(digest.to_owned());
            begun.write();
            InHand::begin(folder.path()).kept.suspects
        };
        for number in 0..SUSPECTS_MAX {
            die_on(&number.to_string());
        }
        let suspects = die_on("one more");
        assert!(suspects.len() == SUSPECTS_MAX && !suspects.contains_key("one more"));
        assert_eq!(die_on("7")["7"], 2, "who is remembered is counted on");
    }

    #[test]
    fn a_file_cut_short_is_a_death() {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join(FILE), b"{\"dea").unwrap();
        assert_eq!(InHand::begin(folder.path()).kept.deaths, 1);
    }

    #[test]
    fn who_lives_long_has_outlived_it() {
        let folder = TempDir::new().unwrap();
        let lives = [(); 3].map(|()| life(&folder).0);
        assert_eq!(lives, [false, false, true]);
        let mut begun = InHand::begin(folder.path());
        begun.look_at(Moment::default(), &message(b"1"));
        begun.look_away();
        begun.beat(Moment { elapsed_ms: OUTLIVED_MS - 1, ..Moment::default() });
        assert!(begun.singly());
        begun.beat(Moment { elapsed_ms: OUTLIVED_MS, ..Moment::default() });
        assert!(!begun.singly());
        assert!(!InHand::begin(folder.path()).singly());
    }
}
