//! The registry: one edition of the seeds, compiled. Every name is an id or an index here, so that
//! the way of a reading needs no search.

mod counter;
mod energy;
mod site;

use std::collections::HashMap;
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::domain::alert::{Severity, WeirCondition};
use crate::domain::assessment::{Limit, WaterClass};
use crate::domain::judgement::Judgement;
use crate::domain::name::{
    DatastreamId, DeviceId, LimitId, NetworkId, PropertyId, RuleId, StationId, Table, TopicId,
};
use crate::domain::observation::Period;
use crate::domain::time::{Timestamp, Validity};
use crate::domain::unit::{Conversion, UnitIndex, Units};

pub use self::counter::{Counter, Dial, Meter, MeterRole, Metered, PARTS};
pub use self::energy::{Energy, Factor, FactorKind, PlaceTarget, Production, TargetKind};
pub use self::site::{Place, Reach, Station, StationGrade, StationSet, StationStage};

/// How averages of a property are made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Combine {
    /// Arithmetic mean.
    Mean,
    /// Mean of the hydrogen-ion concentration: pH.
    HydrogenIon,
    /// No average has a meaning: states, directions.
    NoMean,
    /// A counter: its states are subtracted, never averaged.
    Counter,
}

/// An observed property.
#[derive(Clone, Debug)]
pub struct ObservedProperty {
    /// Its id.
    pub id: PropertyId,
    /// Its name, which is also the field in InfluxDB.
    pub name: Box<str>,
    /// The symbol people write, such as NH3-N.
    pub symbol: Box<str>,
    /// English name.
    pub name_en: Box<str>,
    /// Chinese name.
    pub name_zh: Box<str>,
    /// `water`, `air`, `energy` …: the measurement in InfluxDB.
    pub medium: Box<str>,
    /// The canonical unit.
    pub unit: UnitIndex,
    /// Decimals of a displayed value.
    pub decimals: u8,
    /// Decimals of a value that is evaluated over a period.
    pub decimals_eval: u8,
    /// How averages are made.
    pub combine: Combine,
}

/// How values come about at a sensor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sampling {
    /// The sensor measures all the time.
    Continuous,
    /// An analyser draws a sample every cycle and its value stands until the next; what a logger
    /// repeats in between is the same sample.
    Sampled {
        /// From one sample to the next, ms.
        cycle_ms: i64,
        /// From the sample to its result, ms.
        delay_ms: i64,
    },
}

/// What a value states.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Statistic {
    /// The value at an instant.
    Instant,
    /// The value of a sample.
    Sample,
    /// A mean that the device made of the period before its time.
    Mean,
    /// The least value of the period.
    Min,
    /// The greatest value of the period.
    Max,
    /// The sum over the period or a counter's state.
    Total,
}

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
}

/// The channels of one kind of device.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Its name in the seeds.
    pub name: Box<str>,
    /// Its channels; [`crate::domain::observation::Reading::channel`] counts in this list.
    pub channels: Vec<Channel>,
}

/// An index into [`Registry::profiles`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ProfileIndex(pub u16);

/// Where a device stood for a time.
#[derive(Clone, Debug)]
pub struct Assignment {
    /// From when to when.
    pub validity: Validity,
    /// The station.
    pub station: StationId,
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
}

impl Device {
    /// Gives the assignment in force at a time.
    #[must_use]
    pub fn assignment(&self, at: Timestamp) -> Option<&Assignment> {
        self.assignments.iter().find(|assignment| assignment.validity.holds(at))
    }
}

/// A payload format.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Format {
    /// JSON, mapped by the seeds.
    Json,
    /// The same, but for payloads that break weir: for tests, and in no release.
    #[cfg(debug_assertions)]
    Crash,
}

/// How a payload writes its time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimeUnit {
    /// Unix seconds, whole or with a fraction.
    Seconds,
    /// Unix milliseconds.
    Milliseconds,
    /// Unix microseconds.
    Microseconds,
    /// Unix nanoseconds.
    Nanoseconds,
    /// RFC 3339 text with an offset.
    Rfc3339,
    /// Local text without a zone, `2026-05-01 08:00:00`; the device's zone holds.
    Local,
}

/// One level of a topic pattern.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Level {
    /// This word.
    Literal(Box<str>),
    /// The device's name.
    Device,
    /// The channel's name.
    Channel,
    /// A place, which weir does not need: any one level.
    Place,
}

impl Level {
    /// Reads one level of a pattern.
    #[must_use]
    pub fn read(word: &str) -> Self {
        match word {
            "{device}" => Self::Device,
            "{channel}" => Self::Channel,
            "{place}" => Self::Place,
            word => Self::Literal(word.into()),
        }
    }
}

