//! The pages of one station: what it says, its series, and the raw message of a value.

#[cfg(test)]
mod tests;

use std::fmt;

use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::domain::time::{DAY, HOUR, Timestamp};
use crate::http::door::{Answering, Shared};
use crate::http::pages::{Fault, KeptUp, Query, Shown};
use crate::http::series::{self, Frame, Heading, LimitLine, Point};
use crate::http::view::Text;
use crate::http::view::station::{Choice, RawPage, SeriesView, StationPage, StripView};

/// How many rows of the table of a series one page has; the others stand on further ones.
const ROWS_SHOWN_MAX: usize = 200;
/// How long a time may be drawn, by the word of its choice.
const SPANS: [(&str, i64); 4] =
    [("6h", 6 * HOUR), ("24h", DAY), ("7d", 7 * DAY), ("31d", 31 * DAY)];

/// Gives what is asked for.
type Giver<A, T> = Box<dyn Fn(A) -> T + Send + Sync>;

/// Where the pages of a station get what they show.
pub struct Source {
    /// The station of a name; nothing if there is none.
    pub station: Giver<String, Option<StationPage>>,
    /// Its classes by day.
    pub strip: Giver<String, Answering<StripView>>,
    /// A series; nothing if the station has none of that name.
    pub series: Giver<Wanted, Answering<Option<Series>>>,
    /// The raw message of a value; nothing if there is no such series.
    pub raw: Giver<Wanted, Answering<Option<RawPage>>>,
}

impl fmt::Debug for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Source").finish_non_exhaustive()
    }
}

impl Default for Source {
    /// Knows no station.
    fn default() -> Self {
        Self {
            station: Box::new(|_| None),
            strip: Box::new(|_| Box::pin(async { StripView::default() })),
            series: Box::new(|_| Box::pin(async { None })),
            raw: Box::new(|_| Box::pin(async { None })),
        }
    }
}

/// Which series is wanted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Wanted {
    /// The station.
    pub station: String,
    /// The datastream; the first one that matters if empty.
    pub series: String,
    /// The word of the period; the values themselves if empty.
    pub period: String,
    /// From when on, as people write times; as long before the end as `length_ms` if empty.
    pub from: String,
    /// Until before when; until now if empty.
    pub to: String,
    /// How long, ms.
    pub length_ms: i64,
}

/// A series with all that it is drawn by.
#[derive(Clone, Debug)]
pub struct Series {
    /// The datastream.
    pub series: String,
    /// Its property.
    pub property: Text,
    /// Where at the station.
    pub position: String,
    /// What its values are.
    pub kind: Text,
    /// The word of what they state, for programs.
    pub statistic: String,
    /// Whether a sensor said its values: they are no averages and not derived.
    pub sensed: bool,
    /// The unit.
    pub unit: String,
    /// Decimals of a number.
    pub decimals: usize,
    /// The zone of the station.
    pub zone: TimeZone,
    /// The first instant.
    pub from: Timestamp,
    /// The first instant after.
    pub to: Timestamp,
    /// What is now.
    pub now: Timestamp,
    /// Values further apart have a gap between them, ms.
    pub gap_ms: i64,
    /// The values, in order of time.
    pub points: Vec<Point>,
    /// The limits.
    pub limits: Vec<LimitLine>,
    /// The datastreams that there are.
    pub choices: Vec<Choice>,
    /// The periods that there are.
    pub periods: Vec<Choice>,
    /// What is to be known of where the values come from.
    pub notes: Vec<Text>,
}

/// What the page of a station is made of.
#[derive(Debug, Serialize)]
struct Whole {
    station: StationPage,
    series: Option<SeriesView>,
    strip: StripView,
}

fn unknown() -> Fault {
    Fault::Unknown(Text::new("There is no such station.", "没有这个站点。"))
}

/// Makes the page of a station.
pub(super) async fn show(shared: &Shared, name: &str, query: &Query) -> Result<Shown, Fault> {
    let source = &shared.source.stations;
    let station = (source.station)(name.to_owned()).ok_or_else(unknown)?;
    let (mut series, mut strip) = (None, StripView::default());
    match query.kept_up() {
        None => {
            let (found, days) =
                tokio::join!((source.series)(wanted(name, query)), (source.strip)(name.to_owned()));
            strip = days;
            if found.is_none() && query.get("series").is_some() {
                let words = Text::new("The station has no such series.", "该站点没有这个序列。");
                return Err(Fault::Unknown(words));
            }
            series = found.map(|found| series_view(&found, query));
        }
        Some(KeptUp::Fetched) if goes_on(query) => {
            let found = (source.series)(wanted(name, query)).await;
            series = found.map(|found| series_view(&found, query));
        }
        Some(KeptUp::Fetched | KeptUp::Hand) => {}
    }
    let live: &[&str] =
        if series.is_some() { &["live_station", "live_series"] } else { &["live_station"] };
    let whole = Whole { station, series, strip };
    Ok(Shown::new("station.html", whole).with_live(live))
}

/// Says whether a drawing goes on with time: it ends now, and no table beside it has its numbers.
fn goes_on(query: &Query) -> bool {
    query.get("until").is_none() && query.get("table").is_none()
}

/// Makes the page of the raw message of a value.
pub(super) async fn raw(shared: &Shared, name: &str, query: &Query) -> Result<Shown, Fault> {
    let at = query.get("at").unwrap_or_default().to_owned();
    let wanted = Wanted { from: at.clone(), to: at, ..wanted(name, query) };
    let page = (shared.source.stations.raw)(wanted).await.ok_or_else(unknown)?;
    Ok(Shown::new("raw.html", page))
}

