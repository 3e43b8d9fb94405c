//! GB 3095, ambient air, in its editions of 2012 and 2026.

use weir::domain::assessment::Bound;
use weir::domain::observation::Period;

use crate::{in_force, judged, registry, words};

/// The last and the first moments of the editions.
const BEFORE: &str = "2026-02-28T23:59:59+08:00";
const TRANSITION: [&str; 2] = ["2026-03-01T00:00:00+08:00", "2030-12-31T23:59:59+08:00"];
const FINAL: &str = "2031-01-01T00:00:00+08:00";

/// Asserts the limits of classes 1 and 2 before 2026-03-01, until 2031-01-01, and from then on.
#[track_caller]
fn check(property: &str, averaging: &str, want: [[f64; 2]; 3]) {
    let registry = registry();
    let [before, transition, last] = want;
    let dates = [(BEFORE, before), (FINAL, last)].into_iter();
    for (at, want) in dates.chain(TRANSITION.map(|at| (at, transition))) {
        for (class, want) in ["1", "2"].into_iter().zip(want) {
            let of = |instrument| in_force(&registry, instrument, (property, class, averaging), at);
            let (old, new) = (of("GB 3095-2012"), of("GB 3095-2026"));
            let found = if at == BEFORE { &old } else { &new };
            let bounds: Vec<Bound> = found.iter().map(|limit| limit.bound).collect();
            assert_eq!(bounds, [Bound::Max(want)], "{property} {averaging} {class} at {at}");
            assert_eq!(old.len() + new.len(), 1, "one edition at a time");
        }
    }
}

#[test]
fn gb_3095_table_1_sulphur_dioxide() {
    check("sulphur_dioxide", "year", [[20.0, 60.0], [20.0, 60.0], [20.0, 20.0]]);
    check("sulphur_dioxide", "day", [[50.0, 150.0], [50.0, 150.0], [50.0, 50.0]]);
    check("sulphur_dioxide", "1h", [[150.0, 500.0], [150.0, 500.0], [150.0, 150.0]]);
}

#[test]
fn gb_3095_table_1_nitrogen_dioxide() {
    check("nitrogen_dioxide", "year", [[40.0, 40.0], [40.0, 40.0], [30.0, 30.0]]);
    check("nitrogen_dioxide", "day", [[80.0, 80.0], [80.0, 80.0], [50.0, 50.0]]);
    check("nitrogen_dioxide", "1h", [[200.0, 200.0]; 3]);
}

#[test]
fn gb_3095_table_1_carbon_monoxide_and_ozone() {
    check("carbon_monoxide", "day", [[4.0, 4.0]; 3]);
    check("carbon_monoxide", "1h", [[10.0, 10.0]; 3]);
    check("ozone", "8h", [[100.0, 160.0]; 3]);
    check("ozone", "1h", [[160.0, 200.0]; 3]);
}

#[test]
fn gb_3095_table_1_particles() {
    check("pm10", "year", [[40.0, 70.0], [40.0, 60.0], [20.0, 50.0]]);
    check("pm10", "day", [[50.0, 150.0], [50.0, 120.0], [50.0, 100.0]]);
    check("pm2_5", "year", [[15.0, 35.0], [15.0, 30.0], [10.0, 25.0]]);
    check("pm2_5", "day", [[35.0, 75.0], [35.0, 60.0], [25.0, 50.0]]);
}

#[test]
fn gb_3095_table_2() {
    check("tsp", "year", [[80.0, 200.0]; 3]);
    check("tsp", "day", [[120.0, 300.0]; 3]);
    check("nitrogen_oxides", "year", [[50.0, 50.0], [50.0, 50.0], [40.0, 40.0]]);
    check("nitrogen_oxides", "day", [[100.0, 100.0], [100.0, 100.0], [70.0, 70.0]]);
    check("nitrogen_oxides", "1h", [[250.0, 250.0]; 3]);
    check("air_lead", "year", [[0.5, 0.5]; 3]);
    check("air_lead", "quarter", [[1.0, 1.0]; 3]);
    check("benzo_a_pyrene", "year", [[0.001, 0.001]; 3]);
    check("benzo_a_pyrene", "day", [[0.0025, 0.0025]; 3]);
}

#[test]
fn gb_3095_2026_annex_a() {
    let registry = registry();
    for (property, averaging, want) in [
        ("air_cadmium", "year", 0.005),
        ("air_mercury", "year", 0.05),
        ("air_arsenic", "year", 0.006),
        ("air_chromium_6", "year", 0.000_025),
        ("air_fluoride", "1h", 20.0),
        ("air_fluoride", "day", 7.0),
    ] {
        let key = (property, "annex-A", averaging);
        assert!(in_force(&registry, "GB 3095-2026", key, BEFORE).is_empty());
        for at in [TRANSITION[0], FINAL] {
            let found = in_force(&registry, "GB 3095-2026", key, at);
            assert_eq!(found[0].bound, Bound::Max(want), "{property}");
        }
    }
}

#[test]
fn gb_3095_the_days_own_date_picks_the_edition() {
    let registry = registry();
    let pm10 = |at, value| {
        let told = judged(&registry, "setdz-air/pm10", (Period::Day, value, at), None);
        words(&registry, told)
    };
    assert_eq!(pm10("2026-02-28T00:00:00+08:00", 130.0), "within 150");
    assert_eq!(pm10("2026-03-01T00:00:00+08:00", 130.0), "exceeds 120 by 0.083");
    assert_eq!(pm10("2030-12-31T00:00:00+08:00", 110.0), "within 120");
    assert_eq!(pm10("2031-01-01T00:00:00+08:00", 110.0), "exceeds 100 by 0.100");
    assert_eq!(pm10("2015-12-31T00:00:00+08:00", 110.0), "none_in_force");
}

#[test]
fn gb_3095_a_day_is_rounded_before_it_is_compared_and_an_hour_is_not() {
    let registry = registry();
    let at = |property: &str, period, value| {
        let case = (period, value, "2026-06-01T00:00:00+08:00");
        words(&registry, judged(&registry, &format!("setdz-air/{property}"), case, None))
    };
    assert_eq!(at("pm2_5", Period::Day, 60.5), "within 60");
    assert_eq!(at("pm2_5", Period::Day, 60.6), "exceeds 60 by 0.017");
    assert_eq!(at("ozone", Period::DayMaxEightHours, 160.5), "within 160");
    assert_eq!(at("ozone", Period::EightHours, 300.0), "no_limit", "only a day's largest is held");
    assert_eq!(at("ozone", Period::Hour, 200.0), "within 200");
    assert_eq!(at("ozone", Period::Hour, 200.4), "exceeds 200 by 0.002");
    assert_eq!(at("ozone", Period::Native, 300.0), "no_limit");
}
