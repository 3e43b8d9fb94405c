//! What several items together come to, as a line for people and as JSON.

use serde_json::{Value, json};

use crate::domain::assessment::{NotAssessable, WaterClass};
use crate::domain::evaluation::{Deciding, Evaluation, Grade, Index, Target};
use crate::domain::name::PropertyId;
use crate::domain::observation::Period;
use crate::domain::registry::Registry;

/// Gives the line of an evaluation, and whether somebody should look at it.
pub(super) fn line(registry: &Registry, evaluation: &Evaluation) -> (String, bool) {
    let missed = evaluation.target == Target::Missed;
    let over = match evaluation.period {
        Period::Native => "now".to_owned(),
        Period::Hour
        | Period::EightHours
        | Period::DayMaxEightHours
        | Period::Day
        | Period::Month
        | Period::Quarter
        | Period::Year => {
            let start = evaluation.phenomenon_time.start();
            format!(
                "{} of {}",
                evaluation.period.word(),
                start.rfc3339(registry.evaluated_zone(evaluation.subject))
            )
        }
    };
    let mut line = format!(
        "{} {} {over}: ",
        registry.evaluated_name(evaluation.subject),
        evaluation.index.word()
    );
    line.push_str(&result(evaluation));
    line.push_str(&format!(", {} of {} items", evaluation.items, evaluation.items_of));
    let decided: Vec<String> =
        evaluation.deciding.iter().map(|one| decided(registry, one)).collect();
    if !decided.is_empty() {
        line.push_str(&format!(", decided by {}", decided.join("; ")));
    }
    if !evaluation.missing.is_empty() {
        line.push_str(&format!(", missing {}", missing(registry, evaluation).join(", ")));
    }
    match evaluation.target {
        Target::None => {}
        Target::Met => line.push_str(", meets its target"),
        Target::Missed => line.push_str(", misses its target"),
    }
    if evaluation.unconfirmed {
        line.push_str(", unconfirmed");
    }
    if !evaluation.legal {
        line.push_str(", indicative");
    }
    (line, missed)
}

/// Gives an evaluation with all that it says.
pub(super) fn json(registry: &Registry, evaluation: &Evaluation) -> Value {
    let deciding = evaluation.deciding.iter().map(|one| {
        json!({
            "property": property(registry, one.property),
            "value": one.result.number(),
            "class": one.class.map(WaterClass::name),
            "index": one.index,
            "multiple": one.over_target,
            "multiple_iii": one.over_iii,
        })
    });
    json!({
        "subject": registry.evaluated_name(evaluation.subject),
        "index": evaluation.index.word(),
        "period": evaluation.period.word(),
        "time_ms": evaluation.phenomenon_time.start().millis(),
        "value": evaluation.value,
        "grade": evaluation.grade.map(Grade::word),
        "reason": evaluation.reason.map(NotAssessable::word),
        "target": match evaluation.target {
            Target::None => None,
            Target::Met => Some("met"),
            Target::Missed => Some("missed"),
        },
        "deciding": deciding.collect::<Vec<_>>(),
        "missing": missing(registry, evaluation),
        "items": evaluation.items,
        "items_of": evaluation.items_of,
        "unconfirmed": evaluation.unconfirmed,
        "legal": evaluation.legal,
    })
}

fn result(evaluation: &Evaluation) -> String {
    let class = if evaluation.index == Index::WaterClass { "class " } else { "" };
    let grade = evaluation.grade.map(|grade| format!("{class}{}", grade.word()));
    let value = evaluation.value.map(|value| value.to_string());
    let reason = evaluation.reason.map(|reason| format!("not assessable: {}", reason.word()));
    [value, grade, reason].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn decided(registry: &Registry, one: &Deciding) -> String {
    let of = registry.property(one.property);
    let unit = of.map_or("", |property| registry.unit_label(property));
    let number = one.result.number().map_or_else(String::new, |number| number.to_string());
    let mut text = format!("{} {number} {unit}", property(registry, one.property));
    text.truncate(text.trim_end().len());
    if let Some(times) = one.over_target {
        text.push_str(&format!(" {times:.2} times over the target"));
    }
    if let Some(times) = one.over_iii {
        text.push_str(&format!(" {times:.2} times over class III"));
    }
    text
}

fn property(registry: &Registry, id: PropertyId) -> &str {
    registry.property(id).map_or("", |property| &property.name)
}

fn missing<'r>(registry: &'r Registry, evaluation: &Evaluation) -> Vec<&'r str> {
    evaluation.missing.iter().map(|id| property(registry, *id)).collect()
}
