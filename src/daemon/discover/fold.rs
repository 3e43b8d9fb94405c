//! Topics of one kind as one pattern: which of their levels names the device, which the channel,
//! and which only varies.

use std::collections::{BTreeMap, BTreeSet};

use crate::daemon::discover::guess::{Cells, Guess, Heard, NAMELESS, merge};
use crate::daemon::discover::name::Properties;
use crate::domain::registry::Level;

/// Words behind a device that say what its messages are; the device stands before them.
const BEHIND: [&str; 18] = [
    "data",
    "state",
    "status",
    "telemetry",
    "values",
    "value",
    "up",
    "uplink",
    "records",
    "record",
    "sensor",
    "sensors",
    "attributes",
    "event",
    "events",
    "json",
    "report",
    "properties",
];

/// The topics of a pattern.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Pattern {
    pub(super) word: &'static str,
    pub(super) levels: Vec<Level>,
    pub(super) cells: Cells,
    /// What was heard of each device.
    pub(super) devices: BTreeMap<String, Device>,
}

/// What was heard of a device.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Device {
    pub(super) channels: BTreeMap<String, Heard>,
    /// How often a message of it comes, ms, of the topic that is heard least often.
    pub(super) every_ms: Option<i64>,
}

impl Pattern {
    /// Writes the pattern as the seeds have it.
    pub(super) fn text(&self) -> String {
        let words = self.levels.iter().map(|level| match level {
            Level::Literal(word) => &**word,
            Level::Device => "{device}",
            Level::Channel => "{channel}",
            Level::Place => "{place}",
            Level::Kind => "{kind}",
            Level::Node => "{node}",
        });
        words.collect::<Vec<_>>().join("/")
    }

    /// Says whether one topic can fit both patterns.
    pub(super) fn overlaps(&self, other: &[Level]) -> bool {
        let may_meet = |(one, other): (&Level, &Level)| match (one, other) {
            (Level::Literal(one), Level::Literal(other)) => one == other,
            _ => true,
        };
        self.levels.len() == other.len() && self.levels.iter().zip(other).all(may_meet)
    }
}

/// Puts topics together. Those of which no level can be the device are given back.
pub(super) fn fold(guesses: Vec<Guess>, properties: &Properties<'_>) -> (Vec<Pattern>, Vec<Guess>) {
    let mut groups: BTreeMap<(&str, Cells, usize, String), Vec<Guess>> = BTreeMap::new();
    let (mut patterns, mut left) = (Vec::new(), Vec::new());
    for guess in guesses {
        match (&guess.levels, &guess.device) {
            (Some(levels), Some(device)) => {
                let (levels, device) = (levels.clone(), device.clone());
                add(&mut patterns, levels, guess, device, None);
            }
            (Some(_), None) => left.push(guess),
            (None, _) => {
                let words: Vec<&str> = guess.topic.split('/').collect();
                let first = if words.len() > 1 { words.first() } else { None };
                let first = first.copied().unwrap_or_default().to_owned();
                let key = (guess.word, guess.cells.clone(), words.len(), first);
                groups.entry(key).or_default().push(guess);
            }
        }
    }
    for group in groups.into_values() {
        free(group, properties, &mut patterns, &mut left);
    }
    complete(&mut patterns);
    (patterns, left)
}

/// Adds what the seeds want beside a pattern of Sparkplug B, edge nodes or their devices, where
/// none of them was heard.
fn complete(patterns: &mut Vec<Pattern>) {
    let of_sparkplug = patterns.iter().filter(|pattern| pattern.word == "sparkplug_b");
    let others: Vec<Pattern> = of_sparkplug
        .filter_map(|pattern| {
            let mut levels: Vec<Level> = pattern.levels.clone();
            let node = levels.iter().position(|level| *level == Level::Node);
            match node {
                Some(at) => drop(levels.remove(at)),
                None => levels.insert(levels.len().checked_sub(1)?, Level::Node),
            }
            let is_heard = patterns.iter().any(|other| other.levels == levels);
            let (cells, devices) = (pattern.cells.clone(), BTreeMap::new());
            (!is_heard).then_some(Pattern { levels, cells, devices, ..*pattern })
        })
        .collect();
    patterns.extend(others);
}

