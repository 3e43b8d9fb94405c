//! What the page of a station is given, and its series.

use tempfile::TempDir;

use super::*;
use crate::daemon::page::{classes as made, series, station as page, stored as kept};
use crate::domain::name::DatastreamId;
use crate::domain::time::MINUTE;
use crate::http::station::{Series, Wanted};
use crate::influx::series::{POINTS_MAX, Told as StoredClass};
use crate::journal::batch::Batch;
use crate::journal::store::StoredObservation;
use crate::journal::write::Journal;

/// The oxygen of the only station more, which sent one value, 2.4 mg/L at `NOW`.
const OXYGEN: &str = "more-0/dissolved_oxygen";

fn id(view: &View, name: &str) -> DatastreamId {
    view.registry.datastreams.iter().find(|one| &*one.name == name).unwrap().id
}

fn stored(view: &View, minutes_ago: i64, number: f64) -> StoredObservation {
    StoredObservation {
        time: NOW.plus(-minutes_ago * MINUTE),
        result: ObservationResult::Value(number),
        raw: Some(number + 0.5),
        ..stored_of(id(view, OXYGEN))
    }
}

fn stored_of(datastream: DatastreamId) -> StoredObservation {
    StoredObservation {
        datastream,
        period: Period::Native,
        time: NOW,
        result: ObservationResult::Value(0.0),
        raw: None,
        flag: Flag::Pass,
        revision: false,
        flag_only: false,
        mark: None,
    }
}

/// Gives a series of a station whose embedded store holds these.
fn of_store(view: &View, observations: Vec<StoredObservation>, wanted: &Wanted) -> Option<Series> {
    let folder = TempDir::new().unwrap();
    let mut journal =
        Journal::open(&crate::journal::Config::at(folder.path()), Timestamp(0)).unwrap();
    journal.commit(&Batch { observations, ..Batch::default() }).unwrap();
    let store = kept::Store::Embedded(folder.path().to_owned());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(series::series(view, &store, wanted))
}

fn wanted(series: &str) -> Wanted {
    Wanted {
        station: "more-0".to_owned(),
        series: series.to_owned(),
        length_ms: 365 * 24 * HOUR,
        ..Wanted::default()
    }
}

#[test]
fn a_station_shows_what_its_values_are_and_what_stands_behind_them() {
    let view = view(1);
    assert!(page::page(&view, "no-such").is_none());
    let shown = page::page(&view, "more-0").unwrap();
    let oxygen = shown.values.iter().find(|one| one.series == OXYGEN).unwrap();
    assert_eq!((&*oxygen.value.value, &*oxygen.value.unit), ("2.40", "mg/L"));
    assert!(oxygen.value.exceeds && oxygen.missing.en.is_empty());
    assert_eq!(
        (&*oxygen.kind.en, &*oxygen.every, &*oxygen.next),
        ("raw value", "1 min", "2026-06-01T11:06:00+08:00",)
    );
    assert_eq!((&*shown.zone, &*shown.target.en), ("UTC+8", "class IV"));
    let device = &shown.devices[0];
    assert_eq!((&*device.name, &*device.network, &*device.gone), ("m-0", "rivers", ""));
    let silent = shown.values.iter().find(|one| one.series != OXYGEN).unwrap();
    assert_eq!((&*silent.value.value, &*silent.missing.zh), ("–", "尚未收到"));
    // Eleven hours and four minutes of today, of which one minute came.
    let covered = shown.coverage[0].days[0];
    assert_eq!((covered.expected, covered.received, covered.valid), (664, 1, 1));
    assert_eq!((shown.days.len(), &*shown.days[0]), (7, "06-01"));
    assert_eq!(shown.form, ["2026-06-01T10:04".to_owned(), "2026-06-01T11:05".to_owned()]);
    let daoyi = page::page(&view, "puhe-daoyi").unwrap();
    assert_eq!(&*daoyi.calibrations[0].formula, "1.02 × raw − 0.05 mg/L");
    assert_eq!((&*daoyi.heard, daoyi.coverage.len()), ("", 0));
}

