//! The devices of the simulation, and what each measures at a time. All of it follows from the seed
//! number, the device's name and the time. Nothing in it was measured.

use std::f64::consts::TAU;

use crate::domain::time::{HOUR, Timestamp};
use crate::simulate::dialect::{Dialect, Kind};
use crate::simulate::properties::Properties;
use crate::simulate::weather::{EAST, noise, round, sun};

/// How often an analyser draws a sample.
pub(super) const CYCLE: i64 = 4 * HOUR;
/// 2026-01-01T00:00:00+08:00, when the meters began to count.
const COUNTED_FROM: i64 = 1_767_196_800_000;
/// The power factor of the meters.
const POWER_FACTOR: f64 = 0.95;

/// What a property is like: around a level, other at each device, and changing with the sun and by
/// chance. All in the property's canonical unit.
#[derive(Clone, Copy, Debug)]
struct Nature {
    property: &'static str,
    level: f64,
    own: f64,
    swing: f64,
    noise: f64,
}

const fn nature(property: &'static str, numbers: [f64; 4]) -> Nature {
    let [level, own, swing, noise] = numbers;
    Nature { property, level, own, swing, noise }
}

/// Level, own, swing and noise; what a small town's river, works and meters show [M].
const NATURES: [Nature; 13] = [
    nature("water_temperature", [14.0, 1.0, 0.6, 0.05]),
    nature("ph", [7.6, 0.2, 0.1, 0.02]),
    nature("dissolved_oxygen", [7.4, 0.6, 0.4, 0.05]),
    nature("conductivity", [620.0, 60.0, 8.0, 2.0]),
    nature("turbidity", [18.0, 5.0, 2.0, 0.8]),
    nature("ammonia_nitrogen", [0.62, 0.2, 0.0, 0.05]),
    nature("permanganate_index", [4.6, 0.6, 0.0, 0.2]),
    nature("total_phosphorus", [0.14, 0.03, 0.0, 0.01]),
    nature("total_nitrogen", [6.8, 0.8, 0.0, 0.3]),
    nature("chemical_oxygen_demand", [31.0, 4.0, 1.0, 0.6]),
    nature("flow", [0.12, 0.02, 0.01, 0.002]),
    nature("active_power", [1.8, 0.4, 0.5, 0.02]),
    nature("voltage", [226.0, 2.0, -1.5, 0.4]),
];

/// A property, the unit in which it is sent, and its decimals there.
type Sent = (&'static str, &'static str, i32);

const SONDE: &[Sent] = &[
    ("water_temperature", "Cel", 2),
    ("ph", "pH", 2),
    ("dissolved_oxygen", "mg/L", 2),
    ("conductivity", "uS/cm", 1),
    ("turbidity", "NTU", 1),
];
/// What a cabinet analyses beside its sonde, of a sample every [`CYCLE`].
const CABINET: &[Sent] = &[
    ("ammonia_nitrogen", "mg/L", 3),
    ("permanganate_index", "mg/L", 2),
    ("total_phosphorus", "mg/L", 3),
    ("total_nitrogen", "mg/L", 2),
];
const WORKS: &[Sent] = &[
    ("water_temperature", "Cel", 1),
    ("ph", "pH", 2),
    ("chemical_oxygen_demand", "mg/L", 1),
    ("ammonia_nitrogen", "mg/L", 3),
    ("total_phosphorus", "mg/L", 3),
    ("total_nitrogen", "mg/L", 2),
    ("flow", "L/s", 1),
];

