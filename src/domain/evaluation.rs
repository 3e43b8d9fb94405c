//! What several items together come to: the class of a section, an air quality index, the state of
//! a lake, the balance of a park. A single value against a single limit is an
//! [`crate::domain::assessment::Assessment`].

use minicbor::{Decode, Encode};

use crate::domain::assessment::{NotAssessable, WaterClass};
use crate::domain::name::{PlaceId, PropertyId, SetId, StationId};
use crate::domain::observation::{ObservationResult, Period};
use crate::domain::registry::{Station, StationGrade};
use crate::domain::time::{PhenomenonTime, Timestamp};

/// One item on its way into an evaluation: a value of one property over the period in question.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Item {
    /// The property.
    pub property: PropertyId,
    /// Its value in the property's canonical unit, as it is and not rounded. What a station
    /// measures needs no item to be named as missing where it has no valid value; else it is nil.
    pub result: ObservationResult,
    /// Whether the value is suspect.
    pub suspect: bool,
}

/// Whom an evaluation is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
pub enum Evaluated {
    /// One station: a section of a river, a point of a lake, an air station, a meter.
    #[n(0)]
    Station(#[n(0)] StationId),
    /// A named set of stations: a city's air, a river, a basin.
    #[n(1)]
    Set(#[n(0)] SetId),
    /// A place with its meters: a park.
    #[n(2)]
    Place(#[n(0)] PlaceId),
}

/// What is evaluated.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum Index {
    /// The single-factor class of GB 3838-2002 (环办〔2011〕22号).
    #[n(0)]
    WaterClass,
    /// The air quality index of HJ 633.
    #[n(1)]
    Aqi,
    /// The trophic level index of a lake (环办〔2011〕22号).
    #[n(2)]
    Trophic,
    /// Black and odorous water.
    #[n(3)]
    BlackOdour,
    /// The city water quality index of the 2017 ranking rule.
    #[n(4)]
    Cwqi,
    /// The grade of a river or basin by the shares of its sections (环办〔2011〕22号).
    #[n(5)]
    RiverGrade,
    /// Supply quality: the share of ten-minute values within the limits.
    #[n(6)]
    SupplyQuality,
    /// The monthly power factor, of kWh and kvarh.
    #[n(7)]
    PowerFactor,
    /// A park's main meter against its sub-meters.
    #[n(8)]
    Balance,
    /// The share of a park's industrial water that is used again.
    #[n(9)]
    WaterReuse,
    /// Energy per 10^4 RMB of industrial added value.
    #[n(10)]
    Intensity,
    /// The share of ten-minute values whose voltage unbalance is small enough.
    #[n(11)]
    VoltageUnbalance,
    /// Standard coal of what a park used.
    #[n(12)]
    StandardCoal,
    /// Carbon dioxide of the electricity that a park took.
    #[n(13)]
    CarbonDioxide,
}

impl Index {
    /// Every index.
    pub const ALL: [Self; 14] = [
        Self::WaterClass,
        Self::Aqi,
        Self::Trophic,
        Self::BlackOdour,
        Self::Cwqi,
        Self::RiverGrade,
        Self::SupplyQuality,
        Self::PowerFactor,
        Self::Balance,
        Self::WaterReuse,
        Self::Intensity,
        Self::VoltageUnbalance,
        Self::StandardCoal,
        Self::CarbonDioxide,
    ];

    /// Gives the medium that it is about.
    #[must_use]
    pub fn medium(self) -> &'static str {
        match self {
            Self::WaterClass | Self::Trophic | Self::BlackOdour | Self::Cwqi | Self::RiverGrade => {
                "water"
            }
            Self::Aqi => "air",
            Self::SupplyQuality
            | Self::PowerFactor
            | Self::Balance
            | Self::WaterReuse
            | Self::Intensity
            | Self::VoltageUnbalance
            | Self::StandardCoal
            | Self::CarbonDioxide => "energy",
        }
    }

    /// Gives the word used in output.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::WaterClass => "water_class",
            Self::Aqi => "aqi",
            Self::Trophic => "trophic",
            Self::BlackOdour => "black_odour",
            Self::Cwqi => "cwqi",
            Self::RiverGrade => "river_grade",
            Self::SupplyQuality => "supply_quality",
            Self::PowerFactor => "power_factor",
            Self::Balance => "balance",
            Self::WaterReuse => "water_reuse",
            Self::Intensity => "intensity",
            Self::VoltageUnbalance => "voltage_unbalance",
            Self::StandardCoal => "standard_coal",
            Self::CarbonDioxide => "carbon_dioxide",
        }
    }
}

