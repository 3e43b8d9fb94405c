//! HJ 212, the language of Chinese monitoring stations: frames of text, one or several in a
//! payload, each by itself. A channel is a factor's code with what is said of it, `w01018-Rtd`; a
//! command in front of it, `2061:w01018-Avg`, tells the minute's mean from the hour's.

mod crc;
mod frame;
mod parameters;
mod plan;
mod reply;
mod seal;

use std::borrow::Cow;

use self::frame::{Broken, Frame, Frames};
use self::parameters::{Data, Item, items};
pub use self::plan::Plan;
use self::plan::Target;
pub use self::seal::Keys;
use crate::decode::{Context, Decoded, Refused, json, number, time};
use crate::domain::name::MarkId;
use crate::domain::observation::{NilReason, ObservationResult, Reading};
use crate::domain::registry::{
    Channel, Hj212, Hj212Crc, Hj212Time, MarkUse, Statistic, VocabularyIndex,
};
use crate::domain::reject::Reason;
use crate::domain::reply::Reply;
use crate::domain::time::Timestamp;

/// How many frames one message may have before it is rejected as a whole.
const FRAMES_MAX: u32 = 1_024;
/// How many of them may be broken.
const BROKEN_MAX: usize = 64;
/// How many unknown channels one message may have.
const UNKNOWN_MAX: usize = 64;
/// What is said then.
const TOO_MANY_FRAMES: &str = "more than 1024 frames in one message";
const TOO_MANY_BROKEN: &str = "more than 64 broken frames; is this HJ 212 at all?";
const TOO_MANY_UNKNOWN: &str = "more than 64 unknown channels; is this the right profile?";
/// The channel under which a broken frame is turned away.
pub const FRAME: &str = "frame";
/// How many bytes stand before the data of a frame.
const DATA_AT: usize = 6;
/// How a time is written.
const TIME: &str = "local time such as 20260501110000";

fn malformed(fault: String) -> Reason {
    Reason::Malformed { format: "HJ 212", fault: fault.into() }
}

fn said(broken: &Broken) -> Reason {
    malformed(format!("frame at byte {}: {}", broken.at, broken.fault))
}

/// Gives the device that the first frame in order names.
///
/// # Errors
/// No frame is in order.
pub fn device(payload: &[u8]) -> Result<Box<str>, Reason> {
    let mut first = None;
    // Whose frame it is says which sum is right; here either will do.
    for frame in Frames::new(payload, Hj212Crc::ModbusSwapped).take(FRAMES_MAX as usize) {
        let read = frame.and_then(|frame| {
            let text = text(&frame)?;
            data(&frame, &text).map(|data| number::cut(data.mn))
        });
        match read {
            Ok(name) => return Ok(name),
            Err(broken) => first = first.or(Some(broken)),
        }
    }
    Err(first.map_or_else(|| malformed("no frame in it".to_owned()), |broken| said(&broken)))
}

impl Plan {
    /// Decodes one payload.
    ///
    /// # Errors
    /// No frame of it is in order, or so many are not that it is something else.
    pub fn decode(
        &self,
        context: Context<'_>,
        payload: &[u8],
        decoded: &mut Decoded,
    ) -> Result<(), Reason> {
        let speech = context.device.map_or_else(Hj212::default, |device| device.hj212);
        let mut walk = Walk { plan: self, context, speech, decoded, frame: 0, unknown: 0 };
        let (mut sound, mut broken) = (0, Vec::new());
        for frame in Frames::new(payload, speech.crc) {
            if walk.frame >= FRAMES_MAX {
                return Err(malformed(TOO_MANY_FRAMES.to_owned()));
            }
            match frame.and_then(|frame| walk.read(&frame)) {
                Ok(()) => sound += 1,
                Err(fault) => broken.push((walk.frame, fault)),
            }
            if broken.len() > BROKEN_MAX {
                return Err(malformed(TOO_MANY_BROKEN.to_owned()));
            }
            if walk.unknown > UNKNOWN_MAX && !context.profile.name.is_empty() {
                return Err(malformed(TOO_MANY_UNKNOWN.to_owned()));
            }
            walk.frame += 1;
        }
        if sound == 0 {
            let first = broken.first().map(|(_, fault)| said(fault));
            return Err(first.unwrap_or_else(|| malformed("no frame in it".to_owned())));
        }
        for (record, fault) in broken {
            let (channel, reason) = (FRAME.into(), said(&fault));
            decoded.rejects.push(Refused { channel, record, reason });
        }
        Ok(())
    }
}

