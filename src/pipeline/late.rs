//! What came too late for the live state: which days of a station it belongs to is noted, and what
//! a recomputation made of them is taken in. It is of the past, so no alert hears of it.

use std::sync::Arc;

use minicbor::{Decode, Encode};

use crate::aggregate::window::Kept;
use crate::domain::judgement::Judgement;
use crate::domain::name::StationId;
use crate::domain::recompute::{DaySummary, Recompute};
use crate::domain::registry::{Datastream, Registry};
use crate::domain::time::{Calendar, DAY, HOUR, MINUTE, Moment, Timestamp};
use crate::pipeline::concern;
use crate::pipeline::recompute::Task;
use crate::pipeline::state::StationState;
use crate::pipeline::{Pipeline, Processed};

/// How many spans of days a station remembers. Beyond, the two that lie nearest become one.
const SPANS_MAX: usize = 16;
/// How long after the horizon a day is closed: by then what came last in time for the eight hours
/// that begin at its end has come, and their last revision is given out.
const SETTLED_MS: i64 = 9 * HOUR;
/// How long nothing more must have come late before days are recomputed,
const QUIET_MS: i64 = MINUTE;
/// and how long that is waited for.
const WAIT_MAX: i64 = 10 * MINUTE;
/// How many days are recomputed at once,
const DAYS_MAX: i64 = 7;
/// and of how many stations.
const STATIONS_MAX: usize = 16;

/// Days, one after the other, of which values came too late.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct LateDays {
    /// The first instant of the first.
    #[n(0)]
    pub from: Timestamp,
    /// The first instant after the last.
    #[n(1)]
    pub to: Timestamp,
    /// When the first of the values arrived, in elapsed milliseconds.
    #[n(2)]
    pub since_ms: i64,
    /// When the last one did.
    #[n(3)]
    pub noted_ms: i64,
}

impl LateDays {
    /// Says whether it is time to recompute them.
    fn is_ripe(&self, now_ms: i64) -> bool {
        now_ms - self.noted_ms >= QUIET_MS || now_ms - self.since_ms >= WAIT_MAX
    }

    fn join(&mut self, other: &Self) {
        self.from = self.from.min(other.from);
        self.to = self.to.max(other.to);
        self.since_ms = self.since_ms.min(other.since_ms);
        self.noted_ms = self.noted_ms.max(other.noted_ms);
    }
}

/// Gives until when days are closed: nothing can come in time for them any more, so the live state
/// never gives them out again.
#[must_use]
pub fn closed_until(judgement: &Judgement, zone: &jiff::tz::TimeZone, now: Timestamp) -> Timestamp {
    let last = now.plus(-closed_after_ms(judgement));
    last.calendar(zone, Calendar::Day).map_or(last, |(start, _)| start)
}

/// Gives how long after its end a day is closed.
pub(super) fn closed_after_ms(judgement: &Judgement) -> i64 {
    judgement.lateness_horizon_ms + SETTLED_MS
}

/// Gives what is to be recomputed next: closed days of which values came late, of stations of one
/// zone, once no more of them come.
#[must_use]
pub fn due(
    registry: &Registry,
    stations: &[Option<Arc<StationState>>],
    now: Moment,
) -> Option<Task> {
    let known = registry.stations.iter().filter_map(|station| {
        let late = &stations.get(station.id.index())?.as_ref()?.late;
        (!late.is_empty()).then_some((station, late))
    });
    let mut found: Option<(&jiff::tz::TimeZone, Task)> = None;
    for (station, late) in known {
        let closed = closed_until(&registry.judgement, &station.zone, now.wall);
        let mut ripe =
            late.iter().filter(|days| days.from < closed && days.is_ripe(now.elapsed_ms));
        match &mut found {
            None => {
                let Some(days) = ripe.next() else { continue };
                let most = days_on(days.from, &station.zone).unwrap_or(days.to);
                let (from, to) = (days.from, days.to.min(closed).min(most));
                let (stations, heard_ms) = (vec![station.id], now.elapsed_ms);
                found = Some((&station.zone, Task { stations, from, to, heard_ms }));
            }
            Some((zone, task)) => {
                let same = **zone == station.zone && task.stations.len() < STATIONS_MAX;
                if same && ripe.any(|days| days.from < task.to && task.from < days.to) {
                    task.stations.push(station.id);
                }
            }
        }
    }
    found.map(|(_, task)| task)
}

