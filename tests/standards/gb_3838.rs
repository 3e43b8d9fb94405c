//! GB 3838-2002, surface water: the figures of table 1, and the class of a section.

use proptest::prelude::*;

use weir::assess::water_class::evaluate;
use weir::domain::assessment::{Bound, Limit, NotAssessable, WaterClass};
use weir::domain::evaluation::{Evaluation, Grade, Target};
use weir::domain::observation::{ObservationResult, Period, Side};
use weir::domain::registry::{Registry, StationGrade};
use weir::domain::time::{PhenomenonTime, Timestamp};

use crate::{censored, items, property, registry, station, summer};

/// Asserts the figures of classes I to V of one item of GB 3838-2002, table 1, of a section.
#[track_caller]
fn figures(item: &str, property: &str, section: &str, want: [f64; 5]) {
    let registry = registry();
    let property = registry.properties.iter().find(|one| &*one.name == property).unwrap();
    let clause = format!("table 1 {item}");
    // The column is part of the lasting name, so the classes that a section is held against say it.
    let rule = registry
        .water
        .items
        .iter()
        .find(|rule| rule.property == property.id && !rule.class_limits(section).is_empty());
    let limits = rule.unwrap().class_limits(section);
    let of = |class: WaterClass| {
        let found: Vec<&Limit> = limits
            .iter()
            .filter(|(of, _)| *of == class)
            .map(|(_, id)| registry.limit(*id).unwrap())
            .collect();
        assert_eq!(found.len(), 1, "{clause}, class {}", class.name());
        assert_eq!(&*found[0].clause, clause);
        assert_eq!(&*found[0].instrument, "GB 3838-2002");
        match found[0].bound {
            Bound::Max(value) | Bound::Min(value) => value,
            Bound::Range { .. } => panic!("a range"),
        }
    };
    assert_eq!(WaterClass::WITH_LIMITS.map(of), want);
}

#[track_caller]
fn check(item: &str, property: &str, want: [f64; 5]) {
    figures(item, property, "river", want);
    figures(item, property, "lake", want);
}

#[test]
fn gb_3838_2002_table_1_item_1_temperature_has_no_class() {
    let registry = registry();
    let temperature = property(&registry, "water_temperature");
    assert!(!registry.limits.iter().any(|limit| limit.property == temperature));
}

#[test]
fn gb_3838_2002_table_1_item_2_ph_has_one_band_for_all_classes() {
    let registry = registry();
    let ph = property(&registry, "ph");
    let of_ph = registry
        .limits
        .iter()
        .filter(|limit| limit.property == ph && &*limit.instrument == "GB 3838-2002");
    let classes: Vec<_> = of_ph
        .map(|limit| {
            assert_eq!(limit.bound, Bound::Range { low: 6.0, high: 9.0 });
            limit.water_class.unwrap()
        })
        .collect();
    assert_eq!(classes, WaterClass::WITH_LIMITS);
}

#[test]
fn gb_3838_2002_table_1_item_8_phosphorus_of_rivers_and_of_lakes() {
    figures("item 8", "total_phosphorus", "river", [0.02, 0.1, 0.2, 0.3, 0.4]);
    figures("item 8", "total_phosphorus", "lake", [0.01, 0.025, 0.05, 0.1, 0.2]);
}

#[test]
fn gb_3838_2002_table_1_item_9_nitrogen_of_lakes_only() {
    figures("item 9", "total_nitrogen", "lake", [0.2, 0.5, 1.0, 1.5, 2.0]);
    let registry = registry();
    let nitrogen = property(&registry, "total_nitrogen");
    let mut rules = registry.water.items.iter().filter(|rule| rule.property == nitrogen);
    assert!(rules.all(|rule| rule.class_limits("river").is_empty()));
}

#[test]
fn gb_3838_2002_table_1_item_3_dissolved_oxygen() {
    check("item 3", "dissolved_oxygen", [7.5, 6.0, 5.0, 3.0, 2.0]);
}

#[test]
fn gb_3838_2002_table_1_item_4_permanganate_index() {
    check("item 4", "permanganate_index", [2.0, 4.0, 6.0, 10.0, 15.0]);
}

#[test]
fn gb_3838_2002_table_1_item_5_chemical_oxygen_demand() {
    check("item 5", "chemical_oxygen_demand", [15.0, 15.0, 20.0, 30.0, 40.0]);
}

#[test]
fn gb_3838_2002_table_1_item_6_biochemical_oxygen_demand() {
    check("item 6", "biochemical_oxygen_demand", [3.0, 3.0, 4.0, 6.0, 10.0]);
}

