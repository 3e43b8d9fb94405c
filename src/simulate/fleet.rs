//! All simulated devices: who speaks when, what each says, and what they remember between their
//! messages. The time is handed in, so that a run can be told again without a broker.

use crate::domain::time::{SECOND, Timestamp};
use crate::simulate::dialect::Dialect;
use crate::simulate::encode::sparkplug_b::Node;
use crate::simulate::encode::{Publication, Said, encode, homie, sparkplug_b};
use crate::simulate::play::Column;
use crate::simulate::properties::Properties;
use crate::simulate::world::{self, Channel, Device, World, drawn};

/// The most stations of each format.
pub const STATIONS_MAX: u32 = 10_000;

/// A cabinet says the result of its last sample again with every so many-th message, as loggers do:
/// who came later hears it, too.
const AGAIN: u64 = 6;

/// A value that was said.
#[derive(Clone, PartialEq, Debug)]
pub struct Told {
    /// When it is of.
    pub at: Timestamp,
    /// Whether the message says so; it is of the moment it comes where none does.
    pub dated: bool,
    /// The station.
    pub station: String,
    /// The property.
    pub property: Box<str>,
    /// The value,
    pub value: f64,
    /// and its unit as it was sent.
    pub unit: Box<str>,
}

/// What one device says at once.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Spoken {
    /// The messages.
    pub publications: Vec<Publication>,
    /// What they say for the first time.
    pub told: Vec<Told>,
}

/// The devices.
#[derive(Clone, Debug)]
pub struct Fleet {
    pub(super) devices: Vec<Device>,
    world: World,
    acknowledge: bool,
    node: Node,
    memories: Vec<Memory>,
}

/// What a device remembers.
#[derive(Clone, Debug, Default)]
struct Memory {
    /// How often it spoke.
    turn: u64,
    /// When the last sample was drawn whose result it told.
    drawn: Option<Timestamp>,
    /// Whether it was born, or described itself, in this session.
    born: bool,
}

impl Fleet {
    /// Makes so many stations of each dialect, with a device each, that measure what their kind
    /// does. `acknowledge` has stations of HJ 212 ask for acknowledgements.
    ///
    /// # Errors
    /// The properties that the program carries can't be read.
    pub fn new(
        dialects: &[Dialect],
        stations: u32,
        seed: u64,
        acknowledge: bool,
    ) -> anyhow::Result<Self> {
        let properties = Properties::of_example()?;
        let of = |dialect| world::channels(dialect, &properties);
        Ok(Self::of(dialects, stations, seed, acknowledge, of))
    }

    /// Makes them for the columns of a file.
    ///
    /// # Errors
    /// A format that has no word for a column.
    pub(super) fn playing(
        dialects: &[Dialect],
        stations: u32,
        columns: &[Column],
        acknowledge: bool,
    ) -> anyhow::Result<Self> {
        let properties = Properties::of_example()?;
        for dialect in dialects {
            for Column { property, .. } in columns {
                if dialect.channel(property, properties.codes(property)).is_none() {
                    anyhow::bail!(
                        "{} has no word for {property}; leave out the column or the format",
                        dialect.word()
                    );
                }
            }
        }
        let of = |dialect: Dialect| {
            let channel = |column: &Column| {
                let Column { property, unit } = column;
                let name = dialect.channel(property, properties.codes(property))?;
                Some(Channel::played(property, name, unit))
            };
            columns.iter().filter_map(channel).collect()
        };
        Ok(Self::of(dialects, stations, 0, acknowledge, of))
    }

    fn of(
        dialects: &[Dialect],
        stations: u32,
        seed: u64,
        acknowledge: bool,
        channels: impl Fn(Dialect) -> Vec<Channel>,
    ) -> Self {
        // One of each dialect after another, so that no format waits for the stations of others.
        let devices: Vec<Device> = (1..=stations)
            .flat_map(|number| dialects.iter().map(move |dialect| (*dialect, number)))
            .map(|(dialect, number)| Device::new(dialect, number, channels(dialect)))
            .collect();
        let memories = vec![Memory::default(); devices.len()];
        Self { devices, world: World { seed }, acknowledge, node: Node::default(), memories }
    }

