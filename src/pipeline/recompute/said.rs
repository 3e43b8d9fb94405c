//! When the days of stations were told last, and what was known then of late values and of what
//! persons and checks say: live, each thing when it came, or by an earlier recomputation, all of
//! it from the first on.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::domain::invalidation::Invalidation;
use crate::domain::name::StationId;
use crate::domain::recompute::Recompute;
use crate::domain::time::{DAY, Moment, PhenomenonTime, Timestamp};
use crate::pipeline::concern::Together;
use crate::pipeline::recompute::{Task, covers};

/// How many tellings are played again of days that were told at different times; what was told at
/// another time is told anew, whether or not it differs.
const TOLD_MAX: usize = 8;

/// A span, half-open.
type Span = (Timestamp, Timestamp);

/// Until when something had to come for an earlier recomputation to count it, in elapsed
/// milliseconds; nothing where days were told live.
pub(super) type Heard = Option<i64>;

/// Which days of stations were recomputed before, in the order of time.
#[derive(Default)]
pub(super) struct Recomputed {
    of: BTreeMap<StationId, Vec<(Span, i64)>>,
}

impl Recomputed {
    /// Notes an earlier recomputation.
    pub(super) fn note(&mut self, task: &Task, before: &Recompute) {
        let Some(heard_ms) = before.heard_ms else { return };
        // What lies over a border of the days was told with those before or after.
        if before.to.plus(DAY) < task.from || task.to.plus(DAY) < before.from {
            return;
        }
        for station in &before.stations {
            let spans = self.of.entry(*station).or_default();
            // What was told by those that it covers was told again.
            spans.retain(|((from, to), _)| *from < before.from || before.to < *to);
            spans.push(((before.from, before.to), heard_ms));
        }
    }

    /// Says by what something of stations was told last, of one of them or of all together.
    pub(super) fn told<'s>(
        &self,
        stations: impl IntoIterator<Item = &'s StationId>,
        time: PhenomenonTime,
    ) -> Heard {
        let told = self.of_stations(stations).filter(|(span, _)| covers(*span, time));
        told.map(|(_, heard_ms)| *heard_ms).max()
    }

    /// Gives the times at which days of a task were told, the latest ones: of its stations, and of
    /// what is evaluated together with them.
    pub(super) fn tellings(&self, task: &Task, together: &Together) -> Vec<Heard> {
        let days = (task.from, task.to);
        let alone = task.stations.iter().map(|station| BTreeSet::from([*station]));
        let of_task =
            |all: &&BTreeSet<StationId>| task.stations.iter().any(|one| all.contains(one));
        let together = together.values().filter(of_task).cloned();
        let parts = alone.chain(together).flat_map(|stations| self.parts(&stations, days));
        let times: BTreeSet<Heard> = parts.map(|(_, heard)| heard).collect();
        times.into_iter().rev().take(TOLD_MAX).collect()
    }

    fn of_stations<'s>(
        &self,
        stations: impl IntoIterator<Item = &'s StationId>,
    ) -> impl Iterator<Item = &(Span, i64)> {
        stations.into_iter().filter_map(|station| self.of.get(station)).flatten()
    }

    /// Parts a span of stations by when it was told last.
    fn parts<'s>(
        &self,
        stations: impl IntoIterator<Item = &'s StationId>,
        span: Span,
    ) -> Vec<(Span, Heard)> {
        let mut told: Vec<&(Span, i64)> = self.of_stations(stations).collect();
        told.sort_by_key(|(_, heard_ms)| *heard_ms);
        let (mut parts, mut left) = (Vec::new(), vec![span]);
        for ((from, to), heard_ms) in told.into_iter().rev() {
            let within = left.iter().map(|part| (part.0.max(*from), part.1.min(*to)));
            parts.extend(within.filter(|part| part.0 < part.1).map(|part| (part, Some(*heard_ms))));
            left = without(&left, (*from, *to));
        }
        parts.extend(left.into_iter().map(|part| (part, None)));
        parts
    }

    /// Says whether something that is said makes a difference to what the days of a task were told
    /// by.
    pub(super) fn is_news(&self, task: &Task, said: &Invalidation) -> bool {
        let span = (said.from.max(task.from), said.to.min(task.to));
        if !task.stations.contains(&said.scope.station) || span.1 <= span.0 {
            return false;
        }
        let begins = task.begins();
        let mut parts = self.parts([&said.scope.station], span).into_iter();
        parts.any(|(_, heard)| stood(said, heard, begins) != said.revoked.is_none())
    }
}

