//! Objects read one level at a time, for formats whose shape is their own and not the seeds'.

use std::borrow::Cow;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::fault;
use crate::domain::reject::Reason;

/// Reads a payload of a known shape.
///
/// # Errors
/// The payload is not JSON, or of another shape.
pub(in crate::decode) fn read<'p, T: Deserialize<'p>>(payload: &'p [u8]) -> Result<T, Reason> {
    serde_json::from_slice(payload).map_err(|error| fault::reason(&error, payload))
}

/// The entries of one object, in their order; what is inside them is not looked at.
#[derive(Debug)]
struct Entries<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

#[derive(serde::Deserialize, Debug)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// Gives the entries of an object.
///
/// # Errors
/// It is no object.
pub(in crate::decode) fn entries(
    raw: &RawValue,
) -> Result<Vec<(Cow<'_, str>, &RawValue)>, serde_json::Error> {
    serde_json::from_str::<Entries<'_>>(raw.get()).map(|entries| entries.0)
}

/// Gives the elements of an array.
///
/// # Errors
/// It is no array.
pub(in crate::decode) fn elements(raw: &RawValue) -> Result<Vec<&RawValue>, serde_json::Error> {
    serde_json::from_str(raw.get())
}

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(text: D) -> Result<Self, D::Error> {
        text.deserialize_map(InObject)
    }
}

struct InObject;

impl<'de> Visitor<'de> for InObject {
    type Value = Entries<'de>;

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<'de>, A::Error> {
        let mut entries = Vec::new();
        while let Some(Key(name)) = map.next_key::<Key<'de>>()? {
            entries.push((name, map.next_value::<&'de RawValue>()?));
        }
        Ok(Entries(entries))
    }
}
