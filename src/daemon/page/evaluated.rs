//! What stations, sets and places came to, as the page shows it: class and index with the colour
//! of their grade, of how many items and when, or why not.

use jiff::tz::TimeZone;

use crate::daemon::page::words;
use crate::daemon::status::View;
use crate::domain::assessment::{NotAssessable, WaterClass};
use crate::domain::evaluation::{Deciding, Evaluated, Grade, Index, Target, Told};
use crate::domain::name::{PlaceId, PropertyId, StationId};
use crate::domain::observation::{ObservationResult, Period, Side};
use crate::domain::registry::{ObservedProperty, Quantity, Registry, Station, StationSet};
use crate::domain::time::{HOUR, PhenomenonTime, Timestamp};
use crate::http::view::{DecidingView, EvaluationView, SetView, TallyView, Text};
use crate::pipeline::state::StationState;

/// Whom evaluations are shown of, and when.
struct Scene<'a> {
    registry: &'a Registry,
    zone: &'a TimeZone,
    now: Timestamp,
    /// Until when the real-time evaluation stands for what is there.
    stands_until: Timestamp,
    target: Text,
}

/// Gives what a station came to: its class in real time first, then by index and period.
pub(super) fn of_station(
    view: &View,
    station: &Station,
    state: &StationState,
) -> Vec<EvaluationView> {
    let scene = Scene {
        registry: &view.registry,
        zone: &station.zone,
        now: view.at.wall,
        stands_until: stands_until(&view.registry, station, state),
        target: words::target(&station.target_class),
    };
    sorted(&state.evaluated).into_iter().map(|told| evaluation(&scene, told)).collect()
}

/// Says why a station that should have a class or an index has none yet.
pub(super) fn why_none(registry: &Registry, station: &Station) -> Text {
    let mut streams = station.datastreams.iter().filter_map(|id| registry.datastream(*id));
    if matches!(&*station.section, "river" | "lake") {
        let (en, zh) = ("no class yet: no value was assessed", "尚无类别：尚无已评价的数值");
        return Text::new(en, zh);
    }
    let is_air = station.section.is_empty()
        && streams.any(|stream| registry.air.properties().any(|one| one == stream.property));
    if is_air {
        let (en, zh) = ("no AQI yet: none before an hour is over", "尚无AQI：须满一小时");
        return Text::new(en, zh);
    }
    Text::default()
}

/// Gives what a place came to itself.
pub(super) fn of_place(view: &View, place: PlaceId, home: &TimeZone) -> Vec<EvaluationView> {
    let Some(told) = view.evaluated.get(&Evaluated::Place(place)) else { return Vec::new() };
    let scene = spanning(view, home);
    sorted(told).into_iter().map(|told| evaluation(&scene, told)).collect()
}

/// Gives the sets that came to something, of each index the period that began last; so many of
/// them.
pub(super) fn sets(view: &View, home: &TimeZone, most: usize) -> (Vec<SetView>, usize) {
    let scene = spanning(view, home);
    let of = |set| view.evaluated.get(&Evaluated::Set(set)).filter(|told| !told.is_empty());
    let told: Vec<(&StationSet, &Vec<Told>)> =
        view.registry.sets.iter().filter_map(|set| Some((set, of(set.id)?))).collect();
    let views = told.iter().take(most).map(|(set, told)| {
        let mut latest: Vec<&Told> = Vec::new();
        for one in sorted(told) {
            match latest.last_mut().filter(|last| last.index == one.index) {
                Some(last) if last.start < one.start => *last = one,
                Some(_) => {}
                None => latest.push(one),
            }
        }
        SetView {
            id: set.name.to_string(),
            place: place_of(&view.registry, set.members_at(view.at.wall)),
            evaluations: latest.into_iter().map(|told| evaluation(&scene, told)).collect(),
        }
    });
    (views.collect(), told.len())
}

/// Counts sections by their class in real time, best first; those without one last.
pub(super) fn tally(view: &View) -> Vec<TallyView> {
    let tally = tally_of(view, view.registry.stations.iter());
    let sections = tally.iter().map(|one| one.count).sum::<usize>();
    if sections == 0 { Vec::new() } else { tally }
}

