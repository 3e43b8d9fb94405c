//! Means and totals: of the values of an hour, of the hours of a day, of the days of a month. Sums
//! are exact, so that the order of arrival changes no bit of them.

use crate::aggregate::exact::ExactSum;
use crate::aggregate::window::Kept;
use crate::domain::history::Entry;
use crate::domain::observation::{ObservationResult, Side};
use crate::domain::quality::Flag;
use crate::domain::registry::Combine;
use crate::domain::time::{HOUR, Timestamp};

/// Vectors whose sum is shorter than this share of their number have no direction.
const CALM: f64 = 1e-9;

/// What values come to.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Summary {
    /// The mean or total of the valid ones; `None` if there is none or it is no number.
    pub value: Option<f64>,
    /// How many are valid.
    pub valid: u32,
    /// How many it was made of: the valid ones, and suspect ones where these helped out.
    pub made_of: u32,
    /// Whether a valid one is suspect.
    pub suspect: bool,
    /// Of a counter: whether a part is known to be missing for good.
    pub partial: bool,
    /// The least and the greatest of the valid ones.
    pub extremes: Option<(f64, f64)>,
}

/// What a mean is made of: a value, or a shorter mean.
pub trait Member: Copy {
    /// Says whether it is doubted.
    fn is_suspect(&self) -> bool;
}

impl Member for Entry {
    fn is_suspect(&self) -> bool {
        self.flag() == Flag::Suspect
    }
}

impl Member for Kept {
    fn is_suspect(&self) -> bool {
        self.suspect
    }
}

/// Sums up members, without the suspect ones where those that passed are as many as it needs. Where
/// they are not, all help out, and what they come to is suspect; valid are those that passed.
pub fn of_trusted<M: Member>(
    members: &[M],
    needs: u32,
    sum_up: impl Fn(&[M]) -> Summary,
) -> Summary {
    let all = sum_up(members);
    if !all.suspect {
        return all;
    }
    let passed: Vec<M> = members.iter().filter(|one| !one.is_suspect()).copied().collect();
    let trusted = sum_up(&passed);
    if trusted.made_of >= needs.max(1) {
        return trusted;
    }
    Summary { valid: trusted.valid, ..all }
}

/// Gives the number that stands for a value in a mean. Half the detection limit stands for what
/// is below it (环办监测函〔2020〕82号, 7); what is above the span has no number, and failed values
/// don't count.
fn number(result: ObservationResult, flag: Flag) -> Option<f64> {
    if flag == Flag::Fail {
        return None;
    }
    match result {
        ObservationResult::Value(value) => Some(value),
        ObservationResult::Censored { side: Side::Below, limit } => Some(limit / 2.0),
        ObservationResult::Censored { side: Side::Above, .. } | ObservationResult::Nil(_) => None,
    }
}

/// A sum in the making.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    /// Of the values, or of what the property is averaged as.
    first: ExactSum,
    /// Of directions, the other half of the vector.
    second: ExactSum,
    count: u32,
}

impl Sum {
    fn add(&mut self, combine: Combine, value: f64) {
        let terms = match combine {
            Combine::Mean | Combine::Sum | Combine::Counter => {
                (ExactSum::term(value), Some(ExactSum::default()))
            }
            // The concentration of hydrogen ions, in units of 10^-7 mol/L.
            Combine::HydrogenIon => {
                (ExactSum::term(10_f64.powf(7.0 - value)), Some(ExactSum::default()))
            }
            Combine::Vector => {
                let (sine, cosine) = value.to_radians().sin_cos();
                (ExactSum::term(sine), ExactSum::term(cosine))
            }
            Combine::NoMean => (None, None),
        };
        if let (Some(first), Some(second)) = terms {
            self.first.add(first);
            self.second.add(second);
            self.count += 1;
        }
    }

    fn value(self, combine: Combine) -> Option<f64> {
        if self.count == 0 {
            return None;
        }
        let mean = self.first.mean(self.count);
        let value = match combine {
            Combine::Mean => mean,
            Combine::Sum | Combine::Counter => self.first.total(),
            Combine::HydrogenIon => 7.0 - mean.log10(),
            Combine::Vector => {
                let cosine = self.second.mean(self.count);
                if mean.hypot(cosine) < CALM {
                    return None;
                }
                mean.atan2(cosine).to_degrees().rem_euclid(360.0)
            }
            Combine::NoMean => return None,
        };
        // No hydrogen ions at all are no pH.
        value.is_finite().then_some(value)
    }
}

