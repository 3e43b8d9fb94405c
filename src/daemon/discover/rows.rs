//! Rows for `topics.csv`, `profiles.csv` and `devices.csv`, to review. What nobody can tell is a
//! comment above which stands why.

use std::collections::{BTreeMap, BTreeSet};

use crate::daemon::discover::fold::{Device, Pattern};
use crate::daemon::discover::guess::{Heard, Kind};
use crate::daemon::discover::name::{Likely, Properties};
use crate::domain::name::{NetworkId, PropertyId};
use crate::domain::time::{HOUR, MINUTE, SECOND};

/// The columns of the tables.
const TOPICS: &str = "network,pattern,format,device,time,time_unit,each,channel,value,unit,source";
const PROFILES: &str = "profile,sensor,property,position,channel,unit,scale,as,sampling,cycle,\
                        delay,statistic,period,expected_every,detection_limit,source";
const DEVICES: &str =
    "network,device,station,position,profile,clock,zone,options,gateway,from,to,source";
/// Where a row comes from, as it says itself.
const SOURCE: &str = "found by weir discover";
/// How often a message is expected where one came only.
const EVERY: &str = "5m";
/// The steps of an expectation.
const STEPS: [(i64, &str); 12] = [
    (SECOND, "1s"),
    (5 * SECOND, "5s"),
    (10 * SECOND, "10s"),
    (30 * SECOND, "30s"),
    (MINUTE, "60s"),
    (2 * MINUTE, "2m"),
    (5 * MINUTE, "5m"),
    (10 * MINUTE, "10m"),
    (15 * MINUTE, "15m"),
    (30 * MINUTE, "30m"),
    (HOUR, "1h"),
    (24 * HOUR, "1d"),
];
/// Units in which firmware states energy and power without saying so.
const USUAL: [(&str, &str, &str); 6] = [
    ("shelly", "electricity_energy", "Wh"),
    ("shelly", "active_power", "W"),
    ("tasmota", "electricity_energy", "kWh"),
    ("tasmota", "active_power", "W"),
    ("zigbee2mqtt", "electricity_energy", "kWh"),
    ("zigbee2mqtt", "active_power", "W"),
];

/// The rows of one broker, each table with its head.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rows {
    /// `topics.csv`.
    pub topics: String,
    /// `profiles.csv`.
    pub profiles: String,
    /// `devices.csv`.
    pub devices: String,
    /// How many channels nobody can tell.
    pub unknown: usize,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    /// The name of the network.
    pub(super) network: &'a str,
    /// Its id, if the seeds know it.
    pub(super) known: Option<NetworkId>,
    /// The station of all devices, if it is one.
    pub(super) station: &'a str,
}

/// Writes rows.
pub(super) fn rows(patterns: &[Pattern], properties: &Properties<'_>, asked: Asked<'_>) -> Rows {
    let mut writing = Writing {
        properties,
        asked,
        profiles: BTreeMap::new(),
        taken: properties.registry.profiles.iter().map(|one| one.name.to_string()).collect(),
        written: Vec::new(),
        devices: BTreeSet::new(),
        out: Rows {
            topics: format!("{TOPICS}\n"),
            profiles: format!("{PROFILES}\n"),
            devices: format!("{DEVICES}\n"),
            unknown: 0,
        },
    };
    // One device may speak under several patterns, and has one profile.
    let mut devices: BTreeMap<&String, (Vec<&Pattern>, Device)> = BTreeMap::new();
    for pattern in patterns.iter().filter(|pattern| writing.topic(pattern)).collect::<Vec<_>>() {
        for (name, heard) in &pattern.devices {
            let (of, all) = devices.entry(name).or_default();
            of.push(pattern);
            all.every_ms = all.every_ms.max(heard.every_ms);
            for (channel, heard) in &heard.channels {
                super::guess::merge(&mut all.channels, channel.clone(), heard.clone());
            }
        }
    }
    // Those with most channels first, so that others may share their profile.
    let mut devices: Vec<_> = devices.into_iter().collect();
    devices.sort_by_key(|(name, (_, all))| (usize::MAX - all.channels.len(), *name));
    let several = devices.len() > 1;
    for (name, (of, all)) in devices {
        writing.device(name, &of, &all, several);
    }
    writing.out
}

/// A profile that is written, with its channels.
type Profile = (String, BTreeMap<String, Kind>);

