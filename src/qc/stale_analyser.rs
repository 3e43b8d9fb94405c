//! Stale analyser: several items of one analyser whose samples, one after the other, are the same.
//! One item may repeat itself; that all of them do, to the last digit, is no chance.

use crate::domain::observation::ObservationResult;
use crate::domain::quality::Flag;

/// Runs the test on the last samples of each item, as many as are asked for. An item that has not
/// so many yet leaves it open.
#[must_use]
pub fn test(samples: usize, items: &[Vec<ObservationResult>]) -> Flag {
    let same =
        |item: &Vec<ObservationResult>| item.windows(2).all(|pair| pair.first() == pair.last());
    if items.iter().any(|item| !same(item)) {
        Flag::Pass
    } else if items.len() < 2 || items.iter().any(|item| item.len() < samples) {
        Flag::NotEvaluated
    } else {
        Flag::Suspect
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(items: &[&[f64]], want: Flag) {
        let results = |item: &&[f64]| item.iter().copied().map(ObservationResult::Value).collect();
        let items: Vec<Vec<ObservationResult>> = items.iter().map(results).collect();
        assert_eq!(test(2, &items), want);
    }

    #[test]
    fn all_items_must_repeat() {
        check(&[&[3.1, 3.1], &[0.5, 0.5], &[0.08, 0.08]], Flag::Suspect);
        check(&[&[3.1, 3.1], &[0.5, 0.6], &[0.08, 0.08]], Flag::Pass);
    }

    #[test]
    fn one_item_alone_or_too_few_samples_say_nothing() {
        check(&[&[3.1, 3.1]], Flag::NotEvaluated);
        check(&[&[3.1, 3.1], &[0.5]], Flag::NotEvaluated);
        check(&[&[3.1, 3.2], &[0.5]], Flag::Pass);
    }
}
