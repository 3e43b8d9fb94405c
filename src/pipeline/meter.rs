//! What a meter counted in an hour, which hours a reading changes, and what lies in a long gap.

use jiff::tz::TimeZone;

use crate::aggregate::counter::{Latest, consumption};
use crate::aggregate::mean;
use crate::aggregate::window::Kept;
use crate::domain::history::Entry;
use crate::domain::observation::{Completeness, Period};
use crate::domain::registry::{Counter, HourMean};
use crate::domain::time::{DAY, HOUR, Timestamp};
use crate::pipeline::average::{HOURS_KEPT_MS, SETTLE_MS};
use crate::pipeline::state::StreamState;

/// Over how many days what lies in a gap is shared out; no more days wait to be given out.
const DAYS_SHARED_MAX: i64 = 60;

/// A reading of a meter that is about to be remembered.
pub(super) struct Noted<'a> {
    pub(super) entry: Entry,
    /// How many readings make an hour complete.
    pub(super) expected: Option<u32>,
    pub(super) settle_ms: i64,
    pub(super) zone: &'a TimeZone,
    pub(super) now: Timestamp,
}

/// Has the hours given out that a reading changes beside its own: those from the reading before it
/// to the one after it, each when it is due itself. An hour that has all its readings lacked only
/// the first one after it, and is due at once.
pub(super) fn note(stream: &mut StreamState, counter: &Counter, noted: Noted<'_>) {
    let Noted { entry, expected, settle_ms, zone, now } = noted;
    let latest = stream.meter.get_or_insert_default();
    let Some((first, last)) = latest.take(entry, &stream.history, counter) else { return };
    let own = entry.time.hour_start(zone);
    let mut mark = |hour: Timestamp| {
        stream.hours.mark(hour, false, |received, given| {
            let complete = expected == Some(received) && !given;
            now.max(hour.plus(if complete { HOUR } else { HOUR + settle_ms }))
        });
    };
    let first = first.hour_start(zone);
    let (oldest, newest) = (own.plus(-HOURS_KEPT_MS), own.plus(HOURS_KEPT_MS).min(last));
    // The hour in which a longer gap began is made of readings, too.
    if first < oldest {
        mark(first);
    }
    let mut hour = first.max(oldest);
    while hour <= newest {
        if hour != own {
            mark(hour);
        }
        hour = hour.plus(HOUR);
    }
    if first < oldest {
        note_days(stream, (first, own), zone, now);
    }
}

/// Has the days of a gap given out that began before the hours that are kept.
fn note_days(
    stream: &mut StreamState,
    (first, last): (Timestamp, Timestamp),
    zone: &TimeZone,
    now: Timestamp,
) {
    let mut at = first.max(last.plus(-DAYS_SHARED_MAX * DAY));
    while let Some((start, end)) = Period::Day.around(at, zone).filter(|(start, _)| *start <= last)
    {
        stream.days.mark(start, false, |_, _| now.max(end.plus(SETTLE_MS)));
        at = end;
    }
}

/// Gives what a meter counted in an hour. What lies in a gap is shared out by time and suspect
/// where too little of the hour was measured, so that longer totals lack nothing. What is lost over
/// an exchange or a reset is said to be.
pub(super) fn hour(
    stream: &StreamState,
    (start, end): (Timestamp, Timestamp),
    counter: &Counter,
    rule: Option<HourMean>,
    received: u32,
) -> (Kept, Completeness) {
    let nothing = Latest::default();
    let latest = stream.meter.as_deref().unwrap_or(&nothing);
    let entries = latest.around(&stream.history, counter, (start, end));
    let valid = mean::usable(&stream.history.between(start, end));
    let (kept, completeness) = counted(entries.into_iter(), (start, end), counter);
    let measured = rule.is_none_or(|rule| completeness.valid >= rule.needs);
    (Kept { suspect: kept.suspect || !measured, received, valid, ..kept }, completeness)
}

fn counted(
    entries: impl Iterator<Item = Entry>,
    (start, end): (Timestamp, Timestamp),
    counter: &Counter,
) -> (Kept, Completeness) {
    let used = consumption(entries, (start, end), counter);
    // Is nothing missing but what is lost for good?
    let whole = used.missing_ms == used.cut_ms;
    let partial = whole && used.cut_ms > 0;
    let value = used.total().filter(|_| whole);
    let suspect = used.suspect || partial;
    (Kept { start, value, suspect, partial, received: 0, valid: 0 }, used.completeness())
}

/// Gives the day of a meter's last usable reading: its hours are kept until the next one comes, so
/// that the day is whole then.
pub(super) fn day_before_a_gap(
    stream: &StreamState,
    zone: &TimeZone,
) -> Option<(Timestamp, Timestamp)> {
    Period::Day.around(stream.meter.as_deref()?.newest()?, zone)
}

/// Fills the hours of a day in that lie in a long gap and were not given out for themselves.
pub(super) fn fill(
    stream: &StreamState,
    counter: &Counter,
    hours: &mut Vec<Kept>,
    (start, end): (Timestamp, Timestamp),
) {
    let Some(latest) = &stream.meter else { return };
    for hour in 0..i64::from(hours_of(start, end)) {
        let span = (start.plus(hour * HOUR), start.plus((hour + 1) * HOUR));
        let Some(ends) = latest.gap_over(span) else { continue };
        let (kept, _) = counted(ends.into_iter(), span, counter);
        let kept = Kept { suspect: true, ..kept };
        let at = hours.partition_point(|one| one.start < span.0);
        match hours.get_mut(at).filter(|one| one.start == span.0) {
            Some(held) if held.value.is_none() && !held.partial => *held = kept,
            Some(_) => {}
            None => hours.insert(at, kept),
        }
    }
}

/// Gives how many hours a day has.
pub(super) fn hours_of(start: Timestamp, end: Timestamp) -> u32 {
    u32::try_from(end.since(start) / HOUR).unwrap_or(0)
}
