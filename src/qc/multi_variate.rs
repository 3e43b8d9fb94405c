//! Multi-variate (QARTOD): what several properties of a station come to together, held against what
//! it can be. QARTOD leaves the rule to the user; weir's are arithmetic.

use crate::domain::quality::Flag;
use crate::domain::registry::OneSided;

/// Runs the test on what the properties come to. Bounds are inclusive.
#[must_use]
pub fn test(fail: OneSided, suspect: OneSided, value: f64) -> Flag {
    if fail.excludes(value) {
        Flag::Fail
    } else if suspect.excludes(value) {
        Flag::Suspect
    } else {
        Flag::Pass
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: f64, want: Flag) {
        let fail = OneSided { low: None, high: Some(2.0) };
        let suspect = OneSided { low: Some(-1.0), high: Some(1.0) };
        assert_eq!(test(fail, suspect, value), want);
    }

    #[test]
    fn bounds_are_inclusive_and_may_be_open() {
        check(1.0, Flag::Pass);
        check(-1.0, Flag::Pass);
        check(1.1, Flag::Suspect);
        check(-1.1, Flag::Suspect);
        check(-1e9, Flag::Suspect);
        check(2.0, Flag::Suspect);
        check(2.1, Flag::Fail);
    }
}
