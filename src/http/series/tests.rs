//! What is drawn of made series.

use super::*;
use crate::domain::time::{DAY, HOUR, MINUTE};

/// 2026-06-01T00:00:00+08:00.
const BEGIN: Timestamp = Timestamp(1_780_243_200_000);

fn zone() -> TimeZone {
    TimeZone::fixed(jiff::tz::offset(8))
}

fn frame(zone: &TimeZone, length: i64) -> Frame<'_> {
    Frame { from: BEGIN, to: BEGIN.plus(length), zone, gap_ms: 2 * MINUTE, decimals: 2 }
}

fn point(minute: i64, value: f64) -> Point {
    let at = BEGIN.plus(minute * MINUTE);
    Point { at, until: at, value: Some(value), flag: 1, ..Point::default() }
}

fn drawn(points: &[Point], limits: &[LimitLine], length: i64) -> Drawing {
    let zone = zone();
    draw(points, limits, frame(&zone, length))
}

fn limit(high: f64, from: Option<i64>, to: Option<i64>) -> LimitLine {
    let hour = |hour: i64| BEGIN.plus(hour * HOUR);
    let name = Text::same(format!("≤ {high}"));
    LimitLine { name, high: Some(high), from: from.map(hour), to: to.map(hour), low: None }
}

/// Gives the places of a path, as far as it names both.
fn places(path: &str) -> Vec<(f64, f64)> {
    let parts = path.split(['M', 'L']).filter(|part| !part.is_empty());
    let place = |part: &str| {
        let (x, y) = part.split_once(' ').unwrap();
        let y = y.split(|letter: char| letter.is_ascii_alphabetic()).next().unwrap();
        (x.parse().unwrap(), y.parse().unwrap())
    };
    parts.map(place).collect()
}

#[test]
fn one_value_of_a_month_is_drawn_at_its_height() {
    let mut month: Vec<Point> = (0..31 * 24 * 60).map(|minute| point(minute, 0.5)).collect();
    month[20_000].value = Some(9.0);
    let drawing = drawn(&month, &[limit(1.5, None, None)], 31 * DAY);
    let top = places(&drawing.band).into_iter().map(|(_, y)| y).fold(f64::MAX, f64::min);
    // The scale is 0 to 9 and a margin.
    let height = (drawing.bottom - top) / (drawing.bottom - drawing.top);
    assert!((height - 9.0 / 9.51).abs() < 0.01, "{height}");
    let column = drawing.columns.iter().find(|column| column.high == "9.00").unwrap();
    assert_eq!((&*column.low, column.count > 70), ("0.50", true));
}

#[test]
fn never_are_there_more_points_than_pixels() {
    for minutes in [1, 90, 600, 4_000, 44_640] {
        let points: Vec<Point> =
            (0..minutes).map(|minute| point(minute, (minute as f64).sin())).collect();
        let drawing = drawn(&points, &[], minutes * MINUTE);
        let line = places(&drawing.line);
        assert!(line.len() <= COLUMNS_MAX && drawing.columns.len() <= COLUMNS_MAX);
        assert_eq!(line.len(), COLUMNS_MAX.min(usize::try_from(minutes).unwrap()));
        let counted: usize = drawing.columns.iter().map(|column| column.count).sum();
        assert_eq!(counted, points.len());
    }
}

#[test]
fn a_gap_is_a_gap_and_who_stands_alone_is_a_dot() {
    let minutes = [0, 1, 2, 30, 60, 61];
    let mut points: Vec<Point> = minutes.map(|minute| point(minute, 1.0)).to_vec();
    let begins = |points: &[Point]| drawn(points, &[], 2 * HOUR).line.matches('M').count();
    assert_eq!(begins(&points), 3);
    assert_eq!(drawn(&points, &[], 2 * HOUR).dots.len(), 1);
    // A missing value is a gap, however soon the next one comes.
    points[1].value = None;
    points[1].flag = 9;
    assert_eq!(begins(&points), 4);
    assert_eq!(drawn(&points, &[], 2 * HOUR).columns[1].last, "–");
}

#[test]
fn a_limit_is_as_long_as_it_is_in_force_and_its_change_is_a_step() {
    let points = [point(0, 1.0), point(1, 1.2)];
    let limits = [
        limit(2.0, None, Some(6)),
        limit(1.5, Some(6), None),
        limit(7.0, None, Some(0)),
        limit(8.0, Some(24), None),
    ];
    let drawing = drawn(&points, &limits, DAY);
    assert_eq!(drawing.limits.len(), 2, "what was not in force then is not drawn");
    let of = |name: &str| drawing.limits.iter().find(|one| one.name.en == name).unwrap();
    let (before, after) = (of("≤ 2"), of("≤ 1.5"));
    let middle = drawing.left + COLUMNS_MAX as f64 / 4.0;
    assert!(before.path.starts_with(&format!("M{:.1} ", drawing.left)), "{}", before.path);
    assert!(before.path.contains(&format!("H{middle:.1}V")), "{}", before.path);
    assert!(after.path.starts_with(&format!("M{middle:.1} ")), "{}", after.path);
    let end = before.path.rsplit('V').next().unwrap();
    let other = after.path.split([' ', 'H']).nth(1).unwrap();
    assert_eq!(other, end);
}

#[test]
fn names_of_limits_do_not_stand_on_each_other() {
    let limits: Vec<LimitLine> =
        (0..12).map(|count| limit(1.0 + f64::from(count) * 0.01, None, None)).collect();
    let drawing = drawn(&[point(0, 100.0)], &limits, DAY);
    assert_eq!(drawing.limits.len(), LIMITS_SHOWN_MAX);
    let mut ys: Vec<f64> = drawing.limits.iter().map(|one| one.at.y).collect();
    ys.sort_by(f64::total_cmp);
    assert!(ys.windows(2).all(|pair| pair[1] - pair[0] >= LABEL), "{ys:?}");
}

