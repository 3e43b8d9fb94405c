//! By which indices the items of a station are evaluated, and what they come to: pure, of the items
//! alone, so that what the daemon says of a station's averages and what `weir assess` says of the
//! same numbers in a table is one thing.

use std::collections::BTreeSet;

use crate::assess::{aqi, black_odour, cwqi, trophic, water_class};
use crate::domain::evaluation::{Evaluated, Evaluation, Index, Item};
use crate::domain::name::PropertyId;
use crate::domain::observation::{ObservationResult, Period};
use crate::domain::registry::{Datastream, IndexItem, Registry, Station, Statistic};
use crate::domain::time::{HOUR, PhenomenonTime};

/// By which indices a station is evaluated: its section and what is measured there say.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Indices {
    /// Whether it is a section of a river or lake.
    pub water: bool,
    /// Whether it measures what black and odorous water is known by, and not only what every
    /// section does.
    pub odour: bool,
    /// Whether its air has an index.
    pub air: bool,
}

/// Gives the properties that take part in an index of stations.
#[must_use]
pub fn wanted(registry: &Registry) -> BTreeSet<PropertyId> {
    let mut wanted: BTreeSet<PropertyId> =
        registry.water.items.iter().map(|item| item.property).collect();
    wanted.extend(registry.air.properties());
    wanted
}

/// Gives the datastream that speaks for each of these properties at a station: of several positions
/// the first in the seeds.
#[must_use]
pub fn speaking<'r>(
    registry: &'r Registry,
    station: &Station,
    wanted: &BTreeSet<PropertyId>,
) -> Vec<(PropertyId, &'r Datastream)> {
    let mut speaking: Vec<(PropertyId, &Datastream)> = Vec::new();
    let streams = station.datastreams.iter().filter_map(|id| registry.datastream(*id));
    for stream in streams.filter(|stream| speaks(stream) && wanted.contains(&stream.property)) {
        if speaking.iter().all(|(property, _)| *property != stream.property) {
            speaking.push((stream.property, stream));
        }
    }
    speaking
}

/// Gives an average as an item, if it has a value; a suspect one only where the edition says so.
#[must_use]
pub fn of_average(
    registry: &Registry,
    property: PropertyId,
    (value, suspect): (Option<f64>, bool),
) -> Option<Item> {
    if suspect && !registry.judgement.suspect_in_class {
        return None;
    }
    Some(Item { property, result: ObservationResult::Value(value?), suspect })
}

/// Says whether a datastream can speak for its property: what it states is a value, a sample, or
/// the mean of an hour that is the official one.
fn speaks(stream: &Datastream) -> bool {
    let stated = match stream.statistic {
        Statistic::Instant | Statistic::Sample => true,
        Statistic::Mean => stream.period_ms == Some(HOUR),
        Statistic::Min | Statistic::Max | Statistic::Total => false,
    };
    stated && stream.official
}

impl Indices {
    /// Says which they are for a station where these properties are measured.
    #[must_use]
    pub fn of(registry: &Registry, station: &Station, measured: &[PropertyId]) -> Self {
        let items = || registry.water.items.iter();
        let is_of = |property: PropertyId, of: Option<Index>| {
            let mine = |item: &IndexItem| item.property == property;
            items().any(|item| mine(item) && of.is_none_or(|index| item.index == index))
        };
        let any = |holds: &dyn Fn(PropertyId) -> bool| measured.iter().any(|one| holds(*one));
        let water = matches!(&*station.section, "river" | "lake") && any(&|one| is_of(one, None));
        let odour = |one| is_of(one, Some(Index::BlackOdour));
        let class = |one| is_of(one, Some(Index::WaterClass));
        Self {
            water,
            odour: water && any(&|one| odour(one) && !class(one)),
            air: station.section.is_empty()
                && any(&|one| registry.air.properties().any(|of_air| of_air == one)),
        }
    }

    /// Evaluates the items of a station over a period by each of them. What is made of many days
    /// is not among them: the state of black and odorous water.
    #[must_use]
    pub fn evaluate(
        self,
        registry: &Registry,
        station: &Station,
        period: Period,
        span: PhenomenonTime,
        items: &[Item],
    ) -> Vec<Evaluation> {
        self.evaluate_scheme(registry, station, period, span, items, &[])
    }

    /// Does the same where the monitoring scheme leaves out some items of the air.
    #[must_use]
    pub fn evaluate_scheme(
        self,
        registry: &Registry,
        station: &Station,
        period: Period,
        span: PhenomenonTime,
        items: &[Item],
        left_out: &[PropertyId],
    ) -> Vec<Evaluation> {
        let mut evaluations = Vec::new();
        if self.air {
            let (subject, target) = (Evaluated::Station(station.id), &station.target_class);
            let air =
                aqi::evaluate_scheme(registry, subject, target, period, span, items, left_out);
            evaluations.extend(air);
        }
        if !self.water {
            return evaluations;
        }
        evaluations.push(water_class::evaluate(registry, station, period, span, items));
        let has =
            |index| registry.water.items_of(index, &station.section, span.start()).next().is_some();
        if period > Period::Hour && has(Index::Trophic) {
            evaluations.push(trophic::evaluate(registry, station, period, span, items));
        }
        if period > Period::Day && has(Index::Cwqi) {
            evaluations.push(cwqi::evaluate(registry, station, period, span, items));
        }
        if self.odour && period == Period::Hour {
            let indication = black_odour::indication(registry, station, span, items);
            evaluations.push(Evaluation { period, ..indication });
        }
        evaluations
    }
}
