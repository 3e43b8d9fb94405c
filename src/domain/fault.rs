//! A fault in what people wrote: seeds and configuration. All are told at once, each with its
//! place.

use std::fmt;

/// One fault.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Fault {
    /// The file, as the user knows it.
    pub file: String,
    /// The line, counted from 1, where there is one.
    pub line: Option<u64>,
    /// What stands there.
    pub found: String,
    /// What was expected.
    pub expected: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.file)?;
        if let Some(line) = self.line {
            write!(out, ":{line}")?;
        }
        write!(out, ": found {}, expected {}", self.found, self.expected)
    }
}

impl std::error::Error for Fault {}

/// A fault of one setting, told by the room that owns the setting; in which file and line it
/// stands, the reader of the configuration knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SettingFault {
    /// The setting.
    pub key: &'static str,
    /// What stands there.
    pub found: String,
    /// What was expected.
    pub expected: String,
}

impl SettingFault {
    /// Names a fault.
    pub fn new(key: &'static str, found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self { key, found: found.into(), expected: expected.into() }
    }

    /// Tells of a number that is not in its range.
    pub fn range(
        key: &'static str,
        number: u64,
        range: std::ops::RangeInclusive<u64>,
    ) -> Option<Self> {
        let expected = || format!("{} to {}", range.start(), range.end());
        (!range.contains(&number)).then(|| Self::new(key, format!("{key} = {number}"), expected()))
    }
}
