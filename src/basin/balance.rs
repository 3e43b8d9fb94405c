//! The balance of a park: what its main meters let in against what its sub-meters count. The rest
//! is loss and what nobody meters.

use crate::domain::assessment::NotAssessable;
use crate::domain::evaluation::{Evaluated, Evaluation, Index, Target};
use crate::domain::name::{DatastreamId, PlaceId, PropertyId};
use crate::domain::observation::Period;
use crate::domain::registry::{MeterRole, Metered};
use crate::domain::time::{PhenomenonTime, Timestamp};

/// Amounts are summed up in these parts of their unit, exactly.
const PARTS: f64 = 1e6;
/// The greatest amount that is summed up.
const AMOUNT_MAX: f64 = 1e12;

/// A park's balance over a period.
#[derive(Clone, PartialEq, Debug)]
pub struct Balance {
    /// The share of what came in that no sub-meter counts, %: loss and what is not metered. Not
    /// assessable as soon as one meter is missing.
    pub evaluation: Evaluation,
    /// Import less export and with generation; nothing where one of these meters is missing.
    pub supplied: Option<f64>,
    /// What the sub-meters count together; nothing where one is missing.
    pub counted: Option<f64>,
    /// The difference. Below zero the sub-meters count more than came in, which is suspect.
    pub unmetered: Option<f64>,
    /// The meters of which nothing is known.
    pub missing: Vec<DatastreamId>,
}

/// Balances the meters of a place over a period. Meters of water by its use are not looked at.
#[must_use]
pub fn balance(
    (place, property): (PlaceId, PropertyId),
    (period, start, end): (Period, Timestamp, Timestamp),
    meters: &[Metered],
) -> Balance {
    let sign = |role: MeterRole| match role {
        MeterRole::Import | MeterRole::Generation => Some(1),
        MeterRole::Export => Some(-1),
        MeterRole::Sub | MeterRole::FreshWater | MeterRole::ReusedWater => None,
    };
    let supplied = sum(meters.iter().filter_map(|one| Some((one, sign(one.role)?))));
    let subs = meters.iter().filter(|one| one.role == MeterRole::Sub);
    let counted = sum(subs.map(|one| (one, 1)));
    let unmetered = supplied.zip(counted).map(|(supplied, counted)| supplied - counted);
    let share = supplied.filter(|supplied| *supplied > 0).zip(unmetered);
    let share = share.map(|(supplied, rest)| 100.0 * rest as f64 / supplied as f64);
    let mine = |one: &&Metered| one.role == MeterRole::Sub || sign(one.role).is_some();
    let known = |one: &&Metered| one.amount.is_some_and(is_countable);
    let all = meters.iter().filter(mine).count();
    let missing: Vec<DatastreamId> =
        meters.iter().filter(mine).filter(|one| !known(one)).map(|one| one.datastream).collect();
    let number = |parts: i128| parts as f64 / PARTS;
    let count = |number: usize| u8::try_from(number).unwrap_or(u8::MAX);
    let suspect = meters.iter().filter(mine).any(|one| one.suspect);
    let evaluation = Evaluation {
        subject: Evaluated::Place(place),
        index: Index::Balance,
        period,
        phenomenon_time: PhenomenonTime::Interval { start, end },
        value: share,
        grade: None,
        reason: share.is_none().then_some(NotAssessable::Missing),
        target: Target::None,
        deciding: Vec::new(),
        missing: if missing.is_empty() { Vec::new() } else { vec![property] },
        items: count(all - missing.len()),
        items_of: count(all),
        clause: "(import - export + generation - sub-meters) / supplied".into(),
        unconfirmed: suspect || unmetered.is_some_and(|rest| rest < 0),
        legal: false,
        changed: true,
        singles: Vec::new(),
    };
    Balance {
        evaluation,
        supplied: supplied.map(number),
        counted: counted.map(number),
        unmetered: unmetered.map(number),
        missing,
    }
}

fn is_countable(amount: f64) -> bool {
    amount.abs() <= AMOUNT_MAX
}

