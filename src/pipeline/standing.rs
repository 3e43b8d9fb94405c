//! What is on its way to an alert: it lasts, but not for long enough yet. What fires is told; this
//! is not, and whoever tries a rule wants to see it.

use crate::alert::exceedance;
use crate::alert::lasting::Watched;
use crate::domain::alert::Subject;
use crate::domain::name::RuleId;
use crate::domain::registry::{Datastream, Registry, RuleKind};
use crate::domain::time::Timestamp;
use crate::pipeline::state::{State, StreamState};

/// What is pending.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pending {
    /// Whom it is about.
    pub subject: Subject,
    /// The rule that waits.
    pub rule: RuleId,
    /// Since when it lasts.
    pub since: Timestamp,
}

/// Gives all that is pending, in the order of the datastreams.
#[must_use]
pub fn pending(registry: &Registry, state: &State) -> Vec<Pending> {
    let of_stream = |datastream: &Datastream| {
        let Some(stream) = state.stream(datastream) else { return Vec::new() };
        let first = [exceedance(registry, datastream, stream), instrument(datastream, stream)];
        let subject = Subject::Datastream(datastream.id);
        let further = stream.watched.iter().filter_map(|one| further(subject, one));
        first.into_iter().flatten().chain(further).collect()
    };
    let indexed = state.indexed.iter().filter_map(|((of, index, period), one)| {
        let subject = Subject::Evaluated { of: *of, index: *index, period: *period };
        further(subject, one)
    });
    registry.datastreams.iter().flat_map(of_stream).chain(indexed).collect()
}

fn further(subject: Subject, watched: &Watched) -> Option<Pending> {
    watched.pending().map(|since| Pending { subject, rule: watched.rule, since })
}

fn exceedance(
    registry: &Registry,
    datastream: &Datastream,
    stream: &StreamState,
) -> Option<Pending> {
    let rule = registry.rule(datastream.exceedance_rule?)?;
    let RuleKind::Exceedance { of, .. } = rule.kind else { return None };
    let state = (&stream.exceedance, &stream.further);
    if exceedance::firing(state.0, state.1).is_some() {
        return None;
    }
    let since = of.iter().filter_map(|period| exceedance::since(of, period, state)).min()?;
    Some(Pending { subject: Subject::Datastream(datastream.id), rule: rule.id, since })
}

fn instrument(datastream: &Datastream, stream: &StreamState) -> Option<Pending> {
    let watch = stream.instrument.as_deref()?;
    let (subject, rule) = (Subject::Datastream(datastream.id), watch.rule);
    watch.pending().map(|since| Pending { subject, rule, since })
}
