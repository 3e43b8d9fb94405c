//! Black and odorous water (guide to its treatment, 2015).

use weir::assess::black_odour::{Tally, grade, indication, state};
use weir::domain::assessment::NotAssessable;
use weir::domain::evaluation::{Evaluation, Grade};
use weir::domain::observation::{ObservationResult, Period, Side};
use weir::domain::registry::Registry;

use crate::{items, property, registry, registry_changed, station, summer};

#[track_caller]
fn check(registry: &Registry, name: &str, result: ObservationResult, want: Option<u8>) {
    let property = property(registry, name);
    let station = station(registry, "nanyun-longtan");
    let found = grade(registry, station, property, result, summer().start());
    assert_eq!(found, want, "{name} {result:?}");
}

/// Each item better than light, at its border, within, at the border of heavy and beyond.
const ITEMS: [(&str, [f64; 5]); 4] = [
    ("transparency", [0.26, 0.25, 0.15, 0.1, 0.09]),
    ("dissolved_oxygen", [2.1, 2.0, 1.0, 0.2, 0.1]),
    ("redox_potential", [51.0, 50.0, 0.0, -200.0, -201.0]),
    ("ammonia_nitrogen", [7.9, 8.0, 10.0, 15.0, 15.1]),
];

#[track_caller]
fn borders(registry: &Registry, want: [u8; 5]) {
    for (name, values) in ITEMS {
        for (value, want) in values.into_iter().zip(want) {
            check(registry, name, ObservationResult::Value(value), Some(want));
        }
    }
}

#[test]
fn the_table_as_printed_has_both_borders_in_light() {
    borders(&registry(), [0, 1, 1, 1, 2]);
}

#[test]
fn on_which_side_a_border_is_is_a_setting() {
    let with = |min: &str, max: &str| {
        registry_changed("items.csv", &[("min,light,", min), ("max,light,", max)])
    };
    borders(&with("min,better,", "max,better,"), [0, 0, 1, 1, 2]);
    borders(&with("min,worse,", "max,worse,"), [0, 1, 1, 2, 2]);
}

#[test]
fn a_censored_value_counts_where_it_can_be_of_one_grade_only() {
    let registry = registry();
    let below = |limit| ObservationResult::Censored { side: Side::Below, limit };
    let above = |limit| ObservationResult::Censored { side: Side::Above, limit };
    check(&registry, "ammonia_nitrogen", below(0.05), Some(0));
    check(&registry, "ammonia_nitrogen", below(10.0), None);
    check(&registry, "ammonia_nitrogen", above(20.0), Some(2));
    check(&registry, "dissolved_oxygen", below(0.1), Some(2));
    check(&registry, "dissolved_oxygen", below(1.0), None);
    check(&registry, "transparency", above(0.5), Some(0));
}

fn indicated(values: &[(&str, f64)]) -> Evaluation {
    let registry = registry();
    let items = items(&registry, values);
    indication(&registry, station(&registry, "nanyun-longtan"), summer(), &items)
}

#[test]
fn one_reading_is_an_indication_without_legal_weight() {
    let values = [
        ("transparency", 0.2),
        ("dissolved_oxygen", 0.1),
        ("redox_potential", 100.0),
        ("ammonia_nitrogen", 3.0),
    ];
    let found = indicated(&values);
    assert_eq!(found.grade, Some(Grade::BlackOdour(2)));
    assert!(!found.legal);
    assert_eq!(found.deciding.len(), 1);
    assert_eq!(found.deciding[0].property, property(&registry(), "dissolved_oxygen"));
}

#[test]
fn what_is_missing_is_not_clean() {
    let clean = [("transparency", 0.5), ("dissolved_oxygen", 6.0), ("ammonia_nitrogen", 1.0)];
    let found = indicated(&clean);
    assert_eq!((found.grade, found.reason), (None, Some(NotAssessable::TooFewItems)));
    assert_eq!((found.items, found.items_of), (3, 4));
    let foul = indicated(&[("dissolved_oxygen", 1.0)]);
    assert_eq!((foul.grade, foul.missing.len()), (Some(Grade::BlackOdour(1)), 3));
    let all = [clean[0], clean[1], clean[2], ("redox_potential", 200.0)];
    assert_eq!(indicated(&all).grade, Some(Grade::BlackOdour(0)));
}

/// Gives the state of a hundred readings of each item, of which so many are light or worse, and
/// so many heavy.
fn of(counts: [(u32, u32); 4]) -> Evaluation {
    let registry = registry();
    let tally = |((name, _), (light, heavy)): (&(&str, [f64; 5]), (u32, u32))| Tally {
        property: property(&registry, name),
        readings: 100,
        light,
        heavy,
    };
    let tallies: Vec<Tally> = ITEMS.iter().zip(counts).map(tally).collect();
    let station = station(&registry, "nanyun-longtan");
    state(&registry, station, Period::Month, summer(), &tallies)
}

#[test]
fn a_state_is_made_of_the_shares_of_many_readings() {
    let grade = |counts| of(counts).grade;
    assert_eq!(grade([(0, 0); 4]), Some(Grade::BlackOdour(0)));
    assert_eq!(grade([(60, 0), (0, 0), (0, 0), (0, 0)]), Some(Grade::BlackOdour(0)));
    assert_eq!(grade([(61, 0), (0, 0), (0, 0), (0, 0)]), Some(Grade::BlackOdour(1)));
    assert_eq!(grade([(30, 0), (30, 0), (0, 0), (0, 0)]), Some(Grade::BlackOdour(1)));
    assert_eq!(grade([(29, 0), (30, 0), (0, 0), (0, 0)]), Some(Grade::BlackOdour(0)));
    assert_eq!(grade([(100, 61), (0, 0), (0, 0), (0, 0)]), Some(Grade::BlackOdour(2)));
    assert_eq!(grade([(100, 30), (40, 30), (0, 0), (0, 0)]), Some(Grade::BlackOdour(2)));
    assert!(of([(61, 0), (0, 0), (0, 0), (0, 0)]).legal);
}

#[test]
fn a_tally_counts_readings_by_grade() {
    let mut tally = Tally::new(property(&registry(), "dissolved_oxygen"));
    for grade in [Some(0), Some(1), Some(2), None] {
        tally.count(grade);
    }
    assert_eq!((tally.readings, tally.light, tally.heavy), (3, 2, 1));
}