#[test]
fn a_device_that_is_gone_says_since_when() {
    let mut view = view(1);
    let device = view.registry.devices.iter().find(|one| &*one.name == "m-0").unwrap().id;
    view.gone.insert(device, -60_000);
    let shown = page::page(&view, "more-0").unwrap();
    assert_eq!(&*shown.devices[0].gone, "2026-06-01T11:03:00+08:00");
}

#[test]
fn what_is_remembered_lies_over_what_is_stored() {
    let view = view(1);
    let all = vec![stored(&view, 2, 3.1), stored(&view, 0, 2.4)];
    let found = of_store(&view, all, &wanted(OXYGEN)).unwrap();
    let told: Vec<_> = found.points.iter().map(|one| (one.value, one.raw, one.revision)).collect();
    // Of the same value it is known what it was before calibration.
    let same = [(Some(3.1), Some(3.6), false), (Some(2.4), Some(2.9), false)];
    assert_eq!(told, same);
    // Another value of that time was not stored yet.
    let found = of_store(&view, vec![stored(&view, 0, 7.0)], &wanted(OXYGEN)).unwrap();
    let point = found.points[0];
    assert_eq!((point.value, point.raw, point.revision), (Some(2.4), None, true));
    assert_eq!((&*found.statistic, found.decimals, found.gap_ms), ("instant", 2, 2 * MINUTE));
    assert!(found.notes.is_empty());
}

#[test]
fn of_more_values_than_are_shown_the_newest_are() {
    let view = view(1);
    let count = i64::try_from(POINTS_MAX).unwrap();
    let all = (1..=count + 5).map(|ago| stored(&view, ago, 5.0)).collect();
    let found = of_store(&view, all, &wanted(OXYGEN)).unwrap();
    assert_eq!(found.points.len(), POINTS_MAX);
    assert_eq!(found.points[0].at, NOW.plus(-(count - 1) * MINUTE));
    assert!(found.notes[0].en.starts_with("Only the newest 50000"), "{:?}", found.notes);
}

#[test]
fn the_time_that_is_asked_for_is_the_stations_own() {
    let view = view(1);
    let all = || (0..10).map(|ago| stored(&view, ago, 2.4)).collect();
    let times = |from: &str, to: &str, length_ms: i64| {
        let text = str::to_owned;
        let wanted = Wanted { from: text(from), to: text(to), length_ms, ..wanted(OXYGEN) };
        of_store(&view, all(), &wanted).unwrap().points.len()
    };
    assert_eq!(times("", "", 5 * MINUTE), 5);
    assert_eq!(times("", "2026-06-01T11:00", 3 * MINUTE), 3);
    assert_eq!(times("2026-06-01T10:59", "2026-06-01T03:02:00Z", 1), 3);
    // What is no time is the last hours.
    assert_eq!(times("x", "yesterday", HOUR), 10);
    assert!(of_store(&view, Vec::new(), &wanted("no/such")).is_none());
}

#[test]
fn without_a_name_what_exceeds_comes_first_and_its_limits_are_told() {
    let view = view(1);
    let found = of_store(&view, Vec::new(), &wanted("")).unwrap();
    assert_eq!(&*found.series, OXYGEN);
    let limits: Vec<(&str, Option<f64>)> =
        found.limits.iter().map(|one| (&*one.name.en, one.low)).collect();
    assert_eq!(limits, [("≥ 3 mg/L GB 3838-2002 IV", Some(3.0))]);
    let chosen: Vec<&str> =
        found.periods.iter().filter(|one| one.chosen).map(|one| &*one.id).collect();
    assert_eq!(chosen, ["native"]);
    let hours = Wanted { period: "1h".to_owned(), ..wanted(OXYGEN) };
    let hours = of_store(&view, Vec::new(), &hours).unwrap();
    assert_eq!((&*hours.kind.en, &*hours.statistic, hours.gap_ms), ("hour mean", "mean_1h", HOUR));
}

/// Gives the classes of the days of a station whose embedded store holds these.
fn classes(
    view: &View,
    of: &Station,
    index: Index,
    kept: Vec<StoredObservation>,
) -> Vec<StoredClass> {
    let folder = TempDir::new().unwrap();
    let mut journal =
        Journal::open(&crate::journal::Config::at(folder.path()), Timestamp(0)).unwrap();
    journal.commit(&Batch { observations: kept, ..Batch::default() }).unwrap();
    let store = kept::Store::Embedded(folder.path().to_owned());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(made::classes(view, &store, of, index)).unwrap()
}

