//! Means of natural hours, with what they were made of. An hour is given out when it is complete
//! or some minutes after its end; what arrives later revises it.

use std::sync::Arc;

use minicbor::{Decode, Encode};

use crate::aggregate::exact::ExactSum;
use crate::domain::observation::{Completeness, NilReason, ObservationResult, Side};
use crate::domain::packed::{push_unsigned, push_varint, take_unsigned, take_varint};
use crate::domain::quality::Flag;
use crate::domain::registry::{Combine, HourMean};
use crate::domain::time::{HOUR, Timestamp};

/// How long the sums of an hour are kept, so that late values can revise it: 50 h.
pub const KEPT_MS: i64 = 50 * HOUR;

/// The sum of one hour.
#[derive(Clone, Copy, PartialEq, Debug, Encode, Decode)]
struct HourSum {
    #[n(0)]
    start: Timestamp,
    #[n(1)]
    sum: ExactSum,
    #[n(2)]
    received: u32,
    #[n(3)]
    valid: u32,
    #[n(4)]
    suspect: u32,
    /// Whether it was given out already.
    #[n(5)]
    given: bool,
    /// When it is to be given out, next or again; `None` if nothing is to be said.
    #[n(6)]
    due: Option<Timestamp>,
}

/// The hours of one datastream.
#[derive(Clone, PartialEq, Debug, Default, Encode, Decode)]
pub struct Hours {
    /// The newest, which nearly every value is of. It lies with the rest of the datastream.
    #[n(0)]
    newest: Option<HourSum>,
    /// Those before it that are to be given out, in order of time.
    #[n(2)]
    open: Vec<HourSum>,
    /// Those that were given out, in order of time, packed: two days of them for every datastream,
    /// which hardly any value touches again.
    #[cbor(n(1), with = "crate::domain::packed::shared")]
    given: Arc<[u8]>,
}

fn pack(hours: &[HourSum]) -> Arc<[u8]> {
    let (mut bytes, mut last) = (Vec::with_capacity(hours.len() * 24), 0);
    for hour in hours {
        push_varint(&mut bytes, hour.start.millis().wrapping_sub(last));
        last = hour.start.millis();
        bytes.extend_from_slice(&hour.sum.to_bytes());
        for count in [hour.received, hour.valid, hour.suspect] {
            push_unsigned(&mut bytes, u64::from(count));
        }
    }
    bytes.into()
}

fn unpack(bytes: &[u8]) -> Vec<HourSum> {
    let (mut rest, mut last) = (bytes, 0);
    std::iter::from_fn(|| take(&mut rest, &mut last)).collect()
}

fn take(rest: &mut &[u8], last: &mut i64) -> Option<HourSum> {
    *last = last.wrapping_add(take_varint(rest)?);
    let (sum, tail) = rest.split_first_chunk::<16>()?;
    *rest = tail;
    let mut count = || take_unsigned(rest).and_then(|count| u32::try_from(count).ok());
    let (received, valid, suspect) = (count()?, count()?, count()?);
    let (start, sum) = (Timestamp(*last), ExactSum::from_bytes(*sum));
    Some(HourSum { start, sum, received, valid, suspect, given: true, due: None })
}

/// One value on its way into or out of an hour.
#[derive(Clone, Copy, Debug)]
pub struct Term {
    /// The start of its natural hour.
    pub hour: Timestamp,
    /// The value.
    pub result: ObservationResult,
    /// Its rolled-up flag.
    pub flag: Flag,
}

/// An hour given out.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Mean {
    /// The start of the hour.
    pub start: Timestamp,
    /// The mean, or that there were too few values.
    pub result: ObservationResult,
    /// Suspect if one of its values is.
    pub flag: Flag,
    /// What it was made of.
    pub completeness: Completeness,
    /// Whether it takes the place of one given out before.
    pub revision: bool,
    /// Whether no later hour was given out. One of a clock that is ahead is no later hour.
    pub newest: bool,
}

