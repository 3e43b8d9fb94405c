//! The verbs in their order, pure: every input goes through [`Pipeline::process`], live or in
//! replay, and everything it causes comes out of it as values. No clock, no file, no socket.

mod above;
pub mod act;
mod alert;
mod average;
mod backlog;
mod beside;
pub mod check;
mod clock;
mod concern;
mod covered;
mod cross;
mod derive;
mod desk;
mod edition;
mod evaluate;
pub mod explain;
mod firing;
pub mod import;
mod indexed;
pub mod indices;
mod instrument;
pub mod late;
mod message;
mod meter;
mod observe;
mod park;
mod presence;
mod qualify;
pub mod recompute;
mod route;
pub mod series;
pub mod snapshot;
pub mod standing;
pub mod state;
pub mod tally;
mod watch;
mod weighed;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::decode::Decoded;
use crate::domain::alert::{AlertChange, AlertEvent, Subject, WeirCondition};
use crate::domain::assessment::Assessment;
use crate::domain::desk::Notice;
use crate::domain::evaluation::Evaluation;
use crate::domain::input::{Arrival, Condition, Input};
use crate::domain::ledger::{Ledger, Outcome};
use crate::domain::name::{NetworkId, RuleId, StationId, TopicId};
use crate::domain::observation::{Coverage, Observation, Period, QualifiedObservation};
use crate::domain::registry::Registry;
use crate::domain::reject::Reject;
use crate::domain::reply::Reply;
use crate::domain::time::{Moment, Timestamp};
use crate::pipeline::above::Line;
use crate::pipeline::covered::Covered;
use crate::pipeline::evaluate::Plan;
use crate::pipeline::route::Routes;
use crate::pipeline::state::State;

/// Everything that one input caused; the buffers are used again.
#[derive(Debug, Default)]
pub struct Processed {
    /// Observations to store, averages among them.
    pub observations: Vec<QualifiedObservation>,
    /// What checks of instruments gave: kept apart, neither judged nor averaged.
    pub controls: Vec<Observation>,
    /// How many values came of those of a day.
    pub coverage: Vec<Coverage>,
    /// Assessments; only those with a change are stored.
    pub assessments: Vec<Assessment>,
    /// What several items together come to; only those with a change are stored.
    pub evaluations: Vec<Evaluation>,
    /// Changes of alerts.
    pub alerts: Vec<AlertEvent>,
    /// What is to be told of them, and of those before.
    pub notices: Vec<Notice>,
    /// For an edition: what of these is told in the names of the one before.
    pub ended: Ended,
    /// Dead letters: the whole message, or single readings of it.
    pub rejects: Vec<Reject>,
    /// What devices are to be told once the input is committed; nothing of it on replay.
    pub replies: Vec<Reply>,
    /// For a message: where it ended.
    pub fate: Option<Fate>,
    /// For what a person said of values: what came of it at once.
    pub judged: Option<act::Judged>,
    /// Whether state changed that replay must reach too; a tick that changed nothing is not kept.
    pub changed: bool,
}

impl Processed {
    fn clear(&mut self) {
        self.observations.clear();
        self.controls.clear();
        self.coverage.clear();
        self.assessments.clear();
        self.evaluations.clear();
        self.alerts.clear();
        self.notices.clear();
        self.ended = Ended::default();
        self.rejects.clear();
        self.replies.clear();
        self.fate = None;
        self.judged = None;
        self.changed = false;
    }
}

/// What an edition ends stands first, in the names of the one before, which the new one may not
/// know; behind it stands what comes of the new one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ended {
    /// So many changes of alerts.
    pub alerts: usize,
    /// So many notices.
    pub notices: usize,
}

/// Where a message ended, and what it adds to the ledger.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fate {
    /// The pattern it came under; `None` if none matches its topic.
    pub topic: Option<TopicId>,
    /// Where it ended.
    pub outcome: Outcome,
    /// What it adds to the ledger of the pattern.
    pub ledger: Ledger,
    /// Its ordinal among the acknowledged messages of its network, from 1; 0 at QoS 0.
    pub ordinal: u64,
}

/// The way of a reading from bytes to alert, with all its state.
#[derive(Debug)]
pub struct Pipeline {
    registry: Arc<Registry>,
    routes: Routes,
    state: State,
    /// When each station's silence is to be judged next, in elapsed milliseconds; derived, and
    /// never later than there is something to say, or a restart would say it earlier.
    silence_due_ms: Vec<i64>,
    /// Gateways and networks that are watched as a whole; derived.
    lines: Arc<[Line]>,
    /// What lies behind those that are silent; derived.
    covered: Covered,
    /// When the next average is to be given out; derived.
    averages_due: Option<Timestamp>,
    /// Averages given out since the last evaluation: station, period, start.
    touched: BTreeSet<(StationId, Period, Timestamp)>,
    /// What of each station takes part in which indices; derived.
    plans: Vec<Plan>,
    decoded: Decoded,
    /// The observations of the message that is read.
    observed: Vec<Observation>,
    /// What checks across datastreams come to with them.
    weighed: Vec<weighed::Weighed>,
    /// What it says of checks of instruments.
    controls: Vec<check::Control>,
    /// Derived values that are to be worked out before the message is done with.
    due: BTreeSet<derive::Due>,
}

