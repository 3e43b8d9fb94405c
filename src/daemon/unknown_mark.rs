//! Marks of devices that no row of `device_marks.csv` explains: told once a datastream.

use std::collections::HashSet;

use crate::domain::name::DatastreamId;
use crate::domain::observation::QualifiedObservation;
use crate::domain::registry::Registry;

/// What was told since the start; never more than there are datastreams.
#[derive(Debug, Default)]
pub(super) struct UnknownMarks {
    told: HashSet<DatastreamId>,
}

impl UnknownMarks {
    /// Tells of observations whose mark their vocabulary doesn't know.
    pub(super) fn note(&mut self, registry: &Registry, observations: &[QualifiedObservation]) {
        for qualified in observations {
            let observation = &qualified.observation;
            let mark = observation.mark.and_then(|mark| registry.marks.get(mark));
            let Some(mark) = mark.filter(|mark| mark.is_unknown()) else { continue };
            if self.told.insert(observation.datastream) {
                let datastream = registry.datastream(observation.datastream);
                tracing::warn!(
                    datastream = datastream.map_or("", |stream| &*stream.name),
                    vocabulary = &*mark.vocabulary,
                    "A device marks values with what device_marks.csv does not know; they are \
                     suspect. `weir tap` shows them; add a row."
                );
            }
        }
    }
}
