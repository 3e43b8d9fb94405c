//! Points as line protocol: which measurement, tags and fields a value gets.
//!
//! - A value stands in the measurement of its medium (`water`, `air`, `energy` …); a mean, minimum,
//!   maximum or total of a stated period, and an average that weir made, in `<medium>_<period>`
//!   (`water_1h`, `air_10m`, `air_24h`). Tags: `place`, `station`, and `position` where the station
//!   has several of one property.
//! - Its field is the property, with `_min`, `_max` or `_total` behind it where it states one.
//! - `<field>_qc`, integer: the rolled-up QARTOD flag where it is not 1; 9 alone where there is no
//!   value. `<field>_raw`: the number before calibration where that changed it.
//!   `<field>_censored`: `<` or `>`, the value then being the limit. `<field>_coverage`: for an
//!   average, the share of its expected values that were valid. `<field>_min`, `<field>_max`: of an
//!   hour that weir made, its least and greatest valid value. `<field>_mark`: what the device
//!   marked the value with, where that says more than that it is good; `?` for a mark that
//!   `device_marks.csv` does not know.
//! - Where only the flag changes, because more is known by now, `_qc` is written alone.
//! - A revision of a value writes `_qc`, `_raw`, `_censored` and `_mark` in any case, so that none
//!   of what it revises stays beside it. One that has no value writes `_qc` 9 and `_mark` (an
//!   average its `_coverage`), and the old number stays in the database: where `_qc` is 9, nobody
//!   may read what is beside it.
//! - What a check of an instrument gave stands apart, in `<medium>_control`, with its `_mark`.
//! - The time is the instant, or the start of the interval, in ms.
//!
//! Measurements `assessment` and `alert`: see [`Renderer::render`].

mod evaluation;
pub(crate) mod parts;
mod text;
mod verdict;

use std::collections::{BTreeSet, HashMap};

use crate::domain::alert::AlertEvent;
use crate::domain::assessment::Assessment;
use crate::domain::evaluation::Evaluation;
use crate::domain::name::{DatastreamId, Table};
use crate::domain::observation::{
    Coverage, Observation, ObservationResult, Period, QualifiedObservation, Side,
};
use crate::domain::quality::Flag;
use crate::domain::registry::{Datastream, Registry, Statistic};
use crate::domain::time::{HOUR, MINUTE, SECOND};

use self::text::{push_float, push_integer, push_measurement, push_name, push_quoted};

/// What is written behind a field's name.
const FIELD_ENDINGS: [&str; 6] = ["", "_qc", "_raw", "_censored", "_coverage", "_mark"];

/// How many periods there are, the native one among them.
const PERIODS: usize = Period::AVERAGED.len() + 1;

/// Texts that many datastreams share, each held once and known by its number: what is written
/// for every value is small enough to stay near the processor.
#[derive(Clone, Debug, Default)]
struct Texts {
    numbers: HashMap<Box<[u8]>, u32>,
    texts: Vec<Box<[u8]>>,
}

impl Texts {
    fn number(&mut self, text: Vec<u8>) -> u32 {
        if let Some(number) = self.numbers.get(&*text) {
            return *number;
        }
        let number = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        let text: Box<[u8]> = text.into();
        self.numbers.insert(text.clone(), number);
        self.texts.push(text);
        number
    }

    fn text(&self, number: u32) -> &[u8] {
        self.texts.get(number as usize).map_or(&[], |text| &**text)
    }
}

/// What of a datastream's lines never changes within an edition. Datastreams of one head may stand
/// in one line.
#[derive(Clone, Debug)]
struct Stream {
    /// The number of the head of each period, by the period's own number.
    heads: [u32; PERIODS],
    field: u32,
    /// The number of the last line in which it stands: one line holds it once.
    line: u64,
}

/// What one input caused that becomes points.
#[derive(Clone, Copy, Debug, Default)]
pub struct Points<'a> {
    /// Values and averages.
    pub observations: &'a [QualifiedObservation],
    /// What checks of instruments gave.
    pub controls: &'a [Observation],
    /// How many values came of those of a day.
    pub coverage: &'a [Coverage],
    /// Verdicts on single values; those that changed become points.
    pub assessments: &'a [Assessment],
    /// Verdicts on several items together; those that changed become points.
    pub evaluations: &'a [Evaluation],
    /// Changes of alerts.
    pub alerts: &'a [AlertEvent],
}