/// The same with the place that says what is meant, and by what the number there is multiplied.
type Placed = (&'static str, &'static str, &'static str, f64, i32);

/// A record after its time, field by field.
const RECORD: [Placed; 5] = [
    ("ph", "pH", "u16be@4", 0.01, 2),
    ("dissolved_oxygen", "mg/L", "f32be-swapped@6", 1.0, 2),
    ("water_temperature", "Cel", "i16be@10", 0.01, 2),
    ("conductivity", "uS/cm", "u16be@12", 0.1, 1),
    ("turbidity", "NTU", "u16be@14", 0.1, 1),
];
/// The registers of a meter behind a gateway.
const POINTS: [Placed; 4] = [
    ("voltage", "V", "node0101", 0.1, 1),
    ("current", "A", "node0102", 0.01, 2),
    ("active_power", "W", "node0103", 1.0, 0),
    ("electricity_energy", "kWh", "node0104", 0.01, 2),
];

/// What a channel of a device is.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Channel {
    /// The property, as `properties.csv` names it.
    pub(super) property: Box<str>,
    /// As `profiles.csv` has it.
    pub(super) name: Box<str>,
    /// The unit in which it is sent.
    pub(super) unit: Box<str>,
    /// By what the number that is sent is multiplied.
    pub(super) scale: f64,
    /// The decimals of the value.
    decimals: i32,
    /// Whether it is analysed of a sample every [`CYCLE`].
    pub(super) sampled: bool,
}

impl Channel {
    /// A channel whose values are given, not made.
    pub(super) fn played(property: &str, name: String, unit: &str) -> Self {
        let (property, unit) = (property.into(), unit.into());
        Self { property, name: name.into(), unit, scale: 1.0, decimals: 0, sampled: false }
    }

    /// Gives the number that is sent for a value.
    pub(super) fn raw(&self, value: f64) -> f64 {
        if self.scale < 1.0 { (value / self.scale).round() } else { value }
    }
}

/// A device that speaks.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Device {
    pub(super) dialect: Dialect,
    /// Its number among those of its dialect, from 1.
    pub(super) number: u32,
    /// As it calls itself.
    pub(super) name: String,
    pub(super) station: String,
    pub(super) channels: Vec<Channel>,
}

impl Device {
    pub(super) fn new(dialect: Dialect, number: u32, channels: Vec<Channel>) -> Self {
        let (name, station) = (dialect.device(number), dialect.station(number));
        Self { dialect, number, name, station, channels }
    }
}

/// Gives what devices of a dialect measure.
pub(super) fn channels(dialect: Dialect, properties: &Properties) -> Vec<Channel> {
    let placed = |(property, unit, name, scale, decimals): &Placed| {
        let (property, name, unit) = ((*property).into(), (*name).into(), (*unit).into());
        Channel { property, name, unit, scale: *scale, decimals: *decimals, sampled: false }
    };
    if dialect == Dialect::Binary {
        return RECORD.iter().map(placed).collect();
    }
    if dialect == Dialect::Usr {
        return POINTS.iter().map(placed).collect();
    }
    let (sent, sampled): (&[Sent], &[Sent]) = match dialect.kind() {
        Kind::Sonde => (SONDE, &[]),
        Kind::Cabinet => (SONDE, CABINET),
        Kind::Works => (WORKS, &[]),
        Kind::Meter => (meter(dialect), &[]),
    };
    let of = |sampled: bool| {
        move |(property, unit, decimals): &Sent| {
            let name = dialect.channel(property, properties.codes(property))?;
            let name = if sampled { name.replace("-Rtd", "-Avg") } else { name };
            let (property, unit) = ((*property).into(), (*unit).into());
            let (name, decimals) = (name.into(), *decimals);
            Some(Channel { property, name, unit, scale: 1.0, decimals, sampled })
        }
    };
    let continuous = sent.iter().filter_map(of(false));
    continuous.chain(sampled.iter().filter_map(of(true))).collect()
}

/// What meters send, and how finely: what their firmwares show.
const METERS: [(Dialect, [Sent; 4]); 4] = [
    (Dialect::Tasmota, electric(["W", "kWh"], [0, 1, 3, 3])),
    (Dialect::ShellyGen1, electric(["W", "Wh"], [2, 2, 3, 1])),
    (Dialect::ShellyGen2, electric(["W", "Wh"], [1, 1, 3, 2])),
    (Dialect::Zigbee2mqtt, electric(["W", "kWh"], [1, 0, 2, 2])),
];

