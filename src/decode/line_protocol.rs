//! InfluxDB's line protocol, read by InfluxData's own parser. A field is a channel; tags may name
//! the device and stand before the channel.

use influxdb_line_protocol::{FieldValue, ParsedLine, parse_lines};

use crate::decode::named::{Readings, Said, apart, finite, truth};
use crate::decode::{Context, Decoded, number, time};
use crate::domain::observation::ObservationResult;
use crate::domain::registry::TopicRule;
use crate::domain::reject::Reason;

/// The format as it is named to people.
const FORMAT: &str = "line protocol";

/// The word that puts the measurement before the channel, and no tag: Flux's name for it.
pub(super) const MEASUREMENT: &str = "_measurement";

/// Line protocol, compiled: there is nothing to prepare.
#[derive(Debug)]
pub struct Plan;

impl Plan {
    /// Decodes one payload. A line that can't be read costs no other.
    ///
    /// # Errors
    /// The payload is no text, or none of its lines can be read.
    pub fn decode(
        &self,
        context: Context<'_>,
        payload: &[u8],
        decoded: &mut Decoded,
    ) -> Result<(), Reason> {
        let text = text(payload)?;
        let mut readings = Readings::new(FORMAT, context, decoded);
        let (mut speaker, mut first_fault, mut read) = (None, None, false);
        for (record, line) in (0_u32..).zip(parse_lines(text)) {
            let line = match line {
                Ok(line) => line,
                Err(error) => {
                    let fault = number::cut(&error.to_string());
                    let reason = readings.malformed(format!("line {}: {fault}", record + 1));
                    readings.refuse("(line)", record, reason.clone());
                    first_fault = first_fault.or(Some(reason));
                    continue;
                }
            };
            read = true;
            take(&mut readings, &line, record, &mut speaker)?;
        }
        match first_fault {
            Some(reason) if !read => Err(reason),
            Some(_) | None => Ok(()),
        }
    }
}

/// Reads the device's name from a tag of the first line that has it.
///
/// # Errors
/// No line has it.
pub fn device(rule: &TopicRule, payload: &[u8]) -> Result<Box<str>, Reason> {
    let key = &rule.pointers.device;
    let lines = parse_lines(text(payload)?).filter_map(Result::ok);
    let mut names = lines.filter_map(|line| Some(line.tag_value(key)?.as_str().into()));
    names.next().ok_or_else(|| Reason::NoDevice { pointer: key.clone() })
}

fn text(payload: &[u8]) -> Result<&str, Reason> {
    std::str::from_utf8(payload).map_err(|error| {
        let fault = format!("byte {}: no UTF-8 text", error.valid_up_to());
        Reason::Malformed { format: FORMAT, fault: fault.into() }
    })
}

fn take(
    readings: &mut Readings<'_, '_>,
    line: &ParsedLine<'_>,
    record: u32,
    speaker: &mut Option<Box<str>>,
) -> Result<(), Reason> {
    let pointers = &readings.context.rule.pointers;
    let tag = |key: &str| line.tag_value(key).map(|value| value.as_str());
    if !pointers.device.is_empty() {
        let name = tag(&pointers.device).unwrap_or_default();
        let first = speaker.get_or_insert_with(|| name.into());
        if **first != *name {
            let (payload, topic) = (number::cut(name), number::cut(first));
            readings.refuse("(line)", record, Reason::DevicesDiffer { payload, topic });
            return Ok(());
        }
    }
    let unit = readings.context.rule.time_unit;
    let stated = line.timestamp.map(|count| {
        time::whole(count, unit).ok_or_else(|| Reason::BadTime {
            found: count.to_string().into(),
            expected: "a time that can be, in the `time_unit` of topics.csv",
        })
    });
    let (time, undated) = apart(stated.as_ref());
    let before = match &*pointers.channel {
        "" => None,
        MEASUREMENT => Some(line.series.measurement.as_str().to_owned()),
        key => Some(tag(key).unwrap_or_default().to_owned()),
    };
    let said = Said { time, undated, unit: None, record };
    for (name, value) in &line.field_set {
        let name = match &before {
            None => std::borrow::Cow::Borrowed(name.as_str()),
            Some(before) => format!("{before}/{name}").into(),
        };
        readings.take(&name, said, |text| result(value, text))?;
    }
    Ok(())
}

fn result(value: &FieldValue<'_>, text: bool) -> Result<ObservationResult, Reason> {
    match value {
        FieldValue::F64(value) => finite(*value, value),
        // Counts beyond 2^53 lose digits that no meter of a utility shows.
        FieldValue::I64(value) => Ok(ObservationResult::Value(*value as f64)),
        FieldValue::U64(value) => Ok(ObservationResult::Value(*value as f64)),
        FieldValue::Boolean(value) => Ok(truth(*value)),
        FieldValue::String(words) => number::text(words.as_str(), text),
    }
}

#[cfg(test)]
mod tests;