#[test]
fn gb_3838_2002_table_1_item_7_ammonia_nitrogen() {
    check("item 7", "ammonia_nitrogen", [0.15, 0.5, 1.0, 1.5, 2.0]);
}

#[test]
fn gb_3838_2002_table_1_item_10_copper() {
    check("item 10", "copper", [0.01, 1.0, 1.0, 1.0, 1.0]);
}

#[test]
fn gb_3838_2002_table_1_item_11_zinc() {
    check("item 11", "zinc", [0.05, 1.0, 1.0, 2.0, 2.0]);
}

#[test]
fn gb_3838_2002_table_1_item_12_fluoride() {
    check("item 12", "fluoride", [1.0, 1.0, 1.0, 1.5, 1.5]);
}

#[test]
fn gb_3838_2002_table_1_item_13_selenium() {
    check("item 13", "selenium", [0.01, 0.01, 0.01, 0.02, 0.02]);
}

#[test]
fn gb_3838_2002_table_1_item_14_arsenic() {
    check("item 14", "arsenic", [0.05, 0.05, 0.05, 0.1, 0.1]);
}

#[test]
fn gb_3838_2002_table_1_item_15_mercury() {
    check("item 15", "mercury", [0.000_05, 0.000_05, 0.000_1, 0.001, 0.001]);
}

#[test]
fn gb_3838_2002_table_1_item_16_cadmium() {
    check("item 16", "cadmium", [0.001, 0.005, 0.005, 0.005, 0.01]);
}

#[test]
fn gb_3838_2002_table_1_item_17_chromium_6() {
    check("item 17", "chromium_6", [0.01, 0.05, 0.05, 0.05, 0.1]);
}

#[test]
fn gb_3838_2002_table_1_item_18_lead() {
    check("item 18", "lead", [0.01, 0.01, 0.05, 0.05, 0.1]);
}

#[test]
fn gb_3838_2002_table_1_item_19_cyanide() {
    check("item 19", "cyanide", [0.005, 0.05, 0.2, 0.2, 0.2]);
}

#[test]
fn gb_3838_2002_table_1_item_20_volatile_phenol() {
    check("item 20", "volatile_phenol", [0.002, 0.002, 0.005, 0.01, 0.1]);
}

#[test]
fn gb_3838_2002_table_1_item_21_petroleum() {
    check("item 21", "petroleum", [0.05, 0.05, 0.05, 0.5, 1.0]);
}

#[test]
fn gb_3838_2002_table_1_item_22_anionic_surfactant() {
    check("item 22", "anionic_surfactant", [0.2, 0.2, 0.2, 0.3, 0.3]);
}

#[test]
fn gb_3838_2002_table_1_item_23_sulphide() {
    check("item 23", "sulphide", [0.05, 0.1, 0.2, 0.5, 1.0]);
}

#[test]
fn gb_3838_2002_table_1_item_24_faecal_coliform() {
    check("item 24", "faecal_coliform", [200.0, 2_000.0, 10_000.0, 20_000.0, 40_000.0]);
}

/// Evaluates a river section at Puhe, whose target is IV.
fn class(values: &[(&str, f64)], period: Period) -> Evaluation {
    let registry = registry();
    let items = items(&registry, values);
    evaluate(&registry, station(&registry, "puhe-huishan"), period, summer(), &items)
}

#[track_caller]
fn is(evaluation: &Evaluation, want: WaterClass) {
    assert_eq!(evaluation.grade, Some(Grade::Water(want)), "{evaluation:#?}");
}

#[track_caller]
fn near(found: Option<f64>, want: f64) {
    let found = found.unwrap();
    assert!((found - want).abs() < 1e-9, "{found} is not {want}");
}

/// What an automatic station measures, all of it of class I or II.
const CLEAN: [(&str, f64); 4] = [
    ("ph", 7.6),
    ("dissolved_oxygen", 8.0),
    ("permanganate_index", 3.5),
    ("total_phosphorus", 0.08),
];

fn clean_but(name: &'static str, value: f64) -> Vec<(&'static str, f64)> {
    let mut values: Vec<_> = CLEAN.into_iter().filter(|(one, _)| *one != name).collect();
    values.push((name, value));
    values
}

