//! GB 18918-2002, discharge of sewage works.

use weir::domain::assessment::Bound;
use weir::domain::observation::Period;
use weir::domain::registry::Registry;

use crate::{in_force, judged, registry, registry_with, words};

const DAY: &str = "2026-01-15T00:00:00+08:00";

/// A works with ammonia and temperature at its outfall.
fn works(class: &str) -> Registry {
    let station = format!("works,hunhe,Works,厂,41.7,123.4,+08:00,river,{class},,,made for a test");
    let channel = |property: &str, unit: &str| {
        format!(
            "outfall,x,{property},,/{property},{unit},1,number,continuous,,,instant,,60s,,made for \
             a test"
        )
    };
    let channels = [
        ("ammonia_nitrogen", "mg/L"),
        ("chemical_oxygen_demand", "mg/L"),
        ("total_phosphorus", "mg/L"),
        ("water_temperature", "Cel"),
    ];
    let channels = channels.map(|(property, unit)| channel(property, unit)).join("\n");
    registry_with(&[
        ("stations.csv", &station),
        ("profiles.csv", &channels),
        ("devices.csv", "rivers,outfall-1,works,,outfall,device,,,,,,made for a test"),
    ])
}

#[track_caller]
fn check(class: &str, property: &str, value: f64, beside: Option<f64>, want: &str) {
    let registry = works(class);
    let case = (Period::Day, value, DAY);
    let told = judged(&registry, &format!("works/{property}"), case, beside);
    assert_eq!(words(&registry, told), want, "{property} {value} beside {beside:?}");
}

#[test]
fn gb_18918_2002_table_1_ammonia_in_brackets_holds_at_12_degrees_and_below() {
    check("1A", "ammonia_nitrogen", 6.0, Some(12.0), "within 8");
    check("1A", "ammonia_nitrogen", 6.0, Some(12.1), "exceeds 5 by 0.200");
    check("1A", "ammonia_nitrogen", 8.0, Some(3.5), "within 8");
    check("1A", "ammonia_nitrogen", 10.0, Some(3.5), "exceeds 8 by 0.250");
    check("1B", "ammonia_nitrogen", 12.0, Some(12.0), "within 15");
    check("1B", "ammonia_nitrogen", 12.0, Some(20.0), "exceeds 8 by 0.500");
}

#[test]
fn gb_18918_2002_table_1_without_a_temperature_only_what_is_sure_is_said() {
    check("1A", "ammonia_nitrogen", 6.0, None, "condition_unknown");
    check("1A", "ammonia_nitrogen", 5.0, None, "within 5");
    check("1A", "ammonia_nitrogen", 9.0, None, "exceeds 8 by 0.125");
    check("1A", "chemical_oxygen_demand", 50.0, None, "within 50");
}

#[test]
fn gb_18918_2002_table_1_total_phosphorus_depends_on_the_year_a_works_was_built() {
    check("1A", "total_phosphorus", 0.6, None, "exceeds 0.5 by 0.200");
    check("1A-before-2006", "total_phosphorus", 0.6, None, "within 1");
    check("1B", "total_phosphorus", 1.2, None, "exceeds 1 by 0.200");
    check("1B-before-2006", "total_phosphorus", 1.2, None, "within 1.5");
}

#[test]
fn gb_18918_2002_table_1_is_of_daily_means_rounded_half_to_even() {
    let registry = works("1A");
    let at = |period, value| {
        let told = judged(&registry, "works/ammonia_nitrogen", (period, value, DAY), Some(20.0));
        words(&registry, told)
    };
    assert_eq!(at(Period::Day, 5.005), "within 5");
    assert_eq!(at(Period::Day, 5.015), "exceeds 5 by 0.004");
    for period in [Period::Native, Period::Hour, Period::Month] {
        assert_eq!(at(period, 50.0), "no_limit", "{period:?} is no daily mean");
    }
}

#[test]
fn gb_18918_2002_tables_1_and_2() {
    let registry = registry();
    for (property, a, b) in [
        ("chemical_oxygen_demand", 50.0, 60.0),
        ("biochemical_oxygen_demand", 10.0, 20.0),
        ("suspended_solids", 10.0, 20.0),
        ("animal_vegetable_oil", 1.0, 3.0),
        ("petroleum", 1.0, 3.0),
        ("anionic_surfactant", 0.5, 1.0),
        ("total_nitrogen", 15.0, 20.0),
        ("colour", 30.0, 30.0),
        ("faecal_coliform", 1000.0, 10000.0),
        ("mercury", 0.001, 0.001),
        ("cadmium", 0.01, 0.01),
        ("total_chromium", 0.1, 0.1),
        ("chromium_6", 0.05, 0.05),
        ("arsenic", 0.1, 0.1),
        ("lead", 0.1, 0.1),
    ] {
        for (class, want) in [("1A", a), ("1A-before-2006", a), ("1B", b), ("1B-before-2006", b)] {
            let found = in_force(&registry, "GB 18918-2002", (property, class, "day"), DAY);
            let bounds: Vec<Bound> = found.iter().map(|limit| limit.bound).collect();
            assert_eq!(bounds, [Bound::Max(want)], "{property} {class}");
        }
    }
    let ph = in_force(&registry, "GB 18918-2002", ("ph", "1B", "day"), DAY);
    assert_eq!(ph[0].bound, Bound::Range { low: 6.0, high: 9.0 });
}