/// What a value adds to a sum: pH is averaged as the concentration of hydrogen ions, here in
/// units of 10^-7 mol/L. Half the detection limit stands for a value below it
/// (环办监测函[2020]82号, 7); one above the span has no number, and failed ones don't count.
fn term(combine: Combine, result: ObservationResult, flag: Flag) -> Option<ExactSum> {
    if flag == Flag::Fail {
        return None;
    }
    let value = match result {
        ObservationResult::Value(value) => value,
        ObservationResult::Censored { side: Side::Below, limit } => limit / 2.0,
        ObservationResult::Censored { side: Side::Above, .. } | ObservationResult::Nil(_) => {
            return None;
        }
    };
    match combine {
        Combine::Mean => ExactSum::term(value),
        Combine::HydrogenIon => ExactSum::term(10_f64.powf(7.0 - value)),
        Combine::NoMean | Combine::Counter => None,
    }
}

impl Hours {
    /// Counts a value into its hour, for another if it revises one. Gives the time at which the
    /// hour is to be given out.
    pub fn count(
        &mut self,
        combine: Combine,
        rule: HourMean,
        settle_ms: i64,
        (new, old): (Term, Option<Term>),
        now: Timestamp,
    ) -> Option<Timestamp> {
        if new.hour.plus(KEPT_MS) < now {
            return None;
        }
        let hour = self.hour(new.hour, now)?;
        if let Some(old) = old {
            hour.received = hour.received.saturating_sub(1);
            if let Some(out) = term(combine, old.result, old.flag) {
                hour.sum.take(out);
                hour.valid = hour.valid.saturating_sub(1);
                hour.suspect = hour.suspect.saturating_sub(u32::from(old.flag == Flag::Suspect));
            }
        }
        hour.received += 1;
        if let Some(into) = term(combine, new.result, new.flag) {
            hour.sum.add(into);
            hour.valid += 1;
            hour.suspect += u32::from(new.flag == Flag::Suspect);
        }
        let settled = hour.start.plus(HOUR + settle_ms);
        // A device that sends more than expected must not revise its hour with every value.
        let complete = hour.received == rule.expected && !hour.given;
        // A mean of an hour that is not over is none, however many values there are of it.
        hour.due = Some(now.max(if complete { hour.start.plus(HOUR) } else { settled }));
        hour.due
    }

    fn hour(&mut self, start: Timestamp, now: Timestamp) -> Option<&mut HourSum> {
        if self.newest.is_some_and(|newest| newest.start == start) {
            return self.newest.as_mut();
        }
        if let Some(at) = self.open.iter().position(|hour| hour.start == start) {
            return self.open.get_mut(at);
        }
        self.open.retain(|hour| hour.start.plus(KEPT_MS) >= now);
        let hour = self.take_given(start, now).unwrap_or(HourSum {
            start,
            sum: ExactSum::default(),
            received: 0,
            valid: 0,
            suspect: 0,
            given: false,
            due: None,
        });
        if self.newest.is_none_or(|newest| newest.start < start) {
            let before = self.newest.replace(hour);
            self.open.extend(before);
            self.settle();
            return self.newest.as_mut();
        }
        let at = self.open.partition_point(|hour| hour.start < start);
        self.open.insert(at, hour);
        self.open.get_mut(at)
    }

    /// Takes an hour back that was given out, and forgets those that are too old to be revised.
    fn take_given(&mut self, start: Timestamp, now: Timestamp) -> Option<HourSum> {
        let mut given = unpack(&self.given);
        given.retain(|hour| hour.start.plus(KEPT_MS) >= now);
        let found = given.iter().position(|hour| hour.start == start);
        let found = found.map(|at| given.remove(at));
        self.given = pack(&given);
        found
    }

    /// Packs what was given out, but for the newest hour.
    fn settle(&mut self) {
        if self.open.iter().all(|hour| hour.due.is_some()) {
            return;
        }
        let mut given = unpack(&self.given);
        given.extend(self.open.extract_if(.., |hour| hour.due.is_none()));
        given.sort_by_key(|hour| hour.start);
        self.given = pack(&given);
    }

