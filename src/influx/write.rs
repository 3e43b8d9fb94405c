//! The writer: one request of gzipped lines, and what its answer means for them.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Response, StatusCode, Url};
use secrecy::ExposeSecret;

use super::{Config, Credentials, Dialect, Error, causes};

/// How much of an answer's body is kept, bytes.
const WORDS_BYTES_MAX: usize = 2_048;
/// The longest wait that a server may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);

/// What an answer means for the lines that were sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// All of them are stored.
    Stored,
    /// The database refuses some of them for what they are; others may be stored.
    Refused {
        /// The server's words.
        words: String,
        /// How many points it says it dropped.
        dropped: Option<u64>,
    },
    /// The body is too large for the server or a proxy; in smaller ones the lines may go.
    TooLarge {
        /// The server's words.
        words: String,
    },
    /// Nothing is known to be wrong with the lines: send them again later.
    Later {
        /// How long the server asks to wait.
        after: Option<Duration>,
        /// What is wrong.
        fault: Fault,
    },
}

/// Why the database takes no points now. Says nothing about the points.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// It does not answer in time.
    Timeout,
    /// It can't be reached, or the connection broke.
    Connection {
        /// What the connection says.
        words: String,
    },
    /// It answers with a status that blames credentials, configuration or itself.
    Status {
        /// The status.
        status: u16,
        /// Its words.
        words: String,
    },
    /// The lines can't be gzipped.
    Compression {
        /// Why.
        words: String,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => {
                write!(out, "no answer in time; look at the database's load and influx.timeout_s")
            }
            Self::Connection { words } => {
                write!(out, "no connection: {words}; is influx.url right and the database running?")
            }
            Self::Status { status, words } => {
                write!(out, "answered {status} `{}`{}", words.trim(), super::mend(*status))
            }
            Self::Compression { words } => write!(out, "the lines can't be gzipped: {words}"),
        }
    }
}

impl Fault {
    fn of(error: reqwest::Error) -> Self {
        if error.is_timeout() {
            return Self::Timeout;
        }
        Self::Connection { words: causes(&error.without_url()) }
    }
}

/// Sends gzipped lines to one bucket. Holds no lines.
#[derive(Clone, Debug)]
pub struct Writer {
    client: reqwest::Client,
    door: Url,
    credentials: Credentials,
    dialect: Dialect,
}

impl Writer {
    /// Reads credentials and certificates and sets up the client; sends nothing.
    ///
    /// # Errors
    /// Whatever of the configuration is wrong.
    pub fn new(config: &Config) -> Result<Self, Error> {
        config.check()?;
        let client =
            config.client()?.build().map_err(|error| Error::Client { fault: causes(&error) })?;
        let mut door = config.door(match config.dialect {
            Dialect::Influx2 | Dialect::Victoria => "api/v2/write",
            Dialect::Influx1 => "write",
        })?;
        {
            let mut query = door.query_pairs_mut();
            query.append_pair("precision", "ms");
            match config.dialect {
                Dialect::Influx2 => {
                    query.append_pair("org", &config.org).append_pair("bucket", &config.bucket);
                }
                Dialect::Victoria if config.bucket.is_empty() => {}
                Dialect::Influx1 | Dialect::Victoria => {
                    query.append_pair("db", &config.bucket);
                }
            }
        }
        Ok(Self { client, door, credentials: config.credentials()?, dialect: config.dialect })
    }

    /// Sends a body of one or more gzip members of line protocol with times in ms.
    pub async fn send(&self, body: Bytes) -> Answer {
        let request = self.request().header(CONTENT_ENCODING, "gzip").body(body);
        match request.send().await {
            Ok(response) => {
                let status = response.status().as_u16();
                let answer = match classify(response).await {
                    Answer::Refused { words, .. }
                        if !names_lines(&words) && !self.takes_nothing().await =>
                    {
                        Answer::Later { after: None, fault: Fault::Status { status, words } }
                    }
                    answer @ (Answer::Stored
                    | Answer::Refused { .. }
                    | Answer::TooLarge { .. }
                    | Answer::Later { .. }) => answer,
                };
                self.hidden_in(answer)
            }
            Err(error) => Answer::Later { after: None, fault: Fault::of(error) },
        }
    }

    /// Takes the credentials out of words that may be a proxy's; the database's own words on lines
    /// stay as they are, because the lines are found by them.
    fn hidden_in(&self, answer: Answer) -> Answer {
        match answer {
            Answer::Later { after, fault: Fault::Status { status, words } } => {
                let words = self.credentials.hidden_in(&words);
                Answer::Later { after, fault: Fault::Status { status, words } }
            }
            Answer::Later { after, fault: Fault::Connection { words } } => {
                let words = self.credentials.hidden_in(&words);
                Answer::Later { after, fault: Fault::Connection { words } }
            }
            Answer::TooLarge { words } => {
                Answer::TooLarge { words: self.credentials.hidden_in(&words) }
            }
            Answer::Later { .. } | Answer::Stored | Answer::Refused { .. } => answer,
        }
    }

    /// Says whether it lets in a request without any lines, which none can be to blame for.
    async fn takes_nothing(&self) -> bool {
        let Ok(response) = self.send_nothing().await else { return false };
        response.status().is_success() || read_words(response).await.contains("requires points")
    }

    /// Sends no points at all, which shows whether points could be sent.
    pub(super) async fn send_nothing(&self) -> Result<Response, reqwest::Error> {
        self.request().body("").send().await
    }

    fn request(&self) -> reqwest::RequestBuilder {
        let request =
            self.client.post(self.door.clone()).header(CONTENT_TYPE, "text/plain; charset=utf-8");
        authorise(request, &self.credentials, self.dialect)
    }
}