/// Sums up the values of an hour.
#[must_use]
pub fn of_entries(combine: Combine, entries: &[Entry]) -> Summary {
    let (mut sum, mut summary) = (Sum::default(), Summary::default());
    for entry in entries {
        let Some(value) = number(entry.result, entry.flag()) else { continue };
        let before = sum.count;
        sum.add(combine, value);
        if sum.count == before {
            continue;
        }
        summary.suspect |= entry.flag() == Flag::Suspect;
        let (least, greatest) = summary.extremes.unwrap_or((value, value));
        summary.extremes = Some((least.min(value), greatest.max(value)));
    }
    summary.valid = sum.count;
    summary.made_of = sum.count;
    summary.value = sum.value(combine);
    summary
}

/// Counts the values of an hour that are usable, where no mean is made of them.
#[must_use]
pub fn usable(entries: &[Entry]) -> u32 {
    entries.iter().filter(|entry| entry.is_usable()).count() as u32
}

/// Counts those of them that are not suspect.
#[must_use]
pub fn passed(entries: &[Entry]) -> u32 {
    entries.iter().filter(|entry| entry.is_usable() && !entry.is_suspect()).count() as u32
}

/// Sums up shorter windows that came to something, each with the same weight.
#[must_use]
pub fn of_windows(combine: Combine, windows: &[Kept]) -> Summary {
    let (mut sum, mut summary) = (Sum::default(), Summary::default());
    for (kept, value) in windows.iter().filter_map(|kept| Some((kept, kept.value?))) {
        sum.add(combine, value);
        summary.suspect |= kept.suspect;
    }
    summary.valid = sum.count;
    summary.made_of = sum.count;
    summary.value = sum.value(combine);
    summary
}

/// Sums up what a counter counted in shorter windows, of which so many are expected. It lacks
/// nothing, or has no value; but what is lost with an exchange or a reset leaves the rest, which is
/// said to be partial. Only whole windows are valid.
#[must_use]
pub fn of_counter(windows: &[Kept], expected: u32) -> Summary {
    let (mut sum, mut summary) = (Sum::default(), Summary::default());
    let mut told = 0;
    for kept in windows {
        told += u32::from(kept.value.is_some() || kept.partial);
        summary.valid += u32::from(kept.value.is_some() && !kept.partial);
        summary.suspect |= kept.suspect;
        summary.partial |= kept.partial;
        if let Some(value) = kept.value {
            sum.add(Combine::Counter, value);
        }
    }
    summary.made_of = summary.valid;
    summary.partial &= told >= expected;
    summary.value = sum.value(Combine::Counter).filter(|_| told >= expected);
    summary
}

/// Sums up the hours of a sampled datastream, each with the weight of the samples in it.
#[must_use]
pub fn of_samples(combine: Combine, hours: &[Kept]) -> Summary {
    let (mut sum, mut summary) = (Sum::default(), Summary::default());
    for (kept, value) in hours.iter().filter_map(|kept| Some((kept, kept.value?))) {
        // Of an hour of suspect samples none is valid, and it weighs as one.
        for _ in 0..kept.valid.max(1) {
            sum.add(combine, value);
        }
        summary.suspect |= kept.suspect;
    }
    summary.valid = sum.count;
    summary.made_of = sum.count;
    summary.value = sum.value(combine);
    summary
}

