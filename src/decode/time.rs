//! A time as a device writes it.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::decode::number::cut;
use crate::domain::registry::TimeUnit;
use crate::domain::reject::Reason;
use crate::domain::time::Timestamp;

/// Reads a time, given as the JSON scalar between its neighbours. `null` is no time.
///
/// # Errors
/// The time is not written as the seeds say.
pub fn device_time(
    raw: &str,
    unit: TimeUnit,
    zone: &TimeZone,
) -> Result<Option<Timestamp>, Reason> {
    if raw == "null" {
        return Ok(None);
    }
    let words = raw.trim_matches('"').trim();
    let read = match unit {
        TimeUnit::Seconds => counted(words, 1_000, 1),
        TimeUnit::Milliseconds => counted(words, 1, 1),
        TimeUnit::Microseconds => counted(words, 1, 1_000),
        TimeUnit::Nanoseconds => counted(words, 1, 1_000_000),
        TimeUnit::Rfc3339 => {
            words.parse::<jiff::Timestamp>().ok().map(|at| Timestamp(at.as_millisecond()))
        }
        TimeUnit::Local => local(words, zone),
    };
    read.map(Some).ok_or_else(|| Reason::BadTime { found: cut(raw), expected: expected(unit) })
}

/// Reads a whole number of a unit since the epoch; nothing where it is beyond any time, or where
/// time is not counted.
#[must_use]
pub fn whole(count: i64, unit: TimeUnit) -> Option<Timestamp> {
    match unit {
        TimeUnit::Seconds => count.checked_mul(1_000).map(Timestamp),
        TimeUnit::Milliseconds => Some(Timestamp(count)),
        TimeUnit::Microseconds => Some(Timestamp(count.div_euclid(1_000))),
        TimeUnit::Nanoseconds => Some(Timestamp(count.div_euclid(1_000_000))),
        TimeUnit::Rfc3339 | TimeUnit::Local => None,
    }
}

fn expected(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Seconds => "a number of Unix seconds",
        TimeUnit::Milliseconds => "a number of Unix milliseconds",
        TimeUnit::Microseconds => "a number of Unix microseconds",
        TimeUnit::Nanoseconds => "a number of Unix nanoseconds",
        TimeUnit::Rfc3339 => "RFC 3339 with an offset, such as 2026-05-01T08:00:00+08:00",
        TimeUnit::Local => "local time such as 2026-05-01 08:00:00",
    }
}

fn counted(words: &str, multiply: i64, divide: i64) -> Option<Timestamp> {
    if let Ok(whole) = words.parse::<i64>() {
        return whole.checked_mul(multiply).map(|scaled| Timestamp(scaled.div_euclid(divide)));
    }
    let number = words.parse::<f64>().ok().filter(|number| number.is_finite())?;
    let millis = (number * multiply as f64 / divide as f64).round();
    // Doubles hold whole numbers exactly up to 2^53: as milliseconds, the year 287,396.
    (millis.abs() <= 9.0e15).then_some(Timestamp(millis as i64))
}

/// Reads `2026-05-01 08:00:00`, with `T`, `/`, a fraction, or without seconds or separators.
#[must_use]
pub fn local(words: &str, zone: &TimeZone) -> Option<Timestamp> {
    let mut parts = [0_i32; 7];
    let widths = [4, 2, 2, 2, 2, 2, 3];
    let mut bytes = words.bytes().peekable();
    let mut filled = 0;
    for (part, width) in parts.iter_mut().zip(widths) {
        let mut digits = 0;
        while digits < width {
            let Some(digit) = bytes.next_if(u8::is_ascii_digit) else { break };
            *part = *part * 10 + i32::from(digit - b'0');
            digits += 1;
        }
        if digits == 0 {
            break;
        }
        if width == 3 {
            *part *= 10_i32.pow(3 - digits);
        }
        filled += 1;
        bytes.next_if(|byte| b"-/ T:.".contains(byte));
    }
    while bytes.next_if(u8::is_ascii_digit).is_some() {}
    if filled < 5 || bytes.next().is_some() {
        return None;
    }
    let [year, month, day, hour, minute, second, millis] = parts;
    let civil = DateTime::new(
        i16::try_from(year).ok()?,
        i8::try_from(month).ok()?,
        i8::try_from(day).ok()?,
        i8::try_from(hour).ok()?,
        i8::try_from(minute).ok()?,
        i8::try_from(second).ok()?,
        millis * 1_000_000,
    );
    let at = zone.to_timestamp(civil.ok()?).ok()?;
    Some(Timestamp(at.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(raw: &str, unit: TimeUnit, want: Option<i64>) {
        let zone = TimeZone::fixed(jiff::tz::Offset::from_hours(8).unwrap());
        let read = device_time(raw, unit, &zone).ok().flatten().map(Timestamp::millis);
        assert_eq!(read, want, "{raw}");
    }

    #[test]
    fn counts_since_the_epoch_in_every_unit() {
        check("1714550400", TimeUnit::Seconds, Some(1_714_550_400_000));
        check("1714550400.12", TimeUnit::Seconds, Some(1_714_550_400_120));
        check("1714550400123", TimeUnit::Milliseconds, Some(1_714_550_400_123));
        check("1714550400123456", TimeUnit::Microseconds, Some(1_714_550_400_123));
        check("1714550400123456789", TimeUnit::Nanoseconds, Some(1_714_550_400_123));
        check("\"1714550400\"", TimeUnit::Seconds, Some(1_714_550_400_000));
    }

    #[test]
    fn text_with_an_offset_or_in_the_devices_zone() {
        check("\"2026-05-01T08:00:00+08:00\"", TimeUnit::Rfc3339, Some(1_777_593_600_000));
        check("\"2026-05-01T00:00:00Z\"", TimeUnit::Rfc3339, Some(1_777_593_600_000));
        check("\"2026-05-01 08:00:00\"", TimeUnit::Local, Some(1_777_593_600_000));
        check("\"2026/05/01 08:00\"", TimeUnit::Local, Some(1_777_593_600_000));
        check("\"20260501080000\"", TimeUnit::Local, Some(1_777_593_600_000));
        check("\"2026-05-01T08:00:00.25\"", TimeUnit::Local, Some(1_777_593_600_250));
    }

    #[test]
    fn nonsense_is_no_time() {
        check("\"yesterday\"", TimeUnit::Local, None);
        check("\"2026-13-01 08:00:00\"", TimeUnit::Local, None);
        check("1e300", TimeUnit::Seconds, None);
        check("9223372036854775807", TimeUnit::Seconds, None);
        check("\"2026-05-01 08:00:00\"", TimeUnit::Rfc3339, None);
        check("{}", TimeUnit::Milliseconds, None);
    }
}