/// Puts the credentials on a request. reqwest marks what it is given here as sensitive.
pub(super) fn authorise(
    request: reqwest::RequestBuilder,
    credentials: &Credentials,
    dialect: Dialect,
) -> reqwest::RequestBuilder {
    match credentials {
        Credentials::None => request,
        Credentials::User { name, password } => {
            request.basic_auth(name, Some(password.expose_secret()))
        }
        Credentials::Token(token) => match dialect {
            Dialect::Influx2 | Dialect::Influx1 => {
                let value = format!("Token {}", token.expose_secret());
                match reqwest::header::HeaderValue::from_str(&value) {
                    Ok(mut value) => {
                        value.set_sensitive(true);
                        request.header(reqwest::header::AUTHORIZATION, value)
                    }
                    // The token was found to be printable ASCII when it was read.
                    Err(_) => request,
                }
            }
            Dialect::Victoria => request.bearer_auth(token.expose_secret()),
        },
    }
}

async fn classify(response: Response) -> Answer {
    let status = response.status();
    let after = retry_after(&response);
    let (words, is_whole) = read_beginning(response).await;
    match status {
        // Which lines it means is in the words, and they are not all there.
        StatusCode::CREATED | StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY
            if !is_whole =>
        {
            let words = format!("the answer {} breaks off after `{words}`", status.as_u16());
            Answer::Later { after, fault: Fault::Connection { words } }
        }
        // InfluxDB 2 in the cloud says 201 where it stored a part.
        StatusCode::CREATED | StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY
            if blames_lines(&words) =>
        {
            Answer::Refused { dropped: dropped(&words), words }
        }
        StatusCode::PAYLOAD_TOO_LARGE => Answer::TooLarge { words },
        // A database has nothing to add to a success. Whoever does is somebody else: a mobile
        // network's page on used-up credit, a proxy's login, another service at this address.
        status if status.is_success() && is_whole && words.is_empty() => Answer::Stored,
        status => Answer::Later { after, fault: Fault::Status { status: status.as_u16(), words } },
    }
}

/// Says whether a refusal is the database's own word on the lines: JSON with `code` (2.x) or
/// `error` (1.x). A proxy that answers 400 in HTML, or `VictoriaMetrics` on a broken body, says
/// nothing about them, and they must not be discarded for it.
fn blames_lines(words: &str) -> bool {
    let words = words.trim_start();
    words.starts_with('{') && (words.contains("\"code\"") || words.contains("\"error\""))
}

/// Says whether a refusal speaks of lines. In other words it may be anybody's: gateways too answer
/// JSON with `error` in it.
fn names_lines(words: &str) -> bool {
    const NAMED: [&str; 4] = ["unable to parse", "partial write", "conflict", "dropped"];
    NAMED.iter().any(|named| words.contains(named))
}

/// Reads the last of `dropped=N` or `dropped N points` from the server's words, which may be cut
/// off, and may say before that a point was dropped because of something.
fn dropped(words: &str) -> Option<u64> {
    let counts = words.split("dropped").skip(1).filter_map(|after| {
        let digits = after.trim_start_matches(['=', ' ']);
        let end = digits.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(digits.len());
        digits.get(..end)?.parse().ok()
    });
    counts.last()
}

/// Reads how many seconds the server asks to wait. A date instead of a number is not read: it
/// would need the server's clock.
fn retry_after(response: &Response) -> Option<Duration> {
    seconds_asked(response.headers().get(RETRY_AFTER)?.to_str().ok()?)
}

fn seconds_asked(header: &str) -> Option<Duration> {
    let seconds = header.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}

/// Reads the beginning of an answer, as far as it comes.
pub(super) async fn read_words(response: Response) -> String {
    read_beginning(response).await.0
}

/// Reads the beginning of an answer, and says whether nothing of that is missing.
async fn read_beginning(mut response: Response) -> (String, bool) {
    let (mut body, mut is_whole) = (Vec::new(), true);
    while body.len() < WORDS_BYTES_MAX {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(_) => {
                is_whole = false;
                break;
            }
        }
    }
    body.truncate(WORDS_BYTES_MAX);
    (String::from_utf8_lossy(&body).trim().to_owned(), is_whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_count_of_dropped_points_is_read_in_both_spellings() {
        assert_eq!(dropped("partial write: field type conflict: … dropped=12"), Some(12));
        assert_eq!(dropped("dropped 3 points outside retention policy of"), Some(3));
        assert_eq!(dropped("{\"error\":\"… dropped=1\"}"), Some(1));
        assert_eq!(dropped("dropped 4 points … dropped because it violates a"), Some(4));
        assert_eq!(dropped("unable to parse"), None);
    }

    #[test]
    fn nobody_may_ask_for_a_wait_without_end() {
        assert_eq!(seconds_asked(" 12 "), Some(Duration::from_secs(12)));
        assert_eq!(seconds_asked("3601"), Some(RETRY_AFTER_MAX));
        assert_eq!(seconds_asked(&u64::MAX.to_string()), Some(RETRY_AFTER_MAX));
        assert_eq!(seconds_asked("Wed, 21 Oct 2026 07:28:00 GMT"), None);
    }

    #[test]
    fn only_the_databases_own_words_blame_lines() {
        assert!(blames_lines("{\"code\":\"invalid\",\"message\":\"unable to parse\"}"));
        assert!(blames_lines("{\"error\":\"partial write\"}"));
        assert!(!blames_lines("<html>400 The plain HTTP request was sent to HTTPS port</html>"));
        assert!(!blames_lines(""));
    }
}
