//! A webhook: JSON or a template of it by POST, signed, with the notification's id.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use minijinja::Environment;
use minijinja::value::Serde;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{StatusCode, Url};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sha2::Sha256;

use super::{Config, Error, RETRY_AFTER_MAX, Sent};
use crate::domain::secret::hidden;

/// The header with the notification's id.
pub const ID_HEADER: &str = "X-Weir-Notification-Id";
/// The header with `sha256=` and the body's HMAC-SHA-256 in hex, where a secret is set.
pub const SIGNATURE_HEADER: &str = "X-Weir-Signature";
/// How much of an answer's body is kept, bytes.
const WORDS_BYTES_MAX: usize = 1_024;

/// From how many bytes on a part of the path may be a key, and is hidden apart from the others.
const KEY_BYTES_MIN: usize = 12;

/// A webhook that is ready to send.
pub struct Webhook {
    name: String,
    url: Url,
    secret: Option<SecretString>,
    /// What of the address and the secret a receiver's words may repeat and nobody is to see.
    quotable: Vec<SecretString>,
    template: Option<Template>,
    client: reqwest::Client,
    timeout: Duration,
}

/// A compiled template.
struct Template {
    name: String,
    environment: Environment<'static>,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address of a chat robot holds its key.
        out.debug_struct("Webhook").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Webhook {
    pub(super) fn new(config: &Config) -> Result<Self, Error> {
        let timeout = Duration::from_secs(config.timeout_s);
        let (url, secret) = (address(config)?, secret(config)?);
        Ok(Self {
            name: config.name.clone(),
            quotable: quotable(&url)
                .into_iter()
                .map(SecretString::from)
                .chain(secret.clone())
                .collect(),
            url,
            secret,
            template: template(config)?,
            client: client(config, timeout)?,
            timeout,
        })
    }

    /// Gives everything that is wrong with a channel; the template is tried on a sample.
    pub(super) fn faults(config: &Config, sample: &Value) -> Vec<Error> {
        let timeout = Duration::from_secs(config.timeout_s);
        let written = template(config).and_then(|template| match (template, &config.template) {
            (Some(template), Some(path)) => {
                template.write("sample", sample).map(|_| ()).map_err(|error| Error::Template {
                    channel: config.name.clone(),
                    path: path.clone(),
                    fault: error.to_string(),
                })
            }
            (None, _) | (_, None) => Ok(()),
        });
        let faults = [
            address(config).err(),
            secret(config).err(),
            written.err(),
            client(config, timeout).err(),
        ];
        faults.into_iter().flatten().collect()
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) async fn send(&self, id: &str, body: &Value) -> Sent {
        let (text, kind) = match self.write(id, body) {
            Ok(written) => written,
            Err(error) => {
                let words = format!("the template fails: {error}");
                return Sent::Refused { status: None, words };
            }
        };
        let mut request =
            self.client.post(self.url.clone()).header(CONTENT_TYPE, kind).header(ID_HEADER, id);
        if let Some(secret) = &self.secret {
            request = request.header(SIGNATURE_HEADER, signature(secret, text.as_bytes()));
        }
        match request.body(text).send().await {
            Ok(response) => classify(response, &self.quotable).await,
            Err(error) => {
                let words = causes(&error.without_url());
                Sent::Retry { after: None, words }
            }
        }
    }

    /// Connects, and over TLS asks for the head of the host's first page: the door itself is not
    /// touched.
    pub(super) async fn probe(&self) -> Result<(), Error> {
        let host = self.url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let port = self.url.port_or_known_default().unwrap_or(80);
        let away = |fault: String| Error::Away {
            channel: self.name.clone(),
            host: format!("{host}:{port}"),
            fault,
        };
        let connect = tokio::net::TcpStream::connect((host, port));
        match tokio::time::timeout(self.timeout, connect).await {
            Ok(connected) => drop(connected.map_err(|error| away(error.to_string()))?),
            Err(_) => return Err(away(String::from("no answer in time"))),
        }
        if self.url.scheme() == "https" {
            let mut page = self.url.clone();
            page.set_path("/");
            page.set_query(None);
            let answer = self.client.head(page).send().await;
            answer.map_err(|error| away(causes(&error.without_url())))?;
        }
        Ok(())
    }

    /// Writes the body and says what it is.
    fn write(&self, id: &str, body: &Value) -> Result<(String, &'static str), minijinja::Error> {
        const JSON: &str = "application/json";
        let Some(template) = &self.template else { return Ok((body.to_string(), JSON)) };
        let text = template.write(id, body)?;
        let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
        Ok((text, if is_json { JSON } else { "text/plain; charset=utf-8" }))
    }
}

impl Template {
    fn write(&self, id: &str, body: &Value) -> Result<String, minijinja::Error> {
        let context = minijinja::context! { id, ..minijinja::Value::from(Serde(body)) };
        self.environment.get_template(&self.name)?.render(context)
    }
}

fn address(config: &Config) -> Result<Url, Error> {
    let fault = |fault: String| Error::Url { channel: config.name.clone(), fault };
    let url = Url::parse(&config.url).map_err(|error| fault(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(fault(String::from("expected http://… or https://…")));
    }
    Ok(url)
}

fn client(config: &Config, timeout: Duration) -> Result<reqwest::Client, Error> {
    let channel = || config.name.clone();
    let mut client = reqwest::Client::builder()
        .user_agent(concat!("weir/", env!("CARGO_PKG_VERSION")))
        .timeout(timeout)
        // A redirected POST becomes a GET, which would be taken for a receipt.
        .redirect(reqwest::redirect::Policy::none());
    if let Some(path) = &config.ca_file {
        let pem = read(config, "ca_file", path)?;
        let fault =
            |fault: String| Error::Certificate { channel: channel(), path: path.clone(), fault };
        // reqwest takes a file without a certificate for an authority that trusts nobody.
        let held = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>();
        if held.map_err(|error| fault(error.to_string()))?.is_empty() {
            return Err(fault("there is none in it".to_owned()));
        }
        let authority = reqwest::Certificate::from_pem(pem.as_bytes())
            .map_err(|error| fault(error.to_string()))?;
        client = client.add_root_certificate(authority);
    }
    client.build().map_err(|error| Error::Client { channel: channel(), fault: causes(&error) })
}

/// Compiles the template, if there is one. Its file's ending decides what is escaped: `.json` and
/// `.html` are.
fn template(config: &Config) -> Result<Option<Template>, Error> {
    let Some(path) = config.template.as_deref() else { return Ok(None) };
    let text = read(config, "template", path)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut environment = Environment::new();
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    environment.add_template_owned(name.clone(), text).map_err(|error| Error::Template {
        channel: config.name.clone(),
        path: path.to_owned(),
        fault: error.to_string(),
    })?;
    Ok(Some(Template { name, environment }))
}

fn secret(config: &Config) -> Result<Option<SecretString>, Error> {
    let channel = config.name.clone();
    let (key, text) = match (&config.secret_file, &config.secret_env) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => return Err(Error::BothSecrets { channel }),
        (Some(path), None) => ("secret_file", read(config, "secret_file", path)?),
        (None, Some(name)) => match std::env::var(name) {
            Ok(text) => ("secret_env", text),
            Err(_) => return Err(Error::Environment { channel, name: name.clone() }),
        },
    };
    match text.trim() {
        "" => Err(Error::Secret { channel, key }),
        text => Ok(Some(SecretString::from(text))),
    }
}

fn read(config: &Config, key: &'static str, path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|source| Error::File {
        channel: config.name.clone(),
        key,
        path: path.to_owned(),
        source,
    })
}

