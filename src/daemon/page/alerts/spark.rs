//! How the value of an alert moved: the last hours as a small drawing. Of the values that fall on
//! one place the least and the greatest are drawn, so that no breach is averaged away.

use std::fmt::Write as _;

use crate::domain::assessment::{Bound, Limit};
use crate::domain::history::Entry;
use crate::domain::quality::Flag;
use crate::domain::registry::Datastream;
use crate::domain::time::{HOUR, Timestamp};
use crate::http::view::Text;
use crate::http::view::alert::SparkView;

/// How wide the drawing is.
const WIDTH: u32 = 480;
/// How high; below the values there is room for marks of doubted ones.
const HEIGHT: u32 = 96;
/// How high the values are drawn.
const DRAWN: f64 = 80.0;
/// On how many places values are drawn at most.
const PLACES_SHOWN_MAX: u32 = 240;
/// The shortest time that is drawn.
const SHORTEST_MS: i64 = 6 * HOUR;
/// The longest.
const LONGEST_MS: i64 = 14 * 24 * HOUR;
/// How many intervals of a sampled datastream are drawn at least.
const INTERVALS: i64 = 12;

/// What is drawn.
pub(super) struct Drawn<'a> {
    pub(super) datastream: &'a Datastream,
    /// Values of the span, the oldest first.
    pub(super) entries: &'a [Entry],
    pub(super) limits: &'a [&'a Limit],
    pub(super) span: (Timestamp, Timestamp),
    pub(super) since: Timestamp,
}

/// Gives from when to when it is drawn: from some hours before it began to its end, on whole
/// places, so that the drawing stays the same from second to second.
pub(super) fn span(
    datastream: &Datastream,
    since: Timestamp,
    end: Timestamp,
) -> (Timestamp, Timestamp) {
    let least = SHORTEST_MS.max(datastream.interval_ms().saturating_mul(INTERVALS));
    // In whole hours: a length that grew by the second would move every place.
    let hours = end.since(since).saturating_add(4 * HOUR) / HOUR;
    let length = hours.saturating_mul(HOUR).clamp(least.min(LONGEST_MS), LONGEST_MS);
    let place = (length / i64::from(PLACES_SHOWN_MAX)).max(1);
    let end = end.plus(place - end.millis().rem_euclid(place));
    (end.plus(-place * i64::from(PLACES_SHOWN_MAX)), end)
}

/// What falls on one place.
struct Place {
    number: u32,
    first: (Timestamp, f64),
    least: (Timestamp, f64),
    greatest: (Timestamp, f64),
    last: Timestamp,
}

/// Draws it; nothing where fewer than two values are held. `amount` writes a number with its unit,
/// `clock` a time.
pub(super) fn spark(
    drawn: &Drawn<'_>,
    amount: &dyn Fn(f64) -> String,
    clock: &dyn Fn(Timestamp) -> String,
) -> Option<SparkView> {
    let (start, end) = drawn.span;
    let place_ms = (end.since(start) / i64::from(PLACES_SHOWN_MAX)).max(1);
    let number = |at: Timestamp| u32::try_from(at.since(start) / place_ms).unwrap_or(0);
    let step = WIDTH / PLACES_SHOWN_MAX;
    let (places, doubted) = gathered(drawn.entries, &number);
    let held = drawn.entries.iter().filter(|one| one.is_usable()).count();
    let low = places.iter().map(|one| one.least.1).reduce(f64::min)?;
    let high = places.iter().map(|one| one.greatest.1).reduce(f64::max)?;
    if held < 2 {
        return None;
    }
    let bounds: Vec<f64> = drawn.limits.iter().flat_map(|one| numbers(one.bound)).collect();
    // A limit far away would leave nothing to see of how the value moved.
    let near = |bound: &f64| (*bound - low).min(high - *bound) > -4.0 * (high - low).max(1e-9);
    let bounds: Vec<f64> = bounds.into_iter().filter(near).collect();
    let bottom = bounds.iter().copied().fold(low, f64::min);
    let top = bounds.iter().copied().fold(high, f64::max);
    let height = if top > bottom { top - bottom } else { 1.0 };
    let y = |value: f64| 4.0 + (DRAWN - 8.0) * (1.0 - (value - bottom) / height);
    let limits = drawn.limits.iter().flat_map(|one| {
        let name = format!("{} {}", one.instrument, one.class);
        let shown = numbers(one.bound).filter(|bound| bounds.contains(bound));
        let name = name.trim_end().to_owned();
        shown.map(move |bound| (bound, name.clone())).collect::<Vec<_>>()
    });
    let limits: Vec<(u32, String)> = limits
        .map(|(bound, name)| (y(bound) as u32, format!("{} {name}", amount(bound))))
        .collect();
    Some(SparkView {
        width: WIDTH,
        height: HEIGHT,
        path: path(&places, drawn.datastream.stands_for_ms(), step, &y),
        doubted: doubted.into_iter().map(|at| at * step).collect(),
        limits,
        begins: (start < drawn.since && drawn.since < end).then(|| number(drawn.since) * step),
        low: amount(low),
        high: amount(high),
        from: clock(start),
        to: clock(end),
        words: said((clock(start), clock(end)), (amount(low), amount(high))),
    })
}

