//! What the pages of alerts are given: those that fire, as they are wanted; silences; what
//! happened.

mod spark;
mod tested;
#[cfg(test)]
pub(super) mod tests;
mod whole;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use jiff::tz::TimeZone;
use serde_json::Value;

use crate::daemon::alerts::open::{self, Happened, Open};
use crate::daemon::alerts::{trial, work};
use crate::daemon::page::times::{clock, offset};
use crate::daemon::page::{Observer, speakers};
use crate::daemon::status::View;
use crate::domain::alert::{AlertEvent, Route, Severity, Subject};
use crate::domain::asked::Of;
use crate::domain::desk::{Matcher, place_of, station_of};
use crate::domain::name::PlaceId;
use crate::domain::registry::{ObservedProperty, Registry};
use crate::domain::time::Timestamp;
use crate::http::view::Text;
use crate::http::view::alerts::{
    AlertsView, ChoiceView, CountView, HappenedView, HistoryView, NamedView, NamesView, RowView,
    SilenceView, SilencesView, Source, Wanted,
};
use crate::journal::Error;
use crate::journal::read::Reader;
use crate::notify::{Letterhead, in_row};
use crate::pipeline::state::Silence;

/// How many alerts one part of the list shows; the others stand on further ones.
const ROWS_SHOWN_MAX: usize = 50;
/// How many places, stations, properties the list can be narrowed by in a choice, those with the
/// most alerts; others are searched for.
const OPTIONS_SHOWN_MAX: usize = 60;
/// How many silences are shown, those that end first; all are counted.
const SILENCES_SHOWN_MAX: usize = 100;
/// How many contacts are offered where an alert is given to somebody; others are written.
const CONTACTS_SHOWN_MAX: usize = 200;
/// How many changes and deeds one part of the history shows; what was before stands on further
/// ones.
const HAPPENED_SHOWN_MAX: usize = 100;

/// Gives what the pages of alerts show.
pub(super) fn source(observer: &Arc<Observer>) -> Source {
    let [list, silences, history, one] = [(); 4].map(|()| Arc::clone(observer));
    let head = Arc::new(observer.config.letterhead());
    let [list_head, silences_head, history_head] = [(); 3].map(|()| Arc::clone(&head));
    Source {
        list: Box::new(move |wanted| {
            let of = |view: &View| Looked { view, head: &list_head }.list(wanted);
            list.status.view.load().as_deref().map(of).unwrap_or_default()
        }),
        silences: Box::new(move || {
            let of = |view: &View| Looked { view, head: &silences_head }.silences();
            silences.status.view.load().as_deref().map(of).unwrap_or_default()
        }),
        history: Box::new(move |before| {
            let reader = history.reader.lock().unwrap_or_else(PoisonError::into_inner);
            said(happened_before(&reader, before.map(Timestamp), &history_head.home))
                .unwrap_or_default()
        }),
        one: Box::new(move |id| {
            let held = one.status.view.load();
            let looked = Looked { view: held.as_deref()?, head: &head };
            let reader = one.reader.lock().unwrap_or_else(PoisonError::into_inner);
            said(looked.whole(&reader, id)).flatten()
        }),
    }
}

/// Gives the silences in force, those first that end first.
pub(super) fn silences(view: &View, head: &Letterhead) -> SilencesView {
    Looked { view, head }.silences()
}

fn said<T>(read: Result<T, Error>) -> Option<T> {
    read.inspect_err(|error| tracing::warn!(%error, "The page lacks what the journal says.")).ok()
}

/// Where it is looked.
struct Looked<'a> {
    view: &'a View,
    head: &'a Letterhead,
}

