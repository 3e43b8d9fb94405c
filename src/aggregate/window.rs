//! The windows of one length of one datastream, hours or days: which are to be given out and when,
//! and what those came to that were. A window is given out when it is complete or some time after
//! its end; what arrives later gives it out again.

use std::sync::Arc;

use minicbor::{Decode, Encode};

use crate::domain::packed::{push_unsigned, push_varint, take_unsigned, take_varint};
use crate::domain::time::{MINUTE, Timestamp};

/// The mark of a window that is partial, behind the 32 bits of a count and two other marks.
const PARTIAL: u64 = 1 << 34;
/// How many windows wait at most to be given out. Beyond, the oldest is given up: a backlog of a
/// year that comes in one hour has eight thousand of them, and they are late data then.
const WINDOWS_OPEN_MAX: usize = 64;

/// A window that is written on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
struct Open {
    #[n(0)]
    start: Timestamp,
    /// How many values arrived for it.
    #[n(1)]
    received: u32,
    /// Whether it was given out before.
    #[n(2)]
    given: bool,
    /// When it is to be given out, next or again; `None` if nothing is to be said.
    #[n(3)]
    due: Option<Timestamp>,
}

/// What a window came to.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Kept {
    /// Its first instant.
    pub start: Timestamp,
    /// Its mean or total; `None` if it had too few valid values.
    pub value: Option<f64>,
    /// Whether one of its values is suspect.
    pub suspect: bool,
    /// Of a counter: whether a meter was exchanged or reset in it, so that a part of it is known
    /// to be missing for good.
    pub partial: bool,
    /// How many of the datastream's own values arrived.
    pub received: u32,
    /// How many of them were valid.
    pub valid: u32,
}

/// Whether a window that is given out takes another's place, and whether a later one was given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// It was given out before.
    pub revision: bool,
    /// No later one was given out. One of a clock that is ahead is no later one.
    pub newest: bool,
}

/// The windows of one length.
#[derive(Clone, PartialEq, Debug, Default, Encode, Decode)]
pub struct Windows {
    /// The newest, which nearly every value is of. It lies with the rest of the datastream.
    #[n(0)]
    newest: Option<Open>,
    /// Those before it that are to be given out, in order of time.
    #[n(1)]
    open: Vec<Open>,
    /// Those that were given out, in order of time, packed: hardly any value touches them again.
    #[cbor(n(2), with = "crate::domain::packed::shared")]
    given: Arc<[u8]>,
}

impl Windows {
    /// Notes a value of a window. `due` says from how many values that arrived when it is to be
    /// given out.
    pub fn mark(
        &mut self,
        start: Timestamp,
        arrived: bool,
        due: impl FnOnce(u32, bool) -> Timestamp,
    ) {
        let open = self.window(start);
        open.received += u32::from(arrived);
        open.due = Some(due(open.received, open.given));
    }

    fn window(&mut self, start: Timestamp) -> &mut Open {
        let fresh = |given: &[u8]| match find(given, start) {
            Some(kept) => Open { start, received: kept.received, given: true, due: None },
            None => Open { start, received: 0, given: false, due: None },
        };
        match self.newest.map(|newest| newest.start) {
            Some(newest) if newest > start => {
                let at = self.open.partition_point(|open| open.start < start);
                if self.open.get(at).is_none_or(|open| open.start != start) {
                    self.open.insert(at, fresh(&self.given));
                }
                // The lines above made the place.
                #[expect(clippy::indexing_slicing, reason = "inserted just above")]
                &mut self.open[at]
            }
            Some(newest) if newest == start => self.newest.get_or_insert_with(|| fresh(&[])),
            Some(_) | None => {
                let before = self.newest.take().filter(|open| open.due.is_some());
                self.open.extend(before);
                if self.open.len() > WINDOWS_OPEN_MAX {
                    self.open.remove(0);
                }
                self.newest.insert(fresh(&self.given))
            }
        }
    }

