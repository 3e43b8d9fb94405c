//! Times. Inside weir a time is UTC in whole milliseconds; zones matter only where a device states
//! a local time, where a calendar is meant, and where a person reads.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use minicbor::{Decode, Encode};

/// One second, minute, hour and day in milliseconds.
pub const SECOND: i64 = 1_000;
/// One minute in milliseconds.
pub const MINUTE: i64 = 60 * SECOND;
/// One hour in milliseconds.
pub const HOUR: i64 = 60 * MINUTE;
/// One day of 24 hours in milliseconds.
pub const DAY: i64 = 24 * HOUR;

/// A point in time: milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct Timestamp(#[n(0)] pub i64);

impl Timestamp {
    /// Gives the milliseconds since the epoch.
    #[must_use]
    pub fn millis(self) -> i64 {
        self.0
    }

    /// Moves the time by milliseconds; stops at the ends of the range instead of wrapping.
    #[must_use]
    pub fn plus(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Gives the milliseconds from `earlier` to this time, negative if it is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Gives the start of the natural hour in a zone. Every zone in use has whole quarter hours,
    /// so the offset at the time itself decides.
    #[must_use]
    pub fn hour_start(self, zone: &TimeZone) -> Self {
        let offset = self.offset_ms(zone);
        Self((self.0 + offset).div_euclid(HOUR) * HOUR - offset)
    }

    /// Gives the part of a zone's calendar in which the time lies: its first instant and the first
    /// after it. Nothing outside the years that a calendar has.
    #[must_use]
    pub fn calendar(self, zone: &TimeZone, part: Calendar) -> Option<(Self, Self)> {
        let at = zone.to_datetime(jiff::Timestamp::from_millisecond(self.0).ok()?).date();
        let (first, after) = match part {
            Calendar::Day => (at, at.tomorrow().ok()?),
            Calendar::Months(months) => {
                let month = (at.month() - 1) / months * months + 1;
                let first = Date::new(at.year(), month, 1).ok()?;
                (first, first.checked_add(jiff::Span::new().months(months)).ok()?)
            }
        };
        Some((Self::midnight(first, zone)?, Self::midnight(after, zone)?))
    }

    /// Gives the first instant of a date in a zone.
    #[must_use]
    pub fn midnight(date: Date, zone: &TimeZone) -> Option<Self> {
        Self::civil(date.to_datetime(Time::midnight()), zone)
    }

    fn civil(at: DateTime, zone: &TimeZone) -> Option<Self> {
        let at = zone.to_ambiguous_timestamp(at).compatible().ok()?;
        Some(Self(at.as_millisecond()))
    }

    /// Reads a date such as `2026-03-01`, its midnight, or a date and time in a zone.
    #[must_use]
    pub fn of_text(text: &str, zone: &TimeZone) -> Option<Self> {
        // The reader of dates would also take 20260301 and a week's date.
        if text.get(4..5) != Some("-") || text.get(7..8) != Some("-") {
            return None;
        }
        if text.len() == 10 {
            return Self::midnight(text.parse().ok()?, zone);
        }
        text.get(10..11).filter(|between| *between == " " || *between == "T")?;
        let plain = |letter: char| letter.is_ascii_digit() || ":.".contains(letter);
        if !text.get(11..)?.chars().all(plain) {
            return None;
        }
        Self::civil(text.parse().ok()?, zone)
    }

    /// Reads what [`Timestamp::of_text`] reads, and a time with an offset of its own (RFC 3339).
    #[must_use]
    pub fn of_text_or_offset(text: &str, zone: &TimeZone) -> Option<Self> {
        let stated = text.parse::<jiff::Timestamp>().ok();
        stated.map(|at| Self(at.as_millisecond())).or_else(|| Self::of_text(text, zone))
    }

    /// Gives the year of a zone's calendar. Nothing outside the years that a calendar has.
    #[must_use]
    pub fn year(self, zone: &TimeZone) -> Option<i16> {
        Some(zone.to_datetime(jiff::Timestamp::from_millisecond(self.0).ok()?).year())
    }

    fn offset_ms(self, zone: &TimeZone) -> i64 {
        jiff::Timestamp::from_millisecond(self.0)
            .map_or(0, |at| i64::from(zone.to_offset(at).seconds()) * SECOND)
    }

    /// Writes the time as RFC 3339 in a zone, to the second, or to the millisecond if it has some.
    #[must_use]
    pub fn rfc3339(self, zone: &TimeZone) -> String {
        let Ok(at) = jiff::Timestamp::from_millisecond(self.0) else {
            return format!("{} ms", self.0);
        };
        at.display_with_offset(zone.to_offset(at)).to_string()
    }
}

/// A part of the calendar.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Calendar {
    /// A natural day.
    Day,
    /// This many months from a January on; a divisor of twelve.
    Months(i8),
}

