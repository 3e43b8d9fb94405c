//! What persons said of values and checks showed of them, and for which spans that was told before
//! days are played again.

use std::collections::{BTreeMap, VecDeque};

use crate::domain::input::Act;
use crate::domain::invalidation::Invalidation;
use crate::domain::recompute::Recompute;
use crate::domain::time::{Moment, Timestamp};
use crate::pipeline::recompute::Task;

/// A span, half-open.
type Span = (Timestamp, Timestamp);

/// What a person said of values, and what of it was told.
pub(super) struct Said {
    pub(super) said: Invalidation,
    /// For which spans it stood when the playing begins; where it is taken back later that is
    /// played.
    stood: Vec<Span>,
    /// For which spans it stood when an earlier recomputation told of them.
    told: Vec<Span>,
    /// For which spans an earlier recomputation told of it, or of what takes it back: there it is
    /// played no more.
    counted: Vec<Span>,
}

impl Said {
    /// Begins with what was known before a time.
    pub(super) fn new(said: &Invalidation, begins: Timestamp) -> Self {
        let revoked = said.revoked.as_ref().is_some_and(|revoked| revoked.at.wall < begins);
        let stood = said.said.at.wall < begins && !revoked;
        let stood = if stood { vec![(said.from, said.to)] } else { Vec::new() };
        Self { said: said.clone(), stood, told: Vec::new(), counted: Vec::new() }
    }

    /// Notes that an earlier recomputation counted what had been said until a time.
    pub(super) fn count(&mut self, before: &Recompute, heard_ms: i64) {
        let said = &self.said;
        let span = (said.from.max(before.from), said.to.min(before.to));
        let mine = before.stations.contains(&said.scope.station) && span.0 < span.1;
        if !mine || said.said.at.elapsed_ms >= heard_ms {
            return;
        }
        self.counted.push(span);
        self.stood = without(&self.stood, span);
        self.told = without(&self.told, span);
        if said.revoked.as_ref().is_none_or(|revoked| revoked.at.elapsed_ms >= heard_ms) {
            self.told.push(span);
        }
    }

    /// Says whether it makes a difference to the days.
    pub(super) fn is_news(&self, task: &Task) -> bool {
        let (from, to) = (self.said.from.max(task.from), self.said.to.min(task.to));
        if !task.stations.contains(&self.said.scope.station) || to <= from {
            return false;
        }
        match self.said.revoked {
            None => {
                let left = |left: Vec<Span>, told: &Span| without(&left, *told);
                !self.known().fold(vec![(from, to)], left).is_empty()
            }
            Some(_) => self.known().any(|told| told.0 < to && from < told.1),
        }
    }

    /// Gives for which spans it stands before anything is played.
    fn known(&self) -> impl Iterator<Item = &Span> {
        self.stood.iter().chain(&self.told)
    }
}

/// What is left to be played of what persons say while the days are played: an earlier
/// recomputation told of the rest. A part has a number that nobody has, by which it is taken back
/// with the whole.
#[derive(Default)]
pub(super) struct Played {
    begins: Timestamp,
    counted: BTreeMap<u64, Vec<Span>>,
    parts: BTreeMap<u64, Vec<u64>>,
    next: u64,
}

impl Played {
    /// Begins the playing at a time; gives also what was told before, as its parts.
    pub(super) fn new(said: &[Said], begins: Timestamp) -> (Self, Vec<Invalidation>) {
        let counted = said.iter().filter(|one| !one.counted.is_empty());
        let counted = counted.map(|one| (one.said.id, one.counted.clone())).collect();
        let parts = BTreeMap::new();
        let mut played = Self { begins, counted, parts, next: u64::MAX / 2 };
        let mut known = Vec::new();
        for one in said {
            let whole = Invalidation { revoked: None, ..one.said.clone() };
            for (from, to) in &one.stood {
                let id = played.part_of(whole.id);
                known.push(Invalidation { id, from: *from, to: *to, ..whole.clone() });
            }
            // Nothing that is played undoes what a recomputation told: its days were closed.
            for (from, to) in &one.told {
                let id = played.part_of_none();
                known.push(Invalidation { id, from: *from, to: *to, ..whole.clone() });
            }
        }
        (played, known)
    }

