//! What the page of one station shows: its newest values and what stands behind them, its devices,
//! calibrations, checks, what is said of its values, and how much of them came.

use jiff::tz::TimeZone;

use crate::daemon::page::times::offset;
use crate::daemon::page::{evaluated, value_view, words};
use crate::daemon::said;
use crate::daemon::status::View;
use crate::daemon::threshold;
use crate::domain::assessment::{NotAssessable, WaterClass};
use crate::domain::check::CheckKind;
use crate::domain::evaluation::{Grade, Index};
use crate::domain::observation::{NilReason, ObservationResult, Period};
use crate::domain::quality::Flag;
use crate::domain::registry::{
    Calibration, Datastream, Device, Registry, Sampling, Station, StationGrade, StationStage,
    Statistic,
};
use crate::domain::time::{DAY, HOUR, MINUTE, Timestamp};
use crate::http::view::station::{
    CalibrationView, CheckView, Choice, CoverageView, CoveredView, DeviceView, LatestView,
    SaidView, StationPage, StripDayView, StripView,
};
use crate::http::view::{Text, ValueView};
use crate::influx::series::Told;
use crate::pipeline::state::{StationState, StreamState};

/// How many days of coverage are shown, today among them.
const COVERED_DAYS: usize = 7;
/// How many days of classes are shown.
pub(super) const STRIP_DAYS: i64 = 31;
/// How many checks of a kind are shown, the last ones.
const CHECKS_SHOWN_MAX: usize = 3;
/// How many of the things that are said of values are shown, the last ones.
const SAID_SHOWN_MAX: usize = 50;

/// Finds a station by its name.
pub(super) fn called<'v>(view: &'v View, name: &str) -> Option<&'v Station> {
    view.registry.stations.iter().find(|station| *station.name == *name)
}

/// Gives the datastreams of a station, each with its state.
pub(super) fn streams<'v>(
    view: &'v View,
    station: &'v Station,
) -> impl Iterator<Item = (&'v Datastream, Option<&'v StreamState>)> {
    let state = view.stations.get(station.id.index()).and_then(Option::as_ref);
    station.datastreams.iter().filter_map(move |id| {
        let stream = view.registry.datastream(*id)?;
        Some((stream, state.and_then(|state| state.streams.get(usize::from(stream.slot)))))
    })
}

/// Makes the page of a station.
pub(super) fn page(view: &View, name: &str) -> Option<StationPage> {
    let station = called(view, name)?;
    let (registry, zone, now) = (&view.registry, &station.zone, view.at.wall);
    let state = view.stations.get(station.id.index()).and_then(Option::as_ref);
    let empty = StationState::default();
    let held = state.map_or(&empty, |state| &**state);
    let evaluations = evaluated::of_station(view, station, held);
    let unevaluated = match evaluations.first() {
        Some(_) => Text::default(),
        None => evaluated::why_none(registry, station),
    };
    let of_device = |stream: &Datastream| {
        registry.property(stream.property).is_some_and(|property| &*property.medium == "device")
    };
    let latest = |own: bool| {
        let of = streams(view, station).filter(|(stream, _)| of_device(stream) == own);
        of.map(|(stream, held)| latest(view, station, stream, held)).collect()
    };
    let heard = held.streams.iter().filter(|one| one.newest.is_some()).map(|one| one.received);
    let heard = heard.max();
    let place = registry.places.get(station.place.index());
    let days = days(zone, now);
    Some(StationPage {
        at: at(whole_second(now), zone),
        id: station.name.to_string(),
        name: Text::new(&*station.name_en, &*station.name_zh),
        place: place.map_or_else(Text::default, |one| Text::new(&*one.name_en, &*one.name_zh)),
        zone: offset(zone, now),
        target: words::target(&station.target_class),
        operator: station.operator.to_string(),
        marks: marks(station, now),
        silent: held.silence.firing.is_some(),
        heard: heard.map_or(String::new(), |heard| at(heard, zone)),
        heard_age_s: heard.map_or(0, |heard| (now.since(heard) / 1_000).max(0)),
        evaluations,
        unevaluated,
        values: latest(false),
        own_values: latest(true),
        devices: devices(view, station),
        calibrations: calibrations(view, station),
        checks: checks(registry, station, held),
        said: all_said(view, station),
        properties: properties(registry, station),
        positions: positions(view, station),
        days: days
            .iter()
            .map(|(start, _)| at(*start, zone).chars().skip(5).take(5).collect())
            .collect(),
        coverage: coverage(view, station, &days),
        // The minute that runs is meant, too.
        form: [now.plus(-HOUR), now.plus(MINUTE)]
            .map(|one| at(one, zone).chars().take(16).collect()),
    })
}

