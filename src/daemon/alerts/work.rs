//! What a person does with alerts, asked for from the shell: names become ids, ends times, and
//! every mistake is told with its mend before anything enters the journal.

use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::daemon::came::{Called, Came, Field, Refusal};
use crate::daemon::core::Core;
use crate::domain::alert::{AlertId, Route, Severity, Subject};
use crate::domain::asked::{Deed, Of, Work};
use crate::domain::desk::{AlertAct, END_MAX_MS, Matcher, What, place_of, station_of};
use crate::domain::input::Input;
use crate::domain::invalidation::{PERSON_BYTES_MAX, REASON_BYTES_MAX};
use crate::domain::registry::Registry;
use crate::domain::time::{DAY, HOUR, MINUTE, Moment, SECOND, Timestamp};
use crate::http::view::Text;
use crate::pipeline::state::Desk;

/// How many alerts are named at once at most.
pub const ALERTS_NAMED_MAX: usize = 1_000;

/// Finds what it names, and notes what it does not find.
pub(in crate::daemon) fn matcher(
    of: &Of,
    registry: &Registry,
    faults: &mut Vec<Refusal>,
) -> Matcher {
    let Of { place, station, property, rule, route, severity } = of;
    let mut matcher = Matcher::default();
    if let Some(name) = place {
        matcher.place = registry.places.iter().find(|one| *one.name == **name).map(|one| one.id);
        if matcher.place.is_none() {
            let known = registry.places.iter().map(|one| &*one.name);
            faults.push(Refusal::unknown(Called::Place, name, known));
        }
    }
    if let Some(name) = station {
        let mut all = registry.stations.iter();
        matcher.station = all.find(|one| *one.name == **name).map(|one| one.id);
        if matcher.station.is_none() {
            let known = registry.stations.iter().map(|one| &*one.name);
            faults.push(Refusal::unknown(Called::Station, name, known));
        }
    }
    if let Some(name) = property {
        matcher.property = registry.property_called(name).map(|one| one.id);
        if matcher.property.is_none() {
            let known = registry.properties.iter().map(|one| &*one.name);
            faults.push(Refusal::unknown(Called::Property, name, known));
        }
    }
    if let Some(name) = rule {
        matcher.rule = registry.rules.iter().find(|one| *one.name == **name).map(|one| one.id);
        if matcher.rule.is_none() {
            let known = registry.rules.iter().map(|one| &*one.name);
            faults.push(Refusal::unknown(Called::Rule, name, known));
        }
    }
    if let Some(name) = route {
        matcher.route = Route::from_word(name);
        if matcher.route.is_none() {
            let known = Route::ALL.map(Route::word).into_iter();
            faults.push(Refusal::unknown(Called::Route, name, known));
        }
    }
    if let Some(name) = severity {
        matcher.severity = Severity::from_word(name);
        if matcher.severity.is_none() {
            let words = Severity::ALL.map(Severity::word);
            faults.push(Refusal::unknown(Called::Severity, name, words.into_iter()));
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

/// Says what it names as people call it.
#[must_use]
pub fn called(registry: &Registry, matcher: &Matcher) -> Text {
    let Matcher { place, station, property, rule, route, severity } = *matcher;
    let place = place.and_then(|id| registry.places.get(id.index()));
    let station = station.and_then(|id| registry.station(id));
    let property = property.and_then(|id| registry.property(id));
    let rule = rule.and_then(|id| registry.rule(id));
    let parts = [
        place.map(|one| Text::new(&*one.name_en, &*one.name_zh)),
        station.map(|one| Text::new(&*one.name_en, &*one.name_zh)),
        property.map(|one| Text::new(&*one.name_en, &*one.name_zh)),
        rule.map(|one| Text::new(format!("rule {}", one.name), format!("规则 {}", one.name))),
        route.map(|one| {
            Text::new(format!("route {}", one.word()), format!("路线 {}", one.word_zh()))
        }),
        severity.map(|one| {
            let zh = format!("级别不高于{}", one.word_zh());
            Text::new(format!("severity up to {}", one.word()), zh)
        }),
    ];
    let (en, zh): (Vec<String>, Vec<String>) =
        parts.into_iter().flatten().map(|one| (one.en, one.zh)).unzip();
    Text::new(en.join(", "), zh.join("，"))
}

/// Takes it in, if nothing is wrong with it, and says what was done.
pub(in crate::daemon) fn act(
    core: &mut Core,
    at: Moment,
    asked: &Work,
) -> Result<Vec<Came>, Vec<Refusal>> {
    let registry = Arc::clone(core.pipeline().registry());
    let desk = Arc::clone(&core.pipeline().state().desk);
    let mut faults = Vec::new();
    let behalf = asked.behalf.as_deref();
    line(Field::Person, &asked.person, PERSON_BYTES_MAX, &mut faults);
    behalf.iter().for_each(|text| line(Field::Behalf, text, PERSON_BYTES_MAX, &mut faults));
    let (needs, field) = match asked.deed {
        Deed::Comment { .. } => (true, Field::Comment),
        Deed::Silence { .. } | Deed::SilenceEach { .. } => (true, Field::Reason),
        Deed::Acknowledge { .. }
        | Deed::Undo { .. }
        | Deed::Shelve { .. }
        | Deed::EndSilence { .. } => (false, Field::Comment),
    };
    if needs || !asked.words.is_empty() {
        line(field, &asked.words, REASON_BYTES_MAX, &mut faults);
    }
    let home = core.home();
    let (deeds, came) = deeds(&asked.deed, (&registry, &desk), (at, home), &mut faults);
    if !faults.is_empty() {
        return Err(faults);
    }
    for what in deeds {
        let (person, behalf) = (asked.person.clone(), asked.behalf.clone());
        let act = AlertAct { what, person, words: asked.words.clone(), behalf };
        core.take(at, Input::AlertAct(Arc::new(act)));
    }
    Ok(came)
}

/// Gives what is to be done, and what is said once it is.
fn deeds(
    deed: &Deed,
    (registry, desk): (&Registry, &Desk),
    (at, home): (Moment, &TimeZone),
    faults: &mut Vec<Refusal>,
) -> (Vec<What>, Vec<Came>) {
    let until = match deed {
        Deed::Acknowledge { until, .. } => until.as_deref(),
        Deed::Shelve { until, .. }
        | Deed::Silence { until, .. }
        | Deed::SilenceEach { until, .. } => Some(until.as_str()),
        Deed::Comment { .. } | Deed::Undo { .. } | Deed::EndSilence { .. } => None,
    };
    let ends = until.and_then(|text| end(text, (at.wall, home), faults));
    let each = |alerts: &[u64], what: &dyn Fn(AlertId) -> What| {
        alerts.iter().map(|alert| what(AlertId(*alert))).collect()
    };
    match deed {
        Deed::Acknowledge { alerts, .. } => {
            standing(desk, alerts, true, faults);
            let deeds = each(alerts, &|alert| What::Acknowledge { alert, until: ends });
            (deeds, vec![Came::Acknowledged(alerts.clone())])
        }
        Deed::Comment { alerts } => {
            standing(desk, alerts, false, faults);
            (each(alerts, &What::Comment), vec![Came::Commented(alerts.clone())])
        }
        Deed::Undo { alerts } => {
            standing(desk, alerts, false, faults);
            for one in alerts.iter().filter(|alert| !is_done(desk, AlertId(**alert))) {
                faults.push(Refusal::NotDone(*one));
            }
            (each(alerts, &What::Undo), vec![Came::Undone(alerts.clone())])
        }
        Deed::Shelve { alerts, .. } => {
            standing(desk, alerts, true, faults);
            let Some(until) = ends else { return Default::default() };
            let deeds = each(alerts, &|alert| What::Shelve { alert, until });
            (deeds, vec![Came::Shelved(alerts.clone())])
        }
        Deed::Silence { of, .. } => {
            let known = faults.len();
            let matcher = matcher(of, registry, faults);
            if matcher.is_empty() && faults.len() == known {
                faults.push(Refusal::SilenceOfAll);
            }
            let Some(until) = ends else { return Default::default() };
            silences((registry, desk), at, (&[matcher], until), faults)
        }
        Deed::SilenceEach { alerts, .. } => {
            standing(desk, alerts, true, faults);
            let of = matchers((registry, desk), alerts, faults);
            let Some(until) = ends else { return Default::default() };
            let (deeds, mut came) = silences((registry, desk), at, (&of, until), faults);
            came.insert(0, Came::SilencedAll(of.len()));
            (deeds, came)
        }
        Deed::EndSilence { id } => {
            if desk.silences(at.wall).all(|(one, _)| one != *id) {
                faults.push(Refusal::NoSilence(*id));
            }
            (vec![What::EndSilence(*id)], vec![Came::SilenceEnded(*id)])
        }
    }
}

/// Silences what matchers match, each by itself.
fn silences(
    (registry, desk): (&Registry, &Desk),
    at: Moment,
    (of, until): (&[Matcher], Timestamp),
    faults: &mut Vec<Refusal>,
) -> (Vec<What>, Vec<Came>) {
    if desk.room(at.wall) < of.len() {
        faults.push(Refusal::SilencesFull);
    }
    let silence = |(id, matcher): (u64, &Matcher)| {
        let of = Text::new(words(registry, matcher), called(registry, matcher).zh);
        (What::Silence { id, matcher: *matcher, until }, Came::Silenced { id, of })
    };
    (desk.next_silence()..).zip(of).map(silence).unzip()
}

/// Gives what alerts are about, each once: station and property where it is the values of a
/// datastream, else the station or place and the rule.
fn matchers(
    (registry, desk): (&Registry, &Desk),
    alerts: &[u64],
    faults: &mut Vec<Refusal>,
) -> Vec<Matcher> {
    let mut found = Vec::new();
    for alert in alerts {
        let Some(event) = desk.get(AlertId(*alert)).map(|one| &one.event) else { continue };
        let own = match event.subject {
            Subject::Datastream(id) => registry.datastream(id),
            Subject::Station(_)
            | Subject::Weir { .. }
            | Subject::Evaluated { .. }
            | Subject::Device(_)
            | Subject::Network(_) => None,
        };
        let (property, rule) = (own.map(|one| one.property), Some(event.rule));
        let rule = rule.filter(|_| property.is_none());
        let station = station_of(registry, event.subject);
        let place = place_of(registry, event.subject).filter(|_| station.is_none());
        if station.is_none() && place.is_none() {
            faults.push(Refusal::NoMatcher(*alert));
            continue;
        }
        let matcher = Matcher { place, station, property, rule, ..Matcher::default() };
        if !found.contains(&matcher) {
            found.push(matcher);
        }
    }
    found
}

/// Says whether an alert has something to be undone.
fn is_done(desk: &Desk, alert: AlertId) -> bool {
    let held = desk.get(alert);
    held.is_some_and(|one| one.acknowledged.is_some() || one.shelved_until.is_some())
}

/// Notes the alerts that don't stand.
pub(in crate::daemon) fn standing(
    desk: &Desk,
    alerts: &[u64],
    fires: bool,
    faults: &mut Vec<Refusal>,
) {
    if alerts.is_empty() {
        faults.push(Refusal::NoneNamed);
    }
    if alerts.len() > ALERTS_NAMED_MAX {
        faults.push(Refusal::TooMany(ALERTS_NAMED_MAX));
    }
    for alert in alerts {
        match desk.get(AlertId(*alert)) {
            None => faults.push(Refusal::NoAlert(*alert)),
            Some(one) if fires && !one.fires() => {
                faults.push(Refusal::Ended { alert: *alert, how: one.event.change.word() });
            }
            Some(_) => {}
        }
    }
}

/// Notes a text that is no line of so many bytes.
pub(in crate::daemon) fn line(field: Field, text: &str, most: usize, faults: &mut Vec<Refusal>) {
    let wrong = text.trim().is_empty() || text.len() > most;
    if wrong || text.chars().any(char::is_control) {
        faults.push(Refusal::NoLine { field, most });
    }
}

/// Reads an end: a length from now on, or a time, of the zone of weir where it states none.
fn end(
    text: &str,
    (now, home): (Timestamp, &TimeZone),
    faults: &mut Vec<Refusal>,
) -> Option<Timestamp> {
    let at = length(text).map(|ms| now.plus(ms));
    let at = at.or_else(|| Timestamp::of_text_or_offset(text, home));
    let Some(at) = at else {
        faults.push(Refusal::NoEnd(text.to_owned()));
        return None;
    };
    if at <= now {
        faults.push(Refusal::Past(text.to_owned()));
    } else if at.since(now) > END_MAX_MS {
        faults.push(Refusal::TooFar(text.to_owned()));
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
        let home = TimeZone::fixed(jiff::tz::offset(8));
        let ends = end(text, (Timestamp(1_000), &home), &mut faults);
        match want {
            Ok(ms) => assert_eq!((ends, faults), (Some(Timestamp(ms)), Vec::new()), "{text}"),
            Err(words) => assert!(faults[0].line().contains(words), "{text}: {faults:?}"),
        }
    }

    #[test]
    fn an_end_is_a_length_or_a_time() {
        check("90m", Ok(1_000 + 90 * MINUTE));
        check("8h", Ok(1_000 + 8 * HOUR));
        check("2d", Ok(1_000 + 2 * DAY));
        check("1970-01-02T00:00:00+00:00", Ok(DAY));
        check("1970-01-02T08:00", Ok(DAY));
        check("1970-01-02 08:00", Ok(DAY));
        check("1970-01-01T00:00:00Z", Err("the end is in the past"));
        check("53w", Err("more than 366 days"));
        check("soon", Err("expected an end such as 8h"));
        check("-3h", Err("expected an end"));
    }
}