    fn part_of_none(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn part_of(&mut self, whole: u64) -> u64 {
        let id = self.part_of_none();
        self.parts.entry(whole).or_default().push(id);
        id
    }

    /// Gives the spans of one that no earlier recomputation told of.
    fn left(&self, id: u64, span: Span) -> Vec<Span> {
        let counted = self.counted.get(&id).map_or(&[] as &[Span], Vec::as_slice);
        counted.iter().fold(vec![span], |left, out| without(&left, *out))
    }

    /// Gives what is to be played of what a check showed, or of what is taken back of it.
    pub(super) fn said(&mut self, one: &Invalidation) -> Vec<Invalidation> {
        if one.revoked.is_some() {
            let parts = self.parts.get(&one.id).into_iter().flatten();
            return parts.map(|id| Invalidation { id: *id, ..one.clone() }).collect();
        }
        let left = self.left(one.id, (one.from, one.to)).into_iter();
        let parts = left.map(|(from, to)| Invalidation {
            id: self.part_of(one.id),
            from,
            to,
            ..one.clone()
        });
        parts.collect()
    }

    /// Gives the acts to play for one that was done at a time: what was said before the playing
    /// begins is told.
    pub(super) fn acts<'a>(&mut self, act: &Act<'a>, at: Timestamp) -> Vec<Act<'a>> {
        match *act {
            Act::Invalidate { .. } | Act::Revoke { .. } if at < self.begins => Vec::new(),
            Act::Invalidate { id, station, property, position, from, to, flag, by } => {
                let left = self.left(id, (from, to)).into_iter();
                let acts = left.map(|(from, to)| {
                    let id = self.part_of(id);
                    Act::Invalidate { id, station, property, position, from, to, flag, by }
                });
                acts.collect()
            }
            Act::Revoke { id, by } => {
                let parts = self.parts.get(&id).into_iter().flatten();
                parts.map(|id| Act::Revoke { id: *id, by }).collect()
            }
            // What a check made of values is played by itself.
            Act::Retry { .. } | Act::Check { .. } => Vec::new(),
        }
    }
}

/// Gives what checks showed while the days were played: as it was said, and as it was taken back,
/// in the order of time. No act of a person stands for it among the arrivals.
pub(super) fn by_checks(said: &[Said], begins: Timestamp) -> VecDeque<Invalidation> {
    let mut events = Vec::new();
    for one in said.iter().map(|one| &one.said).filter(|one| one.by_check.is_some()) {
        let first = Invalidation { revoked: None, ..one.clone() };
        events.extend((one.said.at.wall >= begins).then_some(first));
        let revoked = one.revoked.as_ref().filter(|word| word.at.wall >= begins);
        events.extend(revoked.map(|_| one.clone()));
    }
    events.sort_by_key(|one| said_at(one).elapsed_ms);
    events.into()
}

/// Gives when something was said, or taken back.
pub(super) fn said_at(one: &Invalidation) -> Moment {
    one.revoked.as_ref().unwrap_or(&one.said).at
}

fn without(spans: &[Span], out: Span) -> Vec<Span> {
    let parts =
        spans.iter().flat_map(|(from, to)| [(*from, out.0.min(*to)), (out.1.max(*from), *to)]);
    parts.filter(|(from, to)| from < to).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_taken_out_of_others() {
        let span = |from: i64, to: i64| (Timestamp(from), Timestamp(to));
        #[track_caller]
        fn check(out: Span, want: &[Span]) {
            let held = [(Timestamp(0), Timestamp(10)), (Timestamp(20), Timestamp(30))];
            assert_eq!(without(&held, out), want);
        }
        check(span(-5, 40), &[]);
        check(span(10, 20), &[span(0, 10), span(20, 30)]);
        check(span(5, 25), &[span(0, 5), span(25, 30)]);
        check(span(22, 24), &[span(0, 10), span(20, 22), span(24, 30)]);
    }
}
