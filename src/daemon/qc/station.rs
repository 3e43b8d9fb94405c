//! A table of one station, judged by its seeds as the stream would: each row is a message, played
//! in order of time through the pure pipeline, with the clock following it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::daemon::qc::{Judged, Reading, Table};
use crate::daemon::table::{self, Faults};
use crate::domain::fault::Fault;
use crate::domain::input::{Arrival, Input};
use crate::domain::observation::{NilReason, Observation, ObservationResult, Period};
use crate::domain::quality::{Flag, Quality, Test};
use crate::domain::registry::{Datastream, Registry, Sampling, Station};
use crate::domain::time::{Moment, Timestamp};
use crate::domain::unit::Conversion;
use crate::pipeline::{Pipeline, Processed};
use crate::seed::nearest;

/// What a table does not say itself.
#[derive(Clone, Debug)]
pub struct OfStation {
    /// How faults name the table.
    pub file: String,
    /// The station of the seeds whose values they are.
    pub station: String,
    /// Cells that mean that there is no value, besides empty ones and NaN.
    pub missing: Vec<String>,
    /// Columns that are given back and not judged.
    pub keep: Vec<String>,
    /// In which zone a time is that states none; without, the station's.
    pub zone: Option<TimeZone>,
}

/// A column of values.
struct Column<'a> {
    at: usize,
    datastream: &'a Datastream,
    conversion: Conversion,
    /// Whether what the conversion gives is still to be divided by the molar volume of then.
    by_volume: bool,
    results: Vec<ObservationResult>,
}

/// Judges the values of a station's table and gives it back with their flags, as
/// [`qualify`](crate::daemon::qc::qualify) does.
///
/// # Errors
/// Every fault of head and rows, up to [`FAULTS_MAX`](crate::daemon::table::FAULTS_MAX); with one
/// there are no flags at all.
pub fn qualify(
    registry: &Arc<Registry>,
    asked: &OfStation,
    bytes: &[u8],
) -> Result<Vec<u8>, Vec<Fault>> {
    let mut reading = Reading { missing: &asked.missing, faults: Faults::of(&asked.file) };
    let text = reading.faults.text(bytes);
    let out = text.and_then(|text| reading.played(registry, asked, &text));
    reading.faults.or(out)
}

/// Reads the rows of a station's table, in order of time: when each was so, and what a message that
/// has it would bring.
///
/// # Errors
/// Every fault of head and rows, up to [`FAULTS_MAX`](crate::daemon::table::FAULTS_MAX).
pub fn rows(
    registry: &Registry,
    asked: &OfStation,
    bytes: &[u8],
) -> Result<Vec<(Timestamp, Vec<Observation>)>, Vec<Fault>> {
    let mut reading = Reading { missing: &asked.missing, faults: Faults::of(&asked.file) };
    let text = reading.faults.text(bytes);
    let read = text.and_then(|text| reading.of_station(registry, asked, &text));
    let (_, columns, times) = reading.faults.or(read)?;
    let of = |(row, at): (usize, &Timestamp)| {
        (*at, columns.iter().filter_map(|column| column.observation(row, *at)).collect())
    };
    let mut rows: Vec<(Timestamp, Vec<Observation>)> = times.iter().enumerate().map(of).collect();
    rows.sort_by_key(|(at, _)| *at);
    Ok(rows)
}

/// A table that was read: as it is, its columns of values, the time of each row.
type Read<'r> = (Table, Vec<Column<'r>>, Vec<Timestamp>);

