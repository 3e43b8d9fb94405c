//! The operator page, health, readiness and metrics. Shows what it is given; knows nobody.

pub mod door;
pub mod metrics;
pub mod page;
pub mod view;

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

/// The section `[http]` of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the page is served: loopback unless there is a token.
    pub listen: String,
    /// The file that holds the token.
    pub token_file: Option<PathBuf>,
    /// The environment variable that holds the token, where no file does.
    pub token_env: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self { listen: "127.0.0.1:8420".to_owned(), token_file: None, token_env: None }
    }
}

impl Config {
    /// Tells what is wrong with the section: what was found, what was expected.
    #[must_use]
    pub fn fault(&self) -> Option<(String, &'static str)> {
        let Ok(address) = self.listen.parse::<SocketAddr>() else {
            return Some((format!("listen `{}`", self.listen), "an address and a port"));
        };
        let token = self.token_file.is_some() || self.token_env.is_some();
        (!address.ip().is_loopback() && !token).then(|| {
            let found = format!("listen `{}` without a token", self.listen);
            (found, "token_file or token_env, or a loopback address such as 127.0.0.1:8420")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_loopback_a_token_is_needed() {
        let mut config = Config { listen: "0.0.0.0:80".to_owned(), ..Config::default() };
        assert!(config.fault().unwrap().0.contains("without a token"));
        config.token_env = Some("WEIR_TOKEN".to_owned());
        assert_eq!(config.fault(), None);
        assert_eq!(Config::default().fault(), None);
    }
}
