//! The registry: one edition of the seeds, compiled. Every name is an id or an index here, so that
//! the way of a reading needs no search.

mod air;
mod calendar;
mod check;
mod counter;
mod cross;
mod device;
mod energy;
mod field;
mod gateway;
mod hj212;
mod mark;
mod qc;
mod rule;
mod site;
mod topic;
mod water;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::domain::alert::{Subject, WeirCondition};
use crate::domain::assessment::{Limit, WaterClass};
use crate::domain::evaluation::{Evaluated, Index};
use crate::domain::expression::Expression;
use crate::domain::judgement::Judgement;
use crate::domain::name::{
    DatastreamId, DeviceId, LimitId, NetworkId, PropertyId, RuleId, StationId, Table,
};
use crate::domain::observation::Period;
use crate::domain::time::{PhenomenonTime, Timestamp, Validity};
use crate::domain::unit::{UnitIndex, Units};

pub use self::air::{Air, AqiColumn, AqiEdition, AqiGrade, AqiReport, Percentile, ReferenceState};
pub use self::calendar::{CalendarEntry, CalendarRow, SiteCalendar, SiteState};
pub use self::check::{CheckCovers, CheckLimit, CheckRow, CheckScope, check_row};
pub use self::counter::{Counter, Dial, Meter, MeterRole, Metered, PARTS, is_credible};
pub use self::cross::{CrossCheck, CrossKind, Neighbour, OneSided, Standing};
pub use self::device::{
    Assignment, Channel, ChannelStream, ClockTrust, Device, Profile, ProfileIndex,
};
pub use self::energy::{Energy, Factor, FactorKind, PlaceTarget, Production, TargetKind};
pub use self::field::{ByteOrder, FIELD, Field, FieldKind};
pub use self::hj212::{Hj212, Hj212Crc, Hj212Edition, Hj212Time};
pub use self::mark::{ANY_OTHER, Mark, MarkUse, Marks, UNKNOWN, Vocabulary, VocabularyIndex};
pub use self::qc::{
    Attenuated, Check, Climate, Falls, FlatLine, GrossRange, Qc, Rate, Season, Spike, SpikeMethod,
    Thresholds, TimingGap, Tolerance, UnitMistake,
};
pub use self::rule::{
    Persistence, Rise, Rule, RuleKind, Slope, Threshold, Worse, risen, risen_by_grade,
};
pub use self::site::{Place, Reach, Station, StationGrade, StationSet, StationStage};
pub use self::topic::{
    Format, Level, Options, Pointers, TimeUnit, TopicRule, Words, filter, several,
};
pub use self::water::{
    Border, ClassLimits, GradeRule, IndexItem, Quantity, Role, Span, WaterRules,
};

/// The network of tables that are imported: no broker has it.
pub const IMPORT: &str = "import";

/// How averages of a property are made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Combine {
    /// Arithmetic mean.
    Mean,
    /// Mean of the hydrogen-ion concentration: pH.
    HydrogenIon,
    /// Mean of the vectors that directions are.
    Vector,
    /// No mean but the sum: rain, pulses.
    Sum,
    /// No average has a meaning: states.
    NoMean,
    /// A counter: its states are subtracted, never averaged.
    Counter,
}

impl Combine {
    /// Says whether longer periods are sums of shorter ones, which lack nothing.
    #[must_use]
    pub fn is_total(self) -> bool {
        match self {
            Self::Sum | Self::Counter => true,
            Self::Mean | Self::HydrogenIon | Self::Vector | Self::NoMean => false,
        }
    }
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

/// What makes an hour mean valid.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct HourMean {
    /// Valid values needed.
    pub needs: u32,
    /// Values expected.
    pub expected: u32,
    /// Whether the hour's least and greatest value stand beside its mean; not where the device
    /// states one of them.
    pub extremes: bool,
}

