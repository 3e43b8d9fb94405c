//! One record of a pack as it stands, from JSON; CBOR fills the same.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::FORMAT;
use crate::decode::number;
use crate::domain::observation::{NilReason, ObservationResult};
use crate::domain::reject::Reason;

/// One value as it stands.
#[derive(Debug)]
pub(super) enum Scalar<'p> {
    /// A piece of JSON.
    Json(&'p str),
    Number(f64),
    Text(Cow<'p, str>),
    Truth(bool),
    Null,
    /// Something that is none of these.
    Other(&'static str),
}

impl<'p> Scalar<'p> {
    fn wrong(&self, expected: &'static str) -> Reason {
        let found = match self {
            Self::Json(raw) => number::cut(raw),
            Self::Number(value) => value.to_string().into(),
            Self::Text(words) => number::cut(&format!("\"{words}\"")),
            Self::Truth(value) => value.to_string().into(),
            Self::Null => "null".into(),
            Self::Other(what) => (*what).into(),
        };
        Reason::WrongType { found, expected }
    }

    /// Gives a number that is nothing but one.
    pub(super) fn number(&self) -> Result<f64, Reason> {
        match self.result(false) {
            Ok(ObservationResult::Value(value)) => Ok(value),
            Ok(ObservationResult::Censored { .. } | ObservationResult::Nil(_)) => {
                Err(self.wrong("a number"))
            }
            Err(reason) => Err(reason),
        }
    }

    /// Gives a result; `declared` says that numbers may come as text.
    pub(super) fn result(&self, declared: bool) -> Result<ObservationResult, Reason> {
        match self {
            Self::Json(raw) => number::scalar(raw, declared),
            Self::Number(value) => crate::decode::named::finite(*value, value),
            Self::Text(words) => number::text(words, declared),
            Self::Null => Ok(ObservationResult::Nil(NilReason::Missing)),
            Self::Truth(_) | Self::Other(_) => Err(self.wrong("a number")),
        }
    }

    pub(super) fn text(&self) -> Result<Cow<'p, str>, Reason> {
        match self {
            Self::Json(raw) if raw.starts_with('"') => {
                let plain = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
                if plain.contains('\\') {
                    serde_json::from_str(raw).map_err(|_| self.wrong("a text"))
                } else {
                    Ok(Cow::Borrowed(plain))
                }
            }
            Self::Text(words) => Ok(words.clone()),
            Self::Json(_) | Self::Number(_) | Self::Truth(_) | Self::Null | Self::Other(_) => {
                Err(self.wrong("a text"))
            }
        }
    }

    pub(super) fn truth(&self) -> Result<bool, Reason> {
        match self {
            Self::Json("true") | Self::Truth(true) => Ok(true),
            Self::Json("false") | Self::Truth(false) => Ok(false),
            Self::Json(_) | Self::Number(_) | Self::Text(_) | Self::Null | Self::Other(_) => {
                Err(self.wrong("true or false"))
            }
        }
    }
}

/// One record: its fields by what they mean, RFC 8428 table 1.
#[derive(Debug, Default)]
pub(super) struct Record<'p> {
    pub(super) base_name: Option<Scalar<'p>>,
    pub(super) base_time: Option<Scalar<'p>>,
    pub(super) base_unit: Option<Scalar<'p>>,
    pub(super) base_value: Option<Scalar<'p>>,
    pub(super) base_sum: Option<Scalar<'p>>,
    pub(super) version: Option<Scalar<'p>>,
    pub(super) name: Option<Scalar<'p>>,
    pub(super) unit: Option<Scalar<'p>>,
    pub(super) value: Option<Scalar<'p>>,
    pub(super) text: Option<Scalar<'p>>,
    pub(super) truth: Option<Scalar<'p>>,
    pub(super) opaque: Option<Scalar<'p>>,
    pub(super) sum: Option<Scalar<'p>>,
    pub(super) time: Option<Scalar<'p>>,
    /// A field that is not known and must be understood: its name ends in `_`.
    pub(super) mandatory: Option<Box<str>>,
}

impl<'p> Record<'p> {
    /// Says whether it states nothing of its own.
    pub(super) fn is_bare(&self) -> bool {
        let values = [&self.value, &self.text, &self.truth, &self.opaque, &self.sum];
        values.iter().all(|value| value.is_none())
    }

    /// Puts a field where it belongs. One that is not known is left out, unless it must be
    /// understood.
    pub(super) fn put(&mut self, label: &str, value: Scalar<'p>) {
        let place = match label {
            "bn" => &mut self.base_name,
            "bt" => &mut self.base_time,
            "bu" => &mut self.base_unit,
            "bv" => &mut self.base_value,
            "bs" => &mut self.base_sum,
            "bver" => &mut self.version,
            "n" => &mut self.name,
            "u" => &mut self.unit,
            "v" => &mut self.value,
            "vs" => &mut self.text,
            "vb" => &mut self.truth,
            "vd" => &mut self.opaque,
            "s" => &mut self.sum,
            "t" => &mut self.time,
            other if other.ends_with('_') => {
                self.mandatory = Some(number::cut(other));
                return;
            }
            _ => return,
        };
        *place = Some(value);
    }
}

/// Reads the records of a pack of JSON one after another.
pub(super) struct Records<F> {
    pub(super) take: F,
    /// Why reading stopped before the end: an error, or enough.
    pub(super) stopped: Option<Result<(), Reason>>,
}

impl<F> Records<F> {
    pub(super) fn read<'p, D: Deserializer<'p>>(&mut self, text: D) -> Result<(), D::Error>
    where
        F: FnMut(Record<'p>) -> Result<bool, Reason>,
    {
        text.deserialize_seq(self)
    }
}

impl<'p, F: FnMut(Record<'p>) -> Result<bool, Reason>> Visitor<'p> for &mut Records<F> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an array of records")
    }

    fn visit_seq<A: SeqAccess<'p>>(self, mut records: A) -> Result<(), A::Error> {
        while let Some(record) = records.next_element()? {
            match (self.take)(record) {
                Ok(true) => {}
                stopped @ (Ok(false) | Err(_)) => {
                    self.stopped = Some(stopped.map(|_| ()));
                    return Err(A::Error::custom(FORMAT));
                }
            }
        }
        Ok(())
    }
}

impl<'p> serde::Deserialize<'p> for Record<'p> {
    fn deserialize<D: Deserializer<'p>>(text: D) -> Result<Self, D::Error> {
        text.deserialize_map(InRecord)
    }
}

struct InRecord;

impl<'p> Visitor<'p> for InRecord {
    type Value = Record<'p>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a record, which is an object")
    }

    fn visit_map<A: MapAccess<'p>>(self, mut map: A) -> Result<Record<'p>, A::Error> {
        let mut record = Record::default();
        while let Some(label) = map.next_key::<Label<'p>>()? {
            let raw = map.next_value::<&'p RawValue>()?.get();
            let value = match raw.as_bytes().first() {
                Some(b'{') => Scalar::Other("an object"),
                Some(b'[') => Scalar::Other("an array"),
                Some(_) | None => Scalar::Json(raw),
            };
            record.put(&label.0, value);
        }
        Ok(record)
    }
}

#[derive(serde::Deserialize, Debug)]
struct Label<'p>(#[serde(borrow)] Cow<'p, str>);
