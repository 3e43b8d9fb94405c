//! A check of an instrument: what was found against what should have been.

use crate::domain::check::{ByCheck, CheckKind};
use crate::domain::observation::{ObservationResult, Side};
use crate::domain::registry::{CheckLimit, CheckRow};
use crate::domain::time::Timestamp;

/// By what share of the numbers a result may miss a bound and still equal it: decimals such as 2.2
/// have no exact binary number.
const EQUAL: f64 = 1e-9;

/// A check that could be judged.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Judged {
    /// What was found, and what passes.
    pub check: ByCheck,
    /// Whether it passed. What equals a bound does.
    pub passed: bool,
}

/// Judges a check; numbers in the canonical unit. It can't be judged without a standard, which of a
/// zero check is 0, nor where the result is only a bound and either might be.
#[must_use]
pub fn judge(
    row: &CheckRow,
    at: Timestamp,
    result: ObservationResult,
    stated: Option<f64>,
) -> Option<Judged> {
    let zero = (row.kind == CheckKind::Zero).then_some(0.0);
    let standard = stated.or(row.standard).or(zero)?;
    let (low, high) = match row.limit {
        CheckLimit::Within { tolerance, span } => {
            let within = tolerance.of(span.unwrap_or(standard));
            (standard - within, standard + within)
        }
        CheckLimit::Recovery { low, high } => {
            let ends = (standard * low, standard * high);
            (ends.0.min(ends.1), ends.0.max(ends.1))
        }
    };
    let value = result.number()?;
    let slack = EQUAL * [value, low, high].into_iter().map(f64::abs).fold(0.0, f64::max);
    let inside = |value: f64| low - slack <= value && value <= high + slack;
    let passed = match result {
        ObservationResult::Value(_) => inside(value),
        // The true value lies between nothing and the limit.
        ObservationResult::Censored { side: Side::Below, .. } => {
            (inside(0.0) && inside(value)).then_some(true)?
        }
        ObservationResult::Censored { side: Side::Above, .. } => {
            (value > high + slack).then_some(false)?
        }
        ObservationResult::Nil(_) => return None,
    };
    Some(Judged { check: ByCheck { kind: row.kind, at, value, standard, low, high }, passed })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::quality::Flag;
    use crate::domain::registry::{CheckCovers, CheckScope, Tolerance};

    fn row(kind: CheckKind, limit: CheckLimit) -> CheckRow {
        let (scope, covers) = (CheckScope::All, CheckCovers::Day);
        CheckRow { kind, scope, limit, standard: None, covers, flag: Flag::Fail }
    }

    fn within(absolute: f64, share: f64, span: Option<f64>) -> CheckLimit {
        CheckLimit::Within { tolerance: Tolerance { absolute, share }, span }
    }

    #[track_caller]
    fn check(row: CheckRow, result: ObservationResult, stated: Option<f64>, want: Option<bool>) {
        let judged = judge(&row, Timestamp(7), result, stated);
        assert_eq!(judged.map(|one| one.passed), want, "{judged:?}");
    }

    #[test]
    fn what_equals_the_tolerance_passes() {
        let span = row(CheckKind::Span, within(0.0, 0.1, None));
        for (value, want) in [
            (1.8, true),
            (2.2, true),
            (2.0, true),
            (1.799_999, false),
            (2.200_001, false),
            (-2.0, false),
        ] {
            check(span, ObservationResult::Value(value), Some(2.0), Some(want));
        }
        let zero = row(CheckKind::Zero, within(0.05, 0.0, None));
        for (value, want) in [(0.05, true), (-0.05, true), (0.051, false), (-0.31, false)] {
            check(zero, ObservationResult::Value(value), None, Some(want));
        }
    }

    #[test]
    fn a_tolerance_may_be_a_share_of_the_measuring_span() {
        let zero = row(CheckKind::Zero, within(0.0, 0.05, Some(10.0)));
        check(zero, ObservationResult::Value(0.5), None, Some(true));
        check(zero, ObservationResult::Value(0.6), None, Some(false));
        let both = row(CheckKind::Span, within(0.1, 0.05, Some(10.0)));
        check(both, ObservationResult::Value(8.6), Some(8.0), Some(true));
        check(both, ObservationResult::Value(8.7), Some(8.0), Some(false));
    }

    #[test]
    fn a_recovery_has_two_ends() {
        let spike = row(CheckKind::SpikeRecovery, CheckLimit::Recovery { low: 0.8, high: 1.2 });
        for (value, want) in [(1.6, true), (2.4, true), (1.59, false), (2.41, false)] {
            check(spike, ObservationResult::Value(value), Some(2.0), Some(want));
        }
        let judged = judge(&spike, Timestamp(7), ObservationResult::Value(1.0), Some(2.0)).unwrap();
        assert_eq!(judged.check.shares(), Some((50.0, 80.0, 120.0)));
    }

    #[test]
    fn without_a_standard_nothing_is_judged_but_a_zero() {
        let span = row(CheckKind::Span, within(0.5, 0.0, None));
        check(span, ObservationResult::Value(2.0), None, None);
        let known = CheckRow { standard: Some(2.0), ..span };
        check(known, ObservationResult::Value(2.5), None, Some(true));
        check(known, ObservationResult::Value(2.5), Some(4.0), Some(false));
    }

    #[test]
    fn a_bound_is_judged_where_it_can_only_be_one() {
        let zero = row(CheckKind::Zero, within(0.05, 0.0, None));
        let below = |limit| ObservationResult::Censored { side: Side::Below, limit };
        let above = |limit| ObservationResult::Censored { side: Side::Above, limit };
        check(zero, below(0.05), None, Some(true));
        check(zero, below(0.06), None, None);
        check(zero, above(0.06), None, Some(false));
        check(zero, above(0.05), None, None);
        let nothing = ObservationResult::Nil(crate::domain::observation::NilReason::Missing);
        check(zero, nothing, None, None);
    }
}
