//! What of the changes of alerts is told, and when: the desk beside the pipeline.

use std::sync::Arc;

use crate::domain::desk::AlertAct;
use crate::domain::registry::Registry;
use crate::domain::time::Moment;
use crate::pipeline::{Pipeline, Processed};

impl Pipeline {
    /// Hands what an input changed of alerts to the desk, from one of the changes on. `registry` is
    /// the edition in which they changed: what an edition ends is told in the names of the one
    /// before.
    pub(super) fn tell_changes(
        &mut self,
        registry: &Registry,
        from: usize,
        at: Moment,
        out: &mut Processed,
    ) {
        let changes = out.alerts.get(from..).unwrap_or_default();
        if !changes.is_empty() {
            let desk = Arc::make_mut(&mut self.state.desk);
            desk.take(registry, changes, at, &mut out.notices);
        }
    }

    /// Tells what became due because time passed.
    pub(super) fn tell_due(&mut self, at: Moment, out: &mut Processed) {
        if self.state.desk.is_due(&self.registry, at) {
            let desk = Arc::make_mut(&mut self.state.desk);
            out.changed |= desk.tick(&self.registry, at, &mut out.notices);
        }
    }

    /// Tells at once what gathers: the next edition may not know the names.
    pub(super) fn tell_gathered(&mut self, at: Moment, out: &mut Processed) {
        let registry = Arc::clone(&self.registry);
        Arc::make_mut(&mut self.state.desk).tell_all(&registry, at, &mut out.notices);
    }

    /// Takes in what a person does with alerts.
    pub(super) fn act_on_alerts(&mut self, act: &AlertAct, at: Moment, out: &mut Processed) {
        let registry = Arc::clone(&self.registry);
        Arc::make_mut(&mut self.state.desk).act(&registry, act, at, &mut out.notices);
        out.changed = true;
    }
}