pub(super) fn at(at: Timestamp, zone: &TimeZone) -> String {
    at.rfc3339(zone)
}

fn whole_second(at: Timestamp) -> Timestamp {
    at.plus(-at.millis().rem_euclid(1_000))
}

fn marks(station: &Station, now: Timestamp) -> Vec<Text> {
    let marks = [
        (station.grade == StationGrade::Indicative, "indicative", "指示性"),
        (station.stage == StationStage::Trial, "on trial", "试运行"),
        (!station.validity.holds(now), "not in service", "不在运行期"),
    ];
    marks.into_iter().filter(|(holds, ..)| *holds).map(|(_, en, zh)| Text::new(en, zh)).collect()
}

fn latest(
    view: &View,
    station: &Station,
    stream: &Datastream,
    held: Option<&StreamState>,
) -> LatestView {
    let value = held.and_then(|held| value_view(view, station, stream, held));
    let newest = held.and_then(|held| held.newest);
    let missing = match newest.map(|newest| newest.result) {
        Some(ObservationResult::Nil(reason)) => nil(reason),
        Some(ObservationResult::Value(_) | ObservationResult::Censored { .. }) => Text::default(),
        None => Text::new("nothing has come yet", "尚未收到"),
    };
    let next = newest.map(|newest| newest.time.plus(stream.stands_for_ms()));
    let next = next.filter(|next| *next >= view.at.wall);
    let property = view.registry.property(stream.property);
    LatestView {
        series: stream.name.to_string(),
        value: value.unwrap_or_else(|| ValueView {
            property: property_name(&view.registry, stream),
            symbol: property.map_or(String::new(), |property| property.symbol.to_string()),
            position: stream.position.to_string(),
            value: "–".to_owned(),
            unit: property.map_or("", |property| view.registry.unit_label(property)).to_owned(),
            flag: Flag::Missing.number(),
            ..ValueView::default()
        }),
        kind: kind(stream, Period::Native, false),
        missing,
        every: threshold::length(stream.expected_every_ms),
        next: next.map_or(String::new(), |next| at(whole_second(next), &station.zone)),
        received: newest
            .and_then(|_| held.map(|held| at(held.received, &station.zone)))
            .unwrap_or_default(),
    }
}

/// Says why there is no value.
pub(super) fn nil(reason: NilReason) -> Text {
    let (en, zh) = match reason {
        NilReason::Missing => ("the device sent no value", "设备未发送数值"),
        NilReason::Incomplete => ("too few valid values", "有效数值不足"),
        NilReason::NoInput => ("an input is missing, wrong or too old", "输入缺失、错误或过时"),
        NilReason::Undefined => ("the inputs have no result", "输入无结果"),
    };
    Text::new(en, zh)
}

pub(super) fn property_name(registry: &Registry, stream: &Datastream) -> Text {
    let property = registry.property(stream.property);
    property.map_or_else(Text::default, |one| Text::new(&*one.name_en, &*one.name_zh))
}

