//! What is kept of the past, for programs: values and what they came to, out of the database or
//! the embedded store, and over it what weir remembers itself.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::daemon::page::Observer;
use crate::daemon::page::api::span;
use crate::daemon::page::api::world::{Observed, World, observation, phenomenon_time};
use crate::daemon::page::series::means;
use crate::daemon::page::stored::{Lack, Row, Store, answer};
use crate::domain::observation::{NilReason, Period};
use crate::domain::quality::Flag;
use crate::domain::registry::{Datastream, Station};
use crate::domain::time::{PhenomenonTime, Timestamp};
use crate::http::api::asked::{Answer, Found, Refused, Within};
use crate::influx::Dialect;
use crate::influx::line;
use crate::influx::series::Keep;
use crate::influx::series::judged::{Judged, Of, judged};
use crate::pipeline::state::StreamState;

/// How long the database may take to answer a program, which waits longer than a page may.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// How many days of values, hours and verdicts are read at once.
const DAYS_MAX: i64 = 400;
/// How many days of means of a day or longer are read at once: eleven years.
const DAYS_OF_MEANS_MAX: i64 = 4_018;
/// How many verdicts are read at once, so that those of one instant of a station stay together.
const VERDICTS_MAX: usize = 1_000;
/// How many programs ask the database at once; others wait.
pub(in crate::daemon::page) const READS_MAX: usize = 2;

impl Observer {
    /// Gives values of a datastream, oldest first.
    pub(super) async fn observations(
        &self,
        (name, period): (&str, Period),
        stored: bool,
        within: &Within,
    ) -> Answer {
        let view = self.status.view.load_full().ok_or(Refused::NotYet)?;
        let world = World(&view);
        let (station, stream) = world.find_stream(name)?;
        has_period(stream, period)?;
        let days = match period {
            Period::Native | Period::Hour | Period::EightHours => DAYS_MAX,
            Period::Day
            | Period::DayMaxEightHours
            | Period::Month
            | Period::Quarter
            | Period::Year => DAYS_OF_MEANS_MAX,
        };
        let span = span(within, &station.zone, view.at.wall, days)?;
        let store = Store::of(&self.config);
        let (mut values, mut cut) = (BTreeMap::new(), None);
        if stored {
            let _place = self.reads.acquire().await;
            let how = (Keep::First(within.count), ANSWER_MAX);
            let read = store.read(&view.registry, (stream, period), span, how).await;
            let found =
                read.map_err(|lack| refused(lack, "stored=false gives what weir remembers"))?;
            cut = found.cut;
            let each = found.rows.iter();
            values.extend(each.map(|row| (row.point.at, of_row(station, stream, period, row))));
        }
        // The embedded store is at hand and has all; a database is as new as its last delivery.
        if !stored || matches!(store, Store::Database(_)) {
            let until = cut.map_or(span.1, |cut| cut.min(span.1));
            let held = world.held(station, stream);
            let held = held.map_or_else(Vec::new, |held| {
                remembered(&world, (station, stream), period, held, (span.0, until))
            });
            values.extend(held);
        }
        let next = values.keys().nth(within.count).copied().or(cut);
        let next = next.map(|at| ("from", at.rfc3339(&station.zone)));
        let value = values.into_values().take(within.count).collect();
        Ok(Found::List { value, next })
    }