struct Writing<'p, 'r> {
    properties: &'p Properties<'r>,
    asked: Asked<'p>,
    /// By format and pattern: the profiles, each with its channels.
    profiles: BTreeMap<(&'static str, String), Vec<Profile>>,
    taken: BTreeSet<String>,
    written: Vec<Pattern>,
    devices: BTreeSet<String>,
    out: Rows,
}

impl Writing<'_, '_> {
    /// Writes the row of a pattern, and says whether it may stand there.
    fn topic(&mut self, pattern: &Pattern) -> bool {
        let rules = self.properties.registry.topics.iter();
        let mut held = rules.filter(|rule| Some(rule.network) == self.asked.known);
        let before = self.written.iter().find(|one| one.overlaps(&pattern.levels));
        let before = before.map(Pattern::text).or_else(|| {
            held.find(|rule| pattern.overlaps(&rule.levels)).map(|rule| rule.pattern.to_string())
        });
        let cells = &pattern.cells;
        let text = pattern.text();
        let row = row(&[
            self.asked.network,
            &text,
            pattern.word,
            &cells.device,
            &cells.time,
            cells.time_unit,
            &cells.each,
            &cells.channel,
            &cells.value,
            &cells.unit,
            SOURCE,
        ]);
        match before {
            Some(before) => {
                let why = format!("shares topics with {}, which must be told apart", line(&before));
                self.out.topics.push_str(&format!("# {} {why}\n# {row}", line(&text)));
                false
            }
            None => {
                self.out.topics.push_str(&row);
                self.written.push(pattern.clone());
                true
            }
        }
    }

    fn device(&mut self, name: &str, of: &[&Pattern], all: &Device, several: bool) {
        let Some(pattern) = of.first() else { return };
        if !self.devices.insert(name.to_owned()) {
            return;
        }
        let key = (pattern.word, pattern.text());
        let channels: BTreeMap<String, Kind> =
            all.channels.iter().map(|(name, heard)| (name.clone(), heard.kind)).collect();
        let held = self.profiles.entry(key.clone()).or_default();
        let fits =
            |(_, of): &&Profile| channels.iter().all(|(name, kind)| of.get(name) == Some(kind));
        let profile = match held.iter().find(fits) {
            Some((profile, _)) => profile.clone(),
            None => {
                let profile = fresh(&mut self.taken, pattern);
                held.push((profile.clone(), channels));
                self.profile(&profile, pattern, all);
                profile
            }
        };
        let position = match (several, self.asked.station) {
            (true, station) if !station.is_empty() => slug(name),
            _ => String::new(),
        };
        // Codes of three signs are those of 2005.
        let of_2005 = |channel: &String| {
            let named = channel.split_once(':').map_or(channel.as_str(), |(_, named)| named);
            named.split_once('-').is_some_and(|(code, _)| code.len() == 3)
        };
        let options = match pattern.word {
            "hj212" if all.channels.keys().all(of_2005) => "edition=2005",
            "hj212" => "edition=2017",
            _ => "",
        };
        let Asked { network, station, .. } = self.asked;
        let source = SOURCE;
        // The seeds know no profile that has no row yet.
        let begins = format!("{profile},");
        let is_there = self.out.profiles.lines().any(|row| row.starts_with(&begins));
        if !is_there {
            let why = "no channel of its profile is known yet; take it in with the first";
            self.out.devices.push_str(&format!("# {}: {why}\n# ", line(name)));
        }
        self.out.devices.push_str(&row(&[
            network, name, station, &position, &profile, "device", "", options, "", "", "", source,
        ]));
    }

