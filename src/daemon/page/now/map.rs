//! The map: rivers, lakes and parks, each with its stations in the order of the flow, their class
//! or index and what there is to know of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::daemon::page::times::clock;
use crate::daemon::page::{evaluated, exceeds, verdict_of, words};
use crate::daemon::status::View;
use crate::domain::alert::Route;
use crate::domain::assessment::{Verdict, WaterClass};
use crate::domain::desk::station_of;
use crate::domain::evaluation::{Grade, Index, Target, Told};
use crate::domain::name::{PlaceId, StationId};
use crate::domain::observation::Period;
use crate::domain::quality::Flag;
use crate::domain::registry::{Place, Registry, Station};
use crate::domain::time::Timestamp;
use crate::http::view::Text;
use crate::http::view::now::{DotView, LineView, NowView};
use crate::pipeline::state::{Standing, StationState, StreamState};

/// How many places the map shows; the others are counted.
const PLACES_SHOWN_MAX: usize = 24;
/// How many stations over a limit of which no alert tells are named; the others are counted.
const OVER_SHOWN_MAX: usize = 8;
/// How many stations of a place the map shows one by one; of more, how many have which class.
const DOTS_MAX: usize = 12;

/// Draws the map, and counts stations.
pub(super) fn draw(view: &View, page: &mut NowView) {
    let registry = &*view.registry;
    let now = view.at.wall;
    let mut lines: BTreeMap<PlaceId, Vec<&Station>> = BTreeMap::new();
    let told = told_of(view);
    for station in registry.stations.iter().filter(|one| one.validity.holds(now)) {
        let state = state_of(view, station);
        let spoke = state.is_some_and(|state| state.streams.iter().any(|one| one.newest.is_some()));
        page.stations_of += 1;
        page.stations += usize::from(spoke);
        let silent = state.is_some_and(|state| state.silence.firing.is_some());
        page.silent += usize::from(silent);
        page.speaking += usize::from(spoke && !silent);
        if state.is_some_and(misses) && !silent && !told.contains(&station.id) {
            page.over_of += 1;
            if page.over.len() < OVER_SHOWN_MAX {
                page.over.push(Text::new(&*station.name_en, &*station.name_zh));
            }
        }
        lines.entry(station.place).or_default().push(station);
    }
    // Rivers come first, in the order of the seeds, then what does not flow.
    let mut places: Vec<(&Place, Vec<&Station>)> = lines
        .into_iter()
        .filter_map(|(id, stations)| Some((registry.places.get(id.index())?, stations)))
        .collect();
    places.sort_by_key(|(place, _)| (kind(place), place.id));
    page.lines_more = places.len().saturating_sub(PLACES_SHOWN_MAX);
    let shown = places.into_iter().take(PLACES_SHOWN_MAX);
    page.lines = shown.map(|(place, stations)| line(view, place, stations)).collect();
}

/// Gives the stations about whose water or air an alert fires.
fn told_of(view: &View) -> BTreeSet<StationId> {
    let registry = &*view.registry;
    let environment = |one: &Standing| {
        registry.rule(one.event.rule).is_some_and(|rule| rule.route == Route::Environment)
    };
    let told = view.desk.standing().filter(|(_, one)| one.fires() && environment(one));
    told.filter_map(|(_, one)| station_of(registry, one.event.subject)).collect()
}

fn kind(place: &Place) -> usize {
    ["river", "lake", "park"].iter().position(|kind| *kind == &*place.kind).unwrap_or(3)
}

fn line(view: &View, place: &Place, stations: Vec<&Station>) -> LineView {
    let registry = &*view.registry;
    let missed = |station: &&Station| state_of(view, station).is_some_and(misses);
    let silent = |station: &&Station| {
        state_of(view, station).is_some_and(|state| state.silence.firing.is_some())
    };
    let mut line = LineView {
        id: place.name.to_string(),
        name: Text::new(&*place.name_en, &*place.name_zh),
        flows: &*place.kind == "river",
        stations: stations.len(),
        missed: stations.iter().copied().filter(missed).count(),
        silent: stations.iter().copied().filter(silent).count(),
        ..LineView::default()
    };
    if stations.len() > DOTS_MAX {
        line.tally = evaluated::tally_of(view, stations.into_iter());
        return line;
    }
    let stations = in_flow(registry, stations);
    line.to = stations.last().map_or_else(Text::default, |last| mouth(registry, place, last));
    line.dots = stations.into_iter().map(|station| dot(view, station)).collect();
    line
}

