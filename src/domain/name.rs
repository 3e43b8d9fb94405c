//! Names and the small integers that stand for them. An id is given once, is never renumbered and
//! never used again; state, snapshots and journal rows hold ids only.

use std::collections::HashMap;

use minicbor::{Decode, Encode};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
        #[cbor(transparent)]
        pub struct $name(#[n(0)] pub u32);

        impl $name {
            /// Gives the id as an index into a [`Table`].
            #[must_use]
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl From<u32> for $name {
            fn from(id: u32) -> Self {
                Self(id)
            }
        }
    )*};
}

ids! {
    /// A broker's name in the configuration.
    NetworkId,
    /// A topic pattern of one network.
    TopicId,
    /// An observed property, such as `ammonia_nitrogen`.
    PropertyId,
    /// A river, lake, park, air zone or city.
    PlaceId,
    /// A station (SensorThings: Thing).
    StationId,
    /// What talks: a logger, gateway or meter of one network.
    DeviceId,
    /// A datastream (SensorThings), the key of every series.
    DatastreamId,
    /// One limit of one instrument, with its dates.
    LimitId,
    /// One alert rule.
    RuleId,
    /// A named set of stations.
    SetId,
    /// What a device's mark means in its vocabulary.
    MarkId,
}

/// What a name names. The words are those of the journal's table and are never changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(missing_docs, reason = "the words say it")]
pub enum NameKind {
    Network,
    Topic,
    Property,
    Place,
    Station,
    Device,
    Datastream,
    Limit,
    Rule,
    Set,
    Mark,
}

impl NameKind {
    /// Every kind, in the order of their discriminants.
    pub const ALL: [Self; 11] = [
        Self::Network,
        Self::Topic,
        Self::Property,
        Self::Place,
        Self::Station,
        Self::Device,
        Self::Datastream,
        Self::Limit,
        Self::Rule,
        Self::Set,
        Self::Mark,
    ];

    /// Gives the word under which the journal keeps names of this kind.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Topic => "topic",
            Self::Property => "property",
            Self::Place => "place",
            Self::Station => "station",
            Self::Device => "device",
            Self::Datastream => "datastream",
            Self::Limit => "limit",
            Self::Rule => "rule",
            Self::Set => "set",
            Self::Mark => "mark",
        }
    }

    /// Reads a word of the journal.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// One name and its id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Named {
    /// What it names.
    pub kind: NameKind,
    /// The name as the seeds spell it.
    pub name: Box<str>,
    /// Its id, unique within the kind.
    pub id: u32,
}

/// The table of names: grows only, and remembers what it gave out since it was last asked.
#[derive(Clone, Debug, Default)]
pub struct Names {
    ids: HashMap<(NameKind, Box<str>), u32>,
    next: [u32; NameKind::ALL.len()],
    fresh: Vec<Named>,
}

impl Names {
    /// Takes up names given out earlier, as the journal holds them.
    #[must_use]
    pub fn from_journal(rows: Vec<Named>) -> Self {
        let mut names = Self::default();
        for row in rows {
            if let Some(next) = names.next.get_mut(row.kind as usize) {
                *next = (*next).max(row.id.saturating_add(1));
            }
            names.ids.insert((row.kind, row.name), row.id);
        }
        names
    }

    /// Gives the id of a name, a new one if the name was never seen.
    pub fn id(&mut self, kind: NameKind, name: &str) -> u32 {
        if let Some(id) = self.ids.get(&(kind, Box::from(name))) {
            return *id;
        }
        let mut id = 0;
        if let Some(next) = self.next.get_mut(kind as usize) {
            id = *next;
            *next += 1;
        }
        self.ids.insert((kind, Box::from(name)), id);
        self.fresh.push(Named { kind, name: Box::from(name), id });
        id
    }

    /// Walks all names of a kind, in no order.
    pub fn of(&self, kind: NameKind) -> impl Iterator<Item = &str> {
        self.ids.keys().filter(move |(of, _)| *of == kind).map(|(_, name)| &**name)
    }

    /// Gives the names that are new since the last call; the journal must hold them before any
    /// row that uses their ids.
    pub fn take_fresh(&mut self) -> Vec<Named> {
        std::mem::take(&mut self.fresh)
    }
}

/// Values by id. Ids that an edition no longer has are empty places.
#[derive(Clone, Debug)]
pub struct Table<T> {
    rows: Vec<Option<T>>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { rows: Vec::new() }
    }
}

impl<T> Table<T> {
    /// Puts a value at its id.
    pub fn put(&mut self, index: usize, value: T) {
        if self.rows.len() <= index {
            self.rows.resize_with(index + 1, || None);
        }
        if let Some(place) = self.rows.get_mut(index) {
            *place = Some(value);
        }
    }

    /// Gives the value at an id, if this edition has it.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&T> {
        self.rows.get(index).and_then(Option::as_ref)
    }

    /// Gives the value at an id for change.
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.rows.get_mut(index).and_then(Option::as_mut)
    }

    /// Walks the values of this edition in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.rows.iter().flatten()
    }

    /// Gives one more than the highest id.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Says whether no id was ever put.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_a_restart_and_an_inserted_name_moves_nothing() {
        let mut names = Names::default();
        let old = names.id(NameKind::Station, "puhe-2");
        let mut names = Names::from_journal(names.take_fresh());
        let inserted = names.id(NameKind::Station, "puhe-1");
        assert_eq!(names.id(NameKind::Station, "puhe-2"), old);
        assert_ne!(inserted, old);
        assert_eq!(names.take_fresh().len(), 1);
    }
}
