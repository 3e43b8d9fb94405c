//! A series as a drawing: so many columns as the drawing is wide, each with the least, the greatest
//! and the last of its values, so that no peak is ever averaged away. Numbers and paths only; the
//! template makes the SVG.

mod axis;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use serde::Serialize;

use crate::domain::time::Timestamp;
use crate::http::series::axis::{Scale, Tick};
use crate::http::view::Text;

/// How many columns a drawing has: its width in pixels, so that it never has more points.
pub const COLUMNS_MAX: usize = 600;
/// How many limits are drawn; the strictest of the seeds come first, further ones are left out.
pub const LIMITS_SHOWN_MAX: usize = 8;

const LEFT: f64 = 56.0;
const TOP: f64 = 16.0;
const HEIGHT: f64 = 220.0;
/// Where the strip of flags begins below the plot, and how high it is.
const STRIP_GAP: f64 = 6.0;
const STRIP: f64 = 10.0;
/// How far apart labels of limits are at least.
const LABEL: f64 = 13.0;

/// One value of a series.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Point {
    /// Its instant, or the start of its interval.
    pub at: Timestamp,
    /// The end of its interval; the same of an instant.
    pub until: Timestamp,
    /// The number; that of the bound where it is censored; nothing where a value is missing.
    pub value: Option<f64>,
    /// `<` or `>` of a bound, else empty.
    pub censored: &'static str,
    /// The number before calibration, if that is known to be another one.
    pub raw: Option<f64>,
    /// The rolled-up QARTOD flag.
    pub flag: u8,
    /// Whether it took the place of another value.
    pub revision: bool,
    /// The least and the greatest value that it is a mean of, where that is known.
    pub span: Option<(f64, f64)>,
}

impl Point {
    /// Gives the number that may be drawn in the line: not one that failed.
    fn drawn(&self) -> Option<f64> {
        self.value.filter(|value| value.is_finite() && self.flag != 4)
    }

    fn middle(&self) -> i64 {
        self.at.millis() + self.until.since(self.at) / 2
    }
}

/// A limit, for the time in which it is in force.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct LimitLine {
    /// Its name with what it allows: `≤ 1.5 mg/L GB 3838-2002 IV`.
    pub name: Text,
    /// What a value must not be below.
    pub low: Option<f64>,
    /// What it must not be above.
    pub high: Option<f64>,
    /// From when it is in force; nothing if that was always so.
    pub from: Option<Timestamp>,
    /// Until before when.
    pub to: Option<Timestamp>,
}

/// What is drawn of, and how it is written.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// The first instant.
    pub from: Timestamp,
    /// The first instant after.
    pub to: Timestamp,
    /// The zone of the axis.
    pub zone: &'a TimeZone,
    /// Values further apart than this have a gap between them, ms.
    pub gap_ms: i64,
    /// Decimals of a number.
    pub decimals: usize,
}

/// A place in the drawing.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Spot {
    /// From the left.
    pub x: f64,
    /// From the top.
    pub y: f64,
}

/// A limit as it is drawn.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct LimitMark {
    /// The path of its line.
    pub path: String,
    /// Its name.
    pub name: Text,
    /// Where the name stands.
    pub at: Spot,
}

/// A stretch of one flag in the strip.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct FlagMark {
    /// From the left.
    pub x: f64,
    /// How wide.
    pub width: f64,
    /// The flag, the worst of each column.
    pub flag: u8,
}

/// What one column of the drawing holds.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Column {
    /// From the left.
    pub x: f64,
    /// How wide its field is that is pointed at.
    pub width: f64,
    /// The time of its first value.
    pub from: String,
    /// The time of its last value.
    pub to: String,
    /// The same as milliseconds since 1970.
    pub at_ms: i64,
    /// The least value, as people write it; "–" where there is none.
    pub low: String,
    /// The greatest.
    pub high: String,
    /// The last.
    pub last: String,
    /// How many values it has.
    pub count: usize,
    /// The worst flag.
    pub flag: u8,
    /// Whether one of them took another's place.
    pub revised: bool,
}

