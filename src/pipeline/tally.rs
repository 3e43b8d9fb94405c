//! How many values of the last natural days are flagged: counted as they are judged, and moved from
//! one count to the other where a flag is told anew. A value that passes costs nothing.

use minicbor::{Decode, Encode};

use crate::domain::history::Entry;
use crate::domain::observation::Period;
use crate::domain::quality::{Flagged, Quality};
use crate::domain::registry::{Datastream, Registry};
use crate::domain::time::{DAY, Timestamp};
use crate::pipeline::Pipeline;
use crate::pipeline::average::{HOURS_KEPT_MS, earlier};

/// How many days of one datastream are counted at most: the longest horizon of lateness, the day
/// that is given out and the one that runs. Beyond, the oldest is forgotten. A day takes 160 bytes,
/// and one on which nothing was flagged none.
const DAYS_TALLIED_MAX: usize = 33;

/// A day on which something was flagged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
struct Day {
    #[n(0)]
    start: Timestamp,
    #[n(1)]
    end: Timestamp,
    #[n(2)]
    flagged: Flagged,
}

/// The days of one datastream on which something was flagged, in order of time.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct Tally {
    #[n(0)]
    days: Vec<Day>,
}

impl Tally {
    /// Gives the counts of the day that begins at a time.
    #[must_use]
    pub fn of(&self, start: Timestamp) -> Flagged {
        let day = self.days.iter().find(|day| day.start == start);
        day.map_or_else(Flagged::default, |day| day.flagged)
    }

    /// Gives the counts of the day in which a time lies.
    fn day(
        &mut self,
        time: Timestamp,
        around: impl FnOnce() -> Option<(Timestamp, Timestamp)>,
    ) -> Option<&mut Flagged> {
        let within = |day: &Day| day.start <= time && time < day.end;
        if !self.days.iter().any(within) {
            let (start, end) = around()?;
            let at = self.days.partition_point(|day| day.start < start);
            self.days.reserve_exact(1);
            self.days.insert(at, Day { start, end, flagged: Flagged::default() });
            if self.days.len() > DAYS_TALLIED_MAX {
                self.days.remove(0);
            }
        }
        self.days.iter_mut().find(|day| within(day)).map(|day| &mut day.flagged)
    }

    /// Forgets what ended before a time.
    fn forget_before(&mut self, time: Timestamp) {
        self.days.retain(|day| day.end >= time);
    }
}

impl Pipeline {
    /// Counts a value that is judged, for what it was before if it was held.
    pub(super) fn tally(
        &mut self,
        registry: &Registry,
        datastream: &Datastream,
        entry: Entry,
        before: Option<Quality>,
        now: Timestamp,
    ) {
        let before = before.filter(Quality::is_flagged);
        if before.is_none() && !entry.quality.is_flagged() {
            return;
        }
        let Some(station) = registry.station(datastream.station) else { return };
        let Some(stream) = self.stream_mut(datastream) else { return };
        stream.tally.forget_before(now.plus(-registry.judgement.lateness_horizon_ms - DAY));
        let around = || Period::Day.around(entry.time, &station.zone);
        let Some(day) = stream.tally.day(entry.time, around) else { return };
        if let Some(before) = before {
            day.take_out(&before);
        }
        day.take_in(&entry.quality);
    }

    /// Has the day of a value given out again, if it was: what a test says of the value counts in
    /// it, also where its flag stays what it was.
    pub(super) fn note_day(
        &mut self,
        registry: &Registry,
        datastream: &Datastream,
        time: Timestamp,
        now: Timestamp,
    ) {
        let Some(station) = registry.station(datastream.station) else { return };
        let Some((start, _)) = Period::Day.around(time, &station.zone) else { return };
        let Some(stream) = self.stream_mut(datastream) else { return };
        // Of an older one not all hours are kept.
        if stream.days.at(start).is_none() || start.plus(HOURS_KEPT_MS) < now {
            return;
        }
        stream.days.mark(start, false, |_, _| now);
        let due = stream.due();
        self.averages_due = earlier(self.averages_due, due);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::quality::{Flag, Test};

    #[test]
    fn so_many_days_are_counted_and_the_oldest_is_forgotten() {
        let mut tally = Tally::default();
        let doubted = Quality::only(Test::Spike, Flag::Suspect);
        let count = DAYS_TALLIED_MAX as i64 + 1;
        // Not in order: a day may begin late.
        for day in (0..count).rev() {
            for hour in [3, 7] {
                let start = Timestamp(day * DAY);
                let around = || Some((start, start.plus(DAY)));
                if let Some(of_day) = tally.day(start.plus(hour * 3_600_000), around) {
                    of_day.take_in(&doubted);
                }
            }
        }
        assert_eq!(tally.days.len(), DAYS_TALLIED_MAX);
        assert_eq!(tally.of(Timestamp(0)).suspect, 0);
        assert!((1..count).all(|day| tally.of(Timestamp(day * DAY)).suspect == 2));
        tally.forget_before(Timestamp(20 * DAY));
        assert_eq!(tally.of(Timestamp(18 * DAY)), Flagged::default());
        assert_eq!(tally.of(Timestamp(19 * DAY)).suspect, 2);
    }

    #[test]
    fn a_day_takes_no_more_than_is_said() {
        assert_eq!(size_of::<Day>(), 160);
        assert_eq!(size_of::<Tally>(), 24);
    }
}
