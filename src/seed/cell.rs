//! What one cell says: durations, zones; and what a spreadsheet does to them.

use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};

use crate::domain::time::{DAY, HOUR, MINUTE, SECOND};

/// Reads a duration such as `60s`, `5m`, `4h` or `1d`; ms, above zero.
pub(super) fn duration(text: &str) -> Option<i64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = match unit {
        "s" => SECOND,
        "m" => MINUTE,
        "h" => HOUR,
        "d" => DAY,
        _ => return None,
    };
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    number.parse::<i64>().ok()?.checked_mul(unit).filter(|duration| *duration > 0)
}

/// Writes a duration as short as [`duration`] reads it.
pub(super) fn duration_text(millis: i64) -> String {
    let units = [(DAY, "d"), (HOUR, "h"), (MINUTE, "m")];
    match units.into_iter().find(|(unit, _)| millis % unit == 0) {
        Some((unit, letter)) => format!("{}{letter}", millis / unit),
        None => format!("{}s", millis / SECOND),
    }
}

/// Guesses the date that a spreadsheet wrote as `2026/3/1` or `2026.3.1`.
pub(super) fn likely_date(text: &str) -> Option<String> {
    let (date, clock) = text.split_once(' ').map_or((text, ""), |(date, clock)| (date, clock));
    let mut parts = date.split(['/', '.', '-']).map(str::parse::<i16>);
    let (year, month, day) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    if parts.next().is_some() || year < 1000 {
        return None;
    }
    let date = Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    Some(if clock.is_empty() { date.to_string() } else { format!("{date} {clock}") })
}

/// Reads a zone: a fixed offset or a name of the time zone database.
pub(super) fn zone(text: &str) -> Option<TimeZone> {
    let Some(rest) = text.strip_prefix(['+', '-']) else {
        return TimeZone::get(text).ok();
    };
    let (hours, minutes) = rest.split_once(':').filter(|_| rest.len() == 5)?;
    let (hours, minutes) = (hours.parse::<i32>().ok()?, minutes.parse::<i32>().ok()?);
    if !(0..=14).contains(&hours) || !(0..60).contains(&minutes) {
        return None;
    }
    let seconds = hours * 3600 + minutes * 60;
    let seconds = if text.starts_with('-') { -seconds } else { seconds };
    Offset::from_seconds(seconds).ok().map(TimeZone::fixed)
}

/// What a colour looks like.
pub(super) const COLOUR: &str = "red, green and blue such as `#FF7E00`";

/// Reads a colour such as `#FF7E00`.
pub(super) fn colour(text: &str) -> Option<[u8; 3]> {
    let digits = text.strip_prefix('#')?;
    let whole = digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let number = u32::from_str_radix(digits, 16).ok().filter(|_| whole)?;
    let [_, red, green, blue] = number.to_be_bytes();
    Some([red, green, blue])
}

/// Says whether a text is a number as a spreadsheet writes long ones, such as `1.2E+22`.
pub(super) fn is_scientific(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['E', 'e']) else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let exponent = exponent.strip_prefix('+');
    digits(whole) && digits(fraction) && exponent.is_some_and(digits)
}

/// Writes such a number out, with `?` for the digits that are lost.
pub(super) fn plain_number(text: &str) -> String {
    let (mantissa, exponent) = text.split_once(['E', 'e']).unwrap_or((text, "0"));
    let exponent = exponent.trim_start_matches('+').parse::<usize>().unwrap_or(0);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    // A number of more digits than any identifier has is not written out.
    let lost = exponent.min(64).saturating_sub(fraction.len());
    format!("`{whole}{fraction}{}`", "?".repeat(lost))
}

/// Finds the known name that is nearest to one that is not known, if any is near.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    let far = wanted.chars().count() / 3 + 1;
    known
        .map(|known| (strsim::osa_distance(&wanted, &known.to_lowercase()), known))
        .filter(|(distance, _)| *distance <= far)
        .min()
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::draft::china;

    #[test]
    fn a_duration_has_a_unit_and_is_above_zero() {
        assert_eq!(duration("60s"), Some(MINUTE));
        assert_eq!(duration("4h"), Some(4 * HOUR));
        for wrong in ["", "60", "0s", "-5m", "1.5h", "5 m", "九s", "99999999999999999d"] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_duration_is_written_in_its_largest_whole_unit() {
        for text in ["30s", "1m", "90m", "1h", "1d"] {
            assert_eq!(duration_text(duration(text).unwrap()), text);
        }
    }

    #[test]
    fn a_spreadsheets_date_is_recognised() {
        assert_eq!(likely_date("2026/3/1").as_deref(), Some("2026-03-01"));
        assert_eq!(likely_date("2026-3-1 8:30").as_deref(), Some("2026-03-01 8:30"));
        assert_eq!(likely_date("3/1/2026"), None);
    }

    #[test]
    fn a_spreadsheets_number_is_recognised() {
        assert!(is_scientific("1.2E+22") && is_scientific("1E+10"));
        assert!(!is_scientific("sonde-1e+2x") && !is_scientific("4E") && !is_scientific("E+5"));
        assert_eq!(plain_number("1.23E+5"), "`123???`");
    }

    #[test]
    fn a_zone_is_an_offset_or_a_name() {
        assert_eq!(zone("+08:00"), Some(china()));
        assert!(zone("Asia/Shanghai").is_some());
        for wrong in ["+8", "8", "+25:00", "Asia/Nowhere"] {
            assert_eq!(zone(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_nearest_name_is_near() {
        assert_eq!(nearest("amonia", ["ammonia", "ph"].into_iter()), Some("ammonia"));
        assert_eq!(nearest("xyz", ["ammonia", "ph"].into_iter()), None);
    }
}
