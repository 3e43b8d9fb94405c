//! Values back out of the database, as [`super::line`] wrote them: by InfluxQL, by Flux, or by the
//! export of VictoriaMetrics.

pub mod judged;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use fallible_iterator::FallibleIterator as _;
use influxdb2::models::Query;
use influxdb2_structmap::value::Value as FluxValue;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::Value;

use crate::domain::time::{DAY, Timestamp};

use super::line::Place;
use super::query::{answered, apart, away, client, quoted, quoted_identifier};
use super::write::{authorise, read_words};
use super::{Config, Dialect, Error, causes};

/// How many values are read at once; that there are more is said.
pub const POINTS_MAX: usize = 50_000;
/// How many bytes of an answer are read; a longer one is a fault, and a shorter time is to be asked
/// for.
const ANSWER_BYTES_MAX: usize = 32 << 20;

/// What stands beside a value, by the ending of its field.
const ENDINGS: [&str; 7] = ["", "_qc", "_raw", "_min", "_max", "_censored", "_mark"];

/// Which values of a time are read where it has more than are wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keep {
    /// So many, the oldest.
    First(usize),
    /// So many, the newest.
    Newest(usize),
}

impl Keep {
    /// How many rows are asked for: one more shows that there are more.
    #[must_use]
    pub fn asked(self) -> usize {
        let (Self::First(most) | Self::Newest(most)) = self;
        most.min(POINTS_MAX) + 1
    }

    fn is_newest(self) -> bool {
        matches!(self, Self::Newest(_))
    }

    /// Leaves so many rows, and gives the nearest that is left out.
    pub fn cut<T>(self, rows: &mut Vec<T>) -> Option<T> {
        let most = self.asked() - 1;
        let over = rows.len().checked_sub(most).filter(|over| *over > 0)?;
        match self {
            Self::First(_) => rows.drain(most..).next(),
            Self::Newest(_) => rows.drain(..over).next_back(),
        }
    }
}

/// One value as it is stored.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Stored {
    /// Its instant, or the start of its interval.
    pub at: Timestamp,
    /// The number; nothing where a value is missing.
    pub value: Option<f64>,
    /// `<` or `>` of a bound, else empty. VictoriaMetrics keeps numbers only, and so not this.
    pub censored: &'static str,
    /// The number before calibration, where calibration changed it.
    pub raw: Option<f64>,
    /// The rolled-up QARTOD flag.
    pub flag: u8,
    /// Whether it took the place of another value, as far as what stands beside it shows.
    pub revision: bool,
    /// The least and the greatest value that it is a mean of.
    pub span: Option<(f64, f64)>,
    /// What its device marked it with, where that says more than that it is good.
    pub mark: Option<Box<str>>,
}

/// What was read.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Read {
    /// The values, in order of time.
    pub values: Vec<Stored>,
    /// The time of the nearest one that was left out, where there are more than were wanted.
    pub cut: Option<Timestamp>,
}

/// A verdict on several items together, as it is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Told {
    /// The start of its period.
    pub at: Timestamp,
    /// The word of its class or grade; empty where there is none.
    pub class: String,
    /// Why there is none.
    pub reason: String,
}

/// What one answer holds of a time, by the ending of the field.
#[derive(Clone, Debug, Default)]
struct Fields {
    numbers: [Option<f64>; 5],
    texts: [Option<String>; 2],
}

impl Fields {
    fn put(&mut self, ending: usize, value: &Value) {
        if let Some(place) = self.numbers.get_mut(ending) {
            *place = value.as_f64().or(*place);
        } else if let Some(place) = self.texts.get_mut(ending - self.numbers.len()) {
            *place = value.as_str().map(str::to_owned).or(place.take());
        }
    }

    /// Gives the value; nothing where what is there says nothing of one.
    fn stored(&self, at: Timestamp) -> Option<Stored> {
        let [value, flag, raw, low, high] = self.numbers;
        let [censored, mark] = [&self.texts[0], &self.texts[1]];
        let stated = flag.map(|flag| flag as u8);
        let flag = stated.or(value.map(|_| 1))?;
        // What stands beside a missing value is what it took the place of.
        let value = value.filter(|_| flag != 9);
        // A revision writes these in any case, a first value only where they say something.
        let empty = |text: &Option<String>| text.as_deref() == Some("");
        let same = raw.is_some() && raw.map(f64::to_bits) == value.map(f64::to_bits);
        Some(Stored {
            at,
            value,
            censored: match censored.as_deref() {
                Some("<") => "<",
                Some(">") => ">",
                Some(_) | None => "",
            },
            raw: raw.filter(|_| value.is_some() && !same),
            flag,
            revision: same || empty(censored) || empty(mark),
            span: low.zip(high),
            mark: mark.as_deref().filter(|mark| !mark.is_empty()).map(Box::from),
        })
    }
}