#[test]
fn no_number_that_is_none_comes_into_a_path() {
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e308, -1e308, 0.0, 5e-324];
    let mut points: Vec<Point> =
        (0..).zip(odd).map(|(minute, value)| point(minute, value)).collect();
    for length in [1, MINUTE, DAY, 4_000 * DAY] {
        for held in 0..=points.len() {
            points.iter_mut().for_each(|one| one.span = Some((f64::NAN, f64::INFINITY)));
            let limits = [LimitLine { low: Some(f64::NAN), ..limit(f64::INFINITY, None, None) }];
            let drawing = drawn(&points[..held], &limits, length);
            let paths = format!("{drawing:?}");
            assert!(!paths.contains("NaN") && !paths.contains("inf"), "{paths}");
        }
    }
}

#[test]
fn what_failed_is_marked_and_does_not_squeeze_the_others() {
    let mut points: Vec<Point> = (0..60).map(|minute| point(minute, 2.0)).collect();
    points[30] = Point { value: Some(9_999.0), flag: 4, ..points[30] };
    points[40].flag = 3;
    points[41].flag = 3;
    points[50].revision = true;
    let drawing = drawn(&points, &[], HOUR);
    assert_eq!(drawing.failed.len(), 1);
    assert!((drawing.failed[0].y - drawing.top).abs() < 0.1, "at the edge");
    assert!(drawing.numbers.iter().all(|tick| tick.label.parse::<f64>().unwrap() < 10.0));
    let flags: Vec<u8> = drawing.flags.iter().map(|mark| mark.flag).collect();
    assert_eq!(flags, [4, 3, 3], "ten pixels lie between minutes");
    assert_eq!(drawing.revisions.len(), 1);
    assert_eq!(drawing.line.matches('M').count(), 2, "the line does not go over it");
}

#[test]
fn an_hour_mean_has_the_band_of_its_values_as_wide_as_the_hour() {
    let hour = |count: i64| {
        let at = BEGIN.plus(count * HOUR);
        let span = Some((0.2, 4.0));
        Point { at, until: at.plus(HOUR), value: Some(1.0), flag: 1, span, ..Point::default() }
    };
    let hours: Vec<Point> = (0..6).map(hour).collect();
    let zone = zone();
    let frame = Frame { gap_ms: HOUR, ..frame(&zone, 6 * HOUR) };
    let drawing = draw(&hours, &[], frame);
    assert_eq!(drawing.band.matches('M').count(), 6);
    assert!(drawing.band.starts_with("M56.0 ") && drawing.band.contains("H156.0"));
    assert_eq!((&*drawing.columns[0].high, drawing.line.matches('M').count()), ("4.00", 1));
}

#[test]
fn the_axis_has_whole_hours_and_days_of_the_zone() {
    let labels = |length: i64| -> Vec<String> {
        drawn(&[], &[], length).times.into_iter().map(|tick| tick.label).collect()
    };
    assert_eq!(labels(6 * HOUR), ["06-01", "01:00", "02:00", "03:00", "04:00", "05:00"]);
    assert_eq!(labels(DAY)[..3], ["06-01", "03:00", "06:00"]);
    assert_eq!(labels(7 * DAY).len(), 7);
    let month = labels(31 * DAY);
    assert_eq!(month, ["06-01", "06-06", "06-11", "06-16", "06-21", "06-26", "07-01"]);
}

#[test]
fn the_table_is_the_numbers_of_the_drawing_and_the_csv_every_value() {
    let mut points: Vec<Point> = (0..3).map(|minute| point(minute, 1.625)).collect();
    points[1] = Point { raw: Some(1.6), revision: true, flag: 3, ..points[1] };
    points[2] = Point { censored: "<", value: Some(0.02), ..points[2] };
    let east = zone();
    let heading = |sensed| Heading {
        zone: &east,
        unit: "mg/L, as N",
        statistic: "instant",
        station: "puhe-daoyi",
        property: "ammonia nitrogen",
        datastream: "puhe-daoyi/ammonia_nitrogen",
        sensed,
    };
    let whose = "puhe-daoyi,ammonia nitrogen,puhe-daoyi/ammonia_nitrogen";
    let want = |raws: [&str; 3]| {
        let [first, second, third] = raws;
        format!(
            "time,value,unit,flag,revision,raw,statistic,station,property,datastream\r\n\
             2026-06-01T00:00:00+08:00,1.625,\"mg/L, as N\",1,0,{first},instant,{whose}\r\n\
             2026-06-01T00:01:00+08:00,1.625,\"mg/L, as N\",3,1,{second},instant,{whose}\r\n\
             2026-06-01T00:02:00+08:00,<0.02,\"mg/L, as N\",1,0,{third},instant,{whose}\r\n"
        )
    };
    // What the sensor said is there also where nothing changed it; an average has none.
    assert_eq!(csv(&points, heading(true)), want(["1.625", "1.6", "<0.02"]));
    assert_eq!(csv(&points, heading(false)), want(["", "1.6", ""]));
    let drawing = drawn(&points, &[], HOUR);
    let of = |at: usize| &drawing.columns[at];
    assert_eq!((&*of(0).last, of(1).flag, of(1).revised, &*of(2).last), ("1.62", 3, true, "<0.02"));
    assert_eq!(of(2).from, "06-01 00:02:00");
    let whole: f64 = drawing.columns.iter().map(|column| column.width).sum();
    assert!((whole - COLUMNS_MAX as f64).abs() < 1.0, "every pixel is of a column: {whole}");
}
