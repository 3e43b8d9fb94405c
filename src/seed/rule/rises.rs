//! From where on an alert is more severe than its rule says: `rises` of `rules.csv`.

use crate::domain::alert::Severity;
use crate::domain::assessment::WaterClass;
use crate::domain::evaluation::Index;
use crate::domain::registry::{Rise, Threshold};
use crate::seed::cell;
use crate::seed::rule::further::grade;
use crate::seed::sheet::Cells;

/// How many steps a rule has at most: one sees at a glance what they come to.
pub(in crate::seed) const RISES_MAX: usize = 8;
/// The word for worse than class V, which no limit is written for.
const WORSE: &str = ">V";

/// Reads the steps, each `severity:threshold`, of a rule of a severity about a limit.
pub(super) fn rises(cells: &mut Cells<'_>, severity: Severity) -> Box<[Rise]> {
    let text = cells.text("rises");
    let steps = steps(text, severity, step);
    steps.unwrap_or_else(|| {
        cells.refuse(
            "rises",
            format_args!(
                "at most {RISES_MAX} steps with spaces between, each a severity above that of the \
                 rule, `:` and a class such as `V` or `{WORSE}`, so many times over such as `1x`, \
                 or a duration such as `24h`"
            ),
        );
        Box::default()
    })
}

/// Reads the steps, each `severity:grade`, of a rule about an index that is bad from a grade on.
pub(super) fn by_grade(
    cells: &mut Cells<'_>,
    severity: Severity,
    (index, bad): (Index, u8),
) -> Box<[Rise]> {
    let step = |text: &str| {
        let (to, from) = text.split_once(':')?;
        // What fires is of the rule's grade: a step must be of a worse one.
        let from = grade(index, from).filter(|from| *from > bad)?;
        Some(Rise { to: Severity::from_word(to)?, from: Threshold::Grade(from) })
    };
    let steps = steps(cells.text("rises"), severity, step);
    steps.unwrap_or_else(|| {
        cells.refuse(
            "rises",
            format_args!(
                "at most {RISES_MAX} steps with spaces between, each a severity above that of the \
                 rule, `:` and a grade that is worse than that of `level`, such as `critical:6`"
            ),
        );
        Box::default()
    })
}

/// Reads steps, none or [`RISES_MAX`] at most, each another and to a severity above one.
fn steps(
    text: &str,
    severity: Severity,
    step: impl Fn(&str) -> Option<Rise>,
) -> Option<Box<[Rise]>> {
    if text.is_empty() {
        return Some(Box::default());
    }
    let steps: Option<Vec<Rise>> = text.split(' ').map(step).collect();
    let steps = steps.filter(|steps| {
        let more = steps.iter().all(|step| step.to > severity);
        let apart = |at: usize, step: &Rise| steps.iter().take(at).all(|one| one != step);
        let apart = steps.iter().enumerate().all(|(at, step)| apart(at, step));
        more && apart && steps.len() <= RISES_MAX
    });
    steps.map(Into::into)
}

fn step(text: &str) -> Option<Rise> {
    let (to, from) = text.split_once(':')?;
    let to = Severity::from_word(to)?;
    let class = match from {
        WORSE => Some(WaterClass::WorseThanV),
        name => WaterClass::from_name(name),
    };
    let multiple = || {
        let number = from.strip_suffix('x')?.parse::<f64>().ok()?;
        (number.is_finite() && number >= 0.0).then_some(Threshold::Multiple(number))
    };
    let lasts = || cell::duration(from).map(Threshold::Lasts);
    let from = class.map(Threshold::Class).or_else(multiple).or_else(lasts)?;
    Some(Rise { to, from })
}
