//! What the page is given, made of the example seeds.

mod station;

use std::path::Path;

use super::*;
use crate::domain::assessment::WaterClass;
use crate::domain::evaluation::{Deciding, Evaluated, Grade, Index, Target, Told};
use crate::domain::input::{Arrival, Input, Message, Qos};
use crate::domain::judgement::Judgement;
use crate::domain::name::{NameKind, Names, NetworkId};
use crate::domain::time::{HOUR, Moment, Timestamp};
use crate::http::view::EvaluationView;
use crate::pipeline::{Pipeline, Processed};
use crate::seed::{Tables, compile};

/// 2026-06-01T11:04:00+08:00.
pub(super) const NOW: Timestamp = Timestamp(1_780_283_040_000);

pub(super) fn home() -> TimeZone {
    TimeZone::fixed(jiff::tz::offset(8))
}

/// Gives the view of the example with so many sections more, each of which sent oxygen.
pub(super) fn view(more: usize) -> View {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let mut tables = Tables::read(&folder).unwrap();
    let mut add = |name: &str, row: &dyn Fn(usize) -> String| {
        let mut text = String::from_utf8(tables.get(name).unwrap().to_vec()).unwrap();
        text.extend((0..more).map(row));
        tables.put(name, text.into_bytes());
    };
    add("stations.csv", &|n| format!("more-{n},puhe,More {n},更多{n},,,+08:00,river,IV,,,test\n"));
    add("devices.csv", &|n| format!("rivers,m-{n},more-{n},,river-sonde,device,,,,,,test\n"));
    let networks = ["rivers".to_owned(), "parks".to_owned()];
    let mut names = Names::default();
    let registry = compile(&tables, Judgement::default(), &networks, &mut names).unwrap();
    let at = Moment { wall: NOW, elapsed_ms: 0 };
    let mut pipeline = Pipeline::new(Arc::new(registry), at);
    let network = NetworkId(names.id(NameKind::Network, "rivers"));
    let mut out = Processed::default();
    for n in 0..more {
        let topic = format!("water/m-{n}/data");
        let payload = format!("{{\"ts\":{},\"do\":2.4}}", NOW.millis());
        let message = Message {
            network,
            packet_id: 1,
            dup: false,
            retain: false,
            qos: Qos::AtMostOnce,
            topic: topic.as_bytes(),
            payload: payload.as_bytes(),
            fault: None,
        };
        pipeline.process(&Arrival { at, input: Input::Message(message) }, &mut out);
    }
    let state = pipeline.state();
    View {
        at,
        registry: Arc::clone(pipeline.registry()),
        stations: state.stations.clone(),
        networks: Vec::new(),
        evaluated: Arc::clone(&state.evaluated),
        invalidations: Arc::clone(&state.invalidations),
        desk: Arc::clone(&state.desk),
        gone: state.gone.clone(),
    }
}

fn station<'v>(view: &'v View, name: &str) -> &'v Station {
    view.registry.stations.iter().find(|station| &*station.name == name).unwrap()
}

fn property(view: &View, name: &str) -> crate::domain::name::PropertyId {
    view.registry.properties.iter().find(|one| &*one.name == name).unwrap().id
}

fn told(index: Index, period: Period, start: Timestamp) -> Told {
    Told {
        index,
        period,
        start,
        value: None,
        grade: None,
        reason: None,
        target: Target::None,
        deciding: Vec::new(),
        missing: Vec::new(),
        items: 4,
        items_of: 5,
        unconfirmed: false,
        legal: true,
    }
}

/// Gives what the page shows of a section that came to this, whose real-time class stands for an
/// hour.
fn shown(view: &View, told: Vec<Told>) -> Vec<EvaluationView> {
    let state =
        StationState { evaluated: told, stands_until: NOW.plus(HOUR), ..StationState::default() };
    evaluated::of_station(view, station(view, "puhe-daoyi"), &state)
}

fn part_of(number: usize) -> StationsAsked {
    StationsAsked { number, ..StationsAsked::default() }
}

#[test]
fn stations_are_found_by_place_and_by_name() {
    let view = view(3);
    let found = |place: &str, words: &str| {
        let (place, words) = (place.to_owned(), words.to_owned());
        let asked = StationsAsked { number: 1, place, words };
        let (places, part) = places(&view, &asked, &home());
        let stations = places.into_iter().flat_map(|place| place.stations);
        (part.stations, stations.map(|station| station.id).collect::<Vec<_>>())
    };
    let all = found("", "");
    assert_eq!(all.0, 3);
    let one = &all.1[1];
    assert_eq!(found("", &one.to_uppercase()), (1, vec![one.clone()]));
    // What lies in a place belongs to it.
    assert_eq!(found("shenyang", "").0, 3);
    assert_eq!(found("nanhu", "").0, 0);
    assert_eq!(found("", "no such name").0, 0);
}