/// Says what a value of a datastream is.
pub(super) fn kind(stream: &Datastream, period: Period, total: bool) -> Text {
    if period != Period::Native {
        let of = words::period(period);
        let (en, zh) = if total { ("total", "累计") } else { ("mean", "均值") };
        return Text::new(format!("{} {en}", of.en), format!("{}{zh}", of.zh));
    }
    if !stream.formulas.is_empty() {
        return Text::new("derived value", "推算值");
    }
    let length = stream.period_ms.map(threshold::length).unwrap_or_default();
    let stated =
        |en: &str, zh: &str| Text::new(format!("{en} of {length}"), format!("{length}{zh}"));
    match (stream.statistic, stream.sampling) {
        (Statistic::Sample, _) | (Statistic::Instant, Sampling::Sampled { .. }) => {
            Text::new("sample", "样品值")
        }
        (Statistic::Instant, Sampling::Continuous) => Text::new("raw value", "原始值"),
        (Statistic::Total, _) if stream.period_ms.is_none() => Text::new("counter", "累计读数"),
        (Statistic::Mean, _) => stated("mean", "均值"),
        (Statistic::Min, _) => stated("least", "最小值"),
        (Statistic::Max, _) => stated("greatest", "最大值"),
        (Statistic::Total, _) => stated("total", "累计"),
    }
}

fn devices(view: &View, station: &Station) -> Vec<DeviceView> {
    let (registry, now) = (&view.registry, view.at.wall);
    let stands =
        |device: &&Device| device.assignment(now).is_some_and(|one| one.station == station.id);
    let one = |device: &Device| {
        let gateways = registry.gateways(device, now);
        let gateways = gateways.iter().filter_map(|id| registry.devices.get(id.index()));
        let network = registry.networks.get(device.network.index());
        let gone = view.gone.get(&device.id).map(|ms| view.at.wall_of(*ms));
        let assigned = device.assignment(now);
        DeviceView {
            name: device.name.to_string(),
            network: network.map_or(String::new(), ToString::to_string),
            gateways: gateways.map(|gateway| gateway.name.to_string()).collect(),
            gone: gone.map_or(String::new(), |gone| at(whole_second(gone), &station.zone)),
            feeds: assigned.map_or(0, |one| one.streams.iter().flatten().count()),
        }
    };
    registry.devices.iter().filter(stands).map(one).collect()
}

fn calibrations(view: &View, station: &Station) -> Vec<CalibrationView> {
    let (registry, zone, now) = (&view.registry, &station.zone, view.at.wall);
    let mut views = Vec::new();
    for (stream, _) in streams(view, station) {
        let unit = registry.property(stream.property).map_or("", |one| registry.unit_label(one));
        let text = |time: Option<Timestamp>| time.map_or(String::new(), |time| at(time, zone));
        let held = stream.calibrations.iter().filter(|one| one.validity.holds(now));
        views.extend(held.map(|one| CalibrationView {
            property: property_name(registry, stream),
            position: stream.position.to_string(),
            formula: formula(one, unit),
            from: text(one.validity.from),
            to: text(one.validity.to),
        }));
    }
    views
}

/// Writes a calibration: `1.02 × raw − 0.05 mg/L`.
pub(super) fn formula(calibration: &Calibration, unit: &str) -> String {
    let Calibration { gain, offset, .. } = *calibration;
    let sign = if offset < 0.0 { '−' } else { '+' };
    let (gain, amount) = (threshold::number(gain), threshold::number(offset.abs()));
    let words = if amount == "0" {
        format!("{gain} × raw")
    } else {
        format!("{gain} × raw {sign} {amount}")
    };
    threshold::with(words, unit)
}

fn checks(registry: &Registry, station: &Station, state: &StationState) -> Vec<CheckView> {
    let mut views = Vec::new();
    for series in &state.checks {
        let property = registry.property(series.property);
        let name =
            property.map_or_else(Text::default, |one| Text::new(&*one.name_en, &*one.name_zh));
        let unit = property.map_or("", |one| registry.unit_label(one));
        views.extend(series.held.iter().rev().take(CHECKS_SHOWN_MAX).map(|held| {
            let (value, standard) =
                (threshold::number(held.value), threshold::number(held.standard));
            CheckView {
                property: name.clone(),
                position: series.position.clone(),
                kind: check_kind(series.kind),
                at: at(held.at, &station.zone),
                found: threshold::with(format!("{value} / {standard}"), unit),
                failed: held.failed,
            }
        }));
    }
    views
}

