//! What energy is reckoned by: factors of coal and carbon dioxide, targets, production.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::domain::name::PlaceId;
use crate::domain::observation::Period;
use crate::domain::registry::{Factor, FactorKind, PlaceTarget, Production, TargetKind};
use crate::domain::time::Timestamp;
use crate::domain::unit::UnitIndex;
use crate::seed::cell;
use crate::seed::counter::tariff;
use crate::seed::draft::{Draft, china};
use crate::seed::sheet::{Cells, FACTORS, PLACES, PRODUCTION, Sheets, TARGETS, UNITS};

/// The unit of production.
const PRODUCTION_UNIT: &str = "10^4CNY";

/// Reads `factors.csv`.
pub(super) fn factors(sheets: &Sheets, draft: &mut Draft) {
    let sheet = sheets.get(&FACTORS);
    let units_are_whole = sheets.get(&UNITS).whole;
    for row in &sheet.rows {
        let mut cells = sheet.cells(row, &mut draft.faults);
        let [first, rest @ ..] = FactorKind::ALL.map(|kind| (kind.word(), kind));
        let kind = cells.word("factor", first, &rest);
        let of = cells.name("of");
        let year = year(&mut cells, kind);
        let value = above_zero(&mut cells, "value");
        let source = cells.required("source");
        let per = cells.text("unit").strip_prefix(kind.counted());
        let per = per.and_then(|rest| rest.strip_prefix('/'));
        let per = per.and_then(|unit| draft.registry.units.find(unit));
        if per.is_none() && units_are_whole {
            let counted = kind.counted();
            cells.refuse("unit", format_args!("`{counted}/` and a unit of units.csv"));
        }
        let factor = Factor {
            kind,
            of: of.into(),
            year,
            value,
            per: per.unwrap_or(UnitIndex(0)),
            source: source.into(),
        };
        let same = |one: &Factor| (one.kind, &one.of, one.year) == (kind, &factor.of, year);
        if draft.registry.energy.factors.iter().any(same) {
            cells.refuse("of", "each factor of a carrier or region and year once");
        }
        draft.registry.energy.factors.push(factor);
    }
    if sheet.whole {
        grids(sheets, draft);
    }
}

/// Refuses a grid of `places.csv` that no factor is of.
fn grids(sheets: &Sheets, draft: &mut Draft) {
    let sheet = sheets.get(&PLACES);
    for row in &sheet.rows {
        let mut cells = sheet.cells(row, &mut draft.faults);
        let grid = cells.text("grid");
        let of = |one: &Factor| one.kind == FactorKind::GridCo2 && *one.of == *grid;
        if !grid.is_empty() && !draft.registry.energy.factors.iter().any(of) {
            cells.refuse("grid", "a region of `grid_co2` in factors.csv");
        }
    }
}

fn year(cells: &mut Cells<'_>, kind: FactorKind) -> Option<i16> {
    let text = cells.text("year");
    let needed = kind == FactorKind::GridCo2;
    if text.is_empty() && !needed {
        return None;
    }
    let year = text.parse::<i16>().ok().filter(|year| (1990..=2200).contains(year));
    if year.is_none() {
        cells.refuse("year", "a year such as `2022`");
    }
    year
}

fn above_zero(cells: &mut Cells<'_>, column: &str) -> f64 {
    let value = cells.number(column);
    if value <= 0.0 {
        cells.refuse(column, "a number above zero");
    }
    value
}

/// Reads `targets.csv`.
pub(super) fn targets(sheets: &Sheets, draft: &mut Draft) {
    let sheet = sheets.get(&TARGETS);
    for row in &sheet.rows {
        let mut cells = sheet.cells(row, &mut draft.faults);
        let place = cells.find("place", &draft.places);
        let [first, rest @ ..] = TargetKind::ALL.map(|kind| (kind.word(), kind));
        let kind = cells.word("what", first, &rest);
        let class = tariff(&mut cells, "class");
        let value = above_zero(&mut cells, "value");
        if kind.unit() == "%" && value > 100.0 {
            cells.refuse("value", "at most 100");
        }
        if cells.text("unit") != kind.unit() {
            cells.refuse("unit", format_args!("`{}` of a target of this kind", kind.unit()));
        }
        let due = due(&mut cells);
        let target = PlaceTarget {
            place: place.unwrap_or(PlaceId(0)),
            kind,
            class: class.into(),
            value,
            due,
            due_text: cells.text("due").into(),
            source: cells.required("source").into(),
        };
        let key = |one: &PlaceTarget| (one.place, one.kind, one.class.clone(), one.due);
        if draft.registry.energy.targets.iter().any(|one| key(one) == key(&target)) {
            cells.refuse("what", "each target of a place and date once");
        }
        draft.registry.energy.targets.push(target);
    }
}