/// Says whether something stood from the first on for a telling: a recomputation knows all that
/// had been said, and live days what was said before the playing begins.
pub(super) fn stood(said: &Invalidation, heard: Heard, begins: Timestamp) -> bool {
    let known = |at: Moment| match heard {
        Some(heard_ms) => at.elapsed_ms < heard_ms,
        None => at.wall < begins,
    };
    known(said.said.at) && !said.revoked.as_ref().is_some_and(|word| known(word.at))
}

/// Gives what checks showed while the days were played: as it was said, and as it was taken back,
/// in the order of time. No act of a person stands for it among the arrivals.
pub(super) fn by_checks(said: &[Invalidation], begins: Timestamp) -> VecDeque<Invalidation> {
    let mut events = Vec::new();
    for one in said.iter().filter(|one| one.by_check.is_some()) {
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

    fn span(from: i64, to: i64) -> Span {
        (Timestamp(from), Timestamp(to))
    }

    #[test]
    fn a_span_is_taken_out_of_others() {
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

    fn task(stations: &[u32], from: i64, to: i64) -> Task {
        let stations = stations.iter().copied().map(StationId).collect();
        Task { stations, from: Timestamp(from), to: Timestamp(to), heard_ms: 900 }
    }

    fn recomputed(task: &Task, earlier: &[(&[u32], (i64, i64), i64)]) -> Recomputed {
        let mut recomputed = Recomputed::default();
        for (stations, (from, to), heard_ms) in earlier {
            recomputed.note(
                task,
                &Recompute {
                    from: Timestamp(*from),
                    to: Timestamp(*to),
                    stations: stations.iter().copied().map(StationId).collect(),
                    heard_ms: Some(*heard_ms),
                    ..Recompute::default()
                },
            );
        }
        recomputed
    }

    #[test]
    fn the_last_recomputation_that_touches_it_told_of_it() {
        let task = task(&[1, 2], 0, 40);
        let of = recomputed(&task, &[(&[1], (0, 10), 5), (&[1, 3], (5, 20), 7), (&[2], (0, 9), 8)]);
        #[track_caller]
        fn check(of: &Recomputed, station: u32, (start, end): Span, want: Heard) {
            let time = PhenomenonTime::Interval { start, end };
            assert_eq!(of.told([&StationId(station)], time), want);
        }
        check(&of, 1, span(0, 5), Some(5));
        check(&of, 1, span(4, 6), Some(7));
        check(&of, 1, span(19, 25), Some(7));
        check(&of, 1, span(20, 25), None);
        check(&of, 2, span(4, 6), Some(8));
        let time = PhenomenonTime::Instant(Timestamp(6));
        assert_eq!(of.told(&[StationId(1), StationId(2)], time), Some(8), "of both together");
        assert_eq!(of.told([&StationId(4)], time), None);
        assert_eq!(of.tellings(&task, &Together::new()), [Some(8), Some(7), Some(5), None]);
    }

    #[test]
    fn what_is_told_again_as_a_whole_was_told_once() {
        let task = task(&[1], 0, 20);
        let together = Together::new();
        let of = recomputed(&task, &[(&[1], (0, 10), 5), (&[1], (-10, 20), 7)]);
        assert_eq!(of.tellings(&task, &together), [Some(7)]);
        let days = |day: i64| (day, (day, day + 1));
        let each: Vec<_> = (0..20).map(days).map(|(day, span)| (&[1_u32][..], span, day)).collect();
        assert_eq!(recomputed(&task, &each).tellings(&task, &together).len(), TOLD_MAX);
    }
}
