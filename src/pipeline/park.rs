//! What the meters of a place come to together over a period: its balance, the water used again,
//! its coal and carbon, its intensity; and of a station's meters the month's power factor and the
//! day's supply quality. The stages reckon; here the amounts are gathered.

use std::collections::BTreeSet;

use crate::aggregate::window::Kept;
use crate::assess::energy::{self, Basis, Over, Supplied, Used};
use crate::basin::balance::balance;
use crate::domain::assessment::{Averaging, Limit};
use crate::domain::evaluation::{Evaluated, Evaluation, Index, Told};
use crate::domain::name::{DatastreamId, PlaceId, PropertyId};
use crate::domain::observation::Period;
use crate::domain::registry::{
    Datastream, Meter, MeterRole, Metered, Production, Registry, Sampling, Station,
};
use crate::domain::time::{HOUR, Moment, Timestamp};
use crate::pipeline::evaluate::windows;
use crate::pipeline::state::{State, StreamState};
use crate::pipeline::{Pipeline, Processed};

/// By which value of electricity the city's targets are taken to be: its own heat (decision 22).
const BASIS: Basis = Basis::Equivalent;
/// The properties of electric energy, and the carriers they and fresh water are, by their names.
const ACTIVE: &str = "electricity_energy";
const REACTIVE: &str = "reactive_energy";
const ELECTRICITY: &str = "electricity";
const FRESH_WATER: &str = "fresh_water";
/// The positions of three phases.
const PHASES: [&str; 3] = ["L1", "L2", "L3"];

/// A period of a place that is to be evaluated.
pub(super) type Due = (PlaceId, Period, Timestamp, Timestamp);

/// What of a station takes part in the evaluations of energy; derived from an edition.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    /// The places whose consumption its meters count.
    pub(super) places: BTreeSet<PlaceId>,
    /// What its supply quality is known by: what has a limit for a share of its values.
    supply: Vec<DatastreamId>,
    /// Their slots.
    supply_slots: Vec<u16>,
    /// The slots of its meters.
    meter_slots: Vec<u16>,
    /// Its three phases, where it has them.
    phases: Option<[DatastreamId; 3]>,
}

impl Plan {
    /// Gives the slots of what its evaluations over a period wait for.
    pub(super) fn slots(&self, period: Period) -> impl Iterator<Item = &u16> {
        let slots: &[u16] = match period {
            Period::Day => &self.supply_slots,
            Period::Month => &self.meter_slots,
            Period::Native
            | Period::Hour
            | Period::EightHours
            | Period::DayMaxEightHours
            | Period::Quarter
            | Period::Year => &[],
        };
        slots.iter()
    }
}

/// Makes the plan of a station.
pub(super) fn plan(registry: &Registry, station: &Station) -> Plan {
    let streams = || station.datastreams.iter().filter_map(|id| registry.datastream(*id));
    let meters =
        || streams().filter_map(|stream| Some((stream, registry.energy.counters.get(&stream.id)?)));
    let places = meters().flat_map(|(_, counter)| counter.meters.iter().map(|meter| meter.place));
    let is_supply = |stream: &&Datastream| {
        let mut limits = stream.limits.iter().filter_map(|id| registry.limit(*id));
        let instant = stream.period_ms.is_none() && stream.sampling == Sampling::Continuous;
        instant && limits.any(|limit| limit.averaging == Averaging::Statistical)
    };
    let supply: Vec<&Datastream> = streams().filter(is_supply).collect();
    // Of one property, so that no frequency is taken for a voltage.
    let phase = |position: &str| supply.iter().find(|stream| &*stream.position == position);
    let phases = match PHASES.map(phase) {
        [Some(one), Some(two), Some(three)]
            if one.property == two.property && two.property == three.property =>
        {
            Some([one.id, two.id, three.id])
        }
        _ => None,
    };
    Plan {
        places: places.collect(),
        supply_slots: supply.iter().map(|stream| stream.slot).collect(),
        meter_slots: meters().map(|(stream, _)| stream.slot).collect(),
        supply: supply.into_iter().map(|stream| stream.id).collect(),
        phases,
    }
}

