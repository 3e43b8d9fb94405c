//! How much of what was heard is looked at and kept in mind: a payload may be packed two hundred
//! times smaller than it is, and each metric of a birth is remembered.

use crate::decode::packed;

/// How much of the payloads of all topics is looked at once they are unpacked, bytes.
const UNPACKED_BYTES_MAX: usize = 128 << 20;
/// Of how many payloads it is learned what they announce,
const BIRTHS_MAX: usize = 1_024;
/// and of how many bytes of them.
const BIRTH_BYTES_MAX: usize = 16 << 20;

/// How much was looked at, and how much was not for a limit.
#[derive(Default)]
pub(super) struct Held {
    unpacked: usize,
    unpacked_beyond: usize,
    births: usize,
    birth_bytes: usize,
    births_beyond: usize,
}

impl Held {
    /// Unpacks a payload; nothing where it can't be, or all became too much.
    pub(super) fn unpack(&mut self, payload: &[u8]) -> Option<Vec<u8>> {
        if self.unpacked >= UNPACKED_BYTES_MAX {
            self.unpacked_beyond += 1;
            return None;
        }
        let unpacked = packed::unpack(payload).ok()?.into_owned();
        self.unpacked += unpacked.len();
        Some(unpacked)
    }

    /// Says whether one more payload may be learned from.
    pub(super) fn learns(&mut self, bytes: usize) -> bool {
        let all = self.birth_bytes.saturating_add(bytes);
        let learns = self.births < BIRTHS_MAX && all <= BIRTH_BYTES_MAX;
        if learns {
            self.births += 1;
            self.birth_bytes = all;
        } else {
            self.births_beyond += 1;
        }
        learns
    }

    /// Says which limits were reached.
    pub(super) fn reached(&self) -> Vec<String> {
        let (mib, birth_mib) = (UNPACKED_BYTES_MAX >> 20, BIRTH_BYTES_MAX >> 20);
        let reached = [
            (
                self.unpacked_beyond,
                format!("payloads beyond {mib} MiB unpacked were not looked at"),
            ),
            (
                self.births_beyond,
                format!("births beyond {BIRTHS_MAX} or {birth_mib} MiB were not remembered"),
            ),
        ];
        let reached = reached.into_iter().filter(|(count, _)| *count > 0);
        reached.map(|(count, words)| format!("{count} {words}")).collect()
    }
}
