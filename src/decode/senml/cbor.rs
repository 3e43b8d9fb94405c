//! A pack as CBOR: labels are small numbers (RFC 8428 table 4), numbers may be decimal fractions.

use std::borrow::Cow;

use minicbor::Decoder;
use minicbor::data::Type;

use super::FORMAT;
use super::record::{Record, Scalar};
use crate::decode::number;
use crate::domain::reject::Reason;

/// The labels that are numbers, from -6 on.
const LABELS: [&str; 15] =
    ["bs", "bv", "bu", "bt", "bn", "bver", "n", "u", "v", "vs", "vb", "s", "t", "ut", "vd"];
/// The number of the first of them.
const FIRST_LABEL: i64 = -6;
/// The tag of a decimal fraction: an exponent of ten and a mantissa, RFC 8949 §3.4.4.
const DECIMAL_FRACTION: u64 = 4;
/// The tag that says no more than that this is CBOR, RFC 8949 §3.4.6.
const CBOR: u64 = 55_799;
/// The largest exponent of a decimal fraction that is looked at; no double has one beyond.
const EXPONENT_MAX: i64 = 400;

/// Says whether a payload that begins so is CBOR: an array, or a tag. No JSON does.
pub(super) fn begins(byte: u8) -> bool {
    matches!(byte, 0x80..=0x9F | 0xD9)
}

/// Calls `take` with each record, until it says that it has enough.
pub(super) fn each<'p>(
    payload: &'p [u8],
    mut take: impl FnMut(Record<'p>) -> Result<bool, Reason>,
) -> Result<(), Reason> {
    let mut bytes = Decoder::new(payload);
    if bytes.datatype().is_ok_and(|kind| kind == Type::Tag) {
        let tag = bytes.tag().map_err(|error| fault(&bytes, &error))?;
        if tag.as_u64() != CBOR {
            return Err(malformed(&bytes, format!("tag {}, expected an array", tag.as_u64())));
        }
    }
    let count = bytes.array().map_err(|error| fault(&bytes, &error))?;
    let mut read = 0_u64;
    while more(&mut bytes, count, read)? {
        let record = record(&mut bytes)?;
        read += 1;
        if !take(record)? {
            return Ok(());
        }
    }
    if bytes.position() < payload.len() {
        return Err(malformed(&bytes, "bytes after the pack".to_owned()));
    }
    Ok(())
}

/// Says whether another item follows, of so many or of as many as come before a break.
fn more(bytes: &mut Decoder<'_>, count: Option<u64>, read: u64) -> Result<bool, Reason> {
    if let Some(count) = count {
        return Ok(read < count);
    }
    match bytes.datatype() {
        Ok(Type::Break) => bytes.skip().map(|()| false).map_err(|error| fault(bytes, &error)),
        Ok(_) => Ok(true),
        Err(error) => Err(fault(bytes, &error)),
    }
}

fn record<'p>(bytes: &mut Decoder<'p>) -> Result<Record<'p>, Reason> {
    let mut record = Record::default();
    let count = bytes.map().map_err(|error| fault(bytes, &error))?;
    let mut read = 0;
    while more(bytes, count, read)? {
        let label = label(bytes)?;
        let value = scalar(bytes)?;
        record.put(&label, value);
        read += 1;
    }
    Ok(record)
}

fn label<'p>(bytes: &mut Decoder<'p>) -> Result<Cow<'p, str>, Reason> {
    match bytes.datatype() {
        Ok(Type::String | Type::StringIndef) => text(bytes),
        Ok(_) | Err(_) => {
            let number = bytes.i64().map_err(|error| fault(bytes, &error))?;
            let place = number.checked_sub(FIRST_LABEL).and_then(|at| usize::try_from(at).ok());
            Ok(Cow::Borrowed(place.and_then(|at| LABELS.get(at)).copied().unwrap_or_default()))
        }
    }
}

