//! Whether somebody is to know of what several items together come to: an index that is bad, a
//! target that is missed, a class that nobody can give. What was over before the values of a
//! backlog came is told once, as past.

use std::sync::Arc;

use crate::alert::exceedance::Outcome;
use crate::alert::lasting::{self, Watched};
use crate::domain::alert::{AlertChange, AlertEvent, AlertId, Subject};
use crate::domain::evaluation::{Evaluated, Evaluation, Target};
use crate::domain::name::StationId;
use crate::domain::registry::{RuleKind, Worse, risen_by_grade};
use crate::domain::time::Moment;
use crate::pipeline::backlog::Backlog;
use crate::pipeline::{Pipeline, Processed};

impl Pipeline {
    /// Changes the alert about an evaluation that is the newest of its period, or a revision of
    /// it, if that is news.
    pub(super) fn alert_evaluation(
        &mut self,
        evaluation: &Evaluation,
        now: Moment,
        out: &mut Processed,
    ) {
        let key = (evaluation.subject, evaluation.index, evaluation.period);
        let Some(rule) = self.registry.evaluated_rules.get(&key).copied() else { return };
        let registry = Arc::clone(&self.registry);
        let Some((RuleKind::Index { worse, pending, keep, .. }, rises)) =
            registry.rule(rule).map(|rule| (rule.kind, &*rule.rises))
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
        let (firing, severity) = (watched.firing(), risen_by_grade(rises, watched.worst()));
        if watched.is_idle() {
            held.remove(&key);
        }
        let Some(change) = change else {
            if let (Some((alert, _)), Outcome::Exceeds) = (firing, outcome)
                && self.waits_untold(alert)
            {
                let backlog = self.kept(evaluation, now);
                self.tell_what_lasts(alert, evaluation.phenomenon_time.start(), backlog, out);
            }
            return;
        };
        self.state.alerts += u64::from(change.change == AlertChange::Fired);
        let subject = Subject::Evaluated {
            of: evaluation.subject,
            index: evaluation.index,
            period: evaluation.period,
        };
        let times = (change.at, change.since);
        let event = AlertEvent {
            value: evaluation.value,
            period: evaluation.period,
            span: Some(evaluation.phenomenon_time),
            unconfirmed: evaluation.unconfirmed,
            grade: evaluation.grade,
            severity,
            deciding: evaluation.deciding.first().map(|one| one.property),
            reason: evaluation.reason,
            well_since: change.well_since,
            ..AlertEvent::plain(change.alert, rule, subject, change.change, times)
        };
        let backlog = self.kept(evaluation, now);
        self.tell_fault(event, backlog, out);
        out.changed = true;
    }

    /// Gives the backlog that an evaluation is of: its time was over before that was delivered. Of
    /// several stations that of one is enough, since nobody could evaluate without it.
    fn kept(&self, evaluation: &Evaluation, now: Moment) -> Option<Backlog> {
        let of = |id: StationId| self.kept_until(id);
        let until = match evaluation.subject {
            Evaluated::Station(id) => of(id),
            Evaluated::Set(id) => {
                let set = self.registry.sets.get(id.index())?;
                set.members.iter().map(|(id, _)| of(*id)).max()?
            }
            Evaluated::Place(id) => {
                let stations = self.registry.stations.iter().map(|station| station.id);
                stations.filter(|station| self.meters(*station, id)).map(of).max()?
            }
        };
        let end = evaluation.phenomenon_time.end();
        (end <= until).then_some(Backlog { now, until })
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
