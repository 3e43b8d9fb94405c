//! The embedded store: observations as rows of the journal, for an installation without InfluxDB.

use rusqlite::{Transaction, params};

use crate::domain::name::{DatastreamId, MarkId};
use crate::domain::observation::{
    NilReason, Observation, ObservationResult, Period, QualifiedObservation, Side,
};
use crate::domain::quality::Flag;
use crate::domain::time::Timestamp;
use crate::journal::Error;

/// An observation as a row. Datastream, period and time are its key: another result of the same
/// time takes its place, as in InfluxDB.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct StoredObservation {
    /// The datastream.
    pub datastream: DatastreamId,
    /// Native value or average.
    pub period: Period,
    /// Its instant, or the start of its interval.
    pub time: Timestamp,
    /// The result in the canonical unit.
    pub result: ObservationResult,
    /// The number before calibration, where calibration changed it.
    pub raw: Option<f64>,
    /// The rolled-up flag.
    pub flag: Flag,
    /// Whether it took the place of another result.
    pub revision: bool,
    /// Whether nothing but the flag changes.
    pub flag_only: bool,
    /// What its device marked it with.
    pub mark: Option<MarkId>,
}

impl From<&QualifiedObservation> for StoredObservation {
    fn from(qualified: &QualifiedObservation) -> Self {
        let observation = &qualified.observation;
        Self {
            datastream: observation.datastream,
            period: observation.period,
            time: observation.phenomenon_time.start(),
            result: observation.result,
            raw: observation.raw,
            flag: qualified.flag(),
            revision: qualified.revision,
            flag_only: qualified.flag_only,
            mark: observation.mark,
        }
    }
}

/// Writes a row; where nothing but the flag changes, the rest of it stays.
pub(super) fn put(transaction: &Transaction<'_>, row: &StoredObservation) -> Result<(), Error> {
    if row.flag_only {
        let update = "UPDATE observations SET flag = ?4
                      WHERE datastream = ?1 AND period = ?2 AND time = ?3";
        transaction.prepare_cached(update)?.execute(params![
            row.datastream.0,
            period_number(row.period),
            row.time.millis(),
            row.flag.number(),
        ])?;
        return Ok(());
    }
    let insert = "INSERT OR REPLACE INTO observations VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    transaction.prepare_cached(insert)?.execute(params![
        row.datastream.0,
        period_number(row.period),
        row.time.millis(),
        result_number(row.result),
        row.result.number(),
        row.raw,
        row.flag.number(),
        row.revision,
        row.mark.map(|mark| mark.0),
    ])?;
    Ok(())
}

/// Writes what checks of instruments gave.
pub(super) fn put_control(
    transaction: &Transaction<'_>,
    control: &Observation,
) -> Result<(), Error> {
    let Some(mark) = control.mark else { return Ok(()) };
    let insert = "INSERT OR REPLACE INTO controls VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    transaction.prepare_cached(insert)?.execute(params![
        control.datastream.0,
        control.phenomenon_time.start().millis(),
        mark.0,
        result_number(control.result),
        control.result.number(),
        control.raw,
    ])?;
    Ok(())
}

/// The numbers under which periods stand in the table.
pub(super) fn period_number(period: Period) -> i64 {
    i64::from(period.number())
}

pub(super) fn period_of(number: i64) -> Period {
    u8::try_from(number).ok().and_then(Period::from_number).unwrap_or(Period::Native)
}

/// The numbers under which kinds of results stand in the table.
pub(super) fn result_number(result: ObservationResult) -> i64 {
    match result {
        ObservationResult::Value(_) => 0,
        ObservationResult::Censored { side: Side::Below, .. } => 1,
        ObservationResult::Censored { side: Side::Above, .. } => 2,
        ObservationResult::Nil(NilReason::Missing) => 3,
        ObservationResult::Nil(NilReason::Incomplete) => 4,
        ObservationResult::Nil(NilReason::NoInput) => 5,
        ObservationResult::Nil(NilReason::Undefined) => 6,
    }
}

pub(super) fn result_of(kind: i64, number: Option<f64>) -> ObservationResult {
    let Some(number) = number else {
        return ObservationResult::Nil(match kind {
            4 => NilReason::Incomplete,
            5 => NilReason::NoInput,
            6 => NilReason::Undefined,
            _ => NilReason::Missing,
        });
    };
    match kind {
        1 => ObservationResult::Censored { side: Side::Below, limit: number },
        2 => ObservationResult::Censored { side: Side::Above, limit: number },
        _ => ObservationResult::Value(number),
    }
}

pub(super) fn flag_of(number: i64) -> Flag {
    match number {
        1 => Flag::Pass,
        3 => Flag::Suspect,
        4 => Flag::Fail,
        9 => Flag::Missing,
        _ => Flag::NotEvaluated,
    }
}
