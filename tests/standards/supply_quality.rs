//! Supply quality: GB/T 12325-2008 voltage, GB/T 15945-2008 frequency, GB/T 15543-2008 unbalance.

use weir::assess::energy::{
    Over, Supplied, Supply, supply, supply_quality, ten_minutes, unbalance, unbalance_of_lines,
    unbalance_of_phases,
};
use weir::domain::assessment::{Bound, NotAssessable};
use weir::domain::evaluation::{Evaluated, Evaluation, Index, Target};
use weir::domain::history::Entry;
use weir::domain::observation::{NilReason, ObservationResult, Period};
use weir::domain::quality::{Flag, Quality, Test};
use weir::domain::time::{DAY, HOUR, MINUTE, Timestamp};

use crate::registry;

/// GB/T 12325-2008: 220 V +7 % -10 %.
const SINGLE_PHASE: Bound = Bound::Range { low: 198.0, high: 235.4 };
/// GB/T 15945-2008: 50 Hz +-0.2 Hz.
const FREQUENCY: Bound = Bound::Range { low: 49.8, high: 50.2 };

fn minutes(count: i64, value: impl Fn(i64) -> f64) -> Vec<Entry> {
    let entry = |minute: i64| Entry {
        time: Timestamp(minute * MINUTE),
        result: ObservationResult::Value(value(minute)),
        quality: Quality::only(Test::GrossRange, Flag::Pass),
        mark: None,
    };
    (0..count).map(entry).collect()
}

fn day(value: impl Fn(i64) -> f64, bound: Bound) -> Supply {
    supply(minutes(1440, value).into_iter(), (Timestamp(0), Timestamp(DAY)), MINUTE, bound)
}

fn evaluated(counted: Supply) -> Evaluation {
    let registry = registry();
    let station = registry.stations.iter().find(|one| &*one.name == "setdz-power").unwrap();
    let property = registry.properties.iter().find(|one| &*one.name == "voltage").unwrap();
    let over = Over {
        place: station.place,
        period: Period::Day,
        start: Timestamp(0),
        end: Timestamp(DAY),
    };
    let subject = Evaluated::Station(station.id);
    let instrument = "GB/T 12325-2008";
    let one = Supplied { property: property.id, position: "L1", counted, instrument };
    supply_quality(&registry, subject, over, &[one])
}

#[test]
fn gb_t_12325_2008_220_v_is_198_to_235_4_and_equality_meets() {
    for (volts, within) in [(197.9, 0), (198.0, 144), (235.4, 144), (235.5, 0)] {
        let counted = day(|_| volts, SINGLE_PHASE);
        assert_eq!(
            (counted.within, counted.valid, counted.expected),
            (within, 144, 144),
            "{volts}"
        );
    }
    let registry = registry();
    let limit = registry.limits.iter().find(|one| &*one.instrument == "GB/T 12325-2008").unwrap();
    assert_eq!(limit.bound, SINGLE_PHASE);
}

#[test]
fn gb_t_12325_2008_three_phase_380_v_is_353_4_to_406_6() {
    // +-7 %, the share of the nominal voltage; a row of a line-to-line meter would say so.
    assert!((380.0_f64 * 0.93 - 353.4).abs() < 1e-9 && (380.0_f64 * 1.07 - 406.6).abs() < 1e-9);
    let bound = Bound::Range { low: 353.4, high: 406.6 };
    assert_eq!(day(|_| 353.4, bound).percent(), Some(100.0));
    assert_eq!(day(|_| 406.7, bound).percent(), Some(0.0));
}

#[test]
fn gb_t_15945_2008_frequency_is_50_hz_within_0_2() {
    for (hertz, want) in [(49.79, 0.0), (49.8, 100.0), (50.2, 100.0), (50.21, 0.0)] {
        assert_eq!(day(|_| hertz, FREQUENCY).percent(), Some(want), "{hertz}");
    }
}

#[test]
fn ninety_five_percent_of_the_ten_minute_values_must_be_within() {
    // 7 of 144 outside is 95.14 % within, 8 is 94.44 %.
    let outside = |ten: i64| move |minute: i64| if minute < ten * 10 { 240.0 } else { 225.0 };
    let met = evaluated(day(outside(7), SINGLE_PHASE));
    assert_eq!((met.target, met.index, met.legal), (Target::Met, Index::SupplyQuality, true));
    assert_eq!(met.value, Some(95.138_889));
    assert!(
        met.clause.contains("GB/T 12325-2008; L1 95.14 %; supply_quality 95 %"),
        "{}",
        met.clause
    );
    let missed = evaluated(day(outside(8), SINGLE_PHASE));
    assert_eq!(missed.target, Target::Missed);
    let exactly = Supply { within: 95, valid: 100, expected: 100, suspect: false };
    assert_eq!(evaluated(exactly).target, Target::Met);
}

#[test]
fn one_reading_outside_decides_nothing() {
    // One minute of 260 V among nine of 225 V is a ten-minute value of 228.5 V.
    let counted = day(|minute| if minute == 700 { 260.0 } else { 225.0 }, SINGLE_PHASE);
    assert_eq!(counted.percent(), Some(100.0));
    let one = supply(
        minutes(1, |_| 260.0).into_iter(),
        (Timestamp(0), Timestamp(DAY)),
        MINUTE,
        SINGLE_PHASE,
    );
    assert_eq!((one.valid, one.percent()), (0, None));
    let verdict = evaluated(one);
    assert_eq!((verdict.target, verdict.reason), (Target::None, Some(NotAssessable::Missing)));
}

