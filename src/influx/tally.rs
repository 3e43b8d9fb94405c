//! How many values a database must hold, counted from the points as they were rendered: a value is
//! one field of one series at one time, and counts once however often it was written.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Read as _};

use flate2::read::GzDecoder;
use xxhash_rust::xxh3::xxh3_128_with_seed;

use crate::domain::time::HOUR;
use crate::influx::line::parts::Parts;

/// How many values are told apart at once; of more, a share at a time. About 40 MB.
const VALUES_MAX: usize = 1 << 20;
/// The most bytes that the points of one batch may have.
const INFLATED_MAX: u64 = 256 << 20;

/// Which hour of which measurement: the hour counts from 1970.
pub type Cell = (Box<str>, i64);

/// How many values there are of one hour of one measurement.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Count {
    /// What was delivered.
    pub delivered: u64,
    /// What may be delivered already or not.
    pub waiting: u64,
}

/// One part of all values, so that telling them apart needs no more memory than it may.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Share {
    index: u128,
    of: u128,
}

impl Share {
    /// All values.
    pub const WHOLE: Self = Self { index: 0, of: 1 };

    /// Gives the part after this one, if there is one.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        let next = Self { index: self.index + 1, ..self };
        (next.index < next.of).then_some(next)
    }

    /// Gives the first of parts that are half as large.
    #[must_use]
    pub fn halved(self) -> Self {
        Self { index: 0, of: self.of * 2 }
    }

    fn holds(self, key: u128) -> bool {
        key % self.of == self.index
    }
}

/// Counts values.
#[derive(Debug, Default)]
pub struct Tally {
    /// By measurement and hour.
    pub counts: BTreeMap<Cell, Count>,
    /// Values of before the period.
    pub older: u64,
    /// Values that the database is known to have refused.
    pub refused: u64,
    known_refused: HashSet<u128>,
    seen: HashSet<u128>,
}

/// What a pass over the points looks at.
#[derive(Clone, Copy, Debug)]
pub struct Pass {
    /// Which values.
    pub share: Share,
    /// The first hour that is counted; none is too early without.
    pub from_hour: Option<i64>,
}

/// A share has more values than may be told apart at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooMany;

impl Tally {
    /// Notes what the database refused: a line, or one field of it.
    pub fn note_refused(&mut self, line: &str, field: Option<&str>) {
        let Some(parts) = Parts::of(line.as_bytes()) else { return };
        let Some(at) = millis(&parts) else { return };
        for one in parts.fields() {
            if field.is_none_or(|field| field.as_bytes() == one.key) {
                self.known_refused.insert(key(&parts, one.key, at));
            }
        }
    }

    /// Begins with another share.
    pub fn turn(&mut self) {
        self.seen.clear();
    }

    /// Counts the points of one batch, a gzip member.
    ///
    /// # Errors
    /// They can't be read; inside, there are too many values for one pass.
    pub fn take(
        &mut self,
        member: &[u8],
        delivered: bool,
        pass: Pass,
    ) -> io::Result<Result<(), TooMany>> {
        let mut text = Vec::new();
        GzDecoder::new(member).take(INFLATED_MAX).read_to_end(&mut text)?;
        for line in text.split(|byte| *byte == b'\n') {
            let Some(parts) = Parts::of(line) else { continue };
            let Some(at) = millis(&parts) else { continue };
            for field in parts.fields() {
                self.count(&parts, key(&parts, field.key, at), at, delivered, pass);
            }
            if self.seen.len() > VALUES_MAX {
                return Ok(Err(TooMany));
            }
        }
        Ok(Ok(()))
    }

    fn count(&mut self, parts: &Parts<'_>, key: u128, at: i64, delivered: bool, pass: Pass) {
        if !pass.share.holds(key) || !self.seen.insert(key) {
            return;
        }
        let hour = at.div_euclid(HOUR);
        if pass.from_hour.is_some_and(|from| hour < from) {
            self.older += 1;
        } else if self.known_refused.contains(&key) {
            self.refused += 1;
        } else {
            let count = self.counts.entry((name(parts.measurement()), hour)).or_default();
            if delivered {
                count.delivered += 1;
            } else {
                count.waiting += 1;
            }
        }
    }
}

