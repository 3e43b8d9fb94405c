//! What is wrong with a text that is not JSON, said so that somebody can mend the device.

use crate::decode::number::cut;
use crate::domain::reject::Reason;

/// Turns the parser's error into a reason that names the place and, for what devices often send
/// and JSON forbids, the thing itself.
pub(in crate::decode) fn reason(error: &serde_json::Error, payload: &[u8]) -> Reason {
    let fault = if payload.starts_with(b"\xEF\xBB\xBF") {
        "it begins with a byte order mark, which JSON forbids; send plain UTF-8".to_owned()
    } else if error.is_eof() {
        format!("it ends in the middle, after {} bytes", payload.len())
    } else {
        let at = offset(error, payload);
        match forbidden(payload, at) {
            Some(thing) => format!("byte {at}: {thing}"),
            None => format!("byte {at}: {}", words(error)),
        }
    };
    Reason::Malformed { format: "JSON", fault: fault.into() }
}

/// Gives the error without the place that serde_json appends, since the byte says it better, and
/// with no more of what was found than people read.
fn words(error: &serde_json::Error) -> String {
    let words = error.to_string();
    let words = words.rfind(" at line ").and_then(|at| words.get(..at)).unwrap_or(&words);
    match words.rsplit_once(", expected ") {
        Some((found, expected)) => format!("{}, expected {expected}", cut(found)),
        None => words.to_owned(),
    }
}

fn offset(error: &serde_json::Error, payload: &[u8]) -> usize {
    let before: usize = payload
        .split(|byte| *byte == b'\n')
        .take(error.line().saturating_sub(1))
        .map(|line| line.len() + 1)
        .sum();
    (before + error.column()).saturating_sub(1).min(payload.len())
}

/// Names what stands at a byte, if it is one of the things that devices send and JSON forbids.
fn forbidden(payload: &[u8], at: usize) -> Option<&'static str> {
    let here = payload.get(at..).unwrap_or_default();
    let before = payload.get(..at).unwrap_or_default();
    // The parser stops one letter into a word; the word began a little earlier.
    let near = payload.get(at.saturating_sub(2)..).unwrap_or_default();
    let begins = |text: &[u8], word: &[u8]| {
        text.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word))
    };
    let found = |word: &[u8]| (0..3).any(|skip| begins(near.get(skip..).unwrap_or_default(), word));
    let last = before.iter().rev().find(|byte| !byte.is_ascii_whitespace());
    if found(b"nan") {
        Some("NaN, which JSON forbids; a missing value is null")
    } else if found(b"inf") {
        Some("Infinity, which JSON forbids; a value beyond the span is null or \">50\"")
    } else if matches!(here.first(), Some(b'}' | b']')) && last == Some(&b',') {
        Some("a comma before the closing bracket, which JSON forbids")
    } else if here.first() == Some(&b'.') {
        Some("a number that begins with a point; JSON wants 0.5, not .5")
    } else if here.first().is_some_and(u8::is_ascii_digit) && last == Some(&b'0') {
        Some("a number with a leading zero; JSON wants 7, not 07")
    } else {
        None
    }
}
