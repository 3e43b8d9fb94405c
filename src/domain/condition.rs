//! Under which condition a limit holds: while another property of the station is so, or in some
//! hours of the day.

use jiff::tz::TimeZone;

use crate::domain::name::PropertyId;
use crate::domain::time::{Calendar, MINUTE, Timestamp};

/// Minutes of a day.
const DAY_MINUTES: u16 = 24 * 60;

/// How a value compares with a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Comparison {
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `>=`
    AtLeast,
}

impl Comparison {
    /// Every comparison, the longer signs first.
    pub const ALL: [Self; 4] = [Self::AtMost, Self::AtLeast, Self::Below, Self::Above];

    /// Gives the sign used in seeds and output.
    #[must_use]
    pub fn sign(self) -> &'static str {
        match self {
            Self::Below => "<",
            Self::AtMost => "<=",
            Self::Above => ">",
            Self::AtLeast => ">=",
        }
    }

    fn holds(self, value: f64, number: f64) -> bool {
        match self {
            Self::Below => value < number,
            Self::AtMost => value <= number,
            Self::Above => value > number,
            Self::AtLeast => value >= number,
        }
    }
}

/// When a limit holds.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub enum Condition {
    /// Always.
    #[default]
    Always,
    /// While another property of the same station compares so with a number.
    Beside {
        /// The property.
        property: PropertyId,
        /// How it compares.
        comparison: Comparison,
        /// The number, in the property's canonical unit.
        number: f64,
    },
    /// In these minutes of the day, in the station's zone; they may go over midnight.
    Hours {
        /// The first minute.
        from: u16,
        /// The first minute after.
        to: u16,
    },
}

impl Condition {
    /// 昼间, the day of the noise standards (GB 3096-2008, 3.5): 06:00 to 22:00.
    pub const DAY: Self = Self::Hours { from: 6 * 60, to: 22 * 60 };
    /// 夜间, their night: 22:00 to 06:00.
    pub const NIGHT: Self = Self::Hours { from: 22 * 60, to: 6 * 60 };

    /// Says whether the condition holds at a time, as far as it can be known. `beside` gives the
    /// value of another property at that time.
    #[must_use]
    pub fn holds(
        self,
        at: Timestamp,
        zone: Option<&TimeZone>,
        beside: &dyn Fn(PropertyId) -> Option<f64>,
    ) -> Option<bool> {
        match self {
            Self::Always => Some(true),
            Self::Beside { property, comparison, number } => {
                beside(property).map(|value| comparison.holds(value, number))
            }
            Self::Hours { from, to } => {
                let (midnight, _) = at.calendar(zone?, Calendar::Day)?;
                let minute = u16::try_from(at.since(midnight) / MINUTE).ok()?;
                Some(within(minute, from, to))
            }
        }
    }

    /// Says whether two conditions may hold at one time.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        match (self, other) {
            (Self::Hours { from, to }, Self::Hours { from: other_from, to: other_to }) => {
                within(other_from, from, to) || within(from, other_from, other_to)
            }
            (
                Self::Beside { property, comparison, number },
                Self::Beside { property: other_property, comparison: other, number: other_number },
            ) if property == other_property => {
                let mut tried = around(number).into_iter().chain(around(other_number));
                tried.any(|value| {
                    comparison.holds(value, number) && other.holds(value, other_number)
                })
            }
            // Of two different things nothing keeps one from the other.
            (Self::Always | Self::Beside { .. } | Self::Hours { .. }, _) => true,
        }
    }
}

/// Gives a value below a number, the number, and one above: whatever compares with the number
/// does so like one of them.
#[must_use]
pub fn around(number: f64) -> [f64; 3] {
    [number.next_down(), number, number.next_up()]
}

