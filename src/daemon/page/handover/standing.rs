//! What stands when a shift ends: alerts by who has them, what nobody is told of, stations that are
//! not well, sensors in doubt.

use crate::daemon::alerts::open::{self, Open};
use crate::daemon::page::alerts::silences;
use crate::daemon::page::now::{dot, open_view, unwell};
use crate::daemon::page::station::streams;
use crate::daemon::page::times::clock;
use crate::daemon::page::value_view;
use crate::daemon::status::View;
use crate::domain::quality::Flag;
use crate::domain::registry::Station;
use crate::http::view::Text;
use crate::http::view::handover::{DoubtedView, HandoverView, ShelvedView, UnwellView};
use crate::http::view::now::OpenView;
use crate::notify::Letterhead;

/// How many alerts a handover lists that nobody has acknowledged, the worst.
const OPEN_SHOWN_MAX: usize = 20;
/// How many that somebody has, and how many that are shelved.
const TAKEN_SHOWN_MAX: usize = 10;
/// How many silences it lists, those that end first.
const SILENCES_SHOWN_MAX: usize = 15;
/// How many stations that are not well: first those that miss a target or limit.
const UNWELL_SHOWN_MAX: usize = 30;
/// How many sensors in doubt.
const DOUBTED_SHOWN_MAX: usize = 20;

/// Adds what stands now.
pub(super) fn add(view: &View, head: &Letterhead, page: &mut HandoverView) {
    let now = view.at.wall;
    let firing = open::firing((&view.registry, &view.desk), now, |_| true);
    let shelved = |one: &&Open<'_>| one.standing.shelved_until.is_some_and(|until| now < until);
    let told = || firing.iter().filter(|one| one.held.is_none());
    let taken = |one: &&Open<'_>| one.standing.acknowledged.is_some();
    let views = |of: &mut dyn Iterator<Item = &Open<'_>>, most| -> Vec<OpenView> {
        of.take(most).map(|one| open_view(view, head, one)).collect()
    };
    page.open_of = told().filter(|one| !taken(one)).count();
    page.open = views(&mut told().filter(|one| !taken(one)), OPEN_SHOWN_MAX);
    page.taken_of = told().filter(taken).count();
    page.taken = views(&mut told().filter(taken), TAKEN_SHOWN_MAX);
    page.shelved_of = firing.iter().filter(shelved).count();
    let shown = firing.iter().filter(shelved).take(TAKEN_SHOWN_MAX);
    page.shelved = shown
        .map(|one| ShelvedView {
            alert: open_view(view, head, one),
            until: one
                .standing
                .shelved_until
                .map_or_else(String::new, |until| clock(until, &head.home, now)),
        })
        .collect();
    let silenced = silences(view, head);
    page.silences_of = silenced.of;
    page.silences = silenced.rows;
    page.silences.truncate(SILENCES_SHOWN_MAX);
    add_unwell(view, page);
    add_doubted(view, page);
}

/// Adds the stations that miss a target or limit, or are silent; of those whose sensors alone are
/// in doubt the sensors tell.
fn add_unwell(view: &View, page: &mut HandoverView) {
    let in_service = view.registry.stations.iter().filter(|one| one.validity.holds(view.at.wall));
    let mut found: Vec<([bool; 2], &Station)> = in_service
        .filter_map(|station| {
            let [missed, silent, _] = unwell(view, station);
            (missed || silent).then_some(([!missed, !silent], station))
        })
        .collect();
    found.sort_by_key(|(signs, station)| (*signs, station.place, station.id));
    page.missed_of = found.iter().filter(|([missed, _], _)| !missed).count();
    page.silent_of = found.iter().filter(|([_, silent], _)| !silent).count();
    page.unwell_of = found.len();
    let shown = found.into_iter().take(UNWELL_SHOWN_MAX);
    page.unwell = shown
        .map(|(_, station)| {
            let place = view.registry.places.get(station.place.index());
            let place =
                place.map_or_else(Text::default, |one| Text::new(&*one.name_en, &*one.name_zh));
            UnwellView { place, dot: dot(view, station) }
        })
        .collect();
}

fn add_doubted(view: &View, page: &mut HandoverView) {
    for station in view.registry.stations.iter().filter(|one| one.validity.holds(view.at.wall)) {
        for (stream, held) in streams(view, station) {
            let Some(held) = held else { continue };
            let flag = held.newest.map(|newest| newest.flag());
            if !matches!(flag, Some(Flag::Suspect | Flag::Fail)) {
                continue;
            }
            page.doubted_of += 1;
            if page.doubted.len() >= DOUBTED_SHOWN_MAX {
                continue;
            }
            let Some(value) = value_view(view, station, stream, held) else { continue };
            let at = held
                .newest
                .map_or_else(String::new, |newest| clock(newest.time, &station.zone, view.at.wall));
            page.doubted.push(DoubtedView {
                station_id: station.name.to_string(),
                station: Text::new(&*station.name_en, &*station.name_zh),
                value,
                at,
            });
        }
    }
}
