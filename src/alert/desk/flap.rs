//! An alert that comes and goes: it is said once, and then no more until it stays one way.

use minicbor::{Decode, Encode};

use crate::domain::alerting::Alerting;
use crate::domain::time::Timestamp;

/// How often an alert of one subject began of late.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub(super) struct Flap {
    /// When, by the time of its values; no more than make it flap.
    #[n(0)]
    fires: Vec<Timestamp>,
    /// How often since it flaps; 0 while it does not.
    #[n(1)]
    pub(super) count: u32,
    /// Whether somebody was told.
    #[n(2)]
    pub(super) said: bool,
}

impl Flap {
    /// Notes that it began once more.
    pub(super) fn begin(&mut self, terms: Alerting, now: Timestamp) {
        self.fires.retain(|at| now.since(*at) < terms.flap_window_ms);
        let most = usize::try_from(terms.flap_fires).unwrap_or(usize::MAX);
        if self.fires.len() >= most {
            self.fires.remove(0);
        }
        self.fires.push(now);
        if self.count > 0 {
            self.count = self.count.saturating_add(1);
        } else if self.fires.len() >= most {
            self.count = u32::try_from(most).unwrap_or(u32::MAX);
        }
    }

    /// Says whether it is to be remembered: it flaps until a window has passed without a beginning.
    pub(super) fn lasts(&self, terms: Alerting, now: Timestamp) -> bool {
        self.fires.iter().max().is_some_and(|last| now.since(*last) < terms.flap_window_ms)
    }
}
