//! One metric of a Sparkplug payload.

use super::wire::{Fault, Field, Fields};
use crate::decode::named::{finite, truth};
use crate::decode::number;
use crate::domain::observation::{NilReason, ObservationResult};
use crate::domain::reject::Reason;

/// `Quality` of a value that was not measured.
const BAD: u32 = 0;
/// `Quality` of a value that was measured long ago.
const STALE: u32 = 500;

/// A value as it stands on the wire.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'p> {
    /// `int_value` or `long_value`; what it means its type says.
    Whole(u64),
    Float(f32),
    Double(f64),
    Truth(bool),
    Text(&'p [u8]),
    /// What is no single number.
    Other(&'static str),
}

/// One metric.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Metric<'p> {
    pub(super) name: Option<&'p str>,
    pub(super) alias: Option<u64>,
    pub(super) timestamp: Option<u64>,
    pub(super) datatype: u32,
    pub(super) historical: bool,
    pub(super) null: bool,
    pub(super) value: Option<Value<'p>>,
    /// The property `engUnit`.
    pub(super) unit: Option<&'p str>,
    /// The property `Quality`: 0 bad, 192 good, 500 stale.
    pub(super) quality: Option<u32>,
}

impl<'p> Metric<'p> {
    pub(super) fn read(bytes: &'p [u8]) -> Result<Self, Fault> {
        let mut metric = Self::default();
        let mut fields = Fields::new(bytes);
        while let Some((number, field)) = fields.next()? {
            match (number, field) {
                (1, Field::Bytes(name)) => metric.name = Some(text(name)?),
                (2, Field::Varint(alias)) => metric.alias = Some(alias),
                (3, Field::Varint(timestamp)) => metric.timestamp = Some(timestamp),
                (4, Field::Varint(kind)) => {
                    metric.datatype = u32::try_from(kind).unwrap_or(u32::MAX);
                }
                (5, Field::Varint(historical)) => metric.historical = historical != 0,
                (7, Field::Varint(null)) => metric.null = null != 0,
                (9, Field::Bytes(properties)) => metric.properties(properties)?,
                (10 | 11, Field::Varint(value)) => metric.value = Some(Value::Whole(value)),
                (12, Field::Fixed32(bits)) => {
                    metric.value = Some(Value::Float(f32::from_le_bytes(bits)));
                }
                (13, Field::Fixed64(bits)) => {
                    metric.value = Some(Value::Double(f64::from_le_bytes(bits)));
                }
                (14, Field::Varint(value)) => metric.value = Some(Value::Truth(value != 0)),
                (15, Field::Bytes(words)) => metric.value = Some(Value::Text(words)),
                (16, Field::Bytes(_)) => metric.value = Some(Value::Other("bytes")),
                (17, Field::Bytes(_)) => metric.value = Some(Value::Other("a DataSet")),
                (18, Field::Bytes(_)) => metric.value = Some(Value::Other("a Template")),
                // is_transient, metadata, and what a later edition may add.
                (_, _) => {}
            }
        }
        Ok(metric)
    }

    /// Reads the two properties that say something of the value.
    fn properties(&mut self, bytes: &'p [u8]) -> Result<(), Fault> {
        let (mut keys, mut values) = (Fields::new(bytes), Fields::new(bytes));
        // Keys and values stand apart, each in its order.
        let next = |fields: &mut Fields<'p>, wanted: u64| -> Result<Option<&'p [u8]>, Fault> {
            while let Some((number, field)) = fields.next()? {
                if let (true, Some(bytes)) = (number == wanted, field.bytes()) {
                    return Ok(Some(bytes));
                }
            }
            Ok(None)
        };
        while let (Some(key), Some(value)) = (next(&mut keys, 1)?, next(&mut values, 2)?) {
            match key {
                b"engUnit" => {
                    self.unit = property(value, 8)?.and_then(Field::bytes).map(text).transpose()?
                }
                b"Quality" | b"quality" => {
                    let quality = property(value, 3)?.and_then(Field::varint);
                    self.quality = quality.and_then(|quality| u32::try_from(quality).ok());
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Gives the result, by the type that the metric states or that its birth did.
    /// A value whose `Quality` is a mark of the seeds stands beside it, and is judged by it.
    pub(super) fn result(
        &self,
        born: u32,
        declared: bool,
        marked: bool,
    ) -> Result<ObservationResult, Reason> {
        // Nothing stands behind a value that its own device calls bad or stale.
        if self.null || !marked && matches!(self.quality, Some(BAD | STALE)) {
            return Ok(ObservationResult::Nil(NilReason::Missing));
        }
        let kind = if self.datatype == 0 { born } else { self.datatype };
        let wrong =
            |found: &str| Err(Reason::WrongType { found: found.into(), expected: "a number" });
        match self.value {
            None => wrong("no value, and no is_null"),
            Some(Value::Whole(bits)) => whole(bits, kind),
            Some(Value::Float(value)) => finite(number::shortest(value), value),
            Some(Value::Double(value)) => finite(value, value),
            Some(Value::Truth(value)) => Ok(truth(value)),
            Some(Value::Text(words)) => match std::str::from_utf8(words) {
                Ok(words) => number::text(words, declared),
                Err(_) => wrong("text that is not UTF-8"),
            },
            Some(Value::Other(what)) => wrong(what),
        }
    }
}

/// Gives what whole bits mean by their type: negative numbers are sent as the bits they have in
/// their own width, or wider.
#[expect(clippy::cast_possible_truncation, reason = "the type says how many bits count")]
fn whole(bits: u64, kind: u32) -> Result<ObservationResult, Reason> {
    let value = match kind {
        1 => f64::from(bits as i8),
        2 => f64::from(bits as i16),
        3 => f64::from(bits as i32),
        4 => bits.cast_signed() as f64,
        5 => f64::from(bits as u8),
        6 => f64::from(bits as u16),
        7 => f64::from(bits as u32),
        8 | 13 => bits as f64,
        11 => return Ok(truth(bits != 0)),
        0 => {
            return Err(Reason::WrongType {
                found: format!("{bits} without a type, whose sign nobody knows").into(),
                expected: "a type in the metric or in its birth",
            });
        }
        other => {
            return Err(Reason::WrongType {
                found: format!("whole bits of type {other}").into(),
                expected: "a type of whole numbers, 1 to 8",
            });
        }
    };
    Ok(ObservationResult::Value(value))
}

fn property(bytes: &[u8], wanted: u64) -> Result<Option<Field<'_>>, Fault> {
    let mut fields = Fields::new(bytes);
    let mut found = None;
    while let Some((number, field)) = fields.next()? {
        if number == wanted {
            found = Some(field);
        }
    }
    Ok(found)
}

fn text(bytes: &[u8]) -> Result<&str, Fault> {
    let words = "text that is not UTF-8";
    std::str::from_utf8(bytes).map_err(|error| Fault { at: error.valid_up_to(), words })
}
