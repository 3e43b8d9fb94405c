//! Log lines: for people or as JSON, to standard error. Levels say what follows: an error loses
//! something or needs somebody, a warning mended itself, info is rare.

use std::io::IsTerminal as _;

use serde::Deserialize;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::time::SystemTime;

use crate::domain::fault::SettingFault;

/// How log lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

impl Shape {
    /// Gives the word used in the configuration.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Json => "json",
        }
    }
}

/// The section `[log]` of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `human` (default) or `json`.
    #[serde(default)]
    pub shape: Shape,
    /// What is written, as a filter of tracing: `info` (default), `weir=debug` …; the variable
    /// WEIR_LOG goes before it.
    #[serde(default = "level")]
    pub level: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { shape: Shape::Human, level: level() }
    }
}

fn level() -> String {
    "info".to_owned()
}

/// What is wrong with the filter.
#[derive(Debug, thiserror::Error)]
#[error("log level `{level}` is no filter: {fault}")]
pub struct Error {
    level: String,
    fault: String,
}

impl Config {
    /// Tells what is wrong with the section, and with WEIR_LOG.
    #[must_use]
    pub fn faults(&self) -> Vec<SettingFault> {
        let own = filter(&self.level).err().map(|error| (error, "level"));
        let variable = std::env::var("WEIR_LOG").ok().and_then(|level| filter(&level).err());
        let variable = variable.map(|error| (error, "level, in the variable WEIR_LOG"));
        let faults = own.into_iter().chain(variable);
        let expected = "error, warn, info, debug, trace or off, or such as warn,weir=debug";
        let told = |(error, key): (Error, &str)| {
            SettingFault::new("level", format!("{key}: {error}"), expected)
        };
        faults.map(told).collect()
    }
}

/// Reads a filter. A single word must be a level: tracing would take it for the name of a part.
fn filter(level: &str) -> Result<EnvFilter, Error> {
    let fault = |fault: String| Error { level: level.to_owned(), fault };
    let is_level = |word: &str| {
        word.is_empty() || word.contains(['=', '[']) || word.parse::<LevelFilter>().is_ok()
    };
    if let Some(word) = level.split(',').find(|word| !is_level(word.trim())) {
        return Err(fault(format!("`{word}` is no level")));
    }
    EnvFilter::try_new(level).map_err(|error| fault(error.to_string()))
}

/// Starts writing log lines. A second call in one process changes nothing.
///
/// # Errors
/// The filter can't be read.
pub fn start(config: &Config) -> Result<(), Error> {
    let level = std::env::var("WEIR_LOG").unwrap_or_else(|_| config.level.clone());
    let filter = filter(&level)?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_timer(SystemTime)
        .with_target(false);
    match config.shape {
        Shape::Human => lines.try_init().ok(),
        Shape::Json => lines.json().flatten_event(true).try_init().ok(),
    };
    Ok(())
}
