//! HTTP as all channels speak it that do: one client a channel, by a proxy where there is one, and
//! answers as they may be shown, without what was entrusted to weir.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::RETRY_AFTER;
use reqwest::{RequestBuilder, StatusCode, Url};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use secrecy::{ExposeSecret, SecretString};

use super::{Config, Error, RETRY_AFTER_MAX, Sent};
use crate::domain::secret::hidden;

/// How much of an answer's body is kept, bytes.
pub(super) const WORDS_BYTES_MAX: usize = 1_024;
/// How much of an answer is read where it must be understood, bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// From how many bytes on a part of the path may be a key, and is hidden apart from the others.
const KEY_BYTES_MIN: usize = 12;

/// The way of a channel to its receiver.
pub(super) struct Http {
    channel: String,
    /// Where to.
    pub(super) url: Url,
    proxy: Option<Url>,
    client: reqwest::Client,
    timeout: Duration,
    /// What of address, proxy and secrets a receiver's words may repeat and nobody is to see.
    quotable: Vec<SecretString>,
}

impl fmt::Debug for Http {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address of a chat robot holds its key.
        out.debug_struct("Http").field("channel", &self.channel).finish_non_exhaustive()
    }
}

/// What a receiver says.
#[derive(Debug)]
pub(super) struct Answer {
    /// The status.
    pub(super) status: StatusCode,
    /// How long it asks to wait.
    pub(super) after: Option<Duration>,
    /// The beginning of its words, without secrets.
    pub(super) words: String,
    /// Its body, to be understood and never shown.
    pub(super) body: Vec<u8>,
}

impl Http {
    /// Sets up the client; sends nothing. The secrets are hidden in what receivers say.
    pub(super) fn new(
        config: &Config,
        secrets: impl IntoIterator<Item = SecretString>,
    ) -> Result<Self, Error> {
        let (url, proxy) = (address(config)?, proxy(config)?);
        let parts = [Some(&url), proxy.as_ref()].into_iter().flatten().flat_map(quotable);
        let quotable = parts.map(SecretString::from).chain(secrets).collect();
        let timeout = Duration::from_secs(config.timeout_s);
        let client = client(config, proxy.as_ref(), timeout)?;
        Ok(Self { channel: config.name.clone(), url, proxy, client, timeout, quotable })
    }

    /// Gives everything that is wrong with the settings of HTTP.
    pub(super) fn faults(config: &Config) -> Vec<Error> {
        let proxy = proxy(config);
        let timeout = Duration::from_secs(config.timeout_s);
        let client = client(config, proxy.as_ref().ok().and_then(Option::as_ref), timeout);
        [address(config).err(), proxy.err(), client.err()].into_iter().flatten().collect()
    }

    /// Begins a POST to the channel's address.
    pub(super) fn post(&self) -> RequestBuilder {
        self.client.post(self.url.clone())
    }

    /// Begins a request to any address.
    pub(super) fn request(&self, method: reqwest::Method, url: Url) -> RequestBuilder {
        self.client.request(method, url)
    }