/// The grade an index falls into, best first in each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Grade {
    /// A class of GB 3838-2002, of a section.
    #[n(0)]
    Water(#[n(0)] WaterClass),
    /// A grade of water quality 水质状况, of a river: 1 excellent to 5 heavily polluted.
    #[n(1)]
    River(#[n(0)] u8),
    /// A grade of the air quality index: 1 优 to 6 严重污染.
    #[n(2)]
    Air(#[n(0)] u8),
    /// A trophic state: 1 oligotrophic, 2 mesotrophic, 3 to 5 lightly, moderately and heavily
    /// eutrophic.
    #[n(3)]
    Trophic(#[n(0)] u8),
    /// Black and odorous: 0 not, 1 lightly, 2 heavily.
    #[n(4)]
    BlackOdour(#[n(0)] u8),
}

impl Grade {
    /// Gives its number, the better the less; of a class 1 to 6.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Water(class) => class as u8 + 1,
            Self::River(grade)
            | Self::Air(grade)
            | Self::Trophic(grade)
            | Self::BlackOdour(grade) => grade,
        }
    }

    /// Gives the word used in output.
    #[must_use]
    pub fn word(self) -> &'static str {
        const POLLUTION: [&str; 6] = ["excellent", "good", "light", "moderate", "heavy", "severe"];
        const TROPHIC: [&str; 5] = [
            "oligotrophic",
            "mesotrophic",
            "lightly eutrophic",
            "moderately eutrophic",
            "heavily eutrophic",
        ];
        const ODOUR: [&str; 3] = ["none", "light", "heavy"];
        let nth = |words: &'static [&str], at: Option<u8>| {
            at.and_then(|at| words.get(usize::from(at))).copied().unwrap_or_default()
        };
        match self {
            Self::Water(class) => class.name(),
            Self::River(grade) | Self::Air(grade) => nth(&POLLUTION, grade.checked_sub(1)),
            Self::Trophic(state) => nth(&TROPHIC, state.checked_sub(1)),
            Self::BlackOdour(state) => nth(&ODOUR, Some(state)),
        }
    }
}

/// An item that decided an evaluation, or one that misses its target.
#[derive(Clone, Copy, PartialEq, Debug, Encode, Decode)]
pub struct Deciding {
    /// The property.
    #[n(0)]
    pub property: PropertyId,
    /// Its value as it was compared, rounded where the period's rule says so.
    #[n(1)]
    pub result: ObservationResult,
    /// The class of this item alone.
    #[n(2)]
    pub class: Option<WaterClass>,
    /// Its own index (IAQI, TLI of one item), where there is one.
    #[n(3)]
    pub index: Option<f64>,
    /// How many times it is over the target, `(C - Cs) / Cs`; none for pH, dissolved oxygen and
    /// temperature, and for what meets it.
    #[n(4)]
    pub over_target: Option<f64>,
    /// The same against class III, which is what is published nationally.
    #[n(5)]
    pub over_iii: Option<f64>,
}

/// Whether an evaluation meets what is asked of its subject.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum Target {
    /// Nothing is asked.
    #[n(0)]
    None,
    /// Met 符合.
    #[n(1)]
    Met,
    /// Not met 劣于.
    #[n(2)]
    Missed,
}

