//! InfluxDB: renders points as line protocol, writes them, and asks for what is stored. The only
//! room that names influxdb2, and reqwest for the database.

pub mod deliver;
pub mod line;
pub mod query;
pub mod series;
pub mod tally;
pub mod write;

use std::fmt;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use crate::domain::fault::SettingFault;
use crate::domain::secret::{hidden, shown_address};

/// Which database it is: decides paths, credentials and how a refusal reads.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// InfluxDB 2: organisation, bucket, token.
    #[default]
    Influx2,
    /// InfluxDB 1: database, user, password.
    Influx1,
    /// VictoriaMetrics: takes the lines of InfluxDB 2, keeps numbers only.
    Victoria,
}

impl Dialect {
    /// Gives the word used in the configuration.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Influx2 => "influx2",
            Self::Influx1 => "influx1",
            Self::Victoria => "victoria",
        }
    }
}

/// The section `[influx]` of the configuration.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the database is. A path is kept, so that it may stand behind a proxy's prefix.
    pub url: String,
    /// Which database it is.
    #[serde(default)]
    pub dialect: Dialect,
    /// InfluxDB 2: the organisation.
    #[serde(default)]
    pub org: String,
    /// The bucket; the database of InfluxDB 1; the label `db` of `VictoriaMetrics`, if any.
    #[serde(default)]
    pub bucket: String,
    /// The file that holds the token.
    pub token_file: Option<PathBuf>,
    /// The environment variable that holds the token, where no file does.
    pub token_env: Option<String>,
    /// The user of InfluxDB 1 or of a proxy.
    pub user: Option<String>,
    /// The file that holds the user's password.
    pub password_file: Option<PathBuf>,
    /// A certificate authority to trust besides the public ones, PEM.
    pub ca_file: Option<PathBuf>,
    /// How long a request may take, s.
    #[serde(default = "timeout_s")]
    pub timeout_s: u64,
    /// How long connecting may take, s.
    #[serde(default = "connect_timeout_s")]
    pub connect_timeout_s: u64,
}

impl fmt::Debug for Config {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Config").field("url", &self.shown_url()).finish_non_exhaustive()
    }
}

/// The longest that a request or a connection may take, s.
const TIMEOUT_S_MAX: u64 = 3_600;

fn timeout_s() -> u64 {
    30
}

fn connect_timeout_s() -> u64 {
    5
}

/// What is wrong with the configuration of the database, or what it said when asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is none.
    #[error("influx.url `{url}` is not an http or https address: {fault}")]
    Url {
        /// As configured, without what might be a password.
        url: String,
        /// What is wrong.
        fault: String,
    },
    /// A setting that the dialect needs is empty.
    #[error("influx.{key} is empty, dialect {} needs it", dialect.word())]
    Empty {
        /// The setting.
        key: &'static str,
        /// The dialect.
        dialect: Dialect,
    },
    /// Two settings say the same thing.
    #[error("influx.{first} and influx.{second} are both set, one may be")]
    Both {
        /// One.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// A file can't be read.
    #[error("influx.{key} `{}` can't be read: {source}", path.display())]
    File {
        /// The setting.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A credential is empty or can't stand in a header.
    #[error("influx.{key} holds no usable secret (empty, or not printable ASCII)")]
    Secret {
        /// The setting.
        key: &'static str,
    },
    /// The environment variable is not set.
    #[error("influx.token_env names `{name}`, which is not set")]
    Environment {
        /// The variable.
        name: String,
    },
    /// The certificate authority's file is no PEM certificate.
    #[error("influx.ca_file `{}` is no certificate: {fault}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        fault: String,
    },
    /// The HTTP client can't be made.
    #[error("the HTTP client can't be made: {fault}")]
    Client {
        /// Why.
        fault: String,
    },
    /// The database does not answer, or not in full.
    #[error("{url} does not answer: {fault}; is influx.url right and the database running?")]
    Away {
        /// The address.
        url: String,
        /// What the connection says.
        fault: String,
    },
    /// The database answers with something else than success.
    #[error("{what} was answered {status} `{}`{}", words.trim(), mend(*status))]
    Answer {
        /// What was asked.
        what: &'static str,
        /// The status.
        status: u16,
        /// The server's words.
        words: String,
    },
    /// The answer can't be read.
    #[error("{what} was answered with something unreadable: {fault}")]
    Unreadable {
        /// What was asked.
        what: &'static str,
        /// What is wrong.
        fault: String,
    },
    /// The organisation is not there.
    #[error("organisation `{org}` is not there or hidden from this token; mend influx.org")]
    NoOrg {
        /// Its name.
        org: String,
    },
    /// The database has no Flux, or not at this address.
    #[error("{reason}, so it can't be asked for what it holds")]
    NoFlux {
        /// Why.
        reason: String,
    },
    /// influxdb2 broke on an answer.
    #[error("influxdb2 broke on the answer to {what}")]
    Broke {
        /// What was asked.
        what: &'static str,
    },
}

