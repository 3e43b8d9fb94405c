//! A series for the page: what the database or the embedded store holds of a time, and over it what
//! weir remembers itself, which is the newest and has the newest flags. If the database is away,
//! what weir remembers is all, and that is said.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::daemon::page::station::{called, kind, property_name, streams};
use crate::daemon::page::stored::{Lack, Store, number};
use crate::daemon::page::verdict_of;
use crate::daemon::status::View;
use crate::daemon::threshold;
use crate::domain::assessment::{Bound, Limit, Verdict};
use crate::domain::condition::Condition;
use crate::domain::observation::Period;
use crate::domain::quality::Flag;
use crate::domain::registry::{Datastream, Registry, Station, Statistic};
use crate::domain::time::{DAY, HOUR, Timestamp};
use crate::http::series::{LimitLine, Point};
use crate::http::station::{Series, Wanted};
use crate::http::view::Text;
use crate::http::view::station::Choice;
use crate::influx::line;
use crate::influx::series::{Keep, POINTS_MAX};
use crate::pipeline::state::StreamState;

/// How long the database may take to answer; then the page does without.
pub(super) const ANSWER_MAX: Duration = Duration::from_secs(3);
/// How long a time may be asked for at once, ms.
const LENGTH_MAX_MS: i64 = 400 * DAY;

/// What of a series is read.
struct Reading<'v> {
    stream: &'v Datastream,
    station: &'v Station,
    period: Period,
    span: (Timestamp, Timestamp),
}

/// Gives a series; nothing if the station has none of that name.
pub(super) async fn series(view: &View, store: &Store, wanted: &Wanted) -> Option<Series> {
    let station = called(view, &wanted.station)?;
    let (stream, held) = chosen(view, station, &wanted.series)?;
    let registry = &view.registry;
    let periods: Vec<Period> = line::periods(stream).collect();
    let period = periods.iter().copied().find(|one| one.word() == wanted.period);
    let period = period.unwrap_or_default();
    let span = span(wanted, station, view.at.wall);
    let reading = Reading { stream, station, period, span };
    let mut notes = Vec::new();
    let mut points = stored(view, store, &reading, &mut notes).await;
    if let Some(held) = held {
        lay_over(&mut points, held, &reading);
    }
    let mut points: Vec<Point> = points.into_values().collect();
    if points.len() > POINTS_MAX {
        points.drain(..points.len() - POINTS_MAX);
        notes.push(cut());
    }
    notes.dedup();
    let property = registry.property(stream.property)?;
    let total = property.combine.is_total();
    Some(Series {
        series: stream.name.to_string(),
        property: property_name(registry, stream),
        position: stream.position.to_string(),
        kind: kind(stream, period, total),
        statistic: statistic(stream, period, total),
        sensed: period == Period::Native && stream.formulas.is_empty(),
        unit: registry.unit_label(property).to_owned(),
        decimals: usize::from(property.decimals),
        zone: station.zone.clone(),
        from: span.0,
        to: span.1,
        now: view.at.wall,
        gap_ms: gap_ms(stream, period),
        points,
        limits: limits(registry, stream, period),
        choices: choices(view, station, stream),
        periods: periods
            .into_iter()
            .map(|one| Choice {
                id: one.word().to_owned(),
                name: kind(stream, one, total),
                chosen: one == period,
            })
            .collect(),
        notes,
    })
}

/// Chooses the datastream of a name; without one the first whose value exceeds a limit, else the
/// first with a value, else the first.
fn chosen<'v>(
    view: &'v View,
    station: &'v Station,
    name: &str,
) -> Option<(&'v Datastream, Option<&'v StreamState>)> {
    let mut all = streams(view, station);
    if !name.is_empty() {
        return all.find(|(stream, _)| *stream.name == *name);
    }
    let rank = |(_, held): &(&Datastream, Option<&StreamState>)| match held {
        Some(held) => match verdict_of(held) {
            Some((Verdict::Exceeds { .. }, _)) => 0,
            Some((Verdict::Within { .. }, _)) => 1,
            Some((Verdict::NotAssessable(_), _)) | None => 2 + u8::from(held.newest.is_none()),
        },
        None => 3,
    };
    all.min_by_key(rank)
}

