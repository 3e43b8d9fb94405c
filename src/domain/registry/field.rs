//! A number in a record of bytes, as the seeds write it: `u16be@4`, `f32be-swapped@8`, `u8@3.7`.

/// What the bytes of a field are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FieldKind {
    /// A whole number without a sign.
    Unsigned,
    /// A whole number in two's complement.
    Signed,
    /// A number of IEEE 754, of 32 or 64 bits.
    Float,
}

/// In which order the bytes of a field stand; of four bytes the first is A.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ByteOrder {
    /// The highest first: ABCD.
    Big,
    /// The lowest first: DCBA.
    Little,
    /// Words of two bytes, the lowest word first, the highest byte of each first: CDAB, as many
    /// devices of Modbus have it.
    BigSwapped,
    /// Words of two bytes, the highest word first, the lowest byte of each first: BADC.
    LittleSwapped,
}

/// A number in a record of bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field {
    /// What its bytes are.
    pub kind: FieldKind,
    /// How many there are, 1 to 8.
    pub bytes: u8,
    /// Their order.
    pub order: ByteOrder,
    /// The first of them, from the beginning of the record.
    pub at: u16,
    /// The one bit that is meant, from the lowest; `None` for the whole number.
    pub bit: Option<u8>,
}

/// How a field is written.
pub const FIELD: &str = "a field such as `u16be@4`, `f32be-swapped@8` or `u8@3.7`: `u`, `i` or \
                         `f`, 8, 16, 24, 32, 48 or 64 bits, `be`, `le`, `be-swapped` or \
                         `le-swapped`, `@` and the byte, a bit after a point";

impl Field {
    /// Says whether a name is meant to be a field: it begins with a type and has an `@`.
    #[must_use]
    pub fn is_meant(name: &str) -> bool {
        let bits = name.strip_prefix(['u', 'i', 'f']);
        let bits = bits.and_then(|rest| rest.split_once('@')).map(|(begin, _)| {
            begin.trim_end_matches(|letter: char| letter == '-' || letter.is_ascii_lowercase())
        });
        bits.is_some_and(|bits| matches!(bits, "8" | "16" | "24" | "32" | "48" | "64"))
    }

    /// Reads a field; `None` for what is none.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let (begin, place) = text.split_once('@')?;
        let (kind, rest) = match begin.as_bytes().first()? {
            b'u' => (FieldKind::Unsigned, begin.get(1..)?),
            b'i' => (FieldKind::Signed, begin.get(1..)?),
            b'f' => (FieldKind::Float, begin.get(1..)?),
            _ => return None,
        };
        let digits = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
        let (bits, order) = rest.split_at(digits);
        let (bytes, words) = match bits {
            "8" => (1, false),
            "16" => (2, false),
            "24" => (3, false),
            "32" => (4, true),
            "48" => (6, true),
            "64" => (8, true),
            _ => return None,
        };
        let order = match (order, bytes) {
            ("", 1) | ("be", 2..) => ByteOrder::Big,
            ("le", 2..) => ByteOrder::Little,
            ("be-swapped", _) if words => ByteOrder::BigSwapped,
            ("le-swapped", _) if words => ByteOrder::LittleSwapped,
            _ => return None,
        };
        if kind == FieldKind::Float && !matches!(bytes, 4 | 8) {
            return None;
        }
        let (at, bit) = match place.split_once('.') {
            Some((at, bit)) => (at, Some(number(bit)?)),
            None => (place, None),
        };
        let too_high = bit.is_some_and(|bit| bit >= u16::from(bytes) * 8);
        if too_high || bit.is_some() && kind == FieldKind::Float {
            return None;
        }
        let bit = bit.and_then(|bit| u8::try_from(bit).ok());
        Some(Self { kind, bytes, order, at: number(at)?, bit })
    }

    /// Gives the byte behind its last one.
    #[must_use]
    pub fn end(&self) -> usize {
        usize::from(self.at) + usize::from(self.bytes)
    }

    /// Gives its bits, the highest byte first; `None` where the record is too short.
    #[must_use]
    pub fn bits(&self, record: &[u8]) -> Option<u64> {
        let bytes = record.get(usize::from(self.at)..self.end())?;
        let last = bytes.len().checked_sub(1)?;
        (0..bytes.len()).try_fold(0, |bits: u64, place| {
            let from = match self.order {
                ByteOrder::Big => place,
                ByteOrder::Little => last - place,
                // The pairs from behind, each as it stands.
                ByteOrder::BigSwapped => (last - place) ^ 1,
                ByteOrder::LittleSwapped => place ^ 1,
            };
            Some(bits << 8 | u64::from(*bytes.get(from)?))
        })
    }
}

/// Reads a whole number of digits alone.
fn number(text: &str) -> Option<u16> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn bits(field: &str, want: u64) {
        let record = [0xA, 0xB, 0xC, 0xD, 0xE, 0xF, 0x1, 0x2];
        assert_eq!(Field::read(field).unwrap().bits(&record), Some(want), "{field}");
    }

    #[test]
    fn bytes_stand_in_four_orders() {
        bits("u8@1", 0x0B);
        bits("u16be@0", 0x0A0B);
        bits("u16le@0", 0x0B0A);
        bits("u24be@1", 0x0B_0C0D);
        bits("u32be@0", 0x0A0B_0C0D);
        bits("u32le@0", 0x0D0C_0B0A);
        bits("u32be-swapped@0", 0x0C0D_0A0B);
        bits("u32le-swapped@0", 0x0B0A_0D0C);
        bits("u48be-swapped@0", 0x0E0F_0C0D_0A0B);
        bits("u64be-swapped@0", 0x0102_0E0F_0C0D_0A0B);
        bits("u64le-swapped@0", 0x0B0A_0D0C_0F0E_0201);
    }

    #[test]
    fn a_field_beyond_its_record_has_no_bits() {
        let field = Field::read("u32be@5").unwrap();
        assert_eq!((field.end(), field.bits(&[0; 8])), (9, None));
    }

    #[test]
    fn what_is_no_field_is_none() {
        for wrong in [
            "u16@4",
            "u8be@4",
            "u12be@4",
            "f16be@0",
            "f24be@0",
            "x16be@0",
            "u16be",
            "u16be@",
            "@4",
            "u16be@-1",
            "u16be@+1",
            "u16be@4.16",
            "u16be@4.",
            "f32be@0.1",
            "u16be-swapped@0",
            "u24be-swapped@0",
            "u32swapped@0",
            "u16BE@0",
            "u16be@65536",
            "",
            "u",
            "é@1",
        ] {
            assert_eq!(Field::read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_name_that_is_meant_as_a_field_is_known() {
        for meant in ["u16be@4", "u16@4", "f32xx@", "i8@z", "u64be-swaped@0"] {
            assert!(Field::is_meant(meant), "{meant}");
        }
        for other in ["ph", "/u16", "i2c@40/temp", "2051:w01018-Avg", "@online", "u16be", "inlet@1"]
        {
            assert!(!Field::is_meant(other), "{other}");
        }
    }
}