/// Splits days of some stations of one zone into tasks.
#[must_use]
pub fn tasks(
    stations: &[StationId],
    zone: &jiff::tz::TimeZone,
    (from, to): (Timestamp, Timestamp),
) -> Vec<Task> {
    let mut tasks = Vec::new();
    let mut begin = from;
    while begin < to {
        let end = days_on(begin, zone).unwrap_or(to).min(to);
        let of = |some: &[StationId]| Task {
            stations: some.to_vec(),
            from: begin,
            to: end,
            heard_ms: 0,
        };
        tasks.extend(stations.chunks(STATIONS_MAX).map(of));
        begin = end;
    }
    tasks
}

/// Gives the end of the most days that are recomputed at once.
fn days_on(from: Timestamp, zone: &jiff::tz::TimeZone) -> Option<Timestamp> {
    // A day may have an hour less.
    let last = from.plus(DAYS_MAX * DAY + 2 * HOUR);
    last.calendar(zone, Calendar::Day).map(|(start, _)| start).filter(|end| *end > from)
}

impl Pipeline {
    /// Notes to which days a value belongs that came too late for the live state.
    pub(super) fn note_late(
        &mut self,
        registry: &Registry,
        datastream: &Datastream,
        time: Timestamp,
        now: Moment,
    ) {
        self.note_late_span(registry, datastream, (time, time), now);
    }

    /// Notes to which days a span belongs of which what is known came too late for the live state;
    /// its last instant belongs to it. Gives the days.
    pub(super) fn note_late_span(
        &mut self,
        registry: &Registry,
        datastream: &Datastream,
        span: (Timestamp, Timestamp),
        now: Moment,
    ) -> Option<(Timestamp, Timestamp)> {
        let here = concern::at_station(registry, datastream, span);
        for (neighbour, there) in concern::at_neighbours(registry, datastream, span) {
            self.note_days(registry, neighbour.station, there, now);
        }
        self.note_days(registry, datastream.station, here, now)
    }

    /// Notes the days of a span of a station, and gives them.
    fn note_days(
        &mut self,
        registry: &Registry,
        station: StationId,
        (time, last): (Timestamp, Timestamp),
        now: Moment,
    ) -> Option<(Timestamp, Timestamp)> {
        let of = registry.station(station)?;
        let day = |at: Timestamp| at.calendar(&of.zone, Calendar::Day);
        let ((from, _), (_, to)) = (day(time)?, day(last)?);
        let (since_ms, noted_ms) = (now.elapsed_ms, now.elapsed_ms);
        if let Some(state) = self.station_mut(station) {
            note(&mut state.late, LateDays { from, to, since_ms, noted_ms });
        }
        Some((from, to))
    }

    /// Takes in what a recomputation made of past days.
    pub(super) fn take_recomputed(
        &mut self,
        recomputed: &Recompute,
        at: Moment,
        out: &mut Processed,
    ) {
        out.changed = true;
        out.observations.extend(&recomputed.observations);
        out.coverage.extend(&recomputed.coverage);
        out.assessments.extend(&recomputed.assessments);
        for evaluation in &recomputed.evaluations {
            self.tell_evaluation(evaluation.clone(), at, out);
        }
        let registry = Arc::clone(&self.registry);
        for day in &recomputed.days {
            let DaySummary { start, value, suspect, partial, received, valid, .. } = *day;
            let kept = Kept { start, value, suspect, partial, received, valid };
            if let Some(datastream) = registry.datastream(day.datastream) {
                self.replace_day(&registry, datastream, kept, at.wall);
            }
        }
        let Some(heard_ms) = recomputed.heard_ms else { return };
        for station in &recomputed.stations {
            if let Some(state) = self.station_mut(*station) {
                forget(&mut state.late, (recomputed.from, recomputed.to), heard_ms);
            }
        }
    }
}