fn scalar<'p>(bytes: &mut Decoder<'p>) -> Result<Scalar<'p>, Reason> {
    let kind = bytes.datatype().map_err(|error| fault(bytes, &error))?;
    let read = match kind {
        Type::Bool => bytes.bool().map(Scalar::Truth),
        Type::Null | Type::Undefined => bytes.skip().map(|()| Scalar::Null),
        Type::F16 => {
            let two = bytes.input().get(bytes.position()..).and_then(|rest| rest.get(1..3));
            let half = two.and_then(|two| two.try_into().ok()).map(u16::from_be_bytes);
            bytes.skip().map(|()| Scalar::Number(half.map_or(f64::NAN, half_precision)))
        }
        Type::F32 => bytes.f32().map(|value| Scalar::Number(number::shortest(value))),
        Type::F64 => bytes.f64().map(Scalar::Number),
        Type::String | Type::StringIndef => return text(bytes).map(Scalar::Text),
        Type::Bytes | Type::BytesIndef => bytes.skip().map(|()| Scalar::Other("bytes")),
        Type::Tag => return decimal(bytes),
        Type::Array | Type::ArrayIndef => bytes.skip().map(|()| Scalar::Other("an array")),
        Type::Map | Type::MapIndef => bytes.skip().map(|()| Scalar::Other("a map")),
        Type::Simple | Type::Break | Type::Unknown(_) => {
            return Err(malformed(bytes, format!("{kind}, expected a value")));
        }
        Type::U8
        | Type::U16
        | Type::U32
        | Type::U64
        | Type::I8
        | Type::I16
        | Type::I32
        | Type::I64
        | Type::Int => bytes.int().map(|value| Scalar::Number(i128::from(value) as f64)),
    };
    read.map_err(|error| fault(bytes, &error))
}

/// Gives what sixteen bits mean, RFC 8949 appendix D.
fn half_precision(bits: u16) -> f64 {
    let (exponent, mantissa) = (i32::from(bits >> 10) & 0x1F, f64::from(bits & 0x3FF));
    let size = match exponent {
        0 => mantissa * 2_f64.powi(-24),
        31 if mantissa == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        exponent => (mantissa + 1024.0) * 2_f64.powi(exponent - 25),
    };
    if bits & 0x8000 == 0 { size } else { -size }
}

fn text<'p>(bytes: &mut Decoder<'p>) -> Result<Cow<'p, str>, Reason> {
    let parts: Result<Vec<&'p str>, _> = match bytes.str_iter() {
        Ok(parts) => parts.collect(),
        Err(error) => Err(error),
    };
    let mut parts = parts.map_err(|error| fault(bytes, &error))?;
    Ok(match parts.as_slice() {
        [] => Cow::Borrowed(""),
        [_] => Cow::Borrowed(parts.swap_remove(0)),
        _ => Cow::Owned(parts.concat()),
    })
}

fn decimal<'p>(bytes: &mut Decoder<'p>) -> Result<Scalar<'p>, Reason> {
    let tag = bytes.tag().map_err(|error| fault(bytes, &error))?;
    if tag.as_u64() != DECIMAL_FRACTION {
        bytes.skip().map_err(|error| fault(bytes, &error))?;
        return Ok(Scalar::Other("a tagged value"));
    }
    let mut parts = || -> Result<Option<(i64, i64)>, minicbor::decode::Error> {
        if bytes.array()? != Some(2) {
            return Ok(None);
        }
        Ok(Some((bytes.i64()?, bytes.i64()?)))
    };
    match parts() {
        Ok(Some((exponent, mantissa))) => {
            let exponent = exponent.clamp(-EXPONENT_MAX, EXPONENT_MAX);
            // Written and read, so that 762 and -2 are the double nearest to 7.62.
            let value = format!("{mantissa}e{exponent}").parse().unwrap_or(f64::INFINITY);
            Ok(Scalar::Number(value))
        }
        Ok(None) => Err(malformed(bytes, "a decimal fraction is an array of two".to_owned())),
        Err(error) => Err(fault(bytes, &error)),
    }
}

fn fault(bytes: &Decoder<'_>, error: &minicbor::decode::Error) -> Reason {
    if error.is_end_of_input() {
        let fault = format!("CBOR ends in the middle, after {} bytes", bytes.input().len());
        return Reason::Malformed { format: FORMAT, fault: fault.into() };
    }
    let at = error.position().unwrap_or_else(|| bytes.position());
    let words = error.to_string();
    // The place stands before it.
    let words = words.replace(&format!(" at position {at}"), "");
    let fault = format!("CBOR, byte {at}: {words}");
    Reason::Malformed { format: FORMAT, fault: fault.into() }
}

fn malformed(bytes: &Decoder<'_>, fault: String) -> Reason {
    let at = bytes.position();
    Reason::Malformed { format: FORMAT, fault: format!("CBOR, byte {at}: {fault}").into() }
}