type Rows = BTreeMap<i64, Fields>;

/// Reads values of a time, at most [`POINTS_MAX`] of them.
///
/// # Errors
/// The dialect can't be asked, the database is away or refuses, or its answer is unreadable.
pub async fn read(
    config: &Config,
    place: &Place,
    span: (Timestamp, Timestamp),
    keep: Keep,
) -> Result<Read, Error> {
    let rows = match config.dialect {
        Dialect::Influx1 => by_influxql(config, place, span, keep).await?,
        Dialect::Influx2 => by_flux(config, place, span, keep).await?,
        Dialect::Victoria => by_export(config, place, span, keep).await?,
    };
    let within = |at: i64| span.0.millis() <= at && at < span.1.millis();
    let mut rows: Vec<(i64, Fields)> = rows.into_iter().filter(|(at, _)| within(*at)).collect();
    let cut = keep.cut(&mut rows).map(|(at, _)| Timestamp(at));
    let values = rows.into_iter().filter_map(|(at, fields)| fields.stored(Timestamp(at)));
    Ok(Read { values: values.collect(), cut })
}

/// Reads what a station came to by an index and a period, in order of time.
///
/// # Errors
/// As of [`read`]; of VictoriaMetrics, that it keeps no words.
pub async fn told(
    config: &Config,
    (station, subject, period): (&str, &str, &str),
    (from, to): (Timestamp, Timestamp),
) -> Result<Vec<Told>, Error> {
    const WHAT: &str = "classes of a station";
    let told = |at, class: &Value, reason: &Value| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Told { at: Timestamp(at), class: text(class), reason: text(reason) }
    };
    match config.dialect {
        Dialect::Victoria => Err(Error::NoFlux {
            reason: "dialect victoria keeps numbers and no classes".to_owned(),
        }),
        Dialect::Influx1 => {
            let statement = format!(
                "SELECT class, reason FROM assessment WHERE {} AND {} AND {} AND time >= {}ms AND \
                 time < {}ms ORDER BY time DESC LIMIT {POINTS_MAX}",
                equals("station", station),
                equals("subject", subject),
                equals("period", period),
                from.millis(),
                to.millis()
            );
            let rows = ask_influxql(config, WHAT, &statement).await?;
            let row =
                |row: &Vec<Value>| Some(told(row.first()?.as_i64()?, row.get(1)?, row.get(2)?));
            Ok(rows.iter().rev().filter_map(row).collect())
        }
        Dialect::Influx2 => {
            let tags = [("station", station), ("subject", subject), ("period", period)];
            let keep = Keep::Newest(POINTS_MAX);
            let flux = flux(config, "assessment", &tags, &["class", "reason"], (from, to), keep);
            let mut found: BTreeMap<i64, [Value; 2]> = BTreeMap::new();
            for row in ask_flux(config, WHAT, flux).await? {
                let [class, reason] = found.entry(row.at).or_default();
                if row.field == "class" {
                    *class = row.value;
                } else {
                    *reason = row.value;
                }
            }
            let each = found.into_iter();
            Ok(each.map(|(at, [class, reason])| told(at, &class, &reason)).collect())
        }
    }
}

async fn by_influxql(
    config: &Config,
    place: &Place,
    (from, to): (Timestamp, Timestamp),
    keep: Keep,
) -> Result<Rows, Error> {
    let fields = ENDINGS.map(|ending| quoted_identifier(&format!("{}{ending}", place.field)));
    let statement = format!(
        "SELECT {} FROM {} WHERE {} AND {} AND time >= {}ms AND time < {}ms \
         ORDER BY time {} LIMIT {}",
        fields.join(", "),
        quoted_identifier(&place.measurement),
        equals("station", &place.station),
        equals("position", &place.position),
        from.millis(),
        to.millis(),
        if keep.is_newest() { "DESC" } else { "ASC" },
        keep.asked(),
    );
    let mut rows = Rows::new();
    for row in ask_influxql(config, "values of a time", &statement).await? {
        let Some((at, values)) = row.split_first() else { continue };
        let Some(at) = at.as_i64() else { continue };
        let fields = rows.entry(at).or_default();
        values.iter().enumerate().for_each(|(ending, value)| fields.put(ending, value));
    }
    Ok(rows)
}