/// Notes days among others. They stay apart and in order of time.
fn note(late: &mut Vec<LateDays>, mut days: LateDays) {
    let at = late.partition_point(|one| one.to < days.from);
    while let Some(next) = late.get(at).filter(|next| next.from <= days.to) {
        days.join(next);
        late.remove(at);
    }
    late.insert(at, days);
    while late.len() > SPANS_MAX {
        let gap = |pair: &[LateDays]| match pair {
            [before, after] => after.from.since(before.to),
            _ => i64::MAX,
        };
        let nearest = late.windows(2).map(gap).enumerate().min_by_key(|(_, gap)| *gap);
        let Some((at, _)) = nearest else { return };
        let next = late.remove(at + 1);
        if let Some(place) = late.get_mut(at) {
            place.join(&next);
        }
    }
}

/// Forgets days that were recomputed with all that had arrived before a time.
fn forget(late: &mut Vec<LateDays>, (from, to): (Timestamp, Timestamp), heard_ms: i64) {
    let mut left = Vec::with_capacity(late.len());
    for days in late.drain(..) {
        if days.noted_ms >= heard_ms {
            // What came since is waited for anew.
            left.push(LateDays { since_ms: days.since_ms.max(heard_ms), ..days });
            continue;
        }
        left.push(LateDays { to: days.to.min(from), ..days });
        left.push(LateDays { from: days.from.max(to), ..days });
    }
    left.retain(|days| days.from < days.to);
    left.sort_by_key(|days| days.from);
    left.into_iter().for_each(|days| note(late, days));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(from: i64, to: i64, noted_ms: i64) -> LateDays {
        let (from, to) = (Timestamp(from * DAY), Timestamp(to * DAY));
        LateDays { from, to, since_ms: noted_ms, noted_ms }
    }

    fn noted(spans: &[(i64, i64)]) -> Vec<LateDays> {
        let mut late = Vec::new();
        spans.iter().for_each(|(from, to)| note(&mut late, days(*from, *to, 5)));
        late
    }

    #[test]
    fn days_that_touch_are_one_span() {
        assert_eq!(noted(&[(3, 4), (1, 2), (2, 3), (3, 4), (9, 10)]), noted(&[(9, 10), (1, 4)]));
        assert_eq!(noted(&[(3, 4), (1, 2)]).len(), 2);
    }

    #[test]
    fn beyond_the_most_spans_the_nearest_become_one() {
        let mut spans: Vec<(i64, i64)> =
            (0..SPANS_MAX as i64).map(|n| (n * 10, n * 10 + 1)).collect();
        spans.push((43, 44));
        let late = noted(&spans);
        assert_eq!(late.len(), SPANS_MAX);
        assert!(late.contains(&days(40, 44, 5)), "{late:?}");
    }

    #[test]
    fn what_was_recomputed_is_forgotten_unless_more_came_meanwhile() {
        let span = (Timestamp(2 * DAY), Timestamp(3 * DAY));
        let mut late = vec![days(1, 4, 5)];
        forget(&mut late, span, 5);
        assert_eq!(late, [days(1, 4, 5)]);
        forget(&mut late, span, 6);
        assert_eq!(late, [days(1, 2, 5), days(3, 4, 5)]);
        forget(&mut late, (Timestamp(0), Timestamp(9 * DAY)), 6);
        assert_eq!(late, []);
    }

    #[test]
    fn many_days_and_stations_are_many_tasks() {
        let stations: Vec<StationId> = (0..20).map(StationId).collect();
        let span = (Timestamp(0), Timestamp(10 * DAY));
        let tasks = tasks(&stations, &jiff::tz::TimeZone::UTC, span);
        let days: Vec<(i64, i64, usize)> = tasks
            .iter()
            .map(|task| (task.from.0 / DAY, task.to.0 / DAY, task.stations.len()))
            .collect();
        assert_eq!(days, [(0, 7, 16), (0, 7, 4), (7, 10, 16), (7, 10, 4)]);
    }

    #[test]
    fn days_wait_until_no_more_of_them_come_but_not_for_ever() {
        let quiet = LateDays { since_ms: 0, ..days(1, 2, 0) };
        assert!(!quiet.is_ripe(QUIET_MS - 1) && quiet.is_ripe(QUIET_MS));
        let busy = LateDays { noted_ms: WAIT_MAX, ..quiet };
        assert!(!busy.is_ripe(WAIT_MAX - 1) && busy.is_ripe(WAIT_MAX));
    }
}
