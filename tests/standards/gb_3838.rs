//! GB 3838-2002, surface water.

use weir::domain::assessment::{Bound, Limit};

use crate::registry;

/// Asserts the figures of classes I to V of one item of GB 3838-2002, table 1.
#[track_caller]
fn check(item: &str, property: &str, want: [f64; 5]) {
    let registry = registry();
    let property = registry.properties.iter().find(|one| &*one.name == property).unwrap();
    let clause = format!("table 1 {item}");
    let of = |class: &str| {
        let mine = |limit: &&Limit| {
            &*limit.instrument == "GB 3838-2002"
                && *limit.clause == *clause
                && limit.property == property.id
                && &*limit.class == class
        };
        let found: Vec<_> = registry.limits.iter().filter(mine).collect();
        assert_eq!(found.len(), 1, "{clause}, class {class}");
        match found[0].bound {
            Bound::Max(value) | Bound::Min(value) => value,
            Bound::Range { .. } => panic!("a range"),
        }
    };
    assert_eq!(["I", "II", "III", "IV", "V"].map(of), want);
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
fn gb_3838_2002_table_1_item_7_ammonia_nitrogen() {
    check("item 7", "ammonia_nitrogen", [0.15, 0.5, 1.0, 1.5, 2.0]);
}