/// Gives the data as text: UTF-8, or GB 18030.
fn text<'p>(frame: &Frame<'p>) -> Result<Cow<'p, str>, Broken> {
    if let Ok(text) = std::str::from_utf8(frame.data) {
        return Ok(Cow::Borrowed(text));
    }
    encoding_rs::GB18030.decode_without_bom_handling_and_without_replacement(frame.data).ok_or_else(
        || Broken { at: frame.at, fault: "data that are neither UTF-8 nor GB 18030".to_owned() },
    )
}

fn data<'t>(frame: &Frame<'_>, text: &'t str) -> Result<Data<'t>, Broken> {
    Data::read(text).map_err(|(byte, fault)| Broken {
        at: frame.at,
        fault: format!("{fault} (at byte {} of the payload)", frame.at + DATA_AT + byte),
    })
}

/// What has been read on the way.
struct Walk<'c, 'd> {
    plan: &'c Plan,
    context: Context<'c>,
    speech: Hj212,
    decoded: &'d mut Decoded,
    /// The number of the frame at hand.
    frame: u32,
    unknown: usize,
}

/// What a frame has said so far.
#[derive(Default)]
struct Said<'t> {
    cn: u16,
    /// The first of its readings.
    first: usize,
    time: Option<&'t str>,
    /// The factor that was named last.
    factor: &'t str,
    /// What its channels have in common, once a value of it was found.
    family: Option<u16>,
    /// Those that a value was found of, and the channels that have one: a bit each of the first
    /// 64.
    families: u64,
    channels: u64,
    /// Whether a factor was named again after another one.
    returns: bool,
    /// Where the next value is looked for first.
    likely: usize,
    /// Its mark and the time of its sample, if they stand before its value.
    mark: Option<MarkId>,
    sampled: Option<Timestamp>,
    /// The mark that was looked up last.
    looked_up: Option<(&'t str, VocabularyIndex, Option<MarkId>)>,
}