    /// Gives the earliest time at which something is to be given out.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        self.open.iter().chain(&self.newest).filter_map(|open| open.due).min()
    }

    /// Gives a window that is due, the oldest first, and how many values arrived for it.
    #[must_use]
    pub fn next_due(&self, now: Timestamp) -> Option<(Timestamp, u32)> {
        let mut open = self.open.iter().chain(&self.newest);
        let due = open.find(|open| open.due.is_some_and(|due| due <= now))?;
        Some((due.start, due.received))
    }

    /// Keeps what a window came to, and of the others those that stay by their start.
    pub fn keep(&mut self, kept: Kept, now: Timestamp, stays: impl Fn(Timestamp) -> bool) -> Place {
        let mut given: Vec<Kept> = self.kept().collect();
        let later = given.iter().any(|one| kept.start < one.start && one.start <= now);
        let at = given.partition_point(|one| one.start < kept.start);
        let revision = given.get(at).is_some_and(|one| one.start == kept.start);
        match given.get_mut(at).filter(|_| revision) {
            Some(place) => *place = kept,
            None => given.insert(at, kept),
        }
        given.retain(|one| stays(one.start));
        self.given = pack(&given);
        self.open.retain(|open| open.start != kept.start);
        if let Some(newest) = self.newest.as_mut().filter(|newest| newest.start == kept.start) {
            newest.given = true;
            newest.due = None;
        }
        Place { revision, newest: !later }
    }

    /// Gives up a window that waits: nobody can say what it comes to.
    pub fn give_up(&mut self, start: Timestamp) {
        self.open.retain(|open| open.start != start);
        if let Some(newest) = self.newest.as_mut().filter(|newest| newest.start == start) {
            newest.due = None;
        }
    }

    /// Walks what was given out, oldest first.
    pub fn kept(&self) -> impl Iterator<Item = Kept> + '_ {
        unpack(&self.given)
    }

    /// Gives what the windows from `start` to before `end` came to.
    #[must_use]
    pub fn between(&self, start: Timestamp, end: Timestamp) -> Vec<Kept> {
        self.kept().filter(|kept| start <= kept.start && kept.start < end).collect()
    }

    /// Gives what one window came to.
    #[must_use]
    pub fn at(&self, start: Timestamp) -> Option<Kept> {
        find(&self.given, start)
    }

    /// Says whether a window waits to be given out, or to be given out again.
    #[must_use]
    pub fn waits(&self, start: Timestamp) -> bool {
        self.open.iter().chain(&self.newest).any(|open| open.start == start && open.due.is_some())
    }

    /// Gives the oldest window that waits to be given out, or to be given out again.
    #[must_use]
    pub fn first_waiting(&self) -> Option<Timestamp> {
        let mut open = self.open.iter().chain(&self.newest);
        open.find(|open| open.due.is_some()).map(|open| open.start)
    }

    /// Reads the newest window.
    #[must_use]
    pub fn touch(&self) -> i64 {
        self.newest.map_or(0, |open| open.start.millis())
    }
}

fn find(given: &[u8], start: Timestamp) -> Option<Kept> {
    unpack(given).take_while(|kept| kept.start <= start).find(|kept| kept.start == start)
}

/// Packs windows: the minutes from the start of the one before, the counts, and the value.
fn pack(windows: &[Kept]) -> Arc<[u8]> {
    let (mut bytes, mut last) = (Vec::with_capacity(windows.len() * 14), 0);
    for kept in windows {
        let minutes = kept.start.millis().div_euclid(MINUTE);
        push_varint(&mut bytes, minutes.wrapping_sub(last));
        last = minutes;
        let marks = u64::from(kept.value.is_some()) | u64::from(kept.suspect) << 1;
        let partial = if kept.partial { PARTIAL } else { 0 };
        push_unsigned(&mut bytes, u64::from(kept.valid) << 2 | marks | partial);
        push_varint(&mut bytes, i64::from(kept.received) - i64::from(kept.valid));
        if let Some(value) = kept.value {
            bytes.extend_from_slice(&value.to_bits().to_le_bytes());
        }
    }
    bytes.into()
}

fn unpack(bytes: &[u8]) -> impl Iterator<Item = Kept> + '_ {
    let (mut rest, mut last) = (bytes, 0);
    std::iter::from_fn(move || take(&mut rest, &mut last))
}

