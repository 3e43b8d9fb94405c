//! Why a message or reading can never be stored: a value, not an error.

use std::fmt;

/// The stage that turned it away.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Stage {
    /// Before its content was looked at: size, topic, broken packet.
    Receive,
    /// While its bytes were read.
    Decode,
    /// While its meaning was looked up.
    Normalize,
    /// The pipeline itself broke on it.
    Crashed,
}

impl Stage {
    /// Gives the word used in output.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Decode => "decode",
            Self::Normalize => "normalize",
            Self::Crashed => "crashed",
        }
    }
}

/// What is wrong. [`Reason::code`] is for counting, `Display` for reading: what was found, what
/// was expected, and the mend.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reason {
    /// The topic is not UTF-8.
    TopicNotText,
    /// The PUBLISH packet itself is malformed.
    BrokenPacket {
        /// What the codec says.
        fault: Box<str>,
    },
    /// The payload is longer than the configuration allows.
    PayloadTooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// No pattern of `topics.csv` matches the topic.
    UnknownTopic,
    /// The payload is empty.
    EmptyPayload,
    /// The payload is not what its format says.
    Malformed {
        /// The format.
        format: &'static str,
        /// What is wrong and where.
        fault: Box<str>,
    },
    /// The payload does not name the device where the seeds say it does.
    NoDevice {
        /// The pointer where it should be.
        pointer: Box<str>,
    },
    /// Topic and payload name different devices.
    DevicesDiffer {
        /// What the payload says.
        payload: Box<str>,
        /// What the topic says.
        topic: Box<str>,
    },
    /// The device is not in `devices.csv`.
    UnknownDevice {
        /// The nearest name that is.
        nearest: Option<Box<str>>,
    },
    /// The device belonged to no station at that time.
    NotInService,
    /// The channel is not in the device's profile.
    UnknownChannel {
        /// The nearest name that is.
        nearest: Option<Box<str>>,
    },
    /// One channel twice in one record.
    RepeatedChannel,
    /// A value of the wrong kind.
    WrongType {
        /// What was found.
        found: Box<str>,
        /// What was expected.
        expected: &'static str,
    },
    /// A number that no double holds.
    OutOfRange {
        /// The number as sent.
        found: Box<str>,
    },
    /// A unit that is not in `units.csv`.
    UnknownUnit {
        /// The unit as sent.
        unit: Box<str>,
        /// The nearest name that is.
        nearest: Option<Box<str>>,
    },
    /// A unit of another dimension.
    WrongDimension {
        /// The unit as sent.
        unit: Box<str>,
        /// The unit expected.
        expected: Box<str>,
    },
    /// A time that can't be read.
    BadTime {
        /// The time as sent.
        found: Box<str>,
        /// How the seeds say it is written.
        expected: &'static str,
    },
    /// A time that no clock in service shows.
    ImplausibleTime {
        /// The time read.
        time: Box<str>,
    },
    /// A retained message without a time of its own: nobody knows when it was true.
    RetainedWithoutTime,
    /// The pipeline broke on it; a fault of weir's own.
    Panicked {
        /// What it said.
        fault: Box<str>,
    },
}

impl Reason {
    /// Gives the word under which such rejects are counted.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::TopicNotText => "topic_not_text",
            Self::BrokenPacket { .. } => "broken_packet",
            Self::PayloadTooLong { .. } => "payload_too_long",
            Self::UnknownTopic => "unknown_topic",
            Self::EmptyPayload => "empty_payload",
            Self::Malformed { .. } => "malformed",
            Self::NoDevice { .. } => "no_device",
            Self::DevicesDiffer { .. } => "devices_differ",
            Self::UnknownDevice { .. } => "unknown_device",
            Self::NotInService => "not_in_service",
            Self::UnknownChannel { .. } => "unknown_channel",
            Self::RepeatedChannel => "repeated_channel",
            Self::WrongType { .. } => "wrong_type",
            Self::OutOfRange { .. } => "out_of_range",
            Self::UnknownUnit { .. } => "unknown_unit",
            Self::WrongDimension { .. } => "wrong_dimension",
            Self::BadTime { .. } => "bad_time",
            Self::ImplausibleTime { .. } => "implausible_time",
            Self::RetainedWithoutTime => "retained_without_time",
            Self::Panicked { .. } => "crashed",
        }
    }
}

/// Writes ", did you mean …?" where a near name is known.
struct Nearest<'a>(&'a Option<Box<str>>);

impl fmt::Display for Nearest<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |name| write!(out, "; the nearest known name is `{name}`"))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TopicNotText => {
                write!(out, "the topic is not UTF-8 text; mend the publisher's topic")
            }
            Self::BrokenPacket { fault } => write!(out, "the PUBLISH packet is malformed: {fault}"),
            Self::PayloadTooLong { bytes, bytes_max } => write!(
                out,
                "the payload has {bytes} bytes, at most {bytes_max} are taken (payload_bytes_max)"
            ),
            Self::UnknownTopic => {
                write!(
                    out,
                    "no pattern of topics.csv matches this topic; add one or stop the publisher"
                )
            }
            Self::EmptyPayload => write!(out, "the payload is empty; expected a reading"),
            Self::Malformed { format, fault } => write!(out, "not {format}: {fault}"),
            Self::NoDevice { pointer } => write!(
                out,
                "the payload names no device at `{pointer}`; mend the `device` column of topics.csv"
            ),
            Self::DevicesDiffer { payload, topic } => {
                write!(out, "the payload says device `{payload}`, the topic says `{topic}`")
            }
            Self::UnknownDevice { nearest } => {
                write!(out, "the device is not in devices.csv{}", Nearest(nearest))
            }
            Self::NotInService => {
                write!(out, "devices.csv gives this device no station at the time of the reading")
            }
            Self::UnknownChannel { nearest } => write!(
                out,
                "the channel is not in the device's profile{}; add it to profiles.csv, with \
                 property `ignored` if it is not wanted",
                Nearest(nearest)
            ),
            Self::RepeatedChannel => write!(out, "the channel stands twice in one record"),
            Self::WrongType { found, expected } => {
                write!(out, "found {found}, expected {expected}")
            }
            Self::OutOfRange { found } => write!(out, "{found} is beyond any double"),
            Self::UnknownUnit { unit, nearest } => {
                write!(out, "unit `{unit}` is not in units.csv{}", Nearest(nearest))
            }
            Self::WrongDimension { unit, expected } => {
                write!(out, "unit `{unit}` can't become {expected}: another dimension")
            }
            Self::BadTime { found, expected } => write!(out, "time {found} is not {expected}"),
            Self::ImplausibleTime { time } => write!(
                out,
                "time {time} is none that a clock in service shows; set the device's clock, or \
                 clock = arrival in devices.csv"
            ),
            Self::RetainedWithoutTime => write!(
                out,
                "a retained message without a time of its own; nobody knows when it was true"
            ),
            Self::Panicked { fault } => write!(out, "weir broke on this message: {fault}"),
        }
    }
}

/// A message, or one reading of it, that can never be stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reject {
    /// Who turned it away.
    pub stage: Stage,
    /// The device, as far as it is known.
    pub device: Option<Box<str>>,
    /// The channel, if it is one reading and not the whole message.
    pub channel: Option<Box<str>>,
    /// The number of its record in the payload, from 0.
    pub record: u32,
    /// What is wrong.
    pub reason: Reason,
}
