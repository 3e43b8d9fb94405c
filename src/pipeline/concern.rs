//! Which other values a value concerns: those that the tests hold against it, and those that it is
//! held against. Of values that come too late, all of their days are to be recomputed. And which
//! stations are evaluated together.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::evaluation::Evaluated;
use crate::domain::name::StationId;
use crate::domain::observation::Period;
use crate::domain::registry::{CrossKind, Datastream, Registry, Sampling};
use crate::domain::time::{HOUR, Timestamp};
use crate::pipeline::cross::when;

/// A span; its last instant belongs to it.
pub(super) type Span = (Timestamp, Timestamp);
/// The stations that are evaluated together, by what they are evaluated as.
pub(super) type Together = BTreeMap<Evaluated, BTreeSet<StationId>>;

/// How long before and after a value those are that it concerns, ms.
#[derive(Clone, Copy)]
struct Around {
    before_ms: i64,
    after_ms: i64,
}

impl Around {
    fn or_longer(self, other: Self) -> Self {
        Self {
            before_ms: self.before_ms.max(other.before_ms),
            after_ms: self.after_ms.max(other.after_ms),
        }
    }
}

/// Gives the span of the values of its station that values of a span concern.
pub(super) fn at_station(registry: &Registry, datastream: &Datastream, (from, to): Span) -> Span {
    let Around { before_ms, after_ms } = around(registry, datastream);
    (from.plus(-before_ms), to.plus(after_ms))
}

/// Gives the stations up and down the river where values of a span are held against those that
/// jump, each by its datastream, and the span of these.
pub(super) fn at_neighbours<'r>(
    registry: &'r Registry,
    datastream: &Datastream,
    (from, to): Span,
) -> impl Iterator<Item = (&'r Datastream, Span)> {
    let stands_ms = datastream.stands_for_ms();
    datastream.standing.neighbours.iter().filter_map(move |neighbour| {
        let other = registry.datastream(neighbour.datastream)?;
        let ((begin, _), (_, end)) = (when(*neighbour, from), when(*neighbour, to));
        Some((other, (begin.plus(-stands_ms), end.plus(stands_ms))))
    })
}

fn around(registry: &Registry, datastream: &Datastream) -> Around {
    let stands_ms = datastream.stands_for_ms();
    let standing = &datastream.standing;
    let mut all = own(datastream);
    // What another is judged by for as long as it stands may make that one no neighbour.
    let later = |of: Around| Around { after_ms: of.after_ms.saturating_add(stands_ms), ..of };
    for check in standing.informs.iter() {
        for judged in check.judges.iter().filter_map(|id| registry.datastream(*id)) {
            let cycles_ms = match check.kind {
                CrossKind::Expression { .. } => 0,
                CrossKind::Repeats { samples } => {
                    let samples = i64::try_from(samples).unwrap_or(i64::MAX);
                    judged.interval_ms().saturating_mul(samples)
                }
            };
            let cycles = Around { before_ms: cycles_ms, after_ms: cycles_ms };
            all = all.or_longer(later(own(judged))).or_longer(cycles);
        }
    }
    for judged in standing.accompanies.iter().filter_map(|id| registry.datastream(*id)) {
        all = all.or_longer(later(own(judged)));
    }
    for derived in datastream.feeds.iter().filter_map(|feed| registry.datastream(feed.derived)) {
        all = all.or_longer(later(around(registry, derived)));
    }
    // A sample stands for what is there until the next one is due.
    match datastream.sampling {
        Sampling::Sampled { .. } => later(all),
        Sampling::Continuous => all,
    }
}

/// Gives those of its own series.
fn own(datastream: &Datastream) -> Around {
    let stands_ms = datastream.stands_for_ms();
    let gap_ms = datastream.qc.timing_gap.map_or(0, |gap| gap.fail_ms);
    let line_ms = longest_line_ms(datastream).map_or(0, |_| look_back_ms(datastream));
    // An hour after a gap has the means of eight hours told that end in the gap.
    let runs = datastream.averages.iter().any(|rule| rule.period == Period::EightHours);
    let run_ms = if runs { 8 * HOUR } else { 0 };
    Around { before_ms: stands_ms.max(run_ms), after_ms: stands_ms.max(gap_ms).max(line_ms) }
}

/// Gives how long before a value the tests on it look, ms.
pub(super) fn look_back_ms(datastream: &Datastream) -> i64 {
    let stands_ms = datastream.stands_for_ms();
    // A line has three values, however short it may be.
    let line_ms = longest_line_ms(datastream).unwrap_or(0).max(stands_ms);
    line_ms.saturating_add(stands_ms).saturating_add(1)
}

fn longest_line_ms(datastream: &Datastream) -> Option<i64> {
    let flat = datastream.qc.flat_line;
    let lines = flat.into_iter().flat_map(|flat| [flat.suspect_ms, flat.fail_ms]).flatten();
    lines.chain(datastream.qc.attenuated_signal.and_then(|asked| asked.over_ms)).max()
}

/// Gives the stations that are evaluated together: those of each set, and those with meters of each
/// place.
pub(super) fn together(registry: &Registry) -> Together {
    let mut together = Together::new();
    for set in registry.sets.iter() {
        let members = set.members.iter().map(|(station, _)| *station);
        together.entry(Evaluated::Set(set.id)).or_default().extend(members);
    }
    for (id, counter) in &registry.energy.counters {
        let Some(stream) = registry.datastream(*id) else { continue };
        for meter in &counter.meters {
            together.entry(Evaluated::Place(meter.place)).or_default().insert(stream.station);
        }
    }
    together
}

/// Gives the stations whose values matter to what some stations come to: these themselves, those
/// that are evaluated together with one of them, and those up and down the river, which bear out
/// what jumps at one of these.
pub(super) fn stations(registry: &Registry, some: &[StationId]) -> BTreeSet<StationId> {
    let mut all: BTreeSet<StationId> = some.iter().copied().collect();
    for members in together(registry).into_values() {
        if some.iter().any(|station| members.contains(station)) {
            all.extend(members);
        }
    }
    let beside = registry.reaches.iter().flat_map(|reach| {
        let ends = [(reach.upstream, reach.downstream), (reach.downstream, reach.upstream)];
        ends.into_iter().filter(|(from, _)| all.contains(from)).map(|(_, to)| to)
    });
    let beside: Vec<StationId> = beside.collect();
    all.extend(beside);
    all
}
