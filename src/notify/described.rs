//! A request that the configuration describes, for gateways of short messages and calls: method,
//! address, headers and body as templates, and what counts as success.

use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};

use super::http::{Answer, Http};
use super::text::{ALERTS_SHOWN_MAX, Context, Form, Texts};
use super::webhook::media_type;
use super::{Config, Error, Sent, sample};
use crate::domain::time::Timestamp;

/// The longest text that a gateway is given, bytes.
const TEXT_BYTES_MAX: usize = 16_000;

/// A described request, ready to send.
#[derive(Debug)]
pub(super) struct Described {
    pub(super) http: Http,
    method: Method,
    url: String,
    headers: Vec<(HeaderName, String)>,
    body: Option<String>,
    /// What templates call `secret` and `secrets`.
    secrets: Secrets,
    texts: Texts,
    status: Vec<u16>,
    pointer: Option<String>,
    value: Option<String>,
}

/// The secrets of a channel by the names that its templates give them.
#[derive(Debug)]
struct Secrets {
    one: Option<SecretString>,
    named: Vec<(String, SecretString)>,
}

impl Secrets {
    fn read(config: &Config) -> Result<Self, Error> {
        let mut named = Vec::new();
        for (name, path) in config.secret_files.iter().flatten() {
            let key = "secret_files";
            let text = config.read(key, path)?;
            match text.trim() {
                "" => return Err(Error::Secret { channel: config.name.clone(), key }),
                text => named.push((name.clone(), SecretString::from(text))),
            }
        }
        Ok(Self { one: config.secret()?, named })
    }

    /// Gives each, also as it stands in an address.
    fn all(&self) -> Vec<SecretString> {
        let all = self.one.iter().chain(self.named.iter().map(|(_, secret)| secret));
        let both = all.flat_map(|secret| {
            let text = secret.expose_secret();
            let escaped = url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            [text.to_owned(), escaped.replace('+', "%20"), escaped]
        });
        both.map(SecretString::from).collect()
    }

    fn context(&self) -> Context {
        let text = |secret: &SecretString| Value::from(secret.expose_secret());
        let named = self.named.iter().map(|(name, secret)| (name.clone(), text(secret)));
        let secret = self.one.as_ref().map_or(Value::from(""), text);
        let secrets = Value::Object(named.collect());
        [("secret".to_owned(), secret), ("secrets".to_owned(), secrets)].into_iter().collect()
    }
}

impl Described {
    pub(super) fn new(config: &Config) -> Result<Self, Error> {
        let secrets = Secrets::read(config)?;
        Ok(Self {
            http: Http::new(config, secrets.all())?,
            method: method(config)?,
            url: config.url.clone().unwrap_or_default(),
            headers: headers(config)?,
            body: config.body.clone(),
            secrets,
            texts: Texts::new(config),
            status: config.success_status.clone().unwrap_or_default(),
            pointer: config.success_pointer.clone(),
            value: config.success_value.clone(),
        })
    }

    /// Gives everything that is wrong with the section; its templates are tried on a sample.
    pub(super) fn faults(config: &Config) -> Vec<Error> {
        let mut faults = Http::faults(config);
        faults.extend([method(config).err(), success(config).err()].into_iter().flatten());
        if config.body.is_some() && config.template.is_some() {
            let found = "the template writes the body, too";
            faults.push(fault(config, "body", found.to_owned(), "one of body and template"));
        }
        let (secrets, headers) = (Secrets::read(config), headers(config));
        let context = secrets.as_ref().map(Secrets::context).unwrap_or_default();
        faults.extend(secrets.err());
        let texts = Texts::new(config);
        let more = more(&texts, context, "sample", &sample(), Timestamp(0));
        faults.extend(Texts::try_on(config, &sample(), &more).err());
        let view = texts.view("sample", &sample(), ALERTS_SHOWN_MAX, &more);
        let mut inline = vec![("url", config.url.clone()), ("body", config.body.clone())];
        match headers {
            Ok(headers) => {
                inline.extend(headers.into_iter().map(|(_, text)| ("headers", Some(text))));
            }
            Err(error) => faults.push(error),
        }
        for (key, text) in inline {
            let Some(text) = text else { continue };
            let written = texts.render_text(&text, &view).and_then(|written| match key {
                "url" => match Url::parse(&text) {
                    Ok(url) => led(&url, &written).map(drop).map_err(str::to_owned),
                    // That it is no address is told already.
                    Err(_) => Ok(()),
                },
                _ => Ok(()),
            });
            if let Err(found) = written {
                faults.push(fault(config, key, found, "a template of minijinja"));
            }
        }
        faults
    }