/// The same of some stations.
pub(super) fn tally_of<'r>(
    view: &View,
    stations: impl Iterator<Item = &'r Station>,
) -> Vec<TallyView> {
    let registry = &view.registry;
    let mut counts = [0; WaterClass::WITH_LIMITS.len() + 1];
    let mut without = 0;
    for station in stations {
        let state = view.stations.get(station.id.index()).and_then(Option::as_ref);
        let counts_in =
            matches!(&*station.section, "river" | "lake") && station.validity.holds(view.at.wall);
        let Some(state) = state.filter(|_| counts_in) else { continue };
        let told = state.evaluated(Index::WaterClass, Period::Native);
        let stands = told.filter(|_| view.at.wall < stands_until(registry, station, state));
        match stands.and_then(|told| told.grade) {
            Some(Grade::Water(class)) => {
                if let Some(count) = counts.get_mut(class as usize) {
                    *count += 1;
                }
            }
            Some(Grade::River(_) | Grade::Air(_) | Grade::Trophic(_) | Grade::BlackOdour(_))
            | None => without += 1,
        }
    }
    let classes = WaterClass::WITH_LIMITS.into_iter().chain([WaterClass::WorseThanV]);
    let mut tally: Vec<TallyView> = classes
        .zip(counts)
        .map(|(class, count)| TallyView {
            name: words::class(class),
            colour: colour(registry, Grade::Water(class), view.at.wall),
            count,
        })
        .collect();
    let name = Text::new("without a class", "无类别");
    tally.push(TallyView { name, colour: None, count: without });
    tally
}

/// The scene of what spans stations: the target differs among them.
fn spanning<'a>(view: &'a View, home: &'a TimeZone) -> Scene<'a> {
    Scene {
        registry: &view.registry,
        zone: home,
        now: view.at.wall,
        stands_until: Timestamp(i64::MAX),
        target: Text::default(),
    }
}

/// Gives until when the real-time evaluation stands: the next message that comes when one of its
/// values no longer does has it made anew, and may be late.
fn stands_until(registry: &Registry, station: &Station, state: &StationState) -> Timestamp {
    let streams = station.datastreams.iter().filter_map(|id| registry.datastream(*id));
    let next = streams.map(|stream| stream.expected_every_ms.saturating_mul(2)).min();
    state.stands_until.plus(next.unwrap_or(0))
}

pub(super) fn sorted(told: &[Told]) -> Vec<&Told> {
    let mut told: Vec<&Told> = told.iter().collect();
    told.sort_by_key(|told| (told.index, told.period));
    told
}

/// Finds the smallest place in which all stations lie.
fn place_of(registry: &Registry, mut stations: impl Iterator<Item = StationId>) -> Text {
    let line = |station: StationId| {
        let first = registry.station(station).map(|station| station.place);
        let up = |id: &PlaceId| registry.places.get(id.index())?.part_of;
        // Places may not lie in each other in a circle, and a line of them is short.
        let mut line: Vec<PlaceId> = std::iter::successors(first, up).take(8).collect();
        line.reverse();
        line
    };
    let Some(mut common) = stations.next().map(line) else { return Text::default() };
    for station in stations {
        let other = line(station);
        let same = common.iter().zip(&other).take_while(|(one, other)| one == other).count();
        common.truncate(same);
    }
    let place = common.last().and_then(|id| registry.places.get(id.index()));
    place.map_or_else(Text::default, |place| Text::new(&*place.name_en, &*place.name_zh))
}

fn evaluation(scene: &Scene<'_>, told: &Told) -> EvaluationView {
    let Scene { registry, zone, .. } = scene;
    let span = told.period.around(told.start, zone);
    let old = match span {
        None => scene.now >= scene.stands_until,
        // By then the next one should be there.
        Some((start, end)) => scene.now >= end.plus(end.since(start) + 2 * HOUR),
    };
    let name = |id: &PropertyId| registry.property(*id).map_or_else(Text::default, property_name);
    let grade = told.grade.filter(|_| told.reason.is_none());
    let missed = told.target == Target::Missed;
    EvaluationView {
        id: told.index.word().to_owned(),
        index: words::index(told.index),
        period: words::period(told.period),
        of: time(told, span, zone),
        grade: grade.map_or_else(Text::default, |grade| words::grade(registry, grade, told.start)),
        value: told.value.map_or_else(Text::default, |value| words::number(told.index, value)),
        colour: grade.filter(|_| !old).and_then(|grade| colour(registry, grade, told.start)),
        reason: reason(told),
        target: target(told.target, &scene.target),
        missed,
        deciding: told.deciding.iter().map(|one| deciding(registry, told.index, one)).collect(),
        missing: told.missing.iter().map(name).collect(),
        items: told.items,
        items_of: told.items_of,
        marks: marks(told, old),
    }
}

/// Says what takes from the weight of an evaluation.
fn marks(told: &Told, old: bool) -> Vec<Text> {
    let marks = [
        (!told.legal, "indicative", "仅供参考"),
        (told.unconfirmed, "unconfirmed: of a suspect value", "待核实：含可疑数值"),
        (old, "too old to stand for now", "已过时，不代表当前"),
    ];
    marks.into_iter().filter(|(holds, ..)| *holds).map(|(_, en, zh)| Text::new(en, zh)).collect()
}

/// Says why there is no grade: nothing has a value, or something that the rule needs has none.
fn reason(told: &Told) -> Text {
    match told.reason {
        Some(NotAssessable::Missing) if told.items > 0 => {
            Text::new("not assessable: items are missing", "无法评价：缺项")
        }
        Some(reason) => words::reason(reason),
        None => Text::default(),
    }
}