/// Folds topics of one format and length whose levels say what they like.
fn free(
    group: Vec<Guess>,
    properties: &Properties<'_>,
    patterns: &mut Vec<Pattern>,
    left: &mut Vec<Guess>,
) {
    let topics: Vec<Vec<String>> = group.iter().map(|one| split(&one.topic)).collect();
    let length = topics.first().map_or(0, Vec::len);
    let at = |level: usize| -> BTreeSet<&String> {
        topics.iter().filter_map(|words| words.get(level)).collect()
    };
    let varies: Vec<usize> = (0..length).filter(|level| at(*level).len() > 1).collect();
    let in_topic = group.iter().any(|one| one.cells.in_topic);
    let in_payload = group.iter().all(|one| !one.cells.device.is_empty());
    let channel = in_topic.then(|| {
        let known = |level: &usize| {
            at(*level).iter().filter(|word| properties.named(word, "").is_some()).count()
        };
        let best = (0..length).filter(|level| known(level) > 0);
        let best = best.max_by_key(|level| (known(level), *level));
        // The last one, where nothing tells.
        best.or(varies.last().copied()).unwrap_or(length.saturating_sub(1))
    });
    let named = group.iter().map(|one| one.device.as_deref());
    let named: Option<Vec<&str>> = named.collect();
    let says = |level: &usize| {
        named.as_ref().is_some_and(|named| {
            topics
                .iter()
                .zip(named)
                .all(|(words, name)| words.get(*level).map(String::as_str) == Some(name))
        })
    };
    let stated = (0..length).find(says);
    let device = stated.or_else(|| match in_payload {
        true => None,
        false => device_level(&topics, &varies, channel),
    });
    if device.is_none() && !in_payload || in_topic && (device.is_none() || device == channel) {
        left.extend(group);
        return;
    }
    for (mut guess, words) in group.into_iter().zip(&topics) {
        let levels = words.iter().enumerate().map(|(level, word)| match level {
            level if Some(level) == device => Level::Device,
            level if Some(level) == channel => Level::Channel,
            level if varies.contains(&level) => Level::Place,
            _ => Level::Literal(word.as_str().into()),
        });
        let levels = levels.collect();
        if stated.is_some() {
            guess.cells.device.clear();
        }
        let of_topic = device.and_then(|level| words.get(level)).cloned();
        let channel = channel.and_then(|level| words.get(level)).cloned();
        let Some(name) = of_topic.or_else(|| guess.device.clone()) else { continue };
        add(patterns, levels, guess, name, channel);
    }
}

/// Chooses the level that names the device: the one that tells most of the topics apart, of equals
/// the one with a number in it, else the last; of a single topic the last before what says what its
/// messages are.
fn device_level(topics: &[Vec<String>], varies: &[usize], channel: Option<usize>) -> Option<usize> {
    let length = topics.first().map_or(0, Vec::len);
    let words = |level: usize| topics.iter().filter_map(move |words| words.get(level));
    let numbered =
        |level: usize| words(level).all(|word| word.bytes().any(|one| one.is_ascii_digit()));
    let told = |level: usize| words(level).collect::<BTreeSet<_>>().len();
    let free = varies.iter().copied().filter(|level| Some(*level) != channel);
    if let Some(best) = free.max_by_key(|level| (told(*level), numbered(*level), *level)) {
        return Some(best);
    }
    let before = channel.unwrap_or(length);
    let levels = || (0..before).rev();
    let says =
        |level: usize| words(level).all(|word| BEHIND.contains(&word.to_lowercase().as_str()));
    let named = levels().find(|level| numbered(*level) && !says(*level));
    named.or_else(|| levels().find(|level| !says(*level)))
}

fn split(topic: &str) -> Vec<String> {
    topic.split('/').map(str::to_owned).collect()
}

/// Adds what was heard of a device under a pattern.
fn add(
    patterns: &mut Vec<Pattern>,
    levels: Vec<Level>,
    guess: Guess,
    device: String,
    channel: Option<String>,
) {
    let Guess { word, cells, channels, every_ms, .. } = guess;
    let same = |one: &Pattern| one.word == word && one.levels == levels && one.cells == cells;
    let place = patterns.iter().position(same).unwrap_or(patterns.len());
    if place == patterns.len() {
        patterns.push(Pattern { word, levels, cells, devices: BTreeMap::new() });
    }
    let Some(pattern) = patterns.get_mut(place) else { return };
    let held = pattern.devices.entry(device).or_default();
    held.every_ms = held.every_ms.max(every_ms);
    for (name, heard) in channels {
        let name = if name == NAMELESS { channel.clone().unwrap_or(name) } else { name };
        merge(&mut held.channels, name, heard);
    }
}
