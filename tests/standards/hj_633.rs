//! HJ 633-2012 and HJ 633-2026, the air quality index.

use std::sync::LazyLock;

use proptest::prelude::*;
use weir::assess::aqi;
use weir::basin::city;
use weir::domain::assessment::{Averaging, Bound};
use weir::domain::evaluation::{Evaluated, Evaluation, Grade, Item, Target};
use weir::domain::name::{PropertyId, SetId, StationId};
use weir::domain::observation::{ObservationResult, Period, Side};
use weir::domain::registry::{Registry, StationGrade, StationSet};
use weir::domain::time::{DAY, HOUR, PhenomenonTime, Timestamp, Validity};

use crate::registry;

/// The example seeds, compiled once.
static REGISTRY: LazyLock<Registry> = LazyLock::new(registry);

/// Days of the two editions in UTC+8: the last of one, the first of the other.
const OLD: &str = "2026-02-28";
const NEW: &str = "2026-03-01";

const ITEMS: [&str; 6] =
    ["sulphur_dioxide", "nitrogen_dioxide", "carbon_monoxide", "ozone", "pm10", "pm2_5"];

/// Concentrations of a clean day, so that one item decides.
const CLEAN: [f64; 6] = [5.0, 10.0, 0.3, 40.0, 10.0, 5.0];

fn property(name: &str) -> PropertyId {
    REGISTRY.properties.iter().find(|one| &*one.name == name).unwrap().id
}

fn item(name: &str, value: f64) -> Item {
    let result = ObservationResult::Value(value);
    Item { property: property(name), result, suspect: false }
}

fn start(day: &str) -> Timestamp {
    let at: jiff::Timestamp = format!("{day}T00:00:00+08:00").parse().unwrap();
    Timestamp(at.as_millisecond())
}

fn evaluate(period: Period, day: &str, items: &[Item]) -> Evaluation {
    let start = start(day);
    let length = if period == Period::Hour { HOUR } else { DAY };
    let span = PhenomenonTime::Interval { start, end: start.plus(length) };
    let subject = Evaluated::Station(StationId(u32::MAX));
    aqi::evaluate(&REGISTRY, subject, "2", period, span, items).unwrap()
}

/// Gives the index of each item alone.
fn singles(evaluation: &Evaluation) -> Vec<(PropertyId, u16)> {
    let whole = |index: f64| {
        assert_eq!(index.fract(), 0.0);
        index as u16
    };
    evaluation.singles.iter().map(|(property, index)| (*property, whole(*index))).collect()
}

/// Gives a clean day with some items as they are given.
fn day(given: &[(&str, f64)]) -> Vec<Item> {
    let value = |name: &str, clean: f64| {
        given.iter().find(|(of, _)| *of == name).map_or(clean, |(_, value)| *value)
    };
    ITEMS.iter().zip(CLEAN).map(|(name, clean)| item(name, value(name, clean))).collect()
}

/// Asserts the index of one item alone under both editions.
#[track_caller]
fn check(period: Period, name: &str, concentration: f64, old: u16, new: u16) {
    let item = item(name, concentration);
    let index = |day| singles(&evaluate(period, day, &[item]))[0].1;
    assert_eq!((index(OLD), index(NEW)), (old, new), "{name} {concentration}");
}

/// Asserts number, grade and primary pollutants of an evaluation.
#[track_caller]
fn check_aqi(
    period: Period,
    day_of: &str,
    given: &[(&str, f64)],
    want: (f64, u8),
    primary: &[&str],
) {
    let evaluation = evaluate(period, day_of, &day(given));
    assert_eq!((evaluation.value, evaluation.grade), (Some(want.0), Some(Grade::Air(want.1))));
    assert_eq!(named(&evaluation), primary);
    assert_eq!((evaluation.items, evaluation.items_of, evaluation.reason), (6, 6, None));
}

fn named(evaluation: &Evaluation) -> Vec<&'static str> {
    let name = |id: PropertyId| &*REGISTRY.property(id).unwrap().name;
    evaluation.deciding.iter().map(|one| name(one.property)).collect()
}

