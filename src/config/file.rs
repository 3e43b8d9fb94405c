//! The file of the configuration: where each setting stands in it, and how a file that is wrong
//! somewhere is read on, so that all faults are told at once.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::Deserialize as _;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer, Error};

use crate::config::Config;
use crate::domain::fault::{Fault, SettingFault};

/// The most faults after which a file is read on.
const FAULTS_MAX: usize = 100;

/// A section: its name, empty for what stands before all sections, and which of several it is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Section {
    name: String,
    index: usize,
}

impl Section {
    /// The only section of a name.
    pub(super) fn one(name: &str) -> Self {
        Self::nth(name, 0)
    }

    /// One of several.
    pub(super) fn nth(name: &str, index: usize) -> Self {
        Self { name: name.to_owned(), index }
    }
}

/// Where everything stands, and what of it is told already.
#[derive(Debug)]
pub(super) struct File {
    name: String,
    lines: BTreeMap<(Section, String), u64>,
    told: BTreeSet<(Section, String)>,
    /// What is wrong.
    pub(super) faults: Vec<Fault>,
}

/// What was done about a fault so that the rest can be read.
enum Mended {
    /// A setting was left out.
    Without(Section, String),
    /// A setting that is missing was made up.
    With(Section, String),
    /// Nothing can be done.
    Not,
}

impl File {
    /// Reads a text as far as it can be read.
    pub(super) fn read(name: &str, text: &str) -> (Self, Option<Config>) {
        let (mut root, errors) = DeTable::parse_recoverable(text);
        let lines = lines(text, root.get_ref());
        let mut file =
            Self { name: name.to_owned(), lines, told: BTreeSet::new(), faults: Vec::new() };
        for error in &errors {
            file.add(text, error);
        }
        for _ in 0..FAULTS_MAX {
            let error = match Config::deserialize(Deserializer::from(root.clone())) {
                Ok(config) => return (file, Some(config)),
                Err(error) => error,
            };
            match mend(&mut root, &error) {
                Mended::Without(section, key) => {
                    file.add(text, &error);
                    file.told.insert((section, key));
                }
                // What was left out is told already.
                Mended::With(section, key) => {
                    if file.told.insert((section.clone(), key.clone())) {
                        let found = format!("no `{key}`");
                        file.push(&section, &key, found, "one, as config/weir.toml shows");
                    }
                }
                Mended::Not => {
                    file.add(text, &error);
                    break;
                }
            }
        }
        (file, None)
    }

    /// Whether a setting could not be read, so that nothing more can be said about it.
    pub(super) fn lacks(&self, section: &str, key: &str) -> bool {
        self.told.contains(&(Section::one(section), key.to_owned()))
    }

    /// Adds what a room finds wrong with its section.
    pub(super) fn note(
        &mut self,
        section: &Section,
        faults: impl IntoIterator<Item = SettingFault>,
    ) {
        for SettingFault { key, found, expected } in faults {
            if !self.told.contains(&(section.clone(), key.to_owned())) {
                self.push(section, key, found, &expected);
            }
        }
    }

    fn push(&mut self, section: &Section, key: &str, found: String, expected: &str) {
        let line = |key: &str| self.lines.get(&(section.clone(), key.to_owned())).copied();
        let line = line(key).or_else(|| line(""));
        let (file, expected) = (self.name.clone(), expected.to_owned());
        self.faults.push(Fault { file, line, found, expected });
    }

    fn add(&mut self, text: &str, error: &Error) {
        let line = error.span().map(|span| line_of(text, span.start));
        let (found, expected) = match error.message().split_once(", expected ") {
            Some((found, expected)) => (found.to_owned(), expected.to_owned()),
            None => (error.message().to_owned(), "what config/weir.toml shows".to_owned()),
        };
        // One broken line of TOML breaks several rules.
        let said = self.faults.iter().any(|fault| fault.line == line && line.is_some());
        if !said {
            self.faults.push(Fault { file: self.name.clone(), line, found, expected });
        }
    }
}

fn line_of(text: &str, at: usize) -> u64 {
    let before = text.as_bytes().get(..at.min(text.len())).unwrap_or_default();
    let ends = before.iter().filter(|byte| **byte == b'\n').count();
    u64::try_from(ends + 1).unwrap_or(u64::MAX)
}