/// A meter of a place, and what it metered over a period.
struct OfPlace {
    property: PropertyId,
    metered: Metered,
}

impl Pipeline {
    /// Evaluates periods of places of whose meters one was given out.
    pub(super) fn evaluate_places(
        &mut self,
        registry: &Registry,
        due: BTreeSet<Due>,
        at: Moment,
        out: &mut Processed,
    ) {
        for due in &due {
            let Some(meters) = of_place(&self.state, registry, *due) else { continue };
            for evaluation in evaluations(registry, *due, &meters) {
                self.tell_evaluation(evaluation, at, out);
            }
        }
        for (place, period, _, end) in due {
            if period == Period::Day {
                self.evaluate_production(registry, (place, end), at, out);
            }
        }
    }

    /// Evaluates the intensity of periods whose production an edition named after they were over.
    fn evaluate_production(
        &mut self,
        registry: &Registry,
        (place, until): (PlaceId, Timestamp),
        at: Moment,
        out: &mut Processed,
    ) {
        let mut rows: Vec<&Production> =
            registry.energy.production.iter().filter(|row| row.place == place).collect();
        rows.sort_by_key(|row| row.start);
        for row in rows.into_iter().filter(|row| row.end <= until) {
            let told = self.state.evaluated.get(&Evaluated::Place(place));
            let same = |told: &&Told| (told.index, told.period) == (Index::Intensity, row.period);
            let told = told.and_then(|told| told.iter().find(same));
            if told.is_some_and(|told| row.start <= told.start) {
                continue;
            }
            let due = (place, row.period, row.start, row.end);
            let meters = of_place(&self.state, registry, due).unwrap_or_default();
            // Of a time before the meters nothing is said.
            if meters.iter().any(|one| one.metered.amount.is_some())
                && let Some(intensity) = intensity(registry, due, &meters)
            {
                self.tell_evaluation(intensity, at, out);
            }
        }
    }

    /// Evaluates the month and the day of a station's meters.
    pub(super) fn of_metering(
        &self,
        registry: &Registry,
        (station, plan): (&Station, &Plan),
        (period, start, end): (Period, Timestamp, Timestamp),
        now: Timestamp,
    ) -> Vec<Evaluation> {
        let over = Over { place: station.place, period, start, end };
        // Later the ring may have forgotten how the day began.
        let held = now.plus(-registry.judgement.lateness_horizon_ms - HOUR) <= start;
        if period == Period::Month {
            self.power_factor(registry, station, over).into_iter().collect()
        } else if period == Period::Day && held {
            self.supply(registry, station, plan, over)
        } else {
            Vec::new()
        }
    }

    /// Gives the power factor of a month at the first main meter of a class of customers.
    fn power_factor(
        &self,
        registry: &Registry,
        station: &Station,
        over: Over,
    ) -> Option<Evaluation> {
        let metered = |stream: &Datastream| {
            let meter =
                registry.energy.counters.get(&stream.id)?.last_in((over.start, over.end))?;
            let kept = self.state.stream(stream).and_then(|one| kept(one, over.period, over.start));
            let (datastream, role) = (stream.id, meter.role);
            let amount = kept.and_then(|kept| kept.value);
            let suspect = kept.is_some_and(|kept| kept.suspect);
            Some((meter, Metered { datastream, role, amount, suspect }))
        };
        let of = |name: &str| {
            let id = property(registry, name);
            let streams = station.datastreams.iter().filter_map(|id| registry.datastream(*id));
            streams.filter(move |stream| Some(stream.property) == id)
        };
        let is_main = |meter: &Meter| meter.role == MeterRole::Import && !meter.tariff.is_empty();
        let (position, meter, active) = of(ACTIVE).find_map(|stream| {
            let (meter, metered) = metered(stream).filter(|(meter, _)| is_main(meter))?;
            Some((&stream.position, meter, metered))
        })?;
        let (_, reactive) =
            of(REACTIVE).filter(|one| one.position == *position).find_map(metered)?;
        let subject = Evaluated::Station(station.id);
        let class = &meter.tariff;
        let reckoned =
            energy::monthly_power_factor(registry, subject, over, class, active, reactive);
        Some(reckoned.evaluation)
    }

