//! What values came to, as points of the measurement `assessment` say it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::domain::time::Timestamp;

use super::{Keep, ask_flux, ask_influxql, equals, flux};
use crate::influx::query::quoted_identifier;
use crate::influx::{Config, Dialect, Error};

const WHAT: &str = "verdicts of a time";
/// What tells verdicts of one time apart.
const TAGS: [&str; 3] = ["subject", "position", "period"];
/// What they say.
const FIELDS: [&str; 8] =
    ["verdict", "limit", "class", "reason", "edition", "value", "multiple", "unconfirmed"];

/// Which verdicts are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Of<'o> {
    /// The station.
    pub station: &'o str,
    /// The field of the value or the word of the index, if only those of one are wanted.
    pub subject: Option<&'o str>,
    /// From when to before when.
    pub span: (Timestamp, Timestamp),
    /// How many, the oldest; one more shows that there are more.
    pub most: usize,
}

/// A verdict as it is stored; texts are empty where they say nothing.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Judged {
    /// The instant, or the start of the period.
    pub at: Timestamp,
    /// The field of the value, or the word of the index.
    pub subject: String,
    /// Which of several sensors.
    pub position: String,
    /// The word of the period.
    pub period: String,
    /// `within`, `exceeds`, `not_assessable`, or of an index without a target `none`.
    pub verdict: String,
    /// Instrument, clause and class of the limit.
    pub limit: String,
    /// The class, grade or state.
    pub class: String,
    /// Why there is no verdict.
    pub reason: String,
    /// The digest of the edition by which it was judged.
    pub edition: String,
    /// The value, or the number of the index.
    pub value: Option<f64>,
    /// How many times over the limit.
    pub multiple: Option<f64>,
    /// Whether a suspect value takes part.
    pub unconfirmed: bool,
}

/// What stands at one time: by time and tags.
type Found = BTreeMap<(i64, [String; 3]), Judged>;

/// Reads what a station's values came to, in order of time, one more than is wanted where there
/// are more.
///
/// # Errors
/// As of [`super::read`]; of VictoriaMetrics, that it keeps no words.
pub async fn judged(config: &Config, of: &Of<'_>) -> Result<Vec<Judged>, Error> {
    let (mut found, keep) = (Found::new(), Keep::First(of.most));
    match config.dialect {
        Dialect::Victoria => {
            let reason = "dialect victoria keeps numbers and no verdicts".to_owned();
            return Err(Error::NoFlux { reason });
        }
        Dialect::Influx1 => {
            let statement = influxql(of, keep);
            for row in ask_influxql(config, WHAT, &statement).await? {
                let Some((at, rest)) = row.split_first() else { continue };
                let Some(at) = at.as_i64() else { continue };
                let Some((tags, fields)) = rest.split_at_checked(TAGS.len()) else { continue };
                let text = |place: usize| tags.get(place).and_then(Value::as_str);
                let tags = [0, 1, 2].map(|place| text(place).unwrap_or_default().to_owned());
                for (field, value) in FIELDS.iter().zip(fields) {
                    put(&mut found, (at, &tags), field, value);
                }
            }
        }
        Dialect::Influx2 => {
            let mut tags = vec![("station", of.station)];
            tags.extend(of.subject.map(|subject| ("subject", subject)));
            let flux = flux(config, "assessment", &tags, &FIELDS, of.span, keep);
            for row in ask_flux(config, WHAT, flux).await? {
                put(&mut found, (row.at, &row.tags), &row.field, &row.value);
            }
        }
    }
    let mut judged: Vec<Judged> = found.into_values().collect();
    judged.truncate(keep.asked());
    Ok(judged)
}

fn influxql(of: &Of<'_>, keep: Keep) -> String {
    let (from, to) = of.span;
    let names = TAGS.iter().chain(&FIELDS).map(|name| quoted_identifier(name));
    let subject =
        of.subject.map_or(String::new(), |one| format!(" AND {}", equals("subject", one)));
    format!(
        "SELECT {} FROM assessment WHERE {}{subject} AND time >= {}ms AND time < {}ms \
         ORDER BY time ASC LIMIT {}",
        names.collect::<Vec<_>>().join(", "),
        equals("station", of.station),
        from.millis(),
        to.millis(),
        keep.asked(),
    )
}

fn put(found: &mut Found, (at, tags): (i64, &[String; 3]), field: &str, value: &Value) {
    let one = found.entry((at, tags.clone())).or_insert_with(|| {
        let [subject, position, period] = tags.clone();
        Judged { at: Timestamp(at), subject, position, period, ..Judged::default() }
    });
    let text = || value.as_str().unwrap_or_default().to_owned();
    match field {
        "verdict" => one.verdict = text(),
        "limit" => one.limit = text(),
        "class" => one.class = text(),
        "reason" => one.reason = text(),
        "edition" => one.edition = text(),
        "value" => one.value = value.as_f64(),
        "multiple" => one.multiple = value.as_f64(),
        "unconfirmed" => one.unconfirmed = value.as_bool().unwrap_or(false),
        _ => {}
    }
}
