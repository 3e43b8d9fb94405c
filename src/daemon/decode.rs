//! `weir decode`: what one payload says, or why nobody can read it; for who sets a device up.

use std::fmt::Write as _;
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::decode::{self, Context, Decoded};
use crate::domain::name::{NetworkId, PropertyId, TopicId};
use crate::domain::observation::{NilReason, ObservationResult, Side};
use crate::domain::registry::{
    Channel, Format, Level, Marks, Options, Pointers, Profile, Registry, Statistic, TimeUnit,
    TopicRule,
};
use crate::domain::reject::Reason;
use crate::domain::time::Timestamp;
use crate::domain::unit::Units;

/// How a payload is to be read.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The format; that of the topic without.
    pub format: Option<Format>,
    /// The topic on which it came, and the seeds that say what it means.
    pub topic: Option<(&'a str, &'a Registry)>,
    /// When it came.
    pub at: Timestamp,
}

/// Says what a payload says, a line a reading, and whether it can be read at all.
///
/// # Errors
/// The seeds don't know the topic, or the reason for which the payload would be a dead letter.
pub fn decode(asked: Asked<'_>, payload: &[u8]) -> Result<String, String> {
    match asked.topic {
        Some((topic, registry)) => by_seeds(asked, topic, registry, payload),
        None => bare(asked.format.unwrap_or(Format::Json), asked.at, payload),
    }
}

fn by_seeds(
    asked: Asked<'_>,
    topic: &str,
    registry: &Registry,
    payload: &[u8],
) -> Result<String, String> {
    let mut rules = registry.topics.iter().filter(|rule| !registry.is_import(rule.network));
    let read = |rule| TopicRule::read(rule, topic).map(|words| (TopicRule::clone(rule), words));
    let (mut rule, words) = rules.find_map(read).ok_or(Reason::UnknownTopic.to_string())?;
    rule.formats = asked.format.map_or(rule.formats, |format| vec![format]);
    let name: Box<str> = match words.device {
        Some(name) => name.into(),
        None => decode::device_name(&rule, payload).map_err(|reason| reason.to_string())?,
    };
    let known = registry.device_ids.get(&(rule.network, name.clone()));
    let device = known.and_then(|id| registry.devices.get(id.index()));
    let device =
        device.ok_or_else(|| format!("`{name}`: {}", Reason::UnknownDevice { nearest: None }))?;
    let profile = device.assignment(asked.at);
    let profile = profile.and_then(|one| registry.profiles.get(usize::from(one.profile.0)));
    let profile = profile.ok_or(Reason::NotInService.to_string())?;
    let context = Context {
        profile,
        rule: &rule,
        zone: &device.zone,
        units: &registry.units,
        marks: &registry.marks,
        device: Some(device),
        channel: words.channel,
        topic,
        device_name: &device.name,
        kind: words.kind,
        received: asked.at,
        retained: false,
    };
    let mut decoded = Decoded::default();
    let plans = decode::plans(&rule, profile);
    decode::decode(&plans, context, payload, &mut Arc::default(), &mut decoded)
        .map_err(|reason| reason.to_string())?;
    Ok(shown(context, &decoded))
}