#[test]
fn days_are_made_again_of_the_means_that_are_kept() {
    let view = view(1);
    let midnight = NOW.calendar(&home(), crate::domain::time::Calendar::Day).unwrap().0;
    let mean = |name: &str, period: Period, ago: i64, number: f64| StoredObservation {
        datastream: id(&view, name),
        period,
        time: midnight.plus(-ago * 24 * HOUR),
        result: ObservationResult::Value(number),
        ..stored(&view, 0, 0.0)
    };
    let oxygen = |ago: i64, number: f64| mean(OXYGEN, Period::Day, ago, number);
    let none = ObservationResult::Nil(crate::domain::observation::NilReason::Incomplete);
    let days = vec![
        oxygen(50, 7.6),
        oxygen(5, 6.4),
        oxygen(4, 2.4),
        StoredObservation { flag: Flag::Suspect, ..oxygen(3, 6.4) },
        StoredObservation { flag: Flag::Missing, result: none, ..oxygen(2, 0.0) },
        oxygen(1, 1.2),
        // An hour is no item of a day.
        mean(OXYGEN, Period::Hour, 6, 0.5),
    ];
    let told = classes(&view, station(&view, "more-0"), Index::WaterClass, days);
    let told: Vec<(i64, &str, &str)> = told
        .iter()
        .map(|one| (midnight.since(one.at) / (24 * HOUR), &*one.class, &*one.reason))
        .collect();
    assert_eq!(told, [(5, "II", ""), (4, "V", ""), (1, "worse than V", "")]);
}

#[test]
fn the_day_of_ozone_is_its_largest_mean_of_eight_hours() {
    let view = view(0);
    let ozone = view.registry.datastreams.iter().find(|one| {
        one.name.ends_with("/ozone")
            && one.averages.iter().any(|rule| rule.period == Period::DayMaxEightHours)
    });
    let ozone = ozone.unwrap();
    let of = view.registry.station(ozone.station).unwrap();
    let midnight = NOW.calendar(&of.zone, crate::domain::time::Calendar::Day).unwrap().0;
    let mean = |period: Period, ago: i64, number: f64| StoredObservation {
        datastream: ozone.id,
        period,
        time: midnight.plus(-ago * 24 * HOUR),
        result: ObservationResult::Value(number),
        ..stored_of(ozone.id)
    };
    let days = vec![
        // The mean of the day would be excellent.
        mean(Period::Day, 1, 40.0),
        mean(Period::DayMaxEightHours, 1, 190.0),
    ];
    let told = classes(&view, of, Index::Aqi, days);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((told[0].at, &*told[0].class), (midnight.plus(-24 * HOUR), "light"), "{told:?}");
}

#[test]
fn days_of_the_database_and_the_last_one_are_a_strip() {
    let view = view(1);
    let midnight = NOW.calendar(&home(), crate::domain::time::Calendar::Day).unwrap().0;
    let day = |ago: i64, class: &str, reason: &str| StoredClass {
        at: midnight.plus(-ago * 24 * HOUR),
        class: class.to_owned(),
        reason: reason.to_owned(),
    };
    let told = [day(40, "I", ""), day(3, "worse than V", ""), day(2, "", "too_few_items")];
    let strip = page::strip(&view, station(&view, "more-0"), Index::WaterClass, &told);
    let days: Vec<_> =
        strip.days.iter().map(|day| (&*day.date, &*day.short.en, day.colour.as_deref())).collect();
    assert_eq!(days, [("2026-05-29", ">V", Some("#ED5466")), ("2026-05-30", "–", None)]);
    assert_eq!(&*strip.days[1].reason.zh, "无法评价：项目不足");
    let air = view.registry.stations.iter().find(|one| {
        one.section.is_empty() && { page::index_by_day(&view.registry, one) == Some(Index::Aqi) }
    });
    let air = page::strip(&view, air.unwrap(), Index::Aqi, &[day(1, "moderate", "")]);
    assert_eq!((&*air.days[0].grade.zh, air.days[0].colour.is_some()), ("中度污染", true));
}
