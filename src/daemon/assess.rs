//! `weir assess`: what the rows of a table come to, by the very functions that judge what stations
//! measure ([`crate::pipeline::indices`]), each by its own time. Beside the daemon, not in it: it
//! reads the seeds, and no journal.

use jiff::tz::TimeZone;

use crate::daemon::table::{self, Faults};
use crate::decode::number;
use crate::domain::assessment::NotAssessable;
use crate::domain::evaluation::{Evaluation, Grade, Item};
use crate::domain::fault::Fault;
use crate::domain::name::{PlaceId, PropertyId, StationId};
use crate::domain::observation::Period;
use crate::domain::registry::{
    AqiReport, Quantity, Registry, Role, Station, StationGrade, StationStage,
};
use crate::domain::rounding::half_even;
use crate::domain::time::{PhenomenonTime, Timestamp, Validity};
use crate::domain::unit::Conversion;
use crate::pipeline::indices::Indices;
use crate::seed::nearest;

/// Decimals to which multiples are written; two are published.
const DECIMALS_MULTIPLE: u8 = 4;
/// What is published of an item that the monitoring scheme leaves out (HJ 633-2026).
const LEFT_OUT: &str = "/";
/// What stands between the names in one cell.
const BETWEEN: &str = ";";
/// The head of what is given back; columns that are kept stand behind `station`.
const HEAD: [&str; 17] = [
    "index",
    "verdict",
    "class",
    "value",
    "grade",
    "colour",
    "deciding",
    "multiples",
    "multiples_iii",
    "items",
    "items_of",
    "missing",
    "reason",
    "legal",
    "instrument",
    "from",
    "to",
];

/// What a station is that the seeds don't know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Section {
    /// A section of a river.
    River,
    /// A point of a lake or reservoir.
    Lake,
    /// A station or city of which the air is judged.
    Air,
}

impl Section {
    /// Gives the word of the seeds.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::River => "river",
            Self::Lake => "lake",
            Self::Air => "",
        }
    }
}

/// What a table does not say itself.
#[derive(Clone, Debug)]
pub struct Asked {
    /// How faults name the table.
    pub file: String,
    /// The station of all rows, where there is no column for it.
    pub station: Option<String>,
    /// What stations are that the seeds don't know.
    pub section: Option<Section>,
    /// The class that those must meet; empty for none.
    pub target: String,
    /// Of which periods the values are; [`Period::Native`] is what is there now.
    pub period: Period,
    /// Whether a time is the end of its period and not a time in it.
    pub ends: bool,
    /// Columns that are given back as they are.
    pub keep: Vec<String>,
    /// Cells that mean that there is no value, besides empty ones.
    pub missing: Vec<String>,
    /// The zone of those stations.
    pub zone: TimeZone,
}

/// A column of values.
struct Column {
    at: usize,
    name: Box<str>,
    property: PropertyId,
    conversion: Conversion,
    /// Whether what the conversion gives is still to be divided by the molar volume of then.
    by_volume: bool,
    /// Whether there is nothing below zero.
    is_amount: bool,
}

/// Where in a row things stand.
struct Columns {
    time: usize,
    station: Option<usize>,
    keep: Vec<usize>,
    values: Vec<Column>,
}

/// A table on its way to its verdicts.
struct Reading<'a> {
    registry: &'a Registry,
    asked: &'a Asked,
    faults: Faults,
}

/// Judges every row of a table and gives a table of what they come to: CSV, a row for each index
/// of each row.
///
/// # Errors
/// Every fault of head and rows, up to [`FAULTS_MAX`](crate::daemon::table::FAULTS_MAX); with one
/// there are no verdicts at all.
pub fn assess(registry: &Registry, asked: &Asked, bytes: &[u8]) -> Result<Vec<u8>, Vec<Fault>> {
    let faults = Faults::of(&asked.file);
    let mut reading = Reading { registry, asked, faults };
    let text = reading.faults.text(bytes);
    let out = text.and_then(|text| reading.table(&text));
    reading.faults.or(out)
}