fn within(minute: u16, from: u16, to: u16) -> bool {
    let after = |minute: u16| (minute + DAY_MINUTES - from % DAY_MINUTES) % DAY_MINUTES;
    let length = after(to % DAY_MINUTES);
    // From an hour to the same hour is the whole day.
    length == 0 || after(minute % DAY_MINUTES) < length
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const T: PropertyId = PropertyId(1);

    fn beside(comparison: Comparison, number: f64) -> Condition {
        Condition::Beside { property: T, comparison, number }
    }

    #[track_caller]
    fn check(condition: Condition, clock: &str, want: bool) {
        let zone = TimeZone::fixed(jiff::tz::offset(8));
        let at: jiff::Timestamp = format!("2026-06-01T{clock}+08:00").parse().unwrap();
        let at = Timestamp(at.as_millisecond());
        assert_eq!(condition.holds(at, Some(&zone), &|_| None), Some(want), "{clock}");
    }

    #[test]
    fn the_day_begins_at_six_and_the_night_at_twenty_two() {
        for (clock, day) in [
            ("05:59:59", false),
            ("06:00:00", true),
            ("21:59:59", true),
            ("22:00:00", false),
            ("00:00:00", false),
        ] {
            check(Condition::DAY, clock, day);
            check(Condition::NIGHT, clock, !day);
        }
    }

    #[test]
    fn conditions_that_complete_each_other_do_not_overlap() {
        let (cold, warm) = (beside(Comparison::AtMost, 12.0), beside(Comparison::Above, 12.0));
        assert!(!cold.overlaps(warm) && !warm.overlaps(cold));
        assert!(!Condition::DAY.overlaps(Condition::NIGHT));
        assert!(!Condition::NIGHT.overlaps(Condition::DAY));
    }

    #[test]
    fn conditions_that_share_a_value_overlap() {
        let cold = beside(Comparison::AtMost, 12.0);
        assert!(cold.overlaps(beside(Comparison::AtLeast, 12.0)));
        assert!(cold.overlaps(beside(Comparison::Above, 10.0)));
        assert!(cold.overlaps(Condition::Always) && Condition::Always.overlaps(Condition::DAY));
        assert!(cold.overlaps(Condition::DAY), "a cold day is both");
        let other = Condition::Beside {
            property: PropertyId(2),
            comparison: Comparison::Above,
            number: 12.0,
        };
        assert!(cold.overlaps(other));
    }

    #[test]
    fn a_property_without_a_value_leaves_the_condition_unknown() {
        let cold = beside(Comparison::AtMost, 12.0);
        let holds = |value: Option<f64>| cold.holds(Timestamp(0), None, &|_| value);
        assert_eq!(holds(None), None);
        assert_eq!(holds(Some(12.0)), Some(true));
        assert_eq!(holds(Some(12.1)), Some(false));
    }

    fn any_comparison() -> impl Strategy<Value = (Comparison, f64)> {
        (0..4_usize, 0..4_i8).prop_map(|(at, number)| (Comparison::ALL[at], f64::from(number)))
    }

    proptest! {
        #[test]
        fn hours_overlap_where_a_minute_is_in_both(
            [a, b, c, d] in prop::array::uniform4(0..DAY_MINUTES),
        ) {
            let both = |minute: &u16| within(*minute, a, b) && within(*minute, c, d);
            let (one, other) =
                (Condition::Hours { from: a, to: b }, Condition::Hours { from: c, to: d });
            prop_assert_eq!(one.overlaps(other), (0..DAY_MINUTES).any(|minute| both(&minute)));
        }

        #[test]
        fn comparisons_overlap_where_a_value_fits_both(
            (one, a) in any_comparison(), (other, b) in any_comparison(),
        ) {
            // Between whole numbers the halves stand for all.
            let mut values = (-2..10).map(|half| f64::from(half) / 2.0);
            let both = values.any(|value| one.holds(value, a) && other.holds(value, b));
            prop_assert_eq!(beside(one, a).overlaps(beside(other, b)), both);
        }
    }
}
