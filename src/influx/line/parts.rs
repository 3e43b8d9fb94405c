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
        let (head, rest) = split_at(line, b' ')?;
        let (fields, time) = split_at(rest, b' ')?;
        Some(Self { head, fields, time })
    }

    /// Gives the measurement, escaped.
    pub(crate) fn measurement(&self) -> &'a [u8] {
        split_at(self.head, b',').map_or(self.head, |(measurement, _)| measurement)
    }

    /// Walks the fields.
    pub(crate) fn fields(&self) -> impl Iterator<Item = Field<'a>> {
        let mut rest = Some(self.fields);
        std::iter::from_fn(move || {
            let here = rest?;
            let (text, after) = match split_at(here, b',') {
                Some((text, after)) => (text, Some(after)),
                None => (here, None),
            };
            rest = after;
            let key = split_at(text, b'=').map_or(text, |(key, _)| key);
            Some(Field { key, text })
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

/// Splits at the first such byte that is neither escaped nor inside quotes.
fn split_at(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let (mut escaped, mut quoted) = (false, false);
    for (place, byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            byte if *byte == at && !quoted => {
                return Some((text.get(..place)?, text.get(place + 1..)?));
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_apart_at_what_separates_and_nowhere_else() {
        let line = br#"wa\,ter,station=a\ b x\,y=1.5,s="a, b=c \" d",n=3i 17"#;
        let parts = Parts::of(line).unwrap();
        assert_eq!(parts.measurement(), br"wa\,ter");
        let fields: Vec<_> = parts.fields().map(|field| field.key).collect();
        assert_eq!(fields, [br"x\,y".as_slice(), b"s", b"n"]);
        let mut out = Vec::new();
        assert!(parts.push_with(&mut out, |field| field.key != b"s"));
        assert_eq!(out, b"wa\\,ter,station=a\\ b x\\,y=1.5,n=3i 17\n");
        assert!(!parts.push_with(&mut out, |_| false));
    }
}
