//! A number as a device writes it: JSON number, text, or censored text such as `<0.02`.

use crate::domain::observation::{NilReason, ObservationResult, Side};
use crate::domain::reject::Reason;

/// What is said of a text where a number belongs.
const TEXT: &str = "a number; if this device sends numbers as text, say `text` in the `as` column \
                    of profiles.csv";

/// Reads one JSON scalar, given as the text between its neighbours.
///
/// # Errors
/// The wrong kind of value, or a number that no double holds.
pub fn scalar(raw: &str, text: bool) -> Result<ObservationResult, Reason> {
    match raw.as_bytes().first() {
        Some(b'-' | b'0'..=b'9') => finite(raw).map(ObservationResult::Value),
        Some(b'n') => Ok(ObservationResult::Nil(NilReason::Missing)),
        Some(b'"') => worded(raw, text),
        Some(b't' | b'f') => Err(wrong(raw, "a number")),
        Some(b'{') => Err(Reason::WrongType { found: "an object".into(), expected: "a number" }),
        Some(b'[') => Err(Reason::WrongType { found: "an array".into(), expected: "a number" }),
        Some(_) | None => Err(wrong(raw, "a number")),
    }
}

/// Reads a JSON string that should hold a number. Censored values can only come as text, so they
/// are read whether or not the profile declares text.
fn worded(raw: &str, text: bool) -> Result<ObservationResult, Reason> {
    let Ok(words) = serde_json::from_str::<std::borrow::Cow<'_, str>>(raw) else {
        return Err(wrong(raw, "a number"));
    };
    self::text(&words, text)
}

/// Reads a text that should hold a number; `declared` says that the profile says so.
///
/// # Errors
/// The text holds none, or one that no double holds.
pub fn text(words: &str, declared: bool) -> Result<ObservationResult, Reason> {
    let words = words.trim();
    let begins = words.as_bytes().first();
    let wrong = |expected| wrong(&format!("\"{words}\""), expected);
    match (begins, written(words)) {
        (Some(b'<' | b'>'), None) => Err(wrong("a censored value such as \"<0.02\"")),
        (None | Some(b'<' | b'>'), Some(result)) => Ok(result),
        (_, _) if !declared => Err(wrong(TEXT)),
        (_, Some(result)) => Ok(result),
        (Some(b'0'..=b'9' | b'-' | b'+' | b'.'), None) if words.parse::<f64>().is_ok() => {
            Err(Reason::OutOfRange { found: cut(words) })
        }
        (_, None) => Err(wrong("a number written as text")),
    }
}

/// Reads a result as people write it in a table: `7.62`, `<0.02`, `>50`, nothing for missing.
/// `None` for what is none of these.
#[must_use]
pub fn written(words: &str) -> Option<ObservationResult> {
    let words = words.trim();
    let side = match words.as_bytes().first() {
        None => return Some(ObservationResult::Nil(NilReason::Missing)),
        Some(b'<') => Side::Below,
        Some(b'>') => Side::Above,
        Some(_) => return plain(words).map(ObservationResult::Value),
    };
    let limit = plain(words.get(1..)?.trim())?;
    Some(ObservationResult::Censored { side, limit })
}

fn plain(words: &str) -> Option<f64> {
    // Rust also reads words such as `nan` and `infinity`; a device that writes them has no value.
    let begins = words.trim_start_matches(['+', '-']).bytes().next()?;
    let value = words.parse::<f64>().ok()?;
    (value.is_finite() && (begins.is_ascii_digit() || begins == b'.')).then_some(value)
}

fn finite(raw: &str) -> Result<f64, Reason> {
    match raw.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        Ok(_) => Err(Reason::OutOfRange { found: cut(raw) }),
        Err(_) => Err(wrong(raw, "a number")),
    }
}

fn wrong(raw: &str, expected: &'static str) -> Reason {
    Reason::WrongType { found: cut(raw), expected }
}

/// A device that sends 7.62 in 32 bits means 7.62, not 7.619999885559082: the shortest number that
/// is the same in 32 bits. A whole number is itself: rounded, a time would be half a minute off.
#[must_use]
pub fn shortest(value: f32) -> f64 {
    if !value.is_finite() || value.fract() == 0.0 {
        return value.into();
    }
    ryu::Buffer::new().format_finite(value).parse().unwrap_or_else(|_| value.into())
}

/// Shortens what a device sent for a message to people.
#[must_use]
pub fn cut(raw: &str) -> Box<str> {
    const CHARS_MAX: usize = 60;
    match raw.char_indices().nth(CHARS_MAX) {
        Some((at, _)) => format!("{}…", raw.get(..at).unwrap_or_default()).into(),
        None => raw.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(raw: &str, text: bool, want: ObservationResult) {
        assert_eq!(scalar(raw, text), Ok(want));
    }

    #[track_caller]
    fn refuse(raw: &str, text: bool, code: &str) {
        assert_eq!(scalar(raw, text).unwrap_err().code(), code);
    }

    #[test]
    fn null_is_missing_never_zero() {
        check("null", false, ObservationResult::Nil(NilReason::Missing));
        check("\" \"", true, ObservationResult::Nil(NilReason::Missing));
    }

    #[test]
    fn a_number_keeps_its_last_bit() {
        check("97.45365320034685", false, ObservationResult::Value(97.453_653_200_346_85));
    }

    #[test]
    fn text_is_a_number_only_where_declared() {
        check("\"7.62\"", true, ObservationResult::Value(7.62));
        refuse("\"7.62\"", false, "wrong_type");
    }

    #[test]
    fn below_the_detection_limit_is_censored() {
        check("\"<0.02\"", false, ObservationResult::Censored { side: Side::Below, limit: 0.02 });
        check("\"> 50\"", true, ObservationResult::Censored { side: Side::Above, limit: 50.0 });
        refuse("\"<nan\"", true, "wrong_type");
    }

    #[test]
    fn a_number_beyond_any_double_says_so() {
        refuse("1e999", false, "out_of_range");
        refuse("\"-1e999\"", true, "out_of_range");
    }

    #[test]
    fn a_table_says_missing_by_nothing_and_below_detection_by_a_sign() {
        assert_eq!(written(" "), Some(ObservationResult::Nil(NilReason::Missing)));
        assert_eq!(written(" 7.62"), Some(ObservationResult::Value(7.62)));
        let below = ObservationResult::Censored { side: Side::Below, limit: 0.025 };
        assert_eq!(written("< 0.025"), Some(below));
        for wrong in ["-", "NA", "nan", "<", "<<1", "1e999", "7,62", "0.025L"] {
            assert_eq!(written(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_a_device_wrote_is_cut_for_people() {
        assert_eq!(cut(&"岸".repeat(60)).chars().count(), 60);
        let long = cut(&"岸".repeat(61));
        assert!(long.chars().count() == 61 && long.ends_with("岸…"));
    }

    #[test]
    fn words_are_no_numbers() {
        refuse("\"NaN\"", true, "wrong_type");
        refuse("\"inf\"", true, "wrong_type");
        refuse("true", true, "wrong_type");
        refuse("[1]", true, "wrong_type");
    }
}
