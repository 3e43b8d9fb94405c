//! GB/T 2589-2020, energy accounting; the grid's carbon dioxide; the city's targets of energy and
//! water.

use weir::assess::energy::{
    Basis, Over, Used, carbon, coal, intensity, monthly_power_factor, power_factor, water_reuse,
};
use weir::domain::assessment::NotAssessable;
use weir::domain::evaluation::{Evaluated, Evaluation, Index, Target};
use weir::domain::name::{DatastreamId, PlaceId, StationId};
use weir::domain::observation::Period;
use weir::domain::registry::{FactorKind, MeterRole, Metered, Registry, TargetKind};
use weir::domain::time::Timestamp;
use weir::domain::unit::UnitIndex;

use crate::registry;

fn unit(registry: &Registry, name: &str) -> UnitIndex {
    registry.units.find(name).unwrap()
}

/// Says whether two numbers are one but for the noise of binary arithmetic.
fn is_close(one: f64, other: f64) -> bool {
    (one - other).abs() <= other.abs() * 1e-12
}

/// Asserts kilograms of standard coal of one unit of a carrier.
#[track_caller]
fn check(carrier: &str, per: &str, want: f64) {
    let registry = registry();
    let amount = (1.0, unit(&registry, per));
    let found = coal(&registry, Basis::Equivalent, carrier, amount, 2026).unwrap();
    assert!(is_close(found.tce * 1000.0, want), "{} kgce", found.tce * 1000.0);
    assert_eq!(found.factor.kind, FactorKind::CoalEquivalent);
    assert!(found.factor.source.contains("GB/T 2589-2020"), "{}", found.factor.source);
}

#[test]
fn gb_t_2589_2020_electricity_equivalent_value() {
    check("electricity", "kWh", 0.1229);
    let registry = registry();
    let amount = (10_000.0, unit(&registry, "kWh"));
    let found = coal(&registry, Basis::Equivalent, "electricity", amount, 2026).unwrap();
    assert!(is_close(found.tce, 1.229));
    // 3.6 MJ of 29.3076 MJ, to four decimals.
    assert!((3.6 / 29.3076_f64 - 0.1229).abs() < 0.000_1);
}

#[test]
fn gb_t_2589_2020_heat_gas_and_fuels() {
    check("heat", "MJ", 0.03412);
    check("heat", "GJ", 34.12);
    check("natural_gas", "m3", 1.33);
    check("diesel", "kg", 1.4571);
    check("petrol", "kg", 1.4714);
    check("raw_coal", "t", 714.3);
    check("steam", "kg", 0.1286);
    check("fresh_water", "m3", 0.2571);
}

#[test]
fn the_calorific_value_is_another_and_is_said() {
    let registry = registry();
    let kwh = (1000.0, unit(&registry, "kWh"));
    let calorific = coal(&registry, Basis::Calorific, "electricity", kwh, 2026).unwrap();
    assert_eq!((calorific.tce, calorific.factor.kind), (0.3, FactorKind::CoalCalorific));
    assert!(calorific.factor.source.contains("[M]"), "it is no number of law");
    let equivalent = coal(&registry, Basis::Equivalent, "electricity", kwh, 2026).unwrap();
    assert!((calorific.tce / equivalent.tce - 2.44).abs() < 0.01, "2.4-fold");
    // A fuel has one value, its own heat; the factor says so.
    let diesel = (1000.0, unit(&registry, "kg"));
    let diesel = coal(&registry, Basis::Calorific, "diesel", diesel, 2026).unwrap();
    assert_eq!((diesel.tce, diesel.factor.kind), (1.4571, FactorKind::CoalEquivalent));
}

#[test]
fn what_has_no_factor_or_another_dimension_is_no_coal() {
    let registry = registry();
    let of = |carrier, per| {
        let amount = (1.0, unit(&registry, per));
        coal(&registry, Basis::Equivalent, carrier, amount, 2026)
    };
    assert_eq!(of("hydrogen", "kg"), None);
    assert_eq!(of("electricity", "m3"), None);
    assert!(of("electricity", "MWh").is_some());
}

