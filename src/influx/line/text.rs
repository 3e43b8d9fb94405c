//! The letters of line protocol: what must be escaped, and what can't be written and is replaced.

use std::io::Write as _;

/// Writes a measurement. An empty one becomes `_`, because a line needs one; a `#` at its head
/// becomes `_`, because the line would be a comment. An equals sign separates nothing there, and
/// a backslash before it would become part of the name.
pub(super) fn push_measurement(out: &mut Vec<u8>, name: &str) {
    match name.strip_prefix('#') {
        _ if name.is_empty() => out.push(b'_'),
        Some(rest) => {
            out.push(b'_');
            push_escaped(out, rest, b", ");
        }
        None => push_escaped(out, name, b", "),
    }
}

/// Writes a tag's key or value or a field's key. Comma, equals sign and space are escaped. Control
/// characters can't be written and become `_`; so does a backslash before one of the former,
/// before another backslash or at the end, because there is no escape for it.
pub(super) fn push_name(out: &mut Vec<u8>, name: &str) {
    push_escaped(out, name, b",= ");
}

fn push_escaped(out: &mut Vec<u8>, name: &str, separators: &[u8]) {
    let bytes = name.as_bytes();
    for (place, byte) in bytes.iter().enumerate() {
        match byte {
            byte if separators.contains(byte) => out.extend_from_slice(&[b'\\', *byte]),
            b'\\' => {
                let next = bytes.get(place + 1);
                let special = next.is_none_or(|next| {
                    matches!(next, b',' | b'=' | b' ' | b'\\' | b'"') || next.is_ascii_control()
                });
                out.push(if special { b'_' } else { b'\\' });
            }
            byte if byte.is_ascii_control() => out.push(b'_'),
            byte => out.push(*byte),
        }
    }
}

/// Writes the text of a string field with its quotes. Control characters become spaces: a line of
/// ours holds no line feed, so that a body can be split at them.
pub(super) fn push_quoted(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            byte if byte.is_ascii_control() => out.push(b' '),
            byte => out.push(byte),
        }
    }
    out.push(b'"');
}

/// Writes a finite number, the shortest text that reads back as the same double.
pub(super) fn push_float(out: &mut Vec<u8>, value: f64) {
    out.extend_from_slice(ryu::Buffer::new().format_finite(value).as_bytes());
}

/// Writes a whole number without the `i` of a field.
pub(super) fn push_integer(out: &mut Vec<u8>, value: i64) {
    // Writing to memory can't fail.
    write!(out, "{value}").ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(write: fn(&mut Vec<u8>, &str), text: &str, want: &str) {
        let mut out = Vec::new();
        write(&mut out, text);
        assert_eq!(String::from_utf8(out).unwrap(), want);
    }

    #[test]
    fn separators_are_escaped() {
        check(push_name, "a b,c=d", "a\\ b\\,c\\=d");
    }

    #[test]
    fn a_backslash_stays_where_it_escapes_nothing() {
        check(push_name, "a\\b", "a\\b");
        check(push_name, "a\\", "a_");
        check(push_name, "a\\,b", "a_\\,b");
        check(push_name, "a\\\\b", "a_\\b");
    }

    #[test]
    fn a_line_feed_starts_no_second_line() {
        check(push_name, "x\ninjected,site=b f=1", "x_injected\\,site\\=b\\ f\\=1");
        check(push_quoted, "x\ny", "\"x y\"");
    }

    #[test]
    fn a_measurement_is_never_empty_and_never_a_comment() {
        check(push_measurement, "", "_");
        check(push_measurement, "#water", "_water");
    }

    #[test]
    fn an_equals_sign_separates_nothing_in_a_measurement() {
        check(push_measurement, "a=b c,d", "a=b\\ c\\,d");
    }

    #[test]
    fn quotes_and_backslashes_are_escaped_in_strings() {
        check(push_quoted, "a\"b\\", "\"a\\\"b\\\\\"");
    }
}
