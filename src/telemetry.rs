//! Log lines: for people or as JSON, to standard error. Levels say what follows: an error loses
//! something or needs somebody, a warning mended itself, info is rare.

use std::io::IsTerminal as _;

use serde::Deserialize;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::SystemTime;

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

/// Starts writing log lines. A second call in one process changes nothing.
///
/// # Errors
/// The filter can't be read.
pub fn start(config: &Config) -> Result<(), Error> {
    let level = std::env::var("WEIR_LOG").unwrap_or_else(|_| config.level.clone());
    let filter = EnvFilter::try_new(&level)
        .map_err(|error| Error { level: level.clone(), fault: error.to_string() })?;
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