/// Asserts kilograms of carbon dioxide a kWh of a region and year, and the year of the factor.
#[track_caller]
fn check_co2(region: &str, year: i16, want: Option<(f64, i16)>) {
    let registry = registry();
    let found = carbon(&registry, region, (1.0, unit(&registry, "kWh")), year);
    let said = found.map(|one| (one.kg, one.factor.year.unwrap()));
    assert_eq!(said, want, "{region} {year}");
    if let Some(found) = found {
        assert_eq!(found.of_the_year, found.factor.year == Some(year));
        assert_eq!(&*found.factor.of, region);
    }
}

#[test]
fn grid_co2_2021_issued_2024_04_12() {
    check_co2("national", 2021, Some((0.5568, 2021)));
    check_co2("liaoning", 2021, Some((0.5876, 2021)));
    check_co2("northeast", 2021, Some((0.6012, 2021)));
}

#[test]
fn grid_co2_2022_issued_2024_12_20() {
    check_co2("national", 2022, Some((0.5366, 2022)));
    check_co2("liaoning", 2022, Some((0.5626, 2022)));
    check_co2("northeast", 2022, Some((0.5564, 2022)));
}

#[test]
fn grid_co2_2023_announcement_2025_no_47() {
    check_co2("national", 2023, Some((0.5306, 2023)));
}

#[test]
fn a_year_without_a_factor_takes_the_latest_before_it_and_says_so() {
    check_co2("liaoning", 2023, Some((0.5626, 2022)));
    check_co2("national", 2026, Some((0.5306, 2023)));
    check_co2("national", 2020, None);
    check_co2("mars", 2022, None);
}

fn place(registry: &Registry, name: &str) -> PlaceId {
    registry.places.iter().find(|place| &*place.name == name).unwrap().id
}

fn datastream(registry: &Registry, name: &str) -> DatastreamId {
    registry.datastreams.iter().find(|one| &*one.name == name).unwrap().id
}

fn at(day: &str) -> Timestamp {
    let at: jiff::Timestamp = format!("{day}T00:00:00+08:00").parse().unwrap();
    Timestamp(at.as_millisecond())
}

fn year_of(registry: &Registry, park: &str, year: i16) -> Over {
    Over {
        place: place(registry, park),
        period: Period::Year,
        start: at(&format!("{year}-01-01")),
        end: at(&format!("{}-01-01", year + 1)),
    }
}

/// The target of the city that holds for a park over a year.
#[track_caller]
fn check_target(kind: TargetKind, class: &str, year: i16, want: f64) {
    let registry = registry();
    let over = year_of(&registry, "setdz", year);
    let last = over.end.plus(-1);
    let found = registry.energy.target(&registry.places, over.place, (kind, class), last).unwrap();
    assert_eq!(found.value, want, "{} of {year}", kind.word());
}

#[test]
fn city_target_energy_intensity_0_785_by_2015_and_0_68_by_2020() {
    for (year, want) in [(2014, 0.785), (2015, 0.785), (2016, 0.68), (2020, 0.68), (2026, 0.68)] {
        check_target(TargetKind::EnergyIntensity, "", year, want);
    }
}

#[test]
fn city_target_water_reuse_90_and_95_percent() {
    check_target(TargetKind::WaterReuse, "", 2015, 90.0);
    check_target(TargetKind::WaterReuse, "", 2026, 95.0);
}

#[test]
fn tariff_rule_1983_power_factor_0_90_0_85_0_80() {
    for (class, want) in [("hv_industry", 0.9), ("industry", 0.85), ("farm", 0.8)] {
        check_target(TargetKind::PowerFactor, class, 2026, want);
    }
}

fn metered(registry: &Registry, name: &str, role: MeterRole, amount: Option<f64>) -> Metered {
    Metered { datastream: datastream(registry, name), role, amount, suspect: false }
}

