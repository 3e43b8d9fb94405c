//! The air quality index: its editions, their breakpoints and their grades.

use std::collections::BTreeMap;

use crate::domain::name::PropertyId;
use crate::domain::observation::Period;
use crate::domain::registry::{AqiColumn, AqiEdition, AqiGrade, ObservedProperty};
use crate::domain::rounding::{counted, half_even};
use crate::seed::draft::{Draft, china};
use crate::seed::quantity::{Units, unit};
use crate::seed::sheet::{AQI, AQI_EDITIONS, AQI_GRADES, Cells, Sheets, UNITS, quoted};
use crate::seed::{cell, fault_in};

/// A column in the making: where it stands, and whether a row of it was faulty, so that what it
/// lacks is no fault of its own.
#[derive(Debug)]
struct Making {
    line: u64,
    edition: Box<str>,
    column: AqiColumn,
    above: Option<u16>,
    sound: bool,
}

/// Decimals of a concentration that is not rounded; beyond them lies the noise of binary numbers.
const UNROUNDED_DECIMALS: u8 = 6;

/// Reads `aqi_editions.csv` with `aqi.csv` and `aqi_grades.csv`.
pub(super) fn editions(sheets: &Sheets, draft: &mut Draft) {
    let sheet = sheets.get(&AQI_EDITIONS);
    let mut lines: BTreeMap<Box<str>, u64> = BTreeMap::new();
    for row in &sheet.rows {
        let mut cells = sheet.cells(row, &mut draft.faults);
        cells.required("source");
        cells.required("clause");
        let instrument = cells.required("instrument");
        let most = index(&mut cells, "most");
        let primary_above = index(&mut cells, "primary_above");
        let incomplete_above = (!cells.text("incomplete_above").is_empty())
            .then(|| index(&mut cells, "incomplete_above"));
        let hour_without = (!cells.text("hour_without").is_empty())
            .then(|| cells.find("hour_without", &draft.properties))
            .flatten();
        let rounds_first = cells.word("rounding", ("", false), &[("first", true)]);
        let in_force = cells.validity(&china());
        if lines.insert(instrument.into(), row.line).is_some() {
            cells.refuse("instrument", "each edition once");
        }
        let held = &draft.registry.air.editions;
        if let Some(other) = held.iter().find(|other| other.in_force.overlaps(&in_force)) {
            let expected = format!("dates that do not overlap those of `{}`", other.instrument);
            cells.refuse("from", expected);
        }
        draft.registry.air.editions.push(AqiEdition {
            instrument: instrument.into(),
            clause: "".into(),
            incomplete_above,
            hour_without,
            rounds_first,
            primary_above,
            most,
            columns: Vec::new(),
            grades: Vec::new(),
            in_force,
        });
    }
    breakpoints(sheets, draft);
    grades(sheets, draft);
    let tables = [&AQI_EDITIONS, &AQI, &AQI_GRADES];
    let whole = tables.iter().all(|schema| sheets.get(schema).has_all_rows());
    for edition in draft.registry.air.editions.iter().filter(|_| whole) {
        let line = lines.get(&edition.instrument).copied();
        let mut lacks = |found: &str, expected: String| {
            draft.faults.push(fault_in(AQI_EDITIONS.file, line, found, expected));
        };
        for (report, any) in [
            ("hour", edition.columns.iter().any(|column| column.hour)),
            ("day", edition.columns.iter().any(|column| column.day)),
        ] {
            if !any {
                lacks("no breakpoints", format!("rows of aqi.csv for the report `{report}`"));
            }
        }
        if edition.grades.last().is_none_or(|last| last.up_to < edition.most) {
            lacks("no grade", format!("rows of aqi_grades.csv up to {}", edition.most));
        }
    }
    draft.registry.air.editions.sort_by_key(|edition| edition.in_force.from);
}