impl<'c> Walk<'c, '_> {
    /// Reads one frame, all of it or nothing.
    fn read(&mut self, frame: &Frame<'_>) -> Result<(), Broken> {
        let text = text(frame)?;
        let data = data(frame, &text)?;
        let broken = |fault| Err(Broken { at: frame.at, fault });
        let named = self.context.device.filter(|_| !self.context.rule.pointers.device.is_empty());
        if let Some(device) = named.filter(|device| *device.name != *data.mn) {
            let (found, device) = (number::cut(data.mn), &device.name);
            return broken(format!("MN `{found}`, but the message is of `{device}`"));
        }
        let control = self.speech.edition.is_control(data.cn);
        if !control && (2062..=2066).contains(&data.cn) {
            return broken(format!(
                "CN {} brings results of a check of the instrument in edition=surface-water (2062 \
                 in 2025, too), which the device's options of devices.csv don't say",
                data.cn
            ));
        }
        self.decoded.odd_crcs += u32::from(frame.odd_crc);
        let mut said = Said { cn: data.cn, first: self.decoded.readings.len(), ..Said::default() };
        match data.cn {
            _ if control => self.control(&mut said, data.parameters),
            2011 | 2013 | 2021 | 2031 | 2041 | 2051 | 2052 | 2061 | 2111 => {
                self.values(&mut said, data.parameters);
            }
            // Questions, answers, heartbeats, logs: nothing that is measured.
            _ => {}
        }
        self.date(&said);
        self.acknowledge(&data, frame.odd_crc);
        Ok(())
    }

    /// Has a frame acknowledged that was taken, with the check sum that its device reckons with.
    /// What of it is refused is held as dead letters, and would not be better for coming again.
    fn acknowledge(&mut self, data: &Data<'_>, odd_crc: bool) {
        let Context { rule, device_name, .. } = self.context;
        let Some(template) = &rule.options.ack else { return };
        let crc = if odd_crc { Hj212Crc::ModbusSwapped } else { Hj212Crc::Standard };
        if let Some(frame) = reply::acknowledgement(data, crc) {
            let topic = template.replace(reply::DEVICE, device_name).into();
            self.decoded.replies.push(Reply { network: rule.network, topic, payload: frame });
        }
    }

    fn values<'t>(&mut self, said: &mut Said<'t>, parameters: &'t str) {
        let mut items = items(parameters);
        let plan = self.plan;
        while let Some(item) = items.next_of(plan.likely(said.likely), said.factor) {
            let Item { name, value, .. } = item;
            let Some((factor, what)) = item.parts() else {
                match name {
                    "DataTime" => said.time = Some(value),
                    // Some devices detach it from its factor.
                    "Flag" => self.mark(said, said.factor, value),
                    _ => self.plain(said, name, value),
                }
                continue;
            };
            if factor != said.factor {
                (said.factor, said.family) = (factor, None);
                (said.mark, said.sampled) = (None, None);
            }
            match what {
                "Flag" => self.mark(said, factor, value),
                "SampleTime" => self.sampled(said, name, value),
                _ => self.value(said, name, value),
            }
        }
    }

    /// Reads a value whose name has no factor, if a channel is called so.
    fn plain(&mut self, said: &mut Said<'_>, name: &str, value: &str) {
        if let Some(Target::Channel(channel)) = self.plan.find(name, said.cn, said.likely) {
            self.push(said, channel, value, None);
        }
    }

    fn value(&mut self, said: &mut Said<'_>, name: &str, value: &str) {
        match self.plan.find(name, said.cn, said.likely) {
            Some(Target::Channel(channel)) => {
                said.likely = usize::from(channel) + 1;
                said.begin(self.plan.family(channel));
                self.push(said, channel, value, said.mark);
            }
            Some(Target::Ignored) => {}
            // States of equipment, and what is said of an instrument, are no measurements.
            None if name.starts_with("SB") || is_beside(name) => self.decoded.unread += 1,
            None => self.reject_unknown(said.cn, name),
        }
    }

    /// Reads the results of a check: of the factor's own datastream, and marked as what they are.
    fn control<'t>(&mut self, said: &mut Said<'t>, parameters: &'t str) {
        for item in items(parameters) {
            let Item { name, value, .. } = item;
            let Some((factor, what)) = item.parts() else {
                if name == "DataTime" {
                    said.time = Some(value);
                }
                continue;
            };
            let mark = match what {
                "Check" => said.cn.to_string(),
                what => format!("{}-{what}", said.cn),
            };
            let known = self.control_mark(&mark);
            let target =
                self.plan.find(name, said.cn, said.likely).or_else(|| self.plan.of_factor(factor));
            match (known, target) {
                (Some(known), Some(Target::Channel(channel))) => {
                    self.push(said, channel, value, Some(known));
                }
                (_, Some(Target::Ignored)) => {}
                (None, _) if what != "Check" => self.decoded.unread += 1,
                (None, Some(Target::Channel(_))) => {
                    let reason = malformed(format!(
                        "a result of a check, of which device_marks.csv has no row `{mark}` with \
                         use `quality_control` in the vocabulary of the device's edition"
                    ));
                    self.reject(name.into(), reason);
                }
                (_, None) => self.reject_unknown(said.cn, name),
            }
        }
    }

    fn control_mark(&self, text: &str) -> Option<MarkId> {
        let marks = self.context.marks;
        let vocabulary = self.context.rule.marks.or(self.speech.marks)?;
        let mark = marks.find(vocabulary, text)?;
        let known = marks.get(mark)?;
        (known.usage == MarkUse::QualityControl && *known.text == *text).then_some(mark)
    }

    fn push(&mut self, said: &mut Said<'_>, channel: u16, value: &str, mark: Option<MarkId>) {
        if said.has(channel) {
            let of_frame = self.decoded.readings.get(said.first..).unwrap_or_default();
            // A check says several things of one factor, told apart by their marks.
            let same = |one: &Reading| one.mark == mark || !said.checks();
            if of_frame.iter().any(|one| one.channel == channel && same(one)) {
                return self.reject(self.name(channel), Reason::RepeatedChannel);
            }
        }
        match result(value) {
            Ok(result) => {
                let of = self.context.profile.channels.get(usize::from(channel));
                let device_time = said.sampled.filter(|_| of.is_some_and(is_instant));
                let (unit, record) = (None, self.frame);
                let reading = Reading { channel, result, device_time, unit, record, mark };
                self.decoded.readings.push(reading);
            }
            Err(reason) => self.reject(self.name(channel), reason),
        }
    }

    /// Marks the values of a factor, those that come after the mark too.
    fn mark<'t>(&mut self, said: &mut Said<'t>, factor: &str, text: &'t str) {
        if text.is_empty() {
            return;
        }
        let (plan, Context { profile, rule, marks, .. }) = (self.plan, self.context);
        let usual = rule.marks.or(self.speech.marks);
        let mut find = |vocabulary: VocabularyIndex| match said.looked_up {
            Some((held, of, mark)) if held == text && of == vocabulary => mark,
            Some(_) | None => {
                let mark = marks.find(vocabulary, text);
                said.looked_up = Some((text, vocabulary, mark));
                mark
            }
        };
        let readings = self.decoded.readings.get_mut(said.first..).unwrap_or_default();
        let family = said.family.filter(|_| factor == said.factor);
        for reading in readings.iter_mut().rev() {
            let fits = match family {
                Some(_) => plan.family(reading.channel) == family,
                None => plan.factor(reading.channel) == Some(factor),
            };
            match fits {
                // Its values stand together, and these are the last.
                false if family.is_some() && !said.returns => break,
                false => continue,
                true => {}
            }
            let own = profile.channels.get(usize::from(reading.channel));
            let vocabulary = own.and_then(|own| own.marks).or(usual);
            reading.mark = vocabulary.and_then(&mut find);
        }
        said.mark = usual.and_then(find);
    }

    /// Dates the values of a factor by when their sample was taken.
    fn sampled(&mut self, said: &mut Said<'_>, name: &str, value: &str) {
        let Some(at) = time::local(value, self.context.zone) else {
            let reason = Reason::BadTime { found: number::cut(value), expected: TIME };
            return self.reject(number::cut(name), reason);
        };
        let (plan, channels) = (self.plan, &self.context.profile.channels);
        let readings = self.decoded.readings.get_mut(said.first..).unwrap_or_default();
        for reading in readings.iter_mut().filter(|one| {
            let channel = channels.get(usize::from(one.channel));
            plan.factor(one.channel) == Some(said.factor) && channel.is_some_and(is_instant)
        }) {
            reading.device_time = Some(at);
        }
        said.sampled = Some(at);
    }

    /// Dates the readings of a frame by its own time. What is of a period is dated by its end.
    fn date(&mut self, said: &Said<'_>) {
        let at = match said.time {
            Some(raw) => time::local(raw, self.context.zone).ok_or(raw),
            // An instant without a time is that of its arrival; a period is none without.
            None if said.is_of_a_period() => Err(""),
            None => return,
        };
        let starts = said.is_of_a_period() && self.speech.time == Hj212Time::Start;
        let channels = &self.context.profile.channels;
        match at {
            Ok(at) => {
                for reading in self.decoded.readings.iter_mut().skip(said.first) {
                    let channel = channels.get(usize::from(reading.channel));
                    let spans = channel.filter(|channel| starts && !is_instant(channel));
                    let length = spans.and_then(|channel| channel.period_ms).unwrap_or(0);
                    reading.device_time = reading.device_time.or(Some(at.plus(length)));
                }
            }
            Err(raw) => {
                let undated = self.decoded.readings.split_off(said.first);
                for reading in undated {
                    if reading.device_time.is_some() {
                        self.decoded.readings.push(reading);
                        continue;
                    }
                    let found = if raw.is_empty() { "(none)".into() } else { number::cut(raw) };
                    let reason = Reason::BadTime { found, expected: TIME };
                    self.reject(self.name(reading.channel), reason);
                }
            }
        }
    }

    fn name(&self, channel: u16) -> Box<str> {
        let channel = self.context.profile.channels.get(usize::from(channel));
        channel.map_or_else(Box::default, |channel| channel.name.clone())
    }

    fn reject(&mut self, channel: Box<str>, reason: Reason) {
        self.decoded.rejects.push(Refused { channel, record: self.frame, reason });
    }

    fn reject_unknown(&mut self, cn: u16, name: &str) {
        self.unknown += 1;
        if self.unknown > UNKNOWN_MAX {
            return;
        }
        let name = match cn {
            2011 | 2013 => number::cut(name),
            _ => format!("{cn}:{}", number::cut(name)).into(),
        };
        let names = self.context.profile.channels.iter().map(|channel| &*channel.name);
        let reason = Reason::UnknownChannel { nearest: json::nearest(&name, names) };
        self.reject(name, reason);
    }
}

