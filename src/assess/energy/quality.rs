//! Supply quality: the share of ten-minute values within the limits. One reading decides nothing.

use crate::assess::energy::{DECIMALS, Over, blank, deciding, hold, target_of};
use crate::domain::assessment::{Bound, NotAssessable};
use crate::domain::evaluation::{Evaluated, Evaluation, Index, Target};
use crate::domain::history::Entry;
use crate::domain::name::PropertyId;
use crate::domain::observation::ObservationResult;
use crate::domain::quality::Flag;
use crate::domain::registry::{Registry, StationGrade, TargetKind};
use crate::domain::rounding::half_even;
use crate::domain::time::{MINUTE, Timestamp};

/// The interval of a value of supply quality.
const TEN_MINUTES: i64 = 10 * MINUTE;
/// Which share of the values expected makes a ten-minute value, and a period's share, valid: the
/// house rule of hour means.
const NEEDED_SHARE: f64 = 0.75;
/// Values are summed up in these parts of their unit, exactly.
const PARTS: f64 = 1e6;
/// The greatest value that is summed up.
const VALUE_MAX: f64 = 1e9;

/// How many ten-minute values were within the limits. Counts of adjoining spans add up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Supply {
    /// Values within the limits.
    pub within: u32,
    /// Valid values.
    pub valid: u32,
    /// Values expected.
    pub expected: u32,
    /// Whether a suspect reading takes part.
    pub suspect: bool,
}

impl Supply {
    /// Gives the share within the limits, %.
    #[must_use]
    pub fn percent(self) -> Option<f64> {
        let share = 100.0 * f64::from(self.within) / f64::from(self.valid);
        (self.valid > 0).then(|| half_even(share, DECIMALS))
    }

    /// Adds the counts of another span.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            within: self.within.saturating_add(other.within),
            valid: self.valid.saturating_add(other.valid),
            expected: self.expected.saturating_add(other.expected),
            suspect: self.suspect || other.suspect,
        }
    }

    fn of(values: &[Option<f64>], bound: Bound, suspect: bool) -> Self {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let valid = values.iter().flatten();
        Self {
            within: count(valid.clone().filter(|value| is_within(**value, bound)).count()),
            valid: count(valid.count()),
            expected: count(values.len()),
            suspect,
        }
    }
}

fn is_within(value: f64, bound: Bound) -> bool {
    let value = half_even(value, DECIMALS);
    match bound {
        Bound::Max(high) => value <= high,
        Bound::Min(low) => low <= value,
        Bound::Range { low, high } => (low..=high).contains(&value),
    }
}

/// Makes the ten-minute means of a span, the first of its first ten minutes. `every_ms` is how
/// often a reading should come; one whose interval has too few is nothing. Failed and absent
/// readings are skipped, and whether a suspect one took part is said.
///
/// A meter that speaks less often than every ten minutes has one value an interval of its own.
#[must_use]
pub fn ten_minutes(
    entries: impl Iterator<Item = Entry>,
    span: (Timestamp, Timestamp),
    every_ms: i64,
) -> (Vec<Option<f64>>, bool) {
    let width = TEN_MINUTES.max(every_ms);
    let places = usize::try_from(span.1.since(span.0) / width).unwrap_or(0).min(PLACES_MAX);
    let mut sums = vec![(0_i128, 0_u32); places];
    let mut suspect = false;
    for entry in entries.filter(|entry| span.0 <= entry.time && entry.time < span.1) {
        let ObservationResult::Value(value) = entry.result else { continue };
        let usable = match entry.flag() {
            Flag::Pass | Flag::NotEvaluated | Flag::Suspect => value.abs() <= VALUE_MAX,
            Flag::Fail | Flag::Missing => false,
        };
        let place = usize::try_from(entry.time.since(span.0) / width).ok();
        if let Some((sum, count)) = place.filter(|_| usable).and_then(|at| sums.get_mut(at)) {
            *sum += (value * PARTS).round() as i128;
            *count += 1;
            suspect |= entry.flag() == Flag::Suspect;
        }
    }
    let expected = width / every_ms.max(1);
    let mean = |(sum, count): (i128, u32)| {
        let enough = f64::from(count) >= (expected as f64 * NEEDED_SHARE).max(1.0);
        enough.then(|| sum as f64 / PARTS / f64::from(count))
    };
    (sums.into_iter().map(mean).collect(), suspect)
}

/// The most values of one span: two months of them.
const PLACES_MAX: usize = 2 * 31 * 144;

