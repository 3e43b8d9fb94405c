//! Readings by the names of their channels, as most formats bring them.

use serde_json::value::RawValue;

use crate::decode::json::{self, TOO_MANY_UNKNOWN, UNKNOWN_MAX};
use crate::decode::{Context, Decoded, Refused, number};
use crate::domain::name::MarkId;
use crate::domain::observation::{ObservationResult, Reading};
use crate::domain::registry::Level;
use crate::domain::reject::Reason;
use crate::domain::time::Timestamp;

/// How many levels of JSON make the name of a channel.
const LEVELS_MAX: usize = 8;
/// Whether the device is there: 1 or 0.
pub(super) const ONLINE: &str = "@online";
/// The battery, %.
pub(super) const BATTERY: &str = "@battery";
/// How strong its signal arrives, dBm.
pub(super) const RSSI: &str = "@rssi";
/// How far its signal is above the noise, dB.
pub(super) const SNR: &str = "@snr";

/// What a format said of one channel besides its value.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Said<'a> {
    /// Its time, if one is stated.
    pub(super) time: Option<Timestamp>,
    /// Why the time that is stated can't be read: then no reading of the record is one.
    pub(super) undated: Option<&'a Reason>,
    /// Its unit, if one is stated.
    pub(super) unit: Option<&'a str>,
    /// The number of its record in the payload, from 0.
    pub(super) record: u32,
}

/// The readings of one message.
#[derive(Debug)]
pub(super) struct Readings<'c, 'd> {
    pub(super) context: Context<'c>,
    decoded: &'d mut Decoded,
    format: &'static str,
    /// Where the next channel will be if the device keeps the order of the seeds.
    likely: usize,
    unknown: usize,
}

impl<'c, 'd> Readings<'c, 'd> {
    pub(super) fn new(
        format: &'static str,
        context: Context<'c>,
        decoded: &'d mut Decoded,
    ) -> Self {
        Self { context, decoded, format, likely: 0, unknown: 0 }
    }

    /// Says whether the profile has a channel of a name.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    fn find(&self, name: &str) -> Option<usize> {
        let channels = &self.context.profile.channels;
        match channels.get(self.likely) {
            Some(channel) if *channel.name == *name => Some(self.likely),
            Some(_) | None => channels.iter().position(|channel| *channel.name == *name),
        }
    }

    /// Takes what was said of a channel; `read` gives its value and is told whether the seeds say
    /// that its numbers come as text.
    ///
    /// # Errors
    /// So many unknown channels that the topic or the profile is the wrong one.
    pub(super) fn take(
        &mut self,
        name: &str,
        said: Said<'_>,
        read: impl FnOnce(bool) -> Result<ObservationResult, Reason>,
    ) -> Result<(), Reason> {
        let channels = &self.context.profile.channels;
        let Some((at, channel)) = self.find(name).and_then(|at| Some((at, channels.get(at)?)))
        else {
            return self.unknown(name, said.record);
        };
        self.likely = at + 1;
        if channel.property.is_none() {
            return Ok(());
        }
        if let Some(reason) = said.undated {
            self.refuse(name, said.record, reason.clone());
            return Ok(());
        }
        let unit = said.unit.filter(|unit| !unit.is_empty()).map(|unit| self.unit(unit));
        match unit.transpose().and_then(|unit| Ok((unit, read(channel.text)?))) {
            Ok((unit, result)) => self.decoded.readings.push(Reading {
                channel: u16::try_from(at).unwrap_or(u16::MAX),
                result,
                device_time: said.time,
                unit,
                record: said.record,
                mark: None,
            }),
            Err(reason) => self.refuse(name, said.record, reason),
        }
        Ok(())
    }

    /// Gives how many there are.
    pub(super) fn count(&self) -> usize {
        self.decoded.readings.len()
    }

    /// Marks those after the first so many.
    pub(super) fn mark(&mut self, first: usize, mark: Option<MarkId>) {
        for reading in self.decoded.readings.iter_mut().skip(first) {
            reading.mark = mark;
        }
    }

    /// Finds a mark in the vocabulary of a channel, else of the topic.
    pub(super) fn mark_of(&self, name: &str, mark: impl std::fmt::Display) -> Option<MarkId> {
        let channel = self.find(name).and_then(|at| self.context.profile.channels.get(at))?;
        let vocabulary = channel.marks.or(self.context.rule.marks)?;
        self.context.marks.find(vocabulary, &mark.to_string())
    }

    /// Takes what stands in a piece of JSON: a value, or the values inside, each under its way from
    /// `name`, with `/` between.
    ///
    /// # Errors
    /// So many unknown channels that the topic or the profile is the wrong one.
    pub(super) fn tree(
        &mut self,
        name: &mut String,
        raw: &RawValue,
        said: Said<'_>,
    ) -> Result<(), Reason> {
        let inside = match raw.get().as_bytes().first() {
            Some(b'{') => json::entries(raw).unwrap_or_default(),
            Some(b'[') => {
                let elements = json::elements(raw).unwrap_or_default().into_iter().enumerate();
                elements.map(|(at, raw)| (at.to_string().into(), raw)).collect()
            }
            Some(_) | None => return self.take(name, said, |text| json_value(raw, text)),
        };
        let length = name.len();
        // What the seeds name as a whole is not looked into.
        if inside.is_empty() && !self.knows(name) {
            return Ok(());
        }
        if self.knows(name) || name.split('/').count() > LEVELS_MAX {
            return self.take(name, said, |text| json_value(raw, text));
        }
        for (key, raw) in inside {
            if length > 0 {
                name.push('/');
            }
            name.push_str(&key);
            self.tree(name, raw, said)?;
            name.truncate(length);
        }
        Ok(())
    }

    /// Takes what a format itself knows of a device, such as its battery, if the seeds want it.
    ///
    /// # Errors
    /// None, since only what is known is taken.
    pub(super) fn status(&mut self, name: &str, said: Said<'_>, value: f64) -> Result<(), Reason> {
        if !self.knows(name) {
            return Ok(());
        }
        self.take(name, said, |_| finite(value, value))
    }

    /// Refuses one reading, or a whole record where no channel is known.
    pub(super) fn refuse(&mut self, channel: &str, record: u32, reason: Reason) {
        self.decoded.rejects.push(Refused { channel: number::cut(channel), record, reason });
    }

    /// Refuses a channel that no row of the profile names. A row with property `ignored` whose
    /// channel ends in `*` is of every name that begins so.
    fn unknown(&mut self, name: &str, record: u32) -> Result<(), Reason> {
        let channels = &self.context.profile.channels;
        let ignored = channels.iter().filter(|channel| channel.property.is_none());
        let mut begins = ignored.filter_map(|channel| channel.name.strip_suffix('*'));
        if begins.any(|begin| name.starts_with(begin)) {
            return Ok(());
        }
        self.unknown += 1;
        // A profile of the seeds has a name; without seeds whoever asks wants to see all.
        if self.unknown > UNKNOWN_MAX && !self.context.profile.name.is_empty() {
            return Err(self.malformed(TOO_MANY_UNKNOWN));
        }
        let nearest = json::nearest(name, channels.iter().map(|channel| &*channel.name));
        self.refuse(name, record, Reason::UnknownChannel { nearest });
        Ok(())
    }

    fn unit(&self, name: &str) -> Result<crate::domain::unit::UnitIndex, Reason> {
        let units = self.context.units;
        units.find(name).ok_or_else(|| Reason::UnknownUnit {
            unit: number::cut(name),
            nearest: json::nearest(name, units.spellings()),
        })
    }

    /// Gives the reason that the payload is not of its format.
    pub(super) fn malformed(&self, fault: impl Into<Box<str>>) -> Reason {
        Reason::Malformed { format: self.format, fault: fault.into() }
    }
}

