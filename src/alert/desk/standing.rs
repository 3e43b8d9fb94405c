//! An alert on the desk: who looks after it, what of it is still to be told, and when it is told
//! again.

use minicbor::{Decode, Encode};

use crate::domain::alert::AlertEvent;
use crate::domain::alerting::Alerting;
use crate::domain::desk::Thread;
use crate::domain::time::Timestamp;

/// Who looks after an alert.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Acknowledgement {
    /// Who, or for whom it was done.
    #[n(0)]
    pub person: String,
    /// When.
    #[n(1)]
    pub at: Timestamp,
    /// Until when; without it as long as the alert fires.
    #[n(2)]
    pub until: Option<Timestamp>,
}

/// An alert that fires, or that ended while something of it is still to be told.
#[derive(Clone, PartialEq, Debug, Encode, Decode)]
pub struct Standing {
    /// Its last change.
    #[n(0)]
    pub event: AlertEvent,
    /// In which thread it is told.
    #[n(1)]
    pub thread: Thread,
    /// Who looks after it.
    #[n(2)]
    pub acknowledged: Option<Acknowledgement>,
    /// Until when nobody is told of it.
    #[n(3)]
    pub shelved_until: Option<Timestamp>,
    /// Whether somebody was told that it fires.
    #[n(4)]
    pub told: bool,
    /// What is still to be told of it.
    #[n(5)]
    pub(super) owed: Owed,
    /// Since when its reminders and steps count, in elapsed milliseconds.
    #[n(6)]
    pub(super) since_ms: i64,
    /// When somebody was reminded last, in elapsed milliseconds.
    #[n(7)]
    pub(super) reminded_ms: i64,
    /// The step of escalation that it reached.
    #[n(8)]
    pub step: u8,
    /// When it began to fire, by the clock that told it.
    #[n(9)]
    pub fired: Timestamp,
}

impl Standing {
    /// Says whether it fires.
    #[must_use]
    pub fn fires(&self) -> bool {
        self.event.change.fires()
    }

    pub(super) fn acknowledgement_ends(&self, now: Timestamp) -> bool {
        let until = self.acknowledged.as_ref().and_then(|one| one.until);
        until.is_some_and(|until| until <= now)
    }

    pub(super) fn reminder_is_due(&self, terms: Alerting, now_ms: i64) -> bool {
        terms.repeat_ms > 0 && now_ms - self.reminded_ms >= terms.repeat_ms
    }

    pub(super) fn step_is_due(&self, terms: Alerting, now_ms: i64) -> bool {
        let after = terms.steps_ms.get(usize::from(self.step)).copied();
        after.is_some_and(|after| after > 0 && now_ms - self.since_ms >= after)
    }
}

/// What is still to be told of an alert.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Encode, Decode)]
#[cbor(index_only)]
pub(super) enum Owed {
    #[n(0)]
    Nothing,
    /// That somebody looks after it.
    #[n(1)]
    Acknowledged,
    /// That nobody looks after it any more.
    #[n(3)]
    Again,
    /// Its last change.
    #[n(2)]
    Change,
}