/// What an operator can mend, by the status.
fn mend(status: u16) -> &'static str {
    match status {
        200..=299 => "; so answers no database to points: mend influx.url, or look at the network",
        401 => "; mend the token (influx.token_file) or influx.user and influx.password_file",
        403 => "; the credentials are right, but they may not write there: give the token leave",
        404 => "; mend influx.bucket, influx.org, influx.dialect or the path of influx.url",
        413 => "; the server or a proxy before it takes no bodies of this size",
        429 => "; it wants fewer requests: look at its limits, weir waits for as long as it asks",
        500..=599 => "; look at the log of the database and of a proxy before it",
        _ => "; look at influx.url and at a proxy before the database",
    }
}

/// How a request is authorised. `Debug` shows no secret.
#[derive(Clone, Debug)]
enum Credentials {
    None,
    Token(SecretString),
    User { name: String, password: SecretString },
}

impl Credentials {
    /// Gives a server's words without the credentials, as they are and as they stand in a header.
    fn hidden_in(&self, words: &str) -> String {
        match self {
            Self::None => words.to_owned(),
            Self::Token(token) => hidden(words, [token.expose_secret()]),
            Self::User { name, password } => {
                let pair = STANDARD.encode(format!("{name}:{}", password.expose_secret()));
                hidden(words, [password.expose_secret(), &*pair])
            }
        }
    }
}

