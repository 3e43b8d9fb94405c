//! The tests that ran on a value, one row a test: those that doubt it apart from the others.

use crate::daemon::threshold;
use crate::domain::registry::{CrossKind, Datastream};
use crate::http::view::alert::TestView;
use crate::pipeline::explain::Explained;

/// Gives a row for each test and flag of it: those that fail, those that doubt, the others. What
/// several checks of one test say stands in one row.
pub(super) fn rows<'e>(
    datastream: &Datastream,
    asked: impl Iterator<Item = &'e Explained>,
    unit: &str,
) -> Vec<TestView> {
    let mut rows: Vec<TestView> = Vec::new();
    for one in asked {
        let (name, flag) = (threshold::name(one.test), one.flag.number());
        let (words, expression) = match one.sight.check() {
            Some(check) => {
                let by_expression = matches!(check.kind, CrossKind::Expression { .. });
                let expression = by_expression.then(|| format!("{} = {}", check.name, check.text));
                (threshold::named_check(check), expression)
            }
            None => (threshold::threshold(datastream, one.test, unit).unwrap_or_default(), None),
        };
        let held = rows.iter().position(|row| row.test == name && row.flag == flag);
        let row = match held.and_then(|at| rows.get_mut(at)) {
            Some(row) => row,
            None => {
                rows.push(TestView {
                    test: name,
                    flag,
                    doubts: matches!(flag, 3 | 4),
                    ..TestView::default()
                });
                let Some(row) = rows.last_mut() else { continue };
                row
            }
        };
        if !words.en.is_empty() && !row.thresholds.contains(&words) {
            row.thresholds.push(words);
        }
        row.expressions.extend(expression);
    }
    rows.sort_by_key(|row| match row.flag {
        4 => 0,
        3 => 1,
        _ => 2,
    });
    rows
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::daemon::page::tests::view;
    use crate::domain::quality::{Flag, Test};
    use crate::pipeline::explain::Sight;

    #[test]
    fn several_checks_of_one_test_are_one_row_and_what_doubts_comes_first() {
        let view = view(0);
        let mut streams = view.registry.datastreams.iter();
        let stream = streams.find(|one| &*one.name == "puhe-daoyi/dissolved_oxygen").unwrap();
        let of = |test, flag, sight| Explained { test, flag, sight };
        let checks = stream.standing.judged_by.iter();
        let out_of_water: Vec<_> = checks.filter(|one| one.test == Test::OutOfWater).collect();
        assert!(out_of_water.len() > 1, "{out_of_water:?}");
        let mut asked = vec![of(Test::GrossRange, Flag::Pass, Sight::Said)];
        asked.extend(out_of_water.iter().map(|check| {
            of(Test::OutOfWater, Flag::Fail, Sight::Check(Arc::clone(check), Vec::new(), None))
        }));
        asked.push(of(Test::Spike, Flag::Suspect, Sight::Said));
        let rows = rows(stream, asked.iter(), "mg/L");
        let told: Vec<(&str, u8, bool)> =
            rows.iter().map(|row| (&*row.test.en, row.flag, row.doubts)).collect();
        let want = [("out of water", 4, true), ("spike", 3, true), ("gross range", 1, false)];
        assert_eq!(told, want);
        let first = &rows[0];
        assert_eq!(
            (first.expressions.len(), first.thresholds.len()),
            (out_of_water.len(), out_of_water.len())
        );
        let words: Vec<&str> = first.thresholds.iter().map(|one| &*one.en).collect();
        assert!(words.contains(&"out of water with oxygen: fail below 1"), "{words:?}");
        assert!(words.iter().all(|one| !one.contains("max(")), "{words:?}");
        assert!(first.expressions.iter().any(|one| one.contains("max(")), "{first:?}");
    }
}