/// Renders points. One an edition: names are looked up and escaped once.
#[derive(Clone, Debug)]
pub struct Renderer {
    streams: Table<Stream>,
    /// Measurement and tags: `water,place=puhe,station=puhe-2 `, with the space.
    heads: Texts,
    fields: Texts,
    /// The marks that are written, in quotes.
    marks: Table<Box<[u8]>>,
    lines: u64,
}

impl Renderer {
    /// Prepares the datastreams of an edition.
    #[must_use]
    pub fn new(registry: &Registry) -> Self {
        let mut streams = Table::default();
        let (mut heads, mut fields) = (Texts::default(), Texts::default());
        for datastream in registry.datastreams.iter() {
            let mut of_period = [0; PERIODS];
            for period in periods(datastream) {
                if let Some(place) = of_period.get_mut(usize::from(period.number())) {
                    *place = heads.number(head(registry, datastream, period));
                }
            }
            let mut field = Vec::new();
            push_name(&mut field, &field_name(registry, datastream));
            let stream = Stream { heads: of_period, field: fields.number(field), line: 0 };
            streams.put(datastream.id.index(), stream);
        }
        let mut marks = Table::default();
        for mark in registry.marks.marks.iter().filter(|mark| !mark.is_normal()) {
            let mut text = Vec::new();
            push_quoted(&mut text, &mark.text);
            marks.put(mark.id.index(), text.into());
        }
        Self { streams, heads, fields, marks, lines: 0 }
    }

    /// Appends the points of one input to `out` and gives the number of lines. Observations that
    /// follow each other and share measurement, tags and time share a line. What names a
    /// datastream that the edition does not have is left out.
    ///
    /// A changed assessment is a point of `assessment`: tags `place`, `station`, `position`,
    /// `subject` (the value's field) and `period` (`native`, `1h` …); fields `verdict` (`within`,
    /// `exceeds`, `not_assessable`), `limit` (instrument, clause, class), `class` (the best water
    /// class met), `reason`, `unconfirmed`, `edition` (its digest), and `value` and `multiple`
    /// where there are such. `multiple` says something beside `exceeds` only.
    ///
    /// A changed evaluation is a point of `assessment` too: tags `place` or `set`, `station`,
    /// `subject` (`water_class`, `aqi` …) and `period`; see `evaluation.rs`. How
    /// much of a day came is a point of `coverage`.
    ///
    /// An alert's change is a point of `alert`: tags `place`, `station`, `position`, `rule` and
    /// `subject` (the value's field, `station`, or a condition of weir with the network's name);
    /// fields `state`, `alert` (its number), `since` (ms), `unconfirmed`, `limit`, `upstream`
    /// (the station's name), `route`, and `value`, `multiple`, `well_since` (ms; of one that ended)
    /// and `cause` (the test that found something wrong), `cause_flag`, `cause_since` where there
    /// are such.
    pub fn render(&mut self, registry: &Registry, points: Points<'_>, out: &mut Vec<u8>) -> usize {
        let mut lines = self.render_observations(points.observations, out);
        for control in points.controls {
            lines += usize::from(self.push_control(registry, control, out));
        }
        for coverage in points.coverage {
            lines += usize::from(verdict::push_coverage(registry, coverage, out));
        }
        for assessment in points.assessments.iter().filter(|assessment| assessment.changed) {
            lines += usize::from(verdict::push_assessment(registry, assessment, out));
        }
        for evaluation in points.evaluations.iter().filter(|evaluation| evaluation.changed) {
            evaluation::push_evaluation(registry, evaluation, out);
            lines += 1;
        }
        for event in points.alerts {
            verdict::push_alert(registry, event, out);
            lines += 1;
        }
        lines
    }

    /// Writes what a check of an instrument gave; says whether there was anything to write.
    fn push_control(&self, registry: &Registry, control: &Observation, out: &mut Vec<u8>) -> bool {
        let Some(datastream) = registry.datastream(control.datastream) else { return false };
        let Some(number) = control.result.number().filter(|number| number.is_finite()) else {
            return false;
        };
        let mark = control.mark.and_then(|mark| registry.marks.get(mark));
        let cause = mark.map_or("", |mark| &*mark.cause);
        push_head(registry, datastream, (Some("control"), cause), out);
        let mut field = Vec::new();
        push_name(&mut field, &field_name(registry, datastream));
        out.extend_from_slice(&field);
        out.push(b'=');
        push_float(out, number);
        if let Some(mark) = control.mark.and_then(|mark| self.marks.get(mark.index())) {
            out.push(b',');
            push_key(out, &field, "_mark");
            out.extend_from_slice(mark);
        }
        end_line(out, control.phenomenon_time.start().millis());
        true
    }

