//! Counter: a state that only rises, and is lower than the one before it. That a meter has passed
//! its highest state, or was exchanged, is known from its row of `counters.csv`.

use crate::domain::quality::Flag;
use crate::domain::registry::{Counter, Falls};
use crate::domain::time::Timestamp;

/// Runs the test. The first state passes: nothing says that it fell.
#[must_use]
pub fn test(
    falls: Falls,
    counter: Option<&Counter>,
    before: Option<(Timestamp, f64)>,
    (time, state): (Timestamp, f64),
) -> Flag {
    let Some((earlier, before)) = before else { return Flag::Pass };
    // 5.21 less 5.2 is a little more than 0.01 to a double.
    let rounding = 2.0 * f64::EPSILON * before.abs();
    let fell = before - state > falls.tolerance + rounding;
    let known = |counter: &Counter| counter.explains_fall((earlier, before), (time, state));
    if fell && !counter.is_some_and(known) { falls.flag } else { Flag::Pass }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::name::PlaceId;
    use crate::domain::registry::{Dial, Meter, MeterRole};
    use crate::domain::time::{HOUR, MINUTE, Validity};

    const FALLS: Falls = Falls { flag: Flag::Suspect, tolerance: 0.01 };

    /// A meter that counts to 999.99, and from the third hour on another one.
    fn counter() -> Counter {
        let dial = Dial::new(999.99, 0.01, 1.0, 1.0).unwrap();
        let exchange = Timestamp(3 * HOUR);
        let meter = |from, to| Meter {
            number: "".into(),
            dial,
            role: MeterRole::Import,
            place: PlaceId(0),
            tariff: "".into(),
            validity: Validity { from, to },
        };
        let meters = vec![meter(None, Some(exchange)), meter(Some(exchange), None)];
        Counter { meters, gap_ms: HOUR }
    }

    #[track_caller]
    fn check(before: (i64, f64), at: (i64, f64), want: Flag) {
        let timed = |(minute, state)| (Timestamp(minute * MINUTE), state);
        let counter = counter();
        assert_eq!(test(FALLS, Some(&counter), Some(timed(before)), timed(at)), want);
    }

    #[test]
    fn what_stands_or_rises_passes_and_what_falls_does_not() {
        check((0, 5.0), (1, 5.0), Flag::Pass);
        check((0, 5.0), (1, 6.0), Flag::Pass);
        check((0, 5.0), (1, 4.0), Flag::Suspect);
        check((0, 5.0), (1, 0.0), Flag::Suspect);
    }

    #[test]
    fn a_fall_as_deep_as_the_tolerance_passes() {
        check((0, 0.01), (1, 0.0), Flag::Pass);
        check((0, 5.21), (1, 5.2), Flag::Pass);
        check((0, 999.21), (1, 999.2), Flag::Pass);
        check((0, 5.02), (1, 5.0), Flag::Suspect);
    }

    #[test]
    fn a_meter_passes_its_highest_state() {
        check((0, 999.98), (1, 0.5), Flag::Pass);
        // More than a meter counts in a minute, so it is none.
        check((0, 700.0), (1, 0.5), Flag::Suspect);
    }

    #[test]
    fn an_exchanged_meter_begins_anew() {
        check((179, 700.0), (180, 12.0), Flag::Pass);
        check((180, 12.0), (181, 11.0), Flag::Suspect);
    }

    #[test]
    fn without_a_row_every_fall_is_one() {
        let (before, at) = ((Timestamp(0), 999.98), (Timestamp(MINUTE), 0.5));
        assert_eq!(test(FALLS, None, Some(before), at), Flag::Suspect);
        assert_eq!(test(FALLS, None, None, at), Flag::Pass);
    }
}