/// Gives the mean of a concentration weighted by the flow of the same hours, of an outfall: an
/// hour without one of both does not count, and no water at all has no mean.
#[must_use]
pub fn weighted(concentration: &[Kept], flow: &[Kept]) -> Summary {
    let (mut products, mut weights) = (ExactSum::default(), ExactSum::default());
    let mut summary = Summary::default();
    for (hour, value) in concentration.iter().filter_map(|kept| Some((kept, kept.value?))) {
        let of_hour = flow.iter().find(|kept| kept.start == hour.start);
        let Some((flow, weight)) = of_hour.and_then(|kept| Some((kept, kept.value?))) else {
            continue;
        };
        let terms = (ExactSum::term(value * weight), ExactSum::term(weight));
        if let (Some(product), Some(weight)) = terms {
            products.add(product);
            weights.add(weight);
            summary.valid += 1;
            summary.made_of += 1;
            summary.suspect |= hour.suspect || flow.suspect;
        }
    }
    let value = products.total() / weights.total();
    summary.value = value.is_finite().then_some(value);
    summary
}

/// Gives the running mean of the eight hours that end at a time; valid with at least `needs` of
/// them (GB 3095-2026 table 4: six).
#[must_use]
pub fn eight_hours(combine: Combine, hours: &[Kept], end: Timestamp) -> Summary {
    let first = end.plus(-8 * HOUR);
    let of_window: Vec<Kept> =
        hours.iter().filter(|kept| first <= kept.start && kept.start < end).copied().collect();
    of_windows(combine, &of_window)
}