impl<'a> Looked<'a> {
    fn registry(&self) -> &'a Registry {
        &self.view.registry
    }

    fn now(&self) -> Timestamp {
        self.view.at.wall
    }

    /// Writes a time in the zone of weir.
    fn clock(&self, at: Timestamp) -> String {
        clock(at, &self.head.home, self.now())
    }

    /// Writes a time in the zone of a station, and that zone where it is another.
    fn clock_at(&self, at: Timestamp, zone: &TimeZone) -> String {
        let words = clock(at, zone, self.now());
        let there = offset(zone, at);
        if there == offset(&self.head.home, at) { words } else { format!("{words} {there}") }
    }

    fn list(&self, wanted: &Wanted) -> AlertsView {
        let (registry, now) = (self.registry(), self.now());
        let all = open::firing((registry, &self.view.desk), now, |_| true);
        let fits = self.narrowing(wanted);
        let fitting: Vec<&Open<'_>> = all.iter().filter(|one| fits(one)).collect();
        let told = || fitting.iter().filter(|one| one.held.is_none());
        let counts = [Severity::Critical, Severity::Warning, Severity::Notice].map(|severity| {
            let count = told().filter(|one| one.severity == severity).count();
            let severity = severity.word().to_owned();
            counted(wanted, &severity.clone(), count, |wanted| wanted.severity = severity)
        });
        let waiting = told().filter(|one| one.standing.acknowledged.is_none()).count();
        let held = fitting.iter().filter(|one| one.held.is_some()).count();
        let in_state = |wanted: &mut Wanted, state: &str| state.clone_into(&mut wanted.state);
        let mut listed: Vec<&Open<'_>> =
            fitting.iter().copied().filter(|one| is_listed(one, wanted)).collect();
        match &*wanted.sort {
            "newest" => listed.sort_by_key(|one| Reverse((one.standing.event.since, one.id))),
            "oldest" => listed.sort_by_key(|one| (one.standing.event.since, one.id)),
            "name" => {
                listed.sort_by_cached_key(|one| trial::name(registry, one.standing.event.subject))
            }
            _ => {}
        }
        let parts = listed.len().div_ceil(ROWS_SHOWN_MAX).max(1);
        let page = wanted.page.clamp(1, parts);
        let skipped = (page - 1) * ROWS_SHOWN_MAX;
        let rows = listed.iter().skip(skipped).take(ROWS_SHOWN_MAX);
        let rows: Vec<RowView> = rows.map(|one| self.row(one)).collect();
        let part = |page: usize| Wanted { page, ..wanted.clone() }.address();
        AlertsView {
            at: self.clock(now),
            zone: offset(&self.head.home, now),
            wanted: wanted.clone(),
            narrowed: wanted.narrows(),
            counts: counts.to_vec(),
            waiting: counted(wanted, "waiting", waiting, |of| in_state(of, "waiting")),
            held: counted(wanted, "held", held, |of| in_state(of, "held")),
            firing: all.len(),
            choices: self.choices(wanted, &all),
            first: if rows.is_empty() { 0 } else { skipped + 1 },
            last: skipped + rows.len(),
            rows,
            of: listed.len(),
            before: if page > 1 { part(page - 1) } else { String::new() },
            after: if page < parts { part(page + 1) } else { String::new() },
            stations: if all.is_empty() { speakers(self.view).len() } else { 0 },
            people: contacts(self.head),
        }
    }

    /// Gives what says whether an alert is of what is wanted, whatever its state and severity.
    fn narrowing(&self, wanted: &Wanted) -> impl Fn(&Open<'_>) -> bool {
        let own = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let of = Of {
            place: own(&wanted.place),
            station: own(&wanted.station),
            property: own(&wanted.property),
            route: own(&wanted.route),
            ..Of::default()
        };
        let registry = self.registry();
        let mut faults = Vec::new();
        let matcher = work::matcher(&of, registry, &mut faults);
        let search = wanted.search.to_lowercase();
        move |one| {
            let event = &one.standing.event;
            // Of what nobody knows there is nothing.
            faults.is_empty()
                && matcher.fits(registry, event, one.severity)
                && (search.is_empty() || called(registry, one).contains(&search))
        }
    }

    fn row(&self, one: &Open<'_>) -> RowView {
        let (registry, event) = (self.registry(), &one.standing.event);
        let station = station_of(registry, event.subject).and_then(|id| registry.station(id));
        let zone = station.map_or(&self.head.home, |station| &station.zone);
        let route = registry.rule(event.rule).map_or("", |rule| rule.route.word());
        RowView {
            id: one.id.0,
            severity: one.severity.word().to_owned(),
            route: route.to_owned(),
            sentence: sentence(registry, event, self.head),
            station: station.map_or(String::new(), |station| station.name.to_string()),
            since: self.clock_at(event.since, zone),
            since_full: event.since.rfc3339(zone),
            state: open::state(registry, one, &|at| self.clock(at)),
            waits: one.held.is_none() && one.standing.acknowledged.is_none(),
            unconfirmed: event.unconfirmed,
        }
    }

    /// Gives what the list can be narrowed by, with what fires of each.
    fn choices(&self, wanted: &Wanted, all: &[Open<'_>]) -> Vec<ChoiceView> {
        let registry = self.registry();
        let mut found: [BTreeMap<&str, NamedView>; 3] = Default::default();
        let [places, stations, properties] = &mut found;
        for one in all {
            let subject = one.standing.event.subject;
            let station = station_of(registry, subject).and_then(|id| registry.station(id));
            if let Some(station) = station {
                count(stations, &station.name, &station.name_en, &station.name_zh);
            }
            for id in lies_in(registry, place_of(registry, subject)) {
                let Some(place) = registry.places.get(id.index()) else { continue };
                count(places, &place.name, &place.name_en, &place.name_zh);
            }
            if let Some(property) = property_of(registry, subject) {
                count(properties, &property.name, &property.name_en, &property.name_zh);
            }
        }
        let [places, stations, properties] = found;
        let choice = |name: &str, label: Text, chosen: &str, options: Vec<NamedView>| ChoiceView {
            name: name.to_owned(),
            label,
            chosen: chosen.to_owned(),
            options: with_chosen(options, chosen),
        };
        let told = [
            named("waiting", "waits for somebody", "待处理"),
            named("acknowledged", "acknowledged", "已确认"),
            named("held", "hidden: nobody is told", "已隐藏（不通知）"),
        ];
        let severities = [Severity::Critical, Severity::Warning, Severity::Notice]
            .map(|one| named(one.word(), one.word(), one.word_zh()));
        let routes = Route::ALL.map(|one| named(one.word(), one.word(), one.word_zh()));
        vec![
            choice("place", Text::new("place", "地点"), &wanted.place, most(places)),
            choice("station", Text::new("station", "站点"), &wanted.station, most(stations)),
            choice("property", Text::new("property", "项目"), &wanted.property, most(properties)),
            choice(
                "severity",
                Text::new("severity", "级别"),
                &wanted.severity,
                severities.to_vec(),
            ),
            choice("route", Text::new("route", "通知路线"), &wanted.route, routes.to_vec()),
            choice("state", Text::new("state", "状态"), &wanted.state, told.to_vec()),
        ]
    }

    fn silences(&self) -> SilencesView {
        let (registry, now) = (self.registry(), self.now());
        let mut all: Vec<(u64, &Silence)> = self.view.desk.silences(now).collect();
        all.sort_by_key(|(id, one)| (one.until, *id));
        let firing = open::firing((registry, &self.view.desk), now, |_| true);
        let covers = |matcher: &Matcher| {
            let fits = |one: &&Open<'_>| matcher.fits(registry, &one.standing.event, one.severity);
            firing.iter().filter(fits).count()
        };
        let rows = all.iter().take(SILENCES_SHOWN_MAX).map(|(id, one)| {
            let covers = covers(&one.matcher);
            SilenceView { covers, ..self.silence(*id, one) }
        });
        let called = |name: &str, en: &str, zh: &str| named(name, en, zh);
        let places = registry.places.iter().take(SILENCES_SHOWN_MAX);
        let properties = registry.properties.iter().take(SILENCES_SHOWN_MAX);
        let rules = registry.rules.iter().take(SILENCES_SHOWN_MAX);
        SilencesView {
            zone: offset(&self.head.home, now),
            rows: rows.collect(),
            of: all.len(),
            names: NamesView {
                places: places.map(|one| called(&one.name, &one.name_en, &one.name_zh)).collect(),
                properties: properties
                    .map(|one| called(&one.name, &one.name_en, &one.name_zh))
                    .collect(),
                rules: rules.map(|one| called(&one.name, &one.name, &one.name)).collect(),
            },
        }
    }

    fn silence(&self, id: u64, one: &Silence) -> SilenceView {
        SilenceView {
            id,
            of: work::called(self.registry(), &one.matcher),
            covers: 0,
            from: self.clock(one.at),
            until: self.clock(one.until),
            person: one.person.clone(),
            reason: one.reason.clone(),
        }
    }
}