#[test]
fn each_station_stands_on_one_part_of_the_list() {
    let view = view(60);
    let mut names = Vec::new();
    for number in 1..=3 {
        let (places, part) = places(&view, &part_of(number), &home());
        let shown: Vec<StationView> = places.into_iter().flat_map(|place| place.stations).collect();
        assert_eq!((part.number, part.of, part.stations, part.exceeding), (number, 3, 60, 60));
        assert_eq!(part.last - part.first + 1, shown.len());
        assert!(shown.len() <= STATIONS_SHOWN_MAX);
        names.extend(shown.into_iter().map(|station| station.id));
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 60);
    for (asked, given) in [(0, 1), (4, 3), (usize::MAX, 3)] {
        assert_eq!(places(&view, &part_of(asked), &home()).1.number, given);
    }
}

#[test]
fn of_many_sets_the_first_are_shown_and_all_counted() {
    let mut view = view(0);
    let sets: Vec<_> = view.registry.sets.iter().map(|set| Evaluated::Set(set.id)).collect();
    let day = || vec![told(Index::RiverGrade, Period::Day, NOW.plus(-24 * HOUR))];
    view.evaluated = Arc::new(sets.iter().map(|set| (*set, day())).collect());
    let (shown, of) = evaluated::sets(&view, &home(), 2);
    assert_eq!((shown.len(), of), (2, sets.len()));
}

#[test]
fn a_class_is_of_its_items_and_has_the_colour_of_its_grade() {
    let view = view(0);
    let ammonia = Deciding {
        property: property(&view, "ammonia_nitrogen"),
        result: ObservationResult::Value(1.62),
        class: Some(WaterClass::V),
        index: None,
        over_target: Some(0.08),
        over_iii: Some(0.62),
    };
    let class = Told {
        grade: Some(Grade::Water(WaterClass::V)),
        target: Target::Missed,
        deciding: vec![ammonia],
        missing: vec![property(&view, "total_phosphorus")],
        ..told(Index::WaterClass, Period::Native, NOW)
    };
    let hour = told(Index::WaterClass, Period::Hour, NOW.plus(-2 * HOUR));
    let shown = shown(&view, vec![hour, class]);
    let first = &shown[0];
    assert_eq!((&*first.period.en, &*first.of.en), ("real time", "unchanged since 06-01 11:04"));
    assert_eq!((&*first.grade.zh, first.colour.as_deref()), ("Ⅴ类", Some("#F5A524")));
    assert_eq!(&*first.target.en, "misses the target class IV");
    assert_eq!(&*first.deciding[0].value, "1.620 mg/L");
    assert_eq!((&*first.deciding[0].over_target, &*first.deciding[0].over_iii), ("0.08", "0.62"));
    assert_eq!(&*first.missing[0].zh, "总磷");
    assert_eq!(&*shown[1].of.en, "06-01 09:00–10:00");
}

#[test]
fn each_class_has_its_colour_and_what_is_too_old_or_has_no_class_none() {
    let view = view(0);
    let colour = |told: Told| shown(&view, vec![told])[0].colour.clone();
    let of = |class, start| Told {
        grade: Some(Grade::Water(class)),
        ..told(Index::WaterClass, Period::Hour, start)
    };
    let hour = NOW.plus(-2 * HOUR);
    let found = [
        WaterClass::I,
        WaterClass::II,
        WaterClass::III,
        WaterClass::IV,
        WaterClass::V,
        WaterClass::WorseThanV,
    ]
    .map(|class| colour(of(class, hour)).unwrap());
    assert_eq!(found, ["#5AB1EF", "#5AB1EF", "#42CC70", "#E8DD3E", "#F5A524", "#ED5466"]);
    assert_eq!(colour(of(WaterClass::V, NOW.plus(-5 * HOUR))), None);
    let none = Told { reason: Some(NotAssessable::TooFewItems), ..of(WaterClass::V, hour) };
    assert_eq!(colour(none.clone()), None);
    let shown = shown(&view, vec![none]);
    assert_eq!(&*shown[0].reason.en, "not assessable: too few items");
    assert!(shown[0].grade.en.is_empty());
}

#[test]
fn a_class_in_real_time_stands_until_its_values_do_not_and_a_message_is_late() {
    let view = view(0);
    let class = Told {
        grade: Some(Grade::Water(WaterClass::III)),
        ..told(Index::WaterClass, Period::Native, NOW.plus(-HOUR))
    };
    // The sonde there speaks every minute.
    for (stood_until_s, old) in [(-1, false), (-119, false), (-120, true)] {
        let stands_until = NOW.plus(stood_until_s * SECOND);
        let evaluated = vec![class.clone()];
        let state = StationState { evaluated, stands_until, ..StationState::default() };
        let shown = evaluated::of_station(&view, station(&view, "puhe-daoyi"), &state);
        assert_eq!((shown[0].marks.len(), shown[0].colour.is_none()), (old.into(), old));
    }
}