impl Reading<'_> {
    fn table(&mut self, text: &str) -> Option<Vec<u8>> {
        let (mut reader, head) = self.faults.head(text)?;
        let columns = self.columns(&head)?;
        let mut out = csv::Writer::from_writer(Vec::new());
        let kept = columns.keep.iter().filter_map(|at| head.get(*at));
        out.write_record(["time", "station"].into_iter().chain(kept).chain(HEAD)).ok()?;
        let mut row = csv::StringRecord::new();
        loop {
            match reader.read_record(&mut row) {
                Ok(false) => break,
                Ok(true) => self.row(&columns, &row, &mut out)?,
                Err(error) => self.faults.row(&error, &head),
            }
            if self.faults.is_full() {
                break;
            }
        }
        out.into_inner().ok()
    }

    /// Finds out what the columns are.
    fn columns(&mut self, head: &csv::StringRecord) -> Option<Columns> {
        let find = |name: &str| head.iter().position(|cell| cell == name);
        let time = find("time");
        if time.is_none() {
            self.faults.add(Some(1), "no column `time`", "one with the time of each row");
        }
        let mut columns =
            Columns { time: time?, station: find("station"), keep: vec![], values: vec![] };
        for name in &self.asked.keep {
            match find(name) {
                Some(at) => columns.keep.push(at),
                None => {
                    self.faults.add(Some(1), format!("no column `{name}`"), "the column to keep")
                }
            }
        }
        for (at, name) in head.iter().enumerate() {
            if at == columns.time || Some(at) == columns.station || columns.keep.contains(&at) {
                continue;
            }
            let column = self.column(at, name);
            if let Some(column) = column {
                let mut before = columns.values.iter();
                if before.any(|one| one.property == column.property) {
                    self.faults.add(Some(1), format!("a second column `{name}`"), "one a property");
                }
                columns.values.push(column);
            }
        }
        (self.faults.is_empty()).then_some(columns)
    }

    /// Reads the head of a column: a property, with another unit than its own in brackets.
    fn column(&mut self, at: usize, head: &str) -> Option<Column> {
        let registry = self.registry;
        let (name, unit) = match registry.property_called(head) {
            Some(_) => (head, ""),
            None => table::in_brackets(head).unwrap_or((head, "")),
        };
        let Some(property) = registry.property_called(name) else {
            let names = registry.properties.iter().map(|one| &*one.name);
            let near = nearest(name, names).map(|near| format!("such as `{near}`, "));
            let expected = format!(
                "a property of properties.csv, {}or `--keep {name}`",
                near.unwrap_or_default()
            );
            self.faults.add(Some(1), format!("column `{head}`"), expected);
            return None;
        };
        let found = table::conversion(registry, property, unit);
        let Some((conversion, by_volume)) = found else {
            let expected = format!("a unit like {} in brackets", registry.unit_name(property));
            self.faults.add(Some(1), format!("column `{head}`"), expected);
            return None;
        };
        let counted = |role: &Role| role.is_held_against_classes();
        let mut items = registry.water.items.iter();
        let is_amount = items.any(|item| item.property == property.id && counted(&item.role))
            || registry.air.properties().any(|of_air| of_air == property.id);
        let (name, property) = (head.into(), property.id);
        Some(Column { at, name, property, conversion, by_volume, is_amount })
    }

    /// Judges one row. Nothing only where its verdicts can't be written.
    fn row(
        &mut self,
        columns: &Columns,
        row: &csv::StringRecord,
        out: &mut csv::Writer<Vec<u8>>,
    ) -> Option<()> {
        let line = row.position().map(csv::Position::line);
        let named = columns.station.and_then(|at| row.get(at)).filter(|name| !name.is_empty());
        let name = named.or(self.asked.station.as_deref()).unwrap_or_default().to_owned();
        let said = row.get(columns.time).unwrap_or_default();
        let Some(station) = self.station(line, &name) else { return Some(()) };
        let period = self.period(&station);
        let Some(span) = self.span(line, said, period, &station.zone) else { return Some(()) };
        let mut items = Vec::with_capacity(columns.values.len());
        let mut left_out = Vec::new();
        for column in &columns.values {
            match row.get(column.at).unwrap_or_default() {
                LEFT_OUT => left_out.push(column.property),
                cell => items.extend(self.item(line, column, cell, span.start())),
            }
        }
        let measured: Vec<PropertyId> = columns.values.iter().map(|one| one.property).collect();
        let indices = Indices::of(self.registry, &station, &measured);
        let evaluations =
            indices.evaluate_scheme(self.registry, &station, period, span, &items, &left_out);
        if indices == Indices::default() || (indices.air && AqiReport::of(period).is_none()) {
            let (found, expected) = if indices.air {
                (format!("--period {}", period.word()), "1h or 24h for an air quality index")
            } else {
                (format!("no column for `{name}`"), "one of an item that it is judged by")
            };
            self.faults.add(line, found, expected);
        }
        let kept: Vec<&str> = columns.keep.iter().filter_map(|at| row.get(*at)).collect();
        let mut write = |cells: [String; HEAD.len()]| {
            let begin = [said, &name].into_iter().chain(kept.iter().copied());
            out.write_record(begin.chain(cells.iter().map(String::as_str))).ok()
        };
        if evaluations.is_empty() {
            return write(unjudged(&station, span));
        }
        for evaluation in &evaluations {
            write(self.cells(evaluation, &station))?;
        }
        Some(())
    }

    /// Finds the station of the seeds, or makes one of what was asked.
    fn station(&mut self, line: Option<u64>, name: &str) -> Option<Station> {
        let mut stations = self.registry.stations.iter();
        if let Some(station) = stations.find(|station| *station.name == *name) {
            return Some(station.clone());
        }
        let Some(section) = self.asked.section else {
            let expected = "a station of stations.csv, or --water or --air for all others";
            self.faults.add(line, format!("station `{name}`"), expected);
            return None;
        };
        let (place, id) = (PlaceId(u32::MAX), StationId(u32::MAX));
        Some(Station {
            id,
            name: name.into(),
            place,
            name_en: name.into(),
            name_zh: name.into(),
            latitude: None,
            longitude: None,
            zone: self.asked.zone.clone(),
            target_class: self.asked.target.as_str().into(),
            other_classes: Vec::new(),
            section: section.word().into(),
            do_saturation: false,
            grade: StationGrade::Reference,
            stage: StationStage::Formal,
            operator: "".into(),
            validity: Validity::default(),
            datastreams: Vec::new(),
        })
    }

    /// Gives the period that a station's values are of: what is published of the air as real-time
    /// is of the hour.
    fn period(&self, station: &Station) -> Period {
        let is_air = station.section.is_empty();
        if is_air && self.asked.period == Period::Native { Period::Hour } else { self.asked.period }
    }

    /// Reads the time of a row.
    fn span(
        &mut self,
        line: Option<u64>,
        said: &str,
        period: Period,
        zone: &TimeZone,
    ) -> Option<PhenomenonTime> {
        // A month may be named by itself, a year too.
        let whole = match (period, said.len()) {
            (Period::Month | Period::Quarter | Period::Year, 7) => format!("{said}-01"),
            (Period::Year, 4) => format!("{said}-01-01"),
            _ => said.to_owned(),
        };
        let Some(at) = table::time(&whole, zone) else {
            self.faults.no_time(line, said);
            return None;
        };
        if period == Period::Native {
            return Some(PhenomenonTime::Instant(at));
        }
        let within = if self.asked.ends { at.plus(-1) } else { at };
        let (start, end) = period.around(within, zone)?;
        Some(PhenomenonTime::Interval { start, end })
    }

    /// Reads a value.
    fn item(
        &mut self,
        line: Option<u64>,
        column: &Column,
        cell: &str,
        at: Timestamp,
    ) -> Option<Item> {
        let property = column.property;
        let is_missing = self.asked.missing.iter().any(|word| word == cell);
        let read = number::written(if is_missing { "" } else { cell });
        let mut conversion = column.conversion;
        if column.by_volume {
            let state = self.registry.air.reference_state(at)?;
            conversion = conversion.over(state.molar_volume);
        }
        let result = read.map(|result| result.map(|value| conversion.apply(value)));
        let holds = |value: f64| value.is_finite() && (value >= 0.0 || !column.is_amount);
        let Some(result) = result.filter(|result| result.number().is_none_or(holds)) else {
            let expected = "a number from 0 on, `<0.025` below detection, or nothing for missing; \
                            --missing names other words for it";
            self.faults.add(line, format!("`{cell}` in column `{}`", column.name), expected);
            return None;
        };
        Some(Item { property, result, suspect: false })
    }

    /// Writes what an evaluation says.
    fn cells(&self, evaluation: &Evaluation, station: &Station) -> [String; HEAD.len()] {
        let registry = self.registry;
        let name = |id| registry.property(id).map_or("", |property| &*property.name);
        let names = |ids: &mut dyn Iterator<Item = PropertyId>| {
            ids.map(name).collect::<Vec<_>>().join(BETWEEN)
        };
        let deciding = &evaluation.deciding;
        let multiples = |of: &dyn Fn(usize) -> Option<f64>| {
            let written = |at| of(at).map_or_else(String::new, multiple);
            let all: Vec<String> = (0..deciding.len()).map(written).collect();
            if all.iter().all(String::is_empty) { String::new() } else { all.join(BETWEEN) }
        };
        let class = match evaluation.grade {
            Some(Grade::Water(class)) => class.name(),
            Some(Grade::River(_) | Grade::Air(_) | Grade::Trophic(_) | Grade::BlackOdour(_))
            | None => "",
        };
        let (grade, colour) = self.grade(evaluation);
        let (from, to) = ends(evaluation.phenomenon_time, &station.zone);
        [
            evaluation.index.word().to_owned(),
            evaluation.verdict().to_owned(),
            class.to_owned(),
            evaluation.value.map_or_else(String::new, |value| half_even(value, 2).to_string()),
            grade.to_owned(),
            colour,
            names(&mut deciding.iter().map(|one| one.property)),
            multiples(&|at| deciding.get(at)?.over_target),
            multiples(&|at| deciding.get(at)?.over_iii),
            evaluation.items.to_string(),
            evaluation.items_of.to_string(),
            names(&mut evaluation.missing.iter().copied()),
            evaluation.reason.map_or_else(String::new, |reason| reason.word().to_owned()),
            evaluation.legal.to_string(),
            evaluation.clause.to_string(),
            from,
            to,
        ]
    }

    /// Gives the grade in words and its colour: of the air as the edition prints it, of water by
    /// the name that maps of water quality use.
    fn grade(&self, evaluation: &Evaluation) -> (&'static str, String) {
        const WATER: [&str; 5] = ["blue", "green", "yellow", "orange", "red"];
        let at = evaluation.phenomenon_time.start();
        let Some(grade) = evaluation.grade else { return ("", String::new()) };
        match grade {
            Grade::Water(class) => {
                let number = class.number();
                let of = [(Quantity::Class, number)];
                let Some(rule) = self.registry.water.grade(evaluation.index, at, &of) else {
                    return ("", String::new());
                };
                let colour = WATER.get(usize::from(rule.grade.saturating_sub(1)));
                (Grade::River(rule.grade).word(), colour.copied().unwrap_or_default().to_owned())
            }
            Grade::Air(number) => {
                let colour = self.registry.air.grade(number, at).map(|grade| grade.colour);
                let hex = |[r, g, b]: [u8; 3]| format!("#{r:02X}{g:02X}{b:02X}");
                (grade.word(), colour.map_or_else(String::new, hex))
            }
            Grade::River(_) | Grade::Trophic(_) | Grade::BlackOdour(_) => {
                (grade.word(), String::new())
            }
        }
    }
}

/// Writes a row that no index is in force for.
fn unjudged(station: &Station, span: PhenomenonTime) -> [String; HEAD.len()] {
    let (from, to) = ends(span, &station.zone);
    let said = |column: &str| match column {
        "verdict" => "not_assessable".to_owned(),
        "reason" => NotAssessable::NoneInForce.word().to_owned(),
        "from" => from.clone(),
        "to" => to.clone(),
        _ => String::new(),
    };
    HEAD.map(said)
}

/// Writes the first instant of what a row is about and the first one after it.
fn ends(span: PhenomenonTime, zone: &TimeZone) -> (String, String) {
    match span {
        PhenomenonTime::Instant(at) => (at.rfc3339(zone), String::new()),
        PhenomenonTime::Interval { start, end } => (start.rfc3339(zone), end.rfc3339(zone)),
    }
}

fn multiple(value: f64) -> String {
    half_even(value, DECIMALS_MULTIPLE).to_string()
}
