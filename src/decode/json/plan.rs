//! The tree that a topic's pointers and a profile's channels make.

use crate::decode::number;
use crate::domain::registry::{Level, Profile, TopicRule, several};

/// What is to be done at a place of a payload.
#[derive(Debug)]
pub(super) enum Target {
    /// Go on inside.
    Branch(Node),
    /// Go through the records of an array.
    Records(Box<Target>),
    /// A value of this channel.
    Channel(u16),
    /// Known and not wanted.
    Ignored,
    /// The time of the record, or of the payload.
    Time,
    /// In a long record: the channel's name, or this part of it.
    Name(u16),
    /// In a long record: the value, or this one of several.
    Value(u16),
    /// In a long record: the unit.
    Unit,
    /// The mark of the record's values, or of the payload's.
    Mark,
    /// In a wide record: the mark of this channel.
    MarkOf(u16),
}

/// The known keys of one object.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// Where the object stands.
    pub(super) pointer: Box<str>,
    /// Whether a key that is not known is a channel that nobody declared. In an envelope around
    /// records, and in a long record, it is not.
    pub(super) strict: bool,
    /// The keys, in the order of the seeds.
    pub(super) entries: Vec<Entry>,
}

/// One known key.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: Box<str>,
    /// The same as a place in an array, if it can be one.
    pub(super) index: Option<u32>,
    pub(super) target: Target,
}

/// JSON, compiled for the payloads of one topic pattern and one profile.
#[derive(Debug)]
pub struct Plan {
    pub(super) root: Target,
    /// Of long records with several values: what each is called behind the channel's name.
    pub(super) values: Vec<Box<str>>,
}

impl Plan {
    /// Compiles the tree.
    #[must_use]
    pub fn new(rule: &TopicRule, profile: &Profile) -> Self {
        let pointers = &rule.pointers;
        let long = !pointers.channel.is_empty() || !pointers.value.is_empty();
        let long = long || rule.levels.contains(&Level::Channel);
        let record = if long && pointers.value.is_empty() {
            // The record is the value.
            Target::Value(0)
        } else if long {
            let mut leaves = vec![
                (&*pointers.unit, Target::Unit),
                (&*pointers.time, Target::Time),
                (&*pointers.mark, Target::Mark),
            ];
            leaves.extend(several(&pointers.channel).zip((0..).map(Target::Name)));
            leaves.extend(several(&pointers.value).zip((0..).map(Target::Value)));
            tree(leaves, false)
        } else {
            let channels = profile.channels.iter().enumerate().map(|(index, channel)| {
                let target = match channel.property {
                    Some(_) => Target::Channel(u16::try_from(index).unwrap_or(u16::MAX)),
                    None => Target::Ignored,
                };
                (&*channel.name, target)
            });
            let mut leaves = vec![(&*pointers.time, Target::Time), (&*pointers.mark, Target::Mark)];
            leaves.extend(channels);
            let marked = profile.channels.iter().enumerate();
            leaves.extend(marked.map(|(index, channel)| {
                let target = Target::MarkOf(u16::try_from(index).unwrap_or(u16::MAX));
                (&*channel.mark, target)
            }));
            leaves.push((&*pointers.device, Target::Ignored));
            tree(leaves, true)
        };
        let root = match pointers.each.as_deref() {
            None => record,
            // RFC 6901: the empty pointer is the whole document.
            Some("") => Target::Records(Box::new(record)),
            Some(each) => tree(
                vec![(each, Target::Records(Box::new(record))), (&*pointers.time, Target::Time)],
                false,
            ),
        };
        let values = several(&pointers.value).map(|value| value.trim_start_matches('/').into());
        let values = Some(values.collect()).filter(|values: &Vec<_>| values.len() > 1);
        Self { root, values: values.unwrap_or_default() }
    }
}

fn tree(leaves: Vec<(&str, Target)>, strict: bool) -> Target {
    let mut root = Node { strict, ..Node::default() };
    for (pointer, target) in leaves {
        if let Some(path) = pointer.strip_prefix('/') {
            insert(&mut root, path, target);
        }
    }
    Target::Branch(root)
}

fn insert(node: &mut Node, path: &str, target: Target) {
    let (word, rest) = match path.split_once('/') {
        Some((word, rest)) => (word, Some(rest)),
        None => (path, None),
    };
    let key: Box<str> = word.replace("~1", "/").replace("~0", "~").into();
    let at = match node.entries.iter().position(|entry| entry.key == key) {
        Some(at) => at,
        None => {
            let inside = Node {
                pointer: format!("{}/{word}", node.pointer).into(),
                strict: node.strict,
                entries: Vec::new(),
            };
            let index = key.parse().ok();
            node.entries.push(Entry { key, index, target: Target::Branch(inside) });
            node.entries.len() - 1
        }
    };
    let Some(entry) = node.entries.get_mut(at) else { return };
    match (rest, &mut entry.target) {
        (Some(rest), Target::Branch(inside)) => insert(inside, rest, target),
        // The first to name a place has it: the time may stand where an `ignored` row stands too.
        (None, Target::Branch(inside)) if inside.entries.is_empty() => entry.target = target,
        (Some(_) | None, _) => {}
    }
}

/// Finds the known name that is most like an unknown one, if one is like it at all.
pub(in crate::decode) fn nearest<'a>(
    name: &str,
    known: impl Iterator<Item = &'a str>,
) -> Option<Box<str>> {
    const ALIKE_MIN: f64 = 0.7;
    let name = number::cut(name).to_lowercase();
    known
        .map(|candidate| (strsim::jaro_winkler(&name, &candidate.to_lowercase()), candidate))
        .filter(|(alike, _)| *alike >= ALIKE_MIN)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate.into())
}
