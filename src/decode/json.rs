//! JSON mapped by the seeds: wide records (one key a channel), long records (a name and a value),
//! alone or in an array, at any depth. The pointers of a topic and a profile become one tree that
//! is walked along with the text, so that nothing is built that is not a reading.

mod fault;
mod object;
mod plan;

use std::borrow::Cow;

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;

pub(super) use self::fault::reason;
pub(super) use self::object::{elements, entries, read};
pub use self::plan::Plan;
pub(super) use self::plan::nearest;
use self::plan::{Node, Target};
use crate::decode::{Context, Decoded, Refused, number, time};
use crate::domain::observation::{ObservationResult, Reading};
use crate::domain::reject::Reason;
use crate::domain::time::Timestamp;
use crate::domain::unit::UnitIndex;

/// How deep a value that no pointer names may be nested; what is deeper is an attack.
const DEPTH_MAX: usize = 64;
/// How many unknown channels one message may have before it is rejected as a whole.
pub(super) const UNKNOWN_MAX: usize = 64;
/// What is said then.
pub(super) const TOO_MANY_UNKNOWN: &str =
    "more than 64 unknown channels; is this the right topic and profile?";

impl Plan {
    /// Decodes one payload.
    ///
    /// # Errors
    /// The payload is not JSON, or not of the shape that the seeds state.
    pub fn decode(
        &self,
        context: Context<'_>,
        payload: &[u8],
        decoded: &mut Decoded,
    ) -> Result<(), Reason> {
        let mut text = serde_json::Deserializer::from_slice(payload);
        let mut walk = Walk::new(context, &self.values, decoded);
        let walked = At { target: &self.root, walk: &mut walk }
            .deserialize(&mut text)
            .and_then(|()| text.end());
        walked.map_err(|error| fault::reason(&error, payload))?;
        let malformed = |fault: &str| Reason::Malformed { format: "JSON", fault: fault.into() };
        walk.end_record().map_err(malformed)?;
        walk.end();
        Ok(())
    }
}

/// Reads the text or number at a pointer of a payload.
///
/// # Errors
/// The payload is not JSON, or has no text there.
pub fn text_at(pointer: &str, payload: &[u8]) -> Result<Box<str>, Reason> {
    let value: serde_json::Value =
        serde_json::from_slice(payload).map_err(|error| fault::reason(&error, payload))?;
    match value.pointer(pointer) {
        Some(serde_json::Value::String(name)) => Ok(name.as_str().into()),
        Some(serde_json::Value::Number(number)) => Ok(number.to_string().into()),
        Some(_) | None => Err(Reason::NoDevice { pointer: pointer.into() }),
    }
}

