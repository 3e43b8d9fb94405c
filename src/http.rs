//! The operator page, health, readiness and metrics. Shows what it is given; knows nobody.

pub mod account;
mod act;
pub mod api;
mod audit;
mod connections;
pub mod door;
mod form;
mod guard;
pub mod house;
mod live;
mod login;
pub mod metrics;
mod pages;
pub mod password;
pub mod series;
mod session;
pub mod station;
mod templates;
mod tls;
mod tries;
pub mod view;
pub mod visit;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use serde::Deserialize;

use crate::domain::fault::SettingFault;
use crate::http::account::Accounts;

/// For how long somebody may stay logged in at most, hours: a month.
const SESSION_H_MAX: u32 = 744;

/// The section `[http]` of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the page is served: loopback unless somebody has an account or a token.
    pub listen: String,
    /// The file that holds the token.
    pub token_file: Option<PathBuf>,
    /// The environment variable that holds the token, where no file does.
    pub token_env: Option<String>,
    /// The address by which operators reach the page, for links in notifications; empty where it
    /// has none to be told.
    pub address: String,
    /// The file of the accounts; without, `users.toml` in the data folder.
    pub users_file: Option<PathBuf>,
    /// For how long somebody who logged in stays so, hours.
    pub session_h: u32,
    /// After how many hours without a request of theirs they must log in again.
    pub session_idle_h: u32,
    /// The header by which a proxy says who somebody is; without, none is heeded.
    pub trusted_header: Option<String>,
    /// The addresses of the proxies that are believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Whether a proxy in front of weir speaks TLS.
    pub behind_proxy: bool,
    /// The certificate of the page with its chain, PEM; without, it speaks no TLS.
    pub certificate_file: Option<PathBuf>,
    /// The key of the certificate, PEM.
    pub key_file: Option<PathBuf>,
    /// The folder of the journal, where the accounts and sessions are.
    #[serde(skip)]
    pub data_folder: Option<PathBuf>,
    /// Under which name anybody on this machine comes in as an administrator while nobody has an
    /// account: for the demonstration only.
    #[serde(skip)]
    pub guest: Option<&'static str>,
}

impl Default for Config {
    fn default() -> Self {
        let loopback = [IpAddr::from([127, 0, 0, 1]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])];
        Self {
            listen: "127.0.0.1:8420".to_owned(),
            token_file: None,
            token_env: None,
            address: String::new(),
            users_file: None,
            session_h: 13,
            session_idle_h: 4,
            trusted_header: None,
            trusted_proxies: loopback.to_vec(),
            behind_proxy: false,
            certificate_file: None,
            key_file: None,
            data_folder: None,
            guest: None,
        }
    }
}

impl Config {
    /// Says whether only this machine can come in. An IPv4 address written as IPv6 is not looked
    /// into: what is not plainly loopback is not.
    fn is_loopback(&self) -> bool {
        self.listen.parse::<SocketAddr>().is_ok_and(|address| address.ip().is_loopback())
    }

    /// Gives the file of the accounts, where there is a place for it.
    #[must_use]
    pub fn users(&self) -> Option<PathBuf> {
        let beside = || self.data_folder.as_ref().map(|folder| folder.join("users.toml"));
        self.users_file.clone().or_else(beside)
    }

    /// Says whether what goes to and fro is encrypted, by weir or by a proxy in front of it.
    fn is_secure(&self) -> bool {
        self.certificate_file.is_some() || self.address.starts_with("https://")
    }

    /// Gives the name by which operators reach the page, and its port where that is said.
    fn host(&self) -> Option<&str> {
        let (_, rest) = self.address.split_once("://")?;
        rest.split('/').next().filter(|host| !host.is_empty())
    }

    /// Tells everything that is wrong with the section.
    #[must_use]
    pub fn faults(&self) -> Vec<SettingFault> {
        let mut faults = self.listen_faults();
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
        if let Some(Err(found)) = self.users().map(|path| Accounts::read(&path)) {
            let expected = "accounts as `weir user` writes them";
            faults.push(SettingFault::new("users_file", found, expected));
        }
        let hours = [("session_h", self.session_h), ("session_idle_h", self.session_idle_h)];
        let range = |(key, hours): (_, u32)| {
            SettingFault::range(key, u64::from(hours), 1..=u64::from(SESSION_H_MAX))
        };
        faults.extend(hours.into_iter().filter_map(range));
        let is_name = |name: &String| name.parse::<axum::http::HeaderName>().is_ok();
        if let Some(name) = self.trusted_header.as_ref().filter(|name| !is_name(name)) {
            let found = format!("trusted_header `{name}`");
            let expected = "the name of a header such as X-Forwarded-User";
            faults.push(SettingFault::new("trusted_header", found, expected));
        }
        faults
    }

    fn listen_faults(&self) -> Vec<SettingFault> {
        let mut faults = Vec::new();
        let listen = &self.listen;
        if listen.parse::<SocketAddr>().is_err() {
            let found = format!("listen `{listen}`");
            faults.push(SettingFault::new("listen", found, "an address and a port"));
        } else if !self.is_loopback() {
            let has_token = self.token_file.is_some() || self.token_env.is_some();
            let accounts = self.users().map(|path| Accounts::read(&path));
            let has_account = accounts.is_some_and(|all| all.is_ok_and(|all| !all.is_empty()));
            if !(has_token || has_account || self.trusted_header.is_some()) {
                let found = format!("listen `{listen}` without a token or an account");
                let expected = "an account (`weir user add NAME --role admin`), token_file or \
                    token_env, or a loopback address such as 127.0.0.1:8420";
                faults.push(SettingFault::new("listen", found, expected));
            }
            if self.certificate_file.is_none() && !self.behind_proxy {
                let found = format!("listen `{listen}` without TLS");
                let expected = "certificate_file and key_file, or behind_proxy = true where a \
                    proxy in front of weir speaks TLS: else passwords go over the net in the clear";
                faults.push(SettingFault::new("listen", found, expected));
            }
        }
        faults.extend(tls::faults(self));
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
        let told = config.faults();
        assert!(told.len() == 1 && told[0].found.contains("without TLS"), "{told:?}");
        config.behind_proxy = true;
        assert_eq!(config.faults(), []);
        assert_eq!(Config::default().faults(), []);
    }

    #[test]
    fn beyond_loopback_an_account_does_as_well() {
        let folder = tempfile::TempDir::new().unwrap();
        let data_folder = Some(folder.path().to_owned());
        let listen = "0.0.0.0:80".to_owned();
        let config = Config { listen, data_folder, behind_proxy: true, ..Config::default() };
        assert!(config.faults()[0].found.contains("without a token or an account"));
        let path = config.users().unwrap();
        Accounts::change(&path, |all| all.add("li.na", visit::Role::View, None)).unwrap();
        assert_eq!(config.faults(), []);
        std::fs::write(&path, "[[user]]").unwrap();
        let told: Vec<&str> = config.faults().iter().map(|fault| fault.key).collect();
        assert_eq!(told, ["listen", "users_file"]);
    }

    #[test]
    fn what_can_not_be_is_told() {
        let config = Config {
            session_h: 0,
            session_idle_h: SESSION_H_MAX + 1,
            trusted_header: Some("X Forwarded User".to_owned()),
            key_file: Some("absent.key".into()),
            ..Config::default()
        };
        let told: Vec<&str> = config.faults().iter().map(|fault| fault.key).collect();
        assert_eq!(told, ["key_file", "session_h", "session_idle_h", "trusted_header"]);
    }
}