/// Puts stations in the order in which the water comes by; those of which nobody says, as the seeds
/// have them.
fn in_flow<'r>(registry: &Registry, stations: Vec<&'r Station>) -> Vec<&'r Station> {
    let here: HashMap<StationId, usize> =
        stations.iter().enumerate().map(|(at, station)| (station.id, at)).collect();
    let reaches = registry
        .reaches
        .iter()
        .filter_map(|reach| Some((*here.get(&reach.upstream)?, *here.get(&reach.downstream)?)));
    let reaches: Vec<(usize, usize)> = reaches.collect();
    let mut depth = vec![0_usize; stations.len()];
    // As often as the longest way has reaches; water does not flow in circles, and if the seeds
    // said so this would end all the same.
    for _ in 0..stations.len() {
        for (up, down) in &reaches {
            let above = depth.get(*up).map_or(0, |above| above + 1);
            if let Some(below) = depth.get_mut(*down) {
                *below = (*below).max(above.min(here.len()));
            }
        }
    }
    let mut sorted: Vec<(usize, &Station)> = depth.into_iter().zip(stations).collect();
    sorted.sort_by_key(|(depth, station)| (*depth, station.id));
    sorted.into_iter().map(|(_, station)| station).collect()
}

/// Says into which place the water goes on from the last station of this one.
fn mouth(registry: &Registry, place: &Place, last: &Station) -> Text {
    let further = registry.reaches.iter().filter(|reach| reach.upstream == last.id);
    let mut places =
        further.filter_map(|reach| registry.station(reach.downstream)).map(|one| one.place);
    let to = places.find(|id| *id != place.id).and_then(|id| registry.places.get(id.index()));
    to.map_or_else(Text::default, |to| Text::new(&*to.name_en, &*to.name_zh))
}

fn state_of<'v>(view: &'v View, station: &Station) -> Option<&'v StationState> {
    view.stations.get(station.id.index())?.as_deref()
}

/// Says whether a station misses its target or a limit.
fn misses(state: &StationState) -> bool {
    exceeds(state) || index_of(state).is_some_and(|told| told.target == Target::Missed)
}

/// Finds what a station is known by: its class in real time, the index of its air.
fn index_of(state: &StationState) -> Option<&Told> {
    let class = state.evaluated(Index::WaterClass, Period::Native);
    class.or_else(|| state.evaluated(Index::Aqi, Period::Hour))
}

/// Says what of a station is not well: whether it misses its target or a limit, is silent, has a
/// sensor in doubt.
pub(in crate::daemon::page) fn unwell(view: &View, station: &Station) -> [bool; 3] {
    state_of(view, station).map_or([false; 3], |state| {
        let silent = state.silence.firing.is_some();
        [misses(state), silent, state.streams.iter().any(is_doubted)]
    })
}

/// Gives a station as the map has it: its class or index, and what there is to know of it.
pub(in crate::daemon::page) fn dot(view: &View, station: &Station) -> DotView {
    let name = Text::new(&*station.name_en, &*station.name_zh);
    let mut dot = DotView { id: station.name.to_string(), name, ..DotView::default() };
    dot.label = Text::same("–");
    let heard = state_of(view, station).and_then(|state| {
        Some((state, state.streams.iter().filter_map(|one| one.newest).map(|one| one.time).max()?))
    });
    let Some((state, newest)) = heard else {
        dot.title = Text::new("has not spoken yet", "尚无数据");
        return dot;
    };
    let [missed, silent, doubted] = unwell(view, station);
    let signs = [("missed", missed), ("silent", silent), ("doubted", doubted)].into_iter();
    dot.signs = signs.filter(|(_, holds)| *holds).map(|(sign, _)| sign).collect();
    let mut title = (Vec::new(), Vec::new());
    let mut say = |text: Text| {
        title.0.push(text.en);
        title.1.push(text.zh);
    };
    match index_of(state).and_then(|told| Some((told, label(view, told)?))) {
        Some((told, label)) => {
            let grade = told.grade.map_or_else(Text::default, |grade| {
                words::grade(&view.registry, grade, told.start)
            });
            let index = words::index(told.index);
            say(Text::new(
                format!("{} {}", index.en, grade.en),
                format!("{}{}", index.zh, grade.zh),
            ));
            dot.colour =
                told.grade.and_then(|grade| evaluated::colour(&view.registry, grade, told.start));
            dot.white = dot.colour.as_deref().is_some_and(is_dark);
            dot.label = label;
        }
        None => {
            let (label, words) = without_grade(state, missed);
            dot.label = label;
            words.into_iter().for_each(&mut say);
        }
    }
    if missed {
        say(Text::new("target or limit not met", "未达目标或超限"));
    }
    if silent {
        say(Text::new("silent, this is its last", "数据中断，此为最后一次结果"));
    }
    if doubted {
        say(Text::new("a sensor is in doubt", "传感器存疑"));
    }
    let (age, next) = (clock(newest, &station.zone, view.at.wall), next(view, station, state));
    say(Text::new(format!("newest value of {age}"), format!("最新数据 {age}")));
    if let Some(next) = next.filter(|_| !silent) {
        let next = clock(next, &station.zone, view.at.wall);
        say(Text::new(format!("the next is expected at {next}"), format!("预计下次 {next}")));
    }
    dot.title = Text::new(title.0.join("; "), title.1.join("；"));
    dot
}