/// Counts the ten-minute values of a span that are within a limit: of voltage or frequency.
#[must_use]
pub fn supply(
    entries: impl Iterator<Item = Entry>,
    span: (Timestamp, Timestamp),
    every_ms: i64,
    bound: Bound,
) -> Supply {
    let (values, suspect) = ten_minutes(entries, span, every_ms);
    Supply::of(&values, bound, suspect)
}

/// How an unbalance was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UnbalanceMethod {
    /// The largest deviation of a phase from the mean of the three: an estimate.
    Phases,
    /// The negative-sequence ratio of three line-to-line voltages.
    Lines,
}

impl UnbalanceMethod {
    /// Gives the label that goes with every number of it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Phases => "estimate of three magnitudes without angles: max|U - mean| / mean",
            Self::Lines => "negative sequence of line-to-line voltages, GB/T 15543-2008 annex [M]",
        }
    }
}

/// An unbalance and how it was found.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Unbalance {
    /// The unbalance, %.
    pub percent: f64,
    /// How it was found.
    pub method: UnbalanceMethod,
}

/// Estimates the unbalance of three phase voltages. It over- or understates the negative-sequence
/// ratio, because a meter tells no angles.
#[must_use]
pub fn unbalance_of_phases(volts: [f64; 3]) -> Option<Unbalance> {
    let mean = volts.iter().sum::<f64>() / 3.0;
    let far = volts.iter().map(|one| (one - mean).abs()).fold(0.0, f64::max);
    let sound = mean > 0.0 && volts.iter().all(|one| one.is_finite() && *one >= 0.0);
    sound.then(|| Unbalance { percent: 100.0 * far / mean, method: UnbalanceMethod::Phases })
}

/// Gives the unbalance of three line-to-line voltages. Nothing for what is no triangle.
#[must_use]
pub fn unbalance_of_lines(volts: [f64; 3]) -> Option<Unbalance> {
    let power = |exponent: i32| volts.iter().map(|one| one.powi(exponent)).sum::<f64>();
    let b = power(4) / power(2).powi(2);
    let triangle = volts.iter().all(|one| one.is_finite() && *one > 0.0)
        && volts.iter().all(|one| 2.0 * one <= volts.iter().sum::<f64>());
    // Equal voltages make b a third, but for the noise of binary arithmetic.
    let root = (3.0 - 6.0 * b).max(0.0).sqrt().min(1.0);
    let percent = 100.0 * ((1.0 - root) / (1.0 + root)).sqrt();
    (triangle && b.is_finite()).then_some(Unbalance { percent, method: UnbalanceMethod::Lines })
}

/// Counts the ten-minute values of a span whose estimated unbalance is at most `most` percent, of
/// the readings of three phases.
#[must_use]
pub fn unbalance(
    phases: [&[Entry]; 3],
    span: (Timestamp, Timestamp),
    every_ms: i64,
    most: f64,
) -> Supply {
    let [one, two, three] =
        phases.map(|entries| ten_minutes(entries.iter().copied(), span, every_ms));
    let each = one.0.into_iter().zip(two.0).zip(three.0);
    let values: Vec<Option<f64>> = each
        .map(|((one, two), three)| Some(unbalance_of_phases([one?, two?, three?])?.percent))
        .collect();
    Supply::of(&values, Bound::Max(most), one.1 || two.1 || three.1)
}

/// One thing that supply is known by: the voltage of a phase, the frequency.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Supplied<'r> {
    /// The property.
    pub property: PropertyId,
    /// Where it is measured, such as `L1`; empty where the property is measured once.
    pub position: &'r str,
    /// How many of its ten-minute values were within its limit.
    pub counted: Supply,
    /// The instrument of the limit.
    pub instrument: &'r str,
}

impl Supplied<'_> {
    /// Gives the share within the limit, %, if enough values are valid.
    fn percent(&self) -> Option<f64> {
        let needed = f64::from(self.counted.expected) * NEEDED_SHARE;
        self.counted.percent().filter(|_| f64::from(self.counted.valid) >= needed)
    }
}