#[test]
fn ammonia_of_1_62_is_class_v() {
    let found = class(&clean_but("ammonia_nitrogen", 1.62), Period::Native);
    is(&found, WaterClass::V);
    assert_eq!(found.target, Target::Missed);
    assert_eq!((found.items, found.items_of), (5, 5));
    assert_eq!(found.missing, []);
    assert_eq!(found.deciding.len(), 1);
    assert_eq!(found.deciding[0].property, property(&registry(), "ammonia_nitrogen"));
    near(found.deciding[0].over_target, 0.08);
    near(found.deciding[0].over_iii, 0.62);
    assert!(found.legal && !found.unconfirmed);
}

#[test]
fn a_month_rounds_before_it_compares_and_real_time_does_not() {
    let of = |value, period| class(&clean_but("permanganate_index", value), period);
    is(&of(6.05, Period::Month), WaterClass::III);
    is(&of(6.05, Period::Day), WaterClass::III);
    is(&of(6.05, Period::Native), WaterClass::IV);
    is(&of(6.05, Period::Hour), WaterClass::IV);
    is(&of(6.051, Period::Month), WaterClass::IV);
    let compared = of(6.05, Period::Month).deciding[0].result;
    assert_eq!(compared, ObservationResult::Value(6.0));
}

#[test]
fn a_trace_is_not_rounded_to_nothing() {
    let found = class(&[("total_phosphorus", 0.000_4)], Period::Month);
    assert_eq!(found.deciding[0].result, ObservationResult::Value(0.000_4));
}

#[test]
fn the_noise_of_arithmetic_is_no_exceedance() {
    let noisy = 1.500_000_000_000_000_2;
    is(&class(&clean_but("ammonia_nitrogen", noisy), Period::Hour), WaterClass::IV);
    is(&class(&clean_but("ammonia_nitrogen", 1.500_001), Period::Hour), WaterClass::V);
    is(&class(&clean_but("ammonia_nitrogen", f64::MAX), Period::Hour), WaterClass::WorseThanV);
    is(&class(&clean_but("ammonia_nitrogen", 0.1 + 0.2), Period::Hour), WaterClass::II);
}

#[test]
fn neighbours_that_share_a_limit_are_the_better_class() {
    is(&class(&[("chemical_oxygen_demand", 15.0)], Period::Month), WaterClass::I);
    is(&class(&[("fluoride", 1.0)], Period::Month), WaterClass::I);
    is(&class(&[("copper", 0.5)], Period::Month), WaterClass::II);
    is(&class(&[("copper", 1.1)], Period::Month), WaterClass::WorseThanV);
}

#[test]
fn mercury_of_1_ug_per_litre_is_class_iv() {
    is(&class(&[("mercury", 0.001)], Period::Month), WaterClass::IV);
}

#[test]
fn outside_its_band_ph_is_worse_than_v_and_has_no_multiple() {
    for value in [5.9, 9.1] {
        let found = class(&clean_but("ph", value), Period::Native);
        is(&found, WaterClass::WorseThanV);
        assert_eq!((found.deciding[0].over_target, found.deciding[0].over_iii), (None, None));
    }
    is(&class(&clean_but("ph", 6.0), Period::Native), WaterClass::II);
    is(&class(&clean_but("ph", 9.0), Period::Native), WaterClass::II);
    // Rounded to whole numbers before it is held against the band.
    is(&class(&clean_but("ph", 9.4), Period::Month), WaterClass::II);
}

#[test]
fn oxygen_is_better_the_more_there_is_and_has_no_multiple() {
    let of = |value| class(&clean_but("dissolved_oxygen", value), Period::Native);
    is(&of(5.0), WaterClass::III);
    is(&of(4.99), WaterClass::IV);
    is(&of(1.99), WaterClass::WorseThanV);
    assert_eq!((of(1.99).deciding[0].over_target, of(1.99).deciding[0].over_iii), (None, None));
}

#[test]
fn nitrogen_and_coliform_are_not_counted() {
    let mut values = clean_but("ammonia_nitrogen", 0.3);
    values.extend([("total_nitrogen", 9.0), ("faecal_coliform", 90_000.0)]);
    values.push(("water_temperature", 35.0));
    let found = class(&values, Period::Native);
    is(&found, WaterClass::II);
    assert_eq!(found.items, 5);
}

#[test]
fn a_lake_is_held_against_its_own_column() {
    let registry = registry();
    let values = items(&registry, &[("total_phosphorus", 0.08), ("total_nitrogen", 9.0)]);
    let of = |name| evaluate(&registry, station(&registry, name), Period::Month, summer(), &values);
    is(&of("nanhu-buoy"), WaterClass::IV);
    is(&of("puhe-huishan"), WaterClass::II);
}

