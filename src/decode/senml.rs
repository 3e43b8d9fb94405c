//! Sensor Measurement Lists (SenML, RFC 8428): packs of records as JSON or CBOR, told apart by
//! their first byte. Base fields hold from their record on until they are changed.

mod cbor;
mod record;

use std::borrow::Cow;

use serde_json::Deserializer;

use self::record::{Record, Records, Scalar};
use crate::decode::named::{Readings, Said, apart, truth};
use crate::decode::{Context, Decoded, json, number};
use crate::domain::observation::ObservationResult;
use crate::domain::registry::TopicRule;
use crate::domain::reject::Reason;
use crate::domain::time::Timestamp;

/// The format as it is named to people.
const FORMAT: &str = "SenML";
/// What a channel's name ends in that is the sum of a name, `s`: a sign that no SenML name has.
const SUM: &str = "#sum";
/// Times below are relative to now, in seconds, RFC 8428 §4.5.3.
const RELATIVE_BELOW: f64 = 268_435_456.0;
/// The version of RFC 8428, and with it the feature of RFC 9100 that secondary units may be used.
const VERSIONS: [f64; 2] = [10.0, 26.0];

/// SenML, compiled: there is nothing to prepare.
#[derive(Debug)]
pub struct Plan;

/// What the records so far say of those after them; a field that could not be read spoils them
/// until it is changed.
struct Base<'p> {
    name: Result<Cow<'p, str>, Reason>,
    time: Result<f64, Reason>,
    unit: Result<Option<Cow<'p, str>>, Reason>,
    value: Result<f64, Reason>,
    sum: Result<f64, Reason>,
}

impl Plan {
    /// Decodes one pack.
    ///
    /// # Errors
    /// The payload is no pack, or one of a version or with a field that must be understood and is
    /// not.
    pub fn decode(
        &self,
        context: Context<'_>,
        payload: &[u8],
        decoded: &mut Decoded,
    ) -> Result<(), Reason> {
        let mut pack = Pack {
            base: Base {
                name: Ok(Cow::Borrowed("")),
                time: Ok(0.0),
                unit: Ok(None),
                value: Ok(0.0),
                sum: Ok(0.0),
            },
            readings: Readings::new(FORMAT, context, decoded),
            of_device: !context.rule.pointers.device.is_empty(),
            speaker: None,
            whole: String::new(),
            number: 0,
        };
        each(payload, |record| {
            pack.take(record)?;
            pack.number += 1;
            Ok(true)
        })
    }
}

/// Reads the device's name: the base name of the first record that has one, without the sign that
/// parts it from the names.
///
/// # Errors
/// The payload is no pack, or has none.
pub fn device(rule: &TopicRule, payload: &[u8]) -> Result<Box<str>, Reason> {
    let mut found: Option<Box<str>> = None;
    each(payload, |record| {
        if let Some(name) = &record.base_name {
            found = Some(name.text()?.trim_end_matches(PARTS).into());
        }
        Ok(found.is_none())
    })?;
    let found = found.filter(|name| !name.is_empty());
    found.ok_or_else(|| Reason::NoDevice { pointer: rule.pointers.device.clone() })
}

/// What may part the base name from the names.
const PARTS: [char; 5] = ['/', ':', '.', '_', '-'];

/// Calls `take` with each record, until it says that it has enough.
fn each<'p>(
    payload: &'p [u8],
    take: impl FnMut(Record<'p>) -> Result<bool, Reason>,
) -> Result<(), Reason> {
    if payload.first().is_some_and(|byte| cbor::begins(*byte)) {
        return cbor::each(payload, take);
    }
    let mut text = Deserializer::from_slice(payload);
    let mut records = Records { take, stopped: None };
    let read = records.read(&mut text);
    if let Some(stopped) = records.stopped {
        return stopped;
    }
    read.and_then(|()| text.end()).map_err(|error| json::reason(&error, payload))
}

/// A pack that is being read.
struct Pack<'c, 'd, 'p> {
    base: Base<'p>,
    readings: Readings<'c, 'd>,
    /// Whether the base name is the device's name.
    of_device: bool,
    speaker: Option<Box<str>>,
    /// A name and the base before it, for as long as they are looked at.
    whole: String,
    number: u32,
}

