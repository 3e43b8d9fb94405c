//! Why nobody is told of an alert, and in which thread somebody is.

use super::{Desk, Owed};
use crate::domain::alert::{AlertEvent, AlertId, Route, Severity, Subject};
use crate::domain::alerting::{Alerting, GroupBy};
use crate::domain::desk::{Matcher, Thread, place_of, station_of};
use crate::domain::name::RuleId;
use crate::domain::quality::Flag;
use crate::domain::registry::{Registry, RuleKind};
use crate::domain::time::Timestamp;

/// Why nobody is told of an alert.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Held {
    /// Somebody shelved it.
    Shelved,
    /// A silence, by its number.
    Silenced(u64),
    /// The calendar says that somebody works there.
    Calendar,
    /// What it is a part of is silent as a whole.
    Inhibited(Subject),
    /// It comes and goes.
    Flapping,
}

impl Desk {
    /// Says why nobody is told of an alert, if nobody is.
    #[must_use]
    pub fn held(&self, registry: &Registry, alert: AlertId, now: Timestamp) -> Option<Held> {
        let standing = self.standing.get(&alert)?;
        let (rule, subject) = (standing.event.rule, standing.event.subject);
        if standing.shelved_until.is_some_and(|until| now < until) {
            return Some(Held::Shelved);
        }
        let severity = severity(registry, &standing.event);
        let fits = |one: &Matcher| one.fits(registry, &standing.event, severity);
        let silenced = self.silences(now).find(|(_, one)| fits(&one.matcher));
        if let Some((id, _)) = silenced {
            return Some(Held::Silenced(id));
        }
        if is_worked_at(registry, rule, subject, now) {
            return Some(Held::Calendar);
        }
        let is_silence = matches!(kind(registry, rule), Some(RuleKind::Silence { .. }));
        if is_silence
            && let Some(above) =
                registry.above(subject, now).into_iter().find(|one| self.silent.contains(one))
        {
            return Some(Held::Inhibited(above));
        }
        let flaps = self.flaps.get(&(rule, subject)).is_some_and(|flap| flap.count > 0);
        (flaps && standing.owed != Owed::Nothing).then_some(Held::Flapping)
    }
}

pub(super) fn kind(registry: &Registry, rule: RuleId) -> Option<RuleKind> {
    registry.rule(rule).map(|rule| rule.kind)
}

/// Gives how urgent an alert is.
#[must_use]
pub fn severity(registry: &Registry, event: &AlertEvent) -> Severity {
    let usual = registry.rule(event.rule).map_or(Severity::Warning, |rule| rule.severity);
    event.severity.unwrap_or(usual)
}

/// Says whether the calendar says that somebody works where an alert of the instrument is about:
/// then the technician knows.
fn is_worked_at(registry: &Registry, rule: RuleId, subject: Subject, now: Timestamp) -> bool {
    if registry.rule(rule).is_none_or(|rule| rule.route != Route::Instrument) {
        return false;
    }
    let says = |id| {
        let datastream = registry.datastream(id)?;
        let entry = datastream.calendar.at(now);
        entry.filter(|entry| matches!(entry.flag, Flag::Fail | Flag::Suspect))
    };
    match subject {
        Subject::Datastream(id) => says(id).is_some(),
        Subject::Station(id) => {
            let station = registry.station(id);
            let mut ids = station.into_iter().flat_map(|station| &station.datastreams);
            ids.clone().next().is_some() && ids.all(|id| says(*id).is_some())
        }
        Subject::Evaluated { .. }
        | Subject::Weir { .. }
        | Subject::Device(_)
        | Subject::Network(_) => false,
    }
}

/// Gives the thread in which an alert is told. What follows a wave goes where the wave began.
pub(super) fn thread(registry: &Registry, terms: Alerting, event: &AlertEvent) -> Thread {
    let route = registry.rule(event.rule).map(|rule| rule.route);
    let Some(route) = route else { return Thread::Alert(event.alert) };
    if terms.gather_ms == 0 {
        return Thread::Alert(event.alert);
    }
    let subject = event.upstream.map_or(event.subject, |wave| Subject::Station(wave.station));
    let thread = match terms.group_by {
        GroupBy::Alert => Some(Thread::Alert(event.alert)),
        GroupBy::Place => place_of(registry, subject).map(|id| Thread::Place(id, route)),
        GroupBy::Station => station_of(registry, subject).map(|id| Thread::Station(id, route)),
        GroupBy::Route => None,
    };
    thread.unwrap_or(Thread::Route(route))
}