/// When an input reached weir, by two clocks: the wall for calendars, elapsed time for durations.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct Moment {
    /// Wall time.
    #[n(0)]
    pub wall: Timestamp,
    /// Milliseconds of running time since the journal was made; time spent down counts, a wall
    /// clock that is set does not.
    #[n(1)]
    pub elapsed_ms: i64,
}

impl Moment {
    /// Gives the wall time of a point in elapsed time, as the wall is set now, so that a clock
    /// that was set changes no span.
    #[must_use]
    pub fn wall_of(self, elapsed_ms: i64) -> Timestamp {
        self.wall.plus(elapsed_ms.saturating_sub(self.elapsed_ms))
    }
}

/// What an observation is about: an instant, or an interval that is closed at its start and open
/// at its end (O&M `phenomenonTime`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub enum PhenomenonTime {
    /// One instant.
    #[n(0)]
    Instant(#[n(0)] Timestamp),
    /// A time span, such as the hour of a mean.
    #[n(1)]
    Interval {
        /// The first instant of it.
        #[n(0)]
        start: Timestamp,
        /// The first instant after it.
        #[n(1)]
        end: Timestamp,
    },
}

impl PhenomenonTime {
    /// Gives the instant, or the start of the interval: the time under which a point is stored.
    #[must_use]
    pub fn start(self) -> Timestamp {
        match self {
            Self::Instant(at) => at,
            Self::Interval { start, .. } => start,
        }
    }

    /// Gives the instant, or the end of the interval: the earliest time at which it can be known.
    #[must_use]
    pub fn end(self) -> Timestamp {
        match self {
            Self::Instant(at) => at,
            Self::Interval { end, .. } => end,
        }
    }

    /// Writes it by the clock of a zone, as an hour's two ends: `10:00–11:00`, and `23:00–24:00`
    /// for the last of a day. What the device calls the hour makes no difference. An instant is
    /// one time; a span of other days says no date.
    #[must_use]
    pub fn clock_span(self, zone: &TimeZone) -> String {
        let clock = |at: Timestamp| match jiff::Timestamp::from_millisecond(at.0) {
            Ok(at) => zone.to_datetime(at).strftime("%H:%M").to_string(),
            Err(_) => format!("{} ms", at.0),
        };
        match self {
            Self::Instant(at) => clock(at),
            Self::Interval { start, end } => match clock(end).as_str() {
                "00:00" if start < end => format!("{}–24:00", clock(start)),
                end => format!("{}–{end}", clock(start)),
            },
        }
    }
}

/// From when to when a row of the seeds holds, half-open; `None` is open.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Validity {
    /// The first instant.
    pub from: Option<Timestamp>,
    /// The first instant after.
    pub to: Option<Timestamp>,
}

