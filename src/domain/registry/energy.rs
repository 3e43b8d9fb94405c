//! What energy is reckoned by: counters, factors of coal and carbon dioxide, the city's targets and
//! the production that intensity is divided by.

use std::collections::BTreeMap;

use crate::domain::name::{DatastreamId, PlaceId, PropertyId, Table};
use crate::domain::observation::Period;
use crate::domain::registry::{Counter, Datastream, Meter, Place};
use crate::domain::time::Timestamp;
use crate::domain::unit::UnitIndex;

/// What a factor makes of an amount.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FactorKind {
    /// Standard coal by the carrier's own heat, 当量值.
    CoalEquivalent,
    /// Standard coal by what power plants burn for it, 等价值.
    CoalCalorific,
    /// Carbon dioxide of a region's grid.
    GridCo2,
}

impl FactorKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::CoalEquivalent, Self::CoalCalorific, Self::GridCo2];

    /// Gives the word used in seeds and output.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::CoalEquivalent => "coal_equivalent",
            Self::CoalCalorific => "coal_calorific",
            Self::GridCo2 => "grid_co2",
        }
    }

    /// Gives what is counted: kilograms of it for each unit of the carrier.
    #[must_use]
    pub fn counted(self) -> &'static str {
        match self {
            Self::CoalEquivalent | Self::CoalCalorific => "kgce",
            Self::GridCo2 => "kgCO2",
        }
    }
}

/// One factor: a row of `factors.csv`.
#[derive(Clone, PartialEq, Debug)]
pub struct Factor {
    /// What it makes of an amount.
    pub kind: FactorKind,
    /// The carrier, such as `electricity`; of a grid, the region.
    pub of: Box<str>,
    /// The year it is of; none where it is the same every year.
    pub year: Option<i16>,
    /// Kilograms a unit.
    pub value: f64,
    /// The unit.
    pub per: UnitIndex,
    /// Where it is from, and how sure.
    pub source: Box<str>,
}

/// What a target is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TargetKind {
    /// At most so many tonnes of standard coal per 10^4 RMB of industrial added value.
    EnergyIntensity,
    /// At least this share of industrial water used again, %.
    WaterReuse,
    /// At least this monthly power factor.
    PowerFactor,
    /// At least this share of ten-minute values within the limits, %.
    SupplyQuality,
    /// At most this voltage unbalance, %.
    VoltageUnbalance,
}

impl TargetKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::EnergyIntensity,
        Self::WaterReuse,
        Self::PowerFactor,
        Self::SupplyQuality,
        Self::VoltageUnbalance,
    ];

    /// Gives the word used in seeds and output.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::EnergyIntensity => "energy_intensity",
            Self::WaterReuse => "water_reuse",
            Self::PowerFactor => "power_factor",
            Self::SupplyQuality => "supply_quality",
            Self::VoltageUnbalance => "voltage_unbalance",
        }
    }

    /// Gives the unit its value is in.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Self::EnergyIntensity => "tce/10^4CNY",
            Self::WaterReuse | Self::SupplyQuality | Self::VoltageUnbalance => "%",
            Self::PowerFactor => "1",
        }
    }

    /// Says whether a value meets a target of this kind. Equality meets.
    #[must_use]
    pub fn is_met(self, value: f64, target: f64) -> bool {
        match self {
            Self::EnergyIntensity | Self::VoltageUnbalance => value <= target,
            Self::WaterReuse | Self::PowerFactor | Self::SupplyQuality => value >= target,
        }
    }
}

/// One target: a row of `targets.csv`.
#[derive(Clone, PartialEq, Debug)]
pub struct PlaceTarget {
    /// The place, and what lies in it.
    pub place: PlaceId,
    /// What it is about.
    pub kind: TargetKind,
    /// The class of customer it holds for; empty where for all.
    pub class: Box<str>,
    /// The number, in the unit of the kind.
    pub value: f64,
    /// Until when it is to be met; nothing where it always holds.
    pub due: Option<Timestamp>,
    /// The day it is due as written; empty where it always holds.
    pub due_text: Box<str>,
    /// Where it is from.
    pub source: Box<str>,
}