    /// Reads the newest hour.
    #[must_use]
    pub fn touch(&self) -> i64 {
        self.newest.map_or(0, |hour| hour.start.millis())
    }

    /// Gives out what is due.
    pub fn give(
        &mut self,
        combine: Combine,
        rule: HourMean,
        now: Timestamp,
        mut out: impl FnMut(Mean),
    ) {
        if self.due().is_none_or(|due| due > now) {
            return;
        }
        let packed = unpack(&self.given);
        let given = packed
            .iter()
            .chain(&self.open)
            .chain(&self.newest)
            .filter(|hour| hour.given && hour.start <= now);
        let last = given.map(|hour| hour.start).max();
        for hour in self.open.iter_mut().chain(&mut self.newest) {
            if hour.due.is_none_or(|due| due > now) {
                continue;
            }
            let result = if hour.valid >= rule.needs && hour.valid > 0 {
                let mean = hour.sum.mean(hour.valid);
                let mean = match combine {
                    Combine::HydrogenIon => 7.0 - mean.log10(),
                    Combine::Mean | Combine::NoMean | Combine::Counter => mean,
                };
                // No hydrogen ions at all are no pH.
                if mean.is_finite() {
                    ObservationResult::Value(mean)
                } else {
                    ObservationResult::Nil(NilReason::Incomplete)
                }
            } else {
                ObservationResult::Nil(NilReason::Incomplete)
            };
            let flag = if hour.suspect > 0 { Flag::Suspect } else { Flag::Pass };
            let (received, valid, expected) = (hour.received, hour.valid, rule.expected);
            let completeness = Completeness { received, valid, expected };
            let (start, revision) = (hour.start, hour.given);
            let newest = last.is_none_or(|last| last <= start);
            out(Mean { start, result, flag, completeness, revision, newest });
            hour.given = true;
            hour.due = None;
        }
        self.settle();
    }

    /// Gives the earliest time at which something is to be given out.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        self.open.iter().chain(&self.newest).filter_map(|hour| hour.due).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: HourMean = HourMean { needs: 3, expected: 4 };

    fn count(hours: &mut Hours, value: f64, old: Option<f64>, now: i64) -> Option<Timestamp> {
        let term = |value| Term {
            hour: Timestamp(0),
            result: ObservationResult::Value(value),
            flag: Flag::Pass,
        };
        hours.count(Combine::Mean, RULE, 600_000, (term(value), old.map(term)), Timestamp(now))
    }

    fn given(hours: &mut Hours, now: i64) -> Vec<Mean> {
        let mut means = Vec::new();
        hours.give(Combine::Mean, RULE, Timestamp(now), |mean| means.push(mean));
        means
    }

    #[test]
    fn an_hour_waits_for_its_end_and_ten_minutes() {
        let mut hours = Hours::default();
        for value in [1.0, 2.0, 3.0] {
            assert_eq!(count(&mut hours, value, None, 5), Some(Timestamp(HOUR + 600_000)));
        }
        assert_eq!(given(&mut hours, HOUR), []);
        let mean = given(&mut hours, HOUR + 600_000);
        assert_eq!(mean.len(), 1);
        assert_eq!(mean[0].result, ObservationResult::Value(2.0));
        assert_eq!(given(&mut hours, 2 * HOUR), []);
    }

    #[test]
    fn a_complete_hour_is_given_at_its_end_and_one_that_is_over_at_once() {
        let mut hours = Hours::default();
        for value in [1.0, 2.0, 3.0] {
            count(&mut hours, value, None, 5);
        }
        assert_eq!(count(&mut hours, 4.0, None, 7), Some(Timestamp(HOUR)));
        assert_eq!(given(&mut hours, HOUR - 1), []);
        assert_eq!(given(&mut hours, HOUR)[0].result, ObservationResult::Value(2.5));
        let mut late = Hours::default();
        for value in [1.0, 2.0, 3.0, 4.0] {
            count(&mut late, value, None, 2 * HOUR);
        }
        assert_eq!(given(&mut late, 2 * HOUR)[0].result, ObservationResult::Value(2.5));
    }

