//! What of a datastream is watched beside its limits: whether its value changes fast, and whether
//! it can be assessed at all.

use crate::alert::exceedance::Outcome;
use crate::alert::lasting::{self, Watched};
use crate::domain::alert::{AlertChange, AlertEvent, AlertId, Before, Subject};
use crate::domain::assessment::{Assessment, NotAssessable, Verdict};
use crate::domain::history::Entry;
use crate::domain::name::RuleId;
use crate::domain::observation::{Period, QualifiedObservation};
use crate::domain::registry::{Datastream, Persistence, Registry, RuleKind, Slope};
use crate::domain::time::Timestamp;
use crate::pipeline::backlog::Backlog;
use crate::pipeline::state::StreamState;
use crate::pipeline::{Pipeline, Processed};

/// What a value says by a rule.
struct Said {
    rule: RuleId,
    outcome: Outcome,
    terms: (Persistence, Persistence),
    before: Option<Before>,
    reason: Option<NotAssessable>,
}

impl Pipeline {
    /// Changes the alerts about a value's change and about what can't be assessed, if that is news.
    pub(super) fn watch(
        &mut self,
        registry: &Registry,
        datastream: &Datastream,
        (qualified, assessment): (&QualifiedObservation, &Assessment),
        backlog: Option<Backlog>,
        out: &mut Processed,
    ) {
        let rules = [datastream.rise_rule, datastream.not_assessable_rule];
        for rule in rules.into_iter().flatten() {
            let said = match registry.rule(rule).map(|rule| rule.kind) {
                Some(RuleKind::Rise { slope, over_ms, pending, keep }) => {
                    let (outcome, before) = self.change_of(datastream, qualified, slope, over_ms);
                    let terms = (pending, keep);
                    Said { rule, outcome, terms, before, reason: None }
                }
                // What is made of other values lacks what these lack.
                Some(RuleKind::NotAssessable { of, pending, keep })
                    if of == assessment.period && datastream.formulas.is_empty() =>
                {
                    let (outcome, reason) = assessable(assessment);
                    Said { rule, outcome, terms: (pending, keep), before: None, reason }
                }
                Some(_) | None => continue,
            };
            self.tell_watched(datastream, (qualified, assessment), said, backlog, out);
        }
    }

    fn tell_watched(
        &mut self,
        datastream: &Datastream,
        (qualified, assessment): (&QualifiedObservation, &Assessment),
        said: Said,
        backlog: Option<Backlog>,
        out: &mut Processed,
    ) {
        let fresh = AlertId(self.state.alerts + 1);
        let (rule, span) = (said.rule, qualified.observation.phenomenon_time);
        let Some(stream) = self.stream_mut(datastream) else { return };
        let place = match stream.watched.iter().position(|one| one.rule == rule) {
            Some(place) => place,
            None if said.outcome == Outcome::Exceeds => {
                stream.watched.push(Watched::new(rule));
                stream.watched.len() - 1
            }
            None => return,
        };
        let Some(watched) = stream.watched.get_mut(place) else { return };
        let change = lasting::judge(said.terms, watched, (said.outcome, 0), span, || fresh);
        let firing = watched.firing();
        if watched.is_idle() {
            stream.watched.swap_remove(place);
        }
        let Some(change) = change else {
            if let (Some((alert, _)), Outcome::Exceeds) = (firing, said.outcome) {
                self.tell_what_lasts(alert, span.start(), backlog, out);
            }
            return;
        };
        self.state.alerts += u64::from(change.change == AlertChange::Fired);
        let subject = Subject::Datastream(datastream.id);
        let times = (change.at, change.since);
        let event = AlertEvent {
            value: assessment.value,
            period: assessment.period,
            span: Some(span),
            before: said.before,
            reason: said.reason,
            unconfirmed: assessment.unconfirmed,
            well_since: change.well_since,
            ..AlertEvent::plain(change.alert, rule, subject, change.change, times)
        };
        self.tell_fault(event, backlog, out);
    }

    /// Says how a value stands to the one that stood so long before it, and gives that.
    fn change_of(
        &self,
        datastream: &Datastream,
        qualified: &QualifiedObservation,
        slope: Slope,
        over_ms: i64,
    ) -> (Outcome, Option<Before>) {
        let observation = &qualified.observation;
        let time = observation.phenomenon_time.start();
        let none = (Outcome::Unknown, None);
        let (Period::Native, Some(value), false) =
            (observation.period, observation.result.number(), qualified.quality.is_taken_out())
        else {
            return none;
        };
        let Some(stream) = self.state.stream(datastream) else { return none };
        let Some(entry) = stood_at(stream, datastream, time.plus(-over_ms)) else { return none };
        let Some(before) = entry.result.number() else { return none };
        let fast = match slope {
            Slope::Rises(by) => value - before > by,
            Slope::Falls(by) => before - value > by,
            Slope::Times(times) => before > 0.0 && value > before * times,
        };
        let outcome = if fast { Outcome::Exceeds } else { Outcome::Clear };
        let span = datastream.span_from(entry.time);
        (outcome, Some(Before { result: entry.result, span }))
    }
}

/// Gives the value that stood at a time: the last usable one before it that was not too old.
fn stood_at(stream: &StreamState, datastream: &Datastream, at: Timestamp) -> Option<Entry> {
    let since = at.plus(-datastream.stands_for_ms());
    let held = stream.history.between(since, at.plus(1));
    held.into_iter().rev().find(Entry::is_usable)
}

/// Says whether a value could be assessed; of one that no limit is meant for nobody asks.
fn assessable(assessment: &Assessment) -> (Outcome, Option<NotAssessable>) {
    match assessment.verdict {
        Verdict::Within { .. } | Verdict::Exceeds { .. } => (Outcome::Clear, None),
        Verdict::NotAssessable(reason @ (NotAssessable::NoLimit | NotAssessable::Indicative)) => {
            (Outcome::Unknown, Some(reason))
        }
        Verdict::NotAssessable(reason) => (Outcome::Exceeds, Some(reason)),
    }
}
