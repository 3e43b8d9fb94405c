//! Neighbour (QARTOD): a jump that the station up or down the river does not show when, by the
//! water's travel time, it should. What shows at both is a wave; what shows at one alone is of its
//! sensor, or of an outfall between them: doubted, and told.

use crate::domain::quality::Flag;
use crate::domain::registry::Tolerance;

/// Runs the test: `spans` are the least and the greatest value of each neighbour in the time in
/// which its water is the same. One of them suffices to bear the value out.
#[must_use]
pub fn test(tolerance: Tolerance, value: f64, spans: &[(f64, f64)]) -> Flag {
    let within = |(low, high): &(f64, f64)| {
        low - tolerance.of(*low) <= value && value <= high + tolerance.of(*high)
    };
    if spans.is_empty() {
        Flag::NotEvaluated
    } else if spans.iter().any(within) {
        Flag::Pass
    } else {
        Flag::Suspect
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: f64, spans: &[(f64, f64)], want: Flag) {
        assert_eq!(test(Tolerance { absolute: 0.5, share: 0.5 }, value, spans), want);
    }

    #[test]
    fn bounds_are_inclusive_and_the_tolerance_is_of_the_neighbours_value() {
        check(3.5, &[(1.0, 2.0)], Flag::Pass);
        check(3.6, &[(1.0, 2.0)], Flag::Suspect);
        check(0.0, &[(1.0, 2.0)], Flag::Pass);
        check(-0.1, &[(1.0, 2.0)], Flag::Suspect);
    }

    #[test]
    fn one_neighbour_that_shows_it_suffices_and_without_any_nobody_knows() {
        check(9.0, &[(1.0, 2.0), (8.0, 9.0)], Flag::Pass);
        check(9.0, &[], Flag::NotEvaluated);
    }
}
