//! What can be wrong with a channel's section, and which setting mends it.

use std::path::PathBuf;

/// What is wrong with a channel.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is none.
    #[error("the url of channel `{channel}` is not an http or https address: {fault}")]
    Url {
        /// The channel.
        channel: String,
        /// What is wrong.
        fault: String,
    },
    /// A file can't be read.
    #[error("{key} `{}` of channel `{channel}` can't be read: {source}", path.display())]
    File {
        /// The channel.
        channel: String,
        /// The setting.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The secret is empty.
    #[error("{key} of channel `{channel}` holds no secret: it is empty")]
    Secret {
        /// The channel.
        channel: String,
        /// The setting.
        key: &'static str,
    },
    /// Two settings say the same thing.
    #[error("secret_file and secret_env of channel `{channel}` are both set, one may be")]
    BothSecrets {
        /// The channel.
        channel: String,
    },
    /// The environment variable is not set.
    #[error("secret_env of channel `{channel}` names `{name}`, which is not set")]
    Environment {
        /// The channel.
        channel: String,
        /// The variable.
        name: String,
    },
    /// The template has a fault.
    #[error("template `{}` of channel `{channel}`: {fault}", path.display())]
    Template {
        /// The channel.
        channel: String,
        /// The file.
        path: PathBuf,
        /// What is wrong and where.
        fault: String,
    },
    /// The certificate authority's file is no PEM certificate.
    #[error("ca_file `{}` of channel `{channel}` is no certificate: {fault}", path.display())]
    Certificate {
        /// The channel.
        channel: String,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        fault: String,
    },
    /// The HTTP client can't be made.
    #[error("the HTTP client of channel `{channel}` can't be made: {fault}")]
    Client {
        /// The channel.
        channel: String,
        /// Why.
        fault: String,
    },
    /// The proxy's address is none.
    #[error("the proxy of channel `{channel}` is not an http or https address: {fault}")]
    Proxy {
        /// The channel.
        channel: String,
        /// What is wrong.
        fault: String,
    },
    /// A setting is missing, or is not what it must be.
    #[error("{key} of channel `{channel}`: {found}")]
    Setting {
        /// The channel.
        channel: String,
        /// The setting.
        key: &'static str,
        /// What stands there.
        found: String,
        /// What was expected.
        expected: &'static str,
    },
    /// The host can't be reached.
    #[error("channel `{channel}` does not reach {host}: {fault}")]
    Away {
        /// The channel.
        channel: String,
        /// Host and port.
        host: String,
        /// What the connection says.
        fault: String,
    },
}

impl Error {
    /// Gives the setting to mend, and what was expected of it.
    pub(super) fn setting(&self) -> (&'static str, &'static str) {
        match self {
            Self::Url { .. } | Self::Client { .. } | Self::Away { .. } => {
                ("url", "an address such as https://host/path")
            }
            Self::File { key, .. } => (key, "a file that weir may read"),
            Self::Secret { key, .. } => (key, "a secret"),
            Self::BothSecrets { .. } => ("secret_env", "one place that holds the secret"),
            Self::Environment { .. } => ("secret_env", "a variable that is set"),
            Self::Template { .. } => {
                ("template", "a template of minijinja that names what a notification has")
            }
            Self::Proxy { .. } => ("proxy", "an address such as http://proxy:3128"),
            Self::Setting { key, expected, .. } => (key, expected),
            Self::Certificate { .. } => ("ca_file", "a certificate, PEM"),
        }
    }
}
