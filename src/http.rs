//! The operator page, health, readiness and metrics. Shows what it is given; knows nobody.

mod act;
mod connections;
pub mod door;
mod form;
mod live;
pub mod metrics;
mod pages;
mod templates;
pub mod view;
pub mod visit;

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

use crate::domain::fault::SettingFault;

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
    /// The address by which operators reach the page, for links in notifications; empty where it
    /// has none to be told.
    pub address: String,
}

impl Default for Config {
    fn default() -> Self {
        let (listen, address) = ("127.0.0.1:8420".to_owned(), String::new());
        Self { listen, token_file: None, token_env: None, address }
    }
}

impl Config {
    /// Says whether only this machine can come in. An IPv4 address written as IPv6 is not looked
    /// into: what is not plainly loopback is not.
    fn is_loopback(&self) -> bool {
        self.listen.parse::<SocketAddr>().is_ok_and(|address| address.ip().is_loopback())
    }

    /// Tells everything that is wrong with the section.
    #[must_use]
    pub fn faults(&self) -> Vec<SettingFault> {
        let mut faults = Vec::new();
        let has_token = self.token_file.is_some() || self.token_env.is_some();
        match self.listen.parse::<SocketAddr>() {
            Err(_) => {
                let found = format!("listen `{}`", self.listen);
                faults.push(SettingFault::new("listen", found, "an address and a port"));
            }
            Ok(_) if !self.is_loopback() && !has_token => {
                let found = format!("listen `{}` without a token", self.listen);
                let expected =
                    "token_file or token_env, or a loopback address such as 127.0.0.1:8420";
                faults.push(SettingFault::new("listen", found, expected));
            }
            Ok(_) => {}
        }
        let address = &self.address;
        if !(address.is_empty()
            || address.starts_with("https://")
            || address.starts_with("http://"))
        {
            let found = format!("address `{address}`");
            faults.push(SettingFault::new("address", found, "https://host or http://host"));
        }
        if self.token_file.is_some() && self.token_env.is_some() {
            let found = "token_file and token_env";
            faults.push(SettingFault::new("token_env", found, "one place that holds the token"));
        }
        if let Err(door::Error::Token { key, fault }) = door::token(self) {
            let found = format!("http.{key}: {fault}");
            faults.push(SettingFault::new(key, found, "a token, in a file that weir may read"));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_loopback_a_token_is_needed() {
        let mut config = Config::default();
        for listen in [
            "0.0.0.0:80",
            "192.168.1.7:80",
            "[::]:80",
            "[fe80::1]:80",
            "[::ffff:0.0.0.0]:80",
            "[::ffff:192.168.1.7]:80",
            "[::ffff:127.0.0.1]:80",
        ] {
            config.listen = listen.to_owned();
            let fault = &config.faults()[0];
            assert!(fault.found.contains("without a token"), "{fault:?}");
        }
        for listen in ["127.0.0.1:80", "127.9.9.9:80", "[::1]:80"] {
            config.listen = listen.to_owned();
            assert_eq!(config.faults(), []);
        }
        // A name may stand for any address, today or tomorrow.
        config.listen = "localhost:80".to_owned();
        assert!(config.faults()[0].expected.contains("an address and a port"));
        config.listen = "0.0.0.0:80".to_owned();
        config.token_env = Some("PATH".to_owned());
        assert_eq!(config.faults(), []);
        assert_eq!(Config::default().faults(), []);
    }
}
