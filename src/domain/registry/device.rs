//! What talks, and what it says: devices, where they stood, and the channels of each kind of them.

use jiff::tz::TimeZone;

use crate::domain::name::{DatastreamId, DeviceId, NetworkId, PropertyId, StationId};
use crate::domain::registry::{Hj212, Statistic, VocabularyIndex};
use crate::domain::time::{Timestamp, Validity};
use crate::domain::unit::{Conversion, UnitIndex};

/// One channel of a profile.
#[derive(Clone, Debug)]
pub struct Channel {
    /// How the device names it: a JSON pointer in a wide record, a plain name in a long one.
    pub name: Box<str>,
    /// What it observes; `None` for a channel that the seeds say to ignore.
    pub property: Option<PropertyId>,
    /// The unit as sent.
    pub unit: Option<UnitIndex>,
    /// What a number is multiplied by before its unit holds, such as 0.1.
    pub scale: f64,
    /// Whether numbers come as JSON strings.
    pub text: bool,
    /// Whether time is an interval of this length that ends (`false`) or starts at the stated
    /// time.
    pub statistic: Statistic,
    /// The interval a stated statistic covers, ms.
    pub period_ms: Option<i64>,
    /// What stands for a value that is marked as below detection without saying below what, in the
    /// unit as sent.
    pub detection_limit: Option<f64>,
    /// Where its mark stands in a wide record, by JSON pointer; empty where it has none of its own.
    pub mark: Box<str>,
    /// The vocabulary of its marks, where it is another than the topic's.
    pub marks: Option<VocabularyIndex>,
}

/// The channels of one kind of device.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Its name in the seeds.
    pub name: Box<str>,
    /// Its channels; [`crate::domain::observation::Reading::channel`] counts in this list.
    pub channels: Vec<Channel>,
}

/// An index into [`crate::domain::registry::Registry::profiles`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ProfileIndex(pub u16);

/// Where a device stood for a time.
#[derive(Clone, Debug)]
pub struct Assignment {
    /// From when to when.
    pub validity: Validity,
    /// The station.
    pub station: StationId,
    /// The device by way of which it speaks.
    pub gateway: Option<DeviceId>,
    /// What it sends.
    pub profile: ProfileIndex,
    /// The datastream and conversion of each channel of the profile; `None` where ignored.
    pub streams: Vec<Option<ChannelStream>>,
}

/// A channel's datastream.
#[derive(Clone, Copy, Debug)]
pub struct ChannelStream {
    /// The datastream.
    pub datastream: DatastreamId,
    /// From the number as sent to the canonical unit.
    pub conversion: Conversion,
    /// Whether it is sent as a share of the air's volume: what `conversion` gives is then still to
    /// be divided by the molar volume of the observation's time.
    pub by_volume: bool,
}

/// Which clock a device's readings are dated by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClockTrust {
    /// The device's; a time too far off is flagged, not replaced.
    Device,
    /// The device's where it is plausible, else the time of arrival, flagged.
    ArrivalIfOff,
    /// Always the time of arrival.
    Arrival,
}

/// What talks: a logger, gateway or meter.
#[derive(Clone, Debug)]
pub struct Device {
    /// Its id.
    pub id: DeviceId,
    /// The broker it publishes to.
    pub network: NetworkId,
    /// What it calls itself.
    pub name: Box<str>,
    /// Where it stood, in order of time.
    pub assignments: Vec<Assignment>,
    /// Which clock to trust.
    pub clock: ClockTrust,
    /// The zone of its local times.
    pub zone: TimeZone,
    /// How it speaks HJ 212, if it does.
    pub hj212: Hj212,
}

impl Device {
    /// Gives the assignment in force at a time.
    #[must_use]
    pub fn assignment(&self, at: Timestamp) -> Option<&Assignment> {
        self.assignments.iter().find(|assignment| assignment.validity.holds(at))
    }
}
