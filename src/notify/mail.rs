//! Mail, over SMTP: STARTTLS or TLS, plain only to this machine. A connection a mail; of those who
//! are written to together, the server's refusal of one costs the others nothing.

mod letter;
mod stream;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters,
};
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Url;

use self::letter::Writer;
use self::stream::Bounded;
use super::http::{WORDS_BYTES_MAX, causes};
use super::text::{Context, Texts};
use super::{Config, Error, Sent, sample};
use crate::domain::secret::hidden;
use crate::domain::time::Timestamp;

/// The most that one mail is written to.
const RECIPIENTS_MAX: usize = 50;
/// How long a good-bye may take: the mail is taken already.
const GOODBYE: Duration = Duration::from_secs(1);

/// How the connection is kept from others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Secrecy {
    /// `smtp://`: plain until STARTTLS, which must succeed (RFC 3207).
    StartTls,
    /// `smtps://`: TLS from the first byte (RFC 8314).
    Tls,
    /// `smtp+plain://`: none, to this machine only.
    None,
}

/// Where a server is.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Server {
    host: String,
    port: u16,
    secrecy: Secrecy,
}

/// Mail that is ready to send.
pub(super) struct Mail {
    name: String,
    server: Server,
    start: TlsParameters,
    whole: Arc<ClientConfig>,
    credentials: Option<(String, SecretString)>,
    writer: Writer,
    timeout: Duration,
}

impl fmt::Debug for Mail {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = out.debug_struct("Mail");
        shown.field("name", &self.name).field("server", &self.server).finish_non_exhaustive()
    }
}

impl Mail {
    pub(super) fn new(config: &Config) -> Result<Self, Error> {
        let server = server(config)?;
        let (start, whole) = tls(config, &server)?;
        let (from, to) = addresses(config)?;
        Ok(Self {
            name: config.name.clone(),
            start,
            whole,
            credentials: credentials(config)?,
            writer: Writer::new(config, from, to),
            timeout: Duration::from_secs(config.timeout_s),
            server,
        })
    }

    /// Gives everything that is wrong with a channel of mail.
    pub(super) fn faults(config: &Config) -> Vec<Error> {
        let server = server(config);
        let tls = server.as_ref().map_or(Ok(()), |server| tls(config, server).map(drop));
        let faults = [
            server.err(),
            tls.err(),
            addresses(config).err(),
            credentials(config).err(),
            Texts::try_on(config, &sample(), &Context::new()).err(),
        ];
        faults.into_iter().flatten().collect()
    }

    pub(super) async fn send(&self, id: &str, body: &Value, now: Timestamp) -> Sent {
        let letter = match self.writer.write(id, body, now) {
            Ok(letter) => letter.formatted(),
            Err(fault) => {
                let words = format!("the mail can't be written: {fault}");
                return Sent::Refused { status: None, words };
            }
        };
        let told = Box::pin(tokio::time::timeout(self.timeout, self.hand_in(&letter))).await;
        match told {
            Ok(Ok((sent, mut connection))) => {
                // Whether the server answers to it or not, it has the mail.
                tokio::time::timeout(GOODBYE, connection.abort()).await.ok();
                sent
            }
            Ok(Err(sent)) => sent,
            Err(_) => self.slow(),
        }
    }

    /// Connects and gives the password, and writes to nobody.
    pub(super) async fn probe(&self) -> Result<(), Error> {
        let met = Box::pin(tokio::time::timeout(self.timeout, self.connect())).await;
        let fault = match met.unwrap_or_else(|_| Err(self.slow())) {
            Ok(mut connection) => {
                tokio::time::timeout(GOODBYE, connection.abort()).await.ok();
                return Ok(());
            }
            Err(Sent::Retry { words, .. } | Sent::Refused { words, .. }) => words,
            Err(Sent::Confirmed { .. }) => return Ok(()),
        };
        let Server { host, port, .. } = &self.server;
        let (channel, host) = (self.name.clone(), format!("{host}:{port}"));
        Err(Error::Away { channel, host, fault })
    }

    fn slow(&self) -> Sent {
        let words = format!("no answer within timeout_s = {} s", self.timeout.as_secs());
        Sent::Retry { after: None, words }
    }

