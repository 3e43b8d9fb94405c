//! What a person does with alerts, asked for from the shell: names become ids, ends times, and
//! every mistake is told with its mend before anything enters the journal.

use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::daemon::core::Core;
use crate::domain::alert::{AlertId, Route, Severity};
use crate::domain::asked::{Deed, Of, Work};
use crate::domain::desk::{AlertAct, END_MAX_MS, Matcher, SILENCES_MAX, What};
use crate::domain::input::Input;
use crate::domain::invalidation::{PERSON_BYTES_MAX, REASON_BYTES_MAX};
use crate::domain::registry::Registry;
use crate::domain::time::{DAY, HOUR, MINUTE, Moment, SECOND, Timestamp};
use crate::pipeline::state::Desk;
use crate::seed::nearest;

/// How many alerts are named at once at most.
pub const ALERTS_NAMED_MAX: usize = 1_000;

/// Finds what it names, and notes what it does not find.
pub(in crate::daemon) fn matcher(
    of: &Of,
    registry: &Registry,
    faults: &mut Vec<String>,
) -> Matcher {
    let Of { place, station, property, rule, route, severity } = of;
    let mut unknown = |what: &str, name: &str, near: Option<&str>| {
        let near = near.map_or(String::new(), |near| format!("; the nearest is `{near}`"));
        faults.push(format!("no {what} is called `{name}`{near}"));
    };
    let mut matcher = Matcher::default();
    if let Some(name) = place {
        matcher.place = registry.places.iter().find(|one| *one.name == **name).map(|one| one.id);
        if matcher.place.is_none() {
            unknown("place", name, nearest(name, registry.places.iter().map(|one| &*one.name)));
        }
    }
    if let Some(name) = station {
        let mut all = registry.stations.iter();
        matcher.station = all.find(|one| *one.name == **name).map(|one| one.id);
        if matcher.station.is_none() {
            let near = nearest(name, registry.stations.iter().map(|one| &*one.name));
            unknown("station", name, near);
        }
    }
    if let Some(name) = property {
        matcher.property = registry.property_called(name).map(|one| one.id);
        if matcher.property.is_none() {
            let near = nearest(name, registry.properties.iter().map(|one| &*one.name));
            unknown("property", name, near);
        }
    }
    if let Some(name) = rule {
        matcher.rule = registry.rules.iter().find(|one| *one.name == **name).map(|one| one.id);
        if matcher.rule.is_none() {
            unknown("rule", name, nearest(name, registry.rules.iter().map(|one| &*one.name)));
        }
    }
    if let Some(name) = route {
        matcher.route = Route::from_word(name);
        if matcher.route.is_none() {
            unknown("route", name, nearest(name, Route::ALL.map(Route::word).into_iter()));
        }
    }
    if let Some(name) = severity {
        matcher.severity = Severity::from_word(name);
        if matcher.severity.is_none() {
            let words = Severity::ALL.map(Severity::word);
            unknown("severity", name, nearest(name, words.into_iter()));
        }
    }
    matcher
}

/// Says what it names.
#[must_use]
pub fn words(registry: &Registry, matcher: &Matcher) -> String {
    let Matcher { place, station, property, rule, route, severity } = *matcher;
    let place = place.and_then(|id| registry.places.get(id.index()));
    let parts = [
        ("place", place.map(|one| &*one.name)),
        ("station", station.and_then(|id| registry.station(id)).map(|one| &*one.name)),
        ("property", property.and_then(|id| registry.property(id)).map(|one| &*one.name)),
        ("rule", rule.and_then(|id| registry.rule(id)).map(|one| &*one.name)),
        ("route", route.map(Route::word)),
        ("severity up to", severity.map(Severity::word)),
    ];
    let parts = parts.into_iter().filter_map(|(key, name)| Some(format!("{key} {}", name?)));
    parts.collect::<Vec<_>>().join(", ")
}

/// Takes it in, if nothing is wrong with it, and says what was done.
pub(in crate::daemon) fn act(
    core: &mut Core,
    at: Moment,
    asked: &Work,
) -> Result<Vec<String>, Vec<String>> {
    let registry = Arc::clone(core.pipeline().registry());
    let desk = Arc::clone(&core.pipeline().state().desk);
    let mut faults = Vec::new();
    let behalf = asked.behalf.as_deref();
    line("person", &asked.person, PERSON_BYTES_MAX, &mut faults);
    behalf.iter().for_each(|text| line("person of `--for`", text, PERSON_BYTES_MAX, &mut faults));
    let (needs, what) = match asked.deed {
        Deed::Comment { .. } => (true, "comment"),
        Deed::Silence { .. } => (true, "reason"),
        Deed::Acknowledge { .. }
        | Deed::Undo { .. }
        | Deed::Shelve { .. }
        | Deed::EndSilence { .. } => (false, "comment"),
    };
    if needs || !asked.words.is_empty() {
        line(what, &asked.words, REASON_BYTES_MAX, &mut faults);
    }
    let deeds = deeds(&asked.deed, (&registry, &desk), at, &mut faults);
    if !faults.is_empty() {
        return Err(faults);
    }
    let mut said = Vec::new();
    for (what, words) in deeds {
        let (person, behalf) = (asked.person.clone(), asked.behalf.clone());
        let act = AlertAct { what, person, words: asked.words.clone(), behalf };
        core.take(at, Input::AlertAct(Arc::new(act)));
        said.push(words);
    }
    Ok(said)
}

