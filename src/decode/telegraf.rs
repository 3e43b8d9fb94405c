//! Telegraf's JSON: one metric, or a batch of them under `metrics`. A field is a channel; tags may
//! name the device and stand before the channel.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::decode::json::{self, entries};
use crate::decode::line_protocol::MEASUREMENT;
use crate::decode::named::{Readings, Said, apart, json_value};
use crate::decode::{Context, Decoded, number, time};
use crate::domain::registry::TopicRule;
use crate::domain::reject::Reason;

/// The format as it is named to people.
const FORMAT: &str = "Telegraf's JSON";

/// Telegraf's JSON, compiled: there is nothing to prepare.
#[derive(Debug)]
pub struct Plan;

#[derive(Deserialize)]
struct Metric<'a> {
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    fields: Option<&'a RawValue>,
    #[serde(borrow)]
    tags: Option<&'a RawValue>,
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow, default)]
    metrics: Vec<&'a RawValue>,
}

impl Plan {
    /// Decodes one payload.
    ///
    /// # Errors
    /// The payload is not JSON, or neither a metric nor a batch.
    pub fn decode(
        &self,
        context: Context<'_>,
        payload: &[u8],
        decoded: &mut Decoded,
    ) -> Result<(), Reason> {
        let outer: Metric<'_> = json::read(payload)?;
        let mut readings = Readings::new(FORMAT, context, decoded);
        if outer.fields.is_none() && outer.metrics.is_empty() {
            return Err(readings.malformed("neither `fields` nor `metrics`"));
        }
        let mut speaker = None;
        if outer.fields.is_some() {
            take(&mut readings, &outer, 0, &mut speaker)?;
        }
        for (record, raw) in (0_u32..).zip(&outer.metrics) {
            match serde_json::from_str::<Metric<'_>>(raw.get()) {
                Ok(metric) if metric.fields.is_some() => {
                    take(&mut readings, &metric, record, &mut speaker)?;
                }
                Ok(_) | Err(_) => {
                    let reason = readings.malformed(format!("metrics/{record} has no `fields`"));
                    readings.refuse("(metric)", record, reason);
                }
            }
        }
        Ok(())
    }
}

/// Reads the device's name from a tag of the first metric that has it.
///
/// # Errors
/// The payload is not JSON, or no metric has it.
pub fn device(rule: &TopicRule, payload: &[u8]) -> Result<Box<str>, Reason> {
    let key = &rule.pointers.device;
    let outer: Metric<'_> = json::read(payload)?;
    let inner = outer.metrics.iter();
    let inner = inner.filter_map(|raw| serde_json::from_str::<Metric<'_>>(raw.get()).ok());
    let mut names = std::iter::once(tag(&outer, key).map(Cow::into_owned))
        .chain(inner.map(|metric| tag(&metric, key).map(Cow::into_owned)));
    let name = names.find_map(|name| name);
    name.map(Into::into).ok_or_else(|| Reason::NoDevice { pointer: key.clone() })
}

fn tag<'a>(metric: &Metric<'a>, key: &str) -> Option<Cow<'a, str>> {
    let tags = entries(metric.tags?).ok()?;
    let (_, value) = tags.into_iter().find(|(name, _)| *name == *key)?;
    serde_json::from_str(value.get()).ok()
}

fn take(
    readings: &mut Readings<'_, '_>,
    metric: &Metric<'_>,
    record: u32,
    speaker: &mut Option<Box<str>>,
) -> Result<(), Reason> {
    let rule = readings.context.rule;
    if !rule.pointers.device.is_empty() {
        let name = tag(metric, &rule.pointers.device).unwrap_or_default();
        let first = speaker.get_or_insert_with(|| name.as_ref().into());
        if **first != *name {
            let (payload, topic) = (number::cut(&name), number::cut(first));
            readings.refuse("(metric)", record, Reason::DevicesDiffer { payload, topic });
            return Ok(());
        }
    }
    let zone = readings.context.zone;
    let time = metric.timestamp.map(|raw| time::device_time(raw.get(), rule.time_unit, zone));
    let stated = time.and_then(Result::transpose);
    let (time, undated) = apart(stated.as_ref());
    let before = match &*rule.pointers.channel {
        "" => String::new(),
        MEASUREMENT => format!("{}/", metric.name.as_deref().unwrap_or_default()),
        key => format!("{}/", tag(metric, key).unwrap_or_default()),
    };
    let fields = metric.fields.map(entries).transpose();
    let Ok(fields) = fields else {
        let reason = readings.malformed("`fields` is no object");
        readings.refuse("(metric)", record, reason);
        return Ok(());
    };
    let said = Said { time, undated, unit: None, record };
    for (name, raw) in fields.unwrap_or_default() {
        let name = format!("{before}{name}");
        readings.take(&name, said, |text| json_value(raw, text))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
