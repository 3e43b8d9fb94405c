//! The ledger: `received = stored + rejected + duplicate`, for messages and for readings.

use std::ops::AddAssign;

/// Where a message or reading ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    /// In the journal, on its way to the sinks.
    Stored,
    /// A dead letter.
    Rejected,
    /// Held already.
    Duplicate,
}

/// One column of the ledger.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// How many arrived.
    pub received: i64,
    /// How many were stored.
    pub stored: i64,
    /// How many became dead letters.
    pub rejected: i64,
    /// How many were held already.
    pub duplicate: i64,
}

impl Counts {
    /// Says whether every one that arrived ended somewhere, and in one place only.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.received == self.stored + self.rejected + self.duplicate
    }

    /// Counts an arrival that ended in one place.
    pub fn count(&mut self, outcome: Outcome) {
        self.received += 1;
        self.move_to(outcome, 1);
    }

    /// Moves `by` into the column of an outcome; with a negative `by`, out of it.
    pub fn move_to(&mut self, outcome: Outcome, by: i64) {
        match outcome {
            Outcome::Stored => self.stored += by,
            Outcome::Rejected => self.rejected += by,
            Outcome::Duplicate => self.duplicate += by,
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.received += other.received;
        self.stored += other.stored;
        self.rejected += other.rejected;
        self.duplicate += other.duplicate;
    }
}

/// The ledger of one topic pattern, or of all of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ledger {
    /// Messages.
    pub messages: Counts,
    /// Readings.
    pub readings: Counts,
    /// Messages that came at QoS 0: what was lost before weir of those, nobody can know.
    pub unprotected: i64,
    /// Readings that revised another result of the same time; part of `readings.stored`.
    pub revisions: i64,
    /// Readings older than the lateness horizon; part of `readings.stored`.
    pub late: i64,
}

impl Ledger {
    /// Says whether both columns balance.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.messages.balances() && self.readings.balances()
    }
}

impl AddAssign for Ledger {
    fn add_assign(&mut self, other: Self) {
        self.messages += other.messages;
        self.readings += other.readings;
        self.unprotected += other.unprotected;
        self.revisions += other.revisions;
        self.late += other.late;
    }
}