/// Tells a value from all others.
fn key(parts: &Parts<'_>, field: &[u8], at: i64) -> u128 {
    // A line break stands in no name.
    xxh3_128_with_seed(&[parts.head, b"\n", field].concat(), at.cast_unsigned())
}

fn millis(parts: &Parts<'_>) -> Option<i64> {
    std::str::from_utf8(parts.time).ok()?.parse().ok()
}

/// Takes the backslashes of line protocol out of a measurement.
fn name(escaped: &[u8]) -> Box<str> {
    let text = String::from_utf8_lossy(escaped);
    text.replace("\\,", ",").replace("\\ ", " ").into()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn member(text: &str) -> Vec<u8> {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text.as_bytes()).unwrap();
        gzip.finish().unwrap()
    }

    const POINTS: &str = "water,station=a ph=7,ph_qc=3i 3600000\nwater,station=b ph=7 3600000\n\
        wa\\ ter,station=a do=7 7200000\nwater,station=a ph=8 3600000\n";

    fn cell(measurement: &str, hour: i64) -> Cell {
        (measurement.into(), hour)
    }

    fn tally(pass: Pass) -> Tally {
        let mut tally = Tally::default();
        tally.take(&member(POINTS), true, pass).unwrap().unwrap();
        // Again, and one value that waits.
        let more = member(&format!("{POINTS}water,station=c ph=1 3600001\n"));
        tally.take(&more, false, pass).unwrap().unwrap();
        tally
    }

    #[test]
    fn a_value_counts_once_and_every_field_is_one() {
        let tally = tally(Pass { share: Share::WHOLE, from_hour: None });
        let counts: Vec<_> = tally.counts.into_iter().collect();
        let water = Count { delivered: 3, waiting: 1 };
        let other = Count { delivered: 1, waiting: 0 };
        assert_eq!(counts, [(cell("wa ter", 2), other), (cell("water", 1), water)]);
    }

    #[test]
    fn more_values_than_memory_may_hold_are_too_many() {
        let mut tally = Tally::default();
        tally.seen.extend(0..VALUES_MAX as u128 - 3);
        let pass = Pass { share: Share::WHOLE, from_hour: None };
        let mut take = |text: &str| tally.take(&member(text), true, pass).unwrap().is_ok();
        assert!(take("water a=1,b=1,c=1 1\n"));
        assert!(take("water a=1,b=1,c=1 1\n"), "they are counted already");
        assert!(!take("water d=1 1\n"));
    }

    #[test]
    fn shares_add_up_to_the_whole() {
        let mut whole = Tally::default();
        let mut share = Some(Share::WHOLE.halved().halved());
        while let Some(one) = share {
            whole.turn();
            let pass = Pass { share: one, from_hour: None };
            whole.take(&member(POINTS), true, pass).unwrap().unwrap();
            share = one.next();
        }
        let sum: u64 = whole.counts.values().map(|count| count.delivered).sum();
        assert_eq!(sum, 4);
    }

    #[test]
    fn what_is_older_or_known_to_be_refused_is_not_looked_for() {
        let older = tally(Pass { share: Share::WHOLE, from_hour: Some(2) });
        assert_eq!((older.older, older.counts.len()), (4, 1));
        let mut tally = Tally::default();
        tally.note_refused("water,station=a ph=7,ph_qc=3i 3600000", Some("ph_qc"));
        tally.note_refused("wa\\ ter,station=a do=7 7200000", None);
        let pass = Pass { share: Share::WHOLE, from_hour: None };
        tally.take(&member(POINTS), true, pass).unwrap().unwrap();
        assert_eq!(tally.refused, 2);
        assert_eq!(tally.counts[&cell("water", 1)].delivered, 2);
    }
}