/// Asserts all breakpoints of one column under an edition.
#[track_caller]
fn check_column(day: &str, name: &str, period: Period, want: &[i64]) {
    let property = property(name);
    let edition = REGISTRY.air.edition(start(day)).unwrap();
    let mine = |column: &&weir::domain::registry::AqiColumn| {
        column.property == property && column.period == period
    };
    let column = edition.columns.iter().find(mine).unwrap();
    let indices = [0, 50, 100, 150, 200, 300, 400, 500];
    // An edition that does not round first counts in smaller parts.
    let whole = REGISTRY.property(property).unwrap().decimals_eval;
    let parts = 10_i64.pow(u32::from(column.decimals - whole));
    let counts = want.iter().map(|count| count * parts);
    let want: Vec<(u16, i64)> = indices.into_iter().zip(counts).collect();
    assert_eq!(column.breakpoints, want, "{name} of {day}");
}

#[test]
fn hj_633_table_1_gases_have_the_same_breakpoints_in_both_editions() {
    for day in [OLD, NEW] {
        let check = |name, period, want: &[i64]| check_column(day, name, period, want);
        let (so2, no2) = ("sulphur_dioxide", "nitrogen_dioxide");
        check(so2, Period::Day, &[0, 50, 150, 475, 800, 1600, 2100, 2620]);
        check(so2, Period::Hour, &[0, 150, 500, 650, 800]);
        check(no2, Period::Day, &[0, 40, 80, 180, 280, 565, 750, 940]);
        check(no2, Period::Hour, &[0, 100, 200, 700, 1200, 2340, 3090, 3840]);
        // Counted in tenths of mg/m3.
        check("carbon_monoxide", Period::Day, &[0, 20, 40, 140, 240, 360, 480, 600]);
        check("carbon_monoxide", Period::Hour, &[0, 50, 100, 350, 600, 900, 1200, 1500]);
        check("ozone", Period::DayMaxEightHours, &[0, 100, 160, 215, 265, 800]);
        check("ozone", Period::Hour, &[0, 160, 200, 300, 400, 800, 1000, 1200]);
    }
}

#[test]
fn hj_633_2012_table_1_particles() {
    check_column(OLD, "pm10", Period::Day, &[0, 50, 150, 250, 350, 420, 500, 600]);
    check_column(OLD, "pm2_5", Period::Day, &[0, 35, 75, 115, 150, 250, 350, 500]);
}

#[test]
fn hj_633_2026_table_1_particles() {
    check_column(NEW, "pm10", Period::Day, &[0, 50, 120, 250, 350, 420, 500, 600]);
    check_column(NEW, "pm2_5", Period::Day, &[0, 35, 60, 115, 150, 250, 350, 500]);
}

#[test]
fn hj_633_table_1_pm2_5_by_both_editions() {
    for (concentration, old, new) in [
        (35.0, 50, 50),
        (60.0, 82, 100),
        (75.0, 100, 114),
        (76.0, 102, 115),
        (115.0, 150, 150),
        (500.0, 500, 500),
        (730.0, 500, 500),
    ] {
        check(Period::Day, "pm2_5", concentration, old, new);
        // The hourly report takes the hour's mean by the same breakpoints.
        check(Period::Hour, "pm2_5", concentration, old, new);
    }
}

#[test]
fn hj_633_table_1_pm10_by_both_editions() {
    for (concentration, old, new) in [(120.0, 85, 100), (150.0, 100, 112), (250.0, 150, 150)] {
        check(Period::Day, "pm10", concentration, old, new);
        check(Period::Hour, "pm10", concentration, old, new);
    }
}

#[test]
fn hj_633_table_1_ozone_of_eight_hours() {
    check(Period::Day, "ozone", 160.0, 100, 100);
    check(Period::Day, "ozone", 161.0, 101, 101);
    check(Period::Day, "ozone", 800.0, 300, 300);
}

#[test]
fn hj_633_table_1_ozone_of_eight_hours_above_800_stays_at_300() {
    check(Period::Day, "ozone", 801.0, 300, 300);
    check(Period::Day, "ozone", 900.0, 300, 300);
}