    /// Gives what a station's values came to when they did, oldest first. What is of one instant
    /// stays together.
    pub(super) async fn judged(
        &self,
        name: &str,
        subject: Option<&str>,
        within: &Within,
    ) -> Answer {
        let view = self.status.view.load_full().ok_or(Refused::NotYet)?;
        let world = World(&view);
        let station = world.find(name)?;
        let span = span(within, &station.zone, view.at.wall, DAYS_MAX)?;
        let config = match Store::of(&self.config) {
            Store::Embedded(_) => {
                let words = "without a database weir keeps values, and what they come to as of \
                             now: ask /api/v1/assessments, or have points written to InfluxDB \
                             ([influx])";
                return Err(Refused::NotKept(words.to_owned()));
            }
            Store::Database(config) if config.dialect == Dialect::Victoria => {
                let words = "VictoriaMetrics keeps numbers and no verdicts: ask \
                             /api/v1/assessments for those of now, /api/v1/observations for values";
                return Err(Refused::NotKept(words.to_owned()));
            }
            Store::Database(config) => config,
        };
        let most = within.count.max(VERDICTS_MAX);
        let of = Of { station: name, subject, span, most };
        let _place = self.reads.acquire().await;
        let read = answer(&config, ANSWER_MAX, judged(&config, &of)).await;
        let mut found =
            read.map_err(|lack| refused(lack, "/api/v1/assessments has those of now"))?;
        let cut = match found.get(within.count).map(|one| one.at) {
            // All of one instant, where that alone is more than so many.
            Some(at) if found.first().is_some_and(|one| one.at == at) => {
                found.iter().map(|one| one.at).find(|one| *one > at)
            }
            other => other,
        };
        if let Some(cut) = cut {
            found.truncate(found.partition_point(|one| one.at < cut));
        }
        let value = found.iter().map(|one| of_judged(station, one)).collect();
        Ok(Found::List { value, next: cut.map(|at| ("from", at.rfc3339(&station.zone))) })
    }
}

/// Refuses means that are not made of a datastream's values.
fn has_period(stream: &Datastream, period: Period) -> Result<(), Refused> {
    let periods: Vec<Period> = line::periods(stream).collect();
    if periods.contains(&period) {
        return Ok(());
    }
    let known: Vec<&str> = periods.into_iter().map(Period::word).collect();
    let (name, period, known) = (&stream.name, period.word(), known.join(", "));
    let words = format!("period `{period}`: `{name}` has no such means; it has {known}");
    Err(Refused::Wrong(vec![words]))
}

fn refused(lack: Lack, instead: &str) -> Refused {
    match lack {
        Lack::Journal(fault) => Refused::Broken(fault),
        Lack::Database(fault) => Refused::Away(format!("{fault}; {instead}")),
    }
}

/// Writes when a value of a period is of.
fn time(station: &Station, stream: &Datastream, period: Period, at: Timestamp) -> String {
    let time = match period.around(at, &station.zone) {
        None => stream.span_from(at),
        Some((start, end)) => PhenomenonTime::Interval { start, end },
    };
    phenomenon_time(time, &station.zone)
}

fn of_row(station: &Station, stream: &Datastream, period: Period, row: &Row) -> Value {
    let point = &row.point;
    observation(&Observed {
        time: &time(station, stream, period, point.at),
        result: point.value,
        censored: Some(point.censored).filter(|side| !side.is_empty()),
        nil: row.nil,
        flag: point.flag,
        quality: None,
        mark: row.mark.as_deref(),
    })
}

/// Gives what weir remembers itself of a time.
fn remembered(
    world: &World<'_>,
    (station, stream): (&Station, &Datastream),
    period: Period,
    held: &StreamState,
    span: (Timestamp, Timestamp),
) -> Vec<(Timestamp, Value)> {
    if period == Period::Native {
        let entries = held.history.between(span.0, span.1).into_iter();
        return entries.map(|entry| (entry.time, world.entry(station, stream, &entry))).collect();
    }
    let mean = |(at, value, flag): (Timestamp, Option<f64>, Flag)| {
        let value = observation(&Observed {
            time: &time(station, stream, period, at),
            result: value,
            censored: None,
            nil: value.is_none().then_some(NilReason::Incomplete),
            flag: flag.number(),
            quality: None,
            mark: None,
        });
        (at, value)
    };
    means(held, period, span).into_iter().map(mean).collect()
}

fn of_judged(station: &Station, one: &Judged) -> Value {
    let word = |text: &str| if text.is_empty() { Value::Null } else { text.into() };
    json!({
        "phenomenon_time": one.at.rfc3339(&station.zone), "subject": one.subject,
        "position": one.position, "period": one.period, "verdict": one.verdict,
        "limit": word(&one.limit), "class": word(&one.class), "reason": word(&one.reason),
        "value": one.value, "multiple": one.multiple, "unconfirmed": one.unconfirmed,
        "edition": word(&one.edition),
    })
}
