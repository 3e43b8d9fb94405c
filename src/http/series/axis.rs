//! From times and values to places in the drawing, and the ticks of both axes.

use jiff::tz::TimeZone;
use serde::Serialize;

use crate::domain::time::{Calendar, DAY, HOUR, MINUTE, Timestamp};
use crate::http::series::{COLUMNS_MAX, Frame, HEIGHT, LEFT, LimitLine, Point, TOP, extremes};

/// How many ticks the time axis has at most.
const TIMES_MAX: i64 = 8;
/// How many steps the value axis has about.
const NUMBERS: f64 = 4.0;

/// A tick of an axis.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Tick {
    /// Where on the axis.
    pub at: f64,
    /// What stands there.
    pub label: String,
}

/// The places of one drawing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale<'a> {
    frame: Frame<'a>,
    low: f64,
    high: f64,
}

impl<'a> Scale<'a> {
    /// Has every value that did not fail and every limit in the plot.
    pub(super) fn new(frame: Frame<'a>, points: &[Point], limits: &[&LimitLine]) -> Self {
        let values = extremes(points).into_iter().flat_map(|(low, high)| [low, high]);
        let sides = limits.iter().flat_map(|limit| [limit.low, limit.high]).flatten();
        let all = values.chain(sides).filter(|value| value.is_finite());
        let span = all.fold(None, |span: Option<(f64, f64)>, value| {
            let (low, high) = span.unwrap_or((value, value));
            Some((low.min(value), high.max(value)))
        });
        let (low, high) = span.unwrap_or((0.0, 1.0));
        let size = high - low;
        // A line without any height has its value in the middle.
        let margin =
            if size > 0.0 { size * 0.06 } else { (high.abs() * 0.1).max(f64::MIN_POSITIVE) };
        let from_zero = low >= 0.0 && low <= size;
        let low = if from_zero { 0.0 } else { low - margin };
        let high = high + margin;
        let whole = low.is_finite() && high.is_finite() && high > low;
        let (low, high) = if whole { (low, high) } else { (0.0, 1.0) };
        Self { frame, low, high }
    }

    pub(super) fn gap_ms(&self) -> i64 {
        self.frame.gap_ms
    }

    fn length(&self) -> i64 {
        self.frame.to.since(self.frame.from).max(1)
    }

    /// Gives the column of a time; nothing outside of the frame.
    pub(super) fn place(&self, at: i64) -> Option<usize> {
        let since = i128::from(at) - i128::from(self.frame.from.millis());
        let place = since * COLUMNS_MAX as i128 / i128::from(self.length());
        (since >= 0).then(|| usize::try_from(place).ok()).flatten().filter(|at| *at < COLUMNS_MAX)
    }

    /// Gives the middle of a column.
    pub(super) fn column(&self, at: usize) -> f64 {
        LEFT + at as f64 + 0.5
    }

    /// Gives the place of a time, within the plot.
    pub(super) fn x(&self, at: i64) -> f64 {
        let since = at.saturating_sub(self.frame.from.millis()) as f64;
        let share = since / self.length() as f64;
        tenth(LEFT + share.clamp(0.0, 1.0) * COLUMNS_MAX as f64)
    }

    /// Gives the place of a time, within the plot; of none its left edge.
    pub(super) fn x_within(&self, at: Option<Timestamp>) -> f64 {
        at.map_or(LEFT, |at| self.x(at.millis()))
    }

    /// Gives the place of a value; of one far out of the scale a place out of the drawing.
    pub(super) fn y(&self, value: f64) -> f64 {
        let share = (value - self.low) / (self.high - self.low);
        tenth(TOP + HEIGHT * (1.0 - share.clamp(-9.0, 10.0)))
    }

    /// Gives the place of a value, at the edge where it is out of the scale.
    pub(super) fn y_within(&self, value: f64) -> f64 {
        self.y(value.clamp(self.low, self.high))
    }

    pub(super) fn number(&self, value: f64) -> String {
        let decimals = self.frame.decimals;
        format!("{value:.decimals$}")
    }

    pub(super) fn clock(&self, at: Timestamp) -> String {
        written(at, self.frame.zone, "%m-%d %H:%M:%S")
    }

    /// Gives ticks at whole hours or days of the zone.
    pub(super) fn times(&self) -> Vec<Tick> {
        const STEPS: [i64; 13] = [
            MINUTE,
            5 * MINUTE,
            15 * MINUTE,
            30 * MINUTE,
            HOUR,
            2 * HOUR,
            3 * HOUR,
            6 * HOUR,
            12 * HOUR,
            DAY,
            2 * DAY,
            5 * DAY,
            10 * DAY,
        ];
        let length = self.length();
        let step = STEPS.into_iter().find(|step| length / step <= TIMES_MAX);
        let step = step.unwrap_or(length / TIMES_MAX + 1);
        let zone = self.frame.zone;
        let mut ticks = Vec::new();
        let mut at = self.frame.from.calendar(zone, Calendar::Day);
        // Ticks are counted from each midnight, so that they are whole also where a clock is put.
        while let Some((day, next)) = at.filter(|(day, _)| *day < self.frame.to) {
            let inside = (0..=DAY / step).map(|count| day.plus(count * step));
            let inside = inside
                .filter(|tick| (self.frame.from..self.frame.to).contains(tick) && *tick < next);
            ticks.extend(inside.map(|tick| self.tick(tick, step, day)));
            let days = (step / DAY).max(1);
            at = (0..days).try_fold((day, next), |(_, next), _| next.calendar(zone, Calendar::Day));
        }
        ticks
    }

    fn tick(&self, at: Timestamp, step: i64, day: Timestamp) -> Tick {
        let form = if step >= DAY || at == day { "%m-%d" } else { "%H:%M" };
        Tick { at: self.x(at.millis()), label: written(at, self.frame.zone, form) }
    }

    /// Gives ticks at round numbers.
    pub(super) fn numbers(&self) -> Vec<Tick> {
        let rough = (self.high - self.low) / NUMBERS;
        let magnitude = 10_f64.powf(rough.log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * magnitude);
        let step = steps.into_iter().find(|step| *step >= rough).unwrap_or(rough);
        if !step.is_finite() || step <= 0.0 {
            return Vec::new();
        }
        let decimals = (-step.log10().floor()).clamp(0.0, 9.0) as usize;
        let first = (self.low / step).ceil();
        let values = (0..12).map(|count| (first + f64::from(count)) * step);
        let values = values.take_while(|value| *value <= self.high);
        let label = |value: f64| {
            if (1e-6..1e7).contains(&self.high.abs().max(self.low.abs())) {
                // No "-0".
                format!("{:.decimals$}", value + 0.0)
            } else {
                format!("{value:.1e}")
            }
        };
        values.map(|value| Tick { at: self.y(value), label: label(value) }).collect()
    }
}

fn written(at: Timestamp, zone: &TimeZone, form: &str) -> String {
    let at = jiff::Timestamp::from_millisecond(at.millis());
    at.map_or(String::new(), |at| zone.to_datetime(at).strftime(form).to_string())
}

/// Cuts a place to what is seen.
fn tenth(place: f64) -> f64 {
    (place * 10.0).round() / 10.0
}