    /// Gives the supply quality of a day, and the unbalance of its three phases.
    fn supply(
        &self,
        registry: &Registry,
        station: &Station,
        plan: &Plan,
        over: Over,
    ) -> Vec<Evaluation> {
        let span = (over.start, over.end);
        let entries = |stream: &Datastream| {
            let held = self.state.stream(stream);
            held.map_or_else(Vec::new, |held| held.history.between(over.start, over.end))
        };
        let supplied = |id: &DatastreamId| {
            let stream = registry.datastream(*id)?;
            let limit = share_limit(registry, stream, over.start)?;
            let every_ms = stream.expected_every_ms;
            let counted = energy::supply(entries(stream).into_iter(), span, every_ms, limit.bound);
            let (property, instrument) = (stream.property, &*limit.instrument);
            Some(Supplied { property, position: &stream.position, counted, instrument })
        };
        let subject = Evaluated::Station(station.id);
        let supplied: Vec<Supplied<'_>> = plan.supply.iter().filter_map(supplied).collect();
        let mut evaluations = Vec::new();
        if !supplied.is_empty() {
            evaluations.push(energy::supply_quality(registry, subject, over, &supplied));
        }
        let phases = plan.phases.and_then(|ids| {
            let [one, two, three] = ids.map(|id| registry.datastream(id));
            Some([one?, two?, three?])
        });
        if let Some([one, two, three]) = phases {
            let [of_one, of_two, of_three] = [one, two, three].map(entries);
            let phases = [&*of_one, &*of_two, &*of_three];
            let of = (one.property, one.expected_every_ms);
            evaluations.push(energy::voltage_unbalance(registry, subject, over, phases, of));
        }
        evaluations
    }
}

/// Gives the limit of a share of values that holds for a datastream at a time.
fn share_limit<'r>(
    registry: &'r Registry,
    stream: &Datastream,
    at: Timestamp,
) -> Option<&'r Limit> {
    let mut limits = stream.limits.iter().filter_map(|id| registry.limit(*id));
    limits.find(|one| one.averaging == Averaging::Statistical && one.in_force.holds(at))
}

/// Gives what a datastream came to over a period.
fn kept(stream: &StreamState, period: Period, start: Timestamp) -> Option<Kept> {
    windows(stream, period)?.at(start)
}

/// Gathers the meters of a place over a period; nothing while one of them is to be given out.
fn of_place(state: &State, registry: &Registry, due: Due) -> Option<Vec<OfPlace>> {
    let (place, period, start, end) = due;
    let mut meters = Vec::new();
    for (id, counter) in &registry.energy.counters {
        let meter = counter.last_in((start, end)).filter(|meter| meter.place == place);
        let (Some(meter), Some(stream)) = (meter, registry.datastream(*id)) else { continue };
        let held = state.stream(stream);
        if held.and_then(|held| windows(held, period)).is_some_and(|held| held.waits(start)) {
            return None;
        }
        let kept = held.and_then(|held| kept(held, period, start));
        let metered = Metered {
            datastream: *id,
            role: meter.role,
            amount: kept.and_then(|kept| kept.value),
            suspect: kept.is_some_and(|kept| kept.suspect),
        };
        meters.push(OfPlace { property: stream.property, metered });
    }
    Some(meters)
}

