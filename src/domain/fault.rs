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
