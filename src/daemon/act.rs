//! What persons say of values and do with alerts, asked for from the shell: names become ids, times
//! those of the station's zone, and every mistake is told with its mend before anything enters the
//! journal.

mod check;
mod sensor;

use std::path::Path;

use jiff::tz::TimeZone;

use crate::daemon::alerts::work;
use crate::daemon::book;
use crate::daemon::came::{Called, Came, Field, Refusal};
use crate::daemon::core::Core;
use crate::daemon::recompute::{date, whole_since};
use crate::daemon::run::Commands;
use crate::daemon::said;
use crate::daemon::status::View;
use crate::domain::asked::Asked;
use crate::domain::booked::{Way, What};
use crate::domain::input::{Act, By, Input};
use crate::domain::invalidation::{
    Invalidation, PERSON_BYTES_MAX, REASON_BYTES_MAX, SPAN_MAX_MS, Scope,
};
use crate::domain::name::PropertyId;
use crate::domain::quality::Flag;
use crate::domain::registry::{Datastream, Registry, Station};
use crate::domain::time::{DAY, Moment, Timestamp};
use crate::http::view::Text;
use crate::journal::read::Reader;
use crate::pipeline::act::Judged;

/// The word for the time at which something is asked for.
const NOW: &str = "now";

/// What came of it, or everything that is wrong with it.
pub type Answered = Result<Done, Vec<Refusal>>;

/// What came of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Done {
    /// What was said, line by line.
    said: Vec<Came>,
    /// What became of values, where it is about values.
    judged: Option<Judged>,
    zone: TimeZone,
}

impl Done {
    /// Says it line by line. Days before a time are not played again.
    #[must_use]
    pub fn came(&self, played_since: Timestamp) -> Vec<Came> {
        let mut came = self.said.clone();
        let Some(judged) = self.judged else { return came };
        came.push(Came::Judged(judged.values));
        let Some((from, to)) = judged.days else { return came };
        let named = |at: Timestamp| date(at, &self.zone);
        came.push(Came::Recomputed { first: named(from), last: named(to.plus(-1)) });
        if from < played_since {
            came.push(Came::KeptSince(named(played_since.plus(DAY))));
        }
        came
    }
}

/// Has it taken in by a daemon at work, and says what came of it, or everything that is wrong.
pub(super) async fn take(
    commands: &Commands,
    data_folder: &Path,
    asked: Asked,
    way: Way,
) -> anyhow::Result<Result<Vec<Came>, Vec<Refusal>>> {
    let check = match &asked {
        Asked::Check(entered) => Some((entered.person.clone(), entered.station.clone())),
        Asked::Invalidate { .. }
        | Asked::Revoke { .. }
        | Asked::Sensor { .. }
        | Asked::Alerts(_) => None,
    };
    let done = match commands.act(asked).await? {
        Ok(done) => done,
        Err(faults) => return Ok(Err(faults)),
    };
    // Of one that passed nothing else is left; what else is asked for is in the journal.
    if let Some((person, station)) = check {
        let lines: Vec<String> = done.said.iter().map(Came::line).collect();
        let (folder, words) = (data_folder.to_owned(), lines.join("; "));
        let note = move || {
            book::note(&folder, (What::CheckEntered, way), &person, &station, &words);
        };
        tokio::task::spawn_blocking(note).await.ok();
    }
    let since = Reader::open(data_folder)?.raw_since()?;
    Ok(Ok(done.came(whole_since(since))))
}

/// Takes it in, if nothing is wrong with it.
pub(super) fn act(core: &mut Core, at: Moment, asked: &Asked) -> Answered {
    let registry = core.pipeline().registry().clone();
    let held = &core.pipeline().state().invalidations;
    let mut faults = Vec::new();
    let (act, said, zone) = match asked {
        Asked::Invalidate { position, person, reason, .. } => {
            let by = by(person, reason, &mut faults);
            let resolved = resolve(&registry, asked, at.wall, &mut faults);
            if !held.has_room() {
                faults.push(Refusal::NoRoom);
            }
            let (Some(of), true) = (resolved, faults.is_empty()) else { return Err(faults) };
            let Resolved { station: there, property, from, to, flag } = of;
            let (id, position) = (held.next(), position.as_deref());
            let zone = there.zone.clone();
            let said = invalidated(id, there, from, to);
            let station = there.id;
            (Act::Invalidate { id, station, property, position, from, to, flag, by }, said, zone)
        }
        Asked::Check(entered) => return check::enter(core, at, entered),
        Asked::Sensor { .. } => return sensor::blame(core, at, asked),
        Asked::Alerts(asked) => {
            let done = |said| Done { said, judged: None, zone: TimeZone::UTC };
            return work::act(core, at, asked).map(done);
        }
        Asked::Revoke { id, person, reason } => {
            let by = by(person, reason, &mut faults);
            let one = held.get(*id);
            match one.map(|one| &one.revoked) {
                None => faults.push(Refusal::NoInvalidation(*id)),
                Some(Some(word)) => {
                    let person = word.person.clone();
                    faults.push(Refusal::RevokedAlready { id: *id, person });
                }
                Some(None) => {}
            }
            let (Some(one), true) = (one, faults.is_empty()) else { return Err(faults) };
            let station = registry.station(one.scope.station);
            let zone = station.map_or(TimeZone::UTC, |station| station.zone.clone());
            let span = [one.from, one.to].map(|at| at.rfc3339(&zone));
            let said =
                Came::Revoked { id: *id, station: station.map(called).unwrap_or_default(), span };
            (Act::Revoke { id: *id, by }, said, zone)
        }
    };
    core.take(at, Input::Act(act));
    let judged = core.judged();
    let broken = || vec![Refusal::Broke];
    judged.map(|judged| Done { said: vec![said], judged: Some(judged), zone }).ok_or_else(broken)
}