fn meter(dialect: Dialect) -> &'static [Sent] {
    let found = METERS.iter().find(|(of, _)| *of == dialect);
    found.map_or(&[], |(_, sent)| sent)
}

const fn electric([power, energy]: [&'static str; 2], decimals: [i32; 4]) -> [Sent; 4] {
    let [of_power, of_voltage, of_current, of_energy] = decimals;
    [
        ("active_power", power, of_power),
        ("voltage", "V", of_voltage),
        ("current", "A", of_current),
        ("electricity_energy", energy, of_energy),
    ]
}

/// The invented world of a number.
#[derive(Clone, Copy, Debug)]
pub(super) struct World {
    pub(super) seed: u64,
}

impl World {
    /// Gives what a channel of a device shows at a time.
    pub(super) fn value(self, device: &Device, channel: &Channel, at: Timestamp) -> f64 {
        let at = if channel.sampled { drawn(at) } else { at };
        let canonical = match &*channel.property {
            "current" => {
                let of = |property| self.natural(device, property, at);
                of("active_power") * 1_000.0 / (of("voltage") * POWER_FACTOR)
            }
            "electricity_energy" => self.counted(device, at),
            property => self.natural(device, property, at),
        };
        let per = match &*channel.unit {
            "W" | "Wh" | "L/s" => 1_000.0,
            _ => 1.0,
        };
        round(canonical * per, channel.decimals)
    }

    fn natural(self, device: &Device, property: &str, at: Timestamp) -> f64 {
        let Some(nature) = NATURES.iter().find(|nature| nature.property == property) else {
            return 0.0;
        };
        let name = format!("{}/{property}", device.station);
        let own = noise(self.seed, &name, Timestamp::default());
        let chance = noise(self.seed, &name, at);
        nature.level + nature.own * own + nature.swing * sun(at) + nature.noise * chance
    }

    /// Gives the kWh that a meter has counted: the integral of its power, chance left out.
    fn counted(self, device: &Device, at: Timestamp) -> f64 {
        let Some(power) = NATURES.iter().find(|nature| nature.property == "active_power") else {
            return 0.0;
        };
        let name = format!("{}/active_power", device.station);
        let own = noise(self.seed, &name, Timestamp::default());
        let hours = at.since(Timestamp(COUNTED_FROM)) as f64 / HOUR as f64;
        let wave = (hours / 24.0 * TAU).sin() * 24.0 / TAU;
        (power.level + power.own * own) * hours - power.swing * wave
    }
}

/// Gives when the sample was drawn whose result an analyser shows at a time.
pub(super) fn drawn(at: Timestamp) -> Timestamp {
    Timestamp((at.millis() + EAST).div_euclid(CYCLE) * CYCLE - EAST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::DAY;

    #[test]
    fn a_meter_counts_what_its_power_comes_to() {
        let properties = Properties::of_example().unwrap();
        let channels = channels(Dialect::Tasmota, &properties);
        let device = Device::new(Dialect::Tasmota, 1, channels);
        let (world, start) = (World { seed: 1 }, Timestamp(COUNTED_FROM + 100 * DAY));
        let shows = |property: &str, at: Timestamp| {
            let channel = device.channels.iter().find(|one| &*one.property == property).unwrap();
            world.value(&device, channel, at)
        };
        let counted = |hour: i64| shows("electricity_energy", start.plus(hour * HOUR));
        for hour in 0..24 {
            let minutes = (0..60).map(|minute| start.plus(hour * HOUR + minute * 60_000));
            let mean = minutes.map(|at| shows("active_power", at)).sum::<f64>() / 60.0 / 1_000.0;
            let used = counted(hour + 1) - counted(hour);
            assert!((used - mean).abs() < 0.02, "hour {hour}: {used} kWh at {mean} kW");
        }
    }
}