/// What has been read on the way.
struct Walk<'c, 'de> {
    context: Context<'c>,
    decoded: &'c mut Decoded,
    /// The time of the whole payload, as text.
    outer_time: Option<&'de str>,
    record: Record<'de>,
    in_records: bool,
    /// The number of the record at hand.
    number: u32,
    /// Readings that wait for the time of the whole payload: from this one on, those without one.
    timeless: bool,
    unknown: usize,
    /// The marks of single channels of the record at hand.
    marks: Vec<(u16, &'de str)>,
    /// In long records with several values: what each is called behind the channel's name.
    called: &'c [Box<str>],
    /// In the long record at hand: the parts of its name, and its values.
    names: Vec<(u16, &'de str)>,
    values: Vec<(u16, &'de str)>,
}

/// What has been read of the record at hand.
#[derive(Default)]
struct Record<'de> {
    first: usize,
    time: Option<&'de str>,
    unit: Option<&'de str>,
    mark: Option<&'de str>,
}

impl<'c, 'de> Walk<'c, 'de> {
    fn new(context: Context<'c>, called: &'c [Box<str>], decoded: &'c mut Decoded) -> Self {
        let record = Record::default();
        Self {
            context,
            decoded,
            outer_time: None,
            record,
            in_records: false,
            number: 0,
            timeless: false,
            unknown: 0,
            marks: Vec::new(),
            called,
            names: Vec::new(),
            values: Vec::new(),
        }
    }

    fn read_channel(&mut self, channel: u16, raw: &str) {
        let known = self.context.profile.channels.get(usize::from(channel));
        let twice = self.decoded.readings.get(self.record.first..);
        if twice.is_some_and(|readings| readings.iter().any(|reading| reading.channel == channel)) {
            self.reject(channel, Reason::RepeatedChannel);
            return;
        }
        match number::scalar(raw, known.is_some_and(|known| known.text)) {
            Ok(result) => self.push(channel, result, None),
            Err(reason) => self.reject(channel, reason),
        }
    }

    fn push(&mut self, channel: u16, result: ObservationResult, unit: Option<UnitIndex>) {
        let record = self.number;
        let mark = None;
        let reading = Reading { channel, result, device_time: None, unit, record, mark };
        self.decoded.readings.push(reading);
    }

    fn reject(&mut self, channel: u16, reason: Reason) {
        self.reject_of(channel, self.number, reason);
    }

    fn reject_of(&mut self, channel: u16, record: u32, reason: Reason) {
        let known = self.context.profile.channels.get(usize::from(channel));
        let channel = known.map_or_else(Box::default, |known| known.name.clone());
        self.decoded.rejects.push(Refused { channel, record, reason });
    }

    fn reject_unknown(&mut self, name: &str) -> Result<(), &'static str> {
        self.unknown += 1;
        if self.unknown > UNKNOWN_MAX {
            return Err(TOO_MANY_UNKNOWN);
        }
        let channel = number::cut(name);
        let names = self.context.profile.channels.iter().map(|channel| &*channel.name);
        let reason = Reason::UnknownChannel { nearest: plan::nearest(&channel, names) };
        self.decoded.rejects.push(Refused { channel, record: self.number, reason });
        Ok(())
    }

    fn end_record(&mut self) -> Result<(), &'static str> {
        let record = std::mem::take(&mut self.record);
        if !self.values.is_empty() || !self.names.is_empty() {
            let read = self.end_long_record(&record);
            self.names.clear();
            self.values.clear();
            read?;
        }
        self.mark_from(record.first, record.mark);
        match record.time.map(|raw| self.time(raw)) {
            Some(Ok(Some(at))) => self.date_from(record.first, at),
            Some(Err(reason)) => self.undate_from(record.first, &reason),
            Some(Ok(None)) | None => self.timeless = true,
        }
        self.record.first = self.decoded.readings.len();
        self.number += 1;
        Ok(())
    }

    fn end_long_record(&mut self, record: &Record<'de>) -> Result<(), &'static str> {
        let name = self.name();
        if self.called.is_empty() {
            let value = self.values.first().map(|(_, raw)| *raw);
            return self.end_value(&name, value, record);
        }
        for (at, called) in (0..).zip(self.called) {
            let value = self.values.iter().find(|(held, _)| *held == at);
            if value.is_some() || self.values.is_empty() && at == 0 {
                let value = value.map(|(_, raw)| *raw);
                self.end_value(&format!("{name}/{called}"), value, record)?;
            }
        }
        Ok(())
    }

    /// Gives the name of the long record at hand: its parts with `/` between.
    fn name(&mut self) -> Cow<'de, str> {
        let read = |raw: &'de str| serde_json::from_str(raw).unwrap_or(Cow::Borrowed(raw));
        match *self.names {
            [] => Cow::Owned(self.context.channel.unwrap_or("(no name)").to_owned()),
            [(_, raw)] => read(raw),
            [..] => {
                self.names.sort_unstable_by_key(|(at, _)| *at);
                let parts = self.names.iter().map(|(_, raw)| read(raw));
                Cow::Owned(parts.collect::<Vec<_>>().join("/"))
            }
        }
    }