/// What an average of a day and longer is made of and counted in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Members {
    /// Valid hours: of a sampled datastream, its samples.
    Hours,
    /// Running means of eight hours within a day.
    EightHours,
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
    /// Valid members needed in a February.
    pub needs_february: u32,
    /// Members expected; of days and months, what the calendar has.
    pub expected: u32,
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
    /// The tests of quality control, each of the narrowest scope that has it.
    pub qc: Arc<Qc>,
    /// When a sensor took the place of another, in order of time: what came before says nothing of
    /// what comes after.
    pub renewed: Arc<[Timestamp]>,
    /// What stands around it outside of its own series.
    pub standing: Standing,
    /// Whether weir makes hour means of it, and what makes them valid.
    pub hour_mean: Option<HourMean>,
    /// The longer averages that weir makes of it, the shortest first, any date.
    pub averages: Arc<[Average]>,
    /// Whether it speaks for its property at its position. Where a device states the mean of the
    /// hour, and weir could make one, the profile says whose is the official one.
    pub official: bool,
    /// The slot of the flow by which its day means are weighted, of an outfall.
    pub weight: Option<u16>,
    /// Limits of the station's target, any date.
    pub limits: Arc<[LimitId]>,
    /// Limits of all water classes for the property and section, best class first, any date.
    pub class_limits: Arc<[(WaterClass, LimitId)]>,
    /// The rule for exceedance, of the narrowest scope that has one.
    pub exceedance_rule: Option<RuleId>,
    /// The rule for silence, of the narrowest scope that has one.
    pub silence_rule: Option<RuleId>,
    /// The rule for its instrument, of the narrowest scope that has one.
    pub instrument_rule: Option<RuleId>,
    /// The rule for how fast its value changes, of the narrowest scope that has one.
    pub rise_rule: Option<RuleId>,
    /// The rule for values that can't be assessed, of the narrowest scope that has one.
    pub not_assessable_rule: Option<RuleId>,
    /// Of a derived datastream: how it is made, in order of time; empty where devices feed it.
    pub formulas: Arc<[Formula]>,
    /// The derived datastreams that are made of it.
    pub feeds: Arc<[Feed]>,
    /// What the site's calendar says of its values.
    pub calendar: SiteCalendar,
}

/// How a derived datastream is made for a time: a row of `derived.csv`.
#[derive(Clone, PartialEq, Debug)]
pub struct Formula {
    /// When it holds, by the time of the value.
    pub validity: Validity,
    /// The expression, in the canonical units of inputs and result.
    pub expression: Expression,
    /// Which input has a value wherever the result has one, by its place: the one that is
    /// expected most often, of equals the first named.
    pub leader: u8,
}

/// A derived datastream that a datastream feeds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Feed {
    /// The derived datastream.
    pub derived: DatastreamId,
    /// How many derived datastreams stand between it and what devices send; those that stand
    /// lower are worked out first.
    pub rank: u16,
}

impl Datastream {
    /// Makes a datastream of instants that come all the time, without anything that other tables
    /// say of it.
    #[must_use]
    pub fn plain(
        id: DatastreamId,
        name: &str,
        station: StationId,
        (position, property): (&str, PropertyId),
    ) -> Self {
        Self {
            id,
            name: name.into(),
            station,
            slot: 0,
            position: position.into(),
            property,
            sampling: Sampling::Continuous,
            statistic: Statistic::Instant,
            period_ms: None,
            expected_every_ms: 0,
            calibrations: Vec::new(),
            qc: Arc::default(),
            standing: Standing::default(),
            renewed: Arc::default(),
            hour_mean: None,
            averages: Arc::default(),
            official: true,
            weight: None,
            limits: Arc::default(),
            class_limits: Arc::default(),
            exceedance_rule: None,
            silence_rule: None,
            instrument_rule: None,
            rise_rule: None,
            not_assessable_rule: None,
            formulas: Arc::default(),
            feeds: Arc::default(),
            calendar: SiteCalendar::default(),
        }
    }

    /// Gives for how long a value stands where no newer one came: two expected intervals, because
    /// one may be late; a sample for its cycle and its delay, ms.
    #[must_use]
    pub fn stands_for_ms(&self) -> i64 {
        match self.sampling {
            Sampling::Continuous => self.expected_every_ms.saturating_mul(2),
            Sampling::Sampled { cycle_ms, delay_ms } => cycle_ms.saturating_add(delay_ms),
        }
    }

    /// Gives from one value to the next, ms; of samples, from one sample to the next.
    #[must_use]
    pub fn interval_ms(&self) -> i64 {
        match self.sampling {
            Sampling::Continuous => self.expected_every_ms,
            Sampling::Sampled { cycle_ms, .. } => cycle_ms,
        }
    }

    /// Gives how long the interval is that a value states, ms; none of instants and samples.
    #[must_use]
    pub fn stated_ms(&self) -> Option<i64> {
        match self.statistic {
            Statistic::Instant | Statistic::Sample => None,
            Statistic::Mean | Statistic::Min | Statistic::Max | Statistic::Total => self.period_ms,
        }
    }

