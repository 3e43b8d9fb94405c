//! Times as the pages write them, in the zone of whoever they are told of.

use jiff::tz::TimeZone;

use crate::domain::time::Timestamp;

/// Writes a time to the minute, without the year where it is this one.
pub(super) fn clock(at: Timestamp, zone: &TimeZone, now: Timestamp) -> String {
    let Ok(time) = jiff::Timestamp::from_millisecond(at.millis()) else {
        return format!("{} ms", at.millis());
    };
    let form = if at.year(zone) == now.year(zone) { "%m-%d %H:%M" } else { "%Y-%m-%d %H:%M" };
    zone.to_datetime(time).strftime(form).to_string()
}

/// Gives how far a zone is east of UTC, min.
pub(super) fn east_min(zone: &TimeZone, at: Timestamp) -> i32 {
    jiff::Timestamp::from_millisecond(at.millis()).map_or(0, |at| zone.to_offset(at).seconds() / 60)
}

/// Names the offset of a zone: `UTC+8`, `UTC-3:30`, `UTC`.
pub(super) fn offset(zone: &TimeZone, at: Timestamp) -> String {
    let minutes = east_min(zone, at);
    let sign = if minutes < 0 { '-' } else { '+' };
    match (minutes.abs() / 60, minutes.abs() % 60) {
        (0, 0) => "UTC".to_owned(),
        (hours, 0) => format!("UTC{sign}{hours}"),
        (hours, minutes) => format!("UTC{sign}{hours}:{minutes:02}"),
    }
}

/// Writes a time to the minute, as a field for a date and time has it.
pub(super) fn minute(at: Timestamp, zone: &TimeZone) -> String {
    at.rfc3339(zone).chars().take(16).collect()
}

#[cfg(test)]
mod tests {
    use jiff::tz::Offset;

    use super::*;

    #[test]
    fn a_zone_is_called_by_its_offset() {
        for (seconds, want) in [
            (8 * 3_600, "UTC+8"),
            (-(3 * 3_600 + 1_800), "UTC-3:30"),
            (5 * 3_600 + 2_700, "UTC+5:45"),
            (-1_800, "UTC-0:30"),
            (0, "UTC"),
        ] {
            let zone = TimeZone::fixed(Offset::from_seconds(seconds).unwrap());
            assert_eq!(offset(&zone, Timestamp(0)), want);
        }
    }
}