/// What several items together come to.
#[derive(Clone, PartialEq, Debug, Encode, Decode)]
pub struct Evaluation {
    /// Whom it is about.
    #[n(0)]
    pub subject: Evaluated,
    /// What is evaluated.
    #[n(1)]
    pub index: Index,
    /// Over which period; [`Period::Native`] is the real-time evaluation.
    #[n(2)]
    pub period: Period,
    /// Of when.
    #[n(3)]
    pub phenomenon_time: PhenomenonTime,
    /// The number of the index, where it has one.
    #[n(4)]
    pub value: Option<f64>,
    /// The grade or class, where one could be given.
    #[n(5)]
    pub grade: Option<Grade>,
    /// Why not, where none could be given.
    #[n(6)]
    pub reason: Option<NotAssessable>,
    /// Whether the target is met.
    #[n(7)]
    pub target: Target,
    /// The items that decided, worst first; of air, the primary pollutants.
    #[n(8)]
    pub deciding: Vec<Deciding>,
    /// The items that belong to the evaluation and had no valid value. A missing item is never
    /// counted as clean.
    #[n(9)]
    pub missing: Vec<PropertyId>,
    /// How many items had a value.
    #[n(10)]
    pub items: u8,
    /// Of how many.
    #[n(11)]
    pub items_of: u8,
    /// The instrument and its clause, such as `GB 3838-2002 table 1`.
    #[n(12)]
    pub clause: Box<str>,
    /// Whether a suspect value takes part.
    #[n(13)]
    pub unconfirmed: bool,
    /// Whether it has legal weight: not at an indicative station, nor from a single reading where
    /// the rule asks for many.
    #[n(14)]
    pub legal: bool,
    /// Whether it differs from the one before of the same period.
    #[n(15)]
    pub changed: bool,
    /// The index of each item alone (IAQI), which is published also where that of all can't be.
    #[n(16)]
    #[cbor(default)]
    pub singles: Vec<(PropertyId, f64)>,
}

impl Evaluation {
    /// Begins the evaluation of a station by an index: of so many items that have a value, and
    /// those that have none. Whoever makes it says what they come to.
    #[must_use]
    pub fn of_station(
        station: &Station,
        index: Index,
        (period, phenomenon_time): (Period, PhenomenonTime),
        clause: &str,
        (items, missing): (usize, Vec<PropertyId>),
    ) -> Self {
        let count = |items: usize| u8::try_from(items).unwrap_or(u8::MAX);
        Self {
            subject: Evaluated::Station(station.id),
            index,
            period,
            phenomenon_time,
            value: None,
            grade: None,
            reason: None,
            target: Target::None,
            deciding: Vec::new(),
            items: count(items),
            items_of: count(items + missing.len()),
            missing,
            clause: clause.into(),
            unconfirmed: false,
            legal: station.grade != StationGrade::Indicative,
            changed: false,
            singles: Vec::new(),
        }
    }

    /// Gives the word used in output: whether the target is met, or that nobody can say what it
    /// comes to.
    #[must_use]
    pub fn verdict(&self) -> &'static str {
        match (self.reason, self.target) {
            (Some(_), _) => "not_assessable",
            (None, Target::None) => "none",
            (None, Target::Met) => "within",
            (None, Target::Missed) => "exceeds",
        }
    }
}

/// How many deciding items are remembered of an evaluation; those beyond stand in its point.
const DECIDING_MAX: usize = 8;