    /// Hands a mail to the server.
    async fn hand_in(&self, letter: &[u8]) -> Result<(Sent, AsyncSmtpConnection), Sent> {
        let mut connection = self.connect().await?;
        let from = self.writer.from().email.clone();
        let opened = connection.command(MailFrom::new(Some(from), Vec::new())).await;
        opened.map_err(|error| self.failed(&error))?;
        let (mut refused, mut taken, mut again) = (Vec::new(), 0, false);
        for to in self.writer.to() {
            match connection.command(Rcpt::new(to.email.clone(), Vec::new())).await {
                Ok(_) => taken += 1,
                Err(error) if error.status().is_some() => {
                    again |= error.is_transient();
                    refused.push(format!("{}: {}", to.email, self.shown(&causes(&error))));
                }
                Err(error) => return Err(self.failed(&error)),
            }
        }
        if taken == 0 {
            let words = self.shown(&refused.join("; "));
            tokio::time::timeout(GOODBYE, connection.abort()).await.ok();
            return Err(match again {
                true => Sent::Retry { after: None, words },
                false => Sent::Refused { status: None, words },
            });
        }
        connection.command(Data).await.map_err(|error| self.failed(&error))?;
        let answer = connection.message(letter).await.map_err(|error| self.failed(&error))?;
        // The one receipt of a mail (RFC 5321, 4.3.2).
        if !answer.has_code(250) {
            let words = answer.message().collect::<Vec<_>>().join(" ");
            let words = self.shown(&format!("no receipt: {} {words}", answer.code()));
            return Err(Sent::Retry { after: None, words });
        }
        if !refused.is_empty() {
            let (channel, refused) = (&*self.name, refused.join("; "));
            tracing::warn!(channel, "The server takes a mail, but not for everybody: {refused}");
        }
        Ok((self.confirmed(&answer, &refused), connection))
    }

