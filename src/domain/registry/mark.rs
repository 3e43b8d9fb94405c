//! What devices mark their values with. The same letter means other things in other protocols, so
//! each has a vocabulary of its own.

use std::collections::HashMap;

use crate::domain::check::{CheckKind, CheckPart, STANDARD_VALUE};
use crate::domain::name::{MarkId, Table};
use crate::domain::observation::Side;
use crate::domain::quality::Flag;

/// How a mark is written in the seeds that stands for every one without a row of its own.
pub const ANY_OTHER: &str = "*";
/// How a mark is shown that its vocabulary does not know.
pub const UNKNOWN: &str = "?";

/// What a marked value is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MarkUse {
    /// It is of the river, the air, the meter.
    Observation,
    /// It is of a check of the instrument: kept apart, never averaged or held against a limit.
    QualityControl,
}

/// What one mark means: a row of `device_marks.csv`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mark {
    /// Its id.
    pub id: MarkId,
    /// The vocabulary it is of, such as `hj212-2017`.
    pub vocabulary: Box<str>,
    /// The mark as devices write it; [`ANY_OTHER`] and [`UNKNOWN`] stand for several.
    pub text: Box<str>,
    /// The flag it gives.
    pub quality: Flag,
    /// Whether the value is only a bound of the true one.
    pub censoring: Option<Side>,
    /// Why, in a word, such as `maintenance`; empty where nothing is the matter.
    pub cause: Box<str>,
    /// What a value with it is for.
    pub usage: MarkUse,
}

impl Mark {
    /// Says whether it says no more than that the value is good.
    #[must_use]
    pub fn is_normal(&self) -> bool {
        let plain = self.censoring.is_none() && self.usage == MarkUse::Observation;
        self.quality == Flag::Pass && plain && self.cause.is_empty()
    }

    /// Gives what a value with it has to do with a check of the instrument, by its cause.
    #[must_use]
    pub fn check_part(&self) -> Option<CheckPart> {
        if self.usage != MarkUse::QualityControl {
            return None;
        }
        if *self.cause == *STANDARD_VALUE {
            return Some(CheckPart::Standard);
        }
        let kind = CheckKind::ALL.into_iter().find(|kind| *self.cause == *kind.cause());
        kind.map(CheckPart::Result)
    }

    /// Says whether it stands for what its vocabulary does not know.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        *self.text == *UNKNOWN
    }
}

/// An index into [`Marks`]: a protocol's marks in one of its editions.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct VocabularyIndex(pub u16);

/// The marks of one protocol in one of its editions.
#[derive(Clone, Debug)]
pub struct Vocabulary {
    /// Its name.
    pub name: Box<str>,
    /// What stands for every mark that has no row.
    pub other: MarkId,
    /// The marks by their text.
    pub ids: HashMap<Box<str>, MarkId>,
}

/// Every mark of every vocabulary.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    /// The vocabularies.
    pub vocabularies: Vec<Vocabulary>,
    /// The marks.
    pub marks: Table<Mark>,
}

impl Marks {
    /// Finds a vocabulary by its name.
    #[must_use]
    pub fn vocabulary(&self, name: &str) -> Option<VocabularyIndex> {
        let at = self.vocabularies.iter().position(|one| *one.name == *name)?;
        u16::try_from(at).ok().map(VocabularyIndex)
    }

    /// Finds a mark as a device wrote it. What the vocabulary doesn't know is its mark
    /// [`UNKNOWN`], or what its row [`ANY_OTHER`] says; nothing without such a vocabulary.
    #[must_use]
    pub fn find(&self, vocabulary: VocabularyIndex, text: &str) -> Option<MarkId> {
        let vocabulary = self.vocabularies.get(usize::from(vocabulary.0))?;
        Some(vocabulary.ids.get(text.trim()).copied().unwrap_or(vocabulary.other))
    }

    /// Gives what a mark means.
    #[must_use]
    pub fn get(&self, id: MarkId) -> Option<&Mark> {
        self.marks.get(id.index())
    }

    /// Gives what a marked value has to do with a check of the instrument.
    #[must_use]
    pub fn check_part(&self, mark: Option<MarkId>) -> Option<CheckPart> {
        mark.and_then(|mark| self.get(mark))?.check_part()
    }

    /// Says whether a marked value is one of a check of the instrument.
    #[must_use]
    pub fn is_control(&self, mark: Option<MarkId>) -> bool {
        let mark = mark.and_then(|mark| self.get(mark));
        mark.is_some_and(|mark| mark.usage == MarkUse::QualityControl)
    }
}
