//! It's the sensor: the values that alerts are about do not count, or are in doubt, from when each
//! alert began until now.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::daemon::act::{Answered, Done, by, invalidated};
use crate::daemon::alerts::work;
use crate::daemon::came::{Came, Refusal};
use crate::daemon::core::Core;
use crate::domain::alert::{AlertEvent, AlertId, Subject};
use crate::domain::asked::Asked;
use crate::domain::input::{Act, Input};
use crate::domain::invalidation::SPAN_MAX_MS;
use crate::domain::name::DatastreamId;
use crate::domain::quality::Flag;
use crate::domain::time::{Moment, Timestamp};
use crate::pipeline::act::Judged;

/// Takes it in, if nothing is wrong with any of the alerts: each datastream once.
pub(super) fn blame(core: &mut Core, at: Moment, asked: &Asked) -> Answered {
    let Asked::Sensor { alerts, suspect, person, reason } = asked else { return Err(Vec::new()) };
    let registry = core.pipeline().registry().clone();
    let desk = Arc::clone(&core.pipeline().state().desk);
    let mut faults = Vec::new();
    let by = by(person, reason, &mut faults);
    work::standing(&desk, alerts, true, &mut faults);
    let mut begun: BTreeMap<DatastreamId, Timestamp> = BTreeMap::new();
    for alert in alerts {
        let Some(standing) = desk.get(AlertId(*alert)) else { continue };
        let Some(datastream) = doubted(&standing.event) else {
            faults.push(Refusal::NoValues(*alert));
            continue;
        };
        let since = standing.event.since;
        let from = begun.entry(datastream).or_insert(since);
        *from = (*from).min(since);
    }
    if core.pipeline().state().invalidations.room() < begun.len() {
        faults.push(Refusal::NoRoom);
    }
    if begun.values().any(|from| at.wall.since(*from) > SPAN_MAX_MS) {
        faults.push(Refusal::TooLong);
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let flag = if *suspect { Flag::Suspect } else { Flag::Fail };
    let (mut said, mut judged, mut zone) = (Vec::new(), Judged::default(), TimeZone::UTC);
    for (datastream, from) in begun {
        let Some(datastream) = registry.datastream(datastream) else { continue };
        let Some(station) = registry.station(datastream.station) else { continue };
        // What is of this very instant is meant as well.
        let (to, id) = (at.wall.plus(1), core.pipeline().state().invalidations.next());
        let (of, position) = (station.id, Some(&*datastream.position));
        let property = Some(datastream.property);
        let act = Act::Invalidate { id, station: of, property, position, from, to, flag, by };
        core.take(at, Input::Act(act));
        let came = core.judged().ok_or_else(|| vec![Refusal::Broke])?;
        judged = together(judged, came);
        said.push(invalidated(id, station, from, to));
        zone = station.zone.clone();
    }
    said.insert(0, Came::Blamed(said.len()));
    Ok(Done { said, judged: Some(judged), zone })
}

/// Gives the datastream whose values an alert is about, where it is about one.
fn doubted(event: &AlertEvent) -> Option<DatastreamId> {
    match event.subject {
        Subject::Datastream(id) => Some(id),
        Subject::Station(_)
        | Subject::Weir { .. }
        | Subject::Evaluated { .. }
        | Subject::Device(_)
        | Subject::Network(_) => event.cause.map(|cause| cause.datastream),
    }
}

/// Adds up what became of values.
fn together(one: Judged, other: Judged) -> Judged {
    let days = match (one.days, other.days) {
        (Some((from, to)), Some(days)) => Some((from.min(days.0), to.max(days.1))),
        (days, None) | (None, days) => days,
    };
    Judged { values: one.values + other.values, days }
}