fn signature(secret: &SecretString, body: &[u8]) -> String {
    let mut text = String::from("sha256=");
    // HMAC takes a key of any length (RFC 2104).
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) {
        mac.update(body);
        for byte in mac.finalize().into_bytes() {
            text.push_str(&format!("{byte:02x}"));
        }
    }
    text
}

async fn classify(mut response: reqwest::Response, quotable: &[SecretString]) -> Sent {
    let status = response.status();
    let after = response.headers().get(RETRY_AFTER).and_then(|value| {
        let seconds = value.to_str().ok()?.trim().parse().ok()?;
        Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
    });
    let mut body = Vec::new();
    // A little more than is kept, so that no beginning of what is hidden is left at the end.
    while body.len() < 2 * WORDS_BYTES_MAX {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) | Err(_) => break,
        }
    }
    let words = String::from_utf8_lossy(&body);
    let words = hidden(words.trim(), quotable.iter().map(|one| one.expose_secret()));
    let end = words.floor_char_boundary(WORDS_BYTES_MAX);
    let words = words.get(..end).unwrap_or_default().to_owned();
    match status {
        status if status.is_success() => Sent::Confirmed { status: status.as_u16(), words },
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
            Sent::Retry { after, words: format!("{} {words}", status.as_u16()) }
        }
        status if status.is_server_error() => {
            Sent::Retry { after, words: format!("{} {words}", status.as_u16()) }
        }
        status => Sent::Refused { status: Some(status.as_u16()), words },
    }
}

/// Gives what of an address may be a key: all but scheme and host, whole and in parts, as it is
/// written, as it is meant, and as it stands in a header.
fn quotable(url: &Url) -> Vec<String> {
    let (user, password) = (url.username(), url.password().unwrap_or_default());
    let decoded = |text: &str| -> String {
        let pairs = format!("k={}", text.replace('+', "%2B"));
        url::form_urlencoded::parse(pairs.as_bytes()).map(|(_, value)| value.into_owned()).collect()
    };
    let pair = STANDARD.encode(format!("{}:{}", decoded(user), decoded(password)));
    let mut parts = vec![pair, url.path().to_owned(), url.query().unwrap_or_default().to_owned()];
    // A short part of the path is a word that may stand anywhere.
    let segments = url.path_segments().into_iter().flatten();
    let keys = segments.filter(|segment| segment.len() >= KEY_BYTES_MIN);
    for part in [user, password].into_iter().chain(keys) {
        parts.extend([part.to_owned(), decoded(part)]);
    }
    for pair in url.query().unwrap_or_default().split('&') {
        let value = pair.split_once('=').map_or(pair, |(_, value)| value);
        parts.extend([value.to_owned(), decoded(value)]);
    }
    parts
}

/// Walks an error's causes: reqwest's own words say only that sending failed.
fn causes(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push_str(": ");
        words.push_str(&error.to_string());
        cause = error.source();
    }
    words
}