impl Reading<'_> {
    fn played(
        &mut self,
        registry: &Arc<Registry>,
        asked: &OfStation,
        text: &str,
    ) -> Option<Vec<u8>> {
        let (table, columns, times) = self.of_station(registry, asked, text)?;
        table.written(&judged(registry, &columns, &times))
    }

    fn of_station<'r>(
        &mut self,
        registry: &'r Registry,
        asked: &OfStation,
        text: &str,
    ) -> Option<Read<'r>> {
        let table = self.table(text)?;
        let mut stations = registry.stations.iter();
        let Some(station) = stations.find(|station| *station.name == *asked.station) else {
            let near = nearest(&asked.station, registry.stations.iter().map(|one| &*one.name));
            let such = near.map_or_else(String::new, |near| format!(", such as `{near}`"));
            let expected = format!("a station of stations.csv{such}");
            self.faults.add(None, format!("station `{}`", asked.station), expected);
            return None;
        };
        let mut columns = self.columns(registry, station, asked, &table);
        let Some(time) = table.head.iter().position(|cell| cell == "time") else {
            self.faults.add(Some(1), "no column `time`", "one with the time of each row");
            return None;
        };
        let zone = asked.zone.as_ref().unwrap_or(&station.zone);
        let times: Vec<Timestamp> =
            table.rows.iter().filter_map(|row| self.time(zone, row, time)).collect();
        for column in &mut columns {
            let results = self.results(&table, column.at).into_iter().flatten();
            let results: Vec<ObservationResult> = results.collect();
            if self.faults.is_empty() {
                let converted = results.iter().zip(&times);
                column.results = converted
                    .map(|(result, at)| column.converted(registry, *result, *at))
                    .collect();
            }
        }
        if !self.faults.is_empty() {
            return None;
        }
        Some((table, columns, times))
    }

    /// Finds out what the columns are.
    fn columns<'r>(
        &mut self,
        registry: &'r Registry,
        station: &Station,
        asked: &OfStation,
        table: &Table,
    ) -> Vec<Column<'r>> {
        for name in asked.keep.iter().filter(|name| !table.head.iter().any(|one| one == **name)) {
            self.faults.add(Some(1), format!("no column `{name}`"), "the column to keep");
        }
        let mut columns: Vec<Column<'r>> = Vec::new();
        for (at, head) in table.head.iter().enumerate() {
            if head == "time" || asked.keep.iter().any(|name| name == head) {
                continue;
            }
            let Some(column) = self.column(registry, station, (at, head)) else { continue };
            if columns.iter().any(|one| one.datastream.id == column.datastream.id) {
                let name = &column.datastream.name;
                self.faults.add(Some(1), format!("column `{head}`, a second of `{name}`"), "one");
            }
            columns.push(column);
        }
        columns
    }

    /// Reads the head of a column: a datastream of the station, with another unit than its own in
    /// brackets.
    fn column<'r>(
        &mut self,
        registry: &'r Registry,
        station: &Station,
        (at, head): (usize, &str),
    ) -> Option<Column<'r>> {
        let own = || {
            let streams = station.datastreams.iter().filter_map(|id| registry.datastream(*id));
            streams.filter(|stream| stream.formulas.is_empty())
        };
        let short = |stream: &'r Datastream| {
            stream.name.get(station.name.len() + 1..).unwrap_or(&stream.name)
        };
        let found = |name: &str| -> Vec<&'r Datastream> {
            if let Some(exact) = own().find(|stream| short(stream) == name) {
                return vec![exact];
            }
            let property = registry.property_called(name).map(|property| property.id);
            own().filter(|stream| Some(stream.property) == property).collect()
        };
        let (mut name, mut unit) = (head, "");
        let mut streams = found(name);
        if let (true, Some(parts)) = (streams.is_empty(), table::in_brackets(head)) {
            (name, unit) = parts;
            streams = found(name);
        }
        let [datastream] = *streams else {
            let names: Vec<&str> = own().map(short).collect();
            let near = nearest(name, names.iter().copied());
            let expected = match (streams.is_empty(), near) {
                (false, _) => format!(
                    "one of {}",
                    streams.into_iter().map(short).collect::<Vec<_>>().join(", ")
                ),
                (true, Some(near)) => format!("such as `{near}`, or `--keep {name}`"),
                (true, None) => format!("one of {}, or `--keep {name}`", names.join(", ")),
            };
            self.faults.add(Some(1), format!("column `{head}`"), expected);
            return None;
        };
        let property = registry.property(datastream.property)?;
        let Some((conversion, by_volume)) = table::conversion(registry, property, unit) else {
            let expected = format!("a unit like {} in brackets", registry.unit_name(property));
            self.faults.add(Some(1), format!("column `{head}`"), expected);
            return None;
        };
        Some(Column { at, datastream, conversion, by_volume, results: Vec::new() })
    }
}

impl Column<'_> {
    fn converted(
        &self,
        registry: &Registry,
        result: ObservationResult,
        at: Timestamp,
    ) -> ObservationResult {
        let mut conversion = self.conversion;
        if self.by_volume {
            let Some(state) = registry.air.reference_state(at) else {
                return ObservationResult::Nil(NilReason::Undefined);
            };
            conversion = conversion.over(state.molar_volume);
        }
        result.map(|value| conversion.apply(value))
    }

    /// Gives the tests that its seeds ask for and that can run, in the order in which output names
    /// them.
    fn tests(&self) -> Vec<Test> {
        let Datastream { qc, calibrations, standing, .. } = self.datastream;
        let idle = [
            (Test::Drift, calibrations.is_empty()),
            (Test::Neighbour, standing.neighbours.is_empty()),
        ];
        let runs = |test: &Test| !idle.contains(&(*test, true));
        let asked: Vec<Test> = qc.asked().filter(runs).collect();
        let checked = |test: &Test| standing.judged_by.iter().any(|one| one.test == *test);
        Test::ALL.into_iter().filter(|test| asked.contains(test) || checked(test)).collect()
    }

    /// Gives what a message would bring of it. Of an analyser, whose results stand for hours, an
    /// empty cell is no message.
    fn observation(&self, row: usize, at: Timestamp) -> Option<Observation> {
        let result = *self.results.get(row)?;
        let between = matches!(self.datastream.sampling, Sampling::Sampled { .. });
        if between && result.number().is_none() {
            return None;
        }
        Some(Observation {
            datastream: self.datastream.id,
            period: Period::Native,
            phenomenon_time: self.datastream.span_from(at),
            result,
            raw: None,
            clock: Flag::NotEvaluated,
            mark: None,
        })
    }
}

