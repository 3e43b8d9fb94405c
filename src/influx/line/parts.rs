//! A line taken apart again: needed where a database refuses one, to find the field it refuses.

/// Measurement with tags, fields and time of one line, as written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Parts<'a> {
    /// Measurement and tags.
    pub(crate) head: &'a [u8],
    /// The fields with the commas between them.
    fields: &'a [u8],
    /// The time.
    pub(crate) time: &'a [u8],
}

/// One field of a line, as written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Field<'a> {
    /// The key, escaped.
    pub(crate) key: &'a [u8],
    /// `key=value`.
    pub(crate) text: &'a [u8],
}

impl<'a> Parts<'a> {
    /// Takes a line apart; `None` if it is none of ours.
    pub(crate) fn of(line: &'a [u8]) -> Option<Self> {
        let (head, rest) = split_unescaped(line, b' ')?;
        let mut time = rest;
        loop {
            let (_, after) = split_field(time)?;
            match after.split_first()? {
                (b',', after) => time = after,
                (_, after) => {
                    let fields = rest.get(..rest.len().checked_sub(after.len() + 1)?)?;
                    return Some(Self { head, fields, time: after });
                }
            }
        }
    }

    /// Gives the measurement, escaped.
    pub(crate) fn measurement(&self) -> &'a [u8] {
        split_unescaped(self.head, b',').map_or(self.head, |(measurement, _)| measurement)
    }

    /// Walks the fields.
    pub(crate) fn fields(&self) -> impl Iterator<Item = Field<'a>> {
        let mut rest = self.fields;
        std::iter::from_fn(move || {
            let (field, after) = split_field(rest)?;
            rest = after.get(1..).unwrap_or_default();
            Some(field)
        })
    }

    /// Appends a line of the same point with some of its fields; nothing if none is wanted.
    pub(crate) fn push_with(&self, out: &mut Vec<u8>, wanted: impl Fn(&Field<'a>) -> bool) -> bool {
        let mut before = b' ';
        for field in self.fields().filter(wanted) {
            if before == b' ' {
                out.extend_from_slice(self.head);
            }
            out.push(std::mem::replace(&mut before, b','));
            out.extend_from_slice(field.text);
        }
        if before == b' ' {
            return false;
        }
        out.push(b' ');
        out.extend_from_slice(self.time);
        out.push(b'\n');
        true
    }
}

/// Splits at the first such byte that is not escaped. Quotes mean nothing in names.
fn split_unescaped(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let mut escaped = false;
    let place = text.iter().position(|byte| {
        let found = *byte == at && !escaped;
        escaped = *byte == b'\\' && !escaped;
        found
    })?;
    Some((text.get(..place)?, text.get(place + 1..)?))
}

/// Takes the first field off; the rest begins with what ends the field.
fn split_field(text: &[u8]) -> Option<(Field<'_>, &[u8])> {
    let (key, value) = split_unescaped(text, b'=')?;
    let length = match value.strip_prefix(b"\"") {
        Some(quoted) => split_unescaped(quoted, b'"')?.0.len() + 2,
        None => value.iter().position(|byte| matches!(byte, b',' | b' ')).unwrap_or(value.len()),
    };
    let end = key.len() + 1 + length;
    Some((Field { key, text: text.get(..end)? }, text.get(end..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_apart_at_what_separates_and_nowhere_else() {
        let line = br#"wa\,ter,station=a"\ b x\,y=1.5,s="a, b=c \" d",n=3i 17"#;
        let parts = Parts::of(line).unwrap();
        assert_eq!(parts.measurement(), br"wa\,ter");
        let fields: Vec<_> = parts.fields().map(|field| field.key).collect();
        assert_eq!(fields, [br"x\,y".as_slice(), b"s", b"n"]);
        let mut out = Vec::new();
        assert!(parts.push_with(&mut out, |field| field.key != b"s"));
        assert_eq!(out, b"wa\\,ter,station=a\"\\ b x\\,y=1.5,n=3i 17\n");
        assert!(!parts.push_with(&mut out, |_| false));
    }
}
