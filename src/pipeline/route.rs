//! From a topic to what it means. Patterns are matched once a topic; afterwards it is one look-up.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::decode::{self, Plan, number};
use crate::domain::name::{DeviceId, NetworkId, StationId, TopicId};
use crate::domain::registry::{Level, ProfileIndex, Registry, TopicRule};

/// How many topics are remembered for a network; at the limit all are forgotten and learned anew.
const TOPICS_MAX: usize = 65_536;
/// A topic of more bytes is matched anew each time: anybody can publish on such.
const TOPIC_BYTES_MAX: usize = 1_024;

/// Who speaks on a topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Speaker {
    /// A device of the seeds.
    Known(DeviceId),
    /// A name that is in no seed, cut.
    Unknown(Box<str>),
    /// The payload says.
    InPayload,
}

/// What a topic means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Route {
    pub(super) topic: TopicId,
    pub(super) speaker: Speaker,
    pub(super) channel: Option<Box<str>>,
}

/// Routes and compiled formats of one edition.
#[derive(Debug, Default)]
pub(super) struct Routes {
    /// By network: the topics seen.
    seen: Vec<HashMap<Box<[u8]>, Route>>,
    /// By topic and profile: the compiled formats.
    plans: HashMap<(TopicId, ProfileIndex), Vec<Plan>>,
    /// By station: the networks that its devices speak on.
    networks: Vec<Vec<NetworkId>>,
}

impl Routes {
    pub(super) fn new(registry: &Registry) -> Self {
        let mut plans = HashMap::new();
        for rule in registry.topics.iter() {
            for (index, profile) in registry.profiles.iter().enumerate() {
                let index = ProfileIndex(u16::try_from(index).unwrap_or(u16::MAX));
                plans.insert((rule.id, index), decode::plans(rule, profile));
            }
        }
        let mut networks = vec![Vec::new(); registry.stations.len()];
        for device in registry.devices.iter() {
            for assignment in &device.assignments {
                if let Some(of) = networks.get_mut(assignment.station.index())
                    && !of.contains(&device.network)
                {
                    of.push(device.network);
                }
            }
        }
        Self { seen: Vec::new(), plans, networks }
    }

    /// Gives the compiled formats of a topic for a profile.
    pub(super) fn plans(&self, topic: TopicId, profile: ProfileIndex) -> &[Plan] {
        self.plans.get(&(topic, profile)).map_or(&[], Vec::as_slice)
    }

    /// Gives the networks that a station's devices speak on.
    pub(super) fn networks(&self, station: StationId) -> &[NetworkId] {
        self.networks.get(station.index()).map_or(&[], Vec::as_slice)
    }

    /// Finds what a topic means; `None` if no pattern matches.
    pub(super) fn find(
        &mut self,
        registry: &Registry,
        network: NetworkId,
        topic: &[u8],
    ) -> Option<Cow<'_, Route>> {
        let text = |topic| std::str::from_utf8(topic).ok();
        if topic.len() > TOPIC_BYTES_MAX {
            return matched(registry, network, text(topic)?).map(Cow::Owned);
        }
        if self.seen.len() <= network.index() {
            self.seen.resize_with(network.index() + 1, HashMap::new);
        }
        let seen = self.seen.get_mut(network.index())?;
        if !seen.contains_key(topic) {
            let route = matched(registry, network, text(topic)?)?;
            if seen.len() >= TOPICS_MAX {
                seen.clear();
            }
            seen.insert(topic.into(), route);
        }
        seen.get(topic).map(Cow::Borrowed)
    }
}

fn matched(registry: &Registry, network: NetworkId, topic: &str) -> Option<Route> {
    let rules = registry.topics.iter().filter(|rule| rule.network == network);
    rules.filter_map(|rule| route(registry, rule, topic)).next()
}

fn route(registry: &Registry, rule: &TopicRule, topic: &str) -> Option<Route> {
    let (mut device, mut channel) = (None, None);
    let mut words = topic.split('/');
    for level in &rule.levels {
        let word = words.next()?;
        match level {
            Level::Literal(literal) if **literal != *word => return None,
            Level::Literal(_) | Level::Place => {}
            Level::Device => device = Some(word),
            Level::Channel => channel = Some(Box::from(word)),
        }
    }
    if words.next().is_some() {
        return None;
    }
    let speaker = match device {
        None => Speaker::InPayload,
        Some(name) => match registry.device_ids.get(&(rule.network, Box::from(name))) {
            Some(id) => Speaker::Known(*id),
            None => Speaker::Unknown(number::cut(name)),
        },
    };
    Some(Route { topic: rule.id, speaker, channel })
}

/// Finds the device of a network whose name is most like an unknown one.
pub(super) fn nearest_device(
    registry: &Registry,
    network: NetworkId,
    name: &str,
) -> Option<Box<str>> {
    const ALIKE_MIN: f64 = 0.7;
    let name = name.to_lowercase();
    let of_network = registry.devices.iter().filter(|device| device.network == network);
    of_network
        .map(|device| (strsim::jaro_winkler(&name, &device.name.to_lowercase()), &device.name))
        .filter(|(alike, _)| *alike >= ALIKE_MIN)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name.clone())
}