fn deeds(
    deed: &Deed,
    (registry, desk): (&Registry, &Desk),
    at: Moment,
    faults: &mut Vec<String>,
) -> Vec<(What, String)> {
    let mut said = Vec::new();
    let until = match deed {
        Deed::Acknowledge { until, .. } => until.as_deref(),
        Deed::Shelve { until, .. } | Deed::Silence { until, .. } => Some(until.as_str()),
        Deed::Comment { .. } | Deed::Undo { .. } | Deed::EndSilence { .. } => None,
    };
    let ends = until.and_then(|text| end(text, at.wall, faults));
    match deed {
        Deed::Acknowledge { alerts, .. } => {
            for alert in standing(desk, alerts, true, faults) {
                let what = What::Acknowledge { alert, until: ends };
                said.push((what, format!("{} is acknowledged", alert.0)));
            }
        }
        Deed::Comment { alerts } => {
            for alert in standing(desk, alerts, false, faults) {
                said.push((What::Comment(alert), format!("{} has a comment", alert.0)));
            }
        }
        Deed::Undo { alerts } => {
            for alert in standing(desk, alerts, false, faults) {
                let held = desk.get(alert);
                let done = held
                    .is_some_and(|one| one.acknowledged.is_some() || one.shelved_until.is_some());
                if !done {
                    faults.push(format!("{} is neither acknowledged nor shelved", alert.0));
                }
                said.push((What::Undo(alert), format!("{} waits for somebody again", alert.0)));
            }
        }
        Deed::Shelve { alerts, .. } => {
            let Some(until) = ends else { return said };
            for alert in standing(desk, alerts, true, faults) {
                said.push((What::Shelve { alert, until }, format!("{} is shelved", alert.0)));
            }
        }
        Deed::Silence { of, .. } => {
            let known = faults.len();
            let matcher = matcher(of, registry, faults);
            if matcher.is_empty() && faults.len() == known {
                faults.push(
                    "a silence of everything: say `--station`, `--place`, `--property`, `--rule`, \
                     `--route`, or a `--severity` less than critical"
                        .to_owned(),
                );
            }
            if !desk.has_room(at.wall) {
                faults.push(format!("{SILENCES_MAX} silences are held, the most; end one"));
            }
            let Some(until) = ends else { return said };
            let id = desk.next_silence();
            let words = format!("silence {id}: {}", words(registry, &matcher));
            said.push((What::Silence { id, matcher, until }, words));
        }
        Deed::EndSilence { id } => {
            if desk.silences(at.wall).all(|(one, _)| one != *id) {
                faults.push(format!("there is no silence {id}; see weir alerts silence ls"));
            }
            said.push((What::EndSilence(*id), format!("silence {id} has ended")));
        }
    }
    said
}

/// Gives the alerts that stand, and notes those that don't.
fn standing(desk: &Desk, alerts: &[u64], fires: bool, faults: &mut Vec<String>) -> Vec<AlertId> {
    if alerts.len() > ALERTS_NAMED_MAX {
        faults.push(format!("more than {ALERTS_NAMED_MAX} alerts; name them in parts"));
    }
    for alert in alerts {
        match desk.get(AlertId(*alert)) {
            None => faults.push(format!("no alert {alert} is open; see weir alerts ls")),
            Some(one) if fires && !one.fires() => {
                faults.push(format!("{alert} has ended: {}", one.event.change.word()));
            }
            Some(_) => {}
        }
    }
    alerts.iter().map(|alert| AlertId(*alert)).collect()
}

fn line(what: &str, text: &str, most: usize, faults: &mut Vec<String>) {
    let wrong = text.trim().is_empty() || text.len() > most;
    if wrong || text.chars().any(char::is_control) {
        faults.push(format!("the {what} is a line of 1 to {most} bytes"));
    }
}

/// Reads an end: a length from now on, or a time.
fn end(text: &str, now: Timestamp, faults: &mut Vec<String>) -> Option<Timestamp> {
    let at = length(text).map(|ms| now.plus(ms));
    let at = at.or_else(|| Timestamp::of_text_or_offset(text, &TimeZone::UTC));
    let Some(at) = at else {
        faults.push(format!("`{text}`: expected an end such as 8h, 2d or 2026-06-01T08:30"));
        return None;
    };
    if at <= now {
        faults.push(format!("`{text}`: the end is in the past"));
    } else if at.since(now) > END_MAX_MS {
        faults.push(format!("`{text}`: more than {} days from now", END_MAX_MS / DAY));
    }
    Some(at)
}

/// Reads a length such as `90m`, `8h` or `2d`, ms.
#[must_use]
pub fn length(text: &str) -> Option<i64> {
    let units = [('s', SECOND), ('m', MINUTE), ('h', HOUR), ('d', DAY), ('w', 7 * DAY)];
    let (unit, ms) = units.into_iter().find(|(unit, _)| text.ends_with(*unit))?;
    let count: u32 = text.strip_suffix(unit)?.parse().ok()?;
    Some(i64::from(count) * ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: Result<i64, &str>) {
        let mut faults = Vec::new();
        let ends = end(text, Timestamp(1_000), &mut faults);
        match want {
            Ok(ms) => assert_eq!((ends, faults), (Some(Timestamp(ms)), Vec::new()), "{text}"),
            Err(words) => assert!(faults.concat().contains(words), "{text}: {faults:?}"),
        }
    }

    #[test]
    fn an_end_is_a_length_or_a_time() {
        check("90m", Ok(1_000 + 90 * MINUTE));
        check("8h", Ok(1_000 + 8 * HOUR));
        check("2d", Ok(1_000 + 2 * DAY));
        check("1970-01-02T00:00:00+00:00", Ok(DAY));
        check("1970-01-01T00:00:00Z", Err("the end is in the past"));
        check("53w", Err("more than 366 days"));
        check("soon", Err("expected an end such as 8h"));
        check("-3h", Err("expected an end"));
    }
}