/// Gives the time that is asked for; one that can't be read is the last hours.
fn span(wanted: &Wanted, station: &Station, now: Timestamp) -> (Timestamp, Timestamp) {
    let read = |text: &str| Timestamp::of_text_or_offset(text.trim(), &station.zone);
    let length = wanted.length_ms.clamp(1, LENGTH_MAX_MS);
    let to = read(&wanted.to).unwrap_or(now.plus(1));
    let from = read(&wanted.from).filter(|from| *from < to);
    let from = from.unwrap_or(to.plus(-length));
    (from.max(to.plus(-LENGTH_MAX_MS)), to)
}

fn cut() -> Text {
    Text::new(
        format!("Only the newest {POINTS_MAX} values are shown; choose a shorter time."),
        format!("仅显示最新的 {POINTS_MAX} 个数值；请缩短时段。"),
    )
}

/// Reads what is stored of a time.
async fn stored(
    view: &View,
    store: &Store,
    reading: &Reading<'_>,
    notes: &mut Vec<Text>,
) -> BTreeMap<Timestamp, Point> {
    let Reading { stream, period, span, .. } = *reading;
    let how = (Keep::Newest(POINTS_MAX), ANSWER_MAX);
    let found = match store.read(&view.registry, (stream, period), span, how).await {
        Ok(found) => found,
        Err(lack) => {
            notes.push(away(&lack));
            return BTreeMap::new();
        }
    };
    if found.cut.is_some() {
        notes.push(cut());
    }
    let points = found.rows.into_iter().map(|row| lasting(row.point, reading));
    points.map(|point| (point.at, point)).collect()
}

/// Says that there is no more than what weir remembers, and why.
pub(super) fn away(lack: &Lack) -> Text {
    match lack {
        Lack::Journal(fault) => Text::new(
            format!("The journal can't be read ({fault}): shown is what weir remembers."),
            format!("无法读取日志（{fault}）：仅显示weir记忆中的数值。"),
        ),
        Lack::Database(fault) => Text::new(
            format!("The database can't be asked ({fault}): shown is what weir remembers itself."),
            format!("无法查询数据库（{fault}）：仅显示weir自身记忆中的数值。"),
        ),
    }
}

/// Has a value last as long as its interval.
fn lasting(point: Point, reading: &Reading<'_>) -> Point {
    let Reading { stream, station, period, .. } = reading;
    // A native value has no natural period.
    let around = period.around(point.at, &station.zone);
    let until = around.map_or_else(|| stream.span_from(point.at).end(), |(_, end)| end);
    Point { until, ..point }
}

/// Lays what weir remembers over what is stored: it is as new, or newer.
fn lay_over(points: &mut BTreeMap<Timestamp, Point>, held: &StreamState, reading: &Reading<'_>) {
    let (from, to) = reading.span;
    if reading.period == Period::Native {
        for entry in held.history.between(from, to) {
            let (value, censored) = number(entry.result);
            let flag = entry.flag().number();
            let (at, until) = (entry.time, entry.time);
            let point = Point { at, until, value, censored, flag, ..Point::default() };
            lay(points, lasting(point, reading));
        }
    }
    for (at, value, flag) in means(held, reading.period, (from, to)) {
        let point = Point { at, until: at, value, flag: flag.number(), ..Point::default() };
        lay(points, lasting(point, reading));
    }
}

/// Gives the means of hours or days of a time that weir remembers itself: when each begins, its
/// value and its flag. None of another period.
pub(super) fn means(
    held: &StreamState,
    period: Period,
    (from, to): (Timestamp, Timestamp),
) -> Vec<(Timestamp, Option<f64>, Flag)> {
    let windows = match period {
        Period::Hour => &held.hours,
        Period::Day => &held.days,
        Period::Native
        | Period::EightHours
        | Period::DayMaxEightHours
        | Period::Month
        | Period::Quarter
        | Period::Year => return Vec::new(),
    };
    let flag = |value: Option<f64>, suspect| match (value, suspect) {
        (None, _) => Flag::Missing,
        (Some(_), true) => Flag::Suspect,
        (Some(_), false) => Flag::Pass,
    };
    let each = windows.between(from, to).into_iter();
    each.map(|kept| (kept.start, kept.value, flag(kept.value, kept.suspect))).collect()
}

