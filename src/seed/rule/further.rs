//! Rules about what has no limit: how fast a value changes, whether it can be assessed, what
//! several items come to. Their thresholds stand in `level` of `rules.csv`.

use crate::domain::assessment::WaterClass;
use crate::domain::evaluation::Index;
use crate::domain::observation::Period;
use crate::domain::registry::{Persistence, RuleKind, Slope, Worse};
use crate::seed::cell;
use crate::seed::rule::{periods, persistence};
use crate::seed::sheet::{Cells, quoted};

/// How far back a value is compared, at most: as far as what is remembered of values that come
/// every second reaches, ms.
const OVER_MAX_MS: i64 = 36 * 3_600_000;

/// Reads a rule about how fast a value changes: `+0.5/1h`, `-2/1h`, `x2/4h`.
pub(super) fn rise(cells: &mut Cells<'_>) -> RuleKind {
    cells.empty(&["of", "hysteresis", "intervals"], "a rise");
    let (slope, over_ms) = slope(cells.text("level")).unwrap_or_else(|| {
        cells.refuse(
            "level",
            "how much more, less or how many times as much, and within which time up to 36h, such \
             as `+0.5/1h`, `-2/1h` or `x2/4h`,",
        );
        (Slope::Times(2.0), OVER_MAX_MS)
    });
    let (pending, keep) = (persistence(cells, "pending"), persistence(cells, "keep"));
    RuleKind::Rise { slope, over_ms, pending, keep }
}

fn slope(text: &str) -> Option<(Slope, i64)> {
    let (by, over) = text.split_once('/')?;
    let number = |text: &str| text.parse::<f64>().ok().filter(|one| one.is_finite() && *one > 0.0);
    let slope = match by.split_at_checked(1)? {
        ("+", by) => Slope::Rises(number(by)?),
        ("-", by) => Slope::Falls(number(by)?),
        ("x", by) => Slope::Times(number(by).filter(|times| *times > 1.0)?),
        (_, _) => return None,
    };
    let over = cell::duration(over).filter(|over| *over <= OVER_MAX_MS)?;
    Some((slope, over))
}

/// Reads a rule about values that can't be assessed.
pub(super) fn not_assessable(cells: &mut Cells<'_>) -> RuleKind {
    cells.empty(&["level", "hysteresis", "intervals"], "what can't be assessed");
    let of = period(cells);
    let (pending, keep) = (persistence(cells, "pending"), persistence(cells, "keep"));
    RuleKind::NotAssessable { of, pending, keep }
}

/// Reads a rule about an index: `aqi:4`, `water_class:>V`, `power_factor<0.9`, `balance:target`.
pub(super) fn index(cells: &mut Cells<'_>) -> RuleKind {
    cells.empty(&["hysteresis", "intervals"], "an index");
    let (index, worse) = worse(cells.text("level")).unwrap_or_else(|| {
        let words: Vec<String> = Index::ALL.iter().map(|one| quoted(one.word())).collect();
        cells.refuse(
            "level",
            format_args!(
                "an index and from where on it is bad: `:` and a grade or class such as `aqi:4` or \
                 `water_class:>V`, `>` or `<` and a number such as `power_factor<0.9`, `:target`, \
                 or `:not_assessable`; of {}",
                words.join(", ")
            ),
        );
        (Index::Aqi, Worse::NotAssessable)
    });
    let of = period(cells);
    let (pending, keep) = (persistence(cells, "pending"), persistence(cells, "keep"));
    let once = Persistence::Values(1);
    if of == Period::Native && (index != Index::WaterClass || (pending, keep) != (once, once)) {
        // It is given anew when a verdict changes, not value by value.
        cells.refuse("of", "`raw` with the water class alone, and with 1 as `pending` and `keep`,");
    }
    RuleKind::Index { index, of, worse, pending, keep }
}

fn worse(text: &str) -> Option<(Index, Worse)> {
    let at = text.find([':', '>', '<'])?;
    let (word, rest) = text.split_at_checked(at)?;
    let index = Index::ALL.into_iter().find(|index| index.word() == word)?;
    let (sign, level) = rest.split_at_checked(1)?;
    let number = || level.parse::<f64>().ok().filter(|number| number.is_finite());
    let worse = match (sign, level, index) {
        (":", "target", _) => Worse::Missed,
        (":", "not_assessable", _) => Worse::NotAssessable,
        (":", text, _) => Worse::Grade(grade(index, text)?),
        (">", _, _) => Worse::Above(number()?),
        ("<", _, _) => Worse::Below(number()?),
        (_, _, _) => return None,
    };
    Some((index, worse))
}

/// Reads a grade of an index as its number: `V` and `>V` of the water class, else the number of
/// `aqi_grades.csv` or `grades.csv`.
pub(super) fn grade(index: Index, text: &str) -> Option<u8> {
    match (index, text) {
        (Index::WaterClass, ">V") => Some(WaterClass::WorseThanV.number() as u8),
        (Index::WaterClass, name) => Some(WaterClass::from_name(name)?.number() as u8),
        (Index::Aqi | Index::Trophic | Index::BlackOdour | Index::RiverGrade, number) => {
            number.parse().ok().filter(|grade| (1..=6).contains(grade))
        }
        (_, _) => None,
    }
}

/// Reads the one period that a rule looks at.
fn period(cells: &mut Cells<'_>) -> Period {
    let of = periods(cells);
    let mut all = of.iter();
    match (all.next(), all.next()) {
        (Some(one), None) => one,
        (Some(one), Some(_)) => {
            cells.refuse("of", "one period");
            one
        }
        (None, _) => Period::Hour,
    }
}
