//! A whole series at once, as an analyst has it: what comes after a value is known, too, and so is
//! how far apart values are.

use jiff::tz::TimeZone;

use crate::domain::quality::{Flag, Quality, Test};
use crate::domain::registry::{Attenuated, FlatLine, Qc};
use crate::domain::time::Timestamp;
use crate::qc::flat_line::Run;
use crate::qc::{self, Around, attenuated_signal, timing_gap};

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
    let mut runs = qc.flat_line.map(|flat| Runs::new(flat, points));
    let mut signals = qc.attenuated_signal.map(|asked| Signals::new(asked, points));
    let each = points.iter().enumerate().map(|(at, point)| {
        let before = at.checked_sub(1).and_then(|before| points.get(before));
        let after = points.get(at + 1);
        let around = Around {
            before: before.and_then(|before| Some((before.time, before.value?))),
            after: after.and_then(|after| after.value),
            last: before.map(|before| before.time),
            companion: point.companion,
            flat_line: runs.as_mut().map_or(Flag::NotEvaluated, |runs| runs.next(at)),
            attenuated_signal: signals
                .as_mut()
                .map_or(Flag::NotEvaluated, |signals| signals.next(at)),
        };
        let mut quality = Quality::default();
        qc::judge(qc, (point.time, zone), point.value, &around, &mut quality);
        if let (Some(gap), None) = (qc.timing_gap, before) {
            // The first of a series has none before it; it is as good as the next.
            let next = after.unwrap_or(point);
            quality.set(Test::TimingGap, timing_gap::test(gap, Some(point.time), next.time));
        }
        quality
    });
    each.collect()
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
        let timed = |point: &Point| (point.time, point.value);
        let Some(value) = rest.first().map(timed) else { return Flag::NotEvaluated };
        self.run = self.run.next(self.flat, value, before.iter().rev().map(timed));
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
