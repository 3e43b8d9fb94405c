//! What a channel is likely to measure, by what it is called, and in which unit. Nothing here is
//! law: a person reviews it.

use std::collections::HashMap;

use crate::domain::name::PropertyId;
use crate::domain::registry::{Combine, ObservedProperty, Registry};
use crate::seed::text;

/// Names that devices give, beside those of `properties.csv`, as firmware and loggers write them
/// [M]. Of several the one of the medium at hand is meant, else the first.
const NAMES: &[(&str, &[&str])] = &[
    ("temp temperature", &["water_temperature", "air_temperature"]),
    ("wt watertemp wtemp tw", &["water_temperature"]),
    ("airtemp ta", &["air_temperature"]),
    ("oxygen odo ldo mgperl", &["dissolved_oxygen"]),
    ("ec cond conductance spcond", &["conductivity"]),
    ("turb ntu", &["turbidity"]),
    ("nh3n nh4n ammonia ammonium nh3nh4", &["ammonia_nitrogen"]),
    ("codcr", &["chemical_oxygen_demand"]),
    ("bod", &["biochemical_oxygen_demand"]),
    ("chl chla chlorophyll", &["chlorophyll_a"]),
    ("level waterlevel", &["water_level"]),
    ("discharge flowrate", &["flow"]),
    ("hum humid rh relativehumidity", &["humidity"]),
    ("press baro airpressure pa", &["pressure"]),
    ("windspeed ws", &["wind_speed"]),
    ("winddirection winddir wd", &["wind_direction"]),
    ("volt u uv", &["voltage"]),
    ("amp amps i", &["current"]),
    ("power actpower apower activepower p watt", &["active_power"]),
    ("factor powerfactor pf cosphi", &["power_factor"]),
    ("freq hz f", &["frequency"]),
    ("energy total totalact totalactenergy kwh totalenergy ep e", &["electricity_energy"]),
    ("volume totalvolume", &["water_volume"]),
    ("batt batterylevel", &["battery"]),
    ("rssi", &["signal_strength"]),
];
/// What stands in front of a phase, or behind it, and which phase it is.
const PHASES: [(&str, &str, &str); 3] = [("a", "0", "L1"), ("b", "1", "L2"), ("c", "2", "L3")];

/// What is known of properties.
#[derive(Debug)]
pub(super) struct Properties<'r> {
    pub(super) registry: &'r Registry,
    /// The codes of HJ 212, of both editions of its tables.
    codes: HashMap<String, PropertyId>,
    /// By name, without case and signs.
    names: HashMap<String, Vec<PropertyId>>,
}

/// What a channel is likely to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Likely {
    pub(super) property: PropertyId,
    /// The phase, where it is one's.
    pub(super) position: &'static str,
}

impl<'r> Properties<'r> {
    /// Collects the names; `table` is `properties.csv`, which alone has the codes of HJ 212.
    #[must_use]
    pub(super) fn new(registry: &'r Registry, table: &[u8]) -> Self {
        let mut names: HashMap<String, Vec<PropertyId>> = HashMap::new();
        let mut add = |name: &str, property: PropertyId| {
            let of = names.entry(plain(name)).or_default();
            if !name.is_empty() && !of.contains(&property) {
                of.push(property);
            }
        };
        for one in registry.properties.iter() {
            for name in [&one.name, &one.symbol, &one.name_en, &one.name_zh] {
                add(name, one.id);
            }
        }
        for (names, properties) in NAMES {
            for property in *properties {
                let found = registry.properties.iter().find(|one| *one.name == **property);
                for name in names.split(' ') {
                    found.into_iter().for_each(|found| add(name, found.id));
                }
            }
        }
        Self { registry, codes: codes(registry, table), names }
    }

    /// Gives what a channel is likely to be; of single letters only where the medium says so.
    pub(super) fn likely(&self, channel: &str, medium: &str) -> Option<Likely> {
        if let Some(property) = self.by_code(channel) {
            return Some(Likely { property, position: "" });
        }
        let (word, position) = word(channel)?;
        let property = self.named(&word, medium)?;
        Some(Likely { property, position })
    }

