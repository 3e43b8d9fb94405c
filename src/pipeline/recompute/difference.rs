//! Where days played as they were told and as they should have been differ.

use crate::domain::assessment::{Assessment, Verdict};
use crate::domain::evaluation::{Evaluation, Told};
use crate::domain::observation::{Period, QualifiedObservation};
use crate::domain::recompute::Recompute;
use crate::pipeline::recompute::side::Results;
use crate::pipeline::recompute::{Changed, Task};

/// Gives what is other than it was told, and the verdicts among it.
pub(super) fn differences(
    task: &Task,
    told: Results,
    in_time: Results,
) -> (Recompute, Vec<Changed>) {
    let mut changed = Vec::new();
    let mut recomputed = Recompute {
        from: task.from,
        to: task.to,
        stations: task.stations.clone(),
        heard_ms: Some(task.heard_ms),
        ..Recompute::default()
    };
    for (key, one) in in_time.observations {
        let one = QualifiedObservation { revision: true, ..one };
        let before = told.observations.get(&key);
        if before.map(|before| QualifiedObservation { revision: true, ..*before }) != Some(one) {
            let observed = before.map(|before| before.observation);
            let flag_only = key.1 == Period::Native && observed == Some(one.observation);
            recomputed.observations.push(QualifiedObservation { flag_only, ..one });
        }
    }
    for (key, (coverage, day)) in in_time.coverage {
        let before = told.coverage.get(&key);
        let mut coverage = coverage;
        if let Some((before, _)) = before {
            coverage.flagged.name_also(&before.flagged);
        }
        if before.map(|(coverage, _)| coverage) != Some(&coverage) {
            recomputed.coverage.push(coverage);
        }
        if before.is_none_or(|(_, before)| *before != day) {
            recomputed.days.extend(day);
        }
    }
    for (key, after) in in_time.assessments {
        let after = Assessment { changed: true, ..after };
        let before = told.assessments.get(&key).map(|one| Assessment { changed: true, ..*one });
        if before == Some(after) {
            continue;
        }
        recomputed.assessments.push(after);
        if before.is_none_or(|before| verdict(&before) != verdict(&after)) {
            changed.push(Changed::Verdict { before, after });
        }
    }
    let mut evaluations = told.evaluations;
    for (key, after) in in_time.evaluations {
        let after = Evaluation { changed: true, ..after };
        let before = evaluations.remove(&key).map(|one| Evaluation { changed: true, ..one });
        if before.as_ref() == Some(&after) {
            continue;
        }
        recomputed.evaluations.push(after.clone());
        let same = |before: &Evaluation| Told::of(before).says_the_same(&Told::of(&after));
        if !before.as_ref().is_some_and(same) {
            changed.push(Changed::Evaluation { before, after });
        }
    }
    (recomputed, changed)
}

/// Gives what people know of a verdict; a higher multiple of the same limit is no news.
fn verdict(assessment: &Assessment) -> impl PartialEq + use<> {
    let verdict = match assessment.verdict {
        Verdict::Exceeds { limit, .. } => Verdict::Exceeds { limit, multiple: None },
        Verdict::Within { .. } | Verdict::NotAssessable(_) => assessment.verdict,
    };
    (verdict, assessment.class)
}
