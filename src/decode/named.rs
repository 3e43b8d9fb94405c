//! Readings by the names of their channels, as most formats bring them.

use crate::decode::json::{self, TOO_MANY_UNKNOWN, UNKNOWN_MAX};
use crate::decode::{Context, Decoded, Refused, number};
use crate::domain::observation::{ObservationResult, Reading};
use crate::domain::reject::Reason;
use crate::domain::time::Timestamp;

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
            }),
            Err(reason) => self.refuse(name, said.record, reason),
        }
        Ok(())
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
        if self.unknown > UNKNOWN_MAX {
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
