//! The grade of a river over its sections (环办〔2011〕22号).

use weir::assess::water_class::{evaluate_set, over_iii};
use weir::basin::grade::{Graded, Means, Sectioned, grade, of_class};
use weir::domain::assessment::{NotAssessable, WaterClass};
use weir::domain::evaluation::{Evaluated, Evaluation, Grade, Index, Item, Target};
use weir::domain::name::StationId;
use weir::domain::observation::{ObservationResult, Period, Side};
use weir::domain::registry::{Quantity, Registry, StationGrade, StationSet};

use crate::{censored, items, property, registry, station, summer};

fn set<'a>(registry: &'a Registry, name: &str) -> &'a StationSet {
    registry.sets.iter().find(|set| &*set.name == name).unwrap()
}

/// Asserts the grade of shares, in per cent, of a river of ten sections.
#[track_caller]
fn check(good: f64, bad: f64, want: u8) {
    let registry = registry();
    let numbers =
        [(Quantity::Sections, 10.0), (Quantity::GoodShare, good), (Quantity::BadShare, bad)];
    let found = registry.water.grade(Index::RiverGrade, summer().start(), &numbers);
    assert_eq!(found.map(|rule| rule.grade), Some(want), "{good} and {bad}");
}

#[test]
fn shares_of_sections_make_the_grade() {
    check(90.0, 0.0, 1);
    check(90.0, 10.0, 1);
    check(89.9, 0.0, 2);
    check(75.0, 25.0, 2);
    check(74.9, 0.0, 3);
    check(74.9, 19.9, 3);
    check(74.9, 20.0, 4);
    check(60.0, 39.9, 4);
    check(59.9, 40.0, 5);
    check(0.0, 100.0, 5);
    check(0.0, 0.0, 3);
}

#[test]
fn exactly_60_and_40_per_cent_is_heavy() {
    check(60.0, 40.0, 5);
}

#[test]
fn every_river_has_one_grade() {
    // Whole numbers of sections, of any river.
    let registry = registry();
    for sections in 5_u32..=40 {
        for good in 0..=sections {
            for bad in 0..=sections - good {
                let share = |of: u32| 100.0 * f64::from(of) / f64::from(sections);
                let numbers = [
                    (Quantity::Sections, f64::from(sections)),
                    (Quantity::GoodShare, share(good)),
                    (Quantity::BadShare, share(bad)),
                ];
                let at = summer().start();
                let holds = |grade: u8| {
                    let mut one = registry.water.clone();
                    one.grades.retain(|rule| rule.grade == grade);
                    one.grade(Index::RiverGrade, at, &numbers).is_some()
                };
                let grades = (1..=5).filter(|grade| holds(*grade)).count();
                assert_eq!(grades, 1, "{good} and {bad} of {sections}");
            }
        }
    }
}

/// Grades a set whose sections have these classes, in the order of the seeds.
fn graded(registry: &Registry, name: &str, classes: &[Option<WaterClass>]) -> Graded {
    let set = set(registry, name);
    let sections: Vec<Sectioned<'_>> = set
        .members
        .iter()
        .zip(classes)
        .map(|((station, _), class)| Sectioned {
            station: *station,
            class: *class,
            unconfirmed: false,
            items: &[],
            over_iii: &[],
        })
        .collect();
    grade(registry, set, Period::Month, summer(), &sections)
}

#[track_caller]
fn shares(graded: Graded) -> Evaluation {
    match graded {
        Graded::Shares(evaluation) => evaluation,
        Graded::Means(means) => panic!("{means:?}"),
    }
}

#[track_caller]
fn means(graded: Graded) -> Means {
    match graded {
        Graded::Means(means) => means,
        Graded::Shares(evaluation) => panic!("{evaluation:?}"),
    }
}

