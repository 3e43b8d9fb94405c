//! Whether somebody is to know of a verdict: the one alert about an item, and what is said of the
//! value that changed it.

use crate::aggregate::window::Windows;
use crate::alert::exceedance::{self, Change, Heard, Outcome, Terms};
use crate::assess::{Last, limit};
use crate::domain::alert::{AlertChange, AlertEvent, AlertId, Before, Subject};
use crate::domain::assessment::{Assessment, Bound, Verdict};
use crate::domain::cause::TestFlags;
use crate::domain::history::Entry;
use crate::domain::name::RuleId;
use crate::domain::observation::{
    Observation, ObservationResult, Period, Periods, QualifiedObservation,
};
use crate::domain::quality::{Flag, Quality, Test};
use crate::domain::registry::{Datastream, Registry, RuleKind, Sampling, Statistic};
use crate::domain::time::{PhenomenonTime, Timestamp};
use crate::pipeline::backlog::Backlog;
use crate::pipeline::evaluate::windows;
use crate::pipeline::qualify::told_again;
use crate::pipeline::state::StreamState;
use crate::pipeline::{Pipeline, Processed};

impl Pipeline {
    /// Changes the alert about an item by a verdict on one of its values, if that is news.
    pub(super) fn alert(
        &mut self,
        registry: &Registry,
        datastream: &Datastream,
        (qualified, assessment): (&QualifiedObservation, &Assessment),
        backlog: Option<Backlog>,
        out: &mut Processed,
    ) {
        let rule = datastream.exceedance_rule.and_then(|rule| registry.rule(rule));
        let Some((rule, RuleKind::Exceedance { of, pending, keep, hysteresis })) =
            rule.map(|rule| (rule, rule.kind))
        else {
            return;
        };
        let Some(period) = reason(of, datastream, assessment.period) else { return };
        let (warning_share, rises) = (rule.warning_share, &*rule.rises);
        let terms = Terms { pending, keep, hysteresis, warning_share, rises };
        let outcome = exceedance::outcome(registry, assessment, terms);
        let outcome = self.or_gone(registry, datastream, (qualified, outcome), (of, terms));
        let heard = heard((registry, datastream), of, period, (assessment, outcome));
        let span = heard.span;
        let fresh = AlertId(self.state.alerts + 1);
        let Some(stream) = self.stream_mut(datastream) else { return };
        let state = (&mut stream.exceedance, &mut stream.further);
        let change = exceedance::judge(terms, state, heard, || fresh);
        stream.exceedance_rule = Some(rule.id);
        let Some(change) = change else {
            if matches!(outcome, Outcome::Exceeds | Outcome::Near) {
                self.tell_what_holds(datastream.id, span.start(), backlog, out);
            }
            return;
        };
        let mut event = event(rule.id, change, period, assessment);
        event.before = self.before(registry, datastream, assessment);
        let suspect = TestFlags::ALL.most(&qualified.quality);
        // What is taken back is so because of what was found of the value.
        let gone = outcome == Outcome::Gone;
        let suspect = suspect.filter(|_| assessment.unconfirmed || gone);
        event.unconfirmed &= !gone;
        event.revised = qualified.revision;
        let cause = |found| self.cause(registry, datastream, qualified, found, None);
        event.cause = suspect.map(cause);
        event.side = match qualified.observation.result {
            ObservationResult::Censored { side, .. } => Some(side),
            ObservationResult::Value(_) | ObservationResult::Nil(_) => None,
        };
        let (station, property) = (datastream.station, datastream.property);
        match (change.change, outcome) {
            (AlertChange::Fired | AlertChange::Changed, Outcome::Exceeds) => {
                let basin = &mut self.state.basin;
                if basin.began(station, property, change.since) {
                    event.upstream = basin.upstream(registry, station, property, change.since);
                }
            }
            (AlertChange::Resolved, _) => {
                let over = change.well_since.unwrap_or(change.at);
                self.state.basin.ended(station, property, over);
            }
            // What is near a limit is no wave.
            (_, _) => {}
        }
        self.state.alerts += u64::from(change.change == AlertChange::Fired);
        self.tell(datastream.id, event, backlog, out);
    }