fn check_kind(kind: CheckKind) -> Text {
    let zh = match kind {
        CheckKind::Zero => "零点核查",
        CheckKind::Span => "跨度核查",
        CheckKind::StandardSample => "标样核查",
        CheckKind::SpikeRecovery => "加标回收",
        CheckKind::ParallelSample => "平行样",
    };
    Text::new(said::kind(kind), zh)
}

fn all_said(view: &View, station: &Station) -> Vec<SaidView> {
    let (registry, zone) = (&view.registry, &station.zone);
    let stands = view
        .invalidations
        .iter()
        .filter(|one| one.scope.station == station.id && one.revoked.is_none());
    let mut views: Vec<SaidView> = stands
        .map(|one| {
            let property = one.scope.property.and_then(|id| registry.property(id));
            let property =
                property.map_or_else(Text::default, |one| Text::new(&*one.name_en, &*one.name_zh));
            SaidView {
                id: one.id,
                property,
                position: one.scope.position.clone().unwrap_or_default(),
                from: at(one.from, zone),
                to: at(one.to, zone),
                suspect: one.flag == Flag::Suspect,
                person: one.said.person.clone(),
                at: at(whole_second(one.said.at.wall), zone),
                reason: said::reason(registry, one),
            }
        })
        .collect();
    views.sort_by_key(|one| std::cmp::Reverse(one.id));
    views.truncate(SAID_SHOWN_MAX);
    views
}

fn properties(registry: &Registry, station: &Station) -> Vec<Choice> {
    let streams = station.datastreams.iter().filter_map(|id| registry.datastream(*id));
    let mut choices: Vec<Choice> = streams
        .filter_map(|stream| {
            let property = registry.property(stream.property)?;
            let name = Text::new(&*property.name_en, &*property.name_zh);
            Some(Choice { id: property.name.to_string(), name, chosen: false })
        })
        .collect();
    choices.sort_by(|one, other| one.id.cmp(&other.id));
    choices.dedup();
    choices
}

fn positions(view: &View, station: &Station) -> Vec<String> {
    let mut all: Vec<String> =
        streams(view, station).map(|(stream, _)| stream.position.to_string()).collect();
    all.sort();
    all.dedup();
    all.retain(|position| !position.is_empty());
    all
}

/// Gives the last days of a zone, today first.
fn days(zone: &TimeZone, now: Timestamp) -> Vec<(Timestamp, Timestamp)> {
    let today = Period::Day.around(now, zone);
    let before = |(start, _): &(Timestamp, Timestamp)| Period::Day.around(start.plus(-HOUR), zone);
    std::iter::successors(today, before).take(COVERED_DAYS).collect()
}

fn coverage(view: &View, station: &Station, days: &[(Timestamp, Timestamp)]) -> Vec<CoverageView> {
    let fed = streams(view, station).filter_map(|(stream, held)| Some((stream, held?)));
    let view = |(stream, held): (&Datastream, &StreamState)| {
        let days: Vec<CoveredView> =
            days.iter().map(|day| covered(stream, held, *day, view.at.wall)).collect();
        let any = days.iter().any(|day| day.received > 0);
        any.then(|| CoverageView {
            property: property_name(&view.registry, stream),
            position: stream.position.to_string(),
            days,
        })
    };
    fed.filter_map(view).collect()
}

