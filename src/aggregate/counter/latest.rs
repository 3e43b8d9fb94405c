//! What is remembered of a counter beside the ring: its last usable readings, and the ends of its
//! last long gap. They tell cheaply which hours a reading changes, and outlast the ring.

use minicbor::{Decode, Encode};

use crate::aggregate::counter::{Consumption, OUT_OF_LINE_MAX, State, in_line, is_state, states};
use crate::domain::history::{Entry, History};
use crate::domain::observation::ObservationResult;
use crate::domain::registry::Counter;
use crate::domain::time::{DAY, HOUR, Timestamp};

/// As far as a reading may change which of its neighbours are out of line: a run of those that are,
/// one that is not, and what it takes to see that.
const REACH: usize = 2 * OUT_OF_LINE_MAX + 1;
/// How many usable readings before and after a span are looked at.
///
/// Two hours look at their border from two sides, so they might start from different readings and
/// leave out different ones. They agree wherever seven readings in a row among these rise: whatever
/// either started from, both keep the fourth of them, and all that follows is held against that.
/// Where there are no such seven, so much is left out that both hours are suspect.
const AROUND: usize = 16;
/// So far around a span there are enough readings of most meters; else the whole ring is read.
const NEAR_MS: i64 = 2 * HOUR;
/// From which distance on the ends of a gap are kept: the hours of a shorter one are all given out.
const LONG_MS: i64 = DAY;

/// The latest of a counter.
#[derive(Clone, PartialEq, Debug, Default, Encode, Decode)]
pub struct Latest {
    /// The last usable readings, oldest first.
    #[n(0)]
    states: Vec<Entry>,
    /// The readings before and after the last gap that was longer than a day.
    #[n(1)]
    gap: Option<(Entry, Entry)>,
}

impl Latest {
    /// Takes a reading in and says from which reading to which what was counted may have changed;
    /// nothing if it changes nothing. The ring must not have it yet.
    ///
    /// A reading that goes on from the last ones, as nearly every one does, asks the ring nothing.
    pub fn take(
        &mut self,
        entry: Entry,
        ring: &History,
        counter: &Counter,
    ) -> Option<(Timestamp, Timestamp)> {
        let usable = is_state(&entry, counter);
        if self.states.is_empty() && usable {
            // A snapshot of an older release has the ring only.
            let all = ring.since(Timestamp(i64::MIN)).into_iter();
            self.states = newest(all.filter(|one| is_state(one, counter)).collect());
        }
        let last = self.states.last().copied();
        if last.is_some_and(|last| entry.time <= last.time) {
            return self.put(entry, ring, counter);
        }
        if !usable {
            return None;
        }
        let since = match last {
            None => entry.time,
            Some(last) if rises(&self.states) && rises(&[last, entry]) => last.time,
            Some(_) => {
                let mut after = self.states.clone();
                after.push(entry);
                changed(&self.states, &after, entry.time, counter).0
            }
        };
        if let Some(last) = last.filter(|last| entry.time.since(last.time) > LONG_MS) {
            self.gap = Some((last, entry));
        }
        if self.states.len() >= REACH {
            self.states.remove(0);
        }
        self.states.push(entry);
        Some((since, entry.time))
    }

    /// Takes a reading in that is not newer than the last usable one.
    fn put(
        &mut self,
        entry: Entry,
        ring: &History,
        counter: &Counter,
    ) -> Option<(Timestamp, Timestamp)> {
        // One more after it, because it is no neighbour of itself.
        let span = (entry.time, entry.time);
        let mut all = self.known(ring, counter, (span, REACH + 1), |_| true);
        all.retain(|one| is_state(one, counter));
        let at = all.partition_point(|one| one.time < entry.time);
        let held = all.get(at).is_some_and(|one| one.time == entry.time);
        let usable = is_state(&entry, counter);
        if !held && !usable {
            return None;
        }
        let before = near(&all, at).to_vec();
        all.splice(at..at + usize::from(held), usable.then_some(entry));
        let ends = changed(&before, near(&all, at), entry.time, counter);
        if let Some((from, to)) = self.gap
            && from.time <= entry.time
            && entry.time <= to.time
        {
            let next = all.partition_point(|one| one.time <= from.time);
            let from = next.checked_sub(1).and_then(|before| all.get(before));
            self.gap = from.copied().zip(all.get(next).copied());
        }
        self.states = newest(all);
        Some(ends)
    }