impl Pipeline {
    /// Begins with an edition and no history.
    #[must_use]
    pub fn new(registry: Arc<Registry>, at: Moment) -> Self {
        let mut pipeline = Self {
            routes: Routes::new(&registry),
            registry: Arc::clone(&registry),
            state: State::default(),
            silence_due_ms: Vec::new(),
            lines: Arc::default(),
            covered: Covered::default(),
            averages_due: None,
            touched: BTreeSet::new(),
            plans: Vec::new(),
            decoded: Decoded::default(),
            observed: Vec::new(),
            weighed: Vec::new(),
            controls: Vec::new(),
            due: BTreeSet::new(),
        };
        pipeline.adopt(&registry, at, &mut Processed::default());
        pipeline
    }

    /// Gives the edition in force.
    #[must_use]
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// Gives the state, for views and snapshots.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Has alerts numbered after one: numbers of a journal that is gone never come again.
    pub fn number_alerts_after(&mut self, last: u64) {
        self.state.alerts = self.state.alerts.max(last);
        Arc::make_mut(&mut self.state.desk).number_after(last);
    }

    /// Takes one input in and gives everything it caused.
    pub fn process(&mut self, arrival: &Arrival<'_>, out: &mut Processed) {
        out.clear();
        let at = arrival.at;
        match &arrival.input {
            Input::Message(message) => self.take_message(message, at, out),
            Input::Tick => {
                self.tick(at, out);
                self.tell_due(at, out);
            }
            Input::Act(act) => self.act(act, at, out),
            Input::Edition(registry) => {
                let before = Arc::clone(&self.registry);
                self.tell_gathered(at, out);
                self.adopt(registry, at, out);
                self.tell_changes(&before, 0, at, out);
                out.ended = Ended { alerts: out.alerts.len(), notices: out.notices.len() };
                self.hear_calendar(&before, registry, at, out);
                self.tell_changes(registry, out.ended.alerts, at, out);
                out.changed = true;
                return;
            }
            Input::Condition(condition) => self.condition(*condition, at, out),
            Input::Recompute(recomputed) => self.take_recomputed(recomputed, at, out),
            Input::AlertAct(act) => self.act_on_alerts(act, at, out),
        }
        if !out.alerts.is_empty() {
            let registry = Arc::clone(&self.registry);
            self.tell_changes(&registry, 0, at, out);
        }
    }

    fn condition(&mut self, condition: Condition, at: Moment, out: &mut Processed) {
        out.changed = true;
        match condition {
            Condition::Connected(network) => {
                self.state.network(network).connect(at);
                self.silence_due_ms.fill(0);
                let away = (WeirCondition::BrokerAway, Some(network));
                self.weir_condition(away, None, None, at, out);
            }
            Condition::Disconnected(network) => {
                self.silence_due_ms.fill(0);
                let network = self.state.network(network);
                network.connected_since_ms = None;
                network.away_since_ms = Some(at.elapsed_ms);
                self.silence_due_ms.fill(0);
            }
            Condition::Settled { network, ordinal } => {
                self.state.network(network).settle(ordinal);
            }
            Condition::Weir { condition, network, until, holds } => {
                let since = holds.then_some(at.wall);
                self.weir_condition((condition, network), since, until, at, out);
            }
        }
    }

    /// Fires or resolves the alert about a condition of weir itself, which holds since a time or
    /// is over.
    fn weir_condition(
        &mut self,
        (condition, network): (WeirCondition, Option<NetworkId>),
        holds_since: Option<Timestamp>,
        until: Option<Timestamp>,
        at: Moment,
        out: &mut Processed,
    ) {
        let Some(rule) = weir_rule(&self.registry, condition) else { return };
        let firing = self.state.weir.get(&(condition, network)).copied();
        let (alert, since, change) = match (firing, holds_since) {
            (None, Some(since)) => {
                let alert = self.state.fresh_alert();
                self.state.weir.insert((condition, network), (alert, since));
                (alert, since, AlertChange::Fired)
            }
            (Some((alert, since)), None) => {
                self.state.weir.remove(&(condition, network));
                (alert, since, AlertChange::Resolved)
            }
            (None, None) | (Some(_), Some(_)) => return,
        };
        let subject = Subject::Weir { condition, network };
        let event = AlertEvent::plain(alert, rule, subject, change, (at.wall, since));
        out.alerts.push(AlertEvent { until, ..event });
        out.changed = true;
    }
}

fn weir_rule(registry: &Registry, condition: WeirCondition) -> Option<RuleId> {
    let rules = &registry.weir_rules;
    rules.iter().find(|(of, _)| *of == condition).map(|(_, rule)| *rule)
}
