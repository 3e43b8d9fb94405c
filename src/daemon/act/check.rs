//! The result of a check that a technician enters by hand: it is judged as one that a station
//! sends.

use crate::daemon::act::{Answered, Done, by, known_station, span};
use crate::daemon::came::{Came, Refusal};
use crate::daemon::core::Core;
use crate::daemon::said;
use crate::domain::asked::Entered;
use crate::domain::check::{ByCheck, CheckKind};
use crate::domain::input::{Act, By, Input};
use crate::domain::invalidation::{ENDED_KEPT_MS, Scope};
use crate::domain::observation::ObservationResult;
use crate::domain::registry::{Datastream, Registry, Station, check_row};
use crate::domain::time::{DAY, Moment, Timestamp};
use crate::pipeline::check;

/// Takes a check in, if nothing is wrong with it.
pub(super) fn enter(core: &mut Core, now: Moment, entered: &Entered) -> Answered {
    let registry = core.pipeline().registry().clone();
    let mut faults = Vec::new();
    let reason = entered.reason.as_deref();
    let said = by(&entered.person, reason.unwrap_or("none"), &mut faults);
    let said = By { reason: reason.unwrap_or_default(), ..said };
    let resolved = resolve(&registry, entered, now, &mut faults);
    let (Some(of), true) = (resolved, faults.is_empty()) else { return Err(faults) };
    let Resolved { station, datastream, kind, check, passed, at } = of;
    let Entered { value, standard, .. } = *entered;
    let (property, position) = (datastream.property, &*datastream.position);
    let act =
        Act::Check { station: station.id, property, position, kind, value, standard, at, by: said };
    core.take(now, Input::Act(act));
    let broken = || vec![Refusal::Broke];
    let came = core.judged().ok_or_else(broken)?;
    let scope = Scope {
        station: station.id,
        property: Some(property),
        position: Some(position.to_owned()),
    };
    let invalidations = &core.pipeline().state().invalidations;
    let verdict = match (passed, invalidations.by_check(&scope, &check)) {
        (true, _) => "passed".to_owned(),
        (false, None) => {
            format!("failed, and no room is left to say so: {}", Refusal::NoRoom.line())
        }
        (false, Some(one)) => {
            let revoked = if one.revoked.is_some() { ", which is revoked" } else { "" };
            let of = span(one.from, one.to, &station.zone);
            format!("failed; invalidation {}{revoked}: {of}", one.id)
        }
    };
    let unit = registry.property(property).map_or("", |property| registry.unit_label(property));
    let (at, found) = (at.rfc3339(&station.zone), said::found(&check, unit));
    let said = format!("{} of {at} at {}: {found}: {verdict}", said::kind(kind), datastream.name);
    Ok(Done { said: vec![Came::Checked(said)], judged: Some(came), zone: station.zone.clone() })
}

/// What names and words stand for, and how the check is judged.
struct Resolved<'r> {
    station: &'r Station,
    datastream: &'r Datastream,
    kind: CheckKind,
    check: ByCheck,
    passed: bool,
    at: Timestamp,
}

fn resolve<'r>(
    registry: &'r Registry,
    entered: &Entered,
    now: Moment,
    faults: &mut Vec<Refusal>,
) -> Option<Resolved<'r>> {
    let mut wrong = Vec::new();
    let resolved = read(registry, entered, now, (&mut wrong, faults));
    faults.extend(wrong.into_iter().map(Refusal::Check));
    resolved
}

fn read<'r>(
    registry: &'r Registry,
    entered: &Entered,
    now: Moment,
    (faults, known): (&mut Vec<String>, &mut Vec<Refusal>),
) -> Option<Resolved<'r>> {
    let kind = CheckKind::ALL.into_iter().find(|kind| kind.word() == entered.kind);
    if kind.is_none() {
        let words = CheckKind::ALL.map(CheckKind::word).join(", ");
        faults.push(format!("no check is called `{}`; there are {words}", entered.kind));
    }
    let station =
        known_station(registry, &entered.station).map_err(|fault| known.push(fault)).ok()?;
    let datastream = measured(registry, station, entered).map_err(|fault| faults.push(fault));
    let at = time(station, entered, now).map_err(|fault| faults.push(fault));
    for (what, number) in [("--value", Some(entered.value)), ("--standard", entered.standard)] {
        if number.is_some_and(|number| !number.is_finite()) {
            faults.push(format!("{what} is a number"));
        }
    }
    let (Ok(datastream), Ok(at), Some(kind)) = (datastream, at, kind) else { return None };
    let name = registry.property(datastream.property).map_or("", |property| &*property.name);
    if check_row(&registry.checks, kind, datastream).is_none() {
        faults.push(format!(
            "no row of checks.csv says how a {} of {name} is judged; add one, then weir seeds \
             apply",
            said::kind(kind)
        ));
        return None;
    }
    let found = (ObservationResult::Value(entered.value), entered.standard);
    let Some((check, passed)) = check::judge(registry, datastream, kind, at, found) else {
        faults.push("nothing says what should have been found: give --standard".to_owned());
        return None;
    };
    Some(Resolved { station, datastream, kind, check, passed, at })
}

/// Finds the datastream of the property; with several positions, who asks must say at which.
fn measured<'r>(
    registry: &'r Registry,
    station: &Station,
    entered: &Entered,
) -> Result<&'r Datastream, String> {
    let named = &entered.property;
    let property = registry
        .property_called(named)
        .ok_or_else(|| format!("no property is called `{named}`; see properties.csv"))?;
    let ids = station.datastreams.iter();
    let streams: Vec<&Datastream> = ids.filter_map(|id| registry.datastream(*id)).collect();
    let mut positions: Vec<&str> = streams
        .iter()
        .filter(|one| one.property == property.id && one.formulas.is_empty())
        .map(|one| &*one.position)
        .collect();
    positions.sort_unstable();
    positions.dedup();
    let position = match (entered.position.as_deref(), &*positions) {
        (Some(position), _) if positions.contains(&position) => position,
        (None, [position]) => position,
        (_, []) => {
            let names: Vec<&str> = streams.iter().map(|one| &*one.name).collect();
            return Err(format!(
                "it is not measured there; {} has {}",
                station.name,
                names.join(", ")
            ));
        }
        (_, _) => {
            return Err(format!("--position is one of {}", positions.join(", ")));
        }
    };
    let stream = registry.checked_stream(station.id, property.id, position);
    stream.ok_or_else(|| "it is not measured there".to_owned())
}

fn time(station: &Station, entered: &Entered, now: Moment) -> Result<Timestamp, String> {
    let text = &entered.at;
    let at = Timestamp::of_text_or_offset(text, &station.zone)
        .ok_or_else(|| format!("`{text}`: expected a time: 2026-03-01T08:30"))?;
    if at > now.wall {
        return Err(format!("`{text}` is yet to come; a check is entered once it is made"));
    }
    if now.wall.since(at) > ENDED_KEPT_MS {
        let days = ENDED_KEPT_MS / DAY;
        return Err(format!("`{text}` is more than {days} days ago"));
    }
    Ok(at)
}