/// Gives the MQTT filter that matches a pattern of these levels.
#[must_use]
pub fn filter(levels: &[Level]) -> String {
    let words = levels.iter().map(|level| match level {
        Level::Literal(word) => &**word,
        Level::Device | Level::Channel | Level::Place => "+",
    });
    words.collect::<Vec<_>>().join("/")
}

/// Where a format finds things, by JSON pointer. Empty means: not there.
#[derive(Clone, Debug, Default)]
pub struct Pointers {
    /// The device's name in the payload.
    pub device: Box<str>,
    /// The time; looked for in the record first, then in the whole payload.
    pub time: Box<str>,
    /// The array of records; `None` if the payload is the one record.
    pub each: Option<Box<str>>,
    /// In a long record (one reading a record): the channel's name.
    pub channel: Box<str>,
    /// In a long record: the value.
    pub value: Box<str>,
    /// In a long record: the unit.
    pub unit: Box<str>,
}

/// What the topics of a pattern mean: a row of `topics.csv`.
#[derive(Clone, Debug)]
pub struct TopicRule {
    /// Its id, under which the ledger counts.
    pub id: TopicId,
    /// The broker.
    pub network: NetworkId,
    /// The pattern as written.
    pub pattern: Box<str>,
    /// Its levels.
    pub levels: Vec<Level>,
    /// The formats to try, in order.
    pub formats: Vec<Format>,
    /// How time is written.
    pub time_unit: TimeUnit,
    /// Where a format finds things.
    pub pointers: Pointers,
}

impl TopicRule {
    /// Gives the MQTT filter that matches the pattern.
    #[must_use]
    pub fn filter(&self) -> String {
        filter(&self.levels)
    }

    /// Reads a topic by the pattern; `None` if it does not fit.
    #[must_use]
    pub fn read<'t>(&self, topic: &'t str) -> Option<Words<'t>> {
        let mut found = Words::default();
        let mut words = topic.split('/');
        for level in &self.levels {
            let word = words.next()?;
            match level {
                Level::Literal(literal) if **literal != *word => return None,
                Level::Literal(_) | Level::Place => {}
                Level::Device => found.device = Some(word),
                Level::Channel => found.channel = Some(word),
            }
        }
        words.next().is_none().then_some(found)
    }
}

/// What a topic says by its pattern.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Words<'t> {
    /// The device, where the pattern names one.
    pub device: Option<&'t str>,
    /// The channel, where the pattern names one.
    pub channel: Option<&'t str>,
}

/// A calibration in force: `calibrated = raw * gain + offset`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Calibration {
    /// The factor.
    pub gain: f64,
    /// What is added, in the canonical unit.
    pub offset: f64,
    /// From when to when.
    pub validity: Validity,
}

/// The spans of the gross range test (QARTOD), bounds inclusive, in the canonical unit.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct GrossRange {
    /// Outside: fail. The span of the sensor.
    pub fail: Option<(f64, f64)>,
    /// Outside: suspect. The span expected here.
    pub suspect: Option<(f64, f64)>,
}

/// What makes an hour mean valid.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct HourMean {
    /// Valid values needed.
    pub needs: u32,
    /// Values expected.
    pub expected: u32,
}

/// What an average of a day and longer is made of and counted in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Members {
    /// Hours: of a sampled datastream, its samples.
    Hours,
    /// Natural days.
    Days,
    /// Calendar months.
    Months,
}

/// What makes an average longer than an hour valid, over one period: a row of `averages.csv`.
#[derive(Clone, PartialEq, Debug)]
pub struct Average {
    /// The period.
    pub period: Period,
    /// What it is made of.
    pub members: Members,
    /// Valid members needed.
    pub needs: u32,
    /// Valid members needed in a February, where that is less.
    pub needs_february: u32,
    /// Where the rule stands, such as `GB 3095-2026 table 4`.
    pub clause: Box<str>,
    /// When the rule is in force, by the start of the period.
    pub in_force: Validity,
}

/// A datastream: station, position, property, statistic (SensorThings).
#[derive(Clone, Debug)]
pub struct Datastream {
    /// Its id.
    pub id: DatastreamId,
    /// `station/position/property`, with the statistic and period where they differ from the
    /// ordinary.
    pub name: Box<str>,
    /// The station.
    pub station: StationId,
    /// Its slot in the station's state.
    pub slot: u16,
    /// Inlet, L1, 0.5 m …; empty where the station has one of the property.
    pub position: Box<str>,
    /// The property.
    pub property: PropertyId,
    /// How values come about.
    pub sampling: Sampling,
    /// What a value states.
    pub statistic: Statistic,
    /// The interval a stated statistic covers, ms.
    pub period_ms: Option<i64>,
    /// How often a value should arrive, ms.
    pub expected_every_ms: i64,
    /// Calibrations, in order of time.
    pub calibrations: Vec<Calibration>,
    /// The gross range test, of the narrowest scope that has one.
    pub gross_range: Option<GrossRange>,
    /// Whether weir makes hour means of it, and what makes them valid.
    pub hour_mean: Option<HourMean>,
    /// The longer averages that weir makes of it, the shortest first, any date.
    pub averages: Arc<[Average]>,
    /// Limits of the station's target, any date.
    pub limits: Arc<[LimitId]>,
    /// Limits of all water classes for the property and section, best class first, any date.
    pub class_limits: Arc<[(WaterClass, LimitId)]>,
    /// The rule for exceedance, of the narrowest scope that has one.
    pub exceedance_rule: Option<RuleId>,
    /// The rule for silence, of the narrowest scope that has one.
    pub silence_rule: Option<RuleId>,
}

