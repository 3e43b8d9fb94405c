//! Unit mistake: a value that is about a thousand times what is usual here, or a thousandth of it,
//! as if somebody had taken micrograms for milligrams. What is usual is the last value that was not
//! doubted so: a mistake lasts until somebody mends it.

use crate::domain::quality::Flag;
use crate::domain::registry::UnitMistake;

/// Runs the test; without a level, or on a value that is none above zero, it can't decide.
#[must_use]
pub fn test(mistake: UnitMistake, level: Option<f64>, value: f64) -> Flag {
    let Some(level) = level.filter(|level| *level > 0.0 && value > 0.0) else {
        return Flag::NotEvaluated;
    };
    let times = (value / level).max(level / value);
    let UnitMistake { factor, within } = mistake;
    let fits = factor / within <= times && times <= factor * within;
    if fits { Flag::Suspect } else { Flag::Pass }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(level: Option<f64>, value: f64, want: Flag) {
        let mistake = UnitMistake { factor: 1000.0, within: 2.0 };
        assert_eq!(test(mistake, level, value), want);
    }

    #[test]
    fn a_thousand_times_more_or_less_is_doubted() {
        check(Some(0.25), 250.0, Flag::Suspect);
        check(Some(0.25), 125.0, Flag::Suspect);
        check(Some(0.25), 500.0, Flag::Suspect);
        check(Some(250.0), 0.25, Flag::Suspect);
    }

    #[test]
    fn a_great_change_of_another_size_is_none() {
        check(Some(0.25), 124.0, Flag::Pass);
        check(Some(0.25), 501.0, Flag::Pass);
        check(Some(0.25), 0.3, Flag::Pass);
    }

    #[test]
    fn without_a_level_nobody_knows() {
        check(None, 250.0, Flag::NotEvaluated);
        check(Some(0.25), 0.0, Flag::NotEvaluated);
        check(Some(0.25), -1.0, Flag::NotEvaluated);
    }
}