impl Config {
    /// Reads the address. Checked before anything else sees it, because influxdb2 panics on one
    /// that is wrong.
    fn address(&self) -> Result<Url, Error> {
        let fault =
            |fault: &str| Error::Url { url: shown_address(&self.url), fault: fault.to_owned() };
        let mut url = Url::parse(&self.url).map_err(|error| fault(&error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(fault("expected http://host:port or https://host:port"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(fault("a password belongs into influx.password_file"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(fault("expected no `?` and no `#`"));
        }
        if !url.path().ends_with('/') {
            let path = format!("{}/", url.path());
            url.set_path(&path);
        }
        Ok(url)
    }

    /// Gives the address of one of the database's doors, below the configured path.
    fn door(&self, path: &str) -> Result<Url, Error> {
        let url = self.address()?;
        url.join(path)
            .map_err(|error| Error::Url { url: shown_address(&self.url), fault: error.to_string() })
    }

    /// Tells everything that is wrong with the section.
    #[must_use]
    pub fn faults(&self) -> Vec<SettingFault> {
        let mut faults = Vec::new();
        let mut note = |key: &'static str, found: String, expected: &str| {
            faults.push(SettingFault::new(key, found, expected));
        };
        if let Err(error) = self.address() {
            let expected = "an address such as http://127.0.0.1:8086, no credentials in it";
            note("url", error.to_string(), expected);
        }
        for key in self.lacks() {
            let found = Error::Empty { key, dialect: self.dialect }.to_string();
            note(key, found, "its name");
        }
        let tokens =
            [("token_file", self.token_file.is_some()), ("token_env", self.token_env.is_some())];
        if tokens.iter().all(|(_, set)| *set) {
            let error = Error::Both { first: "token_file", second: "token_env" };
            note("token_env", error.to_string(), "one place that holds the token");
        }
        if let Some((key, _)) = tokens.iter().find(|(_, set)| *set && self.user.is_some()) {
            let error = Error::Both { first: "user", second: key };
            note("user", error.to_string(), "a token, or a user with a password");
        }
        if self.user.is_none() && self.password_file.is_some() {
            let found = "influx.password_file without user".to_owned();
            note("password_file", found, "the user it is of");
        }
        let token_file = self.token_file.as_deref().map(|path| read_secret("token_file", path));
        let token_env = self.token_env.as_deref().map(variable);
        let password = self.password_file.as_deref().map(|path| read_secret("password_file", path));
        let secrets =
            [("token_file", token_file), ("token_env", token_env), ("password_file", password)];
        for (key, secret) in secrets {
            if let Some(Err(error)) = secret {
                note(key, error.to_string(), "a secret, where weir may read it");
            }
        }
        if let Err(error) = self.client() {
            note("ca_file", error.to_string(), "a PEM file that weir may read");
        }
        let timeouts =
            [("timeout_s", self.timeout_s), ("connect_timeout_s", self.connect_timeout_s)];
        let out = |(key, seconds)| SettingFault::range(key, seconds, 1..=TIMEOUT_S_MAX);
        faults.extend(timeouts.into_iter().filter_map(out));
        faults
    }

    /// Gives the address without what might be a password.
    #[must_use]
    pub fn shown_url(&self) -> String {
        shown_address(&self.url)
    }

    /// Gives the settings that the dialect needs and that are empty.
    fn lacks(&self) -> impl Iterator<Item = &'static str> {
        let needs: &[(&'static str, &str)] = match self.dialect {
            Dialect::Influx2 => &[("org", &self.org), ("bucket", &self.bucket)],
            Dialect::Influx1 => &[("bucket", &self.bucket)],
            Dialect::Victoria => &[],
        };
        let empty = needs.iter().filter(|(_, value)| value.trim().is_empty());
        empty.map(|(key, _)| *key).collect::<Vec<_>>().into_iter()
    }

    /// Checks that what the dialect needs is there.
    fn check(&self) -> Result<(), Error> {
        match self.lacks().next() {
            Some(key) => Err(Error::Empty { key, dialect: self.dialect }),
            None => Ok(()),
        }
    }

    fn credentials(&self) -> Result<Credentials, Error> {
        if self.token_file.is_some() && self.token_env.is_some() {
            return Err(Error::Both { first: "token_file", second: "token_env" });
        }
        if let Some(name) = &self.user {
            let password = match &self.password_file {
                Some(path) => read_secret("password_file", path)?,
                None => SecretString::from(String::new()),
            };
            return Ok(Credentials::User { name: name.clone(), password });
        }
        if let Some(path) = &self.token_file {
            return read_secret("token_file", path).map(Credentials::Token);
        }
        let Some(name) = &self.token_env else { return Ok(Credentials::None) };
        variable(name).map(Credentials::Token)
    }

    /// Sets up the client that the writer and influxdb2 share the settings of.
    fn client(&self) -> Result<reqwest::ClientBuilder, Error> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("weir/", env!("CARGO_PKG_VERSION")))
            .timeout(std::time::Duration::from_secs(self.timeout_s))
            .connect_timeout(std::time::Duration::from_secs(self.connect_timeout_s))
            .pool_idle_timeout(std::time::Duration::from_secs(30))
            // A redirected POST becomes a GET: it would be answered 200 and the points be lost.
            .redirect(reqwest::redirect::Policy::none());
        if let Some(path) = &self.ca_file {
            let pem = std::fs::read(path).map_err(|source| Error::File {
                key: "ca_file",
                path: path.clone(),
                source,
            })?;
            let fault = |fault: String| Error::Certificate { path: path.clone(), fault };
            // reqwest takes a file without a certificate for an authority that trusts nobody.
            let held = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
            if held.map_err(|error| fault(error.to_string()))?.is_empty() {
                return Err(fault("there is none in it".to_owned()));
            }
            let authority =
                reqwest::Certificate::from_pem(&pem).map_err(|error| fault(error.to_string()))?;
            builder = builder.add_root_certificate(authority);
        }
        Ok(builder)
    }
}

fn read_secret(key: &'static str, path: &std::path::Path) -> Result<SecretString, Error> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::File {
        key,
        path: path.to_owned(),
        source,
    })?;
    usable(key, &text)
}

fn variable(name: &str) -> Result<SecretString, Error> {
    let token = std::env::var(name).map_err(|_| Error::Environment { name: name.to_owned() })?;
    usable("token_env", &token)
}

fn usable(key: &'static str, text: &str) -> Result<SecretString, Error> {
    let text = text.trim();
    if text.is_empty() || !text.bytes().all(|byte| matches!(byte, 0x20..=0x7e)) {
        return Err(Error::Secret { key });
    }
    Ok(SecretString::from(text))
}

/// Walks an error's causes: reqwest's own words say only that sending failed.
fn causes(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Some errors say their cause themselves; once is enough.
        let said = error.to_string();
        if !words.contains(&said) {
            words.push_str(": ");
            words.push_str(&said);
        }
        cause = error.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_and_a_connection_may_not_take_for_ever() {
        let faults = |seconds: u64| {
            let text = format!(
                "url='http://h'\ndialect='victoria'\ntimeout_s={seconds}\n\
                 connect_timeout_s={seconds}"
            );
            toml::from_str::<Config>(&text).unwrap().faults().len()
        };
        assert_eq!((faults(TIMEOUT_S_MAX), faults(TIMEOUT_S_MAX + 1)), (0, 2));
    }
}