    /// Gives the property of a name in a medium.
    pub(super) fn named(&self, name: &str, medium: &str) -> Option<PropertyId> {
        let word = plain(name);
        let found = self.names.get(&word)?;
        let of_medium = |id: &&PropertyId| {
            let property = self.registry.property(**id);
            property.is_some_and(|one| *one.medium == *medium)
        };
        let here = found.iter().find(of_medium);
        // A letter means another thing in each medium.
        here.or_else(|| found.first().filter(|_| word.chars().count() > 1)).copied()
    }

    /// Gives the property of a factor of HJ 212: `2061:w01018-Avg`.
    fn by_code(&self, channel: &str) -> Option<PropertyId> {
        let named = channel.split_once(':').map_or(channel, |(_, named)| named);
        // Alone it is known by its length: three signs may be anything.
        let alone = (named.len() == 6).then_some(named);
        let code = named.split_once('-').map(|(code, _)| code).or(alone)?;
        self.codes.get(&code.to_lowercase()).copied()
    }

    /// Gives the medium that most channels are of, else the one that the topic names.
    pub(super) fn medium<'c>(
        &self,
        topic: &str,
        channels: impl Iterator<Item = &'c str>,
    ) -> &'r str {
        let mut votes: HashMap<&'r str, usize> = HashMap::new();
        for channel in channels {
            let one = self.likely(channel, "").and_then(|one| self.registry.property(one.property));
            let alone = |one: &&ObservedProperty| {
                let word = channel.rsplit(['/', ':']).next().unwrap_or_default();
                self.names.get(&plain(word)).is_none_or(|found| found.len() == 1)
                    && *one.medium != *"device"
            };
            if let Some(one) = one.filter(alone) {
                *votes.entry(&one.medium).or_default() += 1;
            }
        }
        let most = votes.into_iter().max_by_key(|(medium, count)| (*count, *medium));
        let media = self.registry.properties.iter().map(|one| &*one.medium);
        let mut media: Vec<&str> = media.collect();
        media.sort_unstable();
        media.dedup();
        let named = || topic.split('/').find_map(|word| media.iter().find(|one| **one == word));
        most.map(|(medium, _)| medium).or_else(|| named().copied()).unwrap_or_default()
    }

    /// Says whether the state of a counter is sent.
    pub(super) fn is_counter(&self, property: PropertyId) -> bool {
        let property = self.registry.property(property);
        property.is_some_and(|one| one.combine == Combine::Counter)
    }
}

/// Gives the word of a channel that says what it measures, and the phase, if it is one's:
/// `em:0/a_act_power`, `ENERGY/Power/0`, `/phase/0/u`, `voltage_a`.
fn word(channel: &str) -> Option<(String, &'static str)> {
    let parts: Vec<&str> = channel.split(['/', ':']).filter(|part| !part.is_empty()).collect();
    let (last, before) = (*parts.last()?, parts.iter().rev().nth(1).copied());
    let small = last.to_lowercase();
    for (letter, digit, phase) in PHASES {
        let front = small.strip_prefix(letter).and_then(|rest| rest.strip_prefix('_'));
        let behind = small.strip_suffix(letter).and_then(|rest| rest.strip_suffix('_'));
        if let Some(rest) = front.or(behind) {
            return Some((rest.to_owned(), phase));
        }
        if let (true, Some(before)) = (last == digit, before) {
            return Some((before.to_owned(), phase));
        }
        if before == Some(digit) && channel.to_lowercase().contains("phase") {
            return Some((last.to_owned(), phase));
        }
    }
    Some((last.to_owned(), ""))
}

/// Leaves letters and digits of any script, in small letters.
fn plain(name: &str) -> String {
    name.chars().filter(|sign| sign.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn codes(registry: &Registry, table: &[u8]) -> HashMap<String, PropertyId> {
    let mut codes = HashMap::new();
    let Ok(table) = text(table) else { return codes };
    let mut rows = csv::Reader::from_reader(table.as_bytes());
    let Ok(head) = rows.headers().cloned() else { return codes };
    let at = |name: &str| head.iter().position(|cell| cell == name);
    let (name, columns) = (at("property"), [at("hj212"), at("hj212_2005")]);
    for row in rows.records().flatten() {
        let cell = |at: Option<usize>| at.and_then(|at| row.get(at)).unwrap_or_default();
        let property = registry.properties.iter().find(|one| *one.name == *cell(name));
        let Some(property) = property else { continue };
        for code in columns.map(cell).into_iter().filter(|code| !code.is_empty()) {
            codes.insert(code.to_lowercase(), property.id);
        }
    }
    codes
}