    #[test]
    fn too_few_values_are_no_silent_number() {
        let mut hours = Hours::default();
        count(&mut hours, 1.0, None, 5);
        let mean = given(&mut hours, 2 * HOUR)[0];
        assert_eq!(mean.result, ObservationResult::Nil(NilReason::Incomplete));
        assert_eq!(mean.completeness, Completeness { received: 1, valid: 1, expected: 4 });
    }

    #[test]
    fn a_late_value_revises_and_a_revised_one_replaces() {
        let mut hours = Hours::default();
        for value in [1.0, 2.0, 3.0] {
            count(&mut hours, value, None, 5);
        }
        given(&mut hours, 2 * HOUR);
        count(&mut hours, 5.0, Some(2.0), 3 * HOUR);
        let mean = given(&mut hours, 3 * HOUR)[0];
        assert!(mean.revision && mean.newest);
        assert_eq!(mean.result, ObservationResult::Value(3.0));
    }

    #[test]
    fn an_hour_before_one_that_was_given_is_not_the_newest() {
        let mut hours = Hours::default();
        let rule = HourMean { needs: 1, expected: 1 };
        let mut give = |hour: i64, now: i64| {
            let result = ObservationResult::Value(1.0);
            let term = Term { hour: Timestamp(hour * HOUR), result, flag: Flag::Pass };
            hours.count(Combine::Mean, rule, 0, (term, None), Timestamp(now * HOUR));
            given(&mut hours, now * HOUR).first().map(|mean| mean.newest)
        };
        assert_eq!((give(5, 6), give(4, 6)), (Some(true), Some(false)));
        assert_eq!(give(6, 7), Some(true));
        // From a clock that is ahead, and then from one that is not.
        assert_eq!((give(20, 8), give(8, 9)), (None, Some(true)));
    }

    #[test]
    fn ph_is_averaged_by_hydrogen_ions() {
        let mut hours = Hours::default();
        let rule = HourMean { needs: 2, expected: 2 };
        for ph in [6.5, 8.5] {
            let result = ObservationResult::Value(ph);
            let term = Term { hour: Timestamp(0), result, flag: Flag::Pass };
            hours.count(Combine::HydrogenIon, rule, 0, (term, None), Timestamp(0));
        }
        let mut means = Vec::new();
        hours.give(Combine::HydrogenIon, rule, Timestamp(HOUR), |mean| means.push(mean));
        let mean = means[0].result.number().unwrap();
        assert!((mean - 6.80).abs() < 0.005, "{mean}");
    }

    #[test]
    fn half_the_limit_stands_for_a_value_below_it() {
        let below = ObservationResult::Censored { side: Side::Below, limit: 0.02 };
        assert_eq!(term(Combine::Mean, below, Flag::Pass), ExactSum::term(0.01));
    }

    #[test]
    fn hours_are_kept_so_long_and_an_older_value_changes_none() {
        let mut hours = Hours::default();
        let mut at = |hour: i64, now: i64| {
            let term = Term {
                hour: Timestamp(hour * HOUR),
                result: ObservationResult::Value(1.0),
                flag: Flag::Pass,
            };
            let due =
                hours.count(Combine::Mean, RULE, 600_000, (term, None), Timestamp(now * HOUR));
            (due.is_some(), hours.open.len() + unpack(&hours.given).len() + 1)
        };
        for hour in 0..1_000 {
            let (counted, held) = at(hour, hour);
            assert!(counted && held as i64 <= KEPT_MS / HOUR + 1, "{held}");
        }
        assert!(at(999 - KEPT_MS / HOUR, 999).0);
        assert!(!at(998 - KEPT_MS / HOUR, 999).0);
    }

    #[test]
    fn failed_values_do_not_count() {
        assert_eq!(term(Combine::Mean, ObservationResult::Value(1.0), Flag::Fail), None);
    }
}