impl PlaceTarget {
    /// Gives its name for people, such as `energy_intensity 0.68 tce/10^4CNY by 2020-12-31`.
    #[must_use]
    pub fn name(&self) -> String {
        let unit = self.kind.unit();
        let unit = if unit == "1" { String::new() } else { format!(" {unit}") };
        let by = if self.due_text.is_empty() { "" } else { " by " };
        format!("{} {}{unit}{by}{}", self.kind.word(), self.value, self.due_text)
    }
}

/// Industrial added value of a place over a period: a row of `production.csv`.
#[derive(Clone, PartialEq, Debug)]
pub struct Production {
    /// The place.
    pub place: PlaceId,
    /// A month, quarter or year.
    pub period: Period,
    /// Its first instant.
    pub start: Timestamp,
    /// The first instant after it.
    pub end: Timestamp,
    /// The value, in 10^4 RMB.
    pub value: f64,
    /// Where it is from.
    pub source: Box<str>,
}

/// Everything that energy is reckoned by.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Energy {
    /// The counters, by datastream.
    pub counters: BTreeMap<DatastreamId, Counter>,
    /// Factors, in the order of the seeds.
    pub factors: Vec<Factor>,
    /// Targets, in the order of the seeds.
    pub targets: Vec<PlaceTarget>,
    /// Production, in the order of the seeds.
    pub production: Vec<Production>,
}

impl Energy {
    /// Gives the factor for a year: that of the year, else of the latest year before it, else one
    /// that is the same every year. A later year's factor never serves an earlier one.
    #[must_use]
    pub fn factor(&self, kind: FactorKind, of: &str, year: i16) -> Option<&Factor> {
        let mine = self.factors.iter().filter(|one| one.kind == kind && *one.of == *of);
        mine.filter(|one| one.year.is_none_or(|held| held <= year)).max_by_key(|one| one.year)
    }

    /// Gives the target that holds for a place at a time: its own, else that of the place it lies
    /// in. Of several the one due next holds; once all are due, the last.
    #[must_use]
    pub fn target(
        &self,
        places: &Table<Place>,
        place: PlaceId,
        (kind, class): (TargetKind, &str),
        at: Timestamp,
    ) -> Option<&PlaceTarget> {
        let mut here = Some(place);
        while let Some(place) = here {
            let mine = || {
                let of = |one: &&PlaceTarget| one.place == place && one.kind == kind;
                self.targets.iter().filter(of).filter(|one| *one.class == *class)
            };
            let always = mine().find(|one| one.due.is_none());
            let open = mine().filter(|one| one.due.is_some_and(|due| due > at));
            let found = open.min_by_key(|one| one.due).or(always);
            if let Some(found) = found.or_else(|| mine().max_by_key(|one| one.due)) {
                return Some(found);
            }
            here = places.get(place.index()).and_then(|place| place.part_of);
        }
        None
    }

    /// Gives the production of a place over exactly this period.
    #[must_use]
    pub fn produced(
        &self,
        place: PlaceId,
        period: Period,
        start: Timestamp,
    ) -> Option<&Production> {
        let of = |one: &&Production| one.place == place && one.period == period;
        self.production.iter().filter(of).find(|one| one.start == start)
    }

    /// Gives the meters of a place that count a property in a span, each with the row that holds
    /// last in it, in the order of their ids.
    pub fn meters<'a>(
        &'a self,
        datastreams: &'a Table<Datastream>,
        place: PlaceId,
        property: PropertyId,
        span: (Timestamp, Timestamp),
    ) -> impl Iterator<Item = (DatastreamId, &'a Meter)> {
        self.counters.iter().filter_map(move |(id, counter)| {
            let stream = datastreams.get(id.index())?;
            let meter = counter.last_in(span)?;
            (stream.property == property && meter.place == place).then_some((*id, meter))
        })
    }
}
