//! A whole series at once, as an analyst has it: what comes after a value is known, too, and so is
//! how far apart values are.

use jiff::tz::TimeZone;

use crate::domain::quality::{Flag, Quality, Test};
use crate::domain::registry::{FlatLine, Qc};
use crate::domain::time::Timestamp;
use crate::qc::flat_line::Run;
use crate::qc::{attenuated_signal, climatology, rate_of_change, spike, timing_gap};

/// A flat line has at least so many values.
const FLAT_MIN: usize = 3;

/// One value of a series.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Point {
    /// When it was so.
    pub time: Timestamp,
    /// The value, in the unit of the thresholds; none where it is missing.
    pub value: Option<f64>,
    /// What the climatology's companion said then.
    pub companion: Option<f64>,
}

/// Judges every value of a series, which is in order of time.
#[must_use]
pub fn judge(qc: &Qc, zone: &TimeZone, points: &[Point]) -> Vec<Quality> {
    let value = |at: Option<usize>| points.get(at?).and_then(|point| point.value);
    let mut runs = qc.flat_line.map(|flat| Runs::new(flat, points));
    let mut signals = Signals { from: 0, points };
    let each = points.iter().enumerate().map(|(at, point)| {
        let (before, after) = (at.checked_sub(1), at.checked_add(1));
        let mut quality = Quality::default();
        let flat = runs.as_mut().map(|runs| runs.next(at));
        if let Some(gap) = qc.timing_gap {
            // The first of a series has none before it; it is as good as the next.
            let (before, at) = (at.max(1) - 1, at.max(1));
            let (before, at) = (points.get(before), points.get(at).unwrap_or(point));
            let flag = timing_gap::test(gap, before.map(|point| point.time), at.time);
            quality.set(Test::TimingGap, flag);
        }
        if let Some(attenuated) = qc.attenuated_signal {
            let values = signals.until(at, attenuated.over_ms);
            let flag = attenuated_signal::test(attenuated, &values);
            let flag = if point.value.is_some() { flag } else { Flag::NotEvaluated };
            quality.set(Test::AttenuatedSignal, flag);
        }
        let Some(number) = point.value else {
            missing(qc, &mut quality);
            return quality;
        };
        quality.set(Test::Missing, Flag::Pass);
        if let Some(spans) = qc.gross_range {
            quality.set(Test::GrossRange, spans.judge(number));
        }
        if let Some(climates) = &qc.climatology {
            let flag = climatology::test(climates, (point.time, zone), point.companion, number);
            quality.set(Test::Climatology, flag);
        }
        if let Some(asked) = qc.spike {
            quality
                .set(Test::Spike, spike::test(asked, [value(before), Some(number), value(after)]));
        }
        if let Some(rate) = qc.rate_of_change {
            let before = before.and_then(|before| points.get(before));
            let before = before.and_then(|point| Some((point.time, point.value?)));
            quality
                .set(Test::RateOfChange, rate_of_change::test(rate, before, (point.time, number)));
        }
        if let Some(flat) = flat {
            quality.set(Test::FlatLine, flat);
        }
        quality
    });
    each.collect()
}

/// What is missing is missing for every test that looks at values.
fn missing(qc: &Qc, quality: &mut Quality) {
    let asked = [
        (Test::Missing, true),
        (Test::GrossRange, qc.gross_range.is_some()),
        (Test::Climatology, qc.climatology.is_some()),
        (Test::Spike, qc.spike.is_some()),
        (Test::RateOfChange, qc.rate_of_change.is_some()),
        (Test::FlatLine, qc.flat_line.is_some()),
    ];
    for (test, _) in asked.into_iter().filter(|(_, asked)| *asked) {
        quality.set(test, Flag::Missing);
    }
}

/// The flat line test, from value to value.
struct Runs<'a> {
    flat: FlatLine,
    points: &'a [Point],
    interval_ms: i64,
    run: Run,
}

impl<'a> Runs<'a> {
    fn new(flat: FlatLine, points: &'a [Point]) -> Self {
        Self { flat, points, interval_ms: median_interval_ms(points), run: Run::default() }
    }

    fn next(&mut self, at: usize) -> Flag {
        let (before, rest) = self.points.split_at(at);
        let value = rest.first().and_then(|point| point.value);
        let back = before.iter().rev().map(|point| point.value);
        self.run = self.run.next(self.flat.tolerance, value, back);
        if self.points.len() < FLAT_MIN {
            return Flag::Pass;
        }
        self.run.test(self.flat, self.interval_ms)
    }
}

/// Gives how far apart the values of a series are, the median, ms.
fn median_interval_ms(points: &[Point]) -> i64 {
    let pairs = points.windows(2).filter_map(|pair| match pair {
        [before, at] => Some(at.time.since(before.time)),
        _ => None,
    });
    let mut intervals: Vec<i64> = pairs.collect();
    intervals.sort_unstable();
    let middle = intervals.len() / 2;
    let at = |place: usize| intervals.get(place).copied().unwrap_or_default();
    if intervals.len().is_multiple_of(2) {
        i64::midpoint(at(middle.saturating_sub(1)), at(middle))
    } else {
        at(middle)
    }
}

/// The windows of the attenuated signal test, whose ends only move on.
struct Signals<'a> {
    from: usize,
    points: &'a [Point],
}

impl Signals<'_> {
    /// Gives the values of the time up to a value, or of the whole series.
    fn until(&mut self, at: usize, over_ms: Option<i64>) -> Vec<f64> {
        let (Some(over_ms), Some(last)) = (over_ms, self.points.get(at)) else {
            return self.points.iter().filter_map(|point| point.value).collect();
        };
        let young = |point: &Point| last.time.since(point.time) < over_ms;
        while self.points.get(self.from).is_some_and(|point| !young(point)) {
            self.from += 1;
        }
        let window = self.points.get(self.from..=at).unwrap_or_default();
        window.iter().filter_map(|point| point.value).collect()
    }
}
