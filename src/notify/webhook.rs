//! A webhook: JSON or a template of it by POST, signed, with the notification's id.

use reqwest::header::CONTENT_TYPE;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};

use super::http::Http;
use super::text::{Texts, hmac_sha256};
use super::{Config, Error, Sent, sample};

/// The header with the notification's id.
pub const ID_HEADER: &str = "X-Weir-Notification-Id";
/// The header with `sha256=` and the body's HMAC-SHA-256 in hex, where a secret is set.
pub const SIGNATURE_HEADER: &str = "X-Weir-Signature";

/// A webhook that is ready to send.
#[derive(Debug)]
pub struct Webhook {
    pub(super) http: Http,
    secret: Option<SecretString>,
    texts: Texts,
}

impl Webhook {
    pub(super) fn new(config: &Config) -> Result<Self, Error> {
        let secret = config.secret()?;
        let http = Http::new(config, secret.clone())?;
        Ok(Self { http, secret, texts: Texts::new(config) })
    }

    /// Gives everything that is wrong with the section; the template is tried on a sample.
    pub(super) fn faults(config: &Config) -> Vec<Error> {
        let mut faults = Http::faults(config);
        faults.extend(config.secret().err());
        faults.extend(Texts::try_on(config, &sample(), &Map::new()).err());
        faults
    }

    pub(super) async fn send(&self, id: &str, body: &Value) -> Sent {
        let text = self.write(id, body);
        let mut request = self.http.post().header(CONTENT_TYPE, media_type(&text));
        request = request.header(ID_HEADER, id);
        if let Some(secret) = &self.secret {
            let signature = format!("sha256={}", hmac_sha256(&text, secret.expose_secret()));
            request = request.header(SIGNATURE_HEADER, signature);
        }
        match self.http.send(request.body(text)).await {
            Ok(answer) => answer.sent(),
            Err(sent) => sent,
        }
    }

    /// Writes the body. Where the template fails it is the JSON, which says so.
    fn write(&self, id: &str, body: &Value) -> String {
        match self.texts.by_file(id, body, &Map::new()) {
            None => body.to_string(),
            Some(Ok(text)) => text,
            Some(Err(fault)) => {
                let mut body = body.clone();
                if let Some(object) = body.as_object_mut() {
                    object.insert("templateFault".to_owned(), fault.into());
                }
                body.to_string()
            }
        }
    }
}

/// Says what a body is.
pub(super) fn media_type(body: &str) -> &'static str {
    match serde_json::from_str::<serde::de::IgnoredAny>(body) {
        Ok(_) => "application/json",
        Err(_) => "text/plain; charset=utf-8",
    }
}