fn invalidated(id: u64, station: &Station, from: Timestamp, to: Timestamp) -> Came {
    let span = [from, to].map(|at| at.rfc3339(&station.zone));
    Came::Invalidated { id, station: called(station), span }
}

/// Names a station: as tags do, and in Chinese as people do.
fn called(station: &Station) -> Text {
    Text::new(&*station.name, &*station.name_zh)
}

/// What names and words stand for.
struct Resolved<'r> {
    station: &'r Station,
    property: Option<PropertyId>,
    from: Timestamp,
    to: Timestamp,
    flag: Flag,
}

fn resolve<'r>(
    registry: &'r Registry,
    asked: &Asked,
    now: Timestamp,
    faults: &mut Vec<Refusal>,
) -> Option<Resolved<'r>> {
    let Asked::Invalidate { station, property, position, from, to, suspect, .. } = asked else {
        return None;
    };
    let there = known_station(registry, station).map_err(|fault| faults.push(fault)).ok()?;
    let property = match property {
        None => None,
        Some(name) => match registry.property_called(name) {
            Some(property) => Some(property.id),
            None => {
                let known = registry.properties.iter().map(|one| &*one.name);
                faults.push(Refusal::unknown(Called::Property, name, known));
                return None;
            }
        },
    };
    let scope = Scope { station: there.id, property, position: position.clone() };
    let ids = there.datastreams.iter();
    let streams: Vec<&Datastream> = ids.filter_map(|id| registry.datastream(*id)).collect();
    if !streams.iter().any(|stream| scope.covers(stream)) {
        let names: Vec<&str> = streams.iter().map(|stream| &*stream.name).collect();
        let (station, has) = (station.clone(), names.join(", "));
        faults.push(Refusal::NotMeasured { station, has });
    }
    let mut time = |text: &str| {
        let read = match text {
            NOW => Some(now),
            _ => Timestamp::of_text_or_offset(text, &there.zone),
        };
        if read.is_none() {
            faults.push(Refusal::NoTime(text.to_owned()));
        }
        read
    };
    let (from, to) = (time(from), time(to));
    let (from, to) = (from?, to?);
    let length = to.since(from);
    if length <= 0 {
        faults.push(Refusal::EndsFirst);
    } else if length > SPAN_MAX_MS {
        faults.push(Refusal::TooLong);
    }
    let flag = if *suspect { Flag::Suspect } else { Flag::Fail };
    Some(Resolved { station: there, property, from, to, flag })
}

fn known_station<'r>(registry: &'r Registry, name: &str) -> Result<&'r Station, Refusal> {
    let found = registry.stations.iter().find(|one| *one.name == *name);
    found.ok_or_else(|| {
        let known = registry.stations.iter().map(|one| &*one.name);
        Refusal::unknown(Called::Station, name, known)
    })
}

fn by<'a>(person: &'a str, reason: &'a str, faults: &mut Vec<Refusal>) -> By<'a> {
    work::line(Field::Person, person, PERSON_BYTES_MAX, faults);
    work::line(Field::Reason, reason, REASON_BYTES_MAX, faults);
    By { person, reason }
}

fn span(from: Timestamp, to: Timestamp, zone: &TimeZone) -> String {
    format!("from {} to before {}", from.rfc3339(zone), to.rfc3339(zone))
}

/// Lists what is said of values, the newest last.
pub(super) fn list(view: &View, station: Option<&str>, all: bool) -> Result<Vec<String>, String> {
    let registry = &view.registry;
    let of = match station {
        Some(name) => Some(known_station(registry, name).map_err(|fault| fault.line())?.id),
        None => None,
    };
    let wanted = |one: &&Invalidation| {
        of.is_none_or(|of| one.scope.station == of) && (all || one.revoked.is_none())
    };
    let mut held: Vec<&Invalidation> = view.invalidations.iter().filter(wanted).collect();
    held.sort_by_key(|one| one.id);
    if held.is_empty() {
        return Ok(vec!["nothing is said of values".to_owned()]);
    }
    Ok(held.into_iter().map(|one| line(registry, one)).collect())
}

/// Says which values are meant, of when, and what is made of them.
pub(super) fn values_of(registry: &Registry, one: &Invalidation) -> String {
    let station = registry.station(one.scope.station);
    let zone = station.map_or(TimeZone::UTC, |station| station.zone.clone());
    let property = one.scope.property.and_then(|id| registry.property(id));
    let property = property.map_or("all", |property| &*property.name);
    let position = one.scope.position.as_deref();
    let position = position.filter(|position| !position.is_empty());
    let position = position.map_or_else(String::new, |position| format!(" at {position}"));
    let flag = if one.flag == Flag::Suspect { "suspect" } else { "fail" };
    format!("{property}{position}  {}  {flag}", span(one.from, one.to, &zone))
}

fn line(registry: &Registry, one: &Invalidation) -> String {
    let station = registry.station(one.scope.station);
    let zone = station.map_or(TimeZone::UTC, |station| station.zone.clone());
    let name = station.map_or("(left the seeds)", |station| &*station.name);
    let mut line = format!(
        "{:>5}  {name} {}  {} ({}): {}",
        one.id,
        values_of(registry, one),
        one.said.person,
        one.said.at.wall.rfc3339(&zone),
        said::reason(registry, one)
    );
    if let Some(word) = &one.revoked {
        let at = word.at.wall.rfc3339(&zone);
        line.push_str(&format!("; revoked by {} ({at}): {}", word.person, word.reason));
    }
    line
}