    fn render_observations(
        &mut self,
        observations: &[QualifiedObservation],
        out: &mut Vec<u8>,
    ) -> usize {
        let before = self.lines;
        let mut open: Option<(u32, i64)> = None;
        for qualified in observations {
            let observation = &qualified.observation;
            let Some(stream) = self.streams.get_mut(observation.datastream.index()) else {
                continue;
            };
            let number = usize::from(observation.period.number());
            let head = stream.heads.get(number).copied().unwrap_or_default();
            let at = observation.phenomenon_time.start().millis();
            if open == Some((head, at)) && stream.line != self.lines {
                out.push(b',');
            } else {
                if let Some((_, at)) = open {
                    end_line(out, at);
                }
                out.extend_from_slice(self.heads.text(head));
                open = Some((head, at));
                self.lines += 1;
            }
            stream.line = self.lines;
            let mark = observation.mark.and_then(|mark| self.marks.get(mark.index()));
            push_fields(out, self.fields.text(stream.field), mark.map(|mark| &**mark), qualified);
        }
        if let Some((_, at)) = open {
            end_line(out, at);
        }
        usize::try_from(self.lines - before).unwrap_or(usize::MAX)
    }
}

fn end_line(out: &mut Vec<u8>, at: i64) {
    out.push(b' ');
    push_integer(out, at);
    out.push(b'\n');
}

/// Writes the fields of one value, at least one, without a comma before the first.
fn push_fields(
    out: &mut Vec<u8>,
    field: &[u8],
    mark: Option<&[u8]>,
    qualified: &QualifiedObservation,
) {
    let observation = &qualified.observation;
    let number = observation.result.number().filter(|number| number.is_finite());
    if qualified.flag_only {
        push_key(out, field, "_qc");
        let flag = if number.is_some() { qualified.flag() } else { Flag::Missing };
        out.extend_from_slice(&[b'0' + flag.number(), b'i']);
        return;
    }
    if let Some(number) = number {
        out.extend_from_slice(field);
        out.push(b'=');
        push_float(out, number);
        out.push(b',');
    }
    let flag = if number.is_some() { qualified.flag() } else { Flag::Missing };
    if flag != Flag::Pass || qualified.revision {
        push_key(out, field, "_qc");
        out.extend_from_slice(&[b'0' + flag.number(), b'i', b',']);
    }
    if let Some(number) = number {
        let raw = observation.raw.filter(|raw| raw.is_finite());
        if let Some(raw) = raw.or(qualified.revision.then_some(number)) {
            push_key(out, field, "_raw");
            push_float(out, raw);
            out.push(b',');
        }
        let censored = match observation.result {
            ObservationResult::Censored { side: Side::Below, .. } => Some("\"<\","),
            ObservationResult::Censored { side: Side::Above, .. } => Some("\">\","),
            ObservationResult::Value(_) | ObservationResult::Nil(_) => {
                qualified.revision.then_some("\"\",")
            }
        };
        if let Some(censored) = censored {
            push_key(out, field, "_censored");
            out.extend_from_slice(censored.as_bytes());
        }
    }
    let native = observation.period == Period::Native;
    let unmarked = (qualified.revision && native).then_some(&b"\"\""[..]);
    if let Some(mark) = mark.or(unmarked) {
        push_key(out, field, "_mark");
        out.extend_from_slice(mark);
        out.push(b',');
    }
    if let Some((least, greatest)) = qualified.completeness.and_then(|made| made.extremes) {
        for (ending, number) in [("_min", least), ("_max", greatest)] {
            push_key(out, field, ending);
            push_float(out, number);
            out.push(b',');
        }
    }
    if let Some(completeness) = qualified.completeness
        && completeness.expected > 0
    {
        push_key(out, field, "_coverage");
        push_float(out, f64::from(completeness.valid) / f64::from(completeness.expected));
        out.push(b',');
    }
    // Every branch above ends with a comma, and without a value there is a flag.
    out.pop();
}

fn push_key(out: &mut Vec<u8>, field: &[u8], ending: &str) {
    out.extend_from_slice(field);
    out.extend_from_slice(ending.as_bytes());
    out.push(b'=');
}

/// Renders measurement and tags of a datastream's values of a period.
fn head(registry: &Registry, datastream: &Datastream, period: Period) -> Vec<u8> {
    let mut out = Vec::new();
    let period = period_name(datastream, period);
    push_head(registry, datastream, (period.as_deref(), ""), &mut out);
    out
}