/// Reads `aqi.csv`.
fn breakpoints(sheets: &Sheets, draft: &mut Draft) {
    let sheet = sheets.get(&AQI);
    let whole = (sheets.get(&AQI_EDITIONS).has_all_rows(), sheets.get(&UNITS).whole);
    let mut makings: Vec<Making> = Vec::new();
    for row in &sheet.rows {
        let mut cells = sheet.cells(row, &mut draft.faults);
        let before = cells.faults.len();
        cells.required("source");
        let editions = &mut draft.registry.air.editions;
        clause(&mut cells, editions, whole.0);
        let property = cells.find("property", &draft.properties);
        let canonical = property.and_then(|id| draft.registry.properties.get(id.index()));
        let units = Units { units: &draft.registry.units, whole: whole.1 };
        let point =
            (index(&mut cells, "iaqi"), concentration(&mut cells, &units, canonical).unwrap_or(0));
        let above = (!cells.text("above").is_empty()).then(|| index(&mut cells, "above"));
        let fresh = column(&mut cells, canonical);
        let Some(property) = property else { continue };
        let fresh = AqiColumn { property, ..fresh };
        let edition = cells.text("instrument");
        if !draft.registry.air.editions.iter().any(|one| *one.instrument == *edition) {
            continue;
        }
        let place = makings.iter().position(|making| {
            *making.edition == *edition
                && making.column.property == property
                && making.column.period == fresh.period
        });
        let place = place.unwrap_or_else(|| {
            let line = row.line;
            let edition = edition.into();
            makings.push(Making { line, edition, column: fresh.clone(), above: None, sound: true });
            makings.len() - 1
        });
        let Some(making) = makings.get_mut(place) else { continue };
        follows(&mut cells, making, &fresh, point);
        making.column.breakpoints.push(point);
        making.above = above;
        making.line = row.line;
        making.sound &= cells.faults.len() == before;
    }
    finish(makings, draft);
}

/// Notes where an edition's breakpoints stand: it is one clause.
fn clause(cells: &mut Cells<'_>, editions: &mut [AqiEdition], whole: bool) {
    let clause = cells.required("clause");
    let instrument = cells.text("instrument");
    match editions.iter_mut().find(|one| *one.instrument == *instrument) {
        Some(edition) if edition.clause.is_empty() => edition.clause = clause.into(),
        Some(edition) if *edition.clause != *clause => {
            let expected = format!("`{}`, as in the edition's rows before,", edition.clause);
            cells.refuse("clause", expected);
        }
        None if whole => cells.refuse("instrument", "an edition of aqi_editions.csv"),
        Some(_) | None => {}
    }
}

/// Reads what all rows of a column say alike.
fn column(cells: &mut Cells<'_>, canonical: Option<&ObservedProperty>) -> AqiColumn {
    let word = |period: Period| (period.word(), period);
    let period = cells.word(
        "period",
        word(Period::Hour),
        &[word(Period::Day), word(Period::DayMaxEightHours)],
    );
    let (hour, day) = cells.word(
        "report",
        ("hour", (true, false)),
        &[("day", (false, true)), ("hour day", (true, true))],
    );
    AqiColumn {
        property: PropertyId(0),
        period,
        hour,
        day,
        decimals: canonical.map_or(0, |property| property.decimals_eval),
        breakpoints: Vec::new(),
        above: 0,
    }
}

/// Reads a concentration, counted in the last decimal to which the property is rounded.
fn concentration(
    cells: &mut Cells<'_>,
    units: &Units<'_>,
    canonical: Option<&ObservedProperty>,
) -> Option<i64> {
    let sent = unit(cells, "unit", units);
    let number = cells.number("concentration");
    let (sent, canonical) = (sent?, canonical?);
    let Some(conversion) = units.units.conversion(sent, canonical.unit) else {
        let name = units.units.get(canonical.unit).map_or("", |unit| &unit.name);
        cells.refuse("unit", format_args!("a unit that can become `{name}`"));
        return None;
    };
    let (value, decimals) = (conversion.apply(number), canonical.decimals_eval);
    // A breakpoint that no rounded concentration can lie on was meant in another unit.
    let lost = (half_even(value, decimals) - value).abs() > value.abs() * 1e-9;
    let count = counted(value, decimals).filter(|count| *count >= 0 && !lost);
    if count.is_none() {
        let expected = format!(
            "a number from 0 on with at most {decimals} decimals in the property's unit, as \
             properties.csv evaluates it,"
        );
        cells.refuse("concentration", expected);
    }
    count
}

/// Says whether a breakpoint goes on where its column is.
fn follows(cells: &mut Cells<'_>, making: &Making, row: &AqiColumn, point: (u16, i64)) {
    let column = &making.column;
    if (column.hour, column.day) != (row.hour, row.day) {
        cells.refuse("report", "the same report as in the column's rows before,");
    }
    if making.above.is_some() {
        cells.refuse("iaqi", "no breakpoint behind the one that says what is `above` it,");
    }
    match column.breakpoints.last() {
        None if point != (0, 0) => {
            cells.refuse("iaqi", "index 0 at concentration 0 as the first of a column,");
        }
        Some((index, _)) if point.0 <= *index => {
            cells.refuse("iaqi", format_args!("an index above {index}, which is the one before,"));
        }
        Some((_, concentration)) if point.1 <= *concentration => {
            cells.refuse("concentration", "more than at the index before");
        }
        None | Some(_) => {}
    }
}

