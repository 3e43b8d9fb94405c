//! What persons say of values and do with alerts, asked for from the shell: names become ids, times
//! those of the station's zone, and every mistake is told with its mend before anything enters the
//! journal.

mod check;

use std::path::Path;

use jiff::tz::TimeZone;

use crate::daemon::alerts::work;
use crate::daemon::core::Core;
use crate::daemon::recompute::{date, whole_since};
use crate::daemon::run::Commands;
use crate::daemon::said;
use crate::daemon::status::View;
use crate::domain::asked::Asked;
use crate::domain::input::{Act, By, Input};
use crate::domain::invalidation::{
    INVALIDATIONS_MAX, Invalidation, PERSON_BYTES_MAX, REASON_BYTES_MAX, SPAN_MAX_MS, Scope,
};
use crate::domain::name::PropertyId;
use crate::domain::quality::Flag;
use crate::domain::registry::{Datastream, Registry, Station};
use crate::domain::time::{DAY, Moment, Timestamp};
use crate::journal::read::Reader;
use crate::pipeline::act::Judged;
use crate::seed::nearest;

/// What is to be done where no more of what is said of values can be held.
const NO_ROOM: &str = "revoke one that is needed no more (weir qc list), or put what lasts into \
                       calendar.csv of the seeds";

/// The word for the time at which something is asked for.
const NOW: &str = "now";

/// What came of it, or everything that is wrong with it.
pub type Answered = Result<Done, Vec<String>>;

/// What came of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Done {
    /// What was said, line by line.
    said: Vec<String>,
    /// What became of values, where it is about values.
    judged: Option<Judged>,
    zone: TimeZone,
}

impl Done {
    /// Says it line by line. Days before a time are not played again.
    #[must_use]
    pub fn words(&self, played_since: Timestamp) -> Vec<String> {
        let mut words = self.said.clone();
        let Some(judged) = self.judged else { return words };
        let values = judged.values;
        words.push(format!("{values} values that are held are of another quality now"));
        let Some((from, to)) = judged.days else { return words };
        let named = |at: Timestamp| date(at, &self.zone);
        words.push(format!(
            "{} to {} are recomputed, each once it is closed, 35 hours after its end; the log \
             says what comes of it",
            named(from),
            named(to.plus(-1))
        ));
        if from < played_since {
            words.push(format!(
                "raw messages are kept only so long that days from {} on can be recomputed; \
                 earlier ones stay as they are",
                named(played_since.plus(DAY))
            ));
        }
        words
    }
}

/// Has it taken in by a daemon at work, and says what came of it, or everything that is wrong.
pub(super) async fn take(
    commands: &Commands,
    data_folder: &Path,
    asked: Asked,
) -> anyhow::Result<Result<Vec<String>, Vec<String>>> {
    let done = match commands.act(asked).await? {
        Ok(done) => done,
        Err(faults) => return Ok(Err(faults)),
    };
    let since = Reader::open(data_folder)?.raw_since()?;
    Ok(Ok(done.words(whole_since(since))))
}

