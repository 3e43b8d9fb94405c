//! Energy against targets: standard coal and carbon dioxide, supply quality, unbalance, the power
//! factor of a month, intensity and the reuse of water. A missing meter is never counted as zero.

mod carriers;
mod quality;

use crate::domain::assessment::NotAssessable;
use crate::domain::evaluation::{Deciding, Evaluated, Evaluation, Index, Target};
use crate::domain::name::{DatastreamId, PlaceId, PropertyId};
use crate::domain::observation::{ObservationResult, Period};
use crate::domain::registry::{
    Factor, FactorKind, MeterRole, Metered, PlaceTarget, Registry, TargetKind,
};
use crate::domain::rounding::half_even;
use crate::domain::time::{PhenomenonTime, Timestamp};
use crate::domain::unit::UnitIndex;

pub use self::carriers::{Used, carbon_dioxide, intensity, standard_coal};
pub use self::quality::{
    Supplied, Supply, Unbalance, UnbalanceMethod, supply, supply_quality, ten_minutes, unbalance,
    unbalance_of_lines, unbalance_of_phases, voltage_unbalance,
};

/// Digits behind the point of a result that is compared: what stands behind them is the noise of
/// binary arithmetic, so that 90 of 100 is 90 %.
const DECIMALS: u8 = 6;

/// By which of its two values electricity becomes standard coal: they differ 2.4-fold, so a report
/// must say which.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Basis {
    /// By its own heat, 当量值.
    Equivalent,
    /// By what power plants burn for it, 等价值.
    Calorific,
}

/// Standard coal, and by which factor.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Coal<'r> {
    /// Tonnes of standard coal.
    pub tce: f64,
    /// The factor; its kind says which value, its source where it is from.
    pub factor: &'r Factor,
}

/// Turns an amount of a carrier into standard coal. A carrier without a value of the basis asked
/// for, such as a fuel, has its own heat; the factor says so. Nothing where there is no factor, or
/// the unit can't become its own.
#[must_use]
pub fn coal<'r>(
    registry: &'r Registry,
    basis: Basis,
    carrier: &str,
    (amount, unit): (f64, UnitIndex),
    year: i16,
) -> Option<Coal<'r>> {
    let of = |kind| registry.energy.factor(kind, carrier, year);
    let factor = match basis {
        Basis::Equivalent => of(FactorKind::CoalEquivalent),
        Basis::Calorific => {
            of(FactorKind::CoalCalorific).or_else(|| of(FactorKind::CoalEquivalent))
        }
    }?;
    let amount = registry.units.conversion(unit, factor.per)?.apply(amount);
    Some(Coal { tce: amount * factor.value / 1000.0, factor })
}

/// Carbon dioxide, and by which factor.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Carbon<'r> {
    /// Kilograms of carbon dioxide.
    pub kg: f64,
    /// The factor; it names region, year and source.
    pub factor: &'r Factor,
    /// Whether the factor is of the year asked for, and not of the latest one before it.
    pub of_the_year: bool,
}

/// Turns electricity into carbon dioxide of a region's grid. A year without a factor takes the
/// latest before it, and says so; before the first there is none.
#[must_use]
pub fn carbon<'r>(
    registry: &'r Registry,
    region: &str,
    (amount, unit): (f64, UnitIndex),
    year: i16,
) -> Option<Carbon<'r>> {
    let factor = registry.energy.factor(FactorKind::GridCo2, region, year)?;
    let amount = registry.units.conversion(unit, factor.per)?.apply(amount);
    let kg = amount * factor.value;
    Some(Carbon { kg, factor, of_the_year: factor.year == Some(year) })
}

/// An evaluation of meters, and those among them of which nothing is known.
#[derive(Clone, PartialEq, Debug)]
pub struct Reckoned {
    /// The evaluation. Whether it changed is for the caller to say.
    pub evaluation: Evaluation,
    /// The meters that have no amount.
    pub missing: Vec<DatastreamId>,
}

/// Whom an evaluation is about and over which period.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Over {
    /// The place whose target holds.
    pub place: PlaceId,
    /// The period.
    pub period: Period,
    /// Its first instant.
    pub start: Timestamp,
    /// The first instant after it.
    pub end: Timestamp,
}

/// Gives an evaluation in which nothing is said yet.
fn blank(subject: Evaluated, index: Index, over: Over) -> Evaluation {
    Evaluation {
        subject,
        index,
        period: over.period,
        phenomenon_time: PhenomenonTime::Interval { start: over.start, end: over.end },
        value: None,
        grade: None,
        reason: None,
        target: Target::None,
        deciding: Vec::new(),
        missing: Vec::new(),
        items: 0,
        items_of: 0,
        clause: "".into(),
        unconfirmed: false,
        legal: false,
        changed: true,
        singles: Vec::new(),
    }
}

fn target_of<'r>(
    registry: &'r Registry,
    over: Over,
    kind: TargetKind,
    class: &str,
) -> Option<&'r PlaceTarget> {
    // The end of a period may be the very moment at which its target falls due.
    let last = over.end.plus(-1);
    registry.energy.target(&registry.places, over.place, (kind, class), last)
}

