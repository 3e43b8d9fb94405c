//! What was imported: which parts of tables a station has, so that a table that is imported again
//! is known, however old its values are. The ring remembers hours, a laboratory's sheet is of
//! months.

use std::collections::VecDeque;
use std::sync::Arc;

use minicbor::{Decode, Encode};

use crate::domain::name::{DeviceId, StationId};
use crate::domain::time::Moment;
use crate::pipeline::{Pipeline, Processed};

/// How many parts a station remembers: of a logger's minutes those of about three years. At the
/// limit the oldest is forgotten; imported again, its values are stored again, as the same points.
/// A table of more parts forgets in the order in which it is read again, so none of it is known.
pub(super) const PARTS_MAX: usize = 4_096;
/// Of how many rows that were refused a part is remembered; a worse one is taken anew as a whole.
const REFUSED_MAX: usize = 100;

/// A part of a table, as one message brought it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
struct Part {
    #[n(0)]
    digest: (u64, u64),
    /// The rows that were refused, in their order.
    #[n(1)]
    refused: Vec<u32>,
}

/// The parts that a station has, the newest last.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct Imported(#[n(0)] VecDeque<Part>);

impl Imported {
    /// Gives the rows that were refused of a part, if it is known.
    pub(super) fn refused(&self, digest: (u64, u64)) -> Option<&[u32]> {
        let part = self.0.iter().find(|part| part.digest == digest)?;
        Some(part.refused.as_slice())
    }

    fn note(&mut self, digest: (u64, u64), refused: Vec<u32>) {
        self.0.retain(|part| part.digest != digest);
        if refused.len() > REFUSED_MAX {
            return;
        }
        if self.0.len() >= PARTS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(Part { digest, refused });
    }
}

impl Pipeline {
    /// Gives the station that a device stands at.
    pub(super) fn stands_at(&self, device: DeviceId, received: Moment) -> Option<StationId> {
        let device = self.registry.devices.get(device.index())?;
        Some(device.assignment(received.wall)?.station)
    }

    /// Gives the rows that were refused of a part, if it is known.
    pub(super) fn refused(&self, station: StationId, digest: (u64, u64)) -> Option<Vec<u32>> {
        let station = self.state.stations.get(station.index())?.as_ref()?;
        station.imported.refused(digest).map(<[u32]>::to_vec)
    }

    /// Remembers a part that was read.
    pub(super) fn note_part(&mut self, station: StationId, digest: (u64, u64), out: &Processed) {
        if out.rejects.iter().any(|reject| reject.channel.is_none()) {
            return;
        }
        let mut refused: Vec<u32> = out.rejects.iter().map(|reject| reject.record).collect();
        refused.dedup();
        let Some(state) = self.station_mut(station) else { return };
        Arc::make_mut(&mut state.imported).note(digest, refused);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_the_most_parts_the_oldest_is_forgotten() {
        let mut imported = Imported::default();
        for part in 0..=PARTS_MAX as u64 {
            imported.note((part, 0), Vec::new());
        }
        assert_eq!(imported.0.len(), PARTS_MAX);
        assert!(imported.refused((0, 0)).is_none() && imported.refused((1, 0)).is_some());
    }

    #[test]
    fn a_longer_table_that_comes_again_is_known_in_no_part() {
        let (mut imported, mut known) = (Imported::default(), 0);
        for part in (0..=PARTS_MAX as u64).chain(0..=PARTS_MAX as u64) {
            known += usize::from(imported.refused((part, 0)).is_some());
            imported.note((part, 0), Vec::new());
        }
        assert_eq!(known, 0);
    }

    #[test]
    fn a_part_that_comes_again_is_one_and_one_with_too_many_bad_rows_is_none() {
        let mut imported = Imported::default();
        imported.note((1, 1), vec![3]);
        imported.note((1, 1), Vec::new());
        assert_eq!((imported.0.len(), imported.refused((1, 1))), (1, Some([].as_slice())));
        imported.note((1, 1), (0..=REFUSED_MAX as u32).collect());
        assert_eq!(imported.refused((1, 1)), None);
    }
}
