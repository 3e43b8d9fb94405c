//! GB/T 12325-2008 and GB/T 15945-2008, voltage and frequency of the supply.

use weir::domain::assessment::Bound;
use weir::domain::observation::Period;

use crate::{in_force, judged, registry, words};

const AT: &str = "2026-06-01T00:00:00+08:00";

#[track_caller]
fn check(instrument: &str, property: &str, class: &str, (low, high): (f64, f64)) {
    let registry = registry();
    let found = in_force(&registry, instrument, (property, class, "statistical"), AT);
    let bounds: Vec<Bound> = found.iter().map(|limit| limit.bound).collect();
    assert_eq!(bounds, [Bound::Range { low, high }], "{property} {class}");
}

#[test]
fn gb_t_12325_2008_voltage() {
    check("GB/T 12325-2008", "voltage", "220V", (198.0, 235.4));
    check("GB/T 12325-2008", "voltage", "380V", (353.4, 406.6));
}

#[test]
fn gb_t_15945_2008_frequency() {
    check("GB/T 15945-2008", "frequency", "", (49.8, 50.2));
    check("GB/T 15945-2008", "frequency", "small-system", (49.5, 50.5));
}

#[test]
fn gb_t_12325_2008_no_single_reading_is_held_against_it() {
    let registry = registry();
    let voltage = |period, value| {
        words(&registry, judged(&registry, "setdz-power/L1/voltage", (period, value, AT), None))
    };
    assert_eq!(voltage(Period::Native, 300.0), "no_limit");
    assert_eq!(voltage(Period::Hour, 198.0), "within 198-235.4");
    assert_eq!(voltage(Period::Hour, 235.4), "within 198-235.4");
    assert_eq!(voltage(Period::Hour, 197.9), "exceeds 198-235.4", "a range has no multiple");
    let frequency = (Period::Hour, 51.0, AT);
    let told = judged(&registry, "setdz-power/frequency", frequency, None);
    assert_eq!(words(&registry, told), "no_limit");
}
