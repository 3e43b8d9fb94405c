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
    /// For which spans it stood when they were told last; what was said while the days are played
    /// is played, and not among them, unless an earlier recomputation told of it.
    told: Vec<Span>,
    /// For which spans an earlier recomputation told of it: there it is played no more.
    counted: Vec<Span>,
}

impl Said {
    /// Begins with what was known before a time.
    pub(super) fn new(said: &Invalidation, begins: Timestamp) -> Self {
        let revoked = said.revoked.as_ref().is_some_and(|revoked| revoked.at.wall < begins);
        let stood = said.said.at.wall < begins && !revoked;
        let told = if stood { vec![(said.from, said.to)] } else { Vec::new() };
        Self { said: said.clone(), told, counted: Vec::new() }
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
            None => !self
                .told
                .iter()
                .fold(vec![(from, to)], |left, told| without(&left, *told))
                .is_empty(),
            Some(_) => self.told.iter().any(|told| told.0 < to && from < told.1),
        }
    }
}

/// Gives what was told before anything is played. A part of a span gets a number that nobody has:
/// what is said of the whole may still come while the days are played.
pub(super) fn told(said: &[Said]) -> impl Iterator<Item = Invalidation> {
    let told = said.iter().flat_map(|one| one.told.iter().map(move |span| (&one.said, *span)));
    (0..).zip(told).map(|(number, (said, (from, to)))| {
        let whole = (from, to) == (said.from, said.to);
        let id = if whole { said.id } else { u64::MAX - number };
        Invalidation { id, from, to, revoked: None, ..said.clone() }
    })
}

/// What is left to be played of what persons say while the days are played: an earlier
/// recomputation told of the rest. A part has a number that nobody has.
#[derive(Default)]
pub(super) struct Played {
    counted: BTreeMap<u64, Vec<Span>>,
    parts: BTreeMap<u64, Vec<u64>>,
    next: u64,
}

impl Played {
    pub(super) fn new(said: &[Said]) -> Self {
        let counted = said.iter().filter(|one| !one.counted.is_empty());
        let counted = counted.map(|one| (one.said.id, one.counted.clone())).collect();
        Self { counted, next: u64::MAX / 2, ..Self::default() }
    }

    /// Gives what is to be played of what a check showed, or of what is taken back of it.
    pub(super) fn said(&mut self, one: &Invalidation) -> Vec<Invalidation> {
        if let (Some(_), Some(parts)) = (&one.revoked, self.parts.get(&one.id)) {
            return parts.iter().map(|id| Invalidation { id: *id, ..one.clone() }).collect();
        }
        if one.revoked.is_some() {
            return vec![one.clone()];
        }
        let Some(counted) = self.counted.get(&one.id) else { return vec![one.clone()] };
        let left = counted.iter().fold(vec![(one.from, one.to)], |left, out| without(&left, *out));
        let parts = left.into_iter().map(|(from, to)| {
            self.next += 1;
            self.parts.entry(one.id).or_default().push(self.next);
            Invalidation { id: self.next, from, to, ..one.clone() }
        });
        parts.collect()
    }

    /// Gives the acts to play for one.
    pub(super) fn acts<'a>(&mut self, act: &Act<'a>) -> Vec<Act<'a>> {
        match *act {
            Act::Invalidate { id, station, property, position, from, to, flag, by } => {
                let Some(counted) = self.counted.get(&id) else { return vec![*act] };
                let left = counted.iter().fold(vec![(from, to)], |left, out| without(&left, *out));
                let acts = left.into_iter().map(|(from, to)| {
                    self.next += 1;
                    self.parts.entry(id).or_default().push(self.next);
                    let id = self.next;
                    Act::Invalidate { id, station, property, position, from, to, flag, by }
                });
                acts.collect()
            }
            Act::Revoke { id, by } => match self.parts.get(&id) {
                Some(parts) => parts.iter().map(|id| Act::Revoke { id: *id, by }).collect(),
                None => vec![*act],
            },
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
