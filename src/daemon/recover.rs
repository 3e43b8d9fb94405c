//! From the journal to the state it describes: the newest snapshot, and the inputs after it.

use std::path::Path;
use std::sync::Arc;

use crate::daemon::edition::{Damaged, Edition};
use crate::domain::fault::Fault;
use crate::domain::input::{Arrival, Input};
use crate::domain::name::Names;
use crate::domain::registry::Registry;
use crate::domain::time::Moment;
use crate::journal;
use crate::journal::inputs::{Kept, Torn, Unpacked};
use crate::journal::read::Reader;
use crate::pipeline::{Pipeline, Processed, snapshot};

/// What keeps the state from being recovered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// A snapshot of another weir, or of none.
    #[error(transparent)]
    Snapshot(#[from] snapshot::Error),
    /// An edition in the journal.
    #[error(transparent)]
    Edition(#[from] Damaged),
    /// An edition in the journal that this weir does not take.
    #[error("an edition of the journal is not taken by this weir: {}", list(.0))]
    Faults(Vec<Fault>),
    /// An edition that the journal names and does not hold.
    #[error("edition {0} is not in the journal")]
    NoEdition(String),
    /// Inputs that the chosen snapshot does not hold were let go, or were never there.
    #[error("batch {0} is missing, and no snapshot that can be read holds what was in it")]
    Hole(u64),
    /// Inputs from before any edition.
    #[error("batch {0} has inputs, but no edition came before them")]
    NoBeginning(u64),
    /// Inputs that end in the middle.
    #[error("batch {0}: {1}")]
    Torn(u64, Torn),
}

impl Error {
    /// Says whether the journal is damaged, so that no other try will go better. What only another
    /// weir can read is not.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Journal(error) => error.is_damage(),
            Self::Edition(_)
            | Self::NoEdition(_)
            | Self::Hole(_)
            | Self::NoBeginning(_)
            | Self::Torn(..) => true,
            Self::Snapshot(_) | Self::Faults(_) => false,
        }
    }
}

fn list(faults: &[Fault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// What was recovered.
#[derive(Debug)]
pub struct Recovered {
    /// The pipeline in the state after the last batch.
    pub pipeline: Pipeline,
    /// The names.
    pub names: Names,
    /// The moment of the last input.
    pub last: Moment,
    /// How many inputs were replayed.
    pub replayed: u64,
}

/// Recovers the state; nothing of a new journal. Emits nothing: what was committed stands.
///
/// # Errors
/// The journal can't be read, or describes what this weir can't follow.
pub fn recover(folder: &Path) -> Result<Option<Recovered>, Error> {
    let reader = Reader::open(folder)?;
    let mut names = Names::from_journal(reader.names()?);
    let mut pipeline = None;
    let mut last = Moment::default();
    let mut after = 0;
    if let Some(held) = reader.latest_snapshot()? {
        let header = snapshot::header(&held.closing)?;
        let registry = edition(&reader, &header.edition, &mut names)?;
        pipeline = Some(snapshot::restore(&registry, &held.slices, &held.closing)?);
        (last, after) = (header.at, held.sequence);
    }
    let mut replayed = 0;
    let mut processed = Processed::default();
    let newest = reader.sequence()?;
    reader.inputs_after(after, |sequence, bytes| {
        if sequence != after + 1 {
            return Err(Error::Hole(after + 1));
        }
        after = sequence;
        for kept in Unpacked::new(bytes) {
            let (at, kept) = kept.map_err(|torn| Error::Torn(sequence, torn))?;
            let input = input(kept, |digest| edition(&reader, digest, &mut names))?;
            let ready = match (&mut pipeline, &input) {
                (Some(ready), _) => ready,
                (none, Input::Edition(registry)) => {
                    let begun = none.insert(Pipeline::new(Arc::clone(registry), at));
                    begun.number_alerts_after(reader.alerts_after()?);
                    begun
                }
                (None, _) => return Err(Error::NoBeginning(sequence)),
            };
            ready.process(&Arrival { at, input }, &mut processed);
            last = at;
            replayed += 1;
        }
        Ok::<(), Error>(())
    })?;
    if after < newest {
        return Err(Error::Hole(after + 1));
    }
    Ok(pipeline.map(|pipeline| Recovered { pipeline, names, last, replayed }))
}

/// Makes an input of what the journal keeps of it; `edition` gives the one of a digest.
pub(super) fn input<'a>(
    kept: Kept<'a>,
    edition: impl FnOnce(&str) -> Result<Arc<Registry>, Error>,
) -> Result<Input<'a>, Error> {
    Ok(match kept {
        Kept::Message(message) => Input::Message(message),
        Kept::Tick => Input::Tick,
        Kept::Act(act) => Input::Act(act),
        Kept::Condition(condition) => Input::Condition(condition),
        Kept::Recompute(recomputed) => Input::Recompute(recomputed),
        Kept::AlertAct(act) => Input::AlertAct(act),
        Kept::Edition(digest) => Input::Edition(edition(digest)?),
    })
}

/// Compiles an edition of the journal.
pub(super) fn edition(
    reader: &Reader,
    digest: &str,
    names: &mut Names,
) -> Result<Arc<Registry>, Error> {
    let held = reader.edition(digest)?.ok_or_else(|| Error::NoEdition(digest.to_owned()))?;
    Edition::from_bytes(&held.tables)?.compile(names).map_err(Error::Faults)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::domain::time::Timestamp;
    use crate::journal::Config;
    use crate::journal::batch::Batch;
    use crate::journal::write::Journal;

    fn journal(batches: i64) -> (TempDir, Journal) {
        let folder = TempDir::new().unwrap();
        let mut journal = Journal::open(&Config::at(folder.path()), Timestamp(0)).unwrap();
        for ms in 1..=batches {
            let mut batch = Batch { at: Timestamp(ms), ..Batch::default() };
            let at = Moment { wall: Timestamp(ms), elapsed_ms: ms };
            batch.inputs.push(&Arrival { at, input: Input::Tick });
            journal.commit(&batch).unwrap();
        }
        (folder, journal)
    }

    #[test]
    fn a_new_journal_has_no_state() {
        assert!(recover(journal(0).0.path()).unwrap().is_none());
    }

    #[test]
    fn inputs_without_an_edition_are_no_state() {
        let (folder, _journal) = journal(2);
        assert!(matches!(recover(folder.path()), Err(Error::NoBeginning(1))));
    }

    #[test]
    fn inputs_that_were_let_go_are_said_to_be_missing() {
        let (folder, mut journal) = journal(3);
        for _ in 0..2 {
            let snapshot = journal.begin_snapshot(Timestamp(4)).unwrap();
            journal.finish_snapshot(snapshot, b"c").unwrap();
        }
        journal.tidy(Timestamp(100 * crate::domain::time::DAY)).unwrap();
        journal.forget_snapshots().unwrap();
        assert!(matches!(recover(folder.path()), Err(Error::Hole(1))));
    }
}