/// Reads a payload without seeds: what it names is a channel, as if a profile named it.
fn bare(format: Format, at: Timestamp, payload: &[u8]) -> Result<String, String> {
    let rule = TopicRule {
        id: TopicId(0),
        network: NetworkId(0),
        pattern: "{device}".into(),
        levels: vec![Level::Device],
        formats: vec![format],
        time_unit: TimeUnit::Local,
        pointers: Pointers::default(),
        options: Options::default(),
        marks: None,
    };
    let (units, marks) = (Units::default(), Marks::default());
    let zone = TimeZone::fixed(jiff::tz::offset(8));
    let mut profile = Profile { name: "".into(), channels: Vec::new() };
    let mut decoded = Decoded::default();
    let mut read = |profile: &Profile| {
        let (rule, zone, units, marks) = (&rule, &zone, &units, &marks);
        let context = Context {
            profile,
            rule,
            zone,
            units,
            marks,
            device: None,
            channel: None,
            topic: "",
            device_name: "",
            kind: None,
            received: at,
            retained: false,
        };
        let plans = decode::plans(rule, profile);
        decode::decode(&plans, context, payload, &mut Arc::default(), &mut decoded)
            .map_err(|reason| reason.to_string())?;
        let unknown = decoded.rejects.iter();
        let unknown = unknown.filter(|one| matches!(one.reason, Reason::UnknownChannel { .. }));
        Ok::<_, String>((
            shown(context, &decoded),
            unknown.map(|one| one.channel.clone()).collect(),
        ))
    };
    let (_, mut unknown): (String, Vec<Box<str>>) = read(&profile)?;
    unknown.sort();
    unknown.dedup();
    profile.channels = unknown.into_iter().map(channel).collect();
    read(&profile).map(|(shown, _)| shown)
}

/// Gives a channel as if a profile named it: whatever it sends is read.
pub(super) fn channel(name: Box<str>) -> Channel {
    Channel {
        name,
        property: Some(PropertyId(0)),
        unit: None,
        scale: 1.0,
        text: true,
        statistic: Statistic::Instant,
        period_ms: None,
        detection_limit: None,
        mark: "".into(),
        marks: None,
    }
}

/// Gives a line for each reading and each reject, and one for what was passed over.
fn shown(context: Context<'_>, decoded: &Decoded) -> String {
    let mut text = String::new();
    for reading in &decoded.readings {
        let channel = context.profile.channels.get(usize::from(reading.channel));
        let name = channel.map_or("", |channel| &*channel.name);
        let unit = reading.unit.or(channel.and_then(|channel| channel.unit));
        let unit = unit.and_then(|unit| context.units.get(unit));
        let unit = unit.map_or(String::new(), |unit| format!(" {}", unit.name));
        let value = match reading.result {
            ObservationResult::Value(value) => value.to_string(),
            ObservationResult::Censored { side: Side::Below, limit } => format!("<{limit}"),
            ObservationResult::Censored { side: Side::Above, limit } => format!(">{limit}"),
            ObservationResult::Nil(
                NilReason::Missing
                | NilReason::Incomplete
                | NilReason::NoInput
                | NilReason::Undefined,
            ) => "no value".to_owned(),
        };
        let mark = reading.mark.and_then(|mark| context.marks.get(mark));
        let mark = mark.map_or(String::new(), |mark| match &*mark.cause {
            "" => format!(", mark {}", mark.text),
            cause => format!(", mark {} ({cause})", mark.text),
        });
        let time = reading
            .device_time
            .map_or_else(|| "no time of its own".to_owned(), |time| time.rfc3339(context.zone));
        writeln!(text, "{name} = {value}{unit}{mark}, {time}").unwrap_or_default();
    }
    for refused in &decoded.rejects {
        writeln!(text, "{} rejected: {}", refused.channel, refused.reason).unwrap_or_default();
    }
    if decoded.unread > 0 {
        writeln!(text, "{} items not read: no measurements", decoded.unread).unwrap_or_default();
    }
    if text.is_empty() {
        text.push_str("nothing to read in it\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(format: Format, payload: &str) -> Result<String, String> {
        let asked = Asked { format: Some(format), topic: None, at: Timestamp(0) };
        decode(asked, payload.as_bytes())
    }

    #[test]
    fn without_seeds_everything_that_a_payload_names_is_shown() {
        let shown = said(Format::Json, r#"{"ph":"7.6","state":"on"}"#).unwrap();
        let want = "/ph = 7.6, no time of its own\n/state rejected: ";
        assert!(shown.starts_with(want), "{shown}");
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_place() {
        assert!(said(Format::Hj212, "hello").unwrap_err().contains("at byte 0"));
        assert!(said(Format::Json, "{").unwrap_err().contains("byte"));
    }
}