/// A series as it is drawn.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Drawing {
    /// The width of everything.
    pub width: f64,
    /// The height of everything.
    pub height: f64,
    /// The plot's left edge.
    pub left: f64,
    /// The plot's upper edge.
    pub top: f64,
    /// The plot's right edge.
    pub right: f64,
    /// The plot's lower edge.
    pub bottom: f64,
    /// The upper edge of the strip of flags.
    pub strip: f64,
    /// The path through the last value of each column, broken at gaps.
    pub line: String,
    /// The path of what lies between least and greatest value.
    pub band: String,
    /// Values that stand alone between gaps.
    pub dots: Vec<Spot>,
    /// Values that failed; at the edge where they are out of the scale.
    pub failed: Vec<Spot>,
    /// Values that took another's place.
    pub revisions: Vec<Spot>,
    /// The limits.
    pub limits: Vec<LimitMark>,
    /// The flags that are not good.
    pub flags: Vec<FlagMark>,
    /// The ticks of the time axis.
    pub times: Vec<Tick>,
    /// The ticks of the value axis.
    pub numbers: Vec<Tick>,
    /// The columns that hold something, in order of time.
    pub columns: Vec<Column>,
}

/// The values of one column.
struct Bucket<'p> {
    at: usize,
    points: &'p [Point],
}

/// Draws points, which are in order of time, and the limits of the time that is drawn.
#[must_use]
pub fn draw(points: &[Point], limits: &[LimitLine], frame: Frame<'_>) -> Drawing {
    let limits: Vec<&LimitLine> =
        limits.iter().filter(|limit| in_frame(limit, frame)).take(LIMITS_SHOWN_MAX).collect();
    let scale = Scale::new(frame, points, &limits);
    let right = LEFT + COLUMNS_MAX as f64;
    let bottom = TOP + HEIGHT;
    let strip = bottom + STRIP_GAP;
    let mut drawing = Drawing {
        width: right + 8.0,
        height: strip + STRIP + 24.0,
        left: LEFT,
        top: TOP,
        right,
        bottom,
        strip,
        limits: limit_marks(&limits, &scale),
        times: scale.times(),
        numbers: scale.numbers(),
        ..Drawing::default()
    };
    let buckets = buckets(points, &scale);
    lay_line(&buckets, &scale, &mut drawing);
    for bucket in &buckets {
        lay_band(bucket, &scale, &mut drawing.band);
        drawing.columns.push(column(bucket, &scale));
        let failed = bucket.points.iter().filter(|point| point.flag == 4);
        let failed = failed.filter_map(|point| point.value.filter(|value| value.is_finite()));
        let spot = |value: f64| Spot { x: scale.column(bucket.at), y: scale.y_within(value) };
        // Of many in one pixel those at both ends are seen.
        let ends = failed.fold(None, |ends: Option<(f64, f64)>, value| {
            let (low, high) = ends.unwrap_or((value, value));
            Some((low.min(value), high.max(value)))
        });
        if let Some((low, high)) = ends {
            drawing.failed.push(spot(high));
            if spot(low).y > spot(high).y {
                drawing.failed.push(spot(low));
            }
        }
        let revised = bucket.points.iter().rev().filter(|point| point.revision);
        drawing.revisions.extend(revised.filter_map(Point::drawn).map(spot).next());
    }
    widen(&mut drawing.columns);
    drawing.flags = flags(&buckets, &scale);
    drawing
}

fn in_frame(limit: &LimitLine, frame: Frame<'_>) -> bool {
    limit.from.is_none_or(|from| from < frame.to) && limit.to.is_none_or(|to| frame.from < to)
}

/// Sorts points into columns; those outside of the frame into none.
fn buckets<'p>(points: &'p [Point], scale: &Scale<'_>) -> Vec<Bucket<'p>> {
    let place = |point: &Point| scale.place(point.middle());
    let parts = points.chunk_by(|one, other| place(one) == place(other));
    let bucket = |points: &'p [Point]| {
        let at = place(points.first()?)?;
        Some(Bucket { at, points })
    };
    parts.filter_map(bucket).collect()
}