impl<'p> Pack<'_, '_, 'p> {
    fn take(&mut self, record: Record<'p>) -> Result<(), Reason> {
        self.must_understand(&record)?;
        self.set_base(&record);
        if record.name.is_none() && record.is_bare() {
            return Ok(());
        }
        if let Err(reason) = self.readings_of(&record)? {
            let name = record.name.as_ref().and_then(|name| name.text().ok());
            self.readings.refuse(&name.unwrap_or(Cow::Borrowed("(record)")), self.number, reason);
        }
        Ok(())
    }

    /// Refuses the pack for a version or a field, RFC 8428 §4.4: what it changes nobody knows.
    fn must_understand(&self, record: &Record<'p>) -> Result<(), Reason> {
        let refuse = |fault: String| {
            Err(self.readings.malformed(format!("record {}: {fault}", self.number)))
        };
        if let Some(field) = &record.mandatory {
            return refuse(format!("field `{field}` must be understood, and is not known"));
        }
        let Some(version) = &record.version else { return Ok(()) };
        match version.number() {
            Ok(version) if VERSIONS.contains(&version) || (1.0..10.0).contains(&version) => Ok(()),
            Ok(version) => refuse(format!("bver {version} is not known, expected 10 or 26")),
            Err(reason) => refuse(format!("bver: {reason}")),
        }
    }

    fn set_base(&mut self, record: &Record<'p>) {
        let base = &mut self.base;
        if let Some(name) = &record.base_name {
            base.name = name.text();
        }
        if let Some(time) = &record.base_time {
            base.time = time.number();
        }
        if let Some(unit) = &record.base_unit {
            base.unit = unit.text().map(Some);
        }
        if let Some(value) = &record.base_value {
            base.value = value.number();
        }
        if let Some(sum) = &record.base_sum {
            base.sum = sum.number();
        }
    }

    /// Takes the value and the sum of a record; the inner reason is of the record alone.
    fn readings_of(&mut self, record: &Record<'p>) -> Result<Result<(), Reason>, Reason> {
        let Base { name: base_name, time, unit, value, sum } = &self.base;
        let values = [&record.value, &record.text, &record.truth, &record.opaque];
        if values.iter().filter(|value| value.is_some()).count() > 1 {
            let fault = format!("record {} has more than one of v, vs, vb and vd", self.number);
            return Ok(Err(self.readings.malformed(fault)));
        }
        let named = || -> Result<(&str, Cow<'p, str>), Reason> {
            let name = record.name.as_ref().map_or(Ok(Cow::Borrowed("")), Scalar::text)?;
            Ok((base_name.as_ref().map_err(Clone::clone)?.as_ref(), name))
        };
        let (base_name, name) = match named() {
            Ok(named) => named,
            Err(reason) => return Ok(Err(reason)),
        };
        if self.of_device {
            let device = base_name.trim_end_matches(PARTS);
            let first = self.speaker.get_or_insert_with(|| device.into());
            if **first != *device {
                let (payload, topic) = (number::cut(device), number::cut(first));
                return Ok(Err(Reason::DevicesDiffer { payload, topic }));
            }
        }
        if base_name.is_empty() && name.is_empty() {
            return Ok(Err(self.readings.malformed(format!("record {} has no name", self.number))));
        }
        if record.is_bare() {
            let fault = format!("record {} has neither a value nor a sum", self.number);
            return Ok(Err(self.readings.malformed(fault)));
        }
        let stated = dated(time, record.time.as_ref(), self.readings.context).transpose();
        let (time, undated) = apart(stated.as_ref());
        let unit = match record.unit.as_ref().map(Scalar::text) {
            Some(unit) => unit.map(Some),
            None => unit.clone(),
        };
        let said = Said { time, undated, unit: None, record: self.number };
        let values = Values { record, base: value, sum, unit };
        let whole = &mut self.whole;
        Ok(values.take(&mut self.readings, said, (base_name, &name), whole)?.map_or(Ok(()), Err))
    }
}

/// The value and the sum of one record.
struct Values<'r, 'p> {
    record: &'r Record<'p>,
    base: &'r Result<f64, Reason>,
    sum: &'r Result<f64, Reason>,
    unit: Result<Option<Cow<'p, str>>, Reason>,
}