/// Gives the largest valid mean of eight hours that lie within a natural day, and of how many.
/// The windows end at 08:00 to 24:00.
#[must_use]
pub fn largest_eight_hours(
    combine: Combine,
    hours: &[Kept],
    (start, end): (Timestamp, Timestamp),
    needs: u32,
) -> Summary {
    let mut largest = Summary::default();
    let mut at = start.plus(8 * HOUR);
    while at <= end {
        let window = eight_hours(combine, hours, at);
        if let Some(value) = window.value.filter(|_| window.made_of >= needs) {
            largest.valid += 1;
            largest.made_of += 1;
            largest.suspect |= window.suspect;
            largest.value = Some(largest.value.map_or(value, |held: f64| held.max(value)));
        }
        at = at.plus(HOUR);
    }
    largest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::quality::{Quality, Test};

    fn entries(values: &[f64]) -> Vec<Entry> {
        let entry = |(minute, value): (usize, &f64)| Entry {
            time: Timestamp(minute as i64 * 60_000),
            result: ObservationResult::Value(*value),
            quality: Quality::only(Test::GrossRange, Flag::Pass),
            mark: None,
        };
        values.iter().enumerate().map(entry).collect()
    }

    fn hours(values: &[f64]) -> Vec<Kept> {
        let kept = |(hour, value): (usize, &f64)| Kept {
            start: Timestamp(hour as i64 * HOUR),
            value: Some(*value).filter(|value| value.is_finite()),
            suspect: false,
            partial: false,
            received: 1,
            valid: 1,
        };
        values.iter().enumerate().map(kept).collect()
    }

    #[track_caller]
    fn near(found: Option<f64>, want: f64) {
        let found = found.unwrap();
        assert!((found - want).abs() < 0.005, "{found} for {want}");
    }

    #[test]
    fn ph_is_averaged_by_hydrogen_ions() {
        near(of_entries(Combine::HydrogenIon, &entries(&[6.5, 8.5])).value, 6.80);
        near(of_windows(Combine::HydrogenIon, &hours(&[6.5, 8.5])).value, 6.80);
    }

    #[test]
    fn directions_are_averaged_as_vectors() {
        near(of_entries(Combine::Vector, &entries(&[350.0, 20.0])).value, 5.0);
        near(of_entries(Combine::Vector, &entries(&[355.0, 345.0])).value, 350.0);
        assert_eq!(of_entries(Combine::Vector, &entries(&[0.0, 180.0])).value, None);
    }

    #[test]
    fn half_the_limit_stands_for_a_value_below_it() {
        let below = ObservationResult::Censored { side: Side::Below, limit: 0.02 };
        assert_eq!(number(below, Flag::Pass), Some(0.01));
        let above = ObservationResult::Censored { side: Side::Above, limit: 0.02 };
        assert_eq!(number(above, Flag::Pass), None);
    }

    #[test]
    fn failed_values_do_not_count_and_suspect_ones_are_said() {
        let mut values = entries(&[1.0, 3.0, 100.0]);
        values[2].quality = Quality::only(Test::GrossRange, Flag::Fail);
        values[1].quality = Quality::only(Test::GrossRange, Flag::Suspect);
        let summary = of_entries(Combine::Mean, &values);
        let extremes = Some((1.0, 3.0));
        assert_eq!(
            summary,
            Summary {
                value: Some(2.0),
                valid: 2,
                made_of: 2,
                suspect: true,
                partial: false,
                extremes
            }
        );
    }

    #[test]
    fn suspect_values_help_out_only_where_those_that_passed_are_too_few() {
        let mut values = entries(&[1.0, 3.0, 8.0]);
        values[2].quality = Quality::only(Test::Spike, Flag::Suspect);
        let of = |needs| of_trusted(&values, needs, |some| of_entries(Combine::Mean, some));
        for needs in 0..=2 {
            let trusted = of(needs);
            assert_eq!((trusted.value, trusted.valid, trusted.suspect), (Some(2.0), 2, false));
        }
        let helped = of(3);
        assert_eq!((helped.value, helped.suspect), (Some(4.0), true));
        assert_eq!((helped.valid, helped.made_of), (2, 3), "valid is what passed");
    }

    #[test]
    fn what_failed_helps_nobody_out() {
        let mut values = entries(&[1.0, 3.0, 8.0]);
        values[2].quality = Quality::only(Test::GrossRange, Flag::Fail);
        values[1].quality = Quality::only(Test::Spike, Flag::Suspect);
        let helped = of_trusted(&values, 3, |some| of_entries(Combine::Mean, some));
        assert_eq!((helped.value, helped.made_of), (Some(2.0), 2));
    }

    #[test]
    fn hours_and_days_are_trusted_alike() {
        let mut of_day = hours(&[1.0, 3.0, 8.0]);
        of_day[2].suspect = true;
        let of = |needs| of_trusted(&of_day, needs, |some| of_windows(Combine::Mean, some));
        assert_eq!((of(2).value, of(2).suspect), (Some(2.0), false));
        assert_eq!((of(3).value, of(3).suspect, of(3).valid), (Some(4.0), true, 2));
    }

    #[test]
    fn a_total_is_a_sum() {
        assert_eq!(of_windows(Combine::Sum, &hours(&[1.5, 2.5])).value, Some(4.0));
    }

    #[test]
    fn a_counters_total_lacks_nothing_or_says_what_it_lacks() {
        let mut of_day = hours(&[1.5, 2.5, f64::NAN]);
        assert_eq!(of_counter(&of_day, 3).value, None);
        of_day[2].partial = true;
        let cut = of_counter(&of_day, 3);
        assert_eq!((cut.value, cut.valid, cut.partial), (Some(4.0), 2, true));
        // Of a fourth hour nothing is known, and nobody knows whether it is lost.
        let lacking = of_counter(&of_day, 4);
        assert_eq!((lacking.value, lacking.partial), (None, false));
    }

    #[test]
    fn samples_weigh_alike() {
        let mut of_day = hours(&[1.0, 4.0]);
        of_day[1].valid = 2;
        assert_eq!(of_samples(Combine::Mean, &of_day).value, Some(3.0));
    }

    #[test]
    fn an_outfall_is_averaged_by_its_flow() {
        let summary = weighted(&hours(&[10.0, 40.0, 90.0]), &hours(&[3.0, 1.0]));
        assert_eq!((summary.value, summary.valid), (Some(17.5), 2));
        assert_eq!(weighted(&hours(&[10.0]), &hours(&[0.0])).value, None);
    }

    #[test]
    fn the_largest_eight_hours_lie_within_the_day() {
        let mut values = [10.0; 24];
        values[16..].fill(90.0);
        let span = (Timestamp(0), Timestamp(24 * HOUR));
        let largest = largest_eight_hours(Combine::Mean, &hours(&values), span, 6);
        assert_eq!((largest.value, largest.valid), (Some(90.0), 17));
        values[..11].fill(f64::NAN);
        let largest = largest_eight_hours(Combine::Mean, &hours(&values), span, 6);
        // The first window with six hours of the last thirteen ends at 17:00.
        assert_eq!((largest.value, largest.valid), (Some(90.0), 8));
    }
}