/// Lays the line through the columns. A missing value or a long wait breaks it.
fn lay_line(buckets: &[Bucket<'_>], scale: &Scale<'_>, drawing: &mut Drawing) {
    let mut before: Option<i64> = None;
    let mut alone: Option<Spot> = None;
    for bucket in buckets {
        let whole = |point: &&Point| point.drawn().is_some();
        let first = bucket.points.iter().find(whole);
        let last = bucket.points.iter().rev().find(whole);
        let (Some(first), Some(last)) = (first, last) else {
            before = None;
            continue;
        };
        let Some(value) = last.drawn() else { continue };
        let breaks = bucket.points.first().is_some_and(|point| point.drawn().is_none());
        let near = before.is_some_and(|before| first.at.millis() - before <= scale.gap_ms());
        let spot = Spot { x: scale.column(bucket.at), y: scale.y(value) };
        if near && !breaks {
            write!(drawing.line, "L{:.1} {:.1}", spot.x, spot.y).unwrap_or_default();
            alone = None;
        } else {
            drawing.dots.extend(alone.take());
            write!(drawing.line, "M{:.1} {:.1}", spot.x, spot.y).unwrap_or_default();
            alone = Some(spot);
        }
        let ends = bucket.points.last().is_some_and(|point| point.drawn().is_none());
        before = (!ends).then_some(last.at.millis());
    }
    drawing.dots.extend(alone);
}

/// Lays what lies between the least and the greatest value of a column.
fn lay_band(bucket: &Bucket<'_>, scale: &Scale<'_>, band: &mut String) {
    let Some((low, high)) = extremes(bucket.points) else { return };
    let (top, bottom) = (scale.y(high), scale.y(low));
    if bottom - top < 0.1 {
        return;
    }
    let (from, to) = match bucket.points {
        [only] if only.until > only.at => (scale.x(only.at.millis()), scale.x(only.until.millis())),
        _ => (scale.column(bucket.at) - 0.5, scale.column(bucket.at) + 0.5),
    };
    let to = to.max(from + 1.0);
    write!(band, "M{from:.1} {top:.1}H{to:.1}V{bottom:.1}H{from:.1}z").unwrap_or_default();
}

/// Gives the least and the greatest of values that did not fail.
fn extremes(points: &[Point]) -> Option<(f64, f64)> {
    let spans = points.iter().filter_map(|point| {
        let value = point.drawn()?;
        let span = point.span.filter(|(low, high)| low.is_finite() && high.is_finite());
        let (low, high) = span.unwrap_or((value, value));
        Some((low.min(value), high.max(value)))
    });
    spans.reduce(|(low, high), (other_low, other_high)| (low.min(other_low), high.max(other_high)))
}

fn column(bucket: &Bucket<'_>, scale: &Scale<'_>) -> Column {
    let times = (bucket.points.first(), bucket.points.last());
    let time = |point: Option<&Point>| point.map_or(String::new(), |point| scale.clock(point.at));
    let number = |value: Option<f64>| value.map_or("–".to_owned(), |value| scale.number(value));
    let found = extremes(bucket.points);
    let last = bucket.points.iter().rev().find(|point| point.value.is_some());
    let last = last.map_or("–".to_owned(), |point| {
        format!("{}{}", point.censored, number(point.value.filter(|value| value.is_finite())))
    });
    Column {
        x: scale.column(bucket.at) - 0.5,
        width: 1.0,
        from: time(times.0),
        to: time(times.1),
        at_ms: times.1.map_or(0, |point| point.at.millis()),
        low: number(found.map(|(low, _)| low)),
        high: number(found.map(|(_, high)| high)),
        last,
        count: bucket.points.len(),
        flag: bucket.points.iter().map(|point| point.flag).fold(1, worse),
        revised: bucket.points.iter().any(|point| point.revision),
    }
}

/// Has each column's field reach to the middle between it and its neighbours, so that it is easily
/// pointed at.
fn widen(columns: &mut [Column]) {
    let edges: Vec<f64> = columns
        .windows(2)
        .map(|pair| match pair {
            [one, other] => f64::midpoint(one.x + 1.0, other.x),
            _ => 0.0,
        })
        .collect();
    let mut left = LEFT;
    for (at, column) in columns.iter_mut().enumerate() {
        let right = edges.get(at).copied().unwrap_or(LEFT + COLUMNS_MAX as f64);
        (column.x, column.width) = (left, (right - left).max(0.5));
        left = right;
    }
}

/// Gives the worse of two flags: fail, suspect, missing, not evaluated, pass.
fn worse(one: u8, other: u8) -> u8 {
    let rank = |flag: u8| match flag {
        4 => 4,
        3 => 3,
        9 => 2,
        2 => 1,
        _ => 0,
    };
    if rank(other) > rank(one) { other } else { one }
}

/// Gives the stretches of flags that are not good; columns beside each other share one.
fn flags(buckets: &[Bucket<'_>], scale: &Scale<'_>) -> Vec<FlagMark> {
    let mut marks: Vec<FlagMark> = Vec::new();
    for bucket in buckets {
        let flag = bucket.points.iter().map(|point| point.flag).fold(1, worse);
        if flag == 1 {
            continue;
        }
        let x = scale.column(bucket.at) - 0.5;
        match marks.last_mut() {
            Some(mark) if mark.flag == flag && x - mark.x - mark.width < 0.1 => mark.width += 1.0,
            Some(_) | None => marks.push(FlagMark { x, width: 1.0, flag }),
        }
    }
    for mark in &mut marks {
        // One pixel is hardly seen.
        mark.width = mark.width.max(2.0);
    }
    marks
}

/// Gives the lines of limits, each as long as it is in force. Where one ends and the next of its
/// side begins, the line steps.
fn limit_marks(limits: &[&LimitLine], scale: &Scale<'_>) -> Vec<LimitMark> {
    let mut marks: Vec<LimitMark> = Vec::new();
    for limit in limits {
        let from = scale.x_within(limit.from);
        let to = limit.to.map_or(LEFT + COLUMNS_MAX as f64, |to| scale.x_within(Some(to)));
        for (side, value) in [(false, limit.low), (true, limit.high)] {
            let Some(value) = value.filter(|value| value.is_finite()) else { continue };
            let y = scale.y(value);
            let mut path = format!("M{from:.1} {y:.1}H{to:.1}");
            let of_side = |one: &&LimitLine| if side { one.high } else { one.low };
            let next = limit.to.and_then(|_| limits.iter().find(|one| one.from == limit.to));
            if let Some(next) = next.and_then(|one| of_side(&&**one)) {
                write!(path, "V{:.1}", scale.y(next)).unwrap_or_default();
            }
            // Above the line, or below one that lies at the edge.
            let above = y - 3.0;
            let at = Spot { x: from + 4.0, y: if above < TOP + 8.0 { y + 12.0 } else { above } };
            marks.push(LimitMark { path, name: limit.name.clone(), at });
        }
    }
    part_labels(&mut marks);
    marks
}

/// Moves names apart that would stand on each other.
fn part_labels(marks: &mut [LimitMark]) {
    marks.sort_by(|one, other| one.at.y.total_cmp(&other.at.y));
    for at in 0..marks.len() {
        let (before, rest) = marks.split_at_mut(at);
        let Some(mark) = rest.first_mut() else { continue };
        let beside = |one: &&LimitMark| (one.at.x - mark.at.x).abs() < 180.0;
        let lowest = before.iter().filter(beside).map(|one| one.at.y).reduce(f64::max);
        mark.at.y = lowest.map_or(mark.at.y, |lowest| mark.at.y.max(lowest + LABEL));
    }
}

/// Of what the lines of a CSV are.
#[derive(Clone, Copy, Debug)]
pub struct Heading<'a> {
    /// The zone of its times.
    pub zone: &'a TimeZone,
    /// The unit.
    pub unit: &'a str,
    /// What the values state.
    pub statistic: &'a str,
    /// The station's name in tags.
    pub station: &'a str,
    /// The property, in words.
    pub property: &'a str,
    /// The datastream.
    pub datastream: &'a str,
    /// Whether a sensor said the values: where nothing changed one, it is what the sensor said.
    pub sensed: bool,
}

/// Writes a series as CSV (RFC 4180), one line a value; times with the offset of the zone.
#[must_use]
pub fn csv(points: &[Point], of: Heading<'_>) -> String {
    let head = "time,value,unit,flag,revision,raw,statistic,station,property,datastream\r\n";
    let mut out = String::from(head);
    let number = |value: Option<f64>| {
        value.filter(|value| value.is_finite()).map_or(String::new(), |value| value.to_string())
    };
    let cell = |text: &str| {
        if text.contains(['"', ',', '\r', '\n']) {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text.to_owned()
        }
    };
    let Heading { zone, sensed, .. } = of;
    let [unit, statistic, station, property, datastream] =
        [of.unit, of.statistic, of.station, of.property, of.datastream].map(cell);
    for point in points {
        let (time, value) = (point.at.rfc3339(zone), number(point.value));
        let censored = point.censored;
        let raw = match point.raw {
            Some(raw) => number(Some(raw)),
            None if sensed && point.value.is_some() => format!("{censored}{value}"),
            None => String::new(),
        };
        let (flag, revision) = (point.flag, u8::from(point.revision));
        write!(
            out,
            "{time},{censored}{value},{unit},{flag},{revision},{raw},{statistic},{station},\
             {property},{datastream}\r\n"
        )
        .unwrap_or_default();
    }
    out
}
