//! The city water quality index CWQI (ranking rule of 2017, trial).

use weir::assess::cwqi::{city, evaluate};
use weir::domain::assessment::NotAssessable;
use weir::domain::observation::Period;

use crate::{items, property, registry, station, summer};

/// Every item at the limit of class III, pH at 8.
const AT_CLASS_III: [(&str, f64); 21] = [
    ("ph", 8.0),
    ("dissolved_oxygen", 5.0),
    ("permanganate_index", 6.0),
    ("chemical_oxygen_demand", 20.0),
    ("biochemical_oxygen_demand", 4.0),
    ("ammonia_nitrogen", 1.0),
    ("total_phosphorus", 0.2),
    ("copper", 1.0),
    ("zinc", 1.0),
    ("fluoride", 1.0),
    ("selenium", 0.01),
    ("arsenic", 0.05),
    ("mercury", 0.000_1),
    ("cadmium", 0.005),
    ("chromium_6", 0.05),
    ("lead", 0.05),
    ("cyanide", 0.2),
    ("volatile_phenol", 0.005),
    ("petroleum", 0.05),
    ("anionic_surfactant", 0.2),
    ("sulphide", 0.2),
];

/// Evaluates a river section with one item put for another.
#[track_caller]
fn check(name: &str, value: f64, want: f64) {
    let registry = registry();
    let mut values = AT_CLASS_III;
    values.iter_mut().find(|(one, _)| *one == name).unwrap().1 = value;
    let items = items(&registry, &values);
    let river = station(&registry, "puhe-huishan");
    let found = evaluate(&registry, river, Period::Month, summer(), &items);
    assert!((found.value.unwrap() - want).abs() < 1e-9, "{:?} is not {want}", found.value);
    let own = found.deciding.iter().find(|one| one.property == property(&registry, name));
    assert!(own.unwrap().index.is_some());
}

#[test]
fn an_item_at_the_limit_of_class_iii_counts_one() {
    check("ammonia_nitrogen", 1.0, 20.5);
    check("ammonia_nitrogen", 1.5, 21.0);
}

#[test]
fn less_oxygen_counts_more() {
    check("dissolved_oxygen", 10.0, 20.0);
    check("dissolved_oxygen", 2.5, 21.5);
}

#[test]
fn ph_counts_from_neutral() {
    check("ph", 7.0, 20.0);
    check("ph", 6.0, 21.0);
    check("ph", 9.0, 21.0);
    // Not rounded to a whole number, as it is for a class.
    check("ph", 7.5, 20.25);
}

#[test]
fn a_sum_of_fewer_items_is_none() {
    let registry = registry();
    let items = items(&registry, &AT_CLASS_III[..20]);
    let river = station(&registry, "puhe-huishan");
    let found = evaluate(&registry, river, Period::Month, summer(), &items);
    assert_eq!((found.value, found.reason), (None, Some(NotAssessable::TooFewItems)));
    assert_eq!(found.missing, [property(&registry, "sulphide")]);
    assert_eq!(found.deciding.len(), 20);
}

#[test]
fn a_city_weighs_rivers_and_lakes_by_their_number() {
    assert_eq!(city((4.0, 3), (8.0, 1)), Some(5.0));
    assert_eq!(city((4.0, 3), (f64::NAN, 0)), Some(4.0));
    assert_eq!(city((4.0, 0), (8.0, 0)), None);
}