    pub(super) async fn send(&self, id: &str, body: &Value, now: Timestamp) -> Sent {
        let more = more(&self.texts, self.secrets.context(), id, body, now);
        let view = self.texts.view(id, body, ALERTS_SHOWN_MAX, &more);
        let fails = |key: &str, fault: &str| {
            let words = self.http.shown(&format!("the template of {key} fails: {fault}"));
            Sent::Refused { status: None, words }
        };
        let url = match self.texts.render_leniently(&self.url, &view) {
            Ok(url) => url,
            Err(fault) => return fails("url", &fault),
        };
        let url = match led(&self.http.url, &url) {
            Ok(url) => url,
            Err(fault) => return fails("url", fault),
        };
        let mut request = self.http.request(self.method.clone(), url);
        let mut typed = false;
        for (name, text) in &self.headers {
            let value = match self.texts.render_leniently(text, &view) {
                Ok(value) => value,
                Err(fault) => return fails("headers", &fault),
            };
            // A text of several lines goes on one.
            let value = value.trim().replace(|one: char| one.is_control(), " ");
            let Ok(mut value) = HeaderValue::from_bytes(value.as_bytes()) else {
                return fails("headers", "it holds what no header may");
            };
            value.set_sensitive(true);
            typed |= *name == CONTENT_TYPE;
            request = request.header(name, value);
        }
        if let Some(body) = self.write(id, body, &view, &more) {
            if !typed {
                request = request.header(CONTENT_TYPE, media_type(&body));
            }
            request = request.body(body);
        }
        match self.http.ask(request).await {
            Ok(answer) => self.judge(answer),
            Err(sent) => sent,
        }
    }

    /// Writes the body: by the file, by the configuration, or weir's own text; where a template
    /// fails, weir's own text, which says so. A GET has none but where one is described.
    fn write(&self, id: &str, body: &Value, view: &Context, more: &Context) -> Option<String> {
        let written = match &self.body {
            Some(text) => Some(self.texts.render_text(text, view)),
            None => self.texts.by_file(id, body, more),
        };
        let own = || self.texts.own_text(id, body, Form::Plain, TEXT_BYTES_MAX);
        match written {
            Some(Ok(text)) => Some(text),
            Some(Err(fault)) => {
                Some(format!("{}\n\n{}", own(), self.http.shown(&self.texts.excuse(&fault))))
            }
            None => (self.method != Method::GET).then(own),
        }
    }

    /// Takes an answer for what the configuration calls success.
    fn judge(&self, answer: Answer) -> Sent {
        let status = answer.status.as_u16();
        let expected = match &*self.status {
            [] => answer.status.is_success(),
            some => some.contains(&status),
        };
        if !expected {
            return match answer.sent() {
                Sent::Confirmed { status, words } => Sent::Refused { status: Some(status), words },
                sent @ (Sent::Retry { .. } | Sent::Refused { .. }) => sent,
            };
        }
        let words = answer.words;
        let Some(pointer) = &self.pointer else { return Sent::Confirmed { status, words } };
        let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let found = json.pointer(pointer).map(|value| match value {
            Value::String(text) => text.clone(),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_) => value.to_string(),
        });
        if found.is_some() && (self.value.is_none() || found == self.value) {
            return Sent::Confirmed { status, words };
        }
        Sent::Refused { status: Some(status), words }
    }
}

/// Reads an address that a template wrote: it may not lead a secret to another host.
fn led(described: &Url, written: &str) -> Result<Url, &'static str> {
    let url = Url::parse(written).map_err(|_| "it is no address")?;
    if url.origin() == described.origin() { Ok(url) } else { Err("it leads to another host") }
}

/// Gives what templates know besides: the secrets, the text as weir writes it, and the time.
fn more(texts: &Texts, secrets: Context, id: &str, body: &Value, now: Timestamp) -> Context {
    let mut more = secrets;
    let text = texts.own_text(id, body, Form::Plain, TEXT_BYTES_MAX);
    let markdown = texts.own_text(id, body, Form::Markdown, TEXT_BYTES_MAX);
    let words: Map<String, Value> = [
        ("text".to_owned(), text.into()),
        ("markdown".to_owned(), markdown.into()),
        ("timestamp".to_owned(), now.millis().div_euclid(1_000).into()),
        ("timestamp_ms".to_owned(), now.millis().into()),
    ]
    .into_iter()
    .collect();
    more.extend(words);
    more
}

fn fault(config: &Config, key: &'static str, found: String, expected: &'static str) -> Error {
    Error::Setting { channel: config.name.clone(), key, found, expected }
}

fn method(config: &Config) -> Result<Method, Error> {
    match config.method.as_deref() {
        None | Some("POST") => Ok(Method::POST),
        Some("GET") => Ok(Method::GET),
        Some("PUT") => Ok(Method::PUT),
        Some(other) => {
            let found = format!("method `{other}`");
            Err(fault(config, "method", found, "\"POST\", \"GET\" or \"PUT\""))
        }
    }
}

fn headers(config: &Config) -> Result<Vec<(HeaderName, String)>, Error> {
    let headers = config.headers.iter().flatten().map(|(name, text)| {
        let found = || format!("`{name}` is no name of a header");
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| fault(config, "headers", found(), "names such as Authorization"))?;
        Ok((name, text.clone()))
    });
    headers.collect()
}

fn success(config: &Config) -> Result<(), Error> {
    let statuses = config.success_status.as_deref().unwrap_or_default();
    if let Some(wrong) = statuses.iter().find(|status| !(100..600).contains(*status)) {
        let found = format!("status {wrong}");
        return Err(fault(config, "success_status", found, "statuses of HTTP"));
    }
    match (&config.success_pointer, &config.success_value) {
        (Some(pointer), _) if !pointer.is_empty() && !pointer.starts_with('/') => {
            let found = format!("`{pointer}`");
            Err(fault(config, "success_pointer", found, "a JSON pointer such as /code"))
        }
        (None, Some(_)) => {
            let found = "there is no success_pointer to it".to_owned();
            Err(fault(config, "success_value", found, "both, or neither"))
        }
        (Some(_) | None, _) => Ok(()),
    }
}