#[test]
fn hj_633_table_1_sulphur_dioxide_of_an_hour_above_800_stays_at_200() {
    check(Period::Hour, "sulphur_dioxide", 800.0, 200, 200);
    check(Period::Hour, "sulphur_dioxide", 801.0, 200, 200);
    check(Period::Hour, "sulphur_dioxide", 900.0, 200, 200);
}

#[test]
fn hj_633_table_1_others_above_the_last_breakpoint_stay_at_500() {
    check(Period::Day, "sulphur_dioxide", 2621.0, 500, 500);
    check(Period::Hour, "carbon_monoxide", 1e6, 500, 500);
    check(Period::Hour, "ozone", 1e300, 500, 500);
    check(Period::Day, "pm10", f64::INFINITY, 500, 500);
}

#[test]
fn hj_633_2026_4_2_6_indices_are_rounded_up() {
    check(Period::Day, "nitrogen_dioxide", 81.0, 101, 101);
    check(Period::Day, "carbon_monoxide", 2.1, 53, 53);
}

#[test]
fn hj_633_2026_gb_t_8170_the_concentration_is_rounded_first_half_to_even_and_in_2012_not() {
    // 2012: (60.5 - 35) / 40 * 50 + 50 = 81.875, 60.6: 82.0, 61.5: 83.125.
    check(Period::Day, "pm2_5", 60.5, 82, 100);
    check(Period::Day, "pm2_5", 60.6, 82, 101);
    check(Period::Day, "pm2_5", 61.5, 84, 102);
    // 2012: (2.05 - 2) / 2 * 50 + 50 = 51.25, 2.15: 53.75. 2026: 2.0 and 2.2.
    check(Period::Day, "carbon_monoxide", 2.05, 52, 50);
    check(Period::Day, "carbon_monoxide", 2.15, 54, 55);
    check(Period::Hour, "carbon_monoxide", 2.543, 26, 25);
}

#[test]
fn hj_633_2026_4_2_6_the_noise_of_binary_numbers_is_not_rounded_up() {
    for tenths in 0..=600 {
        let concentration = f64::from(tenths) / 10.0;
        // 0, 2, 4, 14, 24, 36, 48, 60 mg/m3 in tenths, by whole numbers.
        let points = [
            (0, 0),
            (50, 20),
            (100, 40),
            (150, 140),
            (200, 240),
            (300, 360),
            (400, 480),
            (500, 600),
        ];
        let pair = points.windows(2).find(|pair| tenths <= pair[1].1).unwrap();
        let ((low, from), (high, to)) = (pair[0], pair[1]);
        let (rise, run) = ((high - low) * (tenths - from), to - from);
        let want = u16::try_from(low + rise / run + i32::from(rise % run > 0)).unwrap();
        check_one(Period::Day, "carbon_monoxide", concentration, want);
        check_one(Period::Day, "carbon_monoxide", concentration * (1.0 + 1e-15), want);
        check_one(Period::Day, "carbon_monoxide", concentration * (1.0 - 1e-15), want);
    }
}

#[track_caller]
fn check_one(period: Period, name: &str, concentration: f64, want: u16) {
    let item = item(name, concentration);
    let got = singles(&evaluate(period, NEW, &[item]))[0].1;
    assert_eq!(got, want, "{name} {concentration}");
}

#[test]
fn hj_633_formula_2_the_index_is_the_greatest_and_at_least_1() {
    check_aqi(Period::Day, NEW, &[("pm2_5", 75.0), ("ozone", 161.0)], (114.0, 3), &["pm2_5"]);
    let nothing = ITEMS.map(|name| (name, 0.0));
    check_aqi(Period::Day, NEW, &nothing, (1.0, 1), &[]);
    let below_zero = ITEMS.map(|name| (name, -3.0));
    check_aqi(Period::Day, NEW, &below_zero, (1.0, 1), &[]);
}

#[test]
fn hj_633_primary_pollutants_are_named_above_50_only() {
    check_aqi(Period::Day, NEW, &[("pm2_5", 35.0)], (50.0, 1), &[]);
    check_aqi(Period::Day, NEW, &[("pm2_5", 36.0)], (52.0, 2), &["pm2_5"]);
}