    /// Gives what is known of a counter around a span, in order of time, with the ends of a gap
    /// that fits: at least so many usable readings on both sides of it, if there are so many.
    fn known(
        &self,
        ring: &History,
        counter: &Counter,
        (span, count): ((Timestamp, Timestamp), usize),
        fits: impl Fn(&(Entry, Entry)) -> bool,
    ) -> Vec<Entry> {
        let (from, to) = (span.0.plus(-NEAR_MS), span.1.plus(NEAR_MS));
        let mut near = ring.between(from, to);
        let enough = |side: &dyn Fn(&Entry) -> bool| {
            near.iter().filter(|one| side(one) && is_state(one, counter)).count() >= count
        };
        let all_after = ring.newest().is_none_or(|newest| newest.time < to);
        if !enough(&|one| one.time < span.0) || !(all_after || enough(&|one| one.time >= span.1)) {
            near = ring.since(Timestamp(i64::MIN));
        }
        near.extend(&self.states);
        near.extend(self.gap.filter(fits).into_iter().flat_map(|(from, to)| [from, to]));
        near.sort_by_key(|one| one.time);
        near.dedup_by_key(|one| one.time);
        near
    }

    /// Gives the readings of a span, and those before and after it that it takes to say what was
    /// counted in it.
    #[must_use]
    pub fn around(
        &self,
        ring: &History,
        counter: &Counter,
        (start, end): (Timestamp, Timestamp),
    ) -> Vec<Entry> {
        // Beside a gap the ring may have forgotten what followed it, so its ends stand for the
        // span that it touches only.
        let fits = |(from, to): &(Entry, Entry)| from.time < end && start < to.time;
        let mut all = self.known(ring, counter, ((start, end), AROUND), fits);
        let usable: Vec<Timestamp> =
            all.iter().filter(|one| is_state(one, counter)).map(|one| one.time).collect();
        let first = usable.partition_point(|time| *time < start).saturating_sub(AROUND);
        let last = usable.partition_point(|time| *time < end) + AROUND - 1;
        let from = usable.get(first).copied().unwrap_or(start).min(start);
        let to = usable.get(last).or(usable.last()).copied().unwrap_or(end).max(end);
        all.retain(|one| from <= one.time && one.time <= to);
        all
    }

    /// Gives the time of the last usable reading.
    #[must_use]
    pub fn newest(&self) -> Option<Timestamp> {
        self.states.last().map(|last| last.time)
    }

    /// Gives the ends of the last gap longer than a day if a span lies within it.
    #[must_use]
    pub fn gap_over(&self, (start, end): (Timestamp, Timestamp)) -> Option<[Entry; 2]> {
        let (from, to) = self.gap?;
        (from.time <= start && end <= to.time).then_some([from, to])
    }
}

/// Gives the newest readings, as many as are kept.
fn newest(mut all: Vec<Entry>) -> Vec<Entry> {
    all.split_off(all.len().saturating_sub(REACH))
}

/// Gives the readings around a place that the one at it may reach.
fn near(all: &[Entry], at: usize) -> &[Entry] {
    let end = (at + REACH + 1).min(all.len());
    all.get(at.saturating_sub(REACH)..end).unwrap_or_default()
}

/// Gives the readings between which what was counted is another than before: those next to the
/// ones that were in line and are not, or the other way round. A reading of a time is another, too.
fn changed(
    before: &[Entry],
    after: &[Entry],
    time: Timestamp,
    counter: &Counter,
) -> (Timestamp, Timestamp) {
    let (before, after) = (kept(before, counter), kept(after, counter));
    let alike = |(one, two): &(&State, &State)| one == two;
    let head = before.iter().zip(&after).take_while(alike).count();
    let tail = before.iter().rev().zip(after.iter().rev()).take_while(alike).count();
    let from = head.checked_sub(1).and_then(|last| after.get(last)).or(before.first());
    let to = after.len().checked_sub(tail).and_then(|first| after.get(first)).or(before.last());
    let of = |one: Option<&State>| one.map_or(time, |one| one.time);
    (of(from).min(time), of(to).max(time))
}

/// Gives the states that are in line among some readings.
fn kept(entries: &[Entry], counter: &Counter) -> Vec<State> {
    let (mut sum, span) = (Consumption::default(), Default::default());
    let states = states(entries.iter().copied(), span, counter, &mut sum);
    in_line(states, span, counter, &mut sum)
}

/// Says whether states only rise, so that none of them can be out of line.
fn rises(states: &[Entry]) -> bool {
    let value = |entry: &Entry| match entry.result {
        ObservationResult::Value(value) => value,
        ObservationResult::Censored { .. } | ObservationResult::Nil(_) => f64::NAN,
    };
    states.is_sorted_by(|one, two| value(one) <= value(two))
}