/// Writes measurement and tags of a datastream; `kind` is behind the medium, if there is one, and
/// `cause` that of a check.
fn push_head(
    registry: &Registry,
    datastream: &Datastream,
    (kind, cause): (Option<&str>, &str),
    out: &mut Vec<u8>,
) {
    let medium = registry.property(datastream.property).map_or("", |property| &property.medium);
    match kind {
        Some(kind) => push_measurement(out, &format!("{medium}_{kind}")),
        None => push_measurement(out, medium),
    }
    let station = registry.station(datastream.station);
    let place = station.and_then(|station| registry.places.get(station.place.index()));
    for (key, value) in [
        ("cause", cause),
        ("place", place.map_or("", |place| &*place.name)),
        ("position", &*datastream.position),
        ("station", station.map_or("", |station| &*station.name)),
    ] {
        push_tag(out, key, value);
    }
    out.push(b' ');
}

/// Writes a tag; an empty value is no tag.
fn push_tag(out: &mut Vec<u8>, key: &str, value: &str) {
    if !value.is_empty() {
        out.push(b',');
        push_name(out, key);
        out.push(b'=');
        push_name(out, value);
    }
}

/// Gives the period in a measurement's name; none for values of an instant.
fn period_name(datastream: &Datastream, period: Period) -> Option<String> {
    if period != Period::Native {
        return Some(period.word().to_owned());
    }
    let millis = match datastream.statistic {
        Statistic::Instant | Statistic::Sample => None,
        Statistic::Mean | Statistic::Min | Statistic::Max | Statistic::Total => {
            datastream.period_ms
        }
    }?;
    let (length, unit) = [(HOUR, "h"), (MINUTE, "m"), (SECOND, "s"), (1, "ms")]
        .into_iter()
        .find(|(length, _)| millis % length == 0)?;
    Some(format!("{}{unit}", millis / length))
}

/// Gives the field of a datastream's values.
fn field_name(registry: &Registry, datastream: &Datastream) -> String {
    let property = registry.property(datastream.property).map_or("", |property| &property.name);
    let property = if property.is_empty() { "_" } else { property };
    let ending = match datastream.statistic {
        Statistic::Instant | Statistic::Sample | Statistic::Mean => "",
        Statistic::Min => "_min",
        Statistic::Max => "_max",
        Statistic::Total => "_total",
    };
    format!("{property}{ending}")
}

/// Where the values of a datastream stand in the database.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// The measurement.
    pub measurement: String,
    /// The field of the value; those beside it are called after it.
    pub field: String,
    /// The tag `station`.
    pub station: String,
    /// The tag `position`; empty where there is none.
    pub position: String,
}

/// Gives where the values of a datastream and period stand.
#[must_use]
pub fn place(registry: &Registry, datastream: &Datastream, period: Period) -> Place {
    let medium = registry.property(datastream.property).map_or("", |property| &property.medium);
    let kind = period_name(datastream, period);
    let station = registry.station(datastream.station);
    Place {
        measurement: kind.map_or(medium.to_owned(), |kind| format!("{medium}_{kind}")),
        field: field_name(registry, datastream),
        station: station.map_or(String::new(), |station| station.name.to_string()),
        position: datastream.position.to_string(),
    }
}

/// Gives the periods of which a datastream can have values.
pub fn periods(datastream: &Datastream) -> impl Iterator<Item = Period> + '_ {
    let hour = datastream.hour_mean.map(|_| Period::Hour);
    let mut longer: Vec<Period> = datastream.averages.iter().map(|rule| rule.period).collect();
    longer.dedup();
    std::iter::once(Period::Native).chain(hour).chain(longer)
}

/// Finds datastreams whose values would stand in one field of one series, and so overwrite each
/// other.
#[must_use]
pub fn collision(registry: &Registry) -> Vec<(DatastreamId, DatastreamId)> {
    let mut owners: HashMap<(Vec<u8>, Vec<u8>), DatastreamId> = HashMap::new();
    let mut pairs = BTreeSet::new();
    for datastream in registry.datastreams.iter() {
        let name = field_name(registry, datastream);
        for period in periods(datastream) {
            let head = head(registry, datastream, period);
            let extremes = datastream.hour_mean.is_some_and(|hour| hour.extremes);
            let extremes =
                if period == Period::Hour && extremes { &["_min", "_max"][..] } else { &[] };
            for ending in FIELD_ENDINGS.iter().chain(extremes) {
                let mut field = Vec::new();
                push_name(&mut field, &name);
                field.extend_from_slice(ending.as_bytes());
                let owner = *owners.entry((head.clone(), field)).or_insert(datastream.id);
                if owner != datastream.id {
                    pairs.insert((owner, datastream.id));
                }
            }
        }
    }
    pairs.into_iter().collect()
}