/// Reads the last day by which a target is to be met; its end counts.
fn due(cells: &mut Cells<'_>) -> Option<Timestamp> {
    let text = cells.text("due");
    if text.is_empty() {
        return None;
    }
    let day = Timestamp::of_text(text, &china()).filter(|_| text.len() == 10);
    if day.is_none() {
        let likely = cell::likely_date(text).unwrap_or_else(|| "2020-12-31".into());
        cells.refuse("due", format_args!("a date such as `{likely}`"));
    }
    day.map(|day| day.plus(crate::domain::time::DAY))
}

/// Reads `production.csv`.
pub(super) fn production(sheets: &Sheets, draft: &mut Draft) {
    let sheet = sheets.get(&PRODUCTION);
    for row in &sheet.rows {
        let mut cells = sheet.cells(row, &mut draft.faults);
        let place = cells.find("place", &draft.places);
        let value = above_zero(&mut cells, "value");
        if cells.text("unit") != PRODUCTION_UNIT {
            cells.refuse("unit", format_args!("`{PRODUCTION_UNIT}`"));
        }
        let source = cells.required("source");
        let found = period(cells.text("period"), &china());
        if found.is_none() {
            cells.refuse("period", "a year, quarter or month such as `2025`, `2025-Q1`, `2025-03`");
        }
        let (Some(place), Some((period, start, end))) = (place, found) else { continue };
        let made = Production { place, period, start, end, value, source: source.into() };
        if draft.registry.energy.produced(place, period, start).is_some() {
            cells.refuse("period", "each period of a place once");
        }
        draft.registry.energy.production.push(made);
    }
}

/// Reads a year, a quarter or a month: which, its first instant and the first after it.
fn period(text: &str, zone: &TimeZone) -> Option<(Period, Timestamp, Timestamp)> {
    let (year, rest) = text.split_at_checked(4)?;
    let (period, month) = match rest.strip_prefix('-').map(|part| (part, part.len())) {
        None if rest.is_empty() => (Period::Year, 1),
        Some((part, 2)) if part.starts_with('Q') => {
            let quarter = part.strip_prefix('Q')?.parse::<i8>().ok()?;
            (Period::Quarter, (1..=4).contains(&quarter).then_some(quarter * 3 - 2)?)
        }
        Some((part, 2)) => (Period::Month, part.parse::<i8>().ok()?),
        _ => return None,
    };
    let year = year.parse::<i16>().ok().filter(|year| *year >= 1990)?;
    let first = Timestamp::midnight(Date::new(year, month, 1).ok()?, zone)?;
    let (start, end) = period.around(first, zone)?;
    Some((period, start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: Option<(Period, &str, &str)>) {
        let found = period(text, &china())
            .map(|(period, start, end)| (period, start.rfc3339(&china()), end.rfc3339(&china())));
        let midnight = |day: &str| format!("{day}T00:00:00+08:00");
        assert_eq!(
            found,
            want.map(|(one, from, to)| (one, midnight(from), midnight(to))),
            "{text}"
        );
    }

    #[test]
    fn a_period_is_a_year_a_quarter_or_a_month() {
        check("2025", Some((Period::Year, "2025-01-01", "2026-01-01")));
        check("2025-Q4", Some((Period::Quarter, "2025-10-01", "2026-01-01")));
        check("2025-02", Some((Period::Month, "2025-02-01", "2025-03-01")));
        for wrong in ["", "25", "2025-Q5", "2025-Q0", "2025-13", "2025-2", "2025-02-01", "2025/02"]
        {
            check(wrong, None);
        }
    }
}