    /// Gives what is to be made of no verdict on a value that counted before: whether any other is
    /// left for which the alert's reason stands.
    fn or_gone(
        &self,
        registry: &Registry,
        datastream: &Datastream,
        (qualified, outcome): (&QualifiedObservation, Outcome),
        (of, terms): (Periods, Terms<'_>),
    ) -> Outcome {
        let period = qualified.observation.period;
        // What a device sends anew is another value, and what nobody took back may still hold.
        let again = qualified.flag_only || period != Period::Native && qualified.revision;
        let stands = matches!(outcome, Outcome::Exceeds | Outcome::Near);
        let unknown = outcome == Outcome::Unknown;
        if !again || stands || !(unknown || qualified.flag_only) {
            return outcome;
        }
        let Some(stream) = self.state.stream(datastream) else { return outcome };
        let Some(reason) = reason(of, datastream, period) else { return outcome };
        let state = (&stream.exceedance, &stream.further);
        let Some(since) = exceedance::since(of, reason, state) else { return outcome };
        let is_bad = |one: QualifiedObservation| {
            let assessment = self.assess(registry, datastream, &one, &mut Last::default());
            let outcome = exceedance::outcome(registry, &assessment, terms);
            matches!(outcome, Outcome::Exceeds | Outcome::Near)
        };
        let as_bad = match period {
            // They are not kept.
            Period::EightHours | Period::DayMaxEightHours => {
                since < qualified.observation.phenomenon_time.start()
            }
            Period::Native
            | Period::Hour
            | Period::Day
            | Period::Month
            | Period::Quarter
            | Period::Year => Self::left(stream, datastream, period, since).any(is_bad),
        };
        match (as_bad, unknown) {
            (false, _) => Outcome::Gone,
            (true, true) => Outcome::Void,
            (true, false) => outcome,
        }
    }

    /// Walks the values of a period since a time that count, the newest first.
    fn left<'a>(
        stream: &'a StreamState,
        datastream: &'a Datastream,
        period: Period,
        since: Timestamp,
    ) -> Box<dyn Iterator<Item = QualifiedObservation> + 'a> {
        if period == Period::Native {
            let held = stream.history.since(since).into_iter().rev().filter(Entry::is_usable);
            return Box::new(held.map(|entry| told_again(datastream, entry)));
        }
        let kept = windows(stream, period).into_iter().flat_map(Windows::kept);
        let valued = kept.filter(move |kept| since <= kept.start);
        Box::new(valued.filter_map(move |kept| {
            let (start, result) = (kept.start, ObservationResult::Value(kept.value?));
            let observation = Observation {
                datastream: datastream.id,
                period,
                phenomenon_time: PhenomenonTime::Instant(start),
                result,
                raw: None,
                clock: Flag::NotEvaluated,
                mark: None,
            };
            let flag = if kept.suspect { Flag::Suspect } else { Flag::Pass };
            Some(QualifiedObservation {
                observation,
                quality: Quality::only(Test::Members, flag),
                revision: true,
                completeness: None,
                flag_only: false,
            })
        }))
    }

    /// Gives the value before one of the same period: the sample, the hour, the day before.
    fn before(
        &self,
        registry: &Registry,
        datastream: &Datastream,
        assessment: &Assessment,
    ) -> Option<Before> {
        let stream = self.state.stream(datastream)?;
        let at = assessment.phenomenon_time.start();
        if assessment.period == Period::Native {
            return before_value(Some(stream), datastream, assessment.phenomenon_time);
        }
        let (start, value) = average_before(stream, assessment.period, at)?;
        let zone = &registry.station(datastream.station)?.zone;
        let (start, end) = assessment.period.around(start, zone)?;
        let span = PhenomenonTime::Interval { start, end };
        Some(Before { result: ObservationResult::Value(value), span })
    }
}

/// Gives the last usable one of a datastream's own values before a time.
pub(super) fn before_value(
    stream: Option<&StreamState>,
    datastream: &Datastream,
    time: PhenomenonTime,
) -> Option<Before> {
    let held = stream?.history.between(Timestamp(i64::MIN), time.start());
    let entry = held.into_iter().rev().find(Entry::is_usable)?;
    let span = datastream.span_from(entry.time);
    Some(Before { result: entry.result, span })
}

