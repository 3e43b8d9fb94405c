//! From a topic to what it means. Patterns are matched once a topic; afterwards it is one look-up.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::decode::{self, Plan, number};
use crate::domain::name::{DatastreamId, DeviceId, NetworkId, TopicId};
use crate::domain::registry::{ProfileIndex, Registry, TopicRule};

/// How many topics are remembered for a network; at the limit all are forgotten and learned anew.
const TOPICS_MAX: usize = 65_536;
/// How long a topic may be to be remembered; a longer one is matched every time.
const TOPIC_BYTES_MAX: usize = 256;

/// Who speaks on a topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Speaker {
    /// A device of the seeds.
    Known(DeviceId),
    /// A name that is in no seed, cut to a length for people, and the known one most like it.
    Unknown { name: Box<str>, nearest: Option<Box<str>> },
    /// The payload says.
    InPayload,
}

/// What a topic names besides the device.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Named {
    pub(super) channel: Option<Box<str>>,
    pub(super) kind: Option<Box<str>>,
}

/// What a topic means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Route {
    pub(super) topic: TopicId,
    pub(super) speaker: Speaker,
    pub(super) named: Named,
}

/// Routes and compiled formats of one edition.
#[derive(Debug, Default)]
pub(super) struct Routes {
    /// By network: the topics seen.
    seen: Vec<Seen>,
    /// By topic, then by profile: the compiled formats.
    plans: Vec<Vec<Vec<Plan>>>,
    /// By datastream: the networks that its devices speak on.
    networks: Vec<Vec<NetworkId>>,
}

/// The topics seen of one network, each with its place among the routes.
#[derive(Debug, Default)]
struct Seen {
    places: HashMap<Box<[u8]>, usize>,
    routes: Vec<Route>,
}

impl Routes {
    pub(super) fn new(registry: &Registry) -> Self {
        let mut plans = Vec::new();
        for rule in registry.topics.iter() {
            let of_profiles = registry.profiles.iter().map(|profile| decode::plans(rule, profile));
            let index = rule.id.index();
            if plans.len() <= index {
                plans.resize_with(index + 1, Vec::new);
            }
            if let Some(place) = plans.get_mut(index) {
                *place = of_profiles.collect();
            }
        }
        let mut networks = vec![Vec::new(); registry.datastreams.len()];
        for device in registry.devices.iter() {
            let assignments = device.assignments.iter();
            for stream in assignments.flat_map(|assignment| assignment.streams.iter().flatten()) {
                if let Some(of) = networks.get_mut(stream.datastream.index())
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
        let of_topic = self.plans.get(topic.index());
        of_topic.and_then(|plans| plans.get(usize::from(profile.0))).map_or(&[], Vec::as_slice)
    }

    /// Gives the networks that a datastream's devices speak on.
    pub(super) fn networks(&self, datastream: DatastreamId) -> &[NetworkId] {
        self.networks.get(datastream.index()).map_or(&[], Vec::as_slice)
    }

    /// Finds what a topic means; `None` if no pattern matches.
    pub(super) fn find(
        &mut self,
        registry: &Registry,
        network: NetworkId,
        topic: &[u8],
    ) -> Option<Cow<'_, Route>> {
        if self.seen.len() <= network.index() {
            self.seen.resize_with(network.index() + 1, Seen::default);
        }
        let seen = self.seen.get_mut(network.index())?;
        if let Some(place) = seen.places.get(topic) {
            return seen.routes.get(*place).map(Cow::Borrowed);
        }
        let route = matched(registry, network, std::str::from_utf8(topic).ok()?)?;
        if topic.len() > TOPIC_BYTES_MAX {
            return Some(Cow::Owned(route));
        }
        seen.remember(topic, route).map(Cow::Borrowed)
    }
}

impl Seen {
    fn remember(&mut self, topic: &[u8], route: Route) -> Option<&Route> {
        if self.routes.len() >= TOPICS_MAX {
            self.places.clear();
            self.routes.clear();
        }
        self.places.insert(topic.into(), self.routes.len());
        self.routes.push(route);
        self.routes.last()
    }
}

fn matched(registry: &Registry, network: NetworkId, topic: &str) -> Option<Route> {
    let rules = registry.topics.iter().filter(|rule| rule.network == network);
    rules.filter_map(|rule| route(registry, rule, topic)).next()
}

fn route(registry: &Registry, rule: &TopicRule, topic: &str) -> Option<Route> {
    let words = rule.read(topic)?;
    let speaker = match words.device {
        None => Speaker::InPayload,
        Some(name) => match registry.device_ids.get(&(rule.network, Box::from(name))) {
            Some(id) => Speaker::Known(*id),
            None => {
                let name = number::cut(name);
                let nearest = nearest_device(registry, rule.network, &name);
                Speaker::Unknown { name, nearest }
            }
        },
    };
    let named = Named { channel: words.channel.map(Box::from), kind: words.kind.map(Box::from) };
    Some(Route { topic: rule.id, speaker, named })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_the_most_topics_all_are_forgotten_and_learned_anew() {
        let route =
            |id| Route { topic: TopicId(id), speaker: Speaker::InPayload, named: Named::default() };
        let mut seen = Seen::default();
        for id in 0..TOPICS_MAX as u32 {
            assert_eq!(seen.remember(&id.to_le_bytes(), route(id)), Some(&route(id)));
        }
        assert_eq!((seen.places.len(), seen.routes.len()), (TOPICS_MAX, TOPICS_MAX));
        assert_eq!(seen.remember(b"one more", route(7)), Some(&route(7)));
        assert_eq!((seen.places.len(), seen.routes.len()), (1, 1));
        assert_eq!(seen.places.get(b"one more".as_slice()), Some(&0));
    }
}
