//! MQTT, in and out: a connection loop of our own on rumqttc's codec, because the acknowledgement
//! is what weir exists for. The only room that names rumqttc.

use std::path::PathBuf;

pub mod acknowledgement;
pub mod backoff;
pub mod capture;
pub mod certificate;
pub mod config;
pub mod connection;
mod greet;
pub mod outbox;
mod presence;
pub mod publisher;
mod stream;
pub mod subscription;
mod wire;

/// What ends a connection, or keeps it from beginning.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is none.
    #[error("url `{url}` is no address of a broker; expected mqtt://host:1883 or mqtts://…")]
    Url {
        /// As configured.
        url: String,
    },
    /// A file of the configuration can't be used.
    #[error("{key} `{}`: {fault}", path.display())]
    File {
        /// The setting.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        fault: String,
    },
    /// The environment variable is not set.
    #[error("password_env names `{name}`, which is not set")]
    Environment {
        /// The variable.
        name: String,
    },
    /// Nobody listens there.
    #[error("{url} does not answer: {fault}; is the url right and the broker running?")]
    Away {
        /// The address.
        url: String,
        /// The system's words.
        fault: String,
    },
    /// TLS is refused by one of both.
    #[error("{url}: TLS fails: {fault}; check ca_file, certificate_file and the url's host name")]
    Tls {
        /// The address.
        url: String,
        /// What is wrong.
        fault: String,
    },
    /// It took too long.
    #[error("{url} took more than connect_timeout_s = {after_s} s to let weir in")]
    Slow {
        /// The address.
        url: String,
        /// The limit.
        after_s: u64,
    },
    /// The broker refuses the connection.
    #[error("the broker refuses `{client_id}`: {reason}{}", mend(reason))]
    Refused {
        /// The client id.
        client_id: String,
        /// The broker's reason.
        reason: String,
    },
    /// The broker ended the connection and said why.
    #[error("the broker ended the connection: {0}{words}", words = hint(.0))]
    Farewell(String),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// The broker sends what is not MQTT.
    #[error("the broker sent what can't be read: {0}")]
    Unreadable(String),
    /// Nothing came for too long.
    #[error("the broker gives no sign of life")]
    Silent,
}

impl Error {
    /// Whether the broker says that another client came with the same client id.
    #[must_use]
    pub fn is_taken_over(&self) -> bool {
        matches!(self, Self::Farewell(reason) if taken_over(reason))
    }
}

fn taken_over(reason: &str) -> bool {
    reason.to_ascii_lowercase().replace([' ', '_'], "").contains("takenover")
}

/// What an operator can mend, by the broker's words.
fn mend(reason: &str) -> &'static str {
    let says = |word: &str| reason.to_ascii_lowercase().contains(word);
    if says("password") || says("authori") {
        "; mend user and password_file, or the broker's access list"
    } else if says("protocol") {
        "; mend protocol (\"5\" or \"3.1.1\")"
    } else if says("retain") || says("qos") {
        "; mend status_topic (\"\" for none) or sparkplug_host"
    } else if says("client") || says("identifier") {
        "; mend client_id"
    } else {
        ""
    }
}

fn hint(reason: &str) -> &'static str {
    if taken_over(reason) {
        "; another client uses this client_id, give each weir its own"
    } else if reason.to_ascii_lowercase().contains("authori") {
        "; does its access list allow status_topic or STATE and, for watch_dropped, $SYS?"
    } else {
        ""
    }
}
