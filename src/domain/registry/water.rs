//! What the indices of water are made of: which property counts in which and how, the limits of
//! the classes, and the borders of the grades.

use std::sync::Arc;

use crate::domain::assessment::WaterClass;
use crate::domain::evaluation::Index;
use crate::domain::name::{LimitId, PropertyId};
use crate::domain::time::{Timestamp, Validity};
use crate::domain::unit::Conversion;

/// What a property is to an index.
#[derive(Clone, PartialEq, Debug)]
pub enum Role {
    /// It has a class of its own, and the worst of these is the section's.
    Counted,
    /// It is shown beside and never worsens the class: total nitrogen, faecal coliform.
    Shown,
    /// One of a group of which some need a value, or there is no class.
    Minimum {
        /// The group.
        group: Box<str>,
        /// How many of the group need a value.
        needs: u8,
    },
    /// The water temperature, from which saturated oxygen follows: `a / (b + T)` in mg/L.
    Saturation {
        /// The numerator.
        a: f64,
        /// What is added to the temperature.
        b: f64,
        /// The share of saturation that meets class I, from 0 to 1.
        share: f64,
        /// From the canonical unit to the formula's.
        conversion: Conversion,
    },
    /// A level of its own, `10 * (a + b * ln x)`, that takes part by its weight.
    Level {
        /// The constant.
        a: f64,
        /// The factor.
        b: f64,
        /// The weight before it is divided by the sum of all.
        weight: f64,
        /// From the canonical unit to the formula's.
        conversion: Conversion,
    },
    /// Where black and odorous water begins.
    Indicator {
        /// From here on lightly, in the canonical unit.
        light: f64,
        /// From here on heavily, in the canonical unit.
        heavy: f64,
        /// Whether less is worse: transparency, oxygen, redox potential.
        less_is_worse: bool,
        /// Whether a value equal to `light` is light already.
        light_includes: bool,
        /// Whether a value equal to `heavy` is heavy already.
        heavy_includes: bool,
    },
    /// Its share of the limit of class III, `C / Cs`.
    Share,
    /// The limit of class III in shares of it, `Cs / C`: dissolved oxygen.
    ShareOf,
    /// Its distance from neutral in shares of the band that is allowed on its side: pH.
    Distance {
        /// What is neutral.
        neutral: f64,
    },
}

impl Role {
    /// Says whether the limits of the five classes must be there for it.
    #[must_use]
    pub fn is_held_against_classes(&self) -> bool {
        match self {
            Self::Counted | Self::Share | Self::ShareOf | Self::Distance { .. } => true,
            Self::Shown
            | Self::Minimum { .. }
            | Self::Saturation { .. }
            | Self::Level { .. }
            | Self::Indicator { .. } => false,
        }
    }
}

/// What a property is to an index: a row of `items.csv`.
#[derive(Clone, PartialEq, Debug)]
pub struct IndexItem {
    /// The index.
    pub index: Index,
    /// The property.
    pub property: PropertyId,
    /// `river` or `lake`; empty for both.
    pub section: Box<str>,
    /// What it is.
    pub role: Role,
    /// The limits of its classes in a river, best class first, any date; empty where its classes
    /// don't count.
    pub river: ClassLimits,
    /// The same in a lake.
    pub lake: ClassLimits,
    /// Where it stands.
    pub clause: Box<str>,
    /// From when to when it holds, by the time of what is evaluated.
    pub in_force: Validity,
}

/// A number by which a grade is known.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Quantity {
    /// The number of the index.
    Value,
    /// The class of a section, 1 to 5, and 6 for worse than V.
    Class,
    /// How many sections a river has.
    Sections,
    /// The share of sections of classes I to III, in per cent.
    GoodShare,
    /// The share of sections worse than V, in per cent.
    BadShare,
    /// The share of readings, in per cent, of the item that has the highest one.
    FirstItem,
    /// The same of the item with the second highest share.
    SecondItem,
}

/// One end of a span.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Border {
    /// The number itself belongs to it.
    Included(f64),
    /// Only what lies beyond it does.
    Excluded(f64),
}

/// A span in which a number must lie.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Span {
    /// The number.
    pub quantity: Quantity,
    /// The lower end; `None` is open.
    pub low: Option<Border>,
    /// The upper end; `None` is open.
    pub high: Option<Border>,
}

