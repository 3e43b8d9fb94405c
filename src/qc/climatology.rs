//! Climatology (QARTOD): what is expected at the time of the year or day, and at what another
//! property says then.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::domain::quality::Flag;
use crate::domain::registry::{Climate, Season};
use crate::domain::time::Timestamp;

/// Runs the test. Of several rows that fit, the last counts; where none does, it can't decide.
#[must_use]
pub fn test(
    climates: &[Climate],
    (time, zone): (Timestamp, &TimeZone),
    companion: Option<f64>,
    value: f64,
) -> Flag {
    let fitting = fitting(climates, (time, zone), companion);
    fitting.map_or(Flag::NotEvaluated, |climate| climate.span.judge(value))
}

/// Gives the row that holds at a time, and at what the companion says.
#[must_use]
pub fn fitting<'c>(
    climates: &'c [Climate],
    (time, zone): (Timestamp, &TimeZone),
    companion: Option<f64>,
) -> Option<&'c Climate> {
    let at = jiff::Timestamp::from_millisecond(time.millis()).ok()?;
    let at = zone.to_datetime(at);
    let fits = |climate: &&Climate| {
        let (season, first, last) = climate.season;
        let within = |(low, high): (f64, f64)| companion.is_some_and(|of| low <= of && of <= high);
        (first..=last).contains(&part(season, at)) && climate.companion.is_none_or(within)
    };
    climates.iter().rfind(fits)
}

/// Gives the part of a year or day that a time lies in.
fn part(season: Season, at: DateTime) -> i64 {
    let date = at.date();
    i64::from(match season {
        Season::Month => i16::from(date.month()),
        Season::Quarter => i16::from((date.month() + 2) / 3),
        Season::Week => i16::from(date.iso_week_date().week()),
        Season::DayOfYear => date.day_of_year(),
        Season::DayOfWeek => i16::from(date.weekday().to_monday_zero_offset()),
        Season::Hour => i16::from(at.hour()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::registry::GrossRange;

    fn climate(season: (Season, i64, i64), suspect: (f64, f64)) -> Climate {
        let span = GrossRange { fail: Some((-10.0, 50.0)), suspect: Some(suspect) };
        Climate { season, companion: None, span }
    }

    #[track_caller]
    fn check(climates: &[Climate], at: &str, value: f64, want: Flag) {
        let at = Timestamp(at.parse::<jiff::Timestamp>().unwrap().as_millisecond());
        let zone = TimeZone::fixed(jiff::tz::offset(8));
        assert_eq!(test(climates, (at, &zone), None, value), want);
    }

    #[test]
    fn the_last_row_that_fits_counts() {
        let rows = [
            climate((Season::Month, 1, 12), (0.0, 30.0)),
            climate((Season::Month, 1, 2), (0.0, 4.0)),
        ];
        check(&rows, "2026-01-31T00:00:00Z", 4.0, Flag::Pass);
        check(&rows, "2026-01-31T00:00:00Z", 4.1, Flag::Suspect);
        check(&rows, "2026-01-31T00:00:00Z", 60.0, Flag::Fail);
        check(&rows, "2026-03-01T00:00:00Z", 4.1, Flag::Pass);
        check(&rows[1..], "2026-03-01T00:00:00Z", 4.1, Flag::NotEvaluated);
    }

    #[test]
    fn a_part_is_of_the_places_own_calendar() {
        // 2026-12-31T16:00Z is the first instant of 2027 at +08:00.
        let at = "2026-12-31T16:00:00Z";
        for (season, part) in [
            (Season::Month, 1),
            (Season::Quarter, 1),
            (Season::Week, 53),
            (Season::DayOfYear, 1),
            (Season::DayOfWeek, 4),
            (Season::Hour, 0),
        ] {
            check(&[climate((season, part, part), (0.0, 1.0))], at, 0.5, Flag::Pass);
            check(
                &[climate((season, part + 1, part + 1), (0.0, 1.0))],
                at,
                0.5,
                Flag::NotEvaluated,
            );
        }
    }

    #[test]
    fn a_row_holds_where_the_companion_is_known_to_be() {
        let rows = [Climate {
            companion: Some((0.0, 4.0)),
            ..climate((Season::Hour, 0, 23), (12.0, 15.0))
        }];
        let zone = TimeZone::UTC;
        let judged = |companion| test(&rows, (Timestamp(0), &zone), companion, 9.0);
        assert_eq!(judged(Some(4.0)), Flag::Suspect);
        assert_eq!(judged(Some(4.1)), Flag::NotEvaluated);
        assert_eq!(judged(None), Flag::NotEvaluated);
    }
}