/// Says what can be said of a station that has neither class nor index.
fn without_grade(state: &StationState, missed: bool) -> (Text, Vec<Text>) {
    let judged = state.streams.iter().any(meets);
    let lacks = index_of(state).filter(|told| told.items > 0 && told.reason.is_some());
    let of = lacks.map(|told| (told.items, told.items_of));
    let label = match of {
        _ if missed => Text::same("!"),
        Some((items, of)) => Text::same(format!("{items}/{of}")),
        None if judged => Text::new("ok", "合格"),
        None => Text::same("–"),
    };
    let lacks = of.map(|(items, of)| {
        Text::new(
            format!("no class: too few items, {items} of {of}"),
            format!("不评类别：参评项目不足，{of}项中{items}项"),
        )
    });
    let met = Text::new("the limits of what is measured are met", "所测项目均未超限");
    let met = (judged && !missed).then_some(met);
    (label, lacks.into_iter().chain(met).collect())
}

/// Gives a class or an index as short as people write it.
fn label(view: &View, told: &Told) -> Option<Text> {
    if told.reason.is_some() {
        return None;
    }
    match told.grade? {
        Grade::Water(WaterClass::WorseThanV) => Some(Text::new(">V", "劣Ⅴ")),
        Grade::Water(class) => {
            Some(Text::new(class.name(), class.name_zh().trim_end_matches('类')))
        }
        Grade::Air(_) => {
            let value = told.value.map(|value| format!("{value:.0}"));
            value.map(Text::same)
        }
        grade @ (Grade::River(_) | Grade::Trophic(_) | Grade::BlackOdour(_)) => {
            Some(words::grade(&view.registry, grade, told.start))
        }
    }
}

/// Says when the next value is expected of the datastream that speaks most often.
fn next(view: &View, station: &Station, state: &StationState) -> Option<Timestamp> {
    let streams = station.datastreams.iter().filter_map(|id| view.registry.datastream(*id));
    let next = streams.filter_map(|stream| {
        let held = state.streams.get(usize::from(stream.slot))?.newest?;
        (stream.expected_every_ms > 0).then(|| held.time.plus(stream.expected_every_ms))
    });
    next.max()
}

fn is_doubted(stream: &StreamState) -> bool {
    stream.newest.is_some_and(|newest| matches!(newest.flag(), Flag::Suspect | Flag::Fail))
}

fn meets(stream: &StreamState) -> bool {
    matches!(verdict_of(stream), Some((Verdict::Within { .. } | Verdict::Exceeds { .. }, _)))
}

/// Says whether white is read better on a colour than black: by the contrast of WCAG 2, 1.4.3.
fn is_dark(colour: &str) -> bool {
    let part = |at: usize| {
        let digits = colour.get(at..at + 2).unwrap_or("00");
        let part = f64::from(u8::from_str_radix(digits, 16).unwrap_or(0)) / 255.0;
        if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    };
    let luminance = 0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5);
    1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.05
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ink_is_the_one_that_is_read_better() {
        for (colour, white) in
            [("#FFFFFF", false), ("#FFFF00", false), ("#7E0023", true), ("#000000", true)]
        {
            assert_eq!(is_dark(colour), white, "{colour}");
        }
    }
}