/// Puts values on their places, and tells on which some are suspect or wrong.
fn gathered(entries: &[Entry], number: &dyn Fn(Timestamp) -> u32) -> (Vec<Place>, Vec<u32>) {
    let (mut places, mut doubted) = (Vec::<Place>::new(), Vec::new());
    for entry in entries {
        let at = number(entry.time);
        if matches!(entry.flag(), Flag::Suspect | Flag::Fail) && doubted.last() != Some(&at) {
            doubted.push(at);
        }
        let Some(value) = entry.result.number().filter(|_| entry.is_usable()) else { continue };
        let one = (entry.time, value);
        match places.last_mut() {
            Some(place) if place.number == at => {
                place.last = entry.time;
                if value < place.least.1 {
                    place.least = one;
                }
                if value > place.greatest.1 {
                    place.greatest = one;
                }
            }
            Some(_) | None => {
                let last = entry.time;
                places.push(Place { number: at, first: one, least: one, greatest: one, last });
            }
        }
    }
    (places, doubted)
}

/// Says what is drawn.
fn said((from, to): (String, String), (low, high): (String, String)) -> Text {
    Text::new(
        format!("values from {from} to {to}: least {low}, greatest {high}"),
        format!("{from} 至 {to} 的数值：最小 {low}，最大 {high}"),
    )
}

fn numbers(bound: Bound) -> impl Iterator<Item = f64> {
    let (one, other) = match bound {
        Bound::Max(max) => (max, None),
        Bound::Min(min) => (min, None),
        Bound::Range { low, high } => (low, Some(high)),
    };
    std::iter::once(one).chain(other)
}

/// Writes the path; where nothing came for longer than a value stands, it is broken.
fn path(places: &[Place], stands_for_ms: i64, step: u32, y: &dyn Fn(f64) -> f64) -> String {
    let mut path = String::new();
    let mut last: Option<Timestamp> = None;
    for place in places {
        let x = place.number * step;
        let gap = last.is_none_or(|last| place.first.0.since(last) > stands_for_ms);
        let first = y(place.first.1);
        // A line of no length has round ends, and so a value between gaps is a dot.
        let begun = if gap { write!(path, "M{x} {first:.1}L{x} {first:.1}") } else { Ok(()) };
        let mut ends = [place.least, place.greatest];
        ends.sort_by_key(|(at, _)| *at);
        let drawn = ends.iter().try_for_each(|(_, value)| write!(path, "L{x} {:.1}", y(*value)));
        // Writing to a string does not fail.
        if begun.and(drawn).is_err() {
            return path;
        }
        last = Some(place.last);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::name::{DatastreamId, PropertyId, StationId};
    use crate::domain::observation::ObservationResult;
    use crate::domain::quality::{Quality, Test};
    use crate::domain::time::MINUTE;

    const START: Timestamp = Timestamp(1_780_272_000_000);

    fn datastream() -> Datastream {
        let plain = Datastream::plain(DatastreamId(0), "a/do", StationId(0), ("", PropertyId(0)));
        Datastream { expected_every_ms: MINUTE, ..plain }
    }

    fn value(minute: i64, value: f64) -> Entry {
        let (time, result) = (START.plus(minute * MINUTE), ObservationResult::Value(value));
        Entry { time, result, quality: Quality::default(), mark: None }
    }

    fn drawn(entries: &[Entry], hours: i64) -> Option<SparkView> {
        let (datastream, end) = (datastream(), START.plus(hours * HOUR));
        let span = (START, end);
        let limits = &[];
        let drawn = Drawn { datastream: &datastream, entries, limits, span, since: START };
        spark(&drawn, &|number| format!("{number} mg/L"), &|at| at.millis().to_string())
    }

    #[test]
    fn of_many_values_on_one_place_the_least_and_the_greatest_are_drawn() {
        // A place of forty minutes holds one breach among many values that are well.
        let mut entries: Vec<Entry> = (0..240 * 40).map(|minute| value(minute, 7.0)).collect();
        entries[20] = value(20, 1.9);
        let shown = drawn(&entries, 160).unwrap();
        assert_eq!((&*shown.low, &*shown.high), ("1.9 mg/L", "7 mg/L"));
        assert!(shown.path.starts_with("M0 4.0L0 4.0L0 4.0L0 76.0L2 4.0"), "{}", shown.path);
        assert_eq!(shown.path.matches('M').count(), 1, "nothing is missing");
        assert!(shown.path.len() < 8_000, "{} bytes", shown.path.len());
    }

    #[test]
    fn gaps_are_gaps_and_what_is_wrong_is_marked_and_not_drawn() {
        let mut entries: Vec<Entry> = (0..60).map(|minute| value(minute, 7.0)).collect();
        entries.extend((180..240).map(|minute| value(minute, 6.0)));
        entries[30].quality = Quality::only(Test::GrossRange, Flag::Fail);
        entries[30].result = ObservationResult::Value(99.0);
        let shown = drawn(&entries, 6).unwrap();
        assert_eq!(shown.path.matches('M').count(), 2, "{}", shown.path);
        assert_eq!((&*shown.high, shown.doubted), ("7 mg/L", vec![40]));
    }

    #[test]
    fn one_value_is_no_drawing() {
        assert_eq!(drawn(&[value(0, 7.0)], 6), None);
        assert_eq!(drawn(&[], 6), None);
        assert!(drawn(&[value(0, 7.0), value(1, 7.0)], 6).is_some());
    }

    #[test]
    fn a_span_stays_the_same_from_second_to_second() {
        let (datastream, end) = (datastream(), START.plus(5 * HOUR + 1));
        let (from, to) = span(&datastream, START, end);
        assert_eq!(span(&datastream, START, end.plus(1_000)), (from, to));
        assert!(from < START.plus(-2 * HOUR) && end < to, "{from:?} {to:?}");
    }
}
