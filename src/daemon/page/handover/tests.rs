//! What a handover says of the example seeds.

use std::sync::Arc;

use super::*;
use crate::daemon::page::alerts::tests::{act, firing};
use crate::daemon::page::tests::{NOW, home};
use crate::domain::alert::AlertId;
use crate::domain::desk::{Matcher, What};
use crate::domain::invalidation::{Invalidations, Scope, Word};
use crate::domain::quality::{Quality, Test};
use crate::domain::time::{HOUR, MINUTE, Moment};
use crate::notify::Letterhead;

fn standing_of(view: &View) -> HandoverView {
    let mut page = HandoverView::default();
    standing::add(view, &Letterhead::plain(home()), &mut page);
    page
}

#[test]
fn who_has_what_and_what_nobody_is_told_of() {
    let mut view = firing(4);
    act(&mut view, What::Acknowledge { alert: AlertId(4), until: Some(NOW.plus(8 * HOUR)) });
    act(&mut view, What::Shelve { alert: AlertId(3), until: NOW.plus(HOUR) });
    let station = view.registry.stations.iter().find(|one| &*one.name == "hunhe-dongling");
    let station = station.unwrap().id;
    let matcher = Matcher { station: Some(station), ..Matcher::default() };
    act(&mut view, What::Silence { id: 1, matcher, until: NOW.plus(3 * HOUR) });
    let page = standing_of(&view);
    let ids = |list: &[crate::http::view::now::OpenView]| -> Vec<u64> {
        list.iter().map(|one| one.id).collect()
    };
    assert_eq!((ids(&page.open), ids(&page.taken)), (vec![2, 1], vec![4]));
    assert_eq!(&*page.taken[0].person, "Li Na");
    assert_eq!((page.shelved[0].alert.id, &*page.shelved[0].until), (3, "06-01 12:04"));
    let silence = &page.silences[0];
    assert_eq!((&*silence.until, &*silence.reason), ("06-01 14:04", "on the way"));
    assert!(silence.of.zh.contains("东陵"), "{silence:?}");
}

#[test]
fn of_a_thousand_the_worst_are_listed_and_all_counted() {
    let view = firing(1_000);
    let page = standing_of(&view);
    assert_eq!((page.open.len(), page.open_of), (20, 1_000));
    // The 988 sections more sent oxygen that is too low; the twelve of the example said nothing.
    assert_eq!((page.unwell.len(), page.unwell_of, page.missed_of), (30, 988, 988));
    assert!(page.unwell.iter().all(|one| one.dot.signs.contains(&"missed")));
}

#[test]
fn a_silent_station_and_a_sensor_in_doubt_are_named() {
    let mut view = firing(13);
    let spoke = |one: &&mut Arc<crate::pipeline::state::StationState>| {
        one.streams.iter().any(|stream| stream.newest.is_some())
    };
    let state = view.stations.iter_mut().flatten().find(spoke).unwrap();
    let state = Arc::make_mut(state);
    state.silence.firing = Some(AlertId(7));
    let newest = state.streams.iter_mut().find_map(|one| one.newest.as_mut()).unwrap();
    newest.quality = Quality::only(Test::FlatLine, Flag::Suspect);
    let page = standing_of(&view);
    assert_eq!((page.silent_of, page.unwell_of, page.doubted_of), (1, 1, 1));
    assert!(page.unwell[0].dot.signs.contains(&"silent"));
    let doubted = &page.doubted[0];
    assert_eq!((&*doubted.station_id, doubted.value.flag), ("more-0", 3));
    assert_eq!(&*doubted.value.doubts[0].test.zh, "恒值");
}

#[test]
fn what_persons_say_of_values_is_told_also_once_it_is_taken_back() {
    let mut view = firing(0);
    let station = view.registry.stations.iter().find(|one| &*one.name == "puhe-daoyi").unwrap().id;
    let word = |reason: &str, at: Timestamp| Word {
        person: "Li Na".to_owned(),
        reason: reason.to_owned(),
        at: Moment { wall: at, elapsed_ms: 0 },
    };
    let one = |id: u64, from: i64, revoked: Option<Word>| Invalidation {
        id,
        scope: Scope { station, property: None, position: None },
        from: NOW.plus(from),
        to: NOW.plus(from + HOUR),
        flag: Flag::Fail,
        said: word("out of the water", NOW.plus(from + HOUR)),
        revoked,
        by_check: None,
    };
    let all = [
        one(1, -9 * HOUR, None),
        one(2, -2 * HOUR, None),
        one(3, -9 * HOUR, Some(word("was in the water", NOW.plus(-MINUTE)))),
        one(4, -9 * HOUR, Some(word("long ago", NOW.plus(-7 * HOUR)))),
    ];
    let mut said = Invalidations::default();
    for one in all {
        assert!(said.add(one));
    }
    view.invalidations = Arc::new(said);
    let (told, of) = said_of(&view, NOW.plus(-4 * HOUR), &home());
    let ids: Vec<u64> = told.iter().map(|one| one.id).collect();
    assert_eq!((ids, of), (vec![3, 2], 2));
    assert_eq!(&*told[0].revoked, "Li Na: was in the water");
    assert_eq!((&*told[1].from, &*told[1].to), ("06-01 09:04", "06-01 10:04"));
    assert!(told[1].revoked.is_empty() && told[1].property.en.is_empty());
}