    fn profile(&mut self, profile: &str, pattern: &Pattern, all: &Device) {
        let medium =
            self.properties.medium(&pattern.text(), all.channels.keys().map(String::as_str));
        let mut fed: BTreeSet<(PropertyId, &str, String)> = BTreeSet::new();
        let every = all.every_ms.map_or(EVERY, step);
        let mut measured = 0;
        for (channel, heard) in &all.channels {
            if heard.kind == Kind::Nothing {
                self.ignore(profile, channel);
                continue;
            }
            let of_device = match channel.as_str() {
                "@online" => Some("device_online"),
                "@battery" => Some("battery"),
                "@rssi" => Some("signal_strength"),
                "@snr" | "@linkquality" => continue,
                _ => None,
            };
            let named = of_device.and_then(|name| self.properties.named(name, "device"));
            let likely = match named {
                Some(property) => Some(Likely { property, position: "" }),
                None => self.properties.likely(channel, medium),
            };
            let stated = said(channel);
            if let Some(one) =
                likely.as_ref().filter(|one| self.properties.is_counter(one.property))
            {
                self.counter(profile, pattern.word, channel, heard, one);
                continue;
            }
            let key =
                likely.as_ref().map(|one| (one.property, one.position, format!("{stated:?}")));
            let twice = key.as_ref().is_some_and(|key| fed.contains(key));
            let unit = likely.as_ref().and_then(|one| self.unit(one, pattern.word, heard));
            match (likely, unit, stated) {
                (Some(one), Some(unit), Some(stated)) if !twice => {
                    fed.extend(key);
                    measured += 1;
                    self.channel(profile, channel, heard, &one, &unit, stated, every);
                }
                (Some(_), _, None) => self.ignore(profile, channel),
                (likely, _, _) => self.unknown(profile, channel, heard, likely.as_ref(), twice),
            }
        }
        if measured == 0 && all.channels.values().all(|one| one.kind == Kind::Nothing) {
            // A gateway, a node: its rows keep its messages from being turned away.
            let source = "found by weir discover: it measures nothing itself";
            self.out.profiles.push_str(&ignored(profile, "gateway", "*", source));
        }
    }

    /// Gives the unit of a channel: the one that is stated, if it can be one of the property, else
    /// the usual one.
    fn unit(&self, likely: &Likely, word: &str, heard: &Heard) -> Option<(String, bool)> {
        let registry = self.properties.registry;
        let property = registry.property(likely.property)?;
        if let Some(stated) = &heard.unit {
            let unit = registry.units.find(stated)?;
            let gas = registry.air.molar_mass(property.id);
            let by_volume =
                gas.and_then(|mass| registry.units.by_volume(unit, property.unit, mass));
            let fits = registry.units.conversion(unit, property.unit).or(by_volume);
            return fits.map(|_| (stated.clone(), true));
        }
        let usual = USUAL.iter().find(|(of, name, _)| *of == word && *name == &*property.name);
        let unit = usual.map_or(registry.unit_name(property), |(_, _, unit)| unit);
        Some((unit.to_owned(), usual.is_some()))
    }

    #[expect(clippy::too_many_arguments, reason = "the cells of one row")]
    fn channel(
        &mut self,
        profile: &str,
        channel: &str,
        heard: &Heard,
        likely: &Likely,
        (unit, sure): &(String, bool),
        (statistic, period): (&str, &str),
        every: &str,
    ) {
        let Some(property) = self.properties.registry.property(likely.property) else { return };
        let every = if period.is_empty() { every } else { period };
        let unsure =
            if *sure || channel.starts_with('@') { "" } else { ", which states no unit: check it" };
        let source = format!("found by weir discover: {} {}{unsure}", heard.sample, unit);
        let measured = Measured {
            profile,
            property: &property.name,
            position: likely.position,
            channel,
            unit,
            kind: heard.kind,
            statistic,
            period,
            every,
            source: &source,
        };
        self.out.profiles.push_str(&measured.row());
    }

    fn ignore(&mut self, profile: &str, channel: &str) {
        self.out.profiles.push_str(&ignored(profile, "device", channel, SOURCE));
    }

    /// Writes a counter as a comment: the seeds take none of which nobody says its highest state.
    fn counter(&mut self, profile: &str, word: &str, channel: &str, heard: &Heard, of: &Likely) {
        let Some(property) = self.properties.registry.property(of.property) else { return };
        self.out.unknown += 1;
        let unit = self.unit(of, word, heard).map_or_else(String::new, |(unit, _)| unit);
        let measured = Measured {
            profile,
            property: &property.name,
            position: of.position,
            channel,
            unit: &unit,
            kind: heard.kind,
            statistic: "total",
            period: "",
            every: EVERY,
            source: SOURCE,
        };
        let row = measured.row();
        let between = if of.position.is_empty() { "" } else { "/" };
        let stream = format!("STATION{between}{}/{}/total", of.position, property.name);
        let comment = format!(
            "# {}: the state of a counter, {} {unit}; take the row in with one of {stream} in \
             counters.csv, which says its highest state\n# {row}",
            line(channel),
            line(&heard.sample)
        );
        self.out.profiles.push_str(&comment);
    }