fn lay(points: &mut BTreeMap<Timestamp, Point>, newer: Point) {
    match points.get_mut(&newer.at) {
        Some(held) if held.value == newer.value => held.flag = newer.flag,
        Some(held) => *held = Point { revision: true, span: held.span, ..newer },
        None => drop(points.insert(newer.at, newer)),
    }
}

/// Gives from which distance on values are apart.
fn gap_ms(stream: &Datastream, period: Period) -> i64 {
    match period {
        Period::Native => stream.stands_for_ms().max(stream.period_ms.unwrap_or(0)),
        Period::Hour | Period::EightHours => HOUR,
        // A day may have 25 hours, and a month 31 days.
        Period::Day | Period::DayMaxEightHours => 25 * HOUR,
        Period::Month => 31 * DAY,
        Period::Quarter => 92 * DAY,
        Period::Year => 366 * DAY,
    }
}

/// Gives the word of what a value states, for programs.
fn statistic(stream: &Datastream, period: Period, total: bool) -> String {
    if period != Period::Native {
        return format!("{}_{}", if total { "total" } else { "mean" }, period.word());
    }
    match stream.statistic {
        Statistic::Instant => "instant",
        Statistic::Sample => "sample",
        Statistic::Mean => "mean",
        Statistic::Min => "min",
        Statistic::Max => "max",
        Statistic::Total => "total",
    }
    .to_owned()
}

fn choices(view: &View, station: &Station, chosen: &Datastream) -> Vec<Choice> {
    let choice = |(stream, _): (&Datastream, Option<&StreamState>)| {
        let name = property_name(&view.registry, stream);
        let with = |name: String| match &*stream.position {
            "" => name,
            position => format!("{name} {position}"),
        };
        let mut name = Text::new(with(name.en), with(name.zh));
        if stream.stated_ms().is_some() {
            let stated = kind(stream, Period::Native, false);
            name = Text::new(format!("{}, {}", name.en, stated.en), name.zh + "，" + &stated.zh);
        }
        Choice { id: stream.name.to_string(), name, chosen: stream.id == chosen.id }
    };
    streams(view, station).map(choice).collect()
}

/// Gives the limits that values of a period are held against, any date.
fn limits(registry: &Registry, stream: &Datastream, period: Period) -> Vec<LimitLine> {
    let stated = match (period, stream.statistic, stream.period_ms) {
        (Period::Native, Statistic::Mean, Some(HOUR)) => Period::Hour,
        (Period::Native, Statistic::Mean, Some(DAY)) => Period::Day,
        _ => period,
    };
    let limits = stream.limits.iter().filter_map(|id| registry.limit(*id));
    let limits = limits.filter(|limit| limit.averaging.covers(stated));
    limits.map(|limit| line_of(registry, limit)).collect()
}

fn line_of(registry: &Registry, limit: &Limit) -> LimitLine {
    let unit = registry.property(limit.property).map_or("", |one| registry.unit_label(one));
    let number = threshold::number;
    let (low, high, bound) = match limit.bound {
        Bound::Max(high) => (None, Some(high), format!("≤ {}", number(high))),
        Bound::Min(low) => (Some(low), None, format!("≥ {}", number(low))),
        Bound::Range { low, high } => {
            (Some(low), Some(high), format!("{}–{}", number(low), number(high)))
        }
    };
    let space = if limit.class.is_empty() { "" } else { " " };
    let bound = threshold::with(bound, unit);
    let name = format!("{bound} {}{space}{}", limit.instrument, limit.class);
    let name = match limit.condition {
        Condition::Always => Text::same(name),
        Condition::Hours { from, to } => {
            let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
            Text::same(format!("{name} {}–{}", clock(from), clock(to)))
        }
        Condition::Beside { property, comparison, number } => {
            let beside = registry.property(property);
            let sign = comparison.sign();
            let while_so = beside.map_or(String::new(), |one| {
                format!("{} {sign} {}", one.symbol, threshold::number(number))
            });
            Text::new(format!("{name} if {while_so}"), format!("{name}（{while_so} 时）"))
        }
    };
    let (from, to) = (limit.in_force.from, limit.in_force.to);
    LimitLine { name, low, high, from, to }
}
