//! A whole series at once, as an analyst has it: what comes after a value is known, too, and so is
//! how far apart values are.

use jiff::tz::TimeZone;

use crate::domain::quality::{Flag, Quality, Test};
use crate::domain::registry::{Attenuated, FlatLine, Qc};
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
    let mut signals = qc.attenuated_signal.map(|asked| Signals::new(asked, points));
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
        if let Some(signals) = &mut signals {
            quality.set(Test::AttenuatedSignal, signals.next(at));
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

/// What is missing is missing for every test that looks at single values.
fn missing(qc: &Qc, quality: &mut Quality) {
    let of_values = |test: &Test| !matches!(test, Test::AttenuatedSignal | Test::TimingGap);
    for test in qc.asked().filter(of_values).chain([Test::Missing]) {
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

/// The attenuated signal test, whose windows only move on.
struct Signals<'a> {
    attenuated: Attenuated,
    points: &'a [Point],
    /// Where the window of the last value began.
    from: usize,
    /// What the series says as a whole, where that is asked.
    whole: Option<Flag>,
}

impl<'a> Signals<'a> {
    fn new(attenuated: Attenuated, points: &'a [Point]) -> Self {
        let whole = attenuated.over_ms.is_none().then(|| tested(attenuated, points));
        Self { attenuated, points, from: 0, whole }
    }

    fn next(&mut self, at: usize) -> Flag {
        let Some(last) = self.points.get(at).filter(|point| point.value.is_some()) else {
            return Flag::NotEvaluated;
        };
        if let Some(whole) = self.whole {
            return whole;
        }
        let over_ms = self.attenuated.over_ms.unwrap_or(0);
        let young = |point: &Point| last.time.since(point.time) < over_ms;
        while self.points.get(self.from).is_some_and(|point| !young(point)) {
            self.from += 1;
        }
        tested(self.attenuated, self.points.get(self.from..=at).unwrap_or_default())
    }
}

fn tested(attenuated: Attenuated, points: &[Point]) -> Flag {
    let values: Vec<f64> = points.iter().filter_map(|point| point.value).collect();
    attenuated_signal::test(attenuated, &values)
}
