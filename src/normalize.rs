//! From a reading to an observation: which datastream, which time, which unit, which calibration.
//! The unit table and the calibrations are the seeds'; what can't be looked up is a reject.

use crate::domain::check::CheckPart;
use crate::domain::judgement::Judgement;
use crate::domain::observation::{Observation, ObservationResult, Period, Reading, Side};
use crate::domain::quality::Flag;
use crate::domain::registry::{
    Channel, ChannelStream, ClockTrust, Datastream, Device, ProfileIndex, Registry,
};
use crate::domain::reject::Reason;
use crate::domain::time::{PhenomenonTime, Timestamp};
use crate::domain::unit::UnitIndex;

/// Times before this are those of a clock that was never set: 2000-01-01T00:00:00Z.
const CLOCK_UNSET: Timestamp = Timestamp(946_684_800_000);

/// What normalizing may look at besides the reading.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The edition.
    pub registry: &'a Registry,
    /// The device that spoke.
    pub device: &'a Device,
    /// The profile by which the reading was decoded.
    pub profile: ProfileIndex,
    /// Its channels.
    pub channels: &'a [Channel],
    /// When the message arrived.
    pub received: Timestamp,
    /// Whether the broker had kept it.
    pub retain: bool,
}

/// Gives a reading its meaning. A channel that the seeds say to ignore gives nothing.
///
/// # Errors
/// Why the reading can never become an observation.
pub fn normalize(context: Context<'_>, reading: &Reading) -> Result<Option<Observation>, Reason> {
    let (time, clock) = dated(context, reading.device_time)?;
    let assignment = context.device.assignment(time);
    // A device that was given another profile meanwhile: its channels are not those of then.
    let assignment = assignment.filter(|one| one.profile == context.profile);
    let assignment = assignment.ok_or(Reason::NotInService)?;
    let Some(stream) = assignment.streams.get(usize::from(reading.channel)).copied().flatten()
    else {
        return Ok(None);
    };
    let Some(datastream) = context.registry.datastream(stream.datastream) else {
        return Err(Reason::NotInService);
    };
    let channel = context.channels.get(usize::from(reading.channel));
    let said = Reading { result: said(context, channel, reading), ..*reading };
    let as_sent = in_canonical_unit(context, &stream, channel, datastream, &said, time)?;
    // What a check should find was not measured.
    let measured = context.registry.marks.check_part(reading.mark) != Some(CheckPart::Standard);
    let mut calibrations = datastream.calibrations.iter().filter(|_| measured);
    let calibration = calibrations.find(|one| one.validity.holds(time));
    let result = match calibration {
        None => as_sent,
        Some(one) => as_sent.map(|value| value * one.gain + one.offset),
    };
    if result.number().is_some_and(|value| !value.is_finite()) {
        let found = reading.result.number().map_or_else(String::new, |value| value.to_string());
        return Err(Reason::OutOfRange { found: found.into() });
    }
    let raw = as_sent.number().filter(|_| result != as_sent);
    Ok(Some(Observation {
        datastream: datastream.id,
        period: Period::Native,
        phenomenon_time: interval(datastream, time),
        result,
        raw,
        clock,
        mark: reading.mark,
    }))
}

/// Gives what a device said, its mark included: a value marked as below detection or above the
/// span is a bound. Where it states none, the channel's detection limit is; else it stays as it is.
fn said(context: Context<'_>, channel: Option<&Channel>, reading: &Reading) -> ObservationResult {
    let mark = reading.mark.and_then(|mark| context.registry.marks.get(mark));
    let Some(side) = mark.and_then(|mark| mark.censoring) else { return reading.result };
    let stated = match reading.result {
        ObservationResult::Value(value) => Some(value).filter(|value| *value > 0.0),
        ObservationResult::Nil(_) => None,
        bound @ ObservationResult::Censored { .. } => return bound,
    };
    let known = channel.and_then(|channel| channel.detection_limit);
    match (side, stated, known) {
        (Side::Below, None, Some(limit)) | (Side::Below | Side::Above, Some(limit), _) => {
            ObservationResult::Censored { side, limit }
        }
        (Side::Below | Side::Above, None, _) => reading.result,
    }
}

fn in_canonical_unit(
    context: Context<'_>,
    stream: &ChannelStream,
    channel: Option<&Channel>,
    datastream: &Datastream,
    reading: &Reading,
    time: Timestamp,
) -> Result<ObservationResult, Reason> {
    let stated = reading.unit.filter(|unit| channel.and_then(|one| one.unit) != Some(*unit));
    let (mut conversion, mut by_volume) = (stream.conversion, stream.by_volume);
    if let (Some(unit), Some(property)) = (stated, context.registry.property(datastream.property)) {
        let (units, air) = (&context.registry.units, &context.registry.air);
        let plain = units.conversion(unit, property.unit);
        by_volume = plain.is_none();
        let weighed = || units.by_volume(unit, property.unit, air.molar_mass(property.id)?);
        let scale = channel.map_or(1.0, |one| one.scale);
        let found = plain.or_else(weighed).ok_or_else(|| Reason::WrongDimension {
            unit: unit_name(context.registry, unit),
            expected: unit_name(context.registry, property.unit),
        })?;
        conversion = found.scaled(scale);
    }
    if by_volume {
        // By the observation's own time: the law was changed, not the air.
        let at = interval(datastream, time).start();
        let state = context.registry.air.reference_state(at).ok_or(Reason::NotInService)?;
        conversion = conversion.over(state.molar_volume);
    }
    Ok(reading.result.map(|value| conversion.apply(value)))
}

fn unit_name(registry: &Registry, unit: UnitIndex) -> Box<str> {
    registry.units.get(unit).map_or_else(Box::default, |unit| unit.name.clone())
}

/// Chooses the time of a reading and says whether its clock can be believed.
fn dated(context: Context<'_>, stated: Option<Timestamp>) -> Result<(Timestamp, Flag), Reason> {
    let Some(stated) = stated else {
        // A retained message may be a year old: the time of its arrival says nothing.
        return if context.retain {
            Err(Reason::RetainedWithoutTime)
        } else {
            Ok((context.received, Flag::NotEvaluated))
        };
    };
    if context.device.clock == ClockTrust::Arrival && !context.retain {
        return Ok((context.received, Flag::NotEvaluated));
    }
    let off = |flag| match context.device.clock {
        ClockTrust::ArrivalIfOff if !context.retain => Ok((context.received, Flag::Suspect)),
        ClockTrust::ArrivalIfOff | ClockTrust::Device | ClockTrust::Arrival => match flag {
            Some(flag) => Ok((stated, flag)),
            None => {
                Err(Reason::ImplausibleTime { time: stated.rfc3339(&context.device.zone).into() })
            }
        },
    };
    let Judgement { clock_ahead_max_ms, clock_ahead_reject_ms, clock_behind_max_ms, .. } =
        context.registry.judgement;
    let ahead = stated.since(context.received);
    if stated < CLOCK_UNSET || ahead > clock_ahead_reject_ms {
        off(None)
    } else if ahead > clock_ahead_max_ms || ahead < -clock_behind_max_ms {
        off(Some(Flag::Suspect))
    } else {
        Ok((stated, Flag::Pass))
    }
}

/// A stated mean, minimum, maximum or total is of the interval that ends at the stated time.
fn interval(datastream: &Datastream, time: Timestamp) -> PhenomenonTime {
    datastream.span_from(time.plus(-datastream.stated_ms().unwrap_or(0)))
}