#[test]
fn what_is_missing_is_named_and_never_clean() {
    let registry = registry();
    let found = class(&CLEAN, Period::Native);
    is(&found, WaterClass::II);
    assert_eq!(found.missing, [property(&registry, "ammonia_nitrogen")]);
    assert_eq!((found.items, found.items_of), (4, 5));
    let found = class(&[], Period::Month);
    assert_eq!((found.grade, found.reason), (None, Some(NotAssessable::Missing)));
    assert_eq!((found.target, found.items, found.items_of), (Target::None, 0, 5));
}

#[test]
fn real_time_needs_three_of_five_and_one_of_the_analysers() {
    let two = [("ph", 7.0), ("permanganate_index", 3.0)];
    let probes = [("ph", 7.0), ("dissolved_oxygen", 8.0), ("water_temperature", 20.0)];
    for values in [&two[..], &probes[..]] {
        let found = class(values, Period::Native);
        assert_eq!((found.grade, found.reason), (None, Some(NotAssessable::TooFewItems)));
        assert_eq!(found.target, Target::None);
    }
    let three = [("ph", 7.0), ("dissolved_oxygen", 8.0), ("permanganate_index", 3.0)];
    is(&class(&three, Period::Native), WaterClass::II);
    is(&class(&two, Period::Month), WaterClass::II);
}

#[test]
fn too_few_items_miss_a_target_all_the_same() {
    let found = class(&[("dissolved_oxygen", 1.0)], Period::Native);
    assert_eq!((found.grade, found.target), (None, Target::Missed));
    assert_eq!(found.deciding[0].class, Some(WaterClass::WorseThanV));
}

#[test]
fn the_worst_decides_first_by_class_and_then_by_multiple() {
    let registry = registry();
    let values = [
        ("ammonia_nitrogen", 1.8),
        ("total_phosphorus", 0.39),
        ("permanganate_index", 20.0),
        ("dissolved_oxygen", 8.0),
    ];
    let found = class(&values, Period::Native);
    is(&found, WaterClass::WorseThanV);
    let order: Vec<_> = found.deciding.iter().map(|one| one.property).collect();
    let names = ["permanganate_index", "total_phosphorus", "ammonia_nitrogen"];
    assert_eq!(order, names.map(|name| property(&registry, name)));
}

/// Evaluates clean items and a censored one.
fn with_censored(name: &str, side: Side, limit: f64, ammonia: f64) -> Evaluation {
    let registry = registry();
    let mut values = items(&registry, &[("ammonia_nitrogen", ammonia), ("ph", 7.0)]);
    values.push(censored(&registry, name, side, limit));
    evaluate(&registry, station(&registry, "puhe-huishan"), Period::Native, summer(), &values)
}

#[test]
fn below_a_detection_limit_within_class_i_is_class_i() {
    is(&with_censored("permanganate_index", Side::Below, 0.5, 0.1), WaterClass::I);
}

#[test]
fn a_censored_item_matters_only_where_it_could_change_the_class() {
    let found = with_censored("total_phosphorus", Side::Below, 0.15, 0.1);
    assert_eq!((found.grade, found.reason), (None, Some(NotAssessable::Censored)));
    assert_eq!(found.target, Target::Met);
    is(&with_censored("total_phosphorus", Side::Below, 0.15, 1.2), WaterClass::IV);
    is(&with_censored("total_phosphorus", Side::Above, 0.4, 0.1), WaterClass::WorseThanV);
    let found = with_censored("total_phosphorus", Side::Above, 0.35, 0.1);
    assert_eq!((found.reason, found.target), (Some(NotAssessable::Censored), Target::Missed));
    is(&with_censored("dissolved_oxygen", Side::Below, 2.0, 0.1), WaterClass::WorseThanV);
    is(&with_censored("dissolved_oxygen", Side::Above, 7.5, 0.1), WaterClass::I);
}

/// Evaluates oxygen of class II at 28 degrees, where 90 % of saturation are 7.07 mg/L.
fn saturated(registry: &Registry, temperature: Option<f64>) -> Evaluation {
    let mut values = vec![("dissolved_oxygen", 7.1), ("ph", 8.0), ("ammonia_nitrogen", 0.1)];
    values.extend(temperature.map(|temperature| ("water_temperature", temperature)));
    let items = items(registry, &values);
    evaluate(registry, station(registry, "puhe-huishan"), Period::Native, summer(), &items)
}

