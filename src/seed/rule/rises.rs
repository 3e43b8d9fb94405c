//! From where on an exceedance is more severe than its rule says: `rises` of `rules.csv`.

use crate::domain::alert::Severity;
use crate::domain::assessment::WaterClass;
use crate::domain::registry::{Rise, Threshold};
use crate::seed::cell;
use crate::seed::sheet::Cells;

/// How many steps a rule has at most: one sees at a glance what they come to.
pub(in crate::seed) const RISES_MAX: usize = 8;
/// The word for worse than class V, which no limit is written for.
const WORSE: &str = ">V";

/// Reads the steps, each `severity:threshold`, of a rule of a severity.
pub(super) fn rises(cells: &mut Cells<'_>, severity: Severity) -> Box<[Rise]> {
    let text = cells.text("rises");
    if text.is_empty() {
        return Box::default();
    }
    let steps: Option<Vec<Rise>> = text.split(' ').map(step).collect();
    let steps = steps.filter(|steps| {
        let more = steps.iter().all(|step| step.to > severity);
        let apart = |at: usize, step: &Rise| steps.iter().take(at).all(|one| one != step);
        let apart = steps.iter().enumerate().all(|(at, step)| apart(at, step));
        more && apart && steps.len() <= RISES_MAX
    });
    let steps = steps.unwrap_or_else(|| {
        cells.refuse(
            "rises",
            format_args!(
                "at most {RISES_MAX} steps with spaces between, each a severity above that of the \
                 rule, `:` and a class such as `V` or `{WORSE}`, so many times over such as `1x`, \
                 or a duration such as `24h`"
            ),
        );
        Vec::new()
    });
    steps.into()
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