/// Gives the operators of stations with whom is to be called there.
fn contacts(head: &Letterhead) -> Vec<NamedView> {
    let contacts = head.contacts.iter().take(CONTACTS_SHOWN_MAX);
    contacts.map(|(name, contact)| named(name, contact, contact)).collect()
}

/// Says whether an alert that fits is listed, by its severity and state.
fn is_listed(one: &Open<'_>, wanted: &Wanted) -> bool {
    let severe = wanted.severity.is_empty() || one.severity.word() == wanted.severity;
    let acknowledged = one.standing.acknowledged.is_some();
    severe
        && match &*wanted.state {
            "waiting" => one.held.is_none() && !acknowledged,
            "acknowledged" => one.held.is_none() && acknowledged,
            "held" => one.held.is_some(),
            _ => one.held.is_none(),
        }
}

/// Counts something and gives the address of its list: what is wanted, but for what `change` says.
fn counted(
    wanted: &Wanted,
    word: &str,
    count: usize,
    change: impl FnOnce(&mut Wanted),
) -> CountView {
    let mut of = Wanted { page: 1, ..wanted.clone() };
    change(&mut of);
    CountView { word: word.to_owned(), count, address: of.address() }
}

/// Gives everything that an alert may be called by, in small letters.
fn called(registry: &Registry, one: &Open<'_>) -> String {
    let event = &one.standing.event;
    let mut words = format!("{} {}", one.id.0, trial::name(registry, event.subject));
    let station = station_of(registry, event.subject).and_then(|id| registry.station(id));
    let place = place_of(registry, event.subject).and_then(|id| registry.places.get(id.index()));
    let property = property_of(registry, event.subject);
    let rule = registry.rule(event.rule).map(|rule| &rule.name);
    let station = station.into_iter().flat_map(|one| [&one.name_en, &one.name_zh]);
    let place = place.into_iter().flat_map(|one| [&one.name_en, &one.name_zh]);
    let property = property.into_iter().flat_map(|one| [&one.name_en, &one.name_zh, &one.symbol]);
    for name in station.chain(place).chain(property).chain(rule) {
        words.push(' ');
        words.push_str(name);
    }
    words.to_lowercase()
}

