//! Units and observed properties.

use std::collections::HashSet;

use crate::domain::dimension::Base;
use crate::domain::name::{NameKind, PropertyId};
use crate::domain::registry::{Combine, ObservedProperty};
use crate::domain::unit::{Unit, UnitIndex, ratio};
use crate::seed::cell::nearest;
use crate::seed::draft::Draft;
use crate::seed::sheet::{Cells, PROPERTIES, Sheets, UNITS, quoted};

/// Reads `units.csv`.
pub(super) fn units(sheets: &Sheets, draft: &mut Draft) {
    let sheet = sheets.get(&UNITS);
    let mut shifted: HashSet<String> = HashSet::new();
    for row in &sheet.rows {
        let mut cells = sheet.cells(row, &mut draft.faults);
        let name = cells.required("unit");
        let dimension = cells.required("dimension");
        let mut factor = cells.number("factor");
        if factor <= 0.0 {
            cells.refuse("factor", "a number above zero");
            factor = 1.0;
        }
        let (multiply, divide) = ratio(factor);
        let add = cells.number("offset");
        let aliases = cells.text("aliases").split([' ', ';']).filter(|alias| !alias.is_empty());
        let aliases: Vec<&str> = aliases.collect();
        let unit = Unit { name: name.into(), dimension: dimension.into(), multiply, divide, add };
        if let Err(taken) = draft.registry.units.add(unit, &aliases) {
            cells.fault(format!("`{taken}` again"), "each name and alias of a unit once");
        }
        if add != 0.0 {
            shifted.insert(dimension.to_owned());
        }
        base(&mut cells, &mut draft.registry.units, shifted.contains(dimension));
    }
}

/// Reads of what the dimension of a row is made.
fn base(cells: &mut Cells<'_>, units: &mut crate::domain::unit::Units, shifted: bool) {
    let (text, dimension) = (cells.text("base"), cells.text("dimension"));
    if !text.is_empty() {
        match Base::read(text).map(|base| units.set_base(dimension, base)) {
            None => cells.refuse(
                "base",
                "powers of `g`, `kg`, `m`, `s`, `A` and `count` after a number if need be, such \
                 as `g m-3`, `kg m-1 s-2`, `1000 count m-3` or `1`,",
            ),
            Some(Err(_)) => cells.refuse(
                "base",
                format_args!("what an earlier row says of `{dimension}`, or nothing,"),
            ),
            Some(Ok(())) => {}
        }
    }
    if shifted && units.base(dimension).is_some() {
        cells.fault(
            format!("an offset in `{dimension}`, which has a `base`"),
            "no `base` where a unit of the dimension has an offset: such values can't be \
             multiplied",
        );
    }
}

/// Looks a unit up by name or alias.
pub(super) fn unit(cells: &mut Cells<'_>, column: &str, draft: &Units<'_>) -> Option<UnitIndex> {
    let text = cells.text(column);
    let found = draft.units.find(text);
    if found.is_none() && draft.whole {
        let mut spellings: Vec<_> = draft.units.spellings().collect();
        spellings.sort_unstable();
        let near = nearest(text, spellings.into_iter());
        let near = near.map_or(String::new(), |near| format!("; the nearest is `{near}`"));
        cells.fault(quoted(text), format!("a unit of units.csv in `{column}`{near}"));
    }
    found
}

/// The units and whether they are all.
#[derive(Debug)]
pub(super) struct Units<'a> {
    pub(super) units: &'a crate::domain::unit::Units,
    pub(super) whole: bool,
}

/// Reads `properties.csv`.
pub(super) fn properties(sheets: &Sheets, draft: &mut Draft) {
    let sheet = sheets.get(&PROPERTIES);
    draft.properties.whole = sheet.whole;
    let whole = sheets.get(&UNITS).whole;
    for row in &sheet.rows {
        let mut cells = sheet.cells(row, &mut draft.faults);
        let name = cells.name("property");
        if name == "ignored" {
            cells.refuse("property", "another name, because profiles.csv gives this one a meaning");
        }
        let units = Units { units: &draft.registry.units, whole };
        let unit = unit(&mut cells, "unit", &units).unwrap_or(UnitIndex(0));
        let medium = cells.name("medium");
        cells.required("source");
        codes(&mut cells, medium);
        let decimals_hour = decimals(&mut cells, "decimals_hour");
        let decimals_eval = decimals(&mut cells, "decimals_eval");
        let combine = cells.word(
            "combine",
            ("mean", Combine::Mean),
            &[
                ("hydrogen_ion", Combine::HydrogenIon),
                ("vector", Combine::Vector),
                ("sum", Combine::Sum),
                ("none", Combine::NoMean),
                ("counter", Combine::Counter),
            ],
        );
        let id = PropertyId(draft.names.id(NameKind::Property, name));
        if draft.properties.ids.insert(name.into(), id).is_some() {
            cells.refuse("property", "each property once");
        }
        let property = ObservedProperty {
            id,
            name: name.into(),
            symbol: cells.text("symbol").into(),
            name_en: cells.text("name_en").into(),
            name_zh: cells.text("name_zh").into(),
            medium: medium.into(),
            unit,
            decimals: decimals_hour,
            decimals_eval,
            combine,
        };
        draft.registry.properties.put(id.index(), property);
    }
}

fn decimals(cells: &mut Cells<'_>, column: &str) -> u8 {
    let decimals = cells.text(column).parse::<u8>().ok().filter(|decimals| *decimals <= 9);
    if decimals.is_none() {
        cells.refuse(column, "a whole number from 0 to 9");
    }
    decimals.unwrap_or(0)
}

/// Checks the codes of HJ 212: a letter and five digits since 2017; before, three characters for
/// water and two for air, of which a spreadsheet eats the leading zero.
fn codes(cells: &mut Cells<'_>, medium: &str) {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let code = cells.text("hj212");
    let of_2017 = |code: &str| {
        code.len() == 6 && code.split_at_checked(1).is_some_and(|(_, number)| digits(number))
    };
    if !code.is_empty() && !of_2017(code) {
        cells.refuse("hj212", "a letter and five digits");
    }
    let old = cells.text("hj212_2005");
    let width = if medium == "air" { 2 } else { 3 };
    if !old.is_empty() && old.len() < width && digits(old) {
        cells.refuse(
            "hj212_2005",
            format_args!(
                "{width} characters; a spreadsheet lost a leading zero of `{old:0>width$}`"
            ),
        );
    } else if !old.is_empty() && old.len() != width {
        cells.refuse("hj212_2005", format_args!("{width} characters"));
    }
}