/// Evaluates a period of a place.
fn evaluations(registry: &Registry, due: Due, meters: &[OfPlace]) -> Vec<Evaluation> {
    let (place, period, start, end) = due;
    let over = Over { place, period, start, end };
    let mut evaluations = Vec::new();
    let Some(active) = property(registry, ACTIVE) else { return evaluations };
    let of = |roles: &[MeterRole]| -> Vec<Metered> {
        let mine = meters.iter().filter(|one| roles.contains(&one.metered.role));
        mine.map(|one| one.metered).collect()
    };
    let electric = meters.iter().filter(|one| one.property == active).map(|one| one.metered);
    let electric: Vec<Metered> = electric.collect();
    let has = |meters: &[Metered], role| meters.iter().any(|one| one.role == role);
    let main = has(&electric, MeterRole::Import);
    if main && has(&electric, MeterRole::Sub) {
        evaluations.push(balance((place, active), (period, start, end), &electric).evaluation);
    }
    if period == Period::Hour {
        return evaluations;
    }
    let water = of(&[MeterRole::FreshWater, MeterRole::ReusedWater]);
    if has(&water, MeterRole::FreshWater) && has(&water, MeterRole::ReusedWater) {
        evaluations.push(energy::water_reuse(registry, over, &water).evaluation);
    }
    let used = used(registry, meters);
    let Some(year) = year(registry, &used, start) else { return evaluations };
    evaluations.push(energy::standard_coal(registry, over, BASIS, year, &used).evaluation);
    evaluations.extend(intensity(registry, due, meters));
    if let Some(grid) = grid(registry, place).filter(|_| main) {
        let reckoned = energy::carbon_dioxide(registry, over, grid, year, &electric);
        evaluations.push(reckoned.evaluation);
    }
    evaluations
}

/// Gives what main meters meter of carriers that have a factor of coal.
fn used<'r>(registry: &'r Registry, meters: &[OfPlace]) -> Vec<Used<'r>> {
    let carrier = |one: &OfPlace| -> Option<&'r str> {
        match one.metered.role {
            MeterRole::Sub | MeterRole::ReusedWater => None,
            MeterRole::FreshWater => Some(FRESH_WATER),
            MeterRole::Import | MeterRole::Export | MeterRole::Generation => {
                let name = &*registry.property(one.property)?.name;
                let carrier = if name == ACTIVE { ELECTRICITY } else { name };
                registry.energy.factors.iter().any(|one| *one.of == *carrier).then_some(carrier)
            }
        }
    };
    let used = |one: &OfPlace| Some(Used { carrier: carrier(one)?, metered: one.metered });
    meters.iter().filter_map(used).collect()
}

/// Gives the intensity of a period whose production is known.
fn intensity(registry: &Registry, due: Due, meters: &[OfPlace]) -> Option<Evaluation> {
    let (place, period, start, end) = due;
    registry.energy.produced(place, period, start)?;
    let used = used(registry, meters);
    let year = year(registry, &used, start)?;
    let over = Over { place, period, start, end };
    Some(energy::intensity(registry, over, BASIS, year, &used).evaluation)
}

/// Gives the year in which a period begins where the meters stand.
fn year(registry: &Registry, used: &[Used<'_>], start: Timestamp) -> Option<i16> {
    let stream = registry.datastream(used.first()?.metered.datastream)?;
    start.year(&registry.station(stream.station)?.zone)
}

/// Gives the region whose grid feeds a place: its own, else that of the place it lies in.
fn grid(registry: &Registry, place: PlaceId) -> Option<&str> {
    let mut here = registry.places.get(place.index());
    while let Some(place) = here {
        if !place.grid.is_empty() {
            return Some(&place.grid);
        }
        here = place.part_of.and_then(|part_of| registry.places.get(part_of.index()));
    }
    None
}

fn property(registry: &Registry, name: &str) -> Option<PropertyId> {
    registry.properties.iter().find(|one| &*one.name == name).map(|one| one.id)
}