/// Gives the property that an alert is about, where it is about one.
fn property_of(registry: &Registry, subject: Subject) -> Option<&ObservedProperty> {
    let Subject::Datastream(id) = subject else { return None };
    registry.property(registry.datastream(id)?.property)
}

/// Gives a place and what it lies in.
fn lies_in(registry: &Registry, place: Option<PlaceId>) -> impl Iterator<Item = PlaceId> {
    std::iter::successors(place, |id| registry.places.get(id.index())?.part_of)
}

fn count<'r>(found: &mut BTreeMap<&'r str, NamedView>, name: &'r str, en: &str, zh: &str) {
    found.entry(name).or_insert_with(|| named(name, en, zh)).count += 1;
}

/// Gives those with the most alerts, in the order of their names.
fn most(found: BTreeMap<&str, NamedView>) -> Vec<NamedView> {
    let mut all: Vec<NamedView> = found.into_values().collect();
    if all.len() > OPTIONS_SHOWN_MAX {
        all.sort_by_key(|one| Reverse(one.count));
        all.truncate(OPTIONS_SHOWN_MAX);
        all.sort_by(|one, other| one.name.cmp(&other.name));
    }
    all
}

/// Adds what was chosen where it is none of the options, so that the form keeps it.
fn with_chosen(mut options: Vec<NamedView>, chosen: &str) -> Vec<NamedView> {
    if !chosen.is_empty() && options.iter().all(|one| one.name != chosen) {
        options.push(named(chosen, chosen, chosen));
    }
    options
}