#[test]
fn saturation_counts_where_the_station_asks_for_it_and_knows_its_temperature() {
    let plain = registry();
    is(&saturated(&plain, Some(28.0)), WaterClass::II);
    let mut asked = registry();
    let id = station(&asked, "puhe-huishan").id;
    asked.stations.get_mut(id.index()).unwrap().do_saturation = true;
    is(&saturated(&asked, Some(28.0)), WaterClass::I);
    is(&saturated(&asked, Some(20.0)), WaterClass::II);
    is(&saturated(&asked, None), WaterClass::II);
}

#[test]
fn what_is_no_section_and_what_was_before_the_standard_has_no_class() {
    let registry = registry();
    let values = items(&registry, &clean_but("ammonia_nitrogen", 1.62));
    let air = station(&registry, "setdz-air");
    let found = evaluate(&registry, air, Period::Native, summer(), &values);
    assert_eq!((found.grade, found.reason), (None, Some(NotAssessable::NoLimit)));
    let river = station(&registry, "puhe-huishan");
    let long_ago = PhenomenonTime::Instant(Timestamp(0));
    let found = evaluate(&registry, river, Period::Native, long_ago, &values);
    assert_eq!((found.grade, found.reason), (None, Some(NotAssessable::NoneInForce)));
}

#[test]
fn an_indicative_station_gets_no_legal_verdict() {
    let registry = registry();
    let mut station = station(&registry, "puhe-huishan").clone();
    station.grade = StationGrade::Indicative;
    let values = items(&registry, &clean_but("ammonia_nitrogen", 1.62));
    assert!(!evaluate(&registry, &station, Period::Native, summer(), &values).legal);
}

#[test]
fn a_suspect_item_that_decides_leaves_the_class_unconfirmed() {
    let registry = registry();
    let station = station(&registry, "puhe-huishan");
    let unconfirmed = |name| {
        let mut values = items(&registry, &clean_but("ammonia_nitrogen", 1.62));
        let suspect = property(&registry, name);
        for item in values.iter_mut().filter(|item| item.property == suspect) {
            item.suspect = true;
        }
        evaluate(&registry, station, Period::Native, summer(), &values).unconfirmed
    };
    assert!(unconfirmed("ammonia_nitrogen"));
    assert!(!unconfirmed("ph"));
}

/// The items that have classes and get worse the more there is.
const MORE_IS_WORSE: [&str; 8] = [
    "permanganate_index",
    "chemical_oxygen_demand",
    "biochemical_oxygen_demand",
    "ammonia_nitrogen",
    "total_phosphorus",
    "mercury",
    "cyanide",
    "sulphide",
];

fn water(evaluation: &Evaluation) -> Option<WaterClass> {
    match evaluation.grade {
        Some(Grade::Water(class)) => Some(class),
        _ => None,
    }
}

#[test]
fn a_higher_concentration_never_betters_a_class() {
    let registry = registry();
    let station = station(&registry, "puhe-huishan");
    let limits = [15.0, 40.0, 10.0, 2.0, 0.4, 0.001, 0.2, 1.0];
    let shares = proptest::collection::vec(0.0_f64..3.0, 8);
    proptest!(|(shares in shares, which in 0_usize..8, more in 0.0_f64..5.0, month: bool)| {
        let values = MORE_IS_WORSE.iter().zip(&shares).zip(limits);
        let mut values: Vec<(&str, f64)> =
            values.map(|((name, share), limit)| (*name, share * limit)).collect();
        let period = if month { Period::Month } else { Period::Native };
        let before = evaluate(&registry, station, period, summer(), &items(&registry, &values));
        values[which].1 += more * limits[which];
        let after = evaluate(&registry, station, period, summer(), &items(&registry, &values));
        prop_assert!(water(&before).unwrap() <= water(&after).unwrap());
    });
}

#[test]
fn the_order_of_the_items_does_not_matter() {
    let registry = registry();
    let station = station(&registry, "puhe-huishan");
    let mut sorted = items(
        &registry,
        &[
            ("ph", 7.0),
            ("dissolved_oxygen", 4.0),
            ("permanganate_index", 20.0),
            ("ammonia_nitrogen", 2.5),
            ("total_phosphorus", 0.5),
            ("copper", 1.5),
            // Another probe of the same.
            ("ammonia_nitrogen", 2.6),
        ],
    );
    sorted.push(censored(&registry, "cyanide", Side::Below, 0.1));
    let want = evaluate(&registry, station, Period::Month, summer(), &sorted);
    let order = Just(sorted).prop_shuffle();
    proptest!(|(items in order)| {
        let found = evaluate(&registry, station, Period::Month, summer(), &items);
        prop_assert_eq!(&found, &want);
    });
}
