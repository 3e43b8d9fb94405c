//! What the topics of a pattern mean.

use crate::domain::name::{NetworkId, TopicId};
use crate::domain::registry::VocabularyIndex;

/// A payload format.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Format {
    /// JSON, mapped by the seeds.
    Json,
    /// A number as text; the topic says of what.
    Plain,
    /// Rows of cells between separators.
    Csv,
    /// InfluxDB's line protocol.
    LineProtocol,
    /// Telegraf's JSON.
    Telegraf,
    /// Sensor Measurement Lists, RFC 8428.
    Senml,
    /// Sparkplug B.
    SparkplugB,
    /// ChirpStack, a network server of LoRaWAN.
    Chirpstack,
    /// The Things Stack, a network server of LoRaWAN.
    ThingsStack,
    /// Tasmota, a firmware of plugs and meters.
    Tasmota,
    /// Shelly's meters and plugs, of the first generation and later ones.
    Shelly,
    /// Zigbee2MQTT, a bridge.
    Zigbee2mqtt,
    /// Homie 5, a convention of topics.
    Homie,
    /// HJ 212, the language of Chinese monitoring stations.
    Hj212,
    /// Records of bytes, described by the seeds.
    Binary,
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
    /// What kind of message it is, such as `SENSOR`; the format knows the words.
    Kind,
    /// The edge node in front of a device: the device's name is then both, `node/device`.
    Node,
}

impl Level {
    /// Reads one level of a pattern.
    #[must_use]
    pub fn read(word: &str) -> Self {
        match word {
            "{device}" => Self::Device,
            "{channel}" => Self::Channel,
            "{place}" => Self::Place,
            "{kind}" => Self::Kind,
            "{node}" => Self::Node,
            word => Self::Literal(word.into()),
        }
    }
}

/// Gives the MQTT filter that matches a pattern of these levels.
#[must_use]
pub fn filter(levels: &[Level]) -> String {
    let words = levels.iter().map(|level| match level {
        Level::Literal(word) => &**word,
        Level::Device | Level::Channel | Level::Place | Level::Kind | Level::Node => "+",
    });
    words.collect::<Vec<_>>().join("/")
}

/// Where a format finds things, by JSON pointer, or by the name of a column or tag. Empty means:
/// not there.
#[derive(Clone, Debug, Default)]
pub struct Pointers {
    /// The device's name in the payload.
    pub device: Box<str>,
    /// The time; looked for in the record first, then in the whole payload.
    pub time: Box<str>,
    /// The array of records; `None` if the payload is the one record.
    pub each: Option<Box<str>>,
    /// In a long record (a name and what belongs to it): the channel's name, or its parts.
    pub channel: Box<str>,
    /// In a long record: the value, or several.
    pub value: Box<str>,
    /// In a long record: the unit.
    pub unit: Box<str>,
    /// The mark of a record's values: of its one value, or of all that have none of their own.
    pub mark: Box<str>,
}

/// Takes the JSON pointers of one cell apart. A key may have a space in it, but none before a `/`.
pub fn several(cell: &str) -> impl Iterator<Item = &str> {
    let mut rest = cell.trim();
    std::iter::from_fn(move || {
        let (one, after) = rest.split_at(rest.find(" /").unwrap_or(rest.len()));
        rest = after.trim_start();
        Some(one.trim_end()).filter(|one| !one.is_empty())
    })
}

/// What else a format is told: `options` of `topics.csv`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// What stands between the cells of a row.
    pub separator: u8,
    /// Whether the first row names the columns; if not, they are numbered from 1.
    pub header: bool,
    /// Where devices hear acknowledgements of HJ 212, `{device}` standing for the device's name;
    /// without it none is sent.
    pub ack: Option<Box<str>>,
    /// Whether edge nodes of Sparkplug B are asked to be born again where something is missing.
    pub rebirth: bool,
    /// How many bytes a binary record has.
    pub record: u16,
    /// How many bytes stand before the first of them.
    pub before: u16,
}

impl Default for Options {
    fn default() -> Self {
        Self { separator: b',', header: true, ack: None, rebirth: true, record: 0, before: 0 }
    }
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
    /// What else the formats are told.
    pub options: Options,
    /// The vocabulary of the marks, where payloads have marks.
    pub marks: Option<VocabularyIndex>,
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
        // Where the word at hand begins, and the node.
        let (mut begin, mut node) = (0, None);
        for level in &self.levels {
            let word = words.next()?;
            let end = begin + word.len();
            match level {
                Level::Literal(literal) if **literal != *word => return None,
                Level::Literal(_) | Level::Place => {}
                Level::Device => found.device = topic.get(node.unwrap_or(begin)..end),
                Level::Node => node = Some(begin),
                Level::Channel => found.channel = Some(word),
                Level::Kind => found.kind = Some(word),
            }
            begin = end + 1;
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
    /// The kind of message, where the pattern names one.
    pub kind: Option<&'t str>,
}