/// For how long, or for how many values, something must last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Persistence {
    /// This many consecutive values (samples, where sampled).
    Values(u32),
    /// This long, ms.
    Millis(i64),
}

/// What a rule watches.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum RuleKind {
    /// A limit is exceeded.
    Exceedance {
        /// Which values it looks at.
        of: Period,
        /// How long it must last before the alert fires.
        pending: Persistence,
        /// How long it must be over before the alert resolves.
        keep: Persistence,
        /// By which share of the limit a value must be better for it to count as over.
        hysteresis: f64,
    },
    /// Nothing comes.
    Silence {
        /// After how many expected intervals.
        intervals: f64,
    },
    /// weir itself is in trouble.
    Weir(WeirCondition),
}

/// One alert rule: a row of `rules.csv`.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its id.
    pub id: RuleId,
    /// Its name.
    pub name: Box<str>,
    /// What it watches.
    pub kind: RuleKind,
    /// How urgent.
    pub severity: Severity,
    /// What to do, in English.
    pub advice_en: Box<str>,
    /// What to do, in Chinese.
    pub advice_zh: Box<str>,
}

/// One edition of the seeds, compiled.
#[derive(Clone, Debug)]
pub struct Registry {
    /// The edition's digest: SHA-256 over its tables, in hex.
    pub digest: Box<str>,
    /// Settings that are part of the edition.
    pub judgement: Judgement,
    /// Names of networks.
    pub networks: Table<Box<str>>,
    /// Units.
    pub units: Units,
    /// Observed properties.
    pub properties: Table<ObservedProperty>,
    /// Places.
    pub places: Table<Place>,
    /// Stations.
    pub stations: Table<Station>,
    /// Profiles.
    pub profiles: Vec<Profile>,
    /// Devices.
    pub devices: Table<Device>,
    /// Devices by broker and name.
    pub device_ids: HashMap<(NetworkId, Box<str>), DeviceId>,
    /// Datastreams.
    pub datastreams: Table<Datastream>,
    /// Topic patterns.
    pub topics: Table<TopicRule>,
    /// Named sets of stations.
    pub sets: Table<StationSet>,
    /// Limits.
    pub limits: Table<Limit>,
    /// Alert rules.
    pub rules: Table<Rule>,
    /// Rules about weir itself.
    pub weir_rules: Vec<(WeirCondition, RuleId)>,
    /// Reaches, in the order of the seeds.
    pub reaches: Vec<Reach>,
    /// What energy is reckoned by.
    pub energy: Energy,
}

impl Registry {
    /// Gives a datastream of this edition.
    #[must_use]
    pub fn datastream(&self, id: DatastreamId) -> Option<&Datastream> {
        self.datastreams.get(id.index())
    }

    /// Gives a station of this edition.
    #[must_use]
    pub fn station(&self, id: StationId) -> Option<&Station> {
        self.stations.get(id.index())
    }

    /// Gives a property of this edition.
    #[must_use]
    pub fn property(&self, id: PropertyId) -> Option<&ObservedProperty> {
        self.properties.get(id.index())
    }

    /// Gives a limit of this edition.
    #[must_use]
    pub fn limit(&self, id: LimitId) -> Option<&Limit> {
        self.limits.get(id.index())
    }

    /// Gives a rule of this edition.
    #[must_use]
    pub fn rule(&self, id: RuleId) -> Option<&Rule> {
        self.rules.get(id.index())
    }

    /// Gives the canonical unit of a property as text.
    #[must_use]
    pub fn unit_name(&self, property: &ObservedProperty) -> &str {
        self.units.get(property.unit).map_or("", |unit| &unit.name)
    }

    /// Gives the canonical unit of a property as people write it; empty where they write none.
    #[must_use]
    pub fn unit_label(&self, property: &ObservedProperty) -> &str {
        // The table's names are for machines, after UCUM.
        match self.unit_name(property) {
            "Cel" => "°C",
            "pH" | "1" => "",
            name => name,
        }
    }

    /// Gives the MQTT filters of a network, one a pattern.
    #[must_use]
    pub fn filters(&self, network: NetworkId) -> Vec<String> {
        self.topics.iter().filter(|rule| rule.network == network).map(TopicRule::filter).collect()
    }
}