    /// Takes one value of the long record at hand.
    fn end_value(
        &mut self,
        name: &str,
        value: Option<&str>,
        record: &Record<'de>,
    ) -> Result<(), &'static str> {
        let channels = &self.context.profile.channels;
        let Some(index) = channels.iter().position(|channel| *channel.name == *name) else {
            let ignored = channels.iter().filter(|channel| channel.property.is_none());
            let mut begins = ignored.filter_map(|channel| channel.name.strip_suffix('*'));
            let ignored = begins.any(|begin| name.starts_with(begin));
            return if ignored { Ok(()) } else { self.reject_unknown(name) };
        };
        let text = channels.get(index).is_some_and(|channel| channel.text);
        if channels.get(index).is_none_or(|channel| channel.property.is_none()) {
            return Ok(());
        }
        let index = u16::try_from(index).unwrap_or(u16::MAX);
        let unit = match record.unit.map(|raw| self.unit(raw)).transpose() {
            Ok(unit) => unit.flatten(),
            Err(reason) => {
                self.reject(index, reason);
                return Ok(());
            }
        };
        let missing = || Reason::WrongType { found: "no value".into(), expected: "a number" };
        match value.ok_or_else(missing).and_then(|raw| number::scalar(raw, text)) {
            Ok(result) => self.push(index, result, unit),
            Err(reason) => self.reject(index, reason),
        }
        Ok(())
    }

    /// Marks the readings from one on: each with its own mark, or else with that of the record.
    fn mark_from(&mut self, first: usize, of_record: Option<&'de str>) {
        if of_record.is_none() && self.marks.is_empty() {
            return;
        }
        let Context { profile, rule, marks, .. } = self.context;
        for reading in self.decoded.readings.iter_mut().skip(first) {
            let own = self.marks.iter().find(|(channel, _)| *channel == reading.channel);
            let channel = profile.channels.get(usize::from(reading.channel));
            let vocabulary = channel.and_then(|channel| channel.marks).or(rule.marks);
            let raw = own.map(|(_, raw)| *raw).or(of_record);
            reading.mark = raw.zip(vocabulary).and_then(|(raw, vocabulary)| {
                text_of(raw).and_then(|text| marks.find(vocabulary, &text))
            });
        }
        self.marks.clear();
    }

    fn unit(&self, raw: &str) -> Result<Option<UnitIndex>, Reason> {
        let Ok(Some(name)) = serde_json::from_str::<Option<Cow<'_, str>>>(raw) else {
            return Ok(None);
        };
        let units = self.context.units;
        units.find(&name).map(Some).ok_or_else(|| Reason::UnknownUnit {
            unit: number::cut(&name),
            nearest: plan::nearest(&number::cut(&name), units.spellings()),
        })
    }

    fn end(&mut self) {
        if !self.timeless {
            return;
        }
        match self.outer_time.map(|raw| self.time(raw)) {
            Some(Ok(Some(at))) => self.date_from(0, at),
            Some(Err(reason)) => self.undate_from(0, &reason),
            Some(Ok(None)) | None => {}
        }
    }

    fn time(&self, raw: &str) -> Result<Option<Timestamp>, Reason> {
        time::device_time(raw, self.context.rule.time_unit, self.context.zone)
    }

    /// Dates the readings from one on that have no time of their own yet.
    fn date_from(&mut self, first: usize, at: Timestamp) {
        for reading in self.decoded.readings.iter_mut().skip(first) {
            reading.device_time = reading.device_time.or(Some(at));
        }
    }

    /// Rejects the readings from one on that have no time, because theirs can't be read.
    fn undate_from(&mut self, first: usize, reason: &Reason) {
        let readings = std::mem::take(&mut self.decoded.readings);
        for (index, reading) in readings.into_iter().enumerate() {
            if index < first || reading.device_time.is_some() {
                self.decoded.readings.push(reading);
            } else {
                self.reject_of(reading.channel, reading.record, reason.clone());
            }
        }
    }
}

/// Sets a part of a long record; the last that a record says counts.
fn set<'de>(held: &mut Vec<(u16, &'de str)>, at: u16, raw: &'de str) {
    match held.iter_mut().find(|(held, _)| *held == at) {
        Some((_, held)) => *held = raw,
        None => held.push((at, raw)),
    }
}

/// Gives a mark as text: what is in a string, or a number as it stands; nothing for null and "".
fn text_of(raw: &str) -> Option<Cow<'_, str>> {
    match raw.as_bytes().first() {
        Some(b'n') => None,
        Some(b'"') => {
            serde_json::from_str(raw).ok().filter(|text: &Cow<'_, str>| !text.trim().is_empty())
        }
        Some(_) | None => Some(raw.into()),
    }
}

/// One place of the tree, with what is to be done there.
struct At<'w, 'p, 'c, 'de> {
    target: &'p Target,
    walk: &'w mut Walk<'c, 'de>,
}

impl<'de> DeserializeSeed<'de> for At<'_, '_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, text: D) -> Result<(), D::Error> {
        let walk = self.walk;
        match self.target {
            Target::Branch(node) => return text.deserialize_any(InNode { node, walk }),
            Target::Records(node) => return text.deserialize_seq(InRecords { node, walk }),
            Target::Ignored => {
                return <&RawValue as serde::Deserialize>::deserialize(text).and_then(shallow);
            }
            Target::Channel(_)
            | Target::Time
            | Target::Name(_)
            | Target::Value(_)
            | Target::Unit
            | Target::Mark
            | Target::MarkOf(_) => {}
        }
        let raw = <&'de RawValue as serde::Deserialize>::deserialize(text)?;
        shallow(raw)?;
        let raw = raw.get();
        match self.target {
            Target::Channel(channel) => walk.read_channel(*channel, raw),
            Target::Time if walk.in_records => walk.record.time = Some(raw),
            Target::Time => walk.outer_time = Some(raw),
            Target::Name(at) => set(&mut walk.names, *at, raw),
            Target::Value(at) => set(&mut walk.values, *at, raw),
            Target::Unit => walk.record.unit = Some(raw),
            Target::Mark => walk.record.mark = Some(raw),
            Target::MarkOf(channel) => walk.marks.push((*channel, raw)),
            Target::Branch(_) | Target::Records(_) | Target::Ignored => {}
        }
        Ok(())
    }
}