/// Gives the period of a rule that a value speaks for. A mean of an hour that a device states is
/// one of the hour, and where the rule looks at no hours one of the device's own values.
fn reason(of: Periods, datastream: &Datastream, period: Period) -> Option<Period> {
    let stated = limit::period(datastream, period);
    [stated, period].into_iter().find(|period| of.holds(*period))
}

/// Gives the last valid average before a time and its start. What runs over eight hours is not
/// kept, and the windows of days hold their means.
fn average_before(stream: &StreamState, period: Period, at: Timestamp) -> Option<(Timestamp, f64)> {
    let made = Some(period).filter(|period| *period != Period::DayMaxEightHours)?;
    let held = windows(stream, made)?.kept().filter(|kept| kept.start < at);
    held.filter_map(|kept| Some((kept.start, kept.value?))).last()
}

/// Says of a value what its alert asks.
fn heard(
    (registry, datastream): (&Registry, &Datastream),
    of: Periods,
    period: Period,
    (assessment, outcome): (&Assessment, Outcome),
) -> Heard {
    let sampled = match (datastream.sampling, datastream.statistic) {
        (Sampling::Sampled { .. }, _) | (_, Statistic::Sample) => true,
        (Sampling::Continuous, _) => false,
    };
    let (limit, multiple) = match assessment.verdict {
        Verdict::Exceeds { limit, multiple } => (registry.limit(limit), multiple),
        Verdict::Within { .. } | Verdict::NotAssessable(_) => (None, None),
    };
    // A span such as that of pH is the same in every class: the class says nothing of how far.
    let graded = !matches!(limit.map(|limit| limit.bound), Some(Bound::Range { .. }));
    Heard {
        of,
        period,
        span: assessment.phenomenon_time,
        outcome,
        class: assessment.class.filter(|_| graded),
        multiple,
        suspect: assessment.unconfirmed,
        sampled: sampled && assessment.period == Period::Native,
    }
}

fn event(rule: RuleId, told: Change, period: Period, assessment: &Assessment) -> AlertEvent {
    let Change { alert, change, at, since, well_since, reasons, .. } = told;
    let Change { severity, unconfirmed, confirmed, .. } = told;
    let subject = Subject::Datastream(assessment.datastream);
    let (limit, multiple, within) = match assessment.verdict {
        Verdict::Within { limit } => (Some(limit), None, true),
        Verdict::Exceeds { limit, multiple } => (Some(limit), multiple, false),
        Verdict::NotAssessable(_) => (None, None, false),
    };
    let warns = within && change != AlertChange::Resolved;
    AlertEvent {
        value: assessment.value,
        limit,
        multiple,
        unconfirmed,
        severity,
        confirmed,
        period,
        class: assessment.class,
        span: Some(assessment.phenomenon_time),
        reasons,
        share: assessment.share.filter(|_| warns),
        well_since,
        ..AlertEvent::plain(alert, rule, subject, change, (at, since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::name::{DatastreamId, PropertyId, StationId};
    use crate::domain::time::HOUR;

    #[test]
    fn a_stated_hour_is_of_the_hour_or_where_no_hour_is_asked_for_a_value() {
        let plain = Datastream::plain(DatastreamId(0), "a/b", StationId(0), ("", PropertyId(0)));
        let hourly =
            Datastream { statistic: Statistic::Mean, period_ms: Some(HOUR), ..plain.clone() };
        let of = |periods: &[Period]| periods.iter().copied().collect::<Periods>();
        let (raw, hour) = (Period::Native, Period::Hour);
        assert_eq!(reason(of(&[hour]), &hourly, raw), Some(hour));
        assert_eq!(reason(of(&[raw, hour]), &hourly, raw), Some(hour));
        assert_eq!(reason(of(&[raw]), &hourly, raw), Some(raw));
        assert_eq!(reason(of(&[hour]), &plain, raw), None);
    }
}