/// What InfluxDB 1 answers.
#[derive(Deserialize)]
struct Answer {
    results: Vec<AnswerPart>,
}

#[derive(Deserialize)]
struct AnswerPart {
    error: Option<String>,
    #[serde(default)]
    series: Vec<AnswerSeries>,
}

#[derive(Deserialize)]
struct AnswerSeries {
    values: Vec<Vec<Value>>,
}

async fn ask_influxql(
    config: &Config,
    what: &'static str,
    statement: &str,
) -> Result<Vec<Vec<Value>>, Error> {
    config.check()?;
    let pairs = [("db", &*config.bucket), ("epoch", "ms"), ("q", statement)];
    let body = ask(config, what, "query", &pairs).await?;
    let unreadable = |fault: String| Error::Unreadable { what, fault };
    let answer: Answer =
        serde_json::from_slice(&body).map_err(|error| unreadable(error.to_string()))?;
    if let Some(error) = answer.results.iter().find_map(|part| part.error.clone()) {
        return Err(unreadable(error));
    }
    let series = answer.results.into_iter().flat_map(|part| part.series);
    Ok(series.flat_map(|one| one.values).collect())
}

async fn by_flux(
    config: &Config,
    place: &Place,
    span: (Timestamp, Timestamp),
    keep: Keep,
) -> Result<Rows, Error> {
    let names = ENDINGS.map(|ending| format!("{}{ending}", place.field));
    let fields: Vec<&str> = names.iter().map(String::as_str).collect();
    let tags = [("station", &*place.station), ("position", &*place.position)];
    let flux = flux(config, &place.measurement, &tags, &fields, span, keep);
    let mut rows = Rows::new();
    for row in ask_flux(config, "values of a time", flux).await? {
        if let Some(ending) = names.iter().position(|name| *name == row.field) {
            rows.entry(row.at).or_default().put(ending, &row.value);
        }
    }
    Ok(rows)
}

/// Writes a question in Flux; a tag that is asked for empty must not be there.
fn flux(
    config: &Config,
    measurement: &str,
    tags: &[(&str, &str)],
    fields: &[&str],
    (from, to): (Timestamp, Timestamp),
    keep: Keep,
) -> String {
    let tag = |(key, value): &(&str, &str)| match *value {
        "" => format!("not exists r.{key}"),
        value => format!("r.{key} == {}", quoted(value)),
    };
    let tags: Vec<String> = tags.iter().map(tag).collect();
    let fields: Vec<String> =
        fields.iter().map(|field| format!("r._field == {}", quoted(field))).collect();
    // Fields of several types stand in tables of their own, so they are not put together.
    format!(
        "from(bucket: {}) |> range(start: {}, stop: {}) \
         |> filter(fn: (r) => r._measurement == {} and {} and ({})) \
         |> keep(columns: [\"_time\", \"_field\", \"_value\", \"subject\", \"position\", \
         \"period\"]) |> group(columns: [\"_field\"]) \
         |> sort(columns: [\"_time\"], desc: {}) |> limit(n: {})",
        quoted(&config.bucket),
        from.rfc3339(&TimeZone::UTC),
        to.rfc3339(&TimeZone::UTC),
        quoted(measurement),
        tags.join(" and "),
        fields.join(" or "),
        keep.is_newest(),
        keep.asked(),
    )
}

/// A value of one field, as Flux gives it.
struct FluxRow {
    at: i64,
    field: String,
    value: Value,
    /// Subject, position and period, each empty where there is none.
    tags: [String; 3],
}

async fn ask_flux(
    config: &Config,
    what: &'static str,
    flux: String,
) -> Result<Vec<FluxRow>, Error> {
    let client = client(config)?;
    apart(config, what, async move {
        let answer = client.query_raw_iter(Some(Query::new(flux))).await?;
        let mut records = answer.result();
        let mut found = Vec::new();
        while let Some(record) = records.next()? {
            let of = |key: &str| record.values.get(key);
            let (Some(FluxValue::TimeRFC(at)), Some(FluxValue::String(field)), Some(value)) =
                (of("_time"), of("_field"), of("_value"))
            else {
                continue;
            };
            let value = match value {
                FluxValue::Double(number) => Value::from(number.into_inner()),
                FluxValue::Long(number) => Value::from(*number),
                FluxValue::UnsignedLong(number) => Value::from(*number),
                FluxValue::String(text) => Value::from(text.as_str()),
                FluxValue::Bool(truth) => Value::from(*truth),
                FluxValue::Unknown
                | FluxValue::Duration(_)
                | FluxValue::Base64Binary(_)
                | FluxValue::TimeRFC(_) => continue,
            };
            let tags = ["subject", "position", "period"].map(|key| match of(key) {
                Some(FluxValue::String(text)) => text.clone(),
                Some(_) | None => String::new(),
            });
            let (at, field) = (at.timestamp_millis(), field.clone());
            found.push(FluxRow { at, field, value, tags });
        }
        Ok(found)
    })
    .await
}

