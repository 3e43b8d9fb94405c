//! From bytes to readings: what a device said, before anybody knows what it means. One file a
//! format; a format that is compiled for a topic and a profile is a [`Plan`].

#[cfg(debug_assertions)]
mod crash;
pub mod hj212;
pub mod json;
pub mod number;
pub mod time;

use jiff::tz::TimeZone;

use crate::domain::observation::Reading;
use crate::domain::registry::{Device, Format, Marks, Profile, TopicRule};
use crate::domain::reject::Reason;
use crate::domain::unit::Units;

/// A format, compiled for the payloads of one topic pattern and one profile.
#[derive(Debug)]
pub enum Plan {
    /// JSON mapped by pointers.
    Json(json::Plan),
    /// HJ 212.
    Hj212(hj212::Plan),
    /// The same, but for payloads on which weir breaks: for tests of what holds then.
    #[cfg(debug_assertions)]
    Crash(json::Plan),
}

/// What a payload was decoded into; the buffers are used again.
#[derive(Debug, Default)]
pub struct Decoded {
    /// The readings, in the order of the payload.
    pub readings: Vec<Reading>,
    /// What could not become a reading.
    pub rejects: Vec<Refused>,
    /// What is no reading, and nobody asked for: states of equipment, serial numbers.
    pub unread: u32,
    /// Frames whose check sum is not the standard's, but the one their device may send.
    pub odd_crcs: u32,
}

/// What could not become a reading.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    /// The channel as the device names it.
    pub channel: Box<str>,
    /// The number of its record in the payload, from 0.
    pub record: u32,
    /// What is wrong.
    pub reason: Reason,
}

impl Decoded {
    /// Empties the buffers.
    pub fn clear(&mut self) {
        self.readings.clear();
        self.rejects.clear();
        self.unread = 0;
        self.odd_crcs = 0;
    }
}

/// What decoding may look at besides the payload.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The device's profile.
    pub profile: &'a Profile,
    /// How the topic writes time.
    pub rule: &'a TopicRule,
    /// The zone of the device's local times.
    pub zone: &'a TimeZone,
    /// The unit table.
    pub units: &'a Units,
    /// What devices mark their values with.
    pub marks: &'a Marks,
    /// The device, where it is known.
    pub device: Option<&'a Device>,
    /// The channel that the topic names, if it names one.
    pub channel: Option<&'a str>,
}

/// Compiles the formats of a topic for a profile, in the order they are to be tried.
#[must_use]
pub fn plans(rule: &TopicRule, profile: &Profile) -> Vec<Plan> {
    let compile = |format: &Format| match format {
        Format::Json => Plan::Json(json::Plan::new(rule, profile)),
        Format::Hj212 => Plan::Hj212(hj212::Plan::new(profile)),
        #[cfg(debug_assertions)]
        Format::Crash => Plan::Crash(json::Plan::new(rule, profile)),
    };
    rule.formats.iter().map(compile).collect()
}

/// Decodes a payload by the first plan that can read it.
///
/// # Errors
/// The reason of the first format, if none can read the payload.
pub fn decode(
    plans: &[Plan],
    context: Context<'_>,
    payload: &[u8],
    decoded: &mut Decoded,
) -> Result<(), Reason> {
    if payload.is_empty() {
        return Err(Reason::EmptyPayload);
    }
    let mut first = None;
    for plan in plans {
        decoded.clear();
        let read = match plan {
            Plan::Json(plan) => plan.decode(context, payload, decoded),
            Plan::Hj212(plan) => plan.decode(context, payload, decoded),
            #[cfg(debug_assertions)]
            Plan::Crash(plan) => {
                crash::obey(payload);
                plan.decode(context, payload, decoded)
            }
        };
        match read {
            Ok(()) => return Ok(()),
            Err(reason) => first = first.or(Some(reason)),
        }
    }
    decoded.clear();
    Err(first.unwrap_or(Reason::UnknownTopic))
}

/// Reads the device's name from a payload, where the seeds say that it stands there.
///
/// # Errors
/// The payload can't be read, or names none.
pub fn device_name(rule: &TopicRule, payload: &[u8]) -> Result<Box<str>, Reason> {
    if payload.is_empty() {
        return Err(Reason::EmptyPayload);
    }
    match rule.formats.first() {
        Some(Format::Hj212) => hj212::device(payload),
        Some(Format::Json) | None => json::text_at(&rule.pointers.device, payload),
        #[cfg(debug_assertions)]
        Some(Format::Crash) => json::text_at(&rule.pointers.device, payload),
    }
}