/// Sums amounts up in any order; nothing where there is no meter, or one has no amount.
fn sum<'a>(meters: impl Iterator<Item = (&'a Metered, i128)>) -> Option<i128> {
    let mut meters = meters.peekable();
    meters.peek()?;
    let parts = |(one, sign): (&Metered, i128)| {
        let amount = one.amount.filter(|amount| is_countable(*amount))?;
        Some(sign * (amount * PARTS).round() as i128)
    };
    meters.map(parts).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMPORT: MeterRole = MeterRole::Import;

    fn of(meters: &[(MeterRole, Option<f64>)]) -> Balance {
        let meters: Vec<Metered> = meters
            .iter()
            .zip(0..)
            .map(|((role, amount), id)| Metered {
                datastream: DatastreamId(id),
                role: *role,
                amount: *amount,
                suspect: false,
            })
            .collect();
        let over = (Period::Day, Timestamp(0), Timestamp(1));
        balance((PlaceId(7), PropertyId(9)), over, &meters)
    }

    #[test]
    fn the_rest_is_loss_and_what_nobody_meters() {
        let park = of(&[
            (IMPORT, Some(1000.0)),
            (MeterRole::Export, Some(100.0)),
            (MeterRole::Generation, Some(300.0)),
            (MeterRole::Sub, Some(500.1)),
            (MeterRole::Sub, Some(639.9)),
        ]);
        assert_eq!(park.supplied, Some(1200.0));
        assert_eq!((park.counted, park.unmetered), (Some(1140.0), Some(60.0)));
        assert_eq!((park.evaluation.value, park.evaluation.reason), (Some(5.0), None));
        assert_eq!((park.evaluation.items, park.evaluation.items_of), (5, 5));
        assert_eq!(park.evaluation.subject, Evaluated::Place(PlaceId(7)));
    }

    #[test]
    fn a_missing_meter_is_not_zero() {
        let park = of(&[(IMPORT, Some(10.0)), (MeterRole::Sub, Some(4.0)), (MeterRole::Sub, None)]);
        assert_eq!((park.evaluation.value, park.unmetered), (None, None));
        assert_eq!(park.evaluation.reason, Some(NotAssessable::Missing));
        assert_eq!(
            (park.missing, park.evaluation.missing),
            (vec![DatastreamId(2)], vec![PropertyId(9)])
        );
        assert_eq!((park.evaluation.items, park.evaluation.items_of), (2, 3));
        let park = of(&[(IMPORT, None), (MeterRole::Sub, Some(4.0))]);
        assert_eq!((park.supplied, park.counted), (None, Some(4.0)));
        assert_eq!(park.evaluation.value, None);
    }

    #[test]
    fn without_main_or_sub_meters_there_is_no_balance() {
        for meters in [&[][..], &[(IMPORT, Some(10.0))], &[(MeterRole::Sub, Some(10.0))]] {
            let park = of(meters);
            assert_eq!(park.evaluation.reason, Some(NotAssessable::Missing), "{meters:?}");
        }
    }

    #[test]
    fn sub_meters_that_count_more_than_came_in_are_suspect() {
        let park = of(&[(IMPORT, Some(100.0)), (MeterRole::Sub, Some(110.0))]);
        assert_eq!((park.evaluation.value, park.evaluation.unconfirmed), (Some(-10.0), true));
    }

    #[test]
    fn an_amount_beyond_what_is_summed_up_is_missing() {
        for amount in [AMOUNT_MAX * 1.01, f64::NAN, f64::INFINITY] {
            let park = of(&[(IMPORT, Some(amount)), (MeterRole::Sub, Some(4.0))]);
            assert_eq!((park.evaluation.value, park.missing), (None, vec![DatastreamId(0)]));
        }
        let park = of(&[(IMPORT, Some(AMOUNT_MAX)), (MeterRole::Sub, Some(0.0))]);
        assert_eq!(park.evaluation.value, Some(100.0));
    }

    #[test]
    fn a_park_that_took_nothing_has_no_share() {
        let park = of(&[(IMPORT, Some(0.0)), (MeterRole::Sub, Some(0.0))]);
        assert_eq!((park.evaluation.value, park.unmetered), (None, Some(0.0)));
        assert_eq!(park.evaluation.reason, Some(NotAssessable::Missing));
    }
}