    fn confirmed(&self, answer: &Response, refused: &[String]) -> Sent {
        let mut words = answer.message().collect::<Vec<_>>().join(" ");
        if !refused.is_empty() {
            words.push_str(&format!("; not to {}", refused.join("; ")));
        }
        let status = answer.code().to_string().parse().unwrap_or(250);
        Sent::Confirmed { status, words: self.shown(&words) }
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Sent> {
        let Server { host, port, secrecy } = &self.server;
        let away = |error: std::io::Error| Sent::Retry {
            after: None,
            words: self.shown(&format!("{host}:{port}: {error}")),
        };
        let tcp = TcpStream::connect((&**host, *port)).await.map_err(away)?;
        let hello = match tcp.local_addr().map_err(away)?.ip() {
            IpAddr::V4(address) => ClientId::Ipv4(address),
            IpAddr::V6(address) => ClientId::Ipv6(address),
        };
        let peer = tcp.peer_addr().map_err(away)?;
        let failed = |error| self.failed(&error);
        let mut connection = if *secrecy == Secrecy::Tls {
            let name = ServerName::try_from(host.clone())
                .map_err(|error| away(std::io::Error::other(error)))?;
            let connector = TlsConnector::from(Arc::clone(&self.whole));
            let stream = connector.connect(name, tcp).await.map_err(away)?;
            let stream = Box::new(Bounded::new(stream, peer));
            AsyncSmtpConnection::connect_with_transport(stream, &hello).await.map_err(failed)?
        } else {
            let bytewise = *secrecy == Secrecy::StartTls;
            let stream = Box::new(Bounded::new(tcp, peer).bytewise(bytewise));
            AsyncSmtpConnection::connect_with_transport(stream, &hello).await.map_err(failed)?
        };
        if *secrecy == Secrecy::StartTls {
            connection.starttls(self.start.clone(), &hello).await.map_err(failed)?;
        }
        if let Some((user, password)) = &self.credentials {
            let secret = password.expose_secret().to_owned();
            let credentials = Credentials::new(user.clone(), secret);
            let ways = [Mechanism::Plain, Mechanism::Login];
            connection.auth(&ways, &credentials).await.map_err(failed)?;
        }
        Ok(connection)
    }

    /// Takes a failure for what it is: 4xx and the network pass, 5xx and what the server can't do
    /// must be mended.
    fn failed(&self, error: &lettre::transport::smtp::Error) -> Sent {
        let words = self.shown(&causes(error));
        if error.is_permanent() || error.is_client() {
            let status = error.status().and_then(|code| code.to_string().parse().ok());
            return Sent::Refused { status, words };
        }
        Sent::Retry { after: None, words }
    }

    /// Gives words without the password, and no more than are kept.
    fn shown(&self, words: &str) -> String {
        // It is sent in base64, and a server may quote the line that it did not understand.
        let secrets = self.credentials.iter().flat_map(|(user, password)| {
            let password = password.expose_secret();
            let plain = STANDARD.encode(format!("\0{user}\0{password}"));
            [password.to_owned(), plain, STANDARD.encode(password)]
        });
        let secrets: Vec<SecretString> = secrets.map(SecretString::from).collect();
        let words = hidden(words.trim(), secrets.iter().map(|one| one.expose_secret()));
        let words = words.replace(|one: char| one.is_control(), " ");
        let end = words.floor_char_boundary(WORDS_BYTES_MAX);
        words.get(..end).unwrap_or_default().to_owned()
    }
}

fn setting(config: &Config, key: &'static str, found: String, expected: &'static str) -> Error {
    Error::Setting { channel: config.name.clone(), key, found, expected }
}

fn server(config: &Config) -> Result<Server, Error> {
    const EXPECTED: &str = "smtp://host:587 (STARTTLS), smtps://host:465 (TLS), or \
        smtp+plain://localhost:25 on this machine";
    let fault = |found: &str| setting(config, "url", found.to_owned(), EXPECTED);
    let text = config.url.as_deref().ok_or_else(|| fault("there is none"))?;
    let url = Url::parse(text).map_err(|error| fault(&error.to_string()))?;
    let (secrecy, port) = match url.scheme() {
        "smtp" => (Secrecy::StartTls, 587),
        "smtps" => (Secrecy::Tls, 465),
        "smtp+plain" => (Secrecy::None, 25),
        _ => return Err(fault("an address of another kind")),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(fault("a user; its settings are user and secret_file"));
    }
    let host = url.host_str().filter(|host| !host.is_empty());
    let host = host.ok_or_else(|| fault("no host"))?.trim_matches(['[', ']']).to_owned();
    let here = host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    if secrecy == Secrecy::None && !here {
        return Err(fault("smtp+plain to another machine, where anybody could read it"));
    }
    Ok(Server { host, port: url.port().unwrap_or(port), secrecy })
}

/// Sets up TLS for a beginning in plain text, and from the first byte.
fn tls(config: &Config, server: &Server) -> Result<(TlsParameters, Arc<ClientConfig>), Error> {
    let fault = |fault: String| Error::Certificate {
        channel: config.name.clone(),
        path: config.ca_file.clone().unwrap_or_default(),
        fault,
    };
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let mut start = TlsParameters::builder(server.host.clone())
        .certificate_store(CertificateStore::WebpkiRoots);
    if let Some(path) = &config.ca_file {
        let pem = config.read("ca_file", path)?;
        let held = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>();
        let held = held.map_err(|error| fault(error.to_string()))?;
        if held.is_empty() {
            return Err(fault("there is none in it".to_owned()));
        }
        for one in held {
            let same = Certificate::from_der(one.to_vec());
            start = start.add_root_certificate(same.map_err(|error| fault(causes(&error)))?);
            roots.add(one).map_err(|error| fault(error.to_string()))?;
        }
    }
    let start = start.build_rustls().map_err(|error| fault(causes(&error)))?;
    let whole = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    Ok((start, Arc::new(whole)))
}

fn addresses(config: &Config) -> Result<(Mailbox, Vec<Mailbox>), Error> {
    const EXPECTED: &str = "addresses such as \"weir <weir@example.com>\"";
    let read = |key, text: &str| {
        let fault = |found: String| setting(config, key, found, EXPECTED);
        let read: Result<Mailbox, _> = text.parse();
        let mailbox = read.map_err(|error| fault(format!("`{text}`: {error}")))?;
        let plain = mailbox.email.as_ref() as &str;
        let is_plain = plain.is_ascii() && !plain.contains(|one: char| one.is_control());
        if is_plain { Ok(mailbox) } else { Err(fault(format!("`{text}`: not in ASCII"))) }
    };
    let from = config.from.as_deref();
    let from = from.ok_or_else(|| setting(config, "from", "there is none".to_owned(), EXPECTED))?;
    let from = read("from", from)?;
    let to = config.to.as_deref().unwrap_or_default();
    if to.is_empty() || to.len() > RECIPIENTS_MAX {
        let found = format!("{} addresses", to.len());
        return Err(setting(config, "to", found, "1 to 50 addresses"));
    }
    let to = to.iter().map(|text| read("to", text)).collect::<Result<_, _>>()?;
    Ok((from, to))
}

fn credentials(config: &Config) -> Result<Option<(String, SecretString)>, Error> {
    match (&config.user, config.secret()?) {
        (None, None) => Ok(None),
        (Some(user), Some(password)) => Ok(Some((user.clone(), password))),
        (Some(_), None) => {
            let expected = "the file or variable that holds its password";
            Err(setting(config, "user", "a user without secret_file".to_owned(), expected))
        }
        (None, Some(_)) => {
            let expected = "the user whose password it is";
            Err(setting(config, "secret_file", "a password without user".to_owned(), expected))
        }
    }
}

#[cfg(test)]
mod tests;