impl Values<'_, '_> {
    /// Takes both; gives why neither can be taken.
    fn take(
        self,
        readings: &mut Readings<'_, '_>,
        said: Said<'_>,
        (base_name, name): (&str, &str),
        whole: &mut String,
    ) -> Result<Option<Reason>, Reason> {
        let unit = match self.unit {
            Ok(unit) => unit,
            Err(reason) => return Ok(Some(reason)),
        };
        let unit = unit.as_deref();
        let record = self.record;
        if record.value.is_some()
            || record.text.is_some()
            || record.truth.is_some()
            || record.opaque.is_some()
        {
            let name = chosen(readings, base_name, name, "", whole);
            let coulomb = unit == Some("C");
            let said = Said { unit: unit.filter(|_| !coulomb), ..said };
            readings.take(name, said, |text| {
                if coulomb {
                    return Err(Reason::WrongType {
                        found: "unit C, which is coulomb in SenML".into(),
                        expected: "`Cel` for degrees Celsius",
                    });
                }
                result(record, self.base, text)
            })?;
        }
        if let Some(sum) = &record.sum {
            let name = chosen(readings, base_name, name, SUM, whole);
            // Its unit is the record's times a second (§4.3), which the profile states.
            readings.take(name, Said { unit: None, ..said }, |_| {
                let (base, sum) = (self.sum.as_ref().map_err(Clone::clone)?, sum.number()?);
                added(sum, *base)
            })?;
        }
        Ok(None)
    }
}

/// Gives the name under which the profile knows a record: without its base, which is a device's, or
/// with it.
fn chosen<'n>(
    readings: &Readings<'_, '_>,
    base: &str,
    name: &'n str,
    end: &str,
    whole: &'n mut String,
) -> &'n str {
    if end.is_empty() && !name.is_empty() && (base.is_empty() || readings.knows(name)) {
        return name;
    }
    whole.clear();
    whole.extend([base, name, end]);
    let without = base.len();
    if !name.is_empty() && !readings.knows(whole) {
        return whole.get(without..).unwrap_or_default();
    }
    whole
}

fn result(
    record: &Record<'_>,
    base: &Result<f64, Reason>,
    text: bool,
) -> Result<ObservationResult, Reason> {
    if let Some(value) = &record.value {
        let base = *base.as_ref().map_err(Clone::clone)?;
        let result = value.result(text)?;
        return match result {
            ObservationResult::Value(value) => added(value, base),
            ObservationResult::Censored { .. } | ObservationResult::Nil(_) => {
                Ok(result.map(|limit| limit + base))
            }
        };
    }
    match (&record.text, &record.truth) {
        (Some(words), _) => number::text(&words.text()?, text),
        (None, Some(value)) => value.truth().map(truth),
        (None, None) => {
            Err(Reason::WrongType { found: "opaque bytes (vd)".into(), expected: "a number" })
        }
    }
}

fn added(value: f64, base: f64) -> Result<ObservationResult, Reason> {
    crate::decode::named::finite(value + base, format_args!("{value} + {base}"))
}

/// Gives the time of a record: none where it says nothing, which is now.
fn dated(
    base: &Result<f64, Reason>,
    time: Option<&Scalar<'_>>,
    context: Context<'_>,
) -> Result<Option<Timestamp>, Reason> {
    let base = *base.as_ref().map_err(Clone::clone)?;
    let seconds = base + time.map_or(Ok(0.0), Scalar::number)?;
    if seconds.abs() < f64::EPSILON {
        return Ok(None);
    }
    let millis = (seconds * 1_000.0).round();
    if millis.abs() > 9.0e15 {
        return Err(Reason::BadTime {
            found: number::cut(&seconds.to_string()),
            expected: "a number of seconds, after 1970 or before now",
        });
    }
    let at = Timestamp(millis as i64);
    match (seconds < RELATIVE_BELOW, context.retained) {
        (false, _) => Ok(Some(at)),
        (true, false) => Ok(Some(context.received.plus(at.millis()))),
        (true, true) => Err(Reason::RetainedWithoutTime),
    }
}

#[cfg(test)]
mod tests;
