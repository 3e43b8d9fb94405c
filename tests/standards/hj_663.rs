//! HJ 663, evaluation of air over a year.

use weir::domain::observation::Period;
use weir::domain::percentile::percentile;
use weir::domain::time::Timestamp;

use crate::registry;

/// Asserts which percentile of a property is evaluated, over a year of each edition.
#[track_caller]
fn check(property: &str, of: Period, percent: u8) {
    let registry = registry();
    let property = registry.properties.iter().find(|one| &*one.name == property).unwrap().id;
    for (day, instrument) in [("2025-01-01", "HJ 663-2013"), ("2027-01-01", "HJ 663-2026")] {
        let at: jiff::Timestamp = format!("{day}T00:00:00+08:00").parse().unwrap();
        let one = registry.air.percentile(property, Timestamp(at.as_millisecond())).unwrap();
        assert_eq!((one.of, one.percent), (of, percent));
        assert!(one.clause.starts_with(instrument), "{}", one.clause);
    }
}

#[test]
fn hj_663_table_1_percentile_98_of_sulphur_and_nitrogen_dioxide() {
    check("sulphur_dioxide", Period::Day, 98);
    check("nitrogen_dioxide", Period::Day, 98);
}

#[test]
fn hj_663_table_1_percentile_95_of_particles_and_carbon_monoxide() {
    check("pm10", Period::Day, 95);
    check("pm2_5", Period::Day, 95);
    check("carbon_monoxide", Period::Day, 95);
}

#[test]
fn hj_663_table_1_percentile_90_of_ozone_of_eight_hours() {
    check("ozone", Period::DayMaxEightHours, 90);
}

#[test]
fn hj_663_2013_annex_a_a_year_of_365_days() {
    // Days of 1 to 365 ug/m3 in no order: k = 1 + 364 p / 100.
    let days: Vec<f64> = (0..365).map(|day| f64::from(day * 152 % 365 + 1)).collect();
    assert_eq!(percentile(&days, 90), Some(328.6));
    assert_eq!(percentile(&days, 95), Some(346.8));
    assert_eq!(percentile(&days, 98), Some(357.72));
}

#[test]
fn hj_663_2013_annex_a_the_place_may_be_one_day() {
    // 101 days: k = 1 + p.
    let days: Vec<f64> = (1..=101).map(f64::from).collect();
    assert_eq!(percentile(&days, 90), Some(91.0));
    assert_eq!(percentile(&days, 98), Some(99.0));
}
