//! `weir import`: tables of laboratories and loggers go the way of messages. A table is cut into
//! parts, each a message of the network `import`; what becomes of them is told row by row.

pub mod sheet;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::input::{Arrival, Input, Message, Qos};
use crate::domain::name::NetworkId;
use crate::domain::registry::Registry;
use crate::domain::time::{Moment, Timestamp};
use crate::pipeline::{Pipeline, Processed};

use self::sheet::{Part, Place};

/// Why nothing can be taken in.
pub(super) const NO_NETWORK: &str = "the edition in force has no network `import`; put the seeds \
                                     that have it in force: weir seeds apply";
/// So many readings of one part are told that were refused; the others are counted.
const REFUSED_MAX: usize = 100;

/// What became of a part, in readings.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Taken {
    /// Stored.
    pub stored: i64,
    /// Turned away, as dead letters.
    pub rejected: i64,
    /// Held already.
    pub duplicate: i64,
    /// What was turned away, and why; of many the first.
    pub refused: Vec<Refused>,
    /// Why the part was turned away as a whole.
    pub whole: Option<String>,
}

/// A reading that was turned away.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Refused {
    /// Its place in the part, from 0.
    pub record: u32,
    /// Why.
    pub reason: String,
}

impl Taken {
    /// Reads what became of a part.
    #[must_use]
    pub fn of(processed: &Processed) -> Self {
        let Some(fate) = processed.fate else {
            let whole = Some("weir broke on it, and the log says where".to_owned());
            return Self { whole, ..Self::default() };
        };
        let counts = fate.ledger.readings;
        let whole = processed.rejects.iter().find(|reject| reject.channel.is_none());
        let single = processed.rejects.iter().filter(|reject| reject.channel.is_some());
        let refused = single
            .take(REFUSED_MAX)
            .map(|reject| Refused { record: reject.record, reason: reject.reason.to_string() });
        Self {
            stored: counts.stored,
            rejected: counts.rejected,
            duplicate: counts.duplicate,
            refused: refused.collect(),
            whole: whole.map(|reject| reject.reason.to_string()),
        }
    }
}

/// Makes the message of a part.
pub(super) fn message<'a>(network: NetworkId, topic: &'a str, part: &'a str) -> Message<'a> {
    Message {
        network,
        packet_id: 0,
        dup: false,
        retain: false,
        qos: Qos::AtLeastOnce,
        topic: topic.as_bytes(),
        payload: part.as_bytes(),
        fault: None,
    }
}

/// What a table came to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sum {
    /// Readings that the table has.
    pub read: i64,
    /// Those that were stored,
    pub stored: i64,
    /// turned away,
    pub rejected: i64,
    /// or held already.
    pub duplicate: i64,
}

impl Sum {
    /// Adds what became of a part, and tells of each row that was turned away where it stands in
    /// the table, what was found there and what was expected.
    pub fn add(&mut self, file: &str, part: &Part, taken: &Taken) -> Vec<String> {
        let readings = i64::try_from(part.places.len()).unwrap_or(i64::MAX);
        self.read += readings;
        self.stored += taken.stored;
        self.duplicate += taken.duplicate;
        let told = |at: usize, reason: &str| match part.places.get(at) {
            Some(Place { line, found, is_told: true }) => format!("{file}:{line}: found {found}"),
            Some(Place { line, found, is_told: false }) => {
                format!("{file}:{line}: {found}: {reason}")
            }
            None => format!("{file}: {reason}"),
        };
        if let Some(reason) = &taken.whole {
            self.rejected += readings;
            return vec![format!("{}; {readings} readings", told(0, reason))];
        }
        self.rejected += taken.rejected;
        let place = |record: u32| usize::try_from(record).unwrap_or(usize::MAX);
        taken.refused.iter().map(|one| told(place(one.record), &one.reason)).collect()
    }

    /// Says it in a line.
    #[must_use]
    pub fn words(&self) -> String {
        let Self { read, stored, rejected, duplicate } = self;
        format!("{read} read = {stored} stored + {rejected} rejected + {duplicate} duplicate")
    }
}

/// Takes parts in aside, where nothing is stored: what would become of them.
#[derive(Debug)]
pub struct Trial {
    pipeline: Pipeline,
    network: NetworkId,
    at: Moment,
    out: Processed,
}

impl Trial {
    /// Begins with seeds that have the network; nothing without.
    #[must_use]
    pub fn new(registry: &Arc<Registry>, now: Timestamp) -> Option<Self> {
        let at = Moment { wall: now, elapsed_ms: 0 };
        let pipeline = Pipeline::new(Arc::clone(registry), at);
        let network = registry.import?;
        Some(Self { pipeline, network, at, out: Processed::default() })
    }

    /// Takes a part.
    pub fn take(&mut self, topic: &str, part: &Part) -> Taken {
        let input = Input::Message(message(self.network, topic, &part.payload));
        self.pipeline.process(&Arrival { at: self.at, input }, &mut self.out);
        Taken::of(&self.out)
    }
}