    /// Writes a channel that a person must name as a comment: its row would be refused.
    fn unknown(
        &mut self,
        profile: &str,
        channel: &str,
        heard: &Heard,
        likely: Option<&Likely>,
        twice: bool,
    ) {
        self.out.unknown += 1;
        let property = likely.and_then(|one| self.properties.registry.property(one.property));
        let unit = heard.unit.as_deref().unwrap_or_default();
        let sample = format!("{} {unit}", heard.sample);
        let why = match property {
            Some(one) if twice => {
                format!("another source of {}: give one of them a position", one.name)
            }
            Some(one) => format!("{unit} is no unit of {}", one.name),
            None => "what it measures is not known: name the property, or say ignored".to_owned(),
        };
        let name = property.map_or("PROPERTY", |one| &one.name);
        let measured = Measured {
            profile,
            property: name,
            position: "",
            channel,
            unit,
            kind: heard.kind,
            statistic: "instant",
            period: "",
            every: EVERY,
            source: SOURCE,
        };
        let row = measured.row();
        let comment = format!("# {}: {why}; it sent {}\n# {row}", line(channel), line(&sample));
        self.out.profiles.push_str(&comment);
    }
}

/// Says what is stated of a channel of HJ 212, statistic and period; nothing of what is beside the
/// mean. Of others it is an instant.
fn said(channel: &str) -> Option<(&'static str, &'static str)> {
    let (command, named) = match channel.split_once(':') {
        Some((command, named)) if command.len() == 4 => (command, named),
        Some(_) | None => ("", channel),
    };
    if command.is_empty() {
        return Some(("instant", ""));
    }
    let period = match command {
        "2051" => "10m",
        "2061" => "1h",
        "2031" => "1d",
        _ => "",
    };
    match named.rsplit_once('-').map_or("", |(_, what)| what) {
        "Rtd" => Some(("instant", "")),
        "Avg" if !period.is_empty() => Some(("mean", period)),
        _ => None,
    }
}

/// Makes a name for a profile, from the words of its pattern.
fn fresh(taken: &mut BTreeSet<String>, pattern: &Pattern) -> String {
    let text = pattern.text();
    let words = text.split('/').filter(|word| !word.starts_with('{'));
    let base = slug(words.take(2).collect::<Vec<_>>().join("-").as_str());
    let base = if base.is_empty() { pattern.word.to_owned() } else { base };
    let mut name = base.clone();
    let mut number = 2;
    while !taken.insert(name.clone()) {
        name = format!("{base}-{number}");
        number += 1;
    }
    name
}

/// Leaves of a name what may stand in names of weir's own.
fn slug(name: &str) -> String {
    let plain = name.chars().map(|sign| if sign.is_alphanumeric() { sign } else { '-' });
    plain.collect::<String>().trim_matches('-').to_lowercase()
}

fn step(every_ms: i64) -> &'static str {
    // Late by a little is not silent.
    let found = STEPS.iter().find(|(ms, _)| every_ms * 10 <= *ms * 11);
    found.map_or("1d", |(_, word)| word)
}

/// What a row of `profiles.csv` says of a channel that is measured.
struct Measured<'a> {
    profile: &'a str,
    property: &'a str,
    position: &'a str,
    channel: &'a str,
    unit: &'a str,
    kind: Kind,
    statistic: &'a str,
    period: &'a str,
    every: &'a str,
    source: &'a str,
}

impl Measured<'_> {
    fn row(&self) -> String {
        let Self { profile, property, position, channel, unit, .. } = *self;
        let Self { statistic, period, every, source, .. } = *self;
        let written = if self.kind == Kind::Text { "text" } else { "number" };
        let of_sensor = [profile, "sensor", property, position, channel, unit, "1", written];
        let of_time = ["continuous", "", "", statistic, period, every, "", source];
        row(&[of_sensor, of_time].concat())
    }
}

/// Makes the row of `profiles.csv` by which a channel of a part of a device is not wanted.
fn ignored(profile: &str, sensor: &str, channel: &str, source: &str) -> String {
    let of_sensor = [profile, sensor, "ignored", "", channel, "", "", ""];
    row(&[of_sensor, ["", "", "", "", "", "", "", source]].concat())
}

/// Makes a row of cells.
fn row(cells: &[&str]) -> String {
    let mut out = csv::Writer::from_writer(Vec::new());
    let cells = cells.iter().map(|cell| line(cell));
    // Writing into memory can't fail.
    out.write_record(cells.map(String::into_bytes)).unwrap_or_default();
    String::from_utf8_lossy(&out.into_inner().unwrap_or_default()).into_owned()
}

/// Leaves a text that stays on its line.
fn line(text: &str) -> String {
    text.chars().map(|sign| if sign.is_control() { ' ' } else { sign }).collect()
}
