//! What the device itself marks its value with.

use crate::domain::observation::ObservationResult;
use crate::domain::quality::Flag;
use crate::domain::registry::Mark;

/// Gives the flag of the mark. A value that is said to be a bound, but states none, is suspect:
/// zero is no detection limit.
#[must_use]
pub fn test(mark: Option<&Mark>, result: ObservationResult) -> Flag {
    let Some(mark) = mark else { return Flag::NotEvaluated };
    let bound = !matches!(result, ObservationResult::Value(_));
    let unstated = mark.censoring.is_some() && !bound;
    if unstated { mark.quality.or_worse(Flag::Suspect) } else { mark.quality }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::name::MarkId;
    use crate::domain::observation::Side;
    use crate::domain::registry::MarkUse;

    #[track_caller]
    fn check(quality: Flag, censoring: Option<Side>, result: ObservationResult, want: Flag) {
        let (vocabulary, text, cause) = ("v".into(), "x".into(), "".into());
        let (id, usage) = (MarkId(0), MarkUse::Observation);
        let mark = Mark { id, vocabulary, text, quality, censoring, cause, usage };
        assert_eq!(test(Some(&mark), result), want);
    }

    #[test]
    fn a_mark_gives_its_flag_and_none_is_no_pass() {
        let value = ObservationResult::Value(7.0);
        check(Flag::Pass, None, value, Flag::Pass);
        check(Flag::Fail, None, value, Flag::Fail);
        assert_eq!(test(None, value), Flag::NotEvaluated);
    }

    #[test]
    fn a_bound_that_is_not_stated_is_suspect() {
        let below = ObservationResult::Censored { side: Side::Below, limit: 0.025 };
        check(Flag::Pass, Some(Side::Below), below, Flag::Pass);
        check(Flag::Pass, Some(Side::Below), ObservationResult::Value(0.0), Flag::Suspect);
    }
}
