//! What is found in the backlog of a broker that was away for long, or of a device that kept what
//! it could not send: what began and ended there is told once, as past, since nobody can act on its
//! beginning any more. What still holds is told as soon as that is known.

use minicbor::{Decode, Encode};

use std::collections::BTreeMap;

use crate::domain::alert::{AlertChange, AlertEvent, AlertId};
use crate::domain::name::{DatastreamId, StationId};
use crate::domain::time::{MINUTE, Moment, Timestamp};
use crate::pipeline::{Pipeline, Processed};

/// For how long nothing of a broker must have come for what comes next to be a backlog.
pub(super) const AWAY_MS: i64 = 10 * MINUTE;
/// How long the beginning of an alert waits for its end in the backlog.
const WAIT_MS: i64 = MINUTE;

/// An alert that fired in a backlog and was not told.
#[derive(Clone, Copy, PartialEq, Debug, Encode, Decode)]
pub struct Untold {
    #[n(0)]
    fired: AlertEvent,
    /// When it is told, over or not, in elapsed milliseconds.
    #[n(1)]
    tell_by_ms: i64,
    /// How it stood last, if it changed since.
    #[n(2)]
    changed: Option<AlertEvent>,
}

impl Untold {
    /// Gives the alert.
    pub(super) fn alert(&self) -> AlertId {
        self.fired.alert
    }

    /// Gives its beginning and how it stands.
    fn told(self) -> impl Iterator<Item = AlertEvent> {
        std::iter::once(self.fired).chain(self.changed)
    }
}

/// A message that may be of a backlog.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backlog {
    /// When it came.
    pub(super) now: Moment,
    /// When the broker was back: what is older was kept by it.
    pub(super) until: Timestamp,
}

impl Pipeline {
    /// Tells a change of an alert, or keeps it until it is known whether it is past.
    pub(super) fn tell(
        &mut self,
        of: DatastreamId,
        event: AlertEvent,
        backlog: Option<Backlog>,
        out: &mut Processed,
    ) {
        tell(&mut self.state.untold, of, event, backlog, out);
    }

    /// Tells a change of an alert about an instrument so, or about what several items come to.
    pub(super) fn tell_fault(
        &mut self,
        event: AlertEvent,
        backlog: Option<Backlog>,
        out: &mut Processed,
    ) {
        tell(&mut self.state.untold_faults, event.alert, event, backlog, out);
    }

    /// Tells what fired in the backlog and still holds now that its station is heard live again.
    pub(super) fn tell_what_holds(
        &mut self,
        of: DatastreamId,
        at: Timestamp,
        backlog: Option<Backlog>,
        out: &mut Processed,
    ) {
        tell_live(&mut self.state.untold, of, at, backlog, out);
    }

    /// Says whether an alert fired in a backlog and was not told.
    pub(super) fn waits_untold(&self, alert: AlertId) -> bool {
        self.state.untold_faults.contains_key(&alert)
    }

    /// Tells so that an instrument is at fault still, or an index bad.
    pub(super) fn tell_what_lasts(
        &mut self,
        alert: AlertId,
        at: Timestamp,
        backlog: Option<Backlog>,
        out: &mut Processed,
    ) {
        tell_live(&mut self.state.untold_faults, alert, at, backlog, out);
    }

    /// Notes that a station's values of before a time came of a backlog.
    pub(super) fn note_kept(&mut self, id: StationId, until: Timestamp) {
        let state = self.state.stations.get(id.index()).and_then(Option::as_ref);
        // Written once a backlog: what is shared with a view is copied when it is written.
        if state.is_some_and(|state| state.kept_until < until)
            && let Some(state) = self.station_mut(id)
        {
            state.kept_until = until;
        }
    }

    /// Gives until when what a station says came of a backlog; of one that kept nothing, the
    /// beginning of time.
    pub(super) fn kept_until(&self, id: StationId) -> Timestamp {
        let state = self.state.stations.get(id.index()).and_then(Option::as_ref);
        state.map_or(Timestamp::default(), |state| state.kept_until)
    }

    /// Gives the backlog that an average of a station is of: its time was over before that was
    /// delivered.
    pub(super) fn kept_at(&self, id: StationId, end: Timestamp, now: Moment) -> Option<Backlog> {
        let until = self.kept_until(id);
        (end <= until).then_some(Backlog { now, until })
    }

    /// Tells what waited long enough; all of it before another edition comes into force.
    pub(super) fn tell_untold(&mut self, until_ms: i64, out: &mut Processed) {
        let due = self.state.untold.extract_if(.., |_, untold| untold.tell_by_ms <= until_ms);
        out.alerts.extend(due.flat_map(|(_, untold)| untold.told()));
        let faults = &mut self.state.untold_faults;
        let due = faults.extract_if(.., |_, untold| untold.tell_by_ms <= until_ms);
        out.alerts.extend(due.flat_map(|(_, untold)| untold.told()));
    }
}

fn tell<K: Ord + Copy>(
    waiting: &mut BTreeMap<K, Untold>,
    of: K,
    event: AlertEvent,
    backlog: Option<Backlog>,
    out: &mut Processed,
) {
    let waits = backlog.filter(|backlog| event.at < backlog.until);
    match (event.change, waits, waiting.remove(&of)) {
        (AlertChange::Fired, Some(Backlog { now, .. }), _) => {
            let tell_by_ms = now.elapsed_ms + WAIT_MS;
            waiting.insert(of, Untold { fired: event, tell_by_ms, changed: None });
        }
        (AlertChange::Changed, Some(_), Some(untold)) => {
            let confirmed = event.confirmed || untold.changed.is_some_and(|one| one.confirmed);
            let changed = Some(AlertEvent { confirmed, ..event });
            waiting.insert(of, Untold { changed, ..untold });
        }
        (AlertChange::Changed, None, Some(untold)) => {
            out.alerts.extend(untold.told().chain([event]));
        }
        (_, _, Some(Untold { fired, changed, .. })) => {
            // What began as a warning may have become more, and what has grades is told by the
            // worst.
            let worse = fired.share.is_some() || fired.grade.is_some();
            let told = changed.filter(|_| worse).unwrap_or(fired);
            let confirmed = changed.is_some_and(|one| one.confirmed);
            let past = AlertEvent {
                change: AlertChange::Past,
                at: event.at,
                severity: fired.severity.max(changed.and_then(|one| one.severity)),
                unconfirmed: told.unconfirmed && !confirmed,
                confirmed: false,
                ..told
            };
            out.alerts.push(past);
        }
        (_, _, None) => out.alerts.push(event),
    }
}

fn tell_live<K: Ord>(
    waiting: &mut BTreeMap<K, Untold>,
    of: K,
    at: Timestamp,
    backlog: Option<Backlog>,
    out: &mut Processed,
) {
    if !waiting.is_empty()
        && backlog.is_none_or(|backlog| at >= backlog.until)
        && let Some(untold) = waiting.remove(&of)
    {
        out.alerts.extend(untold.told());
    }
}