/// What is remembered of the last evaluation of one index and period: by it a change is known, and
/// people see it.
#[derive(Clone, PartialEq, Debug, Encode, Decode)]
pub struct Told {
    /// What was evaluated.
    #[n(0)]
    pub index: Index,
    /// Over which period.
    #[n(1)]
    pub period: Period,
    /// The instant, or the start of the period.
    #[n(2)]
    pub start: Timestamp,
    /// The number of the index, where it has one.
    #[n(3)]
    pub value: Option<f64>,
    /// The grade or class, where one could be given.
    #[n(4)]
    pub grade: Option<Grade>,
    /// Why not, where none could be given.
    #[n(5)]
    pub reason: Option<NotAssessable>,
    /// Whether the target is met.
    #[n(6)]
    pub target: Target,
    /// The items that decided, worst first: no more than a person reads. Number 7 held their
    /// properties alone.
    #[n(13)]
    #[cbor(default)]
    pub deciding: Vec<Deciding>,
    /// The items without a valid value.
    #[n(8)]
    pub missing: Vec<PropertyId>,
    /// How many items had a value.
    #[n(9)]
    pub items: u8,
    /// Of how many.
    #[n(10)]
    pub items_of: u8,
    /// Whether a suspect value takes part.
    #[n(11)]
    pub unconfirmed: bool,
    /// Whether it has legal weight.
    #[n(12)]
    pub legal: bool,
}

impl Told {
    /// Remembers an evaluation.
    #[must_use]
    pub fn of(evaluation: &Evaluation) -> Self {
        Self {
            index: evaluation.index,
            period: evaluation.period,
            start: evaluation.phenomenon_time.start(),
            value: evaluation.value,
            grade: evaluation.grade,
            reason: evaluation.reason,
            target: evaluation.target,
            deciding: evaluation.deciding.iter().take(DECIDING_MAX).copied().collect(),
            missing: evaluation.missing.clone(),
            items: evaluation.items,
            items_of: evaluation.items_of,
            unconfirmed: evaluation.unconfirmed,
            legal: evaluation.legal,
        }
    }

    /// Says whether another says the same; a later time and other numbers of the same items are
    /// no news.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        let what = |told: &Self| (told.index, told.period, told.grade, told.reason, told.target);
        let of = |told: &Self| (told.items, told.items_of, told.unconfirmed, told.legal);
        let decided = |one: &Deciding| one.property;
        what(self) == what(other)
            && of(self) == of(other)
            && self.missing == other.missing
            && self.deciding.iter().map(decided).eq(other.deciding.iter().map(decided))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluation(items: u32) -> Evaluation {
        let decided = |id| Deciding {
            property: PropertyId(id),
            result: ObservationResult::Value(1.62),
            class: Some(WaterClass::V),
            index: None,
            over_target: Some(0.08),
            over_iii: Some(0.62),
        };
        Evaluation {
            subject: Evaluated::Station(StationId(1)),
            index: Index::WaterClass,
            period: Period::Native,
            phenomenon_time: PhenomenonTime::Instant(Timestamp(5)),
            value: None,
            grade: Some(Grade::Water(WaterClass::V)),
            reason: None,
            target: Target::Missed,
            deciding: (0..items).map(decided).collect(),
            missing: Vec::new(),
            items: 5,
            items_of: 6,
            clause: "".into(),
            unconfirmed: false,
            legal: true,
            changed: true,
            singles: Vec::new(),
        }
    }

    #[test]
    fn what_is_remembered_comes_back_with_so_many_deciding_items() {
        let told = Told::of(&evaluation(30));
        assert_eq!(told.deciding.len(), DECIDING_MAX);
        let bytes = minicbor::to_vec(&told).unwrap();
        assert_eq!(minicbor::decode::<Told>(&bytes).unwrap(), told);
    }

    #[test]
    fn other_numbers_are_no_news_and_another_item_or_count_is() {
        let told = Told::of(&evaluation(2));
        let mut other = Told { start: Timestamp(9), value: Some(1.0), ..told.clone() };
        other.deciding[0].over_target = Some(2.0);
        assert!(told.says_the_same(&other));
        for other in [
            Told { items: 4, ..told.clone() },
            Told { deciding: told.deciding[1..].to_vec(), ..told.clone() },
            Told { missing: vec![PropertyId(3)], ..told.clone() },
            Told { grade: Some(Grade::Water(WaterClass::IV)), ..told.clone() },
            Told { legal: false, ..told.clone() },
        ] {
            assert!(!told.says_the_same(&other), "{other:?}");
        }
    }
}
