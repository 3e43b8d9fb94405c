//! The site's calendar: maintenance, ice, floods and works, and what each does to the values of its
//! time. Compiled for each datastream into spans that do not overlap.

use std::sync::Arc;

use crate::domain::quality::{Flag, Test, Tests};
use crate::domain::time::Timestamp;

/// In what state a site is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SiteState {
    /// Somebody cleans, calibrates or exchanges what is there.
    Maintenance,
    /// The water is frozen, or nearly.
    Ice,
    /// The water stands or runs far above what the place is made for.
    Flood,
    /// Somebody builds or dredges there.
    Works,
}

impl SiteState {
    /// Every state, with the word used in seeds.
    pub const ALL: [(&'static str, Self); 4] = [
        ("maintenance", Self::Maintenance),
        ("ice", Self::Ice),
        ("flood", Self::Flood),
        ("works", Self::Works),
    ];

    /// Gives the word used in seeds and output.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, state)| *state == self).map_or("", |(word, _)| word)
    }

    /// Gives what it makes of values where the seeds say nothing else: engineering starting values.
    #[must_use]
    pub fn usual(self) -> (Flag, Tests) {
        match self {
            // Buckets, air and standard solutions are not the river.
            Self::Maintenance => (Flag::Fail, Tests::default()),
            // Water at 0 °C under ice does not change for weeks.
            Self::Ice => (
                Flag::NotEvaluated,
                Tests::default().with(Test::FlatLine).with(Test::AttenuatedSignal),
            ),
            Self::Flood | Self::Works => (Flag::Suspect, Tests::default()),
        }
    }
}

/// A row of `calendar.csv`, for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CalendarRow {
    /// The state.
    pub state: SiteState,
    /// Who says so.
    pub person: Box<str>,
    /// Why.
    pub reason: Box<str>,
}

/// What the calendar says of a span.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CalendarEntry {
    /// The first instant.
    pub from: Timestamp,
    /// The first instant after; the end of time where the end is not known.
    pub to: Timestamp,
    /// What it makes of the values; not evaluated where it makes nothing of them.
    pub flag: Flag,
    /// The tests that are left out.
    pub without: Tests,
    /// The rows that say so, as places in [`super::Registry::calendar`].
    pub rows: Arc<[u32]>,
}

/// What the calendar says of one datastream, in order of time.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SiteCalendar(Arc<[CalendarEntry]>);

impl SiteCalendar {
    /// Makes one of entries that may overlap: of a time that several are of, the worst flag counts,
    /// and no test that one of them leaves out.
    #[must_use]
    pub fn of(entries: &[CalendarEntry]) -> Self {
        let mut borders: Vec<Timestamp> =
            entries.iter().flat_map(|entry| [entry.from, entry.to]).collect();
        borders.sort_unstable();
        borders.dedup();
        let spans = borders.windows(2).filter_map(|pair| {
            let [from, to] = *pair else { return None };
            let mut held = entries.iter().filter(|entry| entry.from <= from && to <= entry.to);
            let first = held.next()?.clone();
            let joined = held.fold(first, |joined, entry| CalendarEntry {
                flag: joined.flag.or_worse(entry.flag),
                without: joined.without.and(entry.without),
                rows: joined.rows.iter().chain(entry.rows.iter()).copied().collect(),
                ..joined
            });
            Some(CalendarEntry { from, to, ..joined })
        });
        Self(spans.collect())
    }

    /// Gives what holds at a time.
    #[must_use]
    pub fn at(&self, time: Timestamp) -> Option<&CalendarEntry> {
        if self.0.is_empty() {
            return None;
        }
        let after = self.0.partition_point(|entry| entry.from <= time);
        self.0.get(after.checked_sub(1)?).filter(|entry| time < entry.to)
    }

    /// Gives the span in which another edition's calendar says something else, if there is one.
    #[must_use]
    pub fn differs(&self, other: &Self) -> Option<(Timestamp, Timestamp)> {
        let alone = |a: &Self, b: &Self| -> Vec<(Timestamp, Timestamp)> {
            let says = |entry: &CalendarEntry| (entry.from, entry.to, entry.flag, entry.without);
            let of_b: Vec<_> = b.0.iter().map(says).collect();
            let alone = a.0.iter().filter(|entry| !of_b.contains(&says(entry)));
            alone.map(|entry| (entry.from, entry.to)).collect()
        };
        let spans = [alone(self, other), alone(other, self)].concat();
        let from = spans.iter().map(|(from, _)| *from).min()?;
        Some((from, spans.iter().map(|(_, to)| *to).max()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(row: u32, from: i64, to: i64, state: SiteState) -> CalendarEntry {
        let (flag, without) = state.usual();
        let (from, to) = (Timestamp(from), Timestamp(to));
        CalendarEntry { from, to, flag, without, rows: [row].into() }
    }

    #[track_caller]
    fn check(calendar: &SiteCalendar, time: i64, want: Option<(Flag, bool, &[u32])>) {
        let found = calendar.at(Timestamp(time));
        let found =
            found.map(|entry| (entry.flag, entry.without.holds(Test::FlatLine), &*entry.rows));
        assert_eq!(found, want, "at {time}");
    }

    #[test]
    fn the_worst_flag_of_those_that_hold_counts_and_every_test_that_one_leaves_out() {
        let ice = entry(0, 10, 90, SiteState::Ice);
        let calendar = SiteCalendar::of(&[ice, entry(1, 30, 40, SiteState::Maintenance)]);
        check(&calendar, 9, None);
        check(&calendar, 10, Some((Flag::NotEvaluated, true, &[0])));
        check(&calendar, 30, Some((Flag::Fail, true, &[0, 1])));
        check(&calendar, 40, Some((Flag::NotEvaluated, true, &[0])));
        check(&calendar, 90, None);
        check(&SiteCalendar::default(), 0, None);
    }

    #[test]
    fn what_is_between_two_spans_is_neither() {
        let spans = [entry(0, 50, 60, SiteState::Flood), entry(1, 10, 20, SiteState::Works)];
        let calendar = SiteCalendar::of(&spans);
        check(&calendar, 19, Some((Flag::Suspect, false, &[1])));
        check(&calendar, 20, None);
        check(&calendar, 50, Some((Flag::Suspect, false, &[0])));
    }

    #[test]
    fn another_edition_differs_from_the_first_span_of_its_own_to_the_last() {
        let one = SiteCalendar::of(&[entry(0, 10, 20, SiteState::Flood)]);
        let more = SiteCalendar::of(&[
            entry(0, 10, 20, SiteState::Flood),
            entry(3, 40, 50, SiteState::Ice),
        ]);
        assert_eq!(one.differs(&one), None);
        let span = Some((Timestamp(40), Timestamp(50)));
        assert_eq!((one.differs(&more), more.differs(&one)), (span, span));
        let later = SiteCalendar::of(&[entry(7, 10, 20, SiteState::Flood)]);
        assert_eq!(one.differs(&later), None, "only the rows moved");
    }
}