fn take(rest: &mut &[u8], last: &mut i64) -> Option<Kept> {
    *last = last.wrapping_add(take_varint(rest)?);
    let marks = take_unsigned(rest)?;
    let partial = marks & PARTIAL != 0;
    let valid = u32::try_from((marks & !PARTIAL) >> 2).ok()?;
    let received = u32::try_from(i64::from(valid).checked_add(take_varint(rest)?)?).ok()?;
    let value = if marks & 1 == 1 {
        let (bits, tail) = rest.split_first_chunk::<8>()?;
        *rest = tail;
        Some(f64::from_bits(u64::from_le_bytes(*bits)))
    } else {
        None
    };
    let start = Timestamp(last.checked_mul(MINUTE)?);
    Some(Kept { start, value, suspect: marks & 2 == 2, partial, received, valid })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::HOUR;

    fn kept(hour: i64, value: f64) -> Kept {
        let start = Timestamp(hour * HOUR);
        let value = Some(value);
        Kept { start, value, suspect: false, partial: false, received: 1, valid: 1 }
    }

    fn mark(windows: &mut Windows, hour: i64, due: i64) {
        windows.mark(Timestamp(hour * HOUR), true, |_, _| Timestamp(due));
    }

    #[test]
    fn the_oldest_that_is_due_comes_first() {
        let mut windows = Windows::default();
        mark(&mut windows, 5, 60);
        mark(&mut windows, 3, 70);
        mark(&mut windows, 3, 80);
        assert_eq!(windows.due(), Some(Timestamp(60)));
        assert_eq!(windows.next_due(Timestamp(59)), None);
        assert_eq!(windows.next_due(Timestamp(80)), Some((Timestamp(3 * HOUR), 2)));
        assert!(windows.waits(Timestamp(5 * HOUR)) && !windows.waits(Timestamp(4 * HOUR)));
    }

    #[test]
    fn what_was_given_is_a_revision_and_knows_how_many_arrived() {
        let mut windows = Windows::default();
        mark(&mut windows, 3, 0);
        let now = Timestamp(9 * HOUR);
        let place = windows.keep(kept(3, 1.0), now, |_| true);
        assert_eq!(place, Place { revision: false, newest: true });
        mark(&mut windows, 4, 0);
        windows.keep(kept(4, 2.0), now, |_| true);
        mark(&mut windows, 3, 0);
        assert_eq!(windows.next_due(now), Some((Timestamp(3 * HOUR), 2)));
        let place = windows.keep(kept(3, 5.0), now, |_| true);
        assert_eq!(place, Place { revision: true, newest: false });
        assert_eq!(windows.due(), None);
        assert_eq!(windows.at(Timestamp(3 * HOUR)), Some(kept(3, 5.0)));
        assert_eq!(windows.between(Timestamp(3 * HOUR), Timestamp(4 * HOUR)), [kept(3, 5.0)]);
    }

    #[test]
    fn a_window_of_a_clock_that_is_ahead_is_no_later_one() {
        let mut windows = Windows::default();
        windows.keep(kept(20, 1.0), Timestamp(20 * HOUR), |_| true);
        let place = windows.keep(kept(8, 1.0), Timestamp(9 * HOUR), |_| true);
        assert!(place.newest);
    }

    #[test]
    fn old_windows_are_forgotten_and_those_that_wait_have_a_limit() {
        let mut windows = Windows::default();
        for hour in 0..1_000 {
            let since = Timestamp((hour - 9) * HOUR);
            windows.keep(kept(hour, 1.0), Timestamp(hour * HOUR), |start| start >= since);
        }
        assert_eq!(windows.kept().count(), 10);
        for hour in 0..1_000 {
            mark(&mut windows, hour, i64::MAX);
        }
        assert_eq!(windows.open.len(), WINDOWS_OPEN_MAX);
    }

    #[test]
    fn packed_windows_are_read_as_they_were() {
        let odd = Kept { value: None, suspect: true, received: 0, valid: 7, ..kept(3, 0.0) };
        let cut = Kept { partial: true, valid: u32::MAX, ..kept(3, 0.5) };
        let windows = [kept(-7, 1.5), odd, cut, Kept { received: 90, ..kept(4, -0.1) }];
        assert_eq!(unpack(&pack(&windows)).collect::<Vec<_>>(), windows);
    }
}
