//! What the pages of alerts are given, of alerts of the example seeds.

use super::*;
use crate::daemon::page::tests::{NOW, home, view};
use crate::domain::alert::{AlertChange, AlertEvent, AlertId};
use crate::domain::desk::{AlertAct, What};
use crate::domain::time::{HOUR, MINUTE, Moment};
use crate::pipeline::state::Desk;

const AT: Moment = Moment { wall: NOW, elapsed_ms: 0 };

/// Gives a view with an alert about oxygen at each of the first so many of the sections that have
/// it, the later the number the older.
pub(in crate::daemon::page) fn firing(count: usize) -> View {
    let mut view = view(count.saturating_sub(12));
    let registry = Arc::clone(&view.registry);
    let oxygen = registry.properties.iter().find(|one| &*one.name == "dissolved_oxygen").unwrap();
    let streams = registry.datastreams.iter().filter(|one| one.property == oxygen.id);
    let events: Vec<AlertEvent> = (1..)
        .zip(streams.take(count))
        .map(|(id, stream)| {
            let (rule, subject) = (stream.exceedance_rule.unwrap(), Subject::Datastream(stream.id));
            let since = NOW.plus(-(i64::try_from(id).unwrap()) * MINUTE);
            let mut event =
                AlertEvent::plain(AlertId(id), rule, subject, AlertChange::Fired, (NOW, since));
            (event.value, event.limit) = (Some(2.4), stream.limits.first().copied());
            event
        })
        .collect();
    let mut desk = Desk::default();
    desk.take(&registry, &events, AT, &mut Vec::new());
    view.desk = Arc::new(desk);
    view
}

/// Has something done with the alerts of a view.
pub(in crate::daemon::page) fn act(view: &mut View, what: What) {
    let (person, words) = ("Li Na".to_owned(), "on the way".to_owned());
    let act = AlertAct { what, person, words, behalf: None };
    Arc::make_mut(&mut view.desk).act(&view.registry, &act, AT, &mut Vec::new());
}

fn list(view: &View, wanted: &Wanted) -> AlertsView {
    let head = Letterhead::plain(home());
    Looked { view, head: &head }.list(wanted)
}

fn ids(view: &AlertsView) -> Vec<u64> {
    view.rows.iter().map(|row| row.id).collect()
}

#[test]
fn a_thousand_alerts_stand_on_parts_of_fifty_the_oldest_first() {
    let view = firing(1_000);
    let mut seen = Vec::new();
    for page in 1..=20 {
        let part = list(&view, &Wanted { page, ..Wanted::default() });
        assert_eq!((part.of, part.firing, part.rows.len()), (1_000, 1_000, ROWS_SHOWN_MAX));
        assert_eq!((part.first, part.last), ((page - 1) * 50 + 1, page * 50));
        assert_eq!((part.before.is_empty(), part.after.is_empty()), (page == 1, page == 20));
        assert!(part.choices.iter().all(|one| one.options.len() <= OPTIONS_SHOWN_MAX));
        seen.extend(ids(&part));
    }
    assert_eq!(seen, (1..=1_000).rev().collect::<Vec<u64>>());
    assert_eq!(list(&view, &Wanted { page: 99, ..Wanted::default() }).first, 951);
    let newest = Wanted { sort: "newest".to_owned(), ..Wanted::default() };
    assert_eq!(ids(&list(&view, &newest))[..3], [1, 2, 3]);
}

#[test]
fn who_waits_comes_first_and_what_is_hidden_is_counted() {
    let mut view = firing(4);
    act(&mut view, What::Acknowledge { alert: AlertId(4), until: Some(NOW.plus(8 * HOUR)) });
    act(&mut view, What::Shelve { alert: AlertId(3), until: NOW.plus(HOUR) });
    let all = list(&view, &Wanted::default());
    assert_eq!(ids(&all), [2, 1, 4]);
    assert_eq!((all.waiting.count, all.held.count, all.firing), (2, 1, 4));
    assert_eq!(all.held.address, "/alerts?state=held");
    assert_eq!(&*all.rows[2].state.en, "acknowledged by Li Na until 06-01 19:04");
    assert_eq!(&*all.rows[2].state.zh, "Li Na 已确认，截至 06-01 19:04");
    assert!(all.rows[0].waits && !all.rows[2].waits);
    let of =
        |state: &str| ids(&list(&view, &Wanted { state: state.to_owned(), ..Wanted::default() }));
    assert_eq!((of("waiting"), of("acknowledged"), of("held")), (vec![2, 1], vec![4], vec![3]));
    let held = list(&view, &Wanted { state: "held".to_owned(), ..Wanted::default() });
    assert_eq!(&*held.rows[0].state.zh, "无人处理，搁置至 06-01 12:04");
}

