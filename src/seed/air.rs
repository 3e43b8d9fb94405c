//! Air beside its limits and its index: what gases weigh, the states they are stated for, and the
//! percentiles of a year.

use crate::domain::observation::Period;
use crate::domain::registry::{Percentile, ReferenceState};
use crate::seed::draft::{Draft, china};
use crate::seed::fault_in;
use crate::seed::sheet::{MOLAR_MASSES, PERCENTILES, REFERENCE_STATES, Sheets};

/// The molar gas constant, L hPa / (mol K); exact since 2019 (SI).
const GAS_CONSTANT: f64 = 83.144_626_181_532_4;
/// How far a molar volume may be from that of an ideal gas: instruments round it, 22.4 L/mol.
const VOLUME_TOLERANCE: f64 = 0.001;

/// Reads `molar_masses.csv`.
pub(super) fn molar_masses(sheets: &Sheets, draft: &mut Draft) {
    let sheet = sheets.get(&MOLAR_MASSES);
    for row in &sheet.rows {
        let mut cells = sheet.cells(row, &mut draft.faults);
        cells.required("source");
        let property = cells.find("property", &draft.properties);
        let mass = cells.number("molar_mass");
        // From hydrogen to the heaviest gases there are.
        if !(2.0..1000.0).contains(&mass) {
            cells.refuse("molar_mass", "g/mol, from 2 to 1000");
        }
        let Some(property) = property else { continue };
        if draft.registry.air.molar_mass(property).is_some() {
            cells.refuse("property", "each property once");
        }
        draft.registry.air.molar_masses.push((property, mass));
    }
}

/// Reads `reference_states.csv`; where gases may be sent as shares of volume, every time has one.
pub(super) fn reference_states(sheets: &Sheets, draft: &mut Draft) {
    let sheet = sheets.get(&REFERENCE_STATES);
    let mut states: Vec<(u64, ReferenceState)> = Vec::new();
    for row in &sheet.rows {
        let mut cells = sheet.cells(row, &mut draft.faults);
        cells.required("source");
        let clause = format!("{} {}", cells.required("instrument"), cells.required("clause"));
        let (kelvin, pressure) = (cells.number("temperature"), cells.number("pressure"));
        let molar_volume = cells.number("molar_volume");
        let ideal = GAS_CONSTANT * kelvin / pressure;
        let near = (molar_volume / ideal - 1.0).abs() <= VOLUME_TOLERANCE;
        if !near || molar_volume <= 0.0 {
            let expected =
                format!("about {ideal:.3} L/mol, by temperature (K) and pressure (hPa),");
            cells.refuse("molar_volume", expected);
        }
        let in_force = cells.validity(&china());
        if states.iter().any(|(_, state)| state.in_force.overlaps(&in_force)) {
            cells.refuse("from", "one state at a time");
        }
        states.push((row.line, ReferenceState { clause: clause.into(), molar_volume, in_force }));
    }
    states.sort_by_key(|(_, state)| state.in_force.from);
    if sheet.has_all_rows() && !draft.registry.air.molar_masses.is_empty() {
        let mut next = None;
        for (line, ReferenceState { in_force, .. }) in &states {
            if in_force.from != next {
                let expected = "no time without a state: the first from open, each from where the \
                                one before ends";
                let fault = fault_in(REFERENCE_STATES.file, Some(*line), "a gap", expected);
                draft.faults.push(fault);
            }
            next = in_force.to;
        }
        if next.is_some() || states.is_empty() {
            let fault =
                fault_in(REFERENCE_STATES.file, None, "no state of today", "a row with open `to`");
            draft.faults.push(fault);
        }
    }
    draft.registry.air.reference_states = states.into_iter().map(|(_, state)| state).collect();
}

/// Reads `percentiles.csv`.
pub(super) fn percentiles(sheets: &Sheets, draft: &mut Draft) {
    let sheet = sheets.get(&PERCENTILES);
    for row in &sheet.rows {
        let mut cells = sheet.cells(row, &mut draft.faults);
        cells.required("source");
        let clause = format!("{} {}", cells.required("instrument"), cells.required("clause"));
        let property = cells.find("property", &draft.properties);
        let of = cells.word(
            "period",
            (Period::Day.word(), Period::Day),
            &[(Period::DayMaxEightHours.word(), Period::DayMaxEightHours)],
        );
        let percent = cells.text("percentile").parse::<u8>().ok();
        let percent = percent.filter(|percent| (1..100).contains(percent));
        if percent.is_none() {
            cells.refuse("percentile", "a whole number from 1 to 99");
        }
        let in_force = cells.validity(&china());
        let (Some(property), Some(percent)) = (property, percent) else { continue };
        let held = &draft.registry.air.percentiles;
        if held.iter().any(|one| one.property == property && one.in_force.overlaps(&in_force)) {
            cells.refuse("from", "one percentile of a property at a time");
        }
        let percentile = Percentile { clause: clause.into(), property, of, percent, in_force };
        draft.registry.air.percentiles.push(percentile);
    }
}