impl Said<'_> {
    /// Notes of which factor the value at hand is.
    fn begin(&mut self, family: Option<u16>) {
        if self.family != family {
            let bit = bit(family.unwrap_or(u16::MAX));
            self.returns |= bit.is_none_or(|bit| self.families & bit != 0);
            self.families |= bit.unwrap_or(0);
            self.family = family;
        }
    }

    /// Notes that a channel has a value; says whether it may have had one before.
    fn has(&mut self, channel: u16) -> bool {
        let bit = bit(channel);
        let before = bit.is_none_or(|bit| self.channels & bit != 0);
        self.channels |= bit.unwrap_or(0);
        before
    }

    fn is_of_a_period(&self) -> bool {
        matches!(self.cn, 2031 | 2041 | 2051 | 2052 | 2061 | 2111)
    }

    fn checks(&self) -> bool {
        (2062..=2066).contains(&self.cn)
    }
}

fn bit(number: u16) -> Option<u64> {
    1_u64.checked_shl(number.into())
}

fn is_instant(channel: &Channel) -> bool {
    match channel.statistic {
        Statistic::Instant | Statistic::Sample => true,
        Statistic::Mean | Statistic::Min | Statistic::Max | Statistic::Total => false,
    }
}

/// Says whether a name says something of the instrument, and not of the water.
fn is_beside(name: &str) -> bool {
    ["-EFlag", "-Info", "-SN"].iter().any(|ending| name.ends_with(ending))
}

/// Reads a value; nothing and `NaN` are missing.
fn result(value: &str) -> Result<ObservationResult, Reason> {
    if value.is_empty() || value.eq_ignore_ascii_case("nan") {
        return Ok(ObservationResult::Nil(NilReason::Missing));
    }
    if let Some(result) = number::written(value) {
        return Ok(result);
    }
    let found = number::cut(value);
    let digit = value.trim_start_matches(['-', '+', '.']).starts_with(|c: char| c.is_ascii_digit());
    match value.parse::<f64>() {
        Ok(number) if digit && number.is_infinite() => Err(Reason::OutOfRange { found }),
        Ok(_) | Err(_) => Err(Reason::WrongType { found, expected: "a number" }),
    }
}

#[cfg(test)]
mod tests;