#[test]
fn the_list_is_narrowed_by_names_and_words() {
    let view = firing(6);
    let all = list(&view, &Wanted::default());
    let stations = all.choices.iter().find(|one| one.name == "station").unwrap();
    let chosen = stations.options[0].clone();
    let of = |wanted: Wanted| list(&view, &wanted);
    let narrowed = of(Wanted { station: chosen.name.clone(), ..Wanted::default() });
    assert_eq!((narrowed.of, narrowed.firing, narrowed.narrowed), (chosen.count, 6, true));
    assert!(narrowed.rows.iter().all(|row| row.station == chosen.name));
    let searched = of(Wanted { search: chosen.words.zh.clone(), ..Wanted::default() });
    assert_eq!(ids(&searched), ids(&narrowed));
    assert_eq!(of(Wanted { search: "OXYGEN".to_owned(), ..Wanted::default() }).of, 6);
    for (wanted, count) in [
        (Wanted { property: "dissolved_oxygen".to_owned(), ..Wanted::default() }, 6),
        (Wanted { property: "ph".to_owned(), ..Wanted::default() }, 0),
        (Wanted { place: "nowhere".to_owned(), ..Wanted::default() }, 0),
        (Wanted { severity: "notice".to_owned(), ..Wanted::default() }, 0),
        (Wanted { severity: "warning".to_owned(), ..Wanted::default() }, 6),
        (Wanted { route: "instrument".to_owned(), ..Wanted::default() }, 0),
    ] {
        assert_eq!(of(wanted.clone()).of, count, "{wanted:?}");
    }
    let unknown = of(Wanted { place: "nowhere".to_owned(), ..Wanted::default() });
    let places = unknown.choices.iter().find(|one| one.name == "place").unwrap();
    assert!(places.options.iter().any(|one| one.name == "nowhere"), "the form keeps it");
}

#[test]
fn a_silence_says_what_it_covers() {
    let mut view = firing(3);
    let all = list(&view, &Wanted::default());
    let name = all.rows[0].station.clone();
    let station = view.registry.stations.iter().find(|one| *one.name == *name).unwrap();
    let (id, words) = (station.id, Text::new(&*station.name_en, &*station.name_zh));
    let matcher =
        Matcher { station: Some(id), route: Some(Route::Environment), ..Matcher::default() };
    act(&mut view, What::Silence { id: 1, matcher, until: NOW.plus(HOUR) });
    let head = Letterhead::plain(home());
    let shown = Looked { view: &view, head: &head }.silences();
    let one = &shown.rows[0];
    assert_eq!((shown.of, one.covers, &*one.person), (1, 1, "Li Na"));
    assert_eq!(one.of.zh, format!("{}，路线 环境", words.zh));
    assert_eq!((&*one.from, &*one.until), ("06-01 11:04", "06-01 12:04"));
    assert_eq!(list(&view, &Wanted::default()).of, 2);
}

#[test]
fn a_time_names_its_year_and_its_zone_where_they_are_others() {
    let home = home();
    assert_eq!(clock(NOW, &home, NOW), "06-01 11:04");
    assert_eq!(clock(NOW.plus(-365 * 24 * HOUR), &home, NOW), "2025-06-01 11:04");
    assert_eq!((&*offset(&home, NOW), &*offset(&TimeZone::UTC, NOW)), ("UTC+8", "UTC"));
    let half = TimeZone::fixed(jiff::tz::Offset::from_seconds(-12_600).unwrap());
    assert_eq!(offset(&half, NOW), "UTC-3:30");
    let view = firing(1);
    let looked = Looked { view: &view, head: &Letterhead::plain(home) };
    assert_eq!(looked.clock_at(NOW, &TimeZone::UTC), "06-01 03:04 UTC");
}