/// Answers with the values of a series as CSV.
pub(super) async fn csv(shared: &Shared, name: &str, query: &Query) -> Response {
    let text = |name: &str| query.get(name).unwrap_or_default().to_owned();
    let mut wanted = wanted(name, query);
    wanted.from = text("from");
    if let Some(to) = query.get("to") {
        to.clone_into(&mut wanted.to);
    }
    let Some(found) = (shared.source.stations.series)(wanted).await else {
        return (StatusCode::NOT_FOUND, "there is no such station or series\n").into_response();
    };
    let of = Heading {
        zone: &found.zone,
        unit: &found.unit,
        statistic: &found.statistic,
        station: name,
        property: &found.property.en,
        datastream: &found.series,
        sensed: found.sensed,
    };
    let text = series::csv(&found.points, of);
    let file: String = found
        .series
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' })
        .collect();
    let disposition = format!("attachment; filename=\"{file}.csv\"");
    let kind = "text/csv; charset=utf-8; header=present".to_owned();
    ([(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, disposition)], text).into_response()
}

fn wanted(name: &str, query: &Query) -> Wanted {
    let text = |name: &str| query.get(name).unwrap_or_default().to_owned();
    Wanted {
        station: name.to_owned(),
        series: text("series"),
        period: text("period"),
        from: String::new(),
        to: text("until"),
        length_ms: span(query).1,
    }
}

fn span(query: &Query) -> (&'static str, i64) {
    let asked = query.get("span");
    let found = SPANS.into_iter().find(|(word, _)| Some(*word) == asked);
    found.unwrap_or(("24h", DAY))
}

/// Draws a series, and tells which ways lead on from it.
fn series_view(found: &Series, query: &Query) -> SeriesView {
    let (word, length) = span(query);
    let Series { zone, from, to, decimals, .. } = found;
    let (from, to, decimals, gap_ms) = (*from, *to, *decimals, found.gap_ms);
    let frame = Frame { from, to, zone, gap_ms, decimals };
    let mut drawing = series::draw(&found.points, &found.limits, frame);
    let table = query.get("table").is_some();
    let part = query.number("table", 1).max(1);
    let rows = if table { drawing.columns.clone() } else { Vec::new() };
    let parts = rows.len().div_ceil(ROWS_SHOWN_MAX).max(1);
    let part = part.min(parts);
    let shown = rows.into_iter().rev().skip((part - 1) * ROWS_SHOWN_MAX).take(ROWS_SHOWN_MAX);
    let rows = shown.collect();
    let values = found.points.iter().filter(|point| point.flag != 4);
    let values = values.filter_map(|point| point.value.filter(|value| value.is_finite()));
    let ends = values.fold(None, |ends: Option<(f64, f64)>, value| {
        let (low, high) = ends.unwrap_or((value, value));
        Some((low.min(value), high.max(value)))
    });
    if table {
        // The numbers stand in the table; twice they would be too much for a page.
        drawing.columns.clear();
    }
    let period = found.periods.iter().find(|one| one.chosen).map_or("", |one| &one.id);
    let link = |until: &str| {
        let mut pairs = url::form_urlencoded::Serializer::new(String::new());
        pairs.append_pair("series", &found.series).append_pair("span", word);
        for (name, value) in [("period", period), ("until", until)] {
            if !value.is_empty() {
                pairs.append_pair(name, value);
            }
        }
        pairs.finish()
    };
    let until = query.get("until").unwrap_or_default();
    // A time that reaches beyond now ends now.
    let later = match to.plus(length) {
        _ if to >= found.now => String::new(),
        after if after >= found.now => link(""),
        after => link(&after.rfc3339(zone)),
    };
    let exported = |from: Timestamp, to: Timestamp| {
        let mut pairs = url::form_urlencoded::Serializer::new(String::new());
        let (from, to) = (from.rfc3339(zone), to.rfc3339(zone));
        pairs.append_pair("series", &found.series).append_pair("period", period);
        pairs.append_pair("from", &from).append_pair("to", &to).finish()
    };
    SeriesView {
        series: found.series.clone(),
        property: found.property.clone(),
        position: found.position.clone(),
        kind: found.kind.clone(),
        unit: found.unit.clone(),
        from: from.rfc3339(zone),
        to: to.rfc3339(zone),
        choices: found.choices.clone(),
        periods: found.periods.clone(),
        spans: SPANS.map(|(one, _)| span_choice(one, one == word)).to_vec(),
        until: until.to_owned(),
        count: found.points.len(),
        flagged: found.points.iter().filter(|point| point.flag > 2).count(),
        revised: found.points.iter().filter(|point| point.revision).count(),
        extremes: ends.map(|(low, high)| [low, high].map(|value| format!("{value:.decimals$}"))),
        notes: found.notes.clone(),
        drawing,
        rows,
        part: table.then_some([part, parts]),
        here: link(until),
        earlier: link(&from.rfc3339(zone)),
        later,
        csv: exported(from, to),
        raw: format!("series={}", percent(&found.series)),
    }
}

fn percent(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn span_choice(word: &str, chosen: bool) -> Choice {
    let name = match word {
        "6h" => Text::new("6 hours", "6 小时"),
        "24h" => Text::new("24 hours", "24 小时"),
        "7d" => Text::new("7 days", "7 天"),
        _ => Text::new("31 days", "31 天"),
    };
    Choice { id: word.to_owned(), name, chosen }
}