fn property_name(property: &ObservedProperty) -> Text {
    Text::new(&*property.name_en, &*property.name_zh)
}

/// Gives the colour of a grade where a row of the seeds has it.
pub(super) fn colour(registry: &Registry, grade: Grade, at: Timestamp) -> Option<String> {
    let water = |index, grade| registry.water.colour(index, grade, at);
    let [red, green, blue] = match grade {
        Grade::Water(class) => {
            let number = [(Quantity::Class, f64::from(class as u8) + 1.0)];
            let rule = registry.water.grade(Index::WaterClass, at, &number)?;
            water(Index::WaterClass, rule.grade)
        }
        // The grades of a river are those of a section.
        Grade::River(grade) => water(Index::WaterClass, grade),
        Grade::Trophic(grade) => water(Index::Trophic, grade),
        Grade::BlackOdour(grade) => water(Index::BlackOdour, grade),
        Grade::Air(grade) => registry.air.grade(grade, at).map(|grade| grade.colour),
    }?;
    Some(format!("#{red:02X}{green:02X}{blue:02X}"))
}

fn target(target: Target, name: &Text) -> Text {
    let of = |(en, zh): (&str, &str)| {
        let space = if name.en.is_empty() { "" } else { " " };
        Text::new(format!("{en}{space}{}", name.en), format!("{zh}{}", name.zh))
    };
    match target {
        Target::None => Text::default(),
        Target::Met => of(("meets the target", "符合目标")),
        Target::Missed => of(("misses the target", "未达目标")),
    }
}

/// Writes when it was: since when it is so in real time, the clock of an hour, the calendar of
/// what is longer.
fn time(told: &Told, span: Option<(Timestamp, Timestamp)>, zone: &TimeZone) -> Text {
    let whole = span.map_or(PhenomenonTime::Instant(told.start), |(start, end)| {
        PhenomenonTime::Interval { start, end }
    });
    let Ok(at) = jiff::Timestamp::from_millisecond(told.start.millis()) else {
        return Text::default();
    };
    let at = zone.to_datetime(at);
    match told.period {
        // It is evaluated anew where the verdict on a value changes or one no longer stands.
        Period::Native => {
            let since = at.strftime("%m-%d %H:%M");
            Text::new(format!("unchanged since {since}"), format!("{since} 起未变"))
        }
        Period::Hour | Period::EightHours => {
            Text::same(format!("{} {}", at.strftime("%m-%d"), whole.clock_span(zone)))
        }
        Period::Day | Period::DayMaxEightHours => Text::same(at.strftime("%Y-%m-%d").to_string()),
        Period::Month => Text::same(at.strftime("%Y-%m").to_string()),
        Period::Quarter => {
            let quarter = (at.month() - 1) / 3 + 1;
            Text::new(format!("{} Q{quarter}", at.year()), format!("{}年第{quarter}季", at.year()))
        }
        Period::Year => Text::same(at.strftime("%Y").to_string()),
    }
}

fn deciding(registry: &Registry, index: Index, one: &Deciding) -> DecidingView {
    let Some(property) = registry.property(one.property) else { return DecidingView::default() };
    let decimals = usize::from(property.decimals);
    let number = match one.result {
        ObservationResult::Value(value) => format!("{value:.decimals$}"),
        ObservationResult::Censored { side: Side::Below, limit } => format!("<{limit:.decimals$}"),
        ObservationResult::Censored { side: Side::Above, limit } => format!(">{limit:.decimals$}"),
        ObservationResult::Nil(_) => String::new(),
    };
    let unit = registry.unit_label(property);
    let space = if number.is_empty() || unit.is_empty() { "" } else { " " };
    let unit = if number.is_empty() { "" } else { unit };
    let alone = match (one.class, one.index) {
        (Some(class), _) => words::class(class),
        (None, Some(value)) => match index {
            Index::Aqi => Text::same(format!("IAQI {value:.0}")),
            Index::Trophic => Text::same(format!("TLI {value:.1}")),
            Index::WaterClass
            | Index::BlackOdour
            | Index::Cwqi
            | Index::RiverGrade
            | Index::SupplyQuality
            | Index::PowerFactor
            | Index::Balance
            | Index::WaterReuse
            | Index::Intensity
            | Index::VoltageUnbalance
            | Index::StandardCoal
            | Index::CarbonDioxide => Text::same(format!("{value:.2}")),
        },
        (None, None) => Text::default(),
    };
    DecidingView {
        property: property_name(property),
        symbol: property.symbol.to_string(),
        value: format!("{number}{space}{unit}"),
        alone,
        over_target: one.over_target.map(multiple).unwrap_or_default(),
        over_iii: one.over_iii.map(multiple).unwrap_or_default(),
    }
}

/// Writes by how many times a limit is exceeded; what is exceeded by little is not by nothing.
fn multiple(times: f64) -> String {
    let text = format!("{times:.2}");
    if text == "0.00" { "<0.01".to_owned() } else { text }
}