/// Holds the shares of ten-minute values within their limits against the share that is asked for.
/// The least share counts; without enough values of one there is no verdict, unless another misses
/// what is asked for.
#[must_use]
pub fn supply_quality(
    registry: &Registry,
    subject: Evaluated,
    over: Over,
    supplied: &[Supplied<'_>],
) -> Evaluation {
    let mut evaluation = blank(subject, Index::SupplyQuality, over);
    let target = target_of(registry, over, TargetKind::SupplyQuality, "");
    let mut shares: Vec<(f64, &Supplied<'_>)> =
        supplied.iter().filter_map(|one| Some((one.percent()?, one))).collect();
    // In the order of the seeds where equal, so that nothing depends on anything else.
    shares.sort_by(|(one, _), (two, _)| one.total_cmp(two));
    evaluation.clause = clause(&shares, supplied).into();
    evaluation.unconfirmed = supplied.iter().any(|one| one.counted.suspect);
    let count = |number: usize| u8::try_from(number).unwrap_or(u8::MAX);
    (evaluation.items, evaluation.items_of) = (count(shares.len()), count(supplied.len()));
    for one in supplied.iter().filter(|one| one.percent().is_none()) {
        if !evaluation.missing.contains(&one.property) {
            evaluation.missing.push(one.property);
        }
    }
    let lacking = supplied.iter().any(|one| one.counted.valid > 0 && one.percent().is_none());
    let absent = if lacking { NotAssessable::Incomplete } else { NotAssessable::Missing };
    let Some((least, worst)) = shares.first() else {
        evaluation.reason = Some(absent);
        return evaluation;
    };
    evaluation.value = Some(*least);
    evaluation.deciding.push(deciding(worst.property, *least));
    if target.is_none() {
        evaluation.reason = Some(NotAssessable::NoLimit);
        return evaluation;
    }
    hold(&mut evaluation, *least, target);
    if evaluation.target == Target::Met && !evaluation.missing.is_empty() {
        (evaluation.target, evaluation.reason) = (Target::None, Some(absent));
    }
    evaluation.legal = is_of_the_standard_method(registry, subject);
    evaluation
}

/// Names the instruments, and the shares of what is not wholly within, the least first.
fn clause(shares: &[(f64, &Supplied<'_>)], supplied: &[Supplied<'_>]) -> String {
    let mut parts: Vec<String> = Vec::new();
    for one in supplied {
        if parts.iter().all(|part| part != one.instrument) {
            parts.push(one.instrument.to_owned());
        }
    }
    for (percent, one) in shares.iter().filter(|(percent, _)| *percent < 100.0) {
        let place = if one.position.is_empty() { one.instrument } else { one.position };
        parts.push(format!("{place} {} %", half_even(*percent, 2)));
    }
    parts.join("; ")
}

/// Holds the share of ten-minute values whose unbalance is at most what is asked for against the
/// share that is. Of three magnitudes without angles it is an estimate, and has no legal weight.
#[must_use]
pub fn voltage_unbalance(
    registry: &Registry,
    subject: Evaluated,
    over: Over,
    phases: [&[Entry]; 3],
    (property, every_ms): (PropertyId, i64),
) -> Evaluation {
    let mut evaluation = blank(subject, Index::VoltageUnbalance, over);
    evaluation.items_of = 1;
    let most = target_of(registry, over, TargetKind::VoltageUnbalance, "");
    let Some(most) = most else {
        evaluation.reason = Some(NotAssessable::NoLimit);
        return evaluation;
    };
    let counted = unbalance(phases, (over.start, over.end), every_ms, most.value);
    let one = Supplied { property, position: "", counted, instrument: "" };
    evaluation.clause = format!("{}; {}", UnbalanceMethod::Phases.label(), most.name()).into();
    evaluation.unconfirmed = counted.suspect;
    let Some(percent) = one.percent() else {
        let none = counted.valid == 0;
        let reason = if none { NotAssessable::Missing } else { NotAssessable::Incomplete };
        (evaluation.reason, evaluation.missing) = (Some(reason), vec![property]);
        return evaluation;
    };
    (evaluation.items, evaluation.value) = (1, Some(percent));
    match target_of(registry, over, TargetKind::SupplyQuality, "") {
        Some(share) => hold(&mut evaluation, percent, Some(share)),
        None => evaluation.reason = Some(NotAssessable::NoLimit),
    }
    evaluation
}

/// Says whether verdicts on a subject have legal weight: not those on an indicative station.
pub(super) fn is_of_the_standard_method(registry: &Registry, subject: Evaluated) -> bool {
    match subject {
        Evaluated::Station(id) => {
            registry.station(id).is_some_and(|one| one.grade == StationGrade::Reference)
        }
        Evaluated::Set(_) | Evaluated::Place(_) => true,
    }
}