#[test]
fn hj_633_all_primary_pollutants_of_a_tie_are_named() {
    let tie = [("pm2_5", 60.0), ("pm10", 120.0), ("ozone", 160.0)];
    check_aqi(Period::Day, NEW, &tie, (100.0, 2), &["ozone", "pm10", "pm2_5"]);
    let top = [("pm2_5", 900.0), ("pm10", 900.0)];
    check_aqi(Period::Hour, NEW, &top, (500.0, 6), &["pm10", "pm2_5"]);
}

#[test]
fn hj_633_table_2_grades() {
    for (concentration, index, grade) in [
        (115.0, 150.0, 3),
        (116.0, 152.0, 4),
        (150.0, 200.0, 4),
        (151.0, 201.0, 5),
        (250.0, 300.0, 5),
        (251.0, 301.0, 6),
    ] {
        check_aqi(Period::Day, NEW, &[("pm2_5", concentration)], (index, grade), &["pm2_5"]);
    }
}

#[test]
fn hj_633_table_2_names_and_colours() {
    for day in [OLD, NEW] {
        let edition = REGISTRY.air.edition(start(day)).unwrap();
        let grade = |index| {
            let grade = edition.grade(index).unwrap();
            (&*grade.name_zh, grade.colour)
        };
        assert_eq!(grade(1), ("优", [0, 228, 0]));
        assert_eq!(grade(51), ("良", [255, 255, 0]));
        assert_eq!(grade(101), ("轻度污染", [255, 126, 0]));
        assert_eq!(grade(151), ("中度污染", [255, 0, 0]));
        assert_eq!(grade(201), ("重度污染", [153, 0, 76]));
        assert_eq!(REGISTRY.air.grade(3, start(day)).unwrap().up_to, 150);
        assert_eq!(grade(500), ("严重污染", [126, 0, 35]));
    }
}

#[test]
fn hj_633_the_edition_is_that_of_the_first_instant_of_the_span() {
    let items = day(&[("pm2_5", 60.0)]);
    let of = |period, at: i64, length| {
        let span = PhenomenonTime::Interval { start: Timestamp(at), end: Timestamp(at + length) };
        let subject = Evaluated::Station(StationId(u32::MAX));
        let evaluation = aqi::evaluate(&REGISTRY, subject, "2", period, span, &items).unwrap();
        (evaluation.value.unwrap(), evaluation.clause)
    };
    let change = start(NEW).millis();
    let (old, new) = ((82.0, "HJ 633-2012 table 1".into()), (100.0, "HJ 633-2026 table 1".into()));
    assert_eq!(of(Period::Hour, change - HOUR, HOUR), old);
    assert_eq!(of(Period::Hour, change, HOUR), new);
    assert_eq!(of(Period::Day, change - DAY, DAY), old);
    assert_eq!(of(Period::Day, change, DAY), new);
    assert_eq!(of(Period::Hour, change - 1, HOUR), old);
}

#[test]
fn hj_633_no_edition_in_force_is_no_evaluation() {
    let items = day(&[]);
    let span = PhenomenonTime::Instant(start("2015-12-31"));
    let subject = Evaluated::Station(StationId(u32::MAX));
    let of = |period, span| aqi::evaluate(&REGISTRY, subject, "2", period, span, &items);
    assert_eq!(of(Period::Day, span), None);
    assert_eq!(of(Period::Month, PhenomenonTime::Instant(start(NEW))), None);
    assert!(of(Period::Day, PhenomenonTime::Instant(start("2016-01-01"))).is_some());
}

/// Gives the evaluation of a day on which only particles are known.
fn particles_only(day: &str, pm2_5: f64) -> (Evaluation, Vec<(PropertyId, u16)>) {
    let items = [item("pm2_5", pm2_5), item("pm10", 60.0)];
    let evaluation = evaluate(Period::Day, day, &items);
    let singles = singles(&evaluation);
    (evaluation, singles)
}