const POWER: &str = "setdz-power/electricity_energy/total";
const WATER: &str = "setdz-water/water_volume/total";

/// The intensity of the example park in 2025, whose production is 4,200,000 x 10^4 RMB.
fn of_2025(registry: &Registry, kwh: Option<f64>, basis: Basis) -> Evaluation {
    let used = [
        Used { carrier: "electricity", metered: metered(registry, POWER, MeterRole::Import, kwh) },
        Used {
            carrier: "fresh_water",
            metered: metered(registry, WATER, MeterRole::FreshWater, Some(1e6)),
        },
    ];
    let reckoned = intensity(registry, year_of(registry, "setdz", 2025), basis, 2025, &used);
    assert_eq!(reckoned.missing.is_empty(), kwh.is_some());
    reckoned.evaluation
}

#[test]
fn intensity_is_tce_per_10_000_rmb_against_the_named_target() {
    let registry = registry();
    // 2.0e10 kWh x 0.1229 = 2,458,000 tce; 1e6 m3 x 0.2571 = 257.1 tce; over 4,200,000.
    let met = of_2025(&registry, Some(2e10), Basis::Equivalent);
    assert_eq!(met.value, Some(0.585_299));
    assert_eq!((met.index, met.target, met.reason), (Index::Intensity, Target::Met, None));
    assert!(met.clause.contains("energy_intensity 0.68 tce/10^4CNY by 2020-12-31"));
    assert!(met.clause.contains("equivalent value 当量值"), "{}", met.clause);
    let missed = of_2025(&registry, Some(2e10), Basis::Calorific);
    assert_eq!(missed.target, Target::Missed);
    assert!(missed.clause.contains("calorific value 等价值"), "{}", missed.clause);
}

#[test]
fn an_intensity_without_a_meter_or_production_is_not_assessable() {
    let registry = registry();
    let without = of_2025(&registry, None, Basis::Equivalent);
    assert_eq!((without.value, without.target), (None, Target::None));
    assert_eq!(without.reason, Some(NotAssessable::Missing));
    assert_eq!((without.items, without.items_of, without.missing.len()), (1, 2, 1));
    let meter = metered(&registry, POWER, MeterRole::Import, Some(1e9));
    let used = [Used { carrier: "electricity", metered: meter }];
    let over = year_of(&registry, "setdz", 2024);
    let no_production = intensity(&registry, over, Basis::Equivalent, 2024, &used).evaluation;
    assert_eq!((no_production.value, no_production.reason), (None, Some(NotAssessable::Missing)));
    let over = year_of(&registry, "setdz", 2025);
    let used = [Used { carrier: "hydrogen", metered: meter }];
    let no_factor = intensity(&registry, over, Basis::Equivalent, 2025, &used).evaluation;
    assert_eq!((no_factor.value, no_factor.reason), (None, Some(NotAssessable::Missing)));
}

#[test]
fn an_export_is_taken_away_and_a_sub_meter_is_not_counted_twice() {
    let registry = registry();
    let one =
        |role, kwh| Used { carrier: "electricity", metered: metered(&registry, POWER, role, kwh) };
    let used = [
        one(MeterRole::Import, Some(3e10)),
        one(MeterRole::Export, Some(1e10)),
        one(MeterRole::Sub, None),
    ];
    let over = year_of(&registry, "setdz", 2025);
    let found = intensity(&registry, over, Basis::Equivalent, 2025, &used).evaluation;
    assert_eq!(found.value, Some(0.585_238));
    assert_eq!((found.items, found.items_of), (2, 2));
}

fn reuse(fresh: Option<f64>, reused: Option<f64>) -> Evaluation {
    let registry = registry();
    let meters = [
        metered(&registry, WATER, MeterRole::FreshWater, fresh),
        metered(&registry, "hunnan-water/water_volume/total", MeterRole::ReusedWater, reused),
        metered(&registry, POWER, MeterRole::Import, None),
    ];
    water_reuse(&registry, year_of(&registry, "setdz", 2026), &meters).evaluation
}