/// Gives what stands in the topic after the device.
pub(super) fn way(context: Context<'_>) -> String {
    let device = context.rule.levels.iter().position(|level| *level == Level::Device);
    let after = context.topic.split('/').skip(device.map_or(0, |at| at + 1));
    after.collect::<Vec<_>>().join("/")
}

/// Reads a value of JSON; true is 1 and false 0.
pub(super) fn json_value(raw: &RawValue, text: bool) -> Result<ObservationResult, Reason> {
    match raw.get() {
        "true" => Ok(truth(true)),
        "false" => Ok(truth(false)),
        raw => number::scalar(raw, text),
    }
}

/// Gives a truth value as the number that stands for it.
pub(super) fn truth(value: bool) -> ObservationResult {
    ObservationResult::Value(if value { 1.0 } else { 0.0 })
}

/// Gives a number that must be finite; what was sent stands in the reason if it is not.
pub(super) fn finite(
    value: f64,
    sent: impl std::fmt::Display,
) -> Result<ObservationResult, Reason> {
    if value.is_finite() {
        Ok(ObservationResult::Value(value))
    } else {
        Err(Reason::OutOfRange { found: number::cut(&sent.to_string()) })
    }
}

/// Takes a stated time apart: what it is, or why it is none.
pub(super) fn apart(
    stated: Option<&Result<Timestamp, Reason>>,
) -> (Option<Timestamp>, Option<&Reason>) {
    match stated {
        None => (None, None),
        Some(Ok(time)) => (Some(*time), None),
        Some(Err(reason)) => (None, Some(reason)),
    }
}

/// Takes what a device, or the broker in its name, says of its presence. What a broker kept of it
/// may be a year old and says nothing.
pub(super) fn presence(
    format: &'static str,
    context: Context<'_>,
    online: bool,
    decoded: &mut Decoded,
) -> Result<(), Reason> {
    if context.retained {
        return Ok(());
    }
    (decoded.farewell, decoded.greeting) = (!online, online);
    let value = if online { 1.0 } else { 0.0 };
    Readings::new(format, context, decoded).status(ONLINE, Said::default(), value)
}
