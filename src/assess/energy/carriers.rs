//! What a place used of all carriers together: standard coal, carbon dioxide, and the intensity of
//! its production. A factor is named with what it makes.

use crate::assess::energy::{
    Basis, Carbon, Coal, DECIMALS, Over, Reckoned, blank, carbon, coal, hold, take_stock, target_of,
};
use crate::domain::assessment::NotAssessable;
use crate::domain::evaluation::{Evaluated, Evaluation, Index};
use crate::domain::name::DatastreamId;
use crate::domain::registry::{MeterRole, Metered, Registry, TargetKind};
use crate::domain::rounding::half_even;
use crate::domain::unit::UnitIndex;

/// What a meter metered of a carrier.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Used<'a> {
    /// The carrier, as factors.csv calls it.
    pub carrier: &'a str,
    /// The meter and its amount. An export is taken away; sub-meters are not counted, because the
    /// main meters have what is theirs.
    pub metered: Metered,
}

/// Gives the standard coal of what a place used, in tonnes, and names basis and factors in the
/// clause. Nothing where a meter's amount or a carrier's factor is missing.
fn together(
    registry: &Registry,
    evaluation: &mut Evaluation,
    (basis, year): (Basis, i16),
    used: &[Used<'_>],
) -> (Option<f64>, Vec<DatastreamId>) {
    let main: Vec<&Used<'_>> =
        used.iter().filter(|one| one.metered.role != MeterRole::Sub).collect();
    let meters: Vec<Metered> = main.iter().map(|one| one.metered).collect();
    let missing = take_stock(registry, evaluation, &meters);
    let mut clause = String::from(match basis {
        Basis::Equivalent => "GB/T 2589-2020, equivalent value 当量值",
        Basis::Calorific => "GB/T 2589-2020, calorific value 等价值",
    });
    let mut sum = Some(0.0);
    let mut named: Vec<&str> = Vec::new();
    for one in main {
        let burnt = burnt(registry, basis, one, year);
        if let Some(burnt) = &burnt
            && !named.contains(&one.carrier)
        {
            named.push(one.carrier);
            let between = if named.len() == 1 { ": " } else { ", " };
            let (value, unit) = (burnt.factor.value, per(registry, burnt.factor.per));
            clause.push_str(&format!("{between}{} {value} kgce/{unit}", one.carrier));
        }
        let sign = if one.metered.role == MeterRole::Export { -1.0 } else { 1.0 };
        sum = sum.zip(burnt).map(|(sum, burnt)| sum + sign * burnt.tce);
    }
    evaluation.clause = clause.into();
    let sum = sum.filter(|_| evaluation.reason.is_none());
    if sum.is_none() {
        evaluation.reason = Some(NotAssessable::Missing);
    }
    (sum, missing)
}

fn per(registry: &Registry, unit: UnitIndex) -> &str {
    registry.units.get(unit).map_or("", |unit| &unit.name)
}

/// Gives the standard coal of what a meter metered, in its property's own unit.
fn burnt<'r>(registry: &'r Registry, basis: Basis, one: &Used<'_>, year: i16) -> Option<Coal<'r>> {
    let stream = registry.datastream(one.metered.datastream)?;
    let unit = registry.property(stream.property)?.unit;
    coal(registry, basis, one.carrier, (one.metered.amount?, unit), year)
}

/// Standard coal of what a place used over a period, in tonnes.
#[must_use]
pub fn standard_coal(
    registry: &Registry,
    over: Over,
    basis: Basis,
    year: i16,
    used: &[Used<'_>],
) -> Reckoned {
    let mut evaluation = blank(Evaluated::Place(over.place), Index::StandardCoal, over);
    let (tce, missing) = together(registry, &mut evaluation, (basis, year), used);
    evaluation.value = tce.map(|tce| half_even(tce, DECIMALS));
    Reckoned { evaluation, missing }
}

/// Energy per 10^4 RMB of industrial added value, against the target that holds at the period's
/// end.
///
/// The production is that of exactly this period; without it, or without a meter's amount or a
/// carrier's factor, the intensity is not assessable.
#[must_use]
pub fn intensity(
    registry: &Registry,
    over: Over,
    basis: Basis,
    year: i16,
    used: &[Used<'_>],
) -> Reckoned {
    let mut evaluation = blank(Evaluated::Place(over.place), Index::Intensity, over);
    let (tce, missing) = together(registry, &mut evaluation, (basis, year), used);
    let produced = registry.energy.produced(over.place, over.period, over.start);
    match tce.zip(produced) {
        Some((tce, produced)) => {
            let value = half_even(tce / produced.value, DECIMALS);
            evaluation.value = Some(value);
            let target = target_of(registry, over, TargetKind::EnergyIntensity, "");
            hold(&mut evaluation, value, target);
        }
        None => evaluation.reason = Some(NotAssessable::Missing),
    }
    Reckoned { evaluation, missing }
}

/// Carbon dioxide of the electricity that a place took from its region's grid over a period, in
/// tonnes. What it gave back is taken away; what it made itself has none of the grid's.
#[must_use]
pub fn carbon_dioxide(
    registry: &Registry,
    over: Over,
    region: &str,
    year: i16,
    meters: &[Metered],
) -> Reckoned {
    let mut evaluation = blank(Evaluated::Place(over.place), Index::CarbonDioxide, over);
    let grid = |one: &&Metered| matches!(one.role, MeterRole::Import | MeterRole::Export);
    let meters: Vec<Metered> = meters.iter().filter(grid).copied().collect();
    let missing = take_stock(registry, &mut evaluation, &meters);
    let mut sum = Some(0.0);
    for one in &meters {
        let unit =
            registry.datastream(one.datastream).and_then(|one| registry.property(one.property));
        let made = unit
            .zip(one.amount)
            .and_then(|(property, amount)| carbon(registry, region, (amount, property.unit), year));
        if let Some(made) = &made {
            let Carbon { factor, of_the_year, .. } = made;
            let of = factor.year.unwrap_or(year);
            let latest =
                if *of_the_year { String::new() } else { format!(", the latest before {year}") };
            evaluation.clause = format!(
                "grid_co2 {region} {of}: {} kgCO2/{}{latest}",
                factor.value,
                per(registry, factor.per)
            )
            .into();
        }
        let sign = if one.role == MeterRole::Export { -1.0 } else { 1.0 };
        sum = sum.zip(made).map(|(sum, made)| sum + sign * made.kg);
    }
    evaluation.value = sum.filter(|_| evaluation.reason.is_none());
    evaluation.value = evaluation.value.map(|kg| half_even(kg / 1000.0, DECIMALS));
    if evaluation.value.is_none() {
        evaluation.reason = Some(NotAssessable::Missing);
    }
    Reckoned { evaluation, missing }
}
