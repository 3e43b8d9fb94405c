//! Whole numbers in few bytes: what histories and the journal keep by the million.

/// Writes a signed number in seven bits a byte, small ones of either sign short.
pub fn push_varint(out: &mut impl Extend<u8>, number: i64) {
    push_unsigned(out, folded(number));
}

/// Takes such a number off the front; `None` if the bytes end before it does.
pub fn take_varint(from: &mut &[u8]) -> Option<i64> {
    take_unsigned(from).map(unfolded)
}

/// Folds a signed number, so that small ones of either sign are small.
#[must_use]
pub fn folded(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

/// Takes the fold back.
#[must_use]
pub fn unfolded(number: u64) -> i64 {
    ((number >> 1) as i64) ^ -((number & 1) as i64)
}

/// Writes a number in seven bits a byte.
pub fn push_unsigned(out: &mut impl Extend<u8>, number: u64) {
    let mut rest = number;
    while rest >= 0x80 {
        out.extend(Some((rest as u8 & 0x7f) | 0x80));
        rest >>= 7;
    }
    out.extend(Some(rest as u8));
}

/// Takes such a number off the front; `None` if the bytes end before it does.
pub fn take_unsigned(from: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, tail) = from.split_first()?;
        *from = tail;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// Writes a text or payload behind its length.
pub fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    push_varint(out, i64::try_from(bytes.len()).unwrap_or(i64::MAX));
    out.extend_from_slice(bytes);
}

/// Takes such a text or payload off the front.
pub fn take_bytes<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(take_varint(from)?).ok()?;
    let (bytes, tail) = from.split_at_checked(length)?;
    *from = tail;
    Some(bytes)
}

/// Packed bytes behind one handle in a snapshot, for minicbor's `with`.
pub(crate) mod shared {
    use std::sync::Arc;

    use minicbor::decode::{Decoder, Error as DecodeError};
    use minicbor::encode::{Encoder, Error as EncodeError, Write};

    pub(crate) fn encode<C, W: Write>(
        bytes: &Arc<[u8]>,
        out: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        out.bytes(bytes)?;
        Ok(())
    }

    pub(crate) fn decode<C>(from: &mut Decoder<'_>, _: &mut C) -> Result<Arc<[u8]>, DecodeError> {
        Ok(from.bytes()?.into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(number: i64, text: Vec<u8>) {
            let mut out = Vec::new();
            push_varint(&mut out, number);
            push_bytes(&mut out, &text);
            let mut from = out.as_slice();
            prop_assert_eq!(take_varint(&mut from), Some(number));
            prop_assert_eq!(take_bytes(&mut from), Some(text.as_slice()));
            prop_assert!(from.is_empty());
        }

        #[test]
        fn any_bytes_are_read_without_harm(bytes: Vec<u8>) {
            let mut from = bytes.as_slice();
            while take_bytes(&mut from).is_some() {}
        }
    }
}
