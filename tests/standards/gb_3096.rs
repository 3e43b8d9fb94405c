//! GB 3096-2008 and GB 12348-2008, noise of the surroundings and at a plant's boundary.

use weir::domain::assessment::Bound;
use weir::domain::condition::Condition;
use weir::domain::observation::Period;

use crate::{in_force, judged, registry, registry_with, words};

/// Asserts the limits of day and night of one class.
#[track_caller]
fn check(instrument: &str, class: &str, want: (f64, f64)) {
    let registry = registry();
    let key = ("noise_leq", class, "1h");
    let found = in_force(&registry, instrument, key, "2026-06-01T00:00:00+08:00");
    let of = |condition| {
        let mut limits = found.iter().filter(|limit| limit.condition == condition);
        let limit = limits.next().unwrap();
        assert!(limits.next().is_none());
        limit.bound
    };
    let (day, night) = want;
    assert_eq!(of(Condition::DAY), Bound::Max(day), "{class}");
    assert_eq!(of(Condition::NIGHT), Bound::Max(night), "{class}");
    let peak =
        in_force(&registry, instrument, ("noise_lmax", class, "single"), "2026-06-01T00:00:00Z");
    assert_eq!(peak[0].bound, Bound::Max(night + 15.0));
    assert_eq!(peak[0].condition, Condition::NIGHT);
}

#[test]
fn gb_3096_2008_table_1() {
    check("GB 3096-2008", "noise-0", (50.0, 40.0));
    check("GB 3096-2008", "noise-1", (55.0, 45.0));
    check("GB 3096-2008", "noise-2", (60.0, 50.0));
    check("GB 3096-2008", "noise-3", (65.0, 55.0));
    check("GB 3096-2008", "noise-4a", (70.0, 55.0));
    check("GB 3096-2008", "noise-4b", (70.0, 60.0));
}

#[test]
fn gb_12348_2008_table_1() {
    check("GB 12348-2008", "boundary-0", (50.0, 40.0));
    check("GB 12348-2008", "boundary-1", (55.0, 45.0));
    check("GB 12348-2008", "boundary-2", (60.0, 50.0));
    check("GB 12348-2008", "boundary-3", (65.0, 55.0));
    check("GB 12348-2008", "boundary-4", (70.0, 55.0));
}

#[test]
fn gb_3096_2008_3_5_the_day_is_from_6_to_22() {
    let registry = registry_with(&[
        ("stations.csv", "ear,hunnan,Ear,耳,41.7,123.4,+08:00,,noise-2,,,made for a test"),
        (
            "profiles.csv",
            "meter,x,noise_leq,,/leq,dB(A),1,number,continuous,,,mean,1h,1h,,made for a test\n\
             meter,x,noise_leq,,/now,dB,1,number,continuous,,,instant,,60s,,made for a test",
        ),
        ("devices.csv", "parks,ear-1,ear,,meter,device,,,,,,made for a test"),
    ]);
    let leq = |clock: &str, value| {
        let at = format!("2026-06-01T{clock}+08:00");
        let case = (Period::Native, value, at.as_str());
        words(&registry, judged(&registry, "ear/noise_leq/mean-1h", case, None))
    };
    assert_eq!(leq("05:00:00", 50.1), "exceeds 50 by 0.002");
    assert_eq!(leq("06:00:00", 50.1), "within 60");
    assert_eq!(leq("21:00:00", 60.0), "within 60", "equal to the limit");
    assert_eq!(leq("22:00:00", 60.0), "exceeds 50 by 0.200");
    let now = (Period::Native, 90.0, "2026-06-01T12:00:00+08:00");
    let told = judged(&registry, "ear/noise_leq", now, None);
    assert_eq!(words(&registry, told), "no_limit", "one reading is no equivalent level");
}