impl Validity {
    /// Says whether the row holds at a time.
    #[must_use]
    pub fn holds(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= at) && self.to.is_none_or(|to| at < to)
    }

    /// Says whether two rows hold at one time.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let before =
            |a: &Self, b: &Self| matches!((a.to, b.from), (Some(to), Some(from)) if to <= from);
        !before(self, other) && !before(other, self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_midnight_of_its_zone() {
        let china = TimeZone::fixed(jiff::tz::offset(8));
        let utc =
            |text: &str| Timestamp::of_text(text, &china).map(|at| at.rfc3339(&TimeZone::UTC));
        assert_eq!(utc("2026-03-01").as_deref(), Some("2026-02-28T16:00:00+00:00"));
        assert_eq!(utc("2026-03-01 08:30").as_deref(), Some("2026-03-01T00:30:00+00:00"));
        for wrong in ["2026/3/1", "20260301", "2026-3-1", "2026-02-30", "2026-03-01Z", "46082"] {
            assert_eq!(utc(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_time_is_of_the_zone_unless_it_says_another() {
        let china = TimeZone::fixed(jiff::tz::offset(8));
        let read = |text: &str| Timestamp::of_text_or_offset(text, &china);
        for text in ["2026-03-01", "2026-03-01 00:00", "2026-02-28T16:00:00Z"] {
            let at = read(text).map(|at| at.rfc3339(&TimeZone::UTC));
            assert_eq!(at.as_deref(), Some("2026-02-28T16:00:00+00:00"), "{text}");
        }
        for wrong in ["", "2026/3/1", "20260301", "2026-02-30", "today"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn validity_is_half_open() {
        let year = Validity { from: Some(Timestamp(10)), to: Some(Timestamp(20)) };
        assert!(year.holds(Timestamp(10)));
        assert!(!year.holds(Timestamp(20)));
        assert!(!year.overlaps(&Validity { from: Some(Timestamp(20)), to: None }));
        assert!(year.overlaps(&Validity::default()));
    }

    #[test]
    fn calendars_begin_at_midnight_of_the_zone() {
        let zone = TimeZone::fixed(jiff::tz::offset(8));
        let at = |text: &str| Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond());
        let check = |part, time: &str, from: &str, to: &str| {
            assert_eq!(at(time).calendar(&zone, part), Some((at(from), at(to))), "{part:?}");
        };
        let (jan, feb) = ("2027-12-31T16:00:00Z", "2028-01-31T16:00:00Z");
        check(
            Calendar::Day,
            "2028-02-29T03:00:00Z",
            "2028-02-28T16:00:00Z",
            "2028-02-29T16:00:00Z",
        );
        check(
            Calendar::Day,
            "2028-02-29T16:00:00Z",
            "2028-02-29T16:00:00Z",
            "2028-03-01T16:00:00Z",
        );
        check(Calendar::Months(1), "2028-01-31T15:59:59Z", jan, feb);
        check(Calendar::Months(3), "2028-03-31T15:00:00Z", jan, "2028-03-31T16:00:00Z");
        check(Calendar::Months(12), "2028-07-01T00:00:00Z", jan, "2028-12-31T16:00:00Z");
        assert_eq!(Timestamp(i64::MAX).calendar(&zone, Calendar::Day), None);
    }

    #[test]
    fn an_hour_is_written_by_its_two_ends() {
        let zone = TimeZone::fixed(jiff::tz::offset(8));
        let check = |start: i64, end: i64, want: &str| {
            let span = PhenomenonTime::Interval {
                start: Timestamp(start * HOUR),
                end: Timestamp(end * HOUR),
            };
            assert_eq!(span.clock_span(&zone), want);
        };
        check(2, 3, "10:00–11:00");
        check(15, 16, "23:00–24:00");
        check(16, 17, "00:00–01:00");
        check(16, 40, "00:00–24:00");
        assert_eq!(PhenomenonTime::Instant(Timestamp(2 * HOUR)).clock_span(&zone), "10:00");
        let never = PhenomenonTime::Instant(Timestamp(i64::MAX));
        assert_eq!(never.clock_span(&zone), format!("{} ms", i64::MAX));
    }

    #[test]
    fn the_natural_hour_is_the_zones() {
        let half = TimeZone::fixed(jiff::tz::Offset::from_seconds(19_800).unwrap());
        assert_eq!(Timestamp(HOUR).hour_start(&half), Timestamp(HOUR / 2));
        assert_eq!(Timestamp(-1).hour_start(&TimeZone::UTC), Timestamp(-HOUR));
    }
}