#[test]
fn hj_633_2012_an_item_missing_the_index_is_that_of_the_items_present() {
    let (evaluation, _) = particles_only(OLD, 60.0);
    assert_eq!((evaluation.value, evaluation.grade), (Some(82.0), Some(Grade::Air(2))));
    assert_eq!((evaluation.items, evaluation.items_of), (2, 6));
    let missing: Vec<_> = ITEMS[..4].iter().map(|name| property(name)).collect();
    assert_eq!(evaluation.missing, missing);
}

#[test]
fn hj_633_2026_an_item_missing_the_index_is_given_above_100_only() {
    let (evaluation, _) = particles_only(NEW, 61.0);
    assert_eq!((evaluation.value, evaluation.grade), (Some(101.0), Some(Grade::Air(3))));
    assert_eq!(named(&evaluation), ["pm2_5"]);
    let (evaluation, singles) = particles_only(NEW, 60.0);
    assert_eq!((evaluation.value, evaluation.grade), (None, None));
    assert!(evaluation.reason.is_some() && evaluation.deciding.is_empty());
    assert_eq!((evaluation.items, evaluation.missing.len()), (2, 4));
    let of = |name| property(name);
    assert_eq!(singles, [(of("pm10"), 58), (of("pm2_5"), 100)]);
}

#[test]
fn hj_633_2026_an_hour_without_pm10_alone_has_the_index_of_the_others() {
    let without = |names: &[&str], period: Period| {
        let values = ITEMS.iter().zip(CLEAN).filter(|(name, _)| !names.contains(name));
        let items: Vec<Item> = values.map(|(name, value)| item(name, value)).collect();
        let evaluation = evaluate(period, NEW, &items);
        (evaluation.value, evaluation.missing.len(), evaluation.items_of)
    };
    // Ozone 40 of 160 is 12.5, up 13.
    assert_eq!(without(&["pm10"], Period::Hour), (Some(13.0), 1, 6));
    assert_eq!(without(&["pm10"], Period::Day), (None, 1, 6));
    assert_eq!(without(&["pm2_5"], Period::Hour), (None, 1, 6));
    assert_eq!(without(&["pm10", "pm2_5"], Period::Hour), (None, 2, 6));
}

#[test]
fn hj_633_no_item_at_all_is_no_index_by_either_edition() {
    for day in [OLD, NEW] {
        let evaluation = evaluate(Period::Hour, day, &[]);
        assert_eq!((evaluation.value, evaluation.grade, evaluation.items), (None, None, 0));
        assert!(evaluation.reason.is_some());
        assert_eq!(evaluation.missing.len(), 6);
    }
}

#[test]
fn what_is_no_item_of_the_index_changes_nothing() {
    let mut items = day(&[("pm2_5", 61.0)]);
    let want = evaluate(Period::Day, NEW, &items);
    items.push(item("tsp", 9000.0));
    items.push(item("pm2_5", f64::NAN));
    assert_eq!(evaluate(Period::Day, NEW, &items), want);
}

#[test]
fn a_suspect_item_that_takes_part_leaves_the_index_unconfirmed() {
    let mut items = day(&[("pm2_5", 61.0)]);
    assert!(!evaluate(Period::Day, NEW, &items).unconfirmed);
    items[0].suspect = true;
    assert!(evaluate(Period::Day, NEW, &items).unconfirmed);
}

#[test]
fn below_its_detection_limit_an_item_counts_half_of_it() {
    let censored = |side, limit| Item {
        result: ObservationResult::Censored { side, limit },
        ..item("pm2_5", 0.0)
    };
    let single = |item: Item| {
        let evaluation = evaluate(Period::Day, NEW, &[item]);
        (singles(&evaluation)[0].1, evaluation.unconfirmed)
    };
    assert_eq!(single(censored(Side::Below, 70.0)), (50, false));
    assert_eq!(single(censored(Side::Above, 70.0)), (110, true));
}

/// Asserts whether a day or an hour meets the limits of class 2.
#[track_caller]
fn check_target(period: Period, day_of: &str, given: &[(&str, f64)], want: Target) {
    let evaluation = evaluate(period, day_of, &day(given));
    assert_eq!(evaluation.target, want, "{given:?} of {day_of}");
}