/// Counts the breakpoints of a column in so small a decimal that a concentration is taken as it is.
fn unround(column: &mut AqiColumn) {
    let more = UNROUNDED_DECIMALS.saturating_sub(column.decimals);
    let parts = 10_i64.pow(u32::from(more));
    for (_, count) in &mut column.breakpoints {
        *count = count.saturating_mul(parts);
    }
    column.decimals += more;
}

/// Gives the columns to their editions, and says what they lack.
fn finish(makings: Vec<Making>, draft: &mut Draft) {
    // The indices of an edition are those of its longest column; a column may end early, but
    // may not leave one out.
    let mut steps: BTreeMap<Box<str>, Vec<u16>> = BTreeMap::new();
    for making in &makings {
        let indices = steps.entry(making.edition.clone()).or_default();
        indices.extend(making.column.breakpoints.iter().map(|(index, _)| index));
        indices.sort_unstable();
        indices.dedup();
    }
    for Making { line, edition, mut column, above, sound } in makings {
        let mut lacks = |found: String, expected: String| {
            draft.faults.push(fault_in(AQI.file, Some(line), found, expected));
        };
        let last = column.breakpoints.last().map_or(0, |(index, _)| *index);
        let held = |index: &u16| column.breakpoints.iter().any(|(held, _)| held == index);
        let indices = steps.get(&edition).map_or(&[][..], Vec::as_slice);
        let hole = indices.iter().find(|index| **index < last && !held(index));
        if let Some(hole) = hole.filter(|_| sound) {
            let expected = format!("a breakpoint at {hole}, as other columns of `{edition}` have");
            lacks(format!("a column without index {hole}"), expected);
        }
        if column.breakpoints.len() < 2 && sound {
            lacks("one breakpoint".into(), "at least two in a column".into());
        }
        if above.is_none_or(|above| above < last) && sound {
            let found =
                above.map_or_else(|| "nothing".to_owned(), |above| quoted(&above.to_string()));
            lacks(
                found,
                format!("the index above the last breakpoint, {last} or more, in `above`"),
            );
        }
        column.above = above.unwrap_or(last);
        let editions = &mut draft.registry.air.editions;
        let Some(edition) = editions.iter_mut().find(|one| one.instrument == edition) else {
            continue;
        };
        if !edition.rounds_first {
            unround(&mut column);
        }
        let twice = edition.columns.iter().any(|other| {
            other.property == column.property
                && (other.hour && column.hour || other.day && column.day)
        });
        if twice {
            let expected = "one column of a property for each report".to_owned();
            lacks("a second column for the report".into(), expected);
        }
        if column.above > edition.most {
            let found = quoted(&column.above.to_string());
            lacks(found, format!("at most {}, as `most` of the edition says,", edition.most));
        }
        edition.columns.push(column);
    }
}

/// Reads `aqi_grades.csv`.
fn grades(sheets: &Sheets, draft: &mut Draft) {
    let sheet = sheets.get(&AQI_GRADES);
    for row in &sheet.rows {
        let mut cells = sheet.cells(row, &mut draft.faults);
        cells.required("source");
        cells.required("clause");
        let grade = cells.text("grade").parse::<u8>().ok();
        let up_to = index(&mut cells, "aqi_up_to");
        let colour = cell::colour(cells.text("colour"));
        if colour.is_none() {
            cells.refuse("colour", cell::COLOUR);
        }
        let (name_en, name_zh) = (cells.required("name_en"), cells.required("name_zh"));
        let instrument = cells.text("instrument");
        let editions = &mut draft.registry.air.editions;
        let Some(edition) = editions.iter_mut().find(|one| *one.instrument == *instrument) else {
            if sheets.get(&AQI_EDITIONS).has_all_rows() {
                cells.refuse("instrument", "an edition of aqi_editions.csv");
            }
            continue;
        };
        let before = edition.grades.last();
        let next = before.map_or(1, |before| before.grade.saturating_add(1));
        if grade != Some(next) {
            cells.refuse("grade", format_args!("`{next}`, the best first,"));
        }
        if before.is_some_and(|before| up_to <= before.up_to) {
            cells.refuse("aqi_up_to", "more than the grade before has");
        }
        let (name_en, name_zh) = (name_en.into(), name_zh.into());
        let colour = colour.unwrap_or_default();
        edition.grades.push(AqiGrade { grade: next, up_to, colour, name_en, name_zh });
    }
}

fn index(cells: &mut Cells<'_>, column: &str) -> u16 {
    let index = cells.text(column).parse::<u16>().ok();
    if index.is_none() {
        cells.refuse(column, format_args!("a whole number from 0 to {}", u16::MAX));
    }
    index.unwrap_or(0)
}