    /// Gives the time of a value that begins at an instant.
    #[must_use]
    pub fn span_from(&self, start: Timestamp) -> PhenomenonTime {
        self.stated_ms().map_or(PhenomenonTime::Instant(start), |length| PhenomenonTime::Interval {
            start,
            end: start.plus(length),
        })
    }

    /// Gives the rule of an average that begins at a time.
    #[must_use]
    pub fn average(&self, period: Period, start: Timestamp) -> Option<&Average> {
        let mut rules = self.averages.iter();
        rules.find(|rule| rule.period == period && rule.in_force.holds(start))
    }
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
    /// The network of tables that are imported, if the seeds name it.
    pub import: Option<NetworkId>,
    /// Units.
    pub units: Units,
    /// Observed properties.
    pub properties: Table<ObservedProperty>,
    /// Places.
    pub places: Table<Place>,
    /// Stations.
    pub stations: Table<Station>,
    /// What devices mark their values with.
    pub marks: Marks,
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
    /// Rules about what several items come to: whom they are about, the index and the period.
    pub evaluated_rules: HashMap<(Evaluated, Index, Period), RuleId>,
    /// Rules about weir itself.
    pub weir_rules: Vec<(WeirCondition, RuleId)>,
    /// Rules about the silence of whole gateways and networks.
    pub line_rules: BTreeMap<Subject, RuleId>,
    /// The devices that feed each datastream at one time or another.
    pub feeders: HashMap<DatastreamId, Vec<DeviceId>>,
    /// Reaches, in the order of the seeds.
    pub reaches: Vec<Reach>,
    /// The law of air beside its limits.
    pub air: Air,
    /// What the indices of water are made of.
    pub water: WaterRules,
    /// What energy is reckoned by.
    pub energy: Energy,
    /// The rows of the site's calendar.
    pub calendar: Vec<CalendarRow>,
    /// How checks of instruments are judged.
    pub checks: Vec<CheckRow>,
}

impl Registry {
    /// Begins with nothing known.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            digest: "".into(),
            judgement: Judgement::default(),
            networks: Table::default(),
            import: None,
            units: Units::default(),
            properties: Table::default(),
            places: Table::default(),
            stations: Table::default(),
            marks: Marks::default(),
            profiles: Vec::new(),
            devices: Table::default(),
            device_ids: HashMap::new(),
            datastreams: Table::default(),
            topics: Table::default(),
            evaluated_rules: HashMap::new(),
            sets: Table::default(),
            limits: Table::default(),
            rules: Table::default(),
            weir_rules: Vec::new(),
            line_rules: BTreeMap::new(),
            feeders: HashMap::new(),
            reaches: Vec::new(),
            air: Air::default(),
            water: WaterRules::default(),
            energy: Energy::default(),
            calendar: Vec::new(),
            checks: Vec::new(),
        }
    }

    /// Gives a datastream of this edition.
    #[must_use]
    pub fn datastream(&self, id: DatastreamId) -> Option<&Datastream> {
        self.datastreams.get(id.index())
    }

    /// Gives the datastream in a slot of a station.
    #[must_use]
    pub fn datastream_of(&self, station: &Station, slot: u16) -> Option<&Datastream> {
        self.datastream(*station.datastreams.get(usize::from(slot))?)
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

    /// Finds a property by what people call it: its name, symbol or Chinese name.
    #[must_use]
    pub fn property_called(&self, name: &str) -> Option<&ObservedProperty> {
        let same = |text: &str| text.eq_ignore_ascii_case(name);
        let called =
            |one: &&ObservedProperty| same(&one.name) || same(&one.symbol) || *one.name_zh == *name;
        self.properties.iter().find(called)
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

    /// Gives the network of a name.
    #[must_use]
    pub fn network_called(&self, name: &str) -> Option<NetworkId> {
        let ids = (0..self.networks.len()).filter_map(|id| u32::try_from(id).ok());
        let named =
            |id: &NetworkId| self.networks.get(id.index()).is_some_and(|held| **held == *name);
        ids.map(NetworkId).find(named)
    }

    /// Says whether a network is that of tables that are imported.
    #[must_use]
    pub fn is_import(&self, network: NetworkId) -> bool {
        self.import == Some(network)
    }

    /// Gives the MQTT filters of a network, one a pattern.
    #[must_use]
    pub fn filters(&self, network: NetworkId) -> Vec<String> {
        self.topics.iter().filter(|rule| rule.network == network).map(TopicRule::filter).collect()
    }
}
