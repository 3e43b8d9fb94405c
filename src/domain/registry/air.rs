//! The law of air beside its limits: the editions of the air quality index, the percentiles of a
//! year, and how much a share of air weighs.

use crate::domain::name::PropertyId;
use crate::domain::observation::Period;
use crate::domain::time::{Timestamp, Validity};

/// Everything of it that an edition of the seeds holds.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Air {
    /// The editions of the air quality index, in the order of their dates.
    pub editions: Vec<AqiEdition>,
    /// Which percentile of a year's days is evaluated, of which property.
    pub percentiles: Vec<Percentile>,
    /// What a mole of a gas weighs, g/mol.
    pub molar_masses: Vec<(PropertyId, f64)>,
    /// The states at which gases are stated, in the order of their dates, without a gap.
    pub reference_states: Vec<ReferenceState>,
}

impl Air {
    /// Walks the properties that any edition has an index of.
    pub fn properties(&self) -> impl Iterator<Item = PropertyId> + '_ {
        self.editions.iter().flat_map(|edition| &edition.columns).map(|column| column.property)
    }

    /// Gives the edition of the air quality index in force at a time.
    #[must_use]
    pub fn edition(&self, at: Timestamp) -> Option<&AqiEdition> {
        self.editions.iter().find(|edition| edition.in_force.holds(at))
    }

    /// Gives a grade of the edition in force at a time by its number, for its name and colour.
    #[must_use]
    pub fn grade(&self, number: u8, at: Timestamp) -> Option<&AqiGrade> {
        self.edition(at)?.grades.iter().find(|grade| grade.grade == number)
    }

    /// Gives the percentile of a property that is evaluated over a year that begins at a time.
    #[must_use]
    pub fn percentile(&self, property: PropertyId, at: Timestamp) -> Option<&Percentile> {
        let mine = |one: &&Percentile| one.property == property && one.in_force.holds(at);
        self.percentiles.iter().find(mine)
    }

    /// Gives what a mole of a gas weighs, g/mol; nothing for what is no gas.
    #[must_use]
    pub fn molar_mass(&self, property: PropertyId) -> Option<f64> {
        self.molar_masses.iter().find(|(of, _)| *of == property).map(|(_, mass)| *mass)
    }

    /// Gives the state at which gases are stated at a time.
    #[must_use]
    pub fn reference_state(&self, at: Timestamp) -> Option<&ReferenceState> {
        self.reference_states.iter().find(|state| state.in_force.holds(at))
    }
}

/// The state of the air to which a concentration of a gas is related.
#[derive(Clone, PartialEq, Debug)]
pub struct ReferenceState {
    /// The instrument and its clause, such as `GB 3095-2026 reference state`.
    pub clause: Box<str>,
    /// How much room a mole of gas takes, L/mol.
    pub molar_volume: f64,
    /// From when to when, by the observation's own time.
    pub in_force: Validity,
}

/// A percentile of a year's daily values: a row of `percentiles.csv`.
#[derive(Clone, PartialEq, Debug)]
pub struct Percentile {
    /// The instrument and its clause.
    pub clause: Box<str>,
    /// The property.
    pub property: PropertyId,
    /// Of which values of a day it is: [`Period::Day`] or [`Period::DayMaxEightHours`].
    pub of: Period,
    /// The percentile, 1 to 99.
    pub percent: u8,
    /// From when to when, by the start of the year.
    pub in_force: Validity,
}

/// One edition of the air quality index: a row of `aqi_editions.csv` with its tables.
#[derive(Clone, PartialEq, Debug)]
pub struct AqiEdition {
    /// The instrument, such as `HJ 633-2026`.
    pub instrument: Box<str>,
    /// Where its breakpoints stand, such as `table 1`.
    pub clause: Box<str>,
    /// If an item is missing, the index of the others is given only above this; `None`: always.
    pub incomplete_above: Option<u16>,
    /// The property without which an hour has the index of the others all the same.
    pub hour_without: Option<PropertyId>,
    /// Whether concentrations are rounded before an index is looked up.
    pub rounds_first: bool,
    /// Primary pollutants are named above this.
    pub primary_above: u16,
    /// The greatest index.
    pub most: u16,
    /// The breakpoints, a column of the table each, in the order of the seeds.
    pub columns: Vec<AqiColumn>,
    /// The grades, best first.
    pub grades: Vec<AqiGrade>,
    /// From when to when, by the observation's own time.
    pub in_force: Validity,
}

impl AqiEdition {
    /// Gives the columns of one of the two reports, in the order of the seeds.
    pub fn columns(&self, report: AqiReport) -> impl Iterator<Item = &AqiColumn> {
        self.columns.iter().filter(move |column| column.is_of(report))
    }

    /// Gives the grade an index falls into.
    #[must_use]
    pub fn grade(&self, index: u16) -> Option<&AqiGrade> {
        self.grades.iter().find(|grade| index <= grade.up_to)
    }
}

/// The two reports of the air quality index.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AqiReport {
    /// Of an hour.
    Hour,
    /// Of a day.
    Day,
}

impl AqiReport {
    /// Gives the report that values of a period belong to.
    #[must_use]
    pub fn of(period: Period) -> Option<Self> {
        match period {
            Period::Hour => Some(Self::Hour),
            Period::Day => Some(Self::Day),
            Period::Native
            | Period::EightHours
            | Period::DayMaxEightHours
            | Period::Month
            | Period::Quarter
            | Period::Year => None,
        }
    }
}

/// The breakpoints of one property and averaging period.
#[derive(Clone, PartialEq, Debug)]
pub struct AqiColumn {
    /// The property.
    pub property: PropertyId,
    /// Of which means the standard writes them; the hourly report takes particles of an hour by
    /// the breakpoints of 24 hours.
    pub period: Period,
    /// Whether the hourly report takes it.
    pub hour: bool,
    /// Whether the daily report takes it.
    pub day: bool,
    /// Decimals to which a concentration is rounded before its index is looked up; where the
    /// edition does not round first, so many that only the noise of binary numbers is lost.
    pub decimals: u8,
    /// Index and concentration, both rising; the concentration counted in its last decimal, so
    /// that nothing is lost in between.
    pub breakpoints: Vec<(u16, i64)>,
    /// The index of everything above the last of them.
    pub above: u16,
}

impl AqiColumn {
    /// Says whether a report takes it.
    #[must_use]
    pub fn is_of(&self, report: AqiReport) -> bool {
        match report {
            AqiReport::Hour => self.hour,
            AqiReport::Day => self.day,
        }
    }
}

/// One grade of the air quality index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AqiGrade {
    /// Its number, 1 the best.
    pub grade: u8,
    /// The greatest index in it.
    pub up_to: u16,
    /// Its colour: red, green, blue.
    pub colour: [u8; 3],
    /// Its English name.
    pub name_en: Box<str>,
    /// Its Chinese name.
    pub name_zh: Box<str>,
}