#[test]
fn a_section_without_a_class_is_neither_clean_nor_polluted() {
    let registry = registry();
    let mut classes = vec![Some(WaterClass::IV); 5];
    classes.extend([Some(WaterClass::WorseThanV); 5]);
    classes.push(None);
    let found = shares(graded(&registry, "shenyang-sections", &classes));
    assert_eq!(found.grade, Some(Grade::River(5)));
    assert_eq!((found.items, found.items_of), (10, 11));
    assert_eq!(found.value, Some(0.0));
    assert_eq!(found.subject, Evaluated::Set(set(&registry, "shenyang-sections").id));
    assert_eq!(&*found.clause, "环办〔2011〕22号");
    let found = shares(graded(&registry, "shenyang-sections", &[None; 11]));
    assert_eq!((found.grade, found.reason), (None, Some(NotAssessable::Missing)));
}

#[test]
fn main_pollutants_of_a_river_are_those_of_most_sections() {
    let registry = registry();
    let (set, at) = (set(&registry, "shenyang-sections"), summer());
    let values = [
        [("ammonia_nitrogen", 1.2), ("total_phosphorus", 0.31), ("permanganate_index", 2.0)],
        [("ammonia_nitrogen", 0.4), ("total_phosphorus", 0.21), ("permanganate_index", 2.0)],
    ];
    let of = |number: usize| {
        let river = registry.station(set.members[number].0).unwrap();
        let items = items(&registry, &values[usize::from(number > 0)]);
        over_iii(&registry, river, Period::Month, at, &items)
    };
    let over: Vec<_> = (0..11).map(of).collect();
    let section = |(number, (station, _)): (usize, &(StationId, _))| Sectioned {
        station: *station,
        class: (number < 10).then_some(WaterClass::IV),
        unconfirmed: false,
        items: &[],
        over_iii: &over[number],
    };
    let sections: Vec<_> = set.members.iter().enumerate().map(section).collect();
    let found = shares(grade(&registry, set, Period::Month, at, &sections));
    let main: Vec<_> = found.deciding.iter().map(|one| (one.property, one.index)).collect();
    let (tp, ammonia) =
        (property(&registry, "total_phosphorus"), property(&registry, "ammonia_nitrogen"));
    assert_eq!(main, [(tp, Some(100.0)), (ammonia, Some(10.0))]);
}

#[test]
fn an_outage_does_not_change_the_method() {
    let registry = registry();
    let classes = [Some(WaterClass::II), None, None, None, None, None];
    assert_eq!(
        shares(graded(&registry, "shenyang-sections", &classes)).grade,
        Some(Grade::River(1))
    );
    assert!(matches!(graded(&registry, "puhe-sections", &[None; 4]), Graded::Means(_)));
}

/// Gives what the pipeline makes of few sections: their means, classed and graded.
fn by_means(registry: &Registry, name: &str, values: &[Vec<Item>]) -> (Means, Evaluation) {
    let set = set(registry, name);
    let sections: Vec<Sectioned<'_>> = set
        .members
        .iter()
        .zip(values)
        .map(|((station, _), items)| Sectioned {
            station: *station,
            class: None,
            unconfirmed: false,
            items,
            over_iii: &[],
        })
        .collect();
    let means = means(grade(registry, set, Period::Month, summer(), &sections));
    let rules = (&*means.column, means.target);
    let class = evaluate_set(registry, set.id, rules, Period::Month, summer(), &means.items);
    let graded = of_class(registry, &means, class);
    (means, graded)
}

fn mean(means: &Means, registry: &Registry, name: &str) -> ObservationResult {
    let property = property(registry, name);
    means.items.iter().find(|item| item.property == property).unwrap().result
}

