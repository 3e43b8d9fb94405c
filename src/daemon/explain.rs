//! `weir qc explain`: one value that the ring holds, found by what people call it.

mod words;

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::daemon::recover::{self, Recovered};
use crate::daemon::said;
use crate::daemon::status::Status;
use crate::domain::history::{Entry, History};
use crate::domain::registry::{Datastream, Registry, Station};
use crate::domain::time::{MINUTE, SECOND, Timestamp};
use crate::pipeline::explain::{Looked, explain};
use crate::seed::nearest;

/// The word for the newest value in the place of a time.
pub const NEWEST: &str = "newest";

/// Which value is asked about.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Asked {
    /// The station.
    pub station: String,
    /// The property, by its name, symbol or Chinese name.
    pub property: String,
    /// Where at the station; without, where it has one.
    pub position: Option<String>,
    /// The time of the value, in the station's zone or with an offset, or `newest`.
    pub time: String,
    /// Whether JSON is wanted.
    pub json: bool,
}

/// Answers out of the state of a daemon at work.
///
/// # Errors
/// What is not known, and what is.
pub fn at_work(status: &Status, asked: &Asked) -> Result<Vec<String>, Vec<String>> {
    let view = status.view.load_full();
    let view = view.ok_or_else(|| vec!["weir has only just begun; ask again soon".to_owned()])?;
    let (registry, stations) = (&view.registry, &*view.stations);
    answer(Looked { registry, stations, invalidations: &view.invalidations }, asked)
}

/// Answers out of the journal of a daemon that is not at work: its last snapshot, and what came
/// after that.
///
/// # Errors
/// The journal can't be read. The inner result: what is not known, and what is.
pub fn at_rest(
    data_folder: &Path,
    asked: &Asked,
) -> Result<Result<Vec<String>, Vec<String>>, recover::Error> {
    let Some(Recovered { pipeline, .. }) = recover::recover(data_folder)? else {
        return Ok(Err(vec!["the journal is new: weir has not run on it yet".to_owned()]));
    };
    let (registry, state) = (pipeline.registry(), pipeline.state());
    let (stations, invalidations) = (&*state.stations, &state.invalidations);
    Ok(answer(Looked { registry, stations, invalidations }, asked))
}

fn answer(looked: Looked<'_>, asked: &Asked) -> Result<Vec<String>, Vec<String>> {
    let Looked { registry, stations, invalidations } = looked;
    let one = |words: String| vec![words];
    let station = station(registry, &asked.station).map_err(one)?;
    let datastream = datastream(registry, station, asked).map_err(one)?;
    let state = stations.get(station.id.index()).and_then(|state| state.as_ref());
    let stream = state.and_then(|state| state.streams.get(usize::from(datastream.slot)));
    let empty = History::default();
    let history = stream.map_or(&empty, |stream| &stream.history);
    let entry = held(history, datastream, station, &asked.time).map_err(one)?;
    let explanation = explain(looked, datastream.id, entry.time);
    let explanation = explanation.ok_or_else(|| one("it has just been forgotten".to_owned()))?;
    let said = |by_check: bool| {
        let standing = invalidations.standing(datastream, entry.time);
        let said = standing.filter(|one| one.by_check.is_some() == by_check).map(|one| {
            let (from, to) = (one.from.rfc3339(&station.zone), one.to.rfc3339(&station.zone));
            let (reason, person) = (said::reason(registry, one), &one.said.person);
            format!("{} of {from} to before {to}: {reason} ({person})", one.id)
        });
        said.collect::<Vec<_>>().join("; ")
    };
    let said = words::Heard { persons: said(false), checks: said(true) };
    let told = words::Words::new(registry, datastream, station, (&explanation, said));
    Ok(if asked.json { vec![told.json().to_string()] } else { told.lines() })
}

/// Finds a station by its name.
pub(super) fn station<'r>(registry: &'r Registry, name: &str) -> Result<&'r Station, String> {
    let found = registry.stations.iter().find(|one| *one.name == *name);
    found.ok_or_else(|| {
        let near = nearest(name, registry.stations.iter().map(|one| &*one.name));
        let near = near.map_or(String::new(), |near| format!("; the nearest is `{near}`"));
        format!("no station is called `{name}`{near}")
    })
}

/// Finds the datastream of a property; with several, who asks must say at which position.
fn datastream<'r>(
    registry: &'r Registry,
    station: &Station,
    asked: &Asked,
) -> Result<&'r Datastream, String> {
    let streams = || station.datastreams.iter().filter_map(|id| registry.datastream(*id));
    let names = |of: &[&Datastream]| of.iter().map(|one| &*one.name).collect::<Vec<_>>().join(", ");
    // The whole name tells a stated mean from the values themselves.
    if let Some(named) = streams().find(|one| *one.name == *asked.property) {
        return Ok(named);
    }
    let property = registry
        .property_called(&asked.property)
        .ok_or_else(|| format!("no property is called `{}`; see properties.csv", asked.property))?;
    let fits = |one: &&Datastream| {
        let at = asked.position.as_deref().is_none_or(|at| at == &*one.position);
        one.property == property.id && at
    };
    let found: Vec<&Datastream> = streams().filter(fits).collect();
    match &*found {
        [one] => Ok(one),
        [] => Err(format!(
            "{} does not measure it there; it has {}",
            station.name,
            names(&streams().collect::<Vec<_>>())
        )),
        several => {
            let plain = match asked.position.as_deref() {
                None | Some("") => format!("{}/{}", station.name, property.name),
                Some(at) => format!("{}/{at}/{}", station.name, property.name),
            };
            let here = several.iter().find(|one| *one.name == *plain).copied();
            here.ok_or_else(|| {
                format!("several fit; name the property as one of {}", names(several))
            })
        }
    }
}

/// Finds the value of a time. A time to the minute is that of a value within it.
fn held(
    history: &History,
    datastream: &Datastream,
    station: &Station,
    text: &str,
) -> Result<Entry, String> {
    let name = &datastream.name;
    let (Some(newest), Some(oldest)) = (history.newest(), history.after(Timestamp(i64::MIN)))
    else {
        return Err(format!("weir holds no value of {name}: none has come that it remembers"));
    };
    if text == NEWEST {
        return Ok(newest);
    }
    let time = Timestamp::of_text_or_offset(text, &station.zone).ok_or_else(|| {
        format!("`{text}`: expected a time, such as 2026-03-01T08:30, or `{NEWEST}`")
    })?;
    let within = if time.millis().rem_euclid(MINUTE) == 0 { MINUTE } else { SECOND };
    if let Some(entry) = history.between(time, time.plus(within)).first() {
        return Ok(*entry);
    }
    let said = |at: Timestamp| at.rfc3339(&station.zone);
    if time < oldest.time {
        return Err(format!(
            "weir remembers {name} from {} on, and what is older no more: what was stored then, \
             with its flag, stands in the database; `weir recompute` plays a day again",
            said(oldest.time)
        ));
    }
    let before = history.at_or_before(time).unwrap_or(oldest);
    let after = history.after(time);
    let after = after.map_or("none has come since".to_owned(), |one| {
        format!("the next is of {}", said(one.time))
    });
    Err(format!(
        "no value of {name} is of {}: the one before is of {}, {after}",
        said(time),
        said(before.time)
    ))
}
