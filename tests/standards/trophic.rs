//! The trophic level index TLI of lakes (环办〔2011〕22号).

use weir::assess::trophic::evaluate;
use weir::domain::assessment::NotAssessable;
use weir::domain::evaluation::{Evaluation, Grade, Item};
use weir::domain::observation::{ObservationResult, Period, Side};
use weir::domain::registry::Registry;

use crate::{censored, items, property, registry, station, summer};

/// The worked example: chlorophyll a in ug/L, transparency in m, the rest in mg/L.
const EXAMPLE: [(&str, f64); 5] = [
    ("chlorophyll_a", 26.0),
    ("total_phosphorus", 0.1),
    ("total_nitrogen", 2.0),
    ("transparency", 0.5),
    ("permanganate_index", 6.0),
];

fn of(registry: &Registry, items: &[Item]) -> Evaluation {
    evaluate(registry, station(registry, "nanhu-buoy"), Period::Month, summer(), items)
}

#[test]
fn the_worked_example_is_59_44_and_lightly_eutrophic() {
    let registry = registry();
    let found = of(&registry, &items(&registry, &EXAMPLE));
    assert!((found.value.unwrap() - 59.44).abs() < 0.005, "{found:#?}");
    assert_eq!(found.grade, Some(Grade::Trophic(3)));
    let want = [60.38, 56.97, 66.27, 64.63, 48.77];
    for ((name, _), want) in EXAMPLE.iter().zip(want) {
        let id = property(&registry, name);
        let level = found.deciding.iter().find(|one| one.property == id).unwrap().index.unwrap();
        assert!((level - want).abs() < 0.005, "{name}: {level}");
    }
    assert_eq!(found.deciding[0].property, property(&registry, "total_nitrogen"));
    assert_eq!((found.items, found.items_of), (5, 5));
}

#[test]
fn the_borders_of_the_states_belong_where_the_rule_puts_them() {
    let registry = registry();
    let at = summer().start();
    let state = |value| {
        let numbers = [(weir::domain::registry::Quantity::Value, value)];
        let index = weir::domain::evaluation::Index::Trophic;
        registry.water.grade(index, at, &numbers).unwrap().grade
    };
    let found = [29.99, 30.0, 50.0, 50.01, 60.0, 60.01, 70.0, 70.01].map(state);
    assert_eq!(found, [1, 2, 2, 3, 3, 4, 4, 5]);
}

#[test]
fn a_part_that_is_missing_leaves_no_index() {
    let registry = registry();
    let found = of(&registry, &items(&registry, &EXAMPLE[1..]));
    assert_eq!((found.value, found.grade), (None, None));
    assert_eq!(found.reason, Some(NotAssessable::TooFewItems));
    assert_eq!(found.missing, [property(&registry, "chlorophyll_a")]);
    assert_eq!((found.items, found.items_of), (4, 5));
}

#[test]
fn nothing_and_less_have_no_logarithm() {
    let registry = registry();
    for number in [0.0, -0.1] {
        let mut values = EXAMPLE;
        values[0].1 = number;
        let found = of(&registry, &items(&registry, &values));
        assert_eq!((found.value, found.reason), (None, Some(NotAssessable::TooFewItems)));
    }
}

#[test]
fn below_detection_counts_half_and_above_the_span_is_unknown() {
    let registry = registry();
    let mut values = items(&registry, &EXAMPLE[1..]);
    values.push(censored(&registry, "chlorophyll_a", Side::Below, 52.0));
    let found = of(&registry, &values);
    assert!((found.value.unwrap() - 59.44).abs() < 0.005);
    values[4].result = ObservationResult::Censored { side: Side::Above, limit: 400.0 };
    let found = of(&registry, &values);
    assert_eq!((found.value, found.reason), (None, Some(NotAssessable::Censored)));
}

#[test]
fn a_river_has_no_trophic_state() {
    let registry = registry();
    let values = items(&registry, &EXAMPLE);
    let river = station(&registry, "puhe-huishan");
    let found = evaluate(&registry, river, Period::Month, summer(), &values);
    assert_eq!(found.reason, Some(NotAssessable::NoLimit));
}
