//! Whether somebody is to know of what several items together come to: an index that is bad, a
//! target that is missed, a class that nobody can give.

use crate::alert::exceedance::Outcome;
use crate::alert::lasting::{self, Watched};
use crate::domain::alert::{AlertChange, AlertEvent, AlertId, Subject};
use crate::domain::evaluation::{Evaluation, Target};
use crate::domain::registry::{RuleKind, Worse};
use crate::pipeline::{Pipeline, Processed};

impl Pipeline {
    /// Changes the alert about an evaluation that is the newest of its period, or a revision of
    /// it, if that is news.
    pub(super) fn alert_evaluation(&mut self, evaluation: &Evaluation, out: &mut Processed) {
        let key = (evaluation.subject, evaluation.index, evaluation.period);
        let Some(rule) = self.registry.evaluated_rules.get(&key).copied() else { return };
        let Some(RuleKind::Index { worse, pending, keep, .. }) =
            self.registry.rule(rule).map(|rule| rule.kind)
        else {
            return;
        };
        let outcome = outcome(evaluation, worse);
        let fresh = AlertId(self.state.alerts + 1);
        let held = &mut self.state.indexed;
        if outcome != Outcome::Exceeds && !held.contains_key(&key) {
            return;
        }
        let watched = held.entry(key).or_insert_with(|| Watched::new(rule));
        let grade = evaluation.grade.map_or(0, |grade| grade.number());
        let said = (outcome, grade);
        let change =
            lasting::judge((pending, keep), watched, said, evaluation.phenomenon_time, || fresh);
        if watched.is_idle() {
            held.remove(&key);
        }
        let Some(change) = change else { return };
        self.state.alerts += u64::from(change.change == AlertChange::Fired);
        let subject = Subject::Evaluated {
            of: evaluation.subject,
            index: evaluation.index,
            period: evaluation.period,
        };
        let times = (change.at, change.since);
        out.alerts.push(AlertEvent {
            value: evaluation.value,
            period: evaluation.period,
            span: Some(evaluation.phenomenon_time),
            unconfirmed: evaluation.unconfirmed,
            grade: evaluation.grade,
            deciding: evaluation.deciding.first().map(|one| one.property),
            reason: evaluation.reason,
            ..AlertEvent::plain(change.alert, rule, subject, change.change, times)
        });
        out.changed = true;
    }
}

/// Reads an evaluation by what a rule calls bad. What can't be given is neither bad nor good,
/// unless that is what the rule asks.
fn outcome(evaluation: &Evaluation, worse: Worse) -> Outcome {
    let bad = match worse {
        Worse::NotAssessable => Some(evaluation.reason.is_some()),
        _ if evaluation.reason.is_some() => None,
        Worse::Grade(from) => evaluation.grade.map(|grade| from <= grade.number()),
        Worse::Above(limit) => evaluation.value.map(|value| value > limit),
        Worse::Below(limit) => evaluation.value.map(|value| value < limit),
        Worse::Missed => match evaluation.target {
            Target::None => None,
            Target::Met => Some(false),
            Target::Missed => Some(true),
        },
    };
    match bad {
        Some(true) => Outcome::Exceeds,
        Some(false) => Outcome::Clear,
        None => Outcome::Unknown,
    }
}