#[test]
fn gb_3095_table_1_a_day_meets_class_2_by_the_limits_of_its_date() {
    check_target(Period::Day, OLD, &[("pm2_5", 75.0)], Target::Met);
    check_target(Period::Day, OLD, &[("pm2_5", 76.0)], Target::Missed);
    check_target(Period::Day, NEW, &[("pm2_5", 60.5)], Target::Met);
    check_target(Period::Day, NEW, &[("pm2_5", 61.0)], Target::Missed);
    check_target(Period::Day, "2030-12-31", &[("pm2_5", 60.0)], Target::Met);
    check_target(Period::Day, "2031-01-01", &[("pm2_5", 51.0)], Target::Missed);
    check_target(Period::Day, NEW, &[("ozone", 161.0)], Target::Missed);
}

#[test]
fn gb_3095_table_1_an_hour_has_no_limit_of_particles() {
    check_target(Period::Hour, NEW, &[("pm2_5", 400.0)], Target::Met);
    check_target(Period::Hour, NEW, &[("ozone", 200.1)], Target::Missed);
}

#[test]
fn a_missing_item_never_meets_its_limit() {
    let (evaluation, _) = particles_only(NEW, 20.0);
    assert_eq!(evaluation.target, Target::None);
    let (evaluation, _) = particles_only(NEW, 90.0);
    assert_eq!(evaluation.target, Target::Missed);
    assert_eq!(evaluation.deciding[0].over_target, Some(0.5));
}

#[test]
fn gb_3095_table_1_class_1_is_stricter() {
    let items = day(&[("pm10", 60.0)]);
    let span = PhenomenonTime::Instant(start(NEW));
    let of = |class| {
        let subject = Evaluated::Station(StationId(u32::MAX));
        aqi::evaluate(&REGISTRY, subject, class, Period::Day, span, &items).unwrap().target
    };
    assert_eq!((of("1"), of("2"), of("")), (Target::Missed, Target::Met, Target::None));
}

#[test]
fn hj_633_the_same_day_by_both_editions_item_by_item() {
    let given = [("ozone", 161.0), ("pm10", 150.0), ("pm2_5", 75.0)];
    let items = day(&given);
    let indices = |day_of| -> Vec<u16> {
        let singles = singles(&evaluate(Period::Day, day_of, &items));
        singles.iter().map(|(_, index)| *index).collect()
    };
    assert_eq!(indices(OLD), [5, 13, 8, 101, 100, 100]);
    assert_eq!(indices(NEW), [5, 13, 8, 101, 112, 114]);
    check_aqi(Period::Day, OLD, &given, (101.0, 3), &["ozone"]);
    check_aqi(Period::Day, NEW, &given, (114.0, 3), &["pm2_5"]);
    let over = |day_of| evaluate(Period::Day, day_of, &items).deciding[0].over_target;
    // (161 - 160) / 160 and (75 - 60) / 60.
    assert_eq!((over(OLD), over(NEW)), (Some(0.00625), Some(0.25)));
}

#[test]
fn a_limit_of_no_class_holds_for_every_class() {
    let mut registry = REGISTRY.clone();
    let property = property("ozone");
    let mut limit = registry.limits.iter().find(|one| one.property == property).unwrap().clone();
    limit.class = "".into();
    limit.averaging = Averaging::Of(Period::Hour);
    limit.bound = Bound::Max(30.0);
    limit.in_force = Validity::default();
    registry.limits.put(registry.limits.len(), limit);
    let span = PhenomenonTime::Instant(start(NEW));
    let subject = Evaluated::Station(StationId(u32::MAX));
    let of = |registry| {
        aqi::evaluate(registry, subject, "2", Period::Hour, span, &day(&[])).unwrap().target
    };
    assert_eq!((of(&REGISTRY), of(&registry)), (Target::Met, Target::Missed));
}

/// Gives the index of a city of these stations, by PM2.5.
fn city(pm2_5: &[f64]) -> (Option<f64>, u32) {
    let stations: Vec<Vec<Item>> = pm2_5.iter().map(|value| day(&[("pm2_5", *value)])).collect();
    let means = city::means(&stations);
    let items: Vec<Item> = means.iter().map(|mean| mean.item).collect();
    (evaluate(Period::Day, NEW, &items).value, means[0].stations)
}