/// Tells how much of a day came and passed: of one that is given out what is remembered of it, of
/// the others what the ring holds.
fn covered(
    stream: &Datastream,
    held: &StreamState,
    (start, end): (Timestamp, Timestamp),
    now: Timestamp,
) -> CoveredView {
    let every = stream.interval_ms();
    let until = end.min(now);
    let expected = if every > 0 { until.since(start).max(0) / every } else { 0 };
    let expected = u32::try_from(expected).unwrap_or(u32::MAX);
    let (received, valid) = match held.days.at(start) {
        Some(day) => (day.received, day.valid),
        None => {
            let came = held.history.between(start, end);
            let passed =
                came.iter().filter(|entry| matches!(entry.flag(), Flag::Pass | Flag::NotEvaluated));
            let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
            (count(came.len()), count(passed.count()))
        }
    };
    let share = f64::from(valid) * 100.0 / f64::from(expected.max(1));
    let share = (expected > 0 && received > 0).then_some(share.min(100.0));
    CoveredView { expected, received, valid, share }
}

/// Which index a station has a class of by day, if it has one.
pub(super) fn index_by_day(registry: &Registry, station: &Station) -> Option<Index> {
    if matches!(&*station.section, "river" | "lake") {
        return Some(Index::WaterClass);
    }
    let mut streams = station.datastreams.iter().filter_map(|id| registry.datastream(*id));
    let is_air = streams.any(|one| registry.air.properties().any(|air| air == one.property));
    is_air.then_some(Index::Aqi)
}

/// Lays what the database holds of a station's days, and what weir holds itself, into a strip.
pub(super) fn strip(view: &View, station: &Station, index: Index, told: &[Told]) -> StripView {
    let (registry, zone, now) = (&view.registry, &station.zone, view.at.wall);
    let day = |start: Timestamp, grade: Option<Grade>, reason: Text| {
        let words = grade.map_or_else(Text::default, |one| words::grade(registry, one, start));
        StripDayView {
            date: at(start, zone).chars().take(10).collect(),
            short: short(&words, grade),
            colour: grade.and_then(|one| evaluated::colour(registry, one, start)),
            grade: words,
            reason,
        }
    };
    let mut days: std::collections::BTreeMap<Timestamp, StripDayView> = told
        .iter()
        .map(|one| {
            let grade = grade_of(index, &one.class);
            let reason = NotAssessable::ALL.into_iter().find(|why| why.word() == one.reason);
            let reason = reason.filter(|_| grade.is_none());
            let reason = reason.map_or_else(Text::default, words::reason);
            (one.at, day(one.at, grade, reason))
        })
        .collect();
    let state = view.stations.get(station.id.index()).and_then(Option::as_ref);
    let held = state.and_then(|state| state.evaluated(index, Period::Day));
    if let Some(held) = held {
        let grade = held.grade.filter(|_| held.reason.is_none());
        let reason = held.reason.map(words::reason).unwrap_or_default();
        days.insert(held.start, day(held.start, grade, reason));
    }
    let since = now.plus(-STRIP_DAYS * DAY);
    let days = days.into_iter().filter(|(start, _)| *start >= since).map(|(_, day)| day);
    StripView { index: words::index(index), days: days.collect(), note: Text::default() }
}

/// Reads the word of a class as points have it.
fn grade_of(index: Index, word: &str) -> Option<Grade> {
    let classes = WaterClass::WITH_LIMITS.into_iter().chain([WaterClass::WorseThanV]);
    let mut all: Vec<Grade> = if index == Index::Aqi {
        (1..=6).map(Grade::Air).collect()
    } else {
        classes.map(Grade::Water).collect()
    };
    all.retain(|grade| grade.word() == word);
    all.first().copied().filter(|_| !word.is_empty())
}

/// Writes a grade so that it fits into a strip.
fn short(words: &Text, grade: Option<Grade>) -> Text {
    match grade {
        Some(Grade::Water(class)) => {
            let name = if class.name().starts_with("worse") { ">V" } else { class.name() };
            Text::new(name, words.zh.clone())
        }
        Some(Grade::Air(_) | Grade::River(_) | Grade::Trophic(_) | Grade::BlackOdour(_)) => {
            words.clone()
        }
        None => Text::same("–"),
    }
}