/// Refuses a value that is nested too deep.
fn shallow<E: serde::de::Error>(raw: &RawValue) -> Result<(), E> {
    let text = raw.get();
    if text.len() <= DEPTH_MAX || !text.starts_with(['[', '{']) {
        return Ok(());
    }
    let mut depth = 0_usize;
    let mut in_text = false;
    let mut escaped = false;
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => depth += 1,
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            return Err(E::custom("nested deeper than 64 levels"));
        }
    }
    Ok(())
}

/// Inside an object (or array, by index) of which the tree knows some keys.
struct InNode<'w, 'p, 'c, 'de> {
    node: &'p Node,
    walk: &'w mut Walk<'c, 'de>,
}

impl<'de> Visitor<'de> for InNode<'_, '_, '_, 'de> {
    type Value = ();

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("an object")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut likely = 0;
        while let Some(key) = map.next_key_seed(Key { node: self.node, likely })? {
            match key {
                Found::Entry(index, target) => {
                    likely = index + 1;
                    map.next_value_seed(At { target, walk: &mut *self.walk })?;
                }
                Found::Unknown(name) if self.node.strict => {
                    shallow(map.next_value::<&RawValue>()?)?;
                    let pointer = format!("{}/{name}", self.node.pointer);
                    self.walk.reject_unknown(&pointer).map_err(A::Error::custom)?;
                }
                Found::Unknown(_) => shallow(map.next_value::<&RawValue>()?)?,
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        if self.node.entries.iter().all(|entry| entry.index.is_none()) {
            return Err(A::Error::custom("expected an object, found an array"));
        }
        for index in 0_u32.. {
            let entry = self.node.entries.iter().find(|entry| entry.index == Some(index));
            let more = match entry {
                Some(entry) => {
                    let at = At { target: &entry.target, walk: &mut *self.walk };
                    elements.next_element_seed(at)?.is_some()
                }
                None => elements.next_element::<IgnoredAny>()?.is_some(),
            };
            if !more {
                break;
            }
        }
        Ok(())
    }
}

/// A key of an object, looked for among those of a node.
struct Key<'p> {
    node: &'p Node,
    /// Where it will be if the device sends its keys in the order of the seeds.
    likely: usize,
}

enum Found<'p> {
    Entry(usize, &'p Target),
    Unknown(Box<str>),
}

impl<'de, 'p> DeserializeSeed<'de> for Key<'p> {
    type Value = Found<'p>;

    fn deserialize<D: Deserializer<'de>>(self, text: D) -> Result<Found<'p>, D::Error> {
        text.deserialize_str(self)
    }
}

impl<'p> Visitor<'_> for Key<'p> {
    type Value = Found<'p>;

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Found<'p>, E> {
        let entries = &self.node.entries;
        if let Some(entry) = entries.get(self.likely).filter(|entry| *entry.key == *key) {
            return Ok(Found::Entry(self.likely, &entry.target));
        }
        Ok(match entries.iter().position(|entry| *entry.key == *key) {
            Some(index) => entries.get(index).map_or_else(
                || Found::Unknown(key.into()),
                |entry| Found::Entry(index, &entry.target),
            ),
            None => Found::Unknown(number::cut(key)),
        })
    }
}

/// Inside the array of records.
struct InRecords<'w, 'p, 'c, 'de> {
    node: &'p Target,
    walk: &'w mut Walk<'c, 'de>,
}

impl<'de> Visitor<'de> for InRecords<'_, '_, '_, 'de> {
    type Value = ();

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("an array of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        self.walk.in_records = true;
        self.walk.record = Record { first: self.walk.decoded.readings.len(), ..Record::default() };
        while elements.next_element_seed(At { target: self.node, walk: &mut *self.walk })?.is_some()
        {
            self.walk.end_record().map_err(A::Error::custom)?;
        }
        self.walk.in_records = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