    /// Sends a request and reads the beginning of what comes; who can't be reached is to be asked
    /// again.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Answer, Sent> {
        match request.send().await {
            // A little more than is kept, so that no beginning of what is hidden is left at the
            // end.
            Ok(response) => Ok(self.read(response, 2 * WORDS_BYTES_MAX).await),
            Err(error) => Err(self.away(error)),
        }
    }

    /// As [`Http::send`], of an answer that must be understood.
    pub(super) async fn ask(&self, request: RequestBuilder) -> Result<Answer, Sent> {
        match request.send().await {
            Ok(response) => Ok(self.read(response, ANSWER_BYTES_MAX).await),
            Err(error) => Err(self.away(error)),
        }
    }

    fn away(&self, error: reqwest::Error) -> Sent {
        Sent::Retry { after: None, words: self.shown(&causes(&error.without_url())) }
    }

    /// Gives words without secrets, and no more than are kept.
    pub(super) fn shown(&self, words: &str) -> String {
        let words = hidden(words.trim(), self.quotable.iter().map(|one| one.expose_secret()));
        let end = words.floor_char_boundary(WORDS_BYTES_MAX);
        words.get(..end).unwrap_or_default().to_owned()
    }

    async fn read(&self, mut response: reqwest::Response, bytes_max: usize) -> Answer {
        let status = response.status();
        let after = response.headers().get(RETRY_AFTER).and_then(|value| {
            let seconds = value.to_str().ok()?.trim().parse().ok()?;
            Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
        });
        let mut body = Vec::new();
        while body.len() < bytes_max {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) | Err(_) => break,
            }
        }
        body.truncate(bytes_max);
        Answer { status, after, words: self.shown(&String::from_utf8_lossy(&body)), body }
    }

    /// Asks for the head of the host's first page, by the way that notifications take: the door
    /// itself is not touched. A proxy that is named is connected to; over TLS it is asked, too.
    pub(super) async fn probe(&self) -> Result<(), Error> {
        let through = self.proxy.as_ref().unwrap_or(&self.url);
        let host = through.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let port = through.port_or_known_default().unwrap_or(80);
        let away = |fault: String| Error::Away {
            channel: self.channel.clone(),
            host: format!("{host}:{port}"),
            fault: self.shown(&fault),
        };
        if self.proxy.is_some() {
            let connect = tokio::net::TcpStream::connect((host, port));
            match tokio::time::timeout(self.timeout, connect).await {
                Ok(connected) => drop(connected.map_err(|error| away(error.to_string()))?),
                Err(_) => return Err(away(String::from("no answer in time"))),
            }
        }
        // A proxy of the environment is known to the client alone.
        if self.url.scheme() == "https" || self.proxy.is_none() {
            let mut page = self.url.clone();
            page.set_path("/");
            page.set_query(None);
            let answer = self.client.head(page).send().await;
            answer.map_err(|error| away(causes(&error.without_url())))?;
        }
        Ok(())
    }
}

impl Answer {
    /// Takes an answer for what its status says.
    pub(super) fn sent(self) -> Sent {
        let Self { status, after, words, .. } = self;
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
}

fn address(config: &Config) -> Result<Url, Error> {
    let fault = |fault: String| Error::Url { channel: config.name.clone(), fault };
    let url = config.url.as_deref().ok_or_else(|| fault("there is none".to_owned()))?;
    web_address(url).map_err(fault)
}

fn proxy(config: &Config) -> Result<Option<Url>, Error> {
    let Some(proxy) = &config.proxy else { return Ok(None) };
    let fault = |fault| Error::Proxy { channel: config.name.clone(), fault };
    web_address(proxy).map(Some).map_err(fault)
}

fn web_address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(String::from("expected http://… or https://…"));
    }
    Ok(url)
}

fn client(
    config: &Config,
    proxy: Option<&Url>,
    timeout: Duration,
) -> Result<reqwest::Client, Error> {
    let channel = || config.name.clone();
    let failed = |error: reqwest::Error| Error::Client {
        channel: channel(),
        fault: causes(&error.without_url()),
    };
    let mut client = reqwest::Client::builder()
        .user_agent(concat!("weir/", env!("CARGO_PKG_VERSION")))
        .timeout(timeout)
        // A redirected POST becomes a GET, which would be taken for a receipt.
        .redirect(reqwest::redirect::Policy::none());
    if let Some(proxy) = proxy {
        client = client.proxy(reqwest::Proxy::all(proxy.clone()).map_err(failed)?);
    }
    if let Some(path) = &config.ca_file {
        let pem = config.read("ca_file", path)?;
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
    client.build().map_err(failed)
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
pub(super) fn causes(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push_str(": ");
        words.push_str(&error.to_string());
        cause = error.source();
    }
    words
}
