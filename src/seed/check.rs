//! How checks of instruments are judged, and what one that failed puts in question (`checks.csv`).

use crate::domain::check::CheckKind;
use crate::domain::invalidation::SPAN_MAX_MS;
use crate::domain::quality::Flag;
use crate::domain::registry::{CheckCovers, CheckLimit, CheckRow, CheckScope, Tolerance};
use crate::domain::time::{DAY, HOUR};
use crate::seed::draft::Draft;
use crate::seed::qc::{ends, tolerance};
use crate::seed::sheet::{CHECKS, Cells, Sheets};

/// How far a check that failed may reach to each side, ms.
const LONGEST_MAX_MS: i64 = SPAN_MAX_MS / 2;

/// The words for kinds, as [`Cells::word`] takes them.
const KINDS: ((&str, CheckKind), &[(&str, CheckKind)]) = (
    ("zero", CheckKind::Zero),
    &[
        ("span", CheckKind::Span),
        ("standard_sample", CheckKind::StandardSample),
        ("spike_recovery", CheckKind::SpikeRecovery),
        ("parallel_sample", CheckKind::ParallelSample),
    ],
);

/// Reads `checks.csv`.
pub(super) fn checks(sheets: &Sheets, draft: &mut Draft) {
    let sheet = sheets.get(&CHECKS);
    let mut faults = std::mem::take(&mut draft.faults);
    for row in &sheet.rows {
        let mut cells = sheet.cells(row, &mut faults);
        let before = cells.faults.len();
        cells.required("source");
        let kind = cells.word("check", KINDS.0, KINDS.1);
        if cells.faults.len() > before && cells.text("check") != kind.word() {
            continue;
        }
        let scope = scope(&mut cells, draft);
        let limit = limit(&mut cells, kind);
        let standard = cells.optional_number("standard");
        let covers = covers(&mut cells);
        let words = &[("suspect", Flag::Suspect)];
        let flag = cells.word("flag", ("fail", Flag::Fail), words);
        // A number is of one unit, and so of one property.
        if scope == Some(CheckScope::All) {
            cells.empty(&["span", "standard"], "`all` properties");
            let absolute = match limit {
                Some(CheckLimit::Within { tolerance, .. }) => tolerance.absolute,
                Some(CheckLimit::Recovery { .. }) | None => 0.0,
            };
            if absolute > 0.0 {
                cells.refuse("tolerance", "a share such as `10%` for `all` properties");
            }
        }
        let (Some(scope), Some(limit)) = (scope, limit) else { continue };
        let again = |held: &CheckRow| (held.kind, held.scope) == (kind, scope);
        if draft.registry.checks.iter().any(again) {
            cells.refuse("check", "each check once for a scope");
        }
        if cells.faults.len() == before {
            draft.registry.checks.push(CheckRow { kind, scope, limit, standard, covers, flag });
        }
    }
    draft.faults = faults;
}

fn scope(cells: &mut Cells<'_>, draft: &Draft) -> Option<CheckScope> {
    match cells.text("scope").split_once(':') {
        None if cells.text("scope") == "all" => Some(CheckScope::All),
        Some(("property", name)) => {
            cells.find_part("scope", name, &draft.properties).map(CheckScope::Property)
        }
        Some(("station", names)) => {
            let (station, property) = names.split_once('/').unwrap_or((names, ""));
            let station = cells.find_part("scope", station, &draft.stations);
            let property = cells.find_part("scope", property, &draft.properties);
            let (station, property) = (station?, property?);
            let measured = draft.registry.datastreams.iter();
            let mut measured = measured.map(|one| (one.station, one.property));
            if draft.datastreams.whole && !measured.any(|one| one == (station, property)) {
                cells.refuse("scope", "a property that is measured there");
            }
            Some(CheckScope::Station(station, property))
        }
        Some(_) | None => {
            cells.refuse("scope", "`all`, `property:NAME` or `station:NAME/property`");
            None
        }
    }
}

fn limit(cells: &mut Cells<'_>, kind: CheckKind) -> Option<CheckLimit> {
    if kind == CheckKind::SpikeRecovery {
        cells.empty(&["tolerance", "span"], "a recovery");
        let text = cells.text("recovery");
        let shares = text.strip_suffix('%').and_then(ends).filter(|(low, _)| *low >= 0.0);
        let Some((low, high)) = shares else {
            cells.refuse("recovery", "shares of what was added, such as `80..120%`,");
            return None;
        };
        return Some(CheckLimit::Recovery { low: low / 100.0, high: high / 100.0 });
    }
    cells.empty(&["recovery"], "a check without a recovery");
    let span = cells.optional_number("span");
    if span.is_some_and(|span| span <= 0.0) {
        cells.refuse("span", "a number above 0");
    }
    let Some(read) = tolerance(cells.text("tolerance")) else {
        cells.refuse("tolerance", "a distance such as `0.05`, `10%` or `0.02+5%`");
        return None;
    };
    let of_nothing = kind == CheckKind::Zero && span.is_none() && read.absolute == 0.0;
    if of_nothing && cells.text("standard").is_empty() {
        cells.refuse("tolerance", "a distance, or a share of `span`, for a zero check");
    } else if read == Tolerance::default() {
        cells.refuse("tolerance", "a distance above 0");
    }
    if span.is_some() && read.share == 0.0 {
        cells.refuse("span", "nothing beside a tolerance without a share");
    }
    Some(CheckLimit::Within { tolerance: read, span })
}

fn covers(cells: &mut Cells<'_>) -> CheckCovers {
    let words = &[("last_pass", CheckCovers::LastPass(0))];
    let covers = cells.word("covers", ("day", CheckCovers::Day), words);
    if covers == CheckCovers::Day {
        cells.empty(&["longest"], "`day`");
        return covers;
    }
    let before = cells.faults.len();
    let longest = cells.duration("longest");
    if cells.faults.len() == before && !(HOUR..=LONGEST_MAX_MS).contains(&longest) {
        let days = LONGEST_MAX_MS / DAY;
        cells.refuse("longest", format_args!("a duration of `1h` to `{days}d`"));
    }
    CheckCovers::LastPass(longest)
}
