//! The wire format of protocol buffers, as far as Sparkplug's messages need it: fields one after
//! another, borrowed from the payload, nothing built.

/// What one field holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Field<'p> {
    Varint(u64),
    Fixed64([u8; 8]),
    Fixed32([u8; 4]),
    /// Text, bytes or a message inside.
    Bytes(&'p [u8]),
}

impl<'p> Field<'p> {
    pub(super) fn varint(self) -> Option<u64> {
        match self {
            Self::Varint(value) => Some(value),
            Self::Fixed64(_) | Self::Fixed32(_) | Self::Bytes(_) => None,
        }
    }

    pub(super) fn bytes(self) -> Option<&'p [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Varint(_) | Self::Fixed64(_) | Self::Fixed32(_) => None,
        }
    }
}

/// The fields of one message.
#[derive(Clone, Debug)]
pub(super) struct Fields<'p> {
    whole: &'p [u8],
    at: usize,
}

/// Where a message can't be read, counted from its first byte, and why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) words: &'static str,
}

impl<'p> Fields<'p> {
    pub(super) fn new(whole: &'p [u8]) -> Self {
        Self { whole, at: 0 }
    }

    /// Gives the next field with its number; nothing at the end.
    ///
    /// # Errors
    /// What follows is no field.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Field<'p>)>, Fault> {
        if self.at >= self.whole.len() {
            return Ok(None);
        }
        let begin = self.at;
        let key = self.varint()?;
        let field = match key & 7 {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(self.fixed()?),
            2 => {
                let length = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
                Field::Bytes(self.take(length)?)
            }
            5 => Field::Fixed32(self.fixed()?),
            _ => return Err(Fault { at: begin, words: "no field of protocol buffers" }),
        };
        match key >> 3 {
            0 => Err(Fault { at: begin, words: "a field with the number 0" }),
            number => Ok(Some((number, field))),
        }
    }

    fn varint(&mut self) -> Result<u64, Fault> {
        let mut value = 0_u64;
        for shift in (0..70).step_by(7) {
            let byte = self.take(1)?.first().copied().unwrap_or_default();
            value |= u64::from(byte & 0x7F).checked_shl(shift).unwrap_or_default();
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Fault { at: self.at, words: "a number of more than ten bytes" })
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let bytes = self.take(N)?;
        bytes.try_into().map_err(|_| Fault { at: self.at, words: "it ends in the middle" })
    }

    fn take(&mut self, length: usize) -> Result<&'p [u8], Fault> {
        let end = self.at.saturating_add(length);
        let Some(bytes) = self.whole.get(self.at..end) else {
            return Err(Fault { at: self.whole.len(), words: "it ends in the middle" });
        };
        self.at = end;
        Ok(bytes)
    }
}