#[test]
fn water_reuse_is_the_reused_share_of_all_water_and_equality_meets() {
    let met = reuse(Some(5.0), Some(95.0));
    assert_eq!((met.value, met.target, met.index), (Some(95.0), Target::Met, Index::WaterReuse));
    assert!(met.clause.contains("water_reuse 95 % by 2020-12-31"), "{}", met.clause);
    let missed = reuse(Some(5.01), Some(94.99));
    assert_eq!((missed.value, missed.target), (Some(94.99), Target::Missed));
    // Thirds and sevenths: 30 of 100 by a meter of tenths.
    assert_eq!(reuse(Some(0.7), Some(0.3)).value, Some(30.0));
}

#[test]
fn water_reuse_without_a_meter_is_not_assessable() {
    for (fresh, reused) in [(None, Some(95.0)), (Some(5.0), None), (Some(0.0), Some(0.0))] {
        let found = reuse(fresh, reused);
        assert_eq!((found.value, found.reason), (None, Some(NotAssessable::Missing)));
        assert_eq!(found.target, Target::None);
    }
    let registry = registry();
    let over = year_of(&registry, "setdz", 2026);
    let fresh_only = [metered(&registry, WATER, MeterRole::FreshWater, Some(5.0))];
    let found = water_reuse(&registry, over, &fresh_only).evaluation;
    assert_eq!(found.reason, Some(NotAssessable::Missing), "no meter of reused water at all");
}

#[test]
fn a_power_factor_is_of_energies_over_the_period() {
    assert_eq!(power_factor(4.0, 3.0), Some(0.8));
    assert_eq!(power_factor(100.0, 0.0), Some(1.0));
    assert_eq!(power_factor(0.0, 0.0), None);
}

fn month(class: &str, kwh: Option<f64>, kvarh: Option<f64>) -> Evaluation {
    let registry = registry();
    let over = Over {
        place: place(&registry, "setdz"),
        period: Period::Month,
        start: at("2026-05-01"),
        end: at("2026-06-01"),
    };
    let one = |amount| metered(&registry, POWER, MeterRole::Import, amount);
    let station = Evaluated::Station(StationId(0));
    monthly_power_factor(&registry, station, over, class, one(kwh), one(kvarh)).evaluation
}

#[test]
fn the_power_factor_of_a_month_is_held_against_the_customers_class() {
    // 0.8 exactly: enough for a farm, for nobody else.
    assert_eq!(month("farm", Some(4.0), Some(3.0)).target, Target::Met);
    assert_eq!(month("industry", Some(4.0), Some(3.0)).target, Target::Missed);
    // 0.8955 is 0.90 to two decimals, 0.8944 is 0.89.
    let met = month("hv_industry", Some(0.8955), Some((1.0 - 0.8955_f64 * 0.8955).sqrt()));
    assert_eq!((met.target, met.index), (Target::Met, Index::PowerFactor));
    assert!((met.value.unwrap() - 0.8955).abs() < 1e-12, "the value itself is not rounded");
    assert!(met.clause.contains("power_factor 0.9"), "{}", met.clause);
    assert_eq!(month("hv_industry", Some(2.0), Some(1.0)).target, Target::Missed);
}

#[test]
fn a_power_factor_without_one_of_its_energies_is_not_assessable() {
    for (kwh, kvarh) in [(None, Some(1.0)), (Some(1.0), None), (Some(0.0), Some(0.0))] {
        let found = month("farm", kwh, kvarh);
        assert_eq!((found.value, found.reason), (None, Some(NotAssessable::Missing)));
    }
    let unknown = month("", Some(4.0), Some(3.0));
    assert_eq!((unknown.value, unknown.reason), (Some(0.8), Some(NotAssessable::NoLimit)));
}