#[test]
fn few_sections_are_averaged_item_by_item_before_they_are_classed() {
    let registry = registry();
    let values = [
        items(&registry, &[("ammonia_nitrogen", 0.4), ("permanganate_index", 3.0)]),
        items(&registry, &[("ammonia_nitrogen", 3.0), ("permanganate_index", 5.0)]),
    ];
    let (means, found) = by_means(&registry, "nanyun-sections", &values);
    assert_eq!(mean(&means, &registry, "ammonia_nitrogen"), ObservationResult::Value(1.7));
    // V by ammonia of 1.7: one section of II and one worse than V.
    assert_eq!(found.grade, Some(Grade::River(4)));
    assert_eq!((found.index, found.target), (Index::RiverGrade, Target::Missed));
    assert_eq!((found.items, found.items_of), (2, 2));
    assert_eq!(found.deciding[0].property, property(&registry, "ammonia_nitrogen"));
}

#[test]
fn classes_have_the_grades_of_the_rule() {
    let registry = registry();
    for (ammonia, want) in [(0.1, 1), (0.5, 1), (1.0, 2), (1.5, 3), (2.0, 4), (2.1, 5)] {
        let values = [items(&registry, &[("ammonia_nitrogen", ammonia)])];
        let (_, found) = by_means(&registry, "beiyun-sections", &values);
        assert_eq!(found.grade, Some(Grade::River(want)), "{ammonia}");
    }
}

#[test]
fn ph_is_averaged_as_hydrogen_ions() {
    let registry = registry();
    let values = [items(&registry, &[("ph", 6.5)]), items(&registry, &[("ph", 8.5)])];
    let (means, _) = by_means(&registry, "nanyun-sections", &values);
    let ObservationResult::Value(ph) = mean(&means, &registry, "ph") else { panic!("no value") };
    assert!((ph - 6.80).abs() < 0.005, "{ph}");
}

#[test]
fn below_detection_counts_half_unless_all_are() {
    let registry = registry();
    let below = |limit| vec![censored(&registry, "ammonia_nitrogen", Side::Below, limit)];
    let ammonia = |values: &[Vec<Item>]| {
        mean(&by_means(&registry, "nanyun-sections", values).0, &registry, "ammonia_nitrogen")
    };
    let some = [below(0.04), items(&registry, &[("ammonia_nitrogen", 0.1)])];
    assert_eq!(ammonia(&some), ObservationResult::Value((0.02 + 0.1) / 2.0));
    let all = ObservationResult::Censored { side: Side::Below, limit: 0.05 };
    assert_eq!(ammonia(&[below(0.04), below(0.06)]), all);
    let over = vec![censored(&registry, "ammonia_nitrogen", Side::Above, 10.0)];
    let above = ObservationResult::Censored { side: Side::Above, limit: (10.0 + 0.02) / 2.0 };
    assert_eq!(ammonia(&[over, below(0.04)]), above);
}

#[test]
fn an_indicative_section_takes_the_legal_weight_away() {
    let mut registry = registry();
    let id = station(&registry, "nanyun-longtan").id;
    registry.stations.get_mut(id.index()).unwrap().grade = StationGrade::Indicative;
    let values = [
        items(&registry, &[("ammonia_nitrogen", 0.4)]),
        items(&registry, &[("ammonia_nitrogen", 0.4)]),
    ];
    assert!(!by_means(&registry, "nanyun-sections", &values).1.legal);
    let classes = [Some(WaterClass::II); 11];
    assert!(!shares(graded(&registry, "shenyang-sections", &classes)).legal);
}

#[test]
fn a_stranger_to_the_set_does_not_count() {
    let registry = registry();
    let items = items(&registry, &[("ammonia_nitrogen", 9.0)]);
    let stranger = station(&registry, "hunhe-shashan").id;
    let strangers = [
        Sectioned {
            station: stranger,
            class: None,
            unconfirmed: false,
            items: &items,
            over_iii: &[],
        },
        Sectioned {
            station: StationId(999),
            class: None,
            unconfirmed: false,
            items: &items,
            over_iii: &[],
        },
    ];
    let set = set(&registry, "nanyun-sections");
    let found = means(grade(&registry, set, Period::Month, summer(), &strangers));
    assert_eq!((found.sections, found.sections_of, found.items.len()), (0, 2, 0));
}
