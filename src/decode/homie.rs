//! Homie 5: a device describes itself in `$description`, and has a topic a value below it,
//! `node/property`, that holds it as text. A description is remembered for devices of the seeds.

use std::collections::BTreeMap;
use std::sync::Arc;

use minicbor::{Decode, Encode};
use serde::Deserialize;

use crate::decode::json;
use crate::decode::named::{Readings, Said, presence, truth, way};
use crate::decode::{Announced, Context, Decoded, number};
use crate::domain::name::NetworkId;
use crate::domain::observation::ObservationResult;
use crate::domain::reject::Reason;

/// The format as it is named to people.
const FORMAT: &str = "Homie 5";
/// How long a description may be: a device of a hundred values has one of about 10 kB.
const DESCRIPTION_BYTES_MAX: usize = 64 << 10;
/// Units that say that there is none.
const UNITLESS: [&str; 2] = ["", "#"];

/// What the payloads of a property are.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
enum Datatype {
    #[n(0)]
    Integer,
    #[n(1)]
    Float,
    #[n(2)]
    Boolean,
    /// One of these words.
    #[n(3)]
    Enum(#[n(0)] Vec<Box<str>>),
    /// No number, by this word.
    #[n(4)]
    Other(#[n(0)] Box<str>),
}

/// What a description says of one property.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Property {
    #[n(0)]
    datatype: Datatype,
    #[n(1)]
    unit: Option<Box<str>>,
}

/// What devices describe, by network and device: their properties by `node/property`.
pub type Descriptions = BTreeMap<(NetworkId, Box<str>), BTreeMap<Box<str>, Property>>;

/// A description as it is sent, as far as it is needed.
#[derive(Deserialize)]
struct Sent {
    homie: Option<String>,
    #[serde(default)]
    nodes: BTreeMap<String, SentNode>,
}

#[derive(Deserialize)]
struct SentNode {
    #[serde(default)]
    properties: BTreeMap<String, SentProperty>,
}

#[derive(Deserialize)]
struct SentProperty {
    datatype: Option<String>,
    unit: Option<String>,
    format: Option<String>,
}

/// Homie 5, compiled: there is nothing to prepare.
#[derive(Debug)]
pub struct Plan;

impl Plan {
    /// Decodes one message, and remembers a description.
    ///
    /// # Errors
    /// The payload is none of Homie 5.
    pub fn decode(
        &self,
        context: Context<'_>,
        payload: &[u8],
        announced: &mut Arc<Announced>,
        decoded: &mut Decoded,
    ) -> Result<(), Reason> {
        let way = way(context);
        let key = (context.rule.network, Box::from(context.device_name));
        match way.as_str() {
            "$description" => {
                let described = described(payload)?;
                // A broker tells it again and again.
                if announced.descriptions.get(&key) != Some(&described) {
                    Arc::make_mut(announced).descriptions.insert(key, described);
                }
                Ok(())
            }
            "$state" => state(context, payload, decoded),
            // `$log`, `$alert`, `$target`: nothing that is measured.
            way if way.split('/').any(|word| word.starts_with('$')) => Ok(()),
            // All values are kept, and none says when it was true.
            _ if context.retained => {
                decoded.unread += 1;
                Ok(())
            }
            way => match announced.descriptions.get(&key) {
                Some(described) => value(context, way, described.get(way), payload, decoded),
                None => Err(malformed(
                    "no `$description` of the device was heard, so that nobody knows what its \
                     values are; topics.csv needs a pattern that ends in `{device}/{kind}`",
                )),
            },
        }
    }
}

fn described(payload: &[u8]) -> Result<BTreeMap<Box<str>, Property>, Reason> {
    if payload.len() > DESCRIPTION_BYTES_MAX {
        let bytes = payload.len();
        return Err(malformed(format!(
            "a `$description` of {bytes} bytes, expected {DESCRIPTION_BYTES_MAX} at most"
        )));
    }
    let sent: Sent = json::read(payload)?;
    if let Some(version) = sent.homie.filter(|version| !version.starts_with("5.")) {
        let version = number::cut(&version);
        return Err(malformed(format!("`homie` is `{version}` in `$description`, expected 5")));
    }
    let of_node = |(node, sent): (String, SentNode)| {
        let of_property = move |(name, sent): (String, SentProperty)| {
            (format!("{node}/{name}").into(), sent.known())
        };
        sent.properties.into_iter().map(of_property)
    };
    Ok(sent.nodes.into_iter().flat_map(of_node).collect())
}

impl SentProperty {
    fn known(self) -> Property {
        let datatype = match self.datatype.as_deref() {
            Some("integer") => Datatype::Integer,
            Some("float") => Datatype::Float,
            Some("boolean") => Datatype::Boolean,
            Some("enum") => {
                let words = self.format.as_deref().unwrap_or_default();
                Datatype::Enum(words.split(',').map(Box::from).collect())
            }
            other => Datatype::Other(other.unwrap_or("(none)").into()),
        };
        let unit = self.unit.filter(|unit| !UNITLESS.contains(&unit.as_str()));
        Property { datatype, unit: unit.map(Box::from) }
    }
}

/// Takes where a device stands. One that begins or sleeps is neither gone nor at work.
fn state(context: Context<'_>, payload: &[u8], decoded: &mut Decoded) -> Result<(), Reason> {
    match payload {
        b"ready" => presence(FORMAT, context, true, decoded),
        b"disconnected" | b"lost" => presence(FORMAT, context, false, decoded),
        b"init" | b"sleeping" => Ok(()),
        other => {
            let other = number::cut(&String::from_utf8_lossy(other));
            Err(malformed(format!(
                "`$state` is `{other}`, expected `init`, `ready`, `disconnected`, `sleeping` or \
                 `lost`"
            )))
        }
    }
}

fn value(
    context: Context<'_>,
    way: &str,
    property: Option<&Property>,
    payload: &[u8],
    decoded: &mut Decoded,
) -> Result<(), Reason> {
    let words = std::str::from_utf8(payload).map_err(|_| malformed("no UTF-8 text"))?;
    let mut readings = Readings::new(FORMAT, context, decoded);
    let unit = property.and_then(|property| property.unit.as_deref());
    readings.take(way, Said { unit, ..Said::default() }, |_| match property {
        Some(property) => property.datatype.read(words),
        None => Err(malformed("`$description` has no such property")),
    })
}

impl Datatype {
    fn read(&self, words: &str) -> Result<ObservationResult, Reason> {
        let wrong = |expected| Reason::WrongType { found: number::cut(words), expected };
        match self {
            Self::Float => number::text(words, true),
            Self::Integer => match number::text(words, true)? {
                ObservationResult::Value(value) if value.fract() != 0.0 => {
                    Err(wrong("a whole number, as `$description` says"))
                }
                result @ (ObservationResult::Value(_)
                | ObservationResult::Censored { .. }
                | ObservationResult::Nil(_)) => Ok(result),
            },
            Self::Boolean => match words {
                "true" => Ok(truth(true)),
                "false" => Ok(truth(false)),
                _ => Err(wrong("`true` or `false`, as `$description` says")),
            },
            Self::Enum(known) => match known.iter().position(|known| **known == *words) {
                Some(place) => Ok(ObservationResult::Value(place as f64)),
                None => Err(wrong("a word of `format` in `$description`")),
            },
            Self::Other(word) => {
                let word = number::cut(word);
                Err(malformed(format!("`$description` says `{word}`, which is no number")))
            }
        }
    }
}

fn malformed(fault: impl Into<Box<str>>) -> Reason {
    Reason::Malformed { format: FORMAT, fault: fault.into() }
}

#[cfg(test)]
mod tests;