fn named(name: &str, en: &str, zh: &str) -> NamedView {
    NamedView { name: name.to_owned(), words: Text::new(en, zh), count: 0 }
}

/// Gives what happened before a time, the newest first.
fn happened_before(
    reader: &Reader,
    before: Option<Timestamp>,
    home: &TimeZone,
) -> Result<HistoryView, Error> {
    let most = u32::try_from(HAPPENED_SHOWN_MAX + 1).unwrap_or(u32::MAX);
    let changes = reader.alert_history((None, before), most)?;
    let acts = reader.alert_acts(None, (None, before), most)?;
    let mut all = open::happened(&changes, &acts);
    all.reverse();
    let mut older = String::new();
    if let Some(cut) = all.get(HAPPENED_SHOWN_MAX).map(Happened::at) {
        all.truncate(HAPPENED_SHOWN_MAX);
        // What happened at one instant stands together, unless that were all.
        let after = all.iter().filter(|one| one.at() > cut).count();
        let from = if after > 0 { cut.plus(1) } else { cut };
        all.truncate(if after > 0 { after } else { HAPPENED_SHOWN_MAX });
        older = format!("/alerts/history?before={}", from.millis());
    }
    let now = before.or(all.first().map(Happened::at)).unwrap_or_default();
    let rows = all.iter().map(|one| happened(one, &|at| clock(at, home, now))).collect();
    Ok(HistoryView { zone: offset(home, now), rows, older, past: before.is_some() })
}

/// Says what happened.
pub(super) fn happened(one: &Happened<'_>, clock: &dyn Fn(Timestamp) -> String) -> HappenedView {
    let at = clock(one.at());
    match one {
        Happened::Changed(one) => {
            let body: Value = serde_json::from_str(&one.json).unwrap_or_default();
            HappenedView {
                at,
                alert: Some(one.alert),
                what: changed(&one.change),
                words: both(&body, "summary"),
                ended: !matches!(&*one.change, "firing" | "changed"),
                ..HappenedView::default()
            }
        }
        Happened::Acted(one) => HappenedView {
            at,
            alert: one.alert,
            silence: one.silence,
            what: acted(&one.what),
            person: one.person.clone(),
            behalf: one.behalf.clone().unwrap_or_default(),
            until: one.until.map_or(String::new(), clock),
            words: Text::same(one.words.clone()),
            ended: false,
        },
    }
}

/// Says an alert that fires in one sentence; severity and since when stand beside it.
pub(super) fn sentence(registry: &Registry, event: &AlertEvent, head: &Letterhead) -> Text {
    let [english, chinese] = in_row(registry, event, head);
    Text::new(english, chinese)
}

/// Gives an annotation of a notification in both languages.
fn both(body: &Value, key: &str) -> Text {
    let of = |tag: &str| annotation(body, &format!("{key}_{tag}")).to_owned();
    Text::new(of("en"), of("zh"))
}

fn annotation<'b>(body: &'b Value, key: &str) -> &'b str {
    let held = body.pointer("/alerts/0/annotations").and_then(|held| held.get(key));
    held.and_then(Value::as_str).unwrap_or_default()
}

/// Says a change of an alert.
fn changed(word: &str) -> Text {
    let (en, zh) = match word {
        "firing" => ("fires", "触发"),
        "changed" => ("changed", "变化"),
        "resolved" => ("ended", "解除"),
        "withdrawn" => ("withdrawn", "撤回"),
        "past" => ("was over when it came", "到达时已过去"),
        _ => (word, word),
    };
    Text::new(en, zh)
}

/// Says what a person did.
fn acted(word: &str) -> Text {
    let zh = match word {
        "acknowledged" => "确认",
        "comment" => "备注",
        "undone" => "撤销操作",
        "shelved" => "搁置",
        "silenced" => "静默",
        "silence ended" => "结束静默",
        _ => word,
    };
    Text::new(word, zh)
}