#[test]
fn air_lakes_and_parks_have_their_numbers_and_words() {
    let mut view = view(0);
    let hour = NOW.plus(-2 * HOUR);
    let aqi = Told {
        value: Some(114.0),
        grade: Some(Grade::Air(3)),
        ..told(Index::Aqi, Period::Hour, hour)
    };
    let lake = Told {
        value: Some(59.44),
        grade: Some(Grade::Trophic(3)),
        ..told(Index::Trophic, Period::Day, NOW.plus(-24 * HOUR))
    };
    let shown = shown(&view, vec![lake, aqi]);
    let [aqi, lake] = &shown[..] else { panic!("{shown:?}") };
    assert_eq!((&*aqi.value.en, &*aqi.grade.zh), ("114", "轻度污染"));
    assert_eq!((aqi.colour.as_deref(), lake.colour.as_deref()), (Some("#FF7E00"), None));
    assert_eq!((&*lake.value.en, &*lake.grade.zh), ("59.44", "轻度富营养"));
    assert_eq!(&*lake.of.en, "2026-05-31");

    let park = view.registry.places.iter().find(|place| &*place.name == "setdz").unwrap().id;
    let reuse = Told { value: Some(94.44), ..told(Index::WaterReuse, Period::Month, hour) };
    view.evaluated = Arc::new([(Evaluated::Place(park), vec![reuse])].into());
    let shown = evaluated::of_place(&view, park, &home());
    assert_eq!((&*shown[0].value.en, &*shown[0].of.en), ("94.4 %", "2026-06"));
}

#[test]
fn a_set_stands_where_its_stations_do_with_its_latest_period() {
    let mut view = view(0);
    let id = |name: &str| {
        let set = view.registry.sets.iter().find(|set| &*set.name == name).unwrap();
        Evaluated::Set(set.id)
    };
    let of = |period, hours: i64| Told {
        grade: Some(Grade::River(3)),
        value: Some(63.6),
        ..told(Index::RiverGrade, period, NOW.plus(-hours * HOUR))
    };
    let month = || vec![of(Period::Day, 25), of(Period::Month, 24 * 31)];
    view.evaluated =
        Arc::new([(id("puhe-sections"), month()), (id("shenyang-sections"), month())].into());
    let (shown, _) = evaluated::sets(&view, &home(), 9);
    let places: Vec<&str> = shown.iter().map(|set| &*set.place.en).collect();
    assert!(places.contains(&"Puhe River") && places.contains(&"Shenyang"), "{places:?}");
    let [latest] = &shown[0].evaluations[..] else { panic!("{shown:?}") };
    assert_eq!((&*latest.period.en, &*latest.grade.en), ("day", "light pollution"));
    assert_eq!(latest.colour.as_deref(), Some("#E8DD3E"));
}

#[test]
fn sections_are_counted_by_their_class_and_those_without_one_too() {
    let view = view(3);
    let tally = evaluated::tally(&view);
    let without = tally.last().unwrap();
    // Oxygen alone makes no class, and the twelve sections of the example said nothing.
    assert_eq!((tally.len(), &*without.name.en, without.count), (7, "without a class", 15));
    let state = view.stations.iter().flatten().find(|state| !state.evaluated.is_empty()).unwrap();
    let station = station(&view, "more-0");
    let shown = station_view(&view, station, state);
    assert_eq!(&*shown.evaluations[0].reason.zh, "无法评价：项目不足");
    assert!(shown.exceeds, "the single value does");
    let why = evaluated::why_none(&view.registry, station);
    assert!(why.en.starts_with("no class yet"), "{why:?}");
}

#[test]
fn the_tests_that_doubt_the_newest_value_are_told_with_their_thresholds() {
    let view = view(0);
    let oxygen = view.registry.datastreams.iter();
    let oxygen =
        oxygen.into_iter().find(|one| &*one.name == "puhe-daoyi/dissolved_oxygen").unwrap();
    let mut quality = Quality::only(Test::Spike, Flag::Suspect);
    quality.set(Test::GrossRange, Flag::Fail);
    quality.set(Test::Clock, Flag::Suspect);
    let told = doubts(&view.registry, oxygen, &quality);
    let words: Vec<(u8, &str, &str)> =
        told.iter().map(|one| (one.flag, &*one.test.en, &*one.threshold.en)).collect();
    let spans = "fail outside 0 to 50 mg/L, suspect outside 0 to 20 mg/L";
    let want = [
        (4, "gross range", spans),
        (3, "clock", ""),
        (3, "spike", "suspect above 2 mg/L (differential)"),
    ];
    assert_eq!(words, want);
    assert_eq!(
        (&*told[0].test.zh, &*told[0].threshold.zh),
        ("量程", "0~50 mg/L 超出即错误，0~20 mg/L 超出即可疑",)
    );
    // What the next station shows, too, is doubted no more.
    quality.set(Test::Neighbour, Flag::Pass);
    assert_eq!(doubts(&view.registry, oxygen, &quality).len(), 2);
}