/// What VictoriaMetrics answers, a line a series.
#[derive(Deserialize)]
struct Exported {
    metric: BTreeMap<String, String>,
    values: Vec<Option<f64>>,
    timestamps: Vec<i64>,
}

/// It knows no number of rows to stop at, so the first ones of a long time are looked for in parts
/// of it, each twice as long as the one before.
async fn by_export(
    config: &Config,
    place: &Place,
    span: (Timestamp, Timestamp),
    keep: Keep,
) -> Result<Rows, Error> {
    let mut rows = Rows::new();
    if keep.is_newest() {
        export(config, place, span, &mut rows).await?;
        return Ok(rows);
    }
    let ((mut from, to), mut length) = (span, DAY);
    while from < to && rows.len() < keep.asked() {
        let until = from.plus(length).min(to);
        export(config, place, (from, until), &mut rows).await?;
        (from, length) = (until, length * 2);
    }
    Ok(rows)
}

async fn export(
    config: &Config,
    place: &Place,
    (from, to): (Timestamp, Timestamp),
    rows: &mut Rows,
) -> Result<(), Error> {
    const WHAT: &str = "values of a time";
    let name = format!("{}_{}", place.measurement, place.field);
    let db = match config.bucket.as_str() {
        "" => String::new(),
        bucket => format!(",db={}", label(bucket)),
    };
    let matches = format!(
        "{{__name__=~{},station={},position={}{db}}}",
        label(&format!("{}(_qc|_raw|_min|_max)?", literal(&name))),
        label(&place.station),
        label(&place.position),
    );
    let second = |at: Timestamp| format!("{:.3}", at.millis() as f64 / 1_000.0);
    let (start, end) = (second(from), second(to));
    let pairs = [("match[]", &*matches), ("start", &start), ("end", &end)];
    let body = ask(config, WHAT, "api/v1/export", &pairs).await?;
    for line in body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let unreadable =
            |error: serde_json::Error| Error::Unreadable { what: WHAT, fault: error.to_string() };
        let series: Exported = serde_json::from_slice(line).map_err(unreadable)?;
        let metric = series.metric.get("__name__").and_then(|own| own.strip_prefix(&name));
        let ending = metric.and_then(|ending| ENDINGS.iter().position(|one| *one == ending));
        let Some(ending) = ending else { continue };
        for (at, value) in series.timestamps.into_iter().zip(series.values) {
            rows.entry(at).or_default().put(ending, &Value::from(value));
        }
    }
    Ok(())
}

/// Asks one of the database's doors; reads no more of the answer than it should have.
async fn ask(
    config: &Config,
    what: &'static str,
    door: &str,
    pairs: &[(&str, &str)],
) -> Result<Vec<u8>, Error> {
    let client =
        config.client()?.build().map_err(|error| Error::Client { fault: causes(&error) })?;
    let request = client.get(config.door(door)?).query(pairs);
    let request = authorise(request, &config.credentials()?, config.dialect);
    let mut response = request.send().await.map_err(|error| away(config, error))?;
    let status = response.status();
    if !status.is_success() {
        let words = read_words(response).await;
        return Err(answered(config, what, status.as_u16(), &words));
    }
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|error| away(config, error))? {
        body.extend_from_slice(&part);
        if body.len() > ANSWER_BYTES_MAX {
            let fault = format!("more than {} MiB; ask for less", ANSWER_BYTES_MAX >> 20);
            return Err(Error::Unreadable { what, fault });
        }
    }
    Ok(body)
}

/// Writes a comparison of InfluxQL; a tag that is not there equals nothing.
fn equals(key: &str, value: &str) -> String {
    let value: String = value.chars().filter(|letter| !letter.is_control()).collect();
    let value = value.replace('\\', "\\\\").replace('\'', "\\'");
    format!("{} = '{value}'", quoted_identifier(key))
}

/// Writes the value of a label in a selector.
fn label(text: &str) -> String {
    Value::from(text).to_string()
}

/// Writes a regular expression that fits this text only.
fn literal(text: &str) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || letter == '_';
    let each = text
        .chars()
        .flat_map(|letter| (!plain(letter)).then_some('\\').into_iter().chain([letter]));
    each.collect()
}