    /// Says how many devices there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.devices.len()
    }

    /// Says whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.devices.is_empty()
    }

    /// Says whether an edge node of Sparkplug B is among them.
    #[must_use]
    pub fn has_node(&self) -> bool {
        self.devices.iter().any(|device| device.dialect == Dialect::SparkplugB)
    }

    /// Begins a session: the edge node, if there is one, is born; devices are born, or describe
    /// themselves, when each speaks next.
    #[must_use]
    pub fn birth(&mut self, session: u64, at: Timestamp) -> Option<Publication> {
        self.memories.iter_mut().for_each(|memory| memory.born = false);
        self.has_node().then(|| self.node.birth(session, at))
    }

    /// Gives the death of the edge node.
    #[must_use]
    pub fn death(session: u64) -> Publication {
        sparkplug_b::death(session)
    }

    /// Gives what is said by those who leave in order.
    #[must_use]
    pub fn farewells(&self, session: u64) -> Vec<Publication> {
        let death = self.has_node().then(|| Self::death(session));
        let pairs = self.devices.iter().zip(&self.memories);
        let homie =
            pairs.filter(|(device, memory)| device.dialect == Dialect::Homie && memory.born);
        death.into_iter().chain(homie.map(|(device, _)| homie::farewell(device))).collect()
    }

    /// Has a device say what its sensors show.
    #[must_use]
    pub fn speak(&mut self, index: usize, at: Timestamp) -> Spoken {
        let at = whole(at);
        let (Some(device), Some(memory)) = (self.devices.get(index), self.memories.get(index))
        else {
            return Spoken::default();
        };
        let fresh = memory.drawn != Some(drawn(at));
        let tells = fresh || memory.turn % AGAIN == 0;
        let shown = device.channels.iter().map(|channel| {
            (tells || !channel.sampled).then(|| self.world.value(device, channel, at))
        });
        let values: Vec<Option<f64>> = shown.collect();
        let known: Vec<Box<str>> = device
            .channels
            .iter()
            .filter(|channel| channel.sampled && !fresh)
            .map(|channel| channel.property.clone())
            .collect();
        let mut spoken = self.say(index, at, &values);
        spoken.told.retain(|told| !known.contains(&told.property));
        spoken
    }

    /// Has a device say given values, a place a channel.
    #[must_use]
    pub fn say(&mut self, index: usize, at: Timestamp, values: &[Option<f64>]) -> Spoken {
        let at = whole(at);
        let (Some(device), Some(memory)) = (self.devices.get(index), self.memories.get_mut(index))
        else {
            return Spoken::default();
        };
        let pairs = device.channels.iter().zip(values);
        let values: Vec<(&Channel, f64)> =
            pairs.filter_map(|(channel, value)| Some((channel, (*value)?))).collect();
        if values.is_empty() {
            return Spoken::default();
        }
        let said = Said { device, at, values: &values, turn: memory.turn };
        let mut publications = if device.dialect == Dialect::SparkplugB && !memory.born {
            vec![self.node.device_birth(&said)]
        } else {
            encode(&said, &mut self.node, self.acknowledge)
        };
        if device.dialect == Dialect::Homie && !memory.born {
            publications.splice(..0, homie::birth(device));
        }
        memory.born = true;
        memory.turn += 1;
        memory.drawn = Some(drawn(at));
        let dated = device.dialect.is_dated();
        let told = values.iter().map(|(channel, value)| Told {
            at: if channel.sampled { drawn(at) } else { at },
            dated,
            station: device.station.clone(),
            property: channel.property.clone(),
            value: *value,
            unit: channel.unit.clone(),
        });
        Spoken { told: told.collect(), publications }
    }
}

fn whole(at: Timestamp) -> Timestamp {
    Timestamp(at.millis().div_euclid(SECOND) * SECOND)
}

/// When devices speak, one after another and evenly.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    start: Timestamp,
    between_ms: f64,
    devices: usize,
    told: u64,
}

impl Schedule {
    /// So many of them speak a second, each at most once.
    #[must_use]
    pub fn new(devices: usize, rate: f64, start: Timestamp) -> Self {
        Self { start, between_ms: 1_000.0 / rate, devices, told: 0 }
    }

    /// Gives when somebody speaks next.
    #[must_use]
    pub fn due(&self) -> Timestamp {
        self.start.plus((self.told as f64 * self.between_ms) as i64)
    }

    /// Gives who speaks next, and goes on.
    pub fn step(&mut self) -> usize {
        let devices = self.devices.max(1) as u64;
        let index = usize::try_from(self.told % devices).unwrap_or(0);
        self.told += 1;
        index
    }
}