#[test]
fn hj_633_a_city_has_the_index_of_its_mean_concentrations() {
    // Of 55 ug/m3; the worst station has 114, and the mean of the stations' indices is 86.
    assert_eq!(city(&[30.0, 60.0, 75.0]), (Some(90.0), 3));
    assert_eq!(city(&[75.0, 30.0, 60.0]), (Some(90.0), 3));
    // The mean is 60.5 whatever binary numbers make of it, and 60 by GB/T 8170.
    assert_eq!(city(&[60.1, 60.3, 61.1]), (Some(100.0), 3));
}

#[test]
fn an_indicative_station_has_an_index_without_legal_weight() {
    let mut registry = REGISTRY.clone();
    let ids: Vec<StationId> = registry.stations.iter().take(2).map(|one| one.id).collect();
    registry.stations.get_mut(ids[1].index()).unwrap().grade = StationGrade::Indicative;
    let until = Validity { from: None, to: Some(start(NEW)) };
    let members = vec![(ids[0], Validity::default()), (ids[1], until)];
    registry.sets.put(0, StationSet { id: SetId(0), name: "city".into(), members });
    let legal = |subject, day_of| {
        let span = PhenomenonTime::Instant(start(day_of));
        aqi::evaluate(&registry, subject, "2", Period::Day, span, &day(&[])).unwrap().legal
    };
    assert!(legal(Evaluated::Station(ids[0]), NEW));
    assert!(!legal(Evaluated::Station(ids[1]), NEW));
    assert!(legal(Evaluated::Set(SetId(0)), NEW), "it left the set");
    assert!(!legal(Evaluated::Set(SetId(0)), OLD));
}

/// Six concentrations from none at all to beyond the last breakpoint.
fn concentrations() -> impl Strategy<Value = [f64; 6]> {
    (
        0.0..3000.0_f64,
        0.0..4000.0_f64,
        0.0..170.0_f64,
        0.0..1300.0_f64,
        0.0..700.0_f64,
        0.0..600.0_f64,
    )
        .prop_map(|(so2, no2, co, o3, pm10, pm25)| [so2, no2, co, o3, pm10, pm25])
}

fn items(values: [f64; 6]) -> Vec<Item> {
    ITEMS.iter().zip(values).map(|(name, value)| item(name, value)).collect()
}

proptest! {
    #[test]
    fn raising_a_concentration_never_lowers_the_index(
        values in concentrations(),
        which in 0..6_usize,
        more in 0.0..1000.0_f64,
        period in prop_oneof![Just(Period::Hour), Just(Period::Day)],
        day in prop_oneof![Just(OLD), Just(NEW)],
    ) {
        let before = evaluate(period, day, &items(values));
        let mut raised = values;
        raised[which] += more;
        let after = evaluate(period, day, &items(raised));
        prop_assert!(after.value >= before.value);
        prop_assert!(after.target != Target::Met || before.target == Target::Met);
    }

    #[test]
    fn the_order_of_items_does_not_matter(
        values in concentrations(),
        order in Just([0, 1, 2, 3, 4, 5]).prop_shuffle(),
        present in 0..=6_usize,
        day in prop_oneof![Just(OLD), Just(NEW)],
    ) {
        let mut items = items(values);
        items.truncate(present);
        let shuffled: Vec<Item> =
            order.into_iter().filter_map(|place: usize| items.get(place).copied()).collect();
        let straight = evaluate(Period::Day, day, &items);
        prop_assert_eq!(straight, evaluate(Period::Day, day, &shuffled));
    }

    #[test]
    fn any_number_gives_an_index_from_1_to_500(
        values in proptest::array::uniform6(any::<f64>().prop_filter("no number", |x| !x.is_nan())),
        period in prop_oneof![Just(Period::Hour), Just(Period::Day)],
    ) {
        let evaluation = evaluate(period, NEW, &items(values));
        let value = evaluation.value.unwrap();
        prop_assert!((1.0..=500.0).contains(&value) && value.fract() == 0.0);
    }
}
