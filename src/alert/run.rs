//! How long something lasts: in time, in values that follow each other, or in so many of the last
//! values.

use minicbor::{Decode, Encode};

use crate::domain::registry::Persistence;
use crate::domain::time::{PhenomenonTime, Timestamp};

/// How long something lasts already. It takes 32 bytes, and where a rule asks for so many of the
/// last values 24 more and 16 for each of them, 32 at most.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct Run {
    /// The time of its first value.
    #[n(0)]
    pub since: Timestamp,
    /// How many values.
    #[n(1)]
    pub values: u32,
    /// The time of its last value, which counts once however often it is revised.
    #[n(2)]
    #[cbor(default)]
    pub last: Timestamp,
    /// The last values, where it may be interrupted.
    #[n(3)]
    recent: Option<Box<Recent>>,
}

/// The last values in their order, those that interrupt a run among them.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
struct Recent {
    /// The time of each, and whether it is one of the run.
    #[n(0)]
    values: Vec<(Timestamp, bool)>,
}

impl Recent {
    /// Takes in a value that is new or revised, and forgets the oldest beyond so many.
    fn put(&mut self, at: Timestamp, counts: bool, of: u8) {
        match self.values.iter_mut().rev().find(|(held, _)| *held == at) {
            Some(held) => held.1 = counts,
            None => self.values.push((at, counts)),
        }
        let beyond = self.values.len().saturating_sub(usize::from(of));
        self.values.drain(..beyond);
    }

    fn counting(&self) -> impl DoubleEndedIterator<Item = Timestamp> {
        self.values.iter().filter(|(_, counts)| *counts).map(|(at, _)| *at)
    }

    /// Makes a run of it, if a value of it is left that counts.
    fn run(self: Box<Self>) -> Option<Run> {
        let since = self.counting().next()?;
        let last = self.counting().next_back()?;
        let values = u32::try_from(self.counting().count()).unwrap_or(u32::MAX);
        Some(Run { since, values, last, recent: Some(self) })
    }
}

impl Run {
    /// Begins a run, or goes on with one, by a value.
    #[must_use]
    pub fn extended(run: Option<Self>, span: PhenomenonTime, persistence: Persistence) -> Self {
        let at = span.start();
        let first = Self { since: at, values: 1, last: at, recent: None };
        match (persistence, run) {
            (Persistence::Of { of, .. }, run) => {
                let mut recent = run.and_then(|run| run.recent).unwrap_or_default();
                recent.put(at, true, of);
                recent.run().unwrap_or(first)
            }
            (Persistence::Values(_) | Persistence::Millis(_), None) => first,
            // What began at the time of a clock that was ahead began at the latest now.
            (Persistence::Values(_) | Persistence::Millis(_), Some(run)) => Self {
                since: run.since.min(at),
                values: run.values + u32::from(run.last != at),
                last: at,
                recent: None,
            },
        }
    }

    /// Takes in a value that is none of the run: it ends, unless the rule asks for so many of the
    /// last values and one of them is left.
    #[must_use]
    pub fn interrupted(self, span: PhenomenonTime, persistence: Persistence) -> Option<Self> {
        let Persistence::Of { of, .. } = persistence else { return None };
        let mut recent = self.recent?;
        recent.put(span.start(), false, of);
        recent.run()
    }

    /// Gives it without the value of a time, if that is its last or one of the last that are
    /// remembered; nothing if no value is left of those. It counts again if it comes again.
    #[must_use]
    pub fn without(self, at: Timestamp) -> Option<Self> {
        if let Some(mut recent) = self.recent {
            recent.values.retain(|(held, _)| *held != at);
            return recent.run();
        }
        if self.last != at {
            return Some(self);
        }
        Some(Self { values: self.values.saturating_sub(1), last: at.plus(-1), ..self })
    }

    /// Says whether the value of a time is the first, or would be.
    #[must_use]
    pub fn begins_at(&self, at: Timestamp) -> bool {
        self.values <= u32::from(self.last == at)
    }

    /// Says whether it lasts for as long as it must. A mean of an hour says that it lasted the
    /// hour.
    #[must_use]
    pub fn lasts(&self, span: PhenomenonTime, persistence: Persistence) -> bool {
        match persistence {
            Persistence::Values(values) => self.values >= values,
            Persistence::Millis(millis) => span.end().since(self.since) >= millis,
            Persistence::Of { need, .. } => self.values >= u32::from(need),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF: Persistence = Persistence::Of { need: 3, of: 5 };

    /// Runs letters, one a minute: `x` counts, `.` does not. Gives since which minute the run lasts
    /// that they end with, and of how many values.
    fn run(letters: &str) -> Option<(i64, u32)> {
        let mut run: Option<Run> = None;
        for (minute, letter) in letters.chars().enumerate() {
            let span = PhenomenonTime::Instant(Timestamp(minute as i64));
            run = match letter {
                'x' => Some(Run::extended(run, span, OF)),
                _ => run.and_then(|run| run.interrupted(span, OF)),
            };
        }
        run.map(|run| (run.since.millis(), run.values))
    }

    #[test]
    fn so_many_of_the_last_values_count_from_the_first_of_them() {
        let check = |letters, want| assert_eq!(run(letters), want, "{letters}");
        check("x.x", Some((0, 2)));
        check("x.x.x", Some((0, 3)));
        // The first left the last five.
        check("x.x..x", Some((2, 2)));
        check("x.....", None);
        check("x....x", Some((5, 1)));
        check("xxxxxxx", Some((2, 5)));
    }

    #[test]
    fn a_value_that_is_revised_or_taken_back_is_one_of_them_no_more() {
        let at = |minute| PhenomenonTime::Instant(Timestamp(minute));
        let two = Run::extended(Some(Run::extended(None, at(0), OF)), at(1), OF);
        let revised = two.clone().interrupted(at(0), OF).unwrap();
        assert_eq!((revised.since, revised.values), (Timestamp(1), 1));
        let left = two.without(Timestamp(1)).unwrap();
        assert_eq!((left.since, left.values), (Timestamp(0), 1));
        assert_eq!(left.without(Timestamp(0)), None);
    }

    #[test]
    fn of_a_rule_that_counts_anew_since_an_edition_the_old_run_is_none() {
        let at = |minute| PhenomenonTime::Instant(Timestamp(minute));
        let old = Run::extended(None, at(0), Persistence::Values(3));
        let anew = Run::extended(Some(old.clone()), at(1), OF);
        assert_eq!((anew.since, anew.values), (Timestamp(1), 1));
        assert_eq!(old.interrupted(at(1), OF), None);
    }

    #[test]
    fn it_takes_as_much_as_is_said() {
        assert_eq!(size_of::<Run>(), 32);
        assert_eq!(size_of::<Recent>(), 24);
        assert_eq!(size_of::<(Timestamp, bool)>(), 16);
        let long = Persistence::Of { need: 32, of: 32 };
        let values = (0..100).map(|minute| PhenomenonTime::Instant(Timestamp(minute)));
        let run = values.fold(None, |run, at| Some(Run::extended(run, at, long)));
        assert_eq!(run.unwrap().recent.unwrap().values.len(), 32);
    }
}