/// Holds a value against a target and names the target in the clause.
fn hold(evaluation: &mut Evaluation, value: f64, target: Option<&PlaceTarget>) {
    let Some(target) = target else { return };
    let met = target.kind.is_met(half_even(value, DECIMALS), target.value);
    evaluation.target = if met { Target::Met } else { Target::Missed };
    let between = if evaluation.clause.is_empty() { "" } else { "; " };
    evaluation.clause = format!("{}{between}{}", evaluation.clause, target.name()).into();
}

/// Names what is missing among meters, and marks what is suspect.
fn take_stock(
    registry: &Registry,
    evaluation: &mut Evaluation,
    meters: &[Metered],
) -> Vec<DatastreamId> {
    let absent = meters.iter().filter(|one| one.amount.is_none());
    let missing: Vec<DatastreamId> = absent.map(|one| one.datastream).collect();
    for id in &missing {
        let Some(stream) = registry.datastream(*id) else { continue };
        if !evaluation.missing.contains(&stream.property) {
            evaluation.missing.push(stream.property);
        }
    }
    let count = |number: usize| u8::try_from(number).unwrap_or(u8::MAX);
    evaluation.items = count(meters.len() - missing.len());
    evaluation.items_of = count(meters.len());
    evaluation.unconfirmed = meters.iter().any(|one| one.suspect);
    if !missing.is_empty() || meters.is_empty() {
        evaluation.reason = Some(NotAssessable::Missing);
    }
    missing
}

/// Gives the power factor of active and reactive energy; nothing where nothing was used.
#[must_use]
pub fn power_factor(kwh: f64, kvarh: f64) -> Option<f64> {
    let apparent = kwh.hypot(kvarh);
    (apparent > 0.0).then(|| kwh / apparent)
}

/// Holds the power factor of a month at a station against the target of its class of customer,
/// such as `hv_industry`: of kWh and kvarh over the period, never of readings.
#[must_use]
pub fn monthly_power_factor(
    registry: &Registry,
    subject: Evaluated,
    over: Over,
    class: &str,
    active: Metered,
    reactive: Metered,
) -> Reckoned {
    let mut evaluation = blank(subject, Index::PowerFactor, over);
    let missing = take_stock(registry, &mut evaluation, &[active, reactive]);
    evaluation.clause = "kWh / sqrt(kWh2 + kvarh2)".into();
    if let Some((kwh, kvarh)) = active.amount.zip(reactive.amount) {
        evaluation.value = power_factor(kwh, kvarh);
        let target = target_of(registry, over, TargetKind::PowerFactor, class);
        match (evaluation.value, target) {
            // A period's verdict rounds first, to the decimals that the target has.
            (Some(value), Some(target)) => {
                let rounded = half_even(value, POWER_FACTOR_DECIMALS);
                hold(&mut evaluation, rounded, Some(target));
                let property = registry.datastream(active.datastream).map(|one| one.property);
                evaluation.deciding.extend(property.map(|property| deciding(property, rounded)));
                evaluation.legal = quality::is_of_the_standard_method(registry, subject);
            }
            (Some(_), None) => evaluation.reason = Some(NotAssessable::NoLimit),
            (None, _) => evaluation.reason = Some(NotAssessable::Missing),
        }
    }
    Reckoned { evaluation, missing }
}

/// The decimals to which tariffs give a power factor.
const POWER_FACTOR_DECIMALS: u8 = 2;

fn deciding(property: PropertyId, compared: f64) -> Deciding {
    Deciding {
        property,
        result: ObservationResult::Value(compared),
        class: None,
        index: None,
        over_target: None,
        over_iii: None,
    }
}

/// The share of a place's industrial water that is used again, `reused / (fresh + reused)` in
/// percent, against the target that holds at the period's end.
///
/// Meters of other roles are not looked at. Without a meter of fresh and one of reused water, or
/// without the amount of one of them, it is not assessable.
#[must_use]
pub fn water_reuse(registry: &Registry, over: Over, meters: &[Metered]) -> Reckoned {
    let mut evaluation = blank(Evaluated::Place(over.place), Index::WaterReuse, over);
    let water =
        |one: &&Metered| one.role == MeterRole::FreshWater || one.role == MeterRole::ReusedWater;
    let meters: Vec<Metered> = meters.iter().filter(water).copied().collect();
    let missing = take_stock(registry, &mut evaluation, &meters);
    evaluation.clause = "reused / (fresh + reused)".into();
    let of = |role: MeterRole| {
        let mut amounts = meters.iter().filter(|one| one.role == role).peekable();
        amounts.peek()?;
        amounts.map(|one| one.amount).sum::<Option<f64>>()
    };
    match of(MeterRole::FreshWater).zip(of(MeterRole::ReusedWater)) {
        Some((fresh, reused)) if fresh + reused > 0.0 => {
            let value = half_even(100.0 * reused / (fresh + reused), DECIMALS);
            evaluation.value = Some(value);
            let target = target_of(registry, over, TargetKind::WaterReuse, "");
            hold(&mut evaluation, value, target);
        }
        Some(_) | None => evaluation.reason = Some(NotAssessable::Missing),
    }
    Reckoned { evaluation, missing }
}