/// Takes it in, if nothing is wrong with it.
pub(super) fn act(core: &mut Core, at: Moment, asked: &Asked) -> Answered {
    let registry = core.pipeline().registry().clone();
    let held = &core.pipeline().state().invalidations;
    let mut faults = Vec::new();
    let (act, said, zone) = match asked {
        Asked::Invalidate { station, position, person, reason, .. } => {
            let by = by(person, reason, &mut faults);
            let resolved = resolve(&registry, asked, at.wall, &mut faults);
            if !held.has_room() {
                faults.push(format!("{INVALIDATIONS_MAX} are held, the most; {NO_ROOM}"));
            }
            let (Some(of), true) = (resolved, faults.is_empty()) else { return Err(faults) };
            let Resolved { station: there, property, from, to, flag } = of;
            let (id, position) = (held.next(), position.as_deref());
            let zone = there.zone.clone();
            let said = format!("invalidation {id} of {station}: {}", span(from, to, &zone));
            let station = there.id;
            (Act::Invalidate { id, station, property, position, from, to, flag, by }, said, zone)
        }
        Asked::Check(entered) => return check::enter(core, at, entered),
        Asked::Alerts(asked) => {
            let done = |said| Done { said, judged: None, zone: TimeZone::UTC };
            return work::act(core, at, asked).map(done);
        }
        Asked::Revoke { id, person, reason } => {
            let by = by(person, reason, &mut faults);
            let one = held.get(*id);
            match one.map(|one| &one.revoked) {
                None => faults.push(format!("there is no invalidation {id}; see weir qc list")),
                Some(Some(word)) => {
                    faults
                        .push(format!("invalidation {id} is revoked already, by {}", word.person));
                }
                Some(None) => {}
            }
            let (Some(one), true) = (one, faults.is_empty()) else { return Err(faults) };
            let station = registry.station(one.scope.station);
            let zone = station.map_or(TimeZone::UTC, |station| station.zone.clone());
            let name = station.map_or("", |station| &*station.name);
            let of = span(one.from, one.to, &zone);
            (Act::Revoke { id: *id, by }, format!("{id} of {name} is revoked: {of}"), zone)
        }
    };
    core.take(at, Input::Act(act));
    let judged = core.judged();
    let broken = || vec!["weir broke on it, and the log says where; nothing is said".to_owned()];
    judged.map(|judged| Done { said: vec![said], judged: Some(judged), zone }).ok_or_else(broken)
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
    faults: &mut Vec<String>,
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
                faults.push(format!("no property is called `{name}`; see properties.csv"));
                return None;
            }
        },
    };
    let scope = Scope { station: there.id, property, position: position.clone() };
    let ids = there.datastreams.iter();
    let streams: Vec<&Datastream> = ids.filter_map(|id| registry.datastream(*id)).collect();
    if !streams.iter().any(|stream| scope.covers(stream)) {
        let names: Vec<&str> = streams.iter().map(|stream| &*stream.name).collect();
        faults.push(format!("nothing of it is measured; {station} has {}", names.join(", ")));
    }
    let mut time = |text: &str| {
        let read = match text {
            NOW => Some(now),
            _ => Timestamp::of_text_or_offset(text, &there.zone),
        };
        if read.is_none() {
            faults.push(format!("`{text}`: expected a time: 2026-03-01, 2026-03-01T08:30 or now"));
        }
        read
    };
    let (from, to) = (time(from), time(to));
    let (from, to) = (from?, to?);
    let length = to.since(from);
    if length <= 0 {
        faults.push(
            "the end is not after the beginning; `--to` is the first instant that counts \
                     again"
                .to_owned(),
        );
    } else if length > SPAN_MAX_MS {
        let days = SPAN_MAX_MS / DAY;
        faults.push(format!("more than {days} days; say it of each year by itself"));
    }
    let flag = if *suspect { Flag::Suspect } else { Flag::Fail };
    Some(Resolved { station: there, property, from, to, flag })
}

fn known_station<'r>(registry: &'r Registry, name: &str) -> Result<&'r Station, String> {
    let found = registry.stations.iter().find(|one| *one.name == *name);
    found.ok_or_else(|| {
        let near = nearest(name, registry.stations.iter().map(|one| &*one.name));
        let near = near.map_or(String::new(), |near| format!("; the nearest is `{near}`"));
        format!("no station is called `{name}`{near}")
    })
}

fn by<'a>(person: &'a str, reason: &'a str, faults: &mut Vec<String>) -> By<'a> {
    let texts = [("person", person, PERSON_BYTES_MAX), ("reason", reason, REASON_BYTES_MAX)];
    for (what, text, most) in texts {
        let wrong = text.trim().is_empty() || text.len() > most;
        if wrong || text.chars().any(char::is_control) {
            faults.push(format!("the {what} is a line of 1 to {most} bytes"));
        }
    }
    By { person, reason }
}

fn span(from: Timestamp, to: Timestamp, zone: &TimeZone) -> String {
    format!("from {} to before {}", from.rfc3339(zone), to.rfc3339(zone))
}

/// Lists what is said of values, the newest last.
pub(super) fn list(view: &View, station: Option<&str>, all: bool) -> Result<Vec<String>, String> {
    let registry = &view.registry;
    let of = match station {
        Some(name) => Some(known_station(registry, name)?.id),
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