/// The flags of a column on their way.
#[derive(Default)]
struct Flags {
    rows: Vec<Quality>,
    /// Which rows the ring holds, by their times.
    held: BTreeMap<Timestamp, usize>,
    /// Rows that repeat another.
    same: Vec<(usize, usize)>,
}

impl Flags {
    /// Reads what the ring says of the rows by now.
    fn read(&mut self, pipeline: &Pipeline, datastream: &Datastream, forget: Timestamp) {
        let Some(first) = self.held.keys().next() else { return };
        let held = pipeline.state().stream(datastream).map(|stream| stream.history.since(*first));
        for entry in held.into_iter().flatten() {
            let row = self.held.get(&entry.time).and_then(|row| self.rows.get_mut(*row));
            if let Some(row) = row {
                *row = entry.quality;
            }
        }
        self.held = self.held.split_off(&forget);
    }

    /// Takes in what came of a row.
    fn note(&mut self, row: usize, observation: &Observation, out: &Processed) {
        let mut told = out.observations.iter().filter(|one| !one.flag_only);
        let own = told.find(|one| {
            let told = one.observation;
            told.datastream == observation.datastream && told.period == Period::Native
        });
        let Some(own) = own else {
            self.same.extend(self.held.last_key_value().map(|(_, held)| (row, *held)));
            return;
        };
        if let Some(place) = self.rows.get_mut(row) {
            *place = own.quality;
        }
        self.held.insert(observation.phenomenon_time.start(), row);
    }
}

/// Plays the rows in order of time, and gives the flags in order of the rows.
fn judged(registry: &Arc<Registry>, columns: &[Column<'_>], times: &[Timestamp]) -> Vec<Judged> {
    let mut order: Vec<usize> = (0..times.len()).collect();
    order.sort_by_key(|row| times.get(*row));
    let time_of = |row: &usize| times.get(*row).copied().unwrap_or_default();
    let first = order.first().map(time_of).unwrap_or_default();
    let moment = |time: Timestamp| Moment { wall: time, elapsed_ms: time.since(first) };
    let mut pipeline = Pipeline::new(Arc::clone(registry), moment(first));
    let mut out = Processed::default();
    let missing = Quality::only(Test::Missing, Flag::Missing);
    let flags = |_: &Column<'_>| Flags { rows: vec![missing; times.len()], ..Flags::default() };
    let mut flags: Vec<Flags> = columns.iter().map(flags).collect();
    // What the ring forgets was read before.
    let horizon = registry.judgement.lateness_horizon_ms;
    let mut read = first;
    let mut row_read = Vec::with_capacity(columns.len());
    for row in order {
        let time = time_of(&row);
        if time.since(read) > horizon / 2 {
            for (column, flags) in columns.iter().zip(&mut flags) {
                flags.read(&pipeline, column.datastream, read.plus(-horizon));
            }
            read = time;
        }
        pipeline.process(&Arrival { at: moment(time), input: Input::Tick }, &mut out);
        row_read.clear();
        row_read.extend(columns.iter().filter_map(|column| column.observation(row, time)));
        pipeline.take_row(&row_read, moment(time), &mut out);
        for (column, flags) in columns.iter().zip(&mut flags) {
            let mut brought = row_read.iter();
            if let Some(one) = brought.find(|one| one.datastream == column.datastream.id) {
                flags.note(row, one, &out);
            }
        }
    }
    let finish = |(column, mut flags): (&Column<'_>, Flags)| {
        flags.read(&pipeline, column.datastream, read);
        for (row, held) in std::mem::take(&mut flags.same) {
            let quality = flags.rows.get(held).copied().unwrap_or_default();
            if let Some(place) = flags.rows.get_mut(row) {
                *place = quality;
            }
        }
        Judged { at: column.at, tests: column.tests(), flags: flags.rows }
    };
    columns.iter().zip(flags).map(finish).collect()
}