#[test]
fn a_ten_minute_value_needs_three_quarters_of_its_readings() {
    let span = (Timestamp(0), Timestamp(HOUR));
    let of = |entries: Vec<Entry>| ten_minutes(entries.into_iter(), span, MINUTE);
    let (values, suspect) = of(minutes(18, |minute| minute as f64));
    assert_eq!(values, [Some(4.5), Some(13.5), None, None, None, None]);
    assert!(!suspect);
    assert_eq!(of(minutes(17, |_| 1.0)).0[1], None, "seven of ten are too few");
    let mut entries = minutes(10, |_| 220.0);
    entries[0].quality = Quality::only(Test::GrossRange, Flag::Fail);
    entries[1].result = ObservationResult::Nil(NilReason::Missing);
    entries[2].quality = Quality::only(Test::GrossRange, Flag::Suspect);
    assert_eq!(of(entries.clone()), (vec![Some(220.0), None, None, None, None, None], true));
    entries[3].quality = Quality::only(Test::Missing, Flag::Missing);
    assert_eq!(of(entries).0[0], None);
}

#[test]
fn a_period_with_too_few_values_has_no_verdict() {
    let few = Supply { within: 107, valid: 107, expected: 144, suspect: false };
    let verdict = evaluated(few);
    assert_eq!((verdict.value, verdict.reason), (None, Some(NotAssessable::Incomplete)));
    assert_eq!(verdict.missing.len(), 1);
    let enough = Supply { within: 108, valid: 108, expected: 144, suspect: true };
    let verdict = evaluated(enough);
    assert_eq!((verdict.target, verdict.unconfirmed), (Target::Met, true));
}

#[test]
fn days_add_up() {
    let one = Supply { within: 140, valid: 144, expected: 144, suspect: false };
    let two = one.and(Supply { within: 100, valid: 120, expected: 144, suspect: true });
    assert_eq!(two, Supply { within: 240, valid: 264, expected: 288, suspect: true });
}

#[test]
fn gb_t_15543_2008_unbalance_of_phases_is_an_estimate_and_says_so() {
    let found = unbalance_of_phases([220.0, 220.0, 226.6]).unwrap();
    // Mean 222.2; the largest deviation is 4.4.
    assert!((found.percent - 100.0 * 4.4 / 222.2).abs() < 1e-9);
    assert!(found.method.label().starts_with("estimate"));
    assert_eq!(unbalance_of_phases([230.0; 3]).unwrap().percent, 0.0);
    assert_eq!(unbalance_of_phases([0.0; 3]), None);
    assert_eq!(unbalance_of_phases([220.0, f64::NAN, 220.0]), None);
}

#[test]
fn gb_t_15543_2008_annex_unbalance_of_line_to_line_voltages() {
    assert!(unbalance_of_lines([380.0; 3]).unwrap().percent < 1e-5);
    // A positive sequence of 380 V and a negative one of 2 % of it, in phase on the first line:
    // the three magnitudes are |1 + 0.02|, |1 + 0.02 e^(+-i120)|.
    let side = 380.0 * (1.0_f64 - 0.02 + 0.02 * 0.02).sqrt();
    let found = unbalance_of_lines([380.0 * 1.02, side, side]).unwrap();
    assert!((found.percent - 2.0).abs() < 1e-6, "{}", found.percent);
    assert!(found.method.label().contains("[M]"), "the formula is from memory");
    assert_eq!(unbalance_of_lines([380.0, 100.0, 100.0]), None, "no triangle");
    assert_eq!(unbalance_of_lines([380.0, 0.0, 380.0]), None);
}

#[test]
fn gb_t_15543_2008_2_percent_of_the_ten_minute_values() {
    let span = (Timestamp(0), Timestamp(HOUR));
    let even = minutes(60, |_| 220.0);
    // In the last ten minutes the third phase is 8 V over: 2.4 %.
    let odd = minutes(60, |minute| if minute < 50 { 222.0 } else { 228.0 });
    let counted = unbalance([&even, &even, &odd], span, MINUTE, 2.0);
    assert_eq!((counted.within, counted.valid, counted.expected), (5, 6, 6));
    let without = unbalance([&even, &even, &[]], span, MINUTE, 2.0);
    assert_eq!((without.valid, without.percent()), (0, None), "a missing phase is not balanced");
}

#[test]
fn a_value_or_a_span_beyond_what_is_counted_is_left_out() {
    let span = (Timestamp(0), Timestamp(10 * MINUTE));
    let of = |volts: f64| ten_minutes(minutes(10, |_| volts).into_iter(), span, MINUTE).0;
    assert_eq!(of(1.1e9), [None]);
    assert_eq!(of(f64::NAN), [None]);
    assert_eq!(of(1e9), [Some(1e9)]);
    let long = (Timestamp(0), Timestamp(i64::MAX));
    assert_eq!(ten_minutes(minutes(10, |_| 220.0).into_iter(), long, MINUTE).0.len(), 8_928);
}
