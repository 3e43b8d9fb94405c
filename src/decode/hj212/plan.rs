//! The channels of a profile as HJ 212 names them.

use crate::domain::registry::{Channel, Profile, Statistic};
use crate::domain::time::{DAY, HOUR};

/// What is to be done with a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Target {
    /// It is of this channel.
    Channel(u16),
    /// Known and not wanted.
    Ignored,
}

/// The commands in which a name means this channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Commands {
    /// The one that stands in front of it.
    Only(u16),
    /// Those of minutes.
    Minutes,
    /// That of hours.
    Hours,
    /// Those of days: of values, and of the hours that equipment ran.
    Days,
    /// All.
    Any,
}

impl Commands {
    fn hold(self, cn: u16) -> bool {
        match self {
            Self::Only(only) => only == cn,
            Self::Minutes => matches!(cn, 2051 | 2111),
            Self::Hours => cn == 2061,
            Self::Days => matches!(cn, 2031 | 2041),
            Self::Any => true,
        }
    }

    /// Gives the commands of a channel that names none: its period does.
    fn of(channel: &Channel, what: &str) -> Self {
        match (channel.statistic, channel.period_ms) {
            _ if matches!(what, "Rtd" | "ZsRtd") => Self::Any,
            (Statistic::Sample, _) => Self::Hours,
            (_, Some(period)) if period < HOUR => Self::Minutes,
            (_, Some(HOUR)) => Self::Hours,
            (_, Some(DAY)) => Self::Days,
            (_, Some(_) | None) => Self::Any,
        }
    }
}

/// One channel, at its place in the profile.
#[derive(Debug)]
struct Entry {
    /// Its name without the command.
    name: Box<str>,
    /// How much of that is the factor's code, bytes.
    factor: usize,
    /// The place of the first entry of the factor: the same for all of them.
    family: u16,
    /// Whether no other entry has its name.
    alone: bool,
    commands: Commands,
    target: Target,
}

/// HJ 212, compiled for one profile.
#[derive(Debug)]
pub struct Plan {
    entries: Vec<Entry>,
    /// The places of the entries in the order of their names.
    sorted: Vec<u16>,
    /// What is ignored by its ending, with and without a command; an empty ending is everything.
    endings: Vec<(Commands, Box<str>)>,
}

impl Plan {
    /// Compiles the channels.
    #[must_use]
    pub fn new(profile: &Profile) -> Self {
        let (mut entries, mut endings): (Vec<Entry>, Vec<_>) = (Vec::new(), Vec::new());
        for (index, channel) in profile.channels.iter().enumerate() {
            let (command, name) = match channel.name.split_once(':') {
                Some((command, name)) => (command.parse().ok(), name),
                None => (None, &*channel.name),
            };
            let (factor, what) = name.rsplit_once('-').unwrap_or((name, ""));
            let ignored = channel.property.is_none();
            let commands = match command {
                Some(only) => Commands::Only(only),
                None if ignored => Commands::Any,
                None => Commands::of(channel, what),
            };
            if let Some(ending) = name.strip_prefix('*').filter(|_| ignored) {
                endings.push((commands, ending.into()));
            }
            let target = match u16::try_from(index) {
                Ok(index) if !ignored => Target::Channel(index),
                Ok(_) | Err(_) => Target::Ignored,
            };
            let of_factor = |entry: &Entry| entry.name.get(..entry.factor) == Some(factor);
            let family = entries.iter().position(of_factor).unwrap_or(entries.len());
            let family = u16::try_from(family).unwrap_or(u16::MAX);
            let (name, factor, alone) = (name.into(), factor.len(), true);
            entries.push(Entry { name, factor, family, alone, commands, target });
        }
        let mut sorted: Vec<u16> = (0..u16::MAX).take(entries.len()).collect();
        sorted.sort_by_key(|place| entries.get(usize::from(*place)).map(|entry| &*entry.name));
        for two in sorted.windows(2) {
            let [one, other] = two else { continue };
            let of = |place: &u16| entries.get(usize::from(*place)).map(|entry| &entry.name);
            if of(one) == of(other) {
                for place in [one, other] {
                    if let Some(entry) = entries.get_mut(usize::from(*place)) {
                        entry.alone = false;
                    }
                }
            }
        }
        Self { entries, sorted, endings }
    }

    /// Gives the factor of a channel.
    pub(super) fn factor(&self, channel: u16) -> Option<&str> {
        let entry = self.entries.get(usize::from(channel))?;
        entry.name.get(..entry.factor)
    }

    /// Gives what all channels of a factor have in common and no other has.
    pub(super) fn family(&self, channel: u16) -> Option<u16> {
        self.entries.get(usize::from(channel)).map(|entry| entry.family)
    }

    /// Gives the name of the entry at a place, and where its dash stands.
    pub(super) fn likely(&self, place: usize) -> Option<(&str, usize)> {
        let entry = self.entries.get(place)?;
        (entry.factor < entry.name.len()).then_some((&*entry.name, entry.factor))
    }

    /// Finds what a name means in a command; `likely` is the place where it is if the device sends
    /// in the order of the seeds.
    pub(super) fn find(&self, name: &str, cn: u16, likely: usize) -> Option<Target> {
        let entry = self.entries.get(likely).filter(|entry| entry.alone && *entry.name == *name);
        if let Some(entry) = entry.filter(|entry| entry.commands.hold(cn)) {
            return Some(entry.target);
        }
        let exact = self.named(name, cn);
        exact.or_else(|| self.without_letter(name, cn)).or_else(|| {
            let mut endings = self.endings.iter();
            let ends = |(commands, ending): &(Commands, Box<str>)| {
                commands.hold(cn) && name.ends_with(&**ending)
            };
            endings.any(ends).then_some(Target::Ignored)
        })
    }

    fn named(&self, name: &str, cn: u16) -> Option<Target> {
        let entry = |place: &u16| self.entries.get(usize::from(*place));
        let named = |place: &u16| entry(place).map_or("", |entry| &*entry.name);
        let from = self.sorted.partition_point(|place| named(place) < name);
        let of_name = self.sorted.get(from..)?.iter().filter_map(entry);
        let mut found = None;
        for entry in of_name.take_while(|entry| *entry.name == *name) {
            match entry.commands {
                // What names its command goes before what does not.
                Commands::Only(only) if only == cn => return Some(entry.target),
                commands if commands.hold(cn) => found = found.or(Some(entry.target)),
                Commands::Only(_)
                | Commands::Minutes
                | Commands::Hours
                | Commands::Days
                | Commands::Any => {}
            }
        }
        found
    }

    /// Finds a code that was sent without its letter: `01018` for `w01018`.
    fn without_letter(&self, name: &str, cn: u16) -> Option<Target> {
        let code = name.get(..5).filter(|_| name.as_bytes().get(5) == Some(&b'-'))?;
        if !code.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let fits = |entry: &&Entry| entry.name.get(1..) == Some(name) && entry.commands.hold(cn);
        self.entries.iter().find(fits).map(|entry| entry.target)
    }

    /// Finds the first channel of a factor.
    pub(super) fn of_factor(&self, factor: &str) -> Option<Target> {
        let mut entries = self.entries.iter();
        let of_factor = entries.find(|entry| {
            entry.name.get(..entry.factor) == Some(factor) && entry.target != Target::Ignored
        });
        of_factor.map(|entry| entry.target)
    }
}