impl Span {
    /// Says whether a number lies in the span.
    #[must_use]
    pub fn holds(&self, number: f64) -> bool {
        let above = match self.low {
            None => true,
            Some(Border::Included(low)) => number >= low,
            Some(Border::Excluded(low)) => number > low,
        };
        above
            && match self.high {
                None => true,
                Some(Border::Included(high)) => number <= high,
                Some(Border::Excluded(high)) => number < high,
            }
    }
}

/// One way to be of a grade: the rows of `grades.csv` with one index, grade and rule.
#[derive(Clone, PartialEq, Debug)]
pub struct GradeRule {
    /// The index.
    pub index: Index,
    /// The grade.
    pub grade: u8,
    /// Its name among the rules of the grade.
    pub rule: Box<str>,
    /// All of them must hold.
    pub conditions: Vec<Span>,
    /// Where it stands.
    pub clause: Box<str>,
    /// The colour of the grade: red, green, blue; `None` where none is known.
    pub colour: Option<[u8; 3]>,
    /// From when to when it holds.
    pub in_force: Validity,
}

/// The limits of all classes for one property and section, best class first, any date.
pub type ClassLimits = Arc<[(WaterClass, LimitId)]>;

impl IndexItem {
    /// Gives the limits of its classes in a river or a lake, best class first, any date.
    #[must_use]
    pub fn class_limits(&self, section: &str) -> &[(WaterClass, LimitId)] {
        match section {
            "river" => &self.river,
            "lake" => &self.lake,
            _ => &[],
        }
    }
}

/// All that the indices of water are made of.
#[derive(Clone, Debug, Default)]
pub struct WaterRules {
    /// What each property is to each index, in the order of the seeds.
    pub items: Vec<IndexItem>,
    /// The grades of each index, the worst first.
    pub grades: Vec<GradeRule>,
}

impl WaterRules {
    /// Walks what is in force of an index at a time, of rivers or of lakes.
    pub fn items_of<'a>(
        &'a self,
        index: Index,
        section: &'a str,
        at: Timestamp,
    ) -> impl Iterator<Item = &'a IndexItem> {
        self.items.iter().filter(move |item| {
            item.index == index
                && (item.section.is_empty() || &*item.section == section)
                && item.in_force.holds(at)
        })
    }

    /// Finds the grade that some numbers make: the worst of which all conditions of one rule
    /// hold. A condition on a number that is not among them does not hold.
    #[must_use]
    pub fn grade(
        &self,
        index: Index,
        at: Timestamp,
        numbers: &[(Quantity, f64)],
    ) -> Option<&GradeRule> {
        let holds = |condition: &Span| {
            let number = numbers.iter().find(|(quantity, _)| *quantity == condition.quantity);
            number.is_some_and(|(_, number)| condition.holds(*number))
        };
        let mut rules = self.grades.iter();
        rules.find(|rule| {
            rule.index == index && rule.in_force.holds(at) && rule.conditions.iter().all(holds)
        })
    }

    /// Gives the colour of a grade of an index at a time; nothing where none is known.
    #[must_use]
    pub fn colour(&self, index: Index, grade: u8, at: Timestamp) -> Option<[u8; 3]> {
        let mut rules = self.grades.iter();
        let mine = |rule: &&GradeRule| rule.index == index && rule.grade == grade;
        rules.find(|rule| mine(rule) && rule.in_force.holds(at) && rule.colour.is_some())?.colour
    }

    /// Says whether any rule of an index looks at a number, and this one is in its span.
    #[must_use]
    pub fn looks_at(&self, index: Index, at: Timestamp, quantity: Quantity, number: f64) -> bool {
        let rules = self.grades.iter();
        let mut of = rules.filter(|rule| rule.index == index && rule.in_force.holds(at));
        of.any(|rule| {
            let mut conditions = rule.conditions.iter();
            conditions.any(|condition| condition.quantity == quantity && condition.holds(number))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_border_belongs_to_its_side() {
        let span = Span {
            quantity: Quantity::GoodShare,
            low: Some(Border::Included(75.0)),
            high: Some(Border::Excluded(90.0)),
        };
        assert!(span.holds(75.0) && span.holds(89.999));
        assert!(!span.holds(74.999) && !span.holds(90.0));
    }
}