/// Finds the line of every setting, and under the empty key that of its section.
fn lines(text: &str, root: &DeTable<'_>) -> BTreeMap<(Section, String), u64> {
    let mut lines = BTreeMap::new();
    let mut note = |section: &Section, key: &str, span: Range<usize>| {
        lines.insert((section.clone(), key.to_owned()), line_of(text, span.start));
    };
    for (key, value) in root {
        note(&Section::one(""), key.get_ref(), key.span());
        for (index, table) in tables(value).enumerate() {
            let section = Section::nth(key.get_ref(), index);
            note(&section, "", table.span());
            for (key, _) in table.get_ref().as_table().into_iter().flatten() {
                note(&section, key.get_ref(), key.span());
            }
        }
    }
    lines
}

/// Gives the sections of one name.
fn tables<'v, 'i>(
    value: &'v Spanned<DeValue<'i>>,
) -> impl Iterator<Item = &'v Spanned<DeValue<'i>>> {
    let several = value.get_ref().as_array().into_iter().flat_map(|array| array.iter());
    let one = value.get_ref().is_table().then_some(value);
    one.into_iter().chain(several.filter(|value| value.get_ref().is_table()))
}

fn tables_mut<'v, 'i>(value: &'v mut DeValue<'i>) -> Vec<(Range<usize>, &'v mut DeTable<'i>)> {
    if let DeValue::Array(array) = value {
        let tables = array.iter_mut().filter_map(|one| {
            let span = one.span();
            if let DeValue::Table(table) = one.get_mut() { Some((span, table)) } else { None }
        });
        return tables.collect();
    }
    if let DeValue::Table(table) = value { vec![(0..0, table)] } else { Vec::new() }
}

/// Takes out what an error speaks of, or puts in what it misses.
fn mend(root: &mut Spanned<DeTable<'_>>, error: &Error) -> Mended {
    let span = error.span();
    let missing = error.message().strip_prefix("missing field `");
    if let Some(key) = missing.and_then(|rest| rest.strip_suffix('`')) {
        return complete(root.get_mut(), span, key);
    }
    let Some(at) = span.map(|span| span.start) else { return Mended::Not };
    let top = root.get_mut();
    for (name, value) in top.iter_mut() {
        let whole = value.span();
        for (index, (_, table)) in tables_mut(value.get_mut()).into_iter().enumerate() {
            if let Some(key) = take(table, at) {
                return Mended::Without(Section::nth(name.get_ref(), index), key);
            }
        }
        if name.span().contains(&at) || whole.contains(&at) {
            let key = name.get_ref().clone().into_owned();
            top.remove(&*key);
            return Mended::Without(Section::one(""), key);
        }
    }
    Mended::Not
}

/// Removes the setting at a place of the text.
fn take(table: &mut DeTable<'_>, at: usize) -> Option<String> {
    let mut found =
        table.iter().filter(|(key, value)| key.span().contains(&at) || value.span().contains(&at));
    let key = found.next()?.0.get_ref().clone().into_owned();
    table.remove(&*key);
    Some(key)
}

/// Puts in a setting that is missing, so that the others can be looked at.
fn complete(root: &mut DeTable<'_>, span: Option<Range<usize>>, key: &str) -> Mended {
    for (name, value) in root.iter_mut() {
        let alone = value.get_ref().is_table().then(|| value.span());
        for (index, (place, table)) in tables_mut(value.get_mut()).into_iter().enumerate() {
            if span.as_ref().is_some_and(|span| *span == alone.clone().unwrap_or(place)) {
                let section = Section::nth(name.get_ref(), index);
                return insert(table, section, key);
            }
        }
    }
    insert(root, Section::one(""), key)
}

fn insert(table: &mut DeTable<'_>, section: Section, key: &str) -> Mended {
    if table.contains_key(key) {
        return Mended::Not;
    }
    let value = match key {
        "journal" => {
            let folder = DeValue::String("".into());
            let key = Spanned::new(0..0, "data_folder".into());
            DeValue::Table([(key, Spanned::new(0..0, folder))].into_iter().collect())
        }
        "kind" => DeValue::String("webhook".into()),
        _ => DeValue::String("".into()),
    };
    table.insert(Spanned::new(0..0, key.to_owned().into()), Spanned::new(0..0, value));
    Mended::With(section, key.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_faults_without_end_the_first_are_told() {
        let faults = |count: usize| {
            let wrong: String = (0..count).map(|number| format!("nothing{number} = 1\n")).collect();
            File::read("", &wrong).0.faults.len()
        };
        assert_eq!(faults(FAULTS_MAX / 2) + FAULTS_MAX / 2, faults(FAULTS_MAX / 2 * 2 - 10) + 10);
        assert_eq!(faults(3 * FAULTS_MAX), FAULTS_MAX);
    }
}
